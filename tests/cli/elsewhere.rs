//! Nothing goes to another host: not through a proxy where the hub is on this machine, not where a redirect points to.

use hubsync::sandbox::SANDBOX_KEY;
use rustix::process::Signal;

use crate::place::{Place, until};
use crate::stub::{Stub, Then, http, nothing, page};

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Somebody else, who would answer as a hub does.
fn stranger() -> Stub {
    Stub::new(|request| if request.contains("/pages/p0") { page("p0") } else { nothing() })
}

#[test]
fn a_proxy_is_not_used_for_a_hub_on_this_machine() {
    let place = Place::new();
    place.same(2);
    let proxy = stranger();
    let address = proxy.url.trim_end_matches("/rest/v1");
    for host in ["127.0.0.1", "localhost"] {
        place.doc("p0", &format!("Through {host}.\n"));
        let mut command = place.command(&["sync", "--first-meeting", "local"]);
        command.env("HUBSYNC_HUB__URL", format!("http://{host}:{}/rest/v1", place.port));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env(name, address);
        }
        let ran = command.output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        assert_eq!(place.content("p0"), format!("Through {host}.\n"));
    }
    assert_eq!(proxy.connections(), 0, "the proxy was used: {:?}", proxy.requests());
    assert!(!proxy.heard(SANDBOX_KEY));
}

/// A hub that answers reads (all, or all but of writes' pages) or writes with a redirect to somebody else.
fn pointing(status: u16, whom: &Stub, writes_only: &'static str) -> Stub {
    let headers = format!("Location: {}/knowledge-hub/pages/p0?key=x\r\n", whom.url);
    Stub::acting(move |call| {
        let answer = match call.line.as_str() {
            line if !line.starts_with(writes_only) && line.contains("/pages/p0") => http(&page("p0"), ""),
            line if !line.starts_with(writes_only) => http(&nothing(), ""),
            _ => http(&(status, "<html>moved</html>".to_owned()), &headers),
        };
        call.say(answer);
        Then::KeepOpen
    })
}

#[test]
fn a_redirect_is_never_followed_and_is_said_with_cause_and_cure() {
    for status in REDIRECTS {
        for (method, requests) in [("GET", 1), ("PATCH", 2)] {
            let stranger = stranger();
            let hub = pointing(status, &stranger, method);
            let place = hub.place("", "");
            place.doc("p0", "Text.\n");
            let ran = place.run(&["sync"]).ends(1);
            let said = ran.said();
            assert!(said.contains(&format!("redirect to {}", stranger.url)), "the cause: {ran:?}");
            assert!(said.contains("hub.url") && !said.contains("key=x"), "the cure: {ran:?}");
            assert_eq!(hub.requests().len(), requests, "{status} to {method}: asked once");
            let report = place.json(&["status", "--json"]);
            assert_eq!(report["hub"]["state"], "paused");
            assert_eq!(report["pages"][0]["state"], "pending", "nothing was applied: {report}");
            assert_eq!(stranger.connections(), 0, "{status} to {method} was followed");
        }
    }
}

#[test]
fn a_daemon_that_is_redirected_is_paused_and_stays() {
    std::thread::scope(|scope| {
        for status in REDIRECTS {
            scope.spawn(move || {
                let stranger = stranger();
                let hub = pointing(status, &stranger, "PATCH");
                let place = hub.place("", "watch:\n  debounce: 100ms\n");
                place.doc("p0", "Text.\n");
                let daemon = place.start(&["run"]);
                let report = || place.json(&["status", "--json"]);
                until("it is paused", || report()["hub"]["state"] == "paused");
                place.doc("p0", "Another text.\n");
                place.doc("p1", "Text.\n");
                until("the edits are seen", || report()["counts"]["pending"] == 2);
                assert!(report()["hub"]["until"].is_string());
                assert_eq!(hub.count("PATCH"), 1, "{:?}", hub.requests());
                daemon.signal(Signal::TERM);
                assert_eq!(daemon.code(), Some(0));
                assert_eq!(stranger.connections(), 0, "{status} was followed");
            });
        }
    });
}
