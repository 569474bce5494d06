//! Files that no document can be, and reads that never end: they hold up no other file, and stop means stop.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, makedev, mknodat};
use rustix::process::Signal;

use crate::fuse::Stuck;
use crate::place::{Place, until};

const QUICK: &str = "watch:\n  debounce: 100ms\n";

/// Puts everything into the root that is no file with text, each named like a document; answers what must stay open.
fn odd_files(place: &Place) -> (File, UnixListener) {
    let at = |name: &str| place.root().join(name);
    mknodat(CWD, at("pipe.md"), FileType::Fifo, 0o600.into(), 0).unwrap();
    mknodat(CWD, at("silent.md"), FileType::Fifo, 0o600.into(), 0).unwrap();
    // Somebody holds its other end, and says nothing.
    let writer = OpenOptions::new().read(true).write(true).open(at("silent.md")).unwrap();
    let socket = UnixListener::bind(at("socket.md")).unwrap();
    // Only some users may make a device; a link to one everybody may.
    if let Err(error) = mknodat(CWD, at("device.md"), FileType::CharacterDevice, 0o600.into(), makedev(1, 5)) {
        eprintln!("no device of our own: {error}");
    }
    symlink("/dev/zero", at("zero.md")).unwrap();
    symlink("/dev/tty", at("tty.md")).unwrap();
    symlink("pipe.md", at("link.md")).unwrap();
    symlink("loop.md", at("loop.md")).unwrap();
    symlink("/proc/self/fd/0", at("fd.md")).unwrap();
    std::fs::create_dir(at("folder.md")).unwrap();
    (writer, socket)
}

#[test]
fn pipes_sockets_and_devices_hang_nothing() {
    let place = Place::with(QUICK);
    place.page("p0", "");
    place.doc("p0", "Text.\n");
    let _held = odd_files(&place);
    let ran = place.run(&["sync", "--json"]).ends(1);
    assert_eq!(place.content("p0"), "Text.\n");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for name in ["pipe.md", "silent.md", "socket.md", "zero.md", "tty.md", "link.md", "loop.md", "fd.md"] {
        let page = report["pages"].as_array().unwrap().iter().find(|page| page["path"] == name);
        let page = page.unwrap_or_else(|| panic!("{name} is not reported: {report}"));
        assert_eq!(page["state"], "blocked", "{page}");
        let code = page["reason"]["code"].as_str().unwrap();
        assert!(["unreadable", "outside_root"].contains(&code), "{page}");
    }
    let daemon = place.daemon();
    place.doc("p0", "Another text.\n");
    until("the others go on", || place.content("p0") == "Another text.\n");
    std::fs::remove_file(place.root().join("pipe.md")).unwrap();
    place.page("pipe", "");
    place.doc("pipe", "A file after all.\n");
    until("what is a file by now is read", || place.content("pipe") == "A file after all.\n");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn a_read_that_hangs_holds_up_no_other_file_and_no_stop() {
    let place = Place::with(QUICK);
    place.page("p0", "");
    place.doc("p0", "Text.\n");
    std::fs::create_dir(place.root().join("far")).unwrap();
    let Some(stuck) = Stuck::mount(&place.root().join("far")) else {
        eprintln!("not tried: nothing can be mounted here");
        return;
    };
    let daemon = place.start(&["run"]);
    until("a read hangs", || stuck.hanging() == 1);
    until("the others are published", || place.content("p0") == "Text.\n");
    place.doc("p0", "Another text.\n");
    until("the others go on", || place.content("p0") == "Another text.\n");
    assert_eq!(stuck.hanging(), 1, "it hangs still, and is not begun again");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    until("nobody reads any more", || stuck.hanging() == 0);
    let sync = place.start(&["sync"]);
    until("a read hangs", || stuck.hanging() == 1);
    sync.signal(Signal::TERM);
    assert_eq!(sync.code(), Some(143));
    // Without a hurry: what can't be read is said, and everything else is in step.
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("far/hung.md: blocked") && ran.out.contains("does not answer"), "{ran:?}");
}
