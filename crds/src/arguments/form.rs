//! What a schema may be: complete in itself; and a skill's `inputSchema`: an object whose arguments the model APIs of
//! clients take.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{SCHEMA_MAX_BYTES, VIOLATION_MAX};
use crate::shown::printable;

/// Longest name of an argument, in characters: the limit of the model APIs.
pub const ARGUMENT_NAME_MAX: usize = 64;
/// Deepest nesting of JSON that is free of form: a schema, or the parameters of a model. A document that holds it is
/// less deep than a document may be.
pub const JSON_DEPTH_MAX: usize = 40;
/// Schema keywords whose value is an address.
const REFERENCES: [&str; 2] = ["$ref", "$schema"];
/// Keywords that make a reference depend on where the schema is used.
const DYNAMIC: [&str; 4] = ["$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"];
/// The dialect that may be named; it is compiled in, nothing is fetched.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords that MCP allows at the top level of a tool's schema since 2026-07-28, and the model APIs of clients refuse.
const REFUSED_AT_THE_TOP: [&str; 5] = ["allOf", "anyOf", "oneOf", "not", "enum"];
/// Keywords whose parts count for the whole.
pub const COMPOSED: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that can allow arguments that `properties` does not list.
const OPENERS: [&str; 3] = ["$ref", "patternProperties", "if"];
/// Keywords by which a part can list arguments of its own, besides [`OPENERS`].
const LISTING: [&str; 2] = ["properties", "dependentSchemas"];

/// Everything wrong with the form of an `inputSchema`, one sentence each.
pub(super) fn errors(schema: &Map<String, Value>) -> Vec<String> {
    let mut errors = vec![];
    if schema.get("type") != Some(&Value::from("object")) {
        errors.push("must have type: object, because MCP arguments are an object".to_string());
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    errors.extend(properties.into_iter().flatten().filter(|(name, _)| !is_argument_name(name)).map(|(name, _)| {
        let shown = printable(name, ARGUMENT_NAME_MAX + 1);
        format!(
            "property {shown}: the model APIs of clients refuse this name; use 1 to {ARGUMENT_NAME_MAX} of a-z, A-Z, \
            0-9, '_', '.' and '-'"
        )
    }));
    errors.extend(errors_of_any(schema));
    errors
}

/// What of an `inputSchema` is right and yet nothing for the model APIs of clients: the keywords.
pub fn refused_by_clients(schema: &Map<String, Value>) -> impl Iterator<Item = &'static str> {
    REFUSED_AT_THE_TOP.into_iter().filter(move |keyword| schema.contains_key(*keyword))
}

/// Everything wrong with the form of a schema, whatever it is about, one sentence each.
pub(super) fn errors_of_any(schema: &Map<String, Value>) -> Vec<String> {
    let mut errors = vec![];
    let bytes = serde_json::to_string(schema).map_or(usize::MAX, |json| json.len());
    if bytes > SCHEMA_MAX_BYTES {
        errors.push(format!("is {bytes} bytes of JSON; at most {SCHEMA_MAX_BYTES} are allowed"));
    }
    if schema.values().any(|value| is_deeper_than(value, JSON_DEPTH_MAX - 1)) {
        errors.push(format!("is nested deeper than {JSON_DEPTH_MAX} levels; flatten it, or use $ref"));
        return errors;
    }
    let top = schema.iter().filter(|(keyword, _)| *keyword != "$id");
    top.for_each(|(keyword, value)| keyword_errors(keyword, value, &mut errors));
    errors
}

fn is_argument_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=ARGUMENT_NAME_MAX).contains(&name.len()) && name.chars().all(allowed)
}

/// Whether objects and lists are nested more than `most` deep.
pub(crate) fn is_deeper_than(value: &Value, most: usize) -> bool {
    match value {
        Value::Array(items) => most == 0 || items.iter().any(|item| is_deeper_than(item, most - 1)),
        Value::Object(map) => most == 0 || map.values().any(|value| is_deeper_than(value, most - 1)),
        _ => false,
    }
}

/// What is wrong with addresses, at every depth.
fn keyword_errors(keyword: &str, value: &Value, errors: &mut Vec<String>) {
    let mut found = |message: String| errors.push(printable(&message, VIOLATION_MAX));
    match value {
        Value::String(address) if REFERENCES.contains(&keyword) && !is_within(keyword, address) => {
            found(format!("refers to {address}: only references into the schema itself (#/…) are allowed"))
        }
        Value::String(_) | Value::Bool(_) if DYNAMIC.contains(&keyword) => {
            found(format!("has {keyword}, which is not supported; use $ref"));
        }
        Value::String(address) if keyword == "$id" => {
            found(format!("has $id {address} below its top level, which is not supported; use $defs and $ref"));
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| keyword_errors(key, value, errors)),
        Value::Array(items) => items.iter().for_each(|item| keyword_errors("", item, errors)),
        _ => {}
    }
}

fn is_within(keyword: &str, address: &str) -> bool {
    if keyword == "$schema" { address.trim_end_matches('#') == DIALECT } else { address.starts_with('#') }
}

/// The arguments that a schema declares, or none if it also allows arguments that it does not list by name.
#[must_use]
pub fn declared(schema: &Map<String, Value>) -> Option<BTreeSet<String>> {
    let others = schema.get("additionalProperties");
    // A part of the whole may list arguments of its own, unless the whole has no others than its own.
    let has_open_parts = others != Some(&Value::Bool(false)) && parts(schema).any(may_list);
    let open = has_open_parts
        || OPENERS.iter().any(|keyword| schema.contains_key(*keyword))
        || matches!(others, Some(Value::Object(_) | Value::Bool(true)));
    let properties = schema.get("properties").and_then(Value::as_object);
    if open { None } else { Some(properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()) }
}

fn parts(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    COMPOSED.into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten()
}

fn may_list(part: &Value) -> bool {
    let Some(part) = part.as_object() else { return false };
    OPENERS.iter().chain(&LISTING).any(|keyword| part.contains_key(*keyword)) || parts(part).any(may_list)
}

/// Whether an argument may be of a JSON type, as far as its schema says so in `type`.
pub fn may_be(schema: &Map<String, Value>, argument: &str, json_type: &str) -> bool {
    let property = schema.get("properties").and_then(|properties| properties.get(argument));
    match property.and_then(|property| property.get("type")) {
        Some(Value::String(only)) => only == json_type,
        Some(Value::Array(any)) => any.iter().any(|one| one == json_type),
        _ => true,
    }
}
