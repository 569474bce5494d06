//! Long trials: the real binary against a sandbox hub, in a folder, a state and an environment of their own.
//!
//! Promises: each trial prints its figures and what of the README's promises it saw kept or broken, and exits 1 if one was
//! broken. The figures are quoted in release notes and issues, so each is counted by the hub, not told by hubsync.
//! For people, by hand (CONTRIBUTING.md, Long trials); the test suite doesn't run it.
//!
//! In reading order: [`ground`] a folder and the binary · [`hub`] the place of a trial · [`report`] what it prints ·
//! [`numbered`] documents that say which text they are · [`kills`] · [`faults`] · [`limits`] · [`sides`] ·
//! [`tree`] · [`day`]

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a trial writes files, starts processes and waits, as a person would"
)]

mod day;
mod faults;
mod ground;
mod hub;
mod kills;
mod limits;
mod numbered;
mod report;
mod sides;
mod tree;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a trial answers; an error means that it could not be carried out.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Long trials of hubsync's promises, through the real binary
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    trial: Trial,
}

#[derive(Subcommand)]
enum Trial {
    /// A public documentation tree: what is published, what is blocked and why, what the next syncs cost, how fast a save is
    Tree {
        /// Its Markdown files are copied, hidden ones aside
        folder: PathBuf,
    },
    /// Changed documents under the hub's real limits: how long it takes, and never a 429
    Limits {
        /// Documents
        #[arg(default_value_t = 130)]
        documents: usize,
    },
    /// SIGKILL at random moments: nothing is lost, nothing published twice
    Kills {
        /// Kills
        #[arg(default_value_t = 30)]
        times: usize,
        /// Documents
        #[arg(default_value_t = 150)]
        pages: usize,
        /// Makes the moments repeatable
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A writer and a colleague at the same pages, and a person who settles: no text is lost, one command settles each
    Sides {
        /// Minutes
        #[arg(default_value_t = 10)]
        minutes: u64,
        /// Pages
        #[arg(default_value_t = 50)]
        pages: usize,
        /// Makes what happens repeatable, but for its moments
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A hub that misbehaves in every way: each text arrives once, what it refuses is sent once
    Faults,
    /// The day of an office over a git checkout, at high speed: everything ends in step, with no request too many
    Day {
        /// Minutes; a round of all that happens is never cut off
        #[arg(default_value_t = 5)]
        minutes: u64,
        /// What happens when, and how; drawn where it is not given
        #[arg(long)]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().trial {
        Trial::Tree { folder } => tree::run(&folder),
        Trial::Limits { documents } => limits::run(documents),
        Trial::Kills { times, pages, seed } => kills::run(times, pages, seed),
        Trial::Sides { minutes, pages, seed } => sides::run(minutes, pages, seed),
        Trial::Faults => faults::run(),
        Trial::Day { minutes, seed } => day::run(minutes, seed.unwrap_or_else(|| fastrand::u64(..1_000_000))),
    };
    match done {
        Ok(report) => {
            print!("{report}");
            report.exit()
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
