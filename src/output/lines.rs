//! What is about to be printed, as a type: nothing else can be handed to [`Console`](super::Console).
//!
//! [`Lines`] is filled line by line, and each line is escaped as a whole when it is put in. So it does not matter where a
//! piece of it came from, or whether somebody remembered to wrap it: an error of the system with a file's name in it, a
//! title, a value of the configuration can neither steer a terminal nor begin a line of its own. [`Shown`](super::Shown)
//! still cuts single pieces short; what is escaped twice is escaped once. Anyone may fill it.

use std::fmt::Display;

use serde::Serialize;

use super::caret::{self, Located};
use super::escape;
use super::style::Paint;

/// How many characters of a line are shown; the rest is told by an ellipsis.
const LONGEST_LINE: usize = 8_000;

/// Finished lines, safe to print.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[must_use = "nothing is printed before a Console gets it"]
pub struct Lines(String);

/// What a piece of a line is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// Which lines are shown.
    Place,
    /// What is not in the document.
    Removed,
    /// The words of it that differ.
    RemovedWord,
    /// What is not on the page.
    Added,
    /// The words of it that differ.
    AddedWord,
}

impl Tone {
    /// What turns a terminal's colour to it.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Heading => "\u{1b}[1m",
            Self::Place => "\u{1b}[36m",
            Self::Removed => "\u{1b}[31m",
            Self::RemovedWord => "\u{1b}[7;31m",
            Self::Added => "\u{1b}[32m",
            Self::AddedWord => "\u{1b}[7;32m",
        }
    }
}

impl Lines {
    /// No line.
    pub fn new() -> Self {
        Self::default()
    }

    /// One line.
    pub fn of(words: impl Display) -> Self {
        let mut lines = Self::new();
        lines.line(words);
        lines
    }

    /// Adds one line, whatever `words` holds; its end is added.
    pub fn line(&mut self, words: impl Display) {
        let words = words.to_string();
        let mut rest = words.chars();
        for character in rest.by_ref().take(LONGEST_LINE) {
            escape::push(&mut self.0, character);
        }
        if rest.next().is_some() {
            self.0.push('…');
        }
        self.0.push('\n');
    }

    /// Adds one line in pieces, each in its colour where that is wanted; whatever they hold, it is one line.
    pub fn toned(&mut self, pieces: &[(Tone, &str)], paint: Paint) {
        let mut left = LONGEST_LINE;
        for (tone, text) in pieces {
            let colour = if paint == Paint::Coloured { tone.code() } else { "" };
            self.0.push_str(colour);
            let mut rest = text.chars();
            for character in rest.by_ref().take(left) {
                escape::push(&mut self.0, character);
                left -= 1;
            }
            let cut = rest.next().is_some();
            if cut {
                self.0.push('…');
            }
            self.0.push_str(if colour.is_empty() { "" } else { "\u{1b}[0m" });
            if cut {
                break;
            }
        }
        self.0.push('\n');
    }

    /// Adds a paragraph of ours, which is spelled out in the program; an end of line is added.
    pub fn ours(&mut self, words: &'static str) {
        words.lines().for_each(|line| self.line(line));
    }

    /// Adds a message with the line of the file that it speaks of.
    pub fn located(&mut self, located: &Located<'_>, paint: Paint) {
        self.0.push_str(&caret::render(located, paint));
        self.0.push('\n');
    }

    /// Adds one JSON document, over several lines. It holds the very values, with everything in JSON's own escapes that a
    /// terminal could act on.
    pub fn json(&mut self, value: &impl Serialize) {
        // Plain data under our own names: it has no way to fail.
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.0.push_str(&escape::in_json(&text));
        self.0.push('\n');
    }

    /// Adds a JSON document that another hubsync has spelled. Answers whether it is one.
    pub fn spelled_json(&mut self, text: &str) -> bool {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if is_json {
            self.0.push_str(&escape::in_json(text.trim_end()));
            self.0.push('\n');
        }
        is_json
    }

    /// Adds what clap says: help, or what is wrong with what was typed.
    pub fn typed(&mut self, said: &clap::Error, paint: Paint) {
        let said = said.render();
        match paint {
            Paint::Plain => said.to_string().lines().for_each(|line| self.line(line)),
            Paint::Coloured => {
                for line in said.ansi().to_string().lines() {
                    self.0.push_str(&escape::but_colours(line));
                    self.0.push('\n');
                }
            }
        }
    }

    /// Adds other lines.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, each line with its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::escape::tests::hostile_text;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        let mut lines = Lines::of("a.md\nerror: forged\u{1b}[2J\r\t\u{85}\u{2028}x");
        lines.line(super::super::Shown::new("once\n"));
        assert_eq!(lines.as_str(), "a.md\\nerror: forged\\u{1b}[2J\\r\\t\\u{85}\\u{2028}x\nonce\\n\n");
        lines = Lines::of("é".repeat(LONGEST_LINE + 1));
        assert_eq!(lines.as_str().chars().count(), LONGEST_LINE + 2);
    }

    #[test]
    fn what_was_typed_is_told_without_what_it_could_do() {
        let error = clap::Command::new("x").try_get_matches_from(["x", "a\u{1b}[2J\u{202e}"]).unwrap_err();
        let mut lines = Lines::new();
        lines.typed(&error, Paint::Coloured);
        assert!(!lines.as_str().contains("\u{1b}[2J") && lines.as_str().contains(r"\u{202e}"), "{lines:?}");
        let (mut plain, mut coloured) = (Lines::new(), Lines::new());
        let error = clap::Command::new("x").try_get_matches_from(["x", "a"]).unwrap_err();
        plain.typed(&error, Paint::Plain);
        coloured.typed(&error, Paint::Coloured);
        assert!(!plain.as_str().contains('\u{1b}') && coloured.as_str().contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn nothing_comes_out_raw_but_our_own_ends_of_line(texts in prop::collection::vec(hostile_text(), 1..4)) {
            let mut lines = Lines::new();
            for text in &texts {
                lines.line(text);
            }
            prop_assert_eq!(lines.as_str().matches('\n').count(), texts.len());
            let pieces: Vec<(Tone, &str)> = texts.iter().map(|text| (Tone::AddedWord, text.as_str())).collect();
            lines.toned(&pieces, Paint::Coloured);
            prop_assert_eq!(lines.as_str().matches('\n').count(), texts.len() + 1);
            lines.json(&texts);
            let text = &texts[0];
            let place = Located {
                path: text, source: text, line: 1, column: 1, span: 0..text.len(), severity: super::super::Severity::Error,
                code: text, message: text, suggestion: Some(text),
            };
            lines.located(&place, Paint::Plain);
            lines.located(&Located { source: "", ..place }, Paint::Plain);
            if let Err(error) = clap::Command::new("x").try_get_matches_from(["x", &format!("-{text}")]) {
                lines.typed(&error, Paint::Coloured);
                lines.typed(&error, Paint::Plain);
            }
            let steers = |c: char| c != '\n' && escape::must_escape(c);
            let plain = strip(lines.as_str());
            prop_assert!(!plain.chars().any(steers), "{:?}", plain);
        }
    }

    /// Without clap's own colours.
    fn strip(text: &str) -> String {
        text.split("\u{1b}[")
            .enumerate()
            .map(|(n, part)| match (n, part.split_once('m')) {
                (1.., Some((code, rest))) if code.bytes().all(|b| b.is_ascii_digit() || b == b';') => rest,
                (0, _) => part,
                _ => "\u{1b}",
            })
            .collect()
    }
}
