//! Rows N: a document without `page_id`.

use hubsync::document::Visibility;
use hubsync::page::{Authored, Digest, Lists, Mono, PageId, Print, Row, Status, Wall};
use hubsync::policy::{Create, Policy};
use hubsync::reason::{Code, Reason, State};
use hubsync::reconcile::birth::{Birth, BirthStep, Created, Newborn, Post, PostDoubt, decide_birth};
use hubsync::reconcile::page_record::Refused;
use hubsync::reconcile::step::NamesRead;

use crate::builders::{NOW, TITLE, authored, in_step, text};

fn document() -> Authored {
    authored(&in_step().document)
}

fn creating() -> Policy {
    Policy { create: Create::On, ..Policy::default() }
}

fn id(text: &str) -> PageId {
    PageId::parse(text).unwrap()
}

fn created(name: &str, title: &str, text: Option<Print>) -> Created {
    let row = Row { id: id(name), title: title.to_owned(), ..in_step().row() };
    Created { row, text }
}

fn in_doubt(ago: u64) -> Birth {
    let sent = text("A");
    let post = Post {
        title: sent.title,
        body: sent.body,
        status: Status::Published,
        visibility: Visibility::Workspace,
        lists: Lists::default(),
        source: document().source,
        rules: document().rules,
        stored: Wall(0),
        since: None,
    };
    Birth { doubt: Some(PostDoubt { post, dead: Mono(NOW.mono.0 - ago) }), ..Birth::default() }
}

fn ask_of(document: &Authored, birth: &Birth, found: Option<&[Created]>, policy: &Policy) -> BirthStep {
    let local = Newborn::Document { document, wanted: Digest::of("wanted") };
    decide_birth(local, birth, None, found, policy, NOW).step
}

fn ask(birth: &Birth, found: Option<&[Created]>, policy: &Policy) -> BirthStep {
    ask_of(&document(), birth, found, policy)
}

fn gone(birth: &Birth, found: Option<&[Created]>) -> BirthStep {
    decide_birth(Newborn::Gone, birth, None, found, &creating(), NOW).step
}

fn held(step: &BirthStep) -> (State, Code) {
    match step {
        BirthStep::Hold(hold) => (hold.state, hold.reason.code),
        other => panic!("{other:?} holds nothing"),
    }
}

#[test]
fn n1_without_create_it_is_skipped() {
    assert_eq!(held(&ask(&Birth::default(), None, &Policy::default())), (State::Skipped, Code::NoPageId));
}

#[test]
fn n2_with_create_a_page_is_made() {
    assert_eq!(ask(&Birth::default(), None, &creating()), BirthStep::Create);
}

#[test]
fn n2_what_the_hub_refused_is_not_made_again_until_the_document_changes() {
    let refused = |wanted| Birth {
        refused: Some(Refused { wanted: Digest::of(wanted), message: "no".to_owned() }),
        ..Birth::default()
    };
    assert_eq!(held(&ask(&refused("wanted"), None, &creating())), (State::Blocked, Code::Refused));
    assert_eq!(ask(&refused("older"), None, &creating()), BirthStep::Create);
}

#[test]
fn n2_names_are_resolved_first() {
    let (document, problem) = (document(), Reason::new(Code::AmbiguousName, "two"));
    let nameless = |names, policy: &Policy| {
        let local = Newborn::Nameless { document: &document, problem: &problem, names };
        decide_birth(local, &Birth::default(), None, None, policy, NOW).step
    };
    assert_eq!(nameless(NamesRead::LongAgo, &creating()), BirthStep::LookNames);
    assert_eq!(held(&nameless(NamesRead::Lately, &creating())), (State::Blocked, Code::AmbiguousName));
    assert_eq!(held(&nameless(NamesRead::LongAgo, &Policy::default())), (State::Skipped, Code::NoPageId));
}

#[test]
fn n3_a_lost_post_waits_five_seconds_then_lists_what_was_made() {
    let found = [created("p1", TITLE, Some(text("A")))];
    let due = Mono(NOW.mono.0 + 1);
    assert_eq!(ask(&in_doubt(4_999), Some(&found), &creating()), BirthStep::Wait(due));
    assert_eq!(ask(&in_doubt(4_999), None, &creating()), BirthStep::Wait(due));
    assert_eq!(ask(&in_doubt(5_000), None, &creating()), BirthStep::ListCreated);
    assert_eq!(
        ask(&in_doubt(5_000), None, &Policy::default()),
        BirthStep::ListCreated,
        "also where create is off by now"
    );
}

#[test]
fn n3_a_page_of_this_title_is_looked_at_and_with_this_text_it_is_ours() {
    let ask = |found: &[Created]| ask(&in_doubt(9_000), Some(found), &creating());
    assert_eq!(ask(&[created("p1", TITLE, None)]), BirthStep::Get(id("p1")));
    assert_eq!(ask(&[created("p1", TITLE, Some(text("A \n")))]), BirthStep::Ours(id("p1")), "folded");
    let two = [created("p1", TITLE, Some(text("X"))), created("p2", TITLE, None)];
    assert_eq!(ask(&two), BirthStep::Get(id("p2")), "all of this title are looked at");
    let two = [created("p1", TITLE, None), created("p2", TITLE, Some(text("A")))];
    assert_eq!(ask(&two), BirthStep::Ours(id("p2")));
}

#[test]
fn n3_a_page_of_this_title_with_another_text_needs_a_person() {
    let found = [created("p1", TITLE, Some(text("X")))];
    assert_eq!(held(&ask(&in_doubt(9_000), Some(&found), &creating())), (State::Blocked, Code::InDoubt));
    let retitled = Authored { title: Some("Another one".to_owned()), ..document() };
    let step = ask_of(&retitled, &in_doubt(9_000), Some(&found), &creating());
    assert_eq!(step, BirthStep::DropDoubt, "by another title they say that it is not this one");
}

#[test]
fn n3_where_no_page_has_this_title_the_post_never_arrived() {
    assert_eq!(ask(&in_doubt(9_000), Some(&[]), &creating()), BirthStep::DropDoubt);
    let other = [created("p1", "Something else", Some(text("A")))];
    assert_eq!(ask(&in_doubt(9_000), Some(&other), &creating()), BirthStep::DropDoubt);
}

#[test]
fn n3_is_settled_although_the_file_has_gone() {
    assert_eq!(gone(&in_doubt(9_000), None), BirthStep::ListCreated);
    let found = [created("p1", TITLE, Some(text("A")))];
    assert_eq!(gone(&in_doubt(9_000), Some(&found)), BirthStep::Ours(id("p1")));
    assert_eq!(gone(&in_doubt(9_000), Some(&[])), BirthStep::DropDoubt);
    assert_eq!(gone(&Birth::default(), None), BirthStep::Forget);
}

#[test]
fn n4_the_id_of_a_page_that_was_made_is_written_into_the_file() {
    let (document, made) = (document(), id("p9"));
    for policy in [creating(), Policy::default()] {
        let local = Newborn::Document { document: &document, wanted: Digest::of("wanted") };
        let step = decide_birth(local, &Birth::default(), Some(&made), None, &policy, NOW).step;
        assert_eq!(step, BirthStep::Known(id("p9")), "whatever create says by now");
        let step = decide_birth(local, &in_doubt(9_000), Some(&made), None, &policy, NOW).step;
        assert_eq!(step, BirthStep::ListCreated, "its own page may be there");
    }
}
