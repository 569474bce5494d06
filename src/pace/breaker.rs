//! Whether the hub is worth asking: closed while it answers; open after it failed; then one probe at a time.
//!
//! It opens when a connection fails, when a list fails, or when three different pages fail in a row (one page that always
//! fails must not stop the others, promise 6). Pure; `engine/` asks it before each request and tells it what came back.
//! A probe is an ordinary request: the engine sends the oldest waiting read.
//!
//! How it is used: [`Breaker::may_send`] grants; a request that goes out on [`Verdict::Probe`] *must* be followed by one
//! [`Event::Probe`], because no second probe is granted before it.

use std::collections::BTreeSet;

use super::backoff::Backoff;
use crate::page::Mono;

/// Keeps requests back while the hub does not answer.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    probe: Probe,
    jitter: f64,
}

/// Whether requests pass.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// They do; these pages have failed since something last went well.
    Closed { failing: BTreeSet<String> },
    /// They don't until `until`, after so many failures in a row.
    Open { attempts: u32, until: Mono },
}

/// Whether a probe is under way. Apart from the state: an answer to an earlier request can close the breaker, and another
/// failure open it again, while the probe still hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    None,
    UnderWay,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The hub answered, whatever it said (also 404 or 400): it is there.
    Answered,
    /// No connection could be made, or it broke without an answer.
    ConnectionFailed,
    /// A list of pages or names failed (5xx, no answer, not the hub's).
    ListFailed,
    /// A request for one page failed: its id, or the path of the document that it is made for.
    PageFailed(String),
    /// The end of the request that was granted as a probe; told instead of the others.
    Probe(ProbeEnd),
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeEnd {
    /// The hub answered.
    Answered,
    /// It did not.
    Failed,
    /// It was never sent: no slot, or nothing left to ask. The next may go at once.
    NotSent,
}

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Yes,
    /// This one may, as a probe; a second one may not.
    Probe,
    /// None before this moment.
    NotUntil(Mono),
    /// None before the probe under way has ended.
    AfterProbe,
}

impl Breaker {
    /// So many different pages that fail in a row mean that the hub fails.
    const PAGES: usize = 3;

    /// A closed breaker. `jitter`, from 0 to 1, is drawn once a process: it keeps several daemons apart.
    pub fn new(jitter: f64) -> Self {
        Self { state: State::Closed { failing: BTreeSet::new() }, probe: Probe::None, jitter }
    }

    /// Whether a request may go now. `Probe` takes the probe.
    pub fn may_send(&mut self, now: Mono) -> Verdict {
        match (&self.state, self.probe) {
            (State::Closed { .. }, _) => Verdict::Yes,
            (State::Open { .. }, Probe::UnderWay) => Verdict::AfterProbe,
            (State::Open { until, .. }, Probe::None) if now < *until => Verdict::NotUntil(*until),
            (State::Open { .. }, Probe::None) => {
                self.probe = Probe::UnderWay;
                Verdict::Probe
            }
        }
    }

    /// Takes in what came of a request that was granted.
    pub fn record(&mut self, now: Mono, event: Event) {
        match event {
            Event::Answered => self.close(),
            Event::ConnectionFailed | Event::ListFailed => self.open(now),
            Event::PageFailed(page) => {
                if let State::Closed { failing } = &mut self.state {
                    failing.insert(page);
                    if failing.len() >= Self::PAGES {
                        self.open(now);
                    }
                }
            }
            Event::Probe(end) => {
                self.probe = Probe::None;
                match end {
                    ProbeEnd::Answered => self.close(),
                    ProbeEnd::Failed => self.probe_failed(now),
                    ProbeEnd::NotSent => {}
                }
            }
        }
    }

    /// A person just saved a document: the next request may probe at once, however long the breaker would have waited.
    pub fn fresh_edit(&mut self, now: Mono) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// The machine woke up, or its clock was set: what was waited for may be over, and the waits begin short again.
    pub fn reset(&mut self, now: Mono) {
        if let State::Open { attempts, until } = &mut self.state {
            *attempts = 0;
            *until = now;
        }
    }

    /// Whether requests are kept back.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// When to ask again; `None` while closed, or while a probe is under way (its end is an event of its own).
    pub fn wakeup(&self) -> Option<Mono> {
        match (&self.state, self.probe) {
            (State::Open { until, .. }, Probe::None) => Some(*until),
            _ => None,
        }
    }

    fn close(&mut self) {
        self.state = State::Closed { failing: BTreeSet::new() };
    }

    /// Opens. Already open: several requests that were under way fail of one cause, which must not count several times.
    fn open(&mut self, now: Mono) {
        if let State::Closed { .. } = self.state {
            self.state = State::Open { attempts: 1, until: now.plus(Backoff::HUB.delay(1, self.jitter)) };
        }
    }

    /// Waits longer. Closed meanwhile: something newer went well, the next failure will tell.
    fn probe_failed(&mut self, now: Mono) {
        if let State::Open { attempts, until } = &mut self.state {
            *attempts = attempts.saturating_add(1);
            *until = now.plus(Backoff::HUB.delay(*attempts, self.jitter));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn page(n: u8) -> String {
        format!("p{n}")
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(0.5);
        breaker.record(Mono(0), Event::ConnectionFailed);
        breaker
    }

    #[test]
    fn a_failed_connection_or_list_opens_it_at_once() {
        for event in [Event::ConnectionFailed, Event::ListFailed] {
            let mut breaker = Breaker::new(0.5);
            assert_eq!(breaker.may_send(Mono(0)), Verdict::Yes);
            breaker.record(Mono(0), event);
            assert_eq!(breaker.may_send(Mono(499)), Verdict::NotUntil(Mono(500)));
            assert_eq!(breaker.may_send(Mono(500)), Verdict::Probe);
            assert_eq!(breaker.may_send(Mono(500)), Verdict::AfterProbe);
        }
    }

    #[test]
    fn one_page_that_always_fails_delays_no_other() {
        let mut breaker = Breaker::new(0.5);
        for _ in 0..100 {
            breaker.record(Mono(0), Event::PageFailed(page(1)));
            breaker.record(Mono(0), Event::PageFailed(page(2)));
        }
        assert_eq!(breaker.may_send(Mono(0)), Verdict::Yes);
        breaker.record(Mono(0), Event::PageFailed(page(3)));
        assert!(breaker.is_open());
    }

    #[test]
    fn an_answer_between_them_breaks_the_row_of_failing_pages() {
        let mut breaker = Breaker::new(0.5);
        breaker.record(Mono(0), Event::PageFailed(page(1)));
        breaker.record(Mono(0), Event::PageFailed(page(2)));
        breaker.record(Mono(0), Event::Answered);
        breaker.record(Mono(0), Event::PageFailed(page(3)));
        assert!(!breaker.is_open());
    }

    #[test]
    fn requests_that_fail_together_wait_as_one() {
        let mut breaker = opened();
        for _ in 0..4 {
            breaker.record(Mono(100), Event::ConnectionFailed);
        }
        assert_eq!(breaker.wakeup(), Some(Mono(500)));
    }

    #[test]
    fn failing_probes_wait_longer_up_to_five_minutes_and_an_answer_ends_it() {
        let mut breaker = opened();
        let mut now = Mono(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let until = breaker.wakeup().unwrap();
            waits.push(until.since(now));
            now = until;
            assert_eq!(breaker.may_send(now), Verdict::Probe);
            breaker.record(now, Event::Probe(ProbeEnd::Failed));
        }
        assert_eq!(waits[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(waits[11], 300_000);
        assert_eq!(breaker.may_send(breaker.wakeup().unwrap()), Verdict::Probe);
        breaker.record(now, Event::Probe(ProbeEnd::Answered));
        assert_eq!(breaker.may_send(now), Verdict::Yes);
    }

    #[test]
    fn a_fresh_edit_probes_at_once_but_not_beside_a_probe() {
        let mut breaker = opened();
        breaker.fresh_edit(Mono(1));
        assert_eq!(breaker.may_send(Mono(1)), Verdict::Probe);
        breaker.fresh_edit(Mono(2));
        assert_eq!(breaker.may_send(Mono(2)), Verdict::AfterProbe);
    }

    #[test]
    fn a_probe_that_was_not_sent_gives_its_turn_back() {
        let mut breaker = opened();
        assert_eq!(breaker.may_send(Mono(500)), Verdict::Probe);
        breaker.record(Mono(500), Event::Probe(ProbeEnd::NotSent));
        assert_eq!(breaker.may_send(Mono(500)), Verdict::Probe);
    }

    #[test]
    fn after_a_wake_up_the_waits_are_short_again() {
        let mut breaker = opened();
        for n in 1..10 {
            breaker.fresh_edit(Mono(n));
            assert_eq!(breaker.may_send(Mono(n)), Verdict::Probe);
            breaker.record(Mono(n), Event::Probe(ProbeEnd::Failed));
        }
        breaker.reset(Mono(1_000));
        assert_eq!(breaker.may_send(Mono(1_000)), Verdict::Probe);
        breaker.record(Mono(1_000), Event::Probe(ProbeEnd::Failed));
        assert_eq!(breaker.wakeup(), Some(Mono(1_500)));
    }

    fn events() -> impl Strategy<Value = (u8, u64, u8)> {
        (0_u8..9, 0_u64..2_000, 0_u8..5)
    }

    proptest! {
        #[test]
        fn two_probes_are_never_under_way_and_it_never_waits_over_five_minutes(
            steps in proptest::collection::vec(events(), 0..200)
        ) {
            let mut breaker = Breaker::new(1.0);
            let mut now = Mono(0);
            let mut probing = false;
            for (kind, ms, n) in steps {
                now = now.plus(ms);
                match kind {
                    0 => breaker.record(now, Event::Answered),
                    1 => breaker.record(now, Event::ConnectionFailed),
                    2 => breaker.record(now, Event::PageFailed(page(n))),
                    3 => breaker.fresh_edit(now),
                    4 => breaker.reset(now),
                    5 if probing => {
                        let end = [ProbeEnd::Answered, ProbeEnd::Failed, ProbeEnd::NotSent][usize::from(n) % 3];
                        breaker.record(now, Event::Probe(end));
                        probing = false;
                    }
                    _ => match breaker.may_send(now) {
                        Verdict::Probe => {
                            prop_assert!(!probing, "a second probe");
                            probing = true;
                        }
                        Verdict::AfterProbe => prop_assert!(probing),
                        Verdict::NotUntil(until) => {
                            prop_assert!(until > now && until.since(now) <= 300_000);
                            prop_assert_eq!(breaker.wakeup(), Some(until));
                        }
                        Verdict::Yes => prop_assert!(!breaker.is_open()),
                    },
                }
            }
        }
    }
}
