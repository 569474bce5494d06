//! `hubsync pause` and `hubsync resume`: nothing is sent meanwhile. A running daemon is told; without one it is written into the
//! state, where the next run finds it.

use std::io;
use std::time::Duration;

use crate::cli::{self, Exit};
use crate::commands::opening::{self, Unopened};
use crate::commands::ordering;
use crate::config::Config;
use crate::daemon::clock;
use crate::daemon::control::{Order, Reply, Standing};
use crate::daemon::orders::pause_until;
use crate::engine::change::{HubState, PersonPause};
use crate::output::{Console, Lines, Shown};
use crate::page::Wall;
use crate::state::lock::Lock;
use crate::state::store::Store;

/// Pauses.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn pause(args: &cli::Pause, config: &Config, console: &Console) -> io::Result<Exit> {
    if args.how_long == Some(Duration::ZERO) {
        console.error("a pause of no time is none: say `--for 2h`, or leave `--for` out");
        return Ok(Exit::Usage);
    }
    let until = pause_until(clock::wall(), args.how_long);
    let standing = match carry_out(config, Order::Pause(until), console).await {
        Ok(standing) => standing,
        Err(why) => return Ok(why.tell(console)),
    };
    let until = until.map(|until| format!(" until {}", until.to_rfc3339())).unwrap_or_default();
    let _ = console.result(&Lines::of(format_args!("paused{until}: nothing is sent; `hubsync resume` goes on")))?;
    if standing.under_way > 0 {
        let n = standing.under_way;
        console.warning(format_args!("{n} that had left before are not answered yet"));
    }
    Ok(kept(&standing, console))
}

/// Goes on.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn resume(config: &Config, console: &Console) -> io::Result<Exit> {
    let standing = match carry_out(config, Order::Resume, console).await {
        Ok(standing) => standing,
        Err(why) => return Ok(why.tell(console)),
    };
    let words = if standing.was_paused { "the pause is over" } else { "there was no pause" };
    let _ = console.result(&Lines::of(words))?;
    if let Some(until) = standing.hub_until {
        let until = until.to_rfc3339();
        let _ = console.result(&Lines::of(format_args!("the hub itself takes nothing until {until}; that goes on")))?;
    }
    Ok(kept(&standing, console))
}

fn kept(standing: &Standing, console: &Console) -> Exit {
    match &standing.unkept {
        Some(why) => {
            console.error(format_args!(
                "it could not be written into the state, so a restart forgets it: {}",
                Shown::new(why)
            ));
            Exit::Later
        }
        None => Exit::Ok,
    }
}

async fn carry_out(config: &Config, order: Order, console: &Console) -> Result<Standing, Unopened> {
    loop {
        if let Some(daemon) = ordering::reach(&config.state).await? {
            return by_daemon(daemon, order).await;
        }
        match Lock::take(&config.state) {
            Ok(_held) => return by_ourselves(config, &order, console),
            // Somebody has begun since we looked.
            Err(crate::state::error::StateError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn by_daemon(daemon: ordering::Daemon, order: Order) -> Result<Standing, Unopened> {
    match daemon.order(order).await?.next().await {
        Some(Reply::Standing(standing)) => Ok(standing),
        Some(Reply::Refused { why, exit: 75 }) => Err(Unopened::Later(why)),
        Some(Reply::Refused { why, .. }) => Err(Unopened::Unusable(why)),
        _ => Err(Unopened::Later("the daemon has ended before it answered; try again".to_owned())),
    }
}

fn by_ourselves(config: &Config, order: &Order, console: &Console) -> Result<Standing, Unopened> {
    let now = clock::wall();
    let opened = Store::open(&config.state)?;
    opening::warn_of(&opened.was, console);
    let mut store = opened.store;
    let before = store.load()?;
    let pause = match order {
        Order::Pause(until) => Some(PersonPause { since: now, until: *until }),
        _ => None,
    };
    store.set_pause(pause)?;
    let is_on = |until: &Wall| before.hub.state == HubState::Paused && *until > now;
    let hub_until = before.hub.until.filter(is_on);
    let was_paused = before.pause.is_some_and(|pause| pause.is_on(now));
    Ok(Standing { paused: pause.is_some(), was_paused, under_way: 0, unkept: None, hub_until })
}
