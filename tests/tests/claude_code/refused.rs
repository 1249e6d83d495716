//! A server that refuses the token, or is away: what the model and the user are told.

use serde_json::{Value, json};
use tests::{claude_code::Key, ports, stand_in::messages::Reply};

use super::{ALLOWED, It, LAST, debug};

/// What our server answers to a wrong token.
const OURS: &str = "unauthorized: this token is not valid, send Authorization: Bearer with a valid token";
/// What Claude Code says to a call of a server that did not connect.
const NO_TOOL: &str = "<tool_use_error>Error: No such tool available: mcp__routing__debug</tool_use_error>";

fn access() -> Value {
    json!({"access": {"tokens": [{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]}})
}

fn bearer(token: &str) -> Value {
    json!({"headers": {"Authorization": format!("Bearer {token}")}})
}

#[tokio::test]
async fn a_token_of_the_policy_is_taken() {
    let it = It::with([debug("It panics.")], access(), bearer(super::TOKEN)).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert_eq!(run.server_status(), "connected", "{}", run.stderr);
    assert_eq!(it.decisions(1).await[0]["caller"], "me");
}

#[tokio::test]
async fn a_wrong_token_is_reported_in_our_words_to_the_model_and_by_mcp_list() {
    let it = It::with([debug("It panics."), Reply::text(LAST)], access(), bearer("wrong")).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert_eq!((run.status.success(), run.server_status(), run.result()), (true, "failed", LAST), "{}", run.stderr);
    let told = it.model.requests()[0].text();
    assert!(told.contains("routing (AUTH_HEADER_REJECTED)") && told.contains(OURS), "{told}");
    assert_eq!(it.model.last().results()[0].text(), NO_TOOL);
    let listed = it.claude.run(&["mcp", "list"]).await.stdout;
    assert!(listed.contains("Failed to connect") && listed.contains(OURS), "{listed}");
    assert_eq!(it.models.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_is_away_is_reported_to_the_model_and_by_mcp_list() {
    let it = It::start([debug("It panics."), Reply::text(LAST)]).await;
    it.claude.mcp_http(&format!("http://127.0.0.1:{}/mcp", ports::free()), json!({}));
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert_eq!((run.status.success(), run.server_status(), run.result()), (true, "failed", LAST), "{}", run.stderr);
    let told = it.model.requests()[0].text();
    assert!(told.contains("routing (ECONNREFUSED)"), "{told}");
    assert_eq!(it.model.last().results()[0].text(), NO_TOOL);
    let listed = it.claude.run(&["mcp", "list"]).await.stdout;
    assert!(listed.contains("Failed to connect") && listed.contains("ECONNREFUSED"), "{listed}");
}

#[tokio::test]
async fn in_a_terminal_the_user_finds_our_words_under_mcp() {
    let it = It::with([], access(), bearer("wrong")).await;
    let mut terminal = it.claude.terminal(&ALLOWED).await;
    terminal.type_line("/mcp").await;
    terminal.until("✘ routing").await;
    terminal.key(Key::Enter);
    terminal.until("Server rejected the configured Authorization header (HTTP 401)").await;
    terminal.until(OURS).await;
}

/// The policy wants a token that nobody has set.
#[tokio::test]
async fn a_closed_server_says_that_it_is_closed() {
    let missing = json!({"access": {"tokens": [{"name": "me", "secretRef": {"name": "s", "key": "MISSING"}}]}});
    let it = It::with([debug("It panics."), Reply::text(LAST)], missing, bearer("any")).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    assert_eq!((run.status.success(), run.server_status(), run.result()), (true, "failed", LAST), "{}", run.stderr);
    let listed = it.claude.run(&["mcp", "list"]).await.stdout;
    assert!(listed.contains("closed: the policy requires a token and none of its Secrets exists"), "{listed}");
}

/// Without a token Claude Code tries a sign-in, and shows what our server says to that.
#[tokio::test]
async fn a_forgotten_token_is_told_in_our_words() {
    let it = It::with([debug("It panics."), Reply::text(LAST)], access(), json!({})).await;
    it.claude.headless("please debug", &ALLOWED).await;
    let listed = it.claude.run(&["mcp", "list"]).await.stdout;
    assert!(listed.contains("routing has no sign-in: send the header Authorization: Bearer TOKEN"), "{listed}");
}
