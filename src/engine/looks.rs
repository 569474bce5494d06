//! What a GET shows of a page: to us, or to a command that has written the page's document (`hubsync pull`), so that the page
//! counts as met by the request that was made anyway. Only the engine's own files touch it.
//!
//! Nothing is believed of such a document: it is read like any other, and the table adopts it where it says what the page says.

use crate::page::{DocPath, ListKind, Mono, Now, PageId, Wall};
use crate::reason::{Code, State};
use crate::reconcile::names::Names;
use crate::reconcile::page_record::{PageRecord, Seen};

use crate::simulation::{Planted, planted};

use super::Engine;
use super::entry::Entry;
use super::unsaved::Freshness;

/// Where stamps have no fraction of a second, one that is younger than this may come again, in microseconds.
const RACY_US: i64 = 2_000_000;

/// What a command saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The page.
    pub page: PageId,
    /// Its document.
    pub path: DocPath,
    /// The page's marks, as a GET showed them.
    pub seen: Seen,
    /// When that was sent.
    pub sent: Mono,
    /// The hub's clock at its answer, where it told.
    pub date: Option<Wall>,
    /// Tables of names that were read for it.
    pub names: Option<Box<Names>>,
}

impl Engine {
    /// Takes in what a command saw; what the folder says of its document comes as any other round. What is known better
    /// already stays: a newer look, or a write of ours that is not answered.
    pub(super) fn met(&mut self, now: Now, met: Met) {
        let Met { page: id, path, seen, sent, date, names } = met;
        if let Some(names) = names {
            self.learn_names(now, *names);
        }
        self.note_date(now, sent, date);
        let entry = self.entries.entry(id.clone()).or_insert_with(|| Entry::new(path, PageRecord::default()));
        let writes = entry.intent.is_some() || entry.record.doubt.is_some();
        let newer = |known: &Seen| known.is_newer_than(seen.updated_at, seen.version);
        if writes || entry.record.seen.as_ref().is_some_and(newer) {
            return;
        }
        self.looked_at(now, &id, seen, sent, date);
        if self.entries.get(&id).is_some_and(|entry| entry.found.is_some()) {
            self.make_due(&id);
        }
    }

    /// What a GET showed of a page, ours or that of a command.
    pub(super) fn looked_at(&mut self, now: Now, id: &PageId, mut seen: Seen, sent: Mono, date: Option<Wall>) {
        self.looked.insert(id.clone());
        self.missing.remove(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        learn_echo(entry, &seen);
        // Its second may not be over yet: another edit in it would have the same mark.
        let settled =
            date.is_some_and(|date| date.0.saturating_mul(1_000) >= seen.updated_at.0.saturating_add(RACY_US));
        seen.racy = seen.updated_at.is_whole_second() && !settled;
        let newer = entry
            .record
            .moved
            .as_ref()
            .is_some_and(|row| (row.updated_at, row.version) > (seen.updated_at, seen.version))
            && !planted(Planted::OlderReplacesNewer);
        entry.record.seen = Some(seen);
        entry.record.absent = None;
        entry.sight.saw(sent);
        if newer {
            // The list was newer than this answer: look again, but not at once, should the hub lag behind itself.
            self.trouble(now, id, Code::ServerError, "the hub's list is ahead of its pages".to_owned());
        } else {
            entry.record.moved = None;
        }
        self.unsaved.page(now.mono, id);
    }

    /// Takes tables that were read later than ours.
    fn learn_names(&mut self, now: Now, read: Names) {
        if self.names.read_at >= read.read_at {
            return;
        }
        let ours = &mut self.names;
        let kinds = [
            (ListKind::Folders, replace(&mut ours.folders, read.folders)),
            (ListKind::Skills, replace(&mut ours.skills, read.skills)),
            (ListKind::Sources, replace(&mut ours.sources, read.sources)),
        ];
        ours.read_at = read.read_at;
        for (kind, learned) in kinds {
            if learned == Learned::Yes {
                self.names_read.insert(kind, now.mono);
            }
        }
        self.unsaved.names = Freshness::New;
        self.unsaved.touch(now.mono);
    }

    /// What keeps a page from being in step, in words; `None` where nothing does, or where it is on its way. For pages whose file
    /// the folder was asked for.
    pub fn keeps_apart(&self, id: &PageId) -> Option<String> {
        let entry = self.entries.get(id)?;
        if entry.found.is_none() {
            return Some(
                "its file is left out by a rule (.gitignore, .hubsyncignore), so it is no document".to_owned(),
            );
        }
        let standing = &entry.standing;
        let apart = !matches!(standing.state, State::InStep | State::Pending | State::Failed);
        let reason = standing.reason.as_ref().filter(|_| apart)?;
        Some(reason.message.clone())
    }
}

/// A page whose marks are still those of our own write shows how the hub keeps what we sent: a draft is not echoed in the
/// answer to its write, so this is where a hub that normalises shows it. (Somebody's draft may hide behind the mark of a
/// write without text: that left the page moved.)
fn learn_echo(entry: &mut Entry, seen: &Seen) {
    let Some(old) = &entry.record.seen else { return };
    let untouched = (old.updated_at, old.version, &old.title) == (seen.updated_at, seen.version, &seen.title)
        && !old.racy
        && entry.record.moved.is_none();
    // A draft that was made equal to the live text is none any more.
    let shown = seen.draft.as_ref().or(seen.live.as_ref());
    if let (true, Some(base), Some(shown)) = (untouched, &mut entry.record.base, shown)
        && let Some(ours) = &mut base.draft
        && old.draft.as_ref().is_some_and(|old| old.body.folded == ours.sent.body.folded)
        && *shown != ours.sent
    {
        ours.echoed = Some(shown.clone());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learned {
    Yes,
    No,
}

fn replace<T>(ours: &mut Option<T>, read: Option<T>) -> Learned {
    if read.is_none() {
        return Learned::No;
    }
    *ours = read;
    Learned::Yes
}
