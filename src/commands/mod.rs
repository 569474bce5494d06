//! The commands, one thin file each: they fetch what a room below decides, and print it.
//!
//! Results go to stdout, everything else to stderr; each answers how the process ends. `opening` and `report` are what
//! several of them share, `ordering` how they reach a running daemon, `reader` how they read the hub by themselves,
//! `offline` how everything stands without asking anybody.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell room: it opens what a command works with"
)]

pub mod check;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod forget;
pub mod init;
pub mod offline;
pub mod opening;
pub mod ordering;
pub mod pause;
pub mod reader;
pub mod report;
pub mod resolve;
pub mod run;
pub mod sandbox;
pub mod service;
pub mod since;
pub mod status;
pub mod sync;
