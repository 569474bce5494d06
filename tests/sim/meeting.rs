//! First meetings, drifts, conflicts, and what stands in the way of a page.

use hubsync::page::Status;
use hubsync::policy::{OnDifference, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::{self, Act};

use super::world::{Doc, World, many, met, met_with};

fn local() -> Policy {
    Policy { on_first_meeting: OnDifference::Local, on_conflict: OnDifference::Local, ..Policy::default() }
}

#[test]
fn another_text_is_held_at_the_first_meeting_and_costs_nothing_later() {
    let mut w = World::new();
    w.live("p1", "X");
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::FirstMeeting)));
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    w.forget_requests();
    w.restart(hubsync::engine::Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::FirstMeeting)));
}

#[test]
fn another_text_is_replaced_over_a_backup_where_the_document_wins() {
    let mut w = World::with(hubsync::engine::Mode::Daemon, local(), sandbox::Settings::default());
    w.live("p1", "X");
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("A"));
    assert_eq!(w.disk.backups.iter().map(|backup| backup.text.body.as_str()).collect::<Vec<_>>(), ["X"]);
    assert_eq!(w.disk.backups[0].version, 1);
}

#[test]
fn equal_text_is_adopted_and_lists_that_differ_are_sent() {
    let mut w = World::new();
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.live("p1", "A");
    w.save("p1.md", Doc::published("p1", "A").in_folders(&["Sales"]));
    w.settle();
    assert_eq!(w.last_write(), serde_json::json!({"folder_ids": [folder]}));
    assert_eq!(w.version("p1"), Some(1));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn what_the_hub_rewrites_is_equal_at_the_first_meeting() {
    let mut w = World::new();
    w.live("p1", "- one\n- two");
    w.save("p1.md", Doc::published("p1", "* one  \n* two\n"));
    w.settle();
    assert_eq!(w.requests(), (1, 0));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_conflict_where_the_document_wins_is_published_over_a_backup() {
    let mut w = met_with(local(), "A");
    w.publishes("p1", "X");
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
    assert_eq!(w.disk.backups.iter().map(|backup| backup.text.body.as_str()).collect::<Vec<_>>(), ["X"]);
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn only_the_hub_changed_is_drift_and_taking_it_over_is_in_step() {
    let mut w = met("A");
    w.publishes("p1", "X");
    w.run(1_801_000);
    assert_eq!(w.state("p1.md").0, State::Drifted);
    w.edit("p1.md", "X");
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    assert_eq!(w.version("p1"), Some(2));
}

#[test]
fn a_text_that_the_document_had_before_is_no_foreign_edit() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    w.settle();
    w.publishes("p1", "A");
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("C"));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn fields_that_only_we_changed_are_sent_while_the_others_drift() {
    let mut w = World::new();
    let (ours, theirs) = (w.hub.add_folder(w.hub_time(), "Ours", None), w.hub.add_folder(w.hub_time(), "Theirs", None));
    w.live("p1", "A");
    w.save("p1.md", Doc::published("p1", "A").in_folders(&["Ours"]));
    w.settle();
    w.run(100_000);
    w.files("p1", std::slice::from_ref(&theirs));
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
    assert_eq!(w.hub.page("p1").unwrap().folder_ids, [theirs]);
    assert_eq!(w.state("p1.md").0, State::Drifted);
    assert_ne!(w.hub.page("p1").unwrap().folder_ids, [ours]);
}

#[test]
fn folders_that_differ_alone_are_sent_alone_and_without_a_status() {
    let mut w = met("A");
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    assert_eq!(w.last_write(), serde_json::json!({"folder_ids": [folder]}));
    assert_eq!(w.version("p1"), Some(1));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn fields_that_are_not_managed_are_never_sent_and_their_changes_are_no_drift() {
    let mut w = met("A");
    let folder = w.hub.add_folder(w.hub_time(), "Theirs", None);
    w.files("p1", std::slice::from_ref(&folder));
    w.run(1_801_000);
    assert!(w.is_in_step("p1.md"));
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.last_write(), serde_json::json!({"title": "T", "content": "B", "status": "published"}));
    assert_eq!(w.hub.page("p1").unwrap().folder_ids, [folder]);
}

#[test]
fn a_title_that_is_not_managed_goes_as_the_live_one_last_looked_at() {
    let mut w = World::new();
    w.live("p1", "A");
    w.save("p1.md", Doc { title: None, ..Doc::published("p1", "A") });
    w.settle();
    w.colleague("p1", Act::Publish { title: "Renamed".to_owned(), content: "A".to_owned() });
    w.run(100_000);
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.last_write(), serde_json::json!({"title": "Renamed", "content": "B", "status": "published"}));
}

#[test]
fn an_empty_body_is_never_sent_over_a_text() {
    let mut w = met("A");
    w.edit("p1.md", " \n");
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::BodyEmpty)));
    assert_eq!(w.requests(), (0, 0));
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
}

#[test]
fn a_page_that_is_gone_costs_one_look_until_the_document_changes() {
    let mut w = met("A");
    w.colleague("p1", Act::Archive);
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::PageNotFound)));
    assert_eq!(w.asked(), ["GET pages/p1"]);
    w.forget_requests();
    w.rescan();
    w.restart(hubsync::engine::Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::PageNotFound)));
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1"]);
    w.colleague("p1", Act::Restore);
    w.run(1_801_000);
    assert_eq!(w.live_text("p1").as_deref(), Some("C"));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_look_that_found_no_page_holds_for_all_that_is_saved_within_its_minute() {
    let mut w = met("A");
    w.colleague("p1", Act::Archive);
    for body in ["B", "C"] {
        w.edit("p1.md", body);
        w.settle();
    }
    w.run(100_000);
    w.rescan();
    w.settle();
    assert_eq!(w.asked(), ["GET pages/p1"]);
}

#[test]
fn a_page_that_was_never_met_is_found_when_it_is_brought_back() {
    let mut w = World::new();
    w.live("p1", "A");
    w.colleague("p1", Act::Archive);
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::PageNotFound)));
    w.colleague("p1", Act::Restore);
    w.run(1_801_000);
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
}

#[test]
fn a_held_first_meeting_ends_when_the_hub_changes() {
    let mut w = World::new();
    w.live("p1", "X");
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    w.publishes("p1", "A");
    w.run(1_801_000);
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
}

#[test]
fn a_hub_whose_answers_have_no_date_is_checked_for_drift_too() {
    let mut w = World::new();
    w.no_date = true;
    w.live("p1", "A");
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    w.publishes("p1", "X");
    w.run(1_801_000);
    assert_eq!(w.state("p1.md").0, State::Drifted);
    w.forget_requests();
    w.run(1_801_000);
    assert_eq!(w.asked(), ["GET pages"]);
}

#[test]
fn most_pages_not_found_stops_everything() {
    let mut w = World::new();
    for i in 0..30 {
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "A"));
    }
    w.rescan();
    w.run(60_000);
    let (reads, writes) = w.requests();
    assert!(reads < 10 && writes == 0, "{reads} {writes}");
    assert_eq!(w.summary().hub.state, hubsync::engine::change::HubState::Paused);
}

#[test]
fn a_file_that_is_gone_leaves_its_page_alone() {
    let mut w = met("A");
    // The last document of a root does not go alone: that would be another root.
    w.folder.write_bytes(w.now(), "readme.md", b"no document");
    w.rescan();
    let doc = w.folder["p1.md"].clone();
    w.remove("p1.md");
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Orphaned);
    w.restart(hubsync::engine::Mode::Daemon);
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Orphaned);
    w.save("p1.md", doc);
    w.settle();
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.requests(), (0, 0));
}

#[test]
fn a_lost_state_meets_every_page_again_without_a_write() {
    let mut w = many(3, hubsync::engine::Mode::Daemon, Policy::default(), sandbox::Settings::default());
    w.lose_the_state();
    w.crash();
    w.settle();
    assert_eq!(w.requests(), (3, 0));
    assert_eq!(w.summary().counts.in_step, 3);
}

#[test]
fn a_document_that_becomes_a_draft_takes_nothing_down() {
    let mut w = met("A");
    w.change("p1.md", |doc| doc.status = Status::Draft);
    w.settle();
    assert_eq!(w.requests(), (0, 0));
    assert_eq!(w.report("p1.md").still_live, hubsync::engine::StillLive::Yes);
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!((w.live_text("p1").as_deref(), w.draft_text("p1").as_deref()), (Some("A"), Some("B")));
    assert_eq!(w.report("p1.md").still_live, hubsync::engine::StillLive::Yes);
}
