//! The daemon's loop: one `select!` over what comes from the folder, the hub, the system and the clock. It decides nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;

use crate::daemon::driver::Driver;
use crate::daemon::herald::Herald;
use crate::daemon::one_shot::wind_up;
use crate::daemon::orders::{Answered, Orders, Reporting};
use crate::daemon::reload::{Reload, Taken, Why};
use crate::daemon::service::Service;
use crate::daemon::signals::{Signals, Stop};
use crate::engine::change::{HubHealth, HubState, LogEntry};
use crate::engine::request::KeySource;
use crate::engine::settled::RootHealth;
use crate::engine::{Input, PageReport};
use crate::local::folder::Round;
use crate::local::settle::Command;
use crate::local::watch::Watching;
use crate::output::Shown;
use crate::output::summary::in_words;
use crate::page::{DocPath, PageId, Wall};
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
    rounds: Receiver<Round>,
    /// What the folder is asked.
    commands: Sender<Command>,
    /// How many questions it was asked.
    questions: u64,
}

impl Tree {
    /// The ends of `local::settle`.
    pub fn new(rounds: Receiver<Round>, commands: Sender<Command>) -> Self {
        Self { rounds, commands, questions: 0 }
    }

    /// Asks for something that needs no answer.
    pub async fn tell(&mut self, command: Command) {
        self.questions += u64::from(matches!(command, Command::Rescan | Command::LookNow(_)));
        if self.commands.send(command).await.is_err() {
            tracing::error!("the folder is not watched any more; restart hubsync");
        }
    }

    /// Asks what these say right now: the round that knows of so many questions has the answer. `None` where the folder takes no
    /// question, because it answers none.
    pub fn question(&mut self, paths: Vec<DocPath>) -> Option<u64> {
        self.commands.try_send(Command::LookNow(paths)).ok()?;
        self.questions += 1;
        Some(self.questions)
    }

    /// The state has forgotten this page.
    pub fn forget(&mut self, page: PageId) {
        if self.commands.try_send(Command::Forget(page)).is_err() {
            tracing::warn!("the folder does not answer, so it will tell of the forgotten page when it is read again");
        }
    }

    /// A person said that the root is the right one.
    pub fn confirm_root(&mut self) {
        if self.commands.try_send(Command::ConfirmRoot).is_err() {
            tracing::warn!("the folder does not answer, so the root could not be confirmed");
        }
    }
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

/// What else the daemon listens to.
#[derive(Debug)]
pub struct Beside {
    /// People's orders.
    pub orders: Orders,
    /// Changed files of the configuration.
    pub reload: Reload,
    /// Who makes the report of an order.
    pub report: Reporting,
}

/// Runs until asked to stop; answers how it was asked.
pub async fn run(
    driver: &mut Driver,
    mut tree: Tree,
    mut guard: Guard,
    signals: &mut Signals,
    beside: Beside,
    telling: &mut impl Telling,
    herald: &mut Herald,
) -> Stop {
    let Beside { mut orders, mut reload, report } = beside;
    let mut told = Told::new(driver.now().wall);
    told.announce(driver, None);
    let mut next_tick = Instant::now() + TICK;
    let stop = loop {
        driver.step();
        look_again(driver, &mut tree).await;
        told.tell(driver, telling, herald, &orders);
        herald.look(driver);
        orders.attend(driver, &mut tree, reload.config(), report);
        driver.step();
        told.tell_systemd(driver);
        let wakes = [Some(wake_up(driver)), Some(next_tick), orders.wakeup(), told.service.wakeup()];
        let wake = wakes.into_iter().flatten().min().unwrap_or(next_tick);
        tokio::select! {
            event = driver.next() => {
                driver.take(event);
                told.service.note();
            }
            Some(round) = tree.rounds.recv() => {
                let answered = take_round(driver, &mut guard, &mut told, round);
                orders.round(&answered, driver, &mut tree);
                told.service.note();
            }
            asked = orders.next() => {
                orders.take(asked, driver, &mut tree, &guard.root);
                told.service.note();
            }
            ended = reload.next() => {
                if reload.take(ended, driver, &mut tree).await == Taken::Read(Why::Asked) {
                    told.service.ready();
                }
                herald.follow(reload.config());
                told.announce(driver, reload.note());
            }
            () = herald.wait() => {}
            () = tokio::time::sleep_until(wake) => driver.handle(Input::Tick),
            stop = signals.stop() => match stop {
                Stop::Hangup => {
                    told.service.reloading();
                    reload.begin(Why::Asked);
                }
                stop => break stop,
            },
        }
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            reload.begin(Why::Time);
            tick(driver, &mut tree).await;
            judge_again(driver, &mut guard, &told);
        }
    };
    tracing::info!("stopping");
    told.service.stopping();
    wind_up(driver).await;
    told.tell(driver, telling, herald, &orders);
    herald.finish(driver).await;
    driver.announce(None);
    stop
}

/// Takes in what was found in the folder; answers which orders it serves.
fn take_round(driver: &mut Driver, guard: &mut Guard, told: &mut Told, mut round: Round) -> Answered {
    told.watching(driver, &round);
    told.checkout(&round);
    told.found = Some(round.health.clone());
    round.health = guard.judge(round.health);
    let answered = Answered::by(&round);
    driver.round(round);
    answered
}

/// Another daemon that kept the root may have ended.
fn judge_again(driver: &mut Driver, guard: &mut Guard, told: &Told) {
    if let Some(found) = told.found.clone().filter(|found| found != driver.engine().root_health()) {
        let health = guard.judge(found);
        driver.handle(Input::Health(health));
    }
}

fn wake_up(driver: &mut Driver) -> Instant {
    let now = driver.now();
    let longest = Instant::now() + LONGEST;
    driver.engine().wakeup(now).map_or(longest, |at| Instant::from_std(driver.clock().instant(at)).min(longest))
}

/// What is done every few seconds.
async fn tick(driver: &mut Driver, tree: &mut Tree) {
    if driver.clock().jumped() {
        tracing::info!("the clock has jumped, or the machine was suspended: everything is compared");
        driver.handle(Input::Woke);
        tree.tell(Command::Rescan).await;
    }
    let now = driver.now();
    if driver.engine().hub_health(now).state == HubState::Unauthorized {
        let sender = driver.sender();
        let key = sender.key();
        if sender.renew(&key).await == KeySource::Renewed {
            tracing::info!("the API key is another one now");
            driver.follow_key();
        }
    }
}

/// Pages that were made are known by their files' paths; files that were not what was decided on are looked at again.
async fn look_again(driver: &mut Driver, tree: &mut Tree) {
    for (page, path) in driver.take_known() {
        tree.tell(Command::Known(page, path)).await;
    }
    for path in driver.take_reread() {
        tree.tell(Command::Look(path)).await;
    }
    if driver.take_rescan() {
        tree.tell(Command::Rescan).await;
    }
}

/// What has been told already.
#[derive(Debug)]
struct Told {
    since: Wall,
    note: Option<String>,
    service: Service,
    ready: Ready,
    hub: HubHealth,
    root: Option<RootHealth>,
    /// How the folder itself was found last, whoever keeps it.
    found: Option<RootHealth>,
    watching: Watching,
    remarks: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ready {
    #[default]
    NotYet,
    Told,
}

impl Told {
    fn new(since: Wall) -> Self {
        Self {
            since,
            note: None,
            service: Service::of_process(),
            ready: Ready::NotYet,
            hub: HubHealth::default(),
            root: None,
            found: None,
            watching: Watching::default(),
            remarks: BTreeSet::new(),
        }
    }

    /// Says in the state which daemon runs, and what people should know of it.
    fn announce(&mut self, driver: &Driver, note: Option<&str>) {
        self.note = note.map(str::to_owned);
        self.announce_again(driver);
    }

    fn announce_again(&self, driver: &Driver) {
        let (since, planned, note) = (self.since, self.ready == Ready::Told, self.note.clone());
        let watching = self.watching.trouble();
        driver.announce(Some(Daemon { pid: std::process::id(), since, planned, watching, note }));
    }

    /// A line for `systemctl status`.
    fn tell_systemd(&mut self, driver: &mut Driver) {
        let now = driver.now();
        self.service.status(|| {
            let summary = driver.engine().summary(now);
            let hub = match (&summary.hub.state, &summary.hub.reason) {
                (HubState::Ok, _) | (_, None) => String::new(),
                (_, Some(why)) => format!("; {}", Shown::new(why)),
            };
            format!("{}{hub}", in_words(&summary.counts))
        });
    }

    /// Tells once when events can't be relied on, and when they can again.
    fn watching(&mut self, driver: &Driver, round: &Round) {
        if round.watching == self.watching {
            return;
        }
        self.watching.clone_from(&round.watching);
        match &self.watching {
            Watching::Told => tracing::info!("changes are told by the system again"),
            Watching::Asked => tracing::info!("{}", self.watching),
            Watching::Compared(_) | Watching::Late(_) => tracing::warn!("{}", self.watching),
        }
        self.announce_again(driver);
    }

    /// Tells once what should be heard of the git checkout.
    fn checkout(&mut self, round: &Round) {
        for remark in &round.remarks {
            if self.remarks.insert(remark.clone()) {
                tracing::warn!("{remark}");
            }
        }
    }

    fn tell(&mut self, driver: &mut Driver, telling: &mut impl Telling, herald: &mut Herald, orders: &Orders) {
        let now = driver.now();
        for entry in driver.take_done() {
            telling.done(&entry);
            orders.did(&entry);
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
            self.announce_again(driver);
            self.service.ready();
            telling.ready();
        }
    }
}
