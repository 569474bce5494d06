//! What a command reads of the hub by itself, outside the engine: pages, the list of pages, the tables of names. It can send
//! nothing that changes anything.
//!
//! Promises: each request takes a slot of the shared ledger first, in the lane that leaves `reserved_for_edits` alone; the
//! minute's budget is waited for up to a deadline, the day's never; a person's pause and the hub's are kept; a fault that
//! passes is met a few times. So it may run beside a daemon, whose state it only reads, and without one. `diff`, `pages`,
//! `link`, `pull` and `resolve` call it.

use std::time::Duration;

use crate::cli::Exit;
use crate::commands::opening::{self, Unopened};
use crate::config::{Config, duration};
use crate::daemon::clock::Clock;
use crate::daemon::sender::{Means, Sender};
use crate::daemon::settings;
use crate::daemon::signals::{Signals, Stop};
use crate::engine::ShutWhy;
use crate::engine::change::HubHealth;
use crate::engine::outcome::{Outcome, outcome};
use crate::engine::request::{Answer, AnswerBody, KeySource, Request};
use crate::hub::history::Edition;
use crate::local::links::SharedMap;
use crate::output::{Console, Progress, ProgressMode, Shown, Tally, Waiting};
use crate::pace::backoff::Backoff;
use crate::pace::quota::{Lane, NotUntil, Why};
use crate::page::{Mono, Page, PageId, Wall};
use crate::reason::Code;
use crate::state::store::Store;
use crate::state::usage::{Ledger, Slot};

mod tables;

/// So often a request is sent that fails for a reason that may pass.
const TRIES: u32 = 5;
/// A pause that is longer than this, in milliseconds, is not the minute's but the day's: it is not waited for.
const MINUTE_MS: i64 = 60_000;
/// The first wait after a 429 that names no time.
const UNNAMED: Backoff = Backoff { first_ms: 10_000, max_ms: 15 * 60_000 };

/// Reads of the hub. One request at a time.
#[derive(Debug)]
pub struct Reader {
    clock: Clock,
    sender: Sender,
    ledger: Ledger,
    /// The state, to ask for pauses; `None` where there is none yet.
    store: Option<Store>,
    signals: Signals,
    deadline: Mono,
    progress: Progress,
    done: u64,
    total: u64,
    requests: u32,
    /// When the last answer was asked for, and the hub's clock at it.
    asked: (Mono, Option<Wall>),
}

/// What the hub says of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Here it is, with its draft.
    Page(Box<Page>),
    /// It was archived; so it was last.
    Archived(Box<Page>),
    /// The hub has no such page.
    Absent,
    /// It could not be read although the hub answers others: cause and cure.
    Failed(String),
}

/// Why nothing more can be read; in words for a person, cause and cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Key, address or state can't be used.
    Unusable(String),
    /// A person must act.
    Person(String),
    /// It may pass by itself.
    Later(String),
    /// We were told to stop.
    Stopped(Stop),
}

impl Unread {
    /// Tells it; answers how the command ends.
    pub fn tell(&self, console: &Console) -> Exit {
        let (why, exit) = match self {
            Self::Unusable(why) => (why, Exit::Usage),
            Self::Person(why) => (why, Exit::Person),
            Self::Later(why) => (why, Exit::Later),
            Self::Stopped(Stop::Interrupt) => return Exit::Interrupted,
            Self::Stopped(Stop::Terminate | Stop::Hangup) => return Exit::Terminated,
        };
        console.error(Shown::new(why));
        exit
    }
}

impl From<Unopened> for Unread {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Unusable(why) | Unopened::Held(why) => Self::Unusable(why),
            Unopened::Later(why) => Self::Later(why),
        }
    }
}

/// How one try ended.
enum Tried {
    /// The hub gave what was asked for, or said that it can't.
    Answered(Answer, Outcome),
    /// Ask again after so many milliseconds, if that is not too late for this reason.
    After(u64, Fault),
    /// There is no use in asking again.
    Ended(Unread),
}

/// Why a try was in vain.
struct Fault {
    code: Code,
    message: String,
}

impl Reader {
    /// Opens what reading needs: the key, the ledger, a connection. Nothing is sent yet. From here on `max_wait` counts.
    ///
    /// # Errors
    /// Where something can't be opened.
    pub fn open(
        config: &Config,
        max_wait: Duration,
        console: &Console,
        progress: ProgressMode,
    ) -> Result<Self, Unopened> {
        let clock = Clock::start();
        let key = config.hub.key.read().map_err(|error| error.to_string())?;
        if let Some(warning) = config.hub.key.warning() {
            console.warning(Shown::new(&warning));
        }
        let hub = opening::hub_key(config, &key);
        let ledger = opening::ledger(config, hub, clock.now().wall, console)?;
        let store = Store::read_only(&config.state)?;
        let (client, rules, source) = (settings::client(config)?, config.policy().rules, config.hub.key.clone());
        let url = config.hub.url.as_str().to_owned();
        let sender = Sender::new(
            clock.clone(),
            config.root.clone(),
            SharedMap::default(),
            url,
            Means { client, rules, source, key },
        );
        let signals =
            Signals::listen().map_err(|error| format!("the system does not tell us of signals: {error}; try again"))?;
        let deadline = clock.now().mono.plus(duration::millis(max_wait));
        let progress = Progress::new(progress, console.stderr_paint());
        Ok(Self {
            clock,
            sender,
            ledger,
            store,
            signals,
            deadline,
            progress,
            done: 0,
            total: 0,
            requests: 0,
            asked: (Mono(0), None),
        })
    }

    /// Says how many pages will be read, for the bar.
    pub fn expects(&mut self, total: usize) {
        (self.done, self.total) = (0, total as u64);
        self.shows(Waiting::Nothing);
    }

    /// How many requests were sent.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The clock on the wall.
    pub fn now(&self) -> Wall {
        self.clock.now().wall
    }

    /// Writes with the bar out of the way.
    pub fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.progress.aside(write)
    }

    /// Whether we were told to stop since nothing was read: for those who do something between two reads.
    pub async fn stopped(&mut self) -> Result<(), Unread> {
        tokio::select! {
            biased;
            stop = self.signals.stop() => Err(Unread::Stopped(stop)),
            () = std::future::ready(()) => Ok(()),
        }
    }

    /// Waits until we are told to stop.
    pub async fn stop(&mut self) -> Unread {
        Unread::Stopped(self.signals.stop().await)
    }

    /// How long ago the last answer was asked for, in milliseconds, and the hub's clock at it.
    pub fn last_asked(&self) -> (u64, Option<Wall>) {
        (self.clock.now().mono.since(self.asked.0), self.asked.1)
    }

    /// One page with its draft: 1 request.
    ///
    /// # Errors
    /// Where nothing more can be read at all; what is wrong with this page alone is a [`Look`].
    pub async fn page(&mut self, id: &PageId) -> Result<Look, Unread> {
        let look = match self.ask(&Request::Get(id.clone())).await? {
            (AnswerBody::Page(page), Outcome::Absent) => Look::Archived(page),
            (AnswerBody::Page(page), _) => Look::Page(page),
            (_, Outcome::Rejected { message, .. } | Outcome::Retry { message, .. }) => Look::Failed(message),
            (_, _) => Look::Absent,
        };
        self.done += 1;
        self.shows(Waiting::Nothing);
        Ok(look)
    }

    /// Who published the versions of a page, newest first: 1 request. It only tells people more; where it can't be had, nothing
    /// is told.
    ///
    /// # Errors
    /// Only where we were told to stop.
    pub async fn history(&mut self, id: &PageId) -> Result<Vec<Edition>, Unread> {
        let slot = match self.slot().await {
            Ok(slot) => slot,
            Err(Unread::Stopped(stop)) => return Err(Unread::Stopped(stop)),
            Err(_) => return Ok(Vec::new()),
        };
        self.requests += 1;
        let Means { client, key, .. } = self.sender.means();
        let said = tokio::select! {
            said = client.history(key.expose(), id) => said,
            stop = self.signals.stop() => return Err(Unread::Stopped(stop)),
        };
        let ended = self.now();
        match said {
            Ok(editions) => {
                self.settle(slot, None, ended);
                Ok(editions)
            }
            Err(body) => {
                self.settle(slot, Some(&body), ended);
                Ok(Vec::new())
            }
        }
    }

    /// Sends a request until it is answered, and answers what that was. [`Outcome::Retry`] is only answered for one page.
    async fn ask(&mut self, request: &Request) -> Result<(AnswerBody, Outcome), Unread> {
        let mut tries = 0;
        loop {
            tries += 1;
            let Fault { code, message } = match self.once(request, tries).await? {
                Tried::Answered(answer, outcome) => return Ok((answer.body, outcome)),
                Tried::Ended(why) => return Err(why),
                Tried::After(ms, _) if tries < TRIES && self.in_time(ms) => {
                    let until = self.now().plus(i64::try_from(ms).unwrap_or(i64::MAX));
                    self.sleep(ms, until, "the hub").await?;
                    continue;
                }
                Tried::After(_, fault) => fault,
            };
            return match (request, code) {
                // The hub answers: it is this page that it can't give.
                (Request::Get(_), Code::ServerError) => Ok((AnswerBody::Stale, Outcome::Retry { code, message })),
                _ => Err(Unread::Later(message)),
            };
        }
    }

    /// One try, on a slot of its own.
    async fn once(&mut self, request: &Request, tries: u32) -> Result<Tried, Unread> {
        let slot = self.slot().await?;
        self.requests += 1;
        let answer = tokio::select! {
            answer = self.sender.send(request) => answer,
            // The slot counts as a request without an answer, which it is.
            stop = self.signals.stop() => return Err(Unread::Stopped(stop)),
        };
        if matches!(answer.body, AnswerBody::Unsent { .. }) {
            // A connection that was never made costs nothing.
            self.requests -= 1;
        }
        self.asked = (answer.sent.mono, answer.date);
        let outcome = outcome(request, &answer);
        self.settle(slot, Some(&answer.body), answer.ended.wall);
        let backoff = |code, message| Tried::After(Backoff::HUB.delay(tries, fastrand::f64()), Fault { code, message });
        Ok(match outcome {
            Outcome::Done | Outcome::Absent | Outcome::Rejected { .. } => Tried::Answered(answer, outcome),
            Outcome::Retry { code, message } | Outcome::InDoubt { code, message } => backoff(code, message),
            Outcome::Unreachable { message } => backoff(Code::HubUnreachable, message),
            Outcome::Pause { for_ms: None, message } => {
                Tried::After(UNNAMED.delay(tries, 0.5), Fault { code: Code::Paused, message })
            }
            // The ledger knows until when: the next slot is waited for.
            Outcome::Pause { for_ms: Some(_), message } => Tried::After(0, Fault { code: Code::Paused, message }),
            Outcome::Unauthorized(KeySource::Renewed) => self.with_another_key()?,
            Outcome::Unauthorized(KeySource::Same) => Tried::Ended(Unread::Unusable(
                "the hub refuses the key (401): make a new one under Settings > API".to_owned(),
            )),
            Outcome::Forbidden { message } | Outcome::NotTheHub { message } => Tried::Ended(Unread::Unusable(message)),
            Outcome::Redirected { message } => Tried::Ended(Unread::Person(message)),
            Outcome::Stale | Outcome::Unwritable { .. } => {
                Tried::Ended(Unread::Later("nothing was sent; try again".to_owned()))
            }
        })
    }

    /// The key's source holds another key by now, which goes on with what was spent.
    fn with_another_key(&mut self) -> Result<Tried, Unread> {
        let now = self.now();
        self.ledger.set_key(self.sender.hub_key(), now).map_err(|error| Unread::from(Unopened::from(error)))?;
        let message = "the hub refuses one key after the other (401): make a new one under Settings > API".to_owned();
        Ok(Tried::After(0, Fault { code: Code::Paused, message }))
    }

    /// A slot of the budget, waited for where that is a matter of a minute and of pauses that end in time.
    async fn slot(&mut self) -> Result<Slot, Unread> {
        loop {
            self.stopped().await?;
            self.pauses().await?;
            let now = self.now();
            let taken = self.ledger.take(now, Lane::Bulk).map_err(|error| Unread::from(Unopened::from(error)))?;
            let refused = match taken {
                Ok(slot) => return Ok(slot),
                Err(refused) => refused,
            };
            let ms = refused.at.0.saturating_sub(now.0).max(1);
            let wait = u64::try_from(ms).unwrap_or(1);
            if ends_the_day(refused, ms) || !self.in_time(wait) {
                return Err(Unread::Later(no_slot(refused)));
            }
            self.sleep(wait, refused.at, "the minute's budget").await?;
        }
    }

    /// Keeps the pauses that only the state tells of: a person's, which is not waited for, and that of a 429 which named no time.
    async fn pauses(&mut self) -> Result<(), Unread> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let stored = store.pauses().map_err(|error| Unread::from(Unopened::from(error)))?;
        let now = self.now();
        if let Some(pause) = stored.by_person.map(|pause| pause.by_clock(now)).filter(|pause| pause.is_on(now)) {
            return Err(Unread::Later(paused(&pause.health())));
        }
        let Some(until) = stored.by_hub.until.filter(|until| *until > now) else { return Ok(()) };
        let ms = until.0.saturating_sub(now.0);
        if stored.by_hub.why != Some(ShutWhy::TooMany) {
            return Ok(());
        }
        let wait = u64::try_from(ms).unwrap_or(0);
        if ms > MINUTE_MS || !self.in_time(wait) {
            return Err(Unread::Later(paused(&stored.by_hub)));
        }
        self.sleep(wait, until, "the hub").await
    }

    /// Gives a slot back.
    fn settle(&mut self, slot: Slot, said: Option<&AnswerBody>, ended: Wall) {
        let now = self.now();
        let result = match said {
            Some(AnswerBody::Unsent { .. } | AnswerBody::Stale) => self.ledger.never_sent(slot, now),
            Some(AnswerBody::RateLimited { retry_after: Some(ms) }) => {
                let until = ended.plus(i64::try_from(*ms).unwrap_or(i64::MAX));
                self.ledger
                    .answered(slot, now)
                    .and_then(|()| self.ledger.pause(now, until, "the hub answered 429: its limits are used up"))
            }
            _ => self.ledger.answered(slot, now),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a request could not be settled in the ledger; it counts as unanswered");
        }
    }

    /// Whether so many milliseconds from now are before the deadline.
    fn in_time(&self, ms: u64) -> bool {
        self.clock.now().mono.plus(ms) <= self.deadline
    }

    /// Waits, and shows for what.
    async fn sleep(&mut self, ms: u64, until: Wall, what: &str) -> Result<(), Unread> {
        let (time, count) = (until.to_rfc3339(), self.total.saturating_sub(self.done).max(1));
        self.shows(Waiting::Until { count, time: Shown::new(&time), reason: Shown::new(what) });
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
            stop = self.signals.stop() => return Err(Unread::Stopped(stop)),
        }
        self.shows(Waiting::Nothing);
        Ok(())
    }

    fn shows(&self, waiting: Waiting<'_>) {
        if self.progress.is_shown() && self.total > 0 {
            self.progress.show(&Tally { done: self.done, total: self.total, waiting });
        }
    }
}

/// Whether a slot is beyond what a command waits for, however long it may wait.
fn ends_the_day(refused: NotUntil, ms: i64) -> bool {
    match refused.why {
        Why::Minute => false,
        Why::Day | Why::Reserve => true,
        Why::Paused => ms > MINUTE_MS,
    }
}

/// That everything is paused, in words.
fn paused(health: &HubHealth) -> String {
    let until = health.until.map(|until| format!(" until {}", until.to_rfc3339())).unwrap_or_default();
    format!("nothing is read{until}: {}", health.reason.as_deref().unwrap_or("the hub asked to wait"))
}

/// Why there is no slot, in words.
fn no_slot(refused: NotUntil) -> String {
    let at = refused.at.to_rfc3339();
    let until = if at.is_empty() { String::new() } else { format!(" until {at}") };
    let why = match refused.why {
        Why::Minute => "the minute's requests are spent; let it wait longer (--max-wait)",
        Why::Day => "the day's requests are spent",
        Why::Reserve => "the rest of the day's requests is kept for edits (hub.reserved_for_edits)",
        Why::Paused => "the hub's limits are used up (429), or what was spent is not known",
    };
    format!("nothing is read{until}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_within_a_minute_is_waited_for() {
        let refused = |why| NotUntil { at: Wall(0), why };
        assert!(!ends_the_day(refused(Why::Minute), 61_000));
        assert!(!ends_the_day(refused(Why::Paused), 60_000));
        assert!(ends_the_day(refused(Why::Paused), 60_001), "a 429 that names over a minute ends the day");
        assert!(ends_the_day(refused(Why::Day), 1) && ends_the_day(refused(Why::Reserve), 1));
    }

    #[test]
    fn a_refusal_says_until_when_and_why() {
        let day = no_slot(NotUntil { at: Wall(0), why: Why::Reserve });
        assert!(day.starts_with("nothing is read until 1970-01-01T00:00:00Z: the rest of the day's"), "{day}");
        assert!(no_slot(NotUntil { at: Wall(i64::MAX), why: Why::Day }).starts_with("nothing is read: "));
    }
}
