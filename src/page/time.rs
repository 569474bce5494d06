//! The clocks as values: no pure room reads one, they are an argument. Ours for waiting and for what outlives a restart, and
//! the hub's stamps, which are only compared with each other.

use serde::{Deserialize, Serialize};

/// The clock that only goes forward: milliseconds since this process started. For waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// The clock on the wall: milliseconds since the Unix epoch. For the day's budget and for what outlives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub i64);

/// Both clocks, read together. No pure room reads them: they are an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For waiting.
    pub mono: Mono,
    /// For what outlives a restart.
    pub wall: Wall,
}

impl Mono {
    /// `ms` milliseconds later.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; 0 where `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Wall {
    /// `ms` milliseconds later (earlier, where negative).
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The moment as RFC 3339 in UTC, as the contract's JSON has it.
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| String::new(), |t| t.to_string())
    }

    /// The same to the second: of what has been.
    pub fn to_seconds(self) -> String {
        Self(self.0.saturating_sub(self.0.rem_euclid(1_000))).to_rfc3339()
    }
}

/// A time stamp of the hub: microseconds since the Unix epoch. Only compared with other stamps of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp(pub i64);

impl Stamp {
    /// Reads an ISO 8601 date-time with a zone.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }

    /// The stamp in the form that the hub's filters take (`…Z`, so that no `+` needs an escape).
    pub fn to_iso(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map_or_else(|_| String::new(), |t| t.to_string())
    }

    /// The moment for people, to the second.
    pub fn to_seconds(self) -> String {
        Self(self.0.saturating_sub(self.0.rem_euclid(1_000_000))).to_iso()
    }

    /// Whether the stamp may have been cut to whole seconds, so that two changes can share it.
    pub fn is_whole_second(self) -> bool {
        self.0.rem_euclid(1_000_000) == 0
    }
}
