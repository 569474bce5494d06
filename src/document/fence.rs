//! Where the front matter lies, in bytes: between a first line `---` and the next line that is `---` or `...`.
//!
//! Knows no YAML. It also tells what only looks like front matter (never closed, TOML, JSON, not in the first line), so
//! that a page's file with such a mistake is held and not taken for a file without front matter.

use std::ops::Range;

/// The mark that some editors put before the text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How far into a file something that looks like front matter is searched for keys of ours.
const LOOKS_INTO: usize = 64 * 1024;

/// What a file begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Nothing that looks like front matter.
    None,
    /// A block of it.
    Block(Block),
    /// Something that its author may have meant as front matter.
    Lookalike(Lookalike),
}

/// A closed block: where its YAML lies, and where the body begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The lines between the fences.
    pub(super) yaml: Range<usize>,
    /// The first byte after the closing line.
    pub(super) body: usize,
}

/// What looks like front matter and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookalike {
    /// What is wrong with it.
    pub(super) flaw: Flaw,
    /// The line that opens it.
    pub(super) open: Range<usize>,
    /// What may hold keys of ours.
    pub(super) inside: Range<usize>,
}

/// Why it is no front matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// No line closes it.
    Unclosed,
    /// Blank lines, blanks or marks that can't be seen come before it.
    NotFirst,
    /// The first line is of dashes, but not of three hyphens.
    OddFence,
    /// It is TOML, between lines `+++`.
    Toml,
    /// It is JSON.
    Json,
    /// It begins with a merge conflict.
    Conflict,
}

/// One line: where its text lies (without its end) and where the next one begins.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The text, without `\n` or `\r\n`.
    pub(super) text: Range<usize>,
    /// The first byte of the next line.
    pub(super) next: usize,
}

/// The lines of `bytes` from an offset on.
pub(super) fn lines(bytes: &[u8], from: usize) -> impl Iterator<Item = Line> {
    let mut at = from;
    bytes.get(from..).unwrap_or_default().split_inclusive(|b| *b == b'\n').map(move |line| {
        let start = at;
        at += line.len();
        let text = line.strip_suffix(b"\n").map_or(line, |l| l.strip_suffix(b"\r").unwrap_or(l));
        Line { text: start..start + text.len(), next: at }
    })
}

/// How many bytes of `bytes` a byte order mark takes.
pub(super) fn bom_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(BOM) { BOM.len() } else { 0 }
}

/// Looks for the front matter.
pub(super) fn find(bytes: &[u8]) -> Front {
    let start = bom_length(bytes);
    let Some(first) = lines(bytes, start).next() else { return Front::None };
    if !is_fence(&bytes[first.text.clone()], b"---") {
        return lookalike(bytes, start);
    }
    let closing = |line: &Line| is_closing(&bytes[line.text.clone()]);
    match lines(bytes, first.next).find(closing) {
        Some(close) => Front::Block(Block { yaml: first.next..close.text.start, body: close.next }),
        None => Front::Lookalike(Lookalike {
            flaw: Flaw::Unclosed,
            open: first.text,
            inside: first.next..bytes.len().min(first.next + LOOKS_INTO),
        }),
    }
}

/// What a file begins with whose first line is no fence.
fn lookalike(bytes: &[u8], start: usize) -> Front {
    let seen = &bytes[..bytes.len().min(start + LOOKS_INTO)];
    let text_of = |line: &Line| &seen[line.text.clone()];
    let Some(open) = lines(seen, start).find(|line| !visible(text_of(line)).is_empty()) else { return Front::None };
    let text = visible(text_of(&open));
    let flaw = if text.starts_with(b"<<<<<<< ") {
        Flaw::Conflict
    } else if is_fence(text, b"+++") {
        Flaw::Toml
    } else if text.starts_with(b"{") && !text.starts_with(b"{{") {
        Flaw::Json
    } else if is_fence(text, b"---") {
        Flaw::NotFirst
    } else if is_dashes(text) {
        Flaw::OddFence
    } else {
        return Front::None;
    };
    let ends = |line: &Line| match flaw {
        Flaw::Toml => is_fence(text_of(line), b"+++"),
        Flaw::Json => text_of(line).starts_with(b"}"),
        Flaw::Conflict => text_of(line).starts_with(b">>>>>>> "),
        Flaw::Unclosed | Flaw::NotFirst | Flaw::OddFence => {
            is_dashes(visible(text_of(line))) || visible(text_of(line)).is_empty()
        }
    };
    let from = if flaw == Flaw::Json { open.text.start } else { open.next };
    let end = lines(seen, open.next).find(ends).map_or(seen.len(), |line| line.text.start);
    Front::Lookalike(Lookalike { flaw, open: open.text, inside: from..end.max(from) })
}

/// Whether a line is this fence: the three bytes, and blanks.
fn is_fence(line: &[u8], fence: &[u8]) -> bool {
    line.strip_prefix(fence).is_some_and(|rest| rest.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')))
}

fn is_closing(line: &[u8]) -> bool {
    is_fence(line, b"---") || is_fence(line, b"...")
}

/// Whether a line is of hyphens and dashes only, as word processors make them of `---`.
fn is_dashes(line: &[u8]) -> bool {
    const LONGEST: usize = 30;
    if matches!(line, b"" | b"-") || line.len() > LONGEST {
        return false;
    }
    std::str::from_utf8(line).is_ok_and(|text| text.chars().all(|c| matches!(c, '-' | '–' | '—' | '―' | '−')))
}

/// A line without the blanks and unseen marks around it.
fn visible(mut line: &[u8]) -> &[u8] {
    const UNSEEN: [&[u8]; 8] =
        [b" ", b"\t", b"\r", BOM, "\u{200b}".as_bytes(), "\u{a0}".as_bytes(), "\u{2060}".as_bytes(), b"\x0c"];
    while let Some(rest) = UNSEEN.iter().find_map(|mark| line.strip_prefix(*mark)) {
        line = rest;
    }
    while let Some(rest) = UNSEEN.iter().find_map(|mark| line.strip_suffix(*mark)) {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// The YAML and the body of a file with front matter.
    fn split(file: &str) -> Option<(&str, &str)> {
        match find(file.as_bytes()) {
            Front::Block(block) => Some((&file[block.yaml], &file[block.body..])),
            _ => None,
        }
    }

    #[test]
    fn a_block_opens_in_the_first_byte_and_closes_at_the_first_fence() {
        let cases = [
            ("---\na: 1\n---\nx", ("a: 1\n", "x")),
            ("\u{feff}---\r\na: 1\r\n---\r\nx\r\n", ("a: 1\r\n", "x\r\n")),
            ("--- \t\na: 1\n---\t\nx", ("a: 1\n", "x")),
            ("---\na: 1\n...\nx\n---\n", ("a: 1\n", "x\n---\n")),
            ("---\n---\n", ("", "")),
            ("---\n---", ("", "")),
            ("---\n# only a comment\n---\n\nx", ("# only a comment\n", "\nx")),
            ("---\na: |\n  ---\n  b\n---\nx", ("a: |\n  ---\n  b\n", "x")),
            ("---\na: |\n---\nb\n---\nx", ("a: |\n", "b\n---\nx")),
            ("---\na: 1\n----\n---\nx", ("a: 1\n----\n", "x")),
            ("---\na: 1\n--- x\n---\n", ("a: 1\n--- x\n", "")),
        ];
        for (file, parts) in cases {
            assert_eq!(split(file), Some(parts), "{file:?}");
        }
    }

    #[test]
    fn what_only_looks_like_front_matter_is_told_apart() {
        let cases = [
            ("---\npage_id: x\n", Flaw::Unclosed, "page_id: x\n"),
            ("\n---\npage_id: x\n---\n", Flaw::NotFirst, "page_id: x\n"),
            (" ---\npage_id: x\n---\n", Flaw::NotFirst, "page_id: x\n"),
            ("\u{feff}\u{feff}---\npage_id: x\n---\n", Flaw::NotFirst, "page_id: x\n"),
            ("\u{200b}---\npage_id: x\n\ntext", Flaw::NotFirst, "page_id: x\n"),
            ("----\npage_id: x\n----\n", Flaw::OddFence, "page_id: x\n"),
            ("—-\npage_id: x\n—-\n", Flaw::OddFence, "page_id: x\n"),
            ("+++\npage_id = 1\n+++\nx", Flaw::Toml, "page_id = 1\n"),
            ("{\n\"page_id\": 1\n}\nx", Flaw::Json, "{\n\"page_id\": 1\n"),
            ("<<<<<<< a\n---\nb\n>>>>>>> c\n", Flaw::Conflict, "---\nb\n"),
        ];
        for (file, flaw, inside) in cases {
            let Front::Lookalike(found) = find(file.as_bytes()) else { panic!("{file:?}") };
            assert_eq!((found.flaw, &file[found.inside]), (flaw, inside), "{file:?}");
        }
        for file in ["", "x", "# a\n---\nb: 1\n---\n", "-\n", "{{< toc >}}\n", "...\na\n---\n", "---x\n---\n"] {
            assert_eq!(find(file.as_bytes()), Front::None, "{file:?}");
        }
    }
}
