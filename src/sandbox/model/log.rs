//! The log of requests: what was asked and how it was answered, for tests and for people.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::time::Time;
use super::wire::Request;

/// How many requests are remembered at least.
pub const REMEMBERED: usize = 10_000;
/// How many bytes of bodies are remembered at most, the last body aside.
const BODY_BYTES: usize = 64 << 20;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Counts from 1, over the life of the process.
    pub number: u64,
    /// When it arrived.
    pub at: Time,
    /// Method.
    pub method: String,
    /// Path and query as on the wire.
    pub target: String,
    /// What was answered; 0 where a fault ate the request before there was an answer.
    pub status: u16,
    /// What was sent.
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub body: Vec<u8>,
    /// The fault it met, if any.
    pub fault: Option<String>,
}

/// The last requests, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    entries: Vec<LogEntry>,
    count: u64,
    body_bytes: usize,
}

impl Log {
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    pub fn push(&mut self, at: Time, request: &Request, status: u16, fault: Option<String>) {
        self.count += 1;
        self.body_bytes += request.body.len();
        let Request { method, target, body, .. } = request.clone();
        self.entries.push(LogEntry { number: self.count, at, method, target, status, body, fault });
        // Dropped in lumps, so that a full log does not move all of its entries for each new one.
        if self.entries.len() >= REMEMBERED + REMEMBERED / 10 {
            self.forget(self.entries.len() - REMEMBERED);
        }
        while self.body_bytes > BODY_BYTES && self.entries.len() > 1 {
            self.forget(self.entries.len().div_ceil(10));
        }
    }

    pub fn last_mut(&mut self) -> Option<&mut LogEntry> {
        self.entries.last_mut()
    }

    pub fn clear(&mut self) {
        self.forget(self.entries.len());
    }

    fn forget(&mut self, count: usize) {
        let gone: usize = self.entries.drain(..count).map(|entry| entry.body.len()).sum();
        self.body_bytes -= gone;
    }
}

fn as_text<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(body))
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_stays_bounded_and_keeps_the_last_ten_thousand() {
        let mut log = Log::default();
        for _ in 0..REMEMBERED * 3 {
            log.push(Time(0), &Request::default(), 200, None);
        }
        assert!((REMEMBERED..REMEMBERED * 2).contains(&log.entries().len()));
        assert_eq!(log.entries().last().unwrap().number, REMEMBERED as u64 * 3);
    }

    #[test]
    fn large_bodies_do_not_pile_up() {
        let mut log = Log::default();
        let request = Request { body: vec![b'x'; BODY_BYTES / 4], ..Request::default() };
        for _ in 0..40 {
            log.push(Time(0), &request, 200, None);
        }
        assert!(log.entries().len() <= 5);
        log.clear();
        assert!(log.entries().is_empty());
    }
}
