//! What is never sent, and that its page is still known.

use super::*;
use crate::document::{MAX_BYTES, too_large};

/// The code and the page of a file that must be blocked.
#[track_caller]
fn holds(file: impl AsRef<[u8]>, code: Code, page: Option<&str>) {
    assert_eq!(
        blocked(file.as_ref()),
        Some((code, page.map(str::to_owned))),
        "{:?}",
        file.as_ref().escape_ascii().to_string()
    );
    assert_eq!(sent(file), None, "what is blocked has no body");
}

#[test]
fn a_file_without_anything_in_it() {
    for file in [&b""[..], b"\n", b" \r\n\t\n", b"\0\0\0\0", b"\xef\xbb\xbf\n", b"\0\n\0"] {
        holds(file, Code::FileEmpty, None);
    }
}

#[test]
fn bytes_that_are_no_text() {
    holds(b"---\npage_id: zzz\n---\ncaf\xe9\n", Code::NotUtf8, Some("zzz"));
    assert_eq!(
        told(b"---\npage_id: zzz\n---\ncaf\xe9\n"),
        ["4:4 not_utf8: not UTF-8: byte 0xE9 at offset 24; save the file as UTF-8"]
    );
    holds(b"---\npage_id: zzz\ntitle: caf\xe9\n---\nx\n", Code::NotUtf8, Some("zzz"));
    holds(b"---\npage_id: zzz\n---\nnul\0\n", Code::NotUtf8, Some("zzz"));
    holds(b"---\npage_id: zzz\nnul: \0\n---\nx\n", Code::NotUtf8, Some("zzz"));
    assert_eq!(
        told(b"---\npage_id: zzz\n---\nnul\0\n"),
        ["4:4 not_utf8: a NUL byte at offset 24: this is no text; save the file again as UTF-8"]
    );
    for mark in ["", "\u{feff}"] {
        let text = format!("{mark}---\r\npage_id: zzz\r\n---\r\ncaf\u{e9}\r\n");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        holds(little, Code::NotUtf8, Some("zzz"));
        holds(big, Code::NotUtf8, Some("zzz"));
    }
}

#[test]
fn a_file_over_five_mebibytes() {
    let file = |size: usize| {
        let mut file = b"---\npage_id: zzz\n---\n".to_vec();
        file.resize(size, b'x');
        file
    };
    let limit = usize::try_from(MAX_BYTES).unwrap();
    holds(file(limit + 1), Code::TooLarge, Some("zzz"));
    assert!(document(file(limit)).is_some());
    let reason = too_large(50 * 1024 * 1024);
    assert_eq!(reason.code, Code::TooLarge);
    assert!(reason.message.contains("50.0 MiB"), "{}", reason.message);
}

#[test]
fn a_pointer_in_place_of_the_text() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    holds(pointer, Code::LfsPointer, None);
    assert!(told(pointer)[0].contains("git lfs pull"));
}

#[test]
fn a_merge_that_is_not_done() {
    let conflict = "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> branch\n";
    let in_body = format!("---\npage_id: zzz\n---\ntext\n{conflict}");
    holds(&in_body, Code::MergeMarkers, Some("zzz"));
    assert!(told(&in_body)[0].starts_with("5:1 merge_markers"));
    holds(in_body.replace('\n', "\r\n"), Code::MergeMarkers, Some("zzz"));
    holds(
        "---\npage_id: zzz\n<<<<<<< a\ntitle: A\n=======\ntitle: B\n>>>>>>> b\n---\nx\n",
        Code::MergeMarkers,
        Some("zzz"),
    );
    holds("---\n<<<<<<< a\npage_id: zzz\n=======\npage_id: yyy\n>>>>>>> b\n---\nx\n", Code::MergeMarkers, None);
    holds("---\npage_id: zzz\n<<<<<<< a\n---\nA\n=======\n---\nB\n>>>>>>> b\n", Code::MergeMarkers, Some("zzz"));
    holds(
        "<<<<<<< a\n---\npage_id: zzz\n---\nA\n=======\n---\npage_id: zzz\n---\nB\n>>>>>>> b\n",
        Code::MergeMarkers,
        Some("zzz"),
    );
    let about_git = format!("---\npage_id: zzz\n---\nWhat git writes:\n\n```\n{conflict}```\n");
    assert!(document(&about_git).is_some());
    assert_eq!(sent(&about_git), about_git.strip_prefix("---\npage_id: zzz\n---\n").map(str::to_owned));
}

#[test]
fn front_matter_that_is_none_yet_or_of_another_kind() {
    holds("---\npage_id: zzz\ntitle: x\n", Code::FrontMatter, Some("zzz"));
    holds("---\npage_id: zzz", Code::FrontMatter, Some("zzz"));
    assert!(told("---\npage_id: zzz\n")[0].contains("never closed"));
    holds("+++\npage_id = \"zzz\"\n+++\nx\n", Code::FrontMatter, Some("zzz"));
    holds("{\n  \"page_id\": \"zzz\"\n}\n\nx\n", Code::FrontMatter, Some("zzz"));
    holds("\n---\npage_id: zzz\n---\nx\n", Code::FrontMatter, Some("zzz"));
    holds("\u{feff}\u{feff}---\npage_id: zzz\n---\nx\n", Code::FrontMatter, Some("zzz"));
    holds("—-\npage_id: zzz\n—-\nx\n", Code::FrontMatter, Some("zzz"));
    for plain in ["---\nlayout: x\n", "---\ntext\n", "+++\nlayout = 1\n", "\n---\nlayout: x\n---\n", "---", "---\n"] {
        assert_eq!(parse(plain.as_bytes(), &RULES).reading, Reading::Plain, "{plain:?}");
    }
}

#[test]
fn front_matter_that_cannot_be_read() {
    holds(with("page_id: abc\ntitle: [unclosed\n"), Code::FrontMatter, Some("abc"));
    holds(with("title: [unclosed\npage_id: abc\n"), Code::FrontMatter, Some("abc"));
    holds(with("just text\n"), Code::FrontMatter, None);
    holds(with("- page_id: abc\n"), Code::FrontMatter, None);
    holds(with("page_id: abc\n--- # second\ntitle: x\n"), Code::FrontMatter, Some("abc"));
    holds(with("page_id: abc\n%YAML 1.2\n"), Code::FrontMatter, Some("abc"));
    holds(with(&format!("page_id: abc\nx: {}{}\n", "[".repeat(40), "]".repeat(40))), Code::FrontMatter, Some("abc"));
    holds(with(&format!("page_id: abc\n{}", "x: y\n".repeat(15_000))), Code::FrontMatter, Some("abc"));
    holds(
        with(&format!("page_id: abc\n{}", "x: [a, a, a, a, a, a, a, a]\n".repeat(1500))),
        Code::FrontMatter,
        Some("abc"),
    );
}

#[test]
fn keys_given_twice() {
    holds(with("page_id: abc\ntags: x\npage_id: abc\n"), Code::FrontMatter, Some("abc"));
    holds(with("page_id: abc\npage_id: def\n"), Code::FrontMatter, None);
    holds(with("title: a\n\"title\": a\n"), Code::FrontMatter, None);
    assert_eq!(
        told(with("page_id: abc\ntags: x\ntags: y\npage_id: abc\n")),
        ["5:1 front_matter: `page_id` is given more than once, in lines 2 and 5; keep one"],
        "other tools' keys are theirs"
    );
}

#[test]
fn aliases_anchors_and_tags_in_keys_of_ours() {
    for yaml in [
        "title: &t x\n",
        "x: &t y\ntitle: *t\n",
        "skills: [*t]\n",
        "skills: &s [a]\n",
        "&t title: x\n",
        "title: !!int 3\n",
        "title: !x y\n",
    ] {
        holds(with(yaml), Code::FrontMatter, None);
    }
    holds(with("base: &b {page_id: abc}\n<<: *b\n"), Code::FrontMatter, None);
    assert!(
        document(with("x: &a [1]\ny: *a\nz: *unknown\ntitle: !!str 3\n")).is_some(),
        "other tools' keys are theirs"
    );
    let bomb = std::iter::once("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned())
        .chain((1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","))))
        .chain(["page_id: *a11\n".to_owned()])
        .collect::<String>();
    holds(with(&bomb), Code::FrontMatter, None);
}

#[test]
fn values_that_a_key_cannot_have() {
    for id in ["../../workspace", "a b", "é", "[abc]", "{a: b}", "a/b", &"x".repeat(65)] {
        holds(with(&format!("page_id: {id}\n")), Code::FrontMatter, None);
    }
    for title in ["[a]", "{a: b}", "{{title}}", "\"a\\0b\"", "\"a\\eb\""] {
        holds(with(&format!("title: {title}\npage_id: abc\n")), Code::FrontMatter, Some("abc"));
    }
    for list in ["{a: b}", "[[a]]", "[{a: b}]", "[a: b]", "[a, ~]", "[\"\"]", "[\"\\0\"]", "\n  - a: b"] {
        holds(with(&format!("skills: {list}\npage_id: abc\n")), Code::FrontMatter, Some("abc"));
    }
    for status in ["publshed", "Published", "archived", "in-progress", "true", "“draft”", "draft\u{200b}"] {
        holds(with(&format!("status: {status}\npage_id: abc\n")), Code::UnknownStatus, Some("abc"));
    }
    for line in [
        "status: [draft]",
        "visibility: public",
        "visibility: Private",
        "sync: no",
        "sync: \"false\"",
        "sync: [false]",
        "sync: False",
    ] {
        holds(with(&format!("{line}\npage_id: abc\n")), Code::FrontMatter, Some("abc"));
    }
}
