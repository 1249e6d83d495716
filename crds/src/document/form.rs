//! Whether a document has the form of the resource: types, required fields, patterns, bounds. It is checked against the
//! schema that the API server uses, so that the program and a cluster refuse the same documents.

mod message;

use std::{collections::HashSet, sync::LazyLock};

use jsonschema::Validator;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::{FieldError, RoutingPolicy, dns_label::is_dns_label, nearest::nearest};

/// Most errors reported for one document.
const ERRORS_MAX: usize = 50;
/// The form of a policy's name. The name is also that of a Service, and other names are derived from it.
pub(super) const NAME_RULE: &str =
    "must be 1 to 52 of a-z, 0-9 and '-', starting with a letter and ending with a letter or digit";
const NAME_MAX: usize = 52;

/// Fields that every resource has besides its own.
const OF_EVERY_RESOURCE: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

static OPEN_API: LazyLock<Value> = LazyLock::new(open_api);

/// Everything in which the document differs from the form of the resource.
pub(super) fn errors(given: &Value) -> Vec<FieldError> {
    static SCHEMA: LazyLock<Validator> = LazyLock::new(validator);
    let of_schema = SCHEMA.iter_errors(given).map(|e| message::field_error(given, &e));
    metadata_error(given).into_iter().chain(of_schema).take(ERRORS_MAX).collect()
}

/// The document without its fields whose value is null: they count as left out, as they do for the API server. What is
/// not part of the resource's own form, such as an `inputSchema`, stays as it is.
pub(super) fn without_nulls(raw: &Value) -> Value {
    let mut given = raw.clone();
    remove_nulls(&OPEN_API, &mut given);
    given
}

fn remove_nulls(schema: &Value, value: &mut Value) {
    match (value, schema.get("properties").and_then(Value::as_object)) {
        (Value::Object(fields), Some(known)) => {
            fields.retain(|name, value| !(value.is_null() && known.contains_key(name)));
            for (name, value) in fields {
                known.get(name).into_iter().for_each(|schema| remove_nulls(schema, value));
            }
        }
        (Value::Array(items), _) => {
            for item in items {
                schema.get("items").into_iter().for_each(|schema| remove_nulls(schema, item));
            }
        }
        (value @ Value::Number(_), _) if schema["type"] == "integer" => {
            // For a JSON Schema 12.0 is an integer, too.
            if let Some(whole) = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n)) {
                *value = Value::from(whole as u64);
            }
        }
        _ => {}
    }
}

/// The known field that an unknown one, given by its path, was probably meant to be.
pub(super) fn nearest_field(path: &str) -> Option<&'static str> {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut steps = parent.split(['.', '[']).filter(|step| !step.is_empty());
    let schema = steps.try_fold(&*OPEN_API, |schema, step| {
        if step.ends_with(']') { schema.get("items") } else { schema.get("properties")?.get(step) }
    });
    nearest(name, schema?.get("properties")?.as_object()?.keys().map(String::as_str))
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
        (Value::Object(fields), None) if has_no_fields(schema) => {
            found.extend(fields.keys().map(|name| format!("{path}.{name}")));
        }
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

/// Whether the only value that fits is `{}`.
fn has_no_fields(schema: &Value) -> bool {
    let open = ["properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"];
    schema["type"] == "object" && open.iter().all(|keyword| schema.get(keyword).is_none())
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

fn metadata_error(given: &Value) -> Option<FieldError> {
    let Some(metadata) = given.get("metadata").filter(|metadata| !metadata.is_null()) else {
        return Some(FieldError::absent("metadata", "is required; write metadata: {name: NAME}"));
    };
    let name = match metadata.get("name")? {
        Value::Null => return None,
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    let is_text = metadata["name"].is_string();
    let well_formed = is_text && name.starts_with(|c: char| c.is_ascii_lowercase()) && is_dns_label(&name, NAME_MAX);
    (!well_formed).then(|| FieldError::new("metadata.name", name, NAME_RULE))
}
