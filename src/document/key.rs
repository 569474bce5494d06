//! The keys that mean something to hubsync (contract.md, Front matter). All other keys are other tools' own.

/// The keys that mean something to hubsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    PageId,
    Title,
    Folders,
    Skills,
    Sources,
    Status,
    Visibility,
    Sync,
}

impl Key {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::PageId,
        Self::Title,
        Self::Folders,
        Self::Skills,
        Self::Sources,
        Self::Status,
        Self::Visibility,
        Self::Sync,
    ];

    /// The key as documents write it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PageId => "page_id",
            Self::Title => "title",
            Self::Folders => "folders",
            Self::Skills => "skills",
            Self::Sources => "sources",
            Self::Status => "status",
            Self::Visibility => "visibility",
            Self::Sync => "sync",
        }
    }

    /// The key of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }
}
