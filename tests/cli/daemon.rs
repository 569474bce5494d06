//! `hubsync run`: what a save costs, and how it stops.

use rustix::process::Signal;

use crate::place::{Place, until};

const QUICK: &str = "watch:\n  debounce: 300ms\n";

#[test]
fn one_save_is_two_requests_and_a_restart_is_none() {
    let place = Place::with(QUICK);
    place.same(5);
    place.run(&["sync"]).ends(0);
    place.requests();
    let daemon = place.daemon();
    assert!(place.requests().is_empty(), "a start costs nothing");
    for n in 0..5 {
        place.doc("p1", &format!("Save {n}.\n"));
    }
    until("the last save arrives", || place.content("p1") == "Save 4.\n");
    // Written beside and renamed over, as editors do.
    let beside = place.root().join(".p2.md.swp");
    std::fs::write(&beside, "---\npage_id: p2\ntitle: p2\nstatus: published\n---\nAtomic.\n").unwrap();
    std::fs::rename(&beside, place.root().join("p2.md")).unwrap();
    until("an atomic save arrives", || place.content("p2") == "Atomic.\n");
    assert_eq!(place.requests(), [("GET".to_owned(), 2), ("PATCH".to_owned(), 2)].into());
    // Moved, touched, written again as it was: nothing.
    std::fs::create_dir(place.root().join("sub")).unwrap();
    std::fs::rename(place.root().join("p3.md"), place.root().join("sub/p3.md")).unwrap();
    place.doc("p4", "Same.\n");
    until("the move is known", || {
        let status = place.json(&["status", "--json", "--all"]);
        status["pages"].as_array().unwrap().iter().any(|page| page["path"] == "sub/p3.md" && page["state"] == "in_step")
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    assert!(place.requests().is_empty(), "a move and a touch cost nothing");
}

#[test]
fn a_truncated_file_is_held() {
    let place = Place::with(QUICK);
    place.same(2);
    let _daemon = place.daemon();
    place.requests();
    place.write("p0.md", "");
    until("it is held", || {
        let status = place.json(&["status", "--json"]);
        status["pages"][0]["reason"]["code"] == "file_empty"
    });
    place.doc("p0", "Whole.\n");
    until("the whole text arrives", || place.content("p0") == "Whole.\n");
    assert_eq!(place.version("p0"), 2);
}

#[test]
fn only_one_keeps_a_state_and_a_root() {
    let place = Place::with(QUICK);
    place.same(1);
    let daemon = place.daemon();
    let second = place.run(&["run"]).ends(2);
    assert!(second.err.contains("another hubsync"), "{second:?}");
    let other_state = place.command(&["run"]).env("HUBSYNC_STATE", "./other.db").output().unwrap();
    assert_eq!(other_state.status.code(), Some(2), "{other_state:?}");
    let status = place.json(&["status", "--json"]);
    assert_eq!(status["daemon"]["pid"], daemon.0.id());
}

#[test]
fn stop_means_stop_while_the_hub_never_answers() {
    // Longer than we wait: it must not be the timeout that ends it.
    let place = Place::with("watch:\n  debounce: 300ms\nhub:\n  url: URL\n  timeout: 5m\n");
    place.same(1);
    let daemon = place.daemon();
    place.faults(&["GET/delay-before=300000:1"]);
    place.doc("p0", "New.\n");
    until("a request is under way", || {
        place.json(&["status", "--json"])["budget"]["minute"]["used"].as_u64() >= Some(2)
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    place.faults(&[]);
    place.run(&["sync"]).ends(0);
    assert_eq!((place.content("p0").as_str(), place.version("p0")), ("New.\n", 2));
}

#[test]
fn the_daemon_waits_for_a_missing_root() {
    let place = Place::with(QUICK);
    place.page("p0", "");
    std::fs::remove_dir(place.root()).unwrap();
    let _daemon = place.start(&["run"]);
    until("it says so", || place.json(&["status", "--json"])["root"]["state"] == "missing");
    std::fs::create_dir(place.root()).unwrap();
    place.doc("p0", "Here.\n");
    until("it goes on by itself", || place.content("p0") == "Here.\n");
}
