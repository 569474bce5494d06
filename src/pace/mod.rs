//! How fast things may go, with time as an argument: quotas, backoff, breaker, debounce. No clock inside. Pure; any room
//! above may call it.

pub mod backoff;
pub mod breaker;
pub mod debounce;
pub mod quota;
