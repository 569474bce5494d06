//! Links as their authors write them, and any text at all: only destinations change.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd};

use super::*;
use crate::document::heading::markdown;
use crate::policy::{AssetUrl, PageUrl};

mod back;
mod specs;

fn rules() -> LinkRules {
    LinkRules {
        page_url: PageUrl::parse("https://kb/{page_id}").ok(),
        asset_url: AssetUrl::parse("https://files/{path}").ok(),
    }
}

fn map(files: &[(&str, &str)]) -> LinkMap {
    let mut map = LinkMap::default();
    for (path, page) in files {
        let holds = match PageId::parse(page) {
            Ok(page) => Holds::Page(page),
            Err(_) if path.ends_with("md") => Holds::NoPage,
            Err(_) => Holds::Other,
        };
        map.put(&DocPath::new(path).unwrap(), holds).unwrap();
    }
    map
}

fn handbook() -> LinkMap {
    map(&[
        ("sales/pricing.md", "P"),
        ("sales/a b.md", "AB"),
        ("sales/a(b).md", "APB"),
        ("team/Hiring.md", "H"),
        ("top.md", "T"),
        ("x/twin.md", "X"),
        ("y/twin.md", "Y"),
        ("plain.md", ""),
        ("img/Plan 1.png", ""),
        ("decks/q2.pdf", ""),
    ])
}

fn followed(body: &str, rules: &LinkRules) -> Followed {
    let path = DocPath::new("sales/here.md").unwrap();
    follow(body.to_owned(), rules, Around { path: &path, map: &handbook() })
}

fn sent(body: &str) -> String {
    followed(body, &rules()).body
}

#[test]
fn links_to_documents_become_links_to_their_pages() {
    for (body, becomes) in [
        ("[x](pricing.md)", "[x](https://kb/P)"),
        ("[x](./pricing.md \"a title\")", "[x](https://kb/P \"a title\")"),
        ("[x]( pricing.md 'a (title)' )", "[x]( https://kb/P 'a (title)' )"),
        ("[x](pricing.md#how-to)", "[x](https://kb/P#how-to)"),
        ("[x](pricing.md?plain=1&a=b#c)", "[x](https://kb/P?plain=1&a=b#c)"),
        ("[x](<a b.md>)", "[x](<https://kb/AB>)"),
        ("[x](<a b.md#c d> (t))", "[x](<https://kb/AB#c d> (t))"),
        ("[x](a%20b.md)", "[x](https://kb/AB)"),
        ("[x](a(b).md) (y)", "[x](https://kb/APB) (y)"),
        ("[x](a\\(b\\).md#a\\_b)", "[x](https://kb/APB#a_b)"),
        ("[x](a&#32;b.md&#35;c&amp;d)", "[x](https://kb/AB#c&d)"),
        ("[x](pricing.md?x=1&amp;copy;=2)", "[x](https://kb/P?x=1&amp;copy;=2)"),
        (
            "[x](../top.md), [y](/top.md) and [x](../top.md)",
            "[x](https://kb/T), [y](https://kb/T) and [x](https://kb/T)",
        ),
        ("[*a* `](b)` ![i](https://x/y.png)](pricing.md)", "[*a* `](b)` ![i](https://x/y.png)](https://kb/P)"),
        ("[](pricing.md)", "[](https://kb/P)"),
        ("[a\\]](pricing.md)", "[a\\]](https://kb/P)"),
        ("> [a\n> b](\n> pricing.md)", "> [a\n> b](\n> https://kb/P)"),
        ("[r][1] [1] [1][]\n\n[1]: pricing.md#x 'T'\n", "[r][1] [1] [1][]\n\n[1]: https://kb/P#x 'T'\n"),
        ("> [a\\]b]:\n>   <a b.md>\n\n[a\\]b]", "> [a\\]b]:\n>   <https://kb/AB>\n\n[a\\]b]"),
        ("| a | b |\n|---|---|\n| [x](pricing.md) | y |", "| a | b |\n|---|---|\n| [x](https://kb/P) | y |"),
        ("- [ ] [x](pricing.md)\n  1. [y](../top.md)", "- [ ] [x](https://kb/P)\n  1. [y](https://kb/T)"),
        ("# [x](pricing.md)\n", "# [x](https://kb/P)\n"),
        ("costs $5 [x](pricing.md) or $6", "costs $5 [x](https://kb/P) or $6"),
        ("[x](pricing.md)\r\n", "[x](https://kb/P)\r\n"),
    ] {
        assert_eq!(sent(body), becomes, "{body}");
    }
}

#[test]
fn other_files_become_absolute() {
    for (body, becomes) in [
        ("![a](img/a%20b.png \"t\")", "![a](https://files/sales/img/a%20b.png \"t\")"),
        ("![a](<../img/a b.png>)", "![a](<https://files/img/a%20b.png>)"),
        ("[deck](/decks/q2.pdf#page=3)", "[deck](https://files/decks/q2.pdf#page=3)"),
        ("[![a](a.png)](pricing.md)", "[![a](https://files/sales/a.png)](https://kb/P)"),
        ("![a][i]\n\n[i]: a.png", "![a][i]\n\n[i]: https://files/sales/a.png"),
        (
            "![[plan 1.png]] ![[Plan 1.png|100]]",
            "![plan 1.png](https://files/img/Plan%201.png) ![100](https://files/img/Plan%201.png)",
        ),
        ("[[decks/q2.pdf#page=3|the deck]]", "[the deck](https://files/decks/q2.pdf#page=3)"),
        ("| a |\n|-|\n| ![[plan 1.png\\|80]] |", "| a |\n|-|\n| ![80](https://files/img/Plan%201.png) |"),
    ] {
        assert_eq!(sent(body), becomes, "{body}");
    }
}

#[test]
fn wiki_links_to_documents_become_ordinary_links() {
    for (body, becomes) in [
        ("[[Hiring]]", "[Hiring](https://kb/H)"),
        ("[[hiring.md]]", "[hiring.md](https://kb/H)"),
        ("[[team/Hiring#First call|the *call*]]", "[the *call*](https://kb/H#First%20call)"),
        ("[[Hiring#A]]s", "[Hiring\u{23}A](https://kb/H#A)s"),
        ("![[Hiring]]", "[Hiring](https://kb/H)"),
        ("| a |\n|---|\n| [[Hiring\\|h]] |", "| a |\n|---|\n| [h](https://kb/H) |"),
        ("[[../top]] [[/team/hiring]]", "[../top](https://kb/T) [/team/hiring](https://kb/H)"),
        ("[[a_b]] [[sales/a b]]", "[[a_b]] [sales/a b](https://kb/AB)"),
        ("[[Hiring]][[top]]", "[Hiring](https://kb/H)[top](https://kb/T)"),
        ("[[Hiring|]] [[top]]", "[[Hiring|]] [top](https://kb/T)"),
    ] {
        assert_eq!(sent(body), becomes, "{body}");
    }
}

#[test]
fn all_else_stays_as_it_is() {
    for body in [
        "[x](missing.md) [y](../../out.md) [z](/plain.md) [s](#here) [f](../team/) [u](..)",
        "<https://x/pricing.md> <a@b.md> https://x/pricing.md [x](https://y/pricing.md) [x](//y/pricing.md)",
        "[x](mailto:a@b.md) [x]() [x](<>) [x](pricing%2Fx.md) [x](a%FF.md)",
        "`[x](pricing.md)` and ``[[Hiring]]``\n\n```md\n[x](pricing.md)\n```\n\n    [x](pricing.md)\n",
        "<a href=\"pricing.md\">x</a> <img src=\"a.png\">\n\n<div>\n[x](pricing.md)\n</div>\n\n<!-- [x](pricing.md) -->",
        "$[x](pricing.md)$ and $$\n[[Hiring]]\n$$",
        "\\[x](pricing.md) [x]\\(pricing.md) [x] (pricing.md) [x](pricing.md \"open)",
        "[[Missing]] [[twin]] [[Hi\nring]] [[ ]] [[#here]] ![[a.png|100]] [[../../../x]] [[Hiring|a]b]]",
        "\\[[Hiring]] \\[\\[Hiring]]",
        "[1]: missing.md\n",
    ] {
        assert_eq!(sent(body), body);
    }
}

#[test]
fn with_both_settings_off_nothing_is_another() {
    let body = "[x](pricing.md) ![a](a.png) [[Hiring]]";
    let off = followed(body, &LinkRules::OFF);
    assert_eq!((off.body.as_str(), off.targets.is_empty()), (body, true));
    let pages = LinkRules { asset_url: None, ..rules() };
    assert_eq!(followed(body, &pages).body, "[x](https://kb/P) ![a](a.png) [Hiring](https://kb/H)");
    let assets = followed(body, &LinkRules { page_url: None, ..rules() });
    assert_eq!(assets.body, "[x](pricing.md) ![a](https://files/sales/a.png) [[Hiring]]");
    let assets = followed("[x](pricing.md) ![a](a.png)", &LinkRules { page_url: None, ..rules() });
    assert!(assets.targets.is_empty(), "what depends on no other file is not remembered");
}

#[test]
fn a_page_url_with_a_query_takes_another() {
    let rules = LinkRules { page_url: PageUrl::parse("https://kb/?id={page_id}").ok(), asset_url: None };
    assert_eq!(followed("[x](pricing.md?a=b#c)", &rules).body, "[x](https://kb/?id=P&a=b#c)");
}

#[test]
fn what_was_pointed_to_is_remembered() {
    let targets = followed("[x](pricing.md) [y](missing.md) [[Hiring]] [z](https://x/y.md)", &rules()).targets;
    let told: Vec<String> = targets.iter().map(|(target, answer)| format!("{target:?} {answer:?}")).collect();
    assert_eq!(
        told,
        [
            "Path(\"sales/missing.md\") None",
            "Path(\"sales/pricing.md\") Some(Page(PageId(\"P\")))",
            "Name(\"hiring\") Some(Page(PageId(\"H\")))"
        ]
    );
    let json = serde_json::to_string(&targets).unwrap();
    assert_eq!(serde_json::from_str::<Targets>(&json).unwrap(), targets);
    assert_eq!(targets.names().into_iter().collect::<Vec<_>>(), ["hiring", "missing", "pricing"]);
}

#[test]
fn a_million_brackets_take_no_time_to_speak_of() {
    for piece in ["[", "![", "[[", "[x](", "[a](b.md)", "[[a|", "](", "$[", "[a]: b.md\n"] {
        let body = piece.repeat(200_000 / piece.len());
        let _ = sent(&body);
    }
}

/// A text as it is read: without destinations, and with wiki links as ordinary ones; and the destinations.
fn read(text: &str) -> (Vec<Event<'_>>, Vec<(LinkType, String)>) {
    let (mut events, mut destinations) = (Vec::new(), Vec::new());
    // Whether the links that are open began as images; an embedded document becomes a link.
    let mut wiki = Vec::new();
    for (event, _) in markdown(text) {
        let event = match event {
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                destinations.push((link_type, dest_url.into_string()));
                Event::Start(Tag::Link { link_type: plain(link_type), dest_url: CowStr::from(""), title, id })
            }
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                let is_wiki = matches!(link_type, LinkType::WikiLink { .. });
                destinations.push((link_type, dest_url.into_string()));
                wiki.push(is_wiki);
                let (link_type, dest_url) = (plain(link_type), CowStr::from(""));
                Event::Start(if is_wiki {
                    Tag::Link { link_type, dest_url, title, id }
                } else {
                    Tag::Image { link_type, dest_url, title, id }
                })
            }
            Event::End(TagEnd::Image) if wiki.pop() == Some(true) => Event::End(TagEnd::Link),
            event => event,
        };
        match (events.last_mut(), event) {
            (Some(Event::Text(before)), Event::Text(more)) => *before = CowStr::from(format!("{before}{more}")),
            (_, event) => events.push(event),
        }
    }
    (events, destinations)
}

fn plain(link_type: LinkType) -> LinkType {
    if matches!(link_type, LinkType::WikiLink { .. }) { LinkType::Inline } else { link_type }
}

/// Everything that a text points to has a page: what is rewritten differs in its destinations alone. Answers how many
/// destinations were rewritten.
fn only_destinations_differ(body: &str) -> usize {
    let path = DocPath::new("a/b/here.md").unwrap();
    let nothing = LinkMap::default();
    let pages = LinkRules { asset_url: None, ..rules() };
    assert_eq!(follow(body.to_owned(), &LinkRules::OFF, Around { path: &path, map: &nothing }).body, body);
    let none = follow(body.to_owned(), &pages, Around { path: &path, map: &nothing });
    assert_eq!(none.body, body, "nothing has a page");
    let mut map = LinkMap::default();
    for (target, _) in none.targets.iter() {
        let file = match target {
            Target::Path(path) => path.clone(),
            Target::Note(note) | Target::Name(note) => format!("{note}.md"),
        };
        if let Some(file) = DocPath::new(&file) {
            map.put(&file, Holds::Page(PageId::parse("PAGE").unwrap()));
        }
    }
    let whole = follow(body.to_owned(), &rules(), Around { path: &path, map: &map }).body;
    let (was, old) = read(body);
    let (is, new) = read(&whole);
    assert_eq!(was, is, "{body:?} became {whole:?}");
    let changed = old.iter().zip(&new).filter(|((_, old), (_, new))| old != new);
    changed
        .inspect(|(old, new)| {
            assert!(
                new.1.starts_with("https://kb/PAGE") || new.1.starts_with("https://files/"),
                "{old:?} became {new:?}"
            );
        })
        .count()
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[",
        "]",
        "(",
        ")",
        "](",
        "[[",
        "]]",
        "![",
        "![[",
        "|",
        "\\|",
        "`",
        "``",
        "$",
        "$$",
        "*",
        "_",
        "\\",
        "<",
        ">",
        "<a b.md>",
        "a.md",
        "b/c.md",
        "../x.md",
        "c.png",
        "#frag",
        "?q=1",
        " \"t\"",
        "\n",
        "\n\n",
        "\n> ",
        "> ",
        "- ",
        "    ",
        "| a | b |\n|---|---|\n| ",
        "[a](b.md)",
        "![i](c.png)",
        "[[note]]",
        "[[note|text]]",
        "[r]",
        "[r][s]",
        "\n\n[r]: d.md\n",
        "\n\n[s]: <e f.md> 't'\n",
        "&amp;",
        "&#35;",
        "\\(",
        "\\]",
        "é",
        " ",
        "text",
        "!",
        "https://x/y",
        "~~",
        "<b>",
        "</b>",
        "<!--",
        "-->",
        "\n```\n",
        "\r\n",
        ":",
        "]: ",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_link_that_cannot_be_rewritten_keeps_no_other_back() {
    for (odd, becomes) in [
        ("[[Hiring| x]]", "[ x](https://kb/H)"),
        ("[[Hiring ]]", "[Hiring ](https://kb/H)"),
        ("[[ Hiring]]", "[ Hiring](https://kb/H)"),
        ("[[Hiring|a]b]]", "[[Hiring|a]b]]"),
        ("[[Hiring|[]]", "[[Hiring|[]]"),
        ("[[Hiring|\\*x]]", "[[Hiring|\\*x]]"),
        ("![alt [[Hiring]]](i.png)", "![alt [[Hiring]]](i.png)"),
    ] {
        let body = format!("[[Hiring]] and [x](pricing.md).\n\n{odd}\n\n[[Hiring|last]]");
        let wanted = format!("[Hiring](https://kb/H) and [x](https://kb/P).\n\n{becomes}\n\n[last](https://kb/H)");
        assert_eq!(sent(&body), wanted);
    }
}

#[test]
fn brackets_in_the_text_of_an_ordinary_link_are_its_text() {
    for body in
        ["[[1]](https://example.com)", "[[Hiring]](https://example.com)", "[a [[Hiring]] b][r]\n\n[r]: https://x/y"]
    {
        assert_eq!(sent(body), body);
        assert!(followed(body, &rules()).targets.is_empty(), "{body}");
    }
    assert_eq!(sent("[[Hiring]] (https://example.com)"), "[Hiring](https://kb/H) (https://example.com)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn of_any_text_only_destinations_change(body in pieces()) {
        only_destinations_differ(&body);
    }

    #[test]
    fn rewriting_ends(body in pieces()) {
        let once = sent(&body);
        prop_assert_eq!(sent(&once), once, "addresses of the hub are elsewhere");
    }
}
