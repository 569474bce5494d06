//! One process of hubsync, its folder, its state and its hub, with a clock that the test moves.
//!
//! Every effect waits in a queue until the test carries it out: `grant`, `store`, `apply`, `answer`, or what goes wrong
//! instead. `settle` carries out everything until nothing is left to do. Requests and answers pass as bytes, records as
//! JSON, so that what a restart forgets is forgotten here too.
//!
//! Length: one value, the process with its hands; what tests say to it and see of it is in `scene`.

use std::collections::{BTreeMap, VecDeque};

use hubsync::engine::change::{Change, FileChange, IdLine, OwnText};
use hubsync::engine::request::{Answer, AnswerBody, Request};
use hubsync::engine::settled::RootHealth;
use hubsync::engine::{About, Archives, Decided, Effect, Engine, Id, Input, Memory, Mode, Rest, Setting};
use hubsync::hub::api;
use hubsync::local::identity::{Home, Presence};
use hubsync::pace::quota::{Lane, Limits, Quota, SlotId};
use hubsync::page::{DocPath, Mono, Now, PageId, Stamp, Wall};
use hubsync::policy::{ConflictCheck, OnDelete, OnDifference, Policy};
use hubsync::reason::State;
use hubsync::sandbox::{self, Model, SANDBOX_KEY, Settings, Time};

mod scene;

use super::disk::{Disk, Tail};
use super::folder::{Folder, Quiet};
use super::ledger::Ledger;
use super::network::Fate;
use super::watch::Watch;

pub use super::folder::Doc;
pub use scene::{SYNC, many, met, met_with};

/// A request under way.
#[derive(Clone, Debug)]
pub struct Flight {
    pub id: Id,
    pub request: Request,
    pub(super) sent: Now,
    /// The same by the hub's clock.
    pub(super) sent_at: i64,
    pub(super) travels: sandbox::Request,
    /// When the look that a write rests on was evaluated.
    pub(super) looked: i64,
    pub(super) arrived: Option<sandbox::Response>,
}

impl Flight {
    pub fn has_arrived(&self) -> bool {
        self.arrived.is_some()
    }

    pub fn is_write(&self) -> bool {
        self.request.is_write()
    }

    /// The page that it writes to.
    pub fn writes_to(&self) -> Option<String> {
        writes_to(&self.request).map(str::to_owned)
    }

    pub fn is_about_a_page(&self) -> bool {
        matches!(self.request, Request::Get(_)) || self.is_write()
    }

    /// When its time is up.
    pub fn hangs_until(&self) -> i64 {
        self.sent_at + 30_000
    }

    /// The same, when its connection is dead and it arrives later.
    fn late(&self, at: i64) -> Late {
        Late { at, request: self.travels.clone(), looked: self.looked }
    }

    pub fn is_about(&self, page: &str) -> bool {
        match &self.request {
            Request::Get(id) | Request::Archive(id) => id.as_str() == page,
            Request::Patch(patch) => patch.page.as_str() == page,
            Request::List { .. } | Request::Names(..) | Request::Create(_) => false,
        }
    }
}

/// What becomes of a command that is to write a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Writes,
    Dies,
    WritesAndDies,
}

/// Whether the connection of a request still lives when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    InTime,
    Late,
}

/// A request whose connection is dead, and that arrives all the same.
#[derive(Clone, Debug)]
pub(super) struct Late {
    pub at: i64,
    pub request: sandbox::Request,
    pub looked: i64,
}

#[derive(Clone)]
pub struct World {
    pub hub: Model,
    pub engine: Engine,
    pub policy: Policy,
    pub setting: Setting,
    /// Milliseconds since the epoch, as the hub's clock has it.
    pub time: i64,
    /// How far our wall clock is ahead of the hub's.
    pub skew: i64,
    /// How long our monotonic clock has stood still since the process began: the machine was suspended.
    lag: i64,
    booted: i64,
    pub folder: Folder,
    pub disk: Disk,
    pub stored: usize,
    pub(super) quota: Quota,
    /// The ledger's file: what the next process knows of the requests spent.
    pub(super) ledger: Ledger,
    pub(super) limits: Limits,
    pub(super) slots: BTreeMap<Id, SlotId>,
    taken: i64,
    pub reserves: VecDeque<(Id, Lane)>,
    pub stores: VecDeque<(Id, Box<Change>)>,
    pub flights: VecDeque<Flight>,
    pub(super) late: Vec<Late>,
    /// Pages that were to be archived, when, and which files named them then.
    pub archives: Vec<(PageId, i64, Vec<String>)>,
    /// Ids that are to be written into files.
    pub id_lines: VecDeque<(Id, IdLine)>,
    pub rereads: Vec<DocPath>,
    /// Documents that a command is to write.
    pub file_writes: VecDeque<(Id, DocPath, Box<FileChange>)>,
    pub fates: VecDeque<Fate>,
    pub write_fates: VecDeque<Fate>,
    pub no_network: bool,
    /// Pages whose requests the hub always fails with 500.
    pub poison: Vec<&'static str>,
    /// The hub's answers have no `Date`.
    pub no_date: bool,
    pub key: String,
    pub key_source: String,
    /// So many rows a page of a list, whatever is asked for; 0: as asked for.
    pub rows: usize,
    pub watch: Watch,
    pub trace: Vec<String>,
    pub root: RootHealth,
    /// The daemon waits until files have come to rest, as it does; tests that save and tell need not.
    pub patient: bool,
}

pub const START: i64 = 1_780_000_000_123;

impl World {
    pub fn new() -> Self {
        Self::with(Mode::Daemon, Policy::default(), Settings::default())
    }

    pub fn with(mode: Mode, policy: Policy, settings: Settings) -> Self {
        let setting = Setting { mode, scope: Vec::new(), hold_ms: 0, jitter: 0.5, archives: Archives::Guarded };
        let limits = Limits {
            per_minute: settings.per_minute,
            per_day: settings.per_day,
            reserved_for_edits: settings.per_day / 10,
        };
        let mut watch = Watch::new(limits);
        watch.unchecked = policy.conflict_check == ConflictCheck::Off;
        let hold = [policy.on_conflict, policy.on_first_meeting].iter().all(|what| *what == OnDifference::Hold);
        watch.holds = hold && !watch.unchecked;
        watch.archives = policy.on_delete == OnDelete::Archive;
        let folder = Folder::new(policy.rules.clone(), policy.debounce, policy.max_delay);
        Self {
            hub: Model::new(settings),
            engine: Engine::new(policy.clone(), setting.clone(), Memory::default()),
            policy,
            setting,
            time: START,
            skew: 0,
            lag: 0,
            booted: START,
            folder,
            disk: Disk::default(),
            stored: 0,
            quota: Quota::new(limits),
            ledger: Ledger::default(),
            limits,
            slots: BTreeMap::new(),
            taken: 0,
            reserves: VecDeque::new(),
            stores: VecDeque::new(),
            flights: VecDeque::new(),
            late: Vec::new(),
            archives: Vec::new(),
            id_lines: VecDeque::new(),
            rereads: Vec::new(),
            file_writes: VecDeque::new(),
            fates: VecDeque::new(),
            write_fates: VecDeque::new(),
            no_network: false,
            poison: Vec::new(),
            no_date: false,
            key: SANDBOX_KEY.to_owned(),
            key_source: SANDBOX_KEY.to_owned(),
            rows: 0,
            watch,
            trace: Vec::new(),
            root: RootHealth::Ok,
            patient: false,
        }
    }

    // ---- clocks

    pub fn now(&self) -> Now {
        let mono = Mono(u64::try_from(self.time - self.booted - self.lag).unwrap());
        Now { mono, wall: Wall(self.time + self.skew) }
    }

    pub fn hub_time(&self) -> Time {
        Time(self.time * 1000)
    }

    /// Time passes; what was on its way arrives.
    pub fn tick(&mut self, ms: i64) {
        let until = self.time + ms;
        while let Some(next) = self.late.iter().enumerate().min_by_key(|(_, late)| late.at).map(|(n, _)| n) {
            if self.late[next].at > until {
                break;
            }
            let late = self.late.remove(next);
            self.time = late.at.max(self.time);
            self.trace.push("a late one".to_owned());
            self.arrive(&late.request, late.looked, Arrival::Late);
        }
        self.time = until;
    }

    /// The wall clock is set; the process notices where it is much.
    pub fn set_clock(&mut self, by: i64) {
        self.trace.push(format!("the clock jumps by {by} ms"));
        self.skew += by;
        self.clock_was_set(by);
        if by.abs() > 60_000 {
            self.handle(Input::Woke);
            self.rescan();
        }
    }

    /// The machine sleeps: its connections die, what was on the wire arrives, and a little later the process notices.
    pub fn suspend(&mut self, ms: i64) {
        self.trace.push(format!("suspended for {ms} ms"));
        self.time += 1;
        self.lag += ms;
        let flights: Vec<usize> = (0..self.flights.len()).rev().collect();
        let on_the_wire: Vec<Late> =
            self.flights.iter().filter(|flight| !flight.has_arrived()).map(|f| f.late(self.time + 2_000)).collect();
        self.late.extend(on_the_wire);
        self.tick(ms);
        for n in flights {
            self.lose_nth(n);
        }
        self.pump();
    }

    // ---- the process

    pub fn handle(&mut self, input: Input) {
        let now = self.now();
        self.engine.handle(now, input);
        self.pump();
    }

    /// The rows that answered go into the trace.
    fn trail(&mut self) {
        let rows = self.engine.take_trail().into_iter().map(|Decided { about, rule }| match about {
            About::Page(page) => format!("  {page}: {rule}"),
            About::Newborn(path) => format!("  {}: {rule}", path.to_text()),
        });
        self.trace.extend(rows);
    }

    /// Takes the engine's effects in.
    pub fn pump(&mut self) {
        let now = self.now();
        for _ in 0..10_000 {
            let effect = self.engine.poll(now);
            self.trail();
            let Some(effect) = effect else { return };
            match effect {
                Effect::Reserve(id, lane) => self.reserves.push_back((id, lane)),
                Effect::Return(id) => self.give_back(id),
                Effect::Store(id, change) => self.stores.push_back((id, change)),
                Effect::Send(id, request) => self.send(id, request),
                Effect::WriteId(id, line) => self.id_lines.push_back((id, line)),
                Effect::Known(page, path) => self.folder.known(page, path),
                Effect::Write(id, path, change) => self.file_writes.push_back((id, path, change)),
                Effect::Reread(path) => self.rereads.push(path),
                Effect::Rescan => self.folder.note_everything(now.mono),
            }
        }
        panic!("the engine has effects without end");
    }

    fn give_back(&mut self, id: Id) {
        let slot = self.slots.remove(&id).unwrap();
        self.never_sent(slot);
    }

    fn send(&mut self, id: Id, request: Request) {
        let sent = self.now();
        let (mut body, mut looked) = (None, self.time);
        let text = match &request {
            Request::Patch(patch) => patch.patch.text.as_ref().map(|text| (&patch.path, patch.source, text.body)),
            Request::Create(create) => Some((&create.path, create.post.source, create.post.body)),
            _ => None,
        };
        if let Some((path, source, print)) = text {
            body = self.folder.body(&path.to_text(), source, print);
            if body.is_none() {
                self.trace.push("stale".to_owned());
                self.give_back(id);
                let body = AnswerBody::Stale;
                let answer = Answer { sent, ended: sent, date: None, body };
                return self.engine.handle(sent, Input::Answered(id, answer));
            }
        }
        if let Request::Archive(id) = &request {
            self.archives.push((id.clone(), self.time, self.folder.naming(id)));
        }
        if let Request::Create(create) = &request {
            let intent = self.disk.birth(&create.path).is_some_and(|birth| birth.doubt.is_some());
            assert!(intent, "a page is made, and nothing on the disk tells of it");
        }
        if let Request::Patch(patch) = &request {
            self.watch.not_refused(patch);
        }
        if let Some(page) = writes_to(&request) {
            looked = self.watch.sent(page, self.time);
            self.watch.stored(&self.disk, page);
        }
        self.trace.push(format!("send {}", short(&request)));
        self.watch.leaves(self.time, &self.key, &self.root, request.is_write());
        let call = api::call(&request, body.as_deref()).unwrap();
        let method = match call.method {
            api::Method::Get => "GET",
            api::Method::Patch => "PATCH",
            api::Method::Post => "POST",
            api::Method::Delete => "DELETE",
        };
        let rows = self.rows.to_string();
        let fewer = |name: &str| self.rows > 0 && name == "page_size";
        let pair = |(name, value): &(&str, String)| {
            format!("{name}={}", if fewer(name) { &rows } else { value }.replace('+', "%2B"))
        };
        let pairs: Vec<String> = call.query.iter().map(pair).collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        let travels = sandbox::Request {
            method: method.to_owned(),
            target: format!("/rest/v1{}{query}", call.path),
            authorization: Some(format!("Bearer {}", self.key)),
            content_type: call.body.as_ref().map(|_| "application/json".to_owned()),
            body: call.body.unwrap_or_default().into_bytes(),
        };
        self.flights.push_back(Flight { id, request, sent, sent_at: self.time, travels, looked, arrived: None });
    }

    pub(super) fn arrive(&mut self, request: &sandbox::Request, looked: i64, arrival: Arrival) -> sandbox::Response {
        self.trace.push(format!("arrives {}", request.method));
        self.watch.arriving(&self.hub, request, &self.disk.backups, looked);
        let response = self.hub.handle(self.hub_time(), request);
        self.watch.arrived(self.time, &self.hub, request, &response, arrival);
        response
    }

    // ---- one effect at a time

    /// A slot is granted, or refused.
    pub fn grant(&mut self) {
        let (id, lane) = self.reserves.pop_front().expect("a slot is asked for");
        self.taken += 1;
        let slot = SlotId(self.taken);
        let answer = self.take_slot(slot, lane);
        if answer.is_ok() {
            self.slots.insert(id, slot);
        }
        self.trace.push(format!("grant {lane:?} {answer:?}"));
        self.handle(Input::Reserved(id, answer));
    }

    /// A change is stored, or fails to be.
    pub fn store(&mut self) {
        let (id, change) = self.stores.pop_front().expect("a change is to be stored");
        self.stored += 1;
        let result = self.disk.commit(*change);
        self.trace.push(if result.is_ok() { "store" } else { "store fails" }.to_owned());
        self.handle(Input::Stored(id, result));
    }

    /// The id of a page is written into its document, if that is what it was.
    pub fn write_id(&mut self) {
        let (id, line) = self.id_lines.pop_front().expect("an id is to be written");
        assert!(self.disk.record(&line.page).is_some(), "an id is written of which nothing on the disk tells");
        let written = self.folder.write_id(self.now(), &line);
        self.trace.push(format!("id of {} into {}: {written:?}", line.page, line.path.to_text()));
        // The file is another: what was refused of an older one may come back.
        self.watch.gone(line.page.as_str());
        self.handle(Input::IdWritten(id, written));
    }

    /// The hub gets the `n`th request under way.
    pub fn apply_nth(&mut self, n: usize) {
        let (request, looked) = (self.flights[n].travels.clone(), self.flights[n].looked);
        assert!(self.flights[n].arrived.is_none(), "it has arrived");
        let response = self.arrive(&request, looked, Arrival::InTime);
        self.watch.evaluated(&self.flights[n].request, self.time);
        self.flights[n].arrived = Some(response);
    }

    pub fn apply(&mut self) {
        self.apply_nth(0);
    }

    /// The answer of the `n`th request reaches us.
    pub fn answer_nth(&mut self, n: usize) {
        let flight = self.flights.remove(n).expect("a request is under way");
        let response = flight.arrived.clone().expect("it has arrived");
        self.answered_with(flight, response);
    }

    pub fn answer(&mut self) {
        self.answer_nth(0);
    }

    /// The command that a person waits for writes a document.
    pub fn write_document(&mut self, command: Command) {
        let Some((id, path, change)) = self.file_writes.pop_front() else { return };
        let text = path.to_text();
        self.trace.push(format!("the command at {text}: {command:?} {:?}", change.own_text));
        let (page, now) = (change.page.clone(), self.now());
        let own = self.folder.get(&text).map(|doc| doc.body.clone()).unwrap_or_default();
        let mut result = match command {
            Command::Dies => Ok(None),
            Command::Writes | Command::WritesAndDies => self.folder.write_as_decided(now, &text, &change),
        };
        if let (Ok(Some(doc)), true) = (&result, command != Command::Dies) {
            self.watch.says(page.as_str(), &doc.body);
        }
        if result.is_ok() && command != Command::Dies {
            self.stands_beside(&text, &own, &change);
            self.folder.note(now.mono, &text);
        }
        if command != Command::Writes {
            result = Err("the command has ended".to_owned());
        } else if result.is_ok() {
            self.rereads.push(path);
        }
        self.handle(Input::Wrote(id, result.map(drop)));
    }

    /// Where both texts were to be kept, the document's own is still in its file.
    fn stands_beside(&self, path: &str, own: &str, change: &FileChange) {
        let bytes = self.folder.bytes(path).unwrap_or_default();
        let file = String::from_utf8_lossy(bytes);
        let mut lines = own.lines().filter(|_| change.own_text == OwnText::Beside);
        assert!(lines.all(|line| file.contains(line)), "{path}: {own:?} was to be kept beside the hub's: {file}");
    }

    // ---- until it rests

    /// Carries out one thing; whether there was any.
    pub fn work(&mut self) -> bool {
        self.pump();
        if !self.reserves.is_empty() {
            self.grant();
        } else if !self.stores.is_empty() {
            self.store();
        } else if !self.id_lines.is_empty() {
            self.write_id();
        } else if let Some(first) = self.flights.front() {
            let write = first.is_write();
            let queue = if write && !self.write_fates.is_empty() { &mut self.write_fates } else { &mut self.fates };
            let fate = queue.pop_front().unwrap_or(Fate::Answered);
            let fate = if self.poison.iter().any(|id| first.is_about(id)) { Fate::Gateway(500) } else { fate };
            let fate = if self.no_network { Fate::Unsent } else { fate };
            self.tick(5);
            self.meet(fate);
        } else if let Some(path) = self.rereads.pop() {
            self.tell(&[&path.to_text()]);
        } else if !self.file_writes.is_empty() {
            self.write_document(Command::Writes);
        } else {
            return self.notice();
        }
        true
    }

    /// Carries everything out until nothing is left to do, or nobody knows until when.
    pub fn settle(&mut self) {
        // The longest pause that is believed takes a day.
        let deadline = self.time + 26 * 3_600_000;
        loop {
            self.work_all();
            let now = self.now();
            let rest = self.engine.rest(now);
            if rest == Rest::Done || matches!(rest, Rest::Waiting { until: None, .. }) {
                return;
            }
            assert!(self.time < deadline, "it does not settle: {rest:?}\n{:#?}\n{}", self.restless(), self.story());
            self.sleep(now, i64::MAX);
        }
    }

    /// What has not come to rest.
    fn restless(&self) -> Vec<String> {
        let pages = self.summary().pages;
        let waits = |page: &&hubsync::engine::PageReport| matches!(page.state, State::Pending | State::Failed);
        pages
            .iter()
            .filter(waits)
            .map(|page| format!("{} {:?} {} {:?}", page.path.to_text(), page.state, page.rule, page.reason))
            .collect()
    }

    /// Lets `ms` pass, carrying everything out as it comes due.
    pub fn run(&mut self, ms: i64) {
        let until = self.time + ms;
        loop {
            self.work_all();
            if self.time >= until {
                return;
            }
            self.sleep(self.now(), until);
        }
    }

    fn work_all(&mut self) {
        let before = self.time;
        let mut done = 0;
        while self.work() {
            done += 1;
            let busy = self.time == before && done > 2_000;
            assert!(!busy && done < 200_000, "it never comes to rest\n{}", self.story());
        }
    }

    /// Until the engine wants to be woken.
    fn sleep(&mut self, now: Now, until: i64) {
        let wake = self.engine.wakeup(now).into_iter().chain(self.folder.wakeup()).min();
        let start = self.booted + self.lag;
        let at = wake.map_or(i64::MAX, |at| i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(start));
        let at = at.min(until);
        assert!(at > self.time, "it wants to be woken at once, but has nothing to do\n{}", self.story());
        assert!(at < i64::MAX, "it waits for nothing\n{}", self.story());
        self.tick(at - self.time);
        self.handle(Input::Tick);
    }

    /// The process ends without a word and begins again.
    pub fn crash(&mut self) {
        self.crash_with(Tail::Lost);
    }

    /// The same, with what became of the store that was under way.
    pub fn crash_with(&mut self, tail: Tail) {
        self.trace.push(format!("crash, {tail:?}"));
        // Slots stay occupied until their requests count as answered.
        self.slots.clear();
        for flight in std::mem::take(&mut self.flights) {
            // What was on the wire can still arrive.
            if flight.arrived.is_none() && flight.is_write() {
                self.late.push(flight.late(self.time + 3_000));
            }
        }
        if let Some((_, change)) = self.stores.pop_front() {
            self.disk.die_writing(*change, tail);
        }
        self.watch.ended_in_doubt(self.disk.in_doubt());
        self.begin();
    }

    /// A process begins, with what the disk remembers.
    pub fn begin(&mut self) {
        self.reserves.clear();
        self.stores.clear();
        self.id_lines.clear();
        self.rereads.clear();
        self.file_writes.clear();
        (self.booted, self.lag) = (self.time, 0);
        self.watch.restarted();
        self.read_ledger();
        let memory = self.disk.load();
        // The process that moves a damaged state aside sends nothing for 5 s, nor does one that follows it within them.
        let lately = self.disk.anew.is_some_and(|anew| self.now().wall.0 - anew < 5_000);
        let setting = Setting { hold_ms: if lately { 5_000 } else { self.setting.hold_ms }, ..self.setting.clone() };
        let home = |path: &DocPath, missed: Option<Wall>| Home {
            path: path.clone(),
            presence: missed.map_or(Presence::There, Presence::Missed),
        };
        let known = memory.pages.iter().map(|(id, path, record)| (id.clone(), home(path, record.missed))).collect();
        self.engine = Engine::new(self.policy.clone(), setting, memory);
        self.folder.restart(known);
        self.rescan();
    }

    /// The process ends in peace and begins again, in another mode perhaps.
    pub fn restart(&mut self, mode: Mode) {
        self.run(500);
        assert!(self.flights.is_empty() && self.stores.is_empty());
        self.setting.mode = mode;
        self.crash();
    }

    /// What the next process will remember.
    pub fn memory(&self) -> Memory {
        self.disk.load()
    }

    /// Everything that is remembered is lost.
    pub fn lose_the_state(&mut self) {
        self.disk.lose();
    }
}

/// The page that a request writes to.
fn writes_to(request: &Request) -> Option<&str> {
    match request {
        Request::Patch(patch) => Some(patch.page.as_str()),
        Request::Archive(id) => Some(id.as_str()),
        _ => None,
    }
}

pub fn short(request: &Request) -> String {
    match request {
        Request::Get(id) => format!("GET {id}"),
        Request::List { updated_after, page } => format!("LIST {:?} {page}", updated_after.map(Stamp::to_iso)),
        Request::Names(kind, page) => format!("NAMES {kind:?} {page}"),
        Request::Patch(patch) => format!("PATCH {} {:?}", patch.page, patch.patch.api_fields()),
        Request::Create(create) => format!("POST {} {:?}", create.path.to_text(), create.post.title),
        Request::Archive(id) => format!("DELETE {id}"),
    }
}
