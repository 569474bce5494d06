//! What kind of hub this one is: its key, its limits, its habits.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The key that the sandbox takes unless told another. It opens nothing else, so it may be public.
pub const SANDBOX_KEY: &str = "exec_live_sandboxsandboxsandboxsandboxsandbox00001";

/// How one hub differs from another. The default is the cautious reading of the vendor's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The one key that is let in.
    pub key: String,
    /// Requests in any 60 seconds; 0 for no limit.
    pub per_minute: u32,
    /// Requests in any 24 hours; 0 for no limit.
    pub per_day: u32,
    /// How fine time stamps are.
    pub stamps: Stamps,
    /// What the hub does to Markdown that it stores.
    pub normalise: Normalise,
    /// Whether the workspace is in use.
    pub workspace: Workspace,
    /// Undocumented points where this hub takes the other reading.
    pub readings: BTreeSet<Reading>,
    /// Ids are made from this; the same seed and the same requests give the same ids.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            key: SANDBOX_KEY.to_owned(),
            per_minute: 60,
            per_day: 1000,
            stamps: Stamps::Microseconds,
            normalise: Normalise::Verbatim,
            workspace: Workspace::Active,
            readings: BTreeSet::new(),
            seed: 0,
        }
    }
}

impl Settings {
    /// Whether this hub takes the other reading of an undocumented point.
    #[must_use]
    pub fn takes(&self, reading: Reading) -> bool {
        self.readings.contains(&reading)
    }
}

/// How fine time stamps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    /// Strictly rising: no two changes share one.
    #[default]
    Microseconds,
    /// Cut to whole seconds: changes within one second can't be told apart.
    WholeSeconds,
}

/// What the hub does to Markdown before it stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Nothing.
    #[default]
    Verbatim,
    /// One kind of bullet, no trailing white space, one final newline. Doing it twice changes nothing.
    Markdown,
    /// Escapes what is escaped already and adds a line: each time it gets longer.
    Growing,
}

/// Whether the workspace is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workspace {
    /// It is.
    #[default]
    Active,
    /// It was closed: every request is answered 403.
    Inactive,
}

/// Points that the vendor does not document. Each value is the *other* reading; the default is told in its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// The day of the request limit begins at midnight UTC (else: any 24 hours)
    CalendarDay,
    /// Requests answered 4xx don't count against the limits (else: they do)
    RefusalsFree,
    /// Requests answered 429 count as well (else: all but those)
    LimitedCount,
    /// Archived pages can be read and changed, and stay archived (else: 404)
    ArchivedEditable,
    /// Publishing the text that is live already changes nothing (else: it makes a new version)
    RepublishFolds,
    /// A title sent without a status is live at once (else: it is part of the draft)
    TitleLive,
    /// Folders, skills and sources alone don't move `updated_at` (else: they do)
    ListsSilent,
    /// Folders, skills and sources alone make a new version (else: they don't)
    ListsVersion,
    /// `status: draft` takes a published page down (else: it stays published)
    DraftTakesDown,
}
