//! What a client says of itself and of its call, in the `_meta` of the call: for records only, nothing is decided by it.
//! No I/O.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use crds::{policy::attach::ATTACH_MAX, shown::printable};
use endpoint::{
    method::CLIENT_INFO,
    trace::{TRACEPARENT, TRACESTATE, TraceContext},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// Longest value that is kept, in characters.
const VALUE_MAX: usize = 256;
/// Claude Code's id of a tool call.
const CLAUDE_CODE_CALL: &str = "claudecode/toolUseId";
/// The session of `routing connect`, which a client starts for each of its own.
const CONNECT_SESSION: &str = crate::connect::SESSION;
/// OpenCode's session.
const OPENCODE_SESSION: &str = "sessionID";
/// Codex's turn: an object, or its JSON as text.
const CODEX_TURN: &str = "x-codex-turn-metadata";

/// The client of a call. Nothing of it is checked but its length and its form.
#[derive(Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientContext {
    /// The client's own id of this call.
    #[serde(rename = "client_call_id", skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The client's own id of its session.
    #[serde(rename = "client_session", skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(rename = "client_name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "client_version", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Arguments that `routing connect` has filled, with what they hold: the caller has not seen it.
    #[serde(skip)]
    pub filled: BTreeMap<String, String>,
    /// The trace that the call belongs to, which the gateway gets, too. With a collector, the span of the model call.
    #[serde(flatten)]
    pub trace: Option<TraceContext>,
}

impl ClientContext {
    /// The same with the trace of the HTTP request, where the `_meta` of the call has none: a request may carry more than
    /// one call.
    pub fn within(self, headers: &HeaderMap) -> Self {
        Self { trace: self.trace.or_else(|| TraceContext::of_headers(headers)), ..self }
    }

    /// Reads the `_meta` of a call.
    pub fn of(meta: &Map<String, Value>) -> Self {
        let codex = codex_turn(meta);
        let of_codex = |key| codex.as_ref().and_then(|turn| text(turn.get(key)));
        let info = meta.get(CLIENT_INFO);
        let of_info = |key| text(info.and_then(|info| info.get(key)));
        Self {
            call_id: text(meta.get(CLAUDE_CODE_CALL)),
            session: text(meta.get(CONNECT_SESSION))
                .or_else(|| text(meta.get(OPENCODE_SESSION)))
                .or_else(|| of_codex("session_id"))
                .or_else(|| of_codex("thread_id")),
            filled: filled(meta),
            name: of_info("name"),
            version: of_info("version"),
            trace: trace(meta),
        }
    }
}

fn codex_turn(meta: &Map<String, Value>) -> Option<Value> {
    match meta.get(CODEX_TURN)? {
        Value::String(json) => serde_json::from_str(json).ok(),
        turn => Some(turn.clone()),
    }
}

fn filled(meta: &Map<String, Value>) -> BTreeMap<String, String> {
    let all = meta.get(crate::connect::FILLED).and_then(Value::as_object).into_iter().flatten();
    let one = |(name, what): (&String, &Value)| Some((name.clone(), text(Some(what))?));
    all.take(ATTACH_MAX).filter_map(one).collect()
}

/// A text in one line; an empty one counts as none.
fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(|text| printable(text, VALUE_MAX))
}

/// Trace context as SEP-414 has it.
fn trace(meta: &Map<String, Value>) -> Option<TraceContext> {
    let given = |name: &str| meta.get(name).and_then(Value::as_str);
    TraceContext::of(given(TRACEPARENT)?, given(TRACESTATE))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(meta: Value) -> Value {
        json!(ClientContext::of(meta.as_object().expect("an object")))
    }

    #[test]
    fn each_clients_own_ids_are_read() {
        for (meta, read) in [
            (json!({}), json!({})),
            (json!({"claudecode/toolUseId": "toolu_1", "progressToken": 7}), json!({"client_call_id": "toolu_1"})),
            (json!({"sessionID": "ses_1"}), json!({"client_session": "ses_1"})),
            (json!({"routing.hyperguild.io/session": "s1"}), json!({"client_session": "s1"})),
            (
                json!({"x-codex-turn-metadata": {"session_id": "s", "thread_id": "t", "turn_id": "u"}}),
                json!({"client_session": "s"}),
            ),
            (json!({"x-codex-turn-metadata": r#"{"thread_id":"t"}"#}), json!({"client_session": "t"})),
            (
                json!({"io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "2.1", "title": "x"}}),
                json!({"client_name": "claude-code", "client_version": "2.1"}),
            ),
            (json!({"traceparent": TRACE}), json!({"traceparent": TRACE})),
        ] {
            assert_eq!(of(meta.clone()), read, "{meta}");
        }
    }

    #[test]
    fn what_a_client_sends_is_bounded_and_printable_and_other_types_count_as_none() {
        let long = of(json!({"claudecode/toolUseId": "x".repeat(10_000), "sessionID": "a\n\u{202e}b"}));
        assert_eq!(long["client_call_id"].as_str().map(str::len), Some(VALUE_MAX));
        assert_eq!(long["client_session"], "a\\u{a}\\u{202e}b");
        let other = json!({"claudecode/toolUseId": 5, "sessionID": ["a"], "x-codex-turn-metadata": "no JSON",
            "io.modelcontextprotocol/clientInfo": "name", "traceparent": {}});
        assert_eq!(of(other), json!({}));
        assert_eq!(of(json!({"sessionID": ""})), json!({}));
    }

    #[test]
    fn the_trace_of_a_call_counts_before_that_of_its_request() {
        let other = TRACE.replace("b7ad", "aaaa");
        let traced = |meta: Value, header: &str| {
            let headers =
                HeaderMap::from_iter([(TRACEPARENT.parse().expect("a name"), header.parse().expect("a text"))]);
            ClientContext::of(meta.as_object().expect("an object")).within(&headers).trace
        };
        let of = TraceContext::of;
        assert_eq!(traced(json!({"traceparent": TRACE, "tracestate": "a=1"}), &other), of(TRACE, Some("a=1")));
        assert_eq!(traced(json!({"traceparent": "none", "tracestate": "a=1"}), &other), of(&other, None));
        assert_eq!(traced(json!({}), "00-0-0-00"), None);
    }
}
