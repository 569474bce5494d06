//! What holds for every state, whatever the row. The words of the contract are said again here, apart from the code.

use hubsync::page::{Desired, ListKind, Patch, Print, Side, Status};
use hubsync::policy::ConflictCheck;
use hubsync::reconcile::page_record::{Base, Known, Seen};
use hubsync::reconcile::step::{RemoteDraft, Step, Write};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use crate::builders::{FRESH, File, Scene};
use crate::random::{Told, told};
use crate::said::Said;

fn write(said: &Said) -> Option<&Write> {
    match &said.0.step {
        Step::Patch(write) => Some(write),
        _ => None,
    }
}

fn is_fresh(told: &Told) -> bool {
    matches!(told, Told::Is(_, as_of) | Told::Unmoved(as_of) if *as_of >= FRESH)
}

/// The page as `decide` may know it.
fn known_page<'a>(scene: &'a Scene, told: &'a Told) -> Option<&'a Seen> {
    match told {
        Told::Is(hub, _) if is_fresh(told) => Some(hub),
        _ => scene.page.seen.as_ref(),
    }
}

fn ours(known: Option<&Known>, text: &Print) -> bool {
    known.is_some_and(|known| known.sent == *text || known.echoed.as_ref() == Some(text))
}

/// Whether `text` is the same as one of ours: where the document doesn't manage the title, by its body.
fn same(document: &Desired, one: &Print, other: &Print) -> bool {
    one.body.exact == other.body.exact && (document.title.is_none() || one.title == other.title)
}

/// Whether `text` is what a hub may have made of a draft of ours that no answer ever showed.
fn rewritten(document: &Desired, known: &Known, text: &Print) -> bool {
    let titled = document.title.is_none() || known.sent.title == text.title;
    known.echoed.is_none() && titled && known.sent.body.folded == text.body.folded
}

/// An unpublished text that is neither the live one, nor our draft, nor what the document says.
fn somebodys_draft(document: &Desired, base: Option<&Base>, hub: &Seen) -> bool {
    let Some(draft) = &hub.draft else { return false };
    let wanted = draft.body.exact == document.body.exact && document.title.as_ref().is_none_or(|t| *t == draft.title);
    let sent = base.and_then(|base| base.draft.as_ref()).is_some_and(|known| {
        rewritten(document, known, draft)
            || same(document, &known.sent, draft)
            || known.echoed.as_ref().is_some_and(|echo| same(document, echo, draft))
    });
    hub.live.as_ref() != Some(draft) && !wanted && !sent
}

/// Texts that `patch` replaces, that hold something it doesn't hold, and that we never wrote.
fn foreign_texts(patch: &Patch, base: Option<&Base>, hub: &Seen) -> Vec<Side> {
    let Some(text) = &patch.text else { return Vec::new() };
    let foreign = |print: &Print| {
        let title_lost = !print.title.is_empty() && text.title.as_ref().is_some_and(|title| *title != print.title);
        let body_lost = !print.body.empty && print.body.exact != text.body.exact;
        let ours = base.is_some_and(|base| ours(base.live.as_ref(), print) || ours(base.draft.as_ref(), print));
        (title_lost || body_lost) && !ours
    };
    let live = hub.live.as_ref().filter(|print| text.status == Status::Published && foreign(print));
    let draft = hub.draft.as_ref().filter(|print| foreign(print));
    live.map(|_| Side::Live).into_iter().chain(draft.map(|_| Side::Draft)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_is_what_the_document_says_and_whole((scene, told) in told()) {
        let said = scene.decide(told.remote());
        if let Some(write) = write(&said) {
            let (patch, document) = (&write.patch, &scene.document);
            prop_assert!(!patch.is_empty(), "{said:?}");
            prop_assert!(matches!(scene.file, File::Document));
            if let Some(text) = &patch.text {
                prop_assert_eq!(text.body, document.body);
                prop_assert_eq!(text.status, document.status);
                let blind = scene.policy.conflict_check == ConflictCheck::Off && known_page(&scene, &told).is_none();
                match &document.title {
                    Some(title) => prop_assert_eq!(text.title.as_ref(), Some(title)),
                    None if blind => prop_assert_eq!(&text.title, &None),
                    None => prop_assert_eq!(text.title.as_ref(), known_page(&scene, &told).map(|hub| &hub.title)),
                }
            }
            for kind in ListKind::ALL {
                if let Some(sent) = patch.lists.get(kind) {
                    prop_assert_eq!(document.lists.get(kind), Some(sent));
                }
            }
        }
    }

    #[test]
    fn nothing_is_sent_over_a_page_that_was_not_looked_at((scene, told) in told()) {
        let said = scene.decide(told.remote());
        let writes = matches!(&said.0.step, Step::Archive | Step::WriteText(_)) || write(&said).is_some();
        let unchecked = scene.policy.conflict_check == ConflictCheck::Off && write(&said).is_some();
        if writes && !unchecked {
            prop_assert!(is_fresh(&told), "{said:?}");
            if let Told::Unmoved(_) = &told {
                let seen = scene.page.seen.as_ref();
                prop_assert!(seen.is_some_and(|seen| !seen.racy), "{said:?}");
                prop_assert!(write(&said).is_none_or(|write| write.backup.is_empty()), "{said:?}");
            }
        }
        if writes {
            prop_assert!(scene.page.doubt.is_none(), "{said:?}: never while another write may be on its way");
        }
    }

    #[test]
    fn a_foreign_text_that_is_replaced_is_backed_up((scene, told) in told()) {
        let said = scene.decide(told.remote());
        let hub = match &told {
            Told::Is(hub, _) if is_fresh(&told) => Some(&**hub),
            Told::Unmoved(_) if scene.policy.conflict_check == ConflictCheck::On => scene.page.seen.as_ref(),
            _ => None,
        };
        if let (Some(write), Some(hub)) = (write(&said), hub) {
            for side in foreign_texts(&write.patch, scene.page.base.as_ref(), hub) {
                prop_assert!(write.backup.contains(&side), "{said:?} loses the {side:?} text");
            }
            for side in &write.backup {
                let text = if *side == Side::Live { &hub.live } else { &hub.draft };
                prop_assert!(text.is_some(), "{said:?} keeps what isn't there");
            }
        }
    }

    #[test]
    fn somebodys_draft_is_replaced_only_by_a_persons_decision((scene, told) in told()) {
        let said = scene.decide(told.remote());
        if let (Some(write), Some(hub), ConflictCheck::On) =
            (write(&said), known_page(&scene, &told), scene.policy.conflict_check)
            && write.patch.text.is_some()
            && somebodys_draft(&scene.document, scene.page.base.as_ref(), hub)
        {
            let blank = scene.page.base.is_none() && hub.draft.as_ref().is_some_and(|draft| draft.body.empty);
            prop_assert!(blank || (said.0.rule == "R1" && scene.page.settled.is_some()), "{said:?}");
        }
    }

    #[test]
    fn an_empty_body_never_empties_a_page_by_itself((scene, told) in told()) {
        let said = scene.decide(told.remote());
        if let (Some(write), Some(hub)) = (write(&said), known_page(&scene, &told))
            && write.patch.text.as_ref().is_some_and(|text| text.body.empty)
            && scene.policy.conflict_check == ConflictCheck::On
            && scene.page.settled.is_none()
        {
            prop_assert!(hub.live.as_ref().is_none_or(|live| live.body.empty) || scene.document.status == Status::Draft
                || scene.page.history.contains(hub.live.as_ref().unwrap()), "{said:?}");
        }
    }

    #[test]
    fn a_draft_document_never_says_status_and_in_step_notes_no_draft_of_ours((scene, told) in told()) {
        let said = scene.decide(told.remote());
        if let Some(write) = write(&said)
            && scene.document.status == Status::Draft
        {
            prop_assert!(!write.patch.api_fields().contains(&"status"));
        }
        if let Step::InStep { draft: RemoteDraft::There, .. } = said.0.step {
            prop_assert!(scene.document.status == Status::Published, "{said:?}");
        }
    }
}
