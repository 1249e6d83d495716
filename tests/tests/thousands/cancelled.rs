//! Calls that their client cancels with a message.

use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tests::{Policy, at_rest::AtRest, http, program::Program, stand_in::models::Models, waiting};

use super::{AT_A_TIME, CALLS, FIRST};

/// Cancellations at a time, over connections beside those of the calls.
const CANCELS: usize = 32;

fn call(id: usize) -> Value {
    let arguments = json!({"project_root": "/tmp", "problem": id.to_string()});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "debug", "arguments": arguments}})
}

fn cancelled(id: usize) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_that_their_client_cancels_have_one_error_and_one_record_each() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    let (mut before, client) = (AtRest::of(&routing).await, http());
    let post = |body: Value| {
        let request = client.post(routing.mcp_url()).header("content-type", "application/json");
        request.header("mcp-session-id", "mine").body(body.to_string()).send()
    };
    for first in (0..CALLS).step_by(AT_A_TIME) {
        if first == FIRST {
            before = before.warm(&routing).await;
        }
        let ids = first..first + AT_A_TIME;
        let calls = join_all(ids.clone().map(|id| post(call(id))));
        let cancels = async {
            waiting::until_true("the model calls", || async { models.asked().len() == ids.end }).await;
            let mut sent = stream::iter(ids.clone()).map(|id| post(cancelled(id))).buffer_unordered(CANCELS);
            while let Some(accepted) = sent.next().await {
                assert_eq!(accepted.expect("an answer").status(), 202);
            }
        };
        let (answers, ()) = tokio::join!(calls, cancels);
        for (id, answer) in ids.clone().zip(answers) {
            let body: Value = answer.expect("an answer").json().await.expect("JSON");
            assert_eq!((&body["id"], &body["error"]["code"]), (&json!(id), &json!(-32003)), "{body}");
        }
    }
    routing.has_recorded(CALLS).await;
    let cancelled = routing.metric(r#"routing_calls_total{skill="debug",result="cancelled"}"#).await;
    assert_eq!(cancelled, CALLS as f64);
    assert!(models.asked().iter().all(|model| model == "hangs"), "nothing went to Claude");
    waiting::until_true("the model to be left alone", || async { models.received().iter().all(|call| call.abandoned) })
        .await;
    drop(client);
    before.is_back(&routing).await;
}
