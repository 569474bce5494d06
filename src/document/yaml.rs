//! YAML as far as front matter needs it: the entries of one mapping with their places, from a parser's events.
//!
//! Takes scalars as their source text, follows no alias, and keeps nothing below an entry's list, so no input can make it
//! deep or large. What it read before a fault stays: all findings of a file are told at once.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StrInput};

/// The largest block of front matter, in bytes.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// How many YAML events one block may have.
const MAX_EVENTS: usize = 10_000;

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 32;

/// What a block says, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The entries of the mapping, in order, repeated keys too.
    pub(super) entries: Vec<Entry>,
    /// Where reading ended, if not at the end.
    pub(super) fault: Option<Fault>,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key; seldom anything but a scalar.
    pub(super) key: Node,
    /// The value.
    pub(super) value: Node,
}

/// A node and its place in the file.
#[derive(Debug)]
pub(super) struct Node {
    /// What it is.
    pub(super) kind: Kind,
    /// Bytes in the file; for a value that is nothing, those of its key.
    pub(super) span: Range<usize>,
    /// Whether an anchor (`&name`) is set on it.
    pub(super) anchored: bool,
    /// Its tag, as written, but for those that only say that it is text.
    pub(super) tag: Option<String>,
}

/// The kinds of nodes.
#[derive(Debug)]
pub(super) enum Kind {
    /// A text, as written.
    Scalar(String, Style),
    /// A list; what its items hold is not kept.
    List(Vec<Node>),
    /// A map; what it holds is not kept.
    Map,
    /// `*name`; never followed.
    Alias,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// In quotes, or as a block (`|`, `>`).
    Explicit,
}

/// Why the block could not be read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) kind: FaultKind,
    /// Where it was noticed: an offset in the file.
    pub(super) at: usize,
}

/// What can be wrong with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// It is no YAML.
    Syntax(ErrorKind),
    /// It has too many parts.
    TooMuch,
    /// It is a list or a text.
    NoMapping,
    /// A second document begins in it.
    SecondDocument,
}

impl Node {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            Kind::List(_) | Kind::Map | Kind::Alias => None,
        }
    }

    /// The text, if it is written without quotes.
    pub(super) fn plain(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, Style::Plain) => Some(text),
            _ => None,
        }
    }

    /// Whether it is nothing: blank, `~` or an unquoted `null`.
    pub(super) fn is_null(&self) -> bool {
        self.plain().is_some_and(|text| matches!(text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether it is nothing, or a text of white space only.
    pub(super) fn is_blank(&self) -> bool {
        self.is_null() || self.text().is_some_and(|text| text.trim().is_empty())
    }
}

/// Reads a block that begins at `offset` in its file.
pub(super) fn read(block: &str, offset: usize) -> Tree {
    let mut tree = Tree::default();
    tree.fault = Events::new(block, offset).document(&mut tree.entries).err();
    if let (Some(fault), Some(last)) = (&tree.fault, tree.entries.last()) {
        let between = last.value.span.end.saturating_sub(offset)..fault.at.saturating_sub(offset);
        // In `title: [Draft] x` the list is not what its author meant as the value.
        let same_line = block.get(between).is_some_and(|text| !text.contains('\n'));
        if same_line && matches!(fault.kind, FaultKind::Syntax(_)) {
            tree.entries.pop();
        }
    }
    tree
}

/// The events of one block, counted.
struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
    offset: usize,
    length: usize,
    left: usize,
}

/// An event with its place in the file.
type Placed<'a> = (Event<'a>, Range<usize>);

impl<'a> Events<'a> {
    fn new(block: &'a str, offset: usize) -> Self {
        let options = granit_parser::options! {
            disallow_directives: true,
            bom_inside_document_as_content: true,
            emit_unresolved_aliases: true,
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let parser = Parser::new_from_str_with_options(block, options);
        Self { parser, offset, length: block.len(), left: MAX_EVENTS }
    }

    fn next(&mut self) -> Result<Placed<'a>, Fault> {
        let end = self.offset + self.length;
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, end..end)),
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or(self.length..self.length);
                let place = self.offset + range.start..self.offset + range.end.max(range.start);
                self.left = self.left.checked_sub(1).ok_or(Fault { kind: FaultKind::TooMuch, at: place.start })?;
                Ok((event, place))
            }
            Some(Err(error)) => {
                let at = error.marker().byte_offset().map_or(end, |at| self.offset + at);
                Err(Fault { kind: FaultKind::Syntax(error.kind().clone()), at: at.min(end) })
            }
        }
    }

    /// Reads the one document of a block: a mapping, or nothing at all.
    fn document(&mut self, entries: &mut Vec<Entry>) -> Result<(), Fault> {
        let no_mapping = |place: Range<usize>| Err(Fault { kind: FaultKind::NoMapping, at: place.start });
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (Event::MappingStart(..), _) => break self.mapping(entries)?,
                (event, place) => {
                    let node = self.node(event, place)?;
                    if !node.is_null() {
                        return no_mapping(node.span);
                    }
                    break;
                }
            }
        }
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(..), place) => {
                    return Err(Fault { kind: FaultKind::SecondDocument, at: place.start });
                }
                _ => {}
            }
        }
    }

    fn mapping(&mut self, entries: &mut Vec<Entry>) -> Result<(), Fault> {
        loop {
            let (event, place) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                return Ok(());
            }
            let key = self.node(event, place)?;
            let (event, place) = self.next()?;
            let mut value = self.node(event, place)?;
            if value.span.is_empty() {
                value.span = key.span.clone();
            }
            entries.push(Entry { key, value });
        }
    }

    /// A key or a value, with the items of a list.
    fn node(&mut self, event: Event<'a>, place: Range<usize>) -> Result<Node, Fault> {
        let Event::SequenceStart(_, anchor, ref tag) = event else { return self.leaf(event, place) };
        let tag = tag.as_ref().and_then(|tag| written(tag));
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, end) => {
                    let span = place.start..end.end.max(place.end);
                    return Ok(Node { kind: Kind::List(items), span, anchored: anchor > 0, tag });
                }
                (event, place) => items.push(self.leaf(event, place)?),
            }
        }
    }

    /// A node of which only its kind is kept, where it is not a scalar.
    fn leaf(&mut self, event: Event<'a>, place: Range<usize>) -> Result<Node, Fault> {
        let (kind, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Explicit };
                // An empty value arrives as "~"; a written one has a place.
                let text = if place.is_empty() && style == Style::Plain { String::new() } else { text.into_owned() };
                (Kind::Scalar(text, style), anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (Kind::List(Vec::new()), anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Kind::Map, anchor, tag),
            _ => (Kind::Alias, 0, None),
        };
        let end = if matches!(kind, Kind::List(_) | Kind::Map) { self.skip()? } else { place.end };
        let span = place.start..end.max(place.end);
        Ok(Node { kind, span, anchored: anchor > 0, tag: tag.as_ref().and_then(|tag| written(tag)) })
    }

    /// Passes over what is left of a list or map that has just begun; answers where it ends.
    fn skip(&mut self) -> Result<usize, Fault> {
        let mut depth = 1;
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
                Event::SequenceEnd | Event::MappingEnd => depth -= 1,
                Event::StreamEnd => return Ok(place.end),
                _ => {}
            }
            if depth == 0 {
                return Ok(place.end);
            }
        }
    }
}

/// A tag as its author wrote it; `None` for `!` and `!!str`, which say what holds anyway.
fn written(tag: &granit_parser::Tag) -> Option<String> {
    let text_anyway = tag.core_suffix() == Some("str") || tag.original() == "!";
    (!text_anyway).then(|| tag.original())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fault(block: &str) -> Option<FaultKind> {
        read(block, 0).fault.map(|f| f.kind)
    }

    #[test]
    fn scalars_are_their_source_text_at_their_place() {
        let block = "é: 00123\r\nb: \"x\\ty\"\r\nc: [1e9, no, ~]\r\nd: {e: f}\r\n";
        let tree = read(block, 100);
        assert_eq!(tree.fault, None);
        let texts: Vec<_> = tree.entries.iter().map(|e| (e.key.text().unwrap(), e.value.text())).collect();
        assert_eq!(texts, [("é", Some("00123")), ("b", Some("x\ty")), ("c", None), ("d", None)]);
        for entry in &tree.entries {
            let source = &block[entry.key.span.start - 100..entry.key.span.end - 100];
            assert_eq!(Some(source), entry.key.text());
        }
        let Kind::List(items) = &tree.entries[2].value.kind else { panic!() };
        assert_eq!(items.iter().map(|i| i.text().unwrap()).collect::<Vec<_>>(), ["1e9", "no", "~"]);
        assert!(items[2].is_null() && !items[1].is_null());
    }

    #[test]
    fn nothing_is_a_valid_block() {
        for block in ["", "\n", "# a comment\n", "# many\n#\n\n# comments\n", "~\n"] {
            let tree = read(block, 0);
            assert!(tree.fault.is_none() && tree.entries.is_empty(), "{block:?}: {tree:?}");
        }
    }

    #[test]
    fn what_was_read_before_a_fault_stays() {
        let tree = read("a: 1\nb: [x\n", 0);
        assert_eq!(tree.entries.len(), 1);
        assert!(matches!(tree.fault.unwrap().kind, FaultKind::Syntax(_)));
    }

    #[test]
    fn what_is_no_front_matter_is_refused() {
        assert_eq!(fault("- a\n"), Some(FaultKind::NoMapping));
        assert_eq!(fault("just text\n"), Some(FaultKind::NoMapping));
        assert_eq!(fault("a: 1\n--- x\n"), Some(FaultKind::SecondDocument));
        assert_eq!(fault("a: *unknown\nb: &c 1\nd: *c\n"), None, "aliases of other tools' keys are theirs");
        assert_eq!(fault(&"- ".repeat(40)), Some(FaultKind::Syntax(ErrorKind::RecursionLimitExceeded)));
        assert_eq!(fault(&"a: 1\n".repeat(MAX_EVENTS / 2)), Some(FaultKind::TooMuch));
    }
}
