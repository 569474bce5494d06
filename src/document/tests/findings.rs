//! What is said to the author: all of it, at its place, with the cure.

use super::*;
use crate::document::Severity;

#[test]
fn all_errors_are_told_in_the_order_of_the_file() {
    let file = with("page_id: a b\nstatus: publshed\nskills: [[a], b]\nvisibility: all\nsync: yes\ntitle: x: y\n");
    let places: Vec<_> = told(&file).iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect();
    let expected = [
        "2:10 front_matter",
        "3:9 unknown_status",
        "4:10 front_matter",
        "5:13 front_matter",
        "6:7 front_matter",
        "7:8 front_matter",
    ];
    assert_eq!(places, expected);
    let reading = parse(file.as_bytes(), &RULES).reading;
    let Reading::Blocked { reason, .. } = reading else { panic!("{reading:?}") };
    assert_eq!((reason.line, reason.column), (Some(2), Some(10)), "the reason is the first error");
    assert!(reason.message.contains("\"a b\""), "{}", reason.message);
}

#[test]
fn an_unknown_status_names_the_words_and_the_way_out() {
    let file = with("page_id: abc\nstatus: publshed\n");
    let message = "3:9 unknown_status: status is \"publshed\"; it can be \"published\" or \"draft\", and `sync: false` leaves the file alone";
    assert_eq!(told(&file), [message]);
    assert_eq!(suggested(&file), ["published"]);
    assert_eq!(suggested(with("status: Draft\n")), ["draft"]);
    assert_eq!(suggested(with("status: in-progress\n")), [""; 0]);
}

#[test]
fn the_usual_slips_in_yaml_get_the_line_to_paste() {
    let cases = [
        ("title: Foo: bar\n", "has a colon in it", "title: \"Foo: bar\""),
        ("title: Say \"a: b\"\n", "has a colon in it", "title: 'Say \"a: b\"'"),
        ("title: @home\n", "begins with \"@\"", "title: \"@home\""),
        ("title: `code` first\n", "begins with \"`\"", "title: \"`code` first\""),
        ("title: %20\n", "begins with \"%\"", "title: \"%20\""),
        ("title: *Important* note\n", "begins with \"*\"", "title: \"*Important* note\""),
        ("title: \"a \"b\" c\"\n", "quotes inside quotes", "title: 'a \"b\" c'"),
        ("title: 'it's'\n", "quotes inside quotes", "title: \"it's\""),
        ("title: \"never closed\nstatus: draft\n", "never closed", "title: \"never closed\""),
        ("title: [Draft] x\n", "`]`", "title: \"[Draft] x\""),
        ("skills: [a, b\nstatus: draft\n", "`]`", "skills: [a, b]"),
        ("skills:\n\t- a\n", "a tab indents", "  - a"),
        ("skills:\n  - a\n\t- b\n", "a tab indents", "  - b"),
        ("skills:\n  - @a\n", "begins with \"@\"", "  - \"@a\""),
        ("page_id:abc\n", "blank is missing", "page_id: abc"),
        ("x: 1\npage_id:abc\n", "blank is missing", "page_id: abc"),
    ];
    for (yaml, cause, paste) in cases {
        for file in [with(yaml), with(yaml).replace('\n', "\r\n"), format!("\u{feff}{}", with(yaml))] {
            let said = told(&file);
            assert_eq!(said.len(), 1, "{yaml}: {said:?}");
            assert!(said[0].contains(cause), "{yaml}: {said:?}");
            assert_eq!(suggested(&file), [paste], "{yaml}");
        }
        // What is suggested can be read.
        let keys: String = yaml
            .lines()
            .filter(|line| line.starts_with("skills:") && paste.starts_with(' '))
            .map(|l| format!("{l}\n"))
            .collect();
        assert_eq!(parse(with(&format!("{keys}{paste}\n")).as_bytes(), &RULES).diagnostics, [], "{paste}");
    }
    assert!(
        told(with("page_id: abc\n\n# Heading\n\nSome text.\n"))[0]
            .starts_with("6:1 front_matter: this line is no `key: value`")
    );
}

#[test]
fn hidden_characters_are_named_by_code_point() {
    let cases = [
        ("title\u{a0}: x\n", "U+00A0 (no-break space)", "title"),
        ("\u{200b}page_id: abc\n", "U+200B (zero-width space)", "page_id"),
        ("“title”: x\n", "U+201C (curly quote)", "title"),
        ("status: “draft”\n", "U+201C (curly quote)", "draft"),
        ("status: draft\u{200b}\n", "U+200B (zero-width space)", "draft"),
        ("sync: false\u{a0}\n", "U+00A0 (no-break space)", "false"),
        ("page_id: abc\u{feff}\n", "U+FEFF (byte order mark)", "abc"),
    ];
    for (yaml, name, right) in cases {
        assert!(told(with(yaml))[0].contains(name), "{yaml}: {:?}", told(with(yaml)));
        assert_eq!(suggested(with(yaml)), [right], "{yaml}");
    }
    assert_eq!(page_id(with("\u{200b}page_id: abc\n")).as_deref(), Some("abc"), "its page is held, not gone");
}

/// The warnings of a file that is a document all the same.
fn warnings(yaml: &str) -> Vec<&'static str> {
    let parsed = parse(with(yaml).as_bytes(), &RULES);
    assert!(matches!(parsed.reading, Reading::Document { .. }), "{yaml}: a warning blocks nothing");
    assert!(parsed.diagnostics.iter().all(|d| d.severity == Severity::Warning), "{yaml}");
    parsed.diagnostics.iter().map(|d| d.code.as_str()).collect()
}

#[test]
fn a_title_that_ends_at_a_number_sign() {
    assert_eq!(warnings("title: Plan #1\n"), ["title_cut"]);
    assert_eq!(suggested(with("title: Plan #1\n")), ["title: \"Plan #1\""]);
    assert_eq!(warnings("title: C # and Java\n"), ["title_cut"]);
    assert_eq!(warnings("title: #1 plan\n"), ["title_blank"]);
    assert_eq!(suggested(with("title: #1 plan\n")), ["title: \"#1 plan\""]);
    for fine in
        ["title: \"Plan #1\"\n", "title: C#\n", "title: Plan  # a remark\n", "title: x\n# a remark\n", "x: a #b\n"]
    {
        assert_eq!(warnings(fine), [""; 0], "{fine}");
    }
}

#[test]
fn a_draft_that_is_published() {
    assert_eq!(warnings("draft: true\nstatus: published\n"), ["draft_contradicts"]);
    assert_eq!(warnings("draft: true\nstatus: draft\n"), [""; 0]);
    assert_eq!(warnings("draft: false\nstatus: published\n"), [""; 0]);
}

#[test]
fn near_misses_of_our_keys() {
    for slip in ["staus: draft\n", "folder: Sales\n", "Title: x\n", "source: Deck\n", "pageId: x\n", "\"title \": x\n"]
    {
        assert_eq!(warnings(slip), ["near_miss"], "{slip}");
    }
    let file = with("x: y\nstaus: draft\n");
    assert_eq!(
        told(&file),
        ["3:1 near_miss: \"staus\" is no key of hubsync and has no effect; did you mean \"status\"?"]
    );
    assert_eq!(suggested(&file), ["status"]);
    let fine = "tags: [a]\ndate: 2024-01-15\ndraft: false\nprivate: false\nid: 7\ntype: note\nsource: https://example.com/a\nAuthor: x\n";
    assert_eq!(warnings(fine), [""; 0]);
    assert_eq!(warnings("folders: [a]\nfolder: b\n"), ["near_miss"], "also beside the right key");
    assert_eq!(warnings("skills: [a]\nsources: [b]\nstatus: draft\nsync: true\n"), [""; 0]);
}

#[test]
fn columns_count_characters_after_a_mark_and_in_any_script() {
    let file = "\u{feff}---\r\n日本: 💼\r\ntitle: {é: 日}\r\nstatus: 日本\r\n---\r\n";
    assert!(told(file)[0].starts_with("3:8 front_matter"), "{:?}", told(file));
    let diagnostics = parse(file.as_bytes(), &RULES).diagnostics;
    assert_eq!(&file[diagnostics[0].span.clone()], "{é: 日}");
    assert_eq!(&file[diagnostics[1].span.clone()], "日本");
}
