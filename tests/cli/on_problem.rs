//! `on_problem`: a person hears of each page that comes to need them, once; whatever the command does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, until};

const QUICK: &str = "watch:\n  debounce: 100ms\n";

/// A place whose command keeps each document that it is told, and its environment and folder.
fn heard_by(script: &str, more: &str) -> Place {
    let place = Place::with(&format!("on_problem: [./hear, a b]\n{QUICK}{more}"));
    let text = format!("#!/bin/sh\nmkdir -p heard\nfile=heard/$(date +%s%N)\n{script}\n");
    std::fs::write(place.path("hear"), text).unwrap();
    std::fs::set_permissions(place.path("hear"), std::fs::Permissions::from_mode(0o700)).unwrap();
    place
}

const KEEP: &str = "cat > $file.part; env > $file.env; echo \"$PWD $1\" >> $file.env; mv $file.part $file.json";

fn files_of(place: &Place, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place.path("heard")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == extension));
    files.sort();
    files
}

/// All that was told, in the order of the calls.
fn told(place: &Place) -> Vec<Value> {
    let read = |file: PathBuf| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    files_of(place, "json").into_iter().map(read).collect()
}

fn broken(place: &Place, id: &str) {
    place.write(&format!("{id}.md"), format!("---\npage_id: {id}\nstatus: publshed\n---\nText.\n"));
}

#[track_caller]
fn stands(place: &Place, path: &str, state: &str) {
    until(&format!("{path} is {state}"), || {
        let status = place.json(&["status", "--json", "--all"]);
        status["pages"].as_array().unwrap().iter().any(|page| page["path"] == path && page["state"] == state)
    });
}

#[test]
fn each_problem_is_told_once_and_again_after_it_was_well_and_not_after_a_restart() {
    let place = heard_by(KEEP, "");
    place.same(3);
    place.page("foreign", "Theirs.\n");
    place.doc("foreign", "Mine.\n");
    place.write("no-id.md", "---\npage_id: [\n---\nx\n");
    let mut command = place.command(&["run"]);
    let log = std::fs::File::create(place.path("daemon.log")).unwrap();
    command.env("HUBSYNC_HUB__API_KEY_FILE", place.path("key")).env("HUBSYNC_WATCH__RESCAN", "2h");
    command.env("CREDENTIALS_DIRECTORY", place.dir.path()).stdout(log.try_clone().unwrap()).stderr(log);
    std::fs::write(place.path("key"), hubsync::sandbox::SANDBOX_KEY).unwrap();
    let daemon = crate::place::Running(command.spawn().unwrap());
    until("both are told", || told(&place).len() == 2);
    let mut first = told(&place);
    first.sort_by_key(|document| document["path"].as_str().unwrap().to_owned());
    let root = place.root();
    for (document, path, state, code) in
        [(&first[0], "foreign.md", "conflict", "first_meeting"), (&first[1], "no-id.md", "blocked", "front_matter")]
    {
        assert_eq!((&document["schema"], &document["problem"]), (&1.into(), &"page".into()), "{document}");
        assert_eq!((&document["path"], &document["state"]), (&path.into(), &state.into()), "{document}");
        assert_eq!(document["reason"]["code"], code, "{document}");
        assert_eq!(document["root"]["path"], root.to_str().unwrap(), "{document}");
        assert_eq!((&document["root"]["state"], &document["hub"]["state"]), (&"ok".into(), &"ok".into()));
        let message = document["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{path}: {state}: ")) && message.ends_with(&format!("[{code}]")));
        document["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    assert_eq!((&first[0]["page_id"], &first[0]["title"]), (&"foreign".into(), &"foreign".into()));
    assert_eq!(first[1]["page_id"], Value::Null);
    let environment = std::fs::read_to_string(&files_of(&place, "env")[0]).unwrap();
    assert!(environment.contains("HUBSYNC_WATCH__RESCAN=2h"), "{environment}");
    for secret in ["EXEC_API_KEY", "HUBSYNC_HUB__API_KEY_FILE", "CREDENTIALS_DIRECTORY", hubsync::sandbox::SANDBOX_KEY]
    {
        assert!(!environment.contains(secret), "{environment}");
    }
    let here = place.dir.path().canonicalize().unwrap();
    assert!(environment.ends_with(&format!("{} a b\n", here.display())), "the configuration's folder: {environment}");

    broken(&place, "p0");
    until("the third is told", || told(&place).len() == 3);
    // Still broken, in another way: nobody needs to hear that.
    place.write("p0.md", "");
    until("it is seen", || place.run(&["status"]).out.contains("file_empty"));
    place.doc("p0", "Mended.\n");
    until("it is well", || place.content("p0") == "Mended.\n");
    stands(&place, "p0.md", "in_step");
    broken(&place, "p0");
    until("it is told again", || told(&place).len() == 4);
    assert_eq!(told(&place)[3]["path"], "p0.md");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));

    // p0 is still broken, p1 comes to be: only that is told.
    broken(&place, "p1");
    let _daemon = place.daemon();
    until("the new one is told", || told(&place).len() == 5);
    broken(&place, "p2");
    until("the next is told", || told(&place).len() == 6);
    let paths: Vec<Value> = told(&place)[4..].iter().map(|document| document["path"].clone()).collect();
    assert_eq!(paths, ["p1.md", "p2.md"]);
}

#[test]
fn a_burst_is_ten_calls_of_which_the_last_sums_up_the_rest() {
    let place = heard_by(KEEP, "");
    for n in 0..30 {
        broken(&place, &format!("p{n:02}"));
    }
    let _daemon = place.daemon();
    until("ten calls", || told(&place).len() == 10);
    let told = told(&place);
    assert!(told[..9].iter().all(|document| document["problem"] == "page"), "{told:?}");
    let last = &told[9];
    assert_eq!((&last["problem"], &last["path"]), (&"several".into(), &Value::Null));
    assert!(last["message"].as_str().unwrap().ends_with("; and 20 more"), "{last}");
    let singles = told[..9].iter().map(|document| document["path"].clone());
    let mut all: Vec<Value> =
        singles.chain(last["pages"].as_array().unwrap().iter().map(|p| p["path"].clone())).collect();
    all.sort_by_key(|path| path.as_str().unwrap().to_owned());
    let wanted: Vec<Value> = (0..30).map(|n| format!("p{n:02}.md").into()).collect();
    assert_eq!(all, wanted, "each is told, none twice");
}

#[test]
fn a_root_that_goes_and_a_key_that_is_refused_are_told_once() {
    let place = heard_by(KEEP, "");
    place.same(2);
    let daemon = place.daemon();
    std::fs::rename(place.root(), place.path("elsewhere")).unwrap();
    until("the root is told", || told(&place).len() == 1);
    let document = &told(&place)[0];
    assert_eq!((&document["problem"], &document["reason"]["code"]), (&"root".into(), &"root_missing".into()));
    assert_eq!((&document["root"]["state"], &document["path"]), (&"missing".into(), &Value::Null));
    std::fs::rename(place.path("elsewhere"), place.root()).unwrap();
    until("the root is back", || place.json(&["status", "--json"])["root"]["state"] == "ok");
    place.hub.lock().model.settings_mut().key = "exec_live_another".to_owned();
    place.doc("p0", "New.\n");
    place.doc("p1", "New.\n");
    until("the key is told", || told(&place).len() == 2);
    let document = &told(&place)[1];
    assert_eq!((&document["problem"], &document["hub"]["state"]), (&"hub".into(), &"unauthorized".into()));
    assert!(document["message"].as_str().unwrap().contains("401"), "{document}");
    // Pages wait for the key: that is one problem, not three.
    broken(&place, "p9");
    until("the page is told", || told(&place).len() == 3);
    assert_eq!(told(&place)[2]["path"], "p9.md");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn a_command_that_hangs_or_fails_or_is_not_there_is_logged_and_holds_up_nothing() {
    let alive = |pid: &str| std::path::Path::new(&format!("/proc/{}", pid.trim())).exists();
    // It hangs with a child of its own, which has nothing to do with our stop.
    let place = heard_by("sleep 300 & echo $! > child; echo $$ > hangs; wait", "");
    place.same(1);
    let daemon = place.daemon();
    broken(&place, "p9");
    until("it hangs", || place.path("hangs").exists());
    place.doc("p0", "New.\n");
    until("the rest goes on", || place.content("p0") == "New.\n");
    let log = || std::fs::read_to_string(place.path("daemon.log")).unwrap();
    until("it is ended", || log().contains("did not end within 10 s"));
    let child = std::fs::read_to_string(place.path("child")).unwrap();
    until("its child is ended, too", || !alive(&child));
    // Another call hangs while we stop: we do not wait for it, and leave nothing behind.
    std::fs::remove_file(place.path("child")).unwrap();
    std::fs::remove_file(place.path("hangs")).unwrap();
    broken(&place, "p8");
    until("it hangs again", || place.path("hangs").exists());
    let child = std::fs::read_to_string(place.path("child")).unwrap();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    until("nothing is left", || !alive(&child));
    assert!(!log().contains("failed"), "{}", log());

    for (script, words) in
        [("echo 'no route\u{1b}[2J' >&2; exit 7", "failed (exit status: 7): no route"), ("", "can't be started")]
    {
        let place = heard_by(script, "");
        if script.is_empty() {
            std::fs::remove_file(place.path("hear")).unwrap();
        }
        place.same(1);
        let _daemon = place.daemon();
        broken(&place, "p9");
        let log = || std::fs::read_to_string(place.path("daemon.log")).unwrap();
        until(words, || log().contains(words));
        assert!(!log().contains('\u{1b}'), "{}", log());
        place.doc("p0", "New.\n");
        until("the rest goes on", || place.content("p0") == "New.\n");
        assert_eq!(log().matches(words).count(), 1, "{}", log());
    }
}
