//! A message with the line it speaks of and a caret under the place.
//!
//! [`render`] takes what a diagnostic knows (path, position, message, suggestion) and the text of the file, and gives what a
//! compiler would print. Every piece of foreign text is escaped, the line of the file too, and the caret stays under its place
//! although escapes are longer than what they stand for. Only the neighbourhood of the place is shown of a very long line. It
//! reads no file and never fails: a position outside the text is moved to its end. [`Lines`](super::Lines) call it.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::escape::{Shown, must_escape, push};
use super::style::Paint;

/// How many characters of a line are shown before and after the beginning of the place.
const NEIGHBOURHOOD: usize = 100;

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The document is not published.
    Error,
    /// Worth a look; the document is published.
    Warning,
}

/// A message about a place in a file.
#[derive(Debug, Clone)]
pub struct Located<'a> {
    /// The file, as it is named to the user.
    pub path: &'a str,
    /// The whole text of the file; empty where it can not be shown.
    pub source: &'a str,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The place in bytes of `source`; an empty range is a point between two characters.
    pub span: Range<usize>,
    /// How grave it is.
    pub severity: Severity,
    /// The stable code, `unknown_status` say.
    pub code: &'a str,
    /// What is wrong.
    pub message: &'a str,
    /// What would be right.
    pub suggestion: Option<&'a str>,
}

/// The message as people read it, several lines without an end of line after the last.
pub(super) fn render(located: &Located<'_>, paint: Paint) -> String {
    let level = match located.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let path = Shown::new(located.path).to_string();
    let title = level.primary_title(Shown::new(located.message).to_string()).id(Shown::new(located.code).to_string());
    let renderer = match paint {
        Paint::Plain => Renderer::plain(),
        Paint::Coloured => Renderer::styled(),
    };
    let help = located.suggestion.map(|suggestion| Level::HELP.message(Shown::new(suggestion).to_string()));
    if located.source.is_empty() {
        let origin = Origin::path(path).line(located.line).char_column(located.column);
        return renderer.render(&[title.element(origin).elements(help)]);
    }
    let line = shown_line(located.source, &located.span);
    let shown_column = line.text[..line.span.start].chars().count() + 1;
    let snippet = Snippet::source(line.text)
        .path(path)
        .line_start(located.line)
        .annotation(AnnotationKind::Primary.span(line.span));
    let rendered = renderer.render(&[title.element(snippet).elements(help)]);
    with_column_of_file(&rendered, located, shown_column)
}

/// The renderer counts columns in the line that is shown; escapes and the cut make them other than those of the file.
fn with_column_of_file(rendered: &str, located: &Located<'_>, shown_column: usize) -> String {
    let shown = format!(":{}:{shown_column}", located.line);
    let title_end = rendered.find('\n').unwrap_or(0);
    let origin_end = rendered[title_end..].match_indices('\n').nth(1).map_or(rendered.len(), |(at, _)| title_end + at);
    match rendered[title_end..origin_end].rfind(&shown) {
        Some(at) => {
            let (before, after) = rendered.split_at(title_end + at);
            format!("{before}:{}:{}{}", located.line, located.column, &after[shown.len()..])
        }
        None => rendered.to_owned(),
    }
}

/// One line, escaped, and where the place is in it.
#[derive(Debug, PartialEq, Eq)]
struct ShownLine {
    text: String,
    span: Range<usize>,
}

/// The line in which the place begins; a place that goes on over its end is cut there.
fn shown_line(source: &str, place: &Range<usize>) -> ShownLine {
    let start = source.floor_char_boundary(place.start.min(source.len()));
    let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |length| start + length);
    let line = source[line_start..line_end].trim_end_matches('\r');
    // Both ends are clipped to the line, and an end before its start becomes a point.
    let start = (start - line_start).min(line.len());
    let end = line.floor_char_boundary(place.end.saturating_sub(line_start).clamp(start, line.len()));
    let neighbourhood = neighbourhood(line, start);

    let mut shown = ShownLine { text: String::new(), span: 0..0 };
    if neighbourhood.start > 0 {
        shown.text.push('…');
    }
    for (at, character) in line[neighbourhood.clone()].char_indices() {
        let at = neighbourhood.start + at;
        if at <= start {
            shown.span.start = shown.text.len();
        }
        // The renderer widens tabs itself, and keeps the caret right.
        if must_escape(character) && character != '\t' {
            push(&mut shown.text, character);
        } else {
            shown.text.push(character);
        }
        if at < end {
            shown.span.end = shown.text.len();
        }
    }
    if start == neighbourhood.end {
        shown.span.start = shown.text.len();
    }
    shown.span.end = shown.span.end.max(shown.span.start);
    if neighbourhood.end < line.len() {
        shown.text.push('…');
    }
    shown
}

/// The bytes of `line` that are near `place`.
fn neighbourhood(line: &str, place: usize) -> Range<usize> {
    let first = line[..place].char_indices().rev().take(NEIGHBOURHOOD).last().map_or(place, |(at, _)| at);
    let last = line[place..].char_indices().nth(NEIGHBOURHOOD).map_or(line.len(), |(length, _)| place + length);
    first..last
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const SOURCE: &str = "---\ntitle: Pricing\nstaus: published\n---\nText\n";

    fn located(source: &str, span: Range<usize>) -> Located<'_> {
        Located {
            path: "sales/pricing.md",
            source,
            line: source[..span.start].matches('\n').count() + 1,
            column: source[..span.start].chars().rev().take_while(|c| *c != '\n').count() + 1,
            span,
            severity: Severity::Warning,
            code: "front_matter",
            message: "`staus` is no key of hubsync",
            suggestion: Some("did you mean `status`?"),
        }
    }

    fn span_of(source: &str, text: &str) -> Range<usize> {
        let start = source.find(text).unwrap();
        start..start + text.len()
    }

    #[test]
    fn the_line_is_shown_with_a_caret_and_what_would_be_right() {
        let shown = render(&located(SOURCE, span_of(SOURCE, "staus")), Paint::Plain);
        assert_eq!(
            shown,
            "\
warning[front_matter]: `staus` is no key of hubsync
 --> sales/pricing.md:3:1
  |
3 | staus: published
  | ^^^^^
  |
  = help: did you mean `status`?"
        );
    }

    #[test]
    fn colour_comes_only_where_it_is_asked_for() {
        let located = located(SOURCE, span_of(SOURCE, "staus"));
        assert!(render(&located, Paint::Coloured).contains('\u{1b}'));
        assert!(!render(&located, Paint::Plain).contains('\u{1b}'));
    }

    #[test]
    fn an_error_says_error() {
        let located = Located { severity: Severity::Error, ..located(SOURCE, span_of(SOURCE, "staus")) };
        assert!(render(&located, Paint::Plain).starts_with("error[front_matter]: "));
    }

    #[test]
    fn a_hostile_line_is_escaped_and_the_caret_stays_under_its_place() {
        let source = "title: \u{1b}[2J\u{202e}x bad\r\nnext";
        let shown = render(&located(source, span_of(source, "bad")), Paint::Plain);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[3], r"1 | title: \u{1b}[2J\u{202e}x bad");
        assert_eq!(lines[4].find("^^^"), lines[3].find("bad"));
        assert!(lines[1].ends_with("pricing.md:1:15"), "the position is that of the file: {}", lines[1]);
    }

    #[test]
    fn wide_characters_and_tabs_do_not_move_the_caret() {
        let source = "\ttitle: é bad";
        let shown = render(&located(source, span_of(source, "bad")), Paint::Plain);
        let lines: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
        let caret = lines[4].iter().position(|c| *c == '^').unwrap();
        assert_eq!(lines[3][caret..caret + 3].iter().collect::<String>(), "bad");
    }

    #[test]
    fn of_a_long_line_the_neighbourhood_is_shown() {
        let source = format!("{} bad {}", "é".repeat(100_000), "x".repeat(100_000));
        let shown = render(&located(&source, span_of(&source, "bad")), Paint::Plain);
        assert!(shown.contains("é bad x"));
        assert!(shown.len() < 2_000, "{} bytes", shown.len());
    }

    #[test]
    fn without_a_text_the_position_is_still_told() {
        let located = Located { source: "", ..located(SOURCE, span_of(SOURCE, "staus")) };
        let shown = render(&located, Paint::Plain);
        assert!(shown.contains("sales/pricing.md:3:1") && shown.contains("did you mean"), "{shown}");
    }

    #[test]
    fn the_end_of_a_file_is_a_place_too() {
        let shown = render(&located("---\ntitle: x", 12..12), Paint::Plain);
        assert!(shown.lines().any(|line| line.ends_with('^')), "{shown}");
    }

    #[test]
    fn a_place_over_several_lines_is_shown_on_its_first() {
        assert_eq!(shown_line("one two\nthree", &(4..13)), ShownLine { text: "one two".into(), span: 4..7 });
    }

    proptest! {
        #[test]
        fn any_place_in_any_text_is_shown_without_control_characters(
            source in "[\\PC\\x00-\\x1f\u{202e}\u{2028}\u{200b}é]{0,300}",
            start in 0_usize..400,
            length in 0_usize..400,
        ) {
            let line = shown_line(&source, &(start..start + length));
            prop_assert!(line.span.start <= line.span.end && line.span.end <= line.text.len());
            prop_assert!(line.text.is_char_boundary(line.span.start) && line.text.is_char_boundary(line.span.end));
            let shown = render(&Located { source: &source, line: 1, column: 1, span: start..start + length, ..located("x", 0..1) }, Paint::Plain);
            prop_assert!(shown.chars().all(|c| c == '\n' || !must_escape(c)), "{:?}", shown);
            let position = shown.lines().nth(1).unwrap_or_default();
            prop_assert!(position.ends_with("sales/pricing.md:1:1"), "{}", position);
        }
    }
}
