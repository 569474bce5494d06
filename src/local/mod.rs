//! Events in, settled documents out: the root is watched and scanned, its files are read once they have come to rest, and
//! each page is given its file.
//!
//! [`settle`] is the daemon's task; one-shot commands call [`folder::Folder::scan`]. Nothing outside the root is ever read,
//! and a root that is missing or another one tells nothing (promises 5 to 9). For `daemon/` and `commands/`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this room watches and reads files, and waits")]

pub mod cache;
pub mod folder;
pub mod git;
pub mod identity;
mod index;
mod patience;
pub mod patterns;
pub mod read;
pub mod root;
pub mod scan;
pub mod settle;
pub mod watch;
pub mod write;

pub use index::Quiet;
