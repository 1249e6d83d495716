//! Real MCP clients against `make run`'s own process, and the commands that it prints, run as printed.

use std::{
    io::{BufRead, BufReader},
    process::Command,
};

use serde_json::{Value, json};
use tests::{Policy, clients, get_json, make_run::MakeRun, mcp::Mcp, program::Program, stand_in::models::Models};

fn shell(line: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new("bash").args(["-c", line]).envs(variables.iter().copied()).output().expect("bash runs");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_make_run_prints_works_as_printed() {
    let mut run = MakeRun::start("", &[]).await;
    let (ok, printed) = shell(&format!("{}; {}", run.line("curl -s"), run.line(" outcome debug fail")), &[]);
    let (answer, reported) = printed.split_once('\n').expect("two lines");
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    assert!(
        ok && answer["result"]["content"][1]["text"]
            .as_str()
            .is_some_and(|text| text.contains("stand-in, no language model ran")),
        "{printed}"
    );
    let expected = "reported: debug fail\nPass rate of local (demo-local): not measured before, 0.00 of 1 now.";
    assert!(reported.starts_with(expected), "{reported}");
    assert!(run.printed().contains("after 2 seconds at most that counts"), "{}", run.printed());
    let brain = format!("http://127.0.0.1:{}", run.ports.brain);
    let rate: Value = get_json(format!("{brain}/pass-rate?skill=debug")).await;
    assert_eq!((&rate["fail"], &rate["total"]), (&json!(1), &json!(1)), "no example outcomes unless asked for");

    for how in ["claude mcp add routing -- ", "claude mcp add --transport http"] {
        let home = tempfile::tempdir().expect("a folder");
        let line = run.line(how).strip_prefix("claude ").expect("a claude line").to_string();
        let added = clients::claude(home.path(), &line.split(' ').collect::<Vec<_>>());
        assert!(added.status.success(), "{added:?}");
        let listed = clients::claude(home.path(), &["mcp", "list"]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.lines().any(|line| line.contains("routing") && line.contains("Connected")), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_lists_and_calls_in_both_protocol_eras() {
    let run = MakeRun::start("", &[]).await;
    for mode in clients::MODES {
        assert_eq!(
            clients::python(&run.url(), mode, &["list"]),
            json!(["code_review", "debug", "retrospective", "trainer"]),
            "{mode}"
        );
        let result = clients::python(&run.url(), mode, &["call", "debug", r#"{"project_root":"/tmp","problem":"x"}"#]);
        assert_eq!(result["isError"], json!(false), "{mode}: {result}");
        assert_eq!(result["content"][0]["audience"], json!(["assistant"]), "{mode}: {result}");
        let decision = &result["meta"]["routing.hyperguild.io/decisions"][0];
        assert_eq!(
            (&decision["decision"], &decision["model"]),
            (&json!("local"), &json!("demo-local")),
            "{mode}: {result}"
        );
        let wrong = clients::python(&run.url(), mode, &["call", "debug", "{}"]);
        assert_eq!(wrong["isError"], json!(true), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn make_run_takes_examples_and_a_token_and_ends_on_an_interrupt() {
    let token = [("ROUTING_MCP_TOKEN", "s3cret")];
    let mut run = MakeRun::start("--with-examples", &token).await;
    assert!(run.printed().contains("Example outcomes: code_review 19 pass, 1 fail"), "{}", run.printed());
    assert!(!run.printed().contains("s3cret"));
    assert_eq!(Mcp::new(&run.url()).send("tools/list", json!({})).await.status(), 401);
    let (ok, printed) = shell(&run.line("curl -s"), &token);
    assert!(ok && printed.contains("demo-"), "{printed}");
    let routed = Mcp::new(&run.url()).token("s3cret").result("retrospective", json!({"project_root": "/tmp"})).await;
    assert_eq!(routed.decisions("decision"), [json!("claude")], "5 of 10 in the examples");
    run.interrupt().await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", run.ports.mcp)).await.is_err(), "nothing listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_uses_litellm_base_url_if_set() {
    let models = Models::start().await;
    let run = MakeRun::start("", &[("LITELLM_BASE_URL", &models.url())]).await;
    let result = Mcp::new(&run.url()).debug("x").await;
    assert_eq!(result.text(0), "answer of qwen35");
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_connects_through_the_written_mcp_json() {
    let routing = Program::serve().variable("ROUTING_MCP_TOKEN", "s3cret").start().await;
    let home = tempfile::tempdir().expect("a folder");
    let arguments = ["mcp-json", "--url", &routing.mcp_url(), "--token-env", "PATH"];
    assert!(tests::program::run(&arguments, &[], home.path()).status.success());
    // Claude Code gets no other variable here, so the token takes the place of one that `clients::claude` sets.
    let text = std::fs::read_to_string(home.path().join(".mcp.json")).expect("text").replace("${PATH}", "s3cret");
    std::fs::write(home.path().join(".mcp.json"), text).expect("written");
    std::fs::create_dir(home.path().join(".claude")).expect("a folder");
    std::fs::write(home.path().join(".claude/settings.json"), r#"{"enableAllProjectMcpServers":true}"#)
        .expect("written");
    let listed = clients::claude(home.path(), &["mcp", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.lines().any(|line| line.contains("routing") && line.contains("Connected")),
        "{listed}\n{}",
        routing.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_notified_when_a_reload_changes_the_tools() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url());
    let with = |skills: Value| policy.clone().spec(json!({"skills": skills}));
    let routing = Program::serve_policy(&with(json!([{"name": "debug"}]))).start().await;
    let mut python = clients::python_started(&routing.mcp_url(), "auto", &["listen", "--ready-line"]);
    let mut lines = BufReader::new(python.stdout.take().expect("its output")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "LISTENING");
    let changed = with(json!([{"name": "debug"}, {"name": "trainer"}])).to_string();
    std::fs::write(routing.folder().join("policy.yaml"), changed).expect("written");
    assert_eq!(lines.next().expect("a line").expect("text"), "CHANGED");
    assert!(python.wait().expect("ends").success());
    assert_eq!(routing.mcp().tools().await, ["debug", "trainer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_call_reports_progress_to_clients_that_ask_for_it() {
    let models = Models::start().await;
    let timeouts = json!({"timeouts": {"local": "60s", "total": "100s"}});
    let policy = Policy::at(&models.url()).local("takes-20-seconds").spec(timeouts);
    let routing = Program::serve_policy(&policy).start().await;
    let call = ["call", "debug", r#"{"project_root":"/tmp","problem":"x"}"#];
    let calls = clients::MODES.map(|mode| {
        let url = routing.mcp_url();
        let with_progress = [&call[..], &["--progress"]].concat();
        tokio::task::spawn_blocking(move || clients::python(&url, mode, &with_progress))
    });
    for result in futures::future::join_all(calls).await {
        let result = result.expect("runs");
        assert_eq!(result["content"][1]["text"], "answer of takes-20-seconds");
        let message = result["progress"][0].as_str().unwrap_or_default();
        assert!(message.starts_with("debug: stage 1 of 1, local (takes-20-seconds), 0 s"), "at once: {result}");
        assert!(result["progress"][1].as_str().is_some_and(|later| later.ends_with(", 15 s")), "{result}");
    }
}
