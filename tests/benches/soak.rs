//! A data plane under load for a long time, while one call of the local model in ten fails in one of five ways and the brain is
//! killed every few minutes: what it holds must not grow. The models are stand-ins. `make soak` keeps the output; `MINUTES` and
//! `PER_SECOND` make it shorter.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tests::{
    Policy, host,
    open_loop::{self, Measured, Rate, Target},
    process::{descriptors, resident_kib},
    program::{Program, Running},
    stand_in::failing::{Failing, GOOD},
};

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

struct Call(String);

impl Target for Call {
    fn request(&self, client: &Client, call: u32) -> RequestBuilder {
        let arguments =
            json!({"project_root": "/tmp", "problem": format!("problem {call}: {}", "it fails. ".repeat(200))});
        let body = json!({"jsonrpc": "2.0", "id": call, "method": "tools/call", "params": {"name": "debug", "arguments": arguments}});
        client.post(&self.0).header("content-type", "application/json").body(body.to_string())
    }

    fn is_answer(&self, status: u16, body: &str) -> bool {
        status == 200 && body.contains(GOOD)
    }
}

/// What is held at the end of a row.
#[derive(Clone, Copy)]
struct Held {
    mib: f64,
    descriptors: usize,
}

impl Held {
    fn of(process: &Running) -> Self {
        #[allow(clippy::cast_precision_loss)]
        Self { mib: resident_kib(process.id()) as f64 / 1024.0, descriptors: descriptors(process.id()) }
    }
}

fn number(variable: &str, default: u32) -> u32 {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: {text}: must be a number")))
}

#[tokio::main]
async fn main() {
    let (minutes, per_second) = (number("MINUTES", 30), number("PER_SECOND", 200));
    let (models, mut brain) = (Failing::start().await, Program::brain().start().await);
    let policy = Policy::at(&models.working()).local("local-model").claude("claude-model").spec(json!({
        "brain": {"url": brain.base_url()},
        "models": {"local": {"upstream": {"url": models.by_chance()}}},
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
        let measured = open_loop::run(Rate { per_second, time: ROW }, Arc::new(Call(routing.mcp_url()))).await;
        rows.push(Held::of(&routing));
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
            before.mib,
            after.mib,
            flat(before.mib, after.mib, 0.0)
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
        mib: one.mib.max(other.mib),
        descriptors: one.descriptors.max(other.descriptors),
    };
    rows?.iter().fold(None, |all, row| Some(all.map_or(*row, |all| most(all, row))))
}

async fn print(minute: u64, measured: &Measured, routing: &Running, brain: &Running) {
    let (own, of_brain, dropped) = (Held::of(routing), Held::of(brain), routing.decisions_not_logged().await);
    println!(
        "| {minute} | {} | {} | {:.1?} | {:.1?} | {:.1} | {} | {:.1} | {} | {dropped} |",
        measured.answered(),
        measured.failed,
        measured.at(0.5),
        measured.at(0.99),
        own.mib,
        own.descriptors,
        of_brain.mib,
        of_brain.descriptors
    );
}
