//! What goes wrong on the way, and what the hub refuses.

use hubsync::engine::change::{HubState, LogEvent};
use hubsync::engine::{Input, Mode, Rest, ShutWhy, WaitsOn};
use hubsync::policy::Policy;
use hubsync::reason::{Code, State};
use hubsync::sandbox::Settings;

use super::network::{Fate, RetryAfter};
use super::world::{Doc, SYNC, many, met};

#[test]
fn a_lost_answer_costs_one_look_and_publishes_nothing_twice() {
    let mut w = met("A");
    w.write_fates.push_back(Fate::AnswerLost);
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1", "PATCH pages/p1", "GET pages/p1"]);
    assert_eq!(w.version("p1"), Some(2));
    assert!(w.is_in_step("p1.md"));
    assert!(w.disk.log.iter().any(|line| matches!(line.event, LogEvent::Published { .. })));
}

#[test]
fn a_write_that_never_arrived_is_looked_up_five_seconds_later_and_sent_again() {
    for fate in [Fate::Cut, Fate::Gateway(503), Fate::Portal] {
        let mut w = met("A");
        w.write_fates.push_back(fate.clone());
        w.edit("p1.md", "B");
        let begun = w.time;
        w.settle();
        let writes = w.requests().1;
        assert_eq!(w.live_text("p1").as_deref(), Some("B"), "{fate:?}");
        assert_eq!(w.version("p1"), Some(2), "{fate:?}");
        assert!(w.time - begun >= 5_000, "{fate:?}");
        assert_eq!(writes, if fate == Fate::Cut { 1 } else { 2 }, "{fate:?}");
    }
}

#[test]
fn a_write_that_lands_late_is_not_sent_again() {
    for fate in [Fate::Late(4_900), Fate::AppliedGateway(502)] {
        let mut w = met("A");
        w.write_fates.push_back(fate);
        w.edit("p1.md", "B");
        w.settle();
        assert_eq!(w.version("p1"), Some(2));
        assert_eq!(w.requests().1, 1);
        assert!(w.is_in_step("p1.md"));
    }
}

#[test]
fn a_page_in_doubt_says_so() {
    let mut w = met("A");
    w.write_fates.push_back(Fate::AnswerLost);
    w.edit("p1.md", "B");
    w.run(2_000);
    assert_eq!(w.state("p1.md"), (State::Pending, Some(Code::InDoubt)));
}

#[test]
fn a_crash_between_write_and_answer_costs_one_look() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    while w.flights.front().is_none_or(|flight| !flight.is_write()) {
        if w.flights.is_empty() {
            assert!(w.work())
        } else {
            w.meet(Fate::Answered)
        };
        w.pump();
    }
    w.apply();
    w.crash();
    w.settle();
    assert_eq!(w.version("p1"), Some(2));
    assert_eq!(w.asked(), ["GET pages/p1", "PATCH pages/p1", "GET pages/p1"]);
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_page_that_always_fails_is_failed_and_delays_no_other() {
    let mut w = many(3, Mode::Daemon, Policy::default(), Settings::default());
    w.write_fates.extend(std::iter::repeat_n(Fate::Gateway(500), 200));
    w.edit("p0.md", "B");
    w.run(600_000);
    assert!((8..=15).contains(&w.requests().1), "{:?}", w.requests());
    assert_eq!(w.state("p0.md").0, State::Failed);
    assert!(w.report("p0.md").attempts >= 8);
    w.write_fates.clear();
    w.edit("p1.md", "B");
    w.run(10_000);
    assert!(w.is_in_step("p1.md"));
    w.run(1_000_000);
    assert!(w.is_in_step("p0.md"), "{:?}", w.report("p0.md"));
    assert_eq!(w.live_text("p0").as_deref(), Some("B"));
}

#[test]
fn pages_that_always_fail_delay_no_other_however_many_they_are() {
    let bad = ["p0", "p1", "p2", "p3", "p4", "p5"];
    let mut w = many(12, Mode::Daemon, Policy::default(), Settings::default());
    w.poison = bad.to_vec();
    for id in bad {
        w.edit(&format!("{id}.md"), "B");
    }
    w.run(20_000);
    for n in 6..12 {
        w.edit(&format!("p{n}.md"), "B");
        w.run(2_000);
        w.run(10_000);
        assert!(w.is_in_step(&format!("p{n}.md")), "p{n}: {:?}", w.report(&format!("p{n}.md")));
    }
    assert!(bad.iter().all(|id| !w.is_in_step(&format!("{id}.md"))));
    w.poison.clear();
    w.run(3_600_000);
    assert!(bad.iter().all(|id| w.is_in_step(&format!("{id}.md"))), "they are tried again");
}

#[test]
fn a_page_whose_looks_fail_backs_off() {
    let mut w = many(2, Mode::Daemon, Policy::default(), Settings::default());
    w.fates.extend(std::iter::repeat_n(Fate::Gateway(500), 5));
    w.edit("p0.md", "B");
    w.run(7_000);
    assert!((3..=4).contains(&w.requests().0), "{:?}", w.asked());
    assert_eq!(w.state("p0.md"), (State::Pending, Some(Code::ServerError)));
    w.settle();
    assert!(w.is_in_step("p0.md"));
}

#[test]
fn a_sync_leaves_a_page_that_always_fails() {
    let mut w = many(2, Mode::Daemon, Policy::default(), Settings::default());
    w.write_file("p0.md", Doc::published("p0", "B"));
    w.write_fates.extend(std::iter::repeat_n(Fate::Gateway(500), 50));
    w.restart(SYNC);
    w.settle();
    assert_eq!(w.state("p0.md").0, State::Failed);
    assert!(w.requests().1 <= 10);
}

#[test]
fn what_the_hub_refuses_is_not_sent_again_until_the_document_changes() {
    let mut w = met("A");
    w.hub.add_folder(w.hub_time(), "Sales", None);
    // The table of names is old: the hub knows no such folder.
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    w.run(100_000);
    let mut state = serde_json::to_value(w.hub.state()).unwrap();
    state["folders"] = serde_json::json!({});
    state["pages"]["p1"]["folder_ids"] = serde_json::json!([]);
    w.hub.set_state(serde_json::from_value(state).unwrap());
    w.forget_requests();
    w.edit("p1.md", "B");
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    w.run(5_000);
    let (state, code) = w.state("p1.md");
    assert_ne!(state, State::Pending, "{code:?}");
    let before = w.requests();
    w.rescan();
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), before, "{:?}", w.asked());
}

#[test]
fn a_refused_body_is_remembered_over_restarts() {
    let mut w = met("A");
    w.write_fates.push_back(Fate::Rejected);
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::Refused)));
    w.forget_requests();
    w.rescan();
    w.restart(Mode::Daemon);
    w.settle();
    w.run(1_000_000);
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::Refused)));
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("C"));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_refused_key_stops_everything_until_there_is_another() {
    let mut w = met("A");
    w.key = "revoked".to_owned();
    w.key_source = "revoked".to_owned();
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.requests(), (1, 0));
    assert_eq!(w.summary().hub.state, HubState::Unauthorized);
    w.run(7_200_000);
    w.edit("p1.md", "C");
    w.run(3_600_000);
    assert_eq!(w.requests(), (1, 0), "nothing more is sent with the old key: {:?}", w.asked());
    w.key = hubsync::sandbox::SANDBOX_KEY.to_owned();
    w.key_source = w.key.clone();
    w.handle(Input::KeyRenewed);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("C"));
    assert_eq!(w.summary().hub.state, HubState::Ok);
}

#[test]
fn a_key_that_was_renewed_meanwhile_is_used_at_once() {
    let mut w = met("A");
    w.key = "revoked".to_owned();
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1", "GET pages/p1", "PATCH pages/p1"]);
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_429_pauses_everything_for_as_long_as_it_says() {
    let mut w = many(3, Mode::Daemon, Policy::default(), Settings::default());
    w.watch.shared_limits = true;
    w.write_fates.push_back(Fate::Limited(RetryAfter::Seconds(40)));
    w.edit("p0.md", "B");
    w.run(1_000);
    let paused = w.time;
    assert_eq!(w.summary().hub.state, HubState::Paused);
    w.forget_requests();
    w.edit("p1.md", "B");
    w.run(38_000);
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    w.settle();
    assert!(w.time - paused >= 38_000);
    assert!(w.is_in_step("p0.md") && w.is_in_step("p1.md"));
    assert_eq!(w.version("p0"), Some(2));
    assert_eq!(w.summary().hub.state, HubState::Ok);
}

#[test]
fn others_who_spend_the_workspaces_limit_are_met_as_429() {
    let mut w = met("A");
    w.watch.shared_limits = true;
    for _ in 0..60 {
        w.hub.spend(w.hub_time());
    }
    w.edit("p1.md", "B");
    w.settle();
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.asked(), ["GET pages/p1", "GET pages/p1", "PATCH pages/p1"]);
}

#[test]
fn an_unreachable_hub_is_probed_less_and_less_and_all_goes_on_when_it_is_back() {
    let mut w = many(15, Mode::Daemon, Policy::default(), Settings::default());
    w.no_network = true;
    for i in 0..15 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    w.rescan();
    w.trace.clear();
    w.run(3_600_000);
    let probes = w.trace.iter().filter(|line| line.starts_with("send")).count();
    assert!((12..=40).contains(&probes), "{probes} probes in an hour");
    assert_eq!(w.state("p3.md"), (State::Pending, Some(Code::HubUnreachable)));
    assert_eq!(w.summary().hub.state, HubState::Unreachable);
    w.no_network = false;
    w.run(360_000);
    assert_eq!(w.summary().counts.in_step, 15);
    assert_eq!(w.requests().1, 15);
    assert_eq!(w.summary().hub.state, HubState::Ok);
}

#[test]
fn a_fresh_edit_probes_at_once() {
    let mut w = many(2, Mode::Daemon, Policy::default(), Settings::default());
    w.no_network = true;
    w.edit("p0.md", "B");
    w.run(3_600_000);
    w.no_network = false;
    w.edit("p1.md", "B");
    w.run(1_000);
    assert!(w.is_in_step("p1.md") && w.is_in_step("p0.md"));
}

#[test]
fn a_state_that_cannot_be_written_sends_nothing_and_recovers() {
    let mut w = met("A");
    w.disk.full = true;
    w.stored = 0;
    w.edit("p1.md", "B");
    let before = w.requests().0;
    for _ in 0..10 {
        w.run(60_000);
        let hub = w.summary().hub;
        assert_eq!((hub.state, hub.why), (HubState::Paused, Some(ShutWhy::StateBroken)));
    }
    assert_eq!(w.live_text("p1").as_deref(), Some("A"));
    assert!(w.stored < 200, "{} attempts in ten minutes", w.stored);
    let (reads, writes) = w.requests();
    assert_eq!(writes, 0);
    assert!(reads - before <= 1, "{} looks that nobody can keep", reads - before);
    w.disk.full = false;
    w.settle();
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.version("p1"), Some(2));
    w.restart(Mode::Daemon);
    w.settle();
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_sync_with_a_state_that_cannot_be_written_knows_what_it_waits_for() {
    let mut w = many(2, Mode::Daemon, Policy::default(), Settings::default());
    w.write_file("p0.md", Doc::published("p0", "B"));
    w.disk.full = true;
    w.restart(SYNC);
    w.run(1_000);
    let rest = w.engine.rest(w.now());
    assert!(
        matches!(rest, Rest::Waiting { until: Some(_), on: Some(WaitsOn::Shut(ShutWhy::StateBroken)) }),
        "{rest:?}"
    );
    assert_eq!(w.requests().1, 0);
}

#[test]
fn an_acknowledgement_that_cannot_be_stored_is_looked_up_after_a_crash() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    while w.flights.front().is_none_or(|flight| !flight.is_write()) {
        if w.flights.is_empty() {
            assert!(w.work())
        } else {
            w.meet(Fate::Answered)
        };
        w.pump();
    }
    w.disk.full = true;
    w.meet(Fate::Answered);
    w.run(10_000);
    w.crash();
    w.disk.full = false;
    w.settle();
    assert_eq!(w.version("p1"), Some(2));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_dry_run_sends_no_write_and_says_what_it_would_send() {
    let mut w = many(3, Mode::Daemon, Policy::default(), Settings::default());
    w.write_file("p0.md", Doc::published("p0", "B"));
    w.restart(Mode::OneShot(hubsync::engine::Writes::Plan));
    w.settle();
    assert_eq!(w.asked(), ["GET pages"]);
    let planned = w.report("p0.md").planned.unwrap();
    assert_eq!((planned.fields, planned.replaces_title.as_deref()), (vec!["title", "content", "status"], Some("T")));
    assert!(w.report("p1.md").planned.is_none());
    assert_eq!(w.state("p0.md").0, State::Pending);
}

#[test]
fn a_sync_whose_look_fails_looks_again() {
    for fate in [Fate::Gateway(502), Fate::Cut, Fate::Unsent, Fate::Limited(RetryAfter::Seconds(3))] {
        let mut w = many(2, Mode::Daemon, Policy::default(), Settings::default());
        w.watch.shared_limits = true;
        w.publishes("p1", "X");
        w.write_file("p0.md", Doc::published("p0", "B"));
        w.setting.mode = SYNC;
        w.fates.push_back(fate.clone());
        w.crash();
        w.settle();
        assert!(w.is_in_step("p0.md"), "{fate:?}");
        assert_eq!(w.state("p1.md").0, State::Drifted, "{fate:?}: it was not looked at");
    }
}

#[test]
fn a_missing_root_publishes_nothing() {
    let mut w = met("A");
    w.folder.missing = true;
    w.edit("p1.md", "B");
    w.run(10_000_000);
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md").1, Some(Code::RootMissing));
    assert_eq!(w.engine.rest(w.now()), Rest::Done);
    w.folder.missing = false;
    w.rescan();
    w.settle();
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_file_that_changes_right_before_it_is_sent_is_read_again() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    let newer = Doc { body: "C".to_owned(), ..w.folder["p1.md"].clone() };
    w.write_file("p1.md", newer);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("C"));
    assert_eq!(w.version("p1"), Some(2));
    assert_eq!(w.requests().1, 1);
}

#[test]
fn a_published_race_is_reported() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    while w.flights.front().is_none_or(|flight| !flight.is_write()) {
        if w.flights.is_empty() {
            assert!(w.work())
        } else {
            w.meet(Fate::Answered)
        };
        w.pump();
    }
    w.publishes("p1", "X");
    w.settle();
    assert!(w.disk.log.iter().any(|line| line.event == LogEvent::Raced { version: 3 }), "{:?}", w.disk.log);
}
