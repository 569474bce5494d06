//! `hubsync service`: a systemd unit made from the configuration; shown, installed or taken away again.
//!
//! It promises: a file that was not made here, or was made from another configuration, is neither written over nor removed
//! without `--force`; a unit that could not run is not installed; state and configuration are never touched by `uninstall`.
//! Where no systemd runs, files are written all the same, and what is to be run later is said.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::{self, Exit, ServiceAction};
use crate::config::{ConfigError, Environment, KeySource, Loaded, Origin, config_home, variable_of};
use crate::output::{Console, Lines, Shown};
use unit::{Kept, Key, SYSTEM_FOLDER, Scope, Unit, made_from};

mod unit;
mod words;

/// Where the system's units of the administrator lie.
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// The name of the file with the key, beside the configuration, where the configuration names none.
const KEY_FILE: &str = "exec_api_key";

/// Carries out one of the three. `loaded`: the configuration, or what is wrong with it.
///
/// # Errors
/// Where stdout can't be written to.
pub fn run(
    args: &cli::Service,
    loaded: Result<Loaded, Vec<ConfigError>>,
    env: &Environment,
    console: &Console,
) -> io::Result<Exit> {
    let service = match Service::of(args, env) {
        Ok(service) => service,
        Err(why) => return Ok(refuse(console, &why)),
    };
    if let ServiceAction::Uninstall(more) = &args.action {
        return service.uninstall(more, console);
    }
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => {
            console.remark(&super::config::refused(&errors));
            return Ok(refuse(console, "there is no unit for a configuration that can't be used: mend it first"));
        }
    };
    let text = service.unit(&loaded).and_then(|unit| {
        let text = unit.text().map_err(|why| why.to_string())?;
        Ok((unit, text))
    });
    let (unit, text) = match text {
        Ok(both) => both,
        Err(why) => return Ok(refuse(console, &why)),
    };
    match &args.action {
        ServiceAction::Install(more) => service.install(more, &loaded, &unit, &text, console),
        _ => {
            service.lacks(&loaded, &unit).iter().for_each(|lack| console.warning(Shown::new(lack)));
            let mut lines = Lines::new();
            text.lines().for_each(|line| lines.line(line));
            console.result(&lines).map(|_| Exit::Ok)
        }
    }
}

fn refuse(console: &Console, why: &str) -> Exit {
    console.error(Shown::new(why));
    Exit::Usage
}

/// One unit of one manager.
struct Service {
    scope: Scope,
    /// Without `.service`.
    name: String,
    /// Where its file lies.
    folder: PathBuf,
    systemd: Systemd,
}

/// Whether there is a systemd to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Systemd {
    Runs,
    /// None runs here, or the file is not for this machine.
    Away,
}

impl Service {
    fn of(args: &cli::Service, env: &Environment) -> Result<Self, String> {
        let scope = if args.system || (!args.user && rustix::process::geteuid().is_root()) {
            Scope::System { run_as: args.run_as.clone().unwrap_or_else(|| "hubsync".to_owned()) }
        } else if args.run_as.is_some() {
            return Err("--run-as is for the system's units (--system); a user's own runs as that user".to_owned());
        } else {
            Scope::User
        };
        let into = match &args.action {
            ServiceAction::Show => None,
            ServiceAction::Install(more) | ServiceAction::Uninstall(more) => more.into.clone(),
        };
        let systemd = if into.is_none() { ask_systemd(&scope) } else { Systemd::Away };
        let folder = match (into, &scope) {
            (Some(folder), _) => folder,
            (None, Scope::System { .. }) => PathBuf::from(SYSTEM_UNITS),
            (None, Scope::User) => config_home(env).ok_or("HOME is not set")?.join("systemd/user"),
        };
        Ok(Self { scope, name: args.name.clone(), folder, systemd })
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.service", self.name))
    }

    /// What the unit is made of.
    fn unit(&self, loaded: &Loaded) -> Result<Unit, String> {
        let config = &loaded.config;
        let Some(file) = &loaded.file else {
            return Err(
                "a service needs a configuration file: `hubsync init` writes one, --config names one".to_owned()
            );
        };
        let program =
            std::env::current_exe().map_err(|error| format!("this program's own path is not known: {error}"))?;
        let folder = config.ledger_path().parent().unwrap_or(Path::new("/")).to_owned();
        let kept = match &self.scope {
            Scope::User => Kept { state: config.state.clone(), folder },
            Scope::System { .. } => {
                let system = Path::new(SYSTEM_FOLDER);
                let by_default = loaded.origin("state") == Origin::Default;
                let name = config.state.file_name().filter(|_| by_default);
                Kept {
                    state: name.map_or_else(|| config.state.clone(), |name| system.join(name)),
                    folder: system.into(),
                }
            }
        };
        let mut also_read: Vec<PathBuf> = config.hub.ca_file.iter().cloned().collect();
        also_read.extend([file, &config.root, &config.folder].into_iter().filter_map(|path| path.canonicalize().ok()));
        let commands = [&config.hub.api_key_command, &config.on_problem].into_iter().flatten();
        also_read.extend(commands.filter_map(|words| words.first()).map(|program| config.folder.join(program)));
        let key = key(&self.scope, &config.hub.key, &config.folder);
        if let (Key::AsConfigured, KeySource::File(path)) = (&key, &config.hub.key) {
            also_read.push(path.clone());
        }
        let (scope, variables) = (self.scope.clone(), variables(loaded));
        let made_by = self.made_by();
        Ok(Unit {
            scope,
            made_by,
            program,
            config: file.clone(),
            root: config.root.clone(),
            kept,
            key,
            also_read,
            variables,
        })
    }

    fn made_by(&self) -> String {
        let name = if self.name == "hubsync" { String::new() } else { format!(" --name {}", self.name) };
        match &self.scope {
            Scope::User => format!("hubsync service install --user{name}"),
            Scope::System { run_as } => format!("hubsync service install --system --run-as {run_as}{name}"),
        }
    }

    /// What is still missing before the unit can run, each with its cure.
    fn lacks(&self, loaded: &Loaded, unit: &Unit) -> Vec<String> {
        let mut lacks = Vec::new();
        if let Key::Credential(path) = &unit.key
            && !path.exists()
        {
            let path = path.display();
            let why = match &loaded.config.hub.key {
                KeySource::Variable(_) => "the key is in this shell's EXEC_API_KEY, which no service has",
                _ => "the service has no API key",
            };
            lacks.push(format!("{why}: write it into {path} (chmod 600 {path})"));
        }
        if unit.key == Key::AsConfigured && loaded.config.hub.key == KeySource::Nowhere {
            lacks.push("there is no API key".to_owned());
        }
        if let (Scope::System { run_as }, Systemd::Runs) = (&self.scope, self.systemd)
            && !succeeds(Command::new("id").args(["-u", "--", run_as]))
        {
            let make = format!("useradd --system --no-create-home --shell /usr/sbin/nologin {run_as}");
            lacks.push(format!("there is no user {run_as}: {make}, or name another with --run-as"));
        }
        if let Scope::System { run_as } = &self.scope {
            let folder = unit.kept.state.parent().unwrap_or(Path::new("/"));
            if !folder.starts_with(SYSTEM_FOLDER) && !folder.is_dir() {
                let folder = folder.display();
                lacks.push(format!("the folder of the state is not there: install -d -m 700 -o {run_as} {folder}"));
            }
        }
        lacks
    }

    fn install(
        &self,
        more: &cli::UnitFile,
        loaded: &Loaded,
        unit: &Unit,
        text: &str,
        console: &Console,
    ) -> io::Result<Exit> {
        let file = self.file();
        if let Some(why) = self.foreign(&file, unit.config.to_str(), more) {
            return Ok(refuse(console, &why));
        }
        let lacks = self.lacks(loaded, unit);
        if !lacks.is_empty() {
            lacks.iter().for_each(|lack| console.error(Shown::new(lack)));
            return Ok(Exit::Usage);
        }
        let before = fs::read_to_string(&file).ok();
        if let Err(error) = self.write(&file, text, unit) {
            return Ok(refuse(console, &format!("{} can't be written: {error}", file.display())));
        }
        let _ = console.result(&Lines::of(format_args!("wrote {}", Shown::path(&file))))?;
        let service = format!("{}.service", self.name);
        let mut steps = vec![vec!["daemon-reload"], vec!["enable", "--now", &service]];
        if before.is_some_and(|before| before != text) {
            // One that runs goes on as it was.
            steps.push(vec!["restart", &service]);
        }
        let exit = self.talk(&steps, console)?;
        if exit == Exit::Ok && self.scope == Scope::User {
            console.remark(&Lines::of("it runs while you are logged in; for longer: loginctl enable-linger"));
        }
        let _ = console.result(&self.shell_words(unit))?;
        Ok(exit)
    }

    /// How a shell finds the same state.
    fn shell_words(&self, unit: &Unit) -> Lines {
        let mut lines = Lines::new();
        lines.line(format_args!("state: {}", Shown::path(&unit.kept.state)));
        if let Scope::System { run_as } = &self.scope {
            let [state, folder, config] =
                [&unit.kept.state, &unit.kept.folder, &unit.config].map(|path| in_shell(path));
            lines.line(format_args!(
                "to ask it: sudo -u {run_as} env HUBSYNC_STATE={state} STATE_DIRECTORY={folder} hubsync status --config {config}"
            ));
        }
        lines
    }

    fn uninstall(&self, more: &cli::UnitFile, console: &Console) -> io::Result<Exit> {
        let file = self.file();
        if !file.exists() {
            return console.result(&Lines::of(format_args!("{} is not there", Shown::path(&file)))).map(|_| Exit::Ok);
        }
        if let Some(why) = self.foreign(&file, None, more) {
            return Ok(refuse(console, &why));
        }
        let service = format!("{}.service", self.name);
        if self.systemd == Systemd::Runs {
            let stopped = self.talk(&[vec!["disable", "--now", &service]], console)?;
            if stopped != Exit::Ok {
                return Ok(stopped);
            }
        }
        if let Err(error) = fs::remove_file(&file) {
            return Ok(refuse(console, &format!("{} can't be removed: {error}", file.display())));
        }
        let words = format_args!("removed {}; the configuration, the key and the state stay", Shown::path(&file));
        let _ = console.result(&Lines::of(words))?;
        self.talk(&[vec!["daemon-reload"]], console)
    }

    /// Why the file that lies there is not ours to touch; `from`: the configuration that it must have been made from.
    fn foreign(&self, file: &Path, from: Option<&str>, more: &cli::UnitFile) -> Option<String> {
        if more.force {
            return None;
        }
        let text = match fs::read(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(format!("{} can't be read: {error}", file.display())),
        };
        let file = file.display();
        match (made_from(&text), from) {
            (None, _) => {
                Some(format!("{file} was not made by `hubsync service`; it was left as it is (--force takes it)"))
            }
            (Some(other), Some(from)) if other != from => Some(format!(
                "{file} keeps another configuration, {other}: choose another name with --name, or take its place with --force"
            )),
            _ => None,
        }
    }

    /// Writes the unit whole or not at all, and makes the folders that it can't begin without.
    fn write(&self, file: &Path, text: &str, unit: &Unit) -> io::Result<()> {
        if self.scope == Scope::User {
            for folder in [unit.kept.state.parent(), Some(unit.kept.folder.as_path())].into_iter().flatten() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
        }
        fs::create_dir_all(&self.folder)?;
        let mut new = tempfile::NamedTempFile::new_in(&self.folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        new.as_file().sync_all()?;
        new.persist(file).map(drop).map_err(|error| error.error)
    }

    /// Has systemctl carry out these, or says that they are to be run.
    fn talk(&self, steps: &[Vec<&str>], console: &Console) -> io::Result<Exit> {
        let mut lines = Lines::new();
        for step in steps {
            let mut words = vec!["systemctl"];
            words.extend((self.scope == Scope::User).then_some("--user"));
            words.extend(step);
            let shown = words.join(" ");
            if self.systemd == Systemd::Away {
                lines.line(format_args!("no systemd was spoken to; run: {shown}"));
                continue;
            }
            match Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output() {
                Ok(output) if output.status.success() => lines.line(format_args!("ran {shown}")),
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    let _ = console.result(&lines)?;
                    console.error(format_args!("{shown} failed ({}): {}", output.status, Shown::new(said.trim())));
                    return Ok(Exit::Person);
                }
                Err(error) => {
                    let _ = console.result(&lines)?;
                    console.error(format_args!("{shown} can't be run: {error}"));
                    return Ok(Exit::Person);
                }
            }
        }
        console.result(&lines).map(|_| Exit::Ok)
    }
}

/// Where the daemon gets its key from. The system's unit runs as a user who should not be able to read more than needed, so
/// there systemd reads the file.
fn key(scope: &Scope, source: &KeySource, folder: &Path) -> Key {
    match (scope, source) {
        (_, KeySource::Command { .. }) | (Scope::User, KeySource::File(_)) => Key::AsConfigured,
        (Scope::System { .. }, KeySource::File(path)) => Key::Credential(path.clone()),
        (_, KeySource::Variable(_) | KeySource::Credential(_) | KeySource::Nowhere) => {
            Key::Credential(folder.join(KEY_FILE))
        }
    }
}

/// What this environment sets, which the service's would not: written into the unit. The key is never among them.
fn variables(loaded: &Loaded) -> Vec<(String, String)> {
    let set = loaded.shown().into_iter().filter(|shown| matches!(shown.origin, Origin::Variable(_)));
    set.filter(|shown| shown.key != "state")
        .map(|shown| {
            let value = shown.value.as_str().map_or_else(|| shown.value.to_string(), str::to_owned);
            (variable_of(shown.key), value)
        })
        .collect()
}

/// Whether the manager answers.
fn ask_systemd(scope: &Scope) -> Systemd {
    let mut command = Command::new("systemctl");
    if *scope == Scope::User {
        command.arg("--user");
    }
    let said = command.arg("is-system-running").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let word = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if matches!(word.as_str(), "" | "offline" | "unknown") { Systemd::Away } else { Systemd::Runs }
}

/// A path as a shell takes it.
fn in_shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'));
    if plain { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
