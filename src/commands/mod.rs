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
pub mod diff;
pub mod doctor;
pub mod forget;
pub mod init;
pub mod link;
pub mod log;
pub mod offline;
pub mod opening;
pub mod ordering;
pub mod pages;
pub mod pause;
pub mod pull;
pub mod reader;
pub mod report;
pub mod resolve;
pub mod run;
pub mod sandbox;
pub mod service;
pub mod since;
pub mod status;
pub mod sync;

use std::io;
use std::path::Path;

use crate::cli::{Exit, Reads};
use crate::config::Config;
use crate::output::{Console, ProgressMode};

/// Carries out a command that only looks and tells.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn read(
    command: &Reads,
    config: &Config,
    here: &Path,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    match command {
        Reads::Diff(args) => diff::run(args, config, here, console, progress).await,
        Reads::Pages(args) => pages::run(args, config, console, progress).await,
        Reads::Log(args) => log::run(args, config, here, console),
        Reads::Link(args) => link::run(args, config, here, console, progress).await,
    }
}
