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
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
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
    let app = Router::new().fallback(answer).with_state(hub);
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
    let (head, body) = request.into_parts();
    if !is_loopback(&head.headers) {
        return Err(error(421, "invalid_request", "This sandbox answers to localhost only"));
    }
    let text = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (authorization, content_type) = (text(header::AUTHORIZATION), text(header::CONTENT_TYPE));
    let announced = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let too_large = || error(413, "invalid_request", "The body is larger than 16 MiB");
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    // What fails here is too long, or its client has gone and reads no answer.
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| too_large())?.to_vec();
    Ok(Request { method: head.method.as_str().to_owned(), target, authorization, content_type, body })
}

async fn route(hub: &SharedHub, hangup: &Hangup, request: &Request) -> Response {
    let path = request.target.split('?').next().unwrap_or_default();
    if path == "/" && request.method == "GET" {
        return overview::answer(&hub.lock(), clock());
    }
    if path.starts_with(colleague::PREFIX) {
        return colleague::answer(&mut hub.lock(), clock(), request);
    }
    let fault = hub.lock().faults.next(request);
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

fn error(status: u16, kind: &str, message: &str) -> Response {
    Response::json(clock(), status, &json!({"error": {"type": kind, "message": message}}))
}

/// Whether the request was meant for this machine.
fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
