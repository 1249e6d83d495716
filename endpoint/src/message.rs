//! Checks the form of a JSON-RPC message before MCP reads it, so that a refusal names the member and has the id.

mod head;
mod unreadable;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

pub(crate) use self::head::Head;
use crate::{INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, kind::Kind};

/// What is known about a message of the right form.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// None: it is an answer, not a request.
    pub(crate) method: Option<String>,
    /// Null: it is no request.
    pub(crate) id: Value,
    /// What its parameters say to the endpoint.
    pub(crate) head: Head,
    /// Number of JSON values in it.
    pub(crate) values: usize,
}

/// Why a message is refused.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: i32,
    /// Names the member and what it must be.
    pub(crate) message: String,
    /// The message's id; null if it has no valid one.
    pub(crate) id: Value,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A member that is null is present, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Checks a message.
pub(crate) fn check(body: &[u8]) -> Result<Message, Fault> {
    let fault = |code, message: String| Fault { code, message, id: Value::Null };
    let body =
        std::str::from_utf8(body).map_err(|_| fault(PARSE_ERROR, "parse error: the body is not UTF-8".into()))?;
    let whole: &RawValue =
        serde_json::from_str(body).map_err(|error| fault(PARSE_ERROR, format!("parse error: {error}")))?;
    match Kind::of_text(whole.get()) {
        Kind::Object => {}
        Kind::Array => {
            return Err(fault(INVALID_REQUEST, "the body is a batch; send one message per request".into()));
        }
        other => return Err(fault(INVALID_REQUEST, format!("the body is {other}; send a JSON-RPC 2.0 message"))),
    }
    // It is JSON and an object: what can fail is a member that is there twice, or a name with half a surrogate pair.
    let members: Members<'_> = serde_json::from_str(body)
        .map_err(|error| fault(INVALID_REQUEST, format!("not a JSON-RPC message: {}", unreadable::reason(&error))))?;
    let id = members.id.map(valid_id);
    let known_id = id.clone().flatten().unwrap_or_default();
    let with_id = |(code, message)| Fault { code, message, id: known_id.clone() };
    let method = members.method().map_err(with_id)?;
    members.check_id(id.as_ref()).map_err(with_id)?;
    members.check_params().map_err(with_id)?;
    let values = unreadable::count(whole).map_err(with_id)?;
    let head = members.params.map(Head::of).unwrap_or_default();
    Ok(Message { method, id: known_id, head, values })
}

type Reason = (i32, String);

impl Members<'_> {
    fn method(&self) -> Result<Option<String>, Reason> {
        match self.jsonrpc {
            None => return Err((INVALID_REQUEST, r#"jsonrpc: is missing; must be "2.0""#.into())),
            Some(version) if version.get() != r#""2.0""# => {
                return Err((INVALID_REQUEST, r#"jsonrpc: must be "2.0""#.into()));
            }
            Some(_) => {}
        }
        match self.method {
            Some(_) if self.result.is_some() || self.error.is_some() => {
                let extra = if self.result.is_some() { "result" } else { "error" };
                Err((INVALID_REQUEST, format!("{extra}: does not belong to a request")))
            }
            Some(method) => serde_json::from_str(method.get()).map(Some).map_err(|_| {
                (INVALID_REQUEST, format!("method: is {}; must be a string", Kind::of_text(method.get())))
            }),
            None if self.result.is_some() || self.error.is_some() => Ok(None),
            None => Err((INVALID_REQUEST, "method: is missing; must be a string, for example \"tools/list\"".into())),
        }
    }

    fn check_id(&self, id: Option<&Option<Value>>) -> Result<(), Reason> {
        match (self.id, id) {
            (Some(text), Some(None)) => {
                let rule = "must be a string or a whole number from -2^63 to 2^63-1";
                Err((INVALID_REQUEST, format!("id: is {}; {rule}", Kind::of_text(text.get()))))
            }
            _ => Ok(()),
        }
    }

    fn check_params(&self) -> Result<(), Reason> {
        match self.params.map(|params| Kind::of_text(params.get())) {
            None | Some(Kind::Object | Kind::Null) => Ok(()),
            Some(other) => Err((INVALID_PARAMS, format!("params: is {other}; must be an object"))),
        }
    }
}

/// The id as it is echoed; none: no request may have it.
fn valid_id(text: &RawValue) -> Option<Value> {
    let id: Value = serde_json::from_str(text.get()).ok()?;
    let is_whole = |number: f64| number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0;
    match &id {
        Value::String(_) => Some(id),
        Value::Number(number) if number.is_i64() => Some(id),
        // `1.0` and `1e2` are whole numbers, too.
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(is_whole) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
