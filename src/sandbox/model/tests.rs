//! The hub as a user of its API would state its rules.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::time::SECOND;
use super::*;

/// A hub, a clock that moves a second with each request, and the key.
struct Client {
    model: Model,
    now: Time,
}

impl Client {
    fn new() -> Client {
        Client::with(Settings { per_minute: 0, per_day: 0, ..Settings::default() })
    }

    fn with(settings: Settings) -> Client {
        Client { model: Model::new(settings), now: Time(1_780_000_000 * SECOND) }
    }

    fn reading(reading: Reading) -> Client {
        let readings = BTreeSet::from([reading]);
        Client::with(Settings { per_minute: 0, per_day: 0, readings, ..Settings::default() })
    }

    fn send(&mut self, method: &str, target: &str, body: &[u8]) -> Response {
        self.now = self.now.plus(SECOND);
        let request = Request {
            method: method.to_owned(),
            target: format!("/rest/v1{target}"),
            authorization: Some(format!("Bearer {}", self.model.settings().key)),
            content_type: Some("application/json".to_owned()),
            body: body.to_vec(),
        };
        self.model.handle(self.now, &request)
    }

    fn get(&mut self, target: &str) -> Value {
        let response = self.send("GET", target, b"");
        assert_eq!(response.status, 200, "{target}: {}", response.value());
        response.value()
    }

    fn write(&mut self, method: &str, target: &str, body: Value) -> Value {
        let response = self.send(method, target, body.to_string().as_bytes());
        assert!(response.status < 300, "{method} {target}: {}", response.value());
        response.value()
    }

    fn create(&mut self, body: Value) -> String {
        self.write("POST", "/knowledge-hub/pages", body)["id"].as_str().unwrap().to_owned()
    }

    fn patch(&mut self, id: &str, body: Value) -> Value {
        self.write("PATCH", &format!("/knowledge-hub/pages/{id}"), body)
    }

    fn page(&mut self, id: &str) -> Value {
        self.get(&format!("/knowledge-hub/pages/{id}?include=draft"))
    }

    fn titles(&mut self, query: &str) -> Vec<String> {
        let value = self.get(&format!("/knowledge-hub/pages{query}"));
        value["data"].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
    }

    fn refused(&mut self, method: &str, target: &str, body: Value) -> (u16, String) {
        let response = self.send(method, target, body.to_string().as_bytes());
        (response.status, response.value()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

fn published(title: &str) -> Value {
    json!({"title": title, "content": "live", "status": "published"})
}

#[test]
fn a_new_page_is_a_draft_for_the_workspace_unless_told_otherwise() {
    let mut client = Client::new();
    let response = client.send("POST", "/knowledge-hub/pages", br#"{"title": "Pricing", "content": "text"}"#);
    let page = response.value();
    assert_eq!(response.status, 201);
    assert_eq!((&page["status"], &page["visibility"]), (&json!("draft"), &json!("workspace")));
    assert_eq!((&page["title"], &page["version"], &page["content"]), (&json!("Pricing"), &Value::Null, &Value::Null));
    assert!(page.get("draft").is_none(), "the draft is told only to those who ask for it");
    let id = page["id"].as_str().unwrap();
    assert_eq!(client.page(id)["draft"], json!({"title": "Pricing", "content": "text"}));
}

#[test]
fn content_makes_a_draft_and_the_live_text_stays() {
    let mut client = Client::new();
    let id = client.create(published("Pricing"));
    let answer = client.patch(&id, json!({"content": "new"}));
    assert_eq!(
        (&answer["content"], &answer["version"], &answer["status"]),
        (&json!("live"), &json!(1), &json!("published"))
    );
    client.patch(&id, json!({"title": "Prices"}));
    let page = client.page(&id);
    assert_eq!(page["title"], "Pricing");
    assert_eq!(page["draft"], json!({"title": "Prices", "content": "new"}));
}

#[test]
fn status_published_publishes_whatever_draft_lies_there() {
    let mut client = Client::new();
    let id = client.create(published("Pricing"));
    client.patch(&id, json!({"content": "somebody's unfinished text"}));
    let page = client.patch(&id, json!({"title": "Prices", "status": "published"}));
    assert_eq!((&page["title"], &page["content"]), (&json!("Prices"), &json!("somebody's unfinished text")));
    assert_eq!(page["version"], 2);
    assert_eq!(page["published_at"], page["updated_at"]);
    assert_eq!(client.page(&id)["draft"], Value::Null);
}

#[test]
fn the_same_text_published_twice_makes_a_new_version() {
    let publish = json!({"title": "Pricing", "content": "live", "status": "published"});
    let mut client = Client::new();
    let id = client.create(publish.clone());
    assert_eq!(client.patch(&id, publish.clone())["version"], 2);
    let mut other = Client::reading(Reading::RepublishFolds);
    let id = other.create(publish.clone());
    assert_eq!(other.patch(&id, publish)["version"], 1);
}

#[test]
fn a_draft_may_equal_the_live_text() {
    let mut client = Client::new();
    let id = client.create(published("Pricing"));
    client.patch(&id, json!({"content": "live"}));
    assert_eq!(client.page(&id)["draft"], json!({"title": "Pricing", "content": "live"}));
}

#[test]
fn status_draft_leaves_a_published_page_published() {
    let mut client = Client::new();
    let id = client.create(published("Pricing"));
    assert_eq!(client.patch(&id, json!({"status": "draft"}))["status"], "published");
    let mut other = Client::reading(Reading::DraftTakesDown);
    let id = other.create(published("Pricing"));
    let page = other.patch(&id, json!({"status": "draft"}));
    assert_eq!((&page["status"], &page["version"], &page["content"]), (&json!("draft"), &Value::Null, &Value::Null));
    assert_eq!(other.patch(&id, json!({"status": "published"}))["version"], 2);
}

#[test]
fn lists_replace_at_once_and_move_the_stamp_but_not_the_version() {
    let mut client = Client::new();
    let folder = client.model.add_folder(client.now, "Sales", None);
    let skill = client.model.add_skill(client.now, "Objection Handling");
    let source = client.model.add_source(client.now, "deck.pdf", None);
    let id = client.create(published("Pricing"));
    let before = client.page(&id);
    let lists = json!({"folder_ids": [folder, folder], "skill_ids": [skill], "source_ids": [source]});
    let after = client.patch(&id, lists);
    assert_eq!(after["folders"], json!([{"id": folder, "name": "Sales", "emoji": null}]));
    assert_eq!(after["skills"], json!([{"id": skill, "name": "Objection Handling"}]));
    assert_eq!((&after["source_count"], &after["sources"][0]["id"]), (&json!(1), &json!(source)));
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str());
    assert_eq!((&after["version"], &after["content"]), (&before["version"], &before["content"]));
    assert_eq!(client.patch(&id, json!({"folder_ids": []}))["folders"], json!([]));
    assert_eq!(client.get(&format!("/knowledge-hub/folders/{folder}"))["item_count"], 0);
}

#[test]
fn undocumented_points_can_be_read_the_other_way() {
    let mut client = Client::reading(Reading::ListsSilent);
    let id = client.create(published("a"));
    let before = client.page(&id);
    assert_eq!(client.patch(&id, json!({"folder_ids": []}))["updated_at"], before["updated_at"]);

    let mut client = Client::reading(Reading::ListsVersion);
    let id = client.create(published("a"));
    client.patch(&id, json!({"content": "draft"}));
    let after = client.patch(&id, json!({"folder_ids": []}));
    assert_eq!((&after["version"], &after["content"]), (&json!(2), &json!("live")));
    assert_eq!(client.page(&id)["draft"]["content"], "draft");

    let mut client = Client::reading(Reading::TitleLive);
    let id = client.create(published("a"));
    let after = client.patch(&id, json!({"title": "b"}));
    assert_eq!((&after["title"], &after["version"]), (&json!("b"), &json!(1)));
    assert_eq!(client.page(&id)["draft"], Value::Null);

    let mut client = Client::reading(Reading::ArchivedEditable);
    let id = client.create(published("a"));
    client.send("DELETE", &format!("/knowledge-hub/pages/{id}"), b"");
    assert_eq!(client.patch(&id, published("b"))["status"], "archived");
}

#[test]
fn an_empty_patch_changes_nothing_and_put_is_patch() {
    let mut client = Client::new();
    let id = client.create(published("a"));
    let before = client.page(&id);
    client.patch(&id, json!({"visibility": "private", "colour": 1}));
    assert_eq!(client.page(&id), before);
    let put =
        client.write("PUT", &format!("/knowledge-hub/pages/{id}"), json!({"content": "b", "status": "published"}));
    assert_eq!((&put["title"], &put["content"]), (&json!("a"), &json!("b")));
}

#[test]
fn an_archived_page_is_gone_but_for_lists_that_ask_for_it() {
    let mut client = Client::new();
    let id = client.create(published("Old"));
    client.create(published("New"));
    let target = format!("/knowledge-hub/pages/{id}");
    assert_eq!(client.write("DELETE", &target, json!({})), json!({"id": id, "deleted": true}));
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        let response = client.send(method, &target, b"{}");
        assert_eq!(response.status, 404);
        assert_eq!(response.value()["error"], json!({"type": "not_found", "message": format!("Page not found: {id}")}));
    }
    assert_eq!(client.titles(""), ["New"]);
    assert_eq!(client.titles("?status=archived"), ["Old"]);
    client.model.colleague(client.now, &id, Act::Restore).unwrap();
    assert_eq!(client.page(&id)["content"], "live");
}

#[test]
fn the_history_lists_versions_newest_first_and_keeps_their_texts() {
    let mut client = Client::new();
    let id = client.create(published("a"));
    client.patch(&id, json!({"content": "2", "status": "published"}));
    client.model.colleague(client.now, &id, Act::Publish { title: "b".into(), content: "3".into() }).unwrap();
    let history = client.get(&format!("/knowledge-hub/pages/{id}/versions"));
    let rows: Vec<_> = history["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["version"].as_u64().unwrap(),
                row["change_type"].as_str().unwrap(),
                row["created_by"]["first_name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(rows, [(3, "manual_edit", "Cleo"), (2, "manual_edit", "Ada"), (1, "created", "Ada")]);
    assert!(history["data"][0].get("content").is_none());
    let texts: Vec<_> =
        client.model.page(&id).unwrap().versions.iter().map(|version| version.content.as_str()).collect();
    assert_eq!(texts, ["live", "2", "3"]);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut client = Client::new();
    let id = client.create(published("a"));
    let (before, page) = (client.page(&id), format!("/knowledge-hub/pages/{id}"));
    for (body, code) in [
        (json!({"title": 1}), "invalid_type"),
        (json!({"content": null}), "invalid_type"),
        (json!({"folder_ids": "x"}), "invalid_type"),
        (json!({"folder_ids": [1]}), "invalid_type"),
        (json!({"status": "archived"}), "invalid_status"),
        (json!({"status": "Published", "content": "x"}), "invalid_status"),
        (json!({"content": "x", "folder_ids": ["nope"]}), "folder_not_found"),
        (json!({"content": "x", "skill_ids": ["nope"]}), "skill_not_found"),
        (json!({"content": "x", "source_ids": ["nope"]}), "source_not_found"),
        (json!([]), "invalid_json"),
        (json!("text"), "invalid_json"),
    ] {
        assert_eq!(client.refused("PATCH", &page, body.clone()), (400, code.to_owned()), "{body}");
    }
    assert_eq!(
        client.refused("POST", "/knowledge-hub/pages", json!({"content": "x"})),
        (400, "missing_field".to_owned())
    );
    assert_eq!(client.send("PATCH", &page, b"{").status, 400);
    assert_eq!(client.send("PATCH", &page, b"\xff").status, 400);
    assert_eq!(client.page(&id), before);
    assert_eq!(client.titles(""), ["a"]);
}

#[test]
fn a_body_must_say_that_it_is_json() {
    let mut client = Client::new();
    let authorization = Some(format!("Bearer {SANDBOX_KEY}"));
    for (content_type, status) in
        [(None, 400), (Some("text/plain"), 400), (Some("application/json; charset=utf-8"), 201)]
    {
        let request = Request {
            method: "POST".into(),
            target: "/rest/v1/knowledge-hub/pages".into(),
            authorization: authorization.clone(),
            content_type: content_type.map(str::to_owned),
            body: br#"{"title": "a"}"#.to_vec(),
        };
        assert_eq!(client.model.handle(client.now, &request).status, status, "{content_type:?}");
    }
}

#[test]
fn without_the_key_nothing_is_said() {
    let mut model = Model::new(Settings::default());
    let lower = format!("bearer {SANDBOX_KEY}");
    let long = format!("Bearer {SANDBOX_KEY}1");
    for (authorization, status) in
        [(None, 401), (Some(""), 401), (Some(SANDBOX_KEY), 401), (Some(&*long), 401), (Some(&*lower), 200)]
    {
        let request = Request {
            method: "GET".into(),
            target: "/rest/v1/workspace".into(),
            authorization: authorization.map(str::to_owned),
            ..Request::default()
        };
        let response = model.handle(Time(0), &request);
        assert_eq!(response.status, status, "{authorization:?}");
        if status == 401 {
            let error = json!({"type": "authentication_error", "code": "invalid_api_key", "message": "Invalid or inactive API key"});
            assert_eq!(response.value(), json!({"error": error}));
        }
    }
    assert_eq!(model.used(Time(0)), (1, 1), "whoever is not let in spends nothing");
    assert_eq!(SANDBOX_KEY.len(), "exec_live_".len() + 40);
}

#[test]
fn a_closed_workspace_is_403() {
    let mut client = Client::with(Settings { workspace: Workspace::Inactive, ..Settings::default() });
    assert_eq!(client.refused("GET", "/workspace", json!({})), (403, "workspace_inactive".to_owned()));
}

#[test]
fn too_many_requests_are_told_when_to_come_back() {
    let mut client = Client::with(Settings { per_minute: 3, ..Settings::default() });
    for _ in 0..3 {
        client.get("/workspace");
    }
    let response = client.send("GET", "/workspace", b"");
    assert_eq!(response.status, 429);
    assert_eq!(
        (&response.value()["error"]["type"], &response.value()["retry_after"]),
        (&json!("rate_limited"), &json!(57))
    );
    assert_eq!(response.header("retry-after"), Some("57"));
    client.now = client.now.plus(56 * SECOND);
    client.get("/workspace");
}

#[test]
fn refused_requests_count_unless_they_are_free() {
    for (readings, status) in [(BTreeSet::new(), 429), (BTreeSet::from([Reading::RefusalsFree]), 200)] {
        let mut client = Client::with(Settings { per_minute: 1, readings, ..Settings::default() });
        assert_eq!(client.send("GET", "/knowledge-hub/pages/nope", b"").status, 404);
        assert_eq!(client.send("GET", "/workspace", b"").status, status);
    }
}

#[test]
fn others_spend_the_same_budget() {
    let mut client = Client::with(Settings { per_minute: 1, ..Settings::default() });
    assert!(client.model.spend(client.now));
    assert_eq!(client.send("GET", "/workspace", b"").status, 429);
}

#[test]
fn paths_and_methods_that_do_not_exist_are_told_apart() {
    let mut client = Client::new();
    assert_eq!(client.send("GET", "/nope", b"").status, 404);
    let response = client.send("PATCH", "/knowledge-hub/pages", b"{}");
    assert_eq!((response.status, response.header("allow")), (405, Some("GET, POST")));
    assert_eq!(client.send("DELETE", "/workspace", b"").value()["error"]["code"], "method_not_allowed");
}

#[test]
fn every_change_has_a_stamp_of_its_own_even_within_a_microsecond() {
    let mut client = Client::new();
    let stamps: Vec<_> = (0..5)
        .map(|_| {
            client.now = Time(0);
            let id = client.model.add_page(client.now, NewPage::default());
            client.model.page(&id).unwrap().updated_at
        })
        .collect();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
    let mut coarse = Client::with(Settings { stamps: Stamps::WholeSeconds, ..Settings::default() });
    coarse.now = coarse.now.plus(123_456);
    let id = coarse.create(published("a"));
    assert_eq!(coarse.page(&id)["updated_at"], "2026-05-28T20:26:41Z");
}

#[test]
fn lists_filter_and_sort() {
    let mut client = Client::new();
    let folder = client.model.add_folder(client.now, "Sales", None);
    let skill = client.model.add_skill(client.now, "Listening");
    let b = client.create(published("b"));
    let a = client.create(json!({"title": "A", "folder_ids": [folder]}));
    client.create(json!({"title": "c", "skill_ids": [skill]}));
    client.patch(&b, json!({"content": "touched"}));
    assert_eq!(client.titles(""), ["b", "c", "A"]);
    assert_eq!(client.titles("?sort=created_at"), ["c", "A", "b"]);
    assert_eq!(client.titles("?sort=title"), ["A", "b", "c"]);
    assert_eq!(client.titles("?status=published"), ["b"]);
    assert_eq!(client.titles(&format!("?folder_id={folder}")), ["A"]);
    assert_eq!(client.titles(&format!("?skill_id={skill}")), ["c"]);
    assert_eq!(client.titles("?query=B"), ["b"]);
    assert_eq!(client.titles("?owner_id=u0000000admin&page_size=1&page=2"), ["c"]);
    assert_eq!(client.titles("?owner_id=nobody"), [""; 0]);
    let stamp = client.page(&a)["updated_at"].as_str().unwrap().to_owned();
    assert_eq!(client.titles(&format!("?updated_after={stamp}&sort=title")), ["A", "b", "c"], "inclusive");
    assert_eq!(client.titles(&format!("?updated_before={stamp}")), ["A"], "inclusive");
    for (query, code) in [
        ("status=live", "invalid_status"),
        ("sort=id", "invalid_sort"),
        ("page_size=101", "invalid_pagination"),
        ("updated_after=x", "invalid_date"),
    ] {
        assert_eq!(client.refused("GET", &format!("/knowledge-hub/pages?{query}"), json!({})), (400, code.to_owned()));
    }
}

#[test]
fn list_rows_carry_no_text() {
    let mut client = Client::new();
    client.create(published("a"));
    let row = &client.get("/knowledge-hub/pages")["data"][0];
    assert!(row.get("content").is_none() && row.get("sources").is_none() && row.get("draft").is_none());
}

#[test]
fn folders_nest_and_skills_are_in_order() {
    let mut client = Client::new();
    let top = client.model.add_folder(client.now, "Sales", None);
    let inner = client.model.add_folder(client.now, "Objections", Some(&top));
    client.model.add_skill(client.now, "Procurement Selling");
    client.model.add_skill(client.now, "Objection handling");
    let children = client.get(&format!("/knowledge-hub/folders?parent_id={top}"));
    assert_eq!((&children["data"][0]["id"], &children["data"][0]["parent"]), (&json!(inner), &json!(top)));
    assert_eq!(client.get(&format!("/knowledge-hub/folders/{top}"))["subfolder_count"], 1);
    assert_eq!(client.get("/knowledge-hub/folders?query=SALES")["pagination"]["total_count"], 1);
    let skills = client.get("/skills");
    assert_eq!(
        (&skills["data"][0]["slug"], &skills["data"][1]["slug"]),
        (&json!("objection-handling"), &json!("procurement-selling"))
    );
    assert!(client.get("/skills?include=proficiency")["data"][0]["proficiency_summary"].is_object());
}

#[test]
fn a_source_is_extracted_after_a_while_and_a_url_is_kept_once() {
    let mut client = Client::new();
    let body = json!({"type": "url", "title": "Prices", "url": "https://example.com/p"});
    let first = client.send("POST", "/knowledge-hub/sources", body.to_string().as_bytes());
    assert_eq!((first.status, &first.value()["status"]), (201, &json!("pending")));
    let again = client.send("POST", "/knowledge-hub/sources", body.to_string().as_bytes());
    assert_eq!((again.status, &again.value()["id"]), (200, &first.value()["id"]));
    client.now = client.now.plus(10 * SECOND);
    let id = first.value()["id"].as_str().unwrap().to_owned();
    let ready = client.get(&format!("/knowledge-hub/sources/{id}?include=content"));
    assert_eq!(
        (&ready["status"], &ready["content"]),
        (&json!("ready"), &json!("Text extracted from https://example.com/p"))
    );
    assert!(client.get(&format!("/knowledge-hub/sources/{id}")).get("content").is_none());
    let page = client.create(json!({"title": "a", "source_ids": [id]}));
    assert_eq!(client.get(&format!("/knowledge-hub/sources?page_id={page}"))["pagination"]["total_count"], 1);
    client.write("DELETE", &format!("/knowledge-hub/sources/{id}"), json!({}));
    assert_eq!(client.page(&page)["source_count"], 0);
    assert_eq!(client.get("/knowledge-hub/sources?status=ready&type=url")["data"], json!([]));
    let wrong = json!({"type": "upload", "title": "x", "url": "https://e.com"});
    assert_eq!(client.refused("POST", "/knowledge-hub/sources", wrong), (400, "invalid_value".to_owned()));
}

#[test]
fn a_colleague_can_do_what_editors_do() {
    let mut client = Client::new();
    let now = client.now;
    let id = client.model.add_page(now, NewPage { title: "a".into(), owner: Owner::Nobody, ..NewPage::default() });
    assert_eq!(client.page(&id)["owner"], Value::Null);
    assert_eq!(client.model.colleague(now, &id, Act::DiscardDraft), Err(ActError::OnlyADraft));
    client.model.colleague(now, &id, Act::Publish { title: "a".into(), content: "1".into() }).unwrap();
    client.model.colleague(now, &id, Act::SaveDraft { title: "b".into(), content: "2".into() }).unwrap();
    let page = client.page(&id);
    assert_eq!((&page["title"], &page["content"], &page["draft"]["title"]), (&json!("a"), &json!("1"), &json!("b")));
    assert!(page["updated_at"].as_str() > page["published_at"].as_str());
    client.model.colleague(now, &id, Act::DiscardDraft).unwrap();
    assert_eq!(client.page(&id)["draft"], Value::Null);
    let file = Act::File { folder_ids: vec!["nope".into()], skill_ids: Vec::new() };
    assert_eq!(client.model.colleague(now, &id, file), Err(ActError::Unknown("nope".into())));
    assert_eq!(client.model.colleague(now, &id, Act::Restore), Err(ActError::NotArchived));
    client.model.colleague(now, &id, Act::Archive).unwrap();
    assert_eq!(client.model.colleague(now, &id, Act::DiscardDraft), Err(ActError::Archived));
    assert_eq!(
        client.model.log().iter().filter(|entry| entry.status == 200).count(),
        3,
        "a colleague leaves no requests"
    );
}

#[test]
fn every_answer_has_a_date_and_every_request_is_logged() {
    let mut client = Client::new();
    let response = client.send("POST", "/knowledge-hub/pages", b"{}");
    assert_eq!(response.header("date"), Some("Thu, 28 May 2026 20:26:41 GMT"));
    let entry = client.model.log().last().unwrap();
    assert_eq!(
        (entry.method.as_str(), entry.target.as_str(), entry.status),
        ("POST", "/rest/v1/knowledge-hub/pages", 400)
    );
    assert_eq!((entry.at, entry.body.as_slice()), (client.now, &b"{}"[..]));
}

#[test]
fn the_hub_stores_markdown_in_its_own_way_if_told_to() {
    let mut client = Client::with(Settings { normalise: Normalise::Markdown, ..Settings::default() });
    let id = client.create(json!({"title": "a", "content": "* one  ", "status": "published"}));
    assert_eq!(client.page(&id)["content"], "- one\n");
}

/// Any request to a hub, sensible or not.
fn any_request() -> impl Strategy<Value = (String, String, Vec<u8>)> {
    let method =
        prop::sample::select(vec!["GET", "POST", "PATCH", "PUT", "DELETE", "TRACE", "x"]).prop_map(str::to_owned);
    let id = prop_oneof!["[a-z0-9%/.\u{0}]{0,6}", Just("p1".to_owned())];
    let folder = prop::sample::select(vec![
        "/workspace",
        "/skills",
        "/knowledge-hub/folders",
        "/knowledge-hub/pages",
        "/knowledge-hub/sources",
    ]);
    let query = "[?]((page|page_size|updated_after|status|include|query)=[0-9a-z%+,T:Z-]{0,12}&){0,3}";
    let target = (folder, id, query).prop_map(|(folder, id, query)| format!("{folder}/{id}{query}"));
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(br#"{"title": "t", "content": "\u0000", "status": "published"}"#.to_vec()),
    ];
    (method, target, body)
}

proptest! {
    #[test]
    fn whatever_is_sent_is_answered_in_json_and_never_with_5xx(requests in prop::collection::vec(any_request(), 1..12)) {
        let mut client = Client::new();
        client.model.add_page(Time(0), NewPage { id: Some("p1".into()), ..NewPage::default() });
        for (method, target, body) in requests {
            let response = client.send(&method, &target, &body);
            prop_assert!((200..500).contains(&response.status));
            prop_assert!(response.value().is_object());
            prop_assert_eq!(response.header("content-type"), Some("application/json"));
        }
    }

    #[test]
    fn the_same_requests_at_the_same_times_give_the_same_bytes(requests in prop::collection::vec(any_request(), 1..12)) {
        let run = || {
            let mut client = Client::new();
            requests.iter().map(|(method, target, body)| client.send(method, target, body)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn a_list_read_in_parts_is_the_list(count in 0usize..40, size in 1usize..15, sort in "updated_at|created_at|title") {
        let mut client = Client::new();
        for number in 0..count {
            client.create(json!({"title": format!("{}", number % 7)}));
        }
        let whole = client.get(&format!("/knowledge-hub/pages?sort={sort}&page_size=100"))["data"].clone();
        let mut parts = Vec::new();
        for page in 1..=count.div_ceil(size) {
            let part = client.get(&format!("/knowledge-hub/pages?sort={sort}&page_size={size}&page={page}"));
            prop_assert_eq!(&part["pagination"]["total_count"], &json!(count));
            parts.extend(part["data"].as_array().unwrap().clone());
        }
        prop_assert_eq!(json!(parts), whole);
    }

    #[test]
    fn versions_rise_by_one_and_stamps_never_fall(writes in prop::collection::vec((any::<bool>(), "[a-c]"), 1..20)) {
        let mut client = Client::new();
        let id = client.create(published("t"));
        let (mut version, mut stamp) = (1, String::new());
        for (publish, content) in writes {
            let status = if publish { json!({"content": content, "status": "published"}) } else { json!({"content": content}) };
            let page = client.patch(&id, status);
            version += u64::from(publish);
            prop_assert_eq!(page["version"].as_u64().unwrap(), version);
            let next = page["updated_at"].as_str().unwrap().to_owned();
            prop_assert!(next > stamp);
            stamp = next;
        }
        prop_assert_eq!(client.model.page(&id).unwrap().versions.len() as u64, version);
    }
}
