//! What a model's endpoint answers: no error becomes an answer, and no error repeats what the endpoint wrote.

use dataplane::received::model_answer;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::text::{assert_has_no_canary, assert_is_a_line};

/// Longest error, in characters.
const ERROR_MAX: usize = 400;

/// A response: its status, header lines, an empty line, and the body.
pub fn check(input: &[u8]) {
    let (head, body) = split(input);
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let status = lines.next().and_then(|status| StatusCode::from_bytes(status.trim().as_bytes()).ok());
    let status = status.unwrap_or(StatusCode::OK);
    let answer = model_answer(status, &lines.filter_map(header).collect(), body, "qwen35");
    match &answer.text {
        Ok(text) => {
            assert!(status.is_success() && !text.trim().is_empty());
            assert!(!is_error(body), "an answer of an error body");
        }
        Err(error) => {
            assert_is_a_line(error, ERROR_MAX);
            assert_has_no_canary(error);
        }
    }
    assert!(answer.cost_usd.is_none_or(|usd| (0.0..=100_000.0).contains(&usd)));
    answer.answered_by.iter().for_each(|name| assert_is_a_line(name, ERROR_MAX));
}

fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.windows(2).position(|two| two == b"\n\n");
    end.map_or((input, &[]), |end| (&input[..end], &input[end + 2..]))
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.parse().ok()?, value.trim().parse().ok()?))
}

/// Whether a body says itself that it is an error.
fn is_error(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get("error").is_some_and(|error| !error.is_null()) || body.get("object") == Some(&"error".into())
}
