//! When requests may go: the hub's pauses, its refusals, the quotas' "not until", the breaker. Pure; the engine asks before
//! it takes a slot, and tells it all that came back.

use serde::{Deserialize, Serialize};

use crate::pace::breaker::{Breaker, Event, ProbeEnd, Verdict};
use crate::pace::quota::{Lane, NotUntil, Why};
use crate::page::{Mono, Now, Wall};
use crate::reason::{Code, Reason};

use super::change::{HubHealth, HubState, PersonPause};

/// How long to leave the hub alone where a person must mend something and nothing tells when they have, in milliseconds.
const ASK_AGAIN_MS: u64 = 15 * 60_000;

/// The first pause after a 429 that names no time, in milliseconds; it doubles.
const UNNAMED_MS: u64 = 10_000;

/// A pause that is longer than this, in milliseconds, is not the minute's limit but the day's.
const MINUTE_MS: u64 = 60_000;

/// What keeps requests back.
#[derive(Clone, Debug)]
pub(super) struct Gates {
    breaker: Breaker,
    shut: Option<Shut>,
    /// A person's pause, with its end on the monotonic clock. Apart from what the hub says: neither ends or shortens the other.
    person: Option<(PersonPause, Option<Mono>)>,
    no_slot: [Option<(Mono, NotUntil)>; 2],
    unnamed: u32,
    unreachable: Option<(Mono, String)>,
    /// Lists can't be read, since this. Apart from the breaker: a page that answers closes that, and says nothing of lists.
    unlisted: Option<(Mono, String)>,
}

/// The hub is shut for us.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shut {
    why: ShutWhy,
    /// `None`: until the key is another, or the state can be written.
    until: Option<Mono>,
    health: HubHealth,
}

/// Why nothing may be sent at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShutWhy {
    /// 429.
    TooMany,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// Most pages are not found: another workspace, or its key.
    MostlyAbsent,
    /// 404 to a list: whatever answers there, it is not the hub.
    NotTheHub,
    /// 3xx.
    Redirected,
    /// Our own state can't be written.
    StateBroken,
    /// The ledger of requests can't be written.
    LedgerBroken,
    /// A person said so.
    Person,
}

/// Whether a request may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may.
    Open,
    /// It may, as a probe.
    Probe,
    /// Not before this; `None`: not before something else happens.
    Closed(Option<Mono>),
}

/// What a pending page waits for, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For what.
    pub on: WaitsOn,
    /// Until when, on the monotonic clock; `None`: nobody knows.
    pub until: Option<Mono>,
    /// As the pages' reason.
    pub reason: Reason,
}

/// What keeps everything waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsOn {
    /// The minute's budget.
    Minute,
    /// The day's budget, or the part of it that is free for bulk; or the hub named a pause of over a minute.
    Day,
    /// The hub can't be reached, since this.
    Unreachable(Mono),
    /// The hub is shut for us.
    Shut(ShutWhy),
}

impl Gates {
    pub fn new(jitter: f64) -> Self {
        Self {
            breaker: Breaker::new(jitter),
            shut: None,
            person: None,
            no_slot: [None, None],
            unnamed: 0,
            unreachable: None,
            unlisted: None,
        }
    }

    /// Whether a request of this lane may be asked for. `Probe` takes the breaker's probe.
    pub fn ask(&mut self, now: Mono, lane: Lane) -> Gate {
        if let Some((_, until)) = self.person_on(now) {
            return Gate::Closed(until);
        }
        if let Some(shut) = &self.shut {
            match shut.until {
                Some(until) if until <= now => self.shut = None,
                until => return Gate::Closed(until),
            }
        }
        if let Some((until, _)) = self.no_slot[index(lane)] {
            if now < until {
                return Gate::Closed(Some(until));
            }
            self.no_slot[index(lane)] = None;
        }
        match self.breaker.may_send(now) {
            Verdict::Yes => Gate::Open,
            Verdict::Probe => Gate::Probe,
            Verdict::NotUntil(until) => Gate::Closed(Some(until)),
            Verdict::AfterProbe => Gate::Closed(None),
        }
    }

    /// Whether the hub is shut for us by now: what was asked for before stays at home.
    pub fn is_shut(&self, now: Mono) -> bool {
        self.person_on(now).is_some() || self.shut.as_ref().is_some_and(|shut| is_on(shut, now))
    }

    /// A person paused, or said to go on.
    pub fn pause_by_person(&mut self, now: Now, pause: Option<PersonPause>) {
        self.person = pause.map(|pause| (pause, None));
        self.tell_time(now);
    }

    /// A person's pause ends by the clock on the wall, whatever was set or suspended.
    pub fn tell_time(&mut self, now: Now) {
        let on = |(pause, _): (PersonPause, _)| Some(pause.by_clock(now.wall)).filter(|pause| pause.is_on(now.wall));
        let ends = |pause: PersonPause| {
            let left = pause.until.map(|until| until.0.saturating_sub(now.wall.0));
            (pause, left.map(|ms| now.mono.plus(u64::try_from(ms).unwrap_or(0))))
        };
        self.person = self.person.take().and_then(on).map(ends);
    }

    /// The person's pause that holds now.
    fn person_on(&self, now: Mono) -> Option<(PersonPause, Option<Mono>)> {
        self.person.filter(|(_, until)| until.is_none_or(|until| until > now))
    }

    /// There was no slot.
    pub fn no_slot(&mut self, now: Now, lane: Lane, refused: NotUntil) {
        let ms = u64::try_from(refused.at.0.saturating_sub(now.wall.0)).unwrap_or(0).max(1);
        self.no_slot[index(lane)] = Some((now.mono.plus(ms), refused));
        if refused.why == Why::Paused {
            self.no_slot = [self.no_slot[index(lane)]; 2];
        }
        if lane == Lane::Edit {
            self.no_slot[index(Lane::Bulk)] = self.no_slot[index(lane)];
        }
    }

    /// Tells the breaker what came of a request.
    pub fn record(&mut self, now: Mono, event: Event) {
        match event {
            Event::Answered | Event::Probe(ProbeEnd::Answered) => {
                self.unreachable = None;
                self.unnamed = 0;
            }
            Event::ConnectionFailed | Event::Probe(ProbeEnd::Failed) => {
                self.unreachable.get_or_insert((now, "the hub does not answer".to_owned()));
            }
            Event::ListFailed | Event::PageFailed(_) | Event::Probe(ProbeEnd::NotSent) => {}
        }
        self.breaker.record(now, event);
        if self.breaker.is_open() {
            self.unreachable.get_or_insert((now, "the hub answers with errors".to_owned()));
        }
    }

    /// A list could not be read.
    pub fn list_failed(&mut self, now: Mono, why: &str) {
        self.unlisted = Some((self.unlisted.as_ref().map_or(now, |(since, _)| *since), why.to_owned()));
    }

    /// A list was read whole.
    pub fn list_read(&mut self) {
        self.unlisted = None;
    }

    /// Since when lists can't be read.
    pub fn unlisted_since(&self) -> Option<Mono> {
        self.unlisted.as_ref().map(|(since, _)| *since)
    }

    /// Keeps the words of the last failure for the report.
    pub fn unreachable_because(&mut self, now: Mono, why: &str) {
        self.unreachable = Some((self.unreachable.as_ref().map_or(now, |(since, _)| *since), why.to_owned()));
    }

    /// 429: everything waits.
    pub fn pause(&mut self, now: Now, for_ms: Option<u64>) {
        let ms = for_ms.unwrap_or_else(|| (UNNAMED_MS << self.unnamed.min(6)).min(ASK_AGAIN_MS));
        self.unnamed += u32::from(for_ms.is_none());
        self.shut(
            now,
            ShutWhy::TooMany,
            Some(ms),
            "the hub answers that its limits are used up (429); other clients share them",
        );
    }

    /// Nothing is sent, for a while or until the key is another.
    pub fn shut(&mut self, now: Now, why: ShutWhy, for_ms: Option<u64>, reason: &str) {
        if why == ShutWhy::StateBroken {
            self.state_broken(now, for_ms, reason);
            return;
        }
        let (state, until) = match why {
            ShutWhy::Unauthorized => (HubState::Unauthorized, None),
            ShutWhy::TooMany
            | ShutWhy::Forbidden
            | ShutWhy::MostlyAbsent
            | ShutWhy::NotTheHub
            | ShutWhy::Redirected
            | ShutWhy::StateBroken
            | ShutWhy::LedgerBroken
            | ShutWhy::Person => (HubState::Paused, Some(for_ms.unwrap_or(ASK_AGAIN_MS))),
        };
        if let (Some(old), Some(ms)) = (&self.shut, until)
            && old.why != ShutWhy::StateBroken
            && old.until.is_none_or(|old| old > now.mono.plus(ms))
        {
            return;
        }
        let wall = until.and_then(|ms| i64::try_from(ms).ok()).map(|ms| now.wall.plus(ms));
        let health = HubHealth { state, reason: Some(reason.to_owned()), until: wall, why: Some(why) };
        self.shut = Some(Shut { why, until: until.map(|ms| now.mono.plus(ms)), health });
    }

    /// The state can't be written: shut until it was. Whatever shuts us already is told rather; the engine asks for nothing
    /// all the same.
    fn state_broken(&mut self, now: Now, for_ms: Option<u64>, reason: &str) {
        if self.shut.as_ref().is_some_and(|old| old.why != ShutWhy::StateBroken && is_on(old, now.mono)) {
            return;
        }
        // Should we end here, nobody takes it for true after that.
        let again = for_ms.and_then(|ms| i64::try_from(ms).ok()).map(|ms| now.wall.plus(ms));
        let why = Some(ShutWhy::StateBroken);
        let health = HubHealth { state: HubState::Paused, reason: Some(reason.to_owned()), until: again, why };
        self.shut = Some(Shut { why: ShutWhy::StateBroken, until: None, health });
    }

    /// The key is another one, or a person said to go on.
    pub fn reopen(&mut self, why: ShutWhy) {
        if self.shut.as_ref().is_some_and(|shut| shut.why == why) {
            self.shut = None;
        }
    }

    /// A person just saved a document.
    pub fn fresh_edit(&mut self, now: Mono) {
        self.breaker.fresh_edit(now);
    }

    /// Whether bulk work waits for days to pass while edits may go on.
    pub fn keeps_bulk_back(&self) -> bool {
        self.no_slot[index(Lane::Bulk)].is_some_and(|(_, refused)| refused.why == Why::Reserve)
    }

    /// Other limits, or another key: there may be a slot now.
    pub fn ask_again(&mut self) {
        self.no_slot = [None, None];
    }

    /// The machine woke up: what was waited for may be over.
    pub fn reset(&mut self, now: Mono) {
        self.breaker.reset(now);
        self.no_slot = [None, None];
    }

    /// What keeps requests of this lane back now.
    pub fn waits(&self, now: Mono, lane: Lane) -> Option<Waits> {
        if let Some((pause, until)) = self.person_on(now) {
            let words = pause.health().reason.unwrap_or_default();
            let reason = Reason::new(Code::Paused, words);
            return Some(Waits { on: WaitsOn::Shut(ShutWhy::Person), until, reason });
        }
        if let Some(shut) = self.shut.as_ref().filter(|shut| is_on(shut, now)) {
            let words = shut.health.reason.clone().unwrap_or_default();
            let ends_the_day = shut.why == ShutWhy::TooMany && is_long(now, shut.until);
            return Some(Waits {
                on: if ends_the_day { WaitsOn::Day } else { WaitsOn::Shut(shut.why) },
                until: shut.until,
                reason: Reason::new(Code::Paused, words),
            });
        }
        let no_slot = self.no_slot[index(lane)].filter(|(until, _)| *until > now);
        if let Some((since, why)) = self.unreachable.as_ref().filter(|_| self.breaker.is_open()) {
            let reason = Reason::new(Code::HubUnreachable, why.clone());
            // A probe needs a slot, too.
            let until = self.breaker.wakeup().map(|at| no_slot.map_or(at, |(slot, _)| at.max(slot)));
            return Some(Waits {
                on: WaitsOn::Unreachable(self.unlisted_since().map_or(*since, |unlisted| unlisted.min(*since))),
                until,
                reason,
            });
        }
        let (until, refused) = no_slot?;
        let (on, words) = match refused.why {
            Why::Minute => (WaitsOn::Minute, "the minute's requests are spent"),
            Why::Day => (WaitsOn::Day, "the day's requests are spent"),
            Why::Reserve => (WaitsOn::Day, "the rest of the day's requests is kept for edits"),
            Why::Paused if is_long(now, Some(until)) => (WaitsOn::Day, "the hub's limits are used up until then"),
            Why::Paused => (WaitsOn::Minute, "the hub's limits are used up until then"),
        };
        Some(Waits { on, until: Some(until), reason: Reason::new(Code::OutOfBudget, words) })
    }

    /// How the hub stands, for the report.
    pub fn health(&self, now: Now) -> HubHealth {
        match self.person_on(now.mono) {
            Some((pause, _)) => pause.health(),
            None => self.health_of_hub(now),
        }
    }

    /// The same, whatever a person said: that is stored apart.
    pub fn health_of_hub(&self, now: Now) -> HubHealth {
        if let Some(shut) = self.shut.as_ref().filter(|shut| is_on(shut, now.mono)) {
            return shut.health.clone();
        }
        // Another process, or the run before this one, was told to wait.
        if let Some((_, refused)) =
            self.no_slot[index(Lane::Edit)].filter(|(until, refused)| *until > now.mono && refused.why == Why::Paused)
        {
            let words = "the hub's limits are used up (429), or what was spent is not known";
            let reason = Some(words.to_owned());
            return HubHealth { state: HubState::Paused, reason, until: Some(refused.at), why: Some(ShutWhy::TooMany) };
        }
        match self.unreachable.as_ref().filter(|_| self.breaker.is_open()) {
            Some((_, why)) => {
                let until = self.breaker.wakeup().map(|at| wall_of(now, at));
                HubHealth { state: HubState::Unreachable, reason: Some(why.clone()), until, why: None }
            }
            None => match &self.unlisted {
                Some((_, why)) => {
                    let reason = Some(why.clone());
                    HubHealth { state: HubState::Unreachable, reason, until: None, why: None }
                }
                None => HubHealth::default(),
            },
        }
    }
}

fn is_on(shut: &Shut, now: Mono) -> bool {
    shut.until.is_none_or(|until| until > now)
}

/// Whether a pause goes on for more than a minute.
fn is_long(now: Mono, until: Option<Mono>) -> bool {
    until.is_none_or(|until| until.since(now) > MINUTE_MS)
}

/// The wall clock's reading at a moment of the monotonic one.
fn wall_of(now: Now, at: Mono) -> Wall {
    now.wall.plus(i64::try_from(at.since(now.mono)).unwrap_or(i64::MAX))
}

fn index(lane: Lane) -> usize {
    match lane {
        Lane::Edit => 0,
        Lane::Bulk => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono: u64, wall: i64) -> Now {
        Now { mono: Mono(mono), wall: Wall(wall) }
    }

    #[test]
    fn a_persons_pause_and_a_429_end_each_by_itself() {
        let mut gates = Gates::new(0.5);
        let pause = PersonPause { since: Wall(0), until: Some(Wall(10_000)) };
        gates.pause_by_person(at(0, 0), Some(pause));
        gates.pause(at(0, 0), Some(2_000));
        assert_eq!(gates.ask(Mono(3_000), Lane::Edit), Gate::Closed(Some(Mono(10_000))), "a 429 does not shorten it");
        assert_eq!(gates.health(at(3_000, 3_000)).why, Some(ShutWhy::Person));
        gates.pause(at(3_000, 3_000), Some(2_000));
        assert_eq!(
            gates.health_of_hub(at(3_000, 3_000)).why,
            Some(ShutWhy::TooMany),
            "what the hub says is kept below it"
        );
        gates.pause_by_person(at(4_000, 4_000), None);
        assert_eq!(gates.ask(Mono(4_000), Lane::Edit), Gate::Closed(Some(Mono(5_000))), "going on does not end a 429");
        assert_eq!(gates.ask(Mono(5_000), Lane::Edit), Gate::Open);
    }

    #[test]
    fn a_persons_pause_ends_by_the_wall_clock_even_where_that_is_set() {
        let mut gates = Gates::new(0.5);
        let pause = PersonPause { since: Wall(1_000_000), until: Some(Wall(1_010_000)) };
        gates.pause_by_person(at(0, 1_000_000), Some(pause));
        gates.tell_time(at(1_000, 1_009_000));
        assert_eq!(gates.ask(Mono(1_000), Lane::Bulk), Gate::Closed(Some(Mono(2_000))), "the machine was suspended");
        gates.tell_time(at(1_500, 500_000));
        assert_eq!(gates.ask(Mono(1_500), Lane::Bulk), Gate::Closed(Some(Mono(11_500))), "never longer than was said");
        gates.tell_time(at(1_600, 900_000_000));
        assert!(!gates.is_shut(Mono(1_600)));
    }

    #[test]
    fn a_429_that_names_over_a_minute_ends_the_day_by_our_own_or_by_another_process() {
        let now = Now { mono: Mono(1_000), wall: Wall(500_000) };
        for (ms, on) in [(60_000, WaitsOn::Shut(ShutWhy::TooMany)), (60_001, WaitsOn::Day)] {
            let mut gates = Gates::new(0.5);
            gates.pause(now, Some(ms));
            assert_eq!(gates.waits(now.mono, Lane::Edit).map(|waits| waits.on), Some(on));
        }
        for (ms, on) in [(60_000, WaitsOn::Minute), (60_001, WaitsOn::Day)] {
            let mut gates = Gates::new(0.5);
            gates.no_slot(now, Lane::Edit, NotUntil { at: now.wall.plus(ms), why: Why::Paused });
            assert_eq!(gates.waits(now.mono, Lane::Edit).map(|waits| waits.on), Some(on));
        }
    }

    #[test]
    fn a_page_that_answers_does_not_hide_that_lists_fail() {
        let mut gates = Gates::new(0.5);
        let at = |ms| at(ms, 0);
        gates.list_failed(Mono(1_000), "500");
        gates.record(Mono(1_000), Event::ListFailed);
        gates.record(Mono(2_000), Event::Probe(ProbeEnd::Answered));
        gates.list_failed(Mono(9_000), "500");
        gates.record(Mono(9_000), Event::ListFailed);
        assert_eq!(gates.unlisted_since(), Some(Mono(1_000)), "a sync's patience counts from the first failure");
        let on = gates.waits(Mono(9_001), Lane::Edit).map(|waits| waits.on);
        assert_eq!(on, Some(WaitsOn::Unreachable(Mono(1_000))));
        gates.record(Mono(10_000), Event::Answered);
        assert_eq!(gates.health(at(10_000)).state, HubState::Unreachable, "a look that can't be made is not in step");
        gates.list_read();
        assert_eq!(gates.health(at(10_000)), HubHealth::default());
    }
}
