//! The arguments of a skill: its JSON Schema, and checking a caller's arguments against it.

mod bounded;
mod form;
mod survey;

use std::fmt;

use serde_json::{Map, Value};

pub(crate) use self::bounded::BoundedSchema;
pub use self::bounded::{PATTERNS_MAX, SCHEMA_MAX_BYTES};
use self::bounded::{VIOLATION_MAX, count_nodes};
use crate::shown::printable;

/// Most violations that one answer names.
const VIOLATIONS_SHOWN: usize = 8;
/// Most values for which more than the first violation is named.
const NODES_LISTED_MAX: usize = 1_000;
/// Most steps with which more than the first violation is collected.
const STEPS_LISTED_MAX: usize = 50_000;

pub(crate) use form::is_deeper_than;
pub use form::{ARGUMENT_NAME_MAX, COMPOSED, JSON_DEPTH_MAX, declared, may_be, refused_by_clients};
pub use survey::{DEPTH_MAX, PATHS_MAX};

/// A compiled `inputSchema`.
pub struct ArgumentSchema(BoundedSchema);

impl ArgumentSchema {
    /// Compiles a schema that is the only one.
    ///
    /// # Errors
    /// Everything that is wrong with the schema, one sentence each.
    pub fn compile(schema: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut patterns = PATTERNS_MAX;
        Self::compile_within(schema, &mut patterns)
    }

    /// Compiles the `inputSchema` of a skill. `patterns` is how many patterns it may have; those that it has are
    /// subtracted.
    ///
    /// # Errors
    /// Everything that is wrong with the schema, one sentence each.
    pub fn compile_within(schema: &Map<String, Value>, patterns: &mut usize) -> Result<Self, Vec<String>> {
        let errors = form::errors(schema);
        if !errors.is_empty() {
            return Err(errors);
        }
        BoundedSchema::build(schema, patterns).map(Self).map_err(|error| vec![error])
    }

    /// Checks a caller's arguments and returns them.
    ///
    /// # Errors
    /// One sentence per violation, at most eight. Each names the argument and never shows its value.
    pub fn check(&self, arguments: Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
        let arguments = Value::Object(arguments);
        // Counted before anything else is checked: a validator collects an error for every item of a list.
        let most = self.0.most_values();
        let nodes = count_nodes(&arguments, most);
        if nodes > most {
            return Err(vec![format!("the arguments have more than {most} values; send fewer, longer texts")]);
        }
        let violations = self.violations(&arguments, nodes);
        match arguments {
            Value::Object(arguments) if violations.is_empty() => Ok(arguments),
            _ => Err(violations),
        }
    }

    fn violations(&self, arguments: &Value, nodes: usize) -> Vec<String> {
        if nodes > NODES_LISTED_MAX || nodes * self.0.paths > STEPS_LISTED_MAX {
            if let Err(first) = self.0.validator.validate(arguments) {
                return vec![violation(&first)];
            }
        } else if !self.0.validator.is_valid(arguments) {
            return self.0.validator.iter_errors(arguments).take(VIOLATIONS_SHOWN).map(|e| violation(&e)).collect();
        }
        if !contains_nul(arguments) {
            return vec![];
        }
        let paths = nul_paths(arguments, String::new());
        paths.into_iter().map(|path| format!("argument {path}: contains the character U+0000; remove it")).collect()
    }
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

impl fmt::Debug for ArgumentSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentSchema")
    }
}

#[cfg(test)]
mod tests;
