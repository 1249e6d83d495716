//! A local model fails, in each of five ways, from the first call on: how long until a caller has a good answer, and how many
//! calls have none; of the data plane, and of LiteLLM's own fallbacks, in turns. The models are stand-ins. `make bench` keeps
//! the output.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tests::{
    Policy,
    fault_server::{ANSWERED, Failure, FaultServer},
    host,
    litellm::{KEY, LiteLlm},
    open_loop::{self, Call, Measured, Rate},
    ports,
    program::Program,
};

/// Calls a second; LiteLLM holds about 30.
const PER_SECOND: u32 = 5;
/// How long calls begin.
const TIME: Duration = Duration::from_secs(12);
/// The time-out of the local model, of both.
const LOCAL: &str = "2s";

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
            server.fail_all(failure.fault());
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

#[tokio::main]
async fn main() {
    let models = Models::start().await;
    let urls = Failure::ALL.map(|failure| format!("{}/v1", models.url(failure)));
    let names = ["REFUSES_URL", "HANGS_URL", "DRIPS_URL", "TOO_MANY_URL", "OVERLOADED_URL"];
    let working = format!("{}/v1", models.working.url());
    let variables: Vec<_> =
        names.into_iter().zip(urls.iter().map(String::as_str)).chain([("WORKING_URL", &*working)]).collect();
    let litellm = LiteLlm::start("tests/litellm/failover.yaml", &variables).await;
    // What LiteLLM loads with its first calls is not its fallback.
    let url = format!("{}/v1/chat/completions", litellm.url());
    let body = json!({"model": "claude-model", "messages": [{"role": "user", "content": "It works."}]});
    let call = Call::new(&url, &body, ANSWERED).token(KEY);
    open_loop::run(Rate { per_second: PER_SECOND, time: TIME / 4 }, Arc::new(call)).await;
    println!(
        "{}\n{PER_SECOND} calls/s for {} s, time-out of the local model {LOCAL}",
        host::described(),
        TIME.as_secs()
    );
    let mut rows = vec![];
    for failure in Failure::ALL {
        let policy = Policy::at(&models.working.url()).local("local-model").claude("claude-model").spec(json!({
            "models": {"local": {"upstream": {"url": models.url(failure)}}},
            "timeouts": {"local": LOCAL},
        }));
        let routing = Program::serve_policy(&policy).start().await;
        let ours = print(failure, "the data plane", Call::debug(&routing.mcp_url(), "It fails.", ANSWERED)).await;
        let completion = json!({"model": format!("local-{}", failure.name()), "messages": [{"role": "user", "content": "It fails."}]});
        let its = print(failure, "LiteLLM", Call::new(&url, &completion, ANSWERED).token(KEY)).await;
        rows.push(format!(
            "| the local model {}: first good answer, calls lost | {ours}; LiteLLM {its} |  |",
            failure.name()
        ));
    }
    println!("{}", rows.join("\n"));
}

/// Prints what was measured; in short, when the first good answer came and how many calls had none.
async fn print(failure: Failure, who: &str, call: Call) -> String {
    let measured: Measured = open_loop::run(Rate { per_second: PER_SECOND, time: TIME }, Arc::new(call)).await;
    let first = measured.first().map_or_else(|| "never".into(), |time| format!("{time:.2?}"));
    let all = measured.answered() as u64 + measured.failed;
    println!(
        "the local model {:>7}, {who:>14}: first good answer after {first}, median {:.2?}, p99 {:.2?}; {} of {} calls lost",
        failure.name(),
        measured.at(0.5),
        measured.at(0.99),
        measured.failed,
        all
    );
    format!("{first}, {} of {all}", measured.failed)
}
