//! The last texts of a document: a text of the hub that the document once had is no foreign edit (row D8).
//!
//! Pure; `engine` notes them, `reconcile` asks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Digest, Print};

/// The last texts a document had, newest last; at most [`LastTexts::KEPT`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTexts(VecDeque<Had>);

/// One text that a document had: with the title, where that was managed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Had {
    title: Option<String>,
    body: Digest,
}

impl LastTexts {
    /// How many texts are remembered (contract.md, Which side wins).
    pub const KEPT: usize = 20;

    /// Remembers a text; the same text again only moves to the end. Answers whether anything changed.
    pub fn note(&mut self, title: Option<&str>, body: Digest) -> bool {
        let had = Had { title: title.map(str::to_owned), body };
        if self.0.back() == Some(&had) {
            return false;
        }
        self.0.retain(|other| *other != had);
        self.0.push_back(had);
        if self.0.len() > Self::KEPT {
            self.0.pop_front();
        }
        true
    }

    /// Whether the document had another text than this.
    pub fn others(&self, title: Option<&str>, body: Digest) -> bool {
        self.0.iter().any(|had| had.body != body || had.title.as_deref() != title)
    }

    /// Whether the document had this text.
    pub fn contains(&self, text: &Print) -> bool {
        self.0.iter().any(|had| had.body == text.body.exact && had.title.as_ref().is_none_or(|t| *t == text.title))
    }
}
