use std::time::Duration;

use super::*;
use crate::{
    Document,
    policy::{EvidenceOf, OnExpired, OnLocalError, RelativeTo, Source},
    table::{CallTimeouts, EvidenceRules, ExplorationRules, ThresholdValues},
};

mod attach;
mod caller;
mod check;
mod evidence;
mod review;
mod timeouts;

const HEAD: &str = "apiVersion: routing.hyperguild.io/v1alpha1\nkind: RoutingPolicy\nmetadata: {name: p}\nspec:\n";
const MINIMAL: &str =
    "  upstream: {url: http://litellm:4000}\n  models: {local: {name: qwen}, claude: {name: claude}}\n";

fn compile_text(spec: &str) -> Result<RoutingTable, Vec<String>> {
    let document = Document::parse(&format!("{HEAD}{spec}")).expect("a policy");
    compile(&document.policy.spec, &BuiltinPrompts::default())
        .map_err(|e| e.0.iter().map(ToString::to_string).collect())
}

fn with(more: &str) -> Result<RoutingTable, Vec<String>> {
    compile_text(&format!("{MINIMAL}{more}\n"))
}

#[test]
fn a_minimal_policy_serves_the_builtin_skills_with_the_defaults() {
    let table = with("").expect("compiles");
    assert_eq!(table.skills.keys().collect::<Vec<_>>(), ["code_review", "debug", "retrospective", "trainer"]);
    assert_eq!(table.local.url.as_str(), "http://litellm:4000/v1/chat/completions");
    assert_eq!((table.local.timeout, table.claude.model().map(|claude| claude.timeout)), (None, Some(None)));
    let (local, total) = (Duration::from_secs(75), Duration::from_secs(115));
    assert_eq!(
        table.skills["debug"].timeouts,
        CallTimeouts { local, total },
        "both attempts within Claude Code's 120 s"
    );
    assert_eq!(table.skills["debug"].thresholds, ThresholdValues { floor: 0.9, ceil: 0.7 });
    let EvidenceRules { of, sources, window, ttl, min_samples, on_expired, hold_for } = table.evidence;
    assert_eq!((window.as_str(), ttl.as_secs(), min_samples, hold_for.as_secs()), ("7d", 60, 1, 3600));
    assert_eq!((of, on_expired), (EvidenceOf::Model, OnExpired::Hold));
    let sources: Vec<&str> = sources.into_iter().map(Source::as_str).collect();
    assert_eq!(sources, ["human", "ci", "review", "agent", "check", "grader"], "all but implicit");
    assert_eq!(table.exploration, ExplorationRules::OFF);
    assert_eq!(table.skills["debug"].relative_to, RelativeTo::None);
    assert!(table.brain.is_none());
}

/// Each row tests a rule: the policy's text, and the start of the one error about it.
fn assert_refused(rows: Vec<(String, &str)>) {
    for (more, expected) in rows {
        let errors = with(&more).expect_err(&more);
        assert_eq!(errors.len(), 1, "{more}: {errors:?}");
        assert!(errors[0].starts_with(expected), "{more}:\n  {}\n  {expected}", errors[0]);
        assert!(!errors[0].contains("canary"));
    }
}

#[test]
fn every_rule_of_the_policy_names_path_value_and_cure() {
    assert_refused(vec![
        (
            "  thresholds: {floor: \"0,9\", ceil: \"0.70\"}".into(),
            "spec.thresholds.floor: 0,9: must be a decimal from 0 to 1",
        ),
        ("  thresholds: {floor: 0.9, ceil: \"0.70\"}".into(), "spec.thresholds.floor: 0.9: quote it: \"0.9\""),
        (
            "  dataPlane: {podAnnotations: {io.kubernetes.cri-o.userns-mode: auto}}".into(),
            "spec.dataPlane.podAnnotations: io.kubernetes.cri-o.userns-mode: changes a pod's confinement, networks or",
        ),
        (
            "  thresholds: {floor: \"0.70\", ceil: \"0.90\"}".into(),
            "spec.thresholds.ceil: 0.90: must not be above floor (0.70)",
        ),
        ("  brain: {url: ftp://brain}".into(), "spec.brain.url: ftp://brain: must start with http"),
        ("  brain: {url: \"http://u:canary@ b\"}".into(), "spec.brain.url: http://…@ b: must be a URL"),
        (
            "  brain: {url: \"http://u:canary@b\"}".into(),
            "spec.brain.url: http://…@b: must not have a user or a password; put it into a Secret, and name that in tokenS",
        ),
        (
            "  brain: {url: http://169.254.169.254/latest}".into(),
            "spec.brain.url: http://169.254.169.254/latest: must not be a link-local address (169.254.0.0/16, fe80::/10)",
        ),
        (
            "  brain: {url: http://b, tokenSecretRef: {name: s, key: ../k}}".into(),
            "spec.brain.tokenSecretRef.key: ../k: must be letters",
        ),
        ("  evidence: {window: 7w}".into(), "spec.evidence.window: 7w: must be a whole number"),
        ("  evidence: {ttl: 0s}".into(), "spec.evidence.ttl: 0s: must be a whole number"),
        ("  evidence: {minSamples: 0}".into(), "spec.evidence.minSamples: 0: must be from 1"),
        ("  evidence: {holdFor: 1x}".into(), "spec.evidence.holdFor: 1x: must be a whole number"),
        (
            "  timeouts: {local: 300s, total: 280s}".into(),
            "spec.timeouts.local: 300s: must not be longer than timeouts.total (280s)",
        ),
        ("  limits: {inFlight: 0}".into(), "spec.limits.inFlight: 0: must be from 1 to 10000"),
        ("  service: {port: 0}".into(), "spec.service.port: 0: must be from 1 to 65535"),
    ]);
}

#[test]
fn every_rule_about_who_may_call_names_path_value_and_cure() {
    assert_refused(vec![
        (
            "  access: {tokens: [{name: A, secretRef: {name: s, key: k}}]}".into(),
            "spec.access.tokens[0].name: A: must be lower-case",
        ),
        (
            "  access: {tokens: [{name: a, secretRef: {name: s, key: k}}, {name: a, secretRef: {name: s, key: l}}]}"
                .into(),
            "spec.access.tokens[1].name: a: a token with this name is already defined above",
        ),
        (
            "  access: {allowedOrigins: [\"https://a.example/path\"]}".into(),
            "spec.access.allowedOrigins[0]: https://a.example/path: must be an origin",
        ),
        (
            "  access: {allowedHosts: [\"*\"]}".into(),
            "spec.access.allowedHosts[0]: *: has no wildcards; leave allowedHosts out for any host",
        ),
        (
            "  access: {allowedHosts: [\"*.example\"]}".into(),
            "spec.access.allowedHosts[0]: *.example: has no wildcards",
        ),
        ("  access: {allowedHosts: [\"a.example:*\"]}".into(), "spec.access.allowedHosts[0]: a.example:*: has no wild"),
        (
            "  access: {allowedOrigins: [\"*\"]}".into(),
            "spec.access.allowedOrigins[0]: *: has no wildcards; name each origin, for example https://chat.example",
        ),
        (
            "  access: {allowedOrigins: [\"https://*.example\"]}".into(),
            "spec.access.allowedOrigins[0]: https://*.example: has no wildcards",
        ),
        ("  access: {allowedHosts: [\"http://a\"]}".into(), "spec.access.allowedHosts[0]: http://a: must be a host"),
    ]);
}

#[test]
fn every_rule_of_a_skill_names_path_value_and_cure() {
    let skill = "description: d, inputSchema: {type: object, properties: {a: {}}}, stages: [{system: {text: s}, user: ";
    assert_refused(vec![
        ("  skills: []".into(), "spec.skills: 0: must be 1 to 64 skills"),
        (
            "  skills: [{name: debug}, {name: debug}]".into(),
            "spec.skills[1].name: debug: a skill with this name is already defined above",
        ),
        (
            "  skills: [{name: debug, thresholds: {floor: \"0.5\", ceil: \"0.6\"}}]".into(),
            "spec.skills[0].thresholds.ceil: 0.6: must not be above",
        ),
        (
            "  skills: [{name: debug, inputSchema: {type: array}}]".into(),
            "spec.skills[0].inputSchema: must have type: object",
        ),
        ("  skills: [{name: debug, stages: []}]".into(), "spec.skills[0].stages: 0 stages: must be 1 to 8"),
        (
            "  skills: [{name: debug, stages: [{system: {}, user: u}]}]".into(),
            "spec.skills[0].stages[0].system: must have exactly one of",
        ),
        (
            "  skills: [{name: debug, stages: [{system: {configMapKeyRef: {name: a, key: b}}, user: u}]}]".into(),
            "spec.skills[0].stages[0].system.configMapKeyRef: a/b: there is no cluster",
        ),
        (
            format!("  skills: [{{name: notes, {skill}\"{{{{ args.b }}}}\"}}]}}]"),
            "spec.skills[0].stages[0].user: unknown variable args.b; inputSchema.properties declares: a",
        ),
        (
            format!("  skills: [{{name: notes, {skill}\"{{{{ nope }}}}\"}}]}}]"),
            "spec.skills[0].stages[0].user: unknown variable nope",
        ),
        (format!("  skills: [{{name: notes, {skill}\"{{% if\"}}]}}]"), "spec.skills[0].stages[0].user: line 1: "),
        (format!("  skills: [{{name: notes, {skill}\"\"}}]}}]"), "spec.skills[0].stages[0].user: must not be empty"),
        (
            format!("  skills: [{{name: notes, {skill}\"{{{{ args{} }}}}\"}}]}}]", ".a".repeat(2000)),
            "spec.skills[0].stages[0].user: line 1, column 520: a tag has more than 256 operators, postfixes and brackets; split it",
        ),
        (
            format!("  skills: [{{name: notes, {skill}\"{{{{ args.a | uper }}}}\"}}]}}]"),
            "spec.skills[0].stages[0].user: line 1, column 13: unknown filter uper; did you mean upper?",
        ),
        (
            format!("  skills: [{{name: _routing, {skill}u}}]}}]"),
            "spec.skills[0].name: _routing: must be 1 to 48 of a-z",
        ),
        (format!("  skills: [{{name: {}, {skill}u}}]}}]", "a".repeat(49)), "spec.skills[0].name: aaa"),
        (
            format!("  skills: [{{name: notes, {skill}{}}}]}}]", "u".repeat(65537)),
            "spec.skills[0].stages[0].user: 65537 bytes: must be at most",
        ),
    ]);
}

/// MCP allows it since 2026-07-28.
#[test]
fn a_composition_at_the_top_of_a_schema_is_a_warning_and_templates_are_checked_all_the_same() {
    let schema = "{type: object, additionalProperties: false, properties: {a: {}}, allOf: [{required: [a]}]}";
    let notes = |user: &str| {
        with(&format!(
            "  skills: [{{name: debug}}, {{name: notes, description: d, inputSchema: {schema}, stages: \
            [{{system: {{text: s}}, user: \"{{{{ {user} }}}}\"}}]}}]"
        ))
    };
    let warnings = notes("args.a").expect("compiles").warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("skill notes: inputSchema has allOf at its top level, "), "{warnings:?}");
    let errors = notes("args.b").expect_err("no such argument");
    assert!(errors[0].ends_with("unknown variable args.b; inputSchema.properties declares: a"), "{errors:?}");
    assert_eq!(with("").expect("compiles").warnings(), Vec::<String>::new());
}

#[test]
fn deep_parameters_are_refused_before_a_pod_has_to_read_them() {
    let with = |depth: usize| {
        let mut spec: RoutingPolicySpec = Document::parse(&format!("{HEAD}{MINIMAL}")).expect("a policy").policy.spec;
        let deep = (1..depth).fold(serde_json::json!({}), |below, _| serde_json::json!([below]));
        spec.models.local.parameters.insert("a".into(), deep);
        compile(&spec, &BuiltinPrompts::default())
    };
    assert!(with(39).is_ok());
    let errors = with(40).expect_err("deep").0;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "spec.models.local.parameters: is nested deeper than 40 levels; flatten it");
}

#[test]
fn the_patterns_of_all_skills_are_counted_together() {
    let skill = |name: &str, from: usize, to: usize| {
        let patterns: Vec<String> = (from..to).map(|i| format!("p{i}: true")).collect();
        format!(
            "{{name: {name}, inputSchema: {{type: object, properties: {{a: {{patternProperties: {{{}}}}}}}}}}}",
            patterns.join(", ")
        )
    };
    assert!(with(&format!("  skills: [{}, {}]", skill("debug", 0, 16), skill("trainer", 16, 32))).is_ok());
    let more = format!("  skills: [{}, {}]", skill("debug", 0, 16), skill("trainer", 16, 33));
    assert_refused(vec![(
        more,
        "spec.skills[1].inputSchema: has 17 patterns, and 16 of 32 are left for it; the schemas of a policy have at most",
    )]);
}

#[test]
fn models_and_upstreams_are_checked() {
    let spec = r#"
  upstream: {url: "litellm:4000", caBundle: {configMapKeyRef: {name: ca, key: ca.crt}}}
  models:
    local: {name: "", parameters: {model: x, stream: true}, timeout: 1, maxConcurrent: 0}
    claude: {name: c, maxConcurrent: 1001, upstream: {url: "https://claude.example/v1/", apiKeySecretRef: {name: "", key: k}}}
"#;
    let document = Document::parse(&format!("{HEAD}{}", spec.replace("timeout: 1", "timeout: 1x"))).expect("a policy");
    let errors = compile(&document.policy.spec, &BuiltinPrompts::default()).expect_err("many errors").0;
    let paths: Vec<&str> = errors.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.models.local.name",
            "spec.models.local.parameters.model",
            "spec.models.local.parameters.stream",
            "spec.models.local.maxConcurrent",
            "spec.models.local.timeout",
            "spec.models.claude.maxConcurrent",
            "spec.models.claude.upstream.apiKeySecretRef.name",
        ]
    );
}

#[test]
fn link_local_addresses_and_users_are_refused_in_every_form() {
    for (url, error) in [
        ("http://169.254.169.254", BaseUrlError::LinkLocal),
        ("https://169.254.0.1:8443/v1", BaseUrlError::LinkLocal),
        ("http://2852039166", BaseUrlError::LinkLocal),
        ("http://0xa9fea9fe/", BaseUrlError::LinkLocal),
        ("http://169.254.43518", BaseUrlError::LinkLocal),
        ("http://[fe80::1]:4000", BaseUrlError::LinkLocal),
        ("http://[FEBF::1]", BaseUrlError::LinkLocal),
        ("http://[::ffff:169.254.169.254]", BaseUrlError::LinkLocal),
        ("http://[::ffff:a9fe:a9fe]", BaseUrlError::LinkLocal),
        ("http://me:canary@host", BaseUrlError::User),
        ("http://me@host", BaseUrlError::User),
        ("http://:canary@host", BaseUrlError::User),
        ("http://me:canary@169.254.169.254", BaseUrlError::User),
    ] {
        assert_eq!(parse_base_url(url), Err(error), "{url}");
    }
    for url in ["http://10.0.0.7", "http://[fd00::1]:4000", "http://[::1]", "http://192.168.1.9", "http://[fec0::1]"] {
        assert!(parse_base_url(url).is_ok(), "{url}");
    }
}

#[test]
fn a_skill_that_is_not_built_in_needs_its_three_fields() {
    let errors = with("  skills: [{name: notes}]").expect_err("incomplete");
    let paths: Vec<&str> = errors.iter().map(|e| e.split(':').next().unwrap_or_default()).collect();
    assert_eq!(paths, ["spec.skills[0].description", "spec.skills[0].inputSchema", "spec.skills[0].stages"]);
}

#[test]
fn a_skill_pinned_to_the_local_model_sends_nothing_to_claude_unless_told() {
    let table = with("  skills: [{name: debug, route: Local}, {name: trainer, route: Local, onLocalError: Claude}, {name: code_review}]").expect("compiles");
    let on_error = |name: &str| table.skills[name].on_local_error;
    assert_eq!(
        (on_error("debug"), on_error("trainer"), on_error("code_review")),
        (OnLocalError::Fail, OnLocalError::Claude, OnLocalError::Claude)
    );
}

#[test]
fn a_models_own_upstream_inherits_nothing() {
    let table = compile_text(
        "  upstream: {url: http://a/v1, apiKeySecretRef: {name: s, key: k}}\n  models: {local: {name: l}, claude: {name: c, upstream: {url: https://b/v1/}, timeout: 30s, maxConcurrent: 4}}\n",
    )
    .expect("compiles");
    assert_eq!(table.local.url.as_str(), "http://a/v1/chat/completions");
    let claude = table.claude.model().expect("a model");
    assert_eq!(claude.url.as_str(), "https://b/v1/chat/completions");
    assert!(table.local.api_key.is_some() && claude.api_key.is_none());
    assert_eq!(claude.timeout, Some(Duration::from_secs(30)));
    assert_eq!((claude.max_concurrent, table.local.max_concurrent), (Some(4), None));
    assert_eq!(table.secrets().count(), 1);
}
