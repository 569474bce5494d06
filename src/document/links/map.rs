//! Which files there are to point to, and which pages they have: what links are looked up in.
//!
//! `local/` fills it by what the folder says, the sender looks into the same one. A change answers the names under which
//! links may have another answer now, so that nobody else need be asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::page::{DocPath, PageId};

use super::Answer;
use super::target::{Target, bare, is_markdown, name_of, spelled};

/// The files of the root: documents with their pages, Markdown without a page, and others where links to them count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkMap {
    files: BTreeMap<String, Holds>,
    names: BTreeMap<String, BTreeSet<String>>,
}

/// What a file is, for links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A document with this page.
    Page(PageId),
    /// Markdown without a page.
    NoPage,
    /// Something else: an image, say.
    Other,
}

/// What lies at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A document with this page.
    Page(PageId),
    /// A Markdown file without a page, at this path.
    NoPage(String),
    /// Another file, at this path.
    Other(String),
    /// Several files have this name; none of them lies at that path from the root.
    Ambiguous(Vec<String>),
    /// Nothing that is known.
    Nothing,
}

impl LinkMap {
    /// The file at `path` is this. Answers the name under which links are concerned.
    pub fn put(&mut self, path: &DocPath, holds: Holds) -> Option<String> {
        // What is called like a note and is none is not found by its name.
        let path = spelled(path).filter(|path| holds != Holds::Other || !is_markdown(path))?;
        let name = name_of(&path);
        self.names.entry(name.clone()).or_default().insert(path.clone());
        self.files.insert(path, holds);
        Some(name)
    }

    /// There is no file at `path` any more. Answers the name under which links are concerned.
    pub fn remove(&mut self, path: &DocPath) -> Option<String> {
        let path = spelled(path)?;
        let name = name_of(&path);
        if let Some(paths) = self.names.get_mut(&name) {
            paths.remove(&path);
            if paths.is_empty() {
                self.names.remove(&name);
            }
        }
        self.files.remove(&path);
        Some(name)
    }

    /// What a link there becomes a link to. Whether a file that is no document lies at a path changes nothing.
    pub fn answer(&self, target: &Target) -> Option<Answer> {
        match (self.find(target), target) {
            (Place::Page(page), _) => Some(Answer::Page(page)),
            (Place::Other(path), Target::Note(_) | Target::Name(_)) => Some(Answer::File(path)),
            _ => None,
        }
    }

    /// What lies at a target.
    pub fn find(&self, target: &Target) -> Place {
        match target {
            Target::Path(path) => self.at(path),
            Target::Note(path) => self.one_of(self.named(target, |note| note == path), path),
            Target::Name(end) => {
                let ends = |note: &str| {
                    note.strip_suffix(end.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
                };
                self.one_of(self.named(target, ends), end)
            }
        }
    }

    /// All files, with what they are.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Holds)> {
        self.files.iter().map(|(path, holds)| (path.as_str(), holds))
    }

    fn at(&self, path: &str) -> Place {
        match self.files.get(path) {
            Some(Holds::Page(page)) => Place::Page(page.clone()),
            Some(Holds::NoPage) => Place::NoPage(path.to_owned()),
            Some(Holds::Other) => Place::Other(path.to_owned()),
            None => Place::Nothing,
        }
    }

    /// Files of the target's name whose path fits.
    fn named(&self, target: &Target, fits: impl Fn(&str) -> bool) -> Vec<&String> {
        let paths = self.names.get(&target.name()).into_iter().flatten();
        paths.filter(|path| fits(&bare(path))).collect()
    }

    /// The only one, or else the one that is named whole.
    fn one_of(&self, paths: Vec<&String>, whole: &str) -> Place {
        let exact: Vec<&String> = paths.iter().copied().filter(|path| bare(path) == whole).collect();
        match (paths.as_slice(), exact.as_slice()) {
            ([], _) => Place::Nothing,
            ([path], _) | (_, [path]) => self.at(path),
            _ => Place::Ambiguous(paths.into_iter().cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(paths: &[&str]) -> LinkMap {
        let mut map = LinkMap::default();
        for path in paths {
            let page = || PageId::parse(&path.replace(['/', '.', ' '], "_")).unwrap();
            let holds = if path.contains("plain") {
                Holds::NoPage
            } else if path.ends_with("png") {
                Holds::Other
            } else {
                Holds::Page(page())
            };
            map.put(&DocPath::new(path).unwrap(), holds).unwrap();
        }
        map
    }

    fn name(map: &LinkMap, name: &str) -> Place {
        map.find(&Target::Name(name.to_owned()))
    }

    fn page(id: &str) -> Place {
        Place::Page(PageId::parse(id).unwrap())
    }

    #[test]
    fn a_note_is_found_by_its_name_or_the_end_of_its_path() {
        let map = map(&["a/Note.md", "b/Other.md", "c/Other.md", "Top.markdown", "d/Top.md", "plain.md"]);
        assert_eq!(name(&map, "note"), page("a_Note_md"));
        assert_eq!(name(&map, "a/note"), page("a_Note_md"));
        assert_eq!(name(&map, "c/other"), page("c_Other_md"));
        assert_eq!(name(&map, "other"), Place::Ambiguous(vec!["b/Other.md".to_owned(), "c/Other.md".to_owned()]));
        assert_eq!(name(&map, "top"), page("Top_markdown"), "the one at that path from the root");
        assert_eq!(name(&map, "ote"), Place::Nothing);
        assert_eq!(name(&map, "x/note"), Place::Nothing);
        assert_eq!(name(&map, "plain"), Place::NoPage("plain.md".to_owned()));
        assert_eq!(map.find(&Target::Note("other".to_owned())), Place::Nothing);
        assert_eq!(map.find(&Target::Note("b/other".to_owned())), page("b_Other_md"));
        assert_eq!(map.find(&Target::Path("a/note.md".to_owned())), Place::Nothing, "paths are exact");
    }

    #[test]
    fn other_files_are_found_by_name_with_their_extension() {
        let map = map(&["img/A b.png", "note.md"]);
        assert_eq!(name(&map, "a b.png"), Place::Other("img/A b.png".to_owned()));
        assert_eq!(name(&map, "a b"), Place::Nothing);
        let path = Target::Path("img/A b.png".to_owned());
        assert_eq!((map.find(&path), map.answer(&path)), (Place::Other("img/A b.png".to_owned()), None));
        let mut other = LinkMap::default();
        assert_eq!(other.put(&DocPath::new("x.md").unwrap(), Holds::Other), None, "no note");
    }

    #[test]
    fn what_is_removed_is_not_found() {
        let mut map = map(&["a/Other.md", "b/Other.md"]);
        assert_eq!(map.remove(&DocPath::new("a/Other.md").unwrap()).unwrap(), "other");
        assert_eq!(name(&map, "other"), page("b_Other_md"));
        map.remove(&DocPath::new("b/Other.md").unwrap());
        assert_eq!(map, LinkMap::default());
    }
}
