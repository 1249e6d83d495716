//! A local model fails, in each of five ways, from the first call on: how long until a caller has a good answer, and how many
//! calls have none; of the data plane, and of LiteLLM's own fallbacks, in turns. The models are stand-ins. `make bench` keeps
//! the output.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Policy, host,
    litellm::{KEY, LiteLlm},
    open_loop::{self, Measured, Rate, Target},
    program::Program,
    stand_in::failing::{Failing, Failure, GOOD},
};

/// Calls a second; LiteLLM holds about 30.
const PER_SECOND: u32 = 5;
/// How long calls begin.
const TIME: Duration = Duration::from_secs(12);
/// The time-out of the local model, of both.
const LOCAL: &str = "2s";

struct Call {
    url: String,
    token: Option<&'static str>,
    body: Value,
}

impl Target for Call {
    fn request(&self, client: &Client, _: u32) -> RequestBuilder {
        let request = client.post(&self.url).header("content-type", "application/json").body(self.body.to_string());
        self.token.into_iter().fold(request, RequestBuilder::bearer_auth)
    }

    fn is_answer(&self, status: u16, body: &str) -> bool {
        status == 200 && body.contains(GOOD)
    }
}

#[tokio::main]
async fn main() {
    let models = Failing::start().await;
    let urls = Failure::ALL.map(|failure| format!("{}/v1", models.url(failure)));
    let names = ["REFUSES_URL", "HANGS_URL", "DRIPS_URL", "TOO_MANY_URL", "OVERLOADED_URL"];
    let working = format!("{}/v1", models.working());
    let variables: Vec<_> =
        names.into_iter().zip(urls.iter().map(String::as_str)).chain([("WORKING_URL", &*working)]).collect();
    let litellm = LiteLlm::start("tests/litellm/failover.yaml", &variables).await;
    // What LiteLLM loads with its first calls is not its fallback.
    let url = format!("{}/v1/chat/completions", litellm.url());
    let body = json!({"model": "claude-model", "messages": [{"role": "user", "content": "It works."}]});
    open_loop::run(Rate { per_second: PER_SECOND, time: TIME / 4 }, Arc::new(Call { url, token: Some(KEY), body }))
        .await;
    println!(
        "{}\n{PER_SECOND} calls/s for {} s, time-out of the local model {LOCAL}",
        host::described(),
        TIME.as_secs()
    );
    for failure in Failure::ALL {
        let policy = Policy::at(&models.working()).local("local-model").claude("claude-model").spec(json!({
            "models": {"local": {"upstream": {"url": models.url(failure)}}},
            "timeouts": {"local": LOCAL},
        }));
        let routing = Program::serve_policy(&policy).start().await;
        let arguments = json!({"project_root": "/tmp", "problem": "It fails."});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "debug", "arguments": arguments}});
        print(failure, "the data plane", Call { url: routing.mcp_url(), token: None, body: call }).await;
        let completion = json!({"model": format!("local-{}", failure.name()), "messages": [{"role": "user", "content": "It fails."}]});
        let url = format!("{}/v1/chat/completions", litellm.url());
        print(failure, "LiteLLM", Call { url, token: Some(KEY), body: completion }).await;
    }
}

async fn print(failure: Failure, who: &str, call: Call) {
    let measured: Measured = open_loop::run(Rate { per_second: PER_SECOND, time: TIME }, Arc::new(call)).await;
    println!(
        "the local model {:>7}, {who:>14}: first good answer after {}, median {:.2?}, p99 {:.2?}; {} of {} calls lost",
        failure.name(),
        measured.first().map_or_else(|| "never".into(), |time| format!("{time:.2?}")),
        measured.at(0.5),
        measured.at(0.99),
        measured.failed,
        measured.answered() as u64 + measured.failed
    );
}
