//! What the unit says for which configuration, and that systemd itself reads it so.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;

fn unit(scope: Scope, root: &str, state: &str) -> Unit {
    let folder = if scope == Scope::User { "/home/me/.local/state/hubsync" } else { SYSTEM_FOLDER };
    Unit {
        scope,
        made_by: "hubsync service install".to_owned(),
        program: "/usr/bin/true".into(),
        config: "/etc/hubsync/hubsync.yaml".into(),
        root: root.into(),
        kept: Kept { state: state.into(), folder: folder.into() },
        key: Key::Credential("/etc/hubsync/exec_api_key".into()),
        also_read: Vec::new(),
        variables: Vec::new(),
    }
}

fn system() -> Scope {
    Scope::System { run_as: "hubsync".to_owned() }
}

#[track_caller]
fn says(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line}:\n{text}");
}

#[test]
fn a_home_or_tmp_is_shown_only_where_something_in_it_is_read() {
    for (root, home, tmp) in [
        ("/srv/handbook", "ProtectHome=yes", "PrivateTmp=yes"),
        ("/home/me/docs", "ProtectHome=read-only", "PrivateTmp=yes"),
        ("/homework", "ProtectHome=yes", "PrivateTmp=yes"),
        ("/tmp/docs", "ProtectHome=yes", "PrivateTmp=no"),
    ] {
        let text = unit(system(), root, "/var/lib/hubsync/x.db").text().unwrap();
        says(&text, home);
        says(&text, tmp);
        says(&text, &format!("ReadOnlyPaths={root}"));
        assert!(!text.contains("ReadWritePaths="), "StateDirectory is enough:\n{text}");
    }
    let mut linked = unit(system(), "/srv/handbook", "/var/lib/hubsync/x.db");
    linked.also_read.push("/home/me/real".into());
    says(&linked.text().unwrap(), "ProtectHome=read-only");
}

#[test]
fn state_and_ledger_are_the_only_places_that_are_written() {
    let text = unit(system(), "/srv/handbook", "/data/state.db").text().unwrap();
    says(&text, "Environment=HUBSYNC_STATE=/data/state.db");
    says(&text, "ReadWritePaths=/data");
    says(&text, "StateDirectory=hubsync");
    let text = unit(Scope::User, "/home/me/docs", "/home/me/.local/state/hubsync/x.db").text().unwrap();
    says(&text, "Environment=STATE_DIRECTORY=/home/me/.local/state/hubsync");
    assert_eq!(text.matches("ReadWritePaths=").count(), 1, "{text}");
    assert!(!text.contains("StateDirectory=") && !text.contains("User=hubsync") && !text.contains("network-online"));
    says(&text, "WantedBy=default.target");
}

#[test]
fn a_unit_knows_what_it_was_made_from() {
    let text = unit(system(), "/srv/handbook", "/var/lib/hubsync/x.db").text().unwrap();
    assert_eq!(made_from(&text), Some("/etc/hubsync/hubsync.yaml"));
    assert_eq!(made_from("[Unit]\n"), None);
    assert_eq!(made_from(include_str!("../../../../systemd/hubsync.service")), None);
}

/// The model by hand and the generated unit shut the same doors.
#[test]
fn the_model_and_the_generated_unit_agree() {
    let made = unit(system(), "/srv/handbook", "/var/lib/hubsync/x.db").text().unwrap();
    let settings = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#') && line.contains('=')).map(str::to_owned).collect()
    };
    // The key and the state are where this configuration has them; the model has no manual page either way.
    let own = ["Documentation", "ExecStart", "Environment", "Group", "Type", "TimeoutStartSec"];
    let lacking = |of: &str, than: &str| -> Vec<String> {
        let than = settings(than);
        let other =
            |line: &String| !than.contains(line) && !own.iter().any(|name| line.starts_with(&format!("{name}=")));
        settings(of).into_iter().filter(other).collect()
    };
    let model = include_str!("../../../../systemd/hubsync.service");
    assert_eq!(lacking(model, &made), Vec::<String>::new(), "the generated unit lacks these");
    assert_eq!(lacking(&made, model), Vec::<String>::new(), "the model lacks these");
}

/// systemd finds the program, so it reads names as they were meant; where it is not installed, nothing is asked.
#[test]
fn systemd_reads_the_strangest_names_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["we ird", "100%h", "$HOME", "a\"b", "a\\b\\n", "it's;", "größe", "-x", "{a}", "#c"] {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        let program = folder.join(name);
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let mut unit = unit(system(), folder.to_str().unwrap(), "/var/lib/hubsync/x.db");
        (unit.config, unit.key) = (program.clone(), Key::Credential(program.clone()));
        if !name.contains(['"', '\'', '\\']) {
            unit.program = program;
        }
        unit.variables.push(("HUBSYNC_ROOT".to_owned(), folder.to_str().unwrap().to_owned()));
        let file = dir.path().join("strange.service");
        fs::write(&file, unit.text().unwrap()).unwrap();
        let Ok(said) = Command::new("systemd-analyze").arg("verify").arg(&file).output() else { return };
        let words = String::from_utf8_lossy(&said.stderr);
        // What else is installed here is not our affair.
        let about = words.lines().filter(|line| line.contains("strange")).collect::<Vec<_>>();
        assert!(about.is_empty(), "{name}: {about:?}");
    }
}
