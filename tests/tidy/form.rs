//! How a file looks: its header, its length, the length of its functions, its names, and what it may not call.

use crate::Finding;
use crate::floors::PURE;
use crate::paths::{NamedPath, paths_of};
use crate::source::{SourceFile, Token, closing};

/// Lines of a file, those for tests not counted.
const LONGEST_FILE: usize = 500;
/// Lines of a function, from `fn` to its closing brace.
const LONGEST_FUNCTION: usize = 70;
/// What a name may not be made of: it would say nothing about its subject.
const EMPTY_WORDS: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "managers"];
/// Macros that write to the terminal past `output::Lines`; no room has a use for them.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln"];
/// The only room that names stdout and stderr: what leaves through it is escaped, whoever wrote it.
const SPEAKER: &str = "output/";
/// What reaches a terminal or a log by itself, as `output` uses it to write: a whole path or its end.
const STREAMS: &[&[&str]] = &[
    &["io", "stdout"],
    &["io", "stderr"],
    &["io", "Stdout"],
    &["io", "Stderr"],
    &["io", "stdio"],
    &["io", "*"],
    &["ProgressDrawTarget", "stdout"],
    &["ProgressDrawTarget", "stderr"],
    &["panic", "set_hook"],
];
/// Crates that write to a terminal or a log.
const WRITERS: &[&str] = &["anstream", "annotate_snippets", "indicatif", "tracing_journald"];
/// Where subscribers of the log are made, each over a writer of `output::log`.
const LOGGING: &[&str] = &["output/", "daemon/logging.rs"];
/// Ways of clap to print and end by itself, past `Lines::typed`.
const CLAPS_OWN: &[&str] = &["parse", "parse_from", "get_matches", "get_matches_from"];
/// The lints by which `clippy.toml` keeps clocks, files, environment and randomness out of the pure rooms.
const PURITY_LINTS: &[&str] = &["disallowed_methods", "disallowed_types", "disallowed_macros"];

pub fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = header_and_length(file);
    findings.extend(file_name(file));
    findings.extend(paths_of(file).iter().filter_map(|path| stream(file, path)));
    for at in 0..file.tokens.len() {
        findings.extend(function(file, at));
        findings.extend(item_name(file, at));
        findings.extend(call(file, at));
        findings.extend(opt_out(file, at));
    }
    findings
}

fn header_and_length(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !file.lines.first().is_some_and(|line| line.starts_with("//! ")) {
        let cure = "begin with a few lines of `//!`: what it is for, what it promises, who may call it";
        findings.push(finding(file, 1, "header", "the file does not begin with `//!`".to_owned(), cure));
    }
    let length = file.lines.len() - file.test_lines.min(file.lines.len());
    let reason =
        file.lines.iter().take_while(|line| line.starts_with("//!")).find_map(|line| line.split_once("Length:"));
    if length > LONGEST_FILE && reason.is_none_or(|(_, reason)| reason.split_whitespace().count() < 3) {
        let cure = "split it by subject, or say `Length:` and why in its header";
        let what = format!("{length} lines without tests, more than {LONGEST_FILE}");
        findings.push(finding(file, LONGEST_FILE + 1, "file length", what, cure));
    }
    findings
}

fn file_name(file: &SourceFile) -> Option<Finding> {
    let empty = file.segments().into_iter().find(|segment| words(segment).iter().any(|word| is_empty_word(word)))?;
    Some(finding(file, 1, "names", format!("`{empty}` names no subject"), "name it after its subject"))
}

/// A module or a type that is named after nothing.
fn item_name(file: &SourceFile, at: usize) -> Option<Finding> {
    let [keyword, name] = file.tokens.get(at..at + 2)? else {
        return None;
    };
    let words = words(&name.text);
    let is_empty = match keyword.text.as_str() {
        "mod" => words.iter().any(|word| is_empty_word(word)),
        "struct" | "enum" | "trait" | "type" => words.last().is_some_and(|word| is_empty_word(word)),
        _ => false,
    };
    is_empty.then(|| {
        let what = format!("`{}` names no subject", name.text);
        finding(file, name.line, "names", what, "name it after what it holds or does")
    })
}

fn is_empty_word(word: &str) -> bool {
    EMPTY_WORDS.contains(&word)
}

/// `PageManager` and `page_manager` are both `page`, `manager`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in name.chars() {
        if character == '_' || character.is_uppercase() {
            words.push(String::new());
        }
        if character != '_' {
            words.last_mut().expect("there is always a last word").extend(character.to_lowercase());
        }
    }
    words
}

fn function(file: &SourceFile, at: usize) -> Option<Finding> {
    let [keyword, name] = file.tokens.get(at..at + 2)? else {
        return None;
    };
    if keyword.text != "fn" || !is_name(&name.text) {
        return None;
    }
    let end = file.tokens[body_end(&file.tokens, at + 2)?].line;
    let length = end - keyword.line + 1;
    (length > LONGEST_FUNCTION && !is_total_match(file, keyword.line)).then(|| {
        let what = format!("`{}` has {length} lines, more than {LONGEST_FUNCTION}", name.text);
        let cure = "split it, or write `// One total match` before it if it is one";
        finding(file, keyword.line, "function length", what, cure)
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|character: char| character.is_alphabetic() || character == '_')
}

/// The brace that ends the body of the function whose signature goes on at `at`; `None` for one without a body.
fn body_end(tokens: &[Token], at: usize) -> Option<usize> {
    let mut at = at;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return None,
            "{" => return Some(closing(tokens, at)),
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    None
}

/// Whether the comments and attributes right before `line` hold the excuse.
fn is_total_match(file: &SourceFile, line: usize) -> bool {
    let before = file.lines[..line - 1].iter().rev().map(|line| line.trim_start());
    before
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.starts_with("// One total match"))
}

fn call(file: &SourceFile, at: usize) -> Option<Finding> {
    let tokens = &file.tokens[at..];
    let is = |offset: usize, text: &str| tokens.get(offset).is_some_and(|token| token.text == text);
    let name = tokens[0].text.as_str();
    if name == "." && is(1, "unwrap") && is(2, "(") && is(3, ")") {
        let cure =
            "answer a typed error; for an invariant use `expect` with `#[expect(clippy::expect_used, reason = …)]`";
        return Some(finding(file, tokens[1].line, "unwrap", "`.unwrap()` outside tests".to_owned(), cure));
    }
    if is(1, "!") && (name == "dbg" || PRINTING.contains(&name)) {
        return Some(finding(file, tokens[0].line, "printing", format!("`{name}!` here"), ESCAPED));
    }
    // `error.exit()` of clap prints; `process::exit` is forbidden by clippy.
    let prints = name == "." && (is(1, "print") || is(1, "print_help") || is(1, "print_long_help") || is(1, "exit"));
    if prints && is(2, "(") && is(3, ")") {
        return Some(finding(file, tokens[1].line, "printing", format!("`.{}()` here", tokens[1].text), ESCAPED));
    }
    if name == "with_writer" && is(1, "(") {
        let end = closing(&file.tokens, at + 1);
        let ours = file.tokens[at..end].iter().any(|token| token.text == "EventWriter");
        return (!ours).then(|| finding(file, tokens[0].line, "printing", "a log of its own".to_owned(), ESCAPED));
    }
    None
}

/// What to do instead of printing.
const ESCAPED: &str =
    "put it into `output::Lines` for a `Console`, or log it with tracing: both escape what is foreign";

/// A stream, a crate that writes to one, or clap that prints by itself.
fn stream(file: &SourceFile, path: &NamedPath) -> Option<Finding> {
    let names: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let (first, last) = (*names.first()?, *names.last()?);
    let in_any = |places: &[&str]| places.iter().any(|place| file.path.starts_with(place));
    let raw = STREAMS.iter().any(|end| names.windows(end.len()).any(|part| part == *end));
    let forbidden = ((raw || WRITERS.contains(&first)) && !in_any(&[SPEAKER]))
        || (first == "tracing_subscriber" && !in_any(LOGGING))
        || (names.len() > 1 && names[names.len() - 2] == "Cli" && CLAPS_OWN.contains(&last));
    forbidden.then(|| finding(file, path.line, "printing", format!("`{}` here", names.join("::")), ESCAPED))
}

/// A pure room that allows itself what `clippy.toml` forbids, and a shell room that does so without a reason.
fn opt_out(file: &SourceFile, at: usize) -> Option<Finding> {
    let token = &file.tokens[at];
    if !PURITY_LINTS.contains(&token.text.as_str()) {
        return None;
    }
    let what = format!("`{}` is switched off", token.text);
    if PURE.contains(&file.segments()[0]) {
        return Some(finding(file, token.line, "purity lint", what, "a pure room keeps the lint: hand the value in"));
    }
    let mut rest = file.tokens[at..].iter().take_while(|token| token.text != "]");
    (!rest.any(|token| token.text == "reason"))
        .then(|| finding(file, token.line, "purity lint", what, "add `reason = \"…\"` to the attribute"))
}

fn finding(file: &SourceFile, line: usize, rule: &'static str, what: String, cure: &'static str) -> Finding {
    Finding { path: file.path.clone(), line, rule, what, cure }
}
