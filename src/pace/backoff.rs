//! How long to wait after a failure: each failure in a row doubles it, up to a limit.
//!
//! Pure. The jitter that keeps several daemons from coming back at the same moment is an argument.

/// A doubling wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure, in milliseconds.
    pub first_ms: u64,
    /// Never longer than this, in milliseconds.
    pub max_ms: u64,
}

impl Backoff {
    /// One page that fails: 0.5 s to 15 min (design.md, "A 5xx to a write is a lost answer").
    pub const PAGE: Self = Self { first_ms: 500, max_ms: 15 * 60_000 };
    /// The hub that fails: 0.5 s to 5 min (contract.md, What a change costs).
    pub const HUB: Self = Self { first_ms: 500, max_ms: 5 * 60_000 };
    /// So many failures in a row make a page `failed`.
    pub const FAILED_AFTER: u32 = 8;

    /// How many milliseconds to wait after `attempts` failures in a row; none after no failure. `jitter`, from 0 to 1,
    /// moves it between 20 % less and 20 % more, but not beyond `max_ms`.
    pub fn delay(self, attempts: u32, jitter: f64) -> u64 {
        let Some(doublings) = attempts.checked_sub(1) else { return 0 };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let plain = self.first_ms.saturating_mul(factor).min(self.max_ms);
        // In thousandths, so that nothing but the jitter itself is a float.
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.5 };
        let thousandths = 800 + (jitter * 400.0).round() as u64;
        let jittered = u128::from(plain) * u128::from(thousandths) / 1000;
        u64::try_from(jittered).unwrap_or(u64::MAX).min(self.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_doubles_from_half_a_second_to_the_limit() {
        let waits: Vec<u64> = (0..=6).map(|n| Backoff::PAGE.delay(n, 0.5)).collect();
        assert_eq!(waits, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000]);
        assert_eq!(Backoff::PAGE.delay(u32::MAX, 0.5), 900_000);
        assert_eq!(Backoff::HUB.delay(64, 0.5), 300_000);
    }

    #[test]
    fn jitter_is_a_fifth_either_way() {
        assert_eq!(Backoff::HUB.delay(2, 0.0), 800);
        assert_eq!(Backoff::HUB.delay(2, 1.0), 1_200);
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_never_zero_after_a_failure(
            attempts in 1..=u32::MAX, jitter in any::<f64>(), first in 1_u64..10_000, max in 10_000..=u64::MAX
        ) {
            let delay = Backoff { first_ms: first, max_ms: max }.delay(attempts, jitter);
            prop_assert!(delay <= max);
            prop_assert!(delay >= first * 8 / 10);
        }

        #[test]
        fn more_failures_never_wait_less(attempts in 1_u32..100, jitter in 0.0..=1.0) {
            prop_assert!(Backoff::HUB.delay(attempts, jitter) <= Backoff::HUB.delay(attempts + 1, jitter));
        }
    }
}
