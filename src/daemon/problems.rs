//! What a person has yet to hear of: each page that comes to need them, once, and again only after it was well in between; the
//! root and the hub alike. At most so many calls a minute: where more is to be told, the last of them sums up the rest.
//!
//! Nothing here waits or runs anything: times are arguments. `herald` looks at the engine for it and makes the calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::engine::change::{HubHealth, HubState};
use crate::engine::settled::RootHealth;
use crate::engine::{PageReport, ShutWhy, Summary};
use crate::page::{Mono, Now, Wall};
use crate::reason::{Code, State};
use crate::state::store::Told;

/// So many calls in any [`WINDOW_MS`].
pub const CALLS: usize = 10;
/// A minute.
pub const WINDOW_MS: u64 = 60_000;

const ROOT: &str = "root";
const HUB: &str = "hub";

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A page, or a file without one.
    Page(Box<PageReport>),
    /// The root is missing, or another one.
    Root(RootHealth),
    /// The hub lets us do nothing until a person mends it.
    Hub(HubHealth),
}

/// How something stands, for a person.
enum Need {
    /// They must act.
    Person(Problem),
    /// All is well.
    Nobody,
    /// It is neither mended nor told anew: it waits for something else.
    Open,
}

/// Whether it is known how pages stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The first one has not been planned yet.
    Ahead,
    /// It has been.
    Planned,
}

/// What is to be told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// These, in one call.
    Now(Vec<Problem>),
    /// There is something to tell, but not before this.
    At(Mono),
    /// Nothing.
    Nothing,
}

/// What was told, and what is to be told.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    told: Told,
    waiting: Vec<(String, Problem)>,
    calls: VecDeque<Mono>,
}

impl Problems {
    /// What was told before this run.
    pub fn remembering(told: Told) -> Self {
        Self { told, ..Self::default() }
    }

    /// Which problems were told and are not mended yet.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// Takes in how everything stands. `served`: when the hub last gave what it was asked for.
    pub fn see(&mut self, summary: &Summary, scan: Scan, served: Option<Wall>) {
        let mut needs: BTreeMap<String, Need> = BTreeMap::new();
        needs.insert(ROOT.to_owned(), root(&summary.root));
        needs.insert(HUB.to_owned(), self.hub(&summary.hub, served));
        // Of a root that is in question, the pages are not known to stand anyhow.
        let pages = if scan == Scan::Planned && summary.root == RootHealth::Ok { Some(&summary.pages) } else { None };
        needs.extend(pages.into_iter().flatten().map(|page| (name(page), of_page(page))));
        let forgotten = |name: &String| pages.is_some() && !needs.contains_key(name);
        let mended = |name: &String| matches!(needs.get(name), Some(Need::Nobody)) || forgotten(name);
        self.told.retain(|name, _| !mended(name));
        self.waiting.retain(|(name, _)| !mended(name));
        let known: BTreeSet<String> = self.waiting.iter().map(|(name, _)| name.clone()).collect();
        for (name, need) in needs {
            if let Need::Person(problem) = need
                && !known.contains(&name)
                && !self.told.contains_key(&name)
            {
                self.waiting.push((name, problem));
            }
        }
    }

    /// Takes in how one page has come to stand; what it needs of a person, the next look tells.
    pub fn stands(&mut self, page: &PageReport) {
        if matches!(of_page(page), Need::Nobody) {
            let mended = name(page);
            self.told.remove(&mended);
            self.waiting.retain(|(name, _)| *name != mended);
        }
    }

    /// A hub that shuts us out is asked again now and then: only an answer tells that it does no more.
    fn hub(&self, health: &HubHealth, served: Option<Wall>) -> Need {
        use ShutWhy::{Forbidden, MostlyAbsent, NotTheHub, Redirected, Unauthorized};
        let shut = [Unauthorized, Forbidden, MostlyAbsent, NotTheHub, Redirected];
        if health.state == HubState::Unauthorized || health.why.is_some_and(|why| shut.contains(&why)) {
            return Need::Person(Problem::Hub(health.clone()));
        }
        let told = self.told.get(HUB);
        let served_since = served.is_some_and(|served| told.is_none_or(|told| served > *told));
        if health.state == HubState::Ok && served_since { Need::Nobody } else { Need::Open }
    }

    /// What is to be told now. What it answers counts as told.
    pub fn next(&mut self, now: Now) -> Call {
        while self.calls.front().is_some_and(|call| now.mono.since(*call) >= WINDOW_MS) {
            self.calls.pop_front();
        }
        if self.waiting.is_empty() {
            return Call::Nothing;
        }
        let left = CALLS.saturating_sub(self.calls.len());
        let many = match left {
            0 => return Call::At(self.calls.front().map_or(now.mono, |call| call.plus(WINDOW_MS))),
            1 => self.waiting.len(),
            _ => 1,
        };
        self.calls.push_back(now.mono);
        let tell = self.waiting.drain(..many).map(|(name, problem)| {
            self.told.insert(name, now.wall);
            problem
        });
        Call::Now(tell.collect())
    }
}

/// By what a page is known again; a file without one by its path.
fn name(page: &PageReport) -> String {
    match &page.page_id {
        Some(id) => format!("page {}", id.as_str()),
        None => format!("file {}", page.path.to_text()),
    }
}

fn root(health: &RootHealth) -> Need {
    match health {
        RootHealth::Ok => Need::Nobody,
        // Somebody works in the checkout, and all goes on by itself.
        RootHealth::Held(_) => Need::Open,
        RootHealth::Missing(_) | RootHealth::Changed { .. } => Need::Person(Problem::Root(health.clone())),
    }
}

fn of_page(page: &PageReport) -> Need {
    let code = page.reason.as_ref().map(|reason| reason.code);
    match page.state {
        State::Blocked | State::Conflict => Need::Person(Problem::Page(Box::new(page.clone()))),
        State::Pending | State::Failed => match code {
            // What is held for a person's word.
            Some(Code::RenderingChanged | Code::ArchiveLimit) => Need::Person(Problem::Page(Box::new(page.clone()))),
            _ => Need::Open,
        },
        // Somebody looks at another branch: what they left behind is as it was.
        State::Skipped if matches!(code, Some(Code::OffBranch | Code::NotCheckedOut)) => Need::Open,
        State::InStep | State::Drifted | State::Orphaned | State::Skipped => Need::Nobody,
    }
}

#[cfg(test)]
mod tests;
