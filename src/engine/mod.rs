//! The machine: steps from settled documents to requests and acknowledged bases. Pure: it is stepped with inputs and
//! answers effects; it never waits, reads a clock, opens a file or sends.

pub mod change;
pub mod outcome;
pub mod request;
pub mod settled;
