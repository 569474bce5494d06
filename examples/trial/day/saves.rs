//! The ways in which editors save. A half of a text that lies there for a while is never a document: it is empty, or ends
//! inside its front matter.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;

use crate::Outcome;
use crate::hub::DEBOUNCE;

/// A way to save a text.
pub type Save = fn(&Path, &str) -> Outcome<()>;

/// All of them, by name.
pub const SAVES: &[(&str, Save)] = &[
    ("saves in place", in_place),
    ("saves in place, half for a while", in_halves),
    ("saves in place, empty for a while", emptied),
    ("saves by a renamed file", renamed_over),
    ("saves with a backup, as vim does", with_backup),
];

/// Truncated and written, as VS Code and Obsidian do.
fn in_place(file: &Path, text: &str) -> Outcome<()> {
    Ok(fs::write(file, text)?)
}

fn in_halves(file: &Path, text: &str) -> Outcome<()> {
    // Past the first fence, before the second one.
    slowly(file, text, 10)
}

fn emptied(file: &Path, text: &str) -> Outcome<()> {
    slowly(file, text, 0)
}

/// What is there at first rests for longer than `watch.debounce`.
fn slowly(file: &Path, text: &str, first: usize) -> Outcome<()> {
    let (first, rest) = text.split_at(first);
    let mut out = fs::File::create(file)?;
    out.write_all(first.as_bytes())?;
    thread::sleep(DEBOUNCE * 3 / 2);
    Ok(out.write_all(rest.as_bytes())?)
}

/// A new file takes the place of the old one.
fn renamed_over(file: &Path, text: &str) -> Outcome<()> {
    let beside = file.with_file_name(".saved.tmp-4711");
    fs::write(&beside, text)?;
    Ok(fs::rename(beside, file)?)
}

/// Tries whether files can be made, moves the old text aside, writes the new one under its name.
fn with_backup(file: &Path, text: &str) -> Outcome<()> {
    let probe = file.with_file_name("4913");
    fs::write(&probe, "")?;
    fs::remove_file(probe)?;
    let backup = file.with_extension("md~");
    fs::rename(file, &backup)?;
    fs::write(file, text)?;
    Ok(fs::remove_file(backup)?)
}
