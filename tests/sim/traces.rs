//! The traces that once broke the decision table (its model found them), step by step against the hub. Base text is A.
//!
//! `at_write` brings the world to where a write is under way but has not arrived; `grant`, `store`, `apply`, `answer` do one
//! thing each; `settle` runs until at rest. What must never happen is watched by `watch` in every step.

use hubsync::engine::Mode;
use hubsync::page::Status;
use hubsync::policy::{ConflictCheck, OnDifference, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::{self, Act, Settings, Stamps};

use super::network::Fate;
use super::world::{Doc, World, many, met, met_with};

/// Carries effects out until a request is under way (all earlier ones answered) that is, or isn't, a write.
fn until_flight(w: &mut World, write: bool) {
    for _ in 0..1_000 {
        w.pump();
        if w.flights.front().is_some_and(|flight| flight.is_write() == write) {
            return;
        }
        if w.flights.is_empty() || !w.reserves.is_empty() || !w.stores.is_empty() {
            if !w.work() {
                let at = w.engine.wakeup(w.now()).unwrap().0 - w.now().mono.0;
                w.tick(i64::try_from(at).unwrap());
                w.handle(hubsync::engine::Input::Tick);
            }
        } else {
            w.meet(Fate::Answered);
        }
    }
    panic!("no such request comes\n{}", w.story());
}

fn at_write(w: &mut World) {
    until_flight(w, true);
}

fn at_look(w: &mut World) {
    until_flight(w, false);
}

/// The write is decided on, and its slot or its intent is still to come.
fn at_grant_of_write(w: &mut World) {
    at_look(w);
    w.meet(Fate::Answered);
    w.pump();
    while !w.stores.is_empty() {
        w.store();
    }
    assert!(!w.reserves.is_empty());
}

fn drift_check_is_due(w: &mut World) {
    w.handle(hubsync::engine::Input::Woke);
}

// ---- A: text is lost or published twice

#[test]
fn trace_a1_a_look_from_before_the_write_settles_no_doubt() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.apply();
    w.lose();
    w.run(5_500);
    w.settle();
    assert_eq!(w.version("p1"), Some(2));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn trace_a2_a_look_older_than_a_minute_carries_no_write() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_grant_of_write(&mut w);
    w.publishes("p1", "X");
    w.tick(61_000);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a3_the_five_seconds_count_from_the_end_of_the_connection() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.tick(31_000);
    w.late_nth(0, 4_000);
    w.settle();
    assert_eq!(w.version("p1"), Some(2));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn trace_a3_and_after_a_crash_from_the_start() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.tick(120_000);
    w.crash(); // what was on the wire lands 3 s later
    w.settle();
    assert_eq!(w.version("p1"), Some(2));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn trace_a4_a_write_is_decided_again_when_its_slot_comes_late() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_grant_of_write(&mut w);
    w.tick(61_000);
    w.grant();
    assert!(w.stores.is_empty(), "an intent on an old look");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
}

#[test]
fn trace_a4_and_once_more_when_its_intent_is_stored() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_grant_of_write(&mut w);
    w.grant();
    assert!(!w.stores.is_empty());
    w.publishes("p1", "X");
    w.tick(61_000);
    w.store();
    assert!(w.flights.iter().all(|flight| !flight.is_write()));
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a4_a_row_that_comes_between_grant_and_send_is_heard() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_grant_of_write(&mut w);
    w.publishes("p1", "X");
    // The list is answered while the intent is being stored.
    w.grant();
    let (id, change) = w.stores.pop_front().unwrap();
    drift_check_is_due(&mut w);
    while w.flights.is_empty() {
        w.pump();
        w.grant();
    }
    w.meet(Fate::Answered);
    w.stores.push_front((id, change));
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a5_a_look_is_as_old_as_its_sending() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    at_look(&mut w);
    w.apply();
    w.publishes("p1", "X");
    w.tick(30_000);
    w.answer();
    w.tick(31_000);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

/// Changes two documents, so that a list is read in place of single pages.
fn in_bulk(w: &mut World, body: &str) {
    for path in ["p1.md", "p2.md"] {
        let doc = Doc { body: body.to_owned(), ..w.folder[path].clone() };
        w.write_file(path, doc);
    }
    w.tell(&["p1.md", "p2.md"]);
    w.settle();
}

fn three() -> World {
    many(3, Mode::Daemon, Policy::default(), Settings::default())
}

#[test]
fn trace_a6_learned_marks_hide_no_draft() {
    let mut w = three();
    let folder = w.hub.add_folder(w.hub_time(), "G", None);
    w.drafts("p1", "Y");
    w.change("p1.md", |doc| doc.named.folders = Some(vec![folder]));
    w.settle();
    w.run(100_000);
    in_bulk(&mut w, "B");
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
    assert!(w.is_in_step("p2.md"));
}

#[test]
fn trace_a6_nor_does_the_look_after_a_lost_answer() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.apply();
    w.lose();
    w.drafts("p1", "Y");
    w.settle();
    assert!(w.is_in_step("p1.md"));
    w.run(4_000_000);
    in_bulk(&mut w, "C");
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
}

#[test]
fn trace_a6_nor_does_text_that_is_taken_over() {
    let mut w = three();
    w.publishes("p1", "B");
    w.drafts("p1", "Y");
    w.edit("p1.md", "B");
    w.settle();
    assert!(w.is_in_step("p1.md"));
    w.run(100_000);
    in_bulk(&mut w, "C");
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
}

#[test]
fn trace_a7_a_write_of_folders_hides_no_draft_saved_beside_it() {
    let mut w = three();
    let folder = w.hub.add_folder(w.hub_time(), "G", None);
    w.change("p1.md", |doc| doc.named.folders = Some(vec![folder]));
    at_write(&mut w);
    w.drafts("p1", "Y");
    w.apply();
    w.answer();
    w.settle();
    w.run(100_000);
    in_bulk(&mut w, "B");
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
}

#[test]
fn trace_a8_a_look_that_crosses_a_list_does_not_outweigh_it() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_look(&mut w);
    w.apply();
    w.publishes("p1", "X");
    drift_check_is_due(&mut w);
    w.grant();
    w.apply_nth(1);
    w.answer_nth(1);
    w.answer();
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a8_and_neither_does_the_list_outweigh_a_newer_look() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_look(&mut w);
    drift_check_is_due(&mut w);
    w.grant();
    w.apply_nth(1); // the list, from before
    w.publishes("p1", "X");
    w.apply();
    w.answer();
    w.pump();
    w.answer();
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a8_a_list_from_before_our_write_is_no_drift_after_it() {
    let mut w = three();
    w.edit("p1.md", "B");
    w.settle();
    w.run(100_000);
    w.edit("p1.md", "C");
    at_write(&mut w);
    drift_check_is_due(&mut w);
    w.grant();
    w.apply_nth(1);
    w.apply();
    w.answer();
    w.answer();
    w.forget_requests();
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    assert_eq!(w.requests(), (0, 0));
}

#[test]
fn trace_a8_a_row_from_after_our_write_outlives_its_answer() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.apply();
    w.publishes("p1", "X");
    drift_check_is_due(&mut w);
    w.grant();
    w.apply_nth(1);
    w.answer_nth(1);
    w.answer();
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Drifted);
}

#[test]
fn the_next_list_begins_half_a_minute_before_the_last_and_never_after_its_newest_row() {
    let mut w = three();
    let listed = |w: &mut World| {
        drift_check_is_due(w);
        w.settle();
        w.run(1_000);
        w.memory().marks.watermark.unwrap().0 / 1_000
    };
    let touched = w.time;
    w.publishes("p1", "X");
    assert!(listed(&mut w) <= w.time - 30_000);
    w.run(600_000);
    assert!((touched..touched + 10).contains(&listed(&mut w)));
}

#[test]
fn trace_a8_rows_of_pages_without_common_ground_are_kept() {
    let mut w = three();
    w.page("q", "", sandbox::Status::Draft);
    w.save("q.md", Doc::published("q", "A"));
    at_look(&mut w);
    w.apply();
    w.publishes("q", "X");
    drift_check_is_due(&mut w);
    w.grant();
    w.apply_nth(1);
    w.answer_nth(1);
    w.answer();
    w.settle();
    assert_eq!(w.live_text("q").as_deref(), Some("X"));
    assert_eq!(w.state("q.md"), (State::Conflict, Some(Code::FirstMeeting)));
}

#[test]
fn trace_a9_a_draft_document_takes_no_live_text_for_its_own() {
    let mut w = three();
    w.change("p1.md", |doc| doc.status = Status::Draft);
    w.settle();
    w.edit("p1.md", "B");
    w.settle();
    w.publishes("p1", "X");
    w.drafts("p1", "B");
    w.run(4_000_000);
    w.change("p1.md", |doc| doc.status = Status::Published);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a9_a_hub_that_normalises_is_sent_nothing_needless() {
    let settings = Settings { normalise: sandbox::Normalise::Markdown, ..Settings::default() };
    let mut w = World::with(Mode::Daemon, Policy::default(), settings);
    w.page("p1", "", sandbox::Status::Draft);
    w.save("p1.md", Doc::draft("p1", "* A"));
    w.settle();
    w.run(4_000_000);
    w.change("p1.md", |doc| doc.status = Status::Published);
    w.settle();
    w.run(4_000_000);
    w.rescan();
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    assert_eq!((w.requests().1, w.live_text("p1").as_deref()), (2, Some("- A\n")));
}

#[test]
fn trace_a10_a_draft_that_equals_the_document_does_not_open_the_live_text() {
    let mut w = met("A");
    w.publishes("p1", "X");
    w.drafts("p1", "B");
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_a11_a_text_that_was_never_sent_is_backed_up() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    w.edit("p1.md", "C");
    w.publishes("p1", "B");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("C"));
    assert!(w.disk.backups.iter().any(|backup| backup.text.body == "B"));
}

#[test]
fn trace_a12_a_draft_in_the_second_of_our_write_is_never_overwritten() {
    let settings = Settings { stamps: Stamps::WholeSeconds, ..Settings::default() };
    let mut w = many(3, Mode::Daemon, Policy::default(), settings);
    w.tick(1_000 - w.time % 1_000);
    w.handle(hubsync::engine::Input::Tick);
    in_bulk(&mut w, "B");
    assert_eq!(w.version("p1"), Some(2));
    w.drafts("p1", "Y");
    w.run(100_000);
    in_bulk(&mut w, "C");
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
}

#[test]
fn trace_a13_a_lost_state_waits_for_what_may_be_on_its_way() {
    let policy = Policy { on_first_meeting: OnDifference::Local, ..Policy::default() };
    let mut w = met_with(policy, "A");
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.lose_the_state();
    w.setting.hold_ms = 5_000;
    w.crash();
    w.settle();
    assert_eq!(w.version("p1"), Some(2));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn trace_a15_a_draft_title_of_a_colleague_is_not_published() {
    let mut w = World::new();
    w.live("p1", "A");
    w.save("p1.md", Doc { title: None, ..Doc::published("p1", "A") });
    w.settle();
    w.run(100_000);
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.colleague("p1", Act::SaveDraft { title: "Half done".to_owned(), content: "A".to_owned() });
    w.settle();
    assert_eq!(w.hub.page("p1").unwrap().title(), "T");
}

#[test]
fn a_look_that_hangs_hides_no_draft_saved_meanwhile_from_the_first_list() {
    let mut w = World::new();
    for id in ["p1", "p2"] {
        w.live(id, "A");
        w.write_file(&format!("{id}.md"), Doc::published(id, "A"));
    }
    w.tell(&["p1.md", "p2.md"]);
    while w.flights.len() < 2 {
        w.grant();
    }
    w.apply();
    w.drafts("p1", "Y");
    w.tick(50_000);
    w.apply_nth(1);
    w.answer_nth(1);
    w.answer();
    w.settle();
    w.run(1_801_000);
    assert_eq!(w.report("p1.md").draft, hubsync::reconcile::step::RemoteDraft::There);
    in_bulk(&mut w, "B");
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
}

// ---- B: no end, needless requests, wrong states

#[test]
fn trace_b1_a_held_conflict_costs_nothing_at_restarts_rescans_and_lists() {
    let mut w = three();
    w.publishes("p1", "X");
    w.edit("p1.md", "B");
    w.settle();
    w.forget_requests();
    for _ in 0..3 {
        w.rescan();
        w.run(1_801_000);
        w.restart(Mode::Daemon);
    }
    assert!(w.asked().iter().all(|asked| asked == "GET pages"), "{:?}", w.asked());
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_b2_a_missing_page_is_remembered() {
    let mut w = three();
    w.colleague("p1", Act::Archive);
    w.edit("p1.md", "B");
    w.settle();
    w.restart(Mode::Daemon);
    w.forget_requests();
    in_bulk(&mut w, "B");
    assert!(!w.asked().contains(&"GET pages/p1".to_owned()), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::PageNotFound)));
    w.edit("p1.md", "A");
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::PageNotFound)));
}

#[test]
fn trace_b3_other_folders_on_a_row_are_drift() {
    let mut w = three();
    let (ours, other) = (w.hub.add_folder(w.hub_time(), "G", None), w.hub.add_folder(w.hub_time(), "H", None));
    w.change("p1.md", |doc| doc.named.folders = Some(vec![ours]));
    w.settle();
    w.files("p1", &[other]);
    w.run(1_801_000);
    assert_eq!(w.state("p1.md").0, State::Drifted);
}

#[test]
fn trace_b4_a_write_of_folders_takes_no_version_for_its_own() {
    let mut w = three();
    let folder = w.hub.add_folder(w.hub_time(), "G", None);
    w.publishes("p1", "X");
    w.change("p1.md", |doc| doc.named.folders = Some(vec![folder]));
    w.settle();
    w.run(1_801_000);
    assert_eq!(w.state("p1.md").0, State::Drifted, "{:?}", w.report("p1.md"));
}

#[test]
fn trace_b5_equal_text_with_other_folders_is_no_conflict_and_has_an_end() {
    let mut w = three();
    let (ours, other) = (w.hub.add_folder(w.hub_time(), "G", None), w.hub.add_folder(w.hub_time(), "H", None));
    w.change("p1.md", |doc| doc.named.folders = Some(vec![ours]));
    w.settle();
    w.run(100_000);
    w.publishes("p1", "B");
    w.files("p1", &[other]);
    w.edit("p1.md", "B");
    w.forget_requests();
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Drifted);
    assert_eq!(w.requests(), (1, 0));
}

#[test]
fn trace_b6_a_draft_of_ours_that_was_published_is_in_step() {
    let mut w = three();
    w.change("p1.md", |doc| doc.status = Status::Draft);
    w.edit("p1.md", "B");
    w.settle();
    w.publishes("p1", "B");
    w.run(1_801_000);
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
}

#[test]
fn trace_b7_a_doubt_ends() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_grant_of_write(&mut w);
    w.grant();
    w.store(); // stored, and the process ends before it is sent
    w.flights.clear();
    w.publishes("p1", "X");
    w.crash();
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Conflict);
    w.forget_requests();
    w.restart(Mode::Daemon);
    w.run(10_000);
    assert_eq!(w.requests(), (0, 0));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn trace_b9_without_a_conflict_check_the_file_wins_at_once_and_after_a_restart() {
    let policy = Policy { conflict_check: ConflictCheck::Off, ..Policy::default() };
    let mut w = met_with(policy, "A");
    w.publishes("p1", "X");
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.lose();
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
    assert!(w.is_in_step("p1.md"));
    w.restart(Mode::Daemon);
    w.settle();
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn trace_b11_a_stale_look_with_a_list_that_says_nothing_has_an_end() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_grant_of_write(&mut w);
    w.tick(61_000);
    in_bulk(&mut w, "C");
    assert!(w.is_in_step("p1.md") && w.is_in_step("p2.md"));
    assert!(w.requests().0 <= 3, "{:?}", w.asked());
}

#[test]
fn trace_b12_a_lost_state_on_a_hub_that_normalises_meets_without_conflict() {
    let settings = Settings { normalise: sandbox::Normalise::Markdown, ..Settings::default() };
    let policy = Policy { on_first_meeting: OnDifference::Local, ..Policy::default() };
    let mut w = World::with(Mode::Daemon, policy, settings);
    w.page("p1", "", sandbox::Status::Draft);
    w.save("p1.md", Doc::published("p1", "* A \n"));
    w.settle();
    w.lose_the_state();
    w.crash();
    w.settle();
    assert_eq!(w.version("p1"), Some(1));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn trace_b13_a_doubt_about_a_file_that_is_gone_stands_the_same_after_a_restart() {
    let mut w = three();
    w.edit("p1.md", "B");
    at_write(&mut w);
    w.publishes("p1", "X");
    w.lose();
    w.remove("p1.md");
    w.settle();
    let before = w.state("p1.md");
    assert_eq!(before.0, State::Orphaned);
    w.forget_requests();
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!((w.state("p1.md"), w.requests()), (before, (0, 0)));
}
