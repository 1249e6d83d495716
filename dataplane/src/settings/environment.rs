//! The variables of `contract` part 1, and the policy that they describe.

use crds::{
    RoutingPolicySpec,
    compile::{BaseUrlError, is_model_name, parse_base_url},
    decimal::{Decimal, is_share},
    period::Period,
    policy::{
        Access, AccessToken, Brain, DataPlane, Evidence, EvidenceOf, Model, Models, OnExpired, RelativeTo,
        SecretKeyRef, Service, Thresholds, Upstream,
    },
    table::ThresholdValues,
    variables::{Reader, Variables},
};
use endpoint::bearer;

/// Longest cache time, in seconds.
const TTL_MAX: u32 = 86_400;
const DECIMAL_RULE: &str = "must be a finite number from 0 to 1, for example 0.90";
/// Name that stands for the environment in references to secrets.
const ENVIRONMENT: &str = "environment";
/// The caller's name when the one token comes from the environment.
const ENVIRONMENT_CALLER: &str = "environment";

/// The defaults of `contract` part 1; `piguard` and `ingestion.supervisor` are hosts of the project's first owner.
mod defaults {
    pub const LITELLM_BASE_URL: &str = "http://piguard:4000";
    pub const BRAIN_URL: &str = "http://ingestion.supervisor:3300";
    pub const LOCAL_MODEL: &str = "qwen35";
    pub const CLAUDE_MODEL: &str = "claude-sonnet-4-6";
    pub const FLOOR: f64 = 0.90;
    pub const CEIL: f64 = 0.70;
    pub const TTL_SECONDS: u32 = 60;
}

/// Address of the brain unless `BRAIN_URL` sets another.
pub const DEFAULT_BRAIN_URL: &str = defaults::BRAIN_URL;

/// Endpoint of both models.
pub const LITELLM_BASE_URL: &str = "LITELLM_BASE_URL";
/// Name of the local model.
pub const LOCAL_MODEL: &str = "HYPERGUILD_LOCAL_MODEL";
/// Name of the Claude model.
pub const CLAUDE_MODEL: &str = "HYPERGUILD_CLAUDE_MODEL";
/// Endpoint of the local model alone; not set: that of both models.
pub const LOCAL_BASE_URL: &str = "ROUTING_LOCAL_BASE_URL";
/// Endpoint of Claude alone; not set: that of both models.
pub const CLAUDE_BASE_URL: &str = "ROUTING_CLAUDE_BASE_URL";

/// Variables that describe the policy; they are used only if there is no policy file.
const POLICY_VARIABLES: [&str; 14] = [
    "ROUTING_MCP_TOKEN",
    LITELLM_BASE_URL,
    "LITELLM_API_KEY",
    LOCAL_BASE_URL,
    "ROUTING_LOCAL_API_KEY",
    CLAUDE_BASE_URL,
    "ROUTING_CLAUDE_API_KEY",
    "BRAIN_URL",
    "BRAIN_TOKEN",
    LOCAL_MODEL,
    CLAUDE_MODEL,
    "HYPERGUILD_ROUTE_LOCAL_FLOOR",
    "HYPERGUILD_ROUTE_LOCAL_CEIL",
    "HYPERGUILD_PASS_RATE_TTL_SECONDS",
];

fn decimal(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value| is_share(*value))
}

/// The base URL in a variable; `secret` is the variable for what authenticates there.
fn base_url(reader: &mut Reader<'_>, name: &str, default: &str, secret: &str) -> String {
    optional_base_url(reader, name, secret).unwrap_or_else(|| default.to_string())
}

/// The same; none: the variable is not set, or bad.
fn optional_base_url(reader: &mut Reader<'_>, name: &str, secret: &str) -> Option<String> {
    let text = reader.text(name)?;
    let rule = match parse_base_url(text) {
        Ok(_) => return Some(text.to_string()),
        Err(problem @ BaseUrlError::User) => format!("{problem}; set {secret}"),
        Err(problem @ BaseUrlError::LinkLocal) => problem.to_string(),
        Err(_) => "must be an http or https URL without query, for example http://litellm:4000".to_string(),
    };
    reader.error(name, text, &rule);
    None
}

fn model_name(text: &str) -> Option<String> {
    is_model_name(text).then(|| text.to_string())
}

/// The variables that describe a policy and are set; with a policy file they are ignored.
pub(super) fn set_policy_variables(variables: &Variables) -> Vec<String> {
    POLICY_VARIABLES.iter().filter(|name| variables.get(name).is_some()).map(|name| (*name).to_string()).collect()
}

/// The policy that the environment describes. Bad variables are collected in the reader and get their default here.
pub(super) fn policy(reader: &mut Reader<'_>) -> RoutingPolicySpec {
    let upstream = base_url(reader, LITELLM_BASE_URL, defaults::LITELLM_BASE_URL, "LITELLM_API_KEY");
    let brain = base_url(reader, "BRAIN_URL", defaults::BRAIN_URL, "BRAIN_TOKEN");
    let name_rule = "must be at most 200 characters without control characters";
    let local = reader.parsed(LOCAL_MODEL, defaults::LOCAL_MODEL.into(), name_rule, model_name);
    let claude = reader.parsed(CLAUDE_MODEL, defaults::CLAUDE_MODEL.into(), name_rule, model_name);
    let own_upstream = |reader: &mut Reader<'_>, url: &str, key: &str| {
        optional_base_url(reader, url, key).map(|url| upstream_at(reader, url, key))
    };
    let local = model(local, own_upstream(reader, LOCAL_BASE_URL, "ROUTING_LOCAL_API_KEY"));
    let claude = model(claude, own_upstream(reader, CLAUDE_BASE_URL, "ROUTING_CLAUDE_API_KEY"));
    RoutingPolicySpec {
        upstream: upstream_at(reader, upstream, "LITELLM_API_KEY"),
        models: Models { local, claude: claude.into(), grader: None },
        brain: Some(Brain::at(brain, secret(reader, "BRAIN_TOKEN"))),
        thresholds: thresholds(reader),
        evidence: evidence(reader),
        review: None,
        skills: None,
        client: crds::policy::Client::default(),
        access: access(reader),
        timeouts: crds::policy::Timeouts::default(),
        limits: crds::policy::Limits::default(),
        decision_line: crds::policy::DecisionLine::default(),
        suspend: false,
        service: Service::default(),
        data_plane: DataPlane::default(),
    }
}

fn model(name: String, upstream: Option<Upstream>) -> Model {
    Model { name, parameters: serde_json::Map::new(), upstream, timeout: None, max_concurrent: None, price: None }
}

/// The endpoint at a URL, with the key in a variable.
fn upstream_at(reader: &mut Reader<'_>, url: String, key: &str) -> Upstream {
    Upstream { url, api_key_secret_ref: secret(reader, key), ca_bundle: None }
}

fn secret(reader: &mut Reader<'_>, name: &str) -> Option<SecretKeyRef> {
    bearer::from_variable(reader, name).map(|_| SecretKeyRef { name: ENVIRONMENT.into(), key: name.into() })
}

fn thresholds(reader: &mut Reader<'_>) -> Thresholds {
    let errors_before = reader.errors.len();
    let floor = reader.parsed("HYPERGUILD_ROUTE_LOCAL_FLOOR", defaults::FLOOR, DECIMAL_RULE, decimal);
    let ceil = reader.parsed("HYPERGUILD_ROUTE_LOCAL_CEIL", defaults::CEIL, DECIMAL_RULE, decimal);
    let both_are_numbers = reader.errors.len() == errors_before;
    if both_are_numbers && ThresholdValues::new(floor, ceil).is_none() {
        let rule = format!("must not be above HYPERGUILD_ROUTE_LOCAL_FLOOR ({floor})");
        reader.error("HYPERGUILD_ROUTE_LOCAL_CEIL", &ceil.to_string(), &rule);
    }
    Thresholds { floor: Decimal::from_number(floor), ceil: Decimal::from_number(ceil), relative_to: RelativeTo::None }
}

fn evidence(reader: &mut Reader<'_>) -> Evidence {
    let rule = "must be a whole number of seconds from 0 to 86400 (0 means 60)";
    let within = |text: &str| text.parse::<u32>().ok().filter(|seconds| *seconds <= TTL_MAX);
    let seconds = reader.parsed("HYPERGUILD_PASS_RATE_TTL_SECONDS", defaults::TTL_SECONDS, rule, within);
    let seconds = if seconds == 0 { defaults::TTL_SECONDS } else { seconds };
    // With the environment alone the models are not told apart and no old value is held (`contract`, part 3).
    Evidence {
        of: EvidenceOf::Skill,
        on_expired: OnExpired::Forget,
        ttl: Period::from_text(&format!("{seconds}s")),
        hold_for: Period::from_text("0s"),
        ..Evidence::default()
    }
}

fn access(reader: &mut Reader<'_>) -> Access {
    let token = secret(reader, "ROUTING_MCP_TOKEN");
    let tokens =
        token.map(|secret_ref| AccessToken { name: ENVIRONMENT_CALLER.into(), secret_ref }).into_iter().collect();
    Access { tokens, ..Access::default() }
}
