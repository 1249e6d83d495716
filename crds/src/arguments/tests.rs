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
        (
            json!({"type": "object", "properties": {"a": {"pattern": "(a)\\1"}}}),
            "has the pattern (a)\\1, which is not a regular",
        ),
        (json!({"type": "object", "properties": {"file name": {}}}), "property file name: the model APIs of clients"),
        (json!({"type": "object", "properties": {"ids[]": {}}}), "property ids[]: "),
        (json!({"type": "object", "properties": {"größe": {}}}), "use 1 to 64 of a-z, A-Z, 0-9, '_', '.' and '-'"),
        (json!({"type": "object", "properties": {"a".repeat(65): {}}}), "property aaaa"),
        (json!({"type": "object", "properties": {"": {}}}), "property : "),
        (json!({"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}), "has $dynamicRef, which is not supp"),
        (json!({"type": "object", "properties": {"a": {"$id": "http://a/b"}}}), "has $id http://a/b below its top"),
        (json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}), "refers to #/$defs/b, which is not in"),
        (json!({"type": "object", "properties": {"a": {"$ref": "#/%24defs/b"}}, "$defs": {"b": {}}}), "without %"),
        (json!({"type": "object", "description": "x".repeat(SCHEMA_MAX_BYTES)}), "bytes of JSON"),
    ] {
        let errors = compile(schema.clone()).expect_err("a wrong schema");
        assert!(errors.iter().any(|e| e.contains(reason)), "{schema}: {errors:?}");
    }
}

#[test]
fn references_within_the_schema_and_names_that_model_apis_take_are_accepted() {
    for schema in [
        json!({"type": "object", "$id": "http://a/b", "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {"a": {"$ref": "#/$defs/a~1b"}, "b": {"$ref": "#name"}, "A.b-c_9": {"anyOf": [true]}},
            "$defs": {"a/b": {"type": "string"}, "c": {"$anchor": "name"}}}),
        json!({"type": "object", "properties": {"a".repeat(64): {"properties": {"file name": {}}}}}),
        json!({"type": "object", "properties": {"unevaluatedItems": {"type": "string"}, "a": {
            "properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}}}}),
    ] {
        assert_eq!(compile(schema.clone()).err(), None, "{schema}");
    }
}

#[test]
fn a_composition_at_the_top_is_checked_named_and_closed_by_additional_properties_alone() {
    let composed = json!({"type": "object", "properties": {"phone": {}, "email": {}},
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}], "oneOf": [true]});
    assert_eq!(violations(composed.clone(), json!({"email": "a@b"})), Vec::<String>::new());
    assert_eq!(violations(composed.clone(), json!({})).len(), 1);
    let mut schema = composed.as_object().expect("object").clone();
    assert_eq!(refused_by_clients(&schema).collect::<Vec<_>>(), ["allOf", "oneOf"]);
    let listed = Some(["email", "phone"].map(String::from).into());
    assert_eq!(declared(&schema), listed, "its parts list nothing");
    for part in [json!({"properties": {"fax": {}}}), json!({"anyOf": [{"$ref": "#/$defs/x"}]})] {
        schema.insert("allOf".into(), json!([part]));
        assert_eq!(declared(&schema), None, "{part} may list more");
    }
    schema.insert("additionalProperties".into(), false.into());
    assert_eq!(declared(&schema), listed);
    let odd = json!({"type": "object", "properties": {"a": {}}, "not": {"required": ["a"]}, "enum": [{}]});
    let odd = odd.as_object().expect("object");
    assert_eq!(refused_by_clients(odd).collect::<Vec<_>>(), ["not", "enum"]);
    assert_eq!(declared(odd), Some(["a".to_string()].into()));
    let below = json!({"type": "object", "properties": {"a": {"allOf": [true]}}});
    assert_eq!(refused_by_clients(below.as_object().expect("object")).next(), None);
}

#[test]
fn a_pattern_is_matched_in_linear_time() {
    let schema = json!({"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}});
    assert_eq!(violations(schema, json!({"a": format!("{}b", "a".repeat(50_000))})).len(), 1);
}

mod bounds;
