//! `hubsync run`: watches and publishes until it is asked to stop.

use std::io;

use tokio::sync::mpsc::channel;

use crate::cli::Exit;
use crate::commands::opening::{self, Opened, RootLock};
use crate::commands::report;
use crate::config::Loaded;
use crate::daemon::control::Control;
use crate::daemon::event_loop::{self, Beside, Guard, Telling, Tree};
use crate::daemon::herald::Herald;
use crate::daemon::orders::Orders;
use crate::daemon::reload::{Reload, Source};
use crate::daemon::settings;
use crate::daemon::signals::Signals;
use crate::engine::change::{HubHealth, HubState, LogEntry, LogEvent};
use crate::engine::settled::{Checkout, RootHealth};
use crate::engine::{Mode, PageReport};
use crate::local::settle;
use crate::output::{Console, Shown};
use crate::reason::State;

/// So many rounds wait for the event loop at the most.
const ROUNDS: usize = 4;
/// So many orders wait for the folder's task at the most.
const COMMANDS: usize = 64;

/// Runs until asked to stop.
///
/// # Errors
/// Where the system gives us no thread or no signals.
pub async fn run(loaded: Loaded, source: Source, console: &Console) -> io::Result<Exit> {
    let signals = Signals::listen()?;
    let Loaded { config, file, .. } = loaded;
    // First, so that no later change of a file goes unnoticed.
    let reload = Reload::of(source, config.clone(), file);
    let opened = match opening::open(&config, console, RootLock::Ours) {
        Ok(opened) => opened,
        Err(why) => return Ok(why.tell(console)),
    };
    keep(reload, opened, signals, &mut Log).await?;
    Ok(Exit::Ok)
}

/// Keeps the folder and the hub in step until asked to stop.
///
/// # Errors
/// Where the system gives us no thread.
pub async fn keep(
    reload: Reload,
    mut opened: Opened,
    mut signals: Signals,
    telling: &mut impl Telling,
) -> io::Result<()> {
    let (config, pause) = (reload.config(), opened.pause);
    let mut herald = Herald::new(config, std::mem::take(&mut opened.told));
    let (mut driver, folder, lock) = opened.drive(config, Mode::Daemon, Vec::new())?;
    let (tell_rounds, rounds) = channel(ROUNDS);
    let (commands, orders) = channel(COMMANDS);
    // The lock makes us the daemon; without a socket nobody can order anything, and all else goes on.
    let control = Control::open(&config.state).unwrap_or_else(|error| {
        tracing::warn!(%error, "there is no socket beside the state, so `sync`, `pause` and `resume` can't reach this daemon");
        Control::none()
    });
    tracing::info!(root = %Shown::path(&config.root), hub = %Shown::new(config.hub.url.as_str()), "hubsync runs");
    tokio::spawn(settle::run(settings::watch(config), folder, tell_rounds, orders));
    let guard = Guard { lock, root: config.root.clone() };
    let beside = Beside { orders: Orders::new(control, pause), reload, report: report::of_order };
    event_loop::run(&mut driver, Tree::new(rounds, commands), guard, &mut signals, beside, telling, &mut herald).await;
    driver.finish();
    Ok(())
}

/// Tells the log.
struct Log;

impl Telling for Log {
    fn ready(&mut self) {
        tracing::info!("the first scan has been planned");
    }

    fn done(&mut self, entry: &LogEntry) {
        let (page_id, path, rule) = (entry.page.as_str(), Shown::new(&entry.path), entry.rule.as_str());
        match &entry.event {
            LogEvent::Published { fields, version, .. } => {
                let fields = fields.join(",");
                tracing::info!(page_id, %path, fields, version, rule, "published");
            }
            LogEvent::Raced { version } => tracing::warn!(
                page_id, %path, version,
                "somebody published between our look and our write; their text is in the hub's history"
            ),
            LogEvent::Adopted => tracing::debug!(page_id, %path, rule, "already the same"),
            LogEvent::Created { version } => tracing::info!(page_id, %path, version, rule, "created"),
            LogEvent::Archived => tracing::info!(page_id, %path, rule, "archived"),
            LogEvent::Written { version } => tracing::info!(page_id, %path, version, rule, "written into its document"),
        }
    }

    fn stands(&mut self, page: &PageReport) {
        let path = page.path.to_text();
        let path = Shown::new(&path);
        let page_id = page.page_id.as_ref().map(|id| id.as_str());
        let Some(reason) = &page.reason else { return };
        let (code, why) = (reason.code.as_str(), Shown::new(&reason.message));
        match page.state {
            State::Blocked | State::Conflict => {
                let (line, column) = (reason.line, reason.column);
                tracing::warn!(page_id, %path, line, column, code, "{}: {why}", if page.state == State::Blocked { "blocked" } else { "conflict" });
            }
            State::Drifted | State::Failed | State::Orphaned => tracing::warn!(page_id, %path, code, "{why}"),
            State::InStep | State::Pending | State::Skipped => {}
        }
    }

    fn hub(&mut self, health: &HubHealth) {
        let why = Shown::new(health.reason.as_deref().unwrap_or_default());
        let until = health.until.map(crate::page::Wall::to_rfc3339);
        match health.state {
            HubState::Ok => tracing::info!("the hub answers"),
            HubState::Paused | HubState::Unreachable => tracing::warn!(until, "nothing is sent for now: {why}"),
            HubState::Unauthorized => tracing::error!("{why}"),
        }
    }

    fn root(&mut self, health: &RootHealth) {
        match health {
            RootHealth::Ok => tracing::info!("the root is back, or may be published from again"),
            RootHealth::Held(checkout) => {
                let reason = checkout.reason();
                let (code, why) = (reason.code.as_str(), Shown::new(&reason.message));
                match checkout {
                    Checkout::Unnamed(_) => tracing::warn!(code, "everything is held: {why}"),
                    Checkout::OffBranch(_) | Checkout::Busy(_) => tracing::info!(code, "everything is held: {why}"),
                }
            }
            RootHealth::Missing(why) => tracing::warn!("the root is missing, everything is held: {}", Shown::new(why)),
            RootHealth::Changed { known, found } => tracing::error!(
                known,
                found,
                "most of the known documents are not in the root, everything is held; if that is right: hubsync sync --confirm-root"
            ),
        }
    }
}
