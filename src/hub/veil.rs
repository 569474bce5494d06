//! Hides the key in what the hub says, in every form in which a hub, or what stands in for it, may repeat it: as it is,
//! percent-encoded, in base64 (a `Basic` header's), in hexadecimal digits, and any longer piece of one of these.
//!
//! Pure. `client` hangs it over every answer that tells of something that went wrong, after it was read, so that no escape
//! of JSON gets a form past it; nobody else shall see such an answer first (promise 8).

use crate::engine::request::AnswerBody;

/// What stands in place of the key.
const HIDDEN: &str = "***";
/// A piece of a key that is shorter tells nothing, and may be a word of the sentence.
const SHORTEST: usize = 8;
/// What every key has in common, and a sentence about keys may hold.
const COMMON: [&[u8]; 3] = [b"exec_liv", b"xec_live", b"ec_live_"];

/// The forms of one key.
pub struct Veil {
    /// In small letters.
    forms: Vec<String>,
}

impl Veil {
    /// Hides `key`.
    pub fn of(key: &str) -> Self {
        let bytes = key.as_bytes();
        let mut forms = vec![
            key.to_owned(),
            key.replace('/', "\\/"),
            percent(bytes, Percent::Needed),
            percent(bytes, Percent::All),
            hex(bytes),
        ];
        // Base64 of a text with the key in it: it begins at any of three places.
        for before in 0..3 {
            forms.extend([STANDARD, URL].map(|alphabet| base64(bytes, before, alphabet)));
        }
        // The vendor's keys begin with a word that is no secret, but whoever writes it writes a key.
        forms.iter_mut().for_each(|form| form.make_ascii_lowercase());
        forms.retain(|form| form.len() >= SHORTEST);
        forms.sort_unstable();
        forms.dedup();
        Self { forms }
    }

    /// The text without the key: every piece of [`SHORTEST`] characters or more that it has in common with one of the forms
    /// is hidden, whether its letters are large or small.
    pub fn over(&self, text: &mut String) {
        // Only ASCII is folded, so the places are those of the text.
        let lower = text.to_ascii_lowercase();
        let mut hidden = vec![false; lower.len()];
        for form in &self.forms {
            for piece in form.as_bytes().windows(SHORTEST).filter(|piece| !COMMON.contains(piece)) {
                for (at, part) in lower.as_bytes().windows(SHORTEST).enumerate() {
                    if part == piece {
                        hidden[at..at + SHORTEST].fill(true);
                    }
                }
            }
        }
        // The common beginning belongs to what follows it.
        for piece in COMMON.iter().rev() {
            for at in (0..lower.len().saturating_sub(SHORTEST)).filter(|at| lower.as_bytes()[*at..].starts_with(piece))
            {
                if hidden[at..=at + SHORTEST].contains(&true) {
                    hidden[at..at + SHORTEST].fill(true);
                }
            }
        }
        if !hidden.contains(&true) {
            return;
        }
        let mut out = String::with_capacity(text.len());
        let mut before = false;
        for (at, character) in text.char_indices() {
            match (hidden[at], before) {
                (false, _) => out.push(character),
                (true, false) => out.push_str(HIDDEN),
                (true, true) => {}
            }
            before = hidden[at];
        }
        *text = out;
    }

    /// The same for what came of a request. A success is left as it is: its texts are pages, names and ids.
    pub fn over_answer(&self, body: &mut AnswerBody) {
        match body {
            AnswerBody::Rejected { code, message, .. } => {
                self.over(message);
                code.iter_mut().for_each(|code| self.over(code));
            }
            AnswerBody::Forbidden { message } => self.over(message),
            AnswerBody::Redirected { location } => location.iter_mut().for_each(|location| self.over(location)),
            AnswerBody::Garbled { what } => self.over(what),
            AnswerBody::Unsent { why } | AnswerBody::Lost { why } => self.over(why),
            AnswerBody::Page(_)
            | AnswerBody::Archived
            | AnswerBody::Rows(_)
            | AnswerBody::Folders(_)
            | AnswerBody::Skills(_)
            | AnswerBody::Sources(_)
            | AnswerBody::NotFound
            | AnswerBody::RateLimited { .. }
            | AnswerBody::Unauthorized(_)
            | AnswerBody::ServerError { .. }
            | AnswerBody::Unwritable { .. }
            | AnswerBody::Stale => {}
        }
    }
}

/// Which bytes are percent-encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Percent {
    /// Those that a URL needs.
    Needed,
    /// Every one.
    All,
}

fn percent(bytes: &[u8], which: Percent) -> String {
    let plain = |b: u8| which == Percent::Needed && (b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    let one = |b: &u8| if plain(*b) { char::from(*b).to_string() } else { format!("%{b:02x}") };
    bytes.iter().map(one).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

const STANDARD: [char; 2] = ['+', '/'];
const URL: [char; 2] = ['-', '_'];

/// The digits of base64 that only the key decides, where it begins `before` bytes after a group of three.
fn base64(bytes: &[u8], before: usize, [plus, slash]: [char; 2]) -> String {
    let digit = |n: u8| match n {
        0..26 => char::from(b'A' + n),
        26..52 => char::from(b'a' + n - 26),
        52..62 => char::from(b'0' + n - 52),
        62 => plus,
        _ => slash,
    };
    let bits = bytes.iter().flat_map(|b| (0..8).rev().map(move |bit| b >> bit & 1));
    // The first digit that holds none of the bits before the key.
    let skipped = [0, 4, 2][before % 3];
    let bits: Vec<u8> = bits.skip(skipped).collect();
    bits.as_chunks::<6>().0.iter().map(|six| digit(six.iter().fold(0, |n, bit| n << 1 | bit))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "exec_live_0123456789abcdefghijABCDEFGHIJ+/k=LMN";
    const SECRET: &str = "0123456789abcdefghijABCDEFGHIJ+/k=LMN";

    fn veiled(text: &str) -> String {
        let mut text = text.to_owned();
        Veil::of(KEY).over(&mut text);
        text
    }

    #[test]
    fn every_form_of_the_key_is_hidden_and_the_rest_of_the_sentence_stays() {
        let (first, second) = SECRET.split_at(SECRET.len() / 2);
        for form in [
            KEY.to_owned(),
            KEY.to_uppercase(),
            SECRET.to_owned(),
            first.to_owned(),
            second.to_owned(),
            KEY.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D"),
            KEY.bytes().map(|b| format!("%{b:02X}")).collect(),
            KEY.bytes().map(|b| format!("{b:02X}")).collect(),
        ] {
            assert_eq!(veiled(&format!("Größe: {form} is no key")), "Größe: *** is no key", "{form}");
        }
        assert_eq!(veiled("exec_live_ is how a key begins"), "exec_live_ is how a key begins");
        // Masked in the middle, or cut.
        assert_eq!(veiled(&format!("no: {}…{}", &KEY[..20], &KEY[39..])), "no: ***…***");
        assert_eq!(veiled("…k=LMN"), "…k=LMN");
    }

    #[test]
    fn base64_is_known_wherever_the_key_begins_in_it() {
        // "a:", "ab:" and "abc:" before the key, by coreutils.
        for (said, rest) in [
            ("YTpleGVjX2xpdmVfMDEyMzQ1Njc4OWFiY2RlZmdoaWpBQkNERUZHSElKKy9rPUxNTg==", "YTp"),
            ("YWI6ZXhlY19saXZlXzAxMjM0NTY3ODlhYmNkZWZnaGlqQUJDREVGR0hJSisvaz1MTU4=", "YWI6"),
            ("YWJjOmV4ZWNfbGl2ZV8wMTIzNDU2Nzg5YWJjZGVmZ2hpakFCQ0RFRkdISUorL2s9TE1O", "YWJjOm"),
        ] {
            let hidden = veiled(said);
            assert!(hidden.starts_with(rest) && hidden.len() < rest.len() + 8, "{said} became {hidden}");
        }
    }

    #[test]
    fn an_empty_key_hides_nothing() {
        let mut text = "as it was".to_owned();
        Veil::of("").over(&mut text);
        assert_eq!(text, "as it was");
    }
}
