//! Faults: a hub whose answers are lost, cut off, or not its own. Each text arrives once all the same. Two pages can't be
//! written at all, one refused and one archived: they are told, sent once, and stop no other.

use std::collections::BTreeMap;
use std::time::Instant;

use hubsync::sandbox::{Act, LogEntry, server::clock};
use serde_json::Value;

use crate::Outcome;
use crate::hub::{Budget, Place, Synced, is_about};
use crate::numbered;
use crate::report::Report;

const GOOD: usize = 60;
/// The page that is refused, and the one that is archived.
const REFUSED: usize = GOOD;
const ARCHIVED: usize = GOOD + 1;
const RULES: &[&str] = &[
    "PATCH/error-before=500:0.05",
    "PATCH/error-after=500:0.05",
    "PATCH/error-before=502:0.05",
    "PATCH/error-after=502:0.05",
    "PATCH/cut:0.05",
    "PATCH/drop-before:0.05",
    "PATCH/drop-after:0.05",
    "PATCH/html:0.05",
    "GET/error-before=502:0.05",
    "GET/cut:0.05",
    "GET/drop-after:0.05",
    "GET/html:0.05",
];
/// So many texts at the most until every fault has struck.
const TEXTS: u32 = 10;
/// So many syncs at the most for one text.
const SYNCS: u32 = 20;
/// Exit codes: a person must act; come back later.
const PERSON: i32 = 1;
const LATER: i32 = 75;

/// Carries the trial out.
pub fn run() -> Outcome<Report> {
    let began = Instant::now();
    let place = Place::new(Budget::Endless)?;
    prepare(&place)?;
    let mark = place.mark();
    place.misbehave(RULES)?;
    let (mut text, mut syncs) = (1, 0);
    let (mut struck, mut last);
    loop {
        text += 1;
        numbered::write_all(&place, GOOD, text)?;
        (last, syncs) = until_done(&place, syncs)?;
        struck = faults(&place.since(mark));
        if struck.len() >= RULES.len() || text == TEXTS {
            break;
        }
    }
    place.misbehave(&[])?;
    let requests = place.since(mark);
    let quiet = place.mark();
    let again = place.sync()?;
    let lost = numbered::lost(&place, GOOD, text);
    let daemon = place.daemon()?;
    // An edit that arrives says that the daemon has got through its first plan.
    numbered::write(&place, 0, text + 1, "")?;
    place.wait("an edit arrives", || Ok((numbered::showing(&place, 1, text + 1) == 1).then_some(())))?;
    daemon.kill()?;
    let after = place.since(quiet);

    let mut report = Report::new(format!("faults: {GOOD} good pages, one refused (400), one archived (404)"));
    for (fault, count) in &struck {
        report.figure(format!("fault {fault}"), count);
    }
    report.figure("texts of each document", text);
    report.figure("syncs until all had arrived", syncs);
    report.figure("requests meanwhile", requests.len());
    report.figure("it took", format!("{:.0} s", began.elapsed().as_secs_f64()));
    let blocked = [REFUSED, ARCHIVED].map(|page| standing(&last, page));
    report.figure("the refused page", &blocked[0]);
    report.figure("the archived page", &blocked[1]);
    report.equal("every kind of fault has struck", &struck.len(), &RULES.len());
    report.promise("every good page shows its document", lost);
    report.promise("no text is published twice", numbered::repeated(&place));
    report.equal("sync ends with 1: a person must act", &(last.code, again.code), &(PERSON, PERSON));
    let counts =
        |synced: &Synced| (synced.report["counts"]["in_step"].clone(), synced.report["counts"]["blocked"].clone());
    report.equal("60 in step, 2 blocked", &counts(&again), &(Value::from(GOOD), Value::from(2)));
    let answered = |page: usize, status: u16| to(&requests, page).filter(|entry| entry.status == status).count();
    report.equal("the refused page is answered 400 once", &answered(REFUSED, 400), &1);
    report.equal("the archived page is answered 404 at most once", &(answered(ARCHIVED, 404) <= 1), &true);
    let sent = [REFUSED, ARCHIVED].map(|page| to(&after, page).count());
    report.equal("neither is sent again by the next sync or a daemon", &sent, &[0, 0]);
    place.close()?;
    Ok(report)
}

/// All pages are in step; then a folder vanishes that a document will name, and a page is archived.
fn prepare(place: &Place) -> Outcome<()> {
    numbered::add_pages(place, GOOD + 2);
    let doomed = {
        let model = &mut place.hub().model;
        model.add_folder(clock(), "Kept", None);
        model.add_folder(clock(), "Doomed", None)
    };
    numbered::write_all(place, GOOD, 1)?;
    numbered::write(place, REFUSED, 1, "folders: Kept\n")?;
    numbered::write(place, ARCHIVED, 1, "")?;
    let met = place.sync()?;
    if met.code != 0 {
        return Err(format!("the first sync exits {}: {:#}", met.code, met.report).into());
    }
    // hubsync has read the folders' names by now, and will not ask again for one that it knows.
    place.rewrite(|state| {
        if let Some(folders) = state["folders"].as_object_mut() {
            folders.remove(&doomed);
        }
    })?;
    place.hub().model.colleague(clock(), &numbered::id(ARCHIVED), Act::Archive)?;
    numbered::write(place, REFUSED, 2, "folders: Doomed\n")?;
    numbered::write(place, ARCHIVED, 2, "")
}

/// Syncs until it doesn't ask to come back; adds to the count of syncs.
fn until_done(place: &Place, mut syncs: u32) -> Outcome<(Synced, u32)> {
    for _ in 0..SYNCS {
        let synced = place.sync()?;
        syncs += 1;
        let counts = &synced.report["counts"];
        if synced.code != LATER && counts["pending"] == 0 && counts["failed"] == 0 {
            return Ok((synced, syncs));
        }
    }
    Err(format!("after {SYNCS} syncs there is still something to do").into())
}

/// How often each fault struck.
fn faults(requests: &[LogEntry]) -> BTreeMap<String, usize> {
    let mut struck = BTreeMap::new();
    for entry in requests {
        if let Some(fault) = &entry.fault {
            *struck.entry(format!("{} {fault}", entry.method)).or_default() += 1;
        }
    }
    struck
}

/// The writes to a page.
fn to(requests: &[LogEntry], page: usize) -> impl Iterator<Item = &LogEntry> {
    requests.iter().filter(move |entry| entry.method != "GET" && is_about(entry, &numbered::id(page)))
}

/// What hubsync says of a page.
fn standing(synced: &Synced, page: usize) -> String {
    let pages = synced.report["pages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let page = pages.iter().find(|entry| entry["page_id"] == numbered::id(page).as_str());
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    page.map_or("not told".to_owned(), |page| {
        format!("{} [{}]: {}", text(&page["state"]), text(&page["reason"]["code"]), text(&page["reason"]["message"]))
    })
}
