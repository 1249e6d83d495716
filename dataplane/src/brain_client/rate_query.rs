//! What a pass rate is asked for, and what a brain that tells the models apart answers in addition to `contract`
//! part 3. No I/O.

use std::{collections::BTreeMap, time::Duration};

use crds::{
    RoutingTable,
    decimal::is_share,
    policy::{EvidenceOf, OnExpired, Source},
};
use serde_json::Value;

use crate::decide::{Arms, Rate};

/// What is asked for, whatever the skill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateQuery {
    window: String,
    /// The names of the sources that count for each skill; a skill that is not here has the contract's query.
    sources: BTreeMap<String, String>,
    /// None: `evidence.of: Skill`.
    arms: Option<ArmsQuery>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ArmsQuery {
    local: String,
    claude: String,
    at_least: Option<u64>,
}

impl RateQuery {
    /// What this table asks for.
    pub fn of(table: &RoutingTable) -> Self {
        let rules = &table.evidence;
        let named = table.skills.values().filter(|skill| rules.names_sources_of(skill));
        let arms = || ArmsQuery {
            local: table.local.model.clone(),
            claude: table.claude.name().into(),
            at_least: (rules.on_expired == OnExpired::Hold).then_some(rules.min_samples),
        };
        Self {
            window: rules.window.clone(),
            sources: named.map(|skill| (skill.name.clone(), names(&rules.sources_of(skill)))).collect(),
            arms: (rules.of == EvidenceOf::Model).then(arms),
        }
    }

    /// Whether the rate of the local model is asked for, and Claude's beside it.
    pub(super) fn tells_models_apart(&self) -> bool {
        self.arms.is_some()
    }

    /// The query's parameters for a skill.
    pub(super) fn parameters(&self, skill: &str) -> Vec<(&'static str, String)> {
        let mut parameters = vec![("skill", skill.to_string()), ("window", self.window.clone())];
        if let Some(ArmsQuery { local, claude, .. }) = &self.arms {
            parameters.extend([("local", local.clone()), ("claude", claude.clone())]);
        }
        parameters.extend(self.sources.get(skill).map(|sources| ("sources", sources.clone())));
        let at_least = self.arms.as_ref().and_then(|arms| arms.at_least);
        parameters.extend(at_least.map(|samples| ("at_least", samples.to_string())));
        parameters
    }
}

/// As the brain takes them.
fn names(sources: &[Source]) -> String {
    sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(",")
}

/// What is said of the models apart; none: the brain does not tell them apart, or says it in another form.
pub(super) fn arms(body: &Value) -> Option<Arms> {
    let claude = body.get("claude")?;
    let pass_rate = match claude.get("pass_rate")? {
        Value::Null => None,
        rate => Some(share(rate)?),
    };
    let sources = body.get("sources").and_then(Value::as_object);
    let verdicts = sources.map(|sources| sources.values().filter_map(Value::as_u64).fold(0, u64::saturating_add));
    Some(Arms {
        claude: Rate { pass_rate, samples: judged(claude) },
        held: body.get("held") == Some(&Value::Bool(true)),
        held_age: body.get("held_age_ms").and_then(Value::as_u64).map(Duration::from_millis),
        verdicts,
        decisions: body.get("decisions").and_then(Value::as_u64),
    })
}

/// A rate from 0 to 1; none: it is something else. A zero has no sign: it would be in the message of `contract` part 4.
pub(super) fn share(rate: &Value) -> Option<f64> {
    rate.as_f64().filter(|rate| is_share(*rate)).map(f64::abs)
}

/// Passes and fails together, where both are there.
pub(super) fn judged(rate: &Value) -> Option<u64> {
    let count = |name: &str| rate.get(name).and_then(Value::as_u64);
    count("pass").zip(count("fail")).map(|(pass, fail)| pass.saturating_add(fail))
}

#[cfg(test)]
mod tests {
    use crds::{Document, builtin::BuiltinPrompts, compile};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_about_both_models_is_read_as_such() {
        let body = json!({"skill": "debug", "pass_rate": 0.68, "pass": 28, "fail": 13, "total": 97,
            "claude": {"pass_rate": 0.91, "pass": 20, "fail": 2}, "sources": {"human": 12, "check": 51},
            "decisions": 120, "since": null, "held": true, "held_age_ms": 1500});
        let expected = Arms {
            claude: Rate { pass_rate: Some(0.91), samples: Some(22) },
            held: true,
            held_age: Some(Duration::from_millis(1500)),
            verdicts: Some(63),
            decisions: Some(120),
        };
        assert_eq!(arms(&body), Some(expected));
        let unmeasured = json!({"pass_rate": null, "claude": {"pass_rate": null, "pass": 0, "fail": 0}});
        let claude = Rate { pass_rate: None, samples: Some(0) };
        assert_eq!(arms(&unmeasured), Some(Arms { claude, ..Arms::default() }));
    }

    /// Columns: `evidence`, the skill's grading, which sources are asked for; none: the contract's query.
    #[test]
    fn gradings_count_only_for_a_skill_that_says_so() {
        let all = "human,ci,review,agent,check";
        for (evidence, grading, expected) in [
            ("{}", None, Some(all.to_string())),
            ("{}", Some(false), Some(all.into())),
            ("{}", Some(true), Some(format!("{all},grader"))),
            ("{sources: [grader, human]}", Some(false), Some("human".into())),
            ("{sources: [grader]}", Some(true), Some("grader".into())),
            ("{of: Skill}", None, None),
            ("{of: Skill}", Some(false), Some(all.into())),
            ("{of: Skill, sources: [ci]}", Some(true), Some("ci".into())),
        ] {
            let grading = grading.map_or(String::new(), |counts| {
                format!(", grading: {{share: \"1\", maxPerHour: 1, rubric: r, counts: {counts}}}")
            });
            let parameters = RateQuery::of(&table(evidence, &grading)).parameters("debug");
            let sources = parameters.into_iter().find(|(name, _)| *name == "sources").map(|(_, sources)| sources);
            assert_eq!(sources, expected, "{evidence}{grading}");
        }
    }

    fn table(evidence: &str, more: &str) -> RoutingTable {
        let text = format!(
            "apiVersion: routing.hyperguild.io/v1alpha1\nkind: RoutingPolicy\nmetadata: {{name: p}}\nspec:\n  upstream: {{url: \
             http://m}}\n  models: {{local: {{name: l}}, claude: {{name: c}}}}\n  brain: {{url: http://b}}\n  evidence: {evidence}\n  \
             skills: [{{name: debug{more}}}]"
        );
        let document = Document::parse(&text).expect("a policy");
        compile(&document.policy.spec, &BuiltinPrompts::default()).expect("compiles")
    }

    #[test]
    fn a_brain_that_does_not_tell_models_apart_gives_the_skills_rate() {
        for body in [
            json!({"pass_rate": 0.5, "total": 9}),
            json!({"pass_rate": 0.5, "held": true, "decisions": 3}),
            json!({"pass_rate": 0.5, "claude": "claude-sonnet"}),
            json!({"pass_rate": 0.5, "claude": {"pass_rate": 1.7}}),
            json!({"pass_rate": 0.5, "claude": {}}),
        ] {
            assert_eq!(arms(&body), None, "{body}");
        }
    }
}
