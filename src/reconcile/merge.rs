//! Field by field: what changed here (L), what changed there (R), and what a patch of some fields is.
//!
//! Text is one field. Where the document doesn't manage the title, texts are compared by their bodies alone.

use crate::page::{Desired, Field, Fields, ListKind, Lists, Patch, PatchText, Print, Side, Status};
use crate::reconcile::page_record::{Base, Known, Seen};
use crate::simulation::{Planted, planted};

/// L: the managed fields in which the document differs from the base.
pub fn local_changes(desired: &Desired, base: &Base) -> Fields {
    let mut changed = Fields::new();
    let same = base.text(desired.status).is_some_and(|known| desired_is(desired, &known.sent));
    if !same {
        changed.insert(Field::Text);
    }
    let differs = |kind: &ListKind| desired.lists.get(*kind).is_some_and(|ids| base.lists.get(*kind) != Some(ids));
    changed.extend(ListKind::ALL.into_iter().filter(differs).map(Field::List));
    changed
}

/// R: the managed fields in which the hub differs from the base.
pub fn remote_changes(desired: &Desired, base: &Base, hub: &Seen) -> Fields {
    let mut changed = Fields::new();
    let same = match (base.text(desired.status), compared(desired.status, hub)) {
        (Some(known), Some(text)) => {
            let drafted = desired.status == Status::Draft && base.draft.is_some();
            if drafted { our_draft(Some(desired), known, text) } else { ours(desired, known, text) }
        }
        (None, None) => true,
        _ => false,
    };
    if !same {
        changed.insert(Field::Text);
    }
    let moved = |kind: &ListKind| desired.lists.get(*kind).is_some() && hub.lists.get(*kind) != base.lists.get(*kind);
    changed.extend(ListKind::ALL.into_iter().filter(moved).map(Field::List));
    changed
}

/// The hub's text that a document of `status` is compared with (contract.md, Draft and published).
pub fn compared(status: Status, hub: &Seen) -> Option<&Print> {
    match status {
        Status::Published => hub.live.as_ref(),
        Status::Draft => hub.draft.as_ref().or(hub.live.as_ref()),
    }
}

/// Whether the document's text is this, word for word.
pub fn desired_is(desired: &Desired, text: &Print) -> bool {
    let loose = planted(Planted::LooseEverywhere) && desired.body.folded == text.body.folded;
    (desired.body.exact == text.body.exact || loose) && desired.title.as_ref().is_none_or(|title| *title == text.title)
}

/// Whether the document's text is this, but for what hubs rewrite.
pub fn desired_is_folded(desired: &Desired, text: &Print) -> bool {
    desired.body.folded == text.body.folded
        && desired.title.as_ref().is_none_or(|title| title.trim() == text.title.trim())
}

/// Whether the document's text is this but for our own notice under it, which somebody else's page or edit lacks.
pub fn only_lacks_the_notice(desired: &Desired, text: &Print) -> bool {
    let bare = desired.bare.as_ref().is_some_and(|bare| bare.folded == text.body.folded);
    bare && desired.title.as_ref().is_none_or(|title| title.trim() == text.title.trim())
}

/// Whether `text` is what we sent, or what the hub made of it.
fn ours(desired: &Desired, known: &Known, text: &Print) -> bool {
    match desired.title {
        Some(_) => known.is(text),
        None => known.sent.body == text.body || known.echoed.as_ref().is_some_and(|echo| echo.body == text.body),
    }
}

/// Whether `text` is the draft that we sent. The answer to a draft doesn't show what the hub made of it, so where that was
/// never seen, what hubs rewrite is forgiven.
pub fn our_draft(desired: Option<&Desired>, known: &Known, text: &Print) -> bool {
    let word_for_word = desired.map_or_else(|| known.is(text), |desired| ours(desired, known, text));
    let titled = desired.is_some_and(|desired| desired.title.is_none()) || known.sent.title.trim() == text.title.trim();
    word_for_word || (known.echoed.is_none() && titled && known.sent.body.folded == text.body.folded)
}

/// Somebody's unpublished text: a draft other than the live text, than ours, and than what the document says.
pub fn foreign_draft<'a>(desired: Option<&Desired>, base: Option<&Base>, hub: &'a Seen) -> Option<&'a Print> {
    let draft = hub.draft.as_ref()?;
    let ours = base.and_then(|base| base.draft.as_ref()).is_some_and(|known| our_draft(desired, known, draft));
    let wanted = desired.is_some_and(|desired| desired_is(desired, draft));
    (!ours && !wanted && hub.live.as_ref() != Some(draft)).then_some(draft)
}

/// Sets in `base` the `fields` of the document that the hub already has.
pub fn adopt(desired: &Desired, base: &mut Base, hub: &Seen, fields: &Fields) {
    for field in fields {
        match field {
            Field::Text => adopt_text(desired, base, hub),
            Field::List(kind) => base.lists.set(*kind, hub.lists.get(*kind).cloned()),
        }
    }
    base.source = desired.source;
    base.rules = desired.rules;
}

fn adopt_text(desired: &Desired, base: &mut Base, hub: &Seen) {
    let Some(text) = compared(desired.status, hub) else { return };
    let sent = Print { title: desired.title.clone().unwrap_or_else(|| text.title.clone()), body: desired.body };
    let drafted = desired.status == Status::Draft && hub.draft.is_some();
    // A draft that was written and not looked at since is known as it was sent: that is not what the hub made of it.
    let unechoed = |ours: &Known| ours.echoed.is_none() && ours.sent == *text;
    let unseen = drafted && base.draft.as_ref().is_some_and(unechoed);
    let known = Some(Known::new(sent, (!unseen).then(|| text.clone())));
    if drafted {
        base.draft = known;
    } else {
        base.live = known;
        base.version = hub.version;
        // A draft of ours that is no longer there has been published or thrown away.
        if hub.draft.is_none() {
            base.draft = None;
        }
    }
}

/// The fields of `among` in which the hub already says what the document says (folded).
pub fn agreed(desired: &Desired, hub: &Seen, among: &Fields) -> Fields {
    let same = |field: &Field| match field {
        Field::Text => compared(desired.status, hub).is_some_and(|text| desired_is_folded(desired, text)),
        Field::List(kind) => desired.lists.get(*kind) == hub.lists.get(*kind),
    };
    among.iter().copied().filter(same).collect()
}

/// The patch that sends `fields` of the document; a title that isn't managed goes as the live one last looked at.
pub fn patch(desired: &Desired, hub: Option<&Seen>, fields: &Fields) -> Patch {
    let mut lists = Lists::default();
    for kind in ListKind::ALL {
        if fields.contains(&Field::List(kind)) {
            lists.set(kind, desired.lists.get(kind).cloned());
        }
    }
    let text = fields.contains(&Field::Text).then(|| PatchText {
        title: desired.title.clone().or_else(|| hub.map(|hub| hub.title.clone())),
        body: desired.body,
        status: desired.status,
    });
    Patch { text, lists }
}

/// The hub's texts that `patch` replaces and that are neither ours nor what is sent. A publish replaces the live text and
/// the draft; a draft only the draft.
pub fn replaced(patch: &Patch, base: Option<&Base>, hub: &Seen) -> Vec<Side> {
    let Some(text) = &patch.text else { return Vec::new() };
    let foreign = |known: Option<&Known>, print: &Print| {
        let title_lost = !print.title.trim().is_empty() && text.title.as_ref().is_some_and(|t| *t != print.title);
        let body_lost = !print.body.empty && text.body.exact != print.body.exact;
        let ours = known.is_some_and(|known| known.is(print));
        !ours && (title_lost || body_lost)
    };
    let mut sides = Vec::new();
    let live = base.and_then(|base| base.live.as_ref());
    if text.status == Status::Published && hub.live.as_ref().is_some_and(|print| foreign(live, print)) {
        sides.push(Side::Live);
    }
    let draft = base.and_then(|base| base.draft.as_ref());
    if hub.draft.as_ref().is_some_and(|print| foreign(draft, print)) {
        sides.push(Side::Draft);
    }
    sides
}

/// The base with the lists that the document doesn't manage as the hub has them; `None` where that is no news.
pub fn learned(desired: &Desired, base: &Base, hub: &Seen) -> Option<Base> {
    let mut next = base.clone();
    for kind in ListKind::ALL {
        if desired.lists.get(kind).is_none() && hub.lists.get(kind).is_some() {
            next.lists.set(kind, hub.lists.get(kind).cloned());
        }
    }
    (next != *base).then_some(next)
}
