//! The state, the ledger and the backups: can they be opened, trusted and written to, does nobody else read them, do they lie
//! on a disk that keeps them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::finding::{Finding, Weight};
use crate::config::Config;
use crate::local::watch::silent_file_system;
use crate::state::disk;
use crate::state::error::StateError;
use crate::state::lock::Lock;
use crate::state::store::Store;
use crate::state::usage::Ledger;

/// Looks at all of them.
pub fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![state(config), ledger(config)];
    findings.extend(daemon(config));
    let folders = [&config.state, config.ledger_path()].map(|file| file.parent().unwrap_or(Path::new("/")));
    findings.extend(writable(folders[0]));
    if folders[1] != folders[0] {
        findings.extend(writable(folders[1]));
    }
    findings.push(private(config));
    if let Some(finding) = disk_of(folders[0], silent_file_system(existing(folders[0]))) {
        findings.push(finding);
    }
    findings
}

fn state(config: &Config) -> Finding {
    let shown = config.state.display();
    match Store::examine(&config.state) {
        Ok(None) => Finding::fine("state", format!("{shown} will be made at the first run")),
        Ok(Some(pages)) => Finding::fine("state", format!("{shown} is sound and remembers {pages} pages")),
        Err(error) => broken("state", &error),
    }
}

/// Only reading it tells without changing it.
fn ledger(config: &Config) -> Finding {
    let shown = config.ledger_path().display();
    match Ledger::examine(config.ledger_path()) {
        Ok(()) if !config.ledger_path().exists() => {
            Finding::fine("ledger", format!("{shown} will be made at the first run"))
        }
        Ok(()) => Finding::fine("ledger", format!("{shown} is sound")),
        Err(StateError::Damaged { what, .. }) => Finding::wrong(
            "ledger",
            Weight::Person,
            format!("{shown} is damaged ({what})"),
            "the next run moves it aside; then nothing is sent for a minute, and little for a day. Is the disk failing?",
        ),
        Err(error) => broken("ledger", &error),
    }
}

/// What is wrong with a file of ours, by what it takes to mend it.
fn broken(check: &'static str, error: &StateError) -> Finding {
    let words = error.to_string();
    let (weight, cure) = match error {
        StateError::Damaged { .. } => (
            Weight::Person,
            "the next run moves it aside and meets every page again; no text is lost. Is the disk failing?",
        ),
        StateError::Newer { .. } => (Weight::Unusable, "use the newer hubsync, or name another file with `state:`"),
        StateError::Foreign { .. } => (Weight::Unusable, "name another file with `state:`"),
        StateError::DiskFull { .. } => (Weight::Later, "make room; all goes on by itself then"),
        StateError::Busy { .. } => (Weight::Later, "try again in a moment"),
        StateError::Refused { .. } => (Weight::Later, "look at the disk, at quotas and at limits on the size of files"),
        StateError::NoLog { .. } => (Weight::Unusable, "name a file on a local disk with `state:`"),
        StateError::ReadOnly { .. } | StateError::Io { .. } | StateError::Sqlite { .. } | StateError::Locked { .. } => {
            (Weight::Unusable, "make the file and its folder readable and writable for this user, or name another one")
        }
    };
    Finding::wrong(check, weight, words, cure)
}

fn daemon(config: &Config) -> Option<Finding> {
    match Lock::probe(&config.state) {
        Ok(Some(holder)) => {
            let pid = holder.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
            Some(Finding::fine("daemon", format!("a hubsync keeps this state{pid}")))
        }
        Ok(None) => Some(Finding::fine("daemon", "none runs on this state")),
        Err(error) => Some(broken("daemon", &error)),
    }
}

/// The folder itself, or what of it exists.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("/"))
}

/// Whether files can be made there: asked, not tried.
fn writable(folder: &Path) -> Option<Finding> {
    let there = existing(folder);
    let shown = folder.display();
    if !there.is_dir() {
        let message = format!("{shown} can't be made: {} is not a folder", there.display());
        return Some(Finding::wrong("permissions", Weight::Unusable, message, "name another file with `state:`"));
    }
    if let Err(error) = disk::writable(&there.join("x")) {
        return Some(match error {
            StateError::ReadOnly { .. } => Finding::wrong(
                "permissions",
                Weight::Unusable,
                format!("{shown} can't be written to: its disk is mounted read-only"),
                "mount it writable, or name a file elsewhere with `state:`",
            ),
            other => broken("permissions", &other),
        });
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| {
        Finding::wrong(
            "permissions",
            Weight::Unusable,
            format!("{shown} can't be written to: {error}"),
            format!("make {} writable for this user, or name a file elsewhere with `state:`", there.display()),
        )
    })
}

/// What is ours must be ours alone.
fn private(config: &Config) -> Finding {
    let beside = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut all: Vec<PathBuf> = [&config.state, config.ledger_path()]
        .into_iter()
        .flat_map(|file| ["", "-wal", "-shm", ".lock"].map(|suffix| beside(file, suffix)))
        .collect();
    all.push(config.backups_path());
    // The folder of the state may be anybody's; that of the ledger is made by us.
    all.extend(config.ledger_path().parent().map(Path::to_owned));
    let open = |path: &PathBuf| {
        let meta = path.metadata().ok().filter(|meta| meta.mode() & 0o077 != 0)?;
        Some((path.display().to_string(), meta.mode() & 0o777, if meta.is_dir() { "700" } else { "600" }))
    };
    let open: Vec<(String, u32, &str)> = all.iter().filter_map(open).collect();
    if open.is_empty() {
        return Finding::fine("permissions", "state, ledger and backups are private");
    }
    let shown: Vec<String> = open.iter().map(|(path, mode, _)| format!("{path} (mode {mode:o})")).collect();
    let cures: Vec<String> = open.iter().map(|(path, _, right)| format!("chmod {right} {path}")).collect();
    let message = format!("others on this machine may look into {}", shown.join(", "));
    Finding::wrong("permissions", Weight::Person, message, cures.join("; "))
}

/// SQLite's log needs locks and shared memory that network folders only pretend to have.
fn disk_of(folder: &Path, kind: Option<&str>) -> Option<Finding> {
    kind.map(|kind| {
        let message =
            format!("{} lies on {kind}, where a crash or a second machine can damage the state", folder.display());
        Finding::wrong("state", Weight::Person, message, "name a file on a local disk with `state:`")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_folder_is_no_place_for_the_state() {
        let finding = disk_of(Path::new("/mnt/share"), Some("NFS")).unwrap();
        assert_eq!(finding.weight, Weight::Person);
        assert!(finding.message.contains("/mnt/share lies on NFS") && finding.cure.unwrap().contains("local disk"));
        assert_eq!(disk_of(Path::new("/var/lib"), None), None);
    }
}
