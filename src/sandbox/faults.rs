//! What goes wrong between a client and the hub, by rules and a seed.
//!
//! Pure: the same seed, rules and requests give the same faults. The server carries them out. A rule reads
//! `[METHOD/]KIND[=VALUE]:CHANCE`, where the chance is a probability (`0.1`) or a count of the next requests (`x3`):
//! `drop-after:0.1`, `PATCH/error-after=503:x2`, `delay-before=200:1`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::model::Request;

/// One thing that goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request arrives this many milliseconds late.
    DelayBefore(u64),
    /// The answer leaves this many milliseconds late.
    DelayAfter(u64),
    /// 429 with this many seconds to wait, without being counted or applied.
    RateLimit(u64),
    /// A gateway's 5xx in HTML; the request never reached the hub.
    ErrorBefore(u16),
    /// A gateway's 5xx in HTML, although the request was applied.
    ErrorAfter(u16),
    /// 200 with HTML, as a captive portal answers; the request never reached the hub.
    Html,
    /// The connection is reset before the request is applied.
    DropBefore,
    /// The connection is reset after the request was applied.
    DropAfter,
    /// The request is applied; half of the answer's body arrives, then the connection ends.
    Cut,
}

impl Fault {
    const DELAY: u64 = 1000;
    const RETRY_AFTER: u64 = 5;
    const GATEWAY: u64 = 502;

    /// Whether the hub gets to see the request.
    #[must_use]
    pub fn reaches_the_hub(self) -> bool {
        !matches!(self, Fault::RateLimit(_) | Fault::ErrorBefore(_) | Fault::Html | Fault::DropBefore)
    }

    fn named(kind: &str, value: Option<u64>) -> Option<Fault> {
        let gateway =
            || u16::try_from(value.unwrap_or(Fault::GATEWAY)).ok().filter(|status| (500..600).contains(status));
        Some(match kind {
            "delay-before" => Fault::DelayBefore(value.unwrap_or(Fault::DELAY)),
            "delay-after" => Fault::DelayAfter(value.unwrap_or(Fault::DELAY)),
            "rate-limit" => Fault::RateLimit(value.unwrap_or(Fault::RETRY_AFTER)),
            "error-before" => Fault::ErrorBefore(gateway()?),
            "error-after" => Fault::ErrorAfter(gateway()?),
            _ if value.is_some() => return None,
            "html" => Fault::Html,
            "drop-before" => Fault::DropBefore,
            "drop-after" => Fault::DropAfter,
            "cut" => Fault::Cut,
            _ => return None,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::DelayBefore(ms) => write!(out, "delay-before={ms}"),
            Fault::DelayAfter(ms) => write!(out, "delay-after={ms}"),
            Fault::RateLimit(seconds) => write!(out, "rate-limit={seconds}"),
            Fault::ErrorBefore(status) => write!(out, "error-before={status}"),
            Fault::ErrorAfter(status) => write!(out, "error-after={status}"),
            Fault::Html => out.write_str("html"),
            Fault::DropBefore => out.write_str("drop-before"),
            Fault::DropAfter => out.write_str("drop-after"),
            Fault::Cut => out.write_str("cut"),
        }
    }
}

/// When a rule strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Chance {
    /// Each time with this probability.
    Probability(f64),
    /// This many times more, then never again.
    Next(u32),
}

/// A fault, and when it strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    method: Option<String>,
    fault: Fault,
    chance: Chance,
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// Neither a probability nor a count.
    #[error("`{0}` is no chance: write a probability from 0 to 1 (`drop-after:0.1`) or a count (`drop-after:x3`)")]
    Chance(String),
    /// No such kind, or not with this value.
    #[error(
        "`{0}` is no fault: write delay-before[=MS], delay-after[=MS], rate-limit[=SECONDS], error-before[=5xx], \
         error-after[=5xx], html, drop-before, drop-after or cut"
    )]
    Kind(String),
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Rule, RuleError> {
        let (what, chance) = text.rsplit_once(':').ok_or_else(|| RuleError::Chance(text.to_owned()))?;
        let (method, named) = match what.split_once('/') {
            Some((method, named)) => (Some(method.to_ascii_uppercase()), named),
            None => (None, what),
        };
        let unknown = || RuleError::Kind(named.to_owned());
        let (kind, value) = match named.split_once('=') {
            Some((kind, value)) => (kind, Some(value.parse().map_err(|_| unknown())?)),
            None => (named, None),
        };
        let fault = Fault::named(kind, value).ok_or_else(unknown)?;
        Ok(Rule { method, fault, chance: chance_of(chance).ok_or_else(|| RuleError::Chance(chance.to_owned()))? })
    }
}

fn chance_of(text: &str) -> Option<Chance> {
    if let Some(count) = text.strip_prefix('x') {
        return count.parse().ok().map(Chance::Next);
    }
    let probability: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&probability).then_some(Chance::Probability(probability))
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(out, "{method}/")?;
        }
        match self.chance {
            Chance::Probability(probability) => write!(out, "{}:{probability}", self.fault),
            Chance::Next(count) => write!(out, "{}:x{count}", self.fault),
        }
    }
}

/// All rules and the dice.
#[derive(Clone, Debug)]
pub struct Faults {
    rules: Vec<Rule>,
    dice: fastrand::Rng,
}

impl Faults {
    /// Rules are asked in their order; the first that strikes is the fault of a request.
    #[must_use]
    pub fn new(seed: u64, rules: Vec<Rule>) -> Faults {
        Faults { rules, dice: fastrand::Rng::with_seed(seed) }
    }

    /// The rules that hold; counts are what is left of them.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What goes wrong with this request, if anything.
    pub fn next(&mut self, request: &Request) -> Option<Fault> {
        let Faults { rules, dice } = self;
        let meant = |rule: &&mut Rule| rule.method.as_ref().is_none_or(|method| *method == request.method);
        rules.iter_mut().filter(meant).find_map(|rule| match &mut rule.chance {
            Chance::Probability(probability) => (dice.f64() < *probability).then_some(rule.fault),
            Chance::Next(0) => None,
            Chance::Next(left) => {
                *left -= 1;
                Some(rule.fault)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(method: &str) -> Request {
        Request { method: method.to_owned(), ..Request::default() }
    }

    fn faults(rules: &[&str]) -> Faults {
        Faults::new(7, rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[test]
    fn every_rule_reads_as_it_is_written() {
        for text in [
            "drop-after:0.1",
            "PATCH/drop-after:0.25",
            "delay-before=200:1",
            "DELETE/rate-limit=30:x2",
            "html:x1",
            "cut:0",
            "error-before=503:0.5",
            "error-after=502:x9",
            "drop-before:x1",
            "delay-after=1000:x1",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        assert_eq!("patch/error-after:x1".parse::<Rule>().unwrap().to_string(), "PATCH/error-after=502:x1");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "cut",
            "cut:",
            "cut:2",
            "cut:-1",
            "cut:x",
            "cut:NaN",
            "cut=5:1",
            "boom:1",
            "error-after=200:1",
            "delay-after=x:1",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_strikes_that_often_and_only_its_method() {
        let mut faults = faults(&["PATCH/drop-after:x2"]);
        let struck: Vec<bool> =
            ["GET", "PATCH", "GET", "PATCH", "PATCH"].map(|m| faults.next(&request(m)).is_some()).into();
        assert_eq!(struck, [false, true, false, true, false]);
    }

    #[test]
    fn the_same_seed_strikes_the_same_requests_about_as_often_as_told() {
        let run = |mut faults: Faults| (0..1000).map(|_| faults.next(&request("GET"))).collect::<Vec<_>>();
        let first = run(faults(&["cut:0.3"]));
        assert_eq!(first, run(faults(&["cut:0.3"])));
        let hits = first.iter().flatten().count();
        assert!((200..400).contains(&hits), "{hits}");
    }
}
