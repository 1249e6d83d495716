//! The rules in CEL, without an API server. `tests/` sends the same files to a real one.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::RoutingPolicy;

#[test]
fn every_rule_in_cel_refuses_its_invalid_fixture_at_its_field_and_accepts_its_valid_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut pairs = 0;
    let mut wrong = BTreeSet::new();
    for entry in fs::read_dir(&folder).expect("the fixtures") {
        let file = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let Some(name) = file.strip_suffix(".invalid.yaml") else { continue };
        let invalid = read(&file);
        let Some(path) = invalid.lines().nth(1).and_then(|line| line.strip_prefix("# cel: ")) else { continue };
        pairs += 1;
        let parse =
            |text: &str| serde_saphyr::from_str::<RoutingPolicy>(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Err(errors) = parse(&read(&format!("{name}.valid.yaml"))).validate_cel() {
            wrong.insert(format!("{name}.valid.yaml: {errors}"));
        }
        match parse(&invalid).validate_cel() {
            Ok(()) => drop(wrong.insert(format!("{name}.invalid.yaml is accepted"))),
            Err(errors) => {
                let found: Vec<String> = errors.iter().map(|error| error.field_path.clone()).collect();
                // The rule about the name is at the root, which has no path.
                if !found.iter().any(|at| at == path || at.is_empty()) || found.len() != 1 {
                    wrong.insert(format!("{name}.invalid.yaml: at {found:?}, expected {path}"));
                }
            }
        }
    }
    assert_eq!(wrong, BTreeSet::new());
    assert!(pairs >= 30, "only {pairs} fixtures test a rule in CEL");
}

#[test]
fn the_rule_of_complete_skills_names_the_built_in_ones() {
    let names = crate::builtin::skills(&crate::builtin::BuiltinPrompts::default());
    let list: Vec<String> = names.iter().map(|skill| format!("'{}'", skill.name)).collect();
    assert!(super::skill::COMPLETE_RULE.contains(&format!("[{}]", list.join(", "))), "{list:?}");
}

#[test]
fn every_list_text_and_map_of_the_crd_is_bounded() {
    use kube::CustomResourceExt;
    let crd = serde_json::to_value(RoutingPolicy::crd()).expect("JSON");
    let spec = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").expect("the spec");
    let mut unbounded = vec![];
    note_unbounded(spec, "spec", &mut unbounded);
    assert_eq!(unbounded, Vec::<String>::new());
}

fn note_unbounded(schema: &Value, path: &str, found: &mut Vec<String>) {
    let has = |keyword: &str| schema.get(keyword).is_some();
    let bounded = match schema["type"].as_str() {
        Some("string") => has("maxLength") || has("enum"),
        Some("array") => has("maxItems"),
        Some("object") => !has("additionalProperties") || has("maxProperties"),
        _ => true,
    };
    if !bounded {
        found.push(path.into());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        note_unbounded(field, &format!("{path}.{name}"), found);
    }
    for keyword in ["items", "additionalProperties"].into_iter().filter(|keyword| schema[*keyword].is_object()) {
        note_unbounded(&schema[keyword], &format!("{path}[]"), found);
    }
}
