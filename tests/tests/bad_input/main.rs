//! Bad policies and bad environments: one clear message that names the cause and the fix. Bad requests: one answer each,
//! however many they are.

mod bodies;
mod check;
mod heads;
mod requests;

use std::fs;

use serde_json::{Value, json};
use tests::{
    Policy,
    policy::{merged, written},
    program::{self, Program, check},
    stand_in::models::Models,
};

#[test]
fn a_config_map_reference_needs_its_folder() {
    let reference = |config_map: &str| json!({"configMapKeyRef": {"name": config_map, "key": "debug.md"}});
    let with = |system: Value| {
        let stages = json!([{"system": system, "user": "x"}]);
        Policy::at("http://a").spec(json!({"skills": [{"name": "debug", "stages": stages}]}))
    };
    let policy = with(reference("prompts"));
    let (valid, printed) = check(&policy, &[]);
    assert!(
        !valid
            && printed.contains(
                "spec.skills[0].stages[0].system.configMapKeyRef: prompts/debug.md: \
                 there is no cluster to read ConfigMaps from"
            ),
        "{printed}"
    );
    let (valid, printed) = check(&policy, &["--configmaps", "maps"]);
    assert!(!valid && printed.contains("prompts/debug.md") && printed.contains("cannot be read"), "{printed}");
    let both = policy.spec(json!({"limits": {"inFlight": 0}}));
    let (_, printed) = check(&both, &["--configmaps", "maps"]);
    assert!(
        printed.contains("prompts/debug.md") && printed.contains("spec.limits.inFlight: 0: "),
        "all at once: {printed}"
    );
    assert_eq!(printed.lines().count(), 2, "{printed}");
    let twice = with(merged(reference("prompts"), json!({"text": "x"})));
    let (valid, printed) = check(&twice, &["--configmaps", "maps"]);
    let line = "spec.skills[0].stages[0].system: must have exactly one of text and configMapKeyRef";
    assert!(!valid && printed.contains(line) && printed.lines().count() == 1, "{printed}");
    let (valid, printed) = check(&with(reference("..")), &["--configmaps", "maps"]);
    assert!(!valid && printed.contains("is not a name and key of a ConfigMap"), "{printed}");
}

#[test]
fn a_refused_policy_prevents_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = written("http://a", "l", r#"thresholds: {floor: "0.70", ceil: "0.90"}"#);
    fs::write(folder.path().join("p.yaml"), text).expect("written");
    for (arguments, variables) in
        [(&["serve", "--policy", "p.yaml"][..], &[][..]), (&[], &[("ROUTING_POLICY_FILE", "p.yaml")])]
    {
        let output = program::run(arguments, variables, folder.path());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success()
                && printed.contains("p.yaml:7:31: spec.thresholds.ceil: 0.90: must not be above floor (0.70)"),
            "{printed}"
        );
    }
    let output = program::run(&["--policy", "none.yaml"], &[], folder.path());
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("none.yaml: cannot be read"),
        "{output:?}"
    );
}

#[test]
fn a_taken_port_prevents_the_start_and_names_the_variable_that_changes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let free = tests::ports::free().to_string();
    for (mcp, admin, variable) in [(&port, &free, "ROUTING_PORT"), (&free, &port, "ROUTING_ADMIN_PORT")] {
        let variables = [("ROUTING_BIND", "127.0.0.1"), ("ROUTING_PORT", mcp), ("ROUTING_ADMIN_PORT", admin)];
        let output = program::run(&[], &variables, folder.path());
        let printed = String::from_utf8_lossy(&output.stderr);
        let last = printed.lines().last().unwrap_or_default();
        assert!(
            !output.status.success()
                && last.contains(&format!("127.0.0.1:{port}"))
                && last.contains(&format!("set {variable} to another")),
            "{printed}"
        );
    }
}

#[test]
fn missing_tools_of_a_make_target_are_named_with_the_line_that_installs_them() {
    let tools = tests::checkout().join("tests/setup/tools.sh");
    for (target, tool, package) in [
        ("run", "cc", "build-essential"),
        ("test", "npm", "npm"),
        ("lint", "shellcheck", "shellcheck"),
        ("fuzz", "c++", "build-essential"),
        ("images", "buildah", "mmdebstrap"),
        ("e2e", "docker-registry", "skopeo"),
    ] {
        let bare = std::process::Command::new("/bin/bash").arg(&tools).arg(target).env("PATH", "/nonexistent").output();
        let output = bare.expect("bash runs");
        let printed = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = printed.lines().collect();
        assert!(!output.status.success() && lines[0].starts_with("missing: ") && lines[0].contains(tool), "{printed}");
        assert!(lines[1].contains("apt-get install") && lines[1].contains(package), "{printed}");
        let of_cargo = lines.last().expect("lines");
        assert!(of_cargo.contains("cargo") && of_cargo.contains("rustup"), "{printed}");
        let go = match target {
            "test" => Some("Go 1.26.0"),
            "lint" => Some("Go 1.25.0"),
            "images" | "e2e" => Some("Go 1.26.8"),
            _ => None,
        };
        assert_eq!(go.is_some(), printed.contains("missing: Go"), "what is built from Go modules: {printed}");
        assert!(printed.contains(go.unwrap_or_default()), "{printed}");
    }
}

#[tokio::test]
async fn the_policys_port_is_used_unless_a_variable_overrides_it() {
    let port = tests::ports::free();
    let policy = Policy::at("http://127.0.0.1:1").spec(json!({"service": {"port": port}}));
    let routing = Program::serve_policy(&policy).variable("ROUTING_PORT", "").at_port(port).start().await;
    assert_eq!(routing.mcp().tools().await.len(), 4);
    assert_eq!(routing.admin("/livez").await, "alive\n");
    assert_eq!(routing.admin("/readyz").await, "ready\n");
    let metrics = routing.admin("/metrics").await;
    assert!(metrics.ends_with("# EOF\n") && metrics.contains("routing_build_info{version="), "OpenMetrics: {metrics}");
}

#[test]
fn a_ca_bundle_that_is_not_a_certificate_is_refused_with_its_path() {
    let bundle = |pem: &str| format!("upstream: {{url: https://a, caBundle: {{text: \"{pem}\"}}}}");
    for pem in ["no PEM", "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"] {
        let text = written("https://a", "l", "").replace("upstream: {url: https://a}", &bundle(pem));
        let (valid, printed) = check(&text, &[]);
        assert!(!valid && printed.contains("policy.yaml:5:30: spec.upstream.caBundle: "), "{printed}");
    }
}

#[test]
fn all_invalid_settings_are_reported_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = program::run(&["--configmaps", "maps"], &[], folder.path());
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).starts_with("--configmaps: "),
        "{output:?}"
    );
    for roots in ["relative", "/nowhere/at/all"] {
        let output = program::run(&[], &[("ROUTING_WORKSPACE_ROOTS", roots), ("ROUTING_PORT", "0")], folder.path());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(
            printed.contains(&format!("ROUTING_WORKSPACE_ROOTS: {roots}: must be absolute"))
                && printed.contains("ROUTING_PORT: 0"),
            "{printed}"
        );
    }
    let output =
        program::run(&[], &[("RUST_LOG", "[["), ("ROUTING_LOG_FORMAT", "xml"), ("ROUTING_PORT", "0")], folder.path());
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 3, "all bad variables in one go: {output:?}");
    let rendered =
        Policy::at("http://a").annotation("routing.hyperguild.io/rendered", "true").spec(json!({"evidnce": {}}));
    assert!(!check(&rendered, &[]).0, "check refuses unknown fields even in a rendered file");
}

#[test]
fn log_variables_are_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, value) in [("ROUTING_LOG_FORMAT", "xml"), ("RUST_LOG", "[[")] {
        let output = program::run(&[], &[(name, value)], folder.path());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.starts_with(&format!("{name}: {value}: ")), "{printed}");
    }
}

#[tokio::test]
async fn variables_that_a_policy_file_overrides_are_named_in_one_warning() {
    let read = json!({"url": "http://127.0.0.1:1", "tokenSecretRef": {"name": "s", "key": "BRAIN_TOKEN"}});
    let routing = Program::serve_policy(&Policy::at("http://127.0.0.1:1").spec(json!({"brain": read})))
        .variable("BRAIN_URL", "http://b")
        .variable("HYPERGUILD_LOCAL_MODEL", "m")
        .variable("BRAIN_TOKEN", "read by the policy's reference")
        .variable("ROUTING_MCP_TOKEN", "of no use without access.tokens")
        .start()
        .await;
    let warnings = tests::waiting::until("the warning", || async {
        let log = routing.log();
        let warnings: Vec<String> =
            log.lines().filter(|line| line.contains("are ignored")).map(str::to_string).collect();
        (!warnings.is_empty()).then_some(warnings)
    })
    .await;
    assert_eq!(warnings.len(), 1, "{}", routing.log());
    assert!(warnings[0].contains("\"ROUTING_MCP_TOKEN, BRAIN_URL, HYPERGUILD_LOCAL_MODEL\""), "{warnings:?}");
}

#[tokio::test]
async fn files_are_read_below_the_workspaces_only_and_others_are_named_in_the_prompt() {
    let models = Models::start().await;
    let workspace = tempfile::tempdir().expect("a folder");
    fs::write(workspace.path().join("main.rs"), "fn main() { answer() }").expect("written");
    let outside = tempfile::NamedTempFile::new().expect("a file");
    fs::write(outside.path(), "CANARY").expect("written");
    std::os::unix::fs::symlink(outside.path(), workspace.path().join("escape")).expect("a link");
    let root = workspace.path().display().to_string();
    let program =
        Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("ROUTING_WORKSPACE_ROOTS", &root);
    let routing = program.start().await;
    let files = ["main.rs", "../../etc/passwd", "/etc/passwd", "escape", "missing.rs", "bidi\u{202e}.rs"];
    let result = routing.mcp().result("code_review", json!({"project_root": root, "files": files})).await;
    assert!(!result.is_error(), "a file that cannot be read is not an error");
    let prompt = models.received()[0].message(1).to_string();
    assert!(prompt.contains("fn main() { answer() }"), "{prompt}");
    for named in ["../../etc/passwd", "/etc/passwd", "escape", "missing.rs", "bidi\\u{202e}.rs"] {
        assert!(prompt.contains(named), "{named}: {prompt}");
    }
    assert!(!prompt.contains("root:x:") && !prompt.contains("CANARY"), "{prompt}");
}

#[tokio::test]
async fn a_users_own_skill_is_served_like_a_built_in_one() {
    let models = Models::start().await;
    let skill = json!({
        "name": "release_notes",
        "description": "Writes release notes from a commit list.",
        "inputSchema": {"type": "object", "required": ["commits"], "properties": {"commits": {"type": "string"}}},
        "stages": [
            {"system": {"text": "You write release notes."}, "user": "Commits: {{ args.commits }}"},
            {"system": {"text": "You shorten."}, "user": "{{ previous }} / short"},
        ],
    });
    let policy = Policy::at(&models.url()).spec(json!({"skills": [skill]}));
    let routing = Program::serve_policy(&policy).start().await;
    assert_eq!(routing.mcp().tools().await, ["release_notes"]);
    let result = routing.mcp().result("release_notes", json!({"commits": "fix: <a>"})).await;
    assert_eq!(result.text(0), "answer of l");
    let prompts: Vec<String> = models.received().iter().map(|r| r.message(1).to_string()).collect();
    assert_eq!(prompts, ["Commits: fix: <a>", "answer of l / short"]);
}

#[tokio::test]
async fn a_prompt_that_cannot_be_rendered_is_a_tool_error_that_names_stage_and_line() {
    let models = Models::start().await;
    let skill = json!({
        "name": "notes",
        "description": "d",
        "inputSchema": {"type": "object", "properties": {"a": {}}},
        "stages": [{"system": {"text": "s"}, "user": "line\n{{ args.a }}"}],
    });
    let policy = Policy::at(&models.url()).spec(json!({"skills": [skill]}));
    let routing = Program::serve_policy(&policy).start().await;
    let result = routing.mcp().result("notes", json!({})).await;
    assert!(
        result.is_error()
            && result.text(0).contains("the prompt of stage 1 could not be rendered: line 2: a value is not defined"),
        "{result:?}"
    );
    assert!(models.asked().is_empty());
}
