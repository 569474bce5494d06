//! Which rows of the table answered lately, for the log: whoever asks why a page waits, or was written, finds its rows there in
//! their order. Nothing is decided by it.

use std::collections::VecDeque;

use crate::page::{DocPath, PageId};

use super::Engine;

/// So many are kept for whoever asks; older ones go, so that nobody has to ask.
const KEPT: usize = 2_000;

/// One answer of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// About what.
    pub about: About,
    /// The row's name (ARCHITECTURE.md, The decision table).
    pub rule: &'static str,
}

/// What an answer of the table is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A page that was there before.
    Page(PageId),
    /// A document that has none yet.
    Newborn(DocPath),
}

/// The last answers, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(VecDeque<Decided>);

impl Trail {
    pub fn note(&mut self, about: About, rule: &'static str) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Decided { about, rule });
    }
}

impl Engine {
    /// What the table answered since this was last asked.
    pub fn take_trail(&mut self) -> VecDeque<Decided> {
        std::mem::take(&mut self.trail.0)
    }

    /// Where the document of a page lies, or lay.
    pub fn path_of(&self, page: &PageId) -> Option<&DocPath> {
        self.entries.get(page).map(|entry| &entry.path)
    }
}
