//! The state and the ledger as they are found: damaged, cut off, of a newer version, in use. Nothing is lost, nothing is
//! overwritten, nobody publishes beside another.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use hubsync::sandbox::Act;
use hubsync::sandbox::server::clock;
use rustix::process::Signal;

use crate::place::{Place, Ran, Running, files, until};

const QUICK: &str = "watch:\n  debounce: 100ms\n";

fn hub_says(place: &Place, id: &str, text: &str) {
    let act = Act::Publish { title: id.to_owned(), content: text.to_owned() };
    place.hub.lock().model.colleague(clock(), id, act).unwrap();
}

type Damage = (&'static str, fn(&mut Vec<u8>));

/// Each way in which a file is not what it was.
const DAMAGES: [Damage; 5] = [
    ("a garbage head", |bytes| bytes[..200].fill(b'x')),
    ("a garbage page in the middle", |bytes| {
        let middle = bytes.len() / 8192 * 4096;
        bytes[middle..middle + 4096].fill(0xa5);
    }),
    ("a flipped byte in a record", |bytes| {
        // Wherever it stands: a copy may lie in what is unused.
        let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"p0.md")).collect();
        places.into_iter().for_each(|at| bytes[at] = b'q');
    }),
    ("cut in two", |bytes| bytes.truncate(bytes.len() / 2)),
    ("nothing left", Vec::clear),
];

fn damage(path: &Path, (_, damage): Damage) -> Vec<u8> {
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        assert!(!PathBuf::from(beside).exists(), "the file alone holds everything");
    }
    let mut bytes = fs::read(path).unwrap();
    damage(&mut bytes);
    fs::write(path, &bytes).unwrap();
    bytes
}

fn aside(place: &Place, name: &str) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with(name) && !file.ends_with("-wal") && !file.ends_with("-shm")
    };
    files(place.dir.path()).into_iter().filter(is_one).collect()
}

#[test]
fn a_damaged_state_is_moved_aside_and_what_was_held_stays_held() {
    // Side by side: each waits some seconds for what the last run may have sent.
    thread::scope(|scope| {
        for how in DAMAGES {
            scope.spawn(move || damaged_state(how));
        }
    });
}

fn damaged_state(how: Damage) {
    let place = Place::with(QUICK);
    place.same(4);
    place.run(&["sync"]).ends(0);
    // p0: in conflict. p1: changed here, p2: changed there, neither met by a run yet.
    hub_says(&place, "p0", "Theirs.\n");
    place.doc("p0", "Mine.\n");
    place.run(&["sync"]).ends(1);
    place.doc("p1", "Mine.\n");
    hub_says(&place, "p2", "Theirs.\n");
    let bytes = damage(&place.path("state.db"), how);
    place.requests();
    let ran = place.run(&["sync"]).ends(1);
    let moved = aside(&place, "state.db.damaged-");
    if bytes.is_empty() {
        assert!(moved.is_empty(), "{}: nothing is left to be kept", how.0);
    } else {
        assert!(ran.err.contains("the state was damaged; it is now"), "{}: {ran:?}", how.0);
        assert_eq!(moved.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), [bytes], "{}", how.0);
    }
    let requests = place.requests();
    assert_eq!((requests.get("PATCH"), requests["GET"]), (None, 4), "{}: every page is met again", how.0);
    let texts: Vec<String> = (0..4).map(|n| place.content(&format!("p{n}"))).collect();
    assert_eq!(texts, ["Theirs.\n", "Same.\n", "Theirs.\n", "Same.\n"], "{}", how.0);
    let status = place.json(&["status", "--json"]);
    let held: Vec<_> = status["pages"].as_array().unwrap().iter().filter(|page| page["state"] == "conflict").collect();
    assert_eq!(held.len(), 3, "{}: {status:#}", how.0);
    assert!(held.iter().all(|page| page["reason"]["code"] == "first_meeting"), "{}: {status:#}", how.0);
    // And it goes on from there.
    place.doc("p3", "Mine.\n");
    place.run(&["sync"]).ends(1);
    assert_eq!(place.content("p3"), "Mine.\n", "{}", how.0);
}

#[test]
fn a_state_or_a_ledger_of_a_newer_version_is_left_alone() {
    for name in ["state.db", "xdg/hubsync/usage.db"] {
        let place = Place::with(QUICK);
        place.same(2);
        place.run(&["sync"]).ends(0);
        place.doc("p0", "New.\n");
        place.requests();
        let path = place.path(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
        fs::write(&path, &bytes).unwrap();
        for command in ["sync", "run"] {
            let ran = ends_by_itself(&place, &mut place.command(&[command])).ends(2);
            assert!(ran.err.contains("was written by a newer hubsync (format 99)"), "{name}: {ran:?}");
            assert!(ran.err.contains("use that version"), "{name}: {ran:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name} is left as it is, byte for byte");
        assert!(aside(&place, "state.db.damaged").is_empty() && aside(&place, "usage.db.damaged").is_empty());
        assert!(place.requests().is_empty(), "{name}");
    }
}

#[test]
fn a_damaged_ledger_lets_no_more_out_than_the_limit() {
    for how in DAMAGES {
        let place = Place::with("hub:\n  url: URL\n  requests_per_minute: 6\n  requests_per_day: 40\n");
        // Two are left of the minute's, were it known.
        place.same(4);
        place.run(&["sync"]).ends(0);
        let ledger = place.path("xdg/hubsync/usage.db");
        let mut bytes = fs::read(&ledger).unwrap();
        if how.0 == "a flipped byte in a record" {
            let is_hub =
                |at: &usize| bytes.get(*at..at + 64).is_some_and(|part| part.iter().all(u8::is_ascii_hexdigit));
            let hubs: Vec<usize> = (0..bytes.len()).filter(is_hub).collect();
            hubs.into_iter().for_each(|at| bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' });
        } else {
            how.1(&mut bytes);
        }
        fs::write(&ledger, &bytes).unwrap();
        for n in 0..4 {
            place.doc(&format!("p{n}"), "New.\n");
        }
        place.requests();
        let ran = place.run(&["sync", "--max-wait", "0"]).ends(75);
        assert!(ran.err.contains("the ledger of requests was damaged; it is now"), "{}: {ran:?}", how.0);
        place.run(&["sync", "--max-wait", "0"]).ends(75);
        assert!(place.requests().is_empty(), "{}: the minute before is not known", how.0);
        let status = place.json(&["status", "--json"]);
        assert_eq!(status["hub"]["state"], "paused", "{}: {status:#}", how.0);
        assert!(status["hub"]["reason"].as_str().unwrap().contains("at most 2 an hour"), "{}: {status:#}", how.0);
        assert!(status["budget"]["day"]["used"].as_u64() >= Some(38), "{}: {status:#}", how.0);
        assert!(status["budget"]["next_free_at"].is_string(), "{}: {status:#}", how.0);
        assert_eq!(fs::read(&aside(&place, "usage.db.damaged-")[0]).unwrap(), bytes, "{}", how.0);
    }
}

#[test]
fn nobody_publishes_beside_a_daemon_whatever_the_root_is_called() {
    let place = Place::with(QUICK);
    place.same(2);
    let daemon = place.daemon();
    symlink(place.root(), place.path("link")).unwrap();
    daemon.signal(Signal::STOP);
    place.doc("p0", "New.\n");
    place.requests();
    let other = [("HUBSYNC_STATE", "./other.db"), ("HUBSYNC_ROOT", "./link")];
    for env in [&other[..0], &other[..1], &other[1..], &other[..]] {
        for command in ["run", "sync"] {
            // The daemon of this state would take an order, if it were not stopped.
            let (code, words) = match (command, env.first() == other.first()) {
                ("sync", false) => (75, "does not answer"),
                _ => (2, "another hubsync"),
            };
            let ran = ends_by_itself(&place, place.command(&[command]).envs(env.iter().copied())).ends(code);
            assert!(ran.err.contains(words), "{env:?}: {ran:?}");
        }
    }
    assert!(place.requests().is_empty(), "somebody asked the hub beside the daemon");
    assert_eq!(place.version("p0"), 1);
    daemon.signal(Signal::CONT);
    until("the daemon publishes", || place.content("p0") == "New.\n");
    // Killed, it holds nothing any more.
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.code(), None);
    place.doc("p1", "New.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!((place.version("p0"), place.version("p1")), (2, 2));
}

#[test]
fn a_root_that_comes_later_is_kept_by_one_daemon_alone() {
    let place = Place::with(QUICK);
    place.page("p0", "");
    fs::remove_dir(place.root()).unwrap();
    let first = place.start(&["run"]);
    until("the first one waits", || place.json(&["status", "--json"])["root"]["state"] == "missing");
    let second = place.command(&["run"]).env("HUBSYNC_STATE", "./other.db").stderr(said(&place)).spawn().unwrap();
    let second = Running(second);
    until("the second one waits", || fs::read_to_string(place.path("second.log")).unwrap().contains("root is missing"));
    fs::create_dir(place.root()).unwrap();
    place.doc("p0", "Here.\n");
    until("one of them publishes", || place.content("p0") == "Here.\n");
    let held = || {
        fs::read_to_string(place.path("second.log")).unwrap() + &fs::read_to_string(place.path("daemon.log")).unwrap()
    };
    until("the other one says why it doesn't", || held().contains("is in use by another hubsync"));
    assert_eq!(place.requests(), [("GET".to_owned(), 1), ("PATCH".to_owned(), 1)].into(), "one alone");
    drop((first, second));
}

/// Runs a command that must not go on: one that does is ended, and fails the test.
pub fn ends_by_itself(place: &Place, command: &mut Command) -> Ran {
    let words = place.path("ends.log");
    let log = fs::File::create(&words).unwrap();
    let running = Running(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let code = running.code().unwrap_or(-1);
    Ran { code, out: String::new(), err: fs::read_to_string(words).unwrap() }
}

fn said(place: &Place) -> fs::File {
    fs::File::create(place.path("second.log")).unwrap()
}
