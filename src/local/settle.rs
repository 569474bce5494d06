//! The daemon's task: what the watcher notes is looked at once it has come to rest, and each round goes to the event loop.
//!
//! No event is ever lost: too many become "look at everything", and everything is compared every `rescan` anyway. A root that
//! is another folder than before gets a new watcher; one that is missing is waited for. All that can block runs on the
//! blocking pool, and the task ends at once when nobody takes its rounds any more, whatever hangs there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::Instant;

use crate::config::Poll;
use crate::engine::settled::{Checkout, Found, RootHealth, Settled};
use crate::local::folder::{Folder, Round};
use crate::local::git::Gate;
use crate::local::index::Quiet;
use crate::local::patterns::Patterns;
use crate::local::root::{RootId, id_at};
use crate::local::watch::{self, Touched, Watch, WatchProblem, Watching};
use crate::pace::debounce::{Debounce, Due};
use crate::page::{DocPath, Mono, PageId, Wall};
use crate::policy::Rules;

/// How often the root is compared where events can't be relied on.
const POLL: Duration = Duration::from_secs(5);
/// How often it is checked that the root is still the same folder.
const TICK: Duration = Duration::from_secs(2);
/// How often a missing root is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// The `watch` part of the configuration. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `watch.debounce`.
    pub debounce: u64,
    /// `watch.max_delay`.
    pub max_delay: u64,
    /// `watch.rescan`.
    pub rescan: u64,
    /// `watch.poll`.
    pub poll: Poll,
}

/// What a changed configuration changes here.
#[derive(Debug)]
pub struct Settings {
    /// The section `watch`.
    pub options: Options,
    /// `include` and `exclude`.
    pub patterns: Patterns,
    /// How documents become bodies.
    pub rules: Rules,
    /// Which branch of a checkout counts.
    pub gate: Gate,
}

/// What the event loop asks of the task.
#[derive(Debug)]
pub enum Command {
    /// Compare everything, now.
    Rescan,
    /// A person said: look at these at once, however lately they were written to; at everything where none is named.
    LookNow(Vec<DocPath>),
    /// The configuration is another one: everything is compared by it.
    Configure(Box<Settings>),
    /// Look at this file once it has come to rest.
    Look(DocPath),
    /// The state knows this page now, with its file.
    Known(PageId, DocPath),
    /// The state has forgotten this page.
    Forget(PageId),
    /// A person said that the root is the right one: compare everything on that ground.
    ConfirmRoot,
}

/// Runs until the receiver of the rounds, or the last sender of commands, is dropped. The first round is that of the first
/// scan.
pub async fn run(options: Options, folder: Folder, rounds: mpsc::Sender<Round>, mut commands: mpsc::Receiver<Command>) {
    let mut settler = Settler::new(options, folder);
    while let Some(()) = settler.step(&rounds, &mut commands).await {}
}

/// What is to be done next.
enum Work {
    Scan,
    Look(BTreeSet<PathBuf>, Quiet),
    Probe,
}

struct Settler {
    options: Options,
    /// Taken while the blocking pool has it.
    folder: Option<Folder>,
    root: PathBuf,
    watch: Option<Arc<Watch>>,
    /// The folder that is watched; `None` while there is none.
    watched: Option<RootId>,
    debounce: Debounce<PathBuf>,
    start: Instant,
    scan_due: bool,
    /// What a person wants looked at; `Everything` for all.
    asked: Asked,
    next_scan: Instant,
    next_probe: Instant,
    /// How many orders to rescan were received.
    rescans: u64,
    /// How a missing root was told last, and after how many orders.
    missing: Option<(RootHealth, u64)>,
    /// Why the checkout was held when it was looked at last.
    held: Option<Checkout>,
    /// How changes are noticed, for now.
    watching: Watching,
    /// Proof that events don't tell all; it stands until the task ends.
    muted: Option<WatchProblem>,
}

/// What is looked at without waiting for it to come to rest, because a person said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Nothing,
    Paths(BTreeSet<PathBuf>),
    Everything,
}

impl Settler {
    fn new(options: Options, folder: Folder) -> Self {
        let now = Instant::now();
        Self {
            debounce: Debounce::new(options.debounce, options.max_delay, watch::CAPACITY),
            root: folder.root().to_path_buf(),
            options,
            folder: Some(folder),
            watch: None,
            watched: None,
            start: now,
            scan_due: true,
            asked: Asked::Nothing,
            next_scan: now,
            next_probe: now,
            rescans: 0,
            missing: None,
            held: None,
            watching: Watching::Told,
            muted: None,
        }
    }

    /// One wait or one piece of work; `None` when the task is over.
    async fn step(&mut self, rounds: &mpsc::Sender<Round>, commands: &mut mpsc::Receiver<Command>) -> Option<()> {
        while let Ok(command) = commands.try_recv() {
            self.obey(command);
        }
        let Some(work) = self.next_work() else { return self.wait(rounds, commands).await };
        let round = match work {
            Work::Probe => return self.probe(rounds).await,
            Work::Scan => self.scan(rounds).await?,
            Work::Look(paths, quiet) => self.look(rounds, paths, quiet).await?,
        };
        // A root that can't be read is tried again and again: once is enough to say so.
        let missing = matches!(round.health, RootHealth::Missing(_)).then(|| (round.health.clone(), round.rescans));
        if missing.is_some() && missing == self.missing {
            return Some(());
        }
        self.missing = missing;
        rounds.send(round).await.ok()
    }

    fn next_work(&mut self) -> Option<Work> {
        let now = Instant::now();
        if now >= self.next_probe {
            return Some(Work::Probe);
        }
        // First, so that no other round passes for its answer.
        if !self.scan_due
            && let Asked::Paths(asked) = &mut self.asked
        {
            let asked = std::mem::take(asked);
            self.asked = Asked::Nothing;
            return Some(Work::Look(asked, Quiet::AtOnce));
        }
        let mut paths = BTreeSet::new();
        for due in self.debounce.due(self.mono()) {
            match due {
                Due::Settled(path) | Due::Overdue(path) => drop(paths.insert(path)),
                Due::Everything => self.scan_due = true,
            }
        }
        if self.watched.is_none() && !self.scan_due {
            return None;
        }
        if self.scan_due || now >= self.next_scan {
            return Some(Work::Scan);
        }
        (!paths.is_empty()).then_some(Work::Look(paths, Quiet::For(self.options.debounce)))
    }

    async fn wait(&mut self, rounds: &mpsc::Sender<Round>, commands: &mut mpsc::Receiver<Command>) -> Option<()> {
        let debounce = self.debounce.wakeup().map(|at| self.start + Duration::from_millis(at.0));
        let wakeup = debounce.into_iter().chain([self.next_scan, self.next_probe]).min()?;
        // While the root is missing only its return counts.
        let wakeup = if self.watched.is_none() { self.next_probe } else { wakeup };
        let touched = async {
            match &self.watch {
                Some(watch) => watch.touched().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rounds.closed() => return None,
            command = commands.recv() => {
                let command = command?;
                self.obey(command);
            }
            touched = touched => self.note(touched),
            () = tokio::time::sleep_until(wakeup) => {}
        }
        Some(())
    }

    fn obey(&mut self, command: Command) {
        let now = wall();
        if let Command::Look(path) = command {
            let mono = self.mono();
            return self.debounce.ask(mono, path.as_path().to_path_buf());
        }
        let Some(folder) = &mut self.folder else { return };
        match command {
            Command::Look(_) => return,
            Command::Rescan => self.rescans += 1,
            Command::LookNow(paths) => return self.look_now(paths),
            Command::Configure(settings) => {
                let Settings { options, patterns, rules, gate } = *settings;
                self.debounce.set_times(options.debounce, options.max_delay);
                self.options = options;
                folder.configure(patterns, rules, gate);
            }
            Command::Known(page, path) => return folder.note_known(page, path),
            Command::Forget(page) => folder.forget(&page),
            Command::ConfirmRoot => folder.confirm_root(now),
        }
        self.scan_due = true;
    }

    /// Where nothing is watched by now, only a whole scan tells anything.
    fn look_now(&mut self, paths: Vec<DocPath>) {
        self.rescans += 1;
        if paths.is_empty() || self.watched.is_none() || self.scan_due {
            (self.scan_due, self.asked) = (true, Asked::Everything);
            return;
        }
        let paths = paths.into_iter().map(|path| path.as_path().to_path_buf());
        match &mut self.asked {
            Asked::Everything => {}
            Asked::Paths(asked) => asked.extend(paths),
            Asked::Nothing => self.asked = Asked::Paths(paths.collect()),
        }
    }

    fn note(&mut self, touched: Touched) {
        let now = self.mono();
        match touched {
            Touched::Everything => self.debounce.note_everything(now),
            Touched::Paths(paths) => paths.into_iter().for_each(|path| self.debounce.note(now, path)),
        }
    }

    /// Whether the root is still the folder that is watched, and its checkout held or free as before; else it is scanned, and
    /// watched, anew. (Git's own files are not watched: they change all the time.)
    async fn probe(&mut self, rounds: &mpsc::Sender<Round>) -> Option<()> {
        let (root, gate) = (self.root.clone(), self.folder.as_ref()?.gate());
        let (id, held) = blocking(rounds, move || {
            let real = root.canonicalize();
            (id_at(&root), real.ok().and_then(|real| gate.glance(&real).held))
        })
        .await?;
        self.next_probe = Instant::now() + if id.is_some() && held.is_none() { TICK } else { RETRY };
        // Something may have lain over the root for a moment, just when it was looked at.
        let looked = self.folder.as_ref().and_then(Folder::scanned);
        if id != self.watched || held != self.held || (looked.is_some() && looked != id) {
            self.scan_due = true;
        }
        Some(())
    }

    async fn scan(&mut self, rounds: &mpsc::Sender<Round>) -> Option<Round> {
        let (asked, rested) = (self.scan_due, self.debounce.is_empty());
        let (root, old, watched, poll) = (self.root.clone(), self.watch.take(), self.watched, self.options.poll);
        let (watch, id, silent) = blocking(rounds, move || {
            // The watcher comes first, so that nothing falls between it and the scan.
            let id = id_at(&root);
            (watch_at(&root, id, old.filter(|_| id == watched), poll), id, watch::silent_file_system(&root))
        })
        .await?;
        (self.watch, self.watched) = (watch, id);
        let by_hand = std::mem::take(&mut self.asked) != Asked::Nothing;
        let quiet = if by_hand { Quiet::AtOnce } else { Quiet::For(self.options.debounce) };
        let mut round = self.round(rounds, move |folder| folder.scan(wall(), quiet)).await?;
        self.scan_due = false;
        if matches!(round.health, RootHealth::Missing(_)) {
            self.watched = None;
            self.next_probe = Instant::now() + RETRY;
        } else {
            self.judge(&round, !asked && rested, silent);
        }
        round.watching = self.watching.clone();
        let rescan = Duration::from_millis(self.options.rescan.max(1_000));
        let wait = match self.watching {
            Watching::Asked | Watching::Compared(_) => rescan.min(POLL),
            Watching::Told | Watching::Late(_) => rescan,
        };
        self.next_scan = Instant::now() + wait;
        Some(round)
    }

    async fn look(&mut self, rounds: &mpsc::Sender<Round>, paths: BTreeSet<PathBuf>, quiet: Quiet) -> Option<Round> {
        let watch = self.watch.clone();
        let look = move |folder: &mut Folder| {
            // A new folder is watched first and walked then, so that nothing falls between the two.
            paths.iter().for_each(|path| watch.iter().for_each(|watch| watch.cover(path)));
            folder.look(&paths, wall(), quiet)
        };
        let round = self.round(rounds, look).await?;
        if matches!(round.health, RootHealth::Missing(_)) {
            self.watched = None;
            self.next_probe = Instant::now() + RETRY;
        }
        Some(round)
    }

    /// Has the folder do something on the blocking pool.
    async fn round(
        &mut self,
        rounds: &mpsc::Sender<Round>,
        work: impl FnOnce(&mut Folder) -> Round + Send + 'static,
    ) -> Option<Round> {
        let mut folder = self.folder.take()?;
        let (folder, mut round) = blocking(rounds, move || {
            let round = work(&mut folder);
            (folder, round)
        })
        .await?;
        self.folder = Some(folder);
        self.held = match &round.health {
            RootHealth::Held(checkout) => Some(checkout.clone()),
            RootHealth::Ok | RootHealth::Missing(_) | RootHealth::Changed { .. } => None,
        };
        let now = self.mono();
        for path in &round.unsettled {
            self.debounce.note(now, path.as_path().to_path_buf());
        }
        (round.watching, round.rescans) = (self.watching.clone(), self.rescans);
        Some(round)
    }

    /// Whether events can be relied on. `unasked`: nothing was known to have changed, so that news came without an event.
    fn judge(&mut self, round: &Round, unasked: bool, silent: Option<&'static str>) {
        let silent = silent.map(|kind| {
            WatchProblem(format!("the root lies on {kind}, where changes made elsewhere come without events"))
        });
        let known = self.watch.as_ref().and_then(|watch| watch.problem()).or(silent);
        let is_news = |settled: &Settled| matches!(settled, Settled::Page { found: Found::Document(_), .. });
        let quiet = self.watch.as_ref().is_some_and(|watch| watch.is_quiet());
        // Where it was known that some events don't come, news without one prove nothing more.
        let relied = self.watching == Watching::Told && known.is_none();
        if relied && unasked && quiet && round.unsettled.is_empty() && round.settled.iter().any(is_news) {
            let problem = "files changed without an event: another machine or system writes to the root";
            self.muted = Some(WatchProblem(problem.to_owned()));
        }
        let problem = known.or_else(|| self.muted.clone());
        self.watching = match (self.options.poll, problem) {
            (Poll::Always, _) => Watching::Asked,
            (_, None) => Watching::Told,
            (Poll::Auto, Some(problem)) => Watching::Compared(problem),
            (Poll::Never, Some(problem)) => Watching::Late(problem),
        };
    }

    fn mono(&self) -> Mono {
        Mono(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// The watcher for the folder that lies at the root now: the old one, if it is that folder's, or a new one. What it did not
/// cover, because events were lost or a limit was used up, it covers now, if it can.
fn watch_at(root: &Path, id: Option<RootId>, old: Option<Arc<Watch>>, poll: Poll) -> Option<Arc<Watch>> {
    if poll == Poll::Always {
        return None;
    }
    if let Some(old) = old.filter(|old| old.is_usable()) {
        old.cover(Path::new(""));
        return Some(old);
    }
    let real = id.and_then(|_| root.canonicalize().ok())?;
    Some(Arc::new(Watch::new(&real)))
}

fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Runs `work` on the blocking pool; `None` where nobody waits for rounds any more, or the runtime ends.
async fn blocking<T: Send + 'static>(
    rounds: &mpsc::Sender<Round>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::select! {
        () = rounds.closed() => None,
        done = spawn_blocking(work) => match done.map_err(JoinError::try_into_panic) {
            Ok(done) => Some(done),
            // A fault of ours must not pass for a root without changes.
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => None,
        },
    }
}

#[cfg(test)]
mod tests;
