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
    sources: Vec<Source>,
    /// Skills whose answers are graded, and whether that counts.
    graded: BTreeMap<String, bool>,
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
        let graded = table.skills.values().filter(|skill| skill.grading.is_some());
        let arms = || ArmsQuery {
            local: table.local.model.clone(),
            claude: table.claude.model.clone(),
            at_least: (rules.on_expired == OnExpired::Hold).then_some(rules.min_samples),
        };
        Self {
            window: rules.window.clone(),
            sources: rules.sources.clone(),
            graded: graded.map(|skill| (skill.name.clone(), skill.counts_gradings())).collect(),
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
        // Without either, this is the contract's query.
        if self.arms.is_some() || self.graded.contains_key(skill) {
            parameters.push(("sources", self.sources_of(skill)));
        }
        let at_least = self.arms.as_ref().and_then(|arms| arms.at_least);
        parameters.extend(at_least.map(|samples| ("at_least", samples.to_string())));
        parameters
    }

    /// The sources that count for a skill: gradings only where the policy says so, or where nothing else is listed.
    fn sources_of(&self, skill: &str) -> String {
        let grades_count = self.graded.get(skill).copied().unwrap_or(true);
        let counts = |source: &&Source| grades_count || **source != Source::Grader;
        let names: Vec<&str> = self.sources.iter().filter(counts).map(|source| source.as_str()).collect();
        if names.is_empty() { Source::Grader.as_str().into() } else { names.join(",") }
    }
}

/// What is said of the models apart; none: the brain does not tell them apart, or says it in another form.
pub(super) fn arms(body: &Value) -> Option<Arms> {
    let claude = body.get("claude")?;
    let pass_rate = match claude.get("pass_rate")? {
        Value::Null => None,
        rate => Some(rate.as_f64().filter(|rate| is_share(*rate))?),
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

/// Passes and fails together, where both are there.
pub(super) fn judged(rate: &Value) -> Option<u64> {
    let count = |name: &str| rate.get(name).and_then(Value::as_u64);
    count("pass").zip(count("fail")).map(|(pass, fail)| pass.saturating_add(fail))
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn gradings_count_for_the_skills_that_say_so() {
        let query = |sources: &[Source], graded: &[(&str, bool)]| RateQuery {
            window: "7d".into(),
            sources: sources.into(),
            graded: graded.iter().map(|(skill, counts)| ((*skill).to_string(), *counts)).collect(),
            arms: None,
        };
        let all = query(&[Source::Human, Source::Grader], &[("graded", false), ("counted", true)]);
        for (skill, sources) in [("graded", "human"), ("counted", "human,grader")] {
            assert_eq!(all.parameters(skill)[2], ("sources", sources.to_string()), "{skill}");
        }
        assert_eq!(all.parameters("other").len(), 2, "the contract's query");
        assert_eq!(query(&[Source::Grader], &[("graded", false)]).parameters("graded")[2].1, "grader");
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
