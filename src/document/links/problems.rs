//! What is wrong with a document's links, with the place and what would be right. Warnings all: the document is published, and
//! the link stays as it is.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::document::diagnostic::{Diagnostic, DiagnosticCode, Findings, shown};
use crate::document::fence::{self, Front};

use super::Around;
use super::find::{self, Form, Link};
use super::map::Place;
use super::target::{self, Leads, Target};

/// Names of images end like this.
const IMAGES: &str = "png jpg jpeg gif svg webp avif bmp ico tif tiff heic";

/// Files of the root, as far as links may lead to them.
pub struct Files<'a> {
    /// Every file that a walk lists, as targets spell paths: what a suggestion is taken from.
    pub listed: &'a BTreeSet<String>,
    /// Whether something lies at this path from the root, listed or not.
    pub exists: &'a dyn Fn(&str) -> bool,
}

/// All problems with links in a file that is a document.
pub fn problems(bytes: &[u8], around: Around<'_>, files: &Files<'_>) -> Vec<Diagnostic> {
    let Front::Block(block) = fence::find(bytes) else { return Vec::new() };
    let Some(text) = std::str::from_utf8(bytes).ok().and_then(|text| text.get(block.body..)) else { return Vec::new() };
    let mut findings = Findings::default();
    for link in find::links(text) {
        let span = block.body + link.span.start..block.body + link.span.end;
        match &link.form {
            Form::Link | Form::Image | Form::Definition => destination(&link, span, around, files, &mut findings),
            Form::Wiki(_) | Form::Embed(_) => wiki(&link, span, around, files, &mut findings),
        }
    }
    findings.located(bytes)
}

fn destination(link: &Link, span: Range<usize>, around: Around<'_>, files: &Files<'_>, findings: &mut Findings) {
    let path = match target::destination(around.path, &link.destination).0 {
        Leads::Elsewhere => return,
        Leads::Outside => return outside(link, span, findings),
        Leads::To(Target::Path(path)) => path,
        Leads::To(Target::Note(_) | Target::Name(_)) => return,
    };
    match around.map.find(&Target::Path(path.clone())) {
        Place::Page(_) | Place::Other(_) | Place::Ambiguous(_) => {}
        Place::NoPage(path) => no_page(&path, span, findings),
        Place::Nothing if (files.exists)(&path) => {
            if target::is_markdown(&path) {
                no_page(&path, span, findings);
            }
        }
        Place::Nothing => {
            let right = nearest(&path, files).map(|near| target::relative(around.path, near));
            missing(link, &path, span, right, findings);
        }
    }
}

fn wiki(link: &Link, span: Range<usize>, around: Around<'_>, files: &Files<'_>, findings: &mut Findings) {
    let target = match target::wiki(around.path, &link.destination).0 {
        Leads::Elsewhere => return,
        Leads::Outside => return outside(link, span, findings),
        Leads::To(target) => target,
    };
    let (Target::Path(end) | Target::Note(end) | Target::Name(end)) = &target;
    match around.map.find(&target) {
        Place::Page(_) | Place::Other(_) => {}
        Place::NoPage(path) => no_page(&path, span, findings),
        Place::Ambiguous(paths) => {
            let message = format!(
                "{} is the name of {} files, so this stays as it is: {}; write the path of one of them",
                shown(end),
                paths.len(),
                paths.join(", ")
            );
            let right = paths.first().map(|path| format!("[[{}]]", as_note(path)));
            findings.warn(DiagnosticCode::AmbiguousWikiLink, span, message, right);
        }
        Place::Nothing => {
            let right = nearest(end, files).map(|near| format!("[[{}]]", as_note(near)));
            missing(link, end, span, right, findings);
        }
    }
}

fn outside(link: &Link, span: Range<usize>, findings: &mut Findings) {
    let message =
        format!("{} leads out of the root, where nothing is published; it stays as it is", shown(&link.destination));
    findings.warn(DiagnosticCode::LinkOutsideRoot, span, message, None);
}

fn no_page(path: &str, span: Range<usize>, findings: &mut Findings) {
    let message = format!(
        "{} has no page (no front matter, or no page_id in it), so this link stays as it is; give it one, or link to another",
        shown(path)
    );
    findings.warn(DiagnosticCode::BrokenLink, span, message, None);
}

fn missing(link: &Link, path: &str, span: Range<usize>, right: Option<String>, findings: &mut Findings) {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default();
    let is_image = link.form == Form::Image || IMAGES.split(' ').any(|image| image == extension);
    let (code, what) =
        if is_image { (DiagnosticCode::MissingImage, "image") } else { (DiagnosticCode::BrokenLink, "file") };
    let meant = right.as_ref().map(|right| format!("; did you mean {}?", shown(right))).unwrap_or_default();
    findings.warn(code, span, format!("there is no {what} {} in the root{meant}", shown(path)), right);
}

/// The listed file whose name, and then whose path, is most like this one's.
fn nearest<'a>(path: &str, files: &Files<'a>) -> Option<&'a str> {
    let name = target::name_of(path);
    let far = (name.chars().count() / 3).max(1);
    let near = |listed: &'a String| {
        let other = target::name_of(listed);
        // Far in length is far in letters, and costs less to see.
        (other.len().abs_diff(name.len()) <= far * 4)
            .then(|| strsim::damerau_levenshtein(&name, &other))
            .filter(|distance| *distance <= far)
            .map(|distance| (distance, strsim::damerau_levenshtein(path, listed), listed.as_str()))
    };
    files.listed.iter().filter_map(near).min().map(|(_, _, listed)| listed)
}

/// A path as a wiki link names it.
fn as_note(path: &str) -> &str {
    if target::is_markdown(path) { path.rsplit_once('.').map_or(path, |(note, _)| note) } else { path }
}
