//! What is known of each file of the root, kept up with walk after walk. Reads only what may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::document::Reading;
use crate::document::links::Targets;
use crate::local::cache::CacheEntry;
use crate::local::identity::{FileFact, Picture, Says};
use crate::local::links::Pointers;
use crate::local::patience::{Outcome, Patience};
use crate::local::patterns::{Maker, Patterns};
use crate::local::read::{self, Read};
use crate::local::root::Root;
use crate::local::scan::{self, Entry, Scope, Stat, Unlisted, Via, Walked};
use crate::page::{Digest, DocPath, PageId, Wall};
use crate::policy::Rules;
use crate::reason::{Code, Reason};

/// Whether files must have been left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// No: for one-shot commands.
    AtOnce,
    /// For so many milliseconds: for the daemon.
    For(u64),
}

/// How long a file that changes while it is read is read again at once.
const ATTEMPTS: usize = 3;

/// How long one file may take: a file that is not there yet (a cloud's placeholder, a dead mount) must hold up no other.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// A stamp that lies further ahead than this, in milliseconds, is another clock's: it must not keep a file waiting.
const OTHER_CLOCK: i64 = 60_000;

/// The time of a round: given at its start, and going on while it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Wall,
    since: Instant,
}

impl Clock {
    pub(super) fn starting(now: Wall) -> Self {
        Self { start: now, since: Instant::now() }
    }

    pub(super) fn now(&self) -> Wall {
        self.start.plus(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// All files, with what was read of them.
#[derive(Debug)]
pub(super) struct Index {
    rules: Rules,
    digest: Digest,
    pub(super) files: BTreeMap<DocPath, FileFact>,
    cache: BTreeMap<DocPath, CacheEntry>,
    fresh: BTreeSet<DocPath>,
    pub(super) pointers: Pointers,
    /// Files that were read again because of what they point to, wherever they lie.
    followed: BTreeSet<DocPath>,
    /// Files that are no documents, where links to them count.
    others: BTreeSet<DocPath>,
    patience: Patience,
}

/// Whether documents were read again because of what they point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    Nothing,
    Some,
}

/// One update: where, when, and how quiet files must be.
pub(super) struct Survey<'a> {
    pub(super) root: &'a Arc<Root>,
    pub(super) patterns: &'a Patterns,
    pub(super) scope: &'a Scope,
    pub(super) clock: Clock,
    pub(super) quiet: Quiet,
    /// Files that are known as pages', with the page.
    pub(super) homes: &'a BTreeMap<DocPath, PageId>,
}

impl Survey<'_> {
    /// Whether a file of this stat was written to so shortly ago that it may not be finished.
    fn is_young(&self, stat: &Stat) -> bool {
        let Quiet::For(ms) = self.quiet else { return false };
        let (now, quiet) = (self.clock.now().0, i64::try_from(ms).unwrap_or(i64::MAX));
        [stat.mtime, stat.ctime].iter().any(|stamp| {
            let age = now.saturating_sub(stamp / 1_000_000);
            (-OTHER_CLOCK..quiet).contains(&age)
        })
    }
}

impl Index {
    pub(super) fn new(rules: Rules, cache: Vec<(DocPath, CacheEntry)>) -> Self {
        let digest = rules.digest();
        Self {
            rules,
            digest,
            files: BTreeMap::new(),
            cache: cache.into_iter().collect(),
            fresh: BTreeSet::new(),
            pointers: Pointers::default(),
            followed: BTreeSet::new(),
            others: BTreeSet::new(),
            patience: Patience::new(READ_WITHIN),
        }
    }

    /// Whether links are rewritten, so that a document's body depends on other files.
    pub(super) fn has_links(&self) -> bool {
        !self.rules.links.are_off()
    }

    /// Brings what is known of other files up to date, where links to them count. A second walk: documents are wanted at once
    /// and with their stat, of these the names will do.
    fn list_others(&mut self, survey: &Survey<'_>) {
        let everything = survey.patterns.of_everything().ok().filter(|_| self.rules.links.asset_url.is_some());
        let Some(everything) = everything else { return self.others.clear() };
        let walked = scan::walk(survey.root.real(), &everything, survey.scope);
        let unlisted =
            |path: &DocPath| walked.unlisted.iter().any(|unlisted| path.as_path().starts_with(&unlisted.path));
        self.others.retain(|path| !survey.scope.contains(path.as_path()) || unlisted(path));
        let others = walked.files.into_iter().map(|entry| entry.path);
        self.others.extend(others.filter(|path| !survey.patterns.includes(path.as_path())));
    }

    /// Other rules from now on: what was read by the old ones is read again.
    pub(super) fn set_rules(&mut self, rules: Rules) {
        self.digest = rules.digest();
        self.rules = rules;
    }

    /// Brings all that lies in the scope up to date with what a walk saw. Answers the pages' files that are not there.
    pub(super) fn update(&mut self, survey: &Survey<'_>, walked: Walked) -> BTreeSet<DocPath> {
        let mut absent = BTreeSet::new();
        self.list_others(survey);
        self.followed.clear();
        let mut seen = self.take(survey, &walked);
        let mut late = BTreeSet::new();
        for path in self.unseen(survey, &seen) {
            if let Some(unlisted) = walked.unlisted.iter().find(|u| path.as_path().starts_with(&u.path)) {
                self.note_unlisted(survey, path, unlisted);
                continue;
            }
            match fs::symlink_metadata(survey.root.real().join(path.as_path())) {
                Ok(_) if survey.homes.contains_key(&path) => {
                    late.insert(path.as_path().to_path_buf());
                }
                Err(error) if !is_absence(&error) => {
                    let unlisted = Unlisted { path: path.as_path().to_path_buf(), cause: error.to_string() };
                    self.note_unlisted(survey, path, &unlisted);
                }
                _ => {
                    self.files.remove(&path);
                    if survey.homes.contains_key(&path) {
                        absent.insert(path);
                    }
                }
            }
        }
        if late.is_empty() {
            return absent;
        }
        // There, but not listed: made after its folder was listed, or left out by a rule. A second walk tells which.
        let again = scan::walk(survey.root.real(), survey.patterns, &Scope::Paths(late.clone()));
        seen.extend(self.take(survey, &again));
        for path in late.into_iter().filter_map(DocPath::new).filter(|path| !seen.contains(path)) {
            let says = Says::LeftOut(left_out(survey.root, &path));
            self.files.insert(path, FileFact { stat: None, via: Via::Name, says });
        }
        absent
    }

    /// A page's file is not there, and is not gone.
    pub(super) fn leave_out(&mut self, path: DocPath, reason: Reason) {
        self.files.insert(path, FileFact { stat: None, via: Via::Name, says: Says::LeftOut(reason) });
    }

    /// Takes in what a walk listed; answers which paths these are.
    fn take(&mut self, survey: &Survey<'_>, walked: &Walked) -> BTreeSet<DocPath> {
        let mut seen = BTreeSet::new();
        for entry in &walked.files {
            if let Some(fact) = self.fact(survey, entry) {
                self.files.insert(entry.path.clone(), fact);
                seen.insert(entry.path.clone());
            }
        }
        for (path, copy) in walked.copies.iter().filter(|(_, copy)| copy.maker == Maker::SyncTool) {
            let message =
                format!("by its name a copy made by {}; merge it into its original or remove it", copy.made_by);
            let says = Says::Unfit(Reason::new(Code::Ignored, message));
            self.files.insert(path.clone(), FileFact { stat: None, via: Via::Name, says });
            seen.insert(path.clone());
        }
        seen
    }

    /// Paths of the scope that something was known of, and that a walk did not list.
    fn unseen(&self, survey: &Survey<'_>, seen: &BTreeSet<DocPath>) -> BTreeSet<DocPath> {
        let known = self.files.keys().chain(survey.homes.keys());
        known.filter(|path| survey.scope.contains(path.as_path()) && !seen.contains(path)).cloned().collect()
    }

    /// A known file that can't be looked at keeps its page: it may be there as ever.
    fn note_unlisted(&mut self, survey: &Survey<'_>, path: DocPath, unlisted: &Unlisted) {
        let page = self.last_page(survey, &path);
        if page.is_none() && self.files.contains_key(&path) {
            return;
        }
        let place = if unlisted.path.as_os_str().is_empty() { Path::new(".") } else { &unlisted.path };
        let message = format!(
            "{} can't be read ({}); it counts as unchanged: give this user the right to read it",
            place.display(),
            unlisted.cause
        );
        let says = Says::Unreadable { page, reason: Reason::new(Code::Unreadable, message) };
        self.files.insert(path, FileFact { stat: None, via: Via::Name, says });
    }

    /// The page that the file at `path` named when it could last be read.
    fn last_page(&self, survey: &Survey<'_>, path: &DocPath) -> Option<PageId> {
        match self.files.get(path) {
            Some(fact) => fact.says.page().cloned(),
            None => survey.homes.get(path).cloned(),
        }
    }

    /// What a listed file says; `None` where it is gone again.
    fn fact(&mut self, survey: &Survey<'_>, entry: &Entry) -> Option<FileFact> {
        let via = entry.via;
        if let Some(reason) = read::unfit(entry.kind) {
            return Some(FileFact { stat: Some(entry.stat), via, says: Says::Unfit(reason) });
        }
        let cached =
            self.cache.get(&entry.path).filter(|known| known.holds(entry.stat, self.digest, survey.clock.now()));
        if let Some(known) = cached.filter(|_| !survey.is_young(&entry.stat)) {
            self.pointers.learn(&entry.path, known.targets.clone());
            return Some(FileFact { stat: Some(entry.stat), via, says: Says::Read(known.reading.clone()) });
        }
        self.fact_read(survey, entry)
    }

    /// The same, read from the file whatever is remembered of it.
    fn fact_read(&mut self, survey: &Survey<'_>, entry: &Entry) -> Option<FileFact> {
        let via = entry.via;
        let hashed = survey.clock.now();
        let (stat, says) = match self.read(survey, &entry.path) {
            Read::Whole(stat, reading, _) if survey.is_young(&stat) => {
                (stat, Says::Unsettled { page: reading.page_id().cloned() })
            }
            Read::Whole(stat, reading, targets) => {
                self.pointers.learn(&entry.path, targets.clone());
                let reading = self.remember(&entry.path, stat, hashed, reading, targets);
                (stat, Says::Read(reading))
            }
            Read::Moving => (entry.stat, Says::Unsettled { page: self.last_page(survey, &entry.path) }),
            Read::Gone => return None,
            Read::Unfit(reason) => (entry.stat, Says::Unfit(reason)),
            Read::Unreadable(reason) => {
                (entry.stat, Says::Unreadable { page: self.last_page(survey, &entry.path), reason })
            }
        };
        Some(FileFact { stat: Some(stat), via, says })
    }

    /// Brings the map of links up to the picture, and reads those documents again that have other links by it. Answers
    /// whether there was any.
    pub(super) fn follow(&mut self, survey: &Survey<'_>, picture: &Picture) -> Followed {
        let stale = self.pointers.follow(&self.files, picture, &self.others);
        let mut followed = Followed::Nothing;
        for path in stale {
            let Some((stat, via)) = self
                .files
                .get(&path)
                .and_then(|file| file.stat.filter(|_| matches!(file.says, Says::Read(_))).map(|stat| (stat, file.via)))
            else {
                continue;
            };
            let entry = Entry { path: path.clone(), via, kind: scan::FileKind::Regular, stat };
            // One that is gone since will be noticed as that.
            if let Some(fact) = self.fact_read(survey, &entry) {
                self.followed.insert(path.clone());
                self.files.insert(path, fact);
                followed = Followed::Some;
            }
        }
        followed
    }

    /// Reads a file, again at once where it moves and nobody will look again.
    fn read(&mut self, survey: &Survey<'_>, path: &DocPath) -> Read {
        let attempts = if survey.quiet == Quiet::AtOnce { ATTEMPTS } else { 1 };
        let (root, at, rules) = (survey.root.clone(), path.clone(), self.rules.clone());
        let links = self.pointers.map().clone();
        let work = move || {
            let mut reads = (0..attempts).map(|_| read::read(&root, &at, &rules, &links));
            reads.find(|read| !matches!(read, Read::Moving)).unwrap_or(Read::Moving)
        };
        let unreadable = |message: &str| Read::Unreadable(Reason::new(Code::Unreadable, message));
        match self.patience.run(path, work) {
            Outcome::Done(read) => read,
            Outcome::Hangs => unreadable("the file system does not answer; hubsync tries again with the next scan"),
            Outcome::Failed => unreadable("hubsync itself failed on this file, which is a bug; please report it"),
        }
    }

    fn remember(
        &mut self,
        path: &DocPath,
        stat: Stat,
        hashed: Wall,
        reading: Arc<Reading>,
        targets: Arc<Targets>,
    ) -> Arc<Reading> {
        // The same words again share the memory of the first.
        let known = self.cache.get(path).map(|known| &known.reading).filter(|known| **known == reading);
        let reading = known.cloned().unwrap_or(reading);
        let entry = CacheEntry { stat, hashed, rules: self.digest, reading: reading.clone(), targets };
        self.cache.insert(path.clone(), entry);
        self.fresh.insert(path.clone());
        reading
    }

    /// What the state should keep and drop since this was last asked.
    pub(super) fn cache_changes(&mut self) -> (Vec<(DocPath, CacheEntry)>, Vec<DocPath>) {
        let files = &self.files;
        let mut gone = Vec::new();
        self.cache.retain(|path, _| {
            let keep = files.get(path).is_some_and(|fact| !matches!(fact.says, Says::Unfit(_) | Says::LeftOut(_)));
            if !keep {
                gone.push(path.clone());
            }
            keep
        });
        let fresh = std::mem::take(&mut self.fresh);
        let put = fresh.into_iter().filter_map(|path| self.cache.get(&path).cloned().map(|entry| (path, entry)));
        (put.collect(), gone)
    }

    /// Files of the scope that are being written: they have to be looked at again.
    pub(super) fn unsettled(&self, scope: &Scope) -> Vec<DocPath> {
        let unsettled = self.files.iter().filter(|(_, fact)| matches!(fact.says, Says::Unsettled { .. }));
        let concerned = |path: &DocPath| scope.contains(path.as_path()) || self.followed.contains(path);
        unsettled.filter(|(path, _)| concerned(path)).map(|(path, _)| path.clone()).collect()
    }

    /// Paths that are links: what they show can change without an event at their own path.
    pub(super) fn links(&self) -> impl Iterator<Item = &DocPath> {
        self.files.iter().filter(|(_, fact)| fact.via == Via::Link).map(|(path, _)| path)
    }
}

/// Whether an error says for sure that nothing is there.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Why a known file that is there was not listed.
fn left_out(root: &Root, path: &DocPath) -> Reason {
    match root.real().join(path.as_path()).canonicalize() {
        Ok(real) if !real.starts_with(root.real()) => {
            let message = format!("a link on the way leads out of the root, to {}", real.display());
            Reason::new(Code::OutsideRoot, message)
        }
        _ => Reason::new(
            Code::Ignored,
            "left out by .gitignore, .hubsyncignore, `include`, `exclude`, its name or its folder; its page is kept as it is",
        ),
    }
}
