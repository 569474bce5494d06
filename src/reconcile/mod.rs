//! The decision table and what it decides on. Pure and total.
//!
//! Read `step` (what is asked and answered), then `decide` (the order of the rows), then the rows: `doubt` (E), `gone` (F),
//! `document` (D11, D15, absent), `first_meeting` (B), `since` (S), `base` (C, D), `resolution` (R1), `birth` (N).

mod base;
pub mod birth;
mod decide;
mod document;
mod doubt;
mod first_meeting;
mod gone;
pub mod guards;
pub mod merge;
pub mod names;
pub mod page_record;
mod resolution;
mod since;
pub mod step;

pub use decide::{FRESH_MS, IN_DOUBT_MS, decide};
pub use document::wanted;
pub use doubt::acknowledged;
