//! What tracing costs: the same load on a data plane without and with a collector, in one run. Prints the latency of calls
//! and the processor time of the data plane, and the ratio. `make bench` keeps the output.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tests::{
    Policy,
    collector::Collector,
    host,
    open_loop::{self, Call, Measured, Rate},
    program::{Program, Running},
    stand_in::models::Models,
};

/// Calls a second, for this many seconds, after as many to warm up as one second has.
const PER_SECOND: u32 = 1_000;
const SECONDS: u32 = 10;
/// How often each of the two is measured, one after the other, so that a busy machine disturbs both.
const ROUNDS: usize = 3;

/// What a load took.
struct Loaded {
    calls: Measured,
    cpu: Duration,
    took: Duration,
}

impl Loaded {
    fn line(&self, name: &str) -> String {
        let rate = f64::from(u32::try_from(self.calls.answered()).unwrap_or(u32::MAX)) / self.took.as_secs_f64();
        format!(
            "{name:>12}: {} calls, {rate:.0}/s, median {:.2?}, p99 {:.2?}, processor time {:.2} s",
            self.calls.answered(),
            self.calls.at(0.5),
            self.calls.at(0.99),
            self.cpu.as_secs_f64()
        )
    }
}

async fn load(routing: &Running, seconds: u32) -> Loaded {
    let call = Call::debug(&routing.mcp_url(), &format!("problem {}", Call::NUMBER), "answer of local-model");
    let (began, cpu) = (Instant::now(), routing.processor_time());
    let rate = Rate { per_second: PER_SECOND, time: Duration::from_secs(seconds.into()) };
    let calls = open_loop::run(rate, Arc::new(call)).await;
    assert_eq!(calls.failed, 0, "every call is answered by the local model");
    Loaded { calls, cpu: routing.processor_time() - cpu, took: began.elapsed() }
}

#[tokio::main]
async fn main() {
    println!("{}", host::described());
    let (models, collector) = (Models::start().await, Collector::start().await);
    let policy = Policy::at(&models.url()).local("local-model").claude("claude-model");
    let off = Program::serve_policy(&policy).variable("RUST_LOG", "warn").start().await;
    let on = Program::serve_policy(&policy).variable("RUST_LOG", "warn");
    let on = on.variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()).start().await;
    for routing in [&off, &on] {
        load(routing, 1).await;
    }
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (without, with) = (load(&off, SECONDS).await, load(&on, SECONDS).await);
        println!("round {round}\n{}\n{}", without.line("without"), with.line("with"));
        ratios.push(with.cpu.as_secs_f64() / without.cpu.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let dropped = on.metric("routing_otlp_dropped_spans_total{kind=\"queue_full\"}").await;
    println!(
        "processor time with tracing / without: {:.2} (median of {ROUNDS} rounds: {ratios:.2?})",
        ratios[ROUNDS / 2]
    );
    println!("spans received: {}, dropped because the queue was full: {dropped}", collector.spans().len());
}
