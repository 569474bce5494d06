//! How a unit spells a path, an argument, an assignment: systemd splits at blanks, takes quotes and backslashes off, and reads
//! `%` (everywhere) and `$` (in arguments) as its own.
//!
//! Only `unit` calls. What a unit can't spell at all is an error, with its cure.

use std::fmt::Write as _;
use std::path::Path;

/// A name that no unit can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} can't be named in a systemd unit: it holds {what}; rename it")]
pub struct Unspellable {
    name: String,
    what: &'static str,
}

type Spelled = Result<String, Unspellable>;

/// Whether `$` begins a variable here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dollar {
    Variable,
    Plain,
}

/// The program of `ExecStart=`: no variable is looked for in it, and systemd refuses what could be a mistake in quoting.
pub fn program(path: &Path) -> Spelled {
    let text = text_of(path)?;
    if text.contains(['"', '\'', '\\']) {
        return Err(unspellable(text, "quotes or backslashes, which systemd refuses in a program's path"));
    }
    quoted(text, Dollar::Plain)
}

/// One of the paths of a list: `ReadOnlyPaths=`, `RequiresMountsFor=`.
pub fn path(path: &Path) -> Spelled {
    quoted(text_of(path)?, Dollar::Plain)
}

/// An argument of `ExecStart=`.
pub fn argument(path: &Path) -> Spelled {
    quoted(text_of(path)?, Dollar::Variable)
}

/// One assignment of `Environment=`.
pub fn assignment(name: &str, value: &str) -> Spelled {
    quoted(&format!("{name}={value}"), Dollar::Plain)
}

/// A path that is all of the rest of its line, as in `LoadCredential=`: no quotes are taken off.
pub fn rest_of_line(path: &Path) -> Spelled {
    let text = text_of(path)?;
    if text.ends_with(|c: char| c.is_whitespace() || c == '\\') {
        return Err(unspellable(text, "a blank or a backslash at its end"));
    }
    Ok(printable(text)?.replace('%', "%%"))
}

/// For a comment, which systemd does not read.
pub fn comment(path: &Path) -> Spelled {
    Ok(printable(text_of(path)?)?.to_owned())
}

fn text_of(path: &Path) -> Result<&str, Unspellable> {
    path.to_str().ok_or_else(|| unspellable(&path.to_string_lossy(), "bytes that are no UTF-8"))
}

fn printable(text: &str) -> Result<&str, Unspellable> {
    if text.contains(char::is_control) { Err(unspellable(text, "control characters")) } else { Ok(text) }
}

fn quoted(text: &str, dollar: Dollar) -> Spelled {
    let text = printable(text)?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '=' | ':' | '@' | '+' | ',');
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let mut spelled = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => drop(write!(spelled, "\\{character}")),
            '%' => spelled.push_str("%%"),
            '$' if dollar == Dollar::Variable => spelled.push_str("$$"),
            other => spelled.push(other),
        }
    }
    spelled.push('"');
    Ok(spelled)
}

fn unspellable(name: &str, what: &'static str) -> Unspellable {
    Unspellable { name: name.to_owned(), what }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn what_systemd_would_read_as_its_own_is_escaped() {
        for (name, as_path, as_argument) in [
            ("/srv/hand-book_1.d", "/srv/hand-book_1.d", "/srv/hand-book_1.d"),
            ("/my docs", r#""/my docs""#, r#""/my docs""#),
            ("/100%h", r#""/100%%h""#, r#""/100%%h""#),
            ("/$HOME", r#""/$HOME""#, r#""/$$HOME""#),
            (r#"/a"b\c"#, r#""/a\"b\\c""#, r#""/a\"b\\c""#),
            ("/it's;", r#""/it's;""#, r#""/it's;""#),
            ("/größe", "/größe", "/größe"),
        ] {
            assert_eq!(path(Path::new(name)).unwrap(), as_path);
            assert_eq!(argument(Path::new(name)).unwrap(), as_argument);
        }
        assert_eq!(assignment("HUBSYNC_STATE", "/a b%").unwrap(), r#""HUBSYNC_STATE=/a b%%""#);
        assert_eq!(rest_of_line(Path::new("/a b/100%/\"key")).unwrap(), "/a b/100%%/\"key");
    }

    #[test]
    fn what_no_unit_can_hold_is_told() {
        for name in ["/a\nExecStartPre=/bin/evil", "/a\u{1b}[2J", "/a\tb"] {
            for spell in [path, program, argument, rest_of_line, comment] {
                let why = spell(Path::new(name)).unwrap_err().to_string();
                assert!(why.contains("control characters") && why.contains("rename") && !why.contains('\n'), "{why}");
            }
        }
        assert!(program(Path::new("/a'b")).is_err() && program(Path::new("/a b$c")).is_ok());
        assert!(path(Path::new(OsStr::from_bytes(b"/\xff"))).is_err());
        assert!(rest_of_line(Path::new("/key ")).is_err() && rest_of_line(Path::new("/key\\")).is_err());
        assert!(assignment("A", "b\nC=d").is_err());
    }
}
