//! The decision table and what it decides on. Pure and total.

pub mod names;
pub mod page_record;
