//! A bulk rewrite that nobody asked for: files as they were published, from which another rule, or another hubsync, makes other
//! texts. Up to twenty go; more wait until a person confirms them. Only the engine's own files touch it.

use std::collections::BTreeSet;

use crate::page::{Digest, DocPath, Now, PageId};
use crate::reason::Reason;
use crate::reconcile::guards::{self, is_rewrite};

use super::Engine;
use super::entry::{Entry, Life, Want};
use super::settled::Found;

/// Which pages would be rewritten, and what was confirmed.
#[derive(Clone, Debug, Default)]
pub(super) struct Rewrites {
    /// Those that nobody confirmed.
    pages: BTreeSet<PageId>,
    /// By these rules, for these documents: a person said so.
    confirmed: Option<(Digest, Vec<DocPath>)>,
}

impl Rewrites {
    fn concern(&self, entry: &Entry) -> bool {
        let (Some(Found::Document(document)), Some(base)) = (&entry.found, &entry.record.base) else { return false };
        let confirmed =
            |(rules, scope): &(Digest, Vec<DocPath>)| *rules == document.rules && entry.path.is_within(scope);
        is_rewrite(document, base) && !self.confirmed.as_ref().is_some_and(confirmed)
    }
}

impl Engine {
    /// A person said: publish what the rules of now make of these documents; none named: of all.
    pub(super) fn confirm_rewrite(&mut self, scope: Vec<DocPath>) {
        self.rewrites.confirmed = Some((self.policy.rules.digest(), scope));
        self.rewrites.pages.clone().iter().for_each(|id| self.make_due(id));
    }

    /// Takes in whether a page would be rewritten. Where that makes them too many, or few enough, the others are decided again.
    pub(super) fn note_rewrite(&mut self, id: &PageId) {
        let concerned = self.entries.get(id).is_some_and(|entry| self.rewrites.concern(entry));
        let held = self.rewrites_held().is_some();
        let news = if concerned { self.rewrites.pages.insert(id.clone()) } else { self.rewrites.pages.remove(id) };
        if news && self.rewrites_held().is_some() != held {
            self.rewrites.pages.clone().iter().filter(|other| *other != id).for_each(|other| self.make_due(other));
        }
    }

    /// Why the rewrites wait, where they do.
    fn rewrites_held(&self) -> Option<Reason> {
        guards::rewrites(self.rewrites.pages.len()).map(|refusal| refusal.reason)
    }

    /// Why this page is not written now.
    pub(super) fn rewrite_held(&self, id: &PageId) -> Option<Reason> {
        self.rewrites_held().filter(|_| self.rewrites.pages.contains(id))
    }

    /// Before all that is due was decided, nobody knows how many they are. Answers whether this page must wait for that.
    pub(super) fn rewrite_is_early(&mut self, now: Now, id: &PageId) -> bool {
        if !self.rewrites.pages.contains(id) {
            return false;
        }
        while self.may_plan() && !self.due.is_empty() {
            self.plan_due(now);
        }
        self.entries.get(id).is_none_or(|entry| entry.life != Life::Wants(Want::Write))
    }
}
