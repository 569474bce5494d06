//! Tree: Markdown that nobody here wrote. Its files get an id each, its pages hold other texts, and what happens is counted:
//! what is published and what is not and why, what the next syncs cost, how long a save takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use hubsync::sandbox::{LogEntry, NewPage, Page, Status, server::clock};

use crate::Outcome;
use crate::hub::{Budget, DEBOUNCE, Place, Synced, by_method, is_about, writes};
use crate::report::Report;

/// Documents whose saves are timed. They begin in step: a page that was just published would rest longer.
const SAVES: usize = 5;
/// The hub's rows may be late by so much, so a look goes back as far.
const SETTLED: Duration = Duration::from_secs(31);

/// A file of the tree: its path under the root, and the text that its page has to end up with.
struct Copied {
    path: String,
    id: String,
    text: Vec<u8>,
}

/// Carries the trial out.
pub fn run(folder: &Path) -> Outcome<Report> {
    let place = Place::new(Budget::Endless)?;
    let mut paths = Vec::new();
    markdown(folder, folder, &mut paths)?;
    let files = paths
        .iter()
        .enumerate()
        .map(|(number, path)| copy(&place, folder, path, number))
        .collect::<Outcome<Vec<_>>>()?;
    for number in 0..SAVES {
        add_page(&place, &save_id(number), "As it was.\n");
        save(&place, number, "As it was.")?;
    }
    let mut report = Report::new(format!("tree: {} Markdown files of {}", files.len(), folder.display()));

    let mark = place.mark();
    let first = place.sync()?;
    tell_first(&mut report, &place, &files, &first, &place.since(mark));
    let mark = place.mark();
    let second = place.sync()?;
    let requests = place.since(mark);
    report.figure("the next sync", format!("{}, {:.2} s", by_method(&requests), second.took.as_secs_f64()));
    report.equal("the next sync sends no write", &writes(&requests), &0);
    thread::sleep(SETTLED);
    let mark = place.mark();
    place.sync()?;
    report.figure("one 31 s later", by_method(&place.since(mark)));
    report.equal("… neither does one 31 s later", &writes(&place.since(mark)), &0);
    let mark = place.mark();
    let last = place.sync()?;
    let requests = place.since(mark);
    report.figure("and one more", format!("{}, {:.2} s", by_method(&requests), last.took.as_secs_f64()));
    report.equal("then a sync costs 1 request", &requests.len(), &1);
    time_saves(&mut report, &place)?;
    place.close()?;
    Ok(report)
}

/// The Markdown files below a folder, hidden ones and links aside.
fn markdown(top: &Path, folder: &Path, found: &mut Vec<String>) -> Outcome<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        } else if kind.is_dir() {
            markdown(top, &path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "md") {
            found.push(path.strip_prefix(top)?.to_str().ok_or("a path is not UTF-8")?.to_owned());
        }
    }
    Ok(())
}

/// Copies a file with an id in its front matter, and makes its page.
fn copy(place: &Place, folder: &Path, path: &str, number: usize) -> Outcome<Copied> {
    let original = fs::read(folder.join(path))?;
    let id = format!("tree-{number:05}");
    let line = format!("page_id: {id}\n");
    let (head, text) = match front_matter(&original) {
        Some(length) => {
            let first = original.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let head = [&original[..first], line.as_bytes(), &original[first..length]].concat();
            (head, original[length..].to_vec())
        }
        None => (format!("---\n{line}status: published\n---\n").into_bytes(), original),
    };
    let target = place.root().join(path);
    fs::create_dir_all(target.parent().ok_or("a file without a folder")?)?;
    fs::write(target, [head, text.clone()].concat())?;
    add_page(place, &id, "The text before.\n");
    Ok(Copied { path: path.to_owned(), id, text })
}

/// How long a file's front matter is, with its fences; `None` where it has none.
fn front_matter(bytes: &[u8]) -> Option<usize> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| (line.trim_ascii_end(), line.len()));
    let (first, mut length) = lines.next()?;
    if first != b"---" {
        return None;
    }
    for (line, bytes) in lines {
        length += bytes;
        if line == b"---" {
            return Some(length);
        }
    }
    None
}

fn add_page(place: &Place, id: &str, content: &str) {
    let (id, title) = (Some(id.to_owned()), "Before".to_owned());
    let new = NewPage { id, title, content: content.to_owned(), status: Status::Published, ..NewPage::default() };
    place.hub().model.add_page(clock(), new);
}

/// What the first sync did with each file.
fn tell_first(report: &mut Report, place: &Place, files: &[Copied], first: &Synced, requests: &[LogEntry]) {
    let pages = first.report["pages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told: BTreeMap<&str, _> = pages.iter().map(|page| (page["path"].as_str().unwrap_or_default(), page)).collect();
    let (mut published, mut wrong, mut silent) = (0, Vec::new(), Vec::new());
    let mut reported = Vec::new();
    for file in files {
        let hub = place.hub();
        let page = hub.model.page(&file.id);
        let content = page.and_then(Page::content).unwrap_or_default();
        let (state, reason) = told.get(file.path.as_str()).map_or(("not told", &serde_json::Value::Null), |page| {
            (page["state"].as_str().unwrap_or_default(), &page["reason"])
        });
        if state == "in_step" && page.is_some_and(|page| page.versions.len() == 2) {
            published += 1;
            wrong.extend((!carries(content, &file.text)).then(|| format!("{} ({})", file.path, file.id)));
        } else if reason.is_null() {
            silent.push(format!("{}: {state}", file.path));
        } else {
            let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
            reported.push((format!("{}: {state}", file.path), format!("[{}] {}", text("code"), text("message"))));
        }
    }
    report.figure("published", published);
    report.figure("reported", reported.len());
    for (file, why) in reported {
        report.figure(format!("  {file}"), why);
    }
    report.figure("the first sync", format!("{}, {:.1} s", by_method(requests), first.took.as_secs_f64()));
    report.promise("what is not published is told with a reason", silent);
    report.promise("what is published is the file's text, but for a heading that is the title", wrong);
}

/// Whether a page's text is a file's: all of it, or all but a first heading.
fn carries(content: &str, file: &[u8]) -> bool {
    let text = String::from_utf8_lossy(file).replace("\r\n", "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    text.strip_suffix(content).is_some_and(|heading| lines(heading) <= 2)
}

fn save_id(number: usize) -> String {
    format!("save-{number}")
}

fn save(place: &Place, number: usize, text: &str) -> Outcome<()> {
    let id = save_id(number);
    let document = format!("---\npage_id: {id}\ntitle: Before\nstatus: published\n---\n{text}\n");
    Ok(fs::write(place.root().join(format!("{id}.md")), document)?)
}

/// How long it takes from a save until the hub has the PATCH, the rest that a file is given aside.
fn time_saves(report: &mut Report, place: &Place) -> Outcome<()> {
    let daemon = place.daemon()?;
    let mut lags = Vec::new();
    let mut wrong = Vec::new();
    for number in 0..SAVES {
        let (mark, saved) = (place.mark(), clock());
        save(place, number, "Saved anew.")?;
        let arrived = place.wait("a save arrives", || {
            let entries = place.since(mark);
            Ok(entries.into_iter().find(|entry| entry.method == "PATCH" && is_about(entry, &save_id(number))))
        })?;
        lags.push(i128::from(arrived.at.0 - saved.0) / 1000 - DEBOUNCE.as_millis().cast_signed());
        let shown = place.hub().model.page(&save_id(number)).and_then(Page::content).map(str::to_owned);
        wrong.extend(shown.filter(|shown| shown.trim() != "Saved anew."));
    }
    daemon.kill()?;
    lags.sort_unstable();
    let (median, longest) = (lags[SAVES / 2], lags[SAVES - 1]);
    let words = format!("{median} ms beside the {} ms of rest (longest {longest} ms)", DEBOUNCE.as_millis());
    report.figure(format!("from a save to its PATCH, median of {SAVES}"), words);
    report.promise("a save reaches its page while run is on", wrong);
    Ok(())
}
