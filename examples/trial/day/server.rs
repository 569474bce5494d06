//! The hub as a process of its own, that can be down for a while and come back with all that it held and another key. It is
//! looked at through its own endpoints.
//!
//! Its log of requests ends with the process, so it is collected piece by piece, and right before the hub is closed.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use hubsync::sandbox::{LogEntry, Page};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Outcome;
use crate::ground::{Ground, Running};

/// The hub of a trial.
pub struct Server {
    /// On 127.0.0.1.
    pub port: u16,
    /// Every request that was collected, oldest first.
    pub log: Vec<LogEntry>,
    process: Option<Running>,
    /// The last number of the process that runs.
    seen: u64,
    keys: u32,
    per_minute: u32,
}

#[derive(Deserialize)]
struct Requests {
    requests: Vec<LogEntry>,
}

impl Server {
    /// An empty hub with this limit.
    pub fn new(ground: &Ground, per_minute: u32) -> Outcome<Server> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut server = Server { port, log: Vec::new(), process: None, seen: 0, keys: 1, per_minute };
        server.open(ground)?;
        Ok(server)
    }

    /// The key that it takes.
    pub fn key(&self) -> String {
        format!("exec_live_sandboxsandboxsandboxsandboxsandbox{:05}", self.keys)
    }

    /// From the next opening on it takes only a new key.
    pub fn rotate(&mut self) {
        self.keys += 1;
    }

    /// Starts it with what it held.
    pub fn open(&mut self, ground: &Ground) -> Outcome<()> {
        let (port, per_minute) = (self.port.to_string(), self.per_minute.to_string());
        let key = self.key();
        let arguments = ["sandbox", "--port", &port, "--key", &key, "--per-minute", &per_minute, "--per-day", "0"];
        let state = ["--state", "hub.json"];
        self.process = Some(ground.start(ground.command(&[&arguments[..], &state[..]].concat()))?);
        self.seen = 0;
        ground.wait("the hub answers", || Ok(self.ask::<Requests>("GET", "requests", &Value::Null).ok()))?;
        Ok(())
    }

    /// Stops it; it keeps what it holds. Requests that arrive after the log was collected are not counted: what they
    /// did is in the versions.
    pub fn close(&mut self) -> Outcome<()> {
        self.collect()?;
        match self.process.take().map(Running::stop).transpose()? {
            Some(Some(0)) => Ok(()),
            ended => Err(format!("the hub ended with {ended:?}").into()),
        }
    }

    /// Takes what was asked since, if it is open.
    pub fn collect(&mut self) -> Outcome<()> {
        if self.process.is_some() {
            let path = format!("requests?after={}", self.seen);
            let Requests { requests } = self.ask("GET", &path, &Value::Null)?;
            self.seen = requests.last().map_or(self.seen, |last| last.number);
            self.log.extend(requests);
        }
        Ok(())
    }

    /// All pages.
    pub fn pages(&self) -> Outcome<Vec<Page>> {
        self.ask("GET", "pages", &Value::Null)
    }

    /// Acts as a colleague.
    pub fn post(&self, path: &str, body: &Value) -> Outcome<()> {
        self.ask::<Value>("POST", path, body).map(drop)
    }

    /// One request to the endpoints that no client of the real hub has.
    fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &Value) -> Outcome<T> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let length = body.len();
        write!(
            stream,
            "{method} /_sandbox/{path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) => {
                Ok(serde_json::from_str(body)?)
            }
            _ => Err(format!("{method} {path}: the hub answers {answer:?}").into()),
        }
    }
}
