//! Whole files: what is a document, its title, its body.

use super::*;
use crate::page::{BodyPrint, Digest};

#[test]
fn a_document_says_everything_at_once() {
    let file = "\u{feff}---\r\npage_id: 5f0c1a2e-0b7d # the page\r\ntitle: Pricing objections   # else the heading\r\n\
        folders: [Sales, Sales/Objections]\r\nskills:\r\n  - Objection handling\r\nsources: \"Q2: deck.pdf\"\r\n\
        status: published\r\nvisibility: private\r\nsync: true\r\ntags: [a, b]\r\n---\r\nText.\r\n";
    let Parsed { reading, diagnostics, .. } = parse(file.as_bytes(), &RULES);
    assert_eq!(diagnostics, []);
    let Reading::Document { page_id, visibility, authored } = reading else { panic!("{reading:?}") };
    assert_eq!(page_id.unwrap().as_str(), "5f0c1a2e-0b7d");
    assert_eq!(visibility, Visibility::Private);
    assert_eq!(authored.title.as_deref(), Some("Pricing objections"));
    assert_eq!(authored.named.folders.unwrap(), ["Sales", "Sales/Objections"]);
    assert_eq!(authored.named.skills.unwrap(), ["Objection handling"]);
    assert_eq!(authored.named.sources.unwrap(), ["Q2: deck.pdf"]);
    assert_eq!(authored.status, Status::Published);
    assert_eq!(authored.source, Digest::of(file));
    assert_eq!(authored.rules, RULES.digest());
    assert_eq!(authored.body, BodyPrint::of("Text.\n"));
    assert_eq!(sent(file).as_deref(), Some("Text.\n"));
}

#[test]
fn front_matter_makes_a_document_even_if_it_is_empty() {
    for file in [
        "---\n---\nx\n",
        "---\n# a comment\n---\nx\n",
        "---\n...\nx\n",
        "---\nlayout: post\n---\nx\n",
        "---\n\n---\nx\n",
    ] {
        assert!(document(file).is_some(), "{file:?}");
        assert_eq!(sent(file).as_deref(), Some("x\n"), "{file:?}");
    }
    for file in [
        "x\n",
        "# Title\n\n---\n\nx\n",
        "---\n\nA rule, then text.\n",
        "+++\nlayout = 1\n+++\n",
        "{\"a\": 1}\n",
        "caf\u{e9}",
    ] {
        assert_eq!(parse(file.as_bytes(), &RULES).reading, Reading::Plain, "{file:?}");
        assert_eq!(sent(file), None);
    }
    assert_eq!(parse(b"a caf\xe9 in Latin-1, no document\n", &RULES).reading, Reading::Plain);
}

#[test]
fn a_title_comes_from_the_key_or_the_first_heading_or_nowhere() {
    let file = "---\npage_id: x\n---\n# Ünïcode 💼\n\nText with `code`.\n";
    assert_eq!(document(file).unwrap().title.as_deref(), Some("Ünïcode 💼"));
    assert_eq!(sent(file).as_deref(), Some("Text with `code`.\n"));

    let key_wins = "---\ntitle: Key\n---\n# Heading\n\nx\n";
    assert_eq!(document(key_wins).unwrap().title.as_deref(), Some("Key"));
    assert_eq!(sent(key_wins).as_deref(), Some("# Heading\n\nx\n"), "another heading stays");

    let later = "---\n---\nIntro.\n\n# Later\n\nx\n";
    assert_eq!(document(later).unwrap().title.as_deref(), Some("Later"));
    assert_eq!(sent(later).as_deref(), Some("Intro.\n\n# Later\n\nx\n"), "only a first block is not repeated");

    assert_eq!(document("---\n---\nNo heading.\n").unwrap().title, None);
    let blank = "---\ntitle:\n---\n# Heading\n";
    assert_eq!(document(blank).unwrap().title, None, "a blank title is not managed");
    assert_eq!(sent(blank).as_deref(), Some("# Heading\n"));
}

#[test]
fn a_repeated_title_stays_where_the_rules_keep_it() {
    let file = "---\ntitle: T\n---\n# T\n\nx\n";
    let keep = Rules { title_heading: TitleHeading::Keep, ..RULES };
    assert_eq!(body(file.as_bytes(), &keep).as_deref(), Some("# T\n\nx\n"));
    assert_eq!(sent(file).as_deref(), Some("x\n"));
    let kept = parse(file.as_bytes(), &keep).reading;
    let Reading::Document { authored, .. } = kept else { panic!("{kept:?}") };
    assert_ne!(authored.rules, document(file).unwrap().rules, "the rules are part of what is remembered");
}

#[test]
fn a_body_travels_byte_for_byte() {
    let cases = [
        ("\n\nx\n\n\n", "\n\nx\n\n\n"),
        ("a\r\nb\rc\nd\r\n", "a\nb\rc\nd\n"),
        ("\u{feff}x", "\u{feff}x"),
        ("trailing  \n\ttab\u{a0}\n", "trailing  \n\ttab\u{a0}\n"),
        ("---\nx\n---\n", "---\nx\n---\n"),
        ("", ""),
    ];
    for (written, travels) in cases {
        assert_eq!(sent(format!("---\n---\n{written}")).as_deref(), Some(travels), "{written:?}");
    }
}

#[test]
fn the_default_status_and_other_tools_drafts_decide_where_no_status_is_given() {
    let published = Rules { default_status: Status::Published, ..RULES };
    let status = |front_matter: &str| match parse(with(front_matter).as_bytes(), &published).reading {
        Reading::Document { authored, .. } => authored.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(""), Status::Published);
    assert_eq!(status("status: draft\n"), Status::Draft);
    for wish in ["true", "True", "yes", "'true'"] {
        let status = status(&format!("draft: {wish}\n"));
        assert_eq!(status, Status::Draft, "never published against its author's word");
    }
    assert_eq!(status("draft: false\n"), Status::Published);
    assert_eq!(status("draft: true\nstatus: published\n"), Status::Published);
}

#[test]
fn sync_false_leaves_a_file_alone_whatever_else_is_wrong_with_it() {
    let off = |file: &[u8]| match parse(file, &RULES) {
        Parsed { reading: Reading::Off { page_id, .. }, diagnostics, .. } if diagnostics.is_empty() => {
            Some(page_id.map(String::from))
        }
        _ => None,
    };
    let named = Some(Some("abc".to_owned()));
    assert_eq!(off(with("page_id: abc\nsync: false\nstatus: in-progress\n").as_bytes()), named);
    assert_eq!(off(with("page_id: abc\nsync: false\ntitle: a: b\n").as_bytes()), named);
    assert_eq!(off(b"---\npage_id: abc\nsync: false\n---\ncaf\xe9\n"), named);
    assert_eq!(off(b"---\npage_id: abc\nsync: false\nnever closed\n"), named);
    assert_eq!(off(b"+++\npage_id = \"abc\"\nsync = false\n+++\n"), named);
    assert_eq!(off(with("sync: false\nsync: true\n").as_bytes()), None);
    let Reading::Off { title, .. } = parse(with("sync: false\ntitle: T\n").as_bytes(), &RULES).reading else {
        panic!()
    };
    assert_eq!(title.as_deref(), Some("T"));
}

#[test]
fn private_notes_of_other_tools_get_no_page_but_keep_one() {
    for wish in [
        "private: true\n",
        "publish: false\n",
        "private: True\n",
        "private: yes\n",
        "private: \"true\"\n",
        "publish: NO\n",
    ] {
        assert!(matches!(parse(with(wish).as_bytes(), &RULES).reading, Reading::Off { page_id: None, .. }), "{wish}");
        assert!(document(with(&format!("{wish}page_id: abc\n"))).is_some(), "who names a page wants it in step");
    }
    for other in ["private: false\n", "publish: true\n", "private: truly\n", "private: [true]\n"] {
        assert!(document(with(other)).is_some(), "{other}");
    }
}

#[test]
fn what_a_file_says_is_kept_as_json_and_comes_back() {
    for file in ["x".to_owned(), with("sync: false\n"), with("status: x\npage_id: a\n"), with("skills: []\n")] {
        let reading = parse(file.as_bytes(), &RULES).reading;
        let json = serde_json::to_string(&reading).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
    }
}
