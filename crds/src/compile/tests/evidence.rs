//! What is said of pass rates.

use super::*;
use crate::policy::ExplorationMode;

/// A skill's grading, not closed.
const GRADED: &str = "grading: {share: \"1\", maxPerHour: 1, rubric: r";
const BRAIN: &str = "  brain: {url: http://b}\n";

#[test]
fn every_rule_of_the_evidence_names_path_value_and_cure() {
    let relative = "thresholds: {floor: \"0.9\", ceil: \"0.7\", relativeTo: Claude}";
    assert_refused(vec![
        (
            format!("  {relative}"),
            "spec.thresholds.relativeTo: Claude: needs a brain, which knows Claude's rate; set spec.brain, or leave",
        ),
        (
            format!("{BRAIN}  evidence: {{of: Skill}}\n  {relative}"),
            "spec.thresholds.relativeTo: Claude: needs Claude's own rate; set spec.evidence.of: Model, or leave relativeTo",
        ),
        (
            format!("  skills: [{{name: debug, {relative}}}]"),
            "spec.skills[0].thresholds.relativeTo: Claude: needs a brain",
        ),
        (
            "  evidence: {exploration: {mode: Live}}".into(),
            "spec.evidence.exploration.mode: Live: needs a brain, without which nothing is learned from it; set spec.brain",
        ),
        (
            format!("{BRAIN}  evidence: {{exploration: {{mode: Shadow, share: \"1.5\"}}}}"),
            "spec.evidence.exploration.share: 1.5: must be a decimal from 0 to 1",
        ),
        (
            format!("{BRAIN}  evidence: {{exploration: {{claudeShare: 0.1}}}}"),
            "spec.evidence.exploration.claudeShare: 0.1: quote it: \"0.1\"",
        ),
        (
            "  evidence: {sources: []}".into(),
            "spec.evidence.sources: []: must name at least one source; leave it out for all but implicit",
        ),
        (
            "  evidence: {sources: [ci, human, ci]}".into(),
            "spec.evidence.sources[2]: ci: is already listed above; remove one",
        ),
        (
            format!("{BRAIN}  evidence: {{sources: [grader]}}\n  skills: [{{name: debug, {GRADED}}}}}]"),
            "spec.evidence.sources: [grader]: leaves no verdict that counts for the skill debug, whose gradings do not; list \
             another source, or set the skill's grading.counts: true",
        ),
        (
            format!(
                "{BRAIN}  evidence: {{sources: [grader]}}\n  skills: [{{name: debug, {GRADED}, counts: true}}}}, {{name: trainer}}]"
            ),
            "spec.evidence.sources: [grader]: leaves no verdict that counts for the skill trainer",
        ),
        (
            format!(
                "{BRAIN}  evidence: {{of: Skill, sources: [grader]}}\n  skills: [{{name: trainer}}, {{name: debug, {GRADED}}}}}]"
            ),
            "spec.evidence.sources: [grader]: leaves no verdict that counts for the skill debug",
        ),
    ]);
}

#[test]
fn a_grader_may_decide_alone_where_the_policy_says_that_it_counts() {
    for more in [
        format!("evidence: {{sources: [grader]}}\n  skills: [{{name: debug, {GRADED}, counts: true}}}}]"),
        "evidence: {of: Skill, sources: [grader]}".into(),
        format!("evidence: {{sources: [grader, human]}}\n  skills: [{{name: debug, {GRADED}}}}}]"),
    ] {
        assert!(with(&format!("{BRAIN}  {more}")).is_ok(), "{more}");
    }
}

#[test]
fn what_a_policy_says_of_evidence_reaches_the_table() {
    let table = with(&format!(
        "{BRAIN}  evidence: {{of: Skill, sources: [implicit, human], onExpired: Forget, exploration: {{mode: Live, share: \"0.1\", \
         claudeShare: \"0.2\"}}}}"
    ))
    .expect("compiles");
    assert_eq!((table.evidence.of, table.evidence.on_expired), (EvidenceOf::Skill, OnExpired::Forget));
    assert_eq!(table.evidence.sources, [Source::Human, Source::Implicit], "strongest first");
    let expected = ExplorationRules { mode: ExplorationMode::Live, share: 0.1, claude_share: 0.2 };
    assert_eq!(table.exploration, expected);
}

#[test]
fn a_skills_thresholds_replace_the_policys_as_a_whole() {
    let table = with(&format!(
        "{BRAIN}  thresholds: {{floor: \"0.9\", ceil: \"0.7\", relativeTo: Claude}}\n  skills: [{{name: debug}}, {{name: trainer, \
         thresholds: {{floor: \"0.8\", ceil: \"0.6\"}}}}]"
    ))
    .expect("compiles");
    assert_eq!(table.skills["debug"].relative_to, RelativeTo::Claude);
    assert_eq!(table.skills["trainer"].relative_to, RelativeTo::None);
}
