//! Who holds the state: a daemon, which is told of each page that was pulled, or we. Either way what was seen of the page is
//! taken in by an engine, the folder is asked what the document says, and what follows is stored.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::commands::opening::{self, Unopened};
use crate::commands::ordering;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::control::{LONGEST_ORDER, MetOrder, Order, Reply};
use crate::daemon::driver::{cache_entries, file_entries};
use crate::daemon::orders::encoded;
use crate::engine::change::Written;
use crate::engine::settled::RootHealth;
use crate::engine::{Archives, Effect, Engine, Input, Memory, Met, Mode, Setting};
use crate::local::Quiet;
use crate::local::folder::{Folder, Round};
use crate::output::Console;
use crate::page::{DocPath, Mono, PageId, Wall};
use crate::reconcile::names::Names;
use crate::reconcile::page_record::Seen;
use crate::state::backups::Backups;
use crate::state::error::StateError;
use crate::state::lock::Lock;
use crate::state::store::{Loaded, Store, Was};

/// How long a daemon may take for one page.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// What is left of the longest order beside its tables of names.
const REST: usize = 16 * 1024;

/// Who holds the state.
pub(super) enum Holder {
    /// A daemon.
    Daemon,
    /// We do; taken while it is at work.
    Ours(Option<Box<Ours>>),
}

/// What was seen of a page whose document was written.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub page: PageId,
    pub path: DocPath,
    pub seen: Seen,
    /// How long ago it was asked for, in milliseconds.
    pub age: u64,
    /// The hub's clock at the answer.
    pub date: Option<Wall>,
    /// Tables that were read for it.
    pub names: Option<Box<Names>>,
}

/// The state, held by us, with an engine that sends nothing: it is never granted a slot.
pub(super) struct Ours {
    _lock: Lock,
    store: Store,
    backups: Backups,
    engine: Engine,
    folder: Folder,
    clock: Clock,
}

impl Holder {
    /// Finds out, or takes the state.
    pub(super) async fn find(config: &Config, console: &Console) -> Result<Self, Unopened> {
        loop {
            if ordering::reach(&config.state).await?.is_some() {
                return Ok(Self::Daemon);
            }
            match Lock::take(&config.state) {
                Ok(lock) => return Ours::open(config, console, lock).map(|ours| Self::Ours(Some(Box::new(ours)))),
                // Somebody has begun since we looked.
                Err(StateError::Locked { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Tells of a page. Answers what keeps it from being in step, if something does.
    pub(super) async fn tell(&mut self, config: &Config, sighting: Sighting) -> Result<Option<String>, Unopened> {
        match self {
            Self::Ours(ours) => {
                let Some(mut it) = ours.take() else {
                    return Err(Unopened::Later("the folder does not answer".to_owned()));
                };
                // A disk may not answer at all, and then we must still hear that we are to stop.
                let taken = tokio::task::spawn_blocking(move || {
                    let taken = it.take(sighting);
                    (it, taken)
                });
                let (it, taken) = taken.await.map_err(|error| Unopened::Later(error.to_string()))?;
                *ours = Some(it);
                taken
            }
            Self::Daemon => {
                let ended = || {
                    Unopened::Later("the daemon has ended before it took this page up; the next run goes on".to_owned())
                };
                let daemon = ordering::reach(&config.state).await?.ok_or_else(ended)?;
                let mut answers = daemon.order(order(config, sighting)).await?;
                match tokio::time::timeout(ANSWERS_WITHIN, answers.next()).await.ok().flatten() {
                    Some(Reply::Met(apart)) => Ok(apart),
                    Some(Reply::Refused { why, exit: 75 }) => Err(Unopened::Later(why)),
                    Some(Reply::Refused { why, .. }) => Err(Unopened::Unusable(why)),
                    _ => Err(ended()),
                }
            }
        }
    }
}

fn order(config: &Config, sighting: Sighting) -> Order {
    let Sighting { page, path, seen, age, date, names } = sighting;
    // Tables that are too long for an order are read again by the daemon.
    let fits = |names: &Names| serde_json::to_vec(names).is_ok_and(|json| json.len() + REST < LONGEST_ORDER);
    Order::Met(Box::new(MetOrder {
        root: encoded(&config.root),
        page,
        path: encoded(path.as_path()),
        seen,
        age,
        date,
        names: names.filter(|names| fits(names)),
    }))
}

impl Ours {
    fn open(config: &Config, console: &Console, mut lock: Lock) -> Result<Self, Unopened> {
        let clock = Clock::start();
        if config.root.is_dir() {
            lock.hold_root(&config.root)?;
        }
        let opened = Store::open(&config.state)?;
        opening::warn_of(&opened.was, console);
        let mut store = opened.store;
        if let Was::MovedAside(_) = &opened.was {
            store.set_anew(clock.now().wall)?;
        }
        let loaded = store.load()?;
        let mut folder = opening::folder(config, cache_entries(store.files()?), &loaded.pages)?;
        let Loaded { pages, births, marks, names, hub, .. } = loaded;
        let memory = Memory { pages, births, marks, names, hub };
        let archives = Archives::Guarded;
        let setting = Setting { mode: Mode::Daemon, scope: Vec::new(), hold_ms: 0, jitter: 0.0, archives };
        let engine = Engine::new(config.policy(), setting, memory);
        let round = folder.scan(clock.now().wall, Quiet::AtOnce);
        let backups = Backups::of_state(&config.state);
        let mut ours = Self { _lock: lock, store, backups, engine, folder, clock };
        if round.health == RootHealth::Ok {
            ours.round(round)?;
        }
        Ok(ours)
    }

    fn take(&mut self, sighting: Sighting) -> Result<Option<String>, Unopened> {
        let Sighting { page, path, seen, age, date, names } = sighting;
        let now = self.clock.now();
        let sent = Mono(now.mono.0.saturating_sub(age));
        let file = BTreeSet::from([path.as_path().to_path_buf()]);
        self.engine.handle(now, Input::Met(Box::new(Met { page: page.clone(), path, seen, sent, date, names })));
        let round = self.folder.look(&file, now.wall, Quiet::AtOnce);
        self.round(round)?;
        Ok(self.engine.keeps_apart(&page))
    }

    /// Takes in what the folder says, and stores what follows.
    fn round(&mut self, round: Round) -> Result<(), StateError> {
        self.store.put_files(&file_entries(round.cache_put), &round.cache_gone)?;
        self.engine.handle(self.clock.now(), Input::Health(round.health));
        self.engine.handle(self.clock.now(), Input::Settled(round.settled));
        while let Some(effect) = self.engine.poll(self.clock.now()) {
            let answer = match effect {
                Effect::Store(id, change) => {
                    self.store.commit(&change, &self.backups)?;
                    Input::Stored(id, Ok(()))
                }
                Effect::Write(id, ..) => Input::Wrote(id, Err("`hubsync resolve` does that".to_owned())),
                // The next run writes it.
                Effect::WriteId(id, _) => Input::IdWritten(id, Written::Stale),
                Effect::Known(page, path) => {
                    self.folder.note_known(page, path);
                    continue;
                }
                // A slot is asked for once, and never granted: so nothing is sent.
                Effect::Reserve(..) | Effect::Return(_) | Effect::Send(..) | Effect::Reread(_) | Effect::Rescan => {
                    continue;
                }
            };
            self.engine.handle(self.clock.now(), answer);
        }
        Ok(())
    }
}
