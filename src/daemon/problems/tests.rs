//! Once for each, again after it was well, ten a minute, none lost.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::engine::{Counts, StillLive, Waiting};
use crate::pace::quota::Backlog;
use crate::page::{DocPath, PageId};
use crate::reason::Reason;
use crate::reconcile::step::RemoteDraft;

fn page(name: &str, state: State, code: Code) -> PageReport {
    PageReport {
        path: DocPath::new(format!("{name}.md")).unwrap(),
        page_id: PageId::parse(name).ok(),
        title: None,
        state,
        draft: RemoteDraft::None,
        reason: Some(Reason::new(code, "why")),
        remote_version: None,
        last_synced_at: None,
        attempts: 0,
        next_attempt_at: None,
        planned: None,
        still_live: StillLive::No,
        marks: None,
        rule: "",
    }
}

fn summary(pages: Vec<PageReport>) -> Summary {
    Summary {
        hub: HubHealth::default(),
        root: RootHealth::Ok,
        counts: Counts::default(),
        pages,
        requests: BTreeMap::new(),
        waits: None,
        unlooked: None,
        waiting: Waiting { backlog: Backlog::default(), until: Mono(0) },
    }
}

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms), wall: Wall(1_000_000 + i64::try_from(ms).unwrap_or(0)) }
}

/// How many problems each call tells that may be made now.
fn calls(problems: &mut Problems, now: Now) -> Vec<usize> {
    std::iter::from_fn(|| match problems.next(now) {
        Call::Now(told) => Some(told.len()),
        Call::At(_) | Call::Nothing => None,
    })
    .collect()
}

#[test]
fn a_page_is_told_once_and_again_only_after_it_was_well() {
    let mut problems = Problems::default();
    let mut stands = |state, code| {
        problems.see(&summary(vec![page("p", state, code)]), Scan::Planned, None);
        calls(&mut problems, at(0)).len()
    };
    assert_eq!(stands(State::Conflict, Code::RemoteChanged), 1);
    assert_eq!(stands(State::Conflict, Code::RemoteChanged), 0, "once");
    assert_eq!(stands(State::Pending, Code::HubUnreachable), 0);
    assert_eq!(stands(State::Conflict, Code::RemoteChanged), 0, "waiting is not being well");
    assert_eq!(stands(State::Skipped, Code::OffBranch), 0);
    assert_eq!(stands(State::Blocked, Code::FrontMatter), 0, "nor is another branch");
    for well in [State::InStep, State::Drifted, State::Orphaned] {
        assert_eq!(stands(well, Code::FileGone), 0, "needs nobody at once");
        assert_eq!(stands(State::Conflict, Code::RemoteChanged), 1, "again");
    }
}

#[test]
fn ten_calls_a_minute_and_nobody_is_forgotten() {
    let mut problems = Problems::default();
    let broken = |n: usize| (0..n).map(|n| page(&format!("p{n}"), State::Blocked, Code::FrontMatter)).collect();
    problems.see(&summary(broken(40)), Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(0)), [1, 1, 1, 1, 1, 1, 1, 1, 1, 31]);
    problems.see(&summary(broken(45)), Scan::Planned, None);
    assert_eq!(problems.next(at(1_000)), Call::At(Mono(WINDOW_MS)));
    assert_eq!(calls(&mut problems, at(WINDOW_MS - 1)), [0; 0]);
    assert_eq!(calls(&mut problems, at(WINDOW_MS)), [1, 1, 1, 1, 1]);
    assert_eq!(problems.told().len(), 45);
    // What is mended before its turn needs nobody any more.
    problems.see(&summary(broken(60)), Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(WINDOW_MS)), [1, 1, 1, 1, 11]);
    problems.see(&summary(broken(70)), Scan::Planned, None);
    problems.see(&summary(broken(62)), Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(2 * WINDOW_MS)), [1, 1]);
}

#[test]
fn what_was_told_before_a_restart_is_not_told_again_and_what_was_mended_meanwhile_is() {
    let mut problems = Problems::default();
    let both =
        |state| summary(vec![page("a", State::Conflict, Code::RemoteChanged), page("b", state, Code::FrontMatter)]);
    problems.see(&both(State::Blocked), Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(0)), [1, 1]);
    let mut again = Problems::remembering(problems.told().clone());
    let mut unread = both(State::InStep);
    unread.pages[0].state = State::InStep;
    again.see(&unread, Scan::Ahead, None);
    assert_eq!(again.told().len(), 2, "before the first scan nobody knows how pages stand");
    again.see(&both(State::InStep), Scan::Planned, None);
    assert_eq!(calls(&mut again, at(0)), [0; 0]);
    again.see(&both(State::Blocked), Scan::Planned, None);
    assert_eq!(calls(&mut again, at(0)), [1]);
    again.see(&summary(Vec::new()), Scan::Planned, None);
    assert!(again.told().is_empty(), "what is no more is not remembered for ever");
}

#[test]
fn a_root_and_a_hub_are_told_once_each_and_pages_wait_for_the_root() {
    let mut problems = Problems::default();
    let mut missing = summary(vec![page("p", State::Blocked, Code::FrontMatter)]);
    problems.see(&missing, Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(0)), [1]);
    missing.root = RootHealth::Missing("gone".to_owned());
    missing.pages.clear();
    problems.see(&missing, Scan::Planned, None);
    problems.see(&missing, Scan::Planned, None);
    assert_eq!(problems.next(at(0)), Call::Now(vec![Problem::Root(missing.root.clone())]));
    problems.see(&summary(vec![page("p", State::Blocked, Code::FrontMatter)]), Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(0)), [0; 0], "the page was told before the root went");

    let shut = |why| {
        let reason = Some("no".to_owned());
        let hub = HubHealth { state: HubState::Paused, reason, until: None, why: Some(why) };
        Summary { hub, ..summary(vec![page("p", State::Blocked, Code::FrontMatter)]) }
    };
    problems.see(&shut(ShutWhy::TooMany), Scan::Planned, None);
    assert_eq!(calls(&mut problems, at(1)), [0; 0], "that passes by itself");
    problems.see(&shut(ShutWhy::Forbidden), Scan::Planned, Some(Wall(1)));
    assert_eq!(calls(&mut problems, at(1)), [1]);
    // It is asked again in a quarter of an hour, and says the same.
    problems.see(&summary(vec![page("p", State::Blocked, Code::FrontMatter)]), Scan::Planned, Some(Wall(1)));
    problems.see(&shut(ShutWhy::Forbidden), Scan::Planned, Some(Wall(1)));
    assert_eq!(calls(&mut problems, at(2)), [0; 0]);
    problems.see(&summary(vec![page("p", State::Blocked, Code::FrontMatter)]), Scan::Planned, Some(Wall(2_000_000)));
    problems.see(&shut(ShutWhy::Forbidden), Scan::Planned, Some(Wall(2_000_000)));
    assert_eq!(calls(&mut problems, at(3)), [1], "it served us in between");
}
