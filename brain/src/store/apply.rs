//! Writes one entry with everything that follows from it, within the transaction of its batch.

use std::sync::LazyLock;

use sqlx::{Any, Transaction};

use super::{
    StoreError,
    clock::TOLERANCE_MS,
    counts::{About, DAY_MS, MINUTE_MS, What},
    outcomes::{self, Reported},
    review, session, spending,
    tally::Tally,
};
use crate::{
    entry::Entry,
    record::{COLUMNS, Field, Record},
    spent::Spent,
};

/// What a decision has besides the columns of its record, in the order in which it is bound.
const DERIVED: [&str; 10] = [
    "entry_id",
    "at_ms",
    "arm",
    "rest",
    "client_call_id",
    "line",
    "tokens_cached",
    "nano_usd",
    "would_in",
    "would_out",
];

/// First what is derived, then the columns.
static DECIDE: LazyLock<String> = LazyLock::new(|| {
    let named = COLUMNS.map(|(name, _)| name).join(", ");
    let values: Vec<String> = (1..=COLUMNS.len() + DERIVED.len()).map(|i| format!("${i}")).collect();
    let (derived, values) = (DERIVED.join(", "), values.join(", "));
    format!("INSERT INTO decisions ({derived}, {named}) VALUES ({values}) ON CONFLICT (id) DO NOTHING")
});

/// Writes an entry and returns its id; what it adds to sums goes into the tally. The record of a decision that is there
/// already is not written again: whoever sent it once more did not learn that it was, and has the id of its entry.
///
/// # Errors
/// [`StoreError::Refused`]: this entry is not written, and the transaction can go on.
pub(super) async fn apply(
    tx: &mut Transaction<'_, Any>,
    tally: &mut Tally,
    id: &str,
    entry: &Entry,
    at_ms: i64,
) -> Result<String, StoreError> {
    let record = entry.record().map_err(|reason| StoreError::Refused { reason })?;
    not_in_the_future(entry, record.as_ref(), at_ms)?;
    match (&record, &entry.usage, &entry.review) {
        (Some(record), ..) => {
            if !decide(tx, tally, id, record, at_ms).await? {
                return entry_of(tx, &record.id).await;
            }
        }
        // It says what a judgement took, and nothing about the answer.
        (None, Some(usage), _) => {
            let (model, spent) = (usage.model.as_str(), usage.spent());
            spending::grade(tx, id, entry, (model, &spent), at_ms).await?;
            tally.spend(About { skill: &entry.skill, arm: "", model }, &spent, at_ms);
        }
        // It is the answer, and says nothing about it.
        (None, None, Some(answer)) => {
            review::keep(tx, entry.decision_id.as_deref().unwrap_or_default(), answer, at_ms).await?;
        }
        (None, None, None) => {
            let Entry { skill, source, final_status, decision_id, .. } = entry;
            let (verdict, decision_id) = (final_status.verdict(), decision_id.as_deref());
            outcomes::report(tx, tally, &Reported { id, at_ms, skill, source: *source, verdict, decision_id }).await?;
        }
    }
    insert(tx, id, entry, record.as_ref(), at_ms).await?;
    let about = About { skill: &entry.skill, arm: "", model: "" };
    tally.count(about, &What::Entry, at_ms, 1);
    Ok(id.into())
}

/// The entry that a decision came with.
async fn entry_of(tx: &mut Transaction<'_, Any>, decision: &str) -> Result<String, StoreError> {
    let entry = "SELECT entry_id FROM decisions WHERE id = $1";
    Ok(sqlx::query_scalar(entry).bind(decision).fetch_one(&mut **tx).await?)
}

/// The time is part of a decision's id, and of its record.
fn not_in_the_future(entry: &Entry, record: Option<&Record>, now_ms: i64) -> Result<(), StoreError> {
    let time_of = |id: &String| {
        let (seconds, nanos) = uuid::Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
        i64::try_from(seconds.saturating_mul(1000).saturating_add(u64::from(nanos) / 1_000_000)).ok()
    };
    let recorded = record.and_then(|record| record.integer("time_ms"));
    for (argument, time) in [
        ("decision_id", entry.decision_id.as_ref().and_then(time_of)),
        ("decision.id", record.and_then(|record| time_of(&record.id))),
        ("decision.time_ms", recorded),
    ] {
        let ahead = time.unwrap_or_default().saturating_sub(now_ms);
        if ahead > TOLERANCE_MS {
            let days = ahead / DAY_MS;
            let reason = format!(
                "argument {argument}: is {days} days and {} minutes in the future; correct the clock of one of the two machines",
                ahead % DAY_MS / MINUTE_MS
            );
            return Err(StoreError::Refused { reason });
        }
    }
    Ok(())
}

/// Whether the decision is new: one that is known already stays as it is.
async fn decide(
    tx: &mut Transaction<'_, Any>,
    tally: &mut Tally,
    entry_id: &str,
    record: &Record,
    at_ms: i64,
) -> Result<bool, StoreError> {
    let (arm, model) = (record.arm.as_str(), record.model.as_str());
    let rest = (!record.rest.is_empty()).then(|| serde_json::Value::Object(record.rest.clone()).to_string());
    let mut query = sqlx::query(sqlx::AssertSqlSafe(DECIDE.as_str())).bind(entry_id).bind(at_ms).bind(arm).bind(rest);
    // The driver gives a real number that is absent another type than one that is there, and a statement that it keeps would
    // have that type from then on.
    query = query.persistent(!record.fields.contains(&Field::Real(None)));
    let spent = Spent::of(record);
    let would = spent.would;
    query = query.bind(record.client_call()).bind(spent.line.as_str()).bind(spent.tokens_cached).bind(spent.nano_usd);
    query = query.bind(would.map(|would| would.nano_in)).bind(would.map(|would| would.price_out));
    for field in &record.fields {
        query = match field {
            Field::Text(text) => query.bind(text.clone()),
            Field::Integer(number) => query.bind(*number),
            Field::Real(number) => query.bind(*number),
        };
    }
    if query.execute(&mut **tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let about = About { skill: &record.skill, arm, model };
    tally.count(about, &What::Decision, at_ms, 1);
    tally.spend(about, &spent, at_ms);
    outcomes::attribute(tx, tally, &record.id, &record.skill, (arm, model), record.text("error").is_some()).await?;
    Ok(true)
}

async fn insert(
    tx: &mut Transaction<'_, Any>,
    id: &str,
    entry: &Entry,
    record: Option<&Record>,
    at_ms: i64,
) -> Result<(), sqlx::Error> {
    let Entry { session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, .. } = entry;
    sqlx::query(
        "INSERT INTO entries (id, at_ms, session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, caller_session) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(at_ms)
    .bind(session::stored_id(session_id))
    .bind(skill)
    .bind(phase)
    .bind(final_status.as_str())
    .bind(message)
    .bind(duration_ms)
    .bind(project_root)
    .bind(decision_id.as_deref().or(record.map(|record| record.id.as_str())))
    .bind(record.and_then(|record| record.text("session")).filter(|session| !session.is_empty()))
    .execute(&mut **tx)
    .await
    .map(drop)
}
