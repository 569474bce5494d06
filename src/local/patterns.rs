//! Which files can be documents: the include and exclude patterns, and the names of copies made by editors and sync tools.
//!
//! Patterns are matched against the path relative to the root, without regard to case; `*` stays within one folder.

use std::fmt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Who leaves copies of a document lying beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// An editor or merge tool: a passing file, never spoken of.
    Editor,
    /// A sync tool: it may hold somebody's edit, so it is reported as ignored.
    SyncTool,
}

/// One kind of copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyPattern {
    /// Glob for the file's name alone; case counts.
    pub glob: &'static str,
    /// Whose habit it is, for people.
    pub made_by: &'static str,
    /// What kind of program that is.
    pub maker: Maker,
}

const fn editor(glob: &'static str, made_by: &'static str) -> CopyPattern {
    CopyPattern { glob, made_by, maker: Maker::Editor }
}

const fn sync_tool(glob: &'static str, made_by: &'static str) -> CopyPattern {
    CopyPattern { glob, made_by, maker: Maker::SyncTool }
}

/// What the name of a file begins with that hubsync itself is writing.
pub const OWN_PREFIX: &str = ".hubsync-";
/// What such a name ends with.
pub const OWN_SUFFIX: &str = ".tmp";

/// Names that are never a document's own. Only names that no person gives a file: `plan 2.md` may be iCloud's copy or the
/// second plan, so it is left to the rule for duplicate ids.
pub const COPIES: &[CopyPattern] = &[
    editor("*~", "an editor's backup"),
    editor(".#*", "emacs (a lock)"),
    editor("#*#", "emacs (an unsaved buffer)"),
    editor("*.sw[a-p]", "vim (a swap file)"),
    editor("4913", "vim (a probe)"),
    editor("*___jb_tmp___*", "a JetBrains editor"),
    editor("*___jb_old___*", "a JetBrains editor"),
    editor("~$*", "an office program (a lock)"),
    editor(".hubsync-*.tmp", "hubsync (a file being written)"),
    editor("*_{BACKUP,BASE,LOCAL,REMOTE}_[0-9]*.*", "git mergetool"),
    sync_tool("*conflicted copy*", "Dropbox or Nextcloud"),
    sync_tool("*Conflicted Copy*", "Dropbox"),
    sync_tool("*_conflict-[0-9]*", "ownCloud"),
    sync_tool("*.sync-conflict-*", "Syncthing"),
    sync_tool("*[~.]syncthing[~.]*", "Syncthing"),
    sync_tool("*(SFConflict *", "Seafile"),
    sync_tool("*[[]conflicted[]]*", "pCloud"),
    sync_tool("*.Conflict.*", "Resilio Sync"),
];

/// A pattern of the configuration that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {list} pattern `{pattern}` can't be read: {cause}")]
pub struct PatternError {
    /// `include` or `exclude`.
    pub list: &'static str,
    /// The pattern as it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub cause: String,
}

/// `include`, `exclude` and the built-in names, ready to match.
#[derive(Clone)]
pub struct Patterns {
    include: GlobSet,
    exclude: GlobSet,
    copies: GlobSet,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patterns({} include, {} exclude)", self.include.len(), self.exclude.len())
    }
}

impl Patterns {
    /// Reads the patterns of the configuration. A trailing `/` of an exclude pattern is dropped: a folder that matches is
    /// left out with all that is in it anyway.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, PatternError> {
        let copies: Vec<String> = COPIES.iter().map(|copy| copy.glob.to_owned()).collect();
        let exclude: Vec<String> = exclude.iter().map(|glob| glob.trim_end_matches('/').to_owned()).collect();
        Ok(Self {
            include: set("include", include, Case::Blind)?,
            exclude: set("exclude", &exclude, Case::Blind)?,
            copies: set("built-in", &copies, Case::Counts)?,
        })
    }

    /// Whether a file of this path is asked for.
    pub fn includes(&self, relative: &Path) -> bool {
        self.include.is_match(relative)
    }

    /// Whether a file or folder of this path is left out.
    pub fn excludes(&self, relative: &Path) -> bool {
        self.exclude.is_match(relative)
    }

    /// The kind of copy that this path's file is by its name, if it is one.
    pub fn copy(&self, relative: &Path) -> Option<&'static CopyPattern> {
        let name = relative.file_name()?;
        self.copies.matches(name).first().map(|at| &COPIES[*at])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Counts,
    Blind,
}

fn set(list: &'static str, globs: &[String], case: Case) -> Result<GlobSet, PatternError> {
    let error = |pattern: &str, cause: globset::Error| PatternError {
        list,
        pattern: pattern.to_owned(),
        cause: cause.kind().to_string(),
    };
    let mut builder = GlobSetBuilder::new();
    for pattern in globs {
        let relative = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(relative)
            .literal_separator(true)
            .case_insensitive(case == Case::Blind)
            .build()
            .map_err(|cause| error(pattern, cause))?;
        builder.add(glob);
    }
    builder.build().map_err(|cause| error("", cause))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Patterns {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Patterns::new(&own(include), &own(exclude)).unwrap()
    }

    #[test]
    fn the_ending_is_matched_without_regard_to_case() {
        let p = patterns(&["**/*.md", "**/*.markdown"], &[]);
        for path in ["a.md", "A.MD", "x/y/z.Md", "a.markdown"] {
            assert!(p.includes(Path::new(path)), "{path}");
        }
        assert!(!p.includes(Path::new("a.txt")));
    }

    #[test]
    fn a_star_stays_within_one_folder() {
        let p = patterns(&["Sales/*.md"], &["drafts/"]);
        assert!(p.includes(Path::new("sales/a.md")) && !p.includes(Path::new("sales/q/a.md")));
        assert!(p.excludes(Path::new("drafts")) && !p.excludes(Path::new("x/drafts")));
    }

    #[test]
    fn copies_are_told_from_documents_by_name() {
        let p = patterns(&["**/*.md"], &[]);
        let copies = [
            "a/plan (Jane's conflicted copy 2026-01-01).md",
            "plan (conflicted copy 2026-01-01 120000).md",
            "plan.sync-conflict-20260101-120000-ABCDEFG.md",
            "plan_conflict-20260101-120000.md",
            "plan (SFConflict jane@x.org 2026-01-01).md",
            "plan [conflicted].md",
            "~syncthing~plan.md.tmp",
            "plan.md~",
            ".#plan.md",
            "#plan.md#",
            ".plan.md.swp",
            "4913",
            "plan.md___jb_tmp___",
            "~$plan.md",
            "plan_LOCAL_4711.md",
            &format!("a/{OWN_PREFIX}0123456789abcdef{OWN_SUFFIX}"),
        ];
        for path in copies {
            assert!(p.copy(Path::new(path)).is_some(), "{path}");
        }
        for path in ["plan 2.md", "Copy of plan.md", "conflict.md", "local_2026.md", "swap.md", "#1 plan.md"] {
            assert!(p.copy(Path::new(path)).is_none(), "{path}");
        }
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Patterns::new(&["a/[".to_owned()], &[]).unwrap_err();
        assert_eq!((error.list, error.pattern.as_str()), ("include", "a/["));
    }
}
