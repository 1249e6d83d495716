//! Several records of decisions in one request, for a brain that says that it takes them.

use serde_json::{Value, json};
use tests::{get_json, program::Program, stand_in::models::Models, waiting};

/// What `session_log` has in its `_meta`, with how many records are taken in one request.
const SEVERAL: &str = "routing.hyperguild.io/session_log_several";
const LOGGED: &str = "routing.hyperguild.io/logged";

fn entry(id: &str) -> Value {
    let record = json!({"id": id, "skill": "debug", "decision": "local", "model": "l"});
    json!({"skill": "_routing", "phase": "decide", "final_status": "skip", "decision_id": id, "decision": record})
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_are_reported_together_complete_and_in_order() {
    const CALLS: u64 = 200;
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    let routing = Program::serve()
        .variable("LITELLM_BASE_URL", &models.url())
        .variable("BRAIN_URL", &brain.base_url())
        .variable("HYPERGUILD_LOCAL_MODEL", "status-500")
        .start()
        .await;
    let mcp = routing.mcp();
    let call = |i| {
        let mcp = mcp.clone();
        async move { assert!(!mcp.debug(&format!("call {i}")).await.is_error()) }
    };
    futures::future::join_all((0..CALLS).map(call)).await;
    waiting::until_true("all entries", || async {
        let rate: Value = get_json(format!("{}/pass-rate?skill=_routing&window=1h", brain.base_url())).await;
        rate["total"] == 2 * CALLS
    })
    .await;
    assert_eq!(routing.metric(r#"routing_decision_log_dropped_total{kind="unreachable"}"#).await, 0.0);
    let metrics = tests::http().get(format!("{}/metrics", brain.base_url())).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let line = metrics.lines().find(|line| line.contains("requests_total{") && line.contains(r#"route="/mcp""#));
    let requests: u64 = line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("requests of /mcp");
    assert!(requests < CALLS, "{requests} requests for {} entries", 2 * CALLS);
    let session: Value = get_json(format!("{}/sessions/_routing?limit=500", brain.base_url())).await;
    let (mut local, mut fallback) = (0, 0);
    for entry in session["entries"].as_array().expect("a list") {
        let message = entry["message"].as_str().unwrap_or_default();
        local += u64::from(message.starts_with("debug: local"));
        fallback += u64::from(message.starts_with("debug: claude_fallback"));
        assert!(fallback <= local, "a fallback never precedes its local attempt");
    }
    assert_eq!((local, fallback), (CALLS, CALLS));
}

#[tokio::test]
async fn each_record_of_several_is_logged_or_refused_as_if_it_had_come_alone() {
    let brain = Program::brain().start().await;
    let listed = brain.mcp().send("tools/list", json!({})).await.json::<Value>().await.expect("JSON");
    let tools = listed["result"]["tools"].as_array().expect("a list");
    assert_eq!((tools.len(), &tools[0]["_meta"][SEVERAL]), (1, &json!(64)), "it is declared, and not listed");
    let ids = ["01982f3e-7f1c-7e4b-9a51-0c6a3a5d1f20", "01982f3e-7f1c-7e4b-9a51-0c6a3a5d1f21"];
    let mut wrong = entry(ids[1]);
    wrong["final_status"] = json!("good");
    let verdict = json!({"skill": "debug", "final_status": "pass"});
    let entries = json!([entry(ids[0]), wrong, verdict, "text", entry(ids[1]), entry(ids[0])]);
    let result = brain.mcp().result(SEVERAL, json!({"entries": entries})).await;
    assert_eq!(result.text(0), "logged: 3 of 6");
    let logged = result.0["_meta"][LOGGED].as_array().expect("a list").clone();
    let refused = |i: usize, named: &str| {
        let error = logged[i]["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("nothing was logged: ") && error.contains(named), "{i}: {error}");
    };
    refused(1, "argument final_status");
    refused(2, "argument decision: is missing");
    refused(3, "no object");
    assert_eq!((logged[0]["id"].is_string(), &logged[5]["id"]), (true, &logged[0]["id"]), "a record is stored once");
    let known: Value = get_json(format!("{}/decisions?id={}", brain.base_url(), ids[1])).await;
    assert!(known.to_string().contains(ids[1]), "{known}");
    for entries in [json!([]), json!("text"), json!(vec![entry(ids[0]); 65])] {
        let refused = brain.mcp().result(SEVERAL, json!({"entries": entries})).await;
        assert!(refused.is_error() && refused.text(0).contains("must be a list of 1 to 64 entries"), "{refused:?}");
    }
}
