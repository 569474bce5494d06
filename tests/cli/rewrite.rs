//! `publish.notice`, and the guard against bulk rewrites that nobody asked for.

use std::fs;

use hubsync::sandbox::Act;
use hubsync::sandbox::server::clock;
use serde_json::Value;

use crate::place::{Place, until};

const NOTICE: &str = "publish:\n  notice: \"_Kept in git: {path}_\"\n";

/// So quiet that only an order publishes in time.
const SLOW: &str = "watch:\n  debounce: 10m\n  max_delay: 20m\n";

fn file(place: &Place, name: &str) -> String {
    fs::read_to_string(place.root().join(name)).unwrap()
}

fn codes(report: &Value) -> Vec<String> {
    let code = |page: &Value| {
        format!("{} {}", page["state"].as_str().unwrap(), page["reason"]["code"].as_str().unwrap_or_default())
    };
    report["pages"].as_array().unwrap().iter().map(code).collect()
}

#[test]
fn every_published_page_ends_with_the_notice_and_no_draft() {
    let place = Place::with(NOTICE);
    for id in ["p0", "p1", "p2"] {
        place.page(id, "Same.\n");
    }
    place.write("deep/p0.md", "---\npage_id: p0\ntitle: p0\nstatus: published\n---\nSame.\n");
    place.doc("p1", "Same.\n");
    place.write("p2.md", "---\npage_id: p2\ntitle: p2\nstatus: draft\n---\nA draft.\n");
    // What the pages said but for the notice is no conflict.
    place.run(&["sync"]).ends(1);
    assert_eq!(place.content("p0"), "Same.\n\n_Kept in git: deep/p0.md_\n");
    assert_eq!(place.content("p1"), "Same.\n\n_Kept in git: p1.md_\n");
    place.run(&["sync", "--first-meeting", "local"]).ends(0);
    let draft = place.hub.lock().model.page("p2").unwrap().draft.clone().unwrap();
    assert_eq!(draft.content.as_deref(), Some("A draft.\n"));
    place.requests();
    place.run(&["sync"]).ends(0);
    assert!(!place.requests().contains_key("PATCH"));
    // It follows its document.
    fs::rename(place.root().join("p1.md"), place.root().join("deep/p1.md")).unwrap();
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p1"), "Same.\n\n_Kept in git: deep/p1.md_\n");
}

#[test]
fn the_notice_is_taken_off_where_the_hubs_text_comes_into_a_file() {
    let place = Place::with(NOTICE);
    place.same(3);
    place.run(&["sync"]).ends(0);
    let theirs =
        ["Theirs.\n\n_Kept in git: p0.md_\n", "Theirs, and the notice is gone.\n", "Theirs.\n\n_Kept in git: p2.md_\n"];
    for (n, content) in theirs.into_iter().enumerate() {
        let act = Act::Publish { title: format!("p{n}"), content: content.to_owned() };
        place.hub.lock().model.colleague(clock(), &format!("p{n}"), act).unwrap();
    }
    place.run(&["sync"]).ends(0);
    place.run(&["resolve", "docs/p0.md", "docs/p1.md", "--keep", "remote"]).ends(0);
    assert!(file(&place, "p0.md").ends_with("---\nTheirs.\n"));
    assert!(file(&place, "p1.md").ends_with("---\nTheirs, and the notice is gone.\n"));
    assert_eq!((place.version("p0"), place.version("p1")), (3, 4), "only the notice that was taken away comes back");
    assert_eq!(place.content("p1"), "Theirs, and the notice is gone.\n\n_Kept in git: p1.md_\n");
    place.doc("p2", "Mine.\n");
    place.run(&["sync"]).ends(1);
    place.run(&["resolve", "docs/p2.md", "--keep", "both"]).ends(1);
    assert!(file(&place, "p2.md").ends_with("---\n<<<<<<< document\nMine.\n=======\nTheirs.\n>>>>>>> hub\n"));
}

#[test]
fn a_notice_that_could_not_be_told_from_a_text_is_refused() {
    let place = Place::with("publish:\n  notice: \"two\\nlines\"\n");
    let ran = place.run(&["sync"]).ends(2);
    assert!(ran.err.contains("publish.notice") && ran.err.contains("one line"), "{ran:?}");
}

#[test]
fn twenty_pages_follow_a_changed_rule_and_more_wait_for_a_person() {
    for (n, confirmed) in [(20, false), (21, true)] {
        let place = Place::new();
        place.same(n);
        place.run(&["sync"]).ends(0);
        place.config(NOTICE);
        place.requests();
        if !confirmed {
            place.run(&["sync"]).ends(0);
            assert_eq!(place.requests()["PATCH"], n);
            continue;
        }
        let ran = place.run(&["sync"]).ends(1);
        assert!(ran.out.contains("p0.md: pending") && ran.out.contains("[rendering_changed]"), "{ran:?}");
        assert!(ran.out.contains("`hubsync sync --confirm-rewrite` publishes them"), "{ran:?}");
        let report = place.json(&["status", "--json"]);
        assert_eq!(codes(&report), vec!["pending rendering_changed"; n]);
        assert_eq!(report["budget"]["eta"], Value::Null, "nobody knows when");
        place.run(&["status"]).ends(1);
        assert!(!place.requests().contains_key("PATCH"));
        let plan = place.json(&["sync", "--dry-run", "--json"]);
        assert_eq!(plan["plan"].as_array().unwrap().len(), n, "it says what they would be");
    }
}

#[test]
fn a_confirmed_rewrite_is_published_by_whoever_holds_the_state() {
    for beside in [false, true] {
        let place = Place::with(SLOW);
        place.same(22);
        place.run(&["sync"]).ends(0);
        place.config(&format!("{SLOW}{NOTICE}"));
        let daemon = beside.then(|| place.start(&["run"]));
        let held = || codes(&place.json(&["status", "--json"])) == vec!["pending rendering_changed"; 22];
        until("they wait", || held() && (!beside || place.json(&["status", "--json"])["daemon"]["running"] == true));
        let ran = place.run(&["sync"]).ends(1);
        assert_eq!(ran.out.matches("22 documents did not change").count(), 22, "each says how many: {ran:?}");
        assert!(place.version("p3") == 1 && held());
        // One that is edited is no rewrite.
        place.doc("p0", "Edited.\n");
        place.run(&["sync", "docs/p0.md"]).ends(0);
        assert_eq!(place.content("p0"), "Edited.\n\n_Kept in git: p0.md_\n");
        place.run(&["sync"]).ends(1);
        place.run(&["sync", "--confirm-rewrite"]).ends(0);
        assert_eq!(place.content("p21"), "Same.\n\n_Kept in git: p21.md_\n");
        drop(daemon);
        place.run(&["sync"]).ends(0);
    }
}
