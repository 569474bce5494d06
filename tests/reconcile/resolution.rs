//! Row R1 where there is common ground (a person decided), and what a patch is made of.

use hubsync::page::{Lists, Print};
use hubsync::reconcile::page_record::Keep;

use crate::builders::{TITLE, ids, in_step};

#[test]
fn r1_local_sends_what_either_side_changed() {
    let scene = in_step().writes("B").colleague_publishes("X").colleague_files_in(&["other"]);
    assert_eq!(scene.settles(Keep::Local).is(), "R1 patch title content status folder_ids +live");
    let drifted = in_step().colleague_publishes("X");
    assert_eq!(drifted.settles(Keep::Local).is(), "R1 patch title content status +live");
    let filed = in_step().colleague_files_in(&["other"]);
    assert_eq!(filed.settles(Keep::Local).is(), "R1 patch folder_ids");
    let drafted = in_step().writes("B").colleague_drafts("Y").colleague_files_in(&["other"]);
    assert_eq!(drafted.settles(Keep::Local).is(), "R1 patch title content status folder_ids +draft");
}

#[test]
fn r1_remote_and_both_go_into_the_file() {
    for (keep, line) in [(Keep::Remote, "R1 write_text remote"), (Keep::Both, "R1 write_text both")] {
        assert_eq!(in_step().writes("B").colleague_publishes("X").settles(keep).is(), line);
        assert_eq!(in_step().colleague_publishes("X").settles(keep).is(), line);
        assert_eq!(in_step().writes("B").colleague_drafts("Y").settles(keep).is(), line);
    }
}

#[test]
fn r1_what_a_person_made_of_both_goes_over_that_version_alone() {
    let merged = in_step().writes("B").colleague_publishes("X").settles(Keep::Merged);
    assert_eq!(merged.is(), "R1 patch title content status +live");
    assert_eq!(merged.colleague_publishes("Z").is(), "D7 hold conflict remote_changed");
    let draft = in_step().writes("B").colleague_drafts("Y").settles(Keep::Merged);
    assert_eq!(draft.is(), "R1 patch title content status +draft");
}

#[test]
fn r1_holds_for_the_marks_that_it_was_decided_on() {
    let settled = in_step().writes("B").colleague_publishes("X").settles(Keep::Local);
    assert_eq!(settled.clone().colleague_publishes("Z").is(), "D7 hold conflict remote_changed");
    assert_eq!(settled.clone().colleague_drafts("Y").is(), "D9 hold conflict remote_draft");
    let drifted = in_step().colleague_publishes("X").settles(Keep::Local).colleague_drafts("Y");
    assert_eq!(drifted.is(), "C5 hold drifted remote_changed");
    let mut other_version = settled;
    other_version.page.settled.as_mut().unwrap().version = Some(7);
    assert_eq!(other_version.is(), "D7 hold conflict remote_changed");
}

#[test]
fn r1_is_carried_out_on_the_page_itself() {
    let settled = in_step().writes("B").colleague_publishes("X").looked_at().settles(Keep::Local);
    for said in [settled.unknown(), settled.unmoved(), settled.is_stale()] {
        assert_eq!(said, "R1 get");
    }
    assert_eq!(settled.moved(), "D3 get");
    let drifted = in_step().colleague_publishes("X").looked_at().settles(Keep::Remote);
    assert_eq!(drifted.unknown(), "R1 get");
    assert_eq!(drifted.moved(), "D3 get", "not held on a row while a decision waits");
}

#[test]
fn r1_is_asked_only_in_place_of_a_hold() {
    assert_eq!(in_step().settles(Keep::Remote).is(), "C4 in_step");
    assert_eq!(in_step().writes("B").settles(Keep::Remote).is(), "D4 patch title content status");
}

// What a patch is.

#[test]
fn a_title_that_is_not_managed_goes_as_the_live_one() {
    let scene = in_step().leaves_the_title_alone().writes("B").colleague_retitles("Theirs");
    assert_eq!(scene.is(), "D4 patch title content status +live");
    assert_eq!(scene.is().patch().text.as_ref().unwrap().title.as_deref(), Some("Theirs"));
}

#[test]
fn only_lists_that_differ_are_sent() {
    let mut scene = in_step().writes("B");
    scene.document.lists = Lists { skills: Some(ids(&["s"])), sources: Some(ids(&["deck"])), folders: None };
    assert_eq!(scene.is(), "D4 patch title content status source_ids");
    scene.document.lists = Lists { skills: Some(ids(&["t"])), ..Lists::default() };
    assert_eq!(scene.is(), "D4 patch title content status skill_ids");
}

#[test]
fn a_text_of_ours_needs_no_backup() {
    assert_eq!(in_step().hub_echoes("A\n").writes("B").is(), "D4 patch title content status");
    let mut blank = in_step().writes("B");
    blank.base().live = None;
    blank.hub.live = Some(Print::of(TITLE, ""));
    assert_eq!(
        blank.on_first_meeting_local().is(),
        "D7 patch title content status",
        "an empty body under the same title"
    );
}
