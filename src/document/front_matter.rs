//! The keys of ours in front matter: what they say, and all that is wrong with them.
//!
//! An error is noted and reading goes on, so that all findings of a file are told at once. What each value may be is the
//! subject of `value`.

use crate::page::{Named, PageId, Status};
use crate::reason::Code;

use super::diagnostic::{DiagnosticCode, Findings, shown};
use super::key::Key;
use super::value::{Reader, Title, Visibility};
use super::yaml::{self, Entry, Kind, Node, Tree};
use super::yaml_hint::{self, quoted};
use super::{near_miss, salvage, word};

/// What the front matter says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FrontMatter {
    pub(super) page_id: Option<PageId>,
    pub(super) title: Title,
    pub(super) status: Option<Status>,
    pub(super) visibility: Visibility,
    pub(super) named: Named,
    /// `sync: false`; or, where there is no page, `private: true` or `publish: false` of other tools.
    pub(super) off: bool,
}

impl FrontMatter {
    /// What can be read of a block that YAML can't be asked about.
    pub(super) fn salvaged(block: &[u8]) -> Self {
        let found = salvage::salvage(block);
        Self { page_id: found.page_id, off: found.off, ..Self::default() }
    }
}

/// Reads a block that begins at `offset` in its file, in its second line.
pub(super) fn read(block: &str, offset: usize, findings: &mut Findings) -> FrontMatter {
    if block.len() > yaml::MAX_BYTES {
        let message = "the front matter is larger than 64 KiB; is the line `---` that closes it missing?";
        findings.error(Code::FrontMatter, offset..offset, message, None);
        return FrontMatter::salvaged(block.as_bytes());
    }
    let tree = yaml::read(block, offset);
    let mut found = Reader { block, offset, findings }.keys(&tree);
    if let Some(fault) = &tree.fault {
        yaml_hint::explain(block, offset, fault, findings);
        let salvaged = salvage::salvage(block.as_bytes());
        found.page_id = found.page_id.or(salvaged.page_id);
        found.off |= salvaged.off;
    }
    found
}

impl Reader<'_> {
    fn keys(&mut self, tree: &Tree) -> FrontMatter {
        let entries = self.ours(tree);
        let value = |key: Key| entries.iter().find(|(k, _)| *k == key).map(|(_, entry)| &entry.value);
        let status = value(Key::Status).and_then(|node| self.status(node));
        let draft = wished(tree, "draft", Wish::Yes);
        if let (Some(flag), Some(Status::Published)) = (draft, status) {
            let message = "`draft: true` contradicts `status: published`, which holds; remove one of the two";
            let place = flag.key.span.start..flag.value.span.end;
            self.findings.warn(DiagnosticCode::DraftContradicts, place, message, None);
        }
        let page_id = self.one_page(&entries);
        let sync = value(Key::Sync).and_then(|node| self.sync(node));
        let twice = entries.iter().filter(|(key, _)| *key == Key::Sync).count() > 1;
        let unwanted = wished(tree, "private", Wish::Yes).or(wished(tree, "publish", Wish::No));
        FrontMatter {
            title: value(Key::Title).map_or(Title::Absent, |node| self.title(node)),
            status: status.or(draft.map(|_| Status::Draft)),
            visibility: value(Key::Visibility).and_then(|node| self.visibility(node)).unwrap_or_default(),
            named: Named {
                folders: value(Key::Folders).and_then(|node| self.list(Key::Folders, node)),
                skills: value(Key::Skills).and_then(|node| self.list(Key::Skills, node)),
                sources: value(Key::Sources).and_then(|node| self.list(Key::Sources, node)),
            },
            off: (sync == Some(false) && !twice)
                || (unwanted.is_some() && value(Key::PageId).is_none_or(Node::is_blank)),
            page_id,
        }
    }

    /// The entries with keys of ours, in order. Notes what is wrong with keys.
    fn ours<'t>(&mut self, tree: &'t Tree) -> Vec<(Key, &'t Entry)> {
        let mut ours = Vec::new();
        let mut others = Vec::new();
        for entry in &tree.entries {
            let Some(name) = entry.key.text() else { continue };
            if let Some(key) = Key::named(name) {
                ours.push((key, entry));
            } else if let (Some(key), Some(hidden)) = (Key::named(&word::cleaned(name)), word::hidden_in(name)) {
                let message = format!("the key {} holds {hidden}; type it again", shown(key.as_str()));
                self.error(entry.key.span.clone(), message, Some(key.as_str().to_owned()));
                ours.push((key, entry));
            } else if name == "<<" {
                let message = "a merge key `<<` could bring keys of hubsync, which follows no aliases; write them out";
                self.error(entry.key.span.clone(), message, None);
            } else {
                others.push((name, entry));
            }
        }
        for (name, entry) in others {
            near_miss::check(entry, name, self.findings);
        }
        self.repeated(&ours);
        self.references(&ours);
        ours
    }

    /// Notes keys that are given twice, with their lines.
    fn repeated(&mut self, ours: &[(Key, &Entry)]) {
        const NAMED: usize = 4;
        for key in Key::ALL {
            let places: Vec<_> = ours.iter().filter(|(k, _)| *k == key).map(|(_, e)| e.key.span.clone()).collect();
            let [_, second, ..] = places.as_slice() else { continue };
            let lines: Vec<String> = places.iter().take(NAMED).map(|p| self.line_of(p.start).to_string()).collect();
            let lines = if places.len() > NAMED {
                format!("{} and others", lines.join(", "))
            } else {
                format!("{} and {}", lines[..lines.len() - 1].join(", "), lines[lines.len() - 1])
            };
            let message = format!("`{}` is given more than once, in lines {lines}; keep one", key.as_str());
            self.error(second.clone(), message, None);
        }
    }

    /// Notes anchors, aliases and tags in keys of ours.
    fn references(&mut self, ours: &[(Key, &Entry)]) {
        for (key, entry) in ours {
            let items = match &entry.value.kind {
                Kind::List(items) => items.as_slice(),
                _ => &[],
            };
            for node in [&entry.key, &entry.value].into_iter().chain(items) {
                let right = self.source(node.span.clone()).map(|text| format!("{}: {}", key.as_str(), quoted(text)));
                if node.anchored || matches!(node.kind, Kind::Alias) {
                    let message = format!(
                        "`{}` uses a YAML alias (`*`) or anchor (`&`), which are not followed; put the text in quotes",
                        key.as_str()
                    );
                    let suggestion = right.filter(|_| matches!(node.kind, Kind::Alias));
                    self.error(node.span.clone(), message, suggestion);
                } else if let Some(tag) = &node.tag {
                    let message = format!("`{}` has the YAML tag {}; put the text in quotes", key.as_str(), shown(tag));
                    self.error(node.span.clone(), message, None);
                }
            }
        }
    }

    /// The one page that all `page_id` keys name.
    fn one_page(&mut self, entries: &[(Key, &Entry)]) -> Option<PageId> {
        let nodes = entries.iter().filter(|(key, entry)| *key == Key::PageId && !entry.value.is_blank());
        let mut ids: Vec<Option<PageId>> = nodes.map(|(_, entry)| self.page_id(&entry.value)).collect();
        ids.dedup();
        if ids.len() == 1 { ids.pop().flatten() } else { None }
    }

    /// The line of a place; the block begins in line 2.
    fn line_of(&self, at: usize) -> usize {
        let before = self.block.as_bytes().get(..at.saturating_sub(self.offset)).unwrap_or_default();
        2 + before.iter().filter(|b| **b == b'\n').count()
    }
}

/// What another tool's switch asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Yes,
    No,
}

/// The entry of another tool's key that asks for this, in any of the ways in which the tools' YAML says so. In doubt a note is
/// private: what was published once can't be taken back.
fn wished<'t>(tree: &'t Tree, key: &str, wish: Wish) -> Option<&'t Entry> {
    let words = match wish {
        Wish::Yes => ["true", "yes", "on"],
        Wish::No => ["false", "no", "off"],
    };
    let says = |entry: &&Entry| {
        let text = entry.value.text().map(str::trim);
        text.is_some_and(|text| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
    };
    tree.entries.iter().filter(|entry| entry.key.text() == Some(key)).find(says)
}
