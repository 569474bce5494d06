//! A decision in one line: its row and its step, in the contract's words.

use std::fmt;

use hubsync::page::{Patch, Side, Wall};
use hubsync::reason::State;
use hubsync::reconcile::page_record::Base;
use hubsync::reconcile::step::{Decision, Look, Mark, RemoteDraft, Step};

use crate::builders::NOW;

/// A decision, compared by its row and its step in one line.
pub struct Said(pub Decision);

impl Said {
    /// The base that was adopted or learned.
    pub fn base(&self) -> &Base {
        match &self.0.step {
            Step::Adopt(base) | Step::InStep { learned: Some(base), .. } => base,
            _ => panic!("{self:?} holds no base"),
        }
    }

    /// The patch that is sent.
    pub fn patch(&self) -> &Patch {
        match &self.0.step {
            Step::Patch(write) => &write.patch,
            _ => panic!("{self:?} sends nothing"),
        }
    }

    /// When it is decided again though nothing happens.
    pub fn wake(&self) -> Option<Wall> {
        match &self.0.step {
            Step::Hold(hold) => hold.wake,
            _ => panic!("{self:?} holds nothing"),
        }
    }

    /// The hub's version that a Hold rests on.
    pub fn remote_version(&self) -> Option<u64> {
        match &self.0.step {
            Step::Hold(hold) => hold.remote_version,
            _ => panic!("{self:?} holds nothing"),
        }
    }
}

impl PartialEq<&str> for Said {
    fn eq(&self, line: &&str) -> bool {
        format!("{self:?}") == *line
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.0.rule;
        match &self.0.step {
            Step::InStep { learned, draft } => {
                let learns = if learned.is_some() { " learns" } else { "" };
                let draft = if *draft == RemoteDraft::There { " remote_draft" } else { "" };
                write!(f, "{rule} in_step{learns}{draft}")
            }
            Step::Adopt(_) => write!(f, "{rule} adopt"),
            Step::Look(Look::Get) => write!(f, "{rule} get"),
            Step::Look(Look::Fresh) => write!(f, "{rule} look"),
            Step::Look(Look::Names) => write!(f, "{rule} names"),
            Step::Wait(until) => write!(f, "{rule} wait {}", i128::from(until.0) - i128::from(NOW.mono.0)),
            Step::Patch(write) => {
                write!(f, "{rule} patch {}", write.patch.api_fields().join(" "))?;
                for side in &write.backup {
                    write!(f, " +{}", if *side == Side::Live { "live" } else { "draft" })?;
                }
                Ok(())
            }
            Step::WriteText(keep) => write!(f, "{rule} write_text {}", json(keep)),
            Step::WriteId => write!(f, "{rule} write_id"),
            Step::Archive => write!(f, "{rule} archive"),
            Step::Archived => write!(f, "{rule} archived"),
            Step::Forget => write!(f, "{rule} forget"),
            Step::Drop(Mark::Doubt) => write!(f, "{rule} drop doubt"),
            Step::Drop(Mark::Archived) => write!(f, "{rule} drop archived"),
            Step::Hold(hold) => {
                let state: State = hold.state;
                write!(f, "{rule} hold {} {}", json(&state), hold.reason.code.as_str())
            }
        }
    }
}

fn json(word: &impl serde::Serialize) -> String {
    serde_json::to_value(word).unwrap().as_str().unwrap().to_owned()
}
