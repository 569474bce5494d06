//! What the file of a page is to say, so that the document says what the page says and nothing is sent for it. Pure but for its
//! room: pages, names and bytes go in, bytes come out.

use crate::document::edit::{self, New, Setting, Unfit};
use crate::document::links::Around;
use crate::document::{self, Reading};
use crate::page::{Desired, DraftSeen, Ids, ListKind, Page, Print, Status, Text};
use crate::policy::Rules;
use crate::reconcile::merge;
use crate::reconcile::names::{self, Names};

/// Why there is nothing to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Not {
    /// The page has no text.
    NoText,
    /// No document can say what the page says.
    Unfit(String),
}

impl From<Unfit> for Not {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit.to_string())
    }
}

/// Whether a page's document should be a draft: where it was never published.
pub(super) fn status(page: &Page) -> Status {
    if page.live.is_some() { Status::Published } else { Status::Draft }
}

/// The text that a document of `status` is compared with.
pub(super) fn text(page: &Page, status: Status) -> Option<&Text> {
    let text = match (status, &page.draft) {
        (Status::Draft, DraftSeen::Some(draft)) => Some(draft),
        _ => page.live.as_ref(),
    };
    text.filter(|text| !text.body.trim().is_empty())
}

/// The body as a document has it, the one it has so far in mind: without the notice that is put under what is published, and with
/// links as an author writes them.
fn own_body(text: &Text, status: Status, old: Option<&[u8]>, rules: &Rules, around: Around<'_>) -> String {
    let own = match &rules.notice {
        Some(notice) if status == Status::Published => document::without_notice(&text.body, notice),
        _ => &text.body,
    };
    document::as_written(own, old, rules, around)
}

/// A new document, to lie among others.
pub(super) fn anew(page: &Page, names: &Names, rules: &Rules, around: Around<'_>) -> Result<Vec<u8>, Not> {
    let status = status(page);
    let text = text(page, status).ok_or(Not::NoText)?;
    let own = own_body(text, status, None, rules, around);
    // A list with something that nothing can be said of is left to the hub.
    let lists: Vec<(ListKind, Vec<String>)> = ListKind::ALL
        .into_iter()
        .filter_map(|kind| page.lists.get(kind).filter(|ids| !ids.is_empty()).map(|ids| (kind, ids)))
        .filter_map(|(kind, ids)| spelled(kind, ids, names).map(|spelled| (kind, spelled)))
        .collect();
    let text = edit::Text { title: &text.title, body: &own };
    let new = New { page_id: &page.id, text, lists: &lists, status };
    Ok(edit::document(&new, rules)?.bytes)
}

/// A document with what its page says by now: its text, and the lists that it manages; the same bytes where both agree.
pub(super) fn changed(
    old: &[u8],
    desired: &Desired,
    page: &Page,
    names: &Names,
    rules: &Rules,
    around: Around<'_>,
) -> Result<Vec<u8>, Not> {
    let text = text(page, desired.status).ok_or(Not::NoText)?;
    let mut bytes = old.to_vec();
    if !merge::desired_is_folded(desired, &Print::of(&text.title, &text.body)) {
        let own = own_body(text, desired.status, Some(old), rules, around);
        bytes = edit::set_text(&bytes, &edit::Text { title: &text.title, body: &own }, rules)?.bytes;
    }
    for kind in ListKind::ALL {
        let (Some(ours), Some(theirs)) = (desired.lists.get(kind), page.lists.get(kind)) else { continue };
        if ours != theirs {
            let spelled = spelled(kind, theirs, names).ok_or_else(|| {
                Not::Unfit(format!(
                    "its {} hold one that the hub does not list, so no document can name it",
                    kind.key()
                ))
            })?;
            bytes = edit::set(&bytes, &Setting::List(kind, &spelled))?;
        }
    }
    Ok(bytes)
}

/// A document whose links to pages that have files by now lead to those.
pub(super) fn linked(old: &[u8], rules: &Rules, around: Around<'_>) -> Result<Vec<u8>, Not> {
    let (Reading::Document { authored, .. }, Some(body)) =
        (document::parse(old, rules).reading, document::body(old, rules))
    else {
        return Err(Not::NoText);
    };
    let linked = document::as_written(&body, None, rules, around);
    // What still ends lines by CRLF after one reading would lose that in another.
    if linked == body || linked.contains("\r\n") {
        return Ok(old.to_vec());
    }
    let title = authored.title.unwrap_or_default();
    Ok(edit::set_text(old, &edit::Text { title: &title, body: &linked }, rules)?.bytes)
}

/// Ids as a document writes them: by name, where front matter can say it. `None` where the hub lists one of them nowhere.
fn spelled(kind: ListKind, ids: &Ids, names: &Names) -> Option<Vec<String>> {
    let known = names.by_id(kind);
    let spell = |id: &String| {
        let name = names::spelled(kind, id, names);
        let sayable = !name.is_empty() && !name.chars().any(char::is_control);
        known.contains_key(id.as_str()).then(|| if sayable { name } else { id.clone() })
    };
    ids.iter().map(spell).collect()
}

#[cfg(test)]
mod tests;
