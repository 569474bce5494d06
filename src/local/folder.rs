//! The root as it stands: scanned whole or looked at in part, it answers what has come to rest and was not told before.
//!
//! Promise 5 is kept here: a root that is missing, empty or another one tells nothing, so that nothing is published or
//! archived for it. Nor does a git checkout that the gate keeps back, or whose HEAD moved while it was read. Blocking: for
//! the blocking pool.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::Reading;
use crate::engine::settled::{Checkout, Found, RootHealth, Settled};
use crate::local::cache::CacheEntry;
use crate::local::git::Gate;
use crate::local::identity::{Home, Picture, Presence, Says, Standing, confirm, health, identify, remember};
use crate::local::index::{Clock, Followed, Index, Quiet, Survey};
use crate::local::links::SharedMap;
use crate::local::patterns::Patterns;
use crate::local::root::{Root, RootId, RootMissing};
use crate::local::scan::{self, IGNORE_FILE, Scope, Walked};
use crate::local::watch::Watching;
use crate::page::{DocPath, PageId, Wall};
use crate::policy::Rules;

/// A page that the state knows, and where its file lay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The page.
    pub page: PageId,
    /// Its file.
    pub path: DocPath,
    /// Whether that was there when last looked at. One that was missed already says nothing about the root's health.
    pub presence: Presence,
}

/// What one scan or look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// What differs from what was told before; in the first round everything. Empty unless the root is well.
    pub settled: Vec<Settled>,
    /// Whether the root is the folder that it was.
    pub health: RootHealth,
    /// Files of this round that are being written: to be looked at again.
    pub unsettled: Vec<DocPath>,
    /// What the state should remember, so that a file need not be read again.
    pub cache_put: Vec<(DocPath, CacheEntry)>,
    /// What it should forget.
    pub cache_gone: Vec<DocPath>,
    /// How many files have front matter, as far as they could be read.
    pub documents: usize,
    /// How many orders to rescan `settle` had received when this round began: whoever sent so many has the answer.
    pub rescans: u64,
    /// What a person should hear of the git checkout although all goes on.
    pub remarks: Vec<String>,
    /// How changes are noticed. From `settle`, too.
    pub watching: Watching,
}

impl Round {
    /// A round that tells of the root alone.
    fn nothing(health: RootHealth) -> Self {
        Self {
            settled: Vec::new(),
            health,
            unsettled: Vec::new(),
            cache_put: Vec::new(),
            cache_gone: Vec::new(),
            documents: 0,
            rescans: 0,
            remarks: Vec::new(),
            watching: Watching::Told,
        }
    }
}

/// The index of the root.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    patterns: Patterns,
    index: Index,
    homes: BTreeMap<PageId, Home>,
    told: Picture,
    emptied: BTreeSet<DocPath>,
    /// The folder that was scanned whole last: another one is never looked at in part.
    scanned: Option<RootId>,
    gate: Gate,
}

/// How often documents are read again in one round because others have moved.
const FOLLOWINGS: usize = 3;

/// How often a folder is read again because something else was checked out meanwhile.
const READINGS: usize = 5;

impl Folder {
    /// `root` may be a link. `cache` and `known` come from the state.
    pub fn new(
        root: PathBuf,
        patterns: Patterns,
        rules: Rules,
        cache: Vec<(DocPath, CacheEntry)>,
        known: Vec<Known>,
    ) -> Self {
        let home = |known: Known| (known.page, Home { path: known.path, presence: known.presence });
        Self {
            root,
            patterns,
            index: Index::new(rules, cache),
            homes: known.into_iter().map(home).collect(),
            told: Picture::default(),
            emptied: BTreeSet::new(),
            scanned: None,
            gate: Gate::default(),
        }
    }

    /// Tells nothing that `gate` keeps back.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Keeps this map of links, which others look into already.
    #[must_use]
    pub fn sharing(mut self, links: SharedMap) -> Self {
        self.index.pointers.share(links);
        self
    }

    /// Where links are looked up, kept up to date by every round.
    pub fn links(&self) -> SharedMap {
        self.index.pointers.map().clone()
    }

    /// Which files are documents.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// The gate, to ask it without the folder.
    pub fn gate(&self) -> Gate {
        self.gate.alone()
    }

    /// A person says which branch a detached HEAD is (`--branch`).
    pub fn detached_is(&mut self, name: String) {
        self.gate.detached_is(name);
    }

    /// The folder that was looked at whole last, where that still counts.
    pub fn scanned(&self) -> Option<RootId> {
        self.scanned
    }

    /// The root as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks at everything.
    pub fn scan(&mut self, now: Wall, quiet: Quiet) -> Round {
        match Root::open(&self.root) {
            Ok(root) => self.round(&Arc::new(root), Scope::All, now, quiet),
            Err(missing) => self.missing(missing),
        }
    }

    /// Looks at these paths, relative to the root; a folder stands for all that is in it. A path that isn't there any more
    /// is as good as one that is. Where the root is another folder than before, everything is looked at.
    pub fn look(&mut self, paths: &BTreeSet<PathBuf>, now: Wall, quiet: Quiet) -> Round {
        match Root::open(&self.root) {
            Ok(root) if self.scanned == Some(root.id()) => {
                let links = self.index.links().map(|path| path.as_path().to_path_buf());
                let scope = Scope::Paths(paths.iter().map(|path| widened(path)).chain(links).collect());
                self.round(&Arc::new(root), scope, now, quiet)
            }
            Ok(root) => self.round(&Arc::new(root), Scope::All, now, quiet),
            Err(missing) => self.missing(missing),
        }
    }

    /// Other documents, or other bodies of them, from now on (the configuration was reloaded): the next scan tells.
    pub fn configure(&mut self, patterns: Patterns, rules: Rules, gate: Gate) {
        (self.patterns, self.gate) = (patterns, gate);
        self.index.set_rules(rules);
    }

    /// The state knows `page` now, with its file at `path` (it was created or pulled).
    pub fn note_known(&mut self, page: PageId, path: DocPath) {
        // Should the page's document turn up elsewhere after all, this one is told of again.
        self.told.newborns.remove(&path);
        self.homes.insert(page, Home { path, presence: Presence::There });
    }

    /// The state has forgotten `page`: if a file names it, it is told anew.
    pub fn forget(&mut self, page: &PageId) {
        self.homes.remove(page);
        self.told.pages.remove(page);
    }

    /// A person said that the root is the right one (`sync --confirm-root`): what is not in it is missed from now on.
    pub fn confirm_root(&mut self, now: Wall) {
        confirm(&self.index.files, &mut self.homes, now);
    }

    /// Every file that was read, with what it said.
    pub fn readings(&self) -> impl Iterator<Item = (&DocPath, &Reading)> {
        self.index.files.iter().filter_map(|(path, fact)| match &fact.says {
            Says::Read(reading) => Some((path, &**reading)),
            _ => None,
        })
    }

    /// Reads what lies in the scope; again, and then everything, where something else was checked out meanwhile.
    fn round(&mut self, root: &Arc<Root>, mut scope: Scope, now: Wall, quiet: Quiet) -> Round {
        let mut before = self.gate.glance(root.real());
        for _ in 0..READINGS {
            if let Some(held) = before.held.take() {
                return self.held(root, &scope, now, quiet, held);
            }
            let clock = Clock::starting(now);
            let walked = scan::walk(root.real(), &self.patterns, &scope);
            let remarks = self.read_in(root, &scope, walked, clock, quiet);
            let after = self.gate.glance(root.real());
            if after.held.is_none() && after.same_head(&before) {
                return self.told(root, &scope, clock, before.remarks.into_iter().chain(remarks).collect());
            }
            (before, scope) = (after, Scope::All);
        }
        let why = "other commits are checked out again and again; it is published when that has ended";
        self.held(root, &Scope::All, now, quiet, Checkout::Busy(why.to_owned()))
    }

    /// What a walk saw becomes a round. Apart from [`Folder::round`] so that tests can say what a walk saw.
    #[cfg(test)]
    fn take_in(&mut self, root: &Arc<Root>, scope: &Scope, walked: Walked, clock: Clock, quiet: Quiet) -> Round {
        let remarks = self.read_in(root, scope, walked, clock, quiet);
        self.told(root, scope, clock, remarks)
    }

    /// Brings the index up to what a walk saw; answers what should be heard.
    fn read_in(&mut self, root: &Arc<Root>, scope: &Scope, walked: Walked, clock: Clock, quiet: Quiet) -> Vec<String> {
        let homes = self.homes.iter().map(|(page, home)| (home.path.clone(), page.clone())).collect();
        let survey = Survey { root, patterns: &self.patterns, scope, clock, quiet, homes: &homes };
        let absent = self.index.update(&survey, walked);
        let left_out = self.gate.not_checked_out(root.real(), &absent);
        for (path, reason) in left_out.files {
            self.index.leave_out(path, reason);
        }
        if *scope == Scope::All {
            self.scanned = Some(root.id());
        }
        self.follow_links(root, scope, clock, quiet);
        left_out.remarks
    }

    /// Renders those documents anew whose links lead elsewhere by now. What is read again may tell of other pages in turn.
    fn follow_links(&mut self, root: &Arc<Root>, scope: &Scope, clock: Clock, quiet: Quiet) {
        if !self.index.has_links() {
            return;
        }
        let homes = BTreeMap::new();
        let survey = Survey { root, patterns: &self.patterns, scope, clock, quiet, homes: &homes };
        for _ in 0..FOLLOWINGS {
            if health(&self.index.files, &self.homes) != RootHealth::Ok {
                return;
            }
            let picture = identify(&self.index.files, &self.homes, clock.now());
            if self.index.follow(&survey, &picture) == Followed::Nothing {
                return;
            }
        }
    }

    /// The round of what was read.
    fn told(&mut self, root: &Root, scope: &Scope, clock: Clock, remarks: Vec<String>) -> Round {
        let health = health(&self.index.files, &self.homes);
        let settled = if health == RootHealth::Ok { self.tell(root, scope, clock.now()) } else { Vec::new() };
        let (cache_put, cache_gone) = self.index.cache_changes();
        Round {
            settled,
            cache_put,
            cache_gone,
            unsettled: self.index.unsettled(scope),
            documents: self.readings().filter(|(_, reading)| **reading != Reading::Plain).count(),
            remarks,
            ..Round::nothing(health)
        }
    }

    fn missing(&mut self, missing: RootMissing) -> Round {
        // What comes back in its place may be anything.
        self.scanned = None;
        Round::nothing(RootHealth::Missing(missing.0))
    }

    /// The gate is shut: what is known stays as it is. Documents of pages that nobody knows yet are named where everything
    /// was asked for, so that they are reported; what they say is not taken in.
    fn held(&mut self, root: &Arc<Root>, scope: &Scope, now: Wall, quiet: Quiet, checkout: Checkout) -> Round {
        let mut settled = Vec::new();
        if *scope == Scope::All {
            let clock = Clock::starting(now);
            let walked = scan::walk(root.real(), &self.patterns, scope);
            self.read_in(root, scope, walked, clock, quiet);
            let picture = identify(&self.index.files, &self.homes, now);
            for (page, (path, _)) in picture.pages.into_iter().filter(|(page, _)| !self.homes.contains_key(page)) {
                let held = (path.clone(), Standing::Held(checkout.reason()));
                if self.told.pages.insert(page.clone(), held.clone()).as_ref() != Some(&held) {
                    settled.push(Settled::Page { id: page, path, found: Found::Held(checkout.reason()) });
                }
            }
        }
        // What was checked out meanwhile is looked at whole.
        self.scanned = None;
        Round { settled, ..Round::nothing(RootHealth::Held(checkout)) }
    }

    /// What the picture tells anew; from now on it is told.
    fn tell(&mut self, root: &Root, scope: &Scope, now: Wall) -> Vec<Settled> {
        let picture = identify(&self.index.files, &self.homes, now);
        let mut news = picture.since(&self.told, now);
        if *scope == Scope::All {
            news.extend(picture.still_gone(&self.told));
            let emptied: BTreeSet<DocPath> = picture.gone().filter_map(|path| emptied(root.real(), path)).collect();
            if emptied != self.emptied {
                self.emptied.clone_from(&emptied);
                news.push(Settled::Emptied { folders: emptied });
            }
        }
        remember(&mut self.homes, &picture);
        self.told = picture;
        news
    }
}

/// The folder below the root in which a file that is gone lay, or what is left of the way to it, where nothing is in it.
fn emptied(root: &Path, path: &DocPath) -> Option<DocPath> {
    let mut above = path.as_path().ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let there = above.find(|folder| root.join(folder).symlink_metadata().is_ok_and(|meta| meta.is_dir()))?;
    let is_empty = std::fs::read_dir(root.join(there)).is_ok_and(|mut entries| entries.next().is_none());
    DocPath::new(there).filter(|_| is_empty)
}

/// A changed file of rules changes what its folder lists.
fn widened(path: &Path) -> PathBuf {
    let is_rules =
        path.file_name().is_some_and(|name| name == OsStr::new(".gitignore") || name == OsStr::new(IGNORE_FILE));
    if is_rules { path.parent().map(Path::to_path_buf).unwrap_or_default() } else { path.to_path_buf() }
}

#[cfg(test)]
mod tests;
