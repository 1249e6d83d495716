//! A JSON Schema whose checking has a bound, whoever wrote it and whatever is checked against it.

use jsonschema::{PatternOptions, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value};

use super::{form, survey};
use crate::shown::printable;

/// Largest `inputSchema`, in bytes of JSON.
pub const SCHEMA_MAX_BYTES: usize = 16 * 1024;
/// Most values in a caller's arguments: far more than any real call has.
const NODES_MAX: usize = 20_000;
/// Longest text of one violation, in characters.
pub(super) const VIOLATION_MAX: usize = 300;
/// Most steps of checking a call's arguments: their values times the paths of the schema.
const STEPS_MAX: usize = 4_000_000;
/// Most different patterns in the schemas of a policy.
pub const PATTERNS_MAX: usize = 32;
/// Largest compiled pattern, in bytes, and largest cache for matching it.
const PATTERN_MAX_BYTES: usize = 256 * 1024;
/// Longest part of a pattern that an error repeats, in characters.
const PATTERN_SHOWN: usize = 60;

/// Most bytes that patterns are matched with in one check: those of the text, times the paths of the schema.
const MATCHED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A compiled schema and what a check by it costs.
pub(crate) struct BoundedSchema {
    pub(super) validator: Validator,
    /// The number of paths through the schema, at most [`super::PATHS_MAX`].
    pub(super) paths: usize,
    /// Whether it has a pattern: then a check costs by the length of texts, too.
    has_patterns: bool,
}

impl BoundedSchema {
    /// Compiles a schema about any value. `patterns` is how many patterns it may have; those that it has are subtracted.
    ///
    /// # Errors
    /// Everything that is wrong with the schema, one sentence each.
    pub(crate) fn compile_within(schema: &Map<String, Value>, patterns: &mut usize) -> Result<Self, Vec<String>> {
        let errors = form::errors_of_any(schema);
        if !errors.is_empty() {
            return Err(errors);
        }
        Self::build(schema, patterns).map_err(|error| vec![error])
    }

    /// Compiles a schema whose form is right.
    pub(super) fn build(schema: &Map<String, Value>, patterns: &mut usize) -> Result<Self, String> {
        let schema = Value::Object(schema.clone());
        let survey = survey::survey(&schema)?;
        let count = survey.patterns.len();
        if count > *patterns {
            return Err(format!(
                "has {count} patterns, and {patterns} of {PATTERNS_MAX} are left for it; the schemas of a policy have \
                at most {PATTERNS_MAX} different ones; use enum, minLength or maxLength instead"
            ));
        }
        *patterns -= count;
        // The linear engine: no pattern of a policy can make matching take exponential time.
        let engine = PatternOptions::regex().size_limit(PATTERN_MAX_BYTES).dfa_size_limit(PATTERN_MAX_BYTES);
        let options = jsonschema::draft202012::options().with_pattern_options(engine).offline();
        let validator = options.build(&schema).map_err(|e| printable(&build_error(&e), VIOLATION_MAX))?;
        Ok(Self { validator, paths: survey.paths, has_patterns: count > 0 })
    }

    /// Most values that it is used to check.
    pub(super) fn most_values(&self) -> usize {
        NODES_MAX.min(STEPS_MAX / self.paths)
    }

    /// Most bytes of text that it is used to check, if `most` are allowed at all.
    pub(crate) fn most_bytes(&self, most: usize) -> usize {
        if self.has_patterns { most.min(MATCHED_BYTES_MAX / self.paths) } else { most }
    }

    /// Whether a value fits. One with more values than are checked does not.
    pub(crate) fn fits(&self, value: &Value) -> bool {
        let most = self.most_values();
        count_nodes(value, most) <= most && self.validator.is_valid(value)
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
pub(super) fn count_nodes(value: &Value, most: usize) -> usize {
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
