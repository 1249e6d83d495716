use super::*;
use crate::config::PolicySource;

fn variables(given: &[(&str, &str)]) -> Variables {
    given.iter().copied().collect()
}

fn read_environment(given: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    read(&variables(given), None, None).map_err(|e| e.0)
}

fn spec(given: &[(&str, &str)]) -> crds::RoutingPolicySpec {
    match read_environment(given).expect("valid").source {
        PolicySource::Environment(spec) => *spec,
        PolicySource::File { .. } => panic!("no file was given"),
    }
}

/// One test per row of the table in `contract` part 1: the default, a value, an empty value.
macro_rules! contract_variables {
    ($($name:ident: $variable:literal, $read:expr, $default:expr, $value:literal => $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            let read = $read;
            assert_eq!(read(&[]), $default, "unset");
            assert_eq!(read(&[($variable, "")]), $default, "the empty string counts as unset");
            assert_eq!(read(&[($variable, $value)]), $expected);
        }
    )*};
}

type Given<'a> = &'a [(&'a str, &'a str)];

contract_variables! {
    contract_1_routing_port: "ROUTING_PORT", |v: Given<'_>| read_environment(v).expect("valid").port.unwrap_or(spec(v).service.port), 3210, "8080" => 8080;
    contract_1_routing_mcp_token: "ROUTING_MCP_TOKEN", |v: Given<'_>| spec(v).access.tokens.len(), 0, "s3cret" => 1;
    contract_1_litellm_base_url: "LITELLM_BASE_URL", |v: Given<'_>| spec(v).upstream.url, "http://piguard:4000", "https://a/v1" => "https://a/v1";
    contract_1_litellm_api_key: "LITELLM_API_KEY", |v: Given<'_>| spec(v).upstream.api_key_secret_ref.map(|r| r.key), None, "sk" => Some("LITELLM_API_KEY".to_string());
    contract_1_brain_url: "BRAIN_URL", |v: Given<'_>| spec(v).brain.expect("a brain").url.expect("a URL"), "http://ingestion.supervisor:3300", "http://b" => "http://b";
    contract_1_local_model: "HYPERGUILD_LOCAL_MODEL", |v: Given<'_>| spec(v).models.local.name, "qwen35", "m" => "m";
    contract_1_claude_model: "HYPERGUILD_CLAUDE_MODEL", |v: Given<'_>| spec(v).models.claude.name.unwrap_or_default(), "claude-sonnet-4-6", "m" => "m";
    contract_1_floor: "HYPERGUILD_ROUTE_LOCAL_FLOOR", |v: Given<'_>| spec(v).thresholds.floor.value(), Ok(0.90), "0.857142857" => Ok(0.857_142_857);
    contract_1_ceil: "HYPERGUILD_ROUTE_LOCAL_CEIL", |v: Given<'_>| spec(v).thresholds.ceil.value(), Ok(0.70), "1e-3" => Ok(0.001);
    contract_1_ttl: "HYPERGUILD_PASS_RATE_TTL_SECONDS", |v: Given<'_>| spec(v).evidence.ttl.text().to_string(), "60s", "86400" => "86400s";
}

#[test]
fn contract_1_ttl_of_zero_is_60() {
    assert_eq!(spec(&[("HYPERGUILD_PASS_RATE_TTL_SECONDS", "0")]).evidence.ttl.text(), "60s");
}

#[test]
fn contract_1_supervisor_config_dir() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = [("SUPERVISOR_CONFIG_DIR", folder.path().to_str().expect("UTF-8"))];
    for file in ["review.md", "debug.md", "retrospective.md", "trainer-reader.md"] {
        std::fs::write(folder.path().join(file), format!("my {file}")).expect("written");
    }
    std::fs::create_dir(folder.path().join("trainer-writer.md")).expect("unreadable as a file");
    std::fs::remove_file(folder.path().join("debug.md")).expect("missing");
    let errors = read_environment(&set).expect_err("two are unusable");
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("SUPERVISOR_CONFIG_DIR") && errors[0].contains("debug.md"), "{errors:?}");
    assert!(errors[1].contains("trainer-writer.md"), "{errors:?}");
    std::fs::write(folder.path().join("debug.md"), "my debug.md").expect("written");
    std::fs::remove_dir(folder.path().join("trainer-writer.md")).expect("removed");
    std::fs::write(folder.path().join("trainer-writer.md"), "my writer").expect("written");
    assert_ne!(read_environment(&set).expect("valid").prompts, BuiltinPrompts::default());
    assert_eq!(read_environment(&[("SUPERVISOR_CONFIG_DIR", "")]).expect("valid").prompts, BuiltinPrompts::default());
}

#[test]
fn contract_1_every_bad_variable_is_named_in_one_go_with_its_value() {
    let bad = [
        ("ROUTING_PORT", "tcp://10.0.0.1:3210", "tcp://10.0.0.1:3210"),
        ("ROUTING_ADMIN_PORT", "0", "0"),
        ("ROUTING_BIND", "everywhere", "everywhere"),
        ("ROUTING_ADMIN_BIND", "nowhere", "nowhere"),
        ("ROUTING_ADMIN_ALLOWED_HOSTS", "*", "*"),
        ("ROUTING_CONNECTIONS", "0", "0"),
        ("LITELLM_BASE_URL", "http://user:canary@ host", "http://…@ host"),
        ("BRAIN_URL", "brain:3300", "brain:3300"),
        ("HYPERGUILD_LOCAL_MODEL", "a\nb", "a\\u{a}b"),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "NaN", "NaN"),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "0,7", "0,7"),
        ("HYPERGUILD_PASS_RATE_TTL_SECONDS", "86401", "86401"),
    ];
    let given: Vec<(&str, &str)> = bad.iter().map(|(name, value, _)| (*name, *value)).collect();
    let errors = read_environment(&given).expect_err("all bad");
    assert_eq!(errors.len(), bad.len(), "{errors:#?}");
    for (name, _, shown) in bad {
        let lines: Vec<&String> =
            errors.iter().filter(|line| line.starts_with(&format!("{name}: {shown}: must be"))).collect();
        assert_eq!(lines.len(), 1, "{name}: {errors:#?}");
    }
    assert!(!errors.join("").contains("canary") && errors.iter().all(|line| !line.contains('\n')));
}

#[test]
fn addresses_with_a_user_and_link_local_addresses_are_refused_with_the_cure() {
    for (name, value, line) in [
        (
            "LITELLM_BASE_URL",
            "http://me:canary@litellm:4000",
            "LITELLM_BASE_URL: http://…@litellm:4000: must not have a user or a password; set LITELLM_API_KEY",
        ),
        (
            "BRAIN_URL",
            "http://me:canary@brain",
            "BRAIN_URL: http://…@brain: must not have a user or a password; set BRAIN_TOKEN",
        ),
        (
            "LITELLM_BASE_URL",
            "http://169.254.169.254",
            "LITELLM_BASE_URL: http://169.254.169.254: must not be a link-local address (169.254.0.0/16, fe80::/10); use \
            the name or another address of the host",
        ),
    ] {
        assert_eq!(read_environment(&[(name, value)]).expect_err("refused"), [line]);
    }
}

#[test]
fn contract_1_ranges() {
    for (name, value, valid) in [
        ("ROUTING_PORT", "1", true),
        ("ROUTING_PORT", "65535", true),
        ("ROUTING_PORT", "0", false),
        ("ROUTING_PORT", "65536", false),
        ("ROUTING_PORT", "-1", false),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "1", true),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "0.7", true),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "0.69", false),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "1.0000001", false),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "0", true),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "0.9", true),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "0.91", false),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "-0.1", false),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "inf", false),
        ("HYPERGUILD_PASS_RATE_TTL_SECONDS", "86400", true),
        ("HYPERGUILD_PASS_RATE_TTL_SECONDS", "1.5", false),
        ("HYPERGUILD_PASS_RATE_TTL_SECONDS", "-1", false),
    ] {
        assert_eq!(read_environment(&[(name, value)]).is_ok(), valid, "{name}={value}");
    }
}

#[test]
fn a_blank_token_is_refused_by_name_and_not_shown_as_unset() {
    for name in ["ROUTING_MCP_TOKEN", "LITELLM_API_KEY", "BRAIN_TOKEN"] {
        let errors = read_environment(&[(name, " \n")]).expect_err("blank");
        assert!(errors.len() == 1 && errors[0].starts_with(&format!("{name}: is blank")), "{errors:?}");
    }
}

#[test]
fn the_admin_port_has_the_address_of_the_other_unless_it_has_its_own() {
    let binds = |given: Given<'_>| {
        let settings = read_environment(given).expect("valid");
        [settings.bind, settings.admin_bind].map(|bind| bind.map_or("every".into(), |bind| bind.to_string()))
    };
    assert_eq!(binds(&[]), ["every", "every"]);
    assert_eq!(binds(&[("ROUTING_BIND", "10.0.0.7")]), ["10.0.0.7", "10.0.0.7"]);
    assert_eq!(binds(&[("ROUTING_ADMIN_BIND", "::1")]), ["every", "::1"]);
    assert_eq!(binds(&[("ROUTING_BIND", "0.0.0.0"), ("ROUTING_ADMIN_BIND", "127.0.0.1")]), ["0.0.0.0", "127.0.0.1"]);
}

#[test]
fn contract_3_from_the_environment_no_old_value_is_held() {
    assert_eq!(spec(&[]).evidence.hold_for.text(), "0s");
}

#[test]
fn contract_1_without_a_file_the_four_builtin_skills_are_served() {
    let table = crds::compile(&spec(&[]), &BuiltinPrompts::default()).expect("compiles");
    assert_eq!(table.skills.keys().collect::<Vec<_>>(), ["code_review", "debug", "retrospective", "trainer"]);
}

#[test]
fn a_list_of_secret_variables_that_holds_a_value_is_refused_without_showing_it() {
    let given = variables(&[("ROUTING_SECRET_VARIABLES", "MY_KEY=canary")]);
    let refused = read(&given, Some("policy.yaml".into()), None).expect_err("not names").to_string();
    assert!(refused.starts_with("ROUTING_SECRET_VARIABLES: must be names"), "{refused}");
    assert!(!refused.contains("canary"), "{refused}");
}

#[test]
fn with_a_policy_file_the_variables_of_the_policy_do_not_count_and_are_named() {
    let given = variables(&[
        ("BRAIN_URL", "http://b"),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "x"),
        ("ROUTING_PORT", "8080"),
        ("LITELLM_API_KEY", ""),
    ]);
    let settings = read(&given, Some("policy.yaml".into()), None).expect("valid");
    assert_eq!(settings.policy_variables, ["BRAIN_URL", "HYPERGUILD_ROUTE_LOCAL_FLOOR"]);
    assert_eq!(settings.port, Some(8080));
}
