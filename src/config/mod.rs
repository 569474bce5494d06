//! The configuration: from the file, the environment and flags, to one checked value.
//!
//! Promises: everything that is wrong is told at once, with its place and what would be right; a flag beats the
//! environment, which beats the file; each value knows where it comes from; all paths are absolute; no API key is in it
//! that could be printed. The shell calls [`load`]; the pure rooms get a [`Policy`].
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell room: it reads files, the environment and the key"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::page::Status;
use crate::policy::{
    AssetUrl, ConflictCheck, Create, LinkRules, Notice, OnDelete, OnDifference, PageUrl, Policy, Rules, TitleHeading,
};

pub mod child;
pub mod credential;
mod discover;
pub mod duration;
mod environment;
mod file;
mod hub_url;
mod keys;
mod origin;
mod resolve;
pub mod secrecy;
mod show;
mod value;
mod yaml;

pub use credential::{ApiKey, KeyError, KeySource};
pub use discover::{FILE_NAME, config_home, current_folder};
pub use environment::{Environment, of_process as environment_of_process, variable_of};
pub use hub_url::HubUrl;
pub use origin::{ConfigError, Origin};
pub use resolve::{Flag, Loaded, Overrides, load, of_text};
pub use show::Shown;
pub use yaml::Position;

/// The configuration that holds. Equal configurations behave the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `root`: the folder that is kept in step; it may be missing, or a link that is swapped.
    pub root: PathBuf,
    /// `include`: patterns of documents, seen from the root.
    pub include: Vec<String>,
    /// `exclude`: patterns of files that are no documents.
    pub exclude: Vec<String>,
    /// `state`: the file that remembers pages.
    pub state: PathBuf,
    /// `hub`.
    pub hub: Hub,
    /// `publish`.
    pub publish: Publish,
    /// `watch`.
    pub watch: Watch,
    /// `remote.check_interval`; 0 is off.
    pub check_interval: Duration,
    /// `git.branch`.
    pub branch: Option<String>,
    /// `links.page_url`.
    pub page_url: Option<PageUrl>,
    /// `links.asset_url`.
    pub asset_url: Option<AssetUrl>,
    /// `on_problem`: the command and its arguments.
    pub on_problem: Option<Vec<String>>,
    /// `dashboard.listen`.
    pub listen: Option<String>,
    /// `log.format`.
    pub log_format: LogFormat,
    /// The folder that commands are run in: the file's, else the current one.
    pub folder: PathBuf,
    ledger: PathBuf,
}

/// The section `hub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// `hub.url`.
    pub url: HubUrl,
    /// Where the API key is read from.
    pub key: KeySource,
    /// `hub.api_key_file`.
    pub api_key_file: Option<PathBuf>,
    /// `hub.api_key_command`.
    pub api_key_command: Option<Vec<String>>,
    /// `hub.requests_per_minute`: 1 or more.
    pub requests_per_minute: u32,
    /// `hub.requests_per_day`: in any 24 hours; 1 or more.
    pub requests_per_day: u32,
    /// `hub.reserved_for_edits`: at most `requests_per_day`.
    pub reserved_for_edits: u32,
    /// `hub.concurrency`: 1 to 16 requests under way at once.
    pub concurrency: usize,
    /// `hub.timeout`: of one request, with its answer.
    pub timeout: Duration,
    /// `hub.ca_file`: certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
}

/// The section `publish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// `publish.default_status`.
    pub default_status: Status,
    /// `publish.create`.
    pub create: Create,
    /// `publish.on_first_meeting`.
    pub on_first_meeting: OnDifference,
    /// `publish.on_conflict`.
    pub on_conflict: OnDifference,
    /// `publish.conflict_check`.
    pub conflict_check: ConflictCheck,
    /// `publish.on_delete`.
    pub on_delete: OnDelete,
    /// `publish.archive_after`.
    pub archive_after: Duration,
    /// `publish.archive_limit`: pages in 24 hours.
    pub archive_limit: u32,
    /// `publish.strip_title_heading`.
    pub title_heading: TitleHeading,
    /// `publish.notice`.
    pub notice: Option<Notice>,
}

/// The section `watch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// `watch.debounce`.
    pub debounce: Duration,
    /// `watch.max_delay`: at least `debounce`.
    pub max_delay: Duration,
    /// `watch.rescan`: never 0.
    pub rescan: Duration,
    /// `watch.poll`.
    pub poll: Poll,
}

/// `watch.poll`: whether files are looked at regularly because no events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Where the file system sends none.
    Auto,
    /// Not at all.
    Never,
    /// Everywhere.
    Always,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, journald under systemd, else json.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
    /// Fields in systemd's journal.
    Journald,
}

impl Config {
    /// What the configuration means for decisions.
    pub fn policy(&self) -> Policy {
        let publish = &self.publish;
        Policy {
            rules: Rules {
                default_status: publish.default_status,
                title_heading: publish.title_heading,
                links: LinkRules { page_url: self.page_url.clone(), asset_url: self.asset_url.clone() },
                notice: publish.notice.clone(),
            },
            create: publish.create,
            on_first_meeting: publish.on_first_meeting,
            on_conflict: publish.on_conflict,
            conflict_check: publish.conflict_check,
            on_delete: publish.on_delete,
            archive_after: duration::millis(publish.archive_after),
            archive_limit: publish.archive_limit,
            check_interval: Some(duration::millis(self.check_interval)).filter(|ms| *ms > 0),
            debounce: duration::millis(self.watch.debounce),
            max_delay: duration::millis(self.watch.max_delay),
            concurrency: self.hub.concurrency,
        }
    }

    /// The ledger of requests spent: one for all roots of this user on this machine.
    pub fn ledger_path(&self) -> &Path {
        &self.ledger
    }

    /// The folder of backups, beside the state file (contract.md, Promises 1).
    pub fn backups_path(&self) -> PathBuf {
        let mut name = self.state.clone().into_os_string();
        name.push(".backups");
        PathBuf::from(name)
    }

    /// Keys that are set to what this version can't do yet, each with a sentence that says so.
    pub fn unsupported(&self) -> Vec<(&'static str, &'static str)> {
        let rules = [(self.listen.is_some(), "dashboard.listen", "this version has no dashboard yet; set it to null")];
        rules.into_iter().filter(|(set, ..)| *set).map(|(_, key, sentence)| (key, sentence)).collect()
    }
}

#[cfg(test)]
mod tests;
