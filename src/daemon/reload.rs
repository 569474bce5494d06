//! A configuration or a key that changes while the daemon runs: SIGHUP, or another content of their files, takes them up.
//!
//! Promises: what can't be used changes nothing, and is said in the log and in `status`; another root, state or hub is refused
//! until a restart; files are looked at on the blocking pool, one look at a time, so that a disk that hangs holds nothing up.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::config::{self, ApiKey, Config, ConfigError, Environment, KeySource, Overrides};
use crate::daemon::driver::Driver;
use crate::daemon::event_loop::Tree;
use crate::daemon::sender::Means;
use crate::daemon::settings;
use crate::engine::Input;
use crate::hub::client::Client;
use crate::local::git::Gate;
use crate::local::patterns::Patterns;
use crate::local::settle::{Command, Settings};
use crate::page::Digest;

/// So much of a file is compared: more than a configuration or a key may be long.
const COMPARED: u64 = 2 << 20;

/// A file that changed by itself must have rested so long before it is read.
const RESTED: Duration = Duration::from_secs(1);

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// What was typed.
    pub overrides: Overrides,
    /// The environment of the process.
    pub env: Environment,
    /// The current folder.
    pub folder: PathBuf,
}

/// Why the files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Time has passed: only what changed is taken up.
    Time,
    /// SIGHUP: everything is read again.
    Asked,
}

/// The configuration that holds, and what its files looked like.
#[derive(Debug)]
pub struct Reload {
    source: Option<Source>,
    config: Config,
    file: Option<PathBuf>,
    seen: Seen,
    look: Option<(Why, JoinHandle<Look>)>,
    again: bool,
    note: Option<String>,
}

/// What files looked like; `None`: it can't be read.
type Seen = BTreeMap<PathBuf, Option<(Stat, Digest)>>;

/// Device, inode, size and times: where none of them moved, the file is not read.
type Stat = (u64, u64, u64, i64, i64, i64, i64);

/// What a look found.
#[derive(Debug)]
struct Look {
    seen: Seen,
    found: Option<Result<Found, String>>,
}

#[derive(Debug)]
struct Found {
    config: Config,
    file: Option<PathBuf>,
    key: Result<ApiKey, String>,
    client: Client,
    patterns: Patterns,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing is another.
    Nothing,
    /// It was read again: taken up, or refused, as [`Reload::note`] says.
    Read(Why),
}

impl Reload {
    /// Nothing is ever read again.
    pub fn never(config: Config) -> Self {
        Self { source: None, config, file: None, seen: Seen::new(), look: None, again: false, note: None }
    }

    /// `config` was loaded from `source`, out of `file`.
    pub fn of(source: Source, config: Config, file: Option<PathBuf>) -> Self {
        let mut reload = Self { source: Some(source), file, ..Self::never(config) };
        reload.seen = see(&reload.files(), &Seen::new());
        reload
    }

    /// The configuration that holds.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What people should know: why the newest configuration or key is not in use.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Begins to look, unless a look is under way.
    pub fn begin(&mut self, why: Why) {
        let Some(source) = self.source.clone() else { return };
        if self.look.is_some() {
            self.again |= why == Why::Asked;
            return;
        }
        let files = self.files();
        let seen = self.seen.clone();
        self.look = Some((why, tokio::task::spawn_blocking(move || look(&source, &files, &seen, why))));
    }

    fn files(&self) -> Vec<PathBuf> {
        let key = match &self.config.hub.key {
            KeySource::File(path) | KeySource::Credential(path) => Some(path.clone()),
            KeySource::Command { .. } | KeySource::Variable(_) | KeySource::Nowhere => None,
        };
        self.file.iter().chain(key.iter()).chain(self.config.hub.ca_file.iter()).cloned().collect()
    }

    /// Waits until a look has ended, and takes up what it found. Safe to drop while it waits.
    pub async fn next(&mut self) -> Ended {
        let Some((why, task)) = &mut self.look else { return std::future::pending().await };
        let (why, ended) = (*why, task.await);
        self.look = None;
        Ended { why, look: ended.map_err(|error| error.to_string()) }
    }

    /// Takes up what a look found.
    pub async fn take(&mut self, ended: Ended, driver: &mut Driver, tree: &mut Tree) -> Taken {
        let Ended { why, look } = ended;
        if std::mem::take(&mut self.again) {
            self.begin(Why::Asked);
        }
        let found = match look {
            Ok(Look { seen, found }) => {
                self.seen = seen;
                found
            }
            Err(error) => Some(Err(format!("the configuration could not be looked at: {error}"))),
        };
        let Some(found) = found else { return Taken::Nothing };
        self.note = match found {
            Ok(found) => self.take_up(found, driver, tree).await,
            Err(why) => Some(format!("the changed configuration can't be used, the old one still holds: {why}")),
        };
        match &self.note {
            Some(note) => tracing::error!("{note}"),
            None => tracing::info!("the configuration and the key are read again"),
        }
        Taken::Read(why)
    }

    /// Takes up a configuration that can be used; answers what of it can't be, for people.
    async fn take_up(&mut self, found: Found, driver: &mut Driver, tree: &mut Tree) -> Option<String> {
        let Found { config, file, key, client, patterns } = found;
        if let Some(gone) = self.file.as_ref().filter(|_| file != self.file) {
            return Some(format!("{} is not there any more; what it said still holds", gone.display()));
        }
        if let Some((what, old, new)) = fixed(&self.config, &config) {
            return Some(format!(
                "{what} can't be another one while hubsync runs (it is {old}, the file says {new}); the old configuration \
                 still holds: restart hubsync, or put it back"
            ));
        }
        let (old, sender) = (std::mem::replace(&mut self.config, config), driver.sender());
        let config = &self.config;
        self.file = file;
        let (key, note) = match key {
            Ok(key) => (key, None),
            Err(why) => (sender.key(), Some(format!("{why}; the key that was read before is still used"))),
        };
        let rules = config.policy().rules;
        sender.renew_means(Means { client, rules: rules.clone(), source: config.hub.key.clone(), key });
        driver.limits(settings::limits(config), settings::timeout(config));
        driver.follow_key();
        driver.handle(Input::Policy(config.policy()));
        let folder = |of: &Config| {
            (of.watch.clone(), of.include.clone(), of.exclude.clone(), of.branch.clone(), of.policy().rules)
        };
        if folder(&old) != folder(config) {
            let gate = Gate::of(config.branch.clone());
            let settings = Settings { options: settings::watch(config), patterns, rules, gate };
            tree.tell(Command::Configure(Box::new(settings))).await;
        }
        note
    }
}

/// A look that has ended.
#[derive(Debug)]
pub struct Ended {
    why: Why,
    look: Result<Look, String>,
}

/// What a running daemon can't change: which, as it is and as it was to be.
fn fixed(old: &Config, new: &Config) -> Option<(&'static str, String, String)> {
    let path = |path: &Path| path.display().to_string();
    let all = [
        ("root", path(&old.root), path(&new.root)),
        ("state", path(&old.state), path(&new.state)),
        ("hub.url", old.hub.url.as_str().to_owned(), new.hub.url.as_str().to_owned()),
        ("the ledger's folder", path(old.ledger_path()), path(new.ledger_path())),
    ];
    all.into_iter().find(|(_, old, new)| old != new)
}

/// On the blocking pool: what the files are by now, and what they mean where that is to be taken up.
fn look(source: &Source, files: &[PathBuf], seen: &Seen, why: Why) -> Look {
    let now = see(files, seen);
    let digests = |seen: &Seen| -> BTreeMap<PathBuf, Option<Digest>> {
        seen.iter().map(|(path, mark)| (path.clone(), mark.map(|(_, digest)| digest))).collect()
    };
    if why == Why::Time && digests(seen) == digests(&now) {
        return Look { seen: now, found: None };
    }
    if why == Why::Time {
        // It may be half written: an empty file would mean the defaults.
        std::thread::sleep(RESTED);
        if digests(&see(files, &now)) != digests(&now) {
            return Look { seen: seen.clone(), found: None };
        }
    }
    Look { seen: now, found: Some(read(source)) }
}

fn see(files: &[PathBuf], before: &Seen) -> Seen {
    let mark = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok()?;
        let stat = (
            found.dev(),
            found.ino(),
            found.size(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec(),
        );
        match before.get(path).copied().flatten() {
            Some((same, digest)) if same == stat => Some((stat, digest)),
            _ => {
                let mut bytes = Vec::new();
                std::fs::File::open(path).and_then(|file| file.take(COMPARED).read_to_end(&mut bytes)).ok()?;
                Some((stat, Digest::of(&bytes)))
            }
        }
    };
    files.iter().map(|path| (path.clone(), mark(path))).collect()
}

fn read(source: &Source) -> Result<Found, String> {
    let told = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let loaded = config::load(&source.overrides, &source.env, &source.folder).map_err(told)?;
    let (config, file) = (loaded.config, loaded.file);
    let key = config.hub.key.read().map_err(|error| error.to_string());
    let client = settings::client(&config)?;
    let patterns = settings::patterns(&config)?;
    Ok(Found { config, file, key, client, patterns })
}
