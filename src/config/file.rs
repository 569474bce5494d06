//! The configuration file: its text becomes one setting a key, or everything that is wrong with its shape.
//!
//! An API key that stands anywhere in the text, comments included, is blotted out before the text is read, so that no
//! message can repeat it. What the values mean is decided in `resolve`. Pure.

use std::path::Path;

use super::credential;
use super::keys;
use super::origin::{ConfigError, Origin, Setting, Settings};
use super::yaml::{self, Entry, Node, Position, Value};

/// Reads the text of a configuration file. `shown` is the file's name in messages.
pub(super) fn settings(text: &str, shown: &Path) -> (Settings, Vec<ConfigError>) {
    let mut reader = Reader { shown, settings: Settings::new(), errors: Vec::new() };
    let (text, keys) = credential::blot(text);
    for position in keys {
        reader.wrong(position, A_KEY, Some(KEY_ELSEWHERE.to_owned()));
    }
    match yaml::parse(&text) {
        Ok(None) => {}
        Ok(Some(node)) => match (hidden_key(&node), node.value) {
            (Some(position), _) => reader.wrong(position, A_KEY, Some(KEY_ELSEWHERE.to_owned())),
            (None, Value::Map(entries)) => reader.section(None, entries),
            (None, _) => {
                reader.wrong(node.position, "the file must hold keys with values", Some("root: ./handbook".into()));
            }
        },
        Err(error) => reader.wrong(error.position, &error.message, None),
    }
    (reader.settings, reader.errors)
}

/// What is wrong with a key here.
const A_KEY: &str = "an API key does not belong in this file";

/// The first place where escapes or folded lines come to be a key, which the text as it is written does not show. Nothing
/// else of such a file is told, as any message could repeat it.
fn hidden_key(node: &Node) -> Option<Position> {
    match &node.value {
        Value::Plain(text) | Value::Quoted(text) => credential::holds_key(text).then_some(node.position),
        Value::List(items) => items.iter().find_map(hidden_key),
        Value::Map(entries) => entries.iter().find_map(|entry| {
            if credential::holds_key(&entry.key) { Some(entry.position) } else { hidden_key(&entry.value) }
        }),
    }
}

/// What to do with a key instead of writing it down.
pub(super) const KEY_ELSEWHERE: &str = "name a file in hub.api_key_file, a command in hub.api_key_command, or set EXEC_API_KEY; and have this key replaced, as others may have read it";

struct Reader<'a> {
    shown: &'a Path,
    settings: Settings,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn origin(&self, position: Position) -> Origin {
        Origin::File { path: self.shown.to_owned(), position: Some(position) }
    }

    fn wrong(&mut self, position: Position, message: &str, suggestion: Option<String>) {
        let error = ConfigError::new(self.origin(position), message);
        self.errors.push(ConfigError { suggestion, ..error });
    }

    fn section(&mut self, section: Option<&str>, entries: Vec<Entry>) {
        let mut seen: Vec<(String, usize)> = Vec::new();
        for entry in entries {
            if let Some((_, line)) = seen.iter().find(|(key, _)| *key == entry.key) {
                let message = format!("{:?} stands here a second time; it was set in line {line}", entry.key);
                self.wrong(entry.position, &message, None);
                continue;
            }
            seen.push((entry.key.clone(), entry.position.line));
            self.entry(section, entry);
        }
    }

    fn entry(&mut self, section: Option<&str>, entry: Entry) {
        let name = match section {
            None => entry.key.clone(),
            Some(section) => format!("{section}.{}", entry.key),
        };
        if let Some((key, _)) = keys::find(&name).filter(|_| section.is_some() || !entry.key.contains('.')) {
            let origin = self.origin(entry.position);
            self.settings.insert(key, Setting { node: entry.value, origin });
        } else if section.is_none() && keys::is_section(&name) {
            match entry.value {
                Node { value: Value::Map(entries), .. } => self.section(Some(&name), entries),
                node if node.is_null() => {}
                node => {
                    let message = format!("{name}: keys must stand beneath it");
                    let some = format!("one of {}", keys::names_in(Some(&name)).join(", "));
                    self.wrong(node.position, &message, Some(some));
                }
            }
        } else if matches!(entry.key.to_lowercase().replace('-', "_").as_str(), "api_key" | "key" | "token") {
            let message = format!("{name:?}: an API key does not belong in this file");
            self.wrong(entry.position, &message, Some(KEY_ELSEWHERE.to_owned()));
        } else {
            self.wrong(entry.position, &format!("unknown key {name:?}"), keys::suggest(section, &entry.key));
        }
    }
}
