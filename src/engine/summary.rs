//! How everything stands, in the contract's words: what `status` and `sync` report, and whether there is anything to wait
//! for.

use std::collections::{BTreeMap, BTreeSet};

use crate::pace::quota::Lane;
use crate::page::{DocPath, Mono, Now, PageId, Stamp, Status, Wall};
use crate::reason::{Code, Reason, State};
use crate::reconcile::step::RemoteDraft;

use super::backlog::Waiting;
use super::births::Birthing;
use super::change::HubHealth;
use super::entry::{Entry, Life, Planned, Standing};
use super::gates::{ShutWhy, Waits, WaitsOn};
use super::settled::{Found, RootHealth};
use super::{Engine, ListWanted, Slot};

/// A file that belongs to no page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loose {
    pub title: Option<String>,
    pub reason: Reason,
}

/// How everything stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How the hub stands to us.
    pub hub: HubHealth,
    /// Whether the root is the folder that it was.
    pub root: RootHealth,
    /// How many pages stand how.
    pub counts: Counts,
    /// Every page, and every file that is reported, by path.
    pub pages: Vec<PageReport>,
    /// Requests of this run, by method.
    pub requests: BTreeMap<&'static str, u32>,
    /// What keeps pending pages waiting, where it is one thing for all.
    pub waits: Option<Waits>,
    /// What the pages that wait will cost.
    pub waiting: Waiting,
    /// Why the look that a run begins with was not made, where it was not: what is called in step is so by an older one.
    pub unlooked: Option<Reason>,
}

/// How many pages stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "the contract's states, explained at `State`")]
pub struct Counts {
    pub in_step: usize,
    pub pending: usize,
    pub failed: usize,
    pub blocked: usize,
    pub conflict: usize,
    pub drifted: usize,
    pub orphaned: usize,
    pub skipped: usize,
}

/// One page, or one file without a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageReport {
    /// Its document.
    pub path: DocPath,
    /// Its page; `None` for a file that has none.
    pub page_id: Option<PageId>,
    /// Its title, where it is known.
    pub title: Option<String>,
    /// How it stands.
    pub state: State,
    /// Whether somebody's draft lies on the page.
    pub draft: RemoteDraft,
    /// Why.
    pub reason: Option<Reason>,
    /// The hub's version that this rests on.
    pub remote_version: Option<u64>,
    /// When document and page last said the same.
    pub last_synced_at: Option<Wall>,
    /// Passing faults since.
    pub attempts: u32,
    /// When it is tried again.
    pub next_attempt_at: Option<Wall>,
    /// What would be sent, in a dry run.
    pub planned: Option<Planned>,
    /// Whether the document became a draft while its page is still live: nothing is taken down.
    pub still_live: StillLive,
    /// Version and stamp of the page as last known.
    pub marks: Option<(Option<u64>, Stamp)>,
    /// The row of the decision table that said so.
    pub rule: &'static str,
}

/// Whether a draft's page is still live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StillLive {
    /// It is.
    Yes,
    /// It never was, or the document is published.
    No,
}

/// Whether there is anything left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Something is under way.
    Busy,
    /// Something waits: for a time, for the hub, for the budget.
    Waiting {
        /// Until when; `None`: nobody knows.
        until: Option<Mono>,
        /// What all of it waits for, where it is one thing.
        on: Option<WaitsOn>,
    },
    /// Nothing is left to do.
    Done,
}

impl Engine {
    /// Whether there is anything left to do. For a one-shot run, a page that has failed too often is left.
    pub fn rest(&self, now: Now) -> Rest {
        let writing = !self.writes.is_empty() || !self.id_lines.is_empty();
        let under_way = !self.jobs.is_empty() || !self.stores.is_empty() || writing;
        let busy = under_way || !self.outbox.is_empty();
        if busy || self.slot != Slot::None || self.unsaved.may_hurry(now.mono) {
            return Rest::Busy;
        }
        if self.unsaved.due().is_some() {
            return Rest::Waiting { until: self.wakeup(now), on: Some(WaitsOn::Shut(ShutWhy::StateBroken)) };
        }
        if self.root != RootHealth::Ok {
            return Rest::Done;
        }
        let opening = self.list_wanted == ListWanted::Opening || self.list.is_some();
        let planned = self.due.is_empty() && self.births_due.is_empty();
        if !opening && !planned {
            return Rest::Busy;
        }
        let waiting: Vec<&Entry> = self.entries.values().filter(|entry| still_waits(entry)).collect();
        if waiting.is_empty() && !opening && !self.births.values().any(Birthing::still_waits) {
            return Rest::Done;
        }
        let held = (now.mono.0 < self.setting.hold_ms).then_some(Mono(self.setting.hold_ms));
        let lane = self.wanted_lane();
        let waits = lane.and_then(|lane| self.gates.waits(now.mono, lane));
        let wants = lane.is_some() && waits.is_none() && held.is_none();
        if wants && self.list_retry.is_none() {
            return Rest::Busy;
        }
        let unlisted = self.gates.unlisted_since().filter(|_| self.list_retry.is_some()).map(WaitsOn::Unreachable);
        Rest::Waiting { until: self.wakeup(now), on: waits.map(|waits| waits.on).or(unlisted) }
    }

    /// The pages that came to stand otherwise since this was last asked, and the files without a page that came to need a
    /// person.
    pub fn take_news(&mut self, now: Now) -> Vec<PageReport> {
        let (news, loose) = (std::mem::take(&mut self.news), std::mem::take(&mut self.loose_news));
        let entry = |id: &PageId| self.entries.get(id).map(|entry| self.report(now, id, entry));
        let birth = |path: &DocPath| self.births.get(path).map(|birthing| birth_report(path, birthing));
        let file = |path: &DocPath| self.loose.get(path).map(|loose| loose_report(path, loose)).or_else(|| birth(path));
        news.iter().filter_map(entry).chain(loose.iter().filter_map(file)).collect()
    }

    /// How the hub stands to us.
    pub fn hub_health(&self, now: Now) -> HubHealth {
        self.gates.health(now)
    }

    /// How the hub itself stands, whatever a person said.
    pub fn health_of_hub(&self, now: Now) -> HubHealth {
        self.gates.health_of_hub(now)
    }

    /// Whether the root is the folder that it was.
    pub fn root_health(&self) -> &RootHealth {
        &self.root
    }

    /// Whether the first round has been planned.
    pub fn is_planned(&self) -> bool {
        self.planned_once && self.due.is_empty() && self.births_due.is_empty()
    }

    /// Nothing more is sent: what was kept back for a look that did not come is decided on what is known.
    pub fn conclude(&mut self, now: Now) {
        if self.list_wanted == ListWanted::Opening || self.list.is_some() {
            self.unlooked = self.gates.waits(now.mono, Lane::Edit).map(|waits| waits.reason);
        }
        self.list_wanted = ListWanted::No;
        while self.may_plan() && !(self.due.is_empty() && self.births_due.is_empty()) {
            self.plan_due(now);
        }
    }

    /// Whether a document is among those that this run is about.
    pub(super) fn in_scope(&self, path: &DocPath) -> bool {
        path.is_within(&self.setting.scope)
    }

    /// How everything stands.
    pub fn summary(&self, now: Now) -> Summary {
        let waits = self.wanted_lane().and_then(|lane| self.gates.waits(now.mono, lane));
        let reported = self.entries.iter().filter(|(_, entry)| !entry.is_archived_for_good());
        let mut pages: Vec<PageReport> = reported.map(|(id, e)| self.report(now, id, e)).collect();
        pages.extend(self.loose.iter().map(|(path, loose)| loose_report(path, loose)));
        let births = self.births.iter().filter(|(_, birthing)| birthing.is_shown());
        pages.extend(births.map(|(path, birthing)| self.report_birth(now, path, birthing)));
        pages.retain(|page| self.in_scope(&page.path));
        pages.sort_by(|a, b| a.path.cmp(&b.path));
        let mut counts = Counts::default();
        for page in &pages {
            *counts.of(page.state) += 1;
        }
        Summary {
            hub: self.gates.health(now),
            root: self.root.clone(),
            counts,
            pages,
            requests: self.requests.clone(),
            waits,
            waiting: self.waiting(),
            unlooked: self.unlooked.clone(),
        }
    }

    fn report(&self, now: Now, id: &PageId, entry: &Entry) -> PageReport {
        let mut standing = entry.standing.clone();
        if entry.found.is_none() || self.root != RootHealth::Ok {
            standing = self.unread(entry);
        } else if matches!(standing.state, State::Pending | State::Failed) && standing.reason.is_none() {
            // Both lanes wait for the same but for the part of the day that is kept for edits.
            let waits = self.gates.waits(now.mono, entry.lane);
            standing.reason = waits.map(|waits| waits.reason);
        } else if standing.state == State::Pending && matches!(entry.life, Life::Wants(_) | Life::Waiting(_)) {
            // Whatever it waits for beside that, a person's pause is what they should read of.
            let waits = self.gates.waits(now.mono, entry.lane);
            let paused = waits.filter(|waits| waits.on == WaitsOn::Shut(ShutWhy::Person));
            standing.reason = paused.map(|waits| waits.reason).or(standing.reason);
        }
        if standing.reason.as_ref().is_some_and(|reason| reason.code == Code::RenderingChanged) {
            // How many there are was known only when all were decided.
            standing.reason = self.rewrite_held(id).or(standing.reason);
        }
        let trouble = entry.record.trouble.as_ref();
        let base = entry.record.base.as_ref();
        let live = entry.record.seen.as_ref().is_some_and(|seen| seen.version.is_some());
        let draft = matches!(&entry.found, Some(Found::Document(document)) if document.status == Status::Draft);
        let was_ours = base.is_some_and(|base| base.live.is_some());
        PageReport {
            path: entry.path.clone(),
            page_id: Some(id.clone()),
            title: entry.title(),
            state: standing.state,
            draft: standing.draft,
            reason: standing.reason,
            remote_version: standing.remote_version,
            last_synced_at: base.map(|base| base.at),
            attempts: trouble.map_or(0, |trouble| trouble.attempts),
            next_attempt_at: trouble.map(|trouble| trouble.next),
            planned: entry.planned.clone(),
            still_live: if draft && live && was_ours { StillLive::Yes } else { StillLive::No },
            marks: entry.marks(),
            rule: standing.rule,
        }
    }

    /// How a document without a page is reported, with what keeps it waiting.
    fn report_birth(&self, now: Now, path: &DocPath, birthing: &Birthing) -> PageReport {
        let mut report = birth_report(path, birthing);
        let waits = matches!(report.state, State::Pending | State::Failed);
        if waits && self.root != RootHealth::Ok {
            report.reason = self.root_reason();
        } else if waits {
            let gate = self.gates.waits(now.mono, birthing.lane);
            let person = gate.as_ref().is_some_and(|waits| waits.on == WaitsOn::Shut(ShutWhy::Person));
            if report.reason.is_none() || person {
                report.reason = gate.map(|waits| waits.reason).or(report.reason);
            }
        }
        report
    }

    /// How a page is reported whose file was not read, or whose root is in question.
    fn unread(&self, entry: &Entry) -> Standing {
        let reason = self.root_reason();
        if let (RootHealth::Held(_), Some(reason)) = (&self.root, &reason) {
            return Standing { state: reason.code.held_state(), ..Standing::pending("", Some(reason.clone())) };
        }
        match (&entry.record.base, &reason) {
            (_, Some(_)) | (None, _) => Standing::pending("", reason),
            (Some(base), None) => Standing::in_step("", RemoteDraft::None, base.version),
        }
    }
}

impl Engine {
    /// Why everything is held for the root's sake.
    fn root_reason(&self) -> Option<Reason> {
        match &self.root {
            RootHealth::Missing(why) => Some(Reason::new(Code::RootMissing, why.clone())),
            RootHealth::Changed { known, found } => {
                let message = format!(
                    "only {found} of {known} known documents are in this folder; if that is right: hubsync sync --confirm-root"
                );
                Some(Reason::new(Code::AnotherRoot, message))
            }
            RootHealth::Held(checkout) => Some(checkout.reason()),
            RootHealth::Ok => None,
        }
    }
}

impl Summary {
    /// Only these documents and what lies below these folders; none named: all.
    #[must_use]
    pub fn within(mut self, scope: &[DocPath]) -> Self {
        if !scope.is_empty() {
            self.pages.retain(|page| page.path.is_within(scope));
            self.counts = Counts::default();
            self.pages.iter().for_each(|page| *self.counts.of(page.state) += 1);
        }
        self
    }
}

impl Summary {
    /// Only these pages.
    #[must_use]
    pub fn of_pages(mut self, pages: &BTreeSet<PageId>) -> Self {
        self.pages.retain(|page| page.page_id.as_ref().is_some_and(|id| pages.contains(id)));
        self.counts = Counts::default();
        self.pages.iter().for_each(|page| *self.counts.of(page.state) += 1);
        self
    }
}

impl Counts {
    fn of(&mut self, state: State) -> &mut usize {
        match state {
            State::InStep => &mut self.in_step,
            State::Pending => &mut self.pending,
            State::Failed => &mut self.failed,
            State::Blocked => &mut self.blocked,
            State::Conflict => &mut self.conflict,
            State::Drifted => &mut self.drifted,
            State::Orphaned => &mut self.orphaned,
            State::Skipped => &mut self.skipped,
        }
    }
}

/// Whether a one-shot run has something to wait for with this page.
pub(super) fn still_waits(entry: &Entry) -> bool {
    match entry.life {
        Life::Wants(_) | Life::Waiting(_) => entry.standing.state == State::Pending,
        Life::Due | Life::InFlight => true,
        Life::Idle => false,
    }
}

fn birth_report(path: &DocPath, birthing: &Birthing) -> PageReport {
    let trouble = birthing.birth.trouble.as_ref();
    let Standing { state, reason, rule, .. } = birthing.standing.clone();
    PageReport {
        path: path.clone(),
        page_id: None,
        title: birthing.title(),
        state,
        draft: RemoteDraft::None,
        reason,
        remote_version: None,
        last_synced_at: None,
        attempts: trouble.map_or(0, |trouble| trouble.attempts),
        next_attempt_at: trouble.map(|trouble| trouble.next),
        planned: birthing.planned.clone(),
        marks: None,
        still_live: StillLive::No,
        rule,
    }
}

fn loose_report(path: &DocPath, loose: &Loose) -> PageReport {
    PageReport {
        path: path.clone(),
        page_id: None,
        title: loose.title.clone(),
        state: loose.reason.code.held_state(),
        draft: RemoteDraft::None,
        reason: Some(loose.reason.clone()),
        remote_version: None,
        last_synced_at: None,
        attempts: 0,
        next_attempt_at: None,
        planned: None,
        still_live: StillLive::No,
        marks: None,
        rule: "",
    }
}
