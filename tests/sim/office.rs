//! Fifty pages and ten thousand steps, one after the other and without a fresh start: a writer, a colleague who publishes and
//! leaves drafts, a person who settles what waits, lost answers and crashes.
//!
//! Beside what `watch` looks at after every step: one decision settles a page that has not moved since it was shown, and all
//! of it takes no more requests than the README's table says (`Bound`). In the end every page shows its document.
//! `SIM_STEPS=100000 SIM_SEED=17 cargo test --test sim fifty_pages -- --nocapture` walks so many from that seed.

use std::collections::BTreeMap;
use std::time::Instant;

use hubsync::policy::Policy;
use hubsync::sandbox::Settings;

use super::schedule::{AtHub, Beginning, Deed, Edit, Next, Noticed, Op, Settle, Setup, draw_passing, draw_tail};
use super::schedules::{catch, number};
use super::stage::{Stage, id};
use super::world::{Command, SYNC};

const PAGES: u8 = 50;
const STEPS: u64 = 10_000;
const SEED: u64 = 5;
/// How often it looks for drift, in milliseconds.
const CHECK: u64 = 60_000;
const CONCURRENCY: usize = 3;
/// How requests are counted.
const WRITE: &str = "writes";
const LOOK: &str = "looks at a page";
const LIST: &str = "lists";
const TABLE: &str = "tables of folders";
/// So many lines of the trace are kept.
const TOLD: usize = 150;

struct Office {
    stage: Stage,
    rng: fastrand::Rng,
    begun: i64,
    met: Met,
}

/// What was done, and what it came to.
#[derive(Default)]
struct Met {
    steps: u32,
    saves: usize,
    touches: usize,
    /// Those at a page whose document is not published as it is.
    crossings: usize,
    resolved: usize,
    /// Those that take over the hub's text.
    taken_over: usize,
    overtaken: usize,
    faults: usize,
    starts: usize,
    settled: BTreeMap<String, usize>,
    requests: BTreeMap<&'static str, usize>,
}

impl Office {
    fn new(seed: u64) -> Self {
        let setup = Setup {
            policy: Policy { concurrency: CONCURRENCY, check_interval: Some(CHECK), ..Policy::default() },
            // The day's limit would make this take weeks; that it is kept is tried elsewhere.
            settings: Settings { per_day: 1_000_000, ..Settings::default() },
            pages: vec![Beginning { hub: AtHub::Same, is_draft: false }; PAGES.into()],
            rows: 0,
            no_date: false,
            met: true,
            fancy: false,
            linked: false,
        };
        let stage = Stage::new(setup);
        let begun = stage.w.time;
        Self { stage, rng: fastrand::Rng::with_seed(seed), begun, met: Met { starts: 1, ..Met::default() } }
    }

    fn step(&mut self) {
        self.met.steps += 1;
        match self.rng.u8(..100) {
            0..5 => self.settle_one(),
            _ => {
                let op = self.draw();
                self.count(&op);
                self.stage.carry_out(&op);
            }
        }
        self.take_notes();
    }

    fn draw(&mut self) -> Op {
        let (rng, number) = (&mut self.rng, self.met.steps);
        let page = rng.u8(..PAGES);
        let save = |edit: Edit| Op::Save { page, edit, number, noticed: Noticed::Yes };
        let colleague = |act: Deed| Op::Colleague { page, act, number };
        match rng.u16(..1_000) {
            0..440 => Op::Go { times: rng.u8(1..12), dice: rng.u64(..) },
            440..560 => Op::Pass(rng.i64(1_000..4_000)),
            560..590 => Op::Pass(rng.i64(10_000..70_000)),
            590..725 => save(Edit::New),
            725..740 => save(Edit::Common(rng.u8(..3))),
            740..765 => save([Edit::InG, Edit::InBoth, Edit::NoFolder, Edit::Unmanaged][rng.usize(..4)]),
            765..775 => Op::Half { page, gap: rng.i64(1..1_900), number },
            775..785 => Op::Revert(page),
            785..786 => Op::Mass(number),
            786..790 => Op::Rename(page),
            790..835 => colleague(Deed::Publish),
            835..865 => colleague(Deed::Draft),
            865..875 => colleague(Deed::Discard),
            875..890 => colleague([Deed::FileInG, Deed::FileInH][rng.usize(..2)]),
            890..905 => Op::Overtake([Deed::Publish, Deed::Draft][rng.usize(..2)], number),
            905..945 => Op::Resolve(page, [Settle::Local, Settle::Remote, Settle::Both][rng.usize(..3)]),
            945..955 => Op::Write([Command::Writes, Command::Dies, Command::WritesAndDies][rng.usize(..3)]),
            955..985 => Op::Befall { flight: rng.u8(..4), fate: draw_passing(rng) },
            985..995 => Op::Crash(draw_tail(rng), if rng.u8(..4) == 0 { Next::Sync } else { Next::Run }),
            _ => Op::Rescan,
        }
    }

    fn count(&mut self, op: &Op) {
        match op {
            Op::Save { .. } | Op::Revert(_) => self.met.saves += 1,
            Op::Half { .. } => self.met.saves += 2,
            Op::Mass(_) => self.met.saves += usize::from(PAGES),
            Op::Colleague { page, .. } => {
                self.met.touches += 1;
                self.met.crossings += usize::from(!self.stage.is_in_step(*page));
            }
            Op::Overtake(..) => {
                self.met.touches += 1;
                self.met.crossings += 1;
            }
            Op::Resolve(page, how) if self.stage.waiting().contains_key(page) => self.decides(*how),
            Op::Befall { .. } => self.met.faults += 1,
            Op::Crash(..) => self.met.starts += 1,
            _ => {}
        }
    }

    fn decides(&mut self, how: Settle) {
        self.met.resolved += 1;
        self.met.taken_over += usize::from(how != Settle::Local);
    }

    /// A person settles one page that waits, and waits for what comes of it. What was saved has been noticed by then.
    fn settle_one(&mut self) {
        self.stage.pass(3_000);
        self.stage.w.rescan();
        let waiting = self.stage.waiting();
        let Some((&page, report)) = waiting.iter().nth(self.rng.usize(..waiting.len().max(1))) else { return };
        let how = match self.rng.u8(..3) {
            // Texts that are the same can't stand beside each other; `resolve` says so.
            0 if self.stage.differs(page) => Settle::Both,
            0 | 1 => Settle::Remote,
            _ => Settle::Local,
        };
        let shown = report.marks.map(|(_, stamp)| stamp.0);
        let stands = |stage: &Stage| stage.w.hub.page(&id(page)).map(|page| page.updated_at.0);
        let moved = shown != stands(&self.stage);
        self.decides(how);
        self.stage.resolve(page, how);
        self.stage.w.settle();
        match self.stage.waiting().get(&page) {
            None => *self.met.settled.entry(format!("{how:?}")).or_default() += 1,
            Some(_) if moved => self.met.overtaken += 1,
            Some(left) => panic!("one decision does not settle it: {left:?}"),
        }
    }

    /// Counts the requests, and forgets what nobody will ask for.
    fn take_notes(&mut self) {
        let w = &mut self.stage.w;
        for asked in w.asked() {
            let what = match asked.as_str() {
                "GET pages" => LIST,
                asked if asked.starts_with("GET pages/") => LOOK,
                asked if asked.starts_with("GET ") => TABLE,
                _ => WRITE,
            };
            *self.met.requests.entry(what).or_default() += 1;
        }
        w.forget_requests();
        let old = w.trace.len().saturating_sub(TOLD);
        if old > 10 * TOLD {
            w.trace.drain(..old);
        }
    }

    /// Nothing fails any more; what waits is settled, and every page shows its document.
    fn end(&mut self) {
        let before = self.stage.w.time;
        self.stage.heal();
        // What rests may look as long as it likes: a minute is a minute.
        self.begun += self.stage.w.time - before;
        self.stage.verify();
        self.stage.take_markers_out(self.met.steps + 1);
        self.stage.settle_all(Settle::Local);
        for page in 0..PAGES {
            self.stage.shown(page);
        }
        self.stage.w.forget_requests();
        self.stage.w.restart(SYNC);
        self.stage.w.settle();
        assert_eq!(self.stage.w.requests().1, 0, "a sync sends something: {:?}", self.stage.w.asked());
    }

    fn bound(&self) -> Bound {
        let minutes = usize::try_from((self.stage.w.time - self.begun) / 60_000).unwrap() + 1;
        let Met { saves, crossings, resolved, taken_over, faults, starts, .. } = self.met;
        Bound { saves, crossings, resolved, taken_over, faults, starts, minutes, writes: self.asked(WRITE) }
    }

    fn asked(&self, what: &str) -> usize {
        self.met.requests.get(what).copied().unwrap_or_default()
    }

    /// What was asked, what it may be at most, and for what.
    fn costs(&self) -> [(&'static str, usize, usize); 4] {
        let bound = self.bound();
        [
            (WRITE, self.asked(WRITE), bound.writes()),
            (LOOK, self.asked(LOOK), bound.looks()),
            (LIST, self.asked(LIST), bound.lists()),
            (TABLE, self.asked(TABLE), 1),
        ]
    }

    fn print(&self, seed: u64) {
        let met = &self.met;
        let hours = (self.stage.w.time - self.begun) / 3_600_000;
        println!("{} steps from seed {seed}, {hours} hours", met.steps);
        println!("{} saves, {} touches of the colleague's", met.saves, met.touches);
        println!(
            "{} decisions; waited for: {:?}, {} held, because the page had moved",
            met.resolved, met.settled, met.overtaken
        );
        println!("{} faults, {} starts, {} backups", met.faults, met.starts, self.stage.w.disk.backups.len());
        for (what, asked, most) in self.costs() {
            println!("{asked} {what}, at most {most}");
        }
    }
}

/// What happened, by what the README says it may cost.
struct Bound {
    saves: usize,
    crossings: usize,
    resolved: usize,
    taken_over: usize,
    faults: usize,
    starts: usize,
    minutes: usize,
    writes: usize,
}

impl Bound {
    /// One for each save and each decision, and again where an answer may have been lost.
    fn writes(&self) -> usize {
        self.saves + self.resolved + self.faults + self.starts
    }

    /// One at each page when it is met, one for each write, for each decision that takes over the hub's text, and for each touch
    /// of a page that has a change of ours, too; one for what was lost; another for what was under way when a process ended.
    /// (What a colleague does to a page in step is in the lists.)
    fn looks(&self) -> usize {
        let again = self.faults + CONCURRENCY * self.starts;
        usize::from(PAGES) + self.writes + self.taken_over + self.crossings + again
    }

    /// One a minute, and one that a process begins with.
    fn lists(&self) -> usize {
        self.minutes + self.starts
    }
}

#[test]
fn fifty_pages_lose_no_text_and_cost_no_more_than_the_table_says() {
    let (steps, seed) = (number("SIM_STEPS").unwrap_or(STEPS), number("SIM_SEED").unwrap_or(SEED));
    let begun = Instant::now();
    let mut office = Office::new(seed);
    let result = catch(|| {
        (0..steps).for_each(|_| office.step());
        office.print(seed);
        for (what, asked, most) in office.costs() {
            assert!(asked <= most, "{asked} {what}, and the table says {most} at most");
        }
        office.end();
    });
    println!("{:.1} s", begun.elapsed().as_secs_f64());
    if let Err(message) = result {
        let trace = &office.stage.w.trace;
        panic!(
            "seed {seed}, step {}: {message}\n{}",
            office.met.steps,
            trace[trace.len().saturating_sub(TOLD)..].join("\n")
        );
    }
    let Met { settled, overtaken, .. } = &office.met;
    assert!(steps < STEPS || (settled.len() == 3 && *overtaken > 0), "{settled:?}, {overtaken} overtaken");
}
