//! The program as its users meet it: exit codes, JSON, what is said, what reaches the hub, what is left on the disk. Each test
//! runs the real binary against a stand-in hub on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on should fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of processes need files, clocks and processes"
)]
#![allow(missing_docs, reason = "the names of tests are their documentation")]

mod archive;
mod backlinks;
mod budget;
mod corpus;
mod crashes;
mod create;
mod daemon;
mod demo;
mod diff;
mod disk;
mod doctor;
mod documents;
mod elsewhere;
mod exit_codes;
mod floods;
mod foreign;
mod fuse;
mod git;
mod hangups;
mod hubs;
mod hung;
mod json;
mod keys;
mod late;
mod limits;
mod links;
mod log;
mod notify;
mod on_problem;
mod orders;
mod pages;
mod paths;
mod pause;
mod place;
mod portals;
mod private;
mod pull;
mod reload;
mod resolve;
mod rewrite;
mod roots;
mod rows;
mod saves;
mod secrets;
mod service;
mod since;
mod state;
mod stub;
mod swaps;
mod watching;
