//! The engine against the stand-in hub, without sockets, files or clocks: what a change costs, what is never lost, and the
//! traces that once broke the decision table.
//!
//! `world` carries the effects out one by one, so that a test can put anything between them. `cost`, `meeting`, `drafts`,
//! `faults`, `pace` and `names` say the contract in its own words; `traces` replays what once went wrong; `walk` draws the
//! rest from a seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on should fail")]
#![allow(clippy::disallowed_types, reason = "a set of schedules ends when its time is up")]
#![allow(clippy::disallowed_methods, reason = "the random walk takes its seed from the environment, to replay one")]
#![allow(missing_docs, reason = "the names of tests are their documentation")]

mod births;
mod clones;
mod cost;
mod decisions;
mod disk;
mod drafts;
mod faults;
mod folder;
mod found;
mod hubs;
mod ledger;
mod links;
mod meeting;
mod names;
mod network;
mod office;
mod orders;
mod pace;
mod planted;
mod pulled;
mod schedule;
mod schedules;
mod small;
mod stage;
mod stores;
mod tally;
mod traces;
mod verdict;
mod watch;
mod world;
