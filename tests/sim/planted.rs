//! A checker that is never wrong-footed proves nothing: faults that somebody could build in are planted one by one, and
//! schedules must find each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hubsync::simulation::{self, Planted};

use super::births;
use super::schedule::draw;
use super::schedules::run;

/// So many schedules the search for one fault may take: less than a minute of them.
const LIMIT: u64 = 6_000;

/// Carries out the schedule of a seed: of births where the fault is one of theirs.
fn walk(fault: Planted, seed: u64) -> Result<(), String> {
    if matches!(fault, Planted::SecondPost | Planted::NewPagesUnfollowed) {
        return births::run(seed).map(drop);
    }
    let (setup, ops) = draw(seed);
    run(&setup, &ops).map(drop).map_err(|failure| failure.message)
}

/// How a fault was found: the first seed, and in which words.
fn find(fault: Planted) -> Option<(u64, String)> {
    simulation::plant(Some(fault));
    let found = (0..LIMIT).find_map(|seed| walk(fault, seed).err().map(|message| (seed, message)));
    simulation::plant(None);
    if let Some((seed, _)) = found {
        assert!(walk(fault, seed).is_ok(), "seed {seed} fails without {fault:?} as well");
    }
    found
}

#[test]
fn each_planted_fault_is_found() {
    let next = AtomicUsize::new(0);
    let missed = std::sync::Mutex::new(Vec::new());
    let worker = || {
        while let Some(fault) = Planted::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            match find(*fault) {
                Some((seed, message)) => {
                    let message: String = message.lines().skip(1).take(1).collect();
                    println!("{fault:?}: seed {seed}, {:.1} s: {message:.120}", begun.elapsed().as_secs_f64());
                }
                None => missed.lock().unwrap().push(*fault),
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(worker)));
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not found in {LIMIT} schedules: {missed:?}");
}
