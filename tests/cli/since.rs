//! `hubsync sync --since REV`: a run without a state, as CI has it.

use std::path::{Path, PathBuf};

use hubsync::sandbox::{Act, Normalise, server::clock};
use serde_json::Value;
use tempfile::TempDir;

use crate::git::{commit, git, git_command, init, stands};
use crate::place::{Place, Ran, files};

/// `n` documents that say what their pages say, in a repository; no state.
fn published(n: usize) -> Place {
    let place = Place::new();
    place.same(n);
    init(&place.root());
    place
}

fn edit(place: &Place, id: &str, body: &str) {
    place.doc(id, body);
    commit(&place.root(), body.trim());
}

fn colleague(place: &Place, id: &str, content: &str) {
    let act = Act::Publish { title: id.to_owned(), content: content.to_owned() };
    place.hub.lock().model.colleague(clock(), id, act).unwrap();
}

fn since(place: &Place, revision: &str) -> Ran {
    place.run(&["sync", "--since", revision])
}

fn get_and_patch(documents: usize) -> std::collections::BTreeMap<String, usize> {
    [("GET".to_owned(), documents), ("PATCH".to_owned(), documents)].into()
}

/// The commit that is checked out: what a marker holds.
fn marker(place: &Place) -> String {
    git(&place.root(), &["rev-parse", "HEAD"]).trim().to_owned()
}

#[test]
fn only_what_changed_is_published_for_two_requests_each_and_no_state_is_left() {
    let place = published(30);
    edit(&place, "p1", "One.\n");
    edit(&place, "p2", "Two.\n");
    let ran = place.run(&["sync", "--since", "HEAD~2", "--json"]).ends(0);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["pages"].as_array().unwrap().len(), 2, "{report:#}");
    assert_eq!(report["requests"], serde_json::json!({"GET": 2, "PATCH": 2}));
    assert_eq!(place.requests(), get_and_patch(2));
    assert_eq!((place.content("p1"), place.content("p2")), ("One.\n".into(), "Two.\n".into()));
    let left: Vec<PathBuf> = files(place.dir.path())
        .into_iter()
        .filter(|path| !path.starts_with(place.root()) && !path.starts_with(place.path("xdg")))
        .collect();
    assert_eq!(left, [place.path("hubsync.yaml")], "no state");
    // The ledger is everybody's.
    assert_eq!(place.json(&["status", "--json"])["budget"]["day"]["limit"], 1000);
    assert!(files(&place.path("xdg")).iter().any(|path| path.ends_with("usage.db")), "the requests are counted");
}

#[test]
fn a_state_that_is_there_is_neither_read_nor_written() {
    let place = published(2);
    std::fs::write(place.path("state.db"), "not a state at all").unwrap();
    edit(&place, "p1", "One.\n");
    since(&place, "HEAD~1").ends(0);
    assert_eq!(place.content("p1"), "One.\n");
    assert_eq!(std::fs::read_to_string(place.path("state.db")).unwrap(), "not a state at all");
}

#[test]
fn again_and_unchanged_costs_little() {
    let place = published(3);
    edit(&place, "p1", "One.\n");
    since(&place, "HEAD~1").ends(0);
    place.requests();
    since(&place, "HEAD~1").ends(0);
    assert_eq!(place.requests(), [("GET".to_owned(), 1)].into(), "it says it already");
    since(&place, "HEAD").ends(0);
    assert!(place.requests().is_empty());
    // Front matter of others, line ends: the page is to say what it said.
    place.write("p2.md", "---\r\npage_id: p2\r\ntitle: p2\r\ntags: [x]\r\nstatus: published\r\n---\r\nSame.\r\n");
    commit(&place.root(), "crlf");
    since(&place, "HEAD~1").ends(0);
    assert!(place.requests().is_empty());
}

#[test]
fn a_page_that_says_something_else_than_the_revision_is_a_conflict() {
    let place = published(3);
    colleague(&place, "p1", "Theirs.\n");
    let draft = Act::SaveDraft { title: "p2".to_owned(), content: "Draft.\n".to_owned() };
    place.hub.lock().model.colleague(clock(), "p2", draft).unwrap();
    for id in ["p0", "p1", "p2"] {
        place.doc(id, "Ours.\n");
    }
    commit(&place.root(), "ours");
    let ran = place.run(&["sync", "--since", "HEAD~1", "--json"]).ends(1);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(stands(&report, "p1.md"), ("conflict".into(), "remote_changed".into()));
    assert_eq!(stands(&report, "p2.md"), ("conflict".into(), "remote_draft".into()));
    assert_eq!((place.content("p0"), place.content("p1")), ("Ours.\n".into(), "Theirs.\n".into()));
    assert_eq!(place.content("p2"), "Same.\n");
    // The document wins only where it was told to, over a backup in the usual place.
    place.config("publish:\n  on_conflict: local\n");
    since(&place, "HEAD~1").ends(1);
    assert_eq!(place.content("p1"), "Ours.\n");
    let kept = files(&place.path("state.db.backups/p1"));
    assert!(std::fs::read_to_string(&kept[0]).unwrap().ends_with("Theirs.\n"), "{kept:?}");
}

#[test]
fn a_document_keeps_its_page_wherever_it_moves() {
    let place = published(3);
    let root = place.root();
    std::fs::create_dir(root.join("sub")).unwrap();
    for n in 0..2 {
        git(&root, &["mv", &format!("p{n}.md"), &format!("sub/p{n}.md")]);
    }
    place.write("sub/p1.md", "---\npage_id: p1\ntitle: p1\nstatus: published\n---\nMoved and edited.\n");
    commit(&root, "moved");
    since(&place, "HEAD~1").ends(0);
    assert_eq!(place.requests(), get_and_patch(1));
    assert_eq!(place.content("p1"), "Moved and edited.\n");
}

#[test]
fn a_new_document_is_met_and_a_deleted_one_leaves_its_page() {
    let place = published(4);
    place.page("n0", "");
    place.page("n1", "Theirs.\n");
    place.doc("n0", "New.\n");
    place.doc("n1", "New.\n");
    for n in 0..3 {
        std::fs::remove_file(place.root().join(format!("p{n}.md"))).unwrap();
    }
    commit(&place.root(), "new and gone");
    let ran = place.run(&["sync", "--since", "HEAD~1", "--json"]).ends(1);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(stands(&report, "n1.md"), ("conflict".into(), "first_meeting".into()));
    assert_eq!(stands(&report, "n0.md").0, "in_step");
    assert_eq!(stands(&report, "p2.md"), ("orphaned".into(), "file_gone".into()));
    assert_eq!(place.requests(), [("GET".to_owned(), 2), ("PATCH".to_owned(), 1)].into());
    // Not in the index yet: as new as any.
    place.page("n2", "");
    place.doc("n2", "Untracked.\n");
    since(&place, "HEAD").ends(0);
    assert_eq!(place.content("n2"), "Untracked.\n");
}

#[test]
fn a_run_that_ended_in_75_is_made_good_by_the_next() {
    let place = published(5);
    let begun = marker(&place);
    place.page("n", "");
    place.doc("n", "First.\n");
    for n in 0..4 {
        place.doc(&format!("p{n}"), "First.\n");
    }
    commit(&place.root(), "first");
    place.faults(&["PATCH/error-before=503:x2"]);
    let ran = place.run(&["sync", "--since", &begun, "--max-wait", "0s"]).ends(75);
    place.faults(&[]);
    // What the first run has published is published again over it, or taken back, and is no conflict.
    let arrived = |id: &str| place.content(id) == "First.\n";
    let some = ["p0", "p1", "p2", "p3", "n"].into_iter().filter(|id| arrived(id)).count();
    assert!(some > 0 && some < 5, "{some} arrived: {ran:?}");
    for id in ["p0", "p1", "n"] {
        place.doc(id, "Second.\n");
    }
    for id in ["p2", "p3"] {
        place.doc(id, "Same.\n");
    }
    commit(&place.root(), "second");
    place.requests();
    since(&place, &begun).ends(0);
    for (id, text) in
        [("p0", "Second.\n"), ("p1", "Second.\n"), ("n", "Second.\n"), ("p2", "Same.\n"), ("p3", "Same.\n")]
    {
        assert_eq!(place.content(id), text, "{id}");
    }
    assert_eq!(place.requests().get("GET"), Some(&5));
    assert!(!place.path("state.db.backups").exists(), "nobody's text was replaced");
    since(&place, &marker(&place)).ends(0);
    assert!(place.requests().is_empty());
}

/// The commands of a recipe in the README: the lines after `from`, as far as they are indented like the first.
fn recipe(from: &str) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let lines: Vec<&str> =
        readme.lines().skip_while(|line| !line.starts_with(from) || line.contains("[")).skip(1).collect();
    let indent = lines[0].len() - lines[0].trim_start().len();
    let inside = lines.iter().take_while(|line| line.len() - line.trim_start().len() >= indent);
    inside.map(|line| line.trim_start().trim_start_matches("- ").to_owned() + "\n").collect()
}

/// One job of CI: a fresh clone, the recipe's commands, nothing kept but what they keep.
fn job(place: &Place, commands: &str, commit: &str, cache: &Path) -> i32 {
    let clone = TempDir::new().unwrap();
    git(clone.path(), &["clone", "-q", &place.root().to_string_lossy(), "."]);
    git(clone.path(), &["checkout", "-q", "--detach", commit]);
    let marker = clone.path().join(".hubsync-published");
    drop(std::fs::copy(cache, &marker));
    let bin = Path::new(env!("CARGO_BIN_EXE_hubsync")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut job = place.command(&[]);
    let env: Vec<_> = job.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    job = std::process::Command::new("bash");
    job.args(["-e", "-c", commands]).env_clear().current_dir(clone.path());
    job.envs(env.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    job.env("PATH", path).env("GITHUB_REF_NAME", "main").env("CI_COMMIT_BRANCH", "main");
    job.env("HUBSYNC_CONFIG", place.path("hubsync.yaml")).env("HUBSYNC_ROOT", clone.path());
    let ran = Ran::of(job.output().unwrap());
    if ran.code == 0 {
        drop(std::fs::copy(&marker, cache));
    }
    // A runner begins with no state.
    for left in ["state.db", "state.db-wal", "state.db-shm"] {
        drop(std::fs::remove_file(place.path(left)));
    }
    ran.code
}

#[test]
fn the_recipes_of_the_readme_do_what_they_say() {
    for from in ["        run: |", "  script:"] {
        let commands = recipe(from);
        assert!(commands.contains("--since"), "{commands}");
        let place = published(3);
        place.config("git:\n  branch: main\n");
        git(&place.root(), &["config", "receive.denyCurrentBranch", "ignore"]);
        let cache = place.path("cache");
        let first = marker(&place);
        assert_eq!(job(&place, &commands, &first, &cache), 0, "no marker yet: {commands}");
        place.requests();
        edit(&place, "p0", "One.\n");
        assert_eq!(job(&place, &commands, "main", &cache), 0);
        assert_eq!(place.requests(), get_and_patch(1));
        edit(&place, "p1", "Two.\n");
        place.faults(&["GET/error-before=503:1"]);
        let impatient = commands.replace("hubsync sync", "hubsync sync --max-wait 0s");
        assert_eq!(job(&place, &impatient, "main", &cache), 75);
        place.faults(&[]);
        edit(&place, "p2", "Three.\n");
        let newest = marker(&place);
        place.requests();
        assert_eq!(job(&place, &commands, "main", &cache), 0, "it makes good what the last one left");
        assert_eq!(place.requests(), get_and_patch(2));
        assert_eq!(job(&place, &commands, &first, &cache), 0, "an old job is run again");
        assert!(place.requests().is_empty());
        assert_eq!((place.content("p0"), place.content("p2")), ("One.\n".into(), "Three.\n".into()));
        edit(&place, "p0", "Four.\n");
        assert_eq!(job(&place, &commands, "main", &cache), 0, "the marker was left at {newest}");
        assert_eq!(place.requests(), get_and_patch(1));
    }
}

#[test]
fn an_older_run_that_ends_last_overwrites_nothing() {
    let place = published(2);
    let begun = marker(&place);
    edit(&place, "p1", "Older.\n");
    let older = marker(&place);
    edit(&place, "p1", "Newer.\n");
    since(&place, &begun).ends(0);
    git(&place.root(), &["checkout", "-q", &older]);
    let ran = since(&place, &begun).ends(1);
    assert!(ran.out.contains("remote_changed"), "{ran:?}");
    assert_eq!(place.content("p1"), "Newer.\n");
}

#[test]
fn names_are_read_once_and_lists_are_compared_with_those_of_the_revision() {
    let place = Place::new();
    let theirs = {
        let mut hub = place.hub.lock();
        hub.model.add_folder(clock(), "Sales", None);
        hub.model.add_folder(clock(), "People", None);
        hub.model.add_skill(clock(), "Listening");
        hub.model.add_folder(clock(), "Theirs", None)
    };
    let ids = ["a", "b", "c"];
    let doc = |id: &str, more: &str, body: &str| {
        place.write(
            &format!("{id}.md"),
            format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n{more}---\n{body}"),
        );
    };
    for id in ids {
        place.page(id, "Same.\n");
        doc(id, "folders: Sales\n", "Same.\n");
    }
    init(&place.root());
    place.run(&["sync"]).ends(0);
    place.requests();
    doc("a", "folders: Sales\n", "Text alone.\n");
    doc("b", "folders: People\n", "Same.\n");
    doc("c", "folders: []\nskills: Listening\n", "Same.\n");
    commit(&place.root(), "lists");
    let plan = place.run(&["sync", "--since", "HEAD~1", "--dry-run", "--json"]).ends(1);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let fields: Vec<&Value> = plan["plan"].as_array().unwrap().iter().map(|page| &page["fields"]).collect();
    let expected = [vec!["title", "content", "status"], vec!["folder_ids"], vec!["folder_ids", "skill_ids"]];
    assert_eq!(serde_json::json!(fields), serde_json::json!(expected), "{plan:#}");
    place.requests();
    since(&place, "HEAD~1").ends(0);
    assert_eq!(
        place.requests(),
        [("GET".to_owned(), 3 + 2), ("PATCH".to_owned(), 3)].into(),
        "folders and skills, too"
    );
    assert_eq!(place.content("a"), "Text alone.\n");
    // A colleague has filed it elsewhere: the list is on both sides now.
    let act = Act::File { folder_ids: vec![theirs], skill_ids: Vec::new() };
    place.hub.lock().model.colleague(clock(), "b", act).unwrap();
    doc("b", "folders: Sales\n", "Same.\n");
    commit(&place.root(), "filed on both sides");
    let ran = since(&place, "HEAD~1").ends(1);
    assert!(ran.out.contains("b.md: conflict") && ran.out.contains("remote_changed"), "{ran:?}");
}

#[test]
fn what_the_hub_rewrites_is_no_conflict() {
    let place = Place::new();
    place.hub.lock().model.settings_mut().normalise = Normalise::Markdown;
    place.page("p0", "");
    place.doc("p0", "* one  \n* two\n\n\n");
    init(&place.root());
    place.run(&["sync"]).ends(0);
    assert_ne!(place.content("p0"), "* one  \n* two\n\n\n", "the hub rewrites it");
    edit(&place, "p0", "* one\n* two\n* three\n");
    since(&place, "HEAD~1").ends(0);
    assert!(place.content("p0").contains("three"));
    // A title that is managed only since.
    place.page("p1", "");
    place.write("p1.md", "---\npage_id: p1\nstatus: published\n---\nSame.\n");
    commit(&place.root(), "untitled");
    since(&place, "HEAD~1").ends(0);
    place.write("p1.md", "---\npage_id: p1\ntitle: Named\nstatus: published\n---\nSame.\n");
    commit(&place.root(), "titled");
    since(&place, "HEAD~1").ends(0);
    assert_eq!(place.hub.lock().model.page("p1").unwrap().title(), "Named");
}

#[test]
fn drafts_go_on_from_the_draft_of_the_revision() {
    let place = Place::new();
    place.page("p0", "Live.\n");
    let draft = |body: &str| place.write("p0.md", format!("---\npage_id: p0\ntitle: p0\nstatus: draft\n---\n{body}"));
    draft("Live.\n");
    init(&place.root());
    draft("Draft one.\n");
    commit(&place.root(), "one");
    since(&place, "HEAD~1").ends(0);
    draft("Draft two.\n");
    commit(&place.root(), "two");
    place.requests();
    since(&place, "HEAD~1").ends(0);
    assert_eq!(place.requests(), get_and_patch(1));
    assert_eq!(place.content("p0"), "Live.\n");
    let act = Act::SaveDraft { title: "p0".to_owned(), content: "A colleague's.\n".to_owned() };
    place.hub.lock().model.colleague(clock(), "p0", act).unwrap();
    draft("Draft three.\n");
    commit(&place.root(), "three");
    since(&place, "HEAD~1").ends(1);
}

#[test]
fn without_conflict_check_a_change_is_one_request() {
    let place = published(3);
    place.config("publish:\n  conflict_check: false\n");
    edit(&place, "p1", "One.\n");
    since(&place, "HEAD~1").ends(0);
    assert_eq!(place.requests(), [("PATCH".to_owned(), 1)].into());
}

#[test]
fn a_revision_that_can_not_be_had_is_2_with_cause_and_cure() {
    let place = published(2);
    edit(&place, "p1", "One.\n");
    edit(&place, "p1", "Two.\n");
    let zeros = "0".repeat(40);
    for unknown in ["nowhere", "", "-x", "--all", "HEAD~9", zeros.as_str(), "HEAD:p1.md"] {
        let ran = place.run(&["sync", &format!("--since={unknown}")]).ends(2);
        assert!(ran.err.contains("there is no revision") && ran.err.contains("begin with `hubsync sync`"), "{ran:?}");
    }
    let whole = format!("file://{}", place.root().display());
    let first = git(&place.root(), &["rev-parse", "HEAD~2"]);
    git(place.dir.path(), &["clone", "-q", "--depth=1", &whole, "shallow"]);
    let shallow = |args: &[&str]| Ran::of(place.command(args).env("HUBSYNC_ROOT", "./shallow").output().unwrap());
    for cut in [first.trim(), "HEAD~1"] {
        let ran = shallow(&["sync", "--since", cut]).ends(2);
        assert!(ran.err.contains("shallow clone") && ran.err.contains("fetch-depth: 0"), "{ran:?}");
    }
    git(&place.path("shallow"), &["fetch", "-q", "--unshallow"]);
    shallow(&["sync", "--since", first.trim()]).ends(0);
    assert_eq!(place.content("p1"), "Two.\n");
    // A clone without texts, which git would fetch behind our back.
    git(&place.root(), &["config", "uploadpack.allowFilter", "true"]);
    git(place.dir.path(), &["clone", "-q", "--filter=blob:none", &whole, "partial"]);
    let partial = place.command(&["sync", "--since", "HEAD~2"]).env("HUBSYNC_ROOT", "./partial").output().unwrap();
    let ran = Ran::of(partial).ends(2);
    assert!(ran.err.contains("clone it whole"), "{ran:?}");
    let ran = Ran::of(place.command(&["sync", "--since", "HEAD~1"]).env("PATH", "/nowhere").output().unwrap()).ends(2);
    assert!(ran.err.contains("git is not installed"), "{ran:?}");
    std::fs::rename(place.root().join(".git"), place.path("away")).unwrap();
    let ran = since(&place, "HEAD~1").ends(2);
    assert!(ran.err.contains("needs a git checkout"), "{ran:?}");
}

#[test]
fn a_subfolder_is_compared_as_a_subfolder_and_paths_narrow_it() {
    let place = Place::new();
    place.same(3);
    init(place.dir.path());
    for id in ["p0", "p1"] {
        place.doc(id, "New.\n");
    }
    std::fs::write(place.path("outside.md"), "---\npage_id: p2\n---\nOutside.\n").unwrap();
    commit(place.dir.path(), "new");
    let ran = place.run(&["sync", "docs/p0.md", "--since", "HEAD~1"]).ends(0);
    assert_eq!((place.content("p0"), place.content("p1")), ("New.\n".into(), "Same.\n".into()), "{ran:?}");
    since(&place, "HEAD~1").ends(0);
    assert_eq!((place.content("p1"), place.content("p2")), ("New.\n".into(), "Same.\n".into()));
}

#[test]
fn the_branch_counts_here_too() {
    let place = published(2);
    place.config("git:\n  branch: main\n");
    edit(&place, "p1", "One.\n");
    git(&place.root(), &["checkout", "-q", "--detach"]);
    since(&place, "HEAD~1").ends(1);
    assert!(place.requests().is_empty());
    place.run(&["sync", "--since", "HEAD~1", "--branch", "main"]).ends(0);
    assert_eq!(place.content("p1"), "One.\n");
    assert!(git_command(&place.root(), &["fsck", "--strict"]).output().unwrap().status.success());
}
