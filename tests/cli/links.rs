//! Links between documents: what reaches the hub, who follows whom and what it costs, what `check` says of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::git::{commit, init};
use crate::place::{Place, until};

const CONFIG: &str = "publish:\n  on_first_meeting: local\n\
                      links:\n  page_url: https://kb.example.com/p/{page_id}\n  asset_url: https://files.example.com/{path}\n\
                      watch:\n  debounce: 200ms\n";

/// Documents with pages; `a` and `b` point to `target`, `c` to `a`, `d` to nothing.
fn handbook() -> Place {
    let place = Place::with(CONFIG);
    for (id, body) in [
        ("a", "See [it](target.md#how) and ![x](img/x y.png) ![x](<img/x y.png>).\n"),
        ("b", "See [[Target]].\n"),
        ("c", "See [a](/a.md \"A\") ![[plan.png|the plan]].\n"),
        ("d", "`[it](target.md)`\n"),
        ("target", "See [[a|the first]].\n"),
    ] {
        place.page(id, "Old.\n");
        place.doc(id, body);
    }
    place.write("img/plan.png", "png");
    place
}

fn patched(place: &Place) -> Vec<String> {
    let mut hub = place.hub.lock();
    let writes = hub.model.log().iter().filter(|entry| entry.method == "PATCH");
    let mut pages: Vec<String> =
        writes.map(|entry| entry.target.rsplit('/').next().unwrap_or_default().to_owned()).collect();
    hub.model.clear_log();
    pages.sort();
    pages
}

#[test]
fn links_lead_to_pages_and_files() {
    let place = handbook();
    place.run(&["sync"]).ends(0);
    for (id, body) in [
        (
            "a",
            "See [it](https://kb.example.com/p/target#how) and ![x](img/x y.png) \
             ![x](<https://files.example.com/img/x%20y.png>).\n",
        ),
        ("b", "See [Target](https://kb.example.com/p/target).\n"),
        ("c", "See [a](https://kb.example.com/p/a \"A\") ![the plan](https://files.example.com/img/plan.png).\n"),
        ("d", "`[it](target.md)`\n"),
        ("target", "See [the first](https://kb.example.com/p/a).\n"),
    ] {
        assert_eq!(place.content(id), body, "{id}");
    }
    place.requests();
    place.run(&["sync"]).ends(0);
    assert_eq!(place.requests(), BTreeMap::from([("GET".to_owned(), 1)]), "nothing is left to do");
}

#[test]
fn a_document_that_moves_is_followed_once_by_those_whose_links_change_and_by_nobody_else() {
    let place = handbook();
    place.run(&["sync"]).ends(0);
    let linked = place.content("a");
    place.requests();
    std::fs::create_dir(place.root().join("sub")).unwrap();
    std::fs::rename(place.root().join("target.md"), place.root().join("sub/target.md")).unwrap();
    place.run(&["sync"]).ends(0);
    assert_eq!(patched(&place), ["a"], "a name is found wherever the document lies, a path is not");
    assert!(place.content("a").contains("[it](target.md#how)"), "{}", place.content("a"));
    place.run(&["sync"]).ends(0);
    assert_eq!(patched(&place), [""; 0]);
    std::fs::rename(place.root().join("sub/target.md"), place.root().join("target.md")).unwrap();
    place.run(&["sync"]).ends(0);
    assert_eq!((patched(&place), place.content("a")), (vec!["a".to_owned()], linked));
}

#[test]
fn under_a_daemon_links_follow_ids_that_come_go_and_change() {
    let place = handbook();
    place.write("target.md", "---\ntitle: target\n---\nNo page yet.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("b"), "See [[Target]].\n");
    let _daemon = place.daemon();
    patched(&place);
    place.doc("target", "See [[a|the first]].\n");
    until("it has a page", || place.content("b") == "See [Target](https://kb.example.com/p/target).\n");
    until("both are followed", || place.content("a").contains("[it](https://kb.example.com/p/target#how)"));
    until("all is told", || place.json(&["status", "--json"])["counts"]["pending"] == 0);
    assert_eq!(patched(&place), ["a", "b", "target"], "each once");
    // Broken for a while, as editors leave it: nobody lets go of it.
    place.write("target.md", "---\npage_id: [\n---\nx\n");
    until("it is blocked", || place.json(&["status", "--json"])["counts"]["blocked"] == 1);
    place.page("other", "");
    place.write("target.md", "---\npage_id: other\ntitle: other\nstatus: published\n---\nAnother page.\n");
    until("it is another page", || place.content("b") == "See [Target](https://kb.example.com/p/other).\n");
    until("both are followed", || place.content("a").contains("/p/other#how"));
    std::fs::remove_file(place.root().join("target.md")).unwrap();
    until("it is gone", || place.content("b") == "See [[Target]].\n");
    until("both know", || place.content("a").contains("[it](target.md#how)"));
    until("all is told", || place.json(&["status", "--json"])["counts"]["pending"] == 0);
    assert_eq!(patched(&place), ["a", "a", "b", "b", "other"]);
    // An image is found by its name, wherever it lies.
    std::fs::create_dir(place.root().join("drawings")).unwrap();
    std::fs::rename(place.root().join("img/plan.png"), place.root().join("drawings/plan.png")).unwrap();
    until("it is followed", || place.content("c").contains("(https://files.example.com/drawings/plan.png)"));
    until("all is told", || place.json(&["status", "--json"])["counts"]["pending"] == 0);
    assert_eq!(patched(&place), ["c"]);
}

#[test]
fn another_page_url_reaches_every_page_with_a_link_and_none_turns_it_back() {
    let place = handbook();
    place.run(&["sync"]).ends(0);
    patched(&place);
    place.config(&CONFIG.replace("kb.example.com", "wiki.example.com"));
    place.run(&["sync"]).ends(0);
    assert_eq!(patched(&place), ["a", "b", "c", "target"]);
    assert_eq!(place.content("b"), "See [Target](https://wiki.example.com/p/target).\n");
    place.config("");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("b"), "See [[Target]].\n");
    assert_eq!(patched(&place), ["a", "b", "c", "target"]);
}

#[test]
fn without_a_state_documents_follow_what_moved_since_the_revision() {
    let place = handbook();
    init(&place.root());
    place.run(&["sync"]).ends(0);
    std::fs::remove_file(place.path("state.db")).unwrap();
    patched(&place);
    std::fs::create_dir(place.root().join("sub")).unwrap();
    std::fs::rename(place.root().join("target.md"), place.root().join("sub/target.md")).unwrap();
    commit(&place.root(), "it moves");
    place.run(&["sync", "--since", "HEAD~1"]).ends(0);
    assert_eq!(patched(&place), ["a"]);
    assert!(place.content("a").contains("[it](target.md#how)"));
    // An edit of one that points to others is compared with what it said, links and all.
    place.doc("c", "Look at [a](/a.md).\n");
    commit(&place.root(), "an edit");
    place.run(&["sync", "--since", "HEAD~1"]).ends(0);
    assert_eq!(
        (patched(&place), place.content("c")),
        (vec!["c".to_owned()], "Look at [a](https://kb.example.com/p/a).\n".into())
    );
    place.run(&["sync", "--since", "HEAD~2"]).ends(0);
    assert_eq!(patched(&place), [""; 0], "it is there already");
}

#[test]
fn check_names_links_that_lead_nowhere_with_their_place_and_what_would_be_right() {
    let place = Place::new();
    place.doc("pricing", "text\n");
    place.write("team/hiring.md", "---\npage_id: h\n---\ntext\n");
    place.write("x/twin.md", "---\npage_id: t1\n---\ntext\n");
    place.write("y/twin.md", "---\npage_id: t2\n---\ntext\n");
    place.write("plain.md", "No front matter.\n");
    place.write("img/a b.png", "png");
    let body = "[ok](../pricing.md) [ok](/team/hiring.md#x) ![ok](<../img/a b.png>) [[hiring]] [ok](../img) [[a b.png]]\n\
                [1](hiring.md)\n\
                é [2](../../etc/passwd)\n\
                [[twin]] [[x/twin]]\n\
                ![3](../img/ab.png)\n\
                \n[4]: ../plain.md 'T'\n\
                [[hirng]]\n\
                `[5](nowhere.md)` <https://x/nowhere.md> [6](https://x/nowhere.md)\n";
    place.write("sub/doc.md", format!("---\npage_id: d\ntitle: D\n---\n{body}"));
    place.write("off.md", "---\npage_id: o\nsync: false\n---\n[x](nowhere.md)\n");
    let findings = place.json(&["check", "--json"]);
    let told: Vec<Value> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|f| json!([f["path"], f["line"], f["column"], f["severity"], f["code"], f["suggestion"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["sub/doc.md", 6, 5, "warning", "broken_link", "../team/hiring.md"]),
            json!(["sub/doc.md", 7, 7, "warning", "link_outside_root", null]),
            json!(["sub/doc.md", 8, 1, "warning", "ambiguous_wiki_link", "[[x/twin]]"]),
            json!(["sub/doc.md", 9, 6, "warning", "missing_image", "../img/a%20b.png"]),
            json!(["sub/doc.md", 11, 6, "warning", "broken_link", null]),
            json!(["sub/doc.md", 12, 1, "warning", "broken_link", "[[team/hiring]]"]),
        ],
        "{findings:#}"
    );
    let ran = place.run(&["check"]).ends(0);
    assert!(ran.out.contains("sub/doc.md:6:5") && ran.out.contains("did you mean"), "{ran:?}");
    place.run(&["check", "--strict"]).ends(1);
    place.run(&["check", "--strict", "docs/pricing.md"]).ends(0);
    let ran = place.run(&["check", "--format", "github"]).ends(0);
    assert!(ran.out.contains("::warning file=docs/sub/doc.md,line=9,col=6,title=missing_image::"), "{ran:?}");
}

#[test]
fn check_sees_no_file_behind_a_link_that_leads_out_of_the_root() {
    let place = Place::new();
    std::fs::write(place.path("secret.png"), "png").unwrap();
    std::os::unix::fs::symlink(place.path("secret.png"), place.root().join("here.png")).unwrap();
    std::os::unix::fs::symlink(place.dir.path(), place.root().join("up")).unwrap();
    place.doc("a", "![x](up/secret.png)\n");
    assert_eq!(place.json(&["check", "--json"])[0]["code"], "missing_image");
}

#[test]
fn check_takes_a_document_that_gets_a_page_for_one_that_has_it() {
    let place = Place::with("publish:\n  create: true\n");
    place.write("a.md", "---\n---\nSee [b](b.md) and [[b]] and [plain](plain.md).\n");
    place.write("b.md", "---\n---\nB.\n");
    place.write("plain.md", "No front matter.\n");
    let messages = || -> Vec<String> {
        let told = place.json(&["check", "--json"]);
        told.as_array().unwrap().iter().map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
    };
    let told = messages();
    assert!(told.len() == 1 && told[0].contains("plain.md"), "{told:?}");
    place.config("");
    assert_eq!(messages().len(), 3, "without it all lead nowhere");
}
