//! Rows C (the document says what the base says) and D (it says something else).

use hubsync::page::{Digest, PatchText, Status};
use hubsync::reconcile::page_record::{Keep, Known};

use crate::builders::{Scene, TITLE, draft_in_step, ids, in_step, text};

// C: the document says what the base says.

#[test]
fn c1_nothing_new_is_in_step() {
    for said in [in_step().unknown(), in_step().unmoved(), in_step().unmoved_stale(), in_step().is_stale()] {
        assert_eq!(said, "C4 in_step");
    }
    assert_eq!(in_step().racy().unknown(), "C4 in_step", "only a write needs to be sure");
    assert_eq!(in_step().never_looked_at().unknown(), "C1 in_step");
    assert_eq!(in_step().never_looked_at().unmoved(), "C1 in_step");
}

#[test]
fn c1_a_drift_is_remembered_and_costs_nothing() {
    let drifted = in_step().colleague_publishes("X").looked_at();
    for said in [drifted.unknown(), drifted.unmoved(), drifted.unmoved_stale()] {
        assert_eq!(said, "C5 hold drifted remote_changed");
    }
    assert_eq!(in_step().colleague_drafts("Y").looked_at().unknown(), "C7 in_step remote_draft");
}

#[test]
fn c1_without_conflict_check_there_is_no_drift() {
    for scene in [in_step(), in_step().colleague_publishes("X"), in_step().colleague_drafts("Y"), draft_in_step()] {
        let scene = scene.unchecked();
        for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is()] {
            assert_eq!(said, "C1 in_step");
        }
    }
}

#[test]
fn c2_a_touch_that_moved_no_version_costs_nothing() {
    assert_eq!(in_step().colleague_drafts("Y").moved(), "C2 in_step remote_draft");
    assert_eq!(in_step().moved(), "C2 in_step", "the row is what was seen");
    assert_eq!(in_step().colleague_drafts("Y").looked_at().moved(), "C2 in_step remote_draft", "the draft was seen");
    assert_eq!(in_step().never_looked_at().moved(), "C2 in_step remote_draft");
}

#[test]
fn c2_the_rows_title_and_lists_tell_of_a_drift() {
    let said = in_step().colleague_files_in(&["other"]).moved();
    assert_eq!(said, "C2 hold drifted remote_changed");
    assert_eq!(said.remote_version(), Some(1));
    let mut retitled = in_step().colleague_drafts("Y");
    retitled.hub.title = "Else".to_owned();
    assert_eq!(retitled.moved(), "C2 hold drifted remote_changed");
    assert_eq!(retitled.leaves_the_title_alone().moved(), "C2 in_step remote_draft");
    assert_eq!(in_step().colleague_sets_skills(&["other"]).moved(), "C2 in_step remote_draft", "not managed");
}

#[test]
fn c2_a_skill_that_is_managed_tells_of_a_drift_too() {
    let mut scene = in_step();
    scene.document.lists.skills = Some(ids(&["s"]));
    assert_eq!(scene.colleague_sets_skills(&["other"]).moved(), "C2 hold drifted remote_changed");
}

#[test]
fn c2_what_the_last_look_found_still_stands() {
    let drifted = in_step().colleague_publishes("X").looked_at().colleague_drafts("Y");
    assert_eq!(drifted.moved(), "C2 hold drifted remote_changed");
    let filed = in_step().colleague_files_in(&["other"]).looked_at().colleague_files_in(&["sales"]);
    assert_eq!(filed.moved(), "C2 in_step remote_draft", "the row's lists take the place of what was seen");
}

#[test]
fn c2d_a_draft_document_is_looked_at_at_every_touch() {
    assert_eq!(draft_in_step().colleague_drafts("Y").moved(), "C2d get");
    assert_eq!(draft_in_step().colleague_publishes("A").moved(), "C2d get", "whatever the version");
    assert_eq!(draft_in_step().never_looked_at().moved(), "C2d get");
}

#[test]
fn c3_another_version_has_drifted_without_a_get() {
    let said = in_step().colleague_publishes("X").moved();
    assert_eq!(said, "C3 hold drifted remote_changed");
    assert_eq!(said.remote_version(), Some(2));
    assert_eq!(in_step().never_looked_at().colleague_publishes("X").moved(), "C3 hold drifted remote_changed");
    assert_eq!(in_step().colleague_publishes("A").moved(), "C3 hold drifted remote_changed", "equal text too");
}

#[test]
fn c4_what_the_document_does_not_manage_may_differ() {
    assert_eq!(in_step().is(), "C4 in_step");
    assert_eq!(in_step().hub_echoes("A\n").is(), "C4 in_step", "as the hub echoed it");
    assert_eq!(in_step().leaves_the_title_alone().colleague_retitles("Else").is(), "C4 in_step");
    let said = in_step().colleague_sets_skills(&["other"]).is();
    assert_eq!(said, "C4 in_step learns");
    assert_eq!(said.base().lists.skills, Some(ids(&["other"])));
    assert_eq!(said.base().lists.folders, Some(ids(&["sales"])));
}

#[test]
fn c4_published_to_draft_takes_nothing_down() {
    assert_eq!(in_step().wants(Status::Draft).is(), "C4 in_step");
    assert_eq!(in_step().wants(Status::Draft).writes("B").is(), "D4 patch title content");
}

#[test]
fn c5_a_field_that_only_the_hub_changed_has_drifted() {
    for edited in [
        in_step().colleague_publishes("X"),
        in_step().colleague_files_in(&["other"]),
        in_step().colleague_retitles("Else"),
        in_step().colleague_publishes("X").colleague_drafts("Y"),
        draft_in_step().colleague_drafts("Y"),
        draft_in_step().colleague_publishes("X"),
        draft_in_step().colleague_files_in(&["other"]),
    ] {
        let said = edited.is();
        assert_eq!(said, "C5 hold drifted remote_changed");
        assert_eq!(said.remote_version(), edited.hub.version);
        assert_eq!(edited.on_conflict_local().on_first_meeting_local().is(), "C5 hold drifted remote_changed");
    }
}

#[test]
fn c5_equal_but_for_white_space_is_another_text_where_no_row_folds() {
    assert_eq!(in_step().colleague_publishes("A \n").is(), "C5 hold drifted remote_changed");
}

/// A draft document whose page a colleague published with another text, and a colleague's draft of the old words retitled.
fn retitled_in_a_draft() -> Scene {
    in_step()
        .wants(Status::Draft)
        .leaves_the_title_alone()
        .hub_echoes("a")
        .colleague_drafts_titled("Somebody's title", "a")
}

#[test]
fn c7_somebodys_draft_is_noted_on_a_published_document() {
    assert_eq!(in_step().colleague_drafts("Y").is(), "C7 in_step remote_draft");
    let said = in_step().colleague_drafts("Y").colleague_sets_skills(&["other"]).is();
    assert_eq!(said, "C7 in_step learns remote_draft");
}

#[test]
fn c7_somebodys_draft_makes_a_draft_document_drift() {
    assert_eq!(retitled_in_a_draft().is(), "C7 hold drifted remote_changed");
    let settled = retitled_in_a_draft().settles(Keep::Local);
    assert_eq!(settled.is(), "R1 patch title content +draft", "the text is what drifted");
}

#[test]
fn c7_a_draft_that_is_ours_is_nobodys() {
    let mut scene = draft_in_step();
    assert_eq!(scene.is(), "C4 in_step");
    scene = in_step();
    scene.base().draft = Some(Known::new(text("older"), None));
    assert_eq!(scene.colleague_drafts("older").is(), "C4 in_step");
}

#[test]
fn c9_our_draft_that_a_colleague_published_is_live_common_ground() {
    let scene = draft_in_step().colleague_publishes("A");
    let said = scene.is();
    assert_eq!(said, "C9 in_step learns");
    let base = said.base();
    assert!(base.live.as_ref().unwrap().is(&text("A")) && base.draft.is_none());
    assert_eq!(base.version, scene.hub.version);
    let with_lists = draft_in_step().colleague_sets_skills(&["other"]).colleague_publishes("A").is();
    assert_eq!(with_lists.base().lists.skills, Some(ids(&["other"])), "and the lists are learned as in C4");
}

#[test]
fn c9_also_where_the_hub_rewrites_it() {
    let said = draft_in_step().colleague_publishes("A\n").is();
    assert_eq!(said, "C9 in_step learns");
    let live = said.base().live.clone().unwrap();
    assert_eq!((live.sent, live.echoed), (text("A"), Some(text("A\n"))));
}

#[test]
fn c9_only_where_our_draft_is_there_no_more() {
    let again = draft_in_step().colleague_publishes("A\n").colleague_drafts("A");
    assert_eq!(again.is(), "C4 in_step");
    let mut published = in_step();
    published.base().draft = Some(Known::new(text("A"), None));
    assert_eq!(published.is(), "C4 in_step", "a published document has its live text already");
}

#[test]
fn a_draft_of_ours_is_known_again_as_the_hub_rewrote_it() {
    let rewritten = draft_in_step().colleague_drafts("A\n");
    assert_eq!(rewritten.is(), "C4 in_step", "no answer ever showed it");
    assert_eq!(rewritten.clone().writes("B").is(), "D4 patch title content +draft");
    assert_eq!(rewritten.removes_it(7_200_000).on_delete_archive().is(), "F3 archive");
    let shown = draft_in_step().hub_echoes("A \n").colleague_drafts("A\n");
    assert_eq!(shown.is(), "C5 hold drifted remote_changed", "once it was shown, another form is an edit");
    assert_eq!(draft_in_step().colleague_drafts_titled("Else", "A\n").is(), "C5 hold drifted remote_changed");
}

// D: the document says something else.

#[test]
fn d1_a_change_needs_a_fresh_look() {
    assert_eq!(in_step().writes("B").unknown(), "D1 look");
    assert_eq!(in_step().writes("B").is_stale(), "D1 look");
    assert_eq!(in_step().files_in(&["mine"]).unknown(), "D1 look");
    assert_eq!(in_step().retitles("Mine").unknown(), "D1 look");
    assert_eq!(in_step().writes("B").never_looked_at().unknown(), "D1 get");
    assert_eq!(in_step().writes("B").never_looked_at().unmoved(), "D1 get");
}

#[test]
fn d2_a_fresh_list_that_leaves_the_page_out_is_enough() {
    assert_eq!(in_step().writes("B").unmoved(), "D4 patch title content status");
    assert_eq!(in_step().files_in(&["mine"]).unmoved(), "D4 patch folder_ids");
    assert_eq!(draft_in_step().writes("B").unmoved(), "D4 patch title content");
    let beside = in_step().colleague_files_in(&["other"]).looked_at().writes("B");
    assert_eq!(beside.unmoved(), "D6 patch title content status");
}

#[test]
fn d2_a_stale_list_is_read_again() {
    assert_eq!(in_step().writes("B").unmoved_stale(), "D2 look");
}

#[test]
fn d2_a_racy_look_or_a_backup_needs_the_page_itself() {
    assert_eq!(in_step().racy().writes("B").unmoved(), "D2 get");
    assert_eq!(in_step().racy().writes("B").unknown(), "D2 get");
    let local = in_step().colleague_publishes("X").looked_at().writes("B").on_conflict_local();
    assert_eq!(local.unmoved(), "D2 get");
    assert_eq!(local.unknown(), "D2 get");
}

#[test]
fn d2_a_held_conflict_stands_on_the_last_look() {
    let conflict = in_step().colleague_publishes("X").looked_at().writes("B");
    for said in [conflict.unknown(), conflict.unmoved(), conflict.unmoved_stale()] {
        assert_eq!(said, "D7 hold conflict remote_changed");
    }
    assert_eq!(conflict.clone().racy().unknown(), "D7 hold conflict remote_changed");
    assert_eq!(in_step().colleague_drafts("Y").looked_at().writes("B").unknown(), "D9 hold conflict remote_draft");
    assert_eq!(conflict.settles(Keep::Local).unknown(), "R1 get");
}

#[test]
fn d3_what_a_list_tells_is_never_ignored() {
    assert_eq!(in_step().writes("B").moved(), "D3 get");
    assert_eq!(in_step().writes("B").colleague_publishes("X").moved(), "D3 get");
    assert_eq!(in_step().writes("B").never_looked_at().moved(), "D3 get");
    assert_eq!(in_step().writes("B").colleague_publishes("X").looked_at().moved(), "D3 get");
}

#[test]
fn d_without_conflict_check_a_change_is_sent_at_once() {
    let scene = in_step().writes("B").unchecked();
    for said in [scene.unknown(), scene.unmoved(), scene.unmoved_stale(), scene.moved(), scene.is_stale()] {
        assert_eq!(said, "D4 patch title content status");
    }
    assert_eq!(scene.colleague_publishes("X").colleague_drafts("Y").is(), "D4 patch title content status +live +draft");
    let agreed = in_step().writes("B").unchecked().colleague_publishes("B").is();
    assert_eq!(agreed, "D5 adopt", "what is known to be there is not published again");
}

#[test]
fn d4_only_the_document_changed() {
    assert_eq!(in_step().writes("B").is(), "D4 patch title content status");
    assert_eq!(in_step().retitles("Mine").is(), "D4 patch title content status");
    assert_eq!(in_step().files_in(&["mine"]).is(), "D4 patch folder_ids");
    assert_eq!(in_step().files_in(&[]).is(), "D4 patch folder_ids");
    assert_eq!(in_step().writes("B").files_in(&["mine"]).is(), "D4 patch title content status folder_ids");
    assert_eq!(draft_in_step().writes("B").is(), "D4 patch title content");
    assert_eq!(
        in_step().files_in(&["mine"]).colleague_drafts("Y").is(),
        "D4 patch folder_ids",
        "lists publish no draft"
    );
}

#[test]
fn d4_publishes_over_our_own_draft_without_a_backup() {
    let drafted = draft_in_step().wants(Status::Published).writes("B");
    assert_eq!(drafted.is(), "D4 patch title content status");
}

#[test]
fn d5_what_the_hub_already_says_becomes_common_ground() {
    let mut scene = in_step().writes("B").colleague_publishes("B\n");
    scene.document.rules = Digest::of("other rules");
    let said = scene.is();
    assert_eq!(said, "D5 adopt");
    let base = said.base();
    let live = base.live.clone().unwrap();
    assert_eq!((live.sent, live.echoed, base.version), (text("B"), Some(text("B\n")), Some(2)));
    assert_eq!((base.source, base.rules), (scene.document.source, scene.document.rules));

    let said = draft_in_step().writes("B").colleague_drafts("B").is();
    assert_eq!(said, "D5 adopt");
    assert!(said.base().draft.as_ref().unwrap().is(&text("B")), "where the document is compared");
}

#[test]
fn d5_field_by_field() {
    let scene = in_step().writes("B").files_in(&["mine"]).colleague_files_in(&["mine"]).colleague_publishes("X");
    let said = scene.is();
    assert_eq!(said, "D5 adopt");
    assert_eq!(said.base().lists.folders, Some(ids(&["mine"])));
    assert!(said.base().live.as_ref().unwrap().is(&text("A")), "the text is none of it");
    let mut again = scene;
    again.page.base = Some(said.base().clone());
    assert_eq!(again.is(), "D7 hold conflict remote_changed");
}

#[test]
fn d5_a_draft_that_says_it_is_published_where_the_live_text_is_the_base() {
    assert_eq!(in_step().writes("B").colleague_drafts("B").is(), "D4 patch title content status");
    let foreign = in_step().writes("B").colleague_publishes("X").colleague_drafts("B").is();
    assert_eq!(foreign, "D7 hold conflict remote_changed");
}

#[test]
fn d6_fields_that_only_the_hub_changed_drift_beside_ours() {
    let scene = in_step().writes("B").colleague_files_in(&["other"]);
    assert_eq!(scene.is(), "D6 patch title content status");
    assert_eq!(in_step().files_in(&["mine"]).colleague_publishes("X").is(), "D6 patch folder_ids");
}

#[test]
fn d7_the_same_field_on_both_sides_is_a_conflict() {
    for scene in [
        in_step().writes("B").colleague_publishes("X"),
        in_step().writes("B").colleague_retitles("Else"),
        in_step().files_in(&["mine"]).colleague_files_in(&["other"]),
        in_step().writes("B").files_in(&["mine"]).colleague_files_in(&["other"]),
        draft_in_step().files_in(&["mine"]).colleague_files_in(&["other"]),
    ] {
        let said = scene.is();
        assert_eq!(said, "D7 hold conflict remote_changed");
        assert_eq!(said.remote_version(), scene.hub.version);
        assert_eq!(
            scene.on_first_meeting_local().is(),
            "D7 hold conflict remote_changed",
            "that is for first meetings"
        );
    }
}

#[test]
fn d7_local_publishes_over_a_backup() {
    let scene = in_step().writes("B").colleague_publishes("X").on_conflict_local();
    assert_eq!(scene.is(), "D7 patch title content status +live");
    let filed = in_step().files_in(&["mine"]).colleague_files_in(&["other"]).on_conflict_local();
    assert_eq!(filed.is(), "D7 patch folder_ids");
    let drifts = scene.colleague_files_in(&["other"]);
    assert_eq!(drifts.is(), "D7 patch title content status +live", "what only the hub changed still drifts");
    let cleared = in_step().writes("B").colleague_publishes("").colleague_retitles("Cleared").on_conflict_local();
    assert_eq!(cleared.is(), "D7 patch title content status +live", "a title is text too");
}

#[test]
fn d7_a_live_text_below_a_draft_that_was_met_is_met_for_the_first_time() {
    let mut scene = draft_in_step().wants(Status::Published).writes("B");
    scene.hub.live = Some(text("X"));
    assert_eq!(scene.is(), "D7 hold conflict first_meeting");
    assert_eq!(scene.clone().on_conflict_local().is(), "D7 hold conflict first_meeting");
    assert_eq!(scene.clone().on_first_meeting_local().is(), "D7 patch title content status +live");
    let filed = scene.files_in(&["mine"]).colleague_files_in(&["other"]).on_first_meeting_local();
    assert_eq!(filed.is(), "D7 hold conflict remote_changed", "its folders were met before");
}

#[test]
fn d7_lists_below_a_draft_that_was_met_are_an_ordinary_conflict() {
    let scene = draft_in_step().wants(Status::Published).files_in(&["mine"]).colleague_files_in(&["other"]);
    assert_eq!(scene.is(), "D7 hold conflict remote_changed");
    assert_eq!(scene.on_first_meeting_local().is(), "D7 hold conflict remote_changed");
}

#[test]
fn d8_a_text_that_this_document_had_is_no_foreign_edit() {
    let scene = in_step().had("X").writes("B").colleague_publishes("X");
    assert_eq!(scene.is(), "D8 patch title content status +live");
    assert_eq!(scene.looked_at().unmoved(), "D2 get", "its backup needs the page itself");
}

#[test]
fn d8_is_about_the_text_alone() {
    let filed =
        in_step().had("X").writes("B").files_in(&["mine"]).colleague_publishes("X").colleague_files_in(&["other"]);
    assert_eq!(filed.is(), "D7 hold conflict remote_changed");
    assert_eq!(in_step().had("A").writes("B").is(), "D4 patch title content status", "the base is no revert");
    let drifts = in_step().had("X").files_in(&["mine"]).colleague_publishes("X");
    assert_eq!(drifts.is(), "D6 patch folder_ids", "where the document's text did not change");
    assert_eq!(in_step().had("X").colleague_publishes("X").is(), "C5 hold drifted remote_changed");
}

#[test]
fn d9_somebodys_draft_is_never_published_over() {
    for scene in [
        in_step().writes("B").colleague_drafts("Y"),
        in_step().writes("B").colleague_drafts(""),
        draft_in_step().writes("B").colleague_drafts("Y"),
        in_step().had("X").writes("B").colleague_publishes("X").colleague_drafts("Y"),
        in_step().had("Y").writes("B").colleague_drafts("Y"),
        in_step().writes("B").colleague_publishes("X").colleague_drafts("Y"),
    ] {
        assert_eq!(scene.is(), "D9 hold conflict remote_draft");
        let local = scene.on_conflict_local().on_first_meeting_local();
        assert_eq!(local.is(), "D9 hold conflict remote_draft");
    }
}

#[test]
fn d9_only_where_the_text_is_sent() {
    assert_eq!(in_step().files_in(&["mine"]).colleague_drafts("Y").is(), "D4 patch folder_ids");
    assert_eq!(in_step().colleague_drafts("A").is(), "C4 in_step", "a draft that equals the live text is none");
}

#[test]
fn d3d_a_drafted_text_is_published_whole() {
    let said = draft_in_step().wants(Status::Published).is();
    assert_eq!(said, "D4 patch title content status");
    let sent = said.patch().text.clone().unwrap();
    assert_eq!(
        sent,
        PatchText { title: Some(TITLE.to_owned()), body: text("A").body, status: Status::Published },
        "never a bare status, which would publish whatever draft lies there"
    );
    assert_eq!(draft_in_step().wants(Status::Published).unmoved(), "D4 patch title content status");
}

#[test]
fn d3d_is_compared_with_the_live_text() {
    let scene = draft_in_step().wants(Status::Published);
    let adopted = scene.clone().colleague_publishes("A").is();
    assert_eq!(adopted, "D5 adopt");
    assert!(adopted.base().draft.is_none(), "our draft was published");
    assert_eq!(scene.clone().colleague_publishes("X").is(), "D7 hold conflict first_meeting");
    assert_eq!(scene.colleague_drafts("Y").is(), "D9 hold conflict remote_draft");
}
