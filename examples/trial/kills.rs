//! Kills: SIGKILL at a random moment of a `sync` or a `run`, again and again, with new texts each time. What was cut off is in
//! doubt, and must be looked up before it is sent again. Some kills are aimed: at the first moments of a run, at the wait
//! of a doubt, at the answer to its look-up.

use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::ground::Running;
use crate::hub::{Budget, Mark, Place};
use crate::numbered;
use crate::report::Report;

/// The hub takes its time, so that requests are under way when the kill comes.
const SLOW: &[&str] = &["PATCH/delay-before=20:0.5", "delay-after=20:1"];

/// A doubt waits so long after the start of a run, in milliseconds (README, promise 3); a kill aimed at it comes before.
const WAIT_MS: u64 = 4_800;

/// At what a kill is aimed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// When some pages have their new text and others don't.
    Midway,
    /// At the first moments of a run, mostly before it has stored or asked anything.
    Start,
    /// While doubts of the kill before wait until they may be looked up.
    Wait,
    /// When the first look-up of a doubt is at the hub.
    LookUp,
}

/// The kills, in turn: what they aim at, and what is killed.
const TURNS: &[(Aim, &[&str])] = &[
    (Aim::Midway, SYNC),
    (Aim::Wait, SYNC),
    (Aim::LookUp, RUN),
    (Aim::Midway, RUN),
    (Aim::Wait, RUN),
    (Aim::LookUp, SYNC),
    (Aim::Start, SYNC),
];
const SYNC: &[&str] = &["sync", "--no-progress"];
const RUN: &[&str] = &["run"];

/// What the kills met.
#[derive(Default)]
struct Met {
    kills: usize,
    midway: usize,
    start: usize,
    wait: usize,
    look_up: usize,
    too_late: usize,
    /// Writes that were at the hub without our having stored the answer.
    outstanding: usize,
    /// Intents that were stored while the hub has not seen their write.
    unsent: usize,
}

/// Carries the trial out.
pub fn run(times: usize, pages: usize, seed: u64) -> Outcome<Report> {
    let began = Instant::now();
    let place = Place::new(Budget::Endless)?;
    place.misbehave(SLOW)?;
    numbered::add_pages(&place, pages);
    numbered::write_all(&place, pages, 1)?;
    let first = place.sync()?;
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut trial = Trial { place: &place, pages, text: 1, met: Met::default(), requests: Requests::of(&place) };
    let mut turn = 0;
    while trial.met.kills < times {
        let (aim, arguments) = TURNS[turn % TURNS.len()];
        turn += 1;
        trial.kill(aim, arguments, &mut dice)?;
    }
    let Trial { text, met, mut requests, .. } = trial;
    let last = place.sync()?;
    requests.count(&place);

    let mut report = Report::new(format!("kills: {times} × SIGKILL, {pages} pages, seed {seed}"));
    report.figure("kills", met.kills);
    report.figure("… while some pages had their new text", met.midway);
    report.figure("… before the first request of a run", met.start);
    report.figure("… in the wait of a doubt", met.wait);
    report.figure("… while a doubt was looked up", met.look_up);
    report.figure("runs that ended before their kill", met.too_late);
    report.figure("doubts left whose write the hub had seen", met.outstanding);
    report.figure("doubts left between intent and send", met.unsent);
    report.figure("texts of each document", text);
    report.figure("PATCH requests after the first sync", requests.writes);
    report.figure("doubts looked up", requests.looked_up);
    report.figure("versions published", numbered::published(&place));
    report.figure("the last sync took", format!("{:.1} s", last.took.as_secs_f64()));
    report.figure("all of it took", format!("{:.0} s", began.elapsed().as_secs_f64()));
    report.equal("the first and the last sync end with 0", &(first.code, last.code), &(0, 0));
    report.promise("none is lost: every page shows its document", numbered::lost(&place, pages, text));
    report.promise("none is published twice: versions are ever newer texts", numbered::repeated(&place));
    report.promise("the trial proves something", met.missing(requests.looked_up));
    place.close()?;
    Ok(report)
}

impl Met {
    /// What no kill has met, where there were enough of them to meet all of it.
    fn missing(&self, looked_up: usize) -> Vec<String> {
        let expected = [
            (self.midway, 1, "no kill came while something was under way"),
            (looked_up, 1, "no doubt was looked up"),
            (self.wait, 2, "no kill came in the wait of a doubt"),
            (self.look_up, 3, "no kill came while a doubt was looked up"),
            (self.start, 7, "no kill came before the first request"),
        ];
        let enough = |kills: &usize| self.kills >= 5 * kills;
        expected
            .iter()
            .filter(|(met, kills, _)| *met == 0 && enough(kills))
            .map(|(.., why)| (*why).to_owned())
            .collect()
    }
}

struct Trial<'a> {
    place: &'a Place,
    pages: usize,
    text: u32,
    met: Met,
    requests: Requests,
}

impl Trial<'_> {
    /// Starts a run, and kills it where it is aimed at.
    fn kill(&mut self, aim: Aim, arguments: &[&str], dice: &mut fastrand::Rng) -> Outcome<()> {
        let before = self.doubts()?;
        let doubts = before.len();
        // Without a new text, what is in doubt is all that is looked at.
        if matches!(aim, Aim::Midway | Aim::Start) {
            self.text += 1;
            numbered::write_all(self.place, self.pages, self.text)?;
        }
        let mark = self.place.mark();
        let mut running = self.place.start(arguments)?;
        let began = Instant::now();
        match aim {
            Aim::Midway => {
                let reached = dice.usize(1..self.pages.max(2));
                self.place.wait("some pages have their new text", || {
                    Ok((numbered::showing(self.place, self.pages, self.text) >= reached).then_some(()))
                })?;
                thread::sleep(Duration::from_millis(dice.u64(0..20)));
            }
            Aim::Start => thread::sleep(Duration::from_millis(dice.u64(0..120))),
            Aim::Wait => thread::sleep(Duration::from_millis(dice.u64(100..WAIT_MS))),
            Aim::LookUp => {
                self.place.wait("a doubt is looked up, or there is none", || {
                    let asked = self.place.since(mark).iter().any(is_look_up);
                    Ok((asked || doubts == 0 || running.has_ended()?).then_some(()))
                })?;
                thread::sleep(Duration::from_millis(dice.u64(0..25)));
            }
        }
        self.note(aim, running, mark, &before, began)
    }

    /// Kills it, and counts what that met.
    fn note(&mut self, aim: Aim, running: Running, mark: Mark, before: &[String], began: Instant) -> Outcome<()> {
        if !running.kill()? {
            self.met.too_late += 1;
            return Ok(());
        }
        let took = began.elapsed();
        // What was on its way arrives.
        thread::sleep(Duration::from_millis(60));
        let entries = self.place.since(mark);
        let looked = entries.iter().filter(|entry| is_look_up(entry)).count();
        self.met.kills += 1;
        match aim {
            Aim::Midway => {
                let shown = numbered::showing(self.place, self.pages, self.text);
                self.met.midway += usize::from(shown > 0 && shown < self.pages);
            }
            Aim::Start => self.met.start += usize::from(entries.is_empty()),
            Aim::Wait => {
                let waited = !before.is_empty() && looked == 0 && took.as_millis() < u128::from(WAIT_MS);
                self.met.wait += usize::from(waited);
            }
            Aim::LookUp => self.met.look_up += usize::from(looked > 0 && looked <= before.len()),
        }
        for id in self.doubts()?.iter().filter(|id| !before.contains(id)) {
            let seen = entries.iter().any(|entry| entry.method == "PATCH" && entry.target.ends_with(id.as_str()));
            *if seen { &mut self.met.outstanding } else { &mut self.met.unsent } += 1;
        }
        self.requests.count(self.place);
        Ok(())
    }

    /// The pages whose write is in doubt by what is stored.
    fn doubts(&self) -> Outcome<Vec<String>> {
        let status = self.place.status()?;
        let pages = status["pages"].as_array().into_iter().flatten();
        let doubted = pages.filter(|page| page["reason"]["code"] == "in_doubt");
        Ok(doubted.filter_map(|page| page["page_id"].as_str()).map(str::to_owned).collect())
    }
}

/// Every page has been met: one page alone is read only where a write is in doubt.
fn is_look_up(entry: &hubsync::sandbox::LogEntry) -> bool {
    entry.method == "GET" && entry.target.contains("/page-")
}

/// What the hub was asked; counted piece by piece, because its log forgets.
struct Requests {
    mark: Mark,
    writes: usize,
    looked_up: usize,
}

impl Requests {
    fn of(place: &Place) -> Self {
        Self { mark: place.mark(), writes: 0, looked_up: 0 }
    }

    fn count(&mut self, place: &Place) {
        let entries = place.since(self.mark);
        self.mark = place.mark();
        self.writes += entries.iter().filter(|entry| entry.method == "PATCH").count();
        self.looked_up += entries.iter().filter(|entry| is_look_up(entry)).count();
    }
}
