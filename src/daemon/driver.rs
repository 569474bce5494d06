//! Joins the engine to what carries out its effects. Knows nothing of why it is run: `one_shot` and `event_loop` wait for
//! events and hand them in.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::daemon::clock::Clock;
use crate::daemon::id_line;
use crate::daemon::keeper::{Keeper, Kept, Spent};
use crate::daemon::sender::Sender;
use crate::engine::change::{FileChange, IdLine, LogEntry, PersonPause, Written};
use crate::engine::request::{Answer, AnswerBody, KeySource, Request};
use crate::engine::{About, Decided, Effect, Engine, Id, Input};
use crate::local::cache::CacheEntry;
use crate::local::folder::Round;
use crate::pace::quota::{Limits, NotUntil};
use crate::page::{DocPath, Now, PageId, Wall};
use crate::state::store::{Daemon, FileEntry, Told};
use crate::state::usage::HubKey;

/// What came of an effect.
#[derive(Debug)]
pub enum Event {
    /// A slot was granted or refused.
    Reserved(Id, Result<(), NotUntil>),
    /// A slot could not be written down, and why.
    NoLedger(Id, String),
    /// A change was stored, with the log lines in it; or why not.
    Stored(Id, Result<Vec<LogEntry>, String>),
    /// A request ended.
    Answered(Id, Answer),
    /// A page's id was written into its document, or why not.
    IdWritten(Id, Written),
}

/// A document that is to be written.
#[derive(Clone, Debug)]
pub struct ToWrite {
    /// By which its answer finds home.
    pub id: Id,
    /// Its file.
    pub path: DocPath,
    /// What it is to say.
    pub change: Box<FileChange>,
}

/// Whether new requests may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    /// Only what is under way is brought to its end.
    Stopping,
}

/// The engine with its hands.
#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    clock: Clock,
    keeper: Keeper,
    sender: Arc<Sender>,
    /// Whose budget is spent.
    hub: HubKey,
    events: UnboundedReceiver<Event>,
    tell: UnboundedSender<Event>,
    going: Going,
    under_way: usize,
    reread: Vec<DocPath>,
    rescan: bool,
    writes: Vec<ToWrite>,
    known: Vec<(PageId, DocPath)>,
    done: Vec<LogEntry>,
    served: Option<Wall>,
}

impl Driver {
    /// Starts the thread that keeps the state.
    pub fn start(engine: Engine, clock: Clock, kept: Kept, sender: Arc<Sender>) -> std::io::Result<Self> {
        let (tell, events) = unbounded_channel();
        let keeper = Keeper::start(kept, clock.clone(), tell.clone())?;
        Ok(Self {
            engine,
            clock,
            keeper,
            hub: sender.hub_key(),
            sender,
            events,
            tell,
            going: Going::On,
            under_way: 0,
            reread: Vec::new(),
            rescan: false,
            writes: Vec::new(),
            known: Vec::new(),
            done: Vec::new(),
            served: None,
        })
    }

    /// The engine, to ask it how everything stands.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Who sends.
    pub fn sender(&self) -> Arc<Sender> {
        Arc::clone(&self.sender)
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The clocks.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Tells the engine something.
    pub fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        self.engine.handle(now, input);
    }

    /// Carries out all that the engine asks for by now.
    pub fn step(&mut self) {
        while let Some(effect) = self.engine.poll(self.clock.now()) {
            match effect {
                // Not answered: the engine asks for no other while it waits, which is what stopping means.
                Effect::Reserve(..) if self.going == Going::Stopping => {}
                Effect::Reserve(id, lane) => self.keeper.reserve(id, lane),
                Effect::Return(id) => self.keeper.settle(id, Spent::NeverSent),
                Effect::Send(id, request) => self.send(id, request),
                Effect::Store(id, change) => {
                    self.under_way += 1;
                    self.keeper.store(id, change);
                }
                Effect::Write(id, path, change) => self.writes.push(ToWrite { id, path, change }),
                Effect::WriteId(id, line) => self.write_id(id, line),
                Effect::Known(page, path) => self.known.push((page, path)),
                Effect::Reread(path) => self.reread.push(path),
                Effect::Rescan => self.rescan = true,
            }
        }
        self.tell_rows();
    }

    /// Which rows of the table answered goes into the log.
    fn tell_rows(&mut self) {
        for Decided { about, rule } in self.engine.take_trail() {
            match about {
                About::Page(page) => {
                    let path = self.engine.path_of(&page).map(DocPath::to_text);
                    tracing::trace!(page_id = page.as_str(), path, rule, "decided");
                }
                About::Newborn(path) => tracing::trace!(path = path.to_text(), rule, "decided"),
            }
        }
    }

    fn send(&mut self, id: Id, request: Request) {
        self.under_way += 1;
        let (sender, tell) = (Arc::clone(&self.sender), self.tell.clone());
        tokio::spawn(async move {
            let answer = sender.send(&request).await;
            // Nobody listens any more when the program ends.
            drop(tell.send(Event::Answered(id, answer)));
        });
    }

    /// Not held up by a stop: a page that is made should be named by its file.
    fn write_id(&mut self, id: Id, line: IdLine) {
        self.under_way += 1;
        let (root, tell) = (self.sender.root().to_owned(), self.tell.clone());
        tokio::spawn(async move {
            let written = tokio::task::spawn_blocking(move || id_line::write(&root, &line)).await;
            let written = written.unwrap_or_else(|error| Written::Failed(error.to_string()));
            // Nobody listens any more when the program ends.
            drop(tell.send(Event::IdWritten(id, written)));
        });
    }

    /// The next event. Safe to drop while it waits.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.recv().await {
                return event;
            }
            // We hold a sender ourselves, so the channel never ends.
            std::future::pending::<()>().await;
        }
    }

    /// Takes in what came of an effect.
    pub fn take(&mut self, event: Event) {
        let input = match event {
            Event::Reserved(id, answer) => Input::Reserved(id, answer),
            Event::NoLedger(id, why) => Input::NoLedger(id, why),
            Event::Stored(id, result) => {
                self.under_way = self.under_way.saturating_sub(1);
                Input::Stored(id, result.map(|log| self.done.extend(log)))
            }
            Event::IdWritten(id, written) => {
                self.under_way = self.under_way.saturating_sub(1);
                Input::IdWritten(id, written)
            }
            Event::Answered(id, answer) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.keeper.settle(id, spent(&answer));
                self.served = if is_served(&answer) { Some(answer.ended.wall) } else { self.served };
                if answer.body == AnswerBody::Unauthorized(KeySource::Renewed) {
                    self.follow_key();
                }
                Input::Answered(id, answer)
            }
        };
        self.handle(input);
    }

    /// Takes in what was found in the folder.
    pub fn round(&mut self, round: Round) {
        self.keeper.files(file_entries(round.cache_put), round.cache_gone);
        self.handle(Input::Health(round.health));
        self.handle(Input::Settled(round.settled));
    }

    /// Keeps a person's pause: nothing is sent from now on, and not after a restart either, once it is answered.
    pub fn pause(&mut self, pause: Option<PersonPause>) -> oneshot::Receiver<Result<(), String>> {
        self.handle(Input::Paused(pause));
        self.keeper.pause(pause)
    }

    /// The sender may have another key by now: its budget is spent from here on, and what the old one shut is open.
    pub fn follow_key(&mut self) {
        let hub = self.sender.hub_key();
        if hub != self.hub {
            self.hub = hub;
            self.keeper.hub(hub);
            self.handle(Input::KeyRenewed);
        }
    }

    /// Whose budget is spent.
    pub fn hub_key(&self) -> HubKey {
        self.hub
    }

    /// Other limits from now on, and how long a request may be under way, in milliseconds.
    pub fn limits(&mut self, limits: Limits, timeout: i64) {
        self.keeper.limits(limits, timeout);
    }

    /// Says which daemon runs, for `status`.
    pub fn announce(&self, daemon: Option<Daemon>) {
        self.keeper.daemon(daemon);
    }

    /// Remembers which problems a person was told of.
    pub fn told(&self, told: Told) {
        self.keeper.told(told);
    }

    /// When the hub last gave what it was asked for, in this run.
    pub fn served(&self) -> Option<Wall> {
        self.served
    }

    /// Pages that are known by their files' paths from now on. To be told to the folder before it is looked at again.
    pub fn take_known(&mut self) -> Vec<(PageId, DocPath)> {
        std::mem::take(&mut self.known)
    }

    /// Files that are not what was decided on: they are to be looked at again.
    pub fn take_reread(&mut self) -> Vec<DocPath> {
        std::mem::take(&mut self.reread)
    }

    /// Whether everything is to be looked at again.
    pub fn take_rescan(&mut self) -> bool {
        std::mem::take(&mut self.rescan)
    }

    /// Documents that are to be written; each is answered by [`Input::Wrote`].
    pub fn take_writes(&mut self) -> Vec<ToWrite> {
        std::mem::take(&mut self.writes)
    }

    /// This file is to be looked at again.
    pub fn look_again(&mut self, path: DocPath) {
        self.reread.push(path);
    }

    /// What has been done to the hub since this was last asked.
    pub fn take_done(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.done)
    }

    /// Begins nothing new any more.
    pub fn stop(&mut self) {
        self.going = Going::Stopping;
    }

    /// How many requests and changes are under way.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Waits until all that was to be stored is stored, and ends.
    pub fn finish(self) -> Engine {
        self.keeper.finish();
        self.engine
    }
}

/// Whether the hub gave what it was asked for.
fn is_served(answer: &Answer) -> bool {
    use AnswerBody::{Folders, Page, Rows, Skills, Sources};
    matches!(answer.body, Page(_) | Rows(_) | Folders(_) | Skills(_) | Sources(_))
}

/// What an answer means for its slot of the budget.
fn spent(answer: &Answer) -> Spent {
    match answer.body {
        AnswerBody::Unsent { .. } | AnswerBody::Stale | AnswerBody::Unwritable { .. } => Spent::NeverSent,
        AnswerBody::RateLimited { retry_after: Some(ms) } => {
            Spent::Paused(answer.ended.wall.plus(i64::try_from(ms).unwrap_or(i64::MAX)))
        }
        _ => Spent::Answered,
    }
}

/// What was seen of files, as the state keeps it.
pub fn file_entries(seen: Vec<(DocPath, CacheEntry)>) -> Vec<FileEntry> {
    let entry = |(path, entry): (DocPath, CacheEntry)| match serde_json::to_string(&entry) {
        Ok(json) => Some(FileEntry { path, json }),
        // It can be had again: the file is read anew next time.
        Err(error) => {
            tracing::warn!(%error, "what was seen of a file can't be kept");
            None
        }
    };
    seen.into_iter().filter_map(entry).collect()
}

/// What the state keeps of files, as `local/` takes it; what can't be read is read from the files again.
pub fn cache_entries(kept: Vec<FileEntry>) -> Vec<(DocPath, CacheEntry)> {
    let entry = |kept: FileEntry| serde_json::from_str(&kept.json).ok().map(|entry| (kept.path, entry));
    kept.into_iter().filter_map(entry).collect()
}
