//! Both texts in one document, with the usual conflict markers where they differ: `hubsync resolve --keep both`. While a marker
//! is left, the document is blocked, as one that git left so.

use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::document::value::Title;
use crate::document::{Reading, body, parse};
use crate::policy::Rules;
use crate::reason::Code;

use super::text::{body_of, with_body};
use super::{Text, Unfit, front_of, set_text};

const OURS: &str = "<<<<<<< document\n";
const PARTED: &str = "=======\n";
const THEIRS: &str = ">>>>>>> hub\n";

/// The document with the hub's text beside its own where the two differ. A title that differs stands first, as both front
/// matters would say it. All else of the file stays.
///
/// # Errors
/// Where both say the same, or no document could say what the hub says.
pub fn beside(bytes: &[u8], text: &Text<'_>, rules: &Rules) -> Result<Vec<u8>, Unfit> {
    let theirs = set_text(bytes, text, rules)?.bytes;
    let (Some(our_body), Some(their_body)) = (body_of(bytes), body_of(&theirs)) else {
        return Err(Unfit::NoFrontMatter);
    };
    let titles = match (front_of(bytes)?.1.title, front_of(&theirs)?.1.title) {
        (Title::Text(ours), Title::Text(theirs)) if ours != theirs => passage(&line(&ours), &line(&theirs)),
        _ => String::new(),
    };
    if titles.is_empty() && our_body == their_body {
        return Err(Unfit::Alike);
    }
    let marked = marked(&our_body, &their_body).unwrap_or_else(|| passage(&our_body, &their_body));
    let both = with_body(bytes, &format!("{titles}{marked}"))?;
    match parse(&both, rules).reading {
        Reading::Blocked { reason, .. } if reason.code == Code::MergeMarkers => Ok(both),
        _ => Err(Unfit::Text),
    }
}

fn line(title: &str) -> String {
    format!("title: {title}\n")
}

fn passage(ours: &str, theirs: &str) -> String {
    format!("{OURS}{}{PARTED}{}{THEIRS}", ended(ours), ended(theirs))
}

/// A marker stands on a line of its own.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// Both texts line by line; `None` where a passage would begin in a block of code, in which markers are an example and block
/// nothing: then all of both texts is one passage.
fn marked(ours: &str, theirs: &str) -> Option<String> {
    let lines = |text: &'_ str| -> Vec<String> { text.split_inclusive('\n').map(str::to_owned).collect() };
    let (our_lines, their_lines) = (lines(ours), lines(theirs));
    let mut out = String::new();
    let mut marks = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &our_lines, &their_lines) {
        let (tag, old, new) = op.as_tag_tuple();
        if tag == DiffTag::Equal {
            out.push_str(&our_lines[old].concat());
            continue;
        }
        let offset = |lines: &[String], at: usize| lines[..at].iter().map(String::len).sum::<usize>();
        let code = |text: &str, at: usize| is_in_code(text, at);
        if code(ours, offset(&our_lines, old.start)) || code(theirs, offset(&their_lines, new.start)) {
            return None;
        }
        // A line before that has no end is the last of its text, and a passage begins on a line of its own.
        out = ended(&out);
        marks.push(out.len());
        out.push_str(&passage(&our_lines[old].concat(), &their_lines[new].concat()));
    }
    let clear = marks.into_iter().all(|at| !is_in_code(&out, at));
    clear.then_some(out)
}

fn is_in_code(text: &str, at: usize) -> bool {
    body::fenced_code(text, 0).iter().any(|block| block.start < at && at < block.end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::policy::Policy;

    fn both(file: &str, title: &str, body: &str) -> Result<String, Unfit> {
        let text = Text { title, body };
        beside(file.as_bytes(), &text, &Policy::default().rules).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    const HEAD: &str = "---\npage_id: p\ntitle: T  # ours\nstatus: published\n---\n";

    #[test]
    fn only_what_differs_stands_twice() {
        let said = both(&format!("{HEAD}one\ntwo\nthree\n"), "T", "one\nzwei\nthree\n").unwrap();
        let body = "one\n<<<<<<< document\ntwo\n=======\nzwei\n>>>>>>> hub\nthree\n";
        assert_eq!(said, format!("{HEAD}{body}"));
        let crlf = format!("{HEAD}one\ntwo\n").replace('\n', "\r\n");
        let said = both(&crlf, "T", "one\nzwei\n").unwrap();
        assert!(said.ends_with("one\r\n<<<<<<< document\r\ntwo\r\n=======\r\nzwei\r\n>>>>>>> hub\r\n"), "{said:?}");
        let said = both(&format!("{HEAD}one"), "T", "one\ntwo").unwrap();
        assert!(said.ends_with("<<<<<<< document\none\n=======\none\ntwo\n>>>>>>> hub\n"), "{said:?}");
    }

    #[test]
    fn another_title_stands_first_and_the_front_matter_stays() {
        let said = both(&format!("{HEAD}one\n"), "U", "one\n").unwrap();
        assert_eq!(said, format!("{HEAD}<<<<<<< document\ntitle: T\n=======\ntitle: U\n>>>>>>> hub\none\n"));
        let headed = "---\npage_id: p\n---\n# T\n\none\n";
        let said = both(headed, "U", "one\n").unwrap();
        assert!(said.contains("<<<<<<< document\n# T\n=======\n# U\n>>>>>>> hub\n"), "{said:?}");
    }

    #[test]
    fn a_passage_in_code_makes_all_of_it_one_that_blocks() {
        let said = both(&format!("{HEAD}text\n\n```\nlet a;\n```\n"), "T", "text\n\n```\nlet b;\n```\n").unwrap();
        assert_eq!(said.matches("<<<<<<< document").count(), 1);
        assert!(said.starts_with(&format!("{HEAD}<<<<<<< document\ntext\n")), "{said:?}");
    }

    #[test]
    fn texts_that_are_alike_need_no_markers() {
        assert_eq!(both(&format!("{HEAD}one\n"), "T", "one\n"), Err(Unfit::Alike));
    }
}
