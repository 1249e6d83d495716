//! What the endpoint itself reads from the parameters of a message, whatever else is in them.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::valid_id;
use crate::method::PROTOCOL_VERSION;

/// Key, in the `_meta` of a request, of what its notifications of progress are named by.
const PROGRESS_TOKEN: &str = "progressToken";

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Head {
    /// The protocol version that the request itself names; none before MCP 2026-07-28.
    pub(crate) version: Option<String>,
    /// The request that a cancellation is about.
    pub(crate) cancels: Option<Value>,
    /// Whether it asks for notifications of progress.
    pub(crate) progress: bool,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestId")]
    request_id: Option<&'a RawValue>,
}

impl Head {
    /// What is of another form counts as absent: MCP itself refuses it.
    pub(super) fn of(params: &RawValue) -> Self {
        let Ok(Members { meta, request_id }) = serde_json::from_str(params.get()) else { return Self::default() };
        let meta: Option<Value> = meta.and_then(|meta| serde_json::from_str(meta.get()).ok());
        let version = meta.as_ref().and_then(|meta| meta.get(PROTOCOL_VERSION)?.as_str().map(String::from));
        let progress = meta.as_ref().is_some_and(|meta| meta.get(PROGRESS_TOKEN).is_some());
        Self { version, cancels: request_id.and_then(valid_id), progress }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_and_a_cancelled_request_are_read_and_other_forms_count_as_absent() {
        let cancels = |id: Value| Head { cancels: Some(id), ..Head::default() };
        let modern = Head { version: Some("2026-07-28".into()), progress: true, cancels: None };
        for (params, expected) in [
            (json!({"_meta": {PROTOCOL_VERSION: "2026-07-28", "progressToken": 1}}), modern),
            (json!({"requestId": 7}), cancels(json!(7))),
            (json!({"requestId": "a", "reason": "r"}), cancels(json!("a"))),
            (json!({"requestId": [7], "_meta": "x"}), Head::default()),
            (json!({"_meta": {PROTOCOL_VERSION: 1}}), Head::default()),
            (json!({}), Head::default()),
        ] {
            let text = serde_json::value::to_raw_value(&params).expect("JSON");
            assert_eq!(Head::of(&text), expected, "{params}");
        }
    }
}
