//! `hubsync doctor`: looks at everything that hubsync needs, from the configuration to the hub's clock, and says how to mend
//! what is wrong.
//!
//! It changes nothing: a damaged state is told, not moved aside. Unless `--offline` says otherwise it sends one request, which
//! takes its slot of the budget like any other.

use std::io;

use crate::cli::{self, Exit};
use crate::config::{ConfigError, Loaded, Origin};
use crate::output::Console;
use crate::policy::ConflictCheck;
use finding::{Finding, Findings, Weight};

mod finding;
mod folder;
mod hub;
mod kept;

/// Looks, and reports. `loaded`: the configuration, or what is wrong with it.
///
/// # Errors
/// Where stdout can't be written to.
pub async fn run(args: &cli::Doctor, loaded: Result<Loaded, Vec<ConfigError>>, console: &Console) -> io::Result<Exit> {
    let mut findings = Findings::default();
    match loaded {
        Err(errors) => {
            let cure = "hubsync init writes a configuration that explains every key";
            let wrong = |error: &ConfigError| Finding::wrong("config", Weight::Unusable, error.to_string(), cure);
            findings.0.extend(errors.iter().map(wrong));
        }
        Ok(loaded) => look(args, &loaded, &mut findings.0).await,
    }
    let lines = if args.json { findings.json() } else { findings.text() };
    let _ = console.result(&lines)?;
    Ok(findings.ends())
}

async fn look(args: &cli::Doctor, loaded: &Loaded, findings: &mut Vec<Finding>) {
    let config = &loaded.config;
    findings.extend(of_config(loaded));
    findings.extend(kept::look(config));
    findings.extend(folder::look(config).await);
    let (key, found) = hub::key(config);
    findings.extend(found);
    if args.offline {
        let why = "--offline: the network is left alone";
        findings.extend(["name", "connection", "http", "clock"].map(|check| Finding::skipped(check, why)));
    } else {
        findings.extend(hub::look(config, key).await);
    }
}

fn of_config(loaded: &Loaded) -> Vec<Finding> {
    let from = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "no file; the environment and the defaults hold".to_owned(),
    };
    let set = loaded.shown().iter().filter(|shown| matches!(shown.origin, Origin::Variable(_))).count();
    let by_environment = if set > 0 { format!(", and {set} keys set by the environment") } else { String::new() };
    let mut findings = vec![Finding::fine("config", format!("{from}{by_environment}"))];
    if loaded.config.publish.conflict_check == ConflictCheck::Off {
        let message = "publish.conflict_check is off: what colleagues write in the hub is overwritten unseen";
        findings.push(Finding::wrong("config", Weight::Warning, message, "set it to true, if that is not meant"));
    }
    findings
}
