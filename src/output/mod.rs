//! What is shown to people: escaping, carets, colour and progress.
//!
//! The room promises that nothing foreign reaches a terminal as it is: all that is printed is [`Lines`], which escape what is
//! put into them, and the log's events leave through [`log`]. No other room names stdout or stderr (`tests/tidy` sees to it).
//! Results go to stdout and everything else to stderr, both by [`Console`], and a reader who leaves early
//! (`hubsync status | head`) ends the output quietly.
//!
//! It knows no other room: callers hand it plain text and numbers. `commands` and `daemon` are who calls it.

pub mod caret;
pub mod escape;
pub mod lines;
pub mod log;
pub mod panic;
pub mod progress;
pub mod style;
pub mod summary;

pub use caret::{Located, Severity};
pub use escape::Shown;
pub use lines::{Lines, Tone};
pub use progress::{Progress, ProgressMode, Tally, Waiting};
pub use style::{Colour, Console, Delivery, Paint};
