//! How long a report takes in a brain with a million decisions, and that its sums are those of the decisions.
//!
//! The decisions are written by SQL in the form that the store writes them; the report is read through the store. Prints
//! the raw times' minimum, median and maximum, and the goal (2 s) as met or missed. `DECISIONS` changes their number.

use std::time::{Duration, Instant};

use brain::{settings::DatabaseUrl, store::Store};
use crds::period::Period;
use sqlx::{Connection, SqliteConnection};

const DECISIONS: i64 = 1_000_000;
const SKILLS: i64 = 8;
const TIMES: usize = 20;
const DAYS: i64 = 14;
const GOAL: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() {
    println!("{}", tests::host::described());
    let decisions = std::env::var("DECISIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(DECISIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("brain.db");
    let store = Store::open(&DatabaseUrl::sqlite(path.clone())).await.expect("opens");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.expect("connects");
    let began = Instant::now();
    fill(&mut connection, decisions).await;
    println!("{decisions} decisions of {SKILLS} skills over {DAYS} days written in {:.1?}", began.elapsed());
    for window in ["7d", "13d"] {
        let mut times = Vec::with_capacity(TIMES);
        let mut report = None;
        for _ in 0..TIMES {
            let began = Instant::now();
            report = Some(store.report(&Period::from_text(window)).await.expect("a report"));
            times.push(began.elapsed());
        }
        times.sort();
        let report = report.expect("a report");
        let since = report.since_ms - report.since_ms.rem_euclid(60_000);
        let sums = "SELECT COUNT(*), SUM(completion_tokens), SUM(nano_usd) FROM decisions WHERE at_ms >= $1";
        let began = Instant::now();
        let (calls, out, nano): (i64, i64, i64) =
            sqlx::query_as(sums).bind(since).fetch_one(&mut connection).await.expect("sums");
        let scanned = began.elapsed();
        let tokens = report.total.tokens.local.completion + report.total.tokens.claude.completion;
        assert_eq!((report.total.calls, tokens), (calls, out), "the sums of the decisions themselves");
        assert!((report.total.cost_usd.expect("a cost") - nano as f64 / 1e9).abs() < 1e-6);
        let verdict = if times[TIMES - 1] < GOAL { "met" } else { "missed" };
        println!(
            "  {window}: {TIMES} reports on {calls} calls: min {:.1?}, median {:.1?}, max {:.1?} ({:.0} times as fast as one sum over \
             the decisions, {scanned:.1?}); goal < {GOAL:?}: {verdict}",
            times[0],
            times[TIMES / 2],
            times[TIMES - 1],
            scanned.as_secs_f64() / times[TIMES / 2].as_secs_f64()
        );
    }
    store.close().await;
}

async fn fill(connection: &mut SqliteConnection, decisions: i64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("fits");
    let rows = format!(
        "PRAGMA synchronous = OFF; \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {decisions}) \
         INSERT INTO decisions (id, entry_id, at_ms, skill, arm, model, stage, decision, prompt_tokens, completion_tokens, line, \
                                nano_usd, would_in, would_out) \
         SELECT printf('%016x', i), '', {now} - CAST(i * {step} AS INTEGER), 'skill_' || (i % {SKILLS}), \
                CASE WHEN i % 3 = 0 THEN 'claude' ELSE 'local' END, CASE WHEN i % 3 = 0 THEN 'c' ELSE 'q' END, 0, \
                CASE WHEN i % 3 = 0 THEN 'claude' ELSE 'local' END, 100 + i % 900, 10 + i % 400, \
                CASE WHEN i % 3 = 0 THEN 'claude' ELSE 'local' END, CASE WHEN i % 3 = 0 THEN 4000000 + i % 1000 ELSE 0 END, \
                CASE WHEN i % 3 = 0 THEN NULL ELSE 300000 END, CASE WHEN i % 3 = 0 THEN NULL ELSE 15000000 END FROM n",
        step = (DAYS * 86_400_000) as f64 / decisions as f64
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut *connection).await.expect("rows");
    for width in [60_000, 3_600_000, 86_400_000] {
        let sums = format!(
            "INSERT INTO spending SELECT skill, {width}, at_ms - at_ms % {width}, arm, model, line, '', COUNT(*), COUNT(*), COUNT(*), \
                    SUM(prompt_tokens), 0, SUM(completion_tokens), SUM(1.0 * completion_tokens * completion_tokens), COUNT(*), \
                    SUM(nano_usd), SUM(1.0 * nano_usd * nano_usd), COUNT(would_in), COALESCE(SUM(would_in), 0), \
                    COALESCE(SUM(would_out), 0) FROM decisions GROUP BY 1, 3, 4, 5, 6"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sums)).execute(&mut *connection).await.expect("sums");
    }
}
