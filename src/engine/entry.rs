//! One page in the engine: what is remembered of it, what its file says, what is known of the hub, and where it stands in
//! its life. Only the engine's own files touch it.

use crate::pace::quota::Lane;
use crate::page::{DocPath, DraftSeen, Mono, Now, Page, Print, Row, Stamp, Status, Wall};
use crate::reason::{Code, Reason, State};
use crate::reconcile::FRESH_MS;
use crate::reconcile::page_record::{Intent, PageRecord, Seen};
use crate::reconcile::step::{Remote, RemoteDraft};

use super::settled::{Found, History};
use crate::simulation::{Planted, planted};

/// A page that has a document, or had one.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where its document lies, or lay.
    pub path: DocPath,
    /// What the folder says; `None` until it was read.
    pub found: Option<Found>,
    /// When this process missed the file first, where it was there before.
    pub gone_first: Option<Mono>,
    /// When the file was looked for last, in vain.
    pub gone_seen: Option<Now>,
    /// Whether it was looked for everywhere.
    pub search: Search,
    /// What is remembered.
    pub record: PageRecord,
    /// What is known of the hub beyond the record.
    pub sight: Sight,
    /// The texts of the last GET, for a backup; only while they may be needed.
    pub page: Option<Box<Page>>,
    /// Where it stands.
    pub life: Life,
    /// A write that is stored, or under way.
    pub intent: Option<Intent>,
    /// How it is reported.
    pub standing: Standing,
    /// Whose requests go first.
    pub lane: Lane,
    /// Since when it wants something: older goes first.
    pub order: u64,
    /// The first change that is not published yet, and until when more quiet is wanted.
    pub quiet: Option<Quiet>,
    /// What would be sent, in a dry run.
    pub planned: Option<Planned>,
    /// What its document said before, where the names of that are not ids yet.
    pub history: Option<Box<History>>,
}

/// Whether a file that went before it was seen to name its page was looked for: it may lie anywhere, with the id or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// It was, or need not be.
    Done,
    /// Not yet.
    Ordered,
}

/// The life of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It asks for nothing.
    Idle,
    /// It is to be decided.
    Due,
    /// It asks for a request.
    Wants(Want),
    /// A request is under way for it, or its intent is being stored.
    InFlight,
    /// It is to be decided then.
    Waiting(Mono),
}

/// What a page asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// A GET of the page.
    Get,
    /// A GET, or a list that serves others too.
    Fresh,
    /// The tables of names.
    Names,
    /// To be written.
    Write,
}

/// How a page is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The contract's state.
    pub state: State,
    /// Why.
    pub reason: Option<Reason>,
    /// Whether somebody's draft lies on the page.
    pub draft: RemoteDraft,
    /// The hub's version that this rests on.
    pub remote_version: Option<u64>,
    /// The row of the table that said so.
    pub rule: &'static str,
}

/// A page that was published lately waits for more quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quiet {
    /// The first change that is not published yet.
    pub since: Mono,
    /// Not before this.
    pub until: Mono,
}

/// What a dry run would send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What would be done.
    pub action: Action,
    /// The API's names of the fields.
    pub fields: Vec<&'static str>,
    /// The hub's title now.
    pub replaces_title: Option<String>,
    /// The row of the table that says so.
    pub rule: &'static str,
}

/// What can be done for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is published.
    Patch,
    /// It is made.
    Create,
    /// It is archived.
    Archive,
    /// Its text is written into its document.
    Write,
}

/// What this process knows of the hub's side of one page, by when it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// A GET answered with the page, which is `record.seen`.
    is: Option<Mono>,
    /// A GET or PATCH answered that there is no such page.
    absent: Option<Mono>,
    /// A complete list showed nothing new.
    unmoved: Option<Mono>,
    /// What was asked before this counts for nothing: we wrote since, or the machine was suspended.
    floor: Mono,
}

impl Sight {
    /// A GET that was sent at `as_of` showed the page.
    pub fn saw(&mut self, as_of: Mono) {
        (self.is, self.absent) = ((as_of >= self.floor).then_some(as_of), None);
    }

    /// A request that was sent at `as_of` found no page.
    pub fn missed(&mut self, as_of: Mono) {
        (self.is, self.absent) = (None, Some(as_of));
    }

    /// A complete list that was sent at `as_of` showed nothing new.
    pub fn unmoved(&mut self, as_of: Mono) {
        if as_of >= self.floor {
            self.unmoved = Some(as_of);
        }
    }

    /// A row told of a change: what was known is old.
    pub fn moved(&mut self) {
        (self.is, self.unmoved) = (None, None);
    }

    /// Whether a request sent at `as_of` may tell of a page that a later GET did not find.
    pub fn revives(&self, as_of: Mono) -> bool {
        self.absent.is_none_or(|absent| as_of > absent)
    }

    /// We write, or an answer came: what was asked before counts for nothing.
    pub fn forget(&mut self, floor: Mono) {
        *self = Self { floor, ..Self::default() };
    }
}

impl Entry {
    /// A page as it was remembered, or met for the first time.
    pub fn new(path: DocPath, record: PageRecord) -> Self {
        Self {
            path,
            found: None,
            gone_first: None,
            gone_seen: None,
            search: Search::Done,
            record,
            sight: Sight::default(),
            page: None,
            life: Life::Idle,
            intent: None,
            standing: Standing::unread(),
            lane: Lane::Bulk,
            order: 0,
            quiet: None,
            planned: None,
            history: None,
        }
    }

    /// Whether the hub was ever asked for it: from then on a list may tell of it.
    pub fn was_asked_for(&self) -> bool {
        let PageRecord { base, seen, absent, archived, .. } = &self.record;
        base.is_some() || seen.is_some() || absent.is_some() || archived.is_some()
    }

    /// Whether it is a page of ours: it was asked for, or has a document.
    pub fn is_known(&self) -> bool {
        self.was_asked_for() || matches!(self.found, Some(Found::Document(_) | Found::Unnamed { .. }))
    }

    /// What is known of the hub, for `decide`. A row that tells of a change outweighs all but a newer GET, which drops it.
    pub fn remote(&self, now: Mono) -> Remote<'_> {
        if let Some(row) = &self.record.moved {
            return Remote::Moved(row);
        }
        let Sight { is, absent, unmoved, .. } = self.sight;
        match (is, absent, unmoved, &self.record.seen) {
            (Some(as_of), _, later, Some(page)) => match later {
                Some(list) if list > as_of && now.since(as_of) > FRESH_MS => Remote::Unmoved { as_of: list },
                _ => Remote::Is { page, as_of },
            },
            (_, Some(as_of), _, _) => Remote::Absent { as_of },
            (_, _, Some(as_of), _) => Remote::Unmoved { as_of },
            _ => Remote::Unknown,
        }
    }

    /// Takes in a row of a list that was sent at `as_of`. Answers whether it tells of a change.
    pub fn take_row(&mut self, row: &Row, as_of: Mono) -> bool {
        if !self.sight.revives(as_of) {
            return false;
        }
        let news = match &self.record.seen {
            Some(seen) if seen.explains(row) => false,
            Some(seen) if seen.is_newer_than(row.updated_at, row.version) => planted(Planted::OlderReplacesNewer),
            _ => self.record.moved.as_ref() != Some(row),
        };
        if news {
            self.record.moved = Some(row.clone());
        }
        if self.record.moved.is_some() {
            self.record.absent = None;
            self.sight.moved();
        } else {
            self.sight.unmoved(as_of);
        }
        news
    }

    /// The document's title, else the one last seen.
    pub fn title(&self) -> Option<String> {
        let written = match &self.found {
            Some(Found::Document(document) | Found::Unnamed { document, .. }) => document.title.clone(),
            _ => None,
        };
        written.or_else(|| self.record.seen.as_ref().map(|seen| seen.title.clone()))
    }

    /// The marks of the page as last known: what a person who looked at `status` decided on.
    pub fn marks(&self) -> Option<(Option<u64>, Stamp)> {
        let row = self.record.moved.as_ref().map(|row| (row.version, row.updated_at));
        row.or_else(|| self.record.seen.as_ref().map(|seen| (seen.version, seen.updated_at)))
    }

    /// Whether nothing is left of it but that we archived its page: its file is gone, or nobody can tell (the root is in question).
    pub fn is_archived_for_good(&self) -> bool {
        let gone = matches!(self.found, None | Some(Found::Gone { .. }));
        gone && self.record.archived.is_some() && self.record.base.is_none()
    }

    /// When it may be tried again after a passing fault, on the monotonic clock.
    pub fn retry_at(&self, mono: Mono, wall: Wall) -> Option<Mono> {
        let next = self.record.trouble.as_ref()?.next;
        let ms = u64::try_from(next.0.saturating_sub(wall.0)).unwrap_or(0);
        (ms > 0).then(|| mono.plus(ms))
    }
}

impl Standing {
    /// Before the folder was read.
    fn unread() -> Self {
        Self { state: State::Pending, reason: None, draft: RemoteDraft::None, remote_version: None, rule: "" }
    }

    /// Changed, will be sent.
    pub fn pending(rule: &'static str, reason: Option<Reason>) -> Self {
        Self { state: State::Pending, reason, rule, ..Self::unread() }
    }

    /// Nothing to do.
    pub fn in_step(rule: &'static str, draft: RemoteDraft, remote_version: Option<u64>) -> Self {
        Self { state: State::InStep, reason: None, draft, remote_version, rule }
    }

    /// In doubt: the answer to a write is missing.
    pub fn in_doubt(rule: &'static str) -> Self {
        Self::pending(
            rule,
            Some(Reason::new(
                Code::InDoubt,
                "the answer to a write is missing; the page is looked at before anything is sent again",
            )),
        )
    }
}

/// What is known of a page after our write: its answer, and of texts what was sent.
pub(super) fn after_write(entry: &Entry, patch: &crate::page::Patch, page: &Page) -> Seen {
    let mut seen = Seen::of(page);
    seen.racy = page.updated_at.is_whole_second();
    let old_draft = || entry.record.seen.as_ref().and_then(|old| old.draft.clone());
    seen.draft = match &patch.text {
        None => old_draft(),
        Some(text) if text.status == Status::Published => None,
        Some(text) => {
            let title = text.title.clone().unwrap_or_else(|| page.title.clone());
            Some(Print { title, body: text.body })
        }
    };
    if let DraftSeen::Some(text) = &page.draft {
        seen.draft = Some(Print::of(&text.title, &text.body));
    }
    if seen.draft == seen.live {
        seen.draft = None;
    }
    seen
}

pub(super) fn row_of(page: &Page) -> Row {
    Row {
        id: page.id.clone(),
        status: page.status,
        title: page.title.clone(),
        version: page.version,
        updated_at: page.updated_at,
        folders: page.lists.folders.clone().unwrap_or_default(),
        skills: page.lists.skills.clone().unwrap_or_default(),
    }
}
