//! Documents that say which page and which text they are, and what the hub has to hold of them: every text that was
//! published, in the order in which it was written, once.

use std::fs;

use hubsync::sandbox::{NewPage, Page, Status, server::clock};

use crate::Outcome;
use crate::hub::Place;

/// The id of a page.
pub fn id(page: usize) -> String {
    format!("page-{page:04}")
}

/// What a page has to show of a text.
pub fn body(page: usize, text: u32) -> String {
    format!("Text {text} of page {page}.\n")
}

/// Which text this is.
pub fn number(content: &str) -> Option<u32> {
    content.trim().strip_prefix("Text ")?.split(' ').next()?.parse().ok()
}

/// Adds so many pages to the hub, each with its text 0.
pub fn add_pages(place: &Place, pages: usize) {
    let model = &mut place.hub().model;
    for page in 0..pages {
        let (id, title) = (Some(id(page)), format!("Page {page}"));
        let content = body(page, 0);
        model.add_page(clock(), NewPage { id, title, content, status: Status::Published, ..NewPage::default() });
    }
}

/// A document; `more` is what its front matter says beside the id.
pub fn document(page: usize, body: &str, more: &str) -> String {
    format!("---\npage_id: {}\n{more}---\n\n# Page {page}\n\n{body}", id(page))
}

/// Writes a document.
pub fn write(place: &Place, page: usize, text: u32, more: &str) -> Outcome<()> {
    Ok(fs::write(place.root().join(format!("{}.md", id(page))), document(page, &body(page, text), more))?)
}

/// Writes so many documents.
pub fn write_all(place: &Place, pages: usize, text: u32) -> Outcome<()> {
    (0..pages).try_for_each(|page| write(place, page, text, ""))
}

/// How many of these pages show this text.
pub fn showing(place: &Place, pages: usize, text: u32) -> usize {
    pages - lost(place, pages, text).len()
}

/// The pages that show another text than this one.
pub fn lost(place: &Place, pages: usize, text: u32) -> Vec<String> {
    let hub = place.hub();
    let shows = |page: usize| hub.model.page(&id(page)).and_then(Page::content).map(str::trim);
    (0..pages)
        .filter(|page| shows(*page) != Some(body(*page, text).trim()))
        .map(|page| format!("{} shows {:?}, not its text {text}", id(page), shows(page)))
        .collect()
}

/// The pages whose versions are not ever newer texts: one was published twice, or an older one after a newer one.
pub fn repeated(place: &Place) -> Vec<String> {
    let hub = place.hub();
    let texts = |page: &Page| page.versions.iter().map(|version| number(&version.content)).collect::<Vec<_>>();
    hub.model
        .pages()
        .map(|page| (&page.id, texts(page)))
        .filter(|(_, texts)| texts.contains(&None) || !texts.is_sorted_by(|one, next| one < next))
        .map(|(id, texts)| {
            format!("{id} was published with the texts {:?}", texts.iter().flatten().collect::<Vec<_>>())
        })
        .collect()
}

/// All versions that were published since the pages were added.
pub fn published(place: &Place) -> usize {
    place.hub().model.pages().map(|page| page.versions.len() - 1).sum()
}
