//! The state file as a model: what was synced is there after a crash, the write that was under way may be there, may not be,
//! or lies there torn.
//!
//! `tests/sim/stores.rs` asks of it and of the real state file the same questions.

use std::collections::BTreeMap;

use hubsync::engine::Memory;
use hubsync::engine::change::{Backup, Change, HubHealth, LogEntry, Marks, PageChange};
use hubsync::page::{Digest, DocPath, PageId};
use hubsync::reconcile::birth::Birth;
use hubsync::reconcile::names::Names;
use hubsync::reconcile::page_record::PageRecord;
use serde::{Deserialize, Serialize};

/// What became of the write that was under way when the process died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing of it reached the disk.
    Lost,
    /// A part of it did: so many thousandths.
    Torn(u16),
    /// All of it did, but nobody was told.
    Whole,
}

/// What one commit puts on the disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Frame {
    put: Vec<(PageId, String, PageRecord)>,
    gone: Vec<PageId>,
    births: Vec<(String, Option<Birth>)>,
    marks: Option<Marks>,
    names: Option<Names>,
    hub: Option<HubHealth>,
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// As the next process would read it: JSON, so that what is not kept is forgotten here too.
    pages: BTreeMap<PageId, (DocPath, String)>,
    births: BTreeMap<DocPath, String>,
    marks: String,
    names: String,
    hub: String,
    pub backups: Vec<Backup>,
    pub log: Vec<LogEntry>,
    pub full: bool,
    /// When a state that was lost was begun anew, by our wall clock.
    pub anew: Option<i64>,
    /// Every change that was committed, where somebody wants to know.
    pub history: Option<Vec<Change>>,
}

impl Disk {
    /// Stores a change whole, or not at all where the disk is full.
    pub fn commit(&mut self, change: Change) -> Result<(), String> {
        if self.full {
            return Err("no space left on device".to_owned());
        }
        if let Some(history) = &mut self.history {
            history.push(change.clone());
        }
        self.apply(change);
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        // Backups are files, synced before all else.
        self.backups.extend(change.backups);
        for (id, page) in change.pages {
            match page {
                PageChange::Put { path, record } => {
                    self.pages.insert(id, (path, serde_json::to_string(&record).unwrap()));
                }
                PageChange::Forget => drop(self.pages.remove(&id)),
            }
        }
        for (path, birth) in change.births {
            match birth {
                Some(birth) => drop(self.births.insert(path, serde_json::to_string(&birth).unwrap())),
                None => drop(self.births.remove(&path)),
            }
        }
        let json = |text: &mut String, value: Option<String>| value.into_iter().for_each(|new| *text = new);
        json(&mut self.marks, change.marks.map(|marks| serde_json::to_string(&marks).unwrap()));
        json(&mut self.names, change.names.map(|names| serde_json::to_string(&names).unwrap()));
        json(&mut self.hub, change.hub.map(|hub| serde_json::to_string(&hub).unwrap()));
        self.log.extend(change.log);
    }

    /// The process dies while this is written.
    pub fn die_writing(&mut self, change: Change, tail: Tail) {
        let kept = match tail {
            Tail::Lost => return,
            Tail::Whole => u16::MAX,
            Tail::Torn(part) => part,
        };
        if self.full {
            return;
        }
        // Each backup is whole or not there; they come before the frame.
        self.backups.extend(change.backups.iter().cloned());
        let bytes = frame(&change);
        let cut = bytes.len() * usize::from(kept).min(1_000) / 1_000;
        if let Some(change) = recover(&bytes[..cut], change) {
            self.apply(Change { backups: Vec::new(), ..change });
        }
    }

    /// What the next process will remember.
    pub fn load(&self) -> Memory {
        let pages = self.pages.iter();
        let pages = pages.map(|(id, (path, json))| (id.clone(), path.clone(), serde_json::from_str(json).unwrap()));
        let births = self.births.iter();
        Memory {
            pages: pages.collect(),
            births: births.map(|(path, json)| (path.clone(), serde_json::from_str(json).unwrap())).collect(),
            marks: serde_json::from_str(&self.marks).unwrap_or_default(),
            names: serde_json::from_str(&self.names).unwrap_or_default(),
            hub: serde_json::from_str(&self.hub).unwrap_or_default(),
        }
    }

    /// What is remembered of one page.
    pub fn record(&self, page: &PageId) -> Option<PageRecord> {
        self.pages.get(page).map(|(_, json)| serde_json::from_str(json).unwrap())
    }

    /// Where the document of a page lies, as far as is remembered.
    pub fn path(&self, page: &PageId) -> Option<&DocPath> {
        self.pages.get(page).map(|(path, _)| path)
    }

    /// What is remembered of a document without a page.
    pub fn birth(&self, path: &DocPath) -> Option<Birth> {
        self.births.get(path).map(|json| serde_json::from_str(json).unwrap())
    }

    /// The pages whose last write is in doubt for the next process.
    pub fn in_doubt(&self) -> Vec<String> {
        let doubts = |(_, json): &(DocPath, String)| serde_json::from_str::<PageRecord>(json).unwrap().doubt.is_some();
        self.pages.iter().filter(|(_, kept)| doubts(kept)).map(|(page, _)| page.to_string()).collect()
    }

    /// Everything that is remembered is lost; backups are files of their own.
    pub fn lose(&mut self) {
        *self = Self {
            history: self.history.take(),
            backups: std::mem::take(&mut self.backups),
            full: self.full,
            ..Self::default()
        };
    }
}

/// A commit as bytes: its digest, then itself.
fn frame(change: &Change) -> Vec<u8> {
    let mut frame = Frame::default();
    for (id, page) in &change.pages {
        match page {
            PageChange::Put { path, record } => frame.put.push((id.clone(), path.to_text(), (**record).clone())),
            PageChange::Forget => frame.gone.push(id.clone()),
        }
    }
    frame.births = change.births.iter().map(|(path, birth)| (path.to_text(), birth.clone())).collect();
    (frame.marks, frame.names, frame.hub) = (change.marks, change.names.clone(), change.hub.clone());
    let json = serde_json::to_vec(&frame).unwrap();
    [Digest::of(&json).to_hex().into_bytes(), json].concat()
}

/// The commit, if its bytes are all there.
fn recover(bytes: &[u8], change: Change) -> Option<Change> {
    let (digest, json) = bytes.split_at_checked(64)?;
    (Digest::of(json).to_hex().as_bytes() == digest).then_some(change)
}
