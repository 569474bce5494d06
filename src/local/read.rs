//! From a file to what it says. A file is read whole and only while it holds still (promise 9), never from outside the root
//! (promise 7), and a pipe or an endless file holds up nobody (promise 6).
//!
//! The scan reads through [`read`]; the sender reads the body once more through [`body_of`], right before it is sent.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use crate::document::links::{Around, Targets};
use crate::document::{self, Reading};
use crate::local::links::SharedMap;
use crate::local::root::{NotOpened, Root};
use crate::local::scan::{FileKind, Stat};
use crate::page::{BodyPrint, Digest, DocPath};
use crate::policy::Rules;
use crate::reason::{Code, Reason};

/// What became of reading a file.
#[derive(Debug)]
pub enum Read {
    /// It held still: what it says, what its links point to, and the stat that it had before and after.
    Whole(Stat, Arc<Reading>, Arc<Targets>),
    /// It changed while it was read: read it again later.
    Moving,
    /// It is no longer there.
    Gone,
    /// It is something that no document can be: another kind of file, a link that leads out of the root or nowhere.
    Unfit(Reason),
    /// The system would not give it.
    Unreadable(Reason),
}

/// Reads one file. The map is looked into when the bytes are there.
pub fn read(root: &Root, path: &DocPath, rules: &Rules, links: &SharedMap) -> Read {
    match bytes_of(root, path.as_path()) {
        Ok(Bytes::Whole(stat, bytes)) => {
            let parsed = document::parse_among(&bytes, rules, Around { path, map: &links.read() });
            Read::Whole(stat, Arc::new(parsed.reading), Arc::new(parsed.targets))
        }
        Ok(Bytes::TooLarge(stat)) => {
            let reason = document::too_large(stat.size);
            Read::Whole(stat, Arc::new(Reading::Blocked { page_id: None, title: None, reason }), Arc::default())
        }
        Ok(Bytes::Moving) => Read::Moving,
        Ok(Bytes::NotRegular) => {
            Read::Unfit(Reason::new(Code::Unreadable, "this is no regular file; remove or rename it"))
        }
        Err(error) => not_opened(&error),
    }
}

fn not_opened(error: &NotOpened) -> Read {
    match error {
        NotOpened::Outside(target) => Read::Unfit(outside(target)),
        NotOpened::Io(error) if error.kind() == io::ErrorKind::NotFound => Read::Gone,
        // Somebody holds a lease on it (a file server, for one of its clients), which our opening has just called back.
        NotOpened::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Moving,
        NotOpened::Io(error) => Read::Unreadable(unreadable(error)),
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

/// Why the bytes that were planned can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The file says something else by now, or what it points to has moved, or it is being written: plan again.
    #[error("the document has changed since it was planned")]
    Changed,
    /// The file is gone, or can't be read.
    #[error("the file can't be read: {0}")]
    Unreadable(String),
}

/// What was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Digest of the file's bytes.
    pub source: Digest,
    /// The marks of its body.
    pub body: BodyPrint,
}

/// The body of the document at `path`, provided that file and body are still what was planned. `root` may be a link.
pub fn body_of(
    root: &Path,
    path: &DocPath,
    rules: &Rules,
    links: &SharedMap,
    planned: Planned,
) -> Result<String, Stale> {
    let bytes = contents(root, path)?;
    if Digest::of(&bytes) != planned.source {
        return Err(Stale::Changed);
    }
    let body = document::body_among(&bytes, rules, Around { path, map: &links.read() }).ok_or(Stale::Changed)?;
    if BodyPrint::of(&body) == planned.body { Ok(body) } else { Err(Stale::Changed) }
}

/// The bytes of the file at `path`, whole. `root` may be a link. For commands that look at one document (`check`, `diff`).
pub fn contents(root: &Path, path: &DocPath) -> Result<Vec<u8>, Stale> {
    let unreadable = |error: &dyn std::fmt::Display| Stale::Unreadable(error.to_string());
    let root = Root::open(root).map_err(|error| unreadable(&error))?;
    match bytes_of(&root, path.as_path()).map_err(|error| unreadable(&error))? {
        Bytes::Whole(_, bytes) => Ok(bytes),
        Bytes::TooLarge(stat) => Err(Stale::Unreadable(document::too_large(stat.size).message)),
        Bytes::NotRegular => Err(Stale::Unreadable("it is no regular file".to_owned())),
        Bytes::Moving => Err(Stale::Changed),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::policy::Policy;

    const TEXT: &str = "---\npage_id: A\n---\nbody\n";

    fn path(text: &str) -> DocPath {
        DocPath::new(text).unwrap()
    }

    #[test]
    fn a_body_is_had_only_while_the_file_says_what_was_planned() {
        let (dir, rules) = (tempfile::tempdir().unwrap(), Policy::default().rules);
        fs::write(dir.path().join("a.md"), TEXT).unwrap();
        let links = SharedMap::default();
        let body = |source: &str| {
            let planned = Planned { source: Digest::of(source), body: BodyPrint::of("body\n") };
            body_of(dir.path(), &path("a.md"), &rules, &links, planned)
        };
        assert_eq!(body(TEXT).unwrap(), "body\n");
        let other = Planned { source: Digest::of(TEXT), body: BodyPrint::of("its links led elsewhere\n") };
        assert_eq!(body_of(dir.path(), &path("a.md"), &rules, &links, other), Err(Stale::Changed));
        assert_eq!(body("other"), Err(Stale::Changed));
        fs::remove_file(dir.path().join("a.md")).unwrap();
        assert!(matches!(body(TEXT), Err(Stale::Unreadable(_))));
        symlink("/etc/hostname", dir.path().join("a.md")).unwrap();
        assert!(matches!(body(TEXT), Err(Stale::Unreadable(message)) if message.contains("out of the root")));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("huge.md")).unwrap();
        file.set_len(1 << 40).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let read = read(&root, &path("huge.md"), &Policy::default().rules, &SharedMap::default());
        let Read::Whole(_, reading, _) = read else { panic!("{read:?}") };
        assert!(matches!(&*reading, Reading::Blocked { reason, .. } if reason.code == Code::TooLarge));
    }

    #[test]
    fn a_pipe_is_no_document_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe.md");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let read = read(&root, &path("pipe.md"), &Policy::default().rules, &SharedMap::default());
        assert!(matches!(read, Read::Unfit(_)));
    }

    #[test]
    fn a_file_that_is_lent_to_a_client_of_a_file_server_is_read_a_moment_later() {
        let not_opened = |kind: io::ErrorKind| super::not_opened(&NotOpened::Io(kind.into()));
        assert!(matches!(not_opened(io::ErrorKind::WouldBlock), Read::Moving));
        assert!(matches!(not_opened(io::ErrorKind::NotFound), Read::Gone));
        assert!(matches!(not_opened(io::ErrorKind::PermissionDenied), Read::Unreadable(_)));
    }

    #[test]
    fn a_file_that_is_replaced_all_the_time_is_read_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("a.md");
        let (old, new) = ("x".repeat(200_000), "y".repeat(300_000));
        fs::write(&at, &old).unwrap();
        let (whole, stop) = ([Digest::of(&old), Digest::of(&new)], std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    for text in [&new, &old] {
                        fs::write(dir.path().join("tmp"), text).unwrap();
                        fs::rename(dir.path().join("tmp"), &at).unwrap();
                    }
                }
            });
            for _ in 0..300 {
                if let Ok(bytes) = contents(dir.path(), &path("a.md")) {
                    assert!(whole.contains(&Digest::of(&bytes)));
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
