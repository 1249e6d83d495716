//! Verdicts on decisions. A decision is counted once, by the verdicts that stand on it: one of each source, its latest.

use sqlx::{Any, Transaction};

use super::{
    StoreError,
    counts::{self, About, What},
    tally::Tally,
};
use crate::{
    record::{Arm, answerer},
    verdict::{Pattern, Source, Verdict},
};

type Tx<'t> = Transaction<'t, Any>;

const STANDING: &str =
    "SELECT id, at_ms, skill, arm, model, source, verdict FROM outcomes WHERE unit = $1 AND state = 'stands'";

/// A verdict as it is reported.
pub(super) struct Reported<'a> {
    /// Id of its entry.
    pub(super) id: &'a str,
    pub(super) at_ms: i64,
    pub(super) skill: &'a str,
    pub(super) source: Source,
    /// None: what the source said is taken back.
    pub(super) verdict: Option<Verdict>,
    pub(super) decision_id: Option<&'a str>,
}

/// What a verdict is about.
#[derive(Clone, Debug)]
struct Judged {
    arm: String,
    model: String,
}

/// The name of the model that answered last among the latest local decisions of a skill. $1 skill.
const LAST_LOCAL: &str = "SELECT model FROM \
     (SELECT arm, model, error, at_ms FROM decisions WHERE skill = $1 ORDER BY at_ms DESC LIMIT 1000) AS latest \
     WHERE arm = 'local' AND error IS NULL ORDER BY at_ms DESC LIMIT 1";

/// Outcomes about nothing that is known count for the local model: for the one that last answered, so that its successor
/// starts unmeasured; where none is known, for any.
async fn unknown(tx: &mut Tx<'_>, skill: &str) -> Result<Judged, StoreError> {
    let model: Option<String> = sqlx::query_scalar(LAST_LOCAL).bind(skill).fetch_optional(&mut **tx).await?;
    Ok(Judged { arm: Arm::Local.as_str().into(), model: model.unwrap_or_default() })
}

/// A verdict that stands.
#[derive(sqlx::FromRow)]
struct Standing {
    id: String,
    at_ms: i64,
    skill: String,
    arm: String,
    model: String,
    source: String,
    verdict: String,
}

/// Records a verdict, or takes one back.
///
/// # Errors
/// [`StoreError::Refused`] with the reason, and nothing is recorded.
pub(super) async fn report(tx: &mut Tx<'_>, tally: &mut Tally, reported: &Reported<'_>) -> Result<(), StoreError> {
    let Some(decision) = reported.decision_id else {
        return alone(tx, tally, reported).await;
    };
    let standing = standing(tx, decision).await?;
    let judged = judged(tx, decision, reported.skill, &standing).await?;
    if standing.iter().any(|outcome| outcome.skill != reported.skill) {
        return refused(format!("argument skill: the decision {decision} was judged for another skill before"));
    }
    let same = standing.iter().find(|outcome| outcome.source == reported.source.as_str());
    if reported.verdict.is_none() && same.is_none() {
        return refused(nothing_to_take_back(decision, reported.source, &standing));
    }
    count(tally, &standing, -1);
    if let Some(outcome) = same {
        let state = if reported.verdict.is_some() { "replaced" } else { "retracted" };
        set_state(tx, &outcome.id, state).await?;
    }
    if let Some(verdict) = reported.verdict {
        insert(tx, reported, decision, &judged, verdict).await?;
    }
    count(tally, &self::standing(tx, decision).await?, 1);
    Ok(())
}

/// A verdict that names no decision: each counts for itself.
async fn alone(tx: &mut Tx<'_>, tally: &mut Tally, reported: &Reported<'_>) -> Result<(), StoreError> {
    // Says nothing about quality and about no decision.
    let Some(verdict) = reported.verdict.filter(|verdict| *verdict != Verdict::Skip) else { return Ok(()) };
    let judged = unknown(tx, reported.skill).await?;
    insert(tx, reported, reported.id, &judged, verdict).await?;
    count(tally, &standing(tx, reported.id).await?, 1);
    Ok(())
}

/// The model that a verdict on this decision is about. While it is not known, that of the verdicts on it that stand: all of
/// them are about one.
async fn judged(tx: &mut Tx<'_>, decision: &str, skill: &str, standing: &[Standing]) -> Result<Judged, StoreError> {
    let known: Option<Decided> = sqlx::query_as(DECIDED).bind(decision).fetch_optional(&mut **tx).await?;
    match known {
        None => match standing.first() {
            Some(Standing { arm, model, .. }) => Ok(Judged { arm: arm.clone(), model: model.clone() }),
            None => unknown(tx, skill).await,
        },
        Some(Decided { skill: of, .. }) if of != skill => {
            refused(format!("argument skill: the decision {decision} is one of {of}, not of {skill}"))
        }
        Some(Decided { error: Some(error), .. }) => refused(format!(
            "argument decision_id: the model call of {decision} failed ({error}): it gave no answer to judge"
        )),
        Some(decided) => Ok(decided.judged()),
    }
}

const DECIDED: &str = "SELECT skill, arm, model, answered_by, gateway_fallback, error FROM decisions WHERE id = $1";

/// A decision that a verdict is about.
#[derive(sqlx::FromRow)]
struct Decided {
    skill: String,
    arm: String,
    model: String,
    answered_by: Option<String>,
    gateway_fallback: Option<i64>,
    error: Option<String>,
}

impl Decided {
    fn judged(&self) -> Judged {
        let fell_back = self.gateway_fallback == Some(1);
        let (arm, model) = answerer(Arm::stored(&self.arm), &self.model, self.answered_by.as_deref(), fell_back);
        Judged { arm: arm.as_str().into(), model: model.into() }
    }
}

fn nothing_to_take_back(decision: &str, source: Source, standing: &[Standing]) -> String {
    let source = source.as_str();
    let others: Vec<String> = standing.iter().map(|other| format!("{} {}", other.source, other.verdict)).collect();
    let others = if others.is_empty() { "nothing".to_string() } else { others.join(", ") };
    format!(
        "argument decision_id: there is no verdict of source {source} on {decision} to take back; on it stands: {others}"
    )
}

fn refused<T>(reason: String) -> Result<T, StoreError> {
    Err(StoreError::Refused { reason })
}

/// The record of a decision came after verdicts on it: they count for its model from now on, if it can be judged.
pub(super) async fn attribute(
    tx: &mut Tx<'_>,
    tally: &mut Tally,
    decision: &str,
    skill: &str,
    (arm, model): (&str, &str),
    failed: bool,
) -> Result<(), StoreError> {
    let standing = standing(tx, decision).await?;
    if standing.is_empty() {
        return Ok(());
    }
    count(tally, &standing, -1);
    for outcome in &standing {
        if failed || outcome.skill != skill {
            set_state(tx, &outcome.id, "refused").await?;
        }
    }
    sqlx::query("UPDATE outcomes SET arm = $2, model = $3 WHERE unit = $1 AND state = 'stands'")
        .bind(decision)
        .bind(arm)
        .bind(model)
        .execute(&mut **tx)
        .await?;
    count(tally, &self::standing(tx, decision).await?, 1);
    Ok(())
}

async fn standing(tx: &mut Tx<'_>, unit: &str) -> Result<Vec<Standing>, StoreError> {
    Ok(sqlx::query_as(STANDING).bind(unit).fetch_all(&mut **tx).await?)
}

async fn insert(
    tx: &mut Tx<'_>,
    reported: &Reported<'_>,
    unit: &str,
    Judged { arm, model }: &Judged,
    verdict: Verdict,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO outcomes (id, unit, at_ms, skill, arm, model, source, verdict, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'stands')";
    sqlx::query(insert)
        .bind(reported.id)
        .bind(unit)
        .bind(reported.at_ms)
        .bind(reported.skill)
        .bind(arm)
        .bind(model)
        .bind(reported.source.as_str())
        .bind(verdict.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn set_state(tx: &mut Tx<'_>, id: &str, state: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE outcomes SET state = $2 WHERE id = $1").bind(id).bind(state).execute(&mut **tx).await?;
    Ok(())
}

/// Counts a judged decision, at the time of its latest verdict, or takes its count back.
fn count(tally: &mut Tally, standing: &[Standing], number: i64) {
    let Some(latest) = standing.iter().max_by_key(|outcome| outcome.at_ms) else { return };
    let Standing { skill, arm, model, at_ms, .. } = latest;
    let what = What::Verdicts(pattern(standing));
    tally.count(About { skill, arm, model }, &what, *at_ms, number);
}

fn pattern(standing: &[Standing]) -> Pattern {
    // Both were written by this program.
    let verdict = |outcome: &Standing| Some((Source::parse(&outcome.source)?, Verdict::parse(&outcome.verdict)?));
    Pattern::of(standing.iter().filter_map(verdict))
}

/// Whether a model has answered for Claude. Verdicts that name no model count for any other.
async fn is_claude(tx: &mut Tx<'_>, skill: &str, model: &str) -> Result<bool, StoreError> {
    let known = "SELECT COUNT(*) FROM counts WHERE skill = $1 AND width_ms = $2 AND arm = 'claude' AND model = $3";
    let known: i64 =
        sqlx::query_scalar(known).bind(skill).bind(counts::DAY_MS).bind(model).fetch_one(&mut **tx).await?;
    Ok(known > 0)
}

/// Begins the evidence of a skill anew, for one model or for all: what was reported before stays readable and does not
/// count. Returns how many verdicts no longer do.
pub(super) async fn reset(tx: &mut Tx<'_>, skill: &str, model: Option<&str>, at_ms: i64) -> Result<u64, StoreError> {
    let model = model.unwrap_or_default();
    let unnamed = !is_claude(tx, skill, model).await?;
    let end = "UPDATE outcomes SET state = 'reset' \
         WHERE skill = $1 AND state = 'stands' AND ($2 = '' OR model = $2 OR ($3 AND model = ''))";
    let ended = sqlx::query(end).bind(skill).bind(model).bind(unnamed).execute(&mut **tx).await?.rows_affected();
    let uncount = "DELETE FROM counts WHERE skill = $1 AND what NOT IN ('entry', 'decision') \
         AND ($2 = '' OR model = $2 OR ($3 AND model = ''))";
    sqlx::query(uncount).bind(skill).bind(model).bind(unnamed).execute(&mut **tx).await?;
    let remember = "INSERT INTO resets (skill, model, at_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (skill, model) DO UPDATE SET at_ms = excluded.at_ms";
    sqlx::query(remember).bind(skill).bind(model).bind(at_ms).execute(&mut **tx).await?;
    Ok(ended)
}
