//! What the walk lists, and what it can't.
#![allow(clippy::unwrap_used)]
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

fn root(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "text").unwrap();
    }
    dir
}

fn patterns(exclude: &[&str]) -> Patterns {
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    Patterns::new(&own(&["**/*.md", "**/*.markdown"]), &own(exclude)).unwrap()
}

fn real(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().canonicalize().unwrap()
}

fn listed(dir: &tempfile::TempDir, exclude: &[&str], scope: &Scope) -> Vec<String> {
    let walked = walk(&real(dir), &patterns(exclude), scope);
    let mut paths: Vec<String> = walked.files.iter().map(|file| file.path.to_text()).collect();
    paths.sort();
    paths
}

#[test]
fn documents_are_listed_and_hidden_files_folders_and_other_files_are_not() {
    let dir = root(&["a.md", "B.MD", "x/c.markdown", ".hidden.md", ".obsidian/d.md", "e.txt"]);
    fs::create_dir(dir.path().join("folder.md")).unwrap();
    assert_eq!(listed(&dir, &[], &Scope::All), ["B.MD", "a.md", "x/c.markdown"]);
}

#[test]
fn ignore_rules_count_outside_of_a_repository_too() {
    let dir = root(&["a.md", "drafts/b.md", "x/c.md", "x/keep.md", "private.md"]);
    fs::write(dir.path().join(".gitignore"), "drafts/\n").unwrap();
    fs::write(dir.path().join("x/.gitignore"), "c.md\nkeep.md\n").unwrap();
    fs::write(dir.path().join(".hubsyncignore"), "private.md\n!x/keep.md\n").unwrap();
    assert_eq!(listed(&dir, &[], &Scope::All), ["a.md", "x/keep.md"]);
}

#[test]
fn rules_above_the_root_count_only_in_a_repository() {
    let dir = root(&["root/a.md", "root/b.md"]);
    fs::write(dir.path().join(".gitignore"), "b.md\n").unwrap();
    let inner = real(&dir).join("root");
    assert_eq!(walk(&inner, &patterns(&[]), &Scope::All).files.len(), 2);
    fs::create_dir(dir.path().join(".git")).unwrap();
    assert_eq!(walk(&inner, &patterns(&[]), &Scope::All).files.len(), 1);
}

#[test]
fn an_excluded_folder_is_left_out_with_all_that_is_in_it() {
    let dir = root(&["a.md", "drafts/b.md", "drafts/x/c.md", "y/drafts/d.md"]);
    assert_eq!(listed(&dir, &["drafts/"], &Scope::All), ["a.md", "y/drafts/d.md"]);
    assert_eq!(listed(&dir, &["**/drafts/**"], &Scope::All), ["a.md"]);
}

#[test]
fn copies_of_sync_tools_are_told_apart() {
    let dir = root(&["a.md", "a.sync-conflict-20260101-000000-ABC.md", "a_LOCAL_123.md"]);
    let walked = walk(&real(&dir), &patterns(&[]), &Scope::All);
    assert_eq!((walked.files.len(), walked.copies.len()), (1, 2));
}

#[test]
fn special_files_are_listed_as_what_they_are() {
    let dir = root(&["a.md"]);
    let at = |name: &str| dir.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.md")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe.md"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    symlink("nowhere.md", at("dangling.md")).unwrap();
    symlink("circle.md", at("circle.md")).unwrap();
    symlink("a.md", at("link.md")).unwrap();
    symlink("/dev/null", at("device.md")).unwrap();
    symlink("/etc", at("etc.md")).unwrap();
    let walked = walk(&real(&dir), &patterns(&[]), &Scope::All);
    let mut kinds: Vec<_> = walked.files.iter().map(|f| (f.path.to_text(), f.kind, f.via)).collect();
    kinds.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        ("a.md", FileKind::Regular, Via::Name),
        ("circle.md", FileKind::Dangling, Via::Link),
        ("dangling.md", FileKind::Dangling, Via::Link),
        ("device.md", FileKind::Device, Via::Link),
        ("link.md", FileKind::Regular, Via::Link),
        ("pipe.md", FileKind::Pipe, Via::Name),
        ("socket.md", FileKind::Socket, Via::Name),
    ];
    assert_eq!(kinds, expected.map(|(path, kind, via)| (path.to_owned(), kind, via)));
    assert_eq!(walked.unlisted, []);
}

#[test]
fn a_name_that_is_not_utf8_stays_itself() {
    let dir = root(&[]);
    let name = OsStr::from_bytes(b"caf\xe9.md");
    fs::write(dir.path().join(name), "text").unwrap();
    let walked = walk(&real(&dir), &patterns(&[]), &Scope::All);
    assert_eq!(walked.files[0].path.as_path().as_os_str(), name);
}

#[test]
fn a_part_is_walked_by_the_same_rules_as_the_whole() {
    let dir = root(&["a.md", "x/b.md", "x/y/c.md", "x/y/d.md", "drafts/e.md", ".hidden/f.md", "xy/g.md"]);
    fs::write(dir.path().join(".gitignore"), "drafts/\n").unwrap();
    let part = |paths: &[&str]| {
        let scope = Scope::Paths(paths.iter().map(PathBuf::from).collect());
        listed(&dir, &["x/y/d.md"], &scope)
    };
    assert_eq!(part(&["x"]), ["x/b.md", "x/y/c.md"]);
    assert_eq!(part(&["x/y/c.md", "a.md", "none.md", "x/y/d.md"]), ["a.md", "x/y/c.md"]);
    assert_eq!(part(&["drafts/e.md", ".hidden/f.md", "drafts"]), Vec::<String>::new());
    assert_eq!(part(&[""]).len(), 4);
}

/// A folder whose path is longer than the system takes can be made, but not listed by its path: the only listing error that
/// root meets, too.
fn too_deep(root: &Path) {
    let mut at = rustix::fs::open(root, rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
    for _ in 0..20 {
        let name = "n".repeat(250);
        rustix::fs::mkdirat(&at, &name, 0o700.into()).unwrap();
        at = rustix::fs::openat(&at, &name, rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_listed_is_told_and_ends_nothing() {
    let dir = root(&["a.md", "z/b.md"]);
    too_deep(dir.path());
    let walked = walk(&real(&dir), &patterns(&[]), &Scope::All);
    assert_eq!(walked.files.len(), 2);
    assert_eq!(walked.unlisted.len(), 1, "{:?}", walked.unlisted);
    assert!(walked.unlisted[0].path.starts_with("n".repeat(250)), "{:?}", walked.unlisted);
}
