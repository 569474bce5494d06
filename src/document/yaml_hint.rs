//! What to do about YAML that can't be read: a cause in plain words, and the line as it would be right.
//!
//! The parser says where it gave up; what its author did wrong stands in that line or a few before it. The usual causes
//! are five: a colon in a value, a value that begins with a sign, quotes inside quotes, a bracket or quote never closed, a
//! tab that indents.

use std::ops::Range;

use granit_parser::ErrorKind;

use crate::reason::Code;

use super::diagnostic::{Findings, shown};
use super::fence;
use super::key::Key;
use super::yaml::{Fault, FaultKind};

/// How many lines before the fault are searched for its cause.
const LOOKS_BACK: usize = 8;

/// A cause, its place within the line, and the line to paste.
struct Hint {
    message: String,
    place: Range<usize>,
    line: Option<String>,
}

/// Notes why a block of front matter, which begins at `offset`, can't be read.
pub(super) fn explain(block: &str, offset: usize, fault: &Fault, findings: &mut Findings) {
    let at = fault.at.saturating_sub(offset).min(block.len());
    let lines: Vec<Range<usize>> = fence::lines(block.as_bytes(), 0).map(|line| line.text).collect();
    let last = lines.partition_point(|line| line.start <= at).saturating_sub(1);
    let here = lines.get(last).cloned().unwrap_or(at..at);
    let generic = offset + at.min(here.end)..offset + here.end.max(at);
    let usual = match &fault.kind {
        FaultKind::Syntax(ErrorKind::RecursionLimitExceeded) | FaultKind::TooMuch | FaultKind::SecondDocument => None,
        FaultKind::Syntax(_) | FaultKind::NoMapping => cause(block, &lines, last),
    };
    if let Some((line, hint)) = usual {
        let start = offset + line.start;
        let span = start + hint.place.start..start + hint.place.end;
        return findings.error(Code::FrontMatter, span, hint.message, hint.line);
    }
    let message = match &fault.kind {
        FaultKind::Syntax(kind) => in_plain_words(kind),
        FaultKind::TooMuch => "the front matter has too many parts; keep it to what documents need".to_owned(),
        FaultKind::NoMapping => "the front matter is no list of `key: value` lines; if it is text, put a blank line \
            before its first `---`"
            .to_owned(),
        FaultKind::SecondDocument => "a second YAML document begins here; front matter is one, closed by a line `---` \
            with nothing after it"
            .to_owned(),
    };
    findings.error(Code::FrontMatter, generic, message, None);
}

/// The line that caused a fault in line `last`, if one of the usual causes did.
fn cause<'a>(block: &str, lines: &'a [Range<usize>], last: usize) -> Option<(&'a Range<usize>, Hint)> {
    let hint = |index: usize| {
        let line = lines.get(index)?;
        Some((line, tab(&block[line.clone()]).or_else(|| usual_cause(&block[line.clone()]))?))
    };
    // A tab is noticed at the end of the line before it.
    let next = || lines.get(last + 1).and_then(|line| Some((line, tab(&block[line.clone()])?)));
    let before = || (last.saturating_sub(LOOKS_BACK)..last).rev().find_map(hint);
    hint(last).or_else(next).or_else(before)
}

fn tab(line: &str) -> Option<Hint> {
    let text = line.trim_start_matches([' ', '\t']);
    let indent = &line[..line.len() - text.len()];
    (indent.contains('\t') && !text.is_empty()).then(|| Hint {
        message: "a tab indents this line, YAML takes only spaces; use two spaces".to_owned(),
        place: 0..indent.len(),
        line: Some(format!("{}{text}", indent.replace('\t', "  "))),
    })
}

/// One line in its parts: what stands before the value, the key, the value without a comment.
struct Parts<'a> {
    head: &'a str,
    key: &'a str,
    value: &'a str,
}

fn parts(line: &str) -> Option<Parts<'_>> {
    let mut text = line.trim_start_matches(' ');
    let mut is_item = false;
    while let Some(rest) = text.strip_prefix("- ") {
        (text, is_item) = (rest.trim_start_matches(' '), true);
    }
    let quoted = text.starts_with(['"', '\'', '[', '{', '#']);
    let colon = if quoted { None } else { text.match_indices(':').find(|(i, _)| ends_word(&text[i + 1..])) };
    let (key, value) = match colon {
        Some((i, _)) => (text[..i].trim_end(), text[i + 1..].trim_start()),
        None if is_item => ("", text),
        None => return None,
    };
    let head = &line[..line.len() - value.len()];
    Some(Parts { head, key, value: value.split(" # ").next().unwrap_or(value).trim_end() })
}

fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t'])
}

fn usual_cause(line: &str) -> Option<Hint> {
    let Some(Parts { head, key, value }) = parts(line) else { return missing_blank(line) };
    let place = head.len()..head.len() + value.len();
    let paste = |value: String| Some(format!("{}{value}", head.trim_end_matches('\t')));
    let hint = |message: String, line| Some(Hint { message, place: place.clone(), line });
    let what = if key.is_empty() { "an item".to_owned() } else { format!("the value of {}", shown(key)) };
    match value.chars().next()? {
        sign @ ('@' | '`' | '%' | '*' | '&' | '!') => hint(
            format!("{what} begins with {}, which YAML keeps for itself; put it in quotes", shown(&sign.to_string())),
            paste(quoted(value)),
        ),
        quote @ ('"' | '\'') => {
            let inside = &value[1..];
            let message = match closing(inside, quote) {
                None => format!("{what} has a quote that is never closed"),
                Some(end) if !inside[end..].trim().is_empty() => {
                    format!("{what} has quotes inside quotes; use the other kind outside")
                }
                Some(_) => return None,
            };
            let inside = inside.strip_suffix(quote).unwrap_or(inside);
            hint(message, paste(quoted(inside)))
        }
        bracket @ ('[' | '{') => {
            let close = if bracket == '[' { ']' } else { '}' };
            let closed = value.ends_with(close) && value.matches(bracket).count() == value.matches(close).count();
            let is_text = Key::named(key) == Some(Key::Title) || value.contains(close);
            let right = if is_text { quoted(value) } else { format!("{value}{close}") };
            let message = format!(
                "{what} begins with `{bracket}` and does not end with its `{close}`; close it, or put the text in quotes"
            );
            if closed { None } else { hint(message, paste(right)) }
        }
        '|' | '>' => None,
        _ if value.match_indices(':').any(|(i, _)| ends_word(&value[i + 1..])) => {
            hint(format!("{what} has a colon in it; put it in quotes"), paste(quoted(value)))
        }
        _ => None,
    }
}

/// `page_id:abc`
fn missing_blank(line: &str) -> Option<Hint> {
    let (key, value) = line.split_once(':')?;
    Key::named(key)?;
    Some(Hint {
        message: format!("a blank is missing after `{key}:`"),
        place: 0..line.len(),
        line: Some(format!("{key}: {}", value.trim_end())),
    })
}

/// Where the text after an opening quote continues behind its closing one.
fn closing(inside: &str, quote: char) -> Option<usize> {
    let mut chars = inside.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if quote == '"' && c == '\\' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') {
                chars.next();
            } else {
                return Some(i + 1);
            }
        }
    }
    None
}

/// A text in the quotes that suit it.
pub(super) fn quoted(text: &str) -> String {
    if !text.contains(['"', '\\']) { format!("\"{text}\"") } else { format!("'{}'", text.replace('\'', "''")) }
}

/// What the parser says, for the faults that have none of the usual causes.
fn in_plain_words(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::RecursionLimitExceeded => {
            "the front matter has lists and maps more than 32 deep in each other".to_owned()
        }
        ErrorKind::UnclosedFlowCollection { open } => format!("a `{open}` is never closed"),
        ErrorKind::UnclosedQuotedScalar => "a quote is never closed".to_owned(),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "this line is no `key: value`; if the text begins here, a line `---` is missing above it".to_owned()
        }
        ErrorKind::MappingValueNotAllowed => {
            "a `:` can't stand here; is the line indented too far, or a text with a colon not in quotes?".to_owned()
        }
        ErrorKind::ExpectedDocumentStart | ErrorKind::InvalidIndentation => {
            "this line is not indented like those before it; keys begin in the first column".to_owned()
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            "a list can't begin in the line of its key; give each `- item` a line of its own, or use `[a, b]`"
                .to_owned()
        }
        ErrorKind::DirectiveDisallowed => "a key can't begin with `%`; put it in quotes".to_owned(),
        other => format!("the front matter can't be read as YAML: {other}"),
    }
}
