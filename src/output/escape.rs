//! One type for all foreign text, so that a title can not move the cursor, forge a line of the log or hide half of itself.
//!
//! [`Shown`] wraps whatever we did not write ourselves (titles, file names, names of folders, the hub's messages). Where it is
//! forgotten, [`Lines`](super::Lines) and [`log`](super::log) escape the whole line. It promises one line of at most [`LONGEST`]
//! characters (an escaped one counts as one), without a control character and without one that is invisible or turns the
//! direction of writing. Anyone may call it.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::path::Path;

/// How many characters of the text are shown; the rest is told by an ellipsis.
pub const LONGEST: usize = 500;

/// Foreign text, safe to show.
///
/// ```
/// use hubsync::output::Shown;
/// assert_eq!(Shown::new("Q2\u{1b}[2Jplan\n").to_string(), r"Q2\u{1b}[2Jplan\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a>(Cow<'a, str>);

impl<'a> Shown<'a> {
    /// Wraps text that somebody else wrote.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Wraps the name of a file; bytes that are not UTF-8 are shown as `\u{fffd}` would be.
    #[must_use]
    pub fn path(path: &'a Path) -> Self {
        Self(path.to_string_lossy())
    }
}

impl fmt::Display for Shown<'_> {
    /// Writes the escaped text; a width (`{:<20}`) counts what is shown, not what was there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::with_capacity(self.0.len().min(LONGEST));
        let mut rest = self.0.chars();
        for character in rest.by_ref().take(LONGEST) {
            push(&mut shown, character);
        }
        if rest.next().is_some() {
            shown.push('…');
        }
        f.pad(&shown)
    }
}

/// Appends `character` as it may be shown: itself, or its escape.
pub(super) fn push(shown: &mut String, character: char) {
    match character {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        // Writing to a `String` can not fail.
        _ if must_escape(character) => drop(write!(shown, "\\u{{{:x}}}", u32::from(character))),
        _ => shown.push(character),
    }
}

/// The text, all of it escaped, whatever its length.
pub(super) fn whole(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push(&mut out, character));
    out
}

/// The text, escaped but for its colours: for what our own formatters have styled.
pub(super) fn but_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour = colour_length(rest);
        if colour > 0 {
            out.push_str(&rest[..colour]);
            rest = &rest[colour..];
        } else {
            push(&mut out, character);
            rest = &rest[character.len_utf8()..];
        }
    }
    out
}

/// How many bytes a colour (`ESC [ digits m`) takes that `text` begins with.
fn colour_length(text: &str) -> usize {
    let Some(code) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = code.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    if code[digits..].starts_with('m') { 2 + digits + 1 } else { 0 }
}

/// Finished JSON in which nothing is left raw that a terminal could act on: it parses to the same value.
pub(super) fn in_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        // What is raw in finished JSON below 0x20 is its own white space.
        if character >= ' ' && must_escape(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing into a `String` can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// Whether a terminal would act on the character, show nothing for it, or turn the direction of what follows.
///
/// Joiners are among them although Persian and some emoji use them: between Latin letters they make two names look alike.
pub(super) fn must_escape(character: char) -> bool {
    character.is_control() // C0, DEL, C1
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' // soft hyphen, grapheme joiner, Arabic mark, Mongolian separator
            | '\u{200b}'..='\u{200f}' // zero-width space and joiners, marks of direction
            | '\u{2028}'..='\u{202e}' // separators of lines and paragraphs, embeddings, overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // fillers that look like nothing
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' // byte order mark, annotations
            | '\u{e0000}'..='\u{e007f}') // tags
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        for text in ["Pricing objections", "Größe — 日本語 ❤️", r"C:\plans", "", "été"] {
            assert_eq!(Shown::new(text).to_string(), text);
        }
    }

    #[test]
    fn a_title_can_neither_clear_the_screen_nor_start_a_new_line() {
        assert_eq!(Shown::new("a\u{1b}[2J\u{7}b").to_string(), r"a\u{1b}[2J\u{7}b");
        assert_eq!(Shown::new("one\r\ntwo\tthree").to_string(), r"one\r\ntwo\tthree");
        assert_eq!(Shown::new("\u{9b}31m\u{7f}").to_string(), r"\u{9b}31m\u{7f}");
        assert_eq!(Shown::new("a\u{2028}b\u{2029}c\u{85}").to_string(), r"a\u{2028}b\u{2029}c\u{85}");
    }

    #[test]
    fn a_name_can_neither_be_turned_round_nor_hide_a_letter() {
        assert_eq!(Shown::new("gpj.\u{202e}dm").to_string(), r"gpj.\u{202e}dm");
        assert_eq!(Shown::new("\u{2066}x\u{2069}").to_string(), r"\u{2066}x\u{2069}");
        assert_eq!(Shown::new("pay\u{200b}roll\u{feff}").to_string(), r"pay\u{200b}roll\u{feff}");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(Shown::new(&"é".repeat(LONGEST)).to_string(), "é".repeat(LONGEST));
        assert_eq!(Shown::new(&"é".repeat(LONGEST + 1)).to_string(), format!("{}…", "é".repeat(LONGEST)));
    }

    #[test]
    fn a_width_counts_what_is_shown() {
        assert_eq!(format!("{:<5}|", Shown::new("a\n")), "a\\n  |");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_name_that_is_not_utf8_is_still_shown() {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.md");
        assert_eq!(Shown::path(Path::new(name)).to_string(), "caf\u{fffd}.md");
    }

    /// Characters that matter here come up often, next to any others.
    pub fn hostile_text() -> impl Strategy<Value = String> {
        let nasty = prop_oneof![
            any::<char>(),
            (0_u32..0xa0).prop_map(|code| char::from_u32(code).unwrap()),
            (0x2000_u32..0x2070).prop_map(|code| char::from_u32(code).unwrap()),
            Just('\u{61c}'),
            Just('\u{feff}'),
            Just('\u{e0041}'),
        ];
        proptest::collection::vec(nasty, 0..700).prop_map(|characters| characters.into_iter().collect())
    }

    #[test]
    fn colours_are_all_that_is_left_of_what_was_styled() {
        let styled = "\u{1b}[1;31mx\u{1b}[0m\u{1b}[2J\u{1b}[3\u{9b}1m\n";
        assert_eq!(but_colours(styled), "\u{1b}[1;31mx\u{1b}[0m\\u{1b}[2J\\u{1b}[3\\u{9b}1m\\n");
        assert_eq!(whole("\u{1b}[0mx\n"), "\\u{1b}[0mx\\n");
    }

    #[test]
    fn json_says_the_same_without_a_raw_mark() {
        let said = "a\u{9b}b\u{202e}\u{2066}\u{7f}\u{e0041} \u{1b}é💼\n";
        let json = in_json(&serde_json::to_string_pretty(&[said]).unwrap());
        assert!(!json.chars().any(|c| c != '\n' && must_escape(c)), "{json:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [said]);
    }

    proptest! {
        /// The classes are spelled out again here, so that a slip in the table above shows.
        #[test]
        fn no_control_and_no_invisible_character_is_ever_shown(text in hostile_text()) {
            let shown = Shown::new(&text).to_string();
            for character in shown.chars() {
                let code = u32::from(character);
                prop_assert!(code >= 0x20 && !(0x7f..0xa0).contains(&code), "control {code:x}");
                prop_assert!(!(0x200b..=0x200f).contains(&code), "zero-width or mark {code:x}");
                prop_assert!(!(0x2028..=0x202e).contains(&code), "separator or override {code:x}");
                prop_assert!(!(0x2060..=0x206f).contains(&code), "isolate {code:x}");
                prop_assert!(code != 0x61c && code != 0xfeff && !(0xe0000..0xe0080).contains(&code), "{code:x}");
            }
            prop_assert_eq!(shown.lines().count(), usize::from(!shown.is_empty()));
            prop_assert_eq!(shown.ends_with('…'), text.chars().count() > LONGEST || text.ends_with('…'));
        }
    }
}
