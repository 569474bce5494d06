//! Bytes of a document in, changed bytes out: a key set, the text replaced, a whole document made. What was not asked for
//! keeps its bytes: comments, quotes, order, other tools' keys, line ends, the byte order mark.
//!
//! Nothing is taken on trust: each result is read again as any document is, and answered only if it says what was asked for;
//! else the answer is why it can't. Pure; for the commands that write files (`pull`, `link`, `resolve`) and for created ids.

use std::ops::Range;

use crate::page::{ListKind, PageId, Status};
use crate::reason::Reason;

use super::diagnostic::Findings;
use super::fence::{self, Block, Front};
use super::front_matter::{self, FrontMatter};
use super::key::Key;
use super::value::Title;
use super::yaml::{self, Entry, Kind, Tree};

mod beside;
mod spelling;
mod text;

pub use beside::beside;
pub use text::{Made, New, Text, document, set_text, with_body};

/// A key of ours and what it is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// `page_id`.
    PageId(&'a PageId),
    /// `title`.
    Title(&'a str),
    /// `status`.
    Status(Status),
    /// `folders`, `skills` or `sources`: names or ids.
    List(ListKind, &'a [String]),
}

/// Why the bytes can't be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is no front matter to write into.
    #[error("the file has no front matter; begin it with a block between two lines `---`")]
    NoFrontMatter,
    /// What is there can't be read for sure.
    #[error("the front matter can't be read as it is; mend what `hubsync check` says of it")]
    FrontMatter,
    /// The key is there in a way that we can't write into.
    #[error("`{0}` can't be set in front matter that is written so; put each key on a line of its own, once")]
    Layout(&'static str),
    /// No front matter can say that.
    #[error("`{0}` can't say that: it holds line ends or control characters, or nothing")]
    Value(&'static str),
    /// The document would be blocked with this text.
    #[error("{}", .0.message)]
    Blocked(Reason),
    /// Both say the same.
    #[error("both texts are the same; let one side's folders, skills or sources win")]
    Alike,
    /// The text can't be told apart from what hubsync leaves out of documents.
    #[error("a document with this text would publish another one; change its first lines in the hub")]
    Text,
}

impl Setting<'_> {
    fn key(&self) -> Key {
        match self {
            Self::PageId(_) => Key::PageId,
            Self::Title(_) => Key::Title,
            Self::Status(_) => Key::Status,
            Self::List(ListKind::Folders, _) => Key::Folders,
            Self::List(ListKind::Skills, _) => Key::Skills,
            Self::List(ListKind::Sources, _) => Key::Sources,
        }
    }

    /// The value in one line.
    fn spelled(&self) -> String {
        match self {
            Self::PageId(id) => spelling::scalar(id.as_str()),
            Self::Title(title) => spelling::scalar(title),
            Self::Status(Status::Draft) => "draft".to_owned(),
            Self::Status(Status::Published) => "published".to_owned(),
            Self::List(_, items) => spelling::list(items),
        }
    }

    /// Whether front matter can say it: each text in one line, of more than blanks, without control characters.
    fn is_sayable(&self) -> bool {
        let says = |text: &str| {
            let text = text.trim();
            !text.is_empty() && !text.contains('\n') && !text.chars().any(|c| c.is_control() && !c.is_whitespace())
        };
        match self {
            Self::Title(title) => says(title),
            Self::List(_, items) => items.iter().all(|item| says(item)),
            Self::PageId(_) | Self::Status(_) => true,
        }
    }

    /// What is read where this is set.
    fn apply(&self, front: &mut FrontMatter) {
        let names = |items: &[String]| Some(items.iter().map(|item| item.trim().to_owned()).collect());
        match *self {
            Self::PageId(id) => front.page_id = Some(id.clone()),
            Self::Title(title) => front.title = Title::Text(title.trim().to_owned()),
            Self::Status(status) => front.status = Some(status),
            Self::List(ListKind::Folders, items) => front.named.folders = names(items),
            Self::List(ListKind::Skills, items) => front.named.skills = names(items),
            Self::List(ListKind::Sources, items) => front.named.sources = names(items),
        }
    }
}

/// Sets one key: its value alone is replaced where it is there, else one line is put before the line that closes the front
/// matter.
///
/// # Errors
/// Where that can't be.
pub fn set(bytes: &[u8], setting: &Setting<'_>) -> Result<Vec<u8>, Unfit> {
    let (block, before) = front_of(bytes)?;
    let key = setting.key();
    if !setting.is_sayable() {
        return Err(Unfit::Value(key.as_str()));
    }
    let tree = tree_of(bytes, &block)?;
    let mut named = tree.entries.iter().filter(|entry| entry.key.text() == Some(key.as_str()));
    let (place, written) = match (named.next(), named.next()) {
        (None, _) => inserted(bytes, &block, &tree, setting),
        (Some(entry), None) => replaced(bytes, &block, entry, setting).ok_or(Unfit::Layout(key.as_str()))?,
        _ => return Err(Unfit::Layout(key.as_str())),
    };
    let edited = [&bytes[..place.start], written.as_bytes(), &bytes[place.end..]].concat();
    let (_, after) = front_of(&edited).map_err(|_| Unfit::Layout(key.as_str()))?;
    let mut wanted = before;
    setting.apply(&mut wanted);
    // Other tools' `private: true` leaves only files without a page alone.
    wanted.off = after.off;
    if after == wanted { Ok(edited) } else { Err(Unfit::Layout(key.as_str())) }
}

/// The front matter of a file, and what it says.
fn front_of(bytes: &[u8]) -> Result<(Block, FrontMatter), Unfit> {
    let Front::Block(block) = fence::find(bytes) else { return Err(Unfit::NoFrontMatter) };
    tree_of(bytes, &block)?;
    let yaml = yaml_of(bytes, &block)?;
    let front = front_matter::read(yaml, block.yaml.start, &mut Findings::default());
    Ok((block, front))
}

fn yaml_of<'a>(bytes: &'a [u8], block: &Block) -> Result<&'a str, Unfit> {
    let yaml = std::str::from_utf8(&bytes[block.yaml.clone()]).map_err(|_| Unfit::FrontMatter)?;
    if yaml.len() > yaml::MAX_BYTES || yaml.contains('\0') { Err(Unfit::FrontMatter) } else { Ok(yaml) }
}

fn tree_of(bytes: &[u8], block: &Block) -> Result<Tree, Unfit> {
    let tree = yaml::read(yaml_of(bytes, block)?, block.yaml.start);
    if tree.fault.is_some() { Err(Unfit::FrontMatter) } else { Ok(tree) }
}

/// The line end that a file with front matter uses.
fn line_end(bytes: &[u8]) -> &'static str {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}

/// One more line, before the one that closes the front matter.
fn inserted(bytes: &[u8], block: &Block, tree: &Tree, setting: &Setting<'_>) -> (Range<usize>, String) {
    let indent = tree.entries.first().map_or("", |entry| indent_of(bytes, block, entry.key.span.start));
    let line = format!("{indent}{}: {}{}", setting.key().as_str(), setting.spelled(), line_end(bytes));
    (block.yaml.end..block.yaml.end, line)
}

/// The blanks before a place, if nothing else stands in its line before it.
fn indent_of<'a>(bytes: &'a [u8], block: &Block, at: usize) -> &'a str {
    let head = &bytes[line_start(bytes, block, at)..at];
    if head.iter().all(|b| *b == b' ') { std::str::from_utf8(head).unwrap_or_default() } else { "" }
}

fn line_start(bytes: &[u8], block: &Block, at: usize) -> usize {
    let before = &bytes[block.yaml.start..at];
    before.iter().rposition(|b| *b == b'\n').map_or(block.yaml.start, |newline| block.yaml.start + newline + 1)
}

/// The value of an entry, replaced: what stands after its colon, or the lines of its items. A remark behind it stays.
fn replaced(bytes: &[u8], block: &Block, entry: &Entry, setting: &Setting<'_>) -> Option<(Range<usize>, String)> {
    let after_key = &bytes[entry.key.span.end..block.yaml.end];
    let blanks = after_key.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    if after_key.get(blanks) != Some(&b':') {
        return None;
    }
    let colon = entry.key.span.end + blanks + 1;
    if entry.value.span == entry.key.span {
        return Some((colon..colon, format!(" {}", setting.spelled())));
    }
    let (Setting::List(_, names), Some(items)) = (setting, items_in_lines(bytes, entry)) else {
        let end = end_of(bytes, &entry.value);
        return (end > colon).then(|| (colon..end, format!(" {}", setting.spelled())));
    };
    let end = end_of(bytes, items.last()?);
    let first = items.first()?.span.start;
    let start = line_start(bytes, block, first);
    let mark = std::str::from_utf8(&bytes[start..first]).ok()?;
    if names.is_empty() || start <= colon || mark.trim_matches(' ') != "-" {
        return Some((colon..end, format!(" {}", setting.spelled())));
    }
    let lines: Vec<String> = names.iter().map(|name| format!("{mark}{}", spelling::scalar(name))).collect();
    Some((start..end, lines.join(line_end(bytes))))
}

/// The items of a list that is written one item a line.
fn items_in_lines<'e>(bytes: &[u8], entry: &'e Entry) -> Option<&'e [yaml::Node]> {
    match &entry.value.kind {
        Kind::List(items) if bytes.get(entry.value.span.start) != Some(&b'[') => Some(items),
        _ => None,
    }
}

/// Where a node's own bytes end: a parser may count the blank lines behind it.
fn end_of(bytes: &[u8], node: &yaml::Node) -> usize {
    node.span.start + bytes[node.span.clone()].trim_ascii_end().len()
}
