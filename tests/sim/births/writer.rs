//! Who writes the documents of these schedules: makes and moves them, points from one to another, saves over what others
//! wrote, throws away and brings back.

use hubsync::engine::Mode;
use hubsync::page::DocPath;
use hubsync::sandbox::NewPage;

use super::links::{Link, Way};
use super::{PATHS, Stage, id_line, mark_in};

/// What an editor knows of the file that it saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Editor {
    UpToDate,
    HoldsTheOldText,
}

const WAYS: &[Way] = &[Way::Beside, Way::Beside, Way::Place, Way::FromRoot, Way::Name, Way::End, Way::Picture];

/// A document has no more links than that.
const MOST_LINKS: usize = 5;

impl Stage {
    pub(super) fn path(&self, n: u8) -> Option<String> {
        let begins = [format!("f{n}-"), format!("moved/f{n}-"), format!("f{n}."), format!("moved/f{n}.")];
        self.w.folder.paths().find(|path| begins.iter().any(|begin| path.starts_with(begin))).cloned()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        (0..PATHS).filter_map(|n| self.path(n))
    }

    /// What was removed, and may come back.
    pub(super) fn removed_texts(&self) -> impl Iterator<Item = String> {
        self.removed.values().map(|(_, text)| text.clone())
    }

    pub(super) fn text(&self, path: &str) -> String {
        String::from_utf8(self.w.folder.bytes(path).unwrap().to_vec()).unwrap()
    }

    pub(super) fn put(&mut self, path: &str, text: &str) {
        self.w.trace.push(format!("put {path} {text:?}"));
        self.w.folder.write_bytes(self.w.now(), path, text.as_bytes());
        self.written.insert(path.to_owned(), self.w.time);
        self.lain.entry(path.to_owned()).or_default().insert(mark_in(text));
        self.noticed(path);
    }

    fn noticed(&mut self, path: &str) {
        let mono = self.w.now().mono;
        match self.rng.u8(..12) {
            _ if self.w.setting.mode != Mode::Daemon => {}
            0 => self.tally.note("an event is lost"),
            1 => self.w.folder.note_everything(mono),
            _ => self.w.folder.note(mono, path),
        }
    }

    /// A document that is in step points to one that is not there yet, and then that comes: where both lie. Everything is
    /// noticed.
    pub(super) fn points_ahead(&mut self, from: &str, comes: &mut dyn FnMut(&mut Self)) -> Option<String> {
        let free = (0..PATHS).find(|n| self.path(*n).is_none())?;
        let number = self.fresh();
        let path = format!("f{free}-{number}.md");
        let text = self.text(from);
        let links = links_in(&text).into_iter().chain([Link::to(Way::Beside, &path).spelled(from)]).collect();
        self.put(from, &format!("{}{}", head(&text), body(&mark_in(&text), what_in(&text), links)));
        self.w.folder.note(self.w.now().mono, from);
        comes(self);
        self.make_at(&path, number, Vec::new());
        self.w.folder.note(self.w.now().mono, &path);
        comes(self);
        Some(path)
    }

    fn fresh(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Where a document is made that is the `number`th: where one was before, or where none ever was.
    fn place(&self, n: u8, number: u32) -> String {
        if self.reuses { format!("f{n}.md") } else { format!("f{n}-{number}.md") }
    }

    // ---- births

    /// A new document, without a page.
    pub(super) fn make(&mut self, n: u8) {
        if self.path(n).is_none() {
            let number = self.fresh();
            let path = self.place(n, number);
            let links = (0..self.rng.usize(..3)).map(|_| self.any_link(&path)).collect();
            self.make_at(&path, number, links);
        }
    }

    fn make_at(&mut self, path: &str, number: u32, links: Vec<String>) {
        let mark = format!("Doc{number}.");
        self.tally.note("a document is made");
        if self.w.folder.paths().all(|other| other != path) && self.written.contains_key(path) {
            self.tally.note("a path is used again");
        }
        self.marks.insert(mark.clone(), 1);
        let body = body(&mark, "first", links);
        self.put(path, &format!("---\n# kept\ntitle: \"{mark}\"\n---\n{body}"));
    }

    /// Several at once, each of which points to all the others.
    pub(super) fn make_together(&mut self) {
        let free: Vec<u8> = (0..PATHS).filter(|n| self.path(*n).is_none()).collect();
        let new: Vec<(String, u32)> = free
            .into_iter()
            .map(|n| {
                let number = self.fresh();
                (self.place(n, number), number)
            })
            .collect();
        if new.len() > 1 {
            self.tally.note("documents that link each other are made together");
        }
        for (path, number) in &new {
            let others = new.iter().filter(|(other, _)| other != path);
            let way = |at: usize| WAYS[(at + usize::try_from(*number).unwrap_or(0)) % WAYS.len()];
            let links = others.enumerate().map(|(at, (other, _))| Link::to(way(at), other).spelled(path)).collect();
            self.make_at(path, *number, if self.linked { links } else { Vec::new() });
        }
    }

    /// A second document of the same bytes, without an id.
    pub(super) fn copy(&mut self, n: u8) {
        let Some(free) = (0..PATHS).find(|n| self.path(*n).is_none()) else { return };
        let Some(from) = self.path(n) else { return };
        let text = without_id(&self.text(&from));
        self.tally.note("a copy");
        *self.marks.entry(mark_in(&text)).or_default() += 1;
        let number = self.fresh();
        let path = self.place(free, number);
        self.put(&path, &text);
    }

    /// A colleague makes a page of the same title.
    pub(super) fn namesake(&mut self, n: u8) {
        let Some(path) = self.path(n) else { return };
        let title = mark_in(&self.text(&path));
        self.tally.note("a namesake");
        let new = NewPage { title: title.clone(), content: "Somebody else's.".to_owned(), ..NewPage::default() };
        self.w.hub.add_page(self.w.hub_time(), new);
        self.namesakes.insert(title);
    }

    // ---- edits

    /// Another body. The id stays where the editor has seen it.
    pub(super) fn edit(&mut self, n: u8, editor: Editor) {
        let Some(path) = self.path(n) else { return };
        let (text, number) = (self.text(&path), self.fresh());
        let head = match editor {
            Editor::UpToDate => head(&text),
            // A document of another place and without its id is another document.
            Editor::HoldsTheOldText if !self.is_at_home(&path) => return,
            Editor::HoldsTheOldText => {
                self.tally.note("an editor saves over the id");
                head(&without_id(&text))
            }
        };
        let body = body(&mark_in(&text), &format!("edit-{number}"), links_in(&text));
        self.put(&path, &format!("{head}{body}"));
    }

    /// Whether the file's page, if it names one, is remembered with this path, was seen there, and was made for it. (A page that
    /// was met once its state was lost has an id that its file must keep.)
    fn is_at_home(&self, path: &str) -> bool {
        self.id_in(path).is_none_or(|id| {
            let made = self.w.disk.record(&id).is_some_and(|record| record.born.is_some());
            made && self.w.disk.path(&id) == DocPath::new(path).as_ref() && self.w.folder.is_home(&id, path)
        })
    }

    /// A checkout brings all documents back as they were before they had ids.
    pub(super) fn check_out(&mut self) {
        let paths: Vec<String> = self.paths().filter(|path| self.is_at_home(path)).collect();
        for path in paths {
            let text = self.text(&path);
            if text != without_id(&text) {
                self.tally.note("a checkout takes an id away");
                self.put(&path, &without_id(&text));
            }
        }
    }

    // ---- links

    /// A link to any document: to one that is there, in its own folder or the other, that was there, or that may come.
    fn any_link(&mut self, from: &str) -> String {
        let m = self.rng.u8(..PATHS);
        let there = self.path(m);
        let to = match (self.rng.u8(..8), there) {
            (0..4, Some(path)) => path,
            (4, Some(path)) => elsewhere(&path),
            (5, _) if self.removed.contains_key(&m) => self.removed[&m].0.clone(),
            (6, _) => "nowhere.md".to_owned(),
            _ => {
                let ahead = self.rng.u32(1..4);
                self.place(m, self.numbers + ahead)
            }
        };
        let word = Link::to(WAYS[self.rng.usize(..WAYS.len())], &to).spelled(from);
        // What stands in code is no link.
        if self.rng.u8(..10) == 0 { format!("`{word}`") } else { word }
    }

    /// A link is added, taken out or pointed elsewhere.
    pub(super) fn relink(&mut self, n: u8) {
        let Some(path) = self.path(n).filter(|_| self.linked) else { return };
        let text = self.text(&path);
        let mut links = links_in(&text);
        let at = self.rng.usize(..=links.len());
        match self.rng.u8(..3) {
            0 if at < links.len() => {
                self.tally.note("a link is taken out");
                links.remove(at);
            }
            1 if at < links.len() => {
                self.tally.note("a link is pointed elsewhere");
                links[at] = self.any_link(&path);
            }
            _ if links.len() < MOST_LINKS => {
                self.tally.note("a link is added");
                links.insert(at, self.any_link(&path));
            }
            _ => return,
        }
        let body = body(&mark_in(&text), what_in(&text), links);
        self.put(&path, &format!("{}{body}", head(&text)));
    }

    /// Links to a file that has moved are mended, and those in it that are seen from its folder.
    fn mend(&mut self, from: &str, to: &str) {
        self.tally.note("links are mended after a rename");
        for path in self.paths().collect::<Vec<_>>() {
            let (text, was) = (self.text(&path), if path == to { from } else { path.as_str() });
            let mended = |word: String| match Link::read(&word, was) {
                Some(link) => link.moved(from, to).unwrap_or(link).spelled(&path),
                None => word,
            };
            let links = links_in(&text).into_iter().map(mended).collect();
            let text_then = format!("{}{}", head(&text), body(&mark_in(&text), what_in(&text), links));
            if text_then != text {
                self.put(&path, &text_then);
            }
        }
    }

    // ---- files that move, go and come back

    pub(super) fn rename(&mut self, n: u8) {
        let Some(from) = self.path(n) else { return };
        let to = match self.rng.u8(..3) {
            0 if !self.reuses => {
                let number = self.fresh();
                format!("f{n}-{number}.md")
            }
            _ => elsewhere(&from),
        };
        // A path stands for its document: one without an id that comes to lie where another lay is that one from then on.
        let mark = mark_in(&self.text(&from));
        let lain = self.lain.entry(to.clone()).or_default();
        if lain.iter().any(|other| *other != mark) && id_line(&self.text(&from)).is_none() {
            return;
        }
        self.lain.entry(to.clone()).or_default().insert(mark);
        self.tally.note(if self.id_in(&from).is_some() { "a rename" } else { "a rename before there is an id" });
        self.w.trace.push(format!("rename {from} {to}"));
        self.w.folder.rename(&from, &to);
        self.written.insert(to.clone(), self.w.time);
        if id_line(&self.text(&to)).is_none() {
            self.part_from_archived(&from, &to);
            // One that came back just now, and was not noticed, is missed since it went.
            let missed = self.missed.get(&from).copied().unwrap_or(i64::MAX);
            let since = self.strays.remove(&from).unwrap_or(self.w.now().wall.0).min(missed);
            self.strays.insert(to.clone(), since);
        }
        let mut untold = self.untold.remove(&from);
        // A watcher that tells of one tells of the other.
        if self.w.setting.mode == Mode::Daemon && self.rng.u8(..12) > 0 {
            let mono = self.w.now().mono;
            self.w.folder.note(mono, &from);
            self.w.folder.note(mono, &to);
        } else {
            untold = untold.or_else(|| Some(from.clone()));
        }
        self.untold.extend(untold.map(|first| (to.clone(), first)));
        if self.linked && self.rng.bool() {
            self.mend(&from, &to);
        }
    }

    pub(super) fn remove(&mut self, n: u8) {
        let Some(path) = self.path(n) else { return };
        self.tally.note("a document is removed");
        self.w.trace.push(format!("remove {path}"));
        self.removed.insert(n, (path.clone(), self.text(&path)));
        self.w.folder.remove(&path);
        self.missed.insert(path.clone(), self.w.now().wall.0);
        self.noticed(&path);
    }

    /// What was removed last lies there again, as it was.
    pub(super) fn bring_back(&mut self, n: u8) {
        if self.path(n).is_some() {
            return;
        }
        let Some((path, text)) = self.removed.remove(&n) else { return };
        // A copy may have its page by now.
        let named = id_line(&text);
        if named.is_none() || self.paths().all(|other| id_line(&self.text(&other)) != named) {
            self.tally.note("a document comes back");
            self.put(&path, &text);
        }
    }
}

/// The same name in the other folder.
fn elsewhere(path: &str) -> String {
    path.strip_prefix("moved/").map_or_else(|| format!("moved/{path}"), str::to_owned)
}

/// The front matter.
fn head(text: &str) -> String {
    text.split_inclusive("---\n").take(2).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.splitn(3, "---\n").nth(2).unwrap_or_default().split_whitespace()
}

/// What was done to it last, in a word.
fn what_in(text: &str) -> &str {
    words(text).nth(1).unwrap_or("first")
}

fn links_in(text: &str) -> Vec<String> {
    words(text).skip(2).map(str::to_owned).collect()
}

fn body(mark: &str, what: &str, links: Vec<String>) -> String {
    let words = [mark.to_owned(), what.to_owned()].into_iter().chain(links);
    words.collect::<Vec<_>>().join(" ") + "\n"
}

fn without_id(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("page_id:")).collect()
}
