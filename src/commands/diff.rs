//! `hubsync diff`: documents against their pages. Reads the state, the folder and the hub, changes nothing, beside a daemon and
//! without. 1 request a page, and 1 more for who edited one that is in conflict or drifted.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::cli::{self, Exit};
use crate::commands::offline::{self, Offline};
use crate::commands::opening;
use crate::commands::reader::{Look, Reader, Unread};
use crate::config::Config;
use crate::document::links::Around;
use crate::document::{self, Reading};
use crate::engine::PageReport;
use crate::hub::history::Edition;
use crate::local::read;
use crate::output::{Console, Lines, ProgressMode, Shown};
use crate::page::{DocPath, ListKind, Lists, Named, Page, Print};
use crate::reason::State;
use crate::reconcile::names::{self, Names};

mod compare;
mod hunks;
mod told;

use compare::{Comparison, Document, bare, compare};
use told::{Compared, Told};

/// Compares.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(
    args: &cli::Diff,
    config: &Config,
    here: &Path,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let refuse = |why: &str| {
        console.error(Shown::new(why));
        Ok(Exit::Usage)
    };
    let scope = match opening::scope(&config.root, here, &args.paths) {
        Ok(scope) => scope,
        Err(why) => return refuse(&why),
    };
    let offline = match offline::look(config) {
        Ok(offline) => offline,
        Err(why) => return refuse(&why),
    };
    offline.remarks.iter().for_each(|remark| console.warning(Shown::new(remark)));
    let pages = &offline.engine.summary(offline.now).pages;
    if let Some(unknown) = scope.iter().find(|path| !pages.iter().any(|page| is_below(&page.path, path))) {
        return refuse(&format!("{} is no document, and no folder with one in it", unknown.to_text()));
    }
    let chosen: Vec<&PageReport> = pages.iter().filter(|page| is_wanted(page, &scope)).collect();
    let in_step = pages.iter().filter(|page| page.path.is_within(&scope) && page.state == State::InStep);
    let left_out = in_step.count() - chosen.iter().filter(|page| page.state == State::InStep).count();
    if chosen.is_empty() && left_out == 0 && !args.json {
        return console.result(&Lines::of("no documents")).map(|_| Exit::Ok);
    }
    let mut told = Told::new(args, console, left_out);
    let ended = each(&chosen, &offline, args, config, console, progress, &mut told).await;
    told.end()?;
    match ended {
        Ok(exit) => Ok(exit),
        Err(why) => Ok(why.tell(console)),
    }
}

/// Whether a document is this one, or lies in this folder.
fn is_below(path: &DocPath, named: &DocPath) -> bool {
    path.as_path().starts_with(named.as_path())
}

/// Whether a page is compared: what is named is, however it stands; else what is not in step, and what was left alone needs no
/// word.
fn is_wanted(page: &PageReport, scope: &[DocPath]) -> bool {
    scope.contains(&page.path) || (page.path.is_within(scope) && !matches!(page.state, State::InStep | State::Skipped))
}

/// Compares one after the other.
async fn each(
    chosen: &[&PageReport],
    offline: &Offline,
    args: &cli::Diff,
    config: &Config,
    console: &Console,
    progress: ProgressMode,
    told: &mut Told<'_>,
) -> Result<Exit, Unread> {
    let mut reader: Option<Reader> = None;
    let mut known = Known { names: offline.names.clone(), read: BTreeSet::new() };
    let mut exit = Exit::Ok;
    for (n, page) in chosen.iter().enumerate() {
        let mine = mine(config, offline, page);
        let (Some(id), Ok(mine)) = (&page.page_id, &mine) else {
            told.page(page, &Compared::Not(mine.err().unwrap_or_default()), &known.names, None);
            continue;
        };
        let reader = match &mut reader {
            Some(reader) => reader,
            none => {
                let opened = none.insert(Reader::open(config, args.max_wait, console, progress)?);
                opened.expects(chosen.len() - n);
                opened
            }
        };
        let look = reader.page(id).await?;
        let compared = match &look {
            Look::Absent => {
                Compared::Not(format!("the hub has no page {id} (404): was it archived, or is it another workspace's?"))
            }
            Look::Failed(why) => {
                exit = Exit::Later;
                Compared::Not(why.clone())
            }
            Look::Page(there) | Look::Archived(there) => {
                let found = fields(mine.as_ref(), there, (config, offline), reader, &mut known).await?;
                let by = edition(&found, page, there, reader).await?;
                let archived = matches!(look, Look::Archived(_));
                Compared::With { page: there, found, by, archived }
            }
        };
        let requests = reader.requests();
        reader.aside(|| told.page(page, &compared, &known.names, Some(requests)));
    }
    Ok(exit)
}

/// The names that are known, and which tables of them were read again in this run: once is enough.
struct Known {
    names: Names,
    read: BTreeSet<ListKind>,
}

/// A document of ours that is compared.
#[derive(Clone, Debug)]
struct Mine {
    document: Document,
    named: Named,
}

/// What the file says; `None` where it is gone, and why not where there is nothing to compare.
fn mine(config: &Config, offline: &Offline, page: &PageReport) -> Result<Option<Mine>, String> {
    let why = || page.reason.as_ref().map(|reason| reason.message.clone()).unwrap_or_default();
    let Some(id) = &page.page_id else { return Err(why()) };
    if offline.gone.contains(id) {
        return Ok(None);
    }
    let rules = config.policy().rules;
    let bytes = match read::contents(&config.root, &page.path) {
        Ok(bytes) => bytes,
        Err(error) => return Err(format!("the file can't be compared: {error}")),
    };
    let links = offline.folder.links();
    let (reading, body) = {
        let around = Around { path: &page.path, map: &links.read() };
        (document::parse_among(&bytes, &rules, around).reading, document::body_among(&bytes, &rules, around))
    };
    let (Reading::Document { authored, .. }, Some(body)) = (reading, body) else { return Err(why()) };
    let body = bare(&body, rules.notice.as_ref()).to_owned();
    let title = authored.title.clone();
    let live = offline.records.get(id).and_then(|(_, record)| record.seen.as_ref()).map(|seen| seen.title.clone());
    let sent = title.clone().or(live).map(|title| Print { title, body: authored.body });
    let document = Document { title, body, sent, status: authored.status, lists: Lists::default() };
    Ok(Some(Mine { document, named: authored.named }))
}

/// What differs, with the names that are needed to tell it.
async fn fields(
    mine: Option<&Mine>,
    there: &Page,
    (config, offline): (&Config, &Offline),
    reader: &mut Reader,
    known: &mut Known,
) -> Result<Comparison, Unread> {
    let base = offline.records.get(&there.id).and_then(|(_, record)| record.base.as_ref());
    let notice = config.policy().rules.notice;
    let Some(Mine { document, named }) = mine else { return Ok(compare(None, there, base, notice.as_ref())) };
    known.names = reader.names(&names::kinds(named), &known.names).await?;
    let mut document = document.clone();
    for kind in ListKind::ALL {
        // One name that is not found keeps only its own list from being compared; the page's reason tells of it.
        if let Ok(ids) = names::resolve(&named.only(kind), &known.names) {
            document.lists.set(kind, ids.get(kind).cloned());
        }
    }
    let found = compare(Some(&document), there, base, notice.as_ref());
    for list in &found.lists {
        let table = known.names.by_id(list.kind);
        if list.page.iter().any(|id| !table.contains_key(id.as_str())) && known.read.insert(list.kind) {
            known.names = reader.names(&[list.kind], &known.names.without(list.kind)).await?;
        }
    }
    Ok(found)
}

/// Who made the version that differs, where somebody did.
async fn edition(
    found: &Comparison,
    page: &PageReport,
    there: &Page,
    reader: &mut Reader,
) -> Result<Option<Edition>, Unread> {
    if found.is_none() || !matches!(page.state, State::Conflict | State::Drifted) {
        return Ok(None);
    }
    let editions = reader.history(&there.id).await?;
    Ok(editions.into_iter().find(|edition| Some(edition.version) == there.version))
}
