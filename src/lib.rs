//! hubsync.

pub mod sandbox;
