//! One round, then the end: waits for the minute's budget and for retries up to a limit, never for the day's.

use std::time::Duration;

use crate::daemon::driver::{Driver, ToWrite};
use crate::daemon::scribe::Scribe;
use crate::daemon::signals::{Signals, Stop};
use crate::engine::{Input, Rest, ShutWhy, WaitsOn};
use crate::local::Quiet;
use crate::local::folder::{Folder, Round};
use crate::page::Mono;

/// A hub that has not been reached for so long is not waited for any longer, in milliseconds.
const UNREACHABLE_MS: u64 = 30_000;

/// How long what is under way may take when we are told to stop (contract.md, promise 11: 10 s in all).
pub const GRACE: Duration = Duration::from_secs(8);

/// How the round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything is at rest, or what is not can't be waited for.
    Round,
    /// We were told to stop.
    Stopped(Stop),
}

/// What is told while it goes on.
pub trait Watcher {
    /// Something has changed.
    fn changed(&mut self, driver: &mut Driver);
}

/// Carries out one round that begins with what the folder says.
pub async fn run(
    driver: &mut Driver,
    folder: Folder,
    first: Round,
    max_wait: Duration,
    (signals, scribe): (&mut Signals, &Scribe),
    watcher: &mut impl Watcher,
) -> End {
    let deadline = driver.now().mono.plus(u64::try_from(max_wait.as_millis()).unwrap_or(u64::MAX));
    let mut folder = Some(folder);
    driver.round(first);
    loop {
        driver.step();
        write(driver, scribe).await;
        reread(driver, &mut folder).await;
        watcher.changed(driver);
        let now = driver.now();
        let rest = driver.engine().rest(now);
        let until = match rest {
            Rest::Done => return End::Round,
            Rest::Busy => None,
            Rest::Waiting { until, on } => {
                if gives_up(until, on, now.mono, deadline) {
                    driver.engine().conclude(now);
                    return End::Round;
                }
                until
            }
        };
        // A busy engine may also wait for a moment: for acknowledgements to be stored together.
        let until = until.or_else(|| driver.engine().wakeup(now)).unwrap_or(deadline.max(now.mono.plus(1_000)));
        let wake = tokio::time::Instant::from_std(driver.clock().instant(until));
        tokio::select! {
            event = driver.next() => driver.take(event),
            () = tokio::time::sleep_until(wake) => driver.handle(Input::Tick),
            stop = signals.stop() => {
                wind_up(driver).await;
                return End::Stopped(stop);
            }
        }
        if driver.clock().jumped() {
            driver.handle(Input::Woke);
        }
    }
}

/// Whether what is waited for is beyond a one-shot run's patience, or that of a person who gave a daemon an order.
pub fn gives_up(until: Option<Mono>, on: Option<WaitsOn>, now: Mono, deadline: Mono) -> bool {
    let too_late = now >= deadline || until.is_some_and(|until| until > deadline);
    match on {
        Some(WaitsOn::Day) => true,
        Some(WaitsOn::Shut(ShutWhy::TooMany) | WaitsOn::Minute) | None => too_late,
        Some(WaitsOn::Shut(_)) => true,
        Some(WaitsOn::Unreachable(since)) => too_late || until.unwrap_or(now) >= since.plus(UNREACHABLE_MS),
    }
}

/// Writes documents as a person decided; each is read again right after.
async fn write(driver: &mut Driver, scribe: &Scribe) {
    for ToWrite { id, path, change } in driver.take_writes() {
        let (scribe, at) = (scribe.clone(), path.clone());
        let written = tokio::task::spawn_blocking(move || scribe.write(&at, &change)).await;
        let result = written.unwrap_or_else(|error| Err(error.to_string()));
        if result.is_ok() {
            driver.look_again(path);
        }
        driver.handle(Input::Wrote(id, result));
    }
}

/// Looks again at files that were not what was decided on, or were written.
async fn reread(driver: &mut Driver, folder: &mut Option<Folder>) {
    let (known, paths, everything) = (driver.take_known(), driver.take_reread(), driver.take_rescan());
    if known.is_empty() && paths.is_empty() && !everything {
        return;
    }
    let Some(mut it) = folder.take() else { return };
    known.into_iter().for_each(|(page, path)| it.note_known(page, path));
    if paths.is_empty() && !everything {
        *folder = Some(it);
        return;
    }
    let paths = paths.iter().map(|path| path.as_path().to_path_buf()).collect();
    let wall = driver.now().wall;
    let looked = tokio::task::spawn_blocking(move || {
        let round = if everything { it.scan(wall, Quiet::AtOnce) } else { it.look(&paths, wall, Quiet::AtOnce) };
        (it, round)
    });
    match looked.await {
        Ok((it, round)) => {
            *folder = Some(it);
            driver.round(round);
        }
        Err(error) => tracing::error!(%error, "a file that changed could not be read again; the next sync reads it"),
    }
}

/// Brings what is under way to its end, as far as it ends in time; a request that doesn't is in doubt, not lost.
pub async fn wind_up(driver: &mut Driver) {
    driver.stop();
    let deadline = tokio::time::Instant::now() + GRACE;
    loop {
        driver.step();
        let now = driver.now();
        let unsaved = driver.engine().wakeup(now).filter(|at| *at <= now.mono.plus(500));
        if driver.under_way() == 0 && unsaved.is_none() {
            return;
        }
        let until = unsaved.map_or(deadline, |at| tokio::time::Instant::from_std(driver.clock().instant(at)));
        tokio::select! {
            event = driver.next() => driver.take(event),
            () = tokio::time::sleep_until(until.min(deadline)) => {
                if tokio::time::Instant::now() >= deadline {
                    return;
                }
                driver.handle(Input::Tick);
            }
        }
    }
}
