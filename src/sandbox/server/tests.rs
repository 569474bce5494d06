//! A real socket on loopback: what arrives, what is refused, and each fault as a client meets it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::sandbox::faults::Rule;
use crate::sandbox::model::{NewPage, SANDBOX_KEY, Settings, Status};

/// A sandbox on a free port, in a thread of its own.
struct Sandbox {
    hub: SharedHub,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<std::io::Result<()>>>,
}

impl Sandbox {
    fn new(rules: &[&str]) -> Sandbox {
        let mut model = Model::new(Settings::default());
        let page = NewPage {
            id: Some("p1".into()),
            title: "a".into(),
            content: "live".into(),
            status: Status::Published,
            ..NewPage::default()
        };
        model.add_page(Time(0), page);
        let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let hub = SharedHub::new(Hub::new(model, Faults::new(1, rules)));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = hub.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                serve(listener, served, async { stopped.await.unwrap_or(()) }).await
            })
        });
        Sandbox { hub, address, stop: Some(stop), thread: Some(thread) }
    }

    /// Sends bytes and reads until the other side ends.
    fn raw(&self, bytes: &[u8]) -> (Vec<u8>, std::io::Result<()>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A reset can come while we still write; what was answered is what counts.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer).map(|_| ());
        (answer, ended)
    }

    fn send(&self, method: &str, target: &str, body: &str) -> (Vec<u8>, std::io::Result<()>) {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {SANDBOX_KEY}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.raw(head.as_bytes())
    }

    /// A whole answer: status, head in lower case, body.
    fn answer(&self, method: &str, target: &str, body: &str) -> (u16, String, String) {
        let (answer, ended) = self.send(method, target, body);
        ended.unwrap();
        parts(&answer)
    }

    fn json(&self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let (status, head, body) = self.answer(method, target, &body.to_string());
        assert!(head.contains("content-type: application/json"), "{head}");
        (status, serde_json::from_str(&body).unwrap())
    }

    fn publish(&self) -> (Vec<u8>, std::io::Result<()>) {
        self.send("PATCH", "/rest/v1/knowledge-hub/pages/p1", r#"{"content": "new", "status": "published"}"#)
    }

    fn version(&self) -> Option<u64> {
        self.hub.lock().model.page("p1").unwrap().version()
    }

    fn last_fault(&self) -> (u16, Option<String>) {
        let hub = self.hub.lock();
        let entry = hub.model.log().last().unwrap();
        (entry.status, entry.fault.clone())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

fn parts(answer: &[u8]) -> (u16, String, String) {
    let text = String::from_utf8_lossy(answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

#[test]
fn the_hub_answers_over_a_socket_with_exactly_one_date() {
    let sandbox = Sandbox::new(&[]);
    let (status, head, body) = sandbox.answer("GET", "/rest/v1/knowledge-hub/pages/p1", "");
    assert_eq!((status, head.matches("\r\ndate: ").count()), (200, 1));
    assert!(body.contains("\"live\""));
}

#[test]
fn a_count_of_drops_before_leaves_the_hub_untouched() {
    let sandbox = Sandbox::new(&["PATCH/drop-before:x1"]);
    let (answer, ended) = sandbox.publish();
    assert!(answer.is_empty());
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((sandbox.version(), sandbox.last_fault()), (Some(1), (0, Some("drop-before".into()))));
    assert_eq!(parts(&sandbox.publish().0).0, 200);
}

#[test]
fn a_drop_after_has_applied_the_request() {
    let sandbox = Sandbox::new(&["drop-after:x1"]);
    let (answer, ended) = sandbox.publish();
    assert!(answer.is_empty());
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((sandbox.version(), sandbox.last_fault()), (Some(2), (200, Some("drop-after".into()))));
}

#[test]
fn a_cut_answer_is_shorter_than_it_says_and_was_applied() {
    let sandbox = Sandbox::new(&["cut:1"]);
    let (answer, _) = sandbox.publish();
    let (status, head, body) = parts(&answer);
    let announced: usize = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!((status, body.len()), (200, announced / 2));
    assert_eq!(sandbox.version(), Some(2));
}

#[test]
fn a_gateway_errs_before_or_after() {
    for (rule, status, version) in [("error-before=503:1", 503, 1), ("error-after:1", 502, 2)] {
        let sandbox = Sandbox::new(&[rule]);
        let (got, head, body) = parts(&sandbox.publish().0);
        assert_eq!(got, status);
        assert!(head.contains("content-type: text/html") && body.contains("<html>"));
        assert_eq!(sandbox.version(), Some(version));
    }
}

#[test]
fn a_portal_says_200_in_html() {
    let sandbox = Sandbox::new(&["html:1"]);
    let (status, head, body) = parts(&sandbox.publish().0);
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/html") && body.contains("log in"));
    assert_eq!(sandbox.version(), Some(1));
}

#[test]
fn a_forced_429_names_its_time_and_costs_nothing() {
    let sandbox = Sandbox::new(&["rate-limit=30:x1"]);
    let (status, head, body) = parts(&sandbox.publish().0);
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: 30") && body.contains("\"retry_after\":30"));
    assert_eq!((sandbox.version(), sandbox.hub.lock().model.used(clock())), (Some(1), (0, 0)));
}

#[test]
fn delays_are_before_or_after_the_request_is_applied() {
    for (rule, applied_meanwhile) in [("PATCH/delay-before=60000:1", false), ("PATCH/delay-after=60000:1", true)] {
        let sandbox = Sandbox::new(&[rule]);
        let mut stream = TcpStream::connect(sandbox.address).unwrap();
        let body = r#"{"content": "new", "status": "published"}"#;
        let head =
            "PATCH /rest/v1/knowledge-hub/pages/p1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Authorization: Bearer {SANDBOX_KEY}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        if applied_meanwhile {
            let deadline = Instant::now() + Duration::from_secs(20);
            while sandbox.version() != Some(2) {
                assert!(Instant::now() < deadline, "the request was never applied");
                thread::yield_now();
            }
        }
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let waited = stream.read(&mut [0]).unwrap_err().kind();
        assert!(matches!(waited, ErrorKind::WouldBlock | ErrorKind::TimedOut), "the answer is late: {waited}");
        assert_eq!(sandbox.version(), Some(if applied_meanwhile { 2 } else { 1 }));
    }
}

#[test]
fn faults_spare_people_and_colleagues() {
    let sandbox = Sandbox::new(&["drop-before:1"]);
    assert_eq!(sandbox.answer("GET", "/", "").0, 200);
    assert_eq!(sandbox.json("GET", "/_sandbox/faults", json!({})), (200, json!({"rules": ["drop-before:1"]})));
    let none = json!({"rules": []});
    assert_eq!(sandbox.json("PUT", "/_sandbox/faults", none.clone()), (200, none));
    assert_eq!(sandbox.answer("GET", "/rest/v1/workspace", "").0, 200);
}

#[test]
fn a_colleague_works_over_http() {
    let sandbox = Sandbox::new(&[]);
    let (_, folder) = sandbox.json("POST", "/_sandbox/folders", json!({"name": "Sales"}));
    let (_, skill) = sandbox.json("POST", "/_sandbox/skills", json!({"name": "Listening"}));
    let (_, source) = sandbox.json("POST", "/_sandbox/sources", json!({"title": "deck.pdf"}));
    let new = json!({"title": "t", "content": "c", "status": "published", "folder_ids": [folder["id"]], "source_ids": [source["id"]]});
    let (status, page) = sandbox.json("POST", "/_sandbox/pages", new);
    assert_eq!(status, 201);
    let page = format!("/_sandbox/pages/{}", page["id"].as_str().unwrap());
    let act = |act: &str, body: Value| sandbox.json("POST", &format!("{page}/{act}"), body);
    assert_eq!(act("draft", json!({"content": "d"})).1["draft"], json!({"title": "t", "content": "d"}));
    assert_eq!(act("discard", json!({})).1["draft"], Value::Null);
    assert_eq!(act("publish", json!({"content": "2"})).1["live"]["version"], 2);
    assert_eq!(act("file", json!({"skill_ids": [skill["id"]]})).1["folder_ids"], json!([folder["id"]]));
    assert_eq!(act("archive", json!({})).1["archived"], true);
    assert_eq!(act("publish", json!({})).0, 400);
    assert_eq!(act("restore", json!({})).1["archived"], false);
    let (_, all) = sandbox.json("GET", &page, json!({}));
    assert_eq!((&all["versions"][0]["content"], &all["versions"][1]["content"]), (&json!("c"), &json!("2")));
    assert_eq!(sandbox.json("GET", "/_sandbox/pages", json!({})).1.as_array().unwrap().len(), 2);
}

#[test]
fn mistakes_at_the_sandbox_are_told() {
    let sandbox = Sandbox::new(&[]);
    for (method, target, body, status) in [
        ("POST", "/_sandbox/pages/nope/publish", json!({}), 404),
        ("POST", "/_sandbox/pages/p1/burn", json!({}), 404),
        ("POST", "/_sandbox/pages", json!({"id": "p1"}), 400),
        ("POST", "/_sandbox/pages", json!({"folder_ids": ["nope"]}), 400),
        ("POST", "/_sandbox/folders", json!({"name": "x", "parent": "nope"}), 400),
        ("POST", "/_sandbox/pages/p1/draft", json!({"contents": "x"}), 400),
        ("PUT", "/_sandbox/faults", json!({"rules": ["boom:1"]}), 400),
        ("PUT", "/_sandbox/state", json!({"pages": 1}), 400),
        ("GET", "/_sandbox/requests?after=x", json!({}), 400),
        ("PATCH", "/_sandbox/pages", json!({}), 405),
        ("GET", "/_sandbox/nope", json!({}), 404),
    ] {
        let (got, value) = sandbox.json(method, target, body);
        assert_eq!(got, status, "{method} {target}");
        assert!(value["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[test]
fn the_log_is_read_from_where_one_left_off() {
    let sandbox = Sandbox::new(&[]);
    sandbox.answer("GET", "/rest/v1/workspace", "");
    let (_, log) = sandbox.json("GET", "/_sandbox/requests", json!({}));
    let entry = &log["requests"][0];
    assert_eq!((&entry["number"], &entry["method"], &entry["status"]), (&json!(1), &json!("GET"), &json!(200)));
    sandbox.publish().1.unwrap();
    let (_, log) = sandbox.json("GET", "/_sandbox/requests?after=1", json!({}));
    assert_eq!(log["requests"].as_array().unwrap().len(), 1);
    assert!(log["requests"][0]["body"].as_str().unwrap().contains("published"));
    sandbox.json("DELETE", "/_sandbox/requests", json!({}));
    assert_eq!(sandbox.json("GET", "/_sandbox/requests", json!({})).1, json!({"requests": []}));
}

#[test]
fn a_whole_state_can_be_taken_out_and_put_back() {
    let sandbox = Sandbox::new(&[]);
    let (_, state) = sandbox.json("GET", "/_sandbox/state", json!({}));
    sandbox.publish().1.unwrap();
    assert_eq!(sandbox.version(), Some(2));
    assert_eq!(sandbox.json("PUT", "/_sandbox/state", state.clone()).0, 200);
    assert_eq!(sandbox.json("GET", "/_sandbox/state", json!({})).1, state);
    assert_eq!(sandbox.version(), Some(1));
}

#[test]
fn a_foreign_host_or_a_form_reaches_nothing() {
    let sandbox = Sandbox::new(&[]);
    let ask = |host: &str, method: &str, content_type: &str| {
        let head = format!(
            "{method} /_sandbox/pages HTTP/1.1\r\n{host}Content-Type: {content_type}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        );
        parts(&sandbox.raw(head.as_bytes()).0).0
    };
    for host in ["Host: evil.example\r\n", "Host: localhost.evil.example\r\n", "Host: 192.168.0.1\r\n", ""] {
        assert_eq!(ask(host, "GET", "application/json"), 421, "{host}");
    }
    for host in ["Host: localhost\r\n", "Host: 127.0.0.1:7272\r\n", "Host: [::1]:7272\r\n"] {
        assert_eq!(ask(host, "GET", "application/json"), 200, "{host}");
    }
    assert_eq!(ask("Host: localhost\r\n", "POST", "text/plain"), 415);
    assert_eq!(sandbox.hub.lock().model.pages().count(), 1);
}

#[test]
fn a_target_that_names_a_foreign_host_is_refused_whatever_its_host_header_says() {
    let sandbox = Sandbox::new(&[]);
    let head = "GET http://evil.example/_sandbox/pages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(parts(&sandbox.raw(head.as_bytes()).0).0, 421);
}

#[test]
fn a_body_that_is_too_large_is_413_and_a_broken_one_400() {
    let sandbox = Sandbox::new(&[]);
    // One byte too many and not another: all that was sent has been read, so that no reset overtakes the answer.
    let chunk = format!("{:x}\r\n{}", BODY_LIMIT + 1, "x".repeat(BODY_LIMIT + 1));
    for (framing, body, status) in [
        (format!("Content-Length: {}", BODY_LIMIT + 1), "", 413),
        ("Transfer-Encoding: chunked".to_owned(), chunk.as_str(), 413),
        ("Transfer-Encoding: chunked".to_owned(), "nonsense\r\n", 400),
    ] {
        let head = "POST /rest/v1/knowledge-hub/pages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        let (got, head, body) = parts(&sandbox.raw(format!("{head}{framing}\r\n\r\n{body}").as_bytes()).0);
        assert_eq!(got, status, "{framing}");
        assert!(head.contains("content-type: application/json") && body.contains("invalid_request"));
    }
}

#[test]
fn it_stops_although_an_answer_is_still_late() {
    let sandbox = Sandbox::new(&["delay-before=600000:1"]);
    let mut stream = TcpStream::connect(sandbox.address).unwrap();
    stream.write_all(b"GET /rest/v1/workspace HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    drop(sandbox);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}
