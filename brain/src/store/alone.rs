//! Outcomes that name no decision: they count for a rate, and no decision is judged by them.

use sqlx::AnyPool;

use super::{Query, counts::MINUTE_MS, floor_to};
use crate::verdict::Source;

const BY_SOURCE: &str = "SELECT source, COUNT(*) FROM outcomes \
     WHERE skill = $1 AND at_ms >= $2 AND unit = id AND state = 'stands' AND verdict <> 'skip' AND model <> '' \
     GROUP BY source";

/// How many of a window are among the answers that its rates count.
pub(super) async fn count(readers: &AnyPool, query: &Query, now_ms: i64) -> Result<i64, sqlx::Error> {
    let window_ms = i64::try_from(query.window.as_millis()).unwrap_or(i64::MAX);
    let from_ms = floor_to(now_ms.saturating_sub(window_ms), MINUTE_MS);
    let by_source: Vec<(String, i64)> =
        sqlx::query_as(BY_SOURCE).bind(&query.skill).bind(from_ms).fetch_all(readers).await?;
    let counts = |name: &str| Source::parse(name).is_some_and(|source| query.sources.has(source));
    Ok(by_source.into_iter().filter(|(source, _)| counts(source)).map(|(_, number)| number).sum())
}
