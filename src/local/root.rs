//! The root folder, held open: every file is opened from here, and no link leads out of it (promise 7).
//!
//! A path is opened one component at a time from the open root, following no link. A path that has links in it is resolved
//! first, must lie in the root, and is then opened the same way: whatever is swapped in between, nothing outside is read.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, fsync, mkdirat, open, openat};
use rustix::io::Errno;

/// The root, open.
#[derive(Debug)]
pub struct Root {
    real: PathBuf,
    folder: OwnedFd,
    id: RootId,
}

/// Which folder the root is at the moment: device and inode. A swapped link shows as another id; it proves nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootId {
    dev: u64,
    ino: u64,
}

/// The root isn't there, or can't be used: cause and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RootMissing(pub String);

/// Why a file under the root was not opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The link leads out of the root.
    #[error("the link leads out of the root, to {}", .0.display())]
    Outside(PathBuf),
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Root {
    /// Opens the root. It may be a link itself, to whatever folder it names now.
    pub fn open(path: &Path) -> Result<Self, RootMissing> {
        Self::try_open(path).map_err(|error| {
            let shown = path.display();
            RootMissing(match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("the root {shown} is not there; create or mount it, or correct `root` in the configuration")
                }
                io::ErrorKind::NotADirectory => {
                    format!("the root {shown} is not a folder; correct `root` in the configuration")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("the root {shown} can't be read: {error}; give this user the right to read it")
                }
                _ => format!("the root {shown} can't be read: {error}"),
            })
        })
    }

    fn try_open(path: &Path) -> io::Result<Self> {
        let real = path.canonicalize()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(&real, flags, Mode::empty())?;
        // Opening needs less than listing: only this tells whether there is anything to see.
        std::fs::read_dir(&real)?;
        let stat = rustix::fs::fstat(&folder)?;
        let id = RootId { dev: to_u64(stat.st_dev), ino: to_u64(stat.st_ino) };
        Ok(Self { real, folder, id })
    }

    /// The path of the root without links.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Which folder it is.
    pub fn id(&self) -> RootId {
        self.id
    }

    /// Opens the file at `relative` for reading. Never waits for a pipe's other end.
    pub fn open_file(&self, relative: &Path) -> Result<File, NotOpened> {
        match self.open_plain(relative) {
            Ok(file) => Ok(file),
            // A link on the way: ELOOP where it is the file, ENOTDIR where it is a folder.
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let real = self.real.join(relative).canonicalize()?;
                let Ok(within) = real.strip_prefix(&self.real) else { return Err(NotOpened::Outside(real)) };
                Ok(self.open_plain(within).map_err(io::Error::from)?)
            }
            Err(error) => Err(NotOpened::Io(error.into())),
        }
    }

    /// Opens the folder at `relative`, to write in it; empty: the root itself.
    pub fn open_folder(&self, relative: &Path) -> Result<OwnedFd, NotOpened> {
        self.folder_within(relative, Missing::IsAnError)
    }

    /// The same, with the folders made that are not there yet.
    pub fn make_folder(&self, relative: &Path) -> Result<OwnedFd, NotOpened> {
        self.folder_within(relative, Missing::IsMade)
    }

    fn folder_within(&self, relative: &Path, missing: Missing) -> Result<OwnedFd, NotOpened> {
        match self.folder_plain(relative, missing) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let real = self.real.join(relative).canonicalize()?;
                let Ok(within) = real.strip_prefix(&self.real) else { return Err(NotOpened::Outside(real)) };
                Ok(self.folder_plain(within, missing).map_err(io::Error::from)?)
            }
            other => Ok(other.map_err(io::Error::from)?),
        }
    }

    fn open_plain(&self, relative: &Path) -> Result<File, Errno> {
        let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else { return Err(Errno::ISDIR) };
        let folder = self.folder_plain(parent, Missing::IsAnError)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(File::from(openat(&folder, name, flags, Mode::empty())?))
    }

    fn folder_plain(&self, relative: &Path, missing: Missing) -> Result<OwnedFd, Errno> {
        let mut folder = self.folder.try_clone().map_err(|_| Errno::MFILE)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::DIRECTORY;
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(Errno::INVAL) };
            folder = match openat(&folder, name, flags, Mode::empty()) {
                Err(Errno::NOENT) if missing == Missing::IsMade => {
                    match mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
                        // Somebody else was quicker.
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error),
                    }
                    fsync(&folder)?;
                    openat(&folder, name, flags, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(folder)
    }
}

/// What becomes of a folder that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    IsAnError,
    IsMade,
}

/// Which folder lies at `path` now, following links; `None` where there is none.
pub fn id_at(path: &Path) -> Option<RootId> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some(RootId { dev: meta.dev(), ino: meta.ino() })
}

/// The system's numbers for devices and inodes have another width on each system.
fn to_u64(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn text(root: &Root, path: &str) -> Result<String, NotOpened> {
        let mut out = String::new();
        root.open_file(Path::new(path))?.read_to_string(&mut out)?;
        Ok(out)
    }

    #[test]
    fn links_within_the_root_are_read_and_links_out_of_it_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("root"), dir.path().join("secret.md"));
        fs::create_dir_all(inside.join("a/b")).unwrap();
        fs::write(&outside, "secret").unwrap();
        fs::write(inside.join("a/b/x.md"), "x").unwrap();
        symlink("a/b/x.md", inside.join("relative.md")).unwrap();
        symlink(inside.join("a/b/x.md"), inside.join("absolute.md")).unwrap();
        symlink("a/b", inside.join("folder")).unwrap();
        symlink("../secret.md", inside.join("out.md")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("loop.md", inside.join("loop.md")).unwrap();
        let root = Root::open(&inside).unwrap();
        for path in ["a/b/x.md", "relative.md", "absolute.md", "folder/x.md"] {
            assert_eq!(text(&root, path).unwrap(), "x", "{path}");
        }
        for path in ["out.md", "up/secret.md"] {
            assert!(matches!(text(&root, path), Err(NotOpened::Outside(_))), "{path}");
        }
        for path in ["loop.md", "none.md", "a", "../secret.md"] {
            assert!(text(&root, path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_root_that_is_a_link_is_the_folder_that_it_names_now() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        for rev in ["rev1", "rev2"] {
            fs::create_dir(dir.path().join(rev)).unwrap();
            fs::write(dir.path().join(rev).join("x.md"), rev).unwrap();
        }
        symlink("rev1", &link).unwrap();
        let first = Root::open(&link).unwrap();
        assert_eq!(text(&first, "x.md").unwrap(), "rev1");
        fs::remove_file(&link).unwrap();
        symlink("rev2", &link).unwrap();
        let second = Root::open(&link).unwrap();
        assert_eq!(text(&second, "x.md").unwrap(), "rev2");
        assert_ne!(first.id(), second.id());
        assert_eq!(id_at(&link), Some(second.id()));
        fs::remove_file(&link).unwrap();
        assert!(Root::open(&link).unwrap_err().0.contains("is not there"));
    }

    /// Reads `path` while the link `name` is swapped between what lies inside and what lies outside, until both sides came up
    /// so often that a look which is older than the reading would have shown.
    fn swapped(name: &str, targets: [&str; 2], path: &str) {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("root");
        for (folder, text) in [(inside.join("in"), "good"), (dir.path().join("out"), "secret")] {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("x.md"), text).unwrap();
        }
        symlink(targets[0], inside.join(name)).unwrap();
        let root = Root::open(&inside).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let (mut good, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            let swapper = scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    for target in targets {
                        symlink(target, inside.join("tmp")).unwrap();
                        fs::rename(inside.join("tmp"), inside.join(name)).unwrap();
                    }
                }
            });
            let mut seen = Ok(());
            for _ in 0..400_000 {
                match text(&root, path) {
                    Ok(text) if text != "good" => seen = Err(text),
                    Ok(_) => good += 1,
                    Err(_) => refused += 1,
                }
                if seen.is_err() || (good >= 3_000 && refused >= 3_000) {
                    break;
                }
            }
            // What is asserted must not keep the swapper going.
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            swapper.join().unwrap();
            assert_eq!(seen, Ok(()));
        });
        assert!(good > 0 && refused > 0, "{good} read, {refused} refused: nothing was swapped meanwhile");
    }

    #[test]
    fn a_link_that_is_swapped_all_the_time_never_shows_what_lies_outside() {
        swapped("x.md", ["in/x.md", "../out/x.md"], "x.md");
    }

    #[test]
    fn a_folder_that_is_swapped_all_the_time_never_shows_what_lies_outside() {
        swapped("folder", ["in", "../out"], "folder/x.md");
    }
}
