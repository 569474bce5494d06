//! What has changed in memory and is not stored yet. Acknowledgements are stored in groups; an intent takes along all that
//! waits, so that nothing older can overtake it.

use std::collections::BTreeSet;

use crate::page::{Mono, PageId};

use super::change::LogEntry;

/// So many pages are stored together at the most.
const GROUP: usize = 8;
/// So long an acknowledgement waits for others, in milliseconds.
const LINGER_MS: u64 = 200;

/// What waits to be stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsaved {
    /// Pages whose record is new.
    pub pages: BTreeSet<PageId>,
    /// Pages that are to be forgotten.
    pub forgotten: BTreeSet<PageId>,
    /// Whether the marks of the lists are new.
    pub marks: Freshness,
    /// Whether the tables of names are new.
    pub names: Freshness,
    /// Whether the hub's health is new.
    pub hub: Freshness,
    /// What was done.
    pub log: Vec<LogEntry>,
    since: Option<Mono>,
}

/// Whether something is as it was stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It is.
    #[default]
    Stored,
    /// It isn't.
    New,
}

impl Unsaved {
    /// A page's record is new.
    pub fn page(&mut self, now: Mono, id: &PageId) {
        self.forgotten.remove(id);
        self.pages.insert(id.clone());
        self.touch(now);
    }

    /// A page is to be forgotten.
    pub fn forget(&mut self, now: Mono, id: &PageId) {
        self.pages.remove(id);
        self.forgotten.insert(id.clone());
        self.touch(now);
    }

    /// Something is new: the group closes at latest `LINGER_MS` after its first.
    pub fn touch(&mut self, now: Mono) {
        self.since.get_or_insert(now);
    }

    /// When the group is to be stored; `None` where there is none.
    pub fn due(&self) -> Option<Mono> {
        let full = self.pages.len() + self.forgotten.len() >= GROUP;
        self.since.map(|since| if full { since } else { since.plus(LINGER_MS) })
    }

    /// What failed to be stored is new again.
    pub fn restore(&mut self, now: Mono, failed: Self) {
        self.pages.extend(failed.pages);
        self.forgotten.extend(failed.forgotten);
        for (ours, theirs) in
            [(&mut self.marks, failed.marks), (&mut self.names, failed.names), (&mut self.hub, failed.hub)]
        {
            if theirs == Freshness::New {
                *ours = Freshness::New;
            }
        }
        self.log.splice(0..0, failed.log);
        self.touch(now);
    }
}
