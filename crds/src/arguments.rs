//! The arguments of a skill: its JSON Schema, and checking a caller's arguments against it.

use std::{collections::BTreeSet, fmt};

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::shown::printable;

/// Largest `inputSchema`, in bytes of JSON.
pub const SCHEMA_MAX_BYTES: usize = 16 * 1024;
/// Most violations that one answer names.
const VIOLATIONS_SHOWN: usize = 8;
/// Most values in a caller's arguments: far more than any real call has.
const NODES_MAX: usize = 20_000;
/// Most values for which more than the first violation is named.
const NODES_LISTED_MAX: usize = 1_000;
/// Longest text of one violation, in characters.
const VIOLATION_MAX: usize = 300;
/// Schema keywords whose value is an address.
const REFERENCES: [&str; 4] = ["$ref", "$dynamicRef", "$recursiveRef", "$schema"];
/// The dialect that may be named; it is compiled in, nothing is fetched.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords that can allow arguments that `properties` does not list.
const OPENERS: [&str; 7] = ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "patternProperties", "if"];

/// A compiled `inputSchema`.
pub struct ArgumentSchema(Validator);

impl ArgumentSchema {
    /// Compiles the `inputSchema` of a skill.
    ///
    /// # Errors
    /// Everything that is wrong with the schema, one sentence each.
    pub fn compile(schema: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut errors = form_errors(schema);
        let schema = Value::Object(schema.clone());
        // The linear engine: no pattern of a policy can make matching take exponential time.
        let options = jsonschema::draft202012::options().with_pattern_options(PatternOptions::regex()).offline();
        match options.build(&schema) {
            Ok(validator) if errors.is_empty() => Ok(Self(validator)),
            Ok(_) => Err(errors),
            Err(e) => {
                errors.push(printable(&format!("is not a JSON Schema: {e}"), VIOLATION_MAX));
                Err(errors)
            }
        }
    }

    /// Checks a caller's arguments and returns them.
    ///
    /// # Errors
    /// One sentence per violation, at most eight. Each names the argument and never shows its value.
    pub fn check(&self, arguments: Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
        let arguments = Value::Object(arguments);
        // Counted before anything else is checked: a validator collects an error for every item of a list.
        let nodes = count_nodes(&arguments, NODES_MAX);
        if nodes > NODES_MAX {
            return Err(vec![format!("the arguments have more than {NODES_MAX} values; send fewer, longer texts")]);
        }
        let violations = self.violations(&arguments, nodes);
        match arguments {
            Value::Object(arguments) if violations.is_empty() => Ok(arguments),
            _ => Err(violations),
        }
    }

    fn violations(&self, arguments: &Value, nodes: usize) -> Vec<String> {
        if nodes > NODES_LISTED_MAX {
            if let Err(first) = self.0.validate(arguments) {
                return vec![violation(&first)];
            }
        } else if !self.0.is_valid(arguments) {
            return self.0.iter_errors(arguments).take(VIOLATIONS_SHOWN).map(|e| violation(&e)).collect();
        }
        if !contains_nul(arguments) {
            return vec![];
        }
        let paths = nul_paths(arguments, String::new());
        paths.into_iter().map(|path| format!("argument {path}: contains the character U+0000; remove it")).collect()
    }
}

/// The number of values in a value, itself included. Counting stops beyond `most`.
fn count_nodes(value: &Value, most: usize) -> usize {
    let mut count = 0;
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        count += 1;
        match value {
            Value::Array(items) if count + left.len() + items.len() <= most => left.extend(items),
            Value::Object(map) if count + left.len() + map.len() <= most => left.extend(map.values()),
            Value::Array(_) | Value::Object(_) => return most + 1,
            _ => {}
        }
    }
    count
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(contains_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || contains_nul(value)),
        _ => false,
    }
}

fn violation(error: &jsonschema::ValidationError<'_>) -> String {
    let path = argument_path(error.instance_path().as_str());
    let message = error.masked_with("the value").to_string();
    printable(&if path.is_empty() { message } else { format!("argument {path}: {message}") }, VIOLATION_MAX)
}

/// `/files/0` as `files[0]`.
fn argument_path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        match (path.is_empty(), part.parse::<usize>()) {
            (false, Ok(index)) => path += &format!("[{index}]"),
            (false, Err(_)) => path += &format!(".{part}"),
            (true, _) => path = part,
        }
    }
    path
}

/// The paths of arguments that contain NUL, which no tokenizer and no database accepts.
fn nul_paths(value: &Value, path: String) -> Vec<String> {
    let below = |key: &dyn fmt::Display, value| nul_paths(value, format!("{path}/{key}"));
    match value {
        Value::String(text) if text.contains('\0') => vec![argument_path(&path)],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, v)| below(&i, v)).take(VIOLATIONS_SHOWN).collect()
        }
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, v)| {
                if key.contains('\0') {
                    vec![printable(&argument_path(&format!("{path}/{key}")), VIOLATION_MAX)]
                } else {
                    below(key, v)
                }
            })
            .take(VIOLATIONS_SHOWN)
            .collect(),
        _ => vec![],
    }
}

fn form_errors(schema: &Map<String, Value>) -> Vec<String> {
    let mut errors = vec![];
    if schema.get("type") != Some(&Value::from("object")) {
        errors.push("must have type: object, because MCP arguments are an object".to_string());
    }
    let bytes = serde_json::to_string(schema).map_or(usize::MAX, |json| json.len());
    if bytes > SCHEMA_MAX_BYTES {
        errors.push(format!("is {bytes} bytes of JSON; at most {SCHEMA_MAX_BYTES} are allowed"));
    }
    let mut remote = vec![];
    remote_references(&Value::Object(schema.clone()), &mut remote);
    errors.extend(remote.iter().map(|address| {
        printable(
            &format!("refers to {address}: only references into the schema itself (#/…) are allowed"),
            VIOLATION_MAX,
        )
    }));
    errors
}

fn remote_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(address) if REFERENCES.contains(&key.as_str()) => {
                        let within = address.starts_with('#') || (key == "$schema" && address == DIALECT);
                        if !within {
                            found.push(address.clone());
                        }
                    }
                    other => remote_references(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| remote_references(item, found)),
        _ => {}
    }
}

/// The arguments that a schema declares, or none if it also allows arguments that it does not list by name.
#[must_use]
pub fn declared(schema: &Map<String, Value>) -> Option<BTreeSet<String>> {
    let open = OPENERS.iter().any(|keyword| schema.contains_key(*keyword))
        || matches!(schema.get("additionalProperties"), Some(Value::Object(_) | Value::Bool(true)));
    let properties = schema.get("properties").and_then(Value::as_object);
    if open { None } else { Some(properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()) }
}

impl fmt::Debug for ArgumentSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentSchema")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compile(schema: Value) -> Result<ArgumentSchema, Vec<String>> {
        ArgumentSchema::compile(schema.as_object().expect("object"))
    }

    fn violations(schema: Value, arguments: Value) -> Vec<String> {
        let schema = compile(schema).expect("a schema");
        schema.check(arguments.as_object().expect("object").clone()).err().unwrap_or_default()
    }

    #[test]
    fn a_violation_names_the_argument_and_hides_its_value() {
        let schema = json!({"type": "object", "required": ["a"], "additionalProperties": false,
            "properties": {"a": {"type": "string"}, "files": {"type": "array", "items": {"type": "string"}}}});
        assert_eq!(violations(schema.clone(), json!({"a": "x"})), Vec::<String>::new());
        assert_eq!(violations(schema.clone(), json!({})), ["\"a\" is a required property"]);
        let wrong = violations(schema.clone(), json!({"a": "x", "files": ["ok", 4711]}));
        assert_eq!(wrong, ["argument files[1]: the value is not of type \"string\""]);
        let unknown = violations(schema, json!({"a": "x", "fils": "canary"}));
        assert_eq!(unknown.len(), 1);
        assert!(unknown[0].contains("fils") && !unknown[0].contains("canary"), "{unknown:?}");
    }

    #[test]
    fn nul_is_refused_at_every_depth() {
        let open = json!({"type": "object"});
        assert_eq!(
            violations(open.clone(), json!({"a": ["b", "c\0"]})),
            ["argument a[1]: contains the character U+0000; remove it"]
        );
        assert_eq!(
            violations(open, json!({"a": {"k\0": 1}})),
            ["argument a.k\\u{0}: contains the character U+0000; remove it"]
        );
    }

    #[test]
    fn many_values_cost_little_and_are_refused() {
        let files = json!({"type": "object", "properties": {"files": {"type": "array", "items": {"type": "string"}}}});
        let wrong = violations(files.clone(), json!({"files": vec![1; 15_000]}));
        assert_eq!(wrong, ["argument files[0]: the value is not of type \"string\""], "only the first of many");
        let key = "k".repeat(1_000_000);
        let too_many = violations(files, json!({key: vec![0; 1_000_000]}));
        assert_eq!(too_many.len(), 1);
        assert!(too_many[0].contains("more than 20000 values"), "{too_many:?}");
    }

    #[test]
    fn a_wrong_schema_is_refused_with_the_reason() {
        for (schema, reason) in [
            (json!({"type": "string"}), "must have type: object"),
            (json!({"type": "object", "properties": {"a": {"type": "strin"}}}), "is not a JSON Schema"),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "http://example.com/s.json"}}}),
                "refers to http://example.com/s.json",
            ),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}),
                "refers to file:///etc/passwd",
            ),
            (json!({"type": "object", "properties": {"a": {"pattern": "(a)\\1"}}}), "is not a JSON Schema"),
            (json!({"type": "object", "description": "x".repeat(SCHEMA_MAX_BYTES)}), "bytes of JSON"),
        ] {
            let errors = compile(schema.clone()).expect_err("a wrong schema");
            assert!(errors.iter().any(|e| e.contains(reason)), "{schema}: {errors:?}");
        }
    }

    #[test]
    fn a_pattern_is_matched_in_linear_time() {
        let schema = json!({"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}});
        assert_eq!(violations(schema, json!({"a": format!("{}b", "a".repeat(50_000))})).len(), 1);
    }
}
