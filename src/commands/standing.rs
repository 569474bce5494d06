//! How everything stands, by the state and the folder: nothing is sent or stored. The same engine is asked as in a run, so
//! there is no second place that could say something else. `status` reports it, `diff`, `pages` and `link` begin with it.

use std::collections::BTreeSet;

use crate::commands::opening;
use crate::config::Config;
use crate::daemon::driver::cache_entries;
use crate::engine::settled::{Found, RootHealth, Settled};
use crate::engine::{Engine, Input, Memory, Mode, Setting, Summary};
use crate::local::Quiet;
use crate::local::folder::Folder;
use crate::output::{Console, Shown};
use crate::page::{Now, PageId};
use crate::state::store::Loaded;

/// How everything stands.
#[derive(Debug)]
pub struct Standing {
    /// What the state remembers.
    pub loaded: Loaded,
    /// The folder, scanned.
    pub folder: Folder,
    /// Whether the root is the folder that it was.
    pub health: RootHealth,
    /// What a run would say of it.
    pub summary: Summary,
    /// Pages whose file is gone.
    pub gone: BTreeSet<PageId>,
}

impl Standing {
    /// Reads state and folder beside whoever writes them.
    ///
    /// # Errors
    /// Where the state or the configuration can't be used, in words.
    pub fn read(config: &Config, now: Now, console: &Console) -> Result<Self, String> {
        let (loaded, files) = opening::remembered(config).map_err(|error| error.to_string())?;
        let mut folder = opening::folder(config, cache_entries(files), &loaded.pages)?;
        let round = folder.scan(now.wall, Quiet::AtOnce);
        for remark in &round.remarks {
            console.warning(Shown::new(remark));
        }
        let gone = round.settled.iter().filter_map(|settled| match settled {
            Settled::Page { id, found: Found::Gone { .. }, .. } => Some(id.clone()),
            _ => None,
        });
        let gone = gone.collect();
        let memory = Memory {
            pages: loaded.pages.clone(),
            marks: loaded.marks,
            names: loaded.names.clone(),
            hub: loaded.hub.clone(),
        };
        let setting = Setting { mode: Mode::Offline, scope: Vec::new(), hold_ms: 0, jitter: 0.0 };
        let mut engine = Engine::new(config.policy(), setting, memory);
        engine.handle(now, Input::Paused(loaded.pause));
        engine.handle(now, Input::Health(round.health.clone()));
        engine.handle(now, Input::Settled(round.settled));
        engine.conclude(now);
        let summary = engine.summary(now);
        Ok(Self { loaded, folder, health: round.health, summary, gone })
    }
}
