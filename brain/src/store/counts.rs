//! What is counted per minute, hour and day: entries, decisions, and answers by the verdicts that stand on them. A rate is
//! a sum over a few thousand rows at most, however many entries there are.

use sqlx::{Any, AnyPool, Transaction};

use super::{clock::TOLERANCE_MS, floor_to};
use crate::verdict::Pattern;

pub(super) const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// The widths of the counts, in milliseconds.
pub(super) const WIDTHS: [i64; 3] = [MINUTE_MS, HOUR_MS, DAY_MS];

/// $1 skill, $2 start of the window, $3 first full hour, $4 first full day, $5 end of the window (what starts later is in
/// the future), $6 to $8 the widths.
pub(super) const SUMS: &str = "SELECT arm, model, what, CAST(SUM(number) AS BIGINT) FROM ( \
       SELECT arm, model, what, number FROM counts WHERE skill = $1 AND width_ms = $8 AND start_ms >= $4 AND start_ms <= $5 \
       UNION ALL \
       SELECT arm, model, what, number FROM counts \
       WHERE skill = $1 AND width_ms = $7 AND start_ms >= $3 AND start_ms < $4 AND start_ms <= $5 \
       UNION ALL \
       SELECT arm, model, what, number FROM counts \
       WHERE skill = $1 AND width_ms = $6 AND start_ms >= $2 AND start_ms < $3 AND start_ms <= $5 \
     ) AS parts GROUP BY arm, model, what";

const ADD: &str = "INSERT INTO counts (skill, width_ms, start_ms, arm, model, what, number) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (skill, width_ms, start_ms, arm, model, what) DO UPDATE SET number = counts.number + excluded.number";

/// More than is ever counted, and so few that many of them can be added up.
const NUMBER_MAX: i64 = 1 << 53;

/// A number that can have been counted. In a file with a wrong bit it can be any other, and SQLite notices nothing.
///
/// # Errors
/// It cannot: a rate of it would be made of nothing.
pub(super) fn possible(number: i64) -> Result<i64, sqlx::Error> {
    if (0..=NUMBER_MAX).contains(&number) {
        return Ok(number);
    }
    let damaged = format!("a count is {number}, so the database is damaged: restore a backup");
    Err(sqlx::Error::Decode(damaged.into()))
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An entry of the log.
    Entry,
    /// A model call.
    Decision,
    /// A judged answer.
    Verdicts(Pattern),
}

impl What {
    fn text(&self) -> String {
        match self {
            Self::Entry => "entry".into(),
            Self::Decision => "decision".into(),
            Self::Verdicts(pattern) => pattern.to_string(),
        }
    }

    fn stored(text: &str) -> Self {
        match text {
            "entry" => Self::Entry,
            "decision" => Self::Decision,
            pattern => Self::Verdicts(Pattern::stored(pattern)),
        }
    }
}

/// About which model.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) skill: &'a str,
    /// Empty: of no model.
    pub(super) arm: &'a str,
    /// Empty: not known, or of no model.
    pub(super) model: &'a str,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    skill: String,
    width_ms: i64,
    start_ms: i64,
    arm: String,
    model: String,
    what: String,
}

impl Row {
    pub(super) fn new(About { skill, arm, model }: About<'_>, what: &What, width_ms: i64, start_ms: i64) -> Self {
        Self { skill: skill.into(), width_ms, start_ms, arm: arm.into(), model: model.into(), what: what.text() }
    }
}

/// Adds to a row; a negative number takes it back.
pub(super) async fn add(
    transaction: &mut Transaction<'_, Any>,
    Row { skill, width_ms, start_ms, arm, model, what }: &Row,
    number: i64,
) -> Result<(), sqlx::Error> {
    let query =
        sqlx::query(ADD).bind(skill).bind(width_ms).bind(start_ms).bind(arm).bind(model).bind(what).bind(number);
    query.execute(&mut **transaction).await.map(drop)
}

/// A sum over a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) arm: String,
    pub(super) model: String,
    pub(super) what: What,
    pub(super) number: i64,
}

/// The sums of a skill over the last `window_ms`, from a full minute on.
pub(super) async fn sums(readers: &AnyPool, skill: &str, window_ms: i64, now_ms: i64) -> Result<Vec<Sum>, sqlx::Error> {
    let from = floor_to(now_ms.saturating_sub(window_ms).max(0), MINUTE_MS);
    let up = |width: i64| floor_to(from + width - 1, width);
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(SUMS)
        .bind(skill)
        .bind(from)
        .bind(up(HOUR_MS))
        .bind(up(DAY_MS))
        .bind(now_ms.saturating_add(TOLERANCE_MS))
        .bind(MINUTE_MS)
        .bind(HOUR_MS)
        .bind(DAY_MS)
        .fetch_all(readers)
        .await?;
    let sum = |(arm, model, what, number): (String, String, String, i64)| {
        Ok(Sum { arm, model, what: What::stored(&what), number: possible(number)? })
    };
    rows.into_iter().map(sum).collect()
}
