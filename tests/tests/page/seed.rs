//! What the page shows in these tests: decisions as data planes report them.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tests::{http, program::Running};

/// A decision's id: sorted by its number, of a time that is long past.
pub fn id(number: usize) -> String {
    format!("01890000-0000-7000-8000-{number:012}")
}

/// A decision as a data plane reports it.
pub struct Decision<'a> {
    pub number: usize,
    pub skill: &'a str,
    pub caller: &'a str,
    pub model: &'a str,
    pub decision: &'a str,
    pub reason: &'a str,
    pub error: Option<&'a str>,
}

impl<'a> Decision<'a> {
    pub fn of(skill: &'a str, number: usize) -> Self {
        let (decision, reason) = ("local", "at_or_above_floor");
        Self { number, skill, caller: "alice", model: "qwen35", decision, reason, error: None }
    }

    fn arguments(&self) -> Value {
        let Self { number, skill, caller, model, decision, reason, error } = self;
        let p_local = if *reason == "below_ceil" { 0.0 } else { 1.0 };
        let record = json!({"id": id(*number), "time_ms": 1, "skill": skill, "stage": 0, "hash": "00", "pass_rate": null,
            "samples": null, "evidence_age_ms": null, "floor": 0.9, "ceil": 0.7, "reason": reason, "decision": decision,
            "model": model, "answered_by": null, "gateway_fallback": null, "prompt_tokens": 812, "completion_tokens": 240,
            "finish_reason": "stop", "duration_ms": 2300, "error": error, "caller": caller, "session": null, "mode": null,
            "policy_hash": "ab", "p_local": p_local});
        let mut record = record;
        match *decision {
            "local" => record["claude_price"] = json!({"input": 3.0, "output": 15.0}),
            _ => record["cost_usd"] = json!(0.006),
        }
        json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
            "decision_id": id(*number), "decision": record})
    }
}

/// Reports a decision.
pub async fn decide(brain: &Running, decision: &Decision<'_>) {
    let result = brain.mcp().result("session_log", decision.arguments()).await;
    assert!(!result.is_error(), "{result:?}");
}

/// Has the answer of a decision kept for a day, by a policy that keeps a tenth.
pub async fn keep(brain: &Running, number: usize, answer: &str) {
    let review = json!({"answer": answer, "cut": true, "keep_ms": 86_400_000, "share": 0.1});
    let entry = json!({"skill": "_routing", "phase": "review", "final_status": "skip", "decision_id": id(number), "review": review});
    let result = brain.mcp().result("session_log", entry).await;
    assert!(!result.is_error(), "{result:?}");
}

/// Reports so many decisions of four skills and two callers, many at once.
pub async fn many(brain: &Running, number: usize) {
    let (client, url) = (http(), brain.mcp_url());
    let names = ["code_review", "debug", "retrospective", "trainer"];
    let sent = stream::iter(0..number).map(|i| {
        let decision = Decision { caller: if i % 100 == 0 { "bob" } else { "alice" }, ..Decision::of(names[i % 4], i) };
        let call = json!({"name": "session_log", "arguments": decision.arguments()});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).to_string();
        let post = client.post(&url).header("content-type", "application/json").body(body);
        async { assert!(post.send().await.expect("an answer").status().is_success()) }
    });
    sent.buffer_unordered(32).collect::<Vec<()>>().await;
}

/// Says how an answer turned out.
pub async fn judge(brain: &Running, number: usize, verdict: &str) {
    let url = format!("{}/api/v1/verdicts", brain.base_url());
    let answer = http().post(url).json(&json!({"decision": id(number), "verdict": verdict})).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
}

/// One skill of each kind: local, half and half, Claude and locked, failing.
pub async fn shown(brain: &Running) {
    let skills = [
        ("code_review", 19, 20, "at_or_above_floor"),
        ("debug", 8, 10, "split"),
        ("retrospective", 3, 10, "below_ceil"),
    ];
    let mut number = 0;
    for (skill, right, of, reason) in skills {
        for i in 0..of {
            decide(brain, &Decision::of(skill, number)).await;
            judge(brain, number, if i < right { "right" } else { "wrong" }).await;
            number += 1;
        }
        let decision = if reason == "below_ceil" { "claude" } else { "local" };
        let model = if decision == "claude" { "claude-sonnet-4-6" } else { "qwen35" };
        decide(brain, &Decision { decision, model, reason, ..Decision::of(skill, number) }).await;
        number += 1;
    }
    for _ in 0..3 {
        decide(
            brain,
            &Decision { reason: "no_pass_rate", error: Some("unreachable"), ..Decision::of("trainer", number) },
        )
        .await;
        number += 1;
    }
}
