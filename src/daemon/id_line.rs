//! Writes the id of a page that was made into its document: one line more, before the line that closes the front matter.
//!
//! Promises: a file that says something else than was decided on is left alone, and so is every byte but that line; whether a
//! file can take the line is known before a page is made for it. Blocking; called by `driver` and `sender`.

use std::path::Path;

use crate::document::edit::{self, Setting};
use crate::engine::change::{IdLine, Written};
use crate::local::read::{self, Stale};
use crate::local::write::{self, NotWritten};
use crate::page::{Digest, DocPath, PageId};

/// Writes the line.
pub fn write(root: &Path, line: &IdLine) -> Written {
    let bytes = match read::contents(root, &line.path) {
        Ok(bytes) if Digest::of(&bytes) == line.source => bytes,
        // Whatever it is by now, the next look tells it.
        Ok(_) | Err(Stale::Changed | Stale::Unreadable(_)) => return Written::Stale,
    };
    let edited = match edit::set(&bytes, &Setting::PageId(&line.page)) {
        Ok(edited) => edited,
        Err(why) => return Written::Failed(why.to_string()),
    };
    match write::replace(root, &line.path, line.source, &edited) {
        Ok(()) => Written::Done,
        Err(NotWritten::Changed | NotWritten::Root(_)) => Written::Stale,
        Err(why) => Written::Failed(why.to_string()),
    }
}

/// Whether such a line could be written into these bytes at this place; else why not, with the cure.
///
/// # Errors
/// The words for a person.
pub fn fits(root: &Path, path: &DocPath, bytes: &[u8]) -> Result<(), String> {
    // As long as any id may be.
    let longest = "x".repeat(64);
    let page = PageId::parse(&longest).map_err(|error| error.to_string())?;
    edit::set(bytes, &Setting::PageId(&page)).map_err(|error| error.to_string())?;
    write::may_replace(root, path).map_err(|error| error.to_string())
}
