//! The rules in CEL, without an API server. `tests/` sends the same files to a real one.

use std::{fs, num::NonZero, path::Path, thread};

use serde_json::Value;

use crate::RoutingPolicy;

/// What is wrong with a rule's two fixtures, by the name of the invalid one; none: the file is no such fixture.
fn wrong(folder: &Path, file: &str) -> Option<Vec<String>> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let name = file.strip_suffix(".invalid.yaml")?;
    let invalid = read(file);
    let path = invalid.lines().nth(1).and_then(|line| line.strip_prefix("# cel: "))?;
    let parse = |text: &str| serde_saphyr::from_str::<RoutingPolicy>(text).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut wrong = vec![];
    if let Err(errors) = parse(&read(&format!("{name}.valid.yaml"))).validate_cel() {
        wrong.push(format!("{name}.valid.yaml: {errors}"));
    }
    match parse(&invalid).validate_cel() {
        Ok(()) => wrong.push(format!("{name}.invalid.yaml is accepted")),
        Err(errors) => {
            let found: Vec<String> = errors.iter().map(|error| error.field_path.clone()).collect();
            // The rule about the name is at the root, which has no path.
            if !found.iter().any(|at| at == path || at.is_empty()) || found.len() != 1 {
                wrong.push(format!("{name}.invalid.yaml: at {found:?}, expected {path}"));
            }
        }
    }
    Some(wrong)
}

#[test]
fn every_rule_in_cel_refuses_its_invalid_fixture_at_its_field_and_accepts_its_valid_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = fs::read_dir(&folder).expect("the fixtures").map(|entry| entry.expect("an entry").file_name());
    let files: Vec<String> = files.map(|file| file.into_string().expect("UTF-8")).collect();
    // On all processors: each file takes the whole definition, compiled anew.
    let share = files.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get));
    let pairs: Vec<Vec<String>> = thread::scope(|scope| {
        let folder = &folder;
        let of_share = move |files: &[String]| files.iter().filter_map(|file| wrong(folder, file)).collect::<Vec<_>>();
        let workers: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || of_share(files))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a fixture that can be read")).collect()
    });
    assert_eq!(pairs.concat(), Vec::<String>::new());
    let pairs = pairs.len();
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
