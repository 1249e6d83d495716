//! What is wrong with the form of a field, in words of the document: path, value and cure.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::{super::locate, OPEN_API, has_no_fields};
use crate::{FieldError, nearest::nearest, period::PATTERN, shown};

pub(super) fn field_error(given: &Value, error: &ValidationError<'_>) -> FieldError {
    let pointer = error.instance_path().as_str();
    let path = locate::bracketed(pointer.trim_start_matches('/').replace('/', ".").as_str());
    if let ValidationErrorKind::Required { property } = error.kind() {
        let property = property.as_str().unwrap_or_default();
        let path = if path.is_empty() { property.to_string() } else { format!("{path}.{property}") };
        return FieldError::absent(path, "is required");
    }
    let value = given.pointer(pointer).unwrap_or(&Value::Null);
    let shown = match value {
        Value::String(text) => shown::url(text),
        Value::Array(_) | Value::Object(_) => String::new(),
        scalar => scalar.to_string(),
    };
    let message = match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Object) } if wants_no_fields(error) => {
            "must be {}: it has no fields".into()
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::String) }
            if value.is_number() && schema(error).is_some_and(is_period) =>
        {
            format!("needs its unit: write {value}s for seconds; the units are ms, s, m, h and d")
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => wrong_type(value, *wanted),
        ValidationErrorKind::Enum { options } => not_one_of(value, options),
        _ => error.masked_with("the value").to_string(),
    };
    FieldError::new(path, shown, message)
}

/// Whether what is wrong is a field whose only value is `{}`.
fn wants_no_fields(error: &ValidationError<'_>) -> bool {
    schema(error).is_some_and(has_no_fields)
}

/// The schema of the field that is wrong.
fn schema(error: &ValidationError<'_>) -> Option<&'static Value> {
    let path = error.schema_path().as_str();
    OPEN_API.pointer(path.strip_suffix("/type").unwrap_or(path))
}

fn is_period(schema: &Value) -> bool {
    schema["pattern"].as_str().is_some_and(|pattern| pattern.starts_with(PATTERN))
}

fn wrong_type(value: &Value, wanted: JsonType) -> String {
    match (wanted, value) {
        (JsonType::String, Value::Number(_) | Value::Bool(_)) => "must be text; write it in quotes".into(),
        (JsonType::String, _) => "must be text".into(),
        (JsonType::Integer | JsonType::Number, Value::String(text)) => whole_number(text),
        (JsonType::Integer | JsonType::Number, _) => "must be a whole number".into(),
        (JsonType::Boolean, _) => "must be true or false, without quotes".into(),
        (JsonType::Array, _) => {
            "must be a list; write it as [one, two], or with a line that starts with - for each".into()
        }
        (JsonType::Object, _) => "must have fields; write it as {name: value}, or with a line for each".into(),
        (JsonType::Null, _) => "must be left out".into(),
    }
}

fn whole_number(text: &str) -> String {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let without_zeros = text.trim_start_matches('0');
    match digits {
        true if without_zeros.len() < text.len() && !without_zeros.is_empty() => {
            format!("must be a whole number; write {without_zeros}, without a leading zero")
        }
        true => format!("must be a whole number; write {text}, without quotes"),
        false => "must be a whole number".into(),
    }
}

fn not_one_of(value: &Value, options: &Value) -> String {
    let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let near = value.as_str().and_then(|text| nearest(text, options.iter().copied()));
    let cure = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("must be one of {}{cure}", options.join(", "))
}
