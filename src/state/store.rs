//! The state file: what is remembered of each page, of each file, of the hub and of the daemon, and the log.
//!
//! Promises: a change is stored whole or not at all, its backups before it; what `load` answers is what was committed; a
//! file that can't be trusted is moved aside when it is opened. One writer: whoever holds the [`Lock`](super::lock::Lock).
//! Any number of readers beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};

use super::backups::Backups;
pub use super::database::Was;
use super::database::{self, Empty, Kind};
use super::error::StateError;
use super::rows::{self, Fault, facts};
use crate::engine::change::{Change, HubHealth, LogEntry, Marks, PageChange, PersonPause};
use crate::page::{Digest, DocPath, PageId, Wall};
use crate::reconcile::birth::Birth;
use crate::reconcile::names::Names;
use crate::reconcile::page_record::PageRecord;

/// "hubs": the state of one root.
const KIND: Kind = Kind { application_id: 0x6875_6273, version: 1, schema: rows::SCHEMA, empty: Empty::Fresh };

/// The state file of one root, open.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Connection,
}

/// What opening the state file answers.
#[derive(Debug)]
pub struct Opened {
    /// The file, ready to be written.
    pub store: Store,
    /// What was found in its place.
    pub was: Was,
}

/// All that the engine begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Every known page, with the path of its document.
    pub pages: Vec<(PageId, DocPath, PageRecord)>,
    /// Documents without a page of which something is remembered.
    pub births: Vec<(DocPath, Birth)>,
    /// How far the lists of pages were read.
    pub marks: Marks,
    /// The tables of names.
    pub names: Names,
    /// How the hub stood.
    pub hub: HubHealth,
    /// What a person said: send nothing meanwhile. It may be over by now.
    pub pause: Option<PersonPause>,
    /// The daemon that wrote last. Whether it still runs, the lock tells.
    pub daemon: Option<Daemon>,
    /// Whose budget was spent last, so that `status` can tell of it without reading the key.
    pub budget_of: Option<Digest>,
    /// When this state took the place of one that was damaged: a write of then may still be on its way.
    pub anew: Option<Wall>,
    /// Which problems were told by `on_problem`, and when.
    pub told: Told,
}

/// Who wants nothing to be sent for a while.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pauses {
    /// What a person said; it may be over by now.
    pub by_person: Option<PersonPause>,
    /// How the hub stood.
    pub by_hub: HubHealth,
}

/// Which problems were told to a person and are not mended yet, by a name of each, and when.
pub type Told = BTreeMap<String, Wall>;

/// A daemon, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub since: Wall,
    /// Whether its first scan has been planned.
    pub planned: bool,
    /// Why it may see changes of the root late, in words; `None` where the system tells of all.
    #[serde(default)]
    pub watching: Option<String>,
    /// What people should know of it: a changed configuration or key that it can't take up.
    #[serde(default)]
    pub note: Option<String>,
}

/// What `local/` last saw of one file, in a form of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Which file.
    pub path: DocPath,
    /// One JSON value; not looked into.
    pub json: String,
}

impl Store {
    /// Opens the state file, made where it is missing. A damaged one is moved aside and a fresh one made.
    pub fn open(path: &Path) -> Result<Opened, StateError> {
        let (db, was) = database::open(path, &KIND, verify)?;
        Ok(Opened { store: Self { path: path.to_owned(), db }, was })
    }

    /// Opens the state file for reading, beside a daemon or without write right; `None` where there is none yet. Moves
    /// nothing aside: a damaged one is an error.
    pub fn read_only(path: &Path) -> Result<Option<Self>, StateError> {
        Ok(database::open_read_only(path, &KIND)?.map(|db| Self { path: path.to_owned(), db }))
    }

    /// Looks through the whole state file without changing anything: how many pages it remembers; `None` where there is none.
    pub fn examine(path: &Path) -> Result<Option<usize>, StateError> {
        let Some(db) = database::open_read_only(path, &KIND)? else { return Ok(None) };
        database::quick_check(&db, path)?;
        verify(&db, path)?;
        rows::pages(&db).map(|pages| Some(pages.len())).map_err(|fault| explain(path, fault))
    }

    /// Reads all but the files and the log, as of one moment.
    pub fn load(&mut self) -> Result<Loaded, StateError> {
        self.transact(TransactionBehavior::Deferred, |tx| load(tx))
    }

    /// Who wants nothing to be sent, as it stands now beside whoever writes it.
    pub fn pauses(&mut self) -> Result<Pauses, StateError> {
        self.transact(TransactionBehavior::Deferred, |tx| {
            Ok(Pauses {
                by_person: rows::fact::<Option<PersonPause>>(tx, facts::PAUSE)?.flatten(),
                by_hub: rows::fact(tx, facts::HUB)?.unwrap_or_default(),
            })
        })
    }

    /// Stores a change: first its backups as files, then all the rest in one transaction. `Ok` means that it is on the disk.
    pub fn commit(&mut self, change: &Change, backups: &Backups) -> Result<(), StateError> {
        if change.is_empty() {
            return Ok(());
        }
        for backup in &change.backups {
            backups.write(backup)?;
        }
        self.transact(TransactionBehavior::Immediate, |tx| store(tx, change))
    }

    /// What was last seen of every file.
    pub fn files(&mut self) -> Result<Vec<FileEntry>, StateError> {
        rows::files(&self.db).map_err(|fault| explain(&self.path, fault))
    }

    /// Keeps what is new of files, and nothing of those that are gone.
    pub fn put_files(&mut self, put: &[FileEntry], gone: &[DocPath]) -> Result<(), StateError> {
        if put.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.transact(TransactionBehavior::Immediate, |tx| rows::put_files(tx, put, gone))
    }

    /// Says which daemon holds the state; `None` when it ends.
    pub fn set_daemon(&mut self, daemon: Option<Daemon>) -> Result<(), StateError> {
        self.transact(TransactionBehavior::Immediate, |tx| rows::put_fact(tx, facts::DAEMON, &daemon))
    }

    /// Keeps a person's pause; `None`: they said to go on.
    pub fn set_pause(&mut self, pause: Option<PersonPause>) -> Result<(), StateError> {
        self.transact(TransactionBehavior::Immediate, |tx| rows::put_fact(tx, facts::PAUSE, &pause))
    }

    /// Copies the state file as of one moment, beside whoever writes it; `path` must not be there.
    pub fn copy_to(&mut self, path: &Path) -> Result<(), StateError> {
        let name = path.to_string_lossy();
        self.db.execute("VACUUM INTO ?1", (name,)).map(drop).map_err(|e| StateError::sqlite(&self.path, e))
    }

    /// Says whose budget is spent ([`HubKey`](super::usage::HubKey)).
    pub fn set_budget_of(&mut self, hub: Digest) -> Result<(), StateError> {
        self.transact(TransactionBehavior::Immediate, |tx| rows::put_fact(tx, facts::BUDGET_OF, &hub))
    }

    /// Says that this state took the place of one that was damaged.
    pub fn set_anew(&mut self, now: Wall) -> Result<(), StateError> {
        self.transact(TransactionBehavior::Immediate, |tx| rows::put_fact(tx, facts::ANEW, &now))
    }

    /// Says which problems a person was told of.
    pub fn set_told(&mut self, told: &Told) -> Result<(), StateError> {
        self.transact(TransactionBehavior::Immediate, |tx| rows::put_fact(tx, facts::TOLD, told))
    }

    /// The last lines of the log, newest first.
    pub fn log(&mut self, limit: usize) -> Result<Vec<LogEntry>, StateError> {
        rows::log(&self.db, limit).map_err(|fault| explain(&self.path, fault))
    }

    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        let path = &self.path;
        let tx = self.db.transaction_with_behavior(behavior).map_err(|e| StateError::sqlite(path, e))?;
        let out = act(&tx).map_err(|fault| explain(path, fault))?;
        tx.commit().map_err(|e| StateError::sqlite(path, e))?;
        Ok(out)
    }
}

fn load(db: &Connection) -> Result<Loaded, Fault> {
    Ok(Loaded {
        pages: rows::pages(db)?,
        births: rows::births(db)?,
        marks: rows::fact(db, facts::MARKS)?.unwrap_or_default(),
        names: rows::fact(db, facts::NAMES)?.unwrap_or_default(),
        hub: rows::fact(db, facts::HUB)?.unwrap_or_default(),
        pause: rows::fact::<Option<PersonPause>>(db, facts::PAUSE)?.flatten(),
        daemon: rows::fact::<Option<Daemon>>(db, facts::DAEMON)?.flatten(),
        budget_of: rows::fact(db, facts::BUDGET_OF)?,
        anew: rows::fact(db, facts::ANEW)?,
        told: rows::fact(db, facts::TOLD)?.unwrap_or_default(),
    })
}

fn store(db: &Connection, change: &Change) -> Result<(), Fault> {
    for (id, page) in &change.pages {
        match page {
            PageChange::Put { path, record } => rows::put_page(db, id, path, record)?,
            PageChange::Forget => rows::forget_page(db, id)?,
        }
    }
    for (path, birth) in &change.births {
        rows::put_birth(db, path, birth.as_ref())?;
    }
    if let Some(marks) = &change.marks {
        rows::put_fact(db, facts::MARKS, marks)?;
    }
    if let Some(names) = &change.names {
        rows::put_fact(db, facts::NAMES, names)?;
    }
    if let Some(hub) = &change.hub {
        rows::put_fact(db, facts::HUB, hub)?;
    }
    rows::append_log(db, &change.log)
}

/// Reads every row once: one that was changed by something else is found before anything rests on it.
fn verify(db: &Connection, path: &Path) -> Result<(), StateError> {
    let read = || {
        load(db)?;
        rows::check_facts(db)?;
        rows::files(db)?;
        rows::log(db, usize::MAX)
    };
    read().map(drop).map_err(|fault| explain(path, fault))
}

fn explain(path: &Path, fault: Fault) -> StateError {
    match fault {
        Fault::Sql(error) => StateError::sqlite(path, error),
        Fault::Row(what) => StateError::Damaged { path: path.to_owned(), what },
    }
}

#[cfg(test)]
mod tests;
