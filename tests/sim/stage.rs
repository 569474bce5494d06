//! Carries a schedule out: the writer, the colleague, the network, the machine.

use hubsync::engine::{Input, Mode};
use hubsync::page::{PageId, Status};
use hubsync::reason::State;
use hubsync::reconcile::page_record::{Keep, Resolution};
use hubsync::sandbox::{self, Act};

use super::disk::Tail;
use super::folder::Doc;
use super::network::{Fate, RetryAfter};
use super::schedule::{AtHub, Deed, Edit, Next, Noticed, Op, Settle, Setup, Spoilt};
use super::tally::Tally;
use super::world::{Command, SYNC, World};

/// Files with their bytes, as a checkout leaves them.
type Tree = Vec<(String, Vec<u8>, Option<Doc>)>;

#[derive(Clone)]
pub struct Stage {
    pub w: World,
    pub tally: Tally,
    pub setup: Setup,
    /// Ids of the folders G and H.
    pub folders: Vec<String>,
    /// What was there before a checkout.
    before: Option<Tree>,
    /// The text of each document before the last one.
    old: Vec<Option<Doc>>,
    keys: u32,
}

/// One document pointed to in every way, as seen from its folder, from above and from below.
fn links_to(page: u8) -> String {
    let name = id(page);
    format!(" [l]({name}.md) [m](moved/{name}.md) [n](../{name}.md#x) [[{name}]]")
}

pub fn id(page: u8) -> String {
    format!("p{page}")
}

impl Stage {
    pub fn new(setup: Setup) -> Self {
        let mut w = World::with(Mode::Daemon, setup.policy.clone(), setup.settings.clone());
        (w.patient, w.rows, w.no_date) = (true, setup.rows, setup.no_date);
        let folders = vec![w.hub.add_folder(w.hub_time(), "G", None), w.hub.add_folder(w.hub_time(), "H", None)];
        let old = vec![None; setup.pages.len()];
        let mut stage = Self { w, tally: Tally::default(), setup, folders, before: None, old, keys: 0 };
        for page in stage.setup.numbers() {
            let begins = stage.setup.pages[usize::from(page)];
            let (text, status) = match begins.hub {
                AtHub::Empty => (String::new(), sandbox::Status::Draft),
                AtHub::Same => (stage.at_first(), sandbox::Status::Published),
                AtHub::Other => ("X0".to_owned(), sandbox::Status::Published),
            };
            stage.w.page(&id(page), &text, status);
            let doc = stage.plain(page, if begins.is_draft { Status::Draft } else { Status::Published });
            stage.w.write_file(&format!("{}.md", id(page)), doc);
        }
        // The folder was written long ago.
        stage.w.tick(10_000);
        stage.w.rescan();
        if stage.setup.met {
            stage.w.settle();
        }
        stage
    }

    /// The body of every document as its page has it before anything happens: each lies in the root.
    fn at_first(&self) -> String {
        self.setup.numbers().map(id).fold(self.text("A"), |text, name| {
            let page = format!("https://kb/{name}");
            text.replace(&format!("[l]({name}.md)"), &format!("[l]({page})"))
                .replace(&format!("[[{name}]]"), &format!("[{name}]({page})"))
        })
    }

    fn plain(&self, page: u8, status: Status) -> Doc {
        Doc { status, ..Doc::published(&id(page), &self.text("A")) }
    }

    /// A body; with links to all documents where those lead to pages, and with white space and bullets where the hub
    /// rewrites those.
    fn text(&self, word: &str) -> String {
        let links = if self.setup.linked { self.setup.numbers().map(links_to).collect() } else { String::new() };
        let word = format!("{word}{links}");
        if self.setup.fancy { format!("{word} \\o\n* one  \n* two\n") } else { word }
    }

    pub fn carry_out(&mut self, op: &Op) {
        self.w.trace.push(format!("-- {op:?}"));
        self.tally.note(kind(op));
        match op {
            Op::Go { times, dice } => self.go(*times, *dice),
            Op::Pass(ms) => self.pass(*ms),
            Op::Save { page, edit, number, noticed } => self.save(*page, *edit, *number, *noticed),
            Op::Half { page, gap, number } => self.half(*page, *gap, *number),
            Op::Rename(page) => self.rename(*page),
            Op::Swap(a, b) => self.swap(*a, *b),
            Op::Remove(page) => self.remove(*page),
            Op::Revert(page) => {
                if let Some(doc) = self.old[usize::from(*page)].take() {
                    self.put(*page, doc, Noticed::Yes);
                }
            }
            Op::Mass(number) => {
                for page in self.setup.numbers() {
                    self.save(page, Edit::New, *number, Noticed::Yes);
                }
            }
            Op::CheckOut(number) => self.check_out(*number),
            Op::Back => self.back(),
            Op::Spoil(page, how) => self.spoil(*page, *how),
            Op::Colleague { page, act, number } => self.colleague(*page, *act, *number),
            Op::Overtake(act, number) => self.overtake(*act, *number),
            Op::Spend(n) => {
                self.w.watch.shared_limits = true;
                for _ in 0..*n {
                    self.w.hub.spend(self.w.hub_time());
                }
            }
            Op::Befall { flight, fate } => self.befall(*flight, fate),
            Op::Crash(tail, next) => self.crash(*tail, *next),
            Op::DiskFull(full) => self.w.disk.full = *full,
            Op::Clock(by) => self.w.set_clock(*by),
            Op::Suspend(ms) => self.w.suspend(*ms),
            Op::Root(is_there) => self.root(*is_there),
            Op::NewKey => self.new_key(),
            Op::KeyFile => self.w.key_source = self.w.hub.settings().key.clone(),
            Op::Rescan => self.w.rescan(),
            Op::Resolve(page, how) => self.resolve(*page, *how),
            Op::Write(command) => self.w.write_document(*command),
            Op::Forget(page) => self.forget(*page),
            Op::LoseState => self.lose_state(),
        }
        self.w.pump();
    }

    // ---- the process and its time

    fn go(&mut self, times: u8, dice: u64) {
        let mut rng = fastrand::Rng::with_seed(dice);
        for _ in 0..times {
            let flying = self.w.flights.len();
            match rng.u8(..4) {
                0 | 1 if !self.w.reserves.is_empty() => self.w.grant(),
                0 | 1 if !self.w.stores.is_empty() => self.w.store(),
                2 if !self.w.stores.is_empty() => self.w.store(),
                3 if !self.w.file_writes.is_empty() => self.w.write_document(Command::Writes),
                _ if flying > 0 => {
                    let n = rng.usize(..flying);
                    if self.w.flights[n].has_arrived() { self.w.answer_nth(n) } else { self.w.apply_nth(n) }
                }
                _ => {
                    if let Some(path) = self.w.rereads.pop() {
                        self.w.folder.ask(self.w.now().mono, &path.to_text());
                    }
                }
            }
            self.pass(rng.i64(0..30));
        }
    }

    /// Time passes; what comes due in it is done.
    pub fn pass(&mut self, ms: i64) {
        let until = self.w.time + ms;
        loop {
            self.w.pump();
            let now = self.w.now();
            let wake = self.w.engine.wakeup(now).into_iter().chain(self.w.folder.wakeup()).min();
            // A request hangs for 30 s at most; a disk answers within seconds.
            let hung = self.w.flights.iter().map(|flight| flight.hangs_until()).min();
            let wake = wake.map(|at| self.w.time + i64::try_from(at.since(now.mono)).unwrap_or(i64::MAX / 2));
            // While an effect waits, the engine wants to be asked again at once.
            let soonest = self.w.time + 1 + ms / 8;
            let at = wake.into_iter().chain(hung).min().unwrap_or(until).max(soonest).min(until.max(self.w.time + 1));
            if at > until {
                break;
            }
            if ms >= 10_000 && !self.w.stores.is_empty() {
                self.w.store();
                continue;
            }
            self.w.tick(at - self.w.time);
            if let Some(n) = self.w.flights.iter().position(|flight| flight.hangs_until() <= self.w.time) {
                self.tally.note("a request hangs until its time is up");
                self.w.lose_nth(n);
            }
            self.w.handle(Input::Tick);
            self.w.notice();
            if at == until {
                break;
            }
        }
    }

    fn crash(&mut self, tail: Tail, next: Next) {
        self.tally.note(format!("crash {}", self.crash_point()));
        if !self.w.stores.is_empty() {
            self.tally.note(match tail {
                Tail::Lost => "crash leaves nothing of a store",
                Tail::Torn(_) => "crash tears a store",
                Tail::Whole => "crash leaves a store that nobody was told of",
            });
        }
        self.w.setting.mode = if next == Next::Sync { SYNC } else { Mode::Daemon };
        self.w.crash_with(tail);
    }

    /// What is going on right now, for the tally.
    fn crash_point(&self) -> &'static str {
        let write = self.w.flights.iter().find(|flight| flight.is_write());
        let in_doubt = !self.w.disk.in_doubt().is_empty();
        match (write, self.w.flights.front()) {
            (Some(write), _) if write.has_arrived() => "while a write has arrived and is not answered",
            (Some(_), _) => "while a write is on its way",
            _ if !self.w.stores.is_empty() => "while a change is being stored",
            (None, Some(look)) if in_doubt && look.has_arrived() => "while the look at a doubt is answered",
            (None, Some(_)) if in_doubt => "while a doubt is looked at",
            (None, Some(look)) if look.has_arrived() => "while a look is answered",
            (None, Some(_)) => "while a look is on its way",
            _ if in_doubt => "while a doubt waits",
            _ if !self.w.reserves.is_empty() => "while a slot is asked for",
            _ => "at rest",
        }
    }

    fn lose_state(&mut self) {
        self.w.crash();
        self.w.lose_the_state();
        self.w.watch.forgets();
        self.w.disk.anew = Some(self.w.now().wall.0);
        self.w.begin();
    }

    fn root(&mut self, is_there: bool) {
        if self.w.folder.missing == is_there {
            self.w.folder.missing = !is_there;
            self.w.rescan();
        }
    }

    fn new_key(&mut self) {
        self.keys += 1;
        self.w.hub.settings_mut().key = format!("exec_live_{:040}", self.keys);
    }

    // ---- the network

    /// Does one thing on the way to the next request; whether there was any.
    fn hurry(&mut self) -> bool {
        self.w.pump();
        if !self.w.reserves.is_empty() {
            self.w.grant();
        } else if !self.w.stores.is_empty() {
            self.w.store();
        } else if !self.w.flights.is_empty() {
            self.w.meet(Fate::Answered);
        } else {
            return self.w.notice();
        }
        true
    }

    fn overtake(&mut self, act: Deed, number: u32) {
        for _ in 0..10 {
            let on_its_way = self.w.flights.iter().filter(|flight| !flight.has_arrived());
            if let Some(page) = on_its_way.filter_map(|flight| flight.writes_to()).next() {
                self.tally.note("a colleague overtakes a write");
                let page = page.trim_start_matches('p').parse().unwrap();
                return self.colleague(page, act, number);
            }
            if !self.hurry() {
                return;
            }
        }
    }

    fn befall(&mut self, flight: u8, fate: &Fate) {
        // Of the requests under way one that can meet it; if there is none, what waits is done until there is.
        let mut can = Vec::new();
        for _ in 0..6 {
            let meets = |n: &usize| {
                let flight = &self.w.flights[*n];
                let in_time = !flight.has_arrived() || fate.arrives_first();
                // A refusal of a look makes no sense; a list that shows another page is a list like any other.
                let fits = match fate {
                    Fate::Rejected => flight.is_write(),
                    Fate::AppliedOther => flight.is_about_a_page(),
                    _ => true,
                };
                in_time && fits
            };
            can = (0..self.w.flights.len()).filter(meets).collect();
            if !can.is_empty() || !self.hurry() {
                break;
            }
        }
        if can.is_empty() {
            return;
        }
        let n = can[usize::from(flight) % can.len()];
        self.tally.note(format!("fate {}", name(fate)));
        if let Fate::Limited(retry_after) = fate {
            let words = format!("{retry_after:?}");
            self.tally.note(format!("429 {}", words.split('(').next().unwrap_or_default()));
        }
        self.w.meet_nth(n, fate.clone());
    }

    // ---- the writer

    pub(super) fn path(&self, page: u8) -> String {
        let id = PageId::parse(&id(page)).unwrap();
        let at = self.w.folder.docs().find(|(_, doc)| doc.id == id).map(|(path, _)| path.clone());
        // Conflict markers are taken out where they are.
        at.or_else(|| self.w.folder.naming(&id).into_iter().next()).unwrap_or_else(|| format!("{id}.md"))
    }

    pub(super) fn save(&mut self, page: u8, edit: Edit, number: u32, noticed: Noticed) {
        let was = self.w.folder.get(&self.path(page)).cloned();
        let mut doc = was.clone().unwrap_or_else(|| self.plain(page, Status::Published));
        let folders = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        match edit {
            Edit::New => doc.body = self.text(&format!("w{number}-{page}")),
            Edit::Common(n) => doc.body = self.text(["A", "B", "C"][usize::from(n)]),
            Edit::Status => doc.status = if doc.status == Status::Draft { Status::Published } else { Status::Draft },
            Edit::InG => doc.named.folders = folders(&["G"]),
            Edit::InBoth => doc.named.folders = folders(&["H", "G"]),
            Edit::NoFolder => doc.named.folders = folders(&[]),
            Edit::Unmanaged => doc.named.folders = None,
            Edit::UnknownFolder => doc.named.folders = folders(&["Nowhere"]),
            Edit::Other => doc.other += 1,
            Edit::Emptied => doc.body = String::new(),
            Edit::Blank => doc.body += "  \n",
        }
        if let Some(was) = was.filter(|was| was.body != doc.body) {
            self.old[usize::from(page)] = Some(was);
        }
        self.put(page, doc, noticed);
    }

    fn put(&mut self, page: u8, doc: Doc, noticed: Noticed) {
        let path = self.path(page);
        self.w.watch.says(&id(page), &doc.body);
        self.w.write_file(&path, doc);
        self.noticed(&path, noticed);
    }

    fn noticed(&mut self, path: &str, noticed: Noticed) {
        let mono = self.w.now().mono;
        // A `sync` reads the folder once.
        match noticed {
            _ if self.w.setting.mode != Mode::Daemon => {}
            Noticed::Yes => self.w.folder.note(mono, path),
            Noticed::No => self.tally.note("an event is lost"),
            Noticed::Overflow => {
                self.tally.note("the queue of events runs over");
                self.w.folder.note_everything(mono);
            }
        }
    }

    fn half(&mut self, page: u8, gap: i64, number: u32) {
        let half = format!("HALF{number}");
        self.w.watch.halves.insert(half.clone());
        let path = self.path(page);
        let mut doc = self.w.folder.get(&path).cloned().unwrap_or_else(|| self.plain(page, Status::Published));
        doc.body = half;
        // A `sync` takes what it finds.
        if self.w.setting.mode == Mode::Daemon {
            self.put(page, doc.clone(), Noticed::Yes);
            self.pass(gap);
        }
        doc.body = self.text(&format!("w{number}-{page}"));
        self.w.write_file(&path, doc);
        self.noticed(&path, Noticed::Yes);
    }

    fn rename(&mut self, page: u8) {
        let from = self.path(page);
        let to = if from.starts_with("moved/") { format!("{}.md", id(page)) } else { format!("moved/{from}") };
        if self.w.folder.contains_key(&from) && !self.w.folder.contains_key(&to) {
            self.w.folder.rename(&from, &to);
            self.noticed(&from, Noticed::Yes);
            self.noticed(&to, Noticed::Yes);
        }
    }

    fn swap(&mut self, a: u8, b: u8) {
        let (at, to) = (self.path(a), self.path(b));
        let both = self.w.folder.get(&at).cloned().zip(self.w.folder.get(&to).cloned());
        if let Some((mut one, mut two)) = both {
            std::mem::swap(&mut one.id, &mut two.id);
            self.w.watch.says(one.id.as_str(), &one.body);
            self.w.watch.says(two.id.as_str(), &two.body);
            self.w.write_file(&at, one);
            self.w.write_file(&to, two);
            self.noticed(&at, Noticed::Yes);
            self.noticed(&to, Noticed::Yes);
        }
    }

    fn remove(&mut self, page: u8) {
        let path = self.path(page);
        if self.w.folder.contains_key(&path) {
            self.w.folder.remove(&path);
            self.w.watch.removed(&id(page));
            self.noticed(&path, Noticed::Yes);
        }
    }

    fn check_out(&mut self, number: u32) {
        let tree = self.w.folder.tree();
        self.before.get_or_insert(tree.clone());
        let other = |(n, (path, bytes, doc)): (usize, (String, Vec<u8>, Option<Doc>))| match (number as usize + n) % 3 {
            0 => None,
            1 => Some((path, bytes, doc)),
            _ => {
                let doc = doc.map(|doc| Doc { body: format!("w{number}-branch"), ..doc });
                Some((path, doc.as_ref().map_or(bytes, Doc::bytes), doc))
            }
        };
        self.setup.numbers().for_each(|page| self.w.watch.removed(&id(page)));
        let branch = tree.into_iter().enumerate().filter_map(other).collect();
        self.w.folder.check_out(self.w.now(), branch);
        self.noticed("p0.md", Noticed::Overflow);
    }

    fn back(&mut self) {
        if let Some(tree) = self.before.take() {
            for doc in tree.iter().filter_map(|(.., doc)| doc.as_ref()) {
                self.w.watch.says(doc.id.as_str(), &doc.body);
            }
            self.w.folder.check_out(self.w.now(), tree);
            self.noticed("p0.md", Noticed::Overflow);
        }
    }

    fn spoil(&mut self, page: u8, how: Spoilt) {
        let path = self.path(page);
        let Some(doc) = self.w.folder.get(&path).cloned() else { return };
        self.tally.note(format!("spoilt {how:?}"));
        let text = String::from_utf8(doc.bytes()).unwrap();
        let bytes = match how {
            Spoilt::Empty => Vec::new(),
            Spoilt::Unclosed => text.replacen("---\n", "", 2).replacen("page_id", "---\npage_id", 1).into_bytes(),
            Spoilt::Markers => (text + "\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n").into_bytes(),
            Spoilt::NotUtf8 => [text.into_bytes(), vec![0xff, 0xfe]].concat(),
            Spoilt::Off => text.replacen("status:", "sync: false\nstatus:", 1).into_bytes(),
            Spoilt::NoFrontMatter => b"no front matter\n".to_vec(),
            Spoilt::Copy => {
                let copy = format!("copy-of-{}.md", id(page));
                self.w.write_file(&copy, doc);
                return self.noticed(&copy, Noticed::Yes);
            }
        };
        self.w.folder.write_bytes(self.w.now(), &path, &bytes);
        self.noticed(&path, Noticed::Yes);
    }

    // ---- whoever settles things

    /// As `hubsync resolve` does it: on what `status` shows of the page.
    pub(super) fn resolve(&mut self, page: u8, how: Settle) {
        let page = PageId::parse(&id(page)).unwrap();
        let report = self.w.summary().pages.into_iter().find(|report| report.page_id.as_ref() == Some(&page));
        let Some(report) = report else { return };
        let waits = matches!(report.state, State::Conflict | State::Drifted | State::Orphaned);
        let (true, Some((version, updated_at))) = (waits, report.marks) else { return };
        let keep = match (how, report.state) {
            (Settle::Local, State::Orphaned) => Keep::Archive,
            (Settle::Local, _) => Keep::Local,
            (Settle::Remote, _) | (Settle::Both, State::Orphaned) => Keep::Remote,
            (Settle::Both, _) => Keep::Both,
        };
        self.tally.note(format!("settled {:?} {keep:?}", report.state));
        self.w.watch.decided(page.as_str(), updated_at, keep);
        self.w.handle(Input::Decided(vec![(page, Resolution { keep, version, updated_at })]));
    }

    fn forget(&mut self, page: u8) {
        let page = PageId::parse(&id(page)).unwrap();
        let now = self.w.now();
        if self.w.engine.forget_page(now, &page).is_ok() {
            self.tally.note("a page is forgotten");
            self.w.folder.forget(&page);
            self.w.watch.forgets_page(page.as_str());
            self.w.rescan();
        }
    }

    // ---- the colleague

    fn colleague(&mut self, page: u8, act: Deed, number: u32) {
        let title = "T".to_owned();
        let common = |n: u8| self.text(["A", "B", "C"][usize::from(n)]);
        let files = |n: usize| Act::File { folder_ids: vec![self.folders[n].clone()], skill_ids: Vec::new() };
        let act = match act {
            Deed::Publish => Act::Publish { title, content: format!("X{number}") },
            Deed::PublishCommon(n) => Act::Publish { title, content: common(n) },
            // Which text of a document with links a page has, `watch` can't tell.
            Deed::PublishBlank if self.setup.linked => return,
            Deed::PublishBlank => {
                // Only where both have met: at a first meeting such a text is taken for the document's.
                let met =
                    self.w.disk.record(&PageId::parse(&id(page)).unwrap()).is_some_and(|record| record.base.is_some());
                let live = self.w.live_text(&id(page)).filter(|text| met && !text.trim().is_empty());
                let Some(live) = live else { return };
                Act::Publish { title, content: live + " \t\n" }
            }
            Deed::Draft => Act::SaveDraft { title, content: format!("Y{number}") },
            Deed::DraftCommon(n) => Act::SaveDraft { title, content: common(n) },
            Deed::Discard => Act::DiscardDraft,
            Deed::FileInG => files(0),
            Deed::FileInH => files(1),
            Deed::Archive => Act::Archive,
            Deed::Restore => Act::Restore,
        };
        // A page that is archived, or was never published, can't take everything.
        if self.w.try_colleague(&id(page), act.clone()).is_ok() {
            let words = format!("{act:?}");
            self.tally.note(format!("colleague {}", words.split(' ').next().unwrap_or_default()));
        }
        self.w.tick(1);
    }
}

fn kind(op: &Op) -> String {
    let words = format!("{op:?}");
    let name: String = words.chars().take_while(|c| c.is_alphanumeric()).collect();
    match op {
        Op::Clock(by) if *by < -60_000 => "op Clock back".to_owned(),
        Op::Clock(by) if *by > 60_000 => "op Clock forward".to_owned(),
        Op::DiskFull(true) => "op DiskFull".to_owned(),
        Op::Root(false) => "op Root vanishes".to_owned(),
        _ => format!("op {name}"),
    }
}

fn name(fate: &Fate) -> String {
    format!("{fate:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}

impl RetryAfter {
    /// Every form, as the tally names it.
    pub const FORMS: &[&str] = &[
        "429 Seconds",
        "429 Date",
        "429 Float",
        "429 InBody",
        "429 InError",
        "429 Both",
        "429 Year2099",
        "429 Negative",
        "429 Junk",
        "429 Absent",
    ];
}
