//! hubsync keeps the pages of a hosted knowledge hub in step with a folder of Markdown files.
//!
//! The whole daemon is one value, [`engine::Engine`], that is stepped with inputs and answers effects; a thin shell carries
//! them out. Data flows one way: event → settled document → step → request → acknowledged base → report. ARCHITECTURE.md is
//! the map with the reasons.
//!
//! In reading order, from the ground: what a page and a reason are ([`page`], [`reason`], [`policy`]) and how fast things may
//! go ([`pace`]); bytes to documents ([`document`]); what follows from both sides ([`reconcile`]); the machine ([`engine`]).
//! These are pure. Around them: the configuration ([`config`]), what people see ([`output`]), the folder ([`local`]), the hub
//! ([`hub`]), what is kept ([`state`]), what steps the engine ([`daemon`]), the stand-in hub ([`sandbox`]), and one thin file
//! a command ([`commands`]), typed as [`cli`] says.

pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod document;
pub mod engine;
pub mod hub;
pub mod local;
pub mod output;
pub mod pace;
pub mod page;
pub mod policy;
pub mod reason;
pub mod reconcile;
pub mod sandbox;
pub mod simulation;
pub mod state;
