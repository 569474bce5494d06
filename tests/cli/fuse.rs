//! A mounted folder whose one file is listed at once and never read: the disk that has died, the cloud that does not answer.
//! Speaks just enough of the kernel's protocol for that.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

const NAME: &[u8] = b"hung.md";
const SIZE: u64 = 100;
const FOLDER: u64 = 1;
const FILE: u64 = 2;

pub struct Stuck {
    at: PathBuf,
    hanging: Arc<Mutex<BTreeSet<u64>>>,
}

impl Stuck {
    /// Mounts it; `None` where that is not allowed.
    pub fn mount(at: &Path) -> Option<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").ok()?;
        let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let options = format!("fd=0,rootmode=40000,user_id={user},group_id={group}");
        let mut mount = Command::new("mount");
        mount.args(["-i", "-t", "fuse", "-o", &options, "stuck"]).arg(at).stdin(Stdio::from(device.try_clone().ok()?));
        if !mount.stderr(Stdio::null()).status().ok()?.success() {
            return None;
        }
        let stuck = Self { at: at.to_owned(), hanging: Arc::default() };
        let hanging = Arc::clone(&stuck.hanging);
        std::thread::spawn(move || serve(device, &hanging));
        Some(stuck)
    }

    /// How many reads hang.
    pub fn hanging(&self) -> usize {
        self.hanging.lock().unwrap().len()
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // What hangs ends with it.
        let _ = Command::new("umount").arg("-f").arg("-l").arg(&self.at).status();
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn serve(mut device: File, hanging: &Mutex<BTreeSet<u64>>) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(length) = device.read(&mut buffer) {
        let request = &buffer[..length];
        let opcode = u32::from_le_bytes(request[4..8].try_into().unwrap());
        let (unique, node, body) = (number(request, 8), number(request, 16), &request[40..]);
        let answer = match opcode {
            // LOOKUP
            1 if body.starts_with(NAME) => Ok([&numbers(&[FILE, 0, 60, 60, 0])[..], &attributes(FILE)].concat()),
            1 => Err(2),
            // FORGET, BATCH_FORGET
            2 | 42 => continue,
            // GETATTR
            3 => Ok([&numbers(&[60, 0])[..], &attributes(node)].concat()),
            // OPEN without a cache, so that each read is told apart and can be called back; OPENDIR
            14 => Ok(numbers(&[node, 1])),
            27 => Ok(numbers(&[node, 0])),
            // READ: never answered, but where the reader was killed or told to end.
            15 => {
                hanging.lock().unwrap().insert(unique);
                continue;
            }
            // INTERRUPT
            36 => {
                let interrupted = number(body, 0);
                hanging.lock().unwrap().remove(&interrupted);
                say(&mut device, interrupted, Err(4));
                continue;
            }
            // RELEASE, RELEASEDIR
            18 | 29 => Ok(Vec::new()),
            // INIT: version 7.31 without anything special.
            26 => Ok([&[7, 0, 0, 0, 31, 0, 0, 0][..], &[0; 8], &numbers(&[0x1000_0000_0000; 1]), &[0; 40]].concat()),
            // READDIR
            28 if number(body, 8) == 0 => {
                let entry = [&numbers(&[FILE, 1])[..], &[7, 0, 0, 0, 8, 0, 0, 0], NAME, &[0]].concat();
                Ok(entry)
            }
            28 => Ok(Vec::new()),
            _ => Err(38),
        };
        say(&mut device, unique, answer);
    }
}

fn say(device: &mut File, unique: u64, answer: Result<Vec<u8>, i32>) {
    let (error, body) = answer.map_or_else(|error| (-error, Vec::new()), |body| (0, body));
    let length = u32::try_from(16 + body.len()).unwrap();
    let answer = [&length.to_le_bytes()[..], &error.to_le_bytes(), &unique.to_le_bytes(), &body].concat();
    // One that nobody waits for any more is refused.
    let _ = device.write_all(&answer);
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn attributes(node: u64) -> Vec<u8> {
    let mode: u32 = if node == FOLDER { 0o40755 } else { 0o100_644 };
    let mut bytes = numbers(&[node, SIZE, 1, 1_700_000_000, 1_700_000_000, 1_700_000_000]);
    bytes.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0_u32].iter().flat_map(|number| number.to_le_bytes()));
    bytes
}
