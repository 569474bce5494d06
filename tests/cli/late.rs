//! Writes whose answer never comes: killed or stopped meanwhile, looked up by the next run, published once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::place::{Place, until};
use crate::stub::{Stub, Then};

/// Less than the time for which a write counts as still on its way (5 s), and more than a premature look would take.
const ON_ITS_WAY: Duration = Duration::from_millis(2_500);

/// What becomes of the first write, which is never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It reaches the hub when the program runs again already.
    LandsLate,
    /// It never does.
    Vanishes,
}

/// A hub whose first write hangs on the way, and a place with an edit that is just being sent there.
struct Hanging {
    place: Arc<Place>,
    stub: Stub,
    again: Arc<AtomicBool>,
    landed: Arc<AtomicBool>,
}

impl Hanging {
    fn new(fate: Fate) -> Self {
        let place = Arc::new(Place::new());
        place.page("p0", "Old.\n");
        place.doc("p0", "Old.\n");
        let (again, landed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let first = AtomicBool::new(true);
        let port = place.port;
        let (seen_again, tells) = (Arc::clone(&again), Arc::clone(&landed));
        let stub = Stub::acting(move |call| {
            if !(call.line.starts_with("PATCH") && first.swap(false, Ordering::SeqCst)) {
                call.say(call.pass_on(port));
                return Then::KeepOpen;
            }
            call.wait_for_the_end();
            until("the program runs again", || seen_again.load(Ordering::SeqCst));
            if fate == Fate::LandsLate {
                std::thread::sleep(ON_ITS_WAY);
                call.pass_on(port);
            }
            tells.store(true, Ordering::SeqCst);
            Then::HangUp
        });
        // Longer than we wait: it must not be the timeout that ends it.
        stub.guard(&place, "  timeout: 5m\n", "watch:\n  debounce: 100ms\n");
        place.run(&["sync"]).ends(0);
        place.doc("p0", "New.\n");
        stub.requests();
        Self { place, stub, again, landed }
    }

    /// Waits until the write is under way.
    fn is_sent(&self) {
        until("the write is sent", || self.stub.count("PATCH") == 1);
    }
}

fn killed_and_run_again(command: &str, fate: Fate) {
    let it = Hanging::new(fate);
    let mut running = it.place.start(&[command]);
    it.is_sent();
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    it.stub.requests();
    let next = it.place.start(&[command]);
    if command == "run" {
        until("it runs", || it.place.json(&["status", "--json"])["daemon"]["running"] == true);
    } else {
        until("it has begun", || it.stub.count("GET") == 1);
    }
    assert_eq!(it.place.json(&["status", "--json"])["pages"][0]["state"], "pending");
    it.again.store(true, Ordering::SeqCst);
    if command == "run" {
        until("it is settled", || it.place.json(&["status", "--json"])["counts"]["in_step"] == 1);
    } else {
        assert_eq!(next.code(), Some(0));
    }
    assert!(it.landed.load(Ordering::SeqCst), "it was settled before the write can have arrived");
    assert_eq!((it.place.content("p0").as_str(), it.place.version("p0")), ("New.\n", 2), "{command} {fate:?}");
    let patches = it.stub.count("PATCH");
    assert_eq!(patches, usize::from(fate == Fate::Vanishes), "{command} {fate:?}: {:?}", it.stub.requests());
    assert!(it.stub.count("GET /rest/v1/knowledge-hub/pages/p0") > 0, "it was looked up");
}

#[test]
fn a_write_that_lands_after_a_kill_and_a_restart_is_looked_up_and_not_sent_again() {
    std::thread::scope(|scope| {
        for command in ["run", "sync"] {
            for fate in [Fate::LandsLate, Fate::Vanishes] {
                scope.spawn(move || killed_and_run_again(command, fate));
            }
        }
    });
}

#[test]
fn a_daemon_that_is_stopped_while_a_write_is_not_answered_ends_and_the_write_is_in_doubt() {
    let it = Hanging::new(Fate::LandsLate);
    let daemon = it.place.start(&["run"]);
    it.is_sent();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    let page = it.place.json(&["status", "--json"])["pages"][0].clone();
    assert_eq!((&page["state"], &page["reason"]["code"]), (&"pending".into(), &"in_doubt".into()), "{page}");
    it.stub.requests();
    let next = it.place.start(&["sync"]);
    until("it has begun", || it.stub.count("GET") == 1);
    it.again.store(true, Ordering::SeqCst);
    assert_eq!(next.code(), Some(0));
    assert_eq!((it.stub.count("PATCH"), it.place.version("p0")), (0, 2));
}
