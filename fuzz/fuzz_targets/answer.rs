//! See `hubsync_fuzz::answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hubsync_fuzz::answer(bytes));
