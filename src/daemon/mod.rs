//! What steps the engine: carries out its effects and tells it what came of them. `run` does so for ever, a one-shot command
//! until everything is at rest.
//!
//! `clock` reads the clocks, `keeper` owns all that is stored (on a thread of its own), `sender` reads the document again and
//! sends, `driver` joins them to the engine, `one_shot` and `event_loop` are the two ways to wait.
//! `control` is the socket and `orders` what came in by it, `reload` takes up a changed configuration, `service` tells systemd,
//! `scribe` writes documents as a person decided, `problems` knows what a person has yet to hear of, and `herald` runs the command that tells it. Only `commands` calls.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell room: it reads clocks and files for the pure ones"
)]

pub mod clock;
pub mod control;
pub mod driver;
pub mod event_loop;
pub mod herald;
pub mod id_line;
pub mod keeper;
pub mod logging;
pub mod meetings;
pub mod one_shot;
pub mod orders;
pub mod problems;
pub mod reload;
pub mod scribe;
pub mod sender;
pub mod service;
pub mod settings;
pub mod signals;
