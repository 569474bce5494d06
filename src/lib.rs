//! hubsync.

pub mod output;
