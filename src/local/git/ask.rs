//! Asks the `git` program what git's files don't tell: it takes no lock, writes nothing, fetches nothing, runs no hook, asks
//! nobody, never learns the key, and is ended when it takes too long.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::credential::VARIABLE;

/// How long one answer may take: histories can be long, and disks slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// So much of what git says on its error output is kept.
const WORDS: u64 = 4_096;

/// Git's own variables that would make it look at another repository than the one that the folder lies in: a hook sets them.
const ELSEWHERE: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CEILING_DIRECTORIES",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
];

/// Why git gave no answer: cause and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no such program.
    #[error("git is not installed, or not in PATH; install it")]
    NotInstalled,
    /// It can't be started.
    #[error("git can't be started: {0}")]
    NotStarted(String),
    /// It takes too long.
    #[error("git did not answer within {} s; look whether the disk answers", PATIENCE.as_secs())]
    TooSlow,
    /// It said no; its own words. May hold foreign text.
    #[error("git said: {0}")]
    Refused(String),
}

/// The first line of git's answer; `None` where it answers that there is none (by its exit code alone).
pub(super) fn line(folder: &Path, args: &[&str]) -> Result<Option<String>, AskError> {
    match bytes(folder, args) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            Ok(text.lines().next().filter(|line| !line.is_empty()).map(str::to_owned))
        }
        Err(AskError::Refused(words)) if words.is_empty() => Ok(None),
        Err(error) => Err(error),
    }
}

/// All of git's answer.
pub(super) fn bytes(folder: &Path, args: &[&str]) -> Result<Vec<u8>, AskError> {
    read(folder, args, Stdio::null(), |mut out| {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map(|_| bytes)
    })
}

/// Has `take` read git's answer to what `asked` holds.
pub(super) fn answers<T: Send + 'static>(
    folder: &Path,
    args: &[&str],
    asked: File,
    take: impl FnOnce(BufReader<ChildStdout>) -> io::Result<T> + Send + 'static,
) -> Result<T, AskError> {
    read(folder, args, asked.into(), take)
}

fn read<T: Send + 'static>(
    folder: &Path,
    args: &[&str],
    stdin: Stdio,
    take: impl FnOnce(BufReader<ChildStdout>) -> io::Result<T> + Send + 'static,
) -> Result<T, AskError> {
    let deadline = Instant::now() + PATIENCE;
    let mut child = command(folder, args).stdin(stdin).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if folder.is_dir() => AskError::NotInstalled,
        _ => AskError::NotStarted(error.to_string()),
    })?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        end(&mut child);
        return Err(AskError::NotStarted("it has no output".to_owned()));
    };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || drop(tell.send(take(BufReader::new(out)))));
    let (say, said) = mpsc::channel();
    thread::spawn(move || {
        let mut words = Vec::new();
        drop(err.take(WORDS).read_to_end(&mut words));
        drop(say.send(words));
    });
    let answer = told.recv_timeout(PATIENCE);
    let status = match answer {
        Ok(_) => wait_until(&mut child, deadline),
        Err(_) => None,
    };
    let Some(status) = status else {
        end(&mut child);
        return Err(AskError::TooSlow);
    };
    if !status.success() {
        let words = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        return Err(AskError::Refused(String::from_utf8_lossy(&words).trim().replace('\n', " ")));
    }
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(AskError::Refused(format!("something that can't be read ({error})"))),
        Err(_) => Err(AskError::TooSlow),
    }
}

/// Git as it is started: in the folder, without locks, network, hooks, a terminal or a key, in a group of its own.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(["--no-optional-locks", "--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false"]);
    command.args(args.iter().map(OsStr::new)).current_dir(folder).process_group(0);
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1");
    command.env("LC_ALL", "C").env_remove(VARIABLE);
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            _ => return None,
        }
    }
}

/// Ends git with all that it started, and waits for it.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _already_gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _already_gone = child.kill();
    let _no_child = child.wait();
}
