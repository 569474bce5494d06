//! The way back: in a text of the hub, addresses that rewriting makes become what an author writes.
//!
//! Promises: what comes out publishes exactly what the text publishes as it came, so that nothing is ever sent for it; a
//! passage that nobody touched is the author's, byte for byte; only destinations change (and links that the author writes as a
//! wiki does). What can't be so stays as it came. Takes time in proportion to both texts. For `document` alone.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};

use crate::policy::{AssetUrl, LinkRules, PageUrl};

use super::find::{Form, Link};
use super::map::Holds;
use super::{Around, Targets, find, follow, joined, rewritten, target, with_replaced};

/// A text of the hub as its document says it. `own` is what the document says so far: how its author writes a link goes before a
/// path that is made here.
pub(in crate::document) fn back(came: &str, own: Option<&str>, rules: &LinkRules, around: Around<'_>) -> String {
    let (page, asset) = (rules.page_url.as_ref().map(PageUrl::start), rules.asset_url.as_ref().map(AssetUrl::start));
    if !page.into_iter().chain(asset).any(|start| came.contains(start)) {
        return came.to_owned();
    }
    let own = own.unwrap_or_default();
    let (rendered, replaced) = rewritten(own, rules, around, &mut Targets::default());
    if rendered == came {
        return own.to_owned();
    }
    let links = find::links(came);
    let addresses = Addresses { rules, around, known: OnceCell::new() };
    let authors = Authors::of(own, &rendered, &replaced);
    let pairs = authors.pairs(came, &links);
    let published = |text: &str| follow(text.to_owned(), rules, around).body;
    let wanted = published(came);
    [Trust::All, Trust::Places, Trust::Destinations]
        .into_iter()
        .find_map(|trust| {
            let returned = links.iter().enumerate().filter_map(|(n, link)| {
                let written = authors.written(came, (n, link), &pairs, trust);
                written.or_else(|| addresses.written(&came[link.span.clone()])).map(|written| written.in_place_of(link))
            });
            let text = with_replaced(came, &apart(returned.collect()));
            (published(&text) == wanted).then_some(text)
        })
        .unwrap_or_else(|| came.to_owned())
}

/// How much of what the author writes is taken up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// All of it.
    All,
    /// What stands where the author wrote it: what a passage can hold, a table may not.
    Places,
    /// Of that the destinations: among brackets that stand alone no wiki link is rewritten, so none can come back.
    Destinations,
}

/// What an author writes.
#[derive(Clone, Debug)]
enum Written<'a> {
    /// A destination.
    Destination(Cow<'a, str>),
    /// A whole link, as a wiki knows it.
    Whole(&'a str),
}

impl Written<'_> {
    fn in_place_of(self, link: &Link) -> (Link, String) {
        match self {
            Self::Destination(text) => (link.clone(), text.into_owned()),
            Self::Whole(text) => (Link { span: link.whole.clone(), ..link.clone() }, text.to_owned()),
        }
    }
}

/// None within another: what stands in a wiki link's text goes with it.
fn apart(mut replaced: Vec<(Link, String)>) -> Vec<(Link, String)> {
    replaced.sort_by_key(|(link, _)| (link.span.start, std::cmp::Reverse(link.span.end)));
    let mut end = 0;
    replaced.retain(|(link, _)| {
        let free = link.span.start >= end;
        end = end.max(link.span.end);
        free
    });
    replaced
}

/// What a bare destination stands in; what fits into one need not fit into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Frame {
    Parentheses,
    AngleBrackets,
    Definition,
}

fn frame(text: &str, link: &Link) -> Frame {
    match link.form {
        _ if text[..link.span.start].ends_with('<') => Frame::AngleBrackets,
        Form::Definition => Frame::Definition,
        _ => Frame::Parentheses,
    }
}

/// The links of a document as it is published, each with what its author writes.
struct Authors<'a> {
    rendered: &'a str,
    links: Vec<(Link, Written<'a>)>,
    /// The first of each destination that was rewritten.
    destinations: BTreeMap<(Frame, &'a str), &'a str>,
    /// The first of each link that a wiki link became, and the length of the longest.
    wikis: BTreeMap<&'a str, &'a str>,
    longest: usize,
}

impl<'a> Authors<'a> {
    fn of(own: &'a str, rendered: &'a str, replaced: &[(Link, String)]) -> Self {
        let (mut links, mut destinations, mut wikis) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (mut grown, mut shrunk) = (0, 0);
        // By where it stands in what was rendered.
        let places: BTreeMap<usize, &Link> = replaced
            .iter()
            .map(|(link, becomes)| {
                let at = link.span.start + grown - shrunk;
                (grown, shrunk) = (grown + becomes.len(), shrunk + link.span.len());
                (at, link)
            })
            .collect();
        for link in find::links(rendered) {
            let wiki = places.get(&link.whole.start).filter(|was| was.is_wiki());
            let written = if let Some(was) = wiki {
                wikis.entry(&rendered[link.whole.clone()]).or_insert(&own[was.span.clone()]);
                Written::Whole(&own[was.span.clone()])
            } else {
                let stays = &rendered[link.span.clone()];
                let was = places.get(&link.span.start).map(|was| &own[was.span.clone()]);
                if let Some(was) = was {
                    destinations.entry((frame(rendered, &link), stays)).or_insert(was);
                }
                Written::Destination(Cow::Borrowed(was.unwrap_or(stays)))
            };
            links.push((link, written));
        }
        let longest = wikis.keys().map(|text: &&str| text.len()).max().unwrap_or_default();
        Self { rendered, links, destinations, wikis, longest }
    }

    /// For links of another text the ones that stand here for them.
    fn pairs<'t>(&'t self, text: &'t str, links: &[Link]) -> Pairs {
        let mut lines = BTreeMap::new();
        let ours = places(self.rendered, self.links.iter().map(|(link, _)| link), &mut lines);
        let placed = paired(&ours, &places(text, links.iter(), &mut lines));
        let mut free = vec![true; ours.len()];
        placed.iter().flatten().for_each(|at| free[*at] = false);
        let look = |text: &'t str, link: &Link| (&text[link.span.clone()], link.whole.len());
        let ours: Vec<_> = self.links.iter().zip(free).enumerate().filter(|(_, (_, free))| *free).collect();
        let looks: Vec<_> = ours.iter().map(|(_, ((link, _), _))| look(self.rendered, link)).collect();
        let theirs: Vec<usize> = (0..links.len()).filter(|at| placed[*at].is_none()).collect();
        let found = paired(&looks, &theirs.iter().map(|at| look(text, &links[*at])).collect::<Vec<_>>());
        let mut alike = vec![None; links.len()];
        for (at, found) in theirs.into_iter().zip(found) {
            alike[at] = found.map(|found| ours[found].0);
        }
        Pairs { placed, alike }
    }

    /// What the author writes for the `n`th link of another text: in the same place, or else wherever it is the same.
    fn written(&self, text: &str, (n, link): (usize, &Link), pairs: &Pairs, trust: Trust) -> Option<Written<'a>> {
        let (whole, destination) = (&text[link.whole.clone()], &text[link.span.clone()]);
        let fits = |(ours, written): &&(Link, Written<'a>)| match written {
            Written::Whole(_) => trust != Trust::Destinations && self.rendered[ours.whole.clone()] == *whole,
            Written::Destination(_) => {
                frame(self.rendered, ours) == frame(text, link) && self.rendered[ours.span.clone()] == *destination
            }
        };
        let pair = |at: Option<usize>| at.and_then(|at| self.links.get(at)).filter(fits).map(|(_, it)| it.clone());
        if trust != Trust::All {
            return pair(pairs.placed[n]);
        }
        let named = || {
            let fits = whole.len() <= self.longest;
            self.wikis.get(whole).filter(|_| fits).map(|written| Written::Whole(written))
        };
        let pointed = || {
            let written = self.destinations.get(&(frame(text, link), destination))?;
            Some(Written::Destination(Cow::Borrowed(written)))
        };
        pair(pairs.placed[n]).or_else(|| pair(pairs.alike[n])).or_else(named).or_else(pointed)
    }
}

/// Which link of the author's stands for each of another text.
struct Pairs {
    /// In the same place of the same line.
    placed: Vec<Option<usize>>,
    /// Else of the same destination and length: its line has changed.
    alike: Vec<Option<usize>>,
}

/// For each of theirs the one of ours that is the same: in order from both ends as far as all are, else the next that was not
/// taken.
fn paired<T: Ord + Copy>(ours: &[T], theirs: &[T]) -> Vec<Option<usize>> {
    let same = |(a, b): &(&T, &T)| a == b;
    let head = ours.iter().zip(theirs).take_while(same).count();
    let tail = ours[head..].iter().rev().zip(theirs[head..].iter().rev()).take_while(same).count();
    let mut between: BTreeMap<T, VecDeque<usize>> = BTreeMap::new();
    for (at, it) in ours.iter().enumerate().take(ours.len() - tail).skip(head) {
        between.entry(*it).or_default().push_back(at);
    }
    let found = |(at, it): (usize, &T)| match theirs.len() - at {
        _ if at < head => Some(at),
        rest if rest <= tail => Some(ours.len() - rest),
        _ => between.get_mut(it).and_then(VecDeque::pop_front),
    };
    theirs.iter().enumerate().map(found).collect()
}

/// Where each link stands: its line, and how far from the line's start. Lines that say the same, whatever
/// ends them, have one number.
fn places<'t, 'l>(
    text: &'t str,
    links: impl Iterator<Item = &'l Link>,
    lines: &mut BTreeMap<&'t str, usize>,
) -> Vec<(usize, usize)> {
    let (mut line, mut number) = (0..0, 0);
    links
        .map(|link| {
            let at = link.span.start;
            if at >= line.end {
                let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
                let next = lines.len();
                number = *lines.entry(text[start..end].trim_end_matches('\r')).or_insert(next);
                line = start..end;
            }
            (number, at - line.start)
        })
        .collect()
}

/// What the addresses of pages and files lead to, by the map as it is.
struct Addresses<'a> {
    rules: &'a LinkRules,
    around: Around<'a>,
    known: OnceCell<BTreeMap<String, &'a str>>,
}

impl<'a> Addresses<'a> {
    fn known(&self) -> &BTreeMap<String, &'a str> {
        self.known.get_or_init(|| {
            let address = |holds: &Holds, path: &str| match holds {
                Holds::Page(page) => self.rules.page_url.as_ref().map(|url| url.of(page)),
                Holds::Other => self.rules.asset_url.as_ref().map(|url| url.of(path)),
                Holds::NoPage => None,
            };
            let files = self.around.map.files();
            files.filter_map(|(path, holds)| Some((address(holds, path)?, path))).collect()
        })
    }

    /// The path that is published as this destination, with its query and fragment.
    fn written(&self, destination: &str) -> Option<Written<'static>> {
        let marks = destination.match_indices(['?', '#', '&']).map(|(at, _)| at);
        let ends: Vec<usize> = marks.chain([destination.len()]).collect();
        ends.into_iter().rev().find_map(|end| {
            let (address, rest) = destination.split_at(end);
            let path = self.known().get(address)?;
            // To an address with a query another one was added.
            let rest = rest.strip_prefix('&').map_or_else(|| Cow::from(rest), |query| format!("?{query}").into());
            let fits = joined(address.to_owned(), &rest) == destination;
            fits.then(|| Written::Destination((target::relative(self.around.path, path) + &rest).into()))
        })
    }
}
