//! What has changed in memory and is not stored yet. Acknowledgements are stored in groups; an intent takes along all that
//! waits, so that nothing older can overtake it.

use std::collections::BTreeSet;

use crate::page::{DocPath, Mono, Now, PageId};
use crate::reconcile::page_record::Doubt;

use super::change::{Change, LogEntry, PageChange};
use super::entry::Entry;
use super::{Effect, Engine, Mode};

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
    /// Documents without a page of which something else is remembered.
    pub births: BTreeSet<DocPath>,
    /// Whether the marks of the lists are new.
    pub marks: Freshness,
    /// Whether the tables of names are new.
    pub names: Freshness,
    /// Whether the hub's health is new.
    pub hub: Freshness,
    /// What was done.
    pub log: Vec<LogEntry>,
    since: Option<Mono>,
    /// The last store failed: not again before this. Nothing is asked of the hub meanwhile: what it answers could not be kept.
    not_before: Option<Mono>,
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

    /// What is remembered of a document without a page is new.
    pub fn birth(&mut self, now: Mono, path: &DocPath) {
        self.births.insert(path.clone());
        self.touch(now);
    }

    /// Something is new: the group closes at latest `LINGER_MS` after its first.
    pub fn touch(&mut self, now: Mono) {
        self.since.get_or_insert(now);
    }

    /// When the group is to be stored; `None` where there is none.
    pub fn due(&self) -> Option<Mono> {
        let full = self.pages.len() + self.forgotten.len() + self.births.len() >= GROUP;
        let due = self.since.map(|since| if full { since } else { since.plus(LINGER_MS) })?;
        Some(self.not_before.map_or(due, |at| at.max(due)))
    }

    /// Whether the group may be stored before it is due, because nothing else goes on.
    pub fn may_hurry(&self, now: Mono) -> bool {
        self.since.is_some() && self.not_before.is_none_or(|at| at <= now)
    }

    /// All of it, to be stored now.
    pub fn take(&mut self) -> Self {
        let rest = Self { not_before: self.not_before, ..Self::default() };
        std::mem::replace(self, rest)
    }

    /// Whether the last store failed.
    pub fn is_stuck(&self) -> bool {
        self.not_before.is_some()
    }

    /// Something was stored.
    pub fn unstick(&mut self) {
        self.not_before = None;
    }

    /// What failed to be stored is new again, and waits until `at`. What became of a page since then outweighs it.
    pub fn restore(&mut self, now: Mono, failed: Self, at: Mono) {
        self.pages.extend(failed.pages.into_iter().filter(|id| !self.forgotten.contains(id)));
        self.forgotten.extend(failed.forgotten.into_iter().filter(|id| !self.pages.contains(id)));
        self.births.extend(failed.births);
        for (ours, theirs) in
            [(&mut self.marks, failed.marks), (&mut self.names, failed.names), (&mut self.hub, failed.hub)]
        {
            if theirs == Freshness::New {
                *ours = Freshness::New;
            }
        }
        self.log.splice(0..0, failed.log);
        self.touch(now);
        self.not_before = Some(at);
    }
}

impl Engine {
    /// Stores what has waited long enough.
    pub(super) fn save_due(&mut self, now: Now) {
        if self.setting.mode == Mode::Offline {
            self.unsaved = Unsaved::default();
            return;
        }
        let idle = self.jobs.is_empty() && self.due.is_empty() && self.births_due.is_empty();
        let due = self.unsaved.due().is_some_and(|due| due <= now.mono) || (idle && self.unsaved.may_hurry(now.mono));
        if due && self.stores.is_empty() {
            let store = self.fresh_id();
            let (change, unsaved) = self.take_change();
            self.stores.insert(store, unsaved);
            self.outbox.push_back(Effect::Store(store, Box::new(change)));
        }
    }

    /// All that waits to be stored, as one change.
    pub(super) fn take_change(&mut self) -> (Change, Unsaved) {
        let unsaved = self.unsaved.take();
        // A page that is no more was forgotten, though a change of it from before is only stored now.
        let put = |id: &PageId| (id.clone(), self.entries.get(id).map_or(PageChange::Forget, put));
        let forget = |id: &PageId| (id.clone(), PageChange::Forget);
        let pages = unsaved.pages.iter().map(put).chain(unsaved.forgotten.iter().map(forget)).collect();
        let new = |freshness| freshness == Freshness::New;
        let births = unsaved.births.iter().map(|path| (path.clone(), self.put_birth(path))).collect();
        let change = Change {
            pages,
            births,
            marks: new(unsaved.marks).then_some(self.marks),
            names: new(unsaved.names).then(|| self.names.clone()),
            hub: new(unsaved.hub).then(|| self.stored_health.clone()),
            backups: Vec::new(),
            log: unsaved.log.clone(),
        };
        (change, unsaved)
    }

    /// Keeps the hub's health where it is news.
    pub(super) fn note_health(&mut self, now: Now) {
        let health = self.gates.health_of_hub(now);
        let near = match (health.until, self.stored_health.until) {
            (Some(a), Some(b)) => (a.0 - b.0).abs() < 2_000,
            (a, b) => a == b,
        };
        if (health.state, &health.reason) != (self.stored_health.state, &self.stored_health.reason) || !near {
            self.stored_health = health;
            self.unsaved.hub = Freshness::New;
            self.unsaved.touch(now.mono);
        }
    }
}

/// What is stored of a page: with the write that is under way, which is in doubt should we end here.
fn put(entry: &Entry) -> PageChange {
    let mut record = entry.record.clone();
    if let Some(intent) = &entry.intent {
        record.doubt = Some(Doubt { intent: intent.clone(), dead: crate::page::Mono::default() });
    }
    PageChange::Put { path: entry.path.clone(), record: Box::new(record) }
}
