//! Names for new files: from titles, such that every file system takes them and none of them means another file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::page::{DocPath, PageId};

/// The longest name that is made of a title, in bytes: room is left for a number and an ending on any file system.
const LONGEST: usize = 100;

/// Names that Windows keeps for devices, whatever ends them.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Finds names that nothing has yet.
#[derive(Debug)]
pub(super) struct Namer {
    root: PathBuf,
    /// What lies in each folder by now, as a file system that knows no case sees it.
    taken: BTreeMap<PathBuf, BTreeSet<String>>,
}

impl Namer {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), taken: BTreeMap::new() }
    }

    /// A path for a page of this title; it is taken from now on.
    pub(super) fn file(&mut self, folder: &Path, title: &str, page: &PageId) -> Option<DocPath> {
        let stem = Some(slug(title)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| slug(page.as_str()));
        let stem = if stem.is_empty() { "page".to_owned() } else { stem };
        let root = &self.root;
        let taken = self.taken.entry(folder.to_owned()).or_insert_with(|| names_in(&root.join(folder)));
        let name = (1_u32..)
            .map(|n| if n == 1 { format!("{stem}.md") } else { format!("{stem}-{n}.md") })
            .find(|name| taken.insert(key(name)))?;
        DocPath::new(folder.join(name))
    }

    /// The folder for pages that are filed there in the hub: the one that has this name in any case, else a new one.
    pub(super) fn folder(&self, hub_path: &str) -> PathBuf {
        let name = slug(hub_path);
        let known = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        let same = known
            .filter(|entry| entry.file_name().to_str().is_some_and(|there| key(there) == key(&name)))
            .map(|entry| (entry.path().is_dir(), entry.file_name()))
            .next();
        match same {
            Some((true, there)) => PathBuf::from(there),
            Some((false, _)) => PathBuf::from(format!("{name}-2")),
            None => PathBuf::from(name),
        }
    }
}

/// What a folder holds; nothing, where it can't be read or isn't there yet: no file is written over in any case.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| key(&entry.file_name().to_string_lossy())).collect()
}

/// A name as a file system that knows neither case nor forms of characters takes it.
fn key(name: &str) -> String {
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// Letters and digits of any script in small letters, hyphens between them.
pub(super) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.nfc().flat_map(char::to_lowercase).nfc() {
        if c.is_alphanumeric() || (is_combining_mark(c) && !out.is_empty() && !out.ends_with('-')) {
            if out.len() + c.len_utf8() > LONGEST {
                break;
            }
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    let device = |stem: &str| {
        let numbered = |prefix| stem.strip_prefix(prefix).is_some_and(|n: &str| n.chars().count() == 1 && n != "0");
        RESERVED.contains(&stem) || numbered("com") || numbered("lpt")
    };
    if device(&out) { out + "-page" } else { out }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_title_becomes_a_name_that_every_file_system_takes() {
        let cases = [
            ("Pricing objections", "pricing-objections"),
            ("Q2: pricing / (draft)...", "q2-pricing-draft"),
            ("../../etc/passwd", "etc-passwd"),
            ("CON", "con-page"),
            ("com1", "com1-page"),
            ("Com10", "com10"),
            ("LPT9.", "lpt9-page"),
            ("-rf", "rf"),
            (".hidden", "hidden"),
            ("Straße №5", "straße-5"),
            ("e\u{301}te\u{301}", "été"),
            ("हिन्दी", "हिन्दी"),
            ("日本語 テスト", "日本語-テスト"),
            ("a\0b\nc\u{202e}d", "a-b-c-d"),
            ("🎉", ""),
            ("...", ""),
        ];
        for (title, name) in cases {
            assert_eq!(slug(title), name.nfc().collect::<String>(), "{title}");
        }
        let long = slug(&"é".repeat(500));
        assert!(long.len() <= LONGEST && long.len() > LONGEST - 4);
    }

    #[test]
    fn names_that_any_file_system_takes_for_one_are_numbered() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("Sales")).unwrap();
        std::fs::write(dir.path().join("Sales/PRICING.md"), "").unwrap();
        std::fs::write(dir.path().join("notes"), "").unwrap();
        let mut namer = Namer::new(dir.path());
        let id = PageId::parse("p_1").unwrap();
        let folder = namer.folder("Sales");
        assert_eq!(folder, Path::new("Sales"), "the one that is there");
        assert_eq!(namer.folder("Notes"), Path::new("notes-2"), "never through a file");
        assert_eq!(namer.folder("Sales/Objections"), Path::new("sales-objections"));
        let mut name = |title: &str| namer.file(&folder, title, &id).unwrap().to_text();
        let named = [name("Pricing"), name("pricing!"), name("Cafe\u{301}"), name("CAFÉ"), name("🎉"), name("?")];
        assert_eq!(
            named,
            [
                "Sales/pricing-2.md",
                "Sales/pricing-3.md",
                "Sales/café.md",
                "Sales/café-2.md",
                "Sales/p-1.md",
                "Sales/p-1-2.md"
            ]
        );
    }
}
