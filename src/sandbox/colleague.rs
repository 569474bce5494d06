//! Acting as somebody else in the hub, over HTTP: `/_sandbox/…`, JSON, without key and limits.
//!
//! Pure like the model: a request in, an answer out. A body has to say `application/json`, so that no foreign web page can
//! send one through a browser without being asked first.

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Faults, Rule};
use super::model::{
    Act, ActError, Model, NewPage, Owner, Page, Request, Response, State, Status, Time, Visibility, is_json,
};
use super::server::Hub;

/// Where these endpoints begin.
pub const PREFIX: &str = "/_sandbox/";

/// Why a request was not carried out.
enum Refusal {
    Bad(String),
    NotFound(String),
    Method,
    ContentType,
}

impl From<ActError> for Refusal {
    fn from(error: ActError) -> Refusal {
        match error {
            ActError::NoSuchPage(_) => Refusal::NotFound(error.to_string()),
            _ => Refusal::Bad(error.to_string()),
        }
    }
}

type Answered = Result<(u16, Value), Refusal>;

/// Answers a request whose path begins with [`PREFIX`].
pub fn answer(hub: &mut Hub, now: Time, request: &Request) -> Response {
    let (status, value) = match route(hub, now, request) {
        Ok(done) => done,
        Err(Refusal::Bad(message)) => (400, json!({"error": {"message": message}})),
        Err(Refusal::NotFound(message)) => (404, json!({"error": {"message": message}})),
        Err(Refusal::Method) => (405, json!({"error": {"message": "This path does not take that method"}})),
        Err(Refusal::ContentType) => (415, json!({"error": {"message": "Content-Type must be application/json"}})),
    };
    Response::json(now, status, &value)
}

fn route(hub: &mut Hub, now: Time, request: &Request) -> Answered {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let parts: Vec<&str> = path.strip_prefix(PREFIX).unwrap_or_default().split('/').collect();
    if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") && !is_json(request.content_type.as_deref()) {
        return Err(Refusal::ContentType);
    }
    let model = &mut hub.model;
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["pages"]) => Ok((200, json!(model.pages().collect::<Vec<_>>()))),
        ("POST", ["pages"]) => add_page(model, now, read(request)?),
        ("GET", ["pages", id]) => page_of(model, id).map(|page| (200, json!(page))),
        ("POST", ["pages", id, act]) => act_on(model, now, id, act, request),
        ("POST", ["folders"]) => add_folder(model, now, &read(request)?),
        ("POST", ["skills"]) => {
            let named: Named = read(request)?;
            Ok(added(&model.add_skill(now, &named.name)))
        }
        ("POST", ["sources"]) => {
            let source: NewSource = read(request)?;
            Ok(added(&model.add_source(now, &source.title, source.url.as_deref())))
        }
        ("GET", ["requests"]) => Ok((200, log_after(model, query)?)),
        ("DELETE", ["requests"]) => {
            model.clear_log();
            Ok((200, json!({})))
        }
        ("GET", ["state"]) => Ok((200, json!(model.state()))),
        ("PUT", ["state"]) => {
            model.set_state(read::<State>(request)?);
            Ok((200, json!({})))
        }
        ("GET", ["faults"]) => Ok((200, rules(&hub.faults))),
        ("PUT", ["faults"]) => set_faults(&mut hub.faults, read(request)?),
        (
            _,
            ["pages" | "folders" | "skills" | "sources" | "requests" | "state" | "faults"]
            | ["pages", _]
            | ["pages", _, _],
        ) => Err(Refusal::Method),
        _ => Err(Refusal::NotFound("There is nothing at this path".to_owned())),
    }
}

/// Reads a body; an empty one is an object without fields.
fn read<T: for<'de> Deserialize<'de>>(request: &Request) -> Result<T, Refusal> {
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(body).map_err(|error| Refusal::Bad(error.to_string()))
}

fn added(id: &str) -> (u16, Value) {
    (201, json!({"id": id}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFolder {
    name: String,
    parent: Option<String>,
}

fn add_folder(model: &mut Model, now: Time, folder: &NewFolder) -> Answered {
    if let Some(parent) = &folder.parent {
        model.all_exist(std::slice::from_ref(parent), &[], &[])?;
    }
    Ok(added(&model.add_folder(now, &folder.name, folder.parent.as_deref())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSource {
    title: String,
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PageBody {
    id: Option<String>,
    title: String,
    content: String,
    status: Status,
    visibility: Visibility,
    owner: String,
    folder_ids: Vec<String>,
    skill_ids: Vec<String>,
    source_ids: Vec<String>,
}

impl Default for PageBody {
    fn default() -> Self {
        let NewPage { id, title, content, status, visibility, folder_ids, skill_ids, source_ids, .. } =
            NewPage::default();
        let owner = "colleague".to_owned();
        PageBody { id, title, content, status, visibility, owner, folder_ids, skill_ids, source_ids }
    }
}

fn add_page(model: &mut Model, now: Time, body: PageBody) -> Answered {
    let owner = match body.owner.as_str() {
        "admin" => Owner::Admin,
        "colleague" => Owner::Colleague,
        "nobody" => Owner::Nobody,
        _ => return Err(Refusal::Bad("owner must be admin, colleague or nobody".to_owned())),
    };
    let PageBody { id, title, content, status, visibility, folder_ids, skill_ids, source_ids, .. } = body;
    model.all_exist(&folder_ids, &skill_ids, &source_ids)?;
    if let Some(taken) = id.as_ref().filter(|id| model.page(id).is_some()) {
        return Err(ActError::Taken(taken.clone()).into());
    }
    let new = NewPage { id, title, content, status, visibility, owner, folder_ids, skill_ids, source_ids };
    Ok(added(&model.add_page(now, new)))
}

fn decoded(raw: &str) -> String {
    percent_encoding::percent_decode_str(raw).decode_utf8_lossy().into_owned()
}

fn page_of<'a>(model: &'a Model, raw: &str) -> Result<&'a Page, Refusal> {
    let id = decoded(raw);
    model.page(&id).ok_or_else(|| ActError::NoSuchPage(id).into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    title: Option<String>,
    content: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filed {
    folder_ids: Option<Vec<String>>,
    skill_ids: Option<Vec<String>>,
}

/// What an act does not name stays as it is.
fn act_on(model: &mut Model, now: Time, raw: &str, act: &str, request: &Request) -> Answered {
    let page = page_of(model, raw)?;
    let id = page.id.clone();
    let text = || -> Result<(String, String), Refusal> {
        let Text { title, content } = read(request)?;
        let (old_title, old_content) = match &page.draft {
            Some(draft) => (draft.title.as_str(), draft.content.as_deref()),
            None => (page.title(), page.content()),
        };
        Ok((title.unwrap_or(old_title.to_owned()), content.unwrap_or(old_content.unwrap_or_default().to_owned())))
    };
    let act = match act {
        "publish" => text().map(|(title, content)| Act::Publish { title, content })?,
        "draft" => text().map(|(title, content)| Act::SaveDraft { title, content })?,
        "discard" => Act::DiscardDraft,
        "file" => {
            let Filed { folder_ids, skill_ids } = read(request)?;
            let (folders, skills) = (page.folder_ids.clone(), page.skill_ids.clone());
            Act::File { folder_ids: folder_ids.unwrap_or(folders), skill_ids: skill_ids.unwrap_or(skills) }
        }
        "archive" => Act::Archive,
        "restore" => Act::Restore,
        _ => return Err(Refusal::NotFound("publish, draft, discard, file, archive or restore a page".to_owned())),
    };
    model.colleague(now, &id, act)?;
    page_of(model, raw).map(|page| (200, json!(page)))
}

/// The log, or what came after the request with this number.
fn log_after(model: &Model, query: &str) -> Result<Value, Refusal> {
    let after = match query.split('&').find_map(|pair| pair.strip_prefix("after=")) {
        Some(number) => number.parse().map_err(|_| Refusal::Bad("after must be a number".to_owned()))?,
        None => 0u64,
    };
    let entries: Vec<_> = model.log().iter().filter(|entry| entry.number > after).collect();
    Ok(json!({"requests": entries}))
}

fn rules(faults: &Faults) -> Value {
    json!({"rules": faults.rules().iter().map(Rule::to_string).collect::<Vec<_>>()})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFaults {
    #[serde(default)]
    seed: u64,
    rules: Vec<String>,
}

fn set_faults(faults: &mut Faults, new: NewFaults) -> Answered {
    let parsed: Result<Vec<Rule>, _> = new.rules.iter().map(|rule| rule.parse()).collect();
    *faults = Faults::new(new.seed, parsed.map_err(|error: super::faults::RuleError| Refusal::Bad(error.to_string()))?);
    Ok((200, rules(faults)))
}
