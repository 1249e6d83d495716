//! The arguments of a skill: its JSON Schema, and checking a caller's arguments against it.

mod form;
mod survey;

use std::fmt;

use jsonschema::{PatternOptions, Validator, error::ValidationErrorKind};
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
/// Most steps of checking a call's arguments: their values times the paths of the schema.
const STEPS_MAX: usize = 4_000_000;
/// Most steps with which more than the first violation is collected.
const STEPS_LISTED_MAX: usize = 50_000;
/// Most different patterns in the schemas of a policy.
pub const PATTERNS_MAX: usize = 32;
/// Largest compiled pattern, in bytes, and largest cache for matching it.
const PATTERN_MAX_BYTES: usize = 256 * 1024;
/// Longest part of a pattern that an error repeats, in characters.
const PATTERN_SHOWN: usize = 60;

pub(crate) use form::is_deeper_than;
pub use form::{ARGUMENT_NAME_MAX, JSON_DEPTH_MAX, declared};
pub use survey::{DEPTH_MAX, PATHS_MAX};

/// A compiled `inputSchema`.
pub struct ArgumentSchema {
    validator: Validator,
    /// The number of paths through the schema, at most [`PATHS_MAX`].
    paths: usize,
}

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
        let mut errors = form::errors(schema);
        let schema = Value::Object(schema.clone());
        if errors.is_empty() {
            match survey::survey(&schema) {
                Ok(survey) if survey.patterns.len() <= *patterns => {
                    *patterns -= survey.patterns.len();
                    return Self::build(&schema, survey.paths).map_err(|error| vec![error]);
                }
                Ok(survey) => errors.push(format!(
                    "has {} patterns, and {patterns} of {PATTERNS_MAX} are left for it; the schemas of a policy have \
                    at most {PATTERNS_MAX} different ones; use enum, minLength or maxLength instead",
                    survey.patterns.len(),
                )),
                Err(error) => errors.push(error),
            }
        }
        Err(errors)
    }

    fn build(schema: &Value, paths: usize) -> Result<Self, String> {
        // The linear engine: no pattern of a policy can make matching take exponential time.
        let patterns = PatternOptions::regex().size_limit(PATTERN_MAX_BYTES).dfa_size_limit(PATTERN_MAX_BYTES);
        let options = jsonschema::draft202012::options().with_pattern_options(patterns).offline();
        let validator = options.build(schema).map_err(|e| printable(&build_error(&e), VIOLATION_MAX))?;
        Ok(Self { validator, paths })
    }

    /// Checks a caller's arguments and returns them.
    ///
    /// # Errors
    /// One sentence per violation, at most eight. Each names the argument and never shows its value.
    pub fn check(&self, arguments: Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
        let arguments = Value::Object(arguments);
        // Counted before anything else is checked: a validator collects an error for every item of a list.
        let most = NODES_MAX.min(STEPS_MAX / self.paths);
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
        if nodes > NODES_LISTED_MAX || nodes * self.paths > STEPS_LISTED_MAX {
            if let Err(first) = self.validator.validate(arguments) {
                return vec![violation(&first)];
            }
        } else if !self.validator.is_valid(arguments) {
            return self.validator.iter_errors(arguments).take(VIOLATIONS_SHOWN).map(|e| violation(&e)).collect();
        }
        if !contains_nul(arguments) {
            return vec![];
        }
        let paths = nul_paths(arguments, String::new());
        paths.into_iter().map(|path| format!("argument {path}: contains the character U+0000; remove it")).collect()
    }
}

fn build_error(error: &jsonschema::ValidationError<'_>) -> String {
    match (error.kind(), error.instance().as_str()) {
        (ValidationErrorKind::Format { .. }, Some(pattern)) => format!(
            "has the pattern {}, which is not a regular expression without look-around and back-references, or needs \
            more than {PATTERN_MAX_BYTES} bytes when compiled; use shorter repetitions, or maxLength",
            pattern.chars().take(PATTERN_SHOWN).collect::<String>()
        ),
        _ => format!("is not a JSON Schema: {error}"),
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

impl fmt::Debug for ArgumentSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentSchema")
    }
}

#[cfg(test)]
mod tests;
