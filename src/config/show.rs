//! The configuration as people and JSON see it: every key with its value in the words of the file.

use serde_json::{Value, json};

use super::{Config, LogFormat, Origin, Poll, duration};
use crate::policy::{AssetUrl, ConflictCheck, Create, Notice, PageUrl, TitleHeading};

/// One key as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its dotted name.
    pub key: &'static str,
    /// Its value; no secret.
    pub value: Value,
    /// Where the value comes from.
    pub origin: Origin,
}

impl Config {
    /// Every key of the contract with its value, in the contract's order. Paths are absolute.
    pub(super) fn values(&self) -> Vec<(&'static str, Value)> {
        let (hub, publish, watch) = (&self.hub, &self.publish, &self.watch);
        let span = |time| json!(duration::format(time));
        vec![
            ("root", json!(self.root.to_string_lossy())),
            ("include", json!(self.include)),
            ("exclude", json!(self.exclude)),
            ("state", json!(self.state.to_string_lossy())),
            ("hub.url", json!(hub.url.as_str())),
            ("hub.api_key_file", json!(hub.api_key_file.as_ref().map(|path| path.to_string_lossy()))),
            ("hub.api_key_command", json!(hub.api_key_command)),
            ("hub.requests_per_minute", json!(hub.requests_per_minute)),
            ("hub.requests_per_day", json!(hub.requests_per_day)),
            ("hub.reserved_for_edits", json!(hub.reserved_for_edits)),
            ("hub.concurrency", json!(hub.concurrency)),
            ("hub.timeout", span(hub.timeout)),
            ("hub.ca_file", json!(hub.ca_file.as_ref().map(|path| path.to_string_lossy()))),
            ("publish.default_status", json!(publish.default_status)),
            ("publish.create", json!(publish.create == Create::On)),
            ("publish.on_first_meeting", json!(publish.on_first_meeting)),
            ("publish.on_conflict", json!(publish.on_conflict)),
            ("publish.conflict_check", json!(publish.conflict_check == ConflictCheck::On)),
            ("publish.on_delete", json!(publish.on_delete)),
            ("publish.archive_after", span(publish.archive_after)),
            ("publish.archive_limit", json!(publish.archive_limit)),
            ("publish.strip_title_heading", json!(publish.title_heading == TitleHeading::Strip)),
            ("publish.notice", json!(publish.notice.as_ref().map(Notice::as_str))),
            ("watch.debounce", span(watch.debounce)),
            ("watch.max_delay", span(watch.max_delay)),
            ("watch.rescan", span(watch.rescan)),
            ("watch.poll", json!(word(&Poll::WORDS, watch.poll))),
            ("remote.check_interval", span(self.check_interval)),
            ("git.branch", json!(self.branch)),
            ("links.page_url", json!(self.page_url.as_ref().map(PageUrl::as_str))),
            ("links.asset_url", json!(self.asset_url.as_ref().map(AssetUrl::as_str))),
            ("on_problem", json!(self.on_problem)),
            ("dashboard.listen", json!(self.listen)),
            ("log.format", json!(word(&LogFormat::WORDS, self.log_format))),
        ]
    }
}

impl Poll {
    /// The words of the file.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("never", Self::Never), ("always", Self::Always)];
}

impl LogFormat {
    /// The words of the file.
    pub(super) const WORDS: [(&'static str, Self); 4] =
        [("auto", Self::Auto), ("pretty", Self::Pretty), ("json", Self::Json), ("journald", Self::Journald)];
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> Option<&'static str> {
    words.iter().find(|(_, other)| *other == value).map(|(word, _)| *word)
}
