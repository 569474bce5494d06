//! The tables of the state file. Each row keeps a short digest of its content, because SQLite's own checks don't see a byte
//! that was flipped inside a value.
//!
//! Only `store` uses this: it knows when, this knows how. No function here begins or ends a transaction.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::FileEntry;
use crate::engine::change::LogEntry;
use crate::page::{Digest, DocPath, PageId};
use crate::reconcile::birth::Birth;
use crate::reconcile::page_record::PageRecord;

/// Makes all tables. WITHOUT ROWID: a key is kept once, inside its row, where the digest covers it; in an index beside the
/// table a flipped byte would stay unseen.
pub(super) const SCHEMA: &str = "
    CREATE TABLE pages (page_id TEXT PRIMARY KEY NOT NULL, path BLOB NOT NULL, record TEXT NOT NULL, sum TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE files (path BLOB PRIMARY KEY NOT NULL, entry TEXT NOT NULL, sum TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, sum TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL, sum TEXT NOT NULL) STRICT;
";

/// So many lines of the log are kept.
const LOG_KEPT: i64 = 10_000;

/// Why rows can't be read or written.
pub(super) enum Fault {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// A row is not what was written.
    Row(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

type Rows<T> = Result<T, Fault>;

/// A single value: its name, and the type by which it is read.
pub(super) mod facts {
    /// Marks of the lists of pages.
    pub const MARKS: &str = "marks";
    /// The tables of names.
    pub const NAMES: &str = "names";
    /// How the hub stands.
    pub const HUB: &str = "hub";
    /// The daemon that holds the state.
    pub const DAEMON: &str = "daemon";
    /// A person's pause.
    pub const PAUSE: &str = "pause";
    /// Whose budget was spent last.
    pub const BUDGET_OF: &str = "budget_of";
    /// When this state took the place of one that was damaged.
    pub const ANEW: &str = "anew";
    /// Which problems were told to a person.
    pub const TOLD: &str = "told";
}

/// All pages, by id.
pub(super) fn pages(db: &Connection) -> Rows<Vec<(PageId, DocPath, PageRecord)>> {
    let mut statement = db.prepare("SELECT page_id, path, record, sum FROM pages ORDER BY page_id")?;
    let mut rows = statement.query(())?;
    let mut pages = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, path, record): (String, Vec<u8>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        check("pages", &[id.as_bytes(), &path, record.as_bytes()], &row.get::<_, String>(3)?)?;
        let id = PageId::parse(&id).map_err(|_| Fault::Row("a page has no id".to_owned()))?;
        pages.push((id, doc_path(path)?, from_json("pages", &record)?));
    }
    Ok(pages)
}

/// Keeps a page's record in place of the one before.
pub(super) fn put_page(db: &Connection, id: &PageId, path: &DocPath, record: &PageRecord) -> Rows<()> {
    let (id, path, record) = (id.as_str(), bytes(path), to_json(record)?);
    let sum = sum("pages", &[id.as_bytes(), path, record.as_bytes()]);
    let sql = "INSERT OR REPLACE INTO pages (page_id, path, record, sum) VALUES (?1, ?2, ?3, ?4)";
    db.execute(sql, (id, path, record, sum))?;
    Ok(())
}

/// Keeps nothing of a page.
pub(super) fn forget_page(db: &Connection, id: &PageId) -> Rows<()> {
    db.execute("DELETE FROM pages WHERE page_id = ?1", (id.as_str(),))?;
    Ok(())
}

/// The names of these facts begin so; the path follows, percent-encoded.
const BIRTH: &str = "birth ";

/// What is remembered of documents without a page, by path.
pub(super) fn births(db: &Connection) -> Rows<Vec<(DocPath, Birth)>> {
    let mut statement = db.prepare("SELECT name FROM facts WHERE name GLOB ?1 ORDER BY name")?;
    let names = statement.query_map((format!("{BIRTH}*"),), |row| row.get::<_, String>(0))?;
    let mut births = Vec::new();
    for name in names {
        let name = name?;
        let path = percent_decode_str(name.trim_start_matches(BIRTH)).collect();
        if let Some(birth) = fact(db, &name)? {
            births.push((doc_path(path)?, birth));
        }
    }
    Ok(births)
}

/// Keeps what is remembered of a document without a page; `None`: nothing any more.
pub(super) fn put_birth(db: &Connection, path: &DocPath, birth: Option<&Birth>) -> Rows<()> {
    let name = format!("{BIRTH}{}", percent_encode(bytes(path), NON_ALPHANUMERIC));
    match birth {
        Some(birth) => put_fact(db, &name, birth),
        None => Ok(db.execute("DELETE FROM facts WHERE name = ?1", (name,)).map(drop)?),
    }
}

/// What was last seen of all files, by path.
pub(super) fn files(db: &Connection) -> Rows<Vec<FileEntry>> {
    let mut statement = db.prepare("SELECT path, entry, sum FROM files ORDER BY path")?;
    let mut rows = statement.query(())?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let (path, json): (Vec<u8>, String) = (row.get(0)?, row.get(1)?);
        check("files", &[&path, json.as_bytes()], &row.get::<_, String>(2)?)?;
        files.push(FileEntry { path: doc_path(path)?, json });
    }
    Ok(files)
}

/// Keeps what is new of files, and nothing of those that are gone.
pub(super) fn put_files(db: &Connection, put: &[FileEntry], gone: &[DocPath]) -> Rows<()> {
    let mut delete = db.prepare("DELETE FROM files WHERE path = ?1")?;
    for path in gone {
        delete.execute((bytes(path),))?;
    }
    let mut insert = db.prepare("INSERT OR REPLACE INTO files (path, entry, sum) VALUES (?1, ?2, ?3)")?;
    for FileEntry { path, json } in put {
        insert.execute((bytes(path), json, sum("files", &[bytes(path), json.as_bytes()])))?;
    }
    Ok(())
}

/// A single value.
pub(super) fn fact<T: DeserializeOwned>(db: &Connection, name: &str) -> Rows<Option<T>> {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let found = db.query_row("SELECT value, sum FROM facts WHERE name = ?1", (name,), row).optional()?;
    let Some((value, sum)) = found else { return Ok(None) };
    check("facts", &[name.as_bytes(), value.as_bytes()], &sum)?;
    Ok(Some(from_json("facts", &value)?))
}

/// Whether all single values are what was written, whatever their names are by now.
pub(super) fn check_facts(db: &Connection) -> Rows<()> {
    let mut statement = db.prepare("SELECT name, value, sum FROM facts")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
        check("facts", &[name.as_bytes(), value.as_bytes()], &row.get::<_, String>(2)?)?;
    }
    Ok(())
}

/// Keeps a single value in place of the one before.
pub(super) fn put_fact(db: &Connection, name: &str, value: &impl Serialize) -> Rows<()> {
    let value = to_json(value)?;
    let sum = sum("facts", &[name.as_bytes(), value.as_bytes()]);
    db.execute("INSERT OR REPLACE INTO facts (name, value, sum) VALUES (?1, ?2, ?3)", (name, value, sum))?;
    Ok(())
}

/// The last lines of the log, newest first.
pub(super) fn log(db: &Connection, limit: usize) -> Rows<Vec<LogEntry>> {
    let mut statement = db.prepare("SELECT entry, sum FROM log ORDER BY number DESC LIMIT ?1")?;
    let mut rows = statement.query((i64::try_from(limit).unwrap_or(i64::MAX),))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let entry: String = row.get(0)?;
        check("log", &[entry.as_bytes()], &row.get::<_, String>(1)?)?;
        entries.push(from_json("log", &entry)?);
    }
    Ok(entries)
}

/// Adds lines to the log; the oldest go.
pub(super) fn append_log(db: &Connection, entries: &[LogEntry]) -> Rows<()> {
    let mut insert = db.prepare("INSERT INTO log (entry, sum) VALUES (?1, ?2)")?;
    for entry in entries {
        let entry = to_json(entry)?;
        insert.execute((&entry, sum("log", &[entry.as_bytes()])))?;
    }
    if !entries.is_empty() {
        db.execute("DELETE FROM log WHERE number <= (SELECT max(number) FROM log) - ?1", (LOG_KEPT,))?;
    }
    Ok(())
}

fn bytes(path: &DocPath) -> &[u8] {
    path.as_path().as_os_str().as_bytes()
}

fn doc_path(bytes: Vec<u8>) -> Rows<DocPath> {
    DocPath::new(PathBuf::from(OsString::from_vec(bytes)))
        .ok_or_else(|| Fault::Row("a path leaves the root".to_owned()))
}

fn sum(table: &str, parts: &[&[u8]]) -> String {
    let all = std::iter::once(table.as_bytes()).chain(parts.iter().copied());
    let mut hex = Digest::of_parts(all).to_hex();
    hex.truncate(16);
    hex
}

fn check(table: &str, parts: &[&[u8]], expected: &str) -> Rows<()> {
    if sum(table, parts) == expected { Ok(()) } else { Err(Fault::Row(format!("a row of `{table}` was changed"))) }
}

fn to_json(value: &impl Serialize) -> Rows<String> {
    serde_json::to_string(value).map_err(|e| Fault::Row(format!("can't be written as JSON: {e}")))
}

fn from_json<T: DeserializeOwned>(table: &str, json: &str) -> Rows<T> {
    serde_json::from_str(json).map_err(|e| Fault::Row(format!("a row of `{table}` has another form: {e}")))
}
