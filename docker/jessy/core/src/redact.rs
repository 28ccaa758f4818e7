//! Masks the known secrets in whatever is about to be logged, also in the
//! encodings in which they usually slip out.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose as base64_forms};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::Secret;

pub const MASK: &str = "[redacted]";

/// Shorter encoded forms would match ordinary text.
const FORM_MIN_LENGTH: usize = 8;

#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that no form leaves the rest of a longer one behind.
    forms: Vec<String>,
}

impl Redactor {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<String> =
            secrets.into_iter().flat_map(|secret| forms_of(secret.expose())).collect();
        forms.retain(|form| form.len() >= FORM_MIN_LENGTH);
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    pub fn text(&self, text: String) -> String {
        self.forms.iter().fold(text, |text, form| {
            if text.contains(form.as_str()) { text.replace(form.as_str(), MASK) } else { text }
        })
    }
}

/// Bytes as hexadecimal digits in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn forms_of(value: &str) -> Vec<String> {
    let escaped = escape(value);
    let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let reserved =
        percent.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
    let hex = hex(value.as_bytes());
    let mut forms = vec![
        value.to_owned(),
        escape(&escaped),
        escaped,
        lower_escapes(&percent),
        lower_escapes(&reserved),
        percent,
        reserved,
        hex.to_uppercase(),
        hex,
    ];
    for engine in [base64_forms::STANDARD, base64_forms::URL_SAFE] {
        let encoded = engine.encode(value);
        forms.push(encoded.trim_end_matches('=').to_owned());
        forms.push(encoded);
    }
    forms
}

/// As JSON and Rust's debug output write it inside quotes.
fn escape(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// `%2F` as some programs write it: `%2f`.
fn lower_escapes(percent: &str) -> String {
    let mut parts = percent.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_at(2);
        format!("{text}%{}{rest}", code.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "p/ä+ss \"w\\ord\"\n=1";

    fn redactor() -> Redactor {
        Redactor::new([&Secret::new(VALUE)])
    }

    #[test]
    fn every_form_is_masked() {
        for form in forms_of(VALUE) {
            let shown = redactor().text(format!("before {form} after"));
            assert_eq!(shown, format!("before {MASK} after"), "form {form}");
        }
    }

    #[test]
    fn a_json_line_is_masked_and_stays_json() {
        let line = serde_json::json!({"field": VALUE, "debug": format!("{VALUE:?}")}).to_string();
        let shown = redactor().text(line);
        let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(value["field"], MASK);
        assert!(!shown.contains("ord"), "{shown}");
    }

    #[test]
    fn other_text_is_left_alone() {
        let line = r#"{"message":"password file read","key":"DB_PASSWORD"}"#.to_owned();
        assert_eq!(redactor().text(line.clone()), line);
    }
}
