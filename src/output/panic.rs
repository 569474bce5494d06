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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    #[expect(clippy::panic, reason = "it is what is tried")]
    fn a_panic_is_told_in_one_line_whatever_it_says() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&said);
        let before = Arc::new(panic::take_hook());
        let usual = Arc::clone(&before);
        // Other tests of this process may fail meanwhile: they are told as ever.
        panic::set_hook(Box::new(move |info| {
            notes.lock().unwrap().push(words(info));
            usual(info);
        }));
        let foreign = "a\u{1b}[2J\nFORGED\u{202e}".to_owned();
        panic::catch_unwind(|| panic!("at {foreign}")).unwrap_err();
        drop(panic::take_hook());
        panic::set_hook(Box::new(move |info| before(info)));
        let said = said.lock().unwrap().join("\n");
        assert!(said.contains(r"at a\u{1b}[2J\nFORGED\u{202e}") && said.contains("panic.rs:"), "{said}");
    }
}
