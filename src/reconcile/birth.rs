//! Rows N of the decision table: a document without `page_id`, and the page that may be made for it. Keyed by path.
//!
//! A POST has no idempotency key: one whose answer is missing is looked for by title and text before it may be sent again.
//! Once its page is known, the page's own record says so (`born`), and row N4 of `decide` writes the id into the file.

use serde::{Deserialize, Serialize};

use crate::document::Visibility;
use crate::page::{Authored, BodyPrint, Digest, Lists, Mono, Now, PageId, Print, Row, Stamp, Status, Wall};
use crate::policy::{Create, Policy};
use crate::reason::{Code, Reason, State};
use crate::reconcile::IN_DOUBT_MS;
use crate::reconcile::page_record::{Refused, Trouble};
use crate::reconcile::step::{Hold, NamesRead};
use crate::simulation::{self, Planted, planted};

/// A document without `page_id`.
#[derive(Clone, Copy, Debug)]
pub enum Newborn<'a> {
    /// Its names are resolved.
    Document {
        /// The document.
        document: &'a Authored,
        /// Digest of what is wanted: file, rules and resolved names.
        wanted: Digest,
    },
    /// It names what the hub doesn't have, or has twice.
    Nameless {
        /// The document.
        document: &'a Authored,
        /// Which name.
        problem: &'a Reason,
        /// Whether reading the names again would bring nothing new.
        names: NamesRead,
    },
    /// Its file is gone, or can't be published now; something is remembered of it.
    Gone,
}

/// What is remembered of a document without a page, by its path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Birth {
    /// A POST whose answer is missing.
    pub doubt: Option<PostDoubt>,
    /// What the hub refused.
    pub refused: Option<Refused>,
    /// Passing faults since the last success.
    pub trouble: Option<Trouble>,
    /// What a person must mend first.
    pub held: Option<Held>,
}

/// What a person must mend before a page is made: said once, of one state of the file, and not asked again for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Digest of the file that it was said of.
    pub source: Digest,
    /// Why.
    pub reason: Reason,
}

impl Birth {
    /// What was said of this document, for one of these reasons.
    pub fn held(&self, document: &Authored, codes: &[Code]) -> Option<&Reason> {
        let held = self.held.as_ref().filter(|held| held.source == document.source);
        held.map(|held| &held.reason).filter(|reason| codes.contains(&reason.code))
    }
}

/// Why a document's names keep it from the hub.
pub const NAMELESS: [Code; 2] = [Code::UnknownName, Code::AmbiguousName];

/// A POST as it was decided; the body is read from the file again right before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The title.
    pub title: String,
    /// The marks of the body.
    pub body: BodyPrint,
    /// Draft, or published at once.
    pub status: Status,
    /// Who can see it.
    pub visibility: Visibility,
    /// The lists that the document manages.
    pub lists: Lists,
    /// Digest of the file that it came from.
    pub source: Digest,
    /// Digest of the rules that it was rendered with.
    pub rules: Digest,
    /// When it was stored.
    pub stored: Wall,
    /// By the hub's own clock it was sent after this; `None` where that clock was not known.
    pub since: Option<Stamp>,
}

impl Post {
    /// The marks of its text.
    pub fn marks(&self) -> Print {
        Print { title: self.title.clone(), body: self.body }
    }
}

/// A POST whose answer is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostDoubt {
    /// What was sent, or may have been.
    pub post: Post,
    /// When its connection ended; not kept, so that after a restart it is the start of this process.
    #[serde(skip)]
    pub dead: Mono,
}

impl PostDoubt {
    /// From when on a look shows whether it has arrived.
    pub fn settled_from(&self) -> Mono {
        self.dead.plus(IN_DOUBT_MS)
    }
}

/// A page that may be the one that a lost POST made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its row.
    pub row: Row,
    /// Its text, where it was looked at.
    pub text: Option<Print>,
}

/// What is to be done about one newborn, with the row that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BirthDecision {
    /// The row.
    pub rule: &'static str,
    /// The step.
    pub step: BirthStep,
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
    /// This page is known, and its document lies here now: the id belongs into this file.
    Known(PageId),
    /// The POST did not arrive; decide again.
    DropDoubt,
    /// Nothing of it is to be remembered.
    Forget,
}

/// The step that follows for a document without `page_id`. `made`: the page that was made for this very text, at a path
/// where it lies no more. `found`: pages that were made since a lost POST, none of them known as another document's.
pub fn decide_birth(
    local: Newborn<'_>,
    birth: &Birth,
    made: Option<&PageId>,
    found: Option<&[Created]>,
    policy: &Policy,
    now: Now,
) -> BirthDecision {
    let decision = first_match(local, birth, made, found, policy, now);
    simulation::count(decision.rule);
    decision
}

fn first_match(
    local: Newborn<'_>,
    birth: &Birth,
    made: Option<&PageId>,
    found: Option<&[Created]>,
    policy: &Policy,
    now: Now,
) -> BirthDecision {
    // N3: a POST whose answer is missing is never sent again before it was looked for.
    if let Some(doubt) = birth.doubt.as_ref().filter(|_| !planted(Planted::SecondPost)) {
        return step("N3", in_doubt(local, birth, doubt, found, now));
    }
    // N4: the page exists; its id belongs into the file, whatever create says by now.
    if let Some(id) = made {
        return step("N4", BirthStep::Known(id.clone()));
    }
    if matches!(local, Newborn::Gone) {
        return step("N0", BirthStep::Forget);
    }
    if policy.create == Create::Off {
        return hold(
            "N1",
            State::Skipped,
            Reason::new(
                Code::NoPageId,
                "no page_id; write one, or turn on `publish.create` to get a page made (where CI is set: `--create`)",
            ),
        );
    }
    match local {
        Newborn::Nameless { document, problem, names } => match names {
            NamesRead::LongAgo if birth.held(document, &NAMELESS).is_none() => step("N2", BirthStep::LookNames),
            NamesRead::LongAgo | NamesRead::Lately => hold("N2", State::Blocked, problem.clone()),
        },
        Newborn::Document { wanted, .. } => match &birth.refused {
            Some(refused) if refused.wanted == wanted => hold(
                "N2",
                State::Blocked,
                Reason::new(Code::Refused, format!("the hub refused it: {}", refused.message)),
            ),
            _ => step("N2", BirthStep::Create),
        },
        Newborn::Gone => step("N0", BirthStep::Forget),
    }
}

/// N3: wait until it must have arrived, list what was made, look at what has its title. This text → ours; none of this
/// title → it never arrived; another text → a person must tell, by writing the id or by another title.
fn in_doubt(local: Newborn<'_>, birth: &Birth, doubt: &PostDoubt, found: Option<&[Created]>, now: Now) -> BirthStep {
    let sent = doubt.post.marks();
    let told = match local {
        Newborn::Document { document, .. } | Newborn::Nameless { document, .. } => {
            birth.held(document, &[Code::InDoubt]).cloned()
        }
        Newborn::Gone => None,
    };
    let blocked = |reason| BirthStep::Hold(Hold { state: State::Blocked, reason, remote_version: None, wake: None });
    let found = match (found, told) {
        // It was looked for already, and a person asked to judge.
        (None, Some(reason)) => return blocked(reason),
        _ if now.mono < doubt.settled_from() => return BirthStep::Wait(doubt.settled_from()),
        (None, None) => return BirthStep::ListCreated,
        (Some(found), _) => found,
    };
    let titled: Vec<&Created> = found.iter().filter(|page| page.row.title.trim() == sent.title.trim()).collect();
    let ours = |page: &&&Created| page.text.as_ref().is_some_and(|text| text.same_folded(&sent));
    if let Some(page) = titled.iter().find(ours) {
        return BirthStep::Ours(page.row.id.clone());
    }
    if let Some(page) = titled.iter().find(|page| page.text.is_none()) {
        return BirthStep::Get(page.row.id.clone());
    }
    let retitled = match local {
        Newborn::Document { document, .. } | Newborn::Nameless { document, .. } => {
            document.title.as_ref().is_some_and(|title| title.trim() != sent.title.trim())
        }
        Newborn::Gone => true,
    };
    if titled.is_empty() || retitled {
        return BirthStep::DropDoubt;
    }
    let message = "a page of this title was made meanwhile, with another text, and the answer to its creation was lost: if it \
                   is this document's, write its page_id into the file; if not, give the document another title";
    blocked(Reason::new(Code::InDoubt, message))
}

fn step(rule: &'static str, step: BirthStep) -> BirthDecision {
    BirthDecision { rule, step }
}

fn hold(rule: &'static str, state: State, reason: Reason) -> BirthDecision {
    step(rule, BirthStep::Hold(Hold { state, reason, remote_version: None, wake: None }))
}
