//! What the bytes of an answer mean. Pure and total: any status, any headers, any bytes become an [`AnswerBody`], and none
//! of them panics.
//!
//! Success is 2xx, JSON, *our* id in it, and every field that decisions rest on. Whatever else comes with 2xx is
//! [`AnswerBody::Garbled`]: a captive portal's 200, a cut body, another page. A "no" is only believed where it has the
//! hub's own form (`{"error": …}`): a login page's 404 must not make a page look deleted.
//!
//! Called by `client`, and by tests. Texts of the hub in the results are foreign: cut here, escaped where they are shown.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api::{self, Deleted, FolderRow, PageDetail, PageRow, Paged, Ref, SkillRow, SourceRow};
use crate::engine::request::{AnswerBody, KeySource, Listed, Request};
use crate::page::{DraftSeen, Ids, ListKind, Lists, Page, PageId, Row, Text, Wall};
use crate::reconcile::names::{Folder, Skill, Source};

/// The hub's words are cut to so many characters.
const MESSAGE_CHARS: usize = 500;
/// Other foreign text (a content type, a parser's message, an address) is cut to so many characters.
const ASIDE_CHARS: usize = 200;
/// The shortest and the longest wait that a 429 can ask for, in milliseconds.
const RETRY_AFTER: std::ops::RangeInclusive<u64> = 1_000..=24 * 3_600_000;

/// The headers that mean something to us, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `Date`.
    pub date: Option<String>,
    /// Every `Retry-After` (a proxy may add its own).
    pub retry_after: Vec<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Location`.
    pub location: Option<String>,
}

/// What an answer to `request` means. `ended_wall` is our own clock when the answer was complete; it is used where the
/// answer has no `Date`.
pub fn read(request: &Request, status: u16, headers: &Headers, body: &[u8], ended_wall: Wall) -> AnswerBody {
    if !(200..300).contains(&status) {
        return refusal(status, headers, body, ended_wall);
    }
    let good = match request {
        Request::Get(id) => page(id, body, Asked::WithDraft),
        Request::Patch(patch) => page(&patch.page, body, Asked::WithoutDraft),
        Request::Create(create) => new_page(&create.post.title, body),
        Request::Archive(id) => archived(id, body),
        Request::List { .. } => list(body, row).map(AnswerBody::Rows),
        Request::Names(ListKind::Folders, _) => list(body, folder).map(AnswerBody::Folders),
        Request::Names(ListKind::Skills, _) => list(body, skill).map(AnswerBody::Skills),
        Request::Names(ListKind::Sources, _) => list(body, source).map(AnswerBody::Sources),
    };
    good.unwrap_or_else(|why| garbled(status, headers, body, &why))
}

/// Reads `GET /workspace`; the failure is one of the bodies that tell of something that went wrong. How long a 429 asks to
/// wait is only good where the answer has a `Date`.
pub fn read_workspace(status: u16, headers: &Headers, body: &[u8]) -> Result<api::Workspace, AnswerBody> {
    read_rows(status, headers, body)
}

/// Reads what no decision rests on; the failure as in [`read_workspace`].
pub(super) fn read_rows<T: DeserializeOwned>(status: u16, headers: &Headers, body: &[u8]) -> Result<T, AnswerBody> {
    if !(200..300).contains(&status) {
        return Err(refusal(status, headers, body, Wall::default()));
    }
    parse(body).map_err(|why| garbled(status, headers, body, &why))
}

/// Reads an HTTP date.
pub fn http_date(text: &str) -> Option<Wall> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text.trim()).ok().map(|time| Wall(time.as_millisecond()))
}

/// Whether `?include=draft` was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    WithDraft,
    WithoutDraft,
}

/// The error says what is missing and where, but repeats no value: that may be anybody's text.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        let words = error.to_string();
        let own = words.split('"').next().unwrap_or_default().trim_end();
        format!("{own} [{}:{}]", error.line(), error.column())
    })
}

fn page(id: &PageId, body: &[u8], asked: Asked) -> Result<AnswerBody, String> {
    let detail: PageDetail = parse(body)?;
    if detail.id != id.as_str() {
        return Err("it shows another page than the one asked for".to_owned());
    }
    Ok(detailed(id.clone(), detail, asked))
}

/// A page that was just made: it has the title that was sent, and an id that a document can name.
fn new_page(title: &str, body: &[u8]) -> Result<AnswerBody, String> {
    let detail: PageDetail = parse(body)?;
    let id = PageId::parse(&detail.id).map_err(|_| "its id is none that a document can name".to_owned())?;
    if detail.title.trim() != title.trim() {
        return Err("it shows another page than the one that was to be made".to_owned());
    }
    Ok(detailed(id, detail, Asked::WithoutDraft))
}

fn detailed(id: PageId, detail: PageDetail, asked: Asked) -> AnswerBody {
    // Never published is no version and no body. One of them alone is a live text.
    let live = (detail.content.is_some() || detail.version.is_some())
        .then(|| Text { title: detail.title.clone(), body: detail.content.unwrap_or_default() });
    let draft = match (asked, detail.draft) {
        (Asked::WithoutDraft, _) => DraftSeen::NotAsked,
        (Asked::WithDraft, None) => DraftSeen::None,
        (Asked::WithDraft, Some(draft)) => {
            let title = draft.title.unwrap_or_else(|| detail.title.clone());
            let text = Text { title, body: draft.content.unwrap_or_default() };
            if live.as_ref() == Some(&text) { DraftSeen::None } else { DraftSeen::Some(text) }
        }
    };
    AnswerBody::Page(Box::new(Page {
        id,
        status: api::page_status(&detail.status, detail.version),
        title: detail.title,
        version: detail.version,
        updated_at: detail.updated_at,
        lists: Lists {
            folders: Some(ids(detail.folders)),
            skills: Some(ids(detail.skills)),
            sources: Some(ids(detail.sources)),
        },
        live,
        draft,
    }))
}

fn archived(id: &PageId, body: &[u8]) -> Result<AnswerBody, String> {
    let done: Deleted = parse(body)?;
    if done.id != id.as_str() || !done.deleted {
        return Err("it does not say that this page is archived".to_owned());
    }
    Ok(AnswerBody::Archived)
}

fn ids(refs: Vec<Ref>) -> Ids {
    refs.into_iter().map(|each| each.id).collect()
}

fn list<R: DeserializeOwned, T>(body: &[u8], take: impl Fn(R) -> Option<T>) -> Result<Listed<T>, String> {
    let paged: Paged<R> = parse(body)?;
    Ok(Listed {
        rows: paged.data.into_iter().filter_map(take).collect(),
        total_count: paged.pagination.total_count,
        total_pages: paged.pagination.total_pages,
    })
}

/// `None` for a page whose id no document can name: it can't concern us, and must not stop the list.
fn row(row: PageRow) -> Option<Row> {
    Some(Row {
        id: PageId::parse(&row.id).ok()?,
        status: api::page_status(&row.status, row.version),
        title: row.title,
        version: row.version,
        updated_at: row.updated_at,
        folders: ids(row.folders),
        skills: ids(row.skills),
    })
}

fn folder(row: FolderRow) -> Option<Folder> {
    Some(Folder { id: row.id, name: row.name, parent: row.parent })
}

fn skill(row: SkillRow) -> Option<Skill> {
    Some(Skill { id: row.id, name: row.name, slug: row.slug })
}

fn source(row: SourceRow) -> Option<Source> {
    Some(Source { id: row.id, title: row.title, url: row.external_url })
}

/// An answer that is no success.
fn refusal(status: u16, headers: &Headers, body: &[u8], ended_wall: Wall) -> AnswerBody {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let said = json.as_ref().and_then(HubError::find);
    match status {
        300..400 => AnswerBody::Redirected { location: headers.location.as_deref().map(address) },
        401 => AnswerBody::Unauthorized(KeySource::Same),
        403 => AnswerBody::Forbidden {
            message: said.map_or_else(|| "it does not say why".to_owned(), |said| said.message),
        },
        404 | 410 if said.is_some() || body.is_empty() => AnswerBody::NotFound,
        408 | 425 | 500..600 => AnswerBody::ServerError { status },
        429 => AnswerBody::RateLimited { retry_after: retry_after(headers, json.as_ref(), ended_wall) },
        400..500 => match said {
            Some(said) => AnswerBody::Rejected { status, code: said.code, message: said.message },
            None => garbled(status, headers, body, "no error in the hub's form"),
        },
        _ => garbled(status, headers, body, "no status that the hub uses"),
    }
}

/// The hub's own way of saying no.
struct HubError {
    code: Option<String>,
    message: String,
}

impl HubError {
    /// `{"error": {"type", "code"?, "message"}}`; also a bare text under `error`.
    fn find(json: &Value) -> Option<Self> {
        let error = json.get("error")?;
        fn text(value: Option<&Value>) -> Option<&str> {
            value.and_then(Value::as_str).filter(|text| !text.is_empty())
        }
        if let Some(message) = text(Some(error)) {
            return Some(Self { code: None, message: cut(message, MESSAGE_CHARS) });
        }
        if !error.is_object() {
            return None;
        }
        let message = text(error.get("message")).or_else(|| text(error.get("type"))).unwrap_or("it does not say why");
        let code = text(error.get("code")).map(|code| cut(code, ASIDE_CHARS));
        Some(Self { code, message: cut(message, MESSAGE_CHARS) })
    }
}

/// The longest of all the waits that a 429 names, in milliseconds; what makes no sense is not counted.
fn retry_after(headers: &Headers, json: Option<&Value>, ended_wall: Wall) -> Option<u64> {
    let from = headers.date.as_deref().and_then(http_date).unwrap_or(ended_wall);
    let in_headers = headers.retry_after.iter().filter_map(|text| wait_in_text(text, from));
    let places = json.map(|json| [json.get("retry_after"), json.pointer("/error/retry_after")]);
    let in_body = places.into_iter().flatten().flatten().filter_map(|value| match value {
        Value::Number(number) => number.as_f64().and_then(wait_in_seconds),
        Value::String(text) => wait_in_text(text, from),
        _ => None,
    });
    let longest = in_headers.chain(in_body).max()?;
    Some(longest.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end()))
}

/// Plain decimal seconds, or an HTTP date. An HTTP date is cut to whole seconds, so the moment meant can be a second later.
fn wait_in_text(text: &str, from: Wall) -> Option<u64> {
    let text = text.trim();
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return text.parse().ok().and_then(wait_in_seconds);
    }
    let until = http_date(text)?.plus(1_000);
    Some(u64::try_from(until.0.saturating_sub(from.0)).unwrap_or(0))
}

/// `None` for a negative number. A cast from a float saturates; what is too long is cut by the caller.
fn wait_in_seconds(seconds: f64) -> Option<u64> {
    (seconds >= 0.0).then(|| (seconds * 1_000.0).ceil() as u64)
}

/// Says what is wrong without repeating what may be a whole login page.
fn garbled(status: u16, headers: &Headers, body: &[u8], why: &str) -> AnswerBody {
    let kind = headers.content_type.as_deref().map_or_else(|| "no content type".to_owned(), |kind| cut(kind, 60));
    let what = format!("{status}, {kind}, {} bytes: {}", body.len(), cut(why, ASIDE_CHARS));
    AnswerBody::Garbled { what }
}

/// An address without what may be secret in it.
fn address(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    cut(&location[..end], ASIDE_CHARS)
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
