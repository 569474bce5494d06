//! The decision table: one document, one page, what is known of both, and the one step that follows.
//!
//! `decide` is total and pure; it is asked again after each step until it asks for nothing. Its rows carry the names they
//! have in the table of the design (ARCHITECTURE.md, "The decision table"), first match in the order
//! E · F8 · N4 · G · F · D11 · D13 · D15 · absent · S · B · C · D. What a row means is said where it stands. Only `engine/` calls it.
//!
//! Two rules hold for all rows. A Hold or an InStep may rest on the last look, however old; a write needs a look that was
//! sent at most [`FRESH_MS`] ago. And what a person decided (a `Resolution`) is asked before any Hold that it could settle.

use crate::page::{Mono, Now, Stamp};
use crate::policy::Policy;
use crate::reason::{Code, Reason, State};
use crate::reconcile::document::Case;
use crate::reconcile::doubt::doubted;
use crate::reconcile::gone::gone;
use crate::reconcile::merge;
use crate::reconcile::page_record::PageRecord;
use crate::reconcile::step::{Decision, Hold, Local, Look, Mark, NamesRead, Remote, Step};
use crate::simulation::{self, Planted, planted};

/// How long a look is good for a write, in milliseconds from when it was sent (contract.md, promise 1).
pub const FRESH_MS: u64 = 60_000;

/// How long after its connection ended a write may still arrive, in milliseconds (contract.md, promise 3).
pub const IN_DOUBT_MS: u64 = 5_000;

/// The step that follows from what is known.
pub fn decide(local: Local<'_>, page: &PageRecord, remote: Remote<'_>, policy: &Policy, now: Now) -> Decision {
    let decision = first_match(local, page, remote, policy, now);
    simulation::count(decision.rule);
    decision
}

fn first_match(local: Local<'_>, page: &PageRecord, remote: Remote<'_>, policy: &Policy, now: Now) -> Decision {
    let reverted = || match (&page.base, local) {
        (Some(base), Local::Document(desired)) => merge::local_changes(desired, base).is_empty(),
        _ => false,
    };
    if let Some(doubt) = &page.doubt
        && !(planted(Planted::RevertInDoubt) && reverted())
    {
        return doubted(doubt, page, remote, now);
    }
    let remote = aged(remote, now);
    if page.archived.is_some() && !matches!(local, Local::Gone { .. }) {
        return came_back(remote);
    }
    match local {
        // N4: a page that we made for this document; an editor that saves over its id gets it written again.
        Local::Unnamed(_) if page.born.is_some() => step("N4", Step::WriteId),
        Local::Held(reason) | Local::Unnamed(reason) => held(reason),
        Local::Gone { since } => gone(since, page, remote, policy, now),
        Local::Nameless { document, problem, names } => {
            if names == NamesRead::Lately || page.nameless == Some(document.source) {
                hold("D13", State::Blocked, problem.clone())
            } else {
                step("D13", Step::Look(Look::Names))
            }
        }
        Local::Document(desired) => Case { desired, page, policy, now }.document(remote),
    }
}

/// A look that is too old to write on counts as none; rows E alone are asked before this.
fn aged(remote: Remote<'_>, now: Now) -> Remote<'_> {
    match remote {
        Remote::Is { as_of, .. } | Remote::Absent { as_of } if !fresh(as_of, now) => Remote::Unknown,
        other => other,
    }
}

pub(super) fn fresh(as_of: Mono, now: Now) -> bool {
    now.mono.since(as_of) <= FRESH_MS || planted(Planted::StaleLook)
}

pub(super) fn step(rule: &'static str, step: Step) -> Decision {
    Decision { rule, step }
}

pub(super) fn hold(rule: &'static str, state: State, reason: Reason) -> Decision {
    step(rule, Step::Hold(Hold { state, reason, remote_version: None, wake: None }))
}

/// Which version of a page it is and when it was touched last, for people.
pub(super) fn edited(version: Option<u64>, at: Stamp) -> String {
    let version = version.map_or_else(|| "never published".to_owned(), |version| format!("version {version}"));
    format!(" ({version}, {})", at.to_seconds())
}

/// F8: the document of a page that we archived is there again. The API can't restore it; a person can.
fn came_back(remote: Remote<'_>) -> Decision {
    match remote {
        Remote::Moved(_) | Remote::Is { .. } => step("F8", Step::Drop(Mark::Archived)),
        Remote::Unknown | Remote::Unmoved { .. } | Remote::Absent { .. } => hold(
            "F8",
            State::Blocked,
            Reason::new(
                Code::Archived,
                "hubsync archived this page when its file was gone; restore it in the hub to publish again",
            ),
        ),
    }
}

/// Rows G: the file is there but held, and its page keeps its base.
fn held(reason: &Reason) -> Decision {
    let state = reason.code.held_state();
    let rule = if state == State::Skipped { "G2" } else { "G1" };
    hold(rule, state, reason.clone())
}
