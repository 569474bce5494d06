//! Row R1 of the decision table: what a person decided (`hubsync resolve`) is asked in place of every Hold that it could
//! settle.
//!
//! It holds only for the marks of the page that it was made on, and only for what it was made for: a decision for a document
//! archives nothing when its file vanishes meanwhile, and one to archive sends nothing when the file is there again.

use crate::reason::{Reason, State};
use crate::reconcile::decide::step;
use crate::reconcile::page_record::{Keep, PageRecord, Seen};
use crate::reconcile::step::{Decision, Hold, Look, Remote, Step};

/// R1: what a person decided is asked in place of a Hold.
pub(super) struct Resolve<'a> {
    pub page: &'a PageRecord,
    pub remote: Remote<'a>,
}

/// What the decision comes to now.
enum Says {
    /// Nobody decided anything.
    Nothing,
    /// The page must be looked at first.
    Look,
    /// It was made on other marks.
    Overtaken,
    /// It holds.
    Holds(Keep),
}

impl Resolve<'_> {
    fn says(&self) -> Says {
        let Some(decided) = &self.page.settled else { return Says::Nothing };
        match self.remote {
            Remote::Is { page, .. } if (page.version, page.updated_at) == (decided.version, decided.updated_at) => {
                Says::Holds(decided.keep)
            }
            Remote::Is { .. } | Remote::Absent { .. } => Says::Overtaken,
            Remote::Unknown | Remote::Unmoved { .. } | Remote::Moved(_) => Says::Look,
        }
    }

    /// The Hold of a document, or what the decision says instead: a look where the page isn't known well enough, `local` where
    /// the document wins, the hub's text into the file otherwise.
    pub fn or(
        &self,
        rule: &'static str,
        state: State,
        reason: Reason,
        hub: Option<&Seen>,
        local: impl FnOnce() -> Step,
    ) -> Decision {
        match self.says() {
            Says::Holds(Keep::Local | Keep::Merged) => step("R1", local()),
            Says::Holds(keep @ (Keep::Remote | Keep::Both)) => step("R1", Step::WriteText(keep)),
            Says::Look => step("R1", Step::Look(Look::Get)),
            Says::Nothing | Says::Holds(Keep::Archive) => held(rule, state, reason, hub),
            Says::Overtaken => held(rule, state, overtaken(reason), hub),
        }
    }

    /// The same for a file that is gone.
    pub fn or_gone(&self, rule: &'static str, state: State, reason: Reason, hub: Option<&Seen>) -> Decision {
        match self.says() {
            Says::Holds(Keep::Archive) => step("R1", Step::Archive),
            Says::Holds(Keep::Remote | Keep::Both) => step("R1", Step::WriteText(Keep::Remote)),
            Says::Look => step("R1", Step::Look(Look::Get)),
            Says::Nothing | Says::Holds(Keep::Local | Keep::Merged) => held(rule, state, reason, hub),
            Says::Overtaken => held(rule, state, overtaken(reason), hub),
        }
    }
}

fn held(rule: &'static str, state: State, reason: Reason, hub: Option<&Seen>) -> Decision {
    step(rule, Step::Hold(Hold { state, reason, remote_version: hub.and_then(|hub| hub.version), wake: None }))
}

fn overtaken(mut reason: Reason) -> Reason {
    reason.message +=
        "; it was edited again after that was decided, so it is held: look at it and resolve it once more";
    reason
}
