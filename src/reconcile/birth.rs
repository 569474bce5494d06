//! Rows N of the decision table: a document without `page_id`, and the page that may be made for it. Keyed by path.

use crate::page::{Authored, Digest, Mono, Now, PageId, Print, Row};
use crate::policy::{Create, Policy};
use crate::reason::{Code, Reason, State};
use crate::reconcile::IN_DOUBT_MS;
use crate::reconcile::step::{Hold, NamesRead};

/// A document without `page_id`.
#[derive(Clone, Copy, Debug)]
pub enum Newborn<'a> {
    /// Its names are resolved.
    Document(&'a Authored),
    /// It names what the hub doesn't have, or has twice.
    Nameless {
        /// The document.
        document: &'a Authored,
        /// Which name.
        problem: &'a Reason,
        /// Whether reading the names again would bring nothing new.
        names: NamesRead,
    },
}

/// What is remembered of a document without a page, by its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// A POST whose answer is missing: what was sent, and when its connection ended.
    pub doubt: Option<(Print, Mono)>,
    /// The page that was made, until its id stands in the file.
    pub made: Option<PageId>,
    /// The digest of a document that the hub refused, and its words.
    pub refused: Option<(Digest, String)>,
}

/// A page that may be the one that a lost POST made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its row.
    pub row: Row,
    /// Its text, where it was looked at.
    pub text: Option<Print>,
}

/// What is to be done about one newborn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BirthStep {
    /// Nothing is made.
    Hold(Hold),
    /// Make the page.
    Create,
    /// Decide again then.
    Wait(Mono),
    /// Read the tables of names.
    LookNames,
    /// List what was made since the POST.
    ListCreated,
    /// GET this one: it has the title.
    Get(PageId),
    /// This is the page: remember its id.
    Ours(PageId),
    /// Write the id into the file at this path.
    WriteId(PageId),
    /// The POST did not arrive; decide again.
    DropDoubt,
}

/// The step that follows for a document without `page_id`.
pub fn decide_birth(
    local: Newborn<'_>,
    birth: &Birth,
    found: Option<&[Created]>,
    policy: &Policy,
    now: Now,
) -> BirthStep {
    let hold = |state, reason| BirthStep::Hold(Hold { state, reason, remote_version: None, wake: None });
    // N4: the page exists; its id belongs into the file, whatever else holds.
    if let Some(id) = &birth.made {
        return BirthStep::WriteId(id.clone());
    }
    // N3: a POST whose answer is missing is never sent again before it was looked for.
    if let Some((sent, dead)) = &birth.doubt {
        return match found {
            _ if now.mono < dead.plus(IN_DOUBT_MS) => BirthStep::Wait(dead.plus(IN_DOUBT_MS)),
            None => BirthStep::ListCreated,
            Some(found) => in_doubt(sent, found).unwrap_or_else(|| {
                hold(State::Blocked, Reason::new(Code::InDoubt, "a page of this title was made meanwhile, with another text; write its page_id into the file if it is this one"))
            }),
        };
    }
    // N1.
    if policy.create == Create::Off {
        return hold(State::Skipped, Reason::new(Code::NoPageId, "no page_id, so it belongs to no page"));
    }
    match local {
        Newborn::Nameless { problem, names: NamesRead::Lately, .. } => hold(State::Blocked, problem.clone()),
        Newborn::Nameless { .. } => BirthStep::LookNames,
        // N2.
        Newborn::Document(document) => match &birth.refused {
            Some((digest, message)) if *digest == document.source => {
                hold(State::Blocked, Reason::new(Code::Refused, format!("the hub refused it: {message}")))
            }
            _ => BirthStep::Create,
        },
    }
}

/// N3: this text → ours; not looked at yet → GET; none of this title → send again; `None`: another text.
fn in_doubt(sent: &Print, found: &[Created]) -> Option<BirthStep> {
    let mut titled = found.iter().filter(|page| page.row.title.trim() == sent.title.trim()).peekable();
    if titled.peek().is_none() {
        return Some(BirthStep::DropDoubt);
    }
    let mut unseen = None;
    for page in titled {
        match &page.text {
            Some(text) if text.same_folded(sent) => return Some(BirthStep::Ours(page.row.id.clone())),
            Some(_) => {}
            None => unseen = Some(BirthStep::Get(page.row.id.clone())),
        }
    }
    unseen
}
