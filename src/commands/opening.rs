//! What `sync`, `run` and `demo` open before they begin: key, locks, state, ledger, folder, hub. What can't be opened is
//! told with its cure and ends the command with 2; where waiting helps (a full disk), with 75, so that a supervisor tries again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::Exit;
use crate::config::credential::ApiKey;
use crate::config::{Config, duration};
use crate::daemon::clock::Clock;
use crate::daemon::driver::{Driver, cache_entries};
use crate::daemon::keeper::Kept;
use crate::daemon::sender::Sender;
use crate::engine::{Engine, Memory, Mode, Setting};
use crate::hub::client::{Client, ClientOptions};
use crate::local::cache::CacheEntry;
use crate::local::folder::{Folder, Known};
use crate::local::identity::Presence;
use crate::local::patterns::Patterns;
use crate::output::{Console, Shown};
use crate::pace::quota::Limits;
use crate::page::{Digest, DocPath, PageId};
use crate::reconcile::page_record::PageRecord;
use crate::state::backups::Backups;
use crate::state::error::StateError;
use crate::state::lock::Lock;
use crate::state::store::{Store, Told, Was};
use crate::state::usage::{HubKey, Ledger};

/// How long nothing is sent after a damaged state was moved aside, in milliseconds: a write of the last run may still be on
/// its way, and nothing remembers it.
const DAMAGED_MS: u64 = 5_000;

/// Everything that is open.
#[derive(Debug)]
pub struct Opened {
    /// The clocks.
    pub clock: Clock,
    /// Nobody else keeps this state, nor this root.
    pub lock: Lock,
    /// What is stored.
    pub kept: Kept,
    /// What was remembered.
    pub memory: Memory,
    /// The folder, not scanned yet.
    pub folder: Folder,
    /// Who sends.
    pub sender: Arc<Sender>,
    /// Whose budget is spent.
    pub hub: HubKey,
    /// How long nothing is sent, in milliseconds.
    pub hold_ms: u64,
    /// Which problems a person was told of.
    pub told: Told,
}

/// Why something can't be opened: the words for a person, cause and cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// A person must act.
    Unusable(String),
    /// It may pass by itself.
    Later(String),
}

impl Unopened {
    /// Tells it; answers how the command ends.
    pub fn tell(&self, console: &Console) -> Exit {
        let (why, exit) = match self {
            Self::Unusable(why) => (why, Exit::Usage),
            Self::Later(why) => (why, Exit::Later),
        };
        console.error(Shown::new(why));
        exit
    }
}

impl From<String> for Unopened {
    fn from(why: String) -> Self {
        Self::Unusable(why)
    }
}

impl From<StateError> for Unopened {
    fn from(error: StateError) -> Self {
        let why = locked(&error);
        if error.is_fatal() { Self::Unusable(why) } else { Self::Later(why) }
    }
}

/// Opens everything.
///
/// # Errors
/// Where something can't be opened.
pub fn open(config: &Config, console: &Console) -> Result<Opened, Unopened> {
    let clock = Clock::start();
    let key = config.hub.key.read().map_err(|error| error.to_string())?;
    if let Some(warning) = config.hub.key.warning() {
        console.warning(Shown::new(&warning));
    }
    let mut lock = Lock::take(&config.state)?;
    if config.root.is_dir() {
        lock.hold_root(&config.root)?;
    }
    let opened = Store::open(&config.state)?;
    let mut hold_ms = 0;
    if let Was::MovedAside(aside) = &opened.was {
        hold_ms = DAMAGED_MS;
        let aside = Shown::path(aside);
        console.warning(format_args!("the state was damaged; it is now {aside}, and every page is met again"));
    }
    let mut store = opened.store;
    let mut loaded = store.load()?;
    let hub = hub_key(config, &key);
    if loaded.budget_of.is_some_and(|before| before != hub.0) {
        // What another hub or key did not find may be there with this one.
        loaded.pages.iter_mut().for_each(|(_, _, record)| record.absent = None);
    }
    store.set_budget_of(hub.0)?;
    let files = store.files()?;
    let mut ledger = Ledger::open(config.ledger_path(), hub, limits(config), clock.now().wall)?;
    if let Was::MovedAside(aside) = ledger.was() {
        let aside = Shown::path(aside);
        console.warning(format_args!(
            "the ledger of requests was damaged; it is now {aside}. What was spent today is not known: nothing is sent for a \
             minute, and then a twentieth of the day's requests an hour"
        ));
    }
    ledger.set_timeout(i64::try_from(duration::millis(config.hub.timeout)).unwrap_or(i64::MAX));
    let folder = folder(config, cache_entries(files), &loaded.pages)?;
    let client = client(config)?;
    let rules = config.policy().rules;
    let source = config.hub.key.clone();
    let sender = Arc::new(Sender::new(client, clock.clone(), config.root.clone(), rules, source, key));
    let memory = Memory { pages: loaded.pages, marks: loaded.marks, names: loaded.names, hub: loaded.hub };
    let kept = Kept { store, backups: Backups::of_state(&config.state), ledger };
    Ok(Opened { clock, lock, kept, memory, folder, sender, hub, hold_ms, told: loaded.told })
}

impl Opened {
    /// The engine with its hands, and the folder that it begins with. The lock lives as long as the caller keeps it.
    ///
    /// # Errors
    /// Where the system gives us no thread.
    pub fn drive(self, config: &Config, mode: Mode, scope: Vec<DocPath>) -> std::io::Result<(Driver, Folder, Lock)> {
        let setting = Setting { mode, scope, hold_ms: self.hold_ms, jitter: fastrand::f64() };
        let engine = Engine::new(config.policy(), setting, self.memory);
        let driver = Driver::start(engine, self.clock, self.kept, self.sender)?;
        Ok((driver, self.folder, self.lock))
    }
}

/// Whose budget a configuration spends: the hub's and the key's.
pub fn hub_key(config: &Config, key: &ApiKey) -> HubKey {
    HubKey(Digest::of_parts([config.hub.url.as_str().as_bytes(), key.expose().as_bytes()]))
}

/// What the configuration allows to spend.
pub fn limits(config: &Config) -> Limits {
    Limits {
        per_minute: config.hub.requests_per_minute,
        per_day: config.hub.requests_per_day,
        reserved_for_edits: config.hub.reserved_for_edits,
    }
}

/// A connection to the configured hub; nothing is sent yet.
///
/// # Errors
/// The words for a person.
pub fn client(config: &Config) -> Result<Client, String> {
    let options = ClientOptions {
        url: config.hub.url.as_str().to_owned(),
        timeout: config.hub.timeout,
        ca_file: config.hub.ca_file.clone(),
    };
    Client::new(&options).map_err(|error| error.to_string())
}

/// The configured folder with what is remembered of it.
///
/// # Errors
/// A pattern that can't be read, in words.
pub fn folder(
    config: &Config,
    cache: Vec<(DocPath, CacheEntry)>,
    pages: &[(PageId, DocPath, PageRecord)],
) -> Result<Folder, String> {
    let patterns = Patterns::new(&config.include, &config.exclude).map_err(|error| error.to_string())?;
    let known = pages
        .iter()
        .map(|(page, path, record)| {
            // A file that was missed already says nothing about the root's health.
            let presence = record.missed.map_or(Presence::There, Presence::Missed);
            Known { page: page.clone(), path: path.clone(), presence }
        })
        .collect();
    Ok(Folder::new(config.root.clone(), patterns, config.policy().rules, cache, known))
}

/// The documents and folders that were named, relative to the root.
///
/// # Errors
/// One that lies outside the root, in words.
pub fn scope(root: &Path, folder: &Path, paths: &[PathBuf]) -> Result<Vec<DocPath>, String> {
    let real_root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mut scope = Vec::new();
    for path in paths {
        let named = folder.join(path);
        let real = named.canonicalize().unwrap_or_else(|_| named.clone());
        let inside = real.strip_prefix(&real_root).or_else(|_| named.strip_prefix(root)).ok();
        match inside {
            // The root itself: everything.
            Some(inside) if inside.as_os_str().is_empty() => return Ok(Vec::new()),
            Some(inside) => scope.extend(DocPath::new(inside)),
            None => return Err(format!("{} is not in the root {}", path.display(), root.display())),
        }
    }
    Ok(scope)
}

/// A lock that somebody else holds is most often a daemon's, which publishes by itself.
fn locked(error: &StateError) -> String {
    match error {
        StateError::Locked { pid, path } => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!(
                "another hubsync{pid} keeps {}; if it is `hubsync run`, it publishes by itself: stop it first to do it by hand",
                path.display()
            )
        }
        other => other.to_string(),
    }
}
