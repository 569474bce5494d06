//! A place to try the program in: a scratch folder, a configuration, a stand-in hub on loopback, a clean environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hubsync::sandbox::{Faults, Hub, Model, NewPage, Rule, SANDBOX_KEY, Settings, SharedHub, Status, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub struct Place {
    pub dir: TempDir,
    pub hub: SharedHub,
    pub port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    pub fn new() -> Self {
        Self::with("")
    }

    /// `config`: lines of YAML after `root` and `state`; `URL` in it is the hub's address.
    pub fn with(config: &str) -> Self {
        Self::keyed(SANDBOX_KEY, config)
    }

    /// The same, for a hub that lets in this key.
    pub fn keyed(key: &str, config: &str) -> Self {
        let settings = Settings { key: key.to_owned(), per_minute: 0, per_day: 0, ..Settings::default() };
        let hub = SharedHub::new(Hub::new(Model::new(settings), Faults::new(1, Vec::new())));
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = hub.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                serve(listener, shared, async { drop(stopped.await) }).await.unwrap();
            });
        });
        let port = told.recv().unwrap();
        let place = Self { dir: TempDir::new().unwrap(), hub, port, stop: Some(stop), thread: Some(thread) };
        std::fs::create_dir(place.root()).unwrap();
        place.config(config);
        place
    }

    pub fn config(&self, more: &str) {
        let url = format!("http://127.0.0.1:{}/rest/v1", self.port);
        let hub = if more.contains("hub:") { String::new() } else { "hub:\n  url: URL\n".to_owned() };
        let text = format!("root: ./docs\nstate: ./state.db\n{hub}{more}").replace("URL", &url);
        std::fs::write(self.path("hubsync.yaml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn root(&self) -> PathBuf {
        self.path("docs")
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn doc(&self, id: &str, body: &str) {
        self.write(&format!("{id}.md"), format!("---\npage_id: {id}\ntitle: {id}\nstatus: published\n---\n{body}"));
    }

    /// A published page of this text.
    pub fn page(&self, id: &str, content: &str) {
        let new = NewPage {
            id: Some(id.to_owned()),
            title: id.to_owned(),
            content: content.to_owned(),
            status: Status::Published,
            ..NewPage::default()
        };
        self.hub.lock().model.add_page(hubsync::sandbox::server::clock(), new);
    }

    /// `n` documents with pages that already say the same.
    pub fn same(&self, n: usize) -> Vec<String> {
        let ids: Vec<String> = (0..n).map(|n| format!("p{n}")).collect();
        for id in &ids {
            self.page(id, "Same.\n");
            self.doc(id, "Same.\n");
        }
        ids
    }

    pub fn content(&self, id: &str) -> String {
        self.hub.lock().model.page(id).unwrap().content().unwrap_or_default().to_owned()
    }

    pub fn version(&self, id: &str) -> u64 {
        self.hub.lock().model.page(id).unwrap().version().unwrap_or(0)
    }

    /// Requests since the last call, by method.
    pub fn requests(&self) -> BTreeMap<String, usize> {
        let mut hub = self.hub.lock();
        let mut count = BTreeMap::new();
        for entry in hub.model.log() {
            *count.entry(entry.method.clone()).or_default() += 1;
        }
        hub.model.clear_log();
        count
    }

    pub fn faults(&self, rules: &[&str]) {
        let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        self.hub.lock().faults = Faults::new(1, rules);
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubsync"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home")).env("XDG_STATE_HOME", self.path("xdg")).env("NO_COLOR", "1");
        command.env("EXEC_API_KEY", SANDBOX_KEY).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(args);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{args:?} is no JSON ({error}): {ran:?}"))
    }

    /// Runs it in the background; ended by its pid when dropped.
    pub fn start(&self, args: &[&str]) -> Running {
        let log = std::fs::File::create(self.path("daemon.log")).unwrap();
        let child = self.command(args).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Running(child)
    }

    /// A daemon that has planned its first scan.
    pub fn daemon(&self) -> Running {
        let running = self.start(&["run"]);
        until("the daemon is ready", || {
            let status = self.json(&["status", "--json"]);
            status["daemon"]["running"] == true && status["counts"]["pending"] == 0
        });
        running
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it to its end; one that would stay fails the test.
    #[track_caller]
    pub fn to_the_end(mut command: Command) -> Self {
        let told = TempDir::new().unwrap();
        let [out, err] = ["out", "err"].map(|name| told.path().join(name));
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
        let code = Running(command.spawn().unwrap()).code().unwrap_or(-1);
        let text = |path| String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        Self { code, out: text(out), err: text(err) }
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

pub struct Running(pub Child);

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Its exit code, once it has ended.
    #[track_caller]
    pub fn code(mut self) -> Option<i32> {
        let mut code = None;
        until("the program ends", || {
            let ended = self.0.try_wait().unwrap();
            code = ended.and_then(|status| status.code());
            ended.is_some()
        });
        code
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a condition; fails after a time that only a hung program needs.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(40);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}
