//! What is remembered of a file so that it need not be read again: its stat, and what it said.
//!
//! `state/` keeps entries over restarts. An entry is believed only where nothing could have changed unseen.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::Reading;
use crate::document::links::Targets;
use crate::local::scan::Stat;
use crate::page::{Digest, Wall};

/// How long a stamp must lie before the reading to prove anything, in milliseconds: file systems round to as much as 2 s.
const RACY: i64 = 2_000;

/// How long an entry is believed at most, in milliseconds: some file systems keep no honest stamps, so that every file is
/// read once a day whatever its stat says.
const BELIEVED: i64 = 24 * 3_600_000;

/// What is remembered of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// The stat that it had.
    #[serde(flatten)]
    pub stat: Stat,
    /// When it was read, by the wall clock before the reading began.
    pub hashed: Wall,
    /// Digest of the rules that it was read with.
    pub rules: Digest,
    /// What it said.
    #[serde(with = "shared")]
    pub reading: Arc<Reading>,
    /// What its links pointed to then.
    #[serde(with = "shared", default)]
    pub targets: Arc<Targets>,
}

impl CacheEntry {
    /// Whether a file of this `stat` still says what it said, so that it need not be read.
    pub fn holds(&self, stat: Stat, rules: Digest, now: Wall) -> bool {
        let age = now.0.saturating_sub(self.hashed.0);
        self.stat == stat && self.rules == rules && !self.is_racy() && (0..BELIEVED).contains(&age)
    }

    /// Whether the file changed so shortly before it was read that it may have changed again under the same stamps.
    pub fn is_racy(&self) -> bool {
        let newest = self.stat.mtime.max(self.stat.ctime) / 1_000_000;
        newest > self.hashed.0.saturating_sub(RACY)
    }
}

/// What a file said is shared between the cache, the index and what was told; in the state it stands by itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(value, serializer)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::links::{Answer, Target};
    use crate::page::PageId;

    const NOW: Wall = Wall(1_000_000_000);

    fn entry(changed: Wall) -> CacheEntry {
        let stamp = changed.0 * 1_000_000;
        let stat = Stat { dev: 1, ino: 2, size: 3, mtime: stamp, ctime: stamp };
        CacheEntry {
            stat,
            hashed: NOW,
            rules: Digest::of("rules"),
            reading: Arc::new(Reading::Plain),
            targets: Arc::new(Targets::from(vec![
                (Target::Path("a/b.md".to_owned()), Some(Answer::Page(PageId::parse("P").unwrap()))),
                (Target::Name("plan.png".to_owned()), Some(Answer::File("img/plan.png".to_owned()))),
                (Target::Note("c".to_owned()), None),
            ])),
        }
    }

    #[test]
    fn an_entry_holds_while_nothing_could_have_changed_unseen() {
        let old = entry(NOW.plus(-2_000));
        assert!(old.holds(old.stat, old.rules, NOW.plus(5_000)));
        let touched = Stat { ctime: old.stat.ctime + 1, ..old.stat };
        assert!(!old.holds(touched, old.rules, NOW.plus(5_000)));
        assert!(!old.holds(old.stat, Digest::of("other rules"), NOW.plus(5_000)));
        assert!(!old.holds(old.stat, old.rules, NOW.plus(BELIEVED)));
        assert!(!old.holds(old.stat, old.rules, NOW.plus(-1)), "the clock was set back");
    }

    #[test]
    fn an_entry_read_right_after_a_change_is_racy() {
        let young = entry(NOW.plus(-1_999));
        assert!(!young.holds(young.stat, young.rules, NOW.plus(5_000)));
        assert!(entry(NOW.plus(60_000)).is_racy(), "a stamp in the future proves nothing");
    }

    #[test]
    fn an_entry_comes_back_from_the_state_as_it_went() {
        let there = entry(NOW);
        let json = serde_json::to_string(&there).unwrap();
        assert_eq!(serde_json::from_str::<CacheEntry>(&json).unwrap(), there);
    }
}
