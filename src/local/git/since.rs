//! What documents said at a revision, and what they said since: all that `sync --since` has in place of a state.
//!
//! Asks `git` alone, and writes nothing. A document concerns the run if its file differs from the revision's, if it was
//! touched by a commit since (an earlier run may have published that), or if it is new. Blocking.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::links::{Around, Holds, LinkMap};
use crate::document::{self, MAX_BYTES, Reading};
use crate::engine::settled::{History, Settled};
use crate::local::git::ask::{self, AskError};
use crate::local::git::repository::Repository;
use crate::page::{Authored, DocPath, PageId};
use crate::policy::Rules;

/// So many objects are asked for at once: what they hold is read and dropped again.
const AT_ONCE: usize = 256;

/// So many earlier texts of a document count (contract.md, Which side wins).
const TEXTS: usize = 20;

/// Why a run can't start from a revision: cause and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinceError {
    /// The root lies in no repository.
    #[error(
        "--since needs a git checkout, and {0} lies in none; without one use `hubsync sync` with a state that is kept"
    )]
    NoRepository(String),
    /// There is no such revision.
    #[error(
        "there is no revision `{0}` here; name a commit, a tag or a branch of this repository (where the marker is not there \
             yet, begin with `hubsync sync`)"
    )]
    Unknown(String),
    /// There is none in what was fetched.
    #[error(
        "there is no revision `{0}` in this shallow clone: fetch more of the history (`git fetch --unshallow`, \
             `fetch-depth: 0` in GitHub Actions, `GIT_DEPTH: 0` in GitLab CI)"
    )]
    CutOff(String),
    /// The revision's texts were not fetched.
    #[error("this clone lacks texts of `{0}`: it was cloned in part (`--filter`); clone it whole")]
    Partial(String),
    /// Git gave no answer.
    #[error("--since asks git: {0}")]
    Git(#[from] AskError),
}

/// What is known of a folder since a revision.
#[derive(Clone, Debug)]
pub struct Since {
    /// The commit that was checked out meanwhile.
    head: Option<String>,
    /// Paths that differ from the revision, or were touched since.
    changed: BTreeSet<PathBuf>,
    /// Paths that the revision has; of a submodule its folder.
    there: BTreeSet<PathBuf>,
    histories: Vec<History>,
}

/// Reads what documents under `root` (without links in its path) said at `revision`.
///
/// # Errors
/// Where git can't tell.
pub fn read(
    root: &Path,
    revision: &str,
    rules: &Rules,
    is_document: impl Fn(&Path) -> bool,
) -> Result<Since, SinceError> {
    let repository =
        Repository::around(root).ok().flatten().ok_or_else(|| SinceError::NoRepository(root.display().to_string()))?;
    let commit = commit(root, &repository, revision)?;
    let at_commit = tree(root, &commit)?;
    let differs = ask::bytes(
        root,
        &[
            "diff-index",
            "-r",
            "-z",
            "--no-renames",
            "--name-only",
            "--relative",
            "--ignore-submodules=dirty",
            &commit,
            "--",
            ".",
        ],
    )?;
    let log = log(root, &commit)?;
    let changed: BTreeSet<PathBuf> =
        fields(&differs).map(path_of).chain(log.iter().map(|(path, _)| path.clone())).collect();
    // What they said at the revision, then what they said since, the oldest first.
    let is_changed = |path: &&PathBuf| is_document(path) && changed.contains(*path);
    let then = blobs(&at_commit, is_changed);
    let since: Vec<(PathBuf, String)> = recent(&log).into_iter().filter(|(path, _)| is_document(path)).collect();
    let links = if rules.links.are_off() {
        Pointing::default()
    } else {
        let documents = blobs(&at_commit, |path| is_document(path));
        let others = at_commit.keys().filter(|path| !is_document(path)).cloned().collect();
        let gone = gone(&log);
        let past = Past { documents, others, since: since.clone(), gone };
        Pointing::read(root, rules, past, &changed)?.ok_or_else(|| SinceError::Partial(revision.to_owned()))?
    };
    let then = [then, blobs(&at_commit, |path| !changed.contains(*path) && links.followers.contains(*path))].concat();
    let mut said: BTreeMap<PageId, (PathBuf, Authored)> = BTreeMap::new();
    for (path, blob) in objects(root, then, rules, &links.then)? {
        match blob {
            Blob::Document(Told { page, authored, .. }) => drop(said.insert(page, (path, authored))),
            Blob::Other => {}
            Blob::Missing => return Err(SinceError::Partial(revision.to_owned())),
        }
    }
    let mut had: BTreeMap<PageId, (PathBuf, Vec<Authored>)> = BTreeMap::new();
    // Where its links led when an earlier run published a text, nobody knows: at the revision or as now.
    let maps = if links.then == links.now { vec![&links.now] } else { vec![&links.then, &links.now] };
    for map in maps {
        for (path, blob) in objects(root, since.clone(), rules, map)? {
            if let Blob::Document(Told { page, authored, .. }) = blob {
                had.entry(page).or_insert_with(|| (path, Vec::new())).1.push(authored);
            }
        }
    }
    let there = at_commit.into_keys().collect();
    Ok(Since { head: head(root)?, changed, there, histories: histories(said, had) })
}

impl Since {
    /// Whether a finding of the folder concerns the run.
    pub fn concerns(&self, settled: &Settled) -> bool {
        match settled {
            Settled::Emptied { .. } => true,
            Settled::StillGone { id } => self.histories.iter().any(|history| history.id == *id),
            Settled::Page { id, path, .. } => {
                self.is_changed(path) || self.histories.iter().any(|history| history.id == *id)
            }
            Settled::Loose { path, .. } | Settled::Newborn { path, .. } | Settled::LooseGone { path } => {
                self.is_changed(path)
            }
        }
    }

    fn is_changed(&self, path: &DocPath) -> bool {
        let path = path.as_path();
        let is = |paths: &BTreeSet<PathBuf>| path.ancestors().any(|above| paths.contains(above));
        is(&self.changed) || !is(&self.there)
    }

    /// What documents said before.
    pub fn histories(&self) -> &[History] {
        &self.histories
    }

    /// Whether another commit is checked out by now.
    pub fn has_moved(&self, root: &Path) -> Result<bool, SinceError> {
        Ok(head(root)? != self.head)
    }
}

fn head(root: &Path) -> Result<Option<String>, SinceError> {
    Ok(ask::line(root, &["rev-parse", "-q", "--verify", "HEAD^{commit}"])?)
}

/// The commit that a revision names.
fn commit(root: &Path, repository: &Repository, revision: &str) -> Result<String, SinceError> {
    let named = format!("{revision}^{{commit}}");
    let unknown = || {
        let revision = revision.to_owned();
        if repository.is_shallow() { SinceError::CutOff(revision) } else { SinceError::Unknown(revision) }
    };
    match ask::line(root, &["rev-parse", "-q", "--verify", "--end-of-options", &named]) {
        Ok(Some(commit)) => Ok(commit),
        Ok(None) => Err(unknown()),
        // Of a number that could be a commit git says more.
        Err(AskError::Refused(words)) if !words.contains("ownership") => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}

/// What the revision has at a path.
enum Object {
    Blob(String),
    Submodule,
}

impl Object {
    fn blob(&self) -> Option<String> {
        match self {
            Self::Blob(id) => Some(id.clone()),
            Self::Submodule => None,
        }
    }
}

/// What the revision has under the root.
fn tree(root: &Path, commit: &str) -> Result<BTreeMap<PathBuf, Object>, SinceError> {
    let listed = ask::bytes(root, &["ls-tree", "-r", "-z", commit])?;
    Ok(fields(&listed).filter_map(tree_line).collect())
}

/// `mode kind id<TAB>path`.
fn tree_line(line: &[u8]) -> Option<(PathBuf, Object)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ').skip(1);
    let object = match words.next()? {
        "commit" => Object::Submodule,
        _ => Object::Blob(words.next()?.to_owned()),
    };
    Some((path_of(&line[tab + 1..]), object))
}

/// What commits since the revision made of paths under the root, the newest first.
fn log(root: &Path, commit: &str) -> Result<Vec<(PathBuf, String)>, SinceError> {
    if head(root)?.is_none() {
        return Ok(Vec::new());
    }
    let range = format!("{commit}..HEAD");
    let said = ask::bytes(
        root,
        &[
            "log",
            "--first-parent",
            "-m",
            "--raw",
            "-z",
            "--no-renames",
            "--no-abbrev",
            "--no-ext-diff",
            "--format=",
            "--relative",
            "--ignore-submodules=all",
            &range,
            "--",
            ".",
        ],
    )?;
    Ok(log_lines(&said))
}

/// `:mode mode old new letter NUL path NUL`, one after the other; the new object is all zeros where the file went.
fn log_lines(said: &[u8]) -> Vec<(PathBuf, String)> {
    let mut lines = Vec::new();
    let mut fields = fields(said);
    while let Some(field) = fields.next() {
        let text = String::from_utf8_lossy(field);
        let Some(change) = text.trim_start().strip_prefix(':') else { continue };
        let (Some(new), Some(path)) = (change.split(' ').nth(3), fields.next()) else { continue };
        lines.push((path_of(path), new.to_owned()));
    }
    lines
}

/// The newest texts of each path, the oldest first.
fn recent(log: &[(PathBuf, String)]) -> Vec<(PathBuf, String)> {
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut recent: Vec<(PathBuf, String)> = log
        .iter()
        .filter(|(path, id)| {
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count <= TEXTS && is_there(id)
        })
        .cloned()
        .collect();
    recent.reverse();
    recent
}

/// Whether a change left an object: a deletion leaves none.
fn is_there(id: &str) -> bool {
    id.bytes().any(|byte| byte != b'0')
}

/// Paths of a tree with the objects that lie there.
fn blobs(tree: &BTreeMap<PathBuf, Object>, wanted: impl Fn(&&PathBuf) -> bool) -> Vec<(PathBuf, String)> {
    let wanted = tree.iter().filter(|(path, _)| wanted(path));
    wanted.filter_map(|(path, object)| Some((path.clone(), object.blob()?))).collect()
}

/// What links of documents rest on: paths, most with their objects.
struct Past {
    /// Documents at the revision, and all else.
    documents: Vec<(PathBuf, String)>,
    others: Vec<PathBuf>,
    /// What documents were since, the oldest first, and which went.
    since: Vec<(PathBuf, String)>,
    gone: Vec<PathBuf>,
}

/// Paths that the last commit about them took away; `log` has the newest first.
fn gone(log: &[(PathBuf, String)]) -> Vec<PathBuf> {
    let mut told = BTreeSet::new();
    log.iter().filter(|(path, id)| told.insert(path) && !is_there(id)).map(|(path, _)| path.clone()).collect()
}

/// Where links led, and whose lead elsewhere since.
#[derive(Debug, Default)]
struct Pointing {
    /// At the revision.
    then: Arc<LinkMap>,
    /// By the last commit.
    now: Arc<LinkMap>,
    /// Documents that point to one that was changed since.
    followers: BTreeSet<PathBuf>,
}

impl Pointing {
    /// Reads every document of the revision once, as any of them may point to one that was `changed`; `None` where one is not
    /// in this clone.
    fn read(root: &Path, rules: &Rules, past: Past, changed: &BTreeSet<PathBuf>) -> Result<Option<Self>, SinceError> {
        let nothing = Arc::new(LinkMap::default());
        let (mut then, mut users) = (LinkMap::default(), Vec::new());
        for (path, blob) in objects(root, past.documents, rules, &nothing)? {
            let Some(at) = DocPath::new(&path) else { continue };
            match blob {
                Blob::Document(Told { page, names, .. }) => {
                    let _ = then.put(&at, Holds::Page(page));
                    users.push((path, names));
                }
                Blob::Other => drop(then.put(&at, Holds::NoPage)),
                Blob::Missing => return Ok(None),
            }
        }
        for path in past.others {
            let _ = DocPath::new(path).and_then(|at| then.put(&at, Holds::Other));
        }
        let mut now = then.clone();
        for (path, blob) in objects(root, past.since, rules, &nothing)? {
            let holds = if let Blob::Document(Told { page, .. }) = blob { Holds::Page(page) } else { Holds::NoPage };
            let _ = DocPath::new(path).and_then(|at| now.put(&at, holds));
        }
        for path in past.gone {
            let _ = DocPath::new(path).and_then(|at| now.remove(&at));
        }
        let mut names = LinkMap::default();
        let names: BTreeSet<String> =
            changed.iter().filter_map(|path| names.put(&DocPath::new(path)?, Holds::NoPage)).collect();
        let follows = |used: &BTreeSet<String>| !used.is_disjoint(&names);
        let followers = users.into_iter().filter(|(_, used)| follows(used)).map(|(path, _)| path).collect();
        Ok(Some(Self { then: Arc::new(then), now: Arc::new(now), followers }))
    }
}

fn histories(
    mut said: BTreeMap<PageId, (PathBuf, Authored)>,
    mut had: BTreeMap<PageId, (PathBuf, Vec<Authored>)>,
) -> Vec<History> {
    let pages: BTreeSet<PageId> = said.keys().chain(had.keys()).cloned().collect();
    let history = |id: PageId| {
        let (then, since) = (said.remove(&id), had.remove(&id));
        let at = then.as_ref().map(|(path, _)| path).or(since.as_ref().map(|(path, _)| path))?;
        let path = DocPath::new(at)?;
        let said = then.map(|(_, said)| said);
        let mut had = since.map(|(_, had)| had).unwrap_or_default();
        had.retain(|had| said.as_ref().is_none_or(|said| (&said.title, said.body) != (&had.title, had.body)));
        Some(History { id, path, said, had })
    };
    pages.into_iter().filter_map(history).collect()
}

/// What a document said.
#[derive(Debug)]
struct Told {
    page: PageId,
    authored: Authored,
    /// The names that it points to.
    names: BTreeSet<String>,
}

/// What an object is to hubsync.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are documents")]
enum Blob {
    Document(Told),
    Other,
    /// Not in this clone.
    Missing,
}

/// Reads objects, in their order, with links as the map says.
fn objects(
    root: &Path,
    asked: Vec<(PathBuf, String)>,
    rules: &Rules,
    map: &Arc<LinkMap>,
) -> Result<Vec<(PathBuf, Blob)>, SinceError> {
    let mut found = Vec::with_capacity(asked.len());
    for some in asked.chunks(AT_ONCE) {
        let mut stdin = tempfile::tempfile().map_err(|error| AskError::NotStarted(error.to_string()))?;
        let lines: String = some.iter().map(|(_, id)| format!("{id}\n")).collect();
        let written = stdin.write_all(lines.as_bytes()).and_then(|()| stdin.rewind());
        written.map_err(|error| AskError::NotStarted(error.to_string()))?;
        let (rules, map) = (rules.clone(), map.clone());
        let paths: Vec<PathBuf> = some.iter().map(|(path, _)| path.clone()).collect();
        let take = move |mut out: BufReader<_>| {
            paths.iter().map(|path| blob(&mut out, &rules, path, &map)).collect::<io::Result<Vec<_>>>()
        };
        let blobs = ask::answers(root, &["cat-file", "--batch"], stdin, take)?;
        found.extend(some.iter().map(|(path, _)| path.clone()).zip(blobs));
    }
    Ok(found)
}

/// One answer of `cat-file --batch`: `id kind size`, the bytes, a line's end; or `id missing`.
fn blob(out: &mut impl BufRead, rules: &Rules, path: &Path, map: &LinkMap) -> io::Result<Blob> {
    let mut line = String::new();
    out.read_line(&mut line)?;
    let mut words = line.split_whitespace().skip(1);
    let size = match (words.next(), words.next().map(str::parse::<u64>)) {
        (Some("blob"), Some(Ok(size))) => size,
        (Some(_), Some(Ok(size))) => {
            io::copy(&mut out.take(size + 1), &mut io::sink())?;
            return Ok(Blob::Other);
        }
        (Some("missing"), _) => return Ok(Blob::Missing),
        _ => return Err(io::Error::other("an answer of another shape")),
    };
    if size > MAX_BYTES {
        io::copy(&mut out.take(size + 1), &mut io::sink())?;
        return Ok(Blob::Other);
    }
    let mut bytes = Vec::new();
    out.take(size).read_to_end(&mut bytes)?;
    io::copy(&mut out.take(1), &mut io::sink())?;
    let Some(path) = DocPath::new(path) else { return Ok(Blob::Other) };
    let parsed = document::parse_among(&bytes, rules, Around { path: &path, map });
    Ok(match parsed.reading {
        Reading::Document { page_id: Some(page), authored, .. } => {
            Blob::Document(Told { page, authored, names: parsed.targets.names() })
        }
        _ => Blob::Other,
    })
}

fn fields(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0).filter(|field| !field.is_empty())
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn the_log_is_read_whatever_the_paths() {
        let said = b":100644 100644 aa bb M\0a b.md\0\0:000000 100644 00 cc A\0:odd.md\0:100644 000000 aa 00 D\0c.md\0";
        let lines: Vec<(PathBuf, String)> =
            [("a b.md", "bb"), (":odd.md", "cc"), ("c.md", "00")].map(|(p, id)| (p.into(), id.into())).into();
        assert_eq!(log_lines(said), lines);
        let texts = recent(&lines);
        assert_eq!(texts, [(":odd.md".into(), "cc".into()), ("a b.md".into(), "bb".into())]);
    }

    #[test]
    fn objects_are_read_one_after_the_other() {
        let text = "---\npage_id: A\n---\nbody\n";
        let said = format!("x blob {}\n{text}\ny missing\nz tree 3\nabc\nw blob 1\n.\n", text.len());
        let mut out = BufReader::new(said.as_bytes());
        let rules = Policy::default().rules;
        let map = LinkMap::default();
        let mut next = || blob(&mut out, &rules, Path::new("a.md"), &map);
        assert!(matches!(next().unwrap(), Blob::Document(told) if told.page.as_str() == "A"));
        assert!(matches!(next().unwrap(), Blob::Missing));
        assert!(matches!(next().unwrap(), Blob::Other));
        assert!(matches!(next().unwrap(), Blob::Other));
        assert!(next().is_err(), "the end");
    }
}
