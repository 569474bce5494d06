//! A hub that hangs up kept-alive connections at the worst moments.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::place::Place;
use crate::stub::{Stub, Then};

const PAGES: usize = 90;
/// So many requests meet a hub that hangs up now and then; those after them don't, so that all comes to rest.
const TROUBLED: usize = 220;

/// What the hub counted.
#[derive(Debug, Default)]
struct Seen {
    calls: AtomicUsize,
    /// Requests of which only the beginning was read.
    torn: AtomicUsize,
    /// Connections that were closed after an answer: a request may have been written to one of them, and never seen.
    closed: AtomicUsize,
}

#[test]
fn nothing_is_lost_sent_twice_or_uncounted_where_connections_end_at_the_worst_moment() {
    let place = Arc::new(Place::new());
    let seen = Arc::new(Seen::default());
    let (port, counts) = (place.port, Arc::clone(&seen));
    let stub = Stub::acting(move |call| {
        let call_no = counts.calls.fetch_add(1, Ordering::SeqCst);
        let hang_up = match if call_no < TROUBLED { call_no % 9 } else { 0 } {
            // Right after its answer.
            1 => {
                call.say(call.pass_on(port));
                counts.closed.fetch_add(1, Ordering::SeqCst);
                true
            }
            // While the next request is being written.
            3 => {
                call.say(call.pass_on(port));
                counts.torn.fetch_add(usize::from(call.wait_for_the_next_byte()), Ordering::SeqCst);
                true
            }
            // Before any byte of the answer: before the request is carried out, and after it.
            5 => true,
            7 => {
                call.pass_on(port);
                true
            }
            _ => {
                call.say(call.pass_on(port));
                false
            }
        };
        if hang_up { Then::HangUp } else { Then::KeepOpen }
    });
    stub.guard(&place, "  requests_per_minute: 100000\n  requests_per_day: 100000\n", "");
    let name = |n: usize| format!("p{n}");
    for n in 0..PAGES {
        place.page(&name(n), "");
        place.doc(&name(n), &format!("Page {n}.\n"));
    }
    let mut codes = Vec::new();
    while codes.last() != Some(&0) {
        codes.push(place.run(&["sync"]).code);
        assert!(codes.len() < 5, "{codes:?}: {}", place.json(&["status", "--json"])["counts"]);
    }
    for n in 0..PAGES {
        let told = (place.content(&name(n)), place.version(&name(n)));
        assert_eq!(told, (format!("Page {n}.\n"), 2), "{} was lost, or published twice", name(n));
    }
    let (torn, closed) = (seen.torn.load(Ordering::SeqCst), seen.closed.load(Ordering::SeqCst));
    assert!(torn > 5 && closed > 5, "{seen:?}");
    let wire = stub.requests().len() + torn;
    assert!(wire > 2 * PAGES + 50, "{wire}");
    let spent = place.json(&["status", "--json"])["budget"]["day"]["used"].as_u64().unwrap();
    let spent = usize::try_from(spent).unwrap();
    assert!((wire..=wire + closed).contains(&spent), "{wire} on the wire, {spent} in the ledger, {seen:?}");
}
