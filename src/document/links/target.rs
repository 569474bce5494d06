//! What a link says its target is: a file of the root, a note by its name, or something that is not ours.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::page::DocPath;
use crate::policy::encoded;

/// A file of the root that a document points to. Paths and names are in NFC, with `/` between their parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// By its path from the root.
    Path(String),
    /// A note by its path from the root, without extension, in lower case.
    Note(String),
    /// A note by its name, or the end of its path, without extension, in lower case.
    Name(String),
}

impl Target {
    /// The file's name in lower case, without a Markdown extension: what targets and files are looked up by.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => name_of(path),
            Self::Note(path) | Self::Name(path) => last(path).to_owned(),
        }
    }
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// To another address, to a place in the same document, to a folder, or nobody knows: it is left alone.
    Elsewhere,
    /// Out of the root.
    Outside,
    /// To a file of the root.
    To(Target),
}

/// Where a destination leads, escapes and entities resolved; and where in it the query or fragment begins.
pub(super) fn destination(from: &DocPath, written: &str) -> (Leads, usize) {
    let end = written.find(['?', '#']).unwrap_or(written.len());
    let path = &written[..end];
    if path.is_empty() || path.ends_with('/') || path.starts_with("//") || has_scheme(path) {
        return (Leads::Elsewhere, end);
    }
    let leads = match resolved(from, path, decoded) {
        Some(Ok(parts)) if !parts.is_empty() && !is_folder(path) => Leads::To(Target::Path(parts.join("/"))),
        Some(Ok(_)) | None => Leads::Elsewhere,
        Some(Err(Outside)) => Leads::Outside,
    };
    (leads, end)
}

/// Where a wiki link leads: by `/` from the root, by `./` and `../` from the document, else by name wherever that lies.
pub(super) fn wiki(from: &DocPath, written: &str) -> (Leads, usize) {
    let end = written.find('#').unwrap_or(written.len());
    let path = written[..end].trim();
    if path.is_empty() || path.ends_with('/') || path.contains(['\n', '\\']) || path.contains("://") {
        return (Leads::Elsewhere, end);
    }
    let from_here = path.starts_with("./") || path.starts_with("../");
    let leads = if from_here || path.starts_with('/') {
        match resolved(from, path, |part| Some(part.to_owned())) {
            Some(Ok(parts)) if !parts.is_empty() => Leads::To(Target::Note(bare(&parts.join("/")))),
            Some(Ok(_)) | None => Leads::Elsewhere,
            Some(Err(Outside)) => Leads::Outside,
        }
    } else {
        Leads::To(Target::Name(bare(&path.nfc().collect::<String>())))
    };
    (leads, end)
}

/// `/` sorts below all that a name can begin with, so a path has one spelling.
struct Outside;

/// The parts of a path from the root; `None` where a part can't be one of a file's path.
fn resolved(
    from: &DocPath,
    path: &str,
    decode: impl Fn(&str) -> Option<String>,
) -> Option<Result<Vec<String>, Outside>> {
    let mut parts: Vec<String> = Vec::new();
    if !path.starts_with('/') {
        let folder = from.as_path().parent()?.to_str()?;
        parts.extend(folder.split('/').filter(|part| !part.is_empty()).map(|part| part.nfc().collect()));
    }
    for part in path.split('/') {
        match decode(part)?.as_str() {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Some(Err(Outside));
                }
            }
            part if part.contains(['/', '\0']) => return None,
            part => parts.push(part.nfc().collect()),
        }
    }
    Some(Ok(parts))
}

/// One part of a path, percent-decoded; `None` where that is no text.
fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(Into::into)
}

fn is_folder(path: &str) -> bool {
    matches!(last(path), "." | "..")
}

/// `mailto:`, `https:` and the like.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path is that of a Markdown file.
pub(super) fn is_markdown(path: &str) -> bool {
    without_extension(path).len() < path.len()
}

fn without_extension(path: &str) -> &str {
    let end = |extension: &str| {
        let at = path.len().checked_sub(extension.len())?;
        path.get(at..).filter(|end| end.eq_ignore_ascii_case(extension)).map(|_| &path[..at])
    };
    end(".md").or_else(|| end(".markdown")).filter(|rest| !last(rest).is_empty()).unwrap_or(path)
}

/// A path as notes are compared: without a Markdown extension, in lower case.
pub(super) fn bare(path: &str) -> String {
    without_extension(path).to_lowercase()
}

/// The last part of the same.
pub(super) fn name_of(path: &str) -> String {
    bare(last(path))
}

/// The path of a file as targets are spelled; `None` where it is no text.
pub(super) fn spelled(path: &DocPath) -> Option<String> {
    path.as_path().to_str().map(|path| path.nfc().collect())
}

/// The way from a document to a file, as a destination.
pub(super) fn relative(from: &DocPath, to: &str) -> String {
    let from = spelled(from).unwrap_or_default();
    let from: Vec<&str> = from.split('/').collect();
    let to: Vec<&str> = to.split('/').collect();
    let folders = &from[..from.len() - 1];
    let shared = folders.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; folders.len() - shared];
    parts.extend(&to[shared..]);
    encoded(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn from() -> DocPath {
        DocPath::new("sales/deals/x.md").unwrap()
    }

    #[test]
    fn destinations_are_seen_from_the_document_and_by_a_slash_from_the_root() {
        let path = |text: &str| Leads::To(Target::Path(text.to_owned()));
        let cases = [
            ("a.md", path("sales/deals/a.md"), 4),
            ("./a.md", path("sales/deals/a.md"), 6),
            ("../a.md?plain=1#top", path("sales/a.md"), 7),
            ("../../a%20b.md#x", path("a b.md"), 14),
            ("/team/a.md", path("team/a.md"), 10),
            ("../x/../a.md", path("sales/a.md"), 12),
            ("e\u{301}.md", path("sales/deals/é.md"), 6),
            ("a", path("sales/deals/a"), 1),
            ("x%3Ay.md", path("sales/deals/x:y.md"), 8),
            ("../../../a.md", Leads::Outside, 13),
            ("/../a.md", Leads::Outside, 8),
            ("../%2E%2E/%2e%2e/a.md", Leads::Outside, 21),
            ("", Leads::Elsewhere, 0),
            ("#top", Leads::Elsewhere, 0),
            ("?x", Leads::Elsewhere, 0),
            ("..", Leads::Elsewhere, 2),
            ("../deals/", Leads::Elsewhere, 9),
            ("//host/a.md", Leads::Elsewhere, 11),
            ("https://x/a.md", Leads::Elsewhere, 14),
            ("mailto:a@b.md", Leads::Elsewhere, 13),
            ("a%2Fb.md", Leads::Elsewhere, 8),
            ("a%FF.md", Leads::Elsewhere, 7),
            ("a%00.md", Leads::Elsewhere, 7),
        ];
        for (text, leads, end) in cases {
            assert_eq!(destination(&from(), text), (leads, end), "{text}");
        }
    }

    #[test]
    fn wiki_links_name_notes() {
        let cases = [
            ("Note", Leads::To(Target::Name("note".to_owned())), 4),
            ("a/Note.MD#Top", Leads::To(Target::Name("a/note".to_owned())), 9),
            (" v1.2 ", Leads::To(Target::Name("v1.2".to_owned())), 6),
            ("/A/b", Leads::To(Target::Note("a/b".to_owned())), 4),
            ("../b", Leads::To(Target::Note("sales/b".to_owned())), 4),
            ("../../../b", Leads::Outside, 10),
            ("#here", Leads::Elsewhere, 0),
            ("a\nb", Leads::Elsewhere, 3),
            ("https://x/y", Leads::Elsewhere, 11),
        ];
        for (text, leads, end) in cases {
            assert_eq!(wiki(&from(), text), (leads, end), "{text}");
        }
    }

    #[test]
    fn markdown_is_told_by_its_extension() {
        assert!(is_markdown("a.MD") && is_markdown("a.markdown") && !is_markdown(".md") && !is_markdown("a.mdx"));
    }
}
