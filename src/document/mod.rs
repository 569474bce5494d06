//! Bytes to document: what a file says its page should be, and all that is wrong with it.
//!
//! Never fails and never panics, whatever the bytes; takes time in proportion to their number. Knows no path, reads no
//! file. A file that can't be published still tells its page where that can be read, so that its page is held and not
//! taken for gone. Every room above may call it.
//!
//! Reading order: `fence` finds the front matter, `yaml` reads its entries, `front_matter` takes ours from them,
//! `heading` finds the title, `body` says what travels, `links` what links in it become. `edit` and [`as_written`] go the other way: into
//! documents, from texts of the hub.

mod body;
mod diagnostic;
pub mod edit;
mod fence;
mod front_matter;
mod heading;
mod key;
pub mod links;
mod near_miss;
mod notice;
mod salvage;
mod value;
mod word;
mod yaml;
mod yaml_hint;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::page::{Authored, BodyPrint, Digest, PageId, Status};
use crate::policy::{Rules, TitleHeading};
use crate::reason::{Code, Reason};

pub use body::{MAX_BYTES, too_large};
pub use notice::without_notice;

pub use diagnostic::{Diagnostic, DiagnosticCode, Severity};
pub use value::{Visibility, title_of_name};

use diagnostic::Findings;
use links::{Around, Targets};

use fence::{Block, Flaw, Front, Lookalike};
use front_matter::FrontMatter;
use value::Title;

/// What [`parse`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What the file is to hubsync.
    pub reading: Reading,
    /// All findings, in the order of the file. Those of a file that is off or no document are left out.
    pub diagnostics: Vec<Diagnostic>,
    /// What the links of a document point to; nothing where links stay as they are.
    pub targets: Targets,
}

/// What a file is to hubsync.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It has no front matter: no document.
    Plain,
    /// `sync: false`; or it has no page and another tool's `private: true` or `publish: false`.
    Off {
        /// Its page, where it names one.
        page_id: Option<PageId>,
        /// Its title, where it has one.
        title: Option<String>,
    },
    /// It can't be published.
    Blocked {
        /// Its page, where that could be read.
        page_id: Option<PageId>,
        /// Its title, where that could be read.
        title: Option<String>,
        /// The first error.
        reason: Reason,
    },
    /// It can.
    Document {
        /// Its page; `None` where it has none yet.
        page_id: Option<PageId>,
        /// Who can see the page, if one is created.
        visibility: Visibility,
        /// What the page should be.
        authored: Authored,
    },
}

impl Reading {
    /// The page that the file names.
    pub fn page_id(&self) -> Option<&PageId> {
        match self {
            Self::Plain => None,
            Self::Off { page_id, .. } | Self::Blocked { page_id, .. } | Self::Document { page_id, .. } => {
                page_id.as_ref()
            }
        }
    }

    /// Whether it can be published.
    pub fn is_document(&self) -> bool {
        matches!(self, Self::Document { .. })
    }

    /// The title that the file has.
    pub fn title(&self) -> Option<&str> {
        match self {
            Self::Plain => None,
            Self::Off { title, .. } | Self::Blocked { title, .. } => title.as_deref(),
            Self::Document { authored, .. } => authored.title.as_deref(),
        }
    }
}

/// Reads a file whose links stay as they are. Its name is not needed: without `title` and heading the title is not managed.
pub fn parse(bytes: &[u8], rules: &Rules) -> Parsed {
    read(bytes, rules, None).0
}

/// Reads a file that lies among others, with its links rewritten.
pub fn parse_among(bytes: &[u8], rules: &Rules, around: Around<'_>) -> Parsed {
    read(bytes, rules, Some(around)).0
}

/// The body that [`parse`] tells of, for a file whose reading is a document; its marks are those in `authored`.
pub fn body(bytes: &[u8], rules: &Rules) -> Option<String> {
    read(bytes, rules, None).1
}

/// The body that travels: the one that [`parse_among`] tells of.
pub fn body_among(bytes: &[u8], rules: &Rules, around: Around<'_>) -> Option<String> {
    read(bytes, rules, Some(around)).1
}

/// A text of the hub as a document says it: where a link leads to the address that [`parse_among`] makes of another file,
/// as an author writes that link. `old` is the document so far, if there is one. What comes out publishes the same.
pub fn as_written(text: &str, old: Option<&[u8]>, rules: &Rules, around: Around<'_>) -> String {
    let own = old.and_then(|bytes| body(bytes, rules));
    links::back(text, own.as_deref(), &rules.links, around)
}

/// What a file would be, if it has no errors.
enum Outline {
    Plain,
    Off(FrontMatter),
    /// Held in any case: an error was noted.
    Held(Option<PageId>),
    Document(FrontMatter, Option<Text>),
}

/// Title and body of a file whose text could be read.
struct Text {
    title: Option<String>,
    body: String,
}

fn read(bytes: &[u8], rules: &Rules, around: Option<Around<'_>>) -> (Parsed, Option<String>) {
    let mut findings = Findings::default();
    let outline = outline(bytes, rules, &mut findings);
    let (front, text) = match outline {
        Outline::Plain => return (silent(Reading::Plain), None),
        Outline::Off(front) => {
            let title = if let Title::Text(title) = front.title { Some(title) } else { None };
            return (silent(Reading::Off { page_id: front.page_id, title }), None);
        }
        Outline::Held(page_id) => (FrontMatter { page_id, ..FrontMatter::default() }, None),
        Outline::Document(front, text) => (front, text),
    };
    let status = front.status.unwrap_or(rules.default_status);
    let Travels { text, bare, targets } = travels(text, status, rules, around);
    if let Some(size) = text.as_ref().map(|text| text.body.len() as u64).filter(|size| *size > MAX_BYTES) {
        findings.error(Code::TooLarge, 0..0, body::too_large_message(size), None);
    }
    let diagnostics = findings.located(bytes);
    let error = diagnostics.iter().find_map(Diagnostic::reason);
    let (reading, body) = match (error, text) {
        (None, Some(Text { title, body })) => {
            let authored = Authored {
                source: Digest::of(bytes),
                rules: rules.digest(),
                title,
                body: BodyPrint::of(&body),
                bare,
                status,
                named: front.named,
            };
            (Reading::Document { page_id: front.page_id, visibility: front.visibility, authored }, Some(body))
        }
        (error, text) => {
            let reason = error.unwrap_or_else(|| Reason::new(Code::FrontMatter, "the file can't be read"));
            (Reading::Blocked { page_id: front.page_id, title: text.and_then(|t| t.title), reason }, None)
        }
    };
    (Parsed { reading, diagnostics, targets }, body)
}

/// What travels of a file's text.
struct Travels {
    text: Option<Text>,
    /// The marks of the body without its notice, where it has one.
    bare: Option<Box<BodyPrint>>,
    targets: Targets,
}

/// The text as it travels among others: with its links rewritten, and the notice under what is published.
fn travels(text: Option<Text>, status: Status, rules: &Rules, around: Option<Around<'_>>) -> Travels {
    let (Some(Text { title, body }), Some(around)) = (&text, around) else {
        return Travels { text, bare: None, targets: Targets::default() };
    };
    let (title, followed) = (title.clone(), links::follow(body.clone(), &rules.links, around));
    let (body, bare) = match (&rules.notice, status) {
        (Some(notice), Status::Published) => {
            let bare = BodyPrint::of(&followed.body);
            (notice::with_notice(followed.body, notice, around.path), Some(Box::new(bare)))
        }
        _ => (followed.body, None),
    };
    Travels { text: Some(Text { title, body }), bare, targets: followed.targets }
}

/// A reading without a word about it.
fn silent(reading: Reading) -> Parsed {
    Parsed { reading, diagnostics: Vec::new(), targets: Targets::default() }
}

fn outline(bytes: &[u8], rules: &Rules, findings: &mut Findings) -> Outline {
    if body::holds_nothing(bytes) {
        findings.error(
            Code::FileEmpty,
            0..0,
            "the file is empty; nothing is published until it has a text again",
            None,
        );
        return Outline::Held(None);
    }
    if body::is_lfs_pointer(bytes) {
        let message = "the file is a Git LFS pointer, its text is not here; run `git lfs pull`";
        findings.error(Code::LfsPointer, 0..bytes.len(), message, None);
        return Outline::Held(None);
    }
    match fence::find(bytes) {
        Front::Block(block) => with_front_matter(bytes, &block, rules, findings),
        Front::Lookalike(lookalike) => with_lookalike(bytes, &lookalike, findings),
        Front::None => in_utf_16(bytes, findings),
    }
}

/// A file with front matter.
fn with_front_matter(bytes: &[u8], block: &Block, rules: &Rules, findings: &mut Findings) -> Outline {
    let text = readable(bytes, findings);
    let conflict = text.and_then(|text| body::conflict(text, block.body));
    let torn = conflict.as_ref().is_some_and(|line| line.start < block.body);
    if let Some(line) = conflict {
        findings.error(Code::MergeMarkers, line, MERGE_MARKERS, None);
    }
    let yaml = std::str::from_utf8(&bytes[block.yaml.clone()]).ok().filter(|yaml| !torn && !yaml.contains('\0'));
    let front = match yaml {
        Some(yaml) => front_matter::read(yaml, block.yaml.start, findings),
        None => FrontMatter::salvaged(&bytes[block.yaml.clone()]),
    };
    if front.off {
        return Outline::Off(front);
    }
    let text = text.and_then(|text| text.get(block.body..)).map(|text| compose(text, &front.title, rules));
    Outline::Document(front, text)
}

const MERGE_MARKERS: &str =
    "a merge conflict is not resolved here: `<<<<<<<` to `>>>>>>>`; keep what is right and remove the markers";

/// The file as text, if all of it can be published as text.
fn readable<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<&'a str> {
    let size = bytes.len() as u64;
    if size > MAX_BYTES {
        findings.error(Code::TooLarge, 0..0, body::too_large_message(size), None);
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            None => Some(text),
            Some(at) => {
                let message = format!("a NUL byte at offset {at}: this is no text; save the file again as UTF-8");
                findings.error(Code::NotUtf8, at..at + 1, message, None);
                None
            }
        },
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let message = format!("not UTF-8: byte 0x{byte:02X} at offset {at}; save the file as UTF-8");
            findings.error(Code::NotUtf8, at..at + 1, message, None);
            None
        }
    }
}

/// Title and body from what follows the front matter.
fn compose(text: &str, title: &Title, rules: &Rules) -> Text {
    let content = body::content(text);
    let title = match title {
        Title::Text(title) => Some(title.clone()),
        Title::Blank => None,
        Title::Absent => heading::first(&content).map(|heading| heading.text),
    };
    let body = match (&title, rules.title_heading) {
        (Some(title), TitleHeading::Strip) => heading::without_title(&content, title),
        _ => content.into_owned(),
    };
    Text { title, body }
}

/// A file with what looks like front matter: no document, unless keys of ours show that it was meant as one.
fn with_lookalike(bytes: &[u8], lookalike: &Lookalike, findings: &mut Findings) -> Outline {
    let found = salvage::salvage(&bytes[lookalike.inside.clone()]);
    if !found.ours {
        return Outline::Plain;
    }
    if found.off {
        return Outline::Off(FrontMatter { page_id: found.page_id, ..FrontMatter::default() });
    }
    let message = match lookalike.flaw {
        Flaw::Unclosed => {
            "the front matter is never closed: add a line `---` after its last key (or is the file still being written?)"
        }
        Flaw::NotFirst => "front matter begins with the first byte of a file; remove what comes before this `---`",
        Flaw::OddFence => "front matter begins with a line of exactly three hyphens, `---`",
        Flaw::Toml => "TOML front matter (`+++`) is not supported; write it as YAML, between lines `---`",
        Flaw::Json => "JSON front matter is not supported; write it as YAML, between lines `---`",
        Flaw::Conflict => {
            let conflict = std::str::from_utf8(bytes).ok().and_then(|text| body::conflict(text, bytes.len()));
            let Some(line) = conflict else { return Outline::Plain };
            findings.error(Code::MergeMarkers, line, MERGE_MARKERS, None);
            return Outline::Held(found.page_id);
        }
    };
    findings.error(Code::FrontMatter, lookalike.open.clone(), message, None);
    Outline::Held(found.page_id)
}

/// A file that may be in UTF-16: with front matter it was meant as a document.
fn in_utf_16(bytes: &[u8], findings: &mut Findings) -> Outline {
    let Some(text) = body::from_utf16(bytes) else { return Outline::Plain };
    let inside = match fence::find(text.as_bytes()) {
        Front::Block(block) => block.yaml,
        Front::Lookalike(lookalike) => lookalike.inside,
        Front::None => return Outline::Plain,
    };
    let front = FrontMatter::salvaged(&text.as_bytes()[inside]);
    if front.off {
        return Outline::Off(front);
    }
    findings.error(Code::NotUtf8, 0..2, "not UTF-8 but UTF-16, from offset 0 on; save the file as UTF-8", None);
    Outline::Held(front.page_id)
}
