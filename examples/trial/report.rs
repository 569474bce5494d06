//! What a trial prints: its figures, and which promises it saw kept.

use std::fmt;
use std::process::ExitCode;

/// So many offenders are shown of each broken promise.
const SHOWN: usize = 10;

/// Figures and promises, in the order in which they were found.
pub struct Report {
    title: String,
    figures: Vec<(String, String)>,
    promises: Vec<(&'static str, Vec<String>)>,
}

impl Report {
    /// An empty one.
    pub fn new(title: impl Into<String>) -> Report {
        Report { title: title.into(), figures: Vec::new(), promises: Vec::new() }
    }

    /// One line of the table.
    pub fn figure(&mut self, name: impl Into<String>, value: impl ToString) {
        self.figures.push((name.into(), value.to_string()));
    }

    /// A promise, and whatever broke it.
    pub fn promise(&mut self, words: &'static str, broken_by: Vec<String>) {
        self.promises.push((words, broken_by));
    }

    /// The same for two values that have to be equal.
    pub fn equal<T: PartialEq + fmt::Debug>(&mut self, words: &'static str, found: &T, promised: &T) {
        let differs = (found != promised).then(|| format!("{found:?}, not {promised:?}"));
        self.promise(words, differs.into_iter().collect());
    }

    /// 1 if a promise was broken.
    pub fn exit(&self) -> ExitCode {
        ExitCode::from(u8::from(self.promises.iter().any(|(_, broken_by)| !broken_by.is_empty())))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.title)?;
        let width = self.figures.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (name, value) in &self.figures {
            writeln!(out, "  {name:width$}  {value}")?;
        }
        for (words, broken_by) in &self.promises {
            let mark = if broken_by.is_empty() { "kept  " } else { "BROKEN" };
            writeln!(out, "  {mark}  {words}")?;
            for offender in broken_by.iter().take(SHOWN) {
                writeln!(out, "          {offender}")?;
            }
            if let Some(more) = broken_by.len().checked_sub(SHOWN + 1) {
                writeln!(out, "          and {} more", more + 1)?;
            }
        }
        Ok(())
    }
}
