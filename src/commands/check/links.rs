//! What is needed to judge links: the pages of all documents, and the other files of the root that links can lead to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization as _;

use crate::document::Diagnostic;
use crate::document::links::{Around, Files, Holds, LinkMap, problems};
use crate::local::folder::Folder;
use crate::local::scan::{self, Scope};
use crate::page::{DocPath, PageId};
use crate::policy::Create;

/// All that links of a root can lead to.
pub struct Links {
    root: PathBuf,
    map: LinkMap,
    listed: BTreeSet<String>,
}

impl Links {
    /// Walks the root once more, for the files that are no documents. Where documents get pages (`publish.create`), one that
    /// has none yet counts as one that has.
    pub fn of(folder: &Folder, root: &Path, create: Create) -> Self {
        let mut map = LinkMap::default();
        let unborn = PageId::parse("unborn").ok().filter(|_| create == Create::On);
        for (path, reading) in folder.readings() {
            let unborn = unborn.clone().filter(|_| reading.is_document());
            let page = reading.page_id().cloned().or(unborn);
            let _ = map.put(path, page.map_or(Holds::NoPage, Holds::Page));
        }
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let everything = folder.patterns().of_everything();
        let walked = everything.map(|everything| scan::walk(&root, &everything, &Scope::All)).unwrap_or_default();
        let mut listed = BTreeSet::new();
        for path in walked.files.iter().map(|entry| &entry.path) {
            if !folder.patterns().includes(path.as_path()) {
                let _ = map.put(path, Holds::Other);
            }
            listed.extend(path.as_path().to_str().map(|path| path.nfc().collect::<String>()));
        }
        Self { root, map, listed }
    }

    /// What is wrong with the links of a document.
    pub fn problems(&self, path: &DocPath, bytes: &[u8]) -> Vec<Diagnostic> {
        let files = Files { listed: &self.listed, exists: &|path| self.exists(path) };
        problems(bytes, Around { path, map: &self.map }, &files)
    }

    /// Whether a file or folder lies there, and not behind a link out of the root.
    fn exists(&self, path: &str) -> bool {
        let inside = || self.root.join(path).canonicalize().is_ok_and(|real| real.starts_with(&self.root));
        self.listed.contains(path) || inside()
    }
}
