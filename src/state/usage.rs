//! The ledger of requests spent: a file of its own, shared by all processes and roots of this user (contract.md, promise 4).
//!
//! Promises: a slot that was answered is on the disk before its request is sent; all processes together stay within the
//! limits; a pause is seen by all of them and outlives a restart. What may be spent, `pace::quota` decides: here its slots
//! are kept, by hub and key. The copy in memory is read again when another process has written.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use super::database::{self, Kind, Was};
use super::error::StateError;
use super::{lock, private};
use crate::pace::quota::{Lane, Limits, NotUntil, Pause, Quota, SlotId, Spent};
use crate::page::{Digest, Wall};

/// "hubu": the ledger.
const KIND: Kind = Kind {
    application_id: 0x6875_6275,
    version: 1,
    schema: "
        CREATE TABLE slots (id INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT NOT NULL, taken INTEGER NOT NULL,
                            freed INTEGER, ahead INTEGER) STRICT;
        CREATE INDEX slots_of_hub ON slots (hub);
        CREATE TABLE pauses (hub TEXT PRIMARY KEY NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
                             why TEXT NOT NULL) STRICT;
    ",
};

/// Whose budget it is: the digest of the hub's URL and the key. The key can't be read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubKey(pub Digest);

/// One request that may be sent. Give it back by [`Ledger::answered`] or [`Ledger::never_sent`]; one that is merely dropped
/// counts as sent and never answered.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is not given back counts as a request without an answer"]
pub struct Slot(SlotId);

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

/// The ledger, open, for one hub and key.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    db: Connection,
    was: Was,
    mirror: Mirror,
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
    /// Opens the ledger, made where it is missing. A damaged one is moved aside: then what was spent is not known, and the
    /// hub's own 429 is what holds us.
    pub fn open(path: &Path, hub: HubKey, limits: Limits) -> Result<Self, StateError> {
        private::folder(private::parent(path))?;
        // Several processes may find it missing, or damaged, at once.
        let opening = lock::wait_for(&private::beside(path, ".lock"))?;
        let (db, was) = database::open(path, &KIND, |_, _| Ok(()))?;
        drop(opening);
        Ok(Self { path: path.to_owned(), db, was, mirror: Mirror::new(hub, limits) })
    }

    /// Reads what is spent without writing anything, for `status`. Where there is no ledger, nothing is. `backlog`: so many
    /// requests wait; the answer tells when they will be done.
    pub fn read(
        path: &Path,
        hub: HubKey,
        limits: Limits,
        now: Wall,
        backlog: u32,
    ) -> Result<(Usage, Option<Wall>), StateError> {
        let mut mirror = Mirror::new(hub, limits);
        if let Some(mut db) = database::open_read_only(path, &KIND)? {
            let tx = db.transaction().map_err(|e| StateError::sqlite(path, e))?;
            mirror.refresh(&tx).map_err(|e| StateError::sqlite(path, e))?;
        }
        let eta = (backlog > 0).then(|| mirror.quota.eta(now, Lane::Bulk, backlog));
        Ok((mirror.usage(now), eta))
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

    /// For how long a request may be under way, in milliseconds, where that is not the default.
    pub fn set_timeout(&mut self, ms: i64) {
        let quota = std::mem::replace(&mut self.mirror.quota, Quota::new(self.mirror.limits));
        self.mirror.quota = quota.hung_after(ms);
    }

    /// Takes a slot, which is on the disk when this answers; or says until when there is none.
    pub fn take(&mut self, now: Wall, lane: Lane) -> Result<Result<Slot, NotUntil>, StateError> {
        self.write(|tx, mirror| {
            mirror.observe(tx, now)?;
            if let Err(refusal) = mirror.quota.may_take(now, lane) {
                return Ok(Err(refusal));
            }
            tx.execute("INSERT INTO slots (hub, taken) VALUES (?1, ?2)", (&mirror.hub, now.0))?;
            let id = SlotId(tx.last_insert_rowid());
            Ok(mirror.quota.take(id, now, lane).map(|()| Slot(id)))
        })
    }

    /// The answer came, or the connection ended. Where that can't be stored, the slot counts as hung.
    pub fn answered(&mut self, slot: Slot, now: Wall) -> Result<(), StateError> {
        self.write(|tx, mirror| {
            mirror.observe(tx, now)?;
            tx.execute("UPDATE slots SET freed = ?2, ahead = NULL WHERE id = ?1", (slot.0.0, now.0))?;
            mirror.quota.answered(slot.0, now);
            Ok(())
        })
    }

    /// The connection was never made: the slot is free again.
    pub fn never_sent(&mut self, slot: Slot) -> Result<(), StateError> {
        self.write(|tx, mirror| {
            tx.execute("DELETE FROM slots WHERE id = ?1", (slot.0.0,))?;
            mirror.quota.never_sent(slot.0);
            Ok(())
        })
    }

    /// Nobody sends anything to this hub before `until`. Never shortens a pause; `why` is the longest one's.
    pub fn pause(&mut self, now: Wall, until: Wall, why: &str) -> Result<(), StateError> {
        self.write(|tx, mirror| {
            mirror.observe(tx, now)?;
            if mirror.quota.paused(now).is_some_and(|pause| until <= pause.until) {
                return Ok(());
            }
            mirror.quota.pause(now, until);
            why.clone_into(&mut mirror.why);
            mirror.put_pause(tx, Pause { since: now, until })
        })
    }

    /// Ends any pause.
    pub fn resume(&mut self) -> Result<(), StateError> {
        self.write(|tx, mirror| {
            tx.execute("DELETE FROM pauses WHERE hub = ?1", (&mirror.hub,))?;
            mirror.quota.resume();
            Ok(())
        })
    }

    /// How much is spent by now.
    pub fn snapshot(&mut self, now: Wall) -> Result<Usage, StateError> {
        self.write(|tx, mirror| {
            mirror.observe(tx, now)?;
            Ok(mirror.usage(now))
        })
    }

    /// When the last of `requests` can be sent, if nobody else sends ([`Quota::eta`]).
    pub fn eta(&mut self, now: Wall, lane: Lane, requests: u32) -> Result<Wall, StateError> {
        self.write(|tx, mirror| {
            mirror.observe(tx, now)?;
            Ok(mirror.quota.eta(now, lane, requests))
        })
    }

    /// One transaction on the file and its copy. Where it fails the copy may say what the file doesn't: it is read again.
    fn write<T>(
        &mut self,
        act: impl FnOnce(&Transaction<'_>, &mut Mirror) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        let (db, mirror) = (&mut self.db, &mut self.mirror);
        let run = || {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            mirror.refresh(&tx)?;
            let out = act(&tx, mirror)?;
            tx.commit()?;
            Ok(out)
        };
        run().map_err(|error| {
            self.mirror.version = None;
            StateError::sqlite(&self.path, error)
        })
    }
}

impl Mirror {
    fn new(hub: HubKey, limits: Limits) -> Self {
        Self { hub: hub.0.to_hex(), limits, quota: Quota::new(limits), why: String::new(), version: None }
    }

    /// Reads the file again if another process wrote to it.
    fn refresh(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let version: i64 = db.query_row("PRAGMA data_version", (), |row| row.get(0))?;
        if self.version == Some(version) {
            return Ok(());
        }
        let wall = |row: &rusqlite::Row<'_>, n| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(n)?.map(Wall));
        let mut statement = db.prepare("SELECT id, taken, freed, ahead FROM slots WHERE hub = ?1")?;
        let slots = statement.query_map((&self.hub,), |row| {
            let spent = Spent { taken: Wall(row.get(1)?), freed: wall(row, 2)?, ahead: wall(row, 3)? };
            Ok((SlotId(row.get(0)?), spent))
        })?;
        let slots = slots.collect::<rusqlite::Result<Vec<_>>>()?;
        let pause = db.query_row("SELECT since, until, why FROM pauses WHERE hub = ?1", (&self.hub,), |row| {
            Ok((Pause { since: Wall(row.get(0)?), until: Wall(row.get(1)?) }, row.get(2)?))
        });
        let (pause, why) = pause.optional()?.unzip();
        self.quota.restore(slots, pause);
        self.why = why.unwrap_or_default();
        self.version = Some(version);
        Ok(())
    }

    /// Takes notice of the time, and keeps what that changed.
    fn observe(&mut self, tx: &Transaction<'_>, now: Wall) -> rusqlite::Result<()> {
        let paused = self.quota.paused(now);
        let observed = self.quota.observe(now);
        for (id, ahead) in observed.moved {
            tx.execute("UPDATE slots SET ahead = ?2 WHERE id = ?1", (id.0, ahead.map(|at| at.0)))?;
        }
        for id in observed.dropped {
            tx.execute("DELETE FROM slots WHERE id = ?1", (id.0,))?;
        }
        match self.quota.paused(now) {
            Some(pause) if paused != Some(pause) => self.put_pause(tx, pause),
            _ => Ok(()),
        }
    }

    fn put_pause(&self, tx: &Transaction<'_>, pause: Pause) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO pauses (hub, since, until, why) VALUES (?1, ?2, ?3, ?4)";
        tx.execute(sql, (&self.hub, pause.since.0, pause.until.0, &self.why)).map(drop)
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
