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
    /// About which page.
    pub page: PageId,
    /// Where its document lies, or lay; `None` where it is forgotten by now.
    pub path: Option<DocPath>,
    /// The row's name (ARCHITECTURE.md, The decision table).
    pub rule: &'static str,
}

/// The last answers, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(VecDeque<(PageId, &'static str)>);

impl Trail {
    pub fn note(&mut self, page: &PageId, rule: &'static str) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((page.clone(), rule));
    }
}

impl Engine {
    /// What the table answered since this was last asked.
    pub fn take_trail(&mut self) -> Vec<Decided> {
        let taken = std::mem::take(&mut self.trail.0);
        let decided =
            |(page, rule)| Decided { path: self.entries.get(&page).map(|entry| entry.path.clone()), page, rule };
        taken.into_iter().map(decided).collect()
    }
}
