//! hubsync.
