//! `hubsync demo`: the first thing that anybody tries.

use std::path::Path;

use rustix::process::Signal;

use crate::place::{Place, files, until};

#[test]
fn it_shows_a_save_arriving_and_leaves_nothing_behind() {
    let place = Place::new();
    let demo = place.start(&["demo"]);
    let said = || std::fs::read_to_string(place.path("daemon.log")).unwrap();
    let after = |word: &str| said().lines().find_map(|line| line.strip_prefix(word).map(str::to_owned));
    until("it says where", || after("dashboard: http://127.0.0.1:").is_some());
    let folder = after("folder: ").unwrap();
    until("the handbook is published", || said().matches("published ").count() >= 12);
    let welcome = Path::new(&folder).join("welcome.md");
    let text = std::fs::read_to_string(&welcome).unwrap();
    std::fs::write(&welcome, text + "\nOne more line.\n").unwrap();
    until("the save arrives", || said().matches("published welcome.md").count() == 2);
    demo.signal(Signal::INT);
    assert_eq!(demo.code(), Some(0), "{}", said());
    assert!(!Path::new(&folder).exists());
    assert_eq!(files(&place.path("home")).len() + files(&place.path("xdg")).len(), 0);
}
