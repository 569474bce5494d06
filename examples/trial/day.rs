//! Day: the working day of an office at high speed. A daemon keeps a git checkout in step while editors save, a colleague
//! commits, branches come and go, the root is swapped, the hub goes down, the key is rotated, the configuration changes. At
//! its end every document has to be in step, and no request may have been one too many.
//!
//! In reading order: [`office`] who is there, and an ordinary minute · [`happenings`] what else happens · [`saves`] how
//! editors save · [`checkout`] git · [`server`] the hub

mod checkout;
mod happenings;
mod office;
mod saves;
mod server;

use std::fmt;
use std::time::{Duration, Instant};

use hubsync::sandbox::LogEntry;
use serde_json::Value;

use self::happenings::HAPPENINGS;
use self::office::{CHECK, DRAFTS, Office, PAGES, PER_MINUTE, Written, shown, text};
use crate::Outcome;
use crate::hub::{busiest, by_method, by_status, is_about, writes};
use crate::numbered::{body, id, number};
use crate::report::Report;

/// Requests under way at once (`hub.concurrency`): so many can be in doubt, or refused, at once.
const UNDER_WAY: usize = 4;

/// Carries the trial out.
pub fn run(minutes: u64, seed: u64) -> Outcome<Report> {
    let carried_out = carry_out(minutes, seed);
    carried_out.map_err(|error| format!("seed {seed}: {error}").into())
}

fn carry_out(minutes: u64, seed: u64) -> Outcome<Report> {
    let mut office = Office::open(seed)?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        round(&mut office)?;
    }
    let page = office.any_page();
    office.save(page)?;
    office.pull()?;
    // What is still on its way arrives; what is not there after that is told below.
    let _ = office.ground.wait("everything is in step", || Ok(lost(&office)?.is_empty().then_some(())));
    let lost = lost(&office)?;
    office.hub.collect()?;
    let (requests, took) = (std::mem::take(&mut office.hub.log), began.elapsed());
    office.stop()?;
    let last = office.command(&["sync", "--json", "--no-progress"]).output()?;
    office.hub.collect()?;

    let mut report = Report::new(format!("day: {PAGES} documents of a git checkout, seed {seed}"));
    for (what, times) in &office.happened {
        report.figure(what, times);
    }
    let allowed = allowed(&office, took);
    let texts: usize = office.pages.iter().map(|page| page.rested).sum();
    report.figure("texts that came to rest", texts);
    report.figure("it took", format!("{:.1} min", took.as_secs_f64() / 60.0));
    report.figure("requests", format!("{} ({})", requests.len(), by_method(&requests)));
    report.figure("… by kind", Kinds::of(&requests));
    report.figure("most in any 60 s", format!("{} of {PER_MINUTE}", busiest(&requests)));
    report.figure("answers", by_status(&requests));
    report.figure("allowed", sum(&allowed));
    for (why, kinds) in &allowed {
        report.figure(format!("… {why}"), kinds);
    }
    report.promise("every document is in step: by its file, by its page and by `status`", lost);
    let words = "only texts of the branch are published, whole, none twice, none after a newer one";
    report.promise(words, wrong(&office, &requests)?);
    report.promise("what happened was taken as it should be", std::mem::take(&mut office.broken));
    report.promise("no request too many", too_many(&requests, sum(&allowed)));
    report.equal("no 429", &requests.iter().filter(|entry| entry.status == 429).count(), &0);
    report.equal("a sync after it ends with 0", &last.status.code(), &Some(0));
    report.equal("… and writes nothing", &writes(&office.hub.log), &0);
    office.hub.close()?;
    office.ground.close()?;
    Ok(report)
}

/// All that happens, in an order that is drawn, with ordinary minutes between.
fn round(office: &mut Office) -> Outcome<()> {
    let mut round: Vec<_> = HAPPENINGS.iter().collect();
    office.dice.shuffle(&mut round);
    for (name, happen) in round {
        for _ in 0..office.dice.usize(1..=5) {
            office.minute().map_err(|error| format!("before {name}: {error}"))?;
        }
        happen(office).map_err(|error| format!("{name}: {error}"))?;
        office.note(*name);
    }
    Ok(())
}

/// The documents that are not in step.
fn lost(office: &Office) -> Outcome<Vec<String>> {
    let mut lost = Vec::new();
    for (page, written) in office.pages.iter().enumerate() {
        let newest = body(page, written.newest);
        let file = std::fs::read_to_string(office.ground.path("root").join(&written.path))?;
        if file != text(page, &newest) {
            lost.push(format!("the file of page {page} does not hold its text {}: {file:?}", written.newest));
        }
        let shows = shown(&office.hub, page)?;
        if shows != newest.trim() {
            lost.push(format!("page {page} shows {shows:?}, not its text {}", written.newest));
        }
    }
    let status = office.status()?;
    if status["counts"]["in_step"] != PAGES {
        lost.push(format!("status counts {}", status["counts"]));
    }
    let pages = status["pages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let held = pages.iter().filter(|page| page["state"] != "in_step");
    lost.extend(held.map(|page| format!("{} is {} ({})", page["path"], page["state"], page["reason"])));
    Ok(lost)
}

/// What was published and should not have been, by the requests and by the versions of the pages.
fn wrong(office: &Office, requests: &[LogEntry]) -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    let versions = office.hub.pages()?;
    for (page, written) in office.pages.iter().enumerate() {
        let of_page = requests.iter().filter(|entry| entry.method == "PATCH" && is_about(entry, &id(page)));
        let sent = of_page.filter(|entry| entry.status == 200).filter_map(content);
        let published = versions.iter().filter(|shown| shown.id == id(page)).flat_map(|shown| &shown.versions);
        // The first version is the hub's own.
        let published = published.skip(1).map(|version| version.content.clone());
        for texts in [sent.collect::<Vec<_>>(), published.collect()] {
            let numbers: Vec<u32> = texts.iter().filter_map(|text| number(text)).collect();
            let known = |text: &String| {
                number(text).is_some_and(|it| written.on_branch.contains(&it) && text.trim() == body(page, it).trim())
            };
            wrong.extend(texts.iter().filter(|text| !known(text)).map(|text| format!("page {page}: {text:?}")));
            if !numbers.is_sorted_by(|one, next| one < next) {
                wrong.push(format!("page {page} was sent the texts {numbers:?}"));
            }
        }
    }
    Ok(wrong)
}

/// The text that a request sends.
fn content(entry: &LogEntry) -> Option<String> {
    let sent: Value = serde_json::from_slice(&entry.body).ok()?;
    sent["content"].as_str().map(str::to_owned)
}

/// Requests by kind.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Kinds {
    writes: usize,
    /// Looks at one page.
    looks: usize,
    /// Looks at all pages that were touched, but for those that two writes or more rest on: they stand for as many looks.
    lists: usize,
}

impl Kinds {
    fn of(requests: &[LogEntry]) -> Kinds {
        let mut kinds = Kinds::default();
        // The writes since the last list; what comes before the first one is no list's.
        let mut served = 2;
        for entry in requests {
            match (entry.method.as_str(), entry.target.contains("/pages/")) {
                ("GET", true) => kinds.looks += 1,
                ("GET", false) => {
                    kinds.lists += usize::from(served < 2);
                    served = 0;
                }
                _ => {
                    kinds.writes += 1;
                    served += 1;
                }
            }
        }
        kinds.lists += usize::from(served < 2);
        kinds
    }

    fn named(self) -> [(usize, &'static str); 3] {
        [(self.writes, "writes"), (self.looks, "looks at one page"), (self.lists, "lists for less than two writes")]
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.named().into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, kind)| format!("{count} {kind}")).collect();
        out.write_str(&parts.join(", "))
    }
}

/// How many requests the README's table of costs allows, and why.
fn allowed(office: &Office, took: Duration) -> Vec<(&'static str, Kinds)> {
    let times = |what: &str| office.happened.get(what).copied().unwrap_or_default();
    let checks = usize::try_from(took.as_secs() / CHECK.as_secs()).unwrap_or(usize::MAX) + 1;
    let rested = |pages: &[Written]| pages.iter().map(|page| page.rested).sum::<usize>();
    let (outages, rotations) = (times("the hub is down for an hour"), times("the key is rotated"));
    let texts = rested(&office.pages);
    // The hub is closed for a rotation, too. What has no answer by then is looked up, and may be sent again.
    let doubts = UNDER_WAY * (outages + rotations);
    let nothing = Kinds::default();
    vec![
        ("texts that came to rest", Kinds { writes: texts, looks: texts, ..nothing }),
        ("drafts that were touched", Kinds { looks: rested(&office.pages[PAGES - DRAFTS..]), ..nothing }),
        ("drift checks", Kinds { lists: checks, ..nothing }),
        ("doubts", Kinds { writes: doubts, looks: doubts, ..nothing }),
        ("probes after an outage", Kinds { lists: outages, ..nothing }),
        // Nothing more is sent with a key that was refused.
        ("refusals of an old key", Kinds { writes: UNDER_WAY * rotations, lists: rotations, ..nothing }),
        ("`sync`", Kinds { lists: times("sync of one document"), ..nothing }),
        ("the end of a pause", Kinds { lists: times("a pause"), ..nothing }),
    ]
}

fn sum(allowed: &[(&str, Kinds)]) -> Kinds {
    allowed.iter().fold(Kinds::default(), |sum, (_, more)| Kinds {
        writes: sum.writes + more.writes,
        lists: sum.lists + more.lists,
        looks: sum.looks + more.looks,
    })
}

/// What was sent beyond that. Nothing is asked for but pages, nothing is sent but texts.
fn too_many(requests: &[LogEntry], allowed: Kinds) -> Vec<String> {
    let odd = |entry: &&LogEntry| !matches!(entry.method.as_str(), "GET" | "PATCH") || !entry.target.contains("/pages");
    let mut more: Vec<String> =
        requests.iter().filter(odd).map(|entry| format!("{} {}", entry.method, entry.target)).collect();
    for ((count, kind), (most, _)) in Kinds::of(requests).named().into_iter().zip(allowed.named()) {
        more.extend((count > most).then(|| format!("{count} {kind}, {most} are allowed")));
    }
    more
}
