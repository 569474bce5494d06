//! What the systemd unit of a configuration says. `systemd/hubsync.service` is the same unit written by hand, with all of its
//! reasons; here are those for what differs from one configuration to the next.
//!
//! Nothing here reads a file: `service` gathers what is needed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::words::{self, Unspellable};

/// Whose manager runs the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A user's own: `systemctl --user`.
    User,
    /// The system's.
    System {
        /// The user that it runs as: a plain name.
        run_as: String,
    },
}

/// Where the daemon gets its key from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// systemd reads this file and hands it over in memory.
    Credential(PathBuf),
    /// The daemon reads it by itself, as the configuration says.
    AsConfigured,
}

/// Where state and ledger lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The state file.
    pub state: PathBuf,
    /// The folder of the ledger: `$STATE_DIRECTORY`.
    pub folder: PathBuf,
}

/// All that a unit is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Whose.
    pub scope: Scope,
    /// The command line that makes it again.
    pub made_by: String,
    /// This program.
    pub program: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// The root.
    pub root: PathBuf,
    /// Where state and ledger lie.
    pub kept: Kept,
    /// The key.
    pub key: Key,
    /// What else is read: certificates, programs that are named by their path, what links lead to.
    pub also_read: Vec<PathBuf>,
    /// Variables that the configuration rests on.
    pub variables: Vec<(String, String)>,
}

/// The folder that systemd makes for the system's unit.
pub const SYSTEM_FOLDER: &str = "/var/lib/hubsync";

/// The first words of every unit that was made here.
const MADE: &str = "# Made by hubsync ";
/// Before the configuration's path.
const FROM: &str = "# From: ";

/// From which configuration a unit was made; `None`: not by us.
pub fn made_from(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    lines.next()?.strip_prefix(MADE)?;
    lines.next()?.strip_prefix(FROM)
}

impl Unit {
    /// The unit's text.
    ///
    /// # Errors
    /// A path that no unit can hold.
    pub fn text(&self) -> Result<String, Unspellable> {
        let mut out = String::new();
        let config = words::comment(&self.config)?;
        line(&mut out, format_args!("{MADE}{}: {}", env!("CARGO_PKG_VERSION"), self.made_by));
        line(&mut out, format_args!("{FROM}{config}"));
        line(&mut out, "# Made again, it is written over: what you change goes into `systemctl edit`.");
        self.head(&mut out)?;
        self.start(&mut out)?;
        self.identity(&mut out)?;
        self.key(&mut out)?;
        self.files(&mut out)?;
        out.push_str(HARDENED);
        let target = match self.scope {
            Scope::User => "default.target",
            Scope::System { .. } => "multi-user.target",
        };
        line(&mut out, format_args!("\n[Install]\nWantedBy={target}"));
        Ok(out)
    }

    fn head(&self, out: &mut String) -> Result<(), Unspellable> {
        line(out, "\n[Unit]\nDescription=hubsync keeps the Knowledge Hub in step with a folder of Markdown files");
        if matches!(self.scope, Scope::System { .. }) {
            // A user's manager knows neither.
            line(out, "Wants=network-online.target\nAfter=network-online.target");
            line(out, "# A root that is not mounted yet is no empty root.");
            line(out, format_args!("RequiresMountsFor={}", words::path(&self.root)?));
        }
        Ok(())
    }

    fn start(&self, out: &mut String) -> Result<(), Unspellable> {
        let (program, config) = (words::program(&self.program)?, words::argument(&self.config)?);
        line(
            out,
            "\n[Service]\n# Ready once the first scan has been planned; a root that is not there yet takes its time.",
        );
        line(out, "Type=notify\nTimeoutStartSec=infinity");
        line(out, format_args!("ExecStart={program} run --config {config}"));
        line(out, "ExecReload=/bin/kill -HUP $MAINPID\nRestart=on-failure\nRestartSec=5s");
        line(out, "# 2 is a configuration, key or state that can't be used: trying again mends nothing.");
        line(out, "RestartPreventExitStatus=2\n# hubsync ends within 10 s, whatever hangs.\nTimeoutStopSec=15s");
        Ok(())
    }

    fn identity(&self, out: &mut String) -> Result<(), Unspellable> {
        if let Scope::System { run_as } = &self.scope {
            line(out, format_args!("User={run_as}\nRemoveIPC=yes"));
        }
        line(out, "UMask=0077");
        line(out, "\n# Where state and ledger lie, written out; a shell finds them there by the same variables.");
        let state = self.kept.state.to_string_lossy();
        line(out, format_args!("Environment={}", words::assignment("HUBSYNC_STATE", &state)?));
        match self.scope {
            Scope::System { .. } => line(out, "StateDirectory=hubsync\nStateDirectoryMode=0700"),
            // Which folder StateDirectory= means to a user's manager depends on its version.
            Scope::User => {
                let folder = self.kept.folder.to_string_lossy();
                line(out, format_args!("Environment={}", words::assignment("STATE_DIRECTORY", &folder)?));
            }
        }
        for (name, value) in &self.variables {
            line(out, format_args!("Environment={}", words::assignment(name, value)?));
        }
        Ok(())
    }

    fn key(&self, out: &mut String) -> Result<(), Unspellable> {
        if let Key::Credential(path) = &self.key {
            line(out, "# systemd reads the key and hands it over in memory; a new one is read at the next start.");
            line(out, format_args!("LoadCredential=exec_api_key:{}", words::rest_of_line(path)?));
            // A file or a command would be asked before the credential.
            line(out, "Environment=HUBSYNC_HUB__API_KEY_FILE=null HUBSYNC_HUB__API_KEY_COMMAND=null");
        }
        Ok(())
    }

    fn files(&self, out: &mut String) -> Result<(), Unspellable> {
        line(
            out,
            "LimitCORE=0\n\n# What it sees of the file system: everything read-only but where state and ledger lie.",
        );
        line(out, "ProtectSystem=strict");
        if self.reads_below(&["/home", "/root", "/run/user"]) {
            line(out, "# Something that it reads lies in a home: hidden, it would look as if all documents were gone.");
            line(out, "ProtectHome=read-only");
        } else {
            line(out, "ProtectHome=yes");
        }
        if self.reads_below(&["/tmp", "/var/tmp"]) {
            line(out, "# Something that it reads lies there.\nPrivateTmp=no");
        } else {
            line(out, "PrivateTmp=yes");
        }
        line(out, format_args!("ReadOnlyPaths={}", words::path(&self.root)?));
        let mut written: Vec<&Path> =
            self.kept.state.parent().into_iter().chain([self.kept.folder.as_path()]).collect();
        if matches!(self.scope, Scope::System { .. }) {
            written.retain(|folder| !folder.starts_with(SYSTEM_FOLDER));
        }
        written.dedup();
        for folder in written {
            line(out, format_args!("ReadWritePaths={}", words::path(folder)?));
        }
        Ok(())
    }

    /// Whether anything that the daemon opens lies below one of these folders.
    fn reads_below(&self, folders: &[&str]) -> bool {
        let ours = [&self.program, &self.config, &self.root, &self.kept.state, &self.kept.folder];
        let mut all = ours.into_iter().chain(&self.also_read);
        all.any(|path| folders.iter().any(|folder| path.starts_with(folder)))
    }
}

fn line(out: &mut String, words: impl std::fmt::Display) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{words}");
}

/// What holds whatever the configuration says. ProcSubset= stays as it is: the ledger asks /proc/sys which boot this is.
const HARDENED: &str = "PrivateMounts=yes
PrivateDevices=yes
DevicePolicy=closed

# What it sees of the machine.
PrivateUsers=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
KeyringMode=private

# What it may do: no privilege, and the system calls of an ordinary service. Commands of the configuration (hub.api_key_command,
# on_problem) run under the same limits.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
MemoryMax=512M
TasksMax=64
";

#[cfg(test)]
mod tests;
