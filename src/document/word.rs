//! Words in front matter: the few that a key takes, the nearest one to a slip, and the characters that hide in them.

/// Takes `given` as one of the allowed words, exactly; else answers the word that was probably meant.
pub(super) fn choose<T: Copy>(given: &str, allowed: &[(&'static str, T)]) -> Result<T, Option<&'static str>> {
    let exact = allowed.iter().find(|(word, _)| *word == given);
    exact
        .map(|(_, value)| *value)
        .ok_or_else(|| nearest(&cleaned(given).to_lowercase(), allowed.iter().map(|(word, _)| *word)))
}

/// The candidate that is few enough edits away from `given`.
pub(super) fn nearest(given: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const LONGEST: usize = 24;
    let length = given.chars().count();
    if length > LONGEST {
        return None;
    }
    let edits = |word| (strsim::damerau_levenshtein(given, word), word);
    let (distance, word) = candidates.map(edits).min()?;
    (distance <= (length / 3).max(1) && distance < length).then_some(word)
}

/// The text without the characters that hide in it.
pub(super) fn cleaned(text: &str) -> String {
    text.chars().filter(|c| name_of_odd(*c).is_none()).collect::<String>().trim().to_owned()
}

/// What people call a character that can't be seen or passes for another; `None` for any other.
fn name_of_odd(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' => "no-break space",
        '\u{200b}' => "zero-width space",
        '\u{200c}' | '\u{200d}' | '\u{2060}' => "zero-width joiner",
        '\u{feff}' => "byte order mark",
        '\u{ad}' => "soft hyphen",
        '\u{2000}'..='\u{200a}' | '\u{3000}' | '\u{2028}' | '\u{2029}' | '\u{85}' => "unusual space",
        c if is_direction_mark(c) => "mark of the writing direction",
        '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»' => "curly quote",
        c if c.is_control() && c != '\t' => "control character",
        _ => return None,
    })
}

/// Whether a character only says in which direction text runs.
pub(super) fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The characters that hide in a text, by code point: "U+00A0 (no-break space)"; `None` where there are none.
pub(super) fn hidden_in(text: &str) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for c in text.chars() {
        let Some(name) = name_of_odd(c) else { continue };
        let name = format!("U+{:04X} ({name})", u32::from(c));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Allowed words in a sentence: `"published" or "draft"`.
pub(super) fn listed<T>(allowed: &[(&'static str, T)]) -> String {
    allowed.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WORDS: [(&str, u8); 2] = [("published", 1), ("draft", 2)];

    #[test]
    fn only_the_exact_word_is_taken_and_slips_are_understood() {
        assert_eq!(choose("draft", &WORDS), Ok(2));
        let cases = [("publshed", "published"), ("Draft", "draft"), ("PUBLISHED", "published"), ("darft", "draft")];
        for (given, meant) in cases {
            assert_eq!(choose(given, &WORDS).unwrap_err(), Some(meant), "{given}");
        }
        for given in ["", "in-progress", "archived", "x", &"d".repeat(1000)] {
            assert_eq!(choose(given, &WORDS).unwrap_err(), None, "{given}");
        }
    }

    #[test]
    fn hidden_characters_are_named() {
        let text = "“draft\u{a0}\u{a0}";
        assert_eq!(choose(text, &WORDS), Err(Some("draft")));
        assert_eq!(hidden_in(text).unwrap(), "U+201C (curly quote), U+00A0 (no-break space)");
        assert_eq!(hidden_in("dräft"), None);
    }
}
