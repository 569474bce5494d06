//! What an answer means: every kind of answer to every kind of request.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::engine::request::{Listed, PatchRequest};
use crate::page::{Digest, DocPath, DraftSeen, Lists, Now, Page, PageId, Patch, Stamp};

fn id(text: &str) -> PageId {
    PageId::parse(text).unwrap()
}

fn patch() -> Request {
    Request::Patch(Box::new(PatchRequest {
        page: id("p1"),
        path: DocPath::new("a.md").unwrap(),
        source: Digest::of("a"),
        patch: Patch::default(),
    }))
}

fn reads() -> [Request; 3] {
    [Request::Get(id("p1")), Request::List { updated_after: None, page: 1 }, Request::Names(ListKind::Skills, 1)]
}

fn page(name: &str, status: PageStatus) -> AnswerBody {
    AnswerBody::Page(Box::new(Page {
        id: id(name),
        status,
        title: String::new(),
        version: None,
        updated_at: Stamp(0),
        lists: Lists::default(),
        live: None,
        draft: DraftSeen::None,
    }))
}

fn of(request: &Request, body: AnswerBody) -> Outcome {
    outcome(request, &Answer { sent: Now::default(), ended: Now::default(), date: None, body })
}

/// All that can go wrong after a request left, so that nobody knows whether it was applied.
fn doubtful() -> Vec<AnswerBody> {
    let why = || "x".to_owned();
    vec![
        AnswerBody::ServerError { status: 502 },
        AnswerBody::Garbled { what: why() },
        AnswerBody::Lost { why: why() },
        page("another", PageStatus::Published),
        AnswerBody::Rows(Listed { rows: Vec::new(), total_count: 0, total_pages: 0 }),
    ]
}

#[test]
fn a_write_is_in_doubt_whenever_it_may_have_been_applied() {
    for body in doubtful() {
        let got = of(&patch(), body.clone());
        assert!(matches!(got, Outcome::InDoubt { code: Code::InDoubt, .. }), "{body:?}: {got:?}");
    }
}

#[test]
fn a_read_is_never_in_doubt() {
    for request in reads() {
        for body in doubtful() {
            let got = of(&request, body.clone());
            let is_its_own = matches!((&request, &body), (Request::List { .. }, AnswerBody::Rows(_)));
            assert_eq!(matches!(got, Outcome::Retry { .. }), !is_its_own, "{request:?} {body:?}: {got:?}");
        }
    }
}

#[test]
fn a_write_that_never_left_or_was_refused_is_not_in_doubt() {
    let unsent = of(&patch(), AnswerBody::Unsent { why: "connection refused".to_owned() });
    assert!(
        matches!(&unsent, Outcome::Unreachable { message } if message.contains("connection refused")),
        "{unsent:?}"
    );
    assert_eq!(of(&patch(), AnswerBody::Stale), Outcome::Stale);
    assert_eq!(of(&patch(), AnswerBody::NotFound), Outcome::Absent);
    assert_eq!(of(&patch(), AnswerBody::Unauthorized(KeySource::Same)), Outcome::Unauthorized(KeySource::Same));
    let refused =
        AnswerBody::Rejected { status: 400, code: Some("bad_folder".to_owned()), message: "no such folder".to_owned() };
    let Outcome::Rejected { code, message, status } = of(&patch(), refused) else { panic!() };
    assert_eq!((code.as_deref(), status), (Some("bad_folder"), 400));
    assert!(message.contains("no such folder"));
}

#[test]
fn the_page_asked_for_is_good_unless_it_is_archived() {
    for request in [patch(), Request::Get(id("p1"))] {
        assert_eq!(of(&request, page("p1", PageStatus::Draft)), Outcome::Done);
        assert_eq!(of(&request, page("p1", PageStatus::Published)), Outcome::Done);
        assert_eq!(of(&request, page("p1", PageStatus::Archived)), Outcome::Absent);
    }
}

#[test]
fn a_list_that_fails_is_no_pages_fault() {
    let rejected = || AnswerBody::Rejected { status: 400, code: None, message: "no".to_owned() };
    for request in &reads()[1..] {
        assert!(matches!(of(request, rejected()), Outcome::Retry { code: Code::ServerError, .. }));
        // A hub knows its own lists: whatever answers 404 to one is none, and waiting won't help.
        assert!(matches!(of(request, AnswerBody::NotFound), Outcome::NotTheHub { .. }));
    }
}

#[test]
fn a_429_pauses_for_the_time_that_it_names() {
    let told = of(&patch(), AnswerBody::RateLimited { retry_after: Some(90_001) });
    assert!(matches!(&told, Outcome::Pause { for_ms: Some(90_001), message } if message.contains("91 s")), "{told:?}");
    assert!(matches!(of(&patch(), AnswerBody::RateLimited { retry_after: None }), Outcome::Pause { for_ms: None, .. }));
}

#[test]
fn a_redirect_names_where_to() {
    let location = Some("https://login.example/".to_owned());
    let got = of(&patch(), AnswerBody::Redirected { location });
    assert!(matches!(&got, Outcome::Redirected { message } if message.contains("https://login.example/")), "{got:?}");
}
