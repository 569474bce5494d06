//! What came of making pages: the answer to a POST, the list and the looks that settle one in doubt, the page that is known
//! from then on, and its id that is written into the file.

use crate::pace::backoff::Backoff;
use crate::page::{DocPath, Now, Page, PageId, PageStatus, Patch, PatchText, Print, Status};
use crate::reason::{Code, Reason, State};
use crate::reconcile::birth::{Birth, Post, PostDoubt};
use crate::reconcile::page_record::{Intent, IntentKind, PageRecord, Refused, Seen, Trouble};
use crate::reconcile::step::{Hold, RemoteDraft};
use crate::reconcile::{acknowledged, merge, names, wanted};

use super::births::Candidate;
use super::change::{IdLine, LogEntry, LogEvent, Written};
use super::entry::{Entry, Life, Search, Standing};
use super::listing::{Complete, Read};
use super::outcome::Outcome;
use super::plan::Progress;
use super::request::{Answer, AnswerBody};
use super::settled::Found;
use super::{Effect, Engine, Id, Mode, Writes};

/// A file that was changed, or is not what it was, is told anew; should nobody say so, it is tried again after so long, in
/// milliseconds.
const AGAIN_MS: u64 = 3_000;

/// What could not be written into a file is tried again this often, in milliseconds.
const UNWRITABLE_MS: u64 = 60_000;

impl Engine {
    // ---- answers

    /// A POST was answered.
    pub(super) fn create_answered(&mut self, now: Now, path: &DocPath, answer: Answer, outcome: Outcome) {
        let post = self.births.get_mut(path).and_then(|birthing| birthing.intent.take());
        match (outcome, answer.body, post) {
            (Outcome::Done, AnswerBody::Page(page), Some(post)) => {
                let seen = after_post(&post, &page);
                let echo = if post.status == Status::Published { seen.live.clone() } else { None };
                self.made(now, path, &page, (&post, seen, echo), "N2");
                if let Some(entry) = self.entries.get_mut(&page.id) {
                    entry.sight.forget(answer.ended.mono);
                }
                return;
            }
            (Outcome::InDoubt { code, message } | Outcome::Retry { code, message }, _, Some(post)) => {
                if let Some(birthing) = self.births.get_mut(path) {
                    birthing.birth.doubt = Some(PostDoubt { post, dead: answer.ended.mono });
                    birthing.found = None;
                }
                self.birth_trouble(now, path, code, message);
            }
            (Outcome::Rejected { message, .. }, _, Some(post)) => {
                self.birth_refused(now, path, &post, message);
            }
            (Outcome::Unwritable { message }, ..) => {
                let until = now.mono.plus(UNWRITABLE_MS);
                if let Some(birthing) = self.births.get_mut(path) {
                    birthing.unwritable = Some((until, unwritable(message)));
                }
            }
            (Outcome::Stale, ..) => {
                self.drop_post(now, path);
                self.births_due.retain(|due| due != path);
                if let Some(birthing) = self.births.get_mut(path) {
                    birthing.life = Life::Waiting(now.mono.plus(AGAIN_MS));
                }
                self.outbox.push_back(Effect::Reread(path.clone()));
                return;
            }
            // Nothing was applied, and the gates know when to go on.
            _ => {}
        }
        self.drop_post(now, path);
    }

    /// The hub will never take this: it is not sent again until the document, its names or the rules are others.
    fn birth_refused(&mut self, now: Now, path: &DocPath, post: &Post, message: String) {
        let Some(unborn) = self.births.get(path).and_then(|birthing| birthing.unborn.clone()) else { return };
        let desired = self.desired(&unborn.document);
        // A newer text is on disk by now: the refusal is of the old one.
        if let (Ok(desired), true) = (desired, unborn.document.source == post.source)
            && let Some(birthing) = self.births.get_mut(path)
        {
            birthing.birth.refused = Some(Refused { wanted: wanted(&desired), message });
            birthing.birth.trouble = None;
        }
        let lately = |kind| self.names_read.get(&kind).is_some_and(|at| now.mono.since(*at) < 300_000);
        let kinds = names::kinds(&unborn.document.named).into_iter().filter(|kind| !lately(*kind));
        self.names_wanted.extend(kinds);
    }

    /// A page of the list of what was made came, or did not.
    pub(super) fn made_answered(&mut self, now: Now, answer: Answer, outcome: Outcome) {
        let why = super::answers::why(&outcome);
        let read = match (outcome, answer.body) {
            (Outcome::Done, AnswerBody::Rows(listed)) => match &mut self.made {
                Some(made) => made.list.take(listed, answer.sent.mono, answer.date),
                None => return,
            },
            (outcome, _) if super::answers::is_gated(&outcome) => {
                self.made = None;
                return;
            }
            _ => Read::Failed,
        };
        match read {
            Read::More => {}
            Read::Complete(complete) => self.made_listed(now, complete),
            Read::Failed => {
                self.made = None;
                self.list_failed(now, &why);
            }
        }
    }

    /// The list is complete: whoever waited for it has what it tells, if it was sent late enough and begins early enough.
    fn made_listed(&mut self, now: Now, complete: Complete) {
        let after = self.made.take().and_then(|made| made.after);
        self.list_failures = 0;
        self.gates.list_read();
        let paths: Vec<DocPath> = self.births.keys().cloned().collect();
        for path in paths {
            let Some(birthing) = self.births.get_mut(&path) else { continue };
            let Some(doubt) = &mut birthing.birth.doubt else { continue };
            if complete.as_of < doubt.settled_from() || doubt.post.since < after {
                continue;
            }
            // The first answer ever says what time it is over there.
            doubt.post.since =
                doubt.post.since.or_else(|| self.hub_clock.and_then(|clock| clock.sent(now, doubt, self.woken)));
            // A list that begins earlier, for another's sake, tells of pages that this POST can't have made.
            let titled = |row: &&crate::page::Row| {
                row.title.trim() == doubt.post.title.trim()
                    && row.status != PageStatus::Archived
                    && doubt.post.since.is_none_or(|since| row.updated_at >= since)
            };
            let rows = complete.rows.iter().filter(titled);
            let found = rows.map(|row| (row.id.clone(), Candidate { row: row.clone(), page: None })).collect();
            birthing.found = Some(found);
            self.make_birth_due(&path);
        }
    }

    /// A page that may be the one was looked at.
    pub(super) fn candidate_answered(
        &mut self,
        now: Now,
        path: &DocPath,
        id: &PageId,
        answer: Answer,
        outcome: Outcome,
    ) {
        let candidates = self.births.get_mut(path).and_then(|birthing| birthing.found.as_mut());
        match (outcome, answer.body, candidates) {
            (Outcome::Done, AnswerBody::Page(page), Some(found)) => {
                if let Some(candidate) = found.get_mut(id) {
                    candidate.page = Some((page, answer.sent.mono));
                }
            }
            (Outcome::Done | Outcome::Absent, _, Some(found)) => drop(found.remove(id)),
            (Outcome::Retry { code, message } | Outcome::InDoubt { code, message }, ..) => {
                self.birth_trouble(now, path, code, message);
            }
            (Outcome::Rejected { status, message, .. }, ..) => {
                let message = format!("the hub answered {status} to a look: {message}");
                self.birth_trouble(now, path, Code::ServerError, message);
            }
            _ => {}
        }
        if let Some(birthing) = self.births.get_mut(path) {
            birthing.life = Life::Idle;
        }
        self.make_birth_due(path);
    }

    /// A passing fault: it backs off.
    fn birth_trouble(&mut self, now: Now, path: &DocPath, code: Code, message: String) {
        let jitter = self.setting.jitter;
        if let Some(birthing) = self.births.get_mut(path) {
            let attempts = birthing.birth.trouble.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
            let ms = i64::try_from(Backoff::PAGE.delay(attempts, jitter)).unwrap_or(i64::MAX);
            birthing.birth.trouble = Some(Trouble { attempts, next: now.wall.plus(ms), code, message });
            if attempts >= Backoff::FAILED_AFTER {
                birthing.lane = crate::pace::quota::Lane::Bulk;
            }
            self.unsaved.birth(now.mono, path);
        }
    }

    // ---- the page

    /// A POST in doubt had made this page.
    pub(super) fn found_ours(&mut self, now: Now, path: &DocPath, id: &PageId, rule: &'static str) -> Progress {
        let Some(birthing) = self.births.get_mut(path) else { return Progress::AtRest };
        let page = birthing.found.as_mut().and_then(|found| found.remove(id)).and_then(|candidate| candidate.page);
        let (Some((page, sent)), Some(doubt)) = (page, birthing.birth.doubt.clone()) else { return Progress::Again };
        let mut seen = Seen::of(&page);
        // Its second may not be over yet: another edit in it would have the same mark.
        seen.racy = page.updated_at.is_whole_second();
        let echo = merge::compared(doubt.post.status, &seen).cloned();
        self.made(now, path, &page, (&doubt.post, seen, echo), rule);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.sight.saw(sent);
        }
        Progress::AtRest
    }

    /// The page is there: from now on it is a page like any other, with what was sent as its base. Its id goes into the file
    /// once this is stored.
    fn made(
        &mut self,
        now: Now,
        path: &DocPath,
        page: &Page,
        (post, seen, echo): (&Post, Seen, Option<Print>),
        rule: &'static str,
    ) {
        let Some(birthing) = self.births.remove(path) else { return };
        self.unsaved.birth(now.mono, path);
        let text = PatchText { title: Some(post.title.clone()), body: post.body, status: post.status };
        let patch = Patch { text: Some(text), lists: post.lists.clone() };
        let kind = IntentKind::Patch(patch.clone());
        let intent = Intent { kind, source: post.source, rules: post.rules, stored: post.stored };
        let base = acknowledged(&intent, &patch, None, &seen, echo.as_ref(), now);
        let id = page.id.clone();
        self.looked.insert(id.clone());
        let fresh = || Entry::new(path.clone(), PageRecord::default());
        let entry = self.entries.entry(id.clone()).or_insert_with(fresh);
        entry.record.base = Some(base);
        (entry.record.seen, entry.record.born) = (Some(seen), Some(now.wall));
        (entry.lane, entry.order) = (birthing.lane, birthing.order);
        if entry.found.is_none() {
            match birthing.unborn {
                Some(unborn) => {
                    let reason = Reason::new(Code::NoPageId, "the page_id is not in the file yet");
                    entry.found = Some(Found::Unnamed { document: unborn.document, reason });
                }
                None => self.outbox.push_back(Effect::Reread(path.clone())),
            }
        }
        entry.standing = Standing::pending("N4", None);
        let event = LogEvent::Created { version: page.version };
        let log = LogEntry { at: now.wall, page: id.clone(), path: path.to_text(), event, rule: rule.to_owned() };
        self.unsaved.log.push(log);
        self.unsaved.page(now.mono, &id);
        // Before the file is looked at again: its path is known as this page's.
        self.outbox.push_front(Effect::Known(id.clone(), path.clone()));
        self.make_due(&id);
    }

    /// The document of this page has moved here without its id: from now on it is at home here, whatever becomes of its text,
    /// and no other can be taken for it.
    pub(super) fn moved_in(&mut self, now: Now, path: &DocPath, id: &PageId) -> Progress {
        let Some(birthing) = self.births.remove(path) else { return Progress::AtRest };
        if birthing.birth != Birth::default() {
            self.unsaved.birth(now.mono, path);
        }
        let Some(unborn) = birthing.unborn else { return Progress::AtRest };
        let reason = Reason::new(Code::NoPageId, "the page_id is not in the file, which was moved");
        self.take_found(now, id, path.clone(), Found::Unnamed { document: unborn.document, reason });
        self.outbox.push_front(Effect::Known(id.clone(), path.clone()));
        self.make_due(id);
        Progress::AtRest
    }

    // ---- the id in the file

    /// N4: the page's id belongs into its file.
    pub(super) fn wants_id(&mut self, id: &PageId, rule: &'static str) -> Progress {
        if self.is_aside(id, rule) {
            return Progress::AtRest;
        }
        let Some(entry) = self.entries.get_mut(id) else { return Progress::AtRest };
        let Some(Found::Unnamed { document, .. }) = &entry.found else { return Progress::AtRest };
        let line = IdLine { path: entry.path.clone(), source: document.source, page: id.clone() };
        if entry.standing.rule != rule || entry.standing.state != State::Blocked {
            entry.standing = Standing::pending(rule, None);
        }
        entry.life = Life::Idle;
        self.write_id(line);
        Progress::AtRest
    }

    /// Has the id written, if that it belongs there is stored; else it is asked for again when it is.
    fn write_id(&mut self, line: IdLine) {
        let writes = matches!(self.setting.mode, Mode::Daemon | Mode::OneShot(Writes::Send));
        let unsaved =
            self.unsaved.pages.contains(&line.page) || self.stores.values().any(|s| s.pages.contains(&line.page));
        if !writes || unsaved {
            return;
        }
        let effect = self.fresh_id();
        self.set_life(&line, Life::InFlight);
        self.id_lines.insert(effect, line.clone());
        self.outbox.push_back(Effect::WriteId(effect, line));
    }

    /// Whether a file that may name the page is not seen yet: its id is just being written, or everything is to be looked at.
    pub(super) fn is_on_its_way(&self, id: &PageId, entry: &Entry) -> bool {
        entry.search == Search::Ordered || self.id_lines.values().any(|line| line.page == *id)
    }

    /// These pages are stored: their ids may be written.
    pub(super) fn write_stored(&mut self, stored: impl Iterator<Item = PageId>) {
        for id in stored {
            let unnamed = |entry: &Entry| matches!(entry.found, Some(Found::Unnamed { .. }));
            if self.entries.get(&id).is_some_and(|entry| entry.record.born.is_some() && unnamed(entry)) {
                self.make_due(&id);
            }
        }
    }

    /// A file was changed, or why not.
    pub(super) fn id_written(&mut self, now: Now, effect: Id, written: Written) {
        let Some(line) = self.id_lines.remove(&effect) else { return };
        match written {
            Written::Done | Written::Stale => {
                if written == Written::Done {
                    self.came_back(now, &line);
                }
                let again = now.mono.plus(self.policy.debounce).plus(AGAIN_MS);
                self.set_life(&line, Life::Waiting(again));
                self.outbox.push_back(Effect::Reread(line.path));
            }
            Written::Failed(why) => {
                let Hold { state, reason, .. } = unwritable(format!("its page {} is made, but {why}", line.page));
                let standing = Standing {
                    state,
                    reason: Some(reason),
                    draft: RemoteDraft::None,
                    remote_version: None,
                    rule: "N4",
                };
                self.set_life(&line, Life::Waiting(now.mono.plus(UNWRITABLE_MS)));
                self.set_standing(&line, standing);
            }
        }
    }

    /// A file that was told as gone has its id by now: it is there again, which the folder will tell.
    fn came_back(&mut self, now: Now, line: &IdLine) {
        let gone = |entry: &Entry| entry.path == line.path && matches!(entry.found, Some(Found::Gone { .. }));
        if self.entries.get(&line.page).is_some_and(gone) {
            let reason = Reason::new(Code::StillBeingWritten, "the page_id was just written into the file");
            self.take_found(now, &line.page, line.path.clone(), Found::Held(reason));
            self.outbox.push_back(Effect::Known(line.page.clone(), line.path.clone()));
        }
    }

    /// Where the page that asked for the line stands now. What has changed meanwhile is decided again at once.
    fn set_life(&mut self, line: &IdLine, life: Life) {
        let Some(entry) = self.entries.get_mut(&line.page) else { return };
        let same = entry.path == line.path
            && matches!(&entry.found, Some(Found::Unnamed { document, .. }) if document.source == line.source);
        entry.life = if same { life } else { Life::Idle };
        if !same {
            self.make_due(&line.page);
            // Who may have it waits no more.
            self.make_births_due();
        }
    }

    fn set_standing(&mut self, line: &IdLine, standing: Standing) {
        let Some(entry) = self.entries.get_mut(&line.page) else { return };
        if entry.standing.reason != standing.reason {
            self.news.insert(line.page.clone());
        }
        entry.standing = standing;
    }
}

fn unwritable(why: String) -> Hold {
    let message = format!("no page_id can be written into this file: {why}");
    Hold { state: State::Blocked, reason: Reason::new(Code::NoPageId, message), remote_version: None, wake: None }
}

/// What is known of a page right after it was made: the answer, and of texts what was sent.
fn after_post(post: &Post, page: &Page) -> Seen {
    let mut seen = Seen::of(page);
    seen.racy = page.updated_at.is_whole_second();
    if post.status == Status::Draft {
        // Whatever the answer shows of it is the draft.
        (seen.live, seen.draft) = (None, Some(post.marks()));
    }
    seen
}
