//! Who goes first, who waits, and what a clock that jumps does.

use hubsync::engine::{Input, Mode, WaitsOn};
use hubsync::policy::Policy;
use hubsync::reason::{Code, State};
use hubsync::sandbox::Settings;

use super::network::Fate;
use super::world::{Doc, SYNC, World, many, met};

/// How long after an edit its page was published.
fn takes(w: &mut World, body: &str) -> i64 {
    let begun = w.time;
    w.edit("p1.md", body);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some(body));
    (w.time - begun) / 100 * 100
}

#[test]
fn a_page_published_again_and_again_waits_longer() {
    let mut w = met("A");
    let waits: Vec<i64> = ["B", "C", "D", "E"].iter().map(|body| takes(&mut w, body)).collect();
    let seconds: Vec<i64> = waits.iter().map(|ms| (ms + 500) / 1000).collect();
    assert_eq!(seconds, [0, 2, 4, 6]);
    w.run(3_600_000);
    assert!(takes(&mut w, "F") < 1_000);
}

#[test]
fn edits_go_on_pushing_a_busy_page_back_but_not_beyond_max_delay() {
    let policy = Policy { max_delay: 10_000, ..Policy::default() };
    let mut w = super::world::met_with(policy, "A");
    for body in ["B", "C", "D", "E"] {
        takes(&mut w, body);
    }
    let begun = w.time;
    let mut n = 0;
    while w.version("p1") == Some(5) {
        n += 1;
        w.edit("p1.md", &format!("F{n}"));
        w.run(1_000);
        assert!(w.time - begun < 20_000);
    }
    assert!((10_000..=12_500).contains(&(w.time - begun)), "{}", w.time - begun);
}

#[test]
fn an_edit_taken_back_while_it_waits_is_not_published() {
    let mut w = met("A");
    takes(&mut w, "B");
    w.forget_requests();
    w.edit("p1.md", "C");
    w.run(500);
    w.edit("p1.md", "B");
    w.settle();
    w.run(10_000);
    assert_eq!(w.requests(), (0, 0));
}

#[test]
fn an_edit_overtakes_bulk() {
    let mut w = many(200, Mode::Daemon, Policy::default(), Settings::default());
    for i in 0..200 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    w.rescan();
    w.run(61_000);
    assert!(w.summary().counts.in_step < 200);
    let last = (0..200).rev().find(|i| w.version(&format!("p{i}")) == Some(1)).unwrap();
    let path = format!("p{last}.md");
    w.edit(&path, "C");
    let begun = w.time;
    while !w.is_in_step(&path) {
        w.run(500);
        assert!(w.time - begun < 65_000, "{:?}", w.report(&path));
    }
    assert_eq!(w.live_text(&format!("p{last}")).as_deref(), Some("C"));
    assert!(w.summary().counts.pending > 0, "it did not overtake");
}

#[test]
fn bulk_leaves_a_tenth_of_the_day_to_edits() {
    let settings = Settings { per_minute: 60, per_day: 40, ..Settings::default() };
    let mut w = many(60, Mode::Daemon, Policy::default(), settings);
    for i in 0..60 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    w.rescan();
    w.run(600_000);
    let (reads, writes) = w.requests();
    assert!(reads + writes <= 36, "{reads} + {writes}");
    assert!(w.summary().counts.pending > 0);
    let waiting = w.summary().pages.into_iter().find(|page| page.state == State::Pending).unwrap();
    assert_eq!(waiting.reason.unwrap().code, Code::OutOfBudget);
    assert_eq!(w.summary().waits.unwrap().on, WaitsOn::Day);
    let path = waiting.path.to_text();
    w.edit(&path, "C");
    w.run(10_000);
    assert!(w.is_in_step(&path), "{:?}", w.report(&path));
    w.run(2 * 86_400_000);
    assert_eq!(w.summary().counts.in_step, 60);
}

#[test]
fn a_sync_of_many_waits_for_the_minute() {
    let mut w = many(130, Mode::Daemon, Policy::default(), Settings::default());
    for i in 0..130 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    w.restart(SYNC);
    w.settle();
    assert_eq!(w.summary().counts.in_step, 130);
    assert_eq!(w.requests().1, 130);
}

#[test]
fn many_first_meetings_take_a_look_and_a_write_each() {
    let mut w = World::new();
    for i in 0..100 {
        w.page(&format!("p{i}"), "", hubsync::sandbox::Status::Draft);
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "A"));
    }
    w.rescan();
    w.settle();
    assert_eq!(w.requests(), (100, 100));
    assert_eq!(w.summary().counts.in_step, 100);
}

#[test]
fn a_probe_waits_for_a_slot_without_spinning() {
    let settings = Settings { per_minute: 1, ..Settings::default() };
    let mut w = many(1, Mode::Daemon, Policy::default(), settings);
    w.publishes("p0", "X");
    w.fates.push_back(Fate::Cut);
    w.handle(Input::Woke);
    w.run(100_000);
    assert_eq!(w.state("p0.md").0, State::Drifted);
}

#[test]
fn a_machine_that_slept_looks_at_once() {
    let mut w = met("A");
    w.publishes("p1", "X");
    w.skew += 300_000;
    w.handle(Input::Woke);
    w.run(2_000);
    assert_eq!(w.asked(), ["GET pages"]);
    assert_eq!(w.state("p1.md").0, State::Drifted);
}

#[test]
fn a_wall_clock_set_back_or_ahead_stops_nothing() {
    for jump in [-86_400_000 * 3, -600_000, 600_000, 86_400_000 * 3] {
        let mut w = many(3, Mode::Daemon, Policy::default(), Settings::default());
        w.edit("p0.md", "B");
        w.settle();
        w.skew += jump;
        w.handle(Input::Woke);
        w.edit("p0.md", "C");
        w.edit("p1.md", "C");
        w.run(120_000);
        assert!(w.is_in_step("p0.md") && w.is_in_step("p1.md"), "{jump}: {:?}", w.report("p0.md"));
        w.publishes("p2", "X");
        w.run(1_900_000);
        assert_eq!(w.state("p2.md").0, State::Drifted, "{jump}");
    }
}

#[test]
fn no_drift_check_is_made_where_it_is_turned_off() {
    let mut w = super::world::met_with(Policy { check_interval: None, ..Policy::default() }, "A");
    w.publishes("p1", "X");
    w.run(86_400_000 / 2);
    assert_eq!(w.requests(), (0, 0));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn nothing_is_sent_while_a_damaged_states_writes_may_be_on_their_way() {
    let mut w = many(2, Mode::Daemon, Policy::default(), Settings::default());
    w.lose_the_state();
    w.setting.hold_ms = 5_000;
    w.crash();
    w.run(4_900);
    assert_eq!(w.requests(), (0, 0));
    w.settle();
    assert_eq!(w.requests(), (2, 0));
}
