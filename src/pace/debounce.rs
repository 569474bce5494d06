//! When a thing that was touched has come to rest. Pure; generic over what is touched.
//!
//! `local/settle` uses it for files: each event of the watcher is a [`Debounce::note`]; at [`Debounce::wakeup`] it takes
//! what is [`Debounce::due`], reads those files, and notes again each one that moved while it was read.
//!
//! Two timers, and what they mean:
//! - **quiet**: a key is due once *it* has not been noted for so long. Others that go on changing don't hold it back.
//! - **max_delay**: a key that has not come to rest so long after its first note is told once as [`Due::Overdue`]
//!   ("still being written") and stays: it is never handed out as settled while it changes.
//!
//! So that a checkout of 500 files makes one round and not 500, `wakeup` lets keys that are quiet wait for those noted
//! right after them, but for no longer than `quiet` once more. `due` itself tells all that is due, whenever it is asked.
//!
//! Bounded: beyond `capacity` keys it forgets them all and remembers [`Due::Everything`], which loses none: whoever takes
//! it looks at everything. It falls due like a key, but at `max_delay` at the latest, noise or not; the files are judged
//! one by one when they are read.

use std::collections::BTreeMap;

use crate::page::Mono;

/// Waits until things have come to rest.
#[derive(Clone, Debug)]
pub struct Debounce<K> {
    quiet_ms: u64,
    max_delay_ms: u64,
    capacity: usize,
    keys: BTreeMap<K, Noted>,
    everything: Option<Noted>,
}

/// When something was noted.
#[derive(Clone, Copy, Debug)]
struct Noted {
    first: Mono,
    last: Mono,
    overdue: Overdue,
}

/// Whether it was already told that a key does not come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    Untold,
    Told,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due<K> {
    /// It was quiet for long enough; it is no longer remembered.
    Settled(K),
    /// It has been changing for `max_delay` and still is. Told once; it will settle later.
    Overdue(K),
    /// There were too many, or [`Debounce::note_everything`] said so: look at all.
    Everything,
}

impl Noted {
    fn at(now: Mono) -> Self {
        Self { first: now, last: now, overdue: Overdue::Untold }
    }
}

impl<K: Ord + Clone> Debounce<K> {
    /// `quiet_ms`: how long a key must be quiet; `max_delay_ms`: when a key that isn't is told as overdue; `capacity`: how
    /// many keys are remembered.
    pub fn new(quiet_ms: u64, max_delay_ms: u64, capacity: usize) -> Self {
        Self { quiet_ms, max_delay_ms, capacity, keys: BTreeMap::new(), everything: None }
    }

    /// Other times from now on (the configuration was reloaded); what was noted stays.
    pub fn set_times(&mut self, quiet_ms: u64, max_delay_ms: u64) {
        (self.quiet_ms, self.max_delay_ms) = (quiet_ms, max_delay_ms);
    }

    /// `key` was touched.
    pub fn note(&mut self, now: Mono, key: K) {
        if self.everything.is_some() {
            return self.note_everything(now);
        }
        self.keys.entry(key).and_modify(|noted| noted.last = now).or_insert(Noted::at(now));
        if self.keys.len() > self.capacity {
            self.note_everything(now);
        }
    }

    /// `key` is to be looked at, though nobody touched it: what has been noted of it is not put off.
    pub fn ask(&mut self, now: Mono, key: K) {
        if self.everything.is_none() && !self.keys.contains_key(&key) {
            self.note(now, key);
        }
    }

    /// Anything may have been touched: events were lost, or the root is another one.
    pub fn note_everything(&mut self, now: Mono) {
        // The oldest wait goes on: a storm must not push `max_delay` away for ever.
        let first = self.keys.values().map(|noted| noted.first).min().unwrap_or(now);
        self.keys.clear();
        self.everything.get_or_insert(Noted { first, ..Noted::at(now) }).last = now;
    }

    /// All that is due, each key at most once. What has settled is forgotten here.
    pub fn due(&mut self, now: Mono) -> Vec<Due<K>> {
        let (quiet, max_delay) = (self.quiet_ms, self.max_delay_ms);
        if let Some(noted) = self.everything {
            if now.since(noted.last) >= quiet || now.since(noted.first) >= max_delay {
                self.everything = None;
                return vec![Due::Everything];
            }
            return Vec::new();
        }
        let mut due = Vec::new();
        self.keys.retain(|key, noted| {
            if now.since(noted.last) >= quiet {
                due.push(Due::Settled(key.clone()));
                return false;
            }
            if now.since(noted.first) >= max_delay && noted.overdue == Overdue::Untold {
                noted.overdue = Overdue::Told;
                due.push(Due::Overdue(key.clone()));
            }
            true
        });
        due
    }

    /// When to call [`Debounce::due`] next; `None` while nothing is noted.
    pub fn wakeup(&self) -> Option<Mono> {
        if let Some(noted) = self.everything {
            return Some(noted.last.plus(self.quiet_ms).min(noted.first.plus(self.max_delay_ms)));
        }
        let settles = |noted: &Noted| noted.last.plus(self.quiet_ms);
        let first = self.keys.values().map(settles).min()?;
        // A key that never rests is not worth waiting for.
        let untold = || self.keys.values().filter(|noted| noted.overdue == Overdue::Untold);
        let last = untold().map(settles).max().unwrap_or(first);
        let batch = last.max(first).min(first.plus(self.quiet_ms));
        let overdue = untold().map(|noted| noted.first.plus(self.max_delay_ms)).min();
        Some(overdue.map_or(batch, |overdue| batch.min(overdue)))
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.everything.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The contract's defaults, and room for a few.
    fn debounce() -> Debounce<char> {
        Debounce::new(2_000, 300_000, 8)
    }

    #[test]
    fn a_key_is_due_once_it_was_quiet_for_long_enough() {
        let mut debounce = debounce();
        debounce.note(Mono(0), 'a');
        debounce.note(Mono(1_500), 'a');
        assert_eq!(debounce.wakeup(), Some(Mono(3_500)));
        assert_eq!(debounce.due(Mono(3_499)), []);
        assert_eq!(debounce.due(Mono(3_500)), [Due::Settled('a')]);
        assert!(debounce.is_empty() && debounce.wakeup().is_none());
    }

    #[test]
    fn who_asks_for_a_look_puts_none_off() {
        let mut debounce = debounce();
        debounce.note(Mono(0), 'a');
        debounce.ask(Mono(1_500), 'a');
        debounce.ask(Mono(1_500), 'b');
        assert_eq!(debounce.due(Mono(2_000)), [Due::Settled('a')]);
        assert_eq!(debounce.due(Mono(3_500)), [Due::Settled('b')]);
        debounce.note_everything(Mono(4_000));
        debounce.ask(Mono(5_500), 'a');
        assert_eq!(debounce.due(Mono(6_000)), [Due::Everything]);
    }

    #[test]
    fn one_that_goes_on_changing_holds_back_no_other() {
        let mut debounce = debounce();
        debounce.note(Mono(0), 'b');
        for second in 0..=4 {
            debounce.note(Mono(second * 1_000), 'a');
        }
        assert_eq!(debounce.due(Mono(4_000)), [Due::Settled('b')]);
    }

    #[test]
    fn what_is_written_to_for_ever_is_told_once_and_settles_in_the_end() {
        let mut debounce = debounce();
        let mut told = Vec::new();
        for second in 0..=400 {
            debounce.note(Mono(second * 1_000), 'a');
            told.extend(debounce.due(Mono(second * 1_000)).into_iter().map(|due| (second, due)));
        }
        assert_eq!(told, [(300, Due::Overdue('a'))]);
        assert_eq!(debounce.due(Mono(402_000)), [Due::Settled('a')]);
    }

    #[test]
    fn a_burst_is_one_batch_and_waits_at_most_twice_as_long() {
        let mut debounce = debounce();
        debounce.note(Mono(0), 'a');
        debounce.note(Mono(1_000), 'b');
        assert_eq!(debounce.wakeup(), Some(Mono(3_000)));
        assert_eq!(debounce.due(Mono(3_000)), [Due::Settled('a'), Due::Settled('b')]);
        debounce.note(Mono(10_000), 'a');
        debounce.note(Mono(11_900), 'b');
        debounce.note(Mono(13_800), 'c');
        assert_eq!(debounce.wakeup(), Some(Mono(14_000)));
    }

    #[test]
    fn too_many_become_everything() {
        let mut debounce = debounce();
        for (ms, key) in ('a'..='z').enumerate() {
            debounce.note(Mono(ms as u64), key);
        }
        assert_eq!(debounce.wakeup(), Some(Mono(2_025)));
        assert_eq!(debounce.due(Mono(2_025)), [Due::Everything]);
        assert!(debounce.is_empty());
    }

    #[test]
    fn noise_does_not_put_everything_off_for_ever() {
        let mut debounce = debounce();
        debounce.note_everything(Mono(0));
        for second in 1..300 {
            debounce.note(Mono(second * 1_000), 'a');
            assert_eq!(debounce.due(Mono(second * 1_000)), []);
        }
        assert_eq!(debounce.due(Mono(300_000)), [Due::Everything]);
    }

    proptest! {
        #[test]
        fn no_key_is_lost_and_none_settles_before_it_was_quiet(
            notes in proptest::collection::vec((0_u64..5_000, 0_u8..12), 1..120), capacity in 1_usize..16
        ) {
            let mut debounce = Debounce::new(2_000, 10_000, capacity);
            let mut last: BTreeMap<u8, Mono> = BTreeMap::new();
            let mut now = Mono(0);
            let take = |debounce: &mut Debounce<u8>, last: &mut BTreeMap<u8, Mono>, now: Mono| {
                for due in debounce.due(now) {
                    match due {
                        Due::Settled(key) => {
                            let noted = last.remove(&key);
                            prop_assert!(noted.is_some_and(|at| now.since(at) >= 2_000), "{key} {noted:?} {now:?}");
                        }
                        Due::Overdue(key) => prop_assert!(last.contains_key(&key)),
                        Due::Everything => last.clear(),
                    }
                }
                Ok(())
            };
            for (ms, key) in notes {
                let next = now.plus(ms);
                // Woken whenever it asks for it.
                while let Some(at) = debounce.wakeup().filter(|at| *at <= next) {
                    prop_assert!(at >= now);
                    now = at;
                    take(&mut debounce, &mut last, now)?;
                    prop_assert!(debounce.wakeup() != Some(at), "it woke for nothing");
                }
                now = next;
                debounce.note(now, key);
                last.insert(key, now);
            }
            while let Some(at) = debounce.wakeup() {
                now = at.max(now);
                take(&mut debounce, &mut last, now)?;
            }
            prop_assert!(last.is_empty(), "lost: {last:?}");
        }
    }
}
