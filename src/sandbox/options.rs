//! The flags of `hubsync sandbox`, and the whole thing started.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a changed state is saved every few seconds")]

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

use super::faults::{Faults, Rule};
use super::model::{Model, Normalise, Reading, SANDBOX_KEY, Settings, Stamps};
use super::persistence::{self, PersistenceError};
use super::sample;
use super::server::{Hub, SharedHub, clock, serve};

/// How often a changed state is saved.
const SAVE_EVERY: Duration = Duration::from_secs(3);

/// A local hub to try things on.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 7272)]
    pub port: u16,
    /// The key that is let in
    #[arg(long, default_value = SANDBOX_KEY)]
    pub key: String,
    /// Requests in any 60 seconds; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub per_minute: u32,
    /// Requests in any 24 hours; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub per_day: u32,
    /// Makes ids and faults repeatable
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What goes wrong, and how often: [METHOD/]KIND[=VALUE]:PROBABILITY, or :xCOUNT for the next COUNT requests
    ///
    /// KIND is one of delay-before[=MS], delay-after[=MS], rate-limit[=SECONDS], error-before[=5xx], error-after[=5xx],
    /// html, drop-before, drop-after, cut; "before" and "after" the request was applied. Example: PATCH/drop-after:0.1
    #[arg(long = "fault", value_name = "RULE")]
    pub faults: Vec<Rule>,
    /// What the hub does to Markdown that it stores
    #[arg(long, value_enum, default_value_t = Normalise::Verbatim)]
    pub normalise: Normalise,
    /// Cut time stamps to whole seconds
    #[arg(long)]
    pub coarse_stamps: bool,
    /// Take the other reading of an undocumented point
    #[arg(long = "reading", value_enum, value_name = "READING")]
    pub readings: Vec<Reading>,
    /// Keep the state in this file
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Begin with this many sample pages (where there is no state yet)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub pages: usize,
}

/// Why the sandbox did not start, or ended.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The port is taken, or forbidden.
    #[error("cannot listen on 127.0.0.1:{port}: {source}. Choose another port with --port")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The state could not be loaded or saved.
    #[error(transparent)]
    State(#[from] PersistenceError),
    /// The server failed.
    #[error("the sandbox stopped: {0}")]
    Server(#[source] io::Error),
}

impl Options {
    fn settings(&self) -> Settings {
        Settings {
            key: self.key.clone(),
            per_minute: self.per_minute,
            per_day: self.per_day,
            stamps: if self.coarse_stamps { Stamps::WholeSeconds } else { Stamps::Microseconds },
            normalise: self.normalise,
            readings: self.readings.iter().copied().collect(),
            seed: self.seed,
            ..Settings::default()
        }
    }

    fn hub(&self) -> Result<Hub, PersistenceError> {
        let saved = self.state.as_deref().map(persistence::load).transpose()?.flatten();
        let model = match saved {
            Some(state) => Model::with_state(self.settings(), state),
            None => {
                let mut model = Model::new(self.settings());
                if self.pages > 0 {
                    sample::fill(&mut model, clock(), self.pages);
                }
                model
            }
        };
        Ok(Hub::new(model, Faults::new(self.seed, self.faults.clone())))
    }
}

/// Runs a sandbox on loopback until `shutdown`; tells `ready` where it is, in lines for people and scripts.
pub async fn run(
    options: Options,
    ready: impl FnOnce(&[String]),
    shutdown: impl Future<Output = ()>,
) -> Result<(), SandboxError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
    let listener = bound.map_err(|source| SandboxError::Listen { port: options.port, source })?;
    run_on(listener, options, ready, shutdown).await
}

async fn run_on(
    listener: TcpListener,
    options: Options,
    ready: impl FnOnce(&[String]),
    shutdown: impl Future<Output = ()>,
) -> Result<(), SandboxError> {
    let hub = SharedHub::new(options.hub()?);
    let mut keeper = Keeper { path: options.state, hub: hub.clone(), saved: None };
    keeper.save()?; // a file that can't be written is told now, not at the end
    let port = listener.local_addr().map_err(SandboxError::Server)?.port();
    ready(&announcement(port, &options.key));
    let ended = tokio::select! {
        ended = serve(listener, hub, shutdown) => ended.map_err(SandboxError::Server),
        failed = keeper.keep() => Err(failed.into()),
    };
    ended.and(keeper.save().map_err(SandboxError::State))
}

/// Where the sandbox is.
fn announcement(port: u16, key: &str) -> [String; 3] {
    [
        format!("hub:  http://127.0.0.1:{port}/rest/v1"),
        format!("key:  {key}"),
        format!("look: http://127.0.0.1:{port}/"),
    ]
}

/// Keeps the file of the state up to date, if there is to be one.
struct Keeper {
    path: Option<PathBuf>,
    hub: SharedHub,
    saved: Option<u64>,
}

impl Keeper {
    /// Saves every few seconds; ends only when it can't.
    async fn keep(&mut self) -> PersistenceError {
        loop {
            tokio::time::sleep(SAVE_EVERY).await;
            if let Err(error) = self.save() {
                return error;
            }
        }
    }

    fn save(&mut self) -> Result<(), PersistenceError> {
        let Some(path) = &self.path else { return Ok(()) };
        let model = &self.hub.lock().model;
        if self.saved != Some(model.revision()) {
            persistence::save(path, &persistence::encode(model.state()))?;
            self.saved = Some(model.revision());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn options(flags: &[&str]) -> Result<Options, clap::Error> {
        let command = Options::augment_args(clap::Command::new("sandbox").no_binary_name(true));
        Options::from_arg_matches(&command.try_get_matches_from(flags)?)
    }

    /// Runs a sandbox with these flags until `visit` is through; answers what it printed.
    fn visited(flags: &[&str], visit: impl AsyncFnOnce(u16)) -> Result<String, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut said = String::new();
        let done = runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            run_on(listener, options(flags).unwrap(), |lines| said = lines.join("\n"), visit(port)).await
        });
        done.map(|()| said)
    }

    async fn page_count(port: u16) -> usize {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have been first
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{port}/rest/v1/knowledge-hub/pages");
        let answer = client.get(url).bearer_auth(SANDBOX_KEY).send().await.unwrap();
        let value: serde_json::Value = answer.json().await.unwrap();
        value["data"].as_array().unwrap().len()
    }

    #[test]
    fn it_begins_with_sample_pages_and_goes_on_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.json").to_str().unwrap().to_owned();
        let printed =
            visited(&["--pages", "3", "--state", &file], async |port| assert_eq!(page_count(port).await, 3)).unwrap();
        assert!(printed.starts_with("hub:  http://127.0.0.1:") && printed.contains(SANDBOX_KEY));
        visited(&["--pages", "9", "--state", &file], async |port| assert_eq!(page_count(port).await, 3)).unwrap();
        let state = persistence::load(file.as_ref()).unwrap().unwrap();
        let used = Model::with_state(Settings::default(), state).used(clock());
        assert_eq!(used, (2, 2), "requests are counted over a restart");
    }

    #[test]
    fn what_can_not_be_kept_is_told_at_the_start() {
        let error = visited(&["--state", "/nowhere/hub.json"], async |_| panic!("it must not serve")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write the sandbox's state /nowhere/hub.json"));
    }

    #[test]
    fn flags_make_the_hub_they_name() {
        let flags =
            ["--normalise", "growing", "--coarse-stamps", "--reading", "calendar-day", "--per-day", "0", "--seed", "7"];
        let settings = options(&flags).unwrap().settings();
        assert_eq!((settings.normalise, settings.stamps), (Normalise::Growing, Stamps::WholeSeconds));
        assert!(settings.takes(Reading::CalendarDay) && !settings.takes(Reading::TitleLive));
        assert_eq!((settings.per_minute, settings.per_day, settings.seed), (60, 0, 7));
        let error = options(&["--fault", "boom:1"]).unwrap_err().to_string();
        assert!(error.contains("`boom` is no fault"), "{error}");
    }
}
