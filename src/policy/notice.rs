//! `publish.notice`: what the last line of every published page says, checked once.

use crate::page::DocPath;

/// One line, with `{path}` in it where the document's path is to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice(String);

/// Why a text can't be the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNotice {
    /// It says nothing.
    #[error("it says nothing")]
    Blank,
    /// It has more than one line, or what can't be seen.
    #[error("it must be one line, without control characters")]
    Lines,
}

impl Notice {
    const SLOT: &'static str = "{path}";

    /// Takes a line.
    ///
    /// # Errors
    /// Where it could not be told from a text.
    pub fn parse(text: &str) -> Result<Self, BadNotice> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadNotice::Blank);
        }
        if text.chars().any(char::is_control) {
            return Err(BadNotice::Lines);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line for a document.
    pub fn line(&self, path: &DocPath) -> String {
        let path: String = path.to_text().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        self.0.replace(Self::SLOT, &path)
    }

    /// Whether a line is this notice, for whatever document: that may have had another path when it was published.
    pub fn is(&self, line: &str) -> bool {
        let line = line.trim();
        let Some((before, after)) = self.0.split_once(Self::SLOT) else { return line == self.0 };
        let Some(rest) = line.strip_prefix(before) else { return false };
        let last = after.rsplit(Self::SLOT).next().unwrap_or(after);
        rest.len() > last.len() && rest.ends_with(last)
    }
}
