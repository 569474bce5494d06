//! What schedules have found, each as the smallest case that shows it.

use hubsync::engine::Mode;
use hubsync::engine::change::PageChange;
use hubsync::page::PageId;
use hubsync::policy::Policy;
use hubsync::reason::{Code, State};
use hubsync::reconcile::page_record::{Keep, Resolution};
use hubsync::sandbox::{Normalise, Settings, Stamps};

use super::folder::Doc;
use super::network::{Fate, RetryAfter};
use super::world::{Command, World, met};

/// Carries effects out until a slot is asked for, all requests answered.
fn until_a_slot_is_asked_for(w: &mut World) {
    w.pump();
    while w.reserves.is_empty() {
        assert!(w.work(), "nothing is asked for\n{}", w.story());
        w.pump();
    }
}

/// Two pages under way: the first request meets `fate` while the second one's slot is being taken.
fn nothing_follows(fate: Fate) {
    let mut w = met("A");
    w.live("p2", "A");
    w.save("p2.md", Doc::published("p2", "A"));
    w.settle();
    w.run(4_000_000);
    w.edit("p1.md", "B");
    until_a_slot_is_asked_for(&mut w);
    w.grant();
    assert_eq!(w.flights.len(), 1);
    w.edit("p2.md", "B");
    assert!(!w.reserves.is_empty(), "the second slot is asked for");
    w.forget_requests();
    w.meet(fate.clone());
    while !w.reserves.is_empty() {
        w.grant();
    }
    assert!(w.flights.is_empty(), "{fate:?}: another request leaves");
}

#[test]
fn a_slot_that_was_asked_for_before_the_hub_said_stop_is_given_back() {
    nothing_follows(Fate::Limited(RetryAfter::Seconds(100)));
    nothing_follows(Fate::Forbidden);
    nothing_follows(Fate::Redirected(302));
}

/// Carries effects out until an intent is being stored.
fn until_an_intent_is_stored(w: &mut World) {
    let is_intent = |w: &World| {
        let puts = w.stores.front().map(|(_, change)| &change.pages);
        puts.into_iter()
            .flatten()
            .any(|(_, put)| matches!(put, PageChange::Put { record, .. } if record.doubt.is_some()))
    };
    while !is_intent(w) {
        assert!(w.work(), "nothing is to be written\n{}", w.story());
        w.pump();
    }
}

#[test]
fn an_intent_that_is_stored_after_the_hub_said_stop_is_not_sent() {
    let mut w = met("A");
    w.live("p2", "A");
    w.save("p2.md", Doc::published("p2", "A"));
    w.settle();
    w.run(4_000_000);
    w.edit("p1.md", "B");
    until_an_intent_is_stored(&mut w);
    w.edit("p2.md", "B");
    w.grant();
    assert!(w.flights.iter().all(|flight| !flight.is_write()) && w.flights.len() == 1);
    w.meet(Fate::Limited(RetryAfter::Seconds(100)));
    w.store();
    assert!(w.flights.is_empty(), "it leaves although the hub said to wait");
}

#[test]
fn lists_alone_are_not_sent_either_while_the_root_is_missing() {
    let mut w = met("A");
    w.hub.add_folder(w.hub_time(), "G", None);
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["G".to_owned()]));
    until_an_intent_is_stored(&mut w);
    w.folder.missing = true;
    w.rescan();
    w.store();
    assert!(w.flights.is_empty(), "a write that needs no file leaves while there is no root");
}

#[test]
fn a_root_that_comes_back_is_planned_although_it_is_read_later() {
    let mut w = met("A");
    w.folder.missing = true;
    w.crash();
    w.folder.missing = false;
    // The root is said to be well before its files are.
    w.handle(hubsync::engine::Input::Health(hubsync::engine::settled::RootHealth::Ok));
    w.rescan();
    w.settle();
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn a_clock_that_was_set_back_before_the_start_puts_no_look_off() {
    let mut w = met("A");
    w.skew -= 31_536_000_000;
    w.crash();
    w.publishes("p1", "X");
    w.run(1_801_000);
    w.settle();
    assert_eq!(w.state("p1.md").0, State::Drifted, "the list is read within the interval, not within the year");
}

#[test]
fn a_look_from_before_the_machine_slept_carries_no_write() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    until_a_slot_is_asked_for(&mut w);
    w.grant();
    w.apply();
    w.answer();
    w.suspend(28_800_000);
    w.publishes("p1", "X");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn a_row_of_a_list_makes_no_newcomer_known() {
    let mut w = met("A");
    w.live("p2", "A");
    w.write_file("p2.md", Doc::published("p2", "B"));
    w.write_file("copy.md", Doc::published("p2", "C"));
    w.rescan();
    w.run(1_801_000);
    w.settle();
    assert!(w.disk.record(&PageId::parse("p2").unwrap()).is_none(), "a restart would publish one of the two");
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!(w.live_text("p2").as_deref(), Some("A"));
    assert_eq!(w.state("copy.md"), (State::Blocked, Some(Code::DuplicatePageId)));
}

#[test]
fn a_draft_that_the_hub_made_equal_to_the_live_text_is_ours_still() {
    let settings = Settings { normalise: Normalise::Growing, ..Settings::default() };
    let policy = Policy { on_first_meeting: hubsync::policy::OnDifference::Local, ..Policy::default() };
    let mut w = World::with(Mode::Daemon, policy, settings);
    w.live("p1", "A \\o");
    w.save("p1.md", Doc::draft("p1", "A \\o"));
    w.settle();
    w.edit("p1.md", "B");
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
}

#[test]
fn what_the_first_page_of_a_list_tells_is_known_before_its_last() {
    let policy = Policy { check_interval: Some(10_000), ..Policy::default() };
    let mut w = World::with(Mode::Daemon, policy, Settings::default());
    for id in ["p1", "p2", "p3"] {
        w.live(id, "A");
        w.write_file(&format!("{id}.md"), Doc::published(id, "A"));
    }
    w.rescan();
    w.settle();
    w.rows = 1;
    for id in ["p2", "p3", "p1"] {
        w.publishes(id, "X");
    }
    w.tick(10_000);
    w.handle(hubsync::engine::Input::Tick);
    w.grant();
    w.meet(Fate::Answered);
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("X"));
    assert_eq!(w.state("p1.md").0, State::Conflict);
}

#[test]
fn a_look_within_the_second_of_an_edit_is_made_again_before_a_write() {
    let settings = Settings { stamps: Stamps::WholeSeconds, ..Settings::default() };
    let mut w = World::with(Mode::Daemon, Policy::default(), settings);
    for id in ["p1", "p2"] {
        w.live(id, "A");
        w.write_file(&format!("{id}.md"), Doc::published(id, "A"));
    }
    w.tick(1_000 - w.time.rem_euclid(1_000));
    w.files("p1", &[]);
    w.rescan();
    w.settle();
    assert!(w.is_in_step("p1.md"));
    w.drafts("p1", "Y");
    w.run(100_000);
    for id in ["p1", "p2"] {
        w.write_file(&format!("{id}.md"), Doc::published(id, "B"));
    }
    w.tell(&["p1.md", "p2.md"]);
    w.settle();
    assert_eq!(w.draft_text("p1").as_deref(), Some("Y"), "somebody's draft of the same second is destroyed");
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteDraft)));
}

#[test]
fn an_echo_that_was_not_seen_yet_is_not_guessed() {
    let settings = Settings { normalise: Normalise::Markdown, ..Settings::default() };
    let mut w = World::with(Mode::Daemon, Policy::default(), settings);
    w.page("p1", "", hubsync::sandbox::Status::Draft);
    w.save("p1.md", Doc::draft("p1", "* A"));
    w.settle();
    // Only white space: nothing is sent, and nothing looked at.
    w.edit("p1.md", "* A  ");
    w.settle();
    w.edit("p1.md", "* B");
    w.settle();
    assert!(w.is_in_step("p1.md"), "our own draft is taken for somebody's: {:?}", w.report("p1.md"));
}

#[test]
fn what_another_key_may_find_is_forgotten_on_the_disk_too() {
    let mut w = met("A");
    w.edit("p1.md", "B");
    w.settle();
    w.colleague("p1", hubsync::sandbox::Act::Archive);
    w.edit("p1.md", "C");
    w.settle();
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::PageNotFound)));
    w.run(100_000);
    w.handle(hubsync::engine::Input::KeyRenewed);
    w.settle();
    let before = w.state("p1.md");
    w.restart(Mode::Daemon);
    w.settle();
    assert_eq!(w.state("p1.md"), before, "a restart sees it otherwise");
}

#[test]
fn a_lost_draft_that_equals_the_live_text_but_for_white_space_is_in_step() {
    let mut w = World::with(Mode::Daemon, Policy::default(), Settings::default());
    w.live("p1", "A");
    w.save("p1.md", Doc::draft("p1", "A"));
    w.settle();
    w.edit("p1.md", "B");
    w.settle();
    w.write_fates.push_back(Fate::AnswerLost);
    w.edit("p1.md", "A");
    while !w.write_fates.is_empty() {
        w.run(100);
    }
    w.edit("p1.md", "A  \n");
    w.settle();
    assert!(w.is_in_step("p1.md"), "nobody else was there: {:?}", w.report("p1.md"));
}

#[test]
fn markers_that_an_editor_writes_over_at_once_block_nothing() {
    let mut w = met("A");
    w.publishes("p1", "X");
    w.edit("p1.md", "B");
    w.settle();
    let page = PageId::parse("p1").unwrap();
    let seen = w.disk.record(&page).and_then(|record| record.seen.clone()).unwrap();
    w.watch.decided("p1", seen.updated_at, Keep::Both);
    let decided = Resolution { keep: Keep::Both, version: seen.version, updated_at: seen.updated_at };
    w.handle(hubsync::engine::Input::Decided(vec![(page, decided)]));
    while w.file_writes.is_empty() {
        assert!(w.work(), "nothing is to be written into the file\n{}", w.story());
    }
    w.write_document(Command::Writes);
    w.write_file("p1.md", Doc::published("p1", "B"));
    w.settle();
    w.run(10_000);
    assert_eq!(w.state("p1.md"), (State::InStep, None), "the markers are gone: what is there was decided on");
    assert_eq!(w.live_text("p1").as_deref(), Some("B"));
}
