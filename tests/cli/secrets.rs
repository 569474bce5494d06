//! The key is nowhere: every command, every source of the key, every way in which it is refused; with all that can be said
//! said (`-vvv`, `RUST_LOG=trace`), in whatever form it may be repeated.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::place::{Place, Ran, Running, files, until};
use crate::stub::{Stub, error, nothing, page};

const KEY: &str = "exec_live_0123456789abcdefghijABCDEFGHIJ+/k=LMN";

/// The key as it may be repeated, spelled by other tools: as it is, its halves, in a URL, in base64 at each of the three
/// places where it can begin, in hexadecimal digits.
const FORMS: &[&str] = &[
    "0123456789abcdefghijABCDEFGHIJ+/k=LMN",
    "0123456789abcdefgh",
    "ijABCDEFGHIJ+/k=LMN",
    "0123456789abcdefghijABCDEFGHIJ%2B%2Fk%3DLMN",
    "0123456789abcdefghijABCDEFGHIJ%2b%2fk%3dLMN",
    r"0123456789abcdefghijABCDEFGHIJ+\/k=LMN",
    "ZXhlY19saXZlXzAxMjM0NTY3ODlhYmNkZWZnaGlqQUJDREVGR0hJSisvaz1MTU",
    "leGVjX2xpdmVfMDEyMzQ1Njc4OWFiY2RlZmdoaWpBQkNERUZHSElKKy9rPUxNT",
    "V4ZWNfbGl2ZV8wMTIzNDU2Nzg5YWJjZGVmZ2hpakFCQ0RFRkdISUorL2s9TE1O",
    "657865635f6c6976655f30313233343536373839",
];

/// All forms in one sentence, and one more in JSON's escapes: what the worst hub would say of a key that it refuses.
fn echo(status: u16) -> (u16, String) {
    let escaped: String = KEY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let plain = error(status, &FORMS.join(" ")).1;
    (status, plain.replacen("0123456789", &format!("{escaped} 0123456789"), 1))
}

#[track_caller]
fn clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for form in FORMS {
        assert!(!text.contains(&form.to_lowercase()), "{what} holds {form}:\n{text}");
    }
    let escaped: String = KEY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    assert!(!text.contains(&escaped), "{what} holds it in escapes");
    assert!(!text.contains(r"\u0065\u0078\u0065\u0063"), "{what} holds it in escapes");
}

/// Everything that lies in the folder, and that is told of our processes.
#[track_caller]
fn nothing_is_left(place: &Place, what: &str) {
    for file in files(place.dir.path()) {
        // A file that goes while it is looked for can be no leak that stays.
        if let Ok(bytes) = std::fs::read(&file) {
            clean(&format!("{what}: {}", file.display()), &bytes);
        }
    }
}

/// The names of all commands, from the program's own help.
pub fn commands() -> Vec<String> {
    let help = Place::new().run(&["--help"]).ends(0).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 9, "{help}");
    names
}

/// How a command is run here. A new one must say so: that is what this list is for.
pub fn ways(name: &str) -> &'static [&'static [&'static str]] {
    match name {
        "demo" => &[&["demo"]],
        "run" => &[&["run"]],
        "sandbox" => &[&["sandbox", "--port", "0"]],
        "sync" => &[
            &["sync", "--dry-run", "--json", "--max-wait", "0s"],
            &["sync", "--max-wait", "0s"],
            &["sync", "--json", "--max-wait", "0s"],
        ],
        "status" => &[&["status", "--all"], &["status", "--all", "--json"]],
        "diff" => &[&["diff", "--max-wait", "0s"], &["diff", "docs/same.md", "--json", "--max-wait", "0s"]],
        "pull" => &[
            &["pull", "same", "--max-wait", "0s"],
            &["pull", "--all", "--json", "--max-wait", "0s"],
            &["pull", "--all", "--dry-run", "--max-wait", "0s"],
        ],
        "pages" => &[&["pages", "--max-wait", "0s"], &["pages", "--json", "--max-wait", "0s"]],
        "log" => &[&["log"], &["log", "--json"]],
        "link" => &[&["link", "--by-title", "--max-wait", "0s"]],
        "resolve" => &[
            &["resolve", "--all", "--keep", "remote", "--dry-run", "--json"],
            &["resolve", "--all", "--keep", "local", "--max-wait", "0s"],
        ],
        "forget" => &[&["forget", "docs/none.md"]],
        "pause" => &[&["pause"], &["pause", "--for", "2h"]],
        "resume" => &[&["resume"]],
        "check" => &[&["check"], &["check", "--json"], &["check", "--format", "github"]],
        "init" => &[&["init"], &["init", "docs", "--config", "fresh.yaml"]],
        "config" => &[&["config"], &["config", "--json"]],
        "doctor" => &[&["doctor"], &["doctor", "--json"]],
        "service" => &[&["service", "show", "--user"], &["service", "install", "--into", "units"]],
        "help" => &[&["help"], &["help", "sync"]],
        new => panic!("`hubsync {new}` is new: say here how it is run, so that the key is looked for in what it says"),
    }
}

/// How a command learns the key.
type Prepare<'a> = &'a dyn Fn(&mut Command);

/// Runs all that there is in a place, and looks for the key in all that comes of it. Answers how each ended.
fn everything(place: &Place, names: &[String], prepare: Prepare<'_>) -> Vec<(String, i32)> {
    let mut ended = Vec::new();
    for name in names {
        for way in ways(name) {
            let mut command = place.command(way);
            command.arg("-vvv").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
            prepare(&mut command);
            if name == "init" {
                // Its configuration comes from where `init` writes it, so the hub must be told it otherwise.
                let fresh = place.path("fresh.yaml");
                let _ = std::fs::remove_file(fresh);
            }
            let what = format!("{way:?}");
            let code = match name.as_str() {
                "run" | "demo" | "sandbox" => stays(place, &what, command),
                _ => {
                    let ran = Ran::to_the_end(command);
                    clean(&what, ran.said().as_bytes());
                    ours_alone(&ran.err);
                    ran.code
                }
            };
            ended.push((way.join(" "), code));
            nothing_is_left(place, &what);
        }
    }
    ended
}

/// Lets the children of this process leave core dumps, as far as this process may.
#[cfg(target_os = "linux")]
fn allow_core_dumps() {
    let maximum = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    let all = rustix::process::Rlimit { current: maximum, maximum };
    rustix::process::setrlimit(rustix::process::Resource::Core, all).unwrap();
}

/// A command that stays is ended once it has said something and has asked whom it asks.
fn stays(place: &Place, what: &str, mut command: Command) -> i32 {
    #[cfg(target_os = "linux")]
    allow_core_dumps();
    let path = place.path("stays.log");
    let log = std::fs::File::create(&path).unwrap();
    let mut running = Running(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let pid = running.0.id();
    let said = || std::fs::read_to_string(&path).unwrap();
    let through = |said: &str| {
        [
            "published ",
            "planned",
            "hub:  http",
            "401",
            "refuse",
            "forbid",
            "not the hub",
            "can't",
            "redirect",
            "in step",
        ]
        .iter()
        .any(|word| said.contains(word))
    };
    until("it has said something", || running.0.try_wait().unwrap().is_some() || through(&said()));
    if let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) {
        clean(&format!("{what}: command line"), &line);
    }
    if running.0.try_wait().unwrap().is_none() && cfg!(target_os = "linux") {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{what} could leave a core dump: {core}");
    }
    nothing_is_left(place, what);
    running.signal(Signal::INT);
    let code = running.code().unwrap_or(-1);
    clean(what, said().as_bytes());
    ours_alone(&said());
    code
}

/// Only our own words are in the log, whatever `RUST_LOG` says: what a library would say may hold a header.
#[track_caller]
fn ours_alone(said: &str) {
    for line in said.lines().filter(|line| line.starts_with("{\"timestamp\"")) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["target"].as_str().unwrap().starts_with("hubsync"), "{line}");
    }
    for library in ["hyper", "reqwest", "rustls::", "h2::", "mio::", "tracing::span"] {
        assert!(!said.contains(library), "{library} has its say:\n{said}");
    }
}

/// A place with pages of every kind, among them one that is refused.
fn furnished(config: &str) -> Place {
    let place = Place::keyed(KEY, config);
    for (id, body) in [("same", "Old.\n"), ("new", "New.\n"), ("held", "Mine.\n")] {
        place.page(id, "Old.\n");
        place.doc(id, body);
    }
    place.write("bad.md", "---\npage_id: bad\nstatus: publshed\n---\nx\n");
    place
}

/// Writes what prints the key, and what prints the environment and the command line that it was given.
fn key_command(secrets: &Path, seen: &Path) -> PathBuf {
    let script = secrets.join("print-key");
    let text = format!(
        "#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline /proc/$PPID/cmdline > '{}'\ncat '{}'\necho '{KEY}' >&2\n",
        seen.display(),
        secrets.join("key").display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    script
}

#[test]
fn the_key_is_nowhere_whatever_is_run_and_wherever_it_comes_from() {
    let names = commands();
    let secrets = TempDir::new().unwrap();
    let file = secrets.path().join("key");
    std::fs::write(&file, format!("{KEY}\r\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(secrets.path().join("exec_api_key"), KEY).unwrap();
    let seen = secrets.path().join("seen");
    let script = key_command(secrets.path(), &seen);
    let (named, printed) =
        (format!("  api_key_file: {}\n", file.display()), format!("  api_key_command: [{}]\n", script.display()));
    let hub = |more: &str| format!("hub:\n  url: URL\n{more}publish:\n  on_first_meeting: local\n");
    let by_environment = |command: &mut Command| {
        command.env("EXEC_API_KEY", KEY);
    };
    let by_nothing = |command: &mut Command| {
        command.env_remove("EXEC_API_KEY");
    };
    let folder = secrets.path().to_owned();
    let by_credential = move |command: &mut Command| {
        command.env_remove("EXEC_API_KEY").env("CREDENTIALS_DIRECTORY", &folder);
    };
    let sources: [(&str, String, Prepare<'_>); 4] = [
        ("EXEC_API_KEY", hub(""), &by_environment),
        ("file", hub(&named), &by_nothing),
        ("command", hub(&printed), &by_environment),
        ("systemd credential", hub(""), &by_credential),
    ];
    for (source, config, prepare) in sources {
        let place = furnished(&config);
        // The daemon first, so that there is something to publish while it is looked at.
        let mut order: Vec<String> = names.clone();
        order.sort_by_key(|name| u8::from(name != "run"));
        let ended = everything(&place, &order, prepare);
        assert_eq!(place.content("new"), "New.\n", "{source}: the key let us in: {ended:?}");
        let config = Ran::of({
            let mut command = place.command(&["config"]);
            prepare(&mut command);
            command.output().unwrap()
        });
        assert!(config.out.contains(&format!("# {source}")), "{source}: {config:?}");
        // What SIGKILL leaves: the log of the database was not put away.
        let mut command = place.command(&["run", "-vvv"]);
        prepare(&mut command);
        let log = std::fs::File::create(place.path("killed.log")).unwrap();
        let running = Running(command.stderr(log).stdout(Stdio::null()).spawn().unwrap());
        place.doc("same", "Newer.\n");
        until("it publishes", || place.content("same") == "Newer.\n");
        running.signal(Signal::KILL);
        let _ = running.code();
        assert!(files(place.dir.path()).iter().any(|file| file.to_string_lossy().ends_with("-wal")), "no log is left");
        nothing_is_left(&place, "killed");
    }
    let told = std::fs::read(&seen).unwrap();
    assert!(told.windows(5).any(|part| part == b"HOME="), "the command's environment was looked at");
    clean("the environment of the key's command", &told);
}

#[test]
fn a_hub_that_repeats_the_key_is_not_repeated() {
    let names: Vec<String> =
        commands().into_iter().filter(|name| !["demo", "sandbox", "help"].contains(&name.as_str())).collect();
    let keyed = |command: &mut Command| {
        let url = std::fs::read_to_string(command.get_current_dir().unwrap().join("url")).unwrap();
        command.env("EXEC_API_KEY", KEY).env("HUBSYNC_HUB__URL", url);
    };
    for status in [400, 401, 403, 404, 422, 200, 302, 503] {
        let stub = Stub::new(move |request| match (status, request) {
            // A "no" to a write is believed only from a hub that answers otherwise.
            (400 | 422, request) if request.starts_with("GET") && request.contains("/pages/") => page("new"),
            (400 | 422, request) if request.starts_with("GET") && request.contains("/pages") => nothing(),
            _ => echo(status),
        });
        let place = furnished(&format!("hub:\n  url: {}\n", stub.url));
        std::fs::write(place.path("url"), &stub.url).unwrap();
        std::fs::remove_file(place.root().join("held.md")).unwrap();
        std::fs::remove_file(place.root().join("same.md")).unwrap();
        let ended = everything(&place, &names, &keyed);
        let asked = stub.requests();
        assert!(!asked.is_empty(), "{status}: {ended:?}");
        if status == 400 {
            assert!(asked.iter().any(|request| request.starts_with("PATCH")), "{asked:?}");
            let said = Ran::of({
                let mut command = place.command(&["status"]);
                keyed(&mut command);
                command.output().unwrap()
            });
            assert!(
                said.out.contains("[refused]") && said.out.contains("***"),
                "the rest of the words is told: {said:?}"
            );
        }
    }
}

#[test]
fn a_key_in_the_wrong_place_is_refused_and_not_repeated() {
    let names: Vec<String> =
        commands().into_iter().filter(|name| !["demo", "sandbox"].contains(&name.as_str())).collect();
    let secrets = TempDir::new().unwrap();
    let double = secrets.path().join("double");
    std::fs::write(&double, format!("{KEY}\n{KEY}\n")).unwrap();
    let failing = secrets.path().join("failing");
    std::fs::write(&failing, format!("#!/bin/sh\necho '{KEY}'; echo '{KEY}' >&2; exit 3\n")).unwrap();
    std::fs::set_permissions(&failing, std::fs::Permissions::from_mode(0o700)).unwrap();
    let slashed = KEY.replace(['/', '+', '='], "");
    let configs = [
        format!("hub:\n  url: https://{slashed}:x@127.0.0.1/\n"),
        format!("hub:\n  url: https://me:{KEY}@127.0.0.1/\n"),
        format!("hub:\n  url: https://127.0.0.1/?key={KEY}\n"),
        format!("hub:\n  url: URL\n  api_key: {KEY}\n"),
        format!("hub:\n  url: URL\n  key: \"{KEY}\"\n"),
        format!("hub:\n  url: URL\n  api_key_command: [echo, \"{}\"]\n", KEY.replacen('_', "\\x5f", 2)),
        format!("hub:\n  url: URL\n  api_key_command: \"echo {KEY}\"\n"),
        format!("hub:\n  url: URL\n  api_key_file: {}\n", double.display()),
        format!("hub:\n  url: URL\n  api_key_command: [{}]\n", failing.display()),
        format!("# {KEY}\n{KEY}: 1\nhub: {KEY}\n"),
    ];
    for config in configs {
        let place = Place::keyed(KEY, &config);
        place.page("p0", "Old.\n");
        place.doc("p0", "Old.\n");
        // The configuration itself is where somebody wrote it: it is not looked through.
        let kept = secrets.path().join("hubsync.yaml");
        std::fs::rename(place.path("hubsync.yaml"), &kept).unwrap();
        let text = std::fs::read_to_string(&kept).unwrap().replace("./", &format!("{}/", place.dir.path().display()));
        std::fs::write(&kept, text).unwrap();
        for name in names.iter().filter(|name| *name != "init" && *name != "help") {
            for way in ways(name) {
                let mut command = place.command(way);
                command.args(["-vvv", "--config"]).arg(&kept);
                let ran = Ran::to_the_end(command);
                clean(&format!("{config}: {way:?}"), ran.said().as_bytes());
                if ["sync", "run"].contains(&name.as_str()) {
                    ran.ends(2);
                }
            }
        }
        nothing_is_left(&place, &config);
    }
    let place = Place::new();
    for (name, value) in [
        ("HUBSYNC_HUB__URL", format!("https://{KEY}@127.0.0.1/")),
        ("HUBSYNC_HUB__API_KEY", KEY.to_owned()),
        ("HUBSYNC_HUB__API_KEY_COMMAND", format!("[echo, {KEY}]")),
        ("EXEC_API_KEY", format!("{KEY}\n{KEY}")),
        ("EXEC_API_KEY", format!("{KEY}\u{1b}")),
    ] {
        for way in
            [&["sync", "-vvv"][..], &["run", "-vvv"], &["config"], &["init", "--config", "none.yaml"], &["check"]]
        {
            let _ = std::fs::remove_file(place.path("none.yaml"));
            let mut command = place.command(way);
            command.env(name, &value);
            let ran = Ran::to_the_end(command);
            clean(&format!("{name}: {way:?}"), ran.said().as_bytes());
        }
    }
    nothing_is_left(&place, "environment");
}

/// Nobody but the system's own user reads the memory or the environment of a process that can't be dumped.
#[cfg(target_os = "linux")]
#[test]
fn no_other_program_of_the_user_looks_into_the_process() {
    let me = rustix::process::geteuid();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubsync"));
    command.args(["sandbox", "--port", "0"]).env_clear().stdin(Stdio::null()).current_dir("/");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    if me.is_root() {
        // Root's own processes look the same either way.
        command.uid(65_534);
    }
    let mut running = Running(command.spawn().unwrap());
    let mut out = std::io::BufReader::new(running.0.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(line.starts_with("hub:"), "{line}");
    let owner = std::fs::metadata(format!("/proc/{}/environ", running.0.id())).unwrap().uid();
    assert_eq!(owner, 0, "whoever runs it could read its environment, as {owner}");
}
