//! A data plane under load for a long time, while one call of the local model in ten fails in one of five ways and the brain is
//! killed every few minutes: what it holds must not grow. The models are stand-ins. `make soak` keeps the output; `MINUTES` and
//! `PER_SECOND` make it shorter.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    Policy,
    fault_server::{ANSWERED, FAULTY, Failure, FaultServer},
    host,
    memory::Held,
    number,
    open_loop::{self, Call, Measured, Rate},
    program::{Program, Running},
};

/// One of so many calls of the local model fails.
const ONE_OF: u32 = 10;
/// One row of the table.
const ROW: Duration = Duration::from_secs(60);
/// The brain is killed and started again before every row of so many.
const KILL_EVERY: u64 = 5;
/// Rows before what is held counts: connections are opened, caches are filled.
const WARM_UP: usize = 2;
/// What the end may have more than the middle and is still flat.
const FLAT: f64 = 1.15;
/// The same of descriptors, beside the factor: calls that hang at the moment.
const SPARE: f64 = 16.0;

/// A call with a prompt of the usual size, and another one each time.
fn call(routing: &Running) -> Call {
    let problem = format!("problem {}: {}", Call::NUMBER, "it fails. ".repeat(200));
    Call::debug(&routing.mcp_url(), &problem, ANSWERED)
}

#[tokio::main]
async fn main() {
    let (minutes, per_second) = (number("MINUTES", 30_u32), number("PER_SECOND", 200));
    let (local, claude, mut brain) =
        (FaultServer::start().await, FaultServer::start().await, Program::brain().start().await);
    local.fail_one_of(ONE_OF, Failure::ALL.map(Failure::fault).into());
    let policy = Policy::at(&claude.url()).local(FAULTY).claude("claude-model").spec(json!({
        "brain": {"url": brain.base_url()},
        "models": {"local": {"upstream": {"url": local.url()}}},
        "timeouts": {"local": "2s"},
        "limits": {"inFlight": 2_000},
    }));
    let routing = Program::serve_policy(&policy).variable("RUST_LOG", "error").start().await;
    println!("{}\n{per_second} calls/s for {minutes} minutes", host::described());
    println!(
        "| minute | answered | failed | p50 | p99 | data plane MiB | descriptors | brain MiB | descriptors | not logged |"
    );
    let (began, mut rows) = (Instant::now(), vec![]);
    for minute in 1..=u64::from(minutes) {
        if minute % KILL_EVERY == 0 {
            brain.crash_and_restart().await;
        }
        let measured = open_loop::run(Rate { per_second, time: ROW }, Arc::new(call(&routing))).await;
        rows.push(routing.held());
        print(minute, &measured, &routing, &brain).await;
    }
    println!("took {:.0} s", began.elapsed().as_secs_f64());
    let half = WARM_UP.max(rows.len() / 2);
    if let (Some(before), Some(after)) = (most(rows.get(WARM_UP..half)), most(rows.get(half..))) {
        let flat =
            |before: f64, after: f64, spare: f64| if after <= before * FLAT + spare { "flat" } else { "NOT flat" };
        #[allow(clippy::cast_precision_loss)]
        let counts = [before.descriptors as f64, after.descriptors as f64];
        println!(
            "memory: at most {:.1} MiB in the first half, {:.1} in the second: {}",
            before.mib(),
            after.mib(),
            flat(before.mib(), after.mib(), 0.0)
        );
        println!(
            "descriptors: at most {:.0} in the first half, {:.0} in the second: {}",
            counts[0],
            counts[1],
            flat(counts[0], counts[1], SPARE)
        );
    }
}

fn most(rows: Option<&[Held]>) -> Option<Held> {
    let most = |one: Held, other: &Held| Held {
        descriptors: one.descriptors.max(other.descriptors),
        threads: one.threads.max(other.threads),
        kib: one.kib.max(other.kib),
    };
    rows?.iter().fold(None, |all, row| Some(all.map_or(*row, |all| most(all, row))))
}

async fn print(minute: u64, measured: &Measured, routing: &Running, brain: &Running) {
    let (own, of_brain, dropped) = (routing.held(), brain.held(), routing.decisions_not_logged().await);
    println!(
        "| {minute} | {} | {} | {:.1?} | {:.1?} | {:.1} | {} | {:.1} | {} | {dropped} |",
        measured.answered(),
        measured.failed,
        measured.at(0.5),
        measured.at(0.99),
        own.mib(),
        own.descriptors,
        of_brain.mib(),
        of_brain.descriptors
    );
}
