//! Example calls and how they turned out: one skill above the floor, one between, one below the ceil; a fourth stays
//! unmeasured. They are calls that nobody made, in a database of their own.

use std::time::Duration;

use brain::{
    entry::{Entry, FinalStatus},
    store::{Store, StoreError},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    decide::{Decision, Reason},
    decision::{Basis, DecisionRecord, PriceAtTheTime, milliseconds},
    decision_log::ROUTING,
    upstream::{Cost, CostFrom, FinishReason, Usage},
};

/// The session of every example, so that they can be told apart from real outcomes.
const SESSION: &str = "routing-demo-examples";
const MESSAGE: &str = "example outcome of routing demo --with-examples";
/// What Claude costs in the examples, in US dollars a million tokens.
const PRICE: PriceAtTheTime = PriceAtTheTime { input: 3.0, output: 15.0 };
/// Tokens of a prompt and of its answer.
const TOKENS: (u32, u32) = (1800, 420);
/// How long a local answer took, and one of Claude.
const TOOK: (Duration, Duration) = (Duration::from_millis(2300), Duration::from_millis(4100));
/// As in the policy of the demo.
const THRESHOLDS: (f64, f64) = (0.9, 0.7);

/// Calls of a skill that were decided alike.
struct Calls {
    skill: &'static str,
    decision: Decision,
    reason: Reason,
    /// The local model's rate that decided.
    rate: Option<f64>,
    p_local: f64,
    pass: usize,
    fail: usize,
    unjudged: usize,
}

const CALLS: [Calls; 5] = {
    const fn local(skill: &'static str, reason: Reason, rate: Option<f64>, pass: usize, fail: usize) -> Calls {
        let p_local = if matches!(reason, Reason::Split) { 0.5 } else { 1.0 };
        Calls { skill, decision: Decision::Local, reason, rate, p_local, pass, fail, unjudged: 0 }
    }
    // Nobody judged Claude's answers, so that the skill's rate is that of the local model.
    const fn claude(skill: &'static str, reason: Reason, rate: f64, unjudged: usize) -> Calls {
        let p_local = if matches!(reason, Reason::Split) { 0.5 } else { 0.0 };
        Calls { skill, decision: Decision::Claude, reason, rate: Some(rate), p_local, pass: 0, fail: 0, unjudged }
    }
    [
        local("code_review", Reason::AtOrAboveFloor, Some(0.95), 19, 1),
        local("debug", Reason::Split, Some(0.8), 8, 2),
        claude("debug", Reason::Split, 0.8, 4),
        local("retrospective", Reason::NoPassRate, None, 5, 5),
        claude("retrospective", Reason::BelowCeil, 0.5, 6),
    ]
};

/// Adds the examples to a store that has none, as calls of these two models. Returns a text per skill, of its local
/// answers.
///
/// # Errors
/// The store failed.
pub async fn add(store: &Store, local: &str, claude: &str) -> Result<Vec<String>, StoreError> {
    let mut added = vec![];
    for calls in &CALLS {
        let statuses =
            [(Some(FinalStatus::Pass), calls.pass), (Some(FinalStatus::Fail), calls.fail), (None, calls.unjudged)];
        for status in statuses.into_iter().flat_map(|(status, number)| std::iter::repeat_n(status, number)) {
            let record = record(calls, local, claude);
            let id = record.id;
            store.append(decided(&record)).await?;
            if let Some(status) = status {
                store.append(judged(calls.skill, id, status)).await?;
            }
        }
        if calls.decision == Decision::Local {
            added.push(format!("{} {} pass, {} fail", calls.skill, calls.pass, calls.fail));
        }
    }
    Ok(added)
}

fn record(calls: &Calls, local: &str, claude: &str) -> DecisionRecord {
    let (prompt, completion) = TOKENS;
    let at_home = calls.decision == Decision::Local;
    let usd = (f64::from(prompt) * PRICE.input + f64::from(completion) * PRICE.output) / 1e6;
    let usage = Usage {
        prompt_tokens: Some(prompt.into()),
        completion_tokens: Some(completion.into()),
        cached_tokens: None,
        cost: (!at_home).then_some(Cost { usd, from: CostFrom::Price }),
    };
    let model = if at_home { local } else { claude };
    DecisionRecord {
        pass_rate: calls.rate,
        floor: THRESHOLDS.0,
        ceil: THRESHOLDS.1,
        answered_by: Some(model.into()),
        usage,
        claude_price: at_home.then_some(PRICE),
        finish_reason: Some(FinishReason::Stop),
        duration_ms: milliseconds(if at_home { TOOK.0 } else { TOOK.1 }),
        session: Some(SESSION.into()),
        basis: Basis { p_local: Some(calls.p_local), ..Basis::default() },
        effective_rate: calls.rate,
        ..DecisionRecord::new(calls.skill, calls.decision, calls.reason, model)
    }
}

/// The entry of a decision.
fn decided(record: &DecisionRecord) -> Entry {
    let decision: Map<String, Value> = match serde_json::to_value(record) {
        Ok(Value::Object(decision)) => decision,
        _ => Map::new(),
    };
    Entry { phase: "decide".into(), decision: Some(decision), ..entry(ROUTING, record.id, FinalStatus::Skip) }
}

fn judged(skill: &str, decision: Uuid, status: FinalStatus) -> Entry {
    Entry { phase: "outcome".into(), message: MESSAGE.into(), ..entry(skill, decision, status) }
}

fn entry(skill: &str, decision: Uuid, final_status: FinalStatus) -> Entry {
    Entry {
        session_id: SESSION.into(),
        decision_id: Some(decision.to_string()),
        ..Entry::of(skill.into(), final_status)
    }
}
