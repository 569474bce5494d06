//! The decision table, row by row; the traces that broke earlier versions of it; and what holds for every state.
//!
//! A test is a scene told in the contract's words (`builders`) and the one line that `decide` answers to it: the row and the
//! step, such as `D7 hold conflict remote_changed`. Breaking an arm of the table fails the test that bears its name.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod birth;
mod builders;
mod common_ground;
mod convergence;
mod doubt_and_gone;
mod first_meeting;
mod held;
mod invariants;
mod random;
mod resolution;
mod said;
mod since;
mod traces;
