//! The ground of a trial: a temporary folder, and the binary started there in a clean environment.
//!
//! Promises: nothing outside the temporary folder is written, and no process outlives the trial.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(10);
/// How long it is waited for: a minute's budget may have been spent before.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder and a binary.
pub struct Ground {
    folder: TempDir,
    base: PathBuf,
    binary: PathBuf,
}

/// A process that is killed when this is dropped.
pub struct Running(Child);

impl Ground {
    /// An empty folder.
    pub fn new() -> Outcome<Ground> {
        let binary = binary()?;
        let folder = TempDir::with_prefix("hubsync-trial-")?;
        let base = folder.path().canonicalize()?;
        Ok(Ground { folder, base, binary })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// The binary in an environment of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.base).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.base).env("XDG_STATE_HOME", self.base.join("state"));
        command
    }

    /// Starts a command that is not waited for. What it says goes to a file in the folder.
    pub fn start(&self, mut command: Command) -> Outcome<Running> {
        let said = File::options().create(true).append(true).open(self.path("said.log"))?;
        Ok(Running(command.stdout(Stdio::null()).stderr(said).spawn()?))
    }

    /// All that started commands have said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.path("said.log")).unwrap_or_default()
    }

    /// Starts `hubsync run` and waits until it has planned its first scan; `command` adds what it needs to the environment.
    pub fn daemon(&self, command: impl Fn(&[&str]) -> Command) -> Outcome<Running> {
        let daemon = self.start(command(&["run"]))?;
        self.wait("the daemon plans its first scan", || {
            let output = command(&["status", "--json"]).output()?;
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            Ok((status["daemon"]["running"] == true).then_some(()))
        })?;
        Ok(daemon)
    }

    /// Waits until something is there; an error after two minutes, with what a started command has said last.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(found) = look()? {
                return Ok(found);
            }
            thread::sleep(GLANCE);
        }
        let said = self.said();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        Err(format!("waited for two minutes: {what}. hubsync said, last first: {last:#?}").into())
    }

    /// Removes the folder.
    pub fn close(self) -> Outcome<()> {
        Ok(self.folder.close()?)
    }
}

impl Running {
    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Outcome<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Outcome<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// Asks it to stop; its exit code.
    pub fn stop(mut self) -> Outcome<Option<i32>> {
        self.signal(Signal::TERM)?;
        Ok(self.0.wait()?.code())
    }

    /// Sends SIGKILL; false where it had ended before.
    pub fn kill(mut self) -> Outcome<bool> {
        let before = self.0.try_wait()?;
        self.0.kill()?;
        self.0.wait()?;
        Ok(before.is_none())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary that lies beside the examples, or the one that `HUBSYNC` names.
fn binary() -> Outcome<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("hubsync"));
    let binary = std::env::var_os("HUBSYNC").map(PathBuf::from).or_else(beside);
    match binary {
        Some(binary) if binary.is_file() => Ok(binary.canonicalize()?),
        _ => Err("there is no hubsync beside this trial: cargo build --release, or name one by HUBSYNC".into()),
    }
}
