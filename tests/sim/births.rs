//! Schedules of births and deaths: documents without `page_id`, editors that hold the old text, checkouts that take the id
//! away again, POSTs whose answers are lost or that arrive late, crashes at every point between a POST and the written line,
//! files that go while pages are archived.
//!
//! Whatever happens, no document has two pages and no page is archived whose document is there. In the end each document
//! names exactly one page, and that says what the document says. `SIM_SEED=17 cargo test --test sim births` replays one,
//! `SIM_SCHEDULES=100000` walks so many.

use std::collections::{BTreeMap, BTreeSet};

use hubsync::document;
use hubsync::engine::request::Request;
use hubsync::engine::{Input, Mode, PageReport};
use hubsync::page::{DocPath, PageId, Status};
use hubsync::policy::{Create, OnDelete, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::{self, NewPage, Normalise, Settings};

use super::disk::Tail;
use super::network::{Fate, RetryAfter};
use super::schedules::{catch, each_seed, number};
use super::tally::Tally;
use super::world::{SYNC, World};

/// The fixed set of CI.
const FIXED: u64 = 1_500;
const OPS: usize = 60;
/// Paths that a document may have.
const PATHS: u8 = 4;
/// How long an unnoticed file may lie there before its page is archived all the same, in milliseconds: the second look at
/// the folder may be a minute old, and a file must have come to rest to be read.
const UNNOTICED: i64 = 70_000;

struct Stage {
    w: World,
    tally: Tally,
    rng: fastrand::Rng,
    /// How many files were made with each mark; the mark is in title and body, and stays.
    marks: BTreeMap<String, usize>,
    /// When each file came to be where it is, or was written, by the hub's clock.
    written: BTreeMap<String, i64>,
    /// Titles that a colleague's page has, too.
    namesakes: BTreeSet<String>,
    numbers: u32,
}

/// Carries out the schedule of a seed.
pub fn run(seed: u64) -> Result<Tally, String> {
    let mut stage = catch(|| Stage::new(seed))?;
    let result = catch(|| {
        for _ in 0..OPS {
            stage.step();
            stage.judge();
        }
        stage.heal();
        stage.verify();
    });
    let Stage { w, mut tally, .. } = stage;
    tally.schedules = 1;
    let last = w.trace.len().saturating_sub(number("SIM_TRACE").map_or(60, |n| n as usize));
    result.map(|()| tally).map_err(|message| format!("{message}\n{}", w.trace[last..].join("\n")))
}

impl Stage {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut policy = Policy { create: Create::On, concurrency: rng.usize(1..=4), ..Policy::default() };
        if rng.bool() {
            policy.rules.default_status = Status::Published;
        }
        if rng.bool() {
            (policy.on_delete, policy.archive_after, policy.archive_limit) = (OnDelete::Archive, 90_000, 100);
        }
        let normalise = if rng.u8(..4) == 0 { Normalise::Markdown } else { Normalise::Verbatim };
        let settings = Settings { per_minute: rng.u32(12..40), normalise, ..Settings::default() };
        let mut w = World::with(Mode::Daemon, policy, settings);
        w.patient = true;
        w.no_date = rng.u8(..10) == 0;
        w.rows = if rng.u8(..3) == 0 { rng.usize(1..=2) } else { 0 };
        // Others' pages, so that lists have something to tell, and not all that is gone is more than half of all.
        for n in 0..3 {
            w.page(&format!("old{n}"), "Old.", sandbox::Status::Published);
        }
        w.tick(10_000);
        let mut stage = Self {
            w,
            tally: Tally::default(),
            rng,
            marks: BTreeMap::new(),
            written: BTreeMap::new(),
            namesakes: BTreeSet::new(),
            numbers: 0,
        };
        (0..2).for_each(|n| stage.make(n));
        stage.w.rescan();
        stage
    }

    fn step(&mut self) {
        let n = self.rng.u8(..PATHS);
        match self.rng.u16(..1_000) {
            0..270 => self.go(),
            270..450 => self.befall(),
            450..510 => self.crash(),
            510..610 => self.pass_between(1..4_000),
            610..660 => self.pass_between(5_000..70_000),
            660..680 => self.pass_between(100_000..400_000),
            680..770 => self.make(n),
            770..820 => self.edit(n, Editor::UpToDate),
            820..850 => self.edit(n, Editor::HoldsTheOldText),
            850..865 => self.check_out(),
            865..890 => self.rename(n),
            890..915 => self.remove(n),
            915..925 => self.copy(n),
            925..935 => self.namesake(n),
            935..950 => self.w.disk.full = self.rng.bool(),
            950..960 => {
                self.tally.note("the root vanishes, or comes back");
                self.w.folder.missing = !self.w.folder.missing;
                self.w.rescan();
            }
            960..970 => self.w.rescan(),
            970..980 => {
                self.tally.note("the clock jumps");
                let by = [-3_600_000, 300_000, 45_000, -45_000][self.rng.usize(..4)];
                self.w.set_clock(by);
            }
            980..985 => self.w.suspend(7_200_000),
            _ => self.go(),
        }
        self.w.pump();
    }

    // ---- the process, its time and its network

    fn go(&mut self) {
        for _ in 0..self.rng.u8(1..8) {
            let flying = self.w.flights.len();
            match self.rng.u8(..5) {
                0 | 1 if !self.w.reserves.is_empty() => self.w.grant(),
                0 | 1 if !self.w.stores.is_empty() => self.w.store(),
                2 if !self.w.stores.is_empty() => self.w.store(),
                3 if !self.w.id_lines.is_empty() => self.w.write_id(),
                _ if flying > 0 => {
                    let n = self.rng.usize(..flying);
                    if self.w.flights[n].has_arrived() { self.w.answer_nth(n) } else { self.w.apply_nth(n) }
                }
                _ => self.reread(),
            }
            let ms = self.rng.i64(0..30);
            self.pass(ms);
        }
    }

    fn reread(&mut self) {
        while let Some(path) = self.w.rereads.pop() {
            self.w.folder.note(self.w.now().mono, &path.to_text());
        }
    }

    fn pass_between(&mut self, ms: std::ops::Range<i64>) {
        let ms = self.rng.i64(ms);
        self.pass(ms);
    }

    fn pass(&mut self, ms: i64) {
        let until = self.w.time + ms;
        while self.w.time < until {
            let now = self.w.now();
            let wake = self.w.engine.wakeup(now).into_iter().chain(self.w.folder.wakeup()).min();
            let wake = wake.map(|at| self.w.time + i64::try_from(at.since(now.mono)).unwrap_or(i64::MAX / 2));
            let hung = self.w.flights.iter().map(|flight| flight.hangs_until()).min();
            let at = wake.into_iter().chain(hung).min().unwrap_or(until).max(self.w.time + 1 + ms / 8).min(until);
            self.w.tick(at - self.w.time);
            if let Some(n) = self.w.flights.iter().position(|flight| flight.hangs_until() <= self.w.time) {
                self.w.lose_nth(n);
            }
            self.reread();
            self.w.handle(Input::Tick);
            self.w.notice();
            self.judge();
        }
    }

    fn befall(&mut self) {
        let fate = match self.rng.u8(..16) {
            0..4 => Fate::AnswerLost,
            4..6 => Fate::Cut,
            6..8 => Fate::Late(self.rng.u64(0..4_990)),
            8 => Fate::Unsent,
            9 => Fate::Gateway(502),
            10 => Fate::AppliedGateway(504),
            11 => Fate::Limited(RetryAfter::Seconds(self.rng.i64(1..20))),
            12 => Fate::AppliedPortal,
            13 => Fate::AppliedHalf,
            14 => Fate::AppliedEmpty,
            _ => Fate::Rejected,
        };
        for tries in 0..8 {
            let can = |n: &usize| {
                let flight = &self.w.flights[*n];
                let fits = fate != Fate::Rejected || flight.is_write();
                (!flight.has_arrived() || fate.arrives_first()) && fits
            };
            // POSTs are what this is about.
            let mut all: Vec<usize> = (0..self.w.flights.len()).filter(can).collect();
            all.sort_by_key(|n| !matches!(self.w.flights[*n].request, Request::Create(_)));
            let is_post = |n: &&usize| matches!(self.w.flights[**n].request, Request::Create(_));
            if let Some(n) = all.first().filter(|n| is_post(n) || tries > 5) {
                let method = short(&self.w.flights[*n].request);
                let words: String = format!("{fate:?}").chars().take_while(|c| c.is_alphanumeric()).collect();
                self.tally.note(format!("{method} {words}"));
                return self.w.meet_nth(*n, fate);
            }
            if !self.hurry() {
                return;
            }
        }
    }

    /// Does one thing on the way to the next request; whether there was any.
    fn hurry(&mut self) -> bool {
        if !self.w.reserves.is_empty() {
            self.w.grant();
        } else if !self.w.stores.is_empty() {
            self.w.store();
        } else {
            return self.w.notice();
        }
        true
    }

    fn posts(&self) -> Vec<usize> {
        let is_post = |n: &usize| matches!(self.w.flights[*n].request, Request::Create(_));
        (0..self.w.flights.len()).filter(is_post).collect()
    }

    fn crash(&mut self) {
        // Often in the middle of a birth.
        if self.rng.bool() {
            for _ in 0..8 {
                if !self.posts().is_empty() || !self.hurry() {
                    break;
                }
            }
            if let Some(n) =
                self.posts().first().filter(|n| !self.w.flights[**n].has_arrived() && self.numbers.is_multiple_of(2))
            {
                self.w.apply_nth(*n);
            }
        }
        let post = self.w.flights.iter().find(|flight| matches!(flight.request, Request::Create(_)));
        self.tally.note(match post {
            Some(post) if post.has_arrived() => "crash while a POST has arrived and is not answered",
            Some(_) => "crash while a POST is on its way",
            None if !self.w.id_lines.is_empty() => "crash before an id is written",
            None if !self.w.stores.is_empty() => "crash while a change is being stored",
            None => "crash elsewhere",
        });
        let tail = match self.rng.u8(..4) {
            0 => Tail::Whole,
            1 => Tail::Torn(self.rng.u16(..1_000)),
            _ => Tail::Lost,
        };
        self.w.setting.mode = if self.rng.u8(..4) == 0 { SYNC } else { Mode::Daemon };
        self.w.crash_with(tail);
    }

    // ---- the writer

    fn path(&self, n: u8) -> Option<String> {
        let begins = [format!("f{n}-"), format!("moved/f{n}-")];
        self.w.folder.paths().find(|path| begins.iter().any(|begin| path.starts_with(begin))).cloned()
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.w.folder.bytes(path).unwrap().to_vec()).unwrap()
    }

    fn id_in(&self, path: &str) -> Option<PageId> {
        document::parse(self.w.folder.bytes(path)?, &self.w.policy.rules).reading.page_id().cloned()
    }

    fn put(&mut self, path: &str, text: &str) {
        self.w.trace.push(format!("put {path} {text:?}"));
        self.w.folder.write_bytes(self.w.now(), path, text.as_bytes());
        self.written.insert(path.to_owned(), self.w.time);
        self.noticed(path);
    }

    fn noticed(&mut self, path: &str) {
        let mono = self.w.now().mono;
        match self.rng.u8(..12) {
            _ if self.w.setting.mode != Mode::Daemon => {}
            0 => self.tally.note("an event is lost"),
            1 => self.w.folder.note_everything(mono),
            _ => self.w.folder.note(mono, path),
        }
    }

    fn fresh(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// A new document, without a page.
    fn make(&mut self, n: u8) {
        if self.path(n).is_some() {
            return;
        }
        let number = self.fresh();
        let mark = format!("Doc{number}.");
        self.tally.note("a document is made");
        self.marks.insert(mark.clone(), 1);
        self.put(&format!("f{n}-{number}.md"), &format!("---\n# kept\ntitle: \"{mark}\"\n---\n{mark} first\n"));
    }

    /// Another body. The id stays where the editor has seen it.
    fn edit(&mut self, n: u8, editor: Editor) {
        let Some(path) = self.path(n) else { return };
        let (text, number) = (self.text(&path), self.fresh());
        let mark = mark_in(&text);
        let head = match editor {
            Editor::UpToDate => text.split_inclusive("---\n").take(2).collect(),
            // A document of another place and without its id is another document.
            Editor::HoldsTheOldText if !self.is_at_home(&path) => return,
            Editor::HoldsTheOldText => {
                self.tally.note("an editor saves over the id");
                without_id(&text).split_inclusive("---\n").take(2).collect::<String>()
            }
        };
        self.put(&path, &format!("{head}{mark} edit {number}\n"));
    }

    /// Whether the file's page, if it names one, is remembered with this path.
    fn is_at_home(&self, path: &str) -> bool {
        self.id_in(path).is_none_or(|id| self.w.disk.path(&id) == DocPath::new(path).as_ref())
    }

    /// A checkout brings all documents back as they were before they had ids.
    fn check_out(&mut self) {
        let paths: Vec<String> = (0..PATHS).filter_map(|n| self.path(n)).filter(|path| self.is_at_home(path)).collect();
        for path in paths {
            let text = self.text(&path);
            if text != without_id(&text) {
                self.tally.note("a checkout takes an id away");
                self.put(&path, &without_id(&text));
            }
        }
    }

    fn rename(&mut self, n: u8) {
        let Some(from) = self.path(n) else { return };
        let to = from.strip_prefix("moved/").map_or_else(|| format!("moved/{from}"), str::to_owned);
        self.tally.note(if self.id_in(&from).is_some() { "a rename" } else { "a rename before there is an id" });
        self.w.trace.push(format!("rename {from} {to}"));
        self.w.folder.rename(&from, &to);
        self.written.remove(&from);
        self.written.insert(to.clone(), self.w.time);
        // A watcher that tells of one tells of the other.
        if self.w.setting.mode == Mode::Daemon && self.rng.u8(..12) > 0 {
            let mono = self.w.now().mono;
            self.w.folder.note(mono, &from);
            self.w.folder.note(mono, &to);
        }
    }

    fn remove(&mut self, n: u8) {
        let Some(path) = self.path(n) else { return };
        self.tally.note("a document is removed");
        self.w.trace.push(format!("remove {path}"));
        self.w.folder.remove(&path);
        self.noticed(&path);
    }

    /// A second document of the same bytes, without an id.
    fn copy(&mut self, n: u8) {
        let Some(free) = (0..PATHS).find(|n| self.path(*n).is_none()) else { return };
        let Some(from) = self.path(n) else { return };
        let text = without_id(&self.text(&from));
        self.tally.note("a copy");
        *self.marks.entry(mark_in(&text)).or_default() += 1;
        let number = self.fresh();
        self.put(&format!("f{free}-{number}.md"), &text);
    }

    /// A colleague makes a page of the same title.
    fn namesake(&mut self, n: u8) {
        let Some(path) = self.path(n) else { return };
        let title = mark_in(&self.text(&path));
        self.tally.note("a namesake");
        let new = NewPage { title: title.clone(), content: "Somebody else's.".to_owned(), ..NewPage::default() };
        self.w.hub.add_page(self.w.hub_time(), new);
        self.namesakes.insert(title);
    }

    // ---- what must hold

    /// No document has two pages; no page is archived whose document is there.
    fn judge(&mut self) {
        let mut pages: BTreeMap<String, usize> = BTreeMap::new();
        for page in self.w.hub.pages() {
            let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
            let text = page.content().map(str::to_owned).or(draft).unwrap_or_default();
            if text.starts_with("Doc") {
                *pages.entry(mark_in(&text)).or_default() += 1;
            }
        }
        for (mark, n) in pages {
            let most = self.marks.get(&mark).copied().unwrap_or(0);
            assert!(n <= most, "{mark} has {n} pages, and is in {most} documents");
        }
        for (id, at, naming) in std::mem::take(&mut self.w.archives) {
            let there =
                naming.iter().find(|path| self.written.get(*path).is_some_and(|written| at - written > UNNOTICED));
            assert!(there.is_none(), "{id} is archived, and its document is there: {there:?}");
            self.tally.note("a page is archived");
        }
    }

    fn heal(&mut self) {
        self.w.trace.push("-- heal".to_owned());
        self.w.disk.full = false;
        self.w.folder.missing = false;
        self.w.setting.mode = Mode::Daemon;
        if self.rng.bool() {
            self.w.crash();
        }
        for _ in 0..3 {
            self.w.tick(10_000);
            self.w.rescan();
            let now = self.w.now().wall;
            self.w.folder.confirm(now);
            self.w.rescan();
            self.w.settle();
            self.w.run(120_000);
            let refused: Vec<String> = self.reports(Code::Refused).map(|report| report.path.to_text()).collect();
            for path in refused {
                let text = self.text(&path);
                self.put(&path, &format!("{text}More.\n"));
            }
        }
        self.w.run(120_000);
        self.w.settle();
        self.judge();
    }

    fn reports(&self, code: Code) -> impl Iterator<Item = PageReport> {
        let of = move |page: &PageReport| page.reason.as_ref().is_some_and(|reason| reason.code == code);
        self.w.summary().pages.into_iter().filter(of)
    }

    fn verify(&mut self) {
        let mut claimed = BTreeSet::new();
        let paths: Vec<String> = (0..PATHS).filter_map(|n| self.path(n)).collect();
        for path in &paths {
            let (text, report) = (self.text(path), self.w.report(path));
            let code = report.reason.as_ref().map(|reason| reason.code);
            let what = format!("{path}: {report:?}");
            if code == Some(Code::InDoubt) {
                assert!(self.namesakes.contains(&mark_in(&text)), "nobody made a page of this title: {what}");
                self.tally.note("in doubt for a namesake");
                continue;
            }
            if code == Some(Code::Archived) {
                let page = report.page_id.as_ref().and_then(|id| self.w.hub.page(id.as_str()));
                assert!(page.is_some_and(|page| page.archived), "{what}");
                self.tally.note("back after its page was archived");
                continue;
            }
            let id = self.id_in(path).unwrap_or_else(|| panic!("it names no page: {what}"));
            assert!(claimed.insert(id.clone()), "two documents name one page: {what}");
            let page = self.w.hub.page(id.as_str()).unwrap_or_else(|| panic!("its page is not there: {what}"));
            assert_eq!((report.state, code), (State::InStep, None), "{what}");
            let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
            let says = draft.or(page.content().map(str::to_owned)).unwrap_or_default();
            let body = text.splitn(3, "---\n").nth(2).unwrap_or_default();
            assert_eq!(says.trim(), body.trim(), "{what}");
            assert!(text.starts_with("---\n# kept\n"), "something else of the file was changed: {text:?}");
        }
        // A `sync` sends nothing.
        self.w.forget_requests();
        self.w.restart(SYNC);
        self.w.settle();
        assert_eq!(self.w.requests().1, 0, "{:?}", self.w.asked());
    }
}

/// What an editor knows of the file that it saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Editor {
    UpToDate,
    HoldsTheOldText,
}

fn short(request: &Request) -> &'static str {
    match request {
        Request::Create(_) => "POST",
        Request::Patch(_) => "PATCH",
        Request::Archive(_) => "DELETE",
        Request::Get(_) => "GET",
        Request::List { .. } | Request::Names(..) => "LIST",
    }
}

/// The first word of a body.
fn mark_in(text: &str) -> String {
    let body = text.splitn(3, "---\n").nth(2).unwrap_or(text);
    body.split_whitespace().next().unwrap_or_default().to_owned()
}

fn without_id(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("page_id:")).collect()
}

/// So often at least in the fixed set.
const FAULTS: &[&str] = &[
    "POST AnswerLost",
    "POST Cut",
    "POST Late",
    "POST Unsent",
    "POST Gateway",
    "POST AppliedGateway",
    "POST Limited",
    "POST AppliedPortal",
    "POST AppliedHalf",
    "POST AppliedEmpty",
    "POST Rejected",
    "crash while a POST has arrived and is not answered",
    "crash while a POST is on its way",
    "crash before an id is written",
    "crash while a change is being stored",
    "an editor saves over the id",
    "a checkout takes an id away",
    "a rename before there is an id",
    "a document is removed",
    "a copy",
    "a namesake",
    "an event is lost",
    "the clock jumps",
    "the root vanishes, or comes back",
    "a page is archived",
];

const ROWS: &[&str] = &["row N0", "row N2", "row N3", "row N4", "row F2", "row F3"];

#[test]
fn births_and_deaths_end_with_one_page_a_document() {
    if let Some(seed) = number("SIM_SEED") {
        return run(seed).map(drop).unwrap_or_else(|message| panic!("{message}"));
    }
    let last = number("SIM_SCHEDULES").unwrap_or(FIXED);
    let tally = each_seed(last, run);
    tally.print();
    let few = tally.below(FAULTS, 100).into_iter().chain(tally.below(ROWS, 1));
    let few: Vec<String> = few.collect();
    assert!(few.is_empty() || last < FIXED, "too seldom: {few:#?}");
}
