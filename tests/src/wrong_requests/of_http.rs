//! Right messages in wrong requests: methods, headers, versions, sizes.

use serde_json::json;

use super::Wrong;

/// A version that is not known.
const UNSUPPORTED_VERSION: i64 = -32_022;
/// The headers say something else than the body.
const HEADER_MISMATCH: i64 = -32_020;
/// A method of MCP that is not served.
const METHOD_NOT_FOUND: i64 = -32_601;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
/// The version in which each request has metadata.
const MODERN: &str = "2026-07-28";

/// Each of them once.
#[must_use]
pub fn of_http() -> Vec<Wrong> {
    [refused_unread(), of_other_versions()].concat()
}

fn refused_unread() -> Vec<Wrong> {
    let list = |what| Wrong::post(what, LIST);
    let wrong = |wrong: Wrong, status, named| Wrong { status, named, ..wrong };
    let of_type = |what, content_type| Wrong { headers: vec![("content-type", content_type)], ..list(what) };
    let of_method = |method| Wrong { method, headers: vec![], ..Wrong::post(method, "") };
    vec![
        wrong(list("a foreign origin").header("origin", "http://evil.example"), 403, "forbidden: "),
        wrong(list("the origin null").header("origin", "null"), 403, "forbidden: "),
        wrong(of_method("GET"), 405, "method not allowed"),
        wrong(of_method("DELETE"), 405, "method not allowed"),
        wrong(list("an answer in XML").header("accept", "text/xml"), 406, "not acceptable"),
        wrong(of_type("a form", "application/x-www-form-urlencoded"), 415, "unsupported media type"),
        wrong(of_type("plain text", "text/plain"), 415, "unsupported media type"),
        wrong(list("a compressed body").header("content-encoding", "gzip"), 415, "gzip"),
        wrong(Wrong::post("5 MiB", "x".repeat(5 << 20)), 413, "payload too large"),
    ]
}

fn of_other_versions() -> Vec<Wrong> {
    let wrong = |what, body: String, code| Wrong { id: json!(1), code: Some(code), ..Wrong::post(what, body) };
    let modern = |method: &str| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}}).to_string()
    };
    let unknown = wrong("an unknown version", LIST.into(), UNSUPPORTED_VERSION);
    let no_method = wrong("an unknown method of the newer version", modern("tools/none"), METHOD_NOT_FOUND);
    let another_method = wrong("a header of another method", modern("tools/list"), HEADER_MISMATCH);
    let another_version = wrong("a header of another version", modern("tools/list"), HEADER_MISMATCH);
    vec![
        unknown.header("mcp-protocol-version", "1999-01-01"),
        Wrong { status: 404, named: "tools/none", ..no_method }
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/none"),
        another_method.header("mcp-protocol-version", MODERN).header("mcp-method", "tools/call"),
        another_version.header("mcp-protocol-version", "2025-11-25").header("mcp-method", "tools/list"),
    ]
}
