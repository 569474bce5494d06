//! Documents without `page_id`, by path: what is remembered of them, what they ask for, and how they become pages.
//!
//! A page that was made is a page like any other from then on: its record says that we made it (`born`), and its id is
//! written into the file once that record is stored, never before. What came back is in `born`.

use std::collections::BTreeMap;

use crate::document::Visibility;
use crate::pace::backoff::Backoff;
use crate::pace::quota::Lane;
use crate::page::{Digest, DocPath, LastTexts, Mono, Now, Page, PageId, Print, Row, Stamp};
use crate::policy::Create;
use crate::reason::{Code, Reason, State};
use crate::reconcile::birth::{Birth, BirthDecision, BirthStep, Created, Held, Newborn, Post, decide_birth};
use crate::reconcile::page_record::{IntentKind, Seen};
use crate::reconcile::step::{Hold, RemoteDraft};
use crate::reconcile::{names, wanted};

use super::entry::{Action, Entry, Life, Planned, Standing, Want};
use super::listing::PageList;
use super::plan::{Progress, ROUNDS};
use super::settled::{Found, Unborn};
use super::trail::About;
use super::{Engine, Mode, Writes};

/// Two documents of the same title are made one after the other; whether the other is done is asked this often, in
/// milliseconds.
const TWIN_MS: u64 = 1_000;

/// A file that goes and one of the same title that comes within so long are one that was moved, in milliseconds.
const MOVING_MS: i64 = 600_000;

/// A document without a page, or what is left of one: a POST in doubt outlives its file.
#[derive(Clone, Debug)]
pub(super) struct Birthing {
    /// What the file says; `None`: it is gone, or can't be published now.
    pub unborn: Option<Unborn>,
    /// What is remembered.
    pub birth: Birth,
    /// The POST that is stored, or under way.
    pub intent: Option<Post>,
    /// Pages of its title that were made since a lost POST, once they were listed.
    pub found: Option<BTreeMap<PageId, Candidate>>,
    /// The id could not be written into these bytes, as far as one could see; until when, and why.
    pub unwritable: Option<(Mono, Hold)>,
    /// Where it stands: `Want::Write` is the POST, `Want::Fresh` the list of what was made.
    pub life: Life,
    /// How it is reported.
    pub standing: Standing,
    /// Whose requests go first.
    pub lane: Lane,
    /// Since when it wants something.
    pub order: u64,
    /// What would be sent, in a dry run.
    pub planned: Option<Planned>,
}

/// A page that may be the one that a lost POST made.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub row: Row,
    /// As it was looked at, and when.
    pub page: Option<(Box<Page>, Mono)>,
}

/// The list of what was made while answers to POSTs were missing.
#[derive(Clone, Debug)]
pub(super) struct MadeList {
    pub after: Option<Stamp>,
    pub list: PageList,
}

impl Birthing {
    pub(super) fn new(birth: Birth) -> Self {
        Self {
            unborn: None,
            birth,
            intent: None,
            found: None,
            unwritable: None,
            life: Life::Idle,
            standing: Standing::pending("", None),
            lane: Lane::Bulk,
            order: 0,
            planned: None,
        }
    }

    /// The POST that may have been sent.
    fn post(&self) -> Option<&Post> {
        self.intent.as_ref().or(self.birth.doubt.as_ref().map(|doubt| &doubt.post))
    }

    /// Its title, as far as it is known.
    pub(super) fn title(&self) -> Option<String> {
        self.unborn.as_ref().and_then(|unborn| unborn.document.title.clone())
    }

    /// Whether it is reported: it has a file, or its page may be there.
    pub(super) fn is_shown(&self) -> bool {
        self.unborn.is_some() || self.birth.doubt.is_some()
    }

    /// Whether a one-shot run has something to wait for with it.
    pub(super) fn still_waits(&self) -> bool {
        match self.life {
            Life::Wants(_) | Life::Waiting(_) => self.standing.state == State::Pending,
            Life::Due | Life::InFlight => true,
            Life::Idle => false,
        }
    }
}

impl Engine {
    // ---- what the folder says

    /// Takes in a document without `page_id`. Answers whether it is news that may lead to a request.
    pub(super) fn take_newborn(&mut self, now: Now, path: &DocPath, unborn: Unborn) -> bool {
        self.loose.remove(path);
        if let Some(id) = self.unnamed_at(path) {
            // Its page is made; the folder has not heard of that yet.
            let reason = Reason::new(Code::NoPageId, "the page_id is not in the file");
            let found = Found::Unnamed { document: unborn.document, reason };
            self.newborn_gone(path);
            self.take_found(now, &id, path.clone(), found);
            self.make_due(&id);
            return false;
        }
        let creates = self.policy_for(path).create == Create::On;
        let birthing = self.births.entry(path.clone()).or_insert_with(|| Birthing::new(Birth::default()));
        let news = birthing.unborn.as_ref() != Some(&unborn);
        if news {
            // What was made meanwhile is listed again for another text, or another title.
            (birthing.found, birthing.unwritable) = (None, None);
        }
        birthing.unborn = Some(unborn);
        self.make_birth_due(path);
        news && creates
    }

    /// A page that we made and whose id was not seen in its file yet.
    fn unnamed_at(&self, path: &DocPath) -> Option<PageId> {
        let waits = |entry: &Entry| matches!(entry.found, None | Some(Found::Unnamed { .. }));
        let mut all = self.entries.iter();
        let found = all.find(|(_, entry)| entry.record.born.is_some() && entry.path == *path && waits(entry));
        found.map(|(id, _)| id.clone())
    }

    /// Its file is gone, names a page, or can't be published. A POST in doubt is settled all the same.
    pub(super) fn newborn_gone(&mut self, path: &DocPath) {
        if let Some(birthing) = self.births.get_mut(path) {
            birthing.unborn = None;
            self.make_birth_due(path);
        }
    }

    /// Whose requests go first, by how many documents changed in this round.
    pub(super) fn queue_newborns(&mut self, now: Now, changed: &[DocPath], lane: Lane) {
        for path in changed {
            self.next_order += 1;
            if let Some(birthing) = self.births.get_mut(path) {
                (birthing.lane, birthing.order) = (lane, self.next_order);
            }
            if lane == Lane::Edit {
                self.gates.fresh_edit(now.mono);
            }
        }
    }

    /// After the first look at the whole folder: nothing is remembered of files that are not there, but for doubts.
    pub(super) fn forget_stillborn(&mut self) {
        let gone: Vec<DocPath> = self
            .births
            .iter()
            .filter(|(_, birthing)| birthing.unborn.is_none())
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.make_birth_due(&path);
        }
    }

    pub(super) fn make_births_due(&mut self) {
        let paths: Vec<DocPath> = self.births.keys().cloned().collect();
        paths.iter().for_each(|path| self.make_birth_due(path));
    }

    pub(super) fn make_birth_due(&mut self, path: &DocPath) {
        if let Some(birthing) = self.births.get_mut(path)
            && !matches!(birthing.life, Life::Due | Life::InFlight)
        {
            birthing.life = Life::Due;
            self.births_due.push_back(path.clone());
        }
    }

    /// Wakes those that wait for a moment of which `is_over` holds.
    pub(super) fn wake_births(&mut self, is_over: impl Fn(Mono) -> bool) {
        let over = |birthing: &Birthing| matches!(birthing.life, Life::Waiting(until) if is_over(until));
        let paths: Vec<DocPath> =
            self.births.iter().filter(|(_, birthing)| over(birthing)).map(|(path, _)| path.clone()).collect();
        paths.iter().for_each(|path| self.make_birth_due(path));
    }

    // ---- what follows

    /// Decides one of them until it asks for something or is at rest.
    pub(super) fn plan_birth(&mut self, now: Now, path: &DocPath) {
        self.take_over(now, path);
        for _ in 0..ROUNDS {
            let Some(decision) = self.decide_newborn(now, path) else { return };
            self.trail.note(About::Newborn(path.clone()), decision.rule);
            if self.carry_out_birth(now, path, decision) == Progress::AtRest {
                return;
            }
        }
        if let Some(birthing) = self.births.get_mut(path) {
            birthing.life = Life::Waiting(now.mono.plus(Backoff::PAGE.max_ms));
        }
    }

    /// A document that has moved takes along what is remembered of its POST: the same bytes, or at least the same title.
    fn take_over(&mut self, now: Now, path: &DocPath) {
        let Some(Birthing { unborn: Some(unborn), birth: Birth { doubt: None, .. }, intent: None, .. }) =
            self.births.get(path)
        else {
            return;
        };
        let left = |birthing: &&Birthing| birthing.unborn.is_none() && birthing.intent.is_none();
        let all = || self.births.iter().filter(|(_, birthing)| left(birthing) && birthing.birth.doubt.is_some());
        let same =
            all().find(|(_, birthing)| birthing.post().is_some_and(|post| post.source == unborn.document.source));
        let title = title_of(unborn);
        let by_title = may_move_by_title(unborn);
        let titled = || {
            let mut all = all().filter(|_| by_title);
            all.find(|(_, birthing)| birthing.post().is_some_and(|post| post.title.trim() == title.trim()))
        };
        let Some(from) = same.or_else(titled).map(|(from, _)| from.clone()) else { return };
        let Some(old) = self.births.remove(&from) else { return };
        if let Some(birthing) = self.births.get_mut(path) {
            (birthing.birth, birthing.found) = (old.birth, old.found);
        }
        self.unsaved.birth(now.mono, &from);
        self.unsaved.birth(now.mono, path);
    }

    /// What the table says of it now; `None` where nothing is known of it.
    pub(super) fn decide_newborn(&self, now: Now, path: &DocPath) -> Option<BirthDecision> {
        let birthing = self.births.get(path)?;
        let made = self.made_for(now, path);
        // What is another document's by now can't be this one's.
        let found = birthing.found.as_ref().map(|found| {
            let free = found.iter().filter(|(id, _)| !self.entries.contains_key(id));
            free.map(|(_, page)| Created { row: page.row.clone(), text: text_of(birthing.post(), page) })
                .collect::<Vec<_>>()
        });
        let policy = self.policy_for(path);
        let decide = |local| decide_birth(local, &birthing.birth, made.as_ref(), found.as_deref(), &policy, now);
        Some(match &birthing.unborn {
            None => decide(Newborn::Gone),
            Some(Unborn { document, .. }) => match self.desired(document) {
                Ok(desired) => decide(Newborn::Document { document, wanted: wanted(&desired) }),
                Err(problem) => {
                    let names = self.names_read(document, now.mono);
                    decide(Newborn::Nameless { document, problem: &problem, names })
                }
            },
        })
    }

    /// The page that we made for this very file, which lies no more where it was made or known.
    fn made_for(&self, now: Now, path: &DocPath) -> Option<PageId> {
        let left = self.entries.iter().filter(|(_, entry)| entry.record.born.is_some());
        let mut claimed = left.filter(|(id, entry)| self.claimant(now, id, entry) == Some(path));
        claimed.next().map(|(id, _)| id.clone())
    }

    /// The document that a page of ours has moved to without its id: one of the same bytes, or else one of the same title,
    /// where the file has just gone or never had the id. One at most, so that no two documents get one page; and none while
    /// nobody knows whether the file itself is there.
    pub(super) fn claimant(&self, now: Now, id: &PageId, entry: &Entry) -> Option<&DocPath> {
        let Some(Found::Gone { since }) = entry.found.as_ref().filter(|_| !self.is_on_its_way(id, entry)) else {
            return None;
        };
        let just_now = now.wall.0.saturating_sub(since.0) <= MOVING_MS;
        let by_title = just_now || entry.record.history == LastTexts::default();
        let free = |birthing: &&Birthing| birthing.post().is_none();
        let find = |is_it: &dyn Fn(&Unborn) -> bool| {
            let mut all = self.births.iter().filter(|(_, birthing)| free(birthing));
            all.find(|(_, birthing)| birthing.unborn.as_ref().is_some_and(is_it)).map(|(path, _)| path)
        };
        let from = sent_from(entry);
        let same = |unborn: &Unborn| from.iter().any(|(source, _)| *source == unborn.document.source);
        let titled = |unborn: &Unborn| {
            by_title && may_move_by_title(unborn) && from.iter().any(|(_, title)| is_titled(*title, &title_of(unborn)))
        };
        find(&same).or_else(|| find(&titled))
    }

    /// Whether another document of the same bytes, or at least the same title, is about to become a page, or has one whose id
    /// it does not show: it may be this one, before it was moved.
    pub(super) fn has_twin(&self, path: &DocPath, unborn: &Unborn) -> bool {
        let (source, title) = (unborn.document.source, title_of(unborn));
        let unshown = |entry: &Entry| match &entry.found {
            None | Some(Found::Unnamed { .. }) => true,
            Some(Found::Held(reason)) => reason.code == Code::StillBeingWritten,
            Some(Found::Document(_) | Found::Gone { .. }) => false,
        };
        let alike = |(from, sent): (Digest, Option<&str>)| from == source || is_titled(sent, &title);
        let unnamed = |(id, entry): (&PageId, &Entry)| {
            let shows_not = unshown(entry) || self.is_on_its_way(id, entry);
            entry.record.born.is_some() && shows_not && sent_from(entry).into_iter().any(alike)
        };
        // One that a person must judge holds up no other.
        let open = |birthing: &Birthing| birthing.standing.state != State::Blocked;
        let posted = |birthing: &Birthing| {
            open(birthing)
                && birthing.post().is_some_and(|post| post.source == source || post.title.trim() == title.trim())
        };
        self.births.iter().any(|(other, birthing)| other != path && posted(birthing))
            || self.entries.iter().any(unnamed)
    }

    fn carry_out_birth(&mut self, now: Now, path: &DocPath, decision: BirthDecision) -> Progress {
        let BirthDecision { rule, step } = decision;
        let Some(birthing) = self.births.get_mut(path) else { return Progress::AtRest };
        match step {
            BirthStep::Hold(hold) => self.hold_birth(now, path, rule, hold, None),
            BirthStep::Create => self.wants_page(now, path, rule),
            BirthStep::Wait(until) => {
                (birthing.life, birthing.standing) = (Life::Waiting(until), Standing::in_doubt(rule));
                Progress::AtRest
            }
            BirthStep::LookNames => {
                let kinds = birthing.unborn.iter().flat_map(|unborn| names::kinds(&unborn.document.named));
                let kinds: Vec<_> = kinds.collect();
                if self.birth_wants(now, path, Standing::pending(rule, None), Want::Names) {
                    self.names_wanted.extend(kinds);
                }
                Progress::AtRest
            }
            BirthStep::ListCreated => {
                self.birth_wants(now, path, Standing::in_doubt(rule), Want::Fresh);
                Progress::AtRest
            }
            BirthStep::Get(_) => {
                self.birth_wants(now, path, Standing::in_doubt(rule), Want::Get);
                Progress::AtRest
            }
            BirthStep::Ours(id) => self.found_ours(now, path, &id, rule),
            BirthStep::Known(id) => self.moved_in(now, path, &id),
            BirthStep::DropDoubt => {
                // What was said of that doubt says nothing of another.
                (birthing.birth.doubt, birthing.birth.held, birthing.found) = (None, None, None);
                self.unsaved.birth(now.mono, path);
                Progress::Again
            }
            BirthStep::Forget => {
                let known = self.births.remove(path).is_some_and(|birthing| birthing.birth != Birth::default());
                if known {
                    self.unsaved.birth(now.mono, path);
                }
                Progress::AtRest
            }
        }
    }

    fn hold_birth(
        &mut self,
        now: Now,
        path: &DocPath,
        rule: &'static str,
        hold: Hold,
        until: Option<Mono>,
    ) -> Progress {
        let Some(birthing) = self.births.get_mut(path) else { return Progress::AtRest };
        let source = birthing.unborn.as_ref().map(|unborn| unborn.document.source);
        // Refusals are remembered by what was wanted, apart.
        if let Some(source) = source.filter(|_| hold.state == State::Blocked && hold.reason.code != Code::Refused) {
            let held = Some(Held { source, reason: hold.reason.clone() });
            if std::mem::replace(&mut birthing.birth.held, held.clone()) != held {
                self.unsaved.birth(now.mono, path);
            }
        }
        let standing = Standing {
            state: hold.state,
            reason: Some(hold.reason),
            draft: RemoteDraft::None,
            remote_version: None,
            rule,
        };
        let told = birthing.standing.reason == standing.reason;
        if standing.state == State::Blocked && !told {
            self.loose_news.insert(path.clone());
        }
        (birthing.life, birthing.standing) = (until.map_or(Life::Idle, Life::Waiting), standing);
        birthing.planned = None;
        Progress::AtRest
    }

    /// It asks for a request, after what it has to wait for. Answers whether it does.
    fn birth_wants(&mut self, now: Now, path: &DocPath, standing: Standing, want: Want) -> bool {
        let aside = !self.in_scope(path);
        let Some(birthing) = self.births.get_mut(path) else { return false };
        birthing.standing = standing;
        let trouble = birthing.birth.trouble.as_ref();
        if trouble.is_some_and(|trouble| trouble.attempts >= Backoff::FAILED_AFTER) {
            birthing.standing.state = State::Failed;
        }
        let next = trouble.map_or(0, |trouble| trouble.next.0.saturating_sub(now.wall.0));
        let retry = u64::try_from(next).ok().filter(|ms| *ms > 0).map(|ms| now.mono.plus(ms));
        birthing.life = match retry {
            _ if aside => Life::Idle,
            Some(at) if want != Want::Names => Life::Waiting(at),
            _ => Life::Wants(want),
        };
        !aside
    }

    fn wants_page(&mut self, now: Now, path: &DocPath, rule: &'static str) -> Progress {
        let Some(birthing) = self.births.get(path) else { return Progress::AtRest };
        let Some(unborn) = birthing.unborn.clone() else { return Progress::AtRest };
        if let Some((until, hold)) = birthing.unwritable.clone().filter(|(until, _)| *until > now.mono) {
            return self.hold_birth(now, path, rule, hold, Some(until));
        }
        // Who sends nothing does not find out anew, either.
        let sends = matches!(self.setting.mode, Mode::Daemon | Mode::OneShot(Writes::Send));
        if let Some(reason) = birthing.birth.held(&unborn.document, &[Code::NoPageId]).filter(|_| !sends) {
            let hold = Hold { state: State::Blocked, reason: reason.clone(), remote_version: None, wake: None };
            return self.hold_birth(now, path, rule, hold, None);
        }
        let reason = birthing.birth.trouble.as_ref().map(|trouble| Reason::new(trouble.code, trouble.message.clone()));
        let twin = self.has_twin(path, &unborn);
        let planned = Planned { action: Action::Create, fields: self.fields(&unborn), replaces_title: None, rule };
        let asks = self.birth_wants(now, path, Standing::pending(rule, reason), Want::Write);
        let Some(birthing) = self.births.get_mut(path) else { return Progress::AtRest };
        birthing.planned = Some(planned);
        if self.setting.mode == Mode::OneShot(Writes::Plan) {
            birthing.life = Life::Idle;
        } else if asks && twin {
            birthing.life = Life::Waiting(now.mono.plus(TWIN_MS));
        }
        Progress::AtRest
    }

    /// The API's names of what would be sent.
    fn fields(&self, unborn: &Unborn) -> Vec<&'static str> {
        let named = &unborn.document.named;
        let lists = [(&named.folders, "folder_ids"), (&named.skills, "skill_ids"), (&named.sources, "source_ids")];
        let mut fields = vec!["title", "content", "status", "visibility"];
        fields.extend(lists.into_iter().filter(|(names, _)| names.is_some()).map(|(_, field)| field));
        fields
    }
}

/// The files that a page's text was sent from, or may have been, by their digests, each with the title that it had.
fn sent_from(entry: &Entry) -> Vec<(Digest, Option<&str>)> {
    let base = entry.record.base.iter().map(|base| {
        let known = base.live.as_ref().or(base.draft.as_ref());
        (base.source, known.map(|known| known.sent.title.as_str()))
    });
    let intents = entry.record.doubt.iter().map(|doubt| &doubt.intent).chain(&entry.intent);
    let intents = intents.filter_map(|intent| match &intent.kind {
        IntentKind::Patch(patch) => Some((intent.source, patch.text.as_ref()?.title.as_deref())),
        IntentKind::Delete => None,
    });
    base.chain(intents).collect()
}

/// Whether a document of other bytes can be one that has moved, where it has the title of one that has gone: not where only its
/// file is called so (each folder has its README), nor where it is private, because the page may be everybody's.
fn may_move_by_title(unborn: &Unborn) -> bool {
    unborn.document.title.is_some() && unborn.visibility == Visibility::Workspace
}

fn is_titled(sent: Option<&str>, title: &str) -> bool {
    sent.is_some_and(|sent| sent.trim() == title.trim())
}

/// The title of a document's page when it is made.
pub(super) fn title_of(unborn: &Unborn) -> String {
    unborn.document.title.clone().unwrap_or_else(|| unborn.name.clone())
}

/// The text of a page that is to be compared with what was sent, where it was looked at.
fn text_of(post: Option<&Post>, page: &Candidate) -> Option<Print> {
    let (looked, _) = page.page.as_ref()?;
    let seen = Seen::of(looked);
    let text = match post.map(|post| post.status) {
        Some(status) => crate::reconcile::merge::compared(status, &seen).cloned(),
        None => seen.live.clone(),
    };
    // A page without any text is none that we made: those have one, if only an empty one.
    Some(text.unwrap_or_else(|| Print::of(&looked.title, "")))
}
