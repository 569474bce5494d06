//! hubsync keeps the pages of a hosted knowledge hub in step with a folder of Markdown files.

pub mod document;
pub mod engine;
pub mod hub;
pub mod local;
pub mod pace;
pub mod page;
pub mod policy;
pub mod reason;
pub mod reconcile;
