//! `hubsync check`: mistakes in the documents, offline, without key and network; the configuration is used where there is one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::cli::{self, CheckFormat, Exit};
use crate::commands::opening;
use crate::config::{self, Environment, Overrides};
use crate::document::{self, Diagnostic};
use crate::engine::settled::{Found, RootHealth, Settled};
use crate::local::Quiet;
use crate::local::folder::Folder;
use crate::local::patterns::Patterns;
use crate::local::read;
use crate::output::{Console, Lines, Located, Paint, Severity, Shown};
use crate::page::DocPath;
use crate::policy::{Create, Policy, Rules};
use crate::reason::{Reason, State};

mod links;

use links::Links;

/// One thing that is wrong, or looks so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    path: String,
    line: u32,
    column: u32,
    severity: &'static str,
    code: String,
    message: String,
    suggestion: Option<String>,
}

/// Lints.
///
/// # Errors
/// Where stdout can't be written to.
pub fn run(
    args: &cli::Check,
    overrides: &Overrides,
    env: &Environment,
    here: &Path,
    console: &Console,
) -> io::Result<Exit> {
    let refuse = |why: &str| {
        console.error(Shown::new(why));
        Ok(Exit::Usage)
    };
    let (mut folder, root, rules, create) = match place(overrides, env, here) {
        Ok(place) => place,
        Err(why) => return refuse(&why),
    };
    let scope = match opening::scope(&root, here, &args.paths) {
        Ok(scope) => scope,
        Err(why) => return refuse(&why),
    };
    opening::warn_of_missing(&root, &scope, console);
    let round = folder.scan(crate::daemon::clock::wall(), Quiet::AtOnce);
    if let RootHealth::Missing(why) = round.health {
        return refuse(&why);
    }
    let inside =
        |path: &DocPath| scope.is_empty() || scope.iter().any(|part| path.as_path().starts_with(part.as_path()));
    let mut files: BTreeMap<DocPath, Option<Reason>> = BTreeMap::new();
    for settled in round.settled {
        match settled {
            Settled::Page { path, found: Found::Document(_), .. } | Settled::Newborn { path, .. } => {
                files.insert(path, None);
            }
            Settled::Page { path, found: Found::Held(reason), .. } | Settled::Loose { path, reason, .. } => {
                files.insert(path, Some(reason));
            }
            Settled::Page { found: Found::Gone { .. } | Found::Unnamed { .. }, .. }
            | Settled::StillGone { .. }
            | Settled::Emptied { .. }
            | Settled::LooseGone { .. } => {}
        }
    }
    let files: Vec<(DocPath, Option<Reason>)> = files.into_iter().filter(|(path, _)| inside(path)).collect();
    let links = Links::of(&folder, &root, create);
    let findings = Findings::of(&files, &root, &rules, &links);
    findings.print(args.format(), &root, here, console)?;
    let strict = args.strict && !findings.all.is_empty();
    Ok(if findings.errors() > 0 || strict { Exit::Person } else { Exit::Ok })
}

/// The configured folder; where nothing is configured, the current one.
fn place(overrides: &Overrides, env: &Environment, here: &Path) -> Result<(Folder, PathBuf, Rules, Create), String> {
    match config::load(overrides, env, here) {
        Ok(loaded) if loaded.file.is_some() => {
            let config = loaded.config;
            let folder = opening::folder(&config, Vec::new(), &[])?;
            let policy = config.policy();
            Ok((folder, config.root.clone(), policy.rules, policy.create))
        }
        Ok(_) => {
            let rules = Policy::default().rules;
            let include = ["**/*.md".to_owned(), "**/*.markdown".to_owned()];
            let patterns = Patterns::new(&include, &[]).map_err(|error| error.to_string())?;
            let folder = Folder::new(here.to_owned(), patterns, rules.clone(), Vec::new(), Vec::new());
            Ok((folder, here.to_owned(), rules, Create::Off))
        }
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

struct Findings {
    all: Vec<(Finding, Option<Shot>)>,
    files: usize,
}

/// What is needed to show the place.
struct Shot {
    source: Arc<str>,
    span: std::ops::Range<usize>,
}

impl Findings {
    fn of(files: &[(DocPath, Option<Reason>)], root: &Path, rules: &Rules, links: &Links) -> Self {
        let mut all = Vec::new();
        for (path, held) in files {
            let diagnostics = diagnostics(root, path, rules, Some(links));
            let told = |reason: &Reason| diagnostics.iter().any(|(d, _)| d.code.as_str() == reason.code.as_str());
            if let Some(reason) =
                held.as_ref().filter(|reason| reason.code.held_state() == State::Blocked && !told(reason))
            {
                all.push((of_reason(path, reason), None));
            }
            all.extend(diagnostics.into_iter().map(|(d, source)| {
                let shot = Shot { source, span: d.span.clone() };
                (of_diagnostic(path, &d), Some(shot))
            }));
        }
        Self { all, files: files.len() }
    }

    fn errors(&self) -> usize {
        self.all.iter().filter(|(finding, _)| finding.severity == "error").count()
    }

    fn print(&self, format: CheckFormat, root: &Path, here: &Path, console: &Console) -> io::Result<()> {
        let mut lines = Lines::new();
        match format {
            CheckFormat::Json => lines.json(&self.all.iter().map(|(finding, _)| finding).collect::<Vec<_>>()),
            CheckFormat::Github => {
                let one = |(finding, _): &(Finding, _)| github(finding, &seen_from(here, root, &finding.path));
                self.all.iter().map(one).for_each(|line| lines.line(line));
            }
            CheckFormat::Text => {
                let paint = console.stdout_paint();
                for (finding, shot) in &self.all {
                    located(&mut lines, finding, shot.as_ref(), &seen_from(here, root, &finding.path), paint);
                }
                let (errors, files) = (self.errors(), self.files);
                let warnings = self.all.len() - errors;
                let counted = |n: usize, what| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
                let found = [counted(errors, "error"), counted(warnings, "warning")].join(", ");
                lines.line(format_args!("{} looked at: {found}", counted(files, "file")));
            }
        }
        let _ = console.result(&lines)?;
        Ok(())
    }
}

/// What the document itself has wrong with it, and with its links where these are asked for, with its text. A file that can't
/// be read says so elsewhere.
fn diagnostics(root: &Path, path: &DocPath, rules: &Rules, links: Option<&Links>) -> Vec<(Diagnostic, Arc<str>)> {
    let Ok(bytes) = read::contents(root, path) else { return Vec::new() };
    let source: Arc<str> = String::from_utf8_lossy(&bytes).into();
    let parsed = document::parse(&bytes, rules);
    let mut all = parsed.diagnostics;
    if let Some(links) = links.filter(|_| parsed.reading.is_document()) {
        all.extend(links.problems(path, &bytes));
    }
    all.into_iter().map(|d| (d, source.clone())).collect()
}

/// Shows on stderr what is wrong with one document, with its lines.
pub fn explain(console: &Console, root: &Path, path: &DocPath, rules: &Rules) {
    for (diagnostic, source) in diagnostics(root, path, rules, None) {
        let finding = of_diagnostic(path, &diagnostic);
        let shot = Shot { source, span: diagnostic.span };
        let mut lines = Lines::new();
        located(&mut lines, &finding, Some(&shot), &finding.path, console.stderr_paint());
        console.remark(&lines);
    }
}

fn of_diagnostic(path: &DocPath, diagnostic: &Diagnostic) -> Finding {
    Finding {
        path: path.to_text(),
        line: diagnostic.line,
        column: diagnostic.column,
        severity: diagnostic.severity.as_str(),
        code: diagnostic.code.as_str().to_owned(),
        message: diagnostic.message.clone(),
        suggestion: diagnostic.suggestion.clone(),
    }
}

fn of_reason(path: &DocPath, reason: &Reason) -> Finding {
    Finding {
        path: path.to_text(),
        line: reason.line.unwrap_or(1),
        column: reason.column.unwrap_or(1),
        severity: "error",
        code: reason.code.as_str().to_owned(),
        message: reason.message.clone(),
        suggestion: None,
    }
}

/// The path of a document as seen from the current folder, where it lies below that.
fn seen_from(here: &Path, root: &Path, path: &str) -> String {
    let whole = root.join(path);
    whole
        .strip_prefix(here)
        .map_or_else(|_| whole.to_string_lossy().into_owned(), |below| below.to_string_lossy().into_owned())
}

fn located(lines: &mut Lines, finding: &Finding, shot: Option<&Shot>, path: &str, paint: Paint) {
    let severity = if finding.severity == "error" { Severity::Error } else { Severity::Warning };
    match shot {
        Some(shot) => {
            let located = Located {
                path,
                source: &shot.source,
                line: finding.line as usize,
                column: finding.column as usize,
                span: shot.span.clone(),
                severity,
                code: &finding.code,
                message: &finding.message,
                suggestion: finding.suggestion.as_deref(),
            };
            lines.located(&located, paint);
        }
        None => {
            let Finding { line, column, severity, code, message, .. } = finding;
            let (path, message) = (Shown::new(path), Shown::new(message));
            lines.line(format_args!("{path}:{line}:{column}: {severity}: {message} [{code}]"));
            lines.line("");
        }
    }
}

/// One annotation of GitHub Actions, escaped as its documentation says.
fn github(finding: &Finding, path: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{} file={},line={},col={},title={}::{}",
        finding.severity,
        property(&Shown::new(path).to_string()),
        finding.line,
        finding.column,
        property(&finding.code),
        data(&Shown::new(&finding.message).to_string())
    )
}
