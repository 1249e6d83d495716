//! How many entries a second a brain stores, each acknowledged only when its commit is on disk, on SQLite and on Postgres.
//!
//! So many callers at a time send one entry after the other through the store: decisions as a data plane reports them,
//! and the verdicts on them. Prints entries a second and the times of single ones. The two databases are measured in
//! turns, [`ROUNDS`] times; the best and the median are printed. `ENTRIES` changes the entries of a round.

mod database;

use std::time::{Duration, Instant};

use brain::{
    entry::{Entry, FinalStatus},
    store::Store,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use self::database::Database;

const ENTRIES: usize = 10_000;
const ROUNDS: usize = 5;
const CALLERS: [usize; 2] = [1, 64];

#[tokio::main]
async fn main() {
    println!("{}", tests::host::described());
    let entries = std::env::var("ENTRIES").ok().and_then(|n| n.parse().ok()).unwrap_or(ENTRIES);
    let databases = Database::of_each_kind().await;
    let first = databases.each_ref().map(|database| database.url());
    let mut stores = vec![];
    for (database, url) in databases.iter().zip(&first) {
        stores.push((database.name(), vec![Store::open(url).await.expect("opens")]));
    }
    // A second brain on the same server.
    let (one, other) = (Store::open(&first[1]).await.expect("opens"), Store::open(&first[1]).await.expect("opens"));
    stores.push(("two brains on Postgres", vec![one, other]));
    for callers in CALLERS {
        let entries = if callers == 1 { entries / 10 } else { entries };
        let mut measured: Vec<Vec<(f64, Duration)>> = vec![vec![]; stores.len()];
        for _ in 0..ROUNDS {
            for ((_, stores), measured) in stores.iter().zip(&mut measured) {
                measured.push(write(stores, entries, callers).await);
            }
        }
        for ((name, _), mut measured) in stores.iter().zip(measured) {
            measured.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (median, best) = (measured[ROUNDS / 2], measured[ROUNDS - 1]);
            println!(
                "{name}, {callers} at a time, {entries} entries: median of {ROUNDS} {:.0}/s (p99 of one {:.1?}), best {:.0}/s",
                median.0, median.1, best.0
            );
        }
    }
}

/// Writes decisions, each followed by its verdict; entries a second, and the time that 99 of 100 did not exceed.
async fn write(stores: &[Store], entries: usize, callers: usize) -> (f64, Duration) {
    let began = Instant::now();
    let pairs = stream::iter(0..entries / 2).map(|i| {
        let store = &stores[i % stores.len()];
        async move {
            let id = Uuid::now_v7();
            let mut times = vec![];
            for entry in [decision(i, id), verdict(i, id)] {
                let began = Instant::now();
                store.append(entry).await.expect("written");
                times.push(began.elapsed());
            }
            times
        }
    });
    let mut times: Vec<Duration> = pairs.buffer_unordered(callers).flat_map(stream::iter).collect().await;
    let took = began.elapsed();
    times.sort();
    (times.len() as f64 / took.as_secs_f64(), times[times.len() * 99 / 100])
}

fn skill(i: usize) -> String {
    format!("skill_{}", i % 8)
}

fn decision(i: usize, id: Uuid) -> Entry {
    let record = json!({"id": id, "time_ms": 1, "skill": skill(i), "stage": 0, "hash": "0123456789abcdef", "pass_rate": 0.94,
        "samples": 53, "evidence_age_ms": 100, "floor": 0.9, "ceil": 0.7, "reason": "at_or_above_floor",
        "decision": "local", "model": "qwen35", "answered_by": "qwen35", "prompt_tokens": 1800, "completion_tokens": 420,
        "finish_reason": "stop", "duration_ms": 2300, "error": null, "caller": "me", "session": "s", "mode": null,
        "policy_hash": "ab", "p_local": 1.0, "claude_price": {"input": 3.0, "output": 15.0}});
    let Value::Object(record) = record else { unreachable!("it is written as an object") };
    Entry { phase: "decide".into(), decision: Some(record), ..entry("_routing".into(), id, FinalStatus::Skip) }
}

fn verdict(i: usize, id: Uuid) -> Entry {
    let status = if i.is_multiple_of(10) { FinalStatus::Fail } else { FinalStatus::Pass };
    Entry { phase: "outcome".into(), ..entry(skill(i), id, status) }
}

fn entry(skill: String, id: Uuid, final_status: FinalStatus) -> Entry {
    Entry { session_id: "bench".into(), decision_id: Some(id.to_string()), ..Entry::of(skill, final_status) }
}
