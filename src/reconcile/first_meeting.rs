//! Rows B of the decision table: document and page have no common ground yet. A page without text is filled, equal text is
//! adopted, other text is held until a person says that the document wins.

use crate::page::{Field, Fields, Print};
use crate::policy::OnDifference;
use crate::reason::{Code, Reason};
use crate::reconcile::decide::step;
use crate::reconcile::document::{Case, draft_lies_there};
use crate::reconcile::merge;
use crate::reconcile::page_record::{Base, Seen};
use crate::reconcile::step::{Decision, Look, Remote, Step, Write};
use crate::simulation::{Planted, planted};

impl<'a> Case<'a> {
    /// Rows B: no common ground yet.
    pub(super) fn first_meeting(self, remote: Remote<'a>) -> Decision {
        let held_on_last_look = || {
            let decision = self.meet(self.page.seen.as_ref()?, remote);
            matches!(decision.step, Step::Hold(_)).then_some(decision)
        };
        match remote {
            Remote::Is { page, .. } => self.meet(page, remote),
            _ if self.unchecked() => {
                let fields = self.managed();
                let patch = merge::patch(self.desired, self.page.seen.as_ref(), &fields);
                step("B2", Step::Patch(Box::new(Write { patch, backup: Vec::new() })))
            }
            Remote::Moved(_) => step("B1", Step::Look(Look::Get)),
            Remote::Unknown | Remote::Unmoved { .. } | Remote::Absent { .. } => {
                held_on_last_look().unwrap_or_else(|| step("B1", Step::Look(Look::Get)))
            }
        }
    }

    /// Rows B3 to B6, for a page that was looked at.
    fn meet(self, hub: &Seen, remote: Remote<'_>) -> Decision {
        let filled = |print: &&Print| !print.body.empty;
        let live = hub.live.as_ref().filter(filled);
        let draft = merge::foreign_draft(Some(self.desired), None, hub).filter(filled);
        if merge::compared(self.desired.status, hub).is_some_and(|text| merge::desired_is_folded(self.desired, text)) {
            return step("B3", Step::Adopt(Box::new(self.adopted(hub))));
        }
        let publish = || self.write(None, hub, &self.managed_that_differ(hub));
        if draft.is_some() {
            let reason = Reason::new(Code::RemoteDraft, draft_lies_there(hub));
            return self.settle_or("B6", reason, hub, remote, publish);
        }
        match live {
            None if hub.draft.as_ref().filter(filled).is_some() => step("B5", publish()),
            None => step("B4", publish()),
            Some(_) if self.policy.on_first_meeting == OnDifference::Local => step("B5", publish()),
            Some(_) if planted(Planted::FirstMeetingOverwritten) => step("B5", publish()),
            Some(_) => {
                let reason = Reason::new(
                    Code::FirstMeeting,
                    "the page has another text, and this document has never been published to it; `hubsync sync --first-meeting local` publishes over it (backed up)",
                );
                self.settle_or("B5", reason, hub, remote, publish)
            }
        }
    }

    /// B3: the base of a page that says what the document says: its text, and its lists as they are.
    fn adopted(self, hub: &Seen) -> Base {
        let mut base = Base {
            live: None,
            draft: None,
            lists: hub.lists.clone(),
            version: hub.version,
            source: self.desired.source,
            rules: self.desired.rules,
            at: self.now.wall,
        };
        merge::adopt(self.desired, &mut base, hub, &Fields::from([Field::Text]));
        base
    }

    /// What a first publish sends: the text, and the managed lists that differ.
    fn managed_that_differ(&self, hub: &Seen) -> Fields {
        let mut fields = self.managed();
        for field in merge::agreed(self.desired, hub, &fields) {
            if field != Field::Text {
                fields.remove(&field);
            }
        }
        fields
    }
}
