//! Requests whose protocol version cannot be served. The MCP library leaves these two to others.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use rmcp::model::{ErrorData, ProtocolVersion};

use crate::{
    error_of,
    message::Message,
    method::{self, INITIALIZE, PROTOCOL_VERSION_HEADER},
};

/// The refusal of a request of no known version, or of an `initialize` in a version that has none; none: it is served.
pub(crate) fn refused(headers: &HeaderMap, message: &Message) -> Option<Response> {
    let version = message.head.version.as_deref();
    if message.method.as_deref() == Some(INITIALIZE) && version.is_some_and(|version| !has_initialize(version)) {
        return Some(error_of(&message.id, StatusCode::NOT_FOUND, &method::not_found(INITIALIZE)));
    }
    // A header that is no text is refused by the library.
    let named = headers.get(PROTOCOL_VERSION_HEADER)?.to_str().ok()?;
    if version.is_some() || known(named).is_some() {
        return None;
    }
    let requested = serde_json::from_value(named.into()).unwrap_or_default();
    let error = ErrorData::unsupported_protocol_version(requested, ProtocolVersion::KNOWN_VERSIONS);
    Some(error_of(&message.id, StatusCode::BAD_REQUEST, &error))
}

/// Whether a request is of a version with sessions, in which requests have no metadata of their own.
pub(crate) fn is_of_sessions(headers: &HeaderMap, message: &Message) -> bool {
    let of_sessions =
        |named: &HeaderValue| named.to_str().ok().and_then(known).is_some_and(ProtocolVersion::has_initialize);
    message.head.version.is_none() && headers.get(PROTOCOL_VERSION_HEADER).is_none_or(of_sessions)
}

fn known(version: &str) -> Option<&'static ProtocolVersion> {
    ProtocolVersion::KNOWN_VERSIONS.iter().find(|known| known.as_str() == version)
}

fn has_initialize(version: &str) -> bool {
    known(version).is_none_or(ProtocolVersion::has_initialize)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::message;

    async fn refusal(header: Option<&str>, body: Value) -> Option<(u16, Value)> {
        let headers: HeaderMap = header
            .into_iter()
            .map(|version| (PROTOCOL_VERSION_HEADER.parse().expect("a name"), version.parse().expect("a value")))
            .collect();
        let response = refused(&headers, &message::check(body.to_string().as_bytes()).expect("a message"))?;
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 10_000).await.expect("a body");
        Some((status, serde_json::from_slice(&bytes).expect("JSON")))
    }

    #[tokio::test]
    async fn an_unknown_version_is_told_which_are_supported() {
        let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
        let (status, body) = refusal(Some("2099-01-01"), list.clone()).await.expect("refused");
        assert_eq!((status, &body["id"], &body["error"]["code"]), (400, &json!(7), &json!(-32022)));
        let data = &body["error"]["data"];
        assert_eq!(data["requested"], "2099-01-01");
        assert!(data["supported"].as_array().is_some_and(|known| known.contains(&json!("2026-07-28"))), "{data}");
        for known in [None, Some("2025-06-18"), Some("2026-07-28")] {
            assert_eq!(refusal(known, list.clone()).await, None, "{known:?}");
        }
    }

    #[test]
    fn a_request_is_of_a_version_with_sessions_unless_its_header_or_metadata_says_otherwise() {
        let call = |meta: Value| json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"_meta": meta}});
        for (header, meta, expected) in [
            (None, json!({}), true),
            (Some("2025-11-25"), json!({"progressToken": 1}), true),
            (Some("2026-07-28"), json!({}), false),
            (Some("2099-01-01"), json!({}), false),
            (None, json!({method::PROTOCOL_VERSION: "2025-11-25"}), false),
        ] {
            let headers = header.map(|version: &str| {
                (PROTOCOL_VERSION_HEADER.parse().expect("a name"), version.parse().expect("a value"))
            });
            let message = message::check(call(meta.clone()).to_string().as_bytes()).expect("a message");
            assert_eq!(is_of_sessions(&headers.into_iter().collect(), &message), expected, "{header:?} {meta}");
        }
    }

    #[tokio::test]
    async fn a_version_without_initialize_does_not_know_that_method() {
        let initialize = |params: Value| json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params});
        let modern = json!({"_meta": {method::PROTOCOL_VERSION: "2026-07-28"}});
        let (status, body) = refusal(Some("2026-07-28"), initialize(modern)).await.expect("refused");
        assert_eq!((status, &body["error"]["code"], &body["id"]), (404, &json!(-32601), &json!("a")));
        assert_eq!(body["error"]["message"], "method not found: initialize");
        assert_eq!(refusal(None, initialize(json!({"protocolVersion": "2025-11-25"}))).await, None);
    }
}
