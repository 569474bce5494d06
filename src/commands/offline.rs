//! How everything stands, asked of nobody: the state and the folder are read, with and without a daemon beside, and the same
//! engine that a run steps is asked what it would do now. Sends and writes nothing. For `status`, `resolve` and `forget`.

use crate::commands::opening;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::driver::cache_entries;
use crate::engine::change::HubHealth;
use crate::engine::{Archives, Engine, Input, Memory, Mode, Setting};
use crate::local::Quiet;
use crate::page::Now;
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
    let round = opening::folder(config, cache_entries(files), &loaded.pages)?.scan(now.wall, Quiet::AtOnce);
    let (hub, budget_of) = (loaded.hub.clone(), loaded.budget_of.map(HubKey));
    let Loaded { pages, births, marks, names, pause, .. } = loaded;
    let memory = Memory { pages, births, marks, names, hub: hub.clone() };
    let setting =
        Setting { mode: Mode::Offline, scope: Vec::new(), hold_ms: 0, jitter: 0.0, archives: Archives::Guarded };
    let mut engine = Engine::new(config.policy(), setting, memory);
    engine.handle(now, Input::Paused(pause));
    engine.handle(now, Input::Health(round.health));
    engine.handle(now, Input::Settled(round.settled));
    engine.conclude(now);
    Ok(Offline { engine, now, hub, daemon, budget_of, remarks: round.remarks })
}
