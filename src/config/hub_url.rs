//! Where the hub is: an `https` address, or plain `http` on this machine only, so that the key never travels in clear.

use std::fmt;

use reqwest::Url;

/// The hub's address, checked; without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubUrl(String);

/// Why an address is refused. The address itself is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHubUrl {
    /// No address at all.
    #[error("this is not an address")]
    Form,
    /// Neither `https` nor `http`.
    #[error("the address must begin with https://")]
    Scheme,
    /// `http` to another machine.
    #[error("plain http would send the API key in clear; it is allowed only for 127.0.0.1, [::1] and localhost")]
    PlainHttp,
    /// A name or password before the host.
    #[error("the address must not hold a name or password")]
    UserInfo,
    /// `?` or `#`.
    #[error("the address must not hold `?` or `#`")]
    Query,
}

impl HubUrl {
    /// The vendor's address (contract.md, Configuration).
    pub const DEFAULT: &str = "https://api.exec.com/rest/v1";

    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, BadHubUrl> {
        let url = Url::parse(text).map_err(|_| BadHubUrl::Form)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BadHubUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err(BadHubUrl::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadHubUrl::Query);
        }
        let checked = Self(url.as_str().trim_end_matches('/').to_owned());
        if url.scheme() == "http" && !checked.is_loopback() { Err(BadHubUrl::PlainHttp) } else { Ok(checked) }
    }

    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the host is this machine by its literal address, or `localhost`: plain http may be used, a proxy must not.
    pub fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&self.0) else { return false };
        let Some(host) = url.host_str() else { return false };
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || literal.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }
}

impl Default for HubUrl {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_that_are_taken() {
        for (text, url) in [
            (HubUrl::DEFAULT, HubUrl::DEFAULT),
            ("https://hub.example.test/rest/v1///", "https://hub.example.test/rest/v1"),
            ("HTTPS://Hub.Example.test", "https://hub.example.test"),
            ("http://127.0.0.1:8080/rest/v1", "http://127.0.0.1:8080/rest/v1"),
            ("http://127.9.9.9/", "http://127.9.9.9"),
            ("http://[::1]:7171", "http://[::1]:7171"),
            ("http://localhost:7171/x", "http://localhost:7171/x"),
        ] {
            assert_eq!(HubUrl::parse(text).unwrap().as_str(), url);
        }
    }

    #[test]
    fn addresses_that_would_give_the_key_away_are_refused() {
        for (text, why) in [
            ("", BadHubUrl::Form),
            ("api.exec.com", BadHubUrl::Form),
            ("https://", BadHubUrl::Form),
            ("ftp://api.exec.com", BadHubUrl::Scheme),
            ("http://example.test", BadHubUrl::PlainHttp),
            ("http://localhost.evil.test", BadHubUrl::PlainHttp),
            ("http://localhost.", BadHubUrl::PlainHttp),
            ("http://[::ffff:127.0.0.1]", BadHubUrl::PlainHttp),
            ("http://0.0.0.0", BadHubUrl::PlainHttp),
            ("http://10.0.0.1", BadHubUrl::PlainHttp),
            ("http://127.0.0.1@evil.test", BadHubUrl::UserInfo),
            ("https://me:secret@api.exec.com", BadHubUrl::UserInfo),
            ("https://@api.exec.com", BadHubUrl::UserInfo),
            ("https://api.exec.com/?key=1", BadHubUrl::Query),
            ("https://api.exec.com/#x", BadHubUrl::Query),
        ] {
            assert_eq!(HubUrl::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn loopback_is_known() {
        assert!(HubUrl::parse("https://localhost/").unwrap().is_loopback());
        assert!(!HubUrl::default().is_loopback());
    }
}
