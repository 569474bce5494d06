//! hubsync.
fn main() {}
