//! What the engine asks of the hub and what comes back, without HTTP: `hub/` translates both ways.

use crate::page::{Digest, DocPath, ListKind, Now, Page, PageId, Patch, Row, Stamp, Wall};
use crate::reconcile::birth::Post;
use crate::reconcile::names::{Folder, Skill, Source};

/// One request; each is one of the budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// One page with its draft.
    Get(PageId),
    /// A page (from 1) of the list of pages touched at or after a stamp, newest first, 100 rows.
    List {
        /// From when; `None`: all pages.
        updated_after: Option<Stamp>,
        /// Which page of the list.
        page: u32,
    },
    /// A page (from 1) of one of the tables of names, 100 rows.
    Names(ListKind, u32),
    /// A write.
    Patch(Box<PatchRequest>),
    /// A new page.
    Create(Box<CreateRequest>),
    /// Archives a page.
    Archive(PageId),
}

impl Request {
    /// Whether it may change something: without its answer nobody knows.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Patch(_) | Self::Create(_) | Self::Archive(_))
    }
}

/// A POST. The body is read from the file right before it is sent, as for a PATCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRequest {
    /// Which file holds the text.
    pub path: DocPath,
    /// What is sent.
    pub post: Post,
}

/// A PATCH. The body is read from the file right before it is sent; another digest than `source` answers `Stale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchRequest {
    /// Which page.
    pub page: PageId,
    /// Which file holds the text.
    pub path: DocPath,
    /// What the file's bytes were when it was decided.
    pub source: Digest,
    /// What is sent.
    pub patch: Patch,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When the request was sent: a look is as old as this.
    pub sent: Now,
    /// When its answer was complete, or its connection ended.
    pub ended: Now,
    /// The hub's own clock, where the answer has a `Date`.
    pub date: Option<Wall>,
    /// What it was.
    pub body: AnswerBody,
}

/// The kinds of answers. All but the first few tell of something that went wrong, as far as one can know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// The page asked for, or as it is after the write.
    Page(Box<Page>),
    /// The page is archived.
    Archived,
    /// Rows of a list of pages.
    Rows(Listed<Row>),
    /// Rows of the folders.
    Folders(Listed<Folder>),
    /// Rows of the skills.
    Skills(Listed<Skill>),
    /// Rows of the sources.
    Sources(Listed<Source>),
    /// 404 or 410.
    NotFound,
    /// The hub will never take this: any other 4xx.
    Rejected {
        /// The status.
        status: u16,
        /// The hub's `error.code`.
        code: Option<String>,
        /// The hub's words, cut to 500 characters.
        message: String,
    },
    /// 429, with the time it named.
    RateLimited {
        /// In milliseconds from the answer.
        retry_after: Option<u64>,
    },
    /// 401, and whether the key's source holds another one by now.
    Unauthorized(KeySource),
    /// 403.
    Forbidden {
        /// The hub's words.
        message: String,
    },
    /// 3xx: not the hub, or not its address.
    Redirected {
        /// Where to, if it said.
        location: Option<String>,
    },
    /// 5xx, 408 or 425: applied or not, nobody knows.
    ServerError {
        /// The status.
        status: u16,
    },
    /// 2xx, but not what was asked: HTML, cut, another id. For a write nobody knows.
    Garbled {
        /// What is wrong with it.
        what: String,
    },
    /// The connection was never made: nothing was sent.
    Unsent {
        /// Why.
        why: String,
    },
    /// The connection ended without an answer.
    Lost {
        /// Why.
        why: String,
    },
    /// The file is not what was decided on; nothing was sent.
    Stale,
    /// A new page's id could not be written into its file; nothing was sent.
    Unwritable {
        /// Cause and cure.
        why: String,
    },
}

/// One page of a paginated list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// How many rows the whole list has.
    pub total_count: u64,
    /// How many pages the whole list has.
    pub total_pages: u32,
}

/// What the key's source says after a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Still the refused key.
    Same,
    /// Another key, which is used from now on.
    Renewed,
}
