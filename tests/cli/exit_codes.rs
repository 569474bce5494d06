//! How a command ends (contract.md, Exit codes).

use rustix::process::Signal;

use crate::place::{Place, until};

#[test]
fn in_step_is_0_and_costs_one_look() {
    let place = Place::new();
    place.same(3);
    place.run(&["sync"]).ends(0);
    place.requests();
    let ran = place.run(&["sync"]).ends(0);
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into(), "{ran:?}");
    place.run(&["status"]).ends(0);
    place.run(&["check"]).ends(0);
}

#[test]
fn a_person_must_act_is_1() {
    let place = Place::new();
    place.same(2);
    place.page("p9", "Theirs.\n");
    place.doc("p9", "Mine.\n");
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("p9.md: conflict") && ran.out.contains("first_meeting"), "{ran:?}");
    assert_eq!(place.content("p9"), "Theirs.\n");
    place.run(&["status"]).ends(1);
    place.run(&["sync", "--dry-run", "--first-meeting", "local"]).ends(1);
    assert_eq!(place.content("p9"), "Theirs.\n");
    place.run(&["sync", "--first-meeting", "local"]).ends(0);
    assert_eq!(place.content("p9"), "Mine.\n");
    let kept = crate::place::files(&place.path("state.db.backups"));
    assert!(std::fs::read_to_string(&kept[0]).unwrap().ends_with("Theirs.\n"), "{kept:?}");
}

#[test]
fn a_drift_warns_and_is_1_when_strict() {
    let place = Place::new();
    place.same(2);
    place.run(&["sync"]).ends(0);
    let act = hubsync::sandbox::Act::Publish { title: "p0".to_owned(), content: "From the browser.\n".to_owned() };
    place.hub.lock().model.colleague(hubsync::sandbox::server::clock(), "p0", act).unwrap();
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.out.contains("p0.md: drifted"), "{ran:?}");
    place.run(&["sync", "--strict"]).ends(1);
    assert_eq!(place.content("p0"), "From the browser.\n");
}

#[test]
fn what_cannot_be_used_is_2() {
    let place = Place::new();
    place.same(1);
    let no_key = place.command(&["sync"]).env_remove("EXEC_API_KEY").output().unwrap();
    assert_eq!(no_key.status.code(), Some(2));
    let wrong_key = place.command(&["sync"]).env("EXEC_API_KEY", "exec_live_wrong").output().unwrap();
    assert_eq!(wrong_key.status.code(), Some(2), "{wrong_key:?}");
    assert_eq!(place.json(&["status", "--json"])["hub"]["state"], "unauthorized");
    place.run(&["sync"]).ends(0);
    place.run(&["frobnicate"]).ends(2);
    place.run(&["sync", "../elsewhere.md"]).ends(2);
    place.config("watch:\n  debounse: 1s\n");
    let ran = place.run(&["sync"]).ends(2);
    assert!(ran.err.contains("hubsync.yaml:") && ran.err.contains("debounce"), "{ran:?}");
    place.config("dashboard:\n  listen: \"127.0.0.1:7171\"\n");
    let ran = place.run(&["sync"]).ends(2);
    assert!(ran.err.contains("dashboard.listen"), "{ran:?}");
    place.config("");
    std::fs::rename(place.root(), place.path("away")).unwrap();
    let ran = place.run(&["sync"]).ends(2);
    assert!(ran.err.contains("docs"), "{ran:?}");
    place.run(&["status"]).ends(2);
}

#[test]
fn a_state_of_a_newer_version_is_left_alone() {
    let place = Place::new();
    place.same(1);
    place.run(&["sync"]).ends(0);
    let db = rusqlite::Connection::open(place.path("state.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = std::fs::read(place.path("state.db")).unwrap();
    place.run(&["sync"]).ends(2);
    assert_eq!(std::fs::read(place.path("state.db")).unwrap(), before);
}

#[test]
fn another_workspace_is_2_and_sends_no_write() {
    let place = Place::new();
    for n in 0..5 {
        place.doc(&format!("nobody{n}"), "Text.\n");
    }
    // Also when nothing is asked any more, because all of them are known to be missing.
    for command in ["sync", "sync", "status"] {
        place.run(&[command]).ends(2);
    }
    assert!(!place.requests().contains_key("PATCH"));
}

#[test]
fn an_emptied_root_holds_everything_until_it_is_confirmed() {
    let place = Place::new();
    place.same(4);
    place.run(&["sync"]).ends(0);
    place.requests();
    for n in 0..4 {
        std::fs::remove_file(place.root().join(format!("p{n}.md"))).unwrap();
    }
    place.run(&["sync"]).ends(1);
    assert_eq!(place.json(&["status", "--json"])["root"]["state"], "changed");
    place.run(&["sync", "--confirm-root"]).ends(0);
    assert_eq!(place.json(&["status", "--json"])["counts"]["orphaned"], 4);
    assert!(!place.requests().contains_key("PATCH"));
}

#[test]
fn a_days_budget_that_is_spent_is_75_and_remembered() {
    let place = Place::with(
        "hub:\n  url: URL\n  requests_per_day: 6\n  reserved_for_edits: 0\npublish:\n  conflict_check: false\n",
    );
    for n in 0..10 {
        place.page(&format!("p{n}"), "Old.\n");
        place.doc(&format!("p{n}"), "New.\n");
    }
    place.run(&["sync"]).ends(75);
    place.run(&["sync"]).ends(75);
    assert_eq!(place.requests().values().sum::<usize>(), 6);
    let status = place.json(&["status", "--json"]);
    assert_eq!(status["budget"]["day"]["used"], 6);
    assert!(status["budget"]["next_free_at"].is_string() && status["budget"]["eta"].is_string(), "{status}");
    // Another root of the same user spends the same day.
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::write(place.path("other/x.md"), "---\npage_id: p0\nstatus: published\n---\nX\n").unwrap();
    let other =
        place.command(&["sync"]).env("HUBSYNC_ROOT", "./other").env("HUBSYNC_STATE", "./other.db").output().unwrap();
    assert_eq!(other.status.code(), Some(75), "{other:?}");
    assert!(place.requests().is_empty());
}

#[test]
fn a_hub_that_is_not_there_is_75() {
    let place = Place::with("hub:\n  url: http://127.0.0.1:1/rest/v1\n");
    place.same(1);
    place.run(&["sync", "--max-wait", "1s"]).ends(75);
    assert_eq!(place.json(&["status", "--json"])["hub"]["state"], "unreachable");
}

#[test]
fn a_signal_ends_a_sync_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // Longer than we wait: it must not be the timeout that ends it.
        let place = Place::with("hub:\n  url: URL\n  timeout: 5m\n");
        place.page("p0", "");
        place.doc("p0", "Text.\n");
        place.faults(&["PATCH/delay-after=300000:1"]);
        let sync = place.start(&["sync"]);
        until("the write is under way", || place.content("p0") == "Text.\n");
        sync.signal(signal);
        assert_eq!(sync.code(), Some(code));
    }
}
