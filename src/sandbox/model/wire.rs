//! What travels: requests in, answers out, and each kind of refusal as the vendor writes it.

use serde_json::{Value, json};

use super::time::Time;

/// A request as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Path and query as on the wire.
    pub target: String,
    /// The header of that name.
    pub authorization: Option<String>,
    /// The header of that name.
    pub content_type: Option<String>,
    /// All of it.
    pub body: Vec<u8>,
}

/// An answer, complete but for what HTTP itself adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names and values; `Date` and `Content-Type` are always among them.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer in JSON.
    #[must_use]
    pub fn json(now: Time, status: u16, value: &Value) -> Response {
        Response::new(now, status, "application/json", value.to_string().into_bytes())
    }

    /// An answer of any kind.
    #[must_use]
    pub fn new(now: Time, status: u16, content_type: &str, body: Vec<u8>) -> Response {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned()), ("Date".to_owned(), now.http_date())];
        Response { status, headers, body }
    }

    /// A 429 as the hub writes it.
    #[must_use]
    pub fn rate_limited(now: Time, retry_after: i64) -> Response {
        let value = json!({
            "error": {"type": "rate_limited", "message": format!("Rate limit exceeded. Try again in {retry_after} seconds.")},
            "retry_after": retry_after,
        });
        Response::json(now, 429, &value).with("Retry-After", &retry_after.to_string())
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the hub did: a status of success, and what it says.
pub(super) struct Done {
    pub status: u16,
    pub value: Value,
}

impl Done {
    pub fn ok(value: Value) -> Done {
        Done { status: 200, value }
    }

    pub fn created(value: Value) -> Done {
        Done { status: 201, value }
    }
}

/// Why the hub did nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// 400: the request makes no sense, and why.
    Invalid { code: &'static str, message: String },
    /// 401: no key, or a wrong one.
    Unauthorized,
    /// 403: the workspace is closed.
    Inactive,
    /// 404: there is no such thing.
    NotFound { what: &'static str, id: String },
    /// 404: there is no such path.
    NoSuchPath,
    /// 405: the path takes other methods.
    Method { allow: &'static str },
    /// 429: too many requests; after how many seconds there is room.
    RateLimited { retry_after: i64 },
}

impl Refusal {
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::Invalid { code, message: message.into() }
    }

    fn response(&self, now: Time) -> Response {
        let say = |status, kind: &str, code: Option<&str>, message: &str| {
            let mut error = json!({"type": kind, "message": message});
            if let Some(code) = code {
                error["code"] = json!(code);
            }
            Response::json(now, status, &json!({"error": error}))
        };
        match self {
            Refusal::Invalid { code, message } => say(400, "invalid_request", Some(code), message),
            Refusal::Unauthorized => {
                say(401, "authentication_error", Some("invalid_api_key"), "Invalid or inactive API key")
                    .with("WWW-Authenticate", "Bearer")
            }
            Refusal::Inactive => say(403, "authorization_error", Some("workspace_inactive"), "Workspace is inactive"),
            Refusal::NotFound { what, id } => say(404, "not_found", None, &format!("{what} not found: {id}")),
            Refusal::NoSuchPath => say(404, "not_found", None, "There is nothing at this path"),
            Refusal::Method { allow } => {
                say(405, "invalid_request", Some("method_not_allowed"), &format!("This path takes {allow}"))
                    .with("Allow", allow)
            }
            Refusal::RateLimited { retry_after } => Response::rate_limited(now, *retry_after),
        }
    }
}

/// The answer as it travels.
pub(super) fn response(now: Time, answered: Result<Done, Refusal>) -> Response {
    match answered {
        Ok(done) => Response::json(now, done.status, &done.value),
        Err(refusal) => refusal.response(now),
    }
}
