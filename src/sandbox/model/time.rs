//! Points in time. The model reads no clock: whoever asks says when it is.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, temporal::Pieces};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const DAY: i64 = 86_400 * SECOND;

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// This many microseconds later (earlier, if negative), without ever overflowing.
    #[must_use]
    pub fn plus(self, micros: i64) -> Time {
        Time(self.0.saturating_add(micros))
    }

    /// Without the fraction of a second.
    #[must_use]
    pub fn whole_second(self) -> Time {
        Time(self.0.div_euclid(SECOND).saturating_mul(SECOND))
    }

    /// As the hub writes time stamps: RFC 3339 in UTC, with microseconds where there are any.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let timestamp = self.timestamp();
        if self.0.rem_euclid(SECOND) == 0 { format!("{timestamp:.0}") } else { format!("{timestamp:.6}") }
    }

    /// As the `Date` header writes it: RFC 9110, whole seconds.
    #[must_use]
    pub fn http_date(self) -> String {
        let printer = rfc2822::DateTimePrinter::new();
        printer
            .timestamp_to_rfc9110_string(&self.timestamp())
            .unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())
    }

    /// Reads ISO 8601. What names no offset is in UTC, what names no time is midnight; parts of a microsecond are cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Time> {
        // Not by way of a time stamp of the library: its calendar ends a day before the year 9999 does.
        let pieces = Pieces::parse(text).ok()?;
        let offset = pieces.to_numeric_offset().map_or(0, jiff::tz::Offset::seconds);
        let local = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or_default());
        let since = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_micros();
        i64::try_from(since).ok().map(|micros| Time(micros).plus(-i64::from(offset) * SECOND))
    }

    /// Whether a text that [`Time::parse`] reads names a whole day.
    #[must_use]
    pub fn is_whole_day(text: &str) -> bool {
        Pieces::parse(text).is_ok_and(|pieces| pieces.time().is_none())
    }

    fn timestamp(self) -> Timestamp {
        let limit = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_microsecond(self.0).unwrap_or(limit)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        Time::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time stamp like 2026-01-31T12:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_written_only_where_there_are_any() {
        assert_eq!(Time(1_500_000).rfc3339(), "1970-01-01T00:00:01.500000Z");
        assert_eq!(Time(2 * SECOND).rfc3339(), "1970-01-01T00:00:02Z");
    }

    #[test]
    fn times_out_of_the_calendar_are_written_as_its_ends() {
        for extreme in [i64::MIN, i64::MAX] {
            assert!(!Time(extreme).rfc3339().is_empty());
            assert!(!Time(extreme).http_date().is_empty());
        }
    }

    #[test]
    fn what_iso_8601_writes_is_read() {
        for (text, micros) in [
            ("1970-01-02", DAY),
            ("1970-01-01T00:00:01.5", 3 * SECOND / 2),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("9999-12-31T23:59:59Z", 253_402_300_799 * SECOND),
        ] {
            assert_eq!(Time::parse(text), Some(Time(micros)), "{text}");
        }
        assert_eq!(Time::parse("tomorrow"), None);
    }

    #[test]
    fn whole_seconds_round_down_before_1970_too() {
        assert_eq!(Time(-1).whole_second(), Time(-SECOND));
    }
}
