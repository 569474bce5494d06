//! `hubsync doctor`: each failing state is made, named by its layer, and told with its cure.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hubsync::sandbox::SANDBOX_KEY;
use serde_json::Value;

use crate::place::{Place, Ran, until};
use crate::stub::{Stub, Then, error, http};

/// What was found: `doctor --json`, and how it ended.
struct Found {
    code: i32,
    report: Value,
}

fn doctor(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Found {
    let mut command = place.command(&["doctor", "--json"]);
    command.args(args).envs(env.iter().copied());
    let ran = Ran::to_the_end(command);
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("no JSON ({error}): {ran:?}"));
    assert_eq!(report["exit"], ran.code, "{ran:?}");
    assert_eq!(report["schema"], 1);
    assert!(!ran.said().contains(SANDBOX_KEY), "{ran:?}");
    Found { code: ran.code, report }
}

impl Found {
    fn of(place: &Place) -> Self {
        doctor(place, &[], &[])
    }

    fn all(&self, check: &str) -> Vec<&Value> {
        self.report["checks"].as_array().unwrap().iter().filter(|found| found["check"] == check).collect()
    }

    fn problems(&self) -> Vec<&Value> {
        self.report["checks"].as_array().unwrap().iter().filter(|found| found["state"] == "problem").collect()
    }

    /// There is one problem: it is this check's, it says these words, its cure says those, and it ends so.
    #[track_caller]
    fn only(&self, code: i32, check: &str, words: &str, cure: &str) {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{:#}", self.report);
        assert_eq!((self.code, problems[0]["check"].as_str().unwrap()), (code, check), "{:#}", self.report);
        assert!(problems[0]["message"].as_str().unwrap().contains(words), "{words}: {:#}", problems[0]);
        assert!(problems[0]["cure"].as_str().unwrap().contains(cure), "{cure}: {:#}", problems[0]);
    }

    #[track_caller]
    fn well(&self) {
        assert_eq!((self.code, self.problems().len()), (0, 0), "{:#}", self.report);
    }
}

fn at(url: &str) -> Place {
    let place = Place::with(&format!("hub:\n  url: {url}\n"));
    place.doc("p0", "Text.\n");
    place
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A port of this machine on which nobody listens.
fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn where_all_is_well_it_says_so_with_one_request_that_counts() {
    let place = Place::new();
    place.same(2);
    place.run(&["sync"]).ends(0);
    place.requests();
    let used = || place.json(&["status", "--json"])["budget"]["minute"]["used"].as_u64().unwrap();
    let before = used();
    let ran = place.run(&["doctor"]).ends(0);
    assert!(ran.out.ends_with("all is well\n"), "{ran:?}");
    assert_eq!(place.requests()["GET"], 1);
    assert_eq!(used(), before + 1, "it took its slot");
    let found = doctor(&place, &["--offline"], &[]);
    found.well();
    assert!(place.requests().is_empty(), "--offline leaves the network alone");
    assert_eq!(used(), before + 1);
    for check in ["config", "state", "ledger", "daemon", "root", "watch", "key", "permissions"] {
        assert_eq!(found.all(check).len(), 1, "{check}: {:#}", found.report);
    }
    assert_eq!(found.all("http")[0]["state"], "skipped");
    let found = Found::of(&place);
    for check in ["name", "connection", "proxy", "http", "clock"] {
        assert_eq!(found.all(check)[0]["state"], "ok", "{check}: {:#}", found.report);
    }
    assert!(found.all("key")[1]["message"].as_str().unwrap().starts_with("accepted"));
    // Beside a daemon it looks, and disturbs nobody.
    let daemon = place.daemon();
    let found = Found::of(&place);
    found.well();
    assert!(found.all("daemon")[0]["message"].as_str().unwrap().contains(&daemon.0.id().to_string()));
    drop(daemon);
}

#[test]
fn nothing_is_made_where_nothing_was() {
    let place = Place::new();
    place.doc("p0", "Text.\n");
    doctor(&place, &["--offline"], &[]).well();
    assert!(!place.path("state.db").exists() && !place.path("xdg").exists());
}

#[test]
fn a_configuration_that_can_not_be_used_is_2_with_all_that_is_wrong() {
    let place = Place::with("watsh: 1\nhub:\n  url: http://example.invalid/\n");
    let found = Found::of(&place);
    assert_eq!((found.code, found.problems().len()), (2, 2), "{:#}", found.report);
    let place = Place::new();
    place.doc("p0", "Text.\n");
    let found = doctor(&place, &[], &[("HUBSYNC_STATE", place.path("docs/state.db").to_str().unwrap())]);
    found.only(2, "config", "would lie in the root", "");
    place.config("publish:\n  conflict_check: false\n");
    let found = doctor(&place, &["--offline"], &[]);
    found.well();
    assert_eq!(found.all("config")[1]["state"], "warning");
}

#[test]
fn a_key_that_is_missing_unreadable_malformed_open_or_refused() {
    let place = Place::new();
    place.doc("p0", "Text.\n");
    let found = doctor(&place, &[], &[("EXEC_API_KEY", "")]);
    found.only(2, "key", "there is no API key", "Settings > API");
    let found = doctor(&place, &[], &[("EXEC_API_KEY", "two words")]);
    found.only(2, "key", "holds spaces", "one line");
    let found = doctor(&place, &[], &[("EXEC_API_KEY", "exec_live_thewrongonethewrongone")]);
    found.only(2, "key", "refuses the key (401)", "make a new one");

    let file = place.path("key");
    let by_file = [("HUBSYNC_HUB__API_KEY_FILE", file.to_str().unwrap())];
    doctor(&place, &[], &by_file).only(2, "key", "can't be read", "let this user read");
    std::fs::write(&file, SANDBOX_KEY).unwrap();
    chmod(&file, 0o644);
    doctor(&place, &[], &by_file).only(1, "key", "(mode 644)", "chmod 600");
    chmod(&file, 0o600);
    doctor(&place, &[], &by_file).well();
    let by_command = [("HUBSYNC_HUB__API_KEY_COMMAND", "[\"false\"]")];
    doctor(&place, &[], &by_command).only(2, "key", "(false) failed", "by hand");
}

#[test]
fn each_layer_on_the_way_is_named() {
    at("https://hub.invalid/rest/v1").looked().only(1, "name", "hub.invalid is not found", "hub.url");
    at(&format!("http://127.0.0.1:{}/rest/v1", closed())).looked().only(1, "connection", "127.0.0.1", "hub.url");
    // A proxy that is not there, and one that leads nowhere.
    let place = at("https://hub.invalid/rest/v1");
    let gone = format!("http://me:secret@127.0.0.1:{}", closed());
    let found = doctor(&place, &[], &[("HTTPS_PROXY", &gone)]);
    found.only(1, "connection", "127.0.0.1", "no_proxy");
    assert!(!found.report.to_string().contains("secret"), "{:#}", found.report);
    let refusing = Stub::acting(|call| {
        call.say(http(&(407, String::new()), ""));
        Then::HangUp
    });
    let proxy = refusing.url.trim_end_matches("/rest/v1").to_owned();
    doctor(&place, &[], &[("HTTPS_PROXY", &proxy)]).only(1, "proxy", "does not lead to hub.invalid:443", "https_proxy");
    assert_eq!(refusing.count("CONNECT hub.invalid:443"), 1);
    assert!(!refusing.heard(SANDBOX_KEY), "a proxy is not shown the key");
    doctor(&place, &[], &[("HTTPS_PROXY", &proxy), ("NO_PROXY", "hub.invalid")]).only(1, "name", "hub.invalid", "");
    // A hub on this machine is not reached through any.
    let place = Place::new();
    place.doc("p0", "Text.\n");
    refusing.requests();
    let all = [("HTTP_PROXY", proxy.as_str()), ("HTTPS_PROXY", &proxy), ("ALL_PROXY", &proxy)];
    let found = doctor(&place, &[], &all);
    found.well();
    assert!(found.all("proxy")[0]["message"].as_str().unwrap().contains("on this machine"));
    assert!(refusing.requests().is_empty());
}

impl Place {
    fn looked(&self) -> Found {
        Found::of(self)
    }
}

#[test]
fn what_answers_and_is_not_the_hub_is_told() {
    let html = |_: &str| (200, "<html>LOG IN</html>".to_owned());
    let place = at(&Stub::new(html).url);
    let found = place.looked();
    found.only(1, "http", "is not the hub", "log in to the network");
    assert!(!found.report.to_string().contains("LOG IN"), "{:#}", found.report);
    at(&Stub::new(|_| error(302, "")).url).looked().only(1, "http", "a redirect to http://127.0.0.1:1/", "hub.url");
    at(&Stub::new(|_| error(404, "no")).url).looked().only(1, "http", "404", "hub.url");
    at(&Stub::new(|_| error(403, "no right")).url).looked().only(2, "key", "403", "right to the Knowledge Hub");
    at(&Stub::new(|_| error(503, "no")).url).looked().only(75, "http", "503", "wait");
    let place = at(&Stub::new(|_| error(429, "no")).url);
    place.looked().only(75, "http", "429", "wait");
    let silent = Stub::acting(|_| Then::HangUp);
    at(&silent.url).looked().only(1, "http", "no answer came", "try again");
}

#[test]
fn tls_is_told_from_what_is_not_and_its_issuer_is_named() {
    // Plain text where TLS should be.
    let plain = Stub::new(|_| error(400, "no"));
    let place = at(&plain.url.replace("http:", "https:"));
    place.looked().only(1, "tls", "does not speak TLS", "hub.url");

    let port = serve_tls();
    let place = at(&format!("https://localhost:{port}/rest/v1"));
    place.looked().only(1, "tls", "is not trusted", "hub.ca_file");
    let message = place.looked().problems()[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("issued by \"hubsync test authority\""), "{message}");
    place.config("hub:\n  url: URL\n  ca_file: ./none.pem\n");
    place.looked().only(2, "tls", "none.pem", "hub.ca_file");
}

/// A server whose certificate nobody trusts.
fn serve_tls() -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = include_bytes!("../../src/hub/client/tls/server.pem");
    let key = include_bytes!("../../src/hub/client/tls/server.key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            CertificateDer::pem_slice_iter(certificate).map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_slice(key).unwrap(),
        )
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut connection = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
            // Whoever does not trust it hangs up.
            let _ = connection.complete_io(&mut socket);
            let _ = connection.writer().flush();
            let _ = socket.read(&mut [0; 1]);
        }
    });
    port
}

#[test]
fn a_clock_that_is_off_is_told() {
    let workspace = r#"{"id": "w", "name": "W", "url_slug": "w"}"#;
    for (seconds, words) in [(600, "behind"), (-600, "ahead of")] {
        let stub = Stub::acting(move |call| {
            let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT");
            call.say(http(&(200, workspace.to_owned()), &format!("Date: {date}\r\n")));
            Then::KeepOpen
        });
        at(&stub.url).looked().only(1, "clock", words, "set-ntp");
    }
}

/// What readers leave beside a database belongs to the file that was there.
fn without_log(path: &Path) {
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

#[test]
fn the_state_is_looked_through_and_left_as_it_is() {
    let place = Place::new();
    place.same(2);
    place.run(&["sync"]).ends(0);
    let state = place.path("state.db");
    let ledger = place.path("xdg/hubsync/usage.db");
    chmod(&state, 0o640);
    Found::of(&place).only(1, "permissions", "state.db (mode 640)", "chmod 600");
    chmod(&state, 0o600);
    without_log(&state);
    chmod(ledger.parent().unwrap(), 0o755);
    Found::of(&place).only(1, "permissions", "(mode 755)", "chmod 700");
    chmod(ledger.parent().unwrap(), 0o700);

    let sound = std::fs::read(&state).unwrap();
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0x55);
    // One that only a look at every row finds.
    let at = sound.windows(9).position(|part| part == b"budget_of").unwrap();
    let mut renamed = sound.clone();
    renamed[at + 8] = b'g';
    for (text, code, words, cure) in [
        (renamed, 1, "was changed", "no text is lost"),
        (damaged, 1, "damaged", "no text is lost"),
        (b"no database at all, but long enough to be told from an empty file".to_vec(), 1, "damaged", "moves it aside"),
    ] {
        without_log(&state);
        std::fs::write(&state, &text).unwrap();
        Found::of(&place).only(code, "state", words, cure);
        assert_eq!(std::fs::read(&state).unwrap(), text, "it was left as it is");
    }
    without_log(&state);
    std::fs::write(&state, &sound).unwrap();
    rusqlite::Connection::open(&state).unwrap().pragma_update(None, "user_version", 99).unwrap();
    Found::of(&place).only(2, "state", "newer hubsync", "newer");
    without_log(&state);
    std::fs::write(&state, &sound).unwrap();

    without_log(&ledger);
    let sound = std::fs::read(&ledger).unwrap();
    std::fs::write(&ledger, b"no database at all, but long enough to be told from an empty file").unwrap();
    place.requests();
    let found = Found::of(&place);
    assert_eq!((found.code, found.all("ledger")[0]["state"].as_str()), (1, Some("problem")), "{:#}", found.report);
    assert!(place.requests().is_empty(), "what can't be counted is not sent");
    assert!(std::fs::read(&ledger).unwrap().starts_with(b"no database"), "it was left as it is");
    without_log(&ledger);
    std::fs::write(&ledger, sound).unwrap();
    Found::of(&place).well();
}

#[test]
fn a_place_for_the_state_that_can_not_be_written_to_is_2() {
    let place = Place::new();
    place.doc("p0", "Text.\n");
    std::fs::write(place.path("file"), "x").unwrap();
    let inside_a_file = place.path("file/state.db");
    let found = doctor(&place, &["--offline"], &[("HUBSYNC_STATE", inside_a_file.to_str().unwrap())]);
    assert_eq!(found.code, 2, "{:#}", found.report);
    let told = found.all("permissions");
    assert!(told[0]["message"].as_str().unwrap().contains("is not a folder"), "{told:?}");
    let Some(disk) = crate::disk::Disk::mount(place.path("disk")) else { return };
    disk.remount("remount,ro");
    let state = place.path("disk/state.db");
    let found = doctor(&place, &["--offline"], &[("HUBSYNC_STATE", state.to_str().unwrap())]);
    found.only(2, "permissions", "mounted read-only", "mount it writable");
}

#[test]
fn a_root_that_is_missing_empty_or_partly_closed_is_told() {
    let place = Place::new();
    let found = Found::of(&place);
    found.well();
    assert_eq!(found.all("root")[0]["state"], "warning", "there is no document: {:#}", found.report);
    std::fs::remove_dir(place.root()).unwrap();
    Found::of(&place).only(2, "root", "is not there", "mount it");
    std::fs::write(place.root(), "x").unwrap();
    Found::of(&place).only(2, "root", "is not a folder", "correct `root`");
}

#[test]
fn a_git_checkout_is_looked_at() {
    let place = Place::new();
    place.doc("p0", "Text.\n");
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(args).current_dir(place.root());
        git.env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", place.path("home"))
            .output()
            .is_ok_and(|said| said.status.success())
    };
    if !git(&["init", "-q", "-b", "trunk"]) {
        return;
    }
    let found = || doctor(&place, &["--offline"], &[]);
    assert!(found().all("git")[0]["message"].as_str().unwrap().contains("on branch trunk"));
    assert!(git(&["add", "."]) && git(&["commit", "-q", "-m", "x"]) && git(&["checkout", "-q", "--detach"]));
    found().well();
    assert!(found().all("git")[0]["message"].as_str().unwrap().contains("detached HEAD"));
    std::fs::write(place.root().join(".git/index.lock"), "").unwrap();
    assert!(found().all("git")[1]["message"].as_str().unwrap().contains("index.lock"));
    let without = doctor(&place, &["--offline"], &[("PATH", "/nowhere")]);
    without.well();
    assert!(without.all("git")[0]["message"].as_str().unwrap().contains("git can't be run"));
}

#[test]
fn a_day_that_is_spent_is_later() {
    let place = Place::with("hub:\n  url: URL\n  requests_per_day: 1\n");
    place.doc("p0", "Text.\n");
    Found::of(&place).well();
    Found::of(&place).only(75, "http", "spent until", "--offline");
    until("one request was sent", || place.requests().values().sum::<usize>() == 1);
}
