//! The ledger, shared by several processes.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::fs;
use std::thread;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::pace::quota::{NEVER, Why};

const LIMITS: Limits = Limits { per_minute: 20, per_day: 50, reserved_for_edits: 5 };
const TODAY: Wall = Wall(1_790_000_000_000);

fn hub(name: &str) -> HubKey {
    HubKey(Digest::of(name))
}

fn ledger(dir: &TempDir) -> Ledger {
    with_clock(Ledger::open(&dir.path().join("usage.db"), hub("a"), LIMITS, TODAY).unwrap())
}

/// These tests bring their own time: the system's clock says nothing.
fn with_clock(mut ledger: Ledger) -> Ledger {
    ledger.boot = || None;
    ledger
}

fn spend(ledger: &mut Ledger, n: u32, now: Wall) {
    for _ in 0..n {
        let slot = ledger.take(now, Lane::Edit).unwrap().unwrap();
        ledger.answered(slot, now).unwrap();
    }
}

#[test]
fn processes_that_hammer_it_together_stay_within_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let granted = |now: Wall| -> u32 {
        let worker = || {
            let mut ledger = ledger(&dir);
            let mut granted = 0;
            while let Ok(slot) = ledger.take(now, Lane::Edit).unwrap() {
                granted += 1;
                match granted % 3 {
                    0 => ledger.answered(slot, now).unwrap(),
                    1 => drop(slot),
                    _ => {
                        ledger.never_sent(slot, now).unwrap();
                        granted -= 1;
                        let slot = ledger.take(now, Lane::Edit).unwrap();
                        granted += u32::from(slot.is_ok());
                    }
                }
            }
            granted
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        })
    };
    assert_eq!(granted(TODAY), 20, "the minute's");
    assert_eq!(granted(TODAY.plus(120_000)), 20);
    assert_eq!(granted(TODAY.plus(240_000)), 10, "what is left of the day's");
}

#[test]
fn another_key_goes_on_with_what_was_spent_and_with_the_pause() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (ledger(&dir), ledger(&dir));
    spend(&mut first, 7, TODAY);
    first.set_key(hub("new"), TODAY).unwrap();
    spend(&mut first, 2, TODAY.plus(1));
    spend(&mut second, 1, TODAY.plus(2));
    let used =
        |ledger: &mut Ledger| ledger.snapshot(TODAY.plus(2)).map(|usage| (usage.minute_used, usage.day_used)).unwrap();
    assert_eq!((used(&mut first), used(&mut second)), ((9, 9), (8, 8)), "the old key may still be in use");
    second.pause(TODAY.plus(2), TODAY.plus(9_000), "429").unwrap();
    second.set_key(hub("new"), TODAY.plus(2)).unwrap();
    assert_eq!(used(&mut second), (10, 10), "nothing counts twice");
    assert_eq!(first.snapshot(TODAY.plus(2)).unwrap().paused, Some((TODAY.plus(9_000), "429".to_owned())));
    first.set_key(hub("a"), TODAY.plus(2)).unwrap();
    assert_eq!(used(&mut first), (10, 10), "nor does it on the way back");
}

#[test]
fn what_is_spent_is_counted_over_restarts_and_for_each_hub_alone() {
    let dir = tempfile::tempdir().unwrap();
    spend(&mut ledger(&dir), 7, TODAY);
    let path = dir.path().join("usage.db");
    let mut other = with_clock(Ledger::open(&path, hub("b"), LIMITS, TODAY).unwrap());
    assert_eq!(other.snapshot(TODAY).unwrap().day_used, 0);
    let usage = ledger(&dir).snapshot(TODAY.plus(1)).unwrap();
    assert_eq!((usage.minute_used, usage.minute_limit, usage.day_used, usage.day_limit), (7, 20, 7, 50));
    assert_eq!(Ledger::read(&path, hub("a"), LIMITS, TODAY.plus(1), &Backlog::default()).unwrap().0, usage);
    assert_eq!(
        Ledger::read(&path, hub("a"), LIMITS, TODAY.plus(61_000), &Backlog::default()).unwrap().0.minute_used,
        0
    );
}

#[test]
fn asking_what_is_spent_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none/usage.db");
    let usage = Ledger::read(&path, hub("a"), LIMITS, TODAY, &Backlog::default()).unwrap().0;
    assert_eq!((usage.minute_used, usage.day_used, usage.next_free_at, usage.paused), (0, 0, None, None));
    assert!(!dir.path().join("none").exists());
}

#[test]
fn a_pause_is_seen_by_all_and_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (ledger(&dir), ledger(&dir));
    let until = TODAY.plus(3_600_000);
    one.pause(TODAY, until, "the hub answered 429").unwrap();
    two.pause(TODAY, TODAY.plus(5), "shorter").unwrap();
    let refusal = two.take(TODAY.plus(10), Lane::Edit).unwrap().unwrap_err();
    assert_eq!(refusal, NotUntil { at: until, why: Why::Paused });
    drop((one, two));
    let mut again = ledger(&dir);
    let paused = again.snapshot(TODAY.plus(10)).unwrap().paused;
    assert_eq!(paused, Some((until, "the hub answered 429".to_owned())));
    again.pause(TODAY, NEVER, "a person said so").unwrap();
    assert_eq!(again.snapshot(until).unwrap().paused, Some((NEVER, "a person said so".to_owned())));
    ledger(&dir).resume(TODAY).unwrap();
    assert_eq!(again.snapshot(until).unwrap().paused, None);
}

#[test]
fn a_clock_set_back_locks_nobody_out_however_often_it_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    spend(&mut ledger(&dir), 20, TODAY.plus(4 * 365 * 86_400_000));
    let refusal = ledger(&dir).take(TODAY, Lane::Edit).unwrap().unwrap_err();
    assert_eq!(refusal.at, TODAY.plus(60_250));
    assert!(ledger(&dir).take(TODAY.plus(30_000), Lane::Edit).unwrap().is_err());
    assert!(ledger(&dir).take(refusal.at, Lane::Edit).unwrap().is_ok());
}

#[test]
fn a_machine_that_starts_in_1970_still_knows_the_day() {
    let dir = tempfile::tempdir().unwrap();
    spend(&mut ledger(&dir), 7, TODAY);
    assert_eq!(ledger(&dir).snapshot(Wall(9)).unwrap().day_used, 7);
    assert_eq!(ledger(&dir).snapshot(TODAY.plus(90_000)).unwrap().day_used, 7);
}

type Damage = (&'static str, fn(&mut Vec<u8>));

/// Each way in which a file is not what it was.
fn damages() -> [Damage; 6] {
    [
        ("a garbage head", |bytes| bytes[..100].fill(b'x')),
        ("a garbage page in the middle", |bytes| bytes[4096..8192].fill(0xa5)),
        ("a flipped byte in a stamp", |bytes| {
            let stamp = TODAY.0.to_be_bytes();
            let at = bytes.windows(6).rposition(|part| part == &stamp[2..]).unwrap();
            bytes[at + 2] ^= 1;
        }),
        ("a flipped byte in a hub", |bytes| {
            let hub = hub("a").0.to_hex();
            let at = bytes.windows(hub.len()).rposition(|part| part == hub.as_bytes()).unwrap();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        }),
        ("cut in two", |bytes| bytes.truncate(bytes.len() / 2)),
        ("nothing left", Vec::clear),
    ]
}

#[test]
fn what_a_damaged_ledger_knew_counts_as_spent() {
    const HOUR: i64 = 3_600_000;
    for (how, damage) in damages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usage.db");
        spend(&mut ledger(&dir), 18, TODAY);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let mut now = TODAY.plus(1_000);
        let lost = with_clock(Ledger::open(&path, hub("a"), LIMITS, now).unwrap());
        assert!(matches!(lost.was(), Was::MovedAside(aside) if aside.exists()), "{how}");
        drop(lost);
        let at = now;
        let mut sent = Vec::new();
        while now < at.plus(24 * HOUR) {
            // Opened anew each time: it is not forgotten.
            match ledger(&dir).take(now, Lane::Edit).unwrap() {
                Ok(slot) => {
                    sent.push(now.0 - at.0);
                    ledger(&dir).answered(slot, now).unwrap();
                }
                Err(refusal) => now = refusal.at,
            }
        }
        assert!(sent[0] >= 60_000, "{how}: the minute before is not known");
        let within = |hours: i64| sent.iter().filter(|ms| **ms < hours * HOUR).count();
        assert_eq!((within(1), within(2), within(24)), (2, 4, 48), "{how}");
        let mut other = with_clock(Ledger::open(&path, hub("b"), LIMITS, at).unwrap());
        assert!(other.take(at, Lane::Edit).unwrap().is_err(), "{how}: other hubs' requests were in it as well");
    }
}

#[test]
fn a_ledger_that_is_replaced_is_left_by_all_who_have_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("usage.db");
    let mut one = ledger(&dir);
    let under_way = one.take(TODAY, Lane::Edit).unwrap().unwrap();
    fs::rename(&path, dir.path().join("aside.db")).unwrap();
    let mut two = ledger(&dir);
    spend(&mut two, 15, TODAY);
    one.answered(under_way, TODAY).unwrap();
    spend(&mut one, 5, TODAY);
    assert!(one.take(TODAY, Lane::Edit).unwrap().is_err() && two.take(TODAY, Lane::Edit).unwrap().is_err());
    assert_eq!(two.snapshot(TODAY).unwrap().minute_used, 20);
}

#[test]
fn a_ledger_that_is_damaged_while_it_is_open_is_moved_aside_by_whoever_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (ledger(&dir), ledger(&dir));
    spend(&mut one, 3, TODAY);
    one.db.execute("UPDATE slots SET taken = 7", ()).unwrap();
    let refused = two.take(TODAY, Lane::Edit).unwrap_err();
    assert!(matches!(refused, StateError::Damaged { .. }), "{refused}");
    let refusal = two.take(TODAY, Lane::Edit).unwrap().unwrap_err();
    assert_eq!(refusal.at, TODAY.plus(60_250));
    assert!(one.take(TODAY, Lane::Edit).unwrap().is_err());
}

thread_local! {
    static UP: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// A ledger beside a clock that nobody sets.
fn with_boot(dir: &TempDir) -> Ledger {
    let mut ledger = ledger(dir);
    ledger.boot = || Some(Boot { id: "this one".to_owned(), ms: UP.get() });
    ledger
}

#[test]
fn a_clock_set_forward_does_not_forget_the_day() {
    const DAY: i64 = 86_400_000;
    for by in [3_600_000, DAY + 1, 365 * DAY] {
        let dir = tempfile::tempdir().unwrap();
        UP.set(1_000);
        spend(&mut with_boot(&dir), 18, TODAY);
        with_boot(&dir).pause(TODAY, TODAY.plus(7_200_000), "429").unwrap();
        UP.set(11_000);
        let now = TODAY.plus(10_000 + by);
        let usage = with_boot(&dir).snapshot(now).unwrap();
        assert_eq!((usage.minute_used, usage.day_used), (18, 18), "by {by}");
        assert_eq!(usage.paused, Some((TODAY.plus(7_200_000 + by), "429".to_owned())), "by {by}");
        // And back: nobody waits for longer than a day.
        UP.set(21_000);
        let now = TODAY.plus(20_000);
        let usage = with_boot(&dir).snapshot(now).unwrap();
        assert_eq!((usage.minute_used, usage.day_used), (18, 18), "by {by}");
        assert_eq!(usage.paused, Some((TODAY.plus(7_200_000), "429".to_owned())), "by {by}");
        // Time that really passed, asleep or not.
        UP.set(21_000 + DAY);
        assert_eq!(with_boot(&dir).snapshot(now.plus(DAY)).unwrap().day_used, 0, "by {by}");
    }
}

#[test]
fn after_another_boot_the_wall_clock_is_all_there_is() {
    let dir = tempfile::tempdir().unwrap();
    UP.set(900_000);
    spend(&mut with_boot(&dir), 7, TODAY);
    let mut next = ledger(&dir);
    next.boot = || Some(Boot { id: "the next one".to_owned(), ms: 5 });
    assert_eq!(next.snapshot(TODAY.plus(90_000)).unwrap().day_used, 7);
    assert_eq!(next.snapshot(TODAY.plus(90_000)).unwrap().minute_used, 0);
}

#[test]
fn what_counts_no_more_is_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = ledger(&dir);
    for day in 0..5 {
        for minute in 0..2 {
            spend(&mut ledger, 20, TODAY.plus(day * 86_500_000 + minute * 70_000));
        }
    }
    let rows: i64 = ledger.db.query_row("SELECT count(*) FROM slots", (), |row| row.get(0)).unwrap();
    assert!(rows <= 50, "{rows}");
}

#[test]
fn changed_limits_and_timeouts_hold_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = ledger(&dir);
    ledger.set_limits(Limits { per_minute: 1, ..LIMITS });
    ledger.set_timeout(90_000);
    let _slot = ledger.take(TODAY, Lane::Edit).unwrap().unwrap();
    let refusal = ledger.take(TODAY, Lane::Edit).unwrap().unwrap_err();
    assert_eq!(refusal, NotUntil { at: TODAY.plus(90_000 + 60_250), why: Why::Minute });
}

#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    Take(Lane),
    Give(usize, bool),
    Pause(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let lane = prop_oneof![Just(Lane::Edit), Just(Lane::Bulk)];
    prop_oneof![
        2 => prop_oneof![0..90_000i64, -90_000..0i64, 0..90_000_000i64].prop_map(Event::Pass),
        6 => lane.prop_map(Event::Take),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(n, sent)| Event::Give(n, sent)),
        1 => (0..90_000i64).prop_map(Event::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Two processes on one file grant what one quota in one memory would.
    #[test]
    fn the_file_decides_as_the_quota_does(events in prop::collection::vec((event(), any::<bool>()), 1..60)) {
        let limits = Limits { per_minute: 3, per_day: 7, reserved_for_edits: 2 };
        let dir = tempfile::tempdir().unwrap();
        let open = || with_clock(Ledger::open(&dir.path().join("usage.db"), hub("a"), limits, TODAY).unwrap());
        let mut ledgers = [open(), open()];
        let (mut quota, mut now, mut slots) = (Quota::new(limits), TODAY, Vec::new());
        for (n, (event, second)) in events.iter().enumerate() {
            let ledger = &mut ledgers[usize::from(*second)];
            quota.observe(now);
            match event {
                Event::Pass(ms) => now = now.plus(*ms),
                Event::Take(lane) => {
                    let id = SlotId(i64::try_from(n).unwrap());
                    let granted = ledger.take(now, *lane).unwrap();
                    prop_assert_eq!(granted.as_ref().map(drop).map_err(|refusal| *refusal), quota.take(id, now, *lane));
                    slots.extend(granted.map(|slot| (slot, id)));
                }
                Event::Give(..) if slots.is_empty() => {}
                Event::Give(n, sent) => {
                    let (slot, id) = slots.swap_remove(n % slots.len());
                    if *sent {
                        ledger.answered(slot, now).unwrap();
                        quota.answered(id, now);
                    } else {
                        ledger.never_sent(slot, now).unwrap();
                        quota.never_sent(id);
                    }
                }
                Event::Pause(ms) => {
                    ledger.pause(now, now.plus(*ms), "why").unwrap();
                    quota.pause(now, now.plus(*ms));
                }
            }
            ledgers.iter_mut().for_each(|ledger| drop(ledger.snapshot(now).unwrap()));
        }
    }
}
