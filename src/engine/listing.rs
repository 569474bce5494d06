//! Reading a paginated list whole. A list that shifts while it is read (a row twice, another total) is read again: only a
//! complete list may say that a page was left alone.

use std::collections::BTreeSet;

use crate::page::{ListKind, Mono, Row, Stamp, Wall};
use crate::reconcile::names::Names;

use super::change::Marks;
use super::request::{AnswerBody, Listed, Request};

/// How often a list is begun again before it counts as failed.
const RESTARTS: u32 = 3;

/// A row becomes visible later than its stamp says: so much is listed again, in microseconds (design: watermark).
const LATE_US: i64 = 30_000_000;

/// The pages touched since the watermark, as far as they have been read.
#[derive(Clone, Debug)]
pub(super) struct PageList {
    after: Option<Stamp>,
    progress: Progress<Row>,
    date: Option<Wall>,
}

/// What came of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// There is more to read.
    More,
    /// That was all.
    Complete(T),
    /// It shifts too often.
    Failed,
}

/// A complete list of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complete {
    /// The rows, newest first.
    pub rows: Vec<Row>,
    /// When its first page was sent.
    pub as_of: Mono,
    /// Where the next list begins.
    pub watermark: Option<Stamp>,
}

#[derive(Clone, Debug)]
struct Progress<T> {
    rows: Vec<T>,
    ids: BTreeSet<String>,
    total: Option<u64>,
    next_page: u32,
    as_of: Option<Mono>,
    restarts: u32,
}

impl<T> Progress<T> {
    fn new() -> Self {
        Self { rows: Vec::new(), ids: BTreeSet::new(), total: None, next_page: 1, as_of: None, restarts: 0 }
    }

    /// Takes one page of the list in.
    fn take(&mut self, listed: Listed<T>, sent: Mono, id: impl Fn(&T) -> &str) -> Read<Vec<T>> {
        let as_of = *self.as_of.get_or_insert(sent);
        let shifted = self.total.is_some_and(|total| total != listed.total_count)
            || listed.rows.iter().any(|row| !self.ids.insert(id(row).to_owned()));
        if shifted {
            let restarts = self.restarts + 1;
            *self = Self { restarts, ..Self::new() };
            return if restarts > RESTARTS { Read::Failed } else { Read::More };
        }
        self.as_of = Some(as_of);
        self.total = Some(listed.total_count);
        let ends = self.next_page >= listed.total_pages;
        self.rows.extend(listed.rows);
        self.next_page += 1;
        if ends { Read::Complete(std::mem::take(&mut self.rows)) } else { Read::More }
    }
}

impl<T> Progress<T> {
    /// Takes one page of the list in; the whole list replaces `table`.
    fn take_into(
        &mut self,
        listed: Listed<T>,
        sent: Mono,
        id: impl Fn(&T) -> &str,
        table: &mut Option<Vec<T>>,
    ) -> Read<()> {
        match self.take(listed, sent, id) {
            Read::More => Read::More,
            Read::Failed => Read::Failed,
            Read::Complete(rows) => {
                *table = Some(rows);
                Read::Complete(())
            }
        }
    }
}

impl PageList {
    /// A list of all that was touched since the watermark.
    pub fn new(marks: &Marks) -> Self {
        Self { after: marks.watermark, progress: Progress::new(), date: None }
    }

    /// A list of all that was touched at this moment or later; `None`: of all pages.
    pub fn since(after: Option<Stamp>) -> Self {
        Self { after, progress: Progress::new(), date: None }
    }

    /// What to send next.
    pub fn request(&self) -> Request {
        Request::List { updated_after: self.after, page: self.progress.next_page }
    }

    /// Takes an answer in.
    pub fn take(&mut self, listed: Listed<Row>, sent: Mono, date: Option<Wall>) -> Read<Complete> {
        if self.progress.next_page == 1 {
            self.date = date;
        }
        match self.progress.take(listed, sent, |row| row.id.as_str()) {
            Read::More => Read::More,
            Read::Failed => Read::Failed,
            Read::Complete(rows) => {
                let watermark = self.watermark(&rows);
                Read::Complete(Complete { rows, as_of: self.progress.as_of.unwrap_or(sent), watermark })
            }
        }
    }

    /// The lesser of the newest stamp on the list and the hub's clock less 30 s, but never back.
    fn watermark(&self, rows: &[Row]) -> Option<Stamp> {
        let newest = rows.iter().map(|row| row.updated_at).max()?;
        let settled = match self.date {
            Some(date) => Stamp(date.0.saturating_mul(1000).saturating_sub(LATE_US)).min(newest),
            None => Stamp(newest.0.saturating_sub(LATE_US)),
        };
        Some(self.after.map_or(settled, |after| after.max(settled)))
    }
}

/// The watermark where nothing was looked at before: any edit from now on shows on a list that begins here.
pub(super) fn first_watermark(date: Wall) -> Stamp {
    Stamp(date.0.saturating_mul(1000).saturating_sub(LATE_US))
}

/// Tables of names, as far as they have been read.
#[derive(Clone, Debug)]
pub(super) struct NamesRun {
    /// Which are to be read, the current one last.
    kinds: Vec<ListKind>,
    progress: Tables,
    read: Vec<ListKind>,
    names: Names,
}

#[derive(Clone, Debug)]
struct Tables {
    folders: Progress<crate::reconcile::names::Folder>,
    skills: Progress<crate::reconcile::names::Skill>,
    sources: Progress<crate::reconcile::names::Source>,
}

impl NamesRun {
    /// Reads these tables; the others stay as in `names`.
    pub fn new(kinds: impl IntoIterator<Item = ListKind>, names: Names) -> Self {
        let progress = Tables { folders: Progress::new(), skills: Progress::new(), sources: Progress::new() };
        Self { kinds: kinds.into_iter().collect(), progress, read: Vec::new(), names }
    }

    /// What to send next; `None` when all are read.
    pub fn request(&self) -> Option<Request> {
        let kind = *self.kinds.last()?;
        let page = match kind {
            ListKind::Folders => self.progress.folders.next_page,
            ListKind::Skills => self.progress.skills.next_page,
            ListKind::Sources => self.progress.sources.next_page,
        };
        Some(Request::Names(kind, page))
    }

    /// Takes an answer in. The tables are complete together.
    pub fn take(&mut self, body: AnswerBody, sent: Mono, wall: Wall) -> Read<(Names, Vec<ListKind>)> {
        let done = match body {
            AnswerBody::Folders(rows) => {
                self.progress.folders.take_into(rows, sent, |f| &f.id, &mut self.names.folders)
            }
            AnswerBody::Skills(rows) => self.progress.skills.take_into(rows, sent, |s| &s.id, &mut self.names.skills),
            AnswerBody::Sources(rows) => {
                self.progress.sources.take_into(rows, sent, |s| &s.id, &mut self.names.sources)
            }
            _ => Read::Failed,
        };
        match done {
            Read::More => Read::More,
            Read::Failed => Read::Failed,
            Read::Complete(()) => {
                self.read.extend(self.kinds.pop());
                if self.kinds.is_empty() {
                    self.names.read_at = Some(wall);
                    Read::Complete((self.names.clone(), std::mem::take(&mut self.read)))
                } else {
                    Read::More
                }
            }
        }
    }
}
