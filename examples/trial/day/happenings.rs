//! What happens in a day beside its ordinary minutes. Each begins and ends with a clean checkout on the branch, and says at
//! once what it has seen go wrong.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::checkout::BRANCH;
use super::office::{DISPUTED, GUIDES, Office, PAGES, shown, text};
use crate::Outcome;
use crate::numbered::body;

/// So long something lasts that hubsync has to notice: git's own files are looked at every two seconds.
const A_WHILE: Duration = Duration::from_secs(4);
/// An hour of the day that takes five real minutes.
const HOUR: Duration = Duration::from_millis(12_500);

/// Something that happens.
pub type Happening = fn(&mut Office) -> Outcome<()>;

/// All of it, by name.
pub const HAPPENINGS: &[(&str, Happening)] = &[
    ("another branch and back", another_branch),
    ("a rebase that stops", stopped_rebase),
    ("the root is swapped", swapped),
    ("a folder is moved away and back", moved_away),
    ("a folder is renamed", renamed),
    ("the hub is down for an hour", outage),
    ("the key is rotated", rotation),
    ("the configuration changes", reload_by_file),
    ("the configuration changes, with SIGHUP", reload_by_signal),
    ("a broken configuration", broken_configuration),
    ("sync of one document", order),
    ("a pause", pause),
    ("the daemon is restarted", restart),
];

/// What a branch that is not published says.
fn of_another_branch(page: usize) -> String {
    text(page, &format!("Feature of page {page}.\n"))
}

fn another_branch(office: &mut Office) -> Outcome<()> {
    office.pull()?;
    let checkout = office.checkout().clone();
    let branch = format!("feature-{}", office.dice.u32(..));
    checkout.git(&["switch", "-qc", &branch])?;
    for page in 0..PAGES / 2 {
        fs::write(office.file(page), of_another_branch(page))?;
    }
    fs::remove_file(office.file(PAGES - 1))?;
    checkout.commit("A feature")?;
    office.wait_for_status("another branch is seen", |status| status["counts"]["skipped"] == PAGES)?;
    fs::write(office.file(PAGES / 2), of_another_branch(PAGES / 2))?;
    thread::sleep(A_WHILE);
    checkout.commit("More of it")?;
    checkout.git(&["switch", "-q", BRANCH])
}

fn stopped_rebase(office: &mut Office) -> Outcome<()> {
    office.pull()?;
    let checkout = office.checkout().clone();
    // The colleague's text is never in the published checkout but in passing.
    office.pages[DISPUTED].newest += 1;
    office.colleague.git(&["pull", "-q", "--ff-only"])?;
    let file = office.colleague.folder.join(&office.pages[DISPUTED].path);
    fs::write(file, text(DISPUTED, &body(DISPUTED, office.pages[DISPUTED].newest)))?;
    office.colleague.commit("The colleague's view")?;
    office.colleague.git(&["push", "-q"])?;
    office.save(DISPUTED)?;
    checkout.commit("The writer's view")?;
    checkout.stops(&["pull", "-q", "--rebase"])?;
    office.wait_for_status("the rebase is seen", |status| {
        let pages = status["pages"].as_array().map(Vec::as_slice).unwrap_or_default();
        pages.iter().any(|page| page["reason"]["code"] == "git_busy")
    })?;
    let page = office.any_page();
    office.save(page)?;
    thread::sleep(A_WHILE);
    if shown(&office.hub, page)? == body(page, office.pages[page].newest).trim() {
        office.broken.push(format!("page {page} was published in the middle of a rebase"));
    }
    office.save(DISPUTED)?;
    checkout.git(&["add", "-A"])?;
    checkout.git(&["rebase", "--continue"])?;
    checkout.git(&["push", "-q"])
}

fn swapped(office: &mut Office) -> Outcome<()> {
    office.swap()
}

fn moved_away(office: &mut Office) -> Outcome<()> {
    office.pull()?;
    let (folder, away) = (office.checkout().folder.join(GUIDES), office.ground.path("away"));
    fs::rename(&folder, &away)?;
    let thirds = PAGES / 3;
    office.wait_for_status("its documents are gone", |status| status["counts"]["orphaned"] == thirds)?;
    thread::sleep(A_WHILE);
    Ok(fs::rename(away, folder)?)
}

fn renamed(office: &mut Office) -> Outcome<()> {
    office.pull()?;
    let (from, to) =
        if office.pages[1].path.starts_with("sales/") { ("sales/", "trade/") } else { ("trade/", "sales/") };
    office.checkout().git(&["mv", from, to])?;
    for page in &mut office.pages {
        page.path = page.path.replace(from, to);
    }
    office.pull()
}

fn outage(office: &mut Office) -> Outcome<()> {
    let pages: Vec<usize> = (0..3).map(|_| office.any_page()).collect();
    for page in pages {
        office.save(page)?;
    }
    // Some are under way when it goes down.
    thread::sleep(Duration::from_millis(office.dice.u64(300..1500)));
    office.hub.close()?;
    let down = Instant::now();
    while down.elapsed() < HOUR {
        office.minute()?;
    }
    office.hub.open(&office.ground)
}

fn rotation(office: &mut Office) -> Outcome<()> {
    office.hub.close()?;
    office.hub.rotate();
    office.hub.open(&office.ground)?;
    let page = office.any_page();
    office.save(page)?;
    office.wait_for_status("the old key is refused", |status| status["hub"]["state"] == "unauthorized")?;
    office.minute()?;
    office.hand_out_key()?;
    office.wait_for_page(page)
}

/// Waits until the daemon has said this once more than before.
fn said_again(office: &Office, words: &str, act: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let count = || office.ground.said().matches(words).count();
    let before = count();
    act()?;
    office.ground.wait(words, || Ok((count() > before).then_some(())))
}

const TAKEN_UP: &str = "are read again";
const KEPT_OUT: &str = "the old one still holds";

fn hang_up(office: &Office) -> Outcome<()> {
    office.daemon.as_ref().map_or(Ok(()), |daemon| daemon.signal(Signal::HUP))
}

/// Lines that change something without changing what is published.
fn another_exclude(office: &mut Office) -> String {
    format!("exclude: [\"nothing-{}/**\"]\n", office.dice.u32(..))
}

fn reload_by_file(office: &mut Office) -> Outcome<()> {
    let more = another_exclude(office);
    said_again(office, TAKEN_UP, || office.configure(&more))
}

fn reload_by_signal(office: &mut Office) -> Outcome<()> {
    let more = another_exclude(office);
    said_again(office, TAKEN_UP, || {
        office.configure(&more)?;
        hang_up(office)
    })
}

fn broken_configuration(office: &mut Office) -> Outcome<()> {
    said_again(office, KEPT_OUT, || {
        office.configure("exclude: [\"**\"]\nlog:\n  format: loud\n")?;
        hang_up(office)
    })?;
    let page = office.any_page();
    office.save(page)?;
    office.wait_for_page(page)?;
    said_again(office, TAKEN_UP, || {
        office.configure("")?;
        hang_up(office)
    })
}

fn order(office: &mut Office) -> Outcome<()> {
    let page = office.any_page();
    office.save(page)?;
    let path = format!("root/{}", office.pages[page].path);
    let output = office.command(&["sync", "--json", "--no-progress", &path]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    if output.status.code() != Some(0) || shown(&office.hub, page)? != body(page, office.pages[page].newest).trim() {
        let code = output.status.code();
        office.broken.push(format!("sync of page {page} exits {code:?} and it is not published: {report:#}"));
    }
    Ok(())
}

fn pause(office: &mut Office) -> Outcome<()> {
    let said = office.command(&["pause", "--for", "1h"]).output()?;
    if !said.status.success() {
        return Err(format!("pause: {}", String::from_utf8_lossy(&said.stderr)).into());
    }
    // What was under way arrives.
    thread::sleep(A_WHILE);
    office.hub.collect()?;
    let before = office.hub.log.len();
    office.minute()?;
    thread::sleep(A_WHILE);
    office.hub.collect()?;
    let sent = office.hub.log.len() - before;
    if sent > 0 {
        office.broken.push(format!("{sent} requests were sent during a pause"));
    }
    let page = office.any_page();
    office.save(page)?;
    office.command(&["resume"]).output()?;
    office.wait_for_page(page)
}

fn restart(office: &mut Office) -> Outcome<()> {
    office.stop()?;
    office.minute()?;
    office.start()
}
