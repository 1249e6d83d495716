//! Which parameter of a known method is wrong: the MCP library only says that some are.

use rmcp::{ErrorData, model::CustomRequest};
use serde_json::Value;

use crate::{kind::Kind, method};

/// A parameter, what it must be, and whether it must be there.
type Rule = (&'static str, Kind, bool);

/// The parameters of the methods that are served. A parent comes before what is in it.
const METHODS: [(&str, &[Rule]); 4] = [
    (
        method::INITIALIZE,
        &[
            ("params", Kind::Object, true),
            ("params.protocolVersion", Kind::String, true),
            ("params.capabilities", Kind::Object, true),
            ("params.clientInfo", Kind::Object, true),
            ("params.clientInfo.name", Kind::String, true),
            ("params.clientInfo.version", Kind::String, true),
            META,
        ],
    ),
    (
        method::CALL,
        &[
            ("params", Kind::Object, true),
            ("params.name", Kind::String, true),
            ("params.arguments", Kind::Object, false),
            META,
        ],
    ),
    (method::LIST, &[("params", Kind::Object, false), ("params.cursor", Kind::String, false), META]),
    ("ping", &[("params", Kind::Object, false), META]),
];
const META: Rule = ("params._meta", Kind::Object, false);

/// The answer to a request that rmcp does not know: a known method with wrong parameters, or an unknown method.
#[must_use]
pub fn unknown_request(request: &CustomRequest) -> ErrorData {
    let Some((_, rules)) = METHODS.iter().find(|(known, _)| *known == request.method) else {
        return method::not_found(&request.method);
    };
    let fault = rules.iter().find_map(|rule| fault(request.params.as_ref(), *rule));
    let message = fault.unwrap_or_else(|| "params: do not fit the method".into());
    ErrorData::invalid_params(format!("invalid params for {}: {message}", request.method), None)
}

fn fault(params: Option<&Value>, (path, kind, required): Rule) -> Option<String> {
    let value = params.and_then(|params| path.split('.').skip(1).try_fold(params, |value, name| value.get(name)));
    match value.filter(|value| !value.is_null()) {
        None if required => Some(format!("{path}: is missing; must be {kind}")),
        Some(value) if Kind::of(value) != kind => Some(format!("{path}: is {}; must be {kind}", Kind::of(value))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wrong_parameter_is_named() {
        let info = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
        for (method, params, named) in [
            ("tools/call", None, "params: is missing; must be an object"),
            ("tools/call", Some(json!({"arguments": {}})), "params.name: is missing; must be a string"),
            ("tools/call", Some(json!({"name": 1})), "params.name: is a number; must be a string"),
            (
                "tools/call",
                Some(json!({"name": "debug", "arguments": "{}"})),
                "params.arguments: is a string; must be an object",
            ),
            ("tools/call", Some(json!({"name": "a", "_meta": 1})), "params._meta: is a number"),
            ("initialize", Some(info), "params.clientInfo: is missing; must be an object"),
            ("tools/list", Some(json!({"cursor": 1})), "params.cursor: is a number; must be a string"),
        ] {
            let error = unknown_request(&CustomRequest::new(method, params));
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
            assert!(error.message.starts_with(&format!("invalid params for {method}: {named}")), "{}", error.message);
        }
        assert_eq!(unknown_request(&CustomRequest::new("tools/none", None)).code, ErrorCode::METHOD_NOT_FOUND);
    }
}
