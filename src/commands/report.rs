//! What `sync` and `status` report: the engine's summary with what is spent and who runs.

use crate::cli::Exit;
use crate::config::Config;
use crate::daemon::control::{Reported, SyncOrder};
use crate::daemon::orders::encoded;
use crate::daemon::settings;
use crate::engine::change::{HubHealth, HubState};
use crate::engine::{PageReport, ShutWhy, Summary};
use crate::output::summary::{Budget, DaemonReport, Listing, Report, Run, Strictness, Verdict, Window};
use crate::pace::quota::{NEVER, Quota};
use crate::page::{DocPath, Now, Wall};
use crate::reason::{Code, State};
use crate::state::usage::{HubKey, Ledger, Usage};

/// The report. Where it isn't known whose budget is spent, nothing is.
pub fn of(config: &Config, summary: Summary, hub: Option<HubKey>, daemon: DaemonReport, now: Now) -> Report {
    let limits = settings::limits(config);
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

/// What a daemon answers to a `sync`.
pub fn of_order(config: &Config, summary: Summary, hub: HubKey, now: Now, order: &SyncOrder) -> Reported {
    let daemon = DaemonReport { running: true, pid: Some(std::process::id()), since: None, watching: None };
    let report = of(config, summary, Some(hub), daemon, now);
    let strict = if order.strict { Strictness::Strict } else { Strictness::Lenient };
    Reported {
        exit: exit(report.verdict(Run::Sync, strict)) as u8,
        json: report.json(Run::Sync).as_str().to_owned(),
        text: report.text(Run::Sync, Listing::Wanting).as_str().lines().map(str::to_owned).collect(),
        blocked: to_explain(&report.summary).map(|path| encoded(path.as_path())).collect(),
    }
}

/// Blocked documents that can be shown with a caret. One that can't be read has nothing to be shown, and reading it once more
/// could hang.
pub fn to_explain(summary: &Summary) -> impl Iterator<Item = &DocPath> {
    let is_readable = |page: &&PageReport| page.reason.as_ref().is_some_and(|why| why.code != Code::Unreadable);
    summary.pages.iter().filter(|page| page.state == State::Blocked).filter(is_readable).map(|page| &page.path)
}

/// When what waits will be done, if the last of it can be sent at `sent`; `None` where nothing waits, or nobody knows.
fn done_at(summary: &Summary, hub: &HubHealth, sent: Wall, now: Now) -> Option<Wall> {
    let budget_alone = match hub.state {
        HubState::Ok => true,
        HubState::Paused => {
            hub.why == Some(ShutWhy::TooMany) || (hub.why == Some(ShutWhy::Person) && hub.until.is_some())
        }
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
