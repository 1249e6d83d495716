//! What is read back of a session: its own entries, the decisions made in it, and the outcomes of these decisions,
//! whatever session those name. A decision is an entry of the session `_routing`; its record holds the caller's.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value;
use sqlx::{AnyPool, Row, any::AnyRow};

use super::list;

/// Most entries of one session that are returned: the latest.
pub const ENTRIES_MAX: i64 = 500;
/// Most decisions of a session whose outcomes are looked for: the latest.
const DECISIONS_MAX: i64 = 500;
/// The id under which entries without a session are read. Ids of callers do not start with `_`.
const NO_SESSION: &str = "_none";

/// Before the columns of a record and after them. $1 session, $2 most entries, $3 most decisions.
const SESSION: [&str; 2] = [
    "WITH made AS ( \
       SELECT decision_id FROM entries WHERE caller_session = $1 ORDER BY id DESC LIMIT $3 \
     ), shown AS ( \
       SELECT id FROM (SELECT id FROM entries WHERE session_id = $1 ORDER BY id DESC LIMIT $2) AS own \
       UNION \
       SELECT id FROM (SELECT id FROM entries WHERE caller_session = $1 ORDER BY id DESC LIMIT $2) AS decisions \
       UNION \
       SELECT id FROM (SELECT id FROM entries WHERE decision_id IN (SELECT decision_id FROM made) \
                       ORDER BY id DESC LIMIT $2) AS outcomes \
     ) \
     SELECT e.id, e.at_ms, e.session_id, e.skill, e.phase, e.final_status, e.message, e.duration_ms, e.project_root, \
            e.decision_id, ",
    " FROM entries e LEFT JOIN decisions d ON d.entry_id = e.id \
     WHERE e.id IN (SELECT id FROM shown) ORDER BY e.id DESC LIMIT $2",
];

static QUERY: LazyLock<String> = LazyLock::new(|| SESSION.join(&list::columns()));

/// An entry as it is read back.
#[derive(Debug, Serialize)]
pub struct StoredEntry {
    /// Id of the entry, a UUID v7: ids sort by time.
    pub id: String,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// The session that the entry names, or empty; `_routing` for a decision.
    pub session_id: String,
    /// The skill that the entry is about.
    pub skill: String,
    /// For example `outcome` or `decide`.
    pub phase: String,
    /// `pass`, `fail` or `skip`.
    pub final_status: String,
    /// One line for a reader, or empty.
    pub message: String,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The project that it was about, or empty.
    pub project_root: String,
    /// The decision that the entry judges or records.
    pub decision_id: Option<String>,
    /// A decision record.
    pub decision: Option<Value>,
}

/// The latest `limit` entries, oldest first.
pub(super) async fn read(readers: &AnyPool, id: &str, limit: i64) -> Result<Vec<StoredEntry>, sqlx::Error> {
    let query = sqlx::query(sqlx::AssertSqlSafe(QUERY.as_str()));
    let rows = query.bind(stored_id(id)).bind(limit).bind(DECISIONS_MAX).fetch_all(readers).await?;
    rows.iter().rev().map(stored_entry).collect()
}

/// The session as it is stored: the empty text is read under [`NO_SESSION`].
pub(super) fn stored_id(id: &str) -> &str {
    if id == NO_SESSION { "" } else { id }
}

fn stored_entry(row: &AnyRow) -> Result<StoredEntry, sqlx::Error> {
    Ok(StoredEntry {
        id: row.try_get("id")?,
        at: row.try_get("at_ms")?,
        session_id: row.try_get("session_id")?,
        skill: row.try_get("skill")?,
        phase: row.try_get("phase")?,
        final_status: row.try_get("final_status")?,
        message: row.try_get("message")?,
        duration_ms: row.try_get("duration_ms")?,
        project_root: row.try_get("project_root")?,
        decision_id: row.try_get("decision_id")?,
        decision: list::record(row)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        entry::Entry,
        record::tests::record,
        store::{SESSION_ENTRIES_MAX, Store, tests::store},
    };

    use super::*;

    /// A UUID made of a name.
    fn uuid(name: &str) -> String {
        uuid::Uuid::from_u128(name.bytes().fold(0, |sum, byte| sum << 8 | u128::from(byte))).to_string()
    }

    async fn log(store: &Store, arguments: Value) {
        let entry = Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default()).expect("an entry");
        store.append(entry).await.expect("written");
    }

    /// A decision as the data plane logs it.
    async fn decide(store: &Store, id: &str, session: Value) {
        let mut record = record(&uuid(id), "debug", "local", "l");
        record["session"] = session;
        log(store, json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip", "message": id,
            "decision_id": uuid(id), "decision": record}))
        .await;
    }

    async fn outcome(store: &Store, session: &str, decision: Option<&str>, message: &str) {
        let mut entry = json!({"skill": "debug", "phase": "outcome", "final_status": "pass", "session_id": session, "message": message});
        if let Some(decision) = decision {
            entry["decision_id"] = json!(uuid(decision));
        }
        log(store, entry).await;
    }

    async fn messages(store: &Store, id: &str, limit: i64) -> Vec<String> {
        store.session(id, limit).await.expect("entries").into_iter().map(|entry| entry.message).collect()
    }

    #[tokio::test]
    async fn a_session_is_read_with_the_decisions_made_in_it_and_their_outcomes() {
        let (store, _folder) = store().await;
        outcome(&store, "mine", None, "my own").await;
        decide(&store, "d1", json!("mine")).await;
        decide(&store, "d2", json!("another")).await;
        decide(&store, "d3", json!(null)).await;
        outcome(&store, "", Some("d1"), "of d1 without a session").await;
        outcome(&store, "reporter", Some("d1"), "of d1 by another").await;
        outcome(&store, "mine", Some("d2"), "mine of d2").await;
        outcome(&store, "", None, "of nothing").await;
        outcome(&store, "_none", None, "of nobody").await;
        let all = async |id: &str| messages(&store, id, SESSION_ENTRIES_MAX).await;
        let mine = ["my own", "d1", "of d1 without a session", "of d1 by another", "mine of d2"];
        assert_eq!(all("mine").await, mine);
        assert_eq!(all("another").await, ["d2", "mine of d2"]);
        assert_eq!(all("_routing").await, ["d1", "d2", "d3"]);
        assert_eq!(all("_none").await, ["of d1 without a session", "of nothing", "of nobody"]);
        assert_eq!(all("nobody").await, Vec::<String>::new());
        assert_eq!(messages(&store, "mine", 2).await, ["of d1 by another", "mine of d2"], "the latest");
    }

    #[tokio::test]
    async fn in_sqlite_a_session_is_read_by_indexes_only() {
        let (store, _folder) = store().await;
        let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", *QUERY)));
        let rows = plan.bind("s").bind(1_i64).bind(1_i64).fetch_all(&store.readers).await.expect("a plan");
        let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").expect("detail")).collect();
        assert!(steps.iter().all(|step| !step.starts_with("SCAN entries")), "{steps:#?}");
        for index in ["entries_by_session", "entries_by_caller_session", "entries_by_decision"] {
            assert!(steps.iter().any(|step| step.contains(index)), "{index}: {steps:#?}");
        }
    }
}
