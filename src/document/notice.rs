//! The last line of a published page (`publish.notice`): put under a body when it is rendered, taken off when a page's text
//! comes into a document. What is put on is taken off exactly.

use crate::page::DocPath;
use crate::policy::Notice;

/// The body with the notice under it. A body without text stays so: that it became empty must be seen.
pub(super) fn with_notice(mut body: String, notice: &Notice, path: &DocPath) -> String {
    if body.trim().is_empty() {
        return body;
    }
    let ended = body.ends_with('\n');
    if !ended {
        body.push('\n');
    }
    body.push('\n');
    body.push_str(&notice.line(path));
    // Its end tells whether the body's last line had one.
    if ended {
        body.push('\n');
    }
    body
}

/// A page's text without the notice that ends it, if one does.
pub fn without_notice<'a>(text: &'a str, notice: &Notice) -> &'a str {
    let trimmed = text.trim_end();
    let start = trimmed.rfind('\n').map_or(0, |newline| newline + 1);
    if !notice.is(&trimmed[start..]) {
        return text;
    }
    // The blank line before it is ours as well.
    let before = &text[..start];
    let Some(body) = before.strip_suffix('\n').filter(|body| body.ends_with('\n')) else { return before };
    let ended = text.len() > trimmed.len();
    if ended { body } else { body.strip_suffix('\n').unwrap_or(body) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> DocPath {
        DocPath::new(text).unwrap()
    }

    #[test]
    fn a_notice_is_a_paragraph_of_its_own() {
        let notice = Notice::parse("_Kept in git: {path}_").unwrap();
        let on = |body: &str| with_notice(body.to_owned(), &notice, &path("a/b c.md"));
        assert_eq!(on("Text.\n"), "Text.\n\n_Kept in git: a/b c.md_\n");
        assert_eq!(on("Text."), "Text.\n\n_Kept in git: a/b c.md_");
        assert_eq!(on(" \n"), " \n");
        assert_eq!(without_notice("Text.\n\n_Kept in git: where it was.md_  \n", &notice), "Text.\n");
        for other in ["Text.\n", "_Kept in git: a.md_ and more\n", "_Kept in git: _\n", ""] {
            assert_eq!(without_notice(other, &notice), other);
        }
        assert_eq!(Notice::parse("a\nb").unwrap_err().to_string(), "it must be one line, without control characters");
    }

    proptest! {
        #[test]
        fn what_is_put_on_is_taken_off_exactly(
            body in "[a-z#*`> \n\t\r]{0,40}",
            notice in prop::sample::select(vec!["_Kept in git: {path}_", "fixed", "{path}", "{path} is kept, {path}."]),
            at in "[a-z_. ]{1,8}",
        ) {
            let Some(path) = DocPath::new(format!("d/{at}x")) else { return Ok(()) };
            let notice = Notice::parse(notice).unwrap();
            let on = with_notice(body.clone(), &notice, &path);
            if on != body {
                prop_assert_eq!(without_notice(&on, &notice), &body);
            }
        }
    }
}
