//! The connection to the hub: one call is one request on the wire, and what came of it is an [`Answer`], never an error.
//!
//! It promises: no redirect is followed, nothing is sent twice, nothing goes to another host or through a proxy when the
//! hub is on this machine, no answer grows beyond its cap ([`PAGE_CAP`], [`LIST_CAP`], [`REFUSAL_CAP`]; only one at a time
//! beyond [`FREE`]), and no text that it makes holds the key (promises 3, 7, 8).
//!
//! That a request was *not* sent is only said where no connection was made, or where the head of an answer refuses it; every
//! other failure is `Lost`, because a connection that ends can have carried the request (a kept-alive connection that the
//! hub closes is such a case).
//!
//! Called by the daemon's sender and by one-shot commands. It takes no slot of the budget and makes no retries.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, ClientBuilder, Url, redirect, retry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::api::{self, Call, Method, Workspace};
use super::response::{self, Headers};
use super::veil::Veil;
use crate::document::MAX_BYTES;
use crate::engine::request::{Answer, AnswerBody, KeySource, Request};
use crate::page::{Now, Wall};

/// A page is read up to so many bytes, unpacked; a longer one can't be one that we keep. The longest that we can have made
/// ourselves has a live text and a draft of [`MAX_BYTES`] each, and JSON may write each of their bytes as six (`\u003c`:
/// some encoders write `<` so, all of them write control characters so). The rest is for titles and lists.
pub const PAGE_CAP: usize = 2 * 6 * (MAX_BYTES as usize) + (1 << 20);
/// The same for a list of 100 rows, which hold no texts, and for all else.
pub const LIST_CAP: usize = 8 << 20;
/// Of an answer that is no success no more is read: its status says enough.
pub const REFUSAL_CAP: usize = 1 << 20;
/// What is longer is read one answer at a time, so that several of them don't add up.
pub const FREE: usize = 8 << 20;

/// Connecting takes at most this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below what servers usually allow, so that a write seldom meets a connection that is just being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the connection needs to know of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// `hub.url`.
    pub url: String,
    /// `hub.timeout`: of a whole request, its answer's last byte included.
    pub timeout: Duration,
    /// `hub.ca_file`: certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// A connection can't be set up with these options.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `hub.url` is no address that the key may be sent to.
    #[error("hub.url: {0}")]
    Url(&'static str),
    /// `hub.ca_file` can't be read.
    #[error("hub.ca_file: can't read {}: {source}", path.display())]
    CaFileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `hub.ca_file` holds nothing that can be trusted.
    #[error("hub.ca_file: {} holds no usable certificate ({why}); it must hold at least one in PEM form", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS can't be set up at all.
    #[error("can't set up TLS: {0}; install the system's CA certificates (ca-certificates), or name a hub.ca_file")]
    Setup(String),
}

/// Why the workspace of a key could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    /// 401.
    #[error("the hub refuses the key (401): make a new one under Settings > API")]
    Unauthorized,
    /// 403.
    #[error("the hub forbids it (403): {0}")]
    Forbidden(String),
    /// 429.
    #[error("the workspace has used up its requests (429): try again later")]
    RateLimited,
    /// 3xx.
    #[error("the hub answers with a redirect{}: correct hub.url", .0.as_deref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirected(Option<String>),
    /// No connection, or none that lasted.
    #[error("the hub can't be reached: {0}; check the network and hub.url")]
    Unreachable(String),
    /// Something answered, but it is not the hub, or the hub is not well.
    #[error(
        "what answers at hub.url does not look like the hub ({0}): check hub.url, and whether a proxy is in between"
    )]
    NotTheHub(String),
}

/// What came of asking whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The key's workspace, or one of the bodies that tell of something that went wrong.
    pub said: Result<Workspace, AnswerBody>,
    /// The hub's clock, where an answer came.
    pub date: Option<Wall>,
}

/// A connection to one hub; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    base: String,
    timeout: Duration,
    /// Who holds its one permit may read beyond [`FREE`].
    long: Arc<Semaphore>,
}

/// How the hub is reached; decides what may be used on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// TLS, through the system's proxy if there is one.
    Network,
    /// On this machine: never through a proxy (which would be handed the key), plain HTTP allowed.
    Loopback,
}

/// What was read of an answer.
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    /// Kept for as long as the body.
    _long: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// Sets up a connection; nothing is sent yet. Installs the process's TLS provider if there is none.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        // An error means that one is installed already, by an earlier client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (url, reach) = base_url(&options.url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hubsync/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .timeout(options.timeout)
            // Half at most, so that a connection that can't be made is told from an answer that doesn't come.
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout / 2))
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .gzip(true);
        builder = match reach {
            Reach::Network => builder.https_only(true),
            Reach::Loopback => stay_here(builder),
        };
        let mut ca = None;
        if let Some(path) = &options.ca_file {
            builder = builder.tls_certs_merge(certificates(path)?);
            ca = Some(path);
        } else if url.scheme() == "http" {
            // Plain HTTP needs no certificates: the demo also runs on a machine that has none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| match ca {
            Some(path) => ClientError::NoCertificate { path: path.clone(), why: words(error) },
            None => ClientError::Setup(words(error)),
        })?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, timeout: options.timeout, long: Arc::new(Semaphore::new(1)) })
    }

    /// Sends `request` with the key and reads its answer. `body_text` is the body that a PATCH with a text sends; if it is
    /// not the one that was decided on, nothing is sent and the answer is `Stale`. A key that can't be a header can't be
    /// the hub's: `Unauthorized`, and nothing is sent either. `clock` is read right before and right after.
    pub async fn send(
        &self,
        key: &str,
        request: &Request,
        body_text: Option<&str>,
        clock: &(impl Fn() -> Now + Sync),
    ) -> Answer {
        let sent = clock();
        let answer = |date, body, ended| Answer { sent, ended, date, body };
        let Ok(call) = api::call(request, body_text) else { return answer(None, AnswerBody::Stale, clock()) };
        let cap = match request {
            Request::Get(_) | Request::Patch(_) | Request::Create(_) => PAGE_CAP,
            Request::List { .. } | Request::Names(..) | Request::Archive(_) => LIST_CAP,
        };
        let raw = self.exchange(key, &call, cap).await;
        let ended = clock();
        match raw {
            Ok(raw) => {
                let mut body = response::read(request, raw.status, &raw.headers, &raw.body, ended.wall);
                Veil::of(key).over_answer(&mut body);
                answer(raw.headers.date.as_deref().and_then(response::http_date), body, ended)
            }
            Err(body) => answer(None, body, ended),
        }
    }

    /// Asks whose key it is: the cheapest way to test one. One request of the budget.
    pub async fn workspace(&self, key: &str) -> Result<Workspace, WorkspaceError> {
        self.introduce(key).await.said.map_err(WorkspaceError::from)
    }

    /// The same, for whoever wants to know more exactly what came of it.
    pub async fn introduce(&self, key: &str) -> Introduction {
        let call = Call { method: Method::Get, path: "/workspace".to_owned(), query: Vec::new(), body: None };
        let found = self.exchange(key, &call, LIST_CAP).await;
        let date = found.as_ref().ok().and_then(|raw| raw.headers.date.as_deref()).and_then(response::http_date);
        let mut said = found.and_then(|raw| response::read_workspace(raw.status, &raw.headers, &raw.body));
        let veil = Veil::of(key);
        match &mut said {
            Ok(workspace) => {
                for text in [&mut workspace.id, &mut workspace.name, &mut workspace.url_slug] {
                    veil.over(text);
                }
            }
            Err(body) => veil.over_answer(body),
        }
        Introduction { said, date }
    }

    /// One request on the wire; a success is read up to `cap` bytes. The error is what the failure means.
    pub(super) async fn exchange(&self, key: &str, call: &Call, cap: usize) -> Result<Raw, AnswerBody> {
        let url = format!("{}{}", self.base, call.path);
        let mut builder = match call.method {
            Method::Get => self.http.get(url),
            Method::Patch => self.http.patch(url),
            Method::Post => self.http.post(url),
            Method::Delete => self.http.delete(url),
        };
        builder = builder.query(&call.query).bearer_auth(key);
        if let Some(json) = &call.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(json.clone());
        }
        // The address was checked and the rest is ours: only the key can keep a request from being built.
        let request = builder.build().map_err(|_| AnswerBody::Unauthorized(KeySource::Same))?;
        let response = self.http.execute(request).await.map_err(|error| self.failure(error))?;
        let (status, headers) = (response.status().as_u16(), headers(&response));
        let (body, long) = if (200..300).contains(&status) {
            self.success(response, cap).await?
        } else {
            (self.refusal(response).await?, None)
        };
        Ok(Raw { status, headers, body, _long: long })
    }

    /// The body of a success, whole.
    async fn success(
        &self,
        mut response: reqwest::Response,
        cap: usize,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), AnswerBody> {
        let (mut body, mut long) = (Vec::new(), None);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error))? {
            let length = body.len() + chunk.len();
            if length > cap {
                let what = format!("the answer is longer than {} MiB", cap >> 20);
                return Err(AnswerBody::Garbled { what });
            }
            if length > FREE && long.is_none() {
                // It is never closed; the one who holds it lets go within `hub.timeout`.
                long = Arc::clone(&self.long).acquire_owned().await.ok();
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body, long))
    }

    /// The body of an answer that is no success, or its beginning. Where the head alone says that nothing was done, a body
    /// that is cut or never ends changes nothing about it.
    async fn refusal(&self, mut response: reqwest::Response) -> Result<Vec<u8>, AnswerBody> {
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < REFUSAL_CAP {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(REFUSAL_CAP - body.len())]),
                Ok(None) => break,
                Err(_) if matches!(status, 300..=399 | 401 | 403 | 429) => break,
                Err(error) => return Err(self.failure(error)),
            }
        }
        Ok(body)
    }

    fn failure(&self, error: reqwest::Error) -> AnswerBody {
        if error.is_connect() {
            AnswerBody::Unsent { why: words(error) }
        } else if error.is_timeout() {
            AnswerBody::Lost { why: format!("no whole answer within {:?}", self.timeout) }
        } else {
            AnswerBody::Lost { why: words(error) }
        }
    }
}

impl From<AnswerBody> for WorkspaceError {
    fn from(body: AnswerBody) -> Self {
        match body {
            AnswerBody::Unauthorized(_) => Self::Unauthorized,
            AnswerBody::Forbidden { message } => Self::Forbidden(message),
            AnswerBody::RateLimited { .. } => Self::RateLimited,
            AnswerBody::Redirected { location } => Self::Redirected(location),
            AnswerBody::Unsent { why } | AnswerBody::Lost { why } => Self::Unreachable(why),
            AnswerBody::Garbled { what } => Self::NotTheHub(what),
            AnswerBody::ServerError { status } => Self::NotTheHub(format!("it answers {status}")),
            AnswerBody::Rejected { status, message, .. } => Self::NotTheHub(format!("it answers {status}: {message}")),
            AnswerBody::NotFound => Self::NotTheHub("it answers 404".to_owned()),
            AnswerBody::Page(_)
            | AnswerBody::Archived
            | AnswerBody::Rows(_)
            | AnswerBody::Folders(_)
            | AnswerBody::Skills(_)
            | AnswerBody::Sources(_)
            | AnswerBody::Unwritable { .. }
            | AnswerBody::Stale => Self::NotTheHub("it answers another question".to_owned()),
        }
    }
}

/// The address, checked: only `https`, or `http` to this machine by a name that can't be anywhere else.
fn base_url(text: &str) -> Result<(Url, Reach), ClientError> {
    let url =
        Url::parse(text.trim()).map_err(|_| ClientError::Url("not an address; it looks like https://host/path"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ClientError::Url("a user name or password in it is refused; the key goes into hub.api_key_file"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ClientError::Url("it must end with its path, without `?` or `#`"));
    }
    let reach = if is_loopback(&url) { Reach::Loopback } else { Reach::Network };
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Loopback) => Ok((url, reach)),
        ("http", Reach::Network) => Err(ClientError::Url(
            "plain http would show the key to everybody on the way; only a loopback address may use it",
        )),
        _ => Err(ClientError::Url("it must begin with https://")),
    }
}

/// A literal loopback address, or `localhost`, which [`stay_here`] pins to one.
fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn stay_here(builder: ClientBuilder) -> ClientBuilder {
    let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    builder.no_proxy().resolve_to_addrs("localhost", &here.map(|address| SocketAddr::new(address, 0)))
}

/// The certificates of a file. A file without any would otherwise be taken without a word.
fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let pem = std::fs::read(path).map_err(|source| ClientError::CaFileUnreadable { path: path.to_owned(), source })?;
    let refused = |why: String| ClientError::NoCertificate { path: path.to_owned(), why };
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| refused(words(error)))?;
    if found.is_empty() { Err(refused("there is no PEM block in it".to_owned())) } else { Ok(found) }
}

fn headers(response: &reqwest::Response) -> Headers {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let one = |name: HeaderName| response.headers().get(name).map(text);
    Headers {
        date: one(DATE),
        retry_after: response.headers().get_all(RETRY_AFTER).iter().map(text).collect(),
        content_type: one(CONTENT_TYPE),
        location: one(LOCATION),
    }
}

/// An error with its causes, each told once, without the address (whose query is nobody's business in a log).
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = next.source();
    }
    words
}

#[cfg(test)]
mod tests;
