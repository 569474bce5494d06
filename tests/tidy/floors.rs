//! Who may know whom: rooms stand on floors, arrows run down, and the pure rooms touch nothing outside the program.
//!
//! The floors are those of ARCHITECTURE.md. A room on the same floor is known only where [`NEIGHBOURS`] says why.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::paths::{NamedPath, Place, paths_of};
use crate::source::SourceFile;

/// Every room with its floor, from the ground.
const ROOMS: &[(&str, u8)] = &[
    ("reason", 0),
    ("page", 0),
    ("policy", 0),
    ("pace", 0),
    ("simulation", 0),
    ("document", 1),
    ("reconcile", 2),
    ("engine", 3),
    ("config", 4),
    ("output", 4),
    ("local", 5),
    ("hub", 5),
    ("state", 5),
    ("daemon", 6),
    ("sandbox", 6),
    ("dashboard", 6),
    ("commands", 7),
    ("cli", 6),
    ("main", 8),
    ("lib", 8),
];

/// Rooms on one floor of which the first may know the second, and why.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("policy", "page", "rules are about pages, so they use their words"),
    ("pace", "page", "what is paced is told in pages and in their clocks"),
    ("pace", "simulation", "the simulation plants faults where they would be made"),
    ("cli", "sandbox", "the flags of the sandbox are its own"),
    ("main", "cli", "the program begins by reading what was typed"),
];

/// The rooms that decide: same input, same answer, nothing touched.
pub const PURE: &[&str] = &["reason", "page", "policy", "pace", "simulation", "document", "reconcile", "engine"];

/// The dependencies that only compute. Any other in Cargo.toml is closed to the pure rooms, new ones too.
const PURE_CRATES: &[&str] = &[
    "globset",
    "granit_parser",
    "jiff",
    "percent_encoding",
    "pulldown_cmark",
    "serde",
    "serde_json",
    "sha2",
    "similar",
    "strsim",
    "thiserror",
    "unicode_normalization",
];

/// What of the standard library (and of [`PURE_CRATES`]) reaches outside.
const OUTSIDE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "jiff::tz::TimeZone::system",
];

/// An import of one room by another.
#[derive(Debug, Clone)]
struct Arrow<'a> {
    from: &'a str,
    to: String,
    path: &'a str,
    line: usize,
}

pub fn check(files: &[SourceFile], crates: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut arrows = Vec::new();
    for file in files {
        let room = file.segments()[0];
        if floor(room).is_none() {
            findings.push(finding(file, 1, "unknown room", room.to_owned(), "give it a floor in tests/tidy/floors.rs"));
            continue;
        }
        let paths = paths_of(file);
        for path in paths.iter().filter(|path| path.segments[0] == "crate") {
            match arrow(file, room, path) {
                Ok(arrow) => arrows.push(arrow),
                Err(finding) => findings.push(finding),
            }
        }
        if PURE.contains(&room) {
            findings.extend(paths.iter().filter_map(|path| outside(file, path, crates)));
        }
    }
    arrows.retain(|arrow| arrow.from != arrow.to);
    findings.extend(arrows.iter().filter_map(judge));
    findings.extend(circles(&arrows));
    findings
}

fn floor(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The arrow that a path of this crate draws.
fn arrow<'a>(file: &'a SourceFile, from: &'a str, path: &NamedPath) -> Result<Arrow<'a>, Finding> {
    // `main.rs` says `hubsync::output`, `lib.rs` re-exports its rooms; what is in neither has no room.
    let to = path.segments.get(1).map_or("", String::as_str);
    if floor(to).is_none() {
        let what = format!("`{}` leads to no room", path.segments.join("::"));
        return Err(finding(file, path.line, "root import", what, "import from the room that owns it"));
    }
    Ok(Arrow { from, to: to.to_owned(), path: &file.path, line: path.line })
}

fn judge(arrow: &Arrow<'_>) -> Option<Finding> {
    let (from, to) = (floor(arrow.from)?, floor(&arrow.to)?);
    let known = NEIGHBOURS.iter().any(|(room, neighbour, _)| *room == arrow.from && *neighbour == arrow.to);
    let (rule, cure) = if arrow.from == "sandbox" {
        ("sandbox", "the stand-in hub is written from the vendor's description alone: give it its own type")
    } else if to > from {
        ("floors", "no arrow runs up: move what is shared to the lower room, or hand it in as a value")
    } else if to == from && !known {
        ("neighbours", "move what is shared a floor down, or list the pair with its reason in tests/tidy/floors.rs")
    } else {
        return None;
    };
    let what = format!("{} (floor {from}) imports {} (floor {to})", arrow.from, arrow.to);
    Some(Finding { path: arrow.path.to_owned(), line: arrow.line, rule, what, cure })
}

/// Arrows that lead back to where they came from.
fn circles(arrows: &[Arrow<'_>]) -> Vec<Finding> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        next.entry(arrow.from).or_default().insert(&arrow.to);
    }
    let on_circle = |arrow: &&Arrow<'_>| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![arrow.to.as_str()]);
        while let Some(room) = open.pop() {
            if seen.insert(room) {
                open.extend(next.get(room).into_iter().flatten());
            }
        }
        seen.contains(arrow.from)
    };
    let circle = |arrow: &Arrow<'_>| Finding {
        path: arrow.path.to_owned(),
        line: arrow.line,
        rule: "circle",
        what: format!("{} imports {}, which leads back to {}", arrow.from, arrow.to, arrow.from),
        cure: "turn one arrow round, or move what both need a floor down",
    };
    arrows.iter().filter(on_circle).map(circle).collect()
}

/// What a pure room may not name.
fn outside(file: &SourceFile, path: &NamedPath, crates: &[String]) -> Option<Finding> {
    let first = path.segments[0].as_str();
    let foreign = crates.iter().any(|name| name == first) && !PURE_CRATES.contains(&first);
    let spelled = path.segments.join("::");
    let reaches = OUTSIDE.iter().any(|outside| leads_to(&spelled, outside, path.place));
    (foreign || reaches).then(|| {
        let what = format!("`{spelled}` in a pure room");
        finding(file, path.line, "pure", what, "decide on a value here; let the shell fetch it and hand it in")
    })
}

/// Whether `spelled` is `outside`, lies in it, or (as an import) is a way to it: `use std::time::*`, `use std::time`.
fn leads_to(spelled: &str, outside: &str, place: Place) -> bool {
    let lies_in = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
    let module = spelled.trim_end_matches("::*");
    let is_way = place == Place::Import && module.starts_with("std") && lies_in(outside, module);
    lies_in(spelled, outside) || is_way
}

fn finding(file: &SourceFile, line: usize, rule: &'static str, what: String, cure: &'static str) -> Finding {
    Finding { path: file.path.clone(), line, rule, what, cure }
}
