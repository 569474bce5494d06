//! `hubsync pull`: pages of the hub into files, already met. Each page is looked at once, its file written by us, and what was
//! seen told to whoever holds the state; so it ends and goes on at any page.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{self, Exit};
use crate::commands::offline;
use crate::commands::opening::{self, Unopened};
use crate::commands::reader::{Look, Reader, Unread};
use crate::config::Config;
use crate::daemon::settings;
use crate::document::links::{Around, Holds, LinkMap};
use crate::engine::settled::RootHealth;
use crate::local::patterns::Patterns;
use crate::local::read;
use crate::local::write::{self, NotWritten};
use crate::output::{Console, ProgressMode, Shown};
use crate::page::{Desired, Digest, DocPath, Page, PageId, Row};
use crate::policy::Rules;
use crate::reconcile::page_record::Seen;

mod choice;
mod compose;
mod holder;
mod naming;
mod tables;
mod told;

use choice::{Choice, Choices, Target};
use compose::Not;
use holder::{Holder, Sighting};
use naming::Namer;
use tables::Tables;
use told::{Did, Told, Whose};

/// So often another name is tried, should a file appear under the one that was free.
const TRIES: u32 = 5;

/// Pulls.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(
    args: &cli::Pull,
    config: &Config,
    folder: &Path,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let mut pull = match Pull::open(args, config, folder, console, progress).await {
        Ok(Ok(pull)) => pull,
        Ok(Err(exit)) => return Ok(exit),
        Err(why) => return Ok(why.tell(console)),
    };
    let ended = pull.all(args).await;
    pull.link_made();
    let exit = pull.told.end(pull.reader.requests())?;
    Ok(match ended {
        Ok(()) => exit,
        // 1 beats 75.
        Err(why) => match (why.tell(console), exit) {
            (Exit::Later, Exit::Person) => Exit::Person,
            (ends, _) => ends,
        },
    })
}

/// One run.
struct Pull<'a> {
    config: &'a Config,
    rules: Rules,
    /// Which files links lead to; each that is made here is one of them from then on.
    links: LinkMap,
    patterns: Patterns,
    reader: Reader,
    tables: Tables,
    choices: Choices,
    namer: Namer,
    into: Option<PathBuf>,
    /// Files that were made: pages that some of them link to may have got theirs later.
    made: Vec<DocPath>,
    /// Nobody's in a dry run.
    holder: Option<Holder>,
    told: Told<'a>,
}

/// A file that was written, or needed no writing.
struct Written {
    path: DocPath,
    did: Did,
}

impl<'a> Pull<'a> {
    /// Opens what is needed; or tells why not, and how the command ends.
    async fn open(
        args: &cli::Pull,
        config: &'a Config,
        folder: &Path,
        console: &'a Console,
        progress: ProgressMode,
    ) -> Result<Result<Self, Exit>, Unread> {
        let unusable = |why: String| Unread::from(Unopened::Unusable(why));
        let into = match &args.into {
            None => None,
            Some(into) => {
                let scope = opening::scope(&config.root, folder, std::slice::from_ref(into)).map_err(unusable)?;
                Some(scope.first().map(|path| path.as_path().to_path_buf()).unwrap_or_default())
            }
        };
        let patterns = settings::patterns(config).map_err(unusable)?;
        let holder = if args.dry_run { None } else { Some(Holder::find(config, console).await?) };
        let offline = offline::look(config).map_err(unusable)?;
        offline.remarks.iter().for_each(|remark| console.warning(Shown::new(remark)));
        if let Some((why, exit)) = refused(&offline.health) {
            console.error(Shown::new(&why));
            return Ok(Err(exit));
        }
        let reader = Reader::open(config, args.max_wait, console, progress)?;
        Ok(Ok(Self {
            config,
            rules: config.policy().rules,
            links: offline.folder.links().read().clone(),
            patterns,
            reader,
            tables: Tables::new(offline.names.clone()),
            choices: Choices::new(offline),
            namer: Namer::new(&config.root),
            into,
            made: Vec::new(),
            holder,
            told: Told::new(args.json, console),
        }))
    }

    async fn all(&mut self, args: &cli::Pull) -> Result<(), Unread> {
        let targets = self.targets(args).await?;
        self.reader.expects(targets.len());
        for target in targets {
            self.one(&target).await?;
        }
        Ok(())
    }

    /// The pages that were asked for, the one edited longest ago first.
    async fn targets(&mut self, args: &cli::Pull) -> Result<Vec<Target>, Unread> {
        if !args.all && args.folder.is_none() {
            let mut seen = BTreeSet::new();
            let ids = args.pages.iter().filter(|text| seen.insert(text.as_str()));
            let target = |text: &String| match PageId::parse(text) {
                Ok(id) => Ok(Target { id, row: None }),
                Err(error) => Err(Unread::Unusable(format!("{text:?} is no page_id: {error}"))),
            };
            return ids.map(target).collect();
        }
        let within = match &args.folder {
            Some(name) => Some(self.tables.folder(&mut self.reader, name).await?),
            None => None,
        };
        let wanted = |row: &Row| within.as_ref().is_none_or(|within| !within.is_disjoint(&row.folders));
        let rows = self.reader.rows(None).await?;
        let row = |row: Row| Target { id: row.id.clone(), row: Some(row) };
        Ok(rows.into_iter().rev().filter(wanted).map(row).collect())
    }

    /// One page, from the decision whether to ask for it to the last word about it.
    async fn one(&mut self, target: &Target) -> Result<(), Unread> {
        if let Some(authored) = self.choices.document(&target.id) {
            let named = authored.named.clone();
            self.tables.know_named(&mut self.reader, &named).await?;
        }
        let choice = self.choices.choose(target, self.tables.names());
        let path = match choice {
            Choice::Leave { path, why, whose } => {
                self.tell(target, path.as_ref(), &Did::Left(why, whose));
                return Ok(());
            }
            Choice::InStep(path) => {
                self.tell(target, Some(&path), &Did::Same);
                return Ok(());
            }
            Choice::Make(_) | Choice::Bring { .. } if self.holder.is_none() => {
                let (path, did) = self.foresee(target, choice);
                self.tell(target, path.as_ref(), &did);
                return Ok(());
            }
            Choice::Make(_) => None,
            Choice::Bring { ref path, .. } => Some(path.clone()),
        };
        let page = match self.reader.page(&target.id).await? {
            Look::Page(page) => page,
            Look::Archived(_) => {
                let why = "the page is archived; restore it in the hub to pull it".to_owned();
                self.tell(target, path.as_ref(), &Did::Left(why, Whose::Person));
                return Ok(());
            }
            Look::Absent => {
                let why = "the hub has no page of this id, or it is archived".to_owned();
                self.tell(target, path.as_ref(), &Did::Left(why, Whose::Person));
                return Ok(());
            }
            Look::Failed(why) => {
                self.tell(target, path.as_ref(), &Did::Failed(why));
                return Ok(());
            }
        };
        let (age, date) = self.reader.last_asked();
        self.tables.know_ids(&mut self.reader, &page.lists).await?;
        let written = match self.write(&page, choice) {
            Ok(written) => written,
            Err(did) => {
                self.tell(target, path.as_ref(), &did);
                return Ok(());
            }
        };
        let Written { path, mut did } = written;
        let names = self.tables.take_news();
        let seen = Seen::of(&page);
        let sighting = Sighting { page: page.id.clone(), path: path.clone(), seen, age, date, names };
        if let Some(apart) = self.meet(sighting).await? {
            did = Did::Apart(Box::new(did), apart);
        }
        self.told.page(&self.reader, &target.id, Some(&page.title), Some(&path), &did);
        Ok(())
    }

    /// Tells whoever holds the state; gives up when we are told to stop.
    async fn meet(&mut self, sighting: Sighting) -> Result<Option<String>, Unread> {
        let Some(holder) = &mut self.holder else { return Ok(None) };
        tokio::select! {
            told = holder.tell(self.config, sighting) => Ok(told?),
            stopped = self.reader.stop() => Err(stopped),
        }
    }

    /// What would be done, as far as that can be said without a look.
    fn foresee(&mut self, target: &Target, choice: Choice) -> (Option<DocPath>, Did) {
        match (choice, &target.row) {
            (Choice::Make(Some(path)), _) => (Some(path), Did::WouldMake),
            (Choice::Make(None), Some(row)) => {
                let folder = self.folder(self.tables.first_folder(&row.folders));
                (self.namer.file(&folder, &row.title, &row.id), Did::WouldMake)
            }
            (Choice::Bring { path, .. }, _) => (Some(path), Did::WouldBring),
            _ => (None, Did::WouldMake),
        }
    }

    /// Writes the file of a page, where it says something else.
    fn write(&mut self, page: &Page, choice: Choice) -> Result<Written, Did> {
        match choice {
            Choice::Bring { path, desired, met } => self.bring(page, path, &desired, met),
            Choice::Make(Some(path)) => self.make_at(page, path),
            Choice::Make(None) => self.make(page),
            Choice::Leave { why, whose, .. } => Err(Did::Left(why, whose)),
            Choice::InStep(path) => Ok(Written { path, did: Did::Same }),
        }
    }

    /// What a document says is brought up to what its page says. One that was never met is only compared.
    fn bring(&self, page: &Page, path: DocPath, desired: &Desired, met: choice::Met) -> Result<Written, Did> {
        let left = |why: &str| Did::Left(why.to_owned(), Whose::Person);
        let old = read::contents(&self.config.root, &path).map_err(|error| Did::Failed(error.to_string()))?;
        if Digest::of(&old) != desired.source {
            return Err(Did::Failed("the document was edited meanwhile; try again".to_owned()));
        }
        let around = Around { path: &path, map: &self.links };
        let bytes = compose::changed(&old, desired, page, self.tables.names(), &self.rules, around).map_err(not)?;
        if bytes == old {
            return Ok(Written { path, did: Did::Same });
        }
        if met == choice::Met::Never {
            return Err(left(
                "the page has another text than its document, and they were never in step; `hubsync diff` shows how they differ",
            ));
        }
        match write::replace(&self.config.root, &path, desired.source, &bytes) {
            Ok(()) => Ok(Written { path, did: Did::Changed }),
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// A new file there. Links can lead to it at once, also its own.
    fn created(&mut self, page: &Page, path: &DocPath) -> Result<Result<(), NotWritten>, Did> {
        let mut links = self.links.clone();
        links.put(path, Holds::Page(page.id.clone()));
        let around = Around { path, map: &links };
        let bytes = compose::anew(page, self.tables.names(), &self.rules, around).map_err(not)?;
        let written = write::create(&self.config.root, path, &bytes);
        if written.is_ok() {
            self.links = links;
            self.made.push(path.clone());
        }
        Ok(written)
    }

    /// Links between pages that were made lead to their files, whichever came first. What is published stays the same, so
    /// the state need not be told; where a file can't be written its links stay as they are.
    fn link_made(&self) {
        for path in &self.made {
            let Ok(old) = read::contents(&self.config.root, path) else { continue };
            let around = Around { path, map: &self.links };
            match compose::linked(&old, &self.rules, around) {
                Ok(new) if new != old => {
                    if let Err(why) = write::replace(&self.config.root, path, Digest::of(&old), &new) {
                        self.told.unlinked(path, &why.to_string());
                    }
                }
                // It says no more what was written.
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn make_at(&mut self, page: &Page, path: DocPath) -> Result<Written, Did> {
        match self.created(page, &path)? {
            Ok(()) => Ok(Written { path, did: Did::Made }),
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// A new file, under a name that nothing has.
    fn make(&mut self, page: &Page) -> Result<Written, Did> {
        let none = page.lists.folders.clone().unwrap_or_default();
        let folder = self.folder(self.tables.first_folder(&none));
        for _ in 0..TRIES {
            let Some(path) = self.namer.file(&folder, &page.title, &page.id) else { break };
            if !self.patterns.includes(path.as_path()) || self.is_excluded(&path) {
                let why = format!(
                    "{} would be left out by `include` or `exclude`; choose a folder with --into",
                    path.to_text()
                );
                return Err(Did::Left(why, Whose::Person));
            }
            match self.created(page, &path)? {
                Ok(()) => return Ok(Written { path, did: Did::Made }),
                Err(NotWritten::Exists) => {}
                Err(error) => return Err(unwritten(&error)),
            }
        }
        Err(Did::Failed("no name is free for it; try again".to_owned()))
    }

    fn is_excluded(&self, path: &DocPath) -> bool {
        path.as_path().ancestors().any(|part| !part.as_os_str().is_empty() && self.patterns.excludes(part))
    }

    /// Where a new file goes.
    fn folder(&self, filed: Option<String>) -> PathBuf {
        match (&self.into, filed) {
            (Some(into), _) => into.clone(),
            (None, Some(filed)) => self.namer.folder(&filed),
            (None, None) => PathBuf::new(),
        }
    }

    fn tell(&mut self, target: &Target, path: Option<&DocPath>, did: &Did) {
        let title = target.row.as_ref().map(|row| row.title.as_str());
        self.told.page(&self.reader, &target.id, title, path, did);
    }
}

/// Why nothing is pulled into such a root.
fn refused(health: &RootHealth) -> Option<(String, Exit)> {
    match health {
        RootHealth::Ok => None,
        RootHealth::Missing(why) => Some((why.clone(), Exit::Usage)),
        RootHealth::Changed { known, found } => {
            let why = format!(
                "only {found} of {known} known documents are in this root: is it another folder? Nothing is pulled until \
                 `hubsync sync --confirm-root` says that it is the right one"
            );
            Some((why, Exit::Person))
        }
        RootHealth::Held(checkout) => Some((checkout.reason().message, Exit::Person)),
    }
}

fn not(not: Not) -> Did {
    match not {
        Not::NoText => Did::Left("the page has no text".to_owned(), Whose::Nobody),
        Not::Unfit(why) => Did::Left(why, Whose::Person),
    }
}

fn unwritten(error: &NotWritten) -> Did {
    match error {
        NotWritten::Changed => Did::Failed(error.to_string()),
        _ => Did::Left(error.to_string(), Whose::Person),
    }
}
