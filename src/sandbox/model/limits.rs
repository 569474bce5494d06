//! The two request limits of a workspace, counted when a request arrives.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::settings::{Reading, Settings};
use super::time::{DAY, SECOND, Time};

const MINUTE: i64 = 60 * SECOND;

/// When the last requests arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limits {
    arrivals: VecDeque<Time>,
}

impl Limits {
    /// Lets a request in and counts it, or says after how many seconds there is room again.
    pub(super) fn admit(&mut self, now: Time, settings: &Settings) -> Result<(), i64> {
        for arrival in &mut self.arrivals {
            *arrival = (*arrival).min(now); // a clock set back: what came "later" came now
        }
        let wait = self.wait(now, settings);
        if wait == 0 || settings.takes(Reading::LimitedCount) {
            self.arrivals.push_back(now);
        }
        let kept = settings.per_minute.max(settings.per_day) as usize;
        while self.arrivals.len() > kept {
            self.arrivals.pop_front();
        }
        if wait == 0 { Ok(()) } else { Err(wait.saturating_add(SECOND - 1) / SECOND) }
    }

    /// Takes back the last arrival that was counted.
    pub(super) fn give_back(&mut self) {
        self.arrivals.pop_back();
    }

    /// Requests counted in the minute and in the day that count now.
    #[must_use]
    pub fn used(&self, now: Time, settings: &Settings) -> (usize, usize) {
        let since = |start: Time| self.arrivals.iter().filter(|arrival| **arrival >= start).count();
        (since(now.plus(1 - MINUTE)), since(day_start(now, settings)))
    }

    /// Microseconds until both limits have room; 0 if they have.
    fn wait(&self, now: Time, settings: &Settings) -> i64 {
        let minute = self.wait_for(settings.per_minute, now.plus(1 - MINUTE)).map(|oldest| oldest.plus(MINUTE));
        let start = day_start(now, settings);
        let day = self
            .wait_for(settings.per_day, start)
            .map(|oldest| if settings.takes(Reading::CalendarDay) { start.plus(DAY) } else { oldest.plus(DAY) });
        let free = minute.max(day).unwrap_or(now);
        free.0.saturating_sub(now.0).max(0)
    }

    /// The arrival that must leave the window before there is room; none if there is room.
    fn wait_for(&self, limit: u32, start: Time) -> Option<Time> {
        if limit == 0 {
            return None;
        }
        let place = self.arrivals.len().checked_sub(limit as usize)?;
        self.arrivals.get(place).copied().filter(|arrival| *arrival >= start)
    }
}

/// The first moment that counts for the day's limit.
fn day_start(now: Time, settings: &Settings) -> Time {
    if settings.takes(Reading::CalendarDay) {
        Time(now.0.div_euclid(DAY).saturating_mul(DAY))
    } else {
        now.plus(1 - DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(per_minute: u32, per_day: u32) -> Settings {
        Settings { per_minute, per_day, ..Settings::default() }
    }

    #[test]
    fn the_minute_is_rolling_and_names_when_there_is_room() {
        let (mut limits, settings) = (Limits::default(), settings(2, 0));
        assert_eq!(limits.admit(Time(0), &settings), Ok(()));
        assert_eq!(limits.admit(Time(10 * SECOND), &settings), Ok(()));
        assert_eq!(limits.admit(Time(20 * SECOND), &settings), Err(40));
        assert_eq!(limits.admit(Time(59 * SECOND + 1), &settings), Err(1));
        assert_eq!(limits.admit(Time(60 * SECOND), &settings), Ok(()));
        assert_eq!(limits.admit(Time(60 * SECOND), &settings), Err(10));
    }

    #[test]
    fn the_day_is_rolling_or_begins_at_midnight() {
        let noon = Time(DAY / 2);
        let (mut limits, mut settings) = (Limits::default(), settings(0, 1));
        assert_eq!(limits.admit(noon, &settings), Ok(()));
        assert_eq!(limits.admit(noon.plus(SECOND), &settings), Err(86_399));
        settings.readings.insert(Reading::CalendarDay);
        assert_eq!(limits.admit(noon.plus(SECOND), &settings), Err(43_199));
        assert_eq!(limits.admit(Time(DAY), &settings), Ok(()));
    }

    #[test]
    fn no_limit_lets_everything_in_and_remembers_nothing() {
        let (mut limits, settings) = (Limits::default(), settings(0, 0));
        for _ in 0..5000 {
            assert_eq!(limits.admit(Time(0), &settings), Ok(()));
        }
        assert_eq!(limits.used(Time(0), &settings), (0, 0));
    }

    #[test]
    fn a_clock_set_back_does_not_lock_the_workspace_for_longer_than_the_window() {
        let (mut limits, settings) = (Limits::default(), settings(1, 0));
        assert_eq!(limits.admit(Time(DAY), &settings), Ok(()));
        assert_eq!(limits.admit(Time(0), &settings), Err(60));
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_is_let_in(gaps in prop::collection::vec(0..40 * SECOND, 1..60), minute in 1u32..6, day in 1u32..20) {
            let (mut limits, settings) = (Limits::default(), settings(minute, day));
            let mut now = Time(0);
            let mut taken: Vec<Time> = Vec::new();
            for gap in gaps {
                now = now.plus(gap);
                if let Err(seconds) = limits.admit(now, &settings) {
                    prop_assert!(seconds >= 1);
                    now = now.plus(seconds * SECOND);
                    prop_assert_eq!(limits.admit(now, &settings), Ok(()));
                }
                taken.push(now);
                let within = |window: i64| taken.iter().filter(|t| t.0 > now.0 - window).count();
                prop_assert!(within(MINUTE) <= minute as usize && within(DAY) <= day as usize);
            }
        }
    }
}
