//! The tables of names as a pull needs them: those that the state keeps, each read again once where an id or a name is not in it.

use std::collections::BTreeSet;

use crate::commands::reader::{Reader, Unread};
use crate::page::{Ids, ListKind, Lists, Named};
use crate::reconcile::names::{self, Names};

/// The tables, and which of them were read in this run.
#[derive(Debug)]
pub(super) struct Tables {
    names: Names,
    read: BTreeSet<ListKind>,
    news: News,
}

/// Whether whoever holds the state knows of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Told,
    Untold,
}

impl Tables {
    pub(super) fn new(kept: Names) -> Self {
        Self { names: kept, read: BTreeSet::new(), news: News::Told }
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// What was read since this was last asked.
    pub(super) fn take_news(&mut self) -> Option<Box<Names>> {
        let untold = std::mem::replace(&mut self.news, News::Told) == News::Untold;
        untold.then(|| Box::new(self.names.clone()))
    }

    /// Sees to it that these ids have names, as far as the hub has any.
    pub(super) async fn know_ids(&mut self, reader: &mut Reader, lists: &Lists) -> Result<(), Unread> {
        for kind in ListKind::ALL {
            let Some(ids) = lists.get(kind) else { continue };
            let known = self.names.by_id(kind);
            if ids.iter().any(|id| !known.contains_key(id.as_str())) {
                self.read(reader, kind).await?;
            }
        }
        Ok(())
    }

    /// Sees to it that what a document names is found, as far as the hub has it.
    pub(super) async fn know_named(&mut self, reader: &mut Reader, named: &Named) -> Result<(), Unread> {
        if names::resolve(named, &self.names).is_ok() {
            return Ok(());
        }
        for kind in names::kinds(named) {
            self.read(reader, kind).await?;
        }
        Ok(())
    }

    async fn read(&mut self, reader: &mut Reader, kind: ListKind) -> Result<(), Unread> {
        if !self.read.insert(kind) {
            return Ok(());
        }
        self.names = reader.names(&[kind], &self.names.without(kind)).await?;
        self.names.read_at = Some(reader.now());
        self.news = News::Untold;
        Ok(())
    }

    /// A folder that was named, with all folders in it.
    pub(super) async fn folder(&mut self, reader: &mut Reader, name: &str) -> Result<Ids, Unread> {
        let named = Named { folders: Some(vec![name.to_owned()]), ..Named::default() };
        self.know_named(reader, &named).await?;
        let found =
            names::resolve(&named, &self.names).map_err(|unresolved| Unread::Unusable(unresolved.reason.message))?;
        let mut within = found.folders.unwrap_or_default();
        loop {
            let folders = self.names.folders.iter().flatten();
            let lies_in = |parent: &Option<String>| parent.as_ref().is_some_and(|parent| within.contains(parent));
            let more: Ids =
                folders.filter(|it| lies_in(&it.parent) && !within.contains(&it.id)).map(|it| it.id.clone()).collect();
            if more.is_empty() {
                return Ok(within);
            }
            within.extend(more);
        }
    }

    /// The path of the first of these folders.
    pub(super) fn first_folder(&self, folders: &Ids) -> Option<String> {
        let known = self.names.by_id(ListKind::Folders);
        folders.iter().filter_map(|id| known.get(id.as_str()).cloned()).min()
    }
}
