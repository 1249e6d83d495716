//! Real MCP clients against `make run`'s own process, and the commands that it prints, run as printed.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    Policy, checkout, clients, get_json, mcp::Mcp, ports, program::Program, stand_in::models::Models, waiting,
};

/// `make run`, in a process group of its own.
struct MakeRun {
    make: Child,
    folder: TempDir,
    port: u16,
    brain_port: u16,
}

impl MakeRun {
    async fn start(arguments: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (port, admin_port, brain_port) = (ports::free(), ports::free(), ports::free());
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let database = format!("sqlite:{}", folder.path().join("brain.db").display());
        let mut make = Command::new("make");
        // The variables that cargo sets for a test would make the cargo of `make run` rebuild everything.
        let of_cargo =
            |name: &String| name.starts_with("CARGO") && !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&name.as_str());
        std::env::vars().map(|(name, _)| name).filter(of_cargo).for_each(|name| {
            make.env_remove(name);
        });
        let make = make
            .args(["--no-print-directory", "run", &format!("ARGS={arguments}")])
            .current_dir(checkout())
            .env_remove("MAKEFLAGS")
            .env_remove("LITELLM_BASE_URL")
            .envs(variables.iter().copied())
            .env("ROUTING_PORT", port.to_string())
            .env("ROUTING_ADMIN_PORT", admin_port.to_string())
            .env("BRAIN_PORT", brain_port.to_string())
            .env("BRAIN_DATABASE_URL", database)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("make runs");
        let mut running = Self { make, folder, port, brain_port };
        running.wait_until_it_greets().await;
        running
    }

    async fn wait_until_it_greets(&mut self) {
        waiting::until_true("the greeting of make run", || {
            let ended = self.make.try_wait().expect("a status");
            assert!(ended.is_none(), "make run ended with {ended:?}:\n{}", self.printed());
            std::future::ready(self.printed().contains("Ctrl-C ends it"))
        })
        .await;
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The printed line with this text.
    fn line(&self, beginning: &str) -> String {
        let printed = self.printed();
        let line = printed.lines().map(str::trim).find(|line| line.starts_with(beginning) || line.contains(beginning));
        line.unwrap_or_else(|| panic!("no line {beginning}:\n{printed}")).to_string()
    }

    fn signal(&self, name: &str) {
        // To the group: make, its shell, and the program.
        let status =
            Command::new("kill").args(["-s", name, "--", &format!("-{}", self.make.id())]).status().expect("kill runs");
        assert!(status.success());
    }
}

impl Drop for MakeRun {
    fn drop(&mut self) {
        if self.make.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("KILL");
            let _ = self.make.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.printed());
        }
    }
}

fn shell(line: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new("bash").args(["-c", line]).envs(variables.iter().copied()).output().expect("bash runs");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_make_run_prints_works_as_printed() {
    let run = MakeRun::start("", &[]).await;
    let (ok, printed) = shell(&run.line("curl -s"), &[]);
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(
        ok && answer["result"]["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("stand-in, no language model ran")),
        "{printed}"
    );
    let (ok, printed) = shell(&run.line(" outcome debug pass"), &[]);
    assert!(ok && printed == "reported: debug pass\n", "{printed}");
    let rate: Value = get_json(format!("http://127.0.0.1:{}/pass-rate?skill=debug", run.brain_port)).await;
    assert_eq!((&rate["pass"], &rate["total"]), (&json!(1), &json!(1)), "no example outcomes unless asked for");

    let home = tempfile::tempdir().expect("a folder");
    let line = run.line("claude mcp add").strip_prefix("claude ").expect("a claude line").to_string();
    let added = clients::claude(home.path(), &line.split(' ').collect::<Vec<_>>());
    assert!(added.status.success(), "{added:?}");
    let listed = clients::claude(home.path(), &["mcp", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.lines().any(|line| line.contains("routing") && line.contains("Connected")), "{listed}");
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
        assert_eq!(result["content"][1]["audience"], json!(["assistant"]), "{mode}: {result}");
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
    run.signal("INT");
    waiting::until("the end of make run", || std::future::ready(run.make.try_wait().expect("a status"))).await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", run.port)).await.is_err(), "nothing listens any more");
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
    let arguments = ["mode", "client-local", "--url", &routing.mcp_url(), "--token-env", "PATH"];
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
        assert_eq!(result["content"][0]["text"], "answer of takes-20-seconds");
        let message = result["progress"][0].as_str().unwrap_or_default();
        assert!(message.starts_with("debug: stage 1 of 1, local (takes-20-seconds), 1"), "{result}");
    }
}
