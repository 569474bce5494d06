//! Where the log goes: pretty on a terminal, fields in the journal under systemd, else one JSON object a line; on stderr. How
//! loud it is says the command line alone: `RUST_LOG` is not read, and no library gets a word in.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;
use crate::output::Paint;
use crate::output::log::{self, EventWriter, Form};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loudness {
    /// `-v`, counted.
    pub verbose: u8,
    /// `-q`, counted.
    pub quiet: u8,
}

impl Loudness {
    /// The level, where `usual` is what is said without a flag. Only our own words: what libraries log at their lowest
    /// levels can hold headers, and so the key.
    fn targets(self, usual: Level) -> Targets {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        let at = levels.iter().position(|level| *level == usual).unwrap_or(1);
        let at = (at + usize::from(self.verbose)).saturating_sub(usize::from(self.quiet)).min(levels.len() - 1);
        Targets::new().with_target("hubsync", levels[at])
    }
}

/// Starts the log. `usual`: what is said without a flag.
pub fn start(format: LogFormat, loudness: Loudness, usual: Level, paint: Paint) {
    let targets = loudness.targets(usual);
    let format = match format {
        LogFormat::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => LogFormat::Journald,
        LogFormat::Auto if log::is_on_terminal() => LogFormat::Pretty,
        LogFormat::Auto => LogFormat::Json,
        chosen => chosen,
    };
    let pretty = || {
        tracing_subscriber::fmt::layer()
            .with_writer(move || EventWriter::new(Form::Pretty(paint)))
            .with_target(false)
            .with_ansi(paint == Paint::Coloured)
            .compact()
    };
    let json = || {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
        layer.with_writer(|| EventWriter::new(Form::Json))
    };
    // A second start is a test's; the first log goes on.
    let started = match format {
        LogFormat::Pretty => registry().with(pretty().with_filter(targets)).try_init(),
        LogFormat::Journald => match log::Journal::connect() {
            Ok(journal) => registry().with(journal.with_filter(targets)).try_init(),
            Err(_) => registry().with(json().with_filter(targets)).try_init(),
        },
        _ => registry().with(json().with_filter(targets)).try_init(),
    };
    drop(started);
}
