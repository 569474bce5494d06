//! Links in texts that come back from the hub: in the file they are what its author writes, and nothing is sent for it.

use std::collections::BTreeMap;
use std::fs;

use hubsync::sandbox::Act;
use hubsync::sandbox::server::clock;

use crate::place::{Place, Ran};

const CONFIG: &str = "links:\n  page_url: https://kb.example.com/p/{page_id}\n  asset_url: https://files.example.com/{path}\n\
                      watch:\n  debounce: 200ms\n";

const HEAD: &str = "---\npage_id: guide\ntitle: guide\nstatus: published\n---\n";

const BODY: &str = "See [it](../target.md#how) and [[Target]], ![x](<../img/x y.png>).\n\
                    \n\
                    Here: [this](guide.md#top), ![[plan.png|the plan]] and [odd](<../a (b) é.md>).\n\
                    \n\
                    The words.\n\
                    \n\
                    A [r], `[it](../target.md)` and [Target](/target.md \"T\").\n\
                    \n\
                    [r]: ./../target.md 'T'\n";

/// A guide whose links lead to other documents, to itself and to images; all in step.
fn office(ends: &str) -> Place {
    office_with("publish:\n  notice: '_Kept in git: {path}_'\n", ends)
}

fn office_with(more: &str, ends: &str) -> Place {
    let place = Place::with(&format!("{more}{CONFIG}"));
    for id in ["guide", "target", "odd"] {
        place.page(id, "");
    }
    place.doc("target", "The target.\n");
    place.write("a (b) é.md", "---\npage_id: odd\ntitle: odd\n---\nOdd.\n");
    place.write("img/plan.png", "png");
    place.write("img/x y.png", "png");
    place.write("team/guide.md", guide(BODY, ends));
    let said = place.run(&["sync"]).ends(0);
    assert!(said.out.contains("3 in step"), "{said:?}");
    place
}

fn guide(body: &str, ends: &str) -> String {
    format!("{HEAD}{body}").replace('\n', ends)
}

/// A colleague edits what the page says.
fn edits(place: &Place, from: &str, to: &str) {
    let text = place.content("guide");
    assert!(text.contains(from), "{text}");
    let act = Act::Publish { title: "guide".to_owned(), content: text.replace(from, to) };
    place.hub.lock().model.colleague(clock(), "guide", act).unwrap();
}

fn file(place: &Place, name: &str) -> String {
    fs::read_to_string(place.root().join(name)).unwrap()
}

#[track_caller]
fn nothing_is_sent(place: &Place) {
    place.run(&["sync"]).ends(0);
    let mut hub = place.hub.lock();
    let writes: Vec<String> = hub.model.log().iter().map(|it| it.method.clone()).filter(|it| it != "GET").collect();
    hub.model.clear_log();
    assert_eq!(writes, [""; 0]);
}

/// Their words, and a link that they made by the address that they see in the hub.
const THEIRS: &str =
    "Their words on [it](https://kb.example.com/p/target#why) and [what](https://kb.example.com/p/nobody).";

const BECOMES: &str = "Their words on [it](../target.md#why) and [what](https://kb.example.com/p/nobody).";

#[test]
fn a_pull_over_a_document_changes_only_what_somebody_changed() {
    for ends in ["\n", "\r\n"] {
        let place = office(ends);
        edits(&place, "The words.", THEIRS);
        place.requests();
        place.run(&["pull", "guide"]).ends(0);
        assert_eq!(file(&place, "team/guide.md"), guide(BODY, ends).replace("The words.", BECOMES));
        nothing_is_sent(&place);
        // And beside a daemon.
        let _daemon = place.daemon();
        edits(&place, "Their words", "Other words");
        place.run(&["pull", "guide"]).ends(0);
        let becomes = BECOMES.replace("Their", "Other");
        assert_eq!(file(&place, "team/guide.md"), guide(BODY, ends).replace("The words.", &becomes));
        nothing_is_sent(&place);
    }
}

#[test]
fn pages_that_become_files_link_to_each_other_and_to_known_documents_whichever_came_first() {
    let place = office_with("", "\n");
    let to = |id: &str| format!("[{id}](https://kb.example.com/p/{id}#x)");
    place.page("first", &format!("{} {} {}\n", to("second"), to("first"), to("guide")));
    place
        .page("second", &format!("{} {} {}\n", to("first"), to("odd"), "![p](https://files.example.com/img/plan.png)"));
    place.page("third", "[x](https://kb.example.com/p/nobody) `[y](https://kb.example.com/p/first)`\n");
    place.requests();
    place.run(&["pull", "--all", "--into", "docs/new"]).ends(0);
    assert_eq!(place.requests(), BTreeMap::from([("GET".to_owned(), 4)]), "a list, and three pages");
    let says = |name: &str| file(&place, name).split_once("\n---\n").unwrap().1.to_owned();
    assert_eq!(says("new/first.md"), "[second](second.md#x) [first](first.md#x) [guide](../team/guide.md#x)\n");
    assert_eq!(
        says("new/second.md"),
        "[first](first.md#x) [odd](../a%20%28b%29%20%C3%A9.md#x) ![p](../img/plan.png)\n"
    );
    assert_eq!(says("new/third.md"), "[x](https://kb.example.com/p/nobody) `[y](https://kb.example.com/p/first)`\n");
    nothing_is_sent(&place);
    assert_eq!(place.json(&["status", "--json"])["counts"]["in_step"], 6);
    place.run(&["check", "--strict"]).ends(0);
}

/// Both sides have changed the guide: its author the last passage, a colleague the words.
fn torn(ends: &str) -> (Place, String) {
    let place = office(ends);
    edits(&place, "The words.", THEIRS);
    let ours = BODY.replace("A [r]", "Our [r]");
    place.write("team/guide.md", guide(&ours, ends));
    let said = place.run(&["sync"]).ends(1);
    assert!(said.out.contains("team/guide.md: conflict"), "{said:?}");
    place.requests();
    (place, ours)
}

#[test]
fn the_hub_s_text_comes_into_the_file_with_its_author_s_links() {
    for ends in ["\n", "\r\n"] {
        let (place, _) = torn(ends);
        place.run(&["resolve", "docs/team", "--keep", "remote"]).ends(0);
        assert_eq!(file(&place, "team/guide.md"), guide(BODY, ends).replace("The words.", BECOMES));
        nothing_is_sent(&place);
        // A file that is written again has no author's links to go by.
        fs::remove_file(place.root().join("team/guide.md")).unwrap();
        place.run(&["sync"]).ends(0);
        place.run(&["resolve", "docs/team/guide.md", "--keep", "remote"]).ends(0);
        let again = file(&place, "team/guide.md");
        assert!(
            again.contains("See [it](../target.md#how) and [Target](../target.md), ![x](<../img/x%20y.png>)."),
            "{again}"
        );
        assert!(again.contains("[this](guide.md#top)"), "{again}");
        nothing_is_sent(&place);
    }
}

#[test]
fn both_marks_only_what_differs_in_more_than_the_form_of_a_link() {
    let marked = |ours: &str| {
        ours.replace("The words.", &format!("<<<<<<< document\nThe words.\n=======\n{BECOMES}\n>>>>>>> hub"))
            .replace("Our [r]", "<<<<<<< document\nOur [r]")
            .replace(
                " \"T\").\n",
                " \"T\").\n=======\nA [r], `[it](../target.md)` and [Target](/target.md \"T\").\n>>>>>>> hub\n",
            )
    };
    for beside in [false, true] {
        let (place, ours) = torn("\n");
        let daemon = beside.then(|| place.daemon());
        place.run(&["resolve", "--all", "--keep", "both"]).ends(1);
        assert_eq!(file(&place, "team/guide.md"), guide(&marked(&ours), "\n"), "beside a daemon: {beside}");
        drop(daemon);
        // Whoever takes the hub's side of each says what the page says.
        place.write("team/guide.md", guide(&BODY.replace("The words.", BECOMES), "\n"));
        nothing_is_sent(&place);
    }
}

#[test]
fn beside_a_daemon_the_hub_s_text_comes_back_the_same_way() {
    let (place, _) = torn("\n");
    let _daemon = place.daemon();
    place.run(&["resolve", "docs/team/guide.md", "--keep", "remote"]).ends(0);
    assert_eq!(file(&place, "team/guide.md"), guide(BODY, "\n").replace("The words.", BECOMES));
    nothing_is_sent(&place);
}

#[test]
fn a_diff_shows_no_link_that_is_the_same_in_another_form() {
    let (place, _) = torn("\n");
    let Ran { out, .. } = place.run(&["diff", "docs/team/guide.md"]).ends(0);
    let differ: Vec<&str> =
        out.lines().filter(|line| line.starts_with(['-', '+']) && !line.contains("guide")).collect();
    assert_eq!(differ.len(), 4, "{out}");
    assert!(differ[0].starts_with("-Their words on [it](https://kb.example.com/p/target#why)"), "{out}");
    assert!(
        differ[1..].iter().zip(["+The words.", "-A [r]", "+Our [r]"]).all(|(line, with)| line.starts_with(with)),
        "{out}"
    );
}
