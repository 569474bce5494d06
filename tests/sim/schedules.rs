//! Schedules drawn from seeds: a fixed set, a set for as long as there is time, and the proof that the same seed walks the
//! same way.
//!
//! A failing seed is cut short and told with its trace. `SIM_SEED=17 cargo test --test sim schedules` replays one,
//! `SIM_SCHEDULES=1000000` walks so many, `SIM_SECONDS=3600` as many as fit; CONTRIBUTING.md says more.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use hubsync::simulation;

use super::network::RetryAfter;
use super::schedule::{Op, Setup, draw};
use super::stage::Stage;
use super::tally::Tally;

/// The fixed set of CI.
const FIXED: u64 = 10_000;
/// So long the random set takes, in seconds.
const SECONDS: u64 = 10;
/// A long walk says how far it is each time it has come so much further.
const SAY: u64 = 50_000;
/// So many failures are enough to begin with.
const ENOUGH: usize = 5;

/// What was found wrong.
pub struct Failure {
    pub message: String,
    pub trace: Vec<String>,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the words of a panic in a schedule, in place of printing them.
pub fn catch<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                SAID.set(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    QUIET.set(false);
    result.map_err(|_| SAID.take())
}

/// Carries a schedule out and judges its end.
pub fn run(setup: &Setup, ops: &[Op]) -> Result<Tally, Failure> {
    let mut stage = catch(|| Stage::new(setup.clone())).map_err(|message| Failure { message, trace: Vec::new() })?;
    let result = catch(|| {
        for op in ops {
            stage.carry_out(op);
        }
        stage.heal();
        stage.verify();
    });
    let Stage { mut tally, w, .. } = stage;
    (0..w.folder.followed).for_each(|_| tally.note(FOLLOWED));
    tally.schedules = 1;
    match result {
        Ok(()) => Ok(tally),
        Err(message) => Err(Failure { message, trace: w.trace }),
    }
}

/// What fails still, without all that it can fail without.
pub fn cut_short<T: Clone>(mut ops: Vec<T>, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut size = ops.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(from..(from + size).min(fewer.len()));
            if fails(&fewer) {
                ops = fewer;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    ops
}

fn tell(seed: u64, setup: &Setup, ops: Vec<Op>) -> ! {
    let short = cut_short(ops, |ops| run(setup, ops).is_err());
    let Err(failure) = run(setup, &short) else {
        panic!("seed {seed} fails only now and then: it is not the same each time")
    };
    let (from, heal) =
        (failure.trace.len().saturating_sub(100), failure.trace.iter().position(|line| line == "-- heal"));
    let from = heal.map_or(from, |heal| heal.saturating_sub(60));
    let steps: Vec<String> = short.iter().map(|op| format!("    {op:?}")).collect();
    println!("{setup:?}\n{}\n", failure.trace[from..].iter().take(150).cloned().collect::<Vec<_>>().join("\n"));
    panic!("seed {seed}: {}\ncut to these steps:\n{}", failure.message, steps.join("\n"));
}

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Walks seeds on all cores until there are no more, or `until`. A few failures end it; the first is told.
fn walk(seeds: std::ops::Range<u64>, until: Option<Instant>) -> Tally {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let failed: Mutex<Vec<(u64, String)>> = Mutex::default();
    let worker = || {
        let mut tally = Tally::default();
        drop(simulation::take_rows());
        while !stop.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            if seed > seeds.start && (seed - seeds.start).is_multiple_of(SAY) {
                println!("{} schedules", seed - seeds.start);
            }
            let (setup, ops) = draw(seed);
            match run(&setup, &ops) {
                Ok(one) => tally.add(one),
                Err(failure) => {
                    let mut failed = failed.lock().unwrap();
                    failed.push((seed, failure.message));
                    stop.store(failed.len() >= ENOUGH, Ordering::Relaxed);
                }
            }
        }
        tally.rows(simulation::take_rows());
        tally
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        for thread in threads {
            all.add(thread.join().unwrap());
        }
    });
    let failed = failed.into_inner().unwrap();
    for (seed, message) in &failed {
        println!("seed {seed}: {}", message.lines().nth(1).unwrap_or(message));
    }
    if let Some((seed, _)) = failed.first() {
        let (setup, ops) = draw(*seed);
        tell(*seed, &setup, ops);
    }
    all
}

/// Carries out the schedules of all seeds below `last` on all cores, and says what came up. Those that fail are told.
pub fn each_seed(last: u64, run: impl Fn(u64) -> Result<Tally, String> + Sync) -> Tally {
    let (next, all, failed) = (AtomicU64::new(0), Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    let worker = || {
        drop(simulation::take_rows());
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last || failed.lock().unwrap().len() >= ENOUGH {
                break;
            }
            match run(seed) {
                Ok(one) => tally.add(one),
                Err(message) => failed.lock().unwrap().push((seed, message)),
            }
        }
        tally.rows(simulation::take_rows());
        all.lock().unwrap().add(tally);
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(worker)));
    });
    let failed = failed.into_inner().unwrap();
    for (seed, message) in &failed {
        println!("seed {seed}: {message}\n");
    }
    assert!(failed.is_empty(), "seeds that fail: {:?}", failed.iter().map(|(seed, _)| seed).collect::<Vec<_>>());
    all.into_inner().unwrap()
}

#[test]
fn a_fixed_set_keeps_all_promises_and_reaches_everything() {
    if let Some(seed) = number("SIM_SEED") {
        let (setup, ops) = draw(seed);
        if run(&setup, &ops).is_err() {
            tell(seed, &setup, ops);
        }
        return;
    }
    let begun = Instant::now();
    let tally = walk(0..number("SIM_SCHEDULES").unwrap_or(FIXED), None);
    tally.print();
    println!("{:.1} s", begun.elapsed().as_secs_f64());
    let rare = tally.below(FAULTS, 100).into_iter().chain(tally.below(RetryAfter::FORMS, 100));
    let rare: Vec<String> =
        rare.chain(tally.below(SETTLED, 20)).chain(tally.below(ROWS, 1)).chain(tally.below(CRASHES, 1)).collect();
    assert!(rare.is_empty(), "too seldom: {rare:#?}");
}

#[test]
fn a_random_set_keeps_all_promises() {
    let seconds = number("SIM_SECONDS").unwrap_or(SECONDS);
    let start = fastrand::u64(..u64::MAX / 2);
    let tally = walk(start..u64::MAX, Some(Instant::now() + Duration::from_secs(seconds)));
    println!("{} schedules from seed {start}", tally.schedules);
    assert!(tally.schedules > 0);
}

#[test]
fn the_same_seed_walks_the_same_way() {
    let trace = |seed| {
        let (setup, ops) = draw(seed);
        let mut stage = Stage::new(setup);
        ops.iter().for_each(|op| stage.carry_out(op));
        stage.heal();
        stage.w.trace.join("\n")
    };
    for seed in 0..10 {
        let elsewhere = std::thread::spawn(move || trace(seed)).join().unwrap();
        assert_eq!(trace(seed), elsewhere);
    }
}

const FOLLOWED: &str = "a document follows what it points to";

const FAULTS: &[&str] = &[
    FOLLOWED,
    "an event is lost",
    "the queue of events runs over",
    "a request hangs until its time is up",
    "fate AnswerLost",
    "fate Cut",
    "fate Late",
    "fate Unsent",
    "fate Gateway",
    "fate AppliedGateway",
    "fate Limited",
    "fate Portal",
    "fate AppliedPortal",
    "fate AppliedEmpty",
    "fate AppliedHalf",
    "fate AppliedOther",
    "fate Rejected",
    "fate Forbidden",
    "fate NotFoundPage",
    "fate Redirected",
    "op Clock back",
    "op Clock forward",
    "op Suspend",
    "op DiskFull",
    "op LoseState",
    "op NewKey",
    "op Spend",
    "op Root vanishes",
    "a colleague overtakes a write",
    "crash tears a store",
    "op Resolve",
    "op Write",
    "a page is forgotten",
    "crash leaves nothing of a store",
    "crash leaves a store that nobody was told of",
];

/// What a person settled, and how.
pub const SETTLED: &[&str] = &[
    "settled Conflict Local",
    "settled Conflict Remote",
    "settled Conflict Both",
    "settled Drifted Local",
    "settled Drifted Remote",
    "settled Drifted Both",
    "settled Orphaned Remote",
    "settled Orphaned Archive",
];

/// The rows that this version reaches. Not yet: F2 to F4 and N (nothing is archived by itself, nothing created).
const ROWS: &[&str] = &[
    "row E1",
    "row E2",
    "row E3",
    "row E8",
    "row E9",
    "row F8",
    "row R1",
    "row G1",
    "row G2",
    "row F0",
    "row F1",
    "row F5",
    "row D6",
    "row D8",
    "row D11",
    "row D13",
    "row D15",
    "row absent",
    "row B1",
    "row B2",
    "row B3",
    "row B4",
    "row B5",
    "row B6",
    "row C1",
    "row C2",
    "row C2d",
    "row C3",
    "row C4",
    "row C5",
    "row C7",
    "row C9",
    "row D1",
    "row D2",
    "row D3",
    "row D4",
    "row D5",
    "row D7",
    "row D9",
];

const CRASHES: &[&str] = &[
    "crash while a slot is asked for",
    "crash while a change is being stored",
    "crash while a look is on its way",
    "crash while a look is answered",
    "crash while a write is on its way",
    "crash while a write has arrived and is not answered",
    "crash while a doubt waits",
    "crash while a doubt is looked at",
    "crash while the look at a doubt is answered",
    "crash at rest",
];
