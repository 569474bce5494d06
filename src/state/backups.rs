//! Texts of the hub that we replaced, as plain files: `<state>.backups/<page_id>/<time>-v<version>[-draft].md`; and documents
//! that `hubsync resolve` wrote over, byte for byte: `<time>-document.md` beside them.
//!
//! Promises (contract.md, promise 1): a text is on the disk before anything of its change is; it is kept 90 days; only
//! files named by us are ever deleted. Below a short front matter that says whose text it is, the body is byte for byte.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::StateError;
use super::{database::compact_time, private};
use crate::engine::change::Backup;
use crate::page::{PageId, Side, Wall};

/// How long a backup is kept, in milliseconds (contract.md, promise 1).
const KEPT: i64 = 90 * 86_400_000;

/// The folder of backups of one state.
#[derive(Clone, Debug)]
pub struct Backups {
    folder: PathBuf,
}

/// One backup that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// When the text was replaced, to the second.
    pub at: Wall,
    /// Of which published version; 0 if never published.
    pub version: u64,
    /// Live or draft.
    pub side: Side,
}

impl Backups {
    /// The backups that belong to a state file. Makes nothing yet.
    pub fn of_state(state: &Path) -> Self {
        Self { folder: private::beside(state, ".backups") }
    }

    /// Writes one text and waits until it is on the disk; answers where. The same backup again is the same file.
    pub fn write(&self, backup: &Backup) -> Result<PathBuf, StateError> {
        let draft = if backup.side == Side::Draft { "-draft" } else { "" };
        let stem = format!("{}-v{}{draft}", compact_time(backup.at), backup.version);
        self.keep(&backup.page, &stem, content(backup).as_bytes())
    }

    /// Keeps a document of a page as it is before it is written over; answers where.
    pub fn keep_document(&self, page: &PageId, at: Wall, bytes: &[u8]) -> Result<PathBuf, StateError> {
        self.keep(page, &format!("{}-document", compact_time(at)), bytes)
    }

    fn keep(&self, page: &PageId, stem: &str, content: &[u8]) -> Result<PathBuf, StateError> {
        private::folder(&self.folder)?;
        let folder = self.folder.join(page.as_str());
        private::folder(&folder)?;
        let mut n = 0;
        loop {
            n += 1;
            let path = folder.join(if n == 1 { format!("{stem}.md") } else { format!("{stem}-{n}.md") });
            let Some(mut file) = private::new_file(&path)? else {
                if fs::read(&path).map_err(|e| StateError::io(&path, e))? == content {
                    return Ok(path);
                }
                continue;
            };
            if let Err(error) = file.write_all(content).and_then(|()| file.sync_all()) {
                // A torn backup is none; that it can't be deleted either changes nothing.
                let _ = fs::remove_file(&path);
                return Err(StateError::io(&path, error));
            }
            private::sync_folder(&folder)?;
            return Ok(path);
        }
    }

    /// The backups of one page, oldest first.
    pub fn of_page(&self, page: &PageId) -> Result<Vec<Kept>, StateError> {
        let mut kept: Vec<Kept> = entries(&self.folder.join(page.as_str()))?.iter().filter_map(|p| parse(p)).collect();
        kept.sort_by(|a, b| (a.at, &a.path).cmp(&(b.at, &b.path)));
        Ok(kept)
    }

    /// Deletes what is older than 90 days; answers how many files that were.
    pub fn prune(&self, now: Wall) -> Result<usize, StateError> {
        let mut deleted = 0;
        for folder in entries(&self.folder)? {
            let ours = folder.file_name().and_then(|name| name.to_str()).is_some_and(|n| PageId::parse(n).is_ok());
            if !ours || !folder.is_dir() || folder.is_symlink() {
                continue;
            }
            for path in entries(&folder)? {
                let at = parse(&path).map(|kept| kept.at).or_else(|| document_of(&path));
                if at.is_some_and(|at| at.plus(KEPT) < now) {
                    fs::remove_file(&path).map_err(|e| StateError::io(&path, e))?;
                    deleted += 1;
                }
            }
            // Only an empty folder goes; that it isn't empty is no error.
            let _ = fs::remove_dir(&folder);
        }
        Ok(deleted)
    }
}

fn content(backup: &Backup) -> String {
    format!(
        "---\npage_id: {}\ntitle: {}\nversion: {}\nside: {}\n---\n{}",
        quoted(backup.page.as_str()),
        quoted(&backup.text.title),
        backup.version,
        side(backup.side),
        backup.text.body
    )
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Live => "live",
        Side::Draft => "draft",
    }
}

/// A YAML scalar in double quotes, which is JSON's but for some characters that YAML doesn't take as they are.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let plain =
        |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    json.chars().map(|c| if plain(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect()
}

/// Reads the name of one of the hub's texts; `None` for any other.
fn parse(path: &Path) -> Option<Kept> {
    let mut parts = path.file_name()?.to_str()?.strip_suffix(".md")?.split('-');
    let at = time(parts.next()?)?;
    let version = parts.next()?.strip_prefix('v')?.parse().ok()?;
    let mut rest = parts.peekable();
    let side = if rest.next_if_eq(&"draft").is_some() { Side::Draft } else { Side::Live };
    let numbered = rest.next().is_none_or(|n| n.parse::<u32>().is_ok());
    (numbered && rest.next().is_none()).then(|| Kept { path: path.to_owned(), at, version, side })
}

/// Reads the name of a document that was kept: when that was.
fn document_of(path: &Path) -> Option<Wall> {
    let mut parts = path.file_name()?.to_str()?.strip_suffix(".md")?.split('-');
    let at = time(parts.next()?)?;
    let document = parts.next()? == "document";
    let numbered = parts.next().is_none_or(|n| n.parse::<u32>().is_ok());
    (document && numbered && parts.next().is_none()).then_some(at)
}

fn time(text: &str) -> Option<Wall> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(Wall(jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_millisecond()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StateError> {
    match fs::read_dir(folder).and_then(|all| all.map(|entry| entry.map(|e| e.path())).collect()) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|e| StateError::io(folder, e)),
    }
}

#[cfg(test)]
mod tests;
