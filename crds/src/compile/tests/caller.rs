//! A policy whose Claude is the caller.

use super::*;
use crate::table::ClaudeTarget;

const UPSTREAM: &str = "  upstream: {url: http://litellm:4000, apiKeySecretRef: {name: s, key: k}}\n";
const ONE_STAGE: &str = "  skills: [{name: debug}, {name: code_review}]";

fn compiled(claude: &str, more: &str) -> Result<RoutingTable, Vec<String>> {
    compile_text(&format!("{UPSTREAM}  models: {{local: {{name: l}}, claude: {claude}}}\n{more}\n"))
}

#[test]
fn the_caller_is_no_model_and_needs_neither_endpoint_nor_key() {
    let own = "  models: {local: {name: l, upstream: {url: http://gpu:8000}}, claude: {returnToCaller: {}}}";
    let table = compile_text(&format!("{UPSTREAM}{own}\n{ONE_STAGE}\n")).expect("compiles");
    assert_eq!((&table.claude, table.claude.name()), (&ClaudeTarget::Caller, "caller"));
    assert_eq!(table.models().map(|(name, _)| name).collect::<Vec<_>>(), ["local"]);
    assert_eq!(table.secrets().count(), 0, "the key of spec.upstream is for a model that is not there");
    assert_eq!(compiled("{name: c}", "").expect("compiles").secrets().count(), 2);
}

#[test]
fn the_caller_has_nothing_of_a_model_and_judges_nothing() {
    let alone =
        "spec.models.claude.returnToCaller: must not have parameters, upstream, timeout, maxConcurrent or price";
    let judged = "  skills: [{name: debug, grading: {share: \"1\", maxPerHour: 1, rubric: r}}]";
    for (claude, more, expected) in [
        ("{}", ONE_STAGE, "spec.models.claude: must have exactly one of name and returnToCaller"),
        ("{name: c, returnToCaller: {}}", ONE_STAGE, "spec.models.claude: must have exactly one of name and returnTo"),
        ("{returnToCaller: {}, timeout: 9s}", ONE_STAGE, alone),
        ("{returnToCaller: {}, maxConcurrent: 2}", ONE_STAGE, alone),
        ("{returnToCaller: {}, parameters: {max_tokens: 9}}", ONE_STAGE, alone),
        ("{returnToCaller: {}, upstream: {url: http://a}}", ONE_STAGE, alone),
        ("{returnToCaller: {}, price: {input: \"3\", output: \"15\"}}", ONE_STAGE, alone),
        (
            "{returnToCaller: {}}",
            judged,
            "spec.skills[0].grading: must not be by Claude, because models.claude is the caller",
        ),
    ] {
        let errors = compiled(claude, more).expect_err(claude);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{claude}: {errors:?}");
    }
    let graded = "{returnToCaller: {}}, grader: {name: g}";
    let by_grader = judged.replace("rubric: r", "rubric: r, by: Grader");
    assert!(compiled(graded, &by_grader).is_ok());
}

#[test]
fn only_the_work_of_a_last_stage_is_returned() {
    let trainer = "spec.models.claude.returnToCaller: cannot serve the skill trainer: it has 2 stages, and one before the last \
        cannot be returned to the caller; set models.claude.name, or give the skill route: Local, or ";
    let own = "  skills: [{name: own, description: d, inputSchema: {type: object}, stages: [{system: {text: s}, user: u}, \
        {system: {text: s}, user: u}]}]";
    for (skills, cure) in [
        ("", "list the skills without it"),
        ("  skills: [{name: trainer}, {name: debug}]", "leave it out of skills"),
        ("  skills: [{name: trainer, route: Local, onLocalError: Claude}]", "leave it out of skills"),
        ("  skills: [{name: trainer, route: Claude}]", "leave it out of skills"),
    ] {
        let errors = compiled("{returnToCaller: {}}", skills).expect_err(skills);
        assert_eq!(errors, [format!("{trainer}{cure}")], "{skills}");
    }
    let errors = compiled("{returnToCaller: {}}", own).expect_err("two stages");
    assert!(errors.len() == 1 && errors[0].contains("cannot serve the skill own: it has 2 stages"), "{errors:?}");
    for skills in [
        ONE_STAGE,
        "  skills: [{name: trainer, route: Local}]",
        "  skills: [{name: trainer, route: Local, onLocalError: Fail}]",
        "  skills: [{name: trainer, stages: [{system: {text: s}, user: u}]}]",
    ] {
        assert!(compiled("{returnToCaller: {}}", skills).is_ok(), "{skills}");
    }
}

#[test]
fn the_rule_in_cel_names_the_built_in_skills_with_several_stages() {
    let skills = crate::builtin::skills(&BuiltinPrompts::default());
    let several: Vec<_> =
        skills.iter().filter(|skill| skill.stages.as_ref().is_some_and(|all| all.len() > 1)).collect();
    assert_eq!(several.iter().map(|skill| skill.name.as_str()).collect::<Vec<_>>(), ["trainer"]);
    assert!(several.iter().all(|skill| skill.on_local_error.is_none()), "the rule takes it for Fail with route: Local");
}
