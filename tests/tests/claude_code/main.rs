//! The real Claude Code, with a model that answers by a script, against the real `routing` and brain.

mod connect;
mod hooks;
mod installed;
mod patience;
mod plugin;
mod plugin_faults;
mod plugin_rating;
mod plugin_reports;
mod refused;
mod routed;

use serde_json::{Value, json};
use tests::{
    Policy,
    claude_code::ClaudeCode,
    get_json,
    program::{Program, Running},
    stand_in::{
        messages::{MessagesApi, Reply},
        models::Models,
    },
    waiting,
};

/// Allows every tool of our server.
const ALLOWED: [&str; 2] = ["--allowedTools", "mcp__routing"];
const TOKEN: &str = "s3cret";
/// What the scripted model says at the end.
const LAST: &str = "All of the script is said.";

/// Claude Code, its model, and all that is behind our server.
struct It {
    claude: ClaudeCode,
    model: MessagesApi,
    routing: Running,
    brain: Running,
    models: Models,
}

impl It {
    /// The project knows our server.
    async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(script, json!({}), json!({})).await
    }

    /// With changes of the policy's spec, and more fields of the server's entry in `.mcp.json`.
    async fn with(script: impl IntoIterator<Item = Reply>, spec: Value, entry: Value) -> Self {
        let (models, brain) = (Models::start().await, Program::brain().start().await);
        let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.base_url()}}));
        let routing = Program::serve_policy(&policy.spec(spec))
            .variable("ROUTING_SECRET_VARIABLES", "TOKEN")
            .variable("TOKEN", TOKEN)
            .start()
            .await;
        let model = MessagesApi::start(script).await;
        let claude = ClaudeCode::new(&model);
        claude.mcp_http(&routing.mcp_url(), entry);
        Self { claude, model, routing, brain, models }
    }

    /// Waits until the brain has this many decisions of `debug`; returns them, the newest first.
    async fn decisions(&self, count: usize) -> Vec<Value> {
        let url = format!("{}/decisions?skill=debug", self.brain.base_url());
        let url = url.as_str();
        waiting::until("the decisions", || async move {
            let stored = get_json(url).await["decisions"].as_array().expect("a list").clone();
            let decisions: Vec<Value> = stored.into_iter().map(|stored| stored["decision"].clone()).collect();
            Some(decisions).filter(|decisions| decisions.len() >= count)
        })
        .await
    }
}

fn debug(problem: &str) -> Reply {
    Reply::call("mcp__routing__debug", json!({"project_root": "/tmp", "problem": problem}))
}
