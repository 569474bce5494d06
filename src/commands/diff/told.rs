//! How a comparison is told: as a unified diff, or as one JSON document. Text of others leaves through `Lines` only.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::compare::{Comparison, TextDifference};
use crate::cli;
use crate::engine::PageReport;
use crate::hub::history::Edition;
use crate::output::{Console, Lines, Paint, Shown, Tone, summary};
use crate::page::{ListKind, Page, Side};
use crate::reason::{Reason, State};
use crate::reconcile::names::Names;

/// What came of comparing one page.
pub enum Compared<'a> {
    /// There was nothing to compare, and why.
    Not(String),
    /// It was compared with this page.
    With {
        /// As the hub has it.
        page: &'a Page,
        /// What differs.
        found: Comparison,
        /// Who made its version, where that was asked and is known.
        by: Option<Edition>,
        /// Whether it was archived.
        archived: bool,
    },
}

/// Tells of one page after the other.
pub struct Told<'a> {
    console: &'a Console,
    /// As JSON all is told at the end.
    json: Option<Vec<PageJson>>,
    left_out: usize,
    /// How many pages were told, where they are told at once.
    told: usize,
    requests: u32,
    failed: Option<io::Error>,
}

/// As `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    pages: &'a [PageJson],
    in_step_not_asked: usize,
    requests: BTreeMap<&'static str, u32>,
}

#[derive(Serialize)]
struct PageJson {
    path: String,
    page_id: Option<String>,
    title: Option<String>,
    state: State,
    reason: Option<Reason>,
    /// `null` where there was nothing to compare.
    differs: Option<bool>,
    why_not: Option<String>,
    archived: bool,
    remote_version: Option<u64>,
    remote_updated_at: Option<String>,
    edited_at: Option<String>,
    edited_by: Option<String>,
    unpublished: bool,
    texts: Vec<TextJson>,
    lists: BTreeMap<&'static str, Sides<Vec<String>>>,
    remarks: Vec<&'static str>,
}

#[derive(Serialize)]
struct TextJson {
    side: Side,
    title: Option<Sides<String>>,
    diff: Option<String>,
}

/// What only the one has, and only the other.
#[derive(Serialize)]
struct Sides<T> {
    page: T,
    document: T,
}

impl<'a> Told<'a> {
    pub fn new(args: &cli::Diff, console: &'a Console, left_out: usize) -> Self {
        Self { console, json: args.json.then(Vec::new), left_out, told: 0, requests: 0, failed: None }
    }

    /// Tells of one page.
    pub fn page(&mut self, page: &PageReport, compared: &Compared<'_>, names: &Names, requests: Option<u32>) {
        self.requests = requests.unwrap_or(self.requests);
        match &mut self.json {
            Some(pages) => pages.push(json(page, compared, names)),
            None => {
                let mut lines = Lines::new();
                if self.told > 0 {
                    lines.line("");
                }
                self.told += 1;
                lines.append(&text(page, compared, names, self.console.stdout_paint()));
                self.failed = self.console.result(&lines).err().or(self.failed.take());
            }
        }
    }

    /// Tells the rest.
    ///
    /// # Errors
    /// Where stdout can't be written to.
    pub fn end(self) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut lines = Lines::new();
        match &self.json {
            Some(pages) => {
                let requests = BTreeMap::from([("GET", self.requests)]);
                lines.json(&Report { schema: 1, pages, in_step_not_asked: self.left_out, requests });
            }
            None if self.left_out > 0 => {
                let n = self.left_out;
                lines.line(format_args!("{n} in step by the last look were not asked; name one to compare it"));
            }
            None => {}
        }
        self.console.result(&lines).map(drop)
    }
}

fn json(page: &PageReport, compared: &Compared<'_>, names: &Names) -> PageJson {
    let mut told = PageJson {
        path: page.path.to_text(),
        page_id: page.page_id.as_ref().map(|id| id.as_str().to_owned()),
        title: page.title.clone(),
        state: page.state,
        reason: page.reason.clone(),
        differs: None,
        why_not: None,
        archived: false,
        remote_version: None,
        remote_updated_at: None,
        edited_at: None,
        edited_by: None,
        unpublished: false,
        texts: Vec::new(),
        lists: BTreeMap::new(),
        remarks: Vec::new(),
    };
    let (there, found, by) = match compared {
        Compared::Not(why) => {
            told.why_not = Some(why.clone());
            return told;
        }
        Compared::With { page, found, by, archived } => {
            told.archived = *archived;
            (page, found, by.as_ref())
        }
    };
    told.differs = Some(!found.is_none());
    told.remote_version = there.version;
    told.remote_updated_at = Some(there.updated_at.to_iso());
    told.edited_at = by.and_then(|by| by.at).map(crate::page::Stamp::to_iso);
    told.edited_by = by.and_then(|by| by.by.clone());
    told.unpublished = found.unpublished;
    told.remarks.clone_from(&found.remarks);
    let text = |text: &TextDifference| TextJson {
        side: text.side,
        title: text.title.clone().map(|(page, document)| Sides { page, document }),
        diff: text.body.to_text(),
    };
    told.texts = found.texts.iter().map(text).collect();
    for list in &found.lists {
        let sides =
            Sides { page: named(names, list.kind, &list.page), document: named(names, list.kind, &list.document) };
        told.lists.insert(list.kind.key(), sides);
    }
    told
}

fn text(page: &PageReport, compared: &Compared<'_>, names: &Names, paint: Paint) -> Lines {
    let mut lines = Lines::new();
    let path = page.path.to_text();
    let path = Shown::new(&path).to_string();
    let reason = page.reason.as_ref().map(|why| format!(": {} [{}]", Shown::new(&why.message), why.code.as_str()));
    let heading = format!("{path}: {}{}", summary::word(page.state), reason.clone().unwrap_or_default());
    lines.toned(&[(Tone::Heading, &heading)], paint);
    let (there, found, by, archived) = match compared {
        Compared::Not(why) => {
            // The reason is told already.
            if page.reason.as_ref().is_none_or(|reason| reason.message != *why) && !why.is_empty() {
                lines.line(Shown::new(why));
            }
            return lines;
        }
        Compared::With { page, found, by, archived } => (page, found, by.as_ref(), archived),
    };
    if *archived {
        lines.line("the page is archived in the hub; this is its last text");
    }
    if found.is_none() {
        lines.line("no difference");
    } else {
        for (n, text) in found.texts.iter().enumerate() {
            let first = n == 0;
            if text.is_none() && !(first && (found.unpublished || !found.lists.is_empty())) {
                continue;
            }
            lines.toned(&[(Tone::Removed, &format!("--- {}", of_page(there, text.side, by)))], paint);
            let ours = if page.state == State::Orphaned { "no file".to_owned() } else { path.clone() };
            lines.toned(&[(Tone::Added, &format!("+++ {ours}"))], paint);
            if let Some((hub, document)) = &text.title {
                field(&mut lines, "title", std::slice::from_ref(hub), std::slice::from_ref(document), paint);
            }
            if first {
                if found.unpublished {
                    field(&mut lines, "status", &["draft".to_owned()], &["published".to_owned()], paint);
                }
                for list in &found.lists {
                    let (hub, document) =
                        (named(names, list.kind, &list.page), named(names, list.kind, &list.document));
                    field(&mut lines, list.kind.key(), &hub, &document, paint);
                }
            }
            text.body.write(&mut lines, paint);
        }
    }
    for remark in &found.remarks {
        lines.line(format_args!("note: {remark}"));
    }
    lines
}

/// The page's text in words: which, which version, when and by whom.
fn of_page(page: &Page, side: Side, by: Option<&Edition>) -> String {
    let at = |stamp: crate::page::Stamp| stamp.to_iso();
    let version = page.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let what = match side {
        Side::Draft => format!("its draft, last touched {}", at(page.updated_at)),
        Side::Live => {
            let when = by.and_then(|by| by.at).unwrap_or(page.updated_at);
            let who = by.and_then(|by| by.by.as_deref());
            let who = who.map(|who| format!(" by {}", Shown::new(who))).unwrap_or_default();
            format!("live{version}, {}{who}", at(when))
        }
    };
    format!("page {}: {what}", page.id)
}

/// A field that is no text: what only the page has, and what only the document has.
fn field(lines: &mut Lines, name: &str, page: &[String], document: &[String], paint: Paint) {
    lines.toned(&[(Tone::Place, &format!("@@ {name} @@"))], paint);
    for (mark, tone, values) in [("-", Tone::Removed, page), ("+", Tone::Added, document)] {
        for value in values.iter().filter(|value| !value.is_empty()) {
            lines.toned(&[(tone, mark), (tone, value)], paint);
        }
    }
}

fn named(names: &Names, kind: ListKind, ids: &[String]) -> Vec<String> {
    let table = names.by_id(kind);
    ids.iter().map(|id| table.get(id.as_str()).unwrap_or(id).clone()).collect()
}
