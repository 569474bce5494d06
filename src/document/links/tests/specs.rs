//! Every example of the CommonMark specification, and of GitHub's extensions to it, as links are concerned.
//!
//! The examples come with the sources of the parser that we use, as tests that its authors made from the specifications. Cargo
//! says where these lie, whether fetched, cached or vendored; nothing of them is kept here.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "asks cargo where the parser's sources lie")]

use std::path::PathBuf;
use std::process::Command;

use super::only_destinations_differ;

/// So many examples the CommonMark specification has had since its version 0.31.
const COMMONMARK: usize = 652;

fn parser_tests() -> PathBuf {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    // Only what this platform needs was fetched.
    let version = told(Command::new(cargo).args(["version", "--verbose"]));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = told(
        Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
            .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]),
    );
    let told: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let parser = packages.iter().find(|package| package["name"] == "pulldown-cmark").unwrap();
    let manifest = PathBuf::from(parser["manifest_path"].as_str().unwrap());
    manifest.with_file_name("tests").join("suite")
}

fn told(command: &mut Command) -> String {
    let asked = command.output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).unwrap()
}

/// The Markdown of each example: `let original = r##"…"##;`.
fn examples(file: &str) -> Vec<String> {
    let source = std::fs::read_to_string(parser_tests().join(file)).unwrap();
    let begins = source.split("let original = r").skip(1);
    begins
        .map(|rest| {
            let hashes = rest.bytes().take_while(|b| *b == b'#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            rest[hashes + 1..].split_once(&end).unwrap().0.to_owned()
        })
        .collect()
}

#[test]
fn every_example_of_commonmark_keeps_all_but_its_destinations() {
    let examples = examples("spec.rs");
    assert!(examples.len() >= COMMONMARK, "only {} examples", examples.len());
    let rewritten: usize = examples.iter().map(|example| only_destinations_differ(example)).sum();
    println!("{} examples, {rewritten} destinations rewritten", examples.len());
    assert!(rewritten > 100, "{rewritten}");
}

#[test]
fn every_example_of_githubs_extensions_and_of_wiki_links_keeps_all_but_its_destinations() {
    let (mut count, mut rewritten) = (0, 0);
    for file in [
        "gfm_table.rs",
        "gfm_strikethrough.rs",
        "gfm_tasklist.rs",
        "table.rs",
        "wikilinks.rs",
        "math.rs",
        "regression.rs",
        "footnotes.rs",
        "blockquotes_tags.rs",
    ] {
        let examples = examples(file);
        assert!(!examples.is_empty(), "{file}");
        count += examples.len();
        rewritten += examples.iter().map(|example| only_destinations_differ(example)).sum::<usize>();
    }
    println!("{count} examples, {rewritten} destinations rewritten");
    assert!(rewritten > 20, "{rewritten}");
}
