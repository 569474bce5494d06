//! What the configuration means for decisions. `config/` builds it; the pure rooms read it. It holds no path and no key.

use serde::Serialize;

use crate::page::{Digest, Status};

mod links;
mod notice;

pub use links::{AssetUrl, BadUrl, PageUrl, encoded, encoded_suffix};

pub use notice::{BadNotice, Notice};

/// Hold what differs, or let the document win over a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDifference {
    /// Nothing is sent; a person settles it.
    Hold,
    /// The document is published, the hub's text is backed up first.
    Local,
}

/// What becomes of a page whose file is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// It stays.
    Keep,
    /// It is archived, within its limits.
    Archive,
}

/// Whether the hub is looked at before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictCheck {
    /// `conflict_check: true`: nothing is sent over a text that was not looked at.
    On,
    /// `conflict_check: false`: the file always wins.
    Off,
}

/// Whether documents without `page_id` get a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Create {
    /// They are skipped.
    Off,
    /// A page is made for them.
    On,
}

/// What is done with a first block that is a level-1 heading equal to the title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TitleHeading {
    /// It is not repeated in the body.
    Strip,
    /// It stays.
    Keep,
}

/// What links in documents become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRules {
    /// `links.page_url`: links to other documents become links to their pages.
    pub page_url: Option<PageUrl>,
    /// `links.asset_url`: links to other files of the root become absolute.
    pub asset_url: Option<AssetUrl>,
}

impl LinkRules {
    /// Every link stays as it is.
    pub const OFF: Self = Self { page_url: None, asset_url: None };

    /// Whether every link stays as it is.
    pub fn are_off(&self) -> bool {
        *self == Self::OFF
    }
}

/// How documents become bodies. Another value of any of these may render another body from the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `publish.default_status`.
    pub default_status: Status,
    /// `publish.strip_title_heading`.
    pub title_heading: TitleHeading,
    /// The section `links`.
    pub links: LinkRules,
    /// `publish.notice`.
    pub notice: Option<Notice>,
}

impl Rules {
    /// Raise it when the same file and settings render another body than before.
    const RENDERING: u8 = 1;

    /// The mark of these rules, kept beside what was rendered with them.
    pub fn digest(&self) -> Digest {
        let status = match self.default_status {
            Status::Draft => b"draft".as_slice(),
            Status::Published => b"published",
        };
        let heading = match self.title_heading {
            TitleHeading::Strip => b"strip".as_slice(),
            TitleHeading::Keep => b"keep",
        };
        let mut parts = vec![&[Self::RENDERING][..], status, heading];
        // Where links stay as they are, nothing is another than before there were these rules.
        if let Some(url) = &self.links.page_url {
            parts.extend([b"page_url".as_slice(), url.as_str().as_bytes()]);
        }
        if let Some(url) = &self.links.asset_url {
            parts.extend([b"asset_url".as_slice(), url.as_str().as_bytes()]);
        }
        if let Some(notice) = &self.notice {
            parts.extend([b"notice".as_slice(), notice.as_str().as_bytes()]);
        }
        Digest::of_parts(parts)
    }
}

/// What decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How documents become bodies.
    pub rules: Rules,
    /// `publish.create`.
    pub create: Create,
    /// `publish.on_first_meeting`, or `--first-meeting`.
    pub on_first_meeting: OnDifference,
    /// `publish.on_conflict`.
    pub on_conflict: OnDifference,
    /// `publish.conflict_check`.
    pub conflict_check: ConflictCheck,
    /// `publish.on_delete`.
    pub on_delete: OnDelete,
    /// `publish.archive_after`, in milliseconds.
    pub archive_after: u64,
    /// `publish.archive_limit`: pages in 24 hours.
    pub archive_limit: u32,
    /// `remote.check_interval`, in milliseconds; `None` where it is 0.
    pub check_interval: Option<u64>,
    /// `watch.debounce`, in milliseconds.
    pub debounce: u64,
    /// `watch.max_delay`, in milliseconds.
    pub max_delay: u64,
    /// `hub.concurrency`: requests under way at once.
    pub concurrency: usize,
}

impl Default for Policy {
    /// The contract's defaults (contract.md, Configuration).
    fn default() -> Self {
        Self {
            rules: Rules {
                default_status: Status::Draft,
                title_heading: TitleHeading::Strip,
                links: LinkRules::OFF,
                notice: None,
            },
            create: Create::Off,
            on_first_meeting: OnDifference::Hold,
            on_conflict: OnDifference::Hold,
            conflict_check: ConflictCheck::On,
            on_delete: OnDelete::Keep,
            archive_after: 3_600_000,
            archive_limit: 10,
            check_interval: Some(1_800_000),
            debounce: 2_000,
            max_delay: 300_000,
            concurrency: 4,
        }
    }
}
