//! `on_delete: archive`: pages whose files are gone are archived, within limits; an archive can't be undone.

use std::fs;

use crate::place::{Place, until};

const ARCHIVE: &str = "publish:\n  on_delete: archive\n  archive_after: 0s\n";

fn is_archived(place: &Place, id: &str) -> bool {
    place.hub.lock().model.page(id).unwrap().archived
}

fn remove(place: &Place, id: &str) {
    fs::remove_file(place.root().join(format!("{id}.md"))).unwrap();
}

/// `n` pages in step.
fn place(config: &str, n: usize) -> Place {
    let place = Place::with(config);
    place.same(n);
    place.run(&["sync"]).ends(0);
    place.requests();
    place
}

#[test]
fn a_page_whose_file_is_gone_is_archived_after_a_look_and_a_backup() {
    let place = place(ARCHIVE, 4);
    remove(&place, "p1");
    let ran = place.run(&["sync"]).ends(0);
    assert!(is_archived(&place, "p1") && ran.out.contains("archived p1.md"), "{ran:?}");
    let requests = place.requests();
    assert_eq!(requests.get("DELETE"), Some(&1), "{requests:?}");
    assert!(requests.get("GET").is_some_and(|looks| *looks >= 1), "it is looked at before: {requests:?}");
    let kept = crate::place::files(&place.path("state.db.backups"));
    assert!(kept.iter().any(|file| fs::read_to_string(file).unwrap().contains("Same.")), "{kept:?}");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.requests().get("DELETE"), None);
}

#[test]
fn it_waits_for_archive_after_and_a_second_look_at_the_folder() {
    let place = place("publish:\n  on_delete: archive\n  archive_after: 1h\n", 4);
    remove(&place, "p1");
    for _ in 0..2 {
        let json = place.json(&["sync", "--json"]);
        let page = json["pages"].as_array().unwrap().iter().find(|page| page["page_id"] == "p1").unwrap();
        assert_eq!(
            (&page["state"], &page["reason"]["code"]),
            (&"orphaned".into(), &"archive_waits".into()),
            "{page:#}"
        );
    }
    assert!(!is_archived(&place, "p1"));
    assert_eq!(place.requests().get("DELETE"), None);
}

#[test]
fn what_is_only_moved_ignored_broken_or_named_otherwise_is_not_gone() {
    let place = place(ARCHIVE, 9);
    let at = |name: &str| place.root().join(name);
    fs::create_dir(at("sub")).unwrap();
    fs::rename(at("p0.md"), at("sub/p0.md")).unwrap();
    fs::rename(at("p1.md"), at("P1.MD")).unwrap();
    place.write(".hubsyncignore", "p2.md\n");
    place.write("p3.md", "---\npage_id: p3\ntitle: [broken\n---\nx\n");
    place.write("p4.md", "---\ntitle: p4\n---\nNo id any more.\n");
    place.write("p5.md", "---\npage_id: p5\nsync: false\n---\nx\n");
    place.write("p6.md", "");
    place.write("p7.md", "no front matter\n");
    place.run(&["sync"]);
    place.run(&["sync"]);
    assert_eq!(place.requests().get("DELETE"), None);
}

#[test]
fn a_mass_deletion_archives_nothing_before_a_person_has_said_so() {
    let place = place(&format!("{ARCHIVE}  archive_limit: 2\n"), 10);
    (0..3).for_each(|n| remove(&place, &format!("p{n}")));
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("archive_limit") && ran.out.contains("--confirm-archive"), "{ran:?}");
    let requests = place.requests();
    assert_eq!(requests.get("DELETE"), None, "{requests:?}");
    for n in 0..3 {
        assert!(ran.out.contains(&format!("p{n}.md: orphaned")), "they are listed: {ran:?}");
    }
    place.run(&["sync", "--confirm-archive"]).ends(0);
    assert!((0..3).all(|n| is_archived(&place, &format!("p{n}"))));
    // Those of today count for the next one.
    remove(&place, "p5");
    place.run(&["sync"]).ends(1);
    assert!(!is_archived(&place, "p5"));
}

#[test]
fn never_more_than_half_of_the_pages_go_whatever_the_limit_says() {
    let place = place(&format!("{ARCHIVE}  archive_limit: 100\n"), 5);
    (0..3).for_each(|n| remove(&place, &format!("p{n}")));
    place.run(&["sync", "--confirm-root"]).ends(1);
    assert!((0..5).all(|n| !is_archived(&place, &format!("p{n}"))));
    place.write("p0.md", "---\npage_id: p0\ntitle: p0\nstatus: published\n---\nSame.\n");
    place.run(&["sync"]).ends(0);
    assert!(is_archived(&place, "p1") && is_archived(&place, "p2") && !is_archived(&place, "p0"));
}

#[test]
fn a_page_that_was_edited_in_the_hub_is_a_conflict_and_not_archived() {
    let place = place(ARCHIVE, 4);
    place
        .hub
        .lock()
        .model
        .colleague(
            hubsync::sandbox::server::clock(),
            "p1",
            hubsync::sandbox::Act::Publish { title: "p1".to_owned(), content: "Somebody's.".to_owned() },
        )
        .unwrap();
    remove(&place, "p1");
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("p1.md: conflict"), "{ran:?}");
    assert!(!is_archived(&place, "p1"));
}

#[test]
fn a_file_that_comes_back_after_its_page_was_archived_is_blocked_with_what_to_do() {
    let place = place(ARCHIVE, 4);
    remove(&place, "p1");
    place.run(&["sync"]).ends(0);
    place.doc("p1", "Same.\n");
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("p1.md: blocked") && ran.out.contains("restore it in the hub"), "{ran:?}");
    place.hub.lock().model.colleague(hubsync::sandbox::server::clock(), "p1", hubsync::sandbox::Act::Restore).unwrap();
    place.run(&["sync"]).ends(0);
}

#[test]
fn a_folder_in_which_nothing_is_left_is_taken_for_one_that_is_not_mounted() {
    let place = place(ARCHIVE, 6);
    for (id, folder) in [("m1", "mnt"), ("m2", "mnt/deep"), ("s1", "single")] {
        place.page(id, "Same.\n");
        place.write(&format!("{folder}/{id}.md"), format!("---\npage_id: {id}\nstatus: published\n---\nSame.\n"));
    }
    place.run(&["sync"]).ends(0);
    fs::remove_dir_all(place.root().join("mnt")).unwrap();
    fs::create_dir(place.root().join("mnt")).unwrap();
    fs::remove_file(place.root().join("single/s1.md")).unwrap();
    for _ in 0..2 {
        let ran = place.run(&["sync"]).ends(1);
        assert!(ran.out.contains("mnt is there with nothing in it"), "{ran:?}");
    }
    assert!(!is_archived(&place, "m1") && !is_archived(&place, "m2"));
    assert!(is_archived(&place, "s1"), "who throws one document away may leave its folder");
    let json = place.json(&["status", "--json"]);
    let page = json["pages"].as_array().unwrap().iter().find(|page| page["page_id"] == "m1").unwrap();
    assert_eq!((&page["state"], &page["reason"]["code"]), (&"orphaned".into(), &"archive_limit".into()), "{page:#}");
    fs::remove_dir(place.root().join("mnt")).unwrap();
    place.run(&["sync"]).ends(0);
    assert!(is_archived(&place, "m1") && is_archived(&place, "m2"), "the folder is gone as well");
}

#[test]
fn pages_of_a_folder_in_which_nothing_is_left_go_where_a_person_says_so() {
    let place = place(ARCHIVE, 6);
    for id in ["m1", "m2"] {
        place.page(id, "Same.\n");
        place.write(&format!("mnt/{id}.md"), format!("---\npage_id: {id}\nstatus: published\n---\nSame.\n"));
    }
    place.run(&["sync"]).ends(0);
    fs::remove_file(place.root().join("mnt/m1.md")).unwrap();
    fs::remove_file(place.root().join("mnt/m2.md")).unwrap();
    place.run(&["sync"]).ends(1);
    place.run(&["sync", "--confirm-archive"]).ends(0);
    assert!(is_archived(&place, "m1") && is_archived(&place, "m2"));
}

#[test]
fn a_daemon_archives_too() {
    let place = place(&format!("{ARCHIVE}watch:\n  debounce: 100ms\n"), 4);
    let _daemon = place.daemon();
    remove(&place, "p2");
    until("its page is archived", || is_archived(&place, "p2"));
    assert!(!is_archived(&place, "p1"));
}

#[test]
fn a_page_that_was_archived_is_not_counted_where_the_root_is_in_question() {
    let place = place(ARCHIVE, 9);
    remove(&place, "p1");
    place.run(&["sync"]).ends(0);
    ["p2", "p3", "p4", "p5", "p6"].iter().for_each(|id| remove(&place, id));
    place.run(&["sync"]).ends(1);
    let status = place.json(&["status", "--json"]);
    assert_eq!((&status["root"]["state"], &status["counts"]["pending"]), (&"changed".into(), &8.into()), "{status:#}");
}
