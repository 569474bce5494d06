//! All pages on one, for people: what readers see, what editors have, and what was asked last.
//!
//! Every text in it is foreign and goes through [`escape`].

use std::fmt::Write as _;

use super::faults::Rule;
use super::model::{LogEntry, Model, Page, Response, Status, Time};
use super::server::Hub;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2330; --soft: #667085; --line: #e3e6ec; --card: #fff; --ground: #f5f6f9; --code: #f8f9fb;
  --published: #12805c; --draft: #b25e09; --archived: #667085; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --soft: #98a2b3; --line: #2c3340; --card: #1a1f29; --ground: #11151c;
  --code: #141922; --published: #4cc38a; --draft: #f1a10d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; } h3 { margin: 2.5rem 0 .75rem; font-size: 1rem; }
.soft, time { color: var(--soft); font-size: .85rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.25rem; margin-top: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .35rem .75rem; align-items: baseline; }
.tag { border: 1px solid var(--line); border-radius: 99px; padding: 0 .55rem; font-size: .8rem; color: var(--soft); overflow-wrap: anywhere; }
.published { color: var(--published); border-color: currentColor; } .draft { color: var(--draft); border-color: currentColor; }
.archived { color: var(--archived); border-style: dashed; }
.texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; margin-top: .75rem; }
.texts p { margin: 0 0 .25rem; font-size: .8rem; color: var(--soft); }
pre { margin: 0; padding: .75rem; background: var(--code); border: 1px solid var(--line); border-radius: 8px; max-height: 16rem; overflow: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace; }
table { width: 100%; border-collapse: collapse; font-size: .85rem; } td { padding: .25rem .5rem .25rem 0; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; vertical-align: top; }
code { font: 13px ui-monospace, monospace; }
";

/// Characters of a text that are shown; the rest is counted.
const SHOWN: usize = 4000;
const REQUESTS: usize = 25;

/// The page, with a policy that lets nothing be loaded or run.
#[must_use]
pub fn answer(hub: &Hub, now: Time) -> Response {
    Response::new(now, 200, "text/html; charset=utf-8", html(hub, now).into_bytes())
        .with("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "no-store")
}

fn html(hub: &Hub, now: Time) -> String {
    let model = &hub.model;
    let mut pages: Vec<&Page> = model.pages().collect();
    pages.sort_by(|a, b| (b.updated_at, &b.id).cmp(&(a.updated_at, &a.id)));
    let articles: String = pages.iter().map(|page| article(model, page)).collect();
    let empty = if pages.is_empty() { "<p class=\"soft\">No pages yet.</p>" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"3\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Sandbox hub</title><link rel=\"icon\" href=\"data:,\">\
         <style>{STYLE}</style></head><body>\
         <h1>Sandbox hub</h1><p class=\"soft\">{}</p>{empty}{articles}{}</body></html>\n",
        summary(hub, now, pages.len()),
        requests(model.log()),
    )
}

fn summary(hub: &Hub, now: Time, pages: usize) -> String {
    let settings = hub.model.settings();
    let (minute, day) = hub.model.used(now);
    let of = |used: usize, limit: u32| if limit == 0 { "no limit".to_owned() } else { format!("{used} of {limit}") };
    let mut line = format!(
        "{pages} pages · requests this minute: {} · this day: {}",
        of(minute, settings.per_minute),
        of(day, settings.per_day)
    );
    let faults: Vec<String> = hub.faults.rules().iter().map(Rule::to_string).collect();
    if !faults.is_empty() {
        let _ = write!(line, " · faults: {}", escape(&faults.join(", ")));
    }
    line
}

fn article(model: &Model, page: &Page) -> String {
    let status = page.status().word();
    let title = if page.title().is_empty() { "(no title)" } else { page.title() };
    let mut tags = format!("<span class=\"tag {status}\">{status}</span>");
    if let Some(version) = page.version() {
        let _ = write!(tags, "<span class=\"tag\">version {version}</span>");
    }
    if page.draft.is_some() && page.status() == Status::Published {
        tags.push_str("<span class=\"tag draft\">unpublished draft</span>");
    }
    let folders = page.folder_ids.iter().filter_map(|id| model.folder(id)).map(|folder| format!("▸ {}", folder.name));
    let skills = page.skill_ids.iter().filter_map(|id| model.skill(id)).map(|skill| format!("★ {}", skill.name));
    for name in folders.chain(skills) {
        let _ = write!(tags, "<span class=\"tag\">{}</span>", escape(&name));
    }
    let live = page.live.as_ref().map(|live| text("Live", None, Some(&live.content)));
    let draft = page.draft.as_ref().map(|draft| {
        let other = (draft.title != page.title()).then_some(draft.title.as_str());
        text("Draft", other, draft.content.as_deref())
    });
    format!(
        "<article><header><h2>{}</h2>{tags}</header><p class=\"soft\"><code>{}</code> · <time>{}</time></p>\
         <div class=\"texts\">{}{}</div></article>",
        escape(title),
        escape(&page.id),
        page.updated_at.rfc3339(),
        live.unwrap_or_default(),
        draft.unwrap_or_default(),
    )
}

fn text(what: &str, title: Option<&str>, content: Option<&str>) -> String {
    let titled = title.map(|title| format!(", titled “{}”", escape(title))).unwrap_or_default();
    let content = content.unwrap_or_default();
    let shown = content.char_indices().nth(SHOWN).map_or(content, |(end, _)| &content[..end]);
    let rest = content.len() - shown.len();
    let more = if rest == 0 { String::new() } else { format!("\n… and {rest} bytes more") };
    format!("<section><p>{what}{titled}</p><pre>{}{more}</pre></section>", escape(shown))
}

fn requests(log: &[LogEntry]) -> String {
    let row = |entry: &LogEntry| {
        let status = if entry.status == 0 { "–".to_owned() } else { entry.status.to_string() };
        format!(
            "<tr><td><time>{}</time></td><td>{}</td><td><code>{}</code></td><td>{status}</td><td class=\"soft\">{}</td></tr>",
            entry.at.rfc3339(),
            escape(&entry.method),
            escape(&entry.target),
            escape(entry.fault.as_deref().unwrap_or_default()),
        )
    };
    let rows: String = log.iter().rev().take(REQUESTS).map(row).collect();
    if rows.is_empty() { rows } else { format!("<h3>Last requests</h3><table>{rows}</table>") }
}

/// Foreign text as HTML text or attribute. What is invisible or turns the line around is shown by its number.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}' => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            _ if c.is_control() => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::faults::Faults;
    use crate::sandbox::model::{Act, NewPage, Request, Settings};
    use proptest::prelude::*;

    fn shown(model: Model) -> String {
        let response = answer(&Hub::new(model, Faults::new(0, Vec::new())), Time(0));
        assert_eq!(
            response.header("content-security-policy").unwrap(),
            "default-src 'none'; style-src 'unsafe-inline'"
        );
        String::from_utf8(response.body).unwrap()
    }

    #[test]
    fn a_hostile_hub_stays_text() {
        let evil = "</pre></style><script>alert('1')</script>\" onx=\"\u{202e}\u{1b}";
        let mut model = Model::new(Settings::default());
        let folder = model.add_folder(Time(0), evil, None);
        let skill = model.add_skill(Time(0), evil);
        let id = model.add_page(
            Time(0),
            NewPage {
                id: Some(evil.to_owned()),
                title: evil.to_owned(),
                content: evil.to_owned(),
                status: Status::Published,
                folder_ids: vec![folder],
                skill_ids: vec![skill],
                ..NewPage::default()
            },
        );
        let draft = Act::SaveDraft { title: format!("{evil}2"), content: evil.to_owned() };
        model.colleague(Time(0), &id, draft).unwrap();
        model.handle(Time(0), &Request { method: evil.into(), target: evil.into(), ..Request::default() });
        let html = shown(model);
        assert!(
            !html.contains("<script")
                && !html.contains('\u{202e}')
                && !html.contains('\u{1b}')
                && !html.contains("\" onx")
        );
        assert_eq!(html.matches("</pre>").count(), 2);
        assert_eq!(html.matches("</style>").count(), 1);
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)"));
    }

    #[test]
    fn pages_are_shown_newest_first_with_live_text_and_draft() {
        let mut model = Model::new(Settings::default());
        let page = |title: &str| NewPage {
            title: title.into(),
            content: format!("text of {title}"),
            status: Status::Published,
            ..NewPage::default()
        };
        let old = model.add_page(Time(0), page("older"));
        model.add_page(Time(1), page("newer"));
        let html = shown(model.clone());
        assert!(html.find("text of newer").unwrap() < html.find("text of older").unwrap());
        model
            .colleague(Time(2), &old, Act::SaveDraft { title: "older".into(), content: "being written".into() })
            .unwrap();
        let html = shown(model);
        assert!(html.find("text of older").unwrap() < html.find("text of newer").unwrap());
        assert!(html.contains("being written") && html.contains("unpublished draft") && html.contains("version 1"));
    }

    proptest! {
        #[test]
        fn nothing_escaped_can_open_a_tag_or_close_an_attribute(text in ".*") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        }
    }
}
