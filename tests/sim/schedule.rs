//! A schedule: what kind of hub, documents and rules there are, and what happens one after the other. Drawn from a seed,
//! carried out by `stage`, judged by `verdict`. What happens is a list, so that a failing one can be cut short.

use hubsync::policy::{ConflictCheck, OnDifference, PageUrl, Policy};
use hubsync::sandbox::{Normalise, Settings, Stamps};

use super::disk::Tail;
use super::network::{Fate, RetryAfter};
use super::world::Command;

/// Pages of a drawn one.
pub const PAGES: u8 = 3;

/// What it all begins with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub policy: Policy,
    pub settings: Settings,
    pub pages: Vec<Beginning>,
    /// Rows a page of a list.
    pub rows: usize,
    pub no_date: bool,
    /// Whether everything has met before the first thing happens.
    pub met: bool,
    /// Whether bodies are what a hub rewrites.
    pub fancy: bool,
    /// Whether documents point to each other, and those links lead to pages.
    pub linked: bool,
}

impl Setup {
    /// The numbers of its pages.
    pub fn numbers(&self) -> std::ops::Range<u8> {
        0..u8::try_from(self.pages.len()).unwrap()
    }
}

/// How one page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    pub hub: AtHub,
    pub is_draft: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtHub {
    Empty,
    Same,
    Other,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// What waits to be done is done, a few times; the dice choose what.
    Go {
        times: u8,
        dice: u64,
    },
    Pass(i64),
    /// The writer saves a document; its number makes the text a new one.
    Save {
        page: u8,
        edit: Edit,
        number: u32,
        noticed: Noticed,
    },
    /// The writer's editor writes a half, and the rest a moment later.
    Half {
        page: u8,
        gap: i64,
        number: u32,
    },
    Rename(u8),
    Swap(u8, u8),
    Remove(u8),
    /// The text before the last one.
    Revert(u8),
    Mass(u32),
    /// Another branch is checked out, which lacks some documents and has others otherwise.
    CheckOut(u32),
    /// What was there before the checkout.
    Back,
    Spoil(u8, Spoilt),
    Colleague {
        page: u8,
        act: Deed,
        number: u32,
    },
    /// A colleague is at a page right before a write to it arrives.
    Overtake(Deed, u32),
    /// Another client of the workspace sends so many requests.
    Spend(u32),
    /// Something befalls a request under way.
    Befall {
        flight: u8,
        fate: Fate,
    },
    Crash(Tail, Next),
    DiskFull(bool),
    Clock(i64),
    Suspend(i64),
    Root(bool),
    /// The key is replaced in the hub; our copy of it later.
    NewKey,
    KeyFile,
    Rescan,
    /// A person settles what waits; what is not there to be settled so is left.
    Resolve(u8, Settle),
    /// A command writes the documents that were decided on, or dies before or after.
    Write(Command),
    Forget(u8),
    /// The state file is lost.
    LoseState,
}

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    Local,
    Remote,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    New,
    /// One of few texts, so that both sides write the same now and then.
    Common(u8),
    Status,
    InG,
    InBoth,
    NoFolder,
    Unmanaged,
    UnknownFolder,
    Other,
    Emptied,
    /// White space at the end of the text.
    Blank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// The watcher names it.
    Yes,
    /// The event is lost; a rescan finds it.
    No,
    /// The queue runs over.
    Overflow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilt {
    Empty,
    Unclosed,
    Markers,
    NotUtf8,
    Off,
    NoFrontMatter,
    /// A copy beside it with the same id.
    Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Publish,
    PublishCommon(u8),
    /// The live text with white space at its end.
    PublishBlank,
    Draft,
    DraftCommon(u8),
    Discard,
    FileInG,
    FileInH,
    Archive,
    Restore,
}

/// What runs after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Run,
    Sync,
}

const MANY: usize = 60;

/// What a schedule is about: where everything can happen, little of one kind comes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    Everything,
    /// Lists and texts of documents, and a colleague's drafts.
    Filing,
    /// Looks, lists and writes that cross, and a colleague who publishes.
    Crossing,
    /// Writes whose answers are lost, and a writer who goes back.
    Doubts,
    /// More to send than the minute allows, and answers that take their time.
    Crowd,
}

/// Draws a schedule.
pub fn draw(seed: u64) -> (Setup, Vec<Op>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let theme = match rng.u8(..20) {
        0..12 => Theme::Everything,
        12..14 => Theme::Filing,
        14..17 => Theme::Crossing,
        17..19 => Theme::Doubts,
        _ => Theme::Crowd,
    };
    let mut setup = draw_setup(&mut rng);
    if seed % 4 == 1 {
        (setup.linked, setup.policy.rules.links.page_url) = (true, PageUrl::parse("https://kb/{page_id}").ok());
    }
    if theme != Theme::Everything {
        (setup.met, setup.policy.conflict_check) = (true, ConflictCheck::On);
        setup.policy.concurrency = setup.policy.concurrency.max(2);
    }
    match theme {
        Theme::Crossing => setup.policy.check_interval = Some(rng.u64(5_000..20_000)),
        Theme::Crowd => setup.settings.per_minute = rng.u32(4..8),
        Theme::Everything | Theme::Filing | Theme::Doubts => {}
    }
    let mut ops: Vec<Op> = (0..MANY).map(|n| draw_themed(&mut rng, theme, u32::try_from(n).unwrap())).collect();
    if seed % 3 == 2 {
        settled_by_a_person(seed, &mut ops);
    }
    (setup, ops)
}

/// A person is there, who settles things at any moment.
fn settled_by_a_person(seed: u64, ops: &mut [Op]) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x7e50_17e5);
    for (number, op) in ops.iter_mut().enumerate() {
        let page = rng.u8(..PAGES);
        match rng.u8(..100) {
            0..12 => *op = Op::Resolve(page, [Settle::Local, Settle::Remote, Settle::Both][rng.usize(..3)]),
            12..18 => {
                let commands = [Command::Writes, Command::Writes, Command::Dies, Command::WritesAndDies];
                *op = Op::Write(commands[rng.usize(..4)]);
            }
            18..20 => *op = Op::Forget(page),
            20..23 => *op = Op::Remove(page),
            23..28 => *op = Op::Colleague { page, act: Deed::Publish, number: u32::try_from(number).unwrap() },
            28..32 => {
                let lost = [Fate::AnswerLost, Fate::Late(rng.u64(0..4_990)), Fate::Gateway(502)];
                *op = Op::Befall { flight: rng.u8(..4), fate: lost[rng.usize(..3)].clone() };
            }
            _ => {}
        }
    }
}

fn draw_themed(rng: &mut fastrand::Rng, theme: Theme, number: u32) -> Op {
    let page = rng.u8(..PAGES);
    let go = |rng: &mut fastrand::Rng, times: u8| Op::Go { times: rng.u8(1..times), dice: rng.u64(..) };
    let save = |edit: Edit| Op::Save { page, edit, number, noticed: Noticed::Yes };
    let colleague = |act: Deed| Op::Colleague { page, act, number };
    match (theme, rng.u8(..20)) {
        (Theme::Everything, _) => draw_op(rng, number),
        (_, 0..7) => go(rng, 8),
        (_, 7..9) => Op::Pass(rng.i64(1_000..3_000)),
        (Theme::Filing, 9..12) => save([Edit::InG, Edit::NoFolder, Edit::InBoth][rng.usize(..3)]),
        (Theme::Filing, 12..15) => Op::Mass(number),
        (Theme::Filing, 15..18) => Op::Overtake(Deed::Draft, number),
        (Theme::Filing, 18) => colleague(Deed::FileInH),
        (Theme::Filing, _) => Op::Pass(rng.i64(60_000..70_000)),
        (Theme::Crossing, 9..13) => save(Edit::New),
        (Theme::Crossing, 13..16) => colleague(Deed::Publish),
        (Theme::Crossing, 16) => Op::Overtake(Deed::Publish, number),
        (Theme::Crossing, 17) => Op::Pass(rng.i64(5_000..20_000)),
        (Theme::Crossing, _) => go(rng, 3),
        (Theme::Doubts, 9..12) => save(Edit::New),
        (Theme::Doubts, 12..14) => Op::Revert(page),
        (Theme::Doubts, 14) => Op::Mass(number),
        (Theme::Doubts, 15..18) => {
            let lost = [Fate::AnswerLost, Fate::Late(rng.u64(0..4_990)), Fate::AppliedGateway(502)];
            Op::Befall { flight: rng.u8(..4), fate: lost[rng.usize(..3)].clone() }
        }
        // The wake-up that follows reads the list of what was touched.
        (Theme::Doubts, 18) => Op::Clock([-90_000, 90_000][rng.usize(..2)]),
        (Theme::Doubts, _) => Op::Pass(rng.i64(4_000..7_000)),
        (Theme::Crowd, 9..13) => Op::Mass(number),
        (Theme::Crowd, 13..17) => Op::Pass(rng.i64(10_000..29_000)),
        (Theme::Crowd, _) => save(Edit::New),
    }
}

fn draw_setup(rng: &mut fastrand::Rng) -> Setup {
    let either = |rng: &mut fastrand::Rng| if rng.u8(..3) == 0 { OnDifference::Local } else { OnDifference::Hold };
    let check = if rng.u8(..12) == 0 { ConflictCheck::Off } else { ConflictCheck::On };
    let policy = Policy {
        on_conflict: either(rng),
        on_first_meeting: either(rng),
        conflict_check: check,
        concurrency: rng.usize(1..=4),
        ..Policy::default()
    };
    let normalise = match rng.u8(..8) {
        0 => Normalise::Markdown,
        1 => Normalise::Growing,
        _ => Normalise::Verbatim,
    };
    let settings = Settings {
        per_minute: rng.u32(5..30),
        per_day: if rng.u8(..10) == 0 { rng.u32(60..120) } else { 1_000 },
        normalise,
        stamps: if rng.u8(..6) == 0 { Stamps::WholeSeconds } else { Stamps::Microseconds },
        ..Settings::default()
    };
    let page = |rng: &mut fastrand::Rng| Beginning {
        hub: [AtHub::Empty, AtHub::Other, AtHub::Same, AtHub::Same][rng.usize(..4)],
        is_draft: rng.u8(..3) == 0,
    };
    Setup {
        policy,
        settings,
        pages: (0..PAGES).map(|_| page(rng)).collect(),
        rows: if rng.u8(..3) == 0 { rng.usize(1..=2) } else { 0 },
        no_date: rng.u8(..20) == 0,
        met: rng.bool(),
        fancy: normalise != Normalise::Verbatim,
        linked: false,
    }
}

fn draw_op(rng: &mut fastrand::Rng, number: u32) -> Op {
    let page = rng.u8(..PAGES);
    match rng.u16(..1_000) {
        0..420 => Op::Go { times: rng.u8(1..8), dice: rng.u64(..) },
        420..510 => Op::Befall { flight: rng.u8(..4), fate: draw_fate(rng) },
        510..535 => Op::Crash(draw_tail(rng), if rng.u8(..4) == 0 { Next::Sync } else { Next::Run }),
        535..600 => Op::Pass(rng.i64(1..4_000)),
        600..630 => Op::Pass(rng.i64(10_000..70_000)),
        630..636 => Op::Pass(rng.i64(1_000_000..2_000_000)),
        636..740 => Op::Save { page, edit: draw_edit(rng), number, noticed: draw_noticed(rng) },
        740..760 => Op::Half { page, gap: rng.i64(1..1_900), number },
        760..770 => Op::Rename(page),
        770..776 => Op::Swap(page, (page + 1) % PAGES),
        776..786 => Op::Remove(page),
        786..796 => Op::Revert(page),
        796..804 => Op::Mass(number),
        804..811 => Op::CheckOut(number),
        811..818 => Op::Back,
        818..834 => Op::Spoil(page, draw_spoilt(rng)),
        834..920 => Op::Colleague { page, act: draw_deed(rng), number },
        920..924 => Op::Overtake(draw_deed(rng), number),
        924..930 => Op::Spend(rng.u32(1..40)),
        930..944 => Op::DiskFull(rng.bool()),
        944..954 => {
            Op::Clock([-3_600_000, 3_600_000, -31_536_000_000, 31_536_000_000, 45_000, -45_000][rng.usize(..6)])
        }
        954..958 => Op::Suspend(28_800_000),
        958..972 => Op::Root(rng.bool()),
        972..976 => Op::NewKey,
        976..982 => Op::KeyFile,
        982..990 => Op::Rescan,
        990..993 => Op::LoseState,
        _ => Op::Go { times: 12, dice: rng.u64(..) },
    }
}

fn draw_fate(rng: &mut fastrand::Rng) -> Fate {
    let status = [500, 502, 503, 504][rng.usize(..4)];
    match rng.u8(..44) {
        0..6 => Fate::AnswerLost,
        6..9 => Fate::Cut,
        9..12 => Fate::Late(rng.u64(0..4_990)),
        12..14 => Fate::Unsent,
        14..16 => Fate::Gateway(status),
        16..19 => Fate::AppliedGateway(status),
        19..31 => Fate::Limited(draw_retry_after(rng)),
        31 => Fate::Portal,
        32 => Fate::AppliedPortal,
        33 => Fate::AppliedEmpty,
        34 => Fate::AppliedHalf,
        35..37 => Fate::AppliedOther,
        37..40 => Fate::Rejected,
        40 => Fate::Forbidden,
        41 => Fate::NotFoundPage,
        _ => Fate::Redirected([301, 302, 303, 307, 308][rng.usize(..5)]),
    }
}

/// One that a passing fault of the network or the hub brings.
pub fn draw_passing(rng: &mut fastrand::Rng) -> Fate {
    match rng.u8(..8) {
        0..3 => Fate::AnswerLost,
        3 => Fate::Cut,
        4 => Fate::Late(rng.u64(0..4_990)),
        5 => Fate::Gateway(502),
        6 => Fate::AppliedGateway(504),
        _ => Fate::Limited(RetryAfter::Seconds(rng.i64(1..20))),
    }
}

fn draw_retry_after(rng: &mut fastrand::Rng) -> RetryAfter {
    let seconds = if rng.bool() { rng.i64(1..10) } else { rng.i64(30..200) };
    match rng.u8(..10) {
        0 => RetryAfter::Seconds(seconds),
        1 => RetryAfter::Date(seconds),
        2 => RetryAfter::Float(seconds),
        3 => RetryAfter::InBody(seconds),
        4 => RetryAfter::InError(seconds),
        5 => RetryAfter::Both(seconds),
        6 => RetryAfter::Year2099,
        7 => RetryAfter::Negative,
        8 => RetryAfter::Junk,
        _ => RetryAfter::Absent,
    }
}

pub fn draw_tail(rng: &mut fastrand::Rng) -> Tail {
    match rng.u8(..4) {
        0 => Tail::Whole,
        1 => Tail::Torn(rng.u16(..1_000)),
        _ => Tail::Lost,
    }
}

fn draw_edit(rng: &mut fastrand::Rng) -> Edit {
    match rng.u8(..20) {
        0..2 => Edit::Status,
        2 => Edit::InG,
        3 => Edit::InBoth,
        4 => Edit::NoFolder,
        5 => Edit::Unmanaged,
        6 => Edit::UnknownFolder,
        7 => Edit::Other,
        8 => Edit::Emptied,
        9 => Edit::Blank,
        10..13 => Edit::Common(rng.u8(..3)),
        _ => Edit::New,
    }
}

fn draw_noticed(rng: &mut fastrand::Rng) -> Noticed {
    match rng.u8(..10) {
        0 => Noticed::No,
        1 => Noticed::Overflow,
        _ => Noticed::Yes,
    }
}

fn draw_spoilt(rng: &mut fastrand::Rng) -> Spoilt {
    use Spoilt::{Copy, Empty, Markers, NoFrontMatter, NotUtf8, Off, Unclosed};
    [Empty, Unclosed, Markers, NotUtf8, Off, NoFrontMatter, Copy][rng.usize(..7)]
}

fn draw_deed(rng: &mut fastrand::Rng) -> Deed {
    match rng.u8(..15) {
        14 => Deed::PublishBlank,
        0..4 => Deed::Publish,
        4 => Deed::PublishCommon(rng.u8(..3)),
        5..8 => Deed::Draft,
        8 => Deed::DraftCommon(rng.u8(..3)),
        9 => Deed::Discard,
        10 => Deed::FileInG,
        11 => Deed::FileInH,
        12 => Deed::Archive,
        _ => Deed::Restore,
    }
}
