//! What must hold whatever happens, judged from outside: from what the hub holds and what travels.

use std::collections::{BTreeMap, BTreeSet};

use hubsync::engine::change::Backup;
use hubsync::engine::request::{AnswerBody, Request};
use hubsync::sandbox::{self, Act, Model};

/// How long a look is good for a write, in milliseconds.
const FRESH: i64 = 60_000;

#[derive(Clone, Copy, Debug)]
struct Look {
    sent: i64,
    evaluated: i64,
}

/// Remembers what was looked at and what others wrote; fails as soon as a promise is broken.
#[derive(Debug, Default)]
pub struct Watch {
    /// Looks that were answered, by page; "" for lists.
    looks: BTreeMap<String, Look>,
    /// When the look under way was evaluated, by its short form.
    evaluated: BTreeMap<String, i64>,
    /// Texts that somebody else wrote, by page, and when.
    foreign: BTreeMap<String, BTreeMap<String, i64>>,
    /// Texts that we sent.
    ours: BTreeSet<(String, String)>,
    /// Whether the hub must be looked at before a write.
    pub unchecked: bool,
    /// Whether the hub may answer 429.
    pub shared_limits: bool,
    /// Ours that was live before the write that is arriving.
    before: Option<(String, u64, String, bool)>,
    pub writes: usize,
    spent: Vec<i64>,
    /// Pages that somebody else touched.
    pub touched: BTreeSet<String>,
}

impl Watch {
    pub fn colleague(&mut self, id: &str, act: &Act, at: i64) {
        self.touched.insert(id.to_owned());
        if *act == Act::Restore {
            self.restored(id, at);
        }
        if let Act::Publish { content, .. } | Act::SaveDraft { content, .. } = act {
            self.wrote(id, content, at);
        }
    }

    /// Somebody else wrote a text. Those that begin with X or Y are theirs alone: no document ever says them first.
    pub fn wrote(&mut self, id: &str, content: &str, at: i64) {
        if content.starts_with(['X', 'Y']) {
            self.foreign.entry(id.to_owned()).or_default().insert(content.to_owned(), at);
        }
    }

    /// What was there before a page was archived comes back with it: looks from before have not seen it.
    pub fn restored(&mut self, id: &str, at: i64) {
        for written in self.foreign.entry(id.to_owned()).or_default().values_mut() {
            *written = at;
        }
    }

    /// Promise 4: never more than the minute's requests.
    pub fn spends(&mut self, at: i64, per_minute: u32) {
        self.spent.retain(|sent| at - sent < 60_000);
        self.spent.push(at);
        assert!(
            per_minute == 0 || self.spent.len() <= per_minute as usize,
            "more than {per_minute} requests in a minute"
        );
    }

    /// A process knows only what it looked at itself.
    pub fn restarted(&mut self) {
        self.looks.clear();
        self.evaluated.clear();
    }

    /// A look was evaluated by the hub.
    pub fn evaluated(&mut self, request: &Request, at: i64) {
        match request {
            Request::Get(id) => self.evaluated.insert(id.to_string(), at),
            Request::List { page: 1, .. } => self.evaluated.insert(String::new(), at),
            _ => None,
        };
    }

    /// A look was answered.
    pub fn looked(&mut self, request: &Request, body: &AnswerBody, sent: i64) {
        let key = match (request, body) {
            (Request::Get(id), AnswerBody::Page(_)) => id.to_string(),
            (Request::List { page: 1, .. }, AnswerBody::Rows(_)) => String::new(),
            _ => return,
        };
        let evaluated = self.evaluated.get(&key).copied().unwrap_or(sent);
        self.looks.insert(key, Look { sent, evaluated });
    }

    fn last_look(&self, id: &str) -> Option<Look> {
        let looks = [self.looks.get(id), self.looks.get("")];
        looks.into_iter().flatten().copied().max_by_key(|look| look.sent)
    }

    /// Promise 1: what is written was looked at within the last minute. Answers when that look was evaluated.
    pub fn sent(&self, id: &str, at: i64) -> i64 {
        if self.unchecked {
            return at;
        }
        let look = self.last_look(id).unwrap_or_else(|| panic!("{id} is written without a look"));
        assert!(at - look.sent <= FRESH, "{id} is written on a look of {} ms ago", at - look.sent);
        look.evaluated
    }

    /// A write is about to be applied: what it replaces must be ours, kept, or have come after the look it rests on.
    pub fn arriving(&mut self, hub: &Model, request: &sandbox::Request, backups: &[Backup], looked: i64) {
        self.before = None;
        if request.method != "PATCH" {
            return;
        }
        let id = request.target.rsplit('/').next().unwrap().to_owned();
        let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let Some(page) = hub.page(&id) else { return };
        let Some(text) = sent["content"].as_str() else { return };
        let publishes = sent["status"] == "published";
        self.ours.insert((id.clone(), text.to_owned()));
        let seen_foreign = |body: &str| {
            let ours = body == text || self.ours.contains(&(id.clone(), body.to_owned()));
            let written = self.foreign.get(&id).and_then(|texts| texts.get(body));
            !ours && written.is_some_and(|at| *at < looked)
        };
        let kept = |body: &str| backups.iter().any(|backup| backup.page.as_str() == id && backup.text.body == body);
        if let Some(live) = page.live.as_ref().filter(|_| publishes && !page.archived) {
            let lost = seen_foreign(&live.content) && !kept(&live.content);
            assert!(!lost || self.unchecked, "{id}: {:?} is replaced by {text:?} without a backup", live.content);
            let by_us = live_is_ours(page);
            self.before = Some((id.clone(), live.version, live.content.clone(), by_us));
        }
        if let Some(draft) = page.draft.as_ref().and_then(|draft| draft.content.as_deref()) {
            let lost = !page.archived && seen_foreign(draft) && page.content() != Some(draft);
            assert!(!lost || self.unchecked, "{id}: somebody's draft {draft:?} is destroyed by {text:?}");
        }
    }

    /// Promise 3: the same text is not published twice. Promise 4: no 429 of our own making.
    pub fn arrived(&mut self, hub: &Model, request: &sandbox::Request, response: &sandbox::Response) {
        assert!(response.status != 429 || self.shared_limits, "we sent more than the limit: 429");
        if request.method == "PATCH" && response.status == 200 {
            self.writes += 1;
        }
        let Some((id, version, text, by_us)) = self.before.take() else { return };
        let page = hub.page(&id).unwrap();
        if let Some(live) = &page.live {
            let again =
                live.version > version && live.content == text && by_us && live.title == title_of(page, version);
            assert!(!again, "{id}: {text:?} is published twice by us");
        }
    }
}

fn live_is_ours(page: &sandbox::Page) -> bool {
    let last = page.versions.last().and_then(|version| version.created_by.as_ref());
    last.is_some_and(|user| *user == sandbox::model::User::admin())
}

fn title_of(page: &sandbox::Page, version: u64) -> String {
    let found = page.versions.iter().find(|known| known.version == version);
    found.map(|known| known.title.clone()).unwrap_or_default()
}
