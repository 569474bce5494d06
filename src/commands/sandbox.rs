//! `hubsync sandbox`: the stand-in hub alone, until stopped.

use std::io;

use crate::cli::Exit;
use crate::daemon::signals::Signals;
use crate::output::{Console, Shown};
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
    match sandbox::run(options, stopped).await {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => {
            console.remark(&format!("error: {}\n", Shown::new(&error.to_string())));
            Ok(Exit::Usage)
        }
    }
}
