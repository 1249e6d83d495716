//! Where the calls of a skill go, and on what that rests, as `/status` reports it. No I/O.

use crds::{
    RoutingTable,
    pod::{SkillReport, rules::GradingReport},
    policy::{ExplorationMode, OnExpired},
    table::{ExplorationRules, Skill},
};

use crate::{
    decide::{Arms, Decided, Measured, Reason, SkillRules, decide_for_skill},
    decision::milliseconds,
    evidence::SkillEvidence,
};

/// The report on a skill of the table, of whose answers so many were judged by a model within the last hour.
pub fn of(table: &RoutingTable, skill: &Skill, evidence: SkillEvidence, graded: usize) -> SkillReport {
    let SkillEvidence { measured, age } = evidence;
    let Decided { decision, reason, effective_rate, thresholds, .. } = by_rate(table, skill, measured);
    let Arms { claude, held, held_age, verdicts, decisions } = measured.arms.unwrap_or_default();
    SkillReport {
        name: skill.name.clone(),
        pass_rate: effective_rate,
        samples: measured.samples,
        route: if reason == Reason::Split { "split" } else { decision.as_str() }.into(),
        reason: reason.as_str().into(),
        evidence_age_ms: age.map(milliseconds),
        evidence_of: measured.arms.map(|_| table.local.model.clone()),
        claude_pass_rate: claude.pass_rate,
        claude_samples: claude.samples,
        decisions,
        coverage: verdicts.zip(decisions).and_then(|(verdicts, decisions)| coverage(verdicts, decisions)),
        held,
        held_age_ms: held_age.map(milliseconds),
        floor: Some(thresholds.floor),
        ceil: Some(thresholds.ceil),
        relative_to: skill.relative_to,
        check: skill.check.as_ref().map(Into::into),
        grading: skill.grading.as_ref().map(|rules| GradingReport::of(rules, graded)),
        locked: is_locked(table, skill, measured),
        exploring: explores(table.exploration),
    }
}

/// Whether a skill is below ceil and gets no outcomes of the local model any more, so that only a person can bring it
/// back. A rate of all its answers is not that of the local model alone: Claude's move it, too.
pub fn is_locked(table: &RoutingTable, skill: &Skill, measured: Measured) -> bool {
    let below = by_rate(table, skill, measured).reason == Reason::BelowCeil;
    let stays = measured.arms.is_some() && table.evidence.on_expired == OnExpired::Hold;
    below && stays && !explores_local(table.exploration)
}

/// Where the pass rate alone sends a call; in the band, one of the two.
fn by_rate(table: &RoutingTable, skill: &Skill, measured: Measured) -> Decided {
    decide_for_skill(&SkillRules::of(table, skill).by_rate_alone(), measured, 0)
}

fn explores(rules: ExplorationRules) -> bool {
    rules.mode != ExplorationMode::Off && (rules.share > 0.0 || rules.claude_share > 0.0)
}

fn explores_local(rules: ExplorationRules) -> bool {
    rules.mode != ExplorationMode::Off && rules.share > 0.0
}

/// The part of the decisions that has a verdict, from 0 to 1: verdicts on older decisions do not make it more.
fn coverage(verdicts: u64, decisions: u64) -> Option<f64> {
    (decisions > 0).then(|| (verdicts as f64 / decisions as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use crds::{Document, builtin::BuiltinPrompts, compile};

    use super::*;
    use crate::decide::Rate;

    const POLICY: &str = "apiVersion: routing.hyperguild.io/v1alpha1\nkind: RoutingPolicy\nmetadata: {name: p}\nspec:\n  \
        upstream: {url: http://litellm:4000}\n  models: {local: {name: qwen}, claude: {name: claude}}\n  \
        brain: {url: http://brain:3300}\n  thresholds: {floor: \"0.9\", ceil: \"0.5\"}\n  evidence: ";

    fn table(evidence: &str) -> RoutingTable {
        let document = Document::parse(&format!("{POLICY}{evidence}\n")).expect("a policy");
        compile(&document.policy.spec, &BuiltinPrompts::default()).expect("compiles")
    }

    fn of_local(rate: f64) -> Measured {
        let claude = Rate { pass_rate: Some(0.8), samples: Some(22) };
        let arms = Arms { claude, verdicts: Some(30), decisions: Some(120), ..Arms::default() };
        Measured { pass_rate: Some(rate), samples: Some(41), arms: Some(arms) }
    }

    #[test]
    fn a_skill_is_locked_when_no_outcome_of_the_local_model_can_come_any_more() {
        let is_locked = |evidence: &str, measured| {
            let table = table(evidence);
            is_locked(&table, &table.skills["debug"], measured)
        };
        for (evidence, measured, expected, why) in [
            ("{}", of_local(0.1), true, "below ceil, held, nothing explores"),
            ("{exploration: {mode: Off, share: \"0.5\"}}", of_local(0.1), true, "a share that is off"),
            ("{exploration: {mode: Live, share: \"0\"}}", of_local(0.1), true, "a share of nothing"),
            ("{exploration: {mode: Live}}", of_local(0.1), false, "explores"),
            ("{exploration: {mode: Shadow}}", of_local(0.1), false, "shadows"),
            ("{onExpired: Forget}", of_local(0.1), false, "forgotten with the window"),
            ("{}", of_local(0.6), false, "in the band half of the calls are local"),
            ("{minSamples: 50}", of_local(0.1), false, "too few: calls go local"),
            ("{}", Measured { arms: None, ..of_local(0.1) }, false, "Claude's answers move the skill's rate"),
        ] {
            assert_eq!(is_locked(evidence, measured), expected, "{evidence}: {why}");
        }
    }

    #[test]
    fn the_report_names_whose_rate_it_is_and_what_it_rests_on() {
        let table = table("{exploration: {mode: Live, share: \"1\"}}");
        let evidence = SkillEvidence { measured: of_local(0.25), age: None };
        let report = of(&table, &table.skills["debug"], evidence, 0);
        assert_eq!(
            (report.route.as_str(), report.reason.as_str()),
            ("claude", "below_ceil"),
            "where the rate sends it"
        );
        assert_eq!(
            (report.evidence_of.as_deref(), report.pass_rate, report.samples),
            (Some("qwen"), Some(0.25), Some(41))
        );
        assert_eq!((report.claude_pass_rate, report.claude_samples), (Some(0.8), Some(22)));
        assert_eq!((report.decisions, report.coverage), (Some(120), Some(0.25)));
        assert_eq!((report.floor, report.ceil, report.locked), (Some(0.9), Some(0.5), false));
    }
}
