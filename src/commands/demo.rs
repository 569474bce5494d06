//! `hubsync demo`: a sample handbook, a sandbox hub and the daemon in one process. Needs no key and no configuration, touches
//! neither the user's state nor their ledger, and leaves nothing behind.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::cli::Exit;
use crate::commands::{opening, run};
use crate::config::{self, Config, Environment, Overrides};
use crate::daemon::event_loop::Telling;
use crate::daemon::reload::Reload;
use crate::daemon::signals::Signals;
use crate::document::{self, Reading};
use crate::engine::PageReport;
use crate::engine::change::{HubHealth, HubState, LogEntry, LogEvent};
use crate::engine::settled::RootHealth;
use crate::output::{Console, Lines, Shown};
use crate::policy::{Policy, Rules};
use crate::reason::State;
use crate::sandbox::{self, Faults, Hub, Model, NewPage, SANDBOX_KEY, Settings, SharedHub};

mod sample;

/// Runs until Ctrl-C.
///
/// # Errors
/// Where the temporary folder can't be written to, or the system gives us no socket, thread or signals.
pub async fn run(console: &Console) -> io::Result<Exit> {
    let signals = Signals::listen()?;
    let place = TempDir::with_prefix("hubsync-demo-")?;
    // Seen from everywhere by one name, also where the system's own is a link.
    let base = place.path().canonicalize()?;
    let root = base.join("handbook");
    write_sample(&root)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let hub = SharedHub::new(Hub::new(model(&Policy::default().rules), Faults::new(0, Vec::new())));
    let (stop_hub, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        // An error means that the demo is over: stop as well.
        let ended = async { drop(stopped.await) };
        sandbox::serve(listener, hub, ended).await
    });
    let config = match configure(&base, port) {
        Ok(config) => config,
        Err(errors) => return Ok(refused(console, &errors)),
    };
    let opened = match opening::open(&config, console, opening::RootLock::Ours) {
        Ok(opened) => opened,
        Err(why) => return Ok(why.tell(console)),
    };
    greet(console, &root, port)?;
    let mut telling = Aloud { console, port };
    run::keep(Reload::never(config), opened, signals, &mut telling).await?;
    // An error means that the hub has ended by itself.
    let _ = stop_hub.send(());
    if let Ok(ended) = served.await {
        ended?;
    }
    place.close()?;
    let _ = console.result(&Lines::of("demo over; the folder is removed"))?;
    Ok(Exit::Ok)
}

fn refused(console: &Console, why: &str) -> Exit {
    console.error(Shown::new(why));
    Exit::Usage
}

fn write_sample(root: &Path) -> io::Result<()> {
    for (path, text) in sample::FILES {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// A hub whose pages are the sample's, each with an older text.
fn model(rules: &Rules) -> Model {
    let now = sandbox::server::clock();
    let mut model = Model::new(Settings::default());
    let mut ids = std::collections::BTreeMap::new();
    for (name, parent) in sample::FOLDERS {
        let parent = parent.and_then(|parent| ids.get(parent)).cloned();
        let id = model.add_folder(now, name, parent.as_deref());
        ids.insert(*name, id);
    }
    for name in sample::SKILLS {
        model.add_skill(now, name);
    }
    for (_, text) in sample::FILES {
        let Reading::Document { page_id: Some(id), authored, .. } = document::parse(text.as_bytes(), rules).reading
        else {
            continue;
        };
        let title = authored.title.unwrap_or_default();
        let content = "_This page has not been published from the handbook yet._\n".to_owned();
        model.add_page(
            now,
            NewPage {
                id: Some(id.as_str().to_owned()),
                title,
                content,
                status: sandbox::Status::Published,
                ..NewPage::default()
            },
        );
    }
    model
}

/// A configuration of its own: nothing of the user's environment or files is used.
fn configure(base: &Path, port: u16) -> Result<Config, String> {
    let file = base.join(config::FILE_NAME);
    let text = format!(
        "root: ./handbook\nstate: ./state/demo.db\nhub:\n  url: http://127.0.0.1:{port}/rest/v1\n\
         publish:\n  on_first_meeting: local\nwatch:\n  debounce: 1s\n"
    );
    std::fs::write(&file, text).map_err(|error| format!("{} can't be written: {error}", file.display()))?;
    let home = |name: &str, path: PathBuf| (name.to_owned(), path.to_string_lossy().into_owned());
    let env: Environment = [
        home("HOME", base.to_owned()),
        home("XDG_STATE_HOME", base.join("state")),
        ("EXEC_API_KEY".to_owned(), SANDBOX_KEY.to_owned()),
    ]
    .into();
    let overrides = Overrides { config: Some(file), flags: Vec::new() };
    config::load(&overrides, &env, base)
        .map(|loaded| loaded.config)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn greet(console: &Console, root: &Path, port: u16) -> io::Result<()> {
    let folder = Shown::path(root);
    let mut lines = Lines::of(format_args!("folder: {folder}"));
    lines.line(format_args!("dashboard: http://127.0.0.1:{port}/"));
    lines.ours(
        "\nThe folder is a handbook of Markdown files; the dashboard shows the pages of a hub that lives in this process.\n\
         Try: edit a file in the folder and watch its page change, for example",
    );
    lines.line(format_args!("  echo 'One more line.' >> {folder}/welcome.md"));
    lines.ours("Ctrl-C ends the demo and removes the folder.\n\n");
    let _ = console.result(&lines)?;
    Ok(())
}

/// Tells on stdout, one line each.
struct Aloud<'a> {
    console: &'a Console,
    port: u16,
}

impl Aloud<'_> {
    fn say(&self, line: impl std::fmt::Display) {
        // A reader who has gone is told nothing more; the demo goes on until it is stopped.
        drop(self.console.result(&Lines::of(line)));
    }
}

impl Telling for Aloud<'_> {
    fn ready(&mut self) {}

    fn done(&mut self, entry: &LogEntry) {
        if let LogEvent::Published { fields, .. } = &entry.event {
            let path = Shown::new(&entry.path);
            let (port, page) = (self.port, &entry.page);
            self.say(format_args!("published {path} ({}) → http://127.0.0.1:{port}/#{page}", fields.join(", ")));
        }
    }

    fn stands(&mut self, page: &PageReport) {
        if let (State::Blocked | State::Conflict | State::Drifted, Some(reason)) = (page.state, &page.reason) {
            let path = page.path.to_text();
            self.say(format_args!("{}: {}", Shown::new(&path), Shown::new(&reason.message)));
        }
    }

    fn hub(&mut self, health: &HubHealth) {
        if health.state != HubState::Ok {
            self.say(format_args!("the hub: {}", Shown::new(health.reason.as_deref().unwrap_or_default())));
        }
    }

    fn root(&mut self, health: &RootHealth) {
        if let RootHealth::Missing(why) = health {
            self.say(format_args!("the folder is missing: {}", Shown::new(why)));
        }
    }
}
