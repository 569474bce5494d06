//! The end of a schedule: faults stop, everything is noticed, and it must come to rest where the folder and the hub say the
//! same, or where somebody else, or the writer, gave a reason why not.

use std::cell::Cell;
use std::collections::BTreeMap;

use hubsync::engine::change::HubState;
use hubsync::engine::{Input, Mode, PageReport, Rest};
use hubsync::page::{PageId, Status};
use hubsync::policy::{ConflictCheck, Policy};
use hubsync::reason::{Code, State};
use hubsync::sandbox::{Normalise, Page, Stamps};

use super::folder::Doc;
use super::links;
use super::stage::{Stage, id};
use super::world::{SYNC, World};

impl Stage {
    /// No faults any more; what was wrong on our side is mended, and everything is carried out.
    pub fn heal(&mut self) {
        let w = &mut self.w;
        w.trace.push("-- heal".to_owned());
        w.disk.full = false;
        w.folder.missing = false;
        w.key_source = w.hub.settings().key.clone();
        if w.key != w.key_source {
            w.key = w.key_source.clone();
            w.handle(Input::KeyRenewed);
        }
        w.policy.check_interval = Policy::default().check_interval;
        w.handle(Input::Policy(w.policy.clone()));
        // Now and then it goes on as it is; else another process does.
        if w.setting.mode != Mode::Daemon || w.time % 3 != 0 {
            w.setting.mode = Mode::Daemon;
            w.crash();
        }
        w.tick(10_000);
        w.rescan();
        let now = w.now().wall;
        w.folder.confirm(now);
        w.rescan();
        w.settle();
        // A pause may be long, and nothing wait for its end but the look at what others did: which may be the first to meet it.
        let ends = w.time + 4 * 86_400_000;
        for _ in 0..2 {
            w.run(1_801_000);
            while w.summary().hub.state != HubState::Ok && w.time < ends {
                w.run(3_600_000);
            }
        }
        w.settle();
        self.mend_refused();
        let w = &mut self.w;
        assert_eq!(w.engine.rest(w.now()), Rest::Done);
        if self.setup.linked && w.folder.has_spoilt() {
            // A page that was never met is known to this process alone: once its file is spoilt, links to it end with that.
            w.restart(SYNC);
            w.settle();
        }
        // A `sync` has nothing left to do but its look, and ends.
        let before = standings(w);
        w.forget_requests();
        w.restart(SYNC);
        w.settle();
        assert_eq!(w.engine.rest(w.now()), Rest::Done);
        assert_eq!(standings(w), before, "a sync sees it otherwise");
        assert!(w.requests().1 == 0, "{:?}", w.asked());
        w.restart(Mode::Daemon);
        // By a clock that was set back a file may seem to have been written just now.
        w.run(5_000);
        w.settle();
        assert_eq!(standings(w), before, "a restart sees it otherwise");
        w.forget_requests();
        w.rescan();
        w.run(1_801_000);
        // The tables of names are read once a day, whatever else happens.
        let mut asked = w.asked();
        asked.retain(|asked| !["GET folders", "GET skills", "GET sources"].contains(&asked.as_str()));
        let few = 2 * if self.setup.rows > 0 { self.setup.pages.len() } else { 1 };
        assert!(asked.len() <= few && asked.iter().all(|asked| asked == "GET pages"), "it never rests: {asked:?}");
    }

    /// What the hub refused once is sent again when its document is another one.
    fn mend_refused(&mut self) {
        for _ in 0..2 {
            let refused = |page: &PageReport| page.reason.as_ref().is_some_and(|reason| reason.code == Code::Refused);
            let paths: Vec<String> =
                self.w.summary().pages.iter().filter(|page| refused(page)).map(|page| page.path.to_text()).collect();
            for path in &paths {
                let doc = self.w.folder[path.as_str()].clone();
                assert!(self.w.watch.rejected.contains(doc.id.as_str()), "{path}: nobody refused it");
                self.w.write_file(path, Doc { other: doc.other + 1, ..doc });
                self.w.tell(&[path]);
            }
            self.w.tick(10_000);
            self.w.settle();
        }
    }

    /// Every page as the folder says, or with a reason that the folder or the hub shows.
    pub fn verify(&self) {
        let pages = self.w.summary().pages;
        let reports: BTreeMap<&PageId, &PageReport> =
            pages.iter().filter_map(|page| Some((page.page_id.as_ref()?, page))).collect();
        for page in self.setup.numbers() {
            let page_id = PageId::parse(&id(page)).unwrap();
            let docs: Vec<&Doc> = self.w.folder.docs().map(|(_, doc)| doc).filter(|doc| doc.id == page_id).collect();
            let hub = self.w.hub.page(page_id.as_str()).unwrap();
            match (reports.get(&page_id), docs.as_slice()) {
                (None, []) => {}
                (None, _) => assert!(self.w.folder.claims(&page_id) > 1, "{page_id}: it is not reported: {docs:?}"),
                (Some(report), docs) => {
                    let what = format!("{page_id} {docs:?}\n{report:?}\n{hub:?}");
                    self.judge(report, docs, hub, &what);
                }
            }
        }
    }

    fn judge(&self, report: &PageReport, docs: &[&Doc], hub: &Page, what: &str) {
        let code = report.reason.as_ref().map(|reason| reason.code);
        let watch = &self.w.watch;
        let touched = watch.touched.contains(&hub.id);
        let unchecked = self.setup.policy.conflict_check == ConflictCheck::Off;
        let path = report.path.to_text();
        let good = self.w.folder.get(&path).is_some_and(|doc| doc.id.as_str() == hub.id);
        let spoilt = self.w.folder.contains_key(&path) && !good;
        match report.state {
            State::InStep => {
                let doc = docs.iter().find(|doc| self.w.folder.get(&report.path.to_text()) == Some(doc));
                let doc = doc.unwrap_or_else(|| panic!("in step with no document: {what}"));
                // A list leaves archived pages out, so nothing tells of what came before; without checks nobody looks.
                // An edit of the second of our own write may stay unseen where stamps are whole seconds (promise 1).
                let coarse = self.setup.settings.stamps == Stamps::WholeSeconds;
                // Nor does one without checks see a write of ours that landed late, where the hub rewrote it beyond recognition.
                let growing = self.setup.settings.normalise == Normalise::Growing;
                let blind = unchecked && growing && watch.lost.contains(&hub.id);
                if !hub.archived && !blind && !(touched && (unchecked || coarse)) {
                    self.says(doc, &path, hub, what);
                }
            }
            State::Blocked => match code {
                // Without checks nobody sees that it is there again.
                Some(Code::PageNotFound) => assert!(hub.archived || (unchecked && touched), "it is there: {what}"),
                // Somebody may have restored it in the meantime without a trace: where nobody looks.
                Some(Code::Archived) => assert!(hub.archived || (unchecked && touched), "it is there: {what}"),
                Some(Code::BodyEmpty) => {
                    assert!(docs.iter().any(|doc| doc.body.trim().is_empty()), "it is not empty: {what}")
                }
                Some(Code::UnknownName) => {
                    let unknown = |doc: &&Doc| doc.named.folders.iter().flatten().any(|name| name == "Nowhere");
                    assert!(docs.iter().any(unknown), "all names are known: {what}");
                }
                Some(Code::DuplicatePageId) => {
                    let page = report.page_id.as_ref().unwrap();
                    assert!(self.w.folder.claims(page) > 1, "there is one: {what}");
                }
                Some(Code::FrontMatter | Code::NoPageId | Code::FileEmpty | Code::MergeMarkers | Code::NotUtf8) => {
                    assert!(spoilt, "the file is good: {what}");
                }
                _ => panic!("blocked for no reason: {what}"),
            },
            State::Skipped => assert!(spoilt, "it is a document: {what}"),
            State::Orphaned => assert!(docs.is_empty(), "its document is there: {what}"),
            State::Drifted | State::Conflict => {
                // Where a hub rewrites more than white space, what an answer would have shown is missed: a lost one, or the
                // echo of a draft where its mark may hide somebody else's edit: of the same second, or from before a write of
                // its lists alone. A finer stamp can fall on a whole second, too, and is then taken for a coarse one.
                let coarse = self.setup.settings.stamps == Stamps::WholeSeconds
                    || hub.updated_at == hub.updated_at.whole_second();
                let filed = watch.filed.contains(&hub.id);
                let growing = self.setup.settings.normalise == Normalise::Growing;
                let rewritten = growing && (watch.lost.contains(&hub.id) || coarse || filed);
                assert!(
                    touched
                        || rewritten
                        || watch.forgot
                        || watch.forgotten.contains(&hub.id)
                        || code == Some(Code::FirstMeeting),
                    "nobody else was there: {what}"
                );
            }
            State::Pending | State::Failed => panic!("it has not come to rest: {what}"),
        }
    }

    /// The page says what the document says.
    pub(super) fn says(&self, doc: &Doc, path: &str, hub: &Page, what: &str) {
        let live = hub.content();
        let draft = hub.draft.as_ref().and_then(|draft| draft.content.as_deref());
        let shown = if doc.status == Status::Draft { draft.or(live) } else { live }.unwrap_or_default();
        // Where both say the same but for what hubs rewrite, nothing is sent (rows B3, D5).
        match self.rendered(path, &doc.body) {
            Some(wanted) => assert_eq!(plain(shown), plain(&wanted), "it says {shown:?}: {what}"),
            None => assert_eq!(plain(without_links(shown)), plain(without_links(&doc.body)), "{shown:?}: {what}"),
        }
        if let Some(names) = &doc.named.folders {
            // Where the name of a folder could not be read, a person who took over the hub's has its id.
            let id = |name: &String| match name.as_str() {
                "G" => self.folders[0].clone(),
                "H" => self.folders[1].clone(),
                id => id.to_owned(),
            };
            let mut wanted: Vec<String> = names.iter().map(id).collect();
            let mut filed = hub.folder_ids.clone();
            wanted.sort();
            filed.sort();
            assert_eq!(wanted, filed, "{what}");
        }
    }
}

impl Stage {
    /// What a body becomes at this path, by where the documents lie that it points to; `None` where one of these is spoilt or
    /// has a double, so that it depends on what was known of it before.
    fn rendered(&self, path: &str, body: &str) -> Option<String> {
        if !self.setup.linked {
            return Some(body.to_owned());
        }
        let files: Vec<String> = self.w.folder.paths().cloned().collect();
        let untold = Cell::new(false);
        let page = |file: &str| {
            let page = self.page_at(file);
            untold.set(untold.get() || page.is_none());
            page.flatten().as_ref().map(PageId::to_string)
        };
        let body = links::rendered(body, path, &self.w.policy.rules.links, &files, &page);
        (!untold.get()).then_some(body)
    }

    /// The page of the document in a file, if there is one; `None` where nobody can tell.
    fn page_at(&self, file: &str) -> Option<Option<PageId>> {
        match self.w.folder.get(file) {
            Some(doc) if self.w.folder.claims(&doc.id) == 1 => Some(Some(doc.id.clone())),
            None if !self.w.folder.contains_key(file) => Some(None),
            _ => None,
        }
    }
}

fn without_links(text: &str) -> &str {
    text.split_once(" [l](").map_or(text, |(before, _)| before)
}

/// How each page stands that the state knows. (Of others a process may say more than the next one knows.)
fn standings(w: &World) -> BTreeMap<PageId, (State, Option<Code>)> {
    let known = |page: PageReport| Some((page.page_id?, (page.state, page.reason.map(|reason| reason.code))));
    w.summary().pages.into_iter().filter_map(known).filter(|(page, _)| w.disk.record(page).is_some()).collect()
}

/// A text without what hubs rewrite: white space, bullets, and one hub's backslashes.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !"*-\\".contains(*c)).collect()
}
