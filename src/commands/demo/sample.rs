//! The sample handbook, as it lies in `examples/handbook/`, within the program: the demo needs no checkout.

/// Each file with its path below the folder.
pub const FILES: &[(&str, &str)] = &[
    (".hubsyncignore", include_str!("../../../examples/handbook/.hubsyncignore")),
    ("README.md", include_str!("../../../examples/handbook/README.md")),
    ("engineering/incident-checklist.md", include_str!("../../../examples/handbook/engineering/incident-checklist.md")),
    ("engineering/on-call.md", include_str!("../../../examples/handbook/engineering/on-call.md")),
    ("engineering/releases.md", include_str!("../../../examples/handbook/engineering/releases.md")),
    ("how-we-write.md", include_str!("../../../examples/handbook/how-we-write.md")),
    ("people/feedback.md", include_str!("../../../examples/handbook/people/feedback.md")),
    ("people/first-week.md", include_str!("../../../examples/handbook/people/first-week.md")),
    ("people/time-off.md", include_str!("../../../examples/handbook/people/time-off.md")),
    ("sales/discovery-questions.md", include_str!("../../../examples/handbook/sales/discovery-questions.md")),
    ("sales/objections/too-expensive.md", include_str!("../../../examples/handbook/sales/objections/too-expensive.md")),
    (
        "sales/objections/we-have-a-weather-station.md",
        include_str!("../../../examples/handbook/sales/objections/we-have-a-weather-station.md"),
    ),
    ("sales/pricing.md", include_str!("../../../examples/handbook/sales/pricing.md")),
    ("welcome.md", include_str!("../../../examples/handbook/welcome.md")),
];

/// The folders that the sample's documents are filed in, each with the name of the one it lies in.
pub const FOLDERS: &[(&str, Option<&str>)] = &[
    ("Handbook", None),
    ("People", Some("Handbook")),
    ("Sales", None),
    ("Objections", Some("Sales")),
    ("Engineering", None),
];

/// The skills that they teach.
pub const SKILLS: &[&str] = &["Objection handling", "Discovery questions", "Incident response"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    fn on_disk(folder: &Path, below: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                on_disk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }

    #[test]
    fn the_demo_has_every_file_of_the_example() {
        let mut found = Vec::new();
        on_disk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/handbook"), "", &mut found);
        found.sort();
        let ours: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(found, ours);
    }
}
