//! What a model call used and cost, and what it was for. No I/O.

use crds::usage::{NANO, TOKENS_MAX, USD_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::record::{Arm, Record};

/// The most that one call can cost, in US dollars: millions of such calls a day can still be added up.
const CALL_USD_MAX: f64 = 1000.0;
/// The same in billionths.
const CALL_NANO_MAX: i64 = 1_000_000_000_000;
const MICRO: f64 = 1e6;
/// Longest kind of an error that is told apart, in characters.
const DETAIL_MAX: usize = 40;

/// What a call was for.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The local model answered.
    Local,
    /// The local model failed.
    LocalFailed,
    /// The local model's answer failed its check, and the call went on to Claude.
    LocalUnused,
    /// Claude answered.
    Claude,
    /// Claude answered after the local model had failed.
    Fallback,
    /// Claude answered after a failed check.
    Escalation,
    /// Claude failed, whyever it was asked.
    ClaudeFailed,
    /// The local model was asked in the background.
    Shadow,
    /// A model judged an answer.
    Grading,
}

impl Line {
    /// All lines, in the order of a report.
    pub const ALL: [Self; 9] = [
        Self::Local,
        Self::LocalFailed,
        Self::LocalUnused,
        Self::Claude,
        Self::Fallback,
        Self::Escalation,
        Self::ClaudeFailed,
        Self::Shadow,
        Self::Grading,
    ];

    /// As it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::LocalFailed => "local_failed",
            Self::LocalUnused => "local_unused",
            Self::Claude => "claude",
            Self::Fallback => "fallback",
            Self::Escalation => "escalation",
            Self::ClaudeFailed => "claude_failed",
            Self::Shadow => "shadow",
            Self::Grading => "grading",
        }
    }

    pub(crate) fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|line| line.as_str() == text)
    }

    fn of(record: &Record) -> Self {
        let (says, failed) =
            (|name: &str| record.rest.get(name) == Some(&Value::Bool(true)), record.text("error").is_some());
        match (record.text("decision").unwrap_or_default(), failed) {
            _ if says("shadow") => Self::Shadow,
            ("local", true) => Self::LocalFailed,
            ("local", false) if says("sent_on") => Self::LocalUnused,
            ("local", false) => Self::Local,
            (_, true) => Self::ClaudeFailed,
            ("claude_fallback", false) => Self::Fallback,
            ("claude_escalation", false) => Self::Escalation,
            (_, false) => Self::Claude,
        }
    }

    /// Whether the first attempt of a call is on this line: what comes after another attempt is not.
    fn may_be_first(self, decision: &str, without_local: bool) -> bool {
        !matches!(self, Self::Shadow | Self::Grading) && (without_local || matches!(decision, "local" | "claude"))
    }
}

/// The reason of a call that did without the local model, because that had failed several times in a row.
pub(crate) const LOCAL_CIRCUIT_OPEN: &str = "local_circuit_open";
/// Reasons of a fallback before which the local model was not asked: there is no attempt of it that failed.
const WITHOUT_LOCAL: [&str; 2] = [LOCAL_CIRCUIT_OPEN, "local_busy"];

/// One call, as it is added up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spent {
    pub(crate) line: Line,
    /// The kind of error of a failed call; of a fallback, why the local model was not asked; otherwise empty.
    pub(crate) detail: String,
    /// It began a call of a caller.
    pub(crate) first: bool,
    pub(crate) tokens_in: Option<i64>,
    pub(crate) tokens_cached: Option<i64>,
    pub(crate) tokens_out: Option<i64>,
    pub(crate) nano_usd: Option<i64>,
    pub(crate) would: Option<Would>,
}

/// What Claude would cost for a call that the local model answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Would {
    /// The prompt, in billionths of a US dollar.
    pub(crate) nano_in: i64,
    /// A million tokens of answers, in millionths of a US dollar.
    pub(crate) price_out: i64,
}

impl Spent {
    pub(crate) fn of(record: &Record) -> Self {
        let line = Line::of(record);
        let rest = |name: &str| record.rest.get(name);
        let decision = record.text("decision").unwrap_or_default();
        let tokens = |tokens: Option<i64>| tokens.filter(|tokens| (0..=i64::from(TOKENS_MAX)).contains(tokens));
        let tokens_in = tokens(record.integer("prompt_tokens"));
        let failed = matches!(line, Line::LocalFailed | Line::ClaudeFailed);
        let why =
            record.text("reason").filter(|reason| decision == "claude_fallback" && WITHOUT_LOCAL.contains(reason));
        let detail = match line {
            Line::Fallback => why.map(str::to_string),
            _ => record.text("error").filter(|_| failed).map(detail),
        };
        let is_saved = line == Line::Local && record.arm == Arm::Local;
        Self {
            line,
            detail: detail.unwrap_or_default(),
            first: line.may_be_first(decision, why.is_some()) && record.integer("stage").unwrap_or_default() == 0,
            tokens_in,
            tokens_cached: tokens(rest("cached_tokens").and_then(Value::as_i64)),
            tokens_out: tokens(record.integer("completion_tokens")),
            nano_usd: rest("cost_usd").and_then(Value::as_f64).and_then(nano),
            would: rest("claude_price")
                .filter(|_| is_saved)
                .zip(tokens_in)
                .and_then(|(price, tokens)| would(price, tokens)),
        }
    }
}

/// A word that is told apart; an error of many forms would fill the table.
fn detail(error: &str) -> String {
    let is_word = error.len() <= DETAIL_MAX && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word { error.into() } else { "other".into() }
}

// Both are bounded far below 2^53.
#[allow(clippy::cast_possible_truncation)]
fn nano(usd: f64) -> Option<i64> {
    (0.0..=CALL_USD_MAX).contains(&usd).then(|| (usd * NANO).round() as i64)
}

#[allow(clippy::cast_possible_truncation)]
fn would(price: &Value, tokens_in: i64) -> Option<Would> {
    let micros = |name: &str| {
        let usd = price.get(name).and_then(Value::as_f64).filter(|usd| (0.0..=USD_MAX).contains(usd))?;
        Some((usd * MICRO).round() as i64)
    };
    // Tokens times millionths of a dollar per million: 10^-12 dollars.
    let pico = i128::from(tokens_in) * i128::from(micros("input")?);
    let nano_in = i64::try_from((pico + 500) / 1000).ok().filter(|nano| *nano <= CALL_NANO_MAX)?;
    Some(Would { nano_in, price_out: micros("output")? })
}

/// What a judgement by a model took: an argument of `session_log`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct GradingUsage {
    /// The model that judged.
    pub model: String,
    /// Tokens of its prompt.
    #[serde(default)]
    pub prompt_tokens: Option<i64>,
    /// Those that the provider had cached.
    #[serde(default)]
    pub cached_tokens: Option<i64>,
    /// Tokens of its answer.
    #[serde(default)]
    pub completion_tokens: Option<i64>,
    /// What it cost, in US dollars.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// Who says so: `gateway` or `price`.
    #[serde(default)]
    pub cost_from: Option<String>,
}

impl GradingUsage {
    /// The JSON Schema of the argument.
    pub(crate) fn schema(name_max: usize) -> Value {
        let tokens = json!({"type": ["integer", "null"], "minimum": 0, "maximum": TOKENS_MAX});
        json!({"type": "object", "description": "What it took to judge this decision's answer; sent by the data plane.",
            "additionalProperties": false, "required": ["model"], "properties": {
                "model": {"type": "string", "minLength": 1, "maxLength": name_max},
                "prompt_tokens": tokens, "cached_tokens": tokens, "completion_tokens": tokens,
                "cost_usd": {"type": ["number", "null"], "minimum": 0, "maximum": USD_MAX},
                "cost_from": {"type": ["string", "null"], "enum": ["gateway", "price", null]}}})
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent {
            line: Line::Grading,
            detail: String::new(),
            first: false,
            tokens_in: self.prompt_tokens,
            tokens_cached: self.cached_tokens,
            tokens_out: self.completion_tokens,
            nano_usd: self.cost_usd.and_then(nano),
            would: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    fn spent(decision: &str, changes: Value) -> Spent {
        let mut sent = record(&uuid::Uuid::now_v7().to_string(), "debug", decision, "m");
        sent.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        Spent::of(&Record::read(sent.as_object().expect("an object")).expect("a record"))
    }

    #[test]
    fn each_call_is_on_the_line_of_what_it_was_for() {
        for (decision, changes, line, first) in [
            ("local", json!({}), Line::Local, true),
            ("local", json!({"error": "timeout"}), Line::LocalFailed, true),
            ("local", json!({"check": "failed", "sent_on": true}), Line::LocalUnused, true),
            ("local", json!({"check": "failed"}), Line::Local, true),
            ("local", json!({"stage": 1}), Line::Local, false),
            ("local", json!({"shadow": true}), Line::Shadow, false),
            ("claude", json!({}), Line::Claude, true),
            ("claude", json!({"error": "status"}), Line::ClaudeFailed, true),
            ("claude_fallback", json!({}), Line::Fallback, false),
            ("claude_fallback", json!({"error": "status"}), Line::ClaudeFailed, false),
            ("claude_escalation", json!({}), Line::Escalation, false),
            ("claude_fallback", json!({"reason": "after_local_error"}), Line::Fallback, false),
            ("claude_fallback", json!({"reason": "local_circuit_open"}), Line::Fallback, true),
            ("claude_fallback", json!({"reason": "local_circuit_open", "error": "status"}), Line::ClaudeFailed, true),
            ("claude_fallback", json!({"reason": "local_busy"}), Line::Fallback, true),
            ("claude_fallback", json!({"reason": "local_busy", "stage": 1}), Line::Fallback, false),
            ("local", json!({"reason": "local_busy", "shadow": true}), Line::Shadow, false),
        ] {
            let spent = spent(decision, changes.clone());
            assert_eq!((spent.line, spent.first), (line, first), "{decision} {changes}");
            assert_eq!(Line::stored(line.as_str()), Some(line));
        }
    }

    #[test]
    fn money_is_exact_to_a_billionth_and_nonsense_is_not_known() {
        let price = json!({"input": 3.0, "output": 15.0});
        let known = spent("local", json!({"cost_usd": 0.000_000_001_4, "cached_tokens": 4, "claude_price": price}));
        assert_eq!((known.nano_usd, known.tokens_cached), (Some(1), Some(4)));
        assert_eq!(
            known.would,
            Some(Would { nano_in: 30_000, price_out: 15_000_000 }),
            "10 tokens at 3 dollars a million"
        );
        for nonsense in [json!(-1), json!("1"), json!(1e9), json!(null)] {
            assert_eq!(spent("claude", json!({"cost_usd": nonsense})).nano_usd, None, "{nonsense}");
        }
        assert_eq!(spent("claude", json!({"claude_price": price})).would, None, "nothing is saved there");
        let elsewhere = json!({"claude_price": price, "answered_by": "claude", "gateway_fallback": true});
        assert_eq!(spent("local", elsewhere).would, None, "the gateway asked Claude");
        assert_eq!(spent("local", json!({"error": "A very odd one"})).detail, "other");
        assert_eq!(spent("local", json!({"error": "timeout"})).detail, "timeout");
        for (reason, error, detail) in [
            ("local_busy", json!(null), "local_busy"),
            ("local_busy", json!("timeout"), "timeout"),
            ("after_local_error", json!(null), ""),
        ] {
            assert_eq!(spent("claude_fallback", json!({"reason": reason, "error": error})).detail, detail, "{reason}");
        }
    }
}
