//! `routing check` on policies with mistakes.

use std::fs;

use serde_json::{Value, json};
use tests::{
    policy::written,
    program::{self, check},
};

#[test]
fn check_names_every_problem_with_its_place() {
    let more = r#"
thresholds: {floor: 0.9, ceil: "0,7"}
evidnce: {}
skills:
- {name: debug}
- {name: debug}
- name: notes
  description: d
  inputSchema: {type: object, properties: {commits: {type: string}}}
  stages: [{system: {text: s}, user: "{{ args.commitz }}"}]
- name: review
  thresholds: {floor: "0.5", ceil: "0.6"}
  inputSchema: {type: object, properties: {commits: {type: string}}}
  stages: []
"#;
    let (valid, printed) = check(&written("http://litellm:4000", "l", more.trim_start()), &[]);
    assert!(!valid);
    for line in [
        "policy.yaml:7:16: spec.thresholds.floor: 0.9: quote it: \"0.9\"",
        "policy.yaml:7:28: spec.thresholds.ceil: 0,7: must be a decimal from 0 to 1",
        "policy.yaml:8:3: spec.evidnce: unknown field",
        "policy.yaml:11:6: spec.skills[1].name: debug: a skill with this name is already defined above",
        "spec.skills[2].stages[0].user: unknown variable args.commitz; inputSchema.properties declares: commits",
        "spec.skills[3].description: is required, because \"review\" is not a built-in skill",
        "spec.skills[3].stages: 0 stages: must be 1 to 8",
        "spec.skills[3].thresholds.ceil: 0.6: must not be above floor (0.5)",
    ] {
        assert!(printed.contains(line), "{line}\nin\n{printed}");
    }
    assert_eq!(printed.lines().count(), 8, "{printed}");
}

#[test]
fn check_names_what_is_wrong_with_the_evidence_in_one_sentence_each() {
    for (more, expected) in [
        ("thresholds: {floor: \"0.9\"}", "7:3: spec.thresholds.ceil: is required"),
        (
            "thresholds: {floor: \"0.9\", ceil: \"0.7\", relativeTo: Claude}",
            "7:43: spec.thresholds.relativeTo: Claude: needs a brain, which knows Claude's rate; set spec.brain, or leave \
             relativeTo out",
        ),
        (
            "thresholds: {floor: \"0.9\", ceil: \"0.7\", relativeTo: claude}",
            "7:43: spec.thresholds.relativeTo: claude: must be one of None, Claude; did you mean Claude?",
        ),
        (
            "evidence: {exploration: {mode: Live}}",
            "7:28: spec.evidence.exploration.mode: Live: needs a brain, without which nothing is learned from it; set \
             spec.brain, or leave it out",
        ),
        (
            "evidence: {exploration: {share: \"1.5\"}}",
            "7:28: spec.evidence.exploration.share: 1.5: must be a decimal from 0 to 1 with at most four decimal places",
        ),
        (
            "evidence: {sources: []}",
            "7:14: spec.evidence.sources: []: must name at least one source; leave it out for all but implicit",
        ),
        (
            "evidence: {sources: [humans]}",
            "7:24: spec.evidence.sources[0]: humans: must be one of human, ci, review, agent, check, grader, implicit; \
             did you mean human?",
        ),
        ("evidence: {sources: [ci, ci]}", "7:28: spec.evidence.sources[1]: ci: is already listed above; remove one"),
    ] {
        let (valid, printed) = check(&written("http://litellm:4000", "l", more), &[]);
        assert!(!valid && printed.contains(&format!("policy.yaml:{expected}")), "{more}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{more}: {printed}");
    }
}

#[test]
fn check_names_what_is_wrong_with_a_check_and_a_grading_in_one_sentence_each() {
    for (skill, expected) in [
        ("check: {jsonSchema: {type: nonsense}}", "8:34: spec.skills[0].check.jsonSchema: is not a JSON Schema"),
        ("check: {pattern: \"(a\"}", "8:34: spec.skills[0].check.pattern: has the pattern"),
        ("check: {pattern: \"(?=a)\"}", "8:34: spec.skills[0].check.pattern: has the pattern"),
        ("check: {pattern: \"(?:a{1000}){1000}\"}", "8:34: spec.skills[0].check.pattern: has the pattern"),
        (
            "check: {pattern: a, jsonSchema: {type: object}}",
            "8:26: spec.skills[0].check: must have exactly one of jsonSchema and pattern",
        ),
        ("check: {}", "8:26: spec.skills[0].check: must have exactly one of jsonSchema and pattern"),
        ("onFailedCheck: Claude", "8:26: spec.skills[0].onFailedCheck: needs a check; add one, or remove it"),
        (
            "grading: {share: \"1.5\", maxPerHour: 1, rubric: r}",
            "8:36: spec.skills[0].grading.share: 1.5: must be a decimal from 0 to 1",
        ),
        (
            "grading: {share: \"1\", maxPerHour: 0, rubric: r}",
            "8:48: spec.skills[0].grading.maxPerHour: 0: must be from 1 to 10000",
        ),
        (
            "grading: {share: \"1\", maxPerHour: 1, rubric: r, by: Grader}",
            "6:3: spec.models: must have a grader, because a skill has grading.by: Grader; add models.grader",
        ),
    ] {
        let more = format!("brain: {{url: \"http://brain\"}}\nskills: [{{name: debug, {skill}}}]");
        let (valid, printed) = check(&written("http://litellm:4000", "l", &more), &[]);
        assert!(!valid && printed.contains(&format!("policy.yaml:{expected}")), "{skill}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{skill}: {printed}");
    }
}

#[test]
fn check_refuses_a_policy_in_which_only_a_grader_that_does_not_count_would_decide() {
    let more = "brain: {url: \"http://brain\"}\nskills: [{name: debug, grading: {share: \"1\", maxPerHour: 1, rubric: r}}]\n\
        evidence: {sources: [grader]}";
    let (valid, printed) = check(&written("http://litellm:4000", "l", more), &[]);
    assert!(
        !valid && printed.contains("policy.yaml:9:14: spec.evidence.sources: [grader]: leaves no verdict"),
        "{printed}"
    );
    assert!(printed.contains("grading.counts: true") && printed.lines().count() == 1, "{printed}");
}

#[test]
fn check_takes_the_policy_from_among_other_documents_and_names_places_in_the_file() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: routing}\n---\n";
    let file = |more: &str| format!("{namespace}{}---\n", written("http://a", "l", more));
    let (valid, printed) = check(&file(""), &[]);
    assert!(valid, "{printed}");
    let (valid, printed) = check(&file("treshold: {}\nservice: {port: 03210}"), &[]);
    assert!(!valid);
    for line in [
        "policy.yaml:11:3: spec.treshold: unknown field; did you mean thresholds?",
        "policy.yaml:12:13: spec.service.port: 03210: must be a whole number; write 3210, without a leading zero",
    ] {
        assert!(printed.contains(line), "{line}\nin\n{printed}");
    }
}

#[test]
fn check_accepts_a_schema_that_model_apis_refuse_and_warns_of_it() {
    let policy = written("http://a", "l", "skills: [{name: debug, inputSchema: {type: object, anyOf: [true]}}]");
    let (valid, printed) = check(&policy, &[]);
    let start = "policy.yaml: warning: skill debug: inputSchema has anyOf at its top level, ";
    assert!(valid && printed.lines().count() == 2, "{printed}");
    assert!(printed.lines().last().is_some_and(|line| line.starts_with(start)), "{printed}");
    let (valid, printed) = check(&policy, &["--output", "json"]);
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(valid && report[0]["problems"] == json!([]), "{printed}");
    assert!(report[0]["warnings"][0].as_str().is_some_and(|warning| warning.starts_with("skill debug: ")), "{printed}");
    let without = check(&written("http://a", "l", ""), &["--output", "json"]).1;
    assert!(without.contains(r#""warnings":[]"#), "{without}");
}

#[test]
fn check_has_json_output_and_takes_several_files() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("good.yaml"), written("http://a", "l", "")).expect("written");
    fs::write(folder.path().join("bad.yaml"), written("a", "l", "")).expect("written");
    let output = program::run(&["check", "good.yaml", "bad.yaml", "none.yaml", "--output", "json"], &[], folder.path());
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let valid: Vec<&Value> = report.as_array().expect("a list").iter().map(|file| &file["valid"]).collect();
    assert_eq!(valid, [&json!(true), &json!(false), &json!(false)]);
    assert_eq!(report[0]["skills"], json!(["code_review", "debug", "retrospective", "trainer"]));
    assert_eq!(report[1]["problems"][0]["position"], json!({"line": 5, "column": 14}));
    assert!(report[2]["problems"][0]["message"].as_str().is_some_and(|message| message.contains("cannot be read")));
    assert!(program::run(&["check", "good.yaml"], &[], folder.path()).status.success());
    assert_eq!(program::run(&["check"], &[], folder.path()).status.code(), Some(2), "no file is a usage error");
}
