//! What becomes of a request on its way: applied or not, answered by the hub or by something else, or not at all.
//!
//! Answers pass as bytes through `hub/response`, as those of a real hub do.

use hubsync::engine::Input;
use hubsync::engine::request::{Answer, AnswerBody, KeySource};
use hubsync::hub::response;
use hubsync::page::Wall;
use hubsync::sandbox;

use super::world::{Arrival, Flight, Late, World, short};

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is applied and its answer arrives.
    Answered,
    /// It is applied, then its connection ends.
    AnswerLost,
    /// Its connection ends, and it never arrives.
    Cut,
    /// Its connection ends, and it arrives so many milliseconds later.
    Late(u64),
    /// The connection is never made.
    Unsent,
    /// A gateway answers with this status; the hub never sees it.
    Gateway(u16),
    /// It is applied; then a gateway answers with this status.
    AppliedGateway(u16),
    /// 429; the hub does not count it.
    Limited(RetryAfter),
    /// 200 and a login page; the hub never sees it.
    Portal,
    /// It is applied; what comes back is 200 and a login page.
    AppliedPortal,
    /// It is applied; what comes back is 200 and nothing.
    AppliedEmpty,
    /// It is applied; half of the answer comes back as if it were whole.
    AppliedHalf,
    /// It is applied; the answer shows another page.
    AppliedOther,
    /// The hub says that it will never take this.
    Rejected,
    /// 403.
    Forbidden,
    /// Somebody else's 404, in HTML.
    NotFoundPage,
    /// To another address.
    Redirected(u16),
}

/// How a 429 says how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    Seconds(i64),
    Date(i64),
    /// Seconds and a half.
    Float(i64),
    InBody(i64),
    InError(i64),
    /// A header and a body that names more.
    Both(i64),
    Year2099,
    Negative,
    Junk,
    Absent,
}

impl RetryAfter {
    /// So many milliseconds it names, at least.
    pub fn named(self) -> Option<i64> {
        match self {
            Self::Seconds(s) | Self::Date(s) | Self::InBody(s) | Self::InError(s) => Some(s * 1_000),
            Self::Float(s) => Some(s * 1_000 + 500),
            Self::Both(s) => Some(s * 1_000 + 7_000),
            Self::Year2099 => Some(86_400_000),
            Self::Negative | Self::Junk | Self::Absent => None,
        }
    }

    fn response(self, now: sandbox::Time) -> sandbox::Response {
        let plain = |more: serde_json::Value| {
            let mut error = serde_json::json!({"error": {"type": "rate_limited", "message": "too many"}});
            error.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            sandbox::Response::json(now, 429, &error)
        };
        let header = |text: &str| plain(serde_json::json!({})).with("Retry-After", text);
        match self {
            Self::Seconds(s) => header(&s.to_string()),
            Self::Date(s) => header(&now.plus(s * 1_000_000).http_date()),
            Self::Float(s) => header(&format!("{s}.5")),
            Self::InBody(s) => plain(serde_json::json!({ "retry_after": s })),
            Self::InError(s) => plain(serde_json::json!({"error": {"type": "rate_limited", "retry_after": s}})),
            Self::Both(s) => plain(serde_json::json!({"retry_after": s + 7})).with("Retry-After", &s.to_string()),
            Self::Year2099 => header("Thu, 01 Jan 2099 00:00:00 GMT"),
            Self::Negative => header("-5"),
            Self::Junk => header("120junk"),
            Self::Absent => plain(serde_json::json!({})),
        }
    }
}

impl World {
    pub(super) fn answered_with(&mut self, flight: Flight, response: sandbox::Response) {
        let ended = self.now();
        let header = |name: &str| response.header(name).map(str::to_owned);
        let headers = response::Headers {
            date: header("Date").filter(|_| !self.no_date),
            retry_after: header("Retry-After").into_iter().collect(),
            content_type: header("Content-Type"),
            location: header("Location"),
        };
        let mut body = response::read(&flight.request, response.status, &headers, &response.body, ended.wall);
        if matches!(body, AnswerBody::Unauthorized(_)) {
            // It left with a key that may have been replaced since.
            let refused = flight.travels.authorization.clone().unwrap_or_default().replace("Bearer ", "");
            let source = if self.key_source == refused { KeySource::Same } else { KeySource::Renewed };
            self.watch.key_refused(&refused, &self.key_source);
            if std::mem::replace(&mut self.key, self.key_source.clone()) != self.key_source {
                self.handle(Input::KeyRenewed);
            }
            body = AnswerBody::Unauthorized(source);
        }
        let date = headers.date.as_deref().and_then(response::http_date);
        self.trace.push(format!("answer {} {}", response.status, short(&flight.request)));
        self.watch.looked(&flight.request, &body, flight.sent_at);
        self.end(flight, body, date);
    }

    fn end(&mut self, flight: Flight, body: AnswerBody, date: Option<Wall>) {
        let ended = self.now();
        let slot = self.slots.remove(&flight.id).unwrap();
        if let (AnswerBody::Lost { .. } | AnswerBody::ServerError { .. } | AnswerBody::Garbled { .. }, Some(page)) =
            (&body, flight.writes_to())
        {
            self.watch.lost.insert(page);
        }
        match &body {
            AnswerBody::Unsent { .. } => {
                self.never_sent(slot);
                self.watch.never_left(flight.sent_at);
            }
            AnswerBody::RateLimited { retry_after: Some(ms) } => {
                self.slot_answered(slot);
                self.pause(i64::try_from(*ms).unwrap());
            }
            _ => self.slot_answered(slot),
        }
        self.handle(Input::Answered(flight.id, Answer { sent: flight.sent, ended, date, body }));
    }

    /// The connection of the `n`th request ends without an answer; if it has not arrived yet it never does.
    pub fn lose_nth(&mut self, n: usize) {
        let flight = self.flights.remove(n).expect("a request is under way");
        self.trace.push(format!("lost {}", short(&flight.request)));
        self.end(flight, AnswerBody::Lost { why: "connection reset".to_owned() }, None);
    }

    pub fn lose(&mut self) {
        self.lose_nth(0);
    }

    /// The connection ends now, and the request arrives `ms` later all the same.
    pub fn late_nth(&mut self, n: usize, ms: i64) {
        assert!(self.flights[n].arrived.is_none(), "it has arrived");
        let flight = &self.flights[n];
        let (request, looked) = (flight.travels.clone(), flight.looked);
        self.late.push(Late { at: self.time + ms, request, looked });
        self.lose_nth(n);
    }

    /// Something that is not the hub answers.
    fn instead(&mut self, n: usize, response: sandbox::Response) {
        let flight = self.flights.remove(n).expect("a request is under way");
        if flight.arrived.is_none() {
            self.hub.note(self.hub_time(), &flight.travels, response.status, "on the way");
        }
        self.answered_with(flight, response);
    }

    pub fn gateway(&mut self, n: usize, status: u16) {
        let html = b"<html>Bad gateway</html>".to_vec();
        self.instead(n, sandbox::Response::new(self.hub_time(), status, "text/html", html));
    }

    fn error(&self, status: u16, kind: &str) -> sandbox::Response {
        let error = serde_json::json!({"error": {"type": kind, "message": "so it is"}});
        sandbox::Response::json(self.hub_time(), status, &error)
    }

    /// The hub's own answer with another body.
    fn applied(&mut self, n: usize, body: impl FnOnce(&[u8]) -> Vec<u8>) {
        self.arrived(n);
        let flight = self.flights.remove(n).unwrap();
        let mut response = flight.arrived.clone().unwrap();
        if response.status == 200 || response.status == 201 {
            response.body = body(&response.body);
        }
        self.answered_with(flight, response);
    }

    fn arrived(&mut self, n: usize) {
        if !self.flights[n].has_arrived() {
            self.apply_nth(n);
        }
    }

    /// The first request under way meets its fate.
    pub fn meet(&mut self, fate: Fate) {
        self.meet_nth(0, fate);
    }

    pub fn meet_nth(&mut self, n: usize, fate: Fate) {
        self.trace.push(format!("{fate:?}"));
        match fate {
            Fate::Answered => {
                self.arrived(n);
                self.tick(5);
                self.answer_nth(n);
            }
            Fate::AnswerLost => {
                self.arrived(n);
                self.tick(5);
                self.lose_nth(n);
            }
            Fate::Cut => self.lose_nth(n),
            Fate::Late(ms) => self.late_nth(n, i64::try_from(ms).unwrap()),
            Fate::Unsent => {
                let flight = self.flights.remove(n).unwrap();
                self.end(flight, AnswerBody::Unsent { why: "connection refused".to_owned() }, None);
            }
            Fate::Gateway(status) => self.gateway(n, status),
            Fate::AppliedGateway(status) => {
                self.arrived(n);
                self.gateway(n, status);
            }
            Fate::Limited(retry_after) => {
                // A date says nothing to whose own clock is wrong, where the answer does not bring the hub's.
                let tells = !(self.no_date && self.skew != 0 && matches!(retry_after, RetryAfter::Date(_)));
                self.watch.told_to_wait(self.time, retry_after.named().filter(|_| tells));
                self.instead(n, retry_after.response(self.hub_time()));
            }
            Fate::Portal => self.gateway(n, 200),
            Fate::AppliedPortal => self.applied(n, |_| b"<html>Please log in</html>".to_vec()),
            Fate::AppliedEmpty => self.applied(n, |_| Vec::new()),
            Fate::AppliedHalf => self.applied(n, |body| body[..body.len() / 2].to_vec()),
            Fate::AppliedOther => self
                .applied(n, |body| String::from_utf8_lossy(body).replacen("\"id\":\"p", "\"id\":\"q", 1).into_bytes()),
            Fate::Rejected => self.instead(n, self.error(400, "invalid_request")),
            Fate::Forbidden => self.instead(n, self.error(403, "authorization_error")),
            Fate::NotFoundPage => self.gateway(n, 404),
            Fate::Redirected(status) => {
                let response = sandbox::Response::new(self.hub_time(), status, "text/html", Vec::new());
                self.instead(n, response.with("Location", "https://elsewhere.example/"));
            }
        }
    }
}

/// Whether a request that meets this fate reached the hub.
impl Fate {
    pub fn arrives_first(&self) -> bool {
        matches!(
            self,
            Self::Answered
                | Self::AnswerLost
                | Self::AppliedGateway(_)
                | Self::AppliedPortal
                | Self::AppliedEmpty
                | Self::AppliedHalf
                | Self::AppliedOther
        )
    }
}

impl Arrival {
    pub fn is_late(self) -> bool {
        self == Self::Late
    }
}
