//! A configuration or a key that changes while the daemon runs.

use std::fs;
use std::path::Path;

use hubsync::sandbox::SANDBOX_KEY;
use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, Running, until};

const SLOW: &str = "watch:\n  debounce: 10m\n  max_delay: 20m\n";
const QUICK: &str = "watch:\n  debounce: 100ms\n";

fn log(place: &Place) -> String {
    fs::read_to_string(place.path("daemon.log")).unwrap()
}

/// SIGHUP, and what was said about it.
fn reloaded(place: &Place, daemon: &Running) -> String {
    let before = log(place).len();
    daemon.signal(Signal::HUP);
    let said = || log(place)[before..].to_owned();
    until("it was read again", || {
        ["configuration", "still used", "still holds"].iter().any(|word| said().contains(word))
    });
    said()
}

fn note(place: &Place) -> Value {
    place.json(&["status", "--json"])["hub"]["reason"].clone()
}

#[test]
fn a_changed_configuration_is_taken_up_on_sighup() {
    let place = Place::with(SLOW);
    place.same(2);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    place.doc("p0", "New.\n");
    place.config(&format!("{QUICK}exclude: [p1.md]\nhub:\n  url: URL\n  requests_per_minute: 50\n"));
    assert!(reloaded(&place, &daemon).contains("are read again"));
    until("the new debounce counts", || place.content("p0") == "New.\n");
    place.doc("p1", "Left out.\n");
    place.doc("p0", "Newer.\n");
    until("what is saved after it, too", || place.content("p0") == "Newer.\n");
    assert_eq!(place.content("p1"), "Same.\n", "`exclude` counts");
    let report = place.json(&["sync", "--json"]);
    assert_eq!(report["budget"]["minute"]["limit"], 50, "{report:#}");
}

#[test]
fn lower_limits_count_at_once() {
    let place = Place::with(QUICK);
    place.same(4);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    place.config(&format!("{QUICK}hub:\n  url: URL\n  requests_per_minute: 1\n"));
    reloaded(&place, &daemon);
    place.doc("p0", "New.\n");
    place.requests();
    let ran = place.run(&["sync", "--max-wait", "0s"]).ends(75);
    assert!(ran.out.contains("pending"), "{ran:?}");
    assert!(place.requests().is_empty(), "the minute's one was spent before");
    place.config(&format!("{QUICK}hub:\n  url: URL\n  requests_per_minute: 60\n"));
    reloaded(&place, &daemon);
    until("higher ones, too", || place.content("p0") == "New.\n");
}

#[test]
fn a_changed_file_is_noticed_without_a_signal() {
    let place = Place::with(SLOW);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.doc("p0", "New.\n");
    place.config(QUICK);
    until("it is taken up", || place.content("p0") == "New.\n");
    assert!(log(&place).contains("are read again"));
}

#[test]
fn what_can_not_be_used_keeps_the_old_one_and_is_said() {
    let place = Place::with(QUICK);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    place.config("watch:\n  debounce: soon\n");
    let said = reloaded(&place, &daemon);
    assert!(said.contains("the old one still holds") && said.contains("500ms, 2s, 15m or 1h"), "{said}");
    assert!(place.run(&["status"]).ends(2).err.contains("debounce"), "whoever reads that file is told so");
    place.doc("p0", "New.\n");
    until("the daemon goes on", || place.content("p0") == "New.\n");
    place.config(QUICK);
    reloaded(&place, &daemon);
    until("nothing is left to be said", || note(&place).is_null());
}

#[test]
fn a_configuration_that_is_gone_is_not_taken_for_the_defaults() {
    let place = Place::with(QUICK);
    let found = fs::read_to_string(place.path("hubsync.yaml")).unwrap().replace("./docs", "./handbook");
    fs::write(place.path("hubsync.yaml"), found).unwrap();
    fs::rename(place.root(), place.path("handbook")).unwrap();
    place.page("p0", "Same.\n");
    fs::write(place.path("handbook/p0.md"), "---\npage_id: p0\ntitle: p0\nstatus: published\n---\nSame.\n").unwrap();
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    fs::remove_file(place.path("hubsync.yaml")).unwrap();
    let said = reloaded(&place, &daemon);
    assert!(said.contains("hubsync.yaml is not there any more; what it said still holds"), "{said}");
}

#[test]
fn another_root_state_or_hub_is_refused_until_a_restart() {
    let place = Place::with(QUICK);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    let good = fs::read_to_string(place.path("hubsync.yaml")).unwrap();
    fs::create_dir(place.path("other")).unwrap();
    for (key, from, to) in
        [("root", "./docs", "./other"), ("state", "./state.db", "./other.db"), ("hub.url", "/rest/v1", "/rest/v2")]
    {
        fs::write(place.path("hubsync.yaml"), good.replace(from, to)).unwrap();
        let said = reloaded(&place, &daemon);
        assert!(said.contains(&format!("{key} can't be another one while hubsync runs")), "{said}");
        if key == "hub.url" {
            until("`status` says so", || note(&place).as_str().is_some_and(|why| why.contains("hub.url can't")));
            assert!(place.run(&["status"]).out.contains("note: hub.url can't be another one"));
        }
    }
    fs::write(place.path("hubsync.yaml"), good).unwrap();
    reloaded(&place, &daemon);
    place.doc("p0", "New.\n");
    until("the old root is kept in step with the old hub", || place.content("p0") == "New.\n");
    assert!(!Path::new(&place.path("other.db")).exists());
}

#[test]
fn a_rotated_key_goes_on_with_what_was_spent_and_a_bad_one_is_said() {
    const NEXT: &str = "exec_live_sandboxsandboxsandboxsandboxsandbox00002";
    let place = Place::new();
    let config = format!("{QUICK}hub:\n  url: URL\n  api_key_file: ./key\n");
    place.config(&config);
    let keep = |key: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(place.path("key"), key).unwrap();
        fs::set_permissions(place.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    keep(SANDBOX_KEY);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    let used = || place.json(&["status", "--json"])["budget"]["day"]["used"].as_u64().unwrap();
    assert!(used() > 0);
    keep("two words");
    reloaded(&place, &daemon);
    until("`status` says so", || note(&place).as_str().is_some_and(|why| why.contains("the key that was read before")));
    place.doc("p0", "New.\n");
    until("the old key is used", || place.content("p0") == "New.\n");
    until("all is answered", || place.json(&["status", "--json"])["counts"]["in_step"] == 1);
    let before = used();
    keep(NEXT);
    place.hub.lock().model.settings_mut().key = NEXT.to_owned();
    reloaded(&place, &daemon);
    assert_eq!(used(), before, "the limits are the workspace's, whichever key is used");
    place.doc("p0", "Newer.\n");
    place.requests();
    until("the new key is used", || place.content("p0") == "Newer.\n");
    assert_eq!(place.requests(), [("GET".to_owned(), 1), ("PATCH".to_owned(), 1)].into(), "none was refused");
    until("they count for it", || used() == before + 2);
    assert!(note(&place).is_null());
    assert!(!log(&place).contains(NEXT) && !log(&place).contains("two words"));
}

#[test]
fn a_key_that_was_refused_spends_the_budget_of_its_successor() {
    const NEXT: &str = "exec_live_sandboxsandboxsandboxsandboxsandbox00002";
    let place = Place::new();
    place.config(&format!("{QUICK}hub:\n  url: URL\n  api_key_command: [cat, key]\n"));
    fs::write(place.path("key"), SANDBOX_KEY).unwrap();
    place.same(1);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    let used = || place.json(&["status", "--json"])["budget"]["day"]["used"].as_u64().unwrap();
    let before = used();
    fs::write(place.path("key"), NEXT).unwrap();
    place.hub.lock().model.settings_mut().key = NEXT.to_owned();
    place.doc("p0", "New.\n");
    until("the key is read again when it is refused", || place.content("p0") == "New.\n");
    until("all that was sent counts for its successor", || used() == before + 3);
}

#[test]
fn another_branch_and_another_command_for_problems_are_taken_up() {
    let place = Place::with(&format!("{QUICK}git:\n  branch: release\n"));
    place.same(2);
    crate::git::init(&place.root());
    let daemon = place.start(&["run"]);
    until("the branch is not the right one", || log(&place).contains("release"));
    let hear = "on_problem: [sh, -c, \"cat >> heard.json\"]\n";
    place.config(&format!("{QUICK}{hear}git:\n  branch: main\n"));
    assert!(reloaded(&place, &daemon).contains("are read again"));
    until("the branch counts", || place.json(&["status", "--json"])["counts"]["in_step"] == 2);
    place.doc("p0", "New.\n");
    until("and is published from", || place.content("p0") == "New.\n");
    place.write("p1.md", "---\npage_id: p1\nstatus: publshed\n---\nText.\n");
    until("the command hears of it", || {
        fs::read_to_string(place.path("heard.json")).is_ok_and(|heard| heard.contains("unknown_status"))
    });
}
