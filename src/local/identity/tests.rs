//! Which file is which page's.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::page::{Authored, BodyPrint, Digest, Named, Status};

const NOW: Wall = Wall(1_000);

fn path(text: &str) -> DocPath {
    DocPath::new(text).unwrap()
}

fn page(text: &str) -> PageId {
    PageId::parse(text).unwrap()
}

fn document(id: Option<&str>, body: &str) -> Says {
    Says::Read(Arc::new(Reading::Document {
        page_id: id.map(page),
        visibility: Default::default(),
        authored: Authored {
            source: Digest::of(body),
            rules: Digest::of(""),
            title: Some(body.to_owned()),
            body: BodyPrint::of(body),
            bare: None,
            status: Status::Draft,
            named: Named::default(),
        },
    }))
}

fn blocked(id: Option<&str>, code: Code) -> Says {
    let reason = Reason::new(code, "bad");
    Says::Read(Arc::new(Reading::Blocked { page_id: id.map(page), title: None, reason }))
}

fn picture(files: Vec<(&str, Says)>, known: &[(&str, &str)]) -> Picture {
    let file = |(at, says): (&str, Says)| (path(at), FileFact { stat: None, via: Via::Name, says });
    let home = |(id, at): &(&str, &str)| (page(id), Home { path: path(at), presence: Presence::There });
    identify(&files.into_iter().map(file).collect(), &known.iter().map(home).collect(), NOW)
}

/// One line for each thing told, as a person would read it.
fn told(picture: &Picture) -> Vec<String> {
    let pages = picture.pages.iter().map(|(id, (path, standing))| match standing.found() {
        Found::Document(_) => format!("{id}: {} document", path.to_text()),
        Found::Held(reason) | Found::Unnamed { reason, .. } => {
            format!("{id}: {} {}", path.to_text(), reason.code.as_str())
        }
        Found::Gone { since } => format!("{id}: {} gone since {}", path.to_text(), since.0),
    });
    let loose = picture.loose.iter().map(|(path, (_, reason))| format!("{} {}", path.to_text(), reason.code.as_str()));
    let newborns = picture.newborns.keys().map(|path| format!("{} newborn", path.to_text()));
    pages.chain(newborns).chain(loose).collect()
}

#[test]
fn a_page_is_named_by_its_file_wherever_that_lies() {
    assert_eq!(told(&picture(vec![("new.md", document(Some("P"), "x"))], &[("P", "old.md")])), ["P: new.md document"]);
}

#[test]
fn of_two_newcomers_with_one_page_neither_is_published_and_both_are_named() {
    let picture = picture(vec![("a.md", document(Some("P"), "x")), ("b.md", document(Some("P"), "y"))], &[]);
    assert_eq!(told(&picture), ["P: a.md duplicate_page_id", "b.md duplicate_page_id"]);
    let Standing::Held(reason) = &picture.pages[&page("P")].1 else { panic!("{picture:?}") };
    assert!(reason.message.contains("b.md") && !reason.message.contains("a.md"), "{}", reason.message);
    assert!(picture.loose[&path("b.md")].1.message.contains("a.md"));
}

#[test]
fn the_known_file_of_a_page_goes_on_and_the_newcomer_is_blocked() {
    let files = vec![("a.md", document(Some("P"), "x")), ("z.md", document(Some("P"), "y"))];
    assert_eq!(told(&picture(files, &[("P", "z.md")])), ["P: z.md document", "a.md duplicate_page_id"]);
}

#[test]
fn of_two_newcomers_neither_becomes_the_known_page_s_document() {
    let files = || vec![("b.md", document(Some("A"), "one")), ("c.md", document(Some("A"), "two"))];
    let picture = picture(files(), &[("A", "a.md")]);
    assert_eq!(picture.pages[&page("A")].0, path("a.md"), "the next process must not take b.md for the known one");
    assert!(matches!(&picture.pages[&page("A")].1, Standing::Held(reason) if reason.code == Code::DuplicatePageId));
    assert_eq!(picture.loose.keys().cloned().collect::<Vec<_>>(), [path("b.md"), path("c.md")]);
}

#[test]
fn a_known_file_that_is_bad_keeps_its_page_from_a_newcomer() {
    let files = vec![("a.md", document(Some("P"), "x")), ("z.md", blocked(Some("P"), Code::UnknownStatus))];
    assert_eq!(told(&picture(files, &[("P", "z.md")])), ["P: z.md unknown_status", "a.md duplicate_page_id"]);
}

#[test]
fn a_known_file_that_stopped_naming_its_page_is_held_not_gone() {
    let cases = [
        (Says::Read(Arc::new(Reading::Plain)), "P: a.md front_matter"),
        (document(None, "x"), "P: a.md no_page_id"),
        (blocked(None, Code::FileEmpty), "P: a.md file_empty"),
        (Says::Unsettled { page: None }, "P: a.md still_being_written"),
        (Says::LeftOut(Reason::new(Code::Ignored, "")), "P: a.md ignored"),
        (Says::Unreadable { page: None, reason: Reason::new(Code::Unreadable, "") }, "P: a.md unreadable"),
    ];
    for (says, expected) in cases {
        assert_eq!(told(&picture(vec![("a.md", says.clone())], &[("P", "a.md")])), [expected]);
        let moved = vec![("a.md", says), ("b.md", document(Some("P"), "x"))];
        let moved = told(&picture(moved, &[("P", "a.md")]));
        assert_eq!(moved[0], "P: b.md document", "another file with its page takes over");
    }
}

#[test]
fn a_file_that_names_another_page_holds_the_old_one_and_is_the_new_one() {
    let files = vec![("a.md", document(Some("Q"), "x"))];
    assert_eq!(told(&picture(files, &[("P", "a.md")])), ["P: a.md front_matter", "Q: a.md document"]);
}

#[test]
fn two_files_that_swap_their_names_are_two_renames() {
    let files = vec![("a.md", document(Some("Q"), "x")), ("b.md", document(Some("P"), "y"))];
    assert_eq!(told(&picture(files, &[("P", "a.md"), ("Q", "b.md")])), ["P: b.md document", "Q: a.md document"]);
}

#[test]
fn a_file_that_cannot_be_read_now_keeps_the_page_that_it_named() {
    let unreadable = Says::Unreadable { page: Some(page("P")), reason: Reason::new(Code::Unreadable, "") };
    let files = vec![("a.md", unreadable), ("copy.md", document(Some("P"), "x"))];
    assert_eq!(told(&picture(files, &[("P", "a.md")])), ["P: a.md unreadable", "copy.md duplicate_page_id"]);
}

#[test]
fn a_page_without_any_file_is_gone_since_it_was_first_missed() {
    assert_eq!(told(&picture(vec![], &[("P", "a.md")])), ["P: a.md gone since 1000"]);
    let homes = [(page("P"), Home { path: path("a.md"), presence: Presence::Missed(Wall(7)) })];
    assert_eq!(told(&identify(&BTreeMap::new(), &homes.into(), NOW)), ["P: a.md gone since 7"]);
}

#[test]
fn two_names_of_one_file_are_one_document_and_the_link_gives_way() {
    let stat = Stat { dev: 1, ino: 2, size: 3, mtime: 4, ctime: 5 };
    let file = |at: &str, via, stat| (path(at), FileFact { stat: Some(stat), via, says: document(Some("P"), "x") });
    let links = [file("a-latest.md", Via::Link, stat), file("b.md", Via::Name, stat)];
    assert_eq!(told(&identify(&links.into(), &BTreeMap::new(), NOW)), ["P: b.md document"]);
    let hard = [file("a.md", Via::Name, stat), file("b.md", Via::Name, stat)];
    let homes = [(page("P"), Home { path: path("b.md"), presence: Presence::There })];
    assert_eq!(told(&identify(&hard.into(), &homes.into(), NOW)), ["P: b.md document"]);
    let reused = [file("a.md", Via::Name, stat), file("b.md", Via::Name, Stat { ctime: 6, ..stat })];
    assert_eq!(told(&identify(&reused.into(), &BTreeMap::new(), NOW)).len(), 2, "an inode used again is no alias");
}

#[test]
fn only_news_is_told() {
    let before = picture(vec![("a.md", document(Some("P"), "x")), ("n.md", document(None, "n"))], &[]);
    let after = picture(vec![("a.md", document(Some("P"), "x")), ("n.md", document(Some("N"), "n"))], &[]);
    assert_eq!(before.since(&before, NOW), []);
    let news = after.since(&before, NOW);
    assert!(matches!(&news[..], [Settled::LooseGone { path: a }, Settled::Page { path: b, .. }] if a == b), "{news:?}");
    let gone = Picture::default().since(&after, NOW);
    assert!(gone.iter().all(|s| matches!(s, Settled::Page { found: Found::Gone { .. }, .. })) && gone.len() == 2);
}
