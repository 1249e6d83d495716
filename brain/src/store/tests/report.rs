//! Each figure of a report, recomputed from the decisions themselves.

use super::{verdicts::log, *};
use crate::{record::tests::record, report::Report};

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
    if i % 7 == 0 {
        sent["completion_tokens"] = Value::Null;
    }
    if decision != "local" && i % 4 != 0 {
        sent["cost_usd"] = json!(0.001 * (1 + i % 9) as f64);
    }
    match i % 11 {
        0 => sent["error"] = json!(["timeout", "status"][i % 2]),
        1 if decision == "local" => sent["shadow"] = json!(true),
        2 if decision == "local" => sent["sent_on"] = json!(true),
        _ => {}
    }
    if decision == "local" && i % 13 != 0 {
        sent["claude_price"] = json!({"input": 3.0, "output": 15.0});
    }
    if i % 17 == 0 {
        sent["stage"] = json!(1);
    }
    sent["cached_tokens"] = json!(i % 50);
    // Over three days, so that minutes, hours and days are read.
    (sent, NOW - 3 * 86_400_000 + i64::try_from(i).expect("small") * 431_000)
}

async fn filled() -> (Store, tempfile::TempDir) {
    let (store, folder) = store().await;
    for i in 1..600 {
        let (sent, at_ms) = nth(i);
        let entry = json!({"skill": "_routing", "final_status": "skip", "decision_id": sent["id"], "decision": sent});
        let entry = Entry::from_arguments(entry.as_object().cloned().expect("an object")).expect("an entry");
        store.writer.append(entry, at_ms).await.expect("written");
        if i % 10 == 0 {
            let usage = json!({"model": "judge", "prompt_tokens": 500, "completion_tokens": 5, "cost_usd": 0.0002});
            let entry =
                json!({"skill": sent["skill"], "final_status": "skip", "decision_id": sent["id"], "usage": usage});
            let entry = Entry::from_arguments(entry.as_object().cloned().expect("an object")).expect("an entry");
            store.writer.append(entry, at_ms).await.expect("written");
        }
    }
    (store, folder)
}

async fn number(store: &Store, sql: &str) -> f64 {
    let sql = format!("SELECT CAST(COALESCE(({sql}), 0) AS REAL)");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&store.readers).await.expect("a number")
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-6, "{what}: {found}, recomputed {expected}");
}

async fn of_last(store: &Store, window: &str) -> Report {
    store.report_at(&Period::from_text(window), NOW).await.expect("a report")
}

#[tokio::test]
async fn every_figure_is_that_of_the_decisions_themselves() {
    let (store, _folder) = filled().await;
    for window in ["7d", "26h", "95m"] {
        let report = of_last(&store, window).await;
        let since = floor_to(report.since_ms, MINUTE_MS);
        for skill in &report.skills {
            let name = &skill.skill;
            let of = |what: &str, condition: &str| {
                format!("SELECT {what} FROM decisions WHERE skill = '{name}' AND at_ms >= {since} AND {condition}")
            };
            let figures = &skill.figures;
            let calls = number(
                &store,
                &of(
                    "COUNT(*)",
                    "COALESCE(stage, 0) = 0 AND decision IN ('local', 'claude') AND rest NOT LIKE '%\"shadow\":true%'",
                ),
            )
            .await;
            near(figures.calls as f64, calls, "calls");
            let answered = "error IS NULL AND rest NOT LIKE '%\"shadow\":true%'";
            let home = number(
                &store,
                &of("COUNT(*)", &format!("decision = 'local' AND {answered} AND rest NOT LIKE '%\"sent_on\":true%'")),
            )
            .await;
            let unused = number(
                &store,
                &of("COUNT(*)", &format!("decision = 'local' AND {answered} AND rest LIKE '%\"sent_on\":true%'")),
            )
            .await;
            let escalated =
                number(&store, &of("COUNT(*)", &format!("decision = 'claude_escalation' AND {answered}"))).await;
            let claude =
                number(&store, &of("COUNT(*)", &format!("decision IN ('claude', 'claude_fallback') AND {answered}")))
                    .await;
            let kept = (unused - escalated).max(0.0);
            near(
                figures.share_local.unwrap_or_default(),
                (home + kept) / (home + kept + claude + escalated).max(1.0),
                "share",
            );
            near(figures.escalations as f64, escalated, "escalations");
            let fallbacks = number(&store, &of("COUNT(*)", "decision = 'claude_fallback' AND error IS NULL")).await;
            near(figures.fallbacks.calls as f64, fallbacks, "fallbacks");
            let timeouts = number(
                &store,
                &of("COUNT(*)", "decision = 'local' AND error = 'timeout' AND rest NOT LIKE '%\"shadow\":true%'"),
            )
            .await;
            near(figures.fallbacks.why.get("timeout").copied().unwrap_or_default() as f64, timeouts, "why");
            for (found, arm, column) in [
                (figures.tokens.local.prompt, "local", "prompt_tokens"),
                (figures.tokens.local.completion, "local", "completion_tokens"),
                (figures.tokens.claude.prompt, "claude", "prompt_tokens"),
                (figures.tokens.claude.completion, "claude", "completion_tokens"),
            ] {
                near(
                    found as f64,
                    number(&store, &of(&format!("SUM({column})"), &format!("arm = '{arm}'"))).await,
                    column,
                );
            }
            let paid = number(&store, &of("SUM(json_extract(rest, '$.cost_usd'))", "1 = 1")).await;
            let judged = number(
                &store,
                &format!("SELECT SUM(nano_usd) / 1e9 FROM gradings WHERE skill = '{name}' AND at_ms >= {since}"),
            )
            .await;
            near(figures.cost_usd.unwrap_or_default(), paid + judged, "cost");

            let length = number(
                &store,
                &of("AVG(completion_tokens)", "arm = 'claude' AND error IS NULL AND completion_tokens IS NOT NULL"),
            )
            .await;
            let priced = format!(
                "decision = 'local' AND {answered} AND rest NOT LIKE '%\"sent_on\":true%' AND rest LIKE '%claude_price%'"
            );
            let prompts = number(&store, &of("SUM(prompt_tokens) * 3.0 / 1e6", &priced)).await;
            let number_priced = number(&store, &of("COUNT(*)", &priced)).await;
            let would = prompts + number_priced * length * 15.0 / 1e6;
            if let Some(saved) = figures.saved.filter(|_| length > 0.0) {
                near(saved.would_usd, would, "would");
                near(saved.usd, would - judged, "saved");
                assert!(saved.low <= saved.usd && saved.usd <= saved.high);
            }
        }
        let sum: i64 = report.skills.iter().map(|skill| skill.figures.calls).sum();
        assert_eq!(report.total.calls, sum, "{window}");
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
