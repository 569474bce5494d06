//! What writing into documents keeps, and that what was written is what is read.

use proptest::prelude::*;

use super::*;
use crate::document::edit::{self, Made, New, Setting, Text, Unfit, set, set_text};
use crate::page::{ListKind, Named, PageId};

fn id(text: &str) -> PageId {
    PageId::parse(text).unwrap()
}

fn edited(file: &str, setting: &Setting<'_>) -> String {
    String::from_utf8(set(file.as_bytes(), setting).unwrap()).unwrap()
}

#[test]
fn an_id_is_one_more_line_and_no_other_byte() {
    let id = id("p1");
    let cases = [
        ("---\n---\n", "---\npage_id: p1\n---\n"),
        ("---\n---", "---\npage_id: p1\n---"),
        ("---\r\n...\r\nx\r\n", "---\r\npage_id: p1\r\n...\r\nx\r\n"),
        ("\u{feff}---\na: 1 # c\n--- \nx", "\u{feff}---\na: 1 # c\npage_id: p1\n--- \nx"),
        ("---\n# only\n\n---\nx", "---\n# only\n\npage_id: p1\n---\nx"),
        ("---\n  a: 1\n  b: 2\n---\n", "---\n  a: 1\n  b: 2\n  page_id: p1\n---\n"),
        ("---\na: |+\n  x\n\n---\n", "---\na: |+\n  x\n\npage_id: p1\n---\n"),
        ("---\na: b\n  c\n---\n", "---\na: b\n  c\npage_id: p1\n---\n"),
        ("---\nprivate: true\n---\nx\n", "---\nprivate: true\npage_id: p1\n---\nx\n"),
        ("---\npage_id:\n---\n", "---\npage_id: p1\n---\n"),
        ("---\npage_id:   # soon\n---\n", "---\npage_id: p1   # soon\n---\n"),
        ("---\npage_id: ~\n---\n", "---\npage_id: p1\n---\n"),
    ];
    for (before, after) in cases {
        assert_eq!(edited(before, &Setting::PageId(&id)), after);
    }
}

#[test]
fn a_value_is_replaced_and_the_remark_behind_it_stays() {
    let names = ["Sales".to_owned(), "a, b".to_owned()];
    let folders = Setting::List(ListKind::Folders, &names);
    let cases = [
        ("---\nfolders: [x, y]  # why\nz: 1\n---\n", "---\nfolders: [Sales, \"a, b\"]  # why\nz: 1\n---\n"),
        ("---\nfolders: x\n---\n", "---\nfolders: [Sales, \"a, b\"]\n---\n"),
        ("---\nfolders: [\n  x,\n  y,\n]\nz: 1\n---\n", "---\nfolders: [Sales, \"a, b\"]\nz: 1\n---\n"),
        (
            "---\nfolders:  # ours\n  - x # one\n  - \"y\"  # last\n\n# c\nz: 1\n---\n",
            "---\nfolders:  # ours\n  - Sales\n  - \"a, b\"  # last\n\n# c\nz: 1\n---\n",
        ),
        ("---\r\nfolders:\r\n- x\r\nz: 1\r\n---\r\n", "---\r\nfolders:\r\n- Sales\r\n- \"a, b\"\r\nz: 1\r\n---\r\n"),
        ("---\n\"folders\" : []\n---\n", "---\n\"folders\" : [Sales, \"a, b\"]\n---\n"),
    ];
    for (before, after) in cases {
        assert_eq!(edited(before, &folders), after);
    }
    let titles = [
        ("---\ntitle: >-\n  a\n  b\n\n# c\nz: 1\n---\n", "---\ntitle: \"C: d\"\n\n# c\nz: 1\n---\n"),
        ("---\ntitle: 'a' # c\n---\n", "---\ntitle: \"C: d\" # c\n---\n"),
        ("---\ntitle: a\n  b\nz: 1\n---\n", "---\ntitle: \"C: d\"\nz: 1\n---\n"),
    ];
    for (before, after) in titles {
        assert_eq!(edited(before, &Setting::Title("C: d")), after);
    }
    assert_eq!(edited("---\nskills:\n- a\n---\n", &Setting::List(ListKind::Skills, &[])), "---\nskills: []\n---\n");
    assert_eq!(
        edited("---\nstatus: draft\n---\n", &Setting::Status(Status::Published)),
        "---\nstatus: published\n---\n"
    );
}

#[test]
fn what_can_not_be_written_is_refused() {
    let id = id("p1");
    let refused = |file: &str, setting: &Setting<'_>| set(file.as_bytes(), setting).unwrap_err();
    assert_eq!(refused("text\n", &Setting::PageId(&id)), Unfit::NoFrontMatter);
    assert_eq!(refused("---\na: [x\n---\n", &Setting::PageId(&id)), Unfit::FrontMatter);
    assert_eq!(refused("---\npage_id: a\npage_id: b\n---\n", &Setting::PageId(&id)), Unfit::Layout("page_id"));
    assert_eq!(refused("---\n{a: 1}\n---\n", &Setting::PageId(&id)), Unfit::Layout("page_id"));
    assert_eq!(refused("---\n~\n---\n", &Setting::PageId(&id)), Unfit::Layout("page_id"));
    assert_eq!(refused("---\n? page_id\n: a\n---\n", &Setting::PageId(&id)), Unfit::Layout("page_id"));
    assert_eq!(refused("---\na: 1\n---\n", &Setting::Title("a\u{7}")), Unfit::Value("title"));
    assert_eq!(refused("---\na: 1\n---\n", &Setting::Title(" ")), Unfit::Value("title"));
    assert_eq!(refused("---\na: 1\n---\n", &Setting::List(ListKind::Skills, &[String::new()])), Unfit::Value("skills"));
}

#[test]
fn a_heading_that_is_the_title_stays_and_follows_the_title() {
    let with = |file: &str, title: &str, body: &str| {
        let made = set_text(file.as_bytes(), &Text { title, body }, &RULES).unwrap();
        (String::from_utf8(made.bytes).unwrap(), made.title)
    };
    let said = |title: &str| Some(title.to_owned());
    let cases = [
        // Title from the heading.
        ("---\n---\n\n# T\n\nold\n", "T", "new\n", "---\n---\n# T\n\nnew\n", said("T")),
        ("---\n---\nT\n=\n\n\nold\n", "T", "new", "---\n---\nT\n=\n\n\nnew", said("T")),
        ("---\n---\n# T\nold\n", "U *x*", "new\n", "---\n---\n# U \\*x\\*\n\nnew\n", said("U *x*")),
        ("---\n---\nx\n\n# T\n", "T", "y\n\n# T\nz", "---\n---\ny\n\n# T\nz", said("T")),
        // No title is managed.
        ("---\n---\nold\n", "T", "new\n", "---\n---\nnew\n", None),
        ("---\ntitle:\n---\nold\n", "T", "# X\n", "---\ntitle:\n---\n# X\n", None),
        ("---\n---\nold\n", "T", "# X\n", "---\n---\n# T\n\n# X\n", said("T")),
        // Title by its key.
        ("---\ntitle: T\n---\nold\n", "T", "# T\nx", "---\ntitle: T\n---\n# T\n\n# T\nx", said("T")),
        ("---\ntitle: T\n---\n# T\n\nold\n", "T", "\n\nx", "---\ntitle: T\n---\n\n\n# T\n\nx", said("T")),
        ("---\ntitle: T\n---\n# T\n\nold\n", "U", "x", "---\ntitle: U\n---\n# U\n\nx", said("U")),
        ("---\ntitle: T\n---\nold\n", "T", "---\nx", "---\ntitle: T\n---\n---\nx", said("T")),
        ("---\ntitle: T\n---", "T", "x", "---\ntitle: T\n---\nx", said("T")),
        ("---\r\ntitle: T\r\n---\r\nold\r\n", "T", "a\r\nb\n", "---\r\ntitle: T\r\n---\r\na\r\nb\r\n", said("T")),
    ];
    for (before, title, body, after, managed) in cases {
        assert_eq!(with(before, title, body), (after.to_owned(), managed), "{before:?}");
    }
    let blocked = set_text(b"---\n---\nx", &Text { title: "T", body: "<<<<<<< a\n=======\n>>>>>>> b\n" }, &RULES);
    assert!(matches!(blocked, Err(Unfit::Blocked(reason)) if reason.code == Code::MergeMarkers));
}

/// One piece of a block: an entry of ours, or anything else.
type Piece = (Option<&'static str>, &'static str);

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let ours: [(&'static str, Vec<&'static str>); 6] = [
        ("page_id", vec!["page_id: abc  # c\n", "\"page_id\": 'x'\n", "page_id:\n"]),
        (
            "title",
            vec!["title: A b # c\n", "title: >\n  a\n  b\n", "title: \"x # y\"\n", "title: a\n   b\n", "title:   \n"],
        ),
        (
            "folders",
            vec![
                "folders: [a, \"b, c\"] # c\n",
                "folders:\n  - a\n  - b # c\n",
                "folders: [\n  a,\n]\n",
                "folders: x\n",
            ],
        ),
        ("skills", vec!["skills: []\n", "skills: # c\n- a\n- 'b'\n", "skills:\n"]),
        ("sources", vec!["sources:\n    - |\n      a\n    - b\n", "sources: [no]\n"]),
        ("status", vec!["status: draft # c\n", "status: 'published'\n", "status:\n"]),
    ];
    let ours = ours.map(|(key, spelled)| {
        prop::option::weighted(0.7, prop::sample::select(spelled))
            .prop_map(move |entry| entry.map(|it| (Some(key), it)))
    });
    let other = prop::sample::select(vec![
        "# a comment: x\n",
        "\n",
        "tags: [a, b]\n",
        "other:\n  nested:\n    - deep\n",
        "text: |\n  page_id: no\n  ---x\n\n",
        "é: \"…\"\n",
        "Date: 2026-01-01\n",
    ]);
    let others = prop::collection::vec(other.prop_map(|text| (None, text)), 0..4);
    (ours, others).prop_flat_map(|(ours, others)| {
        let mut all: Vec<Piece> = ours.into_iter().flatten().chain(others).collect();
        // Keys of other tools once each.
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|(_, text)| text.starts_with(['#', '\n']) || seen.insert(*text));
        Just(all).prop_shuffle()
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "a",
            "Sales/Q2",
            "no",
            "null",
            "1e9",
            "- x",
            "a: b",
            "x #1",
            "[z]",
            "it's \"q\"",
            "\\",
            "---",
            "日本",
            "é, ü",
            "*a",
            "&b",
            "a\u{2028}b"
        ])
        .prop_map(str::to_owned),
        "[^\\p{C}\\s]([^\\p{C}]{0,12}[^\\p{C}\\s])?",
    ]
}

#[derive(Clone, Debug)]
enum Ask {
    PageId(PageId),
    Title(String),
    Status(Status),
    List(ListKind, Vec<String>),
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        "[A-Za-z0-9_-]{1,12}".prop_map(|text| Ask::PageId(id(&text))),
        name().prop_map(Ask::Title),
        prop::sample::select(vec![Status::Draft, Status::Published]).prop_map(Ask::Status),
        (prop::sample::select(ListKind::ALL.to_vec()), prop::collection::vec(name(), 0..4))
            .prop_map(|(kind, names)| Ask::List(kind, names)),
    ]
}

impl Ask {
    fn setting(&self) -> (&'static str, Setting<'_>) {
        match self {
            Self::PageId(id) => ("page_id", Setting::PageId(id)),
            Self::Title(title) => ("title", Setting::Title(title)),
            Self::Status(status) => ("status", Setting::Status(*status)),
            Self::List(ListKind::Folders, names) => ("folders", Setting::List(ListKind::Folders, names)),
            Self::List(ListKind::Skills, names) => ("skills", Setting::List(ListKind::Skills, names)),
            Self::List(ListKind::Sources, names) => ("sources", Setting::List(ListKind::Sources, names)),
        }
    }
}

/// What a document says, without its digests.
fn says(bytes: &[u8]) -> (Option<PageId>, Option<String>, Status, Named, Option<String>) {
    match parse(bytes, &RULES).reading {
        Reading::Document { page_id, authored, .. } => {
            (page_id, authored.title, authored.status, authored.named, body(bytes, &RULES))
        }
        other => panic!("{other:?}\n{}", String::from_utf8_lossy(bytes)),
    }
}

/// Bodies in every guise that could be mistaken for something else.
fn hub_body() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "# T\n",
        "# T",
        "T\n===\n",
        "# *T*\n",
        "## x\n",
        "text\n",
        "text  \n",
        "\n",
        " \t\n",
        "---\n",
        "...\n",
        "page_id: x\n",
        "```\n",
        "# U\n",
        "- a\n",
        "\u{feff}",
        "é\u{a0}\n",
        "\u{a0}\n",
        "\r",
        "a\r\n",
        "\r\r\n",
        "[a]: b\n",
        "<!-- c -->\n",
        "日本",
        "  ",
        "end",
    ]);
    prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_key_is_set_and_no_other_byte_is_touched(
        pieces in pieces(),
        ask in ask(),
        crlf in any::<bool>(),
        bom in any::<bool>(),
        close in prop::sample::select(vec!["---\n", "--- \n", "...\n"]),
        text in prop::sample::select(vec!["", "text\n", "\n# H\n\n---\ntext"]),
    ) {
        let (key, setting) = ask.setting();
        let as_file = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        let at = pieces.iter().position(|(it, _)| *it == Some(key));
        let (before, entry, after) = match at {
            Some(at) => (&pieces[..at], pieces[at].1, &pieces[at + 1..]),
            None => (&pieces[..], "", &[][..]),
        };
        let join = |pieces: &[Piece]| pieces.iter().map(|(_, text)| *text).collect::<String>();
        let head = as_file(&format!("{}---\n{}", if bom { "\u{feff}" } else { "" }, join(before)));
        let tail = as_file(&format!("{}{close}{text}", join(after)));
        let file = format!("{head}{}{tail}", as_file(entry));
        let was = says(file.as_bytes());

        let result = set(file.as_bytes(), &setting).map_err(|why| TestCaseError::fail(format!("{why} {file:?}")))?;
        prop_assert!(result.starts_with(head.as_bytes()) && result.ends_with(tail.as_bytes()), "{:?}", String::from_utf8_lossy(&result));
        let middle = std::str::from_utf8(&result[head.len()..result.len() - tail.len()]).unwrap();
        prop_assert!(middle.contains(key) && middle.ends_with(&as_file("\n")));
        if at.is_none() {
            prop_assert_eq!(middle.matches('\n').count(), 1);
        }
        if let Some((_, remark)) = entry.trim_end().rsplit_once("# c") {
            prop_assert!(middle.contains("# c") && remark.is_empty() || entry.contains("# c\n-"), "{middle:?}");
        }
        let mut wanted = was;
        match &ask {
            Ask::PageId(id) => wanted.0 = Some(id.clone()),
            Ask::Title(title) => wanted.1 = Some(title.trim().to_owned()),
            Ask::Status(status) => wanted.2 = *status,
            Ask::List(ListKind::Folders, names) => wanted.3.folders = Some(names.clone()),
            Ask::List(ListKind::Skills, names) => wanted.3.skills = Some(names.clone()),
            Ask::List(ListKind::Sources, names) => wanted.3.sources = Some(names.clone()),
        }
        let got = says(&result);
        prop_assert_eq!((got.0, got.1, got.2, got.3), (wanted.0, wanted.1, wanted.2, wanted.3));
        // Again is nothing new.
        prop_assert_eq!(set(&result, &setting).unwrap(), result);
    }

    #[test]
    fn a_text_is_read_as_it_was_written_and_the_front_matter_stays(
        title_line in prop::sample::select(vec!["", "title: T\n", "title:\n"]),
        had in hub_body(),
        new in hub_body(),
        crlf in any::<bool>(),
        bom in any::<bool>(),
    ) {
        let file = format!("{}---\na: 1 # c\n{title_line}page_id: x\n---\n{had}", if bom { "\u{feff}" } else { "" });
        let file = if crlf { file.replace('\n', "\r\n") } else { file };
        let made = set_text(file.as_bytes(), &Text { title: "T", body: &new }, &RULES)
            .map_err(|why| TestCaseError::fail(format!("{why} {new:?}")))?;
        let (_, title, _, _, body) = says(&made.bytes);
        prop_assert_eq!(body.unwrap(), new.replace("\r\n", "\n"));
        prop_assert_eq!(&title, &made.title);
        prop_assert!(title.is_none() || title.as_deref() == Some("T"));
        let fence = if crlf { "---\r\n" } else { "---\n" };
        let head = &file[..file.match_indices(fence).nth(1).unwrap().0];
        prop_assert!(made.bytes.starts_with(head.as_bytes()));
    }

    #[test]
    fn a_new_document_says_what_its_page_says(
        page in "[A-Za-z0-9_-]{1,12}",
        title in prop_oneof![Just("T".to_owned()), name()],
        new in hub_body(),
        folders in prop::collection::vec(name(), 0..3),
        skills in prop::option::of(prop::collection::vec(name(), 0..3)),
        status in prop::sample::select(vec![Status::Draft, Status::Published]),
    ) {
        let mut lists = vec![(ListKind::Folders, folders.clone())];
        lists.extend(skills.clone().map(|names| (ListKind::Skills, names)));
        let page = id(&page);
        let asked = New { page_id: &page, text: Text { title: &title, body: &new }, lists: &lists, status };
        let Made { bytes, title: managed } = edit::document(&asked, &RULES).map_err(|why| TestCaseError::fail(why.to_string()))?;
        let got = says(&bytes);
        prop_assert_eq!(managed.as_deref(), Some(title.trim()));
        let named = Named { folders: Some(folders), skills, sources: None };
        prop_assert_eq!(got, (Some(page), managed, status, named, Some(new.replace("\r\n", "\n"))));
    }
}
