//! What only the simulation switches on: faults that are planted on purpose, to see that it finds them, and counts of the
//! decision table's rows, to see that it reaches them.
//!
//! Without the feature `simulation`, which only this project's own tests turn on, nothing is planted, nothing is counted and
//! both calls cost nothing. Pure rooms may call it: it decides nothing by itself, and holds for one thread.

/// A fault that somebody could build in. Each is planted where a slip of the pen would put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Planted {
    /// The next list begins at the stamp of our own write.
    WatermarkByOurAnswer,
    /// A look that was sent before a write can have landed settles its doubt.
    EarlyLookSettlesDoubt,
    /// An answer that is older than what is known replaces it.
    OlderReplacesNewer,
    /// The answer to a write without text is taken for a look: a draft hides behind it.
    MarksOverDraft,
    /// A look is good for ever.
    StaleLook,
    /// A slot is free a minute after it was taken, whenever its answer comes.
    SlotFreedAtSending,
    /// The request leaves before its intent is stored.
    IntentAfterSending,
    /// A list settles a doubt.
    ListSettlesDoubt,
    /// A document that says what the base says is in step, doubt or no doubt.
    RevertInDoubt,
    /// The base moves when the request is sent.
    BaseBySending,
    /// Texts are compared without regard to white space everywhere.
    LooseEverywhere,
    /// What the hub refused is forgotten at a restart.
    RefusalForgotten,
    /// A first meeting publishes over another text.
    FirstMeetingOverwritten,
    /// Only what differs is sent: `status` without the text.
    StatusAlone,
    /// What is replaced is not kept first.
    NoBackup,
    /// The next process knows nothing of the requests that were spent.
    LedgerNotStored,
    /// Links stay as they were when their document was read: nobody follows one that moves.
    FollowersForgotten,
    /// Nobody follows a link whose target gets its page.
    NewPagesUnfollowed,
    /// A page is made again at once where the answer to its creation was lost.
    SecondPost,
}

impl Planted {
    /// Every one of them.
    pub const ALL: &[Self] = &[
        Self::WatermarkByOurAnswer,
        Self::EarlyLookSettlesDoubt,
        Self::OlderReplacesNewer,
        Self::MarksOverDraft,
        Self::StaleLook,
        Self::SlotFreedAtSending,
        Self::IntentAfterSending,
        Self::ListSettlesDoubt,
        Self::RevertInDoubt,
        Self::BaseBySending,
        Self::LooseEverywhere,
        Self::RefusalForgotten,
        Self::FirstMeetingOverwritten,
        Self::StatusAlone,
        Self::NoBackup,
        Self::LedgerNotStored,
        Self::FollowersForgotten,
        Self::NewPagesUnfollowed,
        Self::SecondPost,
    ];
}

#[cfg(feature = "simulation")]
mod switched {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::Planted;

    thread_local! {
        static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
        static ROWS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Plants a fault, or none, for what this thread does from now on.
    pub fn plant(fault: Option<Planted>) {
        PLANTED.set(fault);
    }

    /// Whether this fault is planted.
    pub fn planted(fault: Planted) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Counts a row of the decision table.
    pub fn count(row: &'static str) {
        ROWS.with_borrow_mut(|rows| *rows.entry(row).or_default() += 1);
    }

    /// The rows that this thread reached since it was last asked, and how often.
    pub fn take_rows() -> BTreeMap<&'static str, u64> {
        ROWS.take()
    }
}

#[cfg(not(feature = "simulation"))]
mod switched {
    /// No fault is planted.
    #[inline(always)]
    pub fn planted(_: super::Planted) -> bool {
        false
    }

    /// Nothing is counted.
    #[inline(always)]
    pub fn count(_: &'static str) {}
}

pub use switched::*;
