//! PATHs on the command line: seen from the folder that one is in, else from the root, and never more than was named.

use hubsync::sandbox::Act;
use hubsync::sandbox::server::clock;

use crate::place::{Place, Ran};

/// Two documents in a folder and one above it, all in step; then each is edited on both sides.
fn torn() -> Place {
    let place = Place::new();
    for id in ["p0", "p1", "p2"] {
        place.page(id, "Same.\n");
        place.write(&path(id), text(id, "Same.\n"));
    }
    place.run(&["sync"]).ends(0);
    for id in ["p0", "p1", "p2"] {
        place.write(&path(id), text(id, "Mine.\n"));
        let act = Act::Publish { title: id.to_owned(), content: "Theirs.\n".to_owned() };
        place.hub.lock().model.colleague(clock(), id, act).unwrap();
    }
    place.run(&["sync"]).ends(1);
    place
}

fn path(id: &str) -> String {
    if id == "p2" { "p2.md".to_owned() } else { format!("team/{id}.md") }
}

fn text(id: &str, body: &str) -> String {
    format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\n{body}")
}

/// Which pages say what their documents say.
fn ours(place: &Place) -> Vec<&'static str> {
    ["p0", "p1", "p2"].into_iter().filter(|id| place.content(id) == "Mine.\n").collect()
}

#[test]
fn a_path_may_be_as_status_names_it() {
    let place = torn();
    let ran = place.run(&["diff", "team/p0.md"]).ends(0);
    assert!(ran.out.contains("team/p0.md: conflict") && !ran.out.contains("p1.md"), "{ran:?}");
    place.run(&["resolve", "team/p0.md", "--keep", "local"]).ends(0);
    assert_eq!(ours(&place), ["p0"]);
    assert!(place.run(&["log", "team/p0.md"]).ends(0).out.contains("published  team/p0.md"));
    place.run(&["forget", "team/p0.md"]).ends(0);
    // Within the root as well, where that folder has no such file.
    let within = |args: &[&str]| Ran::of(place.command(args).current_dir(place.root().join("team")).output().unwrap());
    within(&["--config", "../../hubsync.yaml", "resolve", "team/p1.md", "--keep", "local"]).ends(0);
    assert_eq!(ours(&place), ["p0", "p1"]);
}

#[test]
fn a_pattern_is_seen_from_here_and_from_outside_the_root_also_from_the_root() {
    let place = torn();
    // From inside, a pattern never reaches what lies beside that folder.
    let mut inside = place.command(&["--config", "../../hubsync.yaml", "resolve", "*.md", "--keep", "local"]);
    Ran::of(inside.current_dir(place.root().join("team")).output().unwrap()).ends(0);
    assert_eq!(ours(&place), ["p0", "p1"]);
    place.run(&["resolve", "p*.md", "--keep", "local"]).ends(0);
    assert_eq!(ours(&place), ["p0", "p1", "p2"]);
}

#[test]
fn what_is_not_there_is_said_and_never_means_everything() {
    let place = torn();
    place.requests();
    for command in ["sync", "check", "diff"] {
        for elsewhere in ["docs/../nope.md", "../p2.md", "/nope.md"] {
            let ran = place.run(&[command, elsewhere]).ends(2);
            assert!(ran.err.contains(&format!("{elsewhere} is not in the root")), "{ran:?}");
        }
    }
    assert!(place.requests().is_empty());
    for named in ["nope.md", "docs/nope.md"] {
        for command in [&["sync"][..], &["check"], &["link", "--by-title"]] {
            let ran = place.run(&[command, &[named]].concat());
            assert!(ran.err.contains("nope.md: there is no such file or folder in the root"), "{ran:?}");
            assert!(!ran.out.contains("p2.md"), "only what was named: {ran:?}");
        }
        let ran = place.run(&["resolve", named, "--keep", "local"]).ends(2);
        assert!(ran.err.contains("nothing is known of"), "{ran:?}");
    }
    assert!(ours(&place).is_empty());
}

#[test]
fn a_resolve_that_finds_nothing_to_do_says_so() {
    let place = Place::new();
    place.same(1);
    place.run(&["sync"]).ends(0);
    let ran = place.run(&["resolve", "--all", "--keep", "local"]).ends(0);
    assert_eq!(ran.out, "nothing was settled\n", "{ran:?}");
}
