//! Where the log's events leave the program: each is one line on stderr, or one entry of systemd's journal, and nothing in
//! it is left raw that could steer a terminal or begin a line of its own, whoever wrote it and however it was logged.
//!
//! `daemon::logging` decides which is used and how much is said.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::escape;
use super::style::Paint;

/// Whether stderr is a terminal.
#[must_use]
pub fn is_on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people, with our own colours where the stream has them.
    Pretty(Paint),
    /// One JSON object a line.
    Json,
}

/// Stderr, taking one event a write.
#[derive(Debug)]
pub struct EventWriter<W = io::Stderr> {
    form: Form,
    stream: W,
}

impl EventWriter {
    /// A writer of events in this form.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self { form, stream: io::stderr() }
    }
}

impl<W: Write> Write for EventWriter<W> {
    /// Takes the whole of `event`, which is one line with its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut out = match self.form {
            // The formatter escapes ESC in what it is given, so the colours that are left are its own.
            Form::Pretty(Paint::Coloured) => escape::but_colours(line),
            Form::Pretty(Paint::Plain) => escape::whole(line),
            Form::Json => escape::in_json(line),
        };
        out.push('\n');
        self.stream.write_all(out.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Where systemd's journal listens.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// systemd's journal: one entry an event, each of its values in a field of its own.
#[derive(Debug)]
pub struct Journal(UnixDatagram);

impl Journal {
    /// The journal of this machine.
    ///
    /// # Errors
    /// Where there is none.
    pub fn connect() -> io::Result<Self> {
        Self::at(Path::new(JOURNAL))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self(socket))
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        let mut entry = Entry(String::new());
        // The numbers of syslog: debug is the lowest there.
        entry.put(
            "PRIORITY",
            match *meta.level() {
                Level::ERROR => "3",
                Level::WARN => "4",
                Level::INFO => "5",
                Level::DEBUG => "6",
                Level::TRACE => "7",
            },
        );
        entry.put("TARGET", meta.target());
        entry.put("SYSLOG_IDENTIFIER", "hubsync");
        if let (Some(file), Some(line)) = (meta.file(), meta.line()) {
            entry.put("CODE_FILE", file);
            entry.put("CODE_LINE", &line.to_string());
        }
        event.record(&mut entry);
        // A journal that is gone has nobody left to be told.
        let _ = self.0.send(entry.0.as_bytes());
    }
}

/// One entry in the journal's own form: `NAME=value` and an end of line, which no value holds any more.
struct Entry(String);

impl Entry {
    fn put(&mut self, name: &str, value: &str) {
        // Writing into a `String` can't fail.
        let _ = writeln!(self.0, "{name}={}", escape::Shown::new(value));
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.put("MESSAGE", value),
            // What people filter by: `journalctl PAGE_ID=…`.
            "page_id" | "path" | "code" => self.put(&field.name().to_uppercase(), value),
            name => self
                .put(&format!("F_{}", name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")), value),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::super::escape::must_escape;
    use super::super::escape::tests::hostile_text;
    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs `text` in every way that there is, and answers what came out.
    fn logged(form: Form, text: &str) -> String {
        let paper = Paper::default();
        let stream = paper.clone();
        let writer = move || EventWriter { form, stream: stream.clone() };
        let layer = tracing_subscriber::fmt::layer().with_writer(writer);
        let tell = || {
            tracing::warn!(value = text, shown = %text, debug = ?text, "{text}");
            tracing::warn!(error = &io::Error::other(text.to_owned()) as &dyn std::error::Error, "x");
        };
        match form {
            Form::Json => tracing::subscriber::with_default(
                tracing_subscriber::registry().with(layer.json().flatten_event(true)),
                tell,
            ),
            Form::Pretty(paint) => tracing::subscriber::with_default(
                tracing_subscriber::registry().with(layer.with_ansi(paint == Paint::Coloured).compact()),
                tell,
            ),
        }
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn our_colours_are_kept_where_there_are_any() {
        let said = logged(Form::Pretty(Paint::Coloured), "\u{1b}[2J\u{9b}31mx");
        assert!(said.contains("\u{1b}[33m") && !said.contains("\u{1b}[2J") && !said.contains('\u{9b}'), "{said:?}");
        assert!(!logged(Form::Pretty(Paint::Plain), "x").contains('\u{1b}'));
    }

    /// What arrives at a journal.
    fn journalled(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixDatagram::bind(&path).unwrap();
        let registry = tracing_subscriber::registry().with(Journal::at(&path).unwrap());
        tracing::subscriber::with_default(registry, || {
            tracing::error!(page_id = "p1", path = %text, code = "off_branch", raw = text, n = 3, "{text}");
        });
        let mut bytes = vec![0; 200_000];
        let length = listener.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_journal_gets_a_field_for_each_value() {
        let entry = journalled("a\nPRIORITY=0\u{202e}");
        let lines: Vec<&str> = entry.lines().filter(|line| !line.starts_with("CODE_")).collect();
        assert_eq!(
            lines,
            [
                "PRIORITY=3",
                "TARGET=hubsync::output::log::tests",
                "SYSLOG_IDENTIFIER=hubsync",
                r"MESSAGE=a\nPRIORITY=0\u{202e}",
                "PAGE_ID=p1",
                r"PATH=a\nPRIORITY=0\u{202e}",
                "CODE=off_branch",
                r"F_RAW=a\nPRIORITY=0\u{202e}",
                "F_N=3",
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_event_is_one_line_and_nothing_in_it_is_raw(text in hostile_text()) {
            for form in [Form::Json, Form::Pretty(Paint::Plain)] {
                let said = logged(form, &text);
                prop_assert_eq!(said.matches('\n').count(), 2, "{:?}", said);
                prop_assert!(!said.chars().any(|c| c != '\n' && must_escape(c)), "{:?}", said);
                if form == Form::Json {
                    let event: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
                    prop_assert_eq!(event["value"].as_str(), Some(text.as_str()));
                }
            }
            let coloured = logged(Form::Pretty(Paint::Coloured), &text);
            prop_assert_eq!(coloured.matches('\n').count(), 2);
            let entry = journalled(&text);
            prop_assert!(!entry.chars().any(|c| c != '\n' && must_escape(c)), "{:?}", entry);
            prop_assert_eq!(entry.lines().count(), 11);
        }
    }
}
