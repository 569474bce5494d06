//! What travels of a file beside its front matter, and what keeps a file from travelling at all: an encoding other than
//! UTF-8, NUL bytes, too many bytes, nothing but white space, a Git LFS pointer, merge-conflict markers.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag};

use crate::reason::{Code, Reason};

use super::fence;
use super::heading::markdown;

/// The largest file that is published, in bytes (contract.md, Body).
pub const MAX_BYTES: u64 = 5 * 1024 * 1024;

/// The reason for which a file of `size` bytes is blocked. Whoever reads files compares the size with [`MAX_BYTES`]
/// first, so that a huge one is never read.
pub fn too_large(size: u64) -> Reason {
    Reason::new(Code::TooLarge, too_large_message(size))
}

/// The same in words.
pub(super) fn too_large_message(size: u64) -> String {
    let tenths = size.saturating_mul(10).div_ceil(1024 * 1024);
    format!(
        "the file has {}.{} MiB, at most 5 MiB are published; split it, or set `sync: false`",
        tenths / 10,
        tenths % 10
    )
}

/// Whether a file holds nothing: no byte, or only white space, NUL bytes and a byte order mark.
pub(super) fn holds_nothing(bytes: &[u8]) -> bool {
    bytes[fence::bom_length(bytes)..].iter().all(|b| *b == 0 || b.is_ascii_whitespace())
}

/// Whether a file is a pointer that Git LFS left in place of the text.
pub(super) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
        || bytes.starts_with(b"version https://hawser.github.com/spec/")
}

/// How two bytes make a unit of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// The text of a file in UTF-16, if it begins like one.
pub(super) fn from_utf16(bytes: &[u8]) -> Option<String> {
    let (unit, rest): (Unit, &[u8]) = match bytes {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        [b'-', 0, b'-', 0, ..] => (u16::from_le_bytes, bytes),
        [0, b'-', 0, b'-', ..] => (u16::from_be_bytes, bytes),
        _ => return None,
    };
    let (pairs, _) = rest.as_chunks::<2>();
    Some(char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).map(|c| c.unwrap_or('\u{fffd}')).collect())
}

/// The text after the front matter, with LF for CRLF.
pub(super) fn content(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() }
}

/// The first line of a merge conflict that nobody resolved: `<<<<<<< `, `=======` and `>>>>>>> ` in this order, each at the
/// start of a line. A conflict that begins in a fenced code block of the body is an example.
pub(super) fn conflict(text: &str, body: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut examples: Option<Vec<Range<usize>>> = None;
    let mut is_example = |at: usize| {
        let blocks = examples.get_or_insert_with(|| fenced_code(text, body));
        let next = blocks.partition_point(|block| block.end <= at);
        blocks.get(next).is_some_and(|block| block.start < at)
    };
    let mut ours: Option<Range<usize>> = None;
    let mut theirs = false;
    for line in fence::lines(bytes, fence::bom_length(bytes)) {
        let shown = &bytes[line.text.clone()];
        match &ours {
            None if shown.starts_with(b"<<<<<<< ") && !(line.text.start >= body && is_example(line.text.start)) => {
                ours = Some(line.text);
            }
            Some(_) if shown == b"=======" => theirs = true,
            Some(_) if theirs && shown.starts_with(b">>>>>>> ") => return ours,
            _ => {}
        }
    }
    None
}

/// The fenced code blocks of the body, in order.
pub(super) fn fenced_code(text: &str, body: usize) -> Vec<Range<usize>> {
    let fenced = |event: &Event<'_>| matches!(event, Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))));
    let blocks = markdown(&text[body..]).filter(|(event, _)| fenced(event));
    blocks.map(|(_, range)| body + range.start..body + range.end).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn conflicts_are_told_from_texts_about_git() {
        let conflict = |text: &str| conflict(text, 0).map(|span| text[span].to_owned());
        let real = "a\n<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> b\n";
        assert_eq!(conflict(real).as_deref(), Some("<<<<<<< HEAD"));
        assert_eq!(conflict(&real.replace('\n', "\r\n")).as_deref(), Some("<<<<<<< HEAD"));
        let flips = "<<<<<<< HEAD\n```js\n=======\ny\n>>>>>>> b\n```\n";
        assert!(conflict(flips).is_some(), "a conflict that flips a code fence");
        let after = format!("```\ncode\n```\n{real}");
        assert!(conflict(&after).is_some(), "a fence that is closed before");
        let diff3 = "<<<<<<< a\nx\n||||||| b\ny\n=======\nz\n>>>>>>> c\n";
        assert!(conflict(diff3).is_some());
        for about_git in [
            format!("```\n{real}```\n"),
            format!("~~~text\n{real}~~~\nmore\n"),
            format!(
                "- item\n\n  ```\n{}  ```\n",
                real.replace("\n<", "\n  <").replace("\n=", "\n  =").replace("\n>", "\n  >")
            ),
            "Heading\n=======\n".to_owned(),
            "The marker `<<<<<<< HEAD` begins it, `=======` parts it, `>>>>>>> b` ends it.\n".to_owned(),
            "<<<<<<< HEAD\nx\n>>>>>>> b\n".to_owned(),
            "<<<<<<<\n=======\n>>>>>>>\n".to_owned(),
            " <<<<<<< a\n =======\n >>>>>>> b\n".to_owned(),
        ] {
            assert_eq!(conflict(&about_git), None, "{about_git}");
        }
    }

    #[test]
    fn utf_16_is_recognised_by_its_mark_or_its_fence() {
        let le: Vec<u8> = "---\né".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = "\u{feff}---\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(from_utf16(&le).as_deref(), Some("---\né"));
        assert_eq!(from_utf16(&be).as_deref(), Some("---\n"));
        assert_eq!(from_utf16(b"---\n"), None);
    }

    #[test]
    fn sizes_are_told_in_mebibytes() {
        assert!(too_large(MAX_BYTES + 1).message.starts_with("the file has 5.1 MiB"));
    }
}
