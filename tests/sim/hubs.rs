//! What the stand-in hub must do, asked of its model and of its server alike: what holds in schedules holds over sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread::JoinHandle;

use hubsync::sandbox::{
    Act, Faults, Hub, Model, NewPage, Owner, Request, SANDBOX_KEY, Settings, SharedHub, Status, Time, serve, server,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// A hub that can be asked, and looked into as its owner does.
trait Asked {
    fn ask(&mut self, request: &Request) -> (u16, Vec<(String, String)>, Value);
    /// What somebody else does in it.
    fn touch<T>(&mut self, act: impl FnOnce(&mut Model, Time) -> T) -> T;
}

/// The model, whose clock moves a second with each request.
struct Direct {
    model: Model,
    now: Time,
}

impl Asked for Direct {
    fn ask(&mut self, request: &Request) -> (u16, Vec<(String, String)>, Value) {
        self.now = self.now.plus(1_000_000);
        let response = self.model.handle(self.now, request);
        let headers = response.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        (response.status, headers, response.value())
    }

    fn touch<T>(&mut self, act: impl FnOnce(&mut Model, Time) -> T) -> T {
        self.now = self.now.plus(1_000_000);
        act(&mut self.model, self.now)
    }
}

/// The server, on loopback.
struct Served {
    hub: SharedHub,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn new(settings: Settings) -> Self {
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
        Self { hub, port: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Asked for Served {
    fn ask(&mut self, request: &Request) -> (u16, Vec<(String, String)>, Value) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", request.method, request.target);
        let headers = [("Authorization", &request.authorization), ("Content-Type", &request.content_type)];
        for (name, value) in headers {
            head += &value.as_ref().map(|value| format!("{name}: {value}\r\n")).unwrap_or_default();
        }
        head += &format!("Content-Length: {}\r\n\r\n", request.body.len());
        socket.write_all(&[head.as_bytes(), &request.body].concat()).unwrap();
        let mut reader = BufReader::new(socket);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn touch<T>(&mut self, act: impl FnOnce(&mut Model, Time) -> T) -> T {
        act(&mut self.hub.lock().model, server::clock())
    }
}

fn request(method: &str, target: &str, body: Option<Value>) -> Request {
    Request {
        method: method.to_owned(),
        target: format!("/rest/v1{target}"),
        authorization: Some(format!("Bearer {SANDBOX_KEY}")),
        content_type: body.as_ref().map(|_| "application/json".to_owned()),
        body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    }
}

fn good(hub: &mut impl Asked, method: &str, target: &str, body: Option<Value>) -> Value {
    let (status, _, value) = hub.ask(&request(method, target, body));
    assert!(status < 300, "{method} {target}: {status} {value}");
    value
}

fn refused(hub: &mut impl Asked, method: &str, target: &str, body: Option<Value>) -> (u16, Value) {
    let (status, _, value) = hub.ask(&request(method, target, body));
    assert!(value["error"]["type"].is_string(), "{method} {target}: {status} {value}");
    (status, value)
}

fn page(hub: &mut impl Asked, id: &str, content: &str) {
    let new = NewPage {
        id: Some(id.to_owned()),
        title: id.to_owned(),
        content: content.to_owned(),
        status: Status::Published,
        owner: Owner::Colleague,
        ..NewPage::default()
    };
    hub.touch(|model, now| model.add_page(now, new));
}

/// Drafts and what is live.
fn texts(hub: &mut impl Asked) {
    page(hub, "p1", "A");
    let at = "/knowledge-hub/pages/p1";
    let drafted = good(hub, "PATCH", at, Some(json!({"content": "B"})));
    assert_eq!((&drafted["content"], &drafted["version"]), (&json!("A"), &json!(1)), "the answer shows what is live");
    let seen = good(hub, "GET", &format!("{at}?include=draft"), None);
    assert_eq!((&seen["content"], &seen["draft"]["content"]), (&json!("A"), &json!("B")));
    // `status` is a verb: it publishes whatever draft lies there.
    let published = good(hub, "PATCH", at, Some(json!({"status": "published"})));
    assert_eq!((&published["content"], &published["version"]), (&json!("B"), &json!(2)));
    assert_eq!(good(hub, "GET", &format!("{at}?include=draft"), None)["draft"], Value::Null);
    let again = good(hub, "PATCH", at, Some(json!({"title": "T", "content": "B", "status": "published"})));
    assert_eq!(again["version"], json!(3), "the same text is a new version");
    let before = again["updated_at"].as_str().unwrap().to_owned();
    hub.touch(|model, now| {
        model.colleague(now, "p1", Act::SaveDraft { title: "T".to_owned(), content: "X".to_owned() })
    })
    .unwrap();
    let touched = good(hub, "GET", at, None);
    assert!(touched["updated_at"].as_str().unwrap() > before.as_str() && touched["version"] == json!(3));
    assert_eq!(good(hub, "GET", &format!("{at}/versions"), None)["data"].as_array().unwrap().len(), 3);
}

/// Lists of pages and tables of names.
fn lists(hub: &mut impl Asked) {
    for n in 2..5 {
        page(hub, &format!("p{n}"), "A");
    }
    let list =
        |hub: &mut _, query: &str| good(hub, "GET", &format!("/knowledge-hub/pages?sort=updated_at{query}"), None);
    let ids = |list: &Value| -> Vec<String> {
        let rows = list["data"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = list(hub, "");
    assert_eq!(ids(&all), ["p4", "p3", "p2", "p1"], "newest first");
    let second = list(hub, "&page_size=3&page=2");
    assert_eq!(ids(&second), ["p1"]);
    assert_eq!((&second["pagination"]["total_count"], &second["pagination"]["total_pages"]), (&json!(4), &json!(2)));
    let stamp = all["data"][1]["updated_at"].as_str().unwrap();
    assert_eq!(ids(&list(hub, &format!("&updated_after={stamp}"))), ["p4", "p3"], "inclusive");
    hub.touch(|model, now| model.colleague(now, "p4", Act::Archive)).unwrap();
    assert_eq!(ids(&list(hub, "")), ["p3", "p2", "p1"], "archived pages are left out");
    assert_eq!(refused(hub, "PATCH", "/knowledge-hub/pages/p4", Some(json!({"title": "T"}))).0, 404);
    let folder = hub.touch(|model, now| model.add_folder(now, "Sales", None));
    let filed = good(hub, "PATCH", "/knowledge-hub/pages/p2", Some(json!({"folder_ids": [folder]})));
    assert_eq!((filed["folders"][0]["id"].as_str(), &filed["version"]), (Some(folder.as_str()), &json!(1)));
    assert_eq!(good(hub, "GET", "/knowledge-hub/folders", None)["data"][0]["name"], json!("Sales"));
    let (status, error) = refused(hub, "PATCH", "/knowledge-hub/pages/p2", Some(json!({"folder_ids": ["nowhere"]})));
    assert_eq!((status, &error["error"]["type"]), (400, &json!("invalid_request")));
}

/// Keys, addresses, dates.
fn manners(hub: &mut impl Asked) {
    assert_eq!(refused(hub, "GET", "/knowledge-hub/pages/nobody", None).0, 404);
    let wrong =
        Request { authorization: Some("Bearer wrong".to_owned()), ..request("GET", "/knowledge-hub/pages/p1", None) };
    let (status, _, error) = hub.ask(&wrong);
    assert_eq!((status, &error["error"]["type"]), (401, &json!("authentication_error")));
    let (_, headers, _) = hub.ask(&request("GET", "/knowledge-hub/pages/p1", None));
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert!(header("date").is_some_and(|date| date.ends_with("GMT")), "{headers:?}");
    assert!(header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{headers:?}");
    let (status, _, _) =
        hub.ask(&Request { body: b"{".to_vec(), ..request("PATCH", "/knowledge-hub/pages/p1", Some(json!({}))) });
    assert_eq!(status, 400, "no JSON");
}

/// The limits: refusals count, 429 doesn't, and it says how long to wait.
fn limits(hub: &mut impl Asked) {
    for n in 0..5 {
        let (status, _, _) = hub.ask(&request("GET", &format!("/knowledge-hub/pages/nobody{n}"), None));
        assert_eq!(status, 404);
    }
    let (status, headers, body) = hub.ask(&request("GET", "/knowledge-hub/pages/nobody", None));
    assert_eq!((status, &body["error"]["type"]), (429, &json!("rate_limited")));
    let named = headers.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.parse::<u64>().unwrap());
    assert!(named.is_some_and(|seconds| (1..=60).contains(&seconds)), "{headers:?}");
    hub.touch(|model, now| assert_eq!(model.used(now).0, 5));
}

fn unlimited() -> Settings {
    Settings { per_minute: 0, per_day: 0, ..Settings::default() }
}

fn five_a_minute() -> Settings {
    Settings { per_minute: 5, ..Settings::default() }
}

fn direct(settings: Settings) -> Direct {
    Direct { model: Model::new(settings), now: Time(1_780_000_000_000_000) }
}

fn contract(hub: &mut impl Asked) {
    texts(hub);
    lists(hub);
    manners(hub);
}

#[test]
fn the_model_keeps_the_hubs_contract() {
    contract(&mut direct(unlimited()));
    limits(&mut direct(five_a_minute()));
}

#[test]
fn the_server_keeps_the_hubs_contract() {
    contract(&mut Served::new(unlimited()));
    limits(&mut Served::new(five_a_minute()));
}
