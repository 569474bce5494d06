//! The way to the hub, layer by layer, for `doctor`: which proxy is used, whether the name is found, whether anything listens,
//! which certificate is shown. None of it carries the key or a request.
//!
//! Whether the certificate is trusted says [`Client`](super::client::Client) alone, by the request that it sends: two judges
//! could disagree.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

/// How long each layer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// A name or a literal address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How the hub is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// On this machine, whatever the environment says of proxies.
    Here(Peer),
    /// Straight over the network.
    Direct(Peer),
    /// Through the proxy that the system or its environment names.
    Proxy {
        /// The proxy; its password is not kept.
        proxy: Peer,
        /// The hub.
        hub: Peer,
    },
}

impl Route {
    /// The way to this address; `None` where it is none.
    pub fn to(url: &str, loopback: bool) -> Option<Self> {
        let parsed = Url::parse(url).ok()?;
        let host = parsed.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let hub = Peer { host, port: parsed.port_or_known_default()? };
        if loopback {
            return Some(Self::Here(hub));
        }
        let Some(intercept) = Matcher::from_system().intercept(&url.parse().ok()?) else {
            return Some(Self::Direct(hub));
        };
        let uri = intercept.uri();
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            Some(scheme) if scheme.starts_with("socks") => 1080,
            _ => 80,
        });
        Some(Self::Proxy { proxy: Peer { host, port }, hub })
    }

    /// Whom we connect to.
    pub fn first(&self) -> &Peer {
        match self {
            Self::Here(peer) | Self::Direct(peer) | Self::Proxy { proxy: peer, .. } => peer,
        }
    }
}

/// The addresses of a name.
///
/// # Errors
/// Why there are none.
pub async fn resolve(peer: &Peer) -> Result<Vec<SocketAddr>, String> {
    if let Ok(literal) = peer.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(literal, peer.port)]);
    }
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((peer.host.as_str(), peer.port))).await;
    match found {
        Ok(Ok(found)) => {
            let all: Vec<SocketAddr> = found.collect();
            if all.is_empty() { Err("the name has no address".to_owned()) } else { Ok(all) }
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the name servers did not answer within {} s", PATIENCE.as_secs())),
    }
}

/// The first of the addresses that takes a connection, and those that did not.
///
/// # Errors
/// None did: what each of them said.
pub async fn connect(addresses: &[SocketAddr]) -> Result<(SocketAddr, Vec<String>), Vec<String>> {
    let mut refused = Vec::new();
    // More of them would not tell more.
    for address in addresses.iter().take(4) {
        match tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok((*address, refused)),
            Ok(Err(error)) => refused.push(format!("{address}: {error}")),
            Err(_) => refused.push(format!("{address}: no answer within {} s", PATIENCE.as_secs())),
        }
    }
    Err(refused)
}

/// Who issued the certificate that is shown there, in words. Nothing is sent but the greeting, and the handshake is broken off
/// once it was seen.
///
/// # Errors
/// Why no certificate came.
pub async fn issuer(address: SocketAddr, host: String) -> Result<String, String> {
    let handshake = tokio::task::spawn_blocking(move || shown(address, host));
    match tokio::time::timeout(2 * PATIENCE, handshake).await {
        Ok(Ok(seen)) => {
            seen.map(|certificate| issuer_of(&certificate).unwrap_or_else(|| "an unknown issuer".to_owned()))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the handshake did not end".to_owned()),
    }
}

fn shown(address: SocketAddr, host: String) -> Result<Vec<u8>, String> {
    let witness = Arc::new(Witness::default());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let mut socket = std::net::TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    socket.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let ended = connection.complete_io(&mut socket);
    let seen = witness.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    seen.ok_or_else(|| ended.err().map_or_else(|| "no certificate came".to_owned(), |error| error.to_string()))
}

/// Looks at a certificate and trusts none.
#[derive(Debug, Default)]
struct Witness(Mutex<Option<Vec<u8>>>);

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.as_ref().to_vec());
        Err(rustls::Error::General("it was only looked at".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("nothing is trusted here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("nothing is trusted here".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The issuer's name in a certificate: its common name and its organisation. Foreign text.
fn issuer_of(certificate: &[u8]) -> Option<String> {
    let (tbs, _) = element(element(certificate)?.0)?;
    let mut rest = tbs;
    // The version is there or not; then the serial number and the algorithm.
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.1;
    }
    rest = element(rest)?.1;
    rest = element(rest)?.1;
    let (mut names, _) = element(rest)?;
    let (mut common, mut organisation) = (None, None);
    while !names.is_empty() {
        let (set, after) = element(names)?;
        names = after;
        let (oid, value) = element(element(set)?.0)?;
        let text = String::from_utf8_lossy(element(value)?.0).into_owned();
        match oid {
            [0x55, 0x04, 0x03] => common = Some(text),
            [0x55, 0x04, 0x0a] => organisation = Some(text),
            _ => {}
        }
    }
    match (common, organisation) {
        (Some(common), Some(organisation)) => Some(format!("{common:?} ({organisation:?})")),
        (Some(name), None) | (None, Some(name)) => Some(format!("{name:?}")),
        (None, None) => None,
    }
}

/// The content of the first element of DER, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let digits = rest.get(..count).filter(|_| count <= 4)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), &rest[count..])
    };
    Some((rest.get(..length)?, &rest[length..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pem(text: &str) -> Vec<u8> {
        use rustls::pki_types::pem::PemObject as _;
        CertificateDer::from_pem_slice(text.as_bytes()).unwrap().to_vec()
    }

    #[test]
    fn the_issuer_of_a_certificate_is_read_and_rubbish_is_none() {
        let certificate = pem(include_str!("client/tls/server.pem"));
        let issuer = issuer_of(&certificate).unwrap();
        assert!(issuer.starts_with('"'), "{issuer}");
        for cut in 0..certificate.len() {
            let _ = issuer_of(&certificate[..cut]);
        }
        assert_eq!(issuer_of(b"HTTP/1.1 400 Bad Request"), None);
    }

    #[test]
    fn a_hub_on_this_machine_is_never_reached_through_a_proxy() {
        let peer = Peer { host: "::1".to_owned(), port: 443 };
        assert_eq!(Route::to("https://[::1]/rest/v1", true), Some(Route::Here(peer.clone())));
        assert_eq!(peer.to_string(), "[::1]:443");
    }
}
