//! Who points to whom: the map of pages that links are looked up in, and for each name the documents that use it.
//!
//! When a document moves, goes or gets its page, those that point to it, and only those, are read again and rendered anew. The
//! sender looks into the same map. Pure but for the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::document::links::{Holds, LinkMap, Targets};
use crate::local::identity::{FileFact, Picture, Says, Standing};
use crate::page::DocPath;
use crate::reason::Code;
use crate::simulation::{Planted, planted};

/// The map, shared by whoever renders documents of one root.
#[derive(Clone, Debug, Default)]
pub struct SharedMap(Arc<RwLock<LinkMap>>);

impl SharedMap {
    /// The map as it is now. Whoever holds it waits for nothing meanwhile.
    pub fn read(&self) -> RwLockReadGuard<'_, LinkMap> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who points to whom.
#[derive(Clone, Debug, Default)]
pub struct Pointers {
    map: SharedMap,
    /// What the map holds, by the files' own paths.
    placed: BTreeMap<DocPath, Holds>,
    /// What each document points to, as it was rendered.
    targets: BTreeMap<DocPath, Arc<Targets>>,
    /// Who uses a name.
    users: BTreeMap<String, BTreeSet<DocPath>>,
    /// Rendered since the map was last brought up to date.
    fresh: BTreeSet<DocPath>,
}

impl Pointers {
    /// The map.
    pub fn map(&self) -> &SharedMap {
        &self.map
    }

    /// Keeps this map in place of an own one.
    pub fn share(&mut self, map: SharedMap) {
        self.map = map;
    }

    /// A document was rendered by the map as it was then.
    pub fn learn(&mut self, path: &DocPath, targets: Arc<Targets>) {
        if !targets.is_empty() {
            self.fresh.insert(path.clone());
        }
        if self.targets.get(path) == Some(&targets) {
            return;
        }
        self.unlearn(path);
        if !targets.is_empty() {
            for name in targets.names() {
                self.users.entry(name).or_default().insert(path.clone());
            }
            self.targets.insert(path.clone(), targets);
        }
    }

    fn unlearn(&mut self, path: &DocPath) {
        let Some(old) = self.targets.remove(path) else { return };
        for name in old.names() {
            if let Some(users) = self.users.get_mut(&name) {
                users.remove(path);
                if users.is_empty() {
                    self.users.remove(&name);
                }
            }
        }
    }

    /// Brings the map up to what is known of the root: its Markdown files, which page each has, and the other files. Answers
    /// the documents that it would render otherwise than they were.
    pub fn follow(
        &mut self,
        files: &BTreeMap<DocPath, FileFact>,
        picture: &Picture,
        others: &BTreeSet<DocPath>,
    ) -> BTreeSet<DocPath> {
        let mut placed = placed(files, picture);
        for path in others.iter().filter(|path| !files.contains_key(*path)) {
            placed.insert(path.clone(), Holds::Other);
        }
        let names = self.place(placed);
        let gone: Vec<DocPath> = self.targets.keys().filter(|path| !files.contains_key(*path)).cloned().collect();
        gone.iter().for_each(|path| self.unlearn(path));
        let mut asked = std::mem::take(&mut self.fresh);
        asked.extend(names.iter().filter_map(|name| self.users.get(name)).flatten().cloned());
        if planted(Planted::FollowersForgotten) {
            asked.clear();
        }
        let map = self.map.read();
        let otherwise = |path: &DocPath| {
            let mut targets = self.targets.get(path).into_iter().flat_map(|targets| targets.iter());
            targets.any(|(target, answer)| map.answer(target) != *answer)
        };
        asked.retain(otherwise);
        asked
    }

    /// Puts these files into the map, and no others. Answers the names that are concerned.
    fn place(&mut self, placed: BTreeMap<DocPath, Holds>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut map = self.map.0.write().unwrap_or_else(PoisonError::into_inner);
        for path in self.placed.keys().filter(|path| !placed.contains_key(*path)) {
            names.extend(map.remove(path));
        }
        for (path, holds) in placed.iter().filter(|(path, holds)| self.placed.get(*path) != Some(*holds)) {
            let name = map.put(path, holds.clone());
            let is_new = matches!(holds, Holds::Page(_)) && !matches!(self.placed.get(path), Some(Holds::Page(_)));
            if !(is_new && planted(Planted::NewPagesUnfollowed)) {
                names.extend(name);
            }
        }
        drop(map);
        self.placed = placed;
        names
    }
}

/// Each file that links can lead to, with its page. A page's file that can't be read just now, or is being mended, keeps its
/// page here, so that links to it don't come and go.
fn placed(files: &BTreeMap<DocPath, FileFact>, picture: &Picture) -> BTreeMap<DocPath, Holds> {
    let mut placed: BTreeMap<DocPath, Holds> = BTreeMap::new();
    let read = files.iter().filter(|(_, file)| matches!(file.says, Says::Read(_)));
    placed.extend(read.map(|(path, _)| (path.clone(), Holds::NoPage)));
    for (page, (path, standing)) in &picture.pages {
        let names_it = files.get(path).is_some_and(|file| file.says.page() == Some(page));
        let stays = match standing {
            // One that does not name it may be about to: its page was just made.
            Standing::Reads(_) | Standing::Unnamed(..) => true,
            Standing::Held(reason) => !matches!(reason.code, Code::Ignored | Code::OutsideRoot | Code::DuplicatePageId),
            Standing::Gone(_) => false,
        };
        // Of two pages known at one path, it is that which the file names.
        let is_taken = matches!(placed.get(path), Some(Holds::Page(_)));
        if stays && (names_it || !is_taken) {
            placed.insert(path.clone(), Holds::Page(page.clone()));
        }
    }
    // Other names of the same file.
    for (path, file) in files {
        let Some((page, stat)) = file.says.page().zip(file.stat) else { continue };
        let home = picture.pages.get(page).map(|(home, _)| home).filter(|home| *home != path);
        let same = home.and_then(|home| files.get(home)).is_some_and(|home| home.stat == Some(stat));
        if same && placed.get(path) == Some(&Holds::NoPage) {
            placed.insert(path.clone(), Holds::Page(page.clone()));
        }
    }
    placed
}
