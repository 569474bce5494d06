//! `hubsync resolve` and `hubsync forget`: what waits for a person, settled by one command, beside a daemon and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hubsync::sandbox::Act;
use hubsync::sandbox::server::clock;
use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, Ran, files, until};

/// So quiet that only an order publishes in time.
const SLOW: &str = "watch:\n  debounce: 10m\n  max_delay: 20m\n";

fn publishes(place: &Place, id: &str, content: &str) {
    let act = Act::Publish { title: id.to_owned(), content: content.to_owned() };
    place.hub.lock().model.colleague(clock(), id, act).unwrap();
}

fn drafts(place: &Place, id: &str, content: &str) {
    let act = Act::SaveDraft { title: id.to_owned(), content: content.to_owned() };
    place.hub.lock().model.colleague(clock(), id, act).unwrap();
}

fn file(place: &Place, name: &str) -> String {
    fs::read_to_string(place.root().join(name)).unwrap()
}

/// Whether a text lies in the backups of a page, in a file of this kind.
fn is_kept(place: &Place, id: &str, kind: &str, text: &str) -> bool {
    let kept = files(&place.path("state.db.backups").join(id));
    let has = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.contains(kind) && fs::read_to_string(path).unwrap().contains(text)
    };
    kept.iter().any(has)
}

fn state(place: &Place, path: &str) -> String {
    let status = place.json(&["status", "--json", "--all"]);
    let page = status["pages"].as_array().unwrap().iter().find(|page| page["path"] == path).cloned();
    page.map_or_else(String::new, |page| {
        format!("{} {}", page["state"].as_str().unwrap(), page["reason"]["code"].as_str().unwrap_or_default())
    })
}

/// Three pages that said the same; both sides have changed the first two, the hub alone the third.
fn torn(config: &str) -> Place {
    let place = Place::with(config);
    place.same(4);
    place.run(&["sync"]).ends(0);
    for id in ["p0", "p1", "p2"] {
        publishes(&place, id, "Same.\nTheirs.\n");
    }
    place.doc("p0", "Mine.\nSame.\n");
    place.doc("p1", "Mine.\nSame.\n");
    place.run(&["sync"]).ends(1);
    place
}

#[test]
fn a_conflict_says_which_version_and_when_and_what_settles_it() {
    let place = torn("");
    let said = place.run(&["status"]).ends(1).out;
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("version 2, 20")).collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].starts_with("p0.md: conflict: ") && lines[0].contains("`hubsync resolve` settles it"), "{said}");
    assert!(lines[2].starts_with("p2.md: drifted: "), "{said}");
}

#[test]
fn local_goes_over_the_page_whose_text_is_kept() {
    let place = torn("");
    place.requests();
    let ran = place.run(&["resolve", "docs/p0.md", "--keep", "local"]).ends(0);
    assert!(ran.out.contains("publishing  p0.md (title, content, status) over version 2 of 20"), "{ran:?}");
    assert!(ran.out.contains("this takes about 3 requests: a list, 1 to look and 1 to write"), "{ran:?}");
    assert!(ran.out.contains("published p0.md (title, content, status, version 3)"), "{ran:?}");
    assert_eq!(place.requests(), [("GET".to_owned(), 2), ("PATCH".to_owned(), 1)].into());
    assert_eq!(place.content("p0"), "Mine.\nSame.\n");
    assert!(is_kept(&place, "p0", "-v2", "Theirs."));
    assert_eq!(place.content("p1"), "Same.\nTheirs.\n", "only what was named");
    assert_eq!(state(&place, "p1.md"), "conflict remote_changed");
}

#[test]
fn remote_comes_into_the_file_and_nothing_is_sent_then_or_later() {
    let place = torn("");
    let path = place.root().join("p0.md");
    let text = "---\r\n# kept\r\npage_id: p0\r\ntitle:  'p0'   # and this\r\nstatus: published\r\ntags: [a,   b]\r\n---\r\nMine.\r\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    place.run(&["sync"]).ends(1);
    place.requests();
    let ran = place.run(&["resolve", "docs/p0.md", "docs/p2.md", "--keep", "remote"]).ends(0);
    assert!(ran.out.contains("wrote p0.md: the hub's text (version 2) is in it"), "{ran:?}");
    assert_eq!(place.requests(), [("GET".to_owned(), 3)].into());
    assert_eq!(file(&place, "p0.md"), text.replace("Mine.", "Same.\r\nTheirs."));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(file(&place, "p2.md").ends_with("---\nSame.\nTheirs.\n"));
    assert!(is_kept(
        &place,
        "p0",
        "-document",
        "title:  'p0'   # and this\r\nstatus: published\r\ntags: [a,   b]\r\n---\r\nMine.\r\n"
    ));
    assert_eq!(state(&place, "p0.md"), "in_step ");
    place.run(&["sync", "docs/p0.md", "docs/p2.md"]).ends(0);
    assert!(!place.requests().contains_key("PATCH"));
}

#[test]
fn both_block_the_document_until_a_person_has_merged_them() {
    let place = torn("");
    let ran = place.run(&["resolve", "docs/p0.md", "--keep", "both"]).ends(1);
    assert!(ran.out.contains("p0.md:6:1: blocked") && ran.out.contains("[merge_markers]"), "{ran:?}");
    let head = "---\npage_id: p0\ntitle: p0\nstatus: published\n---\n";
    let body =
        "<<<<<<< document\nMine.\n=======\n>>>>>>> hub\nSame.\n<<<<<<< document\n=======\nTheirs.\n>>>>>>> hub\n";
    assert_eq!(file(&place, "p0.md"), format!("{head}{body}"));
    place.requests();
    place.run(&["sync", "docs/p0.md"]).ends(1);
    assert!(!place.requests().contains_key("PATCH"));
    place.doc("p0", "Mine.\nSame.\nTheirs.\n");
    place.run(&["sync", "docs/p0.md"]).ends(0);
    assert_eq!(place.content("p0"), "Mine.\nSame.\nTheirs.\n");
    assert!(is_kept(&place, "p0", "-v2", "Theirs."));
    // Whoever decides for their own text alone is heard as well.
    place.run(&["resolve", "docs/p1.md", "--keep", "both"]).ends(1);
    place.doc("p1", "Mine.\nSame.\n");
    place.run(&["sync", "docs/p1.md"]).ends(0);
    assert_eq!(place.content("p1"), "Mine.\nSame.\n");
}

#[test]
fn what_was_edited_after_it_was_decided_is_held_again() {
    let place = torn("");
    place.run(&["resolve", "docs/p0.md", "--keep", "both"]).ends(1);
    publishes(&place, "p0", "Newer.\n");
    place.doc("p0", "Merged.\n");
    let ran = place.run(&["sync", "docs/p0.md"]).ends(1);
    assert!(ran.out.contains("p0.md: conflict") && ran.out.contains("edited again after that was decided"), "{ran:?}");
    assert_eq!(place.content("p0"), "Newer.\n");
    // Nobody has looked since.
    publishes(&place, "p1", "Newer.\n");
    for keep in ["local", "remote", "both"] {
        let before = file(&place, "p1.md");
        let ran = place.run(&["resolve", "docs/p1.md", "--keep", keep]);
        if keep == "local" {
            assert!(ran.out.contains("edited again after that was decided"), "{ran:?}");
            assert_eq!((ran.code, place.content("p1").as_str(), file(&place, "p1.md")), (1, "Newer.\n", before));
        }
    }
    // By then it was known.
    assert!(file(&place, "p1.md").ends_with("---\nNewer.\n"));
}

#[test]
fn somebodys_draft_is_replaced_by_a_decision_alone_and_kept() {
    let place = Place::with("publish:\n  on_conflict: local\n");
    place.same(3);
    place.run(&["sync"]).ends(0);
    for id in ["p0", "p1", "p2"] {
        drafts(&place, id, "A draft.\n");
        place.doc(id, "Mine.\n");
    }
    let ran = place.run(&["sync"]).ends(1);
    assert_eq!(ran.out.matches("[remote_draft]").count(), 3, "{ran:?}");
    let report = place.json(&["status", "--json"]);
    assert!(report["pages"].as_array().unwrap().iter().all(|page| page["remote_draft"] == true), "{report}");
    place.run(&["resolve", "docs/p0.md", "--keep", "local"]).ends(0);
    assert_eq!(place.content("p0"), "Mine.\n");
    assert!(is_kept(&place, "p0", "-draft", "A draft."));
    // The live text comes back into the file, the draft stays a draft.
    place.run(&["resolve", "docs/p1.md", "--keep", "remote"]).ends(0);
    assert!(file(&place, "p1.md").ends_with("---\nSame.\n"));
    assert!(place.hub.lock().model.page("p1").unwrap().draft.is_some());
    // It is the draft that a person must merge.
    place.run(&["resolve", "docs/p2.md", "--keep", "both"]).ends(1);
    assert!(file(&place, "p2.md").contains("<<<<<<< document\nMine.\n=======\nA draft.\n>>>>>>> hub\n"));
    place.doc("p2", "Mine and a draft.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p2"), "Mine and a draft.\n");
    assert!(is_kept(&place, "p2", "-draft", "A draft."));
}

#[test]
fn a_file_that_is_gone_is_written_again_or_its_page_archived() {
    let place = Place::new();
    let sales = place.hub.lock().model.add_folder(clock(), "Sales", None);
    place.same(5);
    place.run(&["sync"]).ends(0);
    let act = Act::File { folder_ids: vec![sales], skill_ids: Vec::new() };
    place.hub.lock().model.colleague(clock(), "p0", act).unwrap();
    for id in ["p0", "p1"] {
        fs::remove_file(place.root().join(format!("{id}.md"))).unwrap();
    }
    place.run(&["sync"]).ends(0);
    assert_eq!(state(&place, "p1.md"), "orphaned file_gone");
    let ran = place.run(&["resolve", "--all", "--keep", "local"]).ends(1);
    assert!(ran.err.contains("add --confirm-archive"), "{ran:?}");
    assert_eq!(state(&place, "p1.md"), "orphaned file_gone");
    place.run(&["resolve", "docs/p0.md", "--keep", "remote"]).ends(0);
    let text = file(&place, "p0.md");
    assert!(
        text.contains("page_id: p0\n")
            && text.contains("folders: [Sales]\n")
            && text.contains("status: published\n")
            && text.ends_with("---\nSame.\n"),
        "{text}"
    );
    place.requests();
    let ran = place.run(&["resolve", "docs/p1.md", "--keep", "local", "--confirm-archive"]).ends(0);
    assert!(ran.out.contains("archiving   the page of p1.md") && ran.out.contains("archived p1.md"), "{ran:?}");
    assert!(ran.out.contains("1 DELETE"), "{ran:?}");
    assert_eq!(place.requests(), [("GET".to_owned(), 2), ("DELETE".to_owned(), 1)].into());
    assert!(place.hub.lock().model.page("p1").unwrap().archived);
    assert!(is_kept(&place, "p1", "-v1", "Same."));
    assert_eq!(state(&place, "p1.md"), "", "it is no longer listed");
    // Its document may come back; only a person can bring back the page.
    place.doc("p1", "Same.\n");
    place.run(&["sync"]).ends(1);
    assert_eq!(state(&place, "p1.md"), "blocked archived");
}

#[test]
fn the_answer_to_an_archive_that_is_lost_is_looked_up() {
    for (fault, archived) in [("DELETE/drop-after:x1", true), ("DELETE/drop-before:x1", false)] {
        let place = Place::new();
        place.same(3);
        place.run(&["sync"]).ends(0);
        fs::remove_file(place.root().join("p0.md")).unwrap();
        place.run(&["sync"]).ends(0);
        place.faults(&[fault]);
        place.requests();
        let ran = place.run(&["resolve", "docs/p0.md", "--keep", "local", "--confirm-archive"]);
        assert!(place.hub.lock().model.page("p0").unwrap().archived || !archived, "{ran:?}");
        let deletes = place.requests().get("DELETE").copied().unwrap_or(0);
        // One that did not arrive is decided again, on the same marks.
        assert_eq!((ran.code, deletes), (0, if archived { 1 } else { 2 }), "{ran:?}");
    }
}

#[test]
fn resolve_says_what_it_would_do_and_is_scriptable() {
    let place = torn("");
    place.requests();
    let ran = place.run(&["resolve", "--all", "--keep", "local", "--dry-run"]).ends(1);
    assert!(ran.out.contains("would publish  p2.md: title, content, status"), "{ran:?}");
    let plan = place.json(&["resolve", "docs/p?.md", "--keep", "remote", "--dry-run", "--json"]);
    let actions: Vec<&str> = plan["plan"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!((plan["schema"].as_u64(), actions), (Some(1), vec!["write"; 3]), "{plan:#}");
    assert!(place.requests().is_empty());
    let ran = place.run(&["resolve", "docs/p3.md", "--keep", "local"]).ends(0);
    assert!(ran.err.contains("p3.md: there is nothing to settle (in step)"), "{ran:?}");
    assert!(place.requests().is_empty());
    place.run(&["resolve", "docs/none.md", "--keep", "local"]).ends(2);
    place.run(&["resolve", "--keep", "local"]).ends(2);
    place.run(&["resolve", "docs/p0.md"]).ends(2);
    let report = place.json(&["resolve", "--all", "--keep", "local", "--json"]);
    assert_eq!(
        (report["counts"]["in_step"].as_u64(), report["requests"]["PATCH"].as_u64()),
        (Some(3), Some(3)),
        "{report:#}"
    );
    place.run(&["sync"]).ends(0);
}

#[test]
fn a_daemon_sends_and_the_command_writes_the_files() {
    let place = torn(SLOW);
    let daemon = place.daemon();
    let ran = place.run(&["resolve", "docs/p0.md", "--keep", "local"]).ends(0);
    assert!(ran.out.contains("published p0.md"), "{ran:?}");
    assert_eq!(place.content("p0"), "Mine.\nSame.\n");
    let ran = place.run(&["resolve", "docs/p2.md", "--keep", "remote"]).ends(0);
    assert!(ran.out.contains("wrote p2.md") && ran.out.contains("1 in step"), "{ran:?}");
    assert!(file(&place, "p2.md").ends_with("Same.\nTheirs.\n"));
    let report = place.json(&["resolve", "docs/p1.md", "--keep", "both", "--json"]);
    assert_eq!(report["pages"][0]["reason"]["code"], "merge_markers", "{report:#}");
    place.doc("p1", "Merged.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p1"), "Merged.\n");
    assert!(is_kept(&place, "p1", "-v2", "Theirs."));
    assert!(is_kept(&place, "p1", "-document", "Mine."));
    fs::remove_file(place.root().join("p3.md")).unwrap();
    place.run(&["sync"]).ends(0);
    place.run(&["resolve", "docs/p3.md", "--keep", "remote"]).ends(0);
    assert!(file(&place, "p3.md").ends_with("Same.\n"));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.code(), Some(0));
    assert_eq!(state(&place, "p1.md"), "in_step ");
}

#[test]
fn a_document_that_cannot_be_written_stays_held_and_says_why() {
    for beside in [false, true] {
        let place = torn(SLOW);
        let daemon = beside.then(|| place.daemon());
        // A second name would keep the old text.
        fs::hard_link(place.root().join("p0.md"), place.path("second.md")).unwrap();
        let before = file(&place, "p0.md");
        let ran = place.run(&["resolve", "docs/p0.md", "--keep", "remote"]).ends(1);
        assert!(ran.out.contains("p0.md: conflict") && ran.out.contains("second name"), "{ran:?}");
        assert_eq!(file(&place, "p0.md"), before);
        drop(daemon);
    }
}

#[test]
fn a_page_is_forgotten_by_path_or_id_and_met_again() {
    for beside in [false, true] {
        let place = Place::with(SLOW);
        place.same(3);
        place.run(&["sync"]).ends(0);
        fs::remove_file(place.root().join("p1.md")).unwrap();
        place.run(&["sync"]).ends(0);
        let daemon = beside.then(|| place.daemon());
        assert_eq!(state(&place, "p1.md"), "orphaned file_gone");
        place.requests();
        let ran = place.run(&["forget", "docs/p1.md"]).ends(0);
        assert!(ran.out.contains("forgot p1.md (page p1)"), "{ran:?}");
        assert_eq!(state(&place, "p1.md"), "");
        publishes(&place, "p0", "Theirs.\n");
        place.run(&["forget", "p0"]).ends(0);
        assert!(!place.requests().contains_key("DELETE"), "nothing is done to the hub");
        until("it is met again", || {
            place.run(&["sync"]);
            state(&place, "p0.md") == "conflict first_meeting"
        });
        let ran = place.run(&["forget", "nobody"]).ends(2);
        assert!(ran.err.contains("nothing is remembered of nobody"), "{ran:?}");
        drop(daemon);
        let status: Value = place.json(&["status", "--json", "--all"]);
        assert_eq!(status["pages"].as_array().unwrap().len(), 2, "{status:#}");
        let ran: Ran = place.run(&["forget", "docs/p1.md"]);
        assert_eq!(ran.code, 2);
    }
}

#[test]
fn a_file_that_is_gone_is_written_again_also_where_its_page_would_be_archived_or_a_guard_holds_that() {
    for limit in [0, 10] {
        let place =
            Place::with(&format!("publish:\n  on_delete: archive\n  archive_after: 0s\n  archive_limit: {limit}\n"));
        place.same(4);
        place.run(&["sync"]).ends(0);
        fs::remove_file(place.root().join("p1.md")).unwrap();
        if limit == 0 {
            place.run(&["sync"]).ends(1);
            assert_eq!(state(&place, "p1.md"), "orphaned archive_limit");
        }
        place.run(&["resolve", "docs/p1.md", "--keep", "remote"]).ends(0);
        assert!(file(&place, "p1.md").ends_with("---\nSame.\n"));
        assert_eq!(state(&place, "p1.md"), "in_step ");
        // To archive it needs the confirmation, and nothing more.
        fs::remove_file(place.root().join("p2.md")).unwrap();
        place.run(&["resolve", "docs/p2.md", "--keep", "local"]).ends(1);
        assert!(!place.hub.lock().model.page("p2").unwrap().archived);
        place.run(&["resolve", "docs/p2.md", "--keep", "local", "--confirm-archive"]).ends(0);
        let mut hub = place.hub.lock();
        assert!(hub.model.page("p2").unwrap().archived && !hub.model.page("p1").unwrap().archived);
        assert_eq!(hub.model.log().iter().filter(|entry| entry.method == "DELETE").count(), 1);
        hub.model.clear_log();
    }
}
