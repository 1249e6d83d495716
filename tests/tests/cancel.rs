//! Calls that their clients cancel with a message: all that began with `initialize`, however many connections they use.

use serde_json::{Value, json};
use tests::{
    Policy, clients,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

const CALL: &str = r#"{"project_root":"/tmp","problem":"x"}"#;

async fn hanging() -> (Models, Running) {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    (models, routing)
}

async fn the_model_is_left_alone(models: &Models) {
    waiting::until_true("the model call to end", || async { models.received().iter().all(|call| call.abandoned) })
        .await;
}

/// A session of a client that knows nothing of `_meta`.
async fn session(routing: &Running) -> String {
    let client =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let response = routing.mcp().send("initialize", client).await;
    response.headers()["mcp-session-id"].to_str().expect("text").to_string()
}

async fn post(routing: &Running, session: &str, accept: &str, body: Value) -> reqwest::Response {
    let request =
        routing.mcp().post().header("mcp-session-id", session).header("accept", accept).body(body.to_string());
    request.send().await.expect("an answer")
}

fn cancelled(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

fn call(id: &Value, meta: &Value) -> Value {
    let params = json!({"name": "debug", "arguments": {"project_root": "/tmp", "problem": "x"}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

#[tokio::test]
async fn a_cancelled_call_ends_with_an_error_and_no_other_does() {
    let (models, routing) = hanging().await;
    let (mine, other) = (session(&routing).await, session(&routing).await);
    assert_ne!(mine, other);
    for (id, accept, meta) in [
        (json!(7), "application/json", json!({})),
        (json!("seven"), "application/json, text/event-stream", json!({})),
        (json!(8), "application/json, text/event-stream", json!({"progressToken": 1})),
    ] {
        let already = models.received().len();
        let both = async {
            waiting::until_true("the model call", || async { models.received().len() == already + 1 }).await;
            for (session, id) in [(&other, &id), (&mine, &json!(99))] {
                let accepted = post(&routing, session, "application/json", cancelled(id)).await;
                assert_eq!(accepted.status(), 202);
            }
            assert!(!models.received()[already].abandoned, "another session, another request");
            assert_eq!(post(&routing, &mine, "application/json", cancelled(&id)).await.status(), 202);
        };
        let (answer, ()) = futures::join!(post(&routing, &mine, accept, call(&id, &meta)), both);
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.expect("text");
        let last = text.trim().lines().last().expect("a line").trim_start_matches("data: ");
        let body: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!((&body["id"], &body["error"]["code"]), (&id, &json!(-32003)), "{text}");
        the_model_is_left_alone(&models).await;
    }
    waiting::until_true("three records", || async {
        routing.metric(r#"routing_calls_total{skill="debug",result="cancelled"}"#).await == 3.0
    })
    .await;
}

/// MCP forbids it; each of the calls has an answer all the same, and of both the later one can be cancelled.
#[tokio::test]
async fn two_calls_with_one_id_have_an_answer_each_and_the_later_can_be_cancelled() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("waits")).start().await;
    let (mine, id) = (session(&routing).await, json!(7));
    let asked = |count: usize| {
        let models = &models;
        waiting::until_true("the model call", move || async move { models.received().len() == count })
    };
    let first = post(&routing, &mine, "application/json", call(&id, &json!({})));
    let rest = async {
        asked(1).await;
        let later = async {
            asked(2).await;
            assert_eq!(post(&routing, &mine, "application/json", cancelled(&id)).await.status(), 202);
        };
        let (second, ()) = futures::join!(post(&routing, &mine, "application/json", call(&id, &json!({}))), later);
        let body: Value = second.json().await.expect("JSON");
        assert_eq!((&body["id"], &body["error"]["code"]), (&id, &json!(-32003)), "{body}");
        assert!(!models.received()[0].abandoned, "the first goes on");
        models.release();
    };
    let (first, ()) = futures::join!(first, rest);
    let body: Value = first.json().await.expect("JSON");
    assert_eq!((&body["id"], &body["result"]["isError"]), (&id, &json!(false)), "{body}");
}

#[tokio::test]
async fn a_session_opens_nothing_else() {
    let routing = Program::serve().start().await;
    let session = session(&routing).await;
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let request = tests::http().request(method.clone(), routing.mcp_url()).header("mcp-session-id", &session);
        assert_eq!(request.send().await.expect("an answer").status(), 405, "{method}");
    }
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let unknown = post(&routing, "a session that no server has named", "application/json", list).await;
    assert_eq!(unknown.status(), 200, "another replica may have named it");
    assert!(unknown.headers().get("mcp-session-id").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_of_the_initialize_era_can_cancel() {
    let (models, routing) = hanging().await;
    for mode in ["v1", "default", "legacy", "remote"] {
        let url = routing.mcp_url();
        let run = tokio::task::spawn_blocking(move || clients::typescript(&url, mode, "", &["cancel", "debug", CALL]));
        let ended = run.await.expect("runs");
        assert!(ended["cancelled"].is_string(), "{mode}: {ended}");
        the_model_is_left_alone(&models).await;
    }
    let url = routing.mcp_url();
    let run = tokio::task::spawn_blocking(move || clients::python(&url, "legacy", &["cancel", "debug", CALL]));
    assert_eq!(run.await.expect("runs"), json!({"cancelled": true}));
    the_model_is_left_alone(&models).await;
    assert_eq!(models.received().len(), 5);
}
