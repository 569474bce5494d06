//! What a value may be: each reader takes a part of the file and answers a typed value, or what would be right.

use std::time::Duration;

use super::duration;
use super::hub_url::HubUrl;
use super::keys;
use super::yaml::{Node, Position, Value};
use crate::policy::{AssetUrl, BadUrl, Notice, PageUrl};

/// A value that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Where, within the value.
    pub position: Position,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub suggestion: Option<String>,
}

impl Wrong {
    fn new(node: &Node, message: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self { position: node.position, message: message.into(), suggestion: Some(suggestion.into()) }
    }
}

/// The value as a message shows it: quoted, escaped and short.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Plain(text) | Value::Quoted(text) => {
            let short: String = text.chars().take(40).collect();
            if short.len() < text.len() { format!("{short:?}…") } else { format!("{text:?}") }
        }
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "keys with values".to_owned(),
    }
}

/// The characters of a scalar.
fn scalar<'a>(node: &'a Node, example: &str) -> Result<&'a str, Wrong> {
    match &node.value {
        Value::Plain(text) | Value::Quoted(text) => Ok(text),
        _ => Err(Wrong::new(node, format!("{} can't be used here", shown(node)), format!("write {example}"))),
    }
}

/// Any text but an empty one, in one line.
pub(super) fn text(node: &Node) -> Result<String, Wrong> {
    let text = scalar(node, "one text")?;
    if text.trim().is_empty() || text.contains(['\n', '\0']) {
        return Err(Wrong::new(node, format!("{} can't be used here", shown(node)), "write one line of text, or null"));
    }
    Ok(text.to_owned())
}

/// `true` or `false`, without quotes.
pub(super) fn switch(node: &Node) -> Result<bool, Wrong> {
    match &node.value {
        Value::Plain(text) if text == "true" => Ok(true),
        Value::Plain(text) if text == "false" => Ok(false),
        _ => Err(Wrong::new(node, format!("{} is neither true nor false", shown(node)), "write true or false")),
    }
}

/// A whole number.
pub(super) fn count(node: &Node) -> Result<u32, Wrong> {
    whole(node, 0, u32::MAX)
}

/// A whole number from 1.
pub(super) fn at_least_one(node: &Node) -> Result<u32, Wrong> {
    whole(node, 1, u32::MAX)
}

/// `hub.concurrency`: more than 16 at once helps nobody with 60 a minute.
pub(super) fn concurrency(node: &Node) -> Result<usize, Wrong> {
    whole(node, 1, 16).map(|number| number as usize)
}

fn whole(node: &Node, least: u32, most: u32) -> Result<u32, Wrong> {
    let range = if most == u32::MAX {
        format!("a whole number, {least} or more")
    } else {
        format!("a whole number from {least} to {most}")
    };
    let number = match &node.value {
        Value::Plain(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let fits = number.filter(|number| (least..=most).contains(number));
    fits.ok_or_else(|| Wrong::new(node, format!("{} can't be used here", shown(node)), format!("write {range}")))
}

/// A duration.
pub(super) fn span(node: &Node) -> Result<Duration, Wrong> {
    let text = scalar(node, duration::EXAMPLES)?;
    let wrong =
        |_| Wrong::new(node, format!("{} is no duration", shown(node)), format!("write {}", duration::EXAMPLES));
    duration::parse(text).map_err(wrong)
}

/// A duration that is not 0.
pub(super) fn some_span(node: &Node) -> Result<Duration, Wrong> {
    match span(node)? {
        Duration::ZERO => Err(Wrong::new(node, "this can't be 0", format!("write {}", duration::EXAMPLES))),
        some => Ok(some),
    }
}

/// `hub.timeout`: more than 0, at most ten minutes.
pub(super) fn timeout(node: &Node) -> Result<Duration, Wrong> {
    let long = Duration::from_secs(600);
    some_span(node).and_then(|time| {
        if time <= long {
            Ok(time)
        } else {
            Err(Wrong::new(node, format!("{} is too long", shown(node)), "write 10m or less"))
        }
    })
}

/// One of some words.
pub(super) fn choice<T: Copy>(node: &Node, words: &[(&'static str, T)]) -> Result<T, Wrong> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let list = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(""),
    };
    let text = scalar(node, &list)?;
    let found = words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let meant = keys::nearest(text, names.iter().copied()).map(|name| format!("did you mean {name}? "));
        let suggestion = format!("{}write {list}", meant.unwrap_or_default());
        Wrong::new(node, format!("{} can't be used here", shown(node)), suggestion)
    })
}

/// A list of texts. `example` is a list that would be right.
pub(super) fn list(node: &Node, example: &str) -> Result<Vec<String>, Wrong> {
    match &node.value {
        Value::List(items) => items.iter().map(text).collect(),
        _ => Err(Wrong::new(node, format!("{} is no list", shown(node)), format!("write a list, such as {example}"))),
    }
}

/// A command: its program and arguments.
pub(super) fn command(node: &Node) -> Result<Vec<String>, Wrong> {
    let example = r#"["pass", "show", "exec"]"#;
    let words = list(node, example)?;
    if words.is_empty() {
        Err(Wrong::new(node, "the list is empty", format!("write {example}, or null")))
    } else {
        Ok(words)
    }
}

/// A list of patterns of paths, seen from the root.
pub(super) fn patterns(node: &Node) -> Result<Vec<String>, Wrong> {
    let patterns = list(node, r#"["**/*.md"]"#)?;
    let Value::List(items) = &node.value else { return Ok(patterns) };
    for (item, pattern) in items.iter().zip(&patterns) {
        pattern_is_good(pattern).map_err(|(message, suggestion)| Wrong {
            position: item.position,
            message,
            suggestion,
        })?;
    }
    Ok(patterns)
}

fn pattern_is_good(pattern: &str) -> Result<(), (String, Option<String>)> {
    let inside = pattern.trim_start_matches("./").trim_start_matches('/');
    if inside.len() < pattern.len() {
        return Err((
            format!("{pattern:?} matches nothing: patterns are seen from the root"),
            Some(format!("write {inside:?}")),
        ));
    }
    if pattern.split('/').any(|part| part == "..") {
        return Err((format!("{pattern:?} leads out of the root"), None));
    }
    let compiled = globset::GlobBuilder::new(pattern).literal_separator(true).build();
    compiled.map(drop).map_err(|error| (format!("{pattern:?} is no pattern: {}", error.kind()), None))
}

/// `include`: at least one pattern, as a folder without documents looks like one whose files are gone.
pub(super) fn some_patterns(node: &Node) -> Result<Vec<String>, Wrong> {
    let patterns = patterns(node)?;
    if patterns.is_empty() { Err(Wrong::new(node, "the list is empty", r#"write ["**/*.md"]"#)) } else { Ok(patterns) }
}

/// `hub.url`. The address is not repeated in the message.
pub(super) fn hub_url(node: &Node) -> Result<HubUrl, Wrong> {
    let example = HubUrl::DEFAULT;
    let text = scalar(node, example)?;
    HubUrl::parse(text).map_err(|bad| Wrong::new(node, bad.to_string(), format!("write an address such as {example}")))
}

/// `publish.notice`.
pub(super) fn notice(node: &Node) -> Result<Notice, Wrong> {
    let example = "\"_Kept in git: {path}_\"";
    Notice::parse(scalar(node, example)?).map_err(|bad| {
        Wrong::new(node, format!("{} can't be the notice: {bad}", shown(node)), format!("write {example}"))
    })
}

/// `links.page_url`.
pub(super) fn page_url(node: &Node) -> Result<PageUrl, Wrong> {
    let example = "https://kb.example.com/pages/{page_id}";
    PageUrl::parse(scalar(node, example)?).map_err(|bad| no_link(node, &bad, example))
}

/// `links.asset_url`.
pub(super) fn asset_url(node: &Node) -> Result<AssetUrl, Wrong> {
    let example = "https://files.example.com/{path}";
    AssetUrl::parse(scalar(node, example)?).map_err(|bad| no_link(node, &bad, example))
}

fn no_link(node: &Node, bad: &BadUrl, example: &str) -> Wrong {
    Wrong::new(
        node,
        format!("links can't become {}: {bad}", shown(node)),
        format!("write an address such as {example}"),
    )
}
