//! Watching without loss: whatever is done to the folder arrives without waiting for a rescan, and where the system can't
//! tell of all changes, it is said and they are looked for.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::place::{Place, Running, until};

/// Nothing here is left to the rescan; nothing waits for the budget.
const CONFIG: &str = "hub:\n  url: URL\n  requests_per_minute: 10000\n  requests_per_day: 100000\npublish:\n  conflict_check: false\nwatch:\n  debounce: 100ms\n  rescan: 24h\n";

fn config(poll: &str, rescan: &str) -> String {
    format!("{}  poll: {poll}\n", CONFIG.replace("24h", rescan))
}

fn document(id: &str, body: &str) -> String {
    format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\n{body}")
}

fn put(folder: &Path, id: &str, body: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(format!("{id}.md")), document(id, body)).unwrap();
}

#[track_caller]
fn arrive(place: &Place, ids: &[String], body: &str) {
    for id in ids {
        until(&format!("{id} says {body:?}"), || place.content(id) == body);
    }
}

fn log(place: &Place) -> String {
    fs::read_to_string(place.path("daemon.log")).unwrap()
}

fn reason(place: &Place) -> Option<String> {
    let status = place.json(&["status", "--json"]);
    assert_eq!(status["root"]["state"], "ok", "{status}");
    status["root"]["reason"].as_str().map(str::to_owned)
}

/// `n` pages without text.
fn pages(place: &Place, name: &str, n: usize) -> Vec<String> {
    let ids: Vec<String> = (0..n).map(|n| format!("{name}{n}")).collect();
    ids.iter().for_each(|id| place.page(id, ""));
    ids
}

#[test]
fn folders_that_are_made_deep_moved_in_and_renamed_lose_nothing() {
    let place = Place::with(CONFIG);
    let (made, moved) = (pages(&place, "made", 50), pages(&place, "moved", 100));
    let _daemon = place.daemon();
    for id in &made {
        put(&place.root().join(format!("{id}/b/c")), id, "1\n");
    }
    for id in &moved {
        put(&place.path(&format!("elsewhere/{id}/b")), id, "1\n");
        fs::rename(place.path(&format!("elsewhere/{id}")), place.root().join(id)).unwrap();
    }
    let all = [made.clone(), moved.clone()].concat();
    arrive(&place, &all, "1\n");
    // What happens in them from now on is told, too.
    made.iter().for_each(|id| put(&place.root().join(format!("{id}/b/c")), id, "2\n"));
    moved.iter().for_each(|id| put(&place.root().join(format!("{id}/b")), id, "2\n"));
    arrive(&place, &all, "2\n");
    for id in &all {
        fs::rename(place.root().join(id), place.root().join(format!("renamed-{id}"))).unwrap();
    }
    made.iter().for_each(|id| put(&place.root().join(format!("renamed-{id}/b/c")), id, "3\n"));
    moved.iter().for_each(|id| put(&place.root().join(format!("renamed-{id}/b")), id, "3\n"));
    arrive(&place, &all, "3\n");
    // Out of the root and back, with another text meanwhile.
    fs::rename(place.root().join("renamed-made0"), place.path("out")).unwrap();
    put(&place.path("out/b/c"), "made0", "4\n");
    fs::rename(place.path("out"), place.root().join("back")).unwrap();
    arrive(&place, &made[..1], "4\n");
    put(&place.root().join("back/b/c"), "made0", "5\n");
    arrive(&place, &made[..1], "5\n");
    assert_eq!(reason(&place), None);
}

/// A setting of the whole machine, held low for a moment; one test at a time, and set back whatever happens.
struct Low {
    path: PathBuf,
    before: String,
    _turn: File,
}

impl Low {
    /// `None` where it may not be set.
    fn set(path: &str, value: &str) -> Option<Self> {
        let turn = File::create(std::env::temp_dir().join("hubsync-tests-sysctl.lock")).unwrap();
        rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let before = fs::read_to_string(path).ok()?;
        fs::write(path, value).ok()?;
        Some(Self { path: path.into(), before, _turn: turn })
    }
}

impl Drop for Low {
    fn drop(&mut self) {
        fs::write(&self.path, &self.before).unwrap();
    }
}

#[test]
fn a_queue_that_overflows_loses_nothing() {
    let place = Place::with(CONFIG);
    let ids = pages(&place, "p", 500);
    // Of the first folders each file is an event; of the others not even the folder is told any more.
    let folder = |n: usize| place.root().join(if n < 250 { "known".to_owned() } else { format!("new{}", n % 5) });
    fs::create_dir(folder(0)).unwrap();
    let Some(low) = Low::set("/proc/sys/fs/inotify/max_queued_events", "16") else {
        eprintln!("not run: this user may not set fs.inotify.max_queued_events");
        return;
    };
    let daemon = place.daemon();
    drop(low);
    // While it stands still nobody empties the queue.
    daemon.signal(Signal::STOP);
    ids.iter().enumerate().for_each(|(n, id)| put(&folder(n), id, "1\n"));
    daemon.signal(Signal::CONT);
    arrive(&place, &ids, "1\n");
    // The folders whose making was never told are watched by now.
    for (n, id) in ids.iter().enumerate().skip(495) {
        put(&folder(n), id, "2\n");
        until("an edit arrives by itself", || place.content(id) == "2\n");
    }
    assert_eq!(reason(&place), None);
}

/// A daemon under limits of its own (the per-namespace form of `fs.inotify.*`): nobody else on the machine feels them. They
/// are lifted when `lifted` is there. `None` where that is not allowed.
fn limited(place: &Place, limits: &[(&str, &str)]) -> Option<Running> {
    let set = |value: &dyn Fn(&str) -> String| -> String {
        limits.iter().map(|(name, low)| format!("echo {} > /proc/sys/user/{name} || exit 99\n", value(low))).collect()
    };
    let low = set(&|low| low.to_owned());
    let probe = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "sh", "-c", script]).stderr(Stdio::null()).status()
    };
    if !probe(&low).is_ok_and(|status| status.success()) {
        eprintln!("not run: no namespace with limits of its own to be had");
        return None;
    }
    let lift = set(&|_| "100000".to_owned());
    let script = format!(
        "{low}(for n in $(seq 600); do if [ -e lifted ]; then {lift} exit; fi; sleep 0.1; done) & exec \"$0\" run"
    );
    let mut unshare = place.command(&[]);
    let program = unshare.get_program().to_owned();
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "sh", "-c", &script])
        .arg(program)
        .current_dir(place.dir.path())
        .env_clear();
    command.envs(unshare.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let log = File::create(place.path("daemon.log")).unwrap();
    unshare.stdin(Stdio::null());
    Some(Running(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()))
}

/// Under a limit everything arrives, the setting is named, and nobody speaks of a disk; lifted, it is as ever.
fn under_a_limit(limit: &str, low: &str, sysctl: &str) {
    let place = Place::with(CONFIG);
    let ids = pages(&place, "p", 20);
    let folder = |id: &String| place.root().join(format!("folder-{id}"));
    ids[..10].iter().for_each(|id| put(&folder(id), id, "1\n"));
    let Some(daemon) = limited(&place, &[(limit, low)]) else { return };
    arrive(&place, &ids[..10], "1\n");
    until("the limit is named in status", || reason(&place).is_some_and(|why| why.contains(sysctl)));
    let text = place.run(&["status"]).out;
    assert!(text.contains("root ok") && text.contains(sysctl), "{text}");
    let said = format!("{}{text}", log(&place)).to_lowercase();
    assert!(said.contains(sysctl) && !said.contains("disk") && !said.contains("space"), "{said}");
    // Edited, and new, in folders that are watched and in folders that are not.
    ids[..10].iter().for_each(|id| put(&folder(id), id, "2\n"));
    ids[10..].iter().for_each(|id| put(&folder(id).join("deep"), id, "2\n"));
    arrive(&place, &ids, "2\n");
    fs::write(place.path("lifted"), "").unwrap();
    until("nothing is wrong any more", || reason(&place).is_none());
    ids[10..].iter().for_each(|id| put(&folder(id).join("deep"), id, "3\n"));
    arrive(&place, &ids[10..], "3\n");
    assert_eq!(log(&place).matches(sysctl).count(), 1, "it is said once: {}", log(&place));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn a_used_up_limit_of_watches_is_named_and_the_rest_is_looked_for() {
    under_a_limit("max_inotify_watches", "5", "fs.inotify.max_user_watches");
}

#[test]
fn a_used_up_limit_of_watchers_is_named_and_everything_is_looked_for() {
    under_a_limit("max_inotify_instances", "0", "fs.inotify.max_user_instances");
}

/// A document that lies in the root and, as the same file, elsewhere; what is written there comes without an event.
fn shared(place: &Place, id: &str) -> PathBuf {
    let elsewhere = place.path(&format!("{id}-elsewhere.md"));
    place.page(id, "1\n");
    fs::write(&elsewhere, document(id, "1\n")).unwrap();
    fs::hard_link(&elsewhere, place.root().join(format!("{id}.md"))).unwrap();
    elsewhere
}

/// How many watchers of the system a daemon has.
#[cfg(target_os = "linux")]
fn watchers(daemon: &Running) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.0.id())).unwrap();
    let targets = open.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().contains("inotify")).count()
}

#[cfg(target_os = "linux")]
#[test]
fn poll_always_compares_without_a_watcher_and_never_does_not_compare() {
    let (always, never) = (Place::with(&config("always", "24h")), Place::with(&config("never", "24h")));
    let files = [&always, &never].map(|place| shared(place, "p"));
    let daemons = [always.daemon(), never.daemon()];
    assert_eq!((watchers(&daemons[0]), watchers(&daemons[1])), (0, 1));
    for body in ["2\n", "3\n"] {
        files.iter().for_each(|file| fs::write(file, document("p", body)).unwrap());
        until("what no event tells is found", || always.content("p") == body);
    }
    assert_eq!(never.content("p"), "1\n", "twice as much time has passed, and nobody looked");
    assert_eq!((reason(&always), reason(&never)), (None, None));
    assert!(log(&always).contains("watch.poll: always"), "{}", log(&always));
    put(&never.root(), "q", "");
    never.page("q", "");
    put(&never.root(), "q", "Told.\n");
    until("what an event tells arrives", || never.content("q") == "Told.\n");
}

#[test]
fn what_a_rescan_finds_without_an_event_turns_polling_on_and_is_said() {
    for (poll, words) in [("auto", "every few seconds"), ("never", "only every `watch.rescan`")] {
        let place = Place::with(&config(poll, "1s"));
        let file = shared(&place, "p");
        let _daemon = place.daemon();
        assert_eq!(reason(&place), None);
        fs::write(&file, document("p", "2\n")).unwrap();
        until("the rescan finds it", || place.content("p") == "2\n");
        until("it is said in status", || {
            reason(&place).is_some_and(|why| why.contains("without an event") && why.contains(words))
        });
        assert!(log(&place).contains("without an event"), "{}", log(&place));
        assert!(place.run(&["status"]).out.contains(words));
    }
}

#[test]
fn copies_of_sync_tools_and_editors_are_ignored_and_listed() {
    let place = Place::with(CONFIG);
    place.page("p", "");
    place.doc("p", "1\n");
    let daemon = place.daemon();
    let copies = [
        "p (Jane's conflicted copy 2026-01-01).md",
        "p.sync-conflict-20260101-120000-ABCDEFG.md",
        "p_conflict-20260101-120000.md",
        "p (SFConflict jane@x.org 2026-01-01).md",
        "p [conflicted].md",
        "p_LOCAL_4711.md",
        "#p.md#",
        ".trash/p.md",
        ".stversions/p~20260101-120000.md",
        ".obsidian/p.md",
    ];
    for copy in copies {
        place.write(copy, document("p", "A copy.\n"));
    }
    place.doc("p", "2\n");
    until("the original goes on", || place.content("p") == "2\n");
    until("it is in step", || place.json(&["status", "--json"])["counts"]["in_step"] == 1);
    let status = place.json(&["status", "--json", "--all"]);
    assert_eq!(status["counts"]["blocked"], 0, "{status}");
    let ignored = status["pages"].as_array().unwrap().iter().filter(|page| page["reason"]["code"] == "ignored");
    assert_eq!(ignored.count(), 5, "copies that may hold somebody's edit are told: {status}");
    let listed = place.run(&["status", "-v"]).out;
    for pattern in [
        "*conflicted copy*",
        "*.sync-conflict-*",
        "*___jb_tmp___*",
        ".#*",
        "4913",
        "Syncthing",
        "vim",
        ".hubsyncignore",
    ] {
        assert!(listed.contains(pattern), "{pattern}: {listed}");
    }
    assert!(!place.run(&["status"]).out.contains("Syncthing"));
    // The original vanishes and the copy stays: nothing of the copy is published.
    fs::remove_file(place.root().join("p.md")).unwrap();
    until("it is missed", || place.json(&["status", "--json"])["counts"]["orphaned"] == 1);
    // A second document is the plan's second part, or a copy: only the newcomer is blocked, and the log names it.
    place.doc("p", "3\n");
    place.write("p 2.md", document("p", "A copy.\n"));
    until("the newcomer is told", || log(&place).contains("p 2.md") && log(&place).contains("duplicate_page_id"));
    until("the original goes on", || place.content("p") == "3\n");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn another_spelling_of_a_name_is_the_same_page() {
    let place = Place::with(CONFIG);
    let ids = pages(&place, "p", 3);
    let [lower, composed, decomposed] = ["plan", "Caf\u{e9}", "Cafe\u{301}"].map(|name| place.root().join(name));
    put(&lower, "p0", "1\n");
    put(&composed, "p1", "1\n");
    put(&decomposed, "p2", "1\n");
    let _daemon = place.daemon();
    arrive(&place, &ids, "1\n");
    place.requests();
    fs::rename(lower.join("p0.md"), lower.join("P0.MD")).unwrap();
    fs::rename(&lower, place.root().join("PLAN")).unwrap();
    let aside = place.path("aside");
    fs::rename(&composed, &aside).unwrap();
    fs::rename(&decomposed, &composed).unwrap();
    fs::rename(&aside, &decomposed).unwrap();
    // What comes last arrives when the rest has been looked at.
    fs::write(place.root().join("PLAN/P0.MD"), document("p0", "2\n")).unwrap();
    arrive(&place, &ids[..1], "2\n");
    assert_eq!(place.requests(), [("PATCH".to_owned(), 1)].into());
    put(&decomposed, "p1", "2\n");
    put(&composed, "p2", "2\n");
    arrive(&place, &ids, "2\n");
    until("all are in step", || place.json(&["status", "--json"])["counts"]["in_step"] == 3);
    let status = place.json(&["status", "--json", "--all"]);
    assert!(status["pages"].as_array().unwrap().iter().any(|page| page["path"] == "PLAN/P0.MD"), "{status}");
}

/// A daemon of a user who may not read everything: for the superuser no permission holds.
fn as_nobody(place: &Place) -> Option<Running> {
    let mut command = place.command(&["run"]);
    if rustix::process::getuid().is_root() {
        let uid = 65_534;
        let mut owned = vec![place.dir.path().to_owned()];
        while let Some(path) = owned.pop() {
            std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
            if path.is_dir() {
                owned.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        let plain = command;
        command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        if !Command::new("setpriv")
            .args(["--reuid", "65534", "--clear-groups"])
            .arg(plain.get_program())
            .arg("--version")
            .status()
            .is_ok_and(|status| status.success())
        {
            eprintln!("not run: nobody can't run the program here");
            return None;
        }
        command.arg(plain.get_program()).args(plain.get_args()).current_dir(place.dir.path()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    }
    let log = File::create(place.path("daemon.log")).unwrap();
    Some(Running(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()))
}

#[test]
fn what_may_not_be_read_is_told_and_not_gone_and_holds_up_nothing_else() {
    let place = Place::with(CONFIG);
    let ids = pages(&place, "p", 6);
    let folder = place.root().join("closed");
    ids[..3].iter().for_each(|id| put(&folder, id, "1\n"));
    ids[3..].iter().for_each(|id| put(&place.root(), id, "1\n"));
    let Some(daemon) = as_nobody(&place) else { return };
    arrive(&place, &ids, "1\n");
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&folder, 0);
    mode(&place.root().join("p3.md"), 0);
    let told = |name: &str| log(&place).lines().any(|line| line.contains(name) && line.contains("unreadable"));
    until("all of them are told", || ["p0.md", "p1.md", "p2.md", "p3.md"].iter().all(|name| told(name)));
    put(&place.root(), "p4", "2\n");
    arrive(&place, &ids[4..5], "2\n");
    assert!(!log(&place).contains("orphaned") && !log(&place).contains("gone"), "{}", log(&place));
    // Read again, it is as ever, by itself.
    fs::write(folder.join("p0.md"), document("p0", "3\n")).unwrap();
    fs::write(place.root().join("p3.md"), document("p3", "3\n")).unwrap();
    mode(&folder, 0o755);
    mode(&place.root().join("p3.md"), 0o644);
    for id in ["p0", "p3"] {
        until(id, || place.content(id) == "3\n");
    }
    fs::write(folder.join("p1.md"), document("p1", "4\n")).unwrap();
    until("the folder is watched again", || place.content("p1") == "4\n");
    assert!(
        !log(&place).contains("every few seconds"),
        "a folder that nobody may read needs no watching: {}",
        log(&place)
    );
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn files_without_a_page_that_need_a_person_are_told_once() {
    let place = Place::with(CONFIG);
    fs::write(place.path("outside.md"), "outside").unwrap();
    place.page("p", "");
    let daemon = place.daemon();
    std::os::unix::fs::symlink("../outside.md", place.root().join("out\u{1b}[2J\n.md")).unwrap();
    place.write("broken.md", "---\ntitle: [\n---\nText.\n");
    place.write("a.md", document("twice", ""));
    place.write("b.md", document("twice", ""));
    place.write("plain.md", "No document.\n");
    let told = |code: &str| log(&place).lines().filter(|line| line.contains(code)).count();
    until("all are told", || told("outside_root") == 1 && told("front_matter") == 1 && told("duplicate_page_id") == 2);
    // Looked at again and again.
    for body in ["1\n", "2\n"] {
        place.write("plain.md", body);
        place.doc("p", body);
        until("something else happens", || place.content("p") == body);
    }
    daemon.signal(Signal::HUP);
    until("it goes on", || log(&place).contains("are read again"));
    assert_eq!((told("outside_root"), told("front_matter"), told("duplicate_page_id")), (1, 1, 2), "{}", log(&place));
    assert_eq!(told("plain.md"), 0);
    assert!(!log(&place).contains('\u{1b}'));
}
