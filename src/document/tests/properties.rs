//! What holds for every file.

use proptest::prelude::*;

use super::*;
use crate::page::BodyPrint;

/// Lines that front matter is made of, good and bad.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "page_id",
        "title",
        "folders",
        "skills",
        "sources",
        "status",
        "visibility",
        "sync",
        "staus",
        "Title",
        "tags",
        "draft",
        "<<",
        "é",
        "a b",
    ]);
    let value = prop::sample::select(vec![
        "",
        "abc",
        "00123",
        "published",
        "draft",
        "true",
        "false",
        "x: y",
        "@x",
        "[a, b]",
        "[a",
        "{a: b}",
        "\"a \"b\"",
        "'it''s'",
        "\"q\"",
        "~",
        "null",
        "|",
        ">",
        "&a x",
        "*a",
        "!t x",
        "#1",
        "C #1",
        "“draft”",
        "\u{a0}x",
        "日本",
        "\\0",
        "- a",
    ]);
    prop_oneof![
        8 => (key, value).prop_map(|(key, value)| format!("{key}: {value}")),
        1 => prop::sample::select(vec![
            "  - item", "- item", "\t- tab", "  text", "# comment", "...", "--- x", "----", "%d", "<<<<<<< a", "=======", ">>>>>>> b", "text", "\u{feff}",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn block() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..8).prop_map(|lines| lines.into_iter().map(|line| line + "\n").collect())
}

fn markdown() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "# T\n",
        "T\n=\n",
        "## x\n",
        "text\n",
        "\n",
        "```\n",
        "- a\n",
        "> # q\n",
        "<!-- # h -->\n",
        "<div>\n",
        "    # code\n",
        "é\u{a0}\n",
        "[[a|b]]\n",
        "<<<<<<< a\n",
        "=======\n",
        ">>>>>>> b\n",
        "---\n",
        "end",
    ]);
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

fn file() -> impl Strategy<Value = String> {
    let fence = || {
        prop::sample::select(vec!["---\n", "--- \n", "----\n", "+++\n", "...\n", "{\n", "\n---\n", "\u{feff}---\n", ""])
    };
    (fence(), block(), fence(), markdown())
        .prop_map(|(open, block, close, body)| open.to_owned() + &block + close + &body)
}

/// What must hold of any bytes.
fn holds(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Parsed { reading, diagnostics, .. } = parse(bytes, &RULES);
    let lines = bytes.iter().filter(|b| **b == b'\n').count() + 1;
    for found in &diagnostics {
        prop_assert!(found.span.start <= found.span.end && found.span.end <= bytes.len(), "{found:?}");
        prop_assert!(found.line >= 1 && found.column >= 1 && (found.line as usize) <= lines, "{found:?}");
        prop_assert!(!found.message.is_empty());
        if let Ok(text) = std::str::from_utf8(bytes) {
            prop_assert!(text.get(found.span.clone()).is_some(), "a span cuts a character: {found:?}");
        }
    }
    prop_assert!(diagnostics.is_sorted_by_key(|d| d.span.start));
    let reason = diagnostics.iter().find_map(crate::document::Diagnostic::reason);
    let body = body(bytes, &RULES);
    match reading {
        Reading::Document { authored, .. } => {
            prop_assert_eq!(reason, None);
            prop_assert_eq!(body.map(|b| BodyPrint::of(&b)), Some(authored.body));
        }
        Reading::Blocked { reason: first, .. } => prop_assert_eq!((Some(first), None), (reason, body)),
        Reading::Off { .. } | Reading::Plain => prop_assert!(diagnostics.is_empty() && body.is_none()),
    }
    Ok(())
}

/// A reading without what must differ between a file and its CRLF twin: digests and columns.
fn essence(reading: Reading) -> String {
    match reading {
        Reading::Document { page_id, visibility, authored } => {
            let Authored { rules, title, body, bare: _, status, named, source: _ } = authored;
            format!("{page_id:?} {visibility:?} {rules:?} {title:?} {body:?} {status:?} {named:?}")
        }
        Reading::Blocked { page_id, title, reason } => {
            format!("{page_id:?} {title:?} {:?} {:?}", reason.code, reason.line)
        }
        other => format!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        holds(&bytes)?;
        holds(&[b"---\n", bytes.as_slice(), b"\n---\n"].concat())?;
    }

    #[test]
    fn any_text_is_read(text in "(---\n)?(\\PC|\n){0,200}") {
        holds(text.as_bytes())?;
    }

    #[test]
    fn any_front_matter_is_read(file in file(), cut in any::<prop::sample::Index>()) {
        holds(file.as_bytes())?;
        holds(&file.as_bytes()[..cut.index(file.len() + 1)])?;
    }

    #[test]
    fn line_ends_make_no_difference(file in file()) {
        let twin = file.replace('\n', "\r\n");
        prop_assert_eq!(body(file.as_bytes(), &RULES), body(twin.as_bytes(), &RULES));
        prop_assert_eq!(essence(parse(file.as_bytes(), &RULES).reading), essence(parse(twin.as_bytes(), &RULES).reading));
    }

    #[test]
    fn a_body_changes_nothing_of_the_front_matter(block in block(), text in "[a-z \n]{0,60}") {
        let front_matter = |reading: Reading| match reading {
            Reading::Document { page_id, visibility, authored } => {
                format!("{page_id:?} {visibility:?} {:?} {:?} {:?}", authored.title, authored.status, authored.named)
            }
            Reading::Blocked { page_id, reason, .. } => format!("{page_id:?} {reason:?}"),
            other => format!("{other:?}"),
        };
        let bare = parse(format!("---\n{block}---\n").as_bytes(), &RULES);
        let full = parse(format!("---\n{block}---\n{text}\n").as_bytes(), &RULES);
        prop_assert_eq!(bare.diagnostics, full.diagnostics);
        prop_assert_eq!(front_matter(bare.reading), front_matter(full.reading));
    }

    #[test]
    fn only_a_first_heading_equal_to_the_title_is_taken(
        heading in prop::sample::select(vec!["# T\n", "T\n===\n", "  # T #\n", "# *T* {#t}\n", "# `T`\n"]),
        blank in prop::sample::select(vec!["", "\n", " \n\t\n", "\n\n\n"]),
        rest in markdown(),
    ) {
        let rest = rest.trim_start_matches('\n');
        let file = |title: &str| format!("---\ntitle: {title}\n---\n{heading}{blank}{rest}");
        if let Some(body) = body(file("T").as_bytes(), &RULES) {
            prop_assert_eq!(body, rest);
            let other = crate::document::body(file("another").as_bytes(), &RULES);
            prop_assert_eq!(other, Some(format!("{heading}{blank}{rest}")));
        }
    }
}
