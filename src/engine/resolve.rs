//! What a person decides (`hubsync resolve`, `hubsync forget`): decisions are remembered on their pages, the hub's text is
//! handed out for a file, pages are archived and forgotten. Only the engine's own files touch it.
//!
//! A file that was written settles nothing by itself: what it says is read, and the table adopts it where the hub says the
//! same. So a crash between any two steps leaves the hold, or what the person wanted.

use std::collections::BTreeMap;

use crate::document;
use crate::pace::quota::Lane;
use crate::page::{DocPath, DraftSeen, ListKind, Mono, Named, Now, Page, PageId, Status, Text};
use crate::reason::State;
use crate::reconcile::merge;
use crate::reconcile::names;
use crate::reconcile::page_record::{Keep, Resolution};

use super::change::{FileChange, LogEntry, LogEvent, OwnText};
use super::entry::{Action, Entry, Life, Planned, Standing, Want};
use super::orders::EDIT;
use super::plan::Progress;
use super::settled::Found;
use super::{Effect, Engine, Id, Mode};

/// A document that was written is read again within this, in milliseconds.
const WRITTEN_MS: u64 = 5_000;

/// A document that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    page: PageId,
    own_text: OwnText,
    version: Option<u64>,
}

/// Why a page can't be forgotten now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotForgotten {
    /// Nothing is remembered of it.
    #[error("nothing is remembered of it")]
    Unknown,
    /// A write may have arrived, or is under way.
    #[error("a write to its page is not answered yet; it is looked up first, so try again in a moment")]
    InDoubt,
}

impl Engine {
    /// Remembers what a person decided; each decision holds for the marks that it was made on.
    pub(super) fn decided(&mut self, now: Now, decided: Vec<(PageId, Resolution)>) {
        let lane = if decided.len() <= EDIT { Lane::Edit } else { Lane::Bulk };
        for (id, resolution) in decided {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.record.settled = Some(resolution);
            (entry.lane, entry.quiet) = (lane, None);
            self.unsaved.page(now.mono, &id);
            if self.entries.get(&id).is_some_and(|entry| entry.found.is_some()) {
                self.make_due(&id);
            }
        }
    }

    /// What would be done if a person decided so, as far as is known without asking the hub: by page.
    pub fn foresee(&mut self, now: Now, decided: Vec<(PageId, Keep)>) -> BTreeMap<PageId, Planned> {
        for (id, keep) in &decided {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            let Some(seen) = &entry.record.seen else { continue };
            entry.record.settled = Some(Resolution { keep: *keep, version: seen.version, updated_at: seen.updated_at });
            entry.record.moved = None;
            entry.sight.saw(now.mono);
            self.plan(now, id);
        }
        decided.into_iter().filter_map(|(id, keep)| Some((id.clone(), self.foreseen(&id, keep)?))).collect()
    }

    /// Where the last look is older than what is decided on, it is the text that will differ.
    fn foreseen(&self, id: &PageId, keep: Keep) -> Option<Planned> {
        let entry = self.entries.get(id)?;
        let status = match &entry.found {
            Some(Found::Document(document)) => document.status,
            _ => Status::Published,
        };
        let (action, fields) = match (keep, status) {
            (Keep::Archive, _) => (Action::Archive, Vec::new()),
            (Keep::Remote | Keep::Both, _) => (Action::Write, Vec::new()),
            (Keep::Local | Keep::Merged, Status::Published) => (Action::Patch, vec!["title", "content", "status"]),
            (Keep::Local | Keep::Merged, Status::Draft) => (Action::Patch, vec!["title", "content"]),
        };
        let replaces_title = entry.record.seen.as_ref().map(|seen| seen.title.clone());
        entry.planned.clone().or(Some(Planned { action, fields, replaces_title, rule: "R1" }))
    }

    /// R1: the hub's text is to come into the file. Whoever steps us writes it.
    pub(super) fn wants_text(&mut self, now: Now, id: &PageId, rule: &'static str, keep: Keep) -> Progress {
        if self.is_aside(id, rule) {
            return Progress::AtRest;
        }
        let planned = matches!(self.setting.mode, Mode::Offline | Mode::OneShot(super::Writes::Plan));
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        if planned {
            let replaces_title = entry.record.seen.as_ref().map(|seen| seen.title.clone());
            entry.standing = Standing::pending(rule, None);
            entry.planned = Some(Planned { action: Action::Write, fields: Vec::new(), replaces_title, rule });
            entry.life = Life::Idle;
            return Progress::AtRest;
        }
        let unread = self.unread_names(id, keep);
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        if !unread.is_empty() {
            entry.standing = Standing::pending(rule, None);
            entry.life = Life::Wants(Want::Names);
            self.names_wanted.extend(unread);
            return Progress::AtRest;
        }
        let Some(page) = entry.page.take() else {
            // It was looked at, but its text is not at hand any more.
            entry.sight.moved();
            return Progress::Again;
        };
        let Some(entry) = self.entries.get(id) else { return Progress::AtRest };
        let (path, change) = (entry.path.clone(), self.file_change(id, entry, &page, keep));
        let change = match change {
            Ok(change) => change,
            Err(why) => return self.unwritten(now, id, &why),
        };
        let write = self.fresh_id();
        let writing = Writing { page: id.clone(), own_text: change.own_text, version: change.version };
        self.writes.insert(write, writing);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.life = Life::InFlight;
        }
        self.outbox.push_back(Effect::Write(write, path, Box::new(change)));
        Progress::AtRest
    }

    /// Tables of names that were not read in this run and lack a name that the file is to say.
    fn unread_names(&self, id: &PageId, keep: Keep) -> Vec<ListKind> {
        let Some(entry) = self.entries.get(id) else { return Vec::new() };
        let (Some(seen), true) = (&entry.record.seen, entry.page.is_some()) else { return Vec::new() };
        let managed = |kind: ListKind| match &entry.found {
            Some(Found::Document(document)) if keep == Keep::Remote => names::kinds(&document.named).contains(&kind),
            Some(Found::Document(_)) => false,
            _ => true,
        };
        let nameless = |kind: ListKind| {
            let ids = seen.lists.get(kind).into_iter().flatten();
            ids.into_iter().any(|id| !names::knows(kind, id, &self.names))
        };
        let unread = |kind: &ListKind| managed(*kind) && nameless(*kind) && !self.names_read.contains_key(kind);
        ListKind::ALL.into_iter().filter(unread).collect()
    }

    /// What the file of a page is to say.
    fn file_change(&self, id: &PageId, entry: &Entry, page: &Page, keep: Keep) -> Result<FileChange, String> {
        let document = match &entry.found {
            Some(Found::Document(document)) => Some(document),
            _ => None,
        };
        let desired = document.and_then(|document| self.desired(document).ok());
        let draft = match &page.draft {
            DraftSeen::Some(text) => Some(text),
            DraftSeen::None | DraftSeen::NotAsked => None,
        };
        let seen = entry.record.seen.as_ref();
        // Between a document and somebody's draft, it is the draft that both are about.
        let foreign =
            seen.is_some_and(|seen| merge::foreign_draft(desired.as_ref(), entry.record.base.as_ref(), seen).is_some());
        let (text, status) = match (document.map(|document| document.status), &page.live) {
            (Some(Status::Draft), live) => (draft.or(live.as_ref()), None),
            (Some(Status::Published), _) if keep == Keep::Both && foreign => (draft, None),
            (Some(Status::Published), Some(live)) => (Some(live), None),
            (None, Some(live)) => (Some(live), Some(Status::Published)),
            // What was never published is no published document.
            (Some(Status::Published) | None, None) => (draft, Some(Status::Draft)),
        };
        let text = text.filter(|text| !text.body.trim().is_empty());
        let Some(text) = text else { return Err("the page has no text in the hub".to_owned()) };
        let own_text = if keep == Keep::Both && document.is_some() { OwnText::Beside } else { OwnText::Replaced };
        let lists = |kind: ListKind| {
            let theirs = page.lists.get(kind)?;
            let ours = desired.as_ref().and_then(|desired| desired.lists.get(kind));
            let wanted = match (document, own_text) {
                (_, OwnText::Beside) => false,
                (None, OwnText::Replaced) => !theirs.is_empty(),
                (Some(_), OwnText::Replaced) => ours.is_some_and(|ours| ours != theirs),
            };
            wanted.then(|| theirs.iter().map(|id| names::spelled(kind, id, &self.names)).collect())
        };
        Ok(FileChange {
            page: id.clone(),
            version: page.version,
            source: document.map(|document| document.source),
            own_text,
            text: self.without_notice(text),
            status: if own_text == OwnText::Beside { None } else { status },
            lists: Named {
                folders: lists(ListKind::Folders),
                skills: lists(ListKind::Skills),
                sources: lists(ListKind::Sources),
            },
        })
    }

    /// A page's text as a document has it.
    fn without_notice(&self, text: &Text) -> Text {
        let body = match &self.policy.rules.notice {
            Some(notice) => document::without_notice(&text.body, notice).to_owned(),
            None => text.body.clone(),
        };
        Text { title: text.title.clone(), body }
    }

    /// A document was written, or why not. What it says by now is read as any other change.
    pub(super) fn wrote(&mut self, now: Now, write: Id, result: Result<(), String>) {
        let Some(Writing { page: id, own_text, version }) = self.writes.remove(&write) else { return };
        if let Err(why) = result {
            self.unwritten(now, &id, &why);
            return;
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        // The folder tells what it says by now; where it has told so already, or never will, it is decided then.
        entry.life = Life::Waiting(now.mono.plus(WRITTEN_MS));
        match (own_text, &mut entry.record.settled) {
            (OwnText::Beside, Some(settled)) => settled.keep = Keep::Merged,
            (_, settled) => *settled = None,
        }
        if let Some(entry) = self.entries.get(&id) {
            let (path, event) = (entry.path.to_text(), LogEvent::Written { version });
            self.unsaved.log.push(LogEntry { at: now.wall, page: id.clone(), path, event, rule: "R1".to_owned() });
        }
        self.unsaved.page(now.mono, &id);
    }

    /// What was decided can't be done: the page is held as before, with the reason beside.
    pub(super) fn unwritten(&mut self, now: Now, id: &PageId, why: &str) -> Progress {
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        (entry.record.settled, entry.life) = (None, Life::Idle);
        self.unsaved.page(now.mono, id);
        self.plan(now, id);
        if let Some(reason) = self.entries.get_mut(id).and_then(|entry| entry.standing.reason.as_mut()) {
            reason.message += &format!("; it could not be settled so: {why}");
        }
        Progress::AtRest
    }

    /// The hub took the archive.
    pub(super) fn archive_answered(&mut self, now: Now, id: &PageId, ended: Mono) {
        let rule = self.entries.get(id).map_or("", |entry| entry.standing.rule);
        self.archived(now, id, rule);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.sight.forget(ended);
        }
        self.drop_intent(now, id);
    }

    /// We archived the page.
    pub(super) fn archived(&mut self, now: Now, id: &PageId, rule: &'static str) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let record = &mut entry.record;
        (record.archived, record.doubt, record.settled, record.trouble) = (Some(now.wall), None, None, None);
        let (path, rule) = (entry.path.to_text(), rule.to_owned());
        self.unsaved.log.push(LogEntry { at: now.wall, page: id.clone(), path, event: LogEvent::Archived, rule });
        self.unsaved.page(now.mono, id);
    }

    /// Forgets all that is remembered of a page, and answers where its document lay. One that still names the page is met again,
    /// once the folder tells of it anew.
    ///
    /// # Errors
    /// While a write to it is not answered.
    pub fn forget_page(&mut self, now: Now, id: &PageId) -> Result<DocPath, NotForgotten> {
        let Some(entry) = self.entries.get(id) else { return Err(NotForgotten::Unknown) };
        if entry.life == Life::InFlight || entry.intent.is_some() || entry.record.doubt.is_some() {
            return Err(NotForgotten::InDoubt);
        }
        let path = entry.path.clone();
        self.entries.remove(id);
        self.due.retain(|due| due != id);
        self.unsaved.forget(now.mono, id);
        self.note_rewrite(id);
        Ok(path)
    }

    /// Whether what became of a page is stored.
    pub fn is_stored(&self, id: &PageId) -> bool {
        let holds = |unsaved: &super::Unsaved| unsaved.pages.contains(id) || unsaved.forgotten.contains(id);
        !holds(&self.unsaved) && !self.stores.values().any(holds)
    }
}

impl Entry {
    /// Whether a person is at the markers that were written into its file: their decision outlives that.
    pub(super) fn awaits_a_merge(&self) -> bool {
        let merged = self.record.settled.as_ref().is_some_and(|settled| settled.keep == Keep::Merged);
        merged && matches!(self.standing.state, State::Blocked | State::Skipped | State::Pending)
    }
}
