//! The state by what a user would see: what is kept, moved aside, refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::engine::change::{Backup, HubState, LogEvent};
use crate::page::{
    BodyPrint, Digest, LastTexts, Lists, Mono, PageStatus, Patch, PatchText, Print, Row, Side, Stamp, Status, Text,
};
use crate::reason::Code;
use crate::reconcile::names::Folder;
use crate::reconcile::page_record::{Base, Doubt, Intent, IntentKind, Keep, Known, Refused, Resolution, Seen, Trouble};

const AT: Wall = Wall(1_787_480_130_123);

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    fn open(&self) -> Opened {
        Store::open(&self.path()).unwrap()
    }

    fn commit(&self, change: &Change) {
        self.open().store.commit(change, &Backups::of_state(&self.path())).unwrap();
    }

    fn damaged(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.contains(".damaged-")).collect();
        names.sort();
        names
    }
}

fn id(text: &str) -> PageId {
    PageId::parse(text).unwrap()
}

fn path(text: impl AsRef<OsStr>) -> DocPath {
    DocPath::new(text.as_ref()).unwrap()
}

fn put(page: &str, doc: &str) -> Change {
    let record = Box::new(PageRecord { absent: Some(Digest::of("x")), ..PageRecord::default() });
    Change { pages: vec![(id(page), PageChange::Put { path: path(doc), record })], ..Change::default() }
}

fn entry(n: i64) -> LogEntry {
    LogEntry { at: Wall(n), page: id("p"), path: "a.md".to_owned(), event: LogEvent::Adopted, rule: "B3".to_owned() }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn known_pages(store: &mut Store) -> Vec<String> {
    store.load().unwrap().pages.into_iter().map(|(id, ..)| id.to_string()).collect()
}

#[test]
fn what_a_reader_left_beside_an_open_file_becomes_private_with_it() {
    let place = Place::new();
    drop(place.open());
    fs::set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
    let _reader = Store::read_only(&place.path()).unwrap().unwrap().load().unwrap();
    let mode = |suffix: &str| {
        let path = super::super::private::beside(&place.path(), suffix);
        fs::metadata(path).map(|found| found.permissions().mode() & 0o777)
    };
    assert_eq!(mode("-wal").unwrap(), 0o644, "there is something to mend");
    let _store = place.open();
    assert_eq!(["", "-wal", "-shm"].map(|suffix| mode(suffix).unwrap()), [0o600; 3]);
}

#[test]
fn what_was_committed_is_what_load_returns() {
    let place = Place::new();
    let marks = Marks { watermark: Some(Stamp(7)), listed_at: Some(AT) };
    let folder = Folder { id: "f".to_owned(), name: "Sales".to_owned(), parent: None };
    let names = Names { folders: Some(vec![folder]), read_at: Some(AT), ..Names::default() };
    let hub = HubHealth { state: HubState::Paused, reason: Some("429".to_owned()), until: Some(AT), why: None };
    place.commit(&Change {
        marks: Some(marks),
        names: Some(names.clone()),
        hub: Some(hub.clone()),
        log: vec![entry(1), entry(2)],
        ..put("b", "sub/b.md")
    });
    place.commit(&put("a", "a.md"));
    let Opened { mut store, was } = place.open();
    assert_eq!(was, Was::Kept);
    let loaded = store.load().unwrap();
    assert_eq!((loaded.marks, &loaded.names, &loaded.hub, loaded.daemon), (marks, &names, &hub, None));
    assert_eq!(known_pages(&mut store), ["a", "b"]);
    assert_eq!(store.log(9).unwrap(), [entry(2), entry(1)]);
    assert_eq!(store.log(1).unwrap(), [entry(2)]);
    place.commit(&Change { pages: vec![(id("a"), PageChange::Forget)], ..Change::default() });
    assert_eq!(known_pages(&mut store), ["b"]);
}

#[test]
fn a_fresh_state_is_empty_and_its_owners_alone() {
    let place = Place::new();
    let state = place.dir.path().join("new/folder/state.db");
    let Opened { mut store, was } = Store::open(&state).unwrap();
    assert_eq!(was, Was::Fresh);
    assert_eq!(store.load().unwrap(), Loaded::default());
    assert_eq!(mode(&state), 0o600);
    assert_eq!(mode(&private_beside(&state, "-wal")), 0o600);
    assert_eq!((mode(state.parent().unwrap()), mode(&place.dir.path().join("new"))), (0o700, 0o700));
}

fn private_beside(path: &Path, suffix: &str) -> PathBuf {
    super::super::private::beside(path, suffix)
}

#[test]
fn a_state_from_a_cache_is_made_private_again() {
    let place = Place::new();
    place.commit(&put("a", "a.md"));
    fs::set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(place.open().was, Was::Kept);
    assert_eq!(mode(&place.path()), 0o600);
}

#[test]
fn an_empty_file_is_a_fresh_state() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    assert!(Store::read_only(&place.path()).unwrap().is_none());
    assert_eq!(place.open().was, Was::Fresh);
    assert_eq!(place.damaged(), [""; 0]);
}

#[test]
fn a_state_of_a_newer_version_is_left_as_it_is() {
    let place = Place::new();
    place.commit(&put("a", "a.md"));
    place.open().store.db.pragma_update(None, "user_version", 2).unwrap();
    let before = fs::read(place.path()).unwrap();
    for refused in [Store::open(&place.path()).map(drop), Store::read_only(&place.path()).map(drop)] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, StateError::Newer { version: 2, .. }) && refused.is_fatal(), "{refused}");
    }
    assert_eq!(fs::read(place.path()).unwrap(), before);
    assert_eq!(place.damaged(), [""; 0]);
}

#[test]
fn the_database_of_another_program_is_left_as_it_is() {
    let place = Place::new();
    Connection::open(place.path())
        .unwrap()
        .execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
        .unwrap();
    let before = fs::read(place.path()).unwrap();
    assert!(matches!(Store::open(&place.path()), Err(StateError::Foreign { .. })));
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

/// Opens a damaged state: it must lie aside, byte for byte, and a fresh one in its place.
fn assert_moved_aside(place: &Place, damaged: &[u8]) {
    let Opened { mut store, was } = place.open();
    let Was::MovedAside(aside) = was else { panic!("{was:?}") };
    assert_eq!(fs::read(&aside).unwrap(), damaged);
    assert_eq!(mode(&aside), 0o600);
    assert_eq!(store.load().unwrap(), Loaded::default());
    store.commit(&put("new", "a.md"), &Backups::of_state(&place.path())).unwrap();
    drop(store);
    assert_eq!(place.open().was, Was::Kept);
}

#[test]
fn garbage_is_moved_aside_each_time_to_another_name() {
    let place = Place::new();
    let garbage = b"no database at all, but long enough for one ".repeat(100);
    for _ in 0..2 {
        fs::write(place.path(), &garbage).unwrap();
        let _ = fs::remove_file(private_beside(&place.path(), "-wal"));
        assert!(matches!(Store::read_only(&place.path()), Err(StateError::Damaged { .. })));
        assert_moved_aside(&place, &garbage);
    }
    assert_eq!(place.damaged().iter().filter(|name| !name.contains("-wal") && !name.contains("-shm")).count(), 2);
}

#[test]
fn a_file_cut_short_is_moved_aside() {
    let place = Place::new();
    let many = (0..400).flat_map(|n| put(&format!("p{n}"), "a.md").pages).collect();
    place.commit(&Change { pages: many, ..Change::default() });
    let whole = fs::read(place.path()).unwrap();
    let cut = &whole[..whole.len() / 2];
    fs::write(place.path(), cut).unwrap();
    assert_moved_aside(&place, cut);
}

#[test]
fn a_byte_flipped_in_any_table_is_found() {
    type Fill = fn(&Place);
    let tables: [(&str, Fill); 5] = [
        ("needle-page", |place| place.commit(&put("needle-page", "a.md"))),
        ("watermark", |place| place.commit(&Change { marks: Some(Marks::default()), ..Change::default() })),
        ("needle-file", |place| {
            let entry = FileEntry { path: path("a.md"), json: "\"needle-file\"".to_owned() };
            place.open().store.put_files(&[entry], &[]).unwrap();
        }),
        ("needle-log", |place| {
            place.commit(&Change {
                log: vec![LogEntry { path: "needle-log".to_owned(), ..entry(1) }],
                ..Change::default()
            });
        }),
        ("needle-fact", |place| {
            let hub = HubHealth { reason: Some("needle-fact".to_owned()), ..HubHealth::default() };
            place.commit(&Change { hub: Some(hub), ..Change::default() });
        }),
    ];
    for (needle, fill) in tables {
        let place = Place::new();
        fill(&place);
        let mut bytes = fs::read(place.path()).unwrap();
        assert_eq!(bytes.windows(needle.len()).filter(|part| *part == needle.as_bytes()).count(), 1);
        let at = bytes.windows(needle.len()).position(|part| part == needle.as_bytes()).unwrap();
        bytes[at] ^= 1;
        fs::write(place.path(), &bytes).unwrap();
        assert_moved_aside(&place, &bytes);
    }
}

#[test]
fn a_value_that_lost_its_name_is_found() {
    let place = Place::new();
    place.commit(&Change { marks: Some(Marks { watermark: Some(Stamp(7)), listed_at: None }), ..Change::default() });
    place.open().store.db.execute("UPDATE facts SET name = 'mbrks'", ()).unwrap();
    assert!(matches!(place.open().was, Was::MovedAside(_)));
}

#[test]
fn a_backup_that_fails_leaves_the_state_as_it_was() {
    let place = Place::new();
    fs::write(place.dir.path().join("state.db.backups"), "a file in the way").unwrap();
    let mut store = place.open().store;
    let text = Text { title: "t".to_owned(), body: "b".to_owned() };
    let backup = Backup { page: id("a"), version: 1, side: Side::Live, text, at: AT };
    let change = Change { backups: vec![backup], log: vec![entry(1)], ..put("a", "a.md") };
    let backups = Backups::of_state(&place.path());
    assert!(store.commit(&change, &backups).is_err());
    assert_eq!((store.load().unwrap(), store.log(9).unwrap()), (Loaded::default(), vec![]));
    fs::remove_file(place.dir.path().join("state.db.backups")).unwrap();
    store.commit(&change, &backups).unwrap();
    assert_eq!(backups.of_page(&id("a")).unwrap().len(), 1);
    assert_eq!(known_pages(&mut store), ["a"]);
}

#[test]
fn a_change_is_stored_whole_or_not_at_all() {
    let place = Place::new();
    let mut store = place.open().store;
    store.db.execute_batch("CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no'); END").unwrap();
    let change = Change { log: vec![entry(1)], marks: Some(Marks::default()), ..put("a", "a.md") };
    assert!(store.commit(&change, &Backups::of_state(&place.path())).is_err());
    store.db.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(store.load().unwrap(), Loaded::default());
}

#[test]
fn a_full_disk_is_not_a_damaged_file() {
    let place = Place::new();
    let mut store = place.open().store;
    let pages: i64 = store.db.query_row("PRAGMA page_count", (), |row| row.get(0)).unwrap();
    store.db.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |row| row.get::<_, i64>(0)).unwrap();
    let reason = Some("long ".repeat(10_000));
    let change = Change { hub: Some(HubHealth { reason, ..HubHealth::default() }), ..Change::default() };
    let refused = store.commit(&change, &Backups::of_state(&place.path())).unwrap_err();
    assert!(matches!(refused, StateError::DiskFull { .. }) && !refused.is_fatal(), "{refused}");
    assert_eq!(store.load().unwrap(), Loaded::default(), "reading goes on");
}

#[test]
fn status_reads_beside_a_daemon_that_writes() {
    let place = Place::new();
    assert!(Store::read_only(&place.path()).unwrap().is_none());
    let mut daemon = place.open().store;
    let running = Daemon { pid: 4711, since: AT, planned: true, watching: None, note: None };
    daemon.set_daemon(Some(running.clone())).unwrap();
    let mut reader = Store::read_only(&place.path()).unwrap().unwrap();
    daemon.commit(&put("a", "a.md"), &Backups::of_state(&place.path())).unwrap();
    assert_eq!(reader.load().unwrap().daemon, Some(running));
    assert_eq!(known_pages(&mut reader), ["a"]);
    assert!(reader.set_daemon(None).is_err(), "a reader writes nothing");
    daemon.set_daemon(None).unwrap();
    assert_eq!(reader.load().unwrap().daemon, None);
}

#[test]
fn status_reads_beside_a_daemon_that_is_just_making_the_state() {
    for _ in 0..60 {
        let place = Place::new();
        std::thread::scope(|scope| {
            let made = scope.spawn(|| place.open());
            while Store::read_only(&place.path()).unwrap().is_none() {}
            made.join().unwrap();
        });
    }
}

#[test]
fn status_reads_in_a_folder_without_write_right() {
    let place = Place::new();
    place.commit(&put("a", "a.md"));
    assert!(!private_beside(&place.path(), "-wal").exists());
    fs::set_permissions(place.dir.path(), Permissions::from_mode(0o555)).unwrap();
    let mut reader = if rustix::process::geteuid().is_root() {
        // Root may write anywhere, so that the way round is taken by hand here.
        let db = database::frozen_reader(&place.path()).unwrap();
        Store { path: place.path(), db }
    } else {
        assert!(matches!(Store::open(&place.dir.path().join("new.db")), Err(StateError::ReadOnly { .. })));
        Store::read_only(&place.path()).unwrap().unwrap()
    };
    assert_eq!(known_pages(&mut reader), ["a"]);
    drop(reader);
    assert_eq!(fs::read_dir(place.dir.path()).unwrap().count(), 1, "nothing was made beside it");
    fs::set_permissions(place.dir.path(), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn files_are_kept_by_their_own_bytes() {
    let place = Place::new();
    let file = |name: &[u8], json: &str| FileEntry { path: path(OsStr::from_bytes(name)), json: json.to_owned() };
    let (plain, odd) = (file(b"a.md", "1"), file(b"caf\xe9/\xff.md", "{\"size\":2}"));
    let mut store = place.open().store;
    store.put_files(&[plain.clone(), odd.clone()], &[]).unwrap();
    assert_eq!(store.files().unwrap(), [plain.clone(), odd.clone()]);
    let newer = file(b"a.md", "3");
    store.put_files(std::slice::from_ref(&newer), &[odd.path]).unwrap();
    drop(store);
    assert_eq!(place.open().store.files().unwrap(), [newer]);
}

#[test]
fn the_log_keeps_its_last_ten_thousand_lines() {
    let place = Place::new();
    place.commit(&Change { log: (0..10_001).map(entry).collect(), ..Change::default() });
    place.commit(&Change { log: vec![entry(10_001)], ..Change::default() });
    let log = place.open().store.log(usize::MAX).unwrap();
    assert_eq!((log.len(), log[0].at, log[9_999].at), (10_000, Wall(10_001), Wall(2)));
}

#[test]
fn every_error_says_which_file_and_what_to_do() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let refused = Store::open(&place.path()).unwrap_err();
    assert!(refused.is_fatal());
    assert_eq!(refused.to_string(), format!("{}: is not a file", place.path().display()));
    let locked = StateError::Locked { path: "s".into(), pid: Some(7) };
    assert_eq!(locked.to_string(), "s is in use by another hubsync (pid 7): stop that one first");
}

fn print() -> impl Strategy<Value = Print> {
    (any::<String>(), any::<String>()).prop_map(|(title, body)| Print::of(&title, &body))
}

fn lists() -> impl Strategy<Value = Lists> {
    let ids = || prop::option::of(prop::collection::btree_set(any::<String>(), 0..3));
    (ids(), ids(), ids()).prop_map(|(folders, skills, sources)| Lists { folders, skills, sources })
}

fn known() -> impl Strategy<Value = Known> {
    (print(), prop::option::of(print())).prop_map(|(sent, shown)| Known::new(sent, shown))
}

fn base() -> impl Strategy<Value = Base> {
    let some_known = || prop::option::of(known());
    (some_known(), some_known(), lists(), any::<Option<u64>>(), any::<i64>()).prop_map(
        |(live, draft, lists, version, at)| {
            let (source, rules) = (Digest::of(at.to_le_bytes()), Digest::of("rules"));
            Base { live, draft, lists, version, source, rules, at: Wall(at) }
        },
    )
}

fn seen() -> impl Strategy<Value = Seen> {
    let some_print = || prop::option::of(print());
    (some_print(), some_print(), any::<String>(), lists(), any::<Option<u64>>(), any::<i64>(), any::<bool>()).prop_map(
        |(live, draft, title, lists, version, stamp, racy)| Seen {
            live,
            draft,
            title,
            lists,
            version,
            updated_at: Stamp(stamp),
            racy,
        },
    )
}

fn doubt() -> impl Strategy<Value = Doubt> {
    let text = (any::<Option<String>>(), any::<String>(), any::<bool>()).prop_map(|(title, body, live)| PatchText {
        title,
        body: BodyPrint::of(&body),
        status: if live { Status::Published } else { Status::Draft },
    });
    (prop::option::of(text), lists(), any::<bool>()).prop_map(|(text, lists, delete)| {
        let kind = if delete { IntentKind::Delete } else { IntentKind::Patch(Patch { text, lists }) };
        let intent = Intent { kind, source: Digest::of("file"), rules: Digest::of("rules"), stored: AT };
        Doubt { intent, dead: Mono::default() }
    })
}

fn row() -> impl Strategy<Value = Row> {
    (any::<String>(), any::<Option<u64>>(), any::<i64>()).prop_map(|(title, version, stamp)| Row {
        id: id("p"),
        status: PageStatus::Archived,
        title,
        version,
        updated_at: Stamp(stamp),
        folders: BTreeSet::from(["f".to_owned()]),
        skills: BTreeSet::new(),
    })
}

prop_compose! {
    fn record()(
        base in prop::option::of(base()),
        seen in prop::option::of(seen()),
        moved in prop::option::of(row()),
        doubt in prop::option::of(doubt()),
        words in any::<Option<String>>(),
        history in prop::collection::vec((any::<Option<String>>(), any::<u8>()), 0..25),
        times in prop::collection::vec(any::<i64>(), 0..3),
    ) -> PageRecord {
        let mut texts = LastTexts::default();
        for (title, body) in &history {
            texts.note(title.as_deref(), Digest::of([*body]));
        }
        let wanted = Digest::of(words.as_deref().unwrap_or_default());
        PageRecord {
            refused: words.clone().map(|message| Refused { wanted, message }),
            settled: words.as_ref().map(|_| Resolution { keep: Keep::Both, version: Some(1), updated_at: Stamp(2) }),
            trouble: words.map(|message| Trouble { attempts: 3, next: AT, code: Code::ServerError, message }),
            absent: moved.as_ref().map(|_| wanted),
            nameless: doubt.as_ref().map(|_| wanted),
            archived: times.first().copied().map(Wall),
            missed: times.last().copied().map(Wall),
            published: times.into_iter().map(Wall).collect(),
            history: texts,
            born: moved.as_ref().map(|_| AT),
            base, seen, moved, doubt, past: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_record_is_read_back_as_it_was(records in prop::collection::btree_map("[A-Za-z0-9_-]{1,64}", record(), 1..8)) {
        let place = Place::new();
        let pages: Vec<_> = records.into_iter().map(|(page, record)| (id(&page), path(format!("{page}.md")), record)).collect();
        let put = |(id, path, record): &(PageId, DocPath, PageRecord)| {
            (id.clone(), PageChange::Put { path: path.clone(), record: Box::new(record.clone()) })
        };
        place.commit(&Change { pages: pages.iter().map(put).collect(), ..Change::default() });
        prop_assert_eq!(place.open().store.load().unwrap().pages, pages);
    }
}
