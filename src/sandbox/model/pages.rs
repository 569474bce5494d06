//! Endpoints of pages: list, create, read, change, archive, history.

use serde_json::{Value, json};

use super::body::Body;
use super::listing::{Part, matches};
use super::objects::{User, Visibility};
use super::page::{Draft, Page, Status, Version};
use super::settings::Reading;
use super::target::Query;
use super::time::Time;
use super::wire::{Done, Refusal, Request};
use super::{Model, normalise};

const STATUSES: [&str; 3] = ["draft", "published", "archived"];
const SORTS: [&str; 3] = ["updated_at", "created_at", "title"];
const WRITABLE: [(&str, Status); 2] = [("draft", Status::Draft), ("published", Status::Published)];
const SCOPES: [(&str, Visibility); 2] = [("private", Visibility::Private), ("workspace", Visibility::Workspace)];

/// What a request wants of a page; what it does not name stays.
struct Edit {
    title: Option<String>,
    content: Option<String>,
    status: Option<Status>,
    lists: Lists,
}

/// The lists of ids that a request sent.
struct Lists {
    folder_ids: Option<Vec<String>>,
    skill_ids: Option<Vec<String>>,
    source_ids: Option<Vec<String>>,
}

impl Lists {
    fn any(&self) -> bool {
        self.folder_ids.is_some() || self.skill_ids.is_some() || self.source_ids.is_some()
    }

    fn put_into(self, page: &mut Page) {
        let Lists { folder_ids, skill_ids, source_ids } = self;
        for (new, old) in
            [(folder_ids, &mut page.folder_ids), (skill_ids, &mut page.skill_ids), (source_ids, &mut page.source_ids)]
        {
            if let Some(new) = new {
                *old = new;
            }
        }
    }
}

impl Model {
    pub(super) fn list_pages(&self, query: &Query) -> Result<Done, Refusal> {
        let part = Part::of(query)?;
        let status = query.choice("status", &STATUSES, "invalid_status")?;
        let sort = query.choice("sort", &SORTS, "invalid_sort")?.unwrap_or("updated_at");
        let (after, before) = (query.first_moment("updated_after")?, query.last_moment("updated_before")?);
        let (folder, skill) = (query.text("folder_id"), query.text("skill_id"));
        let (owner, wanted) = (query.text("owner_id"), query.text("query"));
        let names = |ids: &[String], wanted: Option<&str>| wanted.is_none_or(|id| ids.iter().any(|known| known == id));
        let fits = |page: &&Page| {
            status.map_or(!page.archived, |status| page.status().word() == status)
                && names(&page.folder_ids, folder)
                && names(&page.skill_ids, skill)
                && owner.is_none_or(|id| page.owner.as_ref().is_some_and(|user| user.id == id))
                && after.is_none_or(|after| page.updated_at >= after)
                && before.is_none_or(|before| page.updated_at <= before)
                && matches(page.title(), wanted)
        };
        let mut rows: Vec<&Page> = self.state.pages.values().filter(fits).collect();
        match sort {
            "title" => rows.sort_by_cached_key(|page| (page.title().to_lowercase(), page.id.clone())),
            "created_at" => rows.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id))),
            _ => rows.sort_by(|a, b| (b.updated_at, &b.id).cmp(&(a.updated_at, &a.id))),
        }
        Ok(part.answer(&rows, |page| self.page_row(page)))
    }

    pub(super) fn create_page(&mut self, now: Time, request: &Request) -> Result<Done, Refusal> {
        let body = Body::of(request)?;
        let title = body.required("title")?;
        let edit = self.edit(&body)?;
        let visibility = body.choice("visibility", &SCOPES)?.unwrap_or_default();
        let created_at = self.stamp(now);
        let content = edit.content.map(|text| normalise::stored(self.settings.normalise, &text));
        let mut page = Page {
            id: self.new_id(),
            live: None,
            draft: Some(Draft { title, content }),
            versions: Vec::new(),
            archived: false,
            visibility,
            owner: Some(User::admin()),
            folder_ids: Vec::new(),
            skill_ids: Vec::new(),
            source_ids: Vec::new(),
            created_at,
            updated_at: created_at,
        };
        edit.lists.put_into(&mut page);
        if edit.status == Some(Status::Published) {
            page.publish(created_at, Some(User::admin()));
        }
        let value = self.page_detail(now, &page);
        self.state.pages.insert(page.id.clone(), page);
        Ok(Done::created(value))
    }

    pub(super) fn get_page(&self, now: Time, id: &str, query: &Query) -> Result<Done, Refusal> {
        let page = self.open_page(id)?;
        let mut value = self.page_detail(now, page);
        if query.includes("draft") {
            value["draft"] = match &page.draft {
                Some(draft) => json!({"title": draft.title, "content": draft.content}),
                None => Value::Null,
            };
        }
        Ok(Done::ok(value))
    }

    pub(super) fn update_page(&mut self, now: Time, id: &str, request: &Request) -> Result<Done, Refusal> {
        let mut page = self.open_page(id)?.clone();
        let edit = self.edit(&Body::of(request)?)?;
        self.apply(now, &mut page, edit);
        let value = self.page_detail(now, &page);
        self.state.pages.insert(page.id.clone(), page);
        Ok(Done::ok(value))
    }

    pub(super) fn archive_page(&mut self, now: Time, id: &str) -> Result<Done, Refusal> {
        self.open_page(id)?;
        let updated_at = self.stamp(now);
        if let Some(page) = self.state.pages.get_mut(id) {
            page.archived = true;
            page.updated_at = updated_at;
        }
        Ok(Done::ok(json!({"id": id, "deleted": true})))
    }

    pub(super) fn list_versions(&self, id: &str, query: &Query) -> Result<Done, Refusal> {
        let page = self.open_page(id)?;
        let rows: Vec<&Version> = page.versions.iter().rev().collect();
        Ok(Part::of(query)?.answer(&rows, |version| {
            json!({
                "version": version.version,
                "title": version.title,
                "change_type": version.change,
                "created_by": version.created_by,
                "created_at": version.created_at,
                "updated_at": version.created_at,
            })
        }))
    }

    /// Carries out an edit that was found valid: lists at once, text into the draft, then what `status` asks for.
    fn apply(&mut self, now: Time, page: &mut Page, edit: Edit) {
        let (text, lists) = (edit.title.is_some() || edit.content.is_some(), edit.lists.any());
        let silent = lists && !text && edit.status.is_none() && self.settings.takes(Reading::ListsSilent);
        if (text || lists || edit.status.is_some()) && !silent {
            page.updated_at = self.stamp(now);
        }
        edit.lists.put_into(page);
        if text {
            self.take_text(page, edit.title, edit.content, edit.status);
        }
        let lists_alone = lists && !text && edit.status.is_none();
        if edit.status == Some(Status::Published) {
            if self.settings.takes(Reading::RepublishFolds) && page.publishes_nothing_new() {
                page.draft = None;
            } else {
                page.publish(page.updated_at, Some(User::admin()));
            }
        } else if edit.status == Some(Status::Draft) && self.settings.takes(Reading::DraftTakesDown) {
            page.take_down();
        } else if lists_alone && page.live.is_some() && self.settings.takes(Reading::ListsVersion) {
            let draft = page.draft.take();
            page.publish(page.updated_at, Some(User::admin()));
            page.draft = draft;
        }
    }

    /// Puts a text into the draft. (A hub of the other reading shows a title that comes without a status at once.)
    fn take_text(&self, page: &mut Page, title: Option<String>, content: Option<String>, status: Option<Status>) {
        let at_once = status.is_none() && self.settings.takes(Reading::TitleLive);
        if let (true, Some(title), Some(live)) = (at_once, &title, &mut page.live) {
            live.title.clone_from(title);
            if content.is_none() && page.draft.is_none() {
                return;
            }
        }
        page.save_draft(title, content.map(|text| normalise::stored(self.settings.normalise, &text)));
    }

    /// Reads and checks a whole edit before anything is changed.
    fn edit(&self, body: &Body) -> Result<Edit, Refusal> {
        let lists = Lists {
            folder_ids: body.ids("folder_ids")?,
            skill_ids: body.ids("skill_ids")?,
            source_ids: body.ids("source_ids")?,
        };
        let edit = Edit {
            title: body.text("title")?,
            content: body.text("content")?,
            status: body.choice("status", &WRITABLE)?,
            lists,
        };
        self.known_folders(edit.lists.folder_ids.as_deref().unwrap_or_default())?;
        self.known_skills(edit.lists.skill_ids.as_deref().unwrap_or_default())?;
        self.known_sources(edit.lists.source_ids.as_deref().unwrap_or_default())?;
        Ok(edit)
    }

    /// A page that the API shows.
    fn open_page(&self, id: &str) -> Result<&Page, Refusal> {
        let shown = |page: &&Page| !page.archived || self.settings.takes(Reading::ArchivedEditable);
        let page = self.state.pages.get(id).filter(shown);
        page.ok_or_else(|| Refusal::NotFound { what: "Page", id: id.to_owned() })
    }

    fn page_row(&self, page: &Page) -> Value {
        json!({
            "id": page.id,
            "title": page.title(),
            "status": page.status(),
            "visibility": page.visibility,
            "owner": page.owner,
            "folders": self.folder_refs(&page.folder_ids),
            "skills": self.skill_refs(&page.skill_ids),
            "source_count": self.sources_of(page).count(),
            "version": page.version(),
            "cover": "",
            "published_at": page.live.as_ref().map(|live| live.published_at),
            "created_at": page.created_at,
            "updated_at": page.updated_at,
        })
    }

    fn page_detail(&self, now: Time, page: &Page) -> Value {
        let mut value = self.page_row(page);
        value["content"] = json!(page.content());
        value["sources"] = self.sources_of(page).map(|source| self.source_value(now, source)).collect();
        value
    }

    fn sources_of<'a>(&'a self, page: &'a Page) -> impl Iterator<Item = &'a super::objects::Source> {
        page.source_ids.iter().filter_map(|id| self.state.sources.get(id)).filter(|source| !source.deleted)
    }
}
