//! Backups as a person finds them in the folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::page::Text;

const AT: Wall = Wall(1_787_480_130_123);

fn backup(title: &str, body: &str, side: Side) -> Backup {
    let text = Text { title: title.to_owned(), body: body.to_owned() };
    Backup { page: PageId::parse("p-1").unwrap(), version: 4, side, text, at: AT }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_backup_lies_where_the_contract_says_and_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let backups = Backups::of_state(&dir.path().join("state.db"));
    let live = backups.write(&backup("Pricing", "# Hello\n", Side::Live)).unwrap();
    let draft = backups.write(&backup("Pricing", "", Side::Draft)).unwrap();
    let folder = dir.path().join("state.db.backups/p-1");
    assert_eq!(live, folder.join("20260823T101530Z-v4.md"));
    assert_eq!(draft, folder.join("20260823T101530Z-v4-draft.md"));
    assert_eq!((mode(&live), mode(&folder), mode(folder.parent().unwrap())), (0o600, 0o700, 0o700));
    let text = fs::read_to_string(&live).unwrap();
    assert_eq!(text, "---\npage_id: \"p-1\"\ntitle: \"Pricing\"\nversion: 4\nside: live\n---\n# Hello\n");
}

#[test]
fn two_texts_of_one_second_are_both_kept_and_the_same_text_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let backups = Backups::of_state(&dir.path().join("state.db"));
    let one = backups.write(&backup("t", "one", Side::Draft)).unwrap();
    let two = backups.write(&backup("t", "two", Side::Draft)).unwrap();
    assert_eq!(backups.write(&backup("t", "two", Side::Draft)).unwrap(), two);
    assert!(two.ends_with("20260823T101530Z-v4-draft-2.md"));
    assert!(fs::read_to_string(&one).unwrap().ends_with("one") && fs::read_to_string(&two).unwrap().ends_with("two"));
    let kept = backups.of_page(&PageId::parse("p-1").unwrap()).unwrap();
    assert_eq!(
        kept.iter().map(|k| (&k.path, k.version, k.side)).collect::<Vec<_>>(),
        [(&two, 4, Side::Draft), (&one, 4, Side::Draft)]
    );
    assert_eq!(backups.of_page(&PageId::parse("nobody").unwrap()).unwrap(), []);
}

#[test]
fn after_ninety_days_only_our_own_files_go() {
    let dir = tempfile::tempdir().unwrap();
    let backups = Backups::of_state(&dir.path().join("state.db"));
    assert_eq!(backups.prune(AT).unwrap(), 0, "without any backup there is nothing to do");
    let old = backups.write(&backup("t", "old", Side::Live)).unwrap();
    let young = backups.write(&Backup { at: AT.plus(86_400_000), ..backup("t", "young", Side::Live) }).unwrap();
    let foreign = ["notes.md", "20260823T101530Z-v4.txt", "20260823T101530Z-v4-mine.md", "20260823-v4.md"];
    for name in foreign {
        fs::write(old.with_file_name(name), "").unwrap();
    }
    assert_eq!(backups.prune(AT.plus(KEPT - 1000)).unwrap(), 0);
    assert_eq!(backups.prune(AT.plus(KEPT + 1000)).unwrap(), 1);
    assert!(!old.exists() && young.exists());
    assert!(foreign.iter().all(|name| old.with_file_name(name).exists()));
    assert_eq!(backups.prune(AT.plus(2 * KEPT)).unwrap(), 1);
}

#[test]
fn a_backup_that_can_not_be_written_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state.db.backups"), "a file in the way").unwrap();
    let backups = Backups::of_state(&dir.path().join("state.db"));
    assert!(backups.write(&backup("t", "b", Side::Live)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_title_is_the_front_matter_is_read_back_and_the_body_is_untouched(
        title in any::<String>(), body in any::<String>(),
    ) {
        let text = content(&backup(&title, &body, Side::Live));
        let (front, rest) = text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
        let found = granit_parser::Parser::new_from_str(front).map(|event| event.unwrap().0);
        let words: Vec<String> = found
            .filter_map(|event| match event {
                granit_parser::Event::Scalar(text, ..) => Some(text.into_owned()),
                _ => None,
            })
            .collect();
        let at = words.iter().position(|word| word == "title").unwrap();
        prop_assert_eq!(&words[at + 1], &title);
        prop_assert_eq!(rest, body);
    }
}
