//! What links become: `links.page_url` and `links.asset_url`, checked once, so that what is filled in is always a link.

use std::fmt::Write as _;

use crate::page::PageId;

/// `links.page_url`: the address of a page, with `{page_id}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl(String);

/// `links.asset_url`: the address of a file of the root, with `{path}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetUrl(String);

/// Why a text can't be the address that links become.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It lacks what tells one target from another.
    #[error("it lacks {0}, which stands for the link's target")]
    Lacks(&'static str),
    /// It is no web address.
    #[error("it does not begin with https:// or http://")]
    NoAddress,
    /// It holds what would end a link in Markdown.
    #[error("{0:?} can't stand in a link; write it percent-encoded")]
    Unsafe(char),
}

/// What of ASCII may stand in a link's destination as it is, wherever the link stands. (A parenthesis may not: it could end
/// the link.)
const SAFE: &str = "-._~:/?#@!$&'+,;=%";

impl PageUrl {
    const SLOT: &'static str = "{page_id}";

    /// Takes an address with `{page_id}`.
    ///
    /// # Errors
    /// Where links can't become that.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        checked(text, Self::SLOT).map(Self)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every such address begins with.
    pub fn start(&self) -> &str {
        self.0.split(Self::SLOT).next().unwrap_or_default()
    }

    /// The address of a page.
    pub fn of(&self, page: &PageId) -> String {
        self.0.replace(Self::SLOT, page.as_str())
    }
}

impl AssetUrl {
    const SLOT: &'static str = "{path}";

    /// Takes an address with `{path}`.
    ///
    /// # Errors
    /// Where links can't become that.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        checked(text, Self::SLOT).map(Self)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every such address begins with.
    pub fn start(&self) -> &str {
        self.0.split(Self::SLOT).next().unwrap_or_default()
    }

    /// The address of a file, by its path from the root.
    pub fn of(&self, path: &str) -> String {
        self.0.replace(Self::SLOT, &encoded(path))
    }
}

fn checked(text: &str, slot: &'static str) -> Result<String, BadUrl> {
    if !text.contains(slot) {
        return Err(BadUrl::Lacks(slot));
    }
    let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if !address.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')) {
        return Err(BadUrl::NoAddress);
    }
    // A literal IPv6 address is the one place for brackets.
    let bare = text.replace(slot, "").replacen("://[", "://", 1).replacen(']', "", usize::from(text.contains("://[")));
    match bare.chars().find(|c| !c.is_ascii_alphanumeric() && !SAFE.contains(*c)) {
        Some(c) => Err(BadUrl::Unsafe(c)),
        None => Ok(text.to_owned()),
    }
}

/// A path, or the rest of an address, with all percent-encoded that is not a letter, a digit or one of `-._~/`.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `?query#fragment` as it may stand in any link: what is safe stays, all else is percent-encoded.
pub fn encoded_suffix(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || SAFE.contains(c);
    text.chars().map(|c| if keep(c) { c.to_string() } else { encoded(&c.to_string()) }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_filled_in() {
        let page = PageUrl::parse("https://kb.example.com/p/{page_id}?from={page_id}").unwrap();
        assert_eq!(page.of(&PageId::parse("a-B_1").unwrap()), "https://kb.example.com/p/a-B_1?from=a-B_1");
        let asset = AssetUrl::parse("http://[::1]:80/{path}").unwrap();
        assert_eq!(asset.of("an é/(b)*.png"), "http://[::1]:80/an%20%C3%A9/%28b%29%2A.png");
    }

    #[test]
    fn what_links_can_not_become_is_refused() {
        let bad = |text| PageUrl::parse(text).unwrap_err();
        assert_eq!(bad("https://x/pages"), BadUrl::Lacks("{page_id}"));
        for text in
            ["/pages/{page_id}", "javascript:{page_id}", "https:///{page_id}", "https://{page_id}", "ftp://x/{page_id}"]
        {
            assert_eq!(bad(text), BadUrl::NoAddress, "{text}");
        }
        for (text, c) in [
            ("https://x/{page_id} y", ' '),
            ("https://x/({page_id})", '('),
            ("https://x/{page_id}\"", '"'),
            ("https://x/{page_id}|", '|'),
            ("https://x/{page_id}]", ']'),
            ("https://x/{page_id}<", '<'),
            ("https://x/{id}/{page_id}", '{'),
            ("https://x/é/{page_id}", 'é'),
            ("https://x/{page_id}\\", '\\'),
            ("https://x/*{page_id}*", '*'),
        ] {
            assert_eq!(bad(text), BadUrl::Unsafe(c), "{text}");
        }
    }

    #[test]
    fn a_suffix_keeps_what_is_safe() {
        assert_eq!(encoded_suffix("?a=1&b=%20#x y(z)"), "?a=1&b=%20#x%20y%28z%29");
    }
}
