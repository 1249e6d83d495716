//! What reports itself: tests, reverts, and the model's own word when it is asked once.

use serde_json::{Value, json};
use tests::{claude_code::ClaudeCode, get_json, program, stand_in::messages::Reply, waiting};

use super::{It, LAST, installed::debug};

const QUIET: [(&str, &str); 1] = [("ask", "false")];
const BASH: [&str; 2] = ["--allowedTools", "Bash"];
const QUESTION: &str = "One question about the last answer of routing's skill debug";

#[tokio::test]
async fn a_test_that_is_red_before_debug_and_green_after_it_is_a_pass_by_ci() {
    let tested = || Reply::bash("make check 2>&1");
    let script = [tested(), debug(), Reply::bash("touch fixed"), tested(), Reply::text(LAST)];
    let it = It::installed(script, &QUIET).await;
    it.claude.project_file("Makefile", "check:\n\ttest -f fixed\n");
    let run = it.claude.headless("please debug", &BASH).await;
    assert_eq!((run.result(), it.verdicts().await), (LAST, json!({"ci": "pass"})));
    let stored = get_json(format!("{}/outcomes?skill=debug", it.brain.base_url())).await;
    assert_eq!(stored["outcomes"][0]["message"], "test_after");
}

#[tokio::test]
async fn a_test_that_stays_red_or_was_green_before_says_nothing() {
    let tested = || Reply::bash("make check");
    let script = [tested(), debug(), tested(), Reply::bash("rm -f fixed; touch fixed"), tested(), Reply::text(LAST)];
    let it = It::installed(script, &QUIET).await;
    it.claude.project_file("Makefile", "check:\n\ttest -f fixed\n");
    let run = it.claude.headless("please debug", &BASH).await;
    assert_eq!(run.result(), LAST);
    it.model.say([debug(), tested(), Reply::text(LAST)]);
    it.claude.headless("please debug", &BASH).await;
    it.decisions(2).await;
    let stored = get_json(format!("{}/outcomes?skill=debug", it.brain.base_url())).await;
    // The data plane itself notices that it was asked the same again.
    let sources: Vec<&Value> = stored["outcomes"].as_array().into_iter().flatten().map(|it| &it["source"]).collect();
    assert!(sources.iter().all(|source| *source == "implicit"), "{sources:?}");
}

/// A repository whose commits get trailers from `routing hook git`.
fn repository(claude: ClaudeCode) -> ClaudeCode {
    let hook = format!("#!/bin/sh\nexec {} hook git \"$@\"\n", program::binary().display());
    claude.project_file("hook", &hook);
    let name = |claude: ClaudeCode, role| {
        claude
            .variable(&format!("GIT_{role}_NAME"), "tests")
            .variable(&format!("GIT_{role}_EMAIL"), "tests@example.com")
    };
    name(name(claude, "AUTHOR"), "COMMITTER")
}

#[tokio::test]
async fn a_commit_has_the_sessions_decisions_and_its_revert_is_a_fail_by_ci() {
    let script = [
        Reply::bash(
            "git init -q . && install -m 755 hook .git/hooks/prepare-commit-msg && git commit -q --allow-empty -m first",
        ),
        debug(),
        Reply::bash("touch x && git add x && git commit -q -m second && git commit -q --amend --no-edit"),
        Reply::bash("git log --format='<%s: %(trailers:key=Routing-Decision,valueonly,separator=%x2c)>'"),
        Reply::bash("git revert --no-edit HEAD && git log -1 --format=%B"),
        Reply::text(LAST),
    ];
    let mut it = It::installed(script, &QUIET).await;
    it.claude = repository(it.claude);
    let run = it.claude.headless("please debug", &BASH).await;
    assert_eq!(run.result(), LAST);
    let id = it.decisions(1).await[0]["id"].as_str().expect("an id").to_string();
    let results = it.model.last().results();
    assert_eq!(results[3].text().trim(), format!("<second: {id}>\n<first: >"), "once, and only since the last commit");
    assert!(!results[4].text().contains("Routing-Decision"), "{results:?}");
    assert_eq!(it.verdicts().await, json!({"ci": "fail"}));
}

#[tokio::test]
async fn the_model_is_asked_once_at_the_end_and_its_word_counts_as_an_agents() {
    let script = [
        debug(),
        Reply::text("It was the lock."),
        Reply::text("Done.\nrouting: debug wrong"),
        debug(),
        Reply::text(LAST),
    ];
    let it = It::installed(script, &[]).await;
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("please debug").await;
    terminal.until("reported: fail (agent) for debug").await;
    assert_eq!(it.verdicts().await, json!({"agent": "fail"}));
    assert!(it.model.last().text().contains(QUESTION), "{}", it.model.last().text());
    terminal.type_line("and once more").await;
    terminal.until(LAST).await;
    assert_eq!((it.decisions(2).await.len(), it.model.requests().len()), (2, 5), "not asked again");
}

#[tokio::test]
async fn the_model_is_not_asked_once_a_person_has_spoken() {
    let waits = Reply::bash("until [ -f spoken ]; do sleep 0.05; done");
    let it = It::installed([debug(), waits, Reply::text(LAST)], &[]).await;
    let spoken = async {
        let id = it.decisions(1).await[0]["id"].clone();
        let verdict = json!({"skill": "debug", "final_status": "pass", "decision_id": id, "source": "human"});
        it.brain.mcp().result("session_log", verdict).await;
        it.claude.project_file("spoken", "");
    };
    let mut terminal = it.claude.terminal(&BASH).await;
    terminal.type_line("please debug").await;
    spoken.await;
    terminal.until(LAST).await;
    // The next turn begins only once the hook of the first one has ended.
    it.model.say([Reply::text("I go on.")]);
    terminal.type_line("go on").await;
    terminal.until("I go on.").await;
    assert!(!it.model.last().text().contains(QUESTION), "{}", it.model.last().text());
}

/// A script reads the last reply, and that must be the one to its prompt.
#[tokio::test]
async fn without_a_terminal_the_model_is_not_asked() {
    let it = It::installed([debug(), Reply::text(LAST)], &[]).await;
    let run = it.claude.headless("please debug", &[]).await;
    assert_eq!((run.result(), it.model.requests().len()), (LAST, 2));
}

#[tokio::test]
async fn a_call_in_the_background_can_be_rated_once_it_is_answered() {
    let mut it = It::installed_with(
        [debug(), Reply::text("It takes long."), Reply::text(LAST)],
        json!({"models": {"local": {"name": "waits"}}}),
        &QUIET,
        &super::installed::path_with_the_program(),
    )
    .await;
    it.claude = it.claude.variable("CLAUDE_CODE_MCP_AUTO_BACKGROUND_MS", "1500");
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("please debug").await;
    terminal.until("It takes long.").await;
    terminal.type_line("+1").await;
    terminal.until("nothing to rate yet").await;
    it.models.release();
    terminal.until(LAST).await;
    waiting::until_true("the decision", || async { !it.decisions(1).await.is_empty() }).await;
    terminal.type_line("-1").await;
    terminal.until("reported: fail (human) for debug").await;
    assert_eq!(it.verdicts().await, json!({"human": "fail"}));
}
