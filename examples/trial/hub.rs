//! The place of a trial: a sandbox hub in a thread, a configuration and a folder of documents on a ground of its own.
//!
//! Promises: nothing but 127.0.0.1 is reached.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{self, Faults, Hub, LogEntry, Model, Settings, SharedHub, State, colleague};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::Outcome;
use crate::ground::{Ground, Running};

/// In the hub's stamps.
const MINUTE: i64 = 60_000_000;

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
    ground: Ground,
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

/// A place in the hub's log: what comes after it.
#[derive(Clone, Copy)]
pub struct Mark(u64);

impl Place {
    /// An empty hub without limits, served, and an empty folder beside it.
    pub fn new(budget: Budget) -> Outcome<Place> {
        let ground = Ground::new()?;
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
        let place = Place { ground, hub, port, server: Some((stop, served)) };
        fs::create_dir(place.root())?;
        place.configure(budget)?;
        Ok(place)
    }

    /// The folder of documents.
    pub fn root(&self) -> PathBuf {
        self.ground.path("root")
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
        Ok(fs::write(self.ground.path("hubsync.yaml"), text)?)
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
        self.ground.path("state/trial.db.backups")
    }

    /// `hubsync status --json`.
    pub fn status(&self) -> Outcome<Value> {
        let output = self.command(&["status", "--json", "--all"]).output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts a command that is not waited for.
    pub fn start(&self, arguments: &[&str]) -> Outcome<Running> {
        self.ground.start(self.command(arguments))
    }

    /// Starts `hubsync run` and waits until it has planned its first scan.
    pub fn daemon(&self) -> Outcome<Running> {
        self.ground.daemon(|arguments| self.command(arguments))
    }

    /// Waits until something is there.
    pub fn wait<T>(&self, what: &str, look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
        self.ground.wait(what, look)
    }

    /// The binary with the hub's key.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.ground.command(arguments);
        command.env("EXEC_API_KEY", &self.hub().model.settings().key);
        command
    }

    /// Ends the hub and removes the folder.
    pub fn close(mut self) -> Outcome<()> {
        if let Some((stop, served)) = self.server.take() {
            drop(stop);
            served.join().map_err(|_| "the sandbox's thread panicked")??;
        }
        self.ground.close()
    }
}

/// How long a file rests before `run` publishes it.
pub const DEBOUNCE: Duration = Duration::from_millis(500);

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

/// The most requests in any 60 s.
pub fn busiest(requests: &[LogEntry]) -> usize {
    let in_a_minute = |(first, entry): (usize, &LogEntry)| {
        requests[first..].iter().take_while(|later| later.at.0 - entry.at.0 < MINUTE).count()
    };
    requests.iter().enumerate().map(in_a_minute).max().unwrap_or_default()
}

/// The answers by status, as `12 × 200, 1 × 401`; 0 is a request that was never answered.
pub fn by_status(requests: &[LogEntry]) -> String {
    let mut counts = BTreeMap::<u16, usize>::new();
    for entry in requests {
        *counts.entry(entry.status).or_default() += 1;
    }
    counts.iter().map(|(status, count)| format!("{count} × {status}")).collect::<Vec<_>>().join(", ")
}
