//! What calls used and cost, added up per minute, hour and day.

use sqlx::{Any, AnyPool, Transaction};

use super::{
    counts::{About, possible},
    floor_to,
    span::Span,
};
use crate::{
    entry::Entry,
    spent::{Line, Spent},
};

const ADD: &str = "INSERT INTO spending (skill, width_ms, start_ms, arm, model, line, detail, calls, firsts, counted, tokens_in, \
     tokens_cached, tokens_out, out_squares, priced, nano_usd, nano_squares, would_calls, would_in, would_out) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
     ON CONFLICT (skill, width_ms, start_ms, arm, model, line, detail) DO UPDATE SET calls = spending.calls + excluded.calls, \
     firsts = spending.firsts + excluded.firsts, counted = spending.counted + excluded.counted, \
     tokens_in = spending.tokens_in + excluded.tokens_in, tokens_cached = spending.tokens_cached + excluded.tokens_cached, \
     tokens_out = spending.tokens_out + excluded.tokens_out, out_squares = spending.out_squares + excluded.out_squares, \
     priced = spending.priced + excluded.priced, nano_usd = spending.nano_usd + excluded.nano_usd, \
     nano_squares = spending.nano_squares + excluded.nano_squares, \
     would_calls = spending.would_calls + excluded.would_calls, would_in = spending.would_in + excluded.would_in, \
     would_out = spending.would_out + excluded.would_out";

/// Three parameters a segment: width, start, end.
const SUMS: &str = "SELECT skill, arm, model, line, detail, CAST(SUM(calls) AS BIGINT) AS calls, \
     CAST(SUM(firsts) AS BIGINT) AS firsts, CAST(SUM(counted) AS BIGINT) AS counted, \
     CAST(SUM(tokens_in) AS BIGINT) AS tokens_in, CAST(SUM(tokens_cached) AS BIGINT) AS tokens_cached, \
     CAST(SUM(tokens_out) AS BIGINT) AS tokens_out, SUM(out_squares) AS out_squares, CAST(SUM(priced) AS BIGINT) AS priced, \
     CAST(SUM(nano_usd) AS BIGINT) AS nano_usd, SUM(nano_squares) AS nano_squares, \
     CAST(SUM(would_calls) AS BIGINT) AS would_calls, CAST(SUM(would_in) AS BIGINT) AS would_in, \
     CAST(SUM(would_out) AS BIGINT) AS would_out \
     FROM spending \
     WHERE (width_ms = $1 AND start_ms >= $2 AND start_ms < $3) OR (width_ms = $4 AND start_ms >= $5 AND start_ms < $6) \
        OR (width_ms = $7 AND start_ms >= $8 AND start_ms < $9) OR (width_ms = $10 AND start_ms >= $11 AND start_ms < $12) \
        OR (width_ms = $13 AND start_ms >= $14 AND start_ms < $15) \
     GROUP BY skill, arm, model, line, detail";

/// What the calls of a line add up to.
#[derive(Clone, Debug, Default, PartialEq, sqlx::FromRow)]
pub struct Sums {
    /// The skill.
    pub skill: String,
    /// `local` or `claude`; of a judgement, empty.
    pub arm: String,
    /// The model that was called.
    pub model: String,
    /// See [`Line`].
    pub line: String,
    /// The kind of error of failed calls.
    pub detail: String,
    /// Model calls.
    pub calls: i64,
    /// Those that began a call of a caller.
    pub firsts: i64,
    /// Those whose tokens are known.
    pub counted: i64,
    /// Tokens of prompts.
    pub tokens_in: i64,
    /// Those of prompts that were cached.
    pub tokens_cached: i64,
    /// Tokens of answers.
    pub tokens_out: i64,
    /// Their squares, for the spread.
    pub out_squares: f64,
    /// Calls whose cost is known.
    pub priced: i64,
    /// Their cost, in billionths of a US dollar.
    pub nano_usd: i64,
    /// Its squares, for the spread.
    pub nano_squares: f64,
    /// Calls for which Claude's price is known.
    pub would_calls: i64,
    /// What their prompts would have cost on Claude, in billionths of a US dollar.
    pub would_in: i64,
    /// The sum of the prices of a million tokens of answers, in millionths of a US dollar.
    pub would_out: i64,
}

impl Sums {
    /// What the calls were for.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        Line::stored(&self.line)
    }
}

/// The sums of a step of a span.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Step {
    /// When it begins, in milliseconds since 1970.
    pub start_ms: i64,
    /// Of one skill, model, line and detail.
    #[sqlx(flatten)]
    pub sums: Sums,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    skill: String,
    width_ms: i64,
    start_ms: i64,
    arm: String,
    model: String,
    line: &'static str,
    detail: String,
}

impl Row {
    pub(super) fn new(About { skill, arm, model }: About<'_>, spent: &Spent, width_ms: i64, start_ms: i64) -> Self {
        let (line, detail) = (spent.line.as_str(), spent.detail.clone());
        Self { skill: skill.into(), width_ms, start_ms, arm: arm.into(), model: model.into(), line, detail }
    }
}

/// What calls add to a row, in the order of its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Amounts {
    calls: i64,
    firsts: i64,
    counted: i64,
    tokens_in: i64,
    tokens_cached: i64,
    tokens_out: i64,
    out_squares: f64,
    priced: i64,
    nano_usd: i64,
    nano_squares: f64,
    would_calls: i64,
    would_in: i64,
    would_out: i64,
}

impl Amounts {
    /// Those of one call.
    pub(super) fn of(spent: &Spent) -> Self {
        let Spent { line: _, detail: _, first, tokens_in, tokens_cached, tokens_out, nano_usd, would } = spent;
        let (out, cost) = (tokens_out.unwrap_or_default(), nano_usd.unwrap_or_default());
        Self {
            calls: 1,
            firsts: i64::from(*first),
            counted: i64::from(tokens_in.is_some() && tokens_out.is_some()),
            tokens_in: tokens_in.unwrap_or_default(),
            tokens_cached: tokens_cached.unwrap_or_default(),
            tokens_out: out,
            out_squares: squared(out),
            priced: i64::from(nano_usd.is_some()),
            nano_usd: cost,
            nano_squares: squared(cost),
            would_calls: i64::from(would.is_some()),
            would_in: would.map_or(0, |would| would.nano_in),
            would_out: would.map_or(0, |would| would.price_out),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.firsts += other.firsts;
        self.counted += other.counted;
        self.tokens_in += other.tokens_in;
        self.tokens_cached += other.tokens_cached;
        self.tokens_out += other.tokens_out;
        self.out_squares += other.out_squares;
        self.priced += other.priced;
        self.nano_usd += other.nano_usd;
        self.nano_squares += other.nano_squares;
        self.would_calls += other.would_calls;
        self.would_in += other.would_in;
        self.would_out += other.would_out;
    }
}

/// Adds to a row.
pub(super) async fn add(
    tx: &mut Transaction<'_, Any>,
    Row { skill, width_ms, start_ms, arm, model, line, detail }: &Row,
    amounts: &Amounts,
) -> Result<(), sqlx::Error> {
    let row = sqlx::query(ADD).bind(skill).bind(width_ms).bind(start_ms).bind(arm).bind(model).bind(*line).bind(detail);
    row.bind(amounts.calls)
        .bind(amounts.firsts)
        .bind(amounts.counted)
        .bind(amounts.tokens_in)
        .bind(amounts.tokens_cached)
        .bind(amounts.tokens_out)
        .bind(amounts.out_squares)
        .bind(amounts.priced)
        .bind(amounts.nano_usd)
        .bind(amounts.nano_squares)
        .bind(amounts.would_calls)
        .bind(amounts.would_in)
        .bind(amounts.would_out)
        .execute(&mut **tx)
        .await
        .map(drop)
}

// An estimate of a spread, of numbers far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn squared(number: i64) -> f64 {
    number as f64 * number as f64
}

/// Writes what a judgement took.
pub(super) async fn grade(
    tx: &mut Transaction<'_, Any>,
    id: &str,
    entry: &Entry,
    (model, spent): (&str, &Spent),
    at_ms: i64,
) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO gradings (id, decision_id, at_ms, skill, model, tokens_in, tokens_cached, tokens_out, nano_usd) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    sqlx::query(insert)
        .bind(id)
        .bind(entry.decision_id.as_deref().unwrap_or_default())
        .bind(at_ms)
        .bind(&entry.skill)
        .bind(model)
        .bind(spent.tokens_in)
        .bind(spent.tokens_cached)
        .bind(spent.tokens_out)
        .bind(spent.nano_usd)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// The sums of all skills over a span.
pub(super) async fn sums(readers: &AnyPool, span: &Span) -> Result<Vec<Sums>, sqlx::Error> {
    let mut query = sqlx::query_as(SUMS);
    for (width, start, end) in span.segments() {
        query = query.bind(width).bind(start).bind(end);
    }
    let sums: Vec<Sums> = query.fetch_all(readers).await?;
    sums.iter().try_for_each(|sums| possible(sums.calls).map(drop))?;
    Ok(sums)
}

/// The sums of each step of a width, from the step of a time on.
pub(super) async fn steps(
    readers: &AnyPool,
    width: i64,
    from_ms: i64,
    until_ms: i64,
) -> Result<Vec<Step>, sqlx::Error> {
    let steps = "SELECT start_ms, skill, arm, model, line, detail, calls, firsts, counted, tokens_in, tokens_cached, tokens_out, \
         out_squares, priced, nano_usd, nano_squares, would_calls, would_in, would_out \
         FROM spending WHERE width_ms = $1 AND start_ms >= $2 AND start_ms <= $3";
    let from_ms = floor_to(from_ms, width);
    let steps: Vec<Step> = sqlx::query_as(steps).bind(width).bind(from_ms).bind(until_ms).fetch_all(readers).await?;
    steps.iter().try_for_each(|step| possible(step.sums.calls).map(drop))?;
    Ok(steps)
}
