//! See `hubsync_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubsync_fuzz::config(bytes));
