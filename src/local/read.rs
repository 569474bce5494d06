//! From a file to what it says. A file is read whole and only while it holds still (promise 9), never from outside the root
//! (promise 7), and a pipe or an endless file holds up nobody (promise 6).
//!
//! The scan reads through [`read`]; the sender reads the body once more through [`body_of`], right before it is sent.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::document::{self, Reading};
use crate::local::root::{NotOpened, Root};
use crate::local::scan::{FileKind, Stat};
use crate::page::{Digest, DocPath};
use crate::policy::Rules;
use crate::reason::{Code, Reason};

/// What became of reading a file.
#[derive(Debug)]
pub enum Read {
    /// It held still: what it says, and the stat that it had before and after.
    Whole(Stat, Reading),
    /// It changed while it was read: read it again later.
    Moving,
    /// It is no longer there.
    Gone,
    /// It is something that no document can be: another kind of file, a link that leads out of the root or nowhere.
    Unfit(Reason),
    /// The system would not give it.
    Unreadable(Reason),
}

/// Reads one file.
pub fn read(root: &Root, path: &DocPath, rules: &Rules) -> Read {
    match bytes_of(root, path.as_path()) {
        Ok(Bytes::Whole(stat, bytes)) => Read::Whole(stat, document::parse(&bytes, rules).reading),
        Ok(Bytes::TooLarge(stat)) => {
            let reason = document::too_large(stat.size);
            Read::Whole(stat, Reading::Blocked { page_id: None, title: None, reason })
        }
        Ok(Bytes::Moving) => Read::Moving,
        Ok(Bytes::NotRegular) => {
            Read::Unfit(Reason::new(Code::Unreadable, "this is no regular file; remove or rename it"))
        }
        Err(NotOpened::Outside(target)) => Read::Unfit(outside(&target)),
        Err(NotOpened::Io(error)) if error.kind() == io::ErrorKind::NotFound => Read::Gone,
        Err(NotOpened::Io(error)) => Read::Unreadable(unreadable(&error)),
    }
}

/// The reason for a file that can't be a document whatever it holds; `None` for a regular file.
pub fn unfit(kind: FileKind) -> Option<Reason> {
    let message = match kind {
        FileKind::Regular => return None,
        FileKind::Pipe => "this is a named pipe, not a file with text; remove or rename it",
        FileKind::Socket => "this is a socket, not a file with text; remove or rename it",
        FileKind::Device => "this is a device, not a file with text; remove or rename it",
        FileKind::Dangling => "this link leads nowhere; mend or remove it",
    };
    Some(Reason::new(Code::Unreadable, message))
}

fn outside(target: &Path) -> Reason {
    let message = format!(
        "this link leads out of the root, to {}; only what lies in the root is published: put the file there",
        target.display()
    );
    Reason::new(Code::OutsideRoot, message)
}

fn unreadable(error: &io::Error) -> Reason {
    let cure = match error.kind() {
        io::ErrorKind::PermissionDenied => "give this user the right to read it",
        _ => "hubsync tries again with the next scan",
    };
    Reason::new(Code::Unreadable, format!("the file can't be read ({error}); {cure}"))
}

/// Why the body that was planned can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The file says something else by now, or is being written: plan again.
    #[error("the file has changed since it was planned")]
    Changed,
    /// The file is gone, or can't be read.
    #[error("the file can't be read: {0}")]
    Unreadable(String),
}

/// The body of the document at `path`, provided that the file's bytes are still those of `source`. `root` may be a link.
pub fn body_of(root: &Path, path: &DocPath, rules: &Rules, source: Digest) -> Result<String, Stale> {
    let unreadable = |error: &dyn std::fmt::Display| Stale::Unreadable(error.to_string());
    let root = Root::open(root).map_err(|error| unreadable(&error))?;
    match bytes_of(&root, path.as_path()).map_err(|error| unreadable(&error))? {
        Bytes::Whole(_, bytes) if Digest::of(&bytes) == source => document::body(&bytes, rules).ok_or(Stale::Changed),
        _ => Err(Stale::Changed),
    }
}

enum Bytes {
    Whole(Stat, Vec<u8>),
    TooLarge(Stat),
    Moving,
    NotRegular,
}

/// The bytes of a regular file that was the same before and after reading.
fn bytes_of(root: &Root, path: &Path) -> Result<Bytes, NotOpened> {
    let mut file = root.open_file(path)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Ok(Bytes::NotRegular);
    }
    let stat = Stat::of(&before);
    if stat.size > document::MAX_BYTES {
        return Ok(Bytes::TooLarge(stat));
    }
    let bytes = up_to(&mut file, document::MAX_BYTES)?;
    let held_still = Stat::of(&file.metadata()?) == stat && bytes.len() as u64 == stat.size;
    Ok(if held_still { Bytes::Whole(stat, bytes) } else { Bytes::Moving })
}

/// Reads to the end, but not far beyond `limit`: a file that grows faster than it is read must not fill the memory.
fn up_to(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
