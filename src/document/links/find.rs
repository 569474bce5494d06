//! Where in a text the links stand: by the parser's own offsets, never by a search through the text.
//!
//! A destination whose place can't be made out for certain is not found at all, so that nothing else is ever replaced.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::document::heading::markdown;

/// A link or an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The bytes that a rewriting replaces: the destination without angle brackets; of a wiki link all of it.
    pub(super) span: Range<usize>,
    /// All of it: with its text, its destination and its title.
    pub(super) whole: Range<usize>,
    /// The destination, escapes and entities resolved; of a wiki link its target as written.
    pub(super) destination: String,
    /// How it is written.
    pub(super) form: Form,
}

impl Link {
    /// Whether it is one that only a wiki knows.
    pub(super) fn is_wiki(&self) -> bool {
        matches!(self.form, Form::Wiki(_) | Form::Embed(_))
    }
}

/// How a link is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `[text](destination)`.
    Link,
    /// `![text](destination)`.
    Image,
    /// `[label]: destination`.
    Definition,
    /// `[[target]]`, or `[[target|text]]` with the place of its text.
    Wiki(Option<Range<usize>>),
    /// The same with a `!` before it.
    Embed(Option<Range<usize>>),
}

/// A link whose end was not reached yet.
struct Open<'a> {
    kind: LinkType,
    destination: pulldown_cmark::CowStr<'a>,
    form: Form,
    range: Range<usize>,
    /// Where what is inside ends, as far as it was seen; and where it begins.
    inside: Option<Range<usize>>,
}

/// All links of a text that can be rewritten, in order, none inside another. Those in math are left out.
pub(super) fn links(text: &str) -> Vec<Link> {
    let mut events = markdown(text);
    let mut found = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    for (event, range) in events.by_ref() {
        match event {
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                open.push(Open { kind: link_type, destination: dest_url, form: Form::Link, range, inside: None });
            }
            Event::Start(Tag::Image { link_type, dest_url, .. }) => {
                open.push(Open { kind: link_type, destination: dest_url, form: Form::Image, range, inside: None });
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                found.extend(open.pop().and_then(|link| link.found(text)));
                note_inside(&mut open, &range);
            }
            _ => note_inside(&mut open, &range),
        }
    }
    let others = if found.iter().any(Link::is_wiki) { ordinary(text) } else { Vec::new() };
    found.retain(|link| !(link.is_wiki() && is_within(&link.whole, &others)));
    let definitions = events.reference_definitions().iter();
    found.extend(definitions.filter_map(|(_, definition)| defined(text, &definition.span, &definition.dest)));
    found.sort_by_key(|link| (link.span.start, std::cmp::Reverse(link.span.end)));
    let math = math(text);
    let mut end = 0;
    found.retain(|link| {
        let next = math.partition_point(|range| range.end <= link.span.start);
        let free = link.span.start >= end && math.get(next).is_none_or(|range| range.start >= link.span.end);
        if free {
            end = link.span.end;
        }
        free
    });
    found
}

/// Where links and images stand for a reader who knows no wiki, brackets and all, without those inside another:
/// `[[1]](https://example.com)` is such a one.
fn ordinary(text: &str) -> Vec<Range<usize>> {
    let mut outer: Vec<Range<usize>> = Vec::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let begins = matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. }));
        if begins && outer.last().is_none_or(|last| last.end <= range.start) {
            outer.push(range);
        }
    }
    outer
}

/// Whether it lies in one of these, which stand in order.
fn is_within(inner: &Range<usize>, outer: &[Range<usize>]) -> bool {
    let next = outer.partition_point(|range| range.end <= inner.start);
    outer.get(next).is_some_and(|range| range.start <= inner.start && inner.end <= range.end)
}

fn note_inside(open: &mut [Open<'_>], range: &Range<usize>) {
    if let Some(link) = open.last_mut() {
        let inside = link.inside.get_or_insert(range.clone());
        inside.end = inside.end.max(range.end);
    }
}

impl Open<'_> {
    fn found(self, text: &str) -> Option<Link> {
        match self.kind {
            LinkType::Inline => {
                let opening = if self.form == Form::Image { 2 } else { 1 };
                let from = self.inside.map_or(self.range.start + opening, |inside| inside.end);
                // What lies between is at most the mark of a quote at the start of a line.
                let closing = text.get(from..self.range.end)?.find("](")?;
                let span = destination(text, from + closing + 2, &self.destination)?;
                (span.end < self.range.end).then(|| Link {
                    span,
                    whole: self.range,
                    destination: self.destination.into_string(),
                    form: self.form,
                })
            }
            LinkType::WikiLink { has_pothole } => self.wiki(text, has_pothole),
            // What a reference leads to stands in its definition.
            _ => None,
        }
    }

    fn wiki(self, text: &str, has_text: bool) -> Option<Link> {
        let whole = text.get(self.range.clone())?;
        let (opening, is_embed) = if self.form == Form::Image { ("![[", true) } else { ("[[", false) };
        let inside = whole.strip_prefix(opening)?.strip_suffix("]]")?;
        let start = self.range.start + opening.len();
        let (target, shown) = match inside.split_once('|').filter(|_| has_text) {
            Some((target, _)) => {
                let text_at = start + target.len() + 1;
                // In a table the stroke is escaped.
                (target.strip_suffix('\\').unwrap_or(target), Some(text_at..start + inside.len()))
            }
            None => (inside, None),
        };
        let form = if is_embed { Form::Embed(shown) } else { Form::Wiki(shown) };
        Some(Link { span: self.range.clone(), whole: self.range, destination: target.to_owned(), form })
    }
}

/// The destination in a definition `[label]: destination "title"`.
fn defined(text: &str, span: &Range<usize>, meant: &str) -> Option<Link> {
    let bytes = text.as_bytes();
    let mut at = span.start + 1;
    while at < span.end && bytes[at] != b']' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    if bytes.get(at..at + 2)? != b"]:" {
        return None;
    }
    let found = destination(text, at + 2, meant)?;
    let within = found.end <= span.end;
    within.then(|| Link { span: found, whole: span.clone(), destination: meant.to_owned(), form: Form::Definition })
}

/// The destination that begins at or after `at`, if it is `meant`.
fn destination(text: &str, at: usize, meant: &str) -> Option<Range<usize>> {
    let at = after_blanks(text, at);
    let rest = text.get(at..)?;
    let span = match rest.strip_prefix('<') {
        Some(inside) => at + 1..at + 1 + in_brackets(inside)?,
        None => at..at + bare(rest),
    };
    let raw = text.get(span.clone())?;
    let same = if raw.contains(['\\', '&']) { unescaped(raw).as_deref() == Some(meant) } else { raw == meant };
    same.then_some(span)
}

/// Blanks, and a line's end with the marks of quotes that begin the next line.
fn after_blanks(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut fresh_line = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' => {}
            b'\n' => fresh_line = true,
            b'>' if fresh_line => {}
            _ => break,
        }
        at += 1;
    }
    at
}

/// The length of a destination in angle brackets, without them.
fn in_brackets(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'>' => return Some(at),
            b'<' | b'\n' => return None,
            _ => {}
        }
    }
    None
}

/// The length of a destination without brackets.
fn bare(text: &str) -> usize {
    let (mut escaped, mut depth) = (false, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b if b == b' ' || b.is_ascii_control() => return at,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 0 => return at,
            b')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// What a destination means, by the parser itself.
pub(super) fn unescaped(raw: &str) -> Option<String> {
    let link = format!("[x](<{raw}>)");
    Parser::new(&link).find_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    })
}

/// Where math stands. Only readers of Markdown that know math see it, so it is looked for apart.
fn math(text: &str) -> Vec<Range<usize>> {
    if !text.contains('$') {
        return Vec::new();
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_WIKILINKS | Options::ENABLE_MATH;
    let is_math = |event: &Event<'_>| matches!(event, Event::InlineMath(_) | Event::DisplayMath(_));
    Parser::new_ext(text, options)
        .into_offset_iter()
        .filter(|(event, _)| is_math(event))
        .map(|(_, range)| range)
        .collect()
}
