//! A database of an earlier version keeps every entry: outcomes of known decisions are attributed, others count as before.

use std::path::Path;

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::*;
use crate::record::tests::record;

/// The migrations before the tables of decisions and outcomes.
const BEFORE: [&str; 2] = [
    include_str!("../../../migrations/sqlite/0001_entries.sql"),
    include_str!("../../../migrations/sqlite/0002_sessions.sql"),
];

/// Skill, status, id of the decision and its record, as an earlier version keeps them.
type Earlier<'a> = (&'a str, &'a str, Option<String>, Option<Value>);

/// Writes the file of a brain that has the first migrations alone.
async fn write_earlier(path: &Path, rows: &[Earlier<'_>], now: i64) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut old = SqliteConnection::connect(&url).await.expect("connects");
    let migrator = sqlx::migrate!("./migrations/sqlite");
    let earlier: Vec<_> = migrator.iter().filter(|migration| migration.version <= 2).cloned().collect();
    assert_eq!(earlier.iter().map(|migration| migration.sql.as_str()).collect::<Vec<_>>(), BEFORE);
    sqlx::migrate::Migrator::with_migrations(earlier).run(&mut old).await.expect("the earlier schema");
    for row in rows {
        write_entry(&mut old, row, now).await;
        for width in [MINUTE_MS, HOUR_MS] {
            count(&mut old, row.0, width, now).await;
        }
    }
    old.close().await.expect("closed");
}

async fn write_entry(old: &mut SqliteConnection, (skill, status, decision_id, decision): &Earlier<'_>, now: i64) {
    let entry = "INSERT INTO entries (id, at_ms, session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, decision) \
         VALUES ($1, $2, 's', $3, 'outcome', $4, 'm', 0, '', $5, $6)";
    let entry = sqlx::query(entry).bind(Uuid::now_v7().to_string()).bind(now).bind(*skill).bind(*status);
    entry.bind(decision_id).bind(decision.as_ref().map(Value::to_string)).execute(old).await.expect("a row");
}

async fn count(old: &mut SqliteConnection, skill: &str, width: i64, now: i64) {
    let count = "INSERT INTO outcome_counts VALUES ($1, $2, $3, 0, 0, 1) \
         ON CONFLICT (skill, width_ms, start_ms) DO UPDATE SET total = total + 1";
    sqlx::query(count).bind(skill).bind(width).bind(floor_to(now, width)).execute(old).await.expect("a count");
}

#[tokio::test]
async fn a_database_of_an_earlier_version_keeps_every_entry_and_attributes_what_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("brain.db");
    let now = now_ms();
    let (local, claude, failed) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7().to_string());
    let decided = |id: Uuid, decision: &str, model: &str| record(&id.to_string(), "debug", decision, model);
    let rows = [
        ("_routing", "skip", Some(local.to_string()), Some(decided(local, "local", "qwen"))),
        ("_routing", "skip", Some(claude.to_string()), Some(decided(claude, "claude", "c"))),
        ("debug", "fail", Some(local.to_string()), None),
        ("debug", "pass", Some(local.to_string()), None),
        ("debug", "pass", Some(claude.to_string()), None),
        ("other", "pass", Some(claude.to_string()), None),
        ("debug", "pass", Some(failed), None),
        ("debug", "fail", None, None),
        ("debug", "skip", None, None),
    ];
    write_earlier(&path, &rows, now).await;

    let store = Store::open(&DatabaseUrl::sqlite(path)).await.expect("migrates");
    let entries = store.session("s", SESSION_ENTRIES_MAX).await.expect("entries");
    assert_eq!(entries.len(), rows.len(), "no entry is lost");
    assert_eq!(entries[0].decision, rows[0].3, "a record is read as it was");
    let query = Query { local: Some("qwen".into()), ..over("debug", DAY) };
    let evidence = store.evidence(&query).await.expect("evidence");
    assert_eq!(
        (evidence.rate.pass, evidence.rate.fail, evidence.total),
        (2, 1, 6),
        "the decision's latest, and two that name none"
    );
    assert_eq!((evidence.claude("c").pass, evidence.claude("c").fail, evidence.decisions), (1, 0, 2));
    assert_eq!(rate(&store, "other", DAY, now).await, (1, 0, 1), "of another skill than its decision: as before");
    let id = local.to_string();
    let again = json!({"skill": "debug", "final_status": "fail", "decision_id": id});
    store
        .append(Entry::from_arguments(again.as_object().cloned().unwrap_or_default()).expect("an entry"))
        .await
        .expect("written");
    assert_eq!(store.evidence(&query).await.expect("evidence").rate.fail, 2, "replaced, not added");
}
