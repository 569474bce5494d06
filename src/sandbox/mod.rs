//! The stand-in hub: a Knowledge Hub in one process, for trying things, for the demo and for the tests.
//!
//! The vendor offers no place to try things, and an archive cannot be undone through the API. So hubsync ships this: it
//! answers as the vendor's description says, enforces both request limits, and can be made to misbehave.
//!
//! It is written from the vendor's description alone and imports nothing else of the crate, so that a misreading of one
//! side shows in the other. Where the description is silent it takes the reading that is hardest on a client; a
//! [`Reading`] chooses the other.
//!
//! In reading order:
//! - [`model`] the hub itself, pure: a request and a time in, an answer out
//! - [`faults`] what goes wrong on the way, decided by a seed
//! - [`colleague`] somebody else in the hub: adds, edits, publishes, archives (`/_sandbox/…`)
//! - [`overview`] all pages on one, for people (`/`)
//! - [`persistence`] the state as one JSON file
//! - [`server`] the sockets · [`options`] the command's flags, and the whole thing started
//!
//! Anybody may call it. It only ever listens where it is told to; [`run`] listens on loopback only.

pub mod colleague;
pub mod faults;
pub mod model;
pub mod options;
pub mod overview;
pub mod persistence;
pub mod sample;
pub mod server;

pub use faults::{Fault, Faults, Rule};
pub use model::{
    Act, ActError, LogEntry, Model, NewPage, Normalise, Owner, Page, Reading, Request, Response, SANDBOX_KEY, Settings,
    Stamps, State, Status, Time, Visibility,
};
pub use options::{Options, SandboxError, run};
pub use server::{Hub, SharedHub, serve};
