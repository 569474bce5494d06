//! Links to other documents and files: found by the parser's offsets, looked up, and rewritten to addresses of the hub.
//!
//! Promises: only destinations change (of a wiki link, which no hub knows, all of it becomes an ordinary link); with both
//! settings off, or no link inside, a body stays byte for byte as it is; what can't be looked up stays as it is. Code, math,
//! HTML and addresses of elsewhere are never touched. What was rewritten is read again, and kept only where it means the same.
//!
//! Reading order: `find` says where links stand, `target` where they lead, `map` what lies there, `problems` what is wrong, `back`
//! how addresses of the hub become an author's links again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::page::{DocPath, PageId};
use crate::policy::{LinkRules, encoded_suffix};

mod back;
mod find;
mod map;
mod problems;
mod shape;
mod target;
#[cfg(test)]
mod tests;

pub(super) use back::back;
pub use map::{Holds, LinkMap, Place};
pub use problems::{Files, problems};
pub use target::Target;

use find::{Form, Link};
use target::Leads;

/// What a link becomes a link to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A page.
    Page(PageId),
    /// A file that is no document, by its path.
    File(String),
}

/// What a document's links point to, and what answered each when the document was rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Target, Option<Answer>)>", into = "Vec<(Target, Option<Answer>)>")]
pub struct Targets(BTreeMap<Target, Option<Answer>>);

impl Targets {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, &Option<Answer>)> {
        self.0.iter()
    }

    /// The names under which a [`LinkMap`] tells that one may have another answer.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().map(Target::name).collect()
    }
}

impl From<Vec<(Target, Option<Answer>)>> for Targets {
    fn from(pairs: Vec<(Target, Option<Answer>)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl From<Targets> for Vec<(Target, Option<Answer>)> {
    fn from(targets: Targets) -> Self {
        targets.0.into_iter().collect()
    }
}

/// Where a document lies, among which others.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Its own path.
    pub path: &'a DocPath,
    /// The files that it can point to.
    pub map: &'a LinkMap,
}

/// A body with its links rewritten, and what they pointed to.
pub(super) struct Followed {
    pub(super) body: String,
    pub(super) targets: Targets,
}

/// Rewrites the links of a body.
pub(super) fn follow(body: String, rules: &LinkRules, around: Around<'_>) -> Followed {
    let mut targets = Targets::default();
    // Nothing that could be a link costs no second reading.
    if rules.are_off() || !body.contains('[') {
        return Followed { body, targets };
    }
    let body = rewritten(&body, rules, around, &mut targets).0;
    Followed { body, targets }
}

/// A body with its links rewritten, and which links of it were, each with what stands in its place.
fn rewritten(
    body: &str,
    rules: &LinkRules,
    around: Around<'_>,
    targets: &mut Targets,
) -> (String, Vec<(Link, String)>) {
    let links = find::links(body).into_iter();
    let becomes = links.filter_map(|link| replacement(&link, body, rules, around, targets).map(|it| (link, it)));
    let replaced: Vec<(Link, String)> = becomes.collect();
    let whole = with_replaced(body, &replaced);
    if replaced.is_empty() || shape::is_same(body, &whole) {
        return (whole, replaced);
    }
    // Among brackets that stand alone an ordinary link may mean something else than a wiki link did. Those that do stay.
    let mut kept = Vec::new();
    let mut readings = READINGS;
    sift(body, &replaced, &mut kept, &mut readings);
    (with_replaced(body, &kept), kept)
}

/// So often a text is read to find the few links whose rewriting would mean something else; what is not told apart by then
/// stays as it is.
const READINGS: usize = 64;

/// Adds those of `some` to `kept` that change nothing but destinations: all, or else those of each half.
fn sift(body: &str, some: &[(Link, String)], kept: &mut Vec<(Link, String)>, readings: &mut usize) {
    if some.is_empty() || *readings == 0 {
        return;
    }
    *readings -= 1;
    let before = kept.len();
    kept.extend_from_slice(some);
    if shape::is_same(body, &with_replaced(body, kept)) {
        return;
    }
    kept.truncate(before);
    if some.len() > 1 {
        let (first, second) = some.split_at(some.len() / 2);
        sift(body, first, kept, readings);
        sift(body, second, kept, readings);
    }
}

fn with_replaced(body: &str, replaced: &[(Link, String)]) -> String {
    let mut out = String::with_capacity(body.len() + 256);
    let mut end = 0;
    for (link, becomes) in replaced {
        out.push_str(&body[end..link.span.start]);
        out.push_str(becomes);
        end = link.span.end;
    }
    out.push_str(&body[end..]);
    out
}

/// What stands in the place of a link, if not itself.
fn replacement(
    link: &Link,
    body: &str,
    rules: &LinkRules,
    around: Around<'_>,
    targets: &mut Targets,
) -> Option<String> {
    match &link.form {
        Form::Link | Form::Image | Form::Definition => destination(link, body, rules, around, targets),
        Form::Wiki(text) | Form::Embed(text) => {
            let text = text.clone().map(|span| &body[span]);
            wiki(link, text, rules, around, targets)
        }
    }
}

/// What an ordinary destination becomes.
fn destination(
    link: &Link,
    body: &str,
    rules: &LinkRules,
    around: Around<'_>,
    targets: &mut Targets,
) -> Option<String> {
    let (Leads::To(target), end) = target::destination(around.path, &link.destination) else { return None };
    let Target::Path(path) = &target else { return None };
    let answer = around.map.answer(&target);
    let is_note = target::is_markdown(path) || matches!(around.map.find(&target), Place::Page(_) | Place::NoPage(_));
    let address = match (&answer, is_note) {
        (Some(answer), true) => address(answer, rules),
        (_, false) => rules.asset_url.as_ref().map(|url| url.of(path)),
        (None, true) => None,
    };
    if rules.page_url.is_some() {
        targets.0.insert(target, answer);
    }
    let raw = &body[link.span.clone()];
    // Without escapes and entities what is written is what is meant, and may stay.
    let rest = &link.destination[end..];
    let rest = if raw.contains(['\\', '&']) { meant(encoded_suffix(rest)) } else { rest.to_owned() };
    address.map(|address| joined(address, &rest))
}

/// What means this suffix: what would be read as an entity is written out.
fn meant(suffix: String) -> String {
    if find::unescaped(&suffix).as_ref() == Some(&suffix) { suffix } else { suffix.replace('&', "&amp;") }
}

/// The address of what links lead to; `None` where links of that kind stay as they are.
fn address(answer: &Answer, rules: &LinkRules) -> Option<String> {
    match answer {
        Answer::Page(page) => rules.page_url.as_ref().map(|url| url.of(page)),
        Answer::File(path) => rules.asset_url.as_ref().map(|url| url.of(path)),
    }
}

/// An address with the query and fragment of the link.
fn joined(mut address: String, rest: &str) -> String {
    match rest.strip_prefix('?') {
        Some(query) if address.contains('?') => address.extend(["&", query]),
        _ => address.push_str(rest),
    }
    address
}

/// What a wiki link becomes: a link with the same text. An embedded file is an image; an embedded document can only be pointed
/// to.
fn wiki(
    link: &Link,
    text: Option<&str>,
    rules: &LinkRules,
    around: Around<'_>,
    targets: &mut Targets,
) -> Option<String> {
    let (Leads::To(target), end) = target::wiki(around.path, &link.destination) else { return None };
    let answer = around.map.answer(&target);
    targets.0.insert(target, answer.clone());
    let answer = answer?;
    let address = joined(address(&answer, rules)?, &encoded_suffix(&link.destination[end..]));
    let is_image = matches!((&link.form, &answer), (Form::Embed(_), Answer::File(_)));
    let shown = match text {
        // Nothing is shown, so nobody can follow it.
        Some(text) if text.trim().is_empty() => return None,
        Some(text) => text.to_owned(),
        None => escaped(&link.destination),
    };
    Some(format!("{}[{shown}]({address})", if is_image { "!" } else { "" }))
}

/// A text that means itself in Markdown.
fn escaped(text: &str) -> String {
    let special = |c: char| "\\`*_[]<>&!$~|".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
