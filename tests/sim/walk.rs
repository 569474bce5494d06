//! Short random walks: a writer, a colleague, a network that loses things, a process that dies, a disk that fills up. What
//! must never happen is watched in every step; in the end, without faults, everything must have come to rest and be true.
//!
//! A failing walk prints its seed and its last steps; `WALK_SEED=n` walks that one alone, `WALKS=n` so many.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hubsync::engine::{Mode, Rest};
use hubsync::page::{PageId, Status};
use hubsync::policy::{OnDifference, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::{self, Act, Settings};

use super::world::{Doc, SYNC, World};

const STEPS: usize = 60;
const PAGES: usize = 3;

struct Walk {
    w: World,
    rng: fastrand::Rng,
    folders: Vec<String>,
    written: usize,
}

#[test]
fn random_walks_keep_all_promises_and_come_to_rest() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("WALK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WALKS").unwrap_or(300),
    };
    for seed in seeds {
        let mut walk = Walk::new(seed);
        let result = catch_unwind(AssertUnwindSafe(|| walk.go()));
        if let Err(cause) = result {
            println!("seed {seed}:\n{}", walk.w.story());
            resume_unwind(cause);
        }
    }
}

#[test]
fn the_same_seed_walks_the_same_way() {
    let trace = |seed| {
        let mut walk = Walk::new(seed);
        walk.go();
        walk.w.trace
    };
    assert_eq!(trace(7), trace(7));
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let either = |rng: &mut fastrand::Rng| if rng.u8(..3) == 0 { OnDifference::Local } else { OnDifference::Hold };
        let policy = Policy {
            on_conflict: either(&mut rng),
            on_first_meeting: either(&mut rng),
            concurrency: rng.usize(1..=4),
            ..Policy::default()
        };
        let settings = Settings { per_minute: rng.u32(5..30), ..Settings::default() };
        let mut w = World::with(Mode::Daemon, policy, settings);
        // What arrives late is counted by the hub later than by us.
        w.watch.shared_limits = true;
        let folders = vec![w.hub.add_folder(w.hub_time(), "G", None), w.hub.add_folder(w.hub_time(), "H", None)];
        for i in 0..PAGES {
            match rng.u8(..4) {
                0 => w.page(&format!("p{i}"), "", sandbox::Status::Draft),
                1 => w.live(&format!("p{i}"), "X0"),
                _ => w.live(&format!("p{i}"), "A"),
            }
            let doc = Doc::published(&format!("p{i}"), "A");
            w.write_file(
                &format!("p{i}.md"),
                Doc { status: if rng.u8(..3) == 0 { Status::Draft } else { Status::Published }, ..doc },
            );
        }
        w.rescan();
        Self { w, rng, folders, written: 0 }
    }

    fn go(&mut self) {
        if self.rng.bool() {
            self.w.settle();
        }
        for _ in 0..STEPS {
            self.step();
            self.w.pump();
        }
        self.heal();
        self.verify();
    }

    fn step(&mut self) {
        match self.rng.u8(..100) {
            0..48 => self.effect(),
            48..56 => self.fault(),
            56..58 => self.w.crash(),
            58..68 => self.passes(1, 4_000),
            68..72 => self.passes(10_000, 70_000),
            72..73 => self.passes(1_000_000, 2_000_000),
            73..86 => self.write(),
            86..96 => self.colleague(),
            96..98 => self.w.disk.full = !self.w.disk.full,
            _ => self.w.rescan(),
        }
    }

    fn passes(&mut self, from: i64, to: i64) {
        let ms = self.rng.i64(from..to);
        // A disk answers within seconds; a slot counts from when it was taken, should we die before its answer.
        while from >= 10_000 && !self.w.stores.is_empty() {
            self.w.store();
        }
        self.w.tick(ms);
        self.w.trace.push(format!("tick {ms}"));
        self.w.handle(hubsync::engine::Input::Tick);
    }

    /// One of the effects that wait.
    fn effect(&mut self) {
        for _ in 0..self.rng.usize(1..6) {
            let flying = self.w.flights.len();
            match self.rng.u8(..4) {
                0 | 1 if !self.w.reserves.is_empty() => self.w.grant(),
                0 | 1 if !self.w.stores.is_empty() => self.w.store(),
                2 if !self.w.stores.is_empty() => self.w.store(),
                _ if flying > 0 => {
                    let n = self.rng.usize(..flying);
                    if self.w.flights[n].has_arrived() { self.w.answer_nth(n) } else { self.w.apply_nth(n) }
                }
                _ => {
                    if let Some(path) = self.w.rereads.pop() {
                        self.tell_if_there(&path.to_text());
                    }
                }
            }
            let ms = self.rng.i64(0..30);
            self.w.tick(ms);
            self.w.pump();
        }
    }

    fn tell_if_there(&mut self, path: &str) {
        if self.w.folder.contains_key(path) {
            self.w.tell(&[path]);
        }
    }

    fn fault(&mut self) {
        let flying = self.w.flights.len();
        if flying == 0 {
            return;
        }
        let n = self.rng.usize(..flying);
        let late = self.rng.i64(0..4_990);
        match self.rng.u8(..4) {
            0 => self.w.gateway(n, 502),
            1 if !self.w.flights[n].has_arrived() => self.w.late_nth(n, late),
            2 if !self.w.flights[n].has_arrived() => self.w.lose_nth(n),
            _ => {
                if !self.w.flights[n].has_arrived() {
                    self.w.apply_nth(n);
                }
                self.w.lose_nth(n);
            }
        }
    }

    fn write(&mut self) {
        let mut paths = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            let i = self.rng.usize(..PAGES);
            let path = format!("p{i}.md");
            if self.rng.u8(..25) == 0 && self.w.folder.contains_key(&path) {
                self.w.remove(&path);
                continue;
            }
            let plain = Doc { id: PageId::parse(&format!("p{i}")).unwrap(), ..Doc::published("p", "A") };
            let mut doc = self.w.folder.get(&path).cloned().unwrap_or(plain);
            self.written += 1;
            match self.rng.u8(..10) {
                0 => doc.status = if doc.status == Status::Draft { Status::Published } else { Status::Draft },
                1 => doc.named.folders = Some(vec!["G".to_owned()]),
                2 => {
                    doc.named.folders = [None, Some(Vec::new()), Some(vec!["H".to_owned(), "G".to_owned()])]
                        [self.rng.usize(..3)]
                    .clone()
                }
                3 | 4 => doc.body = self.rng.choice(["A", "B", "C"]).unwrap().to_owned(),
                5 => doc.other += 1,
                _ => doc.body = format!("w{}", self.written),
            }
            self.w.write_file(&path, doc);
            paths.push(path);
        }
        // Now and then the newest save is not noticed yet.
        if self.rng.u8(..8) != 0 {
            let paths: Vec<&str> =
                paths.iter().map(String::as_str).filter(|path| self.w.folder.contains_key(*path)).collect();
            self.w.tell(&paths);
        }
    }

    fn colleague(&mut self) {
        let id = format!("p{}", self.rng.usize(..PAGES));
        self.written += 1;
        let text = if self.rng.u8(..5) == 0 {
            self.rng.choice(["A", "B", "C"]).unwrap().to_owned()
        } else {
            format!("X{}", self.written)
        };
        let act = match self.rng.u8(..12) {
            0..4 => Act::Publish { title: "T".to_owned(), content: text },
            4..7 => Act::SaveDraft { title: "T".to_owned(), content: text },
            7 => Act::DiscardDraft,
            8 | 9 => {
                Act::File { folder_ids: vec![self.rng.choice(&self.folders).unwrap().clone()], skill_ids: Vec::new() }
            }
            10 => Act::Archive,
            _ => Act::Restore,
        };
        self.w.trace.push(format!("colleague {id} {act:?}"));
        // A page that is archived, or was never published, can't take everything.
        let _ = self.w.try_colleague(&id, act);
        self.w.tick(1);
    }

    /// No faults any more; everything is noticed and carried out.
    fn heal(&mut self) {
        self.w.trace.push("heal".to_owned());
        self.w.disk.full = false;
        self.w.rescan();
        self.w.settle();
        self.w.run(2 * 1_801_000);
        self.w.settle();
        assert_eq!(self.w.engine.rest(self.w.now()), Rest::Done);
        // A `sync` has nothing left to do but its look, and ends.
        let before = self.w.summary().counts;
        self.w.forget_requests();
        self.w.restart(SYNC);
        self.w.settle();
        assert_eq!(self.w.engine.rest(self.w.now()), Rest::Done);
        assert_eq!(self.w.summary().counts, before, "a sync sees it otherwise");
        assert!(self.w.requests().1 == 0, "{:?}", self.w.asked());
        self.w.restart(Mode::Daemon);
        self.w.settle();
        assert_eq!(self.w.summary().counts, before, "a restart sees it otherwise");
        self.w.forget_requests();
        self.w.rescan();
        self.w.run(1_801_000);
        let asked = self.w.asked();
        assert!(asked.len() <= 2 && asked.iter().all(|asked| asked == "GET pages"), "it never rests: {asked:?}");
    }

    fn verify(&self) {
        for (path, doc) in &self.w.folder {
            let report = self.w.report(path);
            let page = self.w.hub.page(doc.id.as_str()).unwrap();
            let what = || format!("{path} {doc:?}\n{report:?}\n{page:?}");
            let live = page.content();
            let draft = page.draft.as_ref().and_then(|draft| draft.content.as_deref());
            match report.state {
                // A list leaves archived pages out, so nothing tells of what came before.
                State::InStep if page.archived => {}
                State::InStep => {
                    let shown = if doc.status == Status::Draft { draft.or(live) } else { live };
                    assert_eq!(shown, Some(doc.body.as_str()), "{}", what());
                    if let Some(names) = &doc.named.folders {
                        let id = |name: &String| self.folders[usize::from(name == "H")].clone();
                        let mut wanted: Vec<String> = names.iter().map(id).collect();
                        let mut filed = page.folder_ids.clone();
                        wanted.sort();
                        filed.sort();
                        assert_eq!(wanted, filed, "{}", what());
                    }
                }
                State::Blocked => {
                    let code = report.reason.as_ref().map(|reason| reason.code);
                    assert!(page.archived && code == Some(Code::PageNotFound), "{}", what());
                }
                State::Drifted | State::Conflict => {
                    let code = report.reason.as_ref().map(|reason| reason.code);
                    let touched = self.w.watch.touched.contains(doc.id.as_str());
                    assert!(touched || code == Some(Code::FirstMeeting), "nobody else was there: {}", what());
                }
                _ => panic!("it has not come to rest: {}", what()),
            }
        }
    }
}
