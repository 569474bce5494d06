//! One process of hubsync, its folder, its state and its hub, with a clock that the test moves.
//!
//! Every effect waits in a queue until the test carries it out: `grant`, `store`, `apply`, `answer`, or what goes wrong
//! instead. `settle` carries out everything until nothing is left to do. Requests and answers pass as bytes, records as
//! JSON, so that what a restart forgets is forgotten here too.
//!
//! Length: one value, the process with its hands; what tests say to it and see of it is in `scene`.

use std::collections::{BTreeMap, VecDeque};

use hubsync::engine::change::{Backup, Change, LogEntry, Marks, PageChange};
use hubsync::engine::request::{Answer, AnswerBody, KeySource, Request};
use hubsync::engine::{Effect, Engine, Id, Input, Memory, Mode, Rest, Setting};
use hubsync::hub::{api, response};
use hubsync::pace::quota::{Lane, Limits, Quota, SlotId};
use hubsync::page::{DocPath, Mono, Now, PageId, Stamp, Wall};
use hubsync::policy::{ConflictCheck, Policy};
use hubsync::sandbox::{self, Model, SANDBOX_KEY, Settings, Time};

mod scene;

use super::watch::Watch;

pub use scene::{Doc, SYNC, many, met, met_with};

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is applied and its answer arrives.
    Answered,
    /// It is applied, then its connection ends.
    AnswerLost,
    /// Its connection ends, and it never arrives.
    Cut,
    /// Its connection ends, and it arrives so many milliseconds later.
    Late(u64),
    /// The connection is never made.
    Unsent,
    /// A gateway answers with this status; the hub never sees it.
    Gateway(u16),
    /// It is applied; then a gateway answers with this status.
    AppliedGateway(u16),
    /// 429 with so many seconds to wait.
    Limited(i64),
    /// 200 and a login page; the hub never sees it.
    Portal,
    /// The hub says that it will never take this.
    Rejected,
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Flight {
    pub id: Id,
    pub request: Request,
    sent: Now,
    travels: sandbox::Request,
    /// When the look that a write rests on was evaluated.
    looked: i64,
    arrived: Option<sandbox::Response>,
}

impl Flight {
    pub fn has_arrived(&self) -> bool {
        self.arrived.is_some()
    }

    pub fn is_write(&self) -> bool {
        matches!(self.request, Request::Patch(_))
    }

    pub fn is_about(&self, page: &str) -> bool {
        match &self.request {
            Request::Get(id) => id.as_str() == page,
            Request::Patch(patch) => patch.page.as_str() == page,
            Request::List { .. } | Request::Names(..) => false,
        }
    }
}

/// What is kept over a restart.
#[derive(Clone, Debug, Default)]
struct Disk {
    pages: BTreeMap<PageId, (DocPath, String)>,
    marks: String,
    names: String,
    hub: String,
}

pub struct World {
    pub hub: Model,
    pub engine: Engine,
    pub policy: Policy,
    pub setting: Setting,
    /// Milliseconds since the epoch, as the hub's clock has it.
    pub time: i64,
    /// How far our wall clock is ahead of the hub's.
    pub skew: i64,
    booted: i64,
    pub folder: BTreeMap<String, Doc>,
    disk: Disk,
    pub disk_full: bool,
    pub stored: usize,
    quota: Quota,
    slots: BTreeMap<Id, SlotId>,
    taken: i64,
    pub reserves: VecDeque<(Id, Lane)>,
    pub stores: VecDeque<(Id, Box<Change>)>,
    pub flights: VecDeque<Flight>,
    late: Vec<(i64, sandbox::Request, i64)>,
    pub rereads: Vec<DocPath>,
    pub backups: Vec<Backup>,
    pub log: Vec<LogEntry>,
    pub fates: VecDeque<Fate>,
    pub write_fates: VecDeque<Fate>,
    pub no_network: bool,
    /// Pages whose requests the hub always fails with 500.
    pub poison: Vec<&'static str>,
    /// The hub's answers have no `Date`.
    pub no_date: bool,
    pub key: String,
    pub key_source: String,
    pub watch: Watch,
    pub trace: Vec<String>,
}

pub const START: i64 = 1_780_000_000_123;

impl World {
    pub fn new() -> Self {
        Self::with(Mode::Daemon, Policy::default(), Settings::default())
    }

    pub fn with(mode: Mode, policy: Policy, settings: Settings) -> Self {
        let setting = Setting { mode, scope: Vec::new(), hold_ms: 0, jitter: 0.5 };
        let limits = Limits {
            per_minute: settings.per_minute,
            per_day: settings.per_day,
            reserved_for_edits: settings.per_day / 10,
        };
        let mut watch = Watch::default();
        watch.unchecked = policy.conflict_check == ConflictCheck::Off;
        Self {
            hub: Model::new(settings),
            engine: Engine::new(policy.clone(), setting.clone(), Memory::default()),
            policy,
            setting,
            time: START,
            skew: 0,
            booted: START,
            folder: BTreeMap::new(),
            disk: Disk::default(),
            disk_full: false,
            stored: 0,
            quota: Quota::new(limits),
            slots: BTreeMap::new(),
            taken: 0,
            reserves: VecDeque::new(),
            stores: VecDeque::new(),
            flights: VecDeque::new(),
            late: Vec::new(),
            rereads: Vec::new(),
            backups: Vec::new(),
            log: Vec::new(),
            fates: VecDeque::new(),
            write_fates: VecDeque::new(),
            no_network: false,
            poison: Vec::new(),
            no_date: false,
            key: SANDBOX_KEY.to_owned(),
            key_source: SANDBOX_KEY.to_owned(),
            watch,
            trace: Vec::new(),
        }
    }

    // ---- clocks

    pub fn now(&self) -> Now {
        let mono = Mono(u64::try_from(self.time - self.booted).unwrap());
        Now { mono, wall: Wall(self.time + self.skew) }
    }

    pub fn hub_time(&self) -> Time {
        Time(self.time * 1000)
    }

    /// Time passes; what was on its way arrives.
    pub fn tick(&mut self, ms: i64) {
        let until = self.time + ms;
        while let Some(at) = self.late.iter().map(|(at, ..)| *at).min().filter(|at| *at <= until) {
            self.time = at.max(self.time);
            let first = self.late.iter().position(|(due, ..)| *due == at).unwrap();
            let (_, request, looked) = self.late.remove(first);
            self.arrive(&request, looked);
        }
        self.time = until;
    }

    // ---- the process

    pub fn handle(&mut self, input: Input) {
        let now = self.now();
        self.engine.handle(now, input);
        self.pump();
    }

    /// Takes the engine's effects in.
    pub fn pump(&mut self) {
        let now = self.now();
        for _ in 0..10_000 {
            let Some(effect) = self.engine.poll(now) else { return };
            match effect {
                Effect::Reserve(id, lane) => self.reserves.push_back((id, lane)),
                Effect::Return(id) => self.give_back(id),
                Effect::Store(id, change) => self.stores.push_back((id, change)),
                Effect::Send(id, request) => self.send(id, request),
                Effect::Reread(path) => self.rereads.push(path),
            }
        }
        panic!("the engine has effects without end");
    }

    fn give_back(&mut self, id: Id) {
        let slot = self.slots.remove(&id).unwrap();
        self.quota.never_sent(slot);
    }

    fn send(&mut self, id: Id, request: Request) {
        let sent = self.now();
        let (mut body, mut looked) = (None, self.time);
        if let Request::Patch(patch) = &request {
            looked = self.watch.sent(patch.page.as_str(), self.time);
            let path = patch.path.to_text();
            let doc = self.folder.get(&path).filter(|doc| doc.source() == patch.source);
            match doc {
                Some(doc) => body = patch.patch.text.as_ref().map(|_| doc.body.clone()),
                None if patch.patch.text.is_some() => {
                    self.trace.push("stale".to_owned());
                    self.give_back(id);
                    let body = AnswerBody::Stale;
                    return self
                        .engine
                        .handle(sent, Input::Answered(id, Answer { sent, ended: sent, date: None, body }));
                }
                None => {}
            }
        }
        self.trace.push(format!("send {}", short(&request)));
        if !self.no_network {
            self.watch.spends(self.time, self.hub.settings().per_minute);
        }
        let call = api::call(&request, body.as_deref()).unwrap();
        let method = match call.method {
            api::Method::Get => "GET",
            api::Method::Patch => "PATCH",
        };
        let pairs: Vec<String> =
            call.query.iter().map(|(name, value)| format!("{name}={}", value.replace('+', "%2B"))).collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        let travels = sandbox::Request {
            method: method.to_owned(),
            target: format!("/rest/v1{}{query}", call.path),
            authorization: Some(format!("Bearer {}", self.key)),
            content_type: call.body.as_ref().map(|_| "application/json".to_owned()),
            body: call.body.unwrap_or_default().into_bytes(),
        };
        self.flights.push_back(Flight { id, request, sent, travels, looked, arrived: None });
    }

    fn arrive(&mut self, request: &sandbox::Request, looked: i64) -> sandbox::Response {
        self.trace.push(format!("arrives {}", request.method));
        self.watch.arriving(&self.hub, request, &self.backups, looked);
        let response = self.hub.handle(self.hub_time(), request);
        self.watch.arrived(&self.hub, request, &response);
        response
    }

    // ---- one effect at a time

    /// A slot is granted, or refused.
    pub fn grant(&mut self) {
        let (id, lane) = self.reserves.pop_front().expect("a slot is asked for");
        self.taken += 1;
        let slot = SlotId(self.taken);
        let answer = self.quota.take(slot, self.now().wall, lane);
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
        if self.disk_full {
            self.trace.push("store fails".to_owned());
            return self.handle(Input::Stored(id, Err("no space left on device".to_owned())));
        }
        self.commit(*change);
        self.trace.push("store".to_owned());
        self.handle(Input::Stored(id, Ok(())));
    }

    fn commit(&mut self, change: Change) {
        for (id, page) in change.pages {
            match page {
                PageChange::Put { path, record } => {
                    self.disk.pages.insert(id, (path, serde_json::to_string(&record).unwrap()));
                }
                PageChange::Forget => {
                    self.disk.pages.remove(&id);
                }
            }
        }
        if let Some(marks) = change.marks {
            self.disk.marks = serde_json::to_string(&marks).unwrap();
        }
        if let Some(names) = change.names {
            self.disk.names = serde_json::to_string(&names).unwrap();
        }
        if let Some(hub) = change.hub {
            self.disk.hub = serde_json::to_string(&hub).unwrap();
        }
        self.backups.extend(change.backups);
        self.log.extend(change.log);
    }

    /// The hub gets the `n`th request under way.
    pub fn apply_nth(&mut self, n: usize) {
        let (request, looked) = (self.flights[n].travels.clone(), self.flights[n].looked);
        assert!(self.flights[n].arrived.is_none(), "it has arrived");
        let response = self.arrive(&request, looked);
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

    fn answered_with(&mut self, flight: Flight, response: sandbox::Response) {
        let ended = self.now();
        let header = |name: &str| response.header(name).map(str::to_owned);
        let headers = response::Headers {
            date: header("Date").filter(|_| !self.no_date),
            retry_after: header("Retry-After").into_iter().collect(),
            content_type: header("Content-Type"),
            location: header("Location"),
        };
        let mut body = response::read(&flight.request, response.status, &headers, &response.body, ended.wall);
        if matches!(body, AnswerBody::Unauthorized(_)) {
            let source = if self.key_source == self.key { KeySource::Same } else { KeySource::Renewed };
            self.key = self.key_source.clone();
            body = AnswerBody::Unauthorized(source);
        }
        let date = headers.date.as_deref().and_then(response::http_date);
        self.trace.push(format!("answer {} {}", response.status, short(&flight.request)));
        self.watch.looked(&flight.request, &body, flight.sent.wall.0 - self.skew);
        self.end(flight, body, date);
    }

    fn end(&mut self, flight: Flight, body: AnswerBody, date: Option<Wall>) {
        let ended = self.now();
        let slot = self.slots.remove(&flight.id).unwrap();
        match &body {
            AnswerBody::Unsent { .. } => self.quota.never_sent(slot),
            AnswerBody::RateLimited { retry_after: Some(ms) } => {
                self.quota.answered(slot, ended.wall);
                self.quota.pause(ended.wall, ended.wall.plus(i64::try_from(*ms).unwrap()));
            }
            _ => self.quota.answered(slot, ended.wall),
        }
        self.handle(Input::Answered(flight.id, Answer { sent: flight.sent, ended, date, body }));
    }

    /// The connection of the `n`th request ends without an answer; if it has not arrived yet it never does.
    pub fn lose_nth(&mut self, n: usize) {
        let flight = self.flights.remove(n).expect("a request is under way");
        self.trace.push(format!("lost {}", short(&flight.request)));
        self.end(flight, AnswerBody::Lost { why: "connection reset".to_owned() }, None);
    }

    pub fn lose(&mut self) {
        self.lose_nth(0);
    }

    /// The connection ends now, and the request arrives `ms` later all the same.
    pub fn late_nth(&mut self, n: usize, ms: i64) {
        assert!(self.flights[n].arrived.is_none(), "it has arrived");
        let flight = &self.flights[n];
        self.late.push((self.time + ms, flight.travels.clone(), flight.looked));
        self.lose_nth(n);
    }

    pub fn gateway(&mut self, n: usize, status: u16) {
        let flight = self.flights.remove(n).unwrap();
        let html = b"<html>Bad gateway</html>".to_vec();
        let response = sandbox::Response::new(self.hub_time(), status, "text/html", html);
        if flight.arrived.is_none() {
            self.hub.note(self.hub_time(), &flight.travels, status, "gateway");
        }
        self.answered_with(flight, response);
    }

    /// The first request under way meets its fate.
    pub fn meet(&mut self, fate: Fate) {
        self.trace.push(format!("{fate:?}"));
        match fate {
            Fate::Answered => {
                if !self.flights[0].has_arrived() {
                    self.apply();
                }
                self.tick(5);
                self.answer();
            }
            Fate::AnswerLost => {
                self.apply();
                self.tick(5);
                self.lose();
            }
            Fate::Cut => self.lose(),
            Fate::Late(ms) => self.late_nth(0, i64::try_from(ms).unwrap()),
            Fate::Unsent => {
                let flight = self.flights.pop_front().unwrap();
                self.end(flight, AnswerBody::Unsent { why: "connection refused".to_owned() }, None);
            }
            Fate::Gateway(status) => self.gateway(0, status),
            Fate::AppliedGateway(status) => {
                self.apply();
                self.gateway(0, status);
            }
            Fate::Limited(seconds) => {
                let flight = self.flights.pop_front().unwrap();
                let response = sandbox::Response::rate_limited(self.hub_time(), seconds);
                self.hub.note(self.hub_time(), &flight.travels, 429, "limited");
                self.answered_with(flight, response);
            }
            Fate::Portal => self.gateway(0, 200),
            Fate::Rejected => {
                let flight = self.flights.pop_front().unwrap();
                let error = serde_json::json!({"error": {"type": "invalid_request", "message": "too long"}});
                let response = sandbox::Response::json(self.hub_time(), 400, &error);
                self.hub.note(self.hub_time(), &flight.travels, 400, "rejected");
                self.answered_with(flight, response);
            }
        }
    }

    // ---- until it rests

    /// Carries out one thing; whether there was any.
    pub fn work(&mut self) -> bool {
        self.pump();
        if !self.reserves.is_empty() {
            self.grant();
        } else if !self.stores.is_empty() {
            self.store();
        } else if let Some(first) = self.flights.front() {
            let write = first.is_write();
            let queue = if write && !self.write_fates.is_empty() { &mut self.write_fates } else { &mut self.fates };
            let fate = queue.pop_front().unwrap_or(Fate::Answered);
            let fate = if self.poison.iter().any(|id| first.is_about(id)) { Fate::Gateway(500) } else { fate };
            let fate = if self.no_network { Fate::Unsent } else { fate };
            self.tick(5);
            self.meet(fate);
        } else if let Some(path) = self.rereads.pop() {
            let path = path.to_text();
            if self.folder.contains_key(&path) {
                self.tell(&[&path]);
            }
        } else {
            return false;
        }
        true
    }

    /// Carries everything out until nothing is left to do, or nobody knows until when.
    pub fn settle(&mut self) {
        let deadline = self.time + 24 * 3_600_000;
        loop {
            self.work_all();
            let now = self.now();
            let rest = self.engine.rest(now);
            if rest == Rest::Done || matches!(rest, Rest::Waiting { until: None, .. }) {
                return;
            }
            assert!(self.time < deadline, "it does not settle: {rest:?}\n{}", self.story());
            self.sleep(now, i64::MAX);
        }
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
        let wake = self.engine.wakeup(now);
        let at = wake.map_or(i64::MAX, |at| i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(self.booted));
        let at = at.min(until);
        assert!(at > self.time, "it wants to be woken at once, but has nothing to do\n{}", self.story());
        assert!(at < i64::MAX, "it waits for nothing\n{}", self.story());
        self.tick(at - self.time);
        self.handle(Input::Tick);
    }

    /// The process ends without a word and begins again.
    pub fn crash(&mut self) {
        self.trace.push("crash".to_owned());
        for slot in std::mem::take(&mut self.slots).into_values() {
            let _ = slot; // occupied until its request counts as answered
        }
        for flight in std::mem::take(&mut self.flights) {
            // What was on the wire can still arrive.
            if flight.arrived.is_none() && flight.is_write() {
                self.late.push((self.time + 3_000, flight.travels, flight.looked));
            }
        }
        self.reserves.clear();
        self.stores.clear();
        self.rereads.clear();
        self.booted = self.time;
        self.watch.restarted();
        let memory = self.memory();
        self.engine = Engine::new(self.policy.clone(), self.setting.clone(), memory);
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
        let pages = self.disk.pages.iter();
        let pages = pages.map(|(id, (path, json))| (id.clone(), path.clone(), serde_json::from_str(json).unwrap()));
        Memory {
            pages: pages.collect(),
            marks: if self.disk.marks.is_empty() {
                Marks::default()
            } else {
                serde_json::from_str(&self.disk.marks).unwrap()
            },
            names: serde_json::from_str(&self.disk.names).unwrap_or_default(),
            hub: serde_json::from_str(&self.disk.hub).unwrap_or_default(),
        }
    }

    /// Everything that is remembered is lost.
    pub fn lose_the_state(&mut self) {
        self.disk = Disk::default();
    }
}

pub fn short(request: &Request) -> String {
    match request {
        Request::Get(id) => format!("GET {id}"),
        Request::List { updated_after, page } => format!("LIST {:?} {page}", updated_after.map(Stamp::to_iso)),
        Request::Names(kind, page) => format!("NAMES {kind:?} {page}"),
        Request::Patch(patch) => format!("PATCH {} {:?}", patch.page, patch.patch.api_fields()),
    }
}
