//! What an endpoint answers to `GET /v1/models`, and whether a model is among those that it lists. No I/O.

use std::{cmp::Reverse, time::Duration};

use crds::shown::printable;
use serde_json::Value;

/// Models that a message names, at most.
const SHOWN_MAX: usize = 10;
/// Longest name of a model in a message, in characters.
const NAME_SHOWN: usize = 80;

/// Shortest key that counts as a secret, in bytes: endpoints without keys are often given a word such as `ollama`, which
/// may be a part of a model's name.
const KEY_MIN: usize = 8;

/// An answer to `GET /v1/models`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// The ids of all models that may be asked for.
    Models(Vec<String>),
    /// An answer from which nothing follows: in another form, a part of a list, or with wildcards.
    Unclear,
    /// A status other than 2xx.
    Status(u16),
    /// None in time, though the endpoint was reached; calls may do better.
    Slow(Duration),
}

impl Listing {
    /// Nothing is said of a list with the key in it: an endpoint must not make us show the key.
    pub(super) fn unless_it_repeats(self, key: Option<&str>) -> Self {
        let key = key.filter(|key| key.len() >= KEY_MIN);
        match (&self, key) {
            (Self::Models(ids), Some(key)) if ids.iter().any(|id| id.contains(key)) => Self::Unclear,
            _ => self,
        }
    }
}

/// Reads `{"data": [{"id": …}]}`.
pub(super) fn parse(body: &[u8]) -> Listing {
    ids(body).map_or(Listing::Unclear, Listing::Models)
}

fn ids(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    // Some endpoints list their models in pages.
    if body.get("has_more").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let id = |model: &Value| model.get("id").and_then(Value::as_str).map(str::to_string);
    let ids: Vec<String> = body.get("data")?.as_array()?.iter().map(id).collect::<Option<_>>()?;
    // A gateway that passes on any name, or any of a kind.
    (!ids.iter().any(|id| id.contains('*'))).then_some(ids)
}

/// What is wrong with a model that is not among those listed, and which are: those that begin like it first.
pub(super) fn lacks(model: &str, ids: &[String]) -> Option<String> {
    if ids.iter().any(|id| names(id, model)) {
        return None;
    }
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    let wanted = letters(model);
    ids.sort_by_cached_key(|id| Reverse(alike(id, &wanted)));
    let shown: Vec<String> = ids.iter().take(SHOWN_MAX).map(|id| printable(id, NAME_SHOWN)).collect();
    let more = ids.len().saturating_sub(SHOWN_MAX);
    let listed = match (shown.as_slice(), more) {
        ([], _) => "no model at all".to_string(),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{}, and {more} more", shown.join(", ")),
    };
    let model = printable(model, NAME_SHOWN);
    Some(format!("does not list the model {model}; correct its name, or add it there; it lists {listed}"))
}

/// Whether an id stands for this name: as it is, with Ollama's default tag, or as Gemini lists it.
fn names(id: &str, model: &str) -> bool {
    id == model || id.strip_suffix(":latest") == Some(model) || id.strip_prefix("models/") == Some(model)
}

/// How many letters two names have in common at their start.
fn alike(id: &str, wanted: &[char]) -> usize {
    id.chars().flat_map(char::to_lowercase).zip(wanted).take_while(|(a, b)| a == *b).count()
}

fn letters(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(body: &Value) -> Listing {
        parse(body.to_string().as_bytes())
    }

    #[test]
    fn the_lists_of_known_endpoints_are_read_and_of_anything_else_nothing_is_claimed() {
        let models = |ids: &[&str]| Listing::Models(ids.iter().map(|id| (*id).to_string()).collect());
        let litellm = json!({"data": [{"id": "qwen35", "object": "model", "created": 1, "owned_by": "openai"}], "object": "list"});
        let llama = json!({"models": [{"name": "q.gguf"}], "object": "list", "data": [{"id": "q.gguf", "owned_by": "llamacpp", "meta": {}}]});
        let ollama = json!({"object": "list", "data": [{"id": "qwen3:latest", "owned_by": "library"}, {"id": "q:4b"}]});
        for (body, expected) in [
            (litellm, models(&["qwen35"])),
            (llama, models(&["q.gguf"])),
            (ollama, models(&["qwen3:latest", "q:4b"])),
            (json!({"object": "list", "data": []}), models(&[])),
            (json!({"object": "list", "data": null}), Listing::Unclear),
            (json!({"data": [{"id": "a"}], "has_more": true}), Listing::Unclear),
            (json!({"data": [{"id": "a"}, {"id": "openai/*"}]}), Listing::Unclear),
            (json!({"data": [{"id": "*"}]}), Listing::Unclear),
            (json!({"data": [{"id": "a"}, {"name": "b"}]}), Listing::Unclear),
            (json!([]), Listing::Unclear),
            (json!({"error": "x"}), Listing::Unclear),
        ] {
            assert_eq!(listed(&body), expected, "{body}");
        }
        assert_eq!(parse(b"<html>"), Listing::Unclear);
    }

    #[test]
    fn a_list_that_repeats_the_key_is_not_shown() {
        let list = || Listing::Models(vec!["ollama/qwen".into(), "x sk-canary-key".into()]);
        assert_eq!(list().unless_it_repeats(Some("sk-canary-key")), Listing::Unclear);
        for other in [None, Some("sk-other-key"), Some("ollama"), Some("")] {
            assert_eq!(list().unless_it_repeats(other), list(), "{other:?}");
        }
    }

    #[test]
    fn a_model_is_found_under_the_names_that_its_endpoint_accepts() {
        let ids = ["qwen35", "llama3:latest", "models/gemini-pro"].map(str::to_string);
        for model in ["qwen35", "llama3", "llama3:latest", "gemini-pro"] {
            assert_eq!(lacks(model, &ids), None, "{model}");
        }
        for model in ["qwen3", "llama3:8b", "pro", ""] {
            assert!(lacks(model, &ids).is_some(), "{model}");
        }
    }

    #[test]
    fn at_most_ten_names_are_shown_the_likely_ones_first_and_none_can_forge_a_line() {
        let mut ids: Vec<String> = (10..40).map(|i| format!("a{i}")).collect();
        ids.extend(["qwen3\n\u{202e}5".into(), "Qwen35".into(), "x".repeat(500)]);
        let said = lacks("qwen35b", &ids).expect("it is not listed");
        assert!(said.contains("it lists Qwen35, qwen3\\u{a}\\u{202e}5, a10, a11, "), "{said}");
        assert!(said.ends_with("a17, and 23 more"), "{said}");
        assert!(lacks("q", &["x".repeat(500)]).is_some_and(|said| said.len() < 200));
        assert!(lacks("q", &[]).is_some_and(|said| said.ends_with("it lists no model at all")));
    }
}
