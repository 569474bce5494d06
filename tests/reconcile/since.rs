//! Rows S: a run without a state. What the document said at a revision stands in for the base.

use hubsync::page::{BodyPrint, Lists, Status};
use hubsync::reconcile::page_record::{PageRecord, Past};

use crate::builders::{Scene, TITLE, draft_in_step, in_step, text};

/// The scene as a run without a state meets it: what its document says now is what it said then.
fn since(mut scene: Scene) -> Scene {
    let past = Past { said: Some(scene.document.clone()), had: Default::default() };
    scene.page = PageRecord { past: Some(Box::new(past)), ..PageRecord::default() };
    scene
}

/// An earlier run may have published this.
fn had(mut scene: Scene, body: &str) -> Scene {
    scene.page.past.as_mut().unwrap().had.note(Some(TITLE), BodyPrint::of(body).exact);
    scene
}

/// The document is new since.
fn new(mut scene: Scene) -> Scene {
    scene.page.past.as_mut().unwrap().said = None;
    scene
}

/// What is decided once the base is found.
fn then(scene: &Scene) -> String {
    let said = scene.is();
    let mut next = scene.clone();
    next.page.base = Some(said.base().clone());
    format!("{said:?}, {:?}", next.is())
}

#[test]
fn s1_what_says_the_same_costs_nothing() {
    let same = since(in_step());
    for said in [same.unknown(), same.unmoved()] {
        assert_eq!(said, "S1 in_step");
    }
    assert_eq!(since(draft_in_step()).unknown(), "S1 in_step");
    assert_eq!(same.clone().leaves_the_title_alone().unknown(), "S1 in_step");
    assert_eq!(had(same, "A").unknown(), "S1 in_step", "its own text is no other one");
}

#[test]
fn s2_what_changed_is_looked_at_and_then_sent() {
    for changed in [
        since(in_step()).writes("B"),
        since(in_step()).retitles("T"),
        since(in_step()).files_in(&["people"]),
        since(draft_in_step()).wants(Status::Published),
    ] {
        assert_eq!(changed.unknown(), "S2 get");
        assert_eq!(changed.is_stale(), "S2 get");
    }
    assert_eq!(then(&since(in_step()).writes("B")), "S2 adopt, D4 patch title content status");
    assert_eq!(then(&since(in_step()).files_in(&["people"])), "S2 adopt, D4 patch folder_ids");
    assert_eq!(then(&since(draft_in_step()).writes("B")), "S2 adopt, D4 patch title content");
    assert_eq!(since(in_step()).writes("B").absent(), "absent hold blocked page_not_found");
}

#[test]
fn s2_a_page_that_says_something_else_is_a_conflict() {
    let theirs = since(in_step()).colleague_publishes("X").writes("B");
    assert_eq!(then(&theirs), "S2 adopt, D7 hold conflict remote_changed");
    assert_eq!(then(&theirs.clone().on_conflict_local()), "S2 adopt, D7 patch title content status +live");
    assert_eq!(then(&theirs.colleague_publishes("B")), "S2 adopt, D5 adopt", "they say it already");
    let filed = since(in_step()).colleague_files_in(&["x"]).files_in(&["people"]);
    assert_eq!(then(&filed), "S2 adopt, D7 hold conflict remote_changed");
    let drafted = since(in_step()).colleague_drafts("X").writes("B");
    assert_eq!(then(&drafted), "S2 adopt, D9 hold conflict remote_draft");
    let drafted = since(draft_in_step()).colleague_drafts("X").writes("B");
    assert_eq!(then(&drafted), "S2 adopt, D9 hold conflict remote_draft");
}

#[test]
fn s2_what_was_not_managed_then_is_as_the_page_has_it() {
    let mut scene = since(in_step());
    let said = scene.page.past.as_mut().unwrap().said.as_mut().unwrap();
    (said.title, said.lists) = (None, Lists::default());
    assert_eq!(then(&scene.clone().retitles("T")), "S2 adopt, D4 patch title content status");
    assert_eq!(then(&scene.files_in(&["people"])), "S2 adopt, D4 patch folder_ids");
}

#[test]
fn s2_forgives_what_hubs_rewrite() {
    let mut scene = since(in_step().writes("* a\n")).colleague_publishes("- a");
    scene = scene.writes("* a\n* b\n");
    let said = scene.is();
    let live = said.base().live.clone().unwrap();
    assert_eq!((live.sent, live.echoed), (text("* a\n"), Some(text("- a"))));
    assert_eq!(then(&scene), "S2 adopt, D4 patch title content status");
}

#[test]
fn s3_what_an_earlier_run_published_is_ours() {
    let half = had(since(in_step()), "B").colleague_publishes("B");
    assert_eq!(then(&half.clone().writes("C")), "S3 adopt, D4 patch title content status");
    assert_eq!(half.unknown(), "S2 get", "it went back to what it said: only a look tells which the page has");
    assert_eq!(then(&half), "S3 adopt, D4 patch title content status");
    let draft = had(since(draft_in_step()), "B").colleague_drafts("B");
    assert_eq!(then(&draft.writes("C")), "S3 adopt, D4 patch title content");
    let filed = had(since(in_step()), "B").colleague_publishes("B").colleague_files_in(&["people"]);
    assert_eq!(then(&filed.files_in(&["people"]).writes("C")), "S3 adopt, D4 patch title content status");
}

#[test]
fn s_a_document_that_is_new_since_is_met_unless_an_earlier_run_published_it() {
    let met = new(since(in_step())).colleague_publishes("X");
    assert_eq!(met.unknown(), "B1 get");
    assert_eq!(met.is(), "B5 hold conflict first_meeting");
    let half = had(met.writes("C"), "X");
    assert_eq!(then(&half), "S3 adopt, D4 patch title content status");
}

#[test]
fn s_without_conflict_check_the_file_is_sent_at_once() {
    let scene = since(in_step()).unchecked();
    assert_eq!(scene.unknown(), "C1 in_step");
    assert_eq!(scene.clone().writes("B").unknown(), "D4 patch title content status");
    assert_eq!(had(scene, "B").unknown(), "B2 patch title content status folder_ids", "nobody knows what it has");
}

#[test]
fn s_a_body_that_became_empty_is_held_and_a_file_that_is_gone_leaves_its_page() {
    assert_eq!(since(in_step()).writes("").unknown(), "D15 hold blocked body_empty");
    assert_eq!(since(in_step()).writes("").is(), "D15 hold blocked body_empty");
    assert_eq!(since(in_step().writes("")).unknown(), "S1 in_step");
    assert_eq!(since(in_step()).removes_it(0).unknown(), "F1 hold orphaned file_gone");
    assert_eq!(since(in_step()).on_delete_archive().removes_it(9_000_000).unknown(), "F1 hold orphaned file_gone");
}
