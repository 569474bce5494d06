//! `hubsync init`: writes a commented `hubsync.yaml` into the current folder and tests the API key. Never writes over a
//! file, nor to the hub.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use crate::cli::{self, Exit};
use crate::config::{self, Config, Environment, FILE_NAME, KeySource, Overrides};
use crate::local::git;
use crate::output::{Lines, Shown};

/// The text that is written, but for the root: the example that documents every key.
const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// The example's root.
const EXAMPLE_ROOT: &str = "\nroot: ./handbook\n";

/// The example's branch.
const EXAMPLE_BRANCH: &str = "\n  branch: null\n";

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To stdout: what was done, and what to do next.
    Result,
    /// To stderr: what is wrong.
    Remark,
}

/// Writes the file: the one that `--config` names, else `hubsync.yaml` in `folder`, the current one. Then says what next,
/// and tests the key if one is configured: `test_key` asks the hub by reading, and answers what the hub said, or why the
/// key can't be used. What there is to say is handed to `tell`.
///
/// # Errors
/// Those of `tell`.
pub async fn run(
    args: &cli::Init,
    overrides: &Overrides,
    env: &Environment,
    folder: &Path,
    tell: &mut impl FnMut(To, &Lines) -> io::Result<()>,
    test_key: impl AsyncFn(&Config) -> Result<String, String>,
) -> io::Result<Exit> {
    let name = overrides.config.as_deref().unwrap_or(Path::new(FILE_NAME));
    let (path, shown) = (folder.join(name), Shown::path(name));
    // In the file a relative root is seen from the file; it was typed as seen from here.
    let root = if path.parent() == Some(folder) { args.root.clone() } else { folder.join(&args.root) };
    let branch = git::current_branch(&folder.join(&args.root));
    if let Err(error) = write(&path, &text(&root, branch.as_deref())) {
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                tell(To::Remark, &Lines::of(format_args!("{shown} is already there; it was left as it is")))?;
            }
            _ => tell(To::Remark, &Lines::of(format_args!("{shown} can't be written: {error}")))?,
        }
        return Ok(Exit::Usage);
    }
    tell(To::Result, &Lines::of(format_args!("wrote {shown}")))?;
    let named = Overrides { config: Some(name.to_owned()), flags: Vec::new() };
    let config = match config::load(&named, env, folder) {
        Ok(loaded) => loaded.config,
        Err(errors) => {
            tell(To::Remark, &super::config::refused(&errors))?;
            return Ok(Exit::Usage);
        }
    };
    let exit = key(&config, tell, test_key).await?;
    tell(To::Result, &next(&config))?;
    Ok(exit)
}

/// The example with the root that was asked for, and the branch that is checked out there.
fn text(root: &Path, branch: Option<&str>) -> String {
    let root = scalar(&root.to_string_lossy());
    let text = EXAMPLE.replacen(EXAMPLE_ROOT, &format!("\nroot: {root}\n"), 1);
    match branch {
        Some(branch) => text.replacen(EXAMPLE_BRANCH, &format!("\n  branch: {}\n", scalar(branch)), 1),
        None => text,
    }
}

/// A text as YAML reads it back.
fn scalar(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'));
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '.'));
    let is_word = ["null", "true", "false", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    if plain && starts && !is_word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Says whether the key works, and what to mend. Reading it blocks, but nothing else runs beside `init`.
async fn key(
    config: &Config,
    tell: &mut impl FnMut(To, &Lines) -> io::Result<()>,
    test_key: impl AsyncFn(&Config) -> Result<String, String>,
) -> io::Result<Exit> {
    let source = &config.hub.key;
    if !source.is_configured() {
        let words = "no API key yet: set EXEC_API_KEY, or hub.api_key_file or hub.api_key_command in the file";
        return tell(To::Result, &Lines::of(words)).map(|()| Exit::Ok);
    }
    let key = match source.read() {
        Ok(key) => key,
        Err(error) => return tell(To::Remark, &Lines::of(format_args!("error: {error}"))).map(|()| Exit::Usage),
    };
    if let Some(warning) = source.warning() {
        tell(To::Remark, &Lines::of(format_args!("warning: {warning}")))?;
    }
    if !key.looks_live() {
        let words = format_args!("warning: the API key from {source} does not look like one of Exec (exec_live_…)");
        tell(To::Remark, &Lines::of(words))?;
    }
    match test_key(config).await {
        Ok(answer) => {
            let words = Lines::of(format_args!("the API key works: {}", Shown::new(&answer)));
            tell(To::Result, &words).map(|()| Exit::Ok)
        }
        Err(why) => {
            let words = Lines::of(format_args!("error: the API key could not be tested: {}", Shown::new(&why)));
            tell(To::Remark, &words).map(|()| Exit::Usage)
        }
    }
}

/// What to do next.
fn next(config: &Config) -> Lines {
    let mut lines = Lines::new();
    lines.ours("\nnext:");
    if !config.root.is_dir() {
        let root = Shown::path(&config.root);
        lines.line(format_args!("  make the folder {root}, or name another root in the file"));
    }
    if config.hub.key == KeySource::Nowhere {
        lines.ours("  export EXEC_API_KEY=…     the key of your workspace");
    }
    lines.ours(
        "  hubsync check             look for mistakes, offline\n\
        \x20 hubsync sync --dry-run    what would be sent\n\
        \x20 hubsync run               publish what is saved, until stopped",
    );
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn init(folder: &Path, root: &str, env: &[(&str, &str)], answer: Result<&str, &str>) -> (Exit, String) {
        let mut env: Environment = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        env.insert("HOME".into(), "/home/of-nobody".into());
        let args = cli::Init { root: root.into() };
        let answer = answer.map(str::to_owned).map_err(str::to_owned);
        let mut said = String::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let test_key = async |_: &Config| answer.clone();
        let overrides = Overrides::default();
        let mut tell = |_, lines: &Lines| {
            said.push_str(lines.as_str());
            Ok(())
        };
        let exit = runtime.block_on(run(&args, &overrides, &env, folder, &mut tell, test_key)).unwrap();
        (exit, said)
    }

    #[test]
    fn the_file_is_the_example_with_the_root_and_can_be_used() {
        for root in ["docs", "./handbook", "my docs: #1", "1e3", "\"q\""] {
            let folder = tempfile::tempdir().unwrap();
            let (exit, said) = init(folder.path(), root, &[], Ok("fine"));
            assert_eq!(exit, Exit::Ok, "{said}");
            let env = Environment::from([("HOME".to_owned(), "/home/of-nobody".to_owned())]);
            let loaded = config::load(&Overrides::default(), &env, folder.path()).unwrap();
            let wanted: std::path::PathBuf = folder.path().join(root).components().collect();
            assert_eq!(loaded.config.root, wanted);
            assert!(said.contains("no API key yet") && said.contains("hubsync sync --dry-run"), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "root: mine\n").unwrap();
        let (exit, said) = init(folder.path(), "docs", &[], Ok("fine"));
        assert_eq!((exit, fs::read_to_string(&path).unwrap().as_str()), (Exit::Usage, "root: mine\n"));
        assert!(said.contains("already there"), "{said}");
    }

    #[test]
    fn the_key_is_tested_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, said) = init(folder.path(), "docs", &[("EXEC_API_KEY", "test-key-77")], Ok("12 pages"));
        assert_eq!(exit, Exit::Ok);
        assert!(said.contains("the API key works: 12 pages") && said.contains("does not look like"), "{said}");
        assert!(!said.contains("test-key-77"), "{said}");

        let folder = tempfile::tempdir().unwrap();
        let (exit, said) =
            init(folder.path(), "docs", &[("EXEC_API_KEY", "exec_live_00000000")], Err("the hub refused it"));
        assert_eq!(exit, Exit::Usage);
        assert!(said.contains("the hub refused it") && !said.contains("00000000"), "{said}");
    }

    #[test]
    fn a_named_file_in_another_folder_gets_the_root_that_was_typed_here() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        let env = Environment::from([("HOME".to_owned(), "/home/of-nobody".to_owned())]);
        let overrides = Overrides { config: Some("etc/kb.yaml".into()), flags: Vec::new() };
        let args = cli::Init { root: "docs".into() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let test_key = async |_: &Config| Ok(String::new());
        let mut tell = |_, _: &Lines| Ok(());
        let work = run(&args, &overrides, &env, folder.path(), &mut tell, test_key);
        assert_eq!(runtime.block_on(work).unwrap(), Exit::Ok);
        let config = config::load(&overrides, &env, folder.path()).unwrap().config;
        assert_eq!(config.root, folder.path().join("docs"));
    }
}
