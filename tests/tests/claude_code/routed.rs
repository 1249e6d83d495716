//! A call that goes through: what the model gets, what we keep, what the user sees.

use serde_json::json;
use tests::{claude_code::Key, stand_in::messages::Reply, waiting};

use super::{ALLOWED, It, LAST, debug};

#[tokio::test]
async fn the_model_gets_the_answer_and_the_decision_and_the_record_has_the_id_of_its_call() {
    let it = It::start([debug("It panics."), Reply::text(LAST)]).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!((run.server_status(), run.result()), ("connected", LAST));
    let (used, results) = (it.model.uses(), it.model.last().results());
    let [result] = &results[..] else { panic!("{results:?}") };
    assert_eq!((&result.id, result.is_error, result.texts.len()), (&used[0].id, false, 2), "{result:?}");
    assert_eq!(result.texts[1], "answer of l");
    let decisions = it.decisions(1).await;
    let id = decisions[0]["id"].as_str().expect("an id");
    assert!(result.texts[0].starts_with("routing: debug: local") && result.texts[0].contains(id), "{result:?}");
    assert_eq!(decisions[0]["client_call_id"], json!(used[0].id), "{}", decisions[0]);
    assert_eq!(decisions[0]["client_name"], "claude-code");
    assert!(it.routing.log().contains(&used[0].id), "the log line has it, too");
}

#[tokio::test]
async fn the_model_sees_what_the_skills_are_for_from_the_start_unless_the_policy_says_otherwise() {
    for (always_load, deferred) in [(true, false), (false, true)] {
        let it = It::with([debug("It panics.")], json!({"client": {"alwaysLoad": always_load}}), json!({})).await;
        it.claude.headless("please debug", &ALLOWED).await;
        let tools = it.model.requests()[0].tools();
        let ours = tools.iter().find(|tool| tool.name == "mcp__routing__debug");
        let described = ours.is_some_and(|tool| !tool.deferred && !tool.description.is_empty());
        assert_eq!(described, !deferred, "{ours:?}");
        let told = it.model.requests()[0].text();
        let when = "When a test, a build or a program fails and the cause is not obvious";
        assert!(told.contains(&format!("- debug: {when}")), "by the instructions: {told}");
        assert!(!it.model.last().results()[0].is_error);
    }
}

#[tokio::test]
async fn in_a_terminal_the_user_sees_the_call_and_what_the_model_says_of_it() {
    let it = It::start([debug("It panics."), Reply::text(LAST)]).await;
    let mut terminal = it.claude.terminal(&ALLOWED).await;
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    terminal.until("Called routing").await;
    terminal.key(Key::ControlO);
    terminal.until("answer of l").await;
    assert_eq!(it.decisions(1).await[0]["client_call_id"], json!(it.model.uses()[0].id));
}

#[tokio::test]
async fn escape_in_a_terminal_ends_the_call_at_our_server() {
    let spec = json!({"models": {"local": {"name": "waits"}}});
    let it = It::with([debug("It panics.")], spec, json!({})).await;
    let mut terminal = it.claude.terminal(&ALLOWED).await;
    terminal.type_line("please debug").await;
    waiting::until_true("the call", || async { it.models.asked() == ["waits"] }).await;
    terminal.key(Key::Escape);
    terminal.until("Interrupted").await;
    waiting::until_true("the caller went away", || async { it.models.received()[0].abandoned }).await;
}

#[tokio::test]
async fn wrong_arguments_are_an_error_in_our_words_to_the_model_which_can_call_again() {
    let wrong = Reply::call("mcp__routing__debug", json!({"project_root": "/tmp"}));
    let it = It::start([wrong, debug("It panics."), Reply::text(LAST)]).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert_eq!((run.status.success(), run.result()), (true, LAST), "{}", run.stderr);
    let requests = it.model.requests();
    let results: Vec<_> = requests.iter().flat_map(|request| request.results()).collect();
    let refused = results.iter().find(|result| result.is_error).expect("an error");
    assert!(refused.text().contains("debug: wrong arguments") && refused.text().contains("problem"), "{refused:?}");
    let request = it.model.last();
    let answered = request.results().into_iter().next_back().expect("a result");
    assert_eq!((answered.is_error, answered.texts[1].as_str()), (false, "answer of l"));
}

/// Longer than what Claude Code gives its model of a result without our mark.
#[tokio::test]
async fn a_long_answer_arrives_whole_with_its_decision() {
    let spec = json!({"models": {"local": {"name": "longer"}}});
    let it = It::with([debug("It panics."), Reply::text(LAST)], spec, json!({})).await;
    it.claude.headless("please debug", &ALLOWED).await;
    let result = it.model.last().results()[0].clone();
    assert!(result.texts[0].starts_with("routing: debug: local (longer"), "{}", result.texts[0]);
    assert_eq!(result.texts[1].len(), "a long answer ".repeat(10_000).trim_end().len(), "{:.200}", result.texts[1]);
}

#[tokio::test]
async fn where_the_caller_does_the_work_the_model_gets_the_instructions_whole() {
    let rest = 30_000;
    let system = format!("Find the fault.\n{}\nName the cause.", "Read on.\n".repeat(rest / 9));
    let stages = json!([{"system": {"text": system}, "user": "{{ args.problem }}"}]);
    let spec = json!({"models": {"claude": {"name": null, "returnToCaller": {}}},
        "skills": [{"name": "debug", "route": "Claude", "stages": stages}]});
    let problem = format!("It panics. {}", "y".repeat(1000));
    let it = It::with([debug(&problem), Reply::text(LAST)], spec, json!({})).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert!(run.status.success(), "{}", run.stderr);
    let results = it.model.last().results();
    let [result] = &results[..] else { panic!("{results:?}") };
    let [line, work] = &result.texts[..] else { panic!("{result:?}") };
    assert!(!result.is_error && line.starts_with("routing: debug: claude (caller, pinned); decision_id"), "{line}");
    assert!(work.starts_with("debug: the policy leaves this skill to you: do this yourself."), "{work}");
    assert!(work.contains(&system), "as a text, not as a file: {} characters", work.len());
    assert!(work.contains("- problem: your argument, 1,011 characters") && !work.contains("yyy"), "{work}");
    let decision = it.decisions(1).await.remove(0);
    assert_eq!((&decision["decision"], &decision["model"]), (&json!("claude"), &json!("caller")));
    assert!(line.contains(decision["id"].as_str().expect("an id")) && it.models.asked().is_empty());
}
