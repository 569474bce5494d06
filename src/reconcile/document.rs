//! What the decision table asks of every document before it asks for common ground: refused before (D11), a body that
//! became empty (D15), a page that is absent. Then rows B (`first_meeting`) or C and D (`base`).

use crate::page::{Desired, Digest, Field, Fields, ListKind, Now, Print};
use crate::policy::{ConflictCheck, Policy};
use crate::reason::{Code, Reason, State};
use crate::reconcile::decide::{edited, hold, step};
use crate::reconcile::merge;
use crate::reconcile::page_record::{Base, PageRecord, Seen};
use crate::reconcile::resolution::Resolve;
use crate::reconcile::step::{Decision, Look, Remote, Step, Write};

/// One document whose names are resolved, with all that is asked about it.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub desired: &'a Desired,
    pub page: &'a PageRecord,
    pub policy: &'a Policy,
    pub now: Now,
}

impl<'a> Case<'a> {
    pub fn document(self, remote: Remote<'a>) -> Decision {
        if let Some(refused) = &self.page.refused
            && refused.wanted == wanted(self.desired)
        {
            let message = format!("the hub refused it: {}", refused.message);
            return hold("D11", State::Blocked, Reason::new(Code::Refused, message));
        }
        if self.desired.body.empty
            && let Some(decision) = self.empty_body(remote)
        {
            return decision;
        }
        if let Some(decision) = self.absent(remote) {
            return decision;
        }
        match (&self.page.base, &self.page.past) {
            (Some(base), _) => self.met(base, remote),
            (None, Some(past)) => self.since(past, remote),
            (None, None) => self.first_meeting(remote),
        }
    }

    pub fn unchecked(&self) -> bool {
        self.policy.conflict_check == ConflictCheck::Off
    }

    /// D15: a body that became empty is taken for an accident.
    fn empty_body(&self, remote: Remote<'_>) -> Option<Decision> {
        let has_body = |print: &Option<Print>| print.as_ref().is_some_and(|print| !print.body.empty);
        let has_text = |hub: &Seen| has_body(&hub.live) || has_body(&hub.draft);
        let would_clear = match (&self.page.base, remote) {
            (Some(base), _) => [&base.live, &base.draft].into_iter().flatten().any(|known| !known.sent.body.empty),
            (None, Remote::Is { page, .. }) => has_text(page),
            (None, _) if self.then().is_some() => self.then().is_some_and(|then| !then.body.empty),
            (None, _) if self.page.seen.as_ref().is_some_and(has_text) => true,
            (None, Remote::Absent { .. }) => false,
            (None, _) if self.page.absent.is_some() => false,
            // That the last look found no body doesn't mean that there is none by now.
            (None, _) => return Some(step("D15", Step::Look(Look::Get))),
        };
        let reason = || {
            Reason::new(
                Code::BodyEmpty,
                "the document has no text below its front matter, but its page has; nothing is sent",
            )
        };
        would_clear.then(|| hold("D15", State::Blocked, reason()))
    }

    /// What the document said at the revision that this run starts from.
    fn then(&self) -> Option<&Desired> {
        self.page.past.as_ref().and_then(|past| past.said.as_ref())
    }

    /// The hub has no such page. One more look when the document has changed since; never a new page.
    fn absent(&self, remote: Remote<'_>) -> Option<Decision> {
        let reason = || {
            Reason::new(
                Code::PageNotFound,
                "the hub has no page of this id, or it is archived; check page_id, or restore the page in the hub",
            )
        };
        match (remote, self.page.absent) {
            (Remote::Is { .. }, _) => None,
            (Remote::Absent { .. }, _) => Some(hold("absent", State::Blocked, reason())),
            (_, None) => None,
            (_, Some(digest)) => {
                let changed =
                    self.page.base.as_ref().is_none_or(|base| !merge::local_changes(self.desired, base).is_empty());
                Some(if changed && digest != self.desired.source {
                    step("absent", Step::Look(Look::Get))
                } else {
                    hold("absent", State::Blocked, reason())
                })
            }
        }
    }

    /// The write of `fields`, with what must be backed up.
    pub fn write(self, base: Option<&Base>, hub: &Seen, fields: &Fields) -> Step {
        let patch = merge::patch(self.desired, Some(hub), fields);
        let backup = merge::replaced(&patch, base, hub);
        Step::Patch(Box::new(Write { patch, backup }))
    }

    /// A conflict, unless the file always wins or a person has decided.
    pub fn settle_or(
        self,
        rule: &'static str,
        reason: Reason,
        hub: &Seen,
        remote: Remote<'_>,
        write: impl FnOnce() -> Step,
    ) -> Decision {
        if self.unchecked() {
            return step(rule, write());
        }
        Resolve { page: self.page, remote }.or(rule, State::Conflict, reason, Some(hub), write)
    }

    /// All fields that the document manages.
    pub fn managed(&self) -> Fields {
        let lists = ListKind::ALL.into_iter().filter(|kind| self.desired.lists.get(*kind).is_some());
        lists.map(Field::List).chain([Field::Text]).collect()
    }
}

/// Why somebody's draft keeps a document from its page.
pub(super) fn draft_lies_there(hub: &Seen) -> String {
    format!(
        "somebody's unpublished draft lies on this page{}; publishing would destroy it: only `hubsync resolve` settles it",
        edited(hub.version, hub.updated_at)
    )
}

/// The digest of what a document wants: its file, the rules and its resolved lists. A refusal holds until it changes.
pub fn wanted(desired: &Desired) -> Digest {
    let source = desired.source.to_hex();
    let rules = desired.rules.to_hex();
    let mut parts: Vec<&[u8]> = vec![source.as_bytes(), rules.as_bytes()];
    for kind in ListKind::ALL {
        parts.push(kind.api_field().as_bytes());
        parts.extend(desired.lists.get(kind).into_iter().flatten().map(|id| id.as_bytes()));
    }
    Digest::of_parts(parts)
}
