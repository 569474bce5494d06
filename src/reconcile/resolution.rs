//! Row R1 of the decision table: what a person decided (`hubsync resolve`) is asked in place of every Hold that it could
//! settle.

use crate::reason::{Reason, State};
use crate::reconcile::decide::step;
use crate::reconcile::page_record::{Keep, PageRecord, Seen};
use crate::reconcile::step::{Decision, Hold, Look, Remote, Step};

/// R1: what a person decided is asked in place of a Hold.
pub(super) struct Resolve<'a> {
    pub page: &'a PageRecord,
    pub remote: Remote<'a>,
}

impl Resolve<'_> {
    /// The Hold, or what the decision says instead: a look where the page isn't known well enough, `local` where the
    /// document wins, the hub's text into the file otherwise. It holds only for the marks that it was made on.
    pub fn or(
        &self,
        rule: &'static str,
        state: State,
        reason: Reason,
        hub: Option<&Seen>,
        local: impl FnOnce() -> Step,
    ) -> Decision {
        let held = Hold { state, reason, remote_version: hub.and_then(|hub| hub.version), wake: None };
        let Some(decided) = &self.page.settled else { return step(rule, Step::Hold(held)) };
        match self.remote {
            Remote::Is { page, .. } if (page.version, page.updated_at) == (decided.version, decided.updated_at) => {
                step(
                    "R1",
                    match decided.keep {
                        Keep::Local => local(),
                        Keep::Remote | Keep::Both => Step::WriteText(decided.keep),
                    },
                )
            }
            Remote::Is { .. } | Remote::Absent { .. } => step(rule, Step::Hold(held)),
            Remote::Unknown | Remote::Unmoved { .. } | Remote::Moved(_) => step("R1", Step::Look(Look::Get)),
        }
    }
}
