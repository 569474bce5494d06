//! The words by which documents of these schedules point to each other. What each becomes on a page is in `links`.

use hubsync::policy::{AssetUrl, LinkRules, PageUrl};

use crate::links::{FILES, PAGES, from_root, seen_from};

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

fn bare(path: &str) -> &str {
    path.strip_suffix(".md").unwrap_or(path)
}

fn name(path: &str) -> &str {
    bare(path.rsplit('/').next().unwrap_or(path))
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
