//! The commands, one thin file each: they fetch what a room below decides, and print it.
//!
//! Results go to stdout, everything else to stderr; each answers how the process ends.

pub mod config;
pub mod init;
