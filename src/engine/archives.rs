//! Pages whose files are gone, where `on_delete: archive` says so. An archive can't be undone through the API, so beside the
//! rows of the table this asks what no single page can tell: how many go, and whether the folder was looked at again.
//!
//! All that are gone are counted, also those that are not due yet: of a mass deletion nothing goes before a person has said
//! so. What a person decided page by page (`resolve`) does not come here.

use std::collections::BTreeSet;

use crate::page::{DocPath, Mono, Now, PageId, Wall};
use crate::reason::{Reason, State};
use crate::reconcile::FRESH_MS;
use crate::reconcile::guards;
use crate::reconcile::step::RemoteDraft;

use super::entry::{Entry, Life, Search, Standing};
use super::settled::Found;
use super::{Effect, Engine};

/// When the folder is asked again although it did not answer, in milliseconds.
const AGAIN_MS: u64 = 5_000;

/// What is held for its number is counted again this often, in milliseconds: days pass, files come back.
const RECOUNT_MS: u64 = 600_000;

/// Archives are counted over so long, in milliseconds (contract.md, `publish.archive_limit`).
const DAY_MS: i64 = 86_400_000;

/// Whether a person has seen how many pages would go, and said that they may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Archives {
    /// No: within the limits.
    #[default]
    Guarded,
    /// `--confirm-archive`.
    Confirmed,
}

/// Whether a page may go now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Given,
    /// Not before its file was looked for again, everywhere.
    AfterALook,
    /// Its document is there, and about to name it.
    Elsewhere,
    /// Not before then.
    NotBefore(Mono),
    /// Not before a person has said so.
    Refused(Reason),
    /// The same, or before its folder is another.
    Unmounted(Reason),
}

impl Engine {
    /// The folder was looked at, and the file of this page is still not there.
    pub(super) fn still_gone(&mut self, now: Now, id: &PageId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if matches!(entry.found, Some(Found::Gone { .. })) {
            entry.gone_seen = Some(now);
            let sought = std::mem::replace(&mut entry.search, Search::Done) == Search::Ordered;
            if matches!(entry.life, Life::Waiting(_)) {
                self.make_due(id);
            }
            if sought {
                self.make_births_due();
            }
        }
    }

    /// Nothing is left in these folders. What was held for another one is asked again.
    pub(super) fn take_emptied(&mut self, folders: BTreeSet<DocPath>) {
        self.emptied = folders;
        let waits =
            |entry: &Entry| matches!(entry.found, Some(Found::Gone { .. })) && matches!(entry.life, Life::Waiting(_));
        let ids: Vec<PageId> =
            self.entries.iter().filter(|(_, entry)| waits(entry)).map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.make_due(id));
    }

    /// Has everything looked at; one look serves all that wait for it.
    pub(super) fn look_everywhere(&mut self) {
        if !self.outbox.contains(&Effect::Rescan) {
            self.outbox.push_back(Effect::Rescan);
        }
    }

    /// Rows F2 and F3: whether a page that is to be archived is held all the same. Asked before the page is looked at, so that
    /// what must wait costs nothing.
    pub(super) fn holds_archive(&mut self, now: Now, id: &PageId, rule: &'static str) -> bool {
        if !matches!(rule, "F2" | "F3") {
            return false;
        }
        let (reason, until) = match self.leave(now, id) {
            Leave::Given => return false,
            Leave::NotBefore(at) => (guards::archive_waits(), at),
            Leave::Refused(reason) => (reason, now.mono.plus(RECOUNT_MS)),
            Leave::Unmounted(reason) => {
                // Nobody tells when an empty folder goes.
                let seen = self.entries.get(id).and_then(|entry| entry.gone_seen);
                if seen.is_none_or(|seen| now.mono.since(seen.mono) > FRESH_MS) {
                    self.look_everywhere();
                }
                (reason, now.mono.plus(RECOUNT_MS))
            }
            Leave::AfterALook => {
                self.look_everywhere();
                (guards::archive_waits(), now.mono.plus(AGAIN_MS))
            }
            Leave::Elsewhere => (guards::archive_waits(), now.mono.plus(AGAIN_MS)),
        };
        let (state, reason, draft) = (State::Orphaned, Some(reason), RemoteDraft::None);
        self.at_rest(now, id, Standing { state, reason, draft, remote_version: None, rule });
        if let Some(entry) = self.entries.get_mut(id) {
            entry.life = Life::Waiting(until);
        }
        true
    }

    /// Whether this page may still go, by what is known right before its request is stored, and sent.
    pub(super) fn may_archive(&self, now: Now, id: &PageId, rule: &'static str) -> bool {
        rule != "F3" || self.leave(now, id) == Leave::Given
    }

    fn leave(&self, now: Now, id: &PageId) -> Leave {
        let Some(entry) = self.entries.get(id) else { return Leave::AfterALook };
        let Some(Found::Gone { since }) = entry.found else { return Leave::AfterALook };
        let after = self.policy.archive_after;
        // A wall clock that was set forward since makes it no longer ago.
        if let Some(first) = entry.gone_first.filter(|first| now.mono < first.plus(after)) {
            return Leave::NotBefore(first.plus(after));
        }
        let orders = || self.orders.values().filter(|order| entry.path.is_within(&order.scope));
        let confirmed =
            self.setting.archives == Archives::Confirmed || orders().any(|order| order.archives == Archives::Confirmed);
        let refused = guards::archives(self.gone(), self.archived_lately(now.wall), self.kept(), &self.policy);
        if let Some(refused) = refused.filter(|_| !confirmed) {
            return Leave::Refused(refused.reason);
        }
        if let Some(folder) = self.unmounted(entry).filter(|_| !confirmed) {
            return Leave::Unmounted(guards::unmounted(folder));
        }
        let due = since.plus(i64::try_from(after).unwrap_or(i64::MAX));
        let looked = |seen: &Now| seen.wall >= due && now.mono.since(seen.mono) <= FRESH_MS;
        if self.is_elsewhere(now, id, entry) {
            Leave::Elsewhere
        } else if entry.gone_seen.as_ref().is_some_and(looked) {
            Leave::Given
        } else {
            Leave::AfterALook
        }
    }

    /// The folder in which its file lay, where that is there, with nothing in it, and others lost their files with it: somebody who
    /// throws documents away seldom leaves that, and a disk that is not mounted always does.
    fn unmounted(&self, entry: &Entry) -> Option<&DocPath> {
        let folder = self.emptied.iter().find(|folder| entry.path.as_path().starts_with(folder.as_path()))?;
        let gone = |other: &&Entry| {
            is_kept(other)
                && matches!(other.found, Some(Found::Gone { .. }))
                && other.path.as_path().starts_with(folder.as_path())
        };
        (self.entries.values().filter(gone).count() > 1).then_some(folder)
    }

    /// How many pages have lost their files, and are not held for another reason.
    fn gone(&self) -> usize {
        let gone = |entry: &&Entry| {
            matches!(entry.found, Some(Found::Gone { .. })) && is_kept(entry) && entry.standing.state != State::Conflict
        };
        self.entries.values().filter(gone).count()
    }

    /// How many pages there are.
    fn kept(&self) -> usize {
        self.entries.values().filter(|entry| is_kept(entry)).count()
    }

    fn archived_lately(&self, now: Wall) -> usize {
        let lately = |entry: &&Entry| entry.record.archived.is_some_and(|at| at.plus(DAY_MS) > now);
        self.entries.values().filter(lately).count()
    }

    /// Its document lies in a file that names no page: the id was lost on the way, and is, or will be, written into it. Or
    /// nobody knows yet where it lies.
    fn is_elsewhere(&self, now: Now, id: &PageId, entry: &Entry) -> bool {
        self.claimant(now, id, entry).is_some() || self.is_on_its_way(id, entry)
    }
}

fn is_kept(entry: &Entry) -> bool {
    entry.record.base.is_some() && entry.record.archived.is_none() && entry.record.absent.is_none()
}
