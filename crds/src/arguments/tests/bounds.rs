//! A schema of any kind and size is compiled and checked in little time and memory, or refused.

use std::time::{Duration, Instant};

use super::*;

/// More than enough for a slow machine; what is meant here takes minutes, or never ends.
const SOON: Duration = Duration::from_secs(20);

/// Every keyword that can multiply the paths: `§` stands for the next schema. Policies of them are sent to the programs, too.
fn multipliers() -> Vec<String> {
    serde_json::from_str(include_str!("multipliers.json")).expect("JSON")
}

/// A schema whose definitions each refer to the next one twice.
fn doubling(multiplier: &str, depth: usize) -> Value {
    let at = |i: usize| {
        let next = format!("#/$defs/d{}", i + 1);
        let text = multiplier.replace('§', &format!(r#"{{"$ref": "{next}"}}"#)).replace("#/$defs/next", &next);
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let mut defs: Map<String, Value> = (0..depth).map(|i| (format!("d{i}"), at(i))).collect();
    defs.insert(format!("d{depth}"), json!({"type": "string"}));
    json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs})
}

/// Values that fit and do not fit, as deep as the schema.
fn arguments() -> Vec<Value> {
    let mut nested = [json!("x"), json!("x")];
    for _ in 0..60 {
        let [members, items] = nested;
        nested = [json!({"a": members, "b": 1}), json!([items, 1])];
    }
    let [members, items] = nested;
    vec![json!({"a": "x"}), json!({"a": 1}), json!({"a": {}}), json!({"a": members}), json!({"a": items})]
}

#[test]
fn a_keyword_that_multiplies_paths_is_compiled_within_the_bound_and_refused_beyond() {
    let start = Instant::now();
    for multiplier in multipliers() {
        for depth in [1, 4, 12, 16, 24, 30, 60] {
            let schema = doubling(&multiplier, depth);
            match compile(schema) {
                Ok(schema) => {
                    assert!(depth <= 4, "{depth} of {multiplier}");
                    for arguments in arguments() {
                        let _ = schema.check(arguments.as_object().expect("object").clone());
                    }
                }
                Err(errors) => {
                    assert!(depth >= 12, "{depth} of {multiplier}: {errors:?}");
                    assert!(errors[0].contains("more than"), "{depth} of {multiplier}: {errors:?}");
                }
            }
        }
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_schema_that_refers_to_itself_more_than_once_for_the_same_value_is_refused() {
    for multiplier in multipliers() {
        let again = multiplier.replace('§', r##"{"$ref": "#/$defs/d"}"##).replace("#/$defs/next", "#/$defs/d");
        for below in [
            r#"{"properties": {"a": §}}"#,
            r#"{"additionalProperties": §}"#,
            r#"{"patternProperties": {"a": §}}"#,
            r#"{"items": §}"#,
            r#"{"prefixItems": [§]}"#,
            r#"{"contains": §}"#,
        ] {
            let text = below.replace('§', &again);
            let d: Value = serde_json::from_str(&text).expect("JSON");
            let schema =
                compile(json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": d}}));
            let different_members =
                again.contains(r##""properties": {"a": {"$ref": "#/$defs/d"}, "b""##) || again.contains("prefixItems");
            match schema {
                Ok(_) => assert!(different_members, "{text}"),
                Err(errors) => {
                    assert!(!different_members, "{text}: {errors:?}");
                    assert!(errors[0].contains("more than once for the same value"), "{text}: {errors:?}");
                }
            }
        }
    }
    for endless in [json!({"$ref": "#/$defs/d"}), json!({"allOf": [{"not": {"$ref": "#/$defs/d"}}]})] {
        let errors =
            compile(json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": endless}}));
        assert!(errors.as_ref().is_err_and(|errors| errors[0].contains("without end")), "{errors:?}");
    }
}

#[test]
fn a_schema_that_refers_to_itself_once_is_checked_at_every_depth() {
    let start = Instant::now();
    for tree in [
        json!({"properties": {"a": {"$ref": "#/$defs/d"}, "b": {"$ref": "#/$defs/d"}}}),
        json!({"anyOf": [{"type": "string"}, {"items": {"$ref": "#/$defs/d"}},
            {"additionalProperties": {"$ref": "#/$defs/d"}}]}),
    ] {
        let schema =
            compile(json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": tree}}))
                .expect("a schema");
        for arguments in arguments() {
            assert!(schema.check(arguments.as_object().expect("object").clone()).is_ok(), "{arguments}");
        }
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn unevaluated_keywords_are_refused_wherever_they_are() {
    for keyword in ["unevaluatedProperties", "unevaluatedItems"] {
        for place in [
            json!({"type": "object", keyword: false}),
            json!({"type": "object", "properties": {"a": {"anyOf": [{"not": {keyword: {"type": "string"}}}]}}}),
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {keyword: true}}}),
        ] {
            let errors = compile(place.clone()).expect_err("refused");
            assert!(errors[0].starts_with(&format!("has {keyword}, which is not supported; use ")), "{errors:?}");
        }
    }
}

#[test]
fn many_and_deep_subschemas_are_refused_with_the_bound() {
    let nested = |keyword: &str, depth: usize| {
        let mut schema = json!({});
        for _ in 0..depth {
            schema = json!({keyword: schema});
        }
        json!({"type": "object", "properties": {"a": schema}})
    };
    for keyword in ["not", "items", "additionalProperties", "contains", "if"] {
        assert_eq!(compile(nested(keyword, 20)).err(), None, "{keyword}");
        let deep = compile(nested(keyword, 36)).expect_err("deep");
        assert_eq!(deep, ["has a path of more than 32 subschemas, $ref included; flatten it"], "{keyword}");
        let deeper = compile(nested(keyword, 150)).expect_err("deeper");
        assert_eq!(deeper, ["is nested deeper than 40 levels; flatten it, or use $ref"], "{keyword}");
    }
    let wide = |count: usize| json!({"type": "object", "properties": {"a": {"anyOf": vec![json!({}); count]}}});
    assert_eq!(compile(wide(PATHS_MAX - 3)).err(), None);
    assert!(compile(wide(PATHS_MAX)).expect_err("wide")[0].starts_with("has more than 2000 paths: "));
}

#[test]
fn the_most_expensive_schema_with_the_most_values_is_checked_soon() {
    let start = Instant::now();
    for (keyword, part) in [
        ("allOf", json!({"type": "number"})),
        ("anyOf", json!({"type": "string"})),
        ("oneOf", json!({"type": "string"})),
        ("anyOf", json!({"enum": (0..40).collect::<Vec<_>>()})),
    ] {
        let all = |part: &Value| json!({keyword: vec![part; if part.get("enum").is_some() { 1 } else { 42 }]});
        let schema = json!({"type": "object", "$defs": {"d": all(&part)}, "properties": {"a": {
            "type": "array", "uniqueItems": true, "items": all(&json!({"$ref": "#/$defs/d"}))}}});
        let schema = compile(schema).expect("a schema");
        for count in [100, 1000, 1990, 2200, 20_000] {
            let values: Vec<f64> = (0..count).map(|i| f64::from(i) + 0.5).collect();
            let arguments = json!({"a": values});
            let _ = schema.check(arguments.as_object().expect("object").clone());
        }
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// Policies of patterns, by size and by number.
#[test]
fn patterns_are_bounded_in_size_and_number() {
    let start = Instant::now();
    let by_keyword = |patterns: Vec<String>| {
        let values: Map<String, Value> = patterns.iter().cloned().map(|pattern| (pattern, json!(true))).collect();
        let all = |schema: fn(&String) -> Value| Value::from(patterns.iter().map(schema).collect::<Vec<_>>());
        [
            json!({"patternProperties": values}),
            json!({"allOf": all(|pattern| json!({"pattern": pattern}))}),
            json!({"allOf": all(|pattern| json!({"propertyNames": {"pattern": pattern}}))}),
        ]
        .map(|schema| json!({"type": "object", "properties": {"a": schema}}))
    };
    for repeated in [1, 10, 50] {
        let patterns = |count: usize| (0..count).map(|i| format!(".{{{repeated}}}{i}")).collect();
        for schema in by_keyword(patterns(PATTERNS_MAX)) {
            assert_eq!(compile(schema.clone()).err(), None, "{schema}");
        }
        for count in [PATTERNS_MAX + 1, 100, 180] {
            for schema in by_keyword(patterns(count)) {
                let errors = compile(schema).expect_err("many patterns");
                assert!(
                    errors[0].starts_with(&format!("has {count} patterns, and 32 of 32 are left for it; ")),
                    "{errors:?}"
                );
            }
        }
    }
    for large in [".{999}0", r"(\p{L}{20}){50}", "((a{99}){99}){99}", "((((.{9}){9}){9}){9}){9}", "(.|..|...){500}"] {
        for schema in by_keyword(vec![large.into()]) {
            let errors = compile(schema).expect_err("a large pattern");
            assert!(errors[0].contains("262144 bytes"), "{errors:?}");
        }
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}
