//! See `hubsync_fuzz::document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubsync_fuzz::document(bytes));
