//! `hubsync pause` and `resume`: nothing is sent meanwhile, with and without a daemon, over restarts.

use rustix::process::Signal;

use crate::place::{Place, until};

const QUICK: &str = "watch:\n  debounce: 100ms\n";

#[test]
fn a_pause_holds_without_a_daemon() {
    let place = Place::with(QUICK);
    place.same(2);
    place.run(&["sync"]).ends(0);
    let ran = place.run(&["pause", "--for", "2h"]).ends(0);
    assert!(ran.out.starts_with("paused until 20") && ran.out.contains("`hubsync resume` goes on"), "{ran:?}");
    place.doc("p0", "New.\n");
    place.requests();
    let ran = place.run(&["sync"]).ends(75);
    assert!(ran.out.contains("hub paused until 20") && ran.out.contains("`hubsync resume` goes on"), "{ran:?}");
    place.run(&["sync", "--dry-run"]).ends(75);
    let status = place.json(&["status", "--json"]);
    assert_eq!((&status["hub"]["state"], status["hub"]["until"].is_string()), (&"paused".into(), true), "{status:#}");
    assert!(status["hub"]["reason"].as_str().unwrap().contains("paused by a person"), "{status:#}");
    assert_eq!(
        (&status["pages"][0]["state"], &status["pages"][0]["reason"]["code"]),
        (&"pending".into(), &"paused".into())
    );
    place.run(&["status"]).ends(75);
    assert!(place.requests().is_empty(), "nothing is sent, no look either");
    let ran = place.run(&["resume"]).ends(0);
    assert_eq!(ran.out, "the pause is over\n");
    assert_eq!(place.run(&["resume"]).ends(0).out, "there was no pause\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
}

#[test]
fn a_daemon_is_paused_stays_so_over_restarts_and_goes_on() {
    let place = Place::with(QUICK);
    place.same(2);
    let daemon = place.daemon();
    place.run(&["pause"]).ends(0);
    place.doc("p0", "New.\n");
    place.requests();
    let pending = || {
        let status = place.json(&["status", "--json"]);
        status["pages"][0]["reason"]["code"] == "paused" && status["hub"]["until"].is_null()
    };
    until("it is seen and held", pending);
    let ran = place.run(&["sync"]).ends(75);
    assert!(ran.out.contains("hub paused: paused by a person") && ran.out.contains("[paused]"), "{ran:?}");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    let daemon = place.start(&["run"]);
    until("it runs again", || place.json(&["status", "--json"])["daemon"]["running"] == true);
    place.run(&["sync"]).ends(75);
    assert!(place.requests().is_empty());
    place.run(&["resume"]).ends(0);
    until("it goes on by itself", || place.content("p0") == "New.\n");
    drop(daemon);
}

#[test]
fn a_pause_ends_by_itself() {
    let place = Place::with(QUICK);
    place.same(1);
    let _daemon = place.daemon();
    place.run(&["pause", "--for", "1s"]).ends(0);
    place.doc("p0", "New.\n");
    until("it ends", || place.content("p0") == "New.\n");
    assert_eq!(place.json(&["status", "--json"])["hub"]["state"], "ok");
    place.run(&["pause", "--for", "0s"]).ends(2);
}

#[test]
fn a_doubt_is_not_looked_up_meanwhile() {
    let place = Place::with(QUICK);
    place.same(1);
    place.run(&["sync"]).ends(0);
    place.faults(&["PATCH/drop-after:1"]);
    place.doc("p0", "New.\n");
    place.run(&["sync", "--max-wait", "0s"]).ends(75);
    place.faults(&[]);
    assert_eq!(place.json(&["status", "--json"])["pages"][0]["reason"]["code"], "in_doubt");
    place.run(&["pause"]).ends(0);
    place.requests();
    place.run(&["sync"]).ends(75);
    let _daemon = place.start(&["run"]);
    until("the daemon runs", || place.json(&["status", "--json"])["daemon"]["running"] == true);
    assert_eq!(place.json(&["status", "--json"])["pages"][0]["reason"]["code"], "paused");
    place.run(&["sync"]).ends(75);
    assert!(place.requests().is_empty());
    place.run(&["resume"]).ends(0);
    until("the doubt is settled", || place.json(&["status", "--json"])["counts"]["in_step"] == 1);
    assert_eq!(place.version("p0"), 2, "the same text is not published twice");
}

#[test]
fn going_on_does_not_end_what_the_hub_said() {
    let place = Place::with(QUICK);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    place.faults(&["GET/rate-limit=3600:1"]);
    place.doc("p0", "New.\n");
    until("the hub says to wait", || place.json(&["status", "--json"])["hub"]["state"] == "paused");
    place.run(&["pause", "--for", "1m"]).ends(0);
    let reason = |part: &str| place.json(&["status", "--json"])["hub"]["reason"].as_str().unwrap().contains(part);
    assert!(reason("paused by a person"));
    place.faults(&[]);
    place.requests();
    let ran = place.run(&["resume"]).ends(0);
    assert!(ran.out.contains("the hub itself takes nothing until 20"), "{ran:?}");
    until("that holds as before", || reason("429"));
    place.run(&["sync"]).ends(75);
    assert!(place.requests().is_empty());
    drop(daemon);
}
