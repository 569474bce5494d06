//! The seeds of the fuzzer, replayed: whatever it found stays found, and nobody needs a fuzzer for that.

use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "a fuzzer's target takes one of them")]
mod fuzz;

/// Runs every seed of a target through what must hold; a seed that breaks it names itself.
fn replay(target: &str, holds: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        holds(&std::fs::read(path).unwrap());
        count += 1;
    }
    count
}

#[test]
fn what_the_fuzzer_found_stays_found() {
    for (target, holds, least) in [
        ("document", fuzz::document as fn(&[u8]), 28),
        ("body", fuzz::body, 13),
        ("answer", fuzz::answer, 23),
        ("config", fuzz::config, 15),
    ] {
        let count = replay(target, holds);
        assert!(count >= least, "{target}: {count} seeds");
    }
}
