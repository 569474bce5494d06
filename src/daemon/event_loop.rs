//! The daemon's loop: one `select!` over what comes from the folder, the hub, the system and the clock. It decides nothing.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;

use crate::daemon::driver::Driver;
use crate::daemon::herald::Herald;
use crate::daemon::one_shot::wind_up;
use crate::daemon::signals::{Signals, Stop};
use crate::engine::change::{HubHealth, HubState, LogEntry};
use crate::engine::request::KeySource;
use crate::engine::settled::RootHealth;
use crate::engine::{Input, PageReport};
use crate::local::folder::Round;
use crate::local::settle::Command;
use crate::local::watch::WatchProblem;
use crate::page::Wall;
use crate::state::error::StateError;
use crate::state::lock::Lock;
use crate::state::store::Daemon;

/// How often the clocks are compared, so that a suspended machine is noticed; and how often the source of a refused key is
/// read again.
const TICK: Duration = Duration::from_secs(10);

/// The longest wait without a look at the engine: a bound on what a mistaken wake-up could cost.
const LONGEST: Duration = Duration::from_secs(60);

/// What the daemon tells while it runs.
pub trait Telling {
    /// The first scan has been planned.
    fn ready(&mut self);
    /// Something was done to the hub.
    fn done(&mut self, entry: &LogEntry);
    /// A page came to stand otherwise.
    fn stands(&mut self, page: &PageReport);
    /// The hub came to stand otherwise.
    fn hub(&mut self, health: &HubHealth);
    /// The root came to stand otherwise.
    fn root(&mut self, health: &RootHealth);
}

/// The folder's side of the loop.
#[derive(Debug)]
pub struct Tree {
    /// What has come to rest.
    pub rounds: Receiver<Round>,
    /// What the folder is asked.
    pub commands: Sender<Command>,
}

/// Nobody else keeps the root. It may come later than we do, or be swapped for another: it is locked whenever it is met.
#[derive(Debug)]
pub struct Guard {
    /// The locks.
    pub lock: Lock,
    /// The root, as it is configured.
    pub root: PathBuf,
}

impl Guard {
    /// Where another daemon keeps the root, it counts as missing.
    fn judge(&mut self, health: RootHealth) -> RootHealth {
        match self.lock.hold_root(&self.root) {
            Err(error @ StateError::Locked { .. }) if health == RootHealth::Ok => {
                RootHealth::Missing(error.to_string())
            }
            _ => health,
        }
    }
}

/// Runs until asked to stop; answers how it was asked.
pub async fn run(
    driver: &mut Driver,
    mut tree: Tree,
    mut guard: Guard,
    signals: &mut Signals,
    telling: &mut impl Telling,
    herald: &mut Herald,
) -> Stop {
    let since = driver.now().wall;
    driver.announce(Some(Daemon { pid: std::process::id(), since, planned: false }));
    let mut told = Told::default();
    let mut next_tick = Instant::now() + TICK;
    let stop = loop {
        driver.step();
        look_again(driver, &tree).await;
        told.tell(driver, telling, herald, since);
        herald.look(driver);
        let wake = wake_up(driver).min(next_tick);
        tokio::select! {
            event = driver.next() => driver.take(event),
            Some(mut round) = tree.rounds.recv() => {
                told.watching(&round);
                told.found = Some(round.health.clone());
                round.health = guard.judge(round.health);
                driver.round(round);
            }
            () = herald.wait() => {}
            () = tokio::time::sleep_until(wake) => driver.handle(Input::Tick),
            stop = signals.stop() => match stop {
                Stop::Hangup => tracing::warn!("SIGHUP: this version reads a changed configuration when it is restarted"),
                stop => break stop,
            },
        }
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            tick(driver, &tree).await;
            if let Some(found) = told.found.clone().filter(|found| found != driver.engine().root_health()) {
                let health = guard.judge(found);
                driver.handle(Input::Health(health));
            }
        }
    };
    tracing::info!("stopping");
    wind_up(driver).await;
    told.tell(driver, telling, herald, since);
    herald.finish(driver).await;
    driver.announce(None);
    stop
}

fn wake_up(driver: &mut Driver) -> Instant {
    let now = driver.now();
    let longest = Instant::now() + LONGEST;
    driver.engine().wakeup(now).map_or(longest, |at| Instant::from_std(driver.clock().instant(at)).min(longest))
}

/// What is done every few seconds.
async fn tick(driver: &mut Driver, tree: &Tree) {
    if driver.clock().jumped() {
        tracing::info!("the clock has jumped, or the machine was suspended: everything is compared");
        driver.handle(Input::Woke);
        ask(tree, Command::Rescan).await;
    }
    let now = driver.now();
    if driver.engine().hub_health(now).state == HubState::Unauthorized {
        let sender = driver.sender();
        let key = sender.key();
        if sender.renew(&key).await == KeySource::Renewed {
            tracing::info!("the API key is another one now");
            driver.handle(Input::KeyRenewed);
        }
    }
}

/// Files that were not what was decided on are looked at again.
async fn look_again(driver: &mut Driver, tree: &Tree) {
    for path in driver.take_reread() {
        ask(tree, Command::Look(path)).await;
    }
}

async fn ask(tree: &Tree, command: Command) {
    if tree.commands.send(command).await.is_err() {
        tracing::error!("the folder is not watched any more; restart hubsync");
    }
}

/// What has been told already.
#[derive(Debug, Default)]
struct Told {
    ready: Ready,
    hub: HubHealth,
    root: Option<RootHealth>,
    /// How the folder itself was found last, whoever keeps it.
    found: Option<RootHealth>,
    watching: Option<WatchProblem>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ready {
    #[default]
    NotYet,
    Told,
}

impl Told {
    /// Tells once when events can't be relied on, and when they can again.
    fn watching(&mut self, round: &Round) {
        if round.watch_problem != self.watching {
            match &round.watch_problem {
                Some(problem) => tracing::warn!("changes are looked for every few seconds: {problem}"),
                None => tracing::info!("changes are told by the system again"),
            }
            self.watching.clone_from(&round.watch_problem);
        }
    }

    fn tell(&mut self, driver: &mut Driver, telling: &mut impl Telling, herald: &mut Herald, since: Wall) {
        let now = driver.now();
        for entry in driver.take_done() {
            telling.done(&entry);
        }
        for page in driver.engine().take_news(now) {
            telling.stands(&page);
            herald.stands(&page);
        }
        let hub = driver.engine().hub_health(now);
        if (hub.state, &hub.reason) != (self.hub.state, &self.hub.reason) {
            telling.hub(&hub);
            self.hub = hub;
        }
        let root = driver.engine().root_health().clone();
        if self.root.as_ref() != Some(&root) {
            if self.root.is_some() || root != RootHealth::Ok {
                telling.root(&root);
            }
            self.root = Some(root);
        }
        if self.ready == Ready::NotYet && driver.engine().is_planned() {
            self.ready = Ready::Told;
            driver.announce(Some(Daemon { pid: std::process::id(), since, planned: true }));
            telling.ready();
        }
    }
}
