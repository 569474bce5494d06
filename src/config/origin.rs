//! Where a value comes from, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::yaml::{Node, Position};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// The file, as it is shown to people.
        path: PathBuf,
        /// Where in it; `None` for the file as a whole.
        position: Option<Position>,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    /// `default`, `hubsync.yaml:4`, `env HUBSYNC_ROOT` or `flag --first-meeting`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, position: Some(at) } => write!(f, "{}:{}", harmless(path), at.line),
            Self::File { path, position: None } => f.write_str(&harmless(path)),
            Self::Variable(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value as somebody wrote it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The value; its position is meaningful only in a file.
    pub node: Node,
    /// Where its key stands.
    pub origin: Origin,
}

/// What was set, by dotted name.
pub(super) type Settings = BTreeMap<&'static str, Setting>;

/// One thing that is wrong with the configuration. Values that may be secret are never in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub place: Origin,
    /// The dotted name of the key that is concerned, if it is one of ours.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub suggestion: Option<String>,
}

/// A path with everything escaped that could steer a terminal or turn the direction of writing.
pub(super) fn harmless(path: &Path) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut text = String::new();
    for c in path.to_string_lossy().chars() {
        if steers(c) { text.extend(c.escape_unicode()) } else { text.push(c) }
    }
    text
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    /// `hubsync.yaml:3:5: unknown key "watch.debounse" — did you mean "debounce"?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Origin::Default => {}
            Origin::File { path, position: Some(at) } => {
                write!(f, "{}:{}:{}: ", harmless(path), at.line, at.column)?;
            }
            Origin::File { path, position: None } => write!(f, "{}: ", harmless(path))?,
            Origin::Variable(name) => write!(f, "{name}: ")?,
            Origin::Flag(name) => write!(f, "{name}: ")?,
        }
        if let Some(key) = self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " — {suggestion}"),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    /// Something wrong with a value or key at `place`.
    pub(super) fn new(place: Origin, message: impl Into<String>) -> Self {
        Self { place, key: None, message: message.into(), suggestion: None }
    }

    /// The same, naming the key.
    pub(super) fn about(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// The same, saying what would be right.
    pub(super) fn cure(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}
