//! Whether a disk takes writes: asked of the disk itself, because whoever can't write has no way to tell others in a file.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::error::StateError;
use super::private;

/// An error where nothing can be written beside `path`: its disk is full, or mounted read-only. A disk that can't be asked
/// counts as fine; whoever writes to it is told.
pub fn writable(path: &Path) -> Result<(), StateError> {
    let Ok(disk) = statvfs(private::parent(path)) else { return Ok(()) };
    // What is kept back for root is room for root.
    let free = if rustix::process::geteuid().is_root() { disk.f_bfree } else { disk.f_bavail };
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        Err(StateError::ReadOnly { path: path.to_owned() })
    } else if free == 0 {
        Err(StateError::DiskFull { path: path.to_owned() })
    } else {
        Ok(())
    }
}
