//! The root: swapped, missing, mounted over, half gone, another one. What is suspect is held and said, nothing is published
//! or archived for it, and what comes back is recovered without anyone's help (promise 5).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::place::{Place, until};

const CONFIG: &str = "watch:\n  debounce: 100ms\n  rescan: 24h\n";

fn put(folder: &Path, id: &str, body: &str) {
    fs::create_dir_all(folder).unwrap();
    let text = format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\n{body}");
    fs::write(folder.join(format!("{id}.md")), text).unwrap();
}

/// The link is never missing: it names the one or the other.
fn swap(link: &Path, target: impl AsRef<Path>) {
    if link.is_dir() && !link.is_symlink() {
        fs::remove_dir(link).unwrap();
    }
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

fn log(place: &Place) -> String {
    fs::read_to_string(place.path("daemon.log")).unwrap()
}

#[track_caller]
fn until_root(place: &Place, state: &str) -> serde_json::Value {
    let mut status = serde_json::Value::Null;
    until(&format!("the root is {state}"), || {
        status = place.json(&["status", "--json"]);
        status["root"]["state"] == state
    });
    status
}

#[track_caller]
fn until_in_step(place: &Place, pages: usize) {
    until(&format!("{pages} are in step"), || place.json(&["status", "--json"])["counts"]["in_step"] == pages);
}

/// What was written, in order: page and text.
fn written(place: &Place) -> Vec<(String, String)> {
    let hub = place.hub.lock();
    let writes = hub.model.log().iter().filter(|entry| entry.method == "PATCH");
    let write = |entry: &hubsync::sandbox::LogEntry| {
        let body: serde_json::Value = serde_json::from_slice(&entry.body).unwrap();
        let id = entry.target.rsplit('/').next().unwrap().to_owned();
        (id, body["content"].as_str().unwrap_or_default().to_owned())
    };
    writes.map(write).collect()
}

/// How a tool lays out its revisions: writes revision `rev` of the texts and swaps to it; answers the folder of the old one.
type Swap = fn(&Place, &[String], usize) -> PathBuf;

/// What a document says in a revision: every second one is the same in all of them.
fn text(n: usize, rev: usize) -> String {
    if n.is_multiple_of(2) { format!("Revision {rev}.\n") } else { "The same in all.\n".to_owned() }
}

fn write_all(folder: &Path, ids: &[String], rev: usize) {
    for (n, id) in ids.iter().enumerate() {
        put(folder, id, &text(n, rev));
    }
}

/// `current → releases/N`, and the root is `current`.
fn capistrano(place: &Place, ids: &[String], rev: usize) -> PathBuf {
    write_all(&place.path(&format!("releases/{rev}")), ids, rev);
    swap(&place.root(), format!("releases/{rev}"));
    place.path(&format!("releases/{}", rev.saturating_sub(1)))
}

/// `link → .worktrees/HASH`, and the root is a folder in it, by another link.
fn git_sync(place: &Place, ids: &[String], rev: usize) -> PathBuf {
    write_all(&place.path(&format!("git/.worktrees/rev{rev}/handbook")), ids, rev);
    swap(&place.path("git/link"), format!(".worktrees/rev{rev}"));
    if rev == 0 {
        swap(&place.root(), "git/link/handbook");
    }
    place.path(&format!("git/.worktrees/rev{}", rev.saturating_sub(1)))
}

/// Files are links to `..data/NAME`, `..data` is a link to a dated folder: no event ever names a document.
fn kubernetes(place: &Place, ids: &[String], rev: usize) -> PathBuf {
    write_all(&place.root().join(format!("..2026_{rev}")), ids, rev);
    let new = place.root().join("..data_tmp");
    symlink(format!("..2026_{rev}"), &new).unwrap();
    fs::rename(new, place.root().join("..data")).unwrap();
    for id in ids.iter().filter(|_| rev == 0) {
        symlink(format!("..data/{id}.md"), place.root().join(format!("{id}.md"))).unwrap();
    }
    place.root().join(format!("..2026_{}", rev.saturating_sub(1)))
}

fn swaps(layout: Swap) {
    let place = Place::with(CONFIG);
    let ids: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    ids.iter().enumerate().for_each(|(n, id)| place.page(id, &text(n, 0)));
    layout(&place, &ids, 0);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    for rev in 1..=3 {
        let old = layout(&place, &ids, rev);
        // The old one goes before anybody can have looked, or only when all has arrived.
        if rev == 2 {
            fs::remove_dir_all(&old).unwrap();
        }
        for (n, id) in ids.iter().enumerate() {
            until("the revision arrives", || place.content(id) == text(n, rev));
        }
        if rev != 2 {
            fs::remove_dir_all(&old).unwrap();
        }
    }
    // Under load: one after the other, old ones gone at once.
    for rev in 4..=20 {
        fs::remove_dir_all(layout(&place, &ids, rev)).unwrap();
    }
    for (n, id) in ids.iter().enumerate() {
        until("the last revision arrives", || place.content(id) == text(n, 20));
    }
    let writes = written(&place);
    let once: BTreeSet<_> = writes.iter().collect();
    assert_eq!(once.len(), writes.len(), "each text arrives once: {writes:?}");
    assert!(
        writes.iter().all(|(id, _)| ids.iter().position(|known| known == id).unwrap().is_multiple_of(2)),
        "{writes:?}"
    );
    until_in_step(&place, ids.len());
    // What is made in the new one is told.
    place.page("new", "");
    put(&place.root(), "new", "New.\n");
    until("it is watched", || place.content("new") == "New.\n");
}

#[test]
fn a_link_to_the_current_release_is_followed() {
    swaps(capistrano);
}

#[test]
fn a_checkout_that_git_sync_swaps_is_followed() {
    swaps(git_sync);
}

#[test]
fn a_mounted_config_map_is_followed() {
    swaps(kubernetes);
}

#[test]
fn a_root_that_vanishes_is_waited_for_and_what_takes_its_place_is_held() {
    let place = Place::with(CONFIG);
    let ids = place.same(4);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    let away = place.path("away");
    fs::rename(place.root(), &away).unwrap();
    let status = until_root(&place, "missing");
    assert!(status["root"]["reason"].as_str().unwrap().contains("is not there"), "{status}");
    until("it is said", || log(&place).contains("the root is missing, everything is held"));
    // An empty folder, and another's, in which one of ours says something else.
    for id in [None, Some("p0")] {
        fs::create_dir(place.root()).unwrap();
        place.doc("foreign", "Foreign.\n");
        id.iter().for_each(|id| put(&place.root(), id, "Foreign.\n"));
        let found = usize::from(id.is_some());
        let said = format!("only {found} of 4 known documents");
        until("it is told from ours", || {
            let status = place.json(&["status", "--json"]);
            status["root"]["state"] == "changed" && status["root"]["reason"].as_str().unwrap().contains(&said)
        });
        until("it is said", || {
            log(&place).matches("most of the known documents are not in the root").count() == 1 + found
        });
        place.run(&["status"]).ends(1);
        fs::remove_dir_all(place.root()).unwrap();
        until_root(&place, "missing");
        until("it is said", || log(&place).matches("the root is missing, everything is held").count() == 2 + found);
    }
    fs::rename(&away, place.root()).unwrap();
    until("it is back", || log(&place).contains("the root is back"));
    until_in_step(&place, 4);
    assert!(place.requests().is_empty(), "nothing was asked or sent");
    place.doc(&ids[0], "Ours.\n");
    until("it goes on by itself", || place.content("p0") == "Ours.\n");
}

#[test]
fn half_of_the_root_gone_is_held_and_what_comes_back_goes_on() {
    let place = Place::with(CONFIG);
    let ids = place.same(6);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    let away = place.path("away");
    fs::create_dir(&away).unwrap();
    let name = |id: &String| format!("{id}.md");
    ids[..4].iter().for_each(|id| fs::rename(place.root().join(name(id)), away.join(name(id))).unwrap());
    until("it is held", || log(&place).contains("most of the known documents are not in the root"));
    place.doc("p5", "Edited meanwhile.\n");
    let status = until_root(&place, "changed");
    assert!(status["root"]["reason"].as_str().unwrap().contains("only 2 of 6"), "{status}");
    assert_eq!((&status["counts"]["orphaned"], &status["counts"]["pending"]), (&0.into(), &6.into()), "{status}");
    // Three of six are enough.
    fs::rename(away.join(name(&ids[0])), place.root().join(name(&ids[0]))).unwrap();
    until("what was edited meanwhile arrives", || place.content("p5") == "Edited meanwhile.\n");
    assert_eq!(written(&place).len(), 1);
    until_in_step(&place, 3);
    let counts = &until_root(&place, "ok")["counts"];
    assert_eq!(counts["orphaned"], 3, "known to be gone, and kept in the hub: {counts}");
    ids[1..4].iter().for_each(|id| fs::rename(away.join(name(id)), place.root().join(name(id))).unwrap());
    until_in_step(&place, 6);
    assert_eq!(written(&place).len(), 1);
}

/// Something mounted over a folder, for as long as it is kept.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where that is not allowed.
    fn over(at: &Path, args: &[&str]) -> Option<Self> {
        let mut mount = Command::new("mount");
        let done = mount.args(args).arg(at).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_file_system_that_is_mounted_over_the_root_is_held() {
    let place = Place::with(CONFIG);
    place.same(4);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    let foreign = place.path("foreign");
    put(&foreign, "p0", "Foreign.\n");
    put(&foreign, "x", "Foreign.\n");
    let bind = ["--bind", foreign.to_str().unwrap()];
    for (round, args) in [&["-t", "tmpfs", "none"][..], &bind].into_iter().enumerate() {
        let Some(mounted) = Mounted::over(&place.root(), args) else {
            eprintln!("not run: nothing can be mounted here");
            return;
        };
        until_root(&place, "changed");
        until("it is said", || {
            log(&place).matches("most of the known documents are not in the root").count() == round + 1
        });
        drop(mounted);
        until("it is back", || log(&place).matches("the root is back").count() == round + 1);
        until_in_step(&place, 4);
    }
    assert!(place.requests().is_empty(), "nothing was asked or sent");
    place.doc("p0", "Ours.\n");
    until("it is watched as before", || place.content("p0") == "Ours.\n");
}

#[test]
fn a_root_that_truly_is_another_needs_a_persons_word() {
    let place = Place::with(CONFIG);
    place.same(4);
    place.run(&["sync"]).ends(0);
    fs::remove_dir_all(place.root()).unwrap();
    place.page("new", "");
    fs::create_dir(place.root()).unwrap();
    place.doc("new", "New.\n");
    place.requests();
    let held = place.run(&["sync"]).ends(1);
    assert!(held.out.contains("sync --confirm-root") && held.out.contains("only 0 of 4"), "{held:?}");
    assert_eq!(place.requests().get("PATCH"), None);
    // The daemon that meets it holds it as well; a person's word is remembered by all.
    let daemon = place.start(&["run"]);
    until("it is said", || log(&place).contains("sync --confirm-root"));
    assert!(place.requests().is_empty());
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    place.run(&["sync", "--confirm-root"]).ends(0);
    assert_eq!(place.content("new"), "New.\n");
    let status = place.json(&["status", "--json", "--all"]);
    assert_eq!((&status["root"]["state"], &status["counts"]["orphaned"]), (&"ok".into(), &4.into()), "{status}");
    let _daemon = place.daemon();
    place.doc("new", "Newer.\n");
    until("the daemon goes on with it", || place.content("new") == "Newer.\n");
    assert_eq!(written(&place).len(), 2);
}

#[test]
fn a_root_with_two_names_is_kept_by_one() {
    let place = Place::with(CONFIG);
    place.same(1);
    let _daemon = place.daemon();
    let (link, bound) = (place.path("link"), place.path("bound"));
    symlink("docs", &link).unwrap();
    fs::create_dir(&bound).unwrap();
    let mounted = Mounted::over(&bound, &["--bind", place.root().to_str().unwrap()]);
    for other in [Some(&link), mounted.as_ref().map(|_| &bound)].into_iter().flatten() {
        let mut second = place.command(&["run"]);
        let ran = crate::place::Ran::to_the_end({
            second.env("HUBSYNC_STATE", "./other.db").env("HUBSYNC_ROOT", other);
            second
        });
        assert!(ran.code == 2 && ran.err.contains("another hubsync"), "{ran:?}");
    }
}
