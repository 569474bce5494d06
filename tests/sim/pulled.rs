//! What a command saw of a page whose document it wrote (`hubsync pull`): a look like any other, and never a better one.

use hubsync::engine::{Input, Met, Mode};
use hubsync::page::{Mono, PageId};
use hubsync::reason::{Code, State};
use hubsync::reconcile::page_record::Seen;

use super::world::{Doc, World, met};

fn seen(w: &World) -> Seen {
    w.memory().pages.into_iter().find_map(|(_, _, record)| record.seen).unwrap()
}

/// A command looked at `p1` so many milliseconds ago.
fn told(w: &mut World, seen: Seen, ago: u64) {
    let sent = Mono(w.now().mono.0.saturating_sub(ago));
    let (page, path) = (PageId::parse("p1").unwrap(), World::doc_path("p1.md"));
    w.handle(Input::Met(Box::new(Met { page, path, seen, sent, date: None, names: None })));
}

#[test]
fn a_page_that_was_pulled_is_met_without_a_request() {
    let mut w = met("A");
    let seen = seen(&w);
    w.remove("p1.md");
    w.run(10_000);
    w.lose_the_state();
    w.restart(Mode::Daemon);
    w.run(10_000);
    w.forget_requests();
    told(&mut w, seen, 1_000);
    w.save("p1.md", Doc::published("p1", "A"));
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    w.restart(Mode::Daemon);
    w.settle();
    assert!(w.is_in_step("p1.md"));
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
}

#[test]
fn a_look_of_a_command_never_takes_the_place_of_a_newer_one() {
    let mut w = met("A");
    let old = seen(&w);
    w.publishes("p1", "X");
    w.edit("p1.md", "B");
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteChanged)));
    w.forget_requests();
    told(&mut w, old, 0);
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::RemoteChanged)));
    assert_eq!((w.requests().1, w.live_text("p1").as_deref()), (0, Some("X")));
}

#[test]
fn a_document_that_took_up_what_a_command_saw_is_in_step_and_sends_nothing() {
    let mut w = met("A");
    w.publishes("p1", "X");
    // Another engine of the same hub has just looked.
    let mut other = met("A");
    other.publishes("p1", "X");
    other.edit("p1.md", "X");
    other.settle();
    let mut theirs = seen(&other);
    theirs.updated_at.0 += 1;
    told(&mut w, theirs, 500);
    w.edit("p1.md", "X");
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    assert_eq!(w.requests().1, 0);
}
