//! Bad policies and bad environments: one clear message that names the cause and the fix.

use std::fs;

use serde_json::{Value, json};
use tests::{
    Policy,
    policy::{merged, written},
    program::{self, Program, check},
    stand_in::models::Models,
};

#[test]
fn check_names_every_problem_with_its_place() {
    let more = r#"
thresholds: {floor: 0.9, ceil: "0,7"}
evidnce: {}
skills:
- {name: debug}
- {name: debug}
- name: notes
  description: d
  inputSchema: {type: object, properties: {commits: {type: string}}}
  stages: [{system: {text: s}, user: "{{ args.commitz }}"}]
- name: review
  thresholds: {floor: "0.5", ceil: "0.6"}
  inputSchema: {type: object, properties: {commits: {type: string}}}
  stages: []
"#;
    let (valid, printed) = check(&written("http://litellm:4000", "l", more.trim_start()), &[]);
    assert!(!valid);
    for line in [
        "policy.yaml:7:16: spec.thresholds.floor: 0.9: quote it: \"0.9\"",
        "policy.yaml:7:28: spec.thresholds.ceil: 0,7: must be a decimal from 0 to 1",
        "policy.yaml:8:3: spec.evidnce: unknown field",
        "policy.yaml:11:6: spec.skills[1].name: debug: a skill with this name is already defined above",
        "spec.skills[2].stages[0].user: unknown variable args.commitz; inputSchema.properties declares: commits",
        "spec.skills[3].description: is required, because \"review\" is not a built-in skill",
        "spec.skills[3].stages: 0 stages: must be 1 to 8",
        "spec.skills[3].thresholds.ceil: 0.6: must not be above floor (0.5)",
    ] {
        assert!(printed.contains(line), "{line}\nin\n{printed}");
    }
    assert_eq!(printed.lines().count(), 8, "{printed}");
}

#[test]
fn check_names_what_is_wrong_with_the_evidence_in_one_sentence_each() {
    for (more, expected) in [
        ("thresholds: {floor: \"0.9\"}", "7:3: spec.thresholds.ceil: is required"),
        (
            "thresholds: {floor: \"0.9\", ceil: \"0.7\", relativeTo: Claude}",
            "7:43: spec.thresholds.relativeTo: Claude: needs a brain, which knows Claude's rate; set spec.brain, or leave \
             relativeTo out",
        ),
        (
            "thresholds: {floor: \"0.9\", ceil: \"0.7\", relativeTo: claude}",
            "7:43: spec.thresholds.relativeTo: claude: must be one of None, Claude; did you mean Claude?",
        ),
        (
            "evidence: {exploration: {mode: Live}}",
            "7:28: spec.evidence.exploration.mode: Live: needs a brain, without which nothing is learned from it; set \
             spec.brain, or leave it out",
        ),
        (
            "evidence: {exploration: {share: \"1.5\"}}",
            "7:28: spec.evidence.exploration.share: 1.5: must be a decimal from 0 to 1 with at most four decimal places",
        ),
        (
            "evidence: {sources: []}",
            "7:14: spec.evidence.sources: []: must name at least one source; leave it out for all but implicit",
        ),
        (
            "evidence: {sources: [humans]}",
            "7:24: spec.evidence.sources[0]: humans: must be one of human, ci, review, agent, check, grader, implicit; \
             did you mean human?",
        ),
        ("evidence: {sources: [ci, ci]}", "7:28: spec.evidence.sources[1]: ci: is already listed above; remove one"),
    ] {
        let (valid, printed) = check(&written("http://litellm:4000", "l", more), &[]);
        assert!(!valid && printed.contains(&format!("policy.yaml:{expected}")), "{more}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{more}: {printed}");
    }
}

#[test]
fn check_names_what_is_wrong_with_a_check_and_a_grading_in_one_sentence_each() {
    for (skill, expected) in [
        ("check: {jsonSchema: {type: nonsense}}", "8:34: spec.skills[0].check.jsonSchema: is not a JSON Schema"),
        ("check: {pattern: \"(a\"}", "8:34: spec.skills[0].check.pattern: has the pattern"),
        ("check: {pattern: \"(?=a)\"}", "8:34: spec.skills[0].check.pattern: has the pattern"),
        ("check: {pattern: \"(?:a{1000}){1000}\"}", "8:34: spec.skills[0].check.pattern: has the pattern"),
        (
            "check: {pattern: a, jsonSchema: {type: object}}",
            "8:26: spec.skills[0].check: must have exactly one of jsonSchema and pattern",
        ),
        ("check: {}", "8:26: spec.skills[0].check: must have exactly one of jsonSchema and pattern"),
        ("onFailedCheck: Claude", "8:26: spec.skills[0].onFailedCheck: needs a check; add one, or remove it"),
        (
            "grading: {share: \"1.5\", maxPerHour: 1, rubric: r}",
            "8:36: spec.skills[0].grading.share: 1.5: must be a decimal from 0 to 1",
        ),
        (
            "grading: {share: \"1\", maxPerHour: 0, rubric: r}",
            "8:48: spec.skills[0].grading.maxPerHour: 0: must be from 1 to 10000",
        ),
        (
            "grading: {share: \"1\", maxPerHour: 1, rubric: r, by: Grader}",
            "6:3: spec.models: must have a grader, because a skill has grading.by: Grader; add models.grader",
        ),
    ] {
        let more = format!("brain: {{url: \"http://brain\"}}\nskills: [{{name: debug, {skill}}}]");
        let (valid, printed) = check(&written("http://litellm:4000", "l", &more), &[]);
        assert!(!valid && printed.contains(&format!("policy.yaml:{expected}")), "{skill}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{skill}: {printed}");
    }
}

#[test]
fn check_refuses_a_policy_in_which_only_a_grader_that_does_not_count_would_decide() {
    let more = "brain: {url: \"http://brain\"}\nskills: [{name: debug, grading: {share: \"1\", maxPerHour: 1, rubric: r}}]\n\
        evidence: {sources: [grader]}";
    let (valid, printed) = check(&written("http://litellm:4000", "l", more), &[]);
    assert!(
        !valid && printed.contains("policy.yaml:9:14: spec.evidence.sources: [grader]: leaves no verdict"),
        "{printed}"
    );
    assert!(printed.contains("grading.counts: true") && printed.lines().count() == 1, "{printed}");
}

#[test]
fn check_takes_the_policy_from_among_other_documents_and_names_places_in_the_file() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: routing}\n---\n";
    let file = |more: &str| format!("{namespace}{}---\n", written("http://a", "l", more));
    let (valid, printed) = check(&file(""), &[]);
    assert!(valid, "{printed}");
    let (valid, printed) = check(&file("treshold: {}\nservice: {port: 03210}"), &[]);
    assert!(!valid);
    for line in [
        "policy.yaml:11:3: spec.treshold: unknown field; did you mean thresholds?",
        "policy.yaml:12:13: spec.service.port: 03210: must be a whole number; write 3210, without a leading zero",
    ] {
        assert!(printed.contains(line), "{line}\nin\n{printed}");
    }
}

#[test]
fn check_has_json_output_and_takes_several_files() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("good.yaml"), written("http://a", "l", "")).expect("written");
    fs::write(folder.path().join("bad.yaml"), written("a", "l", "")).expect("written");
    let output = program::run(&["check", "good.yaml", "bad.yaml", "none.yaml", "--output", "json"], &[], folder.path());
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let valid: Vec<&Value> = report.as_array().expect("a list").iter().map(|file| &file["valid"]).collect();
    assert_eq!(valid, [&json!(true), &json!(false), &json!(false)]);
    assert_eq!(report[0]["skills"], json!(["code_review", "debug", "retrospective", "trainer"]));
    assert_eq!(report[1]["problems"][0]["position"], json!({"line": 5, "column": 14}));
    assert!(report[2]["problems"][0]["message"].as_str().is_some_and(|message| message.contains("cannot be read")));
    assert!(program::run(&["check", "good.yaml"], &[], folder.path()).status.success());
    assert_eq!(program::run(&["check"], &[], folder.path()).status.code(), Some(2), "no file is a usage error");
}

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
            "test" => Some("Go 1.24.0"),
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
