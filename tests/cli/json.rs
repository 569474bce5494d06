//! The JSON that scripts rely on: names and types (contract.md, `status --json` and `sync --json`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::place::Place;

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn set(words: &str) -> BTreeSet<&str> {
    words.split(' ').collect()
}

fn check(report: &Value) {
    assert_eq!(report["schema"], 1);
    assert_eq!(keys(&report["hub"]), set("url state reason until"));
    assert_eq!(keys(&report["daemon"]), set("running pid since"));
    assert_eq!(keys(&report["root"]), set("path state reason"));
    assert_eq!(keys(&report["budget"]), set("minute day next_free_at eta"));
    for window in ["minute", "day"] {
        assert!(report["budget"][window]["limit"].is_u64() && report["budget"][window]["used"].is_u64());
    }
    assert_eq!(keys(&report["counts"]), set("in_step pending failed blocked conflict drifted orphaned skipped"));
    for page in report["pages"].as_array().unwrap() {
        assert_eq!(
            keys(page),
            set(
                "path page_id title url state remote_draft reason remote_version last_synced_at attempts next_attempt_at"
            )
        );
        if !page["reason"].is_null() {
            assert_eq!(keys(&page["reason"]), set("code message line column"));
        }
    }
}

#[test]
fn status_and_sync_have_one_shape() {
    let place = Place::new();
    place.same(2);
    place.write("bad.md", "---\npage_id: p7\nstatus: publshed\n---\nx\n");
    place.write("none.md", "no front matter\n");
    let sync = place.json(&["sync", "--json"]);
    check(&sync);
    assert_eq!(keys(&sync), set("schema hub daemon root budget counts pages requests"));
    assert_eq!(sync["requests"], serde_json::json!({"GET": 2}));
    let status = place.json(&["status", "--json", "--all"]);
    check(&status);
    assert_eq!(keys(&status), set("schema hub daemon root budget counts pages"));
    assert_eq!(status["counts"]["in_step"], 2);
    let page = |path: &str| status["pages"].as_array().unwrap().iter().find(|p| p["path"] == path).unwrap().clone();
    let bad = page("bad.md");
    assert_eq!(bad["state"], "blocked");
    assert_eq!(bad["reason"]["code"], "unknown_status");
    assert_eq!((&bad["reason"]["line"], &bad["reason"]["column"]), (&3.into(), &9.into()));
    assert_eq!(page("none.md")["state"], "skipped");
    assert_eq!(page("p0.md")["title"], "p0");
    assert!(page("p0.md")["last_synced_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_dry_run_plans_in_the_apis_words_and_writes_nothing() {
    let place = Place::with("publish:\n  on_first_meeting: local\n");
    place.page("p0", "Old.\n");
    place.doc("p0", "New.\n");
    let report = place.json(&["sync", "--dry-run", "--json"]);
    check(&report);
    let plan = &report["plan"][0];
    assert_eq!(keys(plan), set("path page_id action fields replaces_title"));
    assert_eq!(plan["action"], "patch");
    assert_eq!(plan["fields"], serde_json::json!(["title", "content", "status"]));
    assert_eq!(plan["replaces_title"], "p0");
    assert!(!place.requests().contains_key("PATCH"));
    place.run(&["sync"]).ends(0);
    assert_eq!(place.json(&["sync", "--dry-run", "--json"])["plan"], serde_json::json!([]));
}

#[test]
fn check_lists_findings() {
    let place = Place::new();
    place.write("bad.md", "---\npage_id: p7\nstaus: x\nstatus: publshed\n---\nx\n");
    let ran = place.run(&["check", "--json"]).ends(1);
    let findings: Value = serde_json::from_str(&ran.out).unwrap();
    for finding in findings.as_array().unwrap() {
        assert_eq!(keys(finding), set("path line column severity code message suggestion"));
    }
    assert_eq!(findings[0]["code"], "near_miss");
    assert_eq!(findings[0]["suggestion"], "status");
    assert_eq!(findings[1]["severity"], "error");
    let ran = place.run(&["check", "--format", "github"]).ends(1);
    assert!(ran.out.contains("::error file=docs/bad.md,line=4,col=9"), "{ran:?}");
    assert!(ran.out.contains("::warning file=docs/bad.md,line=3,col=1"), "{ran:?}");
    place.write("bad.md", "---\npage_id: p7\nstaus: x\n---\nx\n");
    place.run(&["check"]).ends(0);
    place.run(&["check", "--strict"]).ends(1);
}

#[test]
fn config_says_where_each_value_comes_from() {
    let place = Place::new();
    let config = place.json(&["config", "--json"]);
    assert_eq!(config["hub.requests_per_minute"], serde_json::json!({"value": 60, "origin": "default"}));
    assert_eq!(config["root"]["origin"], "hubsync.yaml:1");
}
