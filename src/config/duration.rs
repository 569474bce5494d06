//! Durations as people write them: `500ms`, `2s`, `15m`, `1h`, and a bare `0`.
//!
//! Promises that [`parse`] reads back what [`format`] writes. Pure; the configuration and the command line use it.

use std::time::Duration;

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number with its unit: {EXAMPLES}")]
pub struct BadDuration;

/// How a duration is written, for messages.
pub const EXAMPLES: &str = "500ms, 2s, 15m or 1h";

/// The longest duration that is taken: a hundred years, so that adding it to a time never overflows.
const LONGEST: u64 = 100 * 366 * 24 * 3_600_000;

/// The units, the largest first, with their milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a whole number followed by `ms`, `s`, `m` or `h`; `0` needs no unit.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(BadDuration)?;
    let number: u64 = number.parse().map_err(|_| BadDuration)?;
    let total = number.checked_mul(*size).filter(|total| *total <= LONGEST).ok_or(BadDuration)?;
    Ok(Duration::from_millis(total))
}

/// Writes a duration with the largest unit that keeps it a whole number; parts of a millisecond are dropped.
pub fn format(duration: Duration) -> String {
    let total = millis(duration);
    if total == 0 {
        return "0s".to_owned();
    }
    let fits = UNITS.iter().find(|(_, size)| total.is_multiple_of(*size));
    let (unit, size) = fits.copied().unwrap_or(("ms", 1));
    format!("{}{unit}", total / size)
}

/// A duration in milliseconds, as the pure rooms count; longer than fits in 64 bits is the greatest number.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_unit_of_the_contract_is_read() {
        for (text, ms) in [("500ms", 500), ("2s", 2_000), ("15m", 900_000), ("1h", 3_600_000), ("0", 0), ("0s", 0)] {
            assert_eq!(parse(text).map(millis), Ok(ms), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "5 parsecs", "5 s", "-1s", "+1s", "1.5s", "1e3s", "s", "1H", "1d", "1h30m", "٣s"] {
            assert_eq!(parse(text), Err(BadDuration), "{text:?}");
        }
        assert_eq!(parse("99999999999999999999s"), Err(BadDuration));
        assert_eq!(parse("9999999999h"), Err(BadDuration));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0..=LONGEST) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
