//! What the folder says, once it has come to rest: made by `local/`, taken in by the engine.

use std::collections::BTreeSet;

use crate::document::Visibility;
use crate::page::{Authored, DocPath, PageId, Wall};
use crate::reason::{Code, Reason};

/// One finding of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// A page's document, or what keeps it from being one.
    Page {
        /// The page.
        id: PageId,
        /// Its file.
        path: DocPath,
        /// How the file stands.
        found: Found,
    },
    /// A file that belongs to no page and is reported: skipped, or too broken to tell its page.
    Loose {
        /// The file.
        path: DocPath,
        /// Its title, where it has one.
        title: Option<String>,
        /// Why it is left alone.
        reason: Reason,
    },
    /// A document without `page_id`, at a path that is no page's.
    Newborn {
        /// The file.
        path: DocPath,
        /// What it says.
        unborn: Unborn,
    },
    /// The file of a page that was told as gone was looked for everywhere, and is still not there.
    StillGone {
        /// The page.
        id: PageId,
    },
    /// Those folders on the way to files that are gone are there, and nothing at all is in them.
    Emptied {
        /// All of them by now, seen from the root.
        folders: BTreeSet<DocPath>,
    },
    /// A file that was reported as loose, or as a document without a page, is so no more.
    LooseGone {
        /// The file.
        path: DocPath,
    },
}

/// What a page would be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unborn {
    /// What the page should be.
    pub document: Authored,
    /// Who can see it.
    pub visibility: Visibility,
    /// The title of a document that has none: the file's name.
    pub name: String,
}

/// How the file of a page stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is a document.
    Document(Authored),
    /// It is a document, but does not name its page (any more).
    Unnamed {
        /// What it says.
        document: Authored,
        /// How it is reported where the id is not written into it.
        reason: Reason,
    },
    /// It is there, but held: bad, duplicate, empty, unreadable, ignored…
    Held(Reason),
    /// The folder was read without error and the file is not there, nor any other document with its page.
    Gone {
        /// Since when it has been missed.
        since: Wall,
    },
}

/// What the history of a folder tells of a document, for a run that starts from a revision instead of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The page.
    pub id: PageId,
    /// Its file, then.
    pub path: DocPath,
    /// What it said at the revision; `None` where it is new since.
    pub said: Option<Authored>,
    /// What else it said since, the oldest first.
    pub had: Vec<Authored>,
}

/// Whether the root is the folder that it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootHealth {
    /// It is.
    Ok,
    /// It isn't there, or can't be read.
    Missing(String),
    /// Fewer than half of the known documents are in it.
    Changed {
        /// How many documents are known.
        known: usize,
        /// How many of them were found, by path or by page.
        found: usize,
    },
    /// It is, but its git checkout is not one to publish from now: everything is held, nothing counts as gone.
    Held(Checkout),
}

/// Why nothing is published from a git checkout; the words say cause and cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// Another branch than `git.branch` is checked out.
    OffBranch(String),
    /// Nobody knows which branch this is: a person must say so.
    Unnamed(String),
    /// Git is in the middle of something.
    Busy(String),
}

impl Checkout {
    /// As the reason of every page.
    pub fn reason(&self) -> Reason {
        match self {
            Self::OffBranch(why) | Self::Unnamed(why) => Reason::new(Code::OffBranch, why.clone()),
            Self::Busy(why) => Reason::new(Code::GitBusy, why.clone()),
        }
    }
}
