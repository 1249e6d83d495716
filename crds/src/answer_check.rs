//! Whether an answer of a model satisfies the check of its skill. No I/O: a function of the check and the answer, with
//! a bound on its work for any answer.

mod fenced;

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{arguments::BoundedSchema, depth};

/// Longest answer that is checked, in bytes. A longer one fails its check unread.
pub const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// Longest pattern, in characters.
pub const PATTERN_MAX: usize = 1000;

/// A compiled check of answers.
pub struct AnswerCheck {
    schema: BoundedSchema,
    form: Form,
}

/// What of an answer the schema is about.
enum Form {
    /// The JSON that the answer is, or has in a fenced block.
    Json,
    /// The text itself.
    Text,
}

impl AnswerCheck {
    /// The check that an answer is JSON that fits a schema. `patterns` is how many patterns the schema may have; those
    /// that it has are subtracted.
    ///
    /// # Errors
    /// Everything that is wrong with the schema, one sentence each.
    pub fn by_schema(schema: &Map<String, Value>, patterns: &mut usize) -> Result<Self, Vec<String>> {
        BoundedSchema::compile_within(schema, patterns).map(|schema| Self { schema, form: Form::Json })
    }

    /// The check that a pattern is found in an answer.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn by_pattern(pattern: &str, patterns: &mut usize) -> Result<Self, Vec<String>> {
        let schema = json!({"pattern": pattern});
        let schema = schema.as_object().cloned().unwrap_or_default();
        BoundedSchema::compile_within(&schema, patterns).map(|schema| Self { schema, form: Form::Text })
    }

    /// Whether an answer satisfies the check. White space around it does not count.
    #[must_use]
    pub fn holds_for(&self, answer: &str) -> bool {
        let answer = answer.trim();
        if answer.len() > self.schema.most_bytes(ANSWER_MAX_BYTES) {
            return false;
        }
        match self.form {
            Form::Text => self.schema.fits(&Value::String(answer.into())),
            Form::Json => json_in(answer).is_some_and(|value| self.schema.fits(&value)),
        }
    }
}

/// The JSON that an answer is as a whole, otherwise that of its only fenced block.
fn json_in(answer: &str) -> Option<Value> {
    parsed(answer).or_else(|| fenced::only_block(answer).and_then(parsed))
}

fn parsed(text: &str) -> Option<Value> {
    // The validator recurses into what the parser lets through.
    if depth::of_json(text) > depth::MAX { None } else { serde_json::from_str(text).ok() }
}

impl fmt::Debug for AnswerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerCheck")
    }
}

#[cfg(test)]
mod tests;
