//! What `sync` and `status` report: the engine's summary with what is spent and who runs.

use crate::cli::Exit;
use crate::commands::opening;
use crate::config::Config;
use crate::engine::change::{HubHealth, HubState};
use crate::engine::{ShutWhy, Summary};
use crate::output::summary::{Budget, DaemonReport, Report, Verdict, Window};
use crate::pace::quota::{NEVER, Quota};
use crate::page::{Now, Wall};
use crate::state::usage::{HubKey, Ledger, Usage};

/// The report. Where it isn't known whose budget is spent, nothing is.
pub fn of(config: &Config, summary: Summary, hub: Option<HubKey>, daemon: DaemonReport, now: Now) -> Report {
    let limits = opening::limits(config);
    let backlog = &summary.waiting.backlog;
    let none = || (Usage::none(limits), Quota::new(limits).eta(now.wall, backlog));
    let read = hub.map(|hub| Ledger::read(config.ledger_path(), hub, limits, now.wall, backlog));
    let (usage, sent) = read.transpose().map(|read| read.unwrap_or_else(none)).unwrap_or_else(|error| {
        tracing::warn!(%error, "the ledger of requests can't be read");
        none()
    });
    // Another root of this user, or a run before this one, was told to wait; the ledger knows why.
    let told = summary.hub.state == HubState::Ok || summary.hub.why == Some(ShutWhy::TooMany);
    let hub = match &usage.paused {
        Some((until, why)) if told => HubHealth {
            state: HubState::Paused,
            reason: Some(why.clone()),
            until: Some(*until),
            why: Some(ShutWhy::TooMany),
        },
        _ => summary.hub.clone(),
    };
    let paused = usage.paused.as_ref().map(|(until, _)| *until);
    let budget = Budget {
        minute: Window { limit: usage.minute_limit, used: usage.minute_used },
        day: Window { limit: usage.day_limit, used: usage.day_used },
        next_free_at: usage.next_free_at.into_iter().chain(paused).max().map(Wall::to_rfc3339),
        eta: done_at(&summary, &hub, sent, now).map(Wall::to_rfc3339),
    };
    let (url, root) = (config.hub.url.as_str().to_owned(), config.root.to_string_lossy().into_owned());
    Report { url, hub, daemon, root, budget, summary }
}

/// When what waits will be done, if the last of it can be sent at `sent`; `None` where nothing waits, or nobody knows.
fn done_at(summary: &Summary, hub: &HubHealth, sent: Wall, now: Now) -> Option<Wall> {
    let budget_alone = match hub.state {
        HubState::Ok => true,
        HubState::Paused => hub.why == Some(ShutWhy::TooMany),
        HubState::Unreachable | HubState::Unauthorized => false,
    };
    if summary.waiting.backlog.is_empty() || !budget_alone || sent == NEVER {
        return None;
    }
    let until = i64::try_from(summary.waiting.until.since(now.mono)).unwrap_or(0);
    Some(sent.max(now.wall.plus(until)).max(hub.until.unwrap_or(sent)))
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
