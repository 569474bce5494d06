//! The states of a page and the reasons for them, in the contract's words (contract.md, `status --json`).
//!
//! Pure; the ground floor, because the rooms that find a reason and those that report it share it.

use serde::{Deserialize, Serialize};

/// How a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Document and page say the same.
    InStep,
    /// Changed, will be sent.
    Pending,
    /// A passing fault; tried again.
    Failed,
    /// A person must mend the file, the configuration or the hub.
    Blocked,
    /// Both sides changed.
    Conflict,
    /// Only the hub changed.
    Drifted,
    /// The file is gone.
    Orphaned,
    /// Left alone, as asked.
    Skipped,
}

/// Why a page stands as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the contract's; each message explains its own")]
pub enum Code {
    FrontMatter,
    UnknownStatus,
    DuplicatePageId,
    UnknownName,
    AmbiguousName,
    NotUtf8,
    TooLarge,
    LfsPointer,
    MergeMarkers,
    FileEmpty,
    BodyEmpty,
    Unreadable,
    OutsideRoot,
    PageNotFound,
    Archived,
    Refused,
    FirstMeeting,
    RemoteChanged,
    RemoteDraft,
    InDoubt,
    StillBeingWritten,
    OutOfBudget,
    HubUnreachable,
    ServerError,
    Paused,
    OffBranch,
    GitBusy,
    RootMissing,
    AnotherRoot,
    RenderingChanged,
    ArchiveLimit,
    ArchiveWaits,
    NoPageId,
    NoFrontMatter,
    Ignored,
    SyncFalse,
    NotCheckedOut,
}

impl Code {
    /// The code as the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FrontMatter => "front_matter",
            Self::UnknownStatus => "unknown_status",
            Self::DuplicatePageId => "duplicate_page_id",
            Self::UnknownName => "unknown_name",
            Self::AmbiguousName => "ambiguous_name",
            Self::NotUtf8 => "not_utf8",
            Self::TooLarge => "too_large",
            Self::LfsPointer => "lfs_pointer",
            Self::MergeMarkers => "merge_markers",
            Self::FileEmpty => "file_empty",
            Self::BodyEmpty => "body_empty",
            Self::Unreadable => "unreadable",
            Self::OutsideRoot => "outside_root",
            Self::PageNotFound => "page_not_found",
            Self::Archived => "archived",
            Self::Refused => "refused",
            Self::FirstMeeting => "first_meeting",
            Self::RemoteChanged => "remote_changed",
            Self::RemoteDraft => "remote_draft",
            Self::InDoubt => "in_doubt",
            Self::StillBeingWritten => "still_being_written",
            Self::OutOfBudget => "out_of_budget",
            Self::HubUnreachable => "hub_unreachable",
            Self::ServerError => "server_error",
            Self::Paused => "paused",
            Self::OffBranch => "off_branch",
            Self::GitBusy => "git_busy",
            Self::RootMissing => "root_missing",
            Self::AnotherRoot => "another_root",
            Self::RenderingChanged => "rendering_changed",
            Self::ArchiveLimit => "archive_limit",
            Self::ArchiveWaits => "archive_waits",
            Self::NoPageId => "no_page_id",
            Self::NoFrontMatter => "no_front_matter",
            Self::Ignored => "ignored",
            Self::SyncFalse => "sync_false",
            Self::NotCheckedOut => "not_checked_out",
        }
    }

    /// The state of a document that is held on this side for this reason: left alone as asked, waiting for the file to
    /// come to rest, or blocked until a person mends it.
    pub fn held_state(self) -> State {
        match self {
            Self::Ignored
            | Self::SyncFalse
            | Self::OffBranch
            | Self::NotCheckedOut
            | Self::NoPageId
            | Self::NoFrontMatter => State::Skipped,
            Self::StillBeingWritten | Self::GitBusy => State::Pending,
            _ => State::Blocked,
        }
    }
}

/// A reason with its words, and the place in the file where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which reason.
    pub code: Code,
    /// Cause and cure for a person. May hold foreign text: escape it where it is shown.
    pub message: String,
    /// Line in the file, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
}

impl Reason {
    /// A reason that has no place in a file.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), line: None, column: None }
    }

    /// The same reason at a place.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        (self.line, self.column) = (Some(line), Some(column));
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_is_spelled_the_same_in_words_and_in_json() {
        for name in ["front_matter", "not_utf8", "still_being_written", "no_page_id", "lfs_pointer"] {
            let code: Code = serde_json::from_value(name.into()).unwrap();
            assert_eq!(code.as_str(), name);
        }
    }
}
