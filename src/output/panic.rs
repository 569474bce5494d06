//! What is said where the program itself has failed: one line on stderr, escaped like any other.
//!
//! A panic's message can hold foreign text (the slice of a title that was cut at the wrong place), and the usual hook prints
//! it raw. `main` calls [`speak_of`] before anything else.

use std::panic::{self, PanicHookInfo};

use super::escape::Shown;
use super::style::Console;

/// From now on panics are told by this room.
pub fn speak_of(console: Console) {
    panic::set_hook(Box::new(move |info| console.error(words(info))));
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(|at| format!(" ({}:{}:{})", at.file(), at.line(), at.column()));
    let why = info.payload_as_str().unwrap_or("it does not say why");
    let why = Shown::new(why);
    format!("hubsync has failed by a fault of its own{}: {why}", place.unwrap_or_default())
}
