//! A plugin that is installed from a folder.

use std::path::Path;

use serde_json::{Value, json};
use tests::{
    claude_code::ClaudeCode,
    stand_in::messages::{MessagesApi, Reply},
};

use super::{It, LAST};

fn write(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(file, text).expect("written");
}

/// A marketplace with one plugin, which has our server at an address that the user gives, and a command.
fn marketplace(folder: &Path) {
    let plugin = json!({"name": "ours", "source": "./ours", "description": "A plugin of the tests"});
    let market = json!({"name": "market", "owner": {"name": "tests"}, "plugins": [plugin]});
    let url = json!({"type": "string", "title": "Address", "description": "Of the endpoint"});
    let token = json!({"type": "string", "title": "Token", "description": "Of the endpoint", "sensitive": true});
    let manifest = json!({"name": "ours", "version": "0.1.0", "userConfig": {"url": url, "token": token}});
    let headers = json!({"Authorization": "Bearer ${user_config.token}"});
    let entry = json!({"type": "http", "url": "${user_config.url}", "headers": headers});
    let files: [(&str, Value); 3] = [
        (".claude-plugin/marketplace.json", market),
        ("ours/.claude-plugin/plugin.json", manifest),
        ("ours/.mcp.json", json!({"mcpServers": {"routing": entry}})),
    ];
    files.iter().for_each(|(path, value)| write(folder, path, &value.to_string()));
    write(folder, "ours/commands/rate.md", "---\ndescription: Rates\n---\nRate it: $ARGUMENTS");
}

#[tokio::test]
async fn an_installed_plugin_connects_with_the_address_and_the_token_that_the_user_gave() {
    let tokens = json!([{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]);
    let call = Reply::call("mcp__plugin_ours_routing__debug", json!({"project_root": "/tmp", "problem": "x"}));
    let it = It::with([call], json!({"access": {"tokens": tokens}}), json!({})).await;
    std::fs::remove_file(it.claude.project().join(".mcp.json")).expect("removed");
    let folder = tempfile::tempdir().expect("a folder");
    marketplace(folder.path());
    it.claude.install_plugin(folder.path(), "ours", &[("url", &it.routing.mcp_url()), ("token", super::TOKEN)]).await;
    it.claude.headless("please debug", &["--allowedTools", "mcp__plugin_ours_routing"]).await;
    assert_eq!(it.model.last().results()[0].texts[1], "answer of l");
    assert_eq!(it.decisions(1).await[0]["caller"], "me");
}

#[tokio::test]
async fn a_command_of_a_plugin_is_a_prompt_to_hooks_and_its_text_to_the_model() {
    let model = MessagesApi::start([Reply::text(LAST), Reply::text(LAST)]).await;
    let claude = ClaudeCode::new(&model);
    let folder = tempfile::tempdir().expect("a folder");
    marketplace(folder.path());
    claude.install_plugin(folder.path(), "ours", &[]).await;
    claude.record_hooks(&["UserPromptSubmit"]);
    claude.headless("/ours:rate +1 works", &[]).await;
    let mut terminal = claude.terminal(&[]).await;
    terminal.type_line("/ours:rate +1 works").await;
    terminal.until(LAST).await;
    let told = claude.hook_inputs();
    assert!(told.len() == 2 && told.iter().all(|input| input["prompt"] == "/ours:rate +1 works"), "{told:?}");
    assert!(model.requests().iter().all(|request| request.text().contains("Rate it: +1 works")));
}
