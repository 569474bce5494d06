//! Hubs that refuse, point elsewhere or are none: what is sent, how `sync` ends, and that `status` ends the same.

use hubsync::sandbox::NewPage;

use crate::place::Place;
use crate::stub::{Stub, error, nothing, page};

fn at(stub: &Stub) -> Place {
    Place::with(&format!("hub:\n  url: {}\n", stub.url))
}

#[test]
fn sync_and_status_end_alike_where_the_hub_is_shut() {
    for (status, code, state) in [(302, 1, "paused"), (403, 2, "paused"), (401, 2, "unauthorized")] {
        let stub = Stub::new(move |_| error(status, "no"));
        let place = at(&stub);
        place.doc("p0", "Text.\n");
        place.run(&["sync"]).ends(code);
        let ran = place.run(&["status", "--json"]).ends(code);
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["hub"]["state"], state, "{status}");
    }
}

#[test]
fn an_address_where_everything_is_404_is_2_however_many_documents_and_however_often() {
    for documents in [1, 3, 5, 6, 8] {
        let stub = Stub::new(|_| error(404, "no such path"));
        let place = at(&stub);
        for n in 0..documents {
            place.doc(&format!("p{n}"), "Text.\n");
        }
        let first = place.run(&["sync", "--max-wait", "30m"]);
        assert_eq!(first.code, if documents < 5 { 1 } else { 2 }, "{documents}: {first:?}");
        // From now on there is something to look for: the list tells that it is no hub.
        for _ in 0..2 {
            let again = place.run(&["sync", "--max-wait", "30m"]).ends(2);
            assert!(again.out.contains("hub"), "{documents}: {again:?}");
            place.run(&["status"]).ends(2);
        }
        assert!(stub.requests().len() < 40, "{documents}");
    }
}

#[test]
fn a_refused_page_is_blocked_and_sent_once_until_its_document_changes() {
    let stub = Stub::new(|request| match request {
        r if r.starts_with("PATCH") => error(400, "poison \u{9b}31m \u{202e}"),
        r if r.contains("/pages/p0") => page("p0"),
        _ => nothing(),
    });
    let place = at(&stub);
    place.doc("p0", "Text.\n");
    let patches = || stub.requests().iter().filter(|request| request.starts_with("PATCH")).count();
    let ran = place.run(&["sync", "--json"]).ends(1);
    assert!(!ran.out.contains(['\u{9b}', '\u{202e}']), "JSON holds no raw marks: {ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["pages"][0]["state"], "blocked");
    assert_eq!(report["pages"][0]["reason"]["code"], "refused");
    assert!(report["pages"][0]["reason"]["message"].as_str().unwrap().contains("poison \u{9b}31m"));
    assert_eq!(patches(), 1);
    place.run(&["sync"]).ends(1);
    let ran = place.run(&["sync", "-vvv"]).ends(1);
    assert!(ran.err.contains("rule=\"D11\""), "the log names the row: {ran:?}");
    assert_eq!(patches(), 0, "not sent again, also after a restart");
    place.doc("p0", "Another text.\n");
    place.run(&["sync"]).ends(1);
    assert_eq!(patches(), 1);
}

#[test]
fn a_key_that_is_mended_meets_the_pages_again() {
    let place = Place::new();
    for n in 0..6 {
        place.doc(&format!("p{n}"), "Text.\n");
    }
    place.run(&["sync"]).ends(2);
    // The right workspace's pages were made long ago: no list of what was touched lately shows them.
    let long_ago = hubsync::sandbox::Time(hubsync::sandbox::server::clock().0 - 86_400_000_000);
    for n in 0..6 {
        let new = NewPage { id: Some(format!("p{n}")), title: "T".to_owned(), ..NewPage::default() };
        place.hub.lock().model.add_page(long_ago, new);
    }
    place.hub.lock().model.settings_mut().key = "exec_live_mended".to_owned();
    let mended = place.command(&["sync"]).env("EXEC_API_KEY", "exec_live_mended").output().unwrap();
    assert_eq!(mended.status.code(), Some(0), "{mended:?}");
    assert_eq!(place.content("p5"), "Text.\n");
}
