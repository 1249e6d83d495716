//! The contract between the operator and the pods that it runs: what the operator mounts and sets, and what a pod reports
//! on its admin port. Both programs take it from here.
//!
//! During an upgrade pods of several versions report: absent fields are empty, unknown ones are ignored, and what may
//! grow is text instead of an enum.

pub mod models;
pub mod rules;
pub mod savings;
pub mod why;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::models::ModelReport;
use self::rules::{CheckReport, EvidenceReport, GradingReport, ReviewReport};
use crate::policy::{RelativeTo, service::DEFAULT_PORT};

/// Port of `/mcp` in a pod, whatever port the Services have: changing theirs restarts nothing.
pub const MCP_PORT: u16 = DEFAULT_PORT;
/// Port of the brain, unless `BRAIN_PORT` says otherwise.
pub const BRAIN_PORT: u16 = 3300;
/// Port of `/status`, `/readyz`, `/livez` and `/metrics`, unless `ROUTING_ADMIN_PORT` says otherwise.
pub const ADMIN_PORT: u16 = 3211;
/// Path of [`PodStatus`] on the admin port.
pub const STATUS_PATH: &str = "/status";
/// Path that says whether callers may be sent to a pod.
pub const READY_PATH: &str = "/readyz";
/// Path that says whether a pod is alive.
pub const LIVE_PATH: &str = "/livez";

/// Folder of the config in a pod.
pub const CONFIG_FOLDER: &str = "/var/run/routing";
/// Folder below [`CONFIG_FOLDER`] with the Secrets: `<name>/<key>`.
pub const SECRETS: &str = "secrets";
/// The Secrets' folder, unless `ROUTING_SECRETS_DIR` says otherwise.
pub const SECRETS_FOLDER: &str = "/var/run/routing/secrets";
/// File, and key of the ConfigMap, with the config.
pub const POLICY_FILE: &str = "policy.yaml";
/// File, and key of the ConfigMap, with the last config that all pods ran: for pods that must refuse the newest.
pub const LAST_GOOD_FILE: &str = "last-good.yaml";
/// Annotation of a policy that the operator rendered: a pod of another version then warns of fields that it does not
/// know, instead of refusing the policy.
pub const RENDERED: &str = "routing.hyperguild.io/rendered";

/// Names of the variables that the operator sets.
pub mod variable {
    /// Path of the policy file.
    pub const POLICY_FILE: &str = "ROUTING_POLICY_FILE";
    /// Folder of the Secrets.
    pub const SECRETS_FOLDER: &str = "ROUTING_SECRETS_DIR";
    /// Port of `/mcp` and `/healthz`.
    pub const PORT: &str = "ROUTING_PORT";
    /// Port of the admin endpoint.
    pub const ADMIN_PORT: &str = "ROUTING_ADMIN_PORT";
    /// `text` or `json`.
    pub const LOG_FORMAT: &str = "ROUTING_LOG_FORMAT";
    /// Folders below which files may be read, separated by `:`.
    pub const WORKSPACE_ROOTS: &str = "ROUTING_WORKSPACE_ROOTS";
}

/// What a pod reports about itself.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Version of the program.
    #[serde(deserialize_with = "lenient")]
    pub version: String,
    /// Hash of the config that it runs; see [`crate::hash::config_hash`].
    #[serde(deserialize_with = "lenient")]
    pub config_hash: String,
    /// Where that config came from: `environment`, `policy` or `last_good`.
    #[serde(deserialize_with = "lenient")]
    pub origin: String,
    /// The config that it does not run, if the newest one was refused.
    #[serde(deserialize_with = "lenient")]
    pub refused: Option<RefusedConfig>,
    /// Secrets that its config refers to and that do not exist.
    #[serde(deserialize_with = "lenient")]
    pub missing_secrets: Vec<MissingSecret>,
    /// Secrets without which it does not run the newest config yet.
    #[serde(deserialize_with = "lenient")]
    pub awaited_secrets: Vec<MissingSecret>,
    /// Paths of fields of the config that its version does not know.
    #[serde(deserialize_with = "lenient")]
    pub unknown_fields: Vec<String>,
    /// Whether callers need no token.
    #[serde(deserialize_with = "lenient")]
    pub open: bool,
    /// Whether it was told to end, and sends callers elsewhere.
    #[serde(deserialize_with = "lenient")]
    pub draining: bool,
    /// Which outcomes count; none: without a brain none do.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceReport>,
    /// Which answers are kept for review; none: no answer is.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewReport>,
    /// Where the calls of each skill go.
    #[serde(deserialize_with = "lenient")]
    pub skills: Vec<SkillReport>,
    /// Whether the models' endpoints can be reached.
    #[serde(deserialize_with = "lenient")]
    pub models: Vec<ModelReport>,
    /// What was saved, as the brain knows it; none: there is no brain, or it keeps no costs.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub savings: Option<savings::SavingsReport>,
}

/// A config that a pod does not run.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct RefusedConfig {
    /// What is wrong with it, one line a problem.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// Since when, in milliseconds since 1970.
    #[serde(deserialize_with = "lenient")]
    pub since_ms: u64,
}

/// A Secret's key that a config refers to and that cannot be used.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(default)]
pub struct MissingSecret {
    /// Name of the Secret.
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    /// Key in it.
    #[serde(deserialize_with = "lenient")]
    pub key: String,
    /// Why: it does not exist, is empty, or cannot be sent in an HTTP header. Never the value.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {} key {}: {}", self.name, self.key, self.reason)
    }
}

/// Where a skill's calls go.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct SkillReport {
    /// Name of the skill.
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    /// The pass rate that counts, from 0 to 1; none: not measured, or by too few samples.
    #[serde(deserialize_with = "lenient")]
    pub pass_rate: Option<f64>,
    /// Outcomes behind the pass rate, if the brain says.
    #[serde(deserialize_with = "lenient")]
    pub samples: Option<u64>,
    /// `local`, `claude` or `split`.
    #[serde(deserialize_with = "lenient")]
    pub route: String,
    /// Why, as in a decision record.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// How old the pass rate is, in milliseconds; none: it was never fetched.
    #[serde(deserialize_with = "lenient")]
    pub evidence_age_ms: Option<u64>,
    /// The local model whose pass rate it is; none: it is that of the skill, whichever model answered.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub evidence_of: Option<String>,
    /// Claude's own pass rate, if it is known.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub claude_pass_rate: Option<f64>,
    /// Outcomes behind Claude's pass rate.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub claude_samples: Option<u64>,
    /// Decisions of the skill in the window, if the brain says.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub decisions: Option<u64>,
    /// The part of these that has a verdict, from 0 to 1.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Whether the pass rate rests on outcomes that are older than the window.
    #[serde(deserialize_with = "lenient")]
    pub held: bool,
    /// Age of the newest of these, in milliseconds.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub held_age_ms: Option<u64>,
    /// At or above this pass rate calls go to the local model; none: a pod of an earlier version.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Below this pass rate calls go to Claude; none: a pod of an earlier version.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub ceil: Option<f64>,
    /// What floor and ceil are measured by: with Claude they are shares of its pass rate.
    #[serde(deserialize_with = "lenient")]
    pub relative_to: RelativeTo,
    /// The check of its answers; none: they are not checked.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckReport>,
    /// How a model judges its answers; none: none does.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub grading: Option<GradingReport>,
    /// Whether the skill goes to Claude and gets no outcomes of the local model any more.
    #[serde(deserialize_with = "lenient")]
    pub locked: bool,
    /// Whether some calls go to the model that the rate does not choose, so that it is measured, too.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub exploring: bool,
}

/// A field that another version reports in another form counts as absent, so that the others are still read.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_of_another_version_is_read_as_far_as_it_is_known() {
        let newer = json!({"configHash": "h", "newer": 1, "refused": {"reason": "r", "newer": 1}, "skills": [{"name": "debug", "route": "orbital"}]});
        let status: PodStatus = serde_json::from_value(newer).expect("a status");
        assert_eq!((status.config_hash.as_str(), status.skills[0].route.as_str()), ("h", "orbital"));
        assert_eq!(status.refused.map(|refused| refused.reason).as_deref(), Some("r"));
        assert_eq!(serde_json::from_value::<PodStatus>(json!({})).expect("an empty one"), PodStatus::default());
        let other = json!({"configHash": "h", "version": null, "open": "yes", "skills": {"debug": 1}, "refused": 5,
            "missingSecrets": [{"name": "s", "key": null}]});
        let status: PodStatus = serde_json::from_value(other).expect("a status");
        let secret = MissingSecret { name: "s".into(), ..MissingSecret::default() };
        assert_eq!(
            status,
            PodStatus { config_hash: "h".into(), missing_secrets: vec![secret], ..PodStatus::default() }
        );
    }

    #[test]
    fn the_secrets_are_below_the_config() {
        assert_eq!(SECRETS_FOLDER, format!("{CONFIG_FOLDER}/{SECRETS}"));
    }
}
