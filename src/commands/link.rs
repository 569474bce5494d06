//! `hubsync link --by-title`: writes `page_id` into documents whose title names exactly one page of the hub. 1 request for every
//! 100 pages, no write to the hub. A document gets one line; a title that leaves a choice is listed, never guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::cli::{self, Exit};
use crate::commands::offline::{self, Offline};
use crate::commands::opening;
use crate::commands::reader::Reader;
use crate::config::Config;
use crate::document::edit::{self, Setting};
use crate::document::{self, Reading};
use crate::engine::PageReport;
use crate::engine::settled::{Checkout, RootHealth};
use crate::local::{read, write};
use crate::output::{Console, ProgressMode, Shown};
use crate::page::{Digest, DocPath, PageId, Row};
use crate::policy::Rules;
use crate::reason::Code;
use crate::reconcile::names::tidy;

mod told;

use told::{Outcome, Told};

/// A document that has no page yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unlinked {
    path: DocPath,
    /// The title, where it has one.
    title: Option<String>,
}

/// What its title says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Match {
    /// This page and no other, and no other document has it.
    One(PageId),
    /// It leaves a choice: which pages it could be, and why none was taken.
    Several(Vec<PageId>, &'static str),
    /// No page.
    None(&'static str),
}

/// Links.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(
    args: &cli::Link,
    config: &Config,
    here: &Path,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let refuse = |why: &str, exit| {
        console.error(Shown::new(why));
        Ok(exit)
    };
    let scope = match opening::scope(&config.root, here, &args.paths) {
        Ok(scope) => scope,
        Err(why) => return refuse(&why, Exit::Usage),
    };
    opening::warn_of_missing(&config.root, &scope, console);
    let offline = match offline::look(config) {
        Ok(offline) => offline,
        Err(why) => return refuse(&why, Exit::Usage),
    };
    offline.remarks.iter().for_each(|remark| console.warning(Shown::new(remark)));
    match &offline.health {
        RootHealth::Ok => {}
        RootHealth::Missing(why) => return refuse(why, Exit::Usage),
        RootHealth::Held(Checkout::Busy(why)) => return refuse(why, Exit::Later),
        RootHealth::Held(checkout) => return refuse(&checkout.reason().message, Exit::Person),
        RootHealth::Changed { known, found } => {
            let why = format!("only {found} of {known} known documents are in this folder; nothing is written into it");
            return refuse(&why, Exit::Person);
        }
    }
    let pages = offline.engine.summary(offline.now).pages;
    let unlinked = unlinked(&offline, &pages);
    let mut told = Told::new(args);
    if unlinked.iter().any(|document| document.path.is_within(&scope) && document.title.is_some()) {
        match Reader::all_pages(config, args.max_wait, console, progress).await {
            Ok((rows, requests)) => told.asked(&rows, requests),
            Err(why) => return Ok(why.tell(console)),
        }
    }
    let matches = matches(&unlinked, told.rows(), &taken(&offline, &pages));
    for (document, found) in unlinked.iter().zip(matches).filter(|(document, _)| document.path.is_within(&scope)) {
        let outcome = match found {
            Match::One(page) if args.dry_run => Outcome::WouldLink(page),
            Match::One(page) => match link(&config.root, document, &page, &config.policy().rules) {
                Ok(()) => Outcome::Linked(page),
                Err(why) => Outcome::Failed(page, why),
            },
            Match::Several(pages, why) => Outcome::Ambiguous(pages, why),
            Match::None(why) => Outcome::NoPage(why),
        };
        told.document(&document.path, document.title.as_deref(), outcome);
    }
    let exit = told.verdict();
    console.result(&told.lines()).map(|_| exit)
}

/// The documents without a page: those with front matter that are neither broken nor left alone. In the whole root, because a
/// title that several of them have names no one's page.
fn unlinked(offline: &Offline, pages: &[PageReport]) -> Vec<Unlinked> {
    let readings: BTreeMap<&DocPath, &Reading> = offline.folder.readings().collect();
    let without = pages.iter().filter(|page| {
        page.page_id.is_none() && page.reason.as_ref().is_some_and(|reason| reason.code == Code::NoPageId)
    });
    let document = |path: &DocPath| match readings.get(path) {
        Some(Reading::Document { page_id: None, authored, .. }) => {
            Some(Unlinked { path: path.clone(), title: authored.title.clone() })
        }
        _ => None,
    };
    without.filter_map(|page| document(&page.path)).collect()
}

/// Pages that have a document, or whose document is known although it can't be read at the moment.
fn taken(offline: &Offline, pages: &[PageReport]) -> BTreeSet<PageId> {
    let named = offline.folder.readings().filter_map(|(_, reading)| reading.page_id());
    let known = pages.iter().filter_map(|page| page.page_id.as_ref());
    named.chain(known.filter(|id| !offline.gone.contains(*id))).cloned().collect()
}

/// What each title says.
fn matches(unlinked: &[Unlinked], rows: &[Row], taken: &BTreeSet<PageId>) -> Vec<Match> {
    let mut pages: BTreeMap<String, Vec<&PageId>> = BTreeMap::new();
    for row in rows {
        pages.entry(tidy(&row.title)).or_default().push(&row.id);
    }
    pages.values_mut().for_each(|ids| ids.sort());
    let mut documents: BTreeMap<String, usize> = BTreeMap::new();
    for title in unlinked.iter().filter_map(|document| document.title.as_deref()) {
        *documents.entry(tidy(title)).or_default() += 1;
    }
    let one = |document: &Unlinked| {
        let Some(title) = document.title.as_deref().map(tidy) else {
            return Match::None("it has no title: write one, or the page_id");
        };
        let all = || pages.get(&title).into_iter().flatten().map(|id| (*id).clone()).collect::<Vec<_>>();
        match pages.get(&title).map_or(&[][..], Vec::as_slice) {
            [] => Match::None("the hub has no page of this title"),
            [_, _, ..] => Match::Several(all(), "several pages have this title; write the page_id of the right one"),
            [_] if documents.get(&title).is_some_and(|n| *n > 1) => {
                Match::Several(all(), "several documents have this title; write the page_id into the right one")
            }
            [id] if taken.contains(*id) => Match::Several(all(), "another document has the page of this title"),
            [id] => Match::One((*id).clone()),
        }
    };
    unlinked.iter().map(one).collect()
}

/// Writes the id into the document, provided that it still says what was read.
fn link(root: &Path, document: &Unlinked, page: &PageId, rules: &Rules) -> Result<(), String> {
    let bytes = read::contents(root, &document.path).map_err(|error| error.to_string())?;
    let still = matches!(
        document::parse(&bytes, rules).reading,
        Reading::Document { page_id: None, authored, .. } if authored.title == document.title
    );
    if !still {
        return Err("the file has changed meanwhile; try again".to_owned());
    }
    let edited = edit::set(&bytes, &Setting::PageId(page)).map_err(|error| error.to_string())?;
    write::replace(root, &document.path, Digest::of(&bytes), &edited).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::{Ids, PageStatus, Stamp};

    fn id(text: &str) -> PageId {
        PageId::parse(text).unwrap()
    }

    fn row(page: &str, title: &str) -> Row {
        Row {
            id: id(page),
            status: PageStatus::Published,
            title: title.to_owned(),
            version: Some(1),
            updated_at: Stamp(0),
            folders: Ids::new(),
            skills: Ids::new(),
        }
    }

    fn found(titles: &[Option<&str>], rows: &[(&str, &str)], taken: &[&str]) -> Vec<Match> {
        let document = |(n, title): (usize, &Option<&str>)| Unlinked {
            path: DocPath::new(format!("{n}.md")).unwrap(),
            title: title.map(str::to_owned),
        };
        let unlinked: Vec<Unlinked> = titles.iter().enumerate().map(document).collect();
        let rows: Vec<Row> = rows.iter().map(|(page, title)| row(page, title)).collect();
        matches(&unlinked, &rows, &taken.iter().map(|page| id(page)).collect())
    }

    #[test]
    fn a_title_that_names_one_free_page_links() {
        assert_eq!(found(&[Some("Caf\u{e9} ")], &[("p", "Cafe\u{301}"), ("q", "Other")], &[]), [Match::One(id("p"))]);
    }

    #[test]
    fn whatever_leaves_a_choice_is_not_guessed() {
        let several = |found: &[Match]| matches!(found, [Match::Several(..)]);
        assert!(several(&found(&[Some("A")], &[("p", "A"), ("q", "A")], &[])));
        assert!(several(&found(&[Some("A")], &[("p", "A"), ("q", "A")], &["q"])), "one of them has a document");
        assert!(several(&found(&[Some("A")], &[("p", "A")], &["p"])));
        let twins = found(&[Some("A"), Some("A")], &[("p", "A")], &[]);
        assert!(twins.iter().all(|found| matches!(found, Match::Several(..))), "{twins:?}");
    }

    #[test]
    fn no_title_and_a_title_in_another_case_name_no_page() {
        let none = found(&[None, Some("a")], &[("p", "A")], &[]);
        assert!(none.iter().all(|found| matches!(found, Match::None(_))), "{none:?}");
    }
}
