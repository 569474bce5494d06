//! `hubsync sandbox`: the stand-in hub alone, until stopped.

use std::io;

use crate::cli::Exit;
use crate::daemon::signals::Signals;
use crate::output::{Console, Lines};
use crate::sandbox::{self, Options};

/// Serves until asked to stop.
///
/// # Errors
/// Where the system gives us no signals.
pub async fn run(options: Options, console: &Console) -> io::Result<Exit> {
    let mut signals = Signals::listen()?;
    let stopped = async {
        signals.stop().await;
    };
    let ready = |lines: &[String]| {
        let mut shown = Lines::new();
        lines.iter().for_each(|line| shown.line(line));
        // Whoever closed our stdout does not want to know; the hub is there all the same.
        drop(console.result(&shown));
    };
    match sandbox::run(options, ready, stopped).await {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => {
            console.error(error);
            Ok(Exit::Usage)
        }
    }
}
