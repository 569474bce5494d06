//! How editors save: each shape ends in one PATCH of the whole text, and no half text is ever sent.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use crate::place::{Place, until};

const DEBOUNCE: Duration = Duration::from_secs(1);
const CONFIG: &str = "watch:\n  debounce: 1s\n  rescan: 24h\n";

/// A way to save the text of `x.md`.
type Save = fn(&Path, &str);

fn at(file: &Path, name: &str) -> std::path::PathBuf {
    let own = file.file_name().unwrap().to_string_lossy();
    file.with_file_name(name.replace("x.md", &own))
}

/// Probes whether files can be made, keeps a swap file, moves the old text aside, writes the new one under the name.
fn vim(file: &Path, text: &str) {
    let (swap, backup) = (at(file, ".x.md.swp"), at(file, "x.md~"));
    fs::write(&swap, "b0VIM").unwrap();
    fs::write(at(file, "4913"), "").unwrap();
    fs::remove_file(at(file, "4913")).unwrap();
    fs::rename(file, &backup).unwrap();
    fs::write(file, text).unwrap();
    fs::remove_file(&backup).unwrap();
    fs::remove_file(&swap).unwrap();
}

/// The file is truncated and written in place, as by VS Code and Obsidian.
fn in_place(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
}

fn jetbrains(file: &Path, text: &str) {
    let (new, old) = (at(file, "x.md___jb_tmp___"), at(file, "x.md___jb_old___"));
    fs::write(&new, text).unwrap();
    fs::rename(file, &old).unwrap();
    fs::rename(&new, file).unwrap();
    fs::remove_file(&old).unwrap();
}

/// A lock that is a link to nowhere and a file of unsaved words, both named like documents; they stay.
fn emacs(file: &Path, text: &str) {
    symlink("jane@desk.4711:1767225600", at(file, ".#x.md")).unwrap();
    fs::write(at(file, "#x.md#"), text.replace("Saved", "Unsaved")).unwrap();
    fs::rename(file, at(file, "x.md~")).unwrap();
    fs::write(file, text).unwrap();
}

/// A new file with a name of its own takes the place of the old one.
fn renamed_over(file: &Path, text: &str) {
    let new = at(file, ".x.md.tmp-4711");
    let mut out = fs::File::create(&new).unwrap();
    out.write_all(text.as_bytes()).unwrap();
    out.sync_all().unwrap();
    fs::rename(new, file).unwrap();
}

/// Truncated, and written in pieces, each of which is a document, with pauses that are shorter than the debounce.
fn short_pauses(file: &Path, text: &str) {
    let mut out = fs::File::create(file).unwrap();
    for piece in text.as_bytes().chunks(text.len() / 3) {
        std::thread::sleep(DEBOUNCE / 8);
        out.write_all(piece).unwrap();
    }
}

const SHAPES: &[(&str, Save)] = &[
    ("vim", vim),
    ("vscode", in_place),
    ("jetbrains", jetbrains),
    ("emacs", emacs),
    ("atomic", renamed_over),
    ("short", short_pauses),
];

fn text(id: &str) -> String {
    format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\n{}End.\n", "Saved.\n".repeat(500))
}

fn body(id: &str) -> String {
    text(id).split_once("---\n").unwrap().1.split_once("---\n").unwrap().1.to_owned()
}

/// The bodies that were sent for a page.
fn sent(place: &Place, id: &str) -> Vec<String> {
    let hub = place.hub.lock();
    let writes =
        hub.model.log().iter().filter(|entry| entry.method == "PATCH" && entry.target.ends_with(&format!("/{id}")));
    let bodies = writes.map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.body).unwrap());
    bodies.map(|body| body["content"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_way_to_save_is_one_write_of_the_whole_text() {
    let place = Place::with(CONFIG);
    let ids: Vec<&str> = SHAPES.iter().map(|(id, _)| *id).chain(["long", "slow"]).collect();
    for id in &ids {
        place.page(id, "Old.\n");
        place.doc(id, "Old.\n");
    }
    place.run(&["sync"]).ends(0);
    let _daemon = place.daemon();
    place.requests();
    // A pause that is longer than the debounce: after the truncation, and within the front matter.
    let (long, slow) = (place.root().join("long.md"), place.root().join("slow.md"));
    let mut slowly = fs::File::create(&slow).unwrap();
    let whole = text("slow");
    slowly.write_all(&whole.as_bytes()[..20]).unwrap();
    let mut later = fs::File::create(&long).unwrap();
    for (id, save) in SHAPES {
        save(&place.root().join(format!("{id}.md")), &text(id));
    }
    until("what is not whole is held", || {
        let status = place.json(&["status", "--json"]);
        let codes: Vec<_> = status["pages"].as_array().unwrap().iter().map(|page| &page["reason"]["code"]).collect();
        codes.contains(&&"file_empty".into()) && codes.contains(&&"front_matter".into())
    });
    for (id, _) in SHAPES {
        until(id, || place.content(id) == body(id));
    }
    // The daemon has looked at them by now.
    until("the daemon says what it holds", || {
        let log = fs::read_to_string(place.path("daemon.log")).unwrap();
        log.contains("file_empty") && log.contains("front_matter")
    });
    later.write_all(text("long").as_bytes()).unwrap();
    slowly.write_all(&whole.as_bytes()[20..]).unwrap();
    drop((later, slowly));
    for id in &ids {
        until(id, || place.content(id) == body(id));
    }
    // Another save of the same text, and one that is undone, are nothing.
    in_place(&place.root().join("vim.md"), &text("vim"));
    renamed_over(&place.root().join("vscode.md"), &text("vscode"));
    place.page("last", "");
    place.doc("last", "Last.\n");
    until("what came after them arrives", || place.content("last") == "Last.\n");
    for id in &ids {
        assert_eq!(sent(&place, id), [body(id)], "{id}");
    }
    until("all are in step", || place.json(&["status", "--json"])["counts"]["in_step"] == ids.len() + 1);
    let status = place.json(&["status", "--json", "--all"]);
    let paths: Vec<_> = status["pages"].as_array().unwrap().iter().map(|page| page["path"].as_str().unwrap()).collect();
    assert_eq!(paths.len(), ids.len() + 1, "what editors leave lying is not spoken of: {paths:?}");
}
