//! What people and scripts are told of a pull: a line a page, or one JSON document.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::cli::Exit;
use crate::commands::reader::Reader;
use crate::output::{Console, Lines, Shown};
use crate::page::{DocPath, PageId};

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// A file was written for it.
    Made,
    /// Its document was changed.
    Changed,
    /// Nothing had to be written.
    Same,
    /// It was done, but the page is not in step: this keeps it apart.
    Apart(Box<Did>, String),
    /// It was left alone.
    Left(String, Whose),
    /// It could not be done now.
    Failed(String),
    /// A file would be written for it.
    WouldMake,
    /// Its document would say what it says by now.
    WouldBring,
}

/// Who must act where a page was left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A person.
    Person,
    /// Nobody: it is as somebody wants it.
    Nobody,
}

/// As `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    pages: &'a [Line],
    requests: BTreeMap<&'static str, u32>,
}

#[derive(Serialize)]
struct Line {
    page_id: String,
    title: Option<String>,
    path: Option<String>,
    action: &'static str,
    reason: Option<String>,
}

/// What was told.
pub(super) struct Told<'a> {
    console: &'a Console,
    form: Form,
    lines: Vec<Line>,
    exit: Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl<'a> Told<'a> {
    pub(super) fn new(json: bool, console: &'a Console) -> Self {
        Self { console, form: if json { Form::Json } else { Form::Text }, lines: Vec::new(), exit: Exit::Ok }
    }

    /// One page is done.
    pub(super) fn page(
        &mut self,
        reader: &Reader,
        id: &PageId,
        title: Option<&str>,
        path: Option<&DocPath>,
        did: &Did,
    ) {
        let exit = exit(did);
        // 1 beats 75.
        if exit == Exit::Person || self.exit == Exit::Ok {
            self.exit = exit;
        }
        let line = Line {
            page_id: id.as_str().to_owned(),
            title: title.map(str::to_owned),
            path: path.map(DocPath::to_text),
            action: word(did),
            reason: reason(did).map(str::to_owned),
        };
        if self.form == Form::Text {
            // A reader who has gone is told nothing more; the pull goes on all the same.
            reader.aside(|| drop(self.console.result(&text(&line, did))));
        }
        self.lines.push(line);
    }

    /// Links to pages that got their files later stay addresses in this one.
    pub(super) fn unlinked(&self, path: &DocPath, why: &str) {
        let path = path.to_text();
        self.console.warning(format_args!("{}: some links stay addresses: {}", Shown::new(&path), Shown::new(why)));
    }

    /// All is told; answers how the command ends.
    pub(super) fn end(&self, requests: u32) -> io::Result<Exit> {
        let mut out = Lines::new();
        match self.form {
            Form::Json => {
                let requests = BTreeMap::from([("GET", requests)]);
                out.json(&Report { schema: 1, pages: &self.lines, requests });
            }
            Form::Text => {
                let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
                self.lines.iter().for_each(|line| *counts.entry(line.action).or_default() += 1);
                let counts: Vec<String> =
                    counts.iter().map(|(word, n)| format!("{n} {}", word.replace('_', " "))).collect();
                let counts = if counts.is_empty() { "no pages".to_owned() } else { counts.join(", ") };
                let requests = if requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") };
                out.line(format_args!("{counts}; {requests}"));
            }
        }
        let _ = self.console.result(&out)?;
        Ok(self.exit)
    }
}

fn exit(did: &Did) -> Exit {
    match did {
        Did::Left(_, Whose::Person) | Did::Apart(..) => Exit::Person,
        Did::Failed(_) => Exit::Later,
        Did::Made | Did::Changed | Did::Same | Did::Left(_, Whose::Nobody) | Did::WouldMake | Did::WouldBring => {
            Exit::Ok
        }
    }
}

fn word(did: &Did) -> &'static str {
    match did {
        Did::Made => "created",
        Did::Changed => "updated",
        Did::Same => "unchanged",
        Did::Apart(did, _) => word(did),
        Did::Left(..) => "skipped",
        Did::Failed(_) => "failed",
        Did::WouldMake => "would_create",
        Did::WouldBring => "would_update",
    }
}

fn reason(did: &Did) -> Option<&str> {
    match did {
        Did::Apart(_, why) | Did::Left(why, _) | Did::Failed(why) => Some(why),
        Did::Made | Did::Changed | Did::Same | Did::WouldMake | Did::WouldBring => None,
    }
}

fn text(line: &Line, did: &Did) -> Lines {
    let id = &line.page_id;
    let page = match (&line.path, &line.title) {
        (Some(path), _) => format!("{} (page {id})", Shown::new(path)),
        (None, Some(title)) => format!("\"{}\" (page {id})", Shown::new(title)),
        (None, None) => format!("page {id}"),
    };
    let word = match did {
        Did::WouldMake => "would create",
        Did::WouldBring => "would update where it differs",
        did => word(did),
    };
    let why = line.reason.as_ref().map(|why| format!(": {}", Shown::new(why))).unwrap_or_default();
    Lines::of(format_args!("{word:<9}  {page}{why}"))
}
