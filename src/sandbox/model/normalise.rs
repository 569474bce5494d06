//! What a hub may do to Markdown when it stores it.

use super::settings::Normalise;

/// The text as this hub stores it.
pub(super) fn stored(rule: Normalise, text: &str) -> String {
    match rule {
        Normalise::Verbatim => text.to_owned(),
        Normalise::Markdown => one_style(text),
        Normalise::Growing => format!("{}\n", text.replace('\\', "\\\\")),
    }
}

/// One kind of bullet, no trailing white space, one final newline; code between fences is left alone.
fn one_style(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let start = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, marker) {
            (None, Some(_)) => fence = marker,
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        if fence.is_some() || marker.is_some() {
            out.push_str(line);
        } else {
            push_with_dash(&mut out, line);
        }
        out.push('\n');
    }
    let end = out.trim_end_matches('\n').len();
    out.truncate(end);
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn push_with_dash(out: &mut String, line: &str) {
    let line = line.trim_end();
    let start = line.trim_start();
    let is_break = start.chars().all(|c| c == '*' || c == ' ');
    match start.strip_prefix("* ").or_else(|| start.strip_prefix("+ ")) {
        Some(item) if !is_break => {
            out.push_str(&line[..line.len() - start.len()]);
            out.push_str("- ");
            out.push_str(item);
        }
        _ => out.push_str(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bullets_and_white_space_get_one_style_but_not_in_code() {
        let text = "* one  \n  + two\n* * *\n```\n* code  \n```\n\n\n";
        assert_eq!(stored(Normalise::Markdown, text), "- one\n  - two\n* * *\n```\n* code  \n```\n");
    }

    proptest! {
        #[test]
        fn one_style_is_a_fixpoint(text in "([*+\\- a`~\t]{0,6}\n){0,8}") {
            let once = stored(Normalise::Markdown, &text);
            prop_assert_eq!(stored(Normalise::Markdown, &once), once);
        }

        #[test]
        fn growing_never_settles(text in ".{0,40}") {
            let once = stored(Normalise::Growing, &text);
            prop_assert!(stored(Normalise::Growing, &once).len() > once.len());
        }
    }
}
