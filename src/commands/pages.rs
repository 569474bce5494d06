//! `hubsync pages`: the hub's pages, and which document is whose. 1 request for every 100 pages; beside a daemon and without.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::cli::{self, Exit};
use crate::commands::offline::{self, Offline};
use crate::commands::reader::Reader;
use crate::config::Config;
use crate::output::{Console, Lines, ProgressMode, Shown};
use crate::page::{Ids, ListKind, PageId, PageStatus, Row};

/// As `--json` prints it.
#[derive(Serialize)]
struct Report {
    schema: u32,
    pages: Vec<Line>,
    requests: BTreeMap<&'static str, u32>,
}

/// One page.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    page_id: String,
    title: String,
    status: PageStatus,
    version: Option<u64>,
    updated_at: String,
    folders: Vec<String>,
    skills: Vec<String>,
    url: Option<String>,
    path: Option<String>,
}

/// Lists.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(args: &cli::Pages, config: &Config, console: &Console, progress: ProgressMode) -> io::Result<Exit> {
    let offline = match offline::look(config) {
        Ok(offline) => offline,
        Err(why) => {
            console.error(Shown::new(&why));
            return Ok(Exit::Usage);
        }
    };
    let (rows, asked) = match Reader::all_pages(config, args.max_wait, console, progress).await {
        Ok(read) => read,
        Err(why) => return Ok(why.tell(console)),
    };
    let documents = documents(&offline);
    let tables = [ListKind::Folders, ListKind::Skills].map(|kind| offline.names.by_id(kind));
    let pages: Vec<Line> = rows.into_iter().map(|row| line(row, &documents, &tables)).collect();
    let lines = if args.json { json(pages, asked) } else { text(&pages) };
    let _ = console.result(&lines)?;
    Ok(Exit::Ok)
}

/// Which document has which page.
fn documents(offline: &Offline) -> BTreeMap<PageId, String> {
    let there = |id: &PageId| !offline.gone.contains(id);
    let pages = offline.engine.summary(offline.now).pages;
    pages.iter().filter_map(|page| page.page_id.clone().filter(there).map(|id| (id, page.path.to_text()))).collect()
}

fn line(row: Row, documents: &BTreeMap<PageId, String>, [folders, skills]: &[BTreeMap<&str, String>; 2]) -> Line {
    let named = |table: &BTreeMap<&str, String>, ids: &Ids| {
        ids.iter().map(|id| table.get(id.as_str()).unwrap_or(id).clone()).collect()
    };
    Line {
        path: documents.get(&row.id).cloned(),
        folders: named(folders, &row.folders),
        skills: named(skills, &row.skills),
        page_id: row.id.as_str().to_owned(),
        title: row.title,
        status: row.status,
        version: row.version,
        updated_at: row.updated_at.to_iso(),
        url: None,
    }
}

fn json(pages: Vec<Line>, asked: u32) -> Lines {
    let mut lines = Lines::new();
    lines.json(&Report { schema: 1, pages, requests: BTreeMap::from([("GET", asked)]) });
    lines
}

/// A line a page, then how many there are.
fn text(pages: &[Line]) -> Lines {
    let mut lines = Lines::new();
    let widest = pages.iter().map(|page| page.page_id.len()).max().unwrap_or(0);
    for page in pages {
        let status = match page.status {
            PageStatus::Draft => "draft",
            PageStatus::Published => "published",
            PageStatus::Archived => "archived",
        };
        let (id, title) = (&page.page_id, Shown::new(&page.title));
        let filed = if page.folders.is_empty() { String::new() } else { format!("  [{}]", page.folders.join(", ")) };
        let path = page.path.as_deref().map_or("no document".to_owned(), |path| Shown::new(path).to_string());
        lines.line(format_args!("{id:<widest$}  {status:<9}  \"{title}\"{}  {path}", Shown::new(&filed)));
    }
    let (all, without) = (pages.len(), pages.iter().filter(|page| page.path.is_none()).count());
    lines.line(format_args!("{all} pages, {without} of them without a document"));
    lines
}
