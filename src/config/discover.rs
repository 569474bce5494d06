//! Where the configuration file lies, and in which folders hubsync keeps what is its own.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::environment::{self, Environment};
use super::origin::{ConfigError, Origin};

/// The name of the configuration file.
pub const FILE_NAME: &str = "hubsync.yaml";

/// Longer than any configuration: what is longer is another file.
const LONGEST: u64 = 1024 * 1024;

/// A configuration file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The absolute path.
    pub path: PathBuf,
    /// The path as it is shown to people: as they wrote it, or short where it lies in the current folder.
    pub shown: PathBuf,
    /// The text.
    pub text: String,
}

/// Finds and reads the file: the one of `--config`, else of `HUBSYNC_CONFIG`, else `hubsync.yaml` in `folder` or a parent
/// of it, else in the user's config folder. `None` where nobody names one and none is found.
pub(super) fn file(flag: Option<&Path>, env: &Environment, folder: &Path) -> Result<Option<Found>, ConfigError> {
    let named = match (flag, environment::get(env, environment::CONFIG)) {
        (Some(path), _) => Some((path.to_owned(), "--config")),
        (None, Some(path)) => Some((PathBuf::from(path), environment::CONFIG)),
        (None, None) => None,
    };
    if let Some((shown, by)) = named {
        let path = absolute(folder, &shown);
        return match read(&path) {
            Ok(text) => Ok(Some(Found { path, shown, text })),
            Err(why) => Err(unreadable(shown, format!("the file that {by} names {why}"))),
        };
    }
    for parent in folder.ancestors() {
        let path = parent.join(FILE_NAME);
        if path.is_file() {
            let shown = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            return found(path, shown).map(Some);
        }
        let other = path.with_extension("yml");
        if other.is_file() {
            let error = unreadable(other, "this file is not read under this name".to_owned());
            return Err(error.cure(format!("rename it to {FILE_NAME}")));
        }
    }
    match user_folder(env, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join(FILE_NAME)) {
        Some(path) if path.is_file() => found(path.clone(), path).map(Some),
        _ => Ok(None),
    }
}

fn found(path: PathBuf, shown: PathBuf) -> Result<Found, ConfigError> {
    match read(&path) {
        Ok(text) => Ok(Found { path, shown, text }),
        Err(why) => Err(unreadable(shown, why)),
    }
}

fn unreadable(shown: PathBuf, why: String) -> ConfigError {
    ConfigError::new(Origin::File { path: shown, position: None }, why)
}

/// The text of a file, or the end of a sentence that says why there is none.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("does not exist".to_owned()),
        Err(error) => Err(format!("can't be read: {error}")),
        Ok(_) if bytes.len() as u64 > LONGEST => Err("is longer than 1 MiB: is it the right one?".to_owned()),
        Ok(_) => String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned()),
    }
}

/// The folder for state files: the first of `$STATE_DIRECTORY` (set by systemd), else `hubsync` in the platform's state
/// folder. systemd's user manager means the same folder by both.
pub(super) fn state_folder(env: &Environment) -> Option<PathBuf> {
    let systemd = environment::get(env, "STATE_DIRECTORY").and_then(|list| list.split(':').next()).map(PathBuf::from);
    systemd.filter(|path| path.is_absolute()).or_else(|| user_folder(env, "XDG_STATE_HOME", ".local/state"))
}

/// hubsync's folder in one of the user's base folders.
fn user_folder(env: &Environment, variable: &str, beneath_home: &str) -> Option<PathBuf> {
    base_folder(env, variable, beneath_home).map(|folder| folder.join("hubsync"))
}

/// One of the user's base folders; one that is relative is ignored, as the XDG specification asks.
fn base_folder(env: &Environment, variable: &str, beneath_home: &str) -> Option<PathBuf> {
    let set = environment::get(env, variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| home(env).map(|home| home.join(beneath_home)))
}

/// The folder of all programs' configuration, of this user.
pub fn config_home(env: &Environment) -> Option<PathBuf> {
    base_folder(env, "XDG_CONFIG_HOME", ".config")
}

/// The user's home folder.
pub(super) fn home(env: &Environment) -> Option<PathBuf> {
    environment::get(env, "HOME")
        .map(PathBuf::from)
        .or_else(|| etcetera::home_dir().ok())
        .filter(|path| path.is_absolute())
}

/// `path` seen from `folder`, without `.`; symbolic links and `..` stay, as the folder behind a link may be swapped.
pub(super) fn absolute(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// The current folder by the name that the user reached it by: `$PWD` where that is true, so that a folder behind a
/// symbolic link has the same name here and in `--config`.
pub fn current_folder(env: &Environment) -> std::io::Result<PathBuf> {
    let real = std::env::current_dir()?;
    let named = environment::get(env, "PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    let same = |path: &PathBuf| std::fs::canonicalize(path).is_ok_and(|path| path == real);
    Ok(named.filter(same).unwrap_or(real))
}
