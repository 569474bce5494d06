//! The task on a real folder: each test waits for what it wants to see.
#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::local::folder::Known;
use crate::local::identity::Presence;
use crate::local::patterns::Patterns;
use crate::policy::Policy;

struct Task {
    dir: tempfile::TempDir,
    rounds: mpsc::Receiver<Round>,
    commands: mpsc::Sender<Command>,
    handle: tokio::task::JoinHandle<()>,
}

const QUICK: Options = Options { debounce: 50, max_delay: 60_000, rescan: 3_600_000, poll: Poll::Auto };

fn folder(root: PathBuf, known: &[(&str, &str)]) -> Folder {
    let patterns = Patterns::new(&["**/*.md".to_owned()], &[]).unwrap();
    let known = known.iter().map(|(page, path)| Known {
        page: PageId::parse(page).unwrap(),
        path: DocPath::new(*path).unwrap(),
        presence: Presence::There,
    });
    Folder::new(root, patterns, Policy::default().rules, vec![], known.collect())
}

fn start(options: Options, dir: tempfile::TempDir, known: &[(&str, &str)]) -> Task {
    let (rounds_in, rounds) = mpsc::channel(16);
    let (commands, commands_out) = mpsc::channel(16);
    let folder = folder(dir.path().join("root"), known);
    let handle = tokio::spawn(run(options, folder, rounds_in, commands_out));
    Task { dir, rounds, commands, handle }
}

fn bench() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("root")).unwrap();
    dir
}

fn text(id: &str) -> String {
    format!("---\npage_id: {id}\n---\ntext\n")
}

impl Task {
    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    async fn round(&mut self) -> Round {
        tokio::time::timeout(Duration::from_secs(60), self.rounds.recv()).await.unwrap().unwrap()
    }

    /// Takes rounds until one satisfies.
    async fn until(&mut self, mut wanted: impl FnMut(&Round) -> bool) -> Round {
        loop {
            let round = self.round().await;
            if wanted(&round) {
                return round;
            }
        }
    }

    async fn until_published(&mut self, pages: &[&str]) {
        let mut missing: BTreeSet<String> = pages.iter().map(|page| (*page).to_owned()).collect();
        self.until(|round| {
            for settled in &round.settled {
                if let Settled::Page { id, found: Found::Document(_), .. } = settled {
                    missing.remove(id.as_str());
                }
            }
            missing.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn an_edit_is_told_once_it_has_come_to_rest() {
    let mut task = start(QUICK, bench(), &[]);
    let first = task.round().await;
    assert_eq!((first.settled, first.health, first.watching), (vec![], RootHealth::Ok, Watching::Told));
    fs::write(task.at("a.md"), text("A")).unwrap();
    task.until_published(&["A"]).await;
    fs::remove_file(task.at("a.md")).unwrap();
    fs::write(task.at("b.md"), text("B")).unwrap();
    task.until_published(&["B"]).await;
}

#[tokio::test]
async fn what_lies_deep_in_new_and_moved_folders_is_found() {
    let mut task = start(QUICK, bench(), &[]);
    task.round().await;
    let pages: Vec<String> = (0..40).map(|n| format!("P{n}")).collect();
    for (n, page) in pages.iter().enumerate() {
        let made = if n % 2 == 0 { task.at("") } else { task.dir.path().join("outside") };
        let deep = made.join(format!("n{n}/a/b/c"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("x.md"), text(page)).unwrap();
        if n % 2 == 1 {
            fs::rename(made.join(format!("n{n}")), task.at(&format!("n{n}"))).unwrap();
        }
    }
    task.until_published(&pages.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn more_changes_than_are_kept_are_all_found() {
    let mut task = start(QUICK, bench(), &[]);
    task.round().await;
    let pages: Vec<String> = (0..watch::CAPACITY + 200).map(|n| format!("P{n}")).collect();
    for page in &pages {
        fs::write(task.at(&format!("{page}.md")), text(page)).unwrap();
    }
    task.until_published(&pages.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_root_that_is_missing_is_waited_for_and_one_that_is_made_again_is_watched() {
    let dir = bench();
    fs::remove_dir(dir.path().join("root")).unwrap();
    let mut task = start(QUICK, dir, &[]);
    assert!(matches!(task.round().await.health, RootHealth::Missing(_)));
    for page in ["A", "B"] {
        fs::create_dir(task.at("")).unwrap();
        task.until(|round| !matches!(round.health, RootHealth::Missing(_))).await;
        fs::write(task.at("x.md"), text(page)).unwrap();
        task.until_published(&[page]).await;
        fs::remove_dir_all(task.at("")).unwrap();
        task.until(|round| matches!(round.health, RootHealth::Missing(_))).await;
    }
}

#[tokio::test]
async fn a_root_that_is_a_swapped_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    for (rev, page) in [("rev1", "A"), ("rev2", "B")] {
        fs::create_dir(dir.path().join(rev)).unwrap();
        fs::write(dir.path().join(rev).join("x.md"), text(page)).unwrap();
        fs::write(dir.path().join(rev).join("stays.md"), text("S")).unwrap();
    }
    symlink("rev1", dir.path().join("root")).unwrap();
    let mut task = start(QUICK, dir, &[]);
    task.until_published(&["A", "S"]).await;
    symlink("rev2", task.dir.path().join("tmp")).unwrap();
    fs::rename(task.dir.path().join("tmp"), task.dir.path().join("root")).unwrap();
    task.until_published(&["B"]).await;
    fs::write(task.at("late.md"), text("L")).unwrap();
    task.until_published(&["L"]).await;
}

#[tokio::test]
async fn commands_compare_everything_and_are_answered() {
    let dir = bench();
    fs::write(dir.path().join("root/a.md"), text("A")).unwrap();
    let mut task = start(QUICK, dir, &[("A", "a.md"), ("B", "b.md"), ("C", "c.md")]);
    let first = task.round().await;
    assert_eq!(first.health, RootHealth::Changed { known: 3, found: 1 });
    task.commands.send(Command::ConfirmRoot).await.unwrap();
    task.until(|round| round.health == RootHealth::Ok).await;
    for _ in 0..2 {
        task.commands.send(Command::Rescan).await.unwrap();
    }
    task.until(|round| round.rescans == 2).await;
    task.commands.send(Command::Forget(PageId::parse("A").unwrap())).await.unwrap();
    task.until_published(&["A"]).await;
}

#[tokio::test]
async fn a_person_does_not_wait_for_quiet_and_is_answered_by_count() {
    let slow = Options { debounce: 600_000, max_delay: 1_200_000, ..QUICK };
    let mut task = start(slow, bench(), &[]);
    task.round().await;
    for id in ["A", "B"] {
        fs::write(task.at(&format!("{id}.md")), text(id)).unwrap();
    }
    let only = |id: &str| vec![DocPath::new(format!("{id}.md")).unwrap()];
    task.commands.send(Command::LookNow(only("A"))).await.unwrap();
    let round = task.until(|round| round.rescans == 1).await;
    let told: Vec<&Settled> = round.settled.iter().collect();
    assert!(matches!(told[..], [Settled::Page { found: Found::Document(_), .. }]), "{told:?}");
    task.commands.send(Command::LookNow(Vec::new())).await.unwrap();
    let round = task.until(|round| round.rescans == 2).await;
    assert_eq!(round.settled.len(), 1, "the other one: {:?}", round.settled);
}

#[tokio::test]
async fn another_configuration_is_compared_by_at_once() {
    let slow = Options { debounce: 600_000, max_delay: 1_200_000, ..QUICK };
    let mut task = start(slow, bench(), &[]);
    task.round().await;
    fs::write(task.at("A.md"), text("A")).unwrap();
    fs::write(task.at("B.md"), text("B")).unwrap();
    let patterns = Patterns::new(&["A.md".to_owned()], &[]).unwrap();
    let settings = Settings { options: QUICK, patterns, rules: Policy::default().rules, gate: Gate::default() };
    task.commands.send(Command::Configure(Box::new(settings))).await.unwrap();
    task.until_published(&["A"]).await;
    fs::write(task.at("A.md"), text("A") + "More.\n").unwrap();
    let round = task.until(|round| !round.settled.is_empty()).await;
    assert_eq!(round.settled.len(), 1, "`include` counts: {:?}", round.settled);
}

#[tokio::test]
async fn the_task_ends_when_nobody_listens_any_more() {
    let mut task = start(QUICK, bench(), &[]);
    task.round().await;
    drop(task.rounds);
    task.handle.await.unwrap();
    let mut task = start(QUICK, bench(), &[]);
    task.round().await;
    drop(task.commands);
    task.handle.await.unwrap();
}

#[tokio::test]
async fn the_task_ends_whatever_hangs_on_the_blocking_pool() {
    let (rounds, taken) = mpsc::channel::<Round>(1);
    let (release, hold) = std::sync::mpsc::channel::<()>();
    let hanging = tokio::spawn(async move { blocking(&rounds, move || hold.recv()).await.is_none() });
    drop(taken);
    assert!(hanging.await.unwrap());
    drop(release);
}

#[tokio::test]
async fn changes_that_come_without_events_are_found_by_comparing_and_said() {
    let options = Options { rescan: 1_000, ..QUICK };
    let dir = bench();
    let root = dir.path().join("root");
    let mut settler = Settler::new(options, folder(root.clone(), &[]));
    let (rounds, _taken) = mpsc::channel(4);
    settler.scan(&rounds).await.unwrap();
    assert_eq!(settler.watching, Watching::Told);
    // As where another machine writes to a mounted folder.
    settler.watch = Some(Arc::new(Watch::new(&root.join("nothing"))));
    fs::write(root.join("a.md"), text("A")).unwrap();
    let round = loop {
        settler.scan_due = false;
        settler.debounce = Debounce::new(50, 60_000, 8);
        let round = settler.scan(&rounds).await.unwrap();
        if round.unsettled.is_empty() {
            break round;
        }
    };
    assert_eq!(round.settled.len(), 1);
    assert!(matches!(settler.watching, Watching::Compared(_)), "{:?}", settler.watching);
}
