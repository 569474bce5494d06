//! Two writers with two clones: each has a folder of the same pages, a state and a process; both write to one hub, in whose
//! browser a colleague publishes and leaves drafts. On either side a person settles what waits, at any moment.
//!
//! What one side writes is somebody else's text for the other side's `watch`. In the end nothing fails any more, and what
//! waits is settled: the first side keeps its documents, the second one takes over what the hub says. Then both folders and
//! the hub say the same. `SIM_SEED=17 cargo test --test sim two_writers` replays one, `SIM_SCHEDULES=100000` walks so many.

use hubsync::engine::Mode;
use hubsync::policy::{OnDifference, Policy};
use hubsync::sandbox::{Settings, Time};

use super::schedule::{AtHub, Beginning, Deed, Edit, Next, Noticed, Op, PAGES, Settle, Setup, draw_passing, draw_tail};
use super::schedules::{Failure, SETTLED, catch, cut_short, each_seed, number};
use super::stage::{Stage, id};
use super::tally::Tally;
use super::verdict::plain;
use super::world::{Command, SYNC};

/// The fixed set of CI.
const FIXED: u64 = 400;
const STEPS: u32 = 90;
/// How often both look for drift, in milliseconds.
const CHECK: u64 = 20_000;
/// No turn in which the hub is asked takes longer, in milliseconds.
const MOMENT: i64 = 500;
/// What one side settles can let the other publish what it held; more often than this nothing comes of that.
const ROUNDS: usize = 5;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Whose documents are kept in the end.
    Keeps,
    /// Who takes over in the end what the hub says.
    TakesOver,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Keeps => Self::TakesOver,
            Self::TakesOver => Self::Keeps,
        }
    }

    /// How what waits on this side is settled in the end.
    fn settles(self) -> Settle {
        match self {
            Self::Keeps => Settle::Local,
            Self::TakesOver => Settle::Remote,
        }
    }
}

/// What shows that somebody was at a page.
#[derive(PartialEq, Eq)]
struct Mark {
    touched: Time,
    version: Option<u64>,
    draft: Option<String>,
}

struct Clones {
    sides: [Stage; 2],
    /// Who has the hub at hand: there is one, and it goes to and fro.
    at: Side,
    rounds: usize,
}

impl Clones {
    fn new(setup: &Setup) -> Self {
        let mut clones = Self { sides: [(); 2].map(|()| Stage::new(setup.clone())), at: Side::Keeps, rounds: 0 };
        for side in [Side::Keeps, Side::TakesOver] {
            clones.turn(side, |stage| {
                // The other clone spends requests of the same workspace, and another machine's ledger tells nothing of it.
                stage.w.watch.shared_limits = true;
                for page in setup.numbers() {
                    let body = stage.w.folder[stage.path(page).as_str()].body.clone();
                    stage.w.watch.says(&id(page), &body);
                }
                stage.w.settle();
            });
        }
        clones
    }

    fn stage(&mut self, side: Side) -> &mut Stage {
        &mut self.sides[side as usize]
    }

    /// One side does something; so much time passes on the other, too, and either learns what is somebody else's.
    fn turn<T>(&mut self, side: Side, act: impl FnOnce(&mut Stage) -> T) -> T {
        let done = self.alone(side, act);
        let behind = self.stage(side).w.time - self.stage(side.other()).w.time;
        if behind > 0 {
            self.alone(side.other(), |stage| stage.pass(behind));
        }
        done
    }

    fn alone<T>(&mut self, side: Side, act: impl FnOnce(&mut Stage) -> T) -> T {
        if self.at != side {
            let [one, two] = &mut self.sides;
            std::mem::swap(&mut one.w.hub, &mut two.w.hub);
            self.at = side;
        }
        let stage = self.stage(side);
        let before = marks(stage);
        let done = act(stage);
        let after = marks(stage);
        self.tell_other(&before, &after);
        done
    }

    /// What was written on the side that has the hub at hand is somebody else's on the other.
    fn tell_other(&mut self, before: &[Mark], after: &[Mark]) {
        let [one, two] = &mut self.sides;
        let (writer, other) = if self.at == Side::Keeps { (one, two) } else { (two, one) };
        // What arrived late came between things that the other did a moment ago.
        let late = if writer.w.time <= other.w.time { MOMENT } else { 0 };
        for (page, (was, is)) in (0..).zip(before.iter().zip(after)).filter(|(_, (was, is))| was != is) {
            let (hub, at) = (&writer.w.hub, is.touched.0 / 1_000 + late);
            if was.version != is.version {
                other.w.watch.other_published(hub, &id(page), at);
            }
            if was.draft != is.draft {
                other.w.watch.other_drafted(hub, &id(page), at);
            }
        }
    }

    // ---- the end

    /// Nothing fails any more; what waits is settled, until nothing does.
    fn heal(&mut self) {
        for side in [Side::Keeps, Side::TakesOver] {
            self.turn(side, |stage| {
                stage.w.trace.push("-- heal".to_owned());
                stage.w.disk.full = false;
                stage.w.setting.mode = Mode::Daemon;
                stage.w.crash();
            });
        }
        for side in [Side::Keeps, Side::TakesOver] {
            self.turn(side, |stage| stage.w.tick(10_000));
        }
        for _ in 0..ROUNDS {
            self.rounds += 1;
            let before = self.turn(Side::Keeps, |stage| marks(stage));
            let waited = [Side::Keeps, Side::TakesOver].map(|side| self.settle_all(side));
            // What one side had still to send may be news for the other.
            if waited == [0, 0] && before == self.turn(Side::Keeps, |stage| marks(stage)) {
                return;
            }
        }
        panic!("each side's decisions give the other something to decide, {ROUNDS} times over");
    }

    /// Settles all that waits on one side; how many pages there were.
    fn settle_all(&mut self, side: Side) -> usize {
        self.turn(side, Stage::come_to_rest);
        self.turn(side, |stage| stage.take_markers_out(STEPS * 2 + side as u32));
        self.turn(side, |stage| stage.settle_all(side.settles()))
    }

    /// Both folders and the hub say the same, and neither side has anything to send.
    fn verify(&mut self) {
        for side in [Side::Keeps, Side::TakesOver] {
            self.turn(side, |stage| {
                stage.w.forget_requests();
                stage.w.restart(SYNC);
                stage.w.settle();
                assert_eq!(stage.w.requests().1, 0, "a sync of {side:?} sends something: {:?}", stage.w.asked());
            });
        }
        for page in 0..PAGES {
            let kept = self.turn(Side::Keeps, |stage| stage.shown(page).to_owned());
            let taken = self.turn(Side::TakesOver, |stage| stage.shown(page).to_owned());
            assert_eq!(plain(&kept), plain(&taken), "p{page} is one text here and another there");
        }
    }
}

fn marks(stage: &Stage) -> Vec<Mark> {
    let mark = |page: u8| {
        let page = stage.w.hub.page(&id(page)).unwrap();
        let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
        Mark { touched: page.updated_at, version: page.version(), draft }
    };
    stage.setup.numbers().map(mark).collect()
}

// ---- what happens

fn draw(seed: u64) -> (Setup, Vec<(Side, Op)>) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x02c1_04e5);
    let on_conflict = if rng.u8(..4) == 0 { OnDifference::Local } else { OnDifference::Hold };
    let policy =
        Policy { on_conflict, concurrency: rng.usize(1..=3), check_interval: Some(CHECK), ..Policy::default() };
    let settings = Settings { per_minute: rng.u32(20..60), ..Settings::default() };
    let setup = Setup {
        policy,
        settings,
        pages: vec![Beginning { hub: AtHub::Same, is_draft: false }; PAGES.into()],
        rows: if rng.u8(..3) == 0 { 2 } else { 0 },
        no_date: rng.u8(..20) == 0,
        met: false,
        fancy: false,
        linked: false,
    };
    let mut side = Side::Keeps;
    let mut op = |number: u32| {
        // Either is at work for a while, so that looks and writes of the two come to lie between each other.
        if rng.u8(..3) == 0 {
            side = side.other();
        }
        (side, draw_op(&mut rng, 2 * number + side as u32))
    };
    let ops = (0..STEPS).map(&mut op).collect();
    (setup, ops)
}

fn draw_op(rng: &mut fastrand::Rng, number: u32) -> Op {
    let page = rng.u8(..PAGES);
    let save = |edit: Edit| Op::Save { page, edit, number, noticed: Noticed::Yes };
    let colleague = |act: Deed| Op::Colleague { page, act, number };
    match rng.u16(..1_000) {
        0..380 => Op::Go { times: rng.u8(1..8), dice: rng.u64(..) },
        380..470 => Op::Pass(rng.i64(1_000..4_000)),
        470..520 => Op::Pass(rng.i64(10_000..70_000)),
        520..620 => save(Edit::New),
        620..640 => save(Edit::Common(rng.u8(..3))),
        640..665 => save([Edit::InG, Edit::InBoth, Edit::NoFolder, Edit::Unmanaged][rng.usize(..4)]),
        665..675 => Op::Half { page, gap: rng.i64(1..1_900), number },
        675..690 => Op::Revert(page),
        690..700 => Op::Mass(number),
        700..710 => Op::Rename(page),
        710..740 => colleague(Deed::Publish),
        740..765 => colleague(Deed::Draft),
        765..775 => colleague(Deed::Discard),
        775..785 => colleague([Deed::FileInG, Deed::FileInH][rng.usize(..2)]),
        785..800 => Op::Overtake([Deed::Publish, Deed::Draft][rng.usize(..2)], number),
        800..870 => Op::Resolve(page, [Settle::Local, Settle::Remote, Settle::Both][rng.usize(..3)]),
        870..900 => Op::Write([Command::Writes, Command::Dies, Command::WritesAndDies][rng.usize(..3)]),
        900..955 => Op::Befall { flight: rng.u8(..4), fate: draw_passing(rng) },
        955..980 => Op::Crash(draw_tail(rng), if rng.u8(..4) == 0 { Next::Sync } else { Next::Run }),
        980..988 => Op::DiskFull(rng.bool()),
        988..991 => Op::Suspend(28_800_000),
        _ => Op::Rescan,
    }
}

// ---- carried out

fn carry_out(setup: &Setup, ops: &[(Side, Op)]) -> Result<Tally, Failure> {
    let mut clones = catch(|| Clones::new(setup)).map_err(|message| Failure { message, trace: Vec::new() })?;
    let result = catch(|| {
        for (side, op) in ops {
            clones.turn(*side, |stage| stage.carry_out(op));
        }
        clones.heal();
        clones.verify();
    });
    let rounds = format!("settled in {} rounds", clones.rounds);
    let [one, two] = clones.sides;
    match result {
        Ok(()) => {
            let mut tally = one.tally;
            tally.add(two.tally);
            tally.schedules = 1;
            tally.note(rounds);
            Ok(tally)
        }
        Err(message) => {
            let end = |trace: Vec<String>| trace[trace.len().saturating_sub(80)..].to_vec();
            let trace = [vec!["---- who keeps".to_owned()], end(one.w.trace), vec!["---- who takes over".to_owned()]];
            Err(Failure { message, trace: [trace.concat(), end(two.w.trace)].concat() })
        }
    }
}

/// Carries out the schedule of a seed; one that fails is cut to the steps that matter.
fn run(seed: u64) -> Result<Tally, String> {
    let (setup, ops) = draw(seed);
    carry_out(&setup, &ops).map_err(|_| {
        let short = cut_short(ops, |ops| carry_out(&setup, ops).is_err());
        let Err(failure) = carry_out(&setup, &short) else { return "it fails only now and then".to_owned() };
        let steps: Vec<String> = short.iter().map(|step| format!("    {step:?}")).collect();
        format!("{}\n{}\ncut to these steps:\n{}", failure.trace.join("\n"), failure.message, steps.join("\n"))
    })
}

#[test]
fn two_writers_with_two_clones_lose_no_text_and_come_to_rest() {
    if let Some(seed) = number("SIM_SEED") {
        return run(seed).map(drop).unwrap_or_else(|message| panic!("{message}"));
    }
    let last = number("SIM_SCHEDULES").unwrap_or(FIXED);
    let tally = each_seed(last, run);
    tally.print();
    let few: Vec<String> = tally.below(OFTEN, 10).into_iter().chain(tally.below(&SETTLED[..6], 20)).collect();
    assert!(few.is_empty() || last < FIXED, "too seldom: {few:#?}");
}

const OFTEN: &[&str] = &[
    "fate AnswerLost",
    "fate Late",
    "fate AppliedGateway",
    "op DiskFull",
    "op Write",
    "a colleague overtakes a write",
    "colleague SaveDraft",
    "crash while a write is on its way",
    "crash while a write has arrived and is not answered",
    "crash while a change is being stored",
    "crash while a doubt waits",
    "settled in 2 rounds",
];
