//! What was found, how much it weighs, and how it is shown.

use serde::Serialize;

use crate::cli::Exit;
use crate::output::Lines;

/// How much a finding weighs, from the lightest to the heaviest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// All is well.
    Fine,
    /// It was not looked at.
    Skipped,
    /// Worth knowing; it works all the same.
    Warning,
    /// It passes by itself.
    Later,
    /// A person must act.
    Person,
    /// Nothing works before it is mended.
    Unusable,
}

impl Weight {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Later | Self::Person | Self::Unusable => "problem",
        }
    }

    /// How the command ends where nothing weighs more.
    pub fn ends(self) -> Exit {
        match self {
            Self::Fine | Self::Skipped | Self::Warning => Exit::Ok,
            Self::Later => Exit::Later,
            Self::Person => Exit::Person,
            Self::Unusable => Exit::Usage,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word.
    pub check: &'static str,
    /// How much it weighs.
    pub weight: Weight,
    /// What was found. May hold foreign text.
    pub message: String,
    /// How to mend it.
    pub cure: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn fine(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, weight: Weight::Fine, message: message.into(), cure: None }
    }

    /// It was not looked at.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self { check, weight: Weight::Skipped, message: why.into(), cure: None }
    }

    /// Something is wrong, or looks so.
    pub fn wrong(check: &'static str, weight: Weight, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, weight, message: message.into(), cure: Some(cure.into()) }
    }
}

/// All findings, in the order in which things were looked at.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>);

#[derive(Serialize)]
struct Json<'a> {
    schema: u8,
    exit: u8,
    checks: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    check: &'a str,
    state: &'a str,
    message: &'a str,
    cure: Option<&'a str>,
}

impl Findings {
    /// How the command ends: what can't be used beats what a person must do, and that beats what passes by itself.
    pub fn ends(&self) -> Exit {
        self.0.iter().map(|finding| finding.weight).max().unwrap_or(Weight::Fine).ends()
    }

    /// For scripts.
    pub fn json(&self) -> Lines {
        let of = |finding: &'_ Finding| (finding.check, finding.weight.word());
        let checks = self.0.iter().map(|finding| {
            let (check, state) = of(finding);
            FindingJson { check, state, message: &finding.message, cure: finding.cure.as_deref() }
        });
        let mut lines = Lines::new();
        lines.json(&Json { schema: 1, exit: self.ends() as u8, checks: checks.collect() });
        lines
    }

    /// For people: a line for each, and how to mend it beneath.
    pub fn text(&self) -> Lines {
        let mut lines = Lines::new();
        for Finding { check, weight, message, cure } in &self.0 {
            lines.line(format_args!("{:8} {check:11} {message}", weight.word()));
            if let Some(cure) = cure {
                lines.line(format_args!("{:20} mend: {cure}", ""));
            }
        }
        let wrong = self.0.iter().filter(|finding| finding.weight > Weight::Warning).count();
        match wrong {
            0 => lines.ours("all is well"),
            1 => lines.ours("1 problem"),
            n => lines.line(format_args!("{n} problems")),
        }
        lines
    }
}
