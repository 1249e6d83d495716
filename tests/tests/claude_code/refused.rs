//! A server that refuses the token, or is away: what the model and the user are told.

use serde_json::{Value, json};
use tests::{ports, stand_in::messages::Reply};

use super::{ALLOWED, It, LAST, debug};

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
async fn a_wrong_token_is_reported_in_our_words() {
    let it = It::with([debug("It panics."), Reply::text(LAST)], access(), bearer("wrong")).await;
    let run = it.claude.headless("please debug", &ALLOWED).await;
    eprintln!("MEASURED wrong token: {} {:?} {:?}", run.server_status(), run.result(), run.stderr);
    eprintln!("MEASURED wrong token, model: {:?}", it.model.last().results());
    eprintln!("MEASURED wrong token, text: {}", it.model.requests()[0].text());
    let listed = it.claude.run(&["mcp", "list"]).await;
    eprintln!("MEASURED list: {} {}", listed.stdout, listed.stderr);
}

#[tokio::test]
async fn a_server_that_is_away_is_reported() {
    let it = It::start([debug("It panics."), Reply::text(LAST)]).await;
    it.claude.mcp_http(&format!("http://127.0.0.1:{}/mcp", ports::free()), json!({}));
    let run = it.claude.headless("please debug", &ALLOWED).await;
    eprintln!("MEASURED away: {} {:?} {:?}", run.server_status(), run.result(), run.stderr);
    eprintln!("MEASURED away, model: {:?}", it.model.last().results());
    eprintln!("MEASURED away, text: {}", it.model.requests()[0].text());
    let listed = it.claude.run(&["mcp", "list"]).await;
    eprintln!("MEASURED list: {} {}", listed.stdout, listed.stderr);
}
