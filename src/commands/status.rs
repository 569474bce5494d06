//! `hubsync status`: how everything stands. Reads the state and the folder, sends and writes nothing, with and without a
//! daemon: it asks the same engine what a run would do now.

use std::io;

use crate::cli::{self, Exit};
use crate::commands::offline::{self, Offline};
use crate::commands::report;
use crate::config::Config;
use crate::daemon::logging::Loudness;
use crate::engine::ShutWhy;
use crate::engine::change::{HubHealth, HubState};
use crate::local::patterns::COPIES;
use crate::local::scan::IGNORE_FILE;
use crate::output::summary::{DaemonReport, Listing, Run, Strictness};
use crate::output::{Console, Lines, Shown};
use crate::page::Wall;
use crate::state::disk;
use crate::state::store::Daemon;

/// Reports.
///
/// # Errors
/// Where stdout can't be written to.
pub fn run(args: &cli::Status, config: &Config, loudness: Loudness, console: &Console) -> io::Result<Exit> {
    let refuse = |why: &str| {
        console.error(Shown::new(why));
        Ok(Exit::Usage)
    };
    let Offline { engine, now, hub, daemon, budget_of, remarks } = match offline::look(config) {
        Ok(found) => found,
        Err(why) => return refuse(&why),
    };
    for remark in &remarks {
        console.warning(Shown::new(remark));
    }
    let hub = standing(hub, now.wall);
    let mut summary = engine.summary(now);
    if summary.hub.why != Some(ShutWhy::Person) {
        summary.hub = hub;
    }
    if summary.hub.state == HubState::Ok {
        summary.hub.reason = daemon.as_ref().and_then(|daemon| daemon.note.clone());
    }
    if let Err(error) = disk::writable(&config.state).and_then(|()| disk::writable(config.ledger_path())) {
        // Whoever can't write can't tell us so.
        let reason = Some(error.to_string());
        summary.hub = HubHealth { state: HubState::Paused, reason, until: None, why: Some(ShutWhy::StateBroken) };
    }
    let report = report::of(config, summary, budget_of, self::daemon(daemon.as_ref()), now);
    let strict = if args.strict { Strictness::Strict } else { Strictness::Lenient };
    let listing = if args.all { Listing::All } else { Listing::Wanting };
    let mut lines = if args.json { report.json(Run::None) } else { report.text(Run::None, listing) };
    if loudness.verbose > 0 && !args.json {
        write_ignored(&mut lines, config);
    }
    let _ = console.result(&lines)?;
    Ok(report::exit(report.verdict(Run::None, strict)))
}

/// Which files are no documents, whatever is in them.
fn write_ignored(out: &mut Lines, config: &Config) {
    out.line(format_args!("ignored: hidden files and folders, what .gitignore and {IGNORE_FILE} name, and"));
    for glob in &config.exclude {
        out.line(format_args!("  {}  (exclude)", Shown::new(glob)));
    }
    for copy in COPIES {
        out.line(format_args!("  {}  ({})", copy.glob, copy.made_by));
    }
}

/// The daemon, if one holds the state.
fn daemon(daemon: Option<&Daemon>) -> DaemonReport {
    match daemon {
        Some(daemon) => {
            let since = Some(daemon.since.to_rfc3339());
            DaemonReport { running: daemon.planned, pid: Some(daemon.pid), since, watching: daemon.watching.clone() }
        }
        None => DaemonReport::default(),
    }
}

/// How the hub stood last; what was to end by now has ended.
fn standing(hub: HubHealth, now: Wall) -> HubHealth {
    if hub.until.is_some_and(|until| until <= now) { HubHealth::default() } else { hub }
}
