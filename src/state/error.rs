//! What can go wrong with what is kept, told with cause and cure.
//!
//! The errors of SQLite and of the system become one type here, because what a caller does depends on few differences:
//! a full disk passes, a damaged file is moved aside, a newer one is left alone, a read-only one ends the program.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use super::disk;

/// Why something can't be kept or read. The texts hold paths: escape them where they are shown.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Written by a newer hubsync; left untouched.
    #[error("{} was written by a newer hubsync (format {version}): use that version, or name another file with `state:`", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        version: i32,
    },
    /// A database of another program; left untouched.
    #[error("{} is a database of another program: name another file with `state:`", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// Not a database, cut short, or changed by something else. The next start moves it aside.
    #[error("{} is damaged ({what}): start hubsync again, which moves it aside and meets every page again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no room. Nothing was changed.
    #[error("no space left on the disk of {}: make room, nothing is sent meanwhile", path.display())]
    DiskFull {
        /// Which file.
        path: PathBuf,
    },
    /// The disk refused, for another reason than that it is full.
    #[error("{} can't be written ({source}): is the disk failing, over quota, or the size of files limited? Nothing is sent meanwhile", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file or its folder can't be written to, or not even read.
    #[error("{} can't be read and written: make it and its folder readable and writable for this user, or name another file with `state:`", path.display())]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// Another daemon holds it.
    #[error("{} is in use by another hubsync{}: stop that one first", path.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// Which state, or which root.
        path: PathBuf,
        /// Whose it is, where that is known.
        pid: Option<u32>,
    },
    /// Another process was writing for longer than we wait.
    #[error("{} is being written by another process: try again", path.display())]
    Busy {
        /// Which file.
        path: PathBuf,
    },
    /// The file system can't hold a write-ahead log, so that a crash could tear what is kept.
    #[error("{} lies on a file system that SQLite can't use safely (a network folder?): name a file on a local disk with `state:`", path.display())]
    NoLog {
        /// Which file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// SQLite refused for a reason of its own.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl StateError {
    /// Whether waiting won't help: a person has to act, or the program has to start again.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::DiskFull { .. } | Self::Refused { .. } | Self::Busy { .. })
    }

    /// An error of the system, by what it means.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path },
            _ => Self::Io { path, source },
        }
    }

    /// An error of SQLite, by what it means.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let damaged = |path: PathBuf, source: &rusqlite::Error| Self::Damaged { path, what: source.to_string() };
        let path = path.to_owned();
        let rusqlite::Error::SqliteFailure(failure, _) = &source else {
            // All statements are our own: a value of another type, or a row that isn't there, is the file's fault.
            return damaged(path, &source);
        };
        match (failure.extended_code, failure.extended_code & 0xff) {
            // On a disk without any room even a reader can't make the shared memory beside the file.
            (ffi::SQLITE_IOERR_SHMSIZE, _) | (_, ffi::SQLITE_FULL) => Self::DiskFull { path },
            (_, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB | ffi::SQLITE_ERROR | ffi::SQLITE_SCHEMA) => {
                damaged(path, &source)
            }
            (_, ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM | ffi::SQLITE_AUTH) => {
                Self::ReadOnly { path }
            }
            (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => Self::Busy { path },
            // SQLite doesn't say what the system said: the disk is asked.
            (_, ffi::SQLITE_IOERR) => match disk::writable(&path) {
                Err(why) => why,
                Ok(()) => Self::Refused { path, source },
            },
            _ => Self::Sqlite { path, source },
        }
    }
}
