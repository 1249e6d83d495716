//! The plugin's bridge to the data plane, `plugin/scripts/connect`, where the program `routing` is missing: one message a
//! line, requests answered side by side, and an error for each request that gets no answer.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tests::{
    Policy, checkout, ports,
    program::{Program, Running},
    stand_in::models::Models,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// What the shells of other systems call themselves here.
const SHELLS: [&str; 2] = ["dash", "bash"];

struct Bridge {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Bridge {
    fn start(shell: &str, url: &str, token: &str) -> Self {
        Self::with_path(shell, url, token, "/usr/bin:/bin")
    }

    fn with_path(shell: &str, url: &str, token: &str, path: &str) -> Self {
        let mut child = Command::new(shell)
            .arg(checkout().join("plugin/scripts/connect"))
            .env_clear()
            .envs([("PATH", path), ("HOME", "/nonexistent"), ("ROUTING_MCP_URL", url), ("ROUTING_MCP_TOKEN", token)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the bridge starts");
        let (input, output) = (child.stdin.take().expect("its input"), child.stdout.take().expect("its output"));
        Self { child, input, output: BufReader::new(output).lines() }
    }

    async fn send(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.expect("written");
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(tests::waiting::LIMIT, self.output.next_line()).await.expect("in time");
        let line = line.expect("text").expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    async fn asked(&mut self, id: impl Into<Value>, method: &str, params: Value) -> Value {
        self.send(&request(id, method, params)).await;
        self.next().await
    }

    async fn initialized(shell: &str, url: &str, token: &str) -> Self {
        let mut bridge = Self::start(shell, url, token);
        let answer = bridge.asked(0, "initialize", hello()).await;
        assert_eq!(
            (&answer["id"], &answer["result"]["serverInfo"]["name"]),
            (&json!(0), &json!("routing")),
            "{answer}"
        );
        bridge.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        bridge
    }
}

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id.into()})
}

fn hello() -> Value {
    json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}})
}

fn debug(id: impl Into<Value>, problem: &str) -> Value {
    let arguments = json!({"project_root": "/tmp", "problem": problem});
    request(id, "tools/call", json!({"name": "debug", "arguments": arguments, "_meta": {"progressToken": 7}}))
}

async fn data_plane(spec: Value) -> (Models, Running) {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).spec(spec))
        .variable("ROUTING_SECRET_VARIABLES", "TOKEN")
        .variable("TOKEN", "s3cret")
        .start()
        .await;
    (models, routing)
}

#[tokio::test]
async fn messages_pass_one_a_line_with_their_ids_whatever_is_in_them() {
    let (models, routing) = data_plane(json!({})).await;
    for shell in SHELLS {
        let mut bridge = Bridge::initialized(shell, &routing.mcp_url(), "").await;
        let tools = bridge.asked("a \"quoted\" id", "tools/list", json!({})).await;
        assert_eq!(
            (&tools["id"], tools["result"]["tools"].as_array().map(Vec::len)),
            (&json!("a \"quoted\" id"), Some(4))
        );
        // An id that is none, text that a shell would expand, and more than a pipe takes at once.
        let problem = format!("{{\"id\": 99}} $(exit) `exit` %s \\n \u{1f600} ' \" {}", "x".repeat(200_000));
        bridge.send(&debug(5, &problem)).await;
        let mut answer = bridge.next().await;
        while answer.get("id").is_none() {
            assert_eq!(answer["method"], "notifications/progress", "{answer}");
            answer = bridge.next().await;
        }
        assert_eq!((&answer["id"], &answer["result"]["content"][1]["text"]), (&json!(5), &json!("answer of l")));
        let received = models.received().pop().expect("a request");
        assert!(received.body.to_string().contains(&problem[12..40].replace('\\', "\\\\").replace('"', "\\\"")));
    }
}

#[tokio::test]
async fn requests_are_answered_side_by_side_and_a_cancelled_one_ends() {
    let (models, routing) = data_plane(json!({"models": {"local": {"name": "waits"}}})).await;
    let mut bridge = Bridge::initialized("sh", &routing.mcp_url(), "").await;
    let mut slow = debug(1, "slow");
    slow["params"]["_meta"] = json!({});
    bridge.send(&slow).await;
    tests::waiting::until_true("the call", || async { models.asked() == ["waits"] }).await;
    assert_eq!(bridge.asked(2, "ping", json!({})).await["id"], 2, "while the other one waits");
    let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    bridge.send(&cancelled).await;
    tests::waiting::until_true("the model is left alone", || async { models.received()[0].abandoned }).await;
    let ended = bridge.next().await;
    assert!(ended["id"] == 1 && ended["error"]["message"].is_string(), "{ended}");
}

#[tokio::test]
async fn a_request_without_an_answer_gets_an_error_with_its_id_and_a_notification_gets_nothing() {
    let token = json!({"access": {"tokens": [{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]}});
    let (_models, routing) = data_plane(token).await;
    let nobody = format!("http://127.0.0.1:{}/mcp", ports::free());
    let wrong_path = format!("{}/nonsense", routing.base_url());
    for (url, token, said) in [
        (&routing.mcp_url(), "wrong", "the data plane answered 401: unauthorized: this token is not valid"),
        (&routing.mcp_url(), "${user_config.token}", "the data plane answered 401: unauthorized: "),
        (&nobody, "", "nothing answers at the data plane's address; start it (routing serve)"),
        (&wrong_path, "s3cret", "the data plane answered 404: "),
    ] {
        let mut bridge = Bridge::start("sh", url, token);
        bridge.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        let answer = bridge.asked(3, "initialize", hello()).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default().to_string();
        assert!(answer["id"] == 3 && message.starts_with(said), "{answer}");
        assert_eq!(bridge.asked("x", "tools/list", json!({})).await["id"], "x", "it goes on");
    }
    let mut bridge = Bridge::initialized("sh", &routing.mcp_url(), "s3cret").await;
    assert_eq!(bridge.asked(1, "server/discover", json!({})).await["error"]["code"], -32601, "not the newer way");
    assert_eq!(bridge.asked(2, "tools/list", json!({})).await["id"], 2);
    drop(bridge.input);
    let ended = tokio::time::timeout(tests::waiting::LIMIT, bridge.child.wait()).await.expect("it ends");
    assert!(ended.expect("a status").success(), "with its client");
}

#[tokio::test]
async fn the_program_is_preferred_if_it_can_connect_and_gets_the_token_by_its_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |text: &str| {
        let program = folder.path().join("routing");
        write_executable(&program, text);
        format!("{}:/usr/bin:/bin", folder.path().display())
    };
    let connects = r#"#!/bin/sh
[ "$2" = --help ] && exit 0
printf '{"id": "%s %s", "result": "%s"}\n' "$1" "$*" "$ROUTING_MCP_TOKEN"
"#;
    let mut bridge = Bridge::with_path("sh", "http://x/mcp", "s3cret", &path(connects));
    assert_eq!(bridge.next().await, json!({"id": "connect connect --url http://x/mcp", "result": "s3cret"}));
    let (_models, routing) = data_plane(json!({})).await;
    let mut bridge = Bridge::with_path("sh", &routing.mcp_url(), "", &path("#!/bin/sh\nexit 2\n"));
    assert_eq!(bridge.asked(1, "initialize", hello()).await["result"]["serverInfo"]["name"], "routing", "an old one");
}

fn write_executable(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, text).expect("written");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("set");
}
