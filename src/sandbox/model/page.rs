//! A page: its live text, its draft, its versions, and the rules by which one becomes the other.

use serde::{Deserialize, Serialize};

use super::objects::{User, Visibility};
use super::time::Time;

/// A page of the hub. It always has a live text, a draft, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Opaque id.
    pub id: String,
    /// What readers see; none if it was never published.
    pub live: Option<Live>,
    /// What editors work on. It may equal the live text.
    pub draft: Option<Draft>,
    /// Every version ever published, oldest first, with its text.
    pub versions: Vec<Version>,
    /// Archived pages are left out of lists, but nothing of them is lost.
    pub archived: bool,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whose it is.
    pub owner: Option<User>,
    /// Ids of its folders.
    pub folder_ids: Vec<String>,
    /// Ids of its skills.
    pub skill_ids: Vec<String>,
    /// Ids of its sources.
    pub source_ids: Vec<String>,
    /// When it was made.
    pub created_at: Time,
    /// When anything of it changed last: text, draft, lists, archived or restored.
    pub updated_at: Time,
}

/// The published text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Number of the version, from 1.
    pub version: u64,
    /// Title.
    pub title: String,
    /// Markdown.
    pub content: String,
    /// When it was published.
    pub published_at: Time,
}

/// The unpublished text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Title.
    pub title: String,
    /// Markdown; none if a page was made without any.
    pub content: Option<String>,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Number, from 1.
    pub version: u64,
    /// Title.
    pub title: String,
    /// Markdown.
    pub content: String,
    /// What made it.
    pub change: ChangeType,
    /// Who made it.
    pub created_by: Option<User>,
    /// When.
    pub created_at: Time,
}

/// What made a version. (The vendor names more kinds; these two are all that the sandbox can make.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeType {
    /// The first version.
    Created,
    /// Any later one.
    ManualEdit,
}

/// Where a page stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not published (yet, or any more).
    #[default]
    Draft,
    /// Published.
    Published,
    /// Archived.
    Archived,
}

impl Status {
    /// The word the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Published => "published",
            Status::Archived => "archived",
        }
    }
}

impl Page {
    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.live, self.archived) {
            (_, true) => Status::Archived,
            (Some(_), false) => Status::Published,
            (None, false) => Status::Draft,
        }
    }

    /// The title it is shown under: the live one, or the draft's where it was never published.
    #[must_use]
    pub fn title(&self) -> &str {
        match (&self.live, &self.draft) {
            (Some(live), _) => &live.title,
            (None, Some(draft)) => &draft.title,
            (None, None) => "",
        }
    }

    /// The published Markdown.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        self.live.as_ref().map(|live| live.content.as_str())
    }

    /// The number of the published version.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.live.as_ref().map(|live| live.version)
    }

    /// Changes the draft, making one from the live text where there is none. What is not given stays.
    pub(super) fn save_draft(&mut self, title: Option<String>, content: Option<String>) {
        let old = self.draft.take().unwrap_or_else(|| match &self.live {
            Some(live) => Draft { title: live.title.clone(), content: Some(live.content.clone()) },
            None => Draft { title: String::new(), content: None },
        });
        self.draft = Some(Draft { title: title.unwrap_or(old.title), content: content.or(old.content) });
    }

    /// Publishes the draft, or the live text again where there is none: the version rises, the draft is gone.
    pub(super) fn publish(&mut self, now: Time, by: Option<User>) {
        let (title, content) = match (self.draft.take(), self.live.take()) {
            (Some(draft), _) => (draft.title, draft.content.unwrap_or_default()),
            (None, Some(live)) => (live.title, live.content),
            (None, None) => return,
        };
        let version = self.versions.last().map_or(1, |last| last.version + 1);
        let change = if version == 1 { ChangeType::Created } else { ChangeType::ManualEdit };
        self.versions.push(Version {
            version,
            title: title.clone(),
            content: content.clone(),
            change,
            created_by: by,
            created_at: now,
        });
        self.live = Some(Live { version, title, content, published_at: now });
    }

    /// Whether publishing now would show readers what they see already.
    pub(super) fn publishes_nothing_new(&self) -> bool {
        match (&self.live, &self.draft) {
            (Some(_), None) => true,
            (Some(live), Some(draft)) => draft.title == live.title && draft.content.as_deref() == Some(&live.content),
            (None, _) => false,
        }
    }

    /// Takes the live text down into the draft. An existing draft stays as it is.
    pub(super) fn take_down(&mut self) {
        if let Some(live) = self.live.take() {
            self.draft.get_or_insert(Draft { title: live.title, content: Some(live.content) });
        }
    }
}
