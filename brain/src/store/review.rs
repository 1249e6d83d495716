//! Answers that are kept for review, until their time is over.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::{Any, AnyPool, Executor, Transaction};

use super::{StoreError, list::StoredDecision};
use crate::entry::Review;

/// Most answers of one list.
pub const REVIEWS_MAX: i64 = 20;

/// An answer that is kept.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct StoredReview {
    /// The decision that it answers.
    #[sqlx(rename = "decision_id")]
    pub decision: String,
    /// When it was reported, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it will be deleted, in milliseconds since 1970.
    pub until_ms: i64,
    /// What the model said.
    pub answer: String,
    /// Whether its end is missing.
    #[sqlx(rename = "cut")]
    #[serde(serialize_with = "flag")]
    pub cut: i64,
    /// The part of the answers that its policy keeps, at most 1; 0: not known.
    pub share: f64,
}

// The form of serde's `serialize_with`.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn flag<S: serde::Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(*number != 0)
}

/// What is kept altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// Answers.
    pub number: i64,
    /// The longest time that one of them is kept, in milliseconds.
    pub keep_ms: i64,
    /// The largest part of the answers that one of their policies keeps, at most 1; 0: not known.
    pub share: f64,
}

/// Keeps the answer of a known decision, so that there are no more answers than decisions; one that has an answer keeps it.
///
/// # Errors
/// [`StoreError::Refused`]: the decision is not known.
pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    decision: &str,
    Review { answer, cut, keep_ms, share }: &Review,
    at_ms: i64,
) -> Result<(), StoreError> {
    let known = "SELECT COUNT(*) FROM decisions WHERE id = $1";
    if sqlx::query_scalar::<_, i64>(known).bind(decision).fetch_one(&mut **tx).await? == 0 {
        let reason = "argument decision_id: no decision has this id; an answer is kept after its decision".into();
        return Err(StoreError::Refused { reason });
    }
    let insert = "INSERT INTO reviews (decision_id, at_ms, until_ms, answer, cut, share) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (decision_id) DO NOTHING";
    let query = sqlx::query(insert).bind(decision).bind(at_ms).bind(at_ms.saturating_add(*keep_ms));
    query.bind(answer.as_str()).bind(i64::from(*cut)).bind(*share).execute(&mut **tx).await?;
    Ok(())
}

/// Deletes what has been kept long enough.
pub(super) async fn delete_due(writing: impl Executor<'_, Database = Any>, now_ms: i64) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query("DELETE FROM reviews WHERE until_ms <= $1").bind(now_ms).execute(writing).await?;
    Ok(deleted.rows_affected())
}

/// The kept answers, or that of a decision. What is due is not shown, even before it is deleted.
pub(super) async fn list(
    readers: &AnyPool,
    decision: Option<&str>,
    limit: i64,
    now_ms: i64,
) -> Result<Vec<StoredReview>, sqlx::Error> {
    let all = "SELECT decision_id, at_ms, until_ms, answer, cut, share FROM reviews WHERE until_ms > $1 \
         ORDER BY at_ms DESC LIMIT $2";
    let one = "SELECT decision_id, at_ms, until_ms, answer, cut, share FROM reviews WHERE until_ms > $1 AND decision_id = $3 \
         LIMIT $2";
    match decision {
        None => sqlx::query_as(all).bind(now_ms).bind(limit).fetch_all(readers).await,
        Some(decision) => sqlx::query_as(one).bind(now_ms).bind(limit).bind(decision).fetch_all(readers).await,
    }
}

pub(super) async fn kept(readers: &AnyPool, now_ms: i64) -> Result<Kept, sqlx::Error> {
    let count = "SELECT COUNT(*), COALESCE(MAX(until_ms - at_ms), 0), COALESCE(MAX(share), 0.0) FROM reviews WHERE until_ms > $1";
    let (number, keep_ms, share) = sqlx::query_as(count).bind(now_ms).fetch_one(readers).await?;
    Ok(Kept { number, keep_ms, share })
}

/// Those decisions of a page of which an answer is kept.
pub(super) async fn of_page(
    readers: &AnyPool,
    decisions: &[StoredDecision],
    now_ms: i64,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let ids: Vec<&str> = decisions.iter().filter_map(|stored| stored.decision["id"].as_str()).collect();
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let places: Vec<String> = (2..ids.len() + 2).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT decision_id FROM reviews WHERE until_ms > $1 AND decision_id IN ({})", places.join(", "));
    let mut query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.as_str())).bind(now_ms);
    for id in ids {
        query = query.bind(id);
    }
    let found: Vec<String> = query.fetch_all(readers).await?;
    Ok(found.into_iter().collect())
}
