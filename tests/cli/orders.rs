//! Orders to a running daemon: `sync` beside it, and the socket by which they travel.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use hubsync::sandbox::Act;
use hubsync::sandbox::server::clock;
use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, Ran, Running, until};

/// So quiet that only an order publishes in time.
const SLOW: &str = "watch:\n  debounce: 10m\n  max_delay: 20m\n";

fn counted(report: &Value) -> (u64, u64) {
    let n = |method: &str| report["requests"][method].as_u64().unwrap_or(0);
    (n("GET"), n("PATCH"))
}

#[test]
fn sync_beside_a_daemon_publishes_at_once_and_reports_as_without_one() {
    let place = Place::with(SLOW);
    place.same(3);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    place.doc("p0", "New.\n");
    place.doc("p1", "Later.\n");
    place.requests();
    // No key is needed: the daemon has it.
    let mut command = place.command(&["sync", "docs/p0.md"]);
    let ran = Ran::to_the_end({
        command.env_remove("EXEC_API_KEY");
        command
    })
    .ends(0);
    assert!(ran.out.contains("published p0.md (title, content, status, version 2)"), "{ran:?}");
    assert!(ran.out.contains("1 in step\n") && ran.out.contains("requests: 1 GET, 1 PATCH"), "{ran:?}");
    assert_eq!(
        (place.content("p0").as_str(), place.content("p1").as_str()),
        ("New.\n", "Same.\n"),
        "only what was named"
    );
    // Published within the hour, it would wait for more quiet by itself.
    place.doc("p0", "Newer.\n");
    let report = place.json(&["sync", "docs/p0.md", "--json"]);
    assert_eq!((report["schema"].as_u64(), counted(&report)), (Some(1), (1, 1)), "{report:#}");
    assert_eq!(report["pages"].as_array().unwrap().len(), 1);
    assert_eq!(report["daemon"]["pid"].as_u64(), Some(u64::from(daemon.0.id())));
    let report = place.json(&["sync", "--json"]);
    assert_eq!((report["counts"]["in_step"].as_u64(), counted(&report)), (Some(3), (1, 1)), "{report:#}");
    assert_eq!(place.content("p1"), "Later.\n");
    // Nothing changed: a look of its own, as without a daemon.
    place.requests();
    place.run(&["sync"]).ends(0);
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into());
}

#[test]
fn an_order_finds_what_changed_in_the_hub_and_what_is_broken() {
    let place = Place::with(SLOW);
    place.same(3);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    std::os::unix::fs::symlink(place.root(), place.path("link")).unwrap();
    let ran = Ran::of(place.command(&["sync"]).env("HUBSYNC_ROOT", "./link").output().unwrap()).ends(2);
    assert!(ran.err.contains("the daemon of this state keeps"), "{ran:?}");
    let act = Act::Publish { title: "p0".to_owned(), content: "Theirs.\n".to_owned() };
    place.hub.lock().model.colleague(clock(), "p0", act).unwrap();
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.out.contains("p0.md: drifted"), "{ran:?}");
    place.run(&["sync", "--strict"]).ends(1);
    place.write("p1.md", "---\npage_id: p1\nstatus: publishd\n---\nText.\n");
    let ran = place.run(&["sync", "docs/p1.md"]).ends(1);
    assert!(ran.out.contains("p1.md:3:9: blocked") && ran.err.contains("publishd"), "{ran:?}");
    place.run(&["sync", "docs/p2.md"]).ends(0);
    place.run(&["sync", "/etc/hosts"]).ends(2);
}

#[test]
fn a_first_meeting_is_settled_by_an_order_for_what_it_names() {
    let place = Place::with(SLOW);
    for id in ["p0", "p1"] {
        place.page(id, "Theirs.\n");
        place.doc(id, "Mine.\n");
    }
    place.run(&["sync"]).ends(1);
    let _daemon = place.daemon();
    place.run(&["sync"]).ends(1);
    place.run(&["sync", "docs/p0.md", "--first-meeting", "local"]).ends(0);
    assert_eq!((place.content("p0").as_str(), place.content("p1").as_str()), ("Mine.\n", "Theirs.\n"));
    place.run(&["sync"]).ends(1);
    assert_eq!(place.content("p1"), "Theirs.\n", "it holds for that order alone");
}

#[test]
fn a_dry_run_beside_a_daemon_sends_and_writes_nothing() {
    let place = Place::with(SLOW);
    place.same(2);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.doc("p0", "New.\n");
    place.requests();
    let ran = place.run(&["sync", "--dry-run"]).ends(1);
    assert!(ran.out.contains("would publish  p0.md: title, content, status"), "{ran:?}");
    assert!(ran.err.contains("a daemon runs (pid"), "{ran:?}");
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into(), "the look of its own");
    assert_eq!(place.version("p0"), 1);
    place.run(&["sync"]).ends(0);
    assert_eq!(place.version("p0"), 2, "and the daemon does it");
}

#[test]
fn an_order_waits_no_longer_than_it_was_told_and_says_come_back_later() {
    let place = Place::with(SLOW);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    place.doc("p0", "New.\n");
    place.faults(&["GET/delay-before=300000:1"]);
    let ran = place.run(&["sync", "--max-wait", "1s"]).ends(75);
    assert!(ran.out.contains("p0.md: pending"), "{ran:?}");
    let orders = || fs::read_to_string(place.path("daemon.log")).unwrap().matches("publish now").count();
    let waiting = Running(place.command(&["sync"]).spawn().unwrap());
    until("it has given its order", || orders() == 2);
    waiting.signal(Signal::INT);
    assert_eq!(waiting.code(), Some(130));
    // The daemon that ends meanwhile is told from one that is done.
    let said = fs::File::create(place.path("sync.err")).unwrap();
    let waiting = Running(place.command(&["sync"]).stderr(said).spawn().unwrap());
    until("it has given its order", || orders() == 3);
    daemon.signal(Signal::KILL);
    assert_eq!(waiting.code(), Some(75));
    assert!(fs::read_to_string(place.path("sync.err")).unwrap().contains("the daemon has ended before this was done"));
}

#[test]
fn another_root_is_confirmed_beside_a_daemon() {
    let place = Place::with(SLOW);
    place.same(4);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    for n in 0..3 {
        fs::remove_file(place.path(&format!("docs/p{n}.md"))).unwrap();
    }
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("root changed"), "{ran:?}");
    let ran = place.run(&["sync", "--confirm-root"]).ends(0);
    assert!(ran.out.contains("1 in step, 3 orphaned"), "{ran:?}");
    place.run(&["sync"]).ends(0);
}

fn ask(place: &Place, line: &str) -> Vec<Value> {
    let mut stream = UnixStream::connect(place.path("state.db.sock")).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
    BufReader::new(stream).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

#[test]
fn the_socket_is_private_takes_one_line_and_survives_what_is_no_order() {
    let place = Place::with(SLOW);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    let found = fs::symlink_metadata(place.path("state.db.sock")).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert!(!place.path("state.db.sock.new").exists());
    for line in [
        "",
        "{}",
        "nonsense \u{1b}[2J",
        "{\"protocol\":2,\"order\":{\"sync\":{\"root\":\"ROOT\",\"paths\":[\"..%2Fx\"],\"max_wait\":1,\"confirm_root\":false,\"strict\":false}}}",
    ] {
        let line = line.replace("ROOT", &place.root().to_string_lossy().replace('/', "%2F").replace('.', "%2E"));
        let said = ask(&place, &line);
        assert_eq!(said[0]["hello"]["pid"].as_u64(), Some(u64::from(daemon.0.id())), "{said:?}");
        assert_eq!(said[1]["refused"]["exit"], 2, "{line}: {said:?}");
    }
    let said = ask(&place, "{\"protocol\":99,\"order\":{\"unheard\":{\"of\":1}}}");
    assert!(said[1]["refused"]["why"].as_str().unwrap().contains("takes other orders; restart it"), "{said:?}");
    // More connections than there are places, that say nothing, or never end their line.
    let idle: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(place.path("state.db.sock")).unwrap()).collect();
    let endless = thread::spawn({
        let path = place.path("state.db.sock");
        move || {
            let mut stream = UnixStream::connect(path).unwrap();
            let part = [b'x'; 65_536];
            // Ends when the daemon has had enough.
            while stream.write_all(&part).is_ok() {}
        }
    });
    place.doc("p0", "New.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
    endless.join().unwrap();
    for mut stream in idle {
        let mut nothing = Vec::new();
        drop(stream.read_to_end(&mut nothing));
        assert!(nothing.is_empty());
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    assert!(!place.path("state.db.sock").exists(), "it goes with its daemon");
}

#[test]
fn a_socket_whose_daemon_died_is_nothing() {
    let place = Place::with(SLOW);
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.daemon();
    daemon.signal(Signal::KILL);
    daemon.code();
    assert!(place.path("state.db.sock").exists());
    place.doc("p0", "New.\n");
    place.run(&["sync"]).ends(0);
    place.run(&["pause"]).ends(0);
    place.run(&["resume"]).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
    let _daemon = place.daemon();
    place.doc("p0", "Newer.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p0"), "Newer.\n");
}

/// Holds the lock of a state as a daemon does.
fn hold(state: &Path) -> fs::File {
    let mut lock = state.as_os_str().to_owned();
    lock.push(".lock");
    let lock = fs::File::create(PathBuf::from(lock)).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    lock
}

#[test]
fn a_daemon_of_another_version_is_named_with_its_cure() {
    let place = Place::with(SLOW);
    place.same(1);
    let _lock = hold(&place.path("state.db"));
    let listener = UnixListener::bind(place.path("state.db.sock")).unwrap();
    let newer = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"{\"hello\":{\"protocol\":3,\"version\":\"7.0.0\",\"pid\":1,\"more\":[]}}\n").unwrap();
            // Until it hangs up.
            drop(stream.read_to_end(&mut Vec::new()));
        }
    });
    for command in ["sync", "pause"] {
        let ran = Ran::to_the_end(place.command(&[command])).ends(2);
        assert!(ran.err.contains("is hubsync 7.0.0, which does not understand this hubsync"), "{ran:?}");
        assert!(ran.err.contains("restart the daemon, or use its version"), "{ran:?}");
    }
    newer.join().unwrap();
    assert!(place.requests().is_empty());
}

#[test]
fn a_state_that_is_held_without_a_socket_is_said() {
    let place = Place::with(SLOW);
    place.same(1);
    let _lock = hold(&place.path("state.db"));
    let ran = place.run(&["sync"]).ends(2);
    assert!(ran.err.contains("another hubsync") && ran.err.contains("takes no orders"), "{ran:?}");
}

#[test]
fn a_state_with_a_path_too_long_for_a_socket_is_reached_all_the_same() {
    let place = Place::new();
    let deep = format!("{}/{}", "deep/".repeat(30), "s".repeat(200));
    place.config("");
    let text = fs::read_to_string(place.path("hubsync.yaml")).unwrap();
    fs::write(place.path("hubsync.yaml"), text.replace("./state.db", &format!("./{deep}")) + SLOW).unwrap();
    place.same(1);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.doc("p0", "New.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
}
