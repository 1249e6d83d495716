//! `routing connect` between real clients and the real data plane, in projects of every kind.

mod messages;

use std::{fs, path::Path, process::Command, time::Instant};

use serde_json::{Value, json};
use tests::{
    Policy, clients,
    connect::{Connect, git},
    program::{self, Program, Running},
    stand_in::models::Models,
    waiting,
};

const CANARY: &str = "CANARY-c4f1";

/// What the model got to read of the last call.
fn read(models: &Models) -> String {
    models.received().last().expect("a call").message(1).to_string()
}

/// A repository with one commit of these files.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "--quiet"]);
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("written");
    }
    git(folder.path(), &["add", "--all", "--force"]);
    git(folder.path(), &["commit", "--quiet", "-m", "first"]);
    folder
}

async fn serving() -> (Models, Running) {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url())).start().await;
    (models, routing)
}

#[tokio::test]
async fn a_model_names_files_and_revisions_and_the_skill_reads_their_text() {
    let (models, routing) = serving().await;
    let project = repository(&[("src/a.rs", "fn old() {}\n"), ("out.log", "")]);
    fs::write(project.path().join("src/a.rs"), "fn new() {}\n").expect("written");
    fs::write(project.path().join("failed.txt"), "line\n".repeat(500) + "error: the last line\n").expect("written");
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    let began = it.initialize(None).await["result"].clone();
    let told = began["instructions"].as_str().expect("text");
    assert!(told.contains("name paths and revisions") && !told.contains("sees only the arguments"), "{told}");
    let tools = it.request("tools/list", json!({})).await["result"]["tools"].clone();
    let review = &tools[0];
    assert!(review["inputSchema"]["required"] == json!([]) && review["title"].is_string(), "{review}");

    let reviewed = it.call("code_review", json!({"files": ["src/a.rs"]})).await;
    assert_eq!((reviewed.is_error(), reviewed.text(1)), (false, "answer of l"), "{reviewed:?}");
    assert_eq!(reviewed.text(0), "note of routing connect: read: src/a.rs.");
    assert!(read(&models).contains("<file path=\"src/a.rs\">\nfn new() {}"), "{}", read(&models));
    let compared = it.call("code_review", json!({"diff": "HEAD"})).await;
    assert!(compared.text(0).starts_with("note of routing connect: read: git diff HEAD ("), "{}", compared.text(0));
    assert!(read(&models).contains("-fn old() {}\n+fn new() {}"), "{}", read(&models));
    it.call("code_review", json!({})).await;
    assert!(read(&models).contains("-fn old() {}\n+fn new() {}"), "what is not committed: {}", read(&models));
    it.call("debug", json!({"problem": "it fails", "error_output": "failed.txt"})).await;
    assert!(read(&models).contains("error: the last line") && read(&models).matches("line\n").count() <= 401);
    let wrong = it.call("code_review", json!({"diff": "HEAD~7"})).await;
    let text = "code_review: argument diff: HEAD~7: is no revision of this repository; name one, for example HEAD~1 or main...HEAD";
    assert_eq!((wrong.is_error(), wrong.text(0)), (true, text));
}

#[tokio::test]
async fn records_name_the_clients_session_and_the_client() {
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.base_url()}}));
    let routing = Program::serve_policy(&policy).start().await;
    let project = repository(&[("a", "a")]);
    let variables = [("CLAUDE_CODE_SESSION_ID", "the-session")];
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &variables);
    it.initialize(None).await;
    it.call("debug", json!({"problem": "x"})).await;
    let url = format!("{}/decisions?skill=debug", brain.base_url());
    let decision = waiting::until("the record", || async {
        tests::get_json(&url).await["decisions"][0]["decision"].as_object().cloned()
    })
    .await;
    assert_eq!((&decision["client_session"], &decision["client_name"]), (&json!("the-session"), &json!("tests")));
}

#[tokio::test]
async fn only_what_is_below_the_clients_roots_is_read() {
    let (models, routing) = serving().await;
    let (started, root) = (repository(&[("a", "of the start")]), repository(&[("a", "of the root")]));
    let mut it = Connect::start(&routing.mcp_url(), started.path(), &[]);
    it.initialize(Some(&[root.path()])).await;
    it.call("code_review", json!({"files": ["a"]})).await;
    assert!(read(&models).contains("of the root"), "{}", read(&models));
    let absolute = started.path().join("a").display().to_string();
    let refused = it.call("code_review", json!({"files": [absolute], "project_root": started.path()})).await;
    assert!(refused.is_error() && refused.text(0).contains("(it is outside of the project)"), "{refused:?}");
    assert!(!read(&models).contains("of the start"));
    // Without roots it is the folder in which the client started it.
    let mut it = Connect::start(&routing.mcp_url(), started.path(), &[]);
    it.initialize(Some(&[])).await;
    it.call("code_review", json!({"files": ["a"]})).await;
    assert!(read(&models).contains("of the start"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_eras_list_call_and_cancel_through_it() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url());
    let routing = Program::serve_policy(&policy).start().await;
    let run = async |mode: &'static str, arguments: &'static [&'static str]| {
        let url = routing.mcp_url();
        tokio::task::spawn_blocking(move || clients::typescript(&url, mode, "", arguments)).await.expect("runs")
    };
    for mode in ["connect", "connect-v1"] {
        assert_eq!(run(mode, &["list"]).await, json!(["code_review", "debug", "retrospective", "trainer"]), "{mode}");
        let called = run(mode, &["call", "debug", r#"{"problem":"x"}"#]).await;
        assert_eq!(called["content"][1]["text"], "answer of l", "{mode}: {called}");
    }
    fs::write(routing.folder().join("policy.yaml"), policy.local("hangs").to_string()).expect("written");
    waiting::until_true("the slow model", || async { routing.admin("/status").await.contains("hangs") }).await;
    for mode in ["connect", "connect-v1"] {
        let ended = run(mode, &["cancel", "debug", r#"{"problem":"x"}"#]).await;
        assert!(ended["cancelled"].is_string(), "{mode}: {ended}");
        waiting::until_true("the model call to end", || async {
            models.received().iter().filter(|call| call.model() == "hangs").all(|call| call.abandoned)
        })
        .await;
    }
}

#[tokio::test]
async fn a_token_comes_from_the_environment_or_from_a_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let routing = Program::serve().variable("ROUTING_MCP_TOKEN", "s3cret").start().await;
    let project = repository(&[("a", "a")]);
    let answer = async |variables: &[(&str, &str)]| {
        let mut it = Connect::start(&routing.mcp_url(), project.path(), variables);
        it.request("tools/list", json!({})).await
    };
    assert!(answer(&[("ROUTING_MCP_TOKEN", "s3cret")]).await["result"].is_object());
    for (variables, presence) in
        [(&[][..], "neither is set"), (&[("ROUTING_MCP_TOKEN", "wrong-one")], "a token was sent")]
    {
        let refused = answer(variables).await["error"]["message"].as_str().expect("a message").to_string();
        let parts = ["unauthorized", "ROUTING_MCP_TOKEN", "~/.config/routing/token", presence];
        assert!(parts.iter().all(|part| refused.contains(part)) && !refused.contains("wrong-one"), "{refused}");
    }
    let file = project.path().join(".config/routing/token");
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(&file, "s3cret\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
    let home = project.path().display().to_string();
    let open = program::run(&["connect", "--url", &routing.mcp_url()], &[("HOME", &home)], project.path());
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && said.contains("others may read it: chmod 600"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    assert!(answer(&[]).await["result"].is_object());
}

#[tokio::test]
async fn a_server_that_is_away_is_named_and_one_that_comes_back_is_used_again() {
    let project = repository(&[("a", "a")]);
    let models = Models::start().await;
    let program = Program::serve_policy(&Policy::at(&models.url()));
    let port = program.ports().mcp;
    let mut it = Connect::start(&format!("http://127.0.0.1:{port}/mcp"), project.path(), &[]);
    let away = it.request("tools/call", json!({"name": "debug", "arguments": {"problem": "x"}})).await;
    let said = away["error"]["message"].as_str().expect("a message");
    assert!(said.starts_with(&format!("routing cannot be reached at http://127.0.0.1:{port}/mcp: ")), "{said}");
    let _routing = program.start().await;
    assert_eq!(it.call("debug", json!({"problem": "x"})).await.text(0), "answer of l");
    let mut elsewhere = Connect::start(&format!("http://127.0.0.1:{port}/nothing"), project.path(), &[]);
    let wrong = elsewhere.request("tools/list", json!({})).await["error"]["message"].clone();
    assert!(wrong.as_str().is_some_and(|text| text.contains("404: routing serves nothing at /nothing")), "{wrong}");
}

#[tokio::test]
async fn what_is_no_message_and_what_the_server_refuses_is_told() {
    let (_models, routing) = serving().await;
    let project = repository(&[("a", "a")]);
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    it.send(&json!("no message")).await;
    let unknown = it.request("prompts/list", json!({})).await;
    assert!(unknown.get("result").is_none(), "an error or a result: {unknown}");
    assert_eq!(unknown["error"]["message"], "method not found: prompts/list");
    let wrong = it.call("debug", json!({"problem": 1})).await;
    assert!(wrong.is_error() && wrong.text(0).starts_with("debug: wrong arguments"), "{wrong:?}");
    let output = Command::new(program::binary()).args(["connect", "--url", "ftp://x"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--url: ftp://x: must be an http or https URL") && output.stdout.is_empty(), "{said}");
}

/// Links out of it, a pipe, files of every size, and secrets: none of it reaches the server, a record or a log.
#[tokio::test]
async fn in_a_hostile_project_each_file_has_a_clear_word_and_nothing_leaks() {
    let (models, brain) = (Models::start().await, Program::brain().variable("RUST_LOG", "trace").start().await);
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.base_url()}}));
    let routing = Program::serve_policy(&policy).variable("RUST_LOG", "trace").start().await;
    let project = repository(&[("a.rs", "fn a() {}\n"), (".env", CANARY), (".gitignore", "target/\n")]);
    let path = |name: &str| project.path().join(name);
    fs::write(path(".env"), format!("{CANARY}-changed")).expect("written");
    fs::create_dir(path("target")).expect("a folder");
    fs::write(path("target/built"), CANARY).expect("written");
    let outside = tempfile::NamedTempFile::new().expect("a file");
    fs::write(outside.path(), CANARY).expect("written");
    std::os::unix::fs::symlink(outside.path(), path("link.rs")).expect("a link");
    std::os::unix::fs::symlink(".env", path("harmless.txt")).expect("a link");
    assert!(Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo").success());
    fs::File::create(path("huge.bin")).expect("a file").set_len(2 << 30).expect("2 GiB");
    fs::write(path("image.png"), [0x89, 0xff, 0x00]).expect("written");
    fs::write(path("two\nlines"), "x").expect("written");
    hundred_thousand_files(&path("many"));
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[("RUST_LOG", "trace")]);
    it.initialize(None).await;
    let before = it.peak_mib();
    let names = json!([
        "a.rs",
        ".env",
        "target/built",
        "link.rs",
        "harmless.txt",
        "pipe",
        "huge.bin",
        "image.png",
        "two\nlines",
        "many",
        "../x"
    ]);
    let began = Instant::now();
    let all = it.call("code_review", json!({"files": names})).await;
    let by_default = it.call("code_review", json!({})).await;
    let tail = it.call("debug", json!({"problem": "x", "error_output": "huge.bin"})).await;
    let secret = it.call("debug", json!({"problem": "x", "error_output": ".env"})).await;
    println!(
        "four calls in a project of 100,000 files: {:?}; memory {before} MiB, then {} MiB",
        began.elapsed(),
        it.peak_mib()
    );
    assert!(!all.is_error() && !by_default.is_error(), "{all:?} {by_default:?}");
    assert!(tail.is_error() && tail.text(0).contains("there is no material to send"), "a hole has no line: {tail:?}");
    for said in [
        "left out: .env (it looks like a secret)",
        "left out: target/built (Git ignores it)",
        "left out: link.rs (it may not be read, or a link leads out of the folder)",
        "left out: harmless.txt (it looks like a secret)",
        "left out: pipe (it is not a file)",
        "left out: huge.bin (it is larger than 262144 bytes)",
        "left out: image.png (it is not UTF-8 text)",
        "left out: two\\u{a}lines (the path is empty, too long, or has control characters)",
        "left out: many (it is not a file)",
        "left out: ../x (the path contains ..)",
    ] {
        assert!(all.text(0).contains(said), "{said} in {}", all.text(0));
    }
    assert!(by_default.text(0).contains(" more new files are left out; name them in files"), "{}", by_default.text(0));
    assert!(secret.is_error() && secret.text(0).contains("left out: .env"), "{secret:?}");
    let sent: String = models.received().iter().map(|call| call.body.to_string()).collect();
    let kept = tests::get_json(format!("{}/decisions?skill=code_review", brain.base_url())).await.to_string();
    for (place, text) in [("what models read", sent), ("the brain", kept), ("logs", routing.log() + &brain.log())] {
        assert!(!text.contains(CANARY), "{place}");
    }
    assert!(it.peak_mib() < before + 64, "{} MiB, {before} before", it.peak_mib());
}

/// Names of one file in each folder: a new file takes twenty times as long.
fn hundred_thousand_files(folder: &Path) {
    for i in 0..100 {
        let folder = folder.join(i.to_string());
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("0"), "").expect("written");
        (1..1000).for_each(|j| fs::hard_link(folder.join("0"), folder.join(j.to_string())).expect("a name"));
    }
}

#[test]
fn the_entry_of_each_client_is_printed_and_starts_it() {
    let print = |client: &str| {
        let url = "http://routing.example/mcp";
        let arguments = ["connect", "--url", url, "--print-config", client];
        let output = program::run(&arguments, &[], Path::new("/tmp"));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let claude: Value = serde_json::from_str(&print("claude")).expect("JSON");
    let entry = &claude["mcpServers"]["routing"];
    assert_eq!(entry["args"], json!(["connect", "--url", "http://routing.example/mcp"]));
    assert_eq!(entry["command"], program::binary().canonicalize().expect("a program").display().to_string());
    assert!(serde_json::from_str::<Value>(&print("cursor")).expect("JSON")["mcpServers"]["routing"].is_object());
    assert!(serde_json::from_str::<Value>(&print("vscode")).expect("JSON")["servers"]["routing"].is_object());
    let codex: toml::Value = toml::from_str(&print("codex")).expect("TOML");
    assert_eq!(codex["mcp_servers"]["routing"]["env_vars"][0].as_str(), Some("ROUTING_MCP_TOKEN"));
}

/// The caller's model named a revision, and does not have the text of it.
#[tokio::test]
async fn work_that_is_returned_names_what_was_read_for_the_caller() {
    let models = Models::start().await;
    let spec = json!({"models": {"claude": {"name": null, "returnToCaller": {}}},
        "skills": [{"name": "code_review", "route": "Claude"}, {"name": "debug"}]});
    let routing = Program::serve_policy(&Policy::at(&models.url()).spec(spec)).start().await;
    let project = repository(&[("a.rs", "fn old() {}\n")]);
    fs::write(project.path().join("a.rs"), "fn new() {}\n").expect("written");
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    let work = it.call("code_review", json!({"diff": "HEAD", "focus": "names"})).await;
    let text = work.text(1);
    assert!(
        text.contains("- diff: git diff HEAD (") && text.contains("you have not seen it: read it yourself"),
        "{text}"
    );
    assert!(text.contains("- focus: \"names\""), "{text}");
    assert_eq!(models.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn without_git_or_a_project_files_are_read_and_a_revision_is_an_error() {
    let (models, routing) = serving().await;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.rs"), "fn a() {}\n").expect("written");
    for (variables, why) in
        [(&[("PATH", "/nowhere")][..], "git is not installed here"), (&[], "the project is no Git repository")]
    {
        let mut it = Connect::start(&routing.mcp_url(), folder.path(), variables);
        let wrong = it.call("code_review", json!({"diff": "HEAD"})).await;
        assert_eq!((wrong.is_error(), wrong.text(0)), (true, format!("code_review: argument diff: {why}").as_str()));
        let nothing = it.call("code_review", json!({})).await;
        assert!(nothing.is_error() && nothing.text(0).ends_with(&format!("(no diff: {why})")), "{nothing:?}");
        assert!(!it.call("code_review", json!({"files": ["a.rs"]})).await.is_error());
        assert!(read(&models).contains("fn a() {}"));
    }
}
