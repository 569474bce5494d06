//! Rows S: a run without a state (`sync --since`). In place of a base there is what the document said at a revision, which no
//! hub has acknowledged; and the texts that it had since, which an earlier run may have published.

use crate::page::{Desired, ListKind, Print, Status, Wall};
use crate::reconcile::decide::step;
use crate::reconcile::document::Case;
use crate::reconcile::merge;
use crate::reconcile::page_record::{Base, Known, Past, Seen};
use crate::reconcile::step::{Decision, Look, Remote, RemoteDraft, Step};

impl<'a> Case<'a> {
    /// Rows S, for a page without a base. What follows from the base that is found here, the rows C and D say.
    pub(super) fn since(self, past: &Past, remote: Remote<'a>) -> Decision {
        let touched = past.had.others(self.desired.title.as_deref(), self.desired.body.exact);
        let Some(then) = &past.said else {
            return match remote {
                // An earlier run has published it: it is no first meeting any more.
                Remote::Is { page, .. } if self.had(past, page) => self.adopt_had(past, page),
                _ => self.first_meeting(remote),
            };
        };
        match remote {
            Remote::Is { page, .. } if self.had(past, page) => self.adopt_had(past, page),
            Remote::Is { page, .. } => step("S2", Step::Adopt(Box::new(supposed(then, Some(page), self.now.wall)))),
            // Nobody knows which of its texts the page has, and the file always wins.
            _ if self.unchecked() && touched => self.first_meeting(remote),
            _ if self.unchecked() => self.met(&supposed(then, None, self.now.wall), remote),
            _ if !touched && self.says(then) => step("S1", Step::InStep { learned: None, draft: RemoteDraft::None }),
            _ => step("S2", Step::Look(Look::Get)),
        }
    }

    /// Whether the document says what it said then.
    fn says(self, then: &Desired) -> bool {
        merge::local_changes(self.desired, &supposed(then, None, self.now.wall)).is_empty()
    }

    /// Whether the page shows a text that the document had since: then it is ours.
    fn had(self, past: &Past, hub: &Seen) -> bool {
        merge::compared(self.desired.status, hub).is_some_and(|text| past.had.contains(text))
    }

    /// S3: an earlier run got as far as this text.
    fn adopt_had(self, past: &Past, hub: &Seen) -> Decision {
        let mut base = supposed(past.said.as_ref().unwrap_or(self.desired), Some(hub), self.now.wall);
        let text = |print: &Option<Print>| print.clone().map(|print| Known::new(print, None));
        match self.desired.status {
            Status::Draft if hub.draft.is_some() => base.draft = text(&hub.draft),
            Status::Draft | Status::Published => (base.live, base.draft) = (text(&hub.live), None),
        }
        // Its lists went out with its text.
        for kind in ListKind::ALL {
            base.lists.set(kind, hub.lists.get(kind).cloned());
        }
        step("S3", Step::Adopt(Box::new(base)))
    }
}

/// What the document said then, as the base. Where the page shows it, but for what hubs rewrite, that is its echo; and what
/// the document did not manage then is as the page has it.
fn supposed(then: &Desired, hub: Option<&Seen>, at: Wall) -> Base {
    let shown = hub.and_then(|hub| merge::compared(then.status, hub));
    let title = then.title.clone().or_else(|| shown.map(|text| text.title.clone())).unwrap_or_default();
    let echo = shown.filter(|text| merge::desired_is_folded(then, text)).cloned();
    let known = Some(Known::new(Print { title, body: then.body }, echo));
    let (live, draft) = match then.status {
        Status::Published => (known, None),
        Status::Draft => (None, known),
    };
    let mut lists = then.lists.clone();
    for kind in ListKind::ALL {
        if lists.get(kind).is_none() {
            lists.set(kind, hub.and_then(|hub| hub.lists.get(kind).cloned()));
        }
    }
    let version = hub.and_then(|hub| hub.version);
    Base { live, draft, lists, version, source: then.source, rules: then.rules, at }
}
