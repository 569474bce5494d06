//! The configuration as a user meets it: files, variables and flags in, a configuration or sentences out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::policy::{AssetUrl, LinkRules, Notice, PageUrl, Rules, TitleHeading};

/// A folder with a configuration file, and a home that is not there.
struct Place {
    folder: tempfile::TempDir,
    env: Environment,
    overrides: Overrides,
}

impl Place {
    fn with(yaml: &str) -> Self {
        let place = Self::empty();
        fs::write(place.path(FILE_NAME), yaml).unwrap();
        place
    }

    fn empty() -> Self {
        let env = Environment::from([("HOME".to_owned(), "/home/of-nobody".to_owned())]);
        Self { folder: tempfile::tempdir().unwrap(), env, overrides: Overrides::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, value: &str) -> Self {
        let key = "publish.on_first_meeting";
        self.overrides.flags.push(Flag { name: "--first-meeting", key, value: value.to_owned() });
        self
    }

    fn load(&self) -> Result<Loaded, Vec<ConfigError>> {
        load(&self.overrides, &self.env, self.folder.path())
    }

    fn config(&self) -> Config {
        self.load().map_err(|errors| texts(&errors)).unwrap().config
    }

    fn errors(&self) -> Vec<String> {
        self.load().map_or_else(|errors| texts(&errors), |_| Vec::new())
    }
}

fn texts(errors: &[ConfigError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn value(loaded: &Loaded, key: &str) -> (Value, String) {
    let shown = loaded.shown().into_iter().find(|shown| shown.key == key).expect(key);
    (shown.value, shown.origin.to_string())
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let place = Place::with("");
    let loaded = place.load().unwrap();
    let wanted = [
        ("root", json!(place.path("handbook"))),
        ("include", json!(["**/*.md", "**/*.markdown"])),
        ("exclude", json!([])),
        ("hub.url", json!("https://api.exec.com/rest/v1")),
        ("hub.api_key_file", json!(null)),
        ("hub.api_key_command", json!(null)),
        ("hub.requests_per_minute", json!(60)),
        ("hub.requests_per_day", json!(1000)),
        ("hub.reserved_for_edits", json!(100)),
        ("hub.concurrency", json!(4)),
        ("hub.timeout", json!("30s")),
        ("hub.ca_file", json!(null)),
        ("publish.default_status", json!("draft")),
        ("publish.create", json!(false)),
        ("publish.on_first_meeting", json!("hold")),
        ("publish.on_conflict", json!("hold")),
        ("publish.conflict_check", json!(true)),
        ("publish.on_delete", json!("keep")),
        ("publish.archive_after", json!("1h")),
        ("publish.archive_limit", json!(10)),
        ("publish.strip_title_heading", json!(true)),
        ("publish.notice", json!(null)),
        ("watch.debounce", json!("2s")),
        ("watch.max_delay", json!("5m")),
        ("watch.rescan", json!("1h")),
        ("watch.poll", json!("auto")),
        ("remote.check_interval", json!("30m")),
        ("git.branch", json!(null)),
        ("links.page_url", json!(null)),
        ("links.asset_url", json!(null)),
        ("on_problem", json!(null)),
        ("dashboard.listen", json!(null)),
        ("log.format", json!("auto")),
    ];
    for (key, wanted) in &wanted {
        assert_eq!(value(&loaded, key), (wanted.clone(), "default".to_owned()), "{key}");
    }
    let keys: Vec<&str> = keys::KEYS.iter().map(|(key, _)| *key).collect();
    assert_eq!(loaded.shown().iter().map(|shown| shown.key).collect::<Vec<_>>(), keys);
    assert_eq!(wanted.len() + 1, keys.len(), "all but state, which depends on the machine");
    assert_eq!(loaded.config.policy(), Policy::default());
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let place = Place::with(include_str!("../../config.example.yaml"));
    let example = place.load().unwrap();
    fs::write(place.path(FILE_NAME), "").unwrap();
    assert_eq!(example.config, place.load().unwrap().config);
    for (key, _) in keys::KEYS {
        assert!(value(&example, key).1.starts_with("hubsync.yaml:"), "{key} is missing");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_cure() {
    let cases = [
        ("watch:\n  debounse: 1s\n", r#"hubsync.yaml:2:3: unknown key "watch.debounse" — did you mean "debounce"?"#),
        (
            "watch:\n  debounce: 5 parsecs\n",
            r#"hubsync.yaml:2:13: watch.debounce: "5 parsecs" is no duration — write 500ms, 2s, 15m or 1h"#,
        ),
        ("hub: [\n", "hubsync.yaml:1:6: this is not YAML: unclosed bracket '['"),
        ("include: 3\n", r#"hubsync.yaml:1:10: include: "3" is no list — write a list, such as ["**/*.md"]"#),
        (
            "publish:\n  on_delete: burn\n",
            r#"hubsync.yaml:2:14: publish.on_delete: "burn" can't be used here — write keep or archive"#,
        ),
        (
            "hub:\n  requests_per_minute: -1\n",
            r#"hubsync.yaml:2:24: hub.requests_per_minute: "-1" can't be used here — write a whole number, 1 or more"#,
        ),
        (
            "hub:\n  url: http://example.test/rest/v1\n",
            "hubsync.yaml:2:8: hub.url: plain http would send the API key in clear; it is allowed only for 127.0.0.1, [::1] and localhost — write an address such as https://api.exec.com/rest/v1",
        ),
        (
            "log:\n  format: jsn\n",
            r#"hubsync.yaml:2:11: log.format: "jsn" can't be used here — did you mean json? write auto, pretty, json or journald"#,
        ),
        (
            "publish:\n  conflict_check: no\n",
            r#"hubsync.yaml:2:19: publish.conflict_check: "no" is neither true nor false — write true or false"#,
        ),
        (
            "publish:\n  conflict_check: \"true\"\n",
            r#"hubsync.yaml:2:19: publish.conflict_check: "true" is neither true nor false — write true or false"#,
        ),
        (
            "hub:\n  concurrency: 17\n",
            r#"hubsync.yaml:2:16: hub.concurrency: "17" can't be used here — write a whole number from 1 to 16"#,
        ),
        ("hub:\n  timeout: 11m\n", r#"hubsync.yaml:2:12: hub.timeout: "11m" is too long — write 10m or less"#),
        ("hub:\n  timeout: 0\n", "hubsync.yaml:2:12: hub.timeout: this can't be 0 — write 500ms, 2s, 15m or 1h"),
        (
            "hub:\n  requests_per_day: 10\n  reserved_for_edits: 11\n",
            "hubsync.yaml:3:3: hub.reserved_for_edits: 11 is more than hub.requests_per_day (10) — write a part of the day's requests",
        ),
        (
            "watch:\n  debounce: 10m\n",
            "hubsync.yaml:2:3: watch.debounce: watch.max_delay (5m) is shorter than watch.debounce (10m) — make max_delay longer",
        ),
        (
            "include:\n  - a.md\n  - \"[\"\n",
            r#"hubsync.yaml:3:5: include: "[" is no pattern: unclosed character class; missing ']'"#,
        ),
        (
            "exclude: [./drafts/**]\n",
            r#"hubsync.yaml:1:11: exclude: "./drafts/**" matches nothing: patterns are seen from the root — write "drafts/**""#,
        ),
        ("exclude: [../x]\n", r#"hubsync.yaml:1:11: exclude: "../x" leads out of the root"#),
        ("include: []\n", r#"hubsync.yaml:1:10: include: the list is empty — write ["**/*.md"]"#),
        ("root: [a]\n", "hubsync.yaml:1:7: root: a list can't be used here — write one text"),
        ("root: \"\"\n", r#"hubsync.yaml:1:7: root: "" can't be used here — write one line of text, or null"#),
        (
            "hub: https://api.exec.com\n",
            "hubsync.yaml:1:6: hub: keys must stand beneath it — one of url, api_key_file, api_key_command, requests_per_minute, requests_per_day, reserved_for_edits, concurrency, timeout, ca_file",
        ),
        ("debounce: 1s\n", r#"hubsync.yaml:1:1: unknown key "debounce" — did you mean "debounce" beneath "watch:"?"#),
        ("hub.url: x\n", r#"hubsync.yaml:1:1: unknown key "hub.url" — write it as "hub:" and beneath it "url:""#),
        ("root: a\nroot: b\n", r#"hubsync.yaml:2:1: "root" stands here a second time; it was set in line 1"#),
        ("- root\n", "hubsync.yaml:1:1: the file must hold keys with values — root: ./handbook"),
        ("watch:\n\tdebounce: 1s\n", "hubsync.yaml:2:1: a tab in the indentation; YAML takes spaces only"),
        (
            "hub:\n  api_key_command: []\n",
            r#"hubsync.yaml:2:20: hub.api_key_command: the list is empty — write ["pass", "show", "exec"], or null"#,
        ),
        (
            "hub:\n  api_key_command: pass show exec\n",
            r#"hubsync.yaml:2:20: hub.api_key_command: "pass show exec" is no list — write a list, such as ["pass", "show", "exec"]"#,
        ),
    ];
    for (yaml, wanted) in cases {
        assert_eq!(Place::with(yaml).errors(), [wanted], "{yaml}");
    }
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_the_file() {
    let place = Place::with("include: 3\nwatch:\n  debounse: 1s\n  rescan: 0\nhub:\n  timeout: soon\n")
        .set("HUBSYNC_ROOTS", "x");
    let errors = place.errors();
    let begins = [
        "hubsync.yaml:1:10: include",
        "hubsync.yaml:3:3: unknown",
        "hubsync.yaml:4:11: watch.rescan",
        "hubsync.yaml:6:12: hub.timeout",
        "HUBSYNC_ROOTS: unknown variable — did you mean HUBSYNC_ROOT?",
    ];
    assert_eq!(errors.len(), begins.len(), "{errors:#?}");
    assert!(errors.iter().zip(begins).all(|(error, begin)| error.starts_with(begin)), "{errors:#?}");
}

#[test]
fn what_this_version_cannot_do_is_refused_by_name() {
    let errors = Place::with("dashboard:\n  listen: \"127.0.0.1:7171\"\n").errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("dashboard.listen: this version") && errors[0].contains("yet"), "{errors:?}");
}

#[test]
fn a_key_in_the_file_is_refused_and_never_repeated() {
    for yaml in [
        "hub:\n  api_key: zzsecretzz\n",
        "api_key: zzsecretzz\n",
        "hub:\n  API-KEY: zzsecretzz\n",
        "hub:\n  token: zzsecretzz\n",
        "hub:\n  api_key_file: exec_live_zzsecretzz\n",
        "hub:\n  api_key_command: [echo, exec_live_zzsecretzz]\n",
        "# exec_live_zzsecretzz\n",
        "exec_live_zzsecretzz: [\n",
        "exec_live_zzsecretzz: 1\n",
        "watch:\n  debounce: exec_live_zzsecretzz\n",
    ] {
        let place = Place::with(yaml);
        let errors = place.load().unwrap_err();
        let told = format!("{errors:?} {:?}", texts(&errors));
        assert!(
            told.contains("an API key does not belong in this file") && told.contains("EXEC_API_KEY"),
            "{yaml}: {told}"
        );
        assert!(!told.contains("secret"), "{yaml}: {told}");
    }
}

#[test]
fn a_key_that_only_escapes_or_folded_lines_make_is_refused_too() {
    for text in [
        "hub:\n  api_key_command: [echo, \"exec\\x5flive_0123456789\"]\n",
        "hub:\n  api_key_command:\n    - \"exec_live_\\\n      0123456789\"\n",
        "\"exec\\x5flive_0123456789\": x\n",
    ] {
        let errors = of_text(text, Path::new("/etc/hubsync.yaml"), &Environment::from([("HOME".into(), "/h".into())]));
        let told = errors.unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains("an API key does not belong in this file") && !told.contains("0123456789"), "{told}");
    }
}

#[test]
fn neither_a_password_nor_a_key_is_repeated_from_an_address_or_variable() {
    let file = Place::with("hub:\n  url: https://me:zzsecretzz@api.exec.com\n");
    let variables = Place::empty()
        .set("HUBSYNC_HUB__API_KEY", "zzsecretzz")
        .set("HUBSYNC_API_KEY", "zzsecretzz")
        .set("HUBSYNC_HUB__API_KEY_FILE", "exec_live_zzsecretzz");
    let told = format!("{:?} {:?}", file.errors(), variables.errors());
    assert_eq!(variables.errors().len(), 3, "{told}");
    assert!(told.contains("must not hold a name or password") && told.contains("is read from EXEC_API_KEY"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn every_key_can_be_set_by_the_environment() {
    let cases = [
        ("root", "docs", json!("{}/docs")),
        ("include", "a.md, b/*.md", json!(["a.md", "b/*.md"])),
        ("exclude", r#"["x, y.md", z.md]"#, json!(["x, y.md", "z.md"])),
        ("state", "../s.db", json!("{}/../s.db")),
        ("hub.url", "http://127.0.0.1:8080/", json!("http://127.0.0.1:8080")),
        ("hub.api_key_file", "/k", json!("/k")),
        ("hub.api_key_command", r#"["pass", "show", "a,b"]"#, json!(["pass", "show", "a,b"])),
        ("hub.requests_per_minute", "7", json!(7)),
        ("hub.requests_per_day", "700", json!(700)),
        ("hub.reserved_for_edits", "0", json!(0)),
        ("hub.concurrency", "16", json!(16)),
        ("hub.timeout", "9s", json!("9s")),
        ("hub.ca_file", "ca.pem", json!("{}/ca.pem")),
        ("publish.default_status", "published", json!("published")),
        ("publish.create", "false", json!(false)),
        ("publish.on_first_meeting", "local", json!("local")),
        ("publish.on_conflict", "local", json!("local")),
        ("publish.conflict_check", "false", json!(false)),
        ("publish.on_delete", "keep", json!("keep")),
        ("publish.archive_after", "0s", json!("0s")),
        ("publish.archive_limit", "0", json!(0)),
        ("publish.strip_title_heading", "false", json!(false)),
        ("publish.notice", "_Kept in git: {path}_", json!("_Kept in git: {path}_")),
        ("watch.debounce", "100ms", json!("100ms")),
        ("watch.max_delay", "1h", json!("1h")),
        ("watch.rescan", "15m", json!("15m")),
        ("watch.poll", "auto", json!("auto")),
        ("remote.check_interval", "0", json!("0s")),
        ("git.branch", "null", json!(null)),
        ("links.page_url", "null", json!(null)),
        ("links.asset_url", "null", json!(null)),
        ("on_problem", "null", json!(null)),
        ("dashboard.listen", "null", json!(null)),
        ("log.format", "pretty", json!("pretty")),
    ];
    let tried: BTreeSet<&str> = cases.iter().map(|(key, ..)| *key).collect();
    assert_eq!(tried, keys::KEYS.iter().map(|(key, _)| *key).collect());
    for (key, text, wanted) in cases {
        let name = variable_of(key);
        let place = Place::with("").set(&name, text);
        let loaded = place.load().expect(key);
        let here = place.folder.path().to_str().unwrap();
        let wanted = wanted.as_str().map_or(wanted.clone(), |text| json!(text.replace("{}", here)));
        assert_eq!(value(&loaded, key), (wanted, format!("env {name}")));
    }
}

#[test]
fn names_of_variables_are_spelled_as_in_the_contract() {
    assert_eq!(variable_of("hub.url"), "HUBSYNC_HUB__URL");
    assert_eq!(variable_of("root"), "HUBSYNC_ROOT");
    assert_eq!(variable_of("watch.max_delay"), "HUBSYNC_WATCH__MAX_DELAY");
}

#[test]
fn an_unknown_variable_is_an_error_with_a_suggestion() {
    let told = |name: &str, value: &str| Place::empty().set(name, value).errors().join("\n");
    assert_eq!(told("HUBSYNC_HUB_URL", "x"), "HUBSYNC_HUB_URL: unknown variable — did you mean HUBSYNC_HUB__URL?");
    assert_eq!(told("HUBSYNC_ZEBRA", "x"), "HUBSYNC_ZEBRA: unknown variable");
    assert!(
        told("HUBSYNC_WATCH__DEBOUNCE", "soon")
            .starts_with(r#"HUBSYNC_WATCH__DEBOUNCE: watch.debounce: "soon" is no duration"#)
    );
    assert!(told("HUBSYNC_INCLUDE", "[a").contains("include: this is not YAML"));
    assert!(told("HUBSYNC_ROOT", "a\u{fffd}").contains("not UTF-8"));
}

#[test]
fn variables_that_are_empty_or_not_ours_are_left_alone() {
    for (name, text) in [
        ("HUBSYNC_ROOT", ""),
        ("HUBSYNC_SERVICE_HOST", "10.0.0.1"),
        ("HUBSYNC_SERVICE_PORT_HTTP", "80"),
        ("HUBSYNC_PORT", "tcp://10.0.0.1:80"),
        ("HUBSYNC_WEB_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("HUBSYNCX", "1"),
    ] {
        let place = Place::with("").set(name, text);
        assert_eq!(place.errors(), [""; 0], "{name}");
        assert_eq!(place.config().root, place.path("handbook"), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file(
        file in proptest::option::of("(hold|local)"),
        variable in proptest::option::of("(hold|local)"),
        flag in proptest::option::of("(hold|local)"),
    ) {
        let mut place = Place::with(&file.as_ref().map_or(String::new(), |word| format!("publish:\n  on_first_meeting: {word}\n")));
        let mut wanted = file.map_or(("hold".to_owned(), "default"), |word| (word, "hubsync.yaml:2"));
        if let Some(word) = variable {
            place = place.set("HUBSYNC_PUBLISH__ON_FIRST_MEETING", &word);
            wanted = (word, "env HUBSYNC_PUBLISH__ON_FIRST_MEETING");
        }
        if let Some(word) = flag {
            place = place.flag(&word);
            wanted = (word, "flag --first-meeting");
        }
        let loaded = place.load().unwrap();
        prop_assert_eq!(value(&loaded, "publish.on_first_meeting"), (json!(wanted.0), wanted.1.to_owned()));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z:\\- \\[\\]\"'#&*!|>{}\n\té_]{0,80}") {
        let place = Place::with(&text);
        for error in place.errors() {
            prop_assert!(error.starts_with("hubsync.yaml"), "{}", error);
        }
    }
}

#[test]
fn null_means_the_default_also_over_the_file() {
    let place = Place::with("state: ./s.db\nwatch:\n  debounce: null\nhub:\n").set("HUBSYNC_STATE", "null");
    let config = place.config();
    assert!(config.state.starts_with("/home/of-nobody"), "{:?}", config.state);
    assert_eq!(config.watch.debounce, Duration::from_secs(2));
}

#[test]
fn a_tenth_of_the_day_is_reserved() {
    assert_eq!(Place::with("hub:\n  requests_per_day: 250\n").config().hub.reserved_for_edits, 25);
    assert_eq!(Place::with("hub:\n  requests_per_day: 9\n").config().hub.reserved_for_edits, 0);
}

#[test]
fn links_become_addresses_only() {
    for (yaml, words) in [
        ("links:\n  page_url: https://kb.example.com/pages\n", "links.page_url: links can't become"),
        ("links:\n  page_url: \"/pages/{page_id}\"\n", "https://"),
        ("links:\n  asset_url: \"https://x/{page_id}\"\n", "{path}"),
        ("links:\n  asset_url: \"https://x/(a)/{path}\"\n", "percent-encoded"),
    ] {
        let errors = Place::with(yaml).errors();
        assert!(errors.len() == 1 && errors[0].contains(words), "{errors:?}");
    }
}

#[test]
fn the_policy_says_what_the_file_says() {
    let yaml = "publish: {default_status: published, on_conflict: local, conflict_check: false, strip_title_heading: false, notice: \"_{path}_\"}\n\
                links: {page_url: \"https://kb/{page_id}\", asset_url: \"http://files/{path}\"}\n\
                watch: {debounce: 100ms, max_delay: 7s}\nremote: {check_interval: 0}\nhub: {concurrency: 2}\n";
    let policy = Place::with(yaml).flag("local").config().policy();
    let wanted = Policy {
        rules: Rules {
            default_status: Status::Published,
            title_heading: TitleHeading::Keep,
            links: LinkRules {
                page_url: PageUrl::parse("https://kb/{page_id}").ok(),
                asset_url: AssetUrl::parse("http://files/{path}").ok(),
            },
            notice: Notice::parse("_{path}_").ok(),
        },
        on_first_meeting: OnDifference::Local,
        on_conflict: OnDifference::Local,
        conflict_check: ConflictCheck::Off,
        check_interval: None,
        debounce: 100,
        max_delay: 7_000,
        concurrency: 2,
        ..Policy::default()
    };
    assert_eq!(policy, wanted);
}

#[test]
fn the_file_is_found_here_in_a_parent_by_name_and_in_the_users_folder() {
    let place = Place::with("root: ./here\n");
    let deep = place.path("a/b");
    fs::create_dir_all(&deep).unwrap();
    let loaded = load(&place.overrides, &place.env, &deep).unwrap();
    assert_eq!((loaded.file, loaded.config.root), (Some(place.path(FILE_NAME)), place.path("here")));

    fs::write(place.path("a/other.yaml"), "root: docs\n").unwrap();
    let by_variable = Place { env: place.env.clone(), ..place }.set("HUBSYNC_CONFIG", "a/other.yaml");
    assert_eq!(by_variable.config().root, by_variable.path("a/docs"));

    let both = Place { overrides: Overrides { config: Some(FILE_NAME.into()), flags: Vec::new() }, ..by_variable };
    assert_eq!(both.config().root, both.path("here"));

    let users = Place::empty();
    let config_home = users.path("config");
    fs::create_dir_all(config_home.join("hubsync")).unwrap();
    fs::write(config_home.join("hubsync").join(FILE_NAME), "root: /handbook\n").unwrap();
    let users = users.set("XDG_CONFIG_HOME", config_home.to_str().unwrap());
    assert_eq!(users.config().root, PathBuf::from("/handbook"));
}

#[test]
fn without_a_file_the_environment_is_enough() {
    let place = Place::empty().set("HUBSYNC_ROOT", "docs");
    let loaded = place.load().unwrap();
    assert_eq!((loaded.file, loaded.config.root), (None, place.path("docs")));
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let mut place = Place::empty();
    place.overrides.config = Some("none.yaml".into());
    assert_eq!(place.errors(), ["none.yaml: the file that --config names does not exist"]);

    let place = Place::empty().set("HUBSYNC_CONFIG", "none.yaml");
    assert_eq!(place.errors(), ["none.yaml: the file that HUBSYNC_CONFIG names does not exist"]);

    let place = Place::with("");
    fs::write(place.path(FILE_NAME), b"root: \xff\n").unwrap();
    assert_eq!(place.errors(), ["hubsync.yaml: is not UTF-8 text"]);

    let place = Place::empty();
    fs::write(place.path("hubsync.yml"), "").unwrap();
    let errors = place.errors();
    assert!(
        errors.len() == 1
            && errors[0].ends_with("hubsync.yml: this file is not read under this name — rename it to hubsync.yaml"),
        "{errors:?}"
    );
}

#[test]
fn paths_of_the_file_are_seen_from_the_file_and_those_of_the_environment_from_here() {
    let place =
        Place::with("root: ./docs\nhub:\n  api_key_file: ~/key\n  ca_file: ca.pem\n").set("HUBSYNC_STATE", "s.db");
    let deep = place.path("deep");
    fs::create_dir(&deep).unwrap();
    let config = load(&place.overrides, &place.env, &deep).unwrap().config;
    assert_eq!((config.root, config.state), (place.path("docs"), deep.join("s.db")));
    assert_eq!(config.hub.ca_file, Some(place.path("ca.pem")));
    assert_eq!(config.hub.key, KeySource::File("/home/of-nobody/key".into()));
    assert_eq!(config.folder, place.folder.path());
}

#[test]
fn each_root_has_its_state_in_the_users_folder_and_all_share_the_ledger() {
    let one = Place::with("root: ./docs\n");
    let other = Place::with("root: ./docs\n");
    let state = |place: &Place| place.config().state;
    let name = state(&one).file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("docs-") && name.len() == "docs-01234567.db".len(), "{name}");
    assert_eq!(state(&one), state(&one));
    assert_ne!(state(&one), state(&other));
    assert_eq!(state(&one).parent(), Some(Path::new("/home/of-nobody/.local/state/hubsync")));
    assert_eq!(one.config().ledger_path(), other.config().ledger_path());
    assert_eq!(one.config().ledger_path(), Path::new("/home/of-nobody/.local/state/hubsync/usage.db"));

    let xdg = Place::with("state: ./s.db\n").set("XDG_STATE_HOME", "/var/of-nobody");
    assert_eq!(xdg.config().ledger_path(), Path::new("/var/of-nobody/hubsync/usage.db"));
    assert_eq!(xdg.config().backups_path(), xdg.path("s.db.backups"));

    let systemd = xdg.set("STATE_DIRECTORY", "/var/lib/hubsync:/var/lib/other");
    assert_eq!(systemd.config().ledger_path(), Path::new("/var/lib/hubsync/usage.db"));
}

#[test]
fn a_root_behind_a_link_that_is_swapped_keeps_its_state() {
    let place = Place::with("root: ./live\n");
    let mut states = Vec::new();
    for release in ["one", "two"] {
        fs::create_dir(place.path(release)).unwrap();
        let _none_yet = fs::remove_file(place.path("live"));
        std::os::unix::fs::symlink(place.path(release), place.path("live")).unwrap();
        let config = place.config();
        assert_eq!(config.root, place.path("live"));
        states.push(config.state);
    }
    assert_eq!(states[0], states[1]);
}

#[test]
fn state_and_backups_must_not_lie_in_the_root() {
    let told = |yaml: &str, prepare: fn(&Place)| {
        let place = Place::with(yaml);
        prepare(&place);
        place.errors().join("\n")
    };
    let nothing = |_: &Place| {};
    let behind_a_link = |place: &Place| {
        fs::create_dir_all(place.path("docs/sub")).unwrap();
        std::os::unix::fs::symlink(place.path("docs/sub"), place.path("elsewhere")).unwrap();
    };
    for (yaml, prepare) in [
        ("root: ./docs\nstate: ./docs/s.db\n", nothing as fn(&Place)),
        ("root: .\nstate: ./s.db\n", nothing),
        ("root: ./s.db.backups\nstate: ./s.db\n", nothing),
        ("root: ./docs\nstate: ./elsewhere/s.db\n", behind_a_link),
        ("root: ./elsewhere\nstate: ./docs/sub/s.db\n", behind_a_link),
    ] {
        let told = told(yaml, prepare);
        assert!(
            told.contains("state: ") && told.contains("would lie in the root") && told.contains("outside of the root"),
            "{yaml}: {told}"
        );
    }
    assert_eq!(told("root: ./docs\nstate: ./docs.db\n", nothing), "");
    assert_eq!(told("root: ./docs/x\nstate: ./docs/s.db\n", nothing), "");
}

#[test]
fn the_first_source_of_the_key_that_is_there_is_taken() {
    let file = "hub:\n  api_key_file: key\n  api_key_command: [pass]\n";
    let command = "hub:\n  api_key_command: [pass]\n";
    let named = |yaml: &str, variables: &[&str]| {
        let place = variables.iter().fold(Place::with(yaml), |place, name| place.set(name, "/x"));
        let source = place.config().hub.key.to_string();
        source.replace(place.folder.path().to_str().unwrap(), "")
    };
    let all = ["EXEC_API_KEY", "CREDENTIALS_DIRECTORY"];
    assert_eq!(named(file, &all), "file /key");
    assert_eq!(named(command, &all), "command pass");
    assert_eq!(named("", &all), "EXEC_API_KEY");
    assert_eq!(named("", &all[1..]), "systemd credential exec_api_key");
    assert_eq!(named("", &[]), "none");
}

#[test]
fn the_key_is_in_no_debug_output_of_the_configuration() {
    let loaded = Place::with("").set("EXEC_API_KEY", "exec_live_zzsecretzz").load().unwrap();
    assert!(!format!("{loaded:?} {:?}", loaded.shown()).contains("secret"));
    assert_eq!(loaded.config.hub.key.read().unwrap().expose(), "exec_live_zzsecretzz");
}

#[test]
fn a_name_that_steers_the_terminal_is_escaped() {
    let mut place = Place::empty();
    place.overrides.config = Some("\u{1b}[2J\u{202e}.yaml".into());
    assert!(place.errors()[0].starts_with(r"\u{1b}[2J\u{202e}.yaml: "), "{:?}", place.errors());
}
