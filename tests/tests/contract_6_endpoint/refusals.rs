//! What the endpoint refuses, and how it says so.

use serde_json::{Value, json};
use tests::{Policy, wrong_requests};

use super::*;

/// Every HTTP error on `/mcp` has a JSON-RPC body.
#[tokio::test]
async fn every_http_error_of_the_endpoint_has_a_json_rpc_body() {
    let routing = Program::serve().start().await;
    for wrong in wrong_requests::messages().into_iter().chain(wrong_requests::of_http()) {
        let what = wrong.what;
        let answer = wrong.request(&routing.mcp_url()).send().await.unwrap_or_else(|e| panic!("{what}: {e}"));
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()["content-type"], "application/json", "{what}");
        if status == 405 {
            assert_eq!(answer.headers()["allow"], "POST", "{what}");
        }
        wrong.is_answered(status, &answer.text().await.expect("text"));
    }
    assert_eq!(routing.mcp().tools().await.len(), 4, "the process stays up");
}

#[tokio::test]
async fn paths_that_clients_probe_for_oauth_are_plain_404s_also_with_a_token_set() {
    let routing = Program::serve().variable("ROUTING_MCP_TOKEN", "s3cret").start().await;
    for path in [
        "/register",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/metrics",
        "/status",
    ] {
        for request in
            [http().get(format!("{}{path}", routing.base_url())), http().post(format!("{}{path}", routing.base_url()))]
        {
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 404, "{path}");
            assert!(response.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/plain")));
            // Clients print this line: without it a forgotten token looks like a fault of a sign-in.
            let signs_in = path == "/register" || path.starts_with("/.well-known/");
            let line = if signs_in {
                "routing has no sign-in: send the header Authorization: Bearer TOKEN\n".to_string()
            } else {
                format!("routing serves nothing at {path}: POST MCP requests to /mcp\n")
            };
            assert_eq!(response.text().await.expect("text"), line, "{path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_tool_is_named_and_can_forge_nothing() {
    let routing = Program::serve().start().await;
    for (tool, shown) in [
        ("no_such_tool", "no_such_tool"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("a\u{1b}[31m\nb\u{202e}\0", "a\\u{1b}[31m\\u{a}b\\u{202e}\\u{0}"),
        ("", ""),
    ] {
        let message = routing.mcp().call(tool, json!({})).await;
        assert_eq!(message["error"]["code"], -32_602, "{tool:?}");
        assert_eq!(
            message["error"]["message"],
            format!("unknown tool: {shown}; available: code_review, debug, retrospective, trainer")
        );
    }
    assert!(!routing.admin("/metrics").await.contains("no_such_tool"), "no label is made from a request");
}

#[tokio::test]
async fn wrong_arguments_are_tool_errors_that_name_the_argument_and_hide_its_value() {
    let models = Models::start().await;
    let routing = routing(&models).await;
    for (arguments, named) in [
        (json!({}), "\"project_root\" is a required property"),
        (json!({"project_root": "/tmp", "problem": 4711}), "argument problem"),
        (json!({"project_root": "/tmp", "problem": "x", "porblem": "CANARY"}), "porblem"),
        (json!({"project_root": "/tmp", "problem": "CANARY\0"}), "argument problem: contains the character U+0000"),
        (json!({"project_root": "/tmp", "problem": "CANARY".repeat(100_000)}), "argument problem"),
    ] {
        let result = routing.mcp().result("debug", arguments.clone()).await;
        assert!(
            result.is_error()
                && result.text(0).starts_with("debug: wrong arguments: ")
                && result.text(0).contains(named),
            "{result:?}"
        );
        assert!(!result.text(0).contains("CANARY") && !result.text(0).contains("4711"), "{result:?}");
    }
    let missing = Mcp::new(&routing.mcp_url()).send("tools/call", json!({"arguments": {}})).await;
    let body: Value = missing.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], -32_602, "no tool name: {body}");
    assert!(models.asked().is_empty(), "no model was asked");
}

#[tokio::test]
async fn calls_above_the_limit_are_refused_at_once_and_places_become_free_again() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).local("waits").spec(json!({"limits": {"inFlight": 3}}));
    let routing = Program::serve_policy(&policy).start().await;
    let calls: Vec<_> = (0..3)
        .map(|i| {
            let mcp = routing.mcp();
            tokio::spawn(async move { mcp.debug(&format!("call {i}")).await })
        })
        .collect();
    tests::waiting::until_true("three calls at the model", || async { models.asked().len() == 3 }).await;
    let busy = routing.mcp().debug("one more").await;
    assert!(busy.is_error() && busy.text(0).contains("limits.inFlight"), "{busy:?}");
    assert_eq!(routing.metric("routing_in_flight_calls").await, 3.0);
    models.release();
    for call in calls {
        assert_eq!(call.await.expect("a result").text(0), "answer of waits");
    }
    let later = tokio::spawn({
        let mcp = routing.mcp();
        async move { mcp.debug("later").await }
    });
    tests::waiting::until_true("the later call at the model", || async { models.asked().len() == 4 }).await;
    models.release();
    assert!(!later.await.expect("a result").is_error());
}

/// Both servers say the same of what they do not have, and of versions that they cannot serve.
#[tokio::test]
async fn unknown_methods_and_versions_are_refused_by_name_on_both_servers() {
    let (routing, brain) = (Program::serve().start().await, Program::brain().start().await);
    let modern = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {}});
    for mcp in [routing.mcp(), brain.mcp()] {
        let send = async |method: &str, params: Value, version: Option<&str>| {
            let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
            let mut request = mcp.post().body(body.to_string());
            if let Some(version) = version {
                request = request.header("mcp-protocol-version", version).header("mcp-method", method);
            }
            let response = request.send().await.expect("an answer");
            (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
        };
        for method in ["prompts/list", "resources/list", "resources/templates/list", "no/such"] {
            let (status, body) = send(method, json!({}), None).await;
            assert_eq!((status, &body["error"]["code"]), (200, &json!(-32601)), "{method}: {body}");
            assert_eq!(body["error"]["message"], format!("method not found: {method}"));
            let (status, body) = send(method, json!({"_meta": modern}), Some("2026-07-28")).await;
            assert_eq!((status, &body["error"]["code"]), (404, &json!(-32601)), "{method}: {body}");
            assert_eq!(body["error"]["message"], format!("method not found: {method}"));
        }
        let (status, body) = send("initialize", json!({"_meta": modern}), Some("2026-07-28")).await;
        assert_eq!((status, &body["error"]["code"], &body["id"]), (404, &json!(-32601), &json!(7)), "{body}");
        let (status, body) = send("tools/list", json!({}), Some("2099-01-01")).await;
        assert_eq!((status, &body["error"]["code"], &body["id"]), (400, &json!(-32022), &json!(7)), "{body}");
        assert!(body["error"]["data"]["supported"].as_array().is_some_and(|known| known.len() > 3), "{body}");
    }
}
