//! Rows E (a write whose answer is missing), F8 (archived by us), G (held) and F (the file is gone).

use hubsync::page::{Lists, Mono, Patch, Status, Wall};
use hubsync::reason::Code;
use hubsync::reconcile::page_record::Keep;
use hubsync::reconcile::step::Remote;

use crate::builders::{File, NOW, Scene, draft_in_step, ids, in_step, text, unmet_blank};

const HOUR: i64 = 3_600_000;

/// A write of "B" lost its answer so long ago; the hub still has "A".
fn lost_write_of_b(ago: u64) -> Scene {
    let scene = in_step().writes("B");
    let mut patch = scene.whole_patch();
    patch.lists = Lists::default();
    scene.lost_patch(patch, ago)
}

fn before(ago: u64) -> Mono {
    Mono(NOW.mono.0 - ago)
}

#[test]
fn e1_a_doubt_waits_five_seconds_after_its_connection_ended() {
    let scene = lost_write_of_b(1_000);
    for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is(), scene.absent()] {
        assert_eq!(said, "E1 wait 4000");
    }
    assert_eq!(lost_write_of_b(4_999).unknown(), "E1 wait 1");
    assert_eq!(lost_write_of_b(1_000).colleague_publishes("B").is_as_of(NOW.mono), "E1 wait 4000");
    assert_eq!(in_step().lost_delete(1_000).absent(), "E1 wait 4000");
}

#[test]
fn e1_then_it_is_looked_up_by_a_get_and_never_by_a_list() {
    let scene = lost_write_of_b(5_000);
    for said in [scene.unknown(), scene.unmoved(), scene.moved()] {
        assert_eq!(said, "E1 get");
    }
    assert_eq!(in_step().lost_delete(5_000).unmoved(), "E1 get");
}

#[test]
fn e1_a_look_sent_before_the_write_can_have_arrived_says_nothing() {
    let landed = lost_write_of_b(8_000).colleague_publishes("B");
    assert_eq!(landed.is_as_of(before(3_001)), "E1 get");
    assert_eq!(landed.is_as_of(before(3_000)), "E2 adopt");
    let scene = lost_write_of_b(8_000);
    assert_eq!(scene.is_as_of(before(3_001)), "E1 get");
    assert_eq!(scene.decide(Remote::Absent { as_of: before(3_001) }), "E1 get");
    let delete = in_step().lost_delete(8_000);
    assert_eq!(delete.is_as_of(before(3_001)), "E1 get");
    assert_eq!(delete.decide(Remote::Absent { as_of: before(3_001) }), "E1 get");
}

#[test]
fn e_a_doubt_is_asked_before_everything_else() {
    let scene = lost_write_of_b(9_000).we_archived().was_absent().was_refused();
    assert_eq!(scene.unknown(), "E1 get");
    assert_eq!(scene.clone().removes_it(HOUR).unknown(), "E1 get");
    assert_eq!(scene.clone().held_for(Code::DuplicatePageId).unknown(), "E1 get");
    assert_eq!(scene.unchecked().unknown(), "E1 get");
}

#[test]
fn e_an_aged_look_still_settles_a_doubt() {
    let landed = lost_write_of_b(90_000).colleague_publishes("B");
    assert_eq!(landed.is_as_of(before(70_000)), "E2 adopt");
}

#[test]
fn e2_a_write_that_landed_is_acknowledged() {
    let scene = lost_write_of_b(9_000).colleague_publishes("B");
    let said = scene.is_as_of(before(1_000));
    assert_eq!(said, "E2 adopt");
    let base = said.base();
    assert!(base.live.as_ref().unwrap().is(&text("B")) && base.version == Some(2));
    assert_eq!(base.source, scene.document.source);
    assert_eq!(base.at, NOW.wall);
}

#[test]
fn e2_a_publish_that_landed_leaves_no_draft() {
    let scene = draft_in_step().wants(Status::Published);
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let said = scene.lost_patch(patch, 9_000).colleague_publishes("A").is_as_of(before(1_000));
    assert_eq!(said, "E2 adopt");
    assert!(said.base().live.is_some() && said.base().draft.is_none());
}

#[test]
fn e2_forgives_what_hubs_rewrite_and_remembers_it() {
    let scene = lost_write_of_b(9_000).colleague_publishes("B  \n");
    let said = scene.is_as_of(before(1_000));
    assert_eq!(said, "E2 adopt");
    let live = said.base().live.clone().unwrap();
    assert_eq!((live.sent, live.echoed), (text("B"), Some(text("B  \n"))));
}

#[test]
fn e2_a_write_of_a_draft_landed_in_the_draft() {
    let scene = draft_in_step().writes("B");
    let patch = Patch { lists: Lists::default(), ..scene.whole_patch() };
    let said = scene.lost_patch(patch, 9_000).colleague_drafts("B").is_as_of(before(1_000));
    assert_eq!(said, "E2 adopt");
    assert!(said.base().draft.as_ref().unwrap().is(&text("B")) && said.base().live.is_none());
}

#[test]
fn e2_a_write_of_lists_alone_leaves_text_and_version_of_the_base() {
    let scene = in_step().files_in(&["other"]);
    let patch = Patch { text: None, ..scene.whole_patch() };
    let scene = scene.lost_patch(patch, 9_000).colleague_files_in(&["other"]).colleague_publishes("X");
    let said = scene.is_as_of(before(1_000));
    assert_eq!(said, "E2 adopt");
    let base = said.base();
    assert_eq!(base.lists.folders, Some(ids(&["other"])));
    assert!(base.live.as_ref().unwrap().is(&text("A")) && base.version == Some(1));
}

#[test]
fn e2_asks_for_every_field_that_was_sent() {
    let scene = in_step().writes("B").files_in(&["other"]);
    let patch = scene.whole_patch();
    let scene = scene.lost_patch(patch, 9_000);
    assert_eq!(scene.clone().colleague_publishes("B").is_as_of(before(1_000)), "E3 drop doubt");
    assert_eq!(scene.clone().colleague_files_in(&["other"]).is_as_of(before(1_000)), "E3 drop doubt");
    let retitled = scene.colleague_publishes("B").colleague_files_in(&["other"]).colleague_retitles("Else");
    assert_eq!(retitled.is_as_of(before(1_000)), "E3 drop doubt");
}

#[test]
fn e3_anything_else_drops_the_doubt_and_the_table_says_what_follows() {
    assert_eq!(lost_write_of_b(9_000).is_as_of(before(1_000)), "E3 drop doubt");
    assert_eq!(lost_write_of_b(9_000).colleague_publishes("X").is_as_of(before(1_000)), "E3 drop doubt");
    assert_eq!(lost_write_of_b(9_000).decide(Remote::Absent { as_of: before(1_000) }), "E3 drop doubt");
}

#[test]
fn e8_a_page_that_is_gone_after_our_delete_was_archived_by_us() {
    let scene = in_step().removes_it(2 * HOUR).lost_delete(9_000);
    assert_eq!(scene.decide(Remote::Absent { as_of: before(1_000) }), "E8 archived");
    let back = in_step().lost_delete(9_000);
    assert_eq!(back.decide(Remote::Absent { as_of: before(1_000) }), "E8 archived");
}

#[test]
fn e9_a_page_that_is_still_there_was_not_archived() {
    let scene = in_step().removes_it(2 * HOUR).lost_delete(9_000);
    assert_eq!(scene.is_as_of(before(1_000)), "E9 drop doubt");
    assert_eq!(in_step().lost_delete(9_000).is_as_of(before(1_000)), "E9 drop doubt");
}

#[test]
fn f8_a_page_that_we_archived_waits_to_be_restored_in_the_hub() {
    let scene = in_step().we_archived();
    for said in [scene.unknown(), scene.unmoved(), scene.absent(), scene.is_stale()] {
        assert_eq!(said, "F8 hold blocked archived");
    }
    assert_eq!(unmet_blank().we_archived().unknown(), "F8 hold blocked archived");
    assert_eq!(in_step().we_archived().was_absent().unknown(), "F8 hold blocked archived");
    assert_eq!(in_step().we_archived().held_for(Code::FrontMatter).unknown(), "F8 hold blocked archived");
}

#[test]
fn f8_a_page_that_is_there_again_is_no_longer_archived() {
    assert_eq!(in_step().we_archived().is(), "F8 drop archived");
    assert_eq!(in_step().we_archived().moved(), "F8 drop archived");
}

#[test]
fn g1_a_held_document_is_blocked_for_its_own_reason() {
    for code in [
        Code::FrontMatter,
        Code::FileEmpty,
        Code::Unreadable,
        Code::DuplicatePageId,
        Code::NotUtf8,
        Code::MergeMarkers,
        Code::OutsideRoot,
    ] {
        let line = format!("G1 hold blocked {}", code.as_str());
        for scene in [in_step(), unmet_blank(), in_step().colleague_publishes("X").was_absent()] {
            assert_eq!(scene.clone().held_for(code).is(), line.as_str());
            assert_eq!(scene.held_for(code).unknown(), line.as_str());
        }
    }
    assert_eq!(in_step().held_for(Code::StillBeingWritten).is(), "G1 hold pending still_being_written");
}

#[test]
fn g2_a_document_that_is_left_alone_is_skipped() {
    for code in [Code::Ignored, Code::SyncFalse, Code::OffBranch, Code::NotCheckedOut] {
        let line = format!("G2 hold skipped {}", code.as_str());
        for scene in [in_step(), unmet_blank(), in_step().on_delete_archive().colleague_publishes("X")] {
            assert_eq!(scene.held_for(code).is(), line.as_str());
        }
    }
}

fn gone() -> Scene {
    in_step().removes_it(HOUR).on_delete_archive()
}

#[test]
fn f0_a_file_that_never_met_its_page_is_forgotten_without_a_request() {
    for scene in [unmet_blank().removes_it(HOUR), unmet_blank().removes_it(HOUR).on_delete_archive()] {
        for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is(), scene.absent()] {
            assert_eq!(said, "F0 forget");
        }
    }
}

#[test]
fn f1_on_delete_keep_leaves_the_page_orphaned() {
    let scene = in_step().removes_it(2 * HOUR);
    for said in [scene.unknown(), scene.unmoved(), scene.moved(), scene.is()] {
        assert_eq!(said, "F1 hold orphaned file_gone");
    }
    assert_eq!(scene.unchecked().unknown(), "F1 hold orphaned file_gone");
}

#[test]
fn f2_an_archive_needs_a_fresh_look() {
    assert_eq!(gone().unknown(), "F2 look");
    assert_eq!(gone().unmoved_stale(), "F2 look");
    assert_eq!(gone().is_stale(), "F2 look");
}

#[test]
fn f2_a_touched_page_or_one_that_a_list_cannot_tell_is_looked_at_itself() {
    assert_eq!(gone().moved(), "F2 get");
    assert_eq!(gone().colleague_publishes("X").moved(), "F2 get");
    assert_eq!(
        gone().colleague_drafts("Y").looked_at().colleague_publishes("A").moved(),
        "F2 get",
        "it may be ours again"
    );
    assert_eq!(gone().racy().unmoved(), "F2 get");
    assert_eq!(gone().never_looked_at().unmoved(), "F2 get");
}

#[test]
fn f3_a_page_that_is_ours_in_every_field_is_archived() {
    assert_eq!(gone().unmoved(), "F3 archive");
    assert_eq!(gone().is(), "F3 archive");
    assert_eq!(gone().hub_echoes("A\n").is(), "F3 archive");
    assert_eq!(draft_in_step().removes_it(HOUR).on_delete_archive().is(), "F3 archive");
    assert_eq!(gone().unchecked().is(), "F3 archive");
    assert_eq!(gone().colleague_drafts("A").is(), "F3 archive", "a draft that equals the live text is none");
}

#[test]
fn f3_not_before_archive_after() {
    let scene = in_step().removes_it(HOUR - 1).on_delete_archive();
    for said in [scene.unknown(), scene.unmoved(), scene.is()] {
        assert_eq!(said, "F3 hold orphaned archive_waits");
        assert_eq!(said.wake(), Some(Wall(NOW.wall.0 + 1)), "it is decided again when it is due");
    }
}

#[test]
fn f4_a_page_that_was_edited_since_is_a_conflict() {
    for edited in [
        gone().colleague_publishes("X"),
        gone().colleague_drafts("Y"),
        gone().colleague_files_in(&["other"]),
        gone().colleague_sets_skills(&["other"]),
        gone().colleague_retitles("Else"),
    ] {
        assert_eq!(edited.is(), "F4 hold conflict remote_changed");
        let looked = edited.looked_at();
        assert_eq!(looked.unknown(), "F4 hold conflict remote_changed", "it rests on the last look");
        assert_eq!(looked.unmoved_stale(), "F4 hold conflict remote_changed");
    }
}

#[test]
fn f5_a_page_that_is_gone_too_is_forgotten() {
    for scene in [gone(), in_step().removes_it(HOUR), in_step().removes_it(0).on_delete_archive()] {
        assert_eq!(scene.absent(), "F5 forget");
        assert_eq!(scene.clone().was_absent().unknown(), "F5 forget");
        assert_eq!(scene.we_archived().unmoved(), "F5 forget");
    }
}

#[test]
fn r1_an_orphan_is_archived_or_its_file_written_again() {
    let kept = in_step().removes_it(0);
    assert_eq!(kept.clone().settles(Keep::Archive).is(), "R1 archive");
    assert_eq!(kept.clone().settles(Keep::Remote).is(), "R1 write_text remote");
    assert_eq!(kept.clone().settles(Keep::Archive).unmoved(), "R1 get", "only on the page itself");
    assert_eq!(kept.settles(Keep::Archive).colleague_drafts("Y").is(), "F1 hold orphaned file_gone");

    let waiting = in_step().removes_it(0).on_delete_archive();
    assert_eq!(waiting.clone().settles(Keep::Archive).is(), "R1 archive");
    assert_eq!(waiting.settles(Keep::Remote).is(), "R1 write_text remote");

    // Where the rule would archive it by now, what a person said goes first.
    for keep in [Keep::Remote, Keep::Both] {
        assert_eq!(gone().settles(keep).is(), "R1 write_text remote");
        assert_eq!(gone().settles(keep).unmoved(), "R1 get");
        assert_eq!(gone().settles(keep).unknown(), "R1 get");
    }

    let edited = gone().colleague_publishes("X");
    assert_eq!(edited.clone().settles(Keep::Archive).is(), "R1 archive");
    assert_eq!(edited.settles(Keep::Archive).colleague_publishes("Z").is(), "F4 hold conflict remote_changed");
    // A decision for a document archives nothing when its file vanishes, and one to archive sends nothing when it is there again.
    for keep in [Keep::Local, Keep::Merged] {
        assert_eq!(in_step().removes_it(0).settles(keep).is(), "F1 hold orphaned file_gone");
    }
    assert_eq!(
        in_step().writes("B").colleague_publishes("X").settles(Keep::Archive).is(),
        "D7 hold conflict remote_changed"
    );
}

#[test]
fn a_file_that_is_gone_is_not_asked_about_its_status() {
    let mut scene = gone().wants(Status::Draft);
    scene.file = File::Gone(Wall(0));
    assert_eq!(scene.is(), "F3 archive");
}
