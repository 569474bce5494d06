//! Values of our keys: what each may be, and what to say where it is something else.
//!
//! Values are the source text of their scalars, never numbers, dates or booleans; blank is not the same as wrong, and means
//! something of its own for each key (contract.md, Front matter).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::page::{PageId, Status};
use crate::reason::Code;

use super::diagnostic::{DiagnosticCode, Findings, shown};
use super::key::Key;
use super::word;
use super::yaml::{Kind, Node};
use super::yaml_hint::quoted;

/// Who can see a page; used only when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody in the workspace.
    #[default]
    Workspace,
    /// Only who created it.
    Private,
}

/// What `title` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Title {
    /// Nothing: a heading may be the title.
    #[default]
    Absent,
    /// It is there, but no text: the title is not managed.
    Blank,
    /// The title.
    Text(String),
}

const STATUSES: [(&str, Status); 2] = [("published", Status::Published), ("draft", Status::Draft)];
const VISIBILITIES: [(&str, Visibility); 2] = [("workspace", Visibility::Workspace), ("private", Visibility::Private)];
const SYNCS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// A block of front matter being read, and where findings about it go.
pub(super) struct Reader<'a> {
    /// The block's text.
    pub(super) block: &'a str,
    /// Where it begins in the file; in its second line.
    pub(super) offset: usize,
    /// What is wrong with it.
    pub(super) findings: &'a mut Findings,
}

impl Reader<'_> {
    /// The id of a page.
    pub(super) fn page_id(&mut self, node: &Node) -> Option<PageId> {
        let text = self.scalar(Key::PageId, node, "the id of one page")?;
        let id = PageId::parse(text).ok();
        if id.is_none() {
            let right = Some(word::cleaned(text)).filter(|clean| clean != text && PageId::parse(clean).is_ok());
            let hidden = hidden(text);
            let message = format!("page_id is {}{hidden}; an id is 1 to 64 letters, digits, `-` or `_`", shown(text));
            self.error(node.span.clone(), message, right);
        }
        id
    }

    /// `status`; blank is absent.
    pub(super) fn status(&mut self, node: &Node) -> Option<Status> {
        self.word(Key::Status, node, &STATUSES)
    }

    /// `visibility`; blank is absent.
    pub(super) fn visibility(&mut self, node: &Node) -> Option<Visibility> {
        self.word(Key::Visibility, node, &VISIBILITIES)
    }

    /// The title; blank is not managed.
    pub(super) fn title(&mut self, node: &Node) -> Title {
        let Some(text) = self.scalar(Key::Title, node, "one text") else { return Title::Blank };
        let comment = node.plain().and_then(|_| self.comment_after(node));
        if node.is_blank() {
            let reason = if comment.is_some() { "`#` begins a comment there" } else { "no title is sent" };
            let message = format!("title is blank: {reason}; put a text in quotes, or remove the key");
            let suggestion = comment.map(|c| format!("title: {}", quoted(c.trim())));
            self.findings.warn(DiagnosticCode::TitleBlank, node.span.clone(), message, suggestion);
            return Title::Blank;
        }
        if let Some(comment) = comment.filter(|c| !is_remark(c)) {
            let whole = format!("{text}{}", comment.trim_end());
            let message = format!(
                "the title ends at {}: YAML takes the rest of the line for a comment; put it in quotes to keep it",
                shown(text)
            );
            let span = node.span.start..node.span.end + comment.len();
            let right = Some(format!("title: {}", quoted(&whole)));
            self.findings.warn(DiagnosticCode::TitleCut, span, message, right);
        }
        self.control_characters(Key::Title, node, text);
        Title::Text(one_line(text))
    }

    /// `sync`: exactly `true` or `false`.
    pub(super) fn sync(&mut self, node: &Node) -> Option<bool> {
        if node.is_null() || (node.text().is_some() && node.plain().is_none()) {
            let what =
                node.text().filter(|t| !t.is_empty()).map_or("blank".to_owned(), |t| format!("{} in quotes", shown(t)));
            let message = format!("sync is {what}; it can be {}, without quotes", word::listed(&SYNCS));
            let suggestion = node.text().filter(|t| matches!(*t, "true" | "false")).map(str::to_owned);
            self.error(node.span.clone(), message, suggestion);
            return None;
        }
        self.word(Key::Sync, node, &SYNCS)
    }

    /// A key that takes one of a few words; blank is absent.
    fn word<T: Copy>(&mut self, key: Key, node: &Node, allowed: &[(&'static str, T)]) -> Option<T> {
        let text = self.scalar(key, node, &word::listed(allowed))?;
        if node.is_blank() {
            return None;
        }
        match word::choose(text, allowed) {
            Ok(value) => Some(value),
            Err(nearest) => {
                let hidden = hidden(text);
                let (code, way_out) = match key {
                    Key::Status => (Code::UnknownStatus, ", and `sync: false` leaves the file alone"),
                    _ => (Code::FrontMatter, ""),
                };
                let message = format!(
                    "{} is {}{hidden}; it can be {}{way_out}",
                    key.as_str(),
                    shown(text),
                    word::listed(allowed)
                );
                self.findings.error(code, node.span.clone(), message, nearest.map(str::to_owned));
                None
            }
        }
    }

    /// The names of a list; a text alone is a list of one. Absent or blank: `None`.
    pub(super) fn list(&mut self, key: Key, node: &Node) -> Option<Vec<String>> {
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Map => {
                let message = format!("{} is a map; it can be a list of names", key.as_str());
                self.error(node.span.clone(), message, None);
                return None;
            }
            Kind::Scalar(..) if node.is_blank() => return None,
            Kind::Scalar(..) => std::slice::from_ref(node),
            Kind::Alias => return None,
        };
        Some(items.iter().filter_map(|item| self.item(key, item)).collect())
    }

    fn item(&mut self, key: Key, item: &Node) -> Option<String> {
        let what = match &item.kind {
            Kind::Scalar(..) if item.is_blank() => "blank",
            Kind::Scalar(text, _) => {
                self.control_characters(key, item, text);
                return Some(text.trim().to_owned());
            }
            Kind::List(_) => "a list",
            Kind::Map => "a map",
            Kind::Alias => return None,
        };
        let source = self.source(item.span.clone()).map(str::trim).filter(|text| !text.is_empty());
        let found = source.map_or(String::new(), |text| format!(", {}", shown(text)));
        let message = format!(
            "an item of {} is {what}{found}; each is one name, in quotes where it has `:`, `[` or `{{`",
            key.as_str()
        );
        let right = source.filter(|_| matches!(item.kind, Kind::Map)).map(quoted);
        self.error(item.span.clone(), message, right);
        None
    }

    /// Notes characters that no title or name has, and that a hub may choke on: NUL, escape and their like.
    fn control_characters(&mut self, key: Key, node: &Node, text: &str) {
        let controls: String = text.chars().filter(|c| c.is_control() && !c.is_whitespace()).collect();
        if let Some(names) = word::hidden_in(&controls) {
            self.error(node.span.clone(), format!("{} holds {names}; remove it", key.as_str()), None);
        }
    }

    /// The text of a scalar; notes a list or map.
    fn scalar<'n>(&mut self, key: Key, node: &'n Node, allowed: &str) -> Option<&'n str> {
        let what = match node.kind {
            Kind::Scalar(ref text, _) => return Some(text),
            Kind::List(_) => "a list",
            Kind::Map => "a map",
            Kind::Alias => return None,
        };
        let right = self.source(node.span.clone()).map(|text| format!("{}: {}", key.as_str(), quoted(text.trim())));
        let message = format!("{} is {what}; it can be {allowed}", key.as_str());
        self.error(node.span.clone(), message, right.filter(|_| key == Key::Title));
        None
    }

    /// Notes what blocks the document.
    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>, suggestion: Option<String>) {
        self.findings.error(Code::FrontMatter, span, message, suggestion);
    }

    /// What the file says at a place within one line.
    pub(super) fn source(&self, span: Range<usize>) -> Option<&str> {
        let text = self.block.get(span.start.checked_sub(self.offset)?..span.end.checked_sub(self.offset)?)?;
        Some(text).filter(|text| !text.trim_end().contains('\n'))
    }

    /// The rest of a value's line, if it is a comment: with the blanks before it.
    fn comment_after(&self, node: &Node) -> Option<&str> {
        let rest = self.block.get(node.span.end.checked_sub(self.offset)?..)?;
        let line = rest.lines().next()?;
        // A value that is nothing has the place of its key.
        let line = if node.is_null() { line.strip_prefix(':').unwrap_or(line) } else { line };
        line.trim_start().starts_with('#').then_some(line)
    }
}

/// A comment that its author set apart as one: two blanks before the `#`, one after it.
fn is_remark(comment: &str) -> bool {
    let text = comment.trim_start();
    comment.len() - text.len() >= 2 && (text.starts_with("# ") || text == "#")
}

/// The characters that hide in a text, as part of a sentence.
fn hidden(text: &str) -> String {
    word::hidden_in(text).map(|names| format!(" and holds {names}")).unwrap_or_default()
}

/// A title in one line, however many it is written in.
fn one_line(text: &str) -> String {
    text.trim().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The title that a page takes from the name of its file, where its document gives none: one line of what can be seen.
pub fn title_of_name(stem: &str) -> String {
    let seen = stem
        .chars()
        .filter(|c| !word::is_direction_mark(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    let title = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.is_empty() { "Untitled".to_owned() } else { title }
}

#[cfg(test)]
mod tests {
    use super::title_of_name;

    #[test]
    fn a_files_name_is_a_title_of_what_can_be_seen() {
        for (name, title) in [
            ("Pricing objections", "Pricing objections"),
            ("\u{1b}[31mred", "[31mred"),
            ("a\nb", "a b"),
            ("\u{202e}gnp", "gnp"),
            (" lead  and trail ", "lead and trail"),
            ("\u{7}", "Untitled"),
        ] {
            assert_eq!(title_of_name(name), title);
        }
    }
}
