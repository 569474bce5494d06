//! How a value is spelled in front matter: as it is where YAML and every tool that reads it take it for that text, in quotes
//! where they would not. Always in one line, so no value can end the front matter or begin a key.

/// A text as the value of a key, or as an item of a list.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.contains(['"', '\\']) && !text.chars().any(needs_escape) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        escaped(text)
    }
}

/// Texts as a list in one line.
pub(super) fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| scalar(item)).collect::<Vec<_>>().join(", "))
}

/// Whether no tool reads anything but this text where it stands without quotes, in a list or not.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_alphanumeric() || " -_./()'+&;".contains(c);
    text.starts_with(char::is_alphabetic)
        && !text.ends_with(' ')
        && text.chars().all(safe)
        && !is_word(text)
        // YAML 1.1 knows numbers that begin with a letter only as these.
        && !matches!(text, "e" | "E")
        || is_hexadecimal_id(text)
}

/// Words that some YAML takes for a truth value or for nothing.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// An id that begins with a digit and can be no number, date or time: parts of letters and digits, one of them with a letter
/// other than those that numbers have.
fn is_hexadecimal_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.ends_with('-')
        && text.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E' | b'x' | b'o' | b'b' | b'T' | b'Z'))
        && !text.starts_with("0x")
}

/// In double quotes, with what can't be seen spelled out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) && u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c if needs_escape(c) => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that end a line for some YAML, or that no YAML may hold as they are.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_only_where_something_else_would_be_read() {
        let plain = [
            "Pricing objections",
            "Sales/Objections",
            "p000001",
            "5f0c1a2e-0b7d-4f0e-9f57-0c2f5a1f6e11",
            "Straße",
            "日本",
            "nothing",
            "What's new (2026)",
        ];
        for text in plain {
            assert_eq!(scalar(text), text);
        }
        let quoted = [
            ("", "\"\""),
            ("Q2: pricing", "\"Q2: pricing\""),
            ("a #1", "\"a #1\""),
            ("null", "\"null\""),
            ("No", "\"No\""),
            ("00123", "\"00123\""),
            ("1e9", "\"1e9\""),
            ("0x1f", "\"0x1f\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("- a", "\"- a\""),
            ("[a]", "\"[a]\""),
            ("a, b", "\"a, b\""),
            ("say \"x\"", "'say \"x\"'"),
            ("it's \"x\"", "'it''s \"x\"'"),
            ("C:\\x", "'C:\\x'"),
            ("a\n\"b", "\"a\\n\\\"b\""),
            (" a ", "\" a \""),
            ("\u{2028}\u{85}", "\"\\u2028\\u0085\""),
            ("---", "\"---\""),
        ];
        for (text, spelled) in quoted {
            assert_eq!(scalar(text), spelled);
        }
        assert_eq!(list(&["a".to_owned(), "b, c".to_owned()]), "[a, \"b, c\"]");
        assert_eq!(list(&[]), "[]");
    }
}
