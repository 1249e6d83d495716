//! What tracing costs: the same load on a data plane without and with a collector, in one run. Prints the latency of calls
//! and the processor time of the data plane, and the ratio. `make bench` keeps the output.

use std::time::{Duration, Instant};

use tests::{
    Policy,
    collector::Collector,
    program::{Program, Running},
    stand_in::models::Models,
};

/// Calls a second, for this many seconds, after as many to warm up as one second has.
const PER_SECOND: u32 = 1_000;
const SECONDS: u32 = 10;
/// How often each of the two is measured, one after the other, so that a busy machine disturbs both.
const ROUNDS: usize = 3;

struct Measured {
    times: Vec<Duration>,
    cpu: Duration,
    took: Duration,
}

impl Measured {
    fn at(&self, share: f64) -> Duration {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let i = ((self.times.len() - 1) as f64 * share) as usize;
        self.times[i]
    }

    fn line(&self, name: &str) -> String {
        let rate = f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64();
        format!(
            "{name:>12}: {} calls, {rate:.0}/s, median {:.2?}, p99 {:.2?}, processor time {:.2} s",
            self.times.len(),
            self.at(0.5),
            self.at(0.99),
            self.cpu.as_secs_f64()
        )
    }
}

async fn load(routing: &Running, calls: u32) -> Measured {
    let (began, cpu) = (Instant::now(), routing.processor_time());
    let url = routing.mcp_url();
    let client = tests::http();
    let mut running = Vec::new();
    for i in 0..calls {
        tokio::time::sleep_until((began + Duration::from_secs(1) / PER_SECOND * i).into()).await;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{i},"method":"tools/call","params":{{"name":"debug","arguments":{{"project_root":"/tmp","problem":"problem {i}"}}}}}}"#
        );
        let request = client.post(&url).header("content-type", "application/json").body(body);
        running.push(tokio::spawn(async move {
            let asked = Instant::now();
            let answer = request.send().await.expect("an answer").text().await.expect("text");
            assert!(answer.contains("answer of local-model"), "{answer}");
            asked.elapsed()
        }));
    }
    let mut times = Vec::new();
    for call in running {
        times.push(call.await.expect("a call"));
    }
    times.sort();
    Measured { times, cpu: routing.processor_time() - cpu, took: began.elapsed() }
}

#[tokio::main]
async fn main() {
    let (models, collector) = (Models::start().await, Collector::start().await);
    let policy = Policy::at(&models.url()).local("local-model").claude("claude-model");
    let off = Program::serve_policy(&policy).variable("RUST_LOG", "warn").start().await;
    let on = Program::serve_policy(&policy).variable("RUST_LOG", "warn");
    let on = on.variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()).start().await;
    for routing in [&off, &on] {
        load(routing, PER_SECOND).await;
    }
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (without, with) = (load(&off, PER_SECOND * SECONDS).await, load(&on, PER_SECOND * SECONDS).await);
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
