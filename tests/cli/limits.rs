//! 429 as it comes: every form of the wait that it names, what `status` shows of it, and that it outlives a restart.

use hubsync::page::Stamp;

use crate::place::Place;
use crate::stub::{Stub, Then};

/// The hub's clock is far from ours; only differences to it may count.
const HUB_DATE: &str = "Wed, 10 Jun 2026 16:30:00 GMT";
const DAY: i64 = 24 * 3600;

/// Headers, body, and the seconds that they name together; `None`: no time, so we choose one.
type Case = (&'static str, &'static str, Option<i64>);

const CASES: &[Case] = &[
    ("Retry-After: 120\r\n", "", Some(120)),
    ("Retry-After: 90.5\r\n", "", Some(91)),
    ("Retry-After: Wed, 10 Jun 2026 16:35:00 GMT\r\n", "", Some(301)),
    ("Retry-After: Wed, 10 Jun 2099 16:30:00 GMT\r\n", "", Some(DAY)),
    ("Retry-After: 99999999999999999999\r\n", "", Some(DAY)),
    ("", r#"{"retry_after": 75}"#, Some(75)),
    ("", r#"{"error": {"type": "rate_limited", "retry_after": "80"}}"#, Some(80)),
    ("Retry-After: 5\r\nRetry-After: 100\r\n", r#"{"retry_after": 70, "error": {"retry_after": 200}}"#, Some(200)),
    ("Retry-After: 300\r\n", r#"{"retry_after": 70}"#, Some(300)),
    ("Retry-After: 120junk\r\n", r#"{"retry_after": -3, "error": {"retry_after": 110}}"#, Some(110)),
    ("Retry-After: -5\r\n", "", None),
    ("Retry-After: 120junk\r\n", "<html>slow down</html>", None),
    ("", "", None),
];

fn wall() -> i64 {
    hubsync::sandbox::server::clock().0 / 1_000
}

fn until_of(report: &serde_json::Value) -> i64 {
    let until = report["hub"]["until"].as_str().unwrap_or_else(|| panic!("no `until`: {report}"));
    Stamp::parse(until).unwrap().0 / 1_000
}

fn met_by(case: Case) {
    let (headers, body, named) = case;
    let stub = Stub::acting(move |call| {
        let head = format!("HTTP/1.1 429 Too Many\r\nDate: {HUB_DATE}\r\n{headers}");
        call.say(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        Then::KeepOpen
    });
    let place = stub.place("", "");
    place.doc("p0", "Text.\n");
    let before = wall();
    // Over a minute is not waited for, however long we would wait.
    let patience = if named.is_some() { "5m" } else { "1s" };
    let ran = place.run(&["sync", "--max-wait", patience, "--json"]).ends(75);
    let after = wall();
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(stub.requests().len(), 1, "{case:?}: not asked again");
    let shown = place.json(&["status", "--json"]);
    for report in [&told, &shown] {
        assert_eq!(report["hub"]["state"], "paused", "{case:?}: {report}");
        assert!(report["hub"]["reason"].as_str().unwrap().contains("429"), "{report}");
        assert_eq!(report["pages"][0]["state"], "pending", "{report}");
        // Unnamed, the first wait is ours: 10 s.
        let ms = named.map_or(10_000, |seconds| seconds * 1_000);
        let until = until_of(report);
        // `until` is shown in whole milliseconds or seconds; a float is rounded up.
        assert!(
            (before + ms - 1_000..=after + ms + 1_000).contains(&until),
            "{case:?}: {} s",
            (until - before) / 1_000
        );
    }
    remembered(&stub, &place, named, until_of(&shown));
}

/// A restart meets the same pause, and sends nothing before it ends.
fn remembered(stub: &Stub, place: &Place, named: Option<i64>, until: i64) {
    if named.is_none() {
        return;
    }
    place.run(&["sync", "--max-wait", "5m"]).ends(75);
    assert_eq!(stub.requests(), Vec::<String>::new(), "sent before the time that the hub named");
    let report = place.json(&["status", "--json"]);
    assert_eq!(report["hub"]["state"], "paused", "{report}");
    assert!((until_of(&report) - until).abs() < 2_000, "{report}");
    assert!(report["budget"]["next_free_at"].is_string(), "{report}");
    // Another root of this user with the same key, too.
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::write(place.path("other/x.md"), "---\npage_id: p0\nstatus: published\n---\nX\n").unwrap();
    let other = place.command(&["sync"]).env("HUBSYNC_ROOT", "./other").env("HUBSYNC_STATE", "./other.db").output();
    assert_eq!(other.unwrap().status.code(), Some(75));
    assert_eq!(stub.requests(), Vec::<String>::new(), "another process sent before the time that the hub named");
}

#[test]
fn a_429_pauses_until_the_time_that_it_names_and_over_a_minute_ends_the_day() {
    for cases in CASES.chunks(4) {
        std::thread::scope(|scope| {
            for case in cases {
                scope.spawn(|| met_by(*case));
            }
        });
    }
}

#[test]
fn a_429_that_names_a_moment_is_waited_for() {
    let place = Place::new();
    place.same(2);
    place.faults(&["GET/rate-limit=1:x1", "PATCH/rate-limit=1:x1"]);
    place.page("p9", "");
    place.doc("p9", "Text.\n");
    place.run(&["sync"]).ends(0);
    assert_eq!((place.content("p9").as_str(), place.version("p9")), ("Text.\n", 2));
}
