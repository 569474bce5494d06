//! Small spaces, whole: one page, few actions, every order in which they and the process's own steps can come, and a crash
//! at every point. Nothing is drawn here.

use std::sync::atomic::{AtomicUsize, Ordering};

use hubsync::engine::Mode;
use hubsync::page::Status;
use hubsync::policy::Policy;
use hubsync::reason::{Code, State};
use hubsync::sandbox::{Act, Settings};

use super::disk::Tail;
use super::folder::Doc;
use super::network::Fate;
use super::schedules::catch;
use super::world::{World, met};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    SaveB,
    /// What was published last is in the file again.
    SaveA,
    ToDraft,
    PublishX,
    DraftY,
    /// The connection of the oldest request dies; it arrives later if it has not yet.
    Lose,
}

const ACTIONS: [Action; 6] =
    [Action::SaveB, Action::SaveA, Action::ToDraft, Action::PublishX, Action::DraftY, Action::Lose];

#[derive(Clone)]
struct Node {
    w: World,
    left: Vec<Action>,
    crashes: u8,
    path: Vec<String>,
}

/// One step of the process; whether there was any.
fn step(w: &mut World) -> bool {
    w.pump();
    w.tick(1);
    if !w.reserves.is_empty() {
        w.grant();
    } else if !w.stores.is_empty() {
        w.store();
    } else if let Some(first) = w.flights.front() {
        if first.has_arrived() { w.answer() } else { w.apply() }
    } else {
        return false;
    }
    true
}

fn act(w: &mut World, action: Action) {
    let text = |content: &str| ("T".to_owned(), content.to_owned());
    match action {
        Action::SaveB => w.edit("p1.md", "B"),
        Action::SaveA => w.edit("p1.md", "A"),
        Action::ToDraft => w.change("p1.md", |doc| doc.status = Status::Draft),
        Action::PublishX => {
            let (title, content) = text("X");
            w.colleague("p1", Act::Publish { title, content });
        }
        Action::DraftY => {
            let (title, content) = text("Y");
            w.colleague("p1", Act::SaveDraft { title, content });
        }
        Action::Lose => match w.flights.front() {
            Some(first) if first.has_arrived() => w.lose(),
            Some(_) => w.meet(Fate::Late(3_000)),
            None => {}
        },
    }
}

impl Node {
    fn begin(w: &World, actions: &[Action], crashes: u8) -> Self {
        let mut left = actions.to_vec();
        left.reverse();
        Self { w: w.clone(), left, crashes, path: Vec::new() }
    }

    /// Goes on in every way; answers how many ends there are.
    fn walk(mut self) -> usize {
        let mut ends = 0;
        loop {
            if self.crashes > 0 {
                for tail in if self.w.stores.is_empty() { &[Tail::Lost][..] } else { &[Tail::Lost, Tail::Whole] } {
                    let mut dead = self.clone();
                    dead.crashes -= 1;
                    dead.path.push(format!("crash {tail:?}"));
                    dead.w.crash_with(*tail);
                    ends += dead.walk();
                }
            }
            if let Some(action) = self.left.last().copied() {
                let mut other = self.clone();
                other.left.pop();
                other.path.push(format!("{action:?}"));
                act(&mut other.w, action);
                ends += other.walk();
            }
            let path = std::mem::take(&mut self.path);
            let mut w = self.w;
            let (stepped, back) = match catch(move || (step(&mut w), w)) {
                Ok(done) => done,
                Err(message) => panic!("{message}\nafter {path:?}"),
            };
            (self.w, self.path) = (back, path);
            if !stepped {
                break;
            }
            self.path.push("step".to_owned());
        }
        // What is left to be done was done at this rest already: another order makes no difference.
        if self.left.is_empty() {
            let path = self.path.clone();
            if let Err(message) = catch(move || self.end()) {
                panic!("{message}\nafter {path:?}");
            }
            ends += 1;
        }
        ends
    }

    /// It comes to rest, and both sides say the same, or there is a reason why not.
    fn end(mut self) {
        self.w.settle();
        self.w.run(2 * 1_801_000);
        self.w.settle();
        let report = self.w.report("p1.md");
        let doc = self.w.folder["p1.md"].clone();
        let others = self.w.watch.touched.contains("p1");
        let live = self.w.live_text("p1");
        let shown = if doc.status == Status::Draft { self.w.draft_text("p1").or(live) } else { live };
        match report.state {
            State::InStep => assert_eq!(shown.as_deref(), Some(doc.body.as_str()), "{report:?}"),
            State::Conflict | State::Drifted => {
                let unmet = report.reason.as_ref().is_some_and(|reason| reason.code == Code::FirstMeeting);
                assert!(others || unmet, "nobody else was there: {report:?}");
            }
            _ => panic!("it has not come to rest: {report:?}"),
        }
    }
}

/// Every sequence of so many actions.
fn sequences(many: usize) -> Vec<Vec<Action>> {
    (0..many).fold(vec![Vec::new()], |known, _| {
        let longer = |known: &Vec<Action>| ACTIONS.map(|action| [known.as_slice(), &[action]].concat());
        known.iter().flat_map(longer).collect()
    })
}

/// A page that says the same, and has not been looked at.
fn unmet() -> World {
    let mut w = World::with(Mode::Daemon, Policy::default(), Settings::default());
    w.live("p1", "A");
    w.save("p1.md", Doc::published("p1", "A"));
    w
}

fn walk(w: &World, many: usize, crashes: u8) -> usize {
    let (sequences, next) = (sequences(many), AtomicUsize::new(0));
    let worker = || {
        let mut ends = 0;
        while let Some(actions) = sequences.get(next.fetch_add(1, Ordering::Relaxed)) {
            ends += Node::begin(w, actions, crashes).walk();
        }
        ends
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a way leads into a broken promise")).sum()
    })
}

#[test]
fn three_actions_on_a_page_that_was_met() {
    let ends = walk(&met("A"), 3, 1);
    println!("{ends} ends");
    assert!(ends > 10_000);
}

#[test]
fn three_actions_at_a_first_meeting() {
    let ends = walk(&unmet(), 3, 1);
    println!("{ends} ends");
    assert!(ends > 10_000);
}
