use reqwest::{Method, StatusCode};

use super::*;
use crate::http;

const TOOL: &str = "mcp__routing__debug";

fn asked(more: Value) -> Value {
    let messages = json!([{"role": "user", "content": "hello"}]);
    crate::policy::merged(json!({"model": "m", "system": "s", "messages": messages}), more)
}

async fn sent(api: &MessagesApi, method: Method, path: &str, body: &Value) -> (StatusCode, String) {
    let answer = http().request(method, api.url() + path).json(body).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("text"))
}

async fn said(api: &MessagesApi, body: Value) -> Value {
    let (status, text) = sent(api, Method::POST, "/v1/messages?beta=true", &asked(body)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn only_requests_with_tools_take_a_reply_of_the_script() {
    let tools = json!({"tools": [{"name": TOOL, "description": "d"}]});
    let api = MessagesApi::start([Reply::call(TOOL, json!({"problem": "p"}))]).await;
    assert_eq!(said(&api, json!({})).await["content"][0]["text"], ASIDE);
    let call = said(&api, tools.clone()).await;
    assert_eq!((&call["stop_reason"], &call["content"][0]["input"]), (&json!("tool_use"), &json!({"problem": "p"})));
    assert_eq!(said(&api, tools).await["content"][0]["text"], DONE);
    assert_eq!((api.requests().len(), api.asides().len()), (2, 1));
    assert_eq!(json!(api.uses()[0].id), call["content"][0]["id"]);
    let (tool, text) = (&api.last().tools()[0], api.last().text());
    assert_eq!((&*tool.name, &*tool.description, tool.deferred, &*text), (TOOL, "d", false, "s\nhello"));
}

#[tokio::test]
async fn a_stream_has_every_block_of_the_reply() {
    let blocks = [Block::Text("so".into()), Block::Call { name: TOOL.into(), input: json!({"a": 1}) }];
    let api = MessagesApi::start([Reply::blocks(blocks)]).await;
    let body = asked(json!({"stream": true, "tools": [{"name": TOOL}]}));
    let (_, text) = sent(&api, Method::POST, "/v1/messages", &body).await;
    let events: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    assert_eq!(kinds, [&["message_start"], &block[..], &block[..], &["message_delta", "message_stop"]].concat());
    assert_eq!(events[2]["delta"]["text"], "so");
    assert_eq!(events[5]["delta"]["partial_json"], r#"{"a":1}"#);
    assert_eq!(events[7]["delta"]["stop_reason"], "tool_use");
}

#[tokio::test]
async fn results_of_tools_are_read_as_text_or_blocks() {
    let api = MessagesApi::start([]).await;
    let blocks = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let results = json!([
        {"type": "tool_result", "tool_use_id": "1", "content": blocks},
        {"type": "tool_result", "tool_use_id": "2", "content": "c", "is_error": true},
    ]);
    said(&api, json!({"tools": [{"name": TOOL}], "messages": [{"role": "user", "content": results}]})).await;
    let [first, second] = &api.last().results()[..] else { panic!("two results") };
    assert_eq!((&*first.id, first.text(), first.is_error), ("1", "a\nb".into(), false));
    assert_eq!((&*second.id, second.text(), second.is_error), ("2", "c".into(), true));
}

#[tokio::test]
async fn the_rest_of_the_api_is_there_or_refused_as_json() {
    let api = MessagesApi::start([]).await;
    assert_eq!(sent(&api, Method::HEAD, "/", &json!({})).await.0, StatusCode::OK);
    let (_, counted) = sent(&api, Method::POST, "/v1/messages/count_tokens", &asked(json!({}))).await;
    assert!(counted.contains("input_tokens"), "{counted}");
    let (status, refused) = sent(&api, Method::GET, "/v1/other", &json!({})).await;
    assert!(status == StatusCode::NOT_FOUND && refused.contains("not_found_error"), "{status} {refused}");
    let bare = http().post(api.url() + "/v1/messages").body("no").send().await.expect("an answer");
    assert_eq!(bare.status(), StatusCode::BAD_REQUEST);
}
