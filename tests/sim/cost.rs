//! What a change costs (contract.md, the table of that name).

use hubsync::engine::Mode;
use hubsync::policy::{ConflictCheck, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::Settings;

use super::world::{Doc, SYNC, World, many, met, met_with};

fn unchecked() -> Policy {
    Policy { conflict_check: ConflictCheck::Off, ..Policy::default() }
}

#[test]
fn a_first_meeting_costs_one_look_and_one_write() {
    let mut w = World::new();
    w.page("p1", "", hubsync::sandbox::Status::Draft);
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1", "PATCH pages/p1"]);
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.live_text("p1").as_deref(), Some("A"));
}

#[test]
fn a_first_meeting_with_equal_text_costs_one_look() {
    let mut w = World::new();
    w.live("p1", "A");
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1"]);
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn one_changed_document_costs_two_requests() {
    let mut w = met("A");
    for (body, version) in [("B", 2), ("C", 3)] {
        w.edit("p1.md", body);
        w.settle();
        assert_eq!(w.asked(), ["GET pages/p1", "PATCH pages/p1"]);
        assert_eq!((w.live_text("p1").as_deref(), w.version("p1")), (Some(body), Some(version)));
        w.forget_requests();
    }
}

#[test]
fn one_changed_document_costs_one_request_without_a_conflict_check() {
    let mut w = met_with(unchecked(), "A");
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.asked(), ["PATCH pages/p1"]);
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
}

#[test]
fn twenty_changed_documents_cost_twenty_writes_and_one_list() {
    let mut w = many(20, Mode::Daemon, Policy::default(), Settings::default());
    for i in 0..20 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    w.rescan();
    w.settle();
    assert_eq!(w.requests(), (1, 20), "{:?}", w.asked());
    assert!((0..20).all(|i| w.live_text(&format!("p{i}")).as_deref() == Some("B")));
}

#[test]
fn twenty_changed_documents_cost_twenty_requests_without_a_conflict_check() {
    let mut w = many(20, Mode::Daemon, unchecked(), Settings::default());
    for i in 0..20 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    w.rescan();
    w.settle();
    assert_eq!(w.requests(), (0, 20), "{:?}", w.asked());
}

#[test]
fn a_restart_of_run_costs_nothing() {
    let mut w = many(5, Mode::Daemon, Policy::default(), Settings::default());
    w.restart(Mode::Daemon);
    w.settle();
    w.run(1_000_000);
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.summary().counts.in_step, 5);
}

#[test]
fn a_sync_with_nothing_changed_costs_one_list() {
    let mut w = many(5, Mode::Daemon, Policy::default(), Settings::default());
    w.restart(SYNC);
    w.settle();
    assert_eq!(w.asked(), ["GET pages"]);
    assert_eq!(w.summary().counts.in_step, 5);
}

#[test]
fn a_sync_with_one_change_costs_its_look_and_the_write() {
    let mut w = many(5, Mode::Daemon, Policy::default(), Settings::default());
    w.write_file("p1.md", Doc::published("p1", "B"));
    w.restart(SYNC);
    w.settle();
    assert_eq!(w.asked(), ["GET pages", "PATCH pages/p1"]);
}

#[test]
fn a_touch_a_rename_a_rescan_and_a_change_taken_back_cost_nothing() {
    let mut w = met("A");
    w.tell(&["p1.md"]);
    w.settle();
    w.change("p1.md", |doc| doc.other += 1);
    w.settle();
    let doc = w.folder.remove("p1.md").unwrap();
    w.save("sub/renamed.md", doc);
    w.rescan();
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert!(w.is_in_step("sub/renamed.md"));
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert!(w.is_in_step("sub/renamed.md"));
}

#[test]
fn a_drift_check_costs_one_list_and_a_drift_nothing_more() {
    let mut w = many(5, Mode::Daemon, Policy::default(), Settings::default());
    w.publishes("p1", "X");
    w.run(1_801_000);
    assert_eq!(w.asked(), ["GET pages"]);
    assert_eq!(w.state("p1.md"), (State::Drifted, Some(Code::RemoteChanged)));
    w.forget_requests();
    w.rescan();
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Drifted, Some(Code::RemoteChanged)));
}

#[test]
fn a_held_conflict_costs_nothing_until_a_side_changes() {
    let mut w = met("A");
    w.publishes("p1", "X");
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1"]);
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteChanged)));
    w.forget_requests();
    w.rescan();
    w.settle();
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteChanged)));
    // The list shows the page again, with the marks that were seen: still nothing.
    w.run(2 * 1_801_000);
    assert!(w.asked().iter().all(|asked| asked == "GET pages"), "{:?}", w.asked());
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
}

#[test]
fn lists_of_more_than_a_hundred_touched_pages_are_read_whole() {
    let mut w = many(130, Mode::Daemon, Policy::default(), Settings::default());
    for i in 0..130 {
        w.publishes(&format!("p{i}"), "X");
    }
    w.run(1_801_000);
    assert_eq!(w.asked(), ["GET pages", "GET pages"]);
    assert_eq!(w.summary().counts.drifted, 130);
}

#[test]
fn a_hundred_and_thirty_documents_take_three_minutes_and_meet_no_429() {
    let mut w = many(130, Mode::Daemon, Policy::default(), Settings::default());
    for i in 0..130 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "B"));
    }
    let begun = w.time;
    w.rescan();
    w.settle();
    let (reads, writes) = w.requests();
    assert_eq!(writes, 130);
    // A look each minute; the last one has over a hundred of our own writes to show.
    assert!((3..=5).contains(&reads), "{reads} reads");
    let minutes = (w.time - begun) / 60_000;
    assert!((2..=3).contains(&minutes), "{minutes} minutes");
    assert_eq!(w.summary().counts.in_step, 130);
}

#[test]
fn a_draft_document_whose_lists_alone_were_sent_costs_one_look_more() {
    let mut w = World::new();
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.page("p1", "A", hubsync::sandbox::Status::Draft);
    w.save("p1.md", Doc::draft("p1", "A"));
    w.settle();
    w.run(100_000);
    w.forget_requests();
    w.change("p1.md", |doc| doc.named.folders = Some(vec![folder]));
    w.settle();
    assert_eq!(w.asked(), ["GET folders", "GET pages/p1", "PATCH pages/p1", "GET pages/p1"]);
    assert!(w.is_in_step("p1.md"));
}
