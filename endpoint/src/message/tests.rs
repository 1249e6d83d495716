use serde_json::json;

use super::*;

#[test]
fn a_wrong_message_is_refused_by_its_member_and_with_its_id() {
    let call = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#);
    for (body, code, named, id) in [
        ("{".into(), PARSE_ERROR, "parse error: EOF", json!(null)),
        (String::new(), PARSE_ERROR, "parse error: EOF", json!(null)),
        ("4711".into(), INVALID_REQUEST, "the body is a number", json!(null)),
        (format!("[{}]", call("{}")), INVALID_REQUEST, "a batch; send one message", json!(null)),
        ("[]".into(), INVALID_REQUEST, "a batch", json!(null)),
        (r#"{"id":7,"method":"ping"}"#.into(), INVALID_REQUEST, "jsonrpc: is missing", json!(7)),
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#.into(), INVALID_REQUEST, "jsonrpc: must be", json!("a")),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.into(), INVALID_REQUEST, "id: is null; must be", json!(null)),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.into(), INVALID_REQUEST, "id: is a number", json!(null)),
        (
            r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}"#.into(),
            INVALID_REQUEST,
            "from -2^63 to 2^63-1",
            json!(null),
        ),
        (r#"{"jsonrpc":"2.0","id":1e999,"method":"ping"}"#.into(), INVALID_REQUEST, "id: is a number", json!(null)),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.into(), INVALID_REQUEST, "id: is an object", json!(null)),
        (r#"{"jsonrpc":"2.0","id":7}"#.into(), INVALID_REQUEST, "method: is missing", json!(7)),
        (r#"{"jsonrpc":"2.0","id":7,"method":1}"#.into(), INVALID_REQUEST, "method: is a number", json!(7)),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":1}"#.into(),
            INVALID_REQUEST,
            "result: does not belong",
            json!(7),
        ),
        (r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#.into(), INVALID_REQUEST, "duplicate field", json!(null)),
        (call("[]"), INVALID_PARAMS, "params: is an array; must be an object", json!(7)),
        (call("\"x\""), INVALID_PARAMS, "params: is a string", json!(7)),
        (
            call(r#"{"name":"debug","arguments":{"problem":"CANARY\ud800"}}"#),
            INVALID_PARAMS,
            "params.arguments.problem: ",
            json!(7),
        ),
        (call(r#"{"arguments":{"files":["a",1e999]}}"#), INVALID_PARAMS, "params.arguments.files[1]: number", json!(7)),
        (
            call(&format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000))),
            INVALID_PARAMS,
            "recursion limit exceeded",
            json!(7),
        ),
    ] {
        let fault = check(body.as_bytes()).expect_err(&body[..body.len().min(100)]);
        assert_eq!((fault.code, &fault.id), (code, &id), "{fault:?}");
        assert!(fault.message.contains(named) && !fault.message.contains("CANARY"), "{named} in {fault:?}");
    }
    assert_eq!(check(b"\xff").expect_err("not UTF-8").code, PARSE_ERROR);
}

#[test]
fn a_right_message_is_let_through_whatever_its_method() {
    for (body, method, values) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, Some("tools/list"), 7),
        (r#" {"jsonrpc":"2.0","id":"x","method":"none","params":{}}"#, Some("none"), 9),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"ping","params":null}"#, Some("ping"), 9),
        (r#"{"jsonrpc":"2.0","id":-9223372036854775808,"method":"ping"}"#, Some("ping"), 7),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Some("notifications/initialized"), 5),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, None, 7),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","more":[1,{"a":null}]}"#, Some("ping"), 13),
    ] {
        let message = check(body.as_bytes()).expect(body);
        assert_eq!((message.method.as_deref(), message.values), (method, values), "{body}");
    }
}
