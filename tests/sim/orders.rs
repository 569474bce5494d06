//! A person's order to the engine, and a person's pause.

use hubsync::engine::change::PersonPause;
use hubsync::engine::{Archives, Input, Mode, OrderId, PublishNow, Rest, ShutWhy, WaitsOn};
use hubsync::page::Wall;
use hubsync::policy::{OnDifference, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::Settings;

use super::world::{Doc, Flight, World, many, met};

const ONE: OrderId = OrderId(1);

fn order(w: &mut World, paths: &[&str]) {
    let scope = paths.iter().map(|path| World::doc_path(path)).collect();
    w.handle(Input::PublishNow(
        ONE,
        PublishNow { scope, create: None, archives: Archives::Guarded, on_first_meeting: None },
    ));
}

fn rest(w: &mut World) -> Rest {
    let now = w.now();
    w.engine.rest_of(now, ONE)
}

#[test]
fn an_order_waits_for_no_more_quiet() {
    let mut w = met("A");
    for body in ["B", "C", "D"] {
        w.edit("p1.md", body);
        w.settle();
    }
    w.edit("p1.md", "E");
    w.run(500);
    assert_eq!(w.live_text("p1").as_deref(), Some("D"), "published three times within the hour, it waits");
    w.forget_requests();
    let before = w.time;
    order(&mut w, &["p1.md"]);
    w.settle();
    assert_eq!(w.live_text("p1").as_deref(), Some("E"));
    assert!(w.time - before < 2_000, "{}", w.time - before);
    assert_eq!(rest(&mut w), Rest::Done);
    assert_eq!(w.requests(), (1, 1), "its own look, and the write");
    // As long as it lasts that holds for what is saved after it, too.
    w.edit("p1.md", "F");
    w.run(1_000);
    assert_eq!(w.live_text("p1").as_deref(), Some("F"));
    w.handle(Input::OrderEnded(ONE));
    w.edit("p1.md", "G");
    w.run(1_000);
    assert_eq!(w.live_text("p1").as_deref(), Some("F"), "and then no longer");
}

#[test]
fn an_order_goes_before_bulk_and_holds_nothing_up() {
    let settings = Settings { per_minute: 10, ..Settings::default() };
    let mut w = many(40, Mode::Daemon, Policy::default(), settings);
    for n in 0..40 {
        w.write_file(&format!("p{n}.md"), Doc::published(&format!("p{n}"), "B"));
    }
    w.rescan();
    w.run(5_000);
    let published = |w: &World| (0..40).filter(|n| w.live_text(&format!("p{n}")).as_deref() == Some("B")).count();
    let last = (0..40).rev().find(|n| w.live_text(&format!("p{n}")).as_deref() == Some("A")).unwrap();
    let first = published(&w);
    assert!((1..20).contains(&first), "the minute's requests are spent: {first}");
    order(&mut w, &[&format!("p{last}.md")]);
    w.run(100);
    assert!(matches!(rest(&mut w), Rest::Waiting { until: Some(_), on: Some(WaitsOn::Minute) }), "{:?}", rest(&mut w));
    while rest(&mut w) != Rest::Done {
        w.run(1_000);
    }
    assert_eq!(w.live_text(&format!("p{last}")).as_deref(), Some("B"));
    assert!(published(&w) < 25, "the others still wait: {}", published(&w));
    w.handle(Input::OrderEnded(ONE));
    w.settle();
    assert_eq!(published(&w), 40);
}

#[test]
fn an_order_with_first_meeting_local_is_for_what_it_names_and_no_longer_than_it_lasts() {
    let mut w = World::new();
    for id in ["p1", "p2"] {
        w.live(id, "Theirs.");
        w.save(&format!("{id}.md"), Doc::published(id, "Mine."));
    }
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Conflict, Some(Code::FirstMeeting)));
    let scope = vec![World::doc_path("p1.md")];
    w.handle(Input::PublishNow(
        ONE,
        PublishNow { scope, create: None, archives: Archives::Guarded, on_first_meeting: Some(OnDifference::Local) },
    ));
    w.settle();
    assert_eq!((w.live_text("p1").as_deref(), w.live_text("p2").as_deref()), (Some("Mine."), Some("Theirs.")));
    w.handle(Input::OrderEnded(ONE));
    w.settle();
    assert_eq!(w.state("p2.md"), (State::Conflict, Some(Code::FirstMeeting)));
}

#[test]
fn a_persons_pause_sends_nothing_and_outlasts_a_429() {
    let mut w = met("A");
    let until = Wall(w.now().wall.0 + 60_000);
    w.handle(Input::Paused(Some(PersonPause { since: w.now().wall, until: Some(until) })));
    w.forget_requests();
    w.edit("p1.md", "B");
    order(&mut w, &[]);
    w.run(30_000);
    assert_eq!(w.requests(), (0, 0));
    assert_eq!(w.state("p1.md"), (State::Pending, Some(Code::Paused)));
    assert!(matches!(rest(&mut w), Rest::Waiting { until: Some(_), on: Some(WaitsOn::Shut(ShutWhy::Person)) }));
    w.run(31_000);
    assert_eq!(w.live_text("p1").as_deref(), Some("B"), "it ends by itself");
}

#[test]
fn a_pause_lets_nothing_leave_at_whatever_step_it_comes() {
    let mut held = 0;
    for steps in 0..12 {
        let mut w = met("A");
        w.edit("p1.md", "B");
        for _ in 0..steps {
            w.work();
        }
        let left = w.flights.iter().any(Flight::is_write) || w.live_text("p1").as_deref() == Some("B");
        w.handle(Input::Paused(Some(PersonPause { since: w.now().wall, until: None })));
        w.settle();
        assert_eq!(w.live_text("p1").as_deref(), Some(if left { "B" } else { "A" }), "after {steps} steps");
        held += u32::from(!left);
        w.handle(Input::Paused(None));
        w.settle();
        assert_eq!((w.live_text("p1").as_deref(), w.version("p1")), (Some("B"), Some(2)), "after {steps} steps");
    }
    assert!((3..12).contains(&held), "some were before the write, some after it: {held}");
}
