//! The plugin of this repository, installed as a user installs it.

use std::path::Path;

use serde_json::{Value, json};
use tests::{checkout, claude_code::ClaudeCode, get_json, program, stand_in::messages::Reply, waiting};

use super::{It, LAST};

/// Where the program is, and everything else that the plugin's scripts need.
pub fn path_with_the_program() -> String {
    let folder = program::binary();
    format!("{}:/usr/bin:/bin", folder.parent().expect("a folder").display())
}

/// A call of the plugin's own server.
pub fn debug() -> Reply {
    Reply::call("mcp__plugin_routing_routing__debug", json!({"project_root": "/tmp", "problem": "x"}))
}

impl It {
    /// With the plugin instead of an entry in `.mcp.json`.
    pub async fn installed(script: impl IntoIterator<Item = Reply>, config: &[(&str, &str)]) -> Self {
        Self::installed_with(script, json!({}), config, &path_with_the_program()).await
    }

    /// The same with changes of the policy's spec, and another `PATH`.
    pub async fn installed_with(
        script: impl IntoIterator<Item = Reply>,
        spec: Value,
        config: &[(&str, &str)],
        path: &str,
    ) -> Self {
        Self::installed_from(&checkout(), script, spec, config, path).await
    }

    /// The same from another folder than this checkout.
    pub async fn installed_from(
        marketplace: &Path,
        script: impl IntoIterator<Item = Reply>,
        spec: Value,
        config: &[(&str, &str)],
        path: &str,
    ) -> Self {
        let it = Self::with(script, spec, json!({})).await;
        std::fs::remove_file(it.claude.project().join(".mcp.json")).expect("removed");
        let claude = it.claude.variable("PATH", path);
        let (url, brain) = (it.routing.mcp_url(), it.brain.base_url());
        let admin = format!("http://127.0.0.1:{}", it.routing.ports.admin);
        let ours = [("url", &*url), ("brain_url", &*brain), ("admin_url", &*admin)];
        let others = ours.into_iter().filter(|(name, _)| !config.iter().any(|(other, _)| other == name));
        claude.install_plugin(marketplace, "routing", &others.chain(config.iter().copied()).collect::<Vec<_>>()).await;
        Self { claude, ..it }
    }

    /// The verdicts on the newest decision of `debug`, by source, once there is one.
    pub async fn verdicts(&self) -> Value {
        let url = format!("{}/decisions?skill=debug", self.brain.base_url());
        let url = url.as_str();
        waiting::until("a verdict", || async move {
            let verdicts = get_json(url).await["decisions"][0]["verdicts"].clone();
            Some(verdicts).filter(|verdicts| verdicts.as_object().is_some_and(|verdicts| !verdicts.is_empty()))
        })
        .await
    }
}

/// What is remembered of all sessions, as text.
pub fn remembered(claude: &ClaudeCode) -> String {
    let folder = claude.home().join(".local/state/routing/claude-code");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| std::fs::read_to_string(file.path()).expect("text")).collect()
}

#[tokio::test]
async fn a_call_of_the_installed_plugin_needs_no_permission_and_the_user_sees_where_it_went() {
    let it = It::installed([debug(), Reply::text(LAST)], &[("ask", "false")]).await;
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    terminal.until("debug: local, l, not measured; rate it: +1 / -1").await;
    assert_eq!(it.model.last().results()[0].texts[1], "answer of l");
}
