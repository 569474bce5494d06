//! `hubsync forget`: what is remembered of a page is dropped, nothing is sent. A document that still names the page is met
//! again; a page whose file is gone vanishes from `status`, and stays in the hub.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::cli::{self, Exit};
use crate::commands::opening::{self, Unopened};
use crate::commands::ordering;
use crate::config::Config;
use crate::daemon::control::{Order, Reply};
use crate::engine::NotForgotten;
use crate::engine::change::{Change, PageChange};
use crate::output::{Console, Lines, Shown};
use crate::page::{DocPath, PageId};
use crate::state::backups::Backups;
use crate::state::error::StateError;
use crate::state::lock::Lock;
use crate::state::store::Store;

/// Forgets.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(args: &cli::Forget, config: &Config, folder: &Path, console: &Console) -> io::Result<Exit> {
    let pages = match named(args, config, folder) {
        Ok(pages) => pages,
        Err(why) => return Ok(Unopened::Unusable(why).tell(console)),
    };
    for (page, path) in pages {
        let path = path.to_text();
        if let Err(why) = forget(config, &page, console).await {
            let why = match why {
                Unopened::Unusable(why) => Unopened::Unusable(format!("{path}: {why}")),
                Unopened::Later(why) => Unopened::Later(format!("{path}: {why}")),
                held @ Unopened::Held(_) => held,
            };
            return Ok(why.tell(console));
        }
        let _ = console.result(&Lines::of(format_args!("forgot {} (page {page})", Shown::new(&path))))?;
    }
    Ok(Exit::Ok)
}

/// The known pages that were named, by path or id.
fn named(args: &cli::Forget, config: &Config, folder: &Path) -> Result<BTreeMap<PageId, DocPath>, String> {
    let (loaded, _) = opening::remembered(config).map_err(|error| error.to_string())?;
    let mut pages = BTreeMap::new();
    for what in &args.what {
        let scope = opening::scope(&config.root, folder, std::slice::from_ref(what)).unwrap_or_default();
        let at_path = loaded.pages.iter().filter(|(_, path, _)| scope.contains(path));
        let text = what.to_string_lossy();
        let of_id = loaded.pages.iter().filter(|(id, ..)| id.as_str() == text);
        let found: Vec<_> = at_path.map(|(id, path, _)| (id.clone(), path.clone())).collect();
        let found =
            if found.is_empty() { of_id.map(|(id, path, _)| (id.clone(), path.clone())).collect() } else { found };
        if found.is_empty() {
            return Err(format!(
                "nothing is remembered of {text}: name a document or a page_id, as `hubsync status --all` lists them"
            ));
        }
        pages.extend(found);
    }
    Ok(pages)
}

async fn forget(config: &Config, page: &PageId, console: &Console) -> Result<(), Unopened> {
    loop {
        if let Some(daemon) = ordering::reach(&config.state).await? {
            return match daemon.order(Order::Forget(page.clone())).await?.next().await {
                Some(Reply::Taken) => Ok(()),
                Some(Reply::Refused { why, exit: 75 }) => Err(Unopened::Later(why)),
                Some(Reply::Refused { why, .. }) => Err(Unopened::Unusable(why)),
                _ => Err(Unopened::Later("the daemon has ended before it answered; try again".to_owned())),
            };
        }
        match Lock::take(&config.state) {
            Ok(_held) => return by_ourselves(config, page, console),
            // Somebody has begun since we looked.
            Err(StateError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn by_ourselves(config: &Config, page: &PageId, console: &Console) -> Result<(), Unopened> {
    let opened = Store::open(&config.state)?;
    opening::warn_of(&opened.was, console);
    let mut store = opened.store;
    let known = store.load()?.pages.into_iter().find(|(id, ..)| id == page);
    match known {
        None => return Err(Unopened::Unusable(NotForgotten::Unknown.to_string())),
        Some((_, _, record)) if record.doubt.is_some() => {
            return Err(Unopened::Later(format!("{}: `hubsync sync` looks it up", NotForgotten::InDoubt)));
        }
        Some(_) => {}
    }
    let change = Change { pages: vec![(page.clone(), PageChange::Forget)], ..Change::default() };
    Ok(store.commit(&change, &Backups::of_state(&config.state))?)
}
