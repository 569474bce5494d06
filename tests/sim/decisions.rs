//! Whoever settles things when nothing fails any more: by one decision a page, after which nothing waits for that page.

use std::collections::BTreeMap;

use hubsync::engine::{PageReport, Rest};
use hubsync::reason::State;

use super::schedule::{Edit, Noticed, Settle};
use super::stage::{Stage, id};
use super::verdict::plain;

impl Stage {
    /// Everything is looked at, and what can be done is done.
    pub fn come_to_rest(&mut self) {
        let check = self.setup.policy.check_interval.map_or(0, |ms| i64::try_from(ms).unwrap());
        let w = &mut self.w;
        w.tick(10_000);
        w.rescan();
        w.settle();
        w.run(2 * check);
        w.settle();
        assert_eq!(w.engine.rest(w.now()), Rest::Done);
    }

    /// The pages that wait for a decision, and what is reported of them.
    pub fn waiting(&self) -> BTreeMap<u8, PageReport> {
        let waits = |report: &PageReport| matches!(report.state, State::Conflict | State::Drifted);
        let number = |page: &PageReport| page.page_id.as_ref()?.as_str().strip_prefix('p')?.parse().ok();
        let pages = self.w.summary().pages.into_iter().filter(waits);
        pages.filter_map(|report| Some((number(&report)?, report))).collect()
    }

    /// Whether a document is published as it is.
    pub fn is_in_step(&self, page: u8) -> bool {
        let is_it = |report: &PageReport| report.page_id.as_ref().is_some_and(|known| known.as_str() == id(page));
        self.w.summary().pages.iter().any(|report| is_it(report) && report.state == State::InStep)
    }

    /// Whether a document's text is another one than those of its page.
    pub fn differs(&self, page: u8) -> bool {
        let said = self.w.folder.get(&self.path(page)).map(|doc| plain(&doc.body));
        let texts = [self.w.live_text(&id(page)), self.w.draft_text(&id(page))];
        texts.into_iter().flatten().all(|text| Some(plain(&text)) != said)
    }

    /// The writer takes conflict markers out of files; a decision for both from before left them there.
    pub fn take_markers_out(&mut self, number: u32) {
        for page in self.setup.numbers() {
            if self.w.folder.get(&self.path(page)).is_none() {
                self.save(page, Edit::New, number, Noticed::Yes);
            }
        }
        self.come_to_rest();
    }

    /// Settles all that waits, by one decision a page; how many there were.
    pub fn settle_all(&mut self, how: Settle) -> usize {
        let pages: Vec<u8> = self.waiting().into_keys().collect();
        for page in &pages {
            self.resolve(*page, how);
        }
        self.come_to_rest();
        let left = self.waiting();
        assert!(left.keys().all(|page| !pages.contains(page)), "one decision does not settle it: {left:?}");
        pages.len()
    }

    /// What a document says, which is what its page shows.
    pub fn shown(&self, page: u8) -> &str {
        let path = self.path(page);
        let report = self.w.report(&path);
        let hub = self.w.hub.page(&id(page)).unwrap();
        let what = format!("{report:?}\n{hub:?}");
        assert_eq!(report.state, State::InStep, "{what}");
        let doc = self.w.folder.get(&path).unwrap_or_else(|| panic!("no document: {what}"));
        self.says(doc, &path, hub, &what);
        &doc.body
    }
}
