//! Decisions by the client's own id of the call.

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::*;
use crate::record::tests::record;

const CALL: &str = "toolu_1";

fn decided(id: &Uuid, call: Value) -> Value {
    let mut decided = record(&id.to_string(), "debug", "local", "qwen");
    decided["client_call_id"] = call;
    decided
}

async fn append(store: &Store, decision: &Value) {
    let entry = json!({"skill": "_routing", "final_status": "skip", "decision": decision});
    let entry = Entry::from_arguments(entry.as_object().cloned().unwrap_or_default()).expect("an entry");
    store.append(entry).await.expect("written");
}

async fn ids(store: &Store, call: &str, limit: i64) -> Vec<String> {
    let decisions = store.decisions_of_call(call, limit).await.expect("decisions");
    decisions.iter().filter_map(|known| known.decision["id"].as_str().map(Into::into)).collect()
}

#[tokio::test]
async fn the_decisions_of_a_call_are_found_the_newest_first_and_shown_as_they_were_sent() {
    let (store, _folder) = store().await;
    let (first, second, other) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    for (id, call) in [(first, json!(CALL)), (second, json!(CALL)), (other, json!("toolu_2"))] {
        append(&store, &decided(&id, call)).await;
    }
    append(&store, &decided(&Uuid::now_v7(), json!(7))).await;
    append(&store, &decided(&Uuid::now_v7(), json!("x".repeat(300)))).await;
    assert_eq!(ids(&store, CALL, 500).await, [second.to_string(), first.to_string()]);
    assert_eq!(ids(&store, CALL, 1).await, [second.to_string()]);
    assert_eq!(ids(&store, "7", 500).await.len() + ids(&store, &"x".repeat(300), 500).await.len(), 0, "no ids");
    let shown = store.decisions_of_call("toolu_2", 1).await.expect("decisions").remove(0).decision;
    assert_eq!(shown, decided(&other, json!("toolu_2")));
}

#[tokio::test]
async fn a_database_of_the_version_before_finds_the_calls_that_it_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("brain.db");
    let mut old = SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.expect("connects");
    let earlier: Vec<_> =
        sqlx::migrate!("./migrations/sqlite").iter().filter(|migration| migration.version <= 3).cloned().collect();
    sqlx::migrate::Migrator::with_migrations(earlier).run(&mut old).await.expect("the earlier schema");
    for (id, rest) in [
        ("with", Some(r#"{"client_call_id":"toolu_1","p_local":1.0}"#)),
        ("number", Some(r#"{"client_call_id":1}"#)),
        ("none", None),
    ] {
        let row = "INSERT INTO decisions (id, entry_id, at_ms, skill, arm, model, rest) VALUES ($1, $1, 1, 'debug', 'local', 'm', $2)";
        sqlx::query(row).bind(id).bind(rest).execute(&mut old).await.expect("a row");
    }
    old.close().await.expect("closed");
    let store = Store::open(&DatabaseUrl::sqlite(path)).await.expect("migrates");
    assert_eq!((ids(&store, CALL, 500).await, ids(&store, "1", 500).await), (vec!["with".into()], vec![]));
}

/// The driver keeps prepared statements: the first decision of a skill has no pass rate, the next ones have one.
#[tokio::test]
async fn decisions_with_and_without_a_pass_rate_are_written_in_any_order() {
    let (store, _folder) = store().await;
    for rates in [[json!(null), json!(null), json!(0.7)], [json!(0.1), json!(0.9), json!(null)]].iter().cycle().take(6)
    {
        let mut record = record(&uuid::Uuid::now_v7().to_string(), "debug", "local", "qwen");
        for (name, rate) in ["pass_rate", "floor", "ceil"].into_iter().zip(rates) {
            record[name] = rate.clone();
        }
        verdicts::decide_as(&store, &record).await;
        let id = record["id"].as_str().expect("an id");
        assert_eq!(store.decision(id).await.expect("read").expect("known").decision, record);
    }
}
