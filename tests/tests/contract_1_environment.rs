//! `contract` part 1, tested on the process: what the variables do. The table's rows and ranges are also unit-tested
//! where they are read (`dataplane/src/settings/tests.rs`).

use std::fs;

use serde_json::json;
use tests::{
    http,
    program::{self, Program},
    stand_in::{
        brain::Brain,
        models::{Models, Received},
    },
};

#[tokio::test]
async fn contract_1_the_variables_reach_the_models_and_the_brain() {
    let models = Models::start().await;
    let brain = Brain::start(Brain::rate("0.55")).await;
    let program = Program::serve()
        .variable("LITELLM_BASE_URL", &models.url())
        .variable("LITELLM_API_KEY", "sk-key")
        .variable("BRAIN_URL", &brain.url())
        .variable("BRAIN_TOKEN", "brain-token")
        .variable("HYPERGUILD_LOCAL_MODEL", "my-local")
        .variable("HYPERGUILD_CLAUDE_MODEL", "my-claude")
        .variable("HYPERGUILD_ROUTE_LOCAL_FLOOR", "0.60")
        .variable("HYPERGUILD_ROUTE_LOCAL_CEIL", "0.56");
    let routing = program.start().await;
    assert_eq!(routing.mcp().debug("below the ceil").await.text(0), "answer of my-claude");
    brain.answer(Brain::rate("0.6"));
    let reviewed = routing.mcp().result("code_review", json!({"project_root": "/tmp", "files": []})).await;
    assert_eq!(reviewed.text(0), "answer of my-local", "at the floor");
    assert_eq!(models.received()[0].headers["authorization"], "Bearer sk-key");
    assert!(brain.authorizations().iter().all(|header| header == "Bearer brain-token"));
}

#[tokio::test]
async fn each_model_can_have_an_endpoint_of_its_own_which_gets_its_own_key_alone() {
    let (both, local, claude) = (Models::start().await, Models::start().await, Models::start().await);
    let program = || {
        let shared = Program::serve().variable("LITELLM_BASE_URL", &both.url()).variable("LITELLM_API_KEY", "of-both");
        shared.variable("HYPERGUILD_LOCAL_MODEL", "my-local").variable("HYPERGUILD_CLAUDE_MODEL", "my-claude")
    };
    let keys = |of: &Models| {
        let header = |request: &Received| request.headers.get("authorization").map(|key| format!("{key:?}"));
        of.received().iter().map(header).collect::<Vec<_>>()
    };
    let own = program().variable("ROUTING_LOCAL_BASE_URL", &local.url()).start().await;
    assert_eq!(own.mcp().debug("x").await.text(0), "answer of my-local");
    assert_eq!((keys(&both), keys(&local)), (vec![], vec![None]), "the key of the other endpoint is not sent");

    let brain = Brain::start(Brain::rate("0.1")).await;
    let own = program()
        .variable("BRAIN_URL", &brain.url())
        .variable("ROUTING_CLAUDE_BASE_URL", &claude.url())
        .variable("ROUTING_CLAUDE_API_KEY", "of-claude");
    assert_eq!(own.start().await.mcp().debug("x").await.text(0), "answer of my-claude");
    assert_eq!((keys(&both), keys(&claude)), (vec![], vec![Some("\"Bearer of-claude\"".into())]));
}

#[tokio::test]
async fn contract_1_without_a_key_no_authorization_is_sent() {
    let models = Models::start().await;
    let routing =
        Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("LITELLM_API_KEY", "").start().await;
    routing.mcp().debug("x").await;
    assert!(!models.received()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn contract_1_with_no_policy_file_the_four_builtin_skills_are_served_on_both_paths() {
    let routing = Program::serve().start().await;
    assert_eq!(routing.mcp().tools().await, ["code_review", "debug", "retrospective", "trainer"]);
    let health = http().get(format!("{}/healthz", routing.base_url())).send().await.expect("an answer");
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn contract_1_an_empty_variable_counts_as_unset() {
    let program = Program::serve();
    let empty = [
        "ROUTING_MCP_TOKEN",
        "HYPERGUILD_ROUTE_LOCAL_FLOOR",
        "HYPERGUILD_ROUTE_LOCAL_CEIL",
        "HYPERGUILD_PASS_RATE_TTL_SECONDS",
        "SUPERVISOR_CONFIG_DIR",
        "HYPERGUILD_LOCAL_MODEL",
        "HYPERGUILD_CLAUDE_MODEL",
        "LITELLM_API_KEY",
        "ROUTING_POLICY_FILE",
    ];
    let routing = empty.iter().fold(program, |program, name| program.variable(name, "")).start().await;
    assert_eq!(routing.mcp().tools().await.len(), 4);
}

#[test]
fn contract_1_every_bad_variable_stops_the_start_with_one_line_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = [
        ("ROUTING_PORT", "tcp://10.96.0.1:3210", "tcp://10.96.0.1:3210"),
        ("LITELLM_BASE_URL", "ftp://me:CANARY@piguard", "ftp://…@piguard"),
        ("ROUTING_LOCAL_BASE_URL", "llm:8080", "llm:8080"),
        ("ROUTING_CLAUDE_BASE_URL", "ftp://llm", "ftp://llm"),
        ("BRAIN_URL", "::", "::"),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "0,9", "0,9"),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "90", "90"),
        ("HYPERGUILD_PASS_RATE_TTL_SECONDS", "1m", "1m"),
        ("SUPERVISOR_CONFIG_DIR", "/nowhere", "/nowhere/review.md"),
    ];
    let secrets = [("ROUTING_MCP_TOKEN", "CANARY"), ("LITELLM_API_KEY", "CANARY")];
    let given: Vec<(&str, &str)> = bad.iter().map(|(name, value, _)| (*name, *value)).chain(secrets).collect();
    let output = program::run(&[], &given, folder.path());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for (name, _, shown) in bad {
        let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with(name)).collect();
        let expected = if name == "SUPERVISOR_CONFIG_DIR" { 5 } else { 1 };
        assert_eq!(lines.len(), expected, "{name}:\n{printed}");
        assert!(lines[0].starts_with(&format!("{name}: {shown}: ")), "{printed}");
    }
    assert!(!printed.contains("CANARY"), "{printed}");
}

#[tokio::test]
async fn contract_1_prompt_files_replace_the_built_in_texts() {
    let models = Models::start().await;
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url());
    let prompts = program.folder().join("prompts");
    fs::create_dir(&prompts).expect("a folder");
    for file in ["review.md", "debug.md", "retrospective.md", "trainer-reader.md", "trainer-writer.md"] {
        fs::write(prompts.join(file), format!("my {file}")).expect("written");
    }
    let routing = program.variable("SUPERVISOR_CONFIG_DIR", &prompts.display().to_string()).start().await;
    for (tool, arguments) in tests::mcp::CONTRACT_CALLS {
        routing.mcp().result(tool, serde_json::from_str(arguments).expect("JSON")).await;
    }
    let systems: Vec<String> = models.received().iter().map(|request| request.message(0).to_string()).collect();
    assert_eq!(
        systems,
        ["my review.md", "my debug.md", "my retrospective.md", "my trainer-reader.md", "my trainer-writer.md"]
    );
}

#[test]
fn contract_1_every_missing_prompt_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("debug.md"), "x").expect("written");
    let folder_name = folder.path().display().to_string();
    let output = program::run(&["serve"], &[("SUPERVISOR_CONFIG_DIR", folder_name.as_str())], folder.path());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for file in ["review.md", "retrospective.md", "trainer-reader.md", "trainer-writer.md"] {
        assert!(printed.contains(file), "{file}: {printed}");
    }
    assert!(!printed.contains("/debug.md"), "{printed}");
}
