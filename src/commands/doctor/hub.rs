//! The key and the way to the hub, layer by layer; each layer is looked at only where the one below it holds.

use std::os::unix::fs::MetadataExt as _;

use super::finding::{Finding, Weight};
use crate::commands::opening;
use crate::config::credential::ApiKey;
use crate::config::{Config, KeyError, KeySource};
use crate::daemon::{clock, settings};
use crate::engine::request::AnswerBody;
use crate::hub::client::Introduction;
use crate::hub::reach::{self, Route};
use crate::pace::quota::Lane;
use crate::page::Wall;
use crate::state::usage::{Ledger, Was};

/// A clock that is off by more, in milliseconds, is told.
const SKEW_MS: i64 = 60_000;

/// The key, and what there is to say of it.
pub fn key(config: &Config) -> (Option<ApiKey>, Vec<Finding>) {
    let source = &config.hub.key;
    let key = match source.read() {
        Ok(key) => key,
        Err(error) => {
            let cure = match &error {
                KeyError::NoSource => {
                    "make one in the hub under Settings > API, and name the file that holds it in hub.api_key_file"
                }
                KeyError::Unreadable { .. } => "let this user read the file, or name another one in hub.api_key_file",
                KeyError::Command { .. } => "run the command by hand, in the configuration's folder",
                KeyError::Form { .. } => "only the key may stand there, in one line",
            };
            return (None, vec![Finding::wrong("key", Weight::Unusable, error.to_string(), cure)]);
        }
    };
    let mut findings = vec![Finding::fine("key", format!("found: {source}"))];
    if let KeySource::File(path) = source
        && let Ok(meta) = std::fs::metadata(path)
        && meta.mode() & 0o077 != 0
    {
        let shown = path.display();
        let message = format!("others on this machine can read {shown} (mode {:o})", meta.mode() & 0o777);
        findings.push(Finding::wrong("key", Weight::Person, message, format!("chmod 600 {shown}")));
    }
    if !key.looks_live() && !config.hub.url.is_loopback() {
        let message = format!("the key from {source} does not look like one of Exec (exec_live_…)");
        findings.push(Finding::wrong("key", Weight::Warning, message, "compare it with the one under Settings > API"));
    }
    (Some(key), findings)
}

/// The way to the hub, and what it says to the key.
pub async fn look(config: &Config, key: Option<ApiKey>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let url = config.hub.url.as_str();
    let Some(route) = Route::to(url, config.hub.url.is_loopback()) else {
        return vec![Finding::wrong("name", Weight::Unusable, format!("{url} is not an address"), "correct hub.url")];
    };
    let first = route.first();
    let addresses = match reach::resolve(first).await {
        Ok(addresses) => addresses,
        Err(why) => {
            let message = format!("{} is not found: {why}", first.host);
            let cure = match route {
                Route::Proxy { .. } => {
                    "correct the proxy in https_proxy or in the system's settings, or name the hub in no_proxy"
                }
                _ => "is the network up? correct hub.url, or the name servers in /etc/resolv.conf",
            };
            return vec![Finding::wrong("name", Weight::Person, message, cure)];
        }
    };
    let shown: Vec<String> = addresses.iter().take(4).map(|address| address.ip().to_string()).collect();
    findings.push(Finding::fine("name", format!("{} is {}", first.host, shown.join(", "))));
    let address = match reach::connect(&addresses).await {
        Ok((address, refused)) => {
            findings.push(Finding::fine("connection", format!("{address} takes connections")));
            if !refused.is_empty() {
                let message = format!("not all of its addresses can be reached: {}", refused.join("; "));
                let cure = "nothing, if it is slow only; else mend the network's IPv6";
                findings.push(Finding::wrong("connection", Weight::Warning, message, cure));
            }
            address
        }
        Err(refused) => {
            let cure = match route {
                Route::Here(_) => "start what should listen there, or correct hub.url",
                Route::Direct(_) => "let the firewall pass it, name a proxy in https_proxy, or correct hub.url",
                Route::Proxy { .. } => "start the proxy, correct https_proxy, or name the hub in no_proxy",
            };
            let message = format!("no connection to {first}: {}", refused.join("; "));
            findings.push(Finding::wrong("connection", Weight::Person, message, cure));
            return findings;
        }
    };
    findings.extend(proxy(&route));
    let mut issuer = None;
    if url.starts_with("https") && !matches!(route, Route::Proxy { .. }) {
        match reach::issuer(address, first.host.clone()).await {
            Ok(name) => issuer = Some(name),
            Err(why) => {
                let message = format!("{first} does not speak TLS: {why}");
                let cure = "correct hub.url; behind a firewall, ask whether it lets TLS through";
                findings.push(Finding::wrong("tls", Weight::Person, message, cure));
                return findings;
            }
        }
    }
    match key {
        Some(key) => findings.extend(ask(config, &key, &route, issuer).await),
        None => findings.push(Finding::skipped("http", "without a key nothing is asked")),
    }
    findings
}

fn proxy(route: &Route) -> Option<Finding> {
    match route {
        Route::Here(_) => Some(Finding::fine("proxy", "none: the hub is on this machine, and the key stays on it")),
        Route::Direct(_) => Some(Finding::fine("proxy", "none is set for this hub")),
        Route::Proxy { proxy, hub } => Some(Finding::fine("proxy", format!("{proxy} leads to {hub}"))),
    }
}

/// One request, in a slot of the budget.
async fn ask(config: &Config, key: &ApiKey, route: &Route, issuer: Option<String>) -> Vec<Finding> {
    let client = match settings::client(config) {
        Ok(client) => client,
        Err(why) => return vec![Finding::wrong("tls", Weight::Unusable, why, "correct hub.ca_file or hub.url")],
    };
    let (hub, limits, path) = (opening::hub_key(config, key), settings::limits(config), config.ledger_path());
    let now = clock::wall();
    // Opened, a damaged ledger would be moved aside; that is not ours to do.
    let opened = Ledger::examine(path).and_then(|()| Ledger::open(path, hub, limits, now));
    let taken = opened.and_then(|mut ledger| Ok((ledger.take(now, Lane::Edit)?, ledger)));
    let (slot, mut ledger) = match taken {
        Ok((Ok(slot), ledger)) => (slot, ledger),
        Ok((Err(refused), _)) => {
            let message = format!("the key was not tried: the requests are spent until {}", refused.at.to_rfc3339());
            return vec![Finding::wrong("http", Weight::Later, message, "wait, or look at the rest with --offline")];
        }
        Err(error) => {
            let message = format!("the key was not tried, as no request can be counted: {error}");
            return vec![Finding::wrong("http", Weight::Later, message, "mend the ledger first")];
        }
    };
    debug_assert!(!matches!(ledger.was(), Was::MovedAside(_)), "it was examined before");
    let introduction = client.introduce(key.expose()).await;
    let ended = clock::wall();
    let settled = match &introduction.said {
        Err(AnswerBody::Unsent { .. }) => ledger.never_sent(slot, ended),
        Err(AnswerBody::RateLimited { retry_after: Some(ms) }) => {
            let until = ended.plus(i64::try_from(*ms).unwrap_or(i64::MAX));
            let why = "the hub answered 429: its limits are used up";
            ledger.answered(slot, ended).and_then(|()| ledger.pause(ended, until, why))
        }
        _ => ledger.answered(slot, ended),
    };
    let mut findings = said(&introduction, route, issuer);
    if let Err(error) = settled {
        let cure = "look at the disk; the request counts as unanswered";
        findings.push(Finding::wrong("ledger", Weight::Later, error.to_string(), cure));
    }
    if let Some(date) = introduction.date {
        // An answer can be as old as the request.
        let middle = Wall(now.0 + (ended.0 - now.0) / 2);
        findings.push(skew(middle.0 - date.0));
    }
    findings
}

/// What came of the request, by the layer that it tells of.
fn said(introduction: &Introduction, route: &Route, issuer: Option<String>) -> Vec<Finding> {
    let tls = || issuer.iter().map(|name| Finding::fine("tls", format!("the certificate of {name} is trusted")));
    let portal = "log in to the network, correct hub.url, or name the hub in no_proxy: something else answers";
    let http = |weight, message: String, cure: &str| Finding::wrong("http", weight, message, cure);
    let spoken = || Finding::fine("http", "the hub answers");
    let found = match &introduction.said {
        Ok(workspace) => {
            vec![spoken(), Finding::fine("key", format!("accepted: it is that of the workspace {:?}", workspace.name))]
        }
        Err(AnswerBody::Unauthorized(_)) => vec![
            spoken(),
            Finding::wrong(
                "key",
                Weight::Unusable,
                "the hub refuses the key (401)",
                "make a new one under Settings > API and put it where the old one is",
            ),
        ],
        Err(AnswerBody::Forbidden { message }) => vec![
            spoken(),
            Finding::wrong(
                "key",
                Weight::Unusable,
                format!("the hub forbids it (403): {message}"),
                "give the key the right to the Knowledge Hub, or make a new one under Settings > API",
            ),
        ],
        Err(AnswerBody::RateLimited { .. }) => {
            vec![http(
                Weight::Later,
                "the workspace's requests are used up (429)".to_owned(),
                "wait: other clients share them",
            )]
        }
        Err(AnswerBody::ServerError { status }) => {
            vec![http(Weight::Later, format!("the hub answers {status}"), "wait: that is the hub's own trouble")]
        }
        Err(AnswerBody::Redirected { location }) => {
            let to = location.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
            vec![http(
                Weight::Person,
                format!("a redirect{to} is not followed, as the key would go with it"),
                "correct hub.url",
            )]
        }
        Err(AnswerBody::Unsent { why }) => return vec![unsent(why, route, issuer.as_deref())],
        Err(AnswerBody::Lost { why }) => {
            let cure = "try again; if it stays so, something between here and the hub ends connections";
            vec![http(Weight::Person, format!("no answer came: {why}"), cure)]
        }
        Err(AnswerBody::Garbled { what }) => {
            vec![http(Weight::Person, format!("what answers is not the hub ({what})"), portal)]
        }
        Err(AnswerBody::Rejected { status, message, .. }) => {
            vec![http(Weight::Person, format!("the hub answers {status}: {message}"), "correct hub.url")]
        }
        Err(_) => vec![http(Weight::Person, "there is no hub at this address (404)".to_owned(), "correct hub.url")],
    };
    tls().chain(found).collect()
}

/// No connection was made for the request, though one could be: it is the proxy, or the certificate.
fn unsent(why: &str, route: &Route, issuer: Option<&str>) -> Finding {
    match (route, issuer) {
        (Route::Proxy { proxy, hub }, _) => Finding::wrong(
            "proxy",
            Weight::Person,
            format!("the proxy {proxy} does not lead to {hub}: {why}"),
            "correct https_proxy (a password belongs into it, too), or name the hub in no_proxy",
        ),
        (_, Some(issuer)) => Finding::wrong(
            "tls",
            Weight::Person,
            format!("the certificate, issued by {issuer}, is not trusted: {why}"),
            "if that is your company's proxy, name its certificate (PEM) in hub.ca_file; else install ca-certificates, look \
             at the clock, or correct hub.url",
        ),
        (_, None) => Finding::wrong("http", Weight::Person, why, "try again, or correct hub.url"),
    }
}

/// How far our clock is ahead of the hub's, in milliseconds.
fn skew(ms: i64) -> Finding {
    let seconds = ms.abs() / 1_000;
    if ms.abs() <= SKEW_MS {
        return Finding::fine("clock", format!("within {} s of the hub's", seconds + 1));
    }
    let way = if ms > 0 { "ahead of" } else { "behind" };
    let message = format!("this machine's clock is {seconds} s {way} the hub's");
    Finding::wrong("clock", Weight::Person, message, "timedatectl set-ntp true, or set the clock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_both_ways() {
        for (ms, weight, words) in [
            (0, Weight::Fine, "within 1 s"),
            (-60_000, Weight::Fine, "within 61 s"),
            (601_000, Weight::Person, "601 s ahead of"),
            (-601_000, Weight::Person, "601 s behind"),
        ] {
            let finding = skew(ms);
            assert_eq!(finding.weight, weight, "{ms}");
            assert!(finding.message.contains(words), "{finding:?}");
        }
    }
}
