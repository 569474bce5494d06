//! The hub itself, pure: a request and a time in, an answer out.
//!
//! It reads no clock and rolls no dice: the same settings, requests and times give the same ids, stamps and answers, byte
//! for byte. It never panics, whatever is sent, and never answers 5xx.
//!
//! - [`time`] · [`settings`] what it is told · [`wire`] what travels · `target`, `body` how a request is read
//! - `limits` who is let in · `pages`, `catalogue` the endpoints · `listing` lists in parts
//! - [`page`], [`objects`] what it holds · `normalise` what it does to Markdown · `acts` what others do · `log`

mod acts;
mod body;
mod catalogue;
mod limits;
mod listing;
mod log;
mod normalise;
pub mod objects;
pub mod page;
mod pages;
pub mod settings;
mod target;
pub mod time;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use acts::{Act, ActError, NewPage, Owner};
pub(crate) use body::is_json;
pub use limits::Limits;
pub use log::{LogEntry, REMEMBERED};
pub use objects::{Folder, Skill, Source, User, Visibility};
pub use page::{Draft, Live, Page, Status, Version};
pub use settings::{Normalise, Reading, SANDBOX_KEY, Settings, Stamps, Workspace};
pub use time::Time;
pub use wire::{Request, Response};

use log::Log;
use target::{Endpoint, Query};
use wire::{Done, Refusal};

/// What a hub holds, and what it counts: all that outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pages: BTreeMap<String, Page>,
    folders: BTreeMap<String, Folder>,
    skills: BTreeMap<String, Skill>,
    sources: BTreeMap<String, Source>,
    limits: Limits,
    ids_made: u64,
    last_stamp: Time,
}

/// A hub.
#[derive(Clone, Debug)]
pub struct Model {
    settings: Settings,
    state: State,
    log: Log,
    revision: u64,
}

impl Model {
    /// An empty hub.
    #[must_use]
    pub fn new(settings: Settings) -> Model {
        Model::with_state(settings, State::default())
    }

    /// A hub that goes on where another left off.
    #[must_use]
    pub fn with_state(settings: Settings, state: State) -> Model {
        Model { settings, state, log: Log::default(), revision: 0 }
    }

    /// Answers a request.
    pub fn handle(&mut self, now: Time, request: &Request) -> Response {
        let answered = self.answer(now, request);
        let response = wire::response(now, answered);
        self.log.push(now, request, response.status, None);
        self.revision += 1;
        response
    }

    /// Logs a request that a fault answered, or ate (`status` 0), before the hub could.
    pub fn note(&mut self, now: Time, request: &Request, status: u16, fault: &str) {
        self.log.push(now, request, status, Some(fault.to_owned()));
    }

    /// Logs that the answer to the last request met a fault.
    pub fn note_fault(&mut self, fault: &str) {
        if let Some(entry) = self.log.last_mut() {
            entry.fault = Some(fault.to_owned());
        }
    }

    /// The last requests, oldest first; at least [`REMEMBERED`] of them.
    #[must_use]
    pub fn log(&self) -> &[LogEntry] {
        self.log.entries()
    }

    /// Forgets the log; its numbers go on.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// The page with this id, archived ones too.
    #[must_use]
    pub fn page(&self, id: &str) -> Option<&Page> {
        self.state.pages.get(id)
    }

    /// Every page, archived ones too, in the order of their ids.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.state.pages.values()
    }

    /// The folder with this id.
    #[must_use]
    pub fn folder(&self, id: &str) -> Option<&Folder> {
        self.state.folders.get(id)
    }

    /// The skill with this id.
    #[must_use]
    pub fn skill(&self, id: &str) -> Option<&Skill> {
        self.state.skills.get(id)
    }

    /// What kind of hub this is.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same, to be changed.
    pub fn settings_mut(&mut self) -> &mut Settings {
        self.revision += 1;
        &mut self.settings
    }

    /// All that outlives a restart.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Puts another state in the place of this one.
    pub fn set_state(&mut self, state: State) {
        self.revision += 1;
        self.state = state;
    }

    /// Rises with every change of the state.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Requests counted in the minute and in the day.
    #[must_use]
    pub fn used(&self, now: Time) -> (usize, usize) {
        self.state.limits.used(now, &self.settings)
    }

    /// Somebody else spends a request of the workspace's budget; says whether there was one left.
    pub fn spend(&mut self, now: Time) -> bool {
        self.revision += 1;
        self.state.limits.admit(now, &self.settings).is_ok()
    }

    fn answer(&mut self, now: Time, request: &Request) -> Result<Done, Refusal> {
        let endpoint = Endpoint::at(target::path(&request.target));
        if endpoint.is_none() && !request.target.starts_with("/rest/v1/") {
            return Err(Refusal::NoSuchPath);
        }
        self.authenticate(request)?;
        let counted = self.state.limits.admit(now, &self.settings);
        counted.map_err(|retry_after| Refusal::RateLimited { retry_after })?;
        let answered = match endpoint {
            Some(endpoint) => self.route(now, request, &endpoint),
            None => Err(Refusal::NoSuchPath),
        };
        if answered.is_err() && self.settings.takes(Reading::RefusalsFree) {
            self.state.limits.give_back();
        }
        answered
    }

    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let header = request.authorization.as_deref().unwrap_or_default();
        let (scheme, key) = header.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") || key.trim() != self.settings.key {
            return Err(Refusal::Unauthorized);
        }
        match self.settings.workspace {
            Workspace::Active => Ok(()),
            Workspace::Inactive => Err(Refusal::Inactive),
        }
    }

    fn route(&mut self, now: Time, request: &Request, endpoint: &Endpoint) -> Result<Done, Refusal> {
        let query = Query::of(&request.target);
        match (endpoint, request.method.as_str()) {
            (Endpoint::Workspace, "GET") => Ok(self.workspace()),
            (Endpoint::Skills, "GET") => self.list_skills(&query?),
            (Endpoint::Folders, "GET") => self.list_folders(&query?),
            (Endpoint::Folder(id), "GET") => self.get_folder(id),
            (Endpoint::Pages, "GET") => self.list_pages(&query?),
            (Endpoint::Pages, "POST") => self.create_page(now, request),
            (Endpoint::Page(id), "GET") => self.get_page(now, id, &query?),
            (Endpoint::Page(id), "PATCH" | "PUT") => self.update_page(now, id, request),
            (Endpoint::Page(id), "DELETE") => self.archive_page(now, id),
            (Endpoint::Versions(id), "GET") => self.list_versions(id, &query?),
            (Endpoint::Sources, "GET") => self.list_sources(now, &query?),
            (Endpoint::Sources, "POST") => self.create_source(now, request),
            (Endpoint::Source(id), "GET") => self.get_source(now, id, &query?),
            (Endpoint::Source(id), "DELETE") => self.delete_source(id),
            (endpoint, _) => Err(Refusal::Method { allow: endpoint.allow() }),
        }
    }

    /// The next time stamp, taken: later than every one before, or cut to the second.
    fn stamp(&mut self, now: Time) -> Time {
        self.revision += 1;
        self.state.last_stamp = now.max(self.state.last_stamp.plus(1));
        self.shown(self.state.last_stamp)
    }

    /// The stamp that [`Model::stamp`] would give.
    fn next_stamp(&self, now: Time) -> Time {
        self.shown(now.max(self.state.last_stamp.plus(1)))
    }

    fn shown(&self, stamp: Time) -> Time {
        match self.settings.stamps {
            Stamps::Microseconds => stamp,
            Stamps::WholeSeconds => stamp.whole_second(),
        }
    }

    /// An id like a random UUID, but made from the seed and a count.
    fn new_id(&mut self) -> String {
        loop {
            self.state.ids_made += 1;
            let seed = self.settings.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.state.ids_made);
            let bits = fastrand::Rng::with_seed(seed).u128(..);
            let version = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
            let hex = format!("{version:032x}");
            let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
            if !self.is_taken(&id) {
                return id;
            }
        }
    }

    fn is_taken(&self, id: &str) -> bool {
        let State { pages, folders, skills, sources, .. } = &self.state;
        pages.contains_key(id) || folders.contains_key(id) || skills.contains_key(id) || sources.contains_key(id)
    }
}
