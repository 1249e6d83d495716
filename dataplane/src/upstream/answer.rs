//! Parses a model's answer. No I/O.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{AttemptError, short_header};

/// Longest `error.type` that is repeated, in bytes.
const TYPE_MAX: usize = 40;

/// A model's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Never empty; `<think>` blocks at the start are left out.
    pub text: String,
    /// From the headers of the answer.
    pub gateway: Gateway,
    /// Tokens of the prompt, if the endpoint reports them.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, if the endpoint reports them.
    pub completion_tokens: Option<u64>,
}

/// What LiteLLM's headers report. The body's `model` is not used: LiteLLM rewrites it to the requested name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// The model group that answered.
    pub answered_by: Option<String>,
    /// Whether the gateway itself fell back to another group.
    pub fell_back: Option<bool>,
}

impl Gateway {
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let fallbacks = short_header(headers, "x-litellm-attempted-fallbacks").and_then(|n| n.parse::<u32>().ok());
        Self { answered_by: short_header(headers, "x-litellm-model-group"), fell_back: fallbacks.map(|n| n > 0) }
    }
}

pub(super) fn parse(body: &[u8], gateway: &Gateway) -> Result<Answer, AttemptError> {
    let body: Value = serde_json::from_slice(body).map_err(|_| AttemptError::NotJson)?;
    if body.get("error").is_some_and(|error| !error.is_null()) {
        return Err(AttemptError::ErrorBody { kind: type_of(&body) });
    }
    let choice = body.pointer("/choices/0").ok_or(AttemptError::NoContent)?;
    let out_of_tokens = choice.get("finish_reason").and_then(Value::as_str) == Some("length");
    let content = match choice.pointer("/message/content") {
        Some(Value::String(content)) => content,
        _ if out_of_tokens => return Err(AttemptError::OutOfTokens),
        _ => return Err(AttemptError::NoContent),
    };
    let text = without_thinking(content);
    if text.is_empty() {
        return Err(if out_of_tokens { AttemptError::OutOfTokens } else { AttemptError::Empty });
    }
    let tokens = |name: &str| body.pointer(&format!("/usage/{name}")).and_then(Value::as_u64);
    Ok(Answer {
        text,
        gateway: gateway.clone(),
        prompt_tokens: tokens("prompt_tokens"),
        completion_tokens: tokens("completion_tokens"),
    })
}

/// The `error.type` of a body, when it is a plain lower-case word: an endpoint cannot make us repeat a prompt or a key.
pub(super) fn error_type(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body).ok().as_ref().and_then(type_of)
}

fn type_of(body: &Value) -> Option<String> {
    let kind = body.pointer("/error/type")?.as_str()?;
    let plain = !kind.is_empty() && kind.len() <= TYPE_MAX && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then(|| kind.to_string())
}

/// The text without `<think>…</think>` blocks at its start; a block that never ends leaves nothing.
fn without_thinking(content: &str) -> String {
    let mut rest = content.trim();
    while let Some(thinking) = rest.strip_prefix("<think>") {
        rest = thinking.split_once("</think>").map_or("", |(_, answer)| answer.trim());
    }
    // Some chat templates open the block themselves, so that only its end, on a line of its own, is in the answer.
    if let Some((before, answer)) = rest.split_once("\n</think>\n")
        && !before.contains("<think>")
    {
        rest = answer.trim();
    }
    rest.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<String, &'static str> {
        parse(body.to_string().as_bytes(), &Gateway::default()).map(|a| a.text).map_err(|e| e.kind())
    }

    fn said(content: Value, finish_reason: &str) -> Value {
        json!({"choices": [{"finish_reason": finish_reason, "message": {"content": content}}]})
    }

    #[test]
    fn contract_5_the_answer_is_the_content_of_the_first_choice() {
        assert_eq!(read(&said(json!("hello"), "stop")), Ok("hello".into()));
    }

    #[test]
    fn each_unusable_answer_has_its_kind_of_error() {
        for (body, kind) in [
            (json!({"error": {"message": "canary", "type": "server_error"}}), "error_body"),
            (json!({"error": "x", "choices": []}), "error_body"),
            (json!({}), "no_content"),
            (json!({"choices": []}), "no_content"),
            (said(json!(null), "tool_calls"), "no_content"),
            (said(json!(["x"]), "stop"), "no_content"),
            (said(json!(null), "length"), "out_of_tokens"),
            (said(json!(""), "stop"), "empty"),
            (said(json!(" \n"), "stop"), "empty"),
            (said(json!("<think>so</think>"), "stop"), "empty"),
            (said(json!("<think>so it goes"), "length"), "out_of_tokens"),
        ] {
            assert_eq!(read(&body), Err(kind), "{body}");
        }
        for text in ["", "<html>502</html>", "{\"choices\": [{\"message\": {\"content\": \"trunc", "\u{feff}"] {
            assert_eq!(parse(text.as_bytes(), &Gateway::default()), Err(AttemptError::NotJson), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(deep.as_bytes(), &Gateway::default()), Err(AttemptError::NotJson));
        assert_eq!(
            parse(b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}", &Gateway::default()),
            Err(AttemptError::NotJson)
        );
    }

    #[test]
    fn thinking_is_left_out() {
        for (content, answer) in [
            ("<think>hm</think>\nyes", "yes"),
            ("<think>a</think><think>b</think> yes", "yes"),
            ("hm, so\n</think>\n\nyes", "yes"),
            ("The pattern `</think>` is wrong", "The pattern `</think>` is wrong"),
            ("use <think> tags like <think>x</think>", "use <think> tags like <think>x</think>"),
        ] {
            assert_eq!(read(&said(json!(content), "stop")), Ok(answer.into()), "{content}");
        }
    }

    #[test]
    fn only_a_plain_word_of_an_error_is_repeated() {
        let kind = |kind: &str| error_type(json!({"error": {"type": kind}}).to_string().as_bytes());
        assert_eq!(kind("no_db_connection"), Some("no_db_connection".into()));
        for other in ["sk-1234", "Canary prompt", "", &"x".repeat(41)] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn the_gateways_own_fallback_is_recognised() {
        let headers = |pairs: &[(&'static str, &str)]| {
            Gateway::from_headers(
                &pairs.iter().map(|(k, v)| ((*k).parse().expect("name"), v.parse().expect("value"))).collect(),
            )
        };
        assert_eq!(headers(&[]), Gateway::default());
        let fell_back = headers(&[("x-litellm-attempted-fallbacks", "1"), ("x-litellm-model-group", "claude")]);
        assert_eq!(fell_back, Gateway { answered_by: Some("claude".into()), fell_back: Some(true) });
        assert_eq!(headers(&[("x-litellm-attempted-fallbacks", "0")]).fell_back, Some(false));
    }
}
