//! Killed in the middle, met by a hub that fails, found with a damaged state: nothing is lost, nothing is published twice.

use crate::place::{Place, until};

fn write_all(place: &Place, pages: usize, round: usize) {
    for n in 0..pages {
        place.doc(&format!("p{n}"), &format!("Round {round}, page {n}.\n"));
    }
}

#[test]
fn killed_in_the_middle_of_publishing() {
    const PAGES: usize = 30;
    let place = Place::with(
        "watch:\n  debounce: 100ms\nhub:\n  url: URL\n  requests_per_minute: 10000\n  requests_per_day: 100000\n",
    );
    place.same(PAGES);
    place.run(&["sync"]).ends(0);
    for round in 1..=3 {
        write_all(&place, PAGES, round);
        let before = (0..PAGES).map(|n| place.version(&format!("p{n}"))).sum::<u64>();
        let mut running = place.start(&[if round == 2 { "run" } else { "sync" }]);
        let half = u64::try_from(5 * round).unwrap();
        until("some are published", || {
            (0..PAGES).map(|n| place.version(&format!("p{n}"))).sum::<u64>() >= before + half
        });
        running.0.kill().unwrap();
        running.0.wait().unwrap();
        place.run(&["sync"]).ends(0);
        for n in 0..PAGES {
            let id = format!("p{n}");
            assert_eq!(place.content(&id), format!("Round {round}, page {n}.\n"));
            assert_eq!(place.version(&id), 1 + round as u64, "{id} was published twice, or never");
        }
    }
}

#[test]
fn a_hub_that_fails_in_every_way() {
    let place = Place::new();
    place.same(8);
    place.run(&["sync"]).ends(0);
    write_all(&place, 8, 1);
    place.faults(&[
        "PATCH/error-before=500:x1",
        "PATCH/error-after=502:x1",
        "PATCH/cut:x1",
        "PATCH/drop-before:x1",
        "PATCH/drop-after:x1",
        "PATCH/html:x1",
        "PATCH/rate-limit=1:x1",
    ]);
    place.run(&["sync"]).ends(0);
    for n in 0..8 {
        let id = format!("p{n}");
        assert_eq!((place.content(&id), place.version(&id)), (format!("Round 1, page {n}.\n"), 2), "{id}");
    }
}

#[test]
fn a_damaged_state_is_moved_aside_and_nothing_is_published_again() {
    let place = Place::new();
    place.same(3);
    place.run(&["sync"]).ends(0);
    place.doc("p0", "Mine.\n");
    place.run(&["sync"]).ends(0);
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(place.path(name));
    }
    std::fs::write(place.path("state.db"), "garbage ".repeat(2000)).unwrap();
    place.requests();
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.err.contains("state.db.damaged"), "{ran:?}");
    assert!(!place.requests().contains_key("PATCH"));
    place.run(&["sync"]).ends(0);
}
