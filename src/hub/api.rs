//! The API as its vendor describes it: how a request is spelled, and what shape the answers have.
//!
//! Pure. Spelling is strict; reading is lenient in what isn't needed (unknown fields, a status of the future) and strict in
//! what decisions rest on: a page without its `content` must never read as a page without text.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::document::Visibility;
use crate::engine::request::{PatchRequest, Request};
use crate::page::{BodyPrint, Ids, ListKind, PageStatus, Stamp, Status};
use crate::reconcile::birth::Post;
use crate::simulation::{Planted, planted};

/// Rows asked for at once: the most that the API gives.
pub const PAGE_SIZE: u32 = 100;

/// A page has no more folders, skills or sources than this: a short answer must not unfold into a great many values.
const REFS: usize = 10_000;

/// All that may stand in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A request in HTTP's words, without the hub's address and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is done.
    pub method: Method,
    /// Under the hub's base, beginning with `/`.
    pub path: String,
    /// Names and values, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// The JSON that travels with it.
    pub body: Option<String>,
}

/// The methods that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes the fields that are sent.
    Patch,
    /// Makes a page.
    Post,
    /// Archives.
    Delete,
}

/// The text given for a PATCH is missing, or not the one that was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not the one that was decided on")]
pub struct AnotherText;

/// Spells `request`. `body_text` is the body that a PATCH with a text sends: exactly the one whose marks the request holds.
pub fn call(request: &Request, body_text: Option<&str>) -> Result<Call, AnotherText> {
    let get = |path: &str, query| Call { method: Method::Get, path: path.to_owned(), query, body: None };
    Ok(match request {
        Request::Get(id) => get(&page_path(id.as_str()), vec![("include", "draft".to_owned())]),
        Request::List { updated_after, page } => {
            let mut query = paged(*page);
            query.push(("sort", "updated_at".to_owned()));
            query.extend(updated_after.map(|stamp| ("updated_after", stamp.to_iso())));
            get("/knowledge-hub/pages", query)
        }
        Request::Names(kind, page) => get(names_path(*kind), paged(*page)),
        Request::Patch(patch) => Call {
            method: Method::Patch,
            path: page_path(patch.page.as_str()),
            query: Vec::new(),
            body: Some(patch_body(patch, body_text)?),
        },
        Request::Create(create) => Call {
            method: Method::Post,
            path: "/knowledge-hub/pages".to_owned(),
            query: Vec::new(),
            body: Some(post_body(&create.post, body_text)?),
        },
        Request::Archive(id) => {
            Call { method: Method::Delete, path: page_path(id.as_str()), query: Vec::new(), body: None }
        }
    })
}

pub(super) fn page_path(id: &str) -> String {
    format!("/knowledge-hub/pages/{}", utf8_percent_encode(id, SEGMENT))
}

fn names_path(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Folders => "/knowledge-hub/folders",
        ListKind::Skills => "/skills",
        ListKind::Sources => "/knowledge-hub/sources",
    }
}

fn paged(page: u32) -> Vec<(&'static str, String)> {
    vec![("page", page.to_string()), ("page_size", PAGE_SIZE.to_string())]
}

/// The body of a PATCH: only what is sent. `status` is a verb: it publishes, so it goes with the whole text or not at all.
#[derive(Serialize, Default)]
struct PatchBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_ids: Option<&'a Ids>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ids: Option<&'a Ids>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skill_ids: Option<&'a Ids>,
}

fn patch_body(request: &PatchRequest, body_text: Option<&str>) -> Result<String, AnotherText> {
    let lists = &request.patch.lists;
    let mut body = PatchBody {
        folder_ids: lists.folders.as_ref(),
        source_ids: lists.sources.as_ref(),
        skill_ids: lists.skills.as_ref(),
        ..PatchBody::default()
    };
    if let Some(text) = &request.patch.text {
        let content = body_text.filter(|content| BodyPrint::of(content) == text.body).ok_or(AnotherText)?;
        body.title = text.title.as_deref();
        body.content = Some(content);
        body.status = match text.status {
            Status::Published => Some("published"),
            Status::Draft => None,
        };
        if body.status.is_some() && planted(Planted::StatusAlone) {
            body.content = None;
        }
    }
    Ok(json(&body))
}

/// The body of a POST. Nothing rests on what the hub does with a field that is left out, but for lists.
#[derive(Serialize)]
struct PostBody<'a> {
    title: &'a str,
    content: &'a str,
    status: Status,
    visibility: Visibility,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_ids: Option<&'a Ids>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ids: Option<&'a Ids>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skill_ids: Option<&'a Ids>,
}

fn post_body(post: &Post, body_text: Option<&str>) -> Result<String, AnotherText> {
    let content = body_text.filter(|content| BodyPrint::of(content) == post.body).ok_or(AnotherText)?;
    Ok(json(&PostBody {
        title: &post.title,
        content,
        status: post.status,
        visibility: post.visibility,
        folder_ids: post.lists.folders.as_ref(),
        source_ids: post.lists.sources.as_ref(),
        skill_ids: post.lists.skills.as_ref(),
    }))
}

fn json(body: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "text and sets of text always are JSON")]
    let json = serde_json::to_string(body).expect("text is JSON");
    json
}

/// `KnowledgeHubPageDetail`: a page with its body.
#[derive(Debug, Deserialize)]
pub struct PageDetail {
    /// The page's id; of any form, it is only compared.
    pub id: String,
    /// The live title; of a page never published, its draft's.
    #[serde(deserialize_with = "text_or_blank")]
    pub title: String,
    /// `draft`, `published`, `archived`, or a word of the future.
    pub status: String,
    /// `null` if never published.
    #[serde(deserialize_with = "Option::deserialize")]
    pub version: Option<u64>,
    /// Moves with every change.
    #[serde(deserialize_with = "stamp")]
    pub updated_at: Stamp,
    /// The folders it is filed in.
    #[serde(deserialize_with = "refs")]
    pub folders: Vec<Ref>,
    /// The skills it teaches.
    #[serde(deserialize_with = "refs")]
    pub skills: Vec<Ref>,
    /// The sources it draws on.
    #[serde(deserialize_with = "refs")]
    pub sources: Vec<Ref>,
    /// The published body; `null` if there is none. The key itself must be there.
    #[serde(deserialize_with = "Option::deserialize")]
    pub content: Option<String>,
    /// The draft, where it was asked for and there is one.
    #[serde(default)]
    pub draft: Option<PageDraft>,
}

/// `KnowledgeHubPageDraft`.
#[derive(Debug, Deserialize)]
pub struct PageDraft {
    /// Its title; where it has none, the page's holds.
    #[serde(default)]
    pub title: Option<String>,
    /// Its body.
    #[serde(default)]
    pub content: Option<String>,
}

/// `KnowledgeHubPage`: a row of the list of pages.
#[derive(Debug, Deserialize)]
pub struct PageRow {
    /// The page's id.
    pub id: String,
    /// The title that the hub shows.
    #[serde(deserialize_with = "text_or_blank")]
    pub title: String,
    /// As in [`PageDetail`].
    pub status: String,
    /// `null` if never published.
    #[serde(deserialize_with = "Option::deserialize")]
    pub version: Option<u64>,
    /// Moves with every change.
    #[serde(deserialize_with = "stamp")]
    pub updated_at: Stamp,
    /// The folders it is filed in.
    #[serde(deserialize_with = "refs")]
    pub folders: Vec<Ref>,
    /// The skills it teaches.
    #[serde(deserialize_with = "refs")]
    pub skills: Vec<Ref>,
}

/// A folder, skill or source inside a page: its id is all that is compared.
#[derive(Debug, Deserialize)]
pub struct Ref {
    /// Its id.
    pub id: String,
}

/// `KnowledgeHubFolder`.
#[derive(Debug, Deserialize)]
pub struct FolderRow {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(deserialize_with = "text_or_blank")]
    pub name: String,
    /// The id of the folder it lies in.
    #[serde(default)]
    pub parent: Option<String>,
}

/// `Skill`.
#[derive(Debug, Deserialize)]
pub struct SkillRow {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(deserialize_with = "text_or_blank")]
    pub name: String,
    /// Its slug; blank where it has none, which no document can name.
    #[serde(default, deserialize_with = "text_or_blank")]
    pub slug: String,
}

/// `KnowledgeHubSource`.
#[derive(Debug, Deserialize)]
pub struct SourceRow {
    /// Its id.
    pub id: String,
    /// Its title.
    #[serde(deserialize_with = "text_or_blank")]
    pub title: String,
    /// Where it was taken from.
    #[serde(default)]
    pub external_url: Option<String>,
}

/// The answer to an archive.
#[derive(Debug, Deserialize)]
pub struct Deleted {
    /// The page's id; only compared.
    pub id: String,
    /// Whether it is archived.
    pub deleted: bool,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub struct Paged<T> {
    /// The rows.
    pub data: Vec<T>,
    /// How many there are.
    pub pagination: Pagination,
}

/// `Pagination`: the part that is used.
#[derive(Debug, Deserialize)]
pub struct Pagination {
    /// Rows of the whole list.
    pub total_count: u64,
    /// Pages of the whole list.
    pub total_pages: u32,
}

/// `Workspace`: whose key it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "text_or_blank")]
    pub name: String,
    /// Its name in URLs.
    #[serde(default, deserialize_with = "text_or_blank")]
    pub url_slug: String,
}

/// The hub's word for a status. A word that isn't known reads as what the version says: a row that can't be understood must
/// not stop the whole list, and one that is left out would hide somebody's edit.
pub fn page_status(word: &str, version: Option<u64>) -> PageStatus {
    match (word, version) {
        ("archived", _) => PageStatus::Archived,
        ("published", _) => PageStatus::Published,
        ("draft", _) | (_, None) => PageStatus::Draft,
        (_, Some(_)) => PageStatus::Published,
    }
}

fn text_or_blank<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn refs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Ref>, D::Error> {
    struct Refs;
    impl<'de> Visitor<'de> for Refs {
        type Value = Vec<Ref>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Vec<Ref>, A::Error> {
            let mut refs = Vec::new();
            while let Some(row) = rows.next_element()? {
                if refs.len() == REFS {
                    return Err(serde::de::Error::custom("more entries than a page can have"));
                }
                refs.push(row);
            }
            Ok(refs)
        }
    }
    deserializer.deserialize_seq(Refs)
}

fn stamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Stamp::parse(&text).ok_or_else(|| serde::de::Error::custom("updated_at is not a date-time with a zone"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::{Digest, DocPath, Lists, PageId, Patch, PatchText};
    use proptest::prelude::*;

    fn patch(text: Option<PatchText>, lists: Lists) -> Request {
        Request::Patch(Box::new(PatchRequest {
            page: PageId::parse("p1").unwrap(),
            path: DocPath::new("a.md").unwrap(),
            source: Digest::of("file"),
            patch: Patch { text, lists },
        }))
    }

    fn text(title: Option<&str>, status: Status) -> PatchText {
        PatchText { title: title.map(str::to_owned), body: BodyPrint::of("Hi"), status }
    }

    fn sent(request: &Request, body: Option<&str>) -> serde_json::Value {
        serde_json::from_str(&call(request, body).unwrap().body.unwrap()).unwrap()
    }

    #[test]
    fn a_page_is_asked_for_with_its_draft() {
        let call = call(&Request::Get(PageId::parse("p1a2-B_3").unwrap()), None).unwrap();
        assert_eq!((call.method, call.path.as_str()), (Method::Get, "/knowledge-hub/pages/p1a2-B_3"));
        assert_eq!(call.query, [("include", "draft".to_owned())]);
        assert_eq!(call.body, None);
    }

    #[test]
    fn a_list_asks_for_a_hundred_rows_newest_first_since_a_stamp_in_utc() {
        let updated_after = Stamp::parse("2026-06-10T17:30:00.25+02:00");
        let call = call(&Request::List { updated_after, page: 3 }, None).unwrap();
        assert_eq!(call.path, "/knowledge-hub/pages");
        let query: Vec<(&str, &str)> = call.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            query,
            [("page", "3"), ("page_size", "100"), ("sort", "updated_at"), ("updated_after", "2026-06-10T15:30:00.25Z")]
        );
    }

    #[test]
    fn the_tables_of_names_have_their_paths() {
        let path = |kind| call(&Request::Names(kind, 1), None).unwrap().path;
        assert_eq!(path(ListKind::Folders), "/knowledge-hub/folders");
        assert_eq!(path(ListKind::Skills), "/skills");
        assert_eq!(path(ListKind::Sources), "/knowledge-hub/sources");
    }

    #[test]
    fn what_is_published_goes_whole_and_with_its_status() {
        let body = sent(&patch(Some(text(Some("T"), Status::Published)), Lists::default()), Some("Hi"));
        assert_eq!(body, serde_json::json!({"title": "T", "content": "Hi", "status": "published"}));
    }

    #[test]
    fn a_draft_and_lists_never_carry_a_status() {
        let body = sent(&patch(Some(text(Some("T"), Status::Draft)), Lists::default()), Some("Hi"));
        assert_eq!(body, serde_json::json!({"title": "T", "content": "Hi"}));
        let ids = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect());
        let lists = Lists { folders: ids(&["f2", "f1"]), skills: ids(&[]), sources: None };
        assert_eq!(sent(&patch(None, lists), None), serde_json::json!({"folder_ids": ["f1", "f2"], "skill_ids": []}));
    }

    #[test]
    fn another_text_than_the_one_decided_on_is_never_sent() {
        let request = patch(Some(text(Some("T"), Status::Published)), Lists::default());
        assert_eq!(call(&request, Some("Hi there")), Err(AnotherText));
        assert_eq!(call(&request, None), Err(AnotherText));
    }

    proptest! {
        #[test]
        fn an_id_is_one_segment_whatever_it_holds(id in ".*") {
            let path = page_path(&id);
            let segment = path.strip_prefix("/knowledge-hub/pages/").unwrap();
            prop_assert!(segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_%".contains(&b)));
            prop_assert_eq!(percent_encoding::percent_decode_str(segment).decode_utf8().unwrap(), id);
        }

        #[test]
        fn the_fields_sent_are_the_fields_the_plan_names(
            titled in any::<bool>(), with_text in any::<bool>(), live in any::<bool>(),
            folders in any::<bool>(), skills in any::<bool>(), sources in any::<bool>()
        ) {
            let ids = |is: bool| is.then(|| Ids::from(["x".to_owned()]));
            let status = if live { Status::Published } else { Status::Draft };
            let text = with_text.then(|| text(titled.then_some("T"), status));
            let lists = Lists { folders: ids(folders), skills: ids(skills), sources: ids(sources) };
            let named: std::collections::BTreeSet<String> =
                Patch { text: text.clone(), lists: lists.clone() }.api_fields().into_iter().map(str::to_owned).collect();
            let body = sent(&patch(text, lists), Some("Hi"));
            let keys = body.as_object().unwrap().keys().cloned().collect();
            prop_assert_eq!(named, keys);
        }
    }
}
