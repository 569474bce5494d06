//! What can still be read of front matter that YAML can't read: whether it holds keys of ours, which page it names, and
//! whether it asks to be left alone.
//!
//! Reads bytes line by line and believes only lines that can mean one thing. So a page whose file is torn, in another
//! encoding, in TOML or in the middle of a merge is held, and never taken for gone.

use crate::page::PageId;

use super::key::Key;

/// What was recovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Salvage {
    /// Whether any line names a key of ours.
    pub(super) ours: bool,
    /// The page, where all lines that name one agree.
    pub(super) page_id: Option<PageId>,
    /// Whether it says `sync: false`, and nothing else of `sync`.
    pub(super) off: bool,
}

/// Reads lines of the form `key: value`, `key = value` or `"key": value`.
pub(super) fn salvage(bytes: &[u8]) -> Salvage {
    let mut found = Salvage::default();
    let mut ids = Agreement::None;
    let mut off = Agreement::None;
    for part in bytes.split(|b| *b == b'\n').flat_map(parts) {
        let Some((key, value)) = assignment(part) else { continue };
        found.ours = true;
        match key {
            Key::PageId => ids.add(PageId::parse(value).ok()),
            Key::Sync => off.add(Some(value == "false")),
            _ => {}
        }
    }
    found.page_id = ids.agreed();
    found.off = off.agreed() == Some(true);
    found
}

/// A line, or the members of an object in a line of JSON.
fn parts(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let json = matches!(line.trim_ascii_start().first(), Some(b'{' | b'"'));
    line.split(move |b| json && matches!(b, b'{' | b','))
}

/// What several lines say: nothing, one thing, or things that differ.
enum Agreement<T> {
    None,
    One(T),
    Differ,
}

impl<T: PartialEq> Agreement<T> {
    fn add(&mut self, value: Option<T>) {
        *self = match (std::mem::replace(self, Self::Differ), value) {
            (Self::None, Some(value)) => Self::One(value),
            (Self::One(before), Some(value)) if before == value => Self::One(before),
            _ => Self::Differ,
        };
    }

    fn agreed(self) -> Option<T> {
        match self {
            Self::One(value) => Some(value),
            Self::None | Self::Differ => None,
        }
    }
}

/// A key of ours and its value, if a line is such an assignment and starts at the first column. A JSON key may be
/// indented, since its quotes and colon can mean nothing else.
fn assignment(line: &[u8]) -> Option<(Key, &str)> {
    let json = line.trim_ascii_start().strip_prefix(b"\"");
    let rest = json.unwrap_or(line);
    let end = rest.iter().position(|b| !(b.is_ascii_lowercase() || *b == b'_'))?;
    let key = Key::named(std::str::from_utf8(&rest[..end]).ok()?)?;
    let rest = &rest[end..];
    let rest = if json.is_some() { rest.strip_prefix(b"\"")? } else { rest };
    let value = rest.trim_ascii_start().strip_prefix(b":").or_else(|| rest.trim_ascii_start().strip_prefix(b"="))?;
    let comment = value.windows(2).position(|pair| matches!(pair, b" #" | b"\t#"));
    let value = std::str::from_utf8(&value[..comment.unwrap_or(value.len())]).unwrap_or_default().trim();
    let unquoted = |quote| value.strip_prefix(quote).and_then(|v: &str| v.strip_suffix(quote));
    Some((key, if key == Key::PageId { unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value) } else { value }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_id_is_recovered_from_any_dialect_if_all_lines_agree() {
        let id = |text: &str| salvage(text.as_bytes()).page_id.map(String::from);
        for text in [
            "page_id: abc\ntitle: [unclosed",
            "page_id:   \"abc\"   # the page\r\n",
            "page_id: 'abc'",
            "page_id = \"abc\"\n",
            "{\"page_id\": \"abc\", \"title\": \"x\"",
            "{\n  \"page_id\" : \"abc\",\n",
            "page_id: abc\n=======\npage_id: abc\n",
        ] {
            assert_eq!(id(text).as_deref(), Some("abc"), "{text}");
        }
        for text in [
            "page_id: a b",
            "page_id:",
            "  page_id: abc",
            "x: page_id: abc",
            "page_id: a\npage_id: b",
            "page_ids: a",
            "a: b,page_id: c",
        ] {
            assert_eq!(id(text), None, "{text}");
        }
        assert_eq!(salvage(b"page_id: abc\nx: caf\xe9\n").page_id, PageId::parse("abc").ok());
    }

    #[test]
    fn a_file_is_off_only_if_it_says_so_plainly() {
        let off = |text: &str| salvage(text.as_bytes()).off;
        assert!(off("sync: false\nx: [") && off("sync = false"));
        assert!(!off("sync: \"false\"") && !off("sync: no") && !off("sync: false\nsync: true") && !off("x: 1"));
        assert!(!salvage(b"Title: x\nlayout: y\n").ours && salvage(b"title: x").ours);
    }
}
