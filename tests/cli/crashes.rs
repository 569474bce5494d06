//! Killed in the middle, met by a hub that fails, found with a damaged state: nothing is lost, nothing is published twice.

use std::collections::BTreeSet;

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

/// Kills at the first moments, in the middle of writes, in the wait of a doubt, while it is looked up.
#[test]
fn killed_where_it_hurts() {
    const PAGES: usize = 8;
    let place = Place::with("watch:\n  debounce: 100ms\n");
    place.same(PAGES);
    place.run(&["sync"]).ends(0);
    let in_doubt = || {
        let status = place.json(&["status", "--json"]);
        let pages = status["pages"].as_array().unwrap().iter();
        let doubted = pages.filter(|page| page["reason"]["code"] == "in_doubt");
        doubted.map(|page| page["page_id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let kill = |mut running: crate::place::Running| {
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    };
    for (round, command) in [(1, "run"), (2, "sync")] {
        write_all(&place, PAGES, round);
        kill(place.start(&[command]));
        // The hub takes its time with what it has applied, so that the answers are outstanding.
        place.faults(&["PATCH/delay-after=400:1", "GET/delay-after=100:1"]);
        let before = (0..PAGES).map(|n| place.version(&format!("p{n}"))).sum::<u64>();
        let running = place.start(&[command]);
        until("some are applied", || (0..PAGES).map(|n| place.version(&format!("p{n}"))).sum::<u64>() >= before + 2);
        kill(running);
        let doubts = in_doubt();
        assert!(!doubts.is_empty(), "the answers were outstanding");
        place.requests();
        // Nothing but a look at what was touched is asked in the wait.
        let running = place.start(&[command]);
        until("the others go on", || place.hub.lock().model.log().iter().any(|entry| entry.method == "PATCH"));
        kill(running);
        assert!(in_doubt().is_superset(&doubts), "a doubt was settled before its time");
        let looked_up = || {
            let about = |target: &str| doubts.iter().any(|id| target.contains(&format!("/pages/{id}?")));
            place.hub.lock().model.log().iter().any(|entry| entry.method == "GET" && about(&entry.target))
        };
        assert!(!looked_up(), "a doubt was looked up before its time");
        let running = place.start(&[command]);
        until("a doubt is looked up", looked_up);
        kill(running);
        place.faults(&[]);
        place.run(&["sync"]).ends(0);
        for n in 0..PAGES {
            let id = format!("p{n}");
            let text = (place.content(&id), place.version(&id));
            assert_eq!(text, (format!("Round {round}, page {n}.\n"), 1 + round as u64), "{id}");
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
