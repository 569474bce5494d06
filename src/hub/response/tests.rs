//! Answers as a hub, or what stands in for it, may send them.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::engine::request::PatchRequest;
use crate::page::{Digest, DocPath, PageStatus, Patch, Stamp};
use proptest::prelude::*;
use serde_json::json;

/// Tue, 10 Jun 2026 15:30:00 GMT is what our own clock says.
const ENDED: Wall = Wall(1_781_105_400_000);

fn id() -> PageId {
    PageId::parse("p1").unwrap()
}

fn get() -> Request {
    Request::Get(id())
}

fn patch() -> Request {
    Request::Patch(Box::new(PatchRequest {
        page: id(),
        path: DocPath::new("a.md").unwrap(),
        source: Digest::of(""),
        patch: Patch::default(),
    }))
}

fn every_kind() -> Vec<Request> {
    let names = [ListKind::Folders, ListKind::Skills, ListKind::Sources].map(|kind| Request::Names(kind, 1));
    [get(), patch(), Request::List { updated_after: None, page: 1 }].into_iter().chain(names).collect()
}

/// As in the vendor's example.
fn detail() -> Value {
    json!({
        "id": "p1", "title": "Pricing", "status": "published", "visibility": "workspace", "owner": null,
        "folders": [{"id": "f1", "name": "Sales", "emoji": "💼"}], "skills": [{"id": "sk1", "name": "Objections"}],
        "source_count": 1, "version": 4, "cover": "", "published_at": "2026-06-01T12:00:00Z",
        "created_at": "2026-05-01T09:00:00Z", "updated_at": "2026-06-10T15:30:00Z", "content": "## Lead",
        "sources": [{"id": "s1", "title": "deck.pdf", "content_format": null}],
    })
}

fn with(mut value: Value, key: &str, new: Value) -> Value {
    value[key] = new;
    value
}

fn without(mut value: Value, key: &str) -> Value {
    value.as_object_mut().unwrap().remove(key);
    value
}

fn read_json(request: &Request, status: u16, body: &Value) -> AnswerBody {
    read(request, status, &Headers::default(), body.to_string().as_bytes(), ENDED)
}

fn page_of(request: &Request, body: &Value) -> Page {
    match read_json(request, 200, body) {
        AnswerBody::Page(page) => *page,
        other => panic!("{other:?}"),
    }
}

fn text(title: &str, body: &str) -> Text {
    Text { title: title.to_owned(), body: body.to_owned() }
}

fn is_garbled(answer: &AnswerBody) -> bool {
    matches!(answer, AnswerBody::Garbled { .. })
}

#[test]
fn a_page_is_read_with_its_lists_and_its_live_text() {
    let page = page_of(&get(), &detail());
    let set = |id: &str| Some(Ids::from([id.to_owned()]));
    assert_eq!((page.status, page.version, page.title.as_str()), (PageStatus::Published, Some(4), "Pricing"));
    assert_eq!(page.updated_at, Stamp::parse("2026-06-10T15:30:00Z").unwrap());
    assert_eq!(page.lists, Lists { folders: set("f1"), skills: set("sk1"), sources: set("s1") });
    assert_eq!(page.live, Some(text("Pricing", "## Lead")));
    assert_eq!(page.draft, DraftSeen::None);
}

#[test]
fn a_draft_is_one_only_if_it_differs_from_the_live_text() {
    let draft = |draft: Value| page_of(&get(), &with(detail(), "draft", draft)).draft;
    assert_eq!(draft(Value::Null), DraftSeen::None);
    assert_eq!(draft(json!({"title": "Pricing", "content": "## Lead"})), DraftSeen::None);
    assert_eq!(draft(json!({"title": "Pricing", "content": "new"})), DraftSeen::Some(text("Pricing", "new")));
    assert_eq!(draft(json!({"title": "Costs", "content": "## Lead"})), DraftSeen::Some(text("Costs", "## Lead")));
    assert_eq!(draft(json!({"title": "Pricing", "content": null})), DraftSeen::Some(text("Pricing", "")));
}

#[test]
fn a_write_never_tells_of_a_draft() {
    assert_eq!(page_of(&patch(), &detail()).draft, DraftSeen::NotAsked);
    let told = with(detail(), "draft", json!({"title": "x", "content": "y"}));
    assert_eq!(page_of(&patch(), &told).draft, DraftSeen::NotAsked);
}

#[test]
fn a_page_never_published_has_no_live_text() {
    let never = with(with(with(detail(), "content", Value::Null), "version", Value::Null), "status", json!("draft"));
    let never = with(never, "draft", json!({"title": "Idea", "content": "text"}));
    let page = page_of(&get(), &never);
    assert_eq!((page.live, page.version), (None, None));
    assert_eq!(page.draft, DraftSeen::Some(text("Idea", "text")));
}

#[test]
fn an_archived_page_stays_a_page_and_an_unknown_status_stops_nothing() {
    assert_eq!(page_of(&get(), &with(detail(), "status", json!("archived"))).status, PageStatus::Archived);
    assert_eq!(page_of(&get(), &with(detail(), "status", json!("scheduled"))).status, PageStatus::Published);
}

#[test]
fn what_decisions_rest_on_must_be_there() {
    for key in ["id", "title", "status", "version", "updated_at", "folders", "skills", "sources", "content"] {
        for request in [get(), patch()] {
            assert!(is_garbled(&read_json(&request, 200, &without(detail(), key))), "{key}");
        }
    }
    for key in ["visibility", "owner", "source_count", "cover", "published_at", "created_at"] {
        assert_eq!(page_of(&get(), &without(detail(), key)), page_of(&get(), &detail()), "{key}");
    }
}

#[test]
fn a_success_that_is_not_ours_is_none() {
    assert!(is_garbled(&read_json(&get(), 200, &with(detail(), "id", json!("p2")))));
    assert!(is_garbled(&read_json(&patch(), 200, &json!({"id": "p1", "deleted": true}))));
    let twice = detail().to_string().replacen('{', r#"{"id":"p1","#, 1);
    let whole = detail().to_string();
    let html = "<html><title>Log in</title></html>";
    for body in [twice.as_str(), &whole[..whole.len() / 2], html, "", "null", "[]", &"[".repeat(100_000)] {
        for request in every_kind() {
            let answer = read(&request, 200, &Headers::default(), body.as_bytes(), ENDED);
            assert!(is_garbled(&answer), "{request:?} {body:.40}: {answer:?}");
        }
    }
    assert!(is_garbled(&read(&get(), 204, &Headers::default(), b"", ENDED)));
}

#[test]
fn a_short_answer_does_not_unfold_into_a_great_many_values() {
    let many = |n: usize| with(detail(), "folders", Value::Array(vec![json!({"id": ""}); n]));
    assert!(matches!(read_json(&get(), 200, &many(10_000)), AnswerBody::Page(_)));
    assert!(is_garbled(&read_json(&get(), 200, &many(10_001))));
}

#[test]
fn lists_are_read_and_tell_how_long_they_are() {
    let paged = |row: Value| json!({"data": [row], "pagination": {"page": 1, "page_size": 50, "total_count": 123, "total_pages": 3}});
    let list = Request::List { updated_after: None, page: 1 };
    let row = without(without(detail(), "content"), "sources");
    let AnswerBody::Rows(rows) = read_json(&list, 200, &paged(row.clone())) else { panic!() };
    assert_eq!((rows.rows.len(), rows.total_count, rows.total_pages), (1, 123, 3));
    assert_eq!((rows.rows[0].id.as_str(), rows.rows[0].version), ("p1", Some(4)));
    // A page that no document can name is left out; a row that can't be read is not.
    let AnswerBody::Rows(rows) = read_json(&list, 200, &paged(with(row.clone(), "id", json!("a/b")))) else { panic!() };
    assert_eq!(rows.rows, []);
    assert!(is_garbled(&read_json(&list, 200, &paged(without(row, "version")))));

    let folder = json!({"id": "f2", "name": "Objections", "parent": "f1"});
    let expected = Folder { id: "f2".into(), name: "Objections".into(), parent: Some("f1".into()) };
    let answer = read_json(&Request::Names(ListKind::Folders, 1), 200, &paged(folder));
    assert!(matches!(answer, AnswerBody::Folders(folders) if folders.rows == [expected]));
    let skill = json!({"id": "sk1", "name": "Objection handling", "slug": "objection-handling"});
    let expected = Skill { id: "sk1".into(), name: "Objection handling".into(), slug: "objection-handling".into() };
    let answer = read_json(&Request::Names(ListKind::Skills, 1), 200, &paged(skill));
    assert!(matches!(answer, AnswerBody::Skills(skills) if skills.rows == [expected]));
    let source = json!({"id": "s1", "title": "deck.pdf", "external_url": null});
    let expected = Source { id: "s1".into(), title: "deck.pdf".into(), url: None };
    let answer = read_json(&Request::Names(ListKind::Sources, 1), 200, &paged(source));
    assert!(matches!(answer, AnswerBody::Sources(sources) if sources.rows == [expected]));
}

#[test]
fn each_refusal_has_its_meaning() {
    let error = json!({"error": {"type": "invalid_request", "code": "bad_folder", "message": "no such folder"}});
    let of = |status| read_json(&patch(), status, &error);
    assert_eq!(of(401), AnswerBody::Unauthorized(KeySource::Same));
    assert_eq!(of(403), AnswerBody::Forbidden { message: "no such folder".into() });
    assert_eq!(of(429), AnswerBody::RateLimited { retry_after: None });
    for status in [404, 410] {
        assert_eq!(of(status), AnswerBody::NotFound);
        assert_eq!(read(&get(), status, &Headers::default(), b"", ENDED), AnswerBody::NotFound);
    }
    for status in [400, 409, 412, 413, 422] {
        let (code, message) = (Some("bad_folder".into()), "no such folder".into());
        assert_eq!(of(status), AnswerBody::Rejected { status, code, message });
    }
    for status in [408, 425, 500, 502, 503, 504] {
        assert_eq!(of(status), AnswerBody::ServerError { status });
    }
}

#[test]
fn a_portals_page_does_not_pass_for_the_hubs_word() {
    let html = |status| read(&get(), status, &Headers::default(), b"<html>404</html>", ENDED);
    for status in [400, 404, 410, 422] {
        assert!(is_garbled(&html(status)), "{status}");
    }
    assert_eq!(html(401), AnswerBody::Unauthorized(KeySource::Same));
    assert!(matches!(html(403), AnswerBody::Forbidden { .. }));
    assert_eq!(html(502), AnswerBody::ServerError { status: 502 });
}

#[test]
fn a_redirect_keeps_the_address_but_not_its_query() {
    let headers = Headers { location: Some("https://login.example/sso?token=abc".into()), ..Headers::default() };
    for status in [301, 302, 303, 307, 308] {
        let location = Some("https://login.example/sso".into());
        assert_eq!(read(&patch(), status, &headers, b"", ENDED), AnswerBody::Redirected { location });
    }
}

#[test]
fn foreign_words_are_cut() {
    let long = json!({"error": {"message": "é".repeat(10_000)}});
    let AnswerBody::Rejected { message, .. } = read_json(&get(), 400, &long) else { panic!() };
    assert_eq!(message.chars().count(), 501);
    let headers = Headers { content_type: Some("x".repeat(10_000)), ..Headers::default() };
    let AnswerBody::Garbled { what } = read(&get(), 200, &headers, &[b'"'; 9], ENDED) else { panic!() };
    assert!(what.len() < 400, "{what}");
}

/// What a 429 names, and how long that is. The hub's clock is an hour ahead of ours.
#[test]
fn every_form_of_retry_after() {
    const HUB_DATE: &str = "Wed, 10 Jun 2026 16:30:00 GMT";
    let wait = |retry: &[&str], date: Option<&str>, body: &str| {
        let headers = Headers {
            date: date.map(str::to_owned),
            retry_after: retry.iter().map(|text| (*text).to_owned()).collect(),
            ..Headers::default()
        };
        match read(&patch(), 429, &headers, body.as_bytes(), ENDED) {
            AnswerBody::RateLimited { retry_after } => retry_after,
            other => panic!("{other:?}"),
        }
    };
    let day = 24 * 3_600_000;
    let header: &[(&str, Option<u64>)] = &[
        ("30", Some(30_000)),
        (" 30 ", Some(30_000)),
        ("1.2345", Some(1_235)),
        ("0", Some(1_000)),
        ("0.1", Some(1_000)),
        ("999999999999999999999999", Some(day)),
        (&"9".repeat(400), Some(day)),
        ("Wed, 10 Jun 2026 16:30:30 GMT", Some(31_000)),
        ("Wed, 10 Jun 2026 16:00:00 GMT", Some(1_000)),
        ("Thu, 10 Jun 2027 16:30:00 GMT", Some(day)),
        ("-5", None),
        ("120junk", None),
        ("1e3", None),
        ("1.2.3", None),
        (".5", None),
        ("inf", None),
        ("NaN", None),
        ("", None),
        ("soon", None),
        ("Wed, 99 Jun 2026 16:30:30 GMT", None),
    ];
    for (text, expected) in header {
        assert_eq!(wait(&[text], Some(HUB_DATE), ""), *expected, "{text}");
    }
    let body: &[(&str, Option<u64>)] = &[
        (r#"{"retry_after": 30}"#, Some(30_000)),
        (r#"{"retry_after": 1.5}"#, Some(1_500)),
        (r#"{"retry_after": "45"}"#, Some(45_000)),
        (r#"{"error": {"type": "rate_limited", "retry_after": 7}}"#, Some(7_000)),
        (r#"{"error": {"retry_after": 7}, "retry_after": 9}"#, Some(9_000)),
        (r#"{"error": {"retry_after": 11}, "retry_after": 9}"#, Some(11_000)),
        (r#"{"retry_after": -1, "error": {"retry_after": 3}}"#, Some(3_000)),
        (r#"{"retry_after": 1e300}"#, Some(day)),
        (r#"{"retry_after": null}"#, None),
        (r#"{"retry_after": [5]}"#, None),
        (r#"{"retry_after": 1e999}"#, None),
        ("<html>", None),
        ("[1]", None),
    ];
    for (text, expected) in body {
        assert_eq!(wait(&[], None, text), *expected, "{text}");
    }
    // The longest of all holds.
    assert_eq!(wait(&["5"], None, r#"{"retry_after": 30}"#), Some(30_000));
    assert_eq!(wait(&["60"], None, r#"{"retry_after": 30}"#), Some(60_000));
    assert_eq!(wait(&["5", "8"], None, ""), Some(8_000));
    assert_eq!(wait(&["junk"], None, r#"{"retry_after": 30}"#), Some(30_000));
    // Without a Date of its own, or with a broken one, our clock has to do.
    assert_eq!(wait(&["Wed, 10 Jun 2026 15:30:30 GMT"], None, ""), Some(31_000));
    assert_eq!(wait(&["Wed, 10 Jun 2026 15:30:30 GMT"], Some("yesterday"), ""), Some(31_000));
}

#[test]
fn the_workspace_is_read_or_refused() {
    let workspace =
        json!({"id": "w1", "name": "Acme Corp", "url_slug": "acme-corp", "created_at": "2024-01-15T10:30:00Z"});
    let read = |status, body: &Value| read_workspace(status, &Headers::default(), body.to_string().as_bytes());
    let workspace = read(200, &workspace).unwrap();
    assert_eq!((workspace.id.as_str(), workspace.name.as_str()), ("w1", "Acme Corp"));
    assert_eq!(read(401, &json!({})), Err(AnswerBody::Unauthorized(KeySource::Same)));
    assert!(is_garbled(&read(200, &json!({"hello": "world"})).unwrap_err()));
}

fn any_headers() -> impl Strategy<Value = Headers> {
    let text = || proptest::option::of(".{0,40}");
    (text(), proptest::collection::vec(".{0,40}", 0..3), text(), text())
        .prop_map(|(date, retry_after, content_type, location)| Headers { date, retry_after, content_type, location })
}

/// A value that fits nowhere in particular.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}])),
        Just(json!("2026-06-10")),
        any::<u64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn no_bytes_at_all_can_do_harm(
        status in 0_u16..1_000, headers in any_headers(), body in proptest::collection::vec(any::<u8>(), 0..200),
        ended in any::<i64>()
    ) {
        for request in every_kind() {
            let answer = read(&request, status, &headers, &body, Wall(ended));
            if let AnswerBody::RateLimited { retry_after: Some(ms) } = answer {
                prop_assert!(RETRY_AFTER.contains(&ms));
            }
        }
    }

    #[test]
    fn a_broken_page_is_garbled_or_the_page_asked_for(
        key in proptest::sample::select(vec!["id", "title", "status", "version", "updated_at", "folders", "content", "draft"]),
        value in odd(), cut in 0_usize..800, flip in any::<u8>()
    ) {
        let mut bytes = with(detail(), key, value).to_string().into_bytes();
        for mutate in [false, true] {
            if mutate {
                let at = cut % bytes.len();
                bytes[at] ^= flip;
            }
            match read(&get(), 200, &Headers::default(), &bytes, ENDED) {
                AnswerBody::Page(page) => prop_assert_eq!(page.id, id()),
                other => prop_assert!(is_garbled(&other), "{other:?}"),
            }
        }
        bytes.truncate(cut % bytes.len());
        prop_assert!(is_garbled(&read(&get(), 200, &Headers::default(), &bytes, ENDED)));
    }
}
