//! The machine: steps from settled documents to requests and acknowledged bases.
//!
//! Pure: it is stepped with inputs and answers effects; it never waits, reads a clock, opens a file, parses or sends. So the
//! same engine runs in the daemon, in a one-shot `sync`, in `status` (which carries out nothing) and in tests. Whoever steps
//! it calls [`Engine::handle`] for each thing that happened, then [`Engine::poll`] until it answers `None`, then waits for
//! the next thing or for [`Engine::wakeup`]. Each effect but [`Effect::Return`], [`Effect::Known`], [`Effect::Reread`] and
//! [`Effect::Rescan`] is answered once.
//!
//! The one ordering rule: what is sent was stored before. A slot of the budget is taken first and is not bound to a page:
//! what it is spent on is decided when it is granted, and a write is decided once more when its intent is stored.
//!
//! Reading order: `entry` (one page), `plan` (decide and what follows), `births`, `post` and `born` (documents that get a
//! page), `archives`, `resolve` (what a person decides), `rewrites` (too many texts that nobody touched), `history` (runs
//! without a state), `spend` (slots and requests), `answers` (what came
//! back), `listing` and `gates` (lists, and what keeps requests back), `backlog`, `summary`.

mod answers;
mod archives;
mod backlog;
mod births;
mod born;
pub mod change;
mod entry;
mod gates;
mod history;
mod listing;
mod looks;
mod orders;
pub mod outcome;
mod plan;
mod post;
mod publish_now;
pub mod request;
mod resolve;
mod rewrites;
pub mod settled;
mod spend;
mod summary;
mod trail;
mod unsaved;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::pace::quota::{Lane, NotUntil};
use crate::page::{DocPath, ListKind, Mono, Now, PageId};
use crate::policy::{ConflictCheck, Policy};
use crate::reason::Reason;
use crate::reconcile::birth::{Birth, NAMELESS};
use crate::reconcile::names::Names;
use crate::reconcile::page_record::{PageRecord, Resolution};

use crate::simulation::{Planted, planted};
use births::{Birthing, MadeList};
use change::{Change, FileChange, HubHealth, IdLine, Marks, PersonPause, Written};
use entry::{Entry, Life};
use gates::Gates;
use listing::{NamesRun, PageList};
use post::HubClock;
use request::{Answer, Request};
use resolve::Writing;
use rewrites::Rewrites;
use settled::{History, RootHealth, Settled};
use spend::{Job, Slot};
use unsaved::Unsaved;

pub use answers::MOSTLY_ABSENT;
pub use archives::Archives;
pub use backlog::Waiting;
pub use entry::{Action, Planned, Standing};
pub use gates::{ShutWhy, Waits, WaitsOn};
pub use looks::Met;
pub use publish_now::{OrderId, PublishNow};
pub use resolve::NotForgotten;
pub use summary::{Counts, PageReport, Rest, StillLive, Summary};
pub use trail::{About, Decided};

/// Names one effect, so that its answer finds home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Documents came to rest; the first round holds all of them.
    Settled(Vec<Settled>),
    /// What documents said before, for a run that starts from a revision instead of a state.
    Histories(Vec<History>),
    /// The root is, or isn't, the folder that it was.
    Health(RootHealth),
    /// A slot was granted, or refused until some time.
    Reserved(Id, Result<(), NotUntil>),
    /// The ledger of requests could not be written, and why: there is no slot.
    NoLedger(Id, String),
    /// A request ended.
    Answered(Id, Answer),
    /// A page's id was written into its document, or why not.
    IdWritten(Id, Written),
    /// A change was stored, or why not.
    Stored(Id, Result<(), String>),
    /// The configuration was read again.
    Policy(Policy),
    /// The key is another one.
    KeyRenewed,
    /// A person paused; `None`: they said to go on.
    Paused(Option<PersonPause>),
    /// A person decided which side wins, each on the marks of a page.
    Decided(Vec<(PageId, Resolution)>),
    /// A document was written, or why not.
    Wrote(Id, Result<(), String>),
    /// A person said: what the rules of now make of these documents is right; none named: of all.
    ConfirmRewrite(Vec<DocPath>),
    /// A person said: publish these now.
    PublishNow(OrderId, PublishNow),
    /// A command looked at a page and wrote its document.
    Met(Box<Met>),
    /// That order has ended.
    OrderEnded(OrderId),
    /// The wall clock jumped, or the machine woke up.
    Woke,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Take a slot of the budget; answered by `Reserved` or `NoLedger`.
    Reserve(Id, Lane),
    /// Give a slot back: nothing was sent on it.
    Return(Id),
    /// Send a request on the slot of this id; answered by `Answered`. The slot is freed by the answer.
    Send(Id, Request),
    /// Store this; answered by `Stored`. Changes are stored in the order in which they come.
    Store(Id, Box<Change>),
    /// Write a page's id into its document; answered by `IdWritten`.
    WriteId(Id, IdLine),
    /// The page of this file is known from now on, although the file does not name it yet. Comes before anything that makes
    /// the file be looked at.
    Known(PageId, DocPath),
    /// Write the hub's text into a document; answered by `Wrote`.
    Write(Id, DocPath, Box<FileChange>),
    /// A file is not what was decided on: look at it again and send what it is now.
    Reread(DocPath),
    /// A page's file is to be looked for everywhere: look at everything again.
    Rescan,
}

/// What the engine is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `run`: goes on for ever, patiently.
    Daemon,
    /// `sync`: one round, which begins with a look of its own.
    OneShot(Writes),
    /// `status`: nothing is sent or stored; what would be?
    Offline,
}

/// Whether writes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// They are.
    Send,
    /// `--dry-run`: they are only planned.
    Plan,
}

/// What was kept from the last run.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The pages.
    pub pages: Vec<(PageId, DocPath, PageRecord)>,
    /// Documents without a page of which something is remembered.
    pub births: Vec<(DocPath, Birth)>,
    /// How far lists were read.
    pub marks: Marks,
    /// The tables of names.
    pub names: Names,
    /// How the hub stood.
    pub hub: HubHealth,
}

/// How a run differs from another beside its policy.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What it is run for.
    pub mode: Mode,
    /// Only these documents and what lies below these folders; empty: all.
    pub scope: Vec<DocPath>,
    /// Nothing is sent before this, in milliseconds from the start: 5 s after a damaged state was moved aside, because a
    /// write of the last run may still be on its way and nothing remembers it.
    pub hold_ms: u64,
    /// From 0 to 1; keeps several daemons apart.
    pub jitter: f64,
    /// Whether a person has confirmed how many pages are archived.
    pub archives: Archives,
}

/// The whole machine.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    setting: Setting,
    entries: BTreeMap<PageId, Entry>,
    births: BTreeMap<DocPath, Birthing>,
    loose: BTreeMap<DocPath, summary::Loose>,
    root: RootHealth,
    /// Whether the first round has been planned.
    planned_once: bool,
    marks: Marks,
    names: Names,
    names_read: BTreeMap<ListKind, Mono>,
    names_run: Option<NamesRun>,
    names_wanted: BTreeSet<ListKind>,
    list: Option<PageList>,
    list_wanted: ListWanted,
    /// Why the look that a run begins with was given up.
    unlooked: Option<Reason>,
    list_retry: Option<Mono>,
    list_failures: u32,
    made: Option<MadeList>,
    hub_clock: Option<HubClock>,
    /// When a clock was set or the machine had slept, last.
    woken: Option<Mono>,
    gates: Gates,
    slot: Slot,
    jobs: BTreeMap<Id, Job>,
    stores: BTreeMap<Id, Unsaved>,
    id_lines: BTreeMap<Id, IdLine>,
    writes: BTreeMap<Id, Writing>,
    due: VecDeque<PageId>,
    births_due: VecDeque<DocPath>,
    outbox: VecDeque<Effect>,
    unsaved: Unsaved,
    stored_health: HubHealth,
    next_id: u64,
    next_order: u64,
    orders: BTreeMap<OrderId, PublishNow>,
    requests: BTreeMap<&'static str, u32>,
    news: BTreeSet<PageId>,
    loose_news: BTreeSet<DocPath>,
    /// Folders in which nothing is left.
    emptied: BTreeSet<DocPath>,
    looked: BTreeSet<PageId>,
    missing: BTreeSet<PageId>,
    trail: trail::Trail,
    rewrites: Rewrites,
    /// The wall clock less the monotonic one, in milliseconds, when last told; `None`: never told.
    offset: Option<i64>,
}

/// A wall clock that moves by more than this against the monotonic one was set, or the machine was suspended, in
/// milliseconds.
pub const JUMP_MS: i64 = 60_000;

/// Whether a list of pages is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListWanted {
    No,
    /// The look that every `sync` begins with: nothing is planned before it.
    Opening,
    /// The drift check.
    Drift,
    /// The look that an order begins with: it goes before all else, but holds nothing up.
    Ordered,
}

impl Engine {
    /// A machine that remembers the last run.
    pub fn new(policy: Policy, setting: Setting, memory: Memory) -> Self {
        let mut entries = BTreeMap::new();
        for (id, path, mut record) in memory.pages {
            if matches!(setting.mode, Mode::OneShot(_)) {
                // Names are read again once a run; what was not found in the last one may be there now.
                record.nameless = None;
            }
            if planted(Planted::RefusalForgotten) {
                record.refused = None;
            }
            entries.insert(id, Entry::new(path, record));
        }
        let birthing = |(path, mut birth): (DocPath, Birth)| {
            if matches!(setting.mode, Mode::OneShot(_)) {
                let named = !setting.scope.is_empty() && path.is_within(&setting.scope);
                birth.held = birth.held.filter(|held| !named && !NAMELESS.contains(&held.reason.code));
            }
            (path, Birthing::new(birth))
        };
        let births = memory.births.into_iter().map(birthing).collect();
        let met = entries.values().any(Entry::was_asked_for);
        let opening = matches!(setting.mode, Mode::OneShot(_)) && met && policy.conflict_check == ConflictCheck::On;
        Self {
            gates: Gates::new(setting.jitter),
            policy,
            setting,
            entries,
            births,
            loose: BTreeMap::new(),
            root: RootHealth::Ok,
            planned_once: false,
            marks: memory.marks,
            names: memory.names,
            names_read: BTreeMap::new(),
            names_run: None,
            names_wanted: BTreeSet::new(),
            list: None,
            list_wanted: if opening { ListWanted::Opening } else { ListWanted::No },
            unlooked: None,
            list_retry: None,
            list_failures: 0,
            made: None,
            hub_clock: None,
            woken: None,
            slot: Slot::None,
            jobs: BTreeMap::new(),
            stores: BTreeMap::new(),
            id_lines: BTreeMap::new(),
            writes: BTreeMap::new(),
            due: VecDeque::new(),
            births_due: VecDeque::new(),
            outbox: VecDeque::new(),
            unsaved: Unsaved::default(),
            stored_health: memory.hub,
            next_id: 0,
            next_order: 0,
            orders: BTreeMap::new(),
            requests: BTreeMap::new(),
            news: BTreeSet::new(),
            loose_news: BTreeSet::new(),
            emptied: BTreeSet::new(),
            looked: BTreeSet::new(),
            missing: BTreeSet::new(),
            trail: trail::Trail::default(),
            rewrites: Rewrites::default(),
            offset: None,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.notice_jump(now);
        match input {
            Input::Settled(settled) => self.settled(now, settled),
            Input::Histories(histories) => self.histories(histories),
            Input::Health(health) => self.health(health),
            Input::Reserved(id, answer) => self.reserved(now, id, answer),
            Input::NoLedger(id, why) => self.no_ledger(now, id, &why),
            Input::Answered(id, answer) => self.answered(now, id, answer),
            Input::IdWritten(id, written) => self.id_written(now, id, written),
            Input::Stored(id, result) => self.stored(now, id, result),
            Input::Policy(policy) => self.new_policy(policy),
            Input::KeyRenewed => self.key_renewed(now),
            Input::Paused(pause) => self.gates.pause_by_person(now, pause),
            Input::Decided(decided) => self.decided(now, decided),
            Input::Wrote(id, result) => self.wrote(now, id, result),
            Input::ConfirmRewrite(scope) => self.confirm_rewrite(scope),
            Input::PublishNow(id, order) => self.publish_now(now, id, order),
            Input::Met(met) => self.met(now, *met),
            Input::OrderEnded(id) => self.order_ended(id),
            Input::Woke => self.woke(now),
            Input::Tick => {}
        }
    }

    /// The next thing to do, if there is one.
    pub fn poll(&mut self, now: Now) -> Option<Effect> {
        self.notice_jump(now);
        if self.outbox.is_empty() {
            self.advance(now);
        }
        self.outbox.pop_front()
    }

    /// When to poll again although nothing happened; `None`: not before something does.
    pub fn wakeup(&self, now: Now) -> Option<Mono> {
        if (!self.due.is_empty() || !self.births_due.is_empty()) && self.may_plan() {
            return Some(now.mono);
        }
        let lives = self.entries.values().map(|entry| entry.life);
        let waiting = lives.chain(self.births.values().map(|birthing| birthing.life)).filter_map(|life| match life {
            Life::Waiting(until) => Some(until),
            _ => None,
        });
        let wants = self.wanted_lane().and_then(|lane| self.gates.waits(now.mono, lane)).and_then(|waits| waits.until);
        let hold = (now.mono.0 < self.setting.hold_ms).then_some(Mono(self.setting.hold_ms));
        waiting
            .chain(wants)
            .chain(hold)
            .chain(self.unsaved.due())
            .chain(self.list_retry)
            .chain(self.drift_due(now))
            .min()
    }

    /// What time alone brings about, then plans, stores and asks for slots, as far as each may go now.
    fn advance(&mut self, now: Now) {
        self.wake(now);
        self.plan_due(now);
        self.note_health(now);
        self.save_due(now);
        self.ask_for_slot(now);
    }

    fn fresh_id(&mut self) -> Id {
        self.next_id += 1;
        Id(self.next_id)
    }
}
