//! Text of others on its way to people: file names, titles, front matter, the hub's words, targets of links, values of the
//! configuration, what was typed. Whatever is in it, and whatever command shows it: no mark that steers a terminal or turns
//! the direction of writing comes out, and no line that is not ours.

use std::os::unix::fs::symlink;
use std::process::Command;

use hubsync::sandbox::{NewPage, Status};
use rustix::process::Signal;

use crate::place::{Place, Ran, Running, until};
use crate::secrets::{commands, ways};
use crate::stub::{Stub, error, nothing, page};

/// What terminals act on or hide, and a line that pretends to be ours.
const NASTY: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\u{2028}\u{2029}\u{85}\u{7f}\u{feff}\u{200b}\u{3164}\r\t\nFORGED\n";

/// What is left in a title and in names of folders: a document with control characters there is blocked.
const UNSEEN: &str = "\u{202e}\u{2066}\u{2028}\u{200b}\u{3164}\u{feff}";

/// NASTY as a double-quoted scalar of YAML or JSON spells it.
fn quoted() -> String {
    NASTY.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// What may be in a line of a text file.
fn in_a_line() -> String {
    NASTY.replace(['\n', '\u{85}', '\u{2028}', '\u{2029}'], "")
}

#[track_caller]
fn tame(what: &str, said: &str) {
    for character in said.chars().filter(|c| *c != '\n') {
        let code = u32::from(character);
        let steers = code < 0x20
            || (0x7f..0xa0).contains(&code)
            || matches!(code, 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff);
        assert!(!steers, "{what} lets U+{code:04X} through:\n{said:?}");
    }
    assert!(!said.lines().any(|line| line.starts_with("FORGED")), "{what} lets a line be forged:\n{said}");
    let longest = said.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(longest < 20_000, "{what} says a line of {longest} characters");
}

/// The same for output with colours: these are ours.
fn without_colours(said: &str) -> String {
    let mut parts = said.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((code, rest)) if code.bytes().all(|b| b.is_ascii_digit() || b == b';') => out.push_str(rest),
            _ => out.push_str(&format!("\u{1b}[{part}")),
        }
    }
    out
}

/// A folder in which everything has such a name and such a text.
fn hostile() -> Place {
    let (place, nasty, quoted) = (Place::new(), NASTY, quoted());
    let line = in_a_line();
    place.page("p0", "");
    let front = |id: &str, more: &str| format!("---\npage_id: {id}\nstatus: published\n{more}---\nText.\n");
    place.write(&format!("good{nasty}.md"), front("p0", &format!("title: \"T{UNSEEN}\"\n")));
    place
        .write(&format!("named{nasty}.md"), front("p1", &format!("folders: [\"{UNSEEN}\"]\nskills: [\"{UNSEEN}\"]\n")));
    place.write("controls.md", front("p4", &format!("title: \"{quoted}\"\nfolders: [\"{quoted}\"]\n")));
    place.write(
        "odd.md",
        front("p2", &format!("staus: {line}\ntitle: x{line}\nfolder: \"{quoted}\"\n\"st{quoted}\": y\n")),
    );
    place.write("status.md", format!("---\npage_id: p3\nstatus: {line}\n---\nx\n"));
    place.write("quoted.md", format!("---\npage_id: \"{quoted}\"\nstatus: \"{quoted}\"\nsync: \"{quoted}\"\n---\nx\n"));
    place.write("yaml.md", format!("---\npage_id: p5\ntitle: [{line}\n  }}{line}\n---\nx\n"));
    place.write("conflict.md", format!("---\npage_id: p6\n---\n<<<<<<< {line}\na\n=======\nb\n>>>>>>> {line}\n"));
    place.write("long.md", front("p7", &format!("title: {}\nstaus: {}\n", "é".repeat(60_000), "x".repeat(600))));
    for folder in ["a", "b"] {
        place.write(&format!("{folder}{nasty}/same{nasty}.md"), front("p8", ""));
    }
    let new = NewPage {
        id: Some("p9".to_owned()),
        title: format!("Theirs{nasty}"),
        content: format!("Theirs{nasty}"),
        status: Status::Published,
        ..NewPage::default()
    };
    place.hub.lock().model.add_page(hubsync::sandbox::server::clock(), new);
    place.write(&format!("held{nasty}.md"), front("p9", ""));
    std::fs::write(place.path(&format!("out{nasty}.md")), "outside").unwrap();
    symlink(place.path(&format!("out{nasty}.md")), place.root().join(format!("link{nasty}.md"))).unwrap();
    symlink(format!("nowhere{nasty}"), place.root().join(format!("dangling{nasty}.md"))).unwrap();
    place
}

/// Runs it and looks at all that it says.
#[track_caller]
fn shown(what: &str, command: Command) -> Ran {
    let ran = Ran::to_the_end(command);
    tame(&format!("{what}: stdout"), &ran.out);
    tame(&format!("{what}: stderr"), &ran.err);
    ran
}

#[test]
fn no_command_lets_it_through() {
    let place = hostile();
    for name in commands() {
        for way in ways(&name).iter().filter(|_| !["run", "demo", "sandbox"].contains(&name.as_str())) {
            let mut command = place.command(way);
            command.arg("-vvv");
            let what = format!("{way:?}");
            let ran = shown(&what, command);
            if ["status", "check", "sync"].contains(&name.as_str()) {
                // It is told, and is not merely left out.
                assert!(ran.said().contains(r"\u{202e}") || ran.said().contains(r"\u202e"), "{what}: {ran:?}");
            }
            let coloured = place.command(way).args(["--color", "always"]).output().unwrap();
            tame(&what, &without_colours(&String::from_utf8(coloured.stdout).unwrap()));
            tame(&what, &without_colours(&String::from_utf8(coloured.stderr).unwrap()));
        }
    }
    shown("a first meeting", place.command(&["sync", "--first-meeting", "local", "--dry-run"]));
    let json = place.json(&["status", "--all", "--json"]);
    let path = format!("good{NASTY}.md");
    let page = json["pages"].as_array().unwrap().iter().find(|page| page["path"] == *path);
    assert_eq!(page.expect("JSON holds the very name")["title"], format!("T{UNSEEN}"));
}

#[test]
fn the_logs_of_what_stays_let_nothing_through() {
    for format in ["pretty", "json", "journald"] {
        let place = hostile();
        let path = place.path("run.log");
        let log = std::fs::File::create(&path).unwrap();
        let mut command = place.command(&["run", "-vvv"]);
        command.env("HUBSYNC_LOG__FORMAT", format).stdout(log.try_clone().unwrap()).stderr(log);
        let running = Running(command.spawn().unwrap());
        let said = || std::fs::read_to_string(&path).unwrap();
        let told = || {
            ["published", "first_meeting", "unknown_name", "control character"].iter().all(|word| said().contains(word))
        };
        if format == "journald" && std::path::Path::new("/run/systemd/journal/socket").exists() {
            until("the page arrives", || place.content("p0") == "Text.\n");
        } else {
            until("all of it is in the log", told);
        }
        running.signal(Signal::TERM);
        assert_eq!(running.code(), Some(0));
        tame(format, &said());
    }
    let place = Place::new();
    let folder = place.path(&format!("tmp{}", NASTY.replace(' ', "")));
    std::fs::create_dir(&folder).unwrap();
    for way in [&["demo"][..], &["sandbox", "--port", "0", "--key", NASTY]] {
        let path = place.path("stays.log");
        let log = std::fs::File::create(&path).unwrap();
        let mut command = place.command(way);
        let running =
            Running(command.env("TMPDIR", &folder).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        until("it says where it is", || std::fs::read_to_string(&path).unwrap().contains("http://127.0.0.1:"));
        running.signal(Signal::INT);
        assert_eq!(running.code(), Some(0));
        let said = std::fs::read_to_string(&path).unwrap();
        tame(&format!("{way:?}"), &said);
        assert!(said.contains(r"\u{202e}"), "{said}");
    }
}

#[test]
fn the_words_of_the_hub_are_told_escaped() {
    let long = "é".repeat(100_000);
    for status in [200, 302, 400, 403, 422] {
        let words = format!("{NASTY}{long}");
        let stub = Stub::new(move |request| match (status, request) {
            (200, request) if request.contains("/workspace") => {
                (200, serde_json::json!({"id": "w", "name": NASTY, "url_slug": "w"}).to_string())
            }
            (200, _) => (200, format!("<html>{NASTY}")),
            (400 | 422, request) if request.starts_with("GET") && request.contains("/pages/") => page("p0"),
            (400 | 422, request) if request.starts_with("GET") && request.contains("/pages") => nothing(),
            _ => error(status, &words),
        });
        let place = Place::with(&format!("hub:\n  url: {}\n", stub.url));
        place.doc("p0", "Text.\n");
        for way in [
            &["sync", "-vvv", "--max-wait", "0s"][..],
            &["status", "--all"],
            &["status", "--json"],
            &["sync", "--json", "--max-wait", "0s"],
            &["init", "--config", "fresh.yaml"],
        ] {
            let mut command = place.command(way);
            command.env("HUBSYNC_HUB__URL", &stub.url);
            let ran = shown(&format!("{status}: {way:?}"), command);
            if [400, 403, 422].contains(&status) && way[0] != "init" {
                assert!(
                    ran.said().contains(r"\u{202e}") || ran.said().contains(r"\u202e"),
                    "{status} {way:?}: {ran:?}"
                );
            }
            if status == 200 && way[0] == "init" {
                assert!(ran.out.contains(r"the API key works: \u{1b}[2J"), "{ran:?}");
            }
        }
    }
}

#[test]
fn what_is_wrong_with_the_configuration_or_the_command_line_is_told_escaped() {
    let (place, quoted, line) = (Place::new(), quoted(), in_a_line());
    let configs = [
        format!("\"r{quoted}\": x\nhub:\n  \"u{quoted}\": y\n"),
        format!("hub:\n  timeout: \"{quoted}\"\nwatch:\n  poll: x{line}\n"),
        format!("include: [\"/{quoted}\", \"{quoted}[\", \"../{quoted}\"]\n"),
        format!("hub:\n  url: \"{quoted}\"\n  api_key_command: [\"no-such{line}\"]\n"),
        format!("hub:\n  api_key_file: \"/nowhere{line}\"\n  ca_file: \"/nowhere{line}\"\n"),
        format!("root: \"gone{line}\"\nstate: \"/nowhere{line}/x.db\"\n"),
        format!("exclude: [\"{quoted}\"]\nlog: {line}\n"),
        format!("root: [{line}\n"),
    ];
    let name = format!("c{NASTY}.yaml");
    for config in configs {
        std::fs::write(place.path(&name), &config).unwrap();
        for way in [&["sync"][..], &["run"], &["status"], &["check"], &["config"], &["config", "--json"]] {
            let ran = shown(&format!("{config:?} {way:?}"), {
                let mut command = place.command(way);
                command
                    .args(["--max-wait", "0s"].iter().filter(|_| way[0] == "sync"))
                    .args(["--config", &name, "-vvv"]);
                command
            });
            assert!(ran.code == 2 || ["config", "check", "status"].contains(&way[0]), "{config}: {way:?} {ran:?}");
        }
    }
    for (variable, value) in [
        (format!("HUBSYNC_{}", in_a_line().to_uppercase()), "x".to_owned()),
        ("HUBSYNC_CONFIG".to_owned(), NASTY.to_owned()),
        ("HUBSYNC_ROOT".to_owned(), format!("/nowhere{NASTY}")),
        ("HUBSYNC_STATE".to_owned(), format!("/nowhere{NASTY}/x.db")),
        ("HUBSYNC_EXCLUDE".to_owned(), format!("[\"{NASTY}")),
    ] {
        let mut command = place.command(&["sync", "--max-wait", "0s"]);
        command.env(&variable, &value);
        shown(&variable, command);
    }
    for way in [
        vec![NASTY],
        vec!["sync", NASTY],
        vec!["check", NASTY],
        vec!["sync", "--max-wait", NASTY],
        vec!["sync", "--first-meeting", NASTY],
        vec!["check", "--format", NASTY],
        vec!["--color", NASTY, "sync"],
        vec!["sandbox", "--fault", NASTY],
        vec!["sandbox", "--port", "0", "--state", NASTY, "--pages", NASTY],
        vec!["sandbox", "--port", "0", "--state", "/nowhere/\u{1b}[2J\nFORGED"],
        vec!["init", NASTY, "--config", "fresh.yaml"],
        vec!["init", "--config", NASTY],
        vec!["init", "--config", "/nowhere\u{1b}/\u{202e}\nFORGED.yaml"],
        vec!["-\u{1b}[2J"],
        vec!["--\u{202e}\nFORGED"],
    ] {
        let ran = shown(&format!("{way:?}"), place.command(&way));
        assert!(!ran.said().is_empty(), "{way:?}");
        let mut command = place.command(&way);
        let coloured = command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").output().unwrap();
        tame(&format!("{way:?}"), &without_colours(&String::from_utf8(coloured.stderr).unwrap()));
    }
}
