//! The two clocks, read together, and the jumps of the one against the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::JUMP_MS;
use crate::page::{Mono, Now, Wall};

/// Reads both clocks. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    offset: Arc<Mutex<i64>>,
}

impl Clock {
    /// The monotonic clock begins here, at 0.
    pub fn start() -> Self {
        let clock = Self { started: Instant::now(), offset: Arc::default() };
        clock.jumped();
        clock
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let mono = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { mono: Mono(mono), wall: wall() }
    }

    /// The moment of the monotonic clock as the runtime's timers take it.
    pub fn instant(&self, at: Mono) -> Instant {
        self.started + std::time::Duration::from_millis(at.0)
    }

    /// Whether the wall clock has jumped since this was last asked.
    pub fn jumped(&self) -> bool {
        let now = self.now();
        let offset = now.wall.0 - i64::try_from(now.mono.0).unwrap_or(i64::MAX);
        let mut last = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = (offset - *last).abs() > JUMP_MS;
        *last = offset;
        jumped
    }
}

/// The wall clock; before 1970 it is 1970.
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
