//! `hubsync diff`: documents against pages, in every state, beside a daemon and without, one request a page, no write.

use std::collections::BTreeMap;

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{Act, NewPage, Status};
use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, Ran, until};
use crate::stub::{Stub, Then, error, http, page, page_of};

fn publish(place: &Place, id: &str, title: &str, content: &str) {
    act(place, id, Act::Publish { title: title.to_owned(), content: content.to_owned() });
}

fn act(place: &Place, id: &str, act: Act) {
    place.hub.lock().model.colleague(clock(), id, act).unwrap();
}

fn gets(n: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("GET".to_owned(), n)])
}

/// Diff of one page as JSON.
fn one(place: &Place, path: &str) -> Value {
    let told = place.json(&["diff", "--json", path]);
    assert_eq!(told["pages"].as_array().unwrap().len(), 1, "{told:#}");
    told["pages"][0].clone()
}

#[test]
fn a_conflict_shows_both_texts_word_by_word_and_who_edited() {
    let place = Place::new();
    place.same(3);
    place.run(&["sync"]).ends(0);
    publish(&place, "p0", "p0", "Same.\nTheir word here.\n");
    place.doc("p0", "Same.\nOur word here.\n");
    place.run(&["sync"]).ends(1);
    place.requests();
    let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
    assert_eq!(place.requests(), gets(2), "the page, and who edited it");
    for line in [
        "p0.md: conflict: ",
        "--- page p0: live, version 2, ",
        "+++ p0.md\n",
        "-Their word here.\n",
        "+Our word here.\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {ran:#?}");
    }
    assert!(ran.out.contains(" by Cleo Colleague\n"), "{ran:#?}");
    let mut coloured = place.command(&["diff", "docs/p0.md", "--color", "always"]);
    let coloured = Ran::of(coloured.env_remove("NO_COLOR").output().unwrap());
    assert!(coloured.out.contains("\u{1b}[7;31mTheir\u{1b}[0m\u{1b}[31m word here."), "{coloured:#?}");
    assert!(coloured.out.contains("\u{1b}[7;32mOur\u{1b}[0m\u{1b}[32m word here."), "{coloured:#?}");
    let told = one(&place, "docs/p0.md");
    assert_eq!(
        (&told["state"], &told["differs"], &told["remote_version"]),
        (&"conflict".into(), &true.into(), &2.into())
    );
    assert!(told["edited_by"].is_string() && told["edited_at"].is_string(), "{told:#}");
    assert_eq!(told["texts"][0]["diff"], "@@ -1,2 +1,2 @@\n Same.\n-Their word here.\n+Our word here.\n");
    // Without a path only what is not in step is asked.
    place.requests();
    let ran = place.run(&["diff"]).ends(0);
    assert!(
        ran.out.contains("-Their word") && ran.out.contains("2 in step by the last look were not asked"),
        "{ran:#?}"
    );
    assert_eq!(place.requests(), gets(2));
    assert_eq!(place.content("p0"), "Same.\nTheir word here.\n");
}

#[test]
fn every_state_is_told() {
    let place = Place::new();
    place.same(6);
    place.run(&["sync"]).ends(0);
    publish(&place, "p1", "Their title", "Same.\n");
    std::fs::remove_file(place.root().join("p2.md")).unwrap();
    place.doc("p3", "New.\n");
    place.page("p7", "Theirs.\n");
    place.doc("p7", "Ours.\n");
    place.doc("p8", "Ours.\n");
    act(&place, "p5", Act::Archive);
    place.run(&["sync", "docs/p1.md", "docs/p2.md", "docs/p7.md", "docs/p8.md"]);
    place.write("broken.md", "---\npage_id: b\nstatus: publshed\n---\nx\n");
    place.write("none.md", "---\ntitle: None\n---\nx\n");
    place.write("off.md", "---\npage_id: p9\nsync: false\n---\nx\n");
    place.requests();
    for (path, state, differs) in [
        ("p0", "in_step", false),
        ("p1", "drifted", true),
        ("p2", "orphaned", true),
        ("p3", "pending", true),
        ("p7", "conflict", true),
    ] {
        let told = one(&place, &format!("docs/{path}.md"));
        assert_eq!((&told["state"], &told["differs"]), (&state.into(), &differs.into()), "{path}: {told:#}");
    }
    assert_eq!(
        one(&place, "docs/p1.md")["texts"][0]["title"],
        serde_json::json!({"page": "Their title", "document": "p1"})
    );
    assert_eq!(one(&place, "docs/p2.md")["texts"][0]["diff"], "@@ -1 +0,0 @@\n-Same.\n", "the page's text");
    for gone in ["docs/p5.md", "docs/p8.md"] {
        assert!(one(&place, gone)["why_not"].as_str().unwrap().contains("404"), "archived, or never there");
    }
    place.requests();
    for (path, state) in [("broken", "blocked"), ("none", "skipped"), ("off", "skipped")] {
        let told = one(&place, &format!("docs/{path}.md"));
        assert_eq!((&told["state"], &told["differs"]), (&state.into(), &Value::Null), "{path}: {told:#}");
        assert!(told["reason"]["message"].is_string(), "{told:#}");
    }
    assert!(place.requests().is_empty(), "there is nothing to compare them with");
    let ran = place.run(&["diff", "docs/broken.md"]).ends(0);
    assert!(ran.out.starts_with("broken.md: blocked: ") && ran.out.contains("[unknown_status]"), "{ran:?}");
    place.run(&["diff", "docs/nowhere.md"]).ends(2);
}

#[test]
fn a_draft_of_somebody_is_shown_beside_the_live_text() {
    let place = Place::new();
    place.same(2);
    place.run(&["sync"]).ends(0);
    act(&place, "p0", Act::SaveDraft { title: "p0".to_owned(), content: "Their draft.\n".to_owned() });
    let told = one(&place, "docs/p0.md");
    assert_eq!((&told["texts"][0]["side"], &told["texts"][0]["diff"]), (&"live".into(), &Value::Null), "{told:#}");
    assert_eq!(told["texts"][1]["side"], "draft");
    assert!(told["texts"][1]["diff"].as_str().unwrap().contains("-Their draft."), "{told:#}");
    let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
    assert!(ran.out.contains("--- page p0: its draft") && ran.out.contains("would destroy it"), "{ran:#?}");
    // A document that is a draft itself is compared with the draft.
    place.write("p1.md", "---\npage_id: p1\ntitle: p1\nstatus: draft\n---\nOur draft.\n");
    place.run(&["sync"]);
    let told = one(&place, "docs/p1.md");
    assert_eq!((&told["texts"][0]["side"], &told["differs"]), (&"draft".into(), &false.into()), "{told:#}");
}

#[test]
fn lists_are_shown_by_name() {
    let place = Place::new();
    let (sales, deals, skill) = {
        let mut hub = place.hub.lock();
        let sales = hub.model.add_folder(clock(), "Sales", None);
        let deals = hub.model.add_folder(clock(), "Deals", Some(&sales));
        (sales, deals, hub.model.add_skill(clock(), "Objections"))
    };
    let new = NewPage {
        id: Some("p0".to_owned()),
        title: "p0".to_owned(),
        content: "Same.\n".to_owned(),
        status: Status::Published,
        folder_ids: vec![sales.clone()],
        ..NewPage::default()
    };
    place.hub.lock().model.add_page(clock(), new);
    place.write("p0.md", "---\npage_id: p0\ntitle: p0\nstatus: published\nfolders: [Sales]\nskills: []\n---\nSame.\n");
    place.run(&["sync"]).ends(0);
    act(&place, "p0", Act::File { folder_ids: vec![deals], skill_ids: vec![skill] });
    let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
    assert!(ran.out.contains("@@ folders @@\n-Sales/Deals\n+Sales\n@@ skills @@\n-Objections\n"), "{ran:#?}");
    let told = one(&place, "docs/p0.md");
    assert_eq!(told["lists"]["folders"], serde_json::json!({"page": ["Sales/Deals"], "document": ["Sales"]}));
}

#[test]
fn a_notice_and_rewritten_links_are_no_difference() {
    let place = Place::with(
        "publish:\n  on_first_meeting: local\n  notice: '_Kept in git: {path}_'\nlinks:\n  page_url: https://hub/{page_id}\n",
    );
    place.same(2);
    place.doc("p0", "See [the other](p1.md).\n");
    place.run(&["sync"]).ends(0);
    assert!(place.content("p0").starts_with("See [the other](https://hub/p1).\n\n_Kept in git: "));
    assert_eq!(one(&place, "docs/p0.md")["differs"], false);
    place.doc("p0", "See [the other](p1.md) now.\n");
    let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
    assert!(
        ran.out.contains("+See [the other](https://hub/p1) now.\n") && !ran.out.contains("Kept in git"),
        "{ran:#?}"
    );
}

#[test]
fn it_runs_beside_a_daemon_and_keeps_the_budget() {
    let place = Place::with("watch:\n  debounce: 100ms\n");
    place.same(2);
    let daemon = place.daemon();
    publish(&place, "p0", "p0", "Theirs.\n");
    place.requests();
    let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
    assert!(ran.out.contains("-Theirs.") && ran.out.contains("+Same."), "{ran:#?}");
    let used = place.json(&["status", "--json"])["budget"]["day"]["used"].as_u64().unwrap();
    place.run(&["diff", "docs/p1.md"]).ends(0);
    assert_eq!(place.json(&["status", "--json"])["budget"]["day"]["used"], used + 1, "both spend one ledger");
    place.run(&["pause"]).ends(0);
    place.requests();
    let ran = place.run(&["diff", "docs/p0.md"]).ends(75);
    assert!(ran.err.contains("paused by a person") && place.requests().is_empty(), "{ran:?}");
    drop(daemon);
}

#[test]
fn the_reserve_of_the_day_is_left_alone_and_the_minute_waited_for_only_as_long_as_asked() {
    let place = Place::with("hub:\n  url: URL\n  requests_per_day: 6\n  reserved_for_edits: 3\n");
    place.same(1);
    place.run(&["sync"]).ends(0);
    place.requests();
    let mut ends = Vec::new();
    for _ in 0..6 {
        ends.push(place.run(&["diff", "docs/p0.md"]).code);
    }
    assert_eq!(ends.last(), Some(&75), "{ends:?}");
    assert!(place.requests().get("GET").copied().unwrap_or(0) <= 3, "three are kept for edits");
    let ran = place.run(&["diff", "docs/p0.md"]).ends(75);
    assert!(ran.err.contains("kept for edits") && ran.err.contains("until 20"), "{ran:?}");

    let place = Place::with("hub:\n  url: URL\n  requests_per_minute: 3\n");
    place.same(1);
    place.run(&["sync"]).ends(0);
    while place.run(&["diff", "docs/p0.md", "--max-wait", "0s"]).code == 0 {}
    let ran = place.run(&["diff", "docs/p0.md", "--max-wait", "0s"]).ends(75);
    assert!(ran.err.contains("--max-wait"), "{ran:?}");
}

#[test]
fn what_the_hub_refuses_ends_as_the_contract_says() {
    for (status, code) in [(401, 2), (403, 2), (302, 1), (500, 75)] {
        let hub = Stub::new(move |_| error(status, "no"));
        let place = hub.place("", "");
        place.doc("p0", "Text.\n");
        let ran = place.run(&["diff", "docs/p0.md", "--max-wait", "2s"]).ends(code);
        assert!(ran.said().contains(&status.to_string()) || ran.err.contains("redirect"), "{status}: {ran:?}");
    }
}

#[test]
fn a_fault_that_passes_is_waited_for_and_a_page_that_fails_delays_no_other() {
    let place = Place::new();
    place.same(2);
    place.run(&["sync"]).ends(0);
    place.doc("p0", "New.\n");
    place.doc("p1", "New.\n");
    for fault in
        ["GET/error-before=503:x2", "GET/drop-before:x1", "GET/drop-after:x1", "GET/rate-limit=1:x1", "GET/html:x1"]
    {
        place.faults(&[fault]);
        let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
        assert!(ran.out.contains("+New."), "{fault}: {ran:?}");
    }
    let hub = Stub::new(|line| if line.contains("/pages/p0") { error(500, "no") } else { page("p1") });
    hub.guard(&place, "", "");
    let ran = place.run(&["diff", "--max-wait", "1s"]).ends(75);
    assert!(ran.out.contains("a fault of its own (500)") && ran.out.contains("p1.md: "), "{ran:#?}");
    assert!(ran.out.contains("+New."), "the other is compared: {ran:#?}");
}

#[test]
fn who_edited_is_told_where_it_can_be_had_and_else_left_out() {
    let place = Place::new();
    place.same(1);
    place.run(&["sync"]).ends(0);
    publish(&place, "p0", "p0", "Theirs.\n");
    place.doc("p0", "Ours.\n");
    place.run(&["sync"]).ends(1);
    for versions in [error(404, "no"), error(403, "no"), error(500, "no"), (200, "{}".to_owned())] {
        let hub =
            Stub::new(
                move |line| {
                    if line.contains("/versions") { versions.clone() } else { page_of("p0", "Theirs.\n", None) }
                },
            );
        hub.guard(&place, "", "");
        let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
        assert!(ran.out.contains("-Theirs.") && !ran.out.contains(" by "), "{ran:#?}");
        assert_eq!(hub.requests().len(), 2, "it is asked once");
    }
}

#[test]
fn a_key_that_was_changed_meanwhile_is_read_again() {
    let keys = tempfile::TempDir::new().unwrap();
    let file = keys.path().join("key");
    std::fs::write(&file, "exec_live_first").unwrap();
    let changed = file.clone();
    let hub = Stub::acting(move |call| {
        let known = String::from_utf8_lossy(&call.bytes).contains("exec_live_second");
        std::fs::write(&changed, "exec_live_second").unwrap();
        call.say(http(&if known { page("p0") } else { error(401, "no") }, ""));
        Then::KeepOpen
    });
    let place = hub.place(&format!("  api_key_file: {}\n", file.display()), "");
    place.doc("p0", "Ours.\n");
    let ran = place.run(&["diff", "docs/p0.md"]).ends(0);
    assert!(ran.out.contains("+Ours.") && hub.requests().len() == 2, "{ran:?}");
}

#[test]
fn a_signal_ends_it_while_it_waits_for_the_hub() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let hub = Stub::acting(|_| {
            std::thread::sleep(std::time::Duration::from_secs(60));
            Then::HangUp
        });
        let place = hub.place("", "");
        place.doc("p0", "Text.\n");
        let running = place.start(&["diff", "docs/p0.md"]);
        until("it has asked", || hub.count("GET") > 0);
        running.signal(signal);
        assert_eq!(running.code(), Some(code));
    }
}

#[test]
fn foreign_text_reaches_no_terminal() {
    let place = Place::new();
    place.same(1);
    place.run(&["sync"]).ends(0);
    publish(&place, "p0", "T\u{1b}[2J", "a\u{1b}[2J\u{202e}\n@@ -1 +1 @@\n");
    for args in [&["diff", "docs/p0.md"][..], &["diff", "--json", "docs/p0.md"], &["pages"], &["pages", "--json"]] {
        let ran = place.run(args).ends(0);
        assert!(!ran.said().contains('\u{1b}') && !ran.said().contains('\u{202e}'), "{ran:?}");
    }
}
