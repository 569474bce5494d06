//! Scenes: a writer's document, a colleague's hub, what is remembered, and what is known. Each method is one thing that
//! somebody did; the last one says what `decide` is told of the hub, and answers what it said.

use hubsync::page::{
    Authored, BodyPrint, Desired, Digest, Ids, ListKind, Lists, Mono, Named, Now, PageId, PageStatus, Patch, PatchText,
    Print, Row, Stamp, Status, Wall,
};
use hubsync::policy::{ConflictCheck, OnDelete, OnDifference, Policy};
use hubsync::reason::{Code, Reason};
use hubsync::reconcile::page_record::{
    Base, Doubt, Intent, IntentKind, Keep, Known, PageRecord, Refused, Resolution, Seen,
};
use hubsync::reconcile::step::{Local, NamesRead, Remote};
use hubsync::reconcile::{decide, wanted};

use crate::said::Said;

/// The moment at which scenes are decided: long after the start of the process.
pub const NOW: Now = Now { mono: Mono(10_000_000), wall: Wall(1_000_000_000) };

/// When a look was sent that is just fresh.
pub const FRESH: Mono = Mono(NOW.mono.0 - 60_000);

/// When a look was sent that is just not fresh any more.
pub const STALE: Mono = Mono(NOW.mono.0 - 60_001);

/// The title of all texts that name none.
pub const TITLE: &str = "Pricing";

/// How the file stands.
#[derive(Clone, Debug)]
pub enum File {
    /// It is the scene's document.
    Document,
    /// It names what the hub doesn't have.
    Nameless(NamesRead),
    /// It is gone since then.
    Gone(Wall),
    /// It is there, but held.
    Held(Reason),
}

/// One document, one page, what is remembered of both.
#[derive(Clone, Debug)]
pub struct Scene {
    pub file: File,
    pub document: Desired,
    pub page: PageRecord,
    pub hub: Seen,
    pub policy: Policy,
    pub now: Now,
}

/// Some ids.
pub fn ids(list: &[&str]) -> Ids {
    list.iter().map(|id| (*id).to_owned()).collect()
}

/// A text with the usual title.
pub fn text(body: &str) -> Print {
    Print::of(TITLE, body)
}

fn known(body: &str) -> Known {
    Known::new(text(body), None)
}

fn lists() -> Lists {
    Lists { folders: Some(ids(&["sales"])), skills: Some(ids(&["s"])), sources: Some(ids(&[])) }
}

/// A published document and its page, in step: title and text "A", the folders managed, skills and sources not.
pub fn in_step() -> Scene {
    let hub = Seen {
        live: Some(text("A")),
        draft: None,
        title: TITLE.to_owned(),
        lists: lists(),
        version: Some(1),
        updated_at: Stamp(1_000_001),
        racy: false,
    };
    let document = Desired {
        source: Digest::of("the file"),
        rules: Digest::of("the rules"),
        title: Some(TITLE.to_owned()),
        body: BodyPrint::of("A"),
        bare: None,
        status: Status::Published,
        lists: Lists { folders: Some(ids(&["sales"])), ..Lists::default() },
    };
    let base = Base {
        live: Some(known("A")),
        draft: None,
        lists: lists(),
        version: Some(1),
        source: document.source,
        rules: document.rules,
        at: Wall(1),
    };
    let page = PageRecord { base: Some(base), seen: Some(hub.clone()), ..PageRecord::default() };
    Scene { file: File::Document, document, page, hub, policy: Policy::default(), now: NOW }
}

/// A document with `status: draft` and its page, in step: the page was never published, its draft is our "A".
pub fn draft_in_step() -> Scene {
    let mut scene = in_step();
    scene.document.status = Status::Draft;
    (scene.hub.live, scene.hub.draft, scene.hub.version) = (None, Some(text("A")), None);
    scene.page.seen = Some(scene.hub.clone());
    let base = scene.base();
    (base.live, base.draft, base.version) = (None, Some(known("A")), None);
    scene
}

/// A published document "A" that has never met its page, which has the live text "X".
pub fn unmet() -> Scene {
    let mut scene = in_step();
    scene.page = PageRecord::default();
    scene.hub.live = Some(text("X"));
    scene
}

/// A published document "A" that has never met its page, which has no text at all.
pub fn unmet_blank() -> Scene {
    let mut scene = unmet();
    (scene.hub.live, scene.hub.version) = (None, None);
    scene
}

/// What the writer does.
impl Scene {
    /// Another body.
    pub fn writes(mut self, body: &str) -> Self {
        self.document.body = BodyPrint::of(body);
        self.document.source = Digest::of(format!("a file with {body}"));
        self
    }

    /// Another title.
    pub fn retitles(mut self, title: &str) -> Self {
        self.document.title = Some(title.to_owned());
        self
    }

    /// The document doesn't manage the title.
    pub fn leaves_the_title_alone(mut self) -> Self {
        self.document.title = None;
        self
    }

    /// Other folders.
    pub fn files_in(mut self, folders: &[&str]) -> Self {
        self.document.lists.folders = Some(ids(folders));
        self
    }

    /// Another status.
    pub fn wants(mut self, status: Status) -> Self {
        self.document.status = status;
        self
    }

    /// The texts that the document had before.
    pub fn had(mut self, body: &str) -> Self {
        self.page.history.note(Some(TITLE), BodyPrint::of(body).exact);
        self
    }

    /// The file goes away, so many milliseconds ago.
    pub fn removes_it(mut self, ago: i64) -> Self {
        self.file = File::Gone(NOW.wall.plus(-ago));
        self
    }

    /// The file is there, but held.
    pub fn held_for(mut self, code: Code) -> Self {
        self.file = File::Held(Reason::new(code, "held"));
        self
    }

    /// The document names a folder that the hub doesn't have.
    pub fn names_an_unknown_folder(mut self, names: NamesRead) -> Self {
        self.file = File::Nameless(names);
        self
    }

    /// The writer settles it, on the page as the hub has it now.
    pub fn settles(mut self, keep: Keep) -> Self {
        self.page.settled = Some(Resolution { keep, version: self.hub.version, updated_at: self.hub.updated_at });
        self
    }
}

/// What a colleague does in the hub.
impl Scene {
    fn touched(mut self) -> Self {
        self.hub.updated_at.0 += 1_000_000;
        self
    }

    /// Publishes a text; a draft goes live or is thrown away with it.
    pub fn colleague_publishes(mut self, body: &str) -> Self {
        (self.hub.live, self.hub.draft) = (Some(text(body)), None);
        self.hub.version = Some(self.hub.version.unwrap_or(0) + 1);
        self.touched()
    }

    /// Saves a draft.
    pub fn colleague_drafts(mut self, body: &str) -> Self {
        self.hub.draft = Some(text(body));
        self.touched()
    }

    /// Saves a draft of another title.
    pub fn colleague_drafts_titled(mut self, title: &str, body: &str) -> Self {
        self.hub.draft = Some(Print::of(title, body));
        self.touched()
    }

    /// Publishes another title.
    pub fn colleague_retitles(mut self, title: &str) -> Self {
        self.hub.live.as_mut().unwrap().title = title.to_owned();
        self.hub.title = title.to_owned();
        self.hub.version = Some(self.hub.version.unwrap_or(0) + 1);
        self.touched()
    }

    /// Files the page elsewhere.
    pub fn colleague_files_in(mut self, folders: &[&str]) -> Self {
        self.hub.lists.folders = Some(ids(folders));
        self.touched()
    }

    /// Gives the page other skills, which the document doesn't manage.
    pub fn colleague_sets_skills(mut self, skills: &[&str]) -> Self {
        self.hub.lists.skills = Some(ids(skills));
        self.touched()
    }
}

/// What hubsync remembers and is told to do.
impl Scene {
    /// The base, to be changed.
    pub fn base(&mut self) -> &mut Base {
        self.page.base.as_mut().unwrap()
    }

    /// The page was looked at as it is now.
    pub fn looked_at(mut self) -> Self {
        self.page.seen = Some(self.hub.clone());
        self
    }

    /// The page was never looked at (the base of `--since`).
    pub fn never_looked_at(mut self) -> Self {
        self.page.seen = None;
        self
    }

    /// The last look can't tell an edit of the same second.
    pub fn racy(mut self) -> Self {
        self.page.seen.as_mut().unwrap().racy = true;
        self
    }

    /// The hub makes something else of what we sent.
    pub fn hub_echoes(mut self, body: &str) -> Self {
        let base = self.base();
        let echoed = |known: Known| Known::new(known.sent, Some(text(body)));
        (base.live, base.draft) = (base.live.take().map(echoed), base.draft.take().map(echoed));
        let shown = |print: Print| Print::of(&print.title, body);
        (self.hub.live, self.hub.draft) = (self.hub.live.take().map(shown), self.hub.draft.take().map(shown));
        self.looked_at()
    }

    /// The document as it is was refused.
    pub fn was_refused(mut self) -> Self {
        self.page.refused = Some(Refused { wanted: wanted(&self.document), message: "no".to_owned() });
        self
    }

    /// The hub had no such page when the document was as it is.
    pub fn was_absent(mut self) -> Self {
        self.page.absent = Some(self.document.source);
        self
    }

    /// A write of `patch` lost its answer; its connection ended so many milliseconds ago.
    pub fn lost_patch(self, patch: Patch, ago: u64) -> Self {
        self.lost(IntentKind::Patch(patch), ago)
    }

    /// A DELETE lost its answer.
    pub fn lost_delete(self, ago: u64) -> Self {
        self.lost(IntentKind::Delete, ago)
    }

    fn lost(mut self, kind: IntentKind, ago: u64) -> Self {
        let (source, rules) = (self.document.source, self.document.rules);
        let intent = Intent { kind, source, rules, stored: NOW.wall };
        self.page.doubt = Some(Doubt { intent, dead: Mono(NOW.mono.0 - ago) });
        self
    }

    /// We archived the page.
    pub fn we_archived(mut self) -> Self {
        self.page.archived = Some(Wall(1));
        self
    }

    /// `publish.on_conflict: local`.
    pub fn on_conflict_local(mut self) -> Self {
        self.policy.on_conflict = OnDifference::Local;
        self
    }

    /// `publish.on_first_meeting: local`.
    pub fn on_first_meeting_local(mut self) -> Self {
        self.policy.on_first_meeting = OnDifference::Local;
        self
    }

    /// `publish.conflict_check: false`.
    pub fn unchecked(mut self) -> Self {
        self.policy.conflict_check = ConflictCheck::Off;
        self
    }

    /// `publish.on_delete: archive`.
    pub fn on_delete_archive(mut self) -> Self {
        self.policy.on_delete = OnDelete::Archive;
        self
    }
}

/// What is known of the hub, and what follows.
impl Scene {
    /// Nothing.
    pub fn unknown(&self) -> Said {
        self.decide(Remote::Unknown)
    }

    /// A fresh list left the page out.
    pub fn unmoved(&self) -> Said {
        self.decide(Remote::Unmoved { as_of: FRESH })
    }

    /// A list left the page out over a minute ago.
    pub fn unmoved_stale(&self) -> Said {
        self.decide(Remote::Unmoved { as_of: STALE })
    }

    /// A list shows the page as the hub has it.
    pub fn moved(&self) -> Said {
        self.decide(Remote::Moved(&self.row()))
    }

    /// The page as the hub has it, looked at within the minute.
    pub fn is(&self) -> Said {
        self.is_as_of(FRESH)
    }

    /// The page as the hub has it, looked at over a minute ago.
    pub fn is_stale(&self) -> Said {
        self.is_as_of(STALE)
    }

    /// The page as the hub has it, by a GET that was sent then.
    pub fn is_as_of(&self, as_of: Mono) -> Said {
        self.decide(Remote::Is { page: &self.hub, as_of })
    }

    /// There is no such page.
    pub fn absent(&self) -> Said {
        self.decide(Remote::Absent { as_of: FRESH })
    }

    /// What a list says of the page.
    pub fn row(&self) -> Row {
        let status = if self.hub.live.is_some() { PageStatus::Published } else { PageStatus::Draft };
        Row {
            id: PageId::parse("p1").unwrap(),
            status,
            title: self.hub.title.clone(),
            version: self.hub.version,
            updated_at: self.hub.updated_at,
            folders: self.hub.lists.folders.clone().unwrap_or_default(),
            skills: self.hub.lists.skills.clone().unwrap_or_default(),
        }
    }

    /// What follows.
    pub fn decide(&self, remote: Remote<'_>) -> Said {
        let authored = authored(&self.document);
        let problem = Reason::new(Code::UnknownName, "no such folder");
        let local = match &self.file {
            File::Document => Local::Document(&self.document),
            File::Nameless(names) => Local::Nameless { document: &authored, problem: &problem, names: *names },
            File::Gone(since) => Local::Gone { since: *since },
            File::Held(reason) => Local::Held(reason),
        };
        Said(decide(local, &self.page, remote, &self.policy, self.now))
    }

    /// The patch that sends the document as it is.
    pub fn whole_patch(&self) -> Patch {
        let fields = ListKind::ALL.into_iter().filter(|kind| self.document.lists.get(*kind).is_some());
        let mut lists = Lists::default();
        fields.for_each(|kind| lists.set(kind, self.document.lists.get(kind).cloned()));
        let title = self.document.title.clone();
        let text = PatchText { title, body: self.document.body, status: self.document.status };
        Patch { text: Some(text), lists }
    }
}

/// The document before its names are resolved.
pub fn authored(document: &Desired) -> Authored {
    Authored {
        source: document.source,
        rules: document.rules,
        title: document.title.clone(),
        body: document.body,
        bare: document.bare.clone(),
        status: document.status,
        named: Named::default(),
    }
}
