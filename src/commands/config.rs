//! `hubsync config`: the configuration that holds, and where each value comes from. No secret is printed.

use serde_json::{Map, Value, json};

use crate::cli;
use crate::config::{ConfigError, Loaded};
use crate::output::Lines;

/// The configuration as it is printed.
pub fn run(args: &cli::Config, loaded: &Loaded) -> Lines {
    let (lines, mut out) = (lines(loaded), Lines::new());
    if args.json {
        let entry = |line: Line| (line.key.to_owned(), json!({ "value": line.value, "origin": line.origin }));
        let all: Map<String, Value> = lines.into_iter().map(entry).collect();
        out.json(&all);
        return out;
    }
    let shown: Vec<(String, String)> =
        lines.into_iter().map(|line| (format!("{}: {}", line.key, text(&line.value)), line.origin)).collect();
    let width = shown.iter().map(|(left, _)| left.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    for (left, origin) in shown {
        out.line(format_args!("{left:width$}  # {origin}"));
    }
    out
}

/// What is wrong with a configuration, one error a line. The command ends with [`Exit::Usage`](cli::Exit::Usage).
pub fn refused(errors: &[ConfigError]) -> Lines {
    let mut lines = Lines::new();
    errors.iter().for_each(|error| lines.line(format_args!("error: {error}")));
    lines
}

struct Line {
    key: &'static str,
    value: Value,
    origin: String,
}

/// Every key, and after the keys of the key's sources the source that holds, with the key itself masked.
fn lines(loaded: &Loaded) -> Vec<Line> {
    let mut lines = Vec::new();
    for shown in loaded.shown() {
        let last_source = shown.key == "hub.api_key_command";
        lines.push(Line { key: shown.key, value: shown.value, origin: shown.origin.to_string() });
        if last_source {
            let source = &loaded.config.hub.key;
            let value = if source.is_configured() { json!("(masked)") } else { Value::Null };
            lines.push(Line { key: "hub.api_key", value, origin: source.to_string() });
        }
    }
    lines
}

/// A value as the file would hold it: quoted where it isn't a plain word, with everything escaped that could steer a
/// terminal.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => format!("[{}]", items.iter().map(text_in_list).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn text_in_list(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("{text:?}"))
}

fn is_plain(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '('));
    first && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '(' | ')'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::config::{Environment, Overrides, load};

    fn shown(yaml: &str, env: &[(&str, &str)], json: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hubsync.yaml"), yaml).unwrap();
        let mut env: Environment = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        env.insert("HOME".into(), "/home/of-nobody".into());
        let loaded = load(&Overrides::default(), &env, folder.path()).unwrap();
        run(&cli::Config { json }, &loaded).as_str().replace(folder.path().to_str().unwrap(), "/folder")
    }

    #[test]
    fn every_value_stands_with_its_origin() {
        let text = shown("root: ./docs\nhub:\n  timeout: 9s\n", &[("HUBSYNC_WATCH__DEBOUNCE", "1s")], false);
        let line = |start: &str| {
            text.lines()
                .find(|line| line.starts_with(start))
                .unwrap_or("")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(line("root:"), "root: /folder/docs # hubsync.yaml:1");
        assert_eq!(line("hub.timeout:"), "hub.timeout: 9s # hubsync.yaml:3");
        assert_eq!(line("watch.debounce:"), "watch.debounce: 1s # env HUBSYNC_WATCH__DEBOUNCE");
        assert_eq!(line("hub.url:"), "hub.url: https://api.exec.com/rest/v1 # default");
        assert_eq!(line("include:"), r#"include: ["**/*.md", "**/*.markdown"] # default"#);
        assert_eq!(line("hub.api_key:"), "hub.api_key: null # none");
    }

    #[test]
    fn the_key_is_masked_and_its_source_named() {
        for json in [false, true] {
            let text = shown("", &[("EXEC_API_KEY", "exec_live_0123456789")], json);
            assert!(text.contains("(masked)") && text.contains("EXEC_API_KEY"), "{text}");
            assert!(!text.contains("0123456789"), "{text}");
        }
    }

    #[test]
    fn json_is_one_object_of_keys() {
        let all: Value = serde_json::from_str(&shown("log:\n  format: json\n", &[], true)).unwrap();
        assert_eq!(all["log.format"], json!({ "value": "json", "origin": "hubsync.yaml:2" }));
        assert_eq!(all["hub.requests_per_day"], json!({ "value": 1000, "origin": "default" }));
        assert_eq!(all["hub.reserved_for_edits"]["value"], 100);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let text = shown("exclude: [\"\\e[31m]\"]\n", &[("HUBSYNC_ROOT", "/a\u{1b}[2Jb\u{202e}")], false);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
