//! What came back, and what it changes: marks, bases, doubts, gates.

use std::collections::BTreeSet;

use crate::pace::backoff::Backoff;
use crate::pace::breaker::{Event, ProbeEnd};
use crate::pace::quota::Lane;
use crate::page::{ListKind, Mono, Now, Page, PageId, PageStatus, Row, Status, Wall};
use crate::reason::Code;
use crate::reconcile::page_record::{Doubt, IntentKind, Refused, Seen, Trouble};
use crate::reconcile::{acknowledged, wanted};
use crate::simulation::{Planted, planted};

use super::change::{LogEntry, LogEvent};
use super::entry::{Life, Want, after_write, row_of};
use super::gates::ShutWhy;
use super::listing::{Complete, Read};
use super::outcome::{Outcome, outcome};
use super::plan::note_publish;
use super::post::HubClock;
use super::request::{Answer, AnswerBody, KeySource, Request};
use super::settled::Found;
use super::spend::{Errand, Job, What};
use super::unsaved::Freshness;
use super::{Effect, Engine, Id, ListWanted};

/// From so many pages that are not found on, more than are found, the key is another workspace's.
pub const MOSTLY_ABSENT: usize = 5;

/// A file that changed right before it was sent is settled anew; should nobody say so, it is tried again after so long, in
/// milliseconds.
const STALE_MS: u64 = 1_000;

impl Engine {
    /// A request ended.
    pub(super) fn answered(&mut self, now: Now, slot: Id, answer: Answer) {
        let Some(job) = self.jobs.remove(&slot) else { return };
        let outcome = outcome(&job.request, &answer);
        self.count(&job.request, &outcome);
        self.hub_clock = answer.date.map(|date| HubClock { heard: answer.ended.mono, date }).or(self.hub_clock);
        self.tell_gates(now, &job, &outcome);
        if outcome == Outcome::Done || outcome == Outcome::Absent {
            self.note_date(now, job.begun, answer.date);
        }
        match &job.what {
            What::List => self.list_answered(now, answer, outcome),
            What::Names => self.names_answered(now, answer, outcome),
            What::Get(id) => self.get_answered(now, id, answer, outcome),
            What::Write(id) => self.write_answered(now, id, answer, outcome),
            What::Create(path) => self.create_answered(now, path, answer, outcome),
            What::Candidate(path, id) => self.candidate_answered(now, path, id, answer, outcome),
            What::Made => self.made_answered(now, answer, outcome),
        }
    }

    fn count(&mut self, request: &Request, outcome: &Outcome) {
        let method = match request {
            Request::Patch(_) => "PATCH",
            Request::Create(_) => "POST",
            Request::Archive(_) => "DELETE",
            Request::Get(_) | Request::List { .. } | Request::Names(..) => "GET",
        };
        if !matches!(outcome, Outcome::Unreachable { .. } | Outcome::Stale | Outcome::Unwritable { .. }) {
            *self.requests.entry(method).or_default() += 1;
        }
    }

    /// What concerns all requests: the breaker, pauses, refusals.
    fn tell_gates(&mut self, now: Now, job: &Job, outcome: &Outcome) {
        let failed = match outcome {
            Outcome::Unreachable { message } => {
                self.gates.unreachable_because(now.mono, message);
                Some(Event::ConnectionFailed)
            }
            Outcome::Retry { message, .. } | Outcome::InDoubt { message, .. } => Some(match &job.what {
                What::List | What::Names | What::Made => {
                    self.gates.unreachable_because(now.mono, message);
                    Event::ListFailed
                }
                What::Get(id) | What::Write(id) => Event::PageFailed(id.to_string()),
                What::Create(path) | What::Candidate(path, _) => Event::PageFailed(path.to_text()),
            }),
            _ => None,
        };
        let event = match (job.errand, failed, outcome) {
            (Errand::Probe, _, Outcome::Stale | Outcome::Unwritable { .. }) => Event::Probe(ProbeEnd::NotSent),
            (Errand::Ordinary, None, Outcome::Stale | Outcome::Unwritable { .. }) => return,
            (Errand::Probe, Some(_), _) => Event::Probe(ProbeEnd::Failed),
            (Errand::Probe, None, _) => Event::Probe(ProbeEnd::Answered),
            (Errand::Ordinary, Some(event), _) => event,
            (Errand::Ordinary, None, _) => Event::Answered,
        };
        self.gates.record(now.mono, event);
        match outcome {
            Outcome::Pause { for_ms, .. } => self.gates.pause(now, *for_ms),
            Outcome::Unauthorized(KeySource::Same) => self.gates.shut(
                now,
                ShutWhy::Unauthorized,
                None,
                "the hub refuses the API key (401); nothing is sent until its source holds another one: make a new key under \
                 Settings > API, and put it where the old one is (hub.api_key_file, or what you use in its stead)",
            ),
            Outcome::Forbidden { message } => self.gates.shut(now, ShutWhy::Forbidden, None, message),
            Outcome::NotTheHub { message } => self.gates.shut(now, ShutWhy::NotTheHub, None, message),
            Outcome::Redirected { message } => self.gates.shut(now, ShutWhy::Redirected, None, message),
            _ => {}
        }
    }

    fn list_answered(&mut self, now: Now, answer: Answer, outcome: Outcome) {
        let why = why(&outcome);
        let read = match (outcome, answer.body) {
            (Outcome::Done, AnswerBody::Rows(listed)) => {
                // What a page of the list tells is known before the list is complete.
                let told: Vec<PageId> = listed
                    .rows
                    .iter()
                    .filter(|row| self.row_came(now, row, answer.sent.mono))
                    .map(|row| row.id.clone())
                    .collect();
                told.iter().for_each(|id| self.make_due(id));
                match &mut self.list {
                    Some(list) => list.take(listed, answer.sent.mono, answer.date),
                    None => return,
                }
            }
            (outcome, _) if is_gated(&outcome) => {
                // Nothing was read; the gates say when to go on, and whoever steps us whether to wait for it.
                self.list = None;
                return;
            }
            _ => Read::Failed,
        };
        match read {
            Read::More => {}
            Read::Complete(complete) => self.listed(now, complete),
            Read::Failed => {
                self.list = None;
                self.list_failed(now, &why);
            }
        }
    }

    /// A list could not be read: none is, for a while.
    pub(super) fn list_failed(&mut self, now: Now, why: &str) {
        self.gates.list_failed(now.mono, why);
        self.list_failures = self.list_failures.saturating_add(1);
        let ms = Backoff::HUB.delay(self.list_failures, self.setting.jitter);
        self.list_retry = Some(now.mono.plus(ms));
    }

    /// Takes a row in; whether it tells of a change.
    fn row_came(&mut self, now: Now, row: &Row, as_of: Mono) -> bool {
        // A row must not make a page known whose file could never be published (two newcomers with one id, say).
        let Some(entry) = self.entries.get_mut(&row.id).filter(|entry| entry.is_known()) else { return false };
        let news = entry.take_row(row, as_of);
        if news {
            self.unsaved.page(now.mono, &row.id);
            if entry.life == Life::Idle {
                entry.lane = Lane::Bulk;
            }
        }
        news
    }

    /// A list is complete: rows that tell of a change, and all other pages are unmoved.
    fn listed(&mut self, now: Now, complete: Complete) {
        let Complete { rows, as_of, watermark } = complete;
        (self.list, self.list_wanted, self.list_failures) = (None, ListWanted::No, 0);
        self.gates.list_read();
        let listed: BTreeSet<&PageId> = rows.iter().map(|row| &row.id).collect();
        let mut again = Vec::new();
        for row in &rows {
            if self.row_came(now, row, as_of) {
                again.push(row.id.clone());
            }
        }
        for (id, entry) in &mut self.entries {
            if !listed.contains(id) && entry.record.moved.is_none() {
                entry.sight.unmoved(as_of);
            }
            if matches!(entry.life, Life::Wants(_)) {
                again.push(id.clone());
            }
        }
        self.marks.watermark = watermark.or(self.marks.watermark);
        self.marks.listed_at = Some(now.wall);
        self.unsaved.marks = Freshness::New;
        self.unsaved.touch(now.mono);
        for id in again {
            self.make_due(&id);
        }
    }

    fn names_answered(&mut self, now: Now, answer: Answer, outcome: Outcome) {
        let why = why(&outcome);
        let read = match (&mut self.names_run, outcome) {
            (Some(run), Outcome::Done) => run.take(answer.body, answer.sent.mono, now.wall),
            (None, _) => return,
            (Some(_), outcome) if is_gated(&outcome) => return,
            (Some(_), _) => Read::Failed,
        };
        match read {
            Read::More => {}
            Read::Complete((names, kinds)) => {
                self.names_run = None;
                self.list_failures = 0;
                self.gates.list_read();
                self.names = names;
                // Who asked for them meanwhile is served as well.
                self.names_wanted.retain(|kind| !kinds.contains(kind));
                self.names_read.extend(kinds.into_iter().map(|kind| (kind, now.mono)));
                self.unsaved.names = Freshness::New;
                self.unsaved.touch(now.mono);
                self.make_all_due();
            }
            Read::Failed => {
                // Begun again after a while: the pages that wait for it still say which tables they want.
                self.names_run = None;
                self.list_failed(now, &why);
                let waiting = |life: Life| life == Life::Wants(Want::Names);
                for entry in self.entries.values().filter(|entry| waiting(entry.life)) {
                    match &entry.found {
                        Some(Found::Document(document)) if entry.record.settled.is_none() => {
                            self.names_wanted.extend(crate::reconcile::names::kinds(&document.named));
                        }
                        // What the hub's lists are called is wanted for a file.
                        _ => self.names_wanted.extend(ListKind::ALL),
                    }
                }
                let births = self.births.values().filter(|birthing| waiting(birthing.life));
                let unborn =
                    births.filter_map(|birthing| birthing.unborn.as_ref()).map(|unborn| &unborn.document.named);
                self.names_wanted.extend(unborn.flat_map(crate::reconcile::names::kinds));
            }
        }
    }

    fn get_answered(&mut self, now: Now, id: &PageId, answer: Answer, outcome: Outcome) {
        let sent = answer.sent.mono;
        match (outcome, answer.body) {
            (Outcome::Done, AnswerBody::Page(page)) if page.status != PageStatus::Archived => {
                self.saw(now, id, *page, sent, answer.date)
            }
            (Outcome::Done | Outcome::Absent, _) => self.missed(now, id, sent),
            (Outcome::Retry { code, message } | Outcome::InDoubt { code, message }, _) => {
                self.trouble(now, id, code, message)
            }
            (Outcome::Rejected { status, message, .. }, _) => {
                self.trouble(now, id, Code::ServerError, format!("the hub answered {status} to a look: {message}"));
            }
            _ => {}
        }
        if let Some(entry) = self.entries.get_mut(id) {
            entry.life = Life::Idle;
        }
        self.make_due(id);
    }

    /// A GET shows the page.
    fn saw(&mut self, now: Now, id: &PageId, page: Page, sent: Mono, date: Option<Wall>) {
        self.looked_at(now, id, Seen::of(&page), sent, date);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.page = Some(Box::new(page));
        }
    }

    /// The hub has no such page.
    fn missed(&mut self, now: Now, id: &PageId, sent: Mono) {
        self.looked.insert(id.clone());
        self.missing.insert(id.clone());
        if let Some(entry) = self.entries.get_mut(id) {
            entry.sight.missed(sent);
            entry.record.moved = None;
            entry.page = None;
            entry.record.absent = match &entry.found {
                Some(Found::Document(document)) => Some(document.source),
                _ => entry.record.base.as_ref().map(|base| base.source),
            };
            self.unsaved.page(now.mono, id);
        }
        if self.missing.len() >= MOSTLY_ABSENT && self.missing.len() * 2 > self.looked.len() {
            let reason = "most pages are not found (404): the key or the hub's address is that of another workspace";
            self.gates.shut(now, ShutWhy::MostlyAbsent, None, reason);
        }
    }

    fn write_answered(&mut self, now: Now, id: &PageId, answer: Answer, outcome: Outcome) {
        match (outcome, answer.body) {
            (Outcome::Done, AnswerBody::Page(page)) => self.acknowledge(now, id, &page, answer.ended.mono),
            (Outcome::Done, AnswerBody::Archived) => self.archive_answered(now, id, answer.ended.mono),
            (Outcome::Done | Outcome::Absent, _) => {
                self.missed(now, id, answer.sent.mono);
                self.drop_intent(now, id);
            }
            (Outcome::InDoubt { code, message } | Outcome::Retry { code, message }, _) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.record.doubt = entry.intent.take().map(|intent| Doubt { intent, dead: answer.ended.mono });
                    entry.sight.forget(answer.ended.mono);
                }
                self.trouble(now, id, code, message);
                self.drop_intent(now, id);
            }
            (Outcome::Rejected { message, .. }, _) => self.refused(now, id, message),
            (Outcome::Stale, _) => {
                self.drop_intent(now, id);
                self.due.retain(|due| due != id);
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.life = Life::Waiting(now.mono.plus(STALE_MS));
                    self.outbox.push_back(Effect::Reread(entry.path.clone()));
                }
            }
            // Nothing was applied, and the gates know when to go on.
            _ => self.drop_intent(now, id),
        }
    }

    /// The hub took the write: its answer plus what was sent is what we know of the page.
    fn acknowledge(&mut self, now: Now, id: &PageId, page: &Page, ended: Mono) {
        self.looked.insert(id.clone());
        self.missing.remove(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        let Some(intent) = entry.intent.take() else { return };
        let IntentKind::Patch(patch) = &intent.kind else { return };
        let before = entry.record.seen.as_ref().map(|seen| seen.version);
        let there = entry.record.seen.as_ref().map(|seen| seen.lists.clone()).unwrap_or_default();
        let seen = after_write(entry, patch, page);
        let published = patch.text.as_ref().is_some_and(|text| text.status == Status::Published);
        let echo = if published { seen.live.as_ref() } else { None };
        entry.record.base = Some(acknowledged(&intent, patch, entry.record.base.as_ref(), &seen, echo, now));
        let moved =
            entry.record.moved.take().filter(|row| (row.updated_at, row.version) > (page.updated_at, page.version));
        // Somebody's draft may hide behind the mark of a write without text: only a GET can tell.
        let hides = patch.text.is_none() && !planted(Planted::MarksOverDraft);
        entry.record.moved = moved.or_else(|| hides.then(|| row_of(page)));
        if planted(Planted::WatermarkByOurAnswer) {
            self.marks.watermark = Some(page.updated_at);
        }
        entry.record.seen = Some(seen);
        entry.sight.forget(ended);
        entry.page = None;
        entry.quiet = None;
        let record = &mut entry.record;
        (record.doubt, record.refused, record.absent, record.trouble) = (None, None, None, None);
        record.settled = None;
        if patch.text.is_some() {
            note_publish(entry, now);
        }
        let mut events = vec![LogEvent::published(patch, page.version, &there)];
        if let (true, Some(before), Some(version)) = (published, before, page.version)
            && version > before.unwrap_or(0) + 1
        {
            events.push(LogEvent::Raced { version });
        }
        let (path, rule) = (entry.path.to_text(), entry.standing.rule.to_owned());
        let log = |event| LogEntry { at: now.wall, page: id.clone(), path: path.clone(), event, rule: rule.clone() };
        self.unsaved.log.extend(events.into_iter().map(log));
        self.drop_intent(now, id);
    }

    /// The hub will never take this: it is not sent again until the document, its names or the rules are others. Names may
    /// be what is wrong with it, so they are read again.
    fn refused(&mut self, now: Now, id: &PageId, message: String) {
        let document = match self.entries.get(id).map(|entry| &entry.found) {
            Some(Some(Found::Document(document))) => document.clone(),
            _ => {
                // An archive that the hub refuses is not asked for again by itself.
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.intent = None;
                }
                self.unwritten(now, id, &message);
                return;
            }
        };
        let desired = self.desired(&document);
        if let (Some(entry), Ok(desired)) = (self.entries.get_mut(id), desired) {
            let sent = entry.intent.as_ref().map(|intent| intent.source);
            // A newer text is on disk by now: the refusal is of the old one.
            if sent == Some(document.source) {
                entry.record.refused = Some(Refused { wanted: wanted(&desired), message });
            }
            let lately = |kind| self.names_read.get(&kind).is_some_and(|at| now.mono.since(*at) < 300_000);
            self.names_wanted
                .extend(crate::reconcile::names::kinds(&document.named).into_iter().filter(|kind| !lately(*kind)));
        }
        self.drop_intent(now, id);
    }

    /// A passing fault: the page backs off.
    pub(super) fn trouble(&mut self, now: Now, id: &PageId, code: Code, message: String) {
        let jitter = self.setting.jitter;
        if let Some(entry) = self.entries.get_mut(id) {
            let attempts = entry.record.trouble.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
            let ms = i64::try_from(Backoff::PAGE.delay(attempts, jitter)).unwrap_or(i64::MAX);
            entry.record.trouble = Some(Trouble { attempts, next: now.wall.plus(ms), code, message });
            if attempts >= Backoff::FAILED_AFTER {
                // It has had its turn: others go first, and the day's reserve is not for it.
                entry.lane = Lane::Bulk;
            }
            self.unsaved.page(now.mono, id);
        }
    }
}

/// Why a list could not be read, in words.
pub(super) fn why(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Retry { message, .. } | Outcome::InDoubt { message, .. } | Outcome::Rejected { message, .. } => {
            message.clone()
        }
        _ => "the list of pages shifts while it is read".to_owned(),
    }
}

/// Whether the gates know when to go on, so that a list is not begun again by itself.
pub(super) fn is_gated(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Pause { .. }
            | Outcome::Unauthorized(_)
            | Outcome::Forbidden { .. }
            | Outcome::Redirected { .. }
            | Outcome::NotTheHub { .. }
            | Outcome::Unreachable { .. }
    )
}
