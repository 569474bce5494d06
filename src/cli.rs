//! What can be typed: commands, their flags and help, and the exit codes that scripts rely on.
//!
//! Only the shape: nothing here reads a file or decides. `main` parses it and hands each command its arguments.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::{Flag, Overrides, duration};
use crate::output::Shown;

mod pull;
mod reads;

pub use pull::Pull;
pub use reads::{Diff, Link, Log, Pages, Reads};

/// How a command ends (contract.md, Commands).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// In step, or done.
    Ok = 0,
    /// A person must act.
    Person = 1,
    /// Usage, configuration, key or state cannot be used.
    Usage = 2,
    /// Come back later; the next run goes on.
    Later = 75,
    /// Stopped by SIGINT.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Keep the pages of an Exec Knowledge Hub in step with a folder of Markdown files.
#[derive(Clone, Debug, Parser)]
#[command(name = "hubsync", version, propagate_version = false, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  hubsync demo               see it work, without a key
  hubsync init               write a configuration, test the key
  hubsync check              look for mistakes in the documents, offline
  hubsync sync --dry-run     what would be sent
  hubsync run                publish what is saved, until stopped

Exit codes: 0 in step, 1 a person must act, 2 can't be used as it is set up, 75 come back later.";

/// Where help lists the flags that every command takes.
const GLOBAL: &str = "Global options";

/// Flags that every command takes, before or after its name.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The configuration file, else hubsync.yaml here, in a parent folder or in the user's config folder
    #[arg(long, value_name = "FILE", global = true, help_heading = GLOBAL)]
    pub config: Option<PathBuf>,

    /// Say more; twice for even more
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = GLOBAL, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Say less; twice for errors only
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = GLOBAL)]
    pub quiet: u8,

    /// Colours; NO_COLOR turns them off too
    #[arg(long, value_enum, value_name = "auto|always|never", default_value = "auto", hide_possible_values = true, global = true, help_heading = GLOBAL)]
    pub color: Color,

    /// No progress bar
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_progress: bool,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Also into a pipe.
    Always,
    /// Not at all.
    Never,
}

/// The commands of this version.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// See it work: a sample handbook, a local hub and the daemon in one process; needs no key, leaves nothing behind
    Demo,
    /// Write a commented hubsync.yaml and test the API key; writes nothing to the hub
    Init(Init),
    /// Look for mistakes in the documents, without key, network or configuration
    Check(Check),
    /// Watch the folder and publish what changes, until stopped
    Run,
    /// Bring pages in step once, then exit (for CI, cron and git hooks)
    Sync(Sync),
    /// Say what needs a person, what is waiting and until when, and how much may still be sent
    Status(Status),
    /// What only looks and tells.
    #[command(flatten)]
    Reads(Reads),
    /// Write pages of the hub into files, already met: new ones, and documents without a change of their own
    Pull(Pull),
    /// Settle what waits for a person: let the document win, or the hub's text, or put both into the file
    Resolve(Resolve),
    /// Drop what is remembered of a page; a document that still names it is met again
    Forget(Forget),
    /// Send nothing meanwhile; kept over restarts, shown in status
    Pause(Pause),
    /// Go on after a pause
    Resume,
    /// Show the configuration that holds, and where each value comes from
    Config(Config),
    /// Look at everything that hubsync needs: key, hub, clock, folder, state; and say how to mend what is wrong
    Doctor(Doctor),
    /// A systemd unit made from this configuration
    Service(Service),
    /// A stand-in hub on this machine, for trying things where nothing can be lost
    Sandbox(crate::sandbox::Options),
}

/// Arguments of `hubsync sync`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hubsync sync                       everything that changed
  hubsync sync sales/ pricing.md     only these
  hubsync sync --since v1.2          what changed since then, without a state (for CI)
  hubsync sync --dry-run --json      the plan, for a script; exit 1 if something would be sent")]
pub struct Sync {
    /// Only these documents or folders
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Print what would be sent, send no write
    #[arg(long)]
    pub dry_run: bool,

    /// At a first meeting with another text: publish over it (backed up), or hold it for a person
    #[arg(long, value_enum, value_name = "local|hold", hide_possible_values = true)]
    pub first_meeting: Option<FirstMeeting>,

    /// Make pages for documents that have none, and write the id into them; also where CI is set
    #[arg(long)]
    pub create: bool,

    /// Only documents changed since this revision of git, whose text there counts as what the pages say; needs no state
    #[arg(long, value_name = "REV")]
    pub since: Option<String>,

    /// Which branch a detached HEAD is, where git.branch is set
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,

    /// How long to wait for the minute's budget and for retries
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_wait: Duration,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,

    /// Go on although most of the known documents are not in this folder
    #[arg(long)]
    pub confirm_root: bool,

    /// Publish what an upgrade or a changed rule makes of more than 20 documents that nobody touched
    #[arg(long)]
    pub confirm_rewrite: bool,
    /// Archive the pages whose files are gone, although they are more than archive_limit allows
    #[arg(long)]
    pub confirm_archive: bool,

    /// Exit 1 where a page drifted, too
    #[arg(long)]
    pub strict: bool,
}

/// Who wins when a document meets a page with another text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FirstMeeting {
    /// The document; the page's text is backed up first.
    Local,
    /// Nobody, until a person settles it.
    Hold,
}

/// Arguments of `hubsync resolve`.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "\
hubsync resolve [OPTIONS] --keep <local|remote|both> <PATH>...
       hubsync resolve [OPTIONS] --keep <local|remote|both> --all",
    after_help = "\
Examples:
  hubsync resolve pricing.md --keep local    the document goes over the page, whose text is backed up
  hubsync resolve sales/ --keep remote       the hub's texts into the files, which are backed up
  hubsync resolve --all --keep both          both texts, with conflict markers where they differ
  hubsync resolve gone.md --keep remote      a file that is gone is written again
  hubsync resolve --all --keep local --dry-run

It settles conflicts, drifts and files that are gone, as `hubsync status` shows them. A page that was edited again since
then stays as it is."
)]
pub struct Resolve {
    /// These documents, folders, or patterns such as 'sales/**'
    #[arg(value_name = "PATH", required_unless_present = "all")]
    pub paths: Vec<PathBuf>,

    /// Everything that waits: conflicts, drifts, files that are gone
    #[arg(long, conflicts_with = "paths")]
    pub all: bool,

    /// Which side wins
    #[arg(long, value_enum, value_name = "local|remote|both", hide_possible_values = true)]
    pub keep: KeepSide,

    /// Archive the pages whose files are gone (with --keep local); the API can't undo it
    #[arg(long)]
    pub confirm_archive: bool,

    /// Say what would be done; ask the hub nothing
    #[arg(long)]
    pub dry_run: bool,

    /// How long to wait for the minute's budget and for retries
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    pub max_wait: Duration,

    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which side wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeepSide {
    /// The document; of a file that is gone, that it is gone.
    Local,
    /// The hub's text.
    Remote,
    /// Both, in the file.
    Both,
}

/// Arguments of `hubsync forget`.
#[derive(Clone, Debug, Args)]
pub struct Forget {
    /// Documents, or the ids of pages
    #[arg(value_name = "PATH|PAGE_ID", required = true)]
    pub what: Vec<PathBuf>,
}

/// Arguments of `hubsync status`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
With -v it also lists which files are ignored by their names.")]
pub struct Status {
    /// Report as JSON
    #[arg(long)]
    pub json: bool,

    /// List every page, also those in step
    #[arg(long)]
    pub all: bool,

    /// Exit 1 where a page drifted, too
    #[arg(long)]
    pub strict: bool,
}

/// Arguments of `hubsync pause`.
#[derive(Clone, Debug, Args)]
pub struct Pause {
    /// How long; without it, until `hubsync resume`
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    pub how_long: Option<Duration>,
}

/// Arguments of `hubsync check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hubsync check                      the configured folder, else the current one
  hubsync check sales/               only what lies there
  hubsync check --format github      as annotations of a pull request")]
pub struct Check {
    /// Only these documents or folders
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// How findings are printed
    #[arg(long, value_enum, value_name = "text|json|github", default_value = "text", hide_possible_values = true)]
    pub format: CheckFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Exit 1 on warnings, too
    #[arg(long)]
    pub strict: bool,
}

impl Check {
    /// The format that was asked for, by either flag.
    pub fn format(&self) -> CheckFormat {
        if self.json { CheckFormat::Json } else { self.format }
    }
}

/// How `hubsync check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people, with the line and a caret.
    Text,
    /// A list of findings.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// Arguments of `hubsync init`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hubsync init                       for the folder ./handbook
  hubsync init docs                  for the folder docs")]
pub struct Init {
    /// The folder of Markdown files
    #[arg(value_name = "ROOT", default_value = "./handbook")]
    pub root: PathBuf,
}

/// Arguments of `hubsync config`.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Report as JSON: {"key": {"value": …, "origin": …}}
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `hubsync doctor`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
It sends one request, which reads and counts. Nothing is changed.

Exit codes: 0 all is well, 1 a person must act, 2 configuration, key, root or state can't be used, 75 come back later.")]
pub struct Doctor {
    /// Report as JSON
    #[arg(long)]
    pub json: bool,

    /// Leave the network alone: the hub is not looked for, the key not tried
    #[arg(long)]
    pub offline: bool,
}

/// Arguments of `hubsync service`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hubsync service show               what the unit would say
  hubsync service install            write it, enable it and start it
  sudo hubsync service install --config /etc/hubsync/hubsync.yaml --run-as docs")]
pub struct Service {
    /// For this user's systemd; the default, but for root
    #[arg(long, global = true, conflicts_with = "system")]
    pub user: bool,

    /// For the system's
    #[arg(long, global = true)]
    pub system: bool,

    /// The name of the unit, for more than one configuration
    #[arg(long, global = true, default_value = "hubsync", value_parser = plain_name)]
    pub name: String,

    /// The user that the system's unit runs as; default: hubsync
    #[arg(long, global = true, value_name = "USER", value_parser = plain_name)]
    pub run_as: Option<String>,

    /// What is to be done.
    #[command(subcommand)]
    pub action: ServiceAction,
}

/// What is done with a unit.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceAction {
    /// Print it
    Show,
    /// Write it, enable it and start it
    Install(UnitFile),
    /// Stop it and remove it; configuration and state stay
    Uninstall(UnitFile),
}

/// Where a unit's file lies, and whose it may be.
#[derive(Clone, Debug, Args)]
pub struct UnitFile {
    /// Also where the file was not made by this command, or from another configuration
    #[arg(long)]
    pub force: bool,

    /// This folder of units, of a system that is being built; no systemd is spoken to
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
}

/// The name of a unit or of a user: nothing that systemd or a path could read otherwise.
fn plain_name(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if plain && starts { Ok(text.to_owned()) } else { Err("write letters, digits, - and _".to_owned()) }
}

impl Cli {
    /// What was typed.
    ///
    /// # Errors
    /// Help, or what is wrong. Words that are repeated may be file names of a script, so they are read once more, escaped:
    /// they can neither steer the terminal nor begin a line of their own.
    #[expect(clippy::disallowed_methods, reason = "what was typed is read here")]
    pub fn typed() -> Result<Self, clap::Error> {
        Self::try_parse().map_err(|error| {
            let shown = std::env::args_os().map(|word| Shown::path(Path::new(&word)).to_string());
            Self::try_parse_from(shown).err().unwrap_or(error)
        })
    }

    /// What was typed that concerns the configuration.
    pub fn overrides(&self) -> Overrides {
        let (first_meeting, create) = match &self.command {
            Command::Sync(sync) => (sync.first_meeting, sync.create),
            _ => (None, false),
        };
        let create = create.then(|| Flag { name: "--create", key: "publish.create", value: "true".to_owned() });
        let flag = |side: FirstMeeting| Flag {
            name: "--first-meeting",
            key: "publish.on_first_meeting",
            value: match side {
                FirstMeeting::Local => "local".to_owned(),
                FirstMeeting::Hold => "hold".to_owned(),
            },
        };
        let flags = first_meeting.map(flag).into_iter().chain(create).collect();
        Overrides { config: self.global.config.clone(), flags }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn typed(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [
            "hubsync --config x.yaml -vv --color never --no-progress sync a.md",
            "hubsync sync a.md --config x.yaml -vv --color never --no-progress",
        ] {
            let cli = typed(line).unwrap();
            assert_eq!(cli.global.config, Some(PathBuf::from("x.yaml")), "{line}");
            assert_eq!(
                (cli.global.verbose, cli.global.color, cli.global.no_progress),
                (2, Color::Never, true),
                "{line}"
            );
        }
        assert!(typed("hubsync run -v -q").is_err());
    }

    #[test]
    fn commands_of_the_contract_that_are_not_there_yet_are_unknown_with_code_2() {
        for name in ["schema", "completions"] {
            let error = typed(&format!("hubsync {name}")).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::InvalidSubcommand, 2), "{name}");
        }
    }

    #[test]
    fn sync_takes_what_the_contract_names() {
        let cli =
            typed("hubsync sync a b --dry-run --first-meeting local --max-wait 90s --json --confirm-root --strict");
        let cli = cli.unwrap();
        assert_eq!(cli.overrides().flags[0].value, "local");
        let Command::Sync(sync) = cli.command else { panic!() };
        assert_eq!(sync.max_wait, Duration::from_secs(90));
        assert_eq!(sync.paths.len(), 2);
        assert!(sync.dry_run && sync.json && sync.confirm_root && sync.strict);
        let error = typed("hubsync sync --max-wait soon").unwrap_err().to_string();
        assert!(error.contains("500ms, 2s, 15m or 1h"), "{error}");
    }

    #[test]
    fn check_prints_json_by_either_flag() {
        for (line, format) in
            [("", CheckFormat::Text), ("--json", CheckFormat::Json), ("--format github", CheckFormat::Github)]
        {
            let Command::Check(check) = typed(&format!("hubsync check {line}")).unwrap().command else { panic!() };
            assert_eq!(check.format(), format, "{line}");
        }
    }

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let codes = [Exit::Ok, Exit::Person, Exit::Usage, Exit::Later, Exit::Interrupted, Exit::Terminated];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 75, 130, 143]);
    }
}
