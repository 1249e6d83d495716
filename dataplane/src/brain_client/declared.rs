//! What a brain can take, by what its tool `session_log` declares. No I/O.

use brain::entry::{SEVERAL, SEVERAL_MOST};
use serde_json::Value;

/// Which arguments a brain's `session_log` declares beyond those of `contract` part 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    /// `decision` and `decision_id`.
    pub(super) decisions: bool,
    /// `source`, with `decision_id`.
    pub(super) sources: bool,
    /// `usage`, with `decision_id`.
    pub(super) usage: bool,
    /// `review`, with `decision`; none: the brain did not say.
    pub(super) reviews: Option<bool>,
    /// Several records in one request.
    pub(super) several: bool,
}

pub(super) fn declared(body: &Value) -> Declared {
    let tools = body.pointer("/result/tools").and_then(Value::as_array).into_iter().flatten();
    let session_log = tools.into_iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some("session_log"));
    let declares = |argument: &str| {
        session_log.is_some_and(|tool| tool.pointer(&format!("/inputSchema/properties/{argument}")).is_some())
    };
    let names_decisions = declares("decision_id");
    let decisions = names_decisions && declares("decision");
    Declared {
        decisions,
        sources: names_decisions && declares("source"),
        usage: names_decisions && declares("usage"),
        reviews: session_log.map(|_| decisions && declares("review")),
        several: decisions && session_log.is_some_and(|tool| tool["_meta"][SEVERAL] == SEVERAL_MOST),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_brain_declares_is_recognised() {
        let list = |properties: Value| json!({"result": {"tools": [{"name": "session_log", "inputSchema": {"properties": properties}}]}});
        let all = json!({"decision": {}, "decision_id": {}, "source": {}, "usage": {}, "review": {}});
        for (properties, decisions, sources, usage, reviews) in [
            (json!({"decision": {}, "decision_id": {}}), true, false, false, false),
            (json!({"decision": {}, "decision_id": {}, "source": {}}), true, true, false, false),
            (json!({"decision": {}, "decision_id": {}, "source": {}, "usage": {}}), true, true, true, false),
            (all, true, true, true, true),
            (json!({"decision_id": {}, "source": {}}), false, true, false, false),
            (json!({"message": {}, "usage": {}, "review": {}}), false, false, false, false),
            (json!({"decision": {}, "source": {}}), false, false, false, false),
            (json!({"decision_id": {}, "review": {}}), false, false, false, false),
        ] {
            let expected = Declared { decisions, sources, usage, reviews: Some(reviews), several: false };
            assert_eq!(declared(&list(properties.clone())), expected, "{properties}");
        }
        assert_eq!(declared(&json!({"error": {}})), Declared::default());
    }

    #[test]
    fn a_brain_takes_several_records_in_one_request_if_it_takes_as_many_as_are_sent() {
        for (most, properties, several) in [
            (json!(64), json!({"decision": {}, "decision_id": {}}), true),
            (json!(64), json!({"decision": {}}), false),
            (json!(32), json!({"decision": {}, "decision_id": {}}), false),
            (json!(null), json!({"decision": {}, "decision_id": {}}), false),
        ] {
            let tool =
                json!({"name": "session_log", "inputSchema": {"properties": properties}, "_meta": {SEVERAL: most}});
            assert_eq!(declared(&json!({"result": {"tools": [tool]}})).several, several, "{most}");
        }
    }
}
