//! Lists in parts: which part is asked for, and what is told about the whole.

use serde_json::{Value, json};

use super::target::Query;
use super::wire::{Done, Refusal};

const DEFAULT_SIZE: u64 = 50;
const MAX_SIZE: u64 = 100;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    page: u64,
    page_size: u64,
}

impl Part {
    pub fn of(query: &Query) -> Result<Part, Refusal> {
        let part = Part { page: number(query, "page", 1)?, page_size: number(query, "page_size", DEFAULT_SIZE)? };
        if part.page == 0 || part.page_size == 0 || part.page_size > MAX_SIZE { Err(invalid()) } else { Ok(part) }
    }

    /// The answer: only the rows asked for are written out.
    pub fn answer<T>(self, rows: &[T], write: impl Fn(&T) -> Value) -> Done {
        let total = rows.len() as u64;
        let skip = (self.page - 1).saturating_mul(self.page_size).min(total);
        let end = skip.saturating_add(self.page_size).min(total);
        let data: Vec<Value> = rows[skip as usize..end as usize].iter().map(write).collect();
        Done::ok(json!({
            "data": data,
            "pagination": {
                "page": self.page,
                "page_size": self.page_size,
                "total_count": total,
                "total_pages": total.div_ceil(self.page_size),
            },
        }))
    }
}

/// Whether a name or title holds what is searched for; case does not matter.
pub(super) fn matches(text: &str, query: Option<&str>) -> bool {
    query.is_none_or(|wanted| text.to_lowercase().contains(&wanted.to_lowercase()))
}

fn number(query: &Query, name: &str, default: u64) -> Result<u64, Refusal> {
    match query.text(name) {
        None => Ok(default),
        // Digits that are no u64 name a page far past the end.
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(u64::MAX))
        }
        Some(_) => Err(invalid()),
    }
}

fn invalid() -> Refusal {
    Refusal::invalid("invalid_pagination", "Invalid pagination parameters")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn part(target: &str) -> Result<Part, Refusal> {
        Part::of(&Query::of(target).unwrap())
    }

    #[test]
    fn sizes_go_from_1_to_100_and_pages_from_1() {
        for bad in [
            "page_size=0",
            "page_size=101",
            "page=0",
            "page=-1",
            "page=x",
            "page=",
            "page=1.0",
            "page=+1",
            "page_size=99999999999999999999",
        ] {
            assert!(part(&format!("/x?{bad}")).is_err(), "{bad}");
        }
        for good in ["page_size=1", "page_size=100", "page=99999999999999999999"] {
            assert!(part(&format!("/x?{good}")).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn all_parts_together_are_the_list(total in 0usize..300, size in 1u64..=100) {
            let rows: Vec<usize> = (0..total).collect();
            let mut seen = Vec::new();
            for page in 1.. {
                let value = Part { page, page_size: size }.answer(&rows, |row| json!(row)).value;
                let data = value["data"].as_array().unwrap().clone();
                prop_assert_eq!(value["pagination"]["total_pages"].as_u64().unwrap(), (total as u64).div_ceil(size));
                if data.is_empty() {
                    break;
                }
                seen.extend(data.iter().map(|row| row.as_u64().unwrap() as usize));
            }
            prop_assert_eq!(seen, rows);
        }
    }
}
