//! What differs between a document and its page, field by field. Pure. Which of the page's texts a document is compared with,
//! the contract says ("Draft and published"): the live one, or for a draft its draft, where there is one. Somebody's draft on a
//! page whose document is published is shown beside it, because publishing would destroy it.

use std::collections::BTreeSet;

use super::hunks::Hunks;
use crate::document::without_notice;
use crate::page::{DraftSeen, Ids, ListKind, Lists, Page, Print, Side, Status, Text};
use crate::policy::Notice;
use crate::reconcile::page_record::Base;

/// A document, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The title, where it is managed.
    pub title: Option<String>,
    /// The body that travels, without a notice.
    pub body: String,
    /// What is compared with the base, to know a text that the hub has rewritten for ours.
    pub sent: Option<Print>,
    /// What it wants its page to be.
    pub status: Status,
    /// The lists that it manages, as ids; those whose names are not found are left out.
    pub lists: Lists,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The document wants the page to be published, and it never was.
    pub unpublished: bool,
    /// Lists that differ.
    pub lists: Vec<ListDifference>,
    /// Texts that were compared, also those that don't differ; the first is the one that the contract names.
    pub texts: Vec<TextDifference>,
    /// What else a person should know.
    pub remarks: Vec<&'static str>,
}

/// A list that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListDifference {
    /// Which.
    pub kind: ListKind,
    /// What only the page has.
    pub page: Vec<String>,
    /// What only the document has.
    pub document: Vec<String>,
}

/// A text of the page, beside the document's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextDifference {
    /// Which of the page's.
    pub side: Side,
    /// Both titles, where they differ.
    pub title: Option<(String, String)>,
    /// Where the bodies differ.
    pub body: Hunks,
}

impl TextDifference {
    /// Whether they are the same.
    pub fn is_none(&self) -> bool {
        self.title.is_none() && self.body.is_empty()
    }
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_none(&self) -> bool {
        !self.unpublished && self.lists.is_empty() && self.texts.iter().all(TextDifference::is_none)
    }
}

/// Compares; without a document (its file is gone) everything of the page's text is shown.
pub fn compare(document: Option<&Document>, page: &Page, base: Option<&Base>, notice: Option<&Notice>) -> Comparison {
    let draft = match &page.draft {
        DraftSeen::Some(text) => Some(text),
        DraftSeen::None | DraftSeen::NotAsked => None,
    };
    let (live, draft) = (page.live.as_ref().map(|text| (Side::Live, text)), draft.map(|text| (Side::Draft, text)));
    let wants = document.map_or(Status::Published, |document| document.status);
    let texts: Vec<(Side, &Text)> = match wants {
        Status::Published => live.into_iter().chain(draft).collect(),
        Status::Draft => draft.or(live).into_iter().collect(),
    };
    let mut remarks = Vec::new();
    let mut found: Vec<TextDifference> = texts
        .into_iter()
        .map(|(side, text)| {
            let ours = document.is_some_and(|document| is_rewritten(document, side, text, base));
            if ours {
                remarks.push("the hub has rewritten the document's text in its own way; that is no difference");
            }
            if ours {
                TextDifference { side, title: None, body: Hunks::default() }
            } else {
                between(document, side, text, notice)
            }
        })
        .collect();
    if found.is_empty() {
        // The page has no text at all.
        let none = Text { title: page.title.clone(), body: String::new() };
        found.push(between(document, Side::Draft, &none, notice));
    }
    if found.iter().any(|text| text.side == Side::Draft && !text.is_none())
        && wants == Status::Published
        && live.is_some()
    {
        remarks.push("somebody's unpublished draft lies on the page; publishing the document would destroy it");
    }
    if wants == Status::Draft && live.is_some() {
        remarks.push("the document is a draft, its page stays live; edits go to the page's draft");
    }
    Comparison {
        unpublished: document.is_some() && wants == Status::Published && live.is_none(),
        lists: document.map(|document| lists(&document.lists, &page.lists)).unwrap_or_default(),
        texts: found,
        remarks,
    }
}

/// A text without the notice that ends it (`publish.notice`): on both sides it is hubsync's, and no difference.
pub fn bare<'a>(text: &'a str, notice: Option<&Notice>) -> &'a str {
    notice.map_or(text, |notice| without_notice(text, notice))
}

/// Whether the page shows what the hub made of the very text that the document says.
fn is_rewritten(document: &Document, side: Side, text: &Text, base: Option<&Base>) -> bool {
    let known = base.and_then(|base| match side {
        Side::Live => base.live.as_ref(),
        Side::Draft => base.draft.as_ref(),
    });
    let shown = Print::of(&text.title, &text.body);
    known.is_some_and(|known| known.echoed.as_ref() == Some(&shown) && document.sent.as_ref() == Some(&known.sent))
}

fn between(document: Option<&Document>, side: Side, text: &Text, notice: Option<&Notice>) -> TextDifference {
    let shown = bare(&text.body, notice);
    let Some(document) = document else {
        let title = Some((text.title.clone(), String::new()));
        return TextDifference { side, title, body: Hunks::between(shown, "") };
    };
    let title = document.title.as_ref().filter(|title| **title != text.title);
    TextDifference {
        side,
        title: title.map(|title| (text.title.clone(), title.clone())),
        body: Hunks::between(shown, &document.body),
    }
}

/// The managed lists that differ.
fn lists(document: &Lists, page: &Lists) -> Vec<ListDifference> {
    let difference = |kind| {
        let wanted = document.get(kind)?;
        let none = Ids::new();
        let there = page.get(kind).unwrap_or(&none);
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
        (wanted != there).then(|| ListDifference { kind, page: only(there, wanted), document: only(wanted, there) })
    };
    ListKind::ALL.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::{Digest, PageId, PageStatus, Stamp, Wall};
    use crate::reconcile::page_record::Known;

    fn text(body: &str) -> Text {
        Text { title: "T".into(), body: body.into() }
    }

    fn page(live: Option<&str>, draft: Option<&str>) -> Page {
        Page {
            id: PageId::parse("p").unwrap(),
            status: if live.is_some() { PageStatus::Published } else { PageStatus::Draft },
            title: "T".into(),
            version: live.map(|_| 3),
            updated_at: Stamp(0),
            lists: Lists { folders: Some(["f1".to_owned()].into()), ..Lists::default() },
            live: live.map(text),
            draft: draft.map_or(DraftSeen::None, |draft| DraftSeen::Some(text(draft))),
        }
    }

    fn document(body: &str, status: Status) -> Document {
        let sent = Some(Print::of("T", body));
        Document { title: None, body: body.into(), sent, status, lists: Lists::default() }
    }

    fn sides(comparison: &Comparison) -> Vec<(Side, bool)> {
        comparison.texts.iter().map(|text| (text.side, text.is_none())).collect()
    }

    #[test]
    fn a_published_document_is_compared_with_the_live_text_and_a_draft_is_shown_beside_it() {
        let found = compare(Some(&document("a\n", Status::Published)), &page(Some("a\n"), Some("b\n")), None, None);
        assert_eq!(sides(&found), [(Side::Live, true), (Side::Draft, false)]);
        assert!(!found.is_none() && found.remarks.len() == 1, "{found:?}");
        let alone = compare(Some(&document("a\n", Status::Published)), &page(Some("a\n"), None), None, None);
        assert!(alone.is_none() && alone.remarks.is_empty());
    }

    #[test]
    fn a_draft_is_compared_with_the_draft_else_with_the_live_text() {
        let draft = document("a\n", Status::Draft);
        assert_eq!(sides(&compare(Some(&draft), &page(Some("x\n"), Some("a\n")), None, None)), [(Side::Draft, true)]);
        assert_eq!(sides(&compare(Some(&draft), &page(Some("a\n"), None), None, None)), [(Side::Live, true)]);
        assert_eq!(sides(&compare(Some(&draft), &page(None, None), None, None)), [(Side::Draft, false)]);
    }

    #[test]
    fn a_page_that_was_never_published_is_told() {
        let found = compare(Some(&document("a\n", Status::Published)), &page(None, Some("a\n")), None, None);
        assert!(found.unpublished && !found.is_none());
    }

    #[test]
    fn without_a_file_the_page_s_text_is_shown() {
        let found = compare(None, &page(Some("a\n"), None), None, None);
        assert_eq!(found.texts[0].title, Some(("T".into(), String::new())));
        assert_eq!(found.texts[0].body.to_text().as_deref(), Some("@@ -1 +0,0 @@\n-a\n"));
        assert!(found.lists.is_empty() && !found.unpublished);
    }

    #[test]
    fn only_managed_lists_are_compared() {
        let mut wanted = document("a\n", Status::Published);
        assert!(compare(Some(&wanted), &page(Some("a\n"), None), None, None).lists.is_empty());
        wanted.lists.folders = Some(["f2".to_owned()].into());
        let found = compare(Some(&wanted), &page(Some("a\n"), None), None, None).lists;
        assert_eq!(
            found,
            [ListDifference { kind: ListKind::Folders, page: vec!["f1".into()], document: vec!["f2".into()] }]
        );
    }

    #[test]
    fn a_notice_is_no_difference_wherever_the_document_lay() {
        let notice = Notice::parse("_Kept in git: {path}_").unwrap();
        let there = page(Some("a\n\n_Kept in git: old/place.md_\n"), None);
        let ours = document("a\n", Status::Published);
        assert!(compare(Some(&ours), &there, None, Some(&notice)).is_none());
        assert!(!compare(Some(&ours), &there, None, None).is_none());
    }

    #[test]
    fn a_text_that_the_hub_rewrote_is_no_difference_until_the_document_changes() {
        let known = Known::new(Print::of("T", "* a\n"), Some(Print::of("T", "- a\n")));
        let base = Base {
            live: Some(known),
            draft: None,
            lists: Lists::default(),
            version: Some(3),
            source: Digest::of(""),
            rules: Digest::of(""),
            at: Wall(0),
        };
        let there = page(Some("- a\n"), None);
        assert!(compare(Some(&document("* a\n", Status::Published)), &there, Some(&base), None).is_none());
        assert!(!compare(Some(&document("* b\n", Status::Published)), &there, Some(&base), None).is_none());
    }
}
