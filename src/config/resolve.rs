//! Puts the three sources together: which setting of a key wins, what it means, and whether the whole can be used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::credential::{self, KeySource};
use super::discover;
use super::environment::{self, Environment};
use super::file;
use super::keys;
use super::origin::{self, ConfigError, Origin, Setting, Settings};
use super::value::{self, Wrong};
use super::yaml::Node;
use super::{Config, Hub, HubUrl, LogFormat, Poll, Publish, Shown, Watch, duration};
use crate::page::{Digest, Status};
use crate::policy::{ConflictCheck, Create, OnDelete, OnDifference, TitleHeading};

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Flags that set a key for this run.
    pub flags: Vec<Flag>,
}

/// A flag that sets a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag with its dashes: `--first-meeting`.
    pub name: &'static str,
    /// The key that it sets: `publish.on_first_meeting`.
    pub key: &'static str,
    /// The value, as the environment would write it.
    pub value: String,
}

/// A configuration that can be used, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    /// The file that was read, absolute; `None` where there is none.
    pub file: Option<PathBuf>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Every key with its value and origin, in the contract's order.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |(key, value)| Shown { key, value, origin: self.origin(key) };
        self.config.values().into_iter().map(shown).collect()
    }

    /// Where the value of a key comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

/// Finds, reads and checks the configuration. `folder` is the current folder, absolute (see [`discover::current_folder`]).
///
/// # Errors
/// Everything that is wrong, in the order of the file; a command prints them and exits with 2.
pub fn load(overrides: &Overrides, env: &Environment, folder: &Path) -> Result<Loaded, Vec<ConfigError>> {
    let found = discover::file(overrides.config.as_deref(), env, folder).map_err(|error| vec![error])?;
    resolve(found, &overrides.flags, env, folder)
}

/// The same for a text that is at hand: what [`load`] would make of it if it were the file `file`, an absolute path.
///
/// # Errors
/// As [`load`].
pub fn of_text(text: &str, file: &Path, env: &Environment) -> Result<Loaded, Vec<ConfigError>> {
    let found = discover::Found { path: file.to_owned(), shown: file.to_owned(), text: text.to_owned() };
    resolve(Some(found), &[], env, file.parent().unwrap_or(file))
}

fn resolve(
    found: Option<discover::Found>,
    flags: &[Flag],
    env: &Environment,
    folder: &Path,
) -> Result<Loaded, Vec<ConfigError>> {
    let (mut settings, mut errors) = match &found {
        Some(found) => file::settings(&found.text, &found.shown),
        None => (Settings::new(), Vec::new()),
    };
    let (by_environment, wrong) = environment::settings(env);
    settings.extend(by_environment);
    errors.extend(wrong);
    for flag in flags {
        match keys::find(flag.key).map(|(key, shape)| (key, environment::node(&flag.value, shape))) {
            Some((key, Ok(node))) => drop(settings.insert(key, Setting { node, origin: Origin::Flag(flag.name) })),
            Some((key, Err(why))) => errors.push(ConfigError::new(Origin::Flag(flag.name), why).about(key)),
            None => errors.push(ConfigError::new(Origin::Flag(flag.name), "sets no key")),
        }
    }
    without_pages_in_ci(&mut settings, env);
    let file = found.map(|found| found.path);
    let file_folder = file.as_deref().and_then(Path::parent).unwrap_or(folder);
    let mut resolver = Resolver { settings: &settings, env, folder, file_folder, errors };
    let config = resolver.config();
    resolver.check(&config);
    let mut errors = resolver.errors;
    if errors.is_empty() {
        let origins = settings.into_iter().map(|(key, setting)| (key, setting.origin)).collect();
        return Ok(Loaded { config, file, origins });
    }
    errors.sort_by_key(|error| match &error.place {
        Origin::File { position, .. } => (0, *position),
        _ => (1, None),
    });
    Err(errors)
}

/// Where CI is set no pages are made, whatever file and environment say: a run there often leaves no state, and ids that it
/// writes into its checkout are lost. `--create` is the way to say that it is meant.
fn without_pages_in_ci(settings: &mut Settings, env: &Environment) {
    let set = environment::get(env, "CI").is_some_and(|text| !["", "0", "false"].contains(&text));
    let Some(setting) = settings.get_mut("publish.create").filter(|_| set) else { return };
    if matches!(setting.origin, Origin::Flag(_)) || value::switch(&setting.node) != Ok(true) {
        return;
    }
    if let Some((_, shape)) = keys::find("publish.create")
        && let Ok(node) = environment::node("false", shape)
    {
        *setting = Setting { node, origin: Origin::Variable("CI".to_owned()) };
    }
}

/// Reads settings one after the other and gathers what is wrong; a wrong value is replaced by the default meanwhile.
struct Resolver<'a> {
    settings: &'a Settings,
    env: &'a Environment,
    folder: &'a Path,
    file_folder: &'a Path,
    errors: Vec<ConfigError>,
}

impl Resolver<'_> {
    fn config(&mut self) -> Config {
        let root = self.path("root").unwrap_or_else(|| discover::absolute(self.file_folder, Path::new("handbook")));
        let state_folder = discover::state_folder(self.env);
        if state_folder.is_none() {
            let error =
                ConfigError::new(Origin::Default, "there is no folder for the ledger of requests: HOME is not set");
            self.errors.push(error.cure("set HOME, or XDG_STATE_HOME"));
        }
        let state_folder = state_folder.unwrap_or_default();
        let state = self.path("state").unwrap_or_else(|| state_folder.join(state_name(&root)));
        Config {
            include: self.value("include", value::some_patterns, || vec!["**/*.md".into(), "**/*.markdown".into()]),
            exclude: self.value("exclude", value::patterns, Vec::new),
            state,
            hub: self.hub(),
            publish: self.publish(),
            watch: self.watch(),
            check_interval: self.value("remote.check_interval", value::span, || Duration::from_secs(30 * 60)),
            branch: self.optional("git.branch", value::text),
            page_url: self.optional("links.page_url", value::page_url),
            asset_url: self.optional("links.asset_url", value::asset_url),
            on_problem: self.optional("on_problem", value::command),
            listen: self.optional("dashboard.listen", value::text),
            log_format: self.value("log.format", |node| value::choice(node, &LogFormat::WORDS), || LogFormat::Auto),
            folder: self.file_folder.to_owned(),
            ledger: state_folder.join("usage.db"),
            root,
        }
    }

    fn hub(&mut self) -> Hub {
        let per_day = self.value("hub.requests_per_day", value::at_least_one, || 1000);
        let api_key_file = self.path("hub.api_key_file");
        let api_key_command = self.optional("hub.api_key_command", value::command);
        Hub {
            url: self.value("hub.url", value::hub_url, HubUrl::default),
            key: self.key_source(api_key_file.as_deref(), api_key_command.as_deref()),
            api_key_file,
            api_key_command,
            requests_per_minute: self.value("hub.requests_per_minute", value::at_least_one, || 60),
            requests_per_day: per_day,
            reserved_for_edits: self.value("hub.reserved_for_edits", value::count, || per_day / 10),
            concurrency: self.value("hub.concurrency", value::concurrency, || 4),
            timeout: self.value("hub.timeout", value::timeout, || Duration::from_secs(30)),
            ca_file: self.path("hub.ca_file"),
        }
    }

    fn publish(&mut self) -> Publish {
        let status = [("draft", Status::Draft), ("published", Status::Published)];
        let difference = [("hold", OnDifference::Hold), ("local", OnDifference::Local)];
        let delete = [("keep", OnDelete::Keep), ("archive", OnDelete::Archive)];
        let create = if self.switch("publish.create", false) { Create::On } else { Create::Off };
        let check = if self.switch("publish.conflict_check", true) { ConflictCheck::On } else { ConflictCheck::Off };
        let strip = self.switch("publish.strip_title_heading", true);
        Publish {
            default_status: self.value("publish.default_status", |node| value::choice(node, &status), || Status::Draft),
            create,
            on_first_meeting: self.value(
                "publish.on_first_meeting",
                |node| value::choice(node, &difference),
                || OnDifference::Hold,
            ),
            on_conflict: self.value(
                "publish.on_conflict",
                |node| value::choice(node, &difference),
                || OnDifference::Hold,
            ),
            conflict_check: check,
            on_delete: self.value("publish.on_delete", |node| value::choice(node, &delete), || OnDelete::Keep),
            archive_after: self.value("publish.archive_after", value::span, || Duration::from_secs(3600)),
            archive_limit: self.value("publish.archive_limit", value::count, || 10),
            title_heading: if strip { TitleHeading::Strip } else { TitleHeading::Keep },
            notice: self.optional("publish.notice", value::notice),
        }
    }

    fn watch(&mut self) -> Watch {
        Watch {
            debounce: self.value("watch.debounce", value::span, || Duration::from_secs(2)),
            max_delay: self.value("watch.max_delay", value::span, || Duration::from_secs(300)),
            rescan: self.value("watch.rescan", value::some_span, || Duration::from_secs(3600)),
            poll: self.value("watch.poll", |node| value::choice(node, &Poll::WORDS), || Poll::Auto),
        }
    }

    /// The value of a key; `null` means the default.
    fn value<T>(&mut self, key: &'static str, read: impl Fn(&Node) -> Result<T, Wrong>, default: impl Fn() -> T) -> T {
        self.optional(key, read).unwrap_or_else(default)
    }

    fn optional<T>(&mut self, key: &'static str, read: impl Fn(&Node) -> Result<T, Wrong>) -> Option<T> {
        let setting = self.settings.get(key).filter(|setting| !setting.node.is_null())?;
        match read(&setting.node) {
            Ok(value) => Some(value),
            Err(Wrong { position, message, suggestion }) => {
                let place = match &setting.origin {
                    Origin::File { path, .. } => Origin::File { path: path.clone(), position: Some(position) },
                    other => other.clone(),
                };
                self.errors.push(ConfigError { place, key: Some(key), message, suggestion });
                None
            }
        }
    }

    fn switch(&mut self, key: &'static str, default: bool) -> bool {
        self.value(key, value::switch, || default)
    }

    /// A path, absolute: seen from the file that names it, else from the current folder.
    fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let text = self.optional(key, value::text)?;
        let in_file = matches!(self.settings.get(key)?.origin, Origin::File { .. });
        let home = (text == "~" || text.starts_with("~/")).then(|| discover::home(self.env)).flatten();
        Some(match home {
            Some(home) => discover::absolute(&home, Path::new(text.trim_start_matches('~').trim_start_matches('/'))),
            None => discover::absolute(if in_file { self.file_folder } else { self.folder }, Path::new(&text)),
        })
    }

    fn key_source(&self, file: Option<&Path>, command: Option<&[String]>) -> KeySource {
        let variable = environment::get(self.env, credential::VARIABLE);
        let credentials = environment::get(self.env, "CREDENTIALS_DIRECTORY");
        match (file, command, variable, credentials) {
            (Some(path), ..) => KeySource::File(path.to_owned()),
            (_, Some(words), ..) => KeySource::Command { words: words.to_owned(), folder: self.file_folder.to_owned() },
            (.., Some(text), _) => KeySource::variable(text),
            (.., Some(folder)) => KeySource::Credential(Path::new(folder).join(credential::CREDENTIAL)),
            _ => KeySource::Nowhere,
        }
    }

    fn refuse(&mut self, key: &'static str, message: impl Into<String>, cure: Option<&str>) {
        let place = self.settings.get(key).map_or(Origin::Default, |setting| setting.origin.clone());
        let error = ConfigError::new(place, message).about(key);
        self.errors.push(ConfigError { suggestion: cure.map(str::to_owned), ..error });
    }

    /// What no single value shows: values that don't go together, and what this version can't do.
    fn check(&mut self, config: &Config) {
        let (hub, watch) = (&config.hub, &config.watch);
        if hub.reserved_for_edits > hub.requests_per_day {
            let message =
                format!("{} is more than hub.requests_per_day ({})", hub.reserved_for_edits, hub.requests_per_day);
            self.refuse("hub.reserved_for_edits", message, Some("write a part of the day's requests"));
        }
        if watch.max_delay < watch.debounce {
            let key = if self.settings.contains_key("watch.max_delay") { "watch.max_delay" } else { "watch.debounce" };
            let (debounce, most) = (duration::format(watch.debounce), duration::format(watch.max_delay));
            self.refuse(
                key,
                format!("watch.max_delay ({most}) is shorter than watch.debounce ({debounce})"),
                Some("make max_delay longer"),
            );
        }
        if lies_in(&config.state, &config.root) || lies_in(&config.backups_path(), &config.root) {
            let message = format!(
                "{} and its backups would lie in the root, and be taken for documents",
                origin::harmless(&config.state)
            );
            self.refuse("state", message, Some("name a file outside of the root"));
        }
        for (key, sentence) in config.unsupported() {
            self.refuse(key, sentence, None);
        }
    }
}

/// The name of a root's state file: readable, and another for every root. Links are not followed, so that a root behind
/// a link that is swapped keeps its state.
fn state_name(root: &Path) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name = root.file_name().map(|name| name.to_string_lossy().chars().take(40).map(plain).collect());
    let name: String = name.unwrap_or_else(|| "root".to_owned());
    let digest = Digest::of(root.as_os_str().as_encoded_bytes()).to_hex();
    format!("{name}-{}.db", &digest[..8])
}

/// Whether `path` lies in `folder`, by their names or by what is behind them.
fn lies_in(path: &Path, folder: &Path) -> bool {
    path.starts_with(folder) || real(path).starts_with(real(folder))
}

/// The path with the links followed of as much of it as exists.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|parent| Some((parent, std::fs::canonicalize(parent).ok()?)));
    match known {
        Some((parent, real)) => real.join(path.strip_prefix(parent).unwrap_or(Path::new(""))),
        None => path.to_owned(),
    }
}
