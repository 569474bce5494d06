//! The API key and where it is read from.
//!
//! The key can't be printed by accident: it has no `Display`, and its `Debug` is masked. It is read anew each time it is
//! asked for, so that a rotated key is taken up. Who sends requests calls [`KeySource::read`], on a thread that may block.

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::yaml::Position;
use super::{child, duration};
use crate::page::Digest;

/// The environment variable that may hold the key. It is kept from every child process.
pub const VARIABLE: &str = "EXEC_API_KEY";

/// The name of systemd's credential.
pub const CREDENTIAL: &str = "exec_api_key";

/// How long a command may take to print the key.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How much is read at most: more than a key may be long, so that a longer text is noticed.
const READ_AT_MOST: u64 = 16 * 1024;

/// An API key: one line of visible ASCII. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl ApiKey {
    /// What is longer is another text, such as a certificate.
    const LONGEST: usize = 4096;

    /// Takes a text as a key: visible ASCII, at least one character, after one line end is taken off.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        match line {
            "" => Err(BadKey::Empty),
            _ if line.len() > Self::LONGEST => Err(BadKey::Long),
            _ if line.contains(['\n', '\r']) => Err(BadKey::Lines),
            _ if !line.bytes().all(|b| b.is_ascii_graphic()) => Err(BadKey::Characters),
            _ => Ok(Self(line.to_owned())),
        }
    }

    /// The key itself, for the header of a request and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A mark by which the same key is known again; the key can't be told from it.
    pub fn digest(&self) -> Digest {
        Digest::of_parts([b"hubsync api key".as_slice(), self.0.as_bytes()])
    }

    /// Whether it looks like the vendor's live keys. Others may be right too: a stand-in hub takes any.
    pub fn looks_live(&self) -> bool {
        key_at(&self.0).is_some_and(|range| range == (0..self.0.len()))
    }
}

/// Why a text can't be a key. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than any key.
    #[error("is too long to be a key")]
    Long,
    /// More than a line.
    #[error("holds more than one line; only the key may stand there")]
    Lines,
    /// White space, control characters, or not ASCII.
    #[error("holds spaces, control characters or letters that no key has")]
    Characters,
}

/// Why no key could be read. Says where from, never what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No source is configured.
    #[error("there is no API key: set hub.api_key_file, hub.api_key_command or {VARIABLE}")]
    NoSource,
    /// The file can't be read.
    #[error("the API key file {} can't be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The command can't be started, or ended badly.
    #[error("the command of hub.api_key_command ({program}) {why}")]
    Command {
        /// Its first word.
        program: String,
        /// The end of the sentence.
        why: String,
    },
    /// What was read is no key.
    #[error("the API key from {source_name} {why}")]
    Form {
        /// Where it was read from.
        source_name: String,
        /// What is wrong.
        why: BadKey,
    },
}

/// A text of the environment that may be a key: not checked yet, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Unchecked(String);

impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unchecked(…)")
    }
}

/// Where the key is read from: the first that is configured, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `hub.api_key_file`.
    File(PathBuf),
    /// `hub.api_key_command`.
    Command {
        /// The program and its arguments; no shell reads them.
        words: Vec<String>,
        /// Where it is run: the configuration's folder.
        folder: PathBuf,
    },
    /// `EXEC_API_KEY`, as it was when the process started.
    Variable(Unchecked),
    /// The systemd credential `exec_api_key`.
    Credential(PathBuf),
    /// None of them.
    Nowhere,
}

impl KeySource {
    /// The key in `EXEC_API_KEY`.
    pub fn variable(text: &str) -> Self {
        Self::Variable(Unchecked(text.to_owned()))
    }

    /// Whether there is any source.
    pub fn is_configured(&self) -> bool {
        *self != Self::Nowhere
    }

    /// Reads the key. Blocks, for a command up to [`PATIENCE`].
    pub fn read(&self) -> Result<ApiKey, KeyError> {
        self.read_within(PATIENCE)
    }

    /// Reads the key; a command that takes longer than `patience` is ended.
    pub fn read_within(&self, patience: Duration) -> Result<ApiKey, KeyError> {
        let text = match self {
            Self::File(path) | Self::Credential(path) => read_file(path)?,
            Self::Command { words, folder } => read_command(words, folder, patience)?,
            Self::Variable(text) => text.0.clone(),
            Self::Nowhere => return Err(KeyError::NoSource),
        };
        ApiKey::parse(&text).map_err(|why| KeyError::Form { source_name: self.to_string(), why })
    }

    /// What a person should know although the key can be read: a file that others can read too.
    pub fn warning(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let mode = std::fs::metadata(path).ok()?.mode();
        let open = mode & 0o077 != 0;
        open.then(|| format!("others on this machine can read {0}; chmod 600 {0}", path.display()))
    }
}

impl fmt::Display for KeySource {
    /// Where the key comes from, never the key: `file …`, `command …`, `EXEC_API_KEY`, `credential …`, `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command { words, .. } => write!(f, "command {}", words.first().map_or("", String::as_str)),
            Self::Variable(_) => f.write_str(VARIABLE),
            Self::Credential(_) => write!(f, "systemd credential {CREDENTIAL}"),
            Self::Nowhere => f.write_str("none"),
        }
    }
}

fn read_file(path: &Path) -> Result<String, KeyError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(READ_AT_MOST).read_to_end(&mut bytes));
    read.map_err(|error| KeyError::Unreadable { path: path.to_owned(), why: error.to_string() })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs the command without a shell and takes what it prints. Its error output is dropped: it may hold a secret.
fn read_command(words: &[String], folder: &Path, patience: Duration) -> Result<String, KeyError> {
    let Some(mut command) = child::of_key(words, folder) else { return Err(KeyError::NoSource) };
    let failed = |why: String| KeyError::Command { program: words.first().cloned().unwrap_or_default(), why };
    let deadline = Instant::now() + patience;
    // No terminal to ask on.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(format!("can't be started: {error}")))?;
    let printed = match gather(&mut child, patience) {
        Some(printed) => wait_until(&mut child, deadline).map(|status| (printed, status)),
        None => None,
    };
    match printed {
        None => {
            end(&mut child);
            Err(failed(format!("did not end within {}; it must not ask anything", duration::format(patience))))
        }
        Some((_, status)) if !status.success() => Err(failed(format!("failed ({status})"))),
        Some((bytes, _)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// What the child prints until it closes its output; `None` if that takes too long.
fn gather(child: &mut Child, patience: Duration) -> Option<Vec<u8>> {
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ended_early = output.take(READ_AT_MOST).read_to_end(&mut bytes);
        let _nobody_waits = sender.send(bytes);
    });
    receiver.recv_timeout(patience).ok()
}

/// How the child ended; `None` if it still runs at `deadline`.
fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

/// Ends the child with all that it started, and waits for it.
fn end(child: &mut Child) {
    child::end_group(child.id());
    let _already_gone = child.kill();
    let _no_child = child.wait();
}

const LIVE: &str = "exec_live_";

/// The first text that looks like a live key.
fn key_at(text: &str) -> Option<Range<usize>> {
    text.match_indices(LIVE).find_map(|(start, _)| {
        let rest = &text[start + LIVE.len()..];
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        (length >= 8).then(|| start..start + LIVE.len() + length)
    })
}

/// Whether a live key stands in a text.
pub(super) fn holds_key(text: &str) -> bool {
    key_at(text).is_some()
}

/// The text with every live key overwritten by as many `x`, and where they stood.
pub(super) fn blot(text: &str) -> (String, Vec<Position>) {
    let (mut text, mut places, mut from) = (text.to_owned(), Vec::new(), 0);
    while let Some(range) = key_at(&text[from..]).map(|range| range.start + from..range.end + from) {
        let before = &text[..range.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        places.push(Position { line, column });
        text.replace_range(range.clone(), &"x".repeat(range.len()));
        from = range.end;
    }
    (text, places)
}

#[cfg(test)]
mod tests;
