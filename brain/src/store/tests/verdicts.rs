//! A decision counts once, whatever is reported about it.

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::{record::tests::record, verdict::Source};

pub(super) async fn log(store: &Store, arguments: Value) -> Result<String, StoreError> {
    let entry = Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default());
    store.append(entry.map_err(|errors| StoreError::Refused { reason: errors.join("; ") })?).await
}

/// A decision as the data plane logs it; returns its id.
pub(super) async fn decide(store: &Store, skill: &str, decision: &str, model: &str) -> String {
    let id = Uuid::now_v7().to_string();
    decide_as(store, &record(&id, skill, decision, model)).await;
    id
}

pub(super) async fn decide_as(store: &Store, record: &Value) {
    let entry = json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
        "decision_id": record["id"], "decision": record});
    log(store, entry).await.expect("logged");
}

pub(super) async fn report(
    store: &Store,
    id: &str,
    skill: &str,
    source: Source,
    status: &str,
) -> Result<String, StoreError> {
    log(store, json!({"skill": skill, "final_status": status, "decision_id": id, "source": source})).await
}

async fn evidence(store: &Store, local: Option<&str>) -> Evidence {
    let query = Query { local: local.map(str::to_string), ..over("debug", DAY) };
    store.evidence(&query).await.expect("evidence")
}

/// pass and fail of the local model `qwen`, and of Claude `c`.
async fn rates(store: &Store) -> [(i64, i64); 2] {
    let evidence = evidence(store, Some("qwen")).await;
    [evidence.rate, evidence.claude("c")].map(|rate| (rate.pass, rate.fail))
}

#[tokio::test]
async fn a_verdict_counts_for_the_model_that_answered() {
    let (store, _folder) = store().await;
    for _ in 0..3 {
        let (local, claude) =
            (decide(&store, "debug", "local", "qwen").await, decide(&store, "debug", "claude", "c").await);
        let fallback = decide(&store, "debug", "claude_fallback", "c").await;
        report(&store, &local, "debug", Source::Agent, "fail").await.expect("reported");
        report(&store, &claude, "debug", Source::Agent, "pass").await.expect("reported");
        report(&store, &fallback, "debug", Source::Agent, "pass").await.expect("reported");
    }
    assert_eq!(rates(&store).await, [(0, 3), (6, 0)]);
    let all = evidence(&store, None).await;
    assert_eq!((all.rate.pass, all.rate.fail, all.decisions), (6, 3, 9), "the contract's rate has both");
    assert_eq!(evidence(&store, Some("renamed")).await.rate, Rate::default(), "a renamed model starts unmeasured");
    log(&store, json!({"skill": "debug", "final_status": "pass"})).await.expect("reported");
    report(&store, &Uuid::now_v7().to_string(), "debug", Source::Human, "pass").await.expect("reported");
    assert_eq!(rates(&store).await, [(2, 3), (6, 0)], "without a known decision it counts for the local model");
    assert_eq!(evidence(&store, Some("renamed")).await.rate, Rate::default(), "and not for its successor");
    assert_eq!(store.reset("debug", Some("qwen")).await.expect("reset"), 5);
    assert_eq!(rates(&store).await, [(0, 0), (6, 0)]);
}

#[tokio::test]
async fn a_verdict_before_any_decision_counts_for_any_local_model_until_it_is_begun_anew() {
    let (store, _folder) = store().await;
    log(&store, json!({"skill": "debug", "final_status": "fail"})).await.expect("reported");
    let claude = decide(&store, "debug", "claude", "c").await;
    report(&store, &claude, "debug", Source::Agent, "pass").await.expect("reported");
    for local in ["qwen", "another"] {
        assert_eq!(evidence(&store, Some(local)).await.rate.fail, 1, "{local}");
    }
    assert_eq!(store.reset("debug", Some("c")).await.expect("reset"), 1, "Claude's alone");
    assert_eq!(rates(&store).await, [(0, 1), (0, 0)]);
    assert_eq!(store.reset("debug", Some("qwen")).await.expect("reset"), 1);
    assert_eq!(rates(&store).await, [(0, 0), (0, 0)]);
}

#[tokio::test]
async fn an_answer_of_a_gateways_own_fallback_changes_nothing_for_the_local_model() {
    let (store, _folder) = store().await;
    let id = Uuid::now_v7().to_string();
    let mut fell_back = record(&id, "debug", "local", "qwen");
    (fell_back["gateway_fallback"], fell_back["answered_by"]) = (json!(true), json!("c"));
    decide_as(&store, &fell_back).await;
    report(&store, &id, "debug", Source::Agent, "pass").await.expect("reported");
    assert_eq!(rates(&store).await, [(0, 0), (1, 0)], "Claude answered");
    // The verdict first.
    let id = Uuid::now_v7().to_string();
    report(&store, &id, "debug", Source::Agent, "pass").await.expect("reported");
    fell_back["id"] = json!(id);
    decide_as(&store, &fell_back).await;
    assert_eq!(rates(&store).await, [(0, 0), (2, 0)]);
}

#[tokio::test]
async fn an_id_is_the_same_decision_in_every_form_that_it_can_be_written_in() {
    let (store, _folder) = store().await;
    let id = decide(&store, "debug", "claude", "c").await;
    let forms = [
        id.clone(),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{}", id.to_uppercase()),
    ];
    for form in &forms {
        report(&store, form, "debug", Source::Agent, "pass").await.expect("reported");
    }
    assert_eq!(rates(&store).await, [(0, 0), (1, 0)], "once, and for Claude");
    let other_skill = report(&store, &id.to_uppercase(), "other", Source::Agent, "pass").await.expect_err("refused");
    assert!(other_skill.to_string().contains("is one of debug"), "{other_skill}");
    report(&store, &forms[2], "debug", Source::Agent, "retract").await.expect("taken back");
    assert_eq!(rates(&store).await, [(0, 0), (0, 0)]);
}

#[tokio::test]
async fn what_names_no_decision_does_not_count_for_a_local_model_that_failed() {
    let (store, _folder) = store().await;
    let mut failed = record(&Uuid::now_v7().to_string(), "debug", "local", "broken");
    failed["error"] = json!("status");
    decide_as(&store, &failed).await;
    log(&store, json!({"skill": "debug", "final_status": "pass"})).await.expect("reported");
    assert!(evidence(&store, None).await.models.iter().all(|model| model.model != "broken" || model.rate.pass == 0));
}

#[tokio::test]
async fn of_several_verdicts_on_a_decision_the_strongest_counts_and_the_same_source_replaces_its_own() {
    let (store, _folder) = store().await;
    let id = decide(&store, "debug", "local", "qwen").await;
    for (source, status, expected) in [
        (Source::Agent, "pass", (1, 0)),
        (Source::Agent, "fail", (0, 1)),
        (Source::Grader, "pass", (0, 1)),
        (Source::Human, "pass", (1, 0)),
        (Source::Ci, "fail", (1, 0)),
        (Source::Human, "skip", (0, 0)),
        (Source::Human, "retract", (0, 1)),
        (Source::Ci, "retract", (0, 1)),
        (Source::Agent, "retract", (1, 0)),
        (Source::Grader, "retract", (0, 0)),
    ] {
        report(&store, &id, "debug", source, status).await.expect("reported");
        assert_eq!(rates(&store).await[0], expected, "{source:?} {status}");
    }
    let states: Vec<String> =
        store.outcomes("debug", 10).await.expect("a list").into_iter().map(|outcome| outcome.state).collect();
    assert_eq!(states.iter().filter(|state| *state == "replaced").count(), 1 + 1);
    assert!(!states.contains(&"stands".to_string()), "{states:?}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_its_argument_and_changes_nothing() {
    let (store, _folder) = store().await;
    let id = decide(&store, "debug", "local", "qwen").await;
    let failed = Uuid::now_v7().to_string();
    let mut record = record(&failed, "debug", "local", "qwen");
    record["error"] = json!("timeout");
    decide_as(&store, &record).await;
    let tomorrow = Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        u64::try_from(now_ms() / 1000 + 90_000).expect("positive"),
        0,
    ));
    for (decision, skill, status, reason) in [
        ("nonsense", "debug", "pass", "argument decision_id: nonsense: must be the id in the answer's routing line"),
        (&*id, "other", "pass", &*format!("argument skill: the decision {id} is one of debug, not of other")),
        (&*failed, "debug", "pass", "failed (timeout): it gave no answer to judge"),
        (&*tomorrow.to_string(), "debug", "fail", "argument decision_id: is 1 days and "),
        (&*id, "debug", "retract", "there is no verdict of source human on"),
    ] {
        let refused = report(&store, decision, skill, Source::Human, status).await.expect_err(reason).to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    assert_eq!(rates(&store).await, [(0, 0), (0, 0)]);
    assert_eq!(store.outcomes("debug", 10).await.expect("a list").len(), 0);
}

#[tokio::test]
async fn a_verdict_that_is_there_before_its_decision_counts_for_its_model_once_it_is_known() {
    let (store, _folder) = store().await;
    let (first, second) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    for _ in 0..3 {
        report(&store, &first, "debug", Source::Agent, "pass").await.expect("reported");
    }
    report(&store, &second, "debug", Source::Agent, "pass").await.expect("reported");
    assert_eq!(rates(&store).await, [(2, 0), (0, 0)], "each once");
    decide_as(&store, &record(&first, "debug", "claude", "c")).await;
    decide_as(&store, &record(&second, "another", "local", "qwen")).await;
    assert_eq!(rates(&store).await, [(0, 0), (1, 0)], "the second was judged for another skill");
}

#[tokio::test]
async fn evidence_that_is_begun_anew_counts_from_then_on_and_stays_readable() {
    let (store, _folder) = store().await;
    let ids = [decide(&store, "debug", "local", "qwen").await, decide(&store, "debug", "claude", "c").await];
    for id in &ids {
        report(&store, id, "debug", Source::Agent, "fail").await.expect("reported");
    }
    assert_eq!(store.reset("debug", Some("qwen")).await.expect("reset"), 1);
    assert_eq!(rates(&store).await, [(0, 0), (0, 1)]);
    assert!(evidence(&store, Some("qwen")).await.since.is_some());
    assert_eq!(evidence(&store, Some("other")).await.since, None);
    report(&store, &ids[0], "debug", Source::Agent, "pass").await.expect("reported");
    assert_eq!(rates(&store).await, [(1, 0), (0, 1)]);
    assert_eq!(store.reset("debug", None).await.expect("reset"), 2);
    assert_eq!(rates(&store).await, [(0, 0), (0, 0)]);
    assert_eq!(store.outcomes("debug", 10).await.expect("a list").len(), 3);
    assert_eq!(store.decisions("debug", 10).await.expect("a list").len(), 2);
}

#[tokio::test]
async fn the_latest_verdicts_count_on_when_the_window_has_run_out() {
    let (store, _folder) = store().await;
    let now = now_ms();
    for (hours, status) in [(100, FinalStatus::Pass), (90, FinalStatus::Fail), (80, FinalStatus::Fail)] {
        append_at(&store, "debug", status, now - hours * HOUR_MS).await;
    }
    let query = |at_least| Query { local: Some("qwen".into()), at_least, ..over("debug", DAY) };
    let read = async |at_least| store.evidence_at(&query(at_least), now).await.expect("evidence");
    assert_eq!(read(0).await.rate, Rate::default());
    let held = read(2).await;
    assert_eq!((held.rate.pass, held.rate.fail, held.held_age_ms), (0, 2, Some(80 * HOUR_MS)));
    assert_eq!((read(20).await.rate.pass, read(20).await.rate.fail), (1, 2), "all there are");
    append_at(&store, "debug", FinalStatus::Pass, now).await;
    assert_eq!((read(1).await.rate.pass, read(1).await.held_age_ms), (1, None), "the window has enough");
    store.reset("debug", None).await.expect("reset");
    assert_eq!(read(20).await.rate, Rate::default());
}

#[tokio::test]
async fn a_thousand_verdicts_at_once_on_one_decision_count_once() {
    let (store, _folder) = store().await;
    let id = decide(&store, "debug", "local", "qwen").await;
    let reports =
        (0..1000).map(|i| report(&store, &id, "debug", Source::Agent, if i % 2 == 0 { "pass" } else { "fail" }));
    for reported in futures::future::join_all(reports).await {
        reported.expect("reported");
    }
    let [(pass, fail), _] = rates(&store).await;
    assert_eq!(pass + fail, 1);
}
