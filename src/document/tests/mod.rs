//! What authors write, and what becomes of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod blocked;
mod corpus;
mod documents;
mod edits;
mod findings;
mod properties;
mod scalars;

use crate::document::{Parsed, Reading, Visibility, body, parse};
use crate::page::{Authored, Status};
use crate::policy::{Rules, TitleHeading};
use crate::reason::Code;

/// The contract's defaults.
const RULES: Rules = Rules { default_status: Status::Draft, title_heading: TitleHeading::Strip };

/// A file with this front matter and a short body.
fn with(front_matter: &str) -> String {
    format!("---\n{front_matter}---\nbody\n")
}

/// What a file says, if it is a document.
fn document(file: impl AsRef<[u8]>) -> Option<Authored> {
    match parse(file.as_ref(), &RULES).reading {
        Reading::Document { authored, .. } => Some(authored),
        _ => None,
    }
}

/// Why a file is blocked, and for which page.
fn blocked(file: impl AsRef<[u8]>) -> Option<(Code, Option<String>)> {
    match parse(file.as_ref(), &RULES).reading {
        Reading::Blocked { page_id, reason, .. } => Some((reason.code, page_id.map(String::from))),
        _ => None,
    }
}

/// The page that a file names.
fn page_id(file: impl AsRef<[u8]>) -> Option<String> {
    parse(file.as_ref(), &RULES).reading.page_id().map(ToString::to_string)
}

/// The findings as `check` prints them: `line:column code: message`.
fn told(file: impl AsRef<[u8]>) -> Vec<String> {
    let Parsed { diagnostics, .. } = parse(file.as_ref(), &RULES);
    diagnostics.iter().map(|d| format!("{}:{} {}: {}", d.line, d.column, d.code.as_str(), d.message)).collect()
}

/// The suggestions of the findings that have one.
fn suggested(file: impl AsRef<[u8]>) -> Vec<String> {
    parse(file.as_ref(), &RULES).diagnostics.into_iter().filter_map(|d| d.suggestion).collect()
}

/// The body that a file sends.
fn sent(file: impl AsRef<[u8]>) -> Option<String> {
    body(file.as_ref(), &RULES)
}
