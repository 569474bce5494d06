//! Writes the hub's text into documents, as a person decided: for the commands, which write files; the daemon never does.
//!
//! Promises: the text that goes is in a backup before; a file that says something else than it was decided on is left alone;
//! what is written reads as the page, with links as authors write them. Blocking.

use std::path::PathBuf;

use crate::daemon::clock;
use crate::document;
use crate::document::edit::{self, New, Setting};
use crate::document::links::{Around, Holds};
use crate::engine::change::{FileChange, OwnText};
use crate::local::links::SharedMap;
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
    /// Which files links lead to.
    pub links: SharedMap,
}

impl Scribe {
    /// Writes one document.
    ///
    /// # Errors
    /// Why not, in words; the file is then as it was.
    pub fn write(&self, path: &DocPath, change: &FileChange) -> Result<(), String> {
        let Some(source) = change.source else {
            // Its own page has no file so far.
            let mut map = self.links.read().clone();
            map.put(path, Holds::Page(change.page.clone()));
            let new = document_of(None, change, &self.rules, Around { path, map: &map })?;
            return write::create(&self.root, path, &new).map_err(|error| error.to_string());
        };
        let old = read::contents(&self.root, path).map_err(|error| error.to_string())?;
        if Digest::of(&old) != source {
            return Err("the document was edited meanwhile; try again".to_owned());
        }
        let new = document_of(Some(&old), change, &self.rules, Around { path, map: &self.links.read() })?;
        self.backups.keep_document(&change.page, clock::wall(), &old).map_err(|error| error.to_string())?;
        write::replace(&self.root, path, source, &new).map_err(|error| error.to_string())
    }
}

/// The document that a change makes of the old one, or anew where there is none, among other files.
///
/// # Errors
/// Where no document can say that, in words.
pub fn document_of(
    old: Option<&[u8]>,
    change: &FileChange,
    rules: &Rules,
    around: Around<'_>,
) -> Result<Vec<u8>, String> {
    let body = document::as_written(&change.text.body, old, rules, around);
    let text = edit::Text { title: &change.text.title, body: &body };
    let lists: Vec<(ListKind, Vec<String>)> = lists(&change.lists).collect();
    let made = match (old, change.own_text) {
        (None, _) => {
            let status = change.status.unwrap_or(Status::Published);
            let new = New { page_id: &change.page, text, lists: &lists, status };
            edit::document(&new, rules).map(|made| made.bytes)
        }
        (Some(old), OwnText::Beside) => edit::beside(old, &text, rules),
        (Some(old), OwnText::Replaced) => edit::set_text(old, &text, rules).and_then(|made| {
            let settings = lists.iter().map(|(kind, names)| Setting::List(*kind, names));
            let status = change.status.map(Setting::Status);
            settings.chain(status).try_fold(made.bytes, |bytes, setting| edit::set(&bytes, &setting))
        }),
    };
    made.map_err(|error| error.to_string())
}

fn lists(named: &Named) -> impl Iterator<Item = (ListKind, Vec<String>)> {
    let all = [
        (ListKind::Folders, named.folders.clone()),
        (ListKind::Skills, named.skills.clone()),
        (ListKind::Sources, named.sources.clone()),
    ];
    all.into_iter().filter_map(|(kind, names)| Some((kind, names?)))
}
