//! What a hub holds: users, folders, skills and sources. Pages have a file of their own.

use serde::{Deserialize, Serialize};

use super::time::{SECOND, Time};

/// Somebody who works in the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Opaque id.
    pub id: String,
    /// Email address.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
}

impl User {
    /// The user whose key this is.
    #[must_use]
    pub fn admin() -> User {
        User::new("u0000000admin", "admin@example.com", "Ada", "Admin")
    }

    /// Somebody else.
    #[must_use]
    pub fn colleague() -> User {
        User::new("u000colleague", "colleague@example.com", "Cleo", "Colleague")
    }

    fn new(id: &str, email: &str, first_name: &str, last_name: &str) -> User {
        let [id, email, first_name, last_name] = [id, email, first_name, last_name].map(str::to_owned);
        User { id, email, first_name, last_name }
    }
}

/// Who may see something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Its owner.
    Private,
    /// Everybody in the workspace.
    #[default]
    Workspace,
    /// Everybody.
    Global,
}

/// A folder, also called a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Opaque id.
    pub id: String,
    /// Name, not unique.
    pub name: String,
    /// Icon.
    pub emoji: Option<String>,
    /// Id of the folder it lies in; none at the top.
    pub parent: Option<String>,
    /// When it was made.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
}

/// A skill that pages can be linked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// Opaque id.
    pub id: String,
    /// Name.
    pub name: String,
    /// The name as part of a URL.
    pub slug: String,
    /// What it is about.
    pub description: String,
    /// When it was made.
    pub created_at: Time,
}

/// A source: an uploaded file, or a URL whose text is extracted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Opaque id.
    pub id: String,
    /// Title, not unique.
    pub title: String,
    /// Where the text comes from; none for an upload.
    pub url: Option<String>,
    /// Cover image, or empty.
    pub cover: String,
    /// Ids of the folders it lies in.
    pub folder_ids: Vec<String>,
    /// The text, once it is extracted.
    pub text: String,
    /// Who added it.
    pub created_by: Option<User>,
    /// When it was added.
    pub created_at: Time,
    /// When its text is there: extraction takes a while.
    pub ready_at: Time,
    /// Deleted sources are kept but never shown.
    pub deleted: bool,
}

impl Source {
    /// How far the extraction is: half of the time it waits, half of the time it works.
    pub(super) fn progress(&self, now: Time) -> &'static str {
        let left = self.ready_at.0.saturating_sub(now.0);
        match left {
            i64::MIN..=0 => "ready",
            left if left > EXTRACTION / 2 => "pending",
            _ => "processing",
        }
    }
}

/// How long the extraction of a URL takes, in microseconds.
pub(super) const EXTRACTION: i64 = 4 * SECOND;

/// The name as part of a URL: lower case letters and digits, joined by dashes.
pub(super) fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}
