//! One process of hubsync, its folder, its state and its hub, with a clock that the test moves.
//!
//! Every effect waits in a queue until the test carries it out: `grant`, `store`, `apply`, `answer`, or what goes wrong
//! instead. `settle` carries out everything until nothing is left to do. Requests and answers pass as bytes, records as
//! JSON, so that what a restart forgets is forgotten here too.

use std::collections::{BTreeMap, VecDeque};

use hubsync::engine::change::{Backup, Change, LogEntry, Marks, PageChange};
use hubsync::engine::request::{Answer, AnswerBody, KeySource, Request};
use hubsync::engine::settled::{Found, Settled};
use hubsync::engine::{Effect, Engine, Id, Input, Memory, Mode, PageReport, Rest, Setting, Summary, Writes};
use hubsync::hub::{api, response};
use hubsync::pace::quota::{Lane, Limits, Quota, SlotId};
use hubsync::page::{Authored, BodyPrint, Digest, DocPath, Mono, Named, Now, PageId, Stamp, Status, Wall};
use hubsync::policy::{ConflictCheck, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::{self, Act, Model, NewPage, SANDBOX_KEY, Settings, Time};

use super::watch::Watch;

/// What a file says.
#[derive(Clone, Debug)]
pub struct Doc {
    pub id: PageId,
    pub title: Option<String>,
    pub body: String,
    pub status: Status,
    pub named: Named,
    /// What other tools keep in it: another value is another file with the same text.
    pub other: u32,
}

impl Doc {
    pub fn published(id: &str, body: &str) -> Self {
        Self {
            id: PageId::parse(id).unwrap(),
            title: Some("T".to_owned()),
            body: body.to_owned(),
            status: Status::Published,
            named: Named::default(),
            other: 0,
        }
    }

    pub fn draft(id: &str, body: &str) -> Self {
        Self { status: Status::Draft, ..Self::published(id, body) }
    }

    pub fn in_folders(mut self, names: &[&str]) -> Self {
        self.named.folders = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    fn source(&self) -> Digest {
        Digest::of(format!("{self:?}"))
    }

    fn authored(&self, policy: &Policy) -> Authored {
        Authored {
            source: self.source(),
            rules: policy.rules.digest(),
            title: self.title.clone(),
            body: BodyPrint::of(&self.body),
            status: self.status,
            named: self.named.clone(),
        }
    }
}

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

    // ---- the hub

    /// A page of the hub with a live text.
    pub fn live(&mut self, id: &str, body: &str) {
        self.page(id, body, sandbox::Status::Published);
    }

    pub fn page(&mut self, id: &str, body: &str, status: sandbox::Status) {
        let new = NewPage {
            id: Some(id.to_owned()),
            title: "T".to_owned(),
            content: body.to_owned(),
            status,
            owner: sandbox::Owner::Colleague,
            ..NewPage::default()
        };
        self.watch.wrote(id, body, self.time);
        self.hub.add_page(self.hub_time(), new);
        self.tick(1);
    }

    pub fn colleague(&mut self, id: &str, act: Act) {
        self.trace.push(format!("colleague {id} {act:?}"));
        self.try_colleague(id, act).unwrap();
        self.tick(1);
    }

    pub fn try_colleague(&mut self, id: &str, act: Act) -> Result<(), sandbox::ActError> {
        self.hub.colleague(self.hub_time(), id, act.clone())?;
        self.watch.colleague(id, &act, self.time);
        Ok(())
    }

    pub fn publishes(&mut self, id: &str, body: &str) {
        self.colleague(id, Act::Publish { title: "T".to_owned(), content: body.to_owned() });
    }

    pub fn drafts(&mut self, id: &str, body: &str) {
        self.colleague(id, Act::SaveDraft { title: "T".to_owned(), content: body.to_owned() });
    }

    pub fn files(&mut self, id: &str, folders: &[String]) {
        self.colleague(id, Act::File { folder_ids: folders.to_vec(), skill_ids: Vec::new() });
    }

    pub fn live_text(&self, id: &str) -> Option<String> {
        self.hub.page(id).unwrap().live.as_ref().map(|live| live.content.clone())
    }

    pub fn draft_text(&self, id: &str) -> Option<String> {
        self.hub.page(id).unwrap().draft.as_ref().and_then(|draft| draft.content.clone())
    }

    pub fn version(&self, id: &str) -> Option<u64> {
        self.hub.page(id).unwrap().version()
    }

    /// Requests that the hub saw since the log was last forgotten: reads, writes.
    pub fn requests(&self) -> (usize, usize) {
        let writes = self.hub.log().iter().filter(|entry| entry.method == "PATCH").count();
        (self.hub.log().len() - writes, writes)
    }

    /// What each of them was, in short.
    pub fn asked(&self) -> Vec<String> {
        let short = |entry: &sandbox::LogEntry| {
            let path = entry.target.trim_start_matches("/rest/v1/").split('?').next().unwrap().to_owned();
            format!("{} {}", entry.method, path.trim_start_matches("knowledge-hub/"))
        };
        self.hub.log().iter().map(short).collect()
    }

    /// The JSON of the last write that the hub saw.
    pub fn last_write(&self) -> serde_json::Value {
        let last = self.hub.log().iter().rfind(|entry| entry.method == "PATCH").unwrap();
        serde_json::from_slice(&last.body).unwrap()
    }

    pub fn forget_requests(&mut self) {
        self.hub.clear_log();
    }

    // ---- the folder

    pub fn doc_path(path: &str) -> DocPath {
        DocPath::new(path).unwrap()
    }

    /// A document is saved and has come to rest.
    pub fn save(&mut self, path: &str, doc: Doc) {
        self.write_file(path, doc);
        self.tell(&[path]);
    }

    /// A document is saved; nobody has noticed yet.
    pub fn write_file(&mut self, path: &str, doc: Doc) {
        self.trace.push(format!("save {path} {:?} {:?}", doc.body, doc.status));
        self.folder.insert(path.to_owned(), doc);
    }

    /// Another body for a document.
    pub fn edit(&mut self, path: &str, body: &str) {
        let doc = Doc { body: body.to_owned(), ..self.folder[path].clone() };
        self.save(path, doc);
    }

    pub fn change(&mut self, path: &str, change: impl FnOnce(&mut Doc)) {
        let mut doc = self.folder[path].clone();
        change(&mut doc);
        self.save(path, doc);
    }

    pub fn remove(&mut self, path: &str) {
        let doc = self.folder.remove(path).unwrap();
        let gone = self.found_gone(path, doc.id);
        self.handle(Input::Settled(vec![gone]));
    }

    fn found_gone(&self, path: &str, id: PageId) -> Settled {
        Settled::Page { id, path: Self::doc_path(path), found: Found::Gone { since: self.now().wall } }
    }

    fn settled(&self, path: &str) -> Settled {
        let doc = &self.folder[path];
        let found = Found::Document(doc.authored(&self.policy));
        Settled::Page { id: doc.id.clone(), path: Self::doc_path(path), found }
    }

    /// One round of these files.
    pub fn tell(&mut self, paths: &[&str]) {
        let settled = paths.iter().map(|path| self.settled(path)).collect();
        self.handle(Input::Settled(settled));
    }

    /// The whole folder is read, as at a start or a rescan.
    pub fn rescan(&mut self) {
        let there: Vec<&PageId> = self.folder.values().map(|doc| &doc.id).collect();
        let gone = self.disk.pages.iter().filter(|(id, _)| !there.contains(id));
        let mut settled: Vec<Settled> =
            gone.map(|(id, (path, _))| self.found_gone(&path.to_text(), id.clone())).collect();
        settled.extend(self.folder.keys().map(|path| self.settled(path)));
        self.handle(Input::Settled(settled));
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

    // ---- how it stands

    pub fn summary(&self) -> Summary {
        self.engine.summary(self.now())
    }

    pub fn report(&self, path: &str) -> PageReport {
        self.summary().pages.into_iter().find(|page| page.path == Self::doc_path(path)).expect("it is reported")
    }

    pub fn state(&self, path: &str) -> (State, Option<Code>) {
        let report = self.report(path);
        (report.state, report.reason.map(|reason| reason.code))
    }

    pub fn is_in_step(&self, path: &str) -> bool {
        self.state(path) == (State::InStep, None)
    }

    /// The last steps, for a test that failed.
    pub fn story(&self) -> String {
        let from = self.trace.len().saturating_sub(120);
        self.trace[from..].join("\n")
    }
}

/// A world in which `p1.md` and the page `p1` both say `body`, and have met.
pub fn met(body: &str) -> World {
    met_with(Policy::default(), body)
}

pub fn met_with(policy: Policy, body: &str) -> World {
    let mut w = World::with(Mode::Daemon, policy, Settings::default());
    w.live("p1", body);
    w.save("p1.md", Doc::published("p1", body));
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    w.run(4_000_000);
    w.forget_requests();
    w
}

/// `n` pages that have met their documents `p0.md` …
pub fn many(n: usize, mode: Mode, policy: Policy, settings: Settings) -> World {
    let mut w = World::with(mode, policy, Settings { per_minute: 0, per_day: 0, ..Settings::default() });
    w.quota = Quota::new(Limits { per_minute: 100_000, per_day: 100_000, reserved_for_edits: 0 });
    for i in 0..n {
        w.live(&format!("p{i}"), "A");
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "A"));
    }
    w.rescan();
    w.settle();
    // A day later, with the hub as it really is.
    w.tick(86_400_000);
    let limits = Limits {
        per_minute: settings.per_minute,
        per_day: settings.per_day,
        reserved_for_edits: settings.per_day / 10,
    };
    w.quota = Quota::new(limits);
    *w.hub.settings_mut() = settings;
    w.handle(Input::Tick);
    w.run(100_000);
    w.forget_requests();
    w
}

pub const SYNC: Mode = Mode::OneShot(Writes::Send);

pub fn short(request: &Request) -> String {
    match request {
        Request::Get(id) => format!("GET {id}"),
        Request::List { updated_after, page } => format!("LIST {:?} {page}", updated_after.map(Stamp::to_iso)),
        Request::Names(kind, page) => format!("NAMES {kind:?} {page}"),
        Request::Patch(patch) => format!("PATCH {} {:?}", patch.page, patch.patch.api_fields()),
    }
}
