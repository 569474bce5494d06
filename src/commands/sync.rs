//! `hubsync sync`: one round, then the end.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cli::{self, Exit};
use crate::commands::opening::{self, Opened, RootLock, Unopened};
use crate::commands::ordering::{self, Daemon};
use crate::commands::since::{self, Start};
use crate::commands::{check, report};
use crate::config::Config;
use crate::daemon::driver::Driver;
use crate::daemon::one_shot::{self, End, Watcher};
use crate::daemon::signals::{Signals, Stop};
use crate::engine::change::{LogEntry, LogEvent};
use crate::engine::settled::RootHealth;
use crate::engine::{Archives, Input, Mode, Summary, Writes};
use crate::local::Quiet;
use crate::local::folder::{Folder, Round};
use crate::output::summary::{DaemonReport, Listing, Run, Strictness};
use crate::output::{Console, Lines, Progress, ProgressMode, Shown, Tally, Waiting};
use crate::page::{DocPath, Now, Wall};
use crate::state::lock::Lock;
use crate::state::usage::HubKey;

pub(super) mod beside;

/// How often a file that changes while it is read is looked at again.
const TRIES: u32 = 10;
/// Between two such looks.
const BETWEEN: Duration = Duration::from_millis(200);

/// Carries out one round.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(
    args: &cli::Sync,
    config: &Config,
    folder: &Path,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let refuse = |why: &str| {
        console.error(Shown::new(why));
        Ok(Exit::Usage)
    };
    let scope = match opening::scope(&config.root, folder, &args.paths) {
        Ok(scope) => scope,
        Err(why) => return refuse(&why),
    };
    opening::warn_of_missing(&config.root, &scope, console);
    let mut signals = Signals::listen()?;
    let start = match &args.since {
        None => None,
        Some(revision) => tokio::select! {
            read = start(config, revision) => match read? {
                Ok(start) => Some(start),
                Err(why) => return refuse(&why),
            },
            stop = signals.stop() => return Ok(stopped(stop)),
        },
    };
    let (opened, _copy) = match open(args, config, start.as_ref(), console).await {
        Ok(Found::Opened(opened, copy)) => (*opened, copy),
        Ok(Found::Daemon(daemon)) => {
            let order = beside::order(args, config, &scope);
            return beside::give((daemon, order), how(args), config, &mut signals, console, progress).await;
        }
        Err(why) => return Ok(why.tell(console)),
    };
    let hub = opened.hub;
    let (mut driver, tree, _lock) = drive(args, config, opened, scope)?;
    let scribe = opening::scribe(config, tree.links());
    let now = driver.now().wall;
    let (tree, mut first) = tokio::select! {
        read = first_round(tree, now, confirmation(args)) => read?,
        // A file system may not answer at all; nothing is under way yet.
        stop = signals.stop() => {
            driver.finish();
            return Ok(stopped(stop));
        }
    };
    for remark in &first.remarks {
        console.warning(Shown::new(remark));
    }
    if let Some(start) = &start {
        if start.has_moved(&first, console) {
            driver.finish();
            return Ok(Exit::Later);
        }
        start.begin(&mut driver, &mut first);
    }
    let mut watcher = Told::new(how(args).form, console, progress);
    let end = one_shot::run(&mut driver, tree, first, args.max_wait, (&mut signals, &scribe), &mut watcher).await;
    watcher.changed(&mut driver);
    drop(watcher);
    let now = driver.now();
    let summary = driver.engine().summary(now);
    driver.finish();
    match end {
        End::Stopped(stop) => Ok(stopped(stop)),
        End::Round => tell(how(args), config, console, hub, summary, now),
    }
}

/// The engine as it was asked for, and the folder.
fn drive(
    args: &cli::Sync,
    config: &Config,
    mut opened: Opened,
    scope: Vec<DocPath>,
) -> io::Result<(Driver, Folder, Lock)> {
    if args.confirm_archive {
        opened.archives = Archives::Confirmed;
    }
    let writes = if args.dry_run { Writes::Plan } else { Writes::Send };
    let (mut driver, mut tree, lock) = opened.drive(config, Mode::OneShot(writes), scope.clone())?;
    if args.confirm_rewrite {
        driver.handle(Input::ConfirmRewrite(scope));
    }
    if let Some(branch) = &args.branch {
        tree.detached_is(branch.clone());
    }
    Ok((driver, tree, lock))
}

/// How a round reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct How {
    pub run: Run,
    pub strict: Strictness,
    pub form: Form,
}

/// For whom a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A person, who hears of each publish.
    Text,
    /// A script.
    Json,
}

fn how(args: &cli::Sync) -> How {
    How {
        run: if args.dry_run { Run::DryRun } else { Run::Sync },
        strict: if args.strict { Strictness::Strict } else { Strictness::Lenient },
        form: if args.json { Form::Json } else { Form::Text },
    }
}

/// What the history tells of `revision`.
async fn start(config: &Config, revision: &str) -> io::Result<Result<Start, String>> {
    let (config, revision) = (config.clone(), revision.to_owned());
    tokio::task::spawn_blocking(move || since::read(&config, &revision)).await.map_err(io::Error::other)
}

/// Who does the work.
enum Found {
    /// We do; for a dry run beside a daemon on a copy of the state, which goes when this does.
    Opened(Box<Opened>, Option<TempDir>),
    /// A daemon that holds the state.
    Daemon(Daemon),
}

async fn open(args: &cli::Sync, config: &Config, start: Option<&Start>, console: &Console) -> Result<Found, Unopened> {
    if let Some(start) = start {
        let (mut opened, scratch) = opening::open_scratch(config, console)?;
        let now = opened.clock.now().wall;
        start.know(config, &mut opened, now)?;
        return Ok(Found::Opened(Box::new(opened), Some(scratch)));
    }
    loop {
        match ordering::reach(&config.state).await? {
            Some(daemon) if args.dry_run => {
                let (opened, copy) = beside::open_copy(config, &daemon, console)?;
                return Ok(Found::Opened(Box::new(opened), Some(copy)));
            }
            Some(daemon) => return Ok(Found::Daemon(daemon)),
            None => {}
        }
        match opening::open(config, console, RootLock::Ours) {
            Ok(opened) => return Ok(Found::Opened(Box::new(opened), None)),
            // A daemon has begun since we looked.
            Err(Unopened::Held(_)) => {}
            Err(why) => return Err(why),
        }
    }
}

pub(super) fn stopped(stop: Stop) -> Exit {
    match stop {
        Stop::Interrupt => Exit::Interrupted,
        Stop::Terminate | Stop::Hangup => Exit::Terminated,
    }
}

/// Whether a root that looks like another one was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    Given,
    Missing,
}

fn confirmation(args: &cli::Sync) -> Confirmation {
    if args.confirm_root { Confirmation::Given } else { Confirmation::Missing }
}

/// What the folder says. Files that are just being written are waited for, for a moment.
pub(super) async fn first_round(mut tree: Folder, now: Wall, confirmed: Confirmation) -> io::Result<(Folder, Round)> {
    let scanned = tokio::task::spawn_blocking(move || {
        let mut round = tree.scan(now, Quiet::AtOnce);
        if matches!(round.health, RootHealth::Changed { .. }) && confirmed == Confirmation::Given {
            tree.confirm_root(now);
            round = tree.scan(now, Quiet::AtOnce);
        }
        (tree, round)
    });
    let (mut tree, mut round) = scanned.await.map_err(io::Error::other)?;
    for _ in 0..TRIES {
        if round.unsettled.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN).await;
        let again: BTreeSet<PathBuf> = round.unsettled.iter().map(|path| path.as_path().to_path_buf()).collect();
        let looked = tokio::task::spawn_blocking(move || {
            let next = tree.look(&again, now, Quiet::AtOnce);
            (tree, next)
        });
        let next;
        (tree, next) = looked.await.map_err(io::Error::other)?;
        round.settled.extend(next.settled);
        round.cache_put.extend(next.cache_put);
        round.cache_gone.extend(next.cache_gone);
        (round.health, round.unsettled) = (next.health, next.unsettled);
    }
    Ok((tree, round))
}

/// Reports, and answers how the process ends.
pub(super) fn tell(
    how: How,
    config: &Config,
    console: &Console,
    hub: HubKey,
    summary: Summary,
    now: Now,
) -> io::Result<Exit> {
    let How { run, strict, form } = how;
    let report = report::of(config, summary, Some(hub), DaemonReport::default(), now);
    if let RootHealth::Missing(why) = &report.summary.root {
        console.error(Shown::new(why));
    }
    if form == Form::Json {
        let _ = console.result(&report.json(run))?;
    } else {
        for path in report::to_explain(&report.summary) {
            check::explain(console, &config.root, path, &config.policy().rules);
        }
        let _ = console.result(&report.text(run, Listing::Wanting))?;
    }
    Ok(report::exit(report.verdict(run, strict)))
}

/// Tells what is done while it is done.
pub(super) struct Told<'a> {
    console: &'a Console,
    progress: Progress,
    form: Form,
    last: Option<Instant>,
}

/// The bar is drawn at most so often.
const REDRAW: Duration = Duration::from_millis(100);

impl<'a> Told<'a> {
    pub(super) fn new(form: Form, console: &'a Console, progress: ProgressMode) -> Self {
        Self { console, progress: Progress::new(progress, console.stderr_paint()), form, last: None }
    }

    /// Tells of something that was done to the hub.
    fn did(&mut self, line: Option<Lines>) {
        if let Some(line) = line.filter(|_| self.form == Form::Text) {
            // A reader who has gone is told nothing more; the round goes on all the same.
            self.progress.aside(|| drop(self.console.result(&line)));
        }
    }

    /// Shows how far it is.
    fn shows(&mut self, tally: &Tally<'_>) {
        if self.progress.is_shown() {
            self.progress.show(tally);
        }
    }
}

impl Watcher for Told<'_> {
    fn changed(&mut self, driver: &mut Driver) {
        for entry in driver.take_done() {
            self.did(line(&entry));
        }
        if !self.progress.is_shown() || self.last.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.last = Some(Instant::now());
        let now = driver.now();
        let summary = driver.engine().summary(now);
        let total = summary.pages.iter().filter(|page| page.page_id.is_some()).count();
        let done = total - summary.counts.pending.min(total);
        let pending = summary.counts.pending as u64;
        let until = summary
            .waits
            .as_ref()
            .and_then(|waits| waits.until)
            .map(|at| now.wall.plus(i64::try_from(at.since(now.mono)).unwrap_or(i64::MAX)).to_rfc3339());
        let waiting = match (&summary.waits, &until) {
            (Some(waits), Some(until)) => {
                Waiting::Until { count: pending, time: Shown::new(until), reason: Shown::new(&waits.reason.message) }
            }
            _ if pending > 0 => Waiting::ForAnswer(pending),
            _ => Waiting::Nothing,
        };
        let tally = Tally { done: done as u64, total: total as u64, waiting };
        self.progress.show(&tally);
    }
}

/// One line for what was done to the hub; nothing is said of what was only found equal.
fn line(entry: &LogEntry) -> Option<Lines> {
    let path = Shown::new(&entry.path);
    match &entry.event {
        LogEvent::Published { fields, version, .. } => {
            let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
            Some(Lines::of(format_args!("published {path} ({}{version})", fields.join(", "))))
        }
        LogEvent::Raced { version } => Some(Lines::of(format_args!(
            "warning: {path}: somebody published between our look and our write; it is in the hub's history before version {version}"
        ))),
        LogEvent::Created { version } => {
            let version = version.map_or_else(|| "a draft".to_owned(), |version| format!("version {version}"));
            let page = Shown::new(entry.page.as_str()).to_string();
            Some(Lines::of(format_args!("created {path} (page {page}, {version})")))
        }
        LogEvent::Archived => Some(Lines::of(format_args!("archived {path}"))),
        LogEvent::Written { version } => {
            let version = version.map(|version| format!(" (version {version})")).unwrap_or_default();
            Some(Lines::of(format_args!("wrote {path}: the hub's text{version} is in it")))
        }
        LogEvent::Adopted => None,
    }
}
