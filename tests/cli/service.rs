//! `hubsync service`: the unit of a real configuration, what is written and what is said to systemd, and what is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::place::{Place, Ran};

/// A folder that is no `/tmp`, so that the unit may hide that.
fn outside_tmp(name: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let here = dir.path().canonicalize().unwrap().join(name);
    std::fs::create_dir_all(here.join("docs")).unwrap();
    std::fs::write(here.join("exec_api_key"), "key").unwrap();
    std::fs::write(here.join("hubsync.yaml"), "root: ./docs\n").unwrap();
    (dir, here)
}

fn service(place: &Place, config: &Path, args: &[&str]) -> Command {
    let mut command = place.command(&["service"]);
    command.args(args).arg("--config").arg(config.join("hubsync.yaml"));
    command
}

#[track_caller]
fn ran(mut command: Command, code: i32) -> Ran {
    Ran::of(command.output().unwrap()).ends(code)
}

/// Where `systemd-analyze` is there, what it says of a unit: words, and the exposure.
fn judged(file: &Path, scope: &str) -> Option<(String, f64)> {
    let run = TempDir::new().unwrap();
    let analyze = |args: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(args).arg(file).env("XDG_RUNTIME_DIR", run.path()).env("SYSTEMD_COLORS", "0");
        command.output().ok()
    };
    let verified = analyze(&["verify", scope, "--man=no"])?;
    let name = file.file_name().unwrap().to_str().unwrap();
    let words = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about: Vec<&str> = words.lines().filter(|line| line.contains(name)).collect();
    let judged = analyze(&["security", scope, "--offline=true", "--no-pager"])?;
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("Overall exposure"))?;
    let number = line.rsplit_once(": ")?.1.split_whitespace().next()?.parse().ok()?;
    Some((about.join("\n"), number))
}

#[test]
fn the_unit_of_a_configuration_is_taken_by_systemd_and_exposes_little() {
    let place = Place::new();
    for name in ["plain", "we ird %h $X \"q\" \\n 'a'; größe"] {
        let (_dir, here) = outside_tmp(name);
        for scope in ["--system", "--user"] {
            let mut command = service(&place, &here, &["show", scope]);
            command.env("XDG_STATE_HOME", here.join("state"));
            let shown = ran(command, 0);
            assert!(shown.err.is_empty(), "{shown:?}");
            let text = shown.out;
            let line = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
            assert_eq!(line("Type="), ["Type=notify"]);
            assert_eq!(line("# From: "), [format!("# From: {}", here.join("hubsync.yaml").display())]);
            assert_eq!(line("LoadCredential=").len(), 1, "{text}");
            let state =
                line("Environment=").into_iter().find(|line| line.contains("HUBSYNC_STATE=")).unwrap().to_owned();
            assert_eq!(state.contains("/var/lib/hubsync/docs-"), scope == "--system", "{state}");
            assert_eq!(line("After=").len(), usize::from(scope == "--system"));
            assert_eq!(line("User="), if scope == "--system" { vec!["User=hubsync"] } else { vec![] });
            if name == "plain" {
                let root = here.join("docs");
                assert_eq!(line("ReadOnlyPaths="), [format!("ReadOnlyPaths={}", root.display())]);
                let start = format!("run --config {}", here.join("hubsync.yaml").display());
                assert!(line("ExecStart=/")[0].ends_with(&start), "{text}");
            }
            let file = here.parent().unwrap().join(format!("try{scope}.service"));
            std::fs::write(&file, &text).unwrap();
            if let Some((words, exposure)) = judged(&file, scope) {
                assert_eq!(words, "", "{text}");
                // A unit that reads what lies in /tmp can't have a /tmp of its own (README, As a service).
                let in_tmp = here.starts_with("/tmp") || here.starts_with("/var/tmp");
                assert!(exposure <= if in_tmp { 1.8 } else { 1.5 }, "{exposure}: {text}");
            }
        }
    }
}

#[test]
fn a_shell_finds_the_state_that_the_unit_names() {
    let place = Place::new();
    let (_dir, here) = outside_tmp("plain");
    let config = here.join("hubsync.yaml");
    let shown = place.run(&["config", "--json", "--config", config.to_str().unwrap()]).ends(0);
    let by_shell: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    let unit = ran(service(&place, &here, &["show", "--user"]), 0).out;
    assert!(unit.contains(&format!("Environment=HUBSYNC_STATE={}\n", by_shell["state"]["value"].as_str().unwrap())));
    assert!(unit.contains(&format!("Environment=STATE_DIRECTORY={}\n", place.path("xdg/hubsync").display())), "{unit}");
    // What only this shell sets is written into the unit, paths whole, the key never.
    let mut command = service(&place, &here, &["show", "--user"]);
    command.env("HUBSYNC_WATCH__DEBOUNCE", "7s").env("HUBSYNC_EXCLUDE", "a b, c");
    let unit = ran(command, 0).out;
    assert!(unit.contains("Environment=HUBSYNC_WATCH__DEBOUNCE=7s\n"), "{unit}");
    assert!(unit.contains("Environment=\"HUBSYNC_EXCLUDE=[\\\"a b\\\",\\\"c\\\"]\"\n"), "{unit}");
    assert!(!unit.contains(hubsync::sandbox::SANDBOX_KEY), "{unit}");
    // And so the program reads them back: as systemd would hand them over.
    let mut command = place.command(&["config", "--json", "--config", config.to_str().unwrap()]);
    command.env("HUBSYNC_EXCLUDE", "[\"a b\",\"c\"]").env("HUBSYNC_HUB__API_KEY_FILE", "null");
    command.env("HUBSYNC_HUB__API_KEY_COMMAND", "null").env_remove("EXEC_API_KEY");
    command.env("CREDENTIALS_DIRECTORY", &here);
    std::fs::write(&config, "root: ./docs\nhub:\n  api_key_file: /etc/hubsync/other\n").unwrap();
    let read: serde_json::Value = serde_json::from_str(&ran(command, 0).out).unwrap();
    assert_eq!(read["exclude"]["value"], serde_json::json!(["a b", "c"]));
    assert_eq!(
        read["hub.api_key"]["origin"], "systemd credential exec_api_key",
        "the credential is the one that is read"
    );
}

#[test]
fn the_key_is_a_credential_or_a_file_and_never_the_environment_of_a_shell() {
    let place = Place::new();
    let (_dir, here) = outside_tmp("plain");
    std::fs::remove_file(here.join("exec_api_key")).unwrap();
    let refused = ran(service(&place, &here, &["install", "--user", "--into", "units"]), 2);
    assert!(
        refused.err.contains("EXEC_API_KEY, which no service has") && refused.err.contains("chmod 600"),
        "{refused:?}"
    );
    assert!(!place.path("units").exists());
    std::fs::write(here.join("key"), "key").unwrap();
    std::fs::write(here.join("hubsync.yaml"), "root: ./docs\nhub:\n  api_key_file: ./key\n").unwrap();
    let system = ran(service(&place, &here, &["show", "--system"]), 0).out;
    assert!(system.contains(&format!("LoadCredential=exec_api_key:{}\n", here.join("key").display())), "{system}");
    let user = ran(service(&place, &here, &["show", "--user"]), 0).out;
    assert!(!user.contains("LoadCredential"), "the file is the user's own: {user}");
}

#[test]
fn a_configuration_that_can_not_be_used_has_no_unit() {
    let place = Place::new();
    let (_dir, here) = outside_tmp("plain");
    std::fs::write(here.join("hubsync.yaml"), "rot: ./docs\n").unwrap();
    for action in [&["show"][..], &["install", "--into", "units"]] {
        let refused = ran(service(&place, &here, action), 2);
        assert!(refused.err.contains("hubsync.yaml:1") && refused.err.contains("did you mean"), "{refused:?}");
        assert!(refused.err.contains("mend it first") && refused.out.is_empty(), "{refused:?}");
    }
    assert!(!place.path("units").exists());
    std::fs::remove_file(place.path("hubsync.yaml")).unwrap();
    let refused = place.command(&["service", "show"]).env("HUBSYNC_ROOT", "docs").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hubsync init"), "{refused:?}");
    for bad in [["--name", "../x"], ["--name", "a b"], ["--run-as", "root; reboot"]] {
        let refused = place.run(&[&["service", "show", "--system"][..], &bad].concat()).ends(2);
        assert!(refused.err.contains("write letters"), "{refused:?}");
    }
}

#[test]
fn only_what_was_made_here_is_written_over_or_removed() {
    let place = Place::new();
    let (_dir, here) = outside_tmp("plain");
    let (_other_dir, other) = outside_tmp("other");
    let file = place.path("units/hubsync.service");
    let install = |config: &Path, more: &[&str], code| {
        ran(service(&place, config, &[&["install", "--user", "--into", "units"], more].concat()), code)
    };
    let installed = install(&here, &[], 0);
    assert!(installed.out.contains("run: systemctl --user enable --now hubsync.service"), "{installed:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    let shown = ran(service(&place, &here, &["show", "--user"]), 0).out;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), shown, "what is shown is what is installed");
    let folder = std::fs::metadata(place.path("xdg/hubsync")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700, "the unit can't begin without the state's folder");
    install(&here, &[], 0);
    let refused = install(&other, &[], 2);
    assert!(refused.err.contains("another configuration") && refused.err.contains("--name"), "{refused:?}");
    install(&other, &["--name", "other"], 0);
    assert!(place.path("units/other.service").exists());
    install(&other, &["--force"], 0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("/other/"));

    let by_hand = "[Service]\nExecStart=/bin/true\n";
    std::fs::write(&file, by_hand).unwrap();
    let refused = install(&here, &[], 2);
    assert!(refused.err.contains("was not made by") && refused.err.contains("--force"), "{refused:?}");
    let refused = ran(service(&place, &here, &["uninstall", "--user", "--into", "units"]), 2);
    assert!(refused.err.contains("was not made by"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), by_hand);
    // One of our own goes, whatever became of its configuration; nothing else does.
    std::fs::write(here.join("hubsync.yaml"), "rot: 1\n").unwrap();
    let gone = ran(service(&place, &here, &["uninstall", "--user", "--into", "units", "--name", "other"]), 0);
    assert!(gone.out.contains("the configuration, the key and the state stay"), "{gone:?}");
    assert!(!place.path("units/other.service").exists() && file.exists());
    assert!(other.join("hubsync.yaml").exists() && other.join("exec_api_key").exists());
    ran(service(&place, &here, &["uninstall", "--user", "--into", "units", "--name", "other"]), 0);
}

/// A `systemctl` that writes down what it is asked, and does so.
fn with_systemctl(place: &Place, command: &mut Command, does: &str) {
    let bin = place.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *is-system-running) echo degraded; exit 1;; esac\necho \"$@\" >> asked\n{does}\n"
    );
    std::fs::write(bin.join("systemctl"), text).unwrap();
    std::fs::set_permissions(bin.join("systemctl"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", bin.display()));
}

#[test]
fn where_a_systemd_runs_it_is_told() {
    let place = Place::new();
    let (_dir, here) = outside_tmp("plain");
    let asked = || std::mem::take(&mut std::fs::read_to_string(place.path("asked")).unwrap_or_default());
    let told = |args: &[&str], does: &str, code| {
        let _ = std::fs::remove_file(place.path("asked"));
        let mut command = service(&place, &here, args);
        with_systemctl(&place, &mut command, does);
        ran(command, code)
    };
    let file = place.path("home/.config/systemd/user/hubsync.service");
    let installed = told(&["install", "--user"], "", 0);
    assert!(installed.err.contains("enable-linger"), "{installed:?}");
    assert_eq!(asked(), "--user daemon-reload\n--user enable --now hubsync.service\n");
    assert!(file.exists());
    // The same again changes nothing; another one is started anew.
    told(&["install", "--user"], "", 0);
    assert!(!asked().contains("restart"), "{}", asked());
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "# old\n").unwrap();
    told(&["install", "--user"], "", 0);
    assert!(asked().ends_with("--user restart hubsync.service\n"), "{}", asked());
    let failed = told(&["uninstall", "--user"], "printf 'no\\033[2J bus\\n' >&2; exit 3", 1);
    assert!(
        failed.err.contains("disable --now hubsync.service failed (exit status: 3): no") && file.exists(),
        "{failed:?}"
    );
    assert!(!failed.err.contains('\u{1b}'), "{failed:?}");
    told(&["uninstall", "--user"], "", 0);
    assert_eq!(asked(), "--user disable --now hubsync.service\n--user daemon-reload\n");
    assert!(!file.exists());
    // The system's unit needs its user; it is only shown here, so that no test can write into this machine's own.
    let shown = told(&["show", "--system", "--run-as", "nobody-of-this-name"], "", 0);
    assert!(shown.err.contains("useradd --system"), "{shown:?}");
    assert_eq!(asked(), "");
}
