//! A step that was carried out is not decided again: from every state, against a small model of the hub and of what the
//! engine remembers, a few decisions lead to rest, at most one write is sent, and rest costs nothing after a restart.

use std::fmt::Write as _;

use hubsync::page::{BodyPrint, ListKind, Mono, Patch, Print, Status, fold};
use hubsync::policy::ConflictCheck;
use hubsync::reconcile::acknowledged;
use hubsync::reconcile::page_record::{Intent, IntentKind, Seen};
use hubsync::reconcile::step::{Look, Mark, NamesRead, Step};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, proptest};

use crate::builders::{File, Scene};
use crate::random::{BODIES, Told, scene};

/// The longest way to rest: a list is read, then the page; one field is adopted and one is sent; a draft document whose
/// lists alone were sent is looked at; and then nothing.
const MOST: usize = 6;

/// The longest way from a doubt or an archive: it waits, is looked up and settled, and the page is there again.
const MOST_IN_DOUBT: usize = 8;

/// How the hub treats bodies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hub {
    Keeps,
    Normalises,
}

/// Everything: both sides, what is remembered, what is known, and what was done so far.
#[derive(Clone, Debug)]
struct World {
    scene: Scene,
    there: bool,
    hub: Hub,
    told: Told,
    patches: usize,
    trail: String,
}

impl World {
    /// Carries one decision out. Answers whether the page came to rest.
    fn step(&mut self) -> bool {
        let said = self.scene.decide(self.told.remote());
        let _ = write!(self.trail, "{said:?}; ");
        let now = self.scene.now.mono;
        match said.0.step {
            Step::InStep { learned, .. } => {
                self.scene.page.settled = None;
                if let Some(base) = learned {
                    self.scene.page.base = Some(*base);
                }
                return true;
            }
            Step::Hold(_) => {
                self.scene.page.settled = None;
                return true;
            }
            Step::Forget | Step::WriteText(_) | Step::WriteId => return true,
            Step::Adopt(base) => {
                self.scene.page.base = Some(*base);
                (self.scene.page.doubt, self.scene.page.settled) = (None, None);
            }
            Step::Drop(Mark::Doubt) => self.scene.page.doubt = None,
            Step::Drop(Mark::Archived) => self.scene.page.archived = None,
            Step::Archived => {
                self.scene.page.archived = Some(self.scene.now.wall);
                self.scene.page.doubt = None;
            }
            Step::Archive => {
                (self.there, self.told) = (false, Told::Absent(now));
                self.scene.page.archived = Some(self.scene.now.wall);
            }
            Step::Wait(until) => self.scene.now.mono = until,
            Step::Look(look) => self.look(look, now),
            Step::Patch(write) => self.send(&write.patch, now),
        }
        false
    }

    fn look(&mut self, look: Look, now: Mono) {
        let page = &mut self.scene.page;
        match look {
            Look::Names => {
                page.nameless = Some(self.scene.document.source);
                self.scene.file = File::Nameless(NamesRead::Lately);
            }
            Look::Get if self.there => {
                (page.seen, page.moved, page.absent) = (Some(self.scene.hub.clone()), None, None);
                self.told = Told::Is(Box::new(self.scene.hub.clone()), now);
            }
            Look::Get => {
                page.absent = Some(self.scene.document.source);
                self.told = Told::Absent(now);
            }
            Look::Fresh => {
                let row = self.scene.row();
                let page = &mut self.scene.page;
                if !self.there || page.seen.as_ref().is_some_and(|seen| seen.explains(&row)) {
                    self.told = Told::Unmoved(now);
                } else {
                    page.moved = Some(row.clone());
                    self.told = Told::Moved(row);
                }
            }
        }
    }

    /// The hub takes the patch; the engine remembers the answer and what it sent.
    fn send(&mut self, patch: &Patch, now: Mono) {
        self.patches += 1;
        self.scene.page.settled = None;
        if !self.there {
            self.scene.page.absent = Some(self.scene.document.source);
            self.told = Told::Absent(now);
            return;
        }
        let hub = &mut self.scene.hub;
        hub.updated_at.0 += 1_000_001;
        hub.racy = false;
        let mut drafted = None;
        if let Some(text) = &patch.text {
            let sent = Print { title: text.title.clone().unwrap_or_else(|| hub.title.clone()), body: text.body };
            match text.status {
                Status::Published => {
                    hub.title.clone_from(&sent.title);
                    (hub.live, hub.draft) = (Some(stored(sent, self.hub)), None);
                    hub.version = Some(hub.version.unwrap_or(0) + 1);
                }
                Status::Draft => {
                    let kept = stored(sent.clone(), self.hub);
                    hub.draft = Some(kept).filter(|draft| hub.live.as_ref() != Some(draft));
                    drafted = Some(sent).filter(|draft| hub.live.as_ref() != Some(draft));
                }
            }
        }
        for kind in ListKind::ALL {
            if let Some(ids) = patch.lists.get(kind) {
                hub.lists.set(kind, Some(ids.clone()));
            }
        }
        let document = &self.scene.document;
        let kind = IntentKind::Patch(patch.clone());
        let intent = Intent { kind, source: document.source, rules: document.rules, stored: self.scene.now.wall };
        let published = patch.text.as_ref().is_some_and(|text| text.status == Status::Published);
        let hub = &self.scene.hub;
        let echo = hub.live.as_ref().filter(|_| published);
        let page = &mut self.scene.page;
        page.base = Some(acknowledged(&intent, patch, page.base.as_ref(), hub, echo, self.scene.now));
        // No answer shows a draft: it is what we sent. After lists alone it is what was known, and the page counts as moved.
        let draft = match &patch.text {
            Some(_) => drafted,
            None => page.seen.as_ref().and_then(|seen| seen.draft.clone()),
        };
        page.seen = Some(Seen { draft, ..hub.clone() });
        self.told = Told::Unknown;
        if patch.text.is_none() {
            let row = self.scene.row();
            self.scene.page.moved = Some(row.clone());
            self.told = Told::Moved(row);
        }
    }
}

/// What a hub makes of a body.
fn stored(sent: Print, hub: Hub) -> Print {
    let body = BODIES.into_iter().find(|body| BodyPrint::of(body) == sent.body).unwrap_or_default();
    match hub {
        Hub::Keeps => sent,
        Hub::Normalises => Print { body: BodyPrint::of(&fold(body)), ..sent },
    }
}

/// A state that can have come about: a list speaks the truth, and what a GET answered was remembered.
fn world() -> impl Strategy<Value = World> {
    (scene(), any::<[bool; 3]>(), 0..5_u8).prop_map(|(mut scene, [there, normalises, looked], kind)| {
        scene.hub.updated_at.0 += 10_000_001;
        scene.hub.racy = false;
        let there = there || kind < 4;
        let hub = if normalises { Hub::Normalises } else { Hub::Keeps };
        scene.hub.live = scene.hub.live.map(|print| stored(print, hub));
        let draft = scene.hub.draft.map(|print| stored(print, hub));
        scene.hub.draft = draft.filter(|draft| scene.hub.live.as_ref() != Some(draft));
        if kind == 1 || looked {
            let racy = scene.page.seen.as_ref().is_some_and(|seen| seen.racy);
            scene.page.seen = Some(Seen { racy, ..scene.hub.clone() });
        }
        if looked && let Some(settled) = &mut scene.page.settled {
            (settled.version, settled.updated_at) = (scene.hub.version, scene.hub.updated_at);
        }
        let now = scene.now.mono;
        let told = match kind {
            1 => Told::Unmoved(now),
            2 if !scene.page.seen.as_ref().is_some_and(|seen| seen.explains(&scene.row())) => {
                (scene.page.moved, scene.page.absent) = (Some(scene.row()), None);
                Told::Moved(scene.row())
            }
            3 => {
                (scene.page.seen, scene.page.absent) = (Some(scene.hub.clone()), None);
                Told::Is(Box::new(scene.hub.clone()), now)
            }
            _ => Told::Unknown,
        };
        World { scene, there, hub, told, patches: 0, trail: String::new() }
    })
}

fn rest(world: &mut World) -> bool {
    let page = &world.scene.page;
    let most = if page.doubt.is_some() || page.archived.is_some() { MOST_IN_DOUBT } else { MOST };
    (0..most).any(|_| world.step())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_few_decisions_lead_to_rest_and_send_at_most_once(world in world()) {
        let mut world = world;
        prop_assert!(rest(&mut world), "no rest: {}", world.trail);
        prop_assert!(world.patches <= 1, "{}", world.trail);
    }

    #[test]
    fn rest_costs_nothing_after_a_restart(world in world()) {
        let mut world = world;
        prop_assert!(rest(&mut world), "no rest: {}", world.trail);
        let forgotten = world.trail.contains("forget") || world.trail.contains("write_text");
        if !forgotten {
            world.told = world.scene.page.moved.clone().map_or(Told::Unknown, Told::Moved);
            let _ = write!(world.trail, "restart: ");
            prop_assert!(world.step(), "{}", world.trail);
            prop_assert!(!world.trail.ends_with("learns; ") && !world.trail.ends_with("learns remote_draft; "), "{}", world.trail);
        }
    }

    #[test]
    fn what_was_sent_is_known_again_when_it_is_looked_at(world in world()) {
        let mut world = world;
        prop_assert!(rest(&mut world), "no rest: {}", world.trail);
        let in_step = world.scene.unknown();
        if world.patches > 0 && matches!(in_step.0.step, Step::InStep { .. }) && world.there {
            let said = world.scene.is_as_of(world.scene.now.mono);
            prop_assert!(matches!(said.0.step, Step::InStep { .. }), "{}{in_step:?}, then {said:?}", world.trail);
            // And the next change is sent without a conflict.
            world.scene = world.scene.writes("quite another text");
            let said = world.scene.is_as_of(world.scene.now.mono);
            let sent = matches!(said.0.step, Step::Patch(_)) || world.scene.hub.draft.is_some();
            prop_assert!(sent || world.scene.page.refused.is_some(), "{}{in_step:?}, then {said:?}", world.trail);
        }
    }

    #[test]
    fn a_document_that_wins_reaches_its_page(world in world()) {
        let mut world = world;
        world.scene.policy.conflict_check = ConflictCheck::Off;
        (world.scene.file, world.there) = (File::Document, true);
        (world.scene.page.archived, world.scene.page.absent, world.scene.page.refused) = (None, None, None);
        prop_assert!(rest(&mut world), "no rest: {}", world.trail);
        if world.patches > 0 {
            let (document, hub) = (&world.scene.document, &world.scene.hub);
            let said = world.scene.unknown();
            prop_assert!(said == "C1 in_step", "{} then {said:?}: {document:?} {hub:?}", world.trail);
        }
    }
}
