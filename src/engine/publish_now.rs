//! A person's order to a running daemon: publish these now. Its pages are edits and wait for no more quiet, and it begins with a
//! look of its own, as a `sync` does; everything else holds for them as for all others. Only the engine's own files touch it.

use std::borrow::Cow;

use crate::pace::quota::Lane;
use crate::page::{DocPath, Now, PageId};
use crate::policy::{Create, OnDifference, Policy};

use super::archives::Archives;
use super::entry::{Entry, Life};
use super::orders::EDIT;
use super::settled::RootHealth;
use super::summary::{Rest, still_waits};
use super::unsaved::Unsaved;
use super::{Engine, ListWanted};

/// Names an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// What is to be published at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishNow {
    /// Only these documents and what lies below these folders; empty: all.
    pub scope: Vec<DocPath>,
    /// `--create`: documents without a page get one, for these documents and as long as the order goes on.
    pub create: Option<Create>,
    /// `--confirm-archive`, likewise.
    pub archives: Archives,
    /// `--first-meeting`, for these documents and as long as the order goes on.
    pub on_first_meeting: Option<OnDifference>,
}

impl Engine {
    /// Takes an order in. What the folder says by now comes as any other round, after this.
    pub(super) fn publish_now(&mut self, now: Now, id: OrderId, order: PublishNow) {
        let ids: Vec<PageId> =
            self.entries.iter().filter(|(_, e)| e.path.is_within(&order.scope)).map(|(id, _)| id.clone()).collect();
        let wanting = |entry: &Entry| !matches!(entry.life, Life::Idle) && entry.record.base.is_some();
        let few = ids.iter().filter(|id| self.entries.get(id).is_some_and(wanting)).count() <= EDIT;
        for id in &ids {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            (entry.quiet, entry.record.nameless) = (None, None);
            if few && wanting(entry) {
                entry.lane = Lane::Edit;
            }
            if entry.found.is_some() {
                self.make_due(id);
            }
        }
        let births: Vec<DocPath> = self.births.keys().filter(|path| path.is_within(&order.scope)).cloned().collect();
        for path in &births {
            if let Some(birthing) = self.births.get_mut(path) {
                birthing.birth.held = None;
                if births.len() <= EDIT {
                    birthing.lane = Lane::Edit;
                }
            }
            self.make_birth_due(path);
        }
        if self.looks() && self.list.is_none() {
            (self.list_wanted, self.list_retry) = (ListWanted::Ordered, None);
        }
        self.gates.fresh_edit(now.mono);
        self.orders.insert(id, order);
    }

    /// An order has ended: its pages are as all others again.
    pub(super) fn order_ended(&mut self, id: OrderId) {
        let Some(order) = self.orders.remove(&id) else { return };
        if self.orders.is_empty() && self.list_wanted == ListWanted::Ordered {
            self.list_wanted = ListWanted::Drift;
        }
        if order.on_first_meeting.is_some() || order.create.is_some() || order.archives == Archives::Confirmed {
            self.make_all_due();
        }
    }

    /// Whether a document is to be published now.
    pub(super) fn is_ordered(&self, path: &DocPath) -> bool {
        self.orders.values().any(|order| path.is_within(&order.scope))
    }

    /// The policy, as an order may have it for this document.
    pub(super) fn policy_for(&self, path: &DocPath) -> Cow<'_, Policy> {
        // The newest order wins.
        let ordered = || self.orders.values().rev().filter(|order| path.is_within(&order.scope));
        let side = ordered().find_map(|order| order.on_first_meeting).unwrap_or(self.policy.on_first_meeting);
        let create = ordered().find_map(|order| order.create).unwrap_or(self.policy.create);
        if (side, create) == (self.policy.on_first_meeting, self.policy.create) {
            return Cow::Borrowed(&self.policy);
        }
        Cow::Owned(Policy { on_first_meeting: side, create, ..self.policy.clone() })
    }

    /// Whether an order has anything left to do, its look included.
    pub fn rest_of(&self, now: Now, id: OrderId) -> Rest {
        let Some(order) = self.orders.get(&id).filter(|_| self.root == RootHealth::Ok) else { return Rest::Done };
        let ours = || self.entries.values().filter(|entry| entry.path.is_within(&order.scope));
        let looking = self.list.is_some() || self.list_wanted == ListWanted::Ordered;
        let pages = ours().filter(|entry| still_waits(entry)).map(|entry| (entry.life, entry.lane));
        let births =
            self.births.iter().filter(|(path, birthing)| path.is_within(&order.scope) && birthing.still_waits());
        let waiting: Vec<(Life, Lane)> = pages.chain(births.map(|(_, b)| (b.life, b.lane))).collect();
        if waiting.iter().any(|(life, _)| matches!(life, Life::Due | Life::InFlight)) || !self.is_planned() {
            return Rest::Busy;
        }
        if waiting.is_empty() && !looking {
            let unsaved = |unsaved: &Unsaved| {
                unsaved.pages.iter().any(|id| self.is_within(id, &order.scope))
                    || unsaved.births.iter().any(|path| path.is_within(&order.scope))
            };
            let stored = !self.stores.values().any(unsaved) && !unsaved(&self.unsaved);
            return if stored || self.unsaved.is_stuck() { Rest::Done } else { Rest::Busy };
        }
        let edit = looking || waiting.iter().any(|(_, lane)| *lane == Lane::Edit);
        let until = waiting.iter().filter_map(|(life, _)| match life {
            Life::Waiting(until) => Some(*until),
            _ => None,
        });
        match self.gates.waits(now.mono, if edit { Lane::Edit } else { Lane::Bulk }) {
            Some(waits) => Rest::Waiting { until: waits.until, on: Some(waits.on) },
            None if waiting.iter().any(|(life, _)| matches!(life, Life::Wants(_))) => Rest::Busy,
            None if looking && self.list_retry.is_none() => Rest::Busy,
            None => {
                let on = self.gates.unlisted_since().filter(|_| looking).map(super::WaitsOn::Unreachable);
                Rest::Waiting { until: until.chain(self.list_retry).min(), on }
            }
        }
    }

    /// How many requests were sent so far, by method.
    pub fn requests(&self) -> &std::collections::BTreeMap<&'static str, u32> {
        &self.requests
    }

    fn is_within(&self, id: &PageId, scope: &[DocPath]) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.path.is_within(scope))
    }
}
