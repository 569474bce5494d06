//! How a command reaches a running daemon, and what it hears from it. The lock on the state decides whether there is one; a
//! socket that nobody listens on is nothing.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::commands::opening::Unopened;
use crate::daemon::control::{self, Hello, Letter, Order, PROTOCOL, Reply};
use crate::state::error::StateError;
use crate::state::lock::Lock;

/// A daemon holds its lock a moment before it listens.
const STARTING: Duration = Duration::from_secs(2);
/// Between two tries.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long a daemon may take to say who it is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A daemon that listens.
#[derive(Debug)]
pub struct Daemon {
    stream: StdStream,
    pid: Option<u32>,
}

/// A daemon that has taken our order.
#[derive(Debug)]
pub struct Answers {
    lines: BufReader<UnixStream>,
    line: Vec<u8>,
}

/// The daemon of a state; `None` where nobody holds it.
///
/// # Errors
/// Somebody holds it and takes no orders, such as a `sync`.
pub async fn reach(state: &Path) -> Result<Option<Daemon>, Unopened> {
    let deadline = Instant::now() + STARTING;
    loop {
        let Some(holder) = Lock::probe(state)? else { return Ok(None) };
        match control::connect(state) {
            Ok(stream) => return Ok(Some(Daemon { stream, pid: holder.pid })),
            Err(_) if Instant::now() < deadline => tokio::time::sleep(BETWEEN).await,
            Err(_) => return Err(StateError::Locked { path: state.to_owned(), pid: holder.pid }.into()),
        }
    }
}

impl Daemon {
    /// Its process, for people.
    pub fn pid_in_words(&self) -> String {
        self.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    }

    /// Gives it an order.
    ///
    /// # Errors
    /// It does not answer, or is of another version.
    pub async fn order(self, order: Order) -> Result<Answers, Unopened> {
        let pid = self.pid_in_words();
        let silent = |_| {
            Unopened::Later(format!(
                "the daemon{pid} does not answer: see what keeps it (`systemctl status`, its log), or restart it"
            ))
        };
        let mut letter =
            serde_json::to_vec(&Letter { protocol: PROTOCOL, order }).map_err(|error| error.to_string())?;
        letter.push(b'\n');
        let ask = async {
            self.stream.set_nonblocking(true)?;
            let mut stream = UnixStream::from_std(self.stream)?;
            // One that refuses us has answered already, and may not read to the end.
            let _ = stream.write_all(&letter).await;
            let mut answers = Answers { lines: BufReader::new(stream), line: Vec::new() };
            match answers.line().await? {
                Some(hello) => Ok((answers, hello)),
                None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        };
        let (answers, hello) = match timeout(ANSWERS_WITHIN, ask).await {
            Ok(asked) => asked.map_err(silent)?,
            Err(_) => return Err(silent(io::Error::from(io::ErrorKind::TimedOut))),
        };
        match who(&hello) {
            Some(Hello { protocol: PROTOCOL, .. }) => Ok(answers),
            who => {
                let version =
                    who.map_or("another program or version".to_owned(), |it| format!("hubsync {}", it.version));
                let ours = env!("CARGO_PKG_VERSION");
                Err(Unopened::Unusable(format!(
                    "the daemon{pid} is {version}, which does not understand this hubsync {ours}: restart the daemon, or use its version"
                )))
            }
        }
    }
}

impl Answers {
    /// The next line; `None` where the daemon has ended, or says what nobody understands. Nothing is lost when this is dropped
    /// while it waits.
    pub async fn next(&mut self) -> Option<Reply> {
        match self.line().await {
            Ok(Some(line)) => serde_json::from_slice(&line).ok(),
            _ => None,
        }
    }

    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.lines.read_until(b'\n', &mut self.line).await?;
        let line = std::mem::take(&mut self.line);
        Ok((!line.is_empty()).then_some(line))
    }
}

/// Who answers, also where it says more than we know of.
fn who(line: &[u8]) -> Option<Hello> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    serde_json::from_value(value.get("hello")?.clone()).ok()
}
