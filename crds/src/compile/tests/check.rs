//! What is asked of a skill's answers.

use super::*;
use crate::{
    policy::{CheckCounts, GradedBy, OnFailedCheck},
    table::GradingRules,
};

#[test]
fn a_check_and_a_grading_have_their_defaults() {
    let table = with(
        "  skills:\n  - {name: debug, check: {pattern: x}}\n  - {name: trainer, route: Local, onLocalError: Claude, \
        check: {jsonSchema: {}, counts: Both}, onFailedCheck: Claude, grading: {share: \"0.05\", maxPerHour: 20, rubric: r}}",
    );
    let table = table.expect("compiles");
    let check = |skill: &str| table.skills[skill].check.as_ref().map(|check| (check.counts, check.on_failed));
    assert_eq!(check("debug"), Some((CheckCounts::Fail, OnFailedCheck::Keep)));
    assert_eq!(check("trainer"), Some((CheckCounts::Both, OnFailedCheck::Claude)));
    assert!(table.skills["debug"].grading.is_none() && table.grader.is_none());
    let grading =
        GradingRules { share: 0.05, max_per_hour: 20, rubric: "r".into(), by: GradedBy::Claude, counts: false };
    assert_eq!(table.skills["trainer"].grading, Some(grading));
}

#[test]
fn every_rule_of_a_check_and_a_grading_names_path_value_and_cure() {
    let debug = |more: &str| format!("  skills: [{{name: debug, {more}}}]");
    let grading = |share: &str, most: &str, rubric: &str, more: &str| {
        debug(&format!("grading: {{share: {share}, maxPerHour: {most}, rubric: {rubric}{more}}}"))
    };
    assert_refused(vec![
        (debug("check: {}"), "spec.skills[0].check: must have exactly one of jsonSchema and pattern"),
        (
            debug("check: {pattern: x, jsonSchema: {}}"),
            "spec.skills[0].check: must have exactly one of jsonSchema and pat",
        ),
        (
            debug("check: {pattern: (}"),
            "spec.skills[0].check.pattern: has the pattern (, which is not a regular expression",
        ),
        (
            debug("check: {pattern: \"(a{99}){99}\"}"),
            "spec.skills[0].check.pattern: has the pattern (a{99}){99}, which is",
        ),
        (
            debug(&format!("check: {{pattern: {}}}", "x".repeat(1001))),
            "spec.skills[0].check.pattern: 1001 characters: must be 1 to 1000 characters",
        ),
        (debug("check: {jsonSchema: {type: strin}}"), "spec.skills[0].check.jsonSchema: is not a JSON Schema"),
        (
            debug("check: {jsonSchema: {$ref: \"http://a/b\"}}"),
            "spec.skills[0].check.jsonSchema: refers to http://a/b: only references into the schema itself",
        ),
        (debug("onFailedCheck: Keep"), "spec.skills[0].onFailedCheck: needs a check; add one, or remove it"),
        (
            debug("route: Local, check: {pattern: x}, onFailedCheck: Claude"),
            "spec.skills[0].onFailedCheck: Claude: must not be Claude where nothing of the skill may be sent there; remove",
        ),
        (
            debug("route: Local, onLocalError: Fail, check: {pattern: x}, onFailedCheck: Claude"),
            "spec.skills[0].onFailedCheck: Claude: must not be Claude where nothing of the skill may be sent there; remove",
        ),
        (grading("\"1.5\"", "20", "r", ""), "spec.skills[0].grading.share: 1.5: must be a decimal from 0 to 1"),
        (grading("0.5", "20", "r", ""), "spec.skills[0].grading.share: 0.5: quote it: \"0.5\""),
        (grading("\"0.5\"", "0", "r", ""), "spec.skills[0].grading.maxPerHour: 0: must be from 1 to 10000"),
        (grading("\"0.5\"", "10001", "r", ""), "spec.skills[0].grading.maxPerHour: 10001: must be from 1 to 10000"),
        (grading("\"0.5\"", "20", "\"\"", ""), "spec.skills[0].grading.rubric: 0 characters: must be 1 to 4096"),
        (
            grading("\"0.5\"", "20", "r", ", by: Grader"),
            "spec.models: must have a grader, because a skill has grading.by: Grader; add models.grader, or remove by",
        ),
        (
            format!("{}, route: Local}}]", grading("\"0.5\"", "20", "r", "").trim_end_matches("}]")),
            "spec.skills[0].grading: must not be by Claude where nothing of the skill may be sent there; set by: Grader",
        ),
    ]);
}

#[test]
fn checks_and_schemas_share_the_patterns_of_a_policy() {
    let skills = |count: usize| {
        let names: Vec<String> = (0..count)
            .map(|i| {
                format!(
                    "{{name: s{i}, description: d, inputSchema: {{type: object, properties: \
            {{a: {{pattern: x}}}}}}, stages: [{{system: {{text: s}}, user: u}}], check: {{pattern: y}}}}"
                )
            })
            .collect();
        format!("  skills: [{}]", names.join(", "))
    };
    assert!(with(&skills(16)).is_ok());
    let errors = with(&skills(17)).expect_err("34 patterns");
    assert!(errors[0].contains("has 1 patterns, and 0 of 32 are left for it"), "{errors:?}");
}
