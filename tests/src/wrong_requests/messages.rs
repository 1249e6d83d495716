//! Bodies that are no message of JSON-RPC, or whose parameters do not fit their method.

use serde_json::json;

use super::{INVALID_PARAMS, INVALID_REQUEST, Wrong};

/// The body cannot be read at all.
const PARSE_ERROR: i64 = -32_700;

/// Each of them once.
#[must_use]
pub fn messages() -> Vec<Wrong> {
    [without_an_id(), with_an_id(), that_the_library_reads()].concat()
}

/// Without an id that could be repeated.
fn without_an_id() -> Vec<Wrong> {
    let list = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
    let wrong = |what, body: String, named| Wrong { named, ..Wrong::post(what, body) };
    vec![
        Wrong { code: Some(PARSE_ERROR), ..wrong("half an object", "{".into(), "parse error") },
        Wrong { code: Some(PARSE_ERROR), ..wrong("no body", String::new(), "parse error") },
        wrong("a batch", format!("[{},{}]", list("1"), list("2")), "a batch"),
        wrong("an id that is null", list("null"), "id: is null"),
        wrong("an id with a fraction", list("1.5"), "id: is a number"),
        wrong("an id of more than 63 bits", list("9223372036854775808"), "id: is a number"),
        wrong("an id that is no number of a computer", list("1e999"), "id: is a number"),
        wrong("an id that is an object", list("{}"), "id: is an object"),
    ]
}

fn call(parameters: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"i","method":"tools/call","params":{parameters}}}"#)
}

/// So many levels in one argument.
fn deep(levels: usize) -> String {
    call(&format!(r#"{{"name":"x","arguments":{{"a":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels)))
}

fn with_an_id() -> Vec<Wrong> {
    let wrong =
        |what, body: String, code, named| Wrong { id: json!("i"), code: Some(code), named, ..Wrong::post(what, body) };
    let argument = |value: &str| call(&format!(r#"{{"name":"x","arguments":{{"a":{value}}}}}"#));
    let request = |more: &str| format!(r#"{{"id":"i"{more}}}"#);
    vec![
        wrong("no version", request(r#","method":"tools/list""#), INVALID_REQUEST, "jsonrpc: is missing"),
        wrong("no method", request(r#","jsonrpc":"2.0""#), INVALID_REQUEST, "method: is missing"),
        wrong("a list of parameters", call("[]"), INVALID_PARAMS, "params: is an array"),
        wrong("half of a surrogate pair", argument(r#""\ud800""#), INVALID_PARAMS, "params.arguments.a: "),
        wrong("the same in a name", call(r#"{"name":"\udc00"}"#), INVALID_PARAMS, "params.name: "),
        wrong("a number without end", argument("1e400"), INVALID_PARAMS, "params.arguments.a: number"),
        wrong("1,000 levels", deep(1_000), INVALID_PARAMS, "recursion limit exceeded"),
        wrong("100,000 levels", deep(100_000), INVALID_PARAMS, "recursion limit exceeded"),
    ]
}

/// The MCP library finds out what is wrong with these; for clients of the versions with sessions that is no error of HTTP.
fn that_the_library_reads() -> Vec<Wrong> {
    let wrong = |what, body: String, named| Wrong {
        status: 200,
        id: json!("i"),
        code: Some(INVALID_PARAMS),
        named,
        ..Wrong::post(what, body)
    };
    let nobody = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    let initialize = json!({"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": nobody});
    vec![
        wrong("a text of arguments", call(r#"{"name":"x","arguments":"{}"}"#), "params.arguments: is a string"),
        wrong("no name of a tool", call("{}"), "params.name: is missing"),
        wrong("no parameters", r#"{"jsonrpc":"2.0","id":"i","method":"tools/call"}"#.into(), "params: is missing"),
        wrong("a client without a name", initialize.to_string(), "params.clientInfo: is missing"),
    ]
}
