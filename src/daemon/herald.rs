//! Tells a person by `on_problem`: looks how everything stands, at most once a second and only after something happened, and
//! runs the command for what [`Problems`] says, one call at a time.
//!
//! It promises: a command that hangs, fails or is not there holds up nothing and is logged; it is ended after [`PATIENCE`] or
//! when we stop, with all that it started; it gets no key. What was told is stored, so that a restart tells nothing twice.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::{Config, child};
use crate::daemon::driver::Driver;
use crate::daemon::problems::{Call, Problem, Problems, Scan};
use crate::engine::PageReport;
use crate::engine::change::{HubHealth, HubState};
use crate::engine::settled::RootHealth;
use crate::output::{Lines, Shown};
use crate::page::Wall;
use crate::reason::{Code, Reason, State};
use crate::state::store::Told;

/// How long the command may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at least.
const BETWEEN: Duration = Duration::from_secs(1);
/// A call that sums up lists so many pages at the most; the rest is counted.
const LISTED: usize = 100;
/// So much of what a failing command says is logged, in bytes.
const HEARD: u64 = 2_000;

/// Who tells. Without a command, nobody.
#[derive(Debug)]
pub struct Herald {
    teller: Option<Teller>,
    /// What was told while there is no teller.
    told: Told,
}

#[derive(Debug)]
struct Teller {
    words: Vec<String>,
    folder: PathBuf,
    url: String,
    root: String,
    problems: Problems,
    scan: Scan,
    /// What the state holds of them.
    stored: Told,
    running: Option<JoinHandle<Result<(), String>>>,
    next_look: Instant,
    /// When to turn to it though nothing else happens.
    wake: Option<Instant>,
}

impl Herald {
    /// Tells as the configuration says; `told`: what was told before.
    pub fn new(config: &Config, told: Told) -> Self {
        let teller = |words: &Vec<String>| Teller {
            words: words.clone(),
            folder: config.folder.clone(),
            url: config.hub.url.as_str().to_owned(),
            root: config.root.to_string_lossy().into_owned(),
            problems: Problems::remembering(told.clone()),
            scan: Scan::Ahead,
            stored: told.clone(),
            running: None,
            next_look: Instant::now(),
            wake: None,
        };
        Self { teller: config.on_problem.as_ref().map(teller), told }
    }

    /// The configuration is another one: another command tells, or none does.
    pub fn follow(&mut self, config: &Config) {
        match (&mut self.teller, &config.on_problem) {
            (Some(teller), Some(words)) => teller.words.clone_from(words),
            (Some(teller), None) => *self = Self { told: teller.stored.clone(), teller: None },
            (None, Some(_)) => *self = Self::new(config, self.told.clone()),
            (None, None) => {}
        }
    }

    /// A page came to stand otherwise: one that is well for less than the time between two looks was well all the same.
    pub fn stands(&mut self, page: &PageReport) {
        if let Some(teller) = &mut self.teller {
            teller.problems.stands(page);
        }
    }

    /// Looks, and begins a call where one is due. To be called at each turn of the loop.
    pub fn look(&mut self, driver: &mut Driver) {
        if let Some(teller) = &mut self.teller {
            teller.look(driver);
        }
    }

    /// The end: what is just being told may end, for a moment, so that it is not told again.
    pub async fn finish(&mut self, driver: &mut Driver) {
        if let Some(teller) = &mut self.teller {
            teller.wake = Some(Instant::now() + BETWEEN);
            if teller.running.is_some() {
                teller.wait().await;
            }
            teller.store(driver);
        }
    }

    /// Waits until [`Herald::look`] has something to do. Safe to drop while it waits.
    pub async fn wait(&mut self) {
        match &mut self.teller {
            Some(teller) => teller.wait().await,
            None => std::future::pending().await,
        }
    }
}

impl Teller {
    fn look(&mut self, driver: &mut Driver) {
        let (now, instant) = (driver.now(), Instant::now());
        self.wake = None;
        if instant >= self.next_look {
            self.next_look = instant + BETWEEN;
            if driver.engine().is_planned() {
                self.scan = Scan::Planned;
            }
            let summary = driver.engine().summary(now);
            self.problems.see(&summary, self.scan, driver.served());
        } else {
            self.wake = Some(self.next_look);
        }
        if self.running.is_some() {
            return;
        }
        self.store(driver);
        match self.problems.next(now) {
            Call::Now(problems) => {
                let document = self.document(&problems, driver, now.wall);
                self.running = Some(tokio::spawn(call(self.words.clone(), self.folder.clone(), document)));
            }
            Call::At(at) => {
                let at = Instant::from_std(driver.clock().instant(at));
                self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
            }
            Call::Nothing => {}
        }
    }

    /// What is being told while we are ended is told again, rather than not at all.
    fn store(&mut self, driver: &Driver) {
        if self.running.is_none() && *self.problems.told() != self.stored {
            self.stored.clone_from(self.problems.told());
            driver.told(self.stored.clone());
        }
    }

    async fn wait(&mut self) {
        let wake = self.wake;
        let timer = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        match &mut self.running {
            None => timer.await,
            Some(running) => tokio::select! {
                ended = running => {
                    self.running = None;
                    match ended {
                        Ok(Ok(())) => {}
                        Ok(Err(why)) => tracing::warn!("the command of on_problem {}", Shown::new(&why)),
                        Err(error) => tracing::error!(%error, "the command of on_problem could not be waited for"),
                    }
                }
                () = timer => {}
            },
        }
    }

    fn document(&self, problems: &[Problem], driver: &mut Driver, at: Wall) -> String {
        let now = driver.now();
        let (hub, root) = (driver.engine().hub_health(now), driver.engine().root_health().clone());
        let mut lines = Lines::new();
        lines.json(&document(problems, at, (&self.url, &hub), (&self.root, &root)));
        lines.as_str().to_owned()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// What the command is told (README, `on_problem`): the same keys each time.
#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    at: String,
    /// `page`, `root`, `hub`, or `several`.
    problem: &'static str,
    /// All of it in a line.
    message: String,
    #[serde(flatten)]
    page: PageFields<'a>,
    hub: HubFields<'a>,
    root: RootFields<'a>,
    /// Each page, where several are told at once.
    pages: Vec<PageFields<'a>>,
    /// How many more there are than are listed.
    more: usize,
}

#[derive(Serialize, Default)]
struct PageFields<'a> {
    path: Option<String>,
    page_id: Option<&'a str>,
    title: Option<&'a str>,
    state: Option<State>,
    reason: Option<Reason>,
}

#[derive(Serialize)]
struct HubFields<'a> {
    url: &'a str,
    state: HubState,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct RootFields<'a> {
    path: &'a str,
    state: &'static str,
    reason: Option<String>,
}

fn document<'a>(
    problems: &'a [Problem],
    at: Wall,
    (url, hub): (&'a str, &'a HubHealth),
    (path, root): (&'a str, &RootHealth),
) -> Document<'a> {
    let mut listed: Vec<PageFields<'_>> = problems.iter().take(LISTED).map(fields).collect();
    let (root_state, root_reason) = of_root(root);
    let alone = problems.len() == 1;
    let message = match problems {
        [only] => message(only),
        [first, rest @ ..] => format!("{}; and {} more", message(first), rest.len()),
        [] => String::new(),
    };
    Document {
        schema: 1,
        at: at.to_rfc3339(),
        problem: match problems {
            [Problem::Page(_)] => "page",
            [Problem::Root(_)] => "root",
            [Problem::Hub(_)] => "hub",
            _ => "several",
        },
        message,
        page: if alone { listed.pop().unwrap_or_default() } else { PageFields::default() },
        hub: HubFields { url, state: hub.state, reason: hub.reason.as_deref() },
        root: RootFields { path, state: root_state, reason: root_reason },
        pages: listed,
        more: problems.len().saturating_sub(LISTED),
    }
}

fn fields(problem: &Problem) -> PageFields<'_> {
    match problem {
        Problem::Page(page) => PageFields {
            path: Some(page.path.to_text()),
            page_id: page.page_id.as_ref().map(|id| id.as_str()),
            title: page.title.as_deref(),
            state: Some(page.state),
            reason: page.reason.clone(),
        },
        Problem::Root(health) => {
            let code = if matches!(health, RootHealth::Changed { .. }) { Code::AnotherRoot } else { Code::RootMissing };
            let reason = of_root(health).1.map(|why| Reason::new(code, why));
            PageFields { reason, ..PageFields::default() }
        }
        Problem::Hub(health) => {
            let why = health.reason.clone().unwrap_or_default();
            PageFields { reason: Some(Reason::new(Code::Paused, why)), ..PageFields::default() }
        }
    }
}

fn message(problem: &Problem) -> String {
    let PageFields { path, state, reason, .. } = fields(problem);
    let (code, why) = reason.map_or(("", String::new()), |reason| (reason.code.as_str(), reason.message));
    match (problem, path) {
        (Problem::Page(_), Some(path)) => {
            let state = if state == Some(State::Conflict) { "conflict" } else { "blocked" };
            format!("{path}: {state}: {why} [{code}]")
        }
        (Problem::Root(_), _) => format!("the root is in question, everything is held: {why}"),
        _ => format!("the hub takes nothing from us: {why}"),
    }
}

fn of_root(health: &RootHealth) -> (&'static str, Option<String>) {
    match health {
        // A checkout that is off its branch, or in the middle of something, is well in itself.
        RootHealth::Ok | RootHealth::Held(_) => ("ok", None),
        RootHealth::Missing(why) => ("missing", Some(why.clone())),
        RootHealth::Changed { known, found } => {
            let cure = "if that is right: hubsync sync --confirm-root";
            ("changed", Some(format!("only {found} of {known} known documents are in it; {cure}")))
        }
    }
}

/// A command that is under way. Dropped, it is ended with all that it started.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            child::end_group(pid);
        }
    }
}

/// Runs the command once. The error is the end of a sentence.
async fn call(words: Vec<String>, folder: PathBuf, document: String) -> Result<(), String> {
    let Some(command) = child::keyless(&words, &folder) else { return Err("has no words".to_owned()) };
    let mut command = tokio::process::Command::from(command);
    // A file, not a pipe: what it leaves running must not be waited for.
    let said = tempfile::tempfile().ok();
    let errors = said.as_ref().and_then(|file| file.try_clone().ok()).map_or_else(Stdio::null, Stdio::from);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(errors);
    let mut child = command.spawn().map_err(|error| format!("can't be started: {error}"))?;
    let mut group = Group(child.id());
    let stdin = child.stdin.take();
    let write = async move {
        if let Some(mut stdin) = stdin {
            // Whoever does not read it all has heard enough.
            let _ = stdin.write_all(document.as_bytes()).await;
        }
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        status = child.wait() => status,
        () = write => return Ok(()),
        () = tokio::time::sleep(PATIENCE) => {
            drop(group);
            let _ = child.wait().await;
            return Err(format!("did not end within {} s; it was ended", PATIENCE.as_secs()));
        }
    };
    group.0 = None;
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {}", heard(said))),
        Err(error) => Err(format!("can't be waited for: {error}")),
    }
}

/// The beginning of what it said of its failure.
fn heard(said: Option<std::fs::File>) -> String {
    use std::io::{Read as _, Seek as _};
    let read = |mut file: std::fs::File| {
        file.rewind().ok()?;
        let mut bytes = Vec::new();
        file.take(HEARD).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    said.and_then(read).filter(|text| !text.is_empty()).unwrap_or_else(|| "it does not say why".to_owned())
}
