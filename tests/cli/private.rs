//! What must not get out: the key, and what is kept of other people's texts.

use std::os::unix::fs::PermissionsExt as _;

use hubsync::sandbox::SANDBOX_KEY;

use crate::place::{Place, files};

#[test]
fn the_key_is_in_no_output_and_no_file() {
    let place = Place::with("publish:\n  on_first_meeting: local\n");
    place.page("p0", "Old.\n");
    place.doc("p0", "New.\n");
    let all = [
        &["-vv", "sync", "--dry-run"][..],
        &["-vv", "sync"],
        &["-vv", "status", "--all", "--json"],
        &["-vv", "config"],
        &["config", "--json"],
        &["check"],
        &["init"],
    ];
    for args in all {
        let said = place.run(args).said();
        assert!(!said.contains(&SANDBOX_KEY[10..]), "{args:?}: {said}");
    }
    let refused = place.command(&["-vv", "sync"]).env("EXEC_API_KEY", "exec_live_refusedrefused").output().unwrap();
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("refusedrefused"), "{refused:?}");
    for file in files(place.dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&SANDBOX_KEY[10..]), "{}", file.display());
    }
}

#[test]
fn what_is_kept_is_its_owners_alone() {
    let place = Place::with("publish:\n  on_first_meeting: local\n");
    place.page("p0", "Old.\n");
    place.doc("p0", "New.\n");
    place.run(&["sync"]).ends(0);
    let kept = files(place.dir.path()).into_iter().filter(|file| {
        let name = file.to_string_lossy();
        name.contains("state.db") || name.contains("usage.db")
    });
    let mut seen = 0;
    for file in kept {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
        seen += 1;
    }
    assert!(seen >= 4, "state, its lock, the backup, the ledger: {seen}");
}
