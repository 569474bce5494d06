//! What comes in from this side: settled documents, the root's health, a new policy, a wake-up.

use crate::pace::backoff::Backoff;
use crate::pace::quota::Lane;
use crate::page::{Authored, DocPath, ListKind, Mono, Now, PageId, Wall};
use crate::policy::{ConflictCheck, Policy};
use crate::reason::State;
use crate::reconcile::guards;
use crate::reconcile::page_record::PageRecord;

use super::entry::{Entry, Life, Quiet, Search};
use super::gates::ShutWhy;
use super::listing::first_watermark;
use super::settled::{Found, RootHealth, Settled};
use super::spend::Age;
use super::summary::Loose;
use super::unsaved::Freshness;
use super::{Engine, JUMP_MS, ListWanted, Mode};

/// A round of at most so many changed documents is an edit; a larger one is bulk (contract.md, What a change costs).
pub(super) const EDIT: usize = 10;

/// Publishes are counted over so long, in milliseconds (contract.md, `watch.max_delay`).
const HOUR_MS: i64 = 3_600_000;

/// Names are read again once a day, in milliseconds (contract.md, Front matter).
const DAY_MS: i64 = 86_400_000;

impl Engine {
    /// Takes in a round: what the folder says by now.
    pub(super) fn settled(&mut self, now: Now, settled: Vec<Settled>) {
        let first = !std::mem::replace(&mut self.planned_once, true);
        let (mut changed, mut newborns) = (Vec::new(), Vec::new());
        for one in settled {
            match one {
                Settled::Page { id, path, found } => {
                    if self.take_found(now, &id, path, found) {
                        changed.push(id.clone());
                    }
                    self.make_due(&id);
                }
                Settled::Loose { path, title, reason } => {
                    self.newborn_gone(&path);
                    self.note_loose(path, Loose { title, reason });
                }
                Settled::Newborn { path, unborn } => {
                    if self.take_newborn(now, &path, unborn) {
                        newborns.push(path);
                    }
                }
                Settled::StillGone { id } => self.still_gone(now, &id),
                Settled::Emptied { folders } => self.take_emptied(folders),
                Settled::LooseGone { path } => {
                    self.loose.remove(&path);
                    self.newborn_gone(&path);
                }
            }
        }
        if first && self.root == RootHealth::Ok {
            self.forget_stillborn();
        }
        let lane = if changed.len() + newborns.len() <= EDIT { Lane::Edit } else { Lane::Bulk };
        self.queue_newborns(now, &newborns, lane);
        for id in &changed {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            // A first meeting is bulk, however few they are.
            entry.lane = if entry.record.base.is_none() { Lane::Bulk } else { lane };
            self.next_order += 1;
            entry.order = self.next_order;
            if entry.lane == Lane::Edit {
                self.gates.fresh_edit(now.mono);
            }
        }
    }

    /// Takes in a file that belongs to no page. One that needs a person is news, once.
    fn note_loose(&mut self, path: DocPath, loose: Loose) {
        let told = self.loose.get(&path).is_some_and(|known| known.reason == loose.reason);
        if !told && loose.reason.code.held_state() == State::Blocked {
            self.loose_news.insert(path.clone());
        }
        self.loose.insert(path, loose);
    }

    /// Takes in what one page's file says. Answers whether its document differs from what was last published.
    pub(super) fn take_found(&mut self, now: Now, id: &PageId, path: DocPath, found: Found) -> bool {
        let ordered = self.is_ordered(&path);
        let entry = self.entries.entry(id.clone()).or_insert_with(|| Entry::new(path.clone(), PageRecord::default()));
        let known = entry.record != PageRecord::default();
        let moved = std::mem::replace(&mut entry.path, path.clone()) != path;
        if moved && known {
            self.unsaved.page(now.mono, id);
        }
        let news = entry.found.as_ref() != Some(&found);
        let changed = match &found {
            Found::Document(document) => {
                if entry.record.note_text(document) && known {
                    self.unsaved.page(now.mono, id);
                }
                if ordered {
                    entry.quiet = None;
                } else if news {
                    quieten(entry, document, &self.policy, self.setting.mode, now);
                }
                entry.record.base.as_ref().is_none_or(|base| guards::is_changed(document, base))
            }
            Found::Held(_) | Found::Unnamed { .. } | Found::Gone { .. } => false,
        };
        let missed = match &found {
            Found::Gone { since } => Some(*since),
            Found::Document(_) | Found::Unnamed { .. } | Found::Held(_) => None,
        };
        note_gone(entry, missed, now);
        // It may lie anywhere, and nothing in it tells that it is this page's: nobody may have noticed that it came there.
        let unnamed = entry.record.born.is_some() && matches!(entry.found, Some(Found::Unnamed { .. }));
        let stray = missed.is_some() && unnamed;
        if entry.record.missed != missed && known {
            entry.record.missed = missed;
            self.unsaved.page(now.mono, id);
        }
        entry.found = Some(found);
        if stray || missed.is_none() {
            entry.search = if stray { Search::Ordered } else { Search::Done };
        }
        if stray {
            self.look_everywhere();
        }
        changed
    }

    /// The root is, or isn't, the folder that it was. While it isn't, everything is held.
    pub(super) fn health(&mut self, health: RootHealth) {
        let was = std::mem::replace(&mut self.root, health);
        if was != RootHealth::Ok && self.root == RootHealth::Ok {
            let ids: Vec<PageId> = self.entries.keys().cloned().collect();
            for id in ids {
                self.make_due(&id);
            }
            self.make_births_due();
        }
    }

    /// Another policy: everything is decided again.
    pub(super) fn new_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.gates.ask_again();
        self.make_all_due();
    }

    /// Another key: what shut us by the old one is open, what it did not find may be there, and its budget is another.
    pub(super) fn key_renewed(&mut self, now: Now) {
        for why in [ShutWhy::Unauthorized, ShutWhy::Forbidden, ShutWhy::MostlyAbsent] {
            self.gates.reopen(why);
        }
        self.gates.ask_again();
        for (id, entry) in &mut self.entries {
            if entry.record.absent.take().is_some() {
                self.unsaved.page(now.mono, id);
            }
        }
        self.make_all_due();
    }

    /// The clocks are compared before anything else is done: a monotonic clock stands still while the machine is suspended,
    /// and what was looked at before must not seem fresh.
    pub(super) fn notice_jump(&mut self, now: Now) {
        self.gates.tell_time(now);
        let offset = now.wall.0.saturating_sub(i64::try_from(now.mono.0).unwrap_or(i64::MAX));
        let jumped = |before: i64| offset.saturating_sub(before).saturating_abs() > JUMP_MS;
        match self.offset.replace(offset) {
            None => self.forget_the_future(now),
            Some(before) if jumped(before) => {
                self.forget_the_future(now);
                self.woke(now);
            }
            Some(_) => {}
        }
    }

    /// The machine woke up, or its clock was set: what was waited for may be over, what was looked at is old, and a look is
    /// due.
    pub(super) fn woke(&mut self, now: Now) {
        self.gates.reset(now.mono);
        self.woken = Some(now.mono);
        self.jobs.values_mut().for_each(|job| job.age = Age::Slept);
        for entry in self.entries.values_mut() {
            entry.sight.forget(now.mono);
        }
        self.list_retry = None;
        for entry in self.entries.values_mut() {
            if let Some(trouble) = &mut entry.record.trouble {
                trouble.next = now.wall;
            }
        }
        let waiting: Vec<PageId> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.life, Life::Waiting(_)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            self.make_due(&id);
        }
        self.wake_births(|_| true);
        if self.setting.mode == Mode::Daemon
            && self.looks()
            && self.list.is_none()
            && self.list_wanted == ListWanted::No
        {
            self.list_wanted = ListWanted::Drift;
        }
    }

    /// A clock that was set back must not put off for a year what was to happen soon: what is remembered of the future
    /// counts as now.
    fn forget_the_future(&mut self, now: Now) {
        let no_later = |stamp: &mut Option<Wall>| *stamp = stamp.map(|at| at.min(now.wall));
        no_later(&mut self.marks.listed_at);
        no_later(&mut self.names.read_at);
        let latest = now.wall.plus(i64::try_from(Backoff::PAGE.max_ms).unwrap_or(i64::MAX));
        for trouble in self.entries.values_mut().filter_map(|entry| entry.record.trouble.as_mut()) {
            trouble.next = trouble.next.min(latest);
        }
    }

    /// Wakes what has waited long enough.
    pub(super) fn wake(&mut self, now: Now) {
        let awake: Vec<PageId> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.life, Life::Waiting(until) if until <= now.mono))
            .map(|(id, _)| id.clone())
            .collect();
        for id in awake {
            self.make_due(&id);
        }
        self.wake_births(|until| until <= now.mono);
        if self.list_retry.is_some_and(|at| at <= now.mono) {
            self.list_retry = None;
        }
        if self.drift_due(now).is_some_and(|at| at <= now.mono) {
            self.list_wanted = ListWanted::Drift;
        }
        self.wake_names(now);
    }

    /// The tables of names are read again once a day, where documents use them.
    fn wake_names(&mut self, now: Now) {
        let old = self.names.read_at.is_some_and(|at| at.plus(DAY_MS) <= now.wall);
        let idle = self.names_run.is_none() && self.names_wanted.is_empty() && self.planned_once;
        if old && idle && self.setting.mode != Mode::Offline {
            let tables = [
                (ListKind::Folders, self.names.folders.is_some()),
                (ListKind::Skills, self.names.skills.is_some()),
                (ListKind::Sources, self.names.sources.is_some()),
            ];
            self.names_wanted.extend(tables.into_iter().filter(|(_, read)| *read).map(|(kind, _)| kind));
        }
    }

    /// When the next drift check is due.
    pub(super) fn drift_due(&self, now: Now) -> Option<Mono> {
        let interval = self.policy.check_interval?;
        let busy = self.list.is_some() || self.list_wanted != ListWanted::No || self.list_retry.is_some();
        if self.setting.mode != Mode::Daemon || !self.planned_once || busy || !self.looks() {
            return None;
        }
        let listed = self.marks.listed_at.unwrap_or(Wall(i64::MIN));
        let due = listed.plus(i64::try_from(interval).unwrap_or(i64::MAX));
        let ms = u64::try_from(due.0.saturating_sub(now.wall.0)).unwrap_or(0).min(interval);
        Some(now.mono.plus(ms))
    }

    /// Whether the hub is looked at at all, and there is something to look for.
    pub(super) fn looks(&self) -> bool {
        self.policy.conflict_check == ConflictCheck::On && self.entries.values().any(Entry::was_asked_for)
    }

    /// Where nothing was ever looked at, the first answer's `Date` is where the first list begins: whatever was edited
    /// before is in what we look at from now on, less what looks that are still under way may not have seen. Without a
    /// `Date` the first list is of all pages.
    pub(super) fn note_date(&mut self, now: Now, begun: Mono, date: Option<Wall>) {
        let never = self.marks.listed_at.is_none()
            && self.list.is_none()
            && self.entries.values().all(|entry| entry.record.seen.is_none());
        if never {
            let oldest = self.jobs.values().map(|job| job.begun).fold(begun, Mono::min);
            let age = i64::try_from(now.mono.since(oldest)).unwrap_or(i64::MAX);
            self.marks.watermark = date.map(|date| first_watermark(Wall(date.0.saturating_sub(age))));
            self.marks.listed_at = Some(now.wall);
            self.unsaved.marks = Freshness::New;
            self.unsaved.touch(now.mono);
        }
    }

    pub(super) fn make_all_due(&mut self) {
        let ids: Vec<PageId> = self.entries.keys().cloned().collect();
        for id in ids {
            self.make_due(&id);
        }
        self.make_births_due();
    }

    /// Puts a page into the queue of those to be decided, unless something is under way for it.
    pub(super) fn make_due(&mut self, id: &PageId) {
        if let Some(entry) = self.entries.get_mut(id)
            && !matches!(entry.life, Life::Due | Life::InFlight)
        {
            entry.life = Life::Due;
            self.due.push_back(id.clone());
        }
    }
}

/// A file is missed, or there. What the state knows as missed was missed by an earlier process.
fn note_gone(entry: &mut Entry, missed: Option<Wall>, now: Now) {
    if missed.is_none() {
        (entry.gone_first, entry.gone_seen) = (None, None);
        return;
    }
    let just_now = entry.found.is_some() || entry.record.missed.is_none();
    entry.gone_first = entry.gone_first.or(just_now.then_some(now.mono));
    entry.gone_seen = Some(now);
}

/// A page that was published n times within the hour waits for n more times `debounce` of quiet, at most `max_delay` from
/// the first change that is not published yet.
fn quieten(entry: &mut Entry, document: &Authored, policy: &Policy, mode: Mode, now: Now) {
    let lately = |at: &&Wall| **at <= now.wall && at.plus(HOUR_MS) > now.wall;
    let published = entry.record.published.iter().filter(lately).count();
    let back = entry.record.base.as_ref().is_some_and(|base| !guards::is_changed(document, base));
    if mode != Mode::Daemon || published == 0 || back {
        entry.quiet = None;
        return;
    }
    let times = u64::try_from(published).unwrap_or(u64::MAX);
    let since = entry.quiet.map_or(now.mono, |quiet| quiet.since);
    let until = now.mono.plus(times.saturating_mul(policy.debounce)).min(since.plus(policy.max_delay));
    entry.quiet = Some(Quiet { since, until });
}
