//! Metrics of what model calls took: time, tokens and money.

use std::{sync::atomic::AtomicU64, time::Duration};

use endpoint::metrics::Registered;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use super::{CALL_SECONDS, labels::Counters};
use crate::{decision::DecisionRecord, upstream::Usage};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelLabels {
    decision: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TokenLabels {
    skill: String,
    model: String,
    arm: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CostLabels {
    skill: String,
    model: String,
    arm: &'static str,
}

/// See the module.
pub(super) struct Spending {
    model_seconds: Family<ModelLabels, Histogram>,
    tokens: Counters<TokenLabels>,
    cost: Family<CostLabels, Counter<f64, AtomicU64>>,
}

impl Spending {
    pub(super) fn registered(new: &mut Registered<'_>) -> Self {
        let seconds = Family::new_with_constructor((|| Histogram::new(CALL_SECONDS)) as fn() -> Histogram);
        Self {
            model_seconds: new.with("model_call_seconds", "Duration of model calls by decision and result", seconds),
            tokens: new.metric(
                "tokens",
                "Tokens of model calls by kind: in (prompts, cached tokens included), cached (of these), out (answers)",
            ),
            cost: new.metric(
                "cost_usd",
                "Cost of model calls in US dollars, as the gateway reports it, or by the price in the policy",
            ),
        }
    }

    pub(super) fn decision(&self, record: &DecisionRecord) {
        if record.returned {
            return;
        }
        let seconds = Duration::from_millis(record.duration_ms).as_secs_f64();
        let (decision, result) = (record.decision.as_str(), record.error.unwrap_or("answered"));
        self.model_seconds.get_or_create(&ModelLabels { decision, result }).observe(seconds);
    }

    pub(super) fn used(&self, skill: &str, model: &str, arm: &'static str, usage: &Usage) {
        let (skill, model) = (skill.to_string(), model.to_string());
        for (kind, tokens) in
            [("in", usage.prompt_tokens), ("cached", usage.cached_tokens), ("out", usage.completion_tokens)]
        {
            if let Some(tokens) = tokens {
                let labels = TokenLabels { skill: skill.clone(), model: model.clone(), arm, kind };
                self.tokens.get_or_create(&labels).inc_by(tokens);
            }
        }
        if let Some(cost) = usage.cost {
            self.cost.get_or_create(&CostLabels { skill, model, arm }).inc_by(cost.usd);
        }
    }
}
