//! What must hold of any bytes, for each place where bytes of others come in: a document, its body, an answer of the hub, a
//! configuration. The fuzzer calls these with whatever it finds; `tests/cli/corpus.rs` includes this file and replays the
//! seeds, so that nobody needs a fuzzer to keep what one has found.
//!
//! Each either returns or panics, and knows nothing of the program but its public rooms.

use std::path::Path;

use hubsync::config::{self, Environment, Loaded};
use hubsync::document::links::{Around, Holds, LinkMap, Target};
use hubsync::document::{self, Parsed, Reading, Visibility};
use hubsync::engine::request::{AnswerBody, CreateRequest, PatchRequest, Request};
use hubsync::hub::response::{self, Headers};
use hubsync::page::{Authored, BodyPrint, Digest, DocPath, ListKind, Lists, PageId, Patch, Status, Wall};
use hubsync::policy::{LinkRules, PageUrl, Rules, TitleHeading};
use hubsync::reconcile::birth::Post;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

const STRIP: Rules =
    Rules { default_status: Status::Draft, title_heading: TitleHeading::Strip, links: LinkRules::OFF, notice: None };
const KEEP: Rules =
    Rules { default_status: Status::Draft, title_heading: TitleHeading::Keep, links: LinkRules::OFF, notice: None };

/// A file: its spans lie in it, its body is the one whose marks are remembered, and its line ends make no difference.
pub fn document(bytes: &[u8]) {
    let Parsed { reading, diagnostics, .. } = document::parse(bytes, &STRIP);
    let lines = bytes.iter().filter(|b| **b == b'\n').count() + 1;
    for found in &diagnostics {
        assert!(found.span.start <= found.span.end && found.span.end <= bytes.len(), "{found:?}");
        assert!(found.line >= 1 && found.column >= 1 && found.line as usize <= lines, "{found:?}");
        assert!(!found.message.is_empty());
    }
    let body = document::body(bytes, &STRIP);
    match &reading {
        Reading::Document { authored, .. } => {
            assert_eq!(body.as_deref().map(BodyPrint::of), Some(authored.body));
            assert_eq!(authored.source, Digest::of(bytes));
            assert!(!bytes.contains(&0), "a NUL byte would travel");
        }
        Reading::Blocked { .. } => assert!(body.is_none() && diagnostics.iter().any(|d| d.reason().is_some())),
        Reading::Off { .. } | Reading::Plain => assert!(body.is_none() && diagnostics.is_empty()),
    }
    if let Some(body) = &body {
        travels(bytes, body);
        links(bytes, body);
    }
    if let Some((lf, crlf)) = twins(bytes) {
        assert_eq!(essence(&lf), essence(&crlf), "line ends make a difference");
        assert_eq!(document::body(&lf, &STRIP), document::body(&crlf, &STRIP), "line ends make another body");
        assert_eq!(followed(&lf), followed(&crlf), "line ends make other links");
    }
}

/// A body below a front matter that is right: its first line is the title, the rest is the file's text.
pub fn body(bytes: &[u8]) {
    let (title, text) = match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&b"T"[..], bytes),
    };
    let title: String = String::from_utf8_lossy(title).chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
    let mut file = format!("---\npage_id: p\ntitle: \"{title}\"\n---\n").into_bytes();
    file.extend_from_slice(text);
    document(&file);
    file.splice(0..0, *b"\xef\xbb\xbf");
    document(&file);
}

/// Where nothing has a page, links stay as they are; where all they point to has one, they may lead there, and come back.
fn links(bytes: &[u8], body: &str) {
    assert_eq!(among(bytes, &LinkMap::default()).0, body, "links to nothing are rewritten");
    let sent = followed(bytes);
    let back = |old| document::as_written(&sent, old, &linked(), Around { path: &here(), map: &pages(bytes) });
    assert_eq!(back(Some(bytes)), body, "what was published comes back as something else");
    let _ = back(None);
}

/// The body where all that it points to has a page.
fn followed(bytes: &[u8]) -> String {
    among(bytes, &pages(bytes)).0
}

/// A page for all that a document points to.
fn pages(bytes: &[u8]) -> LinkMap {
    let mut map = LinkMap::default();
    for target in among(bytes, &map).1 {
        let file = match target {
            Target::Path(path) => path,
            Target::Note(note) | Target::Name(note) => format!("{note}.md"),
        };
        if let Some(file) = DocPath::new(file) {
            let _ = map.put(&file, Holds::Page(PageId::parse("p1").expect("the form of an id")));
        }
    }
    map
}

/// Where the document lies.
fn here() -> DocPath {
    DocPath::new("a/b.md").expect("a path")
}

/// Links lead to pages.
fn linked() -> Rules {
    Rules { links: LinkRules { page_url: PageUrl::parse("https://kb/{page_id}").ok(), asset_url: None }, ..STRIP }
}

/// The body of a document among these files, and what it points to.
fn among(bytes: &[u8], map: &LinkMap) -> (String, Vec<Target>) {
    let (rules, path) = (linked(), here());
    let around = Around { path: &path, map };
    let targets = document::parse_among(bytes, &rules, around).targets;
    let body = document::body_among(bytes, &rules, around).unwrap_or_default();
    (body, targets.iter().map(|(target, _)| target.clone()).collect())
}

/// The body sent is the file's, but for what the contract excepts: one byte order mark before the front matter, LF for CRLF,
/// and the first block where it is a level-1 heading equal to the title.
fn travels(bytes: &[u8], sent: &str) {
    let text = std::str::from_utf8(bytes).expect("what travels is UTF-8");
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fence = |line: &str| {
        let line = line.trim_end_matches(['\n', '\r', ' ', '\t']);
        line == "---" || line == "..."
    };
    let mut at = 0;
    let mut fences = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        fences += usize::from(fence(line));
        if fences == 2 {
            break;
        }
    }
    assert_eq!(fences, 2, "a document without front matter");
    let whole = text[at..].replace("\r\n", "\n");
    assert_eq!(
        document::body(bytes, &KEEP).as_deref(),
        Some(whole.as_str()),
        "a body that keeps its heading is the file's"
    );
    if sent == whole {
        return;
    }
    // What was taken lies behind blanks that stay, and is the heading with the blank lines after it.
    let title = document::parse(bytes, &STRIP).reading.title().map(words).expect("a heading is only taken for a title");
    let blanks = sent.len() - sent.trim_start().len();
    let taken = (0..=blanks).filter(|at| sent.is_char_boundary(*at)).any(|at| {
        let (before, after) = sent.split_at(at);
        let middle = whole.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|middle| only_heading(middle).as_ref() == Some(&title))
    });
    assert!(taken, "more than the title's heading was taken: {whole:?} became {sent:?}");
}

/// The text of a Markdown text that is one level-1 heading and nothing else.
fn only_heading(text: &str) -> Option<String> {
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_WIKILINKS);
    let Some(Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })) = events.next() else { return None };
    let mut said = String::new();
    for event in events.by_ref() {
        match event {
            Event::End(TagEnd::Heading(_)) => break,
            Event::Text(text) | Event::Code(text) => said.push_str(&text),
            Event::SoftBreak | Event::HardBreak => said.push(' '),
            _ => {}
        }
    }
    // `{#anchor}` at the end is no text of it.
    let is_anchor = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c));
    let said = match said.trim_end().strip_suffix('}').and_then(|said| said.rsplit_once("{#")) {
        Some((before, name)) if is_anchor(name) => before.to_owned(),
        _ => said,
    };
    events.next().is_none().then(|| words(&said))
}

/// Equal where two texts say the same: white space is folded, and accents may be written in two ways.
fn words(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    text.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect()
}

/// The file with LF throughout and with CRLF throughout; `None` where it is no text whose line ends can be told.
fn twins(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let utf16 = [&b"\xff\xfe"[..], b"\xfe\xff", b"-\0", b"\0-"].iter().any(|mark| bytes.starts_with(mark));
    if utf16 {
        return None;
    }
    let mut lf: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes {
        while *byte == b'\n' && lf.last() == Some(&b'\r') {
            lf.pop();
        }
        lf.push(*byte);
    }
    let crlf = lf.split(|b| *b == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
    Some((lf, crlf))
}

/// A reading without what must differ between twins: the digest of the bytes, offsets, and columns behind a line end.
fn essence(bytes: &[u8]) -> String {
    let Parsed { reading, diagnostics, .. } = document::parse(bytes, &STRIP);
    let told: Vec<_> = diagnostics.iter().map(|d| (d.line, d.code, d.severity, &d.suggestion)).collect();
    let said = match &reading {
        Reading::Document { page_id, visibility, authored } => {
            let Authored { rules, title, body, bare: _, status, named, source: _ } = authored;
            format!("{page_id:?} {visibility:?} {rules:?} {title:?} {body:?} {status:?} {named:?}")
        }
        Reading::Blocked { page_id, title, reason } => {
            format!("{page_id:?} {title:?} {:?} {:?}", reason.code, reason.line)
        }
        other => format!("{other:?}"),
    };
    format!("{said} {told:?}")
}

/// An answer of the hub: it is read the same way each time, what is believed of it is in it, and what is said of it is short.
///
/// The first byte says what was asked, the second which headers came, the next two the status; then one line a header, and
/// the body.
pub fn answer(bytes: &[u8]) {
    let [kind, flags, high, low, rest @ ..] = bytes else { return };
    let id = PageId::parse("p1").expect("the form of an id");
    let request = match kind % 9 {
        0 => Request::Get(id),
        1 => Request::List { updated_after: None, page: 1 },
        2 => Request::Names(ListKind::Folders, 1),
        3 => Request::Names(ListKind::Skills, 1),
        4 => Request::Names(ListKind::Sources, 1),
        5 => Request::Patch(Box::new(PatchRequest {
            page: id,
            path: DocPath::new("a.md").expect("a path"),
            source: Digest::of("file"),
            patch: Patch { text: None, lists: Lists::default() },
        })),
        6 => return workspace(*high, rest),
        7 => Request::Archive(id),
        _ => Request::Create(Box::new(CreateRequest { path: DocPath::new("a.md").expect("a path"), post: post() })),
    };
    // Mostly statuses that mean something.
    const STATUSES: [u16; 16] = [200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503];
    let status = match high {
        0..16 => STATUSES[usize::from(*high)],
        _ => 100 + (u16::from(*high) * 256 + u16::from(*low)) % 900,
    };
    let mut rest = rest;
    let mut line = |bit: u8| {
        if flags & bit == 0 {
            return None;
        }
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        Some(String::from_utf8_lossy(line).into_owned())
    };
    let headers = Headers {
        date: line(1),
        retry_after: line(2).into_iter().chain(line(4)).collect(),
        content_type: line(8),
        location: line(16),
    };
    let body = rest;
    let read = || response::read(&request, status, &headers, body, Wall(1_760_000_000_000));
    let answer = read();
    assert_eq!(answer, read(), "an answer is read the same way each time");
    judge(&request, status, body, &answer);
}

/// A page that is to be made.
fn post() -> Post {
    Post {
        title: "T".to_owned(),
        body: BodyPrint::of("body"),
        status: Status::Published,
        visibility: Visibility::Workspace,
        lists: Lists::default(),
        source: Digest::of("file"),
        rules: Digest::of("rules"),
        stored: Wall(0),
        since: None,
    }
}

fn judge(request: &Request, status: u16, body: &[u8], answer: &AnswerBody) {
    let short = |text: &str| assert!(text.chars().count() <= 900, "{} characters are said", text.chars().count());
    let success = (200..300).contains(&status);
    match answer {
        AnswerBody::Page(page) => {
            // What is not needed is not read, so a text there may hold bytes and escapes that make it no JSON for others.
            let said: Result<serde_json::Value, _> = serde_json::from_str(&String::from_utf8_lossy(body));
            let Ok(said) = said else { return };
            assert!(success && said["id"] == page.id.as_str());
            assert!(said.as_object().is_some_and(|said| said.contains_key("content") && said.contains_key("version")));
            let live = page.live.as_ref().map(|live| live.body.as_str());
            assert_eq!(
                live.unwrap_or_default(),
                said["content"].as_str().unwrap_or_default(),
                "another text than the hub's"
            );
            assert_eq!(live.is_none(), said["content"].is_null() && said["version"].is_null());
        }
        AnswerBody::Archived => {
            assert!(success && matches!(request, Request::Archive(_)));
            let said: Result<serde_json::Value, _> = serde_json::from_str(&String::from_utf8_lossy(body));
            assert!(said.is_ok_and(|said| said["id"] == "p1" && said["deleted"] == true));
        }
        AnswerBody::Rows(listed) => {
            assert!(success && matches!(request, Request::List { .. }));
            for row in &listed.rows {
                assert!(PageId::parse(row.id.as_str()).is_ok());
            }
        }
        AnswerBody::Folders(_) | AnswerBody::Skills(_) | AnswerBody::Sources(_) => {
            assert!(success && matches!(request, Request::Names(..)));
        }
        AnswerBody::NotFound => assert!(matches!(status, 404 | 410)),
        AnswerBody::Rejected { status: said, code, message } => {
            assert!(*said == status && (400..500).contains(&status));
            short(message);
            short(code.as_deref().unwrap_or_default());
        }
        AnswerBody::RateLimited { retry_after } => {
            assert!(status == 429 && retry_after.is_none_or(|wait| (1_000..=86_400_000).contains(&wait)));
        }
        AnswerBody::Unauthorized(_) => assert_eq!(status, 401),
        AnswerBody::Forbidden { message } => {
            assert_eq!(status, 403);
            short(message);
        }
        AnswerBody::Redirected { location } => {
            assert!((300..400).contains(&status));
            short(location.as_deref().unwrap_or_default());
        }
        AnswerBody::ServerError { status: said } => assert!(*said == status && !success),
        AnswerBody::Garbled { what } => short(what),
        AnswerBody::Unsent { .. } | AnswerBody::Lost { .. } | AnswerBody::Stale | AnswerBody::Unwritable { .. } => {
            panic!("an answer came: {answer:?}")
        }
    }
}

fn workspace(status: u8, body: &[u8]) {
    let status = if status < 128 { 200 } else { 300 + u16::from(status) };
    let read = response::read_workspace(status, &Headers::default(), body);
    assert!(read.is_err() || status == 200);
}

/// A configuration: it holds or everything that is wrong is told, no key in it is repeated, and line ends make no difference.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = |text: &str| {
        let env = Environment::from([("HOME".to_owned(), "/home/of-nobody".to_owned())]);
        config::of_text(text, Path::new("/home/of-nobody/hubsync.yaml"), &env)
    };
    // A lone CR ends a line in YAML, too.
    let lines = text.split(['\n', '\r']).count();
    let read_once = read(text);
    match &read_once {
        Ok(loaded) => {
            assert!(!holds_key(text) && !loaded.shown().is_empty());
            for shown in loaded.shown() {
                assert!(!holds_key(&shown.value.to_string()), "{} shows a key", shown.key);
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                let said = error.to_string();
                assert!(!said.is_empty() && !holds_key(&said), "{said:?}");
                if let config::Origin::File { position: Some(at), .. } = &error.place {
                    assert!((1..=lines + 1).contains(&at.line) && at.column >= 1, "{error:?} in {lines} lines");
                }
            }
        }
    }
    let lf = String::from_utf8(twins(bytes).map_or_else(|| bytes.to_vec(), |(lf, _)| lf)).expect("still UTF-8");
    let crlf = lf.replace('\n', "\r\n");
    let holds = |read: &Result<Loaded, Vec<config::ConfigError>>| match read {
        Ok(loaded) => Ok(loaded.config.clone()),
        Err(errors) => Err(errors.iter().map(|error| error.key).collect::<Vec<_>>()),
    };
    assert_eq!(holds(&read(&lf)), holds(&read(&crlf)), "line ends make a difference");
}

/// Whether a live key of the vendor's form stands in a text.
fn holds_key(text: &str) -> bool {
    text.match_indices("exec_live_")
        .any(|(at, mark)| text[at + mark.len()..].bytes().take_while(u8::is_ascii_alphanumeric).count() >= 8)
}
