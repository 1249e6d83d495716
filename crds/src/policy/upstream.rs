//! Where model calls go, and references to Secrets and ConfigMaps.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Longest URL, in characters.
pub const URL_MAX: usize = 2048;
/// Longest name or key of a Secret or ConfigMap, in characters (Kubernetes' own limit).
pub const REFERENCE_MAX: usize = 253;
/// Longest text, in bytes; the API server counts characters.
pub const TEXT_MAX: usize = 64 * 1024;
/// Names and keys of Secrets and ConfigMaps: usable as file names that stay in their folder.
const REFERENCE_PATTERN: &str = r"^\.?[-_A-Za-z0-9][-._A-Za-z0-9]*$";
/// An http or https URL that a path can be appended to.
pub(super) const HTTP_URL_RULE: &str = "self.matches('^https?://[^/?#\\\\s]+[^?#\\\\s]*$')";
/// A user part would be stored and shown with the policy.
pub(super) const NO_USER_RULE: &str = "!self.matches('^https?://[^/?#]*@')";
/// The usual forms; `crate::compile` refuses every form of such an address.
pub(super) const NOT_LINK_LOCAL_RULE: &str =
    "!self.matches('^https?://([^/?#]*@)?(169[.]254[.]|\\\\[[fF][eE][89abAB])')";
/// What `NOT_LINK_LOCAL_RULE` answers.
pub(super) const NOT_LINK_LOCAL: &str =
    "must not be a link-local address (169.254.0.0/16, fe80::/10); use the name or another address of the host";

/// An OpenAI-compatible endpoint.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Base URL, http or https. `/v1/chat/completions` is appended, or `/chat/completions` if it already ends in `/v1`.
    #[schemars(length(max = URL_MAX))]
    #[x_kube(validation = Rule::new(HTTP_URL_RULE).message("must be an http:// or https:// URL with a host and without query or fragment"))]
    #[x_kube(validation = Rule::new(NO_USER_RULE)
        .message("must not have a user or a password; put it into a Secret, and name that in apiKeySecretRef"))]
    #[x_kube(validation = Rule::new(NOT_LINK_LOCAL_RULE).message(NOT_LINK_LOCAL))]
    pub url: String,

    /// The Secret and its key that hold the API key, sent as `Authorization: Bearer`. If absent, no API key is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretKeyRef>,

    /// PEM certificates of a private certificate authority, trusted in addition to the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<TextSource>,
}

/// One key of a Secret in the policy's namespace.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = REFERENCE_MAX), regex(pattern = REFERENCE_PATTERN))]
    pub name: String,
    /// Key in the Secret whose value is used.
    #[schemars(length(min = 1, max = REFERENCE_MAX), regex(pattern = REFERENCE_PATTERN))]
    pub key: String,
}

/// One key of a ConfigMap in the policy's namespace.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = REFERENCE_MAX), regex(pattern = REFERENCE_PATTERN))]
    pub name: String,
    /// Key in the ConfigMap whose text is used.
    #[schemars(length(min = 1, max = REFERENCE_MAX), regex(pattern = REFERENCE_PATTERN))]
    pub key: String,
}

/// A text, written here or read from a ConfigMap. Exactly one of the two must be set.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(validation = Rule::new("has(self.text) != has(self.configMapKeyRef)")
    .message("must have exactly one of text and configMapKeyRef"))]
#[serde(rename_all = "camelCase")]
pub struct TextSource {
    /// The text itself, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = TEXT_MAX))]
    pub text: Option<String>,

    /// The ConfigMap key that holds the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
}
