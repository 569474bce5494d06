//! The paths (`crate::page::PageId`, `std::fs`) that a file names, in imports and in code, each from its root.

use crate::source::{SourceFile, Token, closing};

/// Where a path was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a `use`: a single name is a path too.
    Import,
    /// Anywhere else: only names with `::` are paths.
    Code,
}

/// A path with all its segments; a glob ends in `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    pub segments: Vec<String>,
    pub line: usize,
    pub place: Place,
}

/// All paths of a file. Those of this crate begin with `crate`, however they were written.
pub fn paths_of(file: &SourceFile) -> Vec<NamedPath> {
    let mut reader = Reader { tokens: &file.tokens, module: module_of(file), inline: Vec::new(), found: Vec::new() };
    let mut at = 0;
    while at < file.tokens.len() {
        at = reader.step(at);
    }
    reader.found
}

/// `["hub"]` for `hub/mod.rs`, `["hub", "client"]` for `hub/client.rs`, nothing for `lib.rs` and `main.rs`.
fn module_of(file: &SourceFile) -> Vec<String> {
    let mut module: Vec<String> = file.segments().into_iter().map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] || module == ["main"] {
        module.pop();
    }
    module
}

struct Reader<'a> {
    tokens: &'a [Token],
    module: Vec<String>,
    /// Modules within the file: name, and the token that closes it.
    inline: Vec<(String, usize)>,
    found: Vec<NamedPath>,
}

impl Reader<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    fn is_word(&self, at: usize) -> bool {
        self.text(at).starts_with(|character: char| character.is_alphabetic() || character == '_')
    }

    fn is_separator(&self, at: usize) -> bool {
        self.text(at) == ":" && self.text(at + 1) == ":"
    }

    /// Reads what begins at `at`, and tells where to go on.
    fn step(&mut self, at: usize) -> usize {
        self.inline.retain(|(_, end)| *end > at);
        if self.text(at) == "mod" && self.is_word(at + 1) && self.text(at + 2) == "{" {
            self.inline.push((self.text(at + 1).to_owned(), closing(self.tokens, at + 2)));
            return at + 3;
        }
        // `use<'a>` is a bound, no import.
        if self.text(at) == "use" && self.text(at + 1) != "<" {
            let start = if self.is_separator(at + 1) { at + 3 } else { at + 1 };
            return self.path(start, &[], Place::Import);
        }
        if self.is_word(at) { self.path(at, &[], Place::Code) } else { at + 1 }
    }

    /// Reads one path, or a group of them, behind `prefix`.
    fn path(&mut self, start: usize, prefix: &[String], place: Place) -> usize {
        let mut segments = prefix.to_vec();
        let mut at = start;
        loop {
            match self.text(at) {
                "{" if place == Place::Import => return self.group(at, &segments, place),
                "*" if place == Place::Import => segments.push("*".to_owned()),
                _ if self.is_word(at) => segments.push(self.text(at).to_owned()),
                // `Vec::<u8>`: the path ends before the types.
                _ => break,
            }
            at += 1;
            if !self.is_separator(at) {
                break;
            }
            at += 2;
        }
        // `as name` renames; the new name is no path.
        if self.text(at) == "as" && place == Place::Import {
            at += 2;
        }
        self.note(segments, start, place);
        at.max(start + 1)
    }

    fn group(&mut self, open: usize, prefix: &[String], place: Place) -> usize {
        let end = closing(self.tokens, open);
        let mut at = open + 1;
        while at < end {
            at = if self.text(at) == "," { at + 1 } else { self.path(at, prefix, place) };
        }
        end + 1
    }

    fn note(&mut self, mut segments: Vec<String>, at: usize, place: Place) {
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        if segments.len() < 2 && place == Place::Code {
            return;
        }
        if let Some(segments) = self.rooted(segments) {
            let line = self.tokens.get(at).map_or(0, |token| token.line);
            self.found.push(NamedPath { segments, line, place });
        }
    }

    /// Resolves `self`, `super` and the crate's own name; `None` where there is nothing to resolve.
    fn rooted(&self, segments: Vec<String>) -> Option<Vec<String>> {
        let first = segments.first()?.as_str();
        if first == "hubsync" {
            return Some(with_crate(&segments[1..]));
        }
        if first != "self" && first != "super" {
            return Some(segments);
        }
        let mut module: Vec<String> = self.module.clone();
        module.extend(self.inline.iter().map(|(name, _)| name.clone()));
        let mut rest = segments.as_slice();
        while let Some((first, others)) = rest.split_first().filter(|(first, _)| *first == "self" || *first == "super")
        {
            if first == "super" {
                module.pop();
            }
            rest = others;
        }
        module.extend_from_slice(rest);
        Some(with_crate(&module))
    }
}

fn with_crate(segments: &[String]) -> Vec<String> {
    std::iter::once("crate".to_owned()).chain(segments.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        paths_of(&SourceFile::new(path, text)).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn groups_globs_renames_and_self_are_spelled_out() {
        assert_eq!(
            paths("hub/client.rs", "use a::{self, b::{c as d, e}, f::*}; use ::g; pub(crate) use h as i;"),
            ["a", "a::b::c", "a::b::e", "a::f::*", "g", "h"]
        );
    }

    #[test]
    fn super_is_resolved_to_where_it_leads() {
        assert_eq!(
            paths("hub/client.rs", "use super::api; use super::super::page::X;"),
            ["crate::hub::api", "crate::page::X"]
        );
        assert_eq!(paths("hub/mod.rs", "use super::page; use self::api;"), ["crate::page", "crate::hub::api"]);
        assert_eq!(paths("page.rs", "mod inner { use super::super::hub; } use super::x;"), ["crate::hub", "crate::x"]);
    }

    #[test]
    fn paths_in_code_count_and_single_names_do_not() {
        let text = "fn f(x: crate::page::PageId) { std::fs::read(y); Vec::<u8>::new(); $crate::hub::z!(); tokio }";
        assert_eq!(paths("main.rs", text), ["crate::page::PageId", "std::fs::read", "crate::hub::z"]);
        assert_eq!(paths("main.rs", "fn f() { hubsync::cli::run() }"), ["crate::cli::run"]);
    }
}
