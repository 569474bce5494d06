//! Rows that are asked of every document before its common ground: D11 (refused), D13 (names), D15 (an empty body) and a
//! page that is absent.

use hubsync::page::{Digest, Status};
use hubsync::reconcile::step::{NamesRead, Remote};

use crate::builders::{STALE, draft_in_step, in_step, unmet, unmet_blank};

#[test]
fn d11_what_the_hub_refused_is_not_sent_again() {
    let scene = in_step().writes("B").was_refused();
    for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is(), scene.absent()] {
        assert_eq!(said, "D11 hold blocked refused");
    }
    assert_eq!(unmet_blank().was_refused().is(), "D11 hold blocked refused");
    assert_eq!(scene.unchecked().is(), "D11 hold blocked refused");
}

#[test]
fn d11_until_the_document_its_names_or_the_rules_change() {
    let refused = in_step().writes("B").was_refused();
    assert_eq!(refused.clone().writes("C").is(), "D4 patch title content status");
    assert_eq!(refused.clone().files_in(&["mended"]).is(), "D4 patch title content status folder_ids");
    let mut ruled = refused;
    ruled.document.rules = Digest::of("other rules");
    assert_eq!(ruled.is(), "D4 patch title content status");
}

#[test]
fn d13_an_unknown_name_is_looked_for_once() {
    let asked = in_step().names_an_unknown_folder(NamesRead::LongAgo);
    for said in [asked.unknown(), asked.is(), asked.moved(), asked.absent()] {
        assert_eq!(said, "D13 names");
    }
    assert_eq!(asked.clone().unchecked().unknown(), "D13 names");
    let told = in_step().names_an_unknown_folder(NamesRead::Lately);
    assert_eq!(told.unknown(), "D13 hold blocked unknown_name");
    assert_eq!(unmet().names_an_unknown_folder(NamesRead::Lately).is(), "D13 hold blocked unknown_name");
}

#[test]
fn d13_that_it_was_looked_for_is_kept_for_this_document() {
    let mut kept = in_step().names_an_unknown_folder(NamesRead::LongAgo);
    kept.page.nameless = Some(kept.document.source);
    assert_eq!(kept.unknown(), "D13 hold blocked unknown_name");
    assert_eq!(kept.writes("B").unknown(), "D13 names", "another document asks again");
}

#[test]
fn d15_a_body_that_became_empty_is_taken_for_an_accident() {
    for body in ["", " \n\t\n"] {
        let scene = in_step().writes(body);
        for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is()] {
            assert_eq!(said, "D15 hold blocked body_empty");
        }
        assert_eq!(scene.unchecked().unknown(), "D15 hold blocked body_empty");
        assert_eq!(draft_in_step().writes(body).is(), "D15 hold blocked body_empty");
    }
}

#[test]
fn d15_a_page_that_holds_only_our_draft_has_a_body() {
    let scene = draft_in_step().writes("").wants(Status::Published);
    assert_eq!(scene.is(), "D15 hold blocked body_empty");
}

#[test]
fn d15_a_first_meeting_never_empties_a_page() {
    assert_eq!(unmet().writes("").is(), "D15 hold blocked body_empty");
    assert_eq!(unmet_blank().colleague_drafts("Y").writes("").is(), "D15 hold blocked body_empty");
    assert_eq!(unmet().writes("").looked_at().unknown(), "D15 hold blocked body_empty");
    assert_eq!(unmet().writes("").on_first_meeting_local().is(), "D15 hold blocked body_empty");
}

#[test]
fn d15_before_a_first_meeting_the_page_is_looked_at() {
    for scene in [unmet().writes(""), unmet().writes("").unchecked(), unmet_blank().writes("").unchecked().looked_at()]
    {
        assert_eq!(scene.unknown(), "D15 get");
        assert_eq!(scene.unmoved(), "D15 get");
        assert_eq!(scene.moved(), "D15 get");
    }
    assert_eq!(unmet().writes("").absent(), "absent hold blocked page_not_found");
    assert_eq!(unmet().writes("").was_absent().unknown(), "absent hold blocked page_not_found");
}

#[test]
fn d15_an_empty_document_may_have_an_empty_page() {
    assert_eq!(unmet_blank().writes("").is(), "B4 patch title content status");
    let mut empty = in_step().writes("");
    empty.base().live = None;
    (empty.hub.live, empty.hub.version) = (None, None);
    assert_eq!(empty.is(), "D4 patch title content status");
}

#[test]
fn d15_local_never_empties_a_page_that_got_a_body() {
    let mut scene = in_step().writes("").retitles("Else").on_conflict_local();
    let blank = hubsync::page::Print::of(crate::builders::TITLE, "");
    scene.base().live = Some(hubsync::reconcile::page_record::Known::new(blank, None));
    assert_eq!(scene.is(), "D7 hold conflict remote_changed");
}

#[test]
fn absent_a_page_that_the_hub_does_not_have_is_never_made() {
    for scene in [in_step(), in_step().writes("B"), unmet(), draft_in_step(), in_step().writes("B").unchecked()] {
        assert_eq!(scene.absent(), "absent hold blocked page_not_found");
        let known = scene.was_absent();
        for said in [known.unknown(), known.unmoved(), known.unmoved_stale()] {
            assert_eq!(said, "absent hold blocked page_not_found", "0 requests after a restart");
        }
    }
}

#[test]
fn absent_a_look_over_a_minute_ago_is_no_look() {
    assert_eq!(in_step().writes("B").decide(Remote::Absent { as_of: STALE }), "D1 look");
    assert_eq!(unmet().decide(Remote::Absent { as_of: STALE }), "B1 get");
}

#[test]
fn absent_a_changed_document_is_worth_one_more_look() {
    assert_eq!(in_step().writes("B").was_absent().writes("C").unknown(), "absent get");
    assert_eq!(unmet().was_absent().writes("C").unknown(), "absent get");
    assert_eq!(in_step().writes("B").was_absent().writes("C").absent(), "absent hold blocked page_not_found");
}

#[test]
fn absent_a_document_that_went_back_to_the_base_is_not() {
    let mut scene = in_step();
    scene.page.absent = Some(Digest::of("the file as it was then"));
    assert_eq!(scene.unknown(), "absent hold blocked page_not_found");
}

#[test]
fn absent_a_page_that_is_there_is_there() {
    assert_eq!(in_step().was_absent().is(), "C4 in_step");
    assert_eq!(in_step().writes("B").was_absent().is(), "D4 patch title content status");
}
