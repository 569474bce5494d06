//! What is remembered of a page: observations only, never a queue of work. After a crash the plan is made again from these.
//!
//! `state/` keeps records as they are; only `engine/` changes them, and only by what `decide` or an answer says.

use serde::{Deserialize, Serialize};

use crate::page::{
    Authored, Desired, Digest, DraftSeen, Ids, LastTexts, Lists, Mono, Page, Patch, Print, Row, Stamp, Status, Text,
    Wall,
};
use crate::reason::Code;
use crate::simulation::{Planted, planted};

/// All that is remembered of one page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageRecord {
    /// Our last common ground with the hub.
    pub base: Option<Base>,
    /// The last look, or our own answer plus what we sent.
    pub seen: Option<Seen>,
    /// A row that tells of a change since `seen`.
    pub moved: Option<Row>,
    /// A write whose answer we don't have.
    pub doubt: Option<Doubt>,
    /// What the hub refused.
    pub refused: Option<Refused>,
    /// The hub had no such page when the document had this digest.
    pub absent: Option<Digest>,
    /// Names were read again for the document of this digest, and it still names one that isn't there.
    pub nameless: Option<Digest>,
    /// What a person decided, and for which marks of the page.
    pub settled: Option<Resolution>,
    /// The last texts of the document.
    pub history: LastTexts,
    /// When we archived the page.
    pub archived: Option<Wall>,
    /// Passing faults since the last success.
    pub trouble: Option<Trouble>,
    /// Since when its file has been missed.
    pub missed: Option<Wall>,
    /// When we made it for a document that had no page: its id is written into that file, again if need be.
    pub born: Option<Wall>,
    /// When we published it, within the last hour.
    pub published: Vec<Wall>,
    /// What `sync --since` knows in place of a base; never kept.
    #[serde(skip)]
    pub past: Option<Box<Past>>,
}

/// What a document was before, by its own history: nobody has acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What it said at the revision that the run starts from; `None` where it is new since.
    pub said: Option<Desired>,
    /// The other texts that it had since.
    pub had: LastTexts,
}

/// What the hub last acknowledged: only what we sent or adopted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The live text.
    pub live: Option<Known>,
    /// Our draft.
    pub draft: Option<Known>,
    /// All lists, also those that the document doesn't manage.
    pub lists: Lists,
    /// The published version.
    pub version: Option<u64>,
    /// Digest of the file that was published or adopted.
    pub source: Digest,
    /// Digest of the rules it was rendered with.
    pub rules: Digest,
    /// When.
    pub at: Wall,
}

/// One text of ours as we know it on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What the document said.
    pub sent: Print,
    /// What the hub made of it, where that is something else.
    pub echoed: Option<Print>,
}

impl Known {
    /// Ours as `hub` has it: what was sent, word for word, or as it was echoed.
    pub fn is(&self, hub: &Print) -> bool {
        let loose = planted(Planted::LooseEverywhere) && self.sent.body.folded == hub.body.folded;
        self.sent == *hub || self.echoed.as_ref() == Some(hub) || loose
    }

    /// What was sent, with what the hub showed of it.
    pub fn new(sent: Print, shown: Option<Print>) -> Self {
        let echoed = shown.filter(|shown| *shown != sent);
        Self { sent, echoed }
    }
}

/// The page as last looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The live text; `None` if never published.
    pub live: Option<Print>,
    /// A draft that differs from the live text.
    pub draft: Option<Print>,
    /// The title that the hub shows.
    pub title: String,
    /// Folders, skills and sources.
    pub lists: Lists,
    /// The published version.
    pub version: Option<u64>,
    /// Moves with every change.
    pub updated_at: Stamp,
    /// Whether the hub's stamps have no fraction of a second and the second of these marks was not over yet: an edit in it
    /// can't be told from them. So it is with our own writes, and with looks at what was edited a moment ago.
    pub racy: bool,
}

impl Seen {
    /// What a GET with `include=draft` shows.
    pub fn of(page: &Page) -> Self {
        let print = |text: &Text| Print::of(&text.title, &text.body);
        Self {
            live: page.live.as_ref().map(print),
            draft: match &page.draft {
                DraftSeen::Some(text) => Some(print(text)),
                DraftSeen::None | DraftSeen::NotAsked => None,
            },
            title: page.title.clone(),
            lists: page.lists.clone(),
            version: page.version,
            updated_at: page.updated_at,
            racy: false,
        }
    }

    /// Whether `row` shows nothing but what was seen: then it is our own doing, or nobody's.
    pub fn explains(&self, row: &Row) -> bool {
        self.version == row.version
            && self.updated_at == row.updated_at
            && self.title == row.title
            && self.lists.folders.as_ref() == Some(&row.folders)
            && self.lists.skills.as_ref() == Some(&row.skills)
    }

    /// Whether `(updated_at, version)` of a row or a page is older than this.
    pub fn is_newer_than(&self, updated_at: Stamp, version: Option<u64>) -> bool {
        (updated_at, version) < (self.updated_at, self.version)
    }
}

/// A write that was stored before it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What was to be done.
    pub kind: IntentKind,
    /// Digest of the file it came from.
    pub source: Digest,
    /// Digest of the rules it was rendered with.
    pub rules: Digest,
    /// When it was stored.
    pub stored: Wall,
}

/// The kinds of writes to a page that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentKind {
    /// A PATCH.
    Patch(Patch),
    /// A DELETE, which archives.
    Delete,
}

/// An intent whose answer is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What was sent, or may have been.
    pub intent: Intent,
    /// When its connection ended; not kept, so that after a restart it is the start of this process.
    #[serde(skip)]
    pub dead: Mono,
}

/// What the hub refused, and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Digest of what was wanted: file, rules and resolved names.
    pub wanted: Digest,
    /// The hub's words.
    pub message: String,
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Which side wins.
    pub keep: Keep,
    /// The version that it was decided on.
    pub version: Option<u64>,
    /// The stamp that it was decided on.
    pub updated_at: Stamp,
}

/// Which side wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The document, where there is one.
    Local,
    /// The hub's text, written into the file.
    Remote,
    /// Both, as conflict markers in the file.
    Both,
    /// Both, and the markers are in the file: what a person makes of them wins.
    Merged,
    /// The file's absence, confirmed: the page is archived.
    Archive,
}

/// Faults that pass, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// How often in a row.
    pub attempts: u32,
    /// Not before this.
    pub next: Wall,
    /// What it was, last.
    pub code: Code,
    /// In words.
    pub message: String,
}

impl PageRecord {
    /// Remembers what the document says, for rule D8. Answers whether that changed anything.
    pub fn note_text(&mut self, document: &Authored) -> bool {
        self.history.note(document.title.as_deref(), document.body.exact)
    }
}

impl Base {
    /// The text that a document of `status` is compared with: the live one, or for a draft its draft where there is one.
    pub fn text(&self, status: Status) -> Option<&Known> {
        match status {
            Status::Published => self.live.as_ref(),
            Status::Draft => self.draft.as_ref().or(self.live.as_ref()),
        }
    }
}

/// The ids of a list, or none.
pub fn ids(list: &Option<Ids>) -> Ids {
    list.clone().unwrap_or_default()
}
