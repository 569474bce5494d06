//! A hub that does what a test says, byte by byte, for what the stand-in hub never would. Alone it knows no pages; put in front
//! of a place's stand-in hub it passes on what it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::place::Place;

/// A status and a body.
pub type Said = (u16, String);

/// Whether the connection lives on after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    KeepOpen,
    HangUp,
}

/// One request, and the connection that it came on.
pub struct Call {
    /// `METHOD path?query`.
    pub line: String,
    /// As it came: request line, headers, body.
    pub bytes: Vec<u8>,
    socket: TcpStream,
}

pub struct Stub {
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Stub {
    /// Answers each request, `METHOD path?query`, as `answer` says. Its threads end with the test binary.
    pub fn new(answer: impl Fn(&str) -> Said + Send + Sync + 'static) -> Self {
        Self::acting(move |call| {
            let said = answer(&call.line);
            call.say(http(&said, "Location: http://127.0.0.1:1/\r\n"));
            Then::KeepOpen
        })
    }

    /// Does with each request what `act` does.
    pub fn acting(act: impl Fn(&mut Call) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://127.0.0.1:{}/rest/v1", listener.local_addr().unwrap().port());
        let stub = Self { url, log: Arc::default(), heard: Arc::default(), connections: Arc::default() };
        let (log, heard, connections) = (Arc::clone(&stub.log), Arc::clone(&stub.heard), Arc::clone(&stub.connections));
        let act = Arc::new(act);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let (log, heard, act) = (Arc::clone(&log), Arc::clone(&heard), Arc::clone(&act));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(socket.try_clone().unwrap());
                    while let Some((line, bytes)) = request(&mut reader) {
                        log.lock().unwrap().push(line.clone());
                        heard.lock().unwrap().extend(&bytes);
                        let mut call = Call { line, bytes, socket: socket.try_clone().unwrap() };
                        if act(&mut call) == Then::HangUp {
                            // What was sent still arrives; nothing more does.
                            let _ = socket.shutdown(Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        stub
    }

    /// A place whose configuration names this stub. `hub` and `more`: lines of YAML, of the hub and after it.
    pub fn place(&self, hub: &str, more: &str) -> Place {
        let place = Place::new();
        self.guard(&place, hub, more);
        place
    }

    /// Puts this stub in front of a place's own hub.
    pub fn guard(&self, place: &Place, hub: &str, more: &str) {
        place.config(&format!("hub:\n  url: {}\n{hub}{more}", self.url));
    }

    /// The requests since this was last asked.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// How many requests there were that begin so; the log stays as it is.
    pub fn count(&self, beginning: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Whether these bytes came in a request.
    pub fn heard(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).contains(text)
    }
}

impl Call {
    /// Sends these bytes; that nobody listens any more is the test's affair.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.socket.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends these bytes again and again, for as long as somebody listens and `times` lasts.
    pub fn repeat(&mut self, bytes: &[u8], every: Duration, times: usize) -> bool {
        (0..times).all(|_| {
            std::thread::sleep(every);
            self.say(bytes)
        })
    }

    /// Waits until the other side has hung up.
    pub fn wait_for_the_end(&mut self) {
        let mut rest = [0; 1024];
        while self.socket.read(&mut rest).is_ok_and(|read| read > 0) {}
    }

    /// Waits until the next request has begun, or the connection ended; its first byte is taken.
    pub fn wait_for_the_next_byte(&mut self) -> bool {
        self.socket.read(&mut [0; 1]).is_ok_and(|read| read > 0)
    }

    /// What the stand-in hub of a place answers to this request, whole.
    pub fn pass_on(&self, port: u16) -> Vec<u8> {
        let text = String::from_utf8_lossy(&self.bytes);
        let head_ends = text.find("\r\n\r\n").unwrap();
        let mut hub = TcpStream::connect(("127.0.0.1", port)).unwrap();
        hub.write_all(&self.bytes[..head_ends]).unwrap();
        hub.write_all(b"\r\nConnection: close").unwrap();
        hub.write_all(&self.bytes[head_ends..]).unwrap();
        let mut answer = Vec::new();
        hub.read_to_end(&mut answer).unwrap();
        // That was between the two of us.
        let close = b"connection: close\r\n";
        if let Some(at) = answer.windows(close.len()).position(|window| window.eq_ignore_ascii_case(close)) {
            answer.drain(at..at + close.len());
        }
        answer
    }
}

/// Reads one request; `None` at the end of the connection.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let begin = bytes.len();
        reader.read_until(b'\n', &mut bytes).ok().filter(|read| *read > 0)?;
        let header = String::from_utf8_lossy(&bytes[begin..]).trim().to_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.is_empty() {
            break;
        }
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    reader.read_exact(&mut bytes[head..]).ok()?;
    let line = String::from_utf8_lossy(&bytes).split(' ').take(2).collect::<Vec<_>>().join(" ");
    Some((line, bytes))
}

/// An answer in HTTP's words. `headers`: whole lines, each with its end.
pub fn http((status, body): &Said, headers: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}");
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// An error as the vendor's description has it.
pub fn error(status: u16, message: &str) -> Said {
    let error = serde_json::json!({"error": {"type": "x", "code": "x", "message": message}});
    (status, error.to_string())
}

/// An empty list.
pub fn nothing() -> Said {
    let page = serde_json::json!({"page": 1, "page_size": 100, "total_count": 0, "total_pages": 1});
    (200, serde_json::json!({"data": [], "pagination": page}).to_string())
}

/// A published page without text.
pub fn page(id: &str) -> Said {
    page_of(id, "", None)
}

/// A published page of this text, and its draft.
pub fn page_of(id: &str, content: &str, draft: Option<&str>) -> Said {
    let draft = draft.map(|draft| serde_json::json!({"title": id, "content": draft}));
    let page = serde_json::json!({
        "id": id, "title": id, "status": "published", "visibility": "workspace", "owner": null, "folders": [], "skills": [],
        "sources": [], "source_count": 0, "version": 1, "cover": "", "published_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00.000001Z", "content": content, "draft": draft
    });
    (200, page.to_string())
}
