//! How often each fault, each row of the table and each crash point came up: what was never reached was never tested.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub schedules: u64,
    counts: BTreeMap<String, u64>,
}

impl Tally {
    pub fn note(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        for (what, n) in other.counts {
            *self.counts.entry(what).or_default() += n;
        }
    }

    pub fn rows(&mut self, rows: BTreeMap<&'static str, u64>) {
        for (row, n) in rows {
            *self.counts.entry(format!("row {row}")).or_default() += n;
        }
    }

    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// What begins with `kind`, as a table.
    pub fn print(&self) {
        println!("{} schedules", self.schedules);
        for (what, n) in &self.counts {
            println!("{n:>9}  {what}");
        }
    }

    /// Those that came up less than `floor` times.
    pub fn below(&self, expected: &[&str], floor: u64) -> Vec<String> {
        let rare = |what: &&&str| self.of(what) < floor;
        expected.iter().filter(rare).map(|what| format!("{what}: {}", self.of(what))).collect()
    }
}
