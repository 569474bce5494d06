//! The daemon's socket, `<state>.sock`: one order in (a line of JSON), lines of JSON out until it is done; then the daemon closes.
//!
//! Promises: nobody but this user (and root) can connect at any moment, because the socket is made in a private folder and
//! moved to its place with its mode; who connects is asked for their uid all the same. Whatever is sent, however slowly and by
//! however many, costs bounded memory and no time of the event loop. The lock on the state decides who is the daemon, never the
//! socket: one that is left behind is replaced by the next daemon. A connection whose other end closes, or goes on talking,
//! gives its order up. Only `event_loop` takes orders; `commands` connect by [`connect`].

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::engine::change::{FileChange, LogEntry};
use crate::page::{Digest, PageId, Wall};
use crate::reconcile::names::Names;
use crate::reconcile::page_record::{Resolution, Seen};

/// What both sides must agree on; raised when an order or an answer means something else than before.
pub const PROTOCOL: u32 = 2;

/// The longest path of a socket on any system of ours.
const LONGEST_PATH: usize = 103;
/// The longest name of a socket; a longer one is replaced by a digest.
const LONGEST_NAME: usize = 40;
/// The longest order, in bytes: some thousand paths.
pub const LONGEST_ORDER: usize = 1 << 18;
/// How long an order may take to come in.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one line of an answer may take to be read at the other end.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// So many connections may be without an order at once; more wait.
const READING: usize = 64;
/// So many orders may be under way at once; more are refused.
const ORDERS: usize = 32;
/// So many lines wait for their reader; more are left out, but for the last.
const LINES: usize = 256;

/// A line in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// [`PROTOCOL`] of whoever wrote it.
    pub protocol: u32,
    /// What is to be done.
    pub order: Order,
}

/// What a daemon can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Publish now, and say when it is done.
    Sync(SyncOrder),
    /// Send nothing until then; `None`: until told to go on.
    Pause(Option<Wall>),
    /// Go on.
    Resume,
    /// A document was written, or why not: the answer to a [`Reply::Write`].
    Wrote {
        /// Which.
        write: u64,
        /// Why not.
        failed: Option<String>,
    },
    /// Forget what is remembered of a page.
    Forget(PageId),
    /// A page was looked at and its document written (`hubsync pull`).
    Met(Box<MetOrder>),
}

/// `hubsync sync` beside a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncOrder {
    /// The root that the paths are seen from, percent-encoded: the daemon may keep another.
    pub root: String,
    /// Documents and folders seen from the root, percent-encoded; none: everything.
    pub paths: Vec<String>,
    /// `--confirm-archive`.
    #[serde(default)]
    pub confirm_archive: bool,
    /// `--create`.
    #[serde(default)]
    pub create: bool,
    /// `--first-meeting`: `local` or `hold`.
    pub first_meeting: Option<FirstMeeting>,
    /// `--max-wait`, in milliseconds.
    pub max_wait: u64,
    /// `--confirm-root`.
    pub confirm_root: bool,
    /// `--confirm-rewrite`.
    #[serde(default)]
    pub confirm_rewrite: bool,
    /// What a person decided (`hubsync resolve`).
    #[serde(default)]
    pub decided: Vec<(PageId, Resolution)>,
    /// `--strict`.
    pub strict: bool,
}

/// What `hubsync pull` saw of a page beside a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetOrder {
    /// The root that the path is seen from, percent-encoded: the daemon may keep another.
    pub root: String,
    /// The page.
    pub page: PageId,
    /// Its document, percent-encoded.
    pub path: String,
    /// Its marks.
    pub seen: Seen,
    /// How long ago it was asked for, in milliseconds.
    pub age: u64,
    /// The hub's clock at the answer.
    pub date: Option<Wall>,
    /// Tables of names that were read for it.
    pub names: Option<Box<Names>>,
}

/// Who wins at a first meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstMeeting {
    /// The document.
    Local,
    /// Nobody.
    Hold,
}

/// A line out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Always the first.
    Hello(Hello),
    /// Nothing is done. The last.
    Refused {
        /// Cause and cure.
        why: String,
        /// How the command ends.
        exit: u8,
    },
    /// Something was done to the hub.
    Did(LogEntry),
    /// A document is to be written; answered by an [`Order::Wrote`] of its own.
    Write(WriteOrder),
    /// That was taken in. The last.
    Taken,
    /// What was met was taken in, and is kept; and what keeps the page from being in step, if something does. The last.
    Met(Option<String>),
    /// How far it is.
    Progress(Progress),
    /// `sync` is done. The last.
    Done(Reported),
    /// `pause` or `resume` is done. The last.
    Standing(Standing),
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`PROTOCOL`].
    pub protocol: u32,
    /// Its version, for people.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

/// What a command is to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOrder {
    /// By which its answer finds home.
    pub write: u64,
    /// The document, percent-encoded.
    pub path: String,
    /// What it is to say.
    pub change: FileChange,
}

/// How far an order is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Pages that want nothing more.
    pub done: u64,
    /// Pages of the order.
    pub total: u64,
    /// Pages that wait.
    pub pending: u64,
    /// Until when, where one thing keeps them all.
    pub until: Option<String>,
    /// What keeps them.
    pub reason: Option<String>,
}

/// The report of a `sync`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// How the command ends.
    pub exit: u8,
    /// As `--json` prints it.
    pub json: String,
    /// As people read it.
    pub text: Vec<String>,
    /// Documents that can't be published as they are, percent-encoded: for the caret.
    pub blocked: Vec<String>,
}

/// How a pause stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether there is a pause by now.
    pub paused: bool,
    /// Whether there was one.
    pub was_paused: bool,
    /// Requests that had left before, and are not answered yet.
    pub under_way: usize,
    /// Why it would not outlive a restart.
    pub unkept: Option<String>,
    /// Until when the hub itself wants nothing.
    pub hub_until: Option<Wall>,
}

/// An order, and where its answers go.
#[derive(Debug)]
pub struct Asked {
    /// What is to be done.
    pub order: Order,
    /// Who waits for it.
    pub replies: Replies,
}

/// The way back. Dropped without an end, the other side is told that the daemon has ended.
#[derive(Debug)]
pub struct Replies {
    lines: mpsc::Sender<Reply>,
    last: OwnedPermit<Reply>,
}

impl Replies {
    fn new() -> Option<(Self, mpsc::Receiver<Reply>)> {
        let (lines, outbox) = mpsc::channel(LINES);
        let last = lines.clone().try_reserve_owned().ok()?;
        Some((Self { lines, last }, outbox))
    }

    /// One more line. A reader who is too slow misses it.
    pub fn tell(&self, reply: Reply) {
        drop(self.lines.try_send(reply));
    }

    /// The same for a line that must not be missed; whether it will be read.
    pub fn tell_surely(&self, reply: Reply) -> bool {
        self.lines.try_send(reply).is_ok()
    }

    /// Whether nobody waits any more.
    pub fn is_closed(&self) -> bool {
        self.lines.is_closed()
    }

    /// The last line.
    pub fn end(self, reply: Reply) {
        self.last.send(reply);
    }
}

/// The socket in its place; removed when this is dropped.
#[derive(Debug)]
pub struct Control {
    asked: mpsc::Receiver<Asked>,
    path: Option<PathBuf>,
}

impl Control {
    /// No socket: nobody can order anything.
    pub fn none() -> Self {
        Self { asked: mpsc::channel(1).1, path: None }
    }

    /// Makes the socket of a state, whose lock the caller holds, and takes orders from now on. Must be called inside the runtime.
    ///
    /// # Errors
    /// Where no socket can be made there.
    pub fn open(state: &Path) -> io::Result<Self> {
        let path = socket_of(state);
        let listener = make(&path)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let (tell, asked) = mpsc::channel(READING);
        tokio::spawn(accept(listener, tell));
        Ok(Self { asked, path: Some(path) })
    }

    /// The next order. Safe to drop while it waits; never, where there is no socket.
    pub async fn next(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // One that can't be removed is replaced by the next daemon.
            drop(fs::remove_file(path));
        }
    }
}

/// Where the socket of a state lies: beside it, under a name that is short enough for any system.
pub fn socket_of(state: &Path) -> PathBuf {
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push(".sock");
    if name.len() > LONGEST_NAME {
        let mut hex = Digest::of(name.as_encoded_bytes()).to_hex();
        hex.truncate(16);
        return state.with_file_name(format!("{hex}.sock"));
    }
    state.with_file_name(name)
}

/// Connects to the daemon of a state. Blocks for a moment at the most.
///
/// # Errors
/// Where there is no socket, or nobody listens any more.
pub fn connect(state: &Path) -> io::Result<StdStream> {
    by_short_path(&socket_of(state), |path| StdStream::connect(path))
}

/// Makes the socket under another name, in a folder that is nobody else's, and moves it to its place.
fn make(path: &Path) -> io::Result<StdListener> {
    let folder = path.with_extension("sock.new");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("s");
    let listener = by_short_path(&made, |short| StdListener::bind(short)).and_then(|listener| {
        fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    drop(fs::remove_dir_all(&folder));
    listener
}

/// A path that is too long for the system is reached by a link in a folder of our own, for as long as it takes.
fn by_short_path<T>(path: &Path, reach: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    if path.as_os_str().len() <= LONGEST_PATH {
        return reach(path);
    }
    let own = tempfile::Builder::new().prefix("hs").tempdir()?;
    let link = own.path().join("d");
    std::os::unix::fs::symlink(parent, &link)?;
    reach(&link.join(name))
}

async fn accept(listener: UnixListener, tell: mpsc::Sender<Asked>) {
    let (reading, orders) = (Arc::new(Semaphore::new(READING)), Arc::new(Semaphore::new(ORDERS)));
    while !tell.is_closed() {
        let Ok(place) = reading.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, place, orders.clone(), tell.clone()))),
            // Out of file descriptors, most likely: others must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// One connection, from its order to its end.
async fn serve(mut stream: UnixStream, place: OwnedSemaphorePermit, orders: Arc<Semaphore>, tell: mpsc::Sender<Asked>) {
    if !is_ours(&stream) {
        return;
    }
    let Ok(Ok(line)) = timeout(PATIENCE, read_line(&mut stream)).await else { return };
    drop(place);
    let hello = Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() };
    if write(&mut stream, &Reply::Hello(hello)).await.is_err() {
        return;
    }
    let order = match read(&line) {
        Ok(order) => order,
        Err(why) => return drop(write(&mut stream, &Reply::Refused { why, exit: 2 }).await),
    };
    let (Ok(_under_way), Some((replies, outbox))) = (orders.try_acquire_owned(), Replies::new()) else {
        let why = format!("{ORDERS} orders are under way already; try again when some of them are done");
        return drop(write(&mut stream, &Reply::Refused { why, exit: 75 }).await);
    };
    if tell.send(Asked { order, replies }).await.is_ok() {
        answer(stream, outbox).await;
    }
}

/// Writes what is answered, until it ends or the other side does.
async fn answer(mut stream: UnixStream, mut outbox: mpsc::Receiver<Reply>) {
    let (mut from, mut to) = stream.split();
    let mut more = [0; 64];
    loop {
        tokio::select! {
            biased;
            reply = outbox.recv() => match reply {
                Some(reply) if write(&mut to, &reply).await.is_ok() => {}
                _ => return,
            },
            _ = from.read(&mut more) => return,
        }
    }
}

/// Whether the other side is this user, or root.
fn is_ours(stream: &UnixStream) -> bool {
    let us = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == us || peer.uid() == 0)
}

async fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut part = [0; 4096];
    loop {
        let n = stream.read(&mut part).await?;
        line.extend_from_slice(&part[..n]);
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            return Ok(line);
        }
        if n == 0 || line.len() > LONGEST_ORDER {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
}

/// The order of a line. Another protocol is told before anything else of it is looked at.
fn read(line: &[u8]) -> Result<Order, String> {
    #[derive(Deserialize)]
    struct Envelope {
        protocol: u32,
    }
    let ours = env!("CARGO_PKG_VERSION");
    match serde_json::from_slice::<Envelope>(line) {
        Ok(Envelope { protocol }) if protocol != PROTOCOL => {
            Err(format!("the daemon is hubsync {ours}, which takes other orders; restart it, or use that version"))
        }
        _ => serde_json::from_slice::<Letter>(line)
            .map(|letter| letter.order)
            .map_err(|error| format!("this is no order for hubsync {ours}: {error}")),
    }
}

async fn write(stream: &mut (impl tokio::io::AsyncWrite + Unpin), reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply).map_err(io::Error::other)?;
    line.push(b'\n');
    timeout(READ_WITHIN, stream.write_all(&line)).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
