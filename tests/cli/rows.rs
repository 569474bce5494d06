//! Every row of the decision table, reached by the real binary: what has to happen for each, and that its row answers. The log
//! (`-vvv`) tells which did.

use std::collections::BTreeSet;

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{Act, NewPage, Stamps, Status};

use crate::place::{Place, until};

/// The rows that a log tells of.
fn rows_of(log: &str) -> BTreeSet<String> {
    let plain = log.replace("\"rule\":\"", "rule=\"");
    let named = plain.split("rule=\"").skip(1).filter_map(|rest| rest.split('"').next());
    named.map(str::to_owned).collect()
}

struct Seen {
    place: Place,
    rows: BTreeSet<String>,
}

impl Seen {
    fn with(config: &str) -> Self {
        Self { place: Place::with(config), rows: BTreeSet::new() }
    }

    /// One `sync`, whatever it comes to.
    fn sync(&mut self) -> &mut Self {
        self.run(&["sync"])
    }

    fn run(&mut self, args: &[&str]) -> &mut Self {
        let ran = self.place.run(&[args, &["-vvv"]].concat());
        assert!([0, 1, 75].contains(&ran.code), "{ran:#?}");
        self.rows.extend(rows_of(&ran.err));
        self
    }

    fn colleague(&self, id: &str, act: Act) {
        self.place.hub.lock().model.colleague(clock(), id, act).unwrap();
    }

    fn publishes(&self, id: &str, content: &str) {
        self.colleague(id, Act::Publish { title: id.to_owned(), content: content.to_owned() });
    }

    fn drafts(&self, id: &str, content: &str) {
        self.colleague(id, Act::SaveDraft { title: id.to_owned(), content: content.to_owned() });
    }

    fn files(&self, id: &str, folder: &str) {
        self.colleague(id, Act::File { folder_ids: vec![folder.to_owned()], skill_ids: Vec::new() });
    }

    fn doc(&self, id: &str, more: &str, body: &str) {
        self.place.write(&format!("{id}.md"), format!("---\npage_id: {id}\ntitle: {id}\n{more}---\n{body}"));
    }

    fn remove(&self, id: &str) {
        std::fs::remove_file(self.place.root().join(format!("{id}.md"))).unwrap();
    }

    #[track_caller]
    fn shows(&self, rows: &[&str]) {
        let missing: Vec<&&str> = rows.iter().filter(|row| !self.rows.contains(**row)).collect();
        assert!(missing.is_empty(), "not reached: {missing:?}; reached: {:?}", self.rows);
    }
}

const PUBLISHED: &str = "status: published\n";
const DRAFT: &str = "status: draft\n";

fn unpublished(place: &Place, id: &str, content: &str) {
    let (id, title) = (Some(id.to_owned()), id.to_owned());
    let new = NewPage { id, title, content: content.to_owned(), status: Status::Draft, ..NewPage::default() };
    place.hub.lock().model.add_page(clock(), new);
}

#[test]
fn first_meetings_reach_the_rows_b() {
    let mut seen = Seen::with("");
    for (id, content) in [("same", "Same.\n"), ("other", "Theirs.\n"), ("drafted", "Same.\n"), ("emptied", "Text.\n")] {
        seen.place.page(id, content);
    }
    unpublished(&seen.place, "new", "");
    seen.drafts("drafted", "A colleague's draft.\n");
    seen.drafts("same", "A colleague's draft.\n");
    for id in ["same", "other", "drafted", "new", "absent"] {
        seen.doc(id, PUBLISHED, if id == "drafted" { "Another.\n" } else { "Same.\n" });
    }
    seen.doc("emptied", PUBLISHED, "");
    seen.doc("unknown", "status: published\nfolders: [Nowhere]\n", "Text.\n");
    seen.doc("bad", "status: publshed\n", "Text.\n");
    seen.doc("skipped", "sync: false\n", "Text.\n");
    seen.sync();
    seen.remove("other");
    seen.sync();
    seen.shows(&["B1", "B3", "B4", "B5", "B6", "C7", "D13", "D15", "absent", "G1", "G2", "F0"]);
    assert_eq!(seen.place.content("emptied"), "Text.\n");

    let mut blind = Seen::with("publish:\n  conflict_check: false\n");
    blind.place.page("p", "Theirs.\n");
    blind.doc("p", PUBLISHED, "Ours.\n");
    blind.sync().sync().shows(&["B2", "C1"]);
}

#[test]
fn a_page_that_only_the_hub_changed_reaches_the_rows_c() {
    let mut seen = Seen::with("");
    for id in ["still", "filed", "published"] {
        seen.place.page(id, "Same.\n");
        seen.doc(id, PUBLISHED, "Same.\n");
    }
    for id in ["taken", "edited", "touched"] {
        unpublished(&seen.place, id, "Same.\n");
        seen.doc(id, DRAFT, "Same.\n");
    }
    seen.sync();
    let folder = seen.place.hub.lock().model.add_folder(clock(), "Sales", None);
    seen.files("filed", &folder);
    seen.files("touched", &folder);
    seen.publishes("published", "Theirs.\n");
    seen.publishes("taken", "Same.\n");
    seen.drafts("edited", "A colleague's draft.\n");
    seen.sync();
    seen.shows(&["C2", "C2d", "C3", "C4", "C5", "C9"]);
    assert!(seen.place.requests().keys().all(|method| method == "GET"), "nothing is written");
}

#[test]
fn a_document_that_changed_reaches_the_rows_d() {
    let mut seen = Seen::with("");
    let sales = seen.place.hub.lock().model.add_folder(clock(), "Sales", None);
    let support = seen.place.hub.lock().model.add_folder(clock(), "Support", None);
    let ids = ["plain", "same", "filed", "both", "earlier", "drafted", "gone", "lifted"];
    for id in ids {
        seen.place.page(id, "Old.\n");
        seen.files(id, &sales);
        seen.doc(id, "status: published\nfolders: Sales\n", "Old.\n");
    }
    unpublished(&seen.place, "risen", "Old.\n");
    seen.doc("risen", DRAFT, "Old.\n");
    seen.sync();
    seen.doc("earlier", "status: published\nfolders: Sales\n", "In between.\n");
    seen.sync();
    for id in ids {
        seen.doc(id, "status: published\nfolders: Sales\n", "New.\n");
    }
    seen.doc("risen", PUBLISHED, "Old.\n");
    seen.remove("gone");
    seen.publishes("same", "New.\n");
    seen.files("filed", &support);
    seen.publishes("both", "Theirs.\n");
    seen.publishes("earlier", "Old.\n");
    seen.drafts("drafted", "A colleague's draft.\n");
    seen.sync();
    seen.shows(&["D3", "D4", "D5", "D6", "D7", "D8", "D9", "F1"]);
    assert_eq!(
        ["plain", "filed", "earlier", "risen"].map(|id| seen.place.content(id)),
        ["New.\n", "New.\n", "New.\n", "Old.\n"]
    );
    assert_eq!(seen.place.content("both"), "Theirs.\n");
    seen.colleague("plain", Act::Archive);
    seen.doc("plain", "status: published\nfolders: Sales\n", "Newer.\n");
    seen.sync();
    seen.remove("plain");
    seen.sync();
    seen.shows(&["absent", "F5"]);
}

/// Where stamps are whole seconds, what was edited in the second of our own write can't be told from it.
#[test]
fn an_edit_right_after_our_own_write_reaches_row_d2() {
    let mut seen = Seen::with("");
    seen.place.hub.lock().model.settings_mut().stamps = Stamps::WholeSeconds;
    seen.place.same(1);
    for text in ["Same.\n", "New.\n", "Newer.\n"] {
        seen.place.doc("p0", text);
        seen.sync();
    }
    seen.shows(&["D2", "D4"]);
}

#[test]
fn lost_answers_reach_the_rows_e() {
    let mut seen = Seen::with("");
    for id in ["arrived", "lost"] {
        seen.place.page(id, "Old.\n");
        seen.doc(id, PUBLISHED, "Old.\n");
    }
    seen.sync();
    seen.place.faults(&["PATCH/drop-after:x1"]);
    seen.doc("arrived", PUBLISHED, "New.\n");
    seen.sync();
    seen.place.faults(&["PATCH/drop-before:x1"]);
    seen.doc("lost", PUBLISHED, "New.\n");
    seen.sync();
    seen.place.faults(&[]);
    seen.sync();
    seen.shows(&["E1", "E2", "E3"]);
    assert_eq!(
        ["arrived", "lost"].map(|id| (seen.place.content(id), seen.place.version(id))),
        [("New.\n".to_owned(), 2), ("New.\n".to_owned(), 2)]
    );
}

#[test]
fn what_a_person_decides_reaches_row_r1() {
    let mut seen = Seen::with("");
    seen.place.same(3);
    seen.sync();
    for id in ["p0", "p1"] {
        seen.publishes(id, "Theirs.\n");
        seen.place.doc(id, "Ours.\n");
    }
    seen.sync();
    seen.run(&["resolve", "docs/p0.md", "--keep", "local"]).run(&["resolve", "docs/p1.md", "--keep", "remote"]);
    seen.shows(&["R1"]);
    assert_eq!(["p0", "p1"].map(|id| seen.place.content(id)), ["Ours.\n", "Theirs.\n"]);
}

#[test]
fn files_that_are_gone_reach_the_rows_f_and_e8_and_e9() {
    let mut seen = Seen::with("publish:\n  on_delete: archive\n  archive_after: 0s\n");
    seen.place.same(9);
    seen.sync();
    // The look at the folder that misses them, and the list that looks at the hub, are of one run.
    seen.remove("p0");
    seen.place.faults(&["DELETE/drop-after:x1"]);
    seen.sync();
    seen.remove("p1");
    seen.place.faults(&["DELETE/drop-before:x1"]);
    seen.sync();
    seen.place.faults(&[]);
    seen.remove("p2");
    seen.publishes("p2", "Theirs.\n");
    seen.place.doc("p0", "Back again.\n");
    seen.sync();
    seen.sync();
    seen.shows(&["E1", "E8", "E9", "F2", "F3", "F4", "F8"]);
    let archived = ["p0", "p1", "p2"].map(|id| seen.place.hub.lock().model.page(id).unwrap().archived);
    assert_eq!(archived, [true, true, false]);
}

#[test]
fn documents_without_a_page_reach_the_rows_n() {
    let mut seen = Seen::with("publish:\n  create: true\n");
    let new = |seen: &Seen, name: &str| seen.place.write(name, format!("---\ntitle: {name}\n---\nText.\n"));
    new(&seen, "made.md");
    seen.sync();
    seen.place.faults(&["POST/drop-after:x1"]);
    new(&seen, "lost.md");
    seen.sync();
    seen.place.faults(&[]);
    seen.place.config("");
    new(&seen, "none.md");
    seen.sync();
    // An editor saves over the id.
    new(&seen, "made.md");
    seen.sync();
    seen.shows(&["N1", "N2", "N3", "N4"]);
    assert_eq!(seen.place.hub.lock().model.pages().count(), 2);
}

/// A `sync` begins with a list, so that it never knows nothing; a daemon may.
#[test]
fn the_first_edit_under_a_daemon_reaches_row_d1() {
    let place = Place::with("watch:\n  debounce: 100ms\n");
    place.same(1);
    place.run(&["sync"]).ends(0);
    let daemon = place.start(&["run", "-vvv"]);
    until("the daemon is ready", || place.json(&["status", "--json"])["daemon"]["running"] == true);
    place.doc("p0", "New.\n");
    until("the edit arrives", || place.content("p0") == "New.\n");
    drop(daemon);
    let rows = rows_of(&std::fs::read_to_string(place.path("daemon.log")).unwrap());
    assert!(rows.contains("D1") && rows.contains("D4"), "{rows:?}");
}
