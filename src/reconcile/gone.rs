//! Rows F of the decision table: the file is gone. Only with `on_delete: archive` does anything follow, and only for a page
//! that is ours in every field, on a look that is fresh.

use crate::page::{Now, Wall};
use crate::policy::{OnDelete, Policy};
use crate::reason::{Code, Reason, State};
use crate::reconcile::decide::{edited, fresh, hold, step};
use crate::reconcile::guards;
use crate::reconcile::merge;
use crate::reconcile::page_record::{Keep, PageRecord, Seen};
use crate::reconcile::resolution::Resolve;
use crate::reconcile::step::{Decision, Hold, Look, Remote, Step};

/// Rows F: the file is gone.
pub(super) fn gone(since: Wall, page: &PageRecord, remote: Remote<'_>, policy: &Policy, now: Now) -> Decision {
    let Some(base) = &page.base else {
        // Nothing that the hub acknowledged is known: nothing is archived on that ground.
        let reason = || Reason::new(Code::FileGone, "the file is gone since that revision; the page stays in the hub");
        return match &page.past {
            Some(_) => hold("F1", State::Orphaned, reason()),
            None => step("F0", Step::Forget),
        };
    };
    if matches!(remote, Remote::Absent { .. }) || page.absent.is_some() || page.archived.is_some() {
        return step("F5", Step::Forget);
    }
    let resolve = Resolve { page, remote };
    if policy.on_delete == OnDelete::Keep {
        let reason = Reason::new(
            Code::FileGone,
            "the file is gone; the page stays in the hub (on_delete: keep): `hubsync resolve` writes the file again or archives the page",
        );
        return resolve.or_gone("F1", State::Orphaned, reason, None);
    }
    let ours = |hub: &Seen| {
        let live = hub.live.as_ref().is_none_or(|print| base.live.as_ref().is_some_and(|known| known.is(print)));
        live && merge::foreign_draft(None, Some(base), hub).is_none() && hub.lists == base.lists
    };
    let hub = match remote {
        Remote::Is { page, .. } => Some(page),
        _ => page.seen.as_ref(),
    };
    if hub.is_some_and(|hub| !ours(hub)) && !matches!(remote, Remote::Moved(_)) {
        let edited = hub.map_or_else(String::new, |hub| edited(hub.version, hub.updated_at));
        let message = format!("the file is gone, but the page was edited in the hub since{edited}");
        let reason = Reason::new(Code::RemoteChanged, message);
        return resolve.or_gone("F4", State::Conflict, reason, hub);
    }
    let due = since.plus(i64::try_from(policy.archive_after).unwrap_or(i64::MAX));
    if now.wall < due {
        return match resolve.or_gone("F3", State::Orphaned, guards::archive_waits(), hub) {
            Decision { rule, step: Step::Hold(hold) } => step(rule, Step::Hold(Hold { wake: Some(due), ..hold })),
            other => other,
        };
    }
    if page.settled.as_ref().is_some_and(|decided| matches!(decided.keep, Keep::Remote | Keep::Both | Keep::Archive)) {
        // What a person said goes before the rule, which may be held by a guard that this does not concern.
        return resolve.or_gone("F3", State::Orphaned, guards::archive_waits(), hub);
    }
    match remote {
        Remote::Moved(_) => step("F2", Step::Look(Look::Get)),
        Remote::Unmoved { .. } if page.seen.as_ref().is_none_or(|seen| seen.racy) => step("F2", Step::Look(Look::Get)),
        Remote::Unmoved { as_of } if fresh(as_of, now) => step("F3", Step::Archive),
        Remote::Is { .. } => step("F3", Step::Archive),
        Remote::Unknown | Remote::Unmoved { .. } | Remote::Absent { .. } => step("F2", Step::Look(Look::Fresh)),
    }
}
