//! What becomes of the answers that endpoints really give: one row for each body in `answers`.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::header::HeaderMap;

use super::{
    Usage,
    answer::{Gateway, json, read, refused},
};

/// The text of every complete answer in the folder.
const WHOLE: &str = "The cache is never invalidated.";
/// The text of every answer that was cut.
const CUT: &str = "The cache is nev";

/// The answer and why it ended, or the error.
type Becomes = Result<(&'static str, &'static str), &'static str>;

/// File, HTTP status, and what becomes of it.
const ANSWERS: &[(&str, u16, Becomes)] = &[
    ("llama-cpp.answer", 200, Ok((WHOLE, "stop"))),
    ("llama-cpp.reasoning-content", 200, Ok((WHOLE, "stop"))),
    ("llama-cpp.think-tags", 200, Ok((WHOLE, "stop"))),
    ("llama-cpp.cut", 200, Ok((CUT, "length"))),
    ("llama-cpp.cut-while-thinking", 200, Err(OUT_OF_TOKENS)),
    ("llama-cpp.context-too-small", 400, Err("the endpoint answered 400 (exceed_context_size_error)")),
    ("llama-cpp.loading", 503, Err("the endpoint answered 503 (unavailable_error)")),
    ("llama-cpp.wrong-path", 404, Err("the endpoint answered 404 (not_found_error)")),
    ("litellm.answer", 200, Ok((WHOLE, "stop"))),
    ("litellm.cut", 200, Ok((CUT, "length"))),
    ("litellm.filtered", 200, Err(FILTERED)),
    ("litellm.unknown-model", 400, Err(UNKNOWN_MODEL)),
    ("litellm.wrong-key", 400, Err("the endpoint answered 400 (no_db_connection)")),
    ("litellm.provider-down", 500, Err("the endpoint answered 500")),
    ("ollama.answer", 200, Ok((WHOLE, "stop"))),
    ("ollama.reasoning", 200, Ok((WHOLE, "stop"))),
    ("ollama.cut", 200, Ok((CUT, "length"))),
    ("ollama.unknown-model", 404, Err(UNKNOWN_MODEL)),
    ("vllm.answer", 200, Ok((WHOLE, "stop"))),
    ("vllm.reasoning", 200, Ok((WHOLE, "stop"))),
    ("vllm.cut-while-thinking", 200, Err(OUT_OF_TOKENS)),
    ("vllm.unknown-model", 404, Err(UNKNOWN_MODEL)),
    ("vllm.unknown-model-before-0.10", 404, Err(UNKNOWN_MODEL)),
    ("vllm.unknown-model-before-0.10", 200, Err("the endpoint answered 200 with an error (404)")),
    ("vllm.context-too-small", 400, Err("the endpoint answered 400")),
    ("lm-studio.answer", 200, Ok((WHOLE, "stop"))),
    ("lm-studio.think-tags", 200, Ok((WHOLE, "stop"))),
    ("lm-studio.reasoning-content", 200, Ok((WHOLE, "stop"))),
    ("lm-studio.no-model-loaded", 404, Err(UNKNOWN_MODEL)),
    ("openrouter.answer", 200, Ok((WHOLE, "stop"))),
    ("openrouter.broken-off", 200, Err("the endpoint gave up in the middle of the answer (502)")),
    ("openrouter.broken-off-without-an-error", 200, Err("the endpoint gave up in the middle of the answer")),
    ("openrouter.cut", 200, Ok((CUT, "length"))),
    ("openrouter.filtered", 200, Err(FILTERED)),
    ("openrouter.error-in-200", 200, Err("the endpoint answered 200 with an error (502)")),
    ("openrouter.unknown-model", 400, Err(UNKNOWN_MODEL)),
    ("openrouter.no-credit", 402, Err("the endpoint answered 402")),
    ("anthropic.answer", 200, Ok((WHOLE, "stop"))),
    ("anthropic.cut", 200, Ok((CUT, "length"))),
    ("anthropic.parts-with-thinking", 200, Ok((WHOLE, "stop"))),
    ("anthropic.unknown-model", 404, Err(UNKNOWN_MODEL)),
    ("anthropic.wrong-key", 401, Err("the endpoint answered 401 (authentication_error)")),
    ("anthropic.overloaded", 529, Err("the endpoint answered 529 (overloaded_error)")),
];

const OUT_OF_TOKENS: &str =
    "the model ran out of tokens before it answered; raise max_tokens in the model's parameters";
const FILTERED: &str = "the answer was withheld by a content filter, or refused by the model";
const UNKNOWN_MODEL: &str = "the endpoint does not know the model qwen35; correct its name, or add it there \
                             (GET /v1/models lists those it has)";

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/upstream/answers")
}

#[test]
fn the_real_answers_of_endpoints_are_read_as_they_are_meant() {
    for (file, status, expected) in ANSWERS {
        let body = fs::read(folder().join(format!("{file}.json"))).expect(file);
        let answer = match status {
            200 => read(&json(&body).expect(file), Gateway::default()),
            _ => Err(refused(*status, &body, "qwen35")),
        };
        let read = answer.map(|answer| {
            let usage = Usage::of(&HeaderMap::new(), &json(&body).expect(file), None);
            assert_eq!((usage.prompt_tokens, usage.completion_tokens), (Some(31), Some(9)), "{file}");
            (answer.text, answer.finish_reason.map(super::FinishReason::as_str).unwrap_or_default())
        });
        let expected = expected.map(|(text, reason)| (text.to_string(), reason)).map_err(str::to_string);
        assert_eq!(read.map_err(|error| error.to_string()), expected, "{file}, {status}");
    }
}

#[test]
fn every_body_in_the_folder_has_a_row() {
    let rows: BTreeSet<String> = ANSWERS.iter().map(|(file, ..)| format!("{file}.json")).collect();
    let names = fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let files = names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".json"));
    assert_eq!(files.collect::<BTreeSet<String>>(), rows);
}
