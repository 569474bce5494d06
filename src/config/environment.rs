//! Settings by environment: `HUBSYNC_HUB__URL` is `hub.url`. Lists are written `["a", "b"]` or `a, b`; an empty variable
//! counts as not set.
//!
//! The environment is an argument everywhere but in [`of_process`], the only place that reads the real one.

use std::collections::BTreeMap;

use super::credential;
use super::keys::{self, Shape};
use super::origin::{ConfigError, Origin, Setting, Settings};
use super::yaml::{self, Node, Position, Value};

/// The variables that the process was started with.
pub type Environment = BTreeMap<String, String>;

/// What all variables of ours begin with.
const PREFIX: &str = "HUBSYNC_";

/// The variable that names the configuration file; the only one of ours that is no key.
pub(super) const CONFIG: &str = "HUBSYNC_CONFIG";

/// The environment of this process. What is not UTF-8 in a value becomes U+FFFD, and is refused where it is one of ours.
pub fn of_process() -> Environment {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// A variable's value, where it is set to something.
pub(super) fn get<'a>(env: &'a Environment, name: &str) -> Option<&'a str> {
    env.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// The variable that sets `key`.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// What the environment sets, and what is wrong with its names and lists.
pub(super) fn settings(env: &Environment) -> (Settings, Vec<ConfigError>) {
    let (mut settings, mut errors) = (Settings::new(), Vec::new());
    for (name, text) in env {
        if !name.starts_with(PREFIX) || name == CONFIG || text.is_empty() || is_of_kubernetes(name, text) {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        let Some((key, shape)) = keys::KEYS.iter().copied().find(|(key, _)| variable_of(key) == *name) else {
            errors.push(unknown(name));
            continue;
        };
        let wrong = |message: &str| ConfigError::new(origin.clone(), message).about(key);
        if credential::holds_key(text) {
            errors.push(wrong("an API key does not belong in this variable").cure("set EXEC_API_KEY"));
        } else if text.contains('\u{fffd}') {
            errors.push(wrong("the value is not UTF-8"));
        } else {
            match node(text, shape) {
                Ok(node) => {
                    settings.insert(key, Setting { node, origin });
                }
                Err(message) => errors.push(wrong(&message).cure(r#"write ["a", "b"], or a, b"#)),
            }
        }
    }
    (settings, errors)
}

/// A variable's or flag's text as the file would hold it.
pub(super) fn node(text: &str, shape: Shape) -> Result<Node, String> {
    let plain = |text: &str| Node { position: Position::default(), value: Value::Plain(text.to_owned()) };
    let text = text.trim();
    if shape == Shape::One || plain(text).is_null() {
        return Ok(plain(text));
    }
    if text.starts_with('[') {
        return match yaml::parse(text) {
            Ok(Some(node)) => Ok(node),
            Ok(None) => Err("the list can't be read".to_owned()),
            Err(error) => Err(error.message),
        };
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(plain);
    Ok(Node { position: Position::default(), value: Value::List(items.collect()) })
}

fn unknown(name: &str) -> ConfigError {
    let error = ConfigError::new(Origin::Variable(name.to_owned()), "unknown variable");
    if name.ends_with("API_KEY") {
        return error.cure("the API key is read from EXEC_API_KEY");
    }
    let names: Vec<String> = keys::KEYS.iter().map(|(key, _)| variable_of(key)).collect();
    match keys::nearest(name, names.iter().map(String::as_str).chain([CONFIG])) {
        Some(near) => error.cure(format!("did you mean {near}?")),
        None => error,
    }
}

/// Kubernetes gives every container variables named after the services of its namespace: one called `hubsync` must not
/// stop hubsync.
fn is_of_kubernetes(name: &str, text: &str) -> bool {
    let number_follows = |at: usize| name[at..].starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.find("_PORT_").is_some_and(|at| number_follows(at + "_PORT_".len()))
        || name.ends_with("_PORT") && (text.starts_with("tcp://") || text.starts_with("udp://"))
}
