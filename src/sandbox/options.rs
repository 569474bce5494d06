//! The flags of `hubsync sandbox`, and the whole thing started.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a changed state is saved every few seconds")]

use std::future::Future;
use std::io::{self, Write};
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
    /// What goes wrong, and how often: [METHOD/]KIND[=VALUE]:PROBABILITY, or :xCOUNT for the next requests
    ///
    /// Kinds: delay-before[=MS], delay-after[=MS], rate-limit[=SECONDS], error-before[=5xx], error-after[=5xx], html,
    /// drop-before, drop-after, cut. "Before" and "after" the request was applied. Example: PATCH/drop-after:0.1
    #[arg(long = "fault", value_name = "RULE", verbatim_doc_comment)]
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

/// Runs a sandbox on loopback until `shutdown`; says on stdout where it is.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), SandboxError> {
    let hub = SharedHub::new(options.hub()?);
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
    let listener = bound.map_err(|source| SandboxError::Listen { port: options.port, source })?;
    let port = listener.local_addr().map_err(SandboxError::Server)?.port();
    // Whoever closed our stdout does not want to know; the hub is there all the same.
    let _ = announce(&mut io::stdout().lock(), port, &options.key);
    let Some(path) = options.state else {
        return serve(listener, hub, shutdown).await.map_err(SandboxError::Server);
    };
    let mut keeper = Keeper { path, hub: hub.clone(), saved: None };
    keeper.save()?; // a file that can't be written is told now, not at the end
    let ended = tokio::select! {
        ended = serve(listener, hub, shutdown) => ended.map_err(SandboxError::Server),
        failed = keeper.keep() => Err(failed.into()),
    };
    let last = keeper.save().map_err(SandboxError::State);
    ended.and(last)
}

/// Tells people and scripts where the sandbox is.
pub fn announce(out: &mut impl Write, port: u16, key: &str) -> io::Result<()> {
    writeln!(out, "hub:  http://127.0.0.1:{port}/rest/v1")?;
    writeln!(out, "key:  {key}")?;
    writeln!(out, "look: http://127.0.0.1:{port}/")?;
    out.flush()
}

/// Keeps the file of the state up to date.
struct Keeper {
    path: PathBuf,
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
        let model = &self.hub.lock().model;
        if self.saved != Some(model.revision()) {
            persistence::save(&self.path, &persistence::encode(model.state()))?;
            self.saved = Some(model.revision());
        }
        Ok(())
    }
}
