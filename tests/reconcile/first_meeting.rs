//! Rows B: document and page have no common ground yet.

use hubsync::page::{Lists, Status};
use hubsync::reconcile::page_record::Keep;

use crate::builders::{Scene, draft_in_step, ids, in_step, text, unmet, unmet_blank};

#[test]
fn b1_a_page_is_looked_at_before_it_is_met() {
    for scene in [unmet(), unmet_blank(), unmet().on_first_meeting_local(), unmet().wants(Status::Draft)] {
        for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is_stale()] {
            assert_eq!(said, "B1 get");
        }
    }
    assert_eq!(unmet_blank().looked_at().unmoved(), "B1 get", "what would be sent needs a look of its own");
}

#[test]
fn b1_a_held_first_meeting_costs_nothing_until_a_side_changes() {
    let held = unmet().looked_at();
    assert_eq!(held.unknown(), "B5 hold conflict first_meeting");
    assert_eq!(held.unmoved(), "B5 hold conflict first_meeting");
    assert_eq!(unmet().colleague_drafts("Y").looked_at().unknown(), "B6 hold conflict remote_draft");
    assert_eq!(held.clone().colleague_publishes("Z").moved(), "B1 get");
    assert_eq!(held.settles(Keep::Local).unknown(), "B1 get", "a decision is carried out on the page itself");
}

#[test]
fn b2_without_conflict_check_the_file_is_sent_at_once() {
    let scene = unmet().unchecked();
    for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is_stale()] {
        assert_eq!(said, "B2 patch title content status folder_ids");
    }
    assert_eq!(scene.wants(Status::Draft).unknown(), "B2 patch title content folder_ids");
    let untitled = unmet().unchecked().leaves_the_title_alone();
    assert_eq!(untitled.unknown(), "B2 patch content status folder_ids", "no title was ever seen");
    assert_eq!(untitled.looked_at().unknown(), "B2 patch title content status folder_ids");
}

#[test]
fn b3_equal_text_is_adopted() {
    let met = unmet().colleague_publishes("A");
    let said = met.is();
    assert_eq!(said, "B3 adopt");
    let base = said.base();
    assert!(base.live.as_ref().unwrap().is(&text("A")) && base.draft.is_none());
    assert_eq!((base.version, &base.lists), (met.hub.version, &met.hub.lists));
    assert_eq!((base.source, base.rules), (met.document.source, met.document.rules));
    assert_eq!(met.unchecked().is(), "B3 adopt");
}

#[test]
fn b3_forgives_what_hubs_rewrite_and_remembers_it() {
    let said = unmet().writes("* a\n").colleague_publishes("- a").is();
    assert_eq!(said, "B3 adopt");
    let live = said.base().live.clone().unwrap();
    assert_eq!((live.sent, live.echoed), (text("* a\n"), Some(text("- a"))));
}

#[test]
fn b3_whatever_draft_lies_there() {
    let said = unmet().colleague_publishes("A").colleague_drafts("Y").is();
    assert_eq!(said, "B3 adopt");
    assert!(said.base().draft.is_none(), "somebody's draft is no common ground");
}

#[test]
fn b3_a_draft_document_adopts_the_draft_or_else_the_live_text() {
    let draft = unmet().wants(Status::Draft);
    let said = draft.clone().colleague_drafts("A").is();
    assert_eq!(said, "B3 adopt");
    assert!(said.base().draft.as_ref().unwrap().is(&text("A")) && said.base().live.is_none());
    let said = draft.colleague_publishes("A").is();
    assert_eq!(said, "B3 adopt");
    assert!(said.base().live.as_ref().unwrap().is(&text("A")) && said.base().draft.is_none());
}

#[test]
fn b3_lists_that_differ_are_sent_afterwards() {
    let scene = unmet().colleague_publishes("A").files_in(&["mine"]);
    let said = scene.is();
    assert_eq!(said, "B3 adopt");
    assert_eq!(said.base().lists.folders, Some(ids(&["sales"])), "as the hub has them");
    let mut met = scene;
    met.page.base = Some(said.base().clone());
    assert_eq!(met.is(), "D4 patch folder_ids");
}

#[test]
fn b4_a_page_without_text_is_filled() {
    assert_eq!(unmet_blank().is(), "B4 patch title content status");
    assert_eq!(unmet_blank().files_in(&["mine"]).is(), "B4 patch title content status folder_ids");
    assert_eq!(unmet_blank().wants(Status::Draft).is(), "B4 patch title content");
    let mut untouched = unmet_blank();
    untouched.hub.live = Some(text(" \n"));
    assert_eq!(untouched.is(), "B4 patch title content status", "white space is no text");
}

#[test]
fn b4_a_title_that_is_replaced_is_backed_up() {
    assert_eq!(unmet_blank().colleague_drafts_titled("Notes", "").is(), "B4 patch title content status +draft");
    assert_eq!(unmet_blank().colleague_drafts_titled(" ", "").is(), "B4 patch title content status");
    let mut titled = unmet_blank();
    titled.hub.live = Some(hubsync::page::Print::of("Notes", ""));
    assert_eq!(titled.is(), "B4 patch title content status +live");
}

#[test]
fn b5_another_live_text_is_held() {
    let said = unmet().is();
    assert_eq!(said, "B5 hold conflict first_meeting");
    assert_eq!(said.remote_version(), Some(1));
    assert_eq!(unmet().on_conflict_local().is(), "B5 hold conflict first_meeting");
    assert_eq!(unmet().wants(Status::Draft).is(), "B5 hold conflict first_meeting");
}

#[test]
fn b5_local_publishes_over_a_backup() {
    assert_eq!(unmet().on_first_meeting_local().is(), "B5 patch title content status +live");
    assert_eq!(unmet().unchecked().is(), "B5 patch title content status +live");
    let draft = unmet().wants(Status::Draft).on_first_meeting_local();
    assert_eq!(draft.is(), "B5 patch title content", "a draft replaces no live text");
}

#[test]
fn b5_a_draft_that_says_what_the_document_says_is_published() {
    let scene = unmet_blank().colleague_drafts("A");
    assert_eq!(scene.is(), "B5 patch title content status");
    assert_eq!(scene.unchecked().is(), "B5 patch title content status");
}

#[test]
fn b6_somebodys_draft_is_never_published_over() {
    for scene in [unmet(), unmet_blank(), unmet().wants(Status::Draft), unmet_blank().wants(Status::Draft)] {
        let scene = scene.colleague_drafts("Y");
        assert_eq!(scene.is(), "B6 hold conflict remote_draft");
        assert_eq!(scene.on_first_meeting_local().on_conflict_local().is(), "B6 hold conflict remote_draft");
    }
    let unchecked = unmet().colleague_drafts("Y").unchecked();
    assert_eq!(unchecked.is(), "B6 patch title content status +live +draft");
}

#[test]
fn r1_settles_a_first_meeting() {
    let settle = |scene: Scene, keep| scene.settles(keep).is();
    assert_eq!(settle(unmet(), Keep::Local), "R1 patch title content status +live");
    assert_eq!(settle(unmet(), Keep::Remote), "R1 write_text remote");
    assert_eq!(settle(unmet().colleague_drafts("Y"), Keep::Local), "R1 patch title content status +live +draft");
    assert_eq!(settle(unmet().colleague_drafts("Y"), Keep::Both), "R1 write_text both");
    assert_eq!(unmet().settles(Keep::Local).colleague_publishes("Z").is(), "B5 hold conflict first_meeting");
}

#[test]
fn a_title_that_is_not_managed_goes_as_the_page_has_it() {
    let mut scene = unmet_blank().leaves_the_title_alone();
    scene.hub.title = "From the hub".to_owned();
    assert_eq!(scene.is().patch().text.as_ref().unwrap().title.as_deref(), Some("From the hub"));
}

#[test]
fn lists_that_the_document_does_not_manage_are_never_sent() {
    let mut scene = unmet_blank();
    scene.document.lists = Lists::default();
    assert_eq!(scene.is(), "B4 patch title content status");
    assert_eq!(scene.unchecked().unknown(), "B2 patch title content status");
}

#[test]
fn a_page_that_was_met_is_met_no_more() {
    assert_eq!(in_step().is(), "C4 in_step");
    assert_eq!(draft_in_step().is(), "C4 in_step");
}
