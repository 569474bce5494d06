//! How fast and how often, with time as an argument: pure, without a clock, a sleep or randomness inside.

pub mod backoff;
pub mod breaker;
pub mod debounce;
