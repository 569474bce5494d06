//! The house rules that a compiler does not know, checked on every `src/**/*.rs`.
//!
//! `floors` names the rooms and which may know which; `form` how a file looks; `source` and `paths` read Rust just well enough
//! for that. Each finding names file and line, the rule, and the cure. `planted` proves on small trees in memory that every
//! rule can fail. To add a room, give it a floor in `floors::ROOMS`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not read the sources should fail")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the sources are read from disk")]

mod floors;
mod form;
mod paths;
mod planted;
mod source;

use std::fmt;
use std::path::Path;

use source::SourceFile;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    what: String,
    cure: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what, cure } = self;
        write!(f, "src/{path}:{line}: [{rule}] {what}\n    cure: {cure}")
    }
}

/// All findings of a tree; `crates` are the names of the dependencies as code spells them.
fn check(files: &[SourceFile], crates: &[String]) -> Vec<Finding> {
    let mut findings = floors::check(files, crates);
    findings.extend(files.iter().flat_map(form::check));
    findings.sort();
    findings.dedup();
    findings
}

#[test]
fn the_house_is_tidy() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = read_tree(&home.join("src"));
    assert!(!files.is_empty(), "no sources found: the check would prove nothing");
    let manifest = std::fs::read_to_string(home.join("Cargo.toml")).unwrap();
    let findings = check(&files, &dependencies(&manifest));
    let report: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} broken house rules\n\n{}\n", findings.len(), report.join("\n\n"));
}

/// Every Rust file under `src`, by its path from there.
fn read_tree(src: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
                files.push(SourceFile::new(&name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The names of the dependencies in a manifest, as code spells them; those of the tests are left out.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_end_matches(']').ends_with("dependencies") && !line.contains("dev-");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

#[test]
fn dependencies_are_read_from_the_manifest() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nserde-saphyr = \"2\" # a = b\n\
                    [target.'cfg(unix)'.dependencies]\nnix = \"1\"\n[dev-dependencies]\nproptest = \"1\"\n";
    assert_eq!(dependencies(manifest), ["serde_saphyr", "nix"]);
}
