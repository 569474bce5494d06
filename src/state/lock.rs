//! One daemon for one state and one root, by locks of the operating system: they end with the process, however it ends.
//!
//! Promises: a lock is held until [`Lock`] is dropped; children don't inherit it; asking who holds it disturbs nobody. The
//! number inside the file is for people only. The file stays: deleting it would let two processes lock two files of one name.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::StateError;
use super::private;

/// How often the lock is tried: somebody who only asks holds it for a moment.
const TRIES: u32 = 10;
/// Between two tries.
const BETWEEN: Duration = Duration::from_millis(20);

/// The lock on a state, and on a root where its file system knows such locks.
#[derive(Debug)]
pub struct Lock {
    _state: File,
    root: Option<File>,
}

/// Somebody holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, where the file says so.
    pub pid: Option<u32>,
}

impl Lock {
    /// Takes the lock on a state file (`<state>.lock`); [`StateError::Locked`] where another process has it.
    pub fn take(state: &Path) -> Result<Self, StateError> {
        private::folder(private::parent(state))?;
        let path = lock_file(state);
        let mut file = private::any_file(&path)?;
        if !try_often(&file).map_err(|e| StateError::io(&path, e.into()))? {
            return Err(StateError::Locked { path: state.to_owned(), pid: pid_in(&mut file) });
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(|e| StateError::io(&path, e))?;
        Ok(Self { _state: file, root: None })
    }

    /// Locks the root folder itself too, so that a daemon with another state file can't keep it as well; in place of a root
    /// locked before. Where the file system has no such locks, nothing happens. Cheap where it is held already.
    pub fn hold_root(&mut self, root: &Path) -> Result<(), StateError> {
        let fail = |e| StateError::Io { path: root.to_owned(), source: e };
        let folder = File::open(root).map_err(fail)?;
        let is = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
        if let Some(held) = &self.root
            && is(held).map_err(fail)? == is(&folder).map_err(fail)?
        {
            return Ok(());
        }
        self.root = None;
        match try_often(&folder) {
            Ok(true) => self.root = Some(folder),
            Ok(false) => return Err(StateError::Locked { path: root.to_owned(), pid: None }),
            Err(_) => {} // NFS and some others; the state's lock still holds.
        }
        Ok(())
    }

    /// Whether a process holds the lock on a state file. Makes no file.
    pub fn probe(state: &Path) -> Result<Option<Holder>, StateError> {
        let path = lock_file(state);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| StateError::io(&path, e))?,
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None), // Given back when the file is closed, right here.
            Err(Errno::WOULDBLOCK) => Ok(Some(Holder { pid: pid_in(&mut file) })),
            Err(e) => Err(StateError::io(&path, e.into())),
        }
    }
}

/// Waits for the lock on a file made for this purpose, until the answer is dropped.
pub(super) fn wait_for(path: &Path) -> Result<File, StateError> {
    let file = private::any_file(path)?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(e) => return Err(StateError::io(path, e.into())),
        }
    }
}

fn lock_file(state: &Path) -> PathBuf {
    private::beside(state, ".lock")
}

/// Whether the lock was free.
fn try_often(file: &File) -> Result<bool, Errno> {
    for n in 1..=TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK | Errno::INTR) if n < TRIES => thread::sleep(BETWEEN),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_daemon_is_told_who_holds_the_state() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("new/state.db");
        assert_eq!(Lock::probe(&state).unwrap(), None);
        let lock = Lock::take(&state).unwrap();
        let mode = fs::metadata(lock_file(&state)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let pid = Some(std::process::id());
        assert_eq!(Lock::probe(&state).unwrap(), Some(Holder { pid }));
        let refused = Lock::take(&state).unwrap_err();
        assert!(matches!(&refused, StateError::Locked { pid: told, .. } if *told == pid), "{refused}");
        drop(lock);
        assert_eq!(Lock::probe(&state).unwrap(), None);
        Lock::take(&state).unwrap();
    }

    #[test]
    fn two_states_can_not_keep_one_root() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("root"), dir.path().join("other"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&other).unwrap();
        let mut first = Lock::take(&dir.path().join("a")).unwrap();
        let mut second = Lock::take(&dir.path().join("b")).unwrap();
        first.hold_root(&root).unwrap();
        assert!(matches!(second.hold_root(&root), Err(StateError::Locked { .. })));
        first.hold_root(&root).unwrap();
        first.hold_root(&other).unwrap();
        second.hold_root(&root).unwrap();
    }

    #[test]
    fn asking_does_not_keep_a_daemon_from_starting() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state.db");
        drop(Lock::take(&state).unwrap());
        let asker = File::open(lock_file(&state)).unwrap();
        flock(&asker, FlockOperation::LockShared).unwrap();
        let daemon = thread::spawn(move || Lock::take(&state).map(drop));
        drop(asker);
        daemon.join().unwrap().unwrap();
    }
}
