//! Asks the table for each page that is due, and carries out what needs no request: bases, marks, standings.

use crate::pace::backoff::Backoff;
use crate::page::{Authored, Desired, Lists, Mono, Now, PageId, Patch};
use crate::reason::{Code, Reason, State};
use crate::reconcile::decide;
use crate::reconcile::names;
use crate::reconcile::page_record::Base;
use crate::reconcile::step::{Decision, Hold, Local, Look, Mark, NamesRead, RemoteDraft, Step};

use super::change::{LogEntry, LogEvent};
use super::entry::{Action, Entry, Life, Planned, Standing, Want};
use super::settled::{Found, RootHealth};
use super::trail::About;
use super::{Engine, ListWanted, Mode, Writes};

/// So many pages are planned at once, so that the loop that steps us never stalls.
const AT_ONCE: usize = 500;

/// A page that is decided more often than this without coming to rest shows a fault of ours; it waits.
pub(super) const ROUNDS: usize = 12;

/// Names that a document lacks are read again at most this often, in milliseconds (contract.md, Front matter).
const NAMES_MS: u64 = 300_000;

impl Engine {
    /// Whether pages are decided now: not while the root is in question, nor before the look that a `sync` begins with.
    pub(super) fn may_plan(&self) -> bool {
        self.root == RootHealth::Ok && self.list_wanted != ListWanted::Opening
    }

    /// Plans the pages that are due.
    pub(super) fn plan_due(&mut self, now: Now) {
        if !self.may_plan() {
            return;
        }
        for _ in 0..AT_ONCE {
            let Some(id) = self.due.pop_front() else { break };
            self.plan(now, &id);
        }
        for _ in 0..AT_ONCE {
            let Some(path) = self.births_due.pop_front() else { return };
            self.plan_birth(now, &path);
        }
    }

    /// Decides one page until it asks for something or is at rest.
    pub(super) fn plan(&mut self, now: Now, id: &PageId) {
        if self.wants_history(id) {
            return;
        }
        self.note_rewrite(id);
        for _ in 0..ROUNDS {
            let Some(decision) = self.decide_page(now, id) else {
                // Its file was not read yet: that will make it due again.
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.life = Life::Idle;
                }
                return;
            };
            self.trail.note(About::Page(id.clone()), decision.rule);
            if self.carry_out(now, id, decision) == Progress::AtRest {
                return;
            }
        }
        if let Some(entry) = self.entries.get_mut(id) {
            entry.life = Life::Waiting(now.mono.plus(Backoff::PAGE.max_ms));
            let reason = Reason::new(
                Code::ServerError,
                "hubsync could not make up its mind about this page; please report this",
            );
            entry.standing = Standing::pending("", Some(reason));
        }
    }

    /// What the table says of a page now; `None` where its file was not read, or it lies out of scope.
    pub(super) fn decide_page(&self, now: Now, id: &PageId) -> Option<Decision> {
        let entry = self.entries.get(id)?;
        let remote = entry.remote(now.mono);
        let policy = self.policy_for(&entry.path);
        let decide = |local| decide(local, &entry.record, remote, &policy, now);
        Some(match entry.found.as_ref()? {
            Found::Gone { since } => decide(Local::Gone { since: *since }),
            Found::Held(reason) => decide(Local::Held(reason)),
            Found::Unnamed { reason, .. } => decide(Local::Unnamed(reason)),
            Found::Document(document) => match self.desired(document) {
                Ok(desired) => decide(Local::Document(&desired)),
                Err(problem) => {
                    let names = self.names_read(document, now.mono);
                    decide(Local::Nameless { document, problem: &problem, names })
                }
            },
        })
    }

    /// The document with its names turned into ids.
    pub(super) fn desired(&self, document: &Authored) -> Result<Desired, Reason> {
        let lists = names::resolve(&document.named, &self.names).map_err(|unresolved| unresolved.reason)?;
        Ok(Desired {
            source: document.source,
            rules: document.rules,
            title: document.title.clone(),
            body: document.body,
            bare: document.bare.clone(),
            status: document.status,
            lists,
        })
    }

    /// Whether all tables that a document uses were read lately: in this run, or for the daemon in the last five minutes.
    pub(super) fn names_read(&self, document: &Authored, now: Mono) -> NamesRead {
        let lately = names::kinds(&document.named).into_iter().all(|kind| {
            self.names_read.get(&kind).is_some_and(|at| self.setting.mode != Mode::Daemon || now.since(*at) <= NAMES_MS)
        });
        if lately { NamesRead::Lately } else { NamesRead::LongAgo }
    }

    fn carry_out(&mut self, now: Now, id: &PageId, decision: Decision) -> Progress {
        let Decision { rule, step } = decision;
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        match step {
            Step::InStep { learned, draft } => {
                if let Some(base) = learned {
                    entry.record.base = Some(*base);
                    self.unsaved.page(now.mono, id);
                }
                let version = entry.record.seen.as_ref().and_then(|seen| seen.version);
                self.at_rest(now, id, Standing::in_step(rule, draft, version))
            }
            Step::Adopt(base) => self.adopt(now, id, rule, *base),
            Step::Drop(Mark::Doubt) => {
                entry.record.doubt = None;
                self.unsaved.page(now.mono, id);
                Progress::Again
            }
            Step::Drop(Mark::Archived) => {
                entry.record.archived = None;
                self.unsaved.page(now.mono, id);
                Progress::Again
            }
            Step::Archived => {
                self.archived(now, id, rule);
                Progress::Again
            }
            Step::Forget => self.forget(now, id),
            Step::Wait(until) => {
                entry.life = Life::Waiting(until);
                entry.standing = Standing::in_doubt(rule);
                Progress::AtRest
            }
            Step::Look(_) | Step::Archive if self.holds_archive(now, id, rule) => Progress::AtRest,
            Step::Look(look) => self.wants_look(now, id, rule, look),
            Step::Patch(write) => self.wants_write(now, id, rule, Action::Patch, write.patch.api_fields()),
            Step::Hold(hold) => self.hold(now, id, rule, hold),
            Step::WriteId => self.wants_id(id, rule),
            Step::Archive => self.wants_write(now, id, rule, Action::Archive, Vec::new()),
            Step::WriteText(keep) => self.wants_text(now, id, rule, keep),
        }
    }

    /// The page is at rest, with nothing to send.
    pub(super) fn at_rest(&mut self, now: Now, id: &PageId, standing: Standing) -> Progress {
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        entry.life = Life::Idle;
        if (entry.standing.state, &entry.standing.reason) != (standing.state, &standing.reason) {
            self.news.insert(id.clone());
        }
        entry.standing = standing;
        entry.page = None;
        entry.quiet = None;
        entry.planned = None;
        let settled = if entry.awaits_a_merge() { None } else { entry.record.settled.take() };
        if entry.record.trouble.take().is_some() | settled.is_some() {
            self.unsaved.page(now.mono, id);
        }
        Progress::AtRest
    }

    fn hold(&mut self, now: Now, id: &PageId, rule: &'static str, hold: Hold) -> Progress {
        let draft = if hold.reason.code == Code::RemoteDraft { RemoteDraft::There } else { RemoteDraft::None };
        let standing =
            Standing { state: hold.state, reason: Some(hold.reason), draft, remote_version: hold.remote_version, rule };
        self.at_rest(now, id, standing);
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        if let Some(wake) = hold.wake {
            let ms = u64::try_from(wake.0.saturating_sub(now.wall.0)).unwrap_or(0);
            entry.life = Life::Waiting(now.mono.plus(ms));
        }
        // What was asked in vain for this document is not asked again for it.
        if let Some(Found::Document(Authored { source, .. })) = &entry.found {
            let asked = match rule {
                "D13" => &mut entry.record.nameless,
                "absent" => &mut entry.record.absent,
                _ => return Progress::AtRest,
            };
            if asked.replace(*source) != Some(*source) {
                self.unsaved.page(now.mono, id);
            }
        }
        Progress::AtRest
    }

    /// Common ground was found: by a look at equal text, or at a write that had landed after all.
    fn adopt(&mut self, now: Now, id: &PageId, rule: &'static str, base: Base) -> Progress {
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        let event = match entry.record.doubt.take() {
            Some(doubt) => {
                note_publish(entry, now);
                let patch = match &doubt.intent.kind {
                    crate::reconcile::page_record::IntentKind::Patch(patch) => patch.clone(),
                    crate::reconcile::page_record::IntentKind::Delete => Patch::default(),
                };
                // What was there before it is not known any more.
                LogEvent::published(&patch, base.version, &Lists::default())
            }
            None => LogEvent::Adopted,
        };
        let record = &mut entry.record;
        record.base = Some(base);
        (record.refused, record.absent, record.settled, record.trouble, record.nameless) =
            (None, None, None, None, None);
        let log = LogEntry { at: now.wall, page: id.clone(), path: entry.path.to_text(), event, rule: rule.to_owned() };
        self.unsaved.log.push(log);
        self.unsaved.page(now.mono, id);
        Progress::Again
    }

    /// The file is gone, and there is nothing to remember but that we archived the page.
    fn forget(&mut self, now: Now, id: &PageId) -> Progress {
        let Some(entry) = self.entries.get(id) else { return Progress::AtRest };
        if entry.record.archived.is_some() {
            // That it was restored since is what brings its document back to life; and that its file is missed says nothing
            // about the root.
            let (archived, moved, missed) = (entry.record.archived, entry.record.moved.clone(), entry.record.missed);
            if let Some(entry) = self.entries.get_mut(id) {
                entry.record =
                    crate::reconcile::page_record::PageRecord { archived, moved, missed, ..Default::default() };
                entry.life = Life::Idle;
                entry.standing = Standing { state: State::Orphaned, ..Standing::pending("F5", None) };
            }
            self.unsaved.page(now.mono, id);
        } else {
            self.entries.remove(id);
            self.unsaved.forget(now.mono, id);
        }
        Progress::AtRest
    }

    fn wants_look(&mut self, now: Now, id: &PageId, rule: &'static str, look: Look) -> Progress {
        if self.is_aside(id, rule) {
            return Progress::AtRest;
        }
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        let doubt = entry.record.doubt.is_some();
        let reason = entry.record.trouble.as_ref().map(|t| Reason::new(t.code, t.message.clone()));
        entry.standing = if doubt { Standing::in_doubt(rule) } else { Standing::pending(rule, reason) };
        let may_wait = look != Look::Names && !doubt && entry.record.settled.is_none();
        if let Some(reason) = self.rewrite_held(id).filter(|_| may_wait) {
            return self.hold_rewrite(id, reason);
        }
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        if look == Look::Names {
            if let Some(Found::Document(document)) = &entry.found {
                self.names_wanted.extend(names::kinds(&document.named));
            }
            entry.life = Life::Wants(Want::Names);
            return Progress::AtRest;
        }
        // Rows E wait their own five seconds; a page that fails backs off all the same. A look that is made before its write
        // may go would grow old, or be in vain.
        let quiet = entry.quiet.filter(|_| !doubt).map(|quiet| quiet.until);
        let retry = entry.retry_at(now.mono, now.wall);
        let until = retry.into_iter().chain(quiet).max().filter(|at| *at > now.mono);
        entry.life = match (until, look) {
            (Some(at), _) => Life::Waiting(at),
            (None, Look::Fresh) => Life::Wants(Want::Fresh),
            (None, Look::Get | Look::Names) => Life::Wants(Want::Get),
        };
        self.failed_for_good(id);
        Progress::AtRest
    }

    pub(super) fn wants_write(
        &mut self,
        now: Now,
        id: &PageId,
        rule: &'static str,
        action: Action,
        fields: Vec<&'static str>,
    ) -> Progress {
        if self.is_aside(id, rule) {
            return Progress::AtRest;
        }
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        let reason = entry.record.trouble.as_ref().map(|t| Reason::new(t.code, t.message.clone()));
        entry.standing = Standing::pending(rule, reason);
        entry.planned = Some(Planned {
            action,
            fields,
            replaces_title: entry.record.seen.as_ref().map(|seen| seen.title.clone()),
            rule,
        });
        if self.setting.mode == Mode::OneShot(Writes::Plan) {
            entry.life = Life::Idle;
        }
        if let Some(reason) = self.rewrite_held(id) {
            return self.hold_rewrite(id, reason);
        }
        let Some(entry) = self.entries.get_mut(id).filter(|_| self.setting.mode != Mode::OneShot(Writes::Plan)) else {
            return Progress::AtRest;
        };
        let retry = entry.retry_at(now.mono, now.wall);
        let quiet = entry.quiet.map(|quiet| quiet.until);
        let until = retry.into_iter().chain(quiet).max().filter(|at| *at > now.mono);
        entry.life = until.map_or(Life::Wants(Want::Write), Life::Waiting);
        self.failed_for_good(id);
        Progress::AtRest
    }

    /// It waits for a person, and asks for nothing.
    fn hold_rewrite(&mut self, id: &PageId, reason: Reason) -> Progress {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.life = Life::Idle;
            if entry.standing.reason.as_ref() != Some(&reason) {
                self.news.insert(id.clone());
            }
            entry.standing.reason = Some(reason);
        }
        Progress::AtRest
    }

    /// A page that this run is not about asks for nothing.
    pub(super) fn is_aside(&mut self, id: &PageId, rule: &'static str) -> bool {
        let aside = self.entries.get(id).is_some_and(|entry| !self.in_scope(&entry.path));
        if let (true, Some(entry)) = (aside, self.entries.get_mut(id)) {
            entry.life = Life::Idle;
            entry.standing = Standing::pending(rule, None);
        }
        aside
    }

    /// After so many faults in a row a page is `failed`: the daemon goes on trying, a one-shot leaves it.
    fn failed_for_good(&mut self, id: &PageId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.record.trouble.as_ref().is_some_and(|trouble| trouble.attempts >= Backoff::FAILED_AFTER) {
            entry.standing.state = State::Failed;
        }
    }

    /// Decides again all pages that want to be written or looked at, after something that concerns them all.
    pub(super) fn replan_wanting(&mut self) {
        let ids: Vec<PageId> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.life, Life::Wants(_)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.make_due(&id);
        }
    }
}

/// Whether a page is to be decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Again,
    AtRest,
}

/// Counts a publish, for "published again and again waits longer".
pub(super) fn note_publish(entry: &mut Entry, now: Now) {
    const HOUR_MS: i64 = 3_600_000;
    entry.record.published.retain(|at| at.plus(HOUR_MS) > now.wall);
    entry.record.published.push(now.wall);
}
