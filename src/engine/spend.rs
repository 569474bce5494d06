//! What a slot of the budget is asked for, and what it is spent on once it is granted: edits before bulk, oldest first, one
//! request in flight a page, one list and one run of names at a time.

use crate::pace::breaker::{Event, ProbeEnd};
use crate::pace::quota::{Lane, NotUntil};
use crate::page::{DocPath, DraftSeen, Mono, Now, Page, PageId, Print, Side};
use crate::reconcile::acknowledged;
use crate::reconcile::page_record::{Intent, IntentKind, Trouble};
use crate::reconcile::step::{Decision, Look, Step, Write};

use crate::simulation::{Planted, planted};

use super::change::Backup;
use super::entry::{Entry, Life, Want};
use super::gates::{Gate, ShutWhy};
use super::listing::{NamesRun, PageList};
use super::request::{PatchRequest, Request};
use super::settled::{Found, RootHealth};
use super::{Effect, Engine, Id, ListWanted, Mode};

/// How long to leave a state alone that could not be written, in milliseconds.
const STATE_BROKEN_MS: u64 = 5_000;

/// A slot that waited so long for its store is given back, in milliseconds: should we end right after sending, the next
/// process takes its request for answered half a minute after the slot was taken.
const STORE_MS: u64 = 10_000;

/// The slot that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    None,
    Asked { id: Id, lane: Lane, errand: Errand },
}

/// Whether a request is the breaker's probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Ordinary,
    Probe,
}

/// A slot that is being spent.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub what: What,
    pub errand: Errand,
    pub request: Request,
    /// The store that must succeed before the request is sent.
    pub store: Option<Id>,
    /// When its slot was spent: nothing it shows is older than this.
    pub begun: Mono,
    /// Whether our clock tells how long ago that is.
    pub age: Age,
}

/// Whether the age of a slot is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// By the monotonic clock.
    Known,
    /// The machine has slept since, and that clock with it.
    Slept,
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Get(PageId),
    Write(PageId),
    Create(DocPath),
    /// A look at a page that may be the one that was made for a document.
    Candidate(DocPath, PageId),
    /// The list of what was made.
    Made,
    List,
    Names,
}

/// What the next slot would be spent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Names,
    List,
    Get(PageId),
    Write(PageId),
    /// The POST of a document without a page, or a look at what may be its page.
    Birth(DocPath),
    Made,
}

impl Engine {
    /// Asks for a slot if there is something to spend it on and nothing keeps it back.
    pub(super) fn ask_for_slot(&mut self, now: Now) {
        let held = now.mono.0 < self.setting.hold_ms
            || self.root != RootHealth::Ok
            || self.setting.mode == Mode::Offline
            || self.unsaved.is_stuck();
        if held || self.slot != Slot::None || self.jobs.len() >= self.policy.concurrency {
            return;
        }
        let Some(lane) = self.wanted_lane() else { return };
        let errand = match self.gates.ask(now.mono, lane) {
            Gate::Open => Errand::Ordinary,
            Gate::Probe => Errand::Probe,
            Gate::Closed(_) => return,
        };
        let id = self.fresh_id();
        self.slot = Slot::Asked { id, lane, errand };
        self.outbox.push_back(Effect::Reserve(id, lane));
    }

    /// For whom a slot would be asked now.
    pub(super) fn wanted_lane(&self) -> Option<Lane> {
        self.next(Errand::Ordinary).map(|(lane, _)| lane)
    }

    /// What is first in line.
    fn next(&self, errand: Errand) -> Option<(Lane, Next)> {
        let running = |what: &What| self.jobs.values().any(|job| job.what == *what);
        let (listing, naming) = (running(&What::List), running(&What::Names));
        if !listing && self.list_retry.is_none() && self.is_list_first() {
            return Some((Lane::Edit, Next::List));
        }
        if self.list_wanted == ListWanted::Opening {
            return None;
        }
        if !naming && self.list_retry.is_none() && (self.names_run.is_some() || !self.names_wanted.is_empty()) {
            let pages = self.entries.values().map(|entry| (entry.life, entry.lane));
            let mut all = pages.chain(self.births.values().map(|birthing| (birthing.life, birthing.lane)));
            let edit = all.any(|wants| wants == (Life::Wants(Want::Names), Lane::Edit));
            return Some((if edit { Lane::Edit } else { Lane::Bulk }, Next::Names));
        }
        let fresh = self.entries.values().filter(|entry| entry.life == Life::Wants(Want::Fresh)).count();
        let list_helps = fresh > 1 || listing;
        let births_first = self.births_under_way() && !self.gates.keeps_bulk_back();
        let wanting = self.entries.iter().filter_map(|(id, entry)| match entry.life {
            Life::Wants(Want::Names) | Life::Idle | Life::Due | Life::InFlight | Life::Waiting(_) => None,
            Life::Wants(_) if births_first && may_follow(entry) => None,
            Life::Wants(Want::Fresh) if list_helps && (listing || self.list_retry.is_some()) => None,
            Life::Wants(want) => {
                let failed = failures(errand, entry.record.trouble.as_ref());
                Some(((entry.lane, failed, entry.order, id), want))
            }
        });
        let first = wanting.min_by(|a, b| a.0.cmp(&b.0));
        let birth = self.next_birth(errand, running(&What::Made));
        if let Some(((lane, failed, order), birth)) = birth
            && first.as_ref().is_none_or(|((l, f, o, _), _)| (lane, failed, order) < (*l, *f, *o))
        {
            return Some((lane, birth));
        }
        let drift = !listing && self.list_retry.is_none() && self.list_wanted == ListWanted::Drift;
        match first {
            Some(((lane, ..), Want::Fresh)) if list_helps => Some((lane, Next::List)),
            Some(((lane, _, _, id), Want::Write)) if errand == Errand::Ordinary => {
                Some((lane, Next::Write(id.clone())))
            }
            Some(((lane, _, _, id), _)) => Some((lane, Next::Get(id.clone()))),
            None if drift => Some((Lane::Bulk, Next::List)),
            None => None,
        }
    }

    /// Whether pages are being made: each may give one more document that points to it another text.
    fn births_under_way(&self) -> bool {
        self.births.values().any(|birthing| matches!(birthing.life, Life::Wants(_) | Life::Due | Life::InFlight))
    }

    /// Whether a list goes before all else: a run or an order begins with it, or it is being read.
    fn is_list_first(&self) -> bool {
        self.list.is_some() || matches!(self.list_wanted, ListWanted::Opening | ListWanted::Ordered)
    }

    /// The slot was granted, or refused until some time.
    pub(super) fn reserved(&mut self, now: Now, id: Id, answer: Result<(), NotUntil>) {
        let Slot::Asked { id: asked, lane, errand } = self.slot else { return };
        if asked != id {
            return;
        }
        self.slot = Slot::None;
        match answer {
            Ok(()) if self.is_stopped(now) => {
                self.probe_unused(now, errand);
                self.outbox.push_back(Effect::Return(id));
            }
            Ok(()) => self.spend(now, id, errand),
            Err(refused) => {
                self.gates.no_slot(now, lane, refused);
                self.probe_unused(now, errand);
            }
        }
    }

    /// Whether nothing may leave by now, although a slot was granted or an intent stored: meanwhile the hub has told us to
    /// stop, or the root is in question.
    pub(super) fn is_stopped(&self, now: Now) -> bool {
        self.gates.is_shut(now.mono) || self.root != RootHealth::Ok
    }

    /// No slot can be taken, because none can be written down. Asked again later: that costs no request.
    pub(super) fn no_ledger(&mut self, now: Now, id: Id, why: &str) {
        let Slot::Asked { id: asked, errand, .. } = self.slot else { return };
        if asked != id {
            return;
        }
        self.slot = Slot::None;
        let reason = format!("the ledger of requests can't be written, so nothing is sent: {why}");
        self.gates.shut(now, ShutWhy::LedgerBroken, Some(STATE_BROKEN_MS), &reason);
        self.probe_unused(now, errand);
    }

    fn probe_unused(&mut self, now: Now, errand: Errand) {
        if errand == Errand::Probe {
            self.gates.record(now.mono, Event::Probe(ProbeEnd::NotSent));
        }
    }

    /// Spends a slot on what is first in line by now; what is decided otherwise by now is planned anew.
    fn spend(&mut self, now: Now, slot: Id, errand: Errand) {
        self.plan_due(now);
        while let Some((_, next)) = self.next(errand).filter(|_| !self.unsaved.is_stuck()) {
            let sent = match next {
                Next::List => {
                    let list = self.list.get_or_insert_with(|| PageList::new(&self.marks));
                    let request = list.request();
                    self.send(now, slot, What::List, errand, request);
                    true
                }
                Next::Names => self.spend_on_names(now, slot, errand),
                Next::Get(id) => self.spend_on_get(now, slot, errand, &id),
                Next::Write(id) => self.spend_on_write(now, slot, errand, &id),
                Next::Birth(path) => self.spend_on_birth(now, slot, errand, &path),
                Next::Made => self.spend_on_made(now, slot, errand),
            };
            if sent {
                return;
            }
            self.plan_due(now);
        }
        self.probe_unused(now, errand);
        self.outbox.push_back(Effect::Return(slot));
    }

    pub(super) fn send(&mut self, now: Now, slot: Id, what: What, errand: Errand, request: Request) {
        self.outbox.push_back(Effect::Send(slot, request.clone()));
        self.jobs.insert(slot, Job { what, errand, request, store: None, begun: now.mono, age: Age::Known });
    }

    fn spend_on_names(&mut self, now: Now, slot: Id, errand: Errand) -> bool {
        let wanted = std::mem::take(&mut self.names_wanted);
        let run = self.names_run.get_or_insert_with(|| NamesRun::new(wanted, self.names.clone()));
        let Some(request) = run.request() else {
            self.names_run = None;
            return false;
        };
        self.send(now, slot, What::Names, errand, request);
        true
    }

    fn spend_on_get(&mut self, now: Now, slot: Id, errand: Errand, id: &PageId) -> bool {
        match self.decide_page(now, id) {
            Some(Decision { step: Step::Look(Look::Get | Look::Fresh), .. }) => {}
            Some(Decision { step: Step::Patch(_) | Step::Archive, .. }) if errand == Errand::Probe => {}
            _ => {
                self.plan(now, id);
                return false;
            }
        }
        if let Some(entry) = self.entries.get_mut(id) {
            entry.life = Life::InFlight;
        }
        self.send(now, slot, What::Get(id.clone()), errand, Request::Get(id.clone()));
        true
    }

    fn spend_on_write(&mut self, now: Now, slot: Id, errand: Errand, id: &PageId) -> bool {
        if self.rewrite_is_early(now, id) {
            return false;
        }
        match self.decide_page(now, id) {
            Some(Decision { step: Step::Patch(write), .. }) => self.send_patch(now, (slot, errand), id, &write),
            Some(Decision { rule, step: Step::Archive }) if self.may_archive(now, id, rule) => {
                self.send_archive(now, (slot, errand), id)
            }
            Some(Decision { step: Step::Look(Look::Fresh), .. }) => {
                // The look that they all rested on has grown old: one list serves them all.
                self.plan(now, id);
                self.replan_wanting();
                false
            }
            _ => {
                self.plan(now, id);
                false
            }
        }
    }

    fn send_patch(&mut self, now: Now, slot: (Id, Errand), id: &PageId, write: &Write) -> bool {
        let Some(entry) = self.entries.get_mut(id) else { return false };
        let Some(Found::Document(document)) = &entry.found else { return false };
        let (source, rules, patch) = (document.source, document.rules, write.patch.clone());
        let intent = Intent { kind: IntentKind::Patch(patch.clone()), source, rules, stored: now.wall };
        let request =
            Request::Patch(Box::new(PatchRequest { page: id.clone(), path: entry.path.clone(), source, patch }));
        self.store_intent(now, slot, id, (intent, request), &write.backup)
    }

    /// An archive can't be undone: whatever text the page has is kept first.
    fn send_archive(&mut self, now: Now, slot: (Id, Errand), id: &PageId) -> bool {
        let Some(entry) = self.entries.get_mut(id) else { return false };
        let Some(base) = &entry.record.base else { return false };
        let (source, rules) = (base.source, base.rules);
        let intent = Intent { kind: IntentKind::Delete, source, rules, stored: now.wall };
        let has = |text: Option<&Print>, side: Side| text.map(|_| side);
        let seen = entry.record.seen.as_ref();
        let sides = [
            has(seen.and_then(|seen| seen.live.as_ref()), Side::Live),
            has(seen.and_then(|seen| seen.draft.as_ref()), Side::Draft),
        ];
        let sides: Vec<Side> = sides.into_iter().flatten().collect();
        self.store_intent(now, slot, id, (intent, Request::Archive(id.clone())), &sides)
    }

    /// Stores what is about to be sent, with the texts that it replaces.
    fn store_intent(
        &mut self,
        now: Now,
        (slot, errand): (Id, Errand),
        id: &PageId,
        (intent, request): (Intent, Request),
        replaced: &[Side],
    ) -> bool {
        let Some(entry) = self.entries.get_mut(id) else { return false };
        let Some(backups) = backups(now, id, entry.page.as_deref(), replaced) else {
            // The page was looked at, but its text is not at hand any more.
            entry.sight.moved();
            self.plan(now, id);
            return false;
        };
        entry.intent = Some(intent);
        entry.life = Life::InFlight;
        self.unsaved.page(now.mono, id);
        if planted(Planted::IntentAfterSending) {
            self.outbox.push_back(Effect::Send(slot, request.clone()));
        }
        let what = What::Write(id.clone());
        let backups = if planted(Planted::NoBackup) { Vec::new() } else { backups };
        self.store_before(slot, Job { what, errand, request, store: None, begun: now.mono, age: Age::Known }, backups);
        true
    }

    /// Stores all that waits, an intent among it; the job's request is sent when that is done.
    pub(super) fn store_before(&mut self, slot: Id, job: Job, backups: Vec<Backup>) {
        let store = self.fresh_id();
        let (mut change, unsaved) = self.take_change();
        change.backups = backups;
        self.stores.insert(store, unsaved);
        self.jobs.insert(slot, Job { store: Some(store), ..job });
        self.outbox.push_back(Effect::Store(store, Box::new(change)));
    }

    /// A change was stored, or why not.
    pub(super) fn stored(&mut self, now: Now, store: Id, result: Result<(), String>) {
        let Some(unsaved) = self.stores.remove(&store) else { return };
        let slot = self.jobs.iter().find(|(_, job)| job.store == Some(store)).map(|(slot, _)| *slot);
        match result {
            Ok(()) => {
                self.unsaved.unstick();
                self.gates.reopen(ShutWhy::StateBroken);
                if let Some(slot) = slot {
                    let late = |job: &Job| job.age == Age::Slept || now.mono.since(job.begun) > STORE_MS;
                    if self.jobs.get(&slot).is_some_and(late) {
                        self.cancel_write(now, slot);
                    } else {
                        self.send_stored(now, slot);
                    }
                }
                self.write_stored(unsaved.pages.into_iter());
            }
            Err(why) => {
                self.unsaved.restore(now.mono, unsaved, now.mono.plus(STATE_BROKEN_MS));
                let reason = format!("the state can't be written, so nothing is sent: {why}");
                self.gates.shut(now, ShutWhy::StateBroken, Some(STATE_BROKEN_MS), &reason);
                if let Some(slot) = slot {
                    self.cancel_write(now, slot);
                }
            }
        }
    }

    /// The intent is stored: decided once more, then sent.
    fn send_stored(&mut self, now: Now, slot: Id) {
        let Some(job) = self.jobs.get(&slot).cloned() else { return };
        if let (What::Create(path), Request::Create(request)) = (&job.what, &job.request) {
            return self.send_post(now, slot, path, request);
        }
        let Job { what: What::Write(id), request, .. } = job else { return };
        let decision = self.decide_page(now, &id);
        let rule = decision.as_ref().map_or("", |decision| decision.rule);
        let still = match (decision.map(|decision| decision.step), &request) {
            (Some(Step::Patch(write)), Request::Patch(request)) => {
                write.patch == request.patch && self.unchanged(&id, request)
            }
            (Some(Step::Archive), Request::Archive(_)) => self.may_archive(now, &id, rule),
            _ => false,
        };
        if !still || self.is_stopped(now) {
            self.cancel_write(now, slot);
            return;
        }
        if let Some(job) = self.jobs.get_mut(&slot) {
            job.store = None;
        }
        if planted(Planted::IntentAfterSending) {
            return;
        }
        if let (true, Request::Patch(request)) = (planted(Planted::BaseBySending), &request) {
            self.take_for_answered(now, &id, request);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.sight.forget(now.mono);
        }
        self.outbox.push_back(Effect::Send(slot, request));
    }

    /// [`Planted::BaseBySending`]: what is sent is taken for acknowledged.
    fn take_for_answered(&mut self, now: Now, id: &PageId, request: &PatchRequest) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let (Some(intent), Some(seen)) = (&entry.intent, &entry.record.seen) {
            let base = acknowledged(intent, &request.patch, entry.record.base.as_ref(), seen, None, now);
            entry.record.base = Some(base);
        }
    }

    fn unchanged(&self, id: &PageId, request: &PatchRequest) -> bool {
        let Some(entry) = self.entries.get(id) else { return false };
        matches!(&entry.found, Some(Found::Document(document)) if document.source == request.source)
            && entry.path == request.path
    }

    /// An intent that was not sent is no doubt.
    pub(super) fn cancel_write(&mut self, now: Now, slot: Id) {
        let Some(job) = self.jobs.remove(&slot) else { return };
        self.probe_unused(now, job.errand);
        self.outbox.push_back(Effect::Return(slot));
        match job.what {
            What::Write(id) => self.drop_intent(now, &id),
            What::Create(path) => self.drop_post(now, &path),
            _ => {}
        }
    }

    /// Nothing was applied: the page is decided anew.
    pub(super) fn drop_intent(&mut self, now: Now, id: &PageId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.intent = None;
            entry.life = Life::Idle;
            self.unsaved.page(now.mono, id);
        }
        self.make_due(id);
    }
}

/// Whether a document may change for what it points to alone: its file is the one that was published, or its page was just made.
fn may_follow(entry: &Entry) -> bool {
    let (Some(Found::Document(document)), Some(base)) = (&entry.found, &entry.record.base) else { return false };
    document.source == base.source || (entry.record.born.is_some() && entry.record.published.is_empty())
}

/// A probe is spent on a page that failed least: it asks whether the hub is well, and a few pages that always fail must not
/// answer for all others. Else the oldest is first.
pub(super) fn failures(errand: Errand, trouble: Option<&Trouble>) -> u32 {
    match errand {
        Errand::Probe => trouble.map_or(0, |trouble| trouble.attempts),
        Errand::Ordinary => 0,
    }
}

/// The texts that are to be kept; `None` where one of them is not at hand.
fn backups(now: Now, id: &PageId, page: Option<&Page>, sides: &[Side]) -> Option<Vec<Backup>> {
    let text = |side: &Side| match side {
        Side::Live => page?.live.clone(),
        Side::Draft => match &page?.draft {
            DraftSeen::Some(text) => Some(text.clone()),
            DraftSeen::None | DraftSeen::NotAsked => None,
        },
    };
    let version = page.and_then(|page| page.version).unwrap_or(0);
    let backup =
        |side: &Side| text(side).map(|text| Backup { page: id.clone(), version, side: *side, text, at: now.wall });
    sides.iter().map(backup).collect()
}
