//! Names of folders, skills and sources become ids.

use hubsync::reason::{Code, State};

use super::world::{Doc, SYNC, World, met};

#[test]
fn names_are_read_once_for_all_documents_and_kept() {
    let mut w = World::new();
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    for i in 0..3 {
        w.live(&format!("p{i}"), "A");
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "A").in_folders(&["Sales"]));
    }
    w.rescan();
    w.settle();
    let names = w.asked().iter().filter(|asked| *asked == "GET folders").count();
    assert_eq!(names, 1, "{:?}", w.asked());
    assert!((0..3).all(|i| w.hub.page(&format!("p{i}")).unwrap().folder_ids == [folder.clone()]));
    w.forget_requests();
    w.restart(hubsync::engine::Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
}

#[test]
fn an_unknown_name_blocks_its_document_and_is_read_once() {
    let mut w = met("A");
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::UnknownName)));
    assert_eq!(w.asked(), ["GET folders"]);
    w.forget_requests();
    w.rescan();
    w.settle();
    w.run(600_000);
    w.rescan();
    w.settle();
    w.restart(hubsync::engine::Mode::Daemon);
    w.settle();
    assert_eq!(w.requests(), (0, 0), "{:?}", w.asked());
    assert_eq!(w.state("p1.md"), (State::Blocked, Some(Code::UnknownName)));
}

#[test]
fn a_name_that_is_there_later_is_found_when_the_document_settles_anew() {
    let mut w = met("A");
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    // Within five minutes the names are not read again.
    w.change("p1.md", |doc| doc.other += 1);
    w.settle();
    assert_eq!(w.asked(), ["GET folders"]);
    assert_eq!(w.state("p1.md").0, State::Blocked);
    w.run(301_000);
    w.change("p1.md", |doc| doc.other += 1);
    w.settle();
    assert_eq!(w.hub.page("p1").unwrap().folder_ids, [folder]);
    assert!(w.is_in_step("p1.md"));
}

#[test]
fn sync_reads_names_again_once_a_run() {
    let mut w = met("A");
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    let folder = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.forget_requests();
    w.restart(SYNC);
    w.settle();
    assert_eq!(w.asked().iter().filter(|asked| *asked == "GET folders").count(), 1, "{:?}", w.asked());
    assert_eq!(w.hub.page("p1").unwrap().folder_ids, [folder]);
}

#[test]
fn names_are_read_again_once_a_day() {
    let mut w = World::new();
    let old = w.hub.add_folder(w.hub_time(), "Sales", None);
    w.live("p1", "A");
    w.save("p1.md", Doc::published("p1", "A").in_folders(&["Sales"]));
    w.settle();
    w.forget_requests();
    w.run(86_400_000 + 3_600_000);
    let names = w.asked().iter().filter(|asked| *asked == "GET folders").count();
    assert_eq!(names, 1);
    assert_eq!(w.hub.page("p1").unwrap().folder_ids, [old]);
}

#[test]
fn more_than_a_hundred_folders_are_read_whole() {
    let mut w = met("A");
    for i in 0..150 {
        w.hub.add_folder(w.hub_time(), &format!("F{i}"), None);
    }
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["F0".to_owned(), "F149".to_owned()]));
    w.settle();
    assert_eq!(w.asked().iter().filter(|asked| *asked == "GET folders").count(), 2);
    assert_eq!(w.hub.page("p1").unwrap().folder_ids.len(), 2);
}

#[test]
fn a_failing_table_of_names_is_read_again_later() {
    let mut w = met("A");
    w.hub.add_folder(w.hub_time(), "Sales", None);
    w.fates.extend([super::network::Fate::Gateway(502), super::network::Fate::Cut]);
    w.change("p1.md", |doc| doc.named.folders = Some(vec!["Sales".to_owned()]));
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
}

#[test]
fn a_table_that_is_being_read_serves_those_who_ask_meanwhile() {
    let mut w = World::new();
    w.hub.add_folder(w.hub_time(), "Sales", None);
    for id in ["p1", "p2"] {
        w.live(id, "A");
    }
    w.save("p1.md", Doc::published("p1", "A").in_folders(&["Sales"]));
    w.grant();
    w.save("p2.md", Doc::published("p2", "A").in_folders(&["Sales"]));
    w.settle();
    assert_eq!(w.asked().iter().filter(|asked| *asked == "GET folders").count(), 1, "{:?}", w.asked());
    assert!(w.is_in_step("p1.md") && w.is_in_step("p2.md"));
}
