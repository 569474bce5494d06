//! The body of a request: a JSON object whose fields have the types the description names.

use serde_json::{Map, Value};

use super::wire::{Refusal, Request};

/// The fields that were sent. Unknown ones are ignored.
pub(super) struct Body(Map<String, Value>);

impl Body {
    pub fn of(request: &Request) -> Result<Body, Refusal> {
        if !is_json(request.content_type.as_deref()) {
            return Err(Refusal::invalid("invalid_content_type", "Content-Type must be application/json"));
        }
        match serde_json::from_slice(&request.body) {
            Ok(Value::Object(fields)) => Ok(Body(fields)),
            Ok(_) => Err(Refusal::invalid("invalid_json", "The body must be a JSON object")),
            Err(error) => Err(Refusal::invalid("invalid_json", format!("The body is not JSON: {error}"))),
        }
    }

    /// A field of text.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::invalid("invalid_type", format!("{name} must be a string"))),
        }
    }

    /// A field of text that must be there.
    pub fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::invalid("missing_field", format!("{name} is required")))
    }

    /// A field that takes one of a few words.
    pub fn choice<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(word) = self.text(name)? else { return Ok(None) };
        match choices.iter().find(|(known, _)| *known == word) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
                let code = if name == "status" { "invalid_status" } else { "invalid_value" };
                Err(Refusal::invalid(code, format!("{name} must be one of: {}", words.join(", "))))
            }
        }
    }

    /// A list of ids, each once, in the order of their first mention.
    pub fn ids(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let wrong = || Refusal::invalid("invalid_type", format!("{name} must be a list of strings"));
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let mut ids: Vec<String> = Vec::new();
        for item in value.as_array().ok_or_else(wrong)? {
            let id = item.as_str().ok_or_else(wrong)?;
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        Ok(Some(ids))
    }
}

/// Whether a content type says JSON, whatever its parameters.
pub(crate) fn is_json(content_type: Option<&str>) -> bool {
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json")
}
