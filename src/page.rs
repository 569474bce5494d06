//! What a page is: its id, its text, its lists, and the marks by which two versions of it are told apart.
//!
//! Pure values without behaviour beyond comparison. Every room may import this one; it imports nothing of the crate.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

mod texts;
mod time;

pub use texts::LastTexts;
pub use time::{Mono, Now, Stamp, Wall};

/// The id of a page in the hub: one to 64 of `[A-Za-z0-9_-]` (contract.md, Front matter).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageId(String);

/// A text that can't be the id of a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page_id is 1 to 64 letters, digits, `-` or `_`")]
pub struct BadPageId;

impl PageId {
    /// Takes `text` as an id if it has the form of one.
    pub fn parse(text: &str) -> Result<Self, BadPageId> {
        let form = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(form) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadPageId)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PageId {
    type Error = BadPageId;
    fn try_from(text: String) -> Result<Self, BadPageId> {
        Self::parse(&text)
    }
}

impl From<PageId> for String {
    fn from(id: PageId) -> String {
        id.0
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a document lies: a path relative to the root, without `.` and `..`. Kept as the system's own bytes, so that a
/// name that is not UTF-8 stays itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocPath(PathBuf);

impl DocPath {
    /// Takes a relative path of normal components only; `None` for any other.
    pub fn new(path: impl Into<PathBuf>) -> Option<Self> {
        let path = path.into();
        let normal = path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        (normal && path.components().next().is_some()).then_some(Self(path))
    }

    /// The path relative to the root.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// Whether it is one of these documents, or lies below one of these folders; none named: all do.
    pub fn is_within(&self, scope: &[Self]) -> bool {
        scope.is_empty() || scope.iter().any(|part| self.0.starts_with(&part.0))
    }

    /// The path as people and JSON see it; bytes that are not UTF-8 become U+FFFD. Not escaped for a terminal.
    pub fn to_text(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// The digest of several parts, each set off from the next (so that `["ab", "c"]` is not `["a", "bc"]`).
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
        self.0.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
    }

    fn from_hex(text: &str) -> Option<Self> {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(out))
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_hex(&text).ok_or("not a digest of 64 hexadecimal digits")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_hex()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..12])
    }
}

/// A set of ids of folders, skills or sources: order and repetition don't matter.
pub type Ids = BTreeSet<String>;

/// One text of a page, live or draft, by its marks: the body is known by its digests only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// The title, word for word.
    pub title: String,
    /// The body's marks.
    #[serde(flatten)]
    pub body: BodyPrint,
}

/// The marks of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyPrint {
    /// Digest of the body, byte for byte.
    pub exact: Digest,
    /// Digest of the body with trailing white space and list markers folded (see [`fold`]).
    pub folded: Digest,
    /// Whether the body holds nothing but white space.
    pub empty: bool,
}

impl BodyPrint {
    /// The marks of `body`.
    pub fn of(body: &str) -> Self {
        Self { exact: Digest::of(body), folded: Digest::of(fold(body)), empty: body.trim().is_empty() }
    }
}

impl Print {
    /// The marks of a text.
    pub fn of(title: &str, body: &str) -> Self {
        Self { title: title.to_owned(), body: BodyPrint::of(body) }
    }

    /// Equal but for trailing white space and list markers.
    pub fn same_folded(&self, other: &Self) -> bool {
        self.title.trim() == other.title.trim() && self.body.folded == other.body.folded
    }
}

/// `body` without what hubs commonly rewrite: trailing white space of lines and of the whole, CRLF, and which of `-`,
/// `*`, `+` marks a list item.
pub fn fold(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    for line in body.lines() {
        let line = line.trim_end();
        let text = line.trim_start();
        out.push_str(&line[..line.len() - text.len()]);
        match text.strip_prefix(['*', '+', '-']) {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t']) => {
                out.push('-');
                out.push_str(rest);
            }
            _ => out.push_str(text),
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// One text of a page as the hub answered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The title.
    pub title: String,
    /// The body, in Markdown.
    pub body: String,
}

/// Which text of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The published one.
    Live,
    /// The unpublished one.
    Draft,
}

/// Whether a page is published, as the hub says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageStatus {
    /// Never published.
    Draft,
    /// Has a live text.
    Published,
    /// Taken away; can't be undone through the API.
    Archived,
}

/// What a document wants its page to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Edits go to the page's draft.
    Draft,
    /// Edits go live.
    Published,
}

/// The lists of ids that a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListKind {
    /// The folders it is filed in.
    Folders,
    /// The skills it teaches.
    Skills,
    /// The sources it draws on.
    Sources,
}

impl ListKind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Folders, Self::Skills, Self::Sources];

    /// The API's name of the list in a write.
    pub fn api_field(self) -> &'static str {
        match self {
            Self::Folders => "folder_ids",
            Self::Skills => "skill_ids",
            Self::Sources => "source_ids",
        }
    }
}

/// The id lists of a page, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    /// Folders; `None` where nothing is known or managed.
    pub folders: Option<Ids>,
    /// Skills; likewise.
    pub skills: Option<Ids>,
    /// Sources; likewise (rows of a list tell only how many there are).
    pub sources: Option<Ids>,
}

impl Lists {
    /// One of the lists.
    pub fn get(&self, kind: ListKind) -> Option<&Ids> {
        match kind {
            ListKind::Folders => self.folders.as_ref(),
            ListKind::Skills => self.skills.as_ref(),
            ListKind::Sources => self.sources.as_ref(),
        }
    }

    /// Sets one of the lists.
    pub fn set(&mut self, kind: ListKind, ids: Option<Ids>) {
        match kind {
            ListKind::Folders => self.folders = ids,
            ListKind::Skills => self.skills = ids,
            ListKind::Sources => self.sources = ids,
        }
    }
}

/// A page with its draft, as one GET answered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its id.
    pub id: PageId,
    /// The hub's status.
    pub status: PageStatus,
    /// The title that the hub shows: the live one; of a page never published, its draft's.
    pub title: String,
    /// Number of the published version; `None` if never published.
    pub version: Option<u64>,
    /// Moves with every change, also of the draft.
    pub updated_at: Stamp,
    /// Folders, skills and sources: all three known.
    pub lists: Lists,
    /// The live text; `None` if never published.
    pub live: Option<Text>,
    /// What the answer said of a draft.
    pub draft: DraftSeen,
}

/// What an answer tells of a page's draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftSeen {
    /// The answer was not asked for it (that to a PATCH can't be).
    NotAsked,
    /// There is none, or it equals the live text, which is the same.
    None,
    /// An unpublished text.
    Some(Text),
}

/// A page as a list shows it: metadata only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its id.
    pub id: PageId,
    /// The hub's status.
    pub status: PageStatus,
    /// The title that the hub shows.
    pub title: String,
    /// Number of the published version; `None` if never published.
    pub version: Option<u64>,
    /// Moves with every change, also of the draft.
    pub updated_at: Stamp,
    /// The folders' ids.
    pub folders: Ids,
    /// The skills' ids.
    pub skills: Ids,
}

/// Names of folders, skills and sources as a document writes them; `None` where the document doesn't manage that list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Names, slash paths or ids.
    pub folders: Option<Vec<String>>,
    /// Names, slugs or ids.
    pub skills: Option<Vec<String>>,
    /// Titles, URLs or ids.
    pub sources: Option<Vec<String>>,
}

/// A document reduced to what decisions need: no body, so that ten thousand of them fit into little memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authored {
    /// Digest of the file's bytes.
    pub source: Digest,
    /// Digest of the rules that it was rendered with.
    pub rules: Digest,
    /// The title, where the document manages it.
    pub title: Option<String>,
    /// The marks of the body that travels.
    pub body: BodyPrint,
    /// What it wants its page to be.
    pub status: Status,
    /// The lists that it manages, by name.
    pub named: Named,
}

/// What a document says its page should be, field by field, with names resolved to ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Digest of the file's bytes.
    pub source: Digest,
    /// Digest of the rules that it was rendered with.
    pub rules: Digest,
    /// The title, where it is managed.
    pub title: Option<String>,
    /// The marks of the body that travels.
    pub body: BodyPrint,
    /// What it wants its page to be.
    pub status: Status,
    /// The lists that it manages.
    pub lists: Lists,
}

/// The fields of a page that are compared, merged and sent. Title and body are one: the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Title and body together.
    Text,
    /// One of the lists of ids.
    List(ListKind),
}

/// A set of fields.
pub type Fields = BTreeSet<Field>;

/// What goes into one PATCH. Only fields that differ; what is published is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Title and body, if they are sent.
    pub text: Option<PatchText>,
    /// The lists that are sent.
    pub lists: Lists,
}

/// The text of a PATCH, without its body: that is read from the file again right before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchText {
    /// The title; `None` only where none is managed and none was ever seen (`conflict_check: false`).
    pub title: Option<String>,
    /// The marks of the body.
    pub body: BodyPrint,
    /// `Published` sends `status: published` with it; `Draft` sends no status.
    pub status: Status,
}

impl Patch {
    /// Nothing to send.
    pub fn is_empty(&self) -> bool {
        self.text.is_none() && self.lists == Lists::default()
    }

    /// The API's names of what is sent, text first.
    pub fn api_fields(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if let Some(text) = &self.text {
            if text.title.is_some() {
                names.push("title");
            }
            names.push("content");
            if text.status == Status::Published {
                names.push("status");
            }
        }
        names.extend(ListKind::ALL.into_iter().filter(|k| self.lists.get(*k).is_some()).map(ListKind::api_field));
        names
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_is_a_plain_word() {
        assert!(PageId::parse("00123").is_ok());
        for bad in ["", "../../x", "a b", "é", &"x".repeat(65)] {
            assert_eq!(PageId::parse(bad), Err(BadPageId), "{bad}");
        }
    }

    #[test]
    fn a_path_never_leaves_the_root() {
        assert!(DocPath::new("a/b.md").is_some());
        for bad in ["", "/a", "../a", "a/../b"] {
            assert!(DocPath::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn folding_forgives_what_hubs_rewrite() {
        assert_eq!(fold("* a  \r\n+ b\n\n\n"), "- a\n- b");
        assert_ne!(fold("*a*"), fold("-a*"));
        assert_ne!(fold("a\nb"), fold("a b"));
    }

    #[test]
    fn stamps_sort_by_time_and_keep_microseconds() {
        let stamp = Stamp::parse("2026-06-10T15:30:00.000001+00:00").unwrap();
        assert_eq!(stamp.to_iso(), "2026-06-10T15:30:00.000001Z");
        assert!(!stamp.is_whole_second() && Stamp::parse("2026-06-10T15:30:00Z").unwrap().is_whole_second());
    }

    #[test]
    fn only_the_last_twenty_texts_are_kept() {
        let mut texts = LastTexts::default();
        for n in 0..30 {
            texts.note(Some("t"), Digest::of(format!("{n}")));
        }
        assert!(!texts.contains(&Print::of("t", "9")) && texts.contains(&Print::of("t", "10")));
        assert!(!texts.contains(&Print::of("another title", "10")));
    }
}
