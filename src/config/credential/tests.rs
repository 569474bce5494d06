//! Where the key is read from, and that it is never shown.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const SECRET: &str = "exec_live_0123456789";

fn command_of(script: &str, folder: &Path) -> KeySource {
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    KeySource::Command { words, folder: folder.to_owned() }
}

fn from_command(script: &str) -> Result<ApiKey, KeyError> {
    command_of(script, &std::env::temp_dir()).read()
}

#[test]
fn a_key_is_one_line_of_visible_ascii() {
    for text in ["k", "k\n", "k\r\n"] {
        assert_eq!(ApiKey::parse(text).map(|key| key.expose().to_owned()), Ok("k".to_owned()), "{text:?}");
    }
    for (text, why) in [
        ("", BadKey::Empty),
        ("\n", BadKey::Empty),
        ("k\n\n", BadKey::Lines),
        ("k\nl", BadKey::Lines),
        ("k\r", BadKey::Lines),
        ("k l", BadKey::Characters),
        (" k", BadKey::Characters),
        ("k\t", BadKey::Characters),
        ("k\u{0}", BadKey::Characters),
        ("ké", BadKey::Characters),
        ("\u{feff}k", BadKey::Characters),
    ] {
        assert_eq!(ApiKey::parse(text), Err(why), "{text:?}");
    }
}

#[test]
fn the_key_is_in_no_debug_output() {
    let key = ApiKey::parse(SECRET).unwrap();
    let source = KeySource::variable(SECRET);
    let shown = format!("{key:?} {source:?} {source} {:?}", source.read());
    assert!(!shown.contains("0123"), "{shown}");
    assert_eq!(source.read().unwrap().expose(), SECRET);
}

#[test]
fn no_error_repeats_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for text in ["exec_live_0123 456789", "exec_live_0123\nexec_live_0123", "exec_live_0123\u{7}"] {
        fs::write(&path, text).unwrap();
        let sources = [KeySource::File(path.clone()), KeySource::variable(text), command_of("cat key", folder.path())];
        for source in sources {
            let error = source.read().expect_err(text);
            let told = format!("{error} {error:?}");
            assert!(!told.contains("0123"), "{told}");
        }
    }
}

#[test]
fn a_key_file_is_read_anew_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let source = KeySource::File(path.clone());
    assert!(source.read().unwrap_err().to_string().contains("key can't be read"));
    for key in ["first", "second"] {
        fs::write(&path, format!("{key}\n")).unwrap();
        assert_eq!(source.read().unwrap().expose(), key);
    }
}

#[test]
fn a_key_file_that_others_can_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "k").unwrap();
    for (mode, warns) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let warning = KeySource::File(path.clone()).warning();
        assert_eq!(warning.is_some_and(|text| text.contains("chmod 600")), warns, "{mode:o}");
    }
}

#[test]
fn a_command_prints_the_key() {
    assert_eq!(from_command("echo exec").unwrap().expose(), "exec");
    assert_eq!(from_command("printf 'k\\r\\n'; echo other >&2").unwrap().expose(), "k");
}

#[test]
fn a_command_is_seen_from_the_configurations_folder() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("key.sh");
    fs::write(&script, "#!/bin/sh\nbasename \"$PWD\" | tr -d .\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let source = KeySource::Command { words: vec!["./key.sh".into()], folder: folder.path().to_owned() };
    let name = folder.path().file_name().unwrap().to_string_lossy().replace('.', "");
    assert_eq!(source.read().unwrap().expose(), name);
}

#[test]
fn a_command_that_fails_says_how_but_not_what_it_said() {
    for (script, why) in [
        ("echo secret; echo secret >&2; exit 3", "failed (exit status: 3)"),
        ("true", "is empty"),
        ("echo", "is empty"),
        ("echo secret; echo secret", "more than one line"),
        ("head -c 5000 /dev/zero | tr '\\0' a", "too long"),
    ] {
        let told = from_command(script).expect_err(script).to_string();
        assert!(told.contains(why) && !told.contains("secret"), "{script}: {told}");
    }
    let missing = KeySource::Command { words: vec!["no-such-program-here".into()], folder: std::env::temp_dir() };
    let told = missing.read().unwrap_err().to_string();
    assert!(told.contains("no-such-program-here") && told.contains("can't be started"), "{told}");
}

#[test]
fn a_command_that_hangs_is_ended() {
    for script in ["echo $$ > pid; exec sleep 60", "echo $$ > pid; exec >&-; exec sleep 60"] {
        let folder = tempfile::tempdir().unwrap();
        let error = command_of(script, folder.path()).read_within(Duration::from_secs(1)).unwrap_err();
        assert!(error.to_string().contains("did not end within 1s"), "{error}");
        let pid: i32 = fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err(), "{script}: still there");
    }
}

#[test]
fn a_command_gets_neither_our_key_nor_a_terminal() {
    let command = child::of_key(&["x".to_owned()], Path::new("/")).unwrap();
    assert!(command.get_envs().any(|(name, value)| name == VARIABLE && value.is_none()));
    assert!(from_command("read line; echo \"nothing${line}\"").is_ok_and(|key| key.expose() == "nothing"));
}

#[test]
fn nowhere_says_where_a_key_can_be_put() {
    let told = KeySource::Nowhere.read().unwrap_err().to_string();
    assert!(["api_key_file", "api_key_command", "EXEC_API_KEY"].iter().all(|name| told.contains(name)), "{told}");
}

#[test]
fn live_keys_are_known_by_their_form() {
    for (text, live) in [(SECRET, true), ("exec_live_0123456", false), ("x exec_live_01234567", false), ("test", false)]
    {
        let key = ApiKey::parse(&text.replace(' ', "_")).unwrap();
        assert_eq!(key.looks_live(), live, "{text}");
    }
}

#[test]
fn a_key_in_a_text_is_blotted_out_and_its_place_known() {
    let (text, places) = blot("é: 1\nü: exec_live_01234567!\n# exec_live_exec_live_abcdefgh\n");
    assert_eq!(text, "é: 1\nü: xxxxxxxxxxxxxxxxxx!\n# exec_live_xxxxxxxxxxxxxxxxxx\n");
    assert_eq!(places, [Position { line: 2, column: 4 }, Position { line: 3, column: 13 }]);
}

#[test]
fn the_same_key_has_the_same_mark() {
    let mark = |text: &str| ApiKey::parse(text).unwrap().digest();
    assert_eq!(mark("a"), mark("a\n"));
    assert_ne!(mark("a"), mark("b"));
}
