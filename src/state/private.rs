//! Files and folders that only their owner can read: made so by the mode of their making, not by a chmod after it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::StateError;

/// Makes a folder and its missing parents, 0700.
pub(super) fn folder(path: &Path) -> Result<(), StateError> {
    let missing = !path.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| StateError::io(path, e))?;
    if missing {
        sync_folder(parent(path))?;
    }
    Ok(())
}

/// Opens a file that wasn't there, 0600; `None` where something is there already.
pub(super) fn new_file(path: &Path) -> Result<Option<File>, StateError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(e) => Err(StateError::io(path, e)),
    }
}

/// Opens a file for reading and writing, made 0600 where it isn't there.
pub(super) fn any_file(path: &Path) -> Result<File, StateError> {
    let options = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).to_owned();
    options().open(path).map_err(|e| StateError::io(path, e))
}

/// Takes away what others may do with a file that came from elsewhere (a cache, a backup).
pub(super) fn narrow(path: &Path) -> Result<(), StateError> {
    let mode = fs::metadata(path).map_err(|e| StateError::io(path, e))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o700)).map_err(|e| StateError::io(path, e))
}

/// Makes the names in a folder outlive a loss of power.
pub(super) fn sync_folder(path: &Path) -> Result<(), StateError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| StateError::io(path, e))
}

/// The folder that a file lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `path` with something after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
