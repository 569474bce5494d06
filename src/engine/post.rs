//! How a document without a page becomes one: what a slot is spent on, what is stored before, and what is asked once more
//! right before it is sent. Called by `spend`.

use crate::pace::quota::Lane;
use crate::page::{DocPath, Lists, Mono, Now, Stamp, Wall};
use crate::reconcile::birth::{Birth, BirthStep, Post, PostDoubt};

use super::births::{MadeList, title_of};
use super::entry::{Life, Want};
use super::listing::PageList;
use super::request::{CreateRequest, Request};
use super::settled::Unborn;
use super::spend::{Age, Errand, Job, Next, What, failures};
use super::{Effect, Engine, Id};

impl Engine {
    /// The document without a page that is first in line, and its place.
    pub(super) fn next_birth(&self, errand: Errand, listing: bool) -> Option<((Lane, u32, u64), Next)> {
        let may_list = !listing && self.list_retry.is_none();
        let wanting = self.births.iter().filter_map(|(path, birthing)| match birthing.life {
            Life::Wants(Want::Fresh) if may_list => Some((birthing, path, Next::Made)),
            Life::Wants(Want::Write | Want::Get) => Some((birthing, path, Next::Birth(path.clone()))),
            _ => None,
        });
        let placed = wanting.map(|(birthing, path, next)| {
            let failed = failures(errand, birthing.birth.trouble.as_ref());
            ((birthing.lane, failed, birthing.order), path, next)
        });
        placed.min_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1))).map(|(place, _, next)| (place, next))
    }

    /// Spends a slot on one of them; whether something was sent or stored.
    pub(super) fn spend_on_birth(&mut self, now: Now, slot: Id, errand: Errand, path: &DocPath) -> bool {
        let decision = self.decide_newborn(now, path);
        match decision.map(|decision| decision.step) {
            Some(BirthStep::Get(id)) => {
                if let Some(birthing) = self.births.get_mut(path) {
                    birthing.life = Life::InFlight;
                }
                self.send(now, slot, What::Candidate(path.clone(), id.clone()), errand, Request::Get(id));
                return true;
            }
            Some(BirthStep::Create) if self.store_post(now, slot, errand, path) => return true,
            _ => {}
        }
        self.plan_birth(now, path);
        false
    }

    /// The list of what was made while answers to POSTs were missing: one for all of them.
    pub(super) fn spend_on_made(&mut self, now: Now, slot: Id, errand: Errand) -> bool {
        let wanting = self.births.values().filter(|birthing| birthing.life == Life::Wants(Want::Fresh));
        let mut since = wanting.filter_map(|birthing| birthing.birth.doubt.as_ref().map(|doubt| doubt.post.since));
        let Some(first) = since.next() else { return false };
        // `None`, where the hub's clock was not known, is the least.
        let after = since.fold(first, Option::min);
        let made = self.made.get_or_insert_with(|| MadeList { after, list: PageList::since(after) });
        let request = made.list.request();
        self.send(now, slot, What::Made, errand, request);
        true
    }

    /// Stores what is about to be sent.
    fn store_post(&mut self, now: Now, slot: Id, errand: Errand, path: &DocPath) -> bool {
        let Some(unborn) = self.births.get(path).and_then(|birthing| birthing.unborn.clone()) else { return false };
        let (Ok(desired), false) = (self.desired(&unborn.document), self.has_twin(path, &unborn)) else {
            return false;
        };
        let post = self.post(now, &unborn, desired.lists);
        let Some(birthing) = self.births.get_mut(path) else { return false };
        (birthing.intent, birthing.life) = (Some(post.clone()), Life::InFlight);
        self.unsaved.birth(now.mono, path);
        let request = Request::Create(Box::new(CreateRequest { path: path.clone(), post }));
        let what = What::Create(path.clone());
        self.store_before(
            slot,
            Job { what, errand, request, store: None, begun: now.mono, age: Age::Known },
            Vec::new(),
        );
        true
    }

    fn post(&self, now: Now, unborn: &Unborn, lists: Lists) -> Post {
        let document = &unborn.document;
        Post {
            title: title_of(unborn),
            body: document.body,
            status: document.status,
            visibility: unborn.visibility,
            lists,
            source: document.source,
            rules: document.rules,
            stored: now.wall,
            since: self.hub_clock.map(|clock| clock.since(now)),
        }
    }

    /// The intent is stored: decided once more, then sent.
    pub(super) fn send_post(&mut self, now: Now, slot: Id, path: &DocPath, request: &CreateRequest) {
        let Some(birthing) = self.births.get_mut(path) else { return self.cancel_write(now, slot) };
        // Its own intent is no doubt.
        let intent = birthing.intent.take();
        let unchanged = self.births.get(path).and_then(|birthing| birthing.unborn.as_ref()).is_some_and(|unborn| {
            let same = (&unborn.document.source, unborn.visibility) == (&request.post.source, request.post.visibility);
            same && title_of(unborn) == request.post.title && !self.has_twin(path, unborn)
        });
        let still = unchanged
            && !self.is_stopped(now)
            && self.decide_newborn(now, path).is_some_and(|decision| decision.step == BirthStep::Create)
            && self.lists_are(path, &request.post.lists);
        if let Some(birthing) = self.births.get_mut(path) {
            birthing.intent = intent;
        }
        if !still {
            return self.cancel_write(now, slot);
        }
        if let Some(job) = self.jobs.get_mut(&slot) {
            job.store = None;
        }
        self.outbox.push_back(Effect::Send(slot, Request::Create(Box::new(request.clone()))));
    }

    fn lists_are(&self, path: &DocPath, lists: &Lists) -> bool {
        let document =
            self.births.get(path).and_then(|birthing| birthing.unborn.as_ref()).map(|unborn| &unborn.document);
        document.is_some_and(|document| self.desired(document).is_ok_and(|desired| desired.lists == *lists))
    }

    /// Nothing was applied: it is decided anew.
    pub(super) fn drop_post(&mut self, now: Now, path: &DocPath) {
        if let Some(birthing) = self.births.get_mut(path) {
            (birthing.intent, birthing.life) = (None, Life::Idle);
            self.unsaved.birth(now.mono, path);
        }
        self.make_birth_due(path);
    }

    /// What is stored of it: with the POST that is under way, which is in doubt should we end here; `None`: nothing.
    pub(super) fn put_birth(&self, path: &DocPath) -> Option<Birth> {
        let birthing = self.births.get(path)?;
        let mut birth = birthing.birth.clone();
        if let Some(post) = &birthing.intent {
            birth.doubt = Some(PostDoubt { post: post.clone(), dead: Mono::default() });
        }
        (birth != Birth::default()).then_some(birth)
    }
}

/// What the hub's clock says, by when that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HubClock {
    /// When.
    pub heard: Mono,
    /// What it said.
    pub date: Wall,
}

impl HubClock {
    /// A stamp that what is sent now can't be older than: the hub's clock less a minute. Our own may stand still meanwhile,
    /// which only makes it older.
    fn since(self, now: Now) -> Stamp {
        const MINUTE_MS: i64 = 60_000;
        let passed = i64::try_from(now.mono.since(self.heard)).unwrap_or(0);
        Stamp(self.date.0.saturating_add(passed).saturating_sub(MINUTE_MS).saturating_mul(1_000))
    }

    /// The same of a POST that this process sent before it knew the hub's clock; `None` where another process sent it, or where
    /// nobody knows how long that is ago: since then the machine has slept, or a clock was set (`woken`).
    pub(super) fn sent(self, now: Now, doubt: &PostDoubt, woken: Option<Mono>) -> Option<Stamp> {
        // As long as a request may take, and its intent to be stored.
        const SENDING_MS: u64 = 120_000;
        let known = |dead: &Mono| *dead != Mono::default() && woken.is_none_or(|woken| woken.plus(SENDING_MS) < *dead);
        let dead = Some(doubt.dead).filter(known)?;
        let by_mono = i64::try_from(now.mono.since(dead).saturating_add(SENDING_MS)).unwrap_or(i64::MAX);
        let ago = by_mono.max(now.wall.0.saturating_sub(doubt.post.stored.0));
        Some(Stamp(self.since(now).0.saturating_sub(ago.saturating_mul(1_000))))
    }
}
