//! `hubsync log`: what was done, by which rule, and where the replaced text lies; without asking the hub.

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{Act, NewPage, Status};

use crate::place::Place;

#[test]
fn what_was_published_and_replaced_is_told_with_its_backup() {
    let place = Place::with("publish:\n  on_first_meeting: local\n");
    let ran = place.run(&["log"]).ends(0);
    assert_eq!(ran.out, "nothing was done yet\n");
    let folder = place.hub.lock().model.add_folder(clock(), "Sales", None);
    place.hub.lock().model.add_folder(clock(), "Deals", None);
    let new = NewPage {
        id: Some("filed".to_owned()),
        title: "filed".to_owned(),
        content: "Same.\n".to_owned(),
        status: Status::Published,
        folder_ids: vec![folder],
        ..NewPage::default()
    };
    place.hub.lock().model.add_page(clock(), new);
    place.write("filed.md", "---\npage_id: filed\ntitle: filed\nstatus: published\nfolders: [Deals]\n---\nSame.\n");
    place.page("met", "Theirs.\n");
    place.doc("met", "Ours.\n");
    place.same(1);
    place.run(&["sync"]).ends(0);
    std::fs::rename(place.root().join("met.md"), place.root().join("moved.md")).unwrap();
    place.write("moved.md", "---\npage_id: met\ntitle: met\nstatus: published\n---\nOurs again.\n");
    place.run(&["sync"]).ends(0);
    place.requests();

    let told = place.json(&["log", "--json"]);
    let entries = told["entries"].as_array().unwrap();
    let of = |page: &str| entries.iter().filter(|entry| entry["page_id"] == page).collect::<Vec<_>>();
    let met = of("met");
    assert_eq!(met.len(), 2, "{told:#}");
    assert_eq!(
        (&met[0]["event"], &met[0]["version"], &met[0]["path"]),
        (&"published".into(), &2.into(), &"met.md".into())
    );
    let backup = met[0]["backups"][0].as_str().unwrap();
    assert!(std::fs::read_to_string(backup).unwrap().ends_with("Theirs.\n"), "{backup}");
    assert!(met[0]["rule"].as_str().unwrap().starts_with('B'), "{told:#}");
    assert_eq!((&met[1]["version"], &met[1]["backups"]), (&3.into(), &serde_json::json!([])), "our own text");
    assert_eq!(of("p0")[0]["event"], "adopted");
    let filed = of("filed");
    let lists = filed.iter().find(|entry| entry["event"] == "published").unwrap();
    assert_eq!(
        (&lists["fields"], &lists["replaced"]),
        (&serde_json::json!(["folder_ids"]), &serde_json::json!({"folders": ["Sales"]}))
    );

    let ran = place.run(&["log", "docs/moved.md"]).ends(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "also what was done before it moved: {ran:?}");
    assert!(lines[0].contains("  published  met.md (") && lines[0].contains("version 2)  [B"), "{ran:?}");
    assert_eq!(lines[1].trim(), format!("replaced text: {backup}"));
    assert!(lines[2].contains("published  moved.md"), "the newest at the end: {ran:?}");
    assert_eq!(place.run(&["log", "docs/moved.md", "-n", "1"]).out.lines().count(), 1);
    place.run(&["log", "/"]).ends(2);
    let _daemon = place.daemon();
    assert_eq!(place.json(&["log", "--json"])["entries"], told["entries"], "beside a daemon");
    assert_eq!(place.requests().get("PATCH"), None);
}

#[test]
fn what_a_person_decided_is_told_with_the_document_that_it_replaced() {
    let place = Place::new();
    place.same(2);
    place.run(&["sync"]).ends(0);
    let publish = Act::Publish { title: "p0".to_owned(), content: "Theirs.\n".to_owned() };
    place.hub.lock().model.colleague(clock(), "p0", publish).unwrap();
    place.doc("p0", "Ours.\n");
    std::fs::remove_file(place.root().join("p1.md")).unwrap();
    place.run(&["sync"]).ends(1);
    place.run(&["resolve", "docs/p0.md", "--keep", "remote"]).ends(0);
    place.run(&["resolve", "docs/p1.md", "--keep", "local", "--confirm-archive"]).ends(0);
    let told = place.json(&["log", "--json"]);
    let entries = told["entries"].as_array().unwrap();
    let of = |event: &str| {
        entries.iter().find(|entry| entry["event"] == event).unwrap_or_else(|| panic!("{event}: {told:#}"))
    };
    let text = |entry: &serde_json::Value| std::fs::read_to_string(entry["backups"][0].as_str().unwrap()).unwrap();
    assert_eq!((&of("written")["page_id"], &of("archived")["page_id"]), (&"p0".into(), &"p1".into()));
    assert!(text(of("written")).ends_with("Ours.\n"), "the document's own text: {told:#}");
    assert!(text(of("archived")).ends_with("Same.\n"), "the page's text: {told:#}");
    assert_eq!(of("archived")["backups"].as_array().unwrap().len(), 1);
}
