//! The gate before a git checkout: while another branch than `git.branch` is checked out, or git is in the middle of
//! something, nothing of the folder is told.
//!
//! It reads git's own files and asks the `git` program only what they don't tell. Nothing of ours is ever written, locked or
//! fetched there, so that no rebase of a person fails because hubsync looks on. For `folder` and `commands/`. Blocking.

mod ask;
mod repository;
pub mod since;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::engine::settled::Checkout;
use crate::local::scan::Stat;
use crate::page::DocPath;
use crate::reason::{Code, Reason};
use repository::{Broken, Head, IndexLock, Repository};

/// How long a lock on the index is waited for: a commit or a `git status` holds it for a moment.
const LOCKED: Duration = Duration::from_secs(1);
/// Between two looks at it.
const BETWEEN: Duration = Duration::from_millis(10);

/// What is asked of the checkout that the root lies in.
#[derive(Debug, Default)]
pub struct Gate {
    kept: Kept,
    sparse: Option<Sparse>,
}

/// Whether the checkout counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kept {
    /// It doesn't: files are only looked at.
    #[default]
    Open,
    /// It must hold still, and be of the branch where one is named.
    Shut {
        /// `git.branch`.
        branch: Option<String>,
        /// What `--branch` says a detached HEAD is.
        detached_is: Option<String>,
    },
}

/// What one look at the checkout found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// What is checked out, and HEAD's stat; two that are equal were the same commit of the same branch all the time.
    head: Option<(Head, Option<Stat>)>,
    /// Why nothing may be told of the folder now.
    pub held: Option<Checkout>,
    /// What a person should hear although all goes on.
    pub remarks: Vec<String>,
}

/// Files that the index holds and that are not checked out, as of one state of the index.
#[derive(Debug)]
struct Sparse {
    index: Option<Stat>,
    root: PathBuf,
    missing: Result<BTreeSet<PathBuf>, String>,
}

/// Known files that aren't there because git was told not to check them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotCheckedOut {
    /// Which, and why they are not gone.
    pub files: BTreeMap<DocPath, Reason>,
    /// What a person should hear.
    pub remarks: Vec<String>,
}

impl Gate {
    /// The gate of `git.branch`; `None` takes every branch.
    pub fn of(branch: Option<String>) -> Self {
        Self { kept: Kept::Shut { branch, detached_is: None }, sparse: None }
    }

    /// The same gate without what it remembers of the index.
    pub fn alone(&self) -> Self {
        Self { kept: self.kept.clone(), sparse: None }
    }

    /// A person says which branch a detached HEAD is (`--branch`).
    pub fn detached_is(&mut self, name: String) {
        if let Kept::Shut { detached_is, .. } = &mut self.kept {
            *detached_is = Some(name);
        }
    }

    /// Looks at the checkout around `root` (without links in its path). Waits a moment for a lock on the index.
    pub fn glance(&self, root: &Path) -> Glance {
        let until = Instant::now() + LOCKED;
        loop {
            match self.glance_at(root, SystemTime::now()) {
                Ok(glance) => return glance,
                Err(Locked) if Instant::now() < until => thread::sleep(BETWEEN),
                Err(Locked) => {
                    let why =
                        "another git is at work here (its index.lock is there); it is published when that has ended";
                    return Glance { head: None, held: Some(Checkout::Busy(why.to_owned())), remarks: Vec::new() };
                }
            }
        }
    }

    fn glance_at(&self, root: &Path, now: SystemTime) -> Result<Glance, Locked> {
        let held = |why| Ok(Glance { head: None, held: Some(why), remarks: Vec::new() });
        let Kept::Shut { branch, detached_is } = &self.kept else { return Ok(Glance::free()) };
        let repository = match Repository::around(root) {
            Ok(repository) => repository,
            Err(Broken(why)) if branch.is_some() => return held(Checkout::Unnamed(why)),
            Err(_) => None,
        };
        let Some(repository) = repository else {
            return Ok(match (branch, detached_is) {
                (Some(branch), said) if said.as_ref() != Some(branch) => {
                    Glance { held: Some(Checkout::Unnamed(no_checkout(branch))), ..Glance::free() }
                }
                _ => Glance::free(),
            });
        };
        if let Some(operation) = repository.operation() {
            let why = format!("{operation} is under way in this checkout; it is published when that has ended");
            return held(Checkout::Busy(why));
        }
        let remarks = match repository.index_lock(now) {
            IndexLock::Free => Vec::new(),
            IndexLock::Held => return Err(Locked),
            IndexLock::Stale => vec![format!(
                "{} is older than 10 minutes: a git has probably crashed; hubsync goes on, but git will not until it is removed",
                repository.index_lock_file().display()
            )],
        };
        let stat = repository.head_stat();
        let head = match repository.head() {
            Ok(head) => head,
            Err(Broken(why)) if branch.is_some() => return held(Checkout::Unnamed(why)),
            Err(Broken(_)) => return Ok(Glance { remarks, ..Glance::free() }),
        };
        let held = branch.as_deref().and_then(|branch| off(branch, detached_is.as_deref(), &head));
        Ok(Glance { head: Some((head, stat)), held, remarks })
    }

    /// Which of these known files, which aren't there, are only not checked out: left out by a sparse checkout or by
    /// `skip-worktree`, or part of a submodule that was not fetched.
    pub fn not_checked_out(&mut self, root: &Path, absent: &BTreeSet<DocPath>) -> NotCheckedOut {
        let none = NotCheckedOut::default();
        if absent.is_empty() || self.kept == Kept::Open {
            return none;
        }
        let Ok(Some(repository)) = Repository::around(root) else { return none };
        let index = fs::metadata(repository.git.join("index")).ok().map(|meta| Stat::of(&meta));
        let known = self.sparse.take().filter(|sparse| sparse.index == index && sparse.root == *root);
        let sparse = known.unwrap_or_else(|| Sparse { index, root: root.to_owned(), missing: left_out(root) });
        let reason = |why: &str| Reason::new(Code::NotCheckedOut, why);
        let mut found = none;
        for path in absent {
            let why = match &sparse.missing {
                Ok(missing) => path.as_path().ancestors().any(|above| missing.contains(above)).then_some(
                    "git has this file, but it is not checked out here (a sparse checkout, `skip-worktree`, or a \
                     submodule that was not fetched); its page is kept as it is",
                ),
                Err(_) => repository
                    .is_sparse()
                    .then_some("this may be a sparse checkout, and git can't be asked; its page is kept as it is"),
            };
            found.files.extend(why.map(|why| (path.clone(), reason(why))));
        }
        if let Err(why) = &sparse.missing {
            found.remarks.push(format!("whether missing files are only not checked out can't be told: {why}"));
        }
        self.sparse = Some(sparse);
        found
    }
}

/// The index is locked.
#[derive(Debug)]
struct Locked;

impl Glance {
    fn free() -> Self {
        Self { head: None, held: None, remarks: Vec::new() }
    }

    /// Whether nothing was checked out between two looks.
    pub fn same_head(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

/// Why a head is not the branch that is published.
fn off(branch: &str, detached_is: Option<&str>, head: &Head) -> Option<Checkout> {
    let wanted = short(branch);
    match (head, detached_is) {
        (Head::Branch { name, .. }, _) if short(name) == wanted => None,
        (Head::Branch { name, .. }, _) => Some(Checkout::OffBranch(format!(
            "`{}` is checked out, and only `{wanted}` is published (git.branch)",
            short(name)
        ))),
        (Head::Detached(_), Some(said)) if short(said) == wanted => None,
        (Head::Detached(_), Some(said)) => Some(Checkout::OffBranch(format!(
            "this is `{}` (--branch), and only `{wanted}` is published (git.branch)",
            short(said)
        ))),
        (Head::Detached(commit), None) => Some(Checkout::Unnamed(format!(
            "HEAD is detached at {}, so nobody knows whether this is `{wanted}` (git.branch): check out the branch, or say \
             which it is with `hubsync sync --branch NAME`",
            commit.get(..12).unwrap_or(commit)
        ))),
    }
}

fn no_checkout(branch: &str) -> String {
    format!(
        "the root lies in no git checkout, so nobody knows whether this is `{}` (git.branch): set git.branch to null, or say \
         which it is with `hubsync sync --branch NAME`",
        short(branch)
    )
}

/// A branch as people name it.
fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or(name)
}

/// What git has in the index of `root`, and was told not to check out; folders of submodules, too.
fn left_out(root: &Path) -> Result<BTreeSet<PathBuf>, String> {
    use std::os::unix::ffi::OsStrExt as _;
    let listed = ask::bytes(root, &["ls-files", "-t", "-s", "-z"]).map_err(|error| error.to_string())?;
    let lines = listed.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    Ok(lines.filter_map(left_out_line).map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path))).collect())
}

/// `S 100644 oid stage<TAB>path` for what is skipped, `H 160000 …` for a submodule.
fn left_out_line(line: &[u8]) -> Option<&[u8]> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (said, path) = (&line[..tab], &line[tab + 1..]);
    (said.starts_with(b"S ") || said.starts_with(b"H 160000 ")).then_some(path)
}

/// The branch that is checked out around a folder, for `init`; `None` where there is none.
pub fn current_branch(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find_map(|above| above.canonicalize().ok())?;
    match Repository::around(&there).ok()??.head().ok()? {
        Head::Branch { name, .. } => Some(short(&name).to_owned()),
        Head::Detached(_) => None,
    }
}

/// Other repositories below a root that lies in one: their files are not part of the checkout.
#[derive(Clone, Debug)]
pub struct Nested(Option<Repository>);

impl Nested {
    /// Seen from a root without links in its path.
    pub fn below(root: &Path) -> Self {
        Self(Repository::around(root).ok().flatten())
    }

    /// Whether `folder` begins another worktree or another repository. A submodule belongs to the checkout.
    pub fn is_foreign(&self, folder: &Path) -> bool {
        let Some(ours) = &self.0 else { return false };
        match Repository::at(folder) {
            Ok(Some(other)) => ours.is_worktree(&other) || !ours.is_submodule(&other),
            Ok(None) => false,
            // A `.git` that leads nowhere: a worktree whose repository was moved.
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(name: &str) -> Head {
        Head::Branch { name: format!("refs/heads/{name}"), commit: None }
    }

    #[test]
    fn only_the_named_branch_is_published() {
        assert_eq!(off("main", None, &branch("main")), None);
        assert_eq!(off("refs/heads/main", None, &branch("main")), None);
        assert_eq!(off("main", Some("main"), &Head::Detached("f".repeat(40))), None);
        assert!(matches!(off("main", None, &branch("team/main")), Some(Checkout::OffBranch(_))));
        assert!(
            matches!(off("main", Some("main"), &branch("other")), Some(Checkout::OffBranch(_))),
            "HEAD knows better"
        );
        assert!(matches!(off("main", Some("v2"), &Head::Detached("f".repeat(40))), Some(Checkout::OffBranch(_))));
        assert!(matches!(off("main", None, &Head::Detached("f".repeat(40))), Some(Checkout::Unnamed(_))));
    }

    #[test]
    fn what_git_does_not_check_out_is_skipped_or_a_submodule() {
        assert_eq!(left_out_line(b"S 100644 abc 0\ta b.md"), Some(&b"a b.md"[..]));
        assert_eq!(left_out_line(b"H 160000 abc 0\tmodule"), Some(&b"module"[..]));
        assert_eq!(left_out_line(b"H 100644 abc 0\tc.md"), None, "a file that was deleted by hand is gone");
        assert_eq!(left_out_line(b"nonsense"), None);
    }
}
