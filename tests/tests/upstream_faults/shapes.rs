//! Answers that arrive whole and are wrong in themselves, or look so.

use serde_json::{Value, json};
use tests::fault_server::{
    Answer,
    broken::Expected::{self, Answered, Error},
};

use super::table::{Case, answer_case};

/// Levels of an answer that is nested without end.
const DEEP: usize = 100_000;

/// Bodies that are no JSON, hide in another encoding, have the wrong shape, or are odd and good.
pub fn answers() -> Vec<Case> {
    let choices = choices().into_iter().map(|(name, choice, expected)| (name, Answer::choice(&choice), expected));
    let answers = bodies().into_iter().chain(choices);
    answers.map(|(name, answer, expected)| answer_case(name, answer, expected)).collect()
}

fn text() -> String {
    format!("answer to {}", Answer::ECHO)
}

fn bodies() -> Vec<(&'static str, Answer, Expected)> {
    let good = format!(r#""choices":[{{"message":{{"content":"{}"}}}}]"#, text());
    let with = |more: &str| Answer::of(format!("{{{good},{more}}}"));
    let gzip = [&b"\x1f\x8b\x08"[..], &[0; 10_000]].concat();
    let deep = format!(r#"{{{good},"x":{}{}}}"#, "[".repeat(DEEP), "]".repeat(DEEP));
    let invalid = Answer::of(&b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}"[..]);
    vec![
        ("no body", Answer::of(""), Error("not_json")),
        ("204", Answer::of("").status(204), Error("not_json")),
        ("HTML", Answer::of("<html>Bad gateway</html>").header("content-type", "text/html"), Error("not_json")),
        ("JSON that is cut", Answer::of(format!("{{{good}")), Error("not_json")),
        ("two documents", Answer::of(format!("{{{good}}}{{{good}}}")), Error("not_json")),
        ("bytes that are no UTF-8", invalid, Error("not_json")),
        ("half a surrogate pair", Answer::of(r#"{"choices":[{"message":{"content":"\ud800"}}]}"#), Error("not_json")),
        ("100,000 levels", Answer::of(deep), Error("not_json")),
        ("NaN tokens", with(r#""usage":{"prompt_tokens":NaN}"#), Error("not_json")),
        ("gzip that says so", Answer::of(gzip.clone()).header("content-encoding", "gzip"), Error("encoded")),
        ("gzip that does not", Answer::of(gzip), Error("encoded")),
        ("an unknown encoding", Answer::good().header("content-encoding", "x"), Error("encoded")),
        ("an error in a 200", Answer::of(r#"{"error":{"message":"CANARY"}}"#), Error("error_body")),
        ("a wrong content type", Answer::good().header("content-type", "text/html"), Answered),
        ("a key twice", Answer::of(format!(r#"{{"choices":[],{good}}}"#)), Answered),
        ("negative tokens", with(r#""usage":{"prompt_tokens":-1,"completion_tokens":"many"}"#), Answered),
        ("usage of another shape", with(r#""usage":[[],{}]"#), Answered),
    ]
}

fn choices() -> Vec<(&'static str, Value, Expected)> {
    let said = |reason: &str, content: Value| json!({"finish_reason": reason, "message": {"content": content}});
    vec![
        ("no message", json!({}), Error("no_content")),
        ("a call of a tool", said("tool_calls", json!(null)), Error("no_content")),
        ("a number as content", said("stop", json!(1)), Error("no_content")),
        ("white space", said("stop", json!(" \n")), Error("empty")),
        ("out of tokens", said("length", json!("")), Error("out_of_tokens")),
        ("withheld", said("content_filter", json!("half")), Error("filtered")),
        ("broken off", said("error", json!("half")), Error("broken_off")),
        ("cut at the limit of tokens", said("length", json!(text())), Answered),
        ("a finish reason of another kind", said("weather", json!(text())), Answered),
        ("text in parts", said("stop", json!([{"type": "text", "text": text()}])), Answered),
    ]
}
