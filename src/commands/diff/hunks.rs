//! Two texts, line by line and word by word. Pure but for a deadline: texts of any size are answered in seconds, then coarser.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use crate::output::{Lines, Paint, Tone};

/// Lines shown around what differs.
const CONTEXT: usize = 3;
/// How long may be looked for the shortest way from one text to the other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where two texts differ; nothing where they don't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunks(Vec<Hunk>);

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    /// `@@ -1,3 +1,4 @@`.
    place: String,
    lines: Vec<Line>,
}

/// One line in pieces: each with whether it is what differs within the line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    side: Side,
    pieces: Vec<(Within, String)>,
    /// Whether the text ends here without an end of line.
    unended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Both,
    Page,
    Document,
}

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// The other side has it as well.
    Same,
    /// It has not.
    Other,
}

impl Hunks {
    /// What leads from the page's text to the document's.
    pub fn between(page: &str, document: &str) -> Self {
        let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(page, document);
        let groups = difference.grouped_ops(CONTEXT);
        let hunk = |group: &Vec<similar::DiffOp>| {
            let lines = group.iter().flat_map(|op| difference.iter_inline_changes(op)).map(|change| {
                let side = match change.tag() {
                    ChangeTag::Equal => Side::Both,
                    ChangeTag::Delete => Side::Page,
                    ChangeTag::Insert => Side::Document,
                };
                let piece = |(other, text): (bool, std::borrow::Cow<'_, str>)| {
                    let text = text.trim_end_matches('\n').to_owned();
                    (if other { Within::Other } else { Within::Same }, text)
                };
                let pieces = change.iter_strings_lossy().map(piece).filter(|(_, text)| !text.is_empty()).collect();
                Line { side, pieces, unended: change.missing_newline() }
            });
            Hunk { place: place(group), lines: lines.collect() }
        };
        Self(groups.iter().map(hunk).collect())
    }

    /// Whether the texts are the same.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a unified diff, in colour where that is wanted.
    pub fn write(&self, lines: &mut Lines, paint: Paint) {
        for hunk in &self.0 {
            lines.toned(&[(Tone::Place, &hunk.place)], paint);
            for line in &hunk.lines {
                let (mark, same, other) = match line.side {
                    Side::Both => (" ", Tone::Plain, Tone::Plain),
                    Side::Page => ("-", Tone::Removed, Tone::RemovedWord),
                    Side::Document => ("+", Tone::Added, Tone::AddedWord),
                };
                let tone = |within: &Within| if *within == Within::Other { other } else { same };
                let pieces = line.pieces.iter().map(|(within, text)| (tone(within), text.as_str()));
                let pieces: Vec<(Tone, &str)> = std::iter::once((same, mark)).chain(pieces).collect();
                lines.toned(&pieces, paint);
                if line.unended {
                    lines.line("\\ No newline at end of text");
                }
            }
        }
    }

    /// As a unified diff in one text, for JSON; `None` where there is nothing to show.
    pub fn to_text(&self) -> Option<String> {
        let line = |line: &Line| {
            let mark = match line.side {
                Side::Both => ' ',
                Side::Page => '-',
                Side::Document => '+',
            };
            let text: String = line.pieces.iter().map(|(_, text)| text.as_str()).collect();
            let end = if line.unended { "\n\\ No newline at end of text\n" } else { "\n" };
            format!("{mark}{text}{end}")
        };
        let hunk = |hunk: &Hunk| format!("{}\n{}", hunk.place, hunk.lines.iter().map(line).collect::<String>());
        (!self.is_empty()).then(|| self.0.iter().map(hunk).collect())
    }
}

/// Which lines a group is about.
fn place(group: &[similar::DiffOp]) -> String {
    let range = |of: fn(&similar::DiffOp) -> std::ops::Range<usize>| {
        let start = group.first().map_or(0, |op| of(op).start);
        let length = group.last().map_or(start, |op| of(op).end) - start;
        // Of nothing, the line before it is named.
        let first = if length == 0 { start } else { start + 1 };
        if length == 1 { first.to_string() } else { format!("{first},{length}") }
    };
    format!("@@ -{} +{} @@", range(similar::DiffOp::old_range), range(similar::DiffOp::new_range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(page: &str, document: &str, paint: Paint) -> String {
        let mut lines = Lines::new();
        Hunks::between(page, document).write(&mut lines, paint);
        lines.as_str().to_owned()
    }

    #[test]
    fn a_unified_diff_shows_three_lines_around_and_the_missing_end() {
        let page = "1\n2\n3\n4\nold word here\n6\n7\n8\n9\n";
        let document = "1\n2\n3\n4\nnew word here\n6\n7\n8\n9";
        let want = "@@ -2,8 +2,8 @@\n 2\n 3\n 4\n-old word here\n+new word here\n 6\n 7\n 8\n-9\n+9\n\\ No newline at end of text\n";
        assert_eq!(shown(page, document, Paint::Plain), want);
        assert_eq!(Hunks::between(page, document).to_text().as_deref(), Some(want));
        assert_eq!(shown(page, page, Paint::Plain), "");
        assert_eq!(shown("", "a\n", Paint::Plain), "@@ -0,0 +1 @@\n+a\n");
    }

    #[test]
    fn within_a_line_only_the_words_that_differ_are_marked() {
        let shown = shown("The price is 10 now.\n", "The price is 12 now.\n", Paint::Coloured);
        assert!(
            shown.contains("\u{1b}[31m-\u{1b}[0m\u{1b}[31mThe price is \u{1b}[0m\u{1b}[7;31m10\u{1b}[0m"),
            "{shown:?}"
        );
        assert!(shown.contains("\u{1b}[7;32m12\u{1b}[0m\u{1b}[32m now.\u{1b}[0m"), "{shown:?}");
    }

    #[test]
    fn foreign_text_stays_text_in_colour_too() {
        let shown = shown("a\n", "a\u{1b}[2J\u{202e}b\r\n", Paint::Coloured);
        assert!(shown.contains("\\u{1b}[2J\\u{202e}b\\r") && !shown.contains("\u{1b}[2J"), "{shown:?}");
    }

    /// Puts the document together again from the page and the diff.
    fn applied(page: &str, diff: &str) -> String {
        let old: Vec<&str> = page.split_inclusive('\n').collect();
        let (mut out, mut at) = (String::new(), 0);
        let mut lines = diff.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            if let Some(place) = line.strip_prefix("@@ -") {
                let numbers = place.split(' ').next().unwrap_or_default();
                let (first, length) = numbers.split_once(',').unwrap_or((numbers, "1"));
                let (first, length): (usize, usize) = (first.parse().unwrap_or(0), length.parse().unwrap_or(0));
                let start = if length == 0 { first } else { first - 1 };
                out.extend(old[at..start].iter().copied());
                at = start;
                continue;
            }
            let unended = lines.next_if(|next| next.starts_with('\\')).is_some();
            let (mark, text) = line.split_at(1);
            let text = if unended { text.trim_end_matches('\n') } else { text };
            at += usize::from(mark != "+");
            if mark != "-" {
                out.push_str(text);
            }
        }
        out.extend(old[at..].iter().copied());
        out
    }

    proptest! {
        #[test]
        fn the_document_can_be_had_from_the_page_and_the_diff(
            page in "([ab é-]{0,3}\n){0,12}[ab]{0,2}", document in "([ab é-]{0,3}\n){0,12}[ab]{0,2}"
        ) {
            let diff = Hunks::between(&page, &document).to_text().unwrap_or_default();
            prop_assert_eq!(diff.is_empty(), page == document);
            prop_assert_eq!(applied(&page, &diff), document);
        }
    }
}
