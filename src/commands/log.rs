//! `hubsync log`: what was published, replaced, archived and adopted, when and by which rule, and where the backup lies. Reads
//! the state and the folder of backups beside whoever writes them; asks the hub nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{self, Exit};
use crate::commands::opening;
use crate::config::Config;
use crate::engine::change::{LogEntry, LogEvent};
use crate::output::{Console, Lines, Shown};
use crate::page::{DocPath, ListKind, Lists, PageId, Wall};
use crate::reconcile::names::Names;
use crate::state::backups::Backups;
use crate::state::error::StateError;
use crate::state::store::{Loaded, Store};

/// As `--json` prints it.
#[derive(Serialize)]
struct Report {
    schema: u32,
    entries: Vec<Line>,
}

/// One thing that was done.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    at: String,
    event: &'static str,
    path: String,
    page_id: String,
    /// The API's names of the fields that were sent.
    fields: Vec<String>,
    version: Option<u64>,
    /// The row of the decision table that said so.
    rule: String,
    /// Where the texts lie that it replaced.
    backups: Vec<String>,
    /// What was on the lists that it replaced.
    replaced: BTreeMap<&'static str, Vec<String>>,
}

/// Tells.
///
/// # Errors
/// Where stdout can't be written to.
pub fn run(args: &cli::Log, config: &Config, here: &Path, console: &Console) -> io::Result<Exit> {
    let paths: Vec<PathBuf> = args.path.iter().cloned().collect();
    let read = opening::scope(&config.root, here, &paths).and_then(|scope| {
        let (loaded, entries) = read(config).map_err(|error| error.to_string())?;
        told(args.number, &scope, &loaded, &entries, &Backups::of_state(&config.state))
            .map_err(|error| error.to_string())
    });
    let entries = match read {
        Ok(entries) => entries,
        Err(why) => {
            console.error(Shown::new(&why));
            return Ok(Exit::Usage);
        }
    };
    let mut lines = Lines::new();
    if args.json {
        lines.json(&Report { schema: 1, entries });
    } else if entries.is_empty() {
        lines.line("nothing was done yet");
    } else {
        entries.iter().for_each(|entry| write(&mut lines, entry));
    }
    console.result(&lines).map(|_| Exit::Ok)
}

/// The state and its log, oldest first.
fn read(config: &Config) -> Result<(Loaded, Vec<LogEntry>), StateError> {
    let Some(mut store) = Store::read_only(&config.state)? else { return Ok((Loaded::default(), Vec::new())) };
    let (loaded, mut entries) = (store.load()?, store.log(usize::MAX)?);
    entries.reverse();
    Ok((loaded, entries))
}

/// The last `number` entries of what lies in the scope, oldest first, each with its backups.
fn told(
    number: usize,
    scope: &[DocPath],
    loaded: &Loaded,
    entries: &[LogEntry],
    backups: &Backups,
) -> Result<Vec<Line>, StateError> {
    // A document that was moved keeps its page, and with it what was done before.
    let now: BTreeSet<&PageId> =
        loaded.pages.iter().filter(|(_, path, _)| path.is_within(scope)).map(|(id, _, _)| id).collect();
    let then = |path: &str| DocPath::new(path).is_some_and(|path| path.is_within(scope));
    let wanted: Vec<usize> =
        (0..entries.len()).filter(|n| now.contains(&entries[*n].page) || then(&entries[*n].path)).collect();
    let wanted = &wanted[wanted.len().saturating_sub(number)..];
    let pages: BTreeSet<&PageId> = wanted.iter().map(|n| &entries[*n].page).collect();
    let mut kept: BTreeMap<usize, Vec<PathBuf>> = BTreeMap::new();
    for page in pages {
        let texts = backups.of_page(page)?.into_iter().map(|kept| (kept.at, kept.path, Whose::Hub));
        let documents = backups.documents_of(page)?.into_iter().map(|(at, path)| (at, path, Whose::Ours));
        for (at, path, whose) in texts.chain(documents) {
            if let Some(n) = replaced_by(at, whose, page, entries) {
                kept.entry(n).or_default().push(path);
            }
        }
    }
    Ok(wanted.iter().map(|n| line(&entries[*n], kept.remove(n).unwrap_or_default(), &loaded.names)).collect())
}

/// Which entry tells of the write that a backup was made for: it is written right before, to the second, and the answer to the
/// write is the next thing that is told of its page.
fn replaced_by(at: Wall, whose: Whose, page: &PageId, entries: &[LogEntry]) -> Option<usize> {
    let writes = |event: &LogEvent| match event {
        LogEvent::Published { .. } => true,
        LogEvent::Archived => whose == Whose::Hub,
        LogEvent::Written { .. } => whose == Whose::Ours,
        LogEvent::Adopted | LogEvent::Created { .. } | LogEvent::Raced { .. } => false,
    };
    entries.iter().position(|entry| entry.page == *page && writes(&entry.event) && entry.at >= at)
}

/// Whose text a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// One of the hub.
    Hub,
    /// A document that was written over.
    Ours,
}

fn line(entry: &LogEntry, backups: Vec<PathBuf>, names: &Names) -> Line {
    let (event, fields, version, lists) = match &entry.event {
        LogEvent::Published { fields, version, replaced } => ("published", fields.clone(), *version, replaced.clone()),
        LogEvent::Created { version } => ("created", Vec::new(), *version, Lists::default()),
        LogEvent::Adopted => ("adopted", Vec::new(), None, Lists::default()),
        LogEvent::Raced { version } => ("raced", Vec::new(), Some(*version), Lists::default()),
        LogEvent::Archived => ("archived", Vec::new(), None, Lists::default()),
        LogEvent::Written { version } => ("written", Vec::new(), *version, Lists::default()),
    };
    let mut replaced = BTreeMap::new();
    for kind in ListKind::ALL {
        if let Some(ids) = lists.get(kind) {
            let table = names.by_id(kind);
            let named = ids.iter().map(|id| table.get(id.as_str()).unwrap_or(id).clone()).collect();
            replaced.insert(kind.key(), named);
        }
    }
    Line {
        at: entry.at.to_seconds(),
        event,
        path: entry.path.clone(),
        page_id: entry.page.as_str().to_owned(),
        fields,
        version,
        rule: entry.rule.clone(),
        backups: backups.into_iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        replaced,
    }
}

fn write(lines: &mut Lines, line: &Line) {
    let path = Shown::new(&line.path);
    let version = line.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let what = match line.event {
        "published" => format!("published  {path} ({}{version})", line.fields.join(", ")),
        "created" => format!("created    {path}: its page was made{version}"),
        "adopted" => format!("adopted    {path}: the page said the same"),
        "raced" => format!(
            "raced      {path}: somebody published between our look and our write, before version {}",
            line.version.unwrap_or(0)
        ),
        "written" => format!("written    {path}: the page's text is in the document{version}"),
        other => format!("{other:<9}  {path}"),
    };
    lines.line(format_args!("{}  {what}  [{}]", line.at, line.rule));
    for (list, names) in &line.replaced {
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        lines.line(format_args!("    replaced {list}: {}", Shown::new(&names)));
    }
    for backup in &line.backups {
        let what = if line.event == "archived" { "its text" } else { "replaced text" };
        lines.line(format_args!("    {what}: {}", Shown::new(backup)));
    }
}
