//! How long a pass rate takes in a brain with 10 million entries, compared with an almost empty one, on SQLite and on
//! Postgres.
//!
//! The entries are written by SQL in the form that the store writes them; the rates are read through the store.
//! Prints of each of [`ROUNDS`] rounds minimum, median, 99th percentile and maximum, and the goal (single-digit
//! milliseconds) as met or missed by the median of the rounds' 99th percentiles. `ENTRIES` changes the number of entries.

mod database;

use std::time::{Duration, Instant};

use brain::{
    store::{Query, Store},
    verdict::Sources,
};
use sqlx::AnyConnection;

use self::database::Database;

const ENTRIES: i64 = 10_000_000;
const FEW: i64 = 1_000;
const SKILLS: i64 = 8;
/// Pass rates of a round.
const ASKED: usize = 1_000;
const ROUNDS: usize = 5;
const WEEK: Duration = Duration::from_secs(7 * 86_400);
const GOAL: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() {
    println!("{}", tests::host::described());
    let entries = std::env::var("ENTRIES").ok().and_then(|n| n.parse().ok()).unwrap_or(ENTRIES);
    for ([few, many], name) in [
        ([Database::sqlite(), Database::sqlite()], "SQLite"),
        ([Database::postgres().await, Database::postgres().await], "Postgres"),
    ] {
        println!("{name}");
        let few = measure(&few, FEW).await;
        let many = measure(&many, entries).await;
        println!("  ratio of medians, {entries} to {FEW} entries: {:.2}", many.as_secs_f64() / few.as_secs_f64());
    }
}

async fn measure(database: &Database, entries: i64) -> Duration {
    let store = Store::open(&database.url()).await.expect("opens");
    let began = Instant::now();
    fill(database, entries).await;
    let (filled, size) = (began.elapsed(), database.mebibytes());
    println!("  {entries} entries of {SKILLS} skills over 7 days written in {filled:.1?}; {size} MiB");
    let mut rounds = vec![];
    for round in 1..=ROUNDS {
        rounds.push(ask(&store, entries, round).await);
    }
    let middle = |of: fn(&(Duration, Duration)) -> Duration| {
        let mut sorted: Vec<Duration> = rounds.iter().map(of).collect();
        sorted.sort();
        sorted[ROUNDS / 2]
    };
    let (median, p99) = (middle(|round| round.0), middle(|round| round.1));
    let verdict = if p99 < GOAL { "met" } else { "missed" };
    println!("    median of {ROUNDS} rounds: median {median:.1?}, p99 {p99:.1?}; goal p99 < {GOAL:?}: {verdict}");
    store.close().await;
    median
}

/// Asks for pass rates one after the other; the median and the 99th percentile of how long they take.
async fn ask(store: &Store, entries: i64, round: usize) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(ASKED);
    for i in 0..ASKED {
        let skill = format!("skill_{}", i as i64 % SKILLS);
        let query = Query { skill, window: WEEK, local: Some("m0".into()), sources: Sources::default(), at_least: 20 };
        let began = Instant::now();
        let evidence = store.evidence(&query).await.expect("evidence");
        times.push(began.elapsed());
        assert!(evidence.total > entries / SKILLS * 9 / 10, "{evidence:?}");
    }
    times.sort();
    let (least, median, p99, most) = (times[0], times[ASKED / 2], times[ASKED * 99 / 100], times[ASKED - 1]);
    println!(
        "    round {round}, {ASKED} pass rates: min {least:.1?}, median {median:.1?}, p99 {p99:.1?}, max {most:.1?}"
    );
    (median, p99)
}

/// Writes entries evenly over the last week, and their counts.
async fn fill(database: &Database, entries: i64) {
    let mut connection = database.connection().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let start =
        i64::try_from(now.as_millis()).expect("fits") - i64::try_from(WEEK.as_millis()).expect("fits") + 120_000;
    let step = (i64::try_from(WEEK.as_millis()).expect("fits") - 120_000) as f64 / entries as f64;
    let (numbers, id, [before, after]) = (database.numbers(entries), database.id(), database.before_and_after());
    let at = format!("{start} + CAST(i * {step} AS BIGINT)");
    let status = "CASE WHEN i % 10 = 0 THEN 'fail' ELSE 'pass' END";
    run(&mut connection, before).await;
    run(
        &mut connection,
        &format!(
            "INSERT INTO entries (id, at_ms, session_id, skill, phase, final_status, message, duration_ms, project_root) \
             SELECT {id}, {at}, 's' || (i % 1000), 'skill_' || (i % {SKILLS}), 'outcome', {status}, '', 0, '' FROM {numbers}"
        ),
    )
    .await;
    // Half of the answers are local, of three models one after the other; each is judged by one of four patterns.
    run(
        &mut connection,
        &format!(
            "INSERT INTO outcomes (id, unit, at_ms, skill, arm, model, source, verdict, state) \
             SELECT {id}, {id}, {at}, 'skill_' || (i % {SKILLS}), CASE WHEN i % 2 = 1 THEN 'local' ELSE 'claude' END, \
                    'm' || (i / 7 % 3), CASE WHEN i % 5 = 4 THEN 'human' ELSE 'agent' END, {status}, 'stands' FROM {numbers}"
        ),
    )
    .await;
    for width in [60_000, 3_600_000, 86_400_000] {
        run(
            &mut connection,
            &format!(
                "INSERT INTO counts (skill, width_ms, start_ms, arm, model, what, number) \
                 SELECT skill, {width}, at_ms - at_ms % {width}, arm, model, \
                        substr(source, 1, 1) || CASE verdict WHEN 'pass' THEN '+' ELSE '-' END, COUNT(*) \
                 FROM outcomes GROUP BY 1, 3, 4, 5, 6 \
                 UNION ALL SELECT skill, {width}, at_ms - at_ms % {width}, '', '', 'entry', COUNT(*) FROM entries GROUP BY 1, 3 \
                 UNION ALL SELECT skill, {width}, at_ms - at_ms % {width}, arm, model, 'decision', COUNT(*) \
                 FROM outcomes GROUP BY 1, 3, 4, 5"
            ),
        )
        .await;
    }
    run(&mut connection, after).await;
}

async fn run(connection: &mut AnyConnection, statement: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_string())).execute(connection).await.expect("a statement");
}
