//! Scalars are their source text, whatever a YAML library would make of them.

use super::*;

/// Texts that some YAML library takes for something else, each as it is written without quotes.
const TEXTS: [&str; 46] = [
    "00123",
    "0510210600",
    "123",
    "-7",
    "+1",
    "0x1F",
    "0o17",
    "017",
    "0b101",
    "1_000",
    "1e9",
    "1E-3",
    "12e03",
    "1.10",
    "1.0",
    ".5",
    "1.",
    "-.inf",
    ".inf",
    ".nan",
    "NaN",
    "Infinity",
    "12:30",
    "12:30:45",
    "190:20:30",
    "2024-01-15",
    "2024-01-15T10:00:00Z",
    "no",
    "No",
    "NO",
    "yes",
    "Yes",
    "on",
    "off",
    "y",
    "n",
    "true",
    "True",
    "FALSE",
    "false",
    "draft",
    "published",
    "5f0c1a2e-0b7d-4f0e-9f57-0c2f5a1f6e11",
    "a_b-C",
    "null_",
    "nullx",
];

#[test]
fn every_scalar_is_text_in_every_key() {
    for text in TEXTS {
        let is_id = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        for written in [text.to_owned(), format!("\"{text}\""), format!("'{text}'"), format!("  {text}  # a remark")] {
            let file = |key: &str| with(&format!("{key}: {written}\n"));
            assert_eq!(document(file("title")).unwrap().title.as_deref(), Some(text), "title: {written}");
            assert_eq!(page_id(file("page_id")).as_deref(), is_id.then_some(text), "page_id: {written}");
            assert_eq!(blocked(file("page_id")).is_some(), !is_id, "page_id: {written}");

            let one = Some(vec![text.to_owned()]);
            let named = document(file("skills")).unwrap().named;
            assert_eq!((named.skills, named.folders, named.sources), (one, None, None), "skills: {written}");

            let status = document(file("status")).map(|d| d.status);
            let expected = match text {
                "draft" => Some(Status::Draft),
                "published" => Some(Status::Published),
                _ => None,
            };
            assert_eq!(status, expected, "status: {written}");
            assert!(document(file("visibility")).is_none(), "visibility: {written}");

            let in_quotes = written.starts_with(['"', '\'']);
            let is_off = matches!(parse(file("sync").as_bytes(), &RULES).reading, Reading::Off { .. });
            assert_eq!(is_off, text == "false" && !in_quotes, "sync: {written}");
            assert_eq!(document(file("sync")).is_some(), text == "true" && !in_quotes, "sync: {written}");
        }
        let (flow, block) =
            (format!("folders: [{text}, \"{text}\"]\n"), format!("folders:\n  - {text}\n  - '{text}'\n"));
        let twice = Some(vec![text.to_owned(), text.to_owned()]);
        assert_eq!(document(with(&flow)).unwrap().named.folders, twice, "{flow}");
        assert_eq!(document(with(&block)).unwrap().named.folders, twice, "{block}");
    }
}

#[test]
fn nothing_is_not_a_text_unless_it_is_in_quotes() {
    for nothing in ["", "~", "null", "Null", "NULL", "# a comment"] {
        let file = |key: &str| with(&format!("{key}: {nothing}\n"));
        let found = document(file("skills")).unwrap();
        assert_eq!(found.named.skills, None, "a blank list is not managed");
        let found = document(file("title")).unwrap();
        assert_eq!(found.title, None, "a blank title is not managed");
        assert!(told(file("title"))[0].contains(" title_blank: title is blank"), "{:?}", told(file("title")));
        assert!(document(file("page_id")).is_some() && page_id(file("page_id")).is_none());
        assert_eq!(document(file("status")).unwrap().status, Status::Draft, "the default");
        assert!(document(file("visibility")).is_some());
        assert_eq!(blocked(file("sync")), Some((Code::FrontMatter, None)), "sync takes true and false only");
    }
    assert_eq!(document(with("title: \"null\"\n")).unwrap().title.as_deref(), Some("null"));
    assert_eq!(document(with("skills: '~'\n")).unwrap().named.skills, Some(vec!["~".to_owned()]));
    assert_eq!(page_id(with("page_id: 'null'\n")).as_deref(), Some("null"));
}

#[test]
fn only_an_empty_list_clears() {
    assert_eq!(document(with("skills: []\n")).unwrap().named.skills, Some(Vec::new()));
    assert_eq!(document(with("skills: [ ]\nfolders:\n")).unwrap().named.folders, None);
    assert_eq!(document(with("title: x\n")).unwrap().named.skills, None);
    assert_eq!(document(with("skills: [a,]\n")).unwrap().named.skills, Some(vec!["a".to_owned()]));
    assert!(blocked(with("skills:\n  -\n")).is_some(), "a blank item is neither a name nor an empty list");
}

#[test]
fn a_title_may_be_written_in_several_lines() {
    for title in ["title: a\n  b\n", "title: \"a\n\n  b\"\n", "title: >\n  a\n  b\n", "title: |-\n  a\n  b\n"] {
        assert_eq!(document(with(title)).unwrap().title.as_deref(), Some("a b"), "{title}");
        let crlf = with(title).replace('\n', "\r\n");
        assert_eq!(document(crlf).unwrap().title.as_deref(), Some("a b"), "{title} with CRLF");
    }
    assert_eq!(document(with("title: “Curly” ‘quotes’\n")).unwrap().title.as_deref(), Some("“Curly” ‘quotes’"));
    assert_eq!(document(with("title: a\u{2028}b\u{85}c\n")).unwrap().title.as_deref(), Some("a\u{2028}b\u{85}c"));
}
