//! The writer's folder: bytes in files, what was noticed of them, and what the engine is told.
//!
//! Files are parsed, given their pages, and told once they have come to rest by the functions that `local/` uses; only the
//! file system is a map.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Index;
use std::sync::Arc;

use hubsync::daemon::scribe;
use hubsync::document::edit::{self, Setting};
use hubsync::document::links::Around;
use hubsync::document::{self, Reading};
use hubsync::engine::change::{FileChange, IdLine, Written};
use hubsync::engine::settled::{RootHealth, Settled};
use hubsync::local::identity::{self, FileFact, Home, Picture, Presence, Says, identify, remember};
use hubsync::local::links::Pointers;
use hubsync::local::scan::Via;
use hubsync::pace::debounce::{Debounce, Due};
use hubsync::page::{BodyPrint, Digest, DocPath, Mono, Named, Now, PageId, Status, Wall};
use hubsync::policy::Rules;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doc {
    pub id: PageId,
    pub title: Option<String>,
    pub body: String,
    pub status: Status,
    pub named: Named,
    /// What other tools keep in it: another value is another file with the same text.
    pub other: u32,
}

impl Doc {
    pub fn published(id: &str, body: &str) -> Self {
        Self {
            id: PageId::parse(id).unwrap(),
            title: Some("T".to_owned()),
            body: body.to_owned(),
            status: Status::Published,
            named: Named::default(),
            other: 0,
        }
    }

    pub fn draft(id: &str, body: &str) -> Self {
        Self { status: Status::Draft, ..Self::published(id, body) }
    }

    pub fn in_folders(mut self, names: &[&str]) -> Self {
        self.named.folders = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("---\npage_id: {}\n", self.id);
        if let Some(title) = &self.title {
            text += &format!("title: {}\n", serde_json::json!(title));
        }
        let lists =
            [("folders", &self.named.folders), ("skills", &self.named.skills), ("sources", &self.named.sources)];
        for (key, names) in lists {
            if let Some(names) = names {
                text += &format!("{key}: {}\n", serde_json::json!(names));
            }
        }
        let status = if self.status == Status::Draft { "draft" } else { "published" };
        text += &format!("status: {status}\n");
        if self.other > 0 {
            text += &format!("reviewed: {}\n", self.other);
        }
        format!("{text}---\n{}", self.body).into_bytes()
    }
}

/// Whether a file that was written to a moment ago is taken as it is (`sync`), or waited for (`run`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    AtOnce,
    For(i64),
}

/// How much of the folder is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Part,
    Everything,
}

#[derive(Clone, Debug)]
struct File {
    bytes: Vec<u8>,
    /// When it was written, by our own wall clock.
    written: Wall,
    /// As it was written, where it is a document of a test.
    doc: Option<Doc>,
}

#[derive(Clone, Debug)]
pub struct Folder {
    files: BTreeMap<String, File>,
    facts: BTreeMap<DocPath, FileFact>,
    homes: BTreeMap<PageId, Home>,
    told: Picture,
    debounce: Debounce<String>,
    /// The root is not there.
    pub missing: bool,
    rules: Rules,
    pointers: Pointers,
    /// How often a document was read again because of what it points to.
    pub followed: u64,
}

impl Folder {
    pub fn new(rules: Rules, debounce: u64, max_delay: u64) -> Self {
        Self {
            files: BTreeMap::new(),
            facts: BTreeMap::new(),
            homes: BTreeMap::new(),
            told: Picture::default(),
            debounce: Debounce::new(debounce, max_delay, 64),
            missing: false,
            rules,
            pointers: Pointers::default(),
            followed: 0,
        }
    }

    // ---- the writer's side

    pub fn write(&mut self, now: Now, path: &str, doc: Doc) {
        let file = File { bytes: doc.bytes(), written: now.wall, doc: Some(doc) };
        self.files.insert(path.to_owned(), file);
    }

    pub fn write_bytes(&mut self, now: Now, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), File { bytes: bytes.to_vec(), written: now.wall, doc: None });
    }

    /// A command writes the hub's text into a document, as a person decided.
    pub fn write_as_decided(&mut self, now: Now, path: &str, change: &FileChange) -> Result<Option<Doc>, String> {
        let old = self.files.get(path).map(|file| file.bytes.clone());
        if old.as_ref().map(Digest::of) != change.source {
            return Err("the document was edited meanwhile".to_owned());
        }
        let (at, map) = (DocPath::new(path).ok_or("no path")?, self.pointers.map().read());
        let bytes = scribe::document_of(old.as_deref(), change, &self.rules, Around { path: &at, map: &map })?;
        drop(map);
        let doc = doc_of(&bytes, &self.rules);
        self.files.insert(path.to_owned(), File { bytes, written: now.wall, doc: doc.clone() });
        Ok(doc)
    }

    /// The state has forgotten a page.
    pub fn forget(&mut self, page: &PageId) {
        self.homes.remove(page);
        self.told.pages.remove(page);
    }

    pub fn remove(&mut self, path: &str) -> Option<Doc> {
        self.files.remove(path).and_then(|file| file.doc)
    }

    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.to_owned(), file);
        }
    }

    pub fn get(&self, path: &str) -> Option<&Doc> {
        self.files.get(path)?.doc.as_ref()
    }

    pub fn contains_key(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Documents with their paths; what is no document of a test is left out.
    pub fn docs(&self) -> impl Iterator<Item = (&String, &Doc)> {
        self.files.iter().filter_map(|(path, file)| Some((path, file.doc.as_ref()?)))
    }

    /// Whether there are files that are no documents of a test.
    pub fn has_spoilt(&self) -> bool {
        self.files.values().any(|file| file.doc.is_none())
    }

    /// How many files name a page, published or not.
    pub fn claims(&self, page: &PageId) -> usize {
        let names = |file: &&File| document::parse(&file.bytes, &self.rules).reading.page_id() == Some(page);
        self.files.values().filter(names).count()
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }

    /// The files that name a page.
    pub fn naming(&self, page: &PageId) -> Vec<String> {
        let names = |file: &File| document::parse(&file.bytes, &self.rules).reading.page_id() == Some(page);
        self.files.iter().filter(|(_, file)| names(file)).map(|(path, _)| path.clone()).collect()
    }

    /// All files, to be put back later.
    pub fn tree(&self) -> Vec<(String, Vec<u8>, Option<Doc>)> {
        self.files.iter().map(|(path, file)| (path.clone(), file.bytes.clone(), file.doc.clone())).collect()
    }

    /// Puts other files in the place of these; those with the same bytes are not touched.
    pub fn check_out(&mut self, now: Now, tree: Vec<(String, Vec<u8>, Option<Doc>)>) {
        let mut old = std::mem::take(&mut self.files);
        for (path, bytes, doc) in tree {
            let file = match old.remove(&path) {
                Some(file) if file.bytes == bytes => file,
                _ => File { bytes, written: now.wall, doc },
            };
            self.files.insert(path, file);
        }
    }

    // ---- the reader's side

    /// The body that a PATCH sends, while the file is what was decided on.
    pub fn body(&self, path: &str, source: Digest, print: BodyPrint) -> Option<String> {
        let file = self.files.get(path).filter(|_| !self.missing)?;
        if Digest::of(&file.bytes) != source {
            return None;
        }
        let around = Around { path: &DocPath::new(path)?, map: &self.pointers.map().read() };
        document::body_among(&file.bytes, &self.rules, around).filter(|body| BodyPrint::of(body) == print)
    }

    /// The page of this file is known, although the file does not name it yet.
    pub fn known(&mut self, page: PageId, path: DocPath) {
        self.told.newborns.remove(&path);
        self.homes.insert(page, Home { path, presence: Presence::There });
    }

    /// Whether a page's file was there when last looked at, at this path.
    pub fn is_home(&self, page: &PageId, path: &str) -> bool {
        let there = |home: &Home| home.presence == Presence::There && home.path.to_text() == path;
        self.homes.get(page).is_some_and(there)
    }

    /// The id of a page is written into its file, as `daemon/id_line` does it.
    pub fn write_id(&mut self, now: Now, line: &IdLine) -> Written {
        let path = line.path.to_text();
        let Some(file) = self.files.get(&path).filter(|_| !self.missing) else { return Written::Stale };
        if Digest::of(&file.bytes) != line.source {
            return Written::Stale;
        }
        match edit::set(&file.bytes, &Setting::PageId(&line.page)) {
            Ok(bytes) => {
                self.write_bytes(now, &path, &bytes);
                Written::Done
            }
            Err(why) => Written::Failed(why.to_string()),
        }
    }

    /// What a file holds.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|file| file.bytes.as_slice())
    }

    /// The watcher names a path.
    pub fn note(&mut self, mono: Mono, path: &str) {
        self.debounce.note(mono, path.to_owned());
    }

    /// The engine wants to have a path looked at.
    pub fn ask(&mut self, mono: Mono, path: &str) {
        self.debounce.ask(mono, path.to_owned());
    }

    pub fn note_everything(&mut self, mono: Mono) {
        self.debounce.note_everything(mono);
    }

    /// When something will have come to rest.
    pub fn wakeup(&self) -> Option<Mono> {
        self.debounce.wakeup()
    }

    /// What has come to rest is read and told; `None` where nothing has.
    pub fn due(&mut self, now: Now, quiet: Quiet) -> Option<(RootHealth, Vec<Settled>)> {
        let due = self.debounce.due(now.mono);
        if due.is_empty() {
            return None;
        }
        let mut paths = BTreeSet::new();
        for one in due {
            match one {
                Due::Settled(path) | Due::Overdue(path) => drop(paths.insert(path)),
                Due::Everything => return Some(self.scan(now, quiet)),
            }
        }
        Some(self.look(now, quiet, &paths))
    }

    /// Everything is read and told.
    pub fn scan(&mut self, now: Now, quiet: Quiet) -> (RootHealth, Vec<Settled>) {
        let known = self.facts.keys().map(DocPath::to_text).chain(self.homes.values().map(|home| home.path.to_text()));
        let paths = known.chain(self.files.keys().cloned()).collect();
        self.read_and_tell(now, quiet, &paths, Extent::Everything)
    }

    /// These paths are read and told, unless the root is in question.
    pub fn look(&mut self, now: Now, quiet: Quiet, paths: &BTreeSet<String>) -> (RootHealth, Vec<Settled>) {
        self.read_and_tell(now, quiet, paths, Extent::Part)
    }

    fn read_and_tell(
        &mut self,
        now: Now,
        quiet: Quiet,
        paths: &BTreeSet<String>,
        extent: Extent,
    ) -> (RootHealth, Vec<Settled>) {
        if self.missing {
            return (RootHealth::Missing("no such folder".to_owned()), Vec::new());
        }
        for path in paths {
            self.read(now, quiet, path);
        }
        self.follow(now, quiet);
        match identity::health(&self.facts, &self.homes) {
            RootHealth::Ok => (RootHealth::Ok, self.tell(now.wall, extent)),
            other => (other, Vec::new()),
        }
    }

    fn read(&mut self, now: Now, quiet: Quiet, path: &str) {
        let at = DocPath::new(path).unwrap();
        let Some(file) = self.files.get(path) else {
            self.facts.remove(&at);
            return;
        };
        let young = match quiet {
            Quiet::AtOnce => false,
            Quiet::For(ms) => (0..ms).contains(&(now.wall.0 - file.written.0)),
        };
        let map = self.pointers.map().clone();
        let parsed = document::parse_among(&file.bytes, &self.rules, Around { path: &at, map: &map.read() });
        let says = if young {
            self.debounce.note(now.mono, path.to_owned());
            Says::Unsettled { page: parsed.reading.page_id().cloned() }
        } else {
            self.pointers.learn(&at, Arc::new(parsed.targets));
            Says::Read(Arc::new(parsed.reading))
        };
        self.facts.insert(at, FileFact { stat: None, via: Via::Name, says });
    }

    /// Documents whose links lead elsewhere by now are read again.
    fn follow(&mut self, now: Now, quiet: Quiet) {
        for _ in 0..3 {
            let has_links = self.rules.links.page_url.is_some();
            if !has_links || identity::health(&self.facts, &self.homes) != RootHealth::Ok {
                return;
            }
            let picture = identify(&self.facts, &self.homes, now.wall);
            for path in self.pointers.follow(&self.facts, &picture, &BTreeSet::new()) {
                self.followed += 1;
                self.read(now, quiet, &path.to_text());
            }
        }
    }

    fn tell(&mut self, now: Wall, extent: Extent) -> Vec<Settled> {
        let picture = identify(&self.facts, &self.homes, now);
        let mut news = picture.since(&self.told, now);
        if extent == Extent::Everything {
            news.extend(picture.still_gone(&self.told));
        }
        remember(&mut self.homes, &picture);
        self.told = picture;
        news
    }

    /// A person says that this is the right root.
    pub fn confirm(&mut self, now: Wall) {
        identity::confirm(&self.facts, &mut self.homes, now);
    }

    /// Another process begins, which knows these pages.
    pub fn restart(&mut self, known: Vec<(PageId, Home)>) {
        self.facts.clear();
        self.pointers = Pointers::default();
        self.told = Picture::default();
        self.homes = known.into_iter().collect();
        self.debounce.due(Mono(u64::MAX));
    }
}

/// What a file says, where it is a document.
fn doc_of(bytes: &[u8], rules: &Rules) -> Option<Doc> {
    let Reading::Document { page_id: Some(id), authored, .. } = document::parse(bytes, rules).reading else {
        return None;
    };
    let body = document::body(bytes, rules)?;
    Some(Doc { id, title: authored.title, body, status: authored.status, named: authored.named, other: 0 })
}

impl Index<&str> for Folder {
    type Output = Doc;

    fn index(&self, path: &str) -> &Doc {
        self.get(path).expect("a document of the test")
    }
}
