//! The ledger of requests spent: a file of its own, shared by all processes and roots of this user (contract.md, promise 4).
//!
//! Promises: a slot that was answered is on the disk before its request is sent; all processes together stay within the
//! limits; a pause is seen by all of them and outlives a restart; a clock that is set, back or forward, forgets nothing
//! (where the system has one that nobody sets). What may be spent, `pace::quota` decides: here its slots are kept, by hub
//! and key. The copy in memory is read again when another process has written.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::boot::{self, Boot};
pub use super::database::Was;
use super::database::{self, Empty, Kind};
use super::error::StateError;
use super::{lock, private, slots};
use crate::pace::quota::{Backlog, Lane, Limits, NotUntil, Pause, Quota, SlotId, Spent};
use crate::page::{Digest, Wall};

/// "hubu": the ledger.
const KIND: Kind = Kind { application_id: 0x6875_6275, version: 1, schema: slots::SCHEMA, empty: Empty::Damaged };

/// Whose budget it is: the digest of the hub's URL and the key. The key can't be read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubKey(pub Digest);

impl HubKey {
    /// Of the hub at this address, for this key.
    pub fn of(url: &str, key: &str) -> Self {
        Self(Digest::of_parts([url.as_bytes(), key.as_bytes()]))
    }
}

/// One request that may be sent. Give it back by [`Ledger::answered`] or [`Ledger::never_sent`]; one that is merely dropped
/// counts as sent and never answered.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is not given back counts as a request without an answer"]
pub struct Slot {
    id: SlotId,
    /// Of which file: where that was replaced, the id may be another's.
    file: FileId,
}

/// Device and inode.
type FileId = (u64, u64);

/// How much of the budget is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Occupied slots of the minute.
    pub minute_used: u32,
    /// What the minute allows.
    pub minute_limit: u32,
    /// Occupied slots of the day.
    pub day_used: u32,
    /// What the day allows.
    pub day_limit: u32,
    /// When an edit could be sent, whatever is paused; `None`: now.
    pub next_free_at: Option<Wall>,
    /// Until when nothing is sent ([`NEVER`](crate::pace::quota::NEVER): until it is lifted), and why.
    pub paused: Option<(Wall, String)>,
}

impl Usage {
    /// Nothing is spent.
    pub fn none(limits: Limits) -> Self {
        Mirror::new(HubKey(Digest::of("")), limits).usage(Wall(0))
    }
}

/// The ledger, open, for one hub and key.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    db: Connection,
    /// Which file is open; `None`: it was found damaged since.
    file: Option<FileId>,
    was: Was,
    mirror: Mirror,
    /// Tells a clock that was set from time that passed.
    boot: fn() -> Option<Boot>,
}

/// What is in the file, as of `version`.
#[derive(Debug)]
struct Mirror {
    hub: String,
    limits: Limits,
    quota: Quota,
    why: String,
    /// SQLite's number that changes when another connection has written; `None`: read it all again.
    version: Option<i64>,
}

impl Ledger {
    /// Opens the ledger, made where it is missing. A damaged one is moved aside: then what was spent is not known, and all
    /// of it counts as spent but for a twentieth of the day's each hour.
    pub fn open(path: &Path, hub: HubKey, limits: Limits, now: Wall) -> Result<Self, StateError> {
        let (db, was, file) = open_file(path)?;
        let mirror = Mirror::new(hub, limits);
        let mut ledger = Self { path: path.to_owned(), db, file: Some(file), was, mirror, boot: boot::now };
        ledger.assume_spent(now)?;
        Ok(ledger)
    }

    /// Reads what is spent without writing anything, for `status`. Where there is no ledger, nothing is. The answer tells
    /// also when a backlog can be sent ([`Quota::eta`]).
    pub fn read(
        path: &Path,
        hub: HubKey,
        limits: Limits,
        now: Wall,
        backlog: &Backlog,
    ) -> Result<(Usage, Wall), StateError> {
        let mut mirror = Mirror::new(hub, limits);
        if let Some(mut db) = database::open_read_only(path, &KIND)? {
            let fail = |e| StateError::sqlite(path, e);
            let tx = db.transaction().map_err(fail)?;
            let by = boot::now().map_or(Ok(0), |boot| slots::set_by(&tx, now, &boot)).map_err(fail)?;
            mirror.refresh(&tx, by).map_err(fail)?;
        }
        let sent = mirror.quota.eta(now, backlog);
        Ok((mirror.usage(now), sent))
    }

    /// Looks through the ledger without changing anything. Where there is none, it is sound.
    pub fn examine(path: &Path) -> Result<(), StateError> {
        if fs::metadata(path).is_ok_and(|found| found.len() == 0) {
            return Err(StateError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() });
        }
        let Some(db) = database::open_read_only(path, &KIND)? else { return Ok(()) };
        database::quick_check(&db, path)?;
        slots::verified(&db, path)
    }

    /// What was found in the ledger's place when it was opened.
    pub fn was(&self) -> &Was {
        &self.was
    }

    /// Other limits from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.mirror.limits = limits;
        self.mirror.quota.set_limits(limits);
    }

    /// Another key of the same hub from now on. What was spent with the old one counts for it; a slot that is under way
    /// counts as never answered.
    pub fn set_key(&mut self, hub: HubKey, now: Wall) -> Result<(), StateError> {
        let heir = hub.0.to_hex();
        let handed_on = self.write(now, |tx, mirror| slots::hand_on(tx, &mirror.hub, &heir));
        let patience = self.mirror.quota.patience();
        self.mirror = Mirror::new(hub, self.mirror.limits);
        self.set_timeout(patience);
        handed_on.and(self.assume_spent(now))
    }

    /// For how long a request may be under way, in milliseconds, where that is not the default.
    pub fn set_timeout(&mut self, ms: i64) {
        let quota = std::mem::replace(&mut self.mirror.quota, Quota::new(self.mirror.limits));
        self.mirror.quota = quota.hung_after(ms);
    }

    /// Takes a slot, which is on the disk when this answers; or says until when there is none.
    pub fn take(&mut self, now: Wall, lane: Lane) -> Result<Result<Slot, NotUntil>, StateError> {
        self.write(now, |tx, mirror| {
            if let Err(refusal) = mirror.quota.may_take(now, lane) {
                return Ok(Err(refusal));
            }
            let id = slots::put(tx, &mirror.hub, None, &Spent { taken: now, freed: None, ahead: None })?;
            Ok(mirror.quota.take(id, now, lane).map(|()| id))
        })
        .map(|taken| taken.map(|id| Slot { id, file: self.file.unwrap_or_default() }))
    }

    /// The answer came, or the connection ended. Where that can't be stored, the slot counts as hung.
    pub fn answered(&mut self, slot: Slot, now: Wall) -> Result<(), StateError> {
        let id = slot.id;
        self.write_same(slot, now, |tx, mirror| {
            mirror.quota.answered(id, now);
            mirror.keep(tx, id)
        })
    }

    /// The connection was never made: the slot is free again.
    pub fn never_sent(&mut self, slot: Slot, now: Wall) -> Result<(), StateError> {
        let id = slot.id;
        self.write_same(slot, now, |tx, mirror| {
            mirror.quota.never_sent(id);
            slots::forget(tx, id)
        })
    }

    /// Nobody sends anything to this hub before `until`. Never shortens a pause; `why` is the longest one's.
    pub fn pause(&mut self, now: Wall, until: Wall, why: &str) -> Result<(), StateError> {
        self.write(now, |tx, mirror| {
            if mirror.quota.paused(now).is_some_and(|pause| until <= pause.until) {
                return Ok(());
            }
            mirror.quota.pause(now, until);
            why.clone_into(&mut mirror.why);
            mirror.put_pause(tx, Pause { since: now, until })
        })
    }

    /// Ends any pause.
    pub fn resume(&mut self, now: Wall) -> Result<(), StateError> {
        self.write(now, |tx, mirror| {
            mirror.quota.resume();
            slots::put_pause(tx, &mirror.hub, None)
        })
    }

    /// How much is spent by now.
    pub fn snapshot(&mut self, now: Wall) -> Result<Usage, StateError> {
        self.write(now, |_, mirror| Ok(mirror.usage(now)))
    }

    /// The same for what concerns a slot: nothing, where that was taken from a file that is no more.
    fn write_same(
        &mut self,
        slot: Slot,
        now: Wall,
        act: impl FnOnce(&Transaction<'_>, &mut Mirror) -> rusqlite::Result<()>,
    ) -> Result<(), StateError> {
        self.open_again(now)?;
        if self.file != Some(slot.file) {
            return Ok(());
        }
        self.write(now, act)
    }

    /// One transaction on the file and its copy, which takes notice of the time first. Where it fails the copy may say what
    /// the file doesn't: it is read again.
    fn write<T>(
        &mut self,
        now: Wall,
        act: impl FnOnce(&Transaction<'_>, &mut Mirror) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        let boot = (self.boot)();
        self.open_again(now)?;
        let (db, mirror) = (&mut self.db, &mut self.mirror);
        let run = || {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Some(boot) = boot {
                let by = slots::set_by(&tx, now, &boot)?;
                if by != 0 {
                    slots::shift_all(&tx, by)?;
                    mirror.version = None;
                }
                slots::put_clock(&tx, now, &boot)?;
            }
            mirror.refresh(&tx, 0)?;
            mirror.observe(&tx, now)?;
            let out = act(&tx, mirror)?;
            tx.commit()?;
            Ok(out)
        };
        run().map_err(|error| {
            self.mirror.version = None;
            let error = StateError::sqlite(&self.path, error);
            if matches!(error, StateError::Damaged { .. }) {
                self.file = None;
            }
            error
        })
    }

    /// Another file may lie there by now: another process moved a damaged one aside, or somebody removed it. What is written
    /// into a file that has no name any more is seen by nobody.
    fn open_again(&mut self, now: Wall) -> Result<(), StateError> {
        if self.file.is_some() && self.file == file_id(&self.path) {
            return Ok(());
        }
        // SQLite must not have a file open twice in one process.
        self.db = Connection::open_in_memory().map_err(|e| StateError::sqlite(&self.path, e))?;
        self.file = None;
        let (db, was, file) = open_file(&self.path)?;
        (self.db, self.was, self.file, self.mirror.version) = (db, was, Some(file), None);
        self.assume_spent(now)
    }

    fn assume_spent(&mut self, now: Wall) -> Result<(), StateError> {
        let (db, mirror) = (&mut self.db, &self.mirror);
        let lost = matches!(self.was, Was::MovedAside(_));
        let mut run = || {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if lost {
                slots::note_loss(&tx, now)?;
            }
            slots::assume_spent(&tx, &mirror.hub, mirror.limits)?;
            tx.commit()
        };
        run().map_err(|e| StateError::sqlite(&self.path, e))
    }
}

fn open_file(path: &Path) -> Result<(Connection, Was, FileId), StateError> {
    private::folder(private::parent(path))?;
    // Several processes may find it missing, or damaged, at once.
    let opening = lock::wait_for(&private::beside(path, ".lock"))?;
    let (db, was) = database::open(path, &KIND, slots::verified)?;
    let file = file_id(path).unwrap_or_default();
    drop(opening);
    Ok((db, was, file))
}

fn file_id(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Mirror {
    fn new(hub: HubKey, limits: Limits) -> Self {
        Self { hub: hub.0.to_hex(), limits, quota: Quota::new(limits), why: String::new(), version: None }
    }

    /// Reads the file again if another process wrote to it; its stamps count as moved by `by`.
    fn refresh(&mut self, db: &Connection, by: i64) -> rusqlite::Result<()> {
        let version: i64 = db.query_row("PRAGMA data_version", (), |row| row.get(0))?;
        if self.version == Some(version) {
            return Ok(());
        }
        let slots = slots::of_hub(db, &self.hub)?;
        let (pause, why) = slots::pause(db, &self.hub)?.unzip();
        let slots = slots.into_iter().map(|(id, spent)| (id, slots::shifted(spent, by)));
        self.quota.restore(slots, pause.map(|pause| slots::shifted_pause(pause, by)));
        self.why = why.unwrap_or_default();
        self.version = Some(version);
        Ok(())
    }

    /// Takes notice of the time, and keeps what that changed.
    fn observe(&mut self, tx: &Transaction<'_>, now: Wall) -> rusqlite::Result<()> {
        let paused = self.quota.paused(now);
        let observed = self.quota.observe(now);
        for (id, _) in observed.moved {
            self.keep(tx, id)?;
        }
        for id in observed.dropped {
            slots::forget(tx, id)?;
        }
        match self.quota.paused(now) {
            Some(pause) if paused != Some(pause) => self.put_pause(tx, pause),
            _ => Ok(()),
        }
    }

    /// Keeps a slot as it is now.
    fn keep(&self, tx: &Transaction<'_>, id: SlotId) -> rusqlite::Result<()> {
        match self.quota.spent(id) {
            Some(spent) => slots::put(tx, &self.hub, Some(id), &spent).map(drop),
            None => Ok(()),
        }
    }

    fn put_pause(&self, tx: &Transaction<'_>, pause: Pause) -> rusqlite::Result<()> {
        slots::put_pause(tx, &self.hub, Some((pause, &self.why)))
    }

    fn usage(&mut self, now: Wall) -> Usage {
        let used = self.quota.used(now);
        Usage {
            minute_used: used.minute,
            minute_limit: self.limits.per_minute,
            day_used: used.day,
            day_limit: self.limits.per_day,
            next_free_at: self.quota.next_free(now, Lane::Edit),
            paused: self.quota.paused(now).map(|pause| (pause.until, self.why.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
