//! What `sync`, `run` and `demo` open before they begin: key, locks, state, ledger, folder, hub. What can't be opened is
//! told with its cure and ends the command with 2; where waiting helps (a full disk), with 75, so that a supervisor tries again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::cli::Exit;
use crate::config::Config;
use crate::config::credential::ApiKey;
use crate::daemon::clock::Clock;
use crate::daemon::driver::{Driver, cache_entries};
use crate::daemon::keeper::Kept;
use crate::daemon::scribe::Scribe;
use crate::daemon::sender::{Means, Sender};
use crate::daemon::settings;
use crate::engine::Input;
use crate::engine::change::PersonPause;
use crate::engine::{Archives, Engine, Memory, Mode, Setting};
use crate::local::Quiet;
use crate::local::cache::CacheEntry;
use crate::local::folder::{Folder, Known};
use crate::local::git::Gate;
use crate::local::identity::Presence;
use crate::local::links::SharedMap;
use crate::output::{Console, Shown};
use crate::page::{DocPath, PageId, Wall};
use crate::reconcile::page_record::PageRecord;
use crate::state::backups::Backups;
use crate::state::error::StateError;
use crate::state::lock::Lock;
use crate::state::store::{FileEntry, Loaded, Store, Told, Was};
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
    /// What a person said: send nothing meanwhile.
    pub pause: Option<PersonPause>,
    /// The folder, not scanned yet.
    pub folder: Folder,
    /// Who sends.
    pub sender: Arc<Sender>,
    /// Whose budget is spent.
    pub hub: HubKey,
    /// How long nothing is sent, in milliseconds.
    pub hold_ms: u64,
    /// Whether a person has confirmed how many pages are archived.
    pub archives: Archives,
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
    /// Another process holds the state.
    Held(String),
}

impl Unopened {
    /// Tells it; answers how the command ends.
    pub fn tell(&self, console: &Console) -> Exit {
        let (why, exit) = match self {
            Self::Unusable(why) | Self::Held(why) => (why, Exit::Usage),
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

/// Who keeps the root from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootLock {
    /// We do.
    Ours,
    /// A daemon does; we only look.
    Daemons,
}

/// Opens everything.
///
/// # Errors
/// Where something can't be opened.
pub fn open(config: &Config, console: &Console, root: RootLock) -> Result<Opened, Unopened> {
    open_at(&config.state, config, console, root)
}

/// Opens everything for a run that reads no state and leaves none: it has a state of its own, which goes with the folder that
/// is answered. Ledger and backups are the usual ones.
///
/// # Errors
/// As [`open`].
pub fn open_scratch(config: &Config, console: &Console) -> Result<(Opened, TempDir), Unopened> {
    let scratch = TempDir::with_prefix("hubsync-").map_err(|error| {
        Unopened::Later(format!("no scratch folder can be made: {error}; make room, or set TMPDIR"))
    })?;
    let opened = open_at(&scratch.path().join("state.db"), config, console, RootLock::Ours)?;
    Ok((opened, scratch))
}

fn open_at(state: &Path, config: &Config, console: &Console, root: RootLock) -> Result<Opened, Unopened> {
    let clock = Clock::start();
    let key = config.hub.key.read().map_err(|error| error.to_string())?;
    if let Some(warning) = config.hub.key.warning() {
        console.warning(Shown::new(&warning));
    }
    let mut lock = Lock::take(state).map_err(|error| match error {
        StateError::Locked { .. } => Unopened::Held(locked(&error)),
        error => error.into(),
    })?;
    if root == RootLock::Ours && config.root.is_dir() {
        lock.hold_root(&config.root)?;
    }
    let opened = Store::open(state)?;
    warn_of(&opened.was, console);
    let mut store = opened.store;
    let now = clock.now().wall;
    if let Was::MovedAside(_) = &opened.was {
        store.set_anew(now)?;
    }
    let mut loaded = store.load()?;
    // Also for the process after one that died while it waited.
    let lately = loaded.anew.is_some_and(|anew| now.0.saturating_sub(anew.0) < DAMAGED_MS.cast_signed());
    let hold_ms = if lately { DAMAGED_MS } else { 0 };
    let hub = hub_key(config, &key);
    if loaded.budget_of.is_some_and(|before| before != hub.0) {
        // What another hub or key did not find may be there with this one.
        loaded.pages.iter_mut().for_each(|(_, _, record)| record.absent = None);
    }
    store.set_budget_of(hub.0)?;
    let files = store.files()?;
    let ledger = ledger(config, hub, clock.now().wall, console)?;
    let folder = folder(config, cache_entries(files), &loaded.pages)?;
    let client = settings::client(config)?;
    let rules = config.policy().rules;
    let source = config.hub.key.clone();
    let url = config.hub.url.as_str().to_owned();
    let means = Means { client, rules, source, key };
    let sender = Arc::new(Sender::new(clock.clone(), config.root.clone(), folder.links(), url, means));
    let Loaded { pages, births, marks, names, hub: health, .. } = loaded;
    let memory = Memory { pages, births, marks, names, hub: health };
    let kept = Kept { store, backups: Backups::of_state(&config.state), ledger };
    let pause = loaded.pause;
    let (archives, told) = (Archives::Guarded, loaded.told);
    Ok(Opened { clock, lock, kept, memory, pause, folder, sender, hub, hold_ms, archives, told })
}

/// The ledger of this hub and key, with what is configured for it.
///
/// # Errors
/// Where it can't be opened.
pub fn ledger(config: &Config, hub: HubKey, now: Wall, console: &Console) -> Result<Ledger, StateError> {
    let mut ledger = Ledger::open(config.ledger_path(), hub, settings::limits(config), now)?;
    if let Was::MovedAside(aside) = ledger.was() {
        let aside = Shown::path(aside);
        console.warning(format_args!(
            "the ledger of requests was damaged; it is now {aside}. What was spent today is not known: nothing is sent for a \
             minute, and then a twentieth of the day's requests an hour"
        ));
    }
    ledger.set_timeout(settings::timeout(config));
    Ok(ledger)
}

/// What the state remembers, read beside whoever writes it; nothing, where there is none yet.
///
/// # Errors
/// Where it can't be trusted or read.
pub fn remembered(config: &Config) -> Result<(Loaded, Vec<FileEntry>), StateError> {
    match Store::read_only(&config.state)? {
        Some(mut store) => Ok((store.load()?, store.files()?)),
        None => Ok((Loaded::default(), Vec::new())),
    }
}

/// Who writes documents as a person decided, with links looked up there.
pub fn scribe(config: &Config, links: SharedMap) -> Scribe {
    let (rules, backups) = (config.policy().rules, Backups::of_state(&config.state));
    Scribe { root: config.root.clone(), rules, backups, links }
}

/// Which files links lead to, beside whoever keeps the state; nothing, where links stay as they are. Blocking.
///
/// # Errors
/// Where state or patterns can't be read, in words.
pub fn links(config: &Config) -> Result<SharedMap, String> {
    if config.policy().rules.links.are_off() {
        return Ok(SharedMap::default());
    }
    let (loaded, files) = remembered(config).map_err(|error| error.to_string())?;
    let mut folder = folder(config, cache_entries(files), &loaded.pages)?;
    folder.scan(Clock::start().now().wall, Quiet::AtOnce);
    Ok(folder.links())
}

/// Tells of a state that was damaged.
pub fn warn_of(was: &Was, console: &Console) {
    if let Was::MovedAside(aside) = was {
        let aside = Shown::path(aside);
        console.warning(format_args!("the state was damaged; it is now {aside}, and every page is met again"));
    }
}

impl Opened {
    /// The engine with its hands, and the folder that it begins with. The lock lives as long as the caller keeps it.
    ///
    /// # Errors
    /// Where the system gives us no thread.
    pub fn drive(self, config: &Config, mode: Mode, scope: Vec<DocPath>) -> std::io::Result<(Driver, Folder, Lock)> {
        let Self { hold_ms, archives, .. } = self;
        let setting = Setting { mode, scope, hold_ms, jitter: fastrand::f64(), archives };
        let engine = Engine::new(config.policy(), setting, self.memory);
        let mut driver = Driver::start(engine, self.clock, self.kept, self.sender)?;
        driver.handle(Input::Paused(self.pause));
        Ok((driver, self.folder, self.lock))
    }
}

/// Whose budget a configuration spends: the hub's and the key's.
pub fn hub_key(config: &Config, key: &ApiKey) -> HubKey {
    HubKey::of(config.hub.url.as_str(), key.expose())
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
    let patterns = settings::patterns(config)?;
    let known = pages
        .iter()
        .map(|(page, path, record)| {
            // A file that was missed already says nothing about the root's health.
            let presence = record.missed.map_or(Presence::There, Presence::Missed);
            Known { page: page.clone(), path: path.clone(), presence }
        })
        .collect();
    let gate = Gate::of(config.branch.clone());
    Ok(Folder::new(config.root.clone(), patterns, config.policy().rules, cache, known).behind(gate))
}

/// The documents and folders that were named, relative to the root. They are seen from this folder; what it does not hold,
/// from the root, as reports name it.
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
        // The root itself: everything.
        if inside.is_some_and(|inside| inside.as_os_str().is_empty()) {
            return Ok(Vec::new());
        }
        let from_here = inside.and_then(DocPath::new);
        let from_root = DocPath::new(path).filter(|_| named.symlink_metadata().is_err());
        let in_root = from_root.as_ref().is_some_and(|path| root.join(path.as_path()).symlink_metadata().is_ok());
        let found = if in_root { from_root } else { from_here.or(from_root) };
        let outside = || format!("{} is not in the root {}", path.display(), root.display());
        scope.push(found.ok_or_else(outside)?);
    }
    Ok(scope)
}

/// Says which of the paths that were named are not there: a slip of the pen would else look like success.
pub fn warn_of_missing(root: &Path, scope: &[DocPath], console: &Console) {
    let scope = if root.is_dir() { scope } else { &[] };
    for path in scope.iter().filter(|path| root.join(path.as_path()).symlink_metadata().is_err()) {
        console.warning(format_args!("{}: there is no such file or folder in the root", Shown::new(&path.to_text())));
    }
}

/// A lock that somebody else holds.
fn locked(error: &StateError) -> String {
    match error {
        StateError::Locked { pid, path } => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!(
                "another hubsync{pid} keeps {}, and takes no orders: wait until it has ended, or stop it",
                path.display()
            )
        }
        other => other.to_string(),
    }
}
