//! The words by which documents of these schedules point to each other, and what each becomes on a page: worked out from the
//! files alone, with none of the engine's code.
//!
//! A link is a word without blanks, so a text is read by splitting it. What the README says of each form is said here once
//! more, as short as it goes.

use hubsync::policy::{AssetUrl, LinkRules, PageUrl};

const PAGES: &str = "https://kb/";
const FILES: &str = "https://files/";

/// How a link is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `[a](../b.md)`, as seen from the document's folder.
    Beside,
    /// The same with `#x`.
    Place,
    /// `[b](/a.md)`, as seen from the root.
    FromRoot,
    /// `[[a]]`: wherever it lies.
    Name,
    /// `[[moved/a|see]]`: by the end of its path.
    End,
    /// `![c](a.png)`: no document.
    Picture,
}

/// What a word points to: a path from the root; of wiki links without its `.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub way: Way,
    pub to: String,
}

/// Links as the hub's addresses; in some worlds those of files, too.
pub fn rules(files: bool) -> LinkRules {
    LinkRules {
        page_url: PageUrl::parse(&format!("{PAGES}{{page_id}}")).ok(),
        asset_url: AssetUrl::parse(&format!("{FILES}{{path}}")).ok().filter(|_| files),
    }
}

impl Link {
    /// A link of this kind to a document.
    pub fn to(way: Way, path: &str) -> Self {
        let to = match way {
            Way::Beside | Way::Place | Way::FromRoot => path.to_owned(),
            Way::Name => name(path).to_owned(),
            Way::End => bare(path).to_owned(),
            Way::Picture => format!("{}.png", bare(path)),
        };
        Self { way, to }
    }

    /// The link that a word of the document at `from` is.
    pub fn read(word: &str, from: &str) -> Option<Self> {
        let inside = |begins: &str, ends: &str| word.strip_prefix(begins)?.strip_suffix(ends);
        if let Some(path) = inside("[a](", "#x)") {
            return Some(Self { way: Way::Place, to: from_root(path, from) });
        }
        if let Some(path) = inside("[a](", ")") {
            return Some(Self { way: Way::Beside, to: from_root(path, from) });
        }
        if let Some(path) = inside("[b](/", ")") {
            return Some(Self { way: Way::FromRoot, to: path.to_owned() });
        }
        if let Some(path) = inside("![c](", ")") {
            return Some(Self { way: Way::Picture, to: from_root(path, from) });
        }
        if let Some(end) = inside("[[", "|see]]") {
            return Some(Self { way: Way::End, to: end.to_owned() });
        }
        inside("[[", "]]").map(|name| Self { way: Way::Name, to: name.to_owned() })
    }

    /// The word for it in the document at `from`.
    pub fn spelled(&self, from: &str) -> String {
        let to = &self.to;
        match self.way {
            Way::Beside => format!("[a]({})", seen_from(to, from)),
            Way::Place => format!("[a]({}#x)", seen_from(to, from)),
            Way::FromRoot => format!("[b](/{to})"),
            Way::Name => format!("[[{to}]]"),
            Way::End => format!("[[{to}|see]]"),
            Way::Picture => format!("![c]({})", seen_from(to, from)),
        }
    }

    /// Whether it means the document at `path`, and how it does once that has moved.
    pub fn moved(&self, path: &str, to: &str) -> Option<Self> {
        (*self == Self::to(self.way, path)).then(|| Self::to(self.way, to))
    }
}

/// What the words of the document at `from` become: `files` are all Markdown files, `page` tells which page a file names.
pub fn rendered(
    body: &str,
    from: &str,
    rules: &LinkRules,
    files: &[String],
    page: &impl Fn(&str) -> Option<String>,
) -> String {
    let becomes = |word: &str| {
        let link = Link::read(word, from)?;
        let at = |path: &str| files.iter().any(|file| file == path).then(|| page(path)).flatten();
        let named = |to: &str| at(&found(to, files)?);
        let to = &link.to;
        Some(match link.way {
            Way::Beside => format!("[a]({PAGES}{})", at(to)?),
            Way::Place => format!("[a]({PAGES}{}#x)", at(to)?),
            Way::FromRoot => format!("[b]({PAGES}{})", at(to)?),
            Way::Name => format!("[{to}]({PAGES}{})", named(to)?),
            Way::End => format!("[see]({PAGES}{})", named(to)?),
            Way::Picture if to.starts_with("../") => return None,
            Way::Picture => rules.asset_url.as_ref().map(|_| format!("![c]({FILES}{to})"))?,
        })
    };
    let word = |word: &str| {
        let (bare, rest) = word.split_at(word.trim_end().len());
        becomes(bare).filter(|_| rules.page_url.is_some()).unwrap_or_else(|| bare.to_owned()) + rest
    };
    body.split_inclusive([' ', '\n']).map(word).collect()
}

/// The file that is called so: by its whole path first, then if it is the only one of this end.
fn found(end: &str, files: &[String]) -> Option<String> {
    let whole = format!("{end}.md");
    let all: Vec<&String> =
        files.iter().filter(|file| **file == whole || file.ends_with(&format!("/{whole}"))).collect();
    match all.as_slice() {
        [one] => Some((*one).clone()),
        _ => all.into_iter().find(|file| **file == whole).cloned(),
    }
}

fn bare(path: &str) -> &str {
    path.strip_suffix(".md").unwrap_or(path)
}

fn name(path: &str) -> &str {
    bare(path.rsplit('/').next().unwrap_or(path))
}

/// Documents lie in the root or in one folder of it.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..=end])
}

/// What leads out of the root keeps its `../`, and nothing is there.
fn from_root(written: &str, from: &str) -> String {
    let above = written.strip_prefix("../").filter(|_| !folder(from).is_empty());
    above.map_or_else(|| format!("{}{written}", folder(from)), str::to_owned)
}

fn seen_from(to: &str, from: &str) -> String {
    match folder(from) {
        "" => to.to_owned(),
        folder => to.strip_prefix(folder).map_or_else(|| format!("../{to}"), str::to_owned),
    }
}

#[test]
fn every_link_is_read_as_it_was_written() {
    for way in [Way::Beside, Way::Place, Way::FromRoot, Way::Name, Way::End, Way::Picture] {
        for (from, to) in [("a.md", "moved/b.md"), ("moved/a.md", "b.md"), ("moved/a.md", "moved/b.md")] {
            let link = Link::to(way, to);
            assert_eq!(Link::read(&link.spelled(from), from), Some(link));
        }
    }
    assert_eq!(Link::read("`[a](b.md)`", "a.md"), None);
}
