//! Whether a document has the form of the resource: types, required fields, patterns, bounds. It is checked against the
//! schema that the API server uses, so that the program and a cluster refuse the same documents.

use std::{collections::HashSet, sync::LazyLock};

use jsonschema::{
    JsonType, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use kube::CustomResourceExt;
use serde_json::Value;

use super::locate;
use crate::{FieldError, RoutingPolicy, dns_label::is_dns_label, shown};

/// Most errors reported for one document.
const ERRORS_MAX: usize = 50;
/// The form of a policy's name. The name is also that of a Service, and other names are derived from it.
const NAME_RULE: &str = "must be 1 to 52 of a-z, 0-9 and '-', starting with a letter and ending with a letter or digit";
const NAME_MAX: usize = 52;

/// Fields that every resource has besides its own.
const OF_EVERY_RESOURCE: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

static OPEN_API: LazyLock<Value> = LazyLock::new(open_api);

/// Everything in which the document differs from the form of the resource.
pub(super) fn errors(raw: &Value) -> Vec<FieldError> {
    static SCHEMA: LazyLock<Validator> = LazyLock::new(validator);
    // A null counts as an absent field, as it does for the API server.
    let is_null = |pointer: &str| raw.pointer(pointer).is_some_and(Value::is_null);
    let of_schema =
        SCHEMA.iter_errors(raw).filter(|e| !is_null(e.instance_path().as_str())).map(|e| field_error(raw, &e));
    name_error(raw).into_iter().chain(of_schema).take(ERRORS_MAX).collect()
}

/// The form errors about fields that no error in `other` is about.
pub(super) fn not_covered(form: &[FieldError], other: &[FieldError]) -> Vec<FieldError> {
    let covered: HashSet<&str> = other.iter().map(|error| error.path.as_str()).collect();
    let is_new = |error: &&FieldError| !covered.iter().any(|path| path.starts_with(error.path.as_str()));
    form.iter().filter(is_new).cloned().collect()
}

/// The paths of fields that the resource does not have, at every depth.
pub(super) fn unknown_fields(raw: &Value) -> Vec<String> {
    let mut found = vec![];
    for (name, value) in raw.as_object().into_iter().flatten() {
        match OPEN_API.pointer(&format!("/properties/{name}")) {
            Some(schema) => note_unknown(schema, value, name, &mut found),
            None if OF_EVERY_RESOURCE.contains(&name.as_str()) => {}
            None => found.push(name.clone()),
        }
    }
    found.truncate(ERRORS_MAX);
    found
}

fn note_unknown(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    match (value, schema.get("properties").and_then(Value::as_object)) {
        (Value::Object(fields), Some(known)) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(schema) => note_unknown(schema, value, &path, found),
                    None => found.push(path),
                }
            }
        }
        (Value::Array(items), _) => {
            for (i, item) in items.iter().enumerate() {
                note_unknown(schema.get("items").unwrap_or(&Value::Null), item, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

fn open_api() -> Value {
    let crd = RoutingPolicy::crd();
    let schema = crd.spec.versions.first().and_then(|version| version.schema.clone()).unwrap_or_default();
    serde_json::to_value(schema.open_api_v3_schema).unwrap_or_default()
}

fn validator() -> Validator {
    let options =
        jsonschema::draft202012::options().with_pattern_options(jsonschema::PatternOptions::regex()).offline();
    options.build(&OPEN_API).expect("the generated CRD is a JSON Schema, and the tests build it")
}

fn field_error(raw: &Value, error: &jsonschema::ValidationError<'_>) -> FieldError {
    let pointer = error.instance_path().as_str();
    let path = locate::bracketed(pointer.trim_start_matches('/').replace('/', ".").as_str());
    if let ValidationErrorKind::Required { property } = error.kind() {
        let property = property.as_str().unwrap_or_default();
        let path = if path.is_empty() { property.to_string() } else { format!("{path}.{property}") };
        return FieldError::absent(path, "is required");
    }
    let value = match raw.pointer(pointer) {
        Some(Value::String(text)) => shown::url(text),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string(),
        _ => String::new(),
    };
    let wants_text = matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::String) });
    let message = if wants_text && !value.is_empty() {
        "must be text; write it in quotes".to_string()
    } else {
        error.masked_with("the value").to_string()
    };
    FieldError::new(path, value, message)
}

fn name_error(raw: &Value) -> Option<FieldError> {
    let name = raw.pointer("/metadata/name")?.as_str()?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase()) && is_dns_label(name, NAME_MAX);
    (!well_formed).then(|| FieldError::new("metadata.name", name, NAME_RULE))
}
