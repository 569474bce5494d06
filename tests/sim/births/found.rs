//! What schedules of births have found, each as the smallest case that shows it.

use hubsync::engine::Mode;
use hubsync::policy::{Create, OnDelete, Policy};
use hubsync::reason::{Code, State};
use hubsync::reconcile::birth::Birth;
use hubsync::sandbox::{NewPage, Settings};

use super::id_line;
use crate::folder::Doc;
use crate::network::Fate;
use crate::world::{World, met_with};

fn creating() -> World {
    let policy = Policy { create: Create::On, concurrency: 1, ..Policy::default() };
    World::with(Mode::Daemon, policy, Settings::default())
}

fn put(w: &mut World, path: &str, text: &str) {
    w.folder.write_bytes(w.now(), path, text.as_bytes());
}

fn text(w: &World, path: &str) -> String {
    String::from_utf8(w.folder.bytes(path).unwrap().to_vec()).unwrap()
}

/// The page that a file names.
fn page(w: &World, path: &str) -> String {
    id_line(&text(w, path)).unwrap_or_else(|| panic!("{path} names no page: {:?}", w.report(path)))
}

const OLD: &str = "---\ntitle: T\n---\nA\n";

/// `p.md` has got its page; its text with and without the id.
fn born() -> (World, String) {
    let mut w = creating();
    put(&mut w, "p.md", OLD);
    w.tell(&["p.md"]);
    w.settle();
    assert!(w.is_in_step("p.md"));
    let named = text(&w, "p.md");
    (w, named)
}

/// `p.md` lies at `to` now, without its id, and its page has been found to be its own. The id is not written yet.
fn moved_without_its_id(w: &mut World, to: &str) {
    w.folder.remove("p.md");
    put(w, to, OLD);
    w.tell(&["p.md", to]);
    until_an_id_is_to_be_written(w);
}

fn until_an_id_is_to_be_written(w: &mut World) {
    while w.id_lines.is_empty() {
        assert!(w.work(), "no id is to be written\n{}", w.story());
        w.pump();
    }
}

#[test]
fn an_id_is_written_into_one_document_alone() {
    let (mut w, _) = born();
    moved_without_its_id(&mut w, "z.md");
    w.write_id();
    // Before that is noticed a copy turns up, whose path comes first.
    put(&mut w, "a.md", OLD);
    w.tell(&["a.md"]);
    w.settle();
    assert!(w.is_in_step("a.md") && w.is_in_step("z.md"), "{:?} {:?}", w.report("a.md"), w.report("z.md"));
    assert_ne!(page(&w, "a.md"), page(&w, "z.md"));
}

#[test]
fn a_document_that_was_found_to_have_moved_keeps_its_page_whatever_becomes_of_it() {
    let (mut w, named) = born();
    put(&mut w, "p.md", &named.replace("\nA\n", "\nB\n"));
    w.tell(&["p.md"]);
    w.settle();
    moved_without_its_id(&mut w, "z.md");
    put(&mut w, "z.md", "---\ntitle: T\n---\nC\n");
    // Nobody notices for eleven minutes.
    w.tick(660_000);
    w.crash();
    w.settle();
    assert_eq!(Some(page(&w, "z.md")), id_line(&named));
    assert_eq!(w.hub.pages().count(), 1, "it has a second page");
}

#[test]
fn a_document_that_was_taken_for_another_gets_a_page_when_that_comes_back() {
    let (mut w, named) = born();
    w.folder.remove("p.md");
    put(&mut w, "copy.md", OLD);
    w.tell(&["p.md", "copy.md"]);
    put(&mut w, "p.md", &named);
    w.tell(&["p.md"]);
    w.settle();
    assert_ne!(page(&w, "p.md"), page(&w, "copy.md"));
}

#[test]
fn while_an_id_is_being_written_no_other_document_is_taken_for_its() {
    let (mut w, named) = born();
    put(&mut w, "p.md", OLD);
    w.tell(&["p.md"]);
    until_an_id_is_to_be_written(&mut w);
    w.folder.remove("p.md");
    put(&mut w, "copy.md", OLD);
    w.tell(&["p.md", "copy.md"]);
    w.tick(1_000);
    // It is back before anybody has noticed, just when the id is written.
    put(&mut w, "p.md", OLD);
    w.write_id();
    w.run(60_000);
    w.settle();
    assert_eq!(Some(page(&w, "p.md")), id_line(&named));
    assert!(w.is_in_step("p.md") && w.is_in_step("copy.md"), "{:?} {:?}", w.report("p.md"), w.report("copy.md"));
    assert_ne!(page(&w, "p.md"), page(&w, "copy.md"));
}

#[test]
fn a_file_that_moved_before_its_id_was_seen_is_looked_for_before_a_copy_is_taken_for_it() {
    let (mut w, named) = born();
    put(&mut w, "p.md", OLD);
    put(&mut w, "copy.md", OLD);
    w.tell(&["p.md", "copy.md"]);
    until_an_id_is_to_be_written(&mut w);
    w.write_id();
    // With its id, and nobody has noticed where to.
    w.folder.rename("p.md", "q.md");
    w.tell(&["p.md"]);
    w.run(60_000);
    w.settle();
    assert_eq!(Some(page(&w, "q.md")), id_line(&named));
    assert!(w.is_in_step("q.md") && w.is_in_step("copy.md"), "{:?} {:?}", w.report("q.md"), w.report("copy.md"));
    assert_ne!(page(&w, "q.md"), page(&w, "copy.md"));
}

#[test]
fn a_document_whose_new_title_is_in_doubt_keeps_its_page() {
    let (mut w, named) = born();
    put(&mut w, "p.md", &named.replace("title: T", "title: U"));
    w.write_fates.push_back(Fate::AnswerLost);
    w.tell(&["p.md"]);
    while !w.write_fates.is_empty() {
        w.run(100);
    }
    w.folder.remove("p.md");
    put(&mut w, "q.md", "---\ntitle: U\n---\nB\n");
    w.tell(&["p.md", "q.md"]);
    w.settle();
    assert_eq!(Some(page(&w, "q.md")), id_line(&named));
    assert_eq!(w.hub.pages().count(), 1, "it has a second page");
}

#[test]
fn a_page_from_before_a_lost_creation_is_not_taken_for_its() {
    let mut w = creating();
    let old = NewPage { title: "C".to_owned(), content: "Old.".to_owned(), ..NewPage::default() };
    w.hub.add_page(w.hub_time(), old);
    w.run(600_000);
    // The first is lost before the hub's clock is known, so that all pages are listed for it.
    w.write_fates.extend([Fate::Cut, Fate::Answered, Fate::Cut]);
    for name in ["a", "b", "c"] {
        put(&mut w, &format!("{name}.md"), &format!("---\ntitle: {}\n---\nNew.\n", name.to_uppercase()));
    }
    w.tell(&["a.md", "b.md", "c.md"]);
    while !w.write_fates.is_empty() {
        assert!(w.work(), "it does not go on\n{}", w.story());
        w.pump();
    }
    w.tick(10_000);
    w.settle();
    assert!(w.is_in_step("a.md") && w.is_in_step("b.md"));
    assert_eq!(w.state("c.md"), (State::InStep, None), "an older page of its title holds it up");
}

#[test]
fn what_a_person_was_asked_of_one_lost_creation_says_nothing_of_the_next() {
    let mut w = creating();
    let retitled = OLD.replace("title: T", "title: U");
    put(&mut w, "p.md", OLD);
    w.write_fates.push_back(Fate::Cut);
    w.tell(&["p.md"]);
    spend_the_fates(&mut w);
    let new = NewPage { title: "T".to_owned(), content: "Somebody else's.".to_owned(), ..NewPage::default() };
    let theirs = w.hub.add_page(w.hub_time(), new);
    w.settle();
    assert_eq!(w.state("p.md").1, Some(Code::InDoubt));
    // Under another title it is made, and that is lost as well; then it has its old one again.
    for (text, fate) in [(retitled.as_str(), Fate::Cut), (OLD, Fate::AnswerLost)] {
        put(&mut w, "p.md", text);
        w.write_fates.push_back(fate);
        w.tell(&["p.md"]);
        spend_the_fates(&mut w);
    }
    w.run(120_000);
    w.settle();
    assert!(w.is_in_step("p.md"), "{:?}", w.report("p.md"));
    assert_ne!(page(&w, "p.md"), theirs);
}

/// Until the writes have left that something is to befall.
fn spend_the_fates(w: &mut World) {
    for _ in 0..600 {
        if w.write_fates.is_empty() {
            return;
        }
        w.run(1_000);
    }
    panic!("nothing more is written: {}", w.story());
}

#[test]
fn a_file_that_has_moved_unnoticed_is_looked_for_everywhere_before_its_page_goes() {
    let policy =
        Policy { on_delete: OnDelete::Archive, archive_after: 90_000, archive_limit: 100, ..Policy::default() };
    let mut w = met_with(policy, "A");
    for id in ["p2", "p3"] {
        w.live(id, "A");
        w.save(&format!("{id}.md"), Doc::published(id, "A"));
    }
    w.settle();
    w.folder.rename("p1.md", "moved/p1.md");
    w.tell(&["p1.md"]);
    assert_eq!(w.state("p1.md").0, State::Orphaned);
    w.run(600_000);
    assert!(!w.hub.page("p1").unwrap().archived, "its document is there");
    assert!(w.is_in_step("moved/p1.md"));
}

#[test]
fn a_slot_that_waited_for_its_store_is_not_spent_when_the_next_process_counts_it_as_answered() {
    // Our clock stands still while the machine sleeps, and of a process that has just begun it says little.
    let waits: [fn(&mut World); 2] = [|w| w.tick(40_000), |w| w.suspend(7_200_000)];
    for wait in waits {
        let mut w = creating();
        put(&mut w, "p.md", OLD);
        w.tell(&["p.md"]);
        let is_intent = |(_, birth): &(_, Option<Birth>)| birth.as_ref().is_some_and(|birth| birth.doubt.is_some());
        while !w.stores.front().is_some_and(|(_, change)| change.births.iter().any(is_intent)) {
            assert!(w.work(), "no page is to be made\n{}", w.story());
            w.pump();
        }
        wait(&mut w);
        w.store();
        assert!(w.flights.iter().all(|flight| !flight.is_write()), "it leaves on a slot of long ago");
        w.settle();
        assert!(w.is_in_step("p.md"));
    }
}
