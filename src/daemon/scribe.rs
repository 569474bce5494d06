//! Writes the hub's text into documents, as a person decided: for the commands, which write files; the daemon never does.
//!
//! Promises: the text that goes is in a backup before; a file that says something else than it was decided on is left alone;
//! what is written reads as the page. Blocking.

use std::path::PathBuf;

use crate::daemon::clock;
use crate::document::edit::{self, New, Setting};
use crate::engine::change::{FileChange, OwnText};
use crate::local::{read, write};
use crate::page::{Digest, DocPath, ListKind, Named, Status};
use crate::policy::Rules;
use crate::state::backups::Backups;

/// What is needed to write documents.
#[derive(Clone, Debug)]
pub struct Scribe {
    /// The root; may be a link.
    pub root: PathBuf,
    /// How documents become bodies.
    pub rules: Rules,
    /// Where replaced texts go.
    pub backups: Backups,
}

impl Scribe {
    /// Writes one document.
    ///
    /// # Errors
    /// Why not, in words; the file is then as it was.
    pub fn write(&self, path: &DocPath, change: &FileChange) -> Result<(), String> {
        let Some(source) = change.source else {
            return write::create(&self.root, path, &self.anew(change)?).map_err(|error| error.to_string());
        };
        let old = read::contents(&self.root, path).map_err(|error| error.to_string())?;
        if Digest::of(&old) != source {
            return Err("the document was edited meanwhile; try again".to_owned());
        }
        let new = self.changed(&old, change)?;
        self.backups.keep_document(&change.page, clock::wall(), &old).map_err(|error| error.to_string())?;
        write::replace(&self.root, path, source, &new).map_err(|error| error.to_string())
    }

    fn anew(&self, change: &FileChange) -> Result<Vec<u8>, String> {
        let lists: Vec<(ListKind, Vec<String>)> = lists(&change.lists).collect();
        let new = New {
            page_id: &change.page,
            text: text(change),
            lists: &lists,
            status: change.status.unwrap_or(Status::Published),
        };
        edit::document(&new, &self.rules).map(|made| made.bytes).map_err(|error| error.to_string())
    }

    fn changed(&self, old: &[u8], change: &FileChange) -> Result<Vec<u8>, String> {
        let changed = match change.own_text {
            OwnText::Beside => edit::beside(old, &text(change), &self.rules),
            OwnText::Replaced => edit::set_text(old, &text(change), &self.rules).and_then(|made| {
                let settings = lists(&change.lists).collect::<Vec<_>>();
                let settings = settings.iter().map(|(kind, names)| Setting::List(*kind, names));
                let status = change.status.map(Setting::Status);
                settings.chain(status).try_fold(made.bytes, |bytes, setting| edit::set(&bytes, &setting))
            }),
        };
        changed.map_err(|error| error.to_string())
    }
}

fn text(change: &FileChange) -> edit::Text<'_> {
    edit::Text { title: &change.text.title, body: &change.text.body }
}

fn lists(named: &Named) -> impl Iterator<Item = (ListKind, Vec<String>)> {
    let all = [
        (ListKind::Folders, named.folders.clone()),
        (ListKind::Skills, named.skills.clone()),
        (ListKind::Sources, named.sources.clone()),
    ];
    all.into_iter().filter_map(|(kind, names)| Some((kind, names?)))
}
