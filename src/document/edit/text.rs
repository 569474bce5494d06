//! The text of a document replaced, and whole documents made, so that exactly the wanted title and body are read from them.
//!
//! What is read is the text without a first heading that repeats the title. So a heading that the document had there stays,
//! and a body that begins with such a heading of its own gets one more before it. Of the ways to write a text the first that
//! is read as it was meant is taken.

use crate::document::fence::{self, Front};
use crate::document::value::Title;
use crate::document::{Reading, body, heading, read};
use crate::page::{ListKind, PageId, Status};
use crate::policy::{Rules, TitleHeading};

use super::{Setting, Unfit, front_of, line_end, set};

/// A text as the hub has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// The title.
    pub title: &'a str,
    /// The body.
    pub body: &'a str,
}

/// What a new document is to say.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Its page.
    pub page_id: &'a PageId,
    /// Title and body.
    pub text: Text<'a>,
    /// Its lists, by name; a list that is left out is not managed.
    pub lists: &'a [(ListKind, Vec<String>)],
    /// Whether its edits go live.
    pub status: Status,
}

/// A document that says what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The title that it manages: none where front matter can't say the page's.
    pub title: Option<String>,
}

/// A whole new document.
///
/// # Errors
/// Where no document can say that.
pub fn document(new: &New<'_>, rules: &Rules) -> Result<Made, Unfit> {
    let mut bytes = b"---\n---\n".to_vec();
    bytes = set(&bytes, &Setting::PageId(new.page_id))?;
    if let Some(title) = sayable(new.text.title) {
        bytes = set(&bytes, &Setting::Title(title))?;
    }
    for (kind, names) in new.lists {
        bytes = set(&bytes, &Setting::List(*kind, names))?;
    }
    bytes = set(&bytes, &Setting::Status(new.status))?;
    set_text(&bytes, &new.text, rules)
}

/// The document with another text. Of the front matter only `title` is touched, where it says something else, or where no
/// heading can say it.
///
/// # Errors
/// Where no document can say that.
pub fn set_text(bytes: &[u8], text: &Text<'_>, rules: &Rules) -> Result<Made, Unfit> {
    let (_, front) = front_of(bytes)?;
    let wanted = sayable(text.title);
    match (&front.title, wanted) {
        (Title::Text(had), Some(title)) if had != title => {
            return written(&set(bytes, &Setting::Title(title))?, text, wanted, rules);
        }
        // What the page is called can't be said, and what is said here is something else.
        (Title::Text(_), None) => return Err(Unfit::Value("title")),
        // Not managed on purpose.
        (Title::Blank, _) => return written(bytes, text, None, rules),
        _ => {}
    }
    // A document that nobody gave a title goes on without one.
    let untitled_so_far = body_of(bytes).is_some_and(|had| !had.trim().is_empty() && heading::first(&had).is_none());
    if untitled_so_far && let Ok(made) = written(bytes, text, None, rules) {
        return Ok(made);
    }
    match (written(bytes, text, wanted, rules), wanted) {
        (Err(Unfit::Text), Some(title)) => written(&set(bytes, &Setting::Title(title))?, text, wanted, rules),
        (Err(Unfit::Text), None) => written(&untitled(bytes)?, text, None, rules),
        (made, _) => made,
    }
}

/// The front matter, then this text with the file's line ends. What is read from it is not looked at: a text with
/// merge-conflict markers blocks its document, as it should.
///
/// # Errors
/// Where there is no front matter.
pub fn with_body(bytes: &[u8], text: &str) -> Result<Vec<u8>, Unfit> {
    let Front::Block(block) = fence::find(bytes) else { return Err(Unfit::NoFrontMatter) };
    let mut head = bytes[..block.body].to_vec();
    let end = line_end(bytes);
    if !head.ends_with(b"\n") && !text.is_empty() {
        head.extend_from_slice(end.as_bytes());
    }
    // Reading makes LF of CRLF, and nothing else: so any text comes out as it went in.
    let text = if end == "\n" { text.replace("\r\n", "\r\r\n") } else { text.replace('\n', "\r\n") };
    head.extend_from_slice(text.as_bytes());
    Ok(head)
}

/// What a document has below its front matter.
pub(super) fn body_of(bytes: &[u8]) -> Option<String> {
    let Front::Block(block) = fence::find(bytes) else { return None };
    Some(body::content(&String::from_utf8_lossy(&bytes[block.body..])).into_owned())
}

/// The title as front matter can say it, if it can.
fn sayable(title: &str) -> Option<&str> {
    Some(title.trim()).filter(|title| Setting::Title(title).is_sayable())
}

/// A document without a title that also no heading gives one.
fn untitled(bytes: &[u8]) -> Result<Vec<u8>, Unfit> {
    let Front::Block(block) = fence::find(bytes) else { return Err(Unfit::NoFrontMatter) };
    let line = format!("title: \"\"{}", line_end(bytes));
    Ok([&bytes[..block.yaml.end], line.as_bytes(), &bytes[block.yaml.end..]].concat())
}

/// The first way to write the text that is read as it was meant.
fn written(bytes: &[u8], text: &Text<'_>, title: Option<&str>, rules: &Rules) -> Result<Made, Unfit> {
    let Some(had) = body_of(bytes) else { return Err(Unfit::NoFrontMatter) };
    let wanted = body::content(text.body);
    let mut blocked = None;
    for way in ways(&had, &wanted, title, rules) {
        let bytes = with_body(bytes, &way)?;
        let (parsed, body) = read(&bytes, rules);
        match parsed.reading {
            Reading::Document { authored, .. } => {
                if authored.title.as_deref() == title && body.as_deref() == Some(&*wanted) {
                    return Ok(Made { bytes, title: authored.title });
                }
            }
            Reading::Blocked { reason, .. } => blocked = Some(reason),
            Reading::Plain | Reading::Off { .. } => {}
        }
    }
    Err(blocked.map_or(Unfit::Text, Unfit::Blocked))
}

/// The ways to write a body: as it is, and after a heading that is left out when it is read. What the document had comes first.
fn ways(had: &str, body: &str, title: Option<&str>, rules: &Rules) -> Vec<String> {
    let Some(title) = title.filter(|_| rules.title_heading == TitleHeading::Strip) else {
        return vec![body.to_owned()];
    };
    let before = heading::first_block(had);
    let kept = before.as_ref().filter(|it| heading::same(&it.text, title)).map(|it| had[it.span.clone()].to_owned());
    let headed = before.is_some();
    let repeated = heading::first_block(body).map(|it| body[it.span].to_owned());
    let made = [format!("# {title}\n\n"), format!("# {}\n\n", literal(title))];
    let under = |heading: String| after_heading(heading, body);
    let with_heading: Vec<String> = kept.into_iter().chain(made).chain(repeated).map(under).collect();
    if headed {
        with_heading.into_iter().chain([body.to_owned()]).collect()
    } else {
        std::iter::once(body.to_owned()).chain(with_heading).collect()
    }
}

/// The body with a heading before its first line that is not blank: what is blank before a heading stays when it is left out,
/// what is blank after it goes with it.
fn after_heading(mut heading: String, body: &str) -> String {
    if !heading.ends_with('\n') {
        heading.push('\n');
    }
    let lines = body.split_inclusive('\n').take_while(|line| line.ends_with('\n') && heading::is_blank(line));
    let blank: usize = lines.map(str::len).sum();
    [&body[..blank], &heading, &body[blank..]].concat()
}

/// A text that Markdown reads as it stands.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
