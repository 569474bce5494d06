//! Where git's own files lie and what they say: HEAD, the commit it names, operations in progress. Reads a few small files,
//! writes none, takes no lock.
//!
//! What files can't tell (refs kept in a table) is asked of `git` itself, see [`super::ask`].

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::ask::{self, AskError};
use crate::local::scan::Stat;

/// The repository that a folder lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    /// The top of the checkout.
    pub top: PathBuf,
    /// Git's own folder: of this worktree, where there are several.
    pub git: PathBuf,
    /// What all worktrees share.
    pub common: PathBuf,
}

/// The checkout can't be understood: cause and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(pub String);

/// What is checked out. Two equal heads were the same commit of the same branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A branch.
    Branch {
        /// Its full name: `refs/heads/main`.
        name: String,
        /// Its commit; `None` before the first one.
        commit: Option<String>,
    },
    /// A commit, and no branch.
    Detached(String),
}

/// What git leaves while it is in the middle of something, and how that is called.
const OPERATIONS: &[(&str, &str)] = &[
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or `git am`"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("sequencer", "a series of cherry-picks or reverts"),
    ("BISECT_LOG", "a bisect"),
];

/// An index that is locked for longer belongs to a git that has crashed.
const STALE: Duration = Duration::from_secs(600);

/// `git checkout` names the new branch a moment after it has written the index: for so long after that it counts as at work.
const SETTLES: Duration = Duration::from_millis(200);

/// How the index is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexLock {
    /// It isn't.
    Free,
    /// A git is at work.
    Held,
    /// The lock is older than 10 minutes and untouched.
    Stale,
}

impl Repository {
    /// The repository that `folder` (without links in its path) lies in, if it lies in one.
    pub fn around(folder: &Path) -> Result<Option<Self>, Broken> {
        for top in folder.ancestors() {
            if let Some(found) = Self::at(top)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The repository whose checkout begins at `top`.
    pub fn at(top: &Path) -> Result<Option<Self>, Broken> {
        let marker = top.join(".git");
        let Ok(meta) = fs::metadata(&marker) else { return Ok(None) };
        let git = if meta.is_dir() {
            marker
        } else {
            // A worktree or a submodule: the file says where git's own folder is.
            let text = fs::read_to_string(&marker).unwrap_or_default();
            let Some(named) = text.strip_prefix("gitdir:") else { return Ok(None) };
            top.join(named.trim_end_matches(['\r', '\n']).trim_start())
        };
        match fs::symlink_metadata(git.join("HEAD")) {
            Ok(_) => {}
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let git = git.display();
                return Err(Broken(format!("{git} can't be read ({error}); give this user the right to read it")));
            }
            // A folder of this name is no repository yet.
            Err(_) if meta.is_dir() => return Ok(None),
            Err(_) => {
                return Err(Broken(format!(
                    "{} says that git's own folder is {}, which is not there; mount it too, or mend it with `git worktree repair`",
                    top.join(".git").display(),
                    git.display()
                )));
            }
        }
        let common = match fs::read_to_string(git.join("commondir")) {
            Ok(named) => git.join(named.trim_end_matches(['\r', '\n'])),
            Err(_) => git.clone(),
        };
        Ok(Some(Self { top: top.to_owned(), git, common }))
    }

    /// Whether `other` is another worktree of this repository.
    pub fn is_worktree(&self, other: &Self) -> bool {
        same(&self.common, &other.common)
    }

    /// Whether `other` is a submodule: git's own folder of it lies in ours, as a part of this checkout.
    pub fn is_submodule(&self, other: &Self) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        real(&other.git).starts_with(real(&self.common).join("modules"))
    }

    /// What is checked out.
    pub fn head(&self) -> Result<Head, Broken> {
        let path = self.git.join("HEAD");
        let unreadable = |error: &dyn std::fmt::Display| {
            Broken(format!("{} can't be read ({error}); give this user the right to read it", path.display()))
        };
        let is_link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_symlink());
        if is_link {
            // As git wrote it long ago: the link names the branch.
            let target = fs::read_link(&path).map_err(|error| unreadable(&error))?;
            let name = target.to_string_lossy().into_owned();
            return Ok(Head::Branch { commit: self.commit(&name, 0), name });
        }
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&error))?;
        match Said::of(&text) {
            Said::Table => self.asked_head(),
            Said::Branch(name) => Ok(Head::Branch { commit: self.commit(&name, 0), name }),
            Said::Commit(commit) => Ok(Head::Detached(commit)),
            Said::Nothing => {
                Err(Broken(format!("{} names neither a branch nor a commit; mend it with git", path.display())))
            }
        }
    }

    /// The refs lie in a table that only git reads.
    fn asked_head(&self) -> Result<Head, Broken> {
        let said = |error: AskError| Broken(format!("which branch is checked out only git can tell here: {error}"));
        let commit = ask::line(&self.top, &["rev-parse", "-q", "--verify", "HEAD^{commit}"]).map_err(said)?;
        let name = ask::line(&self.top, &["symbolic-ref", "-q", "HEAD"]).map_err(said)?;
        match (name, commit) {
            (Some(name), commit) => Ok(Head::Branch { name, commit }),
            (None, Some(commit)) => Ok(Head::Detached(commit)),
            (None, None) => Err(Broken("git names neither a branch nor a commit; mend the checkout".to_owned())),
        }
    }

    /// The commit that a ref names. A ref may name another one.
    fn commit(&self, name: &str, depth: u8) -> Option<String> {
        let is_plain = name.starts_with("refs/") && !name.split('/').any(|part| part == "..");
        if !is_plain || depth > 5 {
            return None;
        }
        let loose = [&self.common, &self.git].into_iter().find_map(|folder| fs::read_to_string(folder.join(name)).ok());
        match loose.as_deref().map(Said::of) {
            Some(Said::Commit(commit)) => Some(commit),
            Some(Said::Branch(other)) => self.commit(&other, depth + 1),
            _ => self.packed(name),
        }
    }

    fn packed(&self, name: &str) -> Option<String> {
        let file = fs::File::open(self.common.join("packed-refs")).ok()?;
        BufReader::new(file).split(b'\n').map_while(Result::ok).find_map(|line| {
            let line = std::str::from_utf8(&line).ok()?;
            let (commit, packed) = line.split_once(' ')?;
            (packed == name).then(|| commit.to_owned())
        })
    }

    /// What git is in the middle of, in words.
    pub fn operation(&self) -> Option<&'static str> {
        OPERATIONS.iter().find(|(name, _)| fs::symlink_metadata(self.git.join(name)).is_ok()).map(|(_, words)| *words)
    }

    /// The file that git makes while it changes the index.
    pub fn index_lock_file(&self) -> PathBuf {
        self.git.join("index.lock")
    }

    /// The stat of HEAD: what was checked out and back again left it another one.
    pub fn head_stat(&self) -> Option<Stat> {
        fs::symlink_metadata(self.git.join("HEAD")).ok().map(|meta| Stat::of(&meta))
    }

    /// Whether another git changes the index right now, or did a moment ago.
    pub fn index_lock(&self, now: SystemTime) -> IndexLock {
        let age = |path: &Path| {
            let modified = fs::symlink_metadata(path).map(|meta| meta.modified().ok());
            modified.map(|at| at.and_then(|at| now.duration_since(at).ok()))
        };
        match age(&self.index_lock_file()) {
            Ok(Some(age)) if age > STALE => IndexLock::Stale,
            Ok(_) => IndexLock::Held,
            Err(_) => match age(&self.git.join("index")) {
                Ok(Some(age)) if age < SETTLES => IndexLock::Held,
                _ => IndexLock::Free,
            },
        }
    }

    /// Whether the history was cut when it was fetched.
    pub fn is_shallow(&self) -> bool {
        self.common.join("shallow").exists()
    }

    /// Whether only a part of the tree is checked out on purpose, as far as files tell.
    pub fn is_sparse(&self) -> bool {
        match fs::metadata(self.git.join("info/sparse-checkout")) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }
}

/// What HEAD, or a ref, says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Branch(String),
    Commit(String),
    /// The refs lie in a table (reftable); the file only keeps older programs away.
    Table,
    Nothing,
}

impl Said {
    fn of(text: &str) -> Self {
        let text = text.trim_end();
        match text.strip_prefix("ref:").map(str::trim_start) {
            Some("refs/heads/.invalid") => Self::Table,
            Some(name) if name.starts_with("refs/") => Self::Branch(name.to_owned()),
            Some(_) => Self::Nothing,
            None if text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Self::Commit(text.to_owned())
            }
            None => Self::Nothing,
        }
    }
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn head_is_a_branch_a_commit_a_table_or_nonsense() {
        assert_eq!(Said::of("ref: refs/heads/main\n"), Said::Branch("refs/heads/main".into()));
        assert_eq!(Said::of("ref:\trefs/heads/a/b\r\n"), Said::Branch("refs/heads/a/b".into()));
        assert_eq!(Said::of(&format!("{OID}\n")), Said::Commit(OID.into()));
        assert_eq!(Said::of(&"a".repeat(64)), Said::Commit("a".repeat(64)), "SHA-256");
        assert_eq!(Said::of("ref: refs/heads/.invalid\n"), Said::Table);
        for nonsense in ["", "main", "ref: main", "0123"] {
            assert_eq!(Said::of(nonsense), Said::Nothing, "{nonsense:?}");
        }
    }

    fn bench() -> (tempfile::TempDir, Repository) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".git/refs/heads/team")).unwrap();
        fs::create_dir_all(dir.path().join("docs/deep")).unwrap();
        fs::write(dir.path().join(".git/HEAD"), "ref: refs/heads/team/main\n").unwrap();
        let repository = Repository::around(&dir.path().join("docs/deep")).unwrap().unwrap();
        (dir, repository)
    }

    #[test]
    fn a_branch_has_its_commit_from_its_own_file_else_from_the_packed_refs() {
        let (dir, repository) = bench();
        let head = |commit: Option<&str>| Head::Branch {
            name: "refs/heads/team/main".into(),
            commit: commit.map(str::to_owned),
        };
        assert_eq!(repository.head(), Ok(head(None)), "before the first commit");
        let packed = format!("# pack-refs with: peeled\n{OID} refs/heads/team/main\n^{OID}\n");
        fs::write(dir.path().join(".git/packed-refs"), packed).unwrap();
        assert_eq!(repository.head(), Ok(head(Some(OID))));
        let newer = OID.replace('0', "f");
        fs::write(dir.path().join(".git/refs/heads/team/main"), format!("{newer}\n")).unwrap();
        assert_eq!(repository.head(), Ok(head(Some(&newer))));
        fs::write(dir.path().join(".git/HEAD"), OID).unwrap();
        assert_eq!(repository.head(), Ok(Head::Detached(OID.into())));
        fs::remove_file(dir.path().join(".git/HEAD")).unwrap();
        std::os::unix::fs::symlink("refs/heads/team/main", dir.path().join(".git/HEAD")).unwrap();
        assert_eq!(repository.head(), Ok(head(Some(&newer))), "HEAD as a link");
    }

    #[test]
    fn a_lock_counts_for_ten_minutes() {
        let (dir, repository) = bench();
        assert_eq!(repository.index_lock(SystemTime::now()), IndexLock::Free);
        fs::write(dir.path().join(".git/index.lock"), "").unwrap();
        // By the lock's own time: writing it may have taken long.
        let now = fs::metadata(dir.path().join(".git/index.lock")).unwrap().modified().unwrap();
        assert_eq!(repository.index_lock(now + Duration::from_secs(500)), IndexLock::Held);
        assert_eq!(repository.index_lock(now - Duration::from_secs(5_000)), IndexLock::Held, "another clock");
        assert_eq!(repository.index_lock(now + Duration::from_secs(700)), IndexLock::Stale);
        fs::rename(dir.path().join(".git/index.lock"), dir.path().join(".git/index")).unwrap();
        assert_eq!(repository.index_lock(now), IndexLock::Held, "HEAD follows a moment later");
        assert_eq!(repository.index_lock(now + Duration::from_secs(1)), IndexLock::Free);
    }

    #[test]
    fn a_git_file_that_leads_nowhere_is_told_and_an_empty_git_folder_is_no_repository() {
        let (dir, _) = bench();
        let (worktree, empty) = (dir.path().join("docs/worktree"), dir.path().join("docs/empty"));
        fs::create_dir_all(empty.join(".git")).unwrap();
        assert_eq!(Repository::at(&empty), Ok(None));
        fs::create_dir(&worktree).unwrap();
        fs::write(worktree.join(".git"), "gitdir: /not/here/.git/worktrees/w\n").unwrap();
        assert!(Repository::around(&worktree).unwrap_err().0.contains("/not/here"));
    }
}
