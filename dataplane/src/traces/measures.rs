//! The metrics of the GenAI and MCP conventions. What they lack is in `/metrics`, which a collector can scrape.

use std::time::Duration;

use endpoint::trace::ERROR_TYPE;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, MeterProvider},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::attribute::{
    self, CHAT, DECISION, METHOD, OPENAI, OPERATION, PROVIDER, REASON, REQUEST_MODEL, SKILL, TOKEN_TYPE, TOOL,
};
use crate::{decision::DecisionRecord, otlp};

/// Upper bounds of durations of model calls, in seconds, as the conventions have them.
const MODEL_SECONDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Upper bounds of durations of tool calls, in seconds, as the conventions have them.
const TOOL_SECONDS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Upper bounds of tokens, as the conventions have them.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

#[derive(Clone)]
pub(super) struct Measures {
    tool_seconds: Histogram<f64>,
    model_seconds: Histogram<f64>,
    tokens: Histogram<u64>,
    decisions: Counter<u64>,
}

impl Measures {
    pub(super) fn of(provider: &SdkMeterProvider) -> Self {
        let meter = provider.meter_with_scope(otlp::scope());
        let seconds = |name: &'static str, bounds: &[f64]| {
            meter.f64_histogram(name).with_unit("s").with_boundaries(bounds.to_vec()).build()
        };
        Self {
            tool_seconds: seconds("mcp.server.operation.duration", &TOOL_SECONDS),
            model_seconds: seconds("gen_ai.client.operation.duration", &MODEL_SECONDS),
            tokens: meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_unit("{token}")
                .with_boundaries(TOKENS.to_vec())
                .build(),
            decisions: meter.u64_counter("routing.decisions").with_unit("{decision}").build(),
        }
    }

    pub(super) fn called(&self, skill: Option<&str>, seconds: f64, error: Option<&'static str>) {
        let mut labels =
            vec![KeyValue::new(METHOD, endpoint::method::CALL), KeyValue::new(OPERATION, attribute::EXECUTE_TOOL)];
        labels.extend(skill.map(|skill| KeyValue::new(TOOL, skill.to_string())));
        labels.extend(error.map(|kind| KeyValue::new(ERROR_TYPE, kind)));
        self.tool_seconds.record(seconds, &labels);
    }

    pub(super) fn decided(&self, record: &DecisionRecord) {
        if !record.shadow {
            let labels = [
                KeyValue::new(SKILL, record.skill.clone()),
                KeyValue::new(DECISION, record.decision.as_str()),
                KeyValue::new(REASON, record.reason.as_str()),
            ];
            self.decisions.add(1, &labels);
        }
        if record.returned {
            return;
        }
        let labels = [
            KeyValue::new(OPERATION, CHAT),
            KeyValue::new(PROVIDER, OPENAI),
            KeyValue::new(REQUEST_MODEL, record.model.clone()),
        ];
        let with = |more: Option<KeyValue>| labels.iter().cloned().chain(more).collect::<Vec<_>>();
        let seconds = Duration::from_millis(record.duration_ms).as_secs_f64();
        self.model_seconds.record(seconds, &with(record.error.map(|kind| KeyValue::new(ERROR_TYPE, kind))));
        for (kind, tokens) in [("input", record.usage.prompt_tokens), ("output", record.usage.completion_tokens)] {
            if let Some(tokens) = tokens {
                self.tokens.record(tokens, &with(Some(KeyValue::new(TOKEN_TYPE, kind))));
            }
        }
    }
}
