//! One source file, read as far as the rules need: tokens without comments, the contents of strings, and code for tests only.

/// A piece of code: a word (identifier, number, `""` for any string) or a single sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

/// A file under `src/`.
#[derive(Debug)]
pub struct SourceFile {
    /// From `src/`, with slashes.
    pub path: String,
    pub lines: Vec<String>,
    /// The code that is compiled into the program.
    pub tokens: Vec<Token>,
    /// How many lines are code for tests.
    pub test_lines: usize,
}

impl SourceFile {
    pub fn new(path: &str, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (tokens, test_lines) =
            if is_tests_file(path) { (Vec::new(), lines.len()) } else { without_tests(tokens_of(text)) };
        Self { path: path.to_owned(), lines, tokens, test_lines }
    }

    /// Folders and stem: `["hub", "client"]` for `hub/client.rs`.
    pub fn segments(&self) -> Vec<&str> {
        self.path.trim_end_matches(".rs").split('/').collect()
    }
}

/// `tests.rs` beside its module, or anything in a folder `tests`.
fn is_tests_file(path: &str) -> bool {
    path.trim_end_matches(".rs").split('/').any(|segment| segment == "tests")
}

/// Cuts a text into tokens. Comments vanish, a string becomes `""`, a character `''`, a lifetime `'`.
pub fn tokens_of(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < characters.len() {
        let length = piece(&characters[at..]);
        let piece = &characters[at..at + length];
        if let Some(text) = token_text(piece) {
            tokens.push(Token { text, line });
        }
        line += piece.iter().filter(|character| **character == '\n').count();
        at += length;
    }
    tokens
}

/// What a piece says to the rules; space and comments say nothing.
fn token_text(piece: &[char]) -> Option<String> {
    match piece {
        [character, ..] if character.is_whitespace() => None,
        ['/', '/' | '*', ..] => None,
        ['\'', _, ..] => Some("''".to_owned()),
        [.., '"' | '#'] if piece.contains(&'"') => Some("\"\"".to_owned()),
        _ => Some(piece.iter().collect()),
    }
}

/// The length of the piece of code that `rest` (not empty) begins with.
fn piece(rest: &[char]) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().position(|character| *character == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => string(rest),
        ['\'', '\\', _, after @ ..] => {
            let closing = after.iter().position(|character| *character == '\'').unwrap_or(after.len());
            (closing + 4).min(rest.len())
        }
        ['\'', _, '\'', ..] => 3,
        [first, ..] if is_word(*first) => {
            let word = rest.iter().position(|character| !is_word(*character)).unwrap_or(rest.len());
            match (&rest[..word], rest.get(word)) {
                (['r'] | ['b', 'r'] | ['c', 'r'], Some('"' | '#')) => raw_string(rest, word),
                (['b'] | ['c'], Some('"')) => word + string(&rest[word..]),
                _ => word,
            }
        }
        _ => 1,
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `prefix` is the length of `r`, `br` or `cr`. A raw identifier (`r#type`) is no string: its prefix is a word of its own.
fn raw_string(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|character| **character == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return prefix;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = prefix + hashes + 1;
    let length = rest[body..].windows(closing.len()).position(|window| window == closing);
    length.map_or(rest.len(), |length| body + length + closing.len())
}

/// Drops every item under `#[cfg(test)]`, and counts their lines.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, usize) {
    let mut kept = Vec::with_capacity(tokens.len());
    let (mut at, mut test_lines) = (0, 0);
    while at < tokens.len() {
        if is_cfg_test(&tokens[at..]) {
            let end = item_end(&tokens, at);
            test_lines += tokens[end - 1].line - tokens[at].line + 1;
            at = end;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    (kept, test_lines)
}

/// `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn is_cfg_test(tokens: &[Token]) -> bool {
    let begins =
        |with: &[&str]| tokens.len() > with.len() && tokens.iter().zip(with).all(|(token, text)| token.text == *text);
    begins(&["#", "[", "cfg", "(", "test", ")", "]"]) || begins(&["#", "[", "cfg", "(", "all", "(", "test"])
}

/// Behind the item that begins at `at` with its attributes.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut at = at;
    while tokens.get(at).is_some_and(|token| token.text == "#") {
        at = closing(tokens, at + 1) + 1;
    }
    let is_use = tokens[at..].iter().take(5).any(|token| token.text == "use");
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" if !is_use => return (closing(tokens, at) + 1).min(tokens.len()),
            "(" | "[" | "{" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The token that closes the bracket at `at`, or the last one.
pub fn closing(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, token) in tokens[at..].iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + offset;
        }
    }
    tokens.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens_of(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_strings_hide_what_they_hold() {
        let text = "a // crate::x\n/* b /* c */ d */ e \"\\\" crate::x\" f r#\"\" crate::x \"# g b\"y\" h br\"z\"";
        assert_eq!(words(text), ["a", "e", "\"\"", "f", "\"\"", "g", "\"\"", "h", "\"\""]);
    }

    #[test]
    fn a_quote_is_a_character_or_a_lifetime() {
        assert_eq!(words("'\"' '\\'' '\\u{1b}' &'a x"), ["''", "''", "''", "&", "'", "a", "x"]);
        assert_eq!(words("r#type"), ["r", "#", "type"]);
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let tokens = tokens_of("a\n/*\n*/ b \"\n\n\" c");
        let lines: Vec<usize> = tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 3, 5]);
    }

    #[test]
    fn code_for_tests_is_left_out_and_counted() {
        let text = "a;\n#[cfg(test)]\nuse b::{c, d};\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n fn e() {}\n}\nf;";
        let file = SourceFile::new("page.rs", text);
        let words: Vec<&str> = file.tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(words, ["a", ";", "f", ";"]);
        assert_eq!(file.test_lines, 7);
        assert!(SourceFile::new("engine/tests.rs", "use a;").tokens.is_empty());
    }
}
