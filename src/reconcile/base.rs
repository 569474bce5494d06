//! Rows C and D of the decision table: document and page have common ground, the base. C: the document says what the base
//! says. D: it says something else.

use crate::page::{Field, Fields, Print, Row, Stamp, Status};
use crate::policy::OnDifference;
use crate::reason::{Code, Reason, State};
use crate::reconcile::decide::{edited, fresh, step};
use crate::reconcile::document::{Case, draft_lies_there};
use crate::reconcile::merge;
use crate::reconcile::page_record::{Base, Known, Seen};
use crate::reconcile::resolution::Resolve;
use crate::reconcile::step::{Decision, Hold, Look, Remote, RemoteDraft, Step, Write};

impl<'a> Case<'a> {
    /// Rows C and D: there is common ground.
    pub(super) fn met(self, base: &Base, remote: Remote<'a>) -> Decision {
        let changed = merge::local_changes(self.desired, base);
        if self.unchecked() {
            return self.met_unchecked(base, remote, changed);
        }
        match (remote, &self.page.seen) {
            (Remote::Is { page, .. }, _) => self.looked(base, page, remote, changed),
            (Remote::Moved(row), _) if changed.is_empty() && self.page.settled.is_none() => self.moved(base, row),
            (Remote::Moved(_), _) => step("D3", Step::Look(Look::Get)),
            (_, Some(_)) if self.page.settled.is_some() => step("R1", Step::Look(Look::Get)),
            (_, Some(seen)) => self.on_last_look(base, seen, remote, changed),
            (_, None) if changed.is_empty() => in_step("C1", None, RemoteDraft::None),
            (_, None) => step("D1", Step::Look(Look::Get)),
        }
    }

    /// `conflict_check: false`: the file always wins, and only what is still at hand is backed up.
    fn met_unchecked(self, base: &Base, remote: Remote<'_>, changed: Fields) -> Decision {
        if changed.is_empty() {
            return in_step("C1", None, RemoteDraft::None);
        }
        match remote {
            Remote::Is { page, .. } => {
                let agreed = merge::agreed(self.desired, page, &changed);
                if agreed.is_empty() {
                    step("D4", self.write(Some(base), page, &changed))
                } else {
                    self.agree(base, page, &agreed)
                }
            }
            _ => {
                let patch = merge::patch(self.desired, self.page.seen.as_ref(), &changed);
                step("D4", Step::Patch(Box::new(Write { patch, backup: Vec::new() })))
            }
        }
    }

    /// C1, D1, D2: the rows for a looked-at page are asked with the last look. What they hold stands; what they would send
    /// needs a look that is fresh.
    fn on_last_look(self, base: &Base, seen: &Seen, remote: Remote<'_>, changed: Fields) -> Decision {
        let decision = self.looked(base, seen, remote, changed);
        let backup = match &decision.step {
            Step::InStep { .. } | Step::Hold(_) => return decision,
            Step::Patch(write) => !write.backup.is_empty(),
            _ => false,
        };
        match remote {
            _ if seen.racy || backup => step("D2", Step::Look(Look::Get)),
            Remote::Unmoved { as_of } if fresh(as_of, self.now) => decision,
            Remote::Unmoved { .. } => step("D2", Step::Look(Look::Fresh)),
            _ => step("D1", Step::Look(Look::Fresh)),
        }
    }

    /// Rows C2, C2d, C3: nothing of ours changed, and a row tells of a touch. No GET for a published page: every autosave
    /// of a colleague would cost one.
    fn moved(self, base: &Base, row: &Row) -> Decision {
        if self.desired.status == Status::Draft {
            return step("C2d", Step::Look(Look::Get));
        }
        let known = self.page.seen.as_ref().map_or(base.version, |seen| seen.version);
        if row.version != known {
            return drifted("C3", row.version, row.updated_at);
        }
        let Some(seen) = &self.page.seen else { return in_step("C2", None, RemoteDraft::There) };
        let mut as_listed = seen.clone();
        (as_listed.lists.folders, as_listed.lists.skills) = (Some(row.folders.clone()), Some(row.skills.clone()));
        let retitled = self.desired.title.is_some() && row.title != seen.title;
        if retitled || !merge::remote_changes(self.desired, base, &as_listed).is_empty() {
            return drifted("C2", row.version, row.updated_at);
        }
        let foreign = merge::foreign_draft(Some(self.desired), Some(base), seen).is_some();
        let touched = (row.updated_at, row.version) > (seen.updated_at, seen.version);
        in_step("C2", None, if foreign || touched { RemoteDraft::There } else { RemoteDraft::None })
    }

    /// Rows C and D for a page that was looked at.
    fn looked(self, base: &Base, hub: &Seen, remote: Remote<'_>, changed: Fields) -> Decision {
        let theirs = merge::remote_changes(self.desired, base, hub);
        let draft = merge::foreign_draft(Some(self.desired), Some(base), hub);
        if changed.is_empty() {
            return self.unchanged(base, hub, remote, &theirs, draft);
        }
        let agreed = merge::agreed(self.desired, hub, &changed);
        if !agreed.is_empty() {
            return self.agree(base, hub, &agreed);
        }
        if changed.contains(&Field::Text) && draft.is_some() {
            let reason = Reason::new(Code::RemoteDraft, draft_lies_there(hub));
            return self.settle_or("D9", reason, hub, remote, || self.write(Some(base), hub, &both(&changed, &theirs)));
        }
        // D8: a text that this document once had is no foreign edit.
        let had = merge::compared(self.desired.status, hub).is_some_and(|text| self.page.history.contains(text));
        let revert = had && changed.contains(&Field::Text) && theirs.contains(&Field::Text);
        let foreign: Fields = theirs.iter().copied().filter(|field| !(revert && *field == Field::Text)).collect();
        let send = || self.write(Some(base), hub, &changed);
        let clash: Fields = changed.intersection(&foreign).copied().collect();
        if !clash.is_empty() {
            let Some(code) = self.held_by(base, &clash) else { return step("D7", send()) };
            let message = format!(
                "the page says something else than when it was last in step{}, and the document has changed too: \
                 `hubsync resolve` settles it",
                edited(hub.version, hub.updated_at)
            );
            let reason = Reason::new(code, message);
            return self.settle_or("D7", reason, hub, remote, || self.write(Some(base), hub, &both(&changed, &theirs)));
        }
        step(
            if revert {
                "D8"
            } else if foreign.is_empty() {
                "D4"
            } else {
                "D6"
            },
            send(),
        )
    }

    /// D7: why the fields that both sides changed are held; `None` where the document wins. A live text that was never
    /// common ground (the page was met as a draft) is met for the first time; everything else is a conflict. An empty body
    /// never wins by itself over a text (contract.md, Body).
    fn held_by(self, base: &Base, clash: &Fields) -> Option<Code> {
        let unmet = clash.contains(&Field::Text) && base.text(self.desired.status).is_none();
        let met = clash.iter().any(|field| *field != Field::Text || !unmet);
        if unmet && self.policy.on_first_meeting == OnDifference::Hold {
            return Some(Code::FirstMeeting);
        }
        let empties = clash.contains(&Field::Text) && self.desired.body.empty;
        (empties || met && self.policy.on_conflict == OnDifference::Hold).then_some(Code::RemoteChanged)
    }

    /// Rows C4 to C9: the document says what the base says.
    fn unchanged(
        self,
        base: &Base,
        hub: &Seen,
        remote: Remote<'_>,
        theirs: &Fields,
        draft: Option<&Print>,
    ) -> Decision {
        if !theirs.is_empty() || (draft.is_some() && self.desired.status == Status::Draft) {
            // C7: nothing differs from the base but the draft, so what a person settles is the text.
            let (rule, fields) = if theirs.is_empty() { ("C7", &Fields::from([Field::Text])) } else { ("C5", theirs) };
            let write = || self.write(Some(base), hub, fields);
            return match drifted(rule, hub.version, hub.updated_at).step {
                Step::Hold(held) => {
                    Resolve { page: self.page, remote }.or(rule, held.state, held.reason, Some(hub), write)
                }
                other => step(rule, other),
            };
        }
        let learned = merge::learned(self.desired, base, hub);
        if draft.is_some() {
            return in_step("C7", learned, RemoteDraft::There);
        }
        // C9: the text is ours, but it is live: somebody published our draft.
        if self.desired.status == Status::Draft
            && hub.draft.is_none()
            && let (Some(ours), Some(live)) = (&base.draft, &hub.live)
        {
            let learned = learned.unwrap_or_else(|| base.clone());
            let live = Some(Known::new(ours.sent.clone(), Some(live.clone())));
            return in_step("C9", Some(Base { live, draft: None, version: hub.version, ..learned }), RemoteDraft::None);
        }
        in_step("C4", learned, RemoteDraft::None)
    }

    /// D5: where the hub already says it, it is common ground.
    fn agree(self, base: &Base, hub: &Seen, agreed: &Fields) -> Decision {
        let mut next = base.clone();
        merge::adopt(self.desired, &mut next, hub, agreed);
        next.at = self.now.wall;
        step("D5", Step::Adopt(Box::new(next)))
    }
}

fn in_step(rule: &'static str, learned: Option<Base>, draft: RemoteDraft) -> Decision {
    step(rule, Step::InStep { learned: learned.map(Box::new), draft })
}

fn drifted(rule: &'static str, version: Option<u64>, at: Stamp) -> Decision {
    let message = format!(
        "the page was edited in the hub{}; the document has not changed, so nothing is overwritten: `hubsync pull` brings \
         it into the document, `hubsync resolve` lets either side win",
        edited(version, at)
    );
    let reason = Reason::new(Code::RemoteChanged, message);
    step(rule, Step::Hold(Hold { state: State::Drifted, reason, remote_version: version, wake: None }))
}

fn both(ours: &Fields, theirs: &Fields) -> Fields {
    ours.union(theirs).copied().collect()
}
