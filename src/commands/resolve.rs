//! `hubsync resolve`: what waits for a person is settled as they say, each page for the version that `status` showed. A running
//! daemon sends, we write the files; without one we do both.

use std::io;
use std::path::Path;

use crate::cli::{self, Exit, KeepSide};
use crate::commands::offline::{self, Offline};
use crate::commands::opening::{self, Opened, RootLock, Unopened};
use crate::commands::ordering::{self, Daemon};
use crate::commands::report;
use crate::commands::sync::{Confirmation, Form, How, Told, beside, first_round, stopped, tell};
use crate::config::{Config, duration};
use crate::daemon::control::SyncOrder;
use crate::daemon::one_shot::{self, End, Watcher as _};
use crate::daemon::orders::encoded;
use crate::daemon::signals::Signals;
use crate::engine::settled::RootHealth;
use crate::engine::{Input, Mode, Summary, Writes};
use crate::output::summary::{DaemonReport, Listing, Run, Strictness};
use crate::output::{Console, Lines, ProgressMode, Shown};
use crate::page::{DocPath, PageId};
use crate::reconcile::page_record::{Keep, Resolution};

mod choice;

use choice::{Chosen, Target, choose};

/// Settles.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(
    args: &cli::Resolve,
    config: &Config,
    folder: &Path,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let how = How {
        run: if args.dry_run { Run::DryRun } else { Run::Sync },
        strict: Strictness::Lenient,
        form: if args.json { Form::Json } else { Form::Text },
    };
    let mut found = match offline::look(config) {
        Ok(found) => found,
        Err(why) => return Ok(Unopened::Unusable(why).tell(console)),
    };
    if *found.engine.root_health() != RootHealth::Ok {
        // Nobody knows how its pages stand.
        return report_on(how, config, console, &found, found.engine.summary(found.now));
    }
    let summary = found.engine.summary(found.now);
    let chosen = match choose(args, &summary, config, folder) {
        Ok(chosen) => chosen,
        Err(why) => return Ok(Unopened::Unusable(why).tell(console)),
    };
    chosen.remarks.iter().for_each(|remark| console.warning(Shown::new(remark)));
    let foreseen = found.engine.foresee(found.now, chosen.decided().map(|(id, it)| (id, it.keep)).collect());
    let mut summary = summary.of_pages(&chosen.targets.iter().map(|it| it.page.clone()).collect());
    for page in &mut summary.pages {
        page.planned = page.page_id.as_ref().and_then(|id| foreseen.get(id).cloned());
    }
    if chosen.targets.is_empty() && how.form == Form::Text {
        let _ = console.result(&Lines::of("nothing was settled"))?;
        return Ok(chosen.exit(Exit::Ok));
    }
    if args.dry_run || chosen.targets.is_empty() {
        if how.form == Form::Text && !chosen.targets.is_empty() {
            let _ = console.result(&choice::cost(&chosen))?;
        }
        let exit = report_on(how, config, console, &found, summary)?;
        return Ok(chosen.exit(exit));
    }
    if how.form == Form::Text {
        let _ = console.result(&choice::announce(&chosen, &summary))?;
    }
    let exit = carry_out(args, how, &chosen, config, console, progress).await?;
    Ok(chosen.exit(exit))
}

/// Reports what nothing was done about.
fn report_on(how: How, config: &Config, console: &Console, found: &Offline, summary: Summary) -> io::Result<Exit> {
    let running = DaemonReport {
        running: found.daemon.as_ref().is_some_and(|daemon| daemon.planned),
        pid: found.daemon.as_ref().map(|daemon| daemon.pid),
        ..DaemonReport::default()
    };
    let report = report::of(config, summary, found.budget_of, running, found.now);
    let lines = match how.form {
        Form::Json => report.json(how.run),
        Form::Text => report.text(how.run, Listing::Wanting),
    };
    let _ = console.result(&lines)?;
    Ok(report::exit(report.verdict(how.run, how.strict)))
}

async fn carry_out(
    args: &cli::Resolve,
    how: How,
    chosen: &Chosen,
    config: &Config,
    console: &Console,
    progress: ProgressMode,
) -> io::Result<Exit> {
    let mut signals = Signals::listen()?;
    let paths: Vec<DocPath> = chosen.targets.iter().map(|target| target.path.clone()).collect();
    let decided: Vec<(PageId, Resolution)> = chosen.decided().collect();
    let opened = match open(config, console).await {
        Ok(Keeper::Ours(opened)) => *opened,
        Ok(Keeper::Daemon(daemon)) => {
            let order = SyncOrder {
                root: encoded(&config.root),
                paths: paths.iter().map(|path| encoded(path.as_path())).collect(),
                max_wait: duration::millis(args.max_wait),
                decided,
                ..SyncOrder::default()
            };
            return beside::give((daemon, order), how, config, &mut signals, console, progress).await;
        }
        Err(why) => return Ok(why.tell(console)),
    };
    let hub = opened.hub;
    let (mut driver, tree, _lock) = opened.drive(config, Mode::OneShot(Writes::Send), paths)?;
    let scribe = opening::scribe(config, tree.links());
    driver.handle(Input::Decided(decided));
    let now = driver.now().wall;
    let (tree, first) = tokio::select! {
        read = first_round(tree, now, Confirmation::Missing) => read?,
        stop = signals.stop() => {
            driver.finish();
            return Ok(stopped(stop));
        }
    };
    let mut told = Told::new(how.form, console, progress);
    let end = one_shot::run(&mut driver, tree, first, args.max_wait, (&mut signals, &scribe), &mut told).await;
    told.changed(&mut driver);
    drop(told);
    let now = driver.now();
    let summary = driver.engine().summary(now);
    driver.finish();
    match end {
        End::Stopped(stop) => Ok(stopped(stop)),
        End::Round => tell(how, config, console, hub, summary, now),
    }
}

/// Who does the work.
enum Keeper {
    Ours(Box<Opened>),
    Daemon(Daemon),
}

async fn open(config: &Config, console: &Console) -> Result<Keeper, Unopened> {
    loop {
        if let Some(daemon) = ordering::reach(&config.state).await? {
            return Ok(Keeper::Daemon(daemon));
        }
        match opening::open(config, console, RootLock::Ours) {
            Ok(opened) => return Ok(Keeper::Ours(Box::new(opened))),
            // A daemon has begun since we looked.
            Err(Unopened::Held(_)) => {}
            Err(why) => return Err(why),
        }
    }
}

impl Target {
    fn decided(&self) -> (PageId, Resolution) {
        let (version, updated_at) = self.marks;
        (self.page.clone(), Resolution { keep: self.keep, version, updated_at })
    }
}

impl Chosen {
    fn decided(&self) -> impl Iterator<Item = (PageId, Resolution)> + '_ {
        self.targets.iter().map(Target::decided)
    }

    /// What was left out for want of a confirmation is for a person.
    fn exit(&self, exit: Exit) -> Exit {
        if self.unconfirmed > 0 && matches!(exit, Exit::Ok | Exit::Later) { Exit::Person } else { exit }
    }
}

/// What the side that was typed means for a page.
fn keep(side: KeepSide, file: choice::File) -> Keep {
    match (side, file) {
        (KeepSide::Local, choice::File::There) => Keep::Local,
        (KeepSide::Local, choice::File::Gone) => Keep::Archive,
        (KeepSide::Remote, _) => Keep::Remote,
        (KeepSide::Both, choice::File::There) => Keep::Both,
        // There is nothing to put beside it.
        (KeepSide::Both, choice::File::Gone) => Keep::Remote,
    }
}
