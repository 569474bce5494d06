//! How many requests the pages that wait will cost, so that `status` can say when they are done. An estimate from what is
//! known: a page that must be looked at first counts as if it were to be written, unless its document is what was published.

use crate::pace::quota::{Backlog, Lane, Looks, Requests};
use crate::page::Mono;
use crate::policy::ConflictCheck;
use crate::reason::{Code, State};
use crate::reconcile::FRESH_MS;
use crate::reconcile::guards;

use super::Engine;
use super::entry::{Entry, Life, Standing, Want};
use super::settled::{Found, RootHealth};

/// What waits, and until when nothing of it can be done but for the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The requests.
    pub backlog: Backlog,
    /// The last of the moments that pages wait for (a retry, a doubt, quiet); 0 where none does.
    pub until: Mono,
}

impl Engine {
    /// What the pages that are pending or failed will cost. Nothing while the root is in question: nobody knows then.
    pub(super) fn waiting(&self) -> Waiting {
        let looks = match self.policy.conflict_check {
            ConflictCheck::On => Looks::Serve(i64::try_from(FRESH_MS).unwrap_or(i64::MAX)),
            ConflictCheck::Off => Looks::None,
        };
        let mut waiting = Waiting { backlog: Backlog { looks, ..Backlog::default() }, ..Waiting::default() };
        if self.root != RootHealth::Ok {
            return waiting;
        }
        let waits_for_a_person =
            |entry: &Entry| entry.standing.reason.as_ref().is_some_and(|reason| reason.code == Code::RenderingChanged);
        let pending = |entry: &&Entry| {
            matches!(entry.standing.state, State::Pending | State::Failed) && !waits_for_a_person(entry)
        };
        for entry in self.entries.values().filter(pending).filter(|entry| self.in_scope(&entry.path)) {
            let Requests { alone, writes } = cost(entry);
            let lane = match entry.lane {
                Lane::Edit => &mut waiting.backlog.edits,
                Lane::Bulk => &mut waiting.backlog.bulk,
            };
            lane.alone += alone;
            lane.writes += writes;
            if let Life::Waiting(until) = entry.life {
                waiting.until = waiting.until.max(until);
            }
        }
        let pending = |standing: &Standing| matches!(standing.state, State::Pending | State::Failed);
        for (_, birthing) in self.births.iter().filter(|(path, b)| pending(&b.standing) && self.in_scope(path)) {
            let lane = match birthing.lane {
                Lane::Edit => &mut waiting.backlog.edits,
                Lane::Bulk => &mut waiting.backlog.bulk,
            };
            // One in doubt is looked for first: a list, and the page.
            lane.alone += if birthing.birth.doubt.is_some() { 2 } else { 1 };
            if let Life::Waiting(until) = birthing.life {
                waiting.until = waiting.until.max(until);
            }
        }
        // One list for each kind of names.
        waiting.backlog.bulk.alone += u32::try_from(self.names_wanted.len()).unwrap_or(u32::MAX);
        waiting
    }
}

fn cost(entry: &Entry) -> Requests {
    let differs = match &entry.found {
        Some(Found::Document(document)) => {
            let says_so = |base: &crate::reconcile::page_record::Base| {
                base.rules != document.rules || guards::is_changed(document, base)
            };
            u32::from(entry.record.base.as_ref().is_none_or(says_so))
        }
        _ => 0,
    };
    let looked_at = Requests { alone: 1 + differs, writes: 0 };
    let written = Requests { alone: 0, writes: 1 };
    match entry.life {
        Life::Wants(Want::Get) => looked_at,
        Life::Wants(Want::Fresh | Want::Write) => written,
        _ if entry.record.doubt.is_some() || entry.record.base.is_none() => looked_at,
        Life::Wants(Want::Names) | Life::Waiting(_) | Life::Due | Life::InFlight => written,
        // A dry run, or a page out of scope: asks for nothing, and would cost this.
        Life::Idle => Requests { alone: 0, writes: differs },
    }
}
