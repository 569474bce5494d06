//! Checkouts of a bare repository beside each other, and git as nobody has configured it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Outcome;

/// The branch that is published.
pub const BRANCH: &str = "main";

/// A clone with its files.
#[derive(Clone)]
pub struct Checkout {
    /// Where its files lie.
    pub folder: PathBuf,
}

/// Makes a bare repository whose first commit holds what `fill` writes, and a checkout of it in each folder.
pub fn clones<const N: usize>(
    bare: &Path,
    folders: [PathBuf; N],
    fill: impl FnOnce(&Checkout) -> Outcome<()>,
) -> Outcome<[Checkout; N]> {
    fs::create_dir_all(bare)?;
    let origin = Checkout { folder: bare.to_owned() };
    origin.git(&["init", "-q", "--bare", "-b", BRANCH])?;
    let checkouts = folders.map(|folder| Checkout { folder });
    let mut fill = Some(fill);
    for checkout in &checkouts {
        let [from, to] = [bare, &checkout.folder].map(|path| path.to_string_lossy().into_owned());
        origin.git(&["clone", "-q", &from, &to])?;
        if let Some(fill) = fill.take() {
            fill(checkout)?;
            checkout.commit("As it began")?;
            checkout.git(&["push", "-qu", "origin", BRANCH])?;
        }
    }
    Ok(checkouts)
}

impl Checkout {
    /// Runs git to its end; an error with its words where it fails.
    pub fn git(&self, arguments: &[&str]) -> Outcome<()> {
        let output = self.ran(arguments)?;
        if output.status.success() { Ok(()) } else { Err(failed(arguments, &output).into()) }
    }

    /// Runs git, which has to stop half-way.
    pub fn stops(&self, arguments: &[&str]) -> Outcome<()> {
        let output = self.ran(arguments)?;
        if output.status.success() { Err(format!("git {arguments:?} did not stop").into()) } else { Ok(()) }
    }

    /// Commits whatever changed, if anything did.
    pub fn commit(&self, message: &str) -> Outcome<()> {
        self.git(&["add", "-A"])?;
        if self.ran(&["diff", "--cached", "--quiet"])?.status.success() {
            return Ok(());
        }
        self.git(&["commit", "-qm", message])
    }

    fn ran(&self, arguments: &[&str]) -> Outcome<Output> {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&self.folder).env_clear();
        git.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &self.folder);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_EDITOR", "true");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "writer").env(format!("GIT_{who}_EMAIL"), "writer@example.com");
        }
        Ok(git.output()?)
    }
}

fn failed(arguments: &[&str], output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
    format!("git {arguments:?}: {out}{err}")
}
