//! What links become on a page: worked out from the files alone, with none of the program's code.
//!
//! A link is a word without blanks, so a text is read by splitting it. What the README says of each form is said here once
//! more, as short as it goes.

use hubsync::policy::LinkRules;

pub const PAGES: &str = "https://kb/";
pub const FILES: &str = "https://files/";

/// What the words of the document at `from` become: `files` are all Markdown files, `page` tells which page a file names.
pub fn rendered(
    body: &str,
    from: &str,
    rules: &LinkRules,
    files: &[String],
    page: &impl Fn(&str) -> Option<String>,
) -> String {
    let at = |path: &str| files.iter().any(|file| file == path).then(|| page(path)).flatten();
    let becomes = |word: &str| {
        let inside = |begins: &str, ends: &str| word.strip_prefix(begins)?.strip_suffix(ends);
        if let Some(named) = inside("[[", "]]") {
            let (end, shown) = named.split_once('|').unwrap_or((named, named));
            return Some(format!("[{shown}]({PAGES}{})", at(&found(end, files)?)?));
        }
        if let Some((shown, to)) = inside("![", ")").and_then(|link| link.split_once("](")) {
            let to = from_root(to, from);
            let becomes = rules.asset_url.is_some() && !to.starts_with("../");
            return becomes.then(|| format!("![{shown}]({FILES}{to})"));
        }
        let (shown, to) = inside("[", ")")?.split_once("](")?;
        let (to, place) = to.split_at(to.find('#').unwrap_or(to.len()));
        let path = to.strip_prefix('/').map_or_else(|| from_root(to, from), str::to_owned);
        Some(format!("[{shown}]({PAGES}{}{place})", at(&path)?))
    };
    let word = |word: &str| {
        let (bare, rest) = word.split_at(word.trim_end().len());
        becomes(bare).filter(|_| rules.page_url.is_some()).unwrap_or_else(|| bare.to_owned()) + rest
    };
    body.split_inclusive([' ', '\n']).map(word).collect()
}

/// The file that is called so: by its whole path first, then if it is the only one of this end.
fn found(end: &str, files: &[String]) -> Option<String> {
    let whole = format!("{end}.md");
    let all: Vec<&String> =
        files.iter().filter(|file| **file == whole || file.ends_with(&format!("/{whole}"))).collect();
    match all.as_slice() {
        [one] => Some((*one).clone()),
        _ => all.into_iter().find(|file| **file == whole).cloned(),
    }
}

/// Documents lie in the root or in one folder of it.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..=end])
}

/// What leads out of the root keeps its `../`, and nothing is there.
pub fn from_root(written: &str, from: &str) -> String {
    let above = written.strip_prefix("../").filter(|_| !folder(from).is_empty());
    above.map_or_else(|| format!("{}{written}", folder(from)), str::to_owned)
}

pub fn seen_from(to: &str, from: &str) -> String {
    match folder(from) {
        "" => to.to_owned(),
        folder => to.strip_prefix(folder).map_or_else(|| format!("../{to}"), str::to_owned),
    }
}
