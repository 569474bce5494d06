//! Proof that every rule can fail: small trees in memory, each with one fault, and their healthy twins.

use crate::check;
use crate::source::SourceFile;

/// What is found in a tree of (path, code): `path:line rule`. Each file gets the header that it should have as its first line.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<SourceFile> =
        files.iter().map(|(path, code)| SourceFile::new(path, &format!("//! Planted.\n{code}"))).collect();
    let crates = ["tokio", "fastrand", "notify", "serde", "brand_new"].map(str::to_owned);
    check(&files, &crates).iter().map(|finding| format!("{}:{} {}", finding.path, finding.line, finding.rule)).collect()
}

fn found_in(path: &str, code: &str) -> Vec<String> {
    found(&[(path, code)])
}

const NOTHING: [&str; 0] = [];

#[test]
fn an_arrow_that_runs_up_is_found_however_it_is_written() {
    for code in [
        "use crate::hub::Client;",
        "use crate::{page::PageId, hub::{Client}};",
        "use super::super::hub;",
        "fn f(c: &crate::hub::Client) {}",
        "pub use crate::hub::*;",
        "macro_rules! m { () => { $crate::hub::f() } }",
    ] {
        assert_eq!(found_in("engine/order.rs", code), ["engine/order.rs:2 floors"], "{code}");
    }
    assert_eq!(found_in("engine/mod.rs", "use super::hub;"), ["engine/mod.rs:2 floors"]);
    assert_eq!(found_in("hub/client.rs", "use hubsync::commands::x;"), ["hub/client.rs:2 floors"]);
}

#[test]
fn an_arrow_that_runs_down_is_welcome() {
    let tree = [
        ("page.rs", "pub struct PageId;"),
        ("policy.rs", "use crate::page::PageId;"),
        ("hub/mod.rs", "use crate::engine::Answer; use self::api; use super::page;"),
        ("hub/api.rs", "use super::response; use crate::hub::client;"),
        ("commands/sync.rs", "use crate::{daemon, output::Console};"),
        ("main.rs", "fn main() { hubsync::cli::main() }"),
    ];
    assert_eq!(found(&tree), NOTHING);
}

#[test]
fn comments_strings_and_tests_draw_no_arrow() {
    let code = "// crate::hub::x\n/* use crate::hub; */ const S: &str = \"crate::hub::x\";\n\
                #[cfg(test)]\nmod tests { use crate::hub::Client; use std::fs; fn f() { x.unwrap(); println!() } }";
    assert_eq!(found_in("page.rs", code), NOTHING);
    assert_eq!(found_in("engine/tests.rs", "use crate::hub::Client;"), NOTHING);
}

#[test]
fn neighbours_need_a_reason() {
    assert_eq!(found_in("local/scan.rs", "use crate::hub::Client;"), ["local/scan.rs:2 neighbours"]);
    assert_eq!(found_in("page.rs", "use crate::policy::Policy;"), ["page.rs:2 neighbours"]);
}

#[test]
fn a_circle_is_found_at_each_of_its_arrows() {
    let tree = [("policy.rs", "use crate::page::PageId;"), ("page.rs", "use crate::policy::Policy;")];
    assert_eq!(found(&tree), ["page.rs:2 circle", "page.rs:2 neighbours", "policy.rs:2 circle"]);
    let tree =
        [("hub/a.rs", "use crate::page;"), ("page.rs", "use crate::document;"), ("document/b.rs", "use crate::hub;")];
    let circles = found(&tree).into_iter().filter(|finding| finding.ends_with("circle")).count();
    assert_eq!(circles, 3);
}

#[test]
fn the_sandbox_knows_nobody() {
    assert_eq!(found_in("sandbox/model.rs", "use crate::page::PageId;"), ["sandbox/model.rs:2 sandbox"]);
    assert_eq!(found_in("sandbox/model.rs", "use super::faults; use crate::sandbox::server;"), NOTHING);
}

#[test]
fn a_room_without_a_floor_and_an_import_of_no_room_are_found() {
    assert_eq!(found_in("gate.rs", ""), ["gate.rs:1 unknown room"]);
    assert_eq!(found_in("hub/a.rs", "use crate::Error;"), ["hub/a.rs:2 root import"]);
    assert_eq!(found_in("page.rs", "use super::*;"), ["page.rs:2 root import"]);
}

#[test]
fn a_pure_room_reaches_nothing_outside() {
    for code in [
        "use tokio::sync::mpsc;",
        "use tokio;",
        "use brand_new::Thing;",
        "fn f() { fastrand::u8(..) }",
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "use ::std::env;",
        "use std::process::Command;",
        "use std::net::TcpStream;",
        "use std::thread;",
        "use std::time::{Duration, Instant};",
        "use std::time;",
        "use std::time::*;",
        "use std::*;",
        "fn f() { std::time::SystemTime::now() }",
        "fn f() { jiff::Timestamp::now() }",
    ] {
        for room in ["page.rs", "policy.rs", "pace/quota.rs", "document/body.rs", "reconcile/mod.rs", "engine/mod.rs"] {
            assert_eq!(found_in(room, code), [format!("{room}:2 pure")], "{code}");
        }
        assert_eq!(found_in("local/scan.rs", code), NOTHING, "{code}");
    }
    let clean = "use std::time::Duration; use serde::Serialize; use std::{fmt, collections::HashMap}; fn notify() {}";
    assert_eq!(found_in("engine/mod.rs", clean), NOTHING);
}

#[test]
fn a_pure_room_keeps_its_lints_and_a_shell_room_says_why_not() {
    let bare = "#![allow(clippy::disallowed_methods, clippy::disallowed_types)]";
    let told = "#![allow(clippy::disallowed_methods, reason = \"it reads files\")]";
    assert_eq!(found_in("pace/mod.rs", told), ["pace/mod.rs:2 purity lint"]);
    assert_eq!(found_in("local/mod.rs", bare), ["local/mod.rs:2 purity lint"; 2]);
    assert_eq!(found_in("local/mod.rs", told), NOTHING);
}

#[test]
fn every_file_says_what_it_is_for() {
    let bare = SourceFile::new("hub/api.rs", "// no header\n");
    assert_eq!(check(&[bare], &[])[0].rule, "header");
}

#[test]
fn a_long_file_says_why() {
    let long = "const X: u8 = 0;\n".repeat(500);
    assert_eq!(found_in("hub/api.rs", &long), ["hub/api.rs:501 file length"]);
    assert_eq!(found_in("hub/api.rs", &format!("//! Length:\n{long}")), ["hub/api.rs:501 file length"]);
    assert_eq!(found_in("hub/api.rs", &format!("//! Length: one table that is read as a whole\n{long}")), NOTHING);
    assert_eq!(found_in("hub/api.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}")), NOTHING);
}

#[test]
fn a_long_function_is_found_unless_it_is_one_total_match() {
    let long = format!("pub async fn f(a: [u8; 3]) -> u8 {{\n{}}}", "    g();\n".repeat(69));
    let just = format!("fn f() {{\n{}}}", "    g();\n".repeat(68));
    assert_eq!(found_in("hub/api.rs", &long), ["hub/api.rs:2 function length"]);
    assert_eq!(found_in("hub/api.rs", &just), NOTHING);
    assert_eq!(found_in("hub/api.rs", &format!("// One total match: every answer.\n#[inline]\n{long}")), NOTHING);
    assert_eq!(found_in("hub/api.rs", "trait T { fn f(); }\n"), NOTHING);
}

#[test]
fn names_that_say_nothing_are_found() {
    assert_eq!(found_in("hub/utils.rs", ""), ["hub/utils.rs:1 names"]);
    assert_eq!(found_in("hub/http_helpers/mod.rs", ""), ["hub/http_helpers/mod.rs:1 names"]);
    assert_eq!(found_in("hub/api.rs", "struct PageManager;"), ["hub/api.rs:2 names"]);
    assert_eq!(found_in("hub/api.rs", "mod common;"), ["hub/api.rs:2 names"]);
    assert_eq!(found_in("hub/api.rs", "struct CommonMark; fn common_prefix() {}"), NOTHING);
}

#[test]
fn unwrap_and_printing_are_found_where_they_do_not_belong() {
    assert_eq!(found_in("hub/api.rs", "fn f() { x\n.unwrap() }"), ["hub/api.rs:3 unwrap"]);
    assert_eq!(found_in("hub/api.rs", "fn f() { x.unwrap_or(y) }"), NOTHING);
    for name in ["print", "println", "eprint", "eprintln", "dbg"] {
        for place in ["hub/api.rs", "commands/sync.rs", "output/style.rs", "main.rs"] {
            let code = format!("fn f() {{ {name}!(x) }}");
            assert_eq!(found_in(place, &code), [format!("{place}:2 printing")]);
        }
    }
}

#[test]
fn what_is_printed_past_the_escapes_is_found() {
    for code in [
        "fn f() { std::io::stdout().write_all(b) }",
        "use std::io::stderr;",
        "use std::io::{self, Stdout};",
        "use std::io::*;",
        "fn f() { io::stderr().write_all(b) }",
        "fn f() { anstream::AutoStream::auto(x) }",
        "fn f() { indicatif::ProgressBar::new(1) }",
        "fn f() { std::panic::set_hook(x) }",
        "fn f() { tracing_subscriber::fmt() }",
        "fn f() { Cli::parse() }",
        "fn f() { error.exit() }",
        "fn f() { error.print() }",
    ] {
        for place in ["hub/api.rs", "commands/sync.rs", "main.rs"] {
            assert_eq!(found_in(place, code), [format!("{place}:2 printing")], "{code}");
        }
    }
    let log = |writer: &str| format!("fn f() {{ tracing_subscriber::fmt::layer().with_writer({writer}) }}");
    assert_eq!(found_in("daemon/logging.rs", &log("file")), ["daemon/logging.rs:2 printing"]);
    assert_eq!(found_in("daemon/logging.rs", &log("|| EventWriter::new(form)")), NOTHING);
    assert_eq!(found_in("output/style.rs", "fn f() { std::io::stdout() }"), NOTHING);
    assert_eq!(found_in("config/credential.rs", "fn f() { c.stdout(Stdio::null()).stderr(Stdio::null()) }"), NOTHING);
}
