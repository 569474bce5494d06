//! What every store must do, asked of the model that schedules use and of the real state file alike.
//!
//! The changes are those that schedules store; each is committed, or its process dies while it is written: nothing of it
//! reaches the disk, a part does, or all does and nobody is told.

use std::fs;
use std::path::{Path, PathBuf};

use hubsync::engine::Memory;
use hubsync::engine::change::{Change, LogEntry, PageChange};
use hubsync::page::PageId;
use hubsync::state::backups::Backups;
use hubsync::state::store::Store;
use tempfile::TempDir;

use super::disk::{Disk, Tail};
use super::schedule::draw;
use super::stage::Stage;

/// What a process needs of its state.
trait Keeps {
    fn commit(&mut self, change: &Change) -> Result<(), String>;
    /// The process dies while this is written, and another begins.
    fn die_writing(&mut self, change: &Change, tail: Tail);
    /// From now on nothing can be kept, or everything again.
    fn break_down(&mut self, broken: bool);
    fn load(&mut self) -> Memory;
    fn log(&mut self) -> Vec<LogEntry>;
    /// The texts that were kept of a page.
    fn backups(&mut self, page: &PageId) -> Vec<String>;
}

impl Keeps for Disk {
    fn commit(&mut self, change: &Change) -> Result<(), String> {
        Disk::commit(self, change.clone())
    }

    fn die_writing(&mut self, change: &Change, tail: Tail) {
        Disk::die_writing(self, change.clone(), tail);
    }

    fn break_down(&mut self, broken: bool) {
        self.full = broken;
    }

    fn load(&mut self) -> Memory {
        Disk::load(self)
    }

    fn log(&mut self) -> Vec<LogEntry> {
        self.log.clone()
    }

    fn backups(&mut self, page: &PageId) -> Vec<String> {
        let of = self.backups.iter().filter(|backup| backup.page == *page);
        of.map(|backup| backup.text.body.clone()).collect()
    }
}

/// The real one, in a folder of its own; a crash is a copy of its files as they lay there.
struct File {
    dir: TempDir,
    generation: usize,
    store: Store,
}

impl File {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = open(&dir.path().join("0"));
        Self { dir, generation: 0, store }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join(self.generation.to_string()).join("state.db")
    }

    fn kept(&self) -> Backups {
        Backups::of_state(&self.state())
    }

    /// The files as they lie there, with so many bytes of the log of writes, are what the next process finds.
    fn crash(&mut self, wal: u64) {
        let old = self.state();
        self.generation += 1;
        let new = self.state();
        fs::create_dir_all(new.parent().unwrap()).unwrap();
        fs::copy(&old, &new).unwrap();
        fs::copy(beside(&old, "-wal"), beside(&new, "-wal")).unwrap();
        let log = fs::OpenOptions::new().write(true).open(beside(&new, "-wal")).unwrap();
        log.set_len(wal).unwrap();
        if beside(&old, ".backups").exists() {
            fs::rename(beside(&old, ".backups"), beside(&new, ".backups")).unwrap();
        }
        self.store = open(new.parent().unwrap());
    }

    fn wal(&self) -> u64 {
        fs::metadata(beside(&self.state(), "-wal")).unwrap().len()
    }
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("state.db")).unwrap().store
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

impl Keeps for File {
    fn commit(&mut self, change: &Change) -> Result<(), String> {
        let kept = self.kept();
        self.store.commit(change, &kept).map_err(|error| error.to_string())
    }

    fn die_writing(&mut self, change: &Change, tail: Tail) {
        let (kept, before) = (self.kept(), self.wal());
        if tail == Tail::Lost {
            return self.crash(before);
        }
        self.store.commit(change, &kept).unwrap();
        let written = self.wal() - before;
        self.crash(match tail {
            Tail::Torn(part) => before + written * u64::from(part) / 1_000,
            Tail::Whole | Tail::Lost => before + written,
        });
    }

    fn break_down(&mut self, broken: bool) {
        // Where the folder of backups should be lies a file: no backup can be kept.
        let (folder, aside) = (beside(&self.state(), ".backups"), beside(&self.state(), ".aside"));
        if broken {
            let _ = fs::rename(&folder, &aside);
            fs::write(&folder, "in the way").unwrap();
        } else {
            fs::remove_file(&folder).unwrap();
            let _ = fs::rename(&aside, &folder);
        }
    }

    fn load(&mut self) -> Memory {
        let loaded = self.store.load().unwrap();
        Memory { pages: loaded.pages, births: loaded.births, marks: loaded.marks, names: loaded.names, hub: loaded.hub }
    }

    fn log(&mut self) -> Vec<LogEntry> {
        let mut newest_first = self.store.log(usize::MAX).unwrap();
        newest_first.reverse();
        newest_first
    }

    fn backups(&mut self, page: &PageId) -> Vec<String> {
        let kept = self.kept().of_page(page).unwrap();
        kept.iter().map(|kept| fs::read_to_string(&kept.path).unwrap()).collect()
    }
}

/// The changes that a schedule stores.
fn changes(seed: u64) -> Vec<Change> {
    let (setup, ops) = draw(seed);
    let mut stage = Stage::new(setup);
    stage.w.disk.history = Some(Vec::new());
    ops.iter().for_each(|op| stage.carry_out(op));
    stage.w.disk.history.take().unwrap()
}

/// What is remembered, in a form that can be compared.
fn shown(memory: &Memory) -> String {
    let pages: Vec<_> = memory
        .pages
        .iter()
        .map(|(id, path, record)| (id, path.to_text(), serde_json::to_value(record).unwrap()))
        .collect();
    let rest = serde_json::json!([memory.marks, memory.names, memory.hub]);
    format!("{pages:?} {rest}")
}

/// Asks a store everything; `model` says what must be there.
fn contract(store: &mut impl Keeps, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut model = Disk::default();
    for change in changes(seed) {
        let pages: Vec<PageId> = change.backups.iter().map(|backup| backup.page.clone()).collect();
        match rng.u8(..8) {
            0 => store.die_writing(&change, Tail::Lost),
            1 => store.die_writing(&change, Tail::Torn(rng.u16(..990))),
            2 => {
                store.die_writing(&change, Tail::Whole);
                model.commit(change).unwrap();
            }
            3 if !pages.is_empty() => {
                store.break_down(true);
                assert!(store.commit(&change).is_err(), "stored, although its backups can't be kept");
                store.break_down(false);
            }
            _ => {
                store.commit(&change).unwrap();
                for backup in &change.backups {
                    let kept = store.backups(&backup.page);
                    assert!(kept.iter().any(|text| text.contains(&backup.text.body)), "{backup:?} is not in {kept:?}");
                }
                model.commit(change).unwrap();
            }
        }
        assert_eq!(shown(&store.load()), shown(&model.load()));
        assert_eq!(store.log(), model.log);
    }
}

#[test]
fn the_model_of_the_disk_keeps_what_was_committed_and_nothing_else() {
    (0..40).for_each(|seed| contract(&mut Disk::default(), seed));
}

#[test]
fn the_state_file_keeps_what_was_committed_and_nothing_else() {
    (0..12).for_each(|seed| contract(&mut File::new(), seed));
}

#[test]
fn forgetting_a_page_forgets_it_in_both() {
    let put = changes(3).into_iter().find(|change| !change.pages.is_empty()).unwrap();
    let gone = put.pages.iter().map(|(id, _)| (id.clone(), PageChange::Forget)).collect();
    let forget = Change { pages: gone, ..Change::default() };
    let (mut model, mut file) = (Disk::default(), File::new());
    for store in [&mut model as &mut dyn Keeps, &mut file] {
        store.commit(&put).unwrap();
        assert!(!store.load().pages.is_empty());
        store.commit(&forget).unwrap();
        assert!(store.load().pages.is_empty());
    }
}
