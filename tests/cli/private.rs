//! What is kept of other people's texts, and what a proxy must not see. Of the key tells `secrets`.

use std::os::unix::fs::PermissionsExt as _;

use crate::place::{Place, files};

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
