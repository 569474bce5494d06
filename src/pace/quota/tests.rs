//! The windows, by tables and by random schedules.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { per_minute: 3, per_day: 7, reserved_for_edits: 2 };
const YEAR: i64 = 365 * DAY;
/// Some day in 2026.
const TODAY: Wall = Wall(1_790_000_000_000);

#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    SetBack(i64),
    Take(Lane),
    Answer(usize),
    NeverSent(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let lane = prop_oneof![Just(Lane::Edit), Just(Lane::Bulk)];
    let pass = prop_oneof![0..2_000i64, 0..70_000i64, 0..DAY + MINUTE];
    let back = prop_oneof![1..90_000i64, 1..3 * DAY, Just(YEAR)];
    prop_oneof![
        3 => pass.prop_map(Event::Pass),
        1 => back.prop_map(Event::SetBack),
        8 => lane.prop_map(Event::Take),
        5 => any::<usize>().prop_map(Event::Answer),
        1 => any::<usize>().prop_map(Event::NeverSent),
    ]
}

/// What really happens, by a clock that nobody sets: the hub serves each request at the last moment possible.
struct World {
    quota: Quota,
    /// What our clock shows, and the true time.
    wall: Wall,
    real: i64,
    next_id: i64,
    under_way: Vec<(SlotId, i64)>,
    served: Vec<i64>,
}

impl World {
    fn new() -> Self {
        let (quota, under_way, served) = (Quota::new(LIMITS), Vec::new(), Vec::new());
        Self { quota, wall: TODAY, real: 0, next_id: 0, under_way, served }
    }

    fn step(&mut self, event: &Event) {
        match event {
            Event::Pass(ms) => {
                self.wall = self.wall.plus(*ms);
                self.real += ms;
                // No request is under way for longer: these are served without our hearing of it.
                let real = self.real;
                let (hung, open) = self.under_way.iter().partition(|(_, taken)| taken + HUNG_AFTER < real);
                self.under_way = open;
                self.served.extend(Vec::<(SlotId, i64)>::into_iter(hung).map(|(_, taken)| taken + HUNG_AFTER));
            }
            Event::SetBack(ms) => self.wall = self.wall.plus(-ms),
            Event::Take(lane) => self.take(*lane),
            Event::Answer(_) | Event::NeverSent(_) if self.under_way.is_empty() => {}
            Event::Answer(n) => {
                let (id, _) = self.under_way.swap_remove(n % self.under_way.len());
                self.served.push(self.real);
                self.quota.answered(id, self.wall);
            }
            Event::NeverSent(n) => {
                let (id, _) = self.under_way.swap_remove(n % self.under_way.len());
                self.quota.never_sent(id);
            }
        }
    }

    fn take(&mut self, lane: Lane) {
        self.next_id += 1;
        let id = SlotId(self.next_id);
        match self.quota.take(id, self.wall, lane) {
            Ok(()) => self.under_way.push((id, self.real)),
            Err(refusal) => {
                assert!(refusal.at.0 - self.wall.0 <= DAY + HUNG_AFTER + MARGIN, "the wait is one window at most");
                let early = self.quota.clone().may_take(refusal.at.plus(-1), lane);
                assert!(early.is_err(), "one could be taken before {refusal:?}");
                assert_eq!(self.quota.clone().may_take(refusal.at, lane), Ok(()), "{refusal:?}");
            }
        }
    }

    fn most_within(mut self, window: i64) -> usize {
        self.served.extend(self.under_way.iter().map(|(_, taken)| taken + HUNG_AFTER));
        self.served.sort_unstable();
        let within =
            |first: usize| self.served[first..].iter().take_while(|at| **at <= self.served[first] + window).count();
        (0..self.served.len()).map(within).max().unwrap_or(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn never_are_more_than_the_limit_answered_within_a_window(events in prop::collection::vec(event(), 1..120)) {
        let run = || {
            let mut world = World::new();
            events.iter().for_each(|event| world.step(event));
            world
        };
        prop_assert!(run().most_within(MINUTE) <= 3);
        prop_assert!(run().most_within(DAY) <= 7);
    }

    #[test]
    fn bulk_work_leaves_the_reserve_alone(events in prop::collection::vec(event(), 1..80)) {
        let mut world = World::new();
        for event in &events {
            let before = world.under_way.len();
            world.step(event);
            if matches!(event, Event::Take(Lane::Bulk)) && world.under_way.len() > before {
                prop_assert!(world.quota.used(world.wall).day <= 5);
            }
        }
    }

    /// The estimate is when the quota lets the last request through, whatever was spent and is under way.
    #[test]
    fn the_estimate_is_when_the_last_request_really_goes(
        events in prop::collection::vec(event(), 0..40),
        backlog in backlog(),
        paused in prop::option::of(0..DAY / 2),
    ) {
        let mut world = World::new();
        events.iter().for_each(|event| world.step(event));
        let (mut quota, now) = (world.quota, world.wall);
        if let Some(ms) = paused {
            quota.pause(now, now.plus(ms));
        }
        let estimate = quota.eta(now, &backlog);
        let mut sending = Sending { quota, now, sent: 0, listed: None };
        let done = [(Lane::Edit, backlog.edits), (Lane::Bulk, backlog.bulk)].iter().all(|(lane, requests)| {
            (0..requests.alone).for_each(|_| sending.send(*lane));
            (0..requests.writes).all(|_| sending.write(*lane, backlog.looks))
        });
        let last = if backlog.is_empty() { now } else { sending.now };
        prop_assert_eq!(estimate, if done { last } else { NEVER });
    }
}

fn backlog() -> impl Strategy<Value = Backlog> {
    let requests = || (0..9u32, 0..9u32).prop_map(|(alone, writes)| Requests { alone, writes });
    let looks = prop_oneof![Just(Looks::None), Just(Looks::Serve(60_000)), (1..DAY).prop_map(Looks::Serve)];
    (requests(), requests(), looks).prop_map(|(edits, bulk, looks)| Backlog { edits, bulk, looks })
}

/// Sends as the engine does, each request as soon as the quota lets it.
struct Sending {
    quota: Quota,
    now: Wall,
    sent: i64,
    listed: Option<Wall>,
}

impl Sending {
    fn send(&mut self, lane: Lane) {
        self.wait(lane);
        self.sent -= 1;
        let id = SlotId(self.sent);
        assert_eq!(self.quota.take(id, self.now, lane), Ok(()));
        self.quota.answered(id, self.now);
    }

    fn wait(&mut self, lane: Lane) {
        if let Err(refusal) = self.quota.may_take(self.now, lane) {
            self.now = refusal.at;
        }
    }

    /// False where each list is old before its write has a slot.
    fn write(&mut self, lane: Lane, looks: Looks) -> bool {
        for _ in 0..10 {
            self.wait(lane);
            let old = match (looks, self.listed) {
                (Looks::None, _) => false,
                (Looks::Serve(_), None) => true,
                (Looks::Serve(ms), Some(listed)) => self.now > listed.plus(ms),
            };
            self.send(lane);
            if !old {
                return true;
            }
            self.listed = Some(self.now);
        }
        false
    }
}

fn alone(bulk: u32) -> Backlog {
    Backlog { bulk: Requests { alone: bulk, writes: 0 }, ..Backlog::default() }
}

fn spend(quota: &mut Quota, ids: std::ops::Range<i64>, now: Wall) {
    for id in ids.map(SlotId) {
        assert_eq!(quota.take(id, now, Lane::Edit), Ok(()));
        quota.answered(id, now);
    }
}

#[test]
fn a_slot_is_occupied_until_a_minute_after_its_answer() {
    let mut quota = Quota::new(Limits { per_minute: 1, ..LIMITS });
    quota.take(SlotId(1), TODAY, Lane::Edit).unwrap();
    let hung = TODAY.plus(HUNG_AFTER + MINUTE + MARGIN);
    assert_eq!(quota.may_take(TODAY, Lane::Edit), Err(NotUntil { at: hung, why: Why::Minute }));
    let answer = TODAY.plus(20_000);
    quota.answered(SlotId(1), answer);
    assert_eq!(quota.next_free(answer, Lane::Edit), Some(answer.plus(MINUTE + MARGIN)));
    quota.take(SlotId(2), answer.plus(MINUTE + MARGIN), Lane::Edit).unwrap();
    quota.never_sent(SlotId(2));
    assert_eq!(quota.used(answer.plus(MINUTE + MARGIN)), Used { minute: 0, day: 1 });
}

#[test]
fn a_refusal_says_what_is_spent() {
    let mut quota = Quota::new(LIMITS);
    let mut now = TODAY;
    for ids in [0..3, 3..5] {
        spend(&mut quota, ids, now);
        now = now.plus(2 * MINUTE);
    }
    let day = TODAY.plus(DAY + MARGIN);
    assert_eq!(quota.may_take(now, Lane::Bulk), Err(NotUntil { at: day, why: Why::Reserve }));
    spend(&mut quota, 5..7, now);
    assert_eq!(quota.may_take(now, Lane::Edit), Err(NotUntil { at: day, why: Why::Day }));
    quota.pause(now, day.plus(1));
    quota.pause(now, now.plus(1));
    assert_eq!(quota.may_take(now, Lane::Edit), Err(NotUntil { at: day.plus(1), why: Why::Paused }));
    quota.resume();
    assert_eq!(quota.may_take(day, Lane::Edit), Ok(()));
}

#[test]
fn a_limit_of_nothing_never_ends() {
    let mut quota = Quota::new(Limits { reserved_for_edits: 7, ..LIMITS });
    assert_eq!(quota.may_take(TODAY, Lane::Bulk), Err(NotUntil { at: NEVER, why: Why::Reserve }));
    assert_eq!(quota.eta(TODAY, &alone(1)), NEVER);
    assert_eq!(quota.eta(TODAY, &Backlog::default()), TODAY, "nothing waits");
    assert_eq!(quota.may_take(TODAY, Lane::Edit), Ok(()));
}

#[test]
fn a_clock_that_jumps_ahead_and_back_forgets_nothing() {
    let mut quota = Quota::new(LIMITS);
    spend(&mut quota, 0..3, TODAY);
    let future = TODAY.plus(4 * YEAR);
    spend(&mut quota, 3..6, future);
    assert_eq!(quota.used(future).day, 3);
    assert_eq!(quota.used(TODAY.plus(10)), Used { minute: 6, day: 6 });
    assert_eq!(quota.used(TODAY.plus(10 + DAY + MARGIN)).day, 0, "and the false future locks nobody out");
}

#[test]
fn a_machine_that_wakes_up_in_1970_does_not_forget_the_day() {
    let mut quota = Quota::new(LIMITS);
    spend(&mut quota, 0..3, TODAY);
    let epoch = Wall(5_000);
    assert_eq!(quota.used(epoch).day, 3);
    assert_eq!(quota.used(TODAY.plus(MINUTE / 2)), Used { minute: 3, day: 3 });
    assert_eq!(quota.used(TODAY.plus(DAY + MARGIN)).day, 0);
}

#[test]
fn a_pause_outlives_no_clock_that_is_set_back() {
    let mut quota = Quota::new(LIMITS);
    quota.pause(TODAY, TODAY.plus(DAY));
    let earlier = TODAY.plus(-YEAR);
    assert_eq!(quota.may_take(earlier, Lane::Edit), Err(NotUntil { at: earlier.plus(DAY), why: Why::Paused }));
    quota.pause(earlier, NEVER);
    assert_eq!(quota.may_take(earlier.plus(-YEAR), Lane::Edit), Err(NotUntil { at: NEVER, why: Why::Paused }));
}

#[test]
fn a_large_limit_is_counted_exactly() {
    let mut quota = Quota::new(Limits { per_minute: 1_000_000, per_day: 1_000_000, reserved_for_edits: 0 });
    for n in 0..300_000 {
        let now = TODAY.plus(n);
        quota.take(SlotId(n), now, Lane::Bulk).unwrap();
        if n >= 4 {
            quota.answered(SlotId(n - 4), now);
        }
    }
    let now = TODAY.plus(299_999);
    assert_eq!(quota.used(now), Used { minute: 60_254, day: 300_000 });
    // The four without an answer count from 30 s after they were sent.
    assert_eq!(quota.eta(now, &alone(700_001)), TODAY.plus(4 + DAY + MARGIN));
}

#[test]
fn a_backlog_waits_for_both_limits_and_leaves_the_reserve_to_edits() {
    let mut quota = Quota::new(Limits { per_minute: 5, per_day: 12, reserved_for_edits: 2 });
    let minute = MINUTE + MARGIN;
    let backlog = |edits, bulk| {
        let requests = |writes| Requests { alone: 0, writes };
        Backlog { edits: requests(edits), bulk: requests(bulk), looks: Looks::Serve(60_000) }
    };
    // A list and four writes a minute.
    assert_eq!(quota.eta(TODAY, &backlog(0, 4)), TODAY);
    assert_eq!(quota.eta(TODAY, &backlog(0, 5)), TODAY.plus(minute));
    assert_eq!(quota.eta(TODAY, &backlog(0, 8)), TODAY.plus(minute));
    // Ten are spent: the day's last two are for edits, and bulk waits until the first of them are a day old.
    assert_eq!(quota.eta(TODAY, &backlog(9, 0)), TODAY.plus(2 * minute));
    assert_eq!(quota.eta(TODAY, &backlog(0, 9)), TODAY.plus(DAY + MARGIN));
    assert_eq!(quota.eta(TODAY, &backlog(9, 1)), TODAY.plus(DAY + MARGIN));
}

#[test]
fn one_request_a_minute_never_writes_what_must_be_looked_at_first() {
    let mut quota = Quota::new(Limits { per_minute: 1, ..LIMITS });
    let writes = Requests { alone: 0, writes: 1 };
    assert_eq!(quota.eta(TODAY, &Backlog { bulk: writes, looks: Looks::Serve(60_000), ..Backlog::default() }), NEVER);
    assert_eq!(quota.eta(TODAY, &Backlog { bulk: writes, ..Backlog::default() }), TODAY);
}
