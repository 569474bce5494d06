//! How everything stands, asked of nobody: the state and the folder are read, with and without a daemon beside, and the same
//! engine that a run steps is asked what it would do now. Sends and writes nothing. For `status`, `resolve`, `forget`,
//! `pull`, `diff`, `pages` and `link`.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::opening;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::driver::cache_entries;
use crate::engine::change::HubHealth;
use crate::engine::settled::{Found, RootHealth, Settled};
use crate::engine::{Archives, Engine, Input, Memory, Mode, Setting};
use crate::local::Quiet;
use crate::local::folder::Folder;
use crate::page::{DocPath, Now, PageId};
use crate::reconcile::names::Names;
use crate::reconcile::page_record::PageRecord;
use crate::state::lock::Lock;
use crate::state::store::{Daemon, Loaded};
use crate::state::usage::HubKey;

/// What was found.
#[derive(Debug)]
pub struct Offline {
    /// The engine, at rest.
    pub engine: Engine,
    /// When it was asked.
    pub now: Now,
    /// How the hub stood last.
    pub hub: HubHealth,
    /// The daemon that holds the state.
    pub daemon: Option<Daemon>,
    /// Whose budget was spent last.
    pub budget_of: Option<HubKey>,
    /// What should be heard of the git checkout.
    pub remarks: Vec<String>,
    /// The folder, scanned.
    pub folder: Folder,
    /// Whether it is the folder that it was.
    pub health: RootHealth,
    /// Pages whose file is gone.
    pub gone: BTreeSet<PageId>,
    /// What the state remembers of each page, with the path of its document.
    pub records: BTreeMap<PageId, (DocPath, PageRecord)>,
    /// The tables of names.
    pub names: Names,
}

/// Reads and asks.
///
/// # Errors
/// Where state or patterns can't be read, in words.
pub fn look(config: &Config) -> Result<Offline, String> {
    let (loaded, files) = opening::remembered(config).map_err(|error| error.to_string())?;
    let now = Clock::start().now();
    let holder = Lock::probe(&config.state).map_err(|error| error.to_string())?;
    let daemon = loaded.daemon.clone().filter(|_| holder.is_some());
    let mut folder = opening::folder(config, cache_entries(files), &loaded.pages)?;
    let round = folder.scan(now.wall, Quiet::AtOnce);
    let gone = round.settled.iter().filter_map(|settled| match settled {
        Settled::Page { id, found: Found::Gone { .. }, .. } => Some(id.clone()),
        _ => None,
    });
    let gone = gone.collect();
    let records = loaded.pages.iter().map(|(id, path, record)| (id.clone(), (path.clone(), record.clone()))).collect();
    let (hub, budget_of) = (loaded.hub.clone(), loaded.budget_of.map(HubKey));
    let Loaded { pages, births, marks, names, pause, .. } = loaded;
    let memory = Memory { pages, births, marks, names: names.clone(), hub: hub.clone() };
    let setting =
        Setting { mode: Mode::Offline, scope: Vec::new(), hold_ms: 0, jitter: 0.0, archives: Archives::Guarded };
    let mut engine = Engine::new(config.policy(), setting, memory);
    engine.handle(now, Input::Paused(pause));
    engine.handle(now, Input::Health(round.health.clone()));
    engine.handle(now, Input::Settled(round.settled));
    engine.conclude(now);
    let (health, remarks) = (round.health, round.remarks);
    Ok(Offline { engine, now, hub, daemon, budget_of, remarks, folder, health, gone, records, names })
}
