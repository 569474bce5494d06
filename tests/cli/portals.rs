//! What stands between us and the hub and answers in its place: login pages, gateways, caches. None of it is taken for the
//! hub's word, and none of it is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::place::{Place, Ran};
use crate::stub::{Call, Stub, Then, http, page_of};

/// In each answer that holds a text; it must not get out.
const WORDS: &str = "PLEASE-LOG-IN-TO-THE-GUEST-NETWORK";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Html,
    Empty,
    NoContent,
    HalfOfTheJson,
    CutJson,
    AnotherPage,
    OtherJson,
    Gateway(u16),
}

const SHAPES: [Shape; 9] = [
    Shape::Html,
    Shape::Empty,
    Shape::NoContent,
    Shape::HalfOfTheJson,
    Shape::CutJson,
    Shape::AnotherPage,
    Shape::OtherJson,
    Shape::Gateway(502),
    Shape::Gateway(511),
];

impl Shape {
    /// Answers so to whatever was asked.
    fn show(self, call: &mut Call) -> Then {
        let html = format!("<html><script>{}</script></html>", WORDS.repeat(2_000));
        let (_, whole) = page_of("p0", WORDS, None);
        let headers = "Content-Type: text/html; \u{9b}31m\u{202e}\r\n";
        let answer = match self {
            Self::Html => http(&(200, html), headers),
            Self::Empty => http(&(200, String::new()), ""),
            Self::NoContent => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            Self::HalfOfTheJson => http(&(200, whole[..whole.len() / 2].to_owned()), ""),
            Self::CutJson => {
                let mut answer = http(&(200, whole), "");
                answer.truncate(answer.len() - 10);
                answer
            }
            Self::AnotherPage => http(&page_of("p9", WORDS, None), ""),
            Self::OtherJson => http(&(200, format!("{{\"ok\": true, \"say\": \"{WORDS}\"}}")), ""),
            Self::Gateway(status) => http(&(status, html), headers),
        };
        call.say(answer);
        if self == Self::CutJson { Then::HangUp } else { Then::KeepOpen }
    }
}

fn shows_nothing_foreign(ran: &Ran) {
    let said = ran.said();
    assert!(!said.contains(WORDS) && !said.contains("<html") && !said.contains(['\u{9b}', '\u{202e}']), "{ran:?}");
    assert!(said.len() < 20_000, "{} bytes are said", said.len());
}

#[test]
fn what_is_not_the_hub_is_asked_again_and_nothing_is_written_there() {
    std::thread::scope(|scope| {
        for shape in SHAPES {
            scope.spawn(move || {
                let stub = Stub::acting(move |call| shape.show(call));
                let place = stub.place("", "");
                place.doc("p0", "Text.\n");
                let ran = place.run(&["-vv", "sync", "--max-wait", "1s", "--json"]).ends(75);
                shows_nothing_foreign(&ran);
                let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
                let page = &report["pages"][0];
                assert_eq!(page["state"], "pending", "{shape:?}: {page}");
                let code = if shape == Shape::CutJson { "hub_unreachable" } else { "server_error" };
                assert_eq!(page["reason"]["code"], code, "{shape:?}: {page}");
                assert!(page["attempts"].as_u64() >= Some(1));
                assert_eq!(stub.count("PATCH"), 0);
                assert!((1..10).contains(&stub.count("GET")), "{:?}", stub.requests());
                shows_nothing_foreign(&place.run(&["status"]).ends(75));
            });
        }
    });
}

/// Whether a write that is answered so got through to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applied {
    Yes,
    No,
}

fn a_write_answered_with(shape: Shape, applied: Applied) {
    let place = Arc::new(Place::new());
    place.page("p0", "");
    place.doc("p0", "Text.\n");
    let between = Arc::new(AtomicBool::new(true));
    let (port, stands) = (place.port, Arc::clone(&between));
    let stub = Stub::acting(move |call| {
        if !(call.line.starts_with("PATCH") && stands.load(Ordering::SeqCst)) {
            call.say(call.pass_on(port));
            return Then::KeepOpen;
        }
        if applied == Applied::Yes {
            call.pass_on(port);
        }
        shape.show(call)
    });
    stub.guard(&place, "", "");
    let ran = place.run(&["-vv", "sync", "--max-wait", "1s", "--json"]).ends(75);
    shows_nothing_foreign(&ran);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let page = &report["pages"][0];
    let told = (&page["state"], &page["reason"]["code"]);
    assert_eq!(told, (&"pending".into(), &"in_doubt".into()), "{shape:?} is neither done nor failed: {page}");
    assert_eq!(stub.count("PATCH"), 1, "{shape:?}: not sent again before it was looked up");
    shows_nothing_foreign(&place.run(&["status"]).ends(75));
    between.store(false, Ordering::SeqCst);
    place.run(&["sync"]).ends(0);
    assert_eq!((place.content("p0").as_str(), place.version("p0")), ("Text.\n", 2), "{shape:?} {applied:?}");
    assert_eq!(stub.count("PATCH"), if applied == Applied::Yes { 1 } else { 2 }, "{shape:?} {applied:?}");
}

#[test]
fn a_write_that_is_answered_by_somebody_else_is_in_doubt_and_looked_up() {
    std::thread::scope(|scope| {
        for shape in SHAPES {
            for applied in [Applied::Yes, Applied::No] {
                scope.spawn(move || a_write_answered_with(shape, applied));
            }
        }
    });
}
