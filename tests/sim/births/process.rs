//! The process of these schedules, its time and its network: what is carried out, what requests meet, where it crashes.

use hubsync::engine::request::Request;
use hubsync::engine::{Input, Mode};

use crate::disk::Tail;
use crate::network::{Fate, RetryAfter};
use crate::world::SYNC;

use super::{Stage, id_line, mark_in};

impl Stage {
    pub(super) fn go(&mut self) {
        for _ in 0..self.rng.u8(1..8) {
            self.befall_patch();
            let flying = self.w.flights.len();
            match self.rng.u8(..5) {
                0 | 1 if !self.w.reserves.is_empty() => self.w.grant(),
                0 | 1 if !self.w.stores.is_empty() => self.w.store(),
                2 if !self.w.stores.is_empty() => self.w.store(),
                3 if !self.w.id_lines.is_empty() => self.w.write_id(),
                _ if flying > 0 => {
                    let n = self.rng.usize(..flying);
                    if self.w.flights[n].has_arrived() { self.w.answer_nth(n) } else { self.w.apply_nth(n) }
                }
                _ => self.reread(),
            }
            let ms = self.rng.i64(0..30);
            self.pass(ms);
        }
    }

    /// All is carried out as it comes for half a minute, but for what awaits a PATCH.
    pub(super) fn calm(&mut self) {
        self.tally.note("half a minute of calm");
        let until = self.w.time + 30_000;
        while self.w.time < until {
            self.befall_patch();
            if !self.w.work() {
                self.pass(1_000);
            }
        }
    }

    fn reread(&mut self) {
        while let Some(path) = self.w.rereads.pop() {
            self.w.folder.ask(self.w.now().mono, &path.to_text());
        }
    }

    pub(super) fn pass_between(&mut self, ms: std::ops::Range<i64>) {
        let ms = self.rng.i64(ms);
        self.pass(ms);
    }

    pub(super) fn pass(&mut self, ms: i64) {
        let until = self.w.time + ms;
        while self.w.time < until {
            let now = self.w.now();
            let wake = self.w.engine.wakeup(now).into_iter().chain(self.w.folder.wakeup()).min();
            let wake = wake.map(|at| self.w.time + i64::try_from(at.since(now.mono)).unwrap_or(i64::MAX / 2));
            let hung = self.w.flights.iter().map(|flight| flight.hangs_until()).min();
            let at = wake.into_iter().chain(hung).min().unwrap_or(until).max(self.w.time + 1 + ms / 8).min(until);
            self.w.tick(at - self.w.time);
            if let Some(n) = self.w.flights.iter().position(|flight| flight.hangs_until() <= self.w.time) {
                self.w.lose_nth(n);
            }
            self.reread();
            self.befall_patch();
            self.w.handle(Input::Tick);
            self.w.notice();
            self.judge();
        }
    }

    pub(super) fn befall(&mut self) {
        let fate = match self.rng.u8(..13) {
            0 | 1 => Fate::AnswerLost,
            2 => Fate::Cut,
            3 | 4 => Fate::Late(self.rng.u64(0..4_990)),
            5 => Fate::Unsent,
            6 => Fate::Gateway(502),
            7 => Fate::AppliedGateway(504),
            8 => Fate::Limited(RetryAfter::Seconds(self.rng.i64(1..20))),
            9 => Fate::AppliedPortal,
            10 => Fate::AppliedHalf,
            11 => Fate::AppliedEmpty,
            _ => Fate::Rejected,
        };
        if self.rng.u8(..20) < 9 {
            // The next PATCH meets it, whenever that is.
            self.awaits = Some(fate);
            return self.befall_patch();
        }
        for tries in 0..8 {
            // POSTs are what this is about.
            let mut all: Vec<usize> = (0..self.w.flights.len()).filter(|n| self.can_meet(*n, &fate)).collect();
            all.sort_by_key(|n| !matches!(self.w.flights[*n].request, Request::Create(_)));
            let is_post = |n: &&usize| matches!(self.w.flights[**n].request, Request::Create(_));
            if let Some(n) = all.first().filter(|n| is_post(n) || tries > 5) {
                return self.meet(*n, fate);
            }
            if !self.hurry() {
                return;
            }
        }
    }

    /// A PATCH that is under way meets what awaits it.
    fn befall_patch(&mut self) {
        let Some(fate) = self.awaits.take() else { return };
        let is_patch = |n: &usize| matches!(self.w.flights[*n].request, Request::Patch(_));
        match (0..self.w.flights.len()).filter(is_patch).find(|n| self.can_meet(*n, &fate)) {
            Some(n) => self.meet(n, fate),
            None => self.awaits = Some(fate),
        }
    }

    fn can_meet(&self, n: usize, fate: &Fate) -> bool {
        let flight = &self.w.flights[n];
        let fits = *fate != Fate::Rejected || flight.is_write();
        (!flight.has_arrived() || fate.arrives_first()) && fits
    }

    fn meet(&mut self, n: usize, fate: Fate) {
        let method = short(&self.w.flights[n].request);
        let words: String = format!("{fate:?}").chars().take_while(|c| c.is_alphanumeric()).collect();
        self.tally.note(format!("{method} {words}"));
        self.w.meet_nth(n, fate);
    }

    /// Does one thing on the way to the next request; whether there was any.
    fn hurry(&mut self) -> bool {
        if !self.w.reserves.is_empty() {
            self.w.grant();
        } else if !self.w.stores.is_empty() {
            self.w.store();
        } else {
            return self.w.notice();
        }
        true
    }

    fn posts(&self) -> Vec<usize> {
        let is_post = |n: &usize| matches!(self.w.flights[*n].request, Request::Create(_));
        (0..self.w.flights.len()).filter(is_post).collect()
    }

    pub(super) fn crash(&mut self) {
        // Often in the middle of a birth.
        if self.rng.bool() {
            for _ in 0..8 {
                if !self.posts().is_empty() || !self.hurry() {
                    break;
                }
            }
            if let Some(n) =
                self.posts().first().filter(|n| !self.w.flights[**n].has_arrived() && self.numbers.is_multiple_of(2))
            {
                self.w.apply_nth(*n);
            }
        }
        let post = self.w.flights.iter().find(|flight| matches!(flight.request, Request::Create(_)));
        self.tally.note(match post {
            Some(post) if post.has_arrived() => "crash while a POST has arrived and is not answered",
            Some(_) => "crash while a POST is on its way",
            None if !self.w.id_lines.is_empty() => "crash before an id is written",
            None if !self.w.stores.is_empty() => "crash while a change is being stored",
            None => "crash elsewhere",
        });
        let tail = match self.rng.u8(..4) {
            0 => Tail::Whole,
            1 => Tail::Torn(self.rng.u16(..1_000)),
            _ => Tail::Lost,
        };
        self.w.setting.mode = if self.rng.u8(..4) == 0 { SYNC } else { Mode::Daemon };
        self.w.crash_with(tail);
    }

    /// All that is remembered is lost. What is known of a page that no file names is lost with it: its document gets another
    /// (there is nothing else to go by), and only such a one.
    pub(super) fn lose_state(&mut self) {
        self.tally.note("the state is lost");
        self.w.trace.push("-- the state is lost".to_owned());
        self.lost = true;
        self.w.crash();
        let there: Vec<String> = self.paths().map(|path| self.text(&path)).collect();
        let names = |text: &String, page: &str| id_line(text).as_deref() == Some(page);
        // What was removed may come back, and names its own page again.
        let named = |page: &str, mark: &str| {
            let back = self.removed_texts().any(|text| mark_in(&text) == mark && names(&text, page));
            back || there.iter().any(|text| names(text, page))
        };
        let unnamed: Vec<String> =
            self.marked_pages().into_iter().filter(|(page, mark)| !named(page, mark)).map(|(_, mark)| mark).collect();
        // What is on its way may make such a page, or make such a page this document's.
        let to_unnamed =
            |target: &str| target.rsplit('/').next().is_some_and(|page| !there.iter().any(|text| names(text, page)));
        let late = self.w.late.iter().filter(|late| ["POST", "PATCH"].contains(&late.request.method.as_str()));
        let late: Vec<String> = late
            .filter(|late| to_unnamed(&late.request.target))
            .map(|late| String::from_utf8_lossy(&late.request.body).into_owned())
            .collect();
        for (mark, most) in &mut self.marks {
            let title = format!("\"{mark}\"");
            let unknown = unnamed.iter().filter(|of| *of == mark).count();
            let unknown = unknown + late.iter().filter(|body| body.contains(&title)).count();
            *most += unknown;
            if unknown > 0 {
                self.tally.note("a page that no file names is forgotten");
                self.namesakes.insert(mark.clone());
            }
        }
        self.w.lose_the_state();
        self.w.watch.forgets();
        self.w.disk.anew = Some(self.w.now().wall.0);
        self.w.begin();
    }
}

fn short(request: &Request) -> &'static str {
    match request {
        Request::Create(_) => "POST",
        Request::Patch(_) => "PATCH",
        Request::Archive(_) => "DELETE",
        Request::Get(_) => "GET",
        Request::List { .. } | Request::Names(..) => "LIST",
    }
}
