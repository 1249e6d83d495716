//! What hooks are told, and what their answers lead to.

use serde_json::{Value, json};
use tests::{
    claude_code::{ClaudeCode, Key},
    stand_in::messages::{MessagesApi, Reply},
    waiting,
};

use super::{ALLOWED, It, LAST, debug};

const EVENTS: [&str; 6] =
    ["UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "Stop", "SessionStart", "SessionEnd"];

/// Settings with a command for one event.
fn hook(event: &str, command: &str) -> Value {
    json!({"hooks": {event: [{"hooks": [{"type": "command", "command": command}]}]}})
}

fn answering(answer: &Value) -> String {
    format!("cat >/dev/null; echo '{answer}'")
}

#[tokio::test]
async fn hooks_are_told_of_the_session_the_call_and_the_last_answer() {
    let it =
        It::start([debug("It panics."), Reply::bash("echo $CLAUDE_CODE_SESSION_ID; exit 3"), Reply::text(LAST)]).await;
    it.claude.record_hooks(&EVENTS);
    it.claude.headless("please debug", &["--allowedTools", "mcp__routing", "Bash"]).await;
    let told = it.claude.hook_inputs();
    let events: Vec<&Value> = told.iter().map(|input| &input["hook_event_name"]).collect();
    assert_eq!(events, ["SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"]);
    let session = told[0]["session_id"].as_str().expect("an id");
    assert!(told.iter().all(|input| input["session_id"] == session), "{told:?}");
    assert_eq!((&told[0]["source"], &told[1]["prompt"]), (&json!("startup"), &json!("please debug")));
    assert_eq!([&told[2]["tool_use_id"], &told[3]["tool_use_id"]], [&it.model.uses()[0].id, &it.model.uses()[1].id]);
    assert_eq!(told[2]["tool_response"][1]["text"], "answer of l");
    assert_eq!(told[3]["error"], format!("Exit code 3\n{session}"));
    assert_eq!((&told[4]["last_assistant_message"], &told[4]["stop_hook_active"]), (&json!(LAST), &json!(false)));
    assert_eq!(told[5]["reason"], "other");
}

#[tokio::test]
async fn a_prompt_that_a_hook_blocks_never_reaches_the_model_and_the_user_reads_why() {
    let model = MessagesApi::start([]).await;
    let claude = ClaudeCode::new(&model);
    claude.settings(&hook("UserPromptSubmit", &answering(&json!({"decision": "block", "reason": "It is noted."}))));
    let shown = "UserPromptSubmit operation blocked by hook:\nIt is noted.\n\nOriginal prompt: +1 works";
    let run = claude.headless("+1 works", &[]).await;
    assert_eq!((run.status.success(), run.result()), (true, shown));
    let mut terminal = claude.terminal(&[]).await;
    terminal.type_line("+1 works").await;
    terminal.until(shown).await;
    assert!(model.requests().is_empty());
}

/// A block puts the prompt back into the input; a stop leaves it in the conversation.
#[tokio::test]
async fn a_prompt_that_a_hook_stops_does_not_start_the_model_but_is_in_what_it_reads_next() {
    for (answer, stays) in [
        (json!({"continue": false, "stopReason": "It is noted."}), true),
        (json!({"decision": "block", "reason": "It is noted."}), false),
    ] {
        let model = MessagesApi::start([Reply::text(LAST)]).await;
        let claude = ClaudeCode::new(&model);
        claude.settings(&hook("UserPromptSubmit", &format!("grep -q '\"+1 ' && echo '{answer}' || true")));
        let mut terminal = claude.terminal(&[]).await;
        terminal.type_line("+1 works").await;
        terminal.until("It is noted.").await;
        assert_eq!(model.requests().len(), 0);
        terminal.key(Key::ControlU);
        terminal.type_line("and now").await;
        terminal.until(LAST).await;
        assert_eq!(
            model.requests().iter().map(|request| request.text().contains("+1 works")).collect::<Vec<_>>(),
            [stays]
        );
    }
}

#[tokio::test]
async fn what_a_hook_says_of_a_call_is_shown_in_the_terminal_and_not_to_the_model() {
    let it = It::start([debug("It panics."), Reply::text(LAST)]).await;
    it.claude.settings(&hook("PostToolUse", &answering(&json!({"systemMessage": "It went to local."}))));
    let mut terminal = it.claude.terminal(&ALLOWED).await;
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    terminal.until("PostToolUse:mcp__routing__debug says: It went to local.").await;
    assert!(!it.model.last().body.to_string().contains("It went to local."));
}

#[tokio::test]
async fn a_stop_that_a_hook_blocks_asks_the_model_again_with_the_reason() {
    let model = MessagesApi::start([Reply::text("first"), Reply::text(LAST)]).await;
    let claude = ClaudeCode::new(&model);
    let block = json!({"decision": "block", "reason": "Report how it went."});
    let once = format!("grep -q '\"stop_hook_active\":true' || echo '{block}'");
    claude.settings(&hook("Stop", &once));
    let run = claude.headless("hello", &[]).await;
    assert_eq!((run.result(), model.requests().len()), (LAST, 2));
    assert!(model.last().text().contains("Stop hook feedback:\nReport how it went."), "{}", model.last().text());
}

#[tokio::test]
async fn a_hook_knows_whether_there_is_a_terminal() {
    let model = MessagesApi::start([]).await;
    let claude = ClaudeCode::new(&model);
    claude.settings(&hook("Stop", r#"cat >/dev/null; echo "$CLAUDE_CODE_ENTRYPOINT" >>"$HOME/entrypoints""#));
    claude.headless("hello", &[]).await;
    let mut terminal = claude.terminal(&[]).await;
    terminal.type_line("hello").await;
    let read = || std::fs::read_to_string(claude.home().join("entrypoints")).unwrap_or_default();
    waiting::until_true("both", || async { read() == "sdk-cli\ncli\n" }).await;
}
