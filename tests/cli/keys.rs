//! A key that the hub refuses: said with cause and cure, nothing more is sent with it, another one in its file is taken up.

use hubsync::sandbox::SANDBOX_KEY;

use crate::place::{Place, until};
use crate::stub::{Stub, Then};

const NEW_KEY: &str = "exec_live_thenewonethenewonethenewone";

/// A place whose key is in a file, and what reaches its hub.
fn with_key_file() -> (std::sync::Arc<Place>, Stub) {
    let place = std::sync::Arc::new(Place::new());
    let port = place.port;
    let stub = Stub::acting(move |call| {
        call.say(call.pass_on(port));
        Then::KeepOpen
    });
    stub.guard(&place, "  api_key_file: ./key\n", "watch:\n  debounce: 100ms\n");
    std::fs::write(place.path("key"), SANDBOX_KEY).unwrap();
    place.same(4);
    place.run(&["sync"]).ends(0);
    stub.requests();
    (place, stub)
}

fn revoke(place: &Place) {
    place.hub.lock().model.settings_mut().key = NEW_KEY.to_owned();
}

#[test]
fn a_refused_key_ends_a_sync_with_cause_and_cure() {
    let (place, stub) = with_key_file();
    revoke(&place);
    place.doc("p0", "New.\n");
    for _ in 0..2 {
        let ran = place.run(&["sync", "--max-wait", "5s"]).ends(2);
        let said = ran.said();
        assert!(said.contains("refuses the API key (401)"), "the cause: {ran:?}");
        assert!(said.contains("Settings > API") && said.contains("hub.api_key_file"), "the cure: {ran:?}");
        assert_eq!(stub.requests().len(), 1, "asked once");
    }
    let status = place.run(&["status", "--json"]).ends(2);
    let report: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(report["hub"]["state"], "unauthorized");
    assert_eq!(report["pages"][0]["state"], "pending");
    std::fs::write(place.path("key"), NEW_KEY).unwrap();
    place.run(&["sync"]).ends(0);
    assert_eq!(place.content("p0"), "New.\n");
}

#[test]
fn a_daemon_sends_nothing_more_with_a_refused_key_and_goes_on_with_the_next() {
    let (place, stub) = with_key_file();
    let _daemon = place.daemon();
    revoke(&place);
    place.doc("p0", "New.\n");
    let status = || place.json(&["status", "--json"]);
    until("it is refused", || status()["hub"]["state"] == "unauthorized");
    let refused = stub.requests();
    assert_eq!(refused.len(), 1, "{refused:?}");
    for n in 1..4 {
        place.doc(&format!("p{n}"), "New.\n");
    }
    until("the edits are seen", || status()["counts"]["pending"] == 4);
    assert_eq!(stub.requests(), Vec::<String>::new(), "edits don't try the refused key again");
    // Half a key first, as some programs write: that one is not sent either.
    std::fs::write(place.path("key"), format!("{SANDBOX_KEY}\n{NEW_KEY}\n")).unwrap();
    std::fs::write(place.path("key"), format!("{NEW_KEY}\n")).unwrap();
    until("it goes on by itself", || (0..4).all(|n| place.content(&format!("p{n}")) == "New.\n"));
    until("it says so", || status()["hub"]["state"] == "ok");
    let refusals = place.hub.lock().model.log().iter().filter(|entry| entry.status == 401).count();
    assert_eq!(refusals, 1, "nothing was sent with the old key after it was refused");
}
