//! Who published which version of a page, and when: the history endpoint. Only `diff` and `resolve` ask it, to tell people; no
//! decision rests on it, so whatever is odd in an answer is left out.

use serde::Deserialize;

use super::api::{self, Call, Method};
use super::client::{Client, LIST_CAP};
use super::response;
use super::veil::Veil;
use crate::engine::request::AnswerBody;
use crate::page::{PageId, Stamp};

/// One published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Its number.
    pub version: u64,
    /// When it was made.
    pub at: Option<Stamp>,
    /// By whom; `None` where the hub made it itself, or does not say.
    pub by: Option<String>,
}

/// `KnowledgeHubPageVersion`: the part that is used.
#[derive(Deserialize)]
struct VersionRow {
    version: u64,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    created_by: Option<User>,
}

/// `User`.
#[derive(Deserialize)]
struct User {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
}

#[derive(Deserialize)]
struct Rows {
    data: Vec<VersionRow>,
}

impl Client {
    /// The latest versions of a page, newest first. One request of the budget.
    ///
    /// # Errors
    /// One of the bodies that tell of something that went wrong.
    pub async fn history(&self, key: &str, page: &PageId) -> Result<Vec<Edition>, AnswerBody> {
        let query = vec![("page", "1".to_owned()), ("page_size", api::PAGE_SIZE.to_string())];
        let path = format!("{}/versions", api::page_path(page.as_str()));
        let call = Call { method: Method::Get, path, query, body: None };
        let raw = self.exchange(key, &call, LIST_CAP).await?;
        let mut said = response::read_rows(raw.status, &raw.headers, &raw.body).map(editions);
        let veil = Veil::of(key);
        match &mut said {
            Ok(editions) => editions.iter_mut().filter_map(|edition| edition.by.as_mut()).for_each(|by| veil.over(by)),
            Err(body) => veil.over_answer(body),
        }
        said
    }
}

fn editions(rows: Rows) -> Vec<Edition> {
    let edition = |row: VersionRow| Edition {
        version: row.version,
        at: row.created_at.as_deref().and_then(Stamp::parse),
        by: row.created_by.and_then(name),
    };
    rows.data.into_iter().map(edition).collect()
}

/// A person as others know them: their name, else their address.
fn name(user: User) -> Option<String> {
    let parts = [user.first_name, user.last_name];
    let full: Vec<String> = parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).collect();
    if full.is_empty() { user.email.filter(|email| !email.trim().is_empty()) } else { Some(full.join(" ")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_edition_is_told_by_a_name_else_an_address_else_by_nobody() {
        let rows: Rows = serde_json::from_value(serde_json::json!({ "data": [
            {"version": 4, "created_at": "2026-06-01T12:00:00Z", "created_by": {"first_name": "Jane", "last_name": "Smith", "email": "j@x"}},
            {"version": 3, "created_at": "soon", "created_by": {"first_name": " ", "email": "j@x"}},
            {"version": 2, "created_by": null},
        ]}))
        .unwrap();
        let told: Vec<(u64, bool, Option<String>)> =
            editions(rows).into_iter().map(|edition| (edition.version, edition.at.is_some(), edition.by)).collect();
        assert_eq!(told, [(4, true, Some("Jane Smith".into())), (3, false, Some("j@x".into())), (2, false, None)]);
    }
}
