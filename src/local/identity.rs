//! Which file is which page's: one function over all that is known of the root.
//!
//! A page is named by the id in its file, so a document that moves stays the same page. Two files with one id: the one that
//! hubsync already knows as the page's goes on, newcomers are blocked; without such a one, all are. A known file that has
//! stopped naming its page holds it: it is never taken for gone. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::document::{self, Reading};
use crate::engine::settled::{Found, RootHealth, Settled, Unborn};
use crate::local::scan::{Stat, Via};
use crate::page::{DocPath, PageId, Wall};
use crate::reason::{Code, Reason};

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// Its stat behind any link, where it has one.
    pub stat: Option<Stat>,
    /// Itself or a link.
    pub via: Via,
    /// What it says, or what keeps it from saying it.
    pub says: Says,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It was read, whole.
    Read(Arc<Reading>),
    /// It is being written; `page` is what its front matter names so far.
    Unsettled {
        /// The page that it names, if it does.
        page: Option<PageId>,
    },
    /// It is there, or may be, and can't be read now; `page` is what it named when it last could.
    Unreadable {
        /// The page that it named.
        page: Option<PageId>,
        /// Why it can't be read.
        reason: Reason,
    },
    /// It is something that no document can be.
    Unfit(Reason),
    /// It is there, but left out by a rule: of interest only while it is known as a page's.
    LeftOut(Reason),
}

/// Where a page's file lay last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its path.
    pub path: DocPath,
    /// Whether it was there when last looked at.
    pub presence: Presence,
}

/// Whether a known file was there when last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was.
    There,
    /// It wasn't, since this moment.
    Missed(Wall),
}

/// How a page's file stands: [`Found`], but sharing what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was read, and names the page.
    Reads(Arc<Reading>),
    /// It was read, is a document, and does not name the page (any more).
    Unnamed(Arc<Reading>, Reason),
    /// It is held.
    Held(Reason),
    /// It is gone.
    Gone(Wall),
}

/// All that can be told of the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Each page's file.
    pub pages: BTreeMap<PageId, (DocPath, Standing)>,
    /// Documents without `page_id`, at paths that are no page's.
    pub newborns: BTreeMap<DocPath, Arc<Reading>>,
    /// Files that belong to no page, with title and reason.
    pub loose: BTreeMap<DocPath, (Option<String>, Reason)>,
}

impl Says {
    /// The page that the file lays claim to.
    pub fn page(&self) -> Option<&PageId> {
        match self {
            Self::Read(reading) => reading.page_id(),
            Self::Unsettled { page } | Self::Unreadable { page, .. } => page.as_ref(),
            Self::Unfit(_) | Self::LeftOut(_) => None,
        }
    }
}

/// A file that names a page.
type Claim<'a> = (&'a DocPath, &'a FileFact);

/// Gives each page its file. `now` is when a page that is missed for the first time has been missed.
pub fn identify(files: &BTreeMap<DocPath, FileFact>, homes: &BTreeMap<PageId, Home>, now: Wall) -> Picture {
    let aliases = aliases(files, homes);
    let mut claims: BTreeMap<&PageId, Vec<Claim<'_>>> = BTreeMap::new();
    for (path, file) in files.iter().filter(|(path, _)| !aliases.contains(path)) {
        if let Some(page) = file.says.page() {
            claims.entry(page).or_default().push((path, file));
        }
    }
    let mut picture = Picture::default();
    let mut placed: BTreeSet<&DocPath> = BTreeSet::new();
    let pages: BTreeSet<&PageId> = claims.keys().copied().chain(homes.keys()).collect();
    for page in pages {
        let claimants = claims.get(page).map_or(&[][..], Vec::as_slice);
        let home = homes.get(page);
        let at_home = claimants.iter().find(|(path, _)| home.is_some_and(|home| home.path == **path));
        let (path, standing) = match (at_home, claimants, home) {
            (Some((path, file)), _, _) | (None, [(path, file)], _) => (*path, standing(file)),
            (None, [], Some(home)) => (&home.path, without_claim(page, files.get(&home.path), home, now)),
            (None, [], None) => continue,
            // None of them becomes the page's by the order of their names: what is known of the page stays as it is.
            (None, _, Some(home)) => (&home.path, Standing::Held(duplicate(page, &home.path, claimants))),
            (None, [(path, _), ..], None) => (*path, Standing::Held(duplicate(page, path, claimants))),
        };
        placed.insert(path);
        for (other, file) in claimants.iter().filter(|(other, _)| *other != path) {
            placed.insert(other);
            picture.loose.insert((*other).clone(), (title(&file.says), duplicate(page, other, claimants)));
        }
        picture.pages.insert(page.clone(), (path.clone(), standing));
    }
    for (path, file) in files.iter().filter(|(path, _)| !placed.contains(path) && !aliases.contains(*path)) {
        if let Says::Read(reading) = &file.says
            && reading.is_document()
        {
            picture.newborns.insert(path.clone(), reading.clone());
        } else if let Some(reason) = loose(&file.says) {
            picture.loose.insert(path.clone(), (title(&file.says), reason));
        }
    }
    picture
}

/// Remembers where each page's file lies by what was told of it.
pub fn remember(homes: &mut BTreeMap<PageId, Home>, picture: &Picture) {
    for (page, (path, standing)) in &picture.pages {
        let known = homes.contains_key(page);
        let presence = match standing {
            Standing::Gone(since) => Presence::Missed(*since),
            // What can't be published makes no page known, and of two newcomers neither is the page's. (A restart would not
            // know them either.)
            Standing::Held(_) if !known => continue,
            Standing::Reads(reading) if !reading.is_document() && !known => continue,
            Standing::Held(reason) if reason.code == Code::DuplicatePageId => continue,
            Standing::Held(_) | Standing::Unnamed(..) | Standing::Reads(_) => Presence::There,
        };
        homes.insert(page.clone(), Home { path: path.clone(), presence });
    }
}

/// Whether enough of the known documents are there, by path or by page. One document alone may well have been deleted,
/// unless the root has no document left at all.
pub fn health(files: &BTreeMap<DocPath, FileFact>, homes: &BTreeMap<PageId, Home>) -> RootHealth {
    let known = homes.values().filter(|home| home.presence == Presence::There).count();
    let found = known - lost(files, homes).len();
    let too_few = if known == 1 { files.is_empty() } else { found * 2 < known };
    if too_few { RootHealth::Changed { known, found } } else { RootHealth::Ok }
}

/// A person said that the root is the right one: what is not in it is missed from now on.
pub fn confirm(files: &BTreeMap<DocPath, FileFact>, homes: &mut BTreeMap<PageId, Home>, now: Wall) {
    for page in lost(files, homes) {
        if let Some(home) = homes.get_mut(&page) {
            home.presence = Presence::Missed(now);
        }
    }
}

/// Pages whose document was there and is found neither by path nor by page.
fn lost(files: &BTreeMap<DocPath, FileFact>, homes: &BTreeMap<PageId, Home>) -> Vec<PageId> {
    let claimed: BTreeSet<&PageId> = files.values().filter_map(|fact| fact.says.page()).collect();
    let there = homes.iter().filter(|(_, home)| home.presence == Presence::There);
    there
        .filter(|(page, home)| !files.contains_key(&home.path) && !claimed.contains(page))
        .map(|(page, _)| page.clone())
        .collect()
}

/// Paths that only are another name of a file that is listed under a better one: the file itself before a link to it, then
/// the path where its page is known to be, then the first. Stamps must agree, so that an inode used again is no alias.
fn aliases<'a>(files: &'a BTreeMap<DocPath, FileFact>, homes: &BTreeMap<PageId, Home>) -> BTreeSet<&'a DocPath> {
    let mut names: BTreeMap<Stat, Vec<(&DocPath, &FileFact)>> = BTreeMap::new();
    for (path, file) in files {
        if let Some(stat) = file.stat.filter(|_| !matches!(file.says, Says::Unfit(_) | Says::LeftOut(_))) {
            names.entry(stat).or_default().push((path, file));
        }
    }
    let is_home = |path: &DocPath, file: &FileFact| {
        file.says.page().and_then(|page| homes.get(page)).is_some_and(|home| home.path == *path)
    };
    let mut aliases = BTreeSet::new();
    for mut same in names.into_values().filter(|same| same.len() > 1) {
        same.sort_by_key(|(path, file)| (file.via, !is_home(path, file)));
        aliases.extend(same.into_iter().skip(1).map(|(path, _)| path));
    }
    aliases
}

/// How the file that lays claim to a page stands.
fn standing(file: &FileFact) -> Standing {
    match &file.says {
        Says::Read(reading) => Standing::Reads(reading.clone()),
        Says::Unreadable { reason, .. } | Says::Unfit(reason) | Says::LeftOut(reason) => Standing::Held(reason.clone()),
        Says::Unsettled { .. } => Standing::Held(being_written()),
    }
}

/// How a known page stands that no file names.
fn without_claim(page: &PageId, file: Option<&FileFact>, home: &Home, now: Wall) -> Standing {
    let Some(file) = file else {
        return Standing::Gone(match home.presence {
            Presence::There => now,
            Presence::Missed(since) => since,
        });
    };
    let known_as = format!("hubsync knows this file as page {page}");
    // Another page's document has come to lie where this one's was before it went.
    if let (Presence::Missed(since), Says::Read(reading)) = (home.presence, &file.says)
        && matches!(&**reading, Reading::Document { page_id: Some(_), .. })
    {
        return Standing::Gone(since);
    }
    Standing::Held(match &file.says {
        Says::Unfit(reason) | Says::LeftOut(reason) | Says::Unreadable { reason, .. } => reason.clone(),
        Says::Unsettled { .. } => being_written(),
        Says::Read(reading) => match &**reading {
            Reading::Blocked { page_id: None, reason, .. } => reason.clone(),
            Reading::Off { page_id: None, .. } => sync_false(),
            Reading::Plain => Reason::new(
                Code::FrontMatter,
                format!(
                    "the front matter is gone; {known_as}: put it back, delete the file, or `hubsync forget {page}`"
                ),
            ),
            Reading::Blocked { page_id: Some(other), .. }
            | Reading::Off { page_id: Some(other), .. }
            | Reading::Document { page_id: Some(other), .. } => Reason::new(
                Code::FrontMatter,
                format!("the file names page {other} now; {known_as}: put the id back, or `hubsync forget {page}`"),
            ),
            Reading::Document { page_id: None, .. } => return unnamed(reading, page),
        },
    })
}

/// A known page's document that does not name it any more, nor any other.
fn unnamed(reading: &Arc<Reading>, page: &PageId) -> Standing {
    let message =
        format!("the page_id is gone; hubsync knows this file as page {page}: put it back, or `hubsync forget {page}`");
    Standing::Unnamed(reading.clone(), Reason::new(Code::NoPageId, message))
}

/// Why a file without a page is reported, if it is no document; `None` where there is nothing to tell yet.
fn loose(says: &Says) -> Option<Reason> {
    Some(match says {
        Says::Unsettled { .. } | Says::LeftOut(_) => return None,
        Says::Unreadable { reason, .. } | Says::Unfit(reason) => reason.clone(),
        Says::Read(reading) => match &**reading {
            Reading::Blocked { reason, .. } => reason.clone(),
            Reading::Off { .. } => left_alone(),
            Reading::Plain => no_front_matter(),
            Reading::Document { .. } => return None,
        },
    })
}

fn title(says: &Says) -> Option<String> {
    match says {
        Says::Read(reading) => reading.title().map(str::to_owned),
        _ => None,
    }
}

fn duplicate(page: &PageId, path: &DocPath, claimants: &[Claim<'_>]) -> Reason {
    let others: Vec<String> =
        claimants.iter().filter(|(other, _)| *other != path).map(|(other, _)| other.to_text()).collect();
    let message = format!(
        "page_id {page} is also in {}; only one file can be its document: take the id out of the others",
        others.join(", ")
    );
    Reason::new(Code::DuplicatePageId, message)
}

fn sync_false() -> Reason {
    Reason::new(Code::SyncFalse, "`sync: false` leaves this file alone")
}

/// Of a file without a page, where other tools' words count as well.
fn left_alone() -> Reason {
    Reason::new(Code::SyncFalse, "`sync: false`, `private: true` or `publish: false` leaves this file alone")
}

fn no_front_matter() -> Reason {
    Reason::new(Code::NoFrontMatter, "no front matter, so it is no document")
}

fn being_written() -> Reason {
    Reason::new(Code::StillBeingWritten, "the file is still being written; it is published once it is quiet")
}

impl Standing {
    /// As the engine takes it in.
    fn found(&self) -> Found {
        match self {
            Self::Held(reason) => Found::Held(reason.clone()),
            Self::Unnamed(reading, reason) => match &**reading {
                Reading::Document { authored, .. } => {
                    Found::Unnamed { document: authored.clone(), reason: reason.clone() }
                }
                _ => Found::Held(reason.clone()),
            },
            Self::Gone(since) => Found::Gone { since: *since },
            Self::Reads(reading) => match &**reading {
                Reading::Document { authored, .. } => Found::Document(authored.clone()),
                Reading::Blocked { reason, .. } => Found::Held(reason.clone()),
                Reading::Off { .. } => Found::Held(sync_false()),
                Reading::Plain => Found::Held(no_front_matter()),
            },
        }
    }
}

impl Picture {
    /// What this picture tells that `told` did not. A page that is in neither file nor memory any more is told as gone.
    pub fn since(&self, told: &Self, now: Wall) -> Vec<Settled> {
        let mut news = Vec::new();
        let knows = |path: &&DocPath| self.loose.contains_key(path) || self.newborns.contains_key(path);
        for path in told.loose.keys().chain(told.newborns.keys()).filter(|path| !knows(path)) {
            news.push(Settled::LooseGone { path: path.clone() });
        }
        for (page, (path, _)) in told.pages.iter().filter(|(page, _)| !self.pages.contains_key(page)) {
            news.push(settled(page, path, &Standing::Gone(now)));
        }
        for (page, (path, standing)) in &self.pages {
            if told.pages.get(page).is_none_or(|(was_at, was)| was_at != path || was != standing) {
                news.push(settled(page, path, standing));
            }
        }
        for (path, reading) in self.newborns.iter().filter(|(path, now)| told.newborns.get(path) != Some(now)) {
            news.extend(newborn(path, reading));
        }
        for (path, (title, reason)) in self.loose.iter().filter(|(path, now)| told.loose.get(path) != Some(now)) {
            news.push(Settled::Loose { path: path.clone(), title: title.clone(), reason: reason.clone() });
        }
        news
    }
}

impl Picture {
    /// Where the files lay that are gone.
    pub fn gone(&self) -> impl Iterator<Item = &DocPath> {
        let all = self.pages.values().filter(|(_, standing)| matches!(standing, Standing::Gone(_)));
        all.map(|(path, _)| path)
    }

    /// Pages that were told as gone and are still, once everything was looked at: a file may have moved to where nobody
    /// noticed it.
    pub fn still_gone<'a>(&'a self, told: &'a Self) -> impl Iterator<Item = Settled> + 'a {
        let gone = |picture: &Self, page: &PageId| matches!(picture.pages.get(page), Some((_, Standing::Gone(_))));
        let all = self.pages.keys().filter(move |page| gone(self, page) && gone(told, page));
        all.map(|page| Settled::StillGone { id: page.clone() })
    }
}

fn newborn(path: &DocPath, reading: &Reading) -> Option<Settled> {
    let Reading::Document { visibility, authored, .. } = reading else { return None };
    let name = document::title_of_name(&path.as_path().file_stem().unwrap_or_default().to_string_lossy());
    let unborn = Unborn { document: authored.clone(), visibility: *visibility, name };
    Some(Settled::Newborn { path: path.clone(), unborn })
}

fn settled(page: &PageId, path: &DocPath, standing: &Standing) -> Settled {
    Settled::Page { id: page.clone(), path: path.clone(), found: standing.found() }
}

#[cfg(test)]
mod tests;
