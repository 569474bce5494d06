//! Names to ids: an id, then a slug, then a name; a bare folder name means the top level, else the only one anywhere
//! (contract.md, Front matter). Pure; the tables are read by `engine/` and kept by `state/`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::page::{Ids, ListKind, Lists, Named, Wall};
use crate::reason::{Code, Reason};

/// A folder of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the folder it lies in; `None` at the top level.
    pub parent: Option<String>,
}

/// A skill of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
}

/// A source of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The URL it was taken from.
    pub url: Option<String>,
}

/// The tables of names as last read; `None` where a table was never read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// All folders.
    pub folders: Option<Vec<Folder>>,
    /// All skills.
    pub skills: Option<Vec<Skill>>,
    /// All sources.
    pub sources: Option<Vec<Source>>,
    /// When they were read.
    pub read_at: Option<Wall>,
}

/// Names that could not be turned into ids: which, and what is like them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// What a person should read.
    pub reason: Reason,
}

/// The ids of the lists that a document manages.
///
/// # Errors
/// All names that are unknown or ambiguous, with candidates, in one reason.
pub fn resolve(named: &Named, names: &Names) -> Result<Lists, Unresolved> {
    let mut problems = Vec::new();
    let mut lists = Lists::default();
    for kind in ListKind::ALL {
        let wanted = match kind {
            ListKind::Folders => &named.folders,
            ListKind::Skills => &named.skills,
            ListKind::Sources => &named.sources,
        };
        let Some(wanted) = wanted else { continue };
        let table = names.table(kind);
        let mut ids = Ids::new();
        for name in wanted {
            match find(kind, &tidy(name), &table) {
                Ok(id) => {
                    ids.insert(id);
                }
                Err(problem) => problems.push(problem),
            }
        }
        lists.set(kind, Some(ids));
    }
    match problems.first() {
        None => Ok(lists),
        Some((code, _)) => {
            let words: Vec<&str> = problems.iter().map(|(_, words)| words.as_str()).collect();
            Err(Unresolved { reason: Reason::new(*code, words.join("; ")) })
        }
    }
}

/// How a document names what has this id: by a name that stands for it alone, else by the id itself.
pub fn spelled(kind: ListKind, id: &str, names: &Names) -> String {
    let table = names.table(kind);
    let Some(this) = table.iter().find(|one| one.id == id) else { return id.to_owned() };
    let ways = [&this.name, &this.path];
    let named = ways.into_iter().find(|name| find(kind, name, &table).is_ok_and(|found| found == id));
    named.cloned().unwrap_or_else(|| id.to_owned())
}

/// The tables that a document's names are looked up in.
pub fn kinds(named: &Named) -> Vec<ListKind> {
    let used = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|names| !names.is_empty());
    let mut kinds = Vec::new();
    for (kind, list) in
        [(ListKind::Folders, &named.folders), (ListKind::Skills, &named.skills), (ListKind::Sources, &named.sources)]
    {
        if used(list) {
            kinds.push(kind);
        }
    }
    kinds
}

/// One thing that can be named, with all the names it goes by, the most certain first.
struct Nameable<'a> {
    id: &'a str,
    /// The slug of a skill, the URL of a source.
    second: Option<String>,
    name: String,
    /// The slash path of a folder; the name of anything else.
    path: String,
    top_level: bool,
}

impl Names {
    fn table(&self, kind: ListKind) -> Vec<Nameable<'_>> {
        match kind {
            ListKind::Folders => {
                let folders = self.folders.as_deref().unwrap_or_default();
                let by_id: HashMap<&str, &Folder> = folders.iter().map(|f| (f.id.as_str(), f)).collect();
                let entry = |f: &'_ Folder| (path_of(f, &by_id), f.parent.is_none());
                folders
                    .iter()
                    .map(|f| (f, entry(f)))
                    .map(|(f, (path, top_level))| Nameable {
                        id: &f.id,
                        second: None,
                        name: tidy(&f.name),
                        path,
                        top_level,
                    })
                    .collect()
            }
            ListKind::Skills => {
                self.skills.iter().flatten().map(|s| plain(&s.id, Some(tidy(&s.slug)), &s.name)).collect()
            }
            ListKind::Sources => self.sources.iter().flatten().map(|s| plain(&s.id, s.url.clone(), &s.title)).collect(),
        }
    }
}

fn plain<'a>(id: &'a str, second: Option<String>, name: &str) -> Nameable<'a> {
    Nameable { id, second, name: tidy(name), path: tidy(name), top_level: true }
}

/// The slash path of a folder from the top. Folders that lie in each other end the climb.
fn path_of(folder: &Folder, by_id: &HashMap<&str, &Folder>) -> String {
    let mut names = vec![tidy(&folder.name)];
    let mut at = folder;
    while let Some(parent) = at.parent.as_deref().and_then(|id| by_id.get(id)) {
        if names.len() > by_id.len() {
            break;
        }
        names.push(tidy(&parent.name));
        at = parent;
    }
    names.reverse();
    names.join("/")
}

/// Names are compared trimmed and in NFC, case-sensitive.
fn tidy(name: &str) -> String {
    name.trim().nfc().collect()
}

/// The id that `name` stands for, or why it stands for none.
fn find(kind: ListKind, name: &str, table: &[Nameable<'_>]) -> Result<String, (Code, String)> {
    let is_id = |n: &&Nameable<'_>| n.id == name;
    let is_second = |n: &&Nameable<'_>| n.second.as_deref() == Some(name);
    let is_path = |n: &&Nameable<'_>| n.path == name;
    let is_top = |n: &&Nameable<'_>| n.top_level && n.name == name;
    let is_name = |n: &&Nameable<'_>| n.name == name;
    let ways: [&dyn Fn(&&Nameable<'_>) -> bool; 5] = [&is_id, &is_second, &is_path, &is_top, &is_name];
    let word = match kind {
        ListKind::Folders => "folder",
        ListKind::Skills => "skill",
        ListKind::Sources => "source",
    };
    for way in ways {
        let found: Vec<&Nameable<'_>> = table.iter().filter(|n| way(n)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one.id.to_owned()),
            many => {
                let list: Vec<String> = many.iter().map(|n| format!("{} (id {})", n.path, n.id)).collect();
                return Err((
                    Code::AmbiguousName,
                    format!("{word} \"{name}\" is ambiguous: {}; write the path or the id", list.join(", ")),
                ));
            }
        }
    }
    let candidates = candidates(name, table);
    let hint = match candidates.as_slice() {
        [] if table.is_empty() => format!("the hub has no {word}s"),
        [] => "make it in the hub, or mend the name".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err((Code::UnknownName, format!("the hub has no {word} \"{name}\"; {hint}")))
}

/// Up to three names that are like this one, the nearest first.
fn candidates(name: &str, table: &[Nameable<'_>]) -> Vec<String> {
    let lower = name.to_lowercase();
    let mut near: Vec<(usize, usize, &str)> = table
        .iter()
        .flat_map(|n| [n.path.as_str(), n.name.as_str()].map(|known| (n, known)))
        .map(|(n, known)| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), n.path.len(), n.path.as_str()))
        .filter(|(distance, _, _)| *distance <= (name.chars().count() / 3).max(1))
        .collect();
    near.sort();
    near.dedup_by_key(|(_, _, path)| *path);
    near.into_iter().take(3).map(|(_, _, path)| format!("\"{path}\"")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(id: &str, name: &str, parent: Option<&str>) -> Folder {
        Folder { id: id.into(), name: name.into(), parent: parent.map(str::to_owned) }
    }

    fn names() -> Names {
        Names {
            folders: Some(vec![
                folder("f1", "Sales", None),
                folder("f2", "Objections", Some("f1")),
                folder("f3", "Archive", None),
                folder("f4", "Sales", Some("f3")),
                folder("f5", "Twin", None),
                folder("f6", "Twin", None),
                folder("f7", "Caf\u{e9}", None),
            ]),
            skills: Some(vec![
                Skill { id: "s1".into(), name: "Objection handling".into(), slug: "objection-handling".into() },
                Skill { id: "s2".into(), name: "s1".into(), slug: "other".into() },
            ]),
            sources: Some(vec![Source { id: "q".into(), title: "Deck.pdf".into(), url: Some("https://x/d".into()) }]),
            read_at: None,
        }
    }

    fn folders(wanted: &[&str]) -> Result<Vec<String>, (Code, String)> {
        let named =
            Named { folders: Some(wanted.iter().map(|n| (*n).to_owned()).collect()), skills: None, sources: None };
        resolve(&named, &names())
            .map(|lists| lists.folders.unwrap().into_iter().collect())
            .map_err(|e| (e.reason.code, e.reason.message))
    }

    #[test]
    fn a_folder_is_named_by_id_path_top_level_name_or_only_name() {
        assert_eq!(folders(&["f2"]).unwrap(), ["f2"]);
        assert_eq!(folders(&["Sales/Objections"]).unwrap(), ["f2"]);
        assert_eq!(folders(&["Sales"]).unwrap(), ["f1"], "the top level wins over Archive/Sales");
        assert_eq!(folders(&["Objections"]).unwrap(), ["f2"], "the only one anywhere");
        assert_eq!(folders(&[" Cafe\u{301} "]).unwrap(), ["f7"], "trimmed, NFC");
        assert_eq!(folders(&["Sales", "Sales"]).unwrap(), ["f1"], "a set");
        assert_eq!(folders(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn unknown_and_ambiguous_names_list_candidates() {
        let (code, message) = folders(&["Slaes"]).unwrap_err();
        assert_eq!(code, Code::UnknownName);
        assert!(message.contains("did you mean \"Sales\""), "{message}");
        let (code, message) = folders(&["Twin"]).unwrap_err();
        assert_eq!(code, Code::AmbiguousName);
        assert!(message.contains("f5") && message.contains("f6"), "{message}");
        assert_eq!(folders(&["sales"]).unwrap_err().0, Code::UnknownName, "case-sensitive");
        let (_, message) = folders(&["Nope", "Twin"]).unwrap_err();
        assert!(message.contains("Nope") && message.contains("Twin"), "all problems are told: {message}");
    }

    #[test]
    fn an_id_beats_a_slug_beats_a_name() {
        let named = |skill: &str| Named { skills: Some(vec![skill.into()]), ..Named::default() };
        let id = |skill: &str| resolve(&named(skill), &names()).unwrap().skills.unwrap();
        assert_eq!(id("s1"), Ids::from(["s1".into()]), "the id, not the skill that is called so");
        assert_eq!(id("objection-handling"), id("Objection handling"));
        let named = Named { sources: Some(vec!["https://x/d".into()]), ..Named::default() };
        assert_eq!(resolve(&named, &names()).unwrap().sources.unwrap(), Ids::from(["q".into()]));
    }

    #[test]
    fn folders_that_lie_in_each_other_do_not_hang() {
        let names =
            Names { folders: Some(vec![folder("a", "A", Some("b")), folder("b", "B", Some("a"))]), ..Names::default() };
        let named = Named { folders: Some(vec!["A".into()]), ..Named::default() };
        assert!(resolve(&named, &names).is_ok());
    }
}
