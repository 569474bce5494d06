//! Two sides: a writer who saves files and a colleague who works in the hub's browser, both at the same pages, for minutes;
//! and a person who settles what they disagree about, one command each.
//!
//! What is counted is texts: each one that the colleague wrote, or that was taken out of a file, has to be found again, in the
//! hub's history or in the backups, unless its own author replaced it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hubsync::sandbox::server::clock;
use hubsync::sandbox::{LogEntry, NewPage, Page, Status, Time};

use crate::Outcome;
use crate::hub::{Budget, Mark, Place, by_method, is_about};
use crate::report::Report;

/// Paragraphs of a page; each side changes one at a time, so that texts can be merged.
const PARAGRAPHS: usize = 4;
/// So long the daemon may take to store what a look showed, in the hub's stamps.
const STORED: i64 = 1_000_000;
/// How often the daemon looks for drift, in seconds.
const CHECK: u64 = 5;
/// Folders in which pages can be filed.
const FOLDERS: &[&str] = &["Sales", "Support"];

/// What was done, and what it came to.
#[derive(Default)]
struct Met {
    saves: usize,
    filed_in_file: usize,
    published: usize,
    drafts: usize,
    discarded: usize,
    filed_in_hub: usize,
    resolved: BTreeMap<&'static str, usize>,
    overtaken: usize,
    nothing_to_merge: usize,
    unsettled: Vec<String>,
    both_merged: usize,
}

/// A draft of the colleague's that he has not replaced himself.
struct Draft {
    text: String,
    saved: Time,
}

struct Trial<'a> {
    place: &'a Place,
    pages: usize,
    dice: fastrand::Rng,
    next: u32,
    met: Met,
    /// Texts that the colleague published or left as a draft, by page.
    colleagues: Vec<(usize, String)>,
    drafts: BTreeMap<usize, Draft>,
    /// When the colleague was at a page last.
    touched: BTreeMap<usize, Time>,
    /// Texts that a command took out of a file.
    replaced: Vec<(usize, String)>,
    lost: Vec<String>,
    raced: usize,
    folders: Vec<String>,
    log: Vec<LogEntry>,
    mark: Mark,
}

/// Carries the trial out.
pub fn run(minutes: u64, pages: usize, seed: u64) -> Outcome<Report> {
    let place = Place::new(Budget::Endless)?;
    place.configure_with(Budget::Endless, &format!("remote:\n  check_interval: {CHECK}s\n"))?;
    let folders = FOLDERS.iter().map(|name| place.hub().model.add_folder(clock(), name, None)).collect();
    for page in 0..pages {
        let (id, title) = (Some(id(page)), format!("Page {page}"));
        let new = NewPage { id, title, content: first(page), status: Status::Published, ..NewPage::default() };
        place.hub().model.add_page(clock(), new);
        write(&place, page, &first(page), "")?;
    }
    let daemon = place.daemon()?;
    let mark = place.mark();
    let mut trial = Trial {
        place: &place,
        pages,
        dice: fastrand::Rng::with_seed(seed),
        next: 0,
        met: Met::default(),
        colleagues: Vec::new(),
        drafts: BTreeMap::new(),
        touched: BTreeMap::new(),
        replaced: Vec::new(),
        lost: Vec::new(),
        raced: 0,
        folders,
        log: Vec::new(),
        mark,
    };
    let began = Instant::now();
    let mut steps = 0;
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        trial.step()?;
        steps += 1;
    }
    let took = began.elapsed();
    trial.settle_all()?;
    drop(daemon);
    trial.report(steps, took, seed)
}

fn id(page: usize) -> String {
    format!("page-{page:04}")
}

fn path(page: usize) -> String {
    format!("{}.md", id(page))
}

/// What both sides begin with.
fn first(page: usize) -> String {
    let paragraphs: Vec<String> = (0..PARAGRAPHS).map(|number| format!("Paragraph {number} of page {page}.")).collect();
    paragraphs.join("\n\n") + "\n"
}

/// The same text with one paragraph written anew.
fn rewritten(text: &str, paragraph: usize, new: &str) -> String {
    let mut paragraphs: Vec<&str> = text.trim().split("\n\n").collect();
    let place = paragraph % paragraphs.len();
    paragraphs[place] = new;
    paragraphs.join("\n\n") + "\n"
}

fn write(place: &Place, page: usize, body: &str, more: &str) -> Outcome<()> {
    let document = format!("---\npage_id: {}\n{more}---\n\n# Page {page}\n\n{body}", id(page));
    Ok(fs::write(place.root().join(path(page)), document)?)
}

impl Trial<'_> {
    /// One thing happens, on one side or the other.
    fn step(&mut self) -> Outcome<()> {
        thread::sleep(Duration::from_millis(self.dice.u64(5..60)));
        let page = self.dice.usize(..self.pages);
        match self.dice.u8(..100) {
            0..40 => self.save(page),
            40..45 => self.file_in_file(page),
            45..65 => self.colleague(page, Deed::Publish),
            65..77 => self.colleague(page, Deed::Draft),
            77..82 => self.colleague(page, Deed::Discard),
            82..87 => self.colleague(page, Deed::File),
            _ => self.settle_one(),
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The document's front matter without its id, and its body.
    fn document(&self, page: usize) -> Outcome<(String, String)> {
        let text = fs::read_to_string(self.place.root().join(path(page)))?;
        let (head, body) = text.split_once("\n---\n").ok_or("a document without front matter")?;
        let more = head.lines().skip(1).filter(|line| !line.starts_with("page_id:")).map(|line| format!("{line}\n"));
        let body = body.trim_start();
        let body = body.strip_prefix(&format!("# Page {page}\n")).unwrap_or(body);
        Ok((more.collect(), format!("{}\n", body.trim())))
    }

    /// The writer changes a paragraph, and whatever is left of a conflict in the file.
    fn save(&mut self, page: usize) -> Outcome<()> {
        let (more, body) = self.document(page)?;
        let body = self.merged(&body);
        let new = format!("Written by the writer, number {}.", self.number());
        self.met.saves += 1;
        write(self.place, page, &rewritten(&body, self.dice.usize(..PARAGRAPHS), &new), &more)
    }

    /// The writer takes both passages wherever the file has conflict markers.
    fn merged(&mut self, body: &str) -> String {
        let marker = |line: &&str| ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
        if !body.lines().any(|line| marker(&line)) {
            return body.to_owned();
        }
        self.met.both_merged += 1;
        let lines: Vec<&str> = body.lines().map(|line| if marker(&line) { "" } else { line }).collect();
        let text = lines.join("\n");
        let paragraphs: Vec<&str> = text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()).collect();
        paragraphs.join("\n\n") + "\n"
    }

    /// The writer files a page; never elsewhere than the colleague would, but at another time.
    fn file_in_file(&mut self, page: usize) -> Outcome<()> {
        let (_, body) = self.document(page)?;
        let body = self.merged(&body);
        self.met.filed_in_file += 1;
        let folder = FOLDERS[self.dice.usize(..FOLDERS.len())];
        write(self.place, page, &body, &format!("folders: [{folder}]\n"))
    }

    /// The colleague does something in the browser, through the sandbox's endpoints.
    fn colleague(&mut self, page: usize, deed: Deed) -> Outcome<()> {
        self.look_for_drafts();
        let number = self.number();
        let now = clock();
        let (old, has_draft) = {
            let hub = self.place.hub();
            let page = hub.model.page(&id(page)).ok_or("a page is gone")?;
            let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
            let live = page.content().unwrap_or_default().to_owned();
            (draft.clone().unwrap_or(live), self.drafts.contains_key(&self.index(&page.id)))
        };
        let text =
            rewritten(&old, self.dice.usize(..PARAGRAPHS), &format!("Written by the colleague, number {number}."));
        let (act, body) = match deed {
            Deed::Publish => ("publish", serde_json::json!({"content": text})),
            Deed::Draft => ("draft", serde_json::json!({"content": text})),
            Deed::Discard if !has_draft => return Ok(()),
            Deed::Discard => ("discard", serde_json::json!({})),
            Deed::File => {
                let folder = self.folders[self.dice.usize(..self.folders.len())].clone();
                ("file", serde_json::json!({"folder_ids": [folder]}))
            }
        };
        self.place.colleague(&format!("pages/{}/{act}", id(page)), &body)?;
        self.touched.insert(page, clock());
        match deed {
            Deed::Publish => {
                self.met.published += 1;
                self.drafts.remove(&page);
                self.colleagues.push((page, text));
            }
            Deed::Draft => {
                self.met.drafts += 1;
                self.drafts.insert(page, Draft { text, saved: now });
            }
            Deed::Discard => {
                self.met.discarded += 1;
                self.drafts.remove(&page);
            }
            Deed::File => self.met.filed_in_hub += 1,
        }
        Ok(())
    }

    fn index(&self, id: &str) -> usize {
        id.trim_start_matches("page-").parse().unwrap_or_default()
    }

    /// A draft of the colleague's that is not there any more, and that he did not replace himself, must be in the backups. The
    /// one thing that can't be kept is a draft that was saved after the last look before a write (README, promise 1).
    fn look_for_drafts(&mut self) {
        self.log.extend(self.place.since(self.mark));
        self.mark = self.place.mark();
        let gone: Vec<usize> = {
            let hub = self.place.hub();
            let there = |page: usize, text: &str| {
                let found = hub.model.page(&id(page));
                found.and_then(|page| page.draft.as_ref()?.content.clone()).as_deref() == Some(text)
            };
            self.drafts.iter().filter(|(page, draft)| !there(**page, &draft.text)).map(|(page, _)| *page).collect()
        };
        for page in gone {
            let Some(draft) = self.drafts.remove(&page) else { continue };
            if self.is_kept(page, &draft.text) {
                continue;
            }
            if self.was_looked_at_after(page, draft.saved) {
                self.lost.push(format!("{}: the draft {:?}", id(page), draft.text));
            } else {
                self.raced += 1;
            }
        }
    }

    /// When the daemon last looked at a page: by itself, or by a list.
    fn last_look(&self, page: usize) -> Option<Time> {
        let is_look = |entry: &&LogEntry| {
            let list = entry.target.contains("/knowledge-hub/pages?");
            entry.method == "GET" && (list || is_about(entry, &id(page)))
        };
        self.log.iter().rev().find(is_look).map(|entry| entry.at)
    }

    /// Whether a page was looked at between a moment and the first write after it.
    fn was_looked_at_after(&self, page: usize, moment: Time) -> bool {
        let after = self.log.iter().filter(|entry| entry.at > moment);
        let before_write = after.take_while(|entry| !(entry.method == "PATCH" && is_about(entry, &id(page))));
        before_write.filter(|entry| entry.method == "GET").any(|entry| is_about(entry, &id(page)))
    }

    /// Whether a text is in the hub's history, on the page or in the backups.
    fn is_kept(&self, page: usize, text: &str) -> bool {
        let shows = |held: &str| held.trim() == text.trim();
        let in_hub = self.place.hub().model.page(&id(page)).is_some_and(|page: &Page| {
            page.versions.iter().any(|version| shows(&version.content))
                || page.draft.as_ref().and_then(|draft| draft.content.as_deref()).is_some_and(shows)
        });
        in_hub || backups(&self.place.backups().join(id(page))).iter().any(|held| held.contains(text.trim()))
    }

    /// What waits for a person, by path and with its state.
    fn waiting(&self) -> Outcome<Vec<(usize, String)>> {
        let status = self.place.status()?;
        let pages = status["pages"].as_array().into_iter().flatten();
        let waits = pages.filter(|page| page["state"] == "conflict" || page["state"] == "drifted");
        let named = waits.filter_map(|page| Some((page["page_id"].as_str()?, page["state"].as_str()?)));
        Ok(named.map(|(page, state)| (self.index(page), state.to_owned())).collect())
    }

    /// A person settles one page, one way or another.
    fn settle_one(&mut self) -> Outcome<()> {
        let waiting = self.waiting()?;
        if waiting.is_empty() {
            return Ok(());
        }
        let page = waiting[self.dice.usize(..waiting.len())].0;
        let keep = ["local", "remote", "both"][self.dice.usize(..3)];
        self.settle(page, keep)
    }

    fn settle(&mut self, page: usize, keep: &'static str) -> Outcome<()> {
        let (_, before) = self.document(page)?;
        self.look_for_drafts();
        let known = self
            .last_look(page)
            .is_some_and(|look| self.touched.get(&page).is_none_or(|touch| touch.0 + STORED < look.0));
        let ended = self.place.run(&["resolve", &format!("root/{}", path(page)), "--keep", keep, "--json"])?;
        *self.met.resolved.entry(keep).or_default() += 1;
        let (_, after) = self.document(page)?;
        if after != before {
            self.replaced.push((page, before));
        }
        self.look_for_drafts();
        let pages = ended.report["pages"].as_array().into_iter().flatten();
        let found = pages.into_iter().find(|found| found["page_id"] == id(page).as_str());
        let Some(found) = found.filter(|found| found["state"] == "conflict" || found["state"] == "drifted") else {
            return Ok(());
        };
        let why = found["reason"]["message"].as_str().unwrap_or_default();
        if keep == "both" && why.contains("both texts are the same") {
            // Only lists differ: there is nothing to merge, and it says so.
            self.met.nothing_to_merge += 1;
            return self.settle(page, "local");
        }
        // A decision holds for what it was decided on; the colleague may have been there since the daemon's last look.
        if known {
            self.met.unsettled.push(format!("{}: --keep {keep} exited {}: {why}", id(page), ended.code));
        } else {
            self.met.overtaken += 1;
        }
        Ok(())
    }

    /// Nothing happens any more but that a person settles what waits, until nothing does.
    fn settle_all(&mut self) -> Outcome<()> {
        for page in 0..self.pages {
            let (_, body) = self.document(page)?;
            if self.merged(&body) != body {
                self.save(page)?;
            }
        }
        let began = Instant::now();
        loop {
            let ended = self.place.run(&["sync", "--json"])?;
            let waiting = self.waiting()?;
            if waiting.is_empty() && ended.code == 0 {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(120) {
                return Err(format!("not in step after two minutes of settling: {waiting:?}, {}", ended.report).into());
            }
            for (page, _) in waiting {
                self.settle(page, "local")?;
            }
        }
    }

    fn report(mut self, steps: usize, took: Duration, seed: u64) -> Outcome<Report> {
        self.look_for_drafts();
        let requests: Vec<LogEntry> =
            self.log.iter().filter(|entry| !entry.target.contains("/_sandbox/")).cloned().collect();
        let Met { saves, filed_in_file, published, drafts, discarded, filed_in_hub, .. } = self.met;
        let resolved: usize = self.met.resolved.values().sum();
        let touches = published + drafts + discarded + filed_in_hub;
        let lists = usize::try_from(took.as_secs() / CHECK)? + 1;
        let bound = Bound { pages: self.pages, saves: saves + filed_in_file, touches, resolved, lists }.requests();
        let mut report = Report::new(format!("sides: {} pages, seed {seed}", self.pages));
        report.figure("steps", format!("{steps} in {:.0} s", took.as_secs_f64()));
        report.figure("saves of the writer", saves);
        report.figure("… that file a page elsewhere", filed_in_file);
        report.figure("publishes of the colleague", published);
        report.figure("… drafts, and those discarded", format!("{drafts}, {discarded}"));
        report.figure("… pages filed elsewhere", filed_in_hub);
        report.figure("settled by one command", format!("{:?}", self.met.resolved));
        report.figure("… held, because the page had moved on since status", self.met.overtaken);
        report.figure("… told that lists alone differ, so that one side has to win", self.met.nothing_to_merge);
        report.figure("conflict markers taken out", self.met.both_merged);
        report.figure("texts that a command took out of a file", self.replaced.len());
        report.figure("drafts saved between look and write (can't be kept)", self.raced);
        report.figure("requests", format!("{} ({}), at most {bound}", requests.len(), by_method(&requests)));
        let texts = self.colleagues.iter().chain(&self.replaced);
        let lost = texts.filter(|(page, text)| !self.is_kept(*page, text));
        self.lost.extend(lost.map(|(page, text)| format!("{}: {text:?}", id(*page))).collect::<Vec<_>>());
        let apart = (0..self.pages).map(|page| self.apart(page)).collect::<Outcome<Vec<_>>>()?;
        let over = (requests.len() > bound).then(|| format!("{} requests", requests.len()));
        report.promise("no text is lost: each is in the hub's history or in the backups", self.lost);
        report.promise("every conflict and drift is settled by one command", self.met.unsettled);
        report.promise("in the end every page shows its document", apart.into_iter().flatten().collect());
        report.promise("no request too many (README, What a change costs)", over.into_iter().collect());
        Ok(report)
    }

    fn apart(&self, page: usize) -> Outcome<Option<String>> {
        let (_, body) = self.document(page)?;
        let shown = self.place.hub().model.page(&id(page)).and_then(|page| page.content().map(str::to_owned));
        let same = shown.as_deref().map(str::trim) == Some(body.trim());
        Ok((!same).then(|| format!("{} shows {shown:?}, its document says {body:?}", id(page))))
    }
}

/// What the colleague does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Publish,
    Draft,
    Discard,
    File,
}

/// What happened, by what the README says it may cost.
struct Bound {
    pages: usize,
    saves: usize,
    touches: usize,
    resolved: usize,
    lists: usize,
}

impl Bound {
    /// A first meeting and a write for each page, the table of folders, two for each save, one look for each touch of a colleague's,
    /// one list a check, and for what a person settled: the look that it begins with, one at the page, one write.
    fn requests(&self) -> usize {
        2 * self.pages + 1 + 2 * self.saves + self.touches + self.lists + 3 * self.resolved
    }
}

/// The texts of all backups of a page.
fn backups(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}
