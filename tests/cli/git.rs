//! Publishing from a git checkout: off its branch, in the middle of something, or not checked out, nothing is published and
//! nothing counts as gone; and our looks are never in git's way.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::place::{Place, Ran, files, until};

pub const ON_MAIN: &str = "watch:\n  debounce: 100ms\ngit:\n  branch: main\n";

/// Git as nobody has configured it.
pub fn git_command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(args).current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/nowhere");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@b");
    }
    command.env("GIT_EDITOR", "true");
    command
}

#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    let ran = Ran::of(git_command(folder, args).output().unwrap());
    assert_eq!(ran.code, 0, "git {args:?}: {ran:?}");
    ran.out
}

/// It stops half-way, as it should here.
#[track_caller]
fn git_stops(folder: &Path, args: &[&str]) {
    let ran = Ran::of(git_command(folder, args).output().unwrap());
    assert_ne!(ran.code, 0, "git {args:?}: {ran:?}");
}

#[track_caller]
pub fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-qm", message]);
}

#[track_caller]
pub fn init(folder: &Path) {
    git(folder, &["init", "-qb", "main"]);
    commit(folder, "first");
}

/// `n` documents in step, in a repository whose branch `main` is published.
fn in_step(n: usize) -> Place {
    let place = Place::with(ON_MAIN);
    place.same(n);
    init(&place.root());
    place.run(&["sync"]).ends(0);
    place.requests();
    place
}

/// The state and the reason of a page.
#[track_caller]
pub fn stands(report: &Value, path: &str) -> (String, String) {
    let page = report["pages"].as_array().unwrap().iter().find(|page| page["path"] == path);
    let page = page.unwrap_or_else(|| panic!("{path} is not listed: {report:#}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&page["state"]), text(&page["reason"]["code"]))
}

fn said(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

#[test]
fn another_branch_and_back_costs_nothing_and_a_merge_is_published() {
    let place = in_step(12);
    let root = place.root();
    let _daemon = place.daemon();
    git(&root, &["checkout", "-qb", "feature"]);
    for n in 0..11 {
        place.doc(&format!("p{n}"), "Feature.\n");
    }
    std::fs::remove_file(root.join("p11.md")).unwrap();
    commit(&root, "feature");
    let status = || place.json(&["status", "--json"]);
    until("all is held", || status()["counts"]["skipped"] == 12);
    let held = status();
    assert_eq!(stands(&held, "p11.md"), said("skipped", "off_branch"), "not gone either");
    assert_eq!(held["root"]["state"], "ok");
    assert!(held["root"]["reason"].as_str().unwrap().contains("`feature` is checked out"), "{held:#}");
    place.run(&["status"]).ends(0);
    // Long enough for whatever would be published.
    until("the daemon says it", || std::fs::read_to_string(place.path("daemon.log")).unwrap().contains("off_branch"));
    git(&root, &["checkout", "-q", "main"]);
    until("all is in step again", || status()["counts"]["in_step"] == 12);
    assert!(place.requests().is_empty(), "neither there nor back");
    git(&root, &["merge", "-q", "feature"]);
    until("the merge is published", || (0..11).all(|n| place.content(&format!("p{n}")) == "Feature.\n"));
    until("a file that the merge removed is gone", || stands(&status(), "p11.md") == said("orphaned", "file_gone"));
    assert_eq!(place.requests().get("PATCH"), Some(&11));
}

#[test]
fn what_waits_is_not_sent_from_another_branch() {
    let place = in_step(20);
    let root = place.root();
    let _daemon = place.daemon();
    place.faults(&["PATCH/delay-before=1500:1"]);
    for n in 0..20 {
        place.doc(&format!("p{n}"), "Main.\n");
    }
    until("it has begun", || place.hub.lock().model.log().iter().any(|entry| entry.method == "PATCH"));
    // The same files under another name: only git's own files tell.
    git(&root, &["checkout", "-qb", "feature"]);
    until("the rest is held", || place.json(&["status", "--json"])["counts"]["skipped"] == 20);
    until("the daemon holds it, too", || {
        std::fs::read_to_string(place.path("daemon.log")).unwrap().contains("off_branch")
    });
    let sent = place.requests().get("PATCH").copied().unwrap_or_default();
    place.faults(&[]);
    git(&root, &["checkout", "-q", "main"]);
    until("the rest follows", || (0..20).all(|n| place.content(&format!("p{n}")) == "Main.\n"));
    assert!(sent < 20, "all were sent before it was held");
}

#[test]
fn whatever_git_is_in_the_middle_of_holds_everything_until_it_ends() {
    let place = in_step(2);
    let root = place.root();
    std::fs::write(root.join("notes.txt"), "one\n").unwrap();
    commit(&root, "one");
    git(&root, &["checkout", "-qb", "feature"]);
    std::fs::write(root.join("notes.txt"), "theirs\n").unwrap();
    commit(&root, "theirs");
    git(&root, &["checkout", "-q", "main"]);
    for text in ["ours\n", "ours, too\n"] {
        std::fs::write(root.join("notes.txt"), text).unwrap();
        commit(&root, "ours");
    }
    git(&root, &["format-patch", "-q", "-1", "feature", "-o", "../patches"]);
    let patch = files(&place.path("patches"))[0].to_string_lossy().into_owned();
    let begun: &[(&str, &[&str], &[&str])] = &[
        ("MERGE_HEAD", &["merge", "feature"], &["merge", "--abort"]),
        ("rebase-merge", &["rebase", "feature"], &["rebase", "--abort"]),
        ("rebase-apply", &["am", "-3", &patch], &["am", "--abort"]),
        ("CHERRY_PICK_HEAD", &["cherry-pick", "feature"], &["cherry-pick", "--abort"]),
        ("REVERT_HEAD", &["revert", "HEAD~1"], &["revert", "--abort"]),
        ("sequencer", &["cherry-pick", "feature", "feature~1"], &["cherry-pick", "--abort"]),
    ];
    for (marker, begin, abort) in begun {
        git_stops(&root, begin);
        assert!(root.join(".git").join(marker).exists(), "{marker}");
        let ran = place.run(&["sync", "--json"]).ends(75);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(stands(&report, "p0.md"), said("pending", "git_busy"), "{marker}");
        assert!(place.requests().is_empty(), "{marker}");
        git(&root, abort);
        place.run(&["sync"]).ends(0);
        place.requests();
    }
    git(&root, &["bisect", "start"]);
    let ran = place.run(&["sync"]).ends(75);
    assert!(ran.out.contains("a bisect is under way"), "{ran:?}");
    git(&root, &["bisect", "reset"]);
    place.run(&["sync"]).ends(0);
}

#[test]
fn a_fresh_lock_holds_and_a_stale_one_is_told() {
    let place = in_step(1);
    place.doc("p0", "New.\n");
    let lock = place.root().join(".git/index.lock");
    let file = std::fs::File::create(&lock).unwrap();
    let ran = place.run(&["sync"]).ends(75);
    assert!(ran.out.contains("git_busy") && ran.out.contains("index.lock"), "{ran:?}");
    assert_eq!(place.content("p0"), "Same.\n");
    file.set_modified(SystemTime::now() - Duration::from_secs(1_200)).unwrap();
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.err.contains("index.lock is older than 10 minutes"), "{ran:?}");
    assert_eq!(place.content("p0"), "New.\n");
    assert!(lock.exists(), "it is git's, so we leave it");
}

#[test]
fn a_detached_head_needs_a_person_or_a_name() {
    let place = in_step(1);
    let root = place.root();
    place.doc("p0", "New.\n");
    commit(&root, "new");
    git(&root, &["checkout", "-q", "--detach"]);
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("HEAD is detached") && ran.out.contains("--branch NAME"), "{ran:?}");
    place.run(&["status"]).ends(1);
    let ran = place.run(&["sync", "--branch", "v2"]).ends(0);
    assert!(ran.out.contains("this is `v2`"), "{ran:?}");
    assert!(place.requests().is_empty());
    place.run(&["sync", "--branch", "main"]).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
    // Where no branch is named every commit is as good as another.
    place.config("");
    place.doc("p0", "Newer.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p0"), "Newer.\n");
}

#[test]
fn without_a_checkout_nobody_knows_the_branch() {
    let place = Place::with(ON_MAIN);
    place.same(1);
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("lies in no git checkout") && ran.out.contains("set git.branch to null"), "{ran:?}");
    assert_eq!(stands(&place.json(&["status", "--json"]), "p0.md"), said("skipped", "off_branch"));
    assert!(place.requests().is_empty());
    place.run(&["sync", "--branch", "main"]).ends(0);
}

#[test]
fn a_first_run_off_the_branch_names_what_it_holds() {
    let place = Place::with(ON_MAIN);
    place.same(2);
    init(&place.root());
    git(&place.root(), &["checkout", "-qb", "feature"]);
    let report = place.json(&["sync", "--json"]);
    assert_eq!(stands(&report, "p1.md"), said("skipped", "off_branch"));
    git(&place.root(), &["checkout", "-q", "main"]);
    place.run(&["sync"]).ends(0);
    assert_eq!(place.json(&["status", "--json"])["counts"]["in_step"], 2);
}

#[test]
fn a_worktree_has_its_own_head_and_its_own_operations() {
    let place = in_step(1);
    let main = place.root();
    git(&main, &["worktree", "add", "-q", "-b", "feature", "../wt"]);
    std::fs::write(main.join(".git/MERGE_HEAD"), "").unwrap();
    let sync = |branch: &str| {
        let mut command = place.command(&["sync"]);
        Ran::of(command.env("HUBSYNC_ROOT", "./wt").env("HUBSYNC_GIT__BRANCH", branch).output().unwrap())
    };
    let ran = sync("main").ends(0);
    assert!(ran.out.contains("`feature` is checked out"), "{ran:?}");
    assert!(place.requests().is_empty());
    std::fs::write(place.path("wt/p0.md"), "---\npage_id: p0\ntitle: p0\nstatus: published\n---\nWorktree.\n").unwrap();
    sync("feature").ends(0);
    assert_eq!(place.content("p0"), "Worktree.\n");
    let own = place.root().join(".git/worktrees/wt/CHERRY_PICK_HEAD");
    std::fs::write(&own, "").unwrap();
    sync("feature").ends(75);
    std::fs::remove_file(own).unwrap();
    // Moved away without git: the file `.git` leads nowhere.
    std::fs::rename(main.join(".git"), place.path("elsewhere")).unwrap();
    let ran = sync("feature").ends(1);
    assert!(ran.out.contains("git worktree repair"), "{ran:?}");
}

#[test]
fn a_root_may_be_a_subfolder_and_a_submodule() {
    let place = Place::with(ON_MAIN);
    place.same(1);
    init(&place.root());
    let outer = place.path("outer");
    std::fs::create_dir(&outer).unwrap();
    git(&outer, &["init", "-qb", "main"]);
    let inner = place.root().to_string_lossy().into_owned();
    git(&outer, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &inner, "deep/handbook"]);
    commit(&outer, "with a submodule");
    let sync = |root: &str| {
        let mut command = place.command(&["sync"]);
        Ran::of(command.env("HUBSYNC_ROOT", root).output().unwrap())
    };
    // The submodule itself is on `main`, too; the repository around it doesn't count then.
    git(&outer, &["checkout", "-qb", "feature"]);
    sync("./outer/deep/handbook").ends(0);
    assert_eq!(place.requests().get("GET"), Some(&1), "it was met");
    // A subfolder around it belongs to the outer repository.
    let ran = sync("./outer/deep").ends(0);
    assert!(ran.out.contains("`feature` is checked out"), "{ran:?}");
    git(&outer, &["checkout", "-q", "main"]);
    let ran = sync("./outer/deep").ends(0);
    assert!(ran.out.contains("1 in step"), "documents of a submodule are part of the checkout: {ran:?}");
    // Not fetched: its documents are not gone.
    git(&outer, &["submodule", "--quiet", "deinit", "-f", "deep/handbook"]);
    std::fs::write(outer.join("deep/plain.md"), "plain\n").unwrap();
    let ran = sync("./outer/deep").ends(0);
    assert!(ran.out.contains("2 skipped"), "{ran:?}");
}

#[test]
fn other_repositories_and_worktrees_in_the_root_are_no_part_of_it() {
    let place = in_step(2);
    let root = place.root();
    git(&root, &["worktree", "add", "-q", "-b", "feature", "wt"]);
    std::fs::create_dir(root.join("clone")).unwrap();
    std::fs::copy(root.join("p0.md"), root.join("clone/p0.md")).unwrap();
    init(&root.join("clone"));
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.out.starts_with("2 in step\n"), "no duplicate ids: {ran:?}");
    place.config("watch:\n  debounce: 100ms\n");
    let _daemon = place.daemon();
    place.requests();
    place.write("wt/p1.md", "---\npage_id: p1\ntitle: p1\nstatus: published\n---\nIn the worktree.\n");
    place.doc("p0", "New.\n");
    until("the document is published", || place.content("p0") == "New.\n");
    assert_eq!(place.content("p1"), "Same.\n");
}

#[test]
fn what_is_not_checked_out_is_not_gone() {
    let place = in_step(6);
    let root = place.root();
    for n in 0..2 {
        place.write(
            &format!("other/p{n}.md"),
            format!("---\npage_id: p{n}\ntitle: p{n}\nstatus: published\n---\nSame.\n"),
        );
        std::fs::remove_file(root.join(format!("p{n}.md"))).unwrap();
    }
    commit(&root, "moved");
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    let status = || place.json(&["status", "--json"]);
    git(&root, &["sparse-checkout", "set", "nothing-here"]);
    assert!(!root.join("other/p0.md").exists());
    until("a sparse checkout is seen", || stands(&status(), "other/p0.md") == said("skipped", "not_checked_out"));
    git(&root, &["sparse-checkout", "set", "--sparse-index", "nothing-here"]);
    place.run(&["status"]).ends(0);
    assert_eq!(stands(&status(), "other/p1.md"), said("skipped", "not_checked_out"));
    git(&root, &["sparse-checkout", "disable"]);
    until("it is back", || status()["counts"]["in_step"] == 6);
    git(&root, &["update-index", "--skip-worktree", "p2.md"]);
    std::fs::remove_file(root.join("p2.md")).unwrap();
    until("skip-worktree is seen", || stands(&status(), "p2.md") == said("skipped", "not_checked_out"));
    std::fs::remove_file(root.join("p3.md")).unwrap();
    until("a file that a person deletes is gone", || stands(&status(), "p3.md") == said("orphaned", "file_gone"));
    assert!(place.requests().is_empty());
}

#[test]
fn without_git_the_gate_says_what_it_can_not_tell_and_the_rest_works() {
    let place = in_step(6);
    let root = place.root();
    place.doc("p0", "New.\n");
    std::fs::remove_file(root.join("p1.md")).unwrap();
    let without_git = |args: &[&str]| Ran::of(place.command(args).env("PATH", "/nowhere").output().unwrap());
    let ran = without_git(&["sync"]).ends(0);
    assert!(ran.err.contains("git is not installed"), "{ran:?}");
    assert!(ran.out.contains("p1.md: orphaned"), "{ran:?}");
    assert_eq!(place.content("p0"), "New.\n");
    git(&root, &["sparse-checkout", "set", "nothing-here"]);
    let ran = without_git(&["status", "--json"]).ends(0);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(stands(&report, "p1.md"), said("skipped", "not_checked_out"), "nobody can tell, so it is not gone");
    git(&root, &["checkout", "-qb", "feature"]);
    let ran = without_git(&["sync"]).ends(0);
    assert!(ran.out.contains("`feature` is checked out"), "{ran:?}");
}

#[test]
fn refs_in_a_table_are_asked_of_git() {
    let place = Place::with(ON_MAIN);
    place.same(1);
    let root = place.root();
    let made = git_command(&root, &["init", "-qb", "main", "--ref-format=reftable"]).output().unwrap();
    if !made.status.success() {
        eprintln!("not tried: this git knows no reftable");
        return;
    }
    commit(&root, "first");
    place.run(&["sync"]).ends(0);
    place.requests();
    git(&root, &["checkout", "-qb", "feature"]);
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.out.contains("`feature` is checked out"), "{ran:?}");
    git(&root, &["checkout", "-q", "--detach"]);
    place.run(&["sync"]).ends(1);
    let ran = Ran::of(place.command(&["sync"]).env("PATH", "/nowhere").output().unwrap()).ends(1);
    assert!(ran.out.contains("only git can tell") && ran.out.contains("not installed"), "{ran:?}");
    assert!(place.requests().is_empty());
}

#[test]
fn line_ends_of_another_clone_are_no_change() {
    let place = in_step(3);
    let root = place.root();
    let crlf = place.path("crlf");
    let at = root.to_string_lossy().into_owned();
    git(place.dir.path(), &["-c", "core.autocrlf=true", "clone", "-q", &at, "crlf"]);
    git(&crlf, &["config", "core.autocrlf", "true"]);
    assert!(std::fs::read_to_string(crlf.join("p0.md")).unwrap().contains("\r\n"));
    std::fs::copy(place.path("state.db"), place.path("crlf.db")).unwrap();
    let twin = |args: &[&str]| {
        let mut command = place.command(args);
        Ran::of(command.env("HUBSYNC_ROOT", "./crlf").env("HUBSYNC_STATE", "./crlf.db").output().unwrap())
    };
    let ran = twin(&["sync"]).ends(0);
    assert!(ran.out.starts_with("3 in step"), "{ran:?}");
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into(), "the look that every sync begins with");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into());
}

#[test]
fn what_git_left_in_a_file_is_blocked() {
    let place = in_step(2);
    place.write("p0.md", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n");
    place.doc("p1", "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> feature\n");
    commit(&place.root(), "oops");
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("lfs_pointer") && ran.out.contains("git lfs pull"), "{ran:?}");
    assert!(ran.out.contains("merge_markers"), "{ran:?}");
    assert_eq!((place.content("p0"), place.content("p1")), ("Same.\n".into(), "Same.\n".into()));
}

#[test]
fn a_rebase_of_50_commits_is_not_disturbed_and_finds_nothing_of_ours() {
    let place = in_step(5);
    let root = place.root();
    git(&root, &["checkout", "-qb", "feature"]);
    for n in 0..50 {
        place.doc(&format!("p{}", n % 5), &format!("Feature {n}.\n"));
        commit(&root, &format!("feature {n}"));
    }
    git(&root, &["checkout", "-q", "main"]);
    std::fs::write(root.join("notes.txt"), "main\n").unwrap();
    commit(&root, "main");
    let control = place.path("control");
    assert!(Command::new("cp").arg("-a").arg(&root).arg(&control).status().unwrap().success());
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    for folder in [&root, &control] {
        git(folder, &["rebase", "-q", "main", "feature"]);
    }
    git(&root, &["checkout", "-q", "main"]);
    git(&control, &["checkout", "-q", "main"]);
    let names = |folder: &Path| -> BTreeSet<String> {
        let git = folder.join(".git");
        let names = files(&git).into_iter().map(|path| path.strip_prefix(&git).unwrap().to_string_lossy().into_owned());
        // Commits differ by their times.
        names.filter(|name| !name.starts_with("objects/")).collect()
    };
    until("all is in step", || place.json(&["status", "--json"])["counts"]["in_step"] == 5);
    assert_eq!(names(&root), names(&control));
    assert!(place.requests().is_empty(), "no text of the rebase was published");
    git(&root, &["fsck", "--strict"]);
    git(&root, &["merge", "-q", "--ff-only", "feature"]);
    until("the last texts are published", || {
        (45..50).all(|n| place.content(&format!("p{}", n % 5)) == format!("Feature {n}.\n"))
    });
}

#[test]
fn git_never_learns_the_key_and_is_told_to_take_no_lock() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = in_step(6);
    std::fs::remove_file(place.root().join("p1.md")).unwrap();
    std::fs::create_dir(place.path("bin")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let script = format!("#!/bin/sh\nenv >> {}\nPATH={path} exec git \"$@\"\n", place.path("env").display());
    std::fs::write(place.path("bin/git"), script).unwrap();
    std::fs::set_permissions(place.path("bin/git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{path}", place.path("bin").display());
    let run =
        |args: &[&str]| Ran::of(place.command(args).env("PATH", &path).env("GIT_DIR", "/elsewhere").output().unwrap());
    run(&["sync"]).ends(0);
    run(&["sync", "--since", "HEAD"]).ends(0);
    let env = std::fs::read_to_string(place.path("env")).unwrap();
    assert!(env.contains("GIT_OPTIONAL_LOCKS=0") && env.contains("GIT_TERMINAL_PROMPT=0"), "{env}");
    assert!(!env.contains("EXEC_API_KEY") && !env.contains("GIT_DIR"), "{env}");
}

#[test]
fn init_writes_the_branch_that_is_checked_out() {
    let place = Place::new();
    place.same(1);
    init(&place.root());
    git(&place.root(), &["checkout", "-qb", "team/docs"]);
    std::fs::remove_file(place.path("hubsync.yaml")).unwrap();
    let ran = Ran::of(place.command(&["init", "docs"]).env_remove("EXEC_API_KEY").output().unwrap()).ends(0);
    let written = std::fs::read_to_string(place.path("hubsync.yaml")).unwrap();
    assert!(written.contains("\n  branch: team/docs\n"), "{ran:?} {written}");
    place.run(&["config"]).ends(0);
}
