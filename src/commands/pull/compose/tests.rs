//! The round trip: a page becomes a file, the file is read as any document is, and the table is asked what is to be sent for it.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::document::links::LinkMap;
use crate::document::{self, Reading};
use crate::page::{Authored, DocPath, Lists, Mono, Now, PageId, PageStatus, Stamp, Wall};
use crate::policy::Policy;
use crate::reconcile::decide;
use crate::reconcile::names::{Folder, Skill, Source};
use crate::reconcile::page_record::{PageRecord, Seen};
use crate::reconcile::step::{Local, Remote, RemoteDraft, Step};

fn names() -> Names {
    let folder = |id: &str, name: &str, parent: Option<&str>| Folder {
        id: id.to_owned(),
        name: name.to_owned(),
        parent: parent.map(str::to_owned),
    };
    let skill = |id: &str, name: &str| Skill { id: id.to_owned(), name: name.to_owned(), slug: format!("{id}-slug") };
    Names {
        folders: Some(vec![
            folder("f1", "Sales", None),
            folder("f2", "Q2: pricing", Some("f1")),
            folder("f3", "Sales", Some("f2")),
            folder("f4", "null", None),
            folder("f5", "a\nb", None),
            folder("f6", "Twin", None),
            folder("f7", "Twin", None),
            folder("f8", "f1", None),
        ]),
        skills: Some(vec![skill("s1", "[Objection], handling"), skill("s2", "no"), skill("s3", "日本")]),
        sources: Some(vec![Source { id: "q1".to_owned(), title: "\"Q2\" deck.pdf #1".to_owned(), url: None }]),
        read_at: None,
    }
}

/// Texts with a word for each that could be mistaken on its way.
fn body() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "# T\n",
        "T\n===\n",
        "# *T* {#t}\n",
        "## x\n",
        "text\n",
        "trailing  \n",
        "\t\n",
        "\n",
        "\n\n",
        "---\n",
        "...\n",
        "---\npage_id: other\n---\n",
        "```\n# in code\n",
        "a\r\n",
        "\r\n",
        "lone \r return\n",
        "\u{feff}",
        "é\u{a0}日本\n",
        "- a\n* b\n",
        "[a]: b\n\n",
        "<!-- c -->\n",
        "# Another\n",
        "    code\n",
        "_Kept in git: x.md_\n",
        "no end",
    ]);
    prop_oneof![1 => Just(String::new()), 1 => Just(" \n\t\n".to_owned()), 12 => prop::collection::vec(part, 1..8).prop_map(|parts| parts.concat())]
}

fn title() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("T".to_owned()),
        3 => prop::sample::select(vec![
            "Q2: pricing", "a # b", "- dash", "[x]", "{y}", "'q' \"r\"", "\\", "null", "1e9", "true", "---", "@x", "%y", "&z *w", "> f", "| g", "日本 é",
            "  blanks  ", "tab\there", "2026-01-01", "<b>", "*T*", "# T", "title: x", "🎉",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["two\nlines", "\u{7}bell", "", "  "]).prop_map(str::to_owned),
        1 => "\\PC{1,12}",
    ]
}

fn page() -> impl Strategy<Value = Page> {
    let ids = |all: &'static [&'static str]| {
        prop::sample::subsequence(all.to_vec(), 0..=all.len().min(3))
            .prop_map(|ids| ids.into_iter().map(str::to_owned).collect::<Ids>())
    };
    let lists = (ids(&["f1", "f2", "f3", "f4", "f5", "f6", "f8", "gone"]), ids(&["s1", "s2", "s3"]), ids(&["q1"]));
    (title(), body(), prop::option::weighted(0.3, (title(), body())), any::<bool>(), lists).prop_map(
        |(title, body, draft, published, (folders, skills, sources))| {
            let text = Text { title, body };
            let draft = draft.map(|(title, body)| Text { title, body }).filter(|draft| *draft != text);
            Page {
                id: PageId::parse("p-1").unwrap(),
                status: if published { PageStatus::Published } else { PageStatus::Draft },
                title: text.title.clone(),
                version: published.then_some(3),
                updated_at: Stamp(1_000_001),
                lists: Lists { folders: Some(folders), skills: Some(skills), sources: Some(sources) },
                live: published.then(|| text.clone()),
                draft: match (published, draft) {
                    (true, Some(draft)) => DraftSeen::Some(draft),
                    (true, None) => DraftSeen::None,
                    (false, _) => DraftSeen::Some(text),
                },
            }
        },
    )
}

fn desired(bytes: &[u8], policy: &Policy) -> Result<Desired, String> {
    match document::parse(bytes, &policy.rules).reading {
        Reading::Document { page_id, authored, .. } => {
            assert_eq!(page_id.unwrap().as_str(), "p-1");
            let Authored { source, rules, title, body, bare, status, named } = authored;
            let lists = names::resolve(&named, &names()).map_err(|unresolved| unresolved.reason.message)?;
            Ok(Desired { source, rules, title, body, bare, status, lists })
        }
        other => Err(format!("{other:?}")),
    }
}

/// Asks the table until it is at rest, as an engine does that has just looked. Answers what it would send.
fn asks(desired: &Desired, record: &mut PageRecord, policy: &Policy) -> Result<RemoteDraft, Step> {
    let seen = record.seen.clone().unwrap();
    let now = Now { mono: Mono(1_000), wall: Wall(1_000) };
    for _ in 0..6 {
        let remote = Remote::Is { page: &seen, as_of: Mono(900) };
        match decide(Local::Document(desired), record, remote, policy, now).step {
            Step::Adopt(base) => record.base = Some(*base),
            Step::InStep { draft, .. } => return Ok(draft),
            other => return Err(other),
        }
    }
    panic!("it does not come to rest");
}

/// What is counted, so that no run passes by leaving something out.
fn features(page: &Page, text: &Text, bytes: &[u8]) -> Vec<&'static str> {
    let body = &text.body;
    let has = |yes: bool, what: &'static str| yes.then_some(what);
    let heading =
        ["# T\n", "T\n===", "# *T*"].iter().any(|start| body.trim_start_matches(['\n', '\t', ' ']).starts_with(start));
    let plain = String::from_utf8_lossy(bytes).contains(&format!("title: {}\n", text.title));
    [
        has(body.contains("\r\n"), "CRLF"),
        has(body.contains('\r') && !body.contains("\r\n"), "lone CR"),
        has(body.contains('\u{feff}'), "BOM"),
        has(body.starts_with('\u{feff}'), "BOM first"),
        has(body.contains("---"), "--- in the text"),
        has(body.starts_with("---"), "--- first"),
        has(heading && text.title == "T", "heading equal to the title"),
        has(body.contains("_Kept in git"), "notice"),
        has(body.lines().any(|line| line.ends_with([' ', '\t'])), "trailing blanks"),
        has(!body.ends_with('\n'), "no last line end"),
        has(body.starts_with('\n'), "blank line first"),
        has(!plain, "title in quotes, or not sayable"),
        has(!body.is_ascii(), "not ASCII"),
        has(page.live.is_none(), "never published"),
        has(page.live.is_some() && matches!(page.draft, DraftSeen::Some(_)), "a draft beside"),
        has(page.lists.folders.as_ref().is_some_and(|ids| ids.len() > 1), "folders"),
        has(page.lists.sources.as_ref().is_some_and(|ids| !ids.is_empty()), "sources"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs a property over pages and prints how often each feature came up.
fn over_pages(
    name: &str,
    test: impl Fn(Page, &mut dyn FnMut(&'static str)) -> Result<(), TestCaseError>,
    wanted: &[&str],
) {
    let counts: RefCell<BTreeMap<&'static str, u32>> = RefCell::default();
    let mut runner = TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
    let result = runner.run(&page(), |page| test(page, &mut |what| *counts.borrow_mut().entry(what).or_default() += 1));
    if let Err(error) = result {
        panic!("{name}: {error}");
    }
    let counts = counts.into_inner();
    let lines: Vec<String> = counts.iter().map(|(what, n)| format!("  {n:>5} {what}\n")).collect();
    println!("{name}, of 1500 pages:\n{}", lines.concat());
    for what in wanted {
        assert!(counts.contains_key(what), "{what} never came up");
    }
}

const FEATURES: [&str; 17] = [
    "CRLF",
    "lone CR",
    "BOM",
    "BOM first",
    "--- in the text",
    "--- first",
    "heading equal to the title",
    "notice",
    "trailing blanks",
    "no last line end",
    "blank line first",
    "title in quotes, or not sayable",
    "not ASCII",
    "never published",
    "a draft beside",
    "folders",
    "sources",
];

#[test]
fn a_page_that_became_a_file_is_what_its_page_is_and_nothing_is_sent() {
    let (policy, path, map) = (Policy::default(), DocPath::new("a.md").unwrap(), LinkMap::default());
    let around = Around { path: &path, map: &map };
    let trip = |page: Page, count: &mut dyn FnMut(&'static str)| {
        let made = match anew(&page, &names(), &policy.rules, around) {
            Ok(made) => made,
            Err(Not::NoText) => {
                count("(empty body)");
                let text = page.live.clone().or(match &page.draft {
                    DraftSeen::Some(draft) => Some(draft.clone()),
                    _ => None,
                });
                prop_assert!(text.unwrap().body.trim().is_empty());
                return Ok(());
            }
            Err(Not::Unfit(why)) => return Err(TestCaseError::fail(why)),
        };
        let text = text(&page, status(&page)).unwrap();
        features(&page, text, &made).into_iter().for_each(&mut *count);
        let desired = desired(&made, &policy).map_err(TestCaseError::fail)?;
        // What is read is the page: its text but for CRLF, its title where front matter can say it, its lists.
        let body = document::body(&made, &policy.rules).unwrap();
        prop_assert_eq!(body, text.body.replace("\r\n", "\n"));
        let sayable = !text.title.trim().is_empty() && !text.title.contains(['\n', '\u{7}']);
        prop_assert_eq!(desired.title.as_deref(), sayable.then(|| text.title.trim()));
        for kind in ListKind::ALL {
            let theirs = page.lists.get(kind).filter(|ids| !ids.is_empty() && !ids.contains("gone"));
            if let Some(theirs) = theirs {
                prop_assert_eq!(desired.lists.get(kind), Some(theirs));
            }
        }
        let mut record = PageRecord { seen: Some(Seen::of(&page)), ..PageRecord::default() };
        let beside = page.live.is_some() && matches!(page.draft, DraftSeen::Some(_));
        match asks(&desired, &mut record, &policy) {
            Ok(draft) => prop_assert_eq!(draft, if beside { RemoteDraft::There } else { RemoteDraft::None }),
            Err(step) => return Err(TestCaseError::fail(format!("{step:?}"))),
        }
        Ok(())
    };
    over_pages("new files", trip, &[&FEATURES[..], &["(empty body)"]].concat());
}

/// A document as its author keeps it, and a page that a colleague edited since.
#[test]
fn a_document_that_took_up_its_page_is_what_its_page_is_and_nothing_is_sent() {
    let (policy, path, map) = (Policy::default(), DocPath::new("a.md").unwrap(), LinkMap::default());
    let around = Around { path: &path, map: &map };
    let trip = |page: Page, count: &mut dyn FnMut(&'static str)| {
        for (n, old) in [
            "---\npage_id: p-1\ntitle: Old  # mine\nstatus: STATUS\ntags: [x]\n---\n\nOld text.\n",
            "\u{feff}---\r\npage_id: p-1\r\nstatus: STATUS\r\nfolders:\r\n  - Sales\r\n---\r\n# Old\r\n\r\nOld text.\r\n",
            "---\npage_id: p-1\nstatus: STATUS\n---\nOld text.\n",
        ]
        .iter()
        .enumerate()
        {
            let status = status(&page);
            let word = if status == Status::Published { "published" } else { "draft" };
            let old = old.replace("STATUS", word);
            let before = desired(old.as_bytes(), &policy).map_err(TestCaseError::fail)?;
            let mut theirs = page.clone();
            let (title, ours) = (before.title.clone().unwrap_or_else(|| "Old".to_owned()), Ids::from(["f1".to_owned()]));
            let text = Text { title: title.clone(), body: document::body(old.as_bytes(), &policy.rules).unwrap() };
            theirs.live = page.live.as_ref().map(|_| text.clone());
            theirs.draft = if page.live.is_some() { DraftSeen::None } else { DraftSeen::Some(text) };
            theirs.lists.folders = Some(ours);
            let mut record = PageRecord { seen: Some(Seen::of(&theirs)), ..PageRecord::default() };
            asks(&before, &mut record, &policy).map_err(|step| TestCaseError::fail(format!("{step:?}")))?;

            record.seen = Some(Seen::of(&page));
            let new = match changed(old.as_bytes(), &before, &page, &names(), &policy.rules, around) {
                Ok(new) => new,
                Err(Not::NoText) => return Ok(()),
                // A title that no front matter can say, in a document that says one.
                Err(Not::Unfit(_)) => {
                    let text = super::text(&page, status).unwrap();
                    let unsayable = page.lists.folders.as_ref().is_some_and(|ids| ids.contains("gone"))
                        || text.title.trim().is_empty()
                        || text.title.contains(['\n', '\u{7}']);
                    prop_assert!(unsayable);
                    count("(title not sayable)");
                    continue;
                }
            };
            let text = super::text(&page, status).unwrap();
            features(&page, text, &new).into_iter().for_each(&mut *count);
            if n == 1 {
                let as_it_was = new.starts_with("\u{feff}---\r\n".as_bytes());
                prop_assert!(as_it_was);
                let ends = new.windows(2).filter(|pair| pair[1] == b'\n' && pair[0] != b'\r').count();
                prop_assert_eq!(ends, 0, "{:?}", String::from_utf8_lossy(&new));
            }
            let after = desired(&new, &policy).map_err(TestCaseError::fail)?;
            asks(&after, &mut record, &policy)
                .map_err(|step| TestCaseError::fail(format!("{:?}: {step:?}", String::from_utf8_lossy(&new))))?;
        }
        Ok(())
    };
    over_pages("changed documents", trip, &[&FEATURES[..], &["(title not sayable)"]].concat());
}
