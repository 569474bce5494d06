//! What the rooms below take from the configuration, each in its own words: for the start, and again for a reload.

use crate::config::{Config, duration};
use crate::hub::client::{Client, ClientOptions};
use crate::local::patterns::Patterns;
use crate::local::settle::Options;
use crate::pace::quota::Limits;

/// What the configuration allows to spend.
pub fn limits(config: &Config) -> Limits {
    Limits {
        per_minute: config.hub.requests_per_minute,
        per_day: config.hub.requests_per_day,
        reserved_for_edits: config.hub.reserved_for_edits,
    }
}

/// How long a request may be under way, in milliseconds.
pub fn timeout(config: &Config) -> i64 {
    i64::try_from(duration::millis(config.hub.timeout)).unwrap_or(i64::MAX)
}

/// A connection to the configured hub; nothing is sent yet.
///
/// # Errors
/// The words for a person.
pub fn client(config: &Config) -> Result<Client, String> {
    let options = ClientOptions {
        url: config.hub.url.as_str().to_owned(),
        timeout: config.hub.timeout,
        ca_file: config.hub.ca_file.clone(),
    };
    Client::new(&options).map_err(|error| error.to_string())
}

/// Which files are documents.
///
/// # Errors
/// A pattern that can't be read, in words.
pub fn patterns(config: &Config) -> Result<Patterns, String> {
    Patterns::new(&config.include, &config.exclude).map_err(|error| error.to_string())
}

/// How the folder is watched.
pub fn watch(config: &Config) -> Options {
    Options {
        debounce: duration::millis(config.watch.debounce),
        max_delay: duration::millis(config.watch.max_delay),
        rescan: duration::millis(config.watch.rescan),
        poll: config.watch.poll,
    }
}
