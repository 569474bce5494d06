//! What outlives the process: the state file, the ledger of requests spent, backups of texts that were replaced, the lock.
//!
//! Promises: what was answered `Ok` is on the disk; a file that is damaged is moved aside, never overwritten; one of a newer
//! version is left as it is; everything is readable by its owner only. Nothing here decides. All calls block for some
//! milliseconds: `daemon/` makes them on a thread of their own, `commands/` as they come.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell room: it keeps what outlives the process"
)]

pub mod backups;
pub mod disk;
pub mod error;
pub mod lock;
pub mod store;
pub mod usage;

mod boot;
mod database;
mod private;
mod rows;
mod slots;
