//! What an answer means for the request that it answers. Pure and total: every kind of answer to every kind of request
//! falls into one [`Outcome`], and the engine only ever sees those.
//!
//! One question decides everything here: *can it have been applied?* A read never changes anything, so a failed read is
//! simply asked again. A write is only taken as not applied where the hub itself said no, or where nothing left this
//! machine; all else is in doubt and looked up before it is sent again (promise 3).

use crate::engine::request::{Answer, AnswerBody, KeySource, Request};
use crate::page::{ListKind, PageStatus};
use crate::reason::Code;

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is what was asked for; the data in the answer is good.
    Done,
    /// The hub has no such page, or it is archived. Only for requests about one page.
    Absent,
    /// The hub will never take this: nothing was applied, and the same again is refused again.
    Rejected {
        /// The hub's own code.
        code: Option<String>,
        /// Cause and cure.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// A read failed: nothing was applied, ask again later.
    Retry {
        /// Why.
        code: Code,
        /// Cause and cure.
        message: String,
    },
    /// A write that may have been applied, or may still be on its way: look before it is sent again.
    InDoubt {
        /// Why.
        code: Code,
        /// Cause and cure.
        message: String,
    },
    /// Nothing was applied, and nothing is to be sent to this hub for a while.
    Pause {
        /// For how many milliseconds, counted from the end of the answer; `None`: the hub did not say.
        for_ms: Option<u64>,
        /// Cause and cure.
        message: String,
    },
    /// Nothing was applied: the key was refused.
    Unauthorized(KeySource),
    /// Nothing was applied: the key is known, but may not do this, or the workspace is inactive.
    Forbidden {
        /// Cause and cure.
        message: String,
    },
    /// Nothing was applied: something answered that points elsewhere. Never followed.
    Redirected {
        /// Cause and cure.
        message: String,
    },
    /// Nothing was read: what answers there doesn't know the hub's lists.
    NotTheHub {
        /// Cause and cure.
        message: String,
    },
    /// No connection was made: nothing was sent, its slot of the budget is free again.
    Unreachable {
        /// Cause and cure.
        message: String,
    },
    /// The file is no longer what was decided on: nothing was sent, plan again.
    Stale,
    /// The id of a new page could not be written into its file: nothing was sent.
    Unwritable {
        /// Cause and cure.
        message: String,
    },
}

/// What `answer` means for `request`.
pub fn outcome(request: &Request, answer: &Answer) -> Outcome {
    match &answer.body {
        // What is archived can be read but not be brought back by us: it is as good as gone (decide.md).
        AnswerBody::Page(page) if is_for(request, &answer.body) => match page.status {
            PageStatus::Archived if makes_a_page(request) => garbled(request, "a new page is archived"),
            PageStatus::Archived => Outcome::Absent,
            PageStatus::Draft | PageStatus::Published => Outcome::Done,
        },
        AnswerBody::Archived
        | AnswerBody::Rows(_)
        | AnswerBody::Folders(_)
        | AnswerBody::Skills(_)
        | AnswerBody::Sources(_)
            if is_for(request, &answer.body) =>
        {
            Outcome::Done
        }
        AnswerBody::Page(_)
        | AnswerBody::Archived
        | AnswerBody::Rows(_)
        | AnswerBody::Folders(_)
        | AnswerBody::Skills(_)
        | AnswerBody::Sources(_) => garbled(request, "it answers another question than the one that was asked"),
        AnswerBody::NotFound if is_about_one_page(request) => Outcome::Absent,
        // It knows the endpoint: its list is read there. Something that the page names is not there.
        AnswerBody::NotFound if makes_a_page(request) => rejected(request, 404, None, "not found"),
        AnswerBody::NotFound => {
            Outcome::NotTheHub { message: "the hub does not know its own list (404): check hub.url".to_owned() }
        }
        AnswerBody::Rejected { status, code, message } => rejected(request, *status, code.as_deref(), message),
        AnswerBody::RateLimited { retry_after } => {
            Outcome::Pause { for_ms: *retry_after, message: rate_limited(*retry_after) }
        }
        AnswerBody::Unauthorized(source) => Outcome::Unauthorized(*source),
        AnswerBody::Forbidden { message } => Outcome::Forbidden {
            message: format!("the hub forbids it (403): {message}; check the key's workspace and that it is active"),
        },
        AnswerBody::Redirected { location } => Outcome::Redirected { message: redirected(location.as_deref()) },
        AnswerBody::ServerError { status } => failed(
            request,
            Code::ServerError,
            format!("the hub has a fault of its own ({status}); it is tried again by itself"),
        ),
        AnswerBody::Garbled { what } => garbled(request, what),
        AnswerBody::Unsent { why } => {
            Outcome::Unreachable { message: format!("the hub can't be reached: {why}; check the network and hub.url") }
        }
        AnswerBody::Lost { why } => failed(
            request,
            Code::HubUnreachable,
            format!("the connection to the hub ended without an answer: {why}; it is tried again by itself"),
        ),
        AnswerBody::Stale => Outcome::Stale,
        AnswerBody::Unwritable { why } => Outcome::Unwritable { message: why.clone() },
    }
}

/// Whether this kind of good answer is what this kind of request asked for.
fn is_for(request: &Request, body: &AnswerBody) -> bool {
    match (request, body) {
        (Request::Get(id), AnswerBody::Page(page)) => page.id == *id,
        (Request::Patch(patch), AnswerBody::Page(page)) => page.id == patch.page,
        (Request::Create(_), AnswerBody::Page(_))
        | (Request::Archive(_), AnswerBody::Archived)
        | (Request::List { .. }, AnswerBody::Rows(_))
        | (Request::Names(ListKind::Folders, _), AnswerBody::Folders(_))
        | (Request::Names(ListKind::Skills, _), AnswerBody::Skills(_))
        | (Request::Names(ListKind::Sources, _), AnswerBody::Sources(_)) => true,
        _ => false,
    }
}

fn is_about_one_page(request: &Request) -> bool {
    match request {
        Request::Get(_) | Request::Patch(_) | Request::Archive(_) => true,
        Request::List { .. } | Request::Names(..) | Request::Create(_) => false,
    }
}

fn makes_a_page(request: &Request) -> bool {
    matches!(request, Request::Create(_))
}

/// A fault after which nobody knows: a read is asked again, a write is in doubt.
fn failed(request: &Request, code: Code, message: String) -> Outcome {
    match request {
        Request::Patch(_) | Request::Create(_) | Request::Archive(_) => {
            Outcome::InDoubt { code: Code::InDoubt, message }
        }
        Request::Get(_) | Request::List { .. } | Request::Names(..) => Outcome::Retry { code, message },
    }
}

fn garbled(request: &Request, what: &str) -> Outcome {
    let message =
        format!("what answered does not look like the hub: {what}; a proxy or a login page may be in between");
    failed(request, Code::ServerError, message)
}

/// A page that is refused is that page's trouble. A list that is refused is no document's fault: it is asked again.
fn rejected(request: &Request, status: u16, code: Option<&str>, message: &str) -> Outcome {
    if is_about_one_page(request) || makes_a_page(request) {
        let message = if message.is_empty() { format!("status {status}") } else { format!("{message} ({status})") };
        Outcome::Rejected { code: code.map(str::to_owned), message, status }
    } else {
        Outcome::Retry { code: Code::ServerError, message: format!("the hub refuses it ({status}): {message}") }
    }
}

fn rate_limited(retry_after: Option<u64>) -> String {
    let when = retry_after
        .map_or_else(|| "and does not say for how long".to_owned(), |ms| format!("for {} s", ms.div_ceil(1000)));
    format!(
        "the workspace has used up its requests (429), the hub asks to wait {when}; others may be using the same limit"
    )
}

fn redirected(location: Option<&str>) -> String {
    let to = location.map(|location| format!(" to {location}")).unwrap_or_default();
    format!("the hub answers with a redirect{to}, which is never followed with the key: correct hub.url")
}

#[cfg(test)]
mod tests;
