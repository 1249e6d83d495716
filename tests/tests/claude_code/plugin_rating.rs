//! What the user says of an answer: `+1`, `-1`, `/routing:right`, `/routing:wrong`, and where calls go.

use serde_json::json;
use tests::{claude_code::Terminal, stand_in::messages::Reply};

use super::{It, LAST, installed::debug};

const QUIET: [(&str, &str); 1] = [("ask", "false")];

/// A terminal after the answer to a prompt of the script.
async fn after_a_turn(it: &It) -> Terminal {
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    terminal
}

fn routed() -> [Reply; 2] {
    [debug(), Reply::text(LAST)]
}

#[tokio::test]
async fn plus_one_alone_is_reported_and_shown_without_a_turn_of_the_model_and_minus_one_replaces_it() {
    let it = It::installed(routed(), &QUIET).await;
    let mut terminal = after_a_turn(&it).await;
    terminal.type_line("+1").await;
    terminal
        .until("reported: pass (human) for debug. Pass rate of local (l): not measured before, 1.00 of 1 now.")
        .await;
    assert_eq!((it.verdicts().await, it.model.requests().len()), (json!({"human": "pass"}), 2));
    terminal.type_line("-1").await;
    terminal.until("reported: fail (human) for debug. Pass rate of local (l): 1.00 of 1 before, 0.00 of 1 now.").await;
    assert_eq!((it.verdicts().await, it.model.requests().len()), (json!({"human": "fail"}), 2));
    it.model.say([Reply::text("I go on.")]);
    // The input is empty.
    terminal.type_line("and now").await;
    terminal.until("I go on.").await;
    let text = it.model.last().text();
    assert!(text.ends_with("and now") && !text.contains("+1and") && !text.contains("-1and"), "{text}");
}

#[tokio::test]
async fn plus_one_with_words_is_reported_and_the_words_reach_the_model() {
    let it = It::installed(routed(), &QUIET).await;
    let mut terminal = after_a_turn(&it).await;
    it.model.say([Reply::text("You are welcome.")]);
    terminal.type_line("+1 great, thanks").await;
    terminal.until("You are welcome.").await;
    terminal.until("reported: pass (human) for debug").await;
    assert_eq!(it.verdicts().await, json!({"human": "pass"}));
    assert!(it.model.last().text().contains("+1 great, thanks"));
}

#[tokio::test]
async fn with_nothing_routed_or_after_an_error_there_is_nothing_to_rate() {
    let it = It::installed([], &QUIET).await;
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("+1").await;
    terminal.until("nothing to rate: no routed call was answered in this session").await;
    assert_eq!(it.model.requests().len(), 0);
    let wrong = Reply::call("mcp__plugin_routing_routing__debug", json!({"project_root": 7, "problem": 7}));
    it.model.say([debug(), wrong, Reply::text(LAST)]);
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    terminal.type_line("-1").await;
    terminal.until("nothing to rate: the last routed call failed").await;
    assert_eq!(it.decisions(1).await.len(), 1);
    let stored = tests::get_json(format!("{}/outcomes?skill=debug", it.brain.base_url())).await;
    assert_eq!(stored["outcomes"], json!([]));
}

#[tokio::test]
async fn the_commands_of_the_plugin_report_and_show_without_a_turn_of_the_model() {
    let it = It::installed(routed(), &QUIET).await;
    let mut terminal = after_a_turn(&it).await;
    terminal.type_line("/routing:right").await;
    terminal.until("reported: pass (human) for debug").await;
    terminal.type_line("/routing:wrong").await;
    terminal.until("reported: fail (human) for debug").await;
    terminal.type_line("/routing:status").await;
    terminal.until("CALLS GO TO").await;
    terminal.until("human: fail").await;
    assert_eq!((it.verdicts().await, it.model.requests().len()), (json!({"human": "fail"}), 2));
    it.model.say([Reply::text("I see.")]);
    terminal.type_line("/routing:wrong it is the lock").await;
    terminal.until("I see.").await;
    let text = it.model.last().text();
    assert!(
        text.contains("The user says that the last answer of the `routing` tools was wrong. it is the lock"),
        "{text}"
    );
}

#[tokio::test]
async fn another_data_planes_admin_port_is_not_needed_to_show_what_the_brain_knows() {
    let nobody = format!("http://127.0.0.1:{}", tests::ports::free());
    let it = It::installed(routed(), &[QUIET[0], ("admin_url", &nobody)]).await;
    let mut terminal = after_a_turn(&it).await;
    terminal.type_line("/routing:status").await;
    terminal.until("debug local (l): not measured").await;
    assert_eq!(it.model.requests().len(), 2);
}

/// Also for scripts: `claude -p` ends with what was said.
#[tokio::test]
async fn a_server_of_the_projects_own_file_is_rated_too_and_headless_the_answer_is_printed() {
    let it = It::installed([super::debug("x"), Reply::text(LAST)], &QUIET).await;
    it.claude.mcp_http(&it.routing.mcp_url(), json!({}));
    let run = it.claude.headless("please debug", &["--allowedTools", "mcp__routing"]).await;
    let session = run.events[0]["session_id"].as_str().expect("an id").to_string();
    let rated = it.claude.headless("+1", &["--resume", &session]).await;
    assert!(
        rated.result().starts_with("Operation stopped by hook: routing: reported: pass (human) for debug"),
        "{rated:?}"
    );
    assert_eq!((it.verdicts().await, it.model.requests().len()), (json!({"human": "pass"}), 2));
}

/// The hook knows the decision by the id of the call, whatever the answer says.
#[tokio::test]
async fn an_answer_that_forges_a_decision_is_rated_as_what_it_is() {
    let spec = json!({"models": {"local": {"name": "forges"}}});
    let it = It::installed_with(routed(), spec, &QUIET, &super::installed::path_with_the_program()).await;
    let mut terminal = after_a_turn(&it).await;
    terminal.type_line("-1").await;
    terminal.until("reported: fail (human) for debug. Pass rate of local (forges)").await;
    assert_eq!(it.verdicts().await, json!({"human": "fail"}));
}
