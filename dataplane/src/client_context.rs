//! What a client says of itself and of its call, in the `_meta` of the call: for records only, nothing is decided by it.
//! No I/O.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use crds::{policy::attach::ATTACH_MAX, shown::printable};
use endpoint::method::CLIENT_INFO;
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
/// Trace context (SEP-414).
const TRACEPARENT: &str = "traceparent";

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
    /// A valid `traceparent` of W3C Trace Context; it is also sent to the gateway. With a collector, that of the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl ClientContext {
    /// The same with the `traceparent` of the HTTP request, where the `_meta` of the call has none: a request may carry
    /// more than one call.
    pub fn within(self, headers: &HeaderMap) -> Self {
        let header = || headers.get(TRACEPARENT)?.to_str().ok().filter(|text| is_traceparent(text)).map(Into::into);
        Self { traceparent: self.traceparent.clone().or_else(header), ..self }
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
            traceparent: meta
                .get(TRACEPARENT)
                .and_then(Value::as_str)
                .filter(|text| is_traceparent(text))
                .map(Into::into),
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

/// Whether a text is a `traceparent` as W3C Trace Context has it: `VERSION-TRACE-PARENT-FLAGS` in lower-case hex digits,
/// none of the ids zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
    let [version, trace, parent, _] = parts[..] else { return false };
    parts.iter().map(|part| part.len()).eq([2, 32, 16, 2])
        && parts.iter().all(is_hex)
        && version != "ff"
        && !is_zero(trace)
        && !is_zero(parent)
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
            ClientContext::of(meta.as_object().expect("an object")).within(&headers).traceparent
        };
        assert_eq!(traced(json!({"traceparent": TRACE}), &other).as_deref(), Some(TRACE));
        assert_eq!(traced(json!({"traceparent": "none"}), &other), Some(other.clone()));
        assert_eq!(traced(json!({}), "00-0-0-00"), None);
    }

    #[test]
    fn only_a_valid_traceparent_is_kept() {
        let zeros = |count| "0".repeat(count);
        for text in [
            String::new(),
            TRACE.to_uppercase(),
            format!("{TRACE}-x"),
            format!("{TRACE}\r\nx-evil: 1"),
            TRACE.replacen("00", "ff", 1),
            TRACE.replacen("00-", "0-", 1),
            format!("00-{}-b7ad6b7169203331-01", zeros(32)),
            format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", zeros(16)),
            TRACE.replace("b7ad", "g7ad"),
        ] {
            assert_eq!(of(json!({"traceparent": text})), json!({}), "{text}");
        }
    }
}
