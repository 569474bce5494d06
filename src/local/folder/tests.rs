//! The root on a real file system, and what is told of it.
#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::engine::settled::Found;
use crate::local::scan::Unlisted;
use crate::policy::Policy;

/// A root with a folder above it that is not part of it.
struct Bench {
    dir: tempfile::TempDir,
    folder: Folder,
}

fn patterns() -> Patterns {
    Patterns::new(&["**/*.md".to_owned(), "**/*.markdown".to_owned()], &[]).unwrap()
}

/// Some time after all that a test has done: nothing is young any more.
fn later() -> Wall {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Wall(i64::try_from(now).unwrap() + 100_000)
}

fn id(text: &str) -> PageId {
    PageId::parse(text).unwrap()
}

fn path(text: &str) -> DocPath {
    DocPath::new(text).unwrap()
}

fn text(id: &str, body: &str) -> String {
    format!("---\npage_id: {id}\n---\n{body}\n")
}

impl Bench {
    fn new(known: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        let mut bench =
            Self { folder: Folder::new("x".into(), patterns(), Policy::default().rules, vec![], vec![]), dir };
        bench.restart(vec![], known);
        bench
    }

    fn restart(&mut self, cache: Vec<(DocPath, CacheEntry)>, known: &[(&str, &str)]) {
        self.restart_with(Policy::default().rules, cache, known);
    }

    fn restart_with(&mut self, rules: Rules, cache: Vec<(DocPath, CacheEntry)>, known: &[(&str, &str)]) {
        let known = known.iter().map(|(page, at)| Known { page: id(page), path: path(at), presence: Presence::There });
        self.folder = Folder::new(self.at(""), patterns(), rules, cache, known.collect());
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::create_dir_all(self.at(to).parent().unwrap()).unwrap();
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    fn scan(&mut self) -> Vec<String> {
        lines(&self.folder.scan(later(), Quiet::AtOnce))
    }

    fn look(&mut self, paths: &[&str]) -> Vec<String> {
        lines(&self.folder.look(&paths.iter().map(PathBuf::from).collect(), later(), Quiet::For(2_000)))
    }
}

/// What a round tells, as a person would read it, sorted.
fn lines(round: &Round) -> Vec<String> {
    let mut lines: Vec<String> = round.settled.iter().map(line).collect();
    match &round.health {
        RootHealth::Ok => {}
        RootHealth::Missing(_) => lines.push("root missing".to_owned()),
        RootHealth::Changed { known, found } => lines.push(format!("root changed: {found} of {known}")),
        RootHealth::Held(checkout) => lines.push(format!("held: {}", checkout.reason().code.as_str())),
    }
    lines.sort();
    lines
}

fn line(settled: &Settled) -> String {
    match settled {
        Settled::Page { id, path, found } => match found {
            Found::Document(authored) => format!("{id}: {} says {:?}", path.to_text(), authored.source),
            Found::Held(reason) | Found::Unnamed { reason, .. } => {
                format!("{id}: {} {}", path.to_text(), reason.code.as_str())
            }
            Found::Gone { .. } => format!("{id}: {} gone", path.to_text()),
        },
        Settled::Loose { path, reason, .. } => format!("{} {}", path.to_text(), reason.code.as_str()),
        Settled::Newborn { path, .. } => format!("{} no_page_id", path.to_text()),
        Settled::StillGone { id } => format!("{id}: still gone"),
        Settled::Emptied { folders } => format!("{folders:?} emptied"),
        Settled::LooseGone { path } => format!("{} no more", path.to_text()),
    }
}

fn says(id: &str, path: &str, text: &str) -> String {
    format!("{id}: {path} says {:?}", crate::page::Digest::of(text))
}

#[test]
fn what_was_told_is_not_told_again() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "one"));
    bench.write("plain.md", "no front matter");
    assert_eq!(bench.scan(), [says("A", "a.md", &text("A", "one")), "plain.md no_front_matter".to_owned()]);
    assert_eq!(bench.scan(), [""; 0]);
    bench.write("a.md", &text("A", "two"));
    assert_eq!(bench.look(&["a.md"]), [says("A", "a.md", &text("A", "two"))]);
    bench.write("a.md", &text("A", "two"));
    assert_eq!(bench.look(&["a.md"]), [""; 0], "touched, with the same words");
    bench.write("plain.md", &text("P", "x"));
    assert_eq!(bench.look(&["plain.md"]), [says("P", "plain.md", &text("P", "x")), "plain.md no more".to_owned()]);
}

#[test]
fn a_renamed_folder_tells_new_paths_with_the_same_words() {
    let mut bench = Bench::new(&[]);
    for n in 0..5 {
        bench.write(&format!("old/{n}.md"), &text(&format!("P{n}"), "x"));
    }
    let before = bench.folder.scan(later(), Quiet::AtOnce).settled;
    bench.rename("old", "new");
    let after = bench.folder.look(&["old".into(), "new".into()].into(), later(), Quiet::For(2_000)).settled;
    assert_eq!(after.len(), 5);
    for (before, after) in before.iter().zip(&after) {
        let (Settled::Page { id: a, found: x, .. }, Settled::Page { id: b, found: y, path }) = (before, after) else {
            panic!("{before:?} {after:?}")
        };
        assert_eq!((a, x), (b, y));
        assert!(path.as_path().starts_with("new"));
    }
}

#[test]
fn a_deleted_file_is_gone_since_it_was_first_missed() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    bench.write("b.md", &text("B", "x"));
    bench.scan();
    fs::remove_file(bench.at("a.md")).unwrap();
    let missed = later();
    let round = bench.folder.scan(missed, Quiet::AtOnce);
    let [Settled::Page { found: Found::Gone { since }, .. }] = &round.settled[..] else { panic!("{round:?}") };
    assert!(since.0 >= missed.0 && since.0 < missed.0 + 60_000);
    assert_eq!(round.cache_gone, [path("a.md")]);
    let again = bench.folder.scan(missed.plus(3_600_000), Quiet::AtOnce).settled;
    assert!(matches!(&again[..], [Settled::StillGone { .. }]), "and not since a later moment: {again:?}");
    assert_eq!(bench.look(&["a.md", "b.md"]), [""; 0], "it may have moved to where nobody looked");
    bench.write("a.md", &text("A", "x"));
    assert_eq!(bench.look(&["a.md"]), [says("A", "a.md", &text("A", "x"))]);
}

#[test]
fn another_document_in_the_place_of_one_that_is_gone_says_nothing_of_that() {
    let mut bench = Bench::new(&[("A", "a.md"), ("B", "b.md"), ("C", "c.md")]);
    for id in ["A", "B", "C"] {
        bench.write(&format!("{}.md", id.to_lowercase()), &text(id, "x"));
    }
    bench.scan();
    fs::remove_file(bench.at("a.md")).unwrap();
    assert_eq!(bench.scan(), ["A: a.md gone"]);
    fs::rename(bench.at("b.md"), bench.at("a.md")).unwrap();
    let mut told = bench.scan();
    told.sort();
    assert_eq!(told, ["A: still gone".to_owned(), says("B", "a.md", &text("B", "x"))]);
    bench.write("c.md", &text("D", "x"));
    assert!(bench.scan().contains(&"C: c.md front_matter".to_owned()), "an id that was typed over is put back");
}

#[test]
fn a_known_file_that_is_truncated_is_held_and_comes_back() {
    let mut bench = Bench::new(&[("A", "a.md")]);
    bench.write("a.md", "");
    assert_eq!(bench.scan(), ["A: a.md file_empty"]);
    bench.write("a.md", "\0\0\0\0");
    bench.look(&["a.md"]);
    bench.write("a.md", "front matter lost");
    assert_eq!(bench.look(&["a.md"]), ["A: a.md front_matter"]);
    bench.write("a.md", &text("A", "x"));
    assert_eq!(bench.look(&["a.md"]), [says("A", "a.md", &text("A", "x"))]);
}

#[test]
fn special_files_and_links_out_of_the_root_are_told_and_delay_no_other() {
    let mut bench = Bench::new(&[]);
    fs::write(bench.dir.path().join("secret.md"), text("S", "secret")).unwrap();
    bench.write("a.md", &text("A", "x"));
    rustix::fs::mknodat(rustix::fs::CWD, bench.at("pipe.md"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    fs::create_dir(bench.at("folder.md")).unwrap();
    symlink("../secret.md", bench.at("out.md")).unwrap();
    symlink("..", bench.at("up")).unwrap();
    symlink("a.md", bench.at("also.md")).unwrap();
    symlink(bench.at("a.md"), bench.at("absolute.md")).unwrap();
    symlink("../secret.md", bench.at("out too.md")).unwrap();
    symlink("gone.md", bench.at("dangling.md")).unwrap();
    let expected = [
        says("A", "a.md", &text("A", "x")),
        "dangling.md unreadable".to_owned(),
        "out too.md outside_root".to_owned(),
        "out.md outside_root".to_owned(),
        "pipe.md unreadable".to_owned(),
    ];
    assert_eq!(bench.scan(), expected);
}

#[test]
fn a_document_behind_a_link_is_seen_to_change_when_the_link_is_swapped_elsewhere() {
    // As Kubernetes mounts a ConfigMap: no event ever names the document.
    let mut bench = Bench::new(&[]);
    bench.write("..2026_1/a.md", &text("A", "one"));
    bench.write("..2026_2/a.md", &text("A", "two"));
    symlink("..2026_1", bench.at("..data")).unwrap();
    symlink("..data/a.md", bench.at("a.md")).unwrap();
    assert_eq!(bench.scan(), [says("A", "a.md", &text("A", "one"))]);
    symlink("..2026_2", bench.at("..tmp")).unwrap();
    bench.rename("..tmp", "..data");
    assert_eq!(bench.look(&["..data"]), [says("A", "a.md", &text("A", "two"))]);
}

#[test]
fn a_document_that_is_ignored_from_now_on_is_held() {
    let mut bench = Bench::new(&[]);
    bench.write("x/a.md", &text("A", "x"));
    bench.write("b.md", &text("B", "x"));
    bench.scan();
    bench.write("x/.gitignore", "*.md\n");
    assert_eq!(bench.look(&["x/.gitignore"]), ["A: x/a.md ignored"]);
    fs::remove_file(bench.at("x/.gitignore")).unwrap();
    assert_eq!(bench.look(&["x/.gitignore"]), [says("A", "x/a.md", &text("A", "x"))]);
    bench.write("x/.gitignore", "*.md\n");
    bench.write("y/a.md", &text("A", "y"));
    assert_eq!(bench.scan(), [says("A", "y/a.md", &text("A", "y"))], "the other one is its document now");
}

#[test]
fn a_conflict_copy_is_reported_and_does_not_disturb_its_original() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    bench.scan();
    bench.write("a.sync-conflict-20260101-120000-ABCDEFG.md", &text("A", "other"));
    assert_eq!(bench.scan(), ["a.sync-conflict-20260101-120000-ABCDEFG.md ignored"]);
    bench.write("a 2.md", &text("A", "copy"));
    assert_eq!(bench.scan(), ["a 2.md duplicate_page_id"], "a copy by no known name");
    bench.write("a.md", &text("A", "edited"));
    assert_eq!(bench.scan(), [says("A", "a.md", &text("A", "edited"))]);
}

#[test]
fn what_lies_in_a_folder_that_cannot_be_listed_is_held_not_gone() {
    let mut bench = Bench::new(&[("A", "x/a.md"), ("B", "b.md")]);
    bench.write("x/a.md", &text("A", "x"));
    bench.write("b.md", &text("B", "x"));
    bench.scan();
    let unlisted = Unlisted { path: "x".into(), cause: "Input/output error".to_owned() };
    let root = Arc::new(Root::open(&bench.at("")).unwrap());
    let mut walked = scan::walk(root.real(), &patterns(), &Scope::All);
    walked.files.retain(|file| !file.path.as_path().starts_with("x"));
    walked.unlisted.push(unlisted);
    let round = bench.folder.take_in(&root, &Scope::All, walked, Clock::starting(later()), Quiet::AtOnce);
    assert_eq!(lines(&round), ["A: x/a.md unreadable"]);
    assert_eq!(round.cache_gone, [], "what was read of it is still good");
    bench.write("copy.md", &text("A", "copy"));
    assert_eq!(bench.scan().len(), 2, "the known file goes on, the copy is blocked");
}

#[test]
fn a_root_that_is_missing_empty_or_another_one_tells_nothing() {
    let known = [("A", "a.md"), ("B", "b.md"), ("C", "c.md")];
    let mut bench = Bench::new(&known);
    assert_eq!(bench.scan(), ["root changed: 0 of 3"]);
    bench.write("a.md", &text("A", "x"));
    bench.write("other.md", &text("O", "x"));
    assert_eq!(bench.scan(), ["root changed: 1 of 3"]);
    bench.write("moved/b.md", &text("B", "x"));
    assert_eq!(bench.scan().len(), 4, "two of three are enough, one by its path and one by its page");
    fs::rename(bench.at(""), bench.dir.path().join("away")).unwrap();
    assert_eq!(bench.scan(), ["root missing"]);
    assert_eq!(bench.look(&["a.md"]), ["root missing"]);
    fs::create_dir(bench.at("")).unwrap();
    assert_eq!(bench.look(&["a.md"]), ["root changed: 0 of 3"], "a look notices it, too");
    fs::remove_dir(bench.at("")).unwrap();
    fs::write(bench.dir.path().join("root"), "").unwrap();
    assert_eq!(bench.scan(), ["root missing"]);
    fs::remove_file(bench.dir.path().join("root")).unwrap();
    fs::rename(bench.dir.path().join("away"), bench.at("")).unwrap();
    assert_eq!(bench.look(&["a.md"]), ["C: still gone"], "as if nothing had been");
}

#[test]
fn one_document_alone_may_be_deleted_but_not_with_all_else() {
    let mut bench = Bench::new(&[("A", "a.md")]);
    assert_eq!(bench.scan(), ["root changed: 0 of 1"]);
    bench.write("readme.md", "hello");
    assert_eq!(bench.scan(), ["A: a.md gone", "readme.md no_front_matter"]);
}

#[test]
fn a_root_that_a_person_confirmed_is_the_root_from_then_on() {
    let mut bench = Bench::new(&[("A", "a.md"), ("B", "b.md"), ("C", "c.md")]);
    bench.write("a.md", &text("A", "x"));
    assert_eq!(bench.scan(), ["root changed: 1 of 3"]);
    bench.folder.confirm_root(Wall(5));
    assert_eq!(
        bench.scan(),
        [says("A", "a.md", &text("A", "x")), "B: b.md gone".to_owned(), "C: c.md gone".to_owned()]
    );
    let missed = Presence::Missed(Wall(5));
    let known = ["B", "C"].map(|page| Known { page: id(page), path: path("gone.md"), presence: missed });
    bench.folder = Folder::new(bench.at(""), patterns(), Policy::default().rules, vec![], known.into());
    assert_eq!(bench.scan().len(), 3, "files missed before say nothing about the root");
}

#[test]
fn a_file_that_was_just_written_to_is_not_settled() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    let now = later().plus(-100_000);
    let round = bench.folder.scan(now, Quiet::For(60_000));
    assert_eq!((lines(&round), round.unsettled), (vec!["A: a.md still_being_written".to_owned()], vec![path("a.md")]));
    let round = bench.folder.scan(now.plus(61_000), Quiet::For(60_000));
    assert_eq!((lines(&round), round.unsettled), (vec![says("A", "a.md", &text("A", "x"))], vec![]));
}

#[test]
fn a_stamp_of_another_clock_keeps_no_file_waiting() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    let future = SystemTime::now() + Duration::from_secs(10_000_000);
    fs::File::options().write(true).open(bench.at("a.md")).unwrap().set_modified(future).unwrap();
    assert_eq!(bench.look(&["a.md"]), [says("A", "a.md", &text("A", "x"))]);
}

#[test]
fn a_document_moved_while_its_new_file_is_young_is_never_gone() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    bench.write("z.md", &text("Z", "x"));
    bench.scan();
    bench.rename("a.md", "b.md");
    let round = bench.folder.look(&["a.md".into(), "b.md".into()].into(), later().plus(-100_000), Quiet::For(60_000));
    assert_eq!(lines(&round), ["A: b.md still_being_written"]);
    assert_eq!(bench.look(&["b.md"]), [says("A", "b.md", &text("A", "x"))]);
}

#[test]
fn an_edit_of_equal_size_whose_time_was_set_back_is_seen() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "one"));
    let modified = fs::metadata(bench.at("a.md")).unwrap().modified().unwrap();
    bench.scan();
    bench.write("a.md", &text("A", "two"));
    fs::File::options().write(true).open(bench.at("a.md")).unwrap().set_modified(modified).unwrap();
    assert_eq!(bench.scan(), [says("A", "a.md", &text("A", "two"))]);
}

#[test]
fn what_is_remembered_over_a_restart_is_not_read_again() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    let round = bench.folder.scan(later(), Quiet::AtOnce);
    let (before, after) = (later(), later().plus(10));
    bench.restart(round.cache_put.clone(), &[("A", "a.md")]);
    let again = bench.folder.scan(before, Quiet::AtOnce);
    assert_eq!((again.settled, again.cache_put), (round.settled, vec![]));
    // Read so soon after it was written that the same stamps could stand for other words: read again.
    let mut racy = round.cache_put;
    racy[0].1.hashed = Wall(racy[0].1.stat.ctime / 1_000_000 + 1);
    bench.restart(racy, &[("A", "a.md")]);
    assert_eq!(bench.folder.scan(after, Quiet::AtOnce).cache_put.len(), 1);
}

#[test]
fn a_page_that_was_forgotten_is_told_anew() {
    let mut bench = Bench::new(&[]);
    bench.write("a.md", &text("A", "x"));
    bench.scan();
    bench.folder.forget(&id("A"));
    assert_eq!(bench.scan(), [says("A", "a.md", &text("A", "x"))]);
}

/// One thing that people and programs do in a folder.
#[derive(Clone, Debug)]
enum Act {
    Write(usize, usize, u8),
    Truncate(usize),
    Delete(usize),
    Rename(usize, usize),
    RenameFolder(usize, usize),
    Ignore(usize, bool),
}

const PATHS: [&str; 6] = ["a.md", "b.md", "x/a.md", "x/c.md", "y/a.md", "x/z/d.md"];
const FOLDERS: [&str; 3] = ["x", "y", "w"];
const PAGES: [&str; 4] = ["A", "B", "C", ""];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..6_usize, 0..4_usize, 0..3_u8).prop_map(|(path, page, body)| Act::Write(path, page, body)),
        1 => (0..6_usize).prop_map(Act::Truncate),
        2 => (0..6_usize).prop_map(Act::Delete),
        2 => (0..6_usize, 0..6_usize).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => (0..3_usize, 0..3_usize).prop_map(|(from, to)| Act::RenameFolder(from, to)),
        1 => (0..3_usize, any::<bool>()).prop_map(|(folder, on)| Act::Ignore(folder, on)),
    ]
}

/// Does it, where it can be done; answers the paths that a watcher would name.
fn perform(bench: &Bench, act: &Act) -> Vec<PathBuf> {
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    match act {
        Act::Write(path, page, body) => {
            let text = if PAGES[*page].is_empty() { format!("{body}") } else { text(PAGES[*page], &format!("{body}")) };
            bench.write(PATHS[*path], &text);
            paths(&[PATHS[*path]])
        }
        Act::Truncate(path) => {
            if bench.at(PATHS[*path]).exists() {
                bench.write(PATHS[*path], "");
            }
            paths(&[PATHS[*path]])
        }
        Act::Delete(path) => {
            let _ = fs::remove_file(bench.at(PATHS[*path]));
            paths(&[PATHS[*path]])
        }
        Act::Rename(from, to) => {
            if bench.at(PATHS[*from]).exists() {
                bench.rename(PATHS[*from], PATHS[*to]);
            }
            paths(&[PATHS[*from], PATHS[*to]])
        }
        Act::RenameFolder(from, to) => {
            let _ = fs::rename(bench.at(FOLDERS[*from]), bench.at(FOLDERS[*to]));
            paths(&[FOLDERS[*from], FOLDERS[*to]])
        }
        Act::Ignore(folder, on) => {
            let rules = format!("{}/.gitignore", FOLDERS[*folder]);
            match on {
                true => bench.write(&rules, "a.md\n"),
                false => drop(fs::remove_file(bench.at(&rules))),
            }
            vec![rules.into()]
        }
    }
}

/// A repository in which `main` is checked out, as far as our gate reads it.
fn checkout(bench: &Bench) {
    fs::create_dir_all(bench.at(".git")).unwrap();
    fs::write(bench.at(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
}

#[test]
fn what_is_read_while_something_else_is_checked_out_is_read_again() {
    const FILES: usize = 30;
    let bench = Bench::new(&[]);
    checkout(&bench);
    let write = |text: &str| {
        for n in 0..FILES {
            fs::write(bench.at(&format!("{n}.md")), self::text(&format!("P{n}"), text)).unwrap();
        }
    };
    write("main");
    let gate = Gate::of(Some("main".into()));
    let mut folder = Folder::new(bench.at(""), patterns(), Policy::default().rules, vec![], vec![]).behind(gate);
    let mut told: Vec<String> = Vec::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (mut free, mut held) = (0, 0);
    std::thread::scope(|scope| {
        // As `git checkout` does it: the index is locked, the files are written, HEAD follows.
        let git = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for branch in ["feature", "main"] {
                    fs::write(bench.at(".git/index.lock"), "").unwrap();
                    write(branch);
                    fs::write(bench.at(".git/HEAD.lock"), format!("ref: refs/heads/{branch}\n")).unwrap();
                    fs::rename(bench.at(".git/HEAD.lock"), bench.at(".git/HEAD")).unwrap();
                    fs::remove_file(bench.at(".git/index.lock")).unwrap();
                    std::thread::sleep(Duration::from_millis(8));
                }
            }
        });
        for _ in 0..3_000 {
            let round = folder.scan(later(), Quiet::AtOnce);
            match round.health {
                RootHealth::Ok => {
                    free += 1;
                    told.extend(round.settled.iter().map(line).filter(|line| line.contains("says")));
                }
                _ => held += 1,
            }
            if free >= 30 && held >= 10 {
                break;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        git.join().unwrap();
    });
    let main: Vec<String> =
        (0..FILES).map(|n| says(&format!("P{n}"), &format!("{n}.md"), &self::text(&format!("P{n}"), "main"))).collect();
    let foreign: Vec<&String> = told.iter().filter(|line| !main.contains(line)).collect();
    assert_eq!(foreign, Vec::<&String>::new(), "{free} rounds were told, {held} were held");
    assert!(free > 0 && held > 0, "{free} rounds were told, {held} were held: nothing was checked out meanwhile");
}

#[test]
fn a_held_checkout_leaves_what_is_known_as_it_is() {
    let mut bench = Bench::new(&[("A", "a.md")]);
    checkout(&bench);
    bench.folder.gate = Gate::of(Some("main".into()));
    bench.write("a.md", &text("A", "main"));
    assert_eq!(bench.scan(), [says("A", "a.md", &text("A", "main"))]);
    fs::write(bench.at(".git/HEAD"), "ref: refs/heads/feature\n").unwrap();
    bench.rename("a.md", "b.md");
    bench.write("new.md", &text("N", "feature"));
    assert_eq!(bench.look(&["a.md", "b.md"]), ["held: off_branch"]);
    assert_eq!(bench.scan(), ["N: new.md off_branch", "held: off_branch"], "who is new is named, and says nothing");
    assert_eq!(bench.scan(), ["held: off_branch"]);
    bench.rename("b.md", "a.md");
    fs::remove_file(bench.at("new.md")).unwrap();
    fs::write(bench.at(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    assert_eq!(bench.look(&["x.md"]), ["N: new.md gone"], "one look at anything is a look at everything");
    assert_eq!(bench.scan(), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn looks_at_what_changed_end_in_the_same_picture_as_a_scan(rounds in prop::collection::vec(prop::collection::vec(act(), 1..4), 1..8)) {
        let mut bench = Bench::new(&[]);
        // Something to stay, so that the root is never taken for another one.
        for n in 0..8 {
            bench.write(&format!("keep/{n}.md"), &text(&format!("K{n}"), "x"));
        }
        bench.scan();
        for acts in rounds {
            let named: BTreeSet<PathBuf> = acts.iter().flat_map(|act| perform(&bench, act)).collect();
            let homes = bench.folder.homes.clone();
            bench.folder.look(&named, later(), Quiet::For(2_000));
            // Another process that knew the same and scans all.
            let known = homes.iter().map(|(page, home)| Known { page: page.clone(), path: home.path.clone(), presence: home.presence });
            let mut fresh = Folder::new(bench.at(""), patterns(), Policy::default().rules, vec![], known.collect());
            fresh.scan(later(), Quiet::AtOnce);
            let same = |picture: &Picture| {
                let pages = picture.pages.iter().map(|(page, (path, standing))| {
                    let standing = if matches!(standing, Standing::Gone(_)) { Standing::Gone(Wall(0)) } else { standing.clone() };
                    (page.clone(), path.clone(), standing)
                });
                (pages.collect::<Vec<_>>(), picture.loose.clone())
            };
            prop_assert_eq!(same(&bench.folder.told), same(&fresh.told));
        }
    }
}

/// Rules by which links lead to pages.
fn linked() -> Rules {
    let page_url = crate::policy::PageUrl::parse("https://kb/{page_id}").ok();
    Rules { links: crate::policy::LinkRules { page_url, asset_url: None }, ..Policy::default().rules }
}

fn bodies(round: &Round) -> BTreeMap<String, String> {
    let body = |settled: &Settled| match settled {
        Settled::Page { id, found: Found::Document(document), .. } => {
            Some((id.to_string(), document.body.exact.to_hex()))
        }
        _ => None,
    };
    round.settled.iter().filter_map(body).collect()
}

fn renders(page: &str, body: &str) -> (String, String) {
    (page.to_owned(), crate::page::BodyPrint::of(body).exact.to_hex())
}

#[test]
fn those_that_point_to_a_document_follow_it_and_nobody_else_is_read_again() {
    let mut bench = Bench::new(&[]);
    bench.restart_with(linked(), vec![], &[]);
    bench.write("a.md", &text("A", "[b](b.md) [[b]]"));
    bench.write("b.md", &text("B", "[a](a.md)"));
    bench.write("c.md", &text("C", "[a](a.md)"));
    let first = bench.folder.scan(later(), Quiet::AtOnce);
    let both = "[b](https://kb/B) [b](https://kb/B)\n";
    assert_eq!(
        bodies(&first),
        [renders("A", both), renders("B", "[a](https://kb/A)\n"), renders("C", "[a](https://kb/A)\n")].into(),
        "all links lead to pages at once, whichever file was read first"
    );
    // It moves: the other end of its own link, too, is seen from elsewhere.
    fs::create_dir(bench.at("sub")).unwrap();
    fs::rename(bench.at("b.md"), bench.at("sub/b.md")).unwrap();
    let moved: BTreeSet<PathBuf> = ["b.md", "sub/b.md"].map(PathBuf::from).into();
    let round = bench.folder.look(&moved, later(), Quiet::AtOnce);
    assert_eq!(
        bodies(&round),
        [renders("A", "[b](b.md) [b](https://kb/B)\n"), renders("B", "[a](a.md)\n")].into(),
        "the path leads nowhere, the name finds it"
    );
    let read: Vec<String> = round.cache_put.iter().map(|(path, _)| path.to_text()).collect();
    assert_eq!(read, ["a.md", "sub/b.md"]);
    // Another process believes what is remembered, but not of what it points to.
    let cache: Vec<(DocPath, CacheEntry)> = first.cache_put.into_iter().chain(round.cache_put).collect();
    bench.restart_with(linked(), cache, &[("A", "a.md"), ("B", "sub/b.md"), ("C", "c.md")]);
    fs::rename(bench.at("sub/b.md"), bench.at("b.md")).unwrap();
    let round = bench.folder.scan(later(), Quiet::AtOnce);
    assert_eq!(bodies(&round).get("A"), Some(&renders("A", both).1));
}

#[test]
fn links_do_not_come_and_go_while_a_document_is_being_mended() {
    let mut bench = Bench::new(&[]);
    bench.restart_with(linked(), vec![], &[]);
    bench.write("a.md", &text("A", "[b](b.md)"));
    bench.write("b.md", &text("B", "text"));
    bench.folder.scan(later(), Quiet::AtOnce);
    for broken in ["", "---\npage_id: [\n---\nx\n", "---\npage_id: B\nstatus: nonsense\n---\nx\n", "no front matter\n"]
    {
        bench.write("b.md", broken);
        let round = bench.folder.look(&[PathBuf::from("b.md")].into(), later(), Quiet::AtOnce);
        assert!(!bodies(&round).contains_key("A"), "{broken:?}");
    }
    fs::remove_file(bench.at("b.md")).unwrap();
    let round = bench.folder.look(&[PathBuf::from("b.md")].into(), later(), Quiet::AtOnce);
    assert_eq!(bodies(&round), [renders("A", "[b](b.md)\n")].into(), "it is gone");
}
