//! The processes of a measurement, each by itself: a stand-in for the models, a brain on SQLite, a data plane between them,
//! and the loads that can be put on them.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tests::{
    Policy, http,
    litellm::{KEY, LiteLlm},
    open_loop::Call,
    ports,
    program::{Program, Running},
    stand_in::model_pod,
    waiting,
};

/// The text of a problem of the usual size, in bytes: with the skill's own prompt 5.8 KB go to the model.
pub const PROBLEM_BYTES: usize = 2_500;
/// The skill's own prompt.
const SYSTEM: &str = include_str!("../../../crds/skills/prompts/debug.md");
/// What the stand-in says in each answer.
const ANSWERED: &str = "no language model ran";

/// Stands in for the models in a process of its own, so that its processor time is its own, too.
pub struct Models {
    child: Child,
    port: u16,
}

impl Models {
    pub async fn start() -> Self {
        let port = ports::free();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stand-in-models"));
        let child = command.arg(port.to_string()).stdin(Stdio::null()).spawn().expect("the stand-in starts");
        let models = Self { child, port };
        let url = format!("{}/v1/models", models.url());
        waiting::until("the stand-in", || async { http().get(&url).send().await.ok() }).await;
        models
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Models {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of them, as on one machine.
pub struct Rig {
    pub models: Models,
    pub brain: Running,
    pub routing: Running,
}

impl Rig {
    /// Starts them with a policy of this many skills, of which `debug` is one.
    pub async fn start(skills: usize) -> Self {
        let (models, brain) = (Models::start().await, Program::brain().start().await);
        let policy = Policy::at(&models.url()).local("local-model").claude("claude-model");
        let policy = policy.spec(json!({
            "brain": {"url": brain.base_url()},
            "skills": self::skills(skills),
            "limits": {"inFlight": 10_000},
        }));
        let program = Program::serve_policy(&policy).variable("ROUTING_CONNECTIONS", "20000");
        Self { routing: program.start().await, brain, models }
    }

    /// The call of a skill with a problem of this many bytes.
    pub fn routed(&self, bytes: usize) -> Call {
        Call::debug(&self.routing.mcp_url(), &problem(bytes), ANSWERED)
    }

    /// The call as Claude Code makes it, which the MCP library runs.
    pub fn routed_with_progress(&self, bytes: usize) -> Call {
        Call::debug_with_progress(&self.routing.mcp_url(), &problem(bytes), ANSWERED)
    }

    /// The same call, whose model answers after this time.
    pub fn routed_after(&self, time: Duration) -> Call {
        let problem = format!("{} {} {}", Call::NUMBER, model_pod::after(time), text(PROBLEM_BYTES));
        Call::debug(&self.routing.mcp_url(), &problem, ANSWERED)
    }

    /// What the data plane asks the model for such a call, asked without it.
    pub fn direct(&self, bytes: usize) -> Call {
        Call::new(&format!("{}/v1/chat/completions", self.models.url()), &completion("local-model", bytes), ANSWERED)
    }
}

/// A LiteLLM in front of the same stand-in.
pub async fn litellm(models: &Models) -> LiteLlm {
    LiteLlm::start("tests/litellm/bench.yaml", &[("STAND_IN_URL", &format!("{}/v1", models.url()))]).await
}

/// What the data plane asks the model for such a call, asked through LiteLLM.
pub fn through(litellm: &LiteLlm, bytes: usize) -> Call {
    let url = format!("{}/v1/chat/completions", litellm.url());
    Call::new(&url, &completion("local-model", bytes), ANSWERED).token(KEY)
}

fn completion(model: &str, bytes: usize) -> Value {
    json!({"model": model, "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": text(bytes)},
    ]})
}

/// A problem of this many bytes, with the number of the call: a value may have 256 KiB and no more.
fn problem(bytes: usize) -> String {
    format!("{} {}", Call::NUMBER, text(bytes - Call::NUMBER.len() - 1))
}

/// A text as people write it, in lines.
fn text(bytes: usize) -> String {
    "The parser panics on an empty file, \"index out of bounds\".\n".chars().cycle().take(bytes).collect()
}

fn skills(count: usize) -> Vec<Value> {
    let debug = json!({"name": "debug"});
    let other = |i| {
        json!({"name": format!("skill_{i}"), "description": format!("Does the work number {i}."),
            "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
            "stages": [{"system": {"text": "You do it."}, "user": "{{ args.text }}"}]})
    };
    std::iter::once(debug).chain((1..count).map(other)).collect()
}
