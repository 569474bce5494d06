//! Keys of other tools that were probably meant as ours: `staus`, `folder`, `Title`.
//!
//! Only a warning, since other tools' keys are allowed; so it stays silent for keys that other tools are known to use.

use super::diagnostic::{DiagnosticCode, Findings, shown};
use super::key::Key;
use super::word;
use super::yaml::Entry;

/// Keys of widespread tools: never taken for a slip. Most are far from any key of ours; those that are near matter.
const WELL_KNOWN: &str = "alias aliases author authors banner categories category courses cover created cssclass cssclasses \
    date description draft filters headers id image keywords lang layout link modified order page pages \
    parent permalink private publish published related resources share slug stage state style subtitle \
    summary tag tags template toc type updated visible";

/// Warns if the key of this entry is nearly one of ours.
pub(super) fn check(entry: &Entry, key: &str, findings: &mut Findings) {
    let Some(meant) = meant(key) else { return };
    // Tools that clip web pages keep the page's address as `source`.
    let clipped = key == "source" && entry.value.text().is_some_and(|v| v.starts_with("http"));
    if clipped {
        return;
    }
    let message =
        format!("{} is no key of hubsync and has no effect; did you mean \"{}\"?", shown(key), meant.as_str());
    let right = Some(meant.as_str().to_owned());
    findings.warn(DiagnosticCode::NearMiss, entry.key.span.clone(), message, right);
}

/// The key of ours that was probably meant.
fn meant(key: &str) -> Option<Key> {
    if is_well_known(key) || key.len() > 64 {
        return None;
    }
    let folded = folded(key);
    let same = Key::ALL.into_iter().find(|ours| self::folded(ours.as_str()) == folded);
    same.or_else(|| {
        // In lower case, `Date` is as well known as `date`.
        let lower = key.trim().to_lowercase();
        let nearest = word::nearest(&lower, Key::ALL.into_iter().map(Key::as_str))?;
        if is_well_known(&lower) { None } else { Key::named(nearest) }
    })
}

fn is_well_known(key: &str) -> bool {
    WELL_KNOWN.split(" ").any(|known| known == key)
}

/// A key without case, separators and the plural: `Page ID`, `pageId` and `page-ids` are all `pageid`.
fn folded(key: &str) -> String {
    let letters: String =
        key.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect();
    match letters.strip_suffix('s') {
        Some(singular) if !singular.ends_with('u') => singular.to_owned(),
        _ => letters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_tools_keys_are_theirs() {
        let slips = [
            ("staus", Key::Status),
            ("stauts", Key::Status),
            ("Status", Key::Status),
            ("folder", Key::Folders),
            ("Folders", Key::Folders),
            ("skill", Key::Skills),
            ("source", Key::Sources),
            ("Title", Key::Title),
            ("titel", Key::Title),
            ("title ", Key::Title),
            ("pageid", Key::PageId),
            ("pageId", Key::PageId),
            ("page-id", Key::PageId),
            ("Page ID", Key::PageId),
            ("visibilty", Key::Visibility),
            ("snyc", Key::Sync),
        ];
        for (slip, key) in slips {
            assert_eq!(meant(slip), Some(key), "{slip}");
        }
        for known in WELL_KNOWN.split(" ").chain(["Date", "Tags", "x", "", "nav_title_long", "weight", "uid", "kind"]) {
            assert_eq!(meant(known), None, "{known}");
        }
    }
}
