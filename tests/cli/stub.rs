//! A hub that answers whatever a test says, for what the stand-in hub never would.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A status and a body.
pub type Said = (u16, String);

pub struct Stub {
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Answers each request, `METHOD path?query`, as `answer` says. Its thread ends with the test binary.
    pub fn new(answer: impl Fn(&str) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://127.0.0.1:{}/rest/v1", listener.local_addr().unwrap().port());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&log), Arc::new(answer));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(socket);
                    while let Some(line) = request(&mut reader) {
                        seen.lock().unwrap().push(line.clone());
                        let (status, body) = answer(&line);
                        let head = format!(
                            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: {}\r\n\r\n",
                            body.len()
                        );
                        let sent = reader.get_mut().write_all((head + &body).as_bytes());
                        if sent.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, log }
    }

    /// The requests since this was last asked.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

/// Reads one request; `None` at the end of the connection.
fn request(reader: &mut BufReader<std::net::TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let words: Vec<&str> = line.split(' ').take(2).collect();
    let (first, mut length) = (words.join(" "), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(first)
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
    let page = serde_json::json!({
        "id": id, "title": id, "status": "published", "visibility": "workspace", "owner": null, "folders": [], "skills": [],
        "sources": [], "source_count": 0, "version": 1, "cover": "", "published_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00.000001Z", "content": "", "draft": null
    });
    (200, page.to_string())
}
