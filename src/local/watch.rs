//! The watcher: what the system says was touched under the root, as a bounded set of paths.
//!
//! Events only ever mean "look here": their kinds are not believed, and where any may have been lost everything is looked
//! at. The callback never waits. Events of our own reading are dropped, else a scan would feed the next one.
//!
//! Each folder is watched by itself where the system watches folders: a new one is watched first and walked then, by
//! whoever asks ([`Watch::cover`]), so that nothing falls between the two.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// How many paths are kept before they become [`Touched::Everything`].
pub const CAPACITY: usize = 1_024;

/// What was touched since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These paths, relative to the root.
    Paths(BTreeSet<PathBuf>),
    /// Anything: there were too many, or some were lost.
    Everything,
}

/// Events can't be relied on: cause and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WatchProblem(pub String);

/// How changes of the root are noticed. Shown as a sentence for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Watching {
    /// The system tells of them.
    #[default]
    Told,
    /// All is compared every few seconds, because the configuration says so.
    Asked,
    /// All is compared every few seconds, because events can't be relied on.
    Compared(WatchProblem),
    /// Events can't be relied on, and nothing else may be tried: some changes wait for the next full comparison.
    Late(WatchProblem),
}

impl Watching {
    /// The sentence, where there is something that a person can mend.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Told | Self::Asked => None,
            Self::Compared(_) | Self::Late(_) => Some(self.to_string()),
        }
    }
}

impl fmt::Display for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => f.write_str("changes are told by the system"),
            Self::Asked => f.write_str("changes are looked for every few seconds, as `watch.poll: always` says"),
            Self::Compared(problem) => write!(f, "changes are looked for every few seconds: {problem}"),
            Self::Late(problem) => write!(
                f,
                "some changes may be seen only every `watch.rescan`: {problem}; `watch.poll: never` forbids to look for them \
                 every few seconds"
            ),
        }
    }
}

impl WatchProblem {
    fn of(error: &notify::Error) -> Self {
        const EMFILE: i32 = 24;
        Self(match &error.kind {
            notify::ErrorKind::MaxFilesWatch => {
                "no more folders can be watched: this user's limit is used up; raise it with \
                 `sysctl fs.inotify.max_user_watches=1048576`"
                    .to_owned()
            }
            notify::ErrorKind::Io(io) if io.raw_os_error() == Some(EMFILE) => {
                "no more watchers can be made: this user's limit is used up; raise it with \
                 `sysctl fs.inotify.max_user_instances=1024`, or the limit of open files"
                    .to_owned()
            }
            notify::ErrorKind::Io(io) => format!("the root can't be watched: {io}"),
            _ => format!("the root can't be watched: {error}"),
        })
    }
}

/// What an error of the watcher means.
enum Failure {
    /// The folder is gone again, or nobody may look into it: there is nothing to be told of it. Its folder tells when that
    /// changes.
    Nothing,
    /// The next folder fails for the same reason.
    ForAll,
    /// This folder alone.
    ForOne,
}

impl Failure {
    fn of(error: &notify::Error) -> Self {
        match &error.kind {
            notify::ErrorKind::PathNotFound => Self::Nothing,
            notify::ErrorKind::Io(io)
                if matches!(
                    io.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
                ) =>
            {
                Self::Nothing
            }
            notify::ErrorKind::MaxFilesWatch => Self::ForAll,
            _ => Self::ForOne,
        }
    }
}

/// What the callback leaves for the task.
#[derive(Debug, Default)]
struct Notes {
    pending: Mutex<Pending>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    paths: BTreeSet<PathBuf>,
    overflow: bool,
    problem: Option<WatchProblem>,
}

impl Notes {
    fn with<T>(&self, change: impl FnOnce(&mut Pending) -> T) -> T {
        // A panic elsewhere leaves at worst a path too many.
        change(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, change: impl FnOnce(&mut Pending)) {
        self.with(|pending| {
            change(pending);
            if pending.paths.len() > CAPACITY || pending.paths.contains(Path::new("")) {
                pending.overflow = true;
            }
            if pending.overflow {
                pending.paths.clear();
            }
        });
        self.bell.notify_one();
    }

    /// What one event of the system adds.
    fn take_in(&self, root: &Path, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) if matches!(Failure::of(&error), Failure::Nothing) => return,
            Err(error) => {
                let problem = WatchProblem::of(&error);
                return self.note(|pending| {
                    pending.problem = Some(problem);
                    pending.overflow = true;
                });
            }
        };
        // An event that says that others were lost names no path.
        if event.need_rescan() {
            return self.note(|pending| pending.overflow = true);
        }
        if matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) {
            return;
        }
        let paths: Vec<PathBuf> = event.paths.iter().filter_map(|path| relative(root, path)).collect();
        if !paths.is_empty() {
            self.note(|pending| pending.paths.extend(paths));
        }
    }
}

/// The path under the root; `None` for what is outside, and for git's own files, which change all the time.
fn relative(root: &Path, path: &Path) -> Option<PathBuf> {
    let relative = path.strip_prefix(root).ok()?;
    let is_git = relative.components().any(|component| component.as_os_str() == GIT);
    (!is_git).then(|| relative.to_path_buf())
}

const GIT: &str = ".git";

/// A watcher on one folder and all that is in it, for as long as it is kept.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    /// `None` where the system gave us none.
    watcher: Option<Mutex<RecommendedWatcher>>,
    notes: Arc<Notes>,
}

impl Watch {
    /// Watches `root`, which must not be a link (a link is said to be watched, and is not). Where watching fails, wholly or in
    /// part, [`Watch::problem`] says so. Blocks while it walks the folder.
    pub fn new(root: &Path) -> Self {
        let notes = Arc::new(Notes::default());
        let (held, at) = (notes.clone(), root.to_path_buf());
        let config = Config::default().with_follow_symlinks(false);
        let watcher = match RecommendedWatcher::new(move |event| held.take_in(&at, event), config) {
            Ok(watcher) => Some(Mutex::new(watcher)),
            Err(error) => {
                notes.with(|pending| pending.problem = Some(WatchProblem::of(&error)));
                None
            }
        };
        let watch = Self { root: root.to_path_buf(), watcher, notes };
        watch.add(Path::new(""));
        watch
    }

    /// Whether there is a watcher that covers the root, or can be made to by [`Watch::cover`].
    pub fn is_usable(&self) -> bool {
        self.watcher.is_some() && (FOLDER_BY_FOLDER || self.problem().is_none())
    }

    /// Sees to it that `folder`, relative to the root, and all folders in it are watched; does nothing for what is no folder.
    /// What is put into them after this call is told, so whoever walks them next misses nothing. Blocks while it walks.
    pub fn cover(&self, folder: &Path) {
        // Where whole trees are watched, new folders are in it already.
        if FOLDER_BY_FOLDER {
            self.add(folder);
        }
    }

    fn add(&self, folder: &Path) {
        let Some(watcher) = &self.watcher else { return };
        let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = folder.as_os_str().is_empty();
        let mode = if FOLDER_BY_FOLDER { RecursiveMode::NonRecursive } else { RecursiveMode::Recursive };
        let mut problem = None;
        let mut folders = vec![if whole { self.root.clone() } else { self.root.join(folder) }];
        while let Some(at) = folders.pop() {
            if !whole && !fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_dir()) {
                continue;
            }
            if let Err(error) = watcher.watch(&at, mode) {
                match Failure::of(&error) {
                    Failure::Nothing => continue,
                    Failure::ForOne => problem = Some(WatchProblem::of(&error)),
                    Failure::ForAll => {
                        problem = Some(WatchProblem::of(&error));
                        break;
                    }
                }
            }
            if FOLDER_BY_FOLDER {
                folders.extend(within(&at));
            }
        }
        // A part that is covered says nothing of the others; one that is not has to be looked for from now on.
        if whole {
            self.notes.with(|pending| pending.problem = problem);
        } else if problem.is_some() {
            self.notes.note(|pending| (pending.problem, pending.overflow) = (problem, true));
        }
    }

    /// Waits until something was touched. Nothing is lost where this is dropped meanwhile.
    pub async fn touched(&self) -> Touched {
        loop {
            let taken = self.notes.with(|pending| {
                let paths = std::mem::take(&mut pending.paths);
                let overflow = std::mem::take(&mut pending.overflow);
                if overflow { Some(Touched::Everything) } else { (!paths.is_empty()).then_some(Touched::Paths(paths)) }
            });
            match taken {
                Some(touched) => return touched,
                None => self.notes.bell.notified().await,
            }
        }
    }

    /// Whether nothing was touched that was not taken yet.
    pub fn is_quiet(&self) -> bool {
        self.notes.with(|pending| pending.paths.is_empty() && !pending.overflow)
    }

    /// Why events can't be relied on, if they can't.
    pub fn problem(&self) -> Option<WatchProblem> {
        self.notes.with(|pending| pending.problem.clone())
    }
}

/// How many folders are watched for a root: each takes one of the system's watches.
pub fn folders(root: &Path) -> usize {
    let (mut count, mut folders) = (0, vec![root.to_path_buf()]);
    while let Some(at) = folders.pop() {
        count += 1;
        folders.extend(within(&at));
    }
    count
}

/// Whether the system watches one folder at a time, and not whole trees.
const FOLDER_BY_FOLDER: bool = cfg!(target_os = "linux");

/// The folders in a folder, but for git's own. What can't be listed has none.
fn within(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != GIT);
    folders.map(|entry| entry.path()).collect()
}

/// The kind of file system at `path`, if it is one whose changes may come without events: those made by other machines.
#[cfg(target_os = "linux")]
pub fn silent_file_system(path: &Path) -> Option<&'static str> {
    // The number's width and sign differ from machine to machine: only the low 32 bits are the kind.
    silent_kind(rustix::fs::statfs(path).ok()?.f_type as u64 & 0xffff_ffff)
}

#[cfg(target_os = "linux")]
fn silent_kind(kind: u64) -> Option<&'static str> {
    const KINDS: &[(u64, &str)] = &[
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "FUSE"),
        (0x5346_414f, "AFS"),
        (0x00c3_6400, "Ceph"),
        (0x786f_4256, "VirtualBox shared folders"),
    ];
    KINDS.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

/// The kind of file system at `path`, if it is one whose changes may come without events.
#[cfg(not(target_os = "linux"))]
pub fn silent_file_system(_path: &Path) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use notify::event::{CreateKind, Flag};

    use super::*;

    fn taken(notes: &Notes) -> (Vec<String>, bool) {
        notes.with(|pending| {
            let paths = std::mem::take(&mut pending.paths);
            (paths.iter().map(|p| p.to_string_lossy().into_owned()).collect(), std::mem::take(&mut pending.overflow))
        })
    }

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    #[test]
    fn only_what_may_have_changed_under_the_root_is_noted() {
        let notes = Notes::default();
        let create = EventKind::Create(CreateKind::File);
        for path in ["/root/a.md", "/root/x/b.md", "/elsewhere/c.md", "/root/.git/index", "/root/x/.git/HEAD"] {
            notes.take_in(Path::new("/root"), Ok(event(create, path)));
        }
        for kind in [AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Read), AccessKind::Read] {
            notes.take_in(Path::new("/root"), Ok(event(EventKind::Access(kind), "/root/read.md")));
        }
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        notes.take_in(Path::new("/root"), Ok(event(written, "/root/written.md")));
        assert_eq!(taken(&notes), (vec!["a.md".into(), "written.md".into(), "x/b.md".into()], false));
    }

    #[test]
    fn an_event_that_says_others_were_lost_means_everything() {
        let notes = Notes::default();
        notes.take_in(Path::new("/root"), Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert_eq!(taken(&notes), (vec![], true));
    }

    #[test]
    fn too_many_paths_and_the_root_itself_mean_everything() {
        let notes = Notes::default();
        for n in 0..=CAPACITY {
            notes.take_in(Path::new("/root"), Ok(event(EventKind::Any, &format!("/root/{n}"))));
        }
        assert_eq!(taken(&notes), (vec![], true));
        notes.take_in(Path::new("/root"), Ok(event(EventKind::Any, "/root")));
        assert_eq!(taken(&notes), (vec![], true));
    }

    #[test]
    fn a_used_up_limit_is_named_and_is_no_full_disk() {
        let notes = Notes::default();
        notes.take_in(Path::new("/root"), Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        let problem = notes.with(|pending| pending.problem.clone()).unwrap();
        assert!(problem.0.contains("fs.inotify.max_user_watches"), "{problem}");
        assert!(taken(&notes).1, "what was missed meanwhile is looked for");
        let instances = notify::Error::io(io::Error::from_raw_os_error(24));
        assert!(WatchProblem::of(&instances).0.contains("fs.inotify.max_user_instances"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn file_systems_that_others_write_to_are_known_by_their_kind() {
        for (kind, name) in [(0x6969, "NFS"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB2"), (0x0102_1997, "9p")] {
            assert_eq!(silent_kind(kind), Some(name));
        }
        // ext, btrfs, xfs, tmpfs, overlay.
        for kind in [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x794c_7630] {
            assert_eq!(silent_kind(kind), None, "{kind:x}");
        }
    }

    #[tokio::test]
    async fn a_written_file_is_named_and_a_read_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::write(root.join("read.md"), "x").unwrap();
        let watch = Watch::new(&root);
        assert_eq!(watch.problem(), None);
        fs::read(root.join("read.md")).unwrap();
        fs::write(root.join("written.md"), "x").unwrap();
        let mut seen = BTreeSet::new();
        while !seen.contains(Path::new("written.md")) {
            match watch.touched().await {
                Touched::Paths(paths) => seen.extend(paths),
                Touched::Everything => panic!("nothing was lost"),
            }
        }
        assert!(!seen.contains(Path::new("read.md")));
    }
}
