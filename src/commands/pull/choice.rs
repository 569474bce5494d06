//! Which pages are looked at, and which are left alone, by what folder and state say of them. Sends nothing.

use std::collections::BTreeMap;

use crate::commands::offline::Offline;
use crate::document::Reading;
use crate::engine::PageReport;
use crate::page::{Authored, Desired, DocPath, PageId, Row};
use crate::reason::{Code, State};
use crate::reconcile::merge;
use crate::reconcile::names::{self, Names};
use crate::reconcile::page_record::PageRecord;

use super::told::Whose;

/// A page that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub id: PageId,
    /// Its row, where it was found in the list.
    pub row: Option<Row>,
}

/// What is done about a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Nothing, for this reason.
    Leave { path: Option<DocPath>, why: String, whose: Whose },
    /// Nothing: its document says what it says.
    InStep(DocPath),
    /// It gets a file; there, where it had one.
    Make(Option<DocPath>),
    /// Its document is to say what it says.
    Bring { path: DocPath, desired: Box<Desired>, met: Met },
}

/// Whether document and page were ever in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Before,
    Never,
}

/// What folder and state say of each page.
pub(super) struct Choices {
    records: BTreeMap<PageId, (DocPath, PageRecord)>,
    files: BTreeMap<PageId, File>,
}

/// A page's file.
struct File {
    path: DocPath,
    says: Result<Authored, Held>,
}

/// Why a file is no document to write into, and who must act.
struct Held(String, Whose);

impl Choices {
    pub(super) fn new(offline: Offline) -> Self {
        let Offline { engine, now, folder, gone, mut records, .. } = offline;
        let summary = engine.summary(now);
        let mut known = BTreeMap::new();
        for page in &summary.pages {
            if let Some((id, record)) = page.page_id.as_ref().and_then(|id| records.remove_entry(id)) {
                known.insert(id, (page.path.clone(), record));
            }
        }
        let readings: BTreeMap<&DocPath, &Reading> = folder.readings().collect();
        let there = summary.pages.into_iter().filter_map(|page| Some((page.page_id.clone()?, page)));
        let files = there.filter(|(id, _)| !gone.contains(id)).map(|(id, page)| {
            let says = match readings.get(&page.path) {
                Some(Reading::Document { page_id, authored, .. })
                    if page_id.as_ref() == Some(&id) && !is_held(&page) =>
                {
                    Ok(authored.clone())
                }
                _ => {
                    let whose = if page.state == State::Skipped { Whose::Nobody } else { Whose::Person };
                    let why = page.reason.map_or_else(|| "its file is held".to_owned(), |reason| reason.message);
                    Err(Held(why, whose))
                }
            };
            (id, File { path: page.path, says })
        });
        let files = files.collect();
        Self { records: known, files }
    }

    /// The page's document, where there is one that can be read.
    pub(super) fn document(&self, id: &PageId) -> Option<&Authored> {
        self.files.get(id).and_then(|file| file.says.as_ref().ok())
    }

    /// What is done about a page, by the names as they are known.
    pub(super) fn choose(&self, target: &Target, names: &Names) -> Choice {
        let record = self.records.get(&target.id).map(|(_, record)| record);
        let Some(File { path, says }) = self.files.get(&target.id) else { return self.without_file(target) };
        let leave = |why: String, whose| Choice::Leave { path: Some(path.clone()), why, whose };
        let authored = match says {
            Ok(authored) => authored,
            Err(Held(why, whose)) => return leave(why.clone(), *whose),
        };
        let lists = match names::resolve(&authored.named, names) {
            Ok(lists) => lists,
            Err(unresolved) => return leave(unresolved.reason.message, Whose::Person),
        };
        let desired = Desired {
            source: authored.source,
            rules: authored.rules,
            title: authored.title.clone(),
            body: authored.body,
            bare: authored.bare.clone(),
            status: authored.status,
            lists,
        };
        let bring = |met| Choice::Bring { path: path.clone(), desired: Box::new(desired.clone()), met };
        let Some(base) = record.and_then(|record| record.base.as_ref()) else { return bring(Met::Never) };
        if record.is_some_and(|record| record.doubt.is_some()) {
            return leave(
                "the answer to a write of it is missing; `hubsync sync` looks it up".to_owned(),
                Whose::Person,
            );
        }
        if !merge::local_changes(&desired, base).is_empty() {
            let why = "the document has a change that is not published; publish it, or settle it by `hubsync resolve`";
            return leave(why.to_owned(), Whose::Person);
        }
        let known = record.and_then(|record| record.seen.as_ref().filter(|_| record.moved.is_none()));
        let unmoved = |row: &Row| {
            known.is_some_and(|seen| seen.explains(row) && merge::remote_changes(&desired, base, seen).is_empty())
        };
        if target.row.as_ref().is_some_and(unmoved) { Choice::InStep(path.clone()) } else { bring(Met::Before) }
    }

    /// A page that no file names. One whose file was deleted gets it back only if it is named itself.
    fn without_file(&self, target: &Target) -> Choice {
        let Some((path, record)) = self.records.get(&target.id) else { return Choice::Make(None) };
        if record.base.is_none() {
            return Choice::Make(None);
        }
        if target.row.is_some() {
            let why = format!("its file is gone; `hubsync pull {}` writes it again", target.id);
            return Choice::Leave { path: Some(path.clone()), why, whose: Whose::Nobody };
        }
        Choice::Make(Some(path.clone()))
    }
}

/// Whether a page's file is left alone although it can be read.
fn is_held(page: &PageReport) -> bool {
    page.state == State::Skipped || page.reason.as_ref().is_some_and(|reason| reason.code == Code::DuplicatePageId)
}
