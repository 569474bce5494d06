//! How everything stands, as JSON (contract.md, `status --json` and `sync --json`) and as lines for people, with the exit
//! code that follows. `status` and `sync` fill in a [`Report`]; nothing here asks anybody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::engine::change::{HubHealth, HubState};
use crate::engine::settled::{Checkout, RootHealth};
use crate::engine::{Action, Counts, MOSTLY_ABSENT, PageReport, ShutWhy, StillLive, Summary};
use crate::output::{Lines, Shown};
use crate::page::Wall;
use crate::reason::{Code, Reason, State};
use crate::reconcile::step::RemoteDraft;

/// All that `status` and `sync` report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The hub's address.
    pub url: String,
    /// How the hub stands.
    pub hub: HubHealth,
    /// The daemon, if one runs.
    pub daemon: DaemonReport,
    /// The root's path.
    pub root: String,
    /// What is spent.
    pub budget: Budget,
    /// How the pages stand.
    pub summary: Summary,
}

/// The daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DaemonReport {
    /// Whether it holds the state and has planned its first scan.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// When it started.
    pub since: Option<String>,
    /// Why it may see changes of the root late, in words. Reported with the root.
    #[serde(skip)]
    pub watching: Option<String>,
}

/// What is spent of the budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// In any 60 s.
    pub minute: Window,
    /// In any 24 h.
    pub day: Window,
    /// When the next request may go, where none may now.
    pub next_free_at: Option<String>,
    /// When what is pending will be done.
    pub eta: Option<String>,
}

/// One window of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// What it allows.
    pub limit: u32,
    /// What is spent.
    pub used: u32,
}

/// Whether every page is listed, or only those that want a person or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Every page.
    All,
    /// What needs a person, and what is pending.
    Wanting,
}

/// Whether a drift is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// A drift warns.
    Lenient,
    /// `--strict`: a drift is for a person.
    Strict,
}

/// How a run ends (contract.md, Exit codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 0.
    InStep,
    /// 1.
    Person,
    /// 2.
    Unusable,
    /// 75.
    Later,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u8,
    hub: HubJson<'a>,
    daemon: &'a DaemonReport,
    root: RootJson<'a>,
    budget: &'a Budget,
    counts: Counts,
    pages: Vec<PageJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<&'a BTreeMap<&'static str, u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Vec<PlanJson<'a>>>,
}

#[derive(Serialize)]
struct HubJson<'a> {
    url: &'a str,
    state: HubState,
    reason: Option<&'a str>,
    until: Option<String>,
}

#[derive(Serialize)]
struct RootJson<'a> {
    path: &'a str,
    state: &'static str,
    reason: Option<String>,
}

#[derive(Serialize)]
struct PageJson<'a> {
    path: String,
    page_id: Option<&'a str>,
    title: Option<&'a str>,
    url: Option<&'a str>,
    state: State,
    remote_draft: bool,
    reason: Option<&'a Reason>,
    remote_version: Option<u64>,
    last_synced_at: Option<String>,
    attempts: u32,
    next_attempt_at: Option<String>,
}

#[derive(Serialize)]
struct PlanJson<'a> {
    path: String,
    page_id: Option<&'a str>,
    action: &'static str,
    fields: &'a [&'static str],
    replaces_title: Option<&'a str>,
}

/// What `sync --json` has beside `status --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Nothing: it is `status`.
    None,
    /// The requests of the run.
    Sync,
    /// The requests of the run, and what would be sent.
    DryRun,
}

impl Report {
    /// The contract's JSON.
    pub fn json(&self, run: Run) -> Lines {
        let (root_state, root_reason) = self.root_state();
        let json = Json {
            schema: 1,
            hub: HubJson {
                url: &self.url,
                state: self.hub.state,
                reason: self.hub.reason.as_deref(),
                until: self.hub.until.map(Wall::to_rfc3339),
            },
            daemon: &self.daemon,
            root: RootJson { path: &self.root, state: root_state, reason: root_reason },
            budget: &self.budget,
            counts: self.summary.counts,
            pages: self.summary.pages.iter().map(page_json).collect(),
            requests: (run != Run::None).then_some(&self.summary.requests),
            plan: (run == Run::DryRun).then(|| self.plan()),
        };
        let mut lines = Lines::new();
        lines.json(&json);
        lines
    }

    fn plan(&self) -> Vec<PlanJson<'_>> {
        let pages = self.summary.pages.iter();
        pages
            .filter_map(|page| {
                let planned = page.planned.as_ref()?;
                Some(PlanJson {
                    path: page.path.to_text(),
                    page_id: page.page_id.as_ref().map(|id| id.as_str()),
                    action: match planned.action {
                        Action::Patch => "patch",
                        Action::Create => "create",
                        Action::Archive => "archive",
                        Action::Write => "write",
                    },
                    fields: &planned.fields,
                    replaces_title: planned.replaces_title.as_deref(),
                })
            })
            .collect()
    }

    fn root_state(&self) -> (&'static str, Option<String>) {
        match &self.summary.root {
            RootHealth::Ok => ("ok", self.daemon.watching.clone()),
            // The root itself is well.
            RootHealth::Held(checkout) => ("ok", Some(checkout.reason().message)),
            RootHealth::Missing(why) => ("missing", Some(why.clone())),
            RootHealth::Changed { known, found } => (
                "changed",
                Some(format!(
                    "only {found} of {known} known documents are in it; if that is right: hubsync sync --confirm-root"
                )),
            ),
        }
    }

    /// How the run ends. A person beats later, and what can't be used beats both.
    pub fn verdict(&self, run: Run, strict: Strictness) -> Verdict {
        let counts = &self.summary.counts;
        let shut = self.hub.why;
        let unusable = [ShutWhy::Unauthorized, ShutWhy::Forbidden, ShutWhy::MostlyAbsent, ShutWhy::NotTheHub];
        let refused = shut.is_some_and(|why| unusable.contains(&why)) || self.mostly_absent();
        if refused || self.hub.state == HubState::Unauthorized || matches!(self.summary.root, RootHealth::Missing(_)) {
            return Verdict::Unusable;
        }
        let person = counts.blocked + counts.conflict > 0
            || matches!(self.summary.root, RootHealth::Changed { .. } | RootHealth::Held(Checkout::Unnamed(_)))
            || shut == Some(ShutWhy::Redirected)
            || self.summary.pages.iter().any(is_guarded)
            || (strict == Strictness::Strict && counts.drifted > 0)
            || (run == Run::DryRun && !self.plan().is_empty());
        if person {
            return Verdict::Person;
        }
        let busy = matches!(self.summary.root, RootHealth::Held(Checkout::Busy(_)));
        let unlooked = self.summary.unlooked.is_some();
        let later = counts.pending + counts.failed > 0 || self.hub.state != HubState::Ok || busy || unlooked;
        if later { Verdict::Later } else { Verdict::InStep }
    }

    /// Whether most pages are not found: the key or the address is that of another workspace (contract.md, exit code 2).
    fn mostly_absent(&self) -> bool {
        let pages = self.summary.pages.iter().filter(|page| page.page_id.is_some());
        let absent = |page: &&PageReport| page.reason.as_ref().is_some_and(|reason| reason.code == Code::PageNotFound);
        let (all, absent) = (pages.clone().count(), pages.filter(absent).count());
        absent >= MOSTLY_ABSENT && absent * 2 > all
    }

    /// Lines for people: the hub and the root where something is wrong with them, pages that want something, counts.
    pub fn text(&self, run: Run, listing: Listing) -> Lines {
        let mut out = Lines::new();
        self.write_hub(&mut out);
        if run == Run::DryRun {
            self.write_plan(&mut out);
        }
        for page in &self.summary.pages {
            let wanting = !matches!(page.state, State::InStep | State::Skipped) || page.still_live == StillLive::Yes;
            let planned = run == Run::DryRun && page.planned.is_some();
            if (listing == Listing::All || wanting) && !planned {
                write_page(&mut out, page);
            }
        }
        self.write_counts(&mut out);
        self.write_budget(&mut out, run);
        out
    }

    fn write_hub(&self, out: &mut Lines) {
        if self.hub.state != HubState::Ok {
            let until = self.hub.until.map(|at| format!(" until {}", at.to_rfc3339())).unwrap_or_default();
            let why = self.hub.reason.as_deref().unwrap_or("no reason given");
            let word = match self.hub.state {
                HubState::Ok => "ok",
                HubState::Paused => "paused",
                HubState::Unreachable => "unreachable",
                HubState::Unauthorized => "unauthorized",
            };
            out.line(format_args!("hub {word}{until}: {}", Shown::new(why)));
        } else if let Some(note) = &self.hub.reason {
            out.line(format_args!("note: {}", Shown::new(note)));
        } else if let Some(why) = &self.summary.unlooked {
            out.line(format_args!("the hub was not looked at: {}", Shown::new(&why.message)));
        }
        match (&self.summary.root, self.root_state()) {
            (RootHealth::Held(_), (_, Some(why))) => {
                out.line(format_args!("held: {}: {}", Shown::new(&self.root), Shown::new(&why)));
            }
            (_, (state, Some(why))) => {
                out.line(format_args!("root {state}: {}: {}", Shown::new(&self.root), Shown::new(&why)));
            }
            (_, (_, None)) => {}
        }
    }

    fn write_plan(&self, out: &mut Lines) {
        for planned in self.plan() {
            let replaces = match planned.replaces_title {
                Some(title) => format!("  (now \"{}\")", Shown::new(title)),
                None => String::new(),
            };
            let (path, fields) = (Shown::new(&planned.path), planned.fields.join(", "));
            match planned.action {
                "archive" => out.line(format_args!("would archive  the page of {path}{replaces}")),
                "create" => out.line(format_args!("would create   {path}: {fields}")),
                "write" => out.line(format_args!("would write    {path}: the hub's text{replaces}")),
                _ => out.line(format_args!("would publish  {path}: {fields}{replaces}")),
            }
        }
    }

    fn write_counts(&self, out: &mut Lines) {
        out.line(in_words(&self.summary.counts));
    }

    fn write_budget(&self, out: &mut Lines, run: Run) {
        if run != Run::None {
            let requests: Vec<String> =
                self.summary.requests.iter().map(|(method, n)| format!("{n} {method}")).collect();
            let words = if requests.is_empty() { "none".to_owned() } else { requests.join(", ") };
            out.line(format_args!("requests: {words}"));
        } else {
            let Budget { minute, day, .. } = &self.budget;
            out.line(format_args!(
                "requests: {} of {} this minute, {} of {} today",
                minute.used, minute.limit, day.used, day.limit
            ));
        }
        if let Some(at) = &self.budget.next_free_at {
            out.line(format_args!("the next request may go at {at}"));
        }
        if let Some(at) = &self.budget.eta {
            out.line(format_args!("what is pending will be done by {at}"));
        }
    }
}

/// A state, for people.
pub fn word(state: State) -> &'static str {
    match state {
        State::InStep => "in step",
        State::Pending => "pending",
        State::Failed => "failed",
        State::Blocked => "blocked",
        State::Conflict => "conflict",
        State::Drifted => "drifted",
        State::Orphaned => "orphaned",
        State::Skipped => "skipped",
    }
}

/// Whether a guard keeps a page until a person has said so.
fn is_guarded(page: &PageReport) -> bool {
    page.reason.as_ref().is_some_and(|reason| matches!(reason.code, Code::ArchiveLimit | Code::RenderingChanged))
}

/// How many pages stand how, for people.
pub fn in_words(c: &Counts) -> String {
    let all = [
        (c.in_step, "in step"),
        (c.pending, "pending"),
        (c.failed, "failed"),
        (c.blocked, "blocked"),
        (c.conflict, "in conflict"),
        (c.drifted, "drifted"),
        (c.orphaned, "orphaned"),
        (c.skipped, "skipped"),
    ];
    let some: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if some.is_empty() { "no documents".to_owned() } else { some.join(", ") }
}

fn page_json(page: &PageReport) -> PageJson<'_> {
    PageJson {
        path: page.path.to_text(),
        page_id: page.page_id.as_ref().map(|id| id.as_str()),
        title: page.title.as_deref(),
        url: None,
        state: page.state,
        remote_draft: page.draft == RemoteDraft::There,
        reason: page.reason.as_ref(),
        remote_version: page.remote_version,
        last_synced_at: page.last_synced_at.map(Wall::to_rfc3339),
        attempts: page.attempts,
        next_attempt_at: page.next_attempt_at.map(Wall::to_rfc3339),
    }
}

/// One page as a person reads it: `path:line:column: state: why [code]`.
fn write_page(out: &mut Lines, page: &PageReport) {
    let state = word(page.state);
    let path = page.path.to_text();
    let mut place = Shown::new(&path).to_string();
    if let Some(Reason { line: Some(line), column, .. }) = &page.reason {
        let _ = write!(place, ":{line}");
        if let Some(column) = column {
            let _ = write!(place, ":{column}");
        }
    }
    let why = match &page.reason {
        Some(reason) => format!(": {} [{}]", Shown::new(&reason.message), reason.code.as_str()),
        None => String::new(),
    };
    let next = match page.next_attempt_at {
        Some(at) if matches!(page.state, State::Pending | State::Failed) => {
            format!("; attempt {} at {}", page.attempts + 1, at.to_rfc3339())
        }
        _ => String::new(),
    };
    out.line(format_args!("{place}: {state}{why}{next}"));
    if page.still_live == StillLive::Yes {
        out.line(format_args!("{place}: the document is a draft, its page stays live; edits go to the page's draft"));
    }
    if page.draft == RemoteDraft::There && page.state == State::InStep {
        out.line(format_args!("{place}: somebody's unpublished draft lies on the page"));
    }
}
