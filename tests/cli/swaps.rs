//! Links that change between the look and the reading: nothing from outside the root ever reaches the hub or a backup, and
//! what is inside is published all the same (promise 7).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::place::{Place, files, until};

const SECRET: &str = "TOP-SECRET-OUTSIDE";
/// How often a sync runs into the swaps.
const SYNCS: usize = 12;
/// How many saves the daemon has to publish meanwhile.
const SAVES: usize = 8;

fn document(id: &str, body: &str) -> String {
    format!("---\npage_id: {id}\nstatus: published\n---\n{body}\n")
}

/// Swaps the links until it is told to stop: the name is never missing, it names the one or the other.
fn swap(root: &Path, links: &[(&str, [String; 2])], stop: &AtomicBool) -> usize {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        for (name, targets) in links {
            symlink(&targets[swaps % 2], root.join("swapping")).unwrap();
            fs::rename(root.join("swapping"), root.join(name)).unwrap();
        }
        swaps += 1;
    }
    swaps
}

/// Nothing from outside was sent, stored or said.
#[track_caller]
fn sealed(place: &Place, said: &str) {
    let hub = place.hub.lock();
    for entry in hub.model.log() {
        let body = String::from_utf8_lossy(&entry.body);
        assert!(!body.contains(SECRET) && !entry.target.contains(SECRET), "{} {} {body}", entry.method, entry.target);
    }
    for page in hub.model.pages() {
        assert!(!page.content().unwrap_or_default().contains(SECRET), "{}", page.id);
    }
    drop(hub);
    assert!(!said.contains(SECRET), "{said}");
    for file in files(place.dir.path()).iter().filter(|file| file.to_string_lossy().contains("state.db")) {
        if let Ok(bytes) = fs::read(file) {
            assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{}", file.display());
        }
    }
}

#[test]
fn a_link_that_is_swapped_while_it_is_read_shows_nothing_from_outside() {
    let place =
        Place::with("publish:\n  on_first_meeting: local\n  conflict_check: false\nwatch:\n  debounce: 100ms\n");
    let (root, outside) = (place.root(), place.path("outside"));
    fs::create_dir_all(outside.join("in")).unwrap();
    for n in 0..SAVES {
        place.page(&format!("saved{n}"), "Old.\n");
    }
    for id in ["file", "folder", "up", "absolute", "proc", "proc2", "fd", "deep", "hard", "plain"] {
        place.page(id, "Old.\n");
        fs::write(outside.join(format!("{id}.md")), document(id, SECRET)).unwrap();
    }
    // The same name and the same page in both: only the text tells them apart.
    fs::create_dir_all(root.join("real/in")).unwrap();
    for folder in [&root.join("real"), &outside] {
        let text = if *folder == outside { SECRET } else { "Inside." };
        fs::write(folder.join("in/folder.md"), document("folder", text)).unwrap();
        fs::write(folder.join("file.md.txt"), document("file", text)).unwrap();
    }
    symlink("../outside/up.md", root.join("up.md")).unwrap();
    symlink(outside.join("absolute.md"), root.join("absolute.md")).unwrap();
    symlink(format!("/proc/self/root{}", outside.join("proc.md").display()), root.join("proc.md")).unwrap();
    symlink("/proc/self/cwd/outside/proc2.md", root.join("proc2.md")).unwrap();
    symlink("/proc/thread-self/root/../cwd/outside/fd.md", root.join("fd.md")).unwrap();
    symlink("real/../../outside", root.join("out")).unwrap();
    symlink("out/deep.md", root.join("deep.md")).unwrap();
    // A hard link is the file itself: it lies in the root.
    fs::write(place.path("elsewhere.md"), document("hard", "A hard link.")).unwrap();
    fs::hard_link(place.path("elsewhere.md"), root.join("hard.md")).unwrap();
    let links = [
        ("link.md", ["real/file.md.txt".to_owned(), "../outside/file.md.txt".to_owned()]),
        ("dir", ["real/in".to_owned(), outside.join("in").to_string_lossy().into_owned()]),
    ];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| swap(&root, &links, &stop));
        // What is tried must not keep the swapper going when it fails.
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for n in 0..SYNCS {
                // Something new to read behind the links each time.
                for folder in [&root.join("real"), &outside] {
                    let text = if *folder == outside { format!("{SECRET} {n}") } else { format!("Inside {n}.") };
                    fs::write(folder.join("in/folder.md"), document("folder", &text)).unwrap();
                    fs::write(folder.join("file.md.txt"), document("file", &text)).unwrap();
                }
                place.doc("plain", &format!("Plain {n}.\n"));
                let ran = place.run(&["sync", "--max-wait", "0s", "-vvv"]);
                assert!([0, 1, 75].contains(&ran.code), "{ran:?}");
                sealed(&place, &ran.said());
                assert_eq!(place.content("plain"), format!("Plain {n}.\n"), "it goes on: {ran:?}");
            }
            let daemon = place.start(&["run", "-vvv"]);
            for n in 0..SAVES {
                let id = format!("saved{n}");
                place.doc(&id, "Saved.\n");
                until("the save arrives", || place.content(&id) == "Saved.\n");
                sealed(&place, &fs::read_to_string(place.path("daemon.log")).unwrap());
            }
            daemon.signal(Signal::TERM);
            assert_eq!(daemon.code(), Some(0));
        }));
        stop.store(true, Ordering::Relaxed);
        let swaps = swapper.join().unwrap();
        if let Err(failed) = tried {
            std::panic::resume_unwind(failed);
        }
        assert!(swaps > SYNCS, "{swaps} swaps");
    });
    sealed(&place, &fs::read_to_string(place.path("daemon.log")).unwrap());
    assert_eq!(place.content("hard"), "A hard link.\n");
    for id in ["up", "absolute", "proc", "proc2", "fd", "deep"] {
        assert_eq!(place.content(id), "Old.\n", "{id}");
    }
    // Once it holds still, the link inside is a document like any other.
    let stays = root.join("link.md");
    fs::remove_file(&stays).unwrap();
    symlink("real/file.md.txt", &stays).unwrap();
    place.run(&["sync"]);
    assert_eq!(place.content("file"), format!("Inside {}.\n", SYNCS - 1));
}
