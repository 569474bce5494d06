//! What must hold of births, moves, deaths and links, by what lies in the hub and in the folder: while they happen, and in the
//! end, when all faults have stopped.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use hubsync::engine::{Input, Mode, PageReport};
use hubsync::page::PageId;
use hubsync::reason::{Code, State};
use hubsync::reconcile::page_record::{Keep, Resolution};

use crate::links::rendered;
use crate::world::SYNC;

use super::{KNOWN_BY_TITLE, Stage, UNNOTICED, id_line, mark_in};

impl Stage {
    /// The pages that show a document's text, with its mark.
    pub(super) fn marked_pages(&self) -> Vec<(String, String)> {
        let text = |page: &hubsync::sandbox::Page| {
            let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
            page.content().map(str::to_owned).or(draft).unwrap_or_default()
        };
        let texts = self.w.hub.pages().map(|page| (page.id.clone(), text(page)));
        texts.filter(|(_, text)| text.starts_with("Doc")).map(|(id, text)| (id, mark_in(&text))).collect()
    }

    /// No document has two pages; no page is archived whose document is there.
    pub(super) fn judge(&mut self) {
        self.let_strays_go();
        let mut pages: BTreeMap<String, usize> = BTreeMap::new();
        for (_, mark) in self.marked_pages() {
            *pages.entry(mark).or_default() += 1;
        }
        for (mark, n) in pages {
            if self.marks.get(&mark).is_none_or(|most| n > *most) {
                self.part_from_untold(&mark);
            }
            let most = self.marks.get(&mark).copied().unwrap_or(0);
            assert!(n <= most, "{mark} has {n} pages, and is in {most} documents");
        }
        for (id, at, naming) in std::mem::take(&mut self.w.archives) {
            let there =
                naming.iter().find(|path| self.written.get(*path).is_some_and(|written| at - written > UNNOTICED));
            assert!(there.is_none(), "{id} is archived, and its document is there: {there:?}");
            self.tally.note("a page is archived");
            self.part_from_going(&id, at);
        }
    }

    /// A document that moved without its id, and of which nobody noticed that within ten minutes (the machine slept, or its clock
    /// jumped), is another one where its bytes are others, too.
    fn let_strays_go(&mut self) {
        let now = self.w.now().wall.0;
        for (path, since) in std::mem::take(&mut self.strays) {
            let Some(bytes) = self.w.folder.bytes(&path) else {
                self.strays.insert(path, since);
                continue;
            };
            let text = String::from_utf8_lossy(bytes).into_owned();
            let is_known = self.w.disk.load().pages.iter().any(|(_, home, _)| home.to_text() == path);
            if is_known || id_line(&text).is_some() {
                continue;
            }
            if now - since <= KNOWN_BY_TITLE {
                self.strays.insert(path, since);
                continue;
            }
            self.tally.note("a move without an id that nobody noticed in time");
            let mark = mark_in(&text);
            *self.marks.entry(mark.clone()).or_default() += 1;
            self.namesakes.insert(mark);
        }
    }

    /// A document that came back without its id once its page was archived is that page's by its path alone: of the page nothing
    /// else is remembered. Where the file moves on it is another document.
    pub(super) fn part_from_archived(&mut self, from: &str, to: &str) {
        let mark = mark_in(&self.text(to));
        let at_home = |id: &str| {
            let pages = self.w.disk.load().pages;
            pages.iter().any(|(page, home, _)| page.as_str() == id && home.to_text() == from)
        };
        let archived = |id: &str| self.w.hub.page(id).is_some_and(|page| page.archived);
        let mut pages = self.marked_pages().into_iter().filter(|(_, of)| *of == mark);
        if let Some((id, _)) = pages.find(|(id, _)| archived(id) && at_home(id)) {
            self.part(&id, &mark);
        }
    }

    /// A page is archived just when its document comes back, without its id and in another place: nobody could notice that.
    fn part_from_going(&mut self, page: &PageId, at: i64) {
        let Some((id, mark)) = self.marked_pages().into_iter().find(|(id, _)| id == page.as_str()) else { return };
        let late = |path: &String| self.written.get(path).is_some_and(|written| at - written <= UNNOTICED);
        let nameless = |path: &String| id_line(&self.text(path)).is_none() && mark_in(&self.text(path)) == mark;
        if self.paths().any(|path| late(&path) && nameless(&path)) {
            self.part(&id, &mark);
        }
    }

    /// The events of a move were lost, and a save told of the new place alone: as long as nobody has looked at the old one, where
    /// the document is believed to be, what lies in the new one is a copy of it.
    fn part_from_untold(&mut self, mark: &str) {
        let pages: Vec<PageId> = self
            .marked_pages()
            .into_iter()
            .filter(|(_, of)| of == mark)
            .filter_map(|(id, _)| PageId::parse(&id).ok())
            .collect();
        let folder = &self.w.folder;
        let moved = self.untold.iter().filter(|(to, from)| {
            !folder.contains_key(from) && folder.contains_key(to) && mark_in(&self.text(to)) == mark
        });
        let believed = |from: &String| pages.iter().find(|id| folder.is_home(id, from));
        if let Some(id) = moved.map(|(_, from)| from).find_map(believed).map(PageId::to_string) {
            self.part(&id, mark);
        }
    }

    fn part(&mut self, id: &str, mark: &str) {
        if self.parted.insert(id.to_owned()) {
            self.tally.note("a document parts from its page");
            *self.marks.entry(mark.to_owned()).or_default() += 1;
        }
    }

    /// Whether a page of this mark is known to nobody: the state was lost, and its file has gone before it was met again.
    fn is_forgotten(&self, mark: &str) -> bool {
        let named = |id: &str| self.paths().any(|path| id_line(&self.text(&path)).as_deref() == Some(id));
        let known = |id: &str| PageId::parse(id).is_ok_and(|id| self.w.disk.record(&id).is_some());
        self.lost && self.marked_pages().iter().any(|(id, of)| of == mark && !named(id) && !known(id))
    }

    /// The faults stop, and who may settle something does.
    pub(super) fn heal(&mut self) {
        self.w.trace.push("-- heal".to_owned());
        self.awaits = None;
        self.w.disk.full = false;
        self.w.folder.missing = false;
        self.w.setting.mode = Mode::Daemon;
        if self.rng.bool() {
            self.w.crash();
        }
        for _ in 0..3 {
            self.w.tick(10_000);
            self.w.rescan();
            let now = self.w.now().wall;
            self.w.folder.confirm(now);
            self.w.rescan();
            self.w.settle();
            self.w.run(120_000);
            let refused: Vec<String> = self.reports(Code::Refused).map(|report| report.path.to_text()).collect();
            for path in refused {
                let text = self.text(&path);
                self.put(&path, &format!("{text}More.\n"));
            }
            self.keep_what_is_here();
            self.tell_whose_it_is();
        }
        self.w.run(120_000);
        self.w.settle();
        self.judge();
    }

    /// Once a state was lost every page is met again, and one that says something else is left to a person.
    fn keep_what_is_here(&mut self) {
        let differs = |report: &PageReport| report.state == State::Conflict;
        let differ: Vec<PageReport> = self.w.summary().pages.into_iter().filter(differs).collect();
        assert!(differ.is_empty() || self.lost, "nobody else was there: {differ:?}");
        for report in differ {
            let (Some(page), Some((version, updated_at))) = (report.page_id, report.marks) else { continue };
            self.tally.note("a person keeps what is here");
            self.w.watch.decided(page.as_str(), updated_at, Keep::Local);
            self.w.handle(Input::Decided(vec![(page, Resolution { keep: Keep::Local, version, updated_at })]));
        }
    }

    /// Once a state was lost a page is one that was met, not made: a document that lies in its place and lacks its id is held,
    /// and a person says whether it is the page's.
    fn tell_whose_it_is(&mut self) {
        for report in self.reports(Code::NoPageId).collect::<Vec<_>>() {
            let path = report.path.to_text();
            let Some(page) = report.page_id else { continue };
            assert!(self.lost, "{path} lacks its id, and nobody writes it: {:?}", report.reason);
            let text = self.text(&path);
            if self.marked_pages().contains(&(page.to_string(), mark_in(&text))) {
                self.tally.note("a person puts an id back");
                self.put(&path, &text.replacen("\n---\n", &format!("\npage_id: {page}\n---\n"), 1));
                continue;
            }
            self.tally.note("a person says that a page is not a document's");
            let now = self.w.now();
            if self.w.engine.forget_page(now, &page).is_ok() {
                self.w.folder.forget(&page);
                self.w.watch.forgets_page(page.as_str());
                self.w.rescan();
            }
        }
    }

    fn reports(&self, code: Code) -> impl Iterator<Item = PageReport> {
        let of = move |page: &PageReport| page.reason.as_ref().is_some_and(|reason| reason.code == code);
        self.w.summary().pages.into_iter().filter(of)
    }

    /// Each document names one page, which says what the document says, with links that lead to the pages that their targets
    /// name.
    pub(super) fn verify(&mut self) {
        let mut claimed = BTreeSet::new();
        for path in self.paths().collect::<Vec<_>>() {
            let (text, report) = (self.text(&path), self.report_of(&path));
            let code = report.reason.as_ref().map(|reason| reason.code);
            let what = format!("{path}: {report:?}");
            if code == Some(Code::InDoubt) {
                let mark = mark_in(&text);
                assert!(
                    self.namesakes.contains(&mark) || self.is_forgotten(&mark),
                    "nobody made a page of this title: {what}"
                );
                self.tally.note("in doubt for a namesake");
                continue;
            }
            // Of a page that was archived before its state was lost nobody knows whose doing that was.
            if code == Some(Code::Archived) || (self.lost && code == Some(Code::PageNotFound)) {
                let page = report.page_id.as_ref().and_then(|id| self.w.hub.page(id.as_str()));
                assert!(page.is_some_and(|page| page.archived), "{what}");
                self.tally.note("back after its page was archived");
                continue;
            }
            let id = self.says_what_it_should(&path);
            assert!(claimed.insert(id), "two documents name one page: {what}");
        }
        // A `sync` sends nothing.
        self.w.forget_requests();
        self.w.restart(SYNC);
        self.w.settle();
        assert_eq!(self.w.requests().1, 0, "{:?}", self.w.asked());
    }

    /// The page that a document names, which says what the document says.
    fn says_what_it_should(&mut self, path: &str) -> String {
        let (text, report) = (self.text(path), self.report_of(path));
        let code = report.reason.as_ref().map(|reason| reason.code);
        let what = format!("{path}: {report:?}");
        let id = id_line(&text).unwrap_or_else(|| panic!("it names no page: {what}"));
        let page = self.w.hub.page(&id).unwrap_or_else(|| panic!("its page is not there: {what}"));
        let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
        let says = draft.or(page.content().map(str::to_owned)).unwrap_or_default();
        let wanted = self.on_its_page(path, &text);
        assert_eq!((report.state, code), (State::InStep, None), "{what}");
        assert!(!page.archived, "its page is archived: {what}");
        assert_eq!(says.trim(), wanted.trim(), "{what}");
        assert!(text.starts_with("---\n# kept\n"), "something else of the file was changed: {text:?}");
        let became = wanted.matches("https://kb/").count();
        (0..became).for_each(|_| self.tally.note("a link leads to its document's page"));
        id
    }

    /// When all is well: a document comes to which another one points already. That one follows without anybody looking at
    /// everything.
    pub(super) fn one_more(&mut self) {
        let in_step = |path: &String| self.report_of(path).state == State::InStep;
        let Some(from) = self.paths().find(in_step).filter(|_| self.linked) else { return };
        self.w.restart(Mode::Daemon);
        self.w.settle();
        let mut comes = |stage: &mut Self| {
            stage.w.run(10_000);
            stage.w.settle();
        };
        if let Some(path) = self.points_ahead(&from, &mut comes) {
            self.tally.note("a document comes to which another one points");
            self.says_what_it_should(&path);
            self.says_what_it_should(&from);
        }
    }

    /// A document's body as its page must have it.
    fn on_its_page(&self, path: &str, text: &str) -> String {
        let files: Vec<String> = self.w.folder.paths().cloned().collect();
        let page = |path: &str| id_line(&self.text(path)).or_else(|| self.archived_at(path));
        let body = text.splitn(3, "---\n").nth(2).unwrap_or_default();
        rendered(body, path, &self.w.policy.rules.links, &files, &page)
    }

    /// What is said of the file: of the page that it names, if it does; another page that is gone may have had this path before.
    fn report_of(&self, path: &str) -> PageReport {
        let named = id_line(&self.text(path));
        let pages = self.w.summary().pages;
        let here = || pages.iter().filter(|page| page.path.to_text() == path);
        let names = |page: &&PageReport| page.page_id.as_ref().map(PageId::as_str) == named.as_deref();
        here().find(names).or_else(|| here().next()).expect("it is reported").clone()
    }

    /// A document that came back without its id once its page was archived is held, and is that page's still.
    fn archived_at(&self, path: &str) -> Option<String> {
        let report = self.report_of(path);
        let held = report.reason.is_some_and(|reason| reason.code == Code::Archived);
        report.page_id.filter(|_| held).as_ref().map(PageId::to_string)
    }
}
