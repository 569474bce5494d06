//! Schedules of births, moves, deaths and links: documents without `page_id` that point to each other, editors that hold the
//! old text, checkouts that take the id away again, POSTs whose answers are lost or that arrive late, crashes at every point
//! between a POST and the written line, a state that is lost, files that go while pages are archived, come back, or leave
//! their path to another.
//!
//! Whatever happens, no document has two pages and no page is archived whose document is there. In the end each document
//! names exactly one page, and that says what the document says, with every link leading to where its document's page is.
//! `SIM_SEED=17 cargo test --test sim births` replays one, `SIM_SCHEDULES=100000` walks so many.
//!
//! `process` has the network and the crashes, `writer` the files, `links` the words of links and what they become, `witness`
//! what must hold.

use std::collections::{BTreeMap, BTreeSet};

use hubsync::document;
use hubsync::engine::Mode;
use hubsync::page::{PageId, Status};
use hubsync::policy::{Create, OnDelete, Policy};
use hubsync::sandbox::{self, Normalise, Settings};

use super::network::Fate;
use super::schedules::{catch, each_seed, number};
use super::tally::Tally;
use super::world::World;
use writer::Editor;

mod cost;
mod found;
mod links;
mod process;
mod witness;
mod writer;

/// The fixed set of CI.
const FIXED: u64 = 2_600;
const OPS: usize = 60;
/// Documents that there may be at once.
const PATHS: u8 = 4;
/// A document that moved without its id is known by its title for so long, in milliseconds, less a minute.
const KNOWN_BY_TITLE: i64 = 540_000;
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
    /// The marks of all documents that ever lay at each path.
    lain: BTreeMap<String, BTreeSet<String>>,
    /// Files that were moved without an id, and when by our wall clock: nobody may have noticed that yet.
    strays: BTreeMap<String, i64>,
    /// Titles that a colleague's page has, too, or one that was forgotten.
    namesakes: BTreeSet<String>,
    numbers: u32,
    /// What the next PATCH meets.
    awaits: Option<Fate>,
    /// Whether documents point to each other.
    linked: bool,
    /// Whether a new document lies where another one lay.
    reuses: bool,
    /// Whether a state was lost.
    lost: bool,
    /// What was removed last of each, and where it lay.
    removed: BTreeMap<u8, (String, String)>,
    /// Pages whose documents have become others, as the README says.
    parted: BTreeSet<String>,
    /// Files that were moved, with all events of that lost, and from where.
    untold: BTreeMap<String, String>,
    /// When files were removed, by their paths.
    missed: BTreeMap<String, i64>,
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
        stage.one_more();
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
        let (linked, reuses) = (rng.u8(..4) > 0, rng.u8(..4) == 0);
        if linked {
            policy.rules.links = links::rules(rng.u8(..3) == 0);
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
            lain: BTreeMap::new(),
            strays: BTreeMap::new(),
            namesakes: BTreeSet::new(),
            numbers: 0,
            awaits: None,
            linked,
            reuses,
            lost: false,
            removed: BTreeMap::new(),
            parted: BTreeSet::new(),
            untold: BTreeMap::new(),
            missed: BTreeMap::new(),
        };
        if stage.rng.bool() {
            stage.make_together()
        } else {
            (0..2).for_each(|n| stage.make(n))
        }
        stage.w.rescan();
        stage
    }

    fn step(&mut self) {
        let n = self.rng.u8(..PATHS);
        match self.rng.u16(..1_000) {
            0..45 => self.calm(),
            45..160 => self.go(),
            160..410 => self.befall(),
            410..465 => self.crash(),
            465..560 => self.pass_between(1..4_000),
            560..610 => self.pass_between(5_000..70_000),
            610..630 => self.pass_between(100_000..400_000),
            630..700 => self.make(n),
            700..715 => self.make_together(),
            715..755 => self.edit(n, Editor::UpToDate),
            755..785 => self.edit(n, Editor::HoldsTheOldText),
            785..800 => self.check_out(),
            800..835 => self.rename(n),
            835..865 => self.remove(n),
            865..880 => self.bring_back(n),
            880..890 => self.copy(n),
            890..900 => self.namesake(n),
            900..940 => self.relink(n),
            940..950 => self.w.disk.full = self.rng.bool(),
            950..960 => {
                self.tally.note("the root vanishes, or comes back");
                self.w.folder.missing = !self.w.folder.missing;
                self.w.rescan();
            }
            960..967 => self.w.rescan(),
            967..977 => {
                self.tally.note("the clock jumps");
                let by = [-3_600_000, 300_000, 45_000, -45_000][self.rng.usize(..4)];
                self.w.set_clock(by);
            }
            977..981 => {
                self.tally.note("the machine sleeps");
                self.w.suspend(7_200_000);
            }
            981..984 => self.lose_state(),
            _ => self.go(),
        }
        self.w.pump();
    }

    fn id_in(&self, path: &str) -> Option<PageId> {
        document::parse(self.w.folder.bytes(path)?, &self.w.policy.rules).reading.page_id().cloned()
    }
}

/// The first word of a body.
fn mark_in(text: &str) -> String {
    let body = text.splitn(3, "---\n").nth(2).unwrap_or(text);
    body.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The page that a file names, by the line in its front matter.
fn id_line(text: &str) -> Option<String> {
    let head = text.split("---\n").nth(1)?;
    head.lines().find_map(|line| line.strip_prefix("page_id:")).map(|id| id.trim().to_owned())
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
    "PATCH AnswerLost",
    "PATCH Cut",
    "PATCH Late",
    "PATCH Unsent",
    "PATCH Gateway",
    "PATCH AppliedGateway",
    "PATCH Limited",
    "PATCH AppliedPortal",
    "PATCH AppliedHalf",
    "PATCH AppliedEmpty",
    "PATCH Rejected",
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
    "the machine sleeps",
    "the root vanishes, or comes back",
    "the state is lost",
    "a page is archived",
];

/// Births, moves, deaths and changes of links: as often each, and all together `MANY_STEPS` times.
const STEPS: &[&str] = &[
    "a document is made",
    "a rename",
    "a rename before there is an id",
    "a document is removed",
    "a document comes back",
    "a link is added",
    "a link is taken out",
    "a link is pointed elsewhere",
];
const MANY_STEPS: u64 = 10_000;

/// What some of these are, and what becomes of links in the end.
const CASES: &[&str] = &[
    "documents that link each other are made together",
    "a path is used again",
    "links are mended after a rename",
    "a link leads to its document's page",
];

const ROWS: &[&str] = &["row N0", "row N2", "row N3", "row N4", "row F2", "row F3"];

#[test]
fn births_moves_deaths_and_links_end_with_one_page_a_document() {
    if let Some(seed) = number("SIM_SEED") {
        return run(seed).map(drop).unwrap_or_else(|message| panic!("{message}"));
    }
    let last = number("SIM_SCHEDULES").unwrap_or(FIXED);
    let tally = each_seed(last, run);
    tally.print();
    let steps: u64 = STEPS.iter().map(|what| tally.of(what)).sum();
    println!("{steps:>9}  births, moves, deaths and changes of links");
    let few = [FAULTS, STEPS, CASES].into_iter().flat_map(|what| tally.below(what, 100)).chain(tally.below(ROWS, 1));
    let few: Vec<String> = few.collect();
    assert!(few.is_empty() || last < FIXED, "too seldom: {few:#?}");
    assert!(steps >= MANY_STEPS || last < FIXED, "only {steps} steps");
}
