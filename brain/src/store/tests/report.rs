//! Each figure of a report, recomputed from the decisions themselves.

use super::{verdicts::log, *};
use crate::{
    record::tests::record,
    report::{Report, SkillReport},
};

const NOW: i64 = 1_800_000_000_000;

/// One of many calls, by its number: all lines, models, prices and gaps are among them.
fn nth(i: usize) -> (Value, i64) {
    let (decision, model) =
        [("local", "qwen"), ("claude", "c"), ("claude_fallback", "c"), ("claude_escalation", "c"), ("local", "qwen")]
            [i % 5];
    let skill = ["debug", "code_review", "trainer"][i % 3];
    let mut sent = record(&uuid::Uuid::from_u128(i as u128).to_string(), skill, decision, model);
    sent["time_ms"] = Value::Null;
    (sent["prompt_tokens"], sent["completion_tokens"]) = (json!(100 + i * 7 % 900), json!(10 + i * 13 % 400));
    if i.is_multiple_of(7) {
        sent["completion_tokens"] = Value::Null;
    }
    if decision != "local" && !i.is_multiple_of(4) {
        sent["cost_usd"] = json!(0.001 * (1 + i % 9) as f64);
    }
    if decision == "claude_fallback" {
        sent["reason"] = json!(["after_local_error", "local_circuit_open", "local_busy"][i % 7 % 3]);
    }
    match i % 11 {
        0 => sent["error"] = json!(["timeout", "status"][i % 2]),
        1 if decision == "local" => sent["shadow"] = json!(true),
        2 if decision == "local" => sent["sent_on"] = json!(true),
        _ => {}
    }
    if decision == "local" && !i.is_multiple_of(13) {
        sent["claude_price"] = json!({"input": 3.0, "output": 15.0});
    }
    if i.is_multiple_of(17) {
        sent["stage"] = json!(1);
    }
    sent["cached_tokens"] = json!(i % 50);
    // Over three days, so that minutes, hours and days are read.
    (sent, NOW - 3 * 86_400_000 + i64::try_from(i).expect("small") * 431_000)
}

/// Written in batches: what entries add to sums is added up before it is written. Some come twice.
async fn filled() -> (Store, Home) {
    let (store, folder) = store().await;
    let mut writes = vec![];
    for i in 1..600 {
        let (sent, at_ms) = nth(i);
        let entry = json!({"skill": "_routing", "final_status": "skip", "decision_id": sent["id"], "decision": sent});
        let entry = Entry::from_arguments(entry.as_object().cloned().expect("an object")).expect("an entry");
        if i.is_multiple_of(50) {
            writes.push(store.writer.append(entry.clone(), at_ms));
        }
        writes.push(store.writer.append(entry, at_ms));
        if i.is_multiple_of(10) {
            let usage = json!({"model": "judge", "prompt_tokens": 500, "completion_tokens": 5, "cost_usd": 0.0002});
            let entry =
                json!({"skill": sent["skill"], "final_status": "skip", "decision_id": sent["id"], "usage": usage});
            let entry = Entry::from_arguments(entry.as_object().cloned().expect("an object")).expect("an entry");
            writes.push(store.writer.append(entry, at_ms));
        }
    }
    for written in futures::future::join_all(writes).await {
        written.expect("written");
    }
    (store, folder)
}

async fn number(store: &Store, sql: &str) -> f64 {
    let sql = format!("SELECT CAST(COALESCE(({sql}), 0) AS DOUBLE PRECISION)");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&store.readers).await.expect("a number")
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-6, "{what}: {found}, recomputed {expected}");
}

async fn of_last(store: &Store, window: &str) -> Report {
    store.report_at(&Period::from_text(window), NOW).await.expect("a report")
}

/// The figures of a skill, and what they are recomputed from.
struct Recomputed<'a> {
    store: &'a Store,
    skill: &'a SkillReport,
    since: i64,
}

const ANSWERED: &str = r#"error IS NULL AND rest NOT LIKE '%"shadow":true%'"#;
const USED: &str = r#"rest NOT LIKE '%"sent_on":true%'"#;

impl Recomputed<'_> {
    async fn of_decisions(&self, what: &str, condition: &str) -> f64 {
        let Self { store, skill, since } = self;
        let name = &skill.skill;
        let sql = format!("SELECT {what} FROM decisions WHERE skill = '{name}' AND at_ms >= {since} AND {condition}");
        number(store, &sql).await
    }

    async fn count(&self, condition: &str) -> f64 {
        self.of_decisions("COUNT(*)", condition).await
    }

    async fn check_calls(&self) {
        let figures = &self.skill.figures;
        let calls = self
            .count(r#"COALESCE(stage, 0) = 0 AND (decision IN ('local', 'claude') OR reason IN ('local_circuit_open', 'local_busy'))
                AND rest NOT LIKE '%"shadow":true%'"#);
        near(figures.calls as f64, calls.await, "calls");
        let home = self.count(&format!("decision = 'local' AND {ANSWERED} AND {USED}")).await;
        let unused = self.count(&format!("decision = 'local' AND {ANSWERED} AND NOT ({USED})")).await;
        let escalated = self.count(&format!("decision = 'claude_escalation' AND {ANSWERED}")).await;
        let claude = self.count(&format!("decision IN ('claude', 'claude_fallback') AND {ANSWERED}")).await;
        let home = home + (unused - escalated).max(0.0);
        near(figures.share_local.unwrap_or_default(), home / (home + claude + escalated).max(1.0), "share");
        near(figures.escalations as f64, escalated, "escalations");
        let fallbacks = self.count("decision = 'claude_fallback' AND error IS NULL").await;
        near(figures.fallbacks.calls as f64, fallbacks, "fallbacks");
        let timeouts =
            self.count(r#"decision = 'local' AND error = 'timeout' AND rest NOT LIKE '%"shadow":true%'"#).await;
        let busy = self.count("decision = 'claude_fallback' AND error IS NULL AND reason = 'local_busy'").await;
        near(figures.fallbacks.why.get("local_busy").copied().unwrap_or_default() as f64, busy, "why not asked");
        near(figures.fallbacks.why.get("timeout").copied().unwrap_or_default() as f64, timeouts, "why");
    }

    async fn check_tokens(&self) {
        let tokens = self.skill.figures.tokens;
        for (found, arm, column) in [
            (tokens.local.prompt, "local", "prompt_tokens"),
            (tokens.local.completion, "local", "completion_tokens"),
            (tokens.claude.prompt, "claude", "prompt_tokens"),
            (tokens.claude.completion, "claude", "completion_tokens"),
        ] {
            let sum = self.of_decisions(&format!("SUM({column})"), &format!("arm = '{arm}'")).await;
            near(found as f64, sum, column);
        }
    }

    /// From the records as they were sent.
    async fn check_money(&self) {
        let Self { store, skill, since } = self;
        let (name, figures) = (&skill.skill, &skill.figures);
        let records = format!("SELECT rest FROM decisions WHERE skill = '{name}' AND at_ms >= {since}");
        let records: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(records)).fetch_all(&store.readers).await.expect("records");
        let cost = |rest: &String| serde_json::from_str::<Value>(rest).expect("JSON")["cost_usd"].as_f64();
        let paid: f64 = records.iter().filter_map(cost).sum();
        let judged = format!("SELECT SUM(nano_usd) / 1e9 FROM gradings WHERE skill = '{name}' AND at_ms >= {since}");
        let judged = number(store, &judged).await;
        near(figures.cost_usd.unwrap_or_default(), paid + judged, "cost");
        let lengths = "arm = 'claude' AND error IS NULL AND completion_tokens IS NOT NULL";
        let length = self.of_decisions("AVG(completion_tokens)", lengths).await;
        let priced = format!("decision = 'local' AND {ANSWERED} AND {USED} AND rest LIKE '%claude_price%'");
        let prompts = self.of_decisions("SUM(prompt_tokens) * 3.0 / 1e6", &priced).await;
        let would = prompts + self.count(&priced).await * length * 15.0 / 1e6;
        if let Some(saved) = figures.saved.filter(|_| length > 0.0) {
            near(saved.would_usd, would, "would");
            near(saved.usd, would - judged, "saved");
            assert!(saved.low <= saved.usd && saved.usd <= saved.high);
        }
    }
}

#[tokio::test]
async fn every_figure_is_that_of_the_decisions_themselves() {
    let (store, _folder) = filled().await;
    for window in ["7d", "26h", "95m"] {
        let report = of_last(&store, window).await;
        let since = floor_to(report.since_ms, MINUTE_MS);
        for skill in &report.skills {
            let recomputed = Recomputed { store: &store, skill, since };
            recomputed.check_calls().await;
            recomputed.check_tokens().await;
            recomputed.check_money().await;
        }
        let sum: i64 = report.skills.iter().map(|skill| skill.figures.calls).sum();
        assert_eq!(report.total.calls, sum, "{window}");
        assert!(window != "7d" || report.total.saved.is_some_and(|saved| saved.usd > 0.0), "{report:?}");
    }
}

#[tokio::test]
async fn the_period_before_is_as_long_and_ends_where_this_one_begins() {
    let (store, _folder) = filled().await;
    let (last, both) = (of_last(&store, "1d").await, of_last(&store, "2d").await);
    let before = last.total.before.expect("there were calls");
    assert_eq!(before.calls + last.total.calls, both.total.calls);
    assert!(before.calls > 0 && before.cost_usd.is_some() && before.saved_usd.is_some());
    assert_eq!(of_last(&store, "1m").await.total.calls, 0, "nothing happened then");
}

#[tokio::test]
async fn what_a_judgement_took_is_no_verdict_and_needs_its_decision() {
    let (store, _folder) = filled().await;
    let evidence = store.evidence_at(&Query::of_all("debug"), NOW).await.expect("evidence");
    assert_eq!(evidence.rate.samples(), 0);
    let alone = log(&store, json!({"skill": "debug", "final_status": "skip", "usage": {"model": "m"}})).await;
    assert!(alone.expect_err("refused").to_string().contains("argument usage: needs decision_id"));
}

#[tokio::test]
async fn an_outcome_that_names_no_decision_judges_none() {
    let (store, _folder) = store().await;
    let judged = super::verdicts::decide(&store, "debug", "local", "qwen").await;
    super::verdicts::decide(&store, "debug", "local", "qwen").await;
    super::verdicts::report(&store, &judged, "debug", crate::verdict::Source::Agent, "pass").await.expect("written");
    for _ in 0..9 {
        store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    }
    let report = store.report(&Period::from_text("7d")).await.expect("a report");
    let coverage = &report.skills[0].coverage;
    assert_eq!((coverage.judged, coverage.decisions), (1, 2), "nine count for the rate, and are about no decision");
    assert_eq!(report.skills[0].arms[0].rate.rate.samples(), 10);
}
