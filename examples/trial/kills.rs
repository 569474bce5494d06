//! Kills: SIGKILL at a random moment of a `sync` or a `run`, again and again, with new texts each time. What was cut off is in
//! doubt, and must be looked up before it is sent again.

use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::hub::{Budget, Mark, Place};
use crate::numbered;
use crate::report::Report;

/// The hub takes its time, so that requests are under way when the kill comes.
const SLOW: &[&str] = &["PATCH/delay-before=20:0.5", "delay-after=20:1"];

/// Carries the trial out.
pub fn run(times: usize, pages: usize, seed: u64) -> Outcome<Report> {
    let began = Instant::now();
    let place = Place::new(Budget::Endless)?;
    place.misbehave(SLOW)?;
    numbered::add_pages(&place, pages);
    numbered::write_all(&place, pages, 1)?;
    let first = place.sync()?;
    let mut dice = fastrand::Rng::with_seed(seed);
    let (mut text, mut kills, mut midway, mut too_late) = (1, 0, 0, 0);
    let mut requests = Requests { mark: place.mark(), writes: 0, looked_up: 0 };
    while kills < times {
        text += 1;
        numbered::write_all(&place, pages, text)?;
        let running = if kills % 2 == 0 { place.start(&["sync", "--no-progress"])? } else { place.start(&["run"])? };
        // In the middle: when some pages have their new text and others don't.
        let reached = dice.usize(1..pages.max(2));
        place.wait("some pages have their new text", || {
            Ok((numbered::showing(&place, pages, text) >= reached).then_some(()))
        })?;
        thread::sleep(Duration::from_millis(dice.u64(0..20)));
        if running.kill()? {
            kills += 1;
            let shown = numbered::showing(&place, pages, text);
            midway += usize::from(shown > 0 && shown < pages);
        } else {
            too_late += 1;
        }
        requests.count(&place);
    }
    let last = place.sync()?;
    requests.count(&place);

    let mut report = Report::new(format!("kills: {times} × SIGKILL, {pages} pages, seed {seed}"));
    report.figure("kills", kills);
    report.figure("… while some pages had their new text", midway);
    report.figure("syncs that ended before their kill", too_late);
    report.figure("texts of each document", text);
    report.figure("PATCH requests after the first sync", requests.writes);
    report.figure("doubts looked up", requests.looked_up);
    report.figure("versions published", numbered::published(&place));
    report.figure("the last sync took", format!("{:.1} s", last.took.as_secs_f64()));
    report.figure("all of it took", format!("{:.0} s", began.elapsed().as_secs_f64()));
    report.equal("the first and the last sync end with 0", &(first.code, last.code), &(0, 0));
    report.promise("none is lost: every page shows its document", numbered::lost(&place, pages, text));
    report.promise("none is published twice: versions are ever newer texts", numbered::repeated(&place));
    let idle =
        (midway == 0 || requests.looked_up == 0).then(|| "no kill came while something was under way".to_owned());
    report.promise("the trial proves something", idle.into_iter().collect());
    place.close()?;
    Ok(report)
}

/// What the hub was asked; counted piece by piece, because its log forgets.
struct Requests {
    mark: Mark,
    writes: usize,
    looked_up: usize,
}

impl Requests {
    fn count(&mut self, place: &Place) {
        let entries = place.since(self.mark);
        self.mark = place.mark();
        self.writes += entries.iter().filter(|entry| entry.method == "PATCH").count();
        // Every page has been met: one page alone is read only where a write is in doubt.
        self.looked_up +=
            entries.iter().filter(|entry| entry.method == "GET" && entry.target.contains("/page-")).count();
    }
}
