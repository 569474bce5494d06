//! A run without a state (`sync --since`): what documents said before stands in for what is remembered, once its names are
//! ids.

use crate::page::{Authored, Desired, LastTexts, ListKind, Lists, Named, PageId};
use crate::reconcile::names;
use crate::reconcile::page_record::{PageRecord, Past};

use super::Engine;
use super::entry::{Entry, Life, Standing, Want};
use super::settled::{Found, History};

impl Engine {
    /// Takes in what documents said before. Comes before the first round.
    pub(super) fn histories(&mut self, histories: Vec<History>) {
        for history in histories {
            let fresh = || Entry::new(history.path.clone(), PageRecord::default());
            let entry = self.entries.entry(history.id.clone()).or_insert_with(fresh);
            entry.history = Some(Box::new(history));
        }
    }

    /// Turns the names of what a document said before into ids. Answers whether the tables must be read first.
    pub(super) fn wants_history(&mut self, id: &PageId) -> bool {
        let Some(entry) = self.entries.get(id) else { return false };
        let Some(history) = &entry.history else { return false };
        let managed = match &entry.found {
            Some(Found::Document(document)) => document.named.clone(),
            Some(Found::Held(_) | Found::Unnamed { .. } | Found::Gone { .. }) => Named::default(),
            None => return false,
        };
        let mut lists = Lists::default();
        let mut unread = Vec::new();
        for kind in ListKind::ALL {
            let Some(named) = history.said.as_ref().and_then(|said| then(said, &managed, kind)) else { continue };
            match names::resolve(&named, &self.names) {
                Ok(ids) => lists.set(kind, ids.get(kind).cloned()),
                // A name of then that is no more tells nothing: that list counts as the page has it.
                Err(_) if self.names_read.contains_key(&kind) => {}
                Err(_) => unread.push(kind),
            }
        }
        if !unread.is_empty() && !self.is_aside(id, "D13") {
            self.names_wanted.extend(unread);
            if let Some(entry) = self.entries.get_mut(id) {
                entry.life = Life::Wants(Want::Names);
                entry.standing = Standing::pending("D13", None);
            }
            return true;
        }
        if unread.is_empty()
            && let Some(entry) = self.entries.get_mut(id)
            && let Some(history) = entry.history.take()
        {
            entry.record.past = Some(Box::new(past(*history, lists)));
        }
        !unread.is_empty()
    }
}

/// The names of one list as they were, where the document manages that list now, too: no other list is compared.
fn then(said: &Authored, managed: &Named, kind: ListKind) -> Option<Named> {
    let none = Named::default();
    Some(match kind {
        ListKind::Folders => Named { folders: Some(both(&said.named.folders, &managed.folders)?), ..none },
        ListKind::Skills => Named { skills: Some(both(&said.named.skills, &managed.skills)?), ..none },
        ListKind::Sources => Named { sources: Some(both(&said.named.sources, &managed.sources)?), ..none },
    })
}

fn both(said: &Option<Vec<String>>, managed: &Option<Vec<String>>) -> Option<Vec<String>> {
    said.clone().filter(|_| managed.is_some())
}

fn past(history: History, lists: Lists) -> Past {
    let mut had = LastTexts::default();
    for text in history.had {
        had.note(text.title.as_deref(), text.body.exact);
    }
    let said = history.said.map(|said| Desired {
        source: said.source,
        rules: said.rules,
        title: said.title,
        body: said.body,
        bare: said.bare,
        status: said.status,
        lists,
    });
    Past { said, had }
}
