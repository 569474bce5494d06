//! The place of a trial: a sandbox hub in a thread, a temporary folder, and the binary started in a clean environment.
//!
//! Promises: nothing outside the temporary folder is read or written, nothing but 127.0.0.1 is reached, and no process
//! outlives the trial.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{self, Faults, Hub, LogEntry, Model, Settings, SharedHub, State, colleague};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::Outcome;

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// What the configuration allows to spend.
#[derive(Clone, Copy)]
pub enum Budget {
    /// The real hub's: 60 a minute, 1,000 a day.
    Real,
    /// More than any trial can need.
    Endless,
}

/// A hub, a folder and a configuration.
pub struct Place {
    folder: TempDir,
    base: PathBuf,
    binary: PathBuf,
    hub: SharedHub,
    port: u16,
    server: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

/// A command that has ended.
pub struct Synced {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub report: Value,
    /// How long it took.
    pub took: Duration,
}

/// A process that is killed when this is dropped.
pub struct Running(Child);

/// A place in the hub's log: what comes after it.
#[derive(Clone, Copy)]
pub struct Mark(u64);

impl Place {
    /// An empty hub without limits, served, and an empty folder beside it.
    pub fn new(budget: Budget) -> Outcome<Place> {
        let binary = binary()?;
        let folder = TempDir::with_prefix("hubsync-trial-")?;
        let base = folder.path().canonicalize()?;
        let settings = Settings { per_minute: 0, per_day: 0, ..Settings::default() };
        let hub = SharedHub::new(Hub::new(Model::new(settings), Faults::new(0, Vec::new())));
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let shared = hub.clone();
        let served = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                sandbox::serve(listener, shared, async { drop(stopped.await) }).await
            })
        });
        let place = Place { folder, base, binary, hub, port, server: Some((stop, served)) };
        fs::create_dir(place.root())?;
        place.configure(budget)?;
        Ok(place)
    }

    /// The folder of documents.
    pub fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// The hub, to be looked at or changed.
    pub fn hub(&self) -> std::sync::MutexGuard<'_, Hub> {
        self.hub.lock()
    }

    /// Writes the configuration.
    pub fn configure(&self, budget: Budget) -> Outcome<()> {
        self.configure_with(budget, "")
    }

    /// Writes the configuration, with `more` sections at its end.
    pub fn configure_with(&self, budget: Budget, more: &str) -> Outcome<()> {
        let limits = match budget {
            Budget::Real => "",
            Budget::Endless => "  requests_per_minute: 1000000\n  requests_per_day: 1000000\n",
        };
        let text = format!(
            "root: ./root\nstate: ./state/trial.db\nhub:\n  url: http://127.0.0.1:{}/rest/v1\n{limits}\
             publish:\n  default_status: published\n  on_first_meeting: local\nwatch:\n  debounce: {}ms\n{more}",
            self.port,
            DEBOUNCE.as_millis()
        );
        Ok(fs::write(self.base.join("hubsync.yaml"), text)?)
    }

    /// Sets what goes wrong from now on.
    pub fn misbehave(&self, rules: &[&str]) -> Outcome<()> {
        let rules = rules.iter().map(|rule| rule.parse()).collect::<Result<Vec<_>, _>>()?;
        self.hub().faults = Faults::new(1, rules);
        Ok(())
    }

    /// Changes what the hub holds past every rule, as the JSON that it would save.
    pub fn rewrite(&self, change: impl FnOnce(&mut Value)) -> Outcome<()> {
        let mut hub = self.hub();
        let mut value = serde_json::to_value(hub.model.state())?;
        change(&mut value);
        let state: State = serde_json::from_value(value)?;
        hub.model.set_state(state);
        Ok(())
    }

    /// Where the hub's log ends now.
    pub fn mark(&self) -> Mark {
        Mark(self.hub().model.log().last().map_or(0, |entry| entry.number))
    }

    /// The requests after a mark.
    pub fn since(&self, mark: Mark) -> Vec<LogEntry> {
        self.hub().model.log().iter().filter(|entry| entry.number > mark.0).cloned().collect()
    }

    /// `hubsync sync --json` to its end.
    pub fn sync(&self) -> Outcome<Synced> {
        self.run(&["sync", "--json", "--no-progress", "--max-wait", "24h"])
    }

    /// A command that reports in JSON, to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome<Synced> {
        let name = arguments.join(" ");
        let began = Instant::now();
        let output = self.command(arguments).output()?;
        let took = began.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().ok_or_else(|| format!("`{name}` was ended by a signal: {said}"))?;
        let report = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("`{name}` exited {code} without a report ({error}): {said}"))?;
        Ok(Synced { code, report, took })
    }

    /// A colleague does something in the hub, through the sandbox's endpoints.
    pub fn colleague(&self, target: &str, body: &Value) -> Outcome<()> {
        let request = sandbox::Request {
            method: "POST".to_owned(),
            target: format!("{}{target}", colleague::PREFIX),
            content_type: Some("application/json".to_owned()),
            body: body.to_string().into_bytes(),
            ..sandbox::Request::default()
        };
        let response = colleague::answer(&mut self.hub(), clock(), &request);
        match response.status {
            200..=299 => Ok(()),
            status => Err(format!("the hub answers {status} to {target}: {}", response.value()).into()),
        }
    }

    /// Where replaced texts are kept.
    pub fn backups(&self) -> PathBuf {
        self.base.join("state/trial.db.backups")
    }

    /// `hubsync status --json`.
    pub fn status(&self) -> Outcome<Value> {
        let output = self.command(&["status", "--json", "--all"]).output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts a command that is not waited for. What it says goes to a file in the trial's folder.
    pub fn start(&self, arguments: &[&str]) -> Outcome<Running> {
        let said = File::options().create(true).append(true).open(self.base.join("said.log"))?;
        let child = self.command(arguments).stdout(Stdio::null()).stderr(said).spawn()?;
        Ok(Running(child))
    }

    /// Starts `hubsync run` and waits until it has planned its first scan.
    pub fn daemon(&self) -> Outcome<Running> {
        let daemon = self.start(&["run"])?;
        self.wait("the daemon plans its first scan", || {
            let output = self.command(&["status", "--json"]).output()?;
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            Ok((status["daemon"]["running"] == true).then_some(()))
        })?;
        Ok(daemon)
    }

    /// Waits until something is there; an error after a minute, with what a started command has said last.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            if let Some(found) = look()? {
                return Ok(found);
            }
            thread::sleep(GLANCE);
        }
        let said = fs::read_to_string(self.base.join("said.log")).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        Err(format!("waited for a minute: {what}. hubsync said, last first: {last:#?}").into())
    }

    /// The binary in an environment of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.base).env_clear().stdin(Stdio::null());
        command.env("HOME", &self.base).env("XDG_STATE_HOME", self.base.join("state"));
        command.env("EXEC_API_KEY", &self.hub().model.settings().key);
        command
    }

    /// Ends the hub and removes the folder.
    pub fn close(mut self) -> Outcome<()> {
        if let Some((stop, served)) = self.server.take() {
            drop(stop);
            served.join().map_err(|_| "the sandbox's thread panicked")??;
        }
        Ok(self.folder.close()?)
    }
}

/// How long a file rests before `run` publishes it.
pub const DEBOUNCE: Duration = Duration::from_millis(500);

impl Running {
    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Outcome<bool> {
        Ok(self.0.try_wait()?.is_some())
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

/// The requests that write.
pub fn writes(entries: &[LogEntry]) -> usize {
    entries.iter().filter(|entry| entry.method != "GET").count()
}

/// The requests by method, as `130 PATCH, 6 GET`.
pub fn by_method(entries: &[LogEntry]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for entry in entries {
        *counts.entry(&entry.method).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().rev().map(|(method, count)| format!("{count} {method}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// Whether a request is about this one page.
pub fn is_about(entry: &LogEntry, page: &str) -> bool {
    let path = entry.target.split('?').next().unwrap_or_default();
    Path::new(path).file_name().is_some_and(|name| name == page)
}
