//! `hubsync sync --since REV`: a run that has the repository's history in place of a state. It reads no state and leaves none;
//! the ledger of requests and the backups are those of every run.

use std::path::PathBuf;

use crate::commands::opening::{self, Opened};
use crate::config::Config;
use crate::daemon::driver::Driver;
use crate::engine::Input;
use crate::engine::settled::{History, RootHealth};
use crate::local::folder::Round;
use crate::local::git::since::{self, Since};
use crate::local::patterns::Patterns;
use crate::output::{Console, Shown};
use crate::page::{DocPath, PageId, Wall};
use crate::reconcile::page_record::PageRecord;

/// A run that starts from a revision.
#[derive(Debug)]
pub struct Start {
    root: PathBuf,
    since: Since,
}

/// What the history tells. Blocking.
///
/// # Errors
/// Where it can't be told, in words.
pub fn read(config: &Config, revision: &str) -> Result<Start, String> {
    let root = config.root.canonicalize().map_err(|error| {
        format!("the root {} is not there ({error}); create or mount it, or correct `root`", config.root.display())
    })?;
    let patterns = Patterns::new(&config.include, &config.exclude).map_err(|error| error.to_string())?;
    let is_document = |path: &std::path::Path| patterns.includes(path) && !patterns.excludes(path);
    let since = since::read(&root, revision, &config.policy().rules, is_document).map_err(|error| error.to_string())?;
    Ok(Start { root, since })
}

impl Start {
    /// The folder as the history knows it: which file was which page's.
    ///
    /// # Errors
    /// A pattern that can't be read, in words.
    pub fn know(&self, config: &Config, opened: &mut Opened, now: Wall) -> Result<(), String> {
        // That files are gone since says nothing about the root.
        let record = || PageRecord { missed: Some(now), ..PageRecord::default() };
        let known = |history: &History| (history.id.clone(), history.path.clone(), record());
        let known: Vec<(PageId, DocPath, PageRecord)> = self.since.histories().iter().map(known).collect();
        let links = opened.folder.links();
        opened.folder = opening::folder(config, Vec::new(), &known)?.sharing(links);
        Ok(())
    }

    /// Tells the engine what documents said before, and leaves in the first round only what concerns the run.
    pub fn begin(&self, driver: &mut Driver, first: &mut Round) {
        driver.handle(Input::Histories(self.since.histories().to_vec()));
        first.settled.retain(|settled| self.since.concerns(settled));
    }

    /// Whether something else was checked out while the folder was read: then nothing may rest on it.
    pub fn has_moved(&self, first: &Round, console: &Console) -> bool {
        if matches!(first.health, RootHealth::Held(_)) {
            return false;
        }
        match self.since.has_moved(&self.root) {
            Ok(false) => false,
            Ok(true) => {
                console.error("another commit was checked out meanwhile; the next run begins anew");
                true
            }
            Err(error) => {
                console.error(Shown::new(&error.to_string()));
                true
            }
        }
    }
}
