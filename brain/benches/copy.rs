//! How long it takes to copy a brain with a million entries from SQLite to a Postgres server and back, and how much memory.
//!
//! The entries are written by SQL in the form that the store writes them: half of them decisions, half outcomes of these.
//! `ENTRIES` changes their number. Each copy is read again and compared, as `routing brain copy` does; the times are with that.

use std::time::Instant;

use brain::{
    copy::{Copied, copy},
    settings::DatabaseUrl,
    store::Store,
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tests::{memory::peak_mib, postgres::Postgres};

const ENTRIES: u64 = 1_000_000;
const SKILLS: u64 = 8;

#[tokio::main]
async fn main() {
    println!("{}", tests::host::described());
    let entries = std::env::var("ENTRIES").ok().and_then(|n| n.parse().ok()).unwrap_or(ENTRIES);
    let folder = tempfile::tempdir().expect("a folder");
    let postgres = Postgres::start().await;
    let (first, back) = (folder.path().join("first.db"), folder.path().join("back.db"));
    let server = DatabaseUrl::parse(&postgres.url("postgres")).expect("a URL");
    Store::open(&DatabaseUrl::sqlite(&first)).await.expect("opens").close().await;
    let began = Instant::now();
    fill(&first, entries).await;
    let mib = |path: &std::path::Path| std::fs::metadata(path).expect("a file").len() >> 20;
    println!("{entries} entries of {SKILLS} skills written in {:.1?}: {} MiB", began.elapsed(), mib(&first));
    // Of the process so far: what a copy adds to it is what it needs.
    println!("peak memory before: {} MiB", peak_mib(std::process::id()));
    let first = DatabaseUrl::sqlite(first);
    for (name, from, to) in
        [("SQLite → Postgres", &first, &server), ("Postgres → SQLite", &server, &DatabaseUrl::sqlite(&back))]
    {
        let began = Instant::now();
        let copied = copy(from, to, |_| ()).await.expect("copied");
        let seconds = began.elapsed().as_secs_f64();
        let rows: u64 = copied.iter().map(|Copied { rows, .. }| rows).sum();
        assert_eq!(copied[0].rows, entries, "{copied:?}");
        println!(
            "{name}: {seconds:.1} s, {:.0} entries/s, {:.0} rows/s of {rows}; peak memory {} MiB",
            entries as f64 / seconds,
            rows as f64 / seconds,
            peak_mib(std::process::id())
        );
        let shown: Vec<String> = copied.iter().map(|Copied { table, rows }| format!("{table} {rows}")).collect();
        println!("  {}", shown.join(", "));
    }
    println!("the file that came back: {} MiB", mib(&back));
}

async fn fill(path: &std::path::Path, entries: u64) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.expect("connects");
    let half = entries / 2;
    let numbers = |n: u64| format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {n})");
    let id = "printf('01890000-0000-7000-8000-%012d', i)";
    let statements = [
        "PRAGMA synchronous = OFF".to_string(),
        format!(
            "{} INSERT INTO entries (id, at_ms, session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, \
                    caller_session) \
             SELECT printf('%016x', i), 1700000000000 + i * 600, CASE WHEN i % 2 THEN 's' || (i % 1000) ELSE '_routing' END, \
                    CASE WHEN i % 2 THEN 'skill_' || (i / 2 % {SKILLS}) ELSE '_routing' END, \
                    CASE WHEN i % 2 THEN 'outcome' ELSE 'decide' END, CASE WHEN i % 2 THEN 'pass' ELSE 'skip' END, \
                    CASE WHEN i % 2 THEN 'the tests that were red are green, reported by the hook' ELSE '' END, 0, \
                    CASE WHEN i % 2 THEN '/home/me/project' ELSE '' END, printf('01890000-0000-7000-8000-%012d', i / 2), \
                    CASE WHEN i % 2 THEN NULL ELSE 's' || (i % 1000) END FROM n",
            numbers(entries)
        ),
        format!(
            "{} INSERT INTO decisions (id, entry_id, at_ms, skill, arm, model, time_ms, stage, hash, pass_rate, samples, floor, ceil, \
                    reason, decision, prompt_tokens, completion_tokens, finish_reason, duration_ms, caller, session, policy_hash, rest, \
                    client_call_id, line, nano_usd, would_in, would_out) \
             SELECT {id}, printf('%016x', i * 2), 1700000000000 + i * 1200, 'skill_' || (i % {SKILLS}), 'local', 'qwen35', \
                    1700000000000 + i * 1200, 0, printf('%016x', i * 7919), 0.1 + (i % 900) / 1000.0, i % 500, 0.9, 0.7, \
                    'at_or_above_floor', 'local', 100 + i % 900, 10 + i % 400, 'stop', 2300, 'alice', 's' || (i % 1000), 'ab12cd34', \
                    '{{\"p_local\":1.0,\"client_call_id\":\"toolu_' || i || '\"}}', 'toolu_' || i, 'local', 0, 300000, 15000000 FROM n",
            numbers(half)
        ),
        format!(
            "{} INSERT INTO outcomes SELECT printf('%016x', i * 2 + 1), {id}, 1700000000000 + i * 1200, 'skill_' || (i % {SKILLS}), \
                    'local', 'qwen35', 'agent', CASE WHEN i % 9 THEN 'pass' ELSE 'fail' END, 'stands' FROM n",
            numbers(half)
        ),
        "INSERT INTO counts SELECT skill, w, at_ms - at_ms % w, arm, model, 'a+', COUNT(*) FROM outcomes, \
                (SELECT 60000 AS w UNION SELECT 3600000 UNION SELECT 86400000) GROUP BY 1, 2, 3, 4, 5"
            .into(),
    ];
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
    }
    connection.close().await.expect("closed");
}
