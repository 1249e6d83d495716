//! A local model fails, in each of five ways, from the first call on: how long until a caller has a good answer, and how many
//! calls have none; of the data plane, and of LiteLLM's own fallbacks, in turns, in several rounds. The models are stand-ins.
//! `make bench` keeps the output; `ROUNDS` changes their number.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tests::{
    Policy,
    fault_server::{ANSWERED, Answer, Failure, Fault, FaultServer, fault::Length},
    host,
    litellm::{KEY, LiteLlm},
    number,
    open_loop::{self, Call, Measured, Rate},
    ports,
    program::Program,
};

/// Calls a second; LiteLLM holds about 30.
const PER_SECOND: u32 = 5;
/// How long calls begin.
const TIME: Duration = Duration::from_secs(7);
/// The time-out of the local model, of both.
const LOCAL: &str = "2s";
/// How long a caller waits for an answer; without one its call is lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that drip, 20 a second: for longer than a caller waits, and not into the measurements that follow.
const DRIPPED: usize = 300;
/// The variables of `tests/litellm/failover.yaml` with the models that fail, in the order of [`Failure::ALL`].
const URLS: [&str; 5] = ["REFUSES_URL", "HANGS_URL", "DRIPS_URL", "TOO_MANY_URL", "OVERLOADED_URL"];

/// Models that fail, each in one way, and one that works.
struct Models {
    /// In the order of [`Failure::ALL`].
    failing: Vec<FaultServer>,
    /// Where nothing listens.
    nobody: u16,
    working: FaultServer,
}

impl Models {
    async fn start() -> Self {
        let mut failing = vec![];
        for failure in Failure::ALL {
            let server = FaultServer::start().await;
            server.fail_all(fault(failure));
            failing.push(server);
        }
        Self { failing, nobody: ports::free(), working: FaultServer::start().await }
    }

    fn url(&self, failure: Failure) -> String {
        match failure {
            Failure::Refuses => format!("http://127.0.0.1:{}", self.nobody),
            other => self.failing[other as usize].url(),
        }
    }
}

/// How a server fails: as always, but what drips has an end.
fn fault(failure: Failure) -> Fault {
    match failure {
        Failure::Drips => {
            Fault { answer: Answer::of(" ".repeat(DRIPPED)).length(Length::UntilClosed), ..failure.fault() }
        }
        other => other.fault(),
    }
}

/// What the rounds measured, of one server and one failure.
#[derive(Default)]
struct Rounds(Vec<Measured>);

impl Rounds {
    /// In short: when the first good answer came, by the median of the rounds, and how many of all calls had none.
    fn shown(&self) -> String {
        let mut first: Vec<_> = self.0.iter().map(|round| round.first().unwrap_or(Duration::MAX)).collect();
        first.sort_unstable();
        let median = first.get(first.len().saturating_sub(1) / 2).copied();
        let lost: u64 = self.0.iter().map(|round| round.failed).sum();
        let all: u64 = self.0.iter().map(calls).sum();
        format!("{}, {lost} of {all}", when(median.filter(|first| *first < Duration::MAX)))
    }
}

#[tokio::main]
async fn main() {
    let rounds = number("ROUNDS", 5_usize);
    let models = Models::start().await;
    let litellm = litellm(&models).await;
    println!(
        "{}\n{rounds} rounds of {PER_SECOND} calls/s for {} s; time-out of the local model {LOCAL}; callers wait for {} s",
        host::described(),
        TIME.as_secs(),
        PATIENCE.as_secs()
    );
    let mut all = Failure::ALL.map(|_| <[Rounds; 2]>::default());
    for round in 1..=rounds {
        for (failure, [ours, its]) in Failure::ALL.into_iter().zip(&mut all) {
            let name = |who| format!("round {round}, the local model {:>11}, {who:>14}", does(failure));
            ours.0.push(routed(&name("the data plane"), &models, failure).await);
            let call = through(&litellm, &format!("local-{}", failure.name()), "It fails.");
            its.0.push(measured(&name("LiteLLM"), call).await);
        }
    }
    for (failure, [ours, its]) in Failure::ALL.into_iter().zip(&all) {
        let (ours, its) = (ours.shown(), its.shown());
        let row = format!("the local model {}: first good answer, median, and calls lost", does(failure));
        println!("| {row} | {ours}; LiteLLM {its} |  |");
    }
}

/// A LiteLLM in front of these models. What it loads with its first calls is not its fallback.
async fn litellm(models: &Models) -> LiteLlm {
    let urls = Failure::ALL.map(|failure| format!("{}/v1", models.url(failure)));
    let working = format!("{}/v1", models.working.url());
    let variables: Vec<_> =
        URLS.into_iter().zip(urls.iter().map(String::as_str)).chain([("WORKING_URL", &*working)]).collect();
    let litellm = LiteLlm::start("tests/litellm/failover.yaml", &variables).await;
    let call = through(&litellm, "claude-model", "It works.");
    open_loop::run(Rate { per_second: PER_SECOND, time: TIME / 2 }, Arc::new(call)).await;
    litellm
}

/// A call of a model of LiteLLM's.
fn through(litellm: &LiteLlm, model: &str, text: &str) -> Call {
    let url = format!("{}/v1/chat/completions", litellm.url());
    Call::new(&url, &json!({"model": model, "messages": [{"role": "user", "content": text}]}), ANSWERED).token(KEY)
}

/// Measures a data plane that has made no call yet.
async fn routed(name: &str, models: &Models, failure: Failure) -> Measured {
    let policy = Policy::at(&models.working.url()).local("local-model").claude("claude-model").spec(json!({
        "models": {"local": {"upstream": {"url": models.url(failure)}}},
        "timeouts": {"local": LOCAL},
    }));
    let routing = Program::serve_policy(&policy).start().await;
    measured(name, Call::debug(&routing.mcp_url(), "It fails.", ANSWERED)).await
}

/// Measures it, and prints what was measured.
async fn measured(name: &str, call: Call) -> Measured {
    let call = Arc::new(call.within(PATIENCE));
    let measured = open_loop::run(Rate { per_second: PER_SECOND, time: TIME }, call).await;
    println!(
        "{name}: first good answer after {}, median {}, p99 {}; {} of {} calls lost",
        when(measured.first()),
        spaced(measured.at(0.5)),
        spaced(measured.at(0.99)),
        measured.failed,
        calls(&measured)
    );
    measured
}

fn when(first: Option<Duration>) -> String {
    first.map_or_else(|| "never".into(), spaced)
}

/// A time as a table shows it: 1.63 ms.
fn spaced(time: Duration) -> String {
    let text = format!("{time:.2?}");
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
    format!("{number} {unit}")
}

/// What the local model does, as a sentence says it.
fn does(failure: Failure) -> String {
    match failure {
        Failure::TooMany | Failure::Overloaded => format!("answers {}", failure.name()),
        other => other.name().to_string(),
    }
}

fn calls(measured: &Measured) -> u64 {
    measured.answered() as u64 + measured.failed
}
