//! What a test says and sees: documents that are saved, colleagues at the hub's pages, how everything stands.

use std::collections::BTreeSet;

use hubsync::engine::settled::{Found, RootHealth, Settled};
use hubsync::engine::{Input, Mode, PageReport, Summary, Writes};
use hubsync::pace::quota::{Limits, Quota};
use hubsync::page::{DocPath, PageId};
use hubsync::policy::Policy;
use hubsync::reason::{Code, State};
use hubsync::sandbox::{self, Act, NewPage, Settings};

use super::{Doc, Ledger, Quiet, World};

impl World {
    // ---- the hub

    /// A page of the hub with a live text.
    pub fn live(&mut self, id: &str, body: &str) {
        self.page(id, body, sandbox::Status::Published);
    }

    pub fn page(&mut self, id: &str, body: &str, status: sandbox::Status) {
        let new = NewPage {
            id: Some(id.to_owned()),
            title: "T".to_owned(),
            content: body.to_owned(),
            status,
            owner: sandbox::Owner::Colleague,
            ..NewPage::default()
        };
        self.hub.add_page(self.hub_time(), new);
        self.watch.wrote(&self.hub, id, self.time);
        self.tick(1);
    }

    pub fn colleague(&mut self, id: &str, act: Act) {
        self.trace.push(format!("colleague {id} {act:?}"));
        self.try_colleague(id, act).unwrap();
        self.tick(1);
    }

    pub fn try_colleague(&mut self, id: &str, act: Act) -> Result<(), sandbox::ActError> {
        self.hub.colleague(self.hub_time(), id, act.clone())?;
        self.watch.colleague(&self.hub, id, &act, self.time);
        Ok(())
    }

    pub fn publishes(&mut self, id: &str, body: &str) {
        self.colleague(id, Act::Publish { title: "T".to_owned(), content: body.to_owned() });
    }

    pub fn drafts(&mut self, id: &str, body: &str) {
        self.colleague(id, Act::SaveDraft { title: "T".to_owned(), content: body.to_owned() });
    }

    pub fn files(&mut self, id: &str, folders: &[String]) {
        self.colleague(id, Act::File { folder_ids: folders.to_vec(), skill_ids: Vec::new() });
    }

    pub fn live_text(&self, id: &str) -> Option<String> {
        self.hub.page(id).unwrap().live.as_ref().map(|live| live.content.clone())
    }

    pub fn draft_text(&self, id: &str) -> Option<String> {
        self.hub.page(id).unwrap().draft.as_ref().and_then(|draft| draft.content.clone())
    }

    pub fn version(&self, id: &str) -> Option<u64> {
        self.hub.page(id).unwrap().version()
    }

    /// Requests that the hub saw since the log was last forgotten: reads, writes.
    pub fn requests(&self) -> (usize, usize) {
        let writes = self.hub.log().iter().filter(|entry| entry.method != "GET").count();
        (self.hub.log().len() - writes, writes)
    }

    /// What each of them was, in short.
    pub fn asked(&self) -> Vec<String> {
        let short = |entry: &sandbox::LogEntry| {
            let path = entry.target.trim_start_matches("/rest/v1/").split('?').next().unwrap().to_owned();
            format!("{} {}", entry.method, path.trim_start_matches("knowledge-hub/"))
        };
        self.hub.log().iter().map(short).collect()
    }

    /// The JSON of the last write that the hub saw.
    pub fn last_write(&self) -> serde_json::Value {
        let last = self.hub.log().iter().rfind(|entry| entry.method == "PATCH").unwrap();
        serde_json::from_slice(&last.body).unwrap()
    }

    pub fn forget_requests(&mut self) {
        self.hub.clear_log();
    }

    // ---- the folder

    pub fn doc_path(path: &str) -> DocPath {
        DocPath::new(path).unwrap()
    }

    /// A document is saved and has come to rest.
    pub fn save(&mut self, path: &str, doc: Doc) {
        self.write_file(path, doc);
        self.tell(&[path]);
    }

    /// A document is saved; nobody has noticed yet.
    pub fn write_file(&mut self, path: &str, doc: Doc) {
        self.trace.push(format!("save {path} {:?} {:?}", doc.body, doc.status));
        self.folder.write(self.now(), path, doc);
    }

    /// Another body for a document.
    pub fn edit(&mut self, path: &str, body: &str) {
        let doc = Doc { body: body.to_owned(), ..self.folder[path].clone() };
        self.save(path, doc);
    }

    pub fn change(&mut self, path: &str, change: impl FnOnce(&mut Doc)) {
        let mut doc = self.folder[path].clone();
        change(&mut doc);
        self.save(path, doc);
    }

    pub fn remove(&mut self, path: &str) {
        self.folder.remove(path).expect("a document of the test");
        self.tell(&[path]);
    }

    /// One round of these files, which have come to rest.
    pub fn tell(&mut self, paths: &[&str]) {
        let paths: BTreeSet<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let round = self.folder.look(self.now(), Quiet::AtOnce, &paths);
        self.round(round);
    }

    /// The whole folder is read, as at a start or a rescan.
    pub fn rescan(&mut self) {
        let quiet = self.quiet();
        let round = self.folder.scan(self.now(), quiet);
        self.round(round);
    }

    /// What the watcher named and has come to rest is read; whether there was any.
    pub fn notice(&mut self) -> bool {
        let quiet = self.quiet();
        let Some(round) = self.folder.due(self.now(), quiet) else { return false };
        self.round(round);
        true
    }

    fn quiet(&self) -> Quiet {
        match self.setting.mode {
            Mode::Daemon if self.patient => Quiet::For(i64::try_from(self.policy.debounce).unwrap()),
            _ => Quiet::AtOnce,
        }
    }

    fn round(&mut self, (health, settled): (RootHealth, Vec<Settled>)) {
        self.root = health.clone();
        self.trace.extend(settled.iter().map(told));
        for gone in settled.iter().filter_map(gone) {
            self.watch.gone(gone.as_str());
        }
        self.handle(Input::Health(health));
        self.handle(Input::Settled(settled));
    }

    // ---- how it stands

    pub fn summary(&self) -> Summary {
        self.engine.summary(self.now())
    }

    pub fn report(&self, path: &str) -> PageReport {
        self.summary().pages.into_iter().find(|page| page.path == Self::doc_path(path)).expect("it is reported")
    }

    pub fn state(&self, path: &str) -> (State, Option<Code>) {
        let report = self.report(path);
        (report.state, report.reason.map(|reason| reason.code))
    }

    pub fn is_in_step(&self, path: &str) -> bool {
        self.state(path) == (State::InStep, None)
    }

    /// The last steps, for a test that failed.
    pub fn story(&self) -> String {
        let from = self.trace.len().saturating_sub(12);
        self.trace[from..].join("\n")
    }
}

impl World {
    /// Other limits, and nothing spent.
    fn set_limits(&mut self, limits: Limits) {
        (self.limits, self.ledger) = (limits, Ledger::default());
        self.quota = Quota::new(limits);
        self.watch.set_limits(limits);
    }
}

/// The page whose file a round misses.
fn gone(settled: &Settled) -> Option<&PageId> {
    match settled {
        Settled::Page { id, found: Found::Gone { .. }, .. } => Some(id),
        _ => None,
    }
}

/// What a round says, in short.
fn told(settled: &Settled) -> String {
    match settled {
        Settled::Page { id, path, found } => {
            let what = match found {
                Found::Document(_) => "is a document",
                Found::Unnamed { .. } => "lacks its id",
                Found::Held(reason) => reason.code.as_str(),
                Found::Gone { .. } => "is gone",
            };
            format!("told: {} of {id} {what}", path.to_text())
        }
        Settled::Newborn { path, .. } => format!("told: {} has no page", path.to_text()),
        Settled::Loose { path, reason, .. } => format!("told: {} {}", path.to_text(), reason.code.as_str()),
        Settled::Emptied { folders } => format!("told: nothing is in {folders:?}"),
        Settled::StillGone { id } => format!("told: the file of {id} is still gone"),
        Settled::LooseGone { path } => format!("told: {} is no more", path.to_text()),
    }
}

/// A world in which `p1.md` and the page `p1` both say `body`, and have met.
pub fn met(body: &str) -> World {
    met_with(Policy::default(), body)
}

pub fn met_with(policy: Policy, body: &str) -> World {
    let mut w = World::with(Mode::Daemon, policy, Settings::default());
    w.live("p1", body);
    w.save("p1.md", Doc::published("p1", body));
    w.settle();
    assert!(w.is_in_step("p1.md"), "{:?}", w.report("p1.md"));
    w.run(4_000_000);
    w.forget_requests();
    w
}

/// `n` pages that have met their documents `p0.md` …
pub fn many(n: usize, mode: Mode, policy: Policy, settings: Settings) -> World {
    let mut w = World::with(mode, policy, Settings { per_minute: 0, per_day: 0, ..Settings::default() });
    let limits = Limits { per_minute: 100_000, per_day: 100_000, reserved_for_edits: 0 };
    w.set_limits(limits);
    for i in 0..n {
        w.live(&format!("p{i}"), "A");
        w.write_file(&format!("p{i}.md"), Doc::published(&format!("p{i}"), "A"));
    }
    w.rescan();
    w.settle();
    // A day later, with the hub as it really is.
    w.tick(86_400_000);
    let limits = Limits {
        per_minute: settings.per_minute,
        per_day: settings.per_day,
        reserved_for_edits: settings.per_day / 10,
    };
    w.set_limits(limits);
    *w.hub.settings_mut() = settings;
    w.handle(Input::Tick);
    w.run(100_000);
    w.forget_requests();
    w
}

pub const SYNC: Mode = Mode::OneShot(Writes::Send);
