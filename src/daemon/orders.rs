//! The orders that are under way: what each waits for, what its people are told, and when it is over. Stepped by `event_loop`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::Config;
use crate::daemon::control::{
    Asked, Control, FirstMeeting, Order, Progress, Replies, Reply, Reported, Standing, SyncOrder, WriteOrder,
};
use crate::daemon::driver::{Driver, ToWrite};
use crate::daemon::event_loop::Tree;
use crate::daemon::meetings::Meetings;
use crate::daemon::one_shot::gives_up;
use crate::engine::change::{HubState, LogEntry, PersonPause};
use crate::engine::settled::RootHealth;
use crate::engine::{Archives, Id, Input, NotForgotten, OrderId, PublishNow, Rest, Summary, WaitsOn};
use crate::local::folder::Round;
use crate::page::{DocPath, Mono, Now, PageId, Wall};
use crate::policy::{Create, OnDifference};
use crate::reconcile::page_record::Resolution;
use crate::state::usage::HubKey;

/// How often a file that is being written is looked at again, as by a `sync` without a daemon.
const TRIES: u32 = 10;
/// Between two such looks.
const BETWEEN: Duration = Duration::from_millis(200);
/// How often an order is attended to although nothing happened, and its people are told how far it is.
const TELL: Duration = Duration::from_millis(250);
/// How long an order is busy at the least before `--max-wait` ends it, in milliseconds.
const BUSY_MS: u64 = 10_000;
/// How long a pause waits for the requests that have left already, in milliseconds.
const LEFT_MS: u64 = 10_000;

/// Makes the report of what a `sync` came to.
pub type Reporting = fn(&Config, Summary, HubKey, Now, &SyncOrder) -> Reported;

/// All orders under way.
#[derive(Debug)]
pub struct Orders {
    control: Control,
    syncs: BTreeMap<OrderId, Sync>,
    /// Documents that commands are writing.
    writes: BTreeMap<u64, (OrderId, DocPath)>,
    forgets: Vec<(PageId, Replies)>,
    meetings: Meetings,
    pauses: Vec<Pausing>,
    pause: Option<PersonPause>,
    next: u64,
}

#[derive(Debug)]
struct Sync {
    order: SyncOrder,
    /// What a person decided, until the engine knows it.
    undecided: Vec<(PageId, Resolution)>,
    scope: Vec<DocPath>,
    replies: Replies,
    phase: Phase,
    tries: u32,
    begun: Mono,
    before: BTreeMap<&'static str, u32>,
    told: Option<Progress>,
    next_told: Instant,
}

/// How far a sync is.
#[derive(Debug)]
enum Phase {
    /// The folder is asked; the answer is the round that knows of so many questions.
    Asked(u64),
    /// These are being written, and are looked at again then.
    Again(Instant, Vec<DocPath>),
    /// The engine has what the folder says.
    Publishing,
}

#[derive(Debug)]
struct Pausing {
    paused: bool,
    was_paused: bool,
    kept: oneshot::Receiver<Result<(), String>>,
    unkept: Option<Option<String>>,
    replies: Replies,
    until: Mono,
}

impl Orders {
    /// Takes orders from this socket. `pause`: what a person said before.
    pub fn new(control: Control, pause: Option<PersonPause>) -> Self {
        Self {
            control,
            syncs: BTreeMap::new(),
            writes: BTreeMap::new(),
            forgets: Vec::new(),
            meetings: Meetings::default(),
            pauses: Vec::new(),
            pause,
            next: 0,
        }
    }

    /// The next order. Safe to drop while it waits.
    pub async fn next(&mut self) -> Asked {
        self.control.next().await
    }

    /// Begins with an order.
    pub fn take(&mut self, asked: Asked, driver: &mut Driver, tree: &mut Tree, root: &Path) {
        let Asked { order, replies } = asked;
        match order {
            Order::Sync(order) if order.root != encoded(root) => replies.end(another_root(root)),
            Order::Sync(order) => self.sync(order, replies, driver, tree),
            Order::Pause(until) => {
                let pause = PersonPause { since: driver.now().wall, until };
                self.pause(Some(pause), replies, driver);
            }
            Order::Resume => self.pause(None, replies, driver),
            Order::Wrote { write, failed } => {
                self.wrote(write, failed, driver, tree);
                replies.end(Reply::Taken);
            }
            Order::Forget(page) => self.forget(page, replies, driver, tree),
            Order::Met(order) if order.root != encoded(root) => replies.end(another_root(root)),
            Order::Met(order) => self.meetings.take(*order, replies, driver, tree),
        }
    }

    fn sync(&mut self, order: SyncOrder, replies: Replies, driver: &mut Driver, tree: &mut Tree) {
        let scope = order.paths.iter().map(|path| decoded(path)).collect::<Option<Vec<DocPath>>>();
        let Some(scope) = scope else {
            let why = "a path of this order leads out of the root".to_owned();
            return replies.end(Reply::Refused { why, exit: 2 });
        };
        let Some(question) = tree.question(scope.clone()) else {
            let why = "the folder does not answer the daemon; try again, and see what `hubsync status` says".to_owned();
            return replies.end(Reply::Refused { why, exit: 75 });
        };
        tracing::info!(paths = scope.len(), "a person said: publish now");
        self.next += 1;
        let id = OrderId(self.next);
        let on_first_meeting = order.first_meeting.map(|side| match side {
            FirstMeeting::Local => OnDifference::Local,
            FirstMeeting::Hold => OnDifference::Hold,
        });
        let create = order.create.then_some(Create::On);
        let archives = if order.confirm_archive { Archives::Confirmed } else { Archives::Guarded };
        let now = PublishNow { scope: scope.clone(), create, archives, on_first_meeting };
        driver.handle(Input::PublishNow(id, now));
        if order.confirm_rewrite {
            driver.handle(Input::ConfirmRewrite(scope.clone()));
        }
        let sync = Sync {
            undecided: order.decided.clone(),
            order,
            scope,
            replies,
            phase: Phase::Asked(question),
            tries: 0,
            begun: driver.now().mono,
            before: driver.engine().requests().clone(),
            told: None,
            next_told: Instant::now(),
        };
        self.syncs.insert(id, sync);
    }

    /// A command has written a document, or could not: the folder is asked what it says by now.
    fn wrote(&mut self, write: u64, failed: Option<String>, driver: &mut Driver, tree: &mut Tree) {
        let Some((order, path)) = self.writes.remove(&write) else { return };
        let written = failed.is_none();
        driver.handle(Input::Wrote(Id(write), failed.map_or(Ok(()), Err)));
        if let Some(sync) = self.syncs.get_mut(&order).filter(|_| written)
            && let Some(question) = tree.question(vec![path])
        {
            sync.phase = Phase::Asked(question);
        }
    }

    /// Documents that are to be written go to whoever ordered it.
    fn hand_out(&mut self, driver: &mut Driver) {
        for ToWrite { id, path, change } in driver.take_writes() {
            let ordered = |sync: &Sync| sync.order.decided.iter().any(|(page, _)| *page == change.page);
            let order = self.syncs.iter().find(|(_, sync)| ordered(sync));
            let line = WriteOrder { write: id.0, path: encoded(path.as_path()), change: (*change).clone() };
            match order.filter(|(_, sync)| sync.replies.tell_surely(Reply::Write(line))) {
                Some((order, _)) => drop(self.writes.insert(id.0, (*order, path))),
                None => {
                    let why = "no command is there any more to write the document".to_owned();
                    driver.handle(Input::Wrote(id, Err(why)));
                }
            }
        }
    }

    fn forget(&mut self, page: PageId, replies: Replies, driver: &mut Driver, tree: &mut Tree) {
        let now = driver.now();
        match driver.engine().forget_page(now, &page) {
            Err(why @ NotForgotten::InDoubt) => replies.end(Reply::Refused { why: why.to_string(), exit: 75 }),
            Err(why @ NotForgotten::Unknown) => replies.end(Reply::Refused { why: why.to_string(), exit: 2 }),
            Ok(path) => {
                tree.forget(page.clone());
                if tree.question(vec![path]).is_none() {
                    tracing::warn!("the folder does not answer, so its document is met again with the next scan");
                }
                self.forgets.push((page, replies));
            }
        }
    }

    /// What is forgotten is answered once that is on the disk.
    fn attend_forgets(&mut self, driver: &mut Driver) {
        for (page, replies) in std::mem::take(&mut self.forgets) {
            if driver.engine().is_stored(&page) {
                replies.end(Reply::Taken);
            } else if !replies.is_closed() {
                self.forgets.push((page, replies));
            }
        }
    }

    fn pause(&mut self, pause: Option<PersonPause>, replies: Replies, driver: &mut Driver) {
        let now = driver.now();
        let was_paused = self.pause.is_some_and(|pause| pause.is_on(now.wall));
        self.pause = pause;
        let kept = driver.pause(pause);
        let until = now.mono.plus(if pause.is_some() { LEFT_MS } else { 0 });
        self.pauses.push(Pausing { paused: pause.is_some(), was_paused, kept, unkept: None, replies, until });
    }

    /// Something was done to the hub.
    pub fn did(&self, entry: &LogEntry) {
        for sync in self.syncs.values().filter(|sync| sync.order_is_about(entry)) {
            sync.replies.tell(Reply::Did(entry.clone()));
        }
    }

    /// The folder has answered: after this round was handed to the engine.
    pub fn round(&mut self, round: &Answered, driver: &mut Driver, tree: &mut Tree) {
        self.meetings.round(round.questions);
        for sync in self.syncs.values_mut() {
            let Phase::Asked(question) = sync.phase else { continue };
            if round.questions < question {
                continue;
            }
            let ask =
                |tree: &mut Tree, scope: Vec<DocPath>| tree.question(scope).map_or(Phase::Publishing, Phase::Asked);
            let unsettled: Vec<DocPath> =
                round.unsettled.iter().filter(|path| path.is_within(&sync.scope)).cloned().collect();
            sync.phase = if round.changed_root && std::mem::take(&mut sync.order.confirm_root) {
                tree.confirm_root();
                ask(tree, Vec::new())
            } else if !unsettled.is_empty() && sync.tries < TRIES {
                sync.tries += 1;
                Phase::Again(Instant::now() + BETWEEN, unsettled)
            } else {
                // What a person decided is about documents as they are, not about some that seem to be written just now.
                driver.handle(Input::Decided(std::mem::take(&mut sync.undecided)));
                Phase::Publishing
            };
        }
    }

    /// Brings each order on as far as it goes now.
    pub fn attend(&mut self, driver: &mut Driver, tree: &mut Tree, config: &Config, report: Reporting) {
        self.attend_pauses(driver);
        self.attend_forgets(driver);
        self.meetings.attend(driver);
        self.hand_out(driver);
        let now = driver.now();
        let ids: Vec<OrderId> = self.syncs.keys().copied().collect();
        for id in ids {
            let Some(sync) = self.syncs.get_mut(&id) else { continue };
            sync.look_again(tree);
            if !sync.replies.is_closed() && !sync.is_over(driver, id, now) {
                sync.tell_progress(driver, now);
                continue;
            }
            self.abandon(id, driver);
            driver.handle(Input::OrderEnded(id));
            if let Some(sync) = self.syncs.remove(&id) {
                sync.end(driver, now, config, report);
            }
        }
    }

    /// What was to be written for this order will not be.
    fn abandon(&mut self, order: OrderId, driver: &mut Driver) {
        let theirs: Vec<u64> =
            self.writes.iter().filter(|(_, (of, _))| *of == order).map(|(write, _)| *write).collect();
        for write in theirs {
            self.writes.remove(&write);
            driver.handle(Input::Wrote(Id(write), Err("the command that was to write it has ended".to_owned())));
        }
    }

    fn attend_pauses(&mut self, driver: &mut Driver) {
        let now = driver.now();
        let hub = driver.engine().health_of_hub(now);
        let hub_until = hub.until.filter(|_| hub.state == HubState::Paused);
        let under_way = driver.under_way();
        for mut pausing in std::mem::take(&mut self.pauses) {
            match pausing.kept.try_recv() {
                Ok(kept) => pausing.unkept = Some(kept.err()),
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => {
                    pausing.unkept.get_or_insert(Some("nothing can be stored any more".to_owned()));
                }
            }
            match pausing.unkept.clone() {
                Some(unkept) if under_way == 0 || now.mono >= pausing.until => {
                    let Pausing { paused, was_paused, replies, .. } = pausing;
                    replies.end(Reply::Standing(Standing { paused, was_paused, under_way, unkept, hub_until }));
                }
                _ => self.pauses.push(pausing),
            }
        }
    }

    /// When to attend to them again although nothing happens.
    pub fn wakeup(&self) -> Option<Instant> {
        let soon = |after| Instant::now() + after;
        if !self.pauses.is_empty() || !self.forgets.is_empty() || self.meetings.wait() {
            return Some(soon(Duration::from_millis(20)));
        }
        (!self.syncs.is_empty()).then(|| soon(TELL))
    }
}

/// What an order needs to know of a round.
#[derive(Clone, Debug)]
pub struct Answered {
    questions: u64,
    changed_root: bool,
    unsettled: Vec<DocPath>,
}

impl Answered {
    /// By this round.
    pub fn by(round: &Round) -> Self {
        let changed_root = matches!(round.health, RootHealth::Changed { .. });
        Self { questions: round.rescans, changed_root, unsettled: round.unsettled.clone() }
    }
}

impl Sync {
    fn order_is_about(&self, entry: &LogEntry) -> bool {
        DocPath::new(&entry.path).is_some_and(|path| path.is_within(&self.scope))
    }

    /// Files that were being written are looked at again.
    fn look_again(&mut self, tree: &mut Tree) {
        if let Phase::Again(at, paths) = &self.phase
            && *at <= Instant::now()
        {
            self.phase = tree.question(paths.clone()).map_or(Phase::Publishing, Phase::Asked);
        }
    }

    fn is_over(&self, driver: &mut Driver, id: OrderId, now: Now) -> bool {
        let deadline = self.begun.plus(self.order.max_wait);
        // What does not merely wait goes on a moment longer, as without a daemon; but nobody waits for what hangs.
        let hangs = now.mono >= deadline.max(self.begun.plus(BUSY_MS));
        if !matches!(self.phase, Phase::Publishing) {
            return hangs;
        }
        match driver.engine().rest_of(now, id) {
            Rest::Done => true,
            Rest::Busy => hangs,
            Rest::Waiting { until, on } => {
                // An outage may be hours old; these people's patience begins with their order.
                let on = on.map(|on| match on {
                    WaitsOn::Unreachable(since) => WaitsOn::Unreachable(since.max(self.begun)),
                    on => on,
                });
                gives_up(until, on, now.mono, deadline)
            }
        }
    }

    fn tell_progress(&mut self, driver: &mut Driver, now: Now) {
        if Instant::now() < self.next_told {
            return;
        }
        self.next_told = Instant::now() + TELL;
        let summary = driver.engine().summary(now).within(&self.scope);
        let total = summary.pages.iter().filter(|page| page.page_id.is_some()).count();
        let pending = summary.counts.pending.min(total);
        let until = summary.waits.as_ref().and_then(|waits| waits.until).map(|at| {
            let ms = i64::try_from(at.since(now.mono)).unwrap_or(i64::MAX);
            now.wall.plus(ms).to_rfc3339()
        });
        let progress = Progress {
            done: (total - pending) as u64,
            total: total as u64,
            pending: pending as u64,
            until,
            reason: summary.waits.map(|waits| waits.reason.message),
        };
        if self.told.as_ref() != Some(&progress) {
            self.replies.tell(Reply::Progress(progress.clone()));
            self.told = Some(progress);
        }
    }

    fn end(self, driver: &mut Driver, now: Now, config: &Config, report: Reporting) {
        if self.replies.is_closed() {
            return;
        }
        let mut summary = driver.engine().summary(now).within(&self.scope);
        for (method, n) in &mut summary.requests {
            *n = n.saturating_sub(self.before.get(method).copied().unwrap_or(0));
        }
        summary.requests.retain(|_, n| *n > 0);
        let reported = report(config, summary, driver.hub_key(), now, &self.order);
        self.replies.end(Reply::Done(reported));
    }
}

fn another_root(root: &Path) -> Reply {
    let why = format!(
        "the daemon of this state keeps {}: name its root so, or give this one a state of its own",
        root.display()
    );
    Reply::Refused { why, exit: 2 }
}

/// A path as an order writes it: percent-encoded, so that any bytes travel in JSON.
pub fn encoded(path: &Path) -> String {
    percent_encoding::percent_encode(path.as_os_str().as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The path that was written so; `None` where it is no path inside the root.
pub fn decoded(text: &str) -> Option<DocPath> {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    DocPath::new(OsStr::from_bytes(&bytes))
}

/// When a pause of so long ends.
pub fn pause_until(now: Wall, how_long: Option<Duration>) -> Option<Wall> {
    how_long.map(|time| now.plus(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}
