//! Pages to begin with, so that an empty sandbox need not stay one.

use super::model::{Model, NewPage, Status, Time};

const TOPICS: [&str; 6] =
    ["Pricing objections", "Discovery questions", "Security review", "Onboarding", "Renewals", "Glossary"];

/// Adds a few folders and skills, a source, and this many published pages.
pub fn fill(model: &mut Model, now: Time, pages: usize) {
    let sales = model.add_folder(now, "Sales", None);
    let objections = model.add_folder(now, "Objections", Some(&sales));
    let success = model.add_folder(now, "Customer success", None);
    let skills = [model.add_skill(now, "Objection handling"), model.add_skill(now, "Discovery questions")];
    let deck = model.add_source(now, "Q2 pricing deck.pdf", None);
    let folders = [&sales, &objections, &success];
    for number in 0..pages {
        let topic = TOPICS[number % TOPICS.len()];
        let round = number / TOPICS.len();
        let title = if round == 0 { topic.to_owned() } else { format!("{topic} {}", round + 1) };
        let content = format!("## What to know\n\nNotes on {}.\n\n- ask first\n- then listen\n", title.to_lowercase());
        model.add_page(
            now,
            NewPage {
                title,
                content,
                status: Status::Published,
                folder_ids: vec![folders[number % folders.len()].clone()],
                skill_ids: vec![skills[number % skills.len()].clone()],
                source_ids: if number == 0 { vec![deck.clone()] } else { Vec::new() },
                ..NewPage::default()
            },
        );
    }
}
