//! Headings by CommonMark: the title that a document without `title` takes, and the first block that would repeat it.
//!
//! Only top-level headings count: one in a quote, a list, code or HTML is not the document's.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, OffsetIter, Options, Parser, Tag, TagEnd};
use unicode_normalization::UnicodeNormalization as _;

/// A level-1 heading.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// Its text without Markdown; white space folded.
    pub(super) text: String,
    /// The bytes that it takes, from the start of its first line.
    pub(super) span: Range<usize>,
}

/// A parser of Markdown as this room reads it.
pub(super) fn markdown(body: &str) -> OffsetIter<'_> {
    Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_WIKILINKS).into_offset_iter()
}

/// The first level-1 heading that has a text.
pub(super) fn first(body: &str) -> Option<Heading> {
    let mut events = markdown(body);
    let mut depth = 0_u32;
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) if depth == 0 => {
                let heading = Heading { text: text(&mut events), span: from_line_start(body, range) };
                if !heading.text.is_empty() {
                    return Some(heading);
                }
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The body's first block, if that is a level-1 heading: its text, and its bytes with the blank lines after it.
pub(super) fn first_block(body: &str) -> Option<Heading> {
    let mut events = markdown(body);
    let Some((Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }), range)) = events.next() else { return None };
    let span = from_line_start(body, range);
    // Definitions of links may come before it, unseen: then it is not the first block.
    if !body[..span.start].trim().is_empty() {
        return None;
    }
    let blank: usize = body[span.end..].split_inclusive('\n').take_while(|line| is_blank(line)).map(str::len).sum();
    Some(Heading { text: text(&mut events), span: span.start..span.end + blank })
}

/// The body without its first block, if that is a level-1 heading equal to the title, and without the blank lines after
/// it.
pub(super) fn without_title(body: &str, title: &str) -> String {
    match first_block(body) {
        Some(heading) if same(&heading.text, title) => {
            [&body[..heading.span.start], &body[heading.span.end..]].concat()
        }
        _ => body.to_owned(),
    }
}

/// A line of nothing but blanks, as Markdown means it: one with a no-break space or another mark that can't be seen is text.
pub(super) fn is_blank(line: &str) -> bool {
    line.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Equal after trimming, in NFC.
pub(super) fn same(heading: &str, title: &str) -> bool {
    let folded = title.split_whitespace().collect::<Vec<_>>().join(" ");
    heading.nfc().eq(folded.nfc())
}

/// The plain text of the heading that has just begun.
fn text(events: &mut OffsetIter<'_>) -> String {
    let mut out = String::new();
    for (event, _) in events {
        match event {
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::End(TagEnd::Heading(_)) => break,
            _ => {}
        }
    }
    without_anchor(&out).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A heading without the `{#anchor}` that many tools take at its end.
fn without_anchor(text: &str) -> &str {
    let anchor = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c));
    match text.trim_end().strip_suffix('}').and_then(|t| t.rsplit_once("{#")) {
        Some((before, name)) if anchor(name) => before,
        _ => text,
    }
}

/// A block's range, with the blanks before it in its first line.
fn from_line_start(body: &str, range: Range<usize>) -> Range<usize> {
    let start = body[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = body[start..range.start].trim().is_empty();
    (if indent { start } else { range.start })..range.end
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_level_1_heading_is_the_title() {
        let cases = [
            ("# Plain\n", Some("Plain")),
            ("# Closed #\n", Some("Closed")),
            ("   # Indented by three\n", Some("Indented by three")),
            ("Setext\n===\n", Some("Setext")),
            ("Two\nlines\n=\n", Some("Two lines")),
            ("# *a* b\n", Some("a b")),
            ("# `code` and [a link](x \"t\") and ![an image](y)\n", Some("code and a link and an image")),
            ("# [[page|Wiki]]\n", Some("Wiki")),
            ("# AT&amp;T \\*\n", Some("AT&T *")),
            ("# a <b>bold</b> word\n", Some("a bold word")),
            ("# *a* {#an-id}\n", Some("a")),
            ("# The set {a, b}\n", Some("The set {a, b}")),
            ("text\n\n# After text\n", Some("After text")),
            ("## Not this\n\n# This\n\n# Nor that\n", Some("This")),
            ("#\n\n# Second has text\n", Some("Second has text")),
            ("<!-- # in a comment\n\n# still -->\n\n# After\n", Some("After")),
            ("<div>\n# in HTML\n</div>\n", None),
            ("```\n# in a fence\n```\n", None),
            ("~~~~\n# in a fence\n~~~\n# too\n", None),
            ("    # indented code\n", None),
            ("> # quoted\n\n- # in a list\n", None),
            ("#hashtag\n", None),
            ("####### seven\n", None),
            ("\\# escaped\n", None),
            ("", None),
        ];
        for (body, title) in cases {
            assert_eq!(first(body).map(|h| h.text).as_deref(), title, "{body:?}");
        }
    }

    #[test]
    fn a_first_heading_that_equals_the_title_is_not_repeated() {
        let cases = [
            ("# T\n\n\nx\n", "x\n"),
            ("# T\n", ""),
            ("# T", ""),
            ("\n# T\n\nx", "\nx"),
            ("  # T ##\n \t\n    code\n", "    code\n"),
            ("T\n=\nx\n", "x\n"),
            ("# *T*\nx\n", "x\n"),
            ("# T {#top}\nx\n", "x\n"),
            ("# U\n\nx\n", "# U\n\nx\n"),
            ("## T\n\nx\n", "## T\n\nx\n"),
            ("x\n\n# T\n", "x\n\n# T\n"),
            ("<!-- c -->\n\n# T\n", "<!-- c -->\n\n# T\n"),
            ("[a]: b\n\n# T\n", "[a]: b\n\n# T\n"),
            ("# T\n\u{a0}\n\nx\n", "\u{a0}\n\nx\n"),
            ("# T\n\n\u{2028}\nx\n", "\u{2028}\nx\n"),
            ("> # T\n", "> # T\n"),
            ("# T\n\n# T\n", "# T\n"),
        ];
        for (body, rest) in cases {
            assert_eq!(without_title(body, " T "), rest, "{body:?}");
        }
        assert_eq!(without_title("# e\u{301}\n\nx", "é"), "x", "compared in NFC");
    }
}
