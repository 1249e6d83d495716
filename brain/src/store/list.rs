//! Outcomes and decisions as they are read back, the latest first.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Serialize;
use serde_json::Value;
use sqlx::{AnyPool, Row, any::AnyRow};

use crate::record::{self, COLUMNS, Field, Kind};

/// Most rows that are returned.
pub const ENTRIES_MAX: i64 = 500;

const OUTCOMES: &str = "SELECT o.id, o.at_ms, o.skill, o.source, o.verdict, o.state, o.arm, o.model, e.decision_id, \
            e.message, e.session_id \
     FROM outcomes o JOIN entries e ON e.id = o.id WHERE o.skill = $1 ORDER BY o.at_ms DESC, o.id DESC LIMIT $2";

/// $1 skill, $2 most rows.
static DECISIONS: LazyLock<String> =
    LazyLock::new(|| decisions_where("d.skill = $1 ORDER BY d.at_ms DESC, d.id DESC LIMIT $2"));

/// $1 id.
static DECISION: LazyLock<String> = LazyLock::new(|| decisions_where("d.id = $1"));

/// $1 the client's id of the call, $2 most rows. Ids sort by time.
static DECISIONS_OF_CALL: LazyLock<String> =
    LazyLock::new(|| decisions_where("d.client_call_id = $1 ORDER BY d.id DESC LIMIT $2"));

/// The query for the decisions, of the table `d`, of which a condition holds.
pub(super) fn decisions_where(condition: &str) -> String {
    format!(
        "SELECT {}, d.at_ms AS at_ms, (SELECT string_agg(source || '=' || verdict, ',') FROM outcomes \
            WHERE unit = d.id AND state = 'stands') AS verdicts \
         FROM decisions d WHERE {condition}",
        columns()
    )
}

/// A verdict as it is read back.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct StoredOutcome {
    /// Id of its entry.
    pub id: String,
    /// When it was reported, in milliseconds since 1970.
    #[serde(rename = "at")]
    pub at_ms: i64,
    /// The skill that answered.
    pub skill: String,
    /// Who says so.
    pub source: String,
    /// `pass`, `fail` or `skip`.
    pub verdict: String,
    /// `stands`, `replaced`, `retracted`, `reset` or `refused`.
    pub state: String,
    /// `local` or `claude`: the model that answered.
    pub arm: String,
    /// Its name; empty: the decision is not known.
    pub model: String,
    /// The decision that it judges.
    pub decision_id: Option<String>,
    /// One line for a reader, or empty.
    pub message: String,
    /// The session that it names, or empty.
    pub session_id: String,
}

/// A decision as it is read back.
#[derive(Debug, Serialize)]
pub struct StoredDecision {
    /// The record as the data plane sent it.
    pub decision: Value,
    /// When it was reported, in milliseconds since 1970.
    pub at: i64,
    /// The verdicts that stand on it, by source.
    pub verdicts: BTreeMap<String, String>,
}

pub(super) async fn outcomes(readers: &AnyPool, skill: &str, limit: i64) -> Result<Vec<StoredOutcome>, sqlx::Error> {
    sqlx::query_as(OUTCOMES).bind(skill).bind(limit).fetch_all(readers).await
}

pub(super) async fn decisions(readers: &AnyPool, skill: &str, limit: i64) -> Result<Vec<StoredDecision>, sqlx::Error> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(DECISIONS.as_str())).bind(skill).bind(limit).fetch_all(readers).await?;
    rows.iter().map(stored_decision).collect()
}

pub(super) async fn decisions_of_call(
    readers: &AnyPool,
    call: &str,
    limit: i64,
) -> Result<Vec<StoredDecision>, sqlx::Error> {
    let query = sqlx::query(sqlx::AssertSqlSafe(DECISIONS_OF_CALL.as_str())).bind(call).bind(limit);
    query.fetch_all(readers).await?.iter().map(stored_decision).collect()
}

pub(super) async fn decision(readers: &AnyPool, id: &str) -> Result<Option<StoredDecision>, sqlx::Error> {
    let row = sqlx::query(sqlx::AssertSqlSafe(DECISION.as_str())).bind(id).fetch_optional(readers).await?;
    row.as_ref().map(stored_decision).transpose()
}

/// A row of [`decisions_where`].
pub(super) fn stored_decision(row: &AnyRow) -> Result<StoredDecision, sqlx::Error> {
    let verdicts: Option<String> = row.try_get("verdicts")?;
    let verdicts = verdicts.unwrap_or_default();
    let pairs = verdicts.split(',').filter_map(|pair| pair.split_once('='));
    Ok(StoredDecision {
        decision: record(row)?.unwrap_or_default(),
        at: row.try_get("at_ms")?,
        verdicts: pairs.map(|(source, verdict)| (source.into(), verdict.into())).collect(),
    })
}

pub(super) async fn skills(readers: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT skill FROM counts WHERE width_ms = 86400000 AND what <> 'entry' ORDER BY skill")
        .fetch_all(readers)
        .await
}

/// The columns of a record, of the table `d`, so named that they collide with no other.
pub(super) fn columns() -> String {
    let named = COLUMNS.map(|(name, _)| format!("d.{name} AS d_{name}")).join(", ");
    format!("{named}, d.rest AS d_rest")
}

/// The record in a row with [`columns`], if there is one.
pub(super) fn record(row: &AnyRow) -> Result<Option<Value>, sqlx::Error> {
    let id: Option<String> = row.try_get("d_id")?;
    if id.is_none() {
        return Ok(None);
    }
    let field = |(name, kind): (&str, Kind)| {
        let column = format!("d_{name}");
        Ok(match kind {
            Kind::Text => Field::Text(row.try_get(&*column)?),
            Kind::Integer | Kind::Flag => Field::Integer(row.try_get(&*column)?),
            Kind::Real => Field::Real(row.try_get(&*column)?),
        })
    };
    let fields = COLUMNS.into_iter().map(field).collect::<Result<_, sqlx::Error>>()?;
    let rest: Option<String> = row.try_get("d_rest")?;
    Ok(Some(record::shown(fields, rest.as_deref())))
}
