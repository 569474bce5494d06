//! Rows E of the decision table: a write whose answer is missing. It is looked up by a GET that was sent when the write
//! can't be on its way any more, and by nothing else. `decide` asks these rows before all others.

use crate::page::{ListKind, Mono, Now, Patch, Print, Status};
use crate::reconcile::decide::{IN_DOUBT_MS, step};
use crate::reconcile::merge;
use crate::reconcile::page_record::{Base, Doubt, Intent, IntentKind, Known, PageRecord, Seen};
use crate::reconcile::step::{Decision, Look, Mark, Remote, Step};
use crate::simulation::{Planted, planted};

/// Rows E: a write whose answer is missing is looked up, by a GET that was sent when it can't be on its way any more.
pub(super) fn doubted(doubt: &Doubt, page: &PageRecord, remote: Remote<'_>, now: Now) -> Decision {
    let early = planted(Planted::EarlyLookSettlesDoubt);
    let settled_from = if early { Mono::default() } else { doubt.dead.plus(IN_DOUBT_MS) };
    match (remote, &doubt.intent.kind) {
        // E2: it landed.
        (Remote::Is { page: hub, as_of }, IntentKind::Patch(patch)) if as_of >= settled_from && landed(patch, hub) => {
            let echo = patch.text.as_ref().and_then(|text| merge::compared(text.status, hub));
            let base = acknowledged(&doubt.intent, patch, page.base.as_ref(), hub, echo, now);
            step("E2", Step::Adopt(Box::new(base)))
        }
        // E3: it did not, or something else is there by now: the table says what follows.
        (Remote::Is { as_of, .. } | Remote::Absent { as_of }, IntentKind::Patch(_)) if as_of >= settled_from => {
            step("E3", Step::Drop(Mark::Doubt))
        }
        // E8: the page is archived, and by us.
        (Remote::Absent { as_of }, IntentKind::Delete) if as_of >= settled_from => step("E8", Step::Archived),
        // E9: it is not.
        (Remote::Is { as_of, .. }, IntentKind::Delete) if as_of >= settled_from => step("E9", Step::Drop(Mark::Doubt)),
        (Remote::Unmoved { .. }, _) if planted(Planted::ListSettlesDoubt) => step("E3", Step::Drop(Mark::Doubt)),
        // E1: what is known is from before it can have landed.
        _ if now.mono < settled_from => step("E1", Step::Wait(settled_from)),
        _ => step("E1", Step::Look(Look::Get)),
    }
}

/// Whether `hub` shows what `intent` was to bring about, but for what hubs rewrite.
fn landed(patch: &Patch, hub: &Seen) -> bool {
    let text = patch.text.as_ref().is_none_or(|sent| {
        merge::compared(sent.status, hub).is_some_and(|shown| {
            let title = sent.title.as_ref().is_none_or(|title| title.trim() == shown.title.trim());
            title && sent.body.folded == shown.body.folded
        })
    });
    text && ListKind::ALL.into_iter().all(|kind| {
        let sent = patch.lists.get(kind);
        sent.is_none() || sent == hub.lists.get(kind)
    })
}

/// The base after a write that arrived: what was sent, beside what the hub shows of it where it shows that (`echo`; the
/// answer to a write of a draft doesn't). What was not sent stays as it was; without a base the lists are the hub's.
pub fn acknowledged(
    intent: &Intent,
    patch: &Patch,
    base: Option<&Base>,
    hub: &Seen,
    echo: Option<&Print>,
    now: Now,
) -> Base {
    let mut next = base.cloned().unwrap_or_else(|| Base {
        live: None,
        draft: None,
        lists: hub.lists.clone(),
        version: hub.version,
        source: intent.source,
        rules: intent.rules,
        at: now.wall,
    });
    if let Some(text) = &patch.text {
        let title = text.title.clone().unwrap_or_else(|| hub.title.clone());
        let known = Some(Known::new(Print { title, body: text.body }, echo.cloned()));
        match text.status {
            Status::Published => (next.live, next.draft, next.version) = (known, None, hub.version),
            Status::Draft => next.draft = known,
        }
    }
    for kind in ListKind::ALL {
        if let Some(ids) = patch.lists.get(kind) {
            next.lists.set(kind, Some(ids.clone()));
        }
    }
    (next.source, next.rules, next.at) = (intent.source, intent.rules, now.wall);
    next
}
