//! `hubsync sync` while a daemon holds the state: it publishes, we wait and tell. A dry run is made by ourselves, on a copy of the
//! state, because nothing of it may be written but by the daemon.

use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{Form, How, Told, line, stopped};
use crate::cli::{self, Exit};
use crate::commands::check;
use crate::commands::opening::{self, Opened, RootLock, Unopened};
use crate::commands::ordering::{self, Answers, Daemon};
use crate::config::{Config, duration};
use crate::daemon::control::{FirstMeeting, Order, Progress, Reply, Reported, SyncOrder, WriteOrder};
use crate::daemon::orders::{decoded, encoded};
use crate::daemon::scribe::Scribe;
use crate::daemon::signals::Signals;
use crate::output::{Console, Lines, ProgressMode, Shown, Tally, Waiting};
use crate::page::DocPath;
use crate::state::error::StateError;
use crate::state::store::Store;

/// How much longer than `--max-wait` a daemon may take before it counts as hung.
const GRACE: Duration = Duration::from_secs(60);

/// A dry run beside a daemon: everything is opened, over a copy of the state that goes with the folder.
pub(super) fn open_copy(config: &Config, daemon: &Daemon, console: &Console) -> Result<(Opened, TempDir), Unopened> {
    let failed = |error: io::Error| format!("the state can't be copied for a dry run: {error}");
    let folder = TempDir::with_prefix("hubsync-").map_err(failed)?;
    let state = folder.path().join("state.db");
    copy(&config.state, &state)?;
    let mut copied = config.clone();
    copied.state = state;
    let opened = opening::open(&copied, console, RootLock::Daemons)?;
    console.warning(format_args!(
        "a daemon runs{}: it publishes what is saved without being asked",
        daemon.pid_in_words()
    ));
    Ok((opened, folder))
}

fn copy(from: &Path, to: &Path) -> Result<(), StateError> {
    match Store::read_only(from)? {
        Some(mut store) => store.copy_to(to),
        None => Ok(()),
    }
}

/// What a `sync` orders.
pub(super) fn order(args: &cli::Sync, config: &Config, scope: &[DocPath]) -> SyncOrder {
    SyncOrder {
        root: encoded(&config.root),
        paths: scope.iter().map(|path| encoded(path.as_path())).collect(),
        create: args.create,
        confirm_archive: args.confirm_archive,
        first_meeting: args.first_meeting.map(|side| match side {
            cli::FirstMeeting::Local => FirstMeeting::Local,
            cli::FirstMeeting::Hold => FirstMeeting::Hold,
        }),
        max_wait: duration::millis(args.max_wait),
        confirm_root: args.confirm_root,
        confirm_rewrite: args.confirm_rewrite,
        strict: args.strict,
        ..SyncOrder::default()
    }
}

/// Has the daemon carry out an order, and waits until it has.
pub(in crate::commands) async fn give(
    (daemon, order): (Daemon, SyncOrder),
    how: How,
    config: &Config,
    signals: &mut Signals,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let pid = daemon.pid_in_words();
    let mut told = Told::new(how.form, console, progress);
    let deadline = tokio::time::sleep(Duration::from_millis(order.max_wait).saturating_add(GRACE));
    let ended = tokio::select! {
        ended = follow(daemon, order, config, &mut told) => ended,
        () = deadline => Err(Unopened::Later(format!("the daemon{pid} has not answered in time; it goes on by itself"))),
        // The daemon notices that we have gone.
        stop = signals.stop() => return Ok(stopped(stop)),
    };
    drop(told);
    match ended {
        Ok(reported) => tell(how.form, config, console, &reported),
        Err(why) => Ok(why.tell(console)),
    }
}

async fn follow(daemon: Daemon, order: SyncOrder, config: &Config, told: &mut Told<'_>) -> Result<Reported, Unopened> {
    let mut answers: Answers = daemon.order(Order::Sync(order)).await?;
    let mut scribe = None;
    loop {
        match answers.next().await {
            Some(Reply::Did(entry)) => told.did(line(&entry)),
            Some(Reply::Progress(progress)) => told.shows(&tally(&progress)),
            Some(Reply::Done(reported)) => return Ok(reported),
            Some(Reply::Refused { why, exit: 75 }) => return Err(Unopened::Later(why)),
            Some(Reply::Refused { why, .. }) => return Err(Unopened::Unusable(why)),
            Some(Reply::Write(write)) => write_for(config, &mut scribe, write).await?,
            Some(Reply::Hello(_)) => {}
            Some(Reply::Standing(_) | Reply::Taken | Reply::Met(_)) | None => {
                return Err(Unopened::Later(
                    "the daemon has ended before this was done; the next run goes on".to_owned(),
                ));
            }
        }
    }
}

/// Writes a document that the daemon has the text for, and says so. The first one makes the scribe, who looks where links lead.
async fn write_for(config: &Config, scribe: &mut Option<Scribe>, write: WriteOrder) -> Result<(), Unopened> {
    let WriteOrder { write, path, change } = write;
    let failed = match decoded(&path) {
        Some(path) => {
            let (known, config) = (scribe.take(), config.clone());
            let written = tokio::task::spawn_blocking(move || {
                let known =
                    known.map_or_else(|| opening::links(&config).map(|links| opening::scribe(&config, links)), Ok);
                let scribe = known?;
                let written = scribe.write(&path, &change);
                Ok((scribe, written))
            });
            match written.await.unwrap_or_else(|error| Err(error.to_string())) {
                Ok((known, written)) => {
                    *scribe = Some(known);
                    written.err()
                }
                Err(why) => Some(why),
            }
        }
        None => Some("it lies outside of the root".to_owned()),
    };
    if let Some(daemon) = ordering::reach(&config.state).await? {
        // What it answers changes nothing: should it not have heard us, it finds the file by itself.
        drop(daemon.order(Order::Wrote { write, failed }).await?.next().await);
    }
    Ok(())
}

fn tally(progress: &Progress) -> Tally<'_> {
    let Progress { done, total, pending, until, reason } = progress;
    let waiting = match (reason, until) {
        (Some(reason), Some(until)) => {
            Waiting::Until { count: *pending, time: Shown::new(until), reason: Shown::new(reason) }
        }
        _ if *pending > 0 => Waiting::ForAnswer(*pending),
        _ => Waiting::Nothing,
    };
    Tally { done: *done, total: *total, waiting }
}

fn tell(form: Form, config: &Config, console: &Console, reported: &Reported) -> io::Result<Exit> {
    let mut lines = Lines::new();
    if form == Form::Json {
        if !lines.spelled_json(&reported.json) {
            console.error("what the daemon answered is no report; restart it");
            return Ok(Exit::Later);
        }
    } else {
        for path in reported.blocked.iter().filter_map(|path| decoded(path)) {
            check::explain(console, &config.root, &path, &config.policy().rules);
        }
        reported.text.iter().for_each(|line| lines.line(line));
    }
    let _ = console.result(&lines)?;
    let all = [Exit::Ok, Exit::Person, Exit::Usage, Exit::Later];
    Ok(all.into_iter().find(|exit| *exit as u8 == reported.exit).unwrap_or(Exit::Later))
}
