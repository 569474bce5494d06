//! The program: reads what was typed, hands it to the command, and ends with its exit code.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use hubsync::cli::{Cli, Color, Command, Exit};
use hubsync::commands;
use hubsync::commands::init::To;
use hubsync::config::{self, Config, Environment, Loaded, LogFormat};
use hubsync::daemon::logging::{self, Loudness};
use hubsync::daemon::reload::Source;
use hubsync::output::{Colour, Console, Delivery, Lines, ProgressMode, panic};
use tracing::Level;

/// Threads for what blocks: reading files, names of hosts. A hung one must not hold up the others.
const BLOCKING: usize = 8;

fn main() -> ExitCode {
    config::secrecy::shut();
    panic::speak_of(Console::default());
    let cli = match Cli::typed() {
        Ok(cli) => cli,
        Err(error) => return typed(&error),
    };
    let console = Console::new(match cli.global.color {
        Color::Auto => Colour::Auto,
        Color::Always => Colour::Always,
        Color::Never => Colour::Never,
    });
    let runtime =
        match tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING).build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&console, &error),
        };
    let ended = runtime.block_on(carry_out(cli, &console));
    // A read that hangs must not keep us from ending (promise 11).
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        // A reader who has gone wants no more output, and nothing is wrong.
        Err(error) if matches!(Delivery::of(Err(io::Error::from(error.kind()))), Ok(Delivery::ReaderGone)) => {
            Exit::Ok.into()
        }
        Err(error) => failed(&console, &error),
    }
}

fn failed(console: &Console, error: &io::Error) -> ExitCode {
    console.error(error);
    Exit::Usage.into()
}

/// Help, or what is wrong with what was typed.
fn typed(error: &clap::Error) -> ExitCode {
    let (console, mut lines) = (Console::default(), Lines::new());
    if error.use_stderr() {
        lines.typed(error, console.stderr_paint());
        console.remark(&lines);
    } else {
        lines.typed(error, console.stdout_paint());
        // Nobody is left to tell that help could not be written.
        drop(console.result(&lines));
    }
    u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8).into()
}

async fn carry_out(cli: Cli, console: &Console) -> io::Result<Exit> {
    let env = config::environment_of_process();
    let here = config::current_folder(&env)?;
    let overrides = cli.overrides();
    let loudness = Loudness { verbose: cli.global.verbose, quiet: cli.global.quiet };
    let log = |format, usual| logging::start(format, loudness, usual, console.stderr_paint());
    let progress = if cli.global.no_progress { ProgressMode::Never } else { ProgressMode::OnTerminal };
    let loaded = || load(&overrides, &env, &here, console);
    match &cli.command {
        Command::Demo => {
            log(LogFormat::Pretty, Level::ERROR);
            commands::demo::run(console).await
        }
        Command::Sandbox(options) => {
            log(LogFormat::Pretty, Level::WARN);
            commands::sandbox::run(options.clone(), console).await
        }
        Command::Init(args) => {
            log(LogFormat::Pretty, Level::WARN);
            commands::init::run(args, &overrides, &env, &here, &mut |to, lines| say(console, to, lines), test_key).await
        }
        Command::Check(args) => {
            log(LogFormat::Pretty, Level::WARN);
            commands::check::run(args, &overrides, &env, &here, console)
        }
        Command::Config(args) => match loaded() {
            Ok(loaded) => console.result(&commands::config::run(args, &loaded)).map(|_| Exit::Ok),
            Err(exit) => exit,
        },
        Command::Status(args) => match loaded() {
            Ok(loaded) => {
                log(LogFormat::Pretty, Level::WARN);
                commands::status::run(args, &loaded.config, loudness, console)
            }
            Err(exit) => exit,
        },
        Command::Sync(args) => match loaded() {
            Ok(loaded) => {
                log(LogFormat::Pretty, Level::WARN);
                commands::sync::run(args, &loaded.config, &here, console, progress).await
            }
            Err(exit) => exit,
        },
        Command::Resolve(args) => match loaded() {
            Ok(loaded) => {
                log(LogFormat::Pretty, Level::WARN);
                commands::resolve::run(args, &loaded.config, &here, console, progress).await
            }
            Err(exit) => exit,
        },
        Command::Forget(args) => match loaded() {
            Ok(loaded) => commands::forget::run(args, &loaded.config, &here, console).await,
            Err(exit) => exit,
        },
        Command::Pause(args) => match loaded() {
            Ok(loaded) => commands::pause::pause(args, &loaded.config, console).await,
            Err(exit) => exit,
        },
        Command::Resume => match loaded() {
            Ok(loaded) => commands::pause::resume(&loaded.config, console).await,
            Err(exit) => exit,
        },
        Command::Service(args) => commands::service::run(args, config::load(&overrides, &env, &here), &env, console),
        Command::Doctor(args) => {
            log(LogFormat::Pretty, Level::ERROR);
            commands::doctor::run(args, config::load(&overrides, &env, &here), console).await
        }
        Command::Run => match loaded() {
            Ok(loaded) => {
                log(loaded.config.log_format, Level::INFO);
                let source = Source { overrides: overrides.clone(), env: env.clone(), folder: here.clone() };
                commands::run::run(loaded, source, console).await
            }
            Err(exit) => exit,
        },
    }
}

fn say(console: &Console, to: To, lines: &Lines) -> io::Result<()> {
    match to {
        To::Result => console.result(lines).map(drop),
        To::Remark => {
            console.remark(lines);
            Ok(())
        }
    }
}

/// The configuration that holds, or how the command ends without one.
fn load(
    overrides: &config::Overrides,
    env: &Environment,
    here: &Path,
    console: &Console,
) -> Result<Loaded, io::Result<Exit>> {
    config::load(overrides, env, here).map_err(|errors| {
        console.remark(&commands::config::refused(&errors));
        Ok(Exit::Usage)
    })
}

/// Asks the hub whose key it is: one request that reads.
async fn test_key(config: &Config) -> Result<String, String> {
    let key = config.hub.key.read().map_err(|error| error.to_string())?;
    let client = hubsync::daemon::settings::client(config)?;
    let workspace = client.workspace(key.expose()).await.map_err(|error| error.to_string())?;
    Ok(workspace.name)
}
