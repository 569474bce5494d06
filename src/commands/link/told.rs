//! What `link` tells: a line a document, or one JSON document, and how it ends.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::{self, Exit};
use crate::output::{Lines, Shown};
use crate::page::{DocPath, PageId, Row};

/// What became of a document.
pub enum Outcome {
    /// It names its page now.
    Linked(PageId),
    /// It would.
    WouldLink(PageId),
    /// Its title leaves a choice.
    Ambiguous(Vec<PageId>, &'static str),
    /// Its title names no page.
    NoPage(&'static str),
    /// It can't be written into.
    Failed(PageId, String),
}

/// As `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    documents: &'a [Document],
    requests: BTreeMap<&'static str, u32>,
}

#[derive(Serialize)]
struct Document {
    path: String,
    title: Option<String>,
    outcome: &'static str,
    page_id: Option<String>,
    candidates: Vec<String>,
    message: Option<String>,
}

/// All that is told.
pub struct Told {
    json: bool,
    rows: Vec<Row>,
    requests: u32,
    documents: Vec<Document>,
}

impl Told {
    pub fn new(args: &cli::Link) -> Self {
        Self { json: args.json, rows: Vec::new(), requests: 0, documents: Vec::new() }
    }

    /// The hub was asked.
    pub fn asked(&mut self, rows: &[Row], requests: u32) {
        (self.rows, self.requests) = (rows.to_vec(), requests);
    }

    /// The hub's pages.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One document more.
    pub fn document(&mut self, path: &DocPath, title: Option<&str>, outcome: Outcome) {
        let text = |id: &PageId| id.as_str().to_owned();
        let (word, page_id, candidates, message) = match outcome {
            Outcome::Linked(page) => ("linked", Some(text(&page)), Vec::new(), None),
            Outcome::WouldLink(page) => ("would_link", Some(text(&page)), Vec::new(), None),
            Outcome::Ambiguous(pages, why) => {
                ("ambiguous", None, pages.iter().map(text).collect(), Some(why.to_owned()))
            }
            Outcome::NoPage(why) => ("no_page", None, Vec::new(), Some(why.to_owned())),
            Outcome::Failed(page, why) => ("failed", Some(text(&page)), Vec::new(), Some(why)),
        };
        let title = title.map(str::to_owned);
        self.documents.push(Document { path: path.to_text(), title, outcome: word, page_id, candidates, message });
    }

    /// What leaves a choice, or could not be written, a person must settle.
    pub fn verdict(&self) -> Exit {
        let settled = |document: &Document| !matches!(document.outcome, "ambiguous" | "failed");
        if self.documents.iter().all(settled) { Exit::Ok } else { Exit::Person }
    }

    pub fn lines(&self) -> Lines {
        let mut lines = Lines::new();
        if self.json {
            let requests = BTreeMap::from([("GET", self.requests)]);
            lines.json(&Report { schema: 1, documents: &self.documents, requests });
            return lines;
        }
        for document in &self.documents {
            let word = document.outcome.replace('_', " ");
            let path = Shown::new(&document.path);
            let title =
                document.title.as_deref().map(|title| format!(" \"{}\"", Shown::new(title))).unwrap_or_default();
            let page = document.page_id.as_deref().map(|page| format!(" page {page}")).unwrap_or_default();
            let why = document.message.as_deref().map(|why| format!(": {}", Shown::new(why))).unwrap_or_default();
            let candidates = document.candidates.join(", ");
            let candidates = if candidates.is_empty() { candidates } else { format!(" ({candidates})") };
            lines.line(format_args!("{word:<10}  {path}{title}{page}{why}{candidates}"));
        }
        let count = |word: &str| self.documents.iter().filter(|document| document.outcome == word).count();
        let all = self.documents.len();
        let counts = [
            ("linked", "linked"),
            ("would_link", "would link"),
            ("ambiguous", "ambiguous"),
            ("no_page", "without a page"),
            ("failed", "failed"),
        ]
        .map(|(outcome, word)| (count(outcome), word));
        let counts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        lines.line(match all {
            0 => "no document without page_id".to_owned(),
            _ => format!("{all} without page_id: {}", counts.join(", ")),
        });
        lines
    }
}
