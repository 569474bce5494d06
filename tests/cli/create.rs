//! Documents without `page_id` get a page, and its id one line in their front matter; nothing else of them is touched.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use hubsync::sandbox::{Page, Status};
use serde_json::Value;

use crate::place::{Place, Ran, files, until};

const CREATE: &str = "publish:\n  create: true\n  default_status: published\n";

/// How many documents are made at once in `git diff`.
const MANY: usize = 100;

fn text(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.root().join(name)).unwrap()
}

/// The pages of this title.
fn titled(place: &Place, title: &str) -> Vec<Page> {
    let hub = place.hub.lock();
    let all = hub.model.pages().filter(|page| page.title() == title);
    all.cloned().collect()
}

fn posts(place: &Place) -> usize {
    place.requests().get("POST").copied().unwrap_or(0)
}

fn page_of<'a>(json: &'a Value, path: &str) -> &'a Value {
    json["pages"].as_array().unwrap().iter().find(|page| page["path"] == path).unwrap_or_else(|| panic!("{json:#}"))
}

#[test]
fn a_page_is_made_of_all_that_the_document_says_and_its_id_is_one_more_line() {
    let place = Place::with(CREATE);
    let folder = place.hub.lock().model.add_folder(hubsync::sandbox::server::clock(), "Sales", None);
    let skill = place.hub.lock().model.add_skill(hubsync::sandbox::server::clock(), "Objections");
    let before = "\u{feff}---\r\n# kept\r\ntitle:   'Odd  spacing'   # and this\r\nfolders: Sales\r\nskills: [Objections]\r\n\
                  visibility: private\r\ntags: [a,   b]\r\n---\r\n\r\nBody stays.\r\n";
    place.write("new.md", before);
    std::fs::set_permissions(place.root().join("new.md"), std::fs::Permissions::from_mode(0o640)).unwrap();
    place.write("other.md", "---\nsync: false\n---\nx\n");
    let time = std::fs::metadata(place.root().join("other.md")).unwrap().mtime_nsec();
    let ran = place.run(&["sync"]).ends(0);
    assert!(ran.out.contains("created new.md"), "{ran:?}");
    let pages = titled(&place, "Odd  spacing");
    let [page] = pages.as_slice() else { panic!("{pages:?}") };
    assert_eq!(page.content(), Some("\nBody stays.\n"));
    assert_eq!((&page.folder_ids, &page.skill_ids), (&vec![folder], &vec![skill]));
    assert_eq!(serde_json::to_value(page.visibility).unwrap(), "private");
    let line = format!("page_id: {}\r\n", page.id);
    assert_eq!(text(&place, "new.md"), before.replacen("---\r\n\r\n", &format!("{line}---\r\n\r\n"), 1));
    assert_eq!(std::fs::metadata(place.root().join("new.md")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(
        std::fs::metadata(place.root().join("other.md")).unwrap().mtime_nsec(),
        time,
        "other files are not touched"
    );
    assert_eq!(files(&place.root()).len(), 2, "nothing is left beside");
    place.requests();
    place.run(&["sync"]).ends(0);
    assert_eq!(place.requests().keys().collect::<Vec<_>>(), ["GET"], "it is a page like any other");
}

#[test]
fn what_other_tools_keep_private_and_what_is_no_document_gets_no_page() {
    let place = Place::with(CREATE);
    place.write("bare.md", "No front matter.\n");
    place.write("off.md", "---\ntitle: Off\nsync: false\n---\nx\n");
    place.write("private.md", "---\nprivate: true\n---\nx\n");
    place.write("unpublished.md", "---\npublish: false\n---\nx\n");
    place.write("unclosed.md", "---\ntitle: T\nstatus: draft\nx\n");
    place.write("toml.md", "+++\ntitle = \"T\"\n+++\nx\n");
    place.run(&["sync"]);
    assert_eq!(posts(&place), 0);
    for name in ["bare.md", "off.md", "private.md", "unpublished.md", "unclosed.md", "toml.md"] {
        assert!(!text(&place, name).contains("page_id"), "{name}");
    }
}

#[test]
fn a_draft_is_made_as_a_draft_and_a_document_without_a_title_is_named_as_its_file() {
    let place = Place::with("publish:\n  create: true\n");
    place.write("sub/Pricing objections.md", "---\n---\nJust text.\n");
    place.write("draft.md", "---\ntitle: Later\ndraft: true\nstatus:\n---\nText.\n");
    place.run(&["sync"]).ends(0);
    for title in ["Pricing objections", "Later"] {
        let pages = titled(&place, title);
        let [page] = pages.as_slice() else { panic!("{title}: {pages:?}") };
        assert_eq!(page.status(), Status::Draft);
    }
    place.requests();
    place.run(&["sync"]).ends(0);
    let requests = place.requests();
    assert!(requests.keys().all(|method| method == "GET"), "a draft is in step with what was sent: {requests:?}");
}

#[test]
fn a_dry_run_tells_of_pages_that_would_be_made_and_status_that_they_are_pending() {
    let place = Place::with(CREATE);
    place.write("new.md", "---\ntitle: T\nfolders: []\n---\nx\n");
    let json = place.json(&["sync", "--dry-run", "--json"]);
    let plan = &json["plan"][0];
    assert_eq!((&plan["action"], &plan["path"], &plan["page_id"]), (&"create".into(), &"new.md".into(), &Value::Null));
    assert_eq!(plan["fields"], serde_json::json!(["title", "content", "status", "visibility", "folder_ids"]));
    place.run(&["sync", "--dry-run"]).ends(1);
    let status = place.json(&["status", "--json"]);
    assert_eq!(page_of(&status, "new.md")["state"], "pending");
    assert_eq!(posts(&place), 0);
    assert!(!text(&place, "new.md").contains("page_id"));
    place.run(&["sync"]).ends(0);
    let status = place.json(&["status", "--json"]);
    let page = page_of(&status, "new.md");
    assert_eq!(page["state"], "in_step");
    assert!(page["page_id"].is_string() && page["last_synced_at"].is_string(), "{page:#}");
}

#[test]
fn where_ci_is_set_no_page_is_made_unless_that_was_typed() {
    let place = Place::with(CREATE);
    place.write("new.md", "---\ntitle: T\n---\nx\n");
    let in_ci = |args: &[&str]| {
        let mut command = place.command(args);
        command.env("CI", "true");
        Ran::of(command.output().unwrap())
    };
    in_ci(&["sync"]).ends(0);
    assert_eq!(posts(&place), 0);
    let config = in_ci(&["config"]).ends(0).out;
    assert!(config.lines().any(|line| line.contains("publish.create") && line.contains("CI")), "{config}");
    in_ci(&["sync", "--create"]).ends(0);
    assert_eq!(posts(&place), 1);
    place.config("");
    place.write("more.md", "---\ntitle: More\n---\nx\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(posts(&place), 0, "`publish.create` is off");
    place.run(&["sync", "--create"]).ends(0);
    assert_eq!(posts(&place), 1);
}

#[test]
fn a_page_whose_answer_was_lost_is_found_again_and_not_made_twice() {
    for fault in ["POST/drop-after:x1", "POST/error-after=502:x1", "POST/drop-before:x1", "POST/cut:x1"] {
        let place = Place::with(CREATE);
        place.write("lost.md", "---\ntitle: Lost answer\n---\nOnly once.\n");
        place.faults(&[fault]);
        place.run(&["sync"]);
        place.run(&["sync"]).ends(0);
        assert_eq!(titled(&place, "Lost answer").len(), 1, "{fault}");
        assert!(text(&place, "lost.md").contains("page_id: "), "{fault}");
    }
}

#[test]
fn a_file_that_can_t_be_written_to_gets_no_page_and_says_so() {
    let place = Place::with(CREATE);
    place.write("real.md", "---\ntitle: Twice\n---\nx\n");
    std::fs::hard_link(place.root().join("real.md"), place.path("elsewhere.md")).unwrap();
    place.write("flow.md", "---\n{title: Flow}\n---\nx\n");
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("real.md: blocked") && ran.out.contains("flow.md: blocked"), "{ran:?}");
    assert_eq!(posts(&place), 0);
    std::fs::remove_file(place.path("elsewhere.md")).unwrap();
    place.write("flow.md", "---\ntitle: Flow\n---\nx\n");
    place.run(&["sync"]).ends(0);
    assert_eq!(posts(&place), 2);
}

#[test]
fn what_a_person_must_mend_is_remembered_and_costs_nothing_more() {
    let place = Place::with(CREATE);
    place.write("nameless.md", "---\ntitle: N\nfolders: [Nowhere]\n---\nx\n");
    place.write("flow.md", "---\n{title: Flow}\n---\nx\n");
    // A page of this title is there, with another text, and nobody knows whose it is.
    place.page("other", "Somebody's.");
    place.write("doubt.md", "---\ntitle: other\n---\nMine.\n");
    place.faults(&["POST/drop-before:x1"]);
    place.run(&["sync"]).ends(1);
    let codes = [("nameless.md", "unknown_name"), ("flow.md", "no_page_id"), ("doubt.md", "in_doubt")];
    let stand = |told: &Value| {
        for (path, code) in codes {
            let page = page_of(told, path);
            assert_eq!((&page["state"], &page["reason"]["code"]), (&"blocked".into(), &code.into()), "{page:#}");
        }
    };
    stand(&place.json(&["status", "--json"]));
    place.run(&["status"]).ends(1);
    stand(&place.json(&["sync", "--dry-run", "--json"]));
    place.requests();
    let running = place.daemon();
    stand(&place.json(&["status", "--json"]));
    drop(running);
    assert!(place.requests().is_empty(), "a restart costs nothing");
    // A run reads the names once more, and no list of pages.
    stand(&place.json(&["sync", "--json"]));
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into());
}

#[test]
fn only_a_title_of_its_own_and_for_everybody_makes_a_new_file_one_that_has_moved() {
    let place = Place::with(CREATE);
    for (name, text) in [("a/Notes", "title: Notes"), ("b/README", "tags: [x]"), ("c/Plan", "title: Plan")] {
        place.write(&format!("{name}.md"), format!("---\n{text}\n---\nBefore.\n"));
    }
    place.same(4);
    place.run(&["sync"]).ends(0);
    for (name, text) in
        [("x/Notes", "title: Notes\nvisibility: private"), ("x/README", "tags: [y]"), ("x/Plan", "title: Plan")]
    {
        place.write(&format!("{name}.md"), format!("---\n{text}\n---\nAfter.\n"));
    }
    for name in ["a/Notes.md", "b/README.md", "c/Plan.md"] {
        std::fs::remove_file(place.root().join(name)).unwrap();
    }
    place.run(&["sync"]).ends(0);
    let said = |title: &str| {
        let mut said: Vec<_> = titled(&place, title).iter().map(|page| page.content().unwrap().to_owned()).collect();
        said.sort();
        said
    };
    assert_eq!(said("Notes"), ["After.\n", "Before.\n"], "a private note goes to no page that others see");
    assert_eq!(said("README"), ["After.\n", "Before.\n"]);
    assert_eq!(said("Plan"), ["After.\n"], "it has moved");
}

#[test]
fn an_editor_that_saves_over_the_id_gets_it_written_again() {
    let place = Place::with(&format!("{CREATE}watch:\n  debounce: 100ms\n"));
    let old = "---\ntitle: Edited\n---\nFirst.\n";
    place.write("edited.md", old);
    let _daemon = place.daemon();
    let named = || text(&place, "edited.md").contains("page_id: ");
    until("the id is in the file", named);
    for round in 0..3 {
        place.write("edited.md", old.replace("First", &format!("Edit {round}")));
        until("the id is in the file again", named);
        let wanted = format!("Edit {round}.\n");
        until("the edit is published", || titled(&place, "Edited").iter().any(|page| page.content() == Some(&wanted)));
    }
    assert_eq!(titled(&place, "Edited").len(), 1);
}

#[test]
fn a_daemon_that_is_killed_at_any_moment_leaves_one_page_a_document() {
    let place = Place::with(&format!("{CREATE}watch:\n  debounce: 100ms\n"));
    for round in 0..6 {
        place.write(&format!("doc{round}.md"), format!("---\ntitle: Doc {round}\n---\nText {round}.\n"));
        let daemon = place.start(&["run"]);
        until("something was made, or is being made", || {
            let hub = place.hub.lock();
            hub.model.log().iter().any(|entry| entry.method == "POST")
        });
        // Right after the hub has seen the POST: before its answer, its store, or the written line.
        std::thread::sleep(std::time::Duration::from_millis(round * 4));
        daemon.signal(rustix::process::Signal::KILL);
        drop(daemon);
        place.requests();
    }
    place.run(&["sync"]).ends(0);
    for round in 0..6 {
        assert_eq!(titled(&place, &format!("Doc {round}")).len(), 1, "{round}");
        assert!(text(&place, &format!("doc{round}.md")).contains("page_id: "), "{round}");
    }
}

#[test]
fn a_sync_beside_a_daemon_makes_pages_when_that_is_typed() {
    let place = Place::with("watch:\n  debounce: 100ms\n");
    place.write("new.md", "---\ntitle: T\n---\nx\n");
    let _daemon = place.daemon();
    place.run(&["sync"]).ends(0);
    assert_eq!(posts(&place), 0);
    place.run(&["sync", "--create"]).ends(0);
    assert_eq!(posts(&place), 1);
    until("the id is in the file", || text(&place, "new.md").contains("page_id: "));
}

#[test]
fn git_diff_shows_one_added_line_for_each_page_that_was_made() {
    let place = Place::with(&format!("{CREATE}hub:\n  url: URL\n  requests_per_minute: 1000\n"));
    for n in 0..MANY {
        let end = if n % 2 == 0 { "\n" } else { "\r\n" };
        place.write(&format!("d{n}.md"), format!("---\ntitle: Doc {n} # kept\n---\n\nText {n}.\n").replace('\n', end));
    }
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(place.root()).args(["-c", "user.name=T", "-c", "user.email=t@example.com"]);
        command.args(["-c", "core.autocrlf=false", "-c", "core.safecrlf=false"]).args(args);
        let output = command.env("HOME", place.path("home")).env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "before"]);
    place.run(&["sync"]).ends(0);
    assert_eq!(posts(&place), MANY);
    let stat = git(&["diff", "--numstat"]);
    assert_eq!(stat.lines().count(), MANY, "{stat}");
    assert!(stat.lines().all(|line| line.starts_with("1\t0\t")), "{stat}");
    let added = git(&["diff", "-U0"]);
    let added = added.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
    assert!(added.clone().count() == MANY && added.clone().all(|line| line.starts_with("+page_id: ")));
}

#[test]
fn documents_that_are_made_together_and_point_to_each_other_do_so_in_the_end() {
    let place = Place::with(&format!("{CREATE}links:\n  page_url: \"https://kb/{{page_id}}\"\n"));
    for (name, other) in [("one", "two"), ("two", "one")] {
        place.write(&format!("{name}.md"), format!("---\ntitle: {name}\n---\nSee [the other]({other}.md).\n"));
    }
    place.run(&["sync"]).ends(0);
    place.run(&["sync"]).ends(0);
    let ids = ["one", "two"].map(|title| titled(&place, title)[0].id.clone());
    for (id, other) in [(&ids[0], &ids[1]), (&ids[1], &ids[0])] {
        assert_eq!(place.content(id), format!("See [the other](https://kb/{other}).\n"));
    }
    let requests = place.requests();
    assert_eq!(requests.get("POST"), Some(&2), "{requests:?}");
    assert!(requests.get("PATCH").is_some_and(|writes| *writes <= 2), "at most one more each: {requests:?}");
    place.run(&["sync"]).ends(0);
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into());
}

#[test]
fn a_document_that_points_to_many_new_ones_is_published_once_more_when_all_have_their_pages() {
    let place = Place::with(&format!("{CREATE}links:\n  page_url: \"https://kb/{{page_id}}\"\n"));
    let links: Vec<String> = (0..30).map(|n| format!("[{n}](doc{n}.md)")).collect();
    place.write("a-first.md", format!("---\ntitle: First\n---\n{}\n", links.join(" ")));
    for n in 0..30 {
        place.write(&format!("doc{n}.md"), format!("---\ntitle: Doc {n}\n---\n{n}\n"));
    }
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content(&titled(&place, "First")[0].id).matches("https://kb/").count(), 30);
    let requests = place.requests();
    assert_eq!((requests["POST"], requests["PATCH"], requests["GET"]), (31, 1, 1), "{requests:?}");
}
