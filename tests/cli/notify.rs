//! What systemd is told: a datagram socket stands in for it.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::place::{Place, Running, until};

const QUICK: &str = "watch:\n  debounce: 100ms\n";

struct Systemd(UnixDatagram);

impl Systemd {
    fn at(place: &Place) -> Self {
        let socket = UnixDatagram::bind(place.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        Self(socket)
    }

    /// Everything that is told until `wanted` is.
    #[track_caller]
    fn until(&self, wanted: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let n =
                self.0.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted:?} was not told ({error}): {told:?}"));
            let lines = String::from_utf8(bytes[..n].to_vec()).unwrap();
            told.extend(lines.lines().map(str::to_owned));
            if told.iter().any(|line| line.starts_with(wanted)) {
                return told;
            }
        }
    }
}

fn started(place: &Place) -> Running {
    let mut command = place.command(&["run"]);
    command.env("NOTIFY_SOCKET", place.path("notify")).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

#[test]
fn systemd_is_told_when_it_is_ready_how_things_stand_and_when_it_ends() {
    let place = Place::with(QUICK);
    place.same(3);
    place.run(&["sync"]).ends(0);
    let systemd = Systemd::at(&place);
    let daemon = started(&place);
    let told = systemd.until("READY=1");
    assert!(!told.iter().any(|line| line.starts_with("STOPPING")), "{told:?}");
    // Written down at the same moment.
    until("the first scan is planned", || place.json(&["status", "--json"])["daemon"]["running"] == true);
    systemd.until("STATUS=3 in step");
    place.write("p1.md", "---\npage_id: p1\nstatus: publishd\n---\nText.\n");
    systemd.until("STATUS=2 in step, 1 blocked");
    place.run(&["pause"]).ends(0);
    systemd.until("STATUS=2 in step, 1 blocked; paused by a person");
    daemon.signal(Signal::HUP);
    let told = systemd.until("READY=1");
    let at = told.iter().position(|line| line == "RELOADING=1").unwrap();
    assert!(told[at + 1].strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0, "{told:?}");
    daemon.signal(Signal::TERM);
    systemd.until("STOPPING=1");
    assert_eq!(daemon.code(), Some(0));
}

#[test]
fn a_root_that_is_missing_keeps_nobody_from_being_ready() {
    let place = Place::with(QUICK);
    std::fs::remove_dir(place.root()).unwrap();
    let systemd = Systemd::at(&place);
    let _daemon = started(&place);
    systemd.until("READY=1");
}
