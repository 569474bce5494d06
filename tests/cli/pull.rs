//! `hubsync pull`: pages become files, which are in step at once and cost nothing more.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{Act, NewPage, Status};
use serde_json::Value;

use crate::place::{Place, files};

fn new(id: &str, title: &str, content: &str) -> NewPage {
    NewPage {
        id: Some(id.to_owned()),
        title: title.to_owned(),
        content: content.to_owned(),
        status: Status::Published,
        ..NewPage::default()
    }
}

fn add(place: &Place, page: NewPage) {
    place.hub.lock().model.add_page(clock(), page);
}

fn colleague(place: &Place, id: &str, act: Act) {
    place.hub.lock().model.colleague(clock(), id, act).unwrap();
}

fn publish(place: &Place, id: &str, title: &str, content: &str) {
    colleague(place, id, Act::Publish { title: title.to_owned(), content: content.to_owned() });
}

fn text(place: &Place, name: &str) -> String {
    fs::read_to_string(place.root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn gets(n: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("GET".to_owned(), n)])
}

/// Action and path of each page, by id.
fn told(report: &Value) -> BTreeMap<String, (String, Option<String>)> {
    let pages = report["pages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    pages
        .iter()
        .map(|page| (text(&page["page_id"]).unwrap(), (text(&page["action"]).unwrap(), text(&page["path"]))))
        .collect()
}

fn all_in_step(place: &Place, n: u64) {
    let report = place.json(&["sync", "--json"]);
    assert_eq!(report["counts"]["in_step"].as_u64(), Some(n), "{report:#}");
    assert_eq!(report["requests"]["PATCH"], Value::Null, "{report:#}");
}

#[test]
fn a_page_becomes_a_file_in_its_folder_and_the_next_sync_sends_its_own_look_alone() {
    let place = Place::new();
    let (folder, skill, source) = {
        let mut hub = place.hub.lock();
        let sales = hub.model.add_folder(clock(), "Sales", None);
        let folder = hub.model.add_folder(clock(), "Q2: objections", Some(&sales));
        let skill = hub.model.add_skill(clock(), "Handling, \"hard\"");
        (folder, skill, hub.model.add_source(clock(), "Deck #2.pdf", None))
    };
    let page = NewPage {
        folder_ids: vec![folder],
        skill_ids: vec![skill],
        source_ids: vec![source],
        ..new("p1", "Pricing: \"objections\" #1", "# Pricing: \"objections\" #1\n\n---\r\nText  \n")
    };
    add(&place, page);
    let ran = place.run(&["pull", "p1"]).ends(0);
    let path = "sales-q2-objections/pricing-objections-1.md";
    assert!(ran.out.contains(&format!("created    {path} (page p1)")), "{ran:?}");
    assert_eq!(
        text(&place, path),
        "---\npage_id: p1\ntitle: 'Pricing: \"objections\" #1'\nfolders: [\"Q2: objections\"]\n\
         skills: ['Handling, \"hard\"']\nsources: [\"Deck #2.pdf\"]\nstatus: published\n---\n\
         # Pricing: \"objections\" #1\n\n# Pricing: \"objections\" #1\n\n---\nText  \n"
    );
    assert_eq!(place.requests(), gets(4), "the page, and three tables of names");
    all_in_step(&place, 1);
    assert_eq!(place.requests(), gets(1));
    place.run(&["check", "--strict"]).ends(0);
    // Again: the page and nothing else; then it is edited as any document.
    place.run(&["pull", "p1"]).ends(0);
    assert_eq!(place.requests(), gets(1));
    place.write(path, text(&place, path).replace("Text", "Edited"));
    let report = place.json(&["sync", "--json"]);
    assert_eq!((&report["counts"]["in_step"], &report["requests"]["PATCH"]), (&1.into(), &1.into()), "{report:#}");
    assert!(place.content("p1").contains("Edited"));
}

#[test]
fn all_pages_are_pulled_as_far_as_the_day_goes_and_the_next_run_goes_on() {
    let config = "hub:\n  url: URL\n  requests_per_day: DAY\n  reserved_for_edits: 0\n";
    let place = Place::with(&config.replace("DAY", "4"));
    for n in 0..5 {
        add(&place, new(&format!("p{n}"), "The same title", &format!("Text {n}.\n")));
    }
    let ran = place.run(&["pull", "--all"]).ends(75);
    assert!(ran.out.contains("3 created; 4 requests") && ran.err.contains("the day's requests are spent"), "{ran:?}");
    assert_eq!(place.requests(), gets(4));
    place.config(&config.replace("DAY", "900"));
    let report = place.json(&["pull", "--all", "--json"]);
    let actions: Vec<&str> =
        report["pages"].as_array().unwrap().iter().map(|page| page["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["unchanged", "unchanged", "unchanged", "created", "created"], "{report:#}");
    assert_eq!((place.requests(), &report["requests"]["GET"]), (gets(3), &3.into()));
    let names: Vec<String> =
        files(&place.root()).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    place.run(&["pull", "--all"]).ends(0);
    assert_eq!(place.requests(), gets(1), "nothing but the list");
    // One of them is edited in the hub: only that is asked for.
    publish(&place, "p3", "The same title", "Edited.\n");
    let report = place.json(&["pull", "--all", "--json"]);
    assert_eq!(told(&report)["p3"].0, "updated", "{report:#}");
    assert_eq!(place.requests(), gets(2));
    let all: String = files(&place.root()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(all.contains("Edited.") && !all.contains("Text 3."), "{all}");
    all_in_step(&place, 5);
}

#[test]
fn no_title_leads_out_of_the_root_over_a_file_or_into_a_terminal() {
    let place = Place::new();
    let titles = [
        ("up", "../../outside"),
        ("abs", "/etc/passwd"),
        ("con", "CON"),
        ("dots", "..."),
        ("case", "Notes"),
        ("nfd", "Cafe\u{301}"),
        ("nfc", "CAFÉ"),
        ("esc", "a\u{1b}[2Jb"),
        ("yaml", "null"),
        ("fence", "---"),
        ("list", "[a, b]: &c *d"),
        ("long", &"ü".repeat(400)),
        ("lines", "two\nlines"),
    ];
    place.write("NOTES.md", "Mine, no document.\n");
    for (id, title) in titles {
        add(&place, new(id, title, &format!("Text of {id}.\n")));
    }
    let ran = place.run(&["pull", "--all"]).ends(0);
    assert!(ran.out.contains("13 created"), "{ran:?}");
    assert!(!ran.said().contains('\u{1b}'));
    assert_eq!(text(&place, "NOTES.md"), "Mine, no document.\n");
    let outside: Vec<_> = files(place.dir.path())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "md") && !path.starts_with(place.root()))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    for (id, name) in [
        ("case", "notes-2.md"),
        ("con", "con-page.md"),
        ("up", "outside.md"),
        ("dots", "dots.md"),
        ("fence", "fence.md"),
    ] {
        assert!(text(&place, name).contains(&format!("page_id: {id}\n")), "{name}");
    }
    place.run(&["check"]).ends(0);
    place.requests();
    all_in_step(&place, 13);
    assert_eq!(place.requests(), gets(1));
    assert_eq!(place.hub.lock().model.page("yaml").unwrap().title(), "null");
}

#[test]
fn a_document_is_brought_up_only_if_it_has_no_change_of_its_own() {
    let place = Place::new();
    let theirs = "\u{feff}---\r\n# mine\r\ntitle:   'clean'\r\npage_id: clean # id\r\ntags: [a,  b]\r\nstatus: published\r\n---\r\nSame.\r\n";
    for id in ["clean", "changed", "broken", "gone"] {
        add(&place, new(id, id, "Same.\n"));
        place.doc(id, "Same.\n");
    }
    place.write("clean.md", theirs);
    fs::set_permissions(place.root().join("clean.md"), fs::Permissions::from_mode(0o640)).unwrap();
    place.run(&["sync"]).ends(0);
    for id in ["clean", "changed", "broken", "gone"] {
        publish(&place, id, id, "Theirs.\n");
    }
    add(&place, new("unmet", "unmet", "Theirs.\n"));
    place.doc("unmet", "Mine.\n");
    place.doc("changed", "Mine.\n");
    place.write("broken.md", "---\npage_id: broken\ntitle: [x\n---\nSame.\n");
    fs::remove_file(place.root().join("gone.md")).unwrap();
    place.requests();
    let ran = place.run(&["pull", "changed", "broken"]).ends(1);
    assert!(
        ran.out.contains("skipped    changed.md (page changed): the document has a change that is not published"),
        "{ran:?}"
    );
    assert!(place.requests().is_empty(), "what is left alone is not asked for");
    let report = place.json(&["pull", "--all", "--json"]);
    let told = told(&report);
    let action = |id: &str| told[id].0.as_str();
    assert_eq!(
        ["clean", "changed", "broken", "gone", "unmet"].map(action),
        ["updated", "skipped", "skipped", "skipped", "skipped"],
        "{report:#}"
    );
    assert_eq!(place.requests(), gets(3), "the list, and those that may be brought up");
    assert_eq!(text(&place, "clean.md"), theirs.replace("Same.", "Theirs."));
    assert_eq!(fs::metadata(place.root().join("clean.md")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(text(&place, "changed.md").ends_with("Mine.\n") && text(&place, "unmet.md").ends_with("Mine.\n"));
    assert!(!place.root().join("gone.md").exists(), "it was deleted on purpose");
    // Named itself, it comes back where it was.
    place.run(&["pull", "gone"]).ends(0);
    assert!(text(&place, "gone.md").ends_with("Theirs.\n"));
    place.requests();
    let report = place.json(&["sync", "--json"]);
    assert_eq!((&report["counts"]["in_step"], &report["requests"]["PATCH"]), (&2.into(), &Value::Null), "{report:#}");
    assert_eq!(place.content("changed"), "Theirs.\n");
}

#[test]
fn drafts_archived_pages_and_pages_without_text() {
    let place = Place::new();
    add(&place, NewPage { status: Status::Draft, ..new("draft", "A draft", "Not yet.\n") });
    add(&place, new("empty", "Empty", ""));
    add(&place, new("archived", "Old", "Old.\n"));
    colleague(&place, "archived", Act::Archive);
    add(&place, new("beside", "Beside", "Live.\n"));
    colleague(
        &place,
        "beside",
        Act::SaveDraft { title: "Beside".to_owned(), content: "Theirs, not yet.\n".to_owned() },
    );
    let report = place.json(&["pull", "draft", "empty", "archived", "none", "beside", "--json"]);
    let told = told(&report);
    let action = |id: &str| told[id].0.as_str();
    assert_eq!(
        ["draft", "empty", "archived", "none", "beside"].map(action),
        ["created", "skipped", "skipped", "skipped", "created"],
        "{report:#}"
    );
    let ran = place.run(&["pull", "archived", "none", "empty"]).ends(1);
    assert!(
        ran.out.matches("no page of this id, or it is archived").count() == 2 && ran.out.contains("has no text"),
        "{ran:?}"
    );
    assert_eq!(text(&place, "a-draft.md"), "---\npage_id: draft\ntitle: A draft\nstatus: draft\n---\nNot yet.\n");
    assert!(text(&place, "beside.md").ends_with("status: published\n---\nLive.\n"));
    all_in_step(&place, 2);
    place.run(&["pull"]).ends(2);
    place.run(&["pull", "not an id"]).ends(2);
    place.run(&["pull", "--all", "--into", "/etc"]).ends(2);
}

#[test]
fn a_folder_of_the_hub_with_those_in_it_and_what_would_be_done() {
    let place = Place::new();
    {
        let mut hub = place.hub.lock();
        let sales = hub.model.add_folder(clock(), "Sales", None);
        let inner = hub.model.add_folder(clock(), "Inner", Some(&sales));
        let other = hub.model.add_folder(clock(), "Other", None);
        for (id, folder) in [("a", &sales), ("b", &inner), ("c", &other)] {
            hub.model.add_page(clock(), NewPage { folder_ids: vec![folder.clone()], ..new(id, id, "Text.\n") });
        }
    }
    let ran = place.run(&["pull", "--folder", "Sales", "--dry-run"]).ends(0);
    assert!(ran.out.contains("would create  sales/a.md (page a)"), "{ran:?}");
    assert!(ran.out.contains("would create  sales-inner/b.md (page b)") && !ran.out.contains("page c"), "{ran:?}");
    assert!(files(&place.root()).is_empty() && !place.path("state.db").exists());
    assert_eq!(place.requests(), gets(2), "the folders' names and the list");
    place.run(&["pull", "--folder", "Sales", "--into", "docs/in/here"]).ends(0);
    assert!(text(&place, "in/here/a.md").contains("folders: [Sales]\n"));
    assert!(text(&place, "in/here/b.md").contains("folders: [Inner]\n") && !place.root().join("in/here/c.md").exists());
    place.run(&["pull", "--folder", "Slaes"]).ends(2);
    all_in_step(&place, 2);
    place.write(".gitignore", "private/\n");
    let ran = place.run(&["pull", "c", "--into", "docs/private"]).ends(1);
    assert!(ran.out.contains("created    private/c.md (page c): its file is left out by a rule"), "{ran:?}");
}

#[test]
fn beside_a_daemon_what_was_pulled_is_its_own_at_once() {
    let place = Place::with("watch:\n  debounce: 10m\n  max_delay: 20m\n");
    place.same(1);
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    let folder = place.hub.lock().model.add_folder(clock(), "Sales", None);
    add(&place, NewPage { folder_ids: vec![folder], ..new("new", "New one", "Theirs.\n") });
    publish(&place, "p0", "p0", "Theirs.\n");
    place.requests();
    let report = place.json(&["pull", "new", "p0", "--json"]);
    let told = told(&report);
    assert_eq!((told["new"].0.as_str(), told["p0"].0.as_str()), ("created", "updated"), "{report:#}");
    assert_eq!(place.requests(), gets(3), "two pages and the folders' names, and the daemon asks nothing");
    let status = place.json(&["status", "--json"]);
    assert_eq!(status["counts"]["in_step"], 2, "{status:#}");
    // All that follows is the daemon's own look.
    let report = place.json(&["sync", "--json"]);
    assert_eq!(
        (&report["counts"]["in_step"], &report["requests"]),
        (&2.into(), &serde_json::json!({"GET": 1})),
        "{report:#}"
    );
    assert_eq!(text(&place, "p0.md"), "---\npage_id: p0\ntitle: p0\nstatus: published\n---\nTheirs.\n");
    place.write("sales/new-one.md", text(&place, "sales/new-one.md").replace("Theirs", "Ours"));
    place.run(&["sync"]).ends(0);
    assert_eq!((place.content("new").as_str(), place.content("p0").as_str()), ("Ours.\n", "Theirs.\n"));
}

#[test]
fn the_notice_of_published_pages_is_taken_off_and_put_on_again() {
    let place = Place::with("publish:\n  notice: \"_Kept in git: {path}_\"\n");
    add(&place, new("p0", "p0", "Old.\n"));
    place.doc("p0", "Mine.\n");
    place.run(&["sync", "--first-meeting", "local"]).ends(0);
    assert_eq!(place.content("p0"), "Mine.\n\n_Kept in git: p0.md_\n");
    fs::remove_file(place.root().join("p0.md")).unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        drop(fs::remove_file(place.path(name)));
    }
    place.run(&["pull", "p0"]).ends(0);
    assert!(text(&place, "p0.md").ends_with("status: published\n---\nMine.\n"), "{}", text(&place, "p0.md"));
    place.requests();
    all_in_step(&place, 1);
    assert_eq!(place.requests(), gets(1));
    // A colleague's edit above the notice.
    publish(&place, "p0", "p0", "Theirs.\n\n_Kept in git: p0.md_\n");
    place.run(&["pull", "--all"]).ends(0);
    assert!(text(&place, "p0.md").ends_with("---\nTheirs.\n"), "{}", text(&place, "p0.md"));
    all_in_step(&place, 1);
}
