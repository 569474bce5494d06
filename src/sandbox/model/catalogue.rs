//! Endpoints of what pages refer to: the workspace, folders, skills and sources.

use serde_json::{Value, json};

use super::Model;
use super::body::Body;
use super::listing::{Part, matches};
use super::objects::{EXTRACTION, Folder, Skill, Source, User};
use super::page::Page;
use super::target::Query;
use super::time::Time;
use super::wire::{Done, Refusal, Request};

const TYPES: [&str; 7] = ["upload", "url", "notion", "google_drive", "guru", "page", "integration"];
const PROGRESS: [&str; 4] = ["pending", "processing", "ready", "failed"];

impl Model {
    pub(super) fn workspace(&self) -> Done {
        Done::ok(json!({
            "id": "w0000sandbox",
            "name": "Sandbox",
            "url_slug": "sandbox",
            "created_at": "2026-01-01T00:00:00Z",
        }))
    }

    pub(super) fn list_skills(&self, query: &Query) -> Result<Done, Refusal> {
        let part = Part::of(query)?;
        let mut rows: Vec<&Skill> = self.state.skills.values().collect();
        rows.sort_by_key(|skill| (skill.name.to_lowercase(), &skill.id));
        let proficiency = query.includes("proficiency");
        Ok(part.answer(&rows, |skill| {
            let mut value = json!({
                "id": skill.id,
                "name": skill.name,
                "slug": skill.slug,
                "description": skill.description,
                "created_at": skill.created_at,
            });
            if proficiency {
                value["proficiency_summary"] = json!({
                    "participant_count": 0, "scored_participant_count": 0, "pct_proficient_plus": 0, "avg_score": null,
                });
            }
            value
        }))
    }

    pub(super) fn list_folders(&self, query: &Query) -> Result<Done, Refusal> {
        let part = Part::of(query)?;
        let (parent, wanted) = (query.text("parent_id"), query.text("query"));
        let lies_there = |folder: &&Folder| parent.is_none_or(|id| folder.parent.as_deref() == Some(id));
        let all = self.state.folders.values();
        let mut rows: Vec<&Folder> = all.filter(lies_there).filter(|folder| matches(&folder.name, wanted)).collect();
        rows.sort_by_key(|folder| (folder.name.to_lowercase(), &folder.id));
        Ok(part.answer(&rows, |folder| self.folder_value(folder)))
    }

    pub(super) fn get_folder(&self, id: &str) -> Result<Done, Refusal> {
        let folder = self.state.folders.get(id);
        let folder = folder.ok_or_else(|| Refusal::NotFound { what: "Folder", id: id.to_owned() })?;
        Ok(Done::ok(self.folder_value(folder)))
    }

    fn folder_value(&self, folder: &Folder) -> Value {
        let lies_here = |page: &&Page| !page.archived && page.folder_ids.contains(&folder.id);
        let is_child = |other: &&Folder| other.parent.as_deref() == Some(&folder.id);
        json!({
            "id": folder.id,
            "name": folder.name,
            "emoji": folder.emoji,
            "parent": folder.parent,
            "visibility": "workspace",
            "item_count": self.state.pages.values().filter(lies_here).count(),
            "subfolder_count": self.state.folders.values().filter(is_child).count(),
            "created_at": folder.created_at,
            "updated_at": folder.updated_at,
        })
    }

    pub(super) fn list_sources(&self, now: Time, query: &Query) -> Result<Done, Refusal> {
        let part = Part::of(query)?;
        let kind = query.choice("type", &TYPES, "invalid_type")?;
        let status = query.choice("status", &PROGRESS, "invalid_status")?;
        let (folder, wanted) = (query.text("folder_id"), query.text("query"));
        let page = query.text("page_id").map(|id| self.state.pages.get(id).map(|page| &page.source_ids));
        let fits = |source: &&Source| {
            !source.deleted
                && kind.is_none_or(|kind| source_type(source) == kind)
                && status.is_none_or(|status| source.progress(now) == status)
                && folder.is_none_or(|id| source.folder_ids.iter().any(|known| known == id))
                && page.is_none_or(|ids| ids.is_some_and(|ids| ids.contains(&source.id)))
                && matches(&source.title, wanted)
        };
        let mut rows: Vec<&Source> = self.state.sources.values().filter(fits).collect();
        rows.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(part.answer(&rows, |source| self.source_value(now, source)))
    }

    pub(super) fn get_source(&self, now: Time, id: &str, query: &Query) -> Result<Done, Refusal> {
        let source = self.present_source(id)?;
        let mut value = self.source_value(now, source);
        if query.includes("content") {
            value["content"] = if source.progress(now) == "ready" { json!(source.text) } else { Value::Null };
        }
        Ok(Done::ok(value))
    }

    pub(super) fn create_source(&mut self, now: Time, request: &Request) -> Result<Done, Refusal> {
        let body = Body::of(request)?;
        body.required("type")?;
        body.choice("type", &[("url", ())])?;
        let (title, url) = (body.required("title")?, body.required("url")?);
        let cover = body.text("cover")?.unwrap_or_default();
        let folder_ids = body.ids("folder_ids")?.unwrap_or_default();
        self.known_folders(&folder_ids)?;
        if !is_absolute(&url) {
            return Err(Refusal::invalid("invalid_url", "url must be an absolute URL"));
        }
        let twin = self.state.sources.values().find(|source| !source.deleted && source.url.as_deref() == Some(&*url));
        if let Some(twin) = twin {
            return Ok(Done::ok(self.source_value(now, twin)));
        }
        let created_at = self.stamp(now);
        let source = Source {
            id: self.new_id(),
            title,
            text: format!("Text extracted from {url}"),
            url: Some(url),
            cover,
            folder_ids,
            created_by: Some(User::admin()),
            created_at,
            ready_at: created_at.plus(EXTRACTION),
            deleted: false,
        };
        let value = self.source_value(now, &source);
        self.state.sources.insert(source.id.clone(), source);
        Ok(Done::created(value))
    }

    pub(super) fn delete_source(&mut self, id: &str) -> Result<Done, Refusal> {
        self.present_source(id)?;
        if let Some(source) = self.state.sources.get_mut(id) {
            source.deleted = true;
        }
        Ok(Done::ok(json!({"id": id, "deleted": true})))
    }

    fn present_source(&self, id: &str) -> Result<&Source, Refusal> {
        let source = self.state.sources.get(id).filter(|source| !source.deleted);
        source.ok_or_else(|| Refusal::NotFound { what: "Source", id: id.to_owned() })
    }

    pub(super) fn source_value(&self, now: Time, source: &Source) -> Value {
        let ready = source.progress(now) == "ready";
        json!({
            "id": source.id,
            "title": source.title,
            "source_type": source_type(source),
            "status": source.progress(now),
            "content_format": ready.then_some("plain_text"),
            "token_count": ready.then(|| source.text.split_whitespace().count()),
            "has_images": false,
            "external_url": source.url,
            "summary": null,
            "cover": source.cover,
            "folders": self.folder_refs(&source.folder_ids),
            "created_by": source.created_by,
            "created_at": source.created_at,
            "updated_at": if ready { source.ready_at } else { source.created_at },
            "processed_at": ready.then_some(source.ready_at),
        })
    }

    pub(super) fn folder_refs(&self, ids: &[String]) -> Vec<Value> {
        let folders = ids.iter().filter_map(|id| self.state.folders.get(id));
        folders.map(|folder| json!({"id": folder.id, "name": folder.name, "emoji": folder.emoji})).collect()
    }

    pub(super) fn skill_refs(&self, ids: &[String]) -> Vec<Value> {
        let skills = ids.iter().filter_map(|id| self.state.skills.get(id));
        skills.map(|skill| json!({"id": skill.id, "name": skill.name})).collect()
    }

    pub(super) fn known_folders(&self, ids: &[String]) -> Result<(), Refusal> {
        all_known(ids, "folder_not_found", "Folder", |id| self.state.folders.contains_key(id))
    }

    pub(super) fn known_skills(&self, ids: &[String]) -> Result<(), Refusal> {
        all_known(ids, "skill_not_found", "Skill", |id| self.state.skills.contains_key(id))
    }

    pub(super) fn known_sources(&self, ids: &[String]) -> Result<(), Refusal> {
        all_known(ids, "source_not_found", "Source", |id| self.present_source(id).is_ok())
    }
}

fn all_known(ids: &[String], code: &'static str, what: &str, known: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    match ids.iter().find(|id| !known(id)) {
        Some(id) => Err(Refusal::invalid(code, format!("{what} not found: {id}"))),
        None => Ok(()),
    }
}

fn source_type(source: &Source) -> &'static str {
    if source.url.is_some() { "url" } else { "upload" }
}

/// Whether this is a scheme and something after it, without white space.
fn is_absolute(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(word)
        && !rest.is_empty()
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
}
