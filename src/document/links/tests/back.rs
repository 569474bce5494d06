//! Texts that come back: what nobody touched is the author's, byte for byte, and all of it publishes what came.

use super::*;
use crate::document::links::back::back;

fn office() -> LinkMap {
    let mut map = handbook();
    let named = [("sales/here.md", "ME"), ("über uns/a#b (c).md", "UE")];
    // What the pieces of any text point to.
    let pieces = [
        ("sales/a.md", "A"),
        ("sales/b.md", "B"),
        ("sales/b/c.md", "C"),
        ("x.md", "X1"),
        ("note.md", "N"),
        ("sales/e f.md", "E"),
    ];
    for (path, page) in named.into_iter().chain(pieces) {
        map.put(&DocPath::new(path).unwrap(), Holds::Page(PageId::parse(page).unwrap())).unwrap();
    }
    map
}

fn published(body: &str, rules: &LinkRules) -> String {
    let path = DocPath::new("sales/here.md").unwrap();
    follow(body.to_owned(), rules, Around { path: &path, map: &office() }).body
}

fn returned(came: &str, own: Option<&str>, rules: &LinkRules) -> String {
    let path = DocPath::new("sales/here.md").unwrap();
    let said = back(came, own, rules, Around { path: &path, map: &office() });
    assert_eq!(published(&said, rules), published(came, rules), "{came:?} became {said:?}");
    said
}

#[test]
fn what_a_colleague_points_to_is_a_path() {
    for (came, becomes) in [
        ("[x](https://kb/P)", "[x](pricing.md)"),
        ("[x](https://kb/P?a=1&b=2#how-to \"t\")", "[x](pricing.md?a=1&b=2#how-to \"t\")"),
        ("[x]( <https://kb/AB#c d> 't')", "[x]( <a%20b.md#c d> 't')"),
        ("[x](https://kb/APB) (y)", "[x](a%28b%29.md) (y)"),
        ("[x](https://kb/T) [y](https://kb/H)", "[x](../top.md) [y](../team/Hiring.md)"),
        ("[x](https://kb/UE#%C3%BC)", "[x](../%C3%BCber%20uns/a%23b%20%28c%29.md#%C3%BC)"),
        ("[me](https://kb/ME#here)", "[me](here.md#here)"),
        ("> [r]\n\n[r]:\n  <https://kb/P> 'T'\n", "> [r]\n\n[r]:\n  <pricing.md> 'T'\n"),
        ("[![a](https://files/img/Plan%201.png)](https://kb/P)", "[![a](../img/Plan%201.png)](pricing.md)"),
        ("| a |\n|-|\n| [x](https://kb/P) |\r\n", "| a |\n|-|\n| [x](pricing.md) |\r\n"),
        ("[deck](https://files/decks/q2.pdf#page=3)", "[deck](../decks/q2.pdf#page=3)"),
    ] {
        assert_eq!(returned(came, None, &rules()), becomes, "{came}");
    }
}

#[test]
fn what_no_file_is_published_as_stays() {
    for came in [
        "[x](https://kb/NOBODY) [x](https://kb/P/more) [x](https://kb/) [x](https://kb/Pricing) [x](http://kb/P)",
        "<https://kb/P> https://kb/P `[x](https://kb/P)` <a href=\"https://kb/P\">x</a> $[x](https://kb/P)$",
        "    [x](https://kb/P)\n\n```\n[x](https://kb/P)\n```\n",
        "![x](https://files/img/none.png) [x](https://files/plain.md) ![x](https://files/img/Plan 1.png)",
        "[x](https://kb/P&a) \\[x](https://kb/P)",
    ] {
        assert_eq!(returned(came, None, &rules()), came);
    }
    assert_eq!(returned("[x](https://kb/P)", None, &LinkRules::OFF), "[x](https://kb/P)");
    let assets = LinkRules { page_url: None, ..rules() };
    let came = "[x](https://kb/P) ![p](https://files/img/Plan%201.png)";
    assert_eq!(returned(came, None, &assets), "[x](https://kb/P) ![p](../img/Plan%201.png)");
    let query = LinkRules { page_url: PageUrl::parse("https://kb/?id={page_id}&v=1").ok(), asset_url: None };
    let came = "[x](https://kb/?id=P&v=1&a=b#c) [y](https://kb/?id=P&v=1#c) [z](https://kb/?id=P&v=2)";
    assert_eq!(returned(came, None, &query), "[x](pricing.md?a=b#c) [y](pricing.md#c) [z](https://kb/?id=P&v=2)");
}

#[test]
fn how_the_author_writes_a_link_goes_before_a_path() {
    let own = "See [[Hiring]] and ![[plan 1.png|the plan]].\n\n[a](<a b.md>) [b](a\\(b\\).md) [c](./pricing.md)\n";
    let again = |came: &str| returned(came, Some(own), &rules());
    assert_eq!(again(&published(own, &rules())), own);
    for (came, becomes) in [
        ("Do see [Hiring](https://kb/H)!", "Do see [[Hiring]]!"),
        (
            "[Hiring](https://kb/H#top) [hiring](https://kb/H)",
            "[Hiring](../team/Hiring.md#top) [hiring](../team/Hiring.md)",
        ),
        ("![the plan](https://files/img/Plan%201.png)", "![[plan 1.png|the plan]]"),
        ("![a plan](https://files/img/Plan%201.png)", "![a plan](../img/Plan%201.png)"),
        ("[z](https://kb/P) [z](<https://kb/P>)", "[z](./pricing.md) [z](<pricing.md>)"),
        ("[z](<https://kb/AB>) [z](https://kb/AB)", "[z](<a b.md>) [z](a%20b.md)"),
        ("[z](https://kb/APB)", "[z](a\\(b\\).md)"),
    ] {
        assert_eq!(again(came), becomes, "{came}");
    }
    // One address that is written in several ways: each in its place, wherever that is by now.
    let own =
        "One [a](pricing.md), two [a](./pricing.md).\n\n[Hiring](../team/Hiring.md)\n\n[[Hiring]] [x](https://kb/P)\n";
    let came = format!("New [a](https://kb/P).\n\n{}\nMore.\n", published(own, &rules()));
    assert_eq!(returned(&came, Some(own), &rules()), format!("New [a](pricing.md).\n\n{own}\nMore.\n"));
    let came = published(own, &rules()).replace('\n', "\r\n") + "More.\r\n";
    assert_eq!(returned(&came, Some(own), &rules()), own.replace('\n', "\r\n") + "More.\r\n");
    // A hub has its own way with bullets.
    let own = "* [a](pricing.md)\n* [a](./pricing.md)\n* [Hiring](../team/Hiring.md)\n* [[Hiring]]\n";
    let came = published(own, &rules()).replace('*', "-");
    assert_eq!(returned(&came, Some(own), &rules()), own.replace('*', "-"));
    let own =
        "One [a](pricing.md), two [a](./pricing.md).\n\n[Hiring](../team/Hiring.md)\n\n[[Hiring]] [x](https://kb/P)\n";
    let moved: Vec<&str> = own.split("\n\n").collect();
    let moved = format!("{}\n{}\n\n{}\n", moved[2], moved[1], moved[0]);
    assert_eq!(returned(&published(&moved, &rules()), Some(own), &rules()), moved);
}

#[test]
fn what_a_passage_can_hold_and_a_table_can_not_comes_back_as_a_path() {
    let mut map = office();
    map.put(&DocPath::new("sales/a|b.md").unwrap(), Holds::Page(PageId::parse("AB2").unwrap())).unwrap();
    let path = DocPath::new("sales/here.md").unwrap();
    let table = |cell: &str| format!("\n\n| a |\n|-|\n| {cell} |\n");
    for (own, published, cell, becomes) in [
        ("[x](a|b.md)", "[x](https://kb/AB2)", "[y](https://kb/AB2)", "[y](a%7Cb.md)"),
        ("[[Hiring|him]]", "[him](https://kb/H)", "[him](https://kb/H)", "[him](../team/Hiring.md)"),
    ] {
        let came = format!("{published}{}", table(cell));
        let said = back(&came, Some(own), &rules(), Around { path: &path, map: &map });
        assert_eq!(said, format!("{own}{}", table(becomes)));
    }
}

#[test]
fn a_long_text_that_comes_back_takes_no_time_to_speak_of() {
    for piece in ["[x](https://kb/P) ", "[x](https://kb/P)\n", "![", "[x](https://kb/P&", "[Hiring](https://kb/H)\n\n"]
    {
        let came = piece.repeat(200_000 / piece.len());
        let own = "[[Hiring]] [x](./pricing.md)\n".repeat(8_000);
        let _ = returned(&came, Some(&own), &rules());
    }
    let nested = format!("{}x{}", "![".repeat(20_000), "](https://kb/P)".repeat(20_000));
    let _ = returned(&nested, Some("[[Hiring]] [x](./pricing.md)\n"), &rules());
}

/// A passage of a document: with a word that no other has, and links as people write them.
fn passage() -> impl Strategy<Value = String> {
    let link = prop::sample::select(vec![
        "[x](pricing.md)",
        "[x](./pricing.md \"t\")",
        "[x](pricing.md#how-to)",
        "[x](../sales/pricing.md)",
        "[[Hiring]]",
        "[[hiring|Hiring]]",
        "[[team/Hiring#First call|the *call*]]",
        "[Hiring](../team/Hiring.md)",
        "![[Hiring]]",
        "![[plan 1.png]]",
        "![plan 1.png](<../img/Plan 1.png>)",
        "![a](../img/Plan%201.png 'T')",
        "[x](<a b.md>)",
        "[x](a%20b.md)",
        "[x](a(b).md)",
        "[x](a\\(b\\).md)",
        "[x](../%C3%BCber%20uns/a%23b%20%28c%29.md)",
        "[me](here.md#x)",
        "[r]",
        "[[Missing]] [x](missing.md)",
        "`[x](pricing.md)` <https://kb/P>",
        "[x](https://kb/P)",
        "[![i](../img/Plan%201.png)](/top.md)",
        "word",
    ]);
    prop::collection::vec(link, 0..4).prop_map(|links| links.join(" "))
}

fn document(passages: &[String]) -> String {
    let numbered = passages.iter().enumerate().map(|(n, passage)| format!("Passage {n}: {passage}\n\n"));
    numbered.collect::<String>() + "[r]: <a b.md#r> 'T'\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_published_comes_back_as_it_was_and_an_edit_changes_its_own_passage_alone(
        passages in prop::collection::vec(passage(), 1..8),
        edits in prop::collection::vec((any::<prop::sample::Index>(), passage(), prop::bool::ANY), 1..3),
    ) {
        let own = document(&passages);
        let rules = rules();
        prop_assert_eq!(returned(&published(&own, &rules), Some(&own), &rules), own.clone());
        let mut theirs: Vec<String> = own.split_inclusive("\n\n").map(|part| published(part, &rules)).collect();
        let mut touched = Vec::new();
        for (at, text, stays) in edits {
            let at = at.index(passages.len());
            let text = published(&format!("Theirs: {text}\n\n"), &rules);
            // A whole passage of theirs, or words at the end of the author's.
            theirs[at] = if stays { theirs[at].replace("\n\n", " and more.\n\n") } else { text };
            touched.push(at);
        }
        let came = theirs.concat();
        prop_assume!(published(&came, &rules) == came);
        let said = returned(&came, Some(&own), &rules);
        prop_assert_eq!(&published(&said, &rules), &came);
        for (n, (ours, said)) in own.split_inclusive("\n\n").zip(said.split_inclusive("\n\n")).enumerate() {
            prop_assert!(touched.contains(&n) || ours == said, "{:?} became {:?}", ours, said);
        }
        let left = touched.iter().all(|n| !said.split_inclusive("\n\n").nth(*n).unwrap_or_default().contains("](https://kb/H"));
        prop_assert!(left, "no address of a known page is left: {}", said);
    }

    #[test]
    fn any_text_publishes_what_came(came in pieces(), own in pieces()) {
        let rules = rules();
        for mixed in [published(&own, &rules) + &came, came.clone() + &published(&own, &rules)] {
            let _ = returned(&mixed, Some(&own), &rules);
            let _ = returned(&published(&mixed, &rules), Some(&own), &rules);
        }
        prop_assert_eq!(returned(&published(&own, &rules), Some(&own), &rules), own.clone());
        let _ = returned(&published(&came, &rules), Some(&own), &rules);
        let _ = returned(&came, Some(&own), &rules);
    }
}
