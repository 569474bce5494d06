//! The ledger of requests as a model of `state/usage`: what is spent is kept beside the quota, and read by the next process.

use std::collections::BTreeMap;

use hubsync::pace::quota::{Lane, NotUntil, Pause, Quota, SlotId, Spent};

use hubsync::page::Wall;

use super::world::World;

/// The file.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    slots: BTreeMap<SlotId, Spent>,
    pause: Option<Pause>,
}

impl World {
    pub(super) fn take_slot(&mut self, slot: SlotId, lane: Lane) -> Result<(), NotUntil> {
        let now = self.now().wall;
        self.observe();
        self.quota.take(slot, now, lane)?;
        self.ledger.slots.insert(slot, Spent { taken: now, freed: None, ahead: None });
        Ok(())
    }

    pub(super) fn slot_answered(&mut self, slot: SlotId) {
        let now = self.now().wall;
        self.observe();
        self.quota.answered(slot, now);
        if let Some(spent) = self.ledger.slots.get_mut(&slot) {
            (spent.freed, spent.ahead) = (Some(now), None);
        }
    }

    pub(super) fn never_sent(&mut self, slot: SlotId) {
        self.quota.never_sent(slot);
        self.ledger.slots.remove(&slot);
    }

    pub(super) fn pause(&mut self, ms: i64) {
        let now = self.now().wall;
        self.observe();
        self.quota.pause(now, now.plus(ms));
        self.ledger.pause = self.quota.paused(now);
    }

    /// Another process reads it.
    pub(super) fn read_ledger(&mut self) {
        self.quota = Quota::new(self.limits);
        self.quota.restore(self.ledger.slots.clone(), self.ledger.pause);
    }

    /// The wall clock was set: the clock of the boot tells, and the stamps move along (`state/boot`).
    pub(super) fn clock_was_set(&mut self, by: i64) {
        for spent in self.ledger.slots.values_mut() {
            let shift = |at: Wall| at.plus(by);
            *spent = Spent { taken: shift(spent.taken), freed: spent.freed.map(shift), ahead: spent.ahead.map(shift) };
        }
        if let Some(pause) = &mut self.ledger.pause {
            *pause = Pause { since: pause.since.plus(by), until: pause.until.plus(by) };
        }
        self.read_ledger();
    }

    /// Takes notice of the time, and keeps what that changed.
    fn observe(&mut self) {
        let now = self.now().wall;
        let observed = self.quota.observe(now);
        for (id, ahead) in observed.moved {
            if let Some(spent) = self.ledger.slots.get_mut(&id) {
                spent.ahead = ahead;
            }
        }
        for id in observed.dropped {
            self.ledger.slots.remove(&id);
        }
        if let Some(pause) = self.quota.paused(now) {
            self.ledger.pause = Some(pause);
        }
    }
}
