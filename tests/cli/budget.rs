//! The budget through the real program, by the hub's own count: over runs, over roots of one user, beside others who spend
//! the same day, and what `status` says of it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hubsync::sandbox::server::clock;
use serde_json::Value;

use crate::place::{Place, Ran, until};

const MINUTE_US: i64 = 60_000_000;
/// Between two bursts, in milliseconds: the minute and what hubsync adds to it.
const BURST_MS: i64 = 60_250;

fn with_limits(minute: u32, day: u32) -> Place {
    Place::with(&limits(minute, day))
}

fn limits(minute: u32, day: u32) -> String {
    format!("hub:\n  url: URL\n  requests_per_minute: {minute}\n  requests_per_day: {day}\nwatch:\n  debounce: 100ms\n")
}

/// The most that the hub counted in any 60 s, and how many it refused.
fn counted(place: &Place) -> (usize, usize) {
    let hub = place.hub.lock();
    let log = hub.model.log();
    let times: Vec<i64> = log.iter().map(|entry| entry.at.0).collect();
    let within = |first: &i64| times.iter().filter(|at| (*first..first + MINUTE_US).contains(*at)).count();
    let refused = log.iter().filter(|entry| entry.status == 429).count();
    (times.iter().map(within).max().unwrap_or(0), refused)
}

/// The same documents as if they had never cost anything: what was spent so far is forgotten.
fn forget_the_ledger(place: &Place) {
    std::fs::remove_dir_all(place.path("xdg")).unwrap();
}

fn ms(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("{time} is no time"));
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// A second root of the same user, with a state of its own.
fn second_root(place: &Place, pages: usize, limits: &str) -> PathBuf {
    let url = format!("http://127.0.0.1:{}/rest/v1", place.port);
    let config = place.path("second.yaml");
    std::fs::write(&config, format!("root: ./docs2\nstate: ./state2.db\n{limits}").replace("URL", &url)).unwrap();
    std::fs::create_dir(place.path("docs2")).unwrap();
    for n in 0..pages {
        let id = format!("q{n}");
        place.page(&id, "Same.\n");
        let text = format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\nSame.\n");
        std::fs::write(place.path(&format!("docs2/{id}.md")), text).unwrap();
    }
    config
}

#[test]
fn one_run_after_another_never_spends_more_than_the_minute() {
    let place = with_limits(5, 1000);
    place.same(12);
    for run in 0..4 {
        let ran = place.run(&["sync", "--max-wait", "0"]).ends(75);
        assert_eq!(counted(&place), (5, 0), "run {run}: {ran:?}");
    }
    // A daemon, killed and started again, is no other.
    for _ in 0..2 {
        let mut daemon = place.start(&["run"]);
        until("it has planned", || place.json(&["status", "--json"])["daemon"]["running"] == true);
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
    }
    assert_eq!(counted(&place), (5, 0));
    let status = place.json(&["status", "--json"]);
    assert_eq!((&status["budget"]["minute"]["used"], &status["budget"]["day"]["used"]), (&5.into(), &5.into()));
    assert!(status["budget"]["next_free_at"].is_string(), "{status:#}");
}

#[test]
fn two_roots_of_one_user_share_one_ledger() {
    const LIMIT: u32 = 8;
    let place = with_limits(LIMIT, 1000);
    place.hub.lock().model.settings_mut().per_minute = LIMIT;
    let second = second_root(&place, 10, &limits(LIMIT, 1000));
    // The first alone does not spend the minute, the second would.
    place.same(6);
    let spawn = |config: &str| {
        let mut command: Command = place.command(&["run", "--config", config]);
        crate::place::Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let asked = |page: &str| place.hub.lock().model.log().iter().any(|entry| entry.target.contains(page));
    let first = spawn("hubsync.yaml");
    until("the first has begun", || asked("/pages/p"));
    let daemons = (first, spawn(second.to_str().unwrap()));
    let spent =
        |config: &str| place.json(&["status", "--json", "--config", config])["budget"]["minute"]["used"].clone();
    until("the minute is spent", || spent("hubsync.yaml") == LIMIT);
    assert_eq!(spent("second.yaml"), LIMIT, "both see the same");
    drop(daemons);
    for config in ["second.yaml", "hubsync.yaml"] {
        let ran = place.run(&["sync", "--max-wait", "0", "--config", config]).ends(75);
        assert!(ran.out.contains("the hub was not looked at: the minute's requests are spent"), "{ran:?}");
    }
    let (most, refused) = counted(&place);
    assert!(most <= LIMIT as usize && most > 0, "{most} in a minute");
    assert_eq!(refused, 0, "the hub had to say 429");
    assert!(asked("/pages/p") && asked("/pages/q"), "both were under load");
}

#[test]
fn another_key_has_a_ledger_of_its_own() {
    const OTHER: &str = "exec_live_sandboxsandboxsandboxsandboxsandbox00002";
    let place = with_limits(3, 1000);
    let second = second_root(&place, 3, &limits(3, 1000));
    place.same(3);
    place.run(&["sync", "--max-wait", "0"]).ends(0);
    OTHER.clone_into(&mut place.hub.lock().model.settings_mut().key);
    let second = ["sync", "--max-wait", "0", "--config", second.to_str().unwrap()];
    let ran = Ran::of(place.command(&second).env("EXEC_API_KEY", OTHER).output().unwrap()).ends(0);
    assert_eq!(place.requests()["GET"], 6, "{ran:?}");
    let used = |config: &str| place.json(&["status", "--json", "--config", config])["budget"]["day"]["used"].clone();
    assert_eq!((used("hubsync.yaml"), used("second.yaml")), (3.into(), 3.into()));
}

#[test]
fn a_day_that_others_have_spent_is_over_for_every_root_and_after_every_restart() {
    let place = with_limits(60, 1000);
    let second = second_root(&place, 2, &limits(60, 1000));
    place.same(2);
    place.run(&["sync"]).ends(0);
    {
        let mut hub = place.hub.lock();
        hub.model.settings_mut().per_day = 5;
        while hub.model.spend(clock()) {}
    }
    place.doc("p0", "New.\n");
    place.requests();
    let said = place.run(&["sync"]).ends(75).said();
    assert!(said.contains("429"), "{said}");
    assert_eq!(place.requests()["GET"], 1);
    for _ in 0..2 {
        place.run(&["sync"]).ends(75);
        place.run(&["sync", "--config", second.to_str().unwrap()]).ends(75);
    }
    assert!(place.requests().is_empty(), "it was told to wait");
    for config in ["hubsync.yaml", "second.yaml"] {
        let status = place.json(&["status", "--json", "--config", config]);
        let hub = &status["hub"];
        assert_eq!(hub["state"], "paused", "{status:#}");
        let until = ms(&hub["until"]);
        assert!(until > clock().0 / 1000 + 23 * 3_600_000, "a day from now, but for moments: {hub}");
        assert_eq!(ms(&status["budget"]["next_free_at"]), until, "{status:#}");
        let text = place.run(&["status", "--config", config]).ends(75).out;
        assert!(text.contains(&format!("hub paused until {}", hub["until"].as_str().unwrap())), "{text}");
    }
    let status = place.json(&["status", "--json"]);
    assert!(ms(&status["budget"]["eta"]) >= ms(&status["hub"]["until"]), "{status:#}");
}

#[test]
fn a_connection_that_is_never_made_costs_nothing() {
    let place = Place::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.config(&format!("hub:\n  url: http://127.0.0.1:{nobody}/rest/v1\n"));
    for n in 0..3 {
        place.doc(&format!("p{n}"), "New.\n");
    }
    for _ in 0..4 {
        let ran = place.run(&["sync", "--max-wait", "2s"]).ends(75);
        assert!(ran.said().contains("can't be reached") || ran.said().contains("unreachable"), "{ran:?}");
    }
    let budget = &place.json(&["status", "--json"])["budget"];
    assert_eq!((&budget["day"]["used"], &budget["minute"]["used"]), (&0.into(), &0.into()), "{budget}");
    assert!(budget["eta"].is_null(), "nobody knows when it will answer: {budget}");
}

#[test]
fn status_says_when_a_backlog_will_be_done() {
    let place = with_limits(60, 1000);
    place.same(9);
    place.run(&["sync"]).ends(0);
    let budget = || place.json(&["status", "--json"])["budget"].clone();
    assert_eq!((&budget()["eta"], &budget()["next_free_at"]), (&Value::Null, &Value::Null), "nothing is pending");
    assert!(!place.run(&["status"]).ends(0).out.contains("will be done"));
    place.config(&limits(5, 1000));
    forget_the_ledger(&place);
    for n in 0..9 {
        place.doc(&format!("p{n}"), "New.\n");
    }
    // A look and four of them at once, the same a minute later, and the last one after another minute.
    let before = clock().0 / 1000;
    let eta = ms(&budget()["eta"]);
    let after = clock().0 / 1000;
    assert!((before + 2 * BURST_MS..=after + 2 * BURST_MS).contains(&eta), "{} ms after", eta - before);
    place.run(&["sync", "--max-wait", "0"]).ends(75);
    assert_eq!(place.requests()["PATCH"], 4);
    let now = budget();
    let (next, eta) = (ms(&now["next_free_at"]), ms(&now["eta"]));
    // The answers of the first burst came one after the other, so do the slots.
    assert!((next + BURST_MS..next + BURST_MS + 5_000).contains(&eta), "{now}");
    let text = place.run(&["status"]).ends(75).out;
    let (next, eta) = (now["next_free_at"].as_str().unwrap(), now["eta"].as_str().unwrap());
    assert!(text.contains(&format!("the next request may go at {next}")), "{text}");
    assert!(text.contains(&format!("what is pending will be done by {eta}")), "{text}");
    // With a day too small for all of it, what is over the day waits for the next.
    place.config(&limits(5, 7));
    let eta_of_day = ms(&budget()["eta"]);
    assert!(eta_of_day > clock().0 / 1000 + 23 * 3_600_000, "{}", budget());
}
