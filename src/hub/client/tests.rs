//! What really goes over the wire, against a server of a few lines that notes what it was sent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;
use crate::engine::request::PatchRequest;
use crate::page::{BodyPrint, Digest, DocPath, Lists, Mono, PageId, Patch, PatchText, Status};

const KEY: &str = "exec_live_0123456789abcdefghijABCDEFGHIJ0123456789";
const PAGE: &str = r#"{"id":"p1","title":"T","status":"draft","version":null,"updated_at":"2026-06-10T15:30:00Z",
    "folders":[],"skills":[],"sources":[],"content":null}"#;

/// A server that hands each connection's first request to `answer`, then hangs up.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/rest/v1/", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                notes.lock().unwrap().push(request);
                answer(&mut stream);
            }
        });
        Self { url, seen }
    }

    /// Answers everything with these bytes.
    fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        // The client may hang up in the middle of a long one.
        Self::start(move |stream| drop(stream.write_all(&answer)))
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn client(&self) -> Client {
        client(&self.url, Duration::from_secs(20))
    }
}

/// Head and body, in lower case but for the body; what came of it if the other side hangs up.
fn read_request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return format!("{head}\r\n\r\n{body}");
            }
        }
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return text,
        }
    }
}

fn http(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "Content-Type: application/json\r\nDate: Wed, 10 Jun 2026 15:30:00 GMT\r\n", body)
}

fn options(url: &str) -> ClientOptions {
    ClientOptions { url: url.to_owned(), timeout: Duration::from_secs(20), ca_file: None }
}

fn client(url: &str, timeout: Duration) -> Client {
    Client::new(&ClientOptions { timeout, ..options(url) }).unwrap()
}

fn get() -> Request {
    Request::Get(PageId::parse("p1").unwrap())
}

fn publish() -> Request {
    let text = PatchText { title: Some("T".to_owned()), body: BodyPrint::of("Hi"), status: Status::Published };
    Request::Patch(Box::new(PatchRequest {
        page: PageId::parse("p1").unwrap(),
        path: DocPath::new("a.md").unwrap(),
        source: Digest::of("file"),
        patch: Patch { text: Some(text), lists: Lists::default() },
    }))
}

/// Sends one request; whatever comes of it, the key is not in it.
async fn send(client: &Client, request: &Request) -> Answer {
    let answer = client.send(KEY, request, Some("Hi"), &Now::default).await;
    assert!(!format!("{answer:?}").contains(KEY), "{answer:?}");
    answer
}

fn is_lost(answer: &Answer) -> bool {
    matches!(answer.body, AnswerBody::Lost { .. })
}

#[tokio::test]
async fn a_look_is_one_get_with_the_key_and_tells_both_clocks() {
    let server = Server::saying(ok(PAGE));
    let ticks = std::sync::atomic::AtomicU64::new(1);
    let clock = || Now { mono: Mono(ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed)), ..Now::default() };
    let answer = server.client().send(KEY, &get(), None, &clock).await;
    assert!(matches!(&answer.body, AnswerBody::Page(page) if page.id.as_str() == "p1"), "{answer:?}");
    assert_eq!((answer.sent.mono, answer.ended.mono), (Mono(1), Mono(2)));
    assert_eq!(answer.date.unwrap().to_rfc3339(), "2026-06-10T15:30:00Z");
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("get /rest/v1/knowledge-hub/pages/p1?include=draft http/1.1\r\n"), "{}", seen[0]);
    for header in [
        format!("authorization: bearer {}", KEY.to_ascii_lowercase()),
        concat!("user-agent: hubsync/", env!("CARGO_PKG_VERSION")).to_owned(),
        "accept-encoding: gzip".to_owned(),
    ] {
        assert!(seen[0].lines().any(|line| line == header), "{header} in {}", seen[0]);
    }
}

#[tokio::test]
async fn a_write_is_one_patch_with_its_json() {
    let server = Server::saying(ok(PAGE));
    let answer = send(&server.client(), &publish()).await;
    assert!(matches!(answer.body, AnswerBody::Page(_)), "{answer:?}");
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("patch /rest/v1/knowledge-hub/pages/p1 http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(body, r#"{"title":"T","content":"Hi","status":"published"}"#);
}

#[tokio::test]
async fn the_list_since_a_stamp_reaches_the_hub_unharmed() {
    let server = Server::saying(ok(r#"{"data":[],"pagination":{"total_count":0,"total_pages":0}}"#));
    let updated_after = crate::page::Stamp::parse("2026-06-10T17:30:00+02:00");
    let answer = send(&server.client(), &Request::List { updated_after, page: 1 }).await;
    assert!(matches!(answer.body, AnswerBody::Rows(_)), "{answer:?}");
    let first = server.seen()[0].lines().next().unwrap().replace("%3a", ":");
    assert!(first.contains("updated_after=2026-06-10t15:30:00z"), "{first}");
}

#[tokio::test]
async fn a_text_that_was_not_decided_on_and_a_key_that_can_be_none_are_never_sent() {
    let server = Server::saying(ok(PAGE));
    let client = server.client();
    let answer = client.send(KEY, &publish(), Some("another"), &Now::default).await;
    assert_eq!(answer.body, AnswerBody::Stale);
    let answer = client.send("exec_live_\nx", &get(), None, &Now::default).await;
    assert_eq!(answer.body, AnswerBody::Unauthorized(KeySource::Same));
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let other = Server::saying(ok(PAGE));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let server = Server::saying(http(status, &format!("Location: {}{KEY}?k={KEY}\r\n", other.url), ""));
        for request in [get(), publish()] {
            let answer = send(&server.client(), &request).await;
            let AnswerBody::Redirected { location: Some(location) } = answer.body else { panic!("{answer:?}") };
            assert_eq!(location, format!("{}***", other.url));
        }
        assert_eq!(server.seen().len(), 2);
    }
    assert_eq!(other.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn only_a_connection_never_made_counts_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let answer = send(&client(&url, Duration::from_secs(20)), &publish()).await;
    assert!(matches!(answer.body, AnswerBody::Unsent { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_connection_that_ends_is_lost_and_nothing_is_sent_twice() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"id\":".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"".to_vec();
    for answer in [Vec::new(), b"HTTP/1.1 20".to_vec(), cut, chunked] {
        let server = Server::saying(answer);
        for request in [get(), publish()] {
            let answer = send(&server.client(), &request).await;
            assert!(is_lost(&answer), "{answer:?}");
        }
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_connection_dropped_before_it_was_read_is_lost_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let taken = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let answer = send(&client(&url, Duration::from_secs(20)), &publish()).await;
    assert!(is_lost(&answer), "{answer:?}");
    taken.join().unwrap();
}

#[tokio::test]
async fn an_answer_that_only_drips_or_never_comes_times_out() {
    let drip = Server::start(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let silent = Server::start(|stream| drop(stream.read(&mut [0; 1])));
    for server in [drip, silent] {
        let answer = send(&client(&server.url, Duration::from_millis(400)), &publish()).await;
        assert!(matches!(&answer.body, AnswerBody::Lost { why } if why.contains("400ms")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_login_page_is_no_success() {
    let server =
        Server::saying(http("200 OK", "Content-Type: text/html\r\n", "<html>Log in to the guest network</html>"));
    let answer = send(&server.client(), &publish()).await;
    assert!(matches!(&answer.body, AnswerBody::Garbled { what } if what.contains("text/html")), "{answer:?}");
}

/// A DEFLATE stream of one block with the fixed codes: an `a`, then 258 more for every 13 bits.
fn deflated(matches: usize) -> Vec<u8> {
    let mut bits = vec![true, true, false];
    let mut code = |value: u32, length: u32| bits.extend((0..length).rev().map(|bit| value >> bit & 1 == 1));
    code(0x91, 8);
    for _ in 0..matches {
        code(0xC5, 8);
        code(0, 5);
    }
    code(0, 7);
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
}

const GZIP_HEAD: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];

/// `body` in gzip's clothes, not made smaller.
fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let length = u16::try_from(body.len()).unwrap();
    let sizes = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let tail = [(!crc).to_le_bytes(), u32::from(length).to_le_bytes()].concat();
    [&GZIP_HEAD[..], &[1], &sizes, body, &tail].concat()
}

#[tokio::test]
async fn an_answer_may_be_packed() {
    let server = Server::saying(http("200 OK", "Content-Encoding: gzip\r\n", gzipped(PAGE.as_bytes())));
    let answer = send(&server.client(), &get()).await;
    assert!(matches!(answer.body, AnswerBody::Page(_)), "{answer:?}");
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_not_read_packed_or_not() {
    let bomb = [&GZIP_HEAD[..], &deflated(300_000)].concat();
    assert!(bomb.len() < 500_000);
    let list = || Request::List { updated_after: None, page: 1 };
    for (request, length, told) in [(publish(), 70_000_000, "61 MiB"), (list(), 10_000_000, "8 MiB")] {
        let plain = http("200 OK", "", vec![b' '; length]);
        for answer in [plain, http("200 OK", "Content-Encoding: gzip\r\n", bomb.clone())] {
            let server = Server::saying(answer);
            let answer = send(&server.client(), &request).await;
            let capped = matches!(&answer.body, AnswerBody::Garbled { what } if what.contains(told));
            assert!(capped, "{answer:?}");
        }
    }
}

/// A page whose live text and draft are as long as ours can be, in the longest JSON for them.
fn longest_page() -> Vec<u8> {
    let text = "\\u003c".repeat(usize::try_from(MAX_BYTES).unwrap());
    let page =
        PAGE.replace("\"content\":null", "\"content\":\"LONG\",\"draft\":{\"title\":\"T\",\"content\":\"LONG.\"}");
    ok(&page.replace("LONG.", &format!("{}.", &text[6..])).replace("LONG", &text))
}

#[tokio::test]
async fn the_longest_page_that_we_can_have_made_is_read_several_at_once_too() {
    let server = Server::saying(longest_page());
    let client = client(&server.url, Duration::from_secs(120));
    let get = get();
    let answers = tokio::join!(send(&client, &get), send(&client, &get));
    for answer in [answers.0, answers.1] {
        let AnswerBody::Page(page) = &answer.body else { panic!("no page") };
        assert_eq!(page.live.as_ref().unwrap().body.len() as u64, MAX_BYTES);
        assert!(matches!(&page.draft, crate::page::DraftSeen::Some(draft) if draft.body.len() as u64 == MAX_BYTES));
    }
    assert_eq!(client.long.available_permits(), 1);
}

#[tokio::test]
async fn a_refusal_holds_however_its_body_ends() {
    let status = |status: &str, rest: &str| {
        format!("HTTP/1.1 {status}\r\nRetry-After: 7\r\nContent-Length: {rest}").into_bytes()
    };
    let cut = |code: &str| status(code, "100\r\n\r\n<html>");
    let long = |code: &str| [status(code, "100000000\r\n\r\n"), vec![b' '; 2 * REFUSAL_CAP]].concat();
    for shape in [&cut as &dyn Fn(&str) -> Vec<u8>, &long] {
        let said = async |code: &str| send(&Server::saying(shape(code)).client(), &publish()).await.body;
        assert_eq!(said("429 Too Many").await, AnswerBody::RateLimited { retry_after: Some(7_000) });
        assert_eq!(said("401 No").await, AnswerBody::Unauthorized(KeySource::Same));
        assert_eq!(said("302 Found").await, AnswerBody::Redirected { location: None });
        assert!(matches!(said("403 No").await, AnswerBody::Forbidden { .. }));
    }
    // Whether this is the hub's own "no" its body would have told.
    let answer = send(&Server::saying(cut("404 Not Found")).client(), &publish()).await;
    assert!(is_lost(&answer), "{answer:?}");
    let answer = send(&Server::saying(long("404 Not Found")).client(), &publish()).await;
    assert!(matches!(answer.body, AnswerBody::Garbled { .. }), "{answer:?}");
    let answer = send(&Server::saying(long("500 Broken")).client(), &publish()).await;
    assert_eq!(answer.body, AnswerBody::ServerError { status: 500 });
}

#[tokio::test]
async fn a_hub_that_repeats_the_key_does_not_get_it_into_our_words() {
    let error = format!(r#"{{"error":{{"type":"x","code":"{KEY}","message":"invalid key {KEY}"}}}}"#);
    for status in ["400 Bad", "403 Forbidden", "418 Teapot", "503 Busy"] {
        let server = Server::saying(http(status, &format!("Content-Type: text/{KEY}\r\n"), &error));
        send(&server.client(), &publish()).await;
        let refused = server.client().workspace(KEY).await.unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains(KEY), "{refused:?}");
    }
    let odd = format!(r#"{{"id":"p1","title":"T","status":"draft","version":"{KEY}"}}"#);
    let answer = send(&Server::saying(ok(&odd)).client(), &get()).await;
    assert!(matches!(answer.body, AnswerBody::Garbled { .. }), "{answer:?}");
}

#[tokio::test]
async fn the_workspace_tells_whose_key_it_is() {
    let server = Server::saying(ok(r#"{"id":"w1","name":"Acme Corp","url_slug":"acme-corp"}"#));
    assert_eq!(server.client().workspace(KEY).await.unwrap().name, "Acme Corp");
    assert!(server.seen()[0].starts_with("get /rest/v1/workspace http/1.1\r\n"));
    let refusing = Server::saying(http("401 Unauthorized", "", "{}"));
    assert_eq!(refusing.client().workspace(KEY).await, Err(WorkspaceError::Unauthorized));
    let portal = Server::saying(http("200 OK", "", "<html>"));
    assert!(matches!(portal.client().workspace(KEY).await, Err(WorkspaceError::NotTheHub(_))));
}

#[test]
fn the_key_is_only_sent_where_nobody_can_listen() {
    for good in [
        "https://api.exec.com/rest/v1",
        "https://hub.example:8443",
        "http://127.0.0.1:8080/rest/v1/",
        "http://127.1.2.3",
        "http://[::1]:80/",
        "http://localhost:9",
        "http://LocalHost:9",
    ] {
        assert!(Client::new(&options(good)).is_ok(), "{good}");
    }
    for bad in [
        "http://api.exec.com/rest/v1",
        "http://127.0.0.1@evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "https://user:secret@api.exec.com/",
        "https://api.exec.com/?a=b",
        "https://api.exec.com/#a",
        "ftp://api.exec.com/",
        "file:///etc/passwd",
        "api.exec.com",
        "",
    ] {
        let error = Client::new(&options(bad)).map(|_| ()).expect_err(bad).to_string();
        assert!(error.starts_with("hub.url: ") && !error.contains("secret"), "{bad}: {error}");
    }
}

#[test]
fn a_ca_file_that_proves_nothing_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("company.pem");
    let refusal = || {
        let options = ClientOptions { ca_file: Some(path.clone()), ..options("https://api.exec.com/") };
        Client::new(&options).map(|_| ()).unwrap_err()
    };
    assert!(matches!(refusal(), ClientError::CaFileUnreadable { .. }));
    for content in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, content).unwrap();
        let error = refusal();
        assert!(matches!(error, ClientError::NoCertificate { .. }), "{error:?}");
        assert!(error.to_string().contains("company.pem"), "{error}");
    }
}

/// A TLS server for `localhost` under an authority that only this test knows (`tls/`, good until 2120), which answers
/// `count` connections and tells what it was sent; nothing where the handshake failed.
fn tls_server(count: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let serve = move |mut stream: TcpStream| {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        let request = read_request(&mut tls);
        let _ = tls.write_all(&ok(PAGE)).and_then(|()| tls.flush());
        request
    };
    (url, std::thread::spawn(move || listener.incoming().take(count).map(|stream| serve(stream.unwrap())).collect()))
}

#[tokio::test]
async fn a_company_authority_is_trusted_once_it_is_named_and_before_that_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("company.pem");
    let another = folder.path().join("another.pem");
    std::fs::write(&named, include_bytes!("tls/authority.pem")).unwrap();
    // The server's own certificate is no authority: a client needs some, also where the machine that tests has none.
    std::fs::write(&another, include_bytes!("tls/server.pem")).unwrap();
    let (url, server) = tls_server(2);
    let with =
        |ca_file: &Path| Client::new(&ClientOptions { ca_file: Some(ca_file.to_owned()), ..options(&url) }).unwrap();
    let answer = send(&with(&another), &publish()).await;
    assert!(matches!(&answer.body, AnswerBody::Unsent { why } if why.contains("certificate")), "{answer:?}");
    let answer = send(&with(&named), &publish()).await;
    assert!(matches!(answer.body, AnswerBody::Page(_)), "{answer:?}");
    let seen = server.join().unwrap();
    assert_eq!(seen[0], "");
    assert!(seen[1].contains("authorization: bearer"), "{}", seen[1]);
}

/// The variables of a proxy belong to the process, so the client runs in another one: this test again, told to be it.
const CHILD: &str = "HUBSYNC_TEST_PROXY_CHILD";

#[test]
fn a_proxy_is_used_for_the_network_and_never_for_this_machine() {
    if let Ok(url) = std::env::var(CHILD) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(send(&client(&url, Duration::from_secs(20)), &get()));
        let unsent = matches!(answer.body, AnswerBody::Unsent { .. });
        assert_eq!(unsent, url.starts_with("https"), "a proxy that refuses has passed nothing on: {answer:?}");
        return;
    }
    let hub = Server::saying(ok(PAGE));
    let proxy = Server::saying(http("502 Bad Gateway", "", ""));
    let proxy_url = proxy.url.trim_end_matches("/rest/v1/").to_owned();
    let run = |url: &str| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "hub::client::tests::a_proxy_is_used_for_the_network_and_never_for_this_machine"]);
        child.env(CHILD, url).env_remove("NO_PROXY").env_remove("no_proxy");
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            child.env(name, &proxy_url);
        }
        let done = child.output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    run(&hub.url);
    run(&hub.url.replace("127.0.0.1", "localhost"));
    assert_eq!((hub.seen().len(), proxy.seen().len()), (2, 0));
    run("https://hub.invalid/rest/v1");
    let seen = proxy.seen();
    assert!(seen[0].starts_with("connect hub.invalid:443 "), "{seen:?}");
    assert!(!seen.iter().any(|request| request.contains("bearer")), "{seen:?}");
}
