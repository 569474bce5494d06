//! YAML as a tree that remembers where each part stands and how its scalars were written.
//!
//! Nothing is typed here: `1e9` and `no` stay text until a key says what it wants. Aliases, tags and a second YAML
//! document are refused, so that a small file can't grow. Pure; only the configuration uses it.

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput};

/// A place in a file, counted from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A part of a YAML file and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub position: Position,
    /// What it is.
    pub value: Value,
}

/// What a part of a YAML file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A scalar without quotes: may be meant as a number, a switch or null.
    Plain(String),
    /// A scalar in quotes or a block: always text.
    Quoted(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the file's order; a key may stand twice.
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// Whether nothing is written here, or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Plain(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Text that is not the YAML that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Where it was noticed.
    pub position: Position,
    /// What is wrong.
    pub message: String,
}

/// How deep lists and mappings may lie in each other: a configuration needs three.
const DEEPEST: usize = 16;

/// Reads one YAML document; `None` where there is nothing but white space and comments.
pub fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader { parser: Parser::new_from_str_with_options(text, options) };
    reader.document().map_err(|error| tab_instead(text).unwrap_or(error))
}

/// The parser reports a tab in the indentation somewhere before it; people look for it where it is.
fn tab_instead(text: &str) -> Option<SyntaxError> {
    text.lines().enumerate().find_map(|(index, line)| {
        let blank = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        let column = blank.chars().position(|c| c == '\t')? + 1;
        let message = "a tab in the indentation; YAML takes spaces only".to_owned();
        Some(SyntaxError { position: Position { line: index + 1, column }, message })
    })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Position)>, SyntaxError> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, position(&span)))),
            Some(Err(error)) => {
                let mark = error.marker();
                let position = Position { line: mark.line(), column: mark.col() + 1 };
                Err(SyntaxError { position, message: format!("this is not YAML: {}", error.info()) })
            }
        }
    }

    fn document(&mut self) -> Result<Option<Node>, SyntaxError> {
        let mut root = None;
        while let Some((event, position)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_none() => {}
                Event::DocumentStart(..) => {
                    return Err(refusal(position, "a second YAML document (`---`) is not read"));
                }
                Event::StreamEnd => break,
                event => root = Some(self.node(event, position, DEEPEST)?),
            }
        }
        Ok(root.filter(|node| !node.is_null()))
    }

    fn node(&mut self, event: Event<'a>, position: Position, depth: usize) -> Result<Node, SyntaxError> {
        if depth == 0 {
            return Err(refusal(position, "lists or mappings lie too deep in each other"));
        }
        let value = match event {
            Event::Scalar(_, _, anchor, _) if anchor != 0 => return Err(refusal(position, NO_ALIASES)),
            Event::Scalar(text, ScalarStyle::Plain, ..) => Value::Plain(text.into_owned()),
            Event::Scalar(text, ..) => Value::Quoted(text.into_owned()),
            Event::SequenceStart(..) => Value::List(self.list(depth)?),
            Event::MappingStart(..) => Value::Map(self.map(depth)?),
            _ => return Err(refusal(position, NO_ALIASES)),
        };
        Ok(Node { position, value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, SyntaxError> {
        let mut items = Vec::new();
        while let Some((event, position)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, position, depth - 1)?);
        }
        Ok(items)
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, SyntaxError> {
        let mut entries = Vec::new();
        while let Some((event, position)) = self.next()? {
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(refusal(position, "a key is one word")),
            };
            let Some((event, at)) = self.next()? else { break };
            entries.push(Entry { key, position, value: self.node(event, at, depth - 1)? });
        }
        Ok(entries)
    }
}

const NO_ALIASES: &str = "anchors and aliases (`&`, `*`) are not read here; write the value out, or quote it";

fn refusal(position: Position, message: &str) -> SyntaxError {
    SyntaxError { position, message: message.to_owned() }
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn at(text: &str) -> (usize, usize, String) {
        let error = parse(text).expect_err(text);
        (error.position.line, error.position.column, error.message)
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", "\n\n", "# only a comment\n", "---\n", "null\n", "\u{feff}"] {
            assert_eq!(parse(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn scalars_stay_what_was_written_and_where() {
        let root = parse("a:\n  b: 00123\n  é: [x, \"no\"]\n").unwrap().unwrap();
        let Value::Map(entries) = root.value else { panic!() };
        let Value::Map(inner) = &entries[0].value.value else { panic!() };
        assert_eq!(inner[0].value.value, Value::Plain("00123".into()));
        assert_eq!(inner[1].position, Position { line: 3, column: 3 });
        let Value::List(items) = &inner[1].value.value else { panic!() };
        assert_eq!(items[0], Node { position: Position { line: 3, column: 7 }, value: Value::Plain("x".into()) });
        assert_eq!(items[1].value, Value::Quoted("no".into()));
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        assert_eq!(at("hub: [\n"), (1, 6, "this is not YAML: unclosed bracket '['".into()));
        assert_eq!(at("a:\n\tb: 1\n"), (2, 1, "a tab in the indentation; YAML takes spaces only".into()));
        assert_eq!(at("a: 1\n---\nb: 2\n").0, 2);
        assert!(at("a: &x 1\nb: *x\n").2.contains("aliases"));
        assert!(at("a: *x\n").0 == 1);
        assert!(at("? [a]\n: b\n").2.contains("one word"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(20), "]".repeat(20))).is_err());
    }
}
