//! Opens a SQLite file so that what is committed stays, and tells a fresh, a kept, a damaged and a foreign one apart.
//!
//! Only `store` and `usage` use it. Never open such a file by other means while a connection is open: SQLite's locks are
//! the process's and end with any close of the file.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::StateError;
use super::private;
use crate::page::Wall;

/// What kind of file it is.
pub(super) struct Kind {
    /// Written into the file's header; tells it from other programs' files.
    pub application_id: i32,
    /// The format that this program writes.
    pub version: i32,
    /// Makes the tables.
    pub schema: &'static str,
    /// What a file without anything in it is.
    pub empty: Empty,
}

/// What a file without anything in it is. We never leave one: a fresh file is made under another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// As good as none.
    Fresh,
    /// What is left of one that held something.
    Damaged,
}

/// What was found where the file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Was {
    /// Nothing: it was made.
    Fresh,
    /// The file of a run before.
    Kept,
    /// A damaged file. It lies here now, and a fresh one was made in its place.
    MovedAside(PathBuf),
}

/// How long we wait for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the file, made where it is missing; `verify` looks into it for damage that SQLite can't see. A damaged file is
/// moved aside.
pub(super) fn open(
    path: &Path,
    kind: &Kind,
    verify: fn(&Connection, &Path) -> Result<(), StateError>,
) -> Result<(Connection, Was), StateError> {
    private::folder(private::parent(path))?;
    match open_sound(path, kind, verify) {
        Err(StateError::Damaged { .. }) => {
            let aside = move_aside(path)?;
            Ok((open_sound(path, kind, verify)?.0, Was::MovedAside(aside)))
        }
        other => other,
    }
}

fn open_sound(
    path: &Path,
    kind: &Kind,
    verify: fn(&Connection, &Path) -> Result<(), StateError>,
) -> Result<(Connection, Was), StateError> {
    let mut made = Was::Kept;
    if fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        create(path, kind)?;
        made = Was::Fresh;
    }
    if !fs::metadata(path).map_err(|e| StateError::io(path, e))?.is_file() {
        return Err(StateError::Io { path: path.to_owned(), source: io::Error::other("is not a file") });
    }
    private::narrow(path)?;
    // A reader that came first made these as open as the file was.
    for beside in ["-wal", "-shm"].map(|suffix| private::beside(path, suffix)) {
        if beside.exists() {
            private::narrow(&beside)?;
        }
    }
    let fail = |e| StateError::sqlite(path, e);
    // Asked through a connection that can't write, so that a newer file stays as it is, byte for byte.
    let was = identify(&reader(path)?).map_err(fail)?.judge(path, kind)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    prepare(&connection, path)?;
    if was == Was::Fresh {
        make(&mut connection, kind).map_err(fail)?;
    } else {
        quick_check(&connection, path)?;
        verify(&connection, path)?;
    }
    Ok((connection, if made == Was::Fresh { made } else { was }))
}

/// Makes a fresh file under another name and renames it when it is whole, so that an end in the middle leaves none. A log
/// that an older file left behind goes first: SQLite would carry it out on the new one.
fn create(path: &Path, kind: &Kind) -> Result<(), StateError> {
    let making = private::beside(path, ".making");
    let leftovers = [&making, path].map(|file| ["-wal", "-shm"].map(|suffix| private::beside(file, suffix)));
    for old in leftovers.as_flattened().iter().chain([&making]) {
        match fs::remove_file(old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StateError::io(old, e)),
            _ => {}
        }
    }
    drop(private::new_file(&making)?);
    let make = || -> Result<(), StateError> {
        let fail = |e| StateError::sqlite(&making, e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&making, flags).map_err(fail)?;
        prepare(&connection, &making)?;
        self::make(&mut connection, kind).map_err(fail)?;
        // The log is carried out and removed: the file alone is renamed.
        connection.close().map_err(|(_, e)| fail(e))?;
        File::open(&making).and_then(|file| file.sync_all()).map_err(|e| StateError::io(&making, e))?;
        fs::rename(&making, path).map_err(|e| StateError::io(path, e))?;
        private::sync_folder(private::parent(path))
    };
    make().inspect_err(|_| drop(fs::remove_file(&making)))
}

/// Opens the file for reading only; `None` where there is none, or nothing in it. Works beside a daemon that writes, and in
/// a folder that can't be written to as long as nobody writes there.
pub(super) fn open_read_only(path: &Path, kind: &Kind) -> Result<Option<Connection>, StateError> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StateError::io(path, e)),
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(_) => {}
    }
    let read = |connection: Connection| -> Result<Option<Connection>, StateError> {
        let was = identify(&connection).map_err(|e| StateError::sqlite(path, e))?.judge(path, kind)?;
        Ok((was == Was::Kept).then_some(connection))
    };
    match reader(path).and_then(read) {
        Err(StateError::ReadOnly { .. }) if !private::beside(path, "-wal").exists() => read(frozen_reader(path)?),
        other => other,
    }
}

fn reader(path: &Path) -> Result<Connection, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| StateError::sqlite(path, e))?;
    connection.busy_timeout(PATIENCE).map_err(|e| StateError::sqlite(path, e))?;
    Ok(connection)
}

/// Reads a file that nobody writes, without making anything beside it.
pub(super) fn frozen_reader(path: &Path) -> Result<Connection, StateError> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            _ => {
                let _ = write!(uri, "%{byte:02x}"); // Writing to a String can't fail.
            }
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags).map_err(|e| StateError::sqlite(path, e))
}

/// What the header says.
struct Identity {
    application_id: i32,
    version: i32,
    tables: i64,
}

/// All of it as of one moment: between two, another process may make the file.
fn identify(connection: &Connection) -> rusqlite::Result<Identity> {
    let moment = connection.unchecked_transaction()?;
    Ok(Identity {
        application_id: moment.query_row("PRAGMA application_id", (), |row| row.get(0))?,
        version: moment.query_row("PRAGMA user_version", (), |row| row.get(0))?,
        tables: moment.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?,
    })
}

impl Identity {
    fn judge(&self, path: &Path, kind: &Kind) -> Result<Was, StateError> {
        match (self.application_id, self.tables) {
            (0, 0) => match kind.empty {
                Empty::Fresh => Ok(Was::Fresh),
                Empty::Damaged => Err(StateError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() }),
            },
            (id, _) if id != kind.application_id => Err(StateError::Foreign { path: path.to_owned() }),
            _ if self.version > kind.version => Err(StateError::Newer { path: path.to_owned(), version: self.version }),
            _ => Ok(Was::Kept),
        }
    }
}

fn prepare(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let fail = |e| StateError::sqlite(path, e);
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(fail)?;
    if mode != "wal" {
        return Err(StateError::NoLog { path: path.to_owned() });
    }
    // Not kept in the file. NORMAL would not sync at a commit: an intent could be lost after its request went out.
    // fullfsync: on macOS a plain fsync stops at the drive's own memory.
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA cache_size = -512").map_err(fail)
}

fn make(connection: &mut Connection, kind: &Kind) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let made: i32 = tx.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    if made != kind.application_id {
        tx.execute_batch(kind.schema)?;
        tx.pragma_update(None, "application_id", kind.application_id)?;
        tx.pragma_update(None, "user_version", kind.version)?;
    }
    tx.commit()
}

/// SQLite's own look at the file's structure.
pub(super) fn quick_check(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let answer: String =
        connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0)).map_err(|e| StateError::sqlite(path, e))?;
    if answer == "ok" { Ok(()) } else { Err(StateError::Damaged { path: path.to_owned(), what: answer }) }
}

/// Renames a damaged file, with what belongs to it, so that it can still be looked into.
fn move_aside(path: &Path) -> Result<PathBuf, StateError> {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let stamp = compact_time(Wall(i64::try_from(at.as_millis()).unwrap_or(i64::MAX)));
    let mut aside = private::beside(path, &format!(".damaged-{stamp}"));
    for n in 2.. {
        if !aside.exists() {
            break;
        }
        aside = private::beside(path, &format!(".damaged-{stamp}-{n}"));
    }
    // The file goes first: a log without its file is dropped by SQLite, a file without its log would be an older state.
    fs::rename(path, &aside).map_err(|e| StateError::io(path, e))?;
    for suffix in ["-wal", "-shm"] {
        let from = private::beside(path, suffix);
        match fs::rename(&from, private::beside(&aside, suffix)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StateError::io(&from, e)),
            _ => {}
        }
    }
    private::sync_folder(private::parent(path))?;
    Ok(aside)
}

/// A moment in UTC as part of a file's name: `20260823T101530Z`.
pub(super) fn compact_time(at: Wall) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| "unknown".to_owned(), |at| at.strftime("%Y%m%dT%H%M%SZ").to_string())
}
