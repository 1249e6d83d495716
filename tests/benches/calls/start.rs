//! How long the data plane takes from its start until it is ready for calls.

use std::time::{Duration, Instant};

use tests::{Policy, http, program::Program};
use tokio::time::sleep;

use super::table::{Goal, Table, milliseconds};

const STARTS: usize = 21;
/// Between two questions whether it is ready.
const STEP: Duration = Duration::from_millis(1);
/// Longest wait.
const LIMIT: Duration = Duration::from_secs(30);

/// Measures it, with a policy file, by `/readyz`.
pub async fn measure(table: &mut Table) {
    let client = http();
    let mut times = vec![];
    for _ in 0..STARTS {
        let program = Program::serve_policy(&Policy::at("http://127.0.0.1:9"));
        let ready = format!("http://127.0.0.1:{}/readyz", program.ports().admin);
        let began = Instant::now();
        let running = program.spawn().await;
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(began.elapsed() < LIMIT, "not ready after {LIMIT:?}:\n{}", running.log());
            sleep(STEP).await;
        }
        times.push(began.elapsed());
    }
    times.sort();
    let (median, most) = (times[STARTS / 2], times[STARTS - 1]);
    let measured = format!("{} (longest of {STARTS}: {})", milliseconds(median), milliseconds(most));
    let goal = Goal::Below(100.0).of(median.as_secs_f64() * 1000.0, "ms");
    table.row("start to ready", &measured, Some(goal));
}
