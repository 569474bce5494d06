//! Files written for commands: beside, and then moved into place, so that at every moment the whole old text or the whole new
//! one is there. Whoever writes says what he has read: a file that says something else by then is left alone.
//!
//! Promises: nothing is written outside the root, whatever is swapped on the way; nothing is written over a link, or over a
//! file that was saved meanwhile; mode and, where the system lets us, owner stay; what failed leaves the old file whole; what
//! is done outlives a loss of power. Blocking. For `commands/` (`pull`, `link`, `resolve`) and created ids.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{
    Access, AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, fchown, fsync, linkat, openat, renameat, unlinkat,
};
use rustix::io::Errno;

use crate::document::MAX_BYTES;
use crate::local::patterns::{OWN_PREFIX, OWN_SUFFIX};
use crate::local::root::{NotOpened, Root, RootMissing};
use crate::page::{Digest, DocPath};

/// Why nothing was written: cause and cure.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The root is missing.
    #[error("{0}")]
    Root(#[from] RootMissing),
    /// It is not there any more, or says something else than was read.
    #[error("the file has changed meanwhile, so nothing was written; try again")]
    Changed,
    /// A new file would be written over this one.
    #[error("a file of that name is there already; it is left alone")]
    Exists,
    /// It is a link to a file.
    #[error("it is a link, which is not written through; name the file itself, or put it in the link's place")]
    Link,
    /// It has a second name.
    #[error("the file has a second name (a hard link), which would keep the old text; remove one of the two")]
    Twin,
    /// It is no file.
    #[error("it is no regular file; remove or rename it")]
    NotRegular,
    /// A link on the way leads out of the root.
    #[error("a link on the way leads out of the root, to {}; nothing is written there", .0.display())]
    Outside(PathBuf),
    /// The system said no.
    #[error("it can't be written: {0}; give this user the right to write there, or make room")]
    Io(#[from] io::Error),
}

impl From<Errno> for NotWritten {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<NotOpened> for NotWritten {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Outside(path) => Self::Outside(path),
            NotOpened::Io(error) => Self::Io(error),
        }
    }
}

/// Writes `bytes` in the place of the file at `path`, provided that it still holds the bytes of `source`. `root` may be a
/// link.
///
/// # Errors
/// Where that can't be; the file is then as it was.
pub fn replace(root: &Path, path: &DocPath, source: Digest, bytes: &[u8]) -> Result<(), NotWritten> {
    replace_with(root, path, source, |file| file.write_all(bytes))
}

/// Writes a new file at `path`, with the folders that it needs; never over another one, whatever the file system thinks of
/// case. `root` may be a link.
///
/// # Errors
/// Where that can't be.
pub fn create(root: &Path, path: &DocPath, bytes: &[u8]) -> Result<(), NotWritten> {
    create_with(root, path, |file| file.write_all(bytes))
}

/// Whether [`replace`] could be done, as far as one can see without doing it.
///
/// # Errors
/// Why not.
pub fn may_replace(root: &Path, path: &DocPath) -> Result<(), NotWritten> {
    let root = Root::open(root)?;
    let (parent, name) = parts(path)?;
    let folder = root.open_folder(parent).map_err(|error| absent_is_changed(error.into()))?;
    old_file(folder.as_fd(), name)?;
    Ok(rustix::fs::accessat(&folder, ".", Access::WRITE_OK, AtFlags::EACCESS)?)
}

/// The file that is to be replaced: a regular one, with one name, and no link.
fn old_file(folder: BorrowedFd<'_>, name: &OsStr) -> Result<(File, Metadata), NotWritten> {
    let old = open_old(folder, name)?;
    let meta = old.metadata()?;
    if !meta.is_file() {
        return Err(NotWritten::NotRegular);
    }
    if meta.nlink() > 1 {
        return Err(NotWritten::Twin);
    }
    Ok((old, meta))
}

fn replace_with(
    root: &Path,
    path: &DocPath,
    source: Digest,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), NotWritten> {
    let root = Root::open(root)?;
    let (parent, name) = parts(path)?;
    let folder = root.open_folder(parent).map_err(|error| absent_is_changed(error.into()))?;
    let (mut old, meta) = old_file(folder.as_fd(), name)?;
    if digest(&mut old)? != source {
        return Err(NotWritten::Changed);
    }
    let new = Beside::make(folder.as_fd(), Mode::from_raw_mode(0o600), fill, |file| {
        // Where the owner can't be kept, the file is ours, and still everybody's to read who could read it before.
        let _ = fchown(file, Some(Uid::from_raw(meta.uid())), Some(Gid::from_raw(meta.gid())));
        file.set_permissions(Permissions::from_mode(meta.mode() & 0o7777))
    })?;
    let at = (meta.dev(), meta.ino());
    let unchanged = |name: &OsStr, old: &mut File| -> Result<bool, NotWritten> {
        let there = open_old(folder.as_fd(), name)?.metadata()?;
        Ok((there.dev(), there.ino()) == at && digest(old)? == source)
    };
    if !unchanged(name, &mut old)? {
        return Err(NotWritten::Changed);
    }
    match exchange(folder.as_fd(), &new.name, name) {
        // What was in its place lies under our name now. A save of the last moment goes back to where it was.
        Ok(()) => {
            if !unchanged(&new.name, &mut old)? {
                new.take_back(name)?;
                return Err(NotWritten::Changed);
            }
        }
        Err(Errno::NOENT) => return Err(NotWritten::Changed),
        // A file system that can't swap two files.
        Err(_) => renameat(&folder, &new.name, &folder, name)?,
    }
    drop(new);
    Ok(fsync(&folder)?)
}

fn create_with(root: &Path, path: &DocPath, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), NotWritten> {
    let root = Root::open(root)?;
    let (parent, name) = parts(path)?;
    let folder = root.make_folder(parent)?;
    let new = Beside::make(folder.as_fd(), Mode::from_raw_mode(0o666), fill, |_| Ok(()))?;
    match place(folder.as_fd(), &new.name, name) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(NotWritten::Exists),
        Err(error) => return Err(error.into()),
    }
    drop(new);
    Ok(fsync(&folder)?)
}

/// The folder and the name of a document.
fn parts(path: &DocPath) -> Result<(&Path, &OsStr), NotWritten> {
    let path = path.as_path();
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(NotWritten::NotRegular),
    }
}

/// Opens the file itself, and never waits for a pipe's other end.
fn open_old(folder: BorrowedFd<'_>, name: &OsStr) -> Result<File, NotWritten> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        Err(Errno::LOOP | Errno::MLINK) => Err(NotWritten::Link),
        Err(error) => Err(absent_is_changed(error.into())),
    }
}

fn absent_is_changed(error: NotWritten) -> NotWritten {
    match error {
        NotWritten::Io(error) if error.kind() == io::ErrorKind::NotFound => NotWritten::Changed,
        error => error,
    }
}

/// The digest of all that a file holds. What is larger than any document is no document that was read.
fn digest(file: &mut File) -> Result<Digest, NotWritten> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(NotWritten::Changed) } else { Ok(Digest::of(&bytes)) }
}

fn inode(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|meta| (meta.dev(), meta.ino()))
}

/// Swaps two files.
fn exchange(folder: BorrowedFd<'_>, one: &OsStr, other: &OsStr) -> Result<(), Errno> {
    rustix::fs::renameat_with(folder, one, folder, other, RenameFlags::EXCHANGE)
}

/// Gives a file its name, if nothing has it.
fn place(folder: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => linkat(folder, from, folder, to, AtFlags::empty()),
        done => done,
    }
}

/// A file under a name that nobody else uses and the walk leaves out; gone when this is dropped, unless it was moved.
struct Beside<'a> {
    folder: BorrowedFd<'a>,
    name: OsString,
    inode: (u64, u64),
    left: Left,
}

impl<'a> Beside<'a> {
    /// Makes it, whole and on the disk.
    fn make(
        folder: BorrowedFd<'a>,
        mode: Mode,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
        dress: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<Self, NotWritten> {
        let (name, mut file) = new_file(folder, mode)?;
        let beside = Self { folder, name, inode: inode(&file)?, left: Left::No };
        fill(&mut file)?;
        dress(&file)?;
        file.sync_all()?;
        Ok(beside)
    }

    /// Takes it back from where it was swapped to.
    fn take_back(mut self, name: &OsStr) -> Result<(), NotWritten> {
        exchange(self.folder, &self.name, name)?;
        if inode(&open_old(self.folder, &self.name)?)? != self.inode {
            // Somebody has saved over it meanwhile: that stays, and what was saved before it is not thrown away either.
            exchange(self.folder, &self.name, name)?;
            self.left = Left::Behind;
        }
        Ok(())
    }
}

/// What becomes of a file under a name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    No,
    Behind,
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if self.left == Left::No {
            // Not there where it was moved. One that can't be removed is hidden, and no document.
            let _ = unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}

fn new_file(folder: BorrowedFd<'_>, mode: Mode) -> Result<(OsString, File), Errno> {
    const TRIES: u32 = 100;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..TRIES {
        let name = OsString::from(format!("{OWN_PREFIX}{:016x}{OWN_SUFFIX}", fastrand::u64(..)));
        match openat(folder, &name, flags, mode) {
            Ok(file) => return Ok((name, File::from(file))),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
}

#[cfg(test)]
mod tests;
