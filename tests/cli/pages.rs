//! `hubsync pages` and `hubsync link --by-title`: the hub's pages and their documents, one request for a hundred, no write.

use std::collections::BTreeMap;

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{Act, NewPage, Status};

use crate::place::{Place, until};

fn gets(n: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("GET".to_owned(), n)])
}

/// A page of this title without a document.
fn titled(place: &Place, id: &str, title: &str) {
    let new =
        NewPage { id: Some(id.to_owned()), title: title.to_owned(), status: Status::Published, ..NewPage::default() };
    place.hub.lock().model.add_page(clock(), new);
}

#[test]
fn pages_lists_all_with_their_documents_for_one_request_a_hundred() {
    let place = Place::new();
    place.same(2);
    let folder = place.hub.lock().model.add_folder(clock(), "Sales", None);
    for n in 0..120 {
        titled(&place, &format!("q{n}"), &format!("Title {n}"));
    }
    place.write("q0.md", "---\npage_id: q0\ntitle: Title 0\nfolders: [Sales]\n---\nText.\n");
    place.run(&["sync"]).ends(0);
    std::fs::rename(place.root().join("p1.md"), place.root().join("moved.md")).unwrap();
    std::fs::remove_file(place.root().join("p0.md")).unwrap();
    place.hub.lock().model.colleague(clock(), "q5", Act::Archive).unwrap();
    place.requests();
    let told = place.json(&["pages", "--json"]);
    assert_eq!(place.requests(), gets(2), "121 pages");
    let pages: BTreeMap<&str, &serde_json::Value> =
        told["pages"].as_array().unwrap().iter().map(|page| (page["page_id"].as_str().unwrap(), page)).collect();
    assert_eq!((pages.len(), &told["requests"]["GET"]), (121, &2.into()));
    assert_eq!(pages["p1"]["path"], "moved.md");
    assert!(pages["p0"]["path"].is_null(), "its file is gone");
    assert!(!pages.contains_key("q5"), "archived");
    assert_eq!((&pages["q0"]["path"], &pages["q0"]["folders"]), (&"q0.md".into(), &serde_json::json!(["Sales"])));
    assert_eq!((&pages["q7"]["title"], &pages["q7"]["status"]), (&"Title 7".into(), &"published".into()));
    assert!(!folder.is_empty());
    let ran = place.run(&["pages"]).ends(0);
    assert!(ran.out.contains("\"Title 0\"  [Sales]  q0.md\n"), "{ran:?}");
    assert!(ran.out.ends_with("121 pages, 119 of them without a document\n"), "{ran:?}");
    // Without a state, and beside a daemon.
    std::fs::remove_file(place.path("state.db")).unwrap();
    place.run(&["pages"]).ends(0);
    let _daemon = place.daemon();
    assert_eq!(place.json(&["pages", "--json"])["pages"].as_array().unwrap().len(), 121);
}

#[test]
fn link_writes_one_line_where_a_title_names_one_page_and_lists_the_rest() {
    let place = Place::new();
    place.same(1);
    for (id, title) in [("one", "Pricing"), ("a", "Twice"), ("b", "Twice"), ("h", "From a heading"), ("t", "Two files")]
    {
        titled(&place, id, title);
    }
    let pricing = "\u{feff}---\r\n# keep\r\ntitle:   'Pricing'  # this too\r\ntags: [a,   b]\r\n---\r\nBody\r\n";
    place.write("pricing.md", pricing);
    place.write("heading.md", "---\n---\n# From a heading\n\nText.\n");
    let untouched = [
        ("twice.md", "---\ntitle: Twice\n---\nx\n"),
        ("t1.md", "---\ntitle: Two files\n---\nx\n"),
        ("t2.md", "---\ntitle: Two files\n---\nx\n"),
        ("taken.md", "---\ntitle: p0\n---\nx\n"),
        ("unknown.md", "---\ntitle: Nobody's\n---\nx\n"),
        ("off.md", "---\ntitle: Pricing\nsync: false\n---\nx\n"),
        ("plain.md", "# Pricing\n"),
    ];
    untouched.iter().for_each(|(name, text)| place.write(name, text));
    let text = |name: &str| std::fs::read_to_string(place.root().join(name)).unwrap();
    place.run(&["link"]).ends(2);
    let told = place.json(&["link", "--by-title", "--dry-run", "--json"]);
    assert_eq!((text("pricing.md"), place.requests()), (pricing.to_owned(), gets(1)));
    let outcome = |path: &str| {
        let documents = told["documents"].as_array().unwrap();
        documents.iter().find(|document| document["path"] == path).map(|document| document["outcome"].clone())
    };
    assert_eq!(outcome("pricing.md"), Some("would_link".into()));
    assert_eq!(outcome("unknown.md"), Some("no_page".into()));
    assert_eq!((outcome("off.md"), outcome("plain.md")), (None, None));
    let ran = place.run(&["link", "--by-title"]).ends(1);
    assert_eq!(place.requests(), gets(1), "no write");
    assert_eq!(text("pricing.md"), pricing.replace("\r\n---\r\nBody", "\r\npage_id: one\r\n---\r\nBody"));
    assert_eq!(text("heading.md"), "---\npage_id: h\n---\n# From a heading\n\nText.\n");
    for (name, before) in untouched {
        assert_eq!(text(name), before, "{name}");
    }
    for line in [
        "linked      pricing.md \"Pricing\" page one\n",
        "(a, b)\n",
        "ambiguous   t1.md \"Two files\": several documents",
        "ambiguous   taken.md",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert!(ran.out.ends_with("7 without page_id: 2 linked, 4 ambiguous, 1 without a page\n"), "{ran:#?}");
    // A second run finds nothing new; what is settled needs no person, and no request where nothing is left to ask.
    place.run(&["link", "--by-title", "docs/unknown.md"]).ends(0);
    place.requests();
    let ran = place.run(&["link", "--by-title", "docs/pricing.md"]).ends(0);
    assert!(ran.out.starts_with("no document without page_id") && place.requests().is_empty(), "{ran:?}");
}

#[test]
fn a_document_that_is_linked_beside_a_daemon_is_taken_up_by_it() {
    let place = Place::with("watch:\n  debounce: 100ms\n");
    place.same(1);
    titled(&place, "one", "Pricing");
    place.write("pricing.md", "---\ntitle: Pricing\nstatus: published\n---\nBody.\n");
    let _daemon = place.daemon();
    place.run(&["link", "--by-title"]).ends(0);
    until("an empty page is filled", || place.content("one") == "Body.\n");
}
