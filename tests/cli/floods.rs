//! Answers without measure: too long, packed, endless, slow. They cost bounded memory and time, and delay no other page.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::place::{Running, until};
use crate::stub::{Call, Stub, Then, http, nothing, page, page_of};

/// The most that the program may ever have held, in KiB; the longest answer alone has 61 MiB.
const MEMORY: u64 = 150 * 1024;
const MIB: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    DripsBody,
    DripsHeaders,
    HundredMegabytes,
    Bomb,
    BombInABomb,
    BombOfValues,
    EndlessHeaders,
    AbsurdLength,
    ImpossibleLength,
    EndlessChunks,
}

const FLOODS: [Flood; 10] = [
    Flood::DripsBody,
    Flood::DripsHeaders,
    Flood::HundredMegabytes,
    Flood::Bomb,
    Flood::BombInABomb,
    Flood::BombOfValues,
    Flood::EndlessHeaders,
    Flood::AbsurdLength,
    Flood::ImpossibleLength,
    Flood::EndlessChunks,
];

impl Flood {
    fn pour(self, call: &mut Call) -> Then {
        let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        let now = Duration::ZERO;
        let drop_by_drop = Duration::from_millis(50);
        match self {
            Self::DripsBody => {
                call.say(format!("{ok}Content-Length: 100000\r\n\r\n"));
                call.repeat(b" ", drop_by_drop, 100_000);
            }
            Self::DripsHeaders => {
                call.say(ok);
                call.repeat(b"X-A: b\r\n", drop_by_drop, 80);
            }
            Self::HundredMegabytes => {
                call.say(format!("{ok}Content-Length: {}\r\n\r\n\"", 100 * MIB));
                call.repeat(&vec![b'a'; MIB], now, 100);
            }
            Self::Bomb => packed(call, ok, "gzip"),
            Self::BombInABomb => packed(call, ok, "gzip, gzip"),
            Self::BombOfValues => {
                let page = page("bad").1.replace("\"folders\":[]", "\"folders\":[MANY]");
                let (begin, end) = page.split_once("MANY").unwrap();
                let one = r#"{"id":""},"#.repeat(100_000);
                let length = begin.len() + 60 * one.len() + end.len();
                call.say(format!("{ok}Content-Length: {length}\r\n\r\n{begin}"));
                call.repeat(one.as_bytes(), now, 60);
                call.say(end);
            }
            Self::EndlessHeaders => {
                call.say(ok);
                call.repeat(format!("X-A: {}\r\n", "b".repeat(8_000)).as_bytes(), now, 100_000);
            }
            Self::AbsurdLength => {
                call.say(format!("{ok}Content-Length: 9223372036854775807\r\n\r\n{{"));
                call.wait_for_the_end();
            }
            Self::ImpossibleLength => {
                call.say(format!("{ok}Content-Length: 99999999999999999999999\r\n\r\n{{"));
                call.wait_for_the_end();
            }
            Self::EndlessChunks => {
                call.say(format!("{ok}Transfer-Encoding: chunked\r\n\r\n"));
                call.repeat(format!("10000\r\n{}\r\n", " ".repeat(0x10000)).as_bytes(), now, 100_000);
            }
        }
        Then::HangUp
    }
}

/// A gigabyte of one character, packed in a few: each group of 13 bytes says eight times "the last one, 258 times more".
fn packed(call: &mut Call, ok: &str, encoding: &str) {
    call.say(format!("{ok}Content-Encoding: {encoding}\r\nConnection: close\r\n\r\n"));
    call.say([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]);
    let mut bits = vec![true, true, false];
    let code =
        |bits: &mut Vec<bool>, value: u32, length: u32| bits.extend((0..length).rev().map(|at| value >> at & 1 == 1));
    // A block with the fixed codes: a blank, then 258 more at a time, in a number of bits that a byte divides.
    code(&mut bits, 0x50, 8);
    for _ in 0..8 * 1_024 + 1 {
        code(&mut bits, 0xC5, 8);
        code(&mut bits, 0, 5);
    }
    let bytes = |bits: &[bool]| -> Vec<u8> {
        bits.chunks_exact(8).map(|byte| byte.iter().rev().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
    };
    let whole = bytes(&bits);
    // The pattern comes round every 13 bytes: after the beginning it can be repeated as it is.
    let period = whole[whole.len() - 13 * 1_000..].to_vec();
    call.say(&whole);
    call.repeat(&period, Duration::ZERO, 1_000_000_000 / (8_000 * 258));
}

/// The most that a process has held so far, in KiB.
fn most_held(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// Four pages whose looks or writes are answered with a flood at once, and two that are well.
fn flooded(flood: Flood, method: &'static str) {
    let stub = Stub::acting(move |call| {
        let id = call.line.split(['/', '?']).find(|part| part.starts_with("bad") || part.starts_with("good"));
        let Some(id) = id else {
            call.say(http(&nothing(), ""));
            return Then::KeepOpen;
        };
        if id.starts_with("bad") && call.line.starts_with(method) {
            return flood.pour(call);
        }
        let text = if call.line.starts_with("PATCH") { "Text.\n" } else { "" };
        call.say(http(&page_of(id, text, None), ""));
        Then::KeepOpen
    });
    let place = stub.place("  timeout: 2s\n  requests_per_minute: 10000\n", "watch:\n  debounce: 100ms\n");
    for id in ["bad1", "bad2", "bad3", "bad4", "good1", "good2"] {
        place.doc(id, "Text.\n");
    }
    let running = place.start(&["run"]);
    let report = || place.json(&["status", "--json", "--all"]);
    until(&format!("the others are published beside {flood:?}"), || report()["counts"]["in_step"] == 2);
    let bad = format!("{method} /rest/v1/knowledge-hub/pages/bad");
    until("each was answered so, and asked again", || stub.count(&bad) >= 5);
    let report = report();
    for page in report["pages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|page| page["path"] != "good1.md" && page["path"] != "good2.md")
    {
        assert_eq!(page["state"], "pending", "{flood:?} {method}: {page}");
        assert!(page["reason"]["message"].as_str().is_none_or(|message| message.len() < 600), "{page}");
    }
    let held = most_held(&running);
    eprintln!("{flood:?} {method} {held}");
    assert!(held < MEMORY, "{flood:?} {method}: {held} KiB");
    running.signal(Signal::TERM);
    assert_eq!(running.code(), Some(0));
}

#[test]
fn an_answer_without_measure_to_a_look_costs_little_and_delays_no_other_page() {
    for floods in FLOODS.chunks(5) {
        std::thread::scope(|scope| floods.iter().for_each(|flood| drop(scope.spawn(|| flooded(*flood, "GET")))));
    }
}

#[test]
fn an_answer_without_measure_to_a_write_costs_little_and_leaves_it_in_doubt() {
    std::thread::scope(|scope| {
        for flood in [Flood::HundredMegabytes, Flood::Bomb, Flood::EndlessHeaders] {
            scope.spawn(move || flooded(flood, "PATCH"));
        }
    });
}

#[test]
fn the_longest_page_that_can_be_ours_is_read_with_its_draft() {
    // Each of these characters is one byte here and six in JSON.
    let longest =
        |id: &str| "\u{1}".repeat(5 * MIB - format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\n").len());
    let answers: Arc<Vec<(&str, Vec<u8>)>> = Arc::new(
        ["p0", "p1", "p2"].map(|id| (id, http(&page_of(id, &longest(id), Some(&"\u{2}".repeat(5 * MIB))), ""))).into(),
    );
    assert!(answers[0].1.len() > 59 * MIB);
    let stub = Stub::acting(move |call| {
        let known = answers.iter().find(|(id, _)| call.line.contains(&format!("/pages/{id}")));
        call.say(known.map_or_else(|| http(&nothing(), ""), |(_, answer)| answer.clone()));
        Then::KeepOpen
    });
    let place = stub.place("  timeout: 60s\n", "watch:\n  debounce: 100ms\n");
    for id in ["p0", "p1", "p2"] {
        place.doc(id, &longest(id));
    }
    let running = place.start(&["run"]);
    let report = || place.json(&["status", "--json", "--all"]);
    until("they are met", || report()["counts"]["in_step"] == 3);
    for page in report()["pages"].as_array().unwrap() {
        assert_eq!(page["remote_draft"], true, "{page}");
    }
    assert_eq!(stub.count("PATCH"), 0);
    assert_eq!(stub.count("GET /rest/v1/knowledge-hub/pages/p"), 3, "each is read at the first try");
    let held = most_held(&running);
    assert!(held < MEMORY, "{held} KiB");
}
