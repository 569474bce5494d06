//! The walk over the root: which files there are that can be documents, and which folders could not be read.
//!
//! One bad entry never ends the walk. A folder that can't be listed is told apart from an empty one, because what was in it
//! must not count as gone. Blocking: for the blocking pool.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::WalkBuilder;
use serde::{Deserialize, Serialize};

use crate::local::git::Nested;
use crate::local::patterns::{CopyPattern, Patterns};
use crate::page::DocPath;

/// The file of ignore rules that is hubsync's own.
pub const IGNORE_FILE: &str = ".hubsyncignore";

/// What tells two versions of a file apart without reading it. Times in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// When the content changed last; programs set it as they like.
    pub mtime: i64,
    /// When content or inode changed last; only the system sets it.
    pub ctime: i64,
}

impl Stat {
    /// The stat of a file.
    pub fn of(meta: &fs::Metadata) -> Self {
        let nanos = |s: i64, ns: i64| s.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What lies under a document's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file with bytes.
    Regular,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// A link that leads nowhere, or in a circle.
    Dangling,
}

/// How a file lies in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// Itself.
    Name,
    /// As a symbolic link to somewhere else.
    Link,
}

/// A file that can be a document by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: DocPath,
    /// Itself or a link.
    pub via: Via,
    /// What it is, behind the link.
    pub kind: FileKind,
    /// Its stat, behind the link.
    pub stat: Stat,
}

/// A folder (or file) that the walk could not look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// Relative to the root; empty for the root itself.
    pub path: PathBuf,
    /// Why.
    pub cause: String,
}

/// What a walk saw.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Files that can be documents.
    pub files: Vec<Entry>,
    /// Files that would be, but for a name that a tool gives its copies.
    pub copies: Vec<(DocPath, &'static CopyPattern)>,
    /// What could not be looked at.
    pub unlisted: Vec<Unlisted>,
}

/// How much is walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole root.
    All,
    /// These paths, relative to the root; a folder stands for all that is in it.
    Paths(BTreeSet<PathBuf>),
}

impl Scope {
    /// Whether `path` is walked.
    pub fn contains(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Paths(paths) => path.ancestors().any(|above| paths.contains(above)),
        }
    }

    /// Whether something beneath `folder` is walked.
    fn leads_through(&self, folder: &Path) -> bool {
        match self {
            Self::All => true,
            // Paths sort by component, so all that lies beneath a folder follows it at once.
            Self::Paths(paths) => paths.range(folder.to_path_buf()..).next().is_some_and(|p| p.starts_with(folder)),
        }
    }
}

/// Walks the root. `root` must not be a link itself. Other repositories and other worktrees in it are left out where it lies
/// in a repository itself; submodules are not. Ignore rules of `.gitignore` count outside of a repository, too; the
/// user's own global rules don't, so that every machine sees the same.
pub fn walk(root: &Path, patterns: &Patterns, scope: &Scope) -> Walked {
    let nested = Nested::below(root);
    let guard = Arc::new((root.to_path_buf(), patterns.clone(), scope.clone(), nested));
    let mut builder = WalkBuilder::new(root);
    builder
        .require_git(false)
        .git_global(false)
        .parents(lies_in_repository(root))
        .follow_links(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .filter_entry(move |entry| {
            let (root, patterns, scope, nested) = &*guard;
            let is_folder = entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir());
            entry.path().strip_prefix(root).is_ok_and(|relative| {
                !patterns.excludes(relative)
                    && (scope.contains(relative) || scope.leads_through(relative))
                    && !(is_folder && nested.is_foreign(entry.path()))
            })
        });
    let mut walked = Walked::default();
    for entry in builder.build() {
        match entry {
            Ok(entry) => take(&mut walked, root, patterns, scope, &entry),
            Err(error) => note_error(&mut walked, root, &error),
        }
    }
    walked
}

/// Rules above the root count only where git itself would read them.
fn lies_in_repository(root: &Path) -> bool {
    root.ancestors().any(|folder| folder.join(".git").exists())
}

fn take(walked: &mut Walked, root: &Path, patterns: &Patterns, scope: &Scope, entry: &ignore::DirEntry) {
    let Some(relative) = entry.path().strip_prefix(root).ok().and_then(DocPath::new) else { return };
    if !scope.contains(relative.as_path()) {
        return;
    }
    if entry.file_type().is_some_and(|kind| kind.is_dir()) || !patterns.includes(relative.as_path()) {
        return;
    }
    if let Some(copy) = patterns.copy(relative.as_path()) {
        walked.copies.push((relative, copy));
        return;
    }
    match stat(entry.path()) {
        Ok(Some((via, kind, stat))) => walked.files.push(Entry { path: relative, via, kind, stat }),
        Ok(None) => {}
        // Listed and gone again: an ordinary save.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            walked.unlisted.push(Unlisted { path: relative.as_path().to_path_buf(), cause: error.to_string() });
        }
    }
}

/// What lies at `path`; `None` for a folder, or a link to one.
fn stat(path: &Path) -> io::Result<Option<(Via, FileKind, Stat)>> {
    let own = fs::symlink_metadata(path)?;
    if !own.file_type().is_symlink() {
        return Ok(kind_of(&own).map(|kind| (Via::Name, kind, Stat::of(&own))));
    }
    Ok(match fs::metadata(path) {
        Ok(target) => kind_of(&target).map(|kind| (Via::Link, kind, Stat::of(&target))),
        Err(_) => Some((Via::Link, FileKind::Dangling, Stat::of(&own))),
    })
}

fn kind_of(meta: &fs::Metadata) -> Option<FileKind> {
    let kind = meta.file_type();
    if kind.is_dir() {
        None
    } else if kind.is_file() {
        Some(FileKind::Regular)
    } else if kind.is_fifo() {
        Some(FileKind::Pipe)
    } else if kind.is_socket() {
        Some(FileKind::Socket)
    } else {
        Some(FileKind::Device)
    }
}

/// Remembers what could not be listed. What vanished during the walk is nothing to tell; an error that names no place
/// counts for the whole root.
fn note_error(walked: &mut Walked, root: &Path, error: &ignore::Error) {
    if error.io_error().is_some_and(|io| io.kind() == io::ErrorKind::NotFound) {
        return;
    }
    let place = place_of(error).and_then(|path| path.strip_prefix(root).ok()).unwrap_or(Path::new(""));
    let cause = error.io_error().map_or_else(|| error.to_string(), io::Error::to_string);
    walked.unlisted.push(Unlisted { path: place.to_path_buf(), cause });
}

fn place_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => place_of(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(place_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
