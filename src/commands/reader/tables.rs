//! The lists of the hub, whole: the rows of its pages, and the tables of names. 1 request for every 100 rows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Reader, Unread};
use crate::config::Config;
use crate::engine::request::{AnswerBody, Listed, Request};
use crate::output::{Console, ProgressMode};
use crate::page::{ListKind, PageId, Row, Stamp};
use crate::reconcile::names::{Folder, Names, Skill, Source};

/// So often a list is read that changes while it is read.
const READINGS: u32 = 3;

impl Reader {
    /// All pages of the hub, and how many requests that took: for commands that ask for nothing else.
    ///
    /// # Errors
    /// Where the list can't be read whole.
    pub async fn all_pages(
        config: &Config,
        max_wait: Duration,
        console: &Console,
        progress: ProgressMode,
    ) -> Result<(Vec<Row>, u32), Unread> {
        let mut reader = Self::open(config, max_wait, console, progress)?;
        let rows = reader.rows(None).await?;
        Ok((rows, reader.requests()))
    }

    /// All rows of the pages' list, archived ones left out; only those touched at or after a stamp, where one is given. Newest
    /// first. A list that was touched while it was read may lack a row: it is read again.
    ///
    /// # Errors
    /// Where it can't be read whole.
    pub async fn rows(&mut self, updated_after: Option<Stamp>) -> Result<Vec<Row>, Unread> {
        for _ in 0..READINGS {
            let mut found = Found::default();
            for page in 1.. {
                let (body, _) = self.ask(&Request::List { updated_after, page }).await?;
                let AnswerBody::Rows(listed) = body else { return Err(not_a_list()) };
                let last = is_last(&listed, page);
                found.take(listed);
                if last {
                    break;
                }
            }
            if !found.moved {
                return Ok(found.newest_first());
            }
        }
        Err(Unread::Later("the hub's list of pages changes while it is read, again and again; try again".to_owned()))
    }

    /// The tables of names with these lists in them: what `kept` has of them is taken from there, the rest is read.
    ///
    /// # Errors
    /// Where one can't be read.
    pub async fn names(&mut self, kinds: &[ListKind], kept: &Names) -> Result<Names, Unread> {
        let mut names = kept.clone();
        for kind in kinds {
            match kind {
                ListKind::Folders if names.folders.is_none() => names.folders = Some(self.table(*kind, folders).await?),
                ListKind::Skills if names.skills.is_none() => names.skills = Some(self.table(*kind, skills).await?),
                ListKind::Sources if names.sources.is_none() => names.sources = Some(self.table(*kind, sources).await?),
                ListKind::Folders | ListKind::Skills | ListKind::Sources => {}
            }
        }
        Ok(names)
    }

    async fn table<T>(&mut self, kind: ListKind, rows: fn(AnswerBody) -> Option<Listed<T>>) -> Result<Vec<T>, Unread> {
        let mut all = Vec::new();
        for page in 1.. {
            let (body, _) = self.ask(&Request::Names(kind, page)).await?;
            let listed = rows(body).ok_or_else(not_a_list)?;
            let last = is_last(&listed, page);
            all.extend(listed.rows);
            if last {
                break;
            }
        }
        Ok(all)
    }
}

/// Rows found by now.
#[derive(Default)]
struct Found {
    rows: BTreeMap<PageId, Row>,
    total: Option<u64>,
    /// Whether something was touched meanwhile: a row came twice, or there are more or fewer by now.
    moved: bool,
}

impl Found {
    fn take(&mut self, listed: Listed<Row>) {
        self.moved |= *self.total.get_or_insert(listed.total_count) != listed.total_count;
        for row in listed.rows {
            self.moved |= self.rows.insert(row.id.clone(), row).is_some();
        }
    }

    fn newest_first(self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.into_values().collect();
        rows.sort_by(|a, b| (b.updated_at, &a.id).cmp(&(a.updated_at, &b.id)));
        rows
    }
}

/// Whether a page of a list is its last; also where the hub counts more pages than it gives.
fn is_last<T>(listed: &Listed<T>, page: u32) -> bool {
    page >= listed.total_pages || listed.rows.is_empty()
}

fn not_a_list() -> Unread {
    Unread::Later("the hub answered something else than the list that was asked for; try again".to_owned())
}

fn folders(body: AnswerBody) -> Option<Listed<Folder>> {
    if let AnswerBody::Folders(listed) = body { Some(listed) } else { None }
}

fn skills(body: AnswerBody) -> Option<Listed<Skill>> {
    if let AnswerBody::Skills(listed) = body { Some(listed) } else { None }
}

fn sources(body: AnswerBody) -> Option<Listed<Source>> {
    if let AnswerBody::Sources(listed) = body { Some(listed) } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::{Ids, PageStatus};

    fn listed(ids: &[&str], total_count: u64) -> Listed<Row> {
        let row = |(n, id): (usize, &&str)| Row {
            id: PageId::parse(id).unwrap(),
            status: PageStatus::Published,
            title: (*id).to_owned(),
            version: Some(1),
            updated_at: Stamp(100 - n as i64),
            folders: Ids::new(),
            skills: Ids::new(),
        };
        Listed { rows: ids.iter().enumerate().map(row).collect(), total_count, total_pages: 2 }
    }

    #[test]
    fn a_list_that_moves_while_it_is_read_is_noticed() {
        let read = |pages: &[Listed<Row>]| {
            let mut found = Found::default();
            pages.iter().for_each(|page| found.take(page.clone()));
            found.moved
        };
        assert!(!read(&[listed(&["a", "b"], 3), listed(&["c"], 3)]));
        assert!(read(&[listed(&["a", "b"], 3), listed(&["b"], 3)]), "one that was edited moved to the front");
        assert!(read(&[listed(&["a", "b"], 3), listed(&[], 2)]), "one was archived");
    }

    #[test]
    fn the_last_page_is_the_one_that_is_counted_or_has_no_rows() {
        assert!(!is_last(&listed(&["a"], 9), 1) && is_last(&listed(&["a"], 9), 2));
        assert!(is_last(&listed(&[], 9), 1), "a hub that counts what it does not give is not asked for ever");
    }
}
