//! Which pages are settled, on which marks, and what that comes to: before anything is asked of the hub.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::cli;
use crate::commands::opening;
use crate::config::Config;
use crate::engine::{Action, PageReport, Summary};
use crate::output::summary::word;
use crate::output::{Lines, Shown};
use crate::page::{DocPath, PageId, Stamp};
use crate::reason::State;
use crate::reconcile::page_record::Keep;

use super::keep;

/// What is to be settled.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub targets: Vec<Target>,
    /// What people should hear of the rest.
    pub remarks: Vec<String>,
    /// Pages that were left out because archiving them was not confirmed.
    pub unconfirmed: usize,
}

/// One page.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub page: PageId,
    pub path: DocPath,
    pub keep: Keep,
    /// Version and stamp that were shown.
    pub marks: (Option<u64>, Stamp),
}

/// Whether a page's document is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    There,
    Gone,
}

/// What one of the paths that were typed stands for.
enum Named {
    Scope(Vec<DocPath>),
    Pattern(GlobSet),
}

impl Named {
    fn of(root: &Path, folder: &Path, path: &PathBuf) -> Result<Self, String> {
        let text = path.to_string_lossy();
        if text.contains(['*', '?', '[', '{']) && !folder.join(path).exists() {
            // Seen from this folder; where that holds the root, or has nothing to do with it, from the root as well.
            let outside =
                !folder.starts_with(root) && root.canonicalize().map_or(true, |real| !folder.starts_with(real));
            let bases = std::iter::once(folder).chain(outside.then_some(root));
            return pattern(bases.map(|base| base.join(path)))
                .map(Self::Pattern)
                .map_err(|error| format!("{text} is no pattern that can be read: {error}"));
        }
        opening::scope(root, folder, std::slice::from_ref(path)).map(Self::Scope)
    }

    fn holds(&self, root: &Path, path: &DocPath) -> bool {
        match self {
            Self::Scope(scope) => path.is_within(scope),
            Self::Pattern(glob) => {
                let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
                glob.is_match(root.join(path.as_path())) || glob.is_match(real.join(path.as_path()))
            }
        }
    }

    /// Whether it names this document itself.
    fn is_just(&self, path: &DocPath) -> bool {
        matches!(self, Self::Scope(scope) if scope.len() == 1 && scope[0] == *path)
    }
}

fn pattern(wholes: impl Iterator<Item = PathBuf>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for whole in wholes {
        set.add(GlobBuilder::new(&whole.to_string_lossy()).literal_separator(true).build()?);
    }
    set.build()
}

/// The pages that wait among those that were named.
pub(super) fn choose(args: &cli::Resolve, summary: &Summary, config: &Config, folder: &Path) -> Result<Chosen, String> {
    let root = &config.root;
    let mut chosen = Chosen::default();
    if args.all {
        summary.pages.iter().for_each(|page| chosen.take(args, page));
        return Ok(chosen);
    }
    let mut taken = BTreeSet::new();
    for path in &args.paths {
        let named = Named::of(root, folder, path)?;
        let held: Vec<&PageReport> = summary.pages.iter().filter(|page| named.holds(root, &page.path)).collect();
        if held.is_empty() {
            let text = path.display();
            return Err(format!(
                "nothing is known of {text}: name a document or folder in the root, as `hubsync status --all` lists them"
            ));
        }
        for page in held {
            if !waits(page) && named.is_just(&page.path) {
                let why = page.reason.as_ref().map(|why| format!(": {}", why.message)).unwrap_or_default();
                let remark = format!("{}: there is nothing to settle ({}{why})", page.path.to_text(), word(page.state));
                chosen.remarks.push(remark);
            }
            if taken.insert(page.path.clone()) {
                chosen.take(args, page);
            }
        }
    }
    Ok(chosen)
}

fn waits(page: &PageReport) -> bool {
    // Of a file that is gone also where its page would be archived next, by the rule.
    let gone = page.state == State::Pending && page.rule.starts_with('F');
    gone || matches!(page.state, State::Conflict | State::Drifted | State::Orphaned)
}

impl Chosen {
    fn take(&mut self, args: &cli::Resolve, page: &PageReport) {
        let (true, Some(id), Some(marks)) = (waits(page), &page.page_id, page.marks) else { return };
        // Rows F are about files that are gone.
        let file = if page.rule.starts_with('F') { File::Gone } else { File::There };
        let keep = keep(args.keep, file);
        if keep == Keep::Archive && !args.confirm_archive {
            self.unconfirmed += 1;
            self.remarks.push(format!(
                "{}: its file is gone, so its page would be archived, which the API can't undo: add --confirm-archive, or take \
                 --keep remote to write the file again",
                page.path.to_text()
            ));
            return;
        }
        self.targets.push(Target { page: id.clone(), path: page.path.clone(), keep, marks });
    }
}

/// What will be done, before it is.
pub(super) fn announce(chosen: &Chosen, summary: &Summary) -> Lines {
    let mut out = Lines::new();
    for target in &chosen.targets {
        let report = summary.pages.iter().find(|page| page.page_id.as_ref() == Some(&target.page));
        let planned = report.and_then(|report| report.planned.as_ref());
        let text = target.path.to_text();
        let path = Shown::new(&text);
        let (version, at) = target.marks;
        let version =
            version.map_or_else(|| "a page never published".to_owned(), |version| format!("version {version}"));
        let of = format!("{version} of {}", at.to_seconds());
        match (target.keep, planned.map(|planned| planned.action)) {
            (Keep::Archive, _) => {
                out.line(format_args!("archiving   the page of {path} ({of}); its text is backed up first"))
            }
            (Keep::Both, _) => {
                out.line(format_args!("writing     {path}: its own text and that of {of}, with conflict markers"))
            }
            (Keep::Remote, _) => {
                out.line(format_args!("writing     {path}: the text of {of}; what it replaces is backed up"))
            }
            (Keep::Local | Keep::Merged, Some(Action::Patch)) => {
                let fields = planned.map(|planned| planned.fields.join(", ")).unwrap_or_default();
                out.line(format_args!("publishing  {path} ({fields}) over {of}; what it replaces is backed up"));
            }
            (Keep::Local | Keep::Merged, _) => {
                out.line(format_args!("publishing  {path} over {of}; what it replaces is backed up"))
            }
        }
    }
    out.append(&cost(chosen));
    out
}

/// What it costs at the most, where nothing else comes between.
pub(super) fn cost(chosen: &Chosen) -> Lines {
    let writes = chosen.targets.iter().filter(|target| matches!(target.keep, Keep::Local | Keep::Archive)).count();
    let gets = chosen.targets.len();
    Lines::of(format_args!(
        "this takes about {} requests: a list, {gets} to look and {writes} to write",
        1 + gets + writes
    ))
}
