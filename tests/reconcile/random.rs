//! Random scenes. The alphabets are small, so that texts, titles, lists and marks often coincide.

use hubsync::page::{BodyPrint, Desired, Digest, Ids, Lists, Mono, Patch, PatchText, Print, Row, Stamp, Status, Wall};
use hubsync::policy::{ConflictCheck, OnDelete, OnDifference, Policy};
use hubsync::reason::{Code, Reason};
use hubsync::reconcile::page_record::{
    Base, Doubt, Intent, IntentKind, Keep, Known, PageRecord, Refused, Resolution, Seen,
};
use hubsync::reconcile::step::{NamesRead, Remote};
use hubsync::reconcile::wanted;
use proptest::option::{of, weighted};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::builders::{FRESH, File, NOW, STALE, Scene, ids, in_step};

/// All bodies; some differ only by what hubs rewrite.
pub const BODIES: [&str; 7] = ["", "A", "A\n", "B", "C", "- x", "* x"];

/// What is known of the hub, owned.
#[derive(Clone, Debug)]
pub enum Told {
    Unknown,
    Unmoved(Mono),
    Moved(Row),
    Is(Box<Seen>, Mono),
    Absent(Mono),
}

impl Told {
    /// As `decide` takes it.
    pub fn remote(&self) -> Remote<'_> {
        match self {
            Self::Unknown => Remote::Unknown,
            Self::Unmoved(as_of) => Remote::Unmoved { as_of: *as_of },
            Self::Moved(row) => Remote::Moved(row),
            Self::Is(page, as_of) => Remote::Is { page, as_of: *as_of },
            Self::Absent(as_of) => Remote::Absent { as_of: *as_of },
        }
    }
}

fn print() -> impl Strategy<Value = Print> {
    (select(vec!["T", "U"]), select(BODIES.to_vec())).prop_map(|(title, body)| Print::of(title, body))
}

fn known() -> impl Strategy<Value = Known> {
    (print(), weighted(0.2, print())).prop_map(|(sent, shown)| Known::new(sent, shown))
}

fn list() -> impl Strategy<Value = Ids> {
    select(vec![ids(&[]), ids(&["f"]), ids(&["f", "g"])])
}

fn all_lists() -> impl Strategy<Value = Lists> {
    (list(), list(), list()).prop_map(|(folders, skills, sources)| Lists {
        folders: Some(folders),
        skills: Some(skills),
        sources: Some(sources),
    })
}

fn some_lists() -> impl Strategy<Value = Lists> {
    (of(list()), weighted(0.3, list()), weighted(0.3, list())).prop_map(|(folders, skills, sources)| Lists {
        folders,
        skills,
        sources,
    })
}

fn status() -> impl Strategy<Value = Status> {
    select(vec![Status::Published, Status::Draft])
}

fn digest() -> impl Strategy<Value = Digest> {
    select(vec!["one file", "another file"]).prop_map(Digest::of)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (1..4_i64).prop_map(|second| Stamp(second * 1_000_000))
}

fn version() -> impl Strategy<Value = Option<u64>> {
    weighted(0.8, 1..4_u64)
}

/// A page in the hub.
pub fn seen() -> impl Strategy<Value = Seen> {
    (weighted(0.8, print()), weighted(0.4, print()), all_lists(), version(), stamp(), weighted(0.1, Just(()))).prop_map(
        |(live, draft, lists, version, updated_at, racy)| {
            let draft = draft.filter(|draft| live.as_ref() != Some(draft));
            let title = live.as_ref().or(draft.as_ref()).map_or_else(String::new, |print| print.title.clone());
            Seen { live, draft, title, lists, version, updated_at, racy: racy.is_some() }
        },
    )
}

fn base() -> impl Strategy<Value = Base> {
    (weighted(0.8, known()), weighted(0.3, known()), all_lists(), version(), digest()).prop_map(
        |(live, draft, lists, version, source)| Base {
            live,
            draft,
            lists,
            version,
            source,
            rules: Digest::of("rules"),
            at: Wall(0),
        },
    )
}

fn desired() -> impl Strategy<Value = Desired> {
    (digest(), weighted(0.7, select(vec!["T", "U"])), select(BODIES.to_vec()), status(), some_lists()).prop_map(
        |(source, title, body, status, lists)| Desired {
            source,
            rules: Digest::of("rules"),
            title: title.map(str::to_owned),
            body: BodyPrint::of(body),
            status,
            lists,
        },
    )
}

fn patch() -> impl Strategy<Value = Patch> {
    let text =
        (weighted(0.9, select(vec!["T", "U"])), select(BODIES.to_vec()), status()).prop_map(|(title, body, status)| {
            PatchText { title: title.map(str::to_owned), body: BodyPrint::of(body), status }
        });
    (weighted(0.8, text), some_lists()).prop_map(|(text, lists)| Patch { text, lists })
}

fn doubt() -> impl Strategy<Value = Doubt> {
    let kind = prop_oneof![4 => patch().prop_map(IntentKind::Patch), 1 => Just(IntentKind::Delete)];
    (kind, digest(), select(vec![0, 4_999, 5_000, 60_000])).prop_map(|(kind, source, ago)| {
        let intent = Intent { kind, source, rules: Digest::of("rules"), stored: NOW.wall };
        Doubt { intent, dead: Mono(NOW.mono.0 - ago) }
    })
}

fn resolution() -> impl Strategy<Value = Resolution> {
    (select(vec![Keep::Local, Keep::Remote, Keep::Both, Keep::Merged, Keep::Archive]), version(), stamp())
        .prop_map(|(keep, version, updated_at)| Resolution { keep, version, updated_at })
}

fn record() -> impl Strategy<Value = PageRecord> {
    let met = (weighted(0.8, base()), weighted(0.8, seen()));
    let marks =
        (weighted(0.2, doubt()), weighted(0.2, resolution()), weighted(0.1, digest()), weighted(0.05, Just(Wall(1))));
    let had = proptest::collection::vec((of(select(vec!["T", "U"])), select(BODIES.to_vec())), 0..3);
    (met, marks, had).prop_map(|((base, seen), (doubt, settled, absent, archived), had)| {
        let mut page = PageRecord { base, seen, doubt, settled, absent, archived, ..PageRecord::default() };
        for (title, body) in had {
            page.history.note(title, BodyPrint::of(body).exact);
        }
        page
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let on = || select(vec![OnDifference::Hold, OnDifference::Local]);
    let check = prop_oneof![4 => Just(ConflictCheck::On), 1 => Just(ConflictCheck::Off)];
    (on(), on(), check, select(vec![OnDelete::Keep, OnDelete::Archive])).prop_map(
        |(on_first_meeting, on_conflict, conflict_check, on_delete)| Policy {
            on_first_meeting,
            on_conflict,
            conflict_check,
            on_delete,
            ..Policy::default()
        },
    )
}

fn file() -> impl Strategy<Value = File> {
    prop_oneof![
        8 => Just(File::Document),
        2 => select(vec![0, 3_599_999, 3_600_000]).prop_map(|ago| File::Gone(NOW.wall.plus(-ago))),
        1 => select(vec![NamesRead::Lately, NamesRead::LongAgo]).prop_map(File::Nameless),
        1 => select(vec![Code::Ignored, Code::FrontMatter]).prop_map(|code| File::Held(Reason::new(code, "held"))),
    ]
}

/// Any scene at all.
pub fn scene() -> impl Strategy<Value = Scene> {
    (file(), desired(), record(), seen(), policy(), any::<Option<()>>()).prop_map(
        |(file, document, mut page, hub, policy, refused)| {
            if refused.is_some() && hub.racy {
                page.refused = Some(Refused { wanted: wanted(&document), message: String::new() });
            }
            Scene { file, document, page, hub, policy, now: in_step().now }
        },
    )
}

/// When a look was sent: fresh or not, just or by far.
fn as_of() -> impl Strategy<Value = Mono> {
    select(vec![NOW.mono, FRESH, STALE, Mono(0), Mono(NOW.mono.0 + 5)])
}

/// Any scene, and anything that may be known of its hub.
pub fn told() -> impl Strategy<Value = (Scene, Told)> {
    (scene(), 0..8_u8, as_of()).prop_map(|(mut scene, kind, as_of)| {
        let told = match kind {
            0 => Told::Unknown,
            1 | 2 => Told::Unmoved(as_of),
            3 => Told::Moved(scene.row()),
            4 => Told::Absent(as_of),
            _ => Told::Is(Box::new(scene.hub.clone()), as_of),
        };
        // Often a decision of a person is about the page as it is.
        if kind % 2 == 1
            && let Some(settled) = &mut scene.page.settled
        {
            (settled.version, settled.updated_at) = (scene.hub.version, scene.hub.updated_at);
        }
        (scene, told)
    })
}
