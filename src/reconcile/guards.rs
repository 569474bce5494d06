//! What no single page can tell: whether this is the root that was known, whether so many pages may be archived, and
//! whether a bulk rewrite was asked for. Asked by `engine/` for a whole round, between plan and act. Pure.
//!
//! A guard answers a [`Refusal`] that says what a person can do, or nothing where the round may go on.

use crate::page::{Authored, DocPath, Print};
use crate::policy::Policy;
use crate::reason::{Code, Reason};
use crate::reconcile::page_record::Base;

/// How many pages may be rendered anew from unchanged files without a word (contract.md, Which side wins).
pub const REWRITES: usize = 20;

/// Why a round, or a part of it, waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Cause and cure.
    pub reason: Reason,
    /// What would let it go on.
    pub confirm: Confirm,
}

/// What a person can confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// `sync --confirm-root`: this folder is the root. Until then everything is held.
    Root,
    /// `sync --confirm-archive`: these pages go. Until then none is archived.
    Archive,
    /// `sync --confirm-rewrite`: these pages are published. Until then none of them is.
    Rewrite,
}

/// Whether the folder is the root that was known: fewer than half of the `known` documents were `found` in it, by path or
/// by page. `documents` is how many it holds at all: an empty folder is told apart in words only.
pub fn root(known: usize, found: usize, documents: usize) -> Option<Refusal> {
    if found.saturating_mul(2) >= known {
        return None;
    }
    let holds = match documents {
        0 => "it holds no document, like a folder that is not mounted or a checkout that failed".to_owned(),
        _ => format!("it holds {documents} documents, like the folder of another project"),
    };
    let found = match known {
        1 => "the one known document is not in the root".to_owned(),
        _ => format!("only {found} of {known} known documents are in the root"),
    };
    let message = format!("{found}: {holds}; everything is held; if this is right, `hubsync sync --confirm-root`");
    Some(Refusal { reason: Reason::new(Code::AnotherRoot, message), confirm: Confirm::Root })
}

/// Whether `due` pages may be archived now, when `lately` were in the last 24 hours and `pages` are known, the due ones
/// among them: within `archive_limit`, and never more than half of the pages there were. It is all of them or none, so that
/// a mass deletion never passes in part.
pub fn archives(due: usize, lately: usize, pages: usize, policy: &Policy) -> Option<Refusal> {
    let sum = due.saturating_add(lately);
    let limit = usize::try_from(policy.archive_limit).unwrap_or(usize::MAX);
    let bound = if sum > limit {
        format!("archive_limit is {limit}")
    } else if sum.saturating_mul(2) > pages.saturating_add(lately) {
        format!("that is more than half of the {} pages", pages.saturating_add(lately))
    } else {
        return None;
    };
    if due == 0 {
        return None;
    }
    let gone =
        if due == 1 { "the file of 1 page is gone".to_owned() } else { format!("the files of {due} pages are gone") };
    let before = if lately == 1 { "1 page was" } else { &format!("{lately} pages were") };
    let message = format!(
        "{gone}, and {before} archived in the last 24 hours ({bound}); none is archived; an archive can't be undone: \
         look at `hubsync status`, then `hubsync sync --confirm-archive`"
    );
    Some(Refusal { reason: Reason::new(Code::ArchiveLimit, message), confirm: Confirm::Archive })
}

/// Why the pages of documents from this folder are not archived: it is there, and nothing is in it.
pub fn unmounted(folder: &DocPath) -> Reason {
    let message = format!(
        "{} is there with nothing in it, like a folder that is not mounted: its pages are not archived; if its documents are \
         gone for good, remove the folder, or `hubsync sync --confirm-archive`",
        folder.to_text()
    );
    Reason::new(Code::ArchiveLimit, message)
}

/// Why a page whose file is gone is not archived yet.
pub fn archive_waits() -> Reason {
    Reason::new(Code::ArchiveWaits, "the file is gone; its page will be archived after `archive_after`")
}

/// Whether the file is the one that was published, but another text came of it: a rule has changed, or hubsync itself. What
/// a link leads to is no rule: who moves a document wants those that point to it to follow.
pub fn is_rewrite(document: &Authored, base: &Base) -> bool {
    document.rules != base.rules && says_otherwise(document, base)
}

/// Whether the file is the one that was published, but another text comes of it.
fn says_otherwise(document: &Authored, base: &Base) -> bool {
    let as_sent = |sent: &Print| {
        sent.body.exact == document.body.exact && document.title.as_ref().is_none_or(|title| *title == sent.title)
    };
    document.source == base.source && !base.text(document.status).is_some_and(|known| as_sent(&known.sent))
}

/// Whether the document differs from what was published: another file, or links in it that lead elsewhere by now.
pub fn is_changed(document: &Authored, base: &Base) -> bool {
    document.source != base.source || (document.rules == base.rules && says_otherwise(document, base))
}

/// Whether `pages` rewrites (see [`is_rewrite`]) may be published: not more than [`REWRITES`].
pub fn rewrites(pages: usize) -> Option<Refusal> {
    let message = || {
        format!(
            "{pages} documents did not change, but would be published with another text, by an upgrade or a changed rule; \
             `hubsync sync --dry-run` shows them, `hubsync sync --confirm-rewrite` publishes them"
        )
    };
    (pages > REWRITES)
        .then(|| Refusal { reason: Reason::new(Code::RenderingChanged, message()), confirm: Confirm::Rewrite })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::{BodyPrint, Digest, Lists, Named, Status, Wall};
    use crate::reconcile::page_record::Known;

    fn allowed(due: usize, lately: usize, pages: usize) -> bool {
        archives(due, lately, pages, &Policy::default()).is_none()
    }

    #[test]
    fn a_root_with_fewer_than_half_of_the_known_documents_is_another() {
        for (known, found) in [(0, 0), (2, 1), (10, 5), (10, 10), (3, 2)] {
            assert_eq!(root(known, found, found), None, "{found} of {known}");
        }
        for (known, found) in [(1, 0), (3, 1), (10, 4)] {
            let refusal = root(known, found, 7).unwrap();
            assert_eq!(
                (refusal.reason.code, refusal.confirm),
                (Code::AnotherRoot, Confirm::Root),
                "{found} of {known}"
            );
        }
    }

    #[test]
    fn an_empty_root_is_named_as_one() {
        assert!(root(9, 0, 0).unwrap().reason.message.contains("no document"));
        assert!(root(9, 0, 5).unwrap().reason.message.contains("5 documents"));
        assert_eq!(root(0, 0, 0), None, "a new root may be empty");
    }

    #[test]
    fn archives_keep_to_the_limit_of_24_hours() {
        assert!(allowed(10, 0, 100) && !allowed(11, 0, 100));
        assert!(allowed(3, 7, 100) && !allowed(4, 7, 100), "a dribble counts as a flood");
        let none = Policy { archive_limit: 0, ..Policy::default() };
        assert!(archives(1, 0, 100, &none).is_some());
        assert!(archives(0, 11, 100, &Policy::default()).is_none(), "nothing is due, so nothing is refused");
    }

    #[test]
    fn never_more_than_half_of_the_pages_are_archived() {
        assert!(allowed(2, 0, 4) && !allowed(3, 0, 4));
        assert!(!allowed(1, 0, 1), "the only page");
        assert!(allowed(1, 1, 3) && !allowed(1, 2, 2), "those of the last 24 hours were pages too");
        let refusal = archives(3, 0, 4, &Policy::default()).unwrap();
        assert_eq!((refusal.reason.code, refusal.confirm), (Code::ArchiveLimit, Confirm::Archive));
    }

    fn document(body: &str) -> Authored {
        Authored {
            source: Digest::of("file"),
            rules: Digest::of("rules"),
            title: Some("T".to_owned()),
            body: BodyPrint::of(body),
            bare: None,
            status: Status::Published,
            named: Named::default(),
        }
    }

    fn base(body: &str) -> Base {
        Base {
            live: Some(Known::new(Print::of("T", body), None)),
            draft: None,
            lists: Lists::default(),
            version: Some(1),
            source: Digest::of("file"),
            rules: Digest::of("older rules"),
            at: Wall(0),
        }
    }

    #[test]
    fn a_rewrite_is_another_text_from_the_same_file() {
        assert!(is_rewrite(&document("B"), &base("A")));
        assert!(!is_rewrite(&document("A"), &base("A")), "other rules that render the same are none");
        let edited = Authored { source: Digest::of("edited"), ..document("B") };
        assert!(!is_rewrite(&edited, &base("A")), "an edit was asked for");
        let followed = Base { rules: document("B").rules, ..base("A") };
        assert!(!is_rewrite(&document("B"), &followed), "a document that it points to has moved");
        assert!(is_changed(&document("B"), &followed) && is_changed(&edited, &base("A")));
        assert!(!is_changed(&document("A"), &followed) && !is_changed(&document("B"), &base("A")));
        let retitled = Authored { title: Some("U".to_owned()), ..document("A") };
        assert!(is_rewrite(&retitled, &base("A")));
        assert!(!is_rewrite(&Authored { title: None, ..document("A") }, &base("A")));
        let published = Base { draft: base("A").live, live: None, ..base("A") };
        assert!(is_rewrite(&document("A"), &published), "another default status publishes");
    }

    #[test]
    fn more_than_twenty_rewrites_wait() {
        assert_eq!(rewrites(20), None);
        let refusal = rewrites(21).unwrap();
        assert_eq!((refusal.reason.code, refusal.confirm), (Code::RenderingChanged, Confirm::Rewrite));
    }
}
