//! What `sync` and `status` report: the engine's summary with what is spent and who runs.

use crate::cli::Exit;
use crate::commands::opening;
use crate::config::Config;
use crate::engine::change::{HubHealth, HubState};
use crate::engine::{ShutWhy, Summary};
use crate::output::summary::{Budget, DaemonReport, Report, Verdict, Window};
use crate::page::Wall;
use crate::state::usage::{HubKey, Ledger};

/// The report. Where it isn't known whose budget is spent, nothing is.
pub fn of(config: &Config, summary: Summary, hub: Option<HubKey>, daemon: DaemonReport, now: Wall) -> Report {
    let (budget, paused) = budget(config, hub, &summary, now);
    // Another root of this user, or a run before this one, was told to wait.
    let hub = match paused {
        Some((until, why)) if summary.hub.state == HubState::Ok => {
            HubHealth { state: HubState::Paused, reason: Some(why), until: Some(until), why: Some(ShutWhy::TooMany) }
        }
        _ => summary.hub.clone(),
    };
    Report {
        url: config.hub.url.as_str().to_owned(),
        hub,
        daemon,
        root: config.root.to_string_lossy().into_owned(),
        budget,
        summary,
    }
}

/// What is spent; and until when the ledger says that nothing is sent, and why.
fn budget(config: &Config, hub: Option<HubKey>, summary: &Summary, now: Wall) -> (Budget, Option<(Wall, String)>) {
    let limits = opening::limits(config);
    let empty = Budget {
        minute: Window { limit: limits.per_minute, used: 0 },
        day: Window { limit: limits.per_day, used: 0 },
        ..Budget::default()
    };
    let Some(hub) = hub else { return (empty, None) };
    let backlog = u32::try_from(summary.counts.pending + summary.counts.failed).unwrap_or(u32::MAX);
    match Ledger::read(config.ledger_path(), hub, limits, now, backlog) {
        Ok((usage, eta)) => {
            let paused = usage.paused.as_ref().map(|(until, _)| *until);
            let budget = Budget {
                minute: Window { limit: usage.minute_limit, used: usage.minute_used },
                day: Window { limit: usage.day_limit, used: usage.day_used },
                next_free_at: usage.next_free_at.into_iter().chain(paused).max().map(Wall::to_rfc3339),
                eta: eta.map(Wall::to_rfc3339),
            };
            (budget, usage.paused)
        }
        Err(error) => {
            tracing::warn!(%error, "the ledger of requests can't be read");
            (empty, None)
        }
    }
}

/// The exit code of a verdict.
pub fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::InStep => Exit::Ok,
        Verdict::Person => Exit::Person,
        Verdict::Unusable => Exit::Usage,
        Verdict::Later => Exit::Later,
    }
}
