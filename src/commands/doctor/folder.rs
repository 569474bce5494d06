//! The root: is it there, can all of it be read, can it be watched, what does git say of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::finding::{Finding, Weight};
use crate::config::Config;
use crate::local::patterns::Patterns;
use crate::local::root::Root;
use crate::local::scan::{Scope, walk};
use crate::local::watch::{self, silent_file_system};

/// How long the folder may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks at the root.
pub async fn look(config: &Config) -> Vec<Finding> {
    let config = config.clone();
    let looked = tokio::task::spawn_blocking(move || inside(&config));
    match tokio::time::timeout(PATIENCE, looked).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => {
            vec![Finding::wrong("root", Weight::Person, error.to_string(), "this is a fault of hubsync: report it")]
        }
        Err(_) => {
            let message = format!("the root did not answer within {} s", PATIENCE.as_secs());
            vec![Finding::wrong("root", Weight::Person, message, "look at the network or disk that it lies on")]
        }
    }
}

fn inside(config: &Config) -> Vec<Finding> {
    let root = match Root::open(&config.root) {
        Ok(root) => root,
        Err(missing) => {
            let cure = "make or mount it and let this user read it, or correct `root`; `hubsync run` waits for it";
            return vec![Finding::wrong("root", Weight::Unusable, missing.to_string(), cure)];
        }
    };
    let patterns = match Patterns::new(&config.include, &config.exclude) {
        Ok(patterns) => patterns,
        Err(error) => return vec![Finding::wrong("root", Weight::Unusable, error.to_string(), "correct the pattern")],
    };
    let walked = walk(root.real(), &patterns, &Scope::All);
    let (files, folders) = (walked.files.len(), watch::folders(root.real()));
    let mut findings = vec![match files {
        0 => Finding::wrong(
            "root",
            Weight::Warning,
            format!("there is no document in {}", config.root.display()),
            "is it the right folder? `include`, `exclude` and .gitignore say what counts",
        ),
        _ => Finding::fine("root", format!("{}: {files} files, {folders} folders", config.root.display())),
    }];
    for unlisted in walked.unlisted.iter().take(10) {
        let message = format!("{} can't be read: {}", config.root.join(&unlisted.path).display(), unlisted.cause);
        findings.push(Finding::wrong("root", Weight::Person, message, "let this user read it, or exclude it"));
    }
    findings.push(match silent_file_system(root.real()) {
        Some(kind) => Finding::wrong(
            "watch",
            Weight::Warning,
            format!("the root lies on {kind}, which does not tell what others change"),
            "nothing: files are looked at every few seconds there",
        ),
        None => watches(folders as u64, Limits::of_system(), Used::by_user()),
    });
    findings.extend(checkout(root.real()));
    findings
}

/// What the system allows a user to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    watches: u64,
    instances: u64,
}

/// What this user's other programs watch already, as far as we may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    watches: u64,
    instances: u64,
}

impl Limits {
    /// `None`: this system has no such limits.
    fn of_system() -> Option<Self> {
        let read = |name: &str| {
            let path = Path::new("/proc/sys/fs/inotify").join(name);
            std::fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        Some(Self { watches: read("max_user_watches")?, instances: read("max_user_instances")? })
    }
}

impl Used {
    fn by_user() -> Self {
        let mut used = Self::default();
        let entries = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten();
        let processes =
            entries("/proc".into()).filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
        for process in processes.map(|entry| entry.path()).filter(|path| is_mine(path)) {
            for open in entries(process.join("fd")) {
                if std::fs::read_link(open.path()).is_ok_and(|target| target.as_os_str() == "anon_inode:inotify") {
                    let about =
                        std::fs::read_to_string(process.join("fdinfo").join(open.file_name())).unwrap_or_default();
                    used.instances += 1;
                    used.watches += about.lines().filter(|line| line.starts_with("inotify ")).count() as u64;
                }
            }
        }
        used
    }
}

fn is_mine(process: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(process).is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw())
}

/// Whether a root of so many folders can be watched.
fn watches(folders: u64, limits: Option<Limits>, used: Used) -> Finding {
    let Some(limits) = limits else { return Finding::skipped("watch", "this system has no limits on watches") };
    if used.instances >= limits.instances {
        let message = format!("no more watchers can be made: {} of {} are in use", used.instances, limits.instances);
        let cure = format!("sysctl fs.inotify.max_user_instances={}", (limits.instances * 4).max(1024));
        return Finding::wrong("watch", Weight::Person, message, kept(&cure));
    }
    if folders + used.watches > limits.watches {
        let message = format!(
            "the root has {folders} folders, other programs watch {}, and the limit is {}: some would be polled",
            used.watches, limits.watches
        );
        let cure = format!("sysctl fs.inotify.max_user_watches={}", ((folders + used.watches) * 4).max(1_048_576));
        return Finding::wrong("watch", Weight::Person, message, kept(&cure));
    }
    let free = limits.watches - used.watches;
    Finding::fine("watch", format!("{folders} folders to watch, {free} watches free"))
}

/// A cure that outlives a restart of the machine.
fn kept(sysctl: &str) -> String {
    format!("{sysctl}, and the same in /etc/sysctl.d/")
}

/// What git says of the folder; nothing where it is no checkout.
fn checkout(root: &Path) -> Vec<Finding> {
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return Vec::new();
    }
    let mut command = Command::new("git");
    command.args(["symbolic-ref", "--short", "HEAD"]).current_dir(root).env("GIT_OPTIONAL_LOCKS", "0");
    let said = match command.stdin(Stdio::null()).output() {
        Ok(said) => said,
        Err(error) => {
            let message = format!("the root is a git checkout, but git can't be run: {error}");
            let cure = "install git, if documents shall follow a branch";
            return vec![Finding::wrong("git", Weight::Warning, message, cure)];
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let errors = text(&said.stderr);
    let mut findings = vec![if said.status.success() {
        Finding::fine("git", format!("a checkout, on branch {}", text(&said.stdout)))
    } else if errors.contains("dubious ownership") {
        let cure = format!("git config --global --add safe.directory {}", root.display());
        let message = "git does not trust this checkout: it belongs to another user";
        Finding::wrong("git", Weight::Person, message, cure)
    } else if errors.contains("not a symbolic ref") {
        Finding::wrong(
            "git",
            Weight::Warning,
            "a checkout with a detached HEAD",
            "git switch BRANCH, if that is not meant",
        )
    } else {
        Finding::wrong("git", Weight::Warning, format!("git can't say on which branch this is: {errors}"), "git status")
    }];
    let leftovers: BTreeSet<&str> =
        ["rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "BISECT_LOG", "index.lock"].into();
    let git = root.ancestors().map(|folder| folder.join(".git")).find(|git| git.is_dir());
    if let Some(found) = git.and_then(|git| leftovers.into_iter().find(|name| git.join(name).exists())) {
        let message = format!("git is in the middle of something (.git/{found})");
        findings.push(Finding::wrong("git", Weight::Warning, message, "git status says how to end it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn limits_are_judged_by_what_is_needed_and_what_is_used() {
        let limits = Some(Limits { watches: 8_192, instances: 128 });
        let judge = |folders, watches, instances| watches_of(folders, limits, Used { watches, instances });
        assert_eq!(judge(100, 0, 0).weight, Weight::Fine);
        assert_eq!(judge(100, 8_092, 127).weight, Weight::Fine);
        for (folders, watches, instances, sysctl) in [
            (8_193, 0, 0, "fs.inotify.max_user_watches=1048576"),
            (100, 8_093, 1, "fs.inotify.max_user_watches=1048576"),
            (900_000, 0, 0, "fs.inotify.max_user_watches=3600000"),
            (1, 0, 128, "fs.inotify.max_user_instances=1024"),
        ] {
            let finding = judge(folders, watches, instances);
            assert_eq!(finding.weight, Weight::Person, "{finding:?}");
            assert!(finding.cure.unwrap().contains(sysctl), "{sysctl}");
        }
        assert_eq!(watches_of(5, None, Used::default()).weight, Weight::Skipped);
    }

    use super::watches as watches_of;
}
