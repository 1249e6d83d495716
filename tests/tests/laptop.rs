//! The program on a laptop, as a new user meets it: the commands of README and `docs/laptop.md`, run as printed.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    checkout,
    claude_code::ClaudeCode,
    documented::{self, Documented, Terminal},
    get_json, http,
    make_run::{MakeRun, Ports},
    mcp::Mcp,
    program,
    program::Program,
    required,
    stand_in::{
        messages::{MessagesApi, Reply},
        models::Models,
    },
    waiting,
};

const PAGE: &str = "docs/laptop.md";
/// Longest time until a report counts: more than the caching of a demo or a laptop, and less than the usual minute.
const COUNTS_WITHIN: Duration = Duration::from_secs(30);

/// A terminal in the checkout of a user with this home.
fn terminal(home: &Path, more: &[(String, String)]) -> Terminal {
    let inherited = |name: &str| std::env::var(name).unwrap_or_default();
    let path = format!("{}/.local/bin:{}", home.display(), inherited("PATH"));
    let cargo = |variable: &str, folder: &str| match inherited(variable) {
        set if set.is_empty() => format!("{}/{folder}", inherited("HOME")),
        set => set,
    };
    let mut variables = vec![
        ("HOME".to_string(), home.display().to_string()),
        ("PATH".into(), path),
        ("CARGO_HOME".into(), cargo("CARGO_HOME", ".cargo")),
        ("RUSTUP_HOME".into(), cargo("RUSTUP_HOME", ".rustup")),
        ("CARGO_TARGET_DIR".into(), inherited("CARGO_TARGET_DIR")),
        ("DISABLE_AUTOUPDATER".into(), "1".into()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC".into(), "1".into()),
    ];
    variables.extend_from_slice(more);
    Terminal::open(&checkout(), &variables)
}

/// Puts a program into the `PATH` of a user with this home.
fn link(home: &Path, name: &str, program: &Path) {
    let folder = home.join(".local/bin");
    fs::create_dir_all(&folder).expect("created");
    std::os::unix::fs::symlink(program, folder.join(name)).expect("linked");
}

/// The decision in an answer that was printed.
fn decision(printed: &str) -> Value {
    let answer: Value = serde_json::from_str(printed.trim()).unwrap_or_else(|e| panic!("{e}: {printed}"));
    answer["result"]["_meta"]["routing.hyperguild.io/decisions"][0].clone()
}

/// Makes a call again until it goes to Claude.
async fn decision_for_claude(terminal: &mut Terminal, call: &str) -> Value {
    waiting::until_within(COUNTS_WITHIN, "the route to change", || {
        let decision = decision(&terminal.run(call));
        std::future::ready((decision["decision"] == "claude").then_some(decision))
    })
    .await
}

fn assert_fields(shown: &str, found: &Value) {
    let shown: Value = serde_json::from_str(shown).unwrap_or_else(|e| panic!("{e}: {shown}"));
    for (name, value) in shown.as_object().expect("an object") {
        assert_eq!(&found[name], value, "{name}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_of_the_readme_works_as_printed_and_shows_the_route_change() {
    let section = "## Quick start";
    let commands = documented::commands("README.md", section);
    let [start, call, report, again, claude @ .., with_examples, status, with_model] = &commands[..] else {
        panic!("the section has other commands")
    };
    let began = Instant::now();
    let mut run = MakeRun::command(&start.command, &[]).await;
    let greeting = &documented::code_blocks("README.md", section, "text")[0];
    for line in greeting.lines().filter(|line| !line.contains("outcomes")) {
        assert!(run.printed().contains(&run.ports.put_into(line)), "{line}\n{}", run.printed());
    }

    let arguments = json!({"project_root": "/tmp", "problem": "It panics on an empty file."});
    let model = MessagesApi::start([Reply::call("mcp__plugin_routing_routing__debug", arguments)]).await;
    let user = ClaudeCode::new(&model);
    link(&user.home(), "claude", &required("ROUTING_TEST_CLAUDE"));
    // Whose model is a stand-in; everything else is as the user has it.
    let of_model: Vec<_> = user.variables().filter(|(name, _)| name.starts_with("ANTHROPIC_")).collect();
    let mut terminal = terminal(&user.home(), &of_model);
    let decided = decision(&terminal.run(&run.ports.put_into(&call.command)));
    assert_eq!((&decided["decision"], &decided["reason"]), (&json!("local"), &json!("no_pass_rate")));
    report.expect_printed(&terminal.run(&run.ports.put_into(&report.command)));
    let brain = format!("http://127.0.0.1:{}", run.ports.brain);
    let rate = get_json(format!("{brain}/pass-rate?skill=debug")).await;
    assert_eq!((&rate["fail"], &rate["total"]), (&json!(1), &json!(1)));
    let decided = decision_for_claude(&mut terminal, &run.ports.put_into(&again.command)).await;
    assert_fields(&documented::code_blocks("README.md", section, "json")[1], &decided);
    let [link, add, install, ask] = claude else { panic!("the section has other commands of Claude Code") };
    terminal.run(&link.command);
    terminal.run(&add.command);
    let (mcp, brain_url) = (run.url(), format!("http://127.0.0.1:{}", run.ports.brain));
    terminal.run(&format!("{} --config url={mcp} --config brain_url={brain_url}", install.command));
    let listed = terminal.run("claude mcp list");
    assert!(listed.lines().any(|line| line.contains("routing") && line.contains("Connected")), "{listed}");
    let said = terminal.run(&(ask.command.replacen("claude ", "claude -p ", 1) + " </dev/null"));
    println!("from `make run` to the first call that Claude Code made: {:.1?}, compiled before", began.elapsed());
    let result = model.requests().last().expect("a request").results().remove(0);
    assert!(!result.is_error && result.texts[0].starts_with("routing: debug: "), "{said}: {result:?}");

    run.interrupt().await;
    let run = MakeRun::command(&with_examples.command, &[]).await;
    let status: Value = serde_json::from_str(&terminal.run(&run.ports.put_into(&status.command))).expect("JSON");
    let routes: Vec<_> = status["skills"]
        .as_array()
        .expect("skills")
        .iter()
        .map(|s| json!([s["name"], s["passRate"], s["route"]]))
        .collect();
    let expected = json!([
        ["code_review", 0.95, "local"],
        ["debug", 0.8, "split"],
        ["retrospective", 0.5, "claude"],
        ["trainer", null, "local"]
    ]);
    assert_eq!(json!(routes), expected);
    drop(run);

    let mut run = MakeRun::command(&with_model.command, &[]).await;
    assert!(
        run.printed().contains("local: the one at ROUTING_LOCAL_BASE_URL; Claude: a stand-in"),
        "{}",
        run.printed()
    );
    let answer = terminal.run(&run.ports.put_into(&call.command));
    let text = decision(&answer);
    assert_eq!((&text["decision"], &text["model"]), (&json!("local"), &json!("smollm2")), "{answer}");
    assert!(!answer.contains("a stand-in, no language model ran"), "{answer}");
    run.interrupt().await;
}

/// The one command of a list that contains this text.
fn with<'a>(commands: &'a [Documented], part: &str) -> &'a Documented {
    commands.iter().find(|documented| documented.command.contains(part)).unwrap_or_else(|| panic!("no {part}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_laptop_page_leads_from_nothing_to_a_routed_call() {
    let (models, ports) = (Models::start().await, Ports::free());
    let home = tempfile::tempdir().expect("a folder");
    let more = [ports.variables(), vec![("ANTHROPIC_API_KEY".into(), "sk-canary".into())]].concat();
    let mut terminal = terminal(home.path(), &more);
    let install = documented::commands(PAGE, "## Install");
    assert_eq!(install.len(), 4);
    for documented in install {
        documented.expect_printed(&terminal.run(&documented.command));
    }
    // The checkout may have a database of whoever runs the tests.
    terminal.go_to(home.path());
    // Stand-ins for both endpoints, and free ports.
    let policy = home.path().join(".config/routing/policy.yaml");
    let text = fs::read_to_string(&policy).expect("the policy");
    let text =
        text.replace("http://127.0.0.1:11434", &models.url()).replace("https://api.anthropic.com", &models.url());
    fs::write(&policy, ports.put_into(&text)).expect("written");
    for documented in documented::commands(PAGE, "## Choose the models") {
        documented.expect_printed(&terminal.run(&documented.command));
    }

    let start = documented::commands(PAGE, "## Start");
    let mut brain = terminal.start(&with(&start, "routing brain").command);
    let database = home.path().join(".local/share/routing/brain.db").display().to_string();
    waiting::until_true("the database in the brain's log", || std::future::ready(brain.printed().contains(&database)))
        .await;
    let mut serve = terminal.start(&with(&start, "routing serve").command);
    let health = format!("http://127.0.0.1:{}/healthz", ports.mcp);
    waiting::until("health", || {
        serve.printed();
        async { http().get(&health).send().await.ok() }
    })
    .await;
    let status = terminal.run(&ports.put_into(&with(&start, "/status").command));
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!((&status["origin"], &status["missingSecrets"]), (&json!("policy"), &json!([])));

    let commands = documented::commands(PAGE, "## Call, and report");
    let [call, report, again] = &commands[..] else { panic!("the section has other commands") };
    assert_eq!(decision(&terminal.run(&ports.put_into(&call.command)))["decision"], "local");
    report.expect_printed(&terminal.run(&ports.put_into(&report.command)));
    let decided = decision_for_claude(&mut terminal, &ports.put_into(&again.command)).await;
    assert_eq!((&decided["reason"], &decided["model"]), (&json!("below_ceil"), &json!("claude-sonnet-4-6")));
    let keys: Vec<_> =
        models.received().iter().map(|r| (r.model() == "qwen3:8b", r.headers.get("authorization").cloned())).collect();
    assert!(keys.iter().all(|(is_local, key)| *is_local == key.is_none()), "the local model gets no key");

    let project = home.path().join("project");
    fs::create_dir(&project).expect("created");
    terminal.go_to(&project);
    let commands = documented::commands(PAGE, "## Claude Code");
    let [write] = &commands[..] else { panic!("the section has other commands") };
    write.expect_printed(&terminal.run(&write.command));
    let written: Value = serde_json::from_slice(&fs::read(project.join(".mcp.json")).expect("a file")).expect("JSON");
    assert_eq!(written["mcpServers"]["routing"]["url"], "http://127.0.0.1:3210/mcp");
    assert_eq!(written["mcpServers"]["brain"]["url"], "http://127.0.0.1:3300/mcp");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_commands_of_the_readme_serve_as_printed() {
    let (home, ports) = (tempfile::tempdir().expect("a folder"), Ports::free());
    link(home.path(), "routing", &program::binary());
    let database = format!("sqlite:{}", home.path().join("brain.db").display());
    let bind = [("BRAIN_BIND", "127.0.0.1"), ("ROUTING_BIND", "127.0.0.1"), ("BRAIN_DATABASE_URL", &database)];
    let bind = bind.map(|(name, text)| (name.to_string(), text.to_string()));
    let mut terminal = terminal(home.path(), &[ports.variables(), bind.into()].concat());
    let commands = documented::commands("README.md", "## Policy file");
    let [check, brain, serve] = &commands[..] else { panic!("the section has other commands") };
    terminal.run(&check.command);
    let _running = [brain, serve].map(|documented| terminal.start(&documented.command));
    for (port, path) in [(ports.brain, "/pass-rate?skill=debug"), (ports.mcp, "/healthz")] {
        let url = format!("http://127.0.0.1:{port}{path}");
        waiting::until(path, || async { http().get(&url).send().await.ok() }).await;
    }
    let listed = Mcp::new(&format!("http://127.0.0.1:{}/mcp", ports.mcp)).send("tools/list", json!({})).await;
    assert_eq!(listed.status(), 200, "no token is needed");
}

fn laptop(models: &Models) -> String {
    let text = fs::read_to_string(checkout().join("deploy/samples/laptop.yaml")).expect("the sample");
    text.replace("http://127.0.0.1:11434", &models.url()).replace("https://api.anthropic.com", &models.url())
}

#[tokio::test]
async fn without_a_key_the_laptop_policy_serves_local_calls_and_the_status_names_the_key() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&laptop(&models)).start().await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of qwen3:8b");
    assert_eq!(routing.status().await["missingSecrets"][0]["key"], "ANTHROPIC_API_KEY");
}

#[tokio::test]
async fn the_keys_of_the_laptop_page_are_also_read_from_its_files() {
    let models = Models::start().await;
    let program = Program::serve_policy(&laptop(&models));
    let folder = program.folder().join("secrets/laptop");
    fs::create_dir_all(&folder).expect("created");
    fs::write(folder.join("ANTHROPIC_API_KEY"), "sk-canary\n").expect("written");
    assert_eq!(program.start().await.status().await["missingSecrets"], json!([]));
}
