//! See `hubsync_fuzz::body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubsync_fuzz::body(bytes));
