//! What is there after a write, after one that failed, and after one that came at the same time as a save.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

fn path(text: &str) -> DocPath {
    DocPath::new(text).unwrap()
}

/// A root with one document in a folder, and another file beside it.
fn root() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    fs::write(dir.path().join("a/x.md"), "old").unwrap();
    fs::write(dir.path().join("a/other.md"), "other").unwrap();
    dir
}

fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir.path().join("a")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(dir: &TempDir, name: &str) -> String {
    fs::read_to_string(dir.path().join(name)).unwrap()
}

#[test]
fn a_file_is_replaced_whole_with_its_mode_and_nothing_is_left_beside_it() {
    let dir = root();
    let (at, other) = (dir.path().join("a/x.md"), dir.path().join("a/other.md"));
    fs::set_permissions(&at, Permissions::from_mode(0o640)).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    File::options().write(true).open(&other).unwrap().set_modified(long_ago).unwrap();
    replace(dir.path(), &path("a/x.md"), Digest::of("old"), b"new").unwrap();
    assert_eq!(text(&dir, "a/x.md"), "new");
    assert_eq!(fs::metadata(&at).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs::metadata(&other).unwrap().modified().unwrap(), long_ago);
    assert_eq!(names(&dir), ["other.md", "x.md"]);
}

#[test]
fn a_save_that_comes_meanwhile_is_never_lost() {
    // Written into, replaced, removed, made a link: at the last moment before ours is put in place.
    type Save = fn(&Path);
    let saves: [(Save, Option<&str>); 4] = [
        (|at| fs::write(at, "saved").unwrap(), Some("saved")),
        (
            |at| {
                fs::write(at.with_extension("tmp"), "moved").unwrap();
                fs::rename(at.with_extension("tmp"), at).unwrap();
            },
            Some("moved"),
        ),
        (|at| fs::remove_file(at).unwrap(), None),
        (
            |at| {
                fs::remove_file(at).unwrap();
                symlink("other.md", at).unwrap();
            },
            Some("other"),
        ),
    ];
    for (save, there) in saves {
        let dir = root();
        let at = dir.path().join("a/x.md");
        let done = replace_with(dir.path(), &path("a/x.md"), Digest::of("old"), |file| {
            file.write_all(b"new")?;
            save(&at);
            Ok(())
        });
        assert!(matches!(done, Err(NotWritten::Changed | NotWritten::Link)), "{done:?}");
        assert_eq!(fs::read_to_string(&at).ok().as_deref(), there);
        assert!(names(&dir).iter().all(|name| !name.starts_with('.')), "{:?}", names(&dir));
    }
    let dir = root();
    let done = replace(dir.path(), &path("a/x.md"), Digest::of("older"), b"new");
    assert!(matches!(done, Err(NotWritten::Changed)), "{done:?}");
    let done = replace(dir.path(), &path("b/x.md"), Digest::of("old"), b"new");
    assert!(matches!(done, Err(NotWritten::Changed)), "{done:?}");
    assert_eq!(text(&dir, "a/x.md"), "old");
}

#[test]
fn whoever_saves_at_the_same_time_has_the_last_word() {
    let dir = root();
    let at = dir.path().join("a/x.md");
    let (mut written, mut kept) = (0, 0);
    for n in 0..1_000 {
        let (old, saved) = (format!("old {n}"), format!("saved {n}"));
        fs::write(&at, &old).unwrap();
        fs::write(at.with_extension("tmp"), &saved).unwrap();
        std::thread::scope(|scope| {
            let saver = scope.spawn(|| {
                // Somewhere in the time that a write takes.
                std::thread::sleep(Duration::from_micros(n * 7 % 400));
                fs::rename(at.with_extension("tmp"), &at).unwrap();
            });
            match replace(dir.path(), &path("a/x.md"), Digest::of(&old), b"ours") {
                Ok(()) => written += 1,
                Err(NotWritten::Changed) => kept += 1,
                Err(other) => panic!("{other}"),
            }
            saver.join().unwrap();
        });
        assert_eq!(fs::read_to_string(&at).unwrap(), saved);
        if written >= 25 && kept >= 25 {
            break;
        }
    }
    assert!(written > 0 && kept > 0, "{written} written, {kept} kept: nothing happened at the same time");
    assert_eq!(names(&dir), ["other.md", "x.md"]);
}

#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let dir = root();
    let full = |file: &mut File| {
        file.write_all(b"ne")?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    };
    let done = replace_with(dir.path(), &path("a/x.md"), Digest::of("old"), full);
    assert!(matches!(&done, Err(NotWritten::Io(error)) if error.kind() == io::ErrorKind::StorageFull), "{done:?}");
    let done = create_with(dir.path(), &path("a/y.md"), full);
    assert!(matches!(&done, Err(NotWritten::Io(_))), "{done:?}");
    assert_eq!((names(&dir), text(&dir, "a/x.md")), (vec!["other.md".to_owned(), "x.md".to_owned()], "old".to_owned()));
}

#[test]
fn links_and_what_is_no_file_are_left_alone() {
    let dir = root();
    symlink("x.md", dir.path().join("a/link.md")).unwrap();
    fs::hard_link(dir.path().join("a/other.md"), dir.path().join("a/twin.md")).unwrap();
    let pipe = dir.path().join("a/pipe.md");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let done = |name: &str, text: &str| replace(dir.path(), &path(name), Digest::of(text), b"new").unwrap_err();
    assert!(matches!(done("a/link.md", "old"), NotWritten::Link));
    assert!(matches!(done("a/twin.md", "other"), NotWritten::Twin));
    assert!(matches!(done("a/pipe.md", ""), NotWritten::NotRegular));
    assert!(matches!(done("a", ""), NotWritten::NotRegular));
    assert!(matches!(create(dir.path(), &path("a/link.md"), b"new").unwrap_err(), NotWritten::Exists));
    assert_eq!((text(&dir, "a/x.md"), text(&dir, "a/other.md")), ("old".to_owned(), "other".to_owned()));
}

#[test]
fn nothing_is_written_outside_the_root() {
    let dir = root();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.md"), "old").unwrap();
    symlink(outside.path(), dir.path().join("out")).unwrap();
    symlink("a", dir.path().join("in")).unwrap();
    let done = replace(dir.path(), &path("out/x.md"), Digest::of("old"), b"new").unwrap_err();
    assert!(matches!(done, NotWritten::Outside(_)), "{done:?}");
    let done = create(dir.path(), &path("out/y.md"), b"new").unwrap_err();
    assert!(matches!(done, NotWritten::Outside(_)), "{done:?}");
    let done = create(dir.path(), &path("out/sub/y.md"), b"new").unwrap_err();
    assert!(matches!(done, NotWritten::Outside(_) | NotWritten::Io(_)), "{done:?}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.path().join("x.md")).unwrap(), "old");
    // A folder that is a link within the root is the folder that it names.
    replace(dir.path(), &path("in/x.md"), Digest::of("old"), b"new").unwrap();
    assert_eq!(text(&dir, "a/x.md"), "new");
    assert!(matches!(create(&dir.path().join("none"), &path("x.md"), b"").unwrap_err(), NotWritten::Root(_)));
}

#[test]
fn a_new_file_gets_its_folders_and_is_never_written_over_another() {
    let dir = root();
    create(dir.path(), &path("b/c/new.md"), b"new").unwrap();
    assert_eq!(text(&dir, "b/c/new.md"), "new");
    let umask = fs::metadata(dir.path().join("a/other.md")).unwrap().mode();
    assert_eq!(fs::metadata(dir.path().join("b/c/new.md")).unwrap().mode(), umask, "as any new file");
    assert!(matches!(create(dir.path(), &path("b/c/new.md"), b"newer").unwrap_err(), NotWritten::Exists));
    let at = dir.path().join("a/late.md");
    let done = create_with(dir.path(), &path("a/late.md"), |file| {
        fs::write(&at, "saved")?;
        file.write_all(b"ours")
    });
    assert!(matches!(done, Err(NotWritten::Exists)), "{done:?}");
    assert_eq!((text(&dir, "b/c/new.md"), text(&dir, "a/late.md")), ("new".to_owned(), "saved".to_owned()));
    assert_eq!(names(&dir), ["late.md", "other.md", "x.md"]);
}
