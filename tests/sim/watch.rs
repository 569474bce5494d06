//! What must hold whatever happens, judged from outside: from what the hub holds, what is in the folder, what is on the disk
//! and what travels. Nothing of the engine's own bookkeeping is asked.

use std::collections::{BTreeMap, BTreeSet};

use hubsync::engine::change::Backup;
use hubsync::engine::request::{AnswerBody, Listed, PatchRequest, Request};
use hubsync::engine::settled::RootHealth;
use hubsync::pace::quota::Limits;
use hubsync::page::{Digest, PageId, Row, Stamp};
use hubsync::reconcile::page_record::Keep;
use hubsync::sandbox::{self, Act, Model, Normalise};

use super::disk::Disk;
use super::world::Arrival;

/// How long a look is good for a write, in milliseconds.
const FRESH: i64 = 60_000;
const DAY: i64 = 86_400_000;

#[derive(Clone, Copy, Debug)]
struct Look {
    sent: i64,
    evaluated: i64,
}

/// The live text that a write which is arriving replaces.
#[derive(Clone, Debug)]
struct Before {
    id: String,
    version: u64,
    content: String,
    by_us: bool,
}

/// Remembers what was looked at and what others wrote; fails as soon as a promise is broken.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Looks that were answered, by page; "" for lists.
    looks: BTreeMap<String, Look>,
    /// When the look under way was evaluated, by its short form.
    evaluated: BTreeMap<String, i64>,
    /// The list that is being read.
    list: Option<Look>,
    /// Texts that somebody else wrote, by page, and when.
    foreign: BTreeMap<String, BTreeMap<String, i64>>,
    /// When somebody else wrote to a page last, whatever it was.
    written: BTreeMap<String, i64>,
    /// Bodies that the documents of a page have had.
    said: BTreeMap<String, BTreeSet<String>>,
    /// Texts that we sent, and what the hub made of them.
    ours: BTreeSet<(String, String)>,
    /// Whether the hub need not be looked at before a write.
    pub unchecked: bool,
    /// Whether others' texts are held and never replaced, backup or not.
    pub holds: bool,
    /// Whether the hub may answer 429.
    pub shared_limits: bool,
    limits: Limits,
    before: Option<Before>,
    pub writes: usize,
    /// When requests left, and when they arrived in time.
    left: Vec<i64>,
    arrivals: Vec<i64>,
    /// Nothing leaves before this: the hub said so.
    not_before: i64,
    /// A key that was refused and not replaced.
    refused_key: Option<String>,
    /// Pages that somebody else touched.
    pub touched: BTreeSet<String>,
    /// Pages one of whose writes the hub refused.
    pub rejected: BTreeSet<String>,
    /// Pages one of whose writes has lost its answer.
    pub lost: BTreeSet<String>,
    /// Pages whose lists alone were written.
    pub filed: BTreeSet<String>,
    /// Whether the state was lost: what we wrote before is somebody's now.
    pub forgot: bool,
    /// `on_delete: archive`.
    pub archives: bool,
    /// The last text that we published, by page.
    published: BTreeMap<String, (String, String)>,
    /// Documents that the hub refused, by page and digest of their file.
    refused: BTreeSet<(PageId, Digest)>,
    /// Texts that must never be sent.
    pub halves: BTreeSet<String>,
    /// On which stamp of a page a person decided last, in microseconds, and for what.
    decided: BTreeMap<String, (i64, Keep)>,
    /// Pages of which everything was forgotten once.
    pub forgotten: BTreeSet<String>,
}

impl Watch {
    pub fn new(limits: Limits) -> Self {
        Self {
            looks: BTreeMap::new(),
            evaluated: BTreeMap::new(),
            list: None,
            foreign: BTreeMap::new(),
            written: BTreeMap::new(),
            said: BTreeMap::new(),
            ours: BTreeSet::new(),
            unchecked: false,
            holds: false,
            shared_limits: false,
            limits,
            before: None,
            writes: 0,
            left: Vec::new(),
            arrivals: Vec::new(),
            not_before: i64::MIN,
            refused_key: None,
            touched: BTreeSet::new(),
            rejected: BTreeSet::new(),
            lost: BTreeSet::new(),
            filed: BTreeSet::new(),
            forgot: false,
            archives: false,
            published: BTreeMap::new(),
            refused: BTreeSet::new(),
            halves: BTreeSet::new(),
            decided: BTreeMap::new(),
            forgotten: BTreeSet::new(),
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Somebody else did something to a page.
    pub fn colleague(&mut self, hub: &Model, id: &str, act: &Act, at: i64) {
        self.touched.insert(id.to_owned());
        if *act == Act::Restore {
            // What was there before a page was archived comes back with it: looks from before have not seen it.
            for written in self.foreign.entry(id.to_owned()).or_default().values_mut() {
                *written = at;
            }
        }
        // What lies beside it may have become common ground since: a document that took it over said it.
        match act {
            Act::Publish { .. } => self.wrote_these(id, live_text(hub, id), at),
            Act::SaveDraft { .. } => self.wrote_these(id, draft_text(hub, id), at),
            _ => {}
        }
    }

    /// Somebody else wrote all that a page has.
    pub fn wrote(&mut self, hub: &Model, id: &str, at: i64) {
        self.wrote_these(id, live_text(hub, id).into_iter().chain(draft_text(hub, id)), at);
    }

    fn wrote_these(&mut self, id: &str, texts: impl IntoIterator<Item = String>, at: i64) {
        self.written.insert(id.to_owned(), at);
        for content in texts.into_iter().filter(|content| is_foreign(content)) {
            self.foreign.entry(id.to_owned()).or_default().entry(content).or_insert(at);
        }
    }

    /// Whoever writes with another clone published: what was published here before may be published again.
    pub fn other_published(&mut self, hub: &Model, id: &str, at: i64) {
        self.published.remove(id);
        if let Some(text) = live_text(hub, id) {
            self.others(id, text, at);
        }
    }

    /// Whoever writes with another clone, or is at its side, left something on a page that is not published.
    pub fn other_drafted(&mut self, hub: &Model, id: &str, at: i64) {
        if let Some(text) = draft_text(hub, id) {
            self.others(id, text, at);
        }
    }

    /// What a page's document here never said is somebody else's text. It can come back: then it is not what was seen before.
    fn others(&mut self, id: &str, text: String, at: i64) {
        let said = self.said.get(id).is_some_and(|said| said.iter().any(|body| body.trim_end() == text.trim_end()));
        if !said && !self.ours.contains(&(id.to_owned(), text.clone())) {
            self.foreign.entry(id.to_owned()).or_default().insert(text, at);
        }
    }

    /// The document says the same but for white space: that becomes common ground (row D5).
    pub fn says(&mut self, id: &str, body: &str) {
        if let Some(texts) = self.foreign.get_mut(id) {
            texts.retain(|text, _| text.trim_end() != body.trim_end());
        }
        self.said.entry(id.to_owned()).or_default().insert(body.to_owned());
    }

    /// A document is gone: what was never published is forgotten with it, and the refusal too.
    pub fn gone(&mut self, id: &str) {
        self.refused.retain(|(page, _)| page.as_str() != id);
    }

    /// What was published of it is forgotten as well; without checks it may be published again.
    pub fn removed(&mut self, id: &str) {
        self.gone(id);
        self.published.remove(id);
    }

    /// The state is lost: what was common ground is met anew, and others' white space with it (row B3).
    pub fn forgets(&mut self) {
        self.forgot = true;
        self.foreign.values_mut().for_each(|texts| texts.retain(|text, _| !text.ends_with("\t\n")));
    }

    /// A person decided what becomes of a page, as it was at this stamp.
    pub fn decided(&mut self, id: &str, at: Stamp, keep: Keep) {
        self.decided.insert(id.to_owned(), (at.0, keep));
    }

    /// All that was known of a page is forgotten.
    pub fn forgets_page(&mut self, id: &str) {
        self.removed(id);
        self.forgotten.insert(id.to_owned());
        if let Some(texts) = self.foreign.get_mut(id) {
            texts.retain(|text, _| !text.ends_with("\t\n"));
        }
    }

    /// An archive is about to be applied: a person confirmed it, or asked for it once and for all; what it takes away is kept.
    fn archiving(&self, hub: &Model, id: &str, backups: &[Backup], looked: i64) {
        let Some(page) = hub.page(id).filter(|page| !page.archived) else { return };
        let confirmed = self.decided.get(id).is_some_and(|(_, keep)| *keep == Keep::Archive);
        assert!(confirmed || self.archives, "{id} is archived, and nobody confirmed it");
        let live = page.live.as_ref().map(|live| live.content.as_str());
        let draft = page.draft.as_ref().and_then(|draft| draft.content.as_deref());
        let kept = |body: &str| backups.iter().any(|backup| backup.page.as_str() == id && backup.text.body == body);
        let later = self.written.get(id).is_some_and(|written| *written >= looked);
        for body in live.into_iter().chain(draft) {
            assert!(kept(body) || later, "{id}: {body:?} is archived and not kept");
        }
    }

    /// A process ended; these writes are in doubt for the next one, whatever was answered.
    pub fn ended_in_doubt(&mut self, pages: Vec<String>) {
        self.refused.retain(|(page, _)| !pages.contains(&page.to_string()));
        self.lost.extend(pages);
    }

    /// Promise 4: never more than the limits, by our own count; a 429 is heeded. Nothing leaves with a refused key. Promise
    /// 5: no write while the root is in question.
    pub fn leaves(&mut self, at: i64, key: &str, root: &RootHealth, is_write: bool) {
        assert!(at >= self.not_before, "the hub said to wait for {} ms more", self.not_before - at);
        assert!(self.refused_key.as_deref() != Some(key), "a request leaves with a key that was refused");
        assert!(!is_write || *root == RootHealth::Ok, "a write leaves while the root is {root:?}");
        self.left.retain(|sent| at - sent < DAY);
        self.left.push(at);
        within(&self.left, at, self.limits, "leave");
    }

    /// The connection was never made.
    pub fn never_left(&mut self, at: i64) {
        if let Some(place) = self.left.iter().position(|sent| *sent == at) {
            self.left.remove(place);
        }
    }

    pub fn told_to_wait(&mut self, at: i64, ms: Option<i64>) {
        if let Some(ms) = ms {
            self.not_before = self.not_before.max(at + ms);
        }
    }

    pub fn key_refused(&mut self, key: &str, source: &str) {
        self.refused_key = (key == source).then(|| key.to_owned());
    }

    /// A process knows only what it looked at itself.
    pub fn restarted(&mut self) {
        self.looks.clear();
        self.evaluated.clear();
        self.list = None;
        self.refused_key = None;
    }

    /// A look was evaluated by the hub.
    pub fn evaluated(&mut self, request: &Request, at: i64) {
        match request {
            Request::Get(id) => self.evaluated.insert(id.to_string(), at),
            Request::List { page, .. } => self.evaluated.insert(format!("list {page}"), at),
            _ => None,
        };
    }

    /// A look was answered.
    pub fn looked(&mut self, request: &Request, body: &AnswerBody, sent: i64) {
        let key = match (request, body) {
            (Request::Get(id), AnswerBody::Page(_)) => id.to_string(),
            (Request::List { page, .. }, AnswerBody::Rows(listed)) => {
                return self.listed(*page, listed, sent);
            }
            (Request::Patch(patch), AnswerBody::Rejected { .. }) => {
                self.rejected.insert(patch.page.to_string());
                self.refused.insert((patch.page.clone(), patch.source));
                return;
            }
            _ => return,
        };
        let evaluated = self.evaluated.get(&key).copied().unwrap_or(sent);
        self.saw(key, Look { sent, evaluated });
    }

    /// A page of a list looks at the pages in its rows; the last one ends a look at all pages, which is as old as the first.
    fn listed(&mut self, page: u32, listed: &Listed<Row>, sent: i64) {
        let evaluated = self.evaluated.get(&format!("list {page}")).copied().unwrap_or(sent);
        for row in &listed.rows {
            self.saw(row.id.to_string(), Look { sent, evaluated });
        }
        if page == 1 {
            self.list = Some(Look { sent, evaluated });
        }
        if u64::from(page) >= u64::from(listed.total_pages)
            && let Some(look) = self.list.take()
        {
            self.saw(String::new(), look);
        }
    }

    /// The last look at a page, or at all, is the one that was sent last.
    fn saw(&mut self, key: String, look: Look) {
        let known = self.looks.entry(key).or_insert(look);
        if known.sent < look.sent {
            *known = look;
        }
    }

    fn last_look(&self, id: &str) -> Option<Look> {
        let looks = [self.looks.get(id), self.looks.get("")];
        looks.into_iter().flatten().copied().max_by_key(|look| look.sent)
    }

    /// What the hub refused is not sent again until its document changes (contract.md, What a change costs).
    pub fn not_refused(&mut self, patch: &PatchRequest) {
        let refused = self.refused.contains(&(patch.page.clone(), patch.source));
        if !refused {
            // Another document: the refused one may come back.
            self.gone(patch.page.as_str());
        }
        assert!(!refused || self.forgot, "{}: what the hub refused is sent again", patch.page);
    }

    /// Promise 1: what is written was looked at within the last minute. Answers when that look was evaluated.
    pub fn sent(&self, id: &str, at: i64) -> i64 {
        if self.unchecked {
            return self.last_look(id).map_or(at, |look| look.evaluated);
        }
        let look = self.last_look(id).unwrap_or_else(|| panic!("{id} is written without a look"));
        assert!(at - look.sent <= FRESH, "{id} is written on a look of {} ms ago", at - look.sent);
        look.evaluated
    }

    /// Promise 2 and 3: what is sent is on the disk as an intent, or a crash would forget that it was sent.
    pub fn stored(&self, disk: &Disk, id: &str) {
        let intent = disk.record(&PageId::parse(id).unwrap()).is_some_and(|record| record.doubt.is_some());
        assert!(intent, "{id} is written, and nothing on the disk tells of it");
    }

    /// A write is about to be applied: what it replaces must be ours, kept, or have come after the look it rests on.
    pub fn arriving(&mut self, hub: &Model, request: &sandbox::Request, backups: &[Backup], looked: i64) {
        self.before = None;
        let id = request.target.rsplit('/').next().unwrap().to_owned();
        if request.method == "DELETE" {
            self.archiving(hub, &id, backups, looked);
        }
        if request.method != "PATCH" {
            return;
        }
        let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let Some(page) = hub.page(&id) else { return };
        let publishes = sent["status"] == "published";
        let live = page.live.as_ref().filter(|_| publishes && !page.archived);
        let text = sent["content"].as_str().map(str::to_owned);
        assert!(
            text.is_some() || !publishes,
            "{id}: `status` is sent without the text, and publishes whatever lies there"
        );
        let Some(text) = text else { return };
        let half = self.halves.iter().find(|half| text.contains(half.as_str()));
        assert!(half.is_none(), "{id}: what was still being written is sent: {text:?}");
        assert!(sent["title"].is_string(), "{id}: a text is sent without its title");
        self.ours.insert((id.clone(), text.clone()));
        let taken_over = |body: &str| {
            // Somebody else's white space becomes common ground before the next text is noticed, where a document of the page
            // said the same otherwise (row D5), or was met anew (row B3).
            let alike: Vec<&String> =
                self.said.get(&id).into_iter().flatten().filter(|said| said.trim_end() == body.trim_end()).collect();
            let unsent = alike.iter().any(|said| !self.ours.contains(&(id.clone(), (*said).clone())));
            body.ends_with("\t\n") && (alike.len() > 1 || unsent || self.forgotten.contains(&id))
        };
        let seen_foreign = |body: &str| {
            let ours = body == text || self.ours.contains(&(id.clone(), body.to_owned())) || taken_over(body);
            let written = self.foreign.get(&id).and_then(|texts| texts.get(body));
            !ours && written.is_some_and(|at| *at < looked)
        };
        // A text is decided on by whoever decided when it was there. Stamps of whole seconds are cut.
        let stamp = self.decided.get(&id).map(|(stamp, _)| stamp + 1_000_000);
        let decided = |body: &str| {
            let written = self.foreign.get(&id).and_then(|texts| texts.get(body));
            written.zip(stamp).is_some_and(|(at, stamp)| at * 1_000 < stamp)
        };
        let kept = |body: &str| backups.iter().any(|backup| backup.page.as_str() == id && backup.text.body == body);
        if let Some(live) = live {
            // White space that somebody added to a text of ours whose answer was lost is taken for what the hub made of it.
            let blank = live.content.ends_with("\t\n") && self.lost.contains(&id);
            let foreign = seen_foreign(&live.content) && !blank;
            assert!(
                !foreign || !self.holds || decided(&live.content),
                "{id}: {:?} is replaced, although it should be held",
                live.content
            );
            let lost = foreign && !kept(&live.content);
            assert!(!lost || self.unchecked, "{id}: {:?} is replaced by {text:?} without a backup", live.content);
            let (version, content) = (live.version, live.content.clone());
            self.before = Some(Before { id: id.clone(), version, content, by_us: live_is_ours(page) });
        }
        if let Some(draft) = page.draft.as_ref().and_then(|draft| draft.content.as_deref()) {
            let settled = decided(draft) && kept(draft);
            let lost = !page.archived && seen_foreign(draft) && page.content() != Some(draft) && !settled;
            assert!(!lost || self.unchecked, "{id}: somebody's draft {draft:?} is destroyed by {text:?}");
        }
    }

    /// Promise 3: the same text is not published twice. Promise 4: no 429 of our own making.
    pub fn arrived(
        &mut self,
        at: i64,
        hub: &Model,
        request: &sandbox::Request,
        response: &sandbox::Response,
        arrival: Arrival,
    ) {
        // What arrives late is counted by the hub later than by us.
        self.shared_limits |= arrival.is_late();
        assert!(response.status != 429 || self.shared_limits, "we sent more than the limit: 429");
        if !arrival.is_late() && response.status != 429 {
            self.arrivals.retain(|arrived| at - arrived < DAY);
            self.arrivals.push(at);
            within(&self.arrivals, at, self.limits, "arrive");
        }
        if request.method != "PATCH" || response.status != 200 {
            return;
        }
        self.writes += 1;
        let id = request.target.rsplit('/').next().unwrap();
        let page = hub.page(id).unwrap();
        // A hub that rewrites text has made another of ours.
        let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        if sent["content"].is_string() {
            let live = page.live.as_ref().filter(|_| sent["status"] == "published").map(|live| live.content.clone());
            let draft = page.draft.as_ref().and_then(|draft| draft.content.clone());
            self.ours.extend(live.into_iter().chain(draft).map(|text| (id.to_owned(), text)));
        }
        if !sent["content"].is_string() {
            self.filed.insert(id.to_owned());
        }
        let Some(before) = self.before.take() else { return };
        let text = (sent["title"].to_string(), sent["content"].to_string());
        let last = self.published.insert(id.to_owned(), text.clone());
        let moved = page.live.as_ref().is_some_and(|live| live.version > before.version);
        // Who does not know what became of a write, and can't see it, may publish it again.
        let rewritten = hub.settings().normalise == Normalise::Growing;
        let blind = self.forgotten.contains(id)
            || self.forgot && (self.unchecked || rewritten)
            || rewritten && self.lost.contains(id);
        let again = moved && before.by_us && last == Some(text) && !blind;
        assert!(!again, "{}: {:?} is published twice by us", before.id, before.content);
    }
}

/// Those that begin with X or Y, or end with a tab, are others' alone: no document ever says them first.
fn is_foreign(content: &str) -> bool {
    content.starts_with(['X', 'Y']) || content.ends_with("\t\n")
}

/// Whether the last of `moments` is within the limits of its minute and its day.
fn within(moments: &[i64], at: i64, limits: Limits, what: &str) {
    let within = |window: i64| moments.iter().filter(|moment| at - **moment < window).count();
    let (minute, day) = (limits.per_minute as usize, limits.per_day as usize);
    assert!(minute == 0 || within(60_000) <= minute, "more than {minute} requests {what} in a minute");
    assert!(day == 0 || within(DAY) <= day, "more than {day} requests {what} in a day");
}

fn live_text(hub: &Model, id: &str) -> Option<String> {
    Some(hub.page(id)?.live.as_ref()?.content.clone())
}

fn draft_text(hub: &Model, id: &str) -> Option<String> {
    hub.page(id)?.draft.as_ref()?.content.clone()
}

fn live_is_ours(page: &sandbox::Page) -> bool {
    let last = page.versions.last().and_then(|version| version.created_by.as_ref());
    last.is_some_and(|user| *user == sandbox::model::User::admin())
}
