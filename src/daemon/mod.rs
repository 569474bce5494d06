//! What steps the engine: carries out its effects and tells it what came of them. `run` does so for ever, a one-shot command
//! until everything is at rest.
//!
//! `clock` reads the clocks, `keeper` owns all that is stored (on a thread of its own), `sender` reads the document again and
//! sends, `problems` knows what a person has yet to hear of and `herald` runs the command that tells it, `driver` joins them to the engine, `one_shot` and `event_loop` are the two ways to wait. Only `commands` calls.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell room: it reads clocks and files for the pure ones"
)]

pub mod clock;
pub mod driver;
pub mod event_loop;
pub mod herald;
pub mod keeper;
pub mod logging;
pub mod one_shot;
pub mod problems;
pub mod sender;
pub mod signals;
