//! `contract` part 6: the MCP endpoint as bare clients see it.

mod in_flight;
mod refusals;

use serde_json::{Value, json};
use tests::{
    Policy, http,
    mcp::{CONTRACT_CALLS, Mcp},
    program::{Program, Running},
    stand_in::models::Models,
};
use tokio::process::Command;

async fn routing(models: &Models) -> Running {
    Program::serve().variable("LITELLM_BASE_URL", &models.url()).start().await
}

async fn curl(arguments: &[&str]) -> (String, Value) {
    let output =
        Command::new("curl").args(["-s", "-i", "--max-time", "60"]).args(arguments).output().await.expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {text}"));
    (head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}")))
}

#[tokio::test]
async fn contract_6_a_bare_curl_lists_exactly_four_tools() {
    let routing = Program::serve().start().await;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let (url, json) = (routing.mcp_url(), "Content-Type: application/json");
    // curl sends `Accept: */*` by default; the second call leaves even that out.
    let (head, body) = curl(&["-X", "POST", &url, "-H", json, "-d", list]).await;
    assert_eq!(curl(&["-X", "POST", &url, "-H", "Accept:", "-H", json, "-d", list]).await.1, body);
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/json"), "{head}");
    assert_eq!(body["result"]["tools"].as_array().map(Vec::len), Some(4));
    assert_eq!(body["id"], 1);
}

#[tokio::test]
async fn contract_6_a_bare_curl_calls_a_tool() {
    let models = Models::start().await;
    let routing = routing(&models).await;
    let call = concat!(
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","#,
        r#""params":{"name":"debug","arguments":{"project_root":"/tmp","problem":"text"}}}"#
    );
    let (head, body) =
        curl(&["-X", "POST", &routing.mcp_url(), "-H", "Content-Type: application/json", "-d", call]).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/json"), "{head}");
    assert_eq!((&body["result"]["content"][1]["text"], &body["id"]), (&json!("answer of qwen35"), &json!("x")));
}

#[tokio::test]
async fn contract_6_a_bare_curl_logs_an_outcome_in_the_brain() {
    let brain = Program::brain().start().await;
    let call = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"session_log","#,
        r#""arguments":{"skill":"debug","phase":"outcome","final_status":"pass"}}}"#
    );
    let (head, body) =
        curl(&["-X", "POST", &brain.mcp_url(), "-H", "Content-Type: application/json", "-d", call]).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/json"), "{head}");
    assert!(
        body["result"]["_meta"]["routing.hyperguild.io/logged"]["id"].is_string()
            && body["result"]["isError"] != json!(true),
        "{body}"
    );
    let (_, rate) = curl(&[&format!("{}/pass-rate?skill=debug&window=7d", brain.base_url())]).await;
    assert_eq!((&rate["pass_rate"], &rate["total"], &rate["skill"]), (&json!(1.0), &json!(1), &json!("debug")));
}

#[tokio::test]
async fn contract_6_the_tool_definitions_are_pinned() {
    let routing = Program::serve().start().await;
    let list = |body: Value| body["result"]["tools"].clone();
    let first = list(routing.mcp().send("tools/list", json!({})).await.json().await.expect("JSON"));
    insta::assert_snapshot!("tools", format!("{first:#}"));
    for _ in 0..3 {
        assert_eq!(
            list(routing.mcp().send("tools/list", json!({})).await.json().await.expect("JSON")),
            first,
            "always in the same order"
        );
    }
}

#[tokio::test]
async fn contract_6_these_calls_are_valid_with_and_without_a_session() {
    let models = Models::start().await;
    let routing = routing(&models).await;
    for (tool, arguments) in CONTRACT_CALLS {
        let mut arguments: Value = serde_json::from_str(arguments).expect("JSON");
        let result = routing.mcp().result(tool, arguments.clone()).await;
        assert!(!result.is_error() && result.text(0) == "answer of qwen35", "{tool}: {result:?}");
        arguments.as_object_mut().expect("an object").remove("session_id");
        assert!(!routing.mcp().result(tool, arguments).await.is_error(), "{tool}");
    }
}

#[tokio::test]
async fn contract_6_with_a_token_only_its_holder_may_call() {
    let routing = Program::serve().variable("ROUTING_MCP_TOKEN", "s3cret").start().await;
    for wrong in
        [None, Some("Bearer s3cre"), Some("Bearer s3crett"), Some("Basic s3cret"), Some("Bearer"), Some("s3cret")]
    {
        let mut request = routing.mcp().post().body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        if let Some(wrong) = wrong {
            request = request.header("authorization", wrong);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 401, "{wrong:?}");
        // RFC 6750, part 3: no error is named to a request that presented no token.
        let presented = wrong.is_some_and(|wrong| wrong.starts_with("Bearer s"));
        let challenge =
            if presented { r#"Bearer realm="routing", error="invalid_token""# } else { r#"Bearer realm="routing""# };
        assert_eq!(response.headers()["www-authenticate"], challenge, "{wrong:?}");
        let body: Value = response.json().await.expect("a JSON-RPC body");
        assert_eq!(
            (&body["jsonrpc"], &body["error"]["code"], &body["id"]),
            (&json!("2.0"), &json!(-32_001), &json!(null))
        );
    }
    assert_eq!(routing.mcp().token("s3cret").tools().await.len(), 4);
    let health = http().get(format!("{}/healthz", routing.base_url())).send().await.expect("an answer");
    assert_eq!(health.status(), 200, "health needs no token");
}

#[tokio::test]
async fn contract_6_an_empty_token_of_the_environment_is_open_and_one_of_a_policy_closed() {
    let open = Program::serve().variable("ROUTING_MCP_TOKEN", "").start().await;
    assert_eq!(open.mcp().tools().await.len(), 4);
    let tokens = json!([{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]);
    let policy = Policy::at("http://127.0.0.1:1").spec(json!({"access": {"tokens": tokens}}));
    for empty in [None, Some(""), Some("\n")] {
        let program = Program::serve_policy(&policy);
        let secret = program.folder().join("secrets/s");
        std::fs::create_dir_all(&secret).expect("a folder");
        if let Some(empty) = empty {
            std::fs::write(secret.join("TOKEN"), empty).expect("written");
        }
        let closed = program.start().await;
        for mcp in [closed.mcp(), closed.mcp().token(""), closed.mcp().token("\u{20}")] {
            let response = mcp.send("tools/list", json!({})).await;
            assert_eq!(response.status(), 503, "{empty:?}");
            let body: Value = response.json().await.expect("a JSON-RPC body");
            assert!(body["error"]["message"].as_str().is_some_and(|m| m.contains("token")), "{body}");
        }
        assert_eq!(closed.status().await["missingSecrets"][0]["key"], "TOKEN");
    }
}

#[tokio::test]
async fn contract_6_any_mode_header_means_client_local() {
    let models = Models::start().await;
    let routing = routing(&models).await;
    for mode in [None, Some("client-local"), Some("something-else"), Some("")] {
        let params = json!({"name": "debug", "arguments": {"project_root": "/tmp", "problem": "x"}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let mut request = routing.mcp().post().body(body.to_string());
        if let Some(mode) = mode {
            request = request.header("x-hyperguild-mode", mode);
        }
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["result"]["content"][1]["text"], "answer of qwen35", "{mode:?}");
    }
    // Each of them is served alike; the record says it of the callers that sent a mode.
    tests::waiting::until_true("four records, three of them with the mode", || async {
        let log = routing.log();
        let records: Vec<&str> = log.lines().filter(|line| line.contains(r#""target":"routing::decision""#)).collect();
        let modes = records.iter().filter(|line| line.contains(r#""mode":"client-local""#)).count();
        (records.len(), modes) == (4, 3) && !records[0].contains(r#""mode":"#)
    })
    .await;
}

#[tokio::test]
async fn contract_6_healthz_answers_without_authentication() {
    let routing = Program::serve().variable("ROUTING_MCP_TOKEN", "s3cret").start().await;
    assert_eq!(http().get(format!("{}/healthz", routing.base_url())).send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn loopback_pages_and_listed_origins_may_call_and_read_the_answer() {
    let access = json!({"allowedOrigins": ["https://chat.example"], "allowedHosts": ["127.0.0.1", "routing.example"]});
    let policy = Policy::at("http://127.0.0.1:1").spec(json!({"access": access}));
    let routing = Program::serve_policy(&policy).start().await;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (origin, status) in
        [("http://localhost:5173", 200), ("https://chat.example", 200), ("https://chat.example.evil", 403)]
    {
        let response = routing.mcp().post().header("origin", origin).body(list).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{origin}");
        let allowed =
            response.headers().get("access-control-allow-origin").map(|v| v.to_str().unwrap_or_default().to_string());
        assert_eq!(allowed, (status == 200).then(|| origin.to_string()));
    }
    let preflight = http()
        .request(reqwest::Method::OPTIONS, routing.mcp_url())
        .header("origin", "https://chat.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,authorization,mcp-protocol-version")
        .send()
        .await
        .expect("an answer");
    assert_eq!(preflight.status(), 200);
    assert!(
        preflight.headers()["access-control-allow-headers"]
            .to_str()
            .is_ok_and(|headers| headers.contains("authorization"))
    );
    for (host, status) in [("routing.example:30310", 200), ("evil.example", 403)] {
        let response = routing.mcp().post().header("host", host).body(list).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{host}");
    }
}

#[tokio::test]
async fn bidirectional_text_in_the_material_reaches_the_model_as_it_is() {
    let models = Models::start().await;
    let routing = routing(&models).await;
    let trojan = "if access \u{202e}}\u{2066} level != \"user\" {";
    routing.mcp().debug(trojan).await;
    assert!(models.received()[0].message(1).contains(trojan), "a reviewer must see what a reader does not");
}

#[tokio::test]
async fn the_path_may_end_in_a_slash() {
    let routing = Program::serve().start().await;
    let mcp = tests::mcp::Mcp::new(&format!("{}/", routing.mcp_url()));
    assert_eq!(mcp.tools().await.len(), 4);
}

/// Who began with `initialize` hears of no change, so none is promised; who asks with `server/discover` can listen.
#[tokio::test]
async fn changes_of_the_tools_are_promised_only_where_they_are_delivered() {
    let routing = Program::serve().start().await;
    let info = json!({"name": "t", "version": "0"});
    let client = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
    let began: Value = routing.mcp().send("initialize", client).await.json().await.expect("JSON");
    assert_eq!(began["result"]["capabilities"], json!({"tools": {}}), "{began}");
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": info, "io.modelcontextprotocol/clientCapabilities": {}});
    for method in ["server/discover", "tools/list"] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}});
        let request = routing.mcp().post().header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        let found: Value = request.body(body.to_string()).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(found["result"]["ttlMs"], json!(30_000), "{found}");
        if method == "server/discover" {
            assert_eq!(found["result"]["capabilities"]["tools"]["listChanged"], json!(true), "{found}");
            let instructions = found["result"]["instructions"].as_str().expect("text");
            assert!(
                instructions.chars().count() <= 2048 && instructions.contains("- trainer: After"),
                "{instructions}"
            );
        }
    }
}

/// A call that reports progress goes through the MCP library, a plain one does not.
#[tokio::test]
async fn a_call_has_the_same_answer_with_and_without_progress() {
    let models = Models::start().await;
    let routing = routing(&models).await;
    let arguments = |problem: &str| json!({"project_root": "/tmp", "problem": problem});
    for (name, arguments) in [
        ("debug", arguments("text")),
        ("debug", json!({"project_root": "/tmp", "problem": 7})),
        ("nonsense", json!({})),
    ] {
        let call = |meta: Value| {
            let params = json!({"name": name, "arguments": arguments, "_meta": meta});
            let body = json!({"jsonrpc": "2.0", "id": "seven", "method": "tools/call", "params": params});
            routing.mcp().post().header("accept", "application/json, text/event-stream").body(body.to_string())
        };
        let plain = call(json!({})).send().await.expect("an answer").text().await.expect("text");
        let text = call(json!({"progressToken": 1})).send().await.expect("an answer").text().await.expect("text");
        let last = text.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text);
        let [plain, last] = [&plain, last].map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        let ids = |answer: &Value| {
            let decision = &answer["result"]["_meta"]["routing.hyperguild.io/decisions"][0];
            decision["id"].as_str().unwrap_or("none").to_string()
        };
        let same = plain.to_string().replace(&ids(&plain), &ids(&last));
        assert_eq!(same, last.to_string(), "{name}: but for the decision's id");
        assert_eq!(plain["result"].get("resultType"), None, "a member of later versions");
    }
}
