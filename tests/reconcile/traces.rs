//! The shortest traces that broke earlier versions of the table, as far as one decision tells them. They are named after
//! their numbers; what somebody does stands in the order in which it was done.

use hubsync::page::{Lists, Mono, Patch, Print, Status};
use hubsync::reason::Code;
use hubsync::reconcile::acknowledged;
use hubsync::reconcile::page_record::{Base, Intent, IntentKind, Keep, Seen};
use hubsync::reconcile::step::Remote;

use crate::builders::{NOW, Scene, TITLE, draft_in_step, ids, in_step, text, unmet};

/// The base after `scene`'s patch was sent and answered, the page being as `hub` by then.
fn after(scene: &Scene, patch: &Patch, hub: &Seen) -> Base {
    let intent = Intent {
        kind: IntentKind::Patch(patch.clone()),
        source: scene.document.source,
        rules: scene.document.rules,
        stored: NOW.wall,
    };
    acknowledged(&intent, patch, scene.page.base.as_ref(), hub, None, NOW)
}

#[test]
fn trace_a1_a_look_from_before_the_write_settles_no_doubt() {
    let scene = in_step().writes("B");
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let scene = scene.lost_patch(patch, 5_000);
    assert_eq!(scene.is_as_of(Mono(NOW.mono.0 - 5_001)), "E1 get");
}

#[test]
fn trace_a2_a_look_that_waited_a_minute_for_its_slot_is_no_look() {
    let scene = in_step().writes("B");
    assert_eq!(scene.is_stale(), "D1 look");
    assert_eq!(scene.unmoved_stale(), "D2 look");
    assert_eq!(unmet().on_first_meeting_local().is_stale(), "B1 get");
    let settled = in_step().writes("B").colleague_publishes("X").looked_at().settles(Keep::Local);
    assert_eq!(settled.is_stale(), "R1 get");
}

#[test]
fn trace_a3_the_five_seconds_count_from_the_end_of_the_connection() {
    let scene = in_step().writes("B");
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let mut hung = scene.lost_patch(patch, 1);
    hung.page.doubt.as_mut().unwrap().intent.stored = hubsync::page::Wall(NOW.wall.0 - 31_000);
    assert_eq!(hung.is(), "E1 wait 4999");
}

#[test]
fn trace_a4_a_row_that_comes_before_the_sending_asks_for_a_look() {
    assert_eq!(in_step().writes("B").unmoved(), "D4 patch title content status");
    assert_eq!(in_step().writes("B").colleague_publishes("X").moved(), "D3 get");
}

#[test]
fn trace_a5_a_look_is_as_old_as_its_sending() {
    let asked = Mono(NOW.mono.0 - 61_000);
    assert_eq!(in_step().writes("B").colleague_publishes("X").is_as_of(asked), "D1 look");
    let unmoved = in_step().writes("B").decide(Remote::Unmoved { as_of: asked });
    assert_eq!(unmoved, "D2 look");
}

#[test]
fn trace_a6_marks_that_were_learned_never_hide_a_draft() {
    let filed = in_step().colleague_drafts("Y").files_in(&["mine"]);
    assert_eq!(filed.is(), "D4 patch folder_ids");
    let mut back = filed.looked_at();
    back.page.base = Some(after(&back, back.is().patch(), &back.hub));
    let back = back.writes("B");
    assert_eq!(back.unmoved(), "D9 hold conflict remote_draft");
    assert_eq!(back.on_conflict_local().unmoved(), "D9 hold conflict remote_draft");
}

#[test]
fn trace_a6_nor_does_a_lost_answer_or_an_adoption() {
    let mut met = unmet().colleague_publishes("A").colleague_drafts("Y").looked_at();
    met.page.base = Some(met.is().base().clone());
    assert_eq!(met.writes("B").unmoved(), "D9 hold conflict remote_draft");

    let scene = in_step().writes("B");
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let mut landed = scene.lost_patch(patch, 9_000).colleague_publishes("B").colleague_drafts("Y").looked_at();
    landed.page.base = Some(landed.is_as_of(NOW.mono).base().clone());
    landed.page.doubt = None;
    assert_eq!(landed.unmoved(), "C7 in_step remote_draft");
    assert_eq!(landed.writes("C").unmoved(), "D9 hold conflict remote_draft");
}

#[test]
fn trace_a8_a_row_that_is_known_is_looked_at_also_without_a_base() {
    assert_eq!(unmet().looked_at().colleague_publishes("Z").moved(), "B1 get");
    assert_eq!(unmet().on_first_meeting_local().looked_at().colleague_publishes("Z").moved(), "B1 get");
}

#[test]
fn trace_a9_a_draft_document_never_learns_somebodys_live_text() {
    let mut below = draft_in_step();
    below.hub.live = Some(text("X"));
    assert_eq!(below.is(), "C4 in_step");
    assert_eq!(below.clone().colleague_sets_skills(&["other"]).is().base().live, None);
    assert_eq!(below.wants(Status::Published).is(), "D7 hold conflict first_meeting");
}

#[test]
fn trace_a9_nor_does_learning_replace_what_was_sent_by_its_echo() {
    let said = in_step().hub_echoes("A\n").colleague_sets_skills(&["other"]).is();
    assert_eq!(said.base().live.as_ref().unwrap().sent, text("A"));
}

#[test]
fn trace_a10_a_draft_as_desired_is_no_leave_to_replace_a_foreign_live_text() {
    let scene = in_step().writes("B").colleague_publishes("X").colleague_drafts("B");
    assert_eq!(scene.is(), "D7 hold conflict remote_changed");
}

#[test]
fn trace_a11_a_text_of_the_document_that_was_never_sent_is_backed_up() {
    let scene = in_step().had("B").had("C").writes("C").colleague_publishes("B");
    assert_eq!(scene.is(), "D8 patch title content status +live");
}

#[test]
fn trace_a12_an_edit_in_the_second_of_our_own_write_is_looked_for() {
    assert_eq!(in_step().racy().writes("B").unmoved(), "D2 get");
    assert_eq!(in_step().racy().writes("B").colleague_drafts("Y").is(), "D9 hold conflict remote_draft");
}

#[test]
fn trace_a14_a_live_text_beside_our_draft_is_not_archived() {
    let mut scene = draft_in_step().removes_it(7_200_000).on_delete_archive();
    scene.hub.live = Some(text("X"));
    assert_eq!(scene.is(), "F4 hold conflict remote_changed");
}

#[test]
fn trace_a15_a_draft_title_of_a_colleague_is_never_published() {
    let scene = in_step().leaves_the_title_alone().writes("B").colleague_drafts_titled("Theirs", "B");
    let said = scene.is();
    assert_eq!(said, "D4 patch title content status +draft");
    assert_eq!(said.patch().text.as_ref().unwrap().title.as_deref(), Some(TITLE));
}

#[test]
fn trace_b1_a_held_conflict_costs_nothing_after_a_restart() {
    let scene = in_step().writes("B").colleague_publishes("X").looked_at();
    assert_eq!(scene.unknown(), "D7 hold conflict remote_changed");
    assert_eq!(scene.unmoved(), "D7 hold conflict remote_changed");
}

#[test]
fn trace_b2_a_page_that_is_gone_costs_nothing_after_a_restart() {
    let scene = in_step().writes("B").was_absent();
    assert_eq!(scene.unknown(), "absent hold blocked page_not_found");
    assert_eq!(scene.writes("A").unknown(), "absent hold blocked page_not_found", "back to the base");
}

#[test]
fn trace_b3_other_folders_of_the_same_version_have_drifted() {
    assert_eq!(in_step().colleague_files_in(&["other"]).moved(), "C2 hold drifted remote_changed");
}

#[test]
fn trace_b4_lists_that_were_sent_beside_a_foreign_text_leave_it_drifted() {
    let filed = in_step().colleague_publishes("X").files_in(&["mine"]);
    let patch = filed.is().patch().clone();
    let base = after(&filed, &patch, &filed.hub);
    assert_eq!(base.version, Some(1), "the version of X is not ours");
    let mut sent = filed.colleague_files_in(&["mine"]).looked_at();
    sent.page.base = Some(base);
    assert_eq!(sent.unknown(), "C5 hold drifted remote_changed");
    assert_eq!(sent.moved(), "C2 hold drifted remote_changed");
}

#[test]
fn trace_b5_what_is_equal_on_both_sides_is_no_conflict_and_no_empty_patch() {
    let mut scene = in_step().writes("B").colleague_publishes("B").colleague_files_in(&["other"]);
    let said = scene.is();
    assert_eq!(said, "D5 adopt");
    scene.page.base = Some(said.base().clone());
    assert_eq!(scene.is(), "C5 hold drifted remote_changed");
}

#[test]
fn trace_b6_a_draft_that_a_colleague_published_is_in_step() {
    let scene = draft_in_step().colleague_publishes("A");
    assert_eq!(scene.moved(), "C2d get");
    assert_eq!(scene.is(), "C9 in_step learns");
}

#[test]
fn trace_b7_a_doubt_does_not_outlive_its_look() {
    let scene = in_step().writes("B").on_conflict_local();
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let mut scene = scene.lost_patch(patch, 9_000).colleague_publishes("X");
    assert_eq!(scene.is_as_of(NOW.mono), "E3 drop doubt");
    scene.page.doubt = None;
    assert_eq!(scene.is(), "D7 patch title content status +live", "`local` applies");
}

#[test]
fn trace_b8_a_file_that_came_back_finds_its_page_archived() {
    let gone = in_step().removes_it(7_200_000).on_delete_archive().lost_delete(9_000);
    assert_eq!(gone.decide(Remote::Absent { as_of: NOW.mono }), "E8 archived");
    assert_eq!(in_step().we_archived().unknown(), "F8 hold blocked archived");
    let forgotten = unmet().we_archived();
    assert_eq!(forgotten.unknown(), "F8 hold blocked archived", "Forget keeps it");
}

#[test]
fn trace_b9_without_conflict_check_what_is_known_does_not_matter() {
    let scene = in_step().writes("B").colleague_publishes("X").unchecked();
    assert_eq!(scene.moved(), "D4 patch title content status");
    assert_eq!(scene.is(), "D4 patch title content status +live");
    assert_eq!(scene.colleague_drafts("Y").is(), "D4 patch title content status +live +draft");
    assert_eq!(unmet().colleague_drafts("Y").unchecked().is(), "B6 patch title content status +live +draft");
}

#[test]
fn trace_b10_a_decision_holds_only_for_what_it_was_made_on() {
    let scene = in_step().writes("B").colleague_publishes("X").settles(Keep::Local);
    assert_eq!(scene.is(), "R1 patch title content status +live");
    assert_eq!(scene.colleague_drafts("autosaved").is(), "D9 hold conflict remote_draft");
}

#[test]
fn trace_b11_a_list_takes_the_place_of_an_aged_look() {
    let scene = in_step().writes("B");
    assert_eq!(scene.is_stale(), "D1 look");
    assert_eq!(scene.unmoved(), "D4 patch title content status");
    assert_eq!(in_step().never_looked_at().writes("B").unmoved(), "D1 get", "never a list for ever");
}

#[test]
fn trace_b12_a_normalising_hub_and_a_lost_state_meet_again() {
    assert_eq!(unmet().writes("* a\n* b\n").colleague_publishes("- a\n- b").is(), "B3 adopt");
    assert_eq!(in_step().writes("* a\n").colleague_publishes("- a").is(), "D5 adopt");
}

#[test]
fn trace_b13_a_doubt_is_dropped_whatever_became_of_the_file() {
    let scene = in_step().writes("B");
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let lost = scene.lost_patch(patch, 9_000);
    assert_eq!(lost.clone().removes_it(1).is_as_of(NOW.mono), "E3 drop doubt");
    assert_eq!(lost.clone().held_for(Code::DuplicatePageId).is_as_of(NOW.mono), "E3 drop doubt");
    assert_eq!(lost.writes("A").is_as_of(NOW.mono), "E3 drop doubt");
    assert_eq!(in_step().lost_delete(9_000).is_as_of(NOW.mono), "E9 drop doubt");
}

#[test]
fn trace_accepted_a_later_version_with_equal_text_is_drifted_from_its_row() {
    assert_eq!(in_step().colleague_publishes("A").moved(), "C3 hold drifted remote_changed");
    let mut titled = in_step();
    titled.hub.live = Some(Print::of(TITLE, "A"));
    assert_eq!(titled.files_in(&["sales"]).is(), "C4 in_step");
    assert_eq!(in_step().base().lists.folders, Some(ids(&["sales"])));
}
