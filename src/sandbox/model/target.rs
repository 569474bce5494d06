//! The target of a request: which endpoint, and what its query asks for.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::time::{DAY, Time};
use super::wire::Refusal;

const BASE: &str = "/rest/v1/";

/// The endpoints of the vendor's description that concern a Knowledge Hub.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Workspace,
    Skills,
    Folders,
    Folder(String),
    Pages,
    Page(String),
    Versions(String),
    Sources,
    Source(String),
}

impl Endpoint {
    /// The endpoint that lies at a path, if any does.
    pub fn at(path: &str) -> Option<Endpoint> {
        let parts: Vec<&str> = path.strip_prefix(BASE)?.split('/').collect();
        let id = |raw: &str| percent_decode_str(raw).decode_utf8_lossy().into_owned();
        Some(match parts.as_slice() {
            ["workspace"] => Endpoint::Workspace,
            ["skills"] => Endpoint::Skills,
            ["knowledge-hub", "folders"] => Endpoint::Folders,
            ["knowledge-hub", "folders", folder] => Endpoint::Folder(id(folder)),
            ["knowledge-hub", "pages"] => Endpoint::Pages,
            ["knowledge-hub", "pages", page] => Endpoint::Page(id(page)),
            ["knowledge-hub", "pages", page, "versions"] => Endpoint::Versions(id(page)),
            ["knowledge-hub", "sources"] => Endpoint::Sources,
            ["knowledge-hub", "sources", source] => Endpoint::Source(id(source)),
            _ => return None,
        })
    }

    /// The methods it takes.
    pub fn allow(&self) -> &'static str {
        match self {
            Endpoint::Page(_) => "GET, PATCH, PUT, DELETE",
            Endpoint::Source(_) => "GET, DELETE",
            Endpoint::Pages | Endpoint::Sources => "GET, POST",
            _ => "GET",
        }
    }
}

/// The part of a target before the question mark.
pub(super) fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The query of a target, decoded. Of a name that is given twice the last one holds.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub fn of(target: &str) -> Result<Query, Refusal> {
        let Some((_, raw)) = target.split_once('?') else { return Ok(Query::default()) };
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        decoded.collect::<Result<_, _>>().map(Query)
    }

    /// A value as it is.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value that must be one of a few.
    pub fn choice(&self, name: &str, choices: &[&str], code: &'static str) -> Result<Option<&str>, Refusal> {
        match self.text(name) {
            Some(value) if !choices.contains(&value) => {
                Err(Refusal::invalid(code, format!("{name} must be one of: {}", choices.join(", "))))
            }
            value => Ok(value),
        }
    }

    /// Whether a comma-separated list names something.
    pub fn includes(&self, wanted: &str) -> bool {
        self.text("include").is_some_and(|list| list.split(',').any(|item| item.trim() == wanted))
    }

    /// A moment, or the first one of a day.
    pub fn first_moment(&self, name: &str) -> Result<Option<Time>, Refusal> {
        let parsed = self.text(name).map(|text| Time::parse(text).ok_or_else(|| invalid_date(name)));
        parsed.transpose()
    }

    /// A moment, or the last one of a day.
    pub fn last_moment(&self, name: &str) -> Result<Option<Time>, Refusal> {
        let rest = if self.text(name).is_some_and(Time::is_whole_day) { DAY - 1 } else { 0 };
        Ok(self.first_moment(name)?.map(|first| first.plus(rest)))
    }
}

fn invalid_date(name: &str) -> Refusal {
    Refusal::invalid("invalid_date", format!("{name} must be an ISO 8601 date"))
}

fn decode(raw: &str) -> Result<String, Refusal> {
    let spaced = raw.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Refusal::invalid("invalid_encoding", "The query is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_encoded_slash_stays_within_its_id() {
        assert_eq!(Endpoint::at("/rest/v1/knowledge-hub/pages/a%2Fb"), Some(Endpoint::Page("a/b".to_owned())));
        assert_eq!(Endpoint::at("/rest/v1/knowledge-hub/pages/a/b"), None);
        assert_eq!(Endpoint::at("/rest/v1workspace"), None);
    }

    #[test]
    fn dates_are_moments_or_whole_days() {
        let query = Query::of("/x?after=2026-05-01&before=2026-05-01&at=2026-05-01T10:00:00%2B02:00").unwrap();
        assert_eq!(query.first_moment("after").unwrap(), Time::parse("2026-05-01T00:00:00Z"));
        assert_eq!(query.last_moment("before").unwrap(), Time::parse("2026-05-01T23:59:59.999999Z"));
        assert_eq!(query.first_moment("at").unwrap(), Time::parse("2026-05-01T08:00:00Z"));
        assert!(Query::of("/x?after=yesterday").unwrap().first_moment("after").is_err());
    }

    proptest! {
        #[test]
        fn no_target_is_too_odd_to_be_read(target in ".{0,60}") {
            let _ = Endpoint::at(path(&target));
            let _ = Query::of(&target);
        }
    }
}
