//! A disk that is full, that refuses, or that can't be written to at all: nothing is sent that could not be stored, what is
//! wrong is said with its cure, and all goes on by itself when it is mended.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Resource, Rlimit, geteuid, prlimit};
use serde_json::Value;

use crate::place::{Place, Ran, Running, until};
use crate::state::ends_by_itself;

const QUICK: &str = "watch:\n  debounce: 100ms\n";

/// A small disk of its own, where we may mount one; unmounted when dropped, also by a test that fails.
pub struct Disk(PathBuf);

impl Disk {
    pub fn mount(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=640k,mode=0700", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(&folder).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    /// The same files, read-only from now on, or writable again.
    pub fn remount(&self, how: &str) {
        let output = Command::new("mount").args(["-o", how]).arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        for size in [64 * 1024, 1] {
            let full = loop {
                if let Err(error) = file.write_all(&vec![b'x'; size]) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for flag in [None, Some("-l")] {
            let unmounted = Command::new("umount").args(flag).arg(&self.0).output();
            if unmounted.is_ok_and(|output| output.status.success()) {
                return;
            }
        }
    }
}

/// A daemon whose words are heard. It survives the signal that a limit on the size of files brings.
struct Heard {
    running: Running,
    words: Arc<Mutex<String>>,
}

impl Heard {
    fn start(place: &Place, env: &[(&str, &Path)]) -> Self {
        let hubsync = place.command(&["run"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" run"]).arg(hubsync.get_program());
        shell.env_clear().current_dir(place.dir.path());
        hubsync.get_envs().for_each(|(name, value)| _ = shell.env(name, value.unwrap()));
        shell.envs(env.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let words = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&words));
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap().push_str(&format!("{line}\n")));
        });
        let heard = Self { running: Running(child), words };
        until("the daemon is ready", || {
            let status = status(place, env);
            status["daemon"]["running"] == true && status["counts"]["pending"] == 0
        });
        heard
    }

    fn words(&self) -> String {
        self.words.lock().unwrap().clone()
    }

    fn limit_files(&self, bytes: Option<u64>) {
        let pid = Pid::from_child(&self.running.0);
        prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }
}

fn status(place: &Place, env: &[(&str, &Path)]) -> Value {
    let output = place.command(&["status", "--json"]).envs(env.iter().copied()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn run(place: &Place, args: &[&str], env: &[(&str, &Path)]) -> Ran {
    Ran::of(place.command(args).envs(env.iter().copied()).output().unwrap())
}

/// All that both ways of running out of room have in common: `fill` takes the room away, `free` gives it back.
fn nothing_is_sent_until_there_is_room(
    place: &Place,
    daemon: &Heard,
    env: &[(&str, &Path)],
    words: &[&str],
    (fill, free): (impl FnOnce(), impl FnOnce()),
) {
    place.requests();
    fill();
    place.doc("p0", "New.\n");
    place.doc("p1", "New.\n");
    until("it says what is wrong", || words.iter().all(|words| daemon.words().contains(words)));
    // A look may have been made before; nobody can keep another.
    let before = place.requests();
    until("it has been tried again", || {
        let status = status(place, env);
        status["counts"]["pending"] == 2 && status["counts"]["in_step"] == 1
    });
    assert!(!daemon.words().contains("damaged"), "{}", daemon.words());
    assert!(!before.contains_key("PATCH") && before.get("GET").is_none_or(|gets| *gets <= 1), "{before:?}");
    assert_eq!((place.version("p0"), place.version("p1")), (1, 1));
    assert!(place.requests().is_empty(), "a disk that is full costs requests");
    free();
    until("all goes on by itself", || place.content("p0") == "New.\n" && place.content("p1") == "New.\n");
    until("and stands well", || {
        let status = status(place, env);
        status["hub"]["state"] == "ok" && status["counts"]["in_step"] == 3
    });
    assert_eq!((place.version("p0"), place.version("p1")), (2, 2), "each arrives once");
    assert_eq!(place.requests()["PATCH"], 2);
}

fn full_by_limit() {
    let place = Place::with(QUICK);
    place.same(3);
    place.run(&["sync"]).ends(0);
    let daemon = Heard::start(&place, &[]);
    let words = ["can't be written", "the size of files limited", "nothing is sent"];
    let room = (|| daemon.limit_files(Some(1)), || daemon.limit_files(None));
    nothing_is_sent_until_there_is_room(&place, &daemon, &[], &words, room);
}

#[test]
fn a_full_disk_of_the_state_sends_nothing_and_recovers_alone() {
    full_disk("HUBSYNC_STATE", "state.db");
}

#[test]
fn a_full_disk_of_the_ledger_sends_nothing_and_recovers_alone() {
    full_disk("XDG_STATE_HOME", "");
}

fn full_disk(variable: &str, file: &str) {
    let place = Place::with(QUICK);
    let Some(disk) = Disk::mount(place.path("disk")) else {
        println!("a disk can't be mounted here: RLIMIT_FSIZE ran instead");
        return full_by_limit();
    };
    println!("a small tmpfs ran");
    let on_disk = if file.is_empty() { disk.0.clone() } else { disk.0.join(file) };
    let env = [(variable, on_disk.as_path())];
    place.same(3);
    run(&place, &["sync"], &env).ends(0);
    let daemon = Heard::start(&place, &env);
    let room = (
        || {
            disk.fill();
            let ran = run(&place, &["status"], &env).ends(75);
            assert!(ran.out.contains("hub paused: no space left on the disk of"), "{ran:?}");
            assert!(ran.out.contains("make room"), "{ran:?}");
        },
        || fs::remove_file(disk.0.join("filler")).unwrap(),
    );
    let words = ["no space left on the disk of", "make room", "nothing is sent"];
    nothing_is_sent_until_there_is_room(&place, &daemon, &env, &words, room);
    // Started without room: nothing is sent, and it is worth another try.
    drop(daemon);
    disk.fill();
    place.doc("p2", "New.\n");
    place.requests();
    let ran = run(&place, &["sync"], &env).ends(75);
    assert!(ran.said().contains("no space left") && !ran.said().contains("damaged"), "{ran:?}");
    assert!(!place.requests().contains_key("PATCH"));
    fs::remove_file(disk.0.join("filler")).unwrap();
    run(&place, &["sync"], &env).ends(0);
    assert_eq!((place.content("p2").as_str(), place.version("p2")), ("New.\n", 2));
}

#[test]
fn a_limit_on_the_size_of_files_sends_nothing_and_recovers_alone() {
    full_by_limit();
}

#[test]
fn a_state_on_a_read_only_disk_ends_the_start_and_is_still_read() {
    let place = Place::with(QUICK);
    let Some(disk) = Disk::mount(place.path("disk")) else {
        println!("a disk can't be mounted here: only the folder without write right ran");
        return;
    };
    let state = disk.0.join("state.db");
    let env = [("HUBSYNC_STATE", state.as_path())];
    place.same(2);
    run(&place, &["sync"], &env).ends(0);
    place.doc("p0", "New.\n");
    disk.remount("remount,ro");
    place.requests();
    for command in ["run", "sync"] {
        let ran = ends_by_itself(&place, place.command(&[command]).envs(env)).ends(2);
        assert!(ran.err.contains("disk/state.db") && ran.err.contains("can't be read and written"), "{ran:?}");
        assert!(ran.err.contains("make it and its folder readable and writable"), "{ran:?}");
    }
    assert!(place.requests().is_empty());
    let ran = run(&place, &["status"], &env).ends(75);
    assert!(ran.out.contains("hub paused") && ran.out.contains("p0.md: pending"), "{ran:?}");
    disk.remount("remount,rw");
    run(&place, &["sync"], &env).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
}

#[test]
fn a_state_folder_without_write_right_ends_the_start() {
    use std::os::unix::fs::PermissionsExt as _;
    const NOBODY: &str = "65534";
    let place = Place::with(QUICK);
    place.same(1);
    fs::create_dir(place.path("locked")).unwrap();
    let mode = |name: &str, mode| fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("locked", 0o555);
    mode("", 0o755);
    fs::create_dir(place.path("xdg")).unwrap();
    mode("xdg", 0o777);
    for command in ["run", "sync"] {
        let plain = place.command(&[command]);
        let mut command = if geteuid().is_root() {
            // Permissions don't bind root.
            let mut other = Command::new("setpriv");
            other.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(plain.get_program());
            other.args(plain.get_args()).current_dir(place.dir.path()).env_clear();
            plain.get_envs().for_each(|(name, value)| _ = other.env(name, value.unwrap()));
            other
        } else {
            plain
        };
        let ran = ends_by_itself(&place, command.env("HUBSYNC_STATE", "./locked/state.db")).ends(2);
        assert!(ran.err.contains("locked/state.db") && ran.err.contains("can't be read and written"), "{ran:?}");
    }
    assert!(place.requests().is_empty());
}
