//! What there is to say about a file: which finding, in what words, and where.
//!
//! The subjects of this room note findings by byte span; line and column are counted once, at the end, in one pass over
//! the file, so that a thousand findings cost no more than one.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::reason::{Code, Reason};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is blocked until it is mended.
    Error,
    /// The document is published, perhaps not as its author meant.
    Warning,
}

impl Severity {
    /// The word that `check --json` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Which finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiagnosticCode {
    /// The document is blocked for a reason that `status` knows too.
    Reason(Code),
    /// Another tool's key that looks like one of ours.
    NearMiss,
    /// A `title` without a text.
    TitleBlank,
    /// A `title` that YAML cuts short at ` #`.
    TitleCut,
    /// `draft: true` beside `status: published`.
    DraftContradicts,
    /// A link to a file that is not there, or to a Markdown file without a page.
    BrokenLink,
    /// A link that leads out of the root.
    LinkOutsideRoot,
    /// A wiki link whose name several notes have.
    AmbiguousWikiLink,
    /// An image that is not there.
    MissingImage,
}

impl DiagnosticCode {
    /// The code as `check --json` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reason(code) => code.as_str(),
            Self::NearMiss => "near_miss",
            Self::TitleBlank => "title_blank",
            Self::TitleCut => "title_cut",
            Self::DraftContradicts => "draft_contradicts",
            Self::BrokenLink => "broken_link",
            Self::LinkOutsideRoot => "link_outside_root",
            Self::AmbiguousWikiLink => "ambiguous_wiki_link",
            Self::MissingImage => "missing_image",
        }
    }
}

/// One finding at its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// Which finding it is.
    pub code: DiagnosticCode,
    /// Cause and cure for a person. May hold text of the file: escape it where it is shown.
    pub message: String,
    /// What would be right, ready to paste.
    pub suggestion: Option<String>,
    /// Line in the file, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Bytes in the file.
    pub span: Range<usize>,
}

impl Diagnostic {
    /// The reason for which this blocks its document; `None` for a warning.
    pub fn reason(&self) -> Option<Reason> {
        match (self.severity, self.code) {
            (Severity::Error, DiagnosticCode::Reason(code)) => {
                Some(Reason::new(code, self.message.clone()).at(self.line, self.column))
            }
            _ => None,
        }
    }
}

/// A finding that is not yet counted out to line and column.
struct Finding {
    code: DiagnosticCode,
    severity: Severity,
    message: String,
    suggestion: Option<String>,
    span: Range<usize>,
}

/// The findings of one file, as they come.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Notes what blocks the document, and what would be right.
    pub(super) fn error(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let (severity, code, message) = (Severity::Error, DiagnosticCode::Reason(code), message.into());
        self.0.push(Finding { code, severity, message, suggestion, span });
    }

    /// Notes what its author should know, and what would be right.
    pub(super) fn warn(
        &mut self,
        code: DiagnosticCode,
        span: Range<usize>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let (severity, message) = (Severity::Warning, message.into());
        self.0.push(Finding { code, severity, message, suggestion, span });
    }

    /// The findings with line and column, in the order of the file.
    pub(super) fn located(mut self, bytes: &[u8]) -> Vec<Diagnostic> {
        self.0.sort_by_key(|f| (f.span.start, f.severity));
        let mut at = Position::default();
        self.0
            .into_iter()
            .map(|f| {
                let start = f.span.start.min(bytes.len());
                at.advance(bytes, start);
                Diagnostic {
                    severity: f.severity,
                    code: f.code,
                    message: f.message,
                    suggestion: f.suggestion,
                    line: at.line + 1,
                    column: at.column + 1,
                    span: start..f.span.end.clamp(start, bytes.len()),
                }
            })
            .collect()
    }
}

/// A place that only moves forward through the bytes.
#[derive(Default)]
struct Position {
    offset: usize,
    line: u32,
    column: u32,
}

impl Position {
    fn advance(&mut self, bytes: &[u8], to: usize) {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        if self.offset == 0 && to >= BOM.len() && bytes.starts_with(BOM) {
            self.offset = BOM.len();
        }
        for &byte in bytes.get(self.offset..to).unwrap_or_default() {
            let starts_a_character = byte & 0b1100_0000 != 0b1000_0000;
            if byte == b'\n' {
                (self.line, self.column) = (self.line.saturating_add(1), 0);
            } else if starts_a_character {
                self.column = self.column.saturating_add(1);
            }
        }
        self.offset = self.offset.max(to);
    }
}

/// A word of the file in a message: quoted, and cut where it is long.
pub(super) fn shown(word: &str) -> String {
    const LONGEST: usize = 60;
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("\"{}…\"", &word[..end]),
        None => format!("\"{word}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_and_sorted() {
        let file = "\u{feff}é日x\r\nab".as_bytes();
        let mut findings = Findings::default();
        findings.error(Code::FrontMatter, 12..13, "b", None);
        findings.warn(DiagnosticCode::NearMiss, 8..9, "x", Some("y".to_owned()));
        findings.warn(DiagnosticCode::NearMiss, 99..120, "beyond the end", None);
        let found = findings.located(file);
        let places: Vec<_> = found.iter().map(|d| (d.line, d.column, d.span.clone())).collect();
        assert_eq!(places, [(1, 3, 8..9), (2, 2, 12..13), (2, 3, 13..13)]);
        assert_eq!(found[0].suggestion.as_deref(), Some("y"));
        assert_eq!(found[1].reason().and_then(|r| r.line), Some(2));
        assert_eq!(found[0].reason(), None);
    }
}
