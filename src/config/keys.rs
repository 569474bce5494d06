//! The names of all keys, in the order of the contract, and the search for what an unknown name was meant to be.

/// How many values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    One,
    /// A list of values.
    Many,
}

/// Every key by its dotted name (contract.md, Configuration).
pub const KEYS: &[(&str, Shape)] = &[
    ("root", Shape::One),
    ("include", Shape::Many),
    ("exclude", Shape::Many),
    ("state", Shape::One),
    ("hub.url", Shape::One),
    ("hub.api_key_file", Shape::One),
    ("hub.api_key_command", Shape::Many),
    ("hub.requests_per_minute", Shape::One),
    ("hub.requests_per_day", Shape::One),
    ("hub.reserved_for_edits", Shape::One),
    ("hub.concurrency", Shape::One),
    ("hub.timeout", Shape::One),
    ("hub.ca_file", Shape::One),
    ("publish.default_status", Shape::One),
    ("publish.create", Shape::One),
    ("publish.on_first_meeting", Shape::One),
    ("publish.on_conflict", Shape::One),
    ("publish.conflict_check", Shape::One),
    ("publish.on_delete", Shape::One),
    ("publish.archive_after", Shape::One),
    ("publish.archive_limit", Shape::One),
    ("publish.strip_title_heading", Shape::One),
    ("publish.notice", Shape::One),
    ("watch.debounce", Shape::One),
    ("watch.max_delay", Shape::One),
    ("watch.rescan", Shape::One),
    ("watch.poll", Shape::One),
    ("remote.check_interval", Shape::One),
    ("git.branch", Shape::One),
    ("links.page_url", Shape::One),
    ("links.asset_url", Shape::One),
    ("on_problem", Shape::Many),
    ("dashboard.listen", Shape::One),
    ("log.format", Shape::One),
];

/// The key of that dotted name.
pub fn find(name: &str) -> Option<(&'static str, Shape)> {
    KEYS.iter().copied().find(|(key, _)| *key == name)
}

/// Whether keys lie beneath `name`.
pub fn is_section(name: &str) -> bool {
    KEYS.iter().any(|(key, _)| section_of(key) == Some(name))
}

/// The part before the dot, if there is one.
pub fn section_of(key: &str) -> Option<&str> {
    key.split_once('.').map(|(section, _)| section)
}

/// The names that may stand in a section (`None`: at the top), keys and sections alike.
pub fn names_in(section: Option<&str>) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for (key, _) in KEYS {
        let name = match (section, key.split_once('.')) {
            (None, None) => key,
            (None, Some((top, _))) => top,
            (Some(section), Some((top, leaf))) if top == section => leaf,
            _ => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name of `names` that `word` was most likely meant to be: near in letters, and nearer than any other.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let far = (word.chars().count() / 3).max(1);
    let distance = |name: &&str| strsim::damerau_levenshtein(&word, &name.to_lowercase());
    let near = names.into_iter().map(|name| (distance(&name), name)).filter(|(d, _)| *d <= far);
    near.min_by_key(|(d, _)| *d).map(|(_, name)| name)
}

/// What an unknown key was most likely meant to be, as a question; names in the same section are tried first.
pub fn suggest(section: Option<&str>, word: &str) -> Option<String> {
    if let Some(name) = nearest(word, names_in(section)) {
        return Some(format!("did you mean \"{name}\"?"));
    }
    if let Some((top, leaf)) = word.split_once('.').filter(|_| find(word).is_some()) {
        return Some(format!("write it as \"{top}:\" and beneath it \"{leaf}:\""));
    }
    let leaf = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let (key, _) = KEYS.iter().find(|(key, _)| nearest(word, [leaf(key)]).is_some())?;
    Some(match section_of(key) {
        Some(top) => format!("did you mean \"{}\" beneath \"{top}:\"?", leaf(key)),
        None => format!("did you mean \"{key}\", at the left margin?"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_found_where_it_belongs() {
        let question = |section, word| suggest(section, word).unwrap_or_default();
        assert_eq!(question(Some("watch"), "debounse"), "did you mean \"debounce\"?");
        assert_eq!(question(Some("hub"), "ca-file"), "did you mean \"ca_file\"?");
        assert_eq!(question(None, "debounce"), "did you mean \"debounce\" beneath \"watch:\"?");
        assert_eq!(question(Some("hub"), "root"), "did you mean \"root\", at the left margin?");
        assert_eq!(question(None, "hub.url"), "write it as \"hub:\" and beneath it \"url:\"");
        assert_eq!(question(None, "Hub"), "did you mean \"hub\"?");
        assert_eq!(question(None, "zebra"), "");
    }

    #[test]
    fn sections_and_keys_do_not_share_names() {
        assert!(KEYS.iter().all(|(key, _)| !is_section(key)));
        assert!(is_section("hub") && !is_section("root"));
    }
}
