//! What `decide` is asked and what it may answer.

use crate::page::{Authored, Desired, Mono, Patch, Row, Side, Wall};
use crate::reason::{Reason, State};
use crate::reconcile::page_record::{Base, Keep, Seen};

/// What this side has.
#[derive(Clone, Copy, Debug)]
pub enum Local<'a> {
    /// A document whose names are resolved.
    Document(&'a Desired),
    /// A document that names what the hub doesn't have, or has twice.
    Nameless {
        /// The document.
        document: &'a Authored,
        /// Which name, and what is like it.
        problem: &'a Reason,
        /// Whether the names were read so lately that reading them again would bring nothing new.
        names: NamesRead,
    },
    /// The file is gone.
    Gone {
        /// Since when it has been missed.
        since: Wall,
    },
    /// The file is there, but held.
    Held(&'a Reason),
    /// It is a document, but the page's id is not in it (any more).
    Unnamed(&'a Reason),
}

/// How old the tables of names are, seen from one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesRead {
    /// Read lately (contract.md: once a run by `sync`, once in five minutes by `run`).
    Lately,
    /// Not lately.
    LongAgo,
}

/// What is known of the hub's side.
#[derive(Clone, Copy, Debug)]
pub enum Remote<'a> {
    /// Nothing but what is remembered.
    Unknown,
    /// A list left the page out, or showed nothing new.
    Unmoved {
        /// When the list was sent.
        as_of: Mono,
    },
    /// A row tells of a change.
    Moved(&'a Row),
    /// The page itself, with its draft.
    Is {
        /// The page's marks.
        page: &'a Seen,
        /// When its GET was sent.
        as_of: Mono,
    },
    /// There is no such page, or it is archived.
    Absent {
        /// When its GET was sent.
        as_of: Mono,
    },
}

/// A step with the row of the decision table (decide.md) that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The row.
    pub rule: &'static str,
    /// The step.
    pub step: Step,
}

/// What is to be done about one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: both sides say the same.
    InStep {
        /// The base with what was learned of lists that the document doesn't manage, where that is news.
        learned: Option<Box<Base>>,
        /// Whether somebody's draft lies on the page.
        draft: RemoteDraft,
    },
    /// This is the new common ground; decide again.
    Adopt(Box<Base>),
    /// Too little is known.
    Look(Look),
    /// Decide again then.
    Wait(Mono),
    /// Send this.
    Patch(Box<Write>),
    /// Write the hub's text into the file.
    WriteText(Keep),
    /// Write the page's id into the file.
    WriteId,
    /// Archive the page.
    Archive,
    /// We archived it: remember that, decide again.
    Archived,
    /// Drop what is remembered (but that we archived it).
    Forget,
    /// One of our marks has lost its ground; decide again.
    Drop(Mark),
    /// Send nothing: this is how the page stands.
    Hold(Hold),
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// The page with its draft.
    Get,
    /// The page, or a list: whichever is cheaper for all that ask.
    Fresh,
    /// The tables of names.
    Names,
}

/// A write and what must be kept first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What is sent.
    pub patch: Patch,
    /// Texts that it replaces and that are not ours.
    pub backup: Vec<Side>,
}

/// Marks that can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A write in doubt did not arrive, or something else is there by now.
    Doubt,
    /// A page that we archived is there again.
    Archived,
}

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How the page stands.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// The hub's version that it rests on.
    pub remote_version: Option<u64>,
    /// Decide again then, where time alone can change the answer.
    pub wake: Option<Wall>,
}

/// Whether somebody's unpublished text lies on a page that is in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteDraft {
    /// No.
    None,
    /// Yes: a draft, or a touch that moved no version.
    There,
}
