//! The watcher: what the system says was touched under the root, as a bounded set of paths.
//!
//! Events only ever mean "look here": their kinds are not believed, and where any may have been lost everything is looked
//! at. The callback never waits. Events of our own reading are dropped, else a scan would feed the next one.

use std::collections::BTreeSet;
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

    fn is_vanished(error: &notify::Error) -> bool {
        match &error.kind {
            notify::ErrorKind::PathNotFound => true,
            notify::ErrorKind::Io(io) => io.kind() == io::ErrorKind::NotFound,
            _ => false,
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
            // It was gone before it could be watched; its removal is an event of its own.
            Err(error) if WatchProblem::is_vanished(&error) => return,
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
    let is_git = relative.components().any(|component| component.as_os_str() == ".git");
    (!is_git).then(|| relative.to_path_buf())
}

/// A watcher on one folder and all that is in it, for as long as it is kept.
#[derive(Debug)]
pub struct Watch {
    _watcher: Option<RecommendedWatcher>,
    notes: Arc<Notes>,
}

impl Watch {
    /// Watches `root`, which must not be a link (a link is said to be watched, and is not). Where watching fails, wholly or in
    /// part, [`Watch::problem`] says so. Blocks while it walks the folder.
    pub fn new(root: &Path) -> Self {
        let notes = Arc::new(Notes::default());
        let (held, at) = (notes.clone(), root.to_path_buf());
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(move |event| held.take_in(&at, event), config);
        let watched = watcher.as_mut().map_err(|error| WatchProblem::of(error)).and_then(|watcher| {
            watcher.watch(root, RecursiveMode::Recursive).map_err(|error| WatchProblem::of(&error))
        });
        if let Err(problem) = watched {
            notes.with(|pending| pending.problem = Some(problem));
        }
        // Where a part could not be watched, the rest still is.
        let watcher = watcher.ok();
        Self { _watcher: watcher, notes }
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

/// The kind of file system at `path`, if it is one whose changes may come without events: those made by other machines.
#[cfg(target_os = "linux")]
pub fn silent_file_system(path: &Path) -> Option<&'static str> {
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
    // The number's width and sign differ from machine to machine: only the low 32 bits are the kind.
    let kind = rustix::fs::statfs(path).ok()?.f_type as u64 & 0xffff_ffff;
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
