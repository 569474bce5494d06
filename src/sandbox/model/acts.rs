//! What somebody else does in the hub, past the API: a colleague at the editor, and whoever sets the scene.

use thiserror::Error;

use super::objects::{EXTRACTION, Folder, Skill, Source, User, Visibility, slug};
use super::page::{Draft, Page, Status};
use super::time::Time;
use super::{Model, normalise};

/// What a colleague does to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Writes a text and publishes it.
    Publish {
        /// Title.
        title: String,
        /// Markdown.
        content: String,
    },
    /// Writes a text and leaves it as a draft.
    SaveDraft {
        /// Title.
        title: String,
        /// Markdown.
        content: String,
    },
    /// Throws the draft of a published page away.
    DiscardDraft,
    /// Puts the page into other folders and links it to other skills.
    File {
        /// Ids; replace the page's.
        folder_ids: Vec<String>,
        /// Ids; replace the page's.
        skill_ids: Vec<String>,
    },
    /// Archives it.
    Archive,
    /// Brings it back from the archive.
    Restore,
}

/// Why a colleague could not do that.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActError {
    /// No page has this id.
    #[error("there is no page {0}")]
    NoSuchPage(String),
    /// A folder, skill or source that does not exist.
    #[error("there is no folder, skill or source {0}")]
    Unknown(String),
    /// Archived pages have to be restored first.
    #[error("the page is archived: restore it first")]
    Archived,
    /// Only archived pages can be restored.
    #[error("the page is not archived")]
    NotArchived,
    /// A page needs a text: without a published one its draft has to stay.
    #[error("the page was never published: without its draft nothing would be left")]
    OnlyADraft,
    /// Ids are given once.
    #[error("there is a page {0} already")]
    Taken(String),
}

/// Whose a page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The user of the key.
    #[default]
    Admin,
    /// Somebody else.
    Colleague,
    /// Nobody: the owner has left the workspace.
    Nobody,
}

/// A page to begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPage {
    /// An id of one's own choice.
    pub id: Option<String>,
    /// Title.
    pub title: String,
    /// Markdown.
    pub content: String,
    /// A draft, published, or published and archived.
    pub status: Status,
    /// Whose it is.
    pub owner: Owner,
    /// Who may see it.
    pub visibility: Visibility,
    /// Ids.
    pub folder_ids: Vec<String>,
    /// Ids.
    pub skill_ids: Vec<String>,
    /// Ids.
    pub source_ids: Vec<String>,
}

impl Model {
    /// Adds a folder, at the top or in another, and returns its id.
    pub fn add_folder(&mut self, now: Time, name: &str, parent: Option<&str>) -> String {
        let created_at = self.stamp(now);
        let folder = Folder {
            id: self.new_id(),
            name: name.to_owned(),
            emoji: None,
            parent: parent.map(str::to_owned),
            created_at,
            updated_at: created_at,
        };
        let id = folder.id.clone();
        self.state.folders.insert(id.clone(), folder);
        id
    }

    /// Adds a skill and returns its id; its slug is made from the name.
    pub fn add_skill(&mut self, now: Time, name: &str) -> String {
        let created_at = self.stamp(now);
        let (id, slug) = (self.new_id(), slug(name));
        let skill = Skill { id: id.clone(), name: name.to_owned(), slug, description: String::new(), created_at };
        self.state.skills.insert(id.clone(), skill);
        id
    }

    /// Adds a source (an upload, or one with a URL whose extraction begins) and returns its id.
    pub fn add_source(&mut self, now: Time, title: &str, url: Option<&str>) -> String {
        let created_at = self.stamp(now);
        let wait = if url.is_some() { EXTRACTION } else { 0 };
        let source = Source {
            id: self.new_id(),
            title: title.to_owned(),
            url: url.map(str::to_owned),
            cover: String::new(),
            folder_ids: Vec::new(),
            text: format!("Text of {title}"),
            created_by: Some(User::colleague()),
            created_at,
            ready_at: created_at.plus(wait),
            deleted: false,
        };
        let id = source.id.clone();
        self.state.sources.insert(id.clone(), source);
        id
    }

    /// Adds a page and returns its id. A page of that id is replaced; ids of what does not exist are never shown.
    pub fn add_page(&mut self, now: Time, new: NewPage) -> String {
        let created_at = self.stamp(now);
        let content = normalise::stored(self.settings.normalise, &new.content);
        let id = match new.id {
            Some(id) => id,
            None => self.new_id(),
        };
        let owner = match new.owner {
            Owner::Admin => Some(User::admin()),
            Owner::Colleague => Some(User::colleague()),
            Owner::Nobody => None,
        };
        let mut page = Page {
            id: id.clone(),
            live: None,
            draft: Some(Draft { title: new.title, content: Some(content) }),
            versions: Vec::new(),
            archived: new.status == Status::Archived,
            visibility: new.visibility,
            owner: owner.clone(),
            folder_ids: new.folder_ids,
            skill_ids: new.skill_ids,
            source_ids: new.source_ids,
            created_at,
            updated_at: created_at,
        };
        if new.status != Status::Draft {
            page.publish(created_at, owner);
        }
        self.state.pages.insert(id.clone(), page);
        id
    }

    /// Lets a colleague do something to a page, past the API and its limits.
    pub fn colleague(&mut self, now: Time, id: &str, act: Act) -> Result<(), ActError> {
        let known = self.state.pages.get(id);
        let mut page = known.cloned().ok_or_else(|| ActError::NoSuchPage(id.to_owned()))?;
        match (page.archived, &act) {
            (true, Act::Restore) | (false, _) => {}
            (true, _) => return Err(ActError::Archived),
        }
        let text = |content: &str| Some(normalise::stored(self.settings.normalise, content));
        let (by, at) = (Some(User::colleague()), self.next_stamp(now));
        match act {
            Act::Publish { title, content } => {
                page.save_draft(Some(title), text(&content));
                page.publish(at, by);
            }
            Act::SaveDraft { title, content } => page.save_draft(Some(title), text(&content)),
            Act::DiscardDraft if page.live.is_none() => return Err(ActError::OnlyADraft),
            Act::DiscardDraft => page.draft = None,
            Act::File { folder_ids, skill_ids } => {
                self.all_exist(&folder_ids, &skill_ids, &[])?;
                page.folder_ids = folder_ids;
                page.skill_ids = skill_ids;
            }
            Act::Archive => page.archived = true,
            Act::Restore if !page.archived => return Err(ActError::NotArchived),
            Act::Restore => page.archived = false,
        }
        page.updated_at = self.stamp(now);
        self.state.pages.insert(page.id.clone(), page);
        Ok(())
    }

    /// Whether all of these are in the hub.
    pub fn all_exist(&self, folders: &[String], skills: &[String], sources: &[String]) -> Result<(), ActError> {
        let folder = folders.iter().find(|id| !self.state.folders.contains_key(*id));
        let skill = skills.iter().find(|id| !self.state.skills.contains_key(*id));
        let source = sources.iter().find(|id| !self.state.sources.contains_key(*id));
        match folder.or(skill).or(source) {
            Some(id) => Err(ActError::Unknown(id.clone())),
            None => Ok(()),
        }
    }
}
