//! How many requests may be sent: exact sliding windows over time stamps, one of a minute and one of a day.
//!
//! Promises: a slot is occupied from when it is taken until a window after its *answer* (counted from the sending, the hub
//! answers 429 now and then), so that never more than the limit are answered within a window; a refusal carries the exact
//! moment when it ends; a clock that is set back delays by one window at most; a clock that jumps there and back forgets
//! nothing. Here a clock set forward looks like time that passed; `state/usage` tells the two apart where the system has a
//! clock that nobody sets, and moves the stamps along.
//!
//! Pure. `state/usage` keeps the slots in a file that all processes share; the simulation uses this as it is.

use std::collections::{BTreeMap, VecDeque};

use crate::page::Wall;
use crate::simulation::{Planted, planted};

/// The shorter window, in milliseconds.
const MINUTE: i64 = 60_000;
/// The longer window, in milliseconds.
const DAY: i64 = 86_400_000;
/// Added to both windows, in milliseconds: an answer takes a moment to reach us.
const MARGIN: i64 = 250;
/// Old slots kept at most, so that a clock that jumps ahead and back finds them again.
const KEPT: u32 = 10_000;

/// So many lists in a row that are old before there is a slot for a write mean that there never is one in time.
const IN_VAIN: u32 = 9;

/// After so many milliseconds a request without an answer counts as answered: `hub.timeout` by default.
pub const HUNG_AFTER: i64 = 30_000;

/// A moment that never comes: of a pause without end, and of a limit of 0.
pub const NEVER: Wall = Wall(i64::MAX);

/// What the hub allows (contract.md, `hub.requests_per_minute` and after).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in any 60 s.
    pub per_minute: u32,
    /// Requests in any 24 h.
    pub per_day: u32,
    /// How many of the day's requests bulk work leaves alone.
    pub reserved_for_edits: u32,
}

impl Limits {
    fn of_day(self, lane: Lane) -> u32 {
        match lane {
            Lane::Edit => self.per_day,
            Lane::Bulk => self.per_day.saturating_sub(self.reserved_for_edits),
        }
    }
}

/// What waits to be sent: edits first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// People's edits.
    pub edits: Requests,
    /// All else.
    pub bulk: Requests,
    /// What one list serves.
    pub looks: Looks,
}

/// Requests of one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Need nothing but their slot.
    pub alone: u32,
    /// Writes that rest on a fresh list, as [`Backlog::looks`] says.
    pub writes: u32,
}

/// Whether writes need a list first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Looks {
    /// They don't.
    #[default]
    None,
    /// One list serves all writes of so many milliseconds after it.
    Serve(i64),
}

impl Backlog {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        [self.edits, self.bulk].iter().all(|requests| requests.alone + requests.writes == 0)
    }
}

/// For what a slot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A person's edit: may use the whole day.
    Edit,
    /// All else: leaves [`Limits::reserved_for_edits`] alone.
    Bulk,
}

/// Which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub i64);

/// One slot that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// When it was taken.
    pub taken: Wall,
    /// When its answer came; `None`: still under way, or its process died.
    pub freed: Option<Wall>,
    /// When the clock was first seen to be behind the stamp above: then that counts in its stead.
    pub ahead: Option<Wall>,
}

impl Spent {
    fn stamp(&self) -> Wall {
        self.freed.unwrap_or(self.taken)
    }
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The minute's are spent.
    Minute,
    /// The day's are spent.
    Day,
    /// What is left of the day is kept for edits.
    Reserve,
    /// Nothing may be sent for now.
    Paused,
}

/// There is no slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUntil {
    /// The first moment at which one can be taken, if nothing else happens; [`NEVER`] if there is none.
    pub at: Wall,
    /// What ends then.
    pub why: Why,
}

/// A time in which nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it was last extended.
    pub since: Wall,
    /// When it ends; [`NEVER`]: when it is lifted.
    pub until: Wall,
}

/// How many slots are occupied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Of the minute's.
    pub minute: u32,
    /// Of the day's.
    pub day: u32,
}

/// What [`Quota::observe`] changed, for whoever keeps the slots in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Slots whose `ahead` is another.
    pub moved: Vec<(SlotId, Option<Wall>)>,
    /// Slots that are forgotten.
    pub dropped: Vec<SlotId>,
}

/// The slots taken of one hub with one key, and what may still be taken.
#[derive(Clone, Debug)]
pub struct Quota {
    limits: Limits,
    hung_after: i64,
    slots: BTreeMap<SlotId, Spent>,
    /// All slots by the moment from which their window runs: its answer came then, or counts as come.
    order: VecDeque<(Wall, SlotId)>,
    pause: Option<Pause>,
    /// The latest moment known: of the clock when last asked, or of the stamps.
    latest: Wall,
    /// When the clock catches up with a stamp that it was days behind.
    catches_up: Option<Wall>,
}

impl Quota {
    /// Nothing is spent.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hung_after: HUNG_AFTER,
            slots: BTreeMap::new(),
            order: VecDeque::new(),
            pause: None,
            latest: Wall(i64::MIN),
            catches_up: None,
        }
    }

    /// The same where a request may be under way for `ms` milliseconds.
    #[must_use]
    pub fn hung_after(mut self, ms: i64) -> Self {
        self.hung_after = ms;
        self.sort();
        self
    }

    /// For how long a request may be under way, in milliseconds.
    pub fn patience(&self) -> i64 {
        self.hung_after
    }

    /// Other limits from now on (the configuration was read again).
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What was kept, in place of what is here. Asks no clock: the next call brings one.
    pub fn restore(&mut self, slots: impl IntoIterator<Item = (SlotId, Spent)>, pause: Option<Pause>) {
        self.slots = if planted(Planted::LedgerNotStored) { BTreeMap::new() } else { slots.into_iter().collect() };
        self.pause = pause;
        let known = self.slots.values().map(|spent| spent.ahead.unwrap_or(spent.stamp()));
        self.latest = known.chain(pause.map(|p| p.since)).max().unwrap_or(Wall(i64::MIN));
        self.sort();
    }

    /// Takes slot `id` (of the caller's choice, another each time), or says until when there is none.
    pub fn take(&mut self, id: SlotId, now: Wall, lane: Lane) -> Result<(), NotUntil> {
        self.may_take(now, lane)?;
        self.put(id, Spent { taken: now, freed: None, ahead: None });
        Ok(())
    }

    /// Whether a slot can be taken.
    pub fn may_take(&mut self, now: Wall, lane: Lane) -> Result<(), NotUntil> {
        self.observe(now);
        let paused = self.paused(now).map(|pause| NotUntil { at: pause.until, why: Why::Paused });
        match self.spent_until(now, lane).into_iter().chain(paused).max_by_key(|refusal| refusal.at) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// The answer to a slot's request came, or its connection ended.
    pub fn answered(&mut self, id: SlotId, now: Wall) {
        self.observe(now);
        if let Some(spent) = self.remove(id) {
            let freed = if planted(Planted::SlotFreedAtSending) { spent.taken } else { now };
            self.put(id, Spent { taken: spent.taken, freed: Some(freed), ahead: None });
        }
    }

    /// Nothing was sent: the slot is given back.
    pub fn never_sent(&mut self, id: SlotId) {
        self.remove(id);
    }

    /// Nothing is sent before `until`. Never ends a pause earlier than it would have ended.
    pub fn pause(&mut self, now: Wall, until: Wall) {
        self.observe(now);
        if self.pause.is_none_or(|pause| pause.until < until) {
            self.pause = Some(Pause { since: now, until });
        }
    }

    /// Ends any pause.
    pub fn resume(&mut self) {
        self.pause = None;
    }

    /// The pause that holds.
    pub fn paused(&self, now: Wall) -> Option<Pause> {
        self.pause.filter(|pause| now < pause.until)
    }

    /// How much is spent.
    pub fn used(&mut self, now: Wall) -> Used {
        self.observe(now);
        let count = |window| u32::try_from(self.occupied(now, window)).unwrap_or(u32::MAX);
        Used { minute: count(MINUTE), day: count(DAY) }
    }

    /// When the windows have room again, whatever is paused; `None`: now.
    pub fn next_free(&mut self, now: Wall, lane: Lane) -> Option<Wall> {
        self.observe(now);
        self.spent_until(now, lane).map(|refusal| refusal.at)
    }

    /// When the last request of a backlog can be sent, if nobody else sends: each is answered at once, and what is under
    /// way by now is not answered at all. [`NEVER`] where the limits have no room for it; `now` where nothing waits.
    pub fn eta(&mut self, now: Wall, backlog: &Backlog) -> Wall {
        self.observe(now);
        let at = self.paused(now).map_or(now, |pause| pause.until);
        if backlog.is_empty() || at == NEVER {
            return if backlog.is_empty() { now } else { NEVER };
        }
        let first = self.order.len() - self.occupied(now, DAY);
        let taken = self.order.range(first..).map(|(from, _)| *from).collect();
        let mut ahead = Ahead { limits: self.limits, taken, at, listed: None };
        let lanes = [(Lane::Edit, backlog.edits), (Lane::Bulk, backlog.bulk)];
        let done = lanes.iter().all(|(lane, requests)| {
            (0..requests.alone).all(|_| ahead.send(*lane))
                && (0..requests.writes).all(|_| ahead.write(*lane, backlog.looks))
        });
        if done { ahead.at } else { NEVER }
    }

    /// What is known of a slot.
    pub fn spent(&self, id: SlotId) -> Option<Spent> {
        self.slots.get(&id).copied()
    }

    /// Takes notice of the time. Every other call does it as well; whoever keeps the slots in a file calls it first, and
    /// keeps what it answers.
    pub fn observe(&mut self, now: Wall) -> Observed {
        let before = std::mem::replace(&mut self.latest, now);
        let mut moved = Vec::new();
        if now < before {
            moved = self.set_back(now);
        } else if self.catches_up.is_some_and(|at| at <= now) {
            moved = self.caught_up(before, now);
        }
        Observed { moved, dropped: self.drop_old(now) }
    }

    /// The clock was set back: a stamp that is later than now counts as now.
    fn set_back(&mut self, now: Wall) -> Vec<(SlotId, Option<Wall>)> {
        let mut moved = Vec::new();
        for (id, spent) in &mut self.slots {
            if spent.stamp() > now && spent.ahead.is_none_or(|ahead| ahead > now) {
                spent.ahead = Some(now);
                moved.push((*id, spent.ahead));
            }
        }
        if let Some(pause) = self.pause.as_mut().filter(|pause| pause.since > now && pause.until != NEVER) {
            pause.until = now.plus(pause.until.0.saturating_sub(pause.since.0));
            pause.since = now;
        }
        self.sort();
        moved
    }

    /// The clock reached stamps that it was days behind. If it jumped there (a machine that wakes up in 1970 before it
    /// hears of the time), they count as they are; if it ticked there, their windows are long over.
    fn caught_up(&mut self, before: Wall, now: Wall) -> Vec<(SlotId, Option<Wall>)> {
        let mut moved = Vec::new();
        for (id, spent) in &mut self.slots {
            let jumped = |ahead: Wall| is_far(spent.stamp(), ahead) && before < ahead.plus(DAY + MARGIN);
            if spent.stamp() <= now && spent.ahead.is_some_and(jumped) {
                spent.ahead = None;
                moved.push((*id, None));
            }
        }
        self.sort();
        moved
    }

    /// Forgets what counts no more, but for the newest.
    fn drop_old(&mut self, now: Wall) -> Vec<SlotId> {
        let kept = self.limits.per_day.min(KEPT) as usize;
        let excess = self.order.len().saturating_sub(kept.max(self.occupied(now, DAY)));
        let dropped: Vec<SlotId> = self.order.drain(..excess).map(|(_, id)| id).collect();
        for id in &dropped {
            self.slots.remove(id);
        }
        dropped
    }

    fn spent_until(&self, now: Wall, lane: Lane) -> Option<NotUntil> {
        let minute = self.full_until(now, MINUTE, self.limits.per_minute).map(|at| NotUntil { at, why: Why::Minute });
        let day = self.full_until(now, DAY, self.limits.of_day(lane)).map(|at| {
            let full = self.occupied(now, DAY) >= self.limits.per_day as usize;
            NotUntil { at, why: if full { Why::Day } else { Why::Reserve } }
        });
        minute.into_iter().chain(day).max_by_key(|refusal| refusal.at)
    }

    fn full_until(&self, now: Wall, window: i64, limit: u32) -> Option<Wall> {
        let limit = limit as usize;
        if self.occupied(now, window) < limit {
            return None;
        }
        Some(match limit {
            0 => NEVER,
            _ => self.order[self.order.len() - limit].0.plus(window + MARGIN),
        })
    }

    fn occupied(&self, now: Wall, window: i64) -> usize {
        self.order.len() - self.order.partition_point(|(from, _)| from.plus(window + MARGIN) <= now)
    }

    /// From when a slot's window runs. A request that hangs is occupied until then, and for a window after it.
    fn runs_from(&self, spent: &Spent) -> Wall {
        let stamp = spent.ahead.unwrap_or(spent.stamp());
        if spent.freed.is_some() { stamp } else { stamp.plus(self.hung_after) }
    }

    fn put(&mut self, id: SlotId, spent: Spent) {
        let entry = (self.runs_from(&spent), id);
        let place = self.order.partition_point(|other| *other < entry);
        self.order.insert(place, entry);
        self.slots.insert(id, spent);
    }

    fn remove(&mut self, id: SlotId) -> Option<Spent> {
        let spent = self.slots.remove(&id)?;
        if let Ok(place) = self.order.binary_search(&(self.runs_from(&spent), id)) {
            self.order.remove(place);
        }
        Some(spent)
    }

    fn sort(&mut self) {
        let mut order: Vec<_> = self.slots.iter().map(|(id, spent)| (self.runs_from(spent), *id)).collect();
        order.sort_unstable();
        self.order = order.into();
        let far = |spent: &&Spent| spent.ahead.is_some_and(|ahead| is_far(spent.stamp(), ahead));
        let latest = self.latest;
        self.catches_up = self.slots.values().filter(far).map(Spent::stamp).filter(|stamp| *stamp > latest).min();
    }
}

/// The windows as they will be.
struct Ahead {
    limits: Limits,
    /// From when the windows of all slots run, in order.
    taken: Vec<Wall>,
    at: Wall,
    listed: Option<Wall>,
}

impl Ahead {
    /// Sends one request as soon as there is a slot; false where there never is.
    fn send(&mut self, lane: Lane) -> bool {
        let Some(at) = self.free(lane) else { return false };
        self.at = at;
        let place = self.taken.partition_point(|from| *from <= at);
        self.taken.insert(place, at);
        true
    }

    /// Sends one write, and before it a list where the last one is too old.
    fn write(&mut self, lane: Lane, looks: Looks) -> bool {
        for _ in 0..=IN_VAIN {
            let Some(at) = self.free(lane) else { return false };
            match looks {
                Looks::Serve(ms) if self.listed.is_none_or(|listed| at > listed.plus(ms)) => {
                    self.send(lane);
                    self.listed = Some(at);
                }
                Looks::Serve(_) | Looks::None => return self.send(lane),
            }
        }
        false
    }

    /// When there is a slot.
    fn free(&self, lane: Lane) -> Option<Wall> {
        let windows = [(MINUTE, self.limits.per_minute), (DAY, self.limits.of_day(lane))];
        windows.iter().try_fold(self.at, |at, (window, limit)| match self.taken.len().checked_sub(*limit as usize) {
            _ if *limit == 0 => None,
            Some(oldest) => Some(at.max(self.taken[oldest].plus(window + MARGIN))),
            None => Some(at),
        })
    }
}

/// Whether the clock was so far behind `stamp` that nobody who merely waits for the end of a window skips what lies between.
fn is_far(stamp: Wall, ahead: Wall) -> bool {
    stamp > ahead.plus(2 * DAY)
}

#[cfg(test)]
mod tests;
