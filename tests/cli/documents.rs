//! Bad documents: one clear message each, and no other document waits.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::place::Place;

#[test]
fn each_bad_document_is_named_and_the_good_one_is_published() {
    let place = Place::with("publish:\n  on_first_meeting: local\n");
    place.page("good", "Old.\n");
    place.doc("good", "New.\n");
    place.page("dup", "Old.\n");
    place.doc("dup", "One.\n");
    place.write("sub/dup2.md", "---\npage_id: dup\nstatus: published\n---\nTwo.\n");
    place.write("yaml.md", "---\npage_id: a1\ntitle: [unclosed\n---\nx\n");
    place.write("status.md", "---\npage_id: a2\nstatus: publshed\n---\nx\n");
    place.write("latin1.md", b"---\npage_id: a3\n---\ncaf\xe9\n");
    place.write("nul.md", b"---\npage_id: a4\n---\na\0b\n");
    place.write("evil.md", "---\npage_id: ../../x\nstatus: published\n---\nx\n");
    place.write("big.md", format!("---\npage_id: a5\n---\n{}", "x".repeat(6 << 20)));
    let bomb: String =
        (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","))).collect();
    place.write("bomb.md", format!("---\na0: &a0 [x,x,x]\n{bomb}page_id: *a11\n---\nx\n"));
    Command::new("mkfifo").arg(place.root().join("fifo.md")).status().unwrap();
    std::fs::create_dir(place.root().join("folder.md")).unwrap();
    place.page("secret", "Old.\n");
    std::fs::write(place.path("secret.md"), "---\npage_id: secret\nstatus: published\n---\nTOP SECRET\n").unwrap();
    symlink(place.path("secret.md"), place.root().join("link.md")).unwrap();
    let ran = place.run(&["sync"]).ends(1);
    let said = ran.said();
    for (file, words) in [
        ("yaml.md:", "[front_matter]"),
        ("status.md:3:9", "\"published\" or \"draft\""),
        ("latin1.md:", "[not_utf8]"),
        ("nul.md:", "NUL"),
        ("evil.md:", "page_id"),
        ("big.md:", "[too_large]"),
        ("bomb.md:", "[front_matter]"),
        ("fifo.md:", "[unreadable]"),
        ("link.md:", "[outside_root]"),
        ("dup.md:", "[duplicate_page_id]"),
        ("sub/dup2.md:", "[duplicate_page_id]"),
    ] {
        let line = ran.out.lines().find(|line| line.starts_with(file));
        assert!(line.is_some_and(|line| line.contains(words)), "{file} {words}: {said}");
    }
    assert!(ran.err.contains("^^^^^^^^"), "the line is shown with a caret: {}", ran.err);
    assert!(!said.contains("folder.md"), "{said}");
    assert_eq!(place.content("good"), "New.\n");
    assert_eq!(place.content("dup"), "Old.\n");
    assert_eq!(place.content("secret"), "Old.\n");
}

#[test]
fn a_known_document_goes_on_beside_its_copy() {
    let place = Place::new();
    place.same(1);
    place.run(&["sync"]).ends(0);
    place.write("copy.md", "---\npage_id: p0\ntitle: p0\nstatus: published\n---\nThe copy.\n");
    place.doc("p0", "The original.\n");
    let ran = place.run(&["sync"]).ends(1);
    assert!(ran.out.contains("copy.md: blocked"), "{ran:?}");
    assert_eq!(place.content("p0"), "The original.\n");
}

#[test]
fn what_steers_a_terminal_never_reaches_it() {
    let place = Place::new();
    place.page("p0", "Old.\n");
    place.write(
        "a\u{1b}[31m\u{202e}.md",
        "---\npage_id: p0\nstatus: published\ntitle: \"x\u{1b}[2J\"\nfolders: [\"\u{7}bell\"]\n---\nx\n",
    );
    for args in [&["sync"][..], &["status", "--all"], &["check"], &["sync", "--dry-run", "--first-meeting", "local"]] {
        let said = place.run(args).said();
        assert!(
            !said.contains('\u{1b}') && !said.contains('\u{202e}') && !said.contains('\u{7}'),
            "{args:?}: {said:?}"
        );
    }
}
