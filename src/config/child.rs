//! A command that the configuration names, as it is started: no shell reads its words, it runs in the configuration's folder,
//! it has no key of ours, and it is a group of its own, by which it can be ended with all that it started.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::credential::VARIABLE;

/// The command that prints the key: all of our environment but the key itself. `None`: there is no word.
pub(super) fn of_key(words: &[String], folder: &Path) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program_path(program, folder));
    command.args(arguments).current_dir(folder).env_remove(VARIABLE);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Some(command)
}

/// A command that has no business with the key: what leads to one is taken out of its environment, too, and so is the socket
/// by which a service speaks to systemd.
pub fn keyless(words: &[String], folder: &Path) -> Option<Command> {
    let mut command = of_key(words, folder)?;
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours_alone(name)) {
        command.env_remove(name);
    }
    Some(command)
}

fn is_ours_alone(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let leads_to_a_key = name.starts_with("HUBSYNC_") && name.contains("KEY");
    leads_to_a_key || [VARIABLE, "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"].contains(&&*name)
}

/// A program with a slash in its name is seen from the configuration's folder, any other is looked up in `PATH`.
fn program_path(program: &str, folder: &Path) -> PathBuf {
    if program.contains('/') { folder.join(program) } else { PathBuf::from(program) }
}

/// Ends a command with all that it started.
pub fn end_group(pid: u32) {
    if let Some(group) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _already_gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_the_key_is_not_handed_on_and_the_rest_is() {
        for name in ["EXEC_API_KEY", "HUBSYNC_HUB__API_KEY_FILE", "HUBSYNC_HUB__API_KEY_COMMAND", "HUBSYNC_KEY"] {
            assert!(is_ours_alone(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "HUBSYNC_ROOT", "HUBSYNC_CONFIG", "SSH_KEY_PATH", "DBUS_SESSION_BUS_ADDRESS"] {
            assert!(!is_ours_alone(OsStr::new(name)), "{name}");
        }
    }
}
