//! The tables of the ledger: slots, pauses, when a ledger was lost, and the clock when it was last written. Each row of a
//! slot or a pause keeps a digest of its content: one that something else changed must not pass for less than was spent.
//!
//! Only `usage` uses this. No function here begins or ends a transaction.

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::boot::Boot;
use super::error::StateError;
use crate::pace::quota::{Limits, NEVER, Pause, SlotId, Spent};
use crate::page::{Digest, Wall};

/// Makes all tables. No index: one that is damaged would hide rows.
pub(super) const SCHEMA: &str = "
    CREATE TABLE slots (id INTEGER PRIMARY KEY AUTOINCREMENT, hub TEXT NOT NULL, taken INTEGER NOT NULL,
                        freed INTEGER, ahead INTEGER, sum TEXT NOT NULL) STRICT;
    CREATE TABLE pauses (hub TEXT PRIMARY KEY NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
                         why TEXT NOT NULL, sum TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE lost (hub TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE clock (boot TEXT NOT NULL, ms INTEGER NOT NULL, wall INTEGER NOT NULL) STRICT;
";

/// A pause, and why.
pub(super) type Paused = (Pause, String);

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// A window and what the quota adds to it, in milliseconds: after a loss nothing is sent for so long.
const MINUTE: i64 = 60_250;
/// A wall clock that gains more than this on the system's own was set forward, in milliseconds.
const GAINED: i64 = 1_000;
/// And one that loses more than this was set back: less can be a reading that had to wait.
const LOST: i64 = 60_000;

/// All slots of a hub.
pub(super) fn of_hub(db: &Connection, hub: &str) -> rusqlite::Result<Vec<(SlotId, Spent)>> {
    let mut statement = db.prepare("SELECT id, hub, taken, freed, ahead, sum FROM slots WHERE hub = ?1")?;
    let rows = statement.query_map((hub,), |row| slot(row).map(|(id, _, spent)| (id, spent)))?;
    rows.collect()
}

fn slot(row: &Row<'_>) -> rusqlite::Result<(SlotId, String, Spent)> {
    let (id, hub): (i64, String) = (row.get(0)?, row.get(1)?);
    let wall = |n| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(n)?.map(Wall));
    let spent = Spent { taken: Wall(row.get(2)?), freed: wall(3)?, ahead: wall(4)? };
    check(&sum_of_slot(&hub, &spent), &row.get::<_, String>(5)?)?;
    Ok((SlotId(id), hub, spent))
}

/// Keeps a slot in place of what was known of it; a new one where there is no id.
pub(super) fn put(db: &Connection, hub: &str, id: Option<SlotId>, spent: &Spent) -> rusqlite::Result<SlotId> {
    let sql = "INSERT OR REPLACE INTO slots (id, hub, taken, freed, ahead, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (freed, ahead) = (spent.freed.map(|at| at.0), spent.ahead.map(|at| at.0));
    db.execute(sql, (id.map(|id| id.0), hub, spent.taken.0, freed, ahead, sum_of_slot(hub, spent)))?;
    Ok(id.unwrap_or_else(|| SlotId(db.last_insert_rowid())))
}

/// Keeps nothing of a slot.
pub(super) fn forget(db: &Connection, id: SlotId) -> rusqlite::Result<()> {
    db.execute("DELETE FROM slots WHERE id = ?1", (id.0,)).map(drop)
}

/// The pause of a hub.
pub(super) fn pause(db: &Connection, hub: &str) -> rusqlite::Result<Option<Paused>> {
    let sql = "SELECT hub, since, until, why, sum FROM pauses WHERE hub = ?1";
    Ok(db.query_row(sql, (hub,), paused).optional()?.map(|(_, paused)| paused))
}

fn paused(row: &Row<'_>) -> rusqlite::Result<(String, Paused)> {
    let (hub, why): (String, String) = (row.get(0)?, row.get(3)?);
    let pause = Pause { since: Wall(row.get(1)?), until: Wall(row.get(2)?) };
    check(&sum_of_pause(&hub, pause, &why), &row.get::<_, String>(4)?)?;
    Ok((hub, (pause, why)))
}

/// Keeps a pause; `None`: there is none.
pub(super) fn put_pause(db: &Connection, hub: &str, pause: Option<(Pause, &str)>) -> rusqlite::Result<()> {
    let Some((pause, why)) = pause else {
        return db.execute("DELETE FROM pauses WHERE hub = ?1", (hub,)).map(drop);
    };
    let sql = "INSERT OR REPLACE INTO pauses (hub, since, until, why, sum) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.execute(sql, (hub, pause.since.0, pause.until.0, why, sum_of_pause(hub, pause, why))).map(drop)
}

/// What was spent with one key, and the pause of it, counts for the key that takes its place, too: the hub's limits are the
/// workspace's. Whoever still uses the old key goes on with it; what another root has handed on before is known by its stamps.
pub(super) fn hand_on(db: &Connection, from: &str, to: &str) -> rusqlite::Result<()> {
    let mut known = BTreeMap::<i64, usize>::new();
    for (_, spent) in of_hub(db, to)? {
        *known.entry(spent.taken.0).or_default() += 1;
    }
    for (_, spent) in of_hub(db, from)? {
        match known.get_mut(&spent.taken.0) {
            Some(left) if *left > 0 => *left -= 1,
            _ => drop(put(db, to, None, &spent)?),
        }
    }
    if let Some((old, why)) = pause(db, from)?
        && pause(db, to)?.is_none_or(|(new, _)| new.until < old.until)
    {
        put_pause(db, to, Some((old, &why)))?;
    }
    // What is assumed of a ledger that was lost is among the slots.
    db.execute("INSERT OR IGNORE INTO lost (hub, at) SELECT ?2, at FROM lost WHERE hub = ?1", (from, to)).map(drop)
}

/// Reads every row once: a damaged one is found before anything rests on it.
pub(super) fn verify(db: &Connection) -> rusqlite::Result<()> {
    all(db)?;
    all_pauses(db).map(drop)
}

fn all(db: &Connection) -> rusqlite::Result<Vec<(SlotId, String, Spent)>> {
    let mut statement = db.prepare("SELECT id, hub, taken, freed, ahead, sum FROM slots")?;
    let rows = statement.query_map((), slot)?;
    rows.collect()
}

fn all_pauses(db: &Connection) -> rusqlite::Result<Vec<(String, Paused)>> {
    let mut statement = db.prepare("SELECT hub, since, until, why, sum FROM pauses")?;
    let rows = statement.query_map((), paused)?;
    rows.collect()
}

/// The ledger before this one is lost, and with it what was spent.
pub(super) fn note_loss(db: &Connection, now: Wall) -> rusqlite::Result<()> {
    db.execute("INSERT OR REPLACE INTO lost (hub, at) VALUES ('', ?1)", (now.0,)).map(drop)
}

/// Where a ledger was lost, each hub's day counts as spent but for a twentieth, and so much comes back each hour; and its
/// minute counts as spent.
pub(super) fn assume_spent(db: &Connection, hub: &str, limits: Limits) -> rusqlite::Result<()> {
    let sql = "SELECT at FROM lost WHERE hub = '' AND NOT EXISTS (SELECT 1 FROM lost WHERE hub = ?1)";
    let Some(at) = db.query_row(sql, (hub,), |row| row.get::<_, i64>(0)).optional()? else { return Ok(()) };
    let each_hour = a_twentieth(limits);
    for n in 0..limits.per_day.saturating_sub(each_hour) {
        let hours = i64::from(n / each_hour) + 1;
        let stamp = Wall(at + hours * HOUR - DAY);
        put(db, hub, None, &Spent { taken: stamp, freed: Some(stamp), ahead: None })?;
    }
    let why = format!(
        "the ledger of requests was damaged, so what was spent is not known: after a minute at most {each_hour} an hour are sent, for a day"
    );
    let until = Wall(at).plus(MINUTE);
    put_pause(db, hub, Some((Pause { since: Wall(at), until }, &why)))?;
    db.execute("INSERT INTO lost (hub, at) VALUES (?1, ?2)", (hub, at)).map(drop)
}

/// What may be sent in an hour where nobody knows what was spent.
pub(super) fn a_twentieth(limits: Limits) -> u32 {
    (limits.per_day / 20).max(1)
}

/// By how much the wall clock was set since the ledger was last written, in milliseconds; 0 where it was not.
pub(super) fn set_by(db: &Connection, now: Wall, boot: &Boot) -> rusqlite::Result<i64> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let last = db.query_row("SELECT ms, wall FROM clock WHERE boot = ?1", (&boot.id,), read).optional()?;
    let Some((ms, wall)) = last else { return Ok(0) };
    let gained = now.0.saturating_sub(wall).saturating_sub(boot.ms.saturating_sub(ms));
    Ok(if (-LOST..=GAINED).contains(&gained) { 0 } else { gained })
}

/// Notes the clocks.
pub(super) fn put_clock(db: &Connection, now: Wall, boot: &Boot) -> rusqlite::Result<()> {
    db.execute("DELETE FROM clock", ())?;
    db.execute("INSERT INTO clock (boot, ms, wall) VALUES (?1, ?2, ?3)", (&boot.id, boot.ms, now.0)).map(drop)
}

/// Moves all stamps along with a clock that was set.
pub(super) fn shift_all(db: &Connection, by: i64) -> rusqlite::Result<()> {
    for (id, hub, spent) in all(db)? {
        put(db, &hub, Some(id), &shifted(spent, by))?;
    }
    for (hub, (pause, why)) in all_pauses(db)? {
        put_pause(db, &hub, Some((shifted_pause(pause, by), &why)))?;
    }
    db.execute("UPDATE lost SET at = at + ?1", (by,)).map(drop)
}

/// A slot as it is by a clock that was set.
pub(super) fn shifted(spent: Spent, by: i64) -> Spent {
    let shift = |at: Wall| at.plus(by);
    Spent { taken: shift(spent.taken), freed: spent.freed.map(shift), ahead: spent.ahead.map(shift) }
}

/// A pause as it is by a clock that was set.
pub(super) fn shifted_pause(pause: Pause, by: i64) -> Pause {
    let until = if pause.until == NEVER { NEVER } else { pause.until.plus(by) };
    Pause { since: pause.since.plus(by), until }
}

/// What is wrong with the file, as the state's error.
pub(super) fn verified(db: &Connection, path: &std::path::Path) -> Result<(), StateError> {
    verify(db).map_err(|error| StateError::sqlite(path, error))
}

fn sum_of_slot(hub: &str, spent: &Spent) -> String {
    let number = |at: Option<Wall>| at.map(|at| at.0.to_string()).unwrap_or_default();
    let (taken, freed, ahead) = (spent.taken.0.to_string(), number(spent.freed), number(spent.ahead));
    sum(&["slots", hub, &taken, &freed, &ahead])
}

fn sum_of_pause(hub: &str, pause: Pause, why: &str) -> String {
    sum(&["pauses", hub, &pause.since.0.to_string(), &pause.until.0.to_string(), why])
}

fn sum(parts: &[&str]) -> String {
    let mut hex = Digest::of_parts(parts.iter().map(|part| part.as_bytes())).to_hex();
    hex.truncate(16);
    hex
}

fn check(is: &str, expected: &str) -> rusqlite::Result<()> {
    if is == expected {
        return Ok(());
    }
    Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Text, "a row was changed".into()))
}
