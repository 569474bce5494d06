//! What a text means to a reader of Markdown, apart from where its links lead: what a rewriting must not change. An image counts
//! as a link here: an embedded file of a wiki becomes the one or the other.

use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd};

use crate::document::heading::markdown;

/// Whether two texts differ in nothing but the destinations of their links. A wiki link is a link like any other.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || Shape::of(one).eq(Shape::of(other))
}

/// The events of a text, one after the other, without destinations; texts that follow each other are one.
struct Shape<'a, I> {
    events: I,
    /// Read ahead, to see where a text ends.
    next: Option<Event<'a>>,
}

impl<'a> Shape<'a, ()> {
    fn of(text: &'a str) -> Shape<'a, impl Iterator<Item = Event<'a>>> {
        Shape { events: markdown(text).map(|(event, _)| event), next: None }
    }
}

impl<'a, I: Iterator<Item = Event<'a>>> Shape<'a, I> {
    fn read(&mut self) -> Option<Event<'a>> {
        let event = self.events.next()?;
        Some(match event {
            Event::Start(Tag::Link { link_type, title, id, .. } | Tag::Image { link_type, title, id, .. }) => {
                link(link_type, title, id)
            }
            Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
            event => event,
        })
    }
}

impl<'a, I: Iterator<Item = Event<'a>>> Iterator for Shape<'a, I> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let first = self.next.take().or_else(|| self.read())?;
        let Event::Text(text) = first else { return Some(first) };
        let mut whole = text.into_string();
        loop {
            match self.read() {
                Some(Event::Text(more)) => whole.push_str(&more),
                next => {
                    self.next = next;
                    return Some(Event::Text(CowStr::from(whole)));
                }
            }
        }
    }
}

fn link<'a>(link_type: LinkType, title: CowStr<'a>, id: CowStr<'a>) -> Event<'a> {
    let link_type = if matches!(link_type, LinkType::WikiLink { .. }) { LinkType::Inline } else { link_type };
    Event::Start(Tag::Link { link_type, dest_url: CowStr::Borrowed(""), title, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_destinations_may_differ() {
        assert!(is_same("[a](b) *c*", "[a](d) *c*"));
        assert!(is_same("[[a_b]] ![[c|d]]", "[a\\_b](x) [d](y)"));
        for (one, other) in [
            ("[a](b)", "[a](b \"title\")"),
            ("![[a]]", "!![a](b)"),
            ("!![[a]]", "![a](b)"),
            ("[a](b)", "[c](b)"),
            ("[[a]]", "[*a*](b)"),
            ("[a](b)", "[a](b) more"),
            ("[a](b)", "`[a](b)`"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }
}
