//! The office of the day: a writer with two checkouts, of which a link names the one that is published, a colleague with a clone
//! of her own, the hub, and the daemon. What an ordinary minute of it is, and what was written in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use super::checkout::{BRANCH, Checkout, clones};
use super::saves::SAVES;
use super::server::Server;
use crate::Outcome;
use crate::ground::{Ground, Running};
use crate::hub::DEBOUNCE;
use crate::numbered::{body, document, id};

/// Documents. The writer has the even ones, the colleague the odd ones.
pub const PAGES: usize = 24;
/// The last of them are drafts.
pub const DRAFTS: usize = 4;
/// The one that both may write.
pub const DISPUTED: usize = 0;
/// A minute of the day: so often git pulls.
pub const MINUTE: Duration = Duration::from_secs(1);
/// `remote.check_interval`.
pub const CHECK: Duration = Duration::from_secs(20);
/// What hub and client allow in any 60 s. There is no limit of the day, as this one is so much shorter.
pub const PER_MINUTE: u32 = 120;
/// A folder of a third of the documents.
pub const GUIDES: &str = "guides";

/// What was written of a page.
pub struct Written {
    /// Its file below the root.
    pub path: String,
    /// The newest text that anybody has written.
    pub newest: u32,
    /// The texts that were on the branch, in the checkout that is published.
    pub on_branch: BTreeSet<u32>,
    /// How many of them came to rest: they are what may be published.
    pub rested: usize,
    last: Instant,
}

/// Everybody and everything.
pub struct Office {
    pub ground: Ground,
    pub hub: Server,
    pub daemon: Option<Running>,
    pub dice: Rng,
    pub pages: Vec<Written>,
    /// What happened how often.
    pub happened: BTreeMap<String, usize>,
    /// What may not have happened, but did.
    pub broken: Vec<String>,
    pub colleague: Checkout,
    checkouts: [Checkout; 2],
    current: usize,
    /// What the colleague has pushed, and nobody has pulled.
    coming: Vec<(usize, u32)>,
}

impl Office {
    /// All documents are in step with their pages, and the daemon runs.
    pub fn open(seed: u64) -> Outcome<Office> {
        let ground = Ground::new()?;
        let hub = Server::new(&ground, PER_MINUTE)?;
        let path = |page: usize| format!("{}{}.md", ["", "sales/", "guides/"][page % 3], id(page));
        let pages: Vec<Written> = (0..PAGES).map(|page| Written::new(path(page))).collect();
        let folders = ["checkouts/one", "checkouts/two", "colleague"].map(|name| ground.path(name));
        let [one, two, colleague] = clones(&ground.path("origin.git"), folders, |first| {
            (0..PAGES).try_for_each(|page| {
                let file = first.folder.join(&pages[page].path);
                fs::create_dir_all(file.parent().unwrap_or(&first.folder))?;
                Ok(fs::write(file, text(page, &body(page, 1)))?)
            })
        })?;
        symlink("checkouts/one", ground.path("root"))?;
        for page in 0..PAGES {
            let (title, content) = (format!("Page {page}"), body(page, 0));
            hub.post("pages", &json!({"id": id(page), "title": title, "content": content, "status": "published"}))?;
        }
        let mut office = Office {
            ground,
            hub,
            daemon: None,
            dice: Rng::with_seed(seed),
            pages,
            happened: BTreeMap::new(),
            broken: Vec::new(),
            colleague,
            checkouts: [one, two],
            current: 0,
            coming: Vec::new(),
        };
        office.hand_out_key()?;
        office.configure("")?;
        let met = office.command(&["sync", "--no-progress"]).output()?;
        if met.status.code() != Some(0) {
            return Err(format!("the first sync failed: {}", String::from_utf8_lossy(&met.stderr)).into());
        }
        office.start()?;
        office.hub.collect()?;
        office.hub.log.clear();
        Ok(office)
    }

    /// Starts the daemon.
    pub fn start(&mut self) -> Outcome<()> {
        self.daemon = Some(self.ground.daemon(|arguments| self.command(arguments))?);
        Ok(())
    }

    /// Stops the daemon as systemd does.
    pub fn stop(&mut self) -> Outcome<()> {
        let code = self.daemon.take().map(Running::stop).transpose()?.flatten();
        if code != Some(0) {
            self.broken.push(format!("asked to stop, the daemon exits {code:?}"));
        }
        Ok(())
    }

    /// Writes the configuration; `more` are lines at its end.
    pub fn configure(&self, more: &str) -> Outcome<()> {
        let text = format!(
            "root: ./root\nstate: ./state/day.db\nhub:\n  url: http://127.0.0.1:{}/rest/v1\n  api_key_file: ./key\n  \
             requests_per_minute: {PER_MINUTE}\n  requests_per_day: 1000000\npublish:\n  default_status: published\n  \
             on_first_meeting: local\nremote:\n  check_interval: {}s\ngit:\n  branch: {BRANCH}\n\
             watch:\n  rescan: 30s\n  max_delay: 2s\n  debounce: {}ms\n{more}",
            self.hub.port,
            CHECK.as_secs(),
            DEBOUNCE.as_millis(),
        );
        Ok(fs::write(self.ground.path("hubsync.yaml"), text)?)
    }

    /// Puts the hub's key where the daemon reads it.
    pub fn hand_out_key(&self) -> Outcome<()> {
        let beside = self.ground.path("key.new");
        let private = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        std::io::Write::write_all(&mut &private, self.hub.key().as_bytes())?;
        Ok(fs::rename(beside, self.ground.path("key"))?)
    }

    /// The binary.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.ground.command(arguments)
    }

    /// `hubsync status --json`.
    pub fn status(&self) -> Outcome<Value> {
        let output = self.command(&["status", "--json", "--all"]).output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Waits until `hubsync status` has what `holds` looks for.
    pub fn wait_for_status(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Outcome<()> {
        self.ground.wait(what, || Ok(holds(&self.status()?).then_some(())))
    }

    /// Waits until the page shows its newest text.
    pub fn wait_for_page(&self, page: usize) -> Outcome<()> {
        let newest = body(page, self.pages[page].newest);
        self.ground.wait("a save reaches its page", || Ok((shown(&self.hub, page)? == newest.trim()).then_some(())))
    }

    /// The checkout that is published.
    pub fn checkout(&self) -> &Checkout {
        &self.checkouts[self.current]
    }

    /// Where the file of a page lies.
    pub fn file(&self, page: usize) -> PathBuf {
        self.checkout().folder.join(&self.pages[page].path)
    }

    /// Counts that something happened.
    pub fn note(&mut self, what: impl Into<String>) {
        *self.happened.entry(what.into()).or_default() += 1;
    }

    /// A document of the writer's.
    pub fn any_page(&mut self) -> usize {
        self.dice.usize(1..PAGES / 2) * 2
    }

    /// The writer saves a new text in one of the ways of editors.
    pub fn save(&mut self, page: usize) -> Outcome<()> {
        self.pages[page].newest += 1;
        let newest = self.pages[page].newest;
        let (name, save) = SAVES[self.dice.usize(..SAVES.len())];
        save(&self.file(page), &text(page, &body(page, newest)))?;
        self.pages[page].rests(newest);
        self.note(name);
        Ok(())
    }

    /// The colleague commits new texts of these pages and pushes them.
    pub fn colleague_commits(&mut self, pages: impl IntoIterator<Item = usize>) -> Outcome<()> {
        self.colleague.git(&["pull", "-q", "--ff-only"])?;
        for page in pages {
            let written = &mut self.pages[page];
            written.newest += 1;
            let (file, newest) = (self.colleague.folder.join(&written.path), written.newest);
            fs::write(file, text(page, &body(page, newest)))?;
            self.coming.push((page, newest));
        }
        self.colleague.commit("The colleague's")?;
        self.colleague.git(&["push", "-q"])?;
        self.note("commits of the colleague");
        Ok(())
    }

    /// The writer commits what was saved, pulls and pushes.
    pub fn pull(&mut self) -> Outcome<()> {
        let way = if self.dice.bool() { "--rebase" } else { "--no-rebase" };
        let checkout = self.checkout();
        checkout.commit("The writer's")?;
        checkout.git(&["pull", "-q", "--no-edit", way])?;
        checkout.git(&["push", "-q"])?;
        self.arrived();
        self.note(format!("git pull {way}"));
        Ok(())
    }

    /// What the colleague has pushed is in the checkout that is published.
    fn arrived(&mut self) {
        for (page, text) in std::mem::take(&mut self.coming) {
            self.pages[page].rests(text);
        }
    }

    /// The link names the other checkout from now on, which is ahead by a commit of the colleague.
    pub fn swap(&mut self) -> Outcome<()> {
        self.pull()?;
        let pages = self.colleagues_pages();
        self.colleague_commits(pages)?;
        let other = 1 - self.current;
        self.checkouts[other].git(&["pull", "-q", "--ff-only"])?;
        let beside = self.ground.path("root.new");
        symlink(&self.checkouts[other].folder, &beside)?;
        fs::rename(beside, self.ground.path("root"))?;
        self.current = other;
        self.arrived();
        Ok(())
    }

    /// Some documents of the colleague's.
    fn colleagues_pages(&mut self) -> BTreeSet<usize> {
        let count = self.dice.usize(1..=4);
        (0..count).map(|_| self.dice.usize(..PAGES / 2) * 2 + 1).collect()
    }

    /// An ordinary minute: some saves, perhaps commits of the colleague, and a pull.
    pub fn minute(&mut self) -> Outcome<()> {
        let began = Instant::now();
        for _ in 0..self.dice.usize(0..=3) {
            let page = self.any_page();
            self.save(page)?;
        }
        if self.dice.bool() {
            let pages = self.colleagues_pages();
            self.colleague_commits(pages)?;
        }
        self.pull()?;
        self.hub.collect()?;
        thread::sleep(MINUTE.saturating_sub(began.elapsed()));
        Ok(())
    }
}

impl Written {
    fn new(path: String) -> Written {
        Written { path, newest: 1, on_branch: BTreeSet::from([1]), rested: 0, last: Instant::now() }
    }

    /// A text is there, and may rest there. One that is replaced sooner doesn't come to rest.
    pub fn rests(&mut self, text: u32) {
        if self.rested == 0 || self.last.elapsed() >= DEBOUNCE {
            self.rested += 1;
        }
        self.last = Instant::now();
        self.on_branch.insert(text);
    }
}

/// A document of a page.
pub fn text(page: usize, body: &str) -> String {
    document(page, body, if page + DRAFTS >= PAGES { "status: draft\n" } else { "" })
}

/// What a page shows its editors.
pub fn shown(hub: &Server, page: usize) -> Outcome<String> {
    let pages = hub.pages()?;
    let page = pages.iter().find(|shown| shown.id == id(page)).ok_or("a page is not there")?;
    let draft = page.draft.as_ref().and_then(|draft| draft.content.as_deref());
    Ok(draft.or(page.content()).unwrap_or_default().trim().to_owned())
}
