//! What the engine has stored: one change is one transaction, and what is sent rests on it.

use serde::{Deserialize, Serialize};

use super::gates::ShutWhy;
use crate::page::{Digest, DocPath, ListKind, Lists, Named, PageId, Patch, Side, Stamp, Status, Text, Wall};
use crate::reconcile::birth::Birth;
use crate::reconcile::names::Names;
use crate::reconcile::page_record::PageRecord;

/// What is to be stored together. Backup files are written and synced before the rest is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Pages whose record is new.
    pub pages: Vec<(PageId, PageChange)>,
    /// Documents without a page of which something else is to be remembered; `None`: nothing any more.
    pub births: Vec<(DocPath, Option<Birth>)>,
    /// Marks of the lists of pages.
    pub marks: Option<Marks>,
    /// The tables of names, read again.
    pub names: Option<Names>,
    /// How the hub stands, where that changed.
    pub hub: Option<HubHealth>,
    /// Texts of the hub that will be replaced.
    pub backups: Vec<Backup>,
    /// What was done.
    pub log: Vec<LogEntry>,
}

impl Change {
    /// Nothing to store.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a page's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageChange {
    /// It is this.
    Put {
        /// Where its document lies, or lay.
        path: DocPath,
        /// What is remembered.
        record: Box<PageRecord>,
    },
    /// Nothing is remembered any more.
    Forget,
}

/// How far the lists of pages have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The next list begins here.
    pub watermark: Option<Stamp>,
    /// When the last complete list was sent.
    pub listed_at: Option<Wall>,
}

/// A person said: send nothing meanwhile (`hubsync pause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonPause {
    /// When they said so.
    pub since: Wall,
    /// Until when; `None`: until they say to go on.
    pub until: Option<Wall>,
}

impl PersonPause {
    /// Whether it still holds.
    pub fn is_on(self, now: Wall) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// As it counts by a clock that was set to before its beginning: as if it began now, so that it is no longer than was said.
    #[must_use]
    pub fn by_clock(self, now: Wall) -> Self {
        let back = self.since.0.saturating_sub(now.0).max(0);
        Self { since: self.since.plus(-back), until: self.until.map(|until| until.plus(-back)) }
    }

    /// How the hub is reported meanwhile.
    pub fn health(self) -> HubHealth {
        let reason = Some("paused by a person; `hubsync resume` goes on".to_owned());
        HubHealth { state: HubState::Paused, reason, until: self.until, why: Some(ShutWhy::Person) }
    }
}

/// How the hub stands to us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubHealth {
    /// The contract's word.
    pub state: HubState,
    /// Cause and cure.
    pub reason: Option<String>,
    /// Until when, where that is known.
    pub until: Option<Wall>,
    /// What shut it, so that `status` ends as the run did that met it.
    #[serde(default)]
    pub why: Option<ShutWhy>,
}

/// The contract's words for how the hub stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HubState {
    /// It answers.
    #[default]
    Ok,
    /// It told us to wait, or we were told to.
    Paused,
    /// It can't be reached.
    Unreachable,
    /// It takes no request with this key.
    Unauthorized,
}

/// A text of the hub, kept before it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Whose.
    pub page: PageId,
    /// Of which published version; 0 if never published.
    pub version: u64,
    /// Live or draft.
    pub side: Side,
    /// The text.
    pub text: Text,
    /// When.
    pub at: Wall,
}

/// One line of the log of what was done to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When.
    pub at: Wall,
    /// Which page.
    pub page: PageId,
    /// Its document, as shown to people.
    pub path: String,
    /// What was done.
    pub event: LogEvent,
    /// The row of the decision table that said so.
    pub rule: String,
}

/// What can be done to a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum LogEvent {
    /// A PATCH was acknowledged, or found to have landed.
    Published {
        /// The API's names of the fields.
        fields: Vec<String>,
        /// The version that it made or left.
        version: Option<u64>,
        /// What was on the lists that it sent.
        #[serde(default)]
        replaced: Lists,
    },
    /// The page said what the document says; nothing was sent.
    Adopted,
    /// A published edit came between our look and our write, and was replaced (there are no ETags).
    Raced {
        /// The version after our write.
        version: u64,
    },
    /// The page was archived.
    Archived,
    /// The page was made for a document that had none.
    Created {
        /// Its version; `None` for a draft.
        version: Option<u64>,
    },
    /// The hub's text was written into the document, as a person decided.
    Written {
        /// The version that it is; `None` if never published.
        version: Option<u64>,
    },
}

/// A line of ours that goes into a file: `page_id`, before the line that closes the front matter. Only if the file is what
/// it was; nothing else in it is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdLine {
    /// The file.
    pub path: DocPath,
    /// What its bytes were when this was decided.
    pub source: Digest,
    /// The page.
    pub page: PageId,
}

/// What came of writing such a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is done, and on the disk.
    Done,
    /// The file says something else by now, or is not there.
    Stale,
    /// It can't be done: the words for a person.
    Failed(String),
}

/// A document that a person wants to say what its page says. A command writes it; nothing is adopted before it is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The page.
    pub page: PageId,
    /// Its published version; `None` if never published.
    pub version: Option<u64>,
    /// Digest of the file that it was decided on; `None`: there is none, and it is written anew.
    pub source: Option<Digest>,
    /// What becomes of the document's own text.
    pub own_text: OwnText,
    /// The hub's text.
    pub text: Text,
    /// What the front matter must say; `None`: what it says.
    pub status: Option<Status>,
    /// The lists that differ, by name; of a file that is written anew all that it has.
    pub lists: Named,
}

/// What becomes of a document's own text when the hub's comes into its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnText {
    /// It goes, into a backup.
    Replaced,
    /// It stays, with conflict markers where the two differ.
    Beside,
}

impl LogEvent {
    /// A write that the hub took; `there` are the lists as they were before it.
    pub fn published(patch: &Patch, version: Option<u64>, there: &Lists) -> Self {
        let mut replaced = Lists::default();
        for kind in ListKind::ALL.into_iter().filter(|kind| patch.lists.get(*kind).is_some()) {
            replaced.set(kind, there.get(kind).cloned());
        }
        let fields = patch.api_fields().into_iter().map(str::to_owned).collect();
        Self::Published { fields, version, replaced }
    }
}
