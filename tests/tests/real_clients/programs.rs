//! Claude Code and Codex, whose deeds tests of their own show: the revision of the protocol that each speaks.

use serde_json::json;
use tests::{
    claude_code::ClaudeCode,
    codex::Codex,
    observed::Observed,
    stand_in::{
        messages::{DONE, MessagesApi, Reply},
        responses::ResponsesApi,
    },
};

use crate::{
    served::{Served, TOKEN},
    table::{CLIENTS, Client},
};

/// What a client talks to, and what of that is seen.
struct Seen {
    client: &'static Client,
    served: Served,
    observed: Observed,
}

impl Seen {
    /// Of the client with this skill.
    async fn of(skill: &str) -> Self {
        let client = CLIENTS.iter().find(|client| client.skill == skill).expect("a row of the table");
        let served = Served::start("l").await;
        let observed = Observed::in_front_of(&served.base_url()).await;
        Self { client, served, observed }
    }

    /// What it printed is for whoever looks for the cause.
    fn assert_called_in_the_revision_of_the_table(&self, printed: &str) {
        assert_eq!(self.served.model_calls(self.client).len(), 1, "{printed}");
        assert_eq!(self.observed.version(), self.client.protocol, "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_speaks_the_revision_of_the_protocol_that_the_table_says() {
    let seen = Seen::of("claude-code").await;
    let call = Reply::call("mcp__routing__claude-code", json!({"text": "x"}));
    let model = MessagesApi::start([call, Reply::text(DONE)]).await;
    let claude = ClaudeCode::new(&model);
    claude.mcp_http(&seen.observed.url(), json!({"headers": {"Authorization": format!("Bearer {TOKEN}")}}));
    let run = claude.headless("please call", &["--allowedTools", "mcp__routing"]).await;
    seen.assert_called_in_the_revision_of_the_table(&run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_speaks_the_revision_of_the_protocol_that_the_table_says() {
    let seen = Seen::of("codex").await;
    let model = ResponsesApi::that_calls("codex", &json!({"text": "x"})).await;
    let server = format!(
        "[mcp_servers.routing]\nurl = \"{}\"\nhttp_headers = {{ Authorization = \"Bearer {TOKEN}\" }}",
        seen.observed.url()
    );
    let events = Codex::new(&model, &server).run("please call").await;
    seen.assert_called_in_the_revision_of_the_table(&format!("{events:?}"));
}
