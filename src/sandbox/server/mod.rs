//! The sockets of a sandbox: carries requests to the model, and carries faults out.
//!
//! Answers only to a loopback `Host`, so that no foreign web page reaches it under a name of its own (DNS rebinding).

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the server is the shell: it reads the clock and waits"
)]

mod connection;

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, State};
use axum::http::{HeaderMap, HeaderName, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::connection::{Connections, Hangup};
use super::faults::{Fault, Faults};
use super::model::{Model, Request, Response, Time};
use super::{colleague, overview};

/// The largest body of a request, in bytes.
pub const BODY_LIMIT: usize = 16 << 20;
/// How long running requests may go on once the server was told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// The hub, and what goes wrong on the way to it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The hub.
    pub model: Model,
    /// What goes wrong.
    pub faults: Faults,
}

impl Hub {
    /// A hub and its faults.
    #[must_use]
    pub fn new(model: Model, faults: Faults) -> Hub {
        Hub { model, faults }
    }
}

/// A handle on a hub that is served; cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedHub(Arc<Mutex<Hub>>);

impl SharedHub {
    /// Shares a hub.
    #[must_use]
    pub fn new(hub: Hub) -> SharedHub {
        SharedHub(Arc::new(Mutex::new(hub)))
    }

    /// The hub, to be looked at or changed. Nothing is answered while this is held: don't hold it over an await.
    pub fn lock(&self) -> MutexGuard<'_, Hub> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time of the machine's clock.
#[must_use]
pub fn clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Serves the hub until `shutdown`; then ends what is still running within a second.
pub async fn serve(listener: TcpListener, hub: SharedHub, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
    let app = Router::new().fallback(answer).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(hub);
    let (stop, stopped) = oneshot::channel::<()>();
    let service = app.into_make_service_with_connect_info::<Hangup>();
    let server = axum::serve(Connections::new(listener), service).with_graceful_shutdown(async move {
        // An error means that the sender is gone: stop as well.
        let _ = stopped.await;
    });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown => {}
    }
    let _ = stop.send(());
    // Past the grace the sockets close with the runtime.
    tokio::time::timeout(GRACE, server).await.unwrap_or(Ok(()))
}

async fn answer(
    State(hub): State<SharedHub>,
    ConnectInfo(hangup): ConnectInfo<Hangup>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let response = match read(request).await {
        Ok(request) => route(&hub, &hangup, &request).await,
        Err(refusal) => refusal,
    };
    into_http(response)
}

/// The request as the model takes it, or what is answered to one that it should not see.
async fn read(request: axum::extract::Request) -> Result<Request, Response> {
    let head = read_head(&request)?;
    // Refused with 413 past the limit, with 400 where the body is broken.
    let body = Bytes::from_request(request, &()).await;
    let body = body.map_err(|refused| error(refused.status().as_u16(), &refused.body_text()))?.to_vec();
    Ok(Request { body, ..head })
}

/// All of a request but its body.
fn read_head(request: &axum::extract::Request) -> Result<Request, Response> {
    if !is_for_loopback(request) {
        return Err(error(421, "This sandbox answers to localhost only"));
    }
    let text = |name| header_text(request.headers(), &name);
    let announced = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(error(413, "The body is larger than 16 MiB"));
    }
    Ok(Request {
        method: request.method().as_str().to_owned(),
        target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        authorization: text(header::AUTHORIZATION),
        content_type: text(header::CONTENT_TYPE),
        body: Vec::new(),
    })
}

async fn route(hub: &SharedHub, hangup: &Hangup, request: &Request) -> Response {
    let path = request.target.split('?').next().unwrap_or_default();
    if path == "/" && request.method == "GET" {
        return overview::answer(&hub.lock(), clock());
    }
    if path.starts_with(colleague::PREFIX) {
        return colleague::answer(&mut hub.lock(), clock(), request);
    }
    let is_api = path.starts_with("/rest/v1/");
    let fault = if is_api { hub.lock().faults.next(request) } else { None };
    match fault {
        None => hub.lock().model.handle(clock(), request),
        Some(fault) => misbehave(hub, hangup, request, fault).await,
    }
}

/// Carries a fault out.
async fn misbehave(hub: &SharedHub, hangup: &Hangup, request: &Request, fault: Fault) -> Response {
    let now = clock();
    if !fault.reaches_the_hub() {
        let response = match fault {
            Fault::RateLimit(seconds) => Response::rate_limited(now, i64::try_from(seconds).unwrap_or(i64::MAX)),
            Fault::ErrorBefore(status) => gateway(now, status),
            Fault::Html => portal(now),
            _ => hangup.reset(now),
        };
        hub.lock().model.note(now, request, response.status, &fault.to_string());
        return response;
    }
    if let Fault::DelayBefore(ms) = fault {
        wait(ms).await;
    }
    let response = {
        let model = &mut hub.lock().model;
        let response = model.handle(clock(), request);
        model.note_fault(&fault.to_string());
        response
    };
    match fault {
        Fault::DelayAfter(ms) => {
            wait(ms).await;
            response
        }
        Fault::ErrorAfter(status) => gateway(now, status),
        Fault::DropAfter => hangup.reset(now),
        Fault::Cut => hangup.cut(response),
        _ => response,
    }
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn gateway(now: Time, status: u16) -> Response {
    let body =
        format!("<html><head><title>{status}</title></head><body><h1>{status} from the gateway</h1></body></html>\n");
    Response::new(now, status, "text/html", body.into_bytes())
}

fn portal(now: Time) -> Response {
    Response::new(
        now,
        200,
        "text/html",
        b"<html><body><h1>Welcome! Please log in to use this network.</h1></body></html>\n".into(),
    )
}

fn error(status: u16, message: &str) -> Response {
    Response::json(clock(), status, &json!({"error": {"type": "invalid_request", "message": message}}))
}

/// Whether the request was meant for this machine: by the authority of its target where it has one, else by its `Host`.
fn is_for_loopback(request: &axum::extract::Request) -> bool {
    let host = header_text(request.headers(), &header::HOST).unwrap_or_default();
    let host = request.uri().authority().map_or(host.as_str(), |authority| authority.as_str());
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn into_http(response: Response) -> axum::response::Response {
    let mut http = axum::response::Response::builder().status(response.status);
    for (name, value) in response.headers {
        http = http.header(name, value);
    }
    // Only the answer of a connection that is reset has no status HTTP knows, and that is never written.
    http.body(Body::from(response.body)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
