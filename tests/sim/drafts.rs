//! Draft and published (contract.md, the table of that name), and what somebody else leaves unpublished.

use hubsync::page::Status;
use hubsync::policy::{OnDifference, Policy};
use hubsync::reason::{Code, State};
use hubsync::reconcile::step::RemoteDraft;
use hubsync::sandbox::{self, Act};

use super::world::{Doc, World, met, met_with};

/// `p1.md` is a draft on a page that is live with `live`, and has met it.
fn met_as_draft(live: &str) -> World {
    let mut w = World::new();
    w.live("p1", live);
    w.save("p1.md", Doc::draft("p1", live));
    w.settle();
    assert!(w.is_in_step("p1.md"));
    w.run(4_000_000);
    w.forget_requests();
    w
}

#[test]
fn a_draft_document_never_sends_a_status() {
    let mut w = met_as_draft("A");
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.last_write(), serde_json::json!({"title": "T", "content": "B"}));
    assert_eq!((w.live_text("p1").as_deref(), w.draft_text("p1").as_deref()), (Some("A"), Some("B")));
    assert!(w.is_in_step("p1.md"));
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!(w.draft_text("p1").as_deref(), Some("C"));
    assert_eq!(w.requests(), (2, 2));
}

#[test]
fn what_was_drafted_is_published_whole() {
    let mut w = met_as_draft("A");
    w.edit("p1.md", "B");
    w.settle();
    w.change("p1.md", |doc| doc.status = Status::Published);
    w.settle();
    assert_eq!(w.last_write(), serde_json::json!({"title": "T", "content": "B", "status": "published"}));
    assert_eq!((w.live_text("p1").as_deref(), w.draft_text("p1")), (Some("B"), None));
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn somebodys_draft_on_an_unchanged_published_document_is_only_noted() {
    let mut w = met("A");
    w.drafts("p1", "Y");
    w.run(1_801_000);
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.report("p1.md").draft, RemoteDraft::There);
    assert_eq!(w.asked(), ["GET pages"]);
    w.drafts("p1", "Y2");
    w.run(1_801_000);
    assert_eq!(w.asked(), ["GET pages", "GET pages"], "an autosave costs no look of its own");
}

#[test]
fn somebodys_draft_is_never_destroyed_by_an_edit() {
    for policy in [
        Policy::default(),
        Policy { on_conflict: OnDifference::Local, on_first_meeting: OnDifference::Local, ..Policy::default() },
    ] {
        let mut w = met_with(policy, "A");
        w.drafts("p1", "Y");
        w.edit("p1.md", "B");
        w.settle();
        assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
        assert_eq!((w.live_text("p1").as_deref(), w.draft_text("p1").as_deref()), (Some("A"), Some("Y")));
        w.colleague("p1", Act::DiscardDraft);
        w.run(1_801_000);
        assert_eq!(w.live_text("p1").as_deref(), Some("B"));
        assert!(w.is_in_step("p1.md"));
    }
}

#[test]
fn somebodys_draft_at_the_first_meeting_is_held_whoever_wins() {
    let policy = Policy { on_first_meeting: OnDifference::Local, ..Policy::default() };
    let mut w = World::with(hubsync::engine::Mode::Daemon, policy, sandbox::Settings::default());
    w.live("p1", "X");
    w.drafts("p1", "Y");
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
}

#[test]
fn somebodys_draft_on_a_draft_document_is_drift_and_with_an_edit_a_conflict() {
    let mut w = met_as_draft("A");
    w.edit("p1.md", "B");
    w.settle();
    w.drafts("p1", "Y");
    w.run(1_801_000);
    assert_eq!(w.state("p1.md").0, State::Drifted);
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Conflict);
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
}

#[test]
fn a_draft_of_ours_that_a_colleague_publishes_is_in_step() {
    let mut w = met_as_draft("A");
    w.edit("p1.md", "B");
    w.settle();
    w.publishes("p1", "B");
    w.run(1_801_000);
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!((w.live_text("p1").as_deref(), w.draft_text("p1").as_deref()), (Some("B"), Some("C")));
}

#[test]
fn a_page_never_published_is_filled_as_a_draft() {
    let mut w = World::new();
    w.page("p1", "", sandbox::Status::Draft);
    w.save("p1.md", Doc::draft("p1", "A"));
    w.settle();
    assert_eq!((w.live_text("p1"), w.draft_text("p1").as_deref()), (None, Some("A")));
    assert!(w.is_in_step("p1.md"));
    w.run(2_000_000);
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.requests().1, 1);
}

#[test]
fn lists_of_a_draft_document_are_sent_at_once() {
    let mut w = met_as_draft("A");
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    assert_eq!(w.hub.page("p1").unwrap().folder_ids, [folder]);
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_draft_saved_beside_our_write_of_folders_is_not_taken_for_an_echo_of_ours() {
    let mut w = met_as_draft("A");
    w.edit("p1.md", "B");
    w.settle();
    w.run(4_000_000);
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.change("p1.md", |doc| doc.named.folders = Some(vec![folder]));
    while !w.flights.front().is_some_and(|flight| flight.is_write()) {
        assert!(w.work());
        w.pump();
    }
    w.drafts("p1", "Y");
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Drifted);
    w.edit("p1.md", "C");
    w.settle();
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"));
}

#[test]
fn a_hub_that_normalises_is_no_drift_and_no_conflict() {
    let settings = sandbox::Settings { normalise: sandbox::Normalise::Markdown, ..sandbox::Settings::default() };
    for status in [Status::Published, Status::Draft] {
        let mut w = World::with(hubsync::engine::Mode::Daemon, Policy::default(), settings.clone());
        w.page("p1", "", sandbox::Status::Draft);
        w.save("p1.md", Doc { status, ..Doc::published("p1", "* a  \n* b") });
        w.settle();
        for body in ["* a \n* c", "* d  "] {
            w.edit("p1.md", body);
            w.settle();
            w.run(1_801_000);
            assert!(w.is_in_step("p1.md"), "{status:?} {:?}", w.report("p1.md"));
        }
        assert_eq!(w.requests().1, 3);
    }
}
