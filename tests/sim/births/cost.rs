//! What documents cost that are made together and point to each other.

use hubsync::engine::Mode;
use hubsync::policy::{Create, Policy};
use hubsync::sandbox::Settings;

use super::links::{self, Link, Way};
use crate::world::{World, many};

/// So many documents, each of which points to all the others, in a world without faults.
fn together(k: usize, concurrency: usize) -> World {
    let mut policy = Policy { create: Create::On, concurrency, ..Policy::default() };
    policy.rules.links = links::rules(false);
    let mut w = many(0, Mode::Daemon, policy, Settings::default());
    w.patient = true;
    let path = |n: usize| format!("f{n}.md");
    for n in 0..k {
        let links = (0..k).filter(|m| *m != n).map(|m| Link::to(Way::Beside, &path(m)).spelled(&path(n)));
        let links: Vec<String> = links.collect();
        let text = format!("---\ntitle: T{n}\n---\nDoc{n}. {}\n", links.join(" "));
        w.folder.write_bytes(w.now(), &path(n), text.as_bytes());
        w.folder.note(w.now().mono, &path(n));
    }
    w.run(3_600_000);
    w.settle();
    assert!((0..k).all(|n| w.is_in_step(&path(n))));
    w
}

#[test]
fn documents_made_together_that_link_each_other_cost_a_patch_each_at_most() {
    for (k, concurrency) in [(2, 1), (2, 4), (3, 1), (5, 1), (5, 4), (10, 2), (20, 4)] {
        let w = together(k, concurrency);
        let asked = w.asked();
        let of = |method: &str| asked.iter().filter(|asked| asked.starts_with(method)).count();
        println!("{k} documents, {concurrency} at once: {} POST, {} PATCH, {} GET", of("POST"), of("PATCH"), of("GET"));
        assert_eq!(of("POST"), k);
        assert!(of("PATCH") <= k, "{k} documents, {concurrency} at once: {asked:?}");
    }
}
